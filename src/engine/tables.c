/* SPDX-License-Identifier: Apache-2.0
 *
 * What a chamber holds for a statement that changes rows: tables of what was found, numbers read
 * from them, and the columns a query would give. Thread: the chamber's holder.
 */
#include "engine/chamber.h"

#include "base/assert.h"
#include "base/status.h"

static ap_status describe_statement(struct ap_chamber *chamber, duckdb_prepared_statement statement,
                                    struct ap_arena *arena, struct ArrowSchema *out_schema,
                                    ap_error *err) {
  idx_t count = duckdb_prepared_statement_column_count(statement);
  duckdb_logical_type *types = AP_ARENA_ARRAY(arena, duckdb_logical_type, count + 1);
  const char **names = AP_ARENA_ARRAY(arena, const char *, count + 1);
  if (!types || !names) return AP_FAIL_MEMORY(err);
  ap_status status = AP_OK;
  duckdb_arrow_options options = NULL;
  duckdb_connection_get_arrow_options(chamber->connection, &options);
  for (idx_t i = 0; i < count; i++) {
    types[i] = duckdb_prepared_statement_column_logical_type(statement, i);
    names[i] = duckdb_prepared_statement_column_name(statement, i);
  }
  duckdb_error_data error = duckdb_to_arrow_schema(options, types, names, count, out_schema);
  if (error) {
    out_schema->release = NULL;
    status = ap_chamber_fail_data(chamber, error, err);
  }
  for (idx_t i = 0; i < count; i++) {
    duckdb_destroy_logical_type(&types[i]);
    duckdb_free((void *)(uintptr_t)names[i]);
  }
  duckdb_destroy_arrow_options(&options);
  return status;
}

ap_status ap_chamber_describe(struct ap_chamber *chamber, struct ap_text query,
                              struct ap_arena *arena, struct ap_schema *out_schema, ap_error *err) {
  struct ArrowSchema described = {0};
  char *text = ap_arena_copy(arena, query);
  if (!text) return AP_FAIL_MEMORY(err);
  duckdb_prepared_statement statement = NULL;
  ap_status status = AP_OK;
  if (duckdb_prepare(chamber->connection, text, &statement) != DuckDBSuccess) {
    status = ap_chamber_fail(chamber, DUCKDB_ERROR_INVALID, duckdb_prepare_error(statement), err);
  } else {
    status = describe_statement(chamber, statement, arena, &described, err);
  }
  if (status == AP_OK) status = ap_schema_from_arrow(arena, &described, out_schema, err);
  ap_schema_release(&described);
  duckdb_destroy_prepare(&statement);
  return status;
}

ap_status ap_chamber_fill(struct ap_chamber *chamber, const char *name, struct ap_text query,
                          const struct ap_parameter *parameters, uint32_t parameter_count,
                          const struct ap_run_control *control, ap_error *err) {
  struct ap_buffer sql;
  duckdb_result result = {0};
  AP_TRY(ap_chamber_check_statement(query, err));
  ap_buffer_init(&sql, chamber->engine->env->allocator);
  ap_buffer_append_format(&sql, "CREATE OR REPLACE TEMP TABLE temp.main.%s AS\n", name);
  ap_buffer_append_text(&sql, query);
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) {
    status =
        ap_chamber_run_bound(chamber, sql.data, parameters, parameter_count, control, &result, err);
  }
  if (status == AP_OK) duckdb_destroy_result(&result);
  ap_buffer_deinit(&sql);
  return status;
}

void ap_chamber_empty(struct ap_chamber *chamber, const char *name) {
  struct ap_buffer sql;
  ap_buffer_init(&sql, chamber->engine->env->allocator);
  ap_buffer_append_format(&sql, "DROP TABLE IF EXISTS temp.main.%s", name);
  ap_status status = ap_buffer_check(&sql, NULL);
  if (status == AP_OK) status = ap_chamber_run(chamber, sql.data, NULL, NULL);
  if (status != AP_OK) chamber->broken = true; /* it goes with the chamber */
  ap_buffer_deinit(&sql);
}

ap_status ap_chamber_numbers(struct ap_chamber *chamber, const char *query,
                             const struct ap_run_control *control, struct ap_arena *arena,
                             int64_t **out_numbers, uint64_t *out_rows, ap_error *err) {
  duckdb_result result = {0};
  AP_TRY(ap_chamber_run_controlled(chamber, query, control, &result, err));
  idx_t columns = duckdb_column_count(&result);
  idx_t rows = duckdb_row_count(&result);
  int64_t *numbers = AP_ARENA_ARRAY(arena, int64_t, rows * columns + 1);
  for (idx_t i = 0; numbers && i < rows * columns; i++) {
    idx_t row = i / columns;
    idx_t column = i % columns;
    bool is_null = duckdb_value_is_null(&result, column, row);
    numbers[i] = is_null ? INT64_MIN : duckdb_value_int64(&result, column, row);
  }
  duckdb_destroy_result(&result);
  if (!numbers) return AP_FAIL_MEMORY(err);
  *out_numbers = numbers;
  *out_rows = rows;
  return AP_OK;
}

/* Whether a value that cannot be converted turns up as null, and as nothing less. */
static bool fails_whole(const struct ap_type *type) {
  return type->field_count == 0;
}

void ap_engine_append_assignment(struct ap_buffer *out, struct ap_text frame,
                                 const struct ap_field *field, struct ap_text value) {
  struct ap_buffer type;
  struct ap_buffer message;
  ap_buffer_init(&type, out->allocator);
  ap_buffer_init(&message, out->allocator);
  ap_type_append_sql(&type, &field->type);
  if (fails_whole(&field->type)) {
    ap_buffer_append_format(&message, AP_VALUE_MARK "frame %.*s: column '%.*s' cannot hold '",
                            AP_TEXT_ARG(frame), AP_TEXT_ARG(field->name));
    ap_buffer_append_string(out, "CASE WHEN ");
    ap_buffer_append_text(out, value);
    ap_buffer_append_string(out, " IS NULL THEN NULL ELSE ifnull(TRY_CAST(");
    ap_buffer_append_text(out, value);
    ap_buffer_append_string(out, " AS ");
    ap_buffer_append_text(out, ap_buffer_text(&type));
    ap_buffer_append_string(out, "), error(");
    ap_buffer_append_literal(out, ap_buffer_text(&message));
    ap_buffer_append_string(out, " || left(CAST(");
    ap_buffer_append_text(out, value);
    ap_buffer_append_string(out, " AS VARCHAR), 80) || ");
    ap_buffer_clear(&message);
    ap_buffer_append_string(&message, "': it is ");
    ap_type_append_word(&message, &field->type);
    ap_buffer_append_literal(out, ap_buffer_text(&message));
    ap_buffer_append_string(out, ")) END");
  } else {
    ap_buffer_append_string(out, "CAST(");
    ap_buffer_append_text(out, value);
    ap_buffer_append_string(out, " AS ");
    ap_buffer_append_text(out, ap_buffer_text(&type));
    ap_buffer_append_string(out, ")");
  }
  out->failed |= type.failed || message.failed;
  ap_buffer_deinit(&type);
  ap_buffer_deinit(&message);
}
