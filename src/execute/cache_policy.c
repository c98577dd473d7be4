/* SPDX-License-Identifier: Apache-2.0
 *
 * See cache_policy.h. Each entry has a table of the cells it has seen; a slot says in which copy a
 * cell lies, if in any, and how often it was read lately.
 */
#include "execute/cache_policy.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

enum {
  FIRST_TABLE_SIZE = 64,
  USES_TO_ADMIT = 2,
  FAILURES_MAX = 10, /* each doubles the pause */
};
#define FILL_PAUSE_US ((int64_t)1000 * 1000)      /* between two fills of one frame, at least */
#define FILL_SHARE    10                          /* and so many times what the last one took */
#define FAIL_PAUSE_US ((int64_t)30 * 1000 * 1000) /* after a failure or without room */

struct cache_copy {
  struct cache_copy *next;
  struct ap_native_copy *handle;
  int64_t size_bytes;
  int64_t parquet_bytes;
  int64_t last_use_us;
  uint32_t cell_count;
  bool merging;          /* a fill under way takes its place */
  uint32_t marked_count; /* of marks, while a query looks */
  uint8_t marks[];       /* by number of cell */
};

enum mark {
  MARK_NONE,
  MARK_ALIVE,  /* in the snapshot */
  MARK_WANTED, /* and read by the query */
};

struct cell_slot {
  struct ap_cell *cell; /* retained; NULL: a free slot */
  uint64_t hash;
  struct cache_copy *copy; /* NULL: in none */
  uint32_t number;
  uint32_t uses; /* in the window */
  int64_t last_use_us;
};

struct ap_cache_entry {
  struct ap_cache_entry *next;
  char *frame_id;
  uint64_t schema_id;
  uint64_t shape_id;
  bool map_by_id;
  bool filling;
  bool forgotten;         /* goes when the fill has ended */
  bool wanted;            /* some cell may be admitted */
  uint32_t failure_count; /* of fills, in a row */
  int64_t next_fill_us;
  int64_t last_use_us;
  void *source;
  struct cache_copy *copies;
  uint32_t copy_count;
  struct cell_slot *slots;
  uint32_t slot_room; /* a power of two */
  uint32_t slot_count;
};

struct ap_cache_policy {
  struct ap_cache_policy_options options;
  struct ap_cache_entry *entries;
  uint32_t entry_count;
  struct cache_copy *retired;
  struct ap_cache_counts counts;
  double ratio; /* size of copies to that of their Parquet, as lately seen */
};

ap_status ap_cache_policy_create(const struct ap_cache_policy_options *options,
                                 struct ap_cache_policy **out_policy, ap_error *err) {
  AP_ASSERT(options->budget_bytes > 0);
  struct ap_cache_policy *policy = ap_allocate_zeroed(options->allocator, 1, sizeof *policy);
  if (policy == NULL) return AP_FAIL_MEMORY(err);
  policy->options = *options;
  policy->counts.budget_bytes = options->budget_bytes;
  policy->ratio = 1.0;
  *out_policy = policy;
  return AP_OK;
}

/* ---- the table of cells ---------------------------------------------------------------------- */

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t size) {
  const unsigned char *bytes = data;
  for (size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
  return hash;
}

static uint64_t hash_cell(const struct ap_cell *cell) {
  uint64_t hash = hash_bytes(UINT64_C(14695981039346656037), cell->path.data, cell->path.size);
  const struct ap_deletion_vector *vector = &cell->deletion_vector;
  if (vector->storage_type != 0) {
    hash = hash_bytes(hash, vector->path_or_inline.data, vector->path_or_inline.size);
  }
  return hash ^ (hash >> 29);
}

static bool is_same_cell(const struct ap_cell *a, const struct ap_cell *b) {
  if (a == b) return true;
  const struct ap_deletion_vector *x = &a->deletion_vector;
  const struct ap_deletion_vector *y = &b->deletion_vector;
  return a->size_bytes == b->size_bytes && a->modified_ms == b->modified_ms &&
         x->storage_type == y->storage_type && x->offset == y->offset &&
         x->size_bytes == y->size_bytes && x->cardinality == y->cardinality &&
         ap_text_equal(x->path_or_inline, y->path_or_inline) && ap_text_equal(a->path, b->path);
}

/* The slot of a cell, or the free one where it belongs; NULL in an empty table. */
static struct cell_slot *probe(const struct ap_cache_entry *entry, const struct ap_cell *cell,
                               uint64_t hash) {
  if (entry->slot_room == 0) return NULL;
  uint32_t mask = entry->slot_room - 1;
  for (uint32_t i = (uint32_t)hash & mask;; i = (i + 1) & mask) {
    struct cell_slot *slot = &entry->slots[i];
    if (slot->cell == NULL) return slot;
    if (slot->hash == hash && is_same_cell(slot->cell, cell)) return slot;
  }
}

static struct cell_slot *find_slot(const struct ap_cache_entry *entry, const struct ap_cell *cell) {
  struct cell_slot *slot = probe(entry, cell, hash_cell(cell));
  return slot != NULL && slot->cell != NULL ? slot : NULL;
}

/* Lay the table out anew in a given room; cells in no copy may be left behind. */
static bool rebuild(struct ap_cache_policy *policy, struct ap_cache_entry *entry, uint32_t room,
                    bool keep_all) {
  struct cell_slot *old = entry->slots;
  uint32_t old_room = entry->slot_room;
  struct cell_slot *fresh = ap_allocate_zeroed(policy->options.allocator, room, sizeof *fresh);
  if (fresh == NULL) return false;
  entry->slots = fresh;
  entry->slot_room = room;
  entry->slot_count = 0;
  for (uint32_t i = 0; i < old_room; ++i) {
    if (old[i].cell == NULL) continue;
    if (!keep_all && old[i].copy == NULL) {
      ap_cell_release(old[i].cell);
      continue;
    }
    *probe(entry, old[i].cell, old[i].hash) = old[i];
    entry->slot_count += 1;
  }
  ap_free(policy->options.allocator, old);
  return true;
}

/* The slot of a cell, made when it is new; NULL: it cannot be followed. */
static struct cell_slot *need_slot(struct ap_cache_policy *policy, struct ap_cache_entry *entry,
                                   struct ap_cell *cell) {
  uint64_t hash = hash_cell(cell);
  struct cell_slot *slot = probe(entry, cell, hash);
  if (slot != NULL && slot->cell != NULL) return slot;
  if (entry->slot_count + 1 > entry->slot_room / 4 * 3) {
    uint32_t room = entry->slot_room == 0 ? FIRST_TABLE_SIZE : entry->slot_room * 2;
    bool grows = room <= AP_CACHE_CELLS_MAX * 2;
    if (!rebuild(policy, entry, grows ? room : entry->slot_room, grows)) return NULL;
    if (entry->slot_count + 1 > entry->slot_room / 4 * 3) return NULL;
    slot = probe(entry, cell, hash);
  }
  *slot = (struct cell_slot){.cell = ap_cell_retain(cell), .hash = hash};
  entry->slot_count += 1;
  return slot;
}

/* ---- entries and copies ---------------------------------------------------------------------- */

static struct cache_copy **link_of(struct ap_cache_entry *entry, const struct cache_copy *copy) {
  struct cache_copy **link = &entry->copies;
  while (*link != copy) link = &(*link)->next;
  return link;
}

/* Take a copy out of its entry, to the retired. */
static void retire(struct ap_cache_policy *policy, struct ap_cache_entry *entry,
                   struct cache_copy *copy) {
  *link_of(entry, copy) = copy->next;
  entry->copy_count -= 1;
  for (uint32_t i = 0; i < entry->slot_room; ++i) {
    if (entry->slots[i].copy != copy) continue;
    entry->slots[i].copy = NULL;
    entry->slots[i].uses = 0;
    policy->counts.cell_count -= 1;
  }
  AP_ASSERT(policy->counts.used_bytes >= copy->size_bytes);
  policy->counts.used_bytes -= copy->size_bytes;
  policy->counts.copy_count -= 1;
  copy->next = policy->retired;
  policy->retired = copy;
}

static void free_entry(struct ap_cache_policy *policy, struct ap_cache_entry *entry) {
  while (entry->copies != NULL) retire(policy, entry, entry->copies);
  if (entry->source != NULL) policy->options.release_source(entry->source);
  for (uint32_t i = 0; i < entry->slot_room; ++i) ap_cell_release(entry->slots[i].cell);
  ap_free(policy->options.allocator, entry->slots);
  ap_free(policy->options.allocator, entry->frame_id);
  ap_free(policy->options.allocator, entry);
}

/* An entry in the middle of a fill goes when that has ended. */
static void remove_entry(struct ap_cache_policy *policy, struct ap_cache_entry **link) {
  struct ap_cache_entry *entry = *link;
  *link = entry->next;
  policy->entry_count -= 1;
  if (entry->filling) {
    entry->forgotten = true;
  } else {
    free_entry(policy, entry);
  }
}

/* Make room for one more entry: the one used least that holds nothing. */
static bool make_entry_room(struct ap_cache_policy *policy) {
  if (policy->entry_count < AP_CACHE_FRAMES_MAX) return true;
  struct ap_cache_entry **oldest = NULL;
  for (struct ap_cache_entry **link = &policy->entries; *link != NULL; link = &(*link)->next) {
    if ((*link)->copies != NULL || (*link)->filling) continue;
    if (oldest == NULL || (*link)->last_use_us < (*oldest)->last_use_us) oldest = link;
  }
  if (oldest == NULL) return false;
  remove_entry(policy, oldest);
  return true;
}

static struct ap_cache_entry *need_entry(struct ap_cache_policy *policy,
                                         const struct ap_cache_look *look) {
  for (struct ap_cache_entry *entry = policy->entries; entry != NULL; entry = entry->next) {
    if (entry->schema_id == look->schema_id && entry->map_by_id == look->map_by_id &&
        entry->shape_id == look->shape_id &&
        ap_text_equal(ap_text_of(entry->frame_id), look->frame_id)) {
      return entry;
    }
  }
  if (!make_entry_room(policy)) return NULL;
  struct ap_allocator *allocator = policy->options.allocator;
  struct ap_cache_entry *entry = ap_allocate_zeroed(allocator, 1, sizeof *entry);
  if (entry == NULL) return NULL;
  entry->frame_id = ap_string_copy(allocator, look->frame_id);
  if (entry->frame_id == NULL) {
    ap_free(allocator, entry);
    return NULL;
  }
  entry->schema_id = look->schema_id;
  entry->shape_id = look->shape_id;
  entry->map_by_id = look->map_by_id;
  entry->next = policy->entries;
  policy->entries = entry;
  policy->entry_count += 1;
  return entry;
}

void **ap_cache_entry_source(struct ap_cache_entry *entry) {
  return &entry->source;
}

void ap_cache_policy_clear(struct ap_cache_policy *policy) {
  while (policy->entries != NULL) {
    AP_ASSERT(!policy->entries->filling);
    remove_entry(policy, &policy->entries);
  }
}

void ap_cache_policy_destroy(struct ap_cache_policy *policy) {
  if (policy == NULL) return;
  ap_cache_policy_clear(policy);
  AP_ASSERT(policy->retired == NULL);
  ap_free(policy->options.allocator, policy);
}

void ap_cache_policy_forget(struct ap_cache_policy *policy, struct ap_text frame_id) {
  struct ap_cache_entry **link = &policy->entries;
  while (*link != NULL) {
    if (ap_text_equal(ap_text_of((*link)->frame_id), frame_id)) {
      remove_entry(policy, link);
    } else {
      link = &(*link)->next;
    }
  }
}

void ap_cache_policy_drop(struct ap_cache_policy *policy, const struct ap_native_copy *handle) {
  for (struct ap_cache_entry *entry = policy->entries; entry != NULL; entry = entry->next) {
    for (struct cache_copy *copy = entry->copies; copy != NULL; copy = copy->next) {
      if (copy->handle != handle) continue;
      retire(policy, entry, copy);
      policy->counts.evictions += 1;
      return;
    }
  }
}

struct ap_native_copy *ap_cache_policy_take_retired(struct ap_cache_policy *policy) {
  struct cache_copy *copy = policy->retired;
  if (copy == NULL) return NULL;
  struct ap_native_copy *handle = copy->handle;
  policy->retired = copy->next;
  ap_free(policy->options.allocator, copy);
  return handle;
}

void ap_cache_policy_get_counts(const struct ap_cache_policy *policy,
                                struct ap_cache_counts *out_counts) {
  *out_counts = policy->counts;
}

/* ---- looking --------------------------------------------------------------------------------- */

static void use_cell(struct cell_slot *slot, int64_t now_us) {
  if (now_us - slot->last_use_us > AP_CACHE_WINDOW_US) slot->uses = 0;
  slot->uses += 1;
  slot->last_use_us = now_us;
}

/* Runs of wanted cells; runs that only cells of the snapshot part are one when `over_alive`. */
static uint32_t count_ranges(const struct cache_copy *copy, bool over_alive,
                             struct ap_cell_range *out_ranges) {
  uint32_t count = 0;
  bool open = false; /* nothing but wanted or alive cells since the last range */
  struct ap_cell_range last = {0, 0};
  for (uint32_t i = 0; i < copy->cell_count; ++i) {
    uint8_t mark = copy->marks[i];
    if (mark == MARK_WANTED && open) {
      last.last = i;
    } else if (mark == MARK_WANTED) {
      last = (struct ap_cell_range){i, i};
      count += 1;
      open = true;
    } else if (mark != MARK_ALIVE || !over_alive) {
      open = false;
    }
    if (out_ranges != NULL && count > 0) out_ranges[count - 1] = last;
  }
  return count;
}

static void mark_alive(const struct ap_cache_entry *entry, const struct ap_cache_look *look,
                       const struct cache_copy *copy) {
  for (uint32_t i = 0; i < look->cell_count; ++i) {
    const struct cell_slot *slot = find_slot(entry, look->cells[i]);
    if (slot == NULL || slot->copy != copy) continue;
    uint8_t *mark = &slot->copy->marks[slot->number];
    if (*mark == MARK_NONE) *mark = MARK_ALIVE;
  }
}

/* Add what is wanted of a copy; false: it is too scattered to be worth it. */
static ap_status add_part(const struct ap_cache_entry *entry, const struct ap_cache_look *look,
                          struct cache_copy *copy, struct ap_arena *arena,
                          struct ap_cache_places *places, bool *out_added, ap_error *err) {
  struct ap_native_part *part = &places->parts[places->part_count];
  *part = (struct ap_native_part){.copy = copy->handle};
  *out_added = true;
  if (copy->marked_count < copy->cell_count) {
    bool over_alive = false;
    uint32_t count = count_ranges(copy, false, NULL);
    if (count > AP_CACHE_RANGES_MAX) {
      over_alive = true;
      mark_alive(entry, look, copy);
      count = count_ranges(copy, true, NULL);
    }
    if (count > AP_CACHE_RANGES_MAX) {
      *out_added = false;
      return AP_OK;
    }
    struct ap_cell_range *ranges = AP_ARENA_ARRAY(arena, struct ap_cell_range, count);
    if (ranges == NULL) return AP_FAIL_MEMORY(err);
    part->range_count = count_ranges(copy, over_alive, ranges);
    part->ranges = ranges;
  }
  places->part_count += 1;
  return AP_OK;
}

/* Parts for the copies with wanted cells. Copies left out lose their marks. */
static ap_status add_parts(const struct ap_cache_entry *entry, const struct ap_cache_look *look,
                           struct ap_arena *arena, struct ap_cache_places *places, ap_error *err) {
  places->parts = AP_ARENA_ARRAY(arena, struct ap_native_part, entry->copy_count + 1);
  if (places->parts == NULL) return AP_FAIL_MEMORY(err);
  for (struct cache_copy *copy = entry->copies; copy != NULL; copy = copy->next) {
    if (copy->marked_count == 0) continue;
    bool added = false;
    AP_TRY(add_part(entry, look, copy, arena, places, &added, err));
    if (!added) copy->marked_count = 0;
    copy->last_use_us = look->now_us;
  }
  return AP_OK;
}

static void clear_marks(const struct ap_cache_entry *entry) {
  for (struct cache_copy *copy = entry->copies; copy != NULL; copy = copy->next) {
    copy->marked_count = 0;
    memset(copy->marks, MARK_NONE, copy->cell_count);
  }
}

/* Cells in no copy, or in one that is left out. */
static void add_rest(struct ap_cache_policy *policy, struct ap_cache_entry *entry,
                     const struct ap_cache_look *look, struct ap_cache_places *places) {
  uint32_t needed = policy->options.eager ? 1 : USES_TO_ADMIT;
  for (uint32_t i = 0; i < look->kept_count; ++i) {
    const struct cell_slot *slot = find_slot(entry, look->kept[i]);
    if (slot != NULL && slot->copy != NULL && slot->copy->marked_count > 0) {
      places->cached_bytes += look->kept[i]->size_bytes;
      policy->counts.hits += 1;
      continue;
    }
    if (slot != NULL && slot->copy == NULL && slot->uses >= needed) entry->wanted = true;
    places->rest[places->rest_count++] = look->kept[i];
  }
  policy->counts.misses += places->rest_count;
  policy->counts.hit_bytes += (uint64_t)places->cached_bytes;
}

ap_status ap_cache_policy_look(struct ap_cache_policy *policy, const struct ap_cache_look *look,
                               struct ap_arena *arena, struct ap_cache_places *out_places,
                               ap_error *err) {
  struct ap_cache_entry *entry = need_entry(policy, look);
  *out_places = (struct ap_cache_places){.entry = entry};
  out_places->rest = AP_ARENA_ARRAY(arena, struct ap_cell *, look->kept_count + 1);
  if (out_places->rest == NULL) return AP_FAIL_MEMORY(err);
  if (entry == NULL) {
    memcpy(out_places->rest, look->kept, look->kept_count * sizeof *look->kept);
    out_places->rest_count = look->kept_count;
    policy->counts.misses += look->kept_count;
    return AP_OK;
  }
  entry->last_use_us = look->now_us;
  for (uint32_t i = 0; i < look->kept_count; ++i) {
    struct cell_slot *slot = need_slot(policy, entry, look->kept[i]);
    if (slot == NULL) continue;
    use_cell(slot, look->now_us);
    if (slot->copy == NULL) continue;
    AP_ASSERT(slot->number < slot->copy->cell_count);
    slot->copy->marks[slot->number] = MARK_WANTED;
    slot->copy->marked_count += 1;
  }
  ap_status status = add_parts(entry, look, arena, out_places, err);
  if (status == AP_OK) add_rest(policy, entry, look, out_places);
  clear_marks(entry);
  return status;
}

/* ---- filling --------------------------------------------------------------------------------- */

static bool is_candidate(const struct ap_cache_policy *policy, const struct cell_slot *slot,
                         int64_t now_us) {
  uint32_t needed = policy->options.eager ? 1 : USES_TO_ADMIT;
  return slot->cell != NULL && slot->copy == NULL && slot->uses >= needed &&
         now_us - slot->last_use_us <= AP_CACHE_WINDOW_US;
}

/* A cell of a copy that queries have not left behind. */
static bool is_live_in(const struct cell_slot *slot, const struct cache_copy *copy) {
  return slot->cell != NULL && slot->copy == copy &&
         copy->last_use_us - slot->last_use_us <= AP_CACHE_WINDOW_US;
}

static int compare_cells(const void *a, const void *b) {
  const struct ap_cell *x = *(struct ap_cell *const *)a;
  const struct ap_cell *y = *(struct ap_cell *const *)b;
  size_t size = x->path.size < y->path.size ? x->path.size : y->path.size;
  int order = size == 0 ? 0 : memcmp(x->path.data, y->path.data, size);
  if (order != 0) return order;
  return (x->path.size > y->path.size) - (x->path.size < y->path.size);
}

/* The smallest copy that is worth being merged into bytes more: small beside them, or one too
 * many. */
static struct cache_copy *next_merged(const struct ap_cache_entry *entry, int64_t bytes,
                                      uint32_t left) {
  struct cache_copy *smallest = NULL;
  for (struct cache_copy *copy = entry->copies; copy != NULL; copy = copy->next) {
    if (copy->merging) continue;
    if (smallest == NULL || copy->parquet_bytes < smallest->parquet_bytes) smallest = copy;
  }
  if (smallest == NULL) return NULL;
  bool is_small = smallest->parquet_bytes / 2 <= bytes;
  return is_small || left >= AP_CACHE_COPIES_MAX ? smallest : NULL;
}

/* Mark the copies to merge; the bytes of all that the new copy will hold. */
static int64_t choose_merged(const struct ap_cache_policy *policy, struct ap_cache_entry *entry,
                             int64_t bytes) {
  uint32_t left = entry->copy_count;
  struct cache_copy *copy;
  while ((copy = next_merged(entry, bytes, left)) != NULL) {
    double after = (double)(bytes + copy->parquet_bytes) * policy->ratio;
    if (after > (double)policy->options.budget_bytes / 2) break;
    copy->merging = true;
    bytes += copy->parquet_bytes;
    left -= 1;
  }
  return bytes;
}

static struct ap_cache_entry *owner_of_oldest(struct ap_cache_policy *policy,
                                              const struct cache_copy *spared,
                                              struct cache_copy **out_copy) {
  struct ap_cache_entry *owner = NULL;
  *out_copy = NULL;
  for (struct ap_cache_entry *entry = policy->entries; entry != NULL; entry = entry->next) {
    for (struct cache_copy *copy = entry->copies; copy != NULL; copy = copy->next) {
      if (copy == spared || copy->merging) continue;
      if (*out_copy != NULL && copy->last_use_us >= (*out_copy)->last_use_us) continue;
      *out_copy = copy;
      owner = entry;
    }
  }
  return owner;
}

/* Let copies go until bytes more fit; false: what is left is in use. */
static bool make_room(struct ap_cache_policy *policy, int64_t bytes,
                      const struct cache_copy *spared, int64_t now_us) {
  while (policy->counts.used_bytes + bytes > policy->options.budget_bytes) {
    struct cache_copy *copy = NULL;
    struct ap_cache_entry *entry = owner_of_oldest(policy, spared, &copy);
    if (entry == NULL) return false;
    if (!policy->options.eager && now_us - copy->last_use_us < AP_CACHE_KEEP_US) return false;
    retire(policy, entry, copy);
    policy->counts.evictions += 1;
  }
  return true;
}

/* Collect cells into the fill: those of merged copies, and candidates while they fit. */
static bool collect(struct ap_cache_policy *policy, struct ap_cache_entry *entry, int64_t now_us,
                    struct ap_cache_fill *fill) {
  fill->cells = ap_allocate_zeroed(policy->options.allocator, entry->slot_count + 1,
                                   sizeof(struct ap_cell *));
  if (fill->cells == NULL) return false;
  int64_t most = (int64_t)((double)policy->options.budget_bytes / 2 / policy->ratio);
  for (int merged = 1; merged >= 0; --merged) {
    for (uint32_t i = 0; i < entry->slot_room; ++i) {
      struct cell_slot *slot = &entry->slots[i];
      if (merged && (slot->copy == NULL || !slot->copy->merging)) continue;
      if (merged && !is_live_in(slot, slot->copy)) continue;
      if (!merged && !is_candidate(policy, slot, now_us)) continue;
      if (fill->parquet_bytes + slot->cell->size_bytes > most) continue;
      fill->parquet_bytes += slot->cell->size_bytes;
      fill->cells[fill->cell_count++] = ap_cell_retain(slot->cell);
    }
  }
  qsort(fill->cells, fill->cell_count, sizeof(struct ap_cell *), compare_cells);
  return fill->cell_count > 0;
}

static void release_fill(struct ap_cache_policy *policy, struct ap_cache_fill *fill) {
  for (uint32_t i = 0; i < fill->cell_count; ++i) ap_cell_release(fill->cells[i]);
  ap_free(policy->options.allocator, fill->cells);
  *fill = (struct ap_cache_fill){0};
}

static void unmerge(struct ap_cache_entry *entry) {
  for (struct cache_copy *copy = entry->copies; copy != NULL; copy = copy->next) {
    copy->merging = false;
  }
}

static bool choose_of(struct ap_cache_policy *policy, struct ap_cache_entry *entry, int64_t now_us,
                      struct ap_cache_fill *fill) {
  int64_t bytes = 0;
  entry->wanted = false;
  for (uint32_t i = 0; i < entry->slot_room; ++i) {
    if (is_candidate(policy, &entry->slots[i], now_us)) bytes += entry->slots[i].cell->size_bytes;
  }
  *fill = (struct ap_cache_fill){.entry = entry};
  if (bytes > 0) (void)choose_merged(policy, entry, bytes);
  bool chosen =
      bytes > 0 && collect(policy, entry, now_us, fill) &&
      make_room(policy, (int64_t)((double)fill->parquet_bytes * policy->ratio), NULL, now_us);
  if (!chosen) {
    entry->next_fill_us = now_us + FAIL_PAUSE_US;
    unmerge(entry);
    release_fill(policy, fill);
    return false;
  }
  entry->filling = true;
  return true;
}

bool ap_cache_policy_choose(struct ap_cache_policy *policy, struct ap_cache_entry *only,
                            int64_t now_us, struct ap_cache_fill *out_fill) {
  for (;;) {
    struct ap_cache_entry *best = NULL;
    for (struct ap_cache_entry *entry = policy->entries; entry != NULL; entry = entry->next) {
      if (!entry->wanted || entry->filling || (only != NULL && entry != only)) continue;
      if (only == NULL && entry->next_fill_us > now_us) continue;
      if (best == NULL || entry->last_use_us > best->last_use_us) best = entry;
    }
    if (best == NULL) return false;
    if (choose_of(policy, best, now_us, out_fill)) return true;
  }
}

int64_t ap_cache_policy_next_us(const struct ap_cache_policy *policy) {
  int64_t next = INT64_MAX;
  for (struct ap_cache_entry *entry = policy->entries; entry != NULL; entry = entry->next) {
    if (entry->wanted && !entry->filling && entry->next_fill_us < next) next = entry->next_fill_us;
  }
  return next;
}

static struct cache_copy *new_copy(struct ap_cache_policy *policy, const struct ap_cache_fill *fill,
                                   struct ap_native_copy *handle, int64_t size_bytes,
                                   int64_t now_us) {
  struct cache_copy *copy =
      ap_allocate_zeroed(policy->options.allocator, 1, sizeof *copy + fill->cell_count);
  if (copy == NULL) return NULL;
  copy->handle = handle;
  copy->size_bytes = size_bytes;
  copy->parquet_bytes = fill->parquet_bytes;
  copy->last_use_us = now_us;
  copy->cell_count = fill->cell_count;
  return copy;
}

/* Put a copy in the place of those merged into it. */
static void install(struct ap_cache_policy *policy, const struct ap_cache_fill *fill,
                    struct cache_copy *copy) {
  struct ap_cache_entry *entry = fill->entry;
  struct cache_copy *next = entry->copies;
  while (next != NULL) {
    struct cache_copy *merged = next;
    next = next->next;
    if (merged->merging) retire(policy, entry, merged);
  }
  copy->next = entry->copies;
  entry->copies = copy;
  entry->copy_count += 1;
  policy->counts.used_bytes += copy->size_bytes;
  policy->counts.copy_count += 1;
  policy->counts.admissions += fill->cell_count;
  for (uint32_t i = 0; i < fill->cell_count; ++i) {
    struct cell_slot *slot = need_slot(policy, entry, fill->cells[i]);
    if (slot == NULL) continue;
    if (slot->copy == NULL) policy->counts.cell_count += 1;
    slot->copy = copy;
    slot->number = i;
    if (slot->last_use_us == 0) slot->last_use_us = copy->last_use_us;
  }
}

static void learn_ratio(struct ap_cache_policy *policy, const struct cache_copy *copy) {
  if (copy->parquet_bytes < AP_MIB) return; /* small files are mostly frame */
  double seen = (double)copy->size_bytes / (double)copy->parquet_bytes;
  policy->ratio = (policy->ratio + seen) / 2;
  if (policy->ratio < 0.1) policy->ratio = 0.1;
  if (policy->ratio > 10) policy->ratio = 10;
}

static void end_well(struct ap_cache_policy *policy, const struct ap_cache_fill *fill,
                     struct cache_copy *copy, int64_t took_us, int64_t now_us) {
  struct ap_cache_entry *entry = fill->entry;
  int64_t pause_us = took_us * FILL_SHARE > FILL_PAUSE_US ? took_us * FILL_SHARE : FILL_PAUSE_US;
  entry->next_fill_us = now_us + pause_us;
  entry->failure_count = 0;
  learn_ratio(policy, copy);
  install(policy, fill, copy);
  if (make_room(policy, 0, copy, now_us)) return;
  retire(policy, entry, copy);
  policy->counts.evictions += 1;
  entry->next_fill_us = now_us + AP_CACHE_WINDOW_US;
}

static void end_badly(struct ap_cache_policy *policy, const struct ap_cache_fill *fill,
                      int64_t now_us) {
  policy->counts.failed_fills += 1;
  fill->entry->next_fill_us = now_us + (FAIL_PAUSE_US << fill->entry->failure_count);
  if (fill->entry->failure_count < FAILURES_MAX) fill->entry->failure_count += 1;
  unmerge(fill->entry);
  for (uint32_t i = 0; i < fill->cell_count; ++i) {
    struct cell_slot *slot = find_slot(fill->entry, fill->cells[i]);
    if (slot != NULL) slot->uses = 0;
  }
}

bool ap_cache_policy_end_fill(struct ap_cache_policy *policy, struct ap_cache_fill *fill,
                              struct ap_native_copy *handle, int64_t size_bytes, int64_t took_us,
                              int64_t now_us) {
  struct ap_cache_entry *entry = fill->entry;
  AP_ASSERT(entry->filling);
  entry->filling = false;
  struct cache_copy *copy =
      handle != NULL ? new_copy(policy, fill, handle, size_bytes, now_us) : NULL;
  if (copy != NULL && !entry->forgotten) {
    end_well(policy, fill, copy, took_us, now_us);
  } else if (copy != NULL) {
    copy->next = policy->retired;
    policy->retired = copy;
  } else {
    end_badly(policy, fill, now_us);
  }
  if (entry->forgotten) free_entry(policy, entry);
  release_fill(policy, fill);
  return copy != NULL || handle == NULL;
}
