/* SPDX-License-Identifier: Apache-2.0
 *
 * A client's handle, and the object that it is writing. Internal to the implementation of
 * apiary/shelf.h.
 */
#ifndef AP_SHELF_SHELF_H
#define AP_SHELF_SHELF_H

#include <apiary/shelf.h>

#include "shelf/link.h"

struct ap_shelf {
  struct ap_shelf_link *link;
  uint32_t copy_threads;
};

/* An object that is being made, on one connection. Zeroed: none. */
struct ap_shelf_draft {
  struct ap_shelf_link *link;   /* counted, as long as there is an object */
  struct ap_shelf_arena *arena; /* counted too */
  uint64_t generation;
  struct ap_shelf_key key;
  struct ap_shelf_extent last; /* the newest extent */
};

/* The options' defaults in, and names and labels checked. */
AP_MUST_CHECK ap_status ap_shelf_put_options_read(const ap_shelf_put_options *options,
                                                  ap_shelf_put_options *out, ap_error *err);
/* One more extent; the first makes the object. */
AP_MUST_CHECK ap_status ap_shelf_draft_grow(struct ap_shelf *shelf, struct ap_shelf_draft *draft,
                                            int64_t size_bytes, bool whole_pages, const char *name,
                                            ap_error *err);
/* Where the newest extent may be written. */
char *ap_shelf_draft_memory(const struct ap_shelf_draft *draft);
/* The last `block_bytes` of the newest extent are the block. holds: stay a holder. */
AP_MUST_CHECK ap_status ap_shelf_draft_seal(struct ap_shelf_draft *draft, int64_t block_bytes,
                                            int64_t rows, const ap_shelf_put_options *options,
                                            bool holds, char out_key[AP_SHELF_KEY_SIZE],
                                            ap_error *err);
/* Forget it; what was not sealed is abandoned. Accepts zeroed memory. */
void ap_shelf_draft_deinit(struct ap_shelf_draft *draft);

#endif
