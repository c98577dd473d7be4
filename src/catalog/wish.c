/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether what a caller wants fits a state: what is missing, taken or in the way, said in messages
 * that name the thing and the way out. Pure: the state is only read. Safe from any thread.
 */
#include "base/assert.h"
#include "catalog/change.h"
#include "catalog/names.h"

#include <stdio.h>

/* "sales", "sales.eu", "sales.eu.orders". */
struct shown_path {
  char text[3 * sizeof(struct ap_catalog_shown) + 4];
};

static struct shown_path show_path(struct ap_text hive, struct ap_text box, struct ap_text frame) {
  struct shown_path path;
  snprintf(path.text, sizeof(path.text), "%s%s%s%s%s", ap_catalog_show(hive).text,
           box.size ? "." : "", ap_catalog_show(box).text, frame.size ? "." : "",
           ap_catalog_show(frame).text);
  return path;
}

static const char *level_name(struct ap_text box, struct ap_text frame) {
  return frame.size > 0 ? "frame" : box.size > 0 ? "box" : "hive";
}

/* The own name of an entry when it lies directly in hive and box (empty: no such level). */
static const char *name_within(const struct ap_catalog_entry *entry, struct ap_text hive,
                               struct ap_text box) {
  if (hive.size == 0) return entry->box.size == 0 ? entry->hive.data : NULL;
  if (box.size == 0) {
    return entry->box.size > 0 && entry->name.size == 0 ? entry->box.data : NULL;
  }
  return entry->name.size > 0 ? entry->name.data : NULL;
}

/* The name nearest to one that is missing in hive and box; NULL when none is near. */
static const char *nearest_name(const struct ap_catalog_state *state, struct ap_text hive,
                                struct ap_text box, struct ap_text name, bool *out_any) {
  uint32_t begin;
  uint32_t end;
  ap_catalog_state_range(state, hive, box, &begin, &end);
  size_t count = 0;
  *out_any = false;
  const char **names = ap_allocate_zeroed(state->allocator, end - begin, sizeof(names[0]));
  if (names == NULL) return NULL; /* a hint is not worth an error */
  for (uint32_t i = begin; i < end; i++) {
    const char *candidate = name_within(state->entries[i], hive, box);
    if (candidate != NULL) names[count++] = candidate;
  }
  const char *nearest = ap_text_nearest(name, names, count);
  *out_any = count > 0;
  ap_free(state->allocator, names);
  return nearest;
}

static ap_status fail_missing(const struct ap_catalog_state *state, struct ap_text hive,
                              struct ap_text box, struct ap_text frame, const char *kind,
                              ap_error *err) {
  struct ap_text none = {0};
  bool any;
  const char *what = frame.size > 0 ? kind : level_name(box, frame);
  struct ap_text name = frame.size > 0 ? frame : box.size > 0 ? box : hive;
  const char *nearest =
      nearest_name(state, box.size > 0 ? hive : none, frame.size > 0 ? box : none, name, &any);
  ap_status status =
      AP_FAIL(err, AP_NOT_FOUND, "%s %s does not exist", what, show_path(hive, box, frame).text);
  if (nearest != NULL) {
    ap_error_hint(err, "did you mean '%s'?", nearest);
  } else if (any) {
    ap_error_hint(err, "SHOW %s lists what there is",
                  frame.size > 0 ? (kind[0] == 'v' ? "VIEWS" : "FRAMES")
                  : box.size > 0 ? "BOXES"
                                 : "HIVES");
  } else {
    ap_error_hint(err, "there is no %s yet: create it first", what);
  }
  return status;
}

ap_status ap_catalog_require(const struct ap_catalog_state *state, struct ap_text hive,
                             struct ap_text box, struct ap_text frame, ap_error *err) {
  return ap_catalog_require_kind(state, hive, box, frame, false, err);
}

ap_status ap_catalog_require_kind(const struct ap_catalog_state *state, struct ap_text hive,
                                  struct ap_text box, struct ap_text frame, bool is_view,
                                  ap_error *err) {
  const char *kind = is_view ? "view" : "frame";
  struct ap_text none = {0};
  AP_ASSERT(hive.size > 0);
  if (ap_catalog_state_find(state, hive, none, none) == NULL) {
    return fail_missing(state, hive, none, none, kind, err);
  }
  if (box.size > 0 && ap_catalog_state_find(state, hive, box, none) == NULL) {
    return fail_missing(state, hive, box, none, kind, err);
  }
  if (frame.size > 0 && ap_catalog_state_find(state, hive, box, frame) == NULL) {
    return fail_missing(state, hive, box, frame, kind, err);
  }
  return AP_OK;
}

static const char *kind_name(const struct ap_catalog_entry *entry) {
  return entry->view.size > 0 ? "view" : level_name(entry->box, entry->name);
}

ap_status ap_catalog_wrong_kind(const struct ap_catalog_entry *entry, ap_error *err) {
  bool is_view = entry->view.size > 0;
  struct shown_path path = show_path(entry->hive, entry->box, entry->name);
  return AP_FAIL(err, AP_STATE, "%s is a %s, not a %s", path.text, is_view ? "view" : "frame",
                 is_view ? "frame" : "view");
}

static ap_status check_kind(const struct ap_catalog_entry *entry,
                            const struct ap_catalog_wish *wish, const char *verb, ap_error *err) {
  bool is_view = entry->view.size > 0;
  if (entry->name.size == 0 || !(is_view ? wish->is_frame : wish->is_view)) return AP_OK;
  ap_status status = ap_catalog_wrong_kind(entry, err);
  ap_error_hint(err, "say %s %s", verb, is_view ? "VIEW" : "FRAME");
  return status;
}

static ap_status fail_taken(const struct ap_catalog_entry *entry, ap_error *err) {
  return AP_FAIL(err, AP_ALREADY_EXISTS, "%s %s exists already", kind_name(entry),
                 show_path(entry->hive, entry->box, entry->name).text);
}

static bool lies_in(struct ap_text location, struct ap_text folder) {
  return location.size > folder.size && location.data[folder.size] == '/' &&
         ap_text_starts_with(location, folder);
}

/* Frames whose folders overlap would lose their rows when either is dropped. */
static ap_status check_folder(const struct ap_catalog_state *state, struct ap_text location,
                              ap_error *err) {
  for (uint32_t i = 0; i < state->count; i++) {
    const struct ap_catalog_entry *entry = state->entries[i];
    if (entry->location.size == 0) continue;
    bool is_same = ap_text_equal(entry->location, location);
    bool is_within = lies_in(location, entry->location);
    if (!is_same && !is_within && !lies_in(entry->location, location)) continue;
    struct shown_path frame = show_path(entry->hive, entry->box, entry->name);
    if (is_same) {
      return AP_FAIL(err, AP_ALREADY_EXISTS, "folder '%.*s' already belongs to frame %s",
                     AP_TEXT_ARG(location), frame.text);
    }
    ap_status status =
        AP_FAIL(err, AP_STATE, "folder '%.*s' %s folder '%s' of frame %s", AP_TEXT_ARG(location),
                is_within ? "lies in" : "holds", entry->location.data, frame.text);
    ap_error_hint(err, "a frame's folder goes with the frame: keep them apart");
    return status;
  }
  return AP_OK;
}

static ap_status check_create(const struct ap_catalog_state *state,
                              const struct ap_catalog_wish *wish, bool *out_needed, ap_error *err) {
  struct ap_text none = {0};
  const struct ap_catalog_action *action = &wish->action;
  if (action->box.size > 0) {
    struct ap_text box = action->frame.size > 0 ? action->box : none;
    AP_TRY(ap_catalog_require(state, action->hive, box, none, err));
  }
  const struct ap_catalog_entry *entry =
      ap_catalog_state_find(state, action->hive, action->box, action->frame);
  bool wants_view = action->kind == AP_CATALOG_CREATE_VIEW;
  *out_needed = entry == NULL;
  if (entry != NULL) {
    bool is_other = action->frame.size > 0 && (entry->view.size > 0) != wants_view;
    *out_needed = wish->replace && !is_other;
    if (*out_needed || (wish->tolerant && !is_other)) return AP_OK;
    ap_status status = fail_taken(entry, err);
    if (!is_other) {
      ap_error_hint(err, wants_view ? "OR REPLACE puts the new one in its place"
                                    : "IF NOT EXISTS makes this no error");
    }
    return status;
  }
  return action->frame.size > 0 && !wants_view ? check_folder(state, action->location, err) : AP_OK;
}

static ap_status check_rename(const struct ap_catalog_state *state,
                              const struct ap_catalog_wish *wish, bool *out_needed, ap_error *err) {
  const struct ap_catalog_action *action = &wish->action;
  AP_TRY(
      ap_catalog_require_kind(state, action->hive, action->box, action->frame, wish->is_view, err));
  const struct ap_catalog_entry *source =
      ap_catalog_state_find(state, action->hive, action->box, action->frame);
  const struct ap_catalog_entry *target;
  struct ap_text old_name;
  AP_TRY(check_kind(source, wish, "ALTER", err));
  if (action->frame.size > 0) {
    old_name = source->name;
    target = ap_catalog_state_find(state, action->hive, action->box, action->new_name);
  } else if (action->box.size > 0) {
    old_name = source->box;
    target = ap_catalog_state_find(state, action->hive, action->new_name, action->frame);
  } else {
    old_name = source->hive;
    target = ap_catalog_state_find(state, action->new_name, action->box, action->frame);
  }
  /* Only the case may change: then the target is the thing itself. */
  if (target != NULL && target != source) return fail_taken(target, err);
  *out_needed = !ap_text_equal(old_name, action->new_name);
  return AP_OK;
}

static ap_status check_move(const struct ap_catalog_state *state,
                            const struct ap_catalog_wish *wish, bool *out_needed, ap_error *err) {
  const struct ap_catalog_action *action = &wish->action;
  struct ap_text none = {0};
  AP_TRY(
      ap_catalog_require_kind(state, action->hive, action->box, action->frame, wish->is_view, err));
  AP_TRY(ap_catalog_require(state, action->new_hive, action->new_box, none, err));
  const struct ap_catalog_entry *source =
      ap_catalog_state_find(state, action->hive, action->box, action->frame);
  AP_TRY(check_kind(source, wish, "ALTER", err));
  const struct ap_catalog_entry *target =
      ap_catalog_state_find(state, action->new_hive, action->new_box, action->new_name);
  if (target != NULL && target != source) return fail_taken(target, err);
  *out_needed = target == NULL || !ap_text_equal(source->name, action->new_name);
  return AP_OK;
}

static ap_status check_drop(const struct ap_catalog_state *state,
                            const struct ap_catalog_wish *wish, bool *out_needed, ap_error *err) {
  const struct ap_catalog_action *action = &wish->action;
  ap_status status =
      ap_catalog_require_kind(state, action->hive, action->box, action->frame, wish->is_view, err);
  *out_needed = status == AP_OK;
  if (status == AP_NOT_FOUND && wish->tolerant) {
    ap_error_clear(err);
    return AP_OK;
  }
  if (status == AP_OK) {
    status = check_kind(ap_catalog_state_find(state, action->hive, action->box, action->frame),
                        wish, "DROP", err);
  }
  if (status != AP_OK || action->frame.size > 0 || wish->cascade) return status;
  uint32_t begin;
  uint32_t end;
  ap_catalog_state_range(state, action->hive, action->box, &begin, &end);
  AP_ASSERT(end > begin);
  if (end - begin == 1) return AP_OK;
  const struct ap_catalog_entry *inside = state->entries[begin + 1];
  status = AP_FAIL(err, AP_STATE, "%s %s is not empty: it has %s",
                   level_name(action->box, action->frame),
                   show_path(action->hive, action->box, action->frame).text,
                   show_path(inside->hive, inside->box, inside->name).text);
  ap_error_hint(err, "drop what is in it first, or use CASCADE");
  return status;
}

static ap_status check_set(const struct ap_catalog_state *state, const struct ap_catalog_wish *wish,
                           bool *out_needed, ap_error *err) {
  const struct ap_catalog_action *action = &wish->action;
  AP_TRY(ap_catalog_require(state, action->hive, action->box, action->frame, err));
  const struct ap_catalog_entry *entry =
      ap_catalog_state_find(state, action->hive, action->box, action->frame);
  *out_needed = action->property_value.size > 0;
  bool is_new = true;
  for (uint32_t i = 0; i < entry->property_count; i++) {
    if (!ap_text_equal(entry->properties[i].name, action->property_name)) continue;
    *out_needed = !ap_text_equal(entry->properties[i].value, action->property_value);
    is_new = false;
  }
  if (is_new && *out_needed && entry->property_count >= AP_PROPERTIES_MAX) {
    return AP_FAIL(err, AP_STATE, "%s %s has %d properties: no more are allowed",
                   level_name(action->box, action->frame),
                   show_path(action->hive, action->box, action->frame).text, AP_PROPERTIES_MAX);
  }
  return AP_OK;
}

ap_status ap_catalog_wish_check(const struct ap_catalog_state *state,
                                const struct ap_catalog_wish *wish, bool *out_needed,
                                ap_error *err) {
  *out_needed = false;
  switch (wish->action.kind) {
    case AP_CATALOG_CREATE:
    case AP_CATALOG_CREATE_VIEW:
      return check_create(state, wish, out_needed, err);
    case AP_CATALOG_RENAME:
      return check_rename(state, wish, out_needed, err);
    case AP_CATALOG_MOVE:
      return check_move(state, wish, out_needed, err);
    case AP_CATALOG_DROP:
      return check_drop(state, wish, out_needed, err);
    case AP_CATALOG_SET:
      return check_set(state, wish, out_needed, err);
  }
  AP_ASSERT(!"a kind of wish without a rule");
  return AP_INTERNAL;
}
