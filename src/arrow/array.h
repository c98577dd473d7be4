/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrow arrays of our own making. Internal to arrow/.
 *
 * An owned array holds its buffers with their sizes (nanoarrow's arrays crash when their second
 * allocation fails, and foreign arrays carry no sizes). A shared array is one array kept alive by
 * any number of views of it, which consumers may release in any order and from any thread.
 */
#ifndef AP_ARROW_ARRAY_H
#define AP_ARROW_ARRAY_H

#include "base/text.h"

#include <nanoarrow/nanoarrow.h>

/* An array with room for buffers and children, all empty; children and dictionary start released
 * and are filled by the caller. On failure *out is released. */
AP_MUST_CHECK ap_status ap_array_init(struct ArrowArray *out, int64_t buffer_count,
                                      int64_t child_count, bool with_dictionary, ap_error *err);
/* A buffer of an owned array, to be filled before ap_array_seal. */
struct ArrowBuffer *ap_array_buffer(struct ArrowArray *array, int64_t index);
/* Publish the buffers' addresses; call once they no longer grow. */
void ap_array_seal(struct ArrowArray *array);
/* The size of a buffer: of an owned array, or seen through views; -1 for foreign arrays. */
int64_t ap_array_buffer_size(const struct ArrowArray *array, int64_t index);

struct ap_array_shared;

/* Takes the array on success; the caller holds one reference. */
AP_MUST_CHECK ap_status ap_array_share(struct ArrowArray *array,
                                       struct ap_array_shared **out_shared, ap_error *err);
void ap_array_shared_release(struct ap_array_shared *shared); /* NULL is allowed */
const struct ArrowArray *ap_array_shared_get(const struct ap_array_shared *shared);
/* A view of the whole shared array, or of one array below it (`part`, which must belong to
 * `shared`). Copies no buffers; each view and each child of it can be released by itself. */
AP_MUST_CHECK ap_status ap_array_view(struct ap_array_shared *shared, const struct ArrowArray *part,
                                      struct ArrowArray *out, ap_error *err);

#endif
