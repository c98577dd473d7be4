/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog's calls: opening, changing, finding and listing. Whether a change fits the newest
 * state is decided in wish.c; how it gets into the log, in change.c.
 * Thread: any.
 */
#include "catalog/catalog.h"

#include "base/assert.h"
#include "catalog/change.h"
#include "catalog/names.h"

#include <stdlib.h>
#include <string.h>

#define LOCATION_ATTEMPTS_MAX 16

ap_status ap_catalog_open(const struct ap_env *env, struct ap_store *store,
                          struct ap_catalog **out_catalog, ap_error *err) {
  struct ap_catalog *catalog = ap_allocate_zeroed(env->allocator, 1, sizeof(*catalog));
  if (catalog == NULL) return AP_FAIL_MEMORY(err);
  catalog->env = env;
  catalog->store = store;
  ap_status status = env->threads->mutex_create(env->threads, &catalog->mutex, err);
  if (status != AP_OK) {
    ap_free(env->allocator, catalog);
    return status;
  }
  *out_catalog = catalog;
  return AP_OK;
}

void ap_catalog_close(struct ap_catalog *catalog) {
  if (catalog == NULL) return;
  const struct ap_env *env = catalog->env;
  ap_catalog_state_release(catalog->state);
  env->threads->mutex_destroy(env->threads, catalog->mutex);
  ap_free(env->allocator, catalog);
}

/* ---- changes --------------------------------------------------------------------------------- */

static ap_status create(struct ap_catalog *catalog, struct ap_text hive, struct ap_text box,
                        struct ap_text frame, struct ap_text location, bool if_absent,
                        ap_error *err) {
  struct ap_catalog_wish wish = {
      .action = {.kind = AP_CATALOG_CREATE,
                 .hive = hive,
                 .box = box,
                 .frame = frame,
                 .location = location},
      .tolerant = if_absent,
  };
  return ap_catalog_commit(catalog, &wish, NULL, err);
}

ap_status ap_catalog_create_hive(struct ap_catalog *catalog, struct ap_text hive, bool if_absent,
                                 ap_error *err) {
  struct ap_text none = {0};
  AP_TRY(ap_catalog_check_name("hive", hive, err));
  return create(catalog, hive, none, none, none, if_absent, err);
}

ap_status ap_catalog_create_box(struct ap_catalog *catalog, struct ap_text hive, struct ap_text box,
                                bool if_absent, ap_error *err) {
  struct ap_text none = {0};
  AP_TRY(ap_catalog_check_name("hive", hive, err));
  AP_TRY(ap_catalog_check_name("box", box, err));
  return create(catalog, hive, box, none, none, if_absent, err);
}

ap_status ap_catalog_add_frame(struct ap_catalog *catalog, struct ap_text hive, struct ap_text box,
                               struct ap_text frame, struct ap_text location, ap_error *err) {
  AP_TRY(ap_catalog_check_name("hive", hive, err));
  AP_TRY(ap_catalog_check_name("box", box, err));
  AP_TRY(ap_catalog_check_name("frame", frame, err));
  AP_TRY(ap_store_check_key(location, err));
  return create(catalog, hive, box, frame, location, false, err);
}

ap_status ap_catalog_add_view(struct ap_catalog *catalog, struct ap_text hive, struct ap_text box,
                              struct ap_text view, struct ap_text definition, bool replace,
                              bool if_absent, ap_error *err) {
  AP_TRY(ap_catalog_check_name("hive", hive, err));
  AP_TRY(ap_catalog_check_name("box", box, err));
  AP_TRY(ap_catalog_check_name("view", view, err));
  if (definition.size == 0 || definition.size > AP_VIEW_BYTES_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "a view of %zu bytes; at most %d are allowed",
                   definition.size, AP_VIEW_BYTES_MAX);
  }
  struct ap_catalog_wish wish = {
      .action = {.kind = AP_CATALOG_CREATE_VIEW,
                 .hive = hive,
                 .box = box,
                 .frame = view,
                 .view = definition},
      .tolerant = if_absent,
      .replace = replace,
  };
  return ap_catalog_commit(catalog, &wish, NULL, err);
}

/* The texts of what is asked for must not be empty: that would ask for the level above. */
static ap_status check_given(const char *what, struct ap_text name, ap_error *err) {
  return name.size > 0 ? AP_OK : ap_catalog_check_name(what, name, err);
}

static ap_status rename_to(struct ap_catalog *catalog, struct ap_text hive, struct ap_text box,
                           struct ap_text frame, const char *what, struct ap_text new_name,
                           ap_error *err) {
  AP_TRY(check_given("hive", hive, err));
  AP_TRY(ap_catalog_check_name(what, new_name, err));
  struct ap_catalog_wish wish = {
      .action = {.kind = AP_CATALOG_RENAME,
                 .hive = hive,
                 .box = box,
                 .frame = frame,
                 .new_name = new_name},
      .is_frame = true,
  };
  return ap_catalog_commit(catalog, &wish, NULL, err);
}

ap_status ap_catalog_rename_hive(struct ap_catalog *catalog, struct ap_text hive,
                                 struct ap_text new_name, ap_error *err) {
  struct ap_text none = {0};
  return rename_to(catalog, hive, none, none, "hive", new_name, err);
}

ap_status ap_catalog_rename_box(struct ap_catalog *catalog, struct ap_text hive, struct ap_text box,
                                struct ap_text new_name, ap_error *err) {
  struct ap_text none = {0};
  AP_TRY(check_given("box", box, err));
  return rename_to(catalog, hive, box, none, "box", new_name, err);
}

ap_status ap_catalog_rename_frame(struct ap_catalog *catalog, struct ap_text hive,
                                  struct ap_text box, struct ap_text frame, struct ap_text new_name,
                                  ap_error *err) {
  AP_TRY(check_given("box", box, err));
  AP_TRY(check_given("frame", frame, err));
  return rename_to(catalog, hive, box, frame, "frame", new_name, err);
}

ap_status ap_catalog_move(struct ap_catalog *catalog, struct ap_text hive, struct ap_text box,
                          struct ap_text name, bool is_view, struct ap_text new_hive,
                          struct ap_text new_box, struct ap_text new_name, ap_error *err) {
  AP_TRY(check_given("hive", hive, err));
  AP_TRY(check_given("box", box, err));
  AP_TRY(check_given("frame", name, err));
  AP_TRY(check_given("hive", new_hive, err));
  AP_TRY(check_given("box", new_box, err));
  AP_TRY(ap_catalog_check_name(is_view ? "view" : "frame", new_name, err));
  bool stays =
      ap_text_equal_ignoring_case(hive, new_hive) && ap_text_equal_ignoring_case(box, new_box);
  struct ap_catalog_wish wish = {
      .action = {.kind = stays ? AP_CATALOG_RENAME : AP_CATALOG_MOVE,
                 .hive = hive,
                 .box = box,
                 .frame = name,
                 .new_name = new_name},
      .is_view = is_view,
      .is_frame = !is_view,
  };
  if (!stays) {
    wish.action.new_hive = new_hive;
    wish.action.new_box = new_box;
  }
  return ap_catalog_commit(catalog, &wish, NULL, err);
}

static ap_status copy_entry(struct ap_arena *arena, const struct ap_catalog_entry *entry,
                            struct ap_frame_entry *out_entry, ap_error *err);

/* The frames among what a drop took away. */
static ap_status copy_dropped(const struct ap_catalog_state *before,
                              const struct ap_catalog_action *action, struct ap_arena *arena,
                              struct ap_frame_entry **out_frames, uint32_t *out_count,
                              ap_error *err) {
  uint32_t begin;
  uint32_t end;
  ap_catalog_state_range(before, action->hive, action->box, &begin, &end);
  struct ap_frame_entry *frames = AP_ARENA_ARRAY(arena, struct ap_frame_entry, end - begin);
  if (frames == NULL) return AP_FAIL_MEMORY(err);
  uint32_t count = 0;
  for (uint32_t i = begin; i < end; i++) {
    const struct ap_catalog_entry *entry = before->entries[i];
    if (entry->name.size == 0 || entry->view.size > 0) continue;
    if (action->frame.size > 0 && !ap_text_equal_ignoring_case(entry->name, action->frame)) {
      continue;
    }
    AP_TRY(copy_entry(arena, entry, &frames[count], err));
    count++;
  }
  *out_frames = frames;
  *out_count = count;
  return AP_OK;
}

ap_status ap_catalog_drop(struct ap_catalog *catalog, struct ap_text hive, struct ap_text box,
                          struct ap_text frame, bool cascade, bool if_exists,
                          struct ap_arena *arena, struct ap_frame_entry **out_frames,
                          uint32_t *out_count, ap_error *err) {
  AP_TRY(check_given("hive", hive, err));
  if (frame.size > 0) AP_TRY(check_given("box", box, err));
  struct ap_catalog_wish wish = {
      .action = {.kind = AP_CATALOG_DROP, .hive = hive, .box = box, .frame = frame},
      .tolerant = if_exists,
      .cascade = cascade,
      .is_frame = true,
  };
  struct ap_catalog_state *before = NULL;
  if (out_count != NULL) *out_count = 0;
  AP_TRY(ap_catalog_commit(catalog, &wish, &before, err));
  ap_status status = AP_OK;
  if (before != NULL && out_count != NULL) {
    status = copy_dropped(before, &wish.action, arena, out_frames, out_count, err);
  }
  ap_catalog_state_release(before);
  return status;
}

ap_status ap_catalog_drop_hive(struct ap_catalog *catalog, struct ap_text hive, bool cascade,
                               bool if_exists, ap_error *err) {
  struct ap_text none = {0};
  return ap_catalog_drop(catalog, hive, none, none, cascade, if_exists, NULL, NULL, NULL, err);
}

ap_status ap_catalog_drop_box(struct ap_catalog *catalog, struct ap_text hive, struct ap_text box,
                              bool cascade, bool if_exists, ap_error *err) {
  struct ap_text none = {0};
  AP_TRY(check_given("box", box, err));
  return ap_catalog_drop(catalog, hive, box, none, cascade, if_exists, NULL, NULL, NULL, err);
}

ap_status ap_catalog_drop_frame(struct ap_catalog *catalog, struct ap_text hive, struct ap_text box,
                                struct ap_text frame, bool if_exists, ap_error *err) {
  AP_TRY(check_given("box", box, err));
  AP_TRY(check_given("frame", frame, err));
  return ap_catalog_drop(catalog, hive, box, frame, false, if_exists, NULL, NULL, NULL, err);
}

ap_status ap_catalog_drop_view(struct ap_catalog *catalog, struct ap_text hive, struct ap_text box,
                               struct ap_text view, bool if_exists, ap_error *err) {
  AP_TRY(check_given("hive", hive, err));
  AP_TRY(check_given("box", box, err));
  AP_TRY(check_given("view", view, err));
  struct ap_catalog_wish wish = {
      .action = {.kind = AP_CATALOG_DROP, .hive = hive, .box = box, .frame = view},
      .tolerant = if_exists,
      .is_view = true,
  };
  return ap_catalog_commit(catalog, &wish, NULL, err);
}

ap_status ap_catalog_set_property(struct ap_catalog *catalog, struct ap_text hive,
                                  struct ap_text box, struct ap_text frame, struct ap_text name,
                                  struct ap_text value, ap_error *err) {
  AP_TRY(check_given("hive", hive, err));
  if (frame.size > 0) AP_TRY(check_given("box", box, err));
  AP_TRY(ap_catalog_check_property(name, value, err));
  struct ap_catalog_wish wish = {
      .action = {.kind = AP_CATALOG_SET,
                 .hive = hive,
                 .box = box,
                 .frame = frame,
                 .property_name = name,
                 .property_value = value},
  };
  return ap_catalog_commit(catalog, &wish, NULL, err);
}

/* ---- finding --------------------------------------------------------------------------------- */

static ap_status copy_text(struct ap_arena *arena, struct ap_text text, struct ap_text *out_text,
                           ap_error *err) {
  char *copy = ap_arena_copy(arena, text);
  if (copy == NULL) return AP_FAIL_MEMORY(err);
  *out_text = (struct ap_text){copy, text.size};
  return AP_OK;
}

static ap_status copy_entry(struct ap_arena *arena, const struct ap_catalog_entry *entry,
                            struct ap_frame_entry *out_entry, ap_error *err) {
  AP_TRY(copy_text(arena, entry->hive, &out_entry->hive, err));
  AP_TRY(copy_text(arena, entry->box, &out_entry->box, err));
  AP_TRY(copy_text(arena, entry->name, &out_entry->name, err));
  AP_TRY(copy_text(arena, entry->id, &out_entry->id, err));
  AP_TRY(copy_text(arena, entry->location, &out_entry->location, err));
  AP_TRY(copy_text(arena, entry->view, &out_entry->view, err));
  out_entry->created_ms = entry->created_ms;
  return AP_OK;
}

static ap_status find(struct ap_catalog *catalog, struct ap_text hive, struct ap_text box,
                      struct ap_text frame, bool is_view, struct ap_arena *arena,
                      struct ap_frame_entry *out_entry, ap_error *err) {
  struct ap_catalog_state *state;
  AP_TRY(ap_catalog_refresh(catalog, &state, err));
  ap_status status = ap_catalog_require_kind(state, hive, box, frame, is_view, err);
  if (status == AP_OK) {
    const struct ap_catalog_entry *entry = ap_catalog_state_find(state, hive, box, frame);
    AP_ASSERT(entry != NULL);
    bool is_other = frame.size > 0 && (entry->view.size > 0) != is_view;
    status =
        is_other ? ap_catalog_wrong_kind(entry, err) : copy_entry(arena, entry, out_entry, err);
  }
  ap_catalog_state_release(state);
  return status;
}

ap_status ap_catalog_look_up(struct ap_catalog *catalog, struct ap_text hive, struct ap_text box,
                             struct ap_text name, struct ap_arena *arena,
                             struct ap_frame_entry *out_entry, bool *out_found, ap_error *err) {
  struct ap_catalog_state *state;
  AP_TRY(ap_catalog_refresh(catalog, &state, err));
  const struct ap_catalog_entry *entry =
      name.size > 0 ? ap_catalog_state_find(state, hive, box, name) : NULL;
  *out_found = entry != NULL;
  ap_status status = entry != NULL ? copy_entry(arena, entry, out_entry, err) : AP_OK;
  ap_catalog_state_release(state);
  return status;
}

ap_status ap_catalog_find_frame(struct ap_catalog *catalog, struct ap_text hive, struct ap_text box,
                                struct ap_text frame, struct ap_arena *arena,
                                struct ap_frame_entry *out_entry, ap_error *err) {
  AP_TRY(check_given("hive", hive, err));
  AP_TRY(check_given("box", box, err));
  AP_TRY(check_given("frame", frame, err));
  return find(catalog, hive, box, frame, false, arena, out_entry, err);
}

ap_status ap_catalog_find_view(struct ap_catalog *catalog, struct ap_text hive, struct ap_text box,
                               struct ap_text view, struct ap_arena *arena,
                               struct ap_frame_entry *out_entry, ap_error *err) {
  AP_TRY(check_given("hive", hive, err));
  AP_TRY(check_given("box", box, err));
  AP_TRY(check_given("view", view, err));
  return find(catalog, hive, box, view, true, arena, out_entry, err);
}

ap_status ap_catalog_find_hive(struct ap_catalog *catalog, struct ap_text hive,
                               struct ap_arena *arena, struct ap_text *out_name, ap_error *err) {
  struct ap_text none = {0};
  struct ap_frame_entry entry;
  AP_TRY(check_given("hive", hive, err));
  AP_TRY(find(catalog, hive, none, none, false, arena, &entry, err));
  *out_name = entry.hive;
  return AP_OK;
}

ap_status ap_catalog_find_box(struct ap_catalog *catalog, struct ap_text hive, struct ap_text box,
                              struct ap_arena *arena, struct ap_text *out_name, ap_error *err) {
  struct ap_text none = {0};
  struct ap_frame_entry entry;
  AP_TRY(check_given("hive", hive, err));
  AP_TRY(check_given("box", box, err));
  AP_TRY(find(catalog, hive, box, none, false, arena, &entry, err));
  *out_name = entry.box;
  return AP_OK;
}

ap_status ap_catalog_get_property(struct ap_catalog *catalog, struct ap_text hive,
                                  struct ap_text box, struct ap_text frame, struct ap_text name,
                                  struct ap_arena *arena, struct ap_text *out_value,
                                  ap_error *err) {
  struct ap_catalog_state *state;
  AP_TRY(check_given("hive", hive, err));
  if (frame.size > 0) AP_TRY(check_given("box", box, err));
  AP_TRY(ap_catalog_refresh(catalog, &state, err));
  ap_status status = ap_catalog_require(state, hive, box, frame, err);
  if (status == AP_OK) {
    const struct ap_catalog_entry *entry = ap_catalog_state_find(state, hive, box, frame);
    struct ap_text value = {0};
    for (uint32_t i = 0; i < entry->property_count; i++) {
      if (ap_text_equal(entry->properties[i].name, name)) value = entry->properties[i].value;
    }
    status = copy_text(arena, value, out_value, err);
  }
  ap_catalog_state_release(state);
  return status;
}

/* ---- listing --------------------------------------------------------------------------------- */

enum level {
  LEVEL_HIVE,
  LEVEL_BOX,
  LEVEL_FRAME,
  LEVEL_VIEW,
};

static enum level level_of(const struct ap_catalog_entry *entry) {
  if (entry->box.size == 0) return LEVEL_HIVE;
  if (entry->name.size == 0) return LEVEL_BOX;
  return entry->view.size == 0 ? LEVEL_FRAME : LEVEL_VIEW;
}

static int compare_bytes(const void *a, const void *b) {
  const struct ap_frame_entry *left = a;
  const struct ap_frame_entry *right = b;
  int order = ap_text_compare(left->hive, right->hive);
  if (order == 0) order = ap_text_compare(left->box, right->box);
  if (order == 0) order = ap_text_compare(left->name, right->name);
  return order;
}

static ap_status collect(const struct ap_catalog_state *state, struct ap_text hive,
                         struct ap_text box, enum level level, struct ap_arena *arena,
                         struct ap_frame_entry **out_entries, uint32_t *out_count, ap_error *err) {
  uint32_t begin;
  uint32_t end;
  uint32_t count = 0;
  ap_catalog_state_range(state, hive, box, &begin, &end);
  for (uint32_t i = begin; i < end; i++) count += level_of(state->entries[i]) == level;
  struct ap_frame_entry *entries = AP_ARENA_ARRAY(arena, struct ap_frame_entry, count);
  if (entries == NULL) return AP_FAIL_MEMORY(err);
  uint32_t filled = 0;
  for (uint32_t i = begin; i < end; i++) {
    if (level_of(state->entries[i]) != level) continue;
    AP_TRY(copy_entry(arena, state->entries[i], &entries[filled], err));
    filled++;
  }
  qsort(entries, count, sizeof(entries[0]), compare_bytes);
  *out_entries = entries;
  *out_count = count;
  return AP_OK;
}

static ap_status list(struct ap_catalog *catalog, struct ap_text hive, struct ap_text box,
                      enum level level, struct ap_arena *arena, struct ap_frame_entry **out_entries,
                      uint32_t *out_count, ap_error *err) {
  struct ap_catalog_state *state;
  struct ap_text none = {0};
  *out_count = 0;
  if (box.size > 0) AP_TRY(check_given("hive", hive, err));
  AP_TRY(ap_catalog_refresh(catalog, &state, err));
  ap_status status = hive.size == 0 ? AP_OK : ap_catalog_require(state, hive, box, none, err);
  if (status == AP_OK) {
    status = collect(state, hive, box, level, arena, out_entries, out_count, err);
  }
  ap_catalog_state_release(state);
  return status;
}

ap_status ap_catalog_list_hives(struct ap_catalog *catalog, struct ap_arena *arena,
                                struct ap_frame_entry **out_entries, uint32_t *out_count,
                                ap_error *err) {
  struct ap_text none = {0};
  return list(catalog, none, none, LEVEL_HIVE, arena, out_entries, out_count, err);
}

ap_status ap_catalog_list_boxes(struct ap_catalog *catalog, struct ap_text hive,
                                struct ap_arena *arena, struct ap_frame_entry **out_entries,
                                uint32_t *out_count, ap_error *err) {
  struct ap_text none = {0};
  return list(catalog, hive, none, LEVEL_BOX, arena, out_entries, out_count, err);
}

ap_status ap_catalog_list_frames(struct ap_catalog *catalog, struct ap_text hive,
                                 struct ap_text box, struct ap_arena *arena,
                                 struct ap_frame_entry **out_entries, uint32_t *out_count,
                                 ap_error *err) {
  return list(catalog, hive, box, LEVEL_FRAME, arena, out_entries, out_count, err);
}

ap_status ap_catalog_list_views(struct ap_catalog *catalog, struct ap_text hive, struct ap_text box,
                                struct ap_arena *arena, struct ap_frame_entry **out_entries,
                                uint32_t *out_count, ap_error *err) {
  return list(catalog, hive, box, LEVEL_VIEW, arena, out_entries, out_count, err);
}

/* ---- folders --------------------------------------------------------------------------------- */

static ap_status visit_any(void *context, const struct ap_store_object *object, ap_error *err) {
  (void)object;
  (void)err;
  *(bool *)context = true;
  return AP_END;
}

/* Whether nothing lies in the folder and no frame, perhaps without files, has it. */
static ap_status is_free(struct ap_catalog *catalog, const struct ap_catalog_state *state,
                         struct ap_text location, bool *out_free, ap_error *err) {
  for (uint32_t i = 0; i < state->count; i++) {
    /* Case ignored: on some file systems it does not tell folders apart. */
    if (!ap_text_equal_ignoring_case(state->entries[i]->location, location)) continue;
    *out_free = false;
    return AP_OK;
  }
  struct ap_buffer prefix;
  bool found = false;
  ap_buffer_init(&prefix, catalog->env->allocator);
  ap_buffer_append_text(&prefix, location);
  ap_buffer_append_string(&prefix, "/");
  ap_status status = ap_buffer_check(&prefix, err);
  if (status == AP_OK) {
    status = ap_store_list(catalog->store, ap_buffer_text(&prefix), (struct ap_text){0}, visit_any,
                           &found, err);
  }
  ap_buffer_deinit(&prefix);
  *out_free = !found;
  return status;
}

/* Readable first, then with random suffixes. */
static ap_status try_locations(struct ap_catalog *catalog, const struct ap_catalog_state *state,
                               const struct ap_catalog_entry *box, struct ap_text frame,
                               struct ap_buffer *location, ap_error *err) {
  char id[AP_UUID_TEXT_SIZE];
  struct ap_text suffix = {0};
  for (int attempt = 0; attempt < LOCATION_ATTEMPTS_MAX; attempt++) {
    bool is_free_now = false;
    ap_buffer_clear(location);
    ap_catalog_location_append(location, box->hive, box->box, frame, suffix);
    AP_TRY(ap_buffer_check(location, err));
    AP_TRY(is_free(catalog, state, ap_buffer_text(location), &is_free_now, err));
    if (is_free_now) return AP_OK;
    ap_random_uuid(catalog->env->random, id);
    suffix = (struct ap_text){id, 8};
  }
  return AP_FAIL(err, AP_INTERNAL, "no free folder for frame '%s' in %d attempts",
                 ap_catalog_show(frame).text, LOCATION_ATTEMPTS_MAX);
}

ap_status ap_catalog_choose_location(struct ap_catalog *catalog, struct ap_text hive,
                                     struct ap_text box, struct ap_text frame,
                                     struct ap_arena *arena, struct ap_text *out_location,
                                     ap_error *err) {
  struct ap_text none = {0};
  struct ap_catalog_state *state;
  AP_TRY(check_given("hive", hive, err));
  AP_TRY(check_given("box", box, err));
  AP_TRY(ap_catalog_check_name("frame", frame, err));
  AP_TRY(ap_catalog_refresh(catalog, &state, err));
  struct ap_buffer location;
  ap_buffer_init(&location, catalog->env->allocator);
  ap_status status = ap_catalog_require(state, hive, box, none, err);
  if (status == AP_OK) {
    const struct ap_catalog_entry *entry = ap_catalog_state_find(state, hive, box, none);
    status = try_locations(catalog, state, entry, frame, &location, err);
  }
  if (status == AP_OK) status = copy_text(arena, ap_buffer_text(&location), out_location, err);
  ap_buffer_deinit(&location);
  ap_catalog_state_release(state);
  return status;
}
