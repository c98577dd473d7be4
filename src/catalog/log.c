/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes, checkpoints and the hint as JSON. What is read was written by any process that reaches
 * the storage, so everything is checked as a user's input is.
 * Pure functions; safe from any thread.
 */
#include "catalog/log.h"

#include "base/json.h"
#include "catalog/names.h"

#include <inttypes.h>

#define FORMAT 1

/* Of checkpoints that hold views: a version that knows none must not take them for frames. In
 * changes, their operations are of another name. */
#define FORMAT_WITH_VIEWS 2

static const char *op_name(enum ap_catalog_action_kind kind) {
  switch (kind) {
    case AP_CATALOG_CREATE:
      return "create";
    case AP_CATALOG_RENAME:
      return "rename";
    case AP_CATALOG_DROP:
      return "drop";
    case AP_CATALOG_SET:
      return "set";
    case AP_CATALOG_CREATE_VIEW:
      return "create_view";
    case AP_CATALOG_MOVE:
      return "move";
  }
  return "";
}

static void append_member(struct ap_json_writer *writer, const char *name, struct ap_text text) {
  if (text.size > 0) ap_json_member_string(writer, name, text);
}

static void append_action(struct ap_json_writer *writer, const struct ap_catalog_action *action) {
  ap_json_begin_object(writer);
  ap_json_member_string(writer, "op", ap_text_of(op_name(action->kind)));
  append_member(writer, "hive", action->hive);
  append_member(writer, "box", action->box);
  append_member(writer, "frame", action->frame);
  append_member(writer, "id", action->id);
  append_member(writer, "location", action->location);
  append_member(writer, "view", action->view);
  if (action->kind == AP_CATALOG_CREATE || action->kind == AP_CATALOG_CREATE_VIEW) {
    ap_json_member_i64(writer, "created_ms", action->created_ms);
  }
  append_member(writer, "new_hive", action->new_hive);
  append_member(writer, "new_box", action->new_box);
  append_member(writer, "new_name", action->new_name);
  append_member(writer, "property", action->property_name);
  append_member(writer, "value", action->property_value);
  ap_json_end_object(writer);
}

void ap_catalog_change_append(struct ap_buffer *out, const struct ap_catalog_change *change) {
  struct ap_json_writer writer;
  ap_json_writer_init(&writer, out);
  ap_json_begin_object(&writer);
  ap_json_member_i64(&writer, "format", FORMAT);
  ap_json_member_string(&writer, "id", change->id);
  ap_json_member_i64(&writer, "timestamp_ms", change->timestamp_ms);
  ap_json_name(&writer, AP_TEXT("actions"));
  ap_json_begin_array(&writer);
  for (uint32_t i = 0; i < change->action_count; i++) append_action(&writer, &change->actions[i]);
  ap_json_end_array(&writer);
  ap_json_end_object(&writer);
  ap_buffer_append_string(out, "\n");
}

/* A text member; absent is empty. */
static ap_status get_text(const struct ap_json *object, const char *name, struct ap_text *out_text,
                          ap_error *err) {
  if (ap_json_get_text(object, name, AP_TEXT(""), out_text)) return AP_OK;
  return AP_FAIL(err, AP_CORRUPT, "\"%s\" is not a string", name);
}

static ap_status get_i64(const struct ap_json *object, const char *name, int64_t fallback,
                         int64_t *out_number, ap_error *err) {
  if (ap_json_get_i64(object, name, fallback, out_number)) return AP_OK;
  return AP_FAIL(err, AP_CORRUPT, "\"%s\" is not an integer", name);
}

/* What a user may not say, a stored object may not say either; but names that only the engine
 * reserves are let through, for that list may grow. */
static ap_status as_corrupt(ap_status status, ap_error *err) {
  if (status != AP_INVALID_ARGUMENT || err == NULL) return status == AP_OK ? AP_OK : AP_CORRUPT;
  ap_error cause = *err;
  return AP_FAIL(err, AP_CORRUPT, "%s", cause.message);
}

static ap_status check_names(struct ap_text hive, struct ap_text box, struct ap_text frame,
                             ap_error *err) {
  ap_status status = ap_catalog_check_name("stored hive", hive, err);
  if (status == AP_OK && box.size > 0) status = ap_catalog_check_name("stored box", box, err);
  if (status == AP_OK && frame.size > 0) {
    status = box.size == 0 ? AP_FAIL(err, AP_INVALID_ARGUMENT, "a frame without its box")
                           : ap_catalog_check_name("stored frame", frame, err);
  }
  return as_corrupt(status, err);
}

/* A frame's folder is a key outside our own folder; boxes and hives have none. */
static ap_status check_location(struct ap_text frame, struct ap_text id, struct ap_text location,
                                ap_error *err) {
  if (frame.size == 0) {
    if (id.size == 0 && location.size == 0) return AP_OK;
    return AP_FAIL(err, AP_CORRUPT, "a location without a frame");
  }
  if (id.size == 0) return AP_FAIL(err, AP_CORRUPT, "a frame without an id");
  AP_TRY(as_corrupt(ap_store_check_key(location, err), err));
  if (ap_text_starts_with(location, AP_TEXT("_apiary/"))) {
    return AP_FAIL(err, AP_CORRUPT, "location '%s' lies in the storage's own folder",
                   ap_catalog_show(location).text);
  }
  return AP_OK;
}

/* A view has no folder, and a definition that only those who read it look into. */
static ap_status check_view(struct ap_text frame, struct ap_text id, struct ap_text location,
                            struct ap_text view, ap_error *err) {
  if (frame.size == 0 || id.size == 0 || location.size > 0) {
    return AP_FAIL(err, AP_CORRUPT, "a view without a name or an id, or with a location");
  }
  if (view.size == 0 || view.size > AP_VIEW_BYTES_MAX) {
    return AP_FAIL(err, AP_CORRUPT, "a view's definition of %zu bytes", view.size);
  }
  return AP_OK;
}

static ap_status parse_op(struct ap_text op, enum ap_catalog_action_kind *out_kind, ap_error *err) {
  static const enum ap_catalog_action_kind kinds[] = {AP_CATALOG_CREATE,      AP_CATALOG_RENAME,
                                                      AP_CATALOG_DROP,        AP_CATALOG_SET,
                                                      AP_CATALOG_CREATE_VIEW, AP_CATALOG_MOVE};
  for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
    if (!ap_text_equal_string(op, op_name(kinds[i]))) continue;
    *out_kind = kinds[i];
    return AP_OK;
  }
  return AP_FAIL(err, AP_UNSUPPORTED, "operation '%s' is unknown to this version",
                 ap_catalog_show(op).text);
}

static ap_status check_format(const struct ap_json *object, int64_t newest, ap_error *err) {
  if (object->kind != AP_JSON_OBJECT) return AP_FAIL(err, AP_CORRUPT, "not an object");
  int64_t format;
  AP_TRY(get_i64(object, "format", 0, &format, err));
  if (format < 1) return AP_FAIL(err, AP_CORRUPT, "no \"format\"");
  if (format <= newest) return AP_OK;
  ap_status status = AP_FAIL(
      err, AP_UNSUPPORTED, "format %" PRId64 " is newer than %" PRId64 ", which this version reads",
      format, newest);
  ap_error_hint(err, "a newer Apiary wrote it: use that version here too");
  return status;
}

static ap_status parse_action(const struct ap_json *json, struct ap_catalog_action *action,
                              ap_error *err) {
  struct ap_text op;
  if (json->kind != AP_JSON_OBJECT) return AP_FAIL(err, AP_CORRUPT, "an action is no object");
  AP_TRY(get_text(json, "op", &op, err));
  AP_TRY(parse_op(op, &action->kind, err));
  AP_TRY(get_text(json, "hive", &action->hive, err));
  AP_TRY(get_text(json, "box", &action->box, err));
  AP_TRY(get_text(json, "frame", &action->frame, err));
  AP_TRY(get_text(json, "id", &action->id, err));
  AP_TRY(get_text(json, "location", &action->location, err));
  AP_TRY(get_text(json, "view", &action->view, err));
  AP_TRY(get_i64(json, "created_ms", 0, &action->created_ms, err));
  AP_TRY(get_text(json, "new_hive", &action->new_hive, err));
  AP_TRY(get_text(json, "new_box", &action->new_box, err));
  AP_TRY(get_text(json, "new_name", &action->new_name, err));
  AP_TRY(get_text(json, "property", &action->property_name, err));
  AP_TRY(get_text(json, "value", &action->property_value, err));
  AP_TRY(check_names(action->hive, action->box, action->frame, err));
  switch (action->kind) {
    case AP_CATALOG_CREATE:
      if (action->view.size > 0) return AP_FAIL(err, AP_CORRUPT, "a frame with a definition");
      return check_location(action->frame, action->id, action->location, err);
    case AP_CATALOG_CREATE_VIEW:
      return check_view(action->frame, action->id, action->location, action->view, err);
    case AP_CATALOG_MOVE:
      if (action->frame.size == 0) return AP_FAIL(err, AP_CORRUPT, "a move of no frame");
      AP_TRY(as_corrupt(ap_catalog_check_name("stored new", action->new_name, err), err));
      if (action->new_box.size == 0) return AP_FAIL(err, AP_CORRUPT, "a move to no box");
      return check_names(action->new_hive, action->new_box, action->new_name, err);
    case AP_CATALOG_RENAME:
      return as_corrupt(ap_catalog_check_name("stored new", action->new_name, err), err);
    case AP_CATALOG_SET:
      return as_corrupt(
          ap_catalog_check_property(action->property_name, action->property_value, err), err);
    case AP_CATALOG_DROP:
      break;
  }
  return AP_OK;
}

ap_status ap_catalog_change_parse(struct ap_arena *arena, struct ap_text bytes,
                                  struct ap_catalog_change *out_change, ap_error *err) {
  const struct ap_json *json;
  AP_TRY(ap_json_parse(arena, bytes, &json, err));
  AP_TRY(check_format(json, FORMAT, err));
  AP_TRY(get_text(json, "id", &out_change->id, err));
  AP_TRY(get_i64(json, "timestamp_ms", 0, &out_change->timestamp_ms, err));
  const struct ap_json *actions = ap_json_find(json, "actions");
  if (actions == NULL || actions->kind != AP_JSON_ARRAY) {
    return AP_FAIL(err, AP_CORRUPT, "\"actions\" is not an array");
  }
  out_change->action_count = actions->count;
  out_change->actions = AP_ARENA_ARRAY(arena, struct ap_catalog_action, actions->count);
  if (out_change->actions == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < actions->count; i++) {
    AP_TRY(parse_action(&actions->items[i], &out_change->actions[i], err));
  }
  return AP_OK;
}

static void append_properties(struct ap_json_writer *writer, const struct ap_catalog_entry *entry) {
  if (entry->property_count == 0) return;
  ap_json_name(writer, AP_TEXT("properties"));
  ap_json_begin_object(writer);
  for (uint32_t i = 0; i < entry->property_count; i++) {
    ap_json_name(writer, entry->properties[i].name);
    ap_json_string(writer, entry->properties[i].value);
  }
  ap_json_end_object(writer);
}

static bool has_views(const struct ap_catalog_state *state) {
  for (uint32_t i = 0; i < state->count; i++) {
    if (state->entries[i]->view.size > 0) return true;
  }
  return false;
}

void ap_catalog_checkpoint_append(struct ap_buffer *out, const struct ap_catalog_state *state) {
  struct ap_json_writer writer;
  ap_json_writer_init(&writer, out);
  ap_json_begin_object(&writer);
  ap_json_member_i64(&writer, "format", has_views(state) ? FORMAT_WITH_VIEWS : FORMAT);
  ap_json_member_i64(&writer, "version", state->version);
  ap_json_name(&writer, AP_TEXT("entries"));
  ap_json_begin_array(&writer);
  for (uint32_t i = 0; i < state->count; i++) {
    const struct ap_catalog_entry *entry = state->entries[i];
    ap_json_begin_object(&writer);
    append_member(&writer, "hive", entry->hive);
    append_member(&writer, "box", entry->box);
    append_member(&writer, "frame", entry->name);
    append_member(&writer, "id", entry->id);
    append_member(&writer, "location", entry->location);
    append_member(&writer, "view", entry->view);
    ap_json_member_i64(&writer, "created_ms", entry->created_ms);
    append_properties(&writer, entry);
    ap_json_end_object(&writer);
  }
  ap_json_end_array(&writer);
  ap_json_end_object(&writer);
  ap_buffer_append_string(out, "\n");
}

static ap_status parse_properties(struct ap_arena *arena, const struct ap_json *json,
                                  struct ap_catalog_entry_parts *parts, ap_error *err) {
  if (ap_json_is_null(json)) return AP_OK;
  if (json->kind != AP_JSON_OBJECT) {
    return AP_FAIL(err, AP_CORRUPT, "\"properties\" is no object");
  }
  struct ap_catalog_property *properties =
      AP_ARENA_ARRAY(arena, struct ap_catalog_property, json->count);
  if (properties == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < json->count; i++) {
    const struct ap_json_member *member = &json->members[i];
    if (member->value.kind != AP_JSON_STRING) {
      return AP_FAIL(err, AP_CORRUPT, "a property's value is no string");
    }
    AP_TRY(as_corrupt(ap_catalog_check_property(member->name, member->value.text, err), err));
    properties[i] = (struct ap_catalog_property){member->name, member->value.text};
  }
  parts->property_count = json->count;
  parts->properties = properties;
  return AP_OK;
}

static ap_status parse_entry(struct ap_arena *arena, const struct ap_json *json,
                             struct ap_catalog_state *state, ap_error *err) {
  struct ap_catalog_entry_parts parts = {0};
  struct ap_catalog_entry *entry;
  if (json->kind != AP_JSON_OBJECT) return AP_FAIL(err, AP_CORRUPT, "an entry is no object");
  AP_TRY(get_text(json, "hive", &parts.hive, err));
  AP_TRY(get_text(json, "box", &parts.box, err));
  AP_TRY(get_text(json, "frame", &parts.name, err));
  AP_TRY(get_text(json, "id", &parts.id, err));
  AP_TRY(get_text(json, "location", &parts.location, err));
  AP_TRY(get_text(json, "view", &parts.view, err));
  AP_TRY(get_i64(json, "created_ms", 0, &parts.created_ms, err));
  AP_TRY(check_names(parts.hive, parts.box, parts.name, err));
  AP_TRY(parts.view.size > 0 ? check_view(parts.name, parts.id, parts.location, parts.view, err)
                             : check_location(parts.name, parts.id, parts.location, err));
  AP_TRY(parse_properties(arena, ap_json_find(json, "properties"), &parts, err));
  AP_TRY(ap_catalog_entry_create(state->allocator, &parts, &entry, err));
  return ap_catalog_state_insert(state, entry, err);
}

static ap_status parse_entries(struct ap_arena *arena, struct ap_text bytes,
                               struct ap_catalog_state *state, ap_error *err) {
  const struct ap_json *json;
  AP_TRY(ap_json_parse(arena, bytes, &json, err));
  AP_TRY(check_format(json, FORMAT_WITH_VIEWS, err));
  AP_TRY(get_i64(json, "version", -1, &state->version, err));
  if (state->version < 0) return AP_FAIL(err, AP_CORRUPT, "no \"version\"");
  const struct ap_json *entries = ap_json_find(json, "entries");
  if (entries == NULL || entries->kind != AP_JSON_ARRAY) {
    return AP_FAIL(err, AP_CORRUPT, "\"entries\" is not an array");
  }
  for (uint32_t i = 0; i < entries->count; i++) {
    AP_TRY(parse_entry(arena, &entries->items[i], state, err));
  }
  return AP_OK;
}

ap_status ap_catalog_checkpoint_parse(struct ap_allocator *allocator, struct ap_text bytes,
                                      struct ap_catalog_state **out_state, ap_error *err) {
  struct ap_catalog_state *state;
  AP_TRY(ap_catalog_state_create(allocator, &state, err));
  struct ap_arena arena;
  ap_arena_init(&arena, allocator);
  ap_status status = parse_entries(&arena, bytes, state, err);
  ap_arena_deinit(&arena);
  if (status != AP_OK) {
    ap_catalog_state_release(state);
    return status;
  }
  *out_state = state;
  return AP_OK;
}

void ap_catalog_hint_append(struct ap_buffer *out, int64_t version) {
  ap_buffer_append_format(out, "{\"version\":%" PRId64 "}\n", version);
}

ap_status ap_catalog_hint_parse(struct ap_allocator *allocator, struct ap_text bytes,
                                int64_t *out_version, ap_error *err) {
  struct ap_arena arena;
  const struct ap_json *json;
  ap_arena_init(&arena, allocator);
  ap_status status = ap_json_parse(&arena, bytes, &json, err);
  if (status == AP_OK) status = get_i64(json, "version", -1, out_version, err);
  if (status == AP_OK && *out_version < 0) status = AP_FAIL(err, AP_CORRUPT, "no \"version\"");
  ap_arena_deinit(&arena);
  return status;
}
