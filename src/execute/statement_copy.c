/* SPDX-License-Identifier: Apache-2.0
 *
 * COPY: files into a frame as an import is (one commit), and a frame's or a query's rows into a new
 * file as an export is. Thread: the session's.
 */
#include "execute/import.h"
#include "execute/report.h"
#include "execute/statement_run.h"

#include <string.h>

struct copy_options {
  struct ap_text format;
  struct ap_text delimiter;
  struct ap_text null_text;
  struct ap_text compression;
  bool has_header;
  bool header;
};

static ap_status fail_value(const struct ap_statement_option *option, const char *wanted,
                            ap_error *err) {
  return AP_FAIL(err, AP_INVALID_ARGUMENT, "COPY option %.*s is '%.*s', not %s",
                 AP_TEXT_ARG(option->name), AP_TEXT_ARG(option->value), wanted);
}

static ap_status read_bool(const struct ap_statement_option *option, bool *out_value,
                           ap_error *err) {
  static const char *const words[] = {"true", "on", "1", "false", "off", "0"};
  *out_value = true;
  if (!option->has_value) return AP_OK;
  for (size_t i = 0; i < 6; ++i) {
    if (!ap_text_equal_ignoring_case(option->value, ap_text_of(words[i]))) continue;
    *out_value = i < 3;
    return AP_OK;
  }
  return fail_value(option, "true or false", err);
}

static ap_status read_choice(const struct ap_statement_option *option, const char *const *choices,
                             size_t count, const char *wanted, struct ap_text *out_value,
                             ap_error *err) {
  for (size_t i = 0; i < count; ++i) {
    if (!ap_text_equal_ignoring_case(option->value, ap_text_of(choices[i]))) continue;
    *out_value = ap_text_of(choices[i]);
    return AP_OK;
  }
  return fail_value(option, wanted, err);
}

static ap_status read_text(const struct ap_statement_option *option, size_t size_max,
                           const char *wanted, struct ap_text *out_value, ap_error *err) {
  if (option->value.size == 0 || option->value.size > size_max) {
    return fail_value(option, wanted, err);
  }
  *out_value = option->value;
  return AP_OK;
}

static ap_status read_option(const struct ap_statement_option *option, bool is_from,
                             struct copy_options *options, ap_error *err) {
  static const char *const known[] = {"FORMAT", "HEADER",  "DELIMITER", "DELIM",
                                      "SEP",    "NULLSTR", "NULL",      "COMPRESSION"};
  static const char *const formats[] = {"csv", "parquet", "json", "arrow"};
  static const char *const compressions[] = {"zstd", "snappy", "lz4_raw", "gzip", "uncompressed"};
  size_t which = 0;
  while (which < 8 && !ap_text_equal_ignoring_case(option->name, ap_text_of(known[which]))) which++;
  switch (which) {
    case 0:
      return read_choice(option, formats, is_from ? 4 : 3,
                         is_from ? "csv, parquet, json or arrow" : "csv, parquet or json",
                         &options->format, err);
    case 1:
      options->has_header = true;
      return read_bool(option, &options->header, err);
    case 2:
    case 3:
    case 4:
      return read_text(option, 4, "one character", &options->delimiter, err);
    case 5:
    case 6:
      return read_text(option, 256, "a text", &options->null_text, err);
    case 7:
      if (!is_from) {
        return read_choice(option, compressions, 5, "zstd, snappy, lz4_raw, gzip or uncompressed",
                           &options->compression, err);
      }
      break;
    default:
      break;
  }
  ap_status status = AP_FAIL(err, AP_INVALID_ARGUMENT, "COPY %s has no option %.*s",
                             is_from ? "FROM" : "TO", AP_TEXT_ARG(option->name));
  ap_error_hint(err, "the options are FORMAT, HEADER, DELIMITER, NULL%s",
                is_from ? "" : " and COMPRESSION");
  return status;
}

static ap_status read_options(const struct ap_statement *statement, struct copy_options *options,
                              ap_error *err) {
  bool is_from = statement->kind == AP_STATEMENT_COPY_FROM;
  *options = (struct copy_options){.header = true};
  for (uint32_t i = 0; i < statement->option_count; ++i) {
    AP_TRY(read_option(&statement->options[i], is_from, options, err));
  }
  return AP_OK;
}

static ap_status check_csv_only(const struct copy_options *options, struct ap_text format,
                                ap_error *err) {
  bool any = options->has_header || options->delimiter.size > 0 || options->null_text.size > 0;
  if (!any || format.size == 0 || ap_text_equal(format, AP_TEXT("csv"))) return AP_OK;
  return AP_FAIL(err, AP_INVALID_ARGUMENT,
                 "HEADER, DELIMITER and NULL are of CSV files, not of format %.*s",
                 AP_TEXT_ARG(format));
}

static ap_status answer_rows(int64_t rows, struct ArrowArrayStream *out, ap_error *err) {
  static const struct ap_rows_column columns[] = {{"rows", AP_ROWS_I64}};
  struct ap_rows answer = {0};
  AP_TRY(ap_rows_init(&answer, columns, 1, err));
  ap_rows_i64(&answer, rows);
  ap_status status = ap_rows_finish(&answer, out, err);
  ap_rows_deinit(&answer);
  return status;
}

ap_status ap_run_copy_from(struct ap_statement_run *run, struct ArrowArrayStream *out,
                           ap_error *err) {
  const struct ap_statement *statement = run->statement;
  struct copy_options options;
  struct ap_write_outcome outcome = {0};
  const char **paths = AP_ARENA_ARRAY(run->arena, const char *, statement->path_count + 1);
  if (paths == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < statement->path_count; ++i) {
    paths[i] = ap_arena_copy(run->arena, statement->paths[i]);
    if (paths[i] == NULL) return AP_FAIL_MEMORY(err);
  }
  AP_TRY(read_options(statement, &options, err));
  AP_TRY(check_csv_only(&options, options.format, err));
  struct ap_import_request request = {
      .paths = paths,
      .path_count = statement->path_count,
      .format = options.format,
      .null_text = options.null_text,
      .delimiter = options.delimiter,
      .without_header = !options.header,
      .kind = AP_COMMIT_APPEND,
      .control = run->request->control,
      .account = &run->session->account,
  };
  AP_TRY(ap_run_frame_name(run, &request.hive, &request.box, &request.name, err));
  AP_TRY(ap_import_files(run->session->node, &request, &outcome, err));
  return answer_rows(outcome.rows_written, out, err);
}

/* By the name of the file, when none is said. */
static struct ap_text format_of(struct ap_text path) {
  static const char *const ends[] = {".parquet", ".csv", ".tsv", ".json", ".ndjson", ".jsonl"};
  static const char *const formats[] = {"parquet", "csv", "csv", "json", "json", "json"};
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; ++i) {
    if (ap_text_ends_with(path, ap_text_of(ends[i]))) return ap_text_of(formats[i]);
  }
  return (struct ap_text){0};
}

/* What the engine's COPY is told besides the format. */
static void append_options(struct ap_buffer *sql, const struct copy_options *options,
                           struct ap_text format) {
  if (ap_text_equal(format, AP_TEXT("parquet"))) {
    ap_buffer_append_format(
        sql, "COMPRESSION %.*s",
        AP_TEXT_ARG(options->compression.size > 0 ? options->compression : AP_TEXT("zstd")));
  } else if (ap_text_equal(format, AP_TEXT("csv"))) {
    ap_buffer_append_format(sql, "HEADER %s", options->header ? "true" : "false");
    if (options->delimiter.size > 0) {
      ap_buffer_append_string(sql, ", DELIMITER ");
      ap_buffer_append_literal(sql, options->delimiter);
    }
    if (options->null_text.size > 0) {
      ap_buffer_append_string(sql, ", NULLSTR ");
      ap_buffer_append_literal(sql, options->null_text);
    }
  }
}

static ap_status check_target(struct ap_statement_run *run, const char *path, struct ap_text format,
                              ap_error *err) {
  const struct ap_env *env = ap_node_env(run->session->node);
  struct ap_file_info info;
  ap_status status = AP_OK;
  if (format.size == 0) {
    status = AP_FAIL(err, AP_INVALID_ARGUMENT, "the name of '%s' says no format", path);
    ap_error_hint(err, "say it: (FORMAT parquet), csv or json");
  } else if (env->files->info(env->files, path, &info, NULL) == AP_OK) {
    status = AP_FAIL(err, AP_ALREADY_EXISTS, "'%s' is there already", path);
    ap_error_hint(err, "choose another name, or remove it first");
  }
  return status;
}

/* The frame's rows as a query, by its full name. */
static ap_status append_source(struct ap_statement_run *run, struct ap_buffer *sql, ap_error *err) {
  struct ap_text parts[3];
  if (run->statement->body.size > 0) {
    ap_buffer_append_text(sql, run->statement->body);
    return ap_buffer_check(sql, err);
  }
  AP_TRY(ap_run_frame_name(run, &parts[0], &parts[1], &parts[2], err));
  ap_buffer_append_string(sql, "SELECT * FROM ");
  for (int i = 0; i < 3; ++i) {
    if (i > 0) ap_buffer_append_string(sql, ".");
    ap_buffer_append_identifier(sql, parts[i]);
  }
  return ap_buffer_check(sql, err);
}

ap_status ap_run_copy_to(struct ap_statement_run *run, struct ArrowArrayStream *out,
                         ap_error *err) {
  const struct ap_statement *statement = run->statement;
  struct copy_options options;
  struct ap_buffer sql;
  struct ap_buffer extra;
  int64_t rows = 0;
  const char *path = ap_arena_copy(run->arena, statement->paths[0]);
  if (path == NULL) return AP_FAIL_MEMORY(err);
  AP_TRY(read_options(statement, &options, err));
  struct ap_text format = options.format.size > 0 ? options.format : format_of(ap_text_of(path));
  AP_TRY(check_csv_only(&options, format, err));
  AP_TRY(check_target(run, path, format, err));
  ap_buffer_init(&sql, run->arena->allocator);
  ap_buffer_init(&extra, run->arena->allocator);
  append_options(&extra, &options, format);
  ap_status status = ap_buffer_check(&extra, err);
  if (status == AP_OK) status = append_source(run, &sql, err);
  if (status == AP_OK) {
    struct ap_query_request query;
    ap_run_as_query(run, &query);
    query.text = ap_buffer_text(&sql);
    query.body = query.text;
    query.export_options = extra.size > 0 ? ap_buffer_text(&extra) : (struct ap_text){0};
    status = ap_query_export(run->session->node, &query, path, format.data, &rows, err);
  }
  ap_buffer_deinit(&sql);
  ap_buffer_deinit(&extra);
  return status == AP_OK ? answer_rows(rows, out, err) : status;
}
