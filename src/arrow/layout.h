/* SPDX-License-Identifier: Apache-2.0
 *
 * How the buffers of an Arrow array lie, from its schema: what the validator, the copier and the
 * IPC reader all walk by. Internal to arrow/.
 */
#ifndef AP_ARROW_LAYOUT_H
#define AP_ARROW_LAYOUT_H

#include "base/text.h"

#include <nanoarrow/nanoarrow.h>

enum ap_layout_kind {
  AP_LAYOUT_NULL,       /* no buffers */
  AP_LAYOUT_BITS,       /* validity, one bit a value */
  AP_LAYOUT_FIXED,      /* validity, width_bytes a value */
  AP_LAYOUT_BYTES,      /* validity, offsets, data */
  AP_LAYOUT_VIEWS,      /* validity, 16-byte views, any number of data buffers, their sizes */
  AP_LAYOUT_LIST,       /* validity, offsets; one child */
  AP_LAYOUT_LIST_VIEW,  /* validity, offsets, sizes; one child */
  AP_LAYOUT_FIXED_LIST, /* validity; one child of list_size elements a value */
  AP_LAYOUT_STRUCT,     /* validity; children */
};

struct ap_layout {
  enum ap_layout_kind kind;
  bool is_large;        /* 64-bit offsets and sizes */
  bool is_text;         /* BYTES, VIEWS: UTF-8 */
  bool is_map;          /* LIST: of entries */
  bool is_signed;       /* FIXED, as dictionary indices */
  bool is_integer;      /* FIXED: may be a dictionary's index */
  int64_t width_bytes;  /* FIXED */
  int64_t list_size;    /* FIXED_LIST */
  int64_t buffer_count; /* VIEWS: at least this many */
};

/* AP_INVALID_ARGUMENT for a schema that contradicts itself, AP_UNSUPPORTED for unions and run-end
 * encoding; the message names the column. The dictionary of the schema is not looked at: the layout
 * is that of the indices. */
AP_MUST_CHECK ap_status ap_layout_of(const struct ArrowSchema *schema, struct ap_layout *out_layout,
                                     ap_error *err);

/* The column's name for messages; never NULL. */
const char *ap_layout_name(const struct ArrowSchema *schema);

#endif
