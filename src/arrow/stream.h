/* SPDX-License-Identifier: Apache-2.0
 *
 * Helpers over the Arrow C stream interface (struct ArrowArrayStream).
 *
 * Structs move: the source's release becomes NULL, on success only. A stream belongs to one thread
 * at a time.
 */
#ifndef AP_ARROW_STREAM_H
#define AP_ARROW_STREAM_H

#include "base/text.h"

#include <nanoarrow/nanoarrow.h>

/* Pull the schema or the next array; errors carry the producer's own message (AP_QUERY, or
 * AP_OUT_OF_MEMORY for ENOMEM). At the end out_array->release is NULL. */
AP_MUST_CHECK ap_status ap_stream_schema(struct ArrowArrayStream *stream,
                                         struct ArrowSchema *out_schema, ap_error *err);
AP_MUST_CHECK ap_status ap_stream_next(struct ArrowArrayStream *stream,
                                       struct ArrowArray *out_array, ap_error *err);

/* Release when not released; NULL pointers and zeroed structs are fine. */
void ap_stream_release(struct ArrowArrayStream *stream);
void ap_schema_release(struct ArrowSchema *schema);
void ap_array_release(struct ArrowArray *array);

/* Refuse what a hostile or broken producer may hand over, before anything reads it: lengths,
 * offsets, buffer counts, null counts and child lengths against the schema (nanoarrow's full
 * validation). AP_INVALID_ARGUMENT naming the column. For arrays from IPC bytes, whose buffer sizes
 * are known; C-interface arrays carry no buffer sizes, so there offsets are checked for order and
 * sign only. */
AP_MUST_CHECK ap_status ap_array_validate(const struct ArrowSchema *schema,
                                          const struct ArrowArray *array, ap_error *err);

/* A stream over another that validates every array as it passes; takes `inner` on success. */
AP_MUST_CHECK ap_status ap_stream_validated(struct ArrowArrayStream *inner,
                                            struct ArrowArrayStream *out, ap_error *err);

/* A stream of no rows; takes the schema on success. */
AP_MUST_CHECK ap_status ap_stream_empty(struct ArrowSchema *schema, struct ArrowArrayStream *out,
                                        ap_error *err);

/* A re-chunked view of a stream: batches of up to rows_max rows cut from larger ones, without
 * copying (children with offsets). For spreading one large batch over several threads. Takes
 * `inner` on success. */
AP_MUST_CHECK ap_status ap_stream_sliced(struct ArrowArrayStream *inner, int64_t rows_max,
                                         struct ArrowArrayStream *out, ap_error *err);

#endif
