/* SPDX-License-Identifier: Apache-2.0
 *
 * See tombstones.h.
 */
#include "ledger/tombstones.h"

#include "base/assert.h"
#include "ledger/action.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_MIN = 16, MERGE_FACTOR = 2 };

ap_status ap_tombstones_create(struct ap_allocator *allocator, struct ap_tombstones **out,
                               ap_error *err) {
  struct ap_tombstones *link = ap_allocate_zeroed(allocator, 1, sizeof(*link));
  if (!link) return AP_FAIL_MEMORY(err);
  link->allocator = allocator;
  atomic_init(&link->reference_count, 1);
  ap_arena_init(&link->arena, allocator);
  *out = link;
  return AP_OK;
}

ap_status ap_tombstones_add(struct ap_tombstones *link, const struct ap_tombstone *tombstone,
                            const struct ap_tombstone **out_kept, ap_error *err) {
  AP_ASSERT(!link->older);
  if (link->count == link->room) {
    uint32_t room = link->room ? link->room * 2 : ROOM_MIN;
    struct ap_tombstone *items = AP_ARENA_ARRAY(&link->arena, struct ap_tombstone, room);
    if (!items) return AP_FAIL_MEMORY(err);
    if (link->count > 0) memcpy(items, link->items, link->count * sizeof(*items));
    link->items = items;
    link->room = room;
  }
  struct ap_tombstone *kept = &link->items[link->count];
  *kept = *tombstone;
  AP_TRY(ap_action_copy_text(&link->arena, tombstone->path, &kept->path, err));
  AP_TRY(ap_action_copy_text(&link->arena, tombstone->json, &kept->json, err));
  AP_TRY(ap_action_copy_text(&link->arena, tombstone->deletion_vector.path_or_inline,
                             &kept->deletion_vector.path_or_inline, err));
  link->count += 1;
  *out_kept = kept;
  return AP_OK;
}

struct ap_tombstones *ap_tombstones_retain(struct ap_tombstones *tombstones) {
  if (!tombstones) return NULL;
  unsigned before =
      atomic_fetch_add_explicit(&tombstones->reference_count, 1, memory_order_relaxed);
  AP_ASSERT(before > 0);
  return tombstones;
}

void ap_tombstones_release(struct ap_tombstones *tombstones) {
  while (tombstones) {
    /* acq_rel pairs with the other holders' releases: their reads come before the free */
    unsigned before =
        atomic_fetch_sub_explicit(&tombstones->reference_count, 1, memory_order_acq_rel);
    AP_ASSERT(before > 0);
    if (before > 1) return;
    struct ap_tombstones *older = tombstones->older;
    ap_arena_deinit(&tombstones->arena);
    ap_free(tombstones->allocator, tombstones);
    tombstones = older;
  }
}

static ap_status copy_items(struct ap_tombstones *to, const struct ap_tombstones *from,
                            int64_t expired_ms, ap_error *err) {
  const struct ap_tombstone *kept = NULL;
  for (uint32_t i = 0; i < from->count; i++) {
    if (from->items[i].deleted_ms < expired_ms) continue;
    AP_TRY(ap_tombstones_add(to, &from->items[i], &kept, err));
  }
  return AP_OK;
}

ap_status ap_tombstones_chain(struct ap_allocator *allocator, struct ap_tombstones *link,
                              struct ap_tombstones *older, int64_t expired_ms,
                              struct ap_tombstones **out_chain, ap_error *err) {
  if (!link || link->count == 0) {
    *out_chain = ap_tombstones_retain(older);
    return AP_OK;
  }
  uint64_t count = link->count;
  struct ap_tombstones *rest = older;
  const struct ap_tombstones *merged[64]; /* sizes at least double, so 2^32 items need 32 */
  uint32_t merged_count = 0;
  while (rest && rest->count <= MERGE_FACTOR * count && merged_count < 64) {
    merged[merged_count++] = rest;
    count += rest->count;
    rest = rest->older;
  }
  if (merged_count == 0 && !link->older) {
    link->older = ap_tombstones_retain(older);
    *out_chain = ap_tombstones_retain(link);
    return AP_OK;
  }
  struct ap_tombstones *chain = NULL;
  AP_TRY(ap_tombstones_create(allocator, &chain, err));
  ap_status status = AP_OK;
  while (status == AP_OK && merged_count > 0) {
    status = copy_items(chain, merged[--merged_count], expired_ms, err);
  }
  if (status == AP_OK) status = copy_items(chain, link, INT64_MIN, err);
  if (status != AP_OK) {
    ap_tombstones_release(chain);
    return status;
  }
  chain->older = ap_tombstones_retain(rest);
  *out_chain = chain;
  return AP_OK;
}

struct dated {
  const struct ap_tombstone *item;
  uint64_t age; /* 0: the newest */
};

static int compare_dated(const void *left, const void *right) {
  const struct dated *a = left;
  const struct dated *b = right;
  int order = ap_file_compare(a->item->path, &a->item->deletion_vector, b->item->path,
                              &b->item->deletion_vector);
  if (order != 0) return order;
  return a->age < b->age ? -1 : a->age > b->age;
}

/* Every tombstone of the chain, sorted by file, newest first. */
static ap_status sort_chain(const struct ap_tombstones *chain, struct ap_arena *arena,
                            struct dated **out_items, uint64_t *out_count, ap_error *err) {
  uint64_t total = 0;
  uint64_t age = 0;
  for (const struct ap_tombstones *link = chain; link; link = link->older) total += link->count;
  struct dated *items = AP_ARENA_ARRAY(arena, struct dated, total ? total : 1);
  if (!items) return AP_FAIL_MEMORY(err);
  for (const struct ap_tombstones *link = chain; link; link = link->older) {
    for (uint32_t i = link->count; i > 0; i--) {
      items[age] = (struct dated){&link->items[i - 1], age};
      age++;
    }
  }
  if (total > 1) qsort(items, total, sizeof(*items), compare_dated);
  *out_items = items;
  *out_count = total;
  return AP_OK;
}

ap_status ap_tombstones_live(const struct ap_tombstones *chain, struct ap_cell *const *cells,
                             uint32_t cell_count, int64_t expired_ms, struct ap_arena *arena,
                             const struct ap_tombstone ***out_items, uint32_t *out_count,
                             ap_error *err) {
  struct dated *sorted = NULL;
  uint64_t total = 0;
  AP_TRY(sort_chain(chain, arena, &sorted, &total, err));
  const struct ap_tombstone **live =
      AP_ARENA_ARRAY(arena, const struct ap_tombstone *, total ? total : 1);
  if (!live) return AP_FAIL_MEMORY(err);
  uint32_t count = 0;
  uint32_t next_cell = 0;
  const struct ap_tombstone *last = NULL;
  for (uint64_t i = 0; i < total; i++) {
    const struct ap_tombstone *item = sorted[i].item;
    bool repeated = last && ap_file_compare(last->path, &last->deletion_vector, item->path,
                                            &item->deletion_vector) == 0;
    last = item;
    if (repeated || item->deleted_ms < expired_ms) continue;
    int order = -1;
    while (next_cell < cell_count) {
      const struct ap_cell *cell = cells[next_cell];
      order =
          ap_file_compare(cell->path, &cell->deletion_vector, item->path, &item->deletion_vector);
      if (order >= 0) break;
      next_cell++;
    }
    if (next_cell < cell_count && order == 0) continue;
    live[count++] = item;
  }
  *out_items = live;
  *out_count = count;
  return AP_OK;
}

int ap_file_compare(struct ap_text path_a, const struct ap_deletion_vector *a,
                    struct ap_text path_b, const struct ap_deletion_vector *b) {
  int order = ap_text_compare(path_a, path_b);
  if (order != 0) return order;
  if (a->storage_type != b->storage_type) return a->storage_type < b->storage_type ? -1 : 1;
  if (a->storage_type == 0) return 0;
  order = ap_text_compare(a->path_or_inline, b->path_or_inline);
  if (order != 0) return order;
  return a->offset < b->offset ? -1 : a->offset > b->offset;
}
