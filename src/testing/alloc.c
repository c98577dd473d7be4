/* SPDX-License-Identifier: Apache-2.0
 *
 * The counting allocator: malloc's heap with counters in front, so that the address sanitizer and
 * valgrind still see every block.
 */
#include "testing/alloc.h"

static bool must_fail(struct ap_counting_allocator *counter) {
  int64_t number = atomic_fetch_add(&counter->allocations, 1) + 1;
  if (counter->fail_at == 0 || number < counter->fail_at) return false;
  if (number > counter->fail_at && !counter->fail_all_after) return false;
  atomic_fetch_add(&counter->failures, 1);
  return true;
}

static void *counting_reallocate(struct ap_allocator *self, void *pointer, size_t size) {
  struct ap_counting_allocator *counter = (struct ap_counting_allocator *)self;
  struct ap_allocator *system = ap_allocator_system();
  if (size == 0) {
    if (pointer) atomic_fetch_sub(&counter->live_blocks, 1);
    return system->reallocate(system, pointer, 0);
  }
  if (must_fail(counter)) return NULL;
  void *block = system->reallocate(system, pointer, size);
  if (block && !pointer) atomic_fetch_add(&counter->live_blocks, 1);
  return block;
}

void ap_counting_allocator_init(struct ap_counting_allocator *allocator) {
  allocator->base.reallocate = counting_reallocate;
  atomic_init(&allocator->live_blocks, 0);
  atomic_init(&allocator->allocations, 0);
  atomic_init(&allocator->failures, 0);
  allocator->fail_at = 0;
  allocator->fail_all_after = false;
}
