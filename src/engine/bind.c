/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames as views. A view reads the cells that stand in a variable of the chamber's session, so
 * that another choice of cells costs one SET VARIABLE, and the view itself is made anew only when
 * its text changes. See view.c for the text.
 *
 * What was bound stays with the chamber for the next statement; the frames used least recently go
 * when there are too many.
 */
#include "engine/view.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

static void free_text(struct ap_allocator *allocator, struct ap_text *text) {
  char *data = (char *)(uintptr_t)text->data;
  ap_free(allocator, data);
  *text = (struct ap_text){0};
}

static void release_cells(struct ap_allocator *allocator, struct ap_bound_frame *frame) {
  for (uint32_t i = 0; i < frame->cell_count; i++) ap_cell_release(frame->cells[i]);
  ap_free(allocator, frame->cells);
  frame->cells = NULL;
  frame->cell_count = 0;
}

static void free_frame(struct ap_allocator *allocator, struct ap_bound_frame *frame) {
  release_cells(allocator, frame);
  free_text(allocator, &frame->hive);
  free_text(allocator, &frame->box);
  free_text(allocator, &frame->name);
  free_text(allocator, &frame->folder);
  free_text(allocator, &frame->view);
  ap_free(allocator, frame);
}

void ap_chamber_forget_frames(struct ap_chamber *chamber) {
  while (chamber->frames) {
    struct ap_bound_frame *frame = chamber->frames;
    chamber->frames = frame->next;
    free_frame(chamber->engine->env->allocator, frame);
  }
  chamber->frame_count = 0;
}

/* To the engine, names that differ by case are one. */
static struct ap_bound_frame *find_frame(struct ap_chamber *chamber, struct ap_text hive,
                                         struct ap_text box, struct ap_text name) {
  for (struct ap_bound_frame *frame = chamber->frames; frame; frame = frame->next) {
    if (ap_text_equal_ignoring_case(frame->name, name) &&
        ap_text_equal_ignoring_case(frame->box, box) &&
        ap_text_equal_ignoring_case(frame->hive, hive)) {
      return frame;
    }
  }
  return NULL;
}

static bool copy_text(struct ap_allocator *allocator, struct ap_text text,
                      struct ap_text *out_copy) {
  char *copy = ap_string_copy(allocator, text);
  *out_copy = (struct ap_text){copy, copy ? text.size : 0};
  return copy != NULL;
}

static ap_status add_frame(struct ap_chamber *chamber, const struct ap_frame_binding *binding,
                           struct ap_bound_frame **out_frame, ap_error *err) {
  struct ap_allocator *allocator = chamber->engine->env->allocator;
  struct ap_bound_frame *frame = ap_allocate_zeroed(allocator, 1, sizeof(*frame));
  if (!frame) return AP_FAIL_MEMORY(err);
  frame->number = chamber->frame_number_next++;
  if (!copy_text(allocator, binding->hive, &frame->hive) ||
      !copy_text(allocator, binding->box, &frame->box) ||
      !copy_text(allocator, binding->name, &frame->name) ||
      !copy_text(allocator, binding->folder, &frame->folder)) {
    free_frame(allocator, frame);
    return AP_FAIL_MEMORY(err);
  }
  frame->next = chamber->frames;
  chamber->frames = frame;
  chamber->frame_count++;
  *out_frame = frame;
  return AP_OK;
}

/* Take the view, the variables and the table of a frame away, then the frame itself. */
static ap_status drop_frame(struct ap_chamber *chamber, struct ap_bound_frame *frame,
                            ap_error *err) {
  struct ap_buffer sql;
  ap_buffer_init(&sql, chamber->engine->env->allocator);
  ap_view_append_drop(&sql, frame);
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) status = ap_chamber_run(chamber, sql.data, NULL, err);
  ap_buffer_deinit(&sql);
  if (status != AP_OK) return status;
  struct ap_bound_frame **link = &chamber->frames;
  while (*link != frame) link = &(*link)->next;
  *link = frame->next;
  chamber->frame_count--;
  free_frame(chamber->engine->env->allocator, frame);
  return AP_OK;
}

/* Make room for one more, if there is a frame that the present holder has not bound. */
static ap_status evict(struct ap_chamber *chamber, ap_error *err) {
  if (chamber->frame_count < AP_BOUND_FRAMES_MAX) return AP_OK;
  struct ap_bound_frame *oldest = NULL;
  for (struct ap_bound_frame *frame = chamber->frames; frame; frame = frame->next) {
    if (frame->last_use == chamber->use_count) continue;
    if (!oldest || frame->last_use < oldest->last_use) oldest = frame;
  }
  return oldest ? drop_frame(chamber, oldest, err) : AP_OK;
}

static bool is_known(const struct ap_chamber *chamber, struct ap_text entry) {
  size_t at = 0;
  while (at < chamber->known.size) {
    struct ap_text one = ap_text_of(chamber->known.data + at);
    if (ap_text_equal(one, entry)) return true;
    at += one.size + 1;
  }
  return false;
}

ap_status ap_chamber_make_box(struct ap_chamber *chamber, struct ap_text hive, struct ap_text box,
                              ap_error *err) {
  struct ap_buffer sql;
  struct ap_buffer entry;
  ap_buffer_init(&sql, chamber->engine->env->allocator);
  ap_buffer_init(&entry, chamber->engine->env->allocator);
  ap_buffer_append_identifier(&entry, hive);
  ap_buffer_append_string(&sql, "ATTACH IF NOT EXISTS ':memory:' AS ");
  ap_buffer_append_text(&sql, ap_buffer_text(&entry));
  if (box.size > 0) {
    ap_buffer_append_string(&entry, ".");
    ap_buffer_append_identifier(&entry, box);
    ap_buffer_append_string(&sql, "; CREATE SCHEMA IF NOT EXISTS ");
    ap_buffer_append_text(&sql, ap_buffer_text(&entry));
  }
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) status = ap_buffer_check(&entry, err);
  if (status == AP_OK && !is_known(chamber, ap_buffer_text(&entry))) {
    status = ap_chamber_run(chamber, sql.data, NULL, err);
    if (status == AP_OK) ap_buffer_append(&chamber->known, entry.data, entry.size + 1);
    if (status == AP_OK) status = ap_buffer_check(&chamber->known, err);
  }
  ap_buffer_deinit(&sql);
  ap_buffer_deinit(&entry);
  return status;
}

ap_status ap_chamber_use(struct ap_chamber *chamber, struct ap_text hive, struct ap_text box,
                         ap_error *err) {
  /* Without a box, an empty one is used: in any other, frames bound for others would be found. */
  if (box.size == 0) box = AP_TEXT("_ap");
  if (hive.size > 0) AP_TRY(ap_chamber_make_box(chamber, hive, box, err));
  struct ap_buffer sql;
  ap_buffer_init(&sql, chamber->engine->env->allocator);
  ap_buffer_append_string(&sql, "USE ");
  ap_buffer_append_identifier(&sql, hive.size > 0 ? hive : AP_TEXT("_ap"));
  ap_buffer_append_string(&sql, ".");
  ap_buffer_append_identifier(&sql, hive.size > 0 ? box : AP_TEXT("main"));
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK && !ap_text_equal(ap_buffer_text(&sql), ap_buffer_text(&chamber->current))) {
    ap_buffer_clear(&chamber->current);
    status = ap_chamber_run(chamber, sql.data, NULL, err);
    if (status == AP_OK) ap_buffer_append_text(&chamber->current, ap_buffer_text(&sql));
    if (status == AP_OK) status = ap_buffer_check(&chamber->current, err);
  }
  ap_buffer_deinit(&sql);
  return status;
}

/* Whether the variables say these cells. */
static bool has_cells(const struct ap_bound_frame *frame, const struct ap_frame_binding *binding) {
  return frame->complete && frame->map_by_id == binding->map_by_id &&
         frame->shows_places == binding->shows_places && frame->schema_id == binding->schema_id &&
         frame->physical_schema_id == binding->physical_schema_id &&
         frame->cell_count == binding->cell_count &&
         ap_text_equal(frame->folder, binding->folder) &&
         (binding->cell_count == 0 ||
          memcmp(frame->cells, binding->cells, binding->cell_count * sizeof(*frame->cells)) == 0);
}

/* Keep what was bound, so that the next time it is recognised. */
static ap_status remember(struct ap_chamber *chamber, struct ap_bound_frame *frame,
                          const struct ap_frame_binding *binding, ap_error *err) {
  struct ap_allocator *allocator = chamber->engine->env->allocator;
  release_cells(allocator, frame);
  if (!ap_text_equal(frame->folder, binding->folder)) {
    struct ap_text folder;
    if (!copy_text(allocator, binding->folder, &folder)) return AP_FAIL_MEMORY(err);
    free_text(allocator, &frame->folder);
    frame->folder = folder;
  }
  if (binding->cell_count > 0) {
    frame->cells = ap_allocate_zeroed(allocator, binding->cell_count, sizeof(*frame->cells));
    if (!frame->cells) return AP_FAIL_MEMORY(err);
  }
  for (uint32_t i = 0; i < binding->cell_count; i++) {
    frame->cells[i] = ap_cell_retain(binding->cells[i]);
  }
  frame->cell_count = binding->cell_count;
  frame->schema_id = binding->schema_id;
  frame->physical_schema_id = binding->physical_schema_id;
  frame->map_by_id = binding->map_by_id;
  frame->shows_places = binding->shows_places;
  return AP_OK;
}

/* CREATE OR REPLACE VIEW, unless that very view stands. */
static ap_status make_view(struct ap_chamber *chamber, struct ap_bound_frame *frame,
                           const struct ap_view *view, ap_error *err) {
  struct ap_allocator *allocator = chamber->engine->env->allocator;
  struct ap_buffer sql;
  ap_buffer_init(&sql, allocator);
  ap_view_append_create(&sql, view);
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK && !ap_text_equal(ap_buffer_text(&sql), frame->view)) {
    free_text(allocator, &frame->view);
    status = ap_chamber_run(chamber, sql.data, NULL, err);
    if (status == AP_OK && !copy_text(allocator, ap_buffer_text(&sql), &frame->view)) {
      status = AP_FAIL_MEMORY(err);
    }
  }
  ap_buffer_deinit(&sql);
  return status;
}

ap_status ap_chamber_bind_frame(struct ap_chamber *chamber, const struct ap_frame_binding *binding,
                                ap_error *err) {
  AP_ASSERT(binding->folder.size > 0 && binding->folder.data[0] == '/');
  AP_ASSERT(binding->schema->field_count == binding->physical->field_count);
  struct ap_bound_frame *frame = find_frame(chamber, binding->hive, binding->box, binding->name);
  if (frame && !frame->has_parts && binding->part_count == 0 && has_cells(frame, binding)) {
    frame->last_use = chamber->use_count;
    return AP_OK;
  }
  AP_TRY(ap_chamber_attach_parts(chamber, binding, err));
  AP_TRY(ap_chamber_make_box(chamber, binding->hive, binding->box, err));
  if (!frame) {
    AP_TRY(evict(chamber, err));
    AP_TRY(add_frame(chamber, binding, &frame, err));
  }
  frame->last_use = chamber->use_count;
  bool is_set = has_cells(frame, binding);
  frame->complete = false;
  struct ap_view view;
  AP_TRY(ap_view_plan(binding, frame->number, chamber->scratch, &view, err));
  if (!is_set) {
    AP_TRY(ap_view_set_variables(chamber, &view, err));
    AP_TRY(ap_view_set_deleted_rows(chamber, &view, err));
  }
  AP_TRY(make_view(chamber, frame, &view, err));
  if (!is_set) AP_TRY(remember(chamber, frame, binding, err));
  frame->has_parts = binding->part_count > 0;
  frame->complete = true;
  return AP_OK;
}

ap_status ap_chamber_forget_frame(struct ap_chamber *chamber, struct ap_text hive,
                                  struct ap_text box, struct ap_text name, ap_error *err) {
  struct ap_bound_frame *frame = find_frame(chamber, hive, box, name);
  return frame ? drop_frame(chamber, frame, err) : AP_OK;
}
