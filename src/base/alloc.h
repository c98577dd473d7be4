/* SPDX-License-Identifier: Apache-2.0
 *
 * Allocators and arenas.
 *
 * Long-lived memory comes through an ap_allocator that is passed in, so that tests can make every
 * allocation fail in turn and count what is left. Per-request memory comes from an arena that is
 * freed whole.
 * Thread: ap_allocator_system is safe from any thread; an arena belongs to one thread.
 */
#ifndef AP_BASE_ALLOC_H
#define AP_BASE_ALLOC_H

#include "base/status.h"

#include <stddef.h>

/* realloc(3)'s contract: pointer NULL allocates, size 0 frees and returns NULL, otherwise NULL
 * means out of memory and the old block stands. Blocks are aligned for any type. */
struct ap_allocator {
  void *(*reallocate)(struct ap_allocator *self, void *pointer, size_t size);
};

/* malloc's heap. The table is for constant initialisers; elsewhere call the function. */
extern const struct ap_allocator ap_allocator_system_table;
struct ap_allocator *ap_allocator_system(void);

/* NULL when out of memory; memory is not cleared. size 0 gives a valid unique block. */
void *ap_allocate(struct ap_allocator *allocator, size_t size);
/* count * size zeroed bytes, overflow-checked; NULL when out of memory. */
void *ap_allocate_zeroed(struct ap_allocator *allocator, size_t count, size_t size);
void *ap_reallocate(struct ap_allocator *allocator, void *pointer, size_t size);
/* NULL is allowed. */
void ap_free(struct ap_allocator *allocator, void *pointer);

/* An arena: bump allocation, one free for all. Zeroed memory plus init is a valid empty arena. */
struct ap_arena {
  struct ap_allocator *allocator;
  struct ap_arena_block *head;
  size_t total_bytes;
};

void ap_arena_init(struct ap_arena *arena, struct ap_allocator *allocator);
/* Idempotent; accepts zeroed memory. */
void ap_arena_deinit(struct ap_arena *arena);
/* 16-byte aligned, not cleared; NULL when out of memory. */
void *ap_arena_allocate(struct ap_arena *arena, size_t size);
/* count * size zeroed bytes, overflow-checked; NULL when out of memory. */
void *ap_arena_allocate_zeroed(struct ap_arena *arena, size_t count, size_t size);

#define AP_ARENA_NEW(arena, type) ((type *)ap_arena_allocate_zeroed((arena), 1, sizeof(type)))
#define AP_ARENA_ARRAY(arena, type, count) \
  ((type *)ap_arena_allocate_zeroed((arena), (count), sizeof(type)))

/* The error every failed allocation reports. */
#define AP_FAIL_MEMORY(err) AP_FAIL((err), AP_OUT_OF_MEMORY, "out of memory")

#endif
