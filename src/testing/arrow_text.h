/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrow batches as text, to compare answers: a line per row, {name:value,...}; times and dates by
 * their stored integer, decimals by their unscaled digits, text in '', bytes in x''. Walks by
 * nanoarrow's views, not by the product's own, and stops after 64 MiB of text.
 * tests/data/arrow/make_fixtures.py prints the same.
 */
#ifndef AP_TESTING_ARROW_TEXT_H
#define AP_TESTING_ARROW_TEXT_H

#include "base/text.h"

#include <nanoarrow/nanoarrow.h>

/* False when nanoarrow finds the array broken; *out then holds what it says. */
bool ap_arrow_append_rows(struct ap_buffer *out, const struct ArrowSchema *schema,
                          const struct ArrowArray *array);

/* All rows of a stream, which is released. What the stream reports, when it fails. */
AP_MUST_CHECK ap_status ap_arrow_append_stream(struct ap_buffer *out,
                                               struct ArrowArrayStream *stream, ap_error *err);

#endif
