/* SPDX-License-Identifier: Apache-2.0
 *
 * The values that a query of one column gives, for whoever plans with them.
 * The chamber stays the caller's. Thread: the chamber's holder.
 */
#include "engine/chamber.h"

#include "base/status.h"

struct values {
  struct ap_arena *arena;
  struct ap_constant *items;
  uint32_t count;
  uint32_t values_max;
  bool more;
};

static ap_status read_chunk(struct values *values, duckdb_data_chunk chunk, ap_error *err) {
  duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, 0);
  duckdb_logical_type type = duckdb_vector_get_column_type(vector);
  ap_status status = AP_OK;
  idx_t rows = duckdb_data_chunk_get_size(chunk);
  for (idx_t i = 0; status == AP_OK && i < rows; i++) {
    if (values->count == values->values_max) {
      values->more = true;
      break;
    }
    status = ap_chamber_read_constant(vector, type, i, values->arena,
                                      &values->items[values->count++], err);
  }
  duckdb_destroy_logical_type(&type);
  return status;
}

static ap_status read_result(struct ap_chamber *chamber, duckdb_result *result,
                             struct values *values, ap_error *err) {
  idx_t rows = duckdb_row_count(result);
  if (rows < values->values_max) values->values_max = (uint32_t)rows;
  values->items = AP_ARENA_ARRAY(values->arena, struct ap_constant, values->values_max + (size_t)1);
  if (!values->items) return AP_FAIL_MEMORY(err);
  ap_status status = AP_OK;
  while (status == AP_OK && !values->more) {
    duckdb_data_chunk chunk = duckdb_fetch_chunk(*result);
    if (!chunk) {
      const char *message = duckdb_result_error(result);
      if (message && message[0] != '\0') return ap_chamber_fail_result(chamber, result, err);
      break;
    }
    status = read_chunk(values, chunk, err);
    duckdb_destroy_data_chunk(&chunk);
  }
  return status;
}

ap_status ap_chamber_values(struct ap_chamber *chamber, struct ap_text sql,
                            const struct ap_parameter *parameters, uint32_t parameter_count,
                            const struct ap_run_control *control, struct ap_arena *arena,
                            uint32_t values_max, struct ap_constant **out_values,
                            uint32_t *out_count, bool *out_more, ap_error *err) {
  duckdb_prepared_statement statement = NULL;
  duckdb_result result = {0};
  struct values values = {.arena = arena, .values_max = values_max};
  const char *text = ap_arena_copy(arena, sql);
  if (!text) return AP_FAIL_MEMORY(err);
  ap_status status = AP_OK;
  if (duckdb_prepare(chamber->connection, text, &statement) != DuckDBSuccess) {
    status = ap_chamber_fail(chamber, DUCKDB_ERROR_INVALID, duckdb_prepare_error(statement), err);
  }
  if (status == AP_OK) {
    status = ap_chamber_bind_used(chamber, statement, parameters, parameter_count, err);
  }
  if (status == AP_OK) {
    status = ap_chamber_execute(chamber, statement, false, control, &result, err);
  }
  if (status == AP_OK) {
    status = read_result(chamber, &result, &values, err);
    duckdb_destroy_result(&result);
  }
  duckdb_destroy_prepare(&statement);
  *out_values = values.items;
  *out_count = values.count;
  *out_more = values.more;
  return status;
}
