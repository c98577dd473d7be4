/* SPDX-License-Identifier: Apache-2.0
 *
 * See alter.h. The changes of columns and their rules; what concerns types stands in alter_type.c.
 */
#include "ledger/alter.h"

#include "base/assert.h"
#include "base/limits.h"
#include "cell/expression.h"
#include "ledger/alter_type.h"
#include "ledger/properties.h"
#include "ledger/protocol.h"
#include "ledger/table_edit.h"

#include <string.h>

#define CONSTRAINTS AP_TEXT("delta.constraints.")
#define GENERATION  AP_TEXT("delta.generationExpression")
#define DEFAULT     AP_TEXT("CURRENT_DEFAULT")
#define MAPPING     AP_TEXT("delta.columnMapping.mode")

static ap_status check_name(struct ap_text name, ap_error *err) {
  if (name.size > 0 && name.size <= AP_NAME_BYTES_MAX && ap_text_is_utf8(name) &&
      !memchr(name.data, '\0', name.size)) {
    return AP_OK;
  }
  return AP_FAIL(err, AP_INVALID_ARGUMENT,
                 "'%.*s' is no name of a column: it must be UTF-8 of 1 to %d bytes",
                 AP_TEXT_ARG(name), (int)AP_NAME_BYTES_MAX);
}

static ap_status need_mapping(struct ap_table_edit *edit, const char *what,
                              const struct ap_column_path *path, ap_error *err) {
  if (ap_table_edit_is_mapped(edit)) return AP_OK;
  ap_status status =
      AP_FAIL(err, AP_UNSUPPORTED, "column '%s' cannot be %s: the cells hold it by its name",
              ap_column_path_text(edit->arena, path), what);
  ap_error_hint(err,
                "turn column mapping on first: ALTER FRAME .. SET TBLPROPERTIES "
                "('delta.columnMapping.mode' = 'name')");
  return status;
}

/* ---- what depends on a column ---------------------------------------------------------------- */

static bool mentions(struct ap_text expression, const struct ap_column_path *path) {
  for (uint32_t i = 0; i < path->count; i++) {
    if (!ap_expression_mentions(expression, path->parts[i])) return false;
  }
  return true;
}

static ap_status depends(struct ap_table_edit *edit, const struct ap_column_path *path,
                         const char *what, struct ap_text name, struct ap_text expression,
                         ap_error *err) {
  ap_status status = AP_FAIL(err, AP_STATE, "column '%s' is used by the %s '%.*s' (%.*s)",
                             ap_column_path_text(edit->arena, path), what, AP_TEXT_ARG(name),
                             AP_TEXT_ARG(expression));
  ap_error_hint(err, "drop what depends on the column first");
  return status;
}

/* AP_STATE when a constraint or another column's expression mentions the column. */
static ap_status check_unused(struct ap_table_edit *edit, const struct ap_column_path *path,
                              ap_error *err) {
  for (uint32_t i = 0; i < edit->configuration->count; i++) {
    const struct ap_json_member *member = &edit->configuration->members[i];
    if (!ap_text_starts_with(member->name, CONSTRAINTS)) continue;
    if (!mentions(member->value.text, path)) continue;
    struct ap_text name = {member->name.data + CONSTRAINTS.size,
                           member->name.size - CONSTRAINTS.size};
    return depends(edit, path, "constraint", name, member->value.text, err);
  }
  struct ap_json *fields = ap_json_edit_find(edit->schema, AP_TEXT("fields"));
  for (uint32_t i = 0; i < fields->count; i++) {
    static const char *const members[] = {"delta.generationExpression", "delta.invariants"};
    struct ap_json *metadata = ap_json_edit_find(&fields->items[i], AP_TEXT("metadata"));
    for (size_t m = 0; m < sizeof(members) / sizeof(members[0]); m++) {
      struct ap_text expression = {NULL, 0};
      if (!ap_json_get_text(metadata, members[m], expression, &expression)) continue;
      if (expression.size == 0 || !mentions(expression, path)) continue;
      return depends(edit, path, "generated or checked column", ap_field_name(&fields->items[i]),
                     expression, err);
    }
  }
  return AP_OK;
}

/* The index among partitionColumns of a top-level column; -1: none. */
static int64_t partition_index(struct ap_table_edit *edit, const struct ap_column_path *path,
                               struct ap_json **out_columns) {
  struct ap_json *columns = ap_json_edit_find(edit->metadata, AP_TEXT("partitionColumns"));
  *out_columns = columns;
  if (path->count != 1 || !columns || columns->kind != AP_JSON_ARRAY) return -1;
  for (uint32_t i = 0; i < columns->count; i++) {
    if (ap_text_equal_ignoring_case(columns->items[i].text, path->parts[0])) return i;
  }
  return -1;
}

/* ---- columns --------------------------------------------------------------------------------- */

/* The index a column shall have among fields, its own place not counted. */
static ap_status find_place(struct ap_table_edit *edit, struct ap_json *fields,
                            const struct ap_alter_column *column, uint32_t *out_index,
                            ap_error *err) {
  *out_index = fields->count;
  if (column->place == AP_PLACE_FIRST) *out_index = 0;
  if (column->place != AP_PLACE_AFTER) return AP_OK;
  int64_t after = ap_fields_find(fields, column->after);
  if (after < 0) {
    return AP_FAIL(err, AP_NOT_FOUND, "there is no column '%.*s' to put '%s' after",
                   AP_TEXT_ARG(column->after), ap_column_path_text(edit->arena, &column->path));
  }
  *out_index = (uint32_t)after + 1;
  return AP_OK;
}

static ap_status set_member(struct ap_table_edit *edit, struct ap_json *field, struct ap_text name,
                            struct ap_text value, ap_error *err) {
  struct ap_json *metadata = ap_table_edit_field_metadata(edit, field);
  if (!metadata) return AP_FAIL_MEMORY(err);
  if (value.size == 0) {
    (void)ap_json_edit_remove(metadata, name);
    return AP_OK;
  }
  if (!ap_text_is_utf8(value)) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "'%.*s' of column '%.*s' is not UTF-8",
                   AP_TEXT_ARG(name), AP_TEXT_ARG(ap_field_name(field)));
  }
  return ap_json_edit_set(edit->arena, metadata, name, ap_json_of_text(value))
             ? AP_OK
             : AP_FAIL_MEMORY(err);
}

static ap_status add_column(struct ap_table_edit *edit, const struct ap_alteration *alteration,
                            const struct ap_alter_column *column, ap_error *err) {
  struct ap_json *fields = NULL;
  struct ap_json field;
  uint32_t index = 0;
  struct ap_text name = column->path.parts[column->path.count - 1];
  AP_TRY(check_name(name, err));
  AP_TRY(ap_table_edit_parent(edit, &column->path, &fields, err));
  if (ap_fields_find(fields, name) >= 0) {
    if (alteration->forgiving) return AP_OK;
    return AP_FAIL(err, AP_ALREADY_EXISTS, "there is a column '%s' already",
                   ap_column_path_text(edit->arena, &column->path));
  }
  if (fields->count >= AP_COLUMNS_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "a frame has at most %d columns", (int)AP_COLUMNS_MAX);
  }
  if (column->type.kind == AP_TYPE_NULL) {
    return AP_FAIL(err, AP_SCHEMA_MISMATCH, "column '%.*s' has no type", AP_TEXT_ARG(name));
  }
  AP_TRY(ap_table_edit_make_field(edit, name, &column->type, &field, err));
  AP_TRY(set_member(edit, &field, AP_TEXT("comment"), column->comment, err));
  if (ap_table_edit_is_mapped(edit)) AP_TRY(ap_table_edit_map_field(edit, &field, false, err));
  AP_TRY(find_place(edit, fields, column, &index, err));
  return ap_json_edit_insert(edit->arena, fields, index, field) ? AP_OK : AP_FAIL_MEMORY(err);
}

static ap_status drop_column(struct ap_table_edit *edit, const struct ap_alteration *alteration,
                             const struct ap_column_path *path, ap_error *err) {
  struct ap_field_place place;
  struct ap_json *columns = NULL;
  ap_error missing = {0};
  ap_status status = ap_table_edit_find(edit, path, &place, &missing);
  if (status == AP_NOT_FOUND && alteration->forgiving) return AP_OK;
  if (status != AP_OK) {
    if (err) *err = missing;
    return status;
  }
  const char *name = ap_column_path_text(edit->arena, path);
  AP_TRY(need_mapping(edit, "dropped", path, err));
  if (partition_index(edit, path, &columns) >= 0) {
    return AP_FAIL(err, AP_UNSUPPORTED, "column '%s' is a partition column and cannot be dropped",
                   name);
  }
  uint32_t partitions = columns && path->count == 1 ? columns->count : 0;
  if (place.fields->count <= partitions + 1) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "column '%s' is the last one and must stay", name);
  }
  AP_TRY(check_unused(edit, path, err));
  ap_json_edit_take(place.fields, place.index);
  return AP_OK;
}

static ap_status rename_column(struct ap_table_edit *edit, const struct ap_alteration *alteration,
                               ap_error *err) {
  struct ap_field_place place;
  struct ap_json *columns = NULL;
  AP_TRY(check_name(alteration->text, err));
  AP_TRY(ap_table_edit_find(edit, &alteration->column, &place, err));
  AP_TRY(need_mapping(edit, "renamed", &alteration->column, err));
  int64_t twin = ap_fields_find(place.fields, alteration->text);
  if (twin >= 0 && twin != (int64_t)place.index) {
    return AP_FAIL(err, AP_ALREADY_EXISTS, "there is a column '%.*s' already",
                   AP_TEXT_ARG(alteration->text));
  }
  AP_TRY(check_unused(edit, &alteration->column, err));
  int64_t partition = partition_index(edit, &alteration->column, &columns);
  if (partition >= 0) columns->items[partition] = ap_json_of_text(alteration->text);
  return ap_json_edit_set(edit->arena, place.field, AP_TEXT("name"),
                          ap_json_of_text(alteration->text))
             ? AP_OK
             : AP_FAIL_MEMORY(err);
}

static ap_status move_column(struct ap_table_edit *edit, const struct ap_alter_column *column,
                             ap_error *err) {
  struct ap_field_place place;
  uint32_t index = 0;
  AP_TRY(ap_table_edit_find(edit, &column->path, &place, err));
  AP_TRY(find_place(edit, place.fields, column, &index, err));
  if (index > place.index) index -= 1;
  ap_json_edit_move(place.fields, place.index, index);
  return AP_OK;
}

static ap_status set_nullable(struct ap_table_edit *edit, const struct ap_column_path *path,
                              bool nullable, ap_error *err) {
  struct ap_field_place place;
  AP_TRY(ap_table_edit_find(edit, path, &place, err));
  return ap_json_edit_set(edit->arena, place.field, AP_TEXT("nullable"), ap_json_of_bool(nullable))
             ? AP_OK
             : AP_FAIL_MEMORY(err);
}

/* A default, or a generation expression: of top-level columns, and not both. */
static ap_status set_expression(struct ap_table_edit *edit, const struct ap_alteration *alteration,
                                struct ap_text member, struct ap_text other, ap_error *err) {
  struct ap_field_place place;
  AP_TRY(ap_table_edit_find(edit, &alteration->column, &place, err));
  const char *name = ap_column_path_text(edit->arena, &alteration->column);
  if (alteration->column.count > 1) {
    return AP_FAIL(err, AP_UNSUPPORTED,
                   "column '%s' is part of another and has no value of its "
                   "own by default",
                   name);
  }
  struct ap_json *metadata = ap_table_edit_field_metadata(edit, place.field);
  if (!metadata) return AP_FAIL_MEMORY(err);
  if (alteration->text.size > 0 && ap_json_edit_find(metadata, other)) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT,
                   "column '%s' cannot have both a default and a "
                   "generation expression",
                   name);
  }
  return set_member(edit, place.field, member, alteration->text, err);
}

static ap_status set_comment(struct ap_table_edit *edit, const struct ap_alteration *alteration,
                             ap_error *err) {
  struct ap_field_place place;
  AP_TRY(ap_table_edit_find(edit, &alteration->column, &place, err));
  return set_member(edit, place.field, AP_TEXT("comment"), alteration->text, err);
}

/* ---- the table's own ------------------------------------------------------------------------- */

static ap_status set_description(struct ap_table_edit *edit, struct ap_text text, ap_error *err) {
  if (text.size == 0) {
    (void)ap_json_edit_remove(edit->metadata, AP_TEXT("description"));
    return AP_OK;
  }
  if (!ap_text_is_utf8(text)) return AP_FAIL(err, AP_INVALID_ARGUMENT, "a comment is not UTF-8");
  return ap_json_edit_set(edit->arena, edit->metadata, AP_TEXT("description"),
                          ap_json_of_text(text))
             ? AP_OK
             : AP_FAIL_MEMORY(err);
}

/* The property of a constraint: Delta keeps their names in lower case. */
static ap_status constraint_key(struct ap_table_edit *edit, struct ap_text name,
                                struct ap_text *out_key, ap_error *err) {
  AP_TRY(check_name(name, err));
  char *key = ap_arena_format(edit->arena, "delta.constraints.%.*s", AP_TEXT_ARG(name));
  if (!key) return AP_FAIL_MEMORY(err);
  for (char *c = key; *c; c++) {
    if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
  }
  *out_key = ap_text_of(key);
  return AP_OK;
}

static ap_status add_constraint(struct ap_table_edit *edit, const struct ap_alteration *alteration,
                                ap_error *err) {
  struct ap_text key;
  AP_TRY(constraint_key(edit, alteration->name, &key, err));
  if (ap_json_edit_find(edit->configuration, key)) {
    if (alteration->forgiving) return AP_OK;
    return AP_FAIL(err, AP_ALREADY_EXISTS, "there is a constraint '%.*s' already",
                   AP_TEXT_ARG(alteration->name));
  }
  return ap_table_edit_set_property(edit, key, alteration->text) ? AP_OK : AP_FAIL_MEMORY(err);
}

static ap_status drop_constraint(struct ap_table_edit *edit, const struct ap_alteration *alteration,
                                 ap_error *err) {
  struct ap_text key;
  AP_TRY(constraint_key(edit, alteration->name, &key, err));
  if (ap_json_edit_remove(edit->configuration, key) || alteration->forgiving) return AP_OK;
  ap_status status =
      AP_FAIL(err, AP_NOT_FOUND, "there is no constraint '%.*s'", AP_TEXT_ARG(alteration->name));
  ap_error_hint(err, "DESCRIBE lists the constraints of a frame; IF EXISTS lets this pass");
  return status;
}

static ap_status set_mapping(struct ap_table_edit *edit, struct ap_text mode, ap_error *err) {
  struct ap_text old = ap_table_edit_property(edit, "delta.columnMapping.mode");
  if (old.size == 0) old = AP_TEXT("none");
  if (edit->is_new || ap_text_equal(old, mode)) return AP_OK;
  if (ap_text_equal(old, AP_TEXT("none")) && ap_text_equal(mode, AP_TEXT("name"))) {
    return ap_table_edit_map_all(edit, true, err);
  }
  ap_status status =
      AP_FAIL(err, AP_UNSUPPORTED, "delta.columnMapping.mode cannot go from '%.*s' to '%.*s'",
              AP_TEXT_ARG(old), AP_TEXT_ARG(mode));
  ap_error_hint(err, "it can go from 'none' to 'name'; 'id' is for new frames");
  return status;
}

static ap_status set_properties(struct ap_table_edit *edit, const struct ap_alteration *alteration,
                                ap_error *err) {
  for (uint32_t i = 0; i < alteration->property_count; i++) {
    const struct ap_property *property = &alteration->properties[i];
    if (property->name.size == 0 || !ap_text_is_utf8(property->name) ||
        !ap_text_is_utf8(property->value)) {
      return AP_FAIL(err, AP_INVALID_ARGUMENT, "property %u is empty or not UTF-8", i);
    }
    AP_TRY(ap_property_check(property, err));
    if (ap_text_equal(property->name, MAPPING)) AP_TRY(set_mapping(edit, property->value, err));
    bool commits =
        ap_text_equal(property->name, AP_TEXT("delta.enableInCommitTimestamps")) &&
        !ap_text_equal_ignoring_case(property->value, AP_TEXT("false")) && !edit->is_new &&
        !ap_text_equal_ignoring_case(ap_table_edit_property(edit, "delta.enableInCommitTimestamps"),
                                     property->value);
    if (commits) {
      return AP_FAIL(err, AP_UNSUPPORTED,
                     "timestamps in commits are for new frames: "
                     "'%.*s' cannot be turned on later",
                     AP_TEXT_ARG(property->name));
    }
    if (!ap_table_edit_set_property(edit, property->name, property->value)) {
      return AP_FAIL_MEMORY(err);
    }
  }
  return AP_OK;
}

static ap_status unset_properties(struct ap_table_edit *edit,
                                  const struct ap_alteration *alteration, ap_error *err) {
  for (uint32_t i = 0; i < alteration->property_count; i++) {
    struct ap_text name = alteration->properties[i].name;
    AP_TRY(ap_property_check_unset(name, err));
    if (ap_text_equal(name, MAPPING)) AP_TRY(set_mapping(edit, AP_TEXT("none"), err));
    if (ap_json_edit_remove(edit->configuration, name) || alteration->forgiving) continue;
    ap_status status = AP_FAIL(err, AP_NOT_FOUND, "property '%.*s' is not set", AP_TEXT_ARG(name));
    ap_error_hint(err, "IF EXISTS lets this pass");
    return status;
  }
  return AP_OK;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static ap_status apply(struct ap_table_edit *edit, const struct ap_alteration *alteration,
                       ap_error *err) {
  const struct ap_column_path *column = &alteration->column;
  switch (alteration->kind) {
    case AP_ALTER_ADD_COLUMNS:
      for (uint32_t i = 0; i < alteration->column_count; i++) {
        AP_TRY(add_column(edit, alteration, &alteration->columns[i], err));
      }
      return AP_OK;
    case AP_ALTER_DROP_COLUMNS:
      for (uint32_t i = 0; i < alteration->column_count; i++) {
        AP_TRY(drop_column(edit, alteration, &alteration->columns[i].path, err));
      }
      return AP_OK;
    case AP_ALTER_RENAME_COLUMN:
      return rename_column(edit, alteration, err);
    case AP_ALTER_MOVE_COLUMN:
      return move_column(edit, &alteration->columns[0], err);
    case AP_ALTER_SET_TYPE:
      AP_TRY(check_unused(edit, &alteration->columns[0].path, err));
      return ap_alter_set_type(edit, &alteration->columns[0], err);
    case AP_ALTER_SET_NOT_NULL:
      return set_nullable(edit, column, false, err);
    case AP_ALTER_DROP_NOT_NULL:
      return set_nullable(edit, column, true, err);
    case AP_ALTER_SET_DEFAULT:
    case AP_ALTER_DROP_DEFAULT:
      return set_expression(edit, alteration, DEFAULT, GENERATION, err);
    case AP_ALTER_SET_GENERATED:
      AP_ASSERT(edit->is_new);
      return set_expression(edit, alteration, GENERATION, DEFAULT, err);
    case AP_ALTER_COMMENT_COLUMN:
      return set_comment(edit, alteration, err);
    case AP_ALTER_COMMENT_TABLE:
      return set_description(edit, alteration->text, err);
    case AP_ALTER_ADD_CONSTRAINT:
      return add_constraint(edit, alteration, err);
    case AP_ALTER_DROP_CONSTRAINT:
      return drop_constraint(edit, alteration, err);
    case AP_ALTER_SET_PROPERTIES:
      return set_properties(edit, alteration, err);
    case AP_ALTER_UNSET_PROPERTIES:
      return unset_properties(edit, alteration, err);
  }
  return AP_OK;
}

ap_status ap_alter_apply(struct ap_arena *arena, struct ap_random *random,
                         struct ap_text protocol_json, struct ap_text metadata_json,
                         const struct ap_alteration *alteration, struct ap_text *out_protocol_json,
                         struct ap_text *out_metadata_json, ap_error *err) {
  struct ap_table_edit edit;
  struct ap_text before = {NULL, 0};
  *out_protocol_json = *out_metadata_json = (struct ap_text){NULL, 0};
  AP_TRY(ap_table_edit_open(&edit, arena, random, metadata_json, err));
  AP_TRY(ap_table_edit_close(&edit, &before, err));
  AP_TRY(apply(&edit, alteration, err));
  AP_TRY(ap_table_edit_close(&edit, out_metadata_json, err));
  if (ap_text_equal(before, *out_metadata_json)) {
    *out_metadata_json = (struct ap_text){NULL, 0};
    return AP_OK;
  }
  return ap_protocol_upgrade(arena, protocol_json, *out_metadata_json, out_protocol_json, err);
}

/* What a table keeps of the one whose place it takes. */
static ap_status inherit(struct ap_table_edit *edit, const struct ap_table *before, ap_error *err) {
  static const char *const commits[] = {"delta.enableInCommitTimestamps",
                                        "delta.inCommitTimestampEnablementVersion",
                                        "delta.inCommitTimestampEnablementTimestamp"};
  struct ap_text last = ap_table_property(before, "delta.columnMapping.maxColumnId");
  bool had = ap_table_property_bool(before, commits[0], false);
  struct ap_text wish = ap_table_edit_property(edit, commits[0]);
  if (last.size > 0 && ap_table_edit_is_mapped(edit) &&
      !ap_table_edit_set_property(edit, AP_TEXT("delta.columnMapping.maxColumnId"), last)) {
    return AP_FAIL_MEMORY(err);
  }
  if (!had && wish.size > 0 && !ap_text_equal_ignoring_case(wish, AP_TEXT("false"))) {
    ap_status status = AP_FAIL(err, AP_UNSUPPORTED,
                               "timestamps in commits are for new frames: '%s' cannot be turned on "
                               "by replacing one",
                               commits[0]);
    ap_error_hint(err, "drop the frame first, or leave the property out");
    return status;
  }
  for (size_t i = 0; had && wish.size == 0 && i < sizeof(commits) / sizeof(commits[0]); i++) {
    struct ap_text value = ap_table_property(before, commits[i]);
    if (value.size == 0) continue;
    if (!ap_table_edit_set_property(edit, ap_text_of(commits[i]), value)) {
      return AP_FAIL_MEMORY(err);
    }
  }
  return AP_OK;
}

ap_status ap_alter_apply_new(struct ap_arena *arena, struct ap_random *random,
                             const struct ap_table *before, struct ap_text metadata_json,
                             const struct ap_alteration *alterations, uint32_t count,
                             struct ap_text *out_protocol_json, struct ap_text *out_metadata_json,
                             ap_error *err) {
  struct ap_table_edit edit;
  AP_TRY(ap_table_edit_open(&edit, arena, random, metadata_json, err));
  edit.is_new = true;
  for (uint32_t i = 0; i < edit.configuration->count; i++) {
    const struct ap_json_member *member = &edit.configuration->members[i];
    const struct ap_property property = {member->name, member->value.text};
    AP_TRY(ap_property_check(&property, err));
  }
  if (before) AP_TRY(inherit(&edit, before, err));
  for (uint32_t i = 0; i < count; i++) AP_TRY(apply(&edit, &alterations[i], err));
  if (ap_table_edit_is_mapped(&edit)) AP_TRY(ap_table_edit_map_all(&edit, false, err));
  AP_TRY(ap_table_edit_close(&edit, out_metadata_json, err));
  *out_protocol_json = (struct ap_text){NULL, 0};
  return ap_protocol_upgrade(arena, before ? before->protocol_json : (struct ap_text){NULL, 0},
                             *out_metadata_json, out_protocol_json, err);
}
