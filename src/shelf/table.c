/* SPDX-License-Identifier: Apache-2.0
 *
 * Chains in slots, as many slots as entries. The hash of bytes is FNV-1a.
 */
#include "shelf/table.h"

#include "base/assert.h"

enum { SLOTS_MIN = 64 };

ap_status ap_shelf_table_init(struct ap_shelf_table *table, struct ap_allocator *allocator,
                              ap_error *err) {
  *table = (struct ap_shelf_table){.allocator = allocator, .capacity = SLOTS_MIN};
  table->slots = ap_allocate_zeroed(allocator, SLOTS_MIN, sizeof *table->slots);
  return table->slots != NULL ? AP_OK : AP_FAIL_MEMORY(err);
}

void ap_shelf_table_deinit(struct ap_shelf_table *table) {
  if (table->allocator != NULL) ap_free(table->allocator, table->slots);
  *table = (struct ap_shelf_table){0};
}

static struct ap_shelf_entry **slot_of(const struct ap_shelf_table *table, uint64_t hash) {
  return &table->slots[(hash ^ hash >> 32) & (table->capacity - 1)];
}

static void grow(struct ap_shelf_table *table) {
  struct ap_shelf_table wide = *table;
  wide.capacity *= 2;
  wide.slots = ap_allocate_zeroed(table->allocator, wide.capacity, sizeof *wide.slots);
  if (wide.slots == NULL) return;
  for (size_t i = 0; i < table->capacity; i++) {
    struct ap_shelf_entry *entry = table->slots[i];
    while (entry != NULL) {
      struct ap_shelf_entry *next = entry->next;
      struct ap_shelf_entry **slot = slot_of(&wide, entry->hash);
      entry->next = *slot;
      *slot = entry;
      entry = next;
    }
  }
  ap_free(table->allocator, table->slots);
  *table = wide;
}

void ap_shelf_table_add(struct ap_shelf_table *table, struct ap_shelf_entry *entry, uint64_t hash) {
  if (table->count >= table->capacity) grow(table);
  struct ap_shelf_entry **slot = slot_of(table, hash);
  *entry = (struct ap_shelf_entry){*slot, hash};
  *slot = entry;
  table->count++;
}

void ap_shelf_table_remove(struct ap_shelf_table *table, struct ap_shelf_entry *entry) {
  struct ap_shelf_entry **at = slot_of(table, entry->hash);
  while (*at != entry) {
    AP_ASSERT(*at != NULL);
    at = &(*at)->next;
  }
  *at = entry->next;
  entry->next = NULL;
  table->count--;
}

struct ap_shelf_entry *ap_shelf_table_find(const struct ap_shelf_table *table, uint64_t hash) {
  struct ap_shelf_entry *entry = *slot_of(table, hash);
  while (entry != NULL && entry->hash != hash) entry = entry->next;
  return entry;
}

struct ap_shelf_entry *ap_shelf_entry_next(const struct ap_shelf_entry *entry) {
  uint64_t hash = entry->hash;
  struct ap_shelf_entry *next = entry->next;
  while (next != NULL && next->hash != hash) next = next->next;
  return next;
}

uint64_t ap_shelf_hash(const void *bytes, size_t size) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < size; i++) {
    hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
  }
  return hash;
}
