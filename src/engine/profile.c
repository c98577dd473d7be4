/* SPDX-License-Identifier: Apache-2.0
 *
 * What the engine means to do with a statement, and what it did: trees of operators as JSON, in one
 * form for both (see engine.h).
 */
#include "engine/chamber.h"

#include "base/assert.h"
#include "base/status.h"

#include <string.h>

enum { PROFILE_DEPTH_MAX = 60 }; /* two levels of JSON each */

#define PROFILE_ON                                                                            \
  "PRAGMA enable_profiling='no_output'; PRAGMA custom_profiling_settings='{"                  \
  "\"OPERATOR_NAME\": \"true\", \"OPERATOR_TYPE\": \"true\", \"OPERATOR_TIMING\": \"true\", " \
  "\"OPERATOR_CARDINALITY\": \"true\", \"OPERATOR_ROWS_SCANNED\": \"true\", "                 \
  "\"EXTRA_INFO\": \"true\", \"LATENCY\": \"true\", \"CPU_TIME\": \"true\", "                 \
  "\"SYSTEM_PEAK_BUFFER_MEMORY\": \"true\", \"SYSTEM_PEAK_TEMP_DIR_SIZE\": \"true\"}'"
#define PROFILE_OFF "PRAGMA disable_profiling"

static ap_status prepare(struct ap_chamber *chamber, const char *sql,
                         const struct ap_parameter *parameters, uint32_t parameter_count,
                         duckdb_prepared_statement *out_statement, ap_error *err) {
  duckdb_prepared_statement statement = NULL;
  ap_status status = AP_OK;
  if (duckdb_prepare(chamber->connection, sql, &statement) != DuckDBSuccess) {
    status = ap_chamber_fail(chamber, DUCKDB_ERROR_INVALID, duckdb_prepare_error(statement), err);
  } else {
    status = ap_parameters_bind(chamber, statement, parameters, parameter_count, err);
  }
  if (status != AP_OK) duckdb_destroy_prepare(&statement);
  *out_statement = statement;
  return status;
}

/* The second column of EXPLAIN's row: the plan. */
static ap_status append_plan(duckdb_result *result, struct ap_buffer *out, ap_error *err) {
  duckdb_data_chunk chunk = duckdb_fetch_chunk(*result);
  if (!chunk || duckdb_data_chunk_get_size(chunk) < 1 ||
      duckdb_data_chunk_get_column_count(chunk) < 2) {
    if (chunk) duckdb_destroy_data_chunk(&chunk);
    return AP_FAIL(err, AP_INTERNAL, "the engine gave no plan");
  }
  idx_t last = duckdb_data_chunk_get_size(chunk) - 1; /* the physical plan comes last */
  duckdb_string_t *texts = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 1));
  ap_buffer_append(out, duckdb_string_t_data(&texts[last]), duckdb_string_t_length(texts[last]));
  duckdb_destroy_data_chunk(&chunk);
  return ap_buffer_check(out, err);
}

ap_status ap_chamber_explain(struct ap_chamber *chamber, struct ap_text sql,
                             const struct ap_parameter *parameters, uint32_t parameter_count,
                             const struct ap_run_control *control, struct ap_buffer *out_json,
                             ap_error *err) {
  struct ap_buffer text;
  duckdb_prepared_statement statement = NULL;
  duckdb_result result = {0};
  ap_buffer_init(&text, chamber->engine->env->allocator);
  ap_buffer_append_string(&text, "EXPLAIN (FORMAT JSON) ");
  ap_buffer_append_text(&text, sql);
  ap_status status = ap_buffer_check(&text, err);
  if (status == AP_OK) {
    status = prepare(chamber, text.data, parameters, parameter_count, &statement, err);
  }
  if (status == AP_OK) {
    status = ap_chamber_execute(chamber, statement, false, control, &result, err);
  }
  if (status == AP_OK) {
    status = append_plan(&result, out_json, err);
    duckdb_destroy_result(&result);
  }
  duckdb_destroy_prepare(&statement);
  ap_buffer_deinit(&text);
  return status;
}

static bool metric(duckdb_profiling_info info, const char *key, double *out_number) {
  duckdb_value value = duckdb_profiling_info_get_value(info, key);
  if (!value) return false;
  *out_number = duckdb_get_double(value);
  duckdb_destroy_value(&value);
  return true;
}

static void write_number(struct ap_json_writer *writer, duckdb_profiling_info info, const char *key,
                         const char *name) {
  double number;
  if (!metric(info, key, &number) || !(number >= 0 && number < 1e15)) return;
  ap_json_name(writer, ap_text_of(name));
  ap_json_f64(writer, number);
}

static void write_text(struct ap_json_writer *writer, duckdb_profiling_info info, const char *key,
                       const char *name) {
  duckdb_value value = duckdb_profiling_info_get_value(info, key);
  char *text = value ? duckdb_get_varchar(value) : NULL;
  if (text) ap_json_member_string(writer, name, ap_text_of(text));
  duckdb_free(text);
  duckdb_destroy_value(&value);
}

/* Take a name or value off the front of a map's text: 'quoted', with \\ before what would end it,
 * or plain up to one of the marks. */
static void take_word(const char **at, char mark, struct ap_buffer *word) {
  ap_buffer_clear(word);
  bool quoted = **at == '\'';
  if (quoted) (*at)++;
  while (**at != '\0') {
    if (quoted ? **at == '\'' : (**at == mark || **at == '}')) break;
    if (quoted && **at == '\\' && (*at)[1] != '\0') (*at)++;
    ap_buffer_append(word, (*at)++, 1);
  }
  if (quoted && **at == '\'') (*at)++;
}

/* What else the operator says of itself: {name=value, 'name'='value', ...}. */
static void write_info(struct ap_json_writer *writer, duckdb_profiling_info info,
                       struct ap_allocator *allocator) {
  duckdb_value value = duckdb_profiling_info_get_value(info, "EXTRA_INFO");
  char *text = value ? duckdb_get_varchar(value) : NULL;
  struct ap_buffer name;
  struct ap_buffer word;
  ap_buffer_init(&name, allocator);
  ap_buffer_init(&word, allocator);
  ap_json_name(writer, AP_TEXT("extra_info"));
  ap_json_begin_object(writer);
  const char *at = text && text[0] == '{' ? text + 1 : "}";
  while (*at != '}' && *at != '\0') {
    take_word(&at, '=', &name);
    if (*at != '=') break;
    at++;
    take_word(&at, ',', &word);
    ap_json_name(writer, ap_buffer_text(&name));
    ap_json_string(writer, ap_buffer_text(&word));
    while (*at == ',' || *at == ' ') at++;
  }
  ap_json_end_object(writer);
  ap_buffer_deinit(&name);
  ap_buffer_deinit(&word);
  duckdb_free(text);
  duckdb_destroy_value(&value);
}

static void write_operator(struct ap_json_writer *writer, duckdb_profiling_info info,
                           struct ap_allocator *allocator, int depth) {
  ap_json_begin_object(writer);
  write_text(writer, info, "OPERATOR_NAME", "name");
  write_number(writer, info, "OPERATOR_CARDINALITY", "rows");
  write_number(writer, info, "OPERATOR_ROWS_SCANNED", "rows_scanned");
  write_number(writer, info, "OPERATOR_TIMING", "seconds");
  write_number(writer, info, "SYSTEM_PEAK_BUFFER_MEMORY", "peak_memory_bytes");
  write_number(writer, info, "SYSTEM_PEAK_TEMP_DIR_SIZE", "spill_bytes");
  write_info(writer, info, allocator);
  ap_json_name(writer, AP_TEXT("children"));
  ap_json_begin_array(writer);
  idx_t count = depth < PROFILE_DEPTH_MAX ? duckdb_profiling_info_get_child_count(info) : 0;
  for (idx_t i = 0; i < count; i++) {
    write_operator(writer, duckdb_profiling_info_get_child(info, i), allocator, depth + 1);
  }
  ap_json_end_array(writer);
  ap_json_end_object(writer);
}

/* Fetch all rows, and forget them. */
static ap_status drain(struct ap_chamber *chamber, duckdb_result *result,
                       const struct ap_run_control *control, int64_t *out_rows, ap_error *err) {
  for (;;) {
    AP_TRY(ap_chamber_check_stop(chamber, control, err));
    duckdb_data_chunk chunk = duckdb_fetch_chunk(*result);
    if (!chunk) break;
    *out_rows += (int64_t)duckdb_data_chunk_get_size(chunk);
    duckdb_destroy_data_chunk(&chunk);
  }
  const char *message = duckdb_result_error(result);
  if (message && message[0] != '\0') return ap_chamber_fail_result(chamber, result, err);
  return ap_chamber_check_stop(chamber, NULL, err);
}

static ap_status run_profiled(struct ap_chamber *chamber, const char *sql,
                              const struct ap_parameter *parameters, uint32_t parameter_count,
                              const struct ap_run_control *control, struct ap_buffer *out_json,
                              int64_t *out_rows, ap_error *err) {
  duckdb_prepared_statement statement = NULL;
  duckdb_result result = {0};
  AP_TRY(prepare(chamber, sql, parameters, parameter_count, &statement, err));
  ap_status status = ap_chamber_execute(chamber, statement, true, control, &result, err);
  if (status == AP_OK) {
    ap_chamber_heed(chamber, control);
    status = drain(chamber, &result, control, out_rows, err);
    ap_chamber_heed(chamber, NULL);
    if (status != AP_OK) chamber->broken = true; /* something of it may run on */
    duckdb_destroy_result(&result);
  }
  duckdb_destroy_prepare(&statement);
  if (status != AP_OK) return status;
  struct ap_json_writer writer;
  duckdb_profiling_info info = duckdb_get_profiling_info(chamber->connection);
  if (!info) return AP_FAIL(err, AP_INTERNAL, "the engine kept no profile of the statement");
  ap_json_writer_init(&writer, out_json);
  write_operator(&writer, info, chamber->engine->env->allocator, 0);
  return ap_buffer_check(out_json, err);
}

ap_status ap_chamber_profile(struct ap_chamber *chamber, struct ap_text sql,
                             const struct ap_parameter *parameters, uint32_t parameter_count,
                             const struct ap_run_control *control, struct ap_buffer *out_json,
                             int64_t *out_rows, ap_error *err) {
  char *text = ap_string_copy(chamber->engine->env->allocator, sql);
  *out_rows = 0;
  if (!text) return AP_FAIL_MEMORY(err);
  ap_status status = ap_chamber_run(chamber, PROFILE_ON, NULL, err);
  if (status == AP_OK) {
    status =
        run_profiled(chamber, text, parameters, parameter_count, control, out_json, out_rows, err);
  }
  if (ap_chamber_run(chamber, PROFILE_OFF, NULL, NULL) != AP_OK) chamber->broken = true;
  ap_free(chamber->engine->env->allocator, text);
  return status;
}
