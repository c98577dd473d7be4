/* SPDX-License-Identifier: Apache-2.0
 *
 * A set of names, for the folders a backend has seen. Open addressing; names are copied into an
 * arena and freed together. Order of the slots depends on the names alone, so that simulated runs
 * repeat. Thread: the owner's; no locks.
 */
#ifndef AP_STORE_NAMES_H
#define AP_STORE_NAMES_H

#include "base/text.h"

struct ap_store_names {
  struct ap_allocator *allocator;
  struct ap_arena arena;
  struct ap_text *slots; /* data NULL: free; NUL-terminated otherwise */
  size_t slots_count;    /* a power of two, or 0 */
  size_t count;
};

void ap_store_names_init(struct ap_store_names *names, struct ap_allocator *allocator);
void ap_store_names_deinit(struct ap_store_names *names); /* idempotent; accepts zeroed memory */
void ap_store_names_clear(struct ap_store_names *names);
bool ap_store_names_has(const struct ap_store_names *names, struct ap_text name);
/* Adding what is there is fine; the empty name is a name. */
AP_MUST_CHECK ap_status ap_store_names_add(struct ap_store_names *names, struct ap_text name,
                                           ap_error *err);

#endif
