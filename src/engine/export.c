/* SPDX-License-Identifier: Apache-2.0
 *
 * Exports: the rows of a query as one file, by the engine's own writers.
 */
#include "engine/chamber.h"

#include "base/assert.h"
#include "base/status.h"

#include <string.h>

static const char *options_of(const char *format) {
  if (strcmp(format, "parquet") == 0) return "FORMAT parquet, COMPRESSION zstd";
  if (strcmp(format, "csv") == 0) return "FORMAT csv, HEADER true";
  if (strcmp(format, "json") == 0) return "FORMAT json";
  return NULL;
}

/* COPY's answer is the count of rows. */
static ap_status read_count(struct ap_chamber *chamber, duckdb_result *result, int64_t *out_rows,
                            ap_error *err) {
  duckdb_data_chunk chunk = duckdb_fetch_chunk(*result);
  if (!chunk) return ap_chamber_fail_result(chamber, result, err);
  *out_rows = *(const int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
  duckdb_destroy_data_chunk(&chunk);
  return AP_OK;
}

ap_status ap_chamber_export_as(struct ap_chamber *chamber, struct ap_text query, const char *path,
                               const char *format, struct ap_text given,
                               const struct ap_run_control *control, int64_t *out_rows,
                               ap_error *err) {
  const char *options = options_of(format);
  if (!options) {
    (void)AP_FAIL(err, AP_UNSUPPORTED, "files of format '%s' cannot be written", format);
    ap_error_hint(err, "the formats are parquet, csv and json");
    return AP_UNSUPPORTED;
  }
  AP_TRY(ap_chamber_check_statement(query, err));
  while (query.size > 0 && strchr("; \t\r\n", query.data[query.size - 1])) query.size--;
  struct ap_buffer sql;
  ap_buffer_init(&sql, chamber->engine->env->allocator);
  ap_buffer_append_string(&sql, "COPY (");
  ap_buffer_append_text(&sql, query);
  ap_buffer_append_string(&sql, "\n) TO ");
  ap_buffer_append_literal(&sql, ap_text_of(path));
  if (given.size > 0) {
    ap_buffer_append_format(&sql, " (FORMAT %s, %.*s)", format, AP_TEXT_ARG(given));
  } else {
    ap_buffer_append_format(&sql, " (%s)", options);
  }
  ap_status status = ap_buffer_check(&sql, err);
  duckdb_result result = {0};
  if (status == AP_OK) {
    status = ap_chamber_run_controlled(chamber, sql.data, control, &result, err);
  }
  if (status == AP_OK) {
    status = read_count(chamber, &result, out_rows, err);
    duckdb_destroy_result(&result);
  }
  ap_buffer_deinit(&sql);
  return status;
}

ap_status ap_chamber_export(struct ap_chamber *chamber, struct ap_text query, const char *path,
                            const char *format, const struct ap_run_control *control,
                            int64_t *out_rows, ap_error *err) {
  const struct ap_text usual = {0};
  return ap_chamber_export_as(chamber, query, path, format, usual, control, out_rows, err);
}
