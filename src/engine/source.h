/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrow streams as something the engine can scan: the view _ap.main.ap_source of a chamber.
 *
 * The engine scans a stream once, with several threads that take turns. What it sees are columns
 * c0, c1, ... in the order asked for, cut into slices of so many rows, with the few types turned
 * that it would misread: nanosecond instants lose their zone (they are checked as plain
 * timestamps), times become numbers, half floats floats, and dictionaries their values: the engine
 * takes an unknown count of nulls for none there, and loses nulls within lists. Internal to this
 * module.
 */
#ifndef AP_ENGINE_SOURCE_H
#define AP_ENGINE_SOURCE_H

#include "engine/chamber.h"

struct ap_source_batch;

enum { AP_SOURCE_PEEKED_MAX = 4096 }; /* arrays looked at before the scan begins */

struct ap_source {
  struct ap_allocator *allocator;
  struct ArrowArrayStream inner;
  struct ArrowSchema schema;  /* of the arrays, dictionaries decoded */
  struct ArrowSchema encoded; /* as the stream gave it, when that has dictionaries */
  struct ArrowSchema shown;   /* as the engine sees it */
  uint32_t *order;            /* column i is the stream's column order[i] */
  uint32_t column_count;
  bool has_halves;
  bool *
      may_have_nan; /* by column: a float column in which a NaN passed, or that was not looked at */
  struct ArrowArray *peeked;
  uint32_t peeked_capacity;
  uint32_t peeked_count;
  uint32_t peeked_next;
  bool complete; /* all there is was peeked at */
  int64_t peeked_rows;
  int64_t peeked_bytes; /* of values, about */
  int64_t slice_rows;
  struct ap_source_batch *current;
  int64_t position; /* in current */
  ap_error error;   /* of the stream, once it failed */
};

/* Takes the stream, on failure too, and pulls its schema. Its arrays must have been validated
 * (ap_stream_validated) when it has dictionaries. */
AP_MUST_CHECK ap_status ap_source_open(struct ap_source *source, struct ap_allocator *allocator,
                                       struct ArrowArrayStream *stream, ap_error *err);
void ap_source_close(struct ap_source *source); /* idempotent; accepts zeroed memory */

/* Say which columns the engine sees, in which order. AP_UNSUPPORTED for half floats below the top
 * level. */
AP_MUST_CHECK ap_status ap_source_arrange(struct ap_source *source, const uint32_t *order,
                                          uint32_t column_count, ap_error *err);

/* Whether column i may hold NaN, by what has passed so far. */
bool ap_source_may_have_nan(const struct ap_source *source, uint32_t column);

/* Look ahead until so many bytes of values are known or the stream ends. */
AP_MUST_CHECK ap_status ap_source_peek(struct ap_source *source, int64_t bytes_enough,
                                       ap_error *err);

/* Make the chamber's view read this source; NULL: nothing. The source must stay where it is until
 * then. */
AP_MUST_CHECK ap_status ap_chamber_set_source(struct ap_chamber *chamber, struct ap_source *source,
                                              ap_error *err);

#endif
