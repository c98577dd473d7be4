/* SPDX-License-Identifier: Apache-2.0
 *
 * See table_edit.h. The schema stands in the action as a text of JSON; it is parsed beside it and
 * put back when the edit is closed.
 */
#include "ledger/table_edit.h"

#include "base/assert.h"
#include "base/limits.h"
#include "ledger/delta_schema.h"

#include <string.h>

#define MAPPING_ID   AP_TEXT("delta.columnMapping.id")
#define MAPPING_NAME AP_TEXT("delta.columnMapping.physicalName")
#define MAPPING_MODE "delta.columnMapping.mode"
#define MAPPING_MAX  "delta.columnMapping.maxColumnId"

ap_status ap_table_edit_open(struct ap_table_edit *edit, struct ap_arena *arena,
                             struct ap_random *random, struct ap_text metadata_json,
                             ap_error *err) {
  *edit = (struct ap_table_edit){.arena = arena, .random = random};
  struct ap_text schema = {NULL, 0};
  AP_TRY(ap_json_parse_editable(arena, metadata_json, &edit->metadata, err));
  if (!ap_json_get_text(edit->metadata, "schemaString", schema, &schema) || schema.size == 0) {
    return AP_FAIL(err, AP_CORRUPT, "metaData.schemaString is missing");
  }
  AP_TRY(ap_json_parse_editable(arena, schema, &edit->schema, err));
  edit->configuration = ap_json_edit_find(edit->metadata, AP_TEXT("configuration"));
  if (ap_json_is_null(edit->configuration)) {
    const struct ap_json empty = {.kind = AP_JSON_OBJECT};
    if (!ap_json_edit_set(arena, edit->metadata, AP_TEXT("configuration"), empty)) {
      return AP_FAIL_MEMORY(err);
    }
    edit->configuration = ap_json_edit_find(edit->metadata, AP_TEXT("configuration"));
  }
  struct ap_json *fields = ap_json_edit_find(edit->schema, AP_TEXT("fields"));
  if (!fields || fields->kind != AP_JSON_ARRAY || edit->configuration->kind != AP_JSON_OBJECT) {
    return AP_FAIL(err, AP_CORRUPT, "metaData has a schema or configuration of a wrong kind");
  }
  return AP_OK;
}

ap_status ap_table_edit_close(struct ap_table_edit *edit, struct ap_text *out_metadata_json,
                              ap_error *err) {
  struct ap_buffer buffer;
  struct ap_json_writer writer;
  struct ap_text schema = {NULL, 0};
  ap_buffer_init(&buffer, edit->arena->allocator);
  ap_json_writer_init(&writer, &buffer);
  ap_json_value(&writer, edit->schema);
  ap_status status = ap_buffer_check(&buffer, err);
  if (status == AP_OK) {
    schema = (struct ap_text){ap_arena_copy(edit->arena, ap_buffer_text(&buffer)), buffer.size};
    bool set =
        schema.data != NULL && ap_json_edit_set(edit->arena, edit->metadata,
                                                AP_TEXT("schemaString"), ap_json_of_text(schema));
    if (!set) status = AP_FAIL_MEMORY(err);
  }
  if (status == AP_OK) {
    ap_buffer_clear(&buffer);
    ap_json_writer_init(&writer, &buffer);
    ap_json_value(&writer, edit->metadata);
    status = ap_buffer_check(&buffer, err);
  }
  if (status == AP_OK) {
    const char *copy = ap_arena_copy(edit->arena, ap_buffer_text(&buffer));
    *out_metadata_json = (struct ap_text){copy, buffer.size};
    if (!copy) status = AP_FAIL_MEMORY(err);
  }
  ap_buffer_deinit(&buffer);
  return status;
}

/* ---- finding --------------------------------------------------------------------------------- */

struct ap_text ap_field_name(const struct ap_json *field) {
  struct ap_text name = {"", 0};
  if (!ap_json_get_text(field, "name", name, &name)) return (struct ap_text){"", 0};
  return name;
}

int64_t ap_fields_find(struct ap_json *fields, struct ap_text name) {
  int64_t found = -1;
  for (uint32_t i = 0; i < fields->count; i++) {
    struct ap_text candidate = ap_field_name(&fields->items[i]);
    if (ap_text_equal(candidate, name)) return i;
    if (ap_text_equal_ignoring_case(candidate, name)) found = i;
  }
  return found;
}

const char *ap_column_path_text(struct ap_arena *arena, const struct ap_column_path *path) {
  const char *text = "";
  for (uint32_t i = 0; text && i < path->count; i++) {
    text = ap_arena_format(arena, i > 0 ? "%s.%.*s" : "%s%.*s", text, AP_TEXT_ARG(path->parts[i]));
  }
  return text ? text : "?";
}

static ap_status not_there(struct ap_table_edit *edit, const struct ap_column_path *path,
                           struct ap_json *fields, struct ap_text part, ap_error *err) {
  ap_status status =
      AP_FAIL(err, AP_NOT_FOUND, "there is no column '%s'", ap_column_path_text(edit->arena, path));
  const char **names = fields ? AP_ARENA_ARRAY(edit->arena, const char *, fields->count + 1) : NULL;
  if (!names) return status;
  for (uint32_t i = 0; i < fields->count; i++) {
    names[i] = ap_arena_copy(edit->arena, ap_field_name(&fields->items[i]));
    if (!names[i]) return status;
  }
  const char *nearest = ap_text_nearest(part, names, fields->count);
  if (nearest) ap_error_hint(err, "did you mean '%s'?", nearest);
  return status;
}

/* The type that a part of a path leads to, through a list or map; NULL: none. */
static struct ap_json *child_type(struct ap_json *type, struct ap_text part) {
  static const char *const steps[][3] = {{"array", "element", "elementType"},
                                         {"map", "key", "keyType"},
                                         {"map", "value", "valueType"}};
  struct ap_text kind = {NULL, 0};
  if (!ap_json_get_text(type, "type", kind, &kind)) return NULL;
  for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
    if (!ap_text_equal_string(kind, steps[i][0])) continue;
    if (!ap_text_equal_ignoring_case(part, ap_text_of(steps[i][1]))) continue;
    return ap_json_edit_find(type, ap_text_of(steps[i][2]));
  }
  return NULL;
}

static struct ap_json *fields_of(struct ap_json *type) {
  struct ap_text kind = {NULL, 0};
  if (!ap_json_get_text(type, "type", kind, &kind)) return NULL;
  if (!ap_text_equal_string(kind, "struct")) return NULL;
  struct ap_json *fields = ap_json_edit_find(type, AP_TEXT("fields"));
  return fields && fields->kind == AP_JSON_ARRAY ? fields : NULL;
}

ap_status ap_table_edit_parent(struct ap_table_edit *edit, const struct ap_column_path *path,
                               struct ap_json **out_fields, ap_error *err) {
  AP_ASSERT(path->count > 0);
  struct ap_json *type = edit->schema;
  for (uint32_t i = 0; i + 1 < path->count; i++) {
    struct ap_json *fields = fields_of(type);
    if (!fields) {
      type = child_type(type, path->parts[i]);
      if (!type) return not_there(edit, path, NULL, path->parts[i], err);
      continue;
    }
    int64_t index = ap_fields_find(fields, path->parts[i]);
    if (index < 0) return not_there(edit, path, fields, path->parts[i], err);
    type = ap_json_edit_find(&fields->items[index], AP_TEXT("type"));
  }
  *out_fields = fields_of(type);
  if (*out_fields) return AP_OK;
  ap_status status = AP_FAIL(err, AP_INVALID_ARGUMENT, "column '%s' does not stand in a struct",
                             ap_column_path_text(edit->arena, path));
  ap_error_hint(err, "parts of lists are reached by 'element', those of maps by 'key' and 'value'");
  return status;
}

ap_status ap_table_edit_find(struct ap_table_edit *edit, const struct ap_column_path *path,
                             struct ap_field_place *out_place, ap_error *err) {
  AP_TRY(ap_table_edit_parent(edit, path, &out_place->fields, err));
  struct ap_text last = path->parts[path->count - 1];
  int64_t index = ap_fields_find(out_place->fields, last);
  if (index < 0) return not_there(edit, path, out_place->fields, last, err);
  out_place->index = (uint32_t)index;
  out_place->field = &out_place->fields->items[index];
  return AP_OK;
}

struct ap_json *ap_table_edit_field_metadata(struct ap_table_edit *edit, struct ap_json *field) {
  struct ap_json *metadata = ap_json_edit_find(field, AP_TEXT("metadata"));
  if (metadata && metadata->kind == AP_JSON_OBJECT) return metadata;
  const struct ap_json empty = {.kind = AP_JSON_OBJECT};
  if (!ap_json_edit_set(edit->arena, field, AP_TEXT("metadata"), empty)) return NULL;
  return ap_json_edit_find(field, AP_TEXT("metadata"));
}

struct ap_text ap_table_edit_property(struct ap_table_edit *edit, const char *name) {
  struct ap_text value = {"", 0};
  if (!ap_json_get_text(edit->configuration, name, value, &value)) return (struct ap_text){"", 0};
  return value;
}

bool ap_table_edit_set_property(struct ap_table_edit *edit, struct ap_text name,
                                struct ap_text value) {
  struct ap_json *found = ap_json_edit_find(edit->configuration, name);
  if (found && found->kind == AP_JSON_STRING && ap_text_equal(found->text, value)) return true;
  edit->changed = true;
  return ap_json_edit_set(edit->arena, edit->configuration, name, ap_json_of_text(value));
}

/* ---- making ---------------------------------------------------------------------------------- */

static ap_status parse_made(struct ap_table_edit *edit, struct ap_buffer *text,
                            struct ap_json **out_value, ap_error *err) {
  ap_status status = ap_buffer_check(text, err);
  if (status == AP_OK) {
    status = ap_json_parse_editable(edit->arena, ap_buffer_text(text), out_value, err);
  }
  ap_buffer_deinit(text);
  return status;
}

ap_status ap_table_edit_make_field(struct ap_table_edit *edit, struct ap_text name,
                                   const struct ap_type *type, struct ap_json *out_field,
                                   ap_error *err) {
  const struct ap_field field = {.name = name, .type = *type, .nullable = true};
  const struct ap_schema schema = {.field_count = 1, .fields = &field};
  struct ap_buffer text;
  struct ap_json *made = NULL;
  ap_buffer_init(&text, edit->arena->allocator);
  ap_delta_schema_append(&text, &schema);
  AP_TRY(parse_made(edit, &text, &made, err));
  *out_field = ap_json_edit_find(made, AP_TEXT("fields"))->items[0];
  return AP_OK;
}

ap_status ap_table_edit_make_type(struct ap_table_edit *edit, const struct ap_type *type,
                                  struct ap_json *out_type, ap_error *err) {
  struct ap_json field;
  AP_TRY(ap_table_edit_make_field(edit, AP_TEXT("x"), type, &field, err));
  *out_type = *ap_json_edit_find(&field, AP_TEXT("type"));
  return AP_OK;
}

/* ---- column mapping -------------------------------------------------------------------------- */

bool ap_table_edit_is_mapped(struct ap_table_edit *edit) {
  struct ap_text mode = ap_table_edit_property(edit, MAPPING_MODE);
  return ap_text_equal(mode, AP_TEXT("name")) || ap_text_equal(mode, AP_TEXT("id"));
}

static ap_status next_id(struct ap_table_edit *edit, struct ap_json *out_id, ap_error *err) {
  int64_t last = 0;
  (void)ap_text_parse_i64(ap_table_edit_property(edit, MAPPING_MAX), &last);
  if (last < 0 || last >= INT32_MAX) {
    return AP_FAIL(err, AP_CORRUPT, MAPPING_MAX " is no number of a column");
  }
  if (!ap_json_of_i64(edit->arena, last + 1, out_id)) return AP_FAIL_MEMORY(err);
  return ap_table_edit_set_property(edit, AP_TEXT(MAPPING_MAX), out_id->text) ? AP_OK
                                                                              : AP_FAIL_MEMORY(err);
}

static ap_status map_type(struct ap_table_edit *edit, struct ap_json *type, bool keep_names,
                          ap_error *err) {
  static const char *const inner[] = {"elementType", "keyType", "valueType"};
  struct ap_json *fields = fields_of(type);
  for (uint32_t i = 0; fields && i < fields->count; i++) {
    AP_TRY(ap_table_edit_map_field(edit, &fields->items[i], keep_names, err));
  }
  for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
    struct ap_json *child = ap_json_edit_find(type, ap_text_of(inner[i]));
    if (child) AP_TRY(map_type(edit, child, keep_names, err));
  }
  return AP_OK;
}

ap_status ap_table_edit_map_field(struct ap_table_edit *edit, struct ap_json *field,
                                  bool keep_names, ap_error *err) {
  struct ap_json *metadata = ap_table_edit_field_metadata(edit, field);
  if (!metadata) return AP_FAIL_MEMORY(err);
  if (!ap_json_edit_find(metadata, MAPPING_ID)) {
    struct ap_json id;
    AP_TRY(next_id(edit, &id, err));
    if (!ap_json_edit_set(edit->arena, metadata, MAPPING_ID, id)) return AP_FAIL_MEMORY(err);
  }
  if (!ap_json_edit_find(metadata, MAPPING_NAME)) {
    struct ap_text name = ap_field_name(field);
    if (!keep_names) {
      char uuid[AP_UUID_TEXT_SIZE];
      ap_random_uuid(edit->random, uuid);
      const char *text = ap_arena_format(edit->arena, "col-%s", uuid);
      if (!text) return AP_FAIL_MEMORY(err);
      name = ap_text_of(text);
    }
    if (!ap_json_edit_set(edit->arena, metadata, MAPPING_NAME, ap_json_of_text(name))) {
      return AP_FAIL_MEMORY(err);
    }
  }
  edit->changed = true;
  struct ap_json *type = ap_json_edit_find(field, AP_TEXT("type"));
  return type && type->kind == AP_JSON_OBJECT ? map_type(edit, type, keep_names, err) : AP_OK;
}

ap_status ap_table_edit_map_all(struct ap_table_edit *edit, bool keep_names, ap_error *err) {
  return map_type(edit, edit->schema, keep_names, err);
}
