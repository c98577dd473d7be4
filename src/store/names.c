/* SPDX-License-Identifier: Apache-2.0
 *
 * See names.h. FNV-1a hashes, linear probing, at most half full.
 */
#include "store/names.h"

#include "base/assert.h"

#include <string.h>

enum { SLOTS_MIN = 16 };

static size_t hash_name(struct ap_text name) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < name.size; i++) {
    hash = (hash ^ (unsigned char)name.data[i]) * 0x100000001b3u;
  }
  return (size_t)(hash ^ (hash >> 32));
}

void ap_store_names_init(struct ap_store_names *names, struct ap_allocator *allocator) {
  *names = (struct ap_store_names){.allocator = allocator};
  ap_arena_init(&names->arena, allocator);
}

void ap_store_names_deinit(struct ap_store_names *names) {
  if (names->allocator == NULL) return;
  ap_arena_deinit(&names->arena);
  ap_free(names->allocator, names->slots);
  *names = (struct ap_store_names){0};
}

void ap_store_names_clear(struct ap_store_names *names) {
  struct ap_allocator *allocator = names->allocator;
  ap_store_names_deinit(names);
  ap_store_names_init(names, allocator);
}

/* The slot that holds name, or the free one where it belongs. */
static struct ap_text *find_slot(const struct ap_store_names *names, struct ap_text name) {
  AP_ASSERT(names->slots_count > names->count);
  size_t mask = names->slots_count - 1;
  size_t at = hash_name(name) & mask;
  while (names->slots[at].data != NULL && !ap_text_equal(names->slots[at], name)) {
    at = (at + 1) & mask;
  }
  return &names->slots[at];
}

bool ap_store_names_has(const struct ap_store_names *names, struct ap_text name) {
  return names->count > 0 && find_slot(names, name)->data != NULL;
}

static ap_status grow(struct ap_store_names *names, ap_error *err) {
  struct ap_store_names grown = *names;
  grown.slots_count = names->slots_count == 0 ? SLOTS_MIN : names->slots_count * 2;
  grown.slots = ap_allocate_zeroed(names->allocator, grown.slots_count, sizeof(*grown.slots));
  if (grown.slots == NULL) return AP_FAIL_MEMORY(err);
  for (size_t i = 0; i < names->slots_count; i++) {
    if (names->slots[i].data != NULL) *find_slot(&grown, names->slots[i]) = names->slots[i];
  }
  ap_free(names->allocator, names->slots);
  names->slots = grown.slots;
  names->slots_count = grown.slots_count;
  return AP_OK;
}

ap_status ap_store_names_add(struct ap_store_names *names, struct ap_text name, ap_error *err) {
  AP_ASSERT(names->allocator != NULL);
  if (ap_store_names_has(names, name)) return AP_OK;
  if (names->count * 2 >= names->slots_count) AP_TRY(grow(names, err));
  char *copy = ap_arena_copy(&names->arena, name);
  if (copy == NULL) return AP_FAIL_MEMORY(err);
  *find_slot(names, name) = (struct ap_text){copy, name.size};
  names->count += 1;
  return AP_OK;
}
