/* SPDX-License-Identifier: Apache-2.0
 *
 * An allocator that counts what lives and fails on demand, and the out-of-memory sweep built on it:
 * run the same work again and again, failing the first allocation, then the second, and so on.
 * Thread: any.
 */
#ifndef AP_TESTING_ALLOC_H
#define AP_TESTING_ALLOC_H

#include "base/alloc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct ap_counting_allocator {
  struct ap_allocator base;    /* what is handed on */
  _Atomic int64_t live_blocks; /* allocated and not yet freed */
  _Atomic int64_t allocations; /* calls that asked for memory, growing included */
  _Atomic int64_t failures;    /* of these, how many were made to fail */
  int64_t fail_at;             /* the number (from 1) of the allocation that fails; 0: none */
  bool fail_all_after;         /* and all later ones too */
};

void ap_counting_allocator_init(struct ap_counting_allocator *allocator);

/* The work of one round: everything it allocates comes from allocator and is freed again. */
typedef ap_status (*ap_sweep_body)(void *context, struct ap_allocator *allocator, ap_error *err);

/* Run body without failures, then with each of its allocations failing in turn. Each failing round
 * must return AP_OUT_OF_MEMORY and leave no block alive; cmocka reports what does not. Returns the
 * number of allocations that were made to fail. */
int64_t ap_sweep_memory(ap_sweep_body body, void *context);

#endif
