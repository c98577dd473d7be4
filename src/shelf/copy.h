/* SPDX-License-Identifier: Apache-2.0
 *
 * The jobs that fill an extent, and the threads that do them. Internal to packing.
 */
#ifndef AP_SHELF_COPY_H
#define AP_SHELF_COPY_H

#include "base/text.h"

#include <nanoarrow/nanoarrow.h>

enum ap_shelf_job_kind {
  AP_SHELF_JOB_BYTES,      /* as they are */
  AP_SHELF_JOB_OFFSETS,    /* less `base` */
  AP_SHELF_JOB_LIST_VIEWS, /* offsets of list views less `base`; 0 where the list is empty */
  AP_SHELF_JOB_VIEWS,      /* string views whose data buffers stay what they are */
  AP_SHELF_JOB_GATHER,     /* string views with all their bytes in one new buffer */
};

struct ap_shelf_job {
  enum ap_shelf_job_kind kind;
  bool is_large; /* OFFSETS, LIST_VIEWS: of 64 bits */
  const char *source;
  const char *sizes; /* LIST_VIEWS */
  int64_t target;    /* in the extent */
  int64_t size;      /* in bytes, the lead included */
  int64_t lead;      /* bytes in front that become zero */
  int64_t base;
  const struct ArrowArray *array; /* GATHER; source: its first view */
  int64_t row;                    /* GATHER: of the first view, in the array's buffers */
  int64_t data_target;            /* GATHER */
  int64_t data_size;
};

/* Do all jobs into memory, with up to `threads` threads. is_there: its pages need not be made. */
AP_MUST_CHECK ap_status ap_shelf_jobs_run(const struct ap_shelf_job *jobs, size_t count,
                                          char *memory, bool is_there, uint32_t threads,
                                          ap_error *err);

#endif
