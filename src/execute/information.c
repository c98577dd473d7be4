/* SPDX-License-Identifier: Apache-2.0
 *
 * See information.h. Rows travel as one JSON text, which the engine unnests: thousands of them cost
 * it one constant.
 */
#include "execute/information.h"

#include "base/json.h"
#include "cell/expression.h"
#include "execute/view.h"

#include <inttypes.h>
#include <stdio.h>

/* The rows in the making: arrays of texts and nulls. */
struct rows {
  struct ap_node *node;
  struct ap_arena *arena;
  struct ap_text hive;
  struct ap_json_writer json;
};

static void text_or_null(struct rows *rows, struct ap_text text) {
  if (text.size > 0) {
    ap_json_string(&rows->json, text);
  } else {
    ap_json_null(&rows->json);
  }
}

static void number(struct rows *rows, int64_t value) {
  char text[24];
  (void)snprintf(text, sizeof text, "%" PRId64, value);
  ap_json_string(&rows->json, ap_text_of(text));
}

static void begin_row(struct rows *rows, const struct ap_frame_entry *entry) {
  ap_json_begin_array(&rows->json);
  ap_json_string(&rows->json, entry->hive);
  ap_json_string(&rows->json, entry->box);
  if (entry->name.size > 0) ap_json_string(&rows->json, entry->name);
}

static void end_row(struct rows *rows) {
  ap_json_end_array(&rows->json);
}

static ap_status list(struct rows *rows, bool views, struct ap_frame_entry **out_entries,
                      uint32_t *out_count, ap_error *err) {
  const struct ap_text all = {0};
  struct ap_catalog *catalog = ap_node_catalog(rows->node);
  return views ? ap_catalog_list_views(catalog, rows->hive, all, rows->arena, out_entries,
                                       out_count, err)
               : ap_catalog_list_frames(catalog, rows->hive, all, rows->arena, out_entries,
                                        out_count, err);
}

static ap_status add_schemata(struct rows *rows, ap_error *err) {
  struct ap_frame_entry *entries = NULL;
  uint32_t count = 0;
  AP_TRY(ap_catalog_list_boxes(ap_node_catalog(rows->node), rows->hive, rows->arena, &entries,
                               &count, err));
  for (uint32_t i = 0; i < count; ++i) {
    begin_row(rows, &entries[i]);
    end_row(rows);
  }
  return AP_OK;
}

static ap_status add_tables(struct rows *rows, ap_error *err) {
  for (int views = 0; views < 2; ++views) {
    struct ap_frame_entry *entries = NULL;
    uint32_t count = 0;
    AP_TRY(list(rows, views == 1, &entries, &count, err));
    for (uint32_t i = 0; i < count; ++i) {
      begin_row(rows, &entries[i]);
      ap_json_string(&rows->json, views ? AP_TEXT("VIEW") : AP_TEXT("BASE TABLE"));
      ap_json_string(&rows->json, views ? AP_TEXT("NO") : AP_TEXT("YES"));
      end_row(rows);
    }
  }
  return AP_OK;
}

static ap_status add_views(struct rows *rows, ap_error *err) {
  struct ap_frame_entry *entries = NULL;
  uint32_t count = 0;
  AP_TRY(list(rows, true, &entries, &count, err));
  for (uint32_t i = 0; i < count; ++i) {
    struct ap_view_definition view;
    AP_TRY(ap_view_read(rows->arena, &entries[i], &view, err));
    begin_row(rows, &entries[i]);
    ap_json_string(&rows->json, view.sql);
    end_row(rows);
  }
  return AP_OK;
}

/* In the engine's words where it has them, else as it is kept. */
static void spark_text(struct rows *rows, struct ap_text spark) {
  struct ap_buffer sql;
  ap_buffer_init(&sql, rows->arena->allocator);
  bool is_ours =
      ap_expression_from_spark(spark, &sql, NULL) == AP_OK && ap_buffer_check(&sql, NULL) == AP_OK;
  text_or_null(rows, is_ours ? ap_buffer_text(&sql) : spark);
  ap_buffer_deinit(&sql);
}

static void expression_or_null(struct rows *rows, const struct ap_field *field, const char *name) {
  struct ap_text spark = {0};
  (void)ap_json_get_text(field->metadata, name, (struct ap_text){0}, &spark);
  spark_text(rows, spark);
}

/* name, place, nullable, type; precision, scale, comment, default and what generates it where there
 * are some. */
static void add_field(struct rows *rows, const struct ap_frame_entry *entry,
                      const struct ap_field *field, uint32_t place, struct ap_buffer *type) {
  struct ap_text comment = {0};
  bool is_decimal = field->type.kind == AP_TYPE_DECIMAL;
  ap_buffer_clear(type);
  ap_type_append_sql(type, &field->type);
  begin_row(rows, entry);
  ap_json_string(&rows->json, field->name);
  number(rows, place + 1);
  ap_json_string(&rows->json, field->nullable ? AP_TEXT("YES") : AP_TEXT("NO"));
  ap_json_string(&rows->json, ap_buffer_text(type));
  if (is_decimal) {
    number(rows, field->type.precision);
    number(rows, field->type.scale);
  } else {
    ap_json_null(&rows->json);
    ap_json_null(&rows->json);
  }
  (void)ap_json_get_text(field->metadata, "comment", (struct ap_text){0}, &comment);
  text_or_null(rows, comment);
  expression_or_null(rows, field, "CURRENT_DEFAULT");
  expression_or_null(rows, field, "delta.generationExpression");
  end_row(rows);
}

typedef void (*add_of_snapshot)(struct rows *rows, const struct ap_frame_entry *entry,
                                const struct ap_snapshot *snapshot);

static void add_fields(struct rows *rows, const struct ap_frame_entry *entry,
                       const struct ap_snapshot *snapshot) {
  struct ap_buffer type;
  ap_buffer_init(&type, rows->arena->allocator);
  for (uint32_t i = 0; i < snapshot->schema.field_count; ++i) {
    add_field(rows, entry, &snapshot->schema.fields[i], i, &type);
  }
  ap_buffer_deinit(&type);
}

static ap_status add_frame(struct rows *rows, const struct ap_frame_entry *entry,
                           add_of_snapshot add, ap_error *err) {
  struct ap_frame *frame = NULL;
  struct ap_snapshot *snapshot = NULL;
  ap_status status =
      ap_node_find_frame(rows->node, entry->hive, entry->box, entry->name, &frame, err);
  if (status == AP_OK) status = ap_frame_latest(frame, &snapshot, err);
  if (status == AP_OK) add(rows, entry, snapshot);
  ap_snapshot_release(snapshot);
  ap_node_release_frame(rows->node, frame);
  /* A frame that was dropped meanwhile, or whose ledger is broken, does not hide all others. */
  if (status == AP_NOT_FOUND || status == AP_CORRUPT || status == AP_UNSUPPORTED) {
    ap_error_clear(err);
    return AP_OK;
  }
  return status;
}

static ap_status add_view_columns(struct rows *rows, const struct ap_frame_entry *entry,
                                  ap_error *err) {
  struct ap_view_definition view;
  AP_TRY(ap_view_read(rows->arena, entry, &view, err));
  for (uint32_t i = 0; i < view.column_count; ++i) {
    begin_row(rows, entry);
    ap_json_string(&rows->json, view.columns[i].name);
    number(rows, i + 1);
    ap_json_string(&rows->json, AP_TEXT("YES"));
    ap_json_string(&rows->json, view.columns[i].type);
    for (int k = 0; k < 5; ++k) ap_json_null(&rows->json);
    end_row(rows);
  }
  return AP_OK;
}

static ap_status add_of_frames(struct rows *rows, add_of_snapshot add, ap_error *err) {
  struct ap_frame_entry *entries = NULL;
  uint32_t count = 0;
  AP_TRY(list(rows, false, &entries, &count, err));
  for (uint32_t i = 0; i < count; ++i) AP_TRY(add_frame(rows, &entries[i], add, err));
  return AP_OK;
}

/* ---- constraints ----------------------------------------------------------------------------- */

#define CONSTRAINTS AP_TEXT("delta.constraints.")

/* The name of a property's constraint; empty: it is none. */
static struct ap_text constraint_name(const struct ap_property *property) {
  struct ap_text name = property->name;
  if (!ap_text_starts_with(name, CONSTRAINTS)) return (struct ap_text){0};
  return (struct ap_text){name.data + CONSTRAINTS.size, name.size - CONSTRAINTS.size};
}

/* name and condition */
static void add_checks(struct rows *rows, const struct ap_frame_entry *entry,
                       const struct ap_snapshot *snapshot) {
  for (uint32_t i = 0; i < snapshot->property_count; ++i) {
    const struct ap_text name = constraint_name(&snapshot->properties[i]);
    if (name.size == 0) continue;
    begin_row(rows, entry);
    ap_json_string(&rows->json, name);
    spark_text(rows, snapshot->properties[i].value);
    end_row(rows);
  }
}

/* name and column, for each column that the condition speaks of */
static void add_check_columns(struct rows *rows, const struct ap_frame_entry *entry,
                              const struct ap_snapshot *snapshot) {
  for (uint32_t i = 0; i < snapshot->property_count; ++i) {
    const struct ap_text name = constraint_name(&snapshot->properties[i]);
    for (uint32_t k = 0; name.size > 0 && k < snapshot->schema.field_count; ++k) {
      const struct ap_text column = snapshot->schema.fields[k].name;
      if (!ap_expression_mentions(snapshot->properties[i].value, column)) continue;
      begin_row(rows, entry);
      ap_json_string(&rows->json, name);
      ap_json_string(&rows->json, column);
      end_row(rows);
    }
  }
}

static ap_status add_constraints(struct rows *rows, ap_error *err) {
  return add_of_frames(rows, add_checks, err);
}

static ap_status add_constraint_columns(struct rows *rows, ap_error *err) {
  return add_of_frames(rows, add_check_columns, err);
}

/* Frames have no keys. */
static ap_status add_nothing(struct rows *rows, ap_error *err) {
  (void)rows;
  (void)err;
  return AP_OK;
}

static ap_status add_columns(struct rows *rows, ap_error *err) {
  struct ap_frame_entry *entries = NULL;
  uint32_t count = 0;
  AP_TRY(add_of_frames(rows, add_fields, err));
  AP_TRY(list(rows, true, &entries, &count, err));
  for (uint32_t i = 0; i < count; ++i) AP_TRY(add_view_columns(rows, &entries[i], err));
  return AP_OK;
}

static const struct table {
  const char *name;
  const char *columns; /* of the row r */
  ap_status (*add)(struct rows *rows, ap_error *err);
} tables[] = {
    {"schemata", "r[1] AS catalog_name, r[2] AS schema_name, CAST(NULL AS VARCHAR) AS schema_owner",
     add_schemata},
    {"tables",
     "r[1] AS table_catalog, r[2] AS table_schema, r[3] AS table_name, r[4] AS table_type, "
     "r[5] AS is_insertable_into, 'NO' AS is_typed",
     add_tables},
    {"columns",
     "r[1] AS table_catalog, r[2] AS table_schema, r[3] AS table_name, r[4] AS column_name, "
     "CAST(r[5] AS INTEGER) AS ordinal_position, r[6] AS is_nullable, r[7] AS data_type, "
     "CAST(r[8] AS INTEGER) AS numeric_precision, CAST(r[9] AS INTEGER) AS numeric_scale, "
     "r[10] AS column_comment, r[11] AS column_default, "
     "CASE WHEN r[12] IS NULL THEN 'NEVER' ELSE 'ALWAYS' END AS is_generated, "
     "r[12] AS generation_expression, CAST(NULL AS INTEGER) AS character_maximum_length, "
     "CASE WHEN starts_with(r[7], 'TIMESTAMP') OR r[7] = 'TIME' THEN 6 END AS datetime_precision, "
     "r[7] AS udt_name",
     add_columns},
    {"table_constraints",
     "r[1] AS constraint_catalog, r[2] AS constraint_schema, r[4] AS constraint_name, "
     "r[1] AS table_catalog, r[2] AS table_schema, r[3] AS table_name, "
     "'CHECK' AS constraint_type, 'NO' AS is_deferrable, 'NO' AS initially_deferred, "
     "'YES' AS enforced",
     add_constraints},
    {"check_constraints",
     "r[1] AS constraint_catalog, r[2] AS constraint_schema, r[4] AS constraint_name, "
     "r[5] AS check_clause, r[3] AS table_name",
     add_constraints},
    {"constraint_column_usage",
     "r[1] AS table_catalog, r[2] AS table_schema, r[3] AS table_name, r[5] AS column_name, "
     "r[1] AS constraint_catalog, r[2] AS constraint_schema, r[4] AS constraint_name",
     add_constraint_columns},
    {"key_column_usage",
     "r[1] AS constraint_catalog, r[2] AS constraint_schema, r[4] AS constraint_name, "
     "r[1] AS table_catalog, r[2] AS table_schema, r[3] AS table_name, r[5] AS column_name, "
     "CAST(r[6] AS INTEGER) AS ordinal_position, "
     "CAST(r[7] AS INTEGER) AS position_in_unique_constraint",
     add_nothing},
    {"referential_constraints",
     "r[1] AS constraint_catalog, r[2] AS constraint_schema, r[4] AS constraint_name, "
     "r[5] AS unique_constraint_catalog, r[6] AS unique_constraint_schema, "
     "r[7] AS unique_constraint_name, r[8] AS match_option, r[9] AS update_rule, "
     "r[10] AS delete_rule",
     add_nothing},
    {"views",
     "r[1] AS table_catalog, r[2] AS table_schema, r[3] AS table_name, r[4] AS view_definition, "
     "'NONE' AS check_option, 'NO' AS is_updatable",
     add_views},
};

ap_status ap_information_append(struct ap_node *node, struct ap_text name, struct ap_text hive,
                                struct ap_arena *arena, struct ap_buffer *sql, ap_error *err) {
  const size_t count = sizeof tables / sizeof tables[0];
  size_t which = 0;
  while (which < count && !ap_text_equal_ignoring_case(name, ap_text_of(tables[which].name))) {
    which += 1;
  }
  if (which == count) {
    ap_status status =
        AP_FAIL(err, AP_UNSUPPORTED, "there is no information_schema.%.*s", AP_TEXT_ARG(name));
    ap_error_hint(err,
                  "there are schemata, tables, columns, views, table_constraints, "
                  "check_constraints, constraint_column_usage, key_column_usage and "
                  "referential_constraints");
    return status;
  }
  struct ap_buffer json;
  ap_buffer_init(&json, arena->allocator);
  struct rows rows = {.node = node, .arena = arena, .hive = hive};
  ap_json_writer_init(&rows.json, &json);
  ap_json_begin_array(&rows.json);
  ap_status status = tables[which].add(&rows, err);
  ap_json_end_array(&rows.json);
  if (status == AP_OK) status = ap_buffer_check(&json, err);
  if (status == AP_OK) {
    ap_buffer_append_format(sql, "SELECT %s FROM (SELECT unnest(from_json(", tables[which].columns);
    ap_buffer_append_literal(sql, ap_buffer_text(&json));
    ap_buffer_append_string(sql, ", '[[\"VARCHAR\"]]')) AS r)");
    status = ap_buffer_check(sql, err);
  }
  ap_buffer_deinit(&json);
  return status;
}
