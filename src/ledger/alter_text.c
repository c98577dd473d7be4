/* SPDX-License-Identifier: Apache-2.0
 *
 * What the history says of alterations: operations and their parameters in Spark's words, each
 * parameter a text that holds JSON.
 */
#include "ledger/alter.h"

#include "ledger/delta_schema.h"

const char *ap_alter_operation(const struct ap_alteration *alteration) {
  switch (alteration->kind) {
    case AP_ALTER_ADD_COLUMNS:
      return "ADD COLUMNS";
    case AP_ALTER_DROP_COLUMNS:
      return "DROP COLUMNS";
    case AP_ALTER_RENAME_COLUMN:
      return "RENAME COLUMN";
    case AP_ALTER_MOVE_COLUMN:
    case AP_ALTER_SET_TYPE:
    case AP_ALTER_SET_NOT_NULL:
    case AP_ALTER_DROP_NOT_NULL:
    case AP_ALTER_SET_DEFAULT:
    case AP_ALTER_DROP_DEFAULT:
    case AP_ALTER_SET_GENERATED:
    case AP_ALTER_COMMENT_COLUMN:
      return "CHANGE COLUMN";
    case AP_ALTER_COMMENT_TABLE:
    case AP_ALTER_SET_PROPERTIES:
      return "SET TBLPROPERTIES";
    case AP_ALTER_UNSET_PROPERTIES:
      return "UNSET TBLPROPERTIES";
    case AP_ALTER_ADD_CONSTRAINT:
      return "ADD CONSTRAINT";
    case AP_ALTER_DROP_CONSTRAINT:
      return "DROP CONSTRAINT";
  }
  return "CHANGE COLUMN";
}

static void append_path(struct ap_buffer *out, const struct ap_column_path *path) {
  for (uint32_t i = 0; i < path->count; i++) {
    if (i > 0) ap_buffer_append_string(out, ".");
    ap_buffer_append_text(out, path->parts[i]);
  }
}

static void string_path(struct ap_json_writer *writer, const struct ap_column_path *path) {
  struct ap_buffer text;
  ap_buffer_init(&text, writer->out->allocator);
  append_path(&text, path);
  writer->out->failed |= text.failed;
  ap_json_string(writer, ap_buffer_text(&text));
  ap_buffer_deinit(&text);
}

/* {"column":{"name","type","nullable","metadata"}[,"position"]} */
static void append_added(struct ap_json_writer *writer, const struct ap_alter_column *column) {
  struct ap_buffer type;
  ap_buffer_init(&type, writer->out->allocator);
  ap_delta_schema_append_type(&type, &column->type);
  ap_json_begin_object(writer);
  ap_json_name(writer, AP_TEXT("column"));
  ap_json_begin_object(writer);
  ap_json_name(writer, AP_TEXT("name"));
  string_path(writer, &column->path);
  ap_json_name(writer, AP_TEXT("type"));
  ap_json_raw(writer, ap_buffer_text(&type));
  ap_json_member_bool(writer, "nullable", true);
  ap_json_name(writer, AP_TEXT("metadata"));
  ap_json_begin_object(writer);
  if (column->comment.size) ap_json_member_string(writer, "comment", column->comment);
  ap_json_end_object(writer);
  ap_json_end_object(writer);
  if (column->place == AP_PLACE_FIRST) ap_json_member_string(writer, "position", AP_TEXT("FIRST"));
  if (column->place == AP_PLACE_AFTER) {
    ap_json_name(writer, AP_TEXT("after"));
    ap_json_string(writer, column->after);
  }
  ap_json_end_object(writer);
  writer->out->failed |= type.failed;
  ap_buffer_deinit(&type);
}

static void append_columns(struct ap_json_writer *writer, const struct ap_alteration *alteration) {
  ap_json_begin_array(writer);
  for (uint32_t i = 0; i < alteration->column_count; i++) {
    if (alteration->kind == AP_ALTER_ADD_COLUMNS) {
      append_added(writer, &alteration->columns[i]);
    } else {
      string_path(writer, &alteration->columns[i].path);
    }
  }
  ap_json_end_array(writer);
}

static void append_properties(struct ap_json_writer *writer,
                              const struct ap_alteration *alteration) {
  bool names_only = alteration->kind == AP_ALTER_UNSET_PROPERTIES;
  if (names_only) {
    ap_json_begin_array(writer);
  } else {
    ap_json_begin_object(writer);
  }
  if (alteration->kind == AP_ALTER_COMMENT_TABLE) {
    ap_json_member_string(writer, "comment", alteration->text);
  }
  for (uint32_t i = 0; i < alteration->property_count; i++) {
    if (names_only) {
      ap_json_string(writer, alteration->properties[i].name);
    } else {
      ap_json_name(writer, alteration->properties[i].name);
      ap_json_string(writer, alteration->properties[i].value);
    }
  }
  if (names_only) {
    ap_json_end_array(writer);
  } else {
    ap_json_end_object(writer);
  }
}

/* {"name":"s.x", and what changed}: Spark puts the whole new field there. */
static void append_changed(struct ap_json_writer *writer, const struct ap_alteration *alteration) {
  bool in_columns =
      alteration->kind == AP_ALTER_MOVE_COLUMN || alteration->kind == AP_ALTER_SET_TYPE;
  struct ap_buffer type;
  ap_json_begin_object(writer);
  ap_json_name(writer, AP_TEXT("name"));
  string_path(writer, in_columns ? &alteration->columns[0].path : &alteration->column);
  switch (alteration->kind) {
    case AP_ALTER_SET_TYPE:
      ap_buffer_init(&type, writer->out->allocator);
      ap_delta_schema_append_type(&type, &alteration->columns[0].type);
      ap_json_name(writer, AP_TEXT("type"));
      ap_json_raw(writer, ap_buffer_text(&type));
      writer->out->failed |= type.failed;
      ap_buffer_deinit(&type);
      break;
    case AP_ALTER_SET_NOT_NULL:
    case AP_ALTER_DROP_NOT_NULL:
      ap_json_member_bool(writer, "nullable", alteration->kind == AP_ALTER_DROP_NOT_NULL);
      break;
    case AP_ALTER_COMMENT_COLUMN:
      ap_json_member_string(writer, "comment", alteration->text);
      break;
    case AP_ALTER_SET_DEFAULT:
    case AP_ALTER_DROP_DEFAULT:
      ap_json_member_string(writer, "default", alteration->text);
      break;
    default:
      break;
  }
  ap_json_end_object(writer);
}

/* A member whose value is JSON within a text. */
static void member_inner(struct ap_json_writer *writer, const char *name,
                         const struct ap_alteration *alteration,
                         void (*append)(struct ap_json_writer *, const struct ap_alteration *)) {
  struct ap_buffer inner;
  struct ap_json_writer inner_writer;
  ap_buffer_init(&inner, writer->out->allocator);
  ap_json_writer_init(&inner_writer, &inner);
  append(&inner_writer, alteration);
  writer->out->failed |= inner.failed;
  ap_json_member_string(writer, name, ap_buffer_text(&inner));
  ap_buffer_deinit(&inner);
}

void ap_alter_parameters(const struct ap_alteration *alteration, struct ap_json_writer *writer) {
  switch (alteration->kind) {
    case AP_ALTER_ADD_COLUMNS:
    case AP_ALTER_DROP_COLUMNS:
      member_inner(writer, "columns", alteration, append_columns);
      return;
    case AP_ALTER_RENAME_COLUMN:
      ap_json_name(writer, AP_TEXT("oldColumnPath"));
      string_path(writer, &alteration->column);
      ap_json_member_string(writer, "newColumnName", alteration->text);
      return;
    case AP_ALTER_COMMENT_TABLE:
    case AP_ALTER_SET_PROPERTIES:
    case AP_ALTER_UNSET_PROPERTIES:
      member_inner(writer, "properties", alteration, append_properties);
      return;
    case AP_ALTER_ADD_CONSTRAINT:
    case AP_ALTER_DROP_CONSTRAINT:
      ap_json_member_string(writer, "name", alteration->name);
      if (alteration->text.size) ap_json_member_string(writer, "expr", alteration->text);
      return;
    default:
      member_inner(writer, "column", alteration, append_changed);
      if (alteration->kind == AP_ALTER_MOVE_COLUMN) {
        bool first = alteration->columns[0].place == AP_PLACE_FIRST;
        ap_json_member_string(writer, "position", first ? AP_TEXT("FIRST") : AP_TEXT("AFTER"));
      }
      return;
  }
}
