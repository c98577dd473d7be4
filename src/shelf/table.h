/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash table of entries that lie within what they stand for. It allocates when it is made and
 * when it grows; a growth that fails only makes it slower, so adding cannot fail. Thread: one.
 */
#ifndef AP_SHELF_TABLE_H
#define AP_SHELF_TABLE_H

#include "base/alloc.h"

#include <stdbool.h>
#include <stdint.h>

struct ap_shelf_entry {
  struct ap_shelf_entry *next;
  uint64_t hash;
};

struct ap_shelf_table {
  struct ap_allocator *allocator;
  struct ap_shelf_entry **slots;
  size_t capacity; /* a power of two */
  size_t count;
};

AP_MUST_CHECK ap_status ap_shelf_table_init(struct ap_shelf_table *table,
                                            struct ap_allocator *allocator, ap_error *err);
/* Leaves the entries alone. Idempotent; accepts zeroed memory. */
void ap_shelf_table_deinit(struct ap_shelf_table *table);
void ap_shelf_table_add(struct ap_shelf_table *table, struct ap_shelf_entry *entry, uint64_t hash);
void ap_shelf_table_remove(struct ap_shelf_table *table, struct ap_shelf_entry *entry);
/* The first entry of a hash, and the next one of its hash; NULL when there is none. */
struct ap_shelf_entry *ap_shelf_table_find(const struct ap_shelf_table *table, uint64_t hash);
struct ap_shelf_entry *ap_shelf_entry_next(const struct ap_shelf_entry *entry);
uint64_t ap_shelf_hash(const void *bytes, size_t size);

#endif
