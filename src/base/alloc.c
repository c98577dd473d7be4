/* SPDX-License-Identifier: Apache-2.0
 *
 * Allocators and arenas: the only file that touches the C heap.
 *
 * An arena is a list of blocks, newest first, of which the head is filled from the front. Blocks
 * double with what the arena holds, from 4 KiB to 1 MiB; a larger wish gets a block of its own,
 * which is put behind the head so that the head's free bytes stay in use.
 */
#include "base/alloc.h"

#include "base/assert.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
  ARENA_ALIGNMENT = 16,
  ARENA_BLOCK_MIN = 4 * 1024,
  ARENA_BLOCK_MAX = 1024 * 1024,
};

struct ap_arena_block {
  struct ap_arena_block *next;
  size_t capacity; /* bytes behind this header */
  size_t used;
  size_t padding; /* keeps the header a multiple of the alignment */
};

_Static_assert(sizeof(struct ap_arena_block) % ARENA_ALIGNMENT == 0, "blocks must stay aligned");

static void *system_reallocate(struct ap_allocator *self, void *pointer, size_t size) {
  (void)self;
  if (size == 0) {
    free(pointer);
    return NULL;
  }
  return realloc(pointer, size);
}

const struct ap_allocator ap_allocator_system_table = {system_reallocate};

/* It has no state, so nobody writes to it through the pointer. */
struct ap_allocator *ap_allocator_system(void) {
  return (struct ap_allocator *)&ap_allocator_system_table;
}

void *ap_allocate(struct ap_allocator *allocator, size_t size) {
  return allocator->reallocate(allocator, NULL, size ? size : 1);
}

void *ap_allocate_zeroed(struct ap_allocator *allocator, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
  void *pointer = ap_allocate(allocator, bytes);
  if (pointer) memset(pointer, 0, bytes);
  return pointer;
}

void *ap_reallocate(struct ap_allocator *allocator, void *pointer, size_t size) {
  return allocator->reallocate(allocator, pointer, size);
}

void ap_free(struct ap_allocator *allocator, void *pointer) {
  if (pointer) allocator->reallocate(allocator, pointer, 0);
}

void ap_arena_init(struct ap_arena *arena, struct ap_allocator *allocator) {
  AP_ASSERT(allocator);
  *arena = (struct ap_arena){.allocator = allocator};
}

void ap_arena_deinit(struct ap_arena *arena) {
  struct ap_arena_block *block = arena->head;
  while (block) {
    struct ap_arena_block *next = block->next;
    ap_free(arena->allocator, block);
    block = next;
  }
  arena->head = NULL;
  arena->total_bytes = 0;
}

/* Under the address sanitizer each wish is a block of its own, so that an overrun is seen. */
static size_t block_capacity(const struct ap_arena *arena, size_t size) {
#if defined(__SANITIZE_ADDRESS__)
  (void)arena;
  return size;
#else
  size_t capacity = arena->total_bytes;
  if (capacity < ARENA_BLOCK_MIN) capacity = ARENA_BLOCK_MIN;
  if (capacity > ARENA_BLOCK_MAX) capacity = ARENA_BLOCK_MAX;
  capacity -= sizeof(struct ap_arena_block);
  return capacity < size ? size : capacity;
#endif
}

static void *allocate_in_new_block(struct ap_arena *arena, size_t size) {
  size_t capacity = block_capacity(arena, size);
  size_t bytes;
  if (__builtin_add_overflow(capacity, sizeof(struct ap_arena_block), &bytes)) return NULL;
  struct ap_arena_block *block = ap_allocate(arena->allocator, bytes);
  if (!block) return NULL;
  *block = (struct ap_arena_block){.capacity = capacity, .used = size};
  struct ap_arena_block *head = arena->head;
  if (head && head->capacity - head->used > capacity - size) {
    block->next = head->next;
    head->next = block;
  } else {
    block->next = head;
    arena->head = block;
  }
  arena->total_bytes += bytes;
  return block + 1;
}

void *ap_arena_allocate(struct ap_arena *arena, size_t size) {
  AP_ASSERT(arena->allocator);
  if (size == 0) size = 1;
  struct ap_arena_block *head = arena->head;
  if (head) {
    size_t start = (head->used + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
    if (start <= head->capacity && size <= head->capacity - start) {
      head->used = start + size;
      return (char *)(head + 1) + start;
    }
  }
  return allocate_in_new_block(arena, size);
}

void *ap_arena_allocate_zeroed(struct ap_arena *arena, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
  void *pointer = ap_arena_allocate(arena, bytes);
  if (pointer) memset(pointer, 0, bytes);
  return pointer;
}
