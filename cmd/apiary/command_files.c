/* SPDX-License-Identifier: Apache-2.0
 *
 * import and export: files in, files out.
 */
#include "cli.h"

#include "number.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The files' format; the library knows them, this refuses what is none before anything is opened.
 */
static int check_format(const struct cli *cli) {
  static const char *const words[] = {"csv", "json", "parquet", "arrow"};
  const char *format = cli->arguments.values[CLI_FORMAT];
  if (format == NULL) return CLI_EXIT_OK;
  for (size_t i = 0; i < sizeof words / sizeof words[0]; ++i) {
    if (strcmp(format, words[i]) == 0) return CLI_EXIT_OK;
  }
  return cli_fail_usage(cli, "the formats are csv, json, parquet and arrow", "'%s' is no format",
                        format);
}

static void say_imported(struct cli *cli, const struct cli_name *name,
                         const ap_write_result *result) {
  struct cli_text text = {0};
  cli_text_append_string(&text, "imported ");
  cli_append_grouped(&text, result->rows_written);
  cli_text_append_string(&text, result->rows_written == 1 ? " row into " : " rows into ");
  cli_name_append(&text, name);
  cli_text_append_string(&text, ": ");
  cli_append_grouped(&text, result->cells_written);
  cli_text_append_string(&text, result->cells_written == 1 ? " cell, " : " cells, ");
  cli_append_size(&text, result->bytes_written);
  cli_text_append_format(&text, ", version %" PRId64 ", %.0f ms\n", result->version,
                         result->duration_ms);
  (void)cli_output_string(&cli->output, text.data);
  cli_text_deinit(&text);
}

static int import_files(struct cli *cli, const struct cli_name *name) {
  const struct cli_arguments *arguments = &cli->arguments;
  ap_import_options options = AP_IMPORT_OPTIONS_INIT;
  ap_write_result result = AP_WRITE_RESULT_INIT;
  ap_error error = {0};
  struct cli_progress progress;
  struct cli_list partitions;
  cli_list_init(&partitions, arguments->values[CLI_PARTITION_BY]);
  cli_progress_init(&progress, cli, "importing", 200);
  options.format = arguments->values[CLI_FORMAT];
  options.partition_by = partitions.items;
  options.partition_by_count = partitions.count;
  options.null_text = arguments->values[CLI_NULL];
  options.create = !arguments->given[CLI_NO_CREATE];
  options.mode = arguments->given[CLI_OVERWRITE] ? AP_WRITE_OVERWRITE : AP_WRITE_APPEND;
  options.progress = progress.is_on ? cli_progress_show : NULL;
  options.cancelled = cli_progress_cancelled;
  options.context = &progress;
  ap_status status =
      ap_import(cli->apiary, name->parts[0], name->parts[1], name->parts[2], arguments->words + 1,
                arguments->word_count - 1, &options, &result, &error);
  cli_progress_clear(&progress);
  cli_list_deinit(&partitions);
  if (status != AP_OK) return cli_fail(cli, &error);
  say_imported(cli, name, &result);
  return CLI_EXIT_OK;
}

int cli_run_import(struct cli *cli) {
  struct cli_name name = {0};
  int status = cli_name_argument(cli, 0, 3, 3, &name);
  if (status == CLI_EXIT_OK) status = check_format(cli);
  if (status == CLI_EXIT_OK) status = cli_open(cli);
  if (status == CLI_EXIT_OK) status = import_files(cli, &name);
  cli_name_deinit(&name);
  return status;
}

/* A frame's name stands for all its rows; anything else is SQL. */
static void append_query(struct cli_text *sql, const char *word) {
  struct cli_name name = {0};
  bool is_name = strpbrk(word, " \t\r\n(;") == NULL || word[0] == '"';
  if (is_name && cli_name_parse(word, &name)) {
    cli_text_append_string(sql, "SELECT * FROM ");
    cli_name_append(sql, &name);
  } else {
    cli_text_append_string(sql, word);
  }
  cli_name_deinit(&name);
}

static int export_rows(struct cli *cli, ap_session *session, const char *sql) {
  const char *path = cli->arguments.words[1];
  ap_query_options options = AP_QUERY_OPTIONS_INIT;
  struct cli_progress progress;
  struct cli_text text = {0};
  ap_error error = {0};
  int64_t rows = 0;
  cli_progress_init(&progress, cli, "exporting", 200);
  options.progress = progress.is_on ? cli_progress_show : NULL;
  options.cancelled = cli_progress_cancelled;
  options.context = &progress;
  ap_status status =
      ap_export(session, sql, path, cli->arguments.values[CLI_FORMAT], &options, &rows, &error);
  cli_progress_clear(&progress);
  if (status != AP_OK) return cli_fail_sql(cli, &error, sql);
  cli_text_append_string(&text, "exported ");
  cli_append_grouped(&text, rows);
  cli_text_append_format(&text, " %s to %s, %.0f ms\n", rows == 1 ? "row" : "rows", path,
                         cli_now_ms() - progress.started_ms);
  (void)cli_output_string(&cli->output, text.data);
  cli_text_deinit(&text);
  return CLI_EXIT_OK;
}

int cli_run_export(struct cli *cli) {
  ap_session *session = NULL;
  struct cli_text sql = {0};
  ap_error error = {0};
  int status = check_format(cli);
  if (status == CLI_EXIT_OK) status = cli_open(cli);
  if (status == CLI_EXIT_OK && cli->session == NULL &&
      ap_session_open(cli->apiary, &session, &error) != AP_OK) {
    status = cli_fail(cli, &error);
  }
  if (status == CLI_EXIT_OK) {
    append_query(&sql, cli->arguments.words[0]);
    status = export_rows(cli, session == NULL ? cli->session : session, cli_text_string(&sql));
  }
  cli_text_deinit(&sql);
  ap_session_close(session);
  return status;
}
