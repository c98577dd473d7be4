/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain forms: without offsets, dictionaries, views. What simple readers and nanoarrow's IPC
 * encoder understand.
 */
#ifndef AP_ARROW_PLAIN_H
#define AP_ARROW_PLAIN_H

#include "base/text.h"

#include <nanoarrow/nanoarrow.h>

/* The schema of the plain form: dictionaries become their value type, views of bytes and lists
 * their twins with offsets; names are never NULL; the flags of maps as the format wants them. */
AP_MUST_CHECK ap_status ap_schema_plain(const struct ArrowSchema *schema, struct ArrowSchema *out,
                                        ap_error *err);

/* Is the array in that form already? Both must have passed ap_array_validate. */
bool ap_array_is_plain(const struct ArrowSchema *schema, const struct ArrowArray *array);

/* A copy in that form. The array must have passed ap_array_validate. AP_UNSUPPORTED when the bytes
 * of a column outgrow its 32-bit offsets. */
AP_MUST_CHECK ap_status ap_array_plain(const struct ArrowSchema *schema,
                                       const struct ArrowArray *array, struct ArrowArray *out,
                                       ap_error *err);

#endif
