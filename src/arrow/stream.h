/* SPDX-License-Identifier: Apache-2.0
 *
 * Helpers over the Arrow C stream interface (struct ArrowArrayStream).
 *
 * Structs move: the source's release becomes NULL, on success only. A stream belongs to one thread
 * at a time; the arrays that come out of it belong to whoever holds them.
 */
#ifndef AP_ARROW_STREAM_H
#define AP_ARROW_STREAM_H

#include "base/text.h"

#include <nanoarrow/nanoarrow.h>

/* Pull the schema or the next array; errors carry the producer's own message (AP_QUERY, or
 * AP_OUT_OF_MEMORY for ENOMEM). Streams made by ap_stream_from_source hand over their error whole,
 * code and hint included. At the end out_array->release is NULL. */
AP_MUST_CHECK ap_status ap_stream_schema(struct ArrowArrayStream *stream,
                                         struct ArrowSchema *out_schema, ap_error *err);
AP_MUST_CHECK ap_status ap_stream_next(struct ArrowArrayStream *stream,
                                       struct ArrowArray *out_array, ap_error *err);

/* What a get_schema or get_next that returned `code` (not 0) means, as the two above tell it. */
AP_MUST_CHECK ap_status ap_stream_error_of(struct ArrowArrayStream *stream, int code,
                                           const char *what, ap_error *err);

/* Release when not released; NULL pointers and zeroed structs are fine. */
void ap_stream_release(struct ArrowArrayStream *stream);
void ap_schema_release(struct ArrowSchema *schema);
void ap_array_release(struct ArrowArray *array);

/* A producer of arrays in our manner. The source stands first in the producer's own struct. */
struct ap_stream_source {
  ap_status (*schema)(struct ap_stream_source *self, struct ArrowSchema *out_schema, ap_error *err);
  /* out_array->release NULL at the end, and from then on. */
  ap_status (*next)(struct ap_stream_source *self, struct ArrowArray *out_array, ap_error *err);
  void (*destroy)(struct ap_stream_source *self);
  ap_error error; /* of the last call, for the consumer */
};

/* Make a stream of a source; takes it. Releasing the stream calls destroy. Cannot fail. */
void ap_stream_from_source(struct ap_stream_source *source, struct ArrowArrayStream *out);

/* The source that a stream was made of; NULL when it is a stream of another kind. */
struct ap_stream_source *ap_stream_source_of(const struct ArrowArrayStream *stream);

/* Refuse what a hostile or broken producer may hand over, before anything reads it: lengths,
 * offsets, buffer counts, null counts and child lengths against the schema, dictionary indices,
 * string views, UTF-8. AP_INVALID_ARGUMENT naming the column (AP_UNSUPPORTED for unions and run-end
 * encoding). For arrays from IPC bytes, whose buffer sizes are known, sizes are checked too;
 * C-interface arrays carry no buffer sizes, so there offsets are checked for order and sign only.
 * Reads no more than the lengths promise. */
AP_MUST_CHECK ap_status ap_array_validate(const struct ArrowSchema *schema,
                                          const struct ArrowArray *array, ap_error *err);

/* A stream over another that validates every array as it passes; takes `inner` on success. */
AP_MUST_CHECK ap_status ap_stream_validated(struct ArrowArrayStream *inner,
                                            struct ArrowArrayStream *out, ap_error *err);

/* A stream of no rows; takes the schema on success. */
AP_MUST_CHECK ap_status ap_stream_empty(struct ArrowSchema *schema, struct ArrowArrayStream *out,
                                        ap_error *err);

/* A stream of one array; takes schema and array on success. */
AP_MUST_CHECK ap_status ap_stream_of_one(struct ArrowSchema *schema, struct ArrowArray *array,
                                         struct ArrowArrayStream *out, ap_error *err);

/* A re-chunked view of a stream: batches of up to rows_max rows cut from larger ones, without
 * copying (children with offsets). For spreading one large batch over several threads: the slices
 * keep what they show alive and may be released in any order, from any thread. Takes `inner` on
 * success. */
AP_MUST_CHECK ap_status ap_stream_sliced(struct ArrowArrayStream *inner, int64_t rows_max,
                                         struct ArrowArrayStream *out, ap_error *err);

#endif
