/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams to standard output: what cli.h says of printing.
 */
#include "cli.h"
#include "statement.h"

#include <errno.h>
#include <string.h>

enum { TERMINAL_ROWS_MAX = 40 };

int cli_writer_options_of(struct cli *cli, struct cli_writer_options *options) {
  const char *word = cli->arguments.values[CLI_FORMAT];
  *options = (struct cli_writer_options){.format = CLI_FORMAT_TABLE};
  if (word != NULL && !cli_format_parse(word, &options->format)) {
    return cli_fail_usage(cli, "the formats are table, csv, json, ndjson, markdown and arrow",
                          "'%s' is no format", word);
  }
  if (options->format == CLI_FORMAT_ARROW && cli->output.is_terminal) {
    return cli_fail_usage(cli,
                          "send it to a file or a program: apiary sql -f arrow ... > rows.arrow",
                          "Arrow is not for terminals");
  }
  int64_t standard = cli->output.is_terminal ? TERMINAL_ROWS_MAX : 0;
  if (!cli_count_option(cli, CLI_MAX_ROWS, standard, &options->rows_max)) return CLI_EXIT_USAGE;
  options->no_header = cli->arguments.given[CLI_NO_HEADER];
  options->columns = cli_output_columns(&cli->output);
  options->color = cli->output.is_terminal;
  return CLI_EXIT_OK;
}

static int fail_stream(struct cli *cli, struct ArrowArrayStream *stream, int code) {
  ap_error error = {0};
  (void)cli_output_flush(&cli->output);
  error.code = ap_stream_get_error(stream, code, &error);
  return cli_fail(cli, &error);
}

struct print {
  struct cli *cli;
  struct cli_progress *progress;
  struct cli_writer *writer;
  struct cli_type type;
  struct ArrowArrayView view;
};

static int print_batch(struct print *print, struct ArrowArray *batch) {
  struct ArrowError error = {.message = ""};
  if (ArrowArrayViewSetArray(&print->view, batch, &error) != NANOARROW_OK) {
    return cli_fail_text(print->cli, NULL, "the rows cannot be read: %s", error.message);
  }
  cli_writer_batch(print->writer, &print->view);
  return CLI_EXIT_OK;
}

static int print_batches(struct print *print, struct ArrowArrayStream *stream) {
  struct cli *cli = print->cli;
  int status = CLI_EXIT_OK;
  while (status == CLI_EXIT_OK && cli->output.error == 0) {
    struct ArrowArray batch = {0};
    int code = stream->get_next(stream, &batch);
    if (print->progress != NULL) cli_progress_clear(print->progress);
    if (code != 0) return fail_stream(cli, stream, code);
    if (batch.release == NULL) {
      cli_writer_end(print->writer);
      return CLI_EXIT_OK;
    }
    status = print_batch(print, &batch);
    batch.release(&batch);
    if (cli_interrupt_asked(&cli->interrupt)) {
      (void)cli_output_flush(&cli->output);
      const ap_error cancelled = {.code = AP_CANCELLED,
                                  .sqlstate = "57014",
                                  .message = "the statement was cancelled",
                                  .origin = "print.c"};
      return cli_fail(cli, &cancelled);
    }
  }
  return status;
}

static int print_rows(struct cli *cli, struct ArrowArrayStream *stream,
                      const struct cli_writer_options *options, struct cli_progress *progress,
                      int64_t *out_rows) {
  struct print print = {.cli = cli, .progress = progress};
  struct ArrowSchema schema = {0};
  struct ArrowError error = {.message = ""};
  int code = stream->get_schema(stream, &schema);
  if (code != 0) return fail_stream(cli, stream, code);
  int status = CLI_EXIT_OK;
  if (!cli_type_init(&print.type, &schema, &error) ||
      ArrowArrayViewInitFromSchema(&print.view, &schema, &error) != NANOARROW_OK) {
    status = cli_fail_text(cli, NULL, "the rows' types cannot be read: %s", error.message);
  } else {
    print.writer = cli_writer_create(options, &cli->output, &print.type);
    cli_writer_begin(print.writer);
    status = print_batches(&print, stream);
    if (out_rows != NULL) *out_rows = print.writer->row_count;
  }
  cli_writer_destroy(print.writer);
  ArrowArrayViewReset(&print.view);
  cli_type_deinit(&print.type);
  schema.release(&schema);
  return status;
}

static ap_status write_arrow(void *context, const void *data, size_t size) {
  struct cli *cli = context;
  return cli_output_write(&cli->output, data, size) ? AP_OK : AP_IO;
}

int cli_print_stream(struct cli *cli, struct ArrowArrayStream *stream,
                     const struct cli_writer_options *options, struct cli_progress *progress,
                     int64_t *out_rows) {
  int status = CLI_EXIT_OK;
  if (options->format == CLI_FORMAT_ARROW) {
    ap_error error = {0};
    if (ap_ipc_encode(stream, write_arrow, cli, &error) != AP_OK && cli->output.error == 0) {
      status = cli_fail(cli, &error);
    }
  } else {
    status = print_rows(cli, stream, options, progress, out_rows);
    stream->release(stream);
  }
  if (progress != NULL) cli_progress_clear(progress);
  int flushed = cli_finish_output(cli);
  return status != CLI_EXIT_OK ? status : flushed;
}

int cli_run_sql(struct cli *cli, ap_session *session, const char *sql,
                const ap_query_parameter *parameters, size_t parameter_count,
                const struct cli_writer_options *options, int64_t *out_rows) {
  ap_query_options query = AP_QUERY_OPTIONS_INIT;
  struct cli_writer_options chosen = *options;
  struct ArrowArrayStream stream = {0};
  struct cli_progress progress;
  ap_error error = {0};
  cli_progress_init(&progress, cli, "running", 1000);
  query.parameters = parameters;
  query.parameter_count = parameter_count;
  query.cancelled = cli_progress_cancelled;
  query.progress = progress.is_on ? cli_progress_show : NULL; /* keeping account costs */
  query.context = &progress;
  ap_status status = ap_session_query(session, sql, &query, &stream, &error);
  if (status != AP_OK) {
    cli_progress_clear(&progress);
    return cli_fail(cli, &error);
  }
  if (cli_statement_is_deed(sql, strlen(sql))) {
    bool is_table = options->format == CLI_FORMAT_TABLE;
    chosen.format = is_table ? CLI_FORMAT_PLAIN : CLI_FORMAT_SILENT;
  }
  return cli_print_stream(cli, &stream, &chosen, &progress, out_rows);
}
