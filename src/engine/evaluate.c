/* SPDX-License-Identifier: Apache-2.0
 *
 * Small questions to the engine in the midst of planning: what a constant expression is worth.
 * The chamber stays the caller's. Thread: the chamber's holder.
 */
#include "engine/chamber.h"

#include "base/limits.h"
#include "base/status.h"

#include <stdio.h>

static ap_status copy_value(duckdb_data_chunk chunk, idx_t column, struct ap_arena *arena,
                            struct ap_text *out_value, ap_error *err) {
  duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, column);
  uint64_t *validity = duckdb_vector_get_validity(vector);
  *out_value = (struct ap_text){0};
  if (validity && !duckdb_validity_row_is_valid(validity, 0)) return AP_OK;
  duckdb_string_t *text = duckdb_vector_get_data(vector);
  struct ap_text value = {duckdb_string_t_data(text), duckdb_string_t_length(*text)};
  const char *copy = ap_arena_copy(arena, value);
  if (!copy) return AP_FAIL_MEMORY(err);
  *out_value = (struct ap_text){copy, value.size};
  return AP_OK;
}

static ap_status copy_row(struct ap_chamber *chamber, duckdb_result *result, struct ap_arena *arena,
                          struct ap_text *out_values, uint32_t count, ap_error *err) {
  duckdb_data_chunk chunk = duckdb_fetch_chunk(*result);
  ap_status status = AP_OK;
  if (!chunk) {
    const char *message = duckdb_result_error(result);
    if (message && message[0] != '\0') return ap_chamber_fail_result(chamber, result, err);
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "an expression without a value");
  }
  if (duckdb_data_chunk_get_size(chunk) != 1) {
    status = AP_FAIL(err, AP_INVALID_ARGUMENT, "an expression of several values");
  }
  for (uint32_t i = 0; i < count && status == AP_OK; i++) {
    if (duckdb_column_type(result, i) != DUCKDB_TYPE_VARCHAR) {
      status = AP_FAIL(err, AP_INTERNAL, "column %u of an evaluation is no text", i);
    } else {
      status = copy_value(chunk, i, arena, &out_values[i], err);
    }
  }
  duckdb_destroy_data_chunk(&chunk);
  return status;
}

/* Those of the parameters that the statement has. */
ap_status ap_chamber_bind_used(struct ap_chamber *chamber, duckdb_prepared_statement statement,
                               const struct ap_parameter *parameters, uint32_t parameter_count,
                               ap_error *err) {
  idx_t bound = 0;
  for (uint32_t i = 0; i < parameter_count; i++) {
    char name[AP_NAME_BYTES_MAX + 1];
    idx_t index = 0;
    snprintf(name, sizeof name, "%.*s", AP_TEXT_ARG(parameters[i].name));
    if (duckdb_bind_parameter_index(statement, &index, name) != DuckDBSuccess) continue;
    AP_TRY(ap_parameter_bind(chamber, statement, index, &parameters[i], i, err));
    bound++;
  }
  if (bound == duckdb_nparams(statement)) return AP_OK;
  return AP_FAIL(err, AP_INVALID_ARGUMENT, "the statement has more parameters than the %u given",
                 parameter_count);
}

ap_status ap_chamber_evaluate(struct ap_chamber *chamber, struct ap_text sql,
                              const struct ap_parameter *parameters, uint32_t parameter_count,
                              const struct ap_run_control *control, struct ap_arena *arena,
                              struct ap_text *out_values, uint32_t count, ap_error *err) {
  duckdb_prepared_statement statement = NULL;
  duckdb_result result = {0};
  AP_TRY(ap_chamber_check_statement(sql, err));
  const char *text = ap_arena_copy(arena, sql);
  if (!text) return AP_FAIL_MEMORY(err);
  ap_status status = AP_OK;
  if (duckdb_prepare(chamber->connection, text, &statement) != DuckDBSuccess) {
    status = ap_chamber_fail(chamber, DUCKDB_ERROR_INVALID, duckdb_prepare_error(statement), err);
  } else if (duckdb_prepared_statement_type(statement) != DUCKDB_STATEMENT_TYPE_SELECT) {
    status = AP_FAIL(err, AP_INVALID_ARGUMENT, "no expressions");
  }
  if (status == AP_OK) {
    status = ap_chamber_bind_used(chamber, statement, parameters, parameter_count, err);
  }
  if (status == AP_OK) {
    status = ap_chamber_execute(chamber, statement, false, control, &result, err);
  }
  if (status == AP_OK && duckdb_column_count(&result) != count) {
    duckdb_destroy_result(&result); /* with parameters only the result tells */
    status = AP_FAIL(err, AP_INVALID_ARGUMENT, "not %u expressions", count);
  }
  if (status == AP_OK) {
    status = copy_row(chamber, &result, arena, out_values, count, err);
    duckdb_destroy_result(&result);
  }
  duckdb_destroy_prepare(&statement);
  return status;
}
