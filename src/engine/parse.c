/* SPDX-License-Identifier: Apache-2.0
 *
 * Statement texts and statement trees, by the engine's own parser.
 */
#include "engine/chamber.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/status.h"

#include <string.h>

static const char *const prepared_texts[AP_PREPARED_COUNT] = {
    [AP_PREPARED_PARSE] = "SELECT CAST(json_serialize_sql(CAST($1 AS VARCHAR)) AS VARCHAR)",
    [AP_PREPARED_UNPARSE] = "SELECT json_deserialize_sql(CAST($1 AS JSON))",
};

static ap_status prepare_once(struct ap_chamber *chamber, enum ap_chamber_prepared which,
                              duckdb_prepared_statement *out_statement, ap_error *err) {
  duckdb_prepared_statement *statement = &chamber->prepared[which];
  if (!*statement &&
      duckdb_prepare(chamber->connection, prepared_texts[which], statement) != DuckDBSuccess) {
    ap_status status =
        ap_chamber_fail(chamber, DUCKDB_ERROR_INVALID, duckdb_prepare_error(*statement), err);
    duckdb_destroy_prepare(statement);
    return status;
  }
  *out_statement = *statement;
  return AP_OK;
}

/* Append the VARCHAR in row 0, column 0. */
static ap_status append_only_value(struct ap_chamber *chamber, duckdb_result *result,
                                   struct ap_buffer *out, ap_error *err) {
  duckdb_data_chunk chunk = duckdb_fetch_chunk(*result);
  if (!chunk) return ap_chamber_fail_result(chamber, result, err);
  AP_ASSERT(duckdb_data_chunk_get_size(chunk) == 1);
  duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, 0);
  uint64_t *validity = duckdb_vector_get_validity(vector);
  ap_status status = AP_OK;
  if (validity && !duckdb_validity_row_is_valid(validity, 0)) {
    status = AP_FAIL(err, AP_INTERNAL, "the engine gave no answer to a statement text");
  } else {
    duckdb_string_t *text = duckdb_vector_get_data(vector);
    ap_buffer_append(out, duckdb_string_t_data(text), duckdb_string_t_length(*text));
    status = ap_buffer_check(out, err);
  }
  duckdb_destroy_data_chunk(&chunk);
  return status;
}

static ap_status ask(struct ap_chamber *chamber, enum ap_chamber_prepared which,
                     struct ap_text text, struct ap_buffer *out, ap_error *err) {
  duckdb_prepared_statement statement = NULL;
  AP_TRY(prepare_once(chamber, which, &statement, err));
  if (duckdb_bind_varchar_length(statement, 1, text.data ? text.data : "", text.size) !=
      DuckDBSuccess) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "the statement is not UTF-8 text");
  }
  duckdb_result result = {0};
  AP_TRY(ap_chamber_execute(chamber, statement, false, NULL, &result, err));
  ap_status status = append_only_value(chamber, &result, out, err);
  duckdb_destroy_result(&result);
  return status;
}

/* What the engine would read past or choke on. */
static ap_status check_text(struct ap_text sql, ap_error *err) {
  if ((int64_t)sql.size > AP_STATEMENT_BYTES_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "a statement of %zu bytes; the most is %lld", sql.size,
                   (long long)AP_STATEMENT_BYTES_MAX);
  }
  if (!ap_text_is_utf8(sql) || (sql.size > 0 && memchr(sql.data, 0, sql.size))) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "the statement is not UTF-8 text");
  }
  return AP_OK;
}

ap_status ap_chamber_parse(struct ap_chamber *chamber, struct ap_text sql,
                           struct ap_buffer *out_json, ap_error *err) {
  AP_TRY(check_text(sql, err));
  return ask(chamber, AP_PREPARED_PARSE, sql, out_json, err);
}

ap_status ap_chamber_unparse(struct ap_chamber *chamber, struct ap_text json,
                             struct ap_buffer *out_sql, ap_error *err) {
  return ask(chamber, AP_PREPARED_UNPARSE, json, out_sql, err);
}

ap_status ap_chamber_check_statement(struct ap_text sql, ap_error *err) {
  return check_text(sql, err);
}

static ap_status copy_names(duckdb_value list, struct ap_arena *arena, struct ap_text **out_names,
                            uint32_t *out_count, ap_error *err) {
  idx_t count = duckdb_get_list_size(list);
  struct ap_text *names = AP_ARENA_ARRAY(arena, struct ap_text, count);
  if (!names) return AP_FAIL_MEMORY(err);
  for (idx_t i = 0; i < count; i++) {
    duckdb_value item = duckdb_get_list_child(list, i);
    char *text = duckdb_get_varchar(item);
    char *copy = text ? ap_arena_copy_string(arena, text) : NULL;
    duckdb_free(text);
    duckdb_destroy_value(&item);
    if (!copy) return AP_FAIL_MEMORY(err);
    names[i] = ap_text_of(copy);
  }
  *out_names = names;
  *out_count = (uint32_t)count;
  return AP_OK;
}

/* Only the parser's error says why there are no names. */
static ap_status fail_names(struct ap_chamber *chamber, const char *sql, ap_error *err) {
  duckdb_extracted_statements statements = NULL;
  ap_status status = AP_OK;
  if (duckdb_extract_statements(chamber->connection, sql, &statements) == 0) {
    status = ap_chamber_fail(chamber, DUCKDB_ERROR_PARSER,
                             duckdb_extract_statements_error(statements), err);
  } else {
    status = AP_FAIL(err, AP_UNSUPPORTED, "the tables of this statement cannot be told");
    ap_error_hint(err, "PIVOT needs its values: PIVOT t ON c IN ('a', 'b') USING ...");
  }
  duckdb_destroy_extracted(&statements);
  return status;
}

ap_status ap_chamber_table_names(struct ap_chamber *chamber, struct ap_text sql,
                                 struct ap_arena *arena, struct ap_text **out_names,
                                 uint32_t *out_count, ap_error *err) {
  AP_TRY(check_text(sql, err));
  char *text = ap_arena_copy(arena, sql);
  if (!text) return AP_FAIL_MEMORY(err);
  duckdb_value list = duckdb_get_table_names(chamber->connection, text, true);
  if (!list) return fail_names(chamber, text, err);
  ap_status status = copy_names(list, arena, out_names, out_count, err);
  duckdb_destroy_value(&list);
  return status;
}
