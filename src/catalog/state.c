/* SPDX-License-Identifier: Apache-2.0
 *
 * States of the catalog: a sorted array of counted entries. A change copies the array of pointers,
 * not the entries, so ten thousand frames cost a change well under a millisecond.
 * Thread: a state belongs to its builder until it is handed on; then nobody changes it.
 */
#include "catalog/state.h"

#include "base/assert.h"

#include <string.h>

#define CAPACITY_MIN 16

static struct ap_text copy_text(char **at, struct ap_text text) {
  char *copy = *at;
  if (text.size > 0) memcpy(copy, text.data, text.size);
  copy[text.size] = '\0';
  *at += text.size + 1;
  return (struct ap_text){copy, text.size};
}

static bool add_size(size_t *total, struct ap_text text) {
  return !__builtin_add_overflow(*total, text.size, total) &&
         !__builtin_add_overflow(*total, 1, total);
}

static bool entry_size(const struct ap_catalog_entry_parts *parts, size_t *out_size) {
  size_t size;
  if (__builtin_mul_overflow(parts->property_count, sizeof(struct ap_catalog_property), &size) ||
      __builtin_add_overflow(size, sizeof(struct ap_catalog_entry), &size)) {
    return false;
  }
  for (uint32_t i = 0; i < parts->property_count; i++) {
    if (!add_size(&size, parts->properties[i].name)) return false;
    if (!add_size(&size, parts->properties[i].value)) return false;
  }
  *out_size = size;
  return add_size(out_size, parts->hive) && add_size(out_size, parts->box) &&
         add_size(out_size, parts->name) && add_size(out_size, parts->id) &&
         add_size(out_size, parts->location) && add_size(out_size, parts->view);
}

ap_status ap_catalog_entry_create(struct ap_allocator *allocator,
                                  const struct ap_catalog_entry_parts *parts,
                                  struct ap_catalog_entry **out_entry, ap_error *err) {
  AP_ASSERT(parts->hive.size > 0);
  AP_ASSERT(parts->box.size > 0 || parts->name.size == 0);
  size_t size;
  if (!entry_size(parts, &size)) return AP_FAIL_MEMORY(err);
  struct ap_catalog_entry *entry = ap_allocate(allocator, size);
  if (entry == NULL) return AP_FAIL_MEMORY(err);
  memset(entry, 0, sizeof(*entry));
  entry->allocator = allocator;
  atomic_init(&entry->reference_count, 1);
  entry->created_ms = parts->created_ms;
  entry->property_count = parts->property_count;
  entry->properties = (struct ap_catalog_property *)(entry + 1);
  char *at = (char *)(entry->properties + parts->property_count);
  for (uint32_t i = 0; i < parts->property_count; i++) {
    entry->properties[i].name = copy_text(&at, parts->properties[i].name);
    entry->properties[i].value = copy_text(&at, parts->properties[i].value);
  }
  entry->hive = copy_text(&at, parts->hive);
  entry->box = copy_text(&at, parts->box);
  entry->name = copy_text(&at, parts->name);
  entry->id = copy_text(&at, parts->id);
  entry->location = copy_text(&at, parts->location);
  entry->view = copy_text(&at, parts->view);
  AP_ASSERT(at == (char *)entry + size);
  *out_entry = entry;
  return AP_OK;
}

static struct ap_catalog_entry *entry_retain(struct ap_catalog_entry *entry) {
  /* Relaxed: the state that is copied holds a reference already. */
  unsigned before = atomic_fetch_add_explicit(&entry->reference_count, 1, memory_order_relaxed);
  AP_ASSERT(before > 0);
  return entry;
}

void ap_catalog_entry_release(struct ap_catalog_entry *entry) {
  if (entry == NULL) return;
  /* Release: this holder's reads come before; partner: the acquire of the last one. */
  unsigned before = atomic_fetch_sub_explicit(&entry->reference_count, 1, memory_order_acq_rel);
  AP_ASSERT(before > 0);
  if (before == 1) ap_free(entry->allocator, entry);
}

ap_status ap_catalog_state_create(struct ap_allocator *allocator,
                                  struct ap_catalog_state **out_state, ap_error *err) {
  struct ap_catalog_state *state = ap_allocate_zeroed(allocator, 1, sizeof(*state));
  if (state == NULL) return AP_FAIL_MEMORY(err);
  state->allocator = allocator;
  atomic_init(&state->reference_count, 1);
  state->version = -1;
  *out_state = state;
  return AP_OK;
}

static ap_status reserve(struct ap_catalog_state *state, uint32_t count, ap_error *err) {
  if (count <= state->capacity) return AP_OK;
  uint32_t capacity = state->capacity < CAPACITY_MIN ? CAPACITY_MIN : state->capacity;
  while (capacity < count) {
    if (__builtin_mul_overflow(capacity, 2, &capacity)) return AP_FAIL_MEMORY(err);
  }
  size_t size;
  if (__builtin_mul_overflow((size_t)capacity, sizeof(state->entries[0]), &size)) {
    return AP_FAIL_MEMORY(err);
  }
  void *entries = ap_reallocate(state->allocator, state->entries, size);
  if (entries == NULL) return AP_FAIL_MEMORY(err);
  state->entries = entries;
  state->capacity = capacity;
  return AP_OK;
}

ap_status ap_catalog_state_copy(const struct ap_catalog_state *state,
                                struct ap_catalog_state **out_copy, ap_error *err) {
  struct ap_catalog_state *copy;
  AP_TRY(ap_catalog_state_create(state->allocator, &copy, err));
  ap_status status = reserve(copy, state->count + 1, err); /* most changes add one */
  if (status != AP_OK) {
    ap_catalog_state_release(copy);
    return status;
  }
  copy->version = state->version;
  for (uint32_t i = 0; i < state->count; i++) copy->entries[i] = entry_retain(state->entries[i]);
  copy->count = state->count;
  *out_copy = copy;
  return AP_OK;
}

struct ap_catalog_state *ap_catalog_state_retain(struct ap_catalog_state *state) {
  /* Relaxed: whoever retains holds a reference, or the catalog's lock. */
  unsigned before = atomic_fetch_add_explicit(&state->reference_count, 1, memory_order_relaxed);
  AP_ASSERT(before > 0);
  return state;
}

void ap_catalog_state_release(struct ap_catalog_state *state) {
  if (state == NULL) return;
  /* Release: this holder's reads come before; partner: the acquire of the last one. */
  unsigned before = atomic_fetch_sub_explicit(&state->reference_count, 1, memory_order_acq_rel);
  AP_ASSERT(before > 0);
  if (before > 1) return;
  for (uint32_t i = 0; i < state->count; i++) ap_catalog_entry_release(state->entries[i]);
  ap_free(state->allocator, state->entries);
  ap_free(state->allocator, state);
}

static uint8_t folded(char c) {
  return (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static int compare_folded(struct ap_text a, struct ap_text b) {
  size_t common = a.size < b.size ? a.size : b.size;
  for (size_t i = 0; i < common; i++) {
    int order = folded(a.data[i]) - folded(b.data[i]);
    if (order != 0) return order;
  }
  return (a.size > b.size) - (a.size < b.size);
}

static int compare_names(const struct ap_catalog_entry *entry, struct ap_text hive,
                         struct ap_text box, struct ap_text name) {
  int order = compare_folded(entry->hive, hive);
  if (order == 0) order = compare_folded(entry->box, box);
  if (order == 0) order = compare_folded(entry->name, name);
  return order;
}

/* The first entry that is not before those names. */
static uint32_t lower_bound(const struct ap_catalog_state *state, struct ap_text hive,
                            struct ap_text box, struct ap_text name) {
  uint32_t low = 0;
  uint32_t high = state->count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (compare_names(state->entries[middle], hive, box, name) < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

const struct ap_catalog_entry *ap_catalog_state_find(const struct ap_catalog_state *state,
                                                     struct ap_text hive, struct ap_text box,
                                                     struct ap_text name) {
  uint32_t at = lower_bound(state, hive, box, name);
  if (at == state->count || compare_names(state->entries[at], hive, box, name) != 0) return NULL;
  return state->entries[at];
}

void ap_catalog_state_range(const struct ap_catalog_state *state, struct ap_text hive,
                            struct ap_text box, uint32_t *out_begin, uint32_t *out_end) {
  struct ap_text none = {0};
  uint32_t end = hive.size == 0 ? 0 : lower_bound(state, hive, box, none);
  *out_begin = end;
  while (end < state->count) {
    const struct ap_catalog_entry *entry = state->entries[end];
    if (hive.size > 0 && compare_folded(entry->hive, hive) != 0) break;
    if (box.size > 0 && compare_folded(entry->box, box) != 0) break;
    end++;
  }
  *out_end = end;
}

/* Whether the hive of a box, or the box of a frame, is there. */
static bool has_parent(const struct ap_catalog_state *state, const struct ap_catalog_entry *entry) {
  struct ap_text none = {0};
  if (entry->box.size == 0) return true;
  struct ap_text box = entry->name.size == 0 ? none : entry->box;
  return ap_catalog_state_find(state, entry->hive, box, none) != NULL;
}

ap_status ap_catalog_state_insert(struct ap_catalog_state *state, struct ap_catalog_entry *entry,
                                  ap_error *err) {
  const char *wrong = NULL;
  if (ap_catalog_state_find(state, entry->hive, entry->box, entry->name) != NULL) {
    wrong = "is entered twice";
  } else if (!has_parent(state, entry)) {
    wrong = "is entered without what it lies in";
  }
  ap_status status = AP_OK;
  if (wrong != NULL) {
    status =
        AP_FAIL(err, AP_CORRUPT, "'%s%s%s%s%s' %s", entry->hive.data, entry->box.size ? "." : "",
                entry->box.data, entry->name.size ? "." : "", entry->name.data, wrong);
  } else {
    status = reserve(state, state->count + 1, err);
  }
  if (status != AP_OK) {
    ap_catalog_entry_release(entry);
    return status;
  }
  uint32_t at = lower_bound(state, entry->hive, entry->box, entry->name);
  memmove(state->entries + at + 1, state->entries + at,
          (state->count - at) * sizeof(state->entries[0]));
  state->entries[at] = entry;
  state->count++;
  return AP_OK;
}

/* Take a range out; the entries are released. */
static void remove_range(struct ap_catalog_state *state, uint32_t begin, uint32_t end) {
  AP_ASSERT(begin <= end && end <= state->count);
  for (uint32_t i = begin; i < end; i++) ap_catalog_entry_release(state->entries[i]);
  memmove(state->entries + begin, state->entries + end,
          (state->count - end) * sizeof(state->entries[0]));
  state->count -= end - begin;
}

/* The range that an action concerns: a frame alone, a box or hive with what is in it. */
static ap_status find_range(const struct ap_catalog_state *state,
                            const struct ap_catalog_action *action, uint32_t *out_begin,
                            uint32_t *out_end, ap_error *err) {
  if (ap_catalog_state_find(state, action->hive, action->box, action->frame) == NULL) {
    return AP_FAIL(err, AP_CORRUPT, "what is renamed, dropped or set is not there");
  }
  if (action->frame.size == 0) {
    ap_catalog_state_range(state, action->hive, action->box, out_begin, out_end);
  } else {
    *out_begin = lower_bound(state, action->hive, action->box, action->frame);
    *out_end = *out_begin + 1;
  }
  return AP_OK;
}

static struct ap_catalog_entry_parts parts_of(const struct ap_catalog_entry *entry) {
  return (struct ap_catalog_entry_parts){
      .hive = entry->hive,
      .box = entry->box,
      .name = entry->name,
      .id = entry->id,
      .location = entry->location,
      .view = entry->view,
      .created_ms = entry->created_ms,
      .property_count = entry->property_count,
      .properties = entry->properties,
  };
}

static ap_status apply_create(struct ap_catalog_state *state,
                              const struct ap_catalog_action *action, ap_error *err) {
  struct ap_catalog_entry_parts parts = {
      .hive = action->hive,
      .box = action->box,
      .name = action->frame,
      .id = action->id,
      .location = action->location,
      .view = action->view,
      .created_ms = action->created_ms,
  };
  /* What it lies in is named as that was created; when it is missing the insertion says so. */
  const struct ap_catalog_entry *parent = NULL;
  if (parts.box.size > 0) {
    struct ap_text none = {0};
    struct ap_text box = parts.name.size > 0 ? parts.box : none;
    parent = ap_catalog_state_find(state, parts.hive, box, none);
  }
  if (parent != NULL) parts.hive = parent->hive;
  if (parent != NULL && parent->box.size > 0) parts.box = parent->box;
  struct ap_catalog_entry *entry;
  AP_TRY(ap_catalog_entry_create(state->allocator, &parts, &entry, err));
  return ap_catalog_state_insert(state, entry, err);
}

/* What stands there must be a view, too; it is replaced. */
static ap_status apply_create_view(struct ap_catalog_state *state,
                                   const struct ap_catalog_action *action, ap_error *err) {
  uint32_t at = lower_bound(state, action->hive, action->box, action->frame);
  const struct ap_catalog_entry *old =
      ap_catalog_state_find(state, action->hive, action->box, action->frame);
  if (old != NULL && old->view.size == 0) {
    return AP_FAIL(err, AP_CORRUPT, "a view takes the place of a frame");
  }
  if (old != NULL) remove_range(state, at, at + 1);
  return apply_create(state, action, err);
}

static ap_status apply_move(struct ap_catalog_state *state, const struct ap_catalog_action *action,
                            ap_error *err) {
  uint32_t at;
  uint32_t end;
  struct ap_text none = {0};
  AP_TRY(find_range(state, action, &at, &end, err));
  const struct ap_catalog_entry *box =
      ap_catalog_state_find(state, action->new_hive, action->new_box, none);
  if (action->frame.size == 0 || box == NULL) {
    return AP_FAIL(err, AP_CORRUPT, "a move of no frame, or to a box that is not there");
  }
  struct ap_catalog_entry_parts parts = parts_of(state->entries[at]);
  struct ap_catalog_entry *entry;
  parts.hive = box->hive;
  parts.box = box->box;
  parts.name = action->new_name;
  AP_TRY(ap_catalog_entry_create(state->allocator, &parts, &entry, err));
  remove_range(state, at, end);
  return ap_catalog_state_insert(state, entry, err);
}

/* New entries are made first and then exchanged for the old ones. */
static ap_status apply_rename(struct ap_catalog_state *state,
                              const struct ap_catalog_action *action, ap_error *err) {
  uint32_t begin;
  uint32_t end;
  AP_TRY(find_range(state, action, &begin, &end, err));
  struct ap_catalog_state *renamed;
  AP_TRY(ap_catalog_state_create(state->allocator, &renamed, err));
  ap_status status = reserve(renamed, end - begin, err);
  for (uint32_t i = begin; i < end && status == AP_OK; i++) {
    struct ap_catalog_entry_parts parts = parts_of(state->entries[i]);
    if (action->frame.size > 0) {
      parts.name = action->new_name;
    } else if (action->box.size > 0) {
      parts.box = action->new_name;
    } else {
      parts.hive = action->new_name;
    }
    status = ap_catalog_entry_create(state->allocator, &parts, &renamed->entries[i - begin], err);
    if (status == AP_OK) renamed->count++;
  }
  if (status == AP_OK) remove_range(state, begin, end);
  for (uint32_t i = 0; i < renamed->count && status == AP_OK; i++) {
    status = ap_catalog_state_insert(state, entry_retain(renamed->entries[i]), err);
  }
  ap_catalog_state_release(renamed);
  return status;
}

static ap_status apply_drop(struct ap_catalog_state *state, const struct ap_catalog_action *action,
                            ap_error *err) {
  uint32_t begin;
  uint32_t end;
  AP_TRY(find_range(state, action, &begin, &end, err));
  remove_range(state, begin, end);
  return AP_OK;
}

static ap_status apply_set(struct ap_catalog_state *state, const struct ap_catalog_action *action,
                           ap_error *err) {
  uint32_t at;
  uint32_t end;
  AP_TRY(find_range(state, action, &at, &end, err));
  const struct ap_catalog_entry *old = state->entries[at];
  struct ap_catalog_entry_parts parts = parts_of(old);
  struct ap_catalog_property *properties = ap_allocate_zeroed(
      state->allocator, (size_t)old->property_count + 1, sizeof(struct ap_catalog_property));
  if (properties == NULL) return AP_FAIL_MEMORY(err);
  parts.properties = properties;
  parts.property_count = 0;
  for (uint32_t i = 0; i < old->property_count; i++) {
    if (ap_text_equal(old->properties[i].name, action->property_name)) continue;
    properties[parts.property_count++] = old->properties[i];
  }
  if (action->property_value.size > 0) {
    properties[parts.property_count++] =
        (struct ap_catalog_property){action->property_name, action->property_value};
  }
  struct ap_catalog_entry *entry;
  ap_status status = ap_catalog_entry_create(state->allocator, &parts, &entry, err);
  ap_free(state->allocator, properties);
  if (status != AP_OK) return status;
  ap_catalog_entry_release(state->entries[at]);
  state->entries[at] = entry;
  return AP_OK;
}

ap_status ap_catalog_state_apply(struct ap_catalog_state *state,
                                 const struct ap_catalog_action *action, ap_error *err) {
  switch (action->kind) {
    case AP_CATALOG_CREATE:
      return apply_create(state, action, err);
    case AP_CATALOG_RENAME:
      return apply_rename(state, action, err);
    case AP_CATALOG_DROP:
      return apply_drop(state, action, err);
    case AP_CATALOG_SET:
      return apply_set(state, action, err);
    case AP_CATALOG_CREATE_VIEW:
      return apply_create_view(state, action, err);
    case AP_CATALOG_MOVE:
      return apply_move(state, action, err);
  }
  AP_ASSERT(!"a kind of action without a rule");
  return AP_INTERNAL;
}
