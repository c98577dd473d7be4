/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams to standard output: what cli.h says of printing.
 */
#include "cli.h"
#include "statement.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TERMINAL_ROWS_MAX = 40 };

int cli_writer_options_of(struct cli *cli, struct cli_writer_options *options) {
  const char *word = cli->arguments.values[CLI_FORMAT];
  *options = (struct cli_writer_options){.format = CLI_FORMAT_TABLE};
  if (word != NULL && !cli_format_parse(word, &options->format)) {
    return cli_fail_usage(cli, "the formats are " CLI_FORMATS, "'%s' is no format", word);
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
  options->color = cli_has_color(cli->output.is_terminal);
  options->all_hint = "--max-rows 0 shows all";
  return CLI_EXIT_OK;
}

struct print {
  struct cli *cli;
  struct cli_query *query;
  struct cli_output *output;
  struct cli_progress *progress; /* may be NULL */
  struct cli_writer *writer;
  struct cli_type type;
  struct ArrowArrayView view;
};

static void clear_progress(void *context) {
  cli_progress_clear(context);
}

static int fail_print(struct print *print, const ap_error *error) {
  /* Whoever left the pager has ended the query. */
  if (error->code == AP_CANCELLED && !cli_interrupt_asked(&print->cli->interrupt)) {
    if (print->output->error == 0) print->output->error = EPIPE;
    return CLI_EXIT_OK;
  }
  (void)cli_output_flush(print->output);
  if (print->progress != NULL) cli_progress_clear(print->progress);
  const char *sql = print->query->sql;
  return sql == NULL ? cli_fail(print->cli, error) : cli_fail_sql(print->cli, error, sql);
}

static int fail_stream(struct print *print, struct ArrowArrayStream *stream, int code) {
  ap_error error = {0};
  error.code = ap_stream_get_error(stream, code, &error);
  return fail_print(print, &error);
}

static int print_batch(struct print *print, struct ArrowArray *batch) {
  struct ArrowError error = {.message = ""};
  if (ArrowArrayViewSetArray(&print->view, batch, &error) != NANOARROW_OK) {
    return cli_fail_text(print->cli, NULL, "the rows cannot be read: %s", error.message);
  }
  cli_writer_batch(print->writer, &print->view);
  (void)cli_output_pause(print->output);
  return CLI_EXIT_OK;
}

static int print_batches(struct print *print, struct ArrowArrayStream *stream) {
  struct cli *cli = print->cli;
  int status = CLI_EXIT_OK;
  while (status == CLI_EXIT_OK && print->output->error == 0) {
    struct ArrowArray batch = {0};
    int code = stream->get_next(stream, &batch);
    if (code != 0) return fail_stream(print, stream, code);
    if (batch.release == NULL) {
      cli_writer_end(print->writer);
      return CLI_EXIT_OK;
    }
    status = print_batch(print, &batch);
    batch.release(&batch);
    if (cli_interrupt_asked(&cli->interrupt)) {
      const ap_error cancelled = {.code = AP_CANCELLED,
                                  .sqlstate = "57014",
                                  .message = "the statement was cancelled",
                                  .origin = "print.c"};
      return fail_print(print, &cancelled);
    }
  }
  return status;
}

/* What a deed says it did is a single column called message. */
static void choose_format(const struct print *print, struct cli_writer_options *options) {
  const struct cli_type *type = &print->type;
  bool is_message = type->child_count == 1 && strcmp(type->children[0].name, "message") == 0;
  const char *sql = print->query->sql;
  if (!is_message || sql == NULL || !cli_statement_is_deed(sql, strlen(sql))) return;
  bool is_table = options->format == CLI_FORMAT_TABLE;
  options->format = is_table ? CLI_FORMAT_PLAIN : CLI_FORMAT_SILENT;
}

static int print_rows(struct print *print, struct ArrowArrayStream *stream) {
  struct cli_writer_options options = print->query->options;
  struct ArrowSchema schema = {0};
  struct ArrowError error = {.message = ""};
  int code = stream->get_schema(stream, &schema);
  if (code != 0) return fail_stream(print, stream, code);
  int status = CLI_EXIT_OK;
  if (!cli_type_init(&print->type, &schema, &error) ||
      ArrowArrayViewInitFromSchema(&print->view, &schema, &error) != NANOARROW_OK) {
    status = cli_fail_text(print->cli, NULL, "the rows' types cannot be read: %s", error.message);
  } else {
    choose_format(print, &options);
    print->writer = cli_writer_create(&options, print->output, &print->type);
    cli_writer_begin(print->writer);
    status = print_batches(print, stream);
    print->query->rows = print->writer->row_count;
  }
  cli_writer_destroy(print->writer);
  ArrowArrayViewReset(&print->view);
  cli_type_deinit(&print->type);
  schema.release(&schema);
  return status;
}

static ap_status write_arrow(void *context, const void *data, size_t size) {
  return cli_output_write(context, data, size) ? AP_OK : AP_IO;
}

/* Standard output is flushed here; of other outputs the owner sees errors. */
static int finish(struct print *print) {
  struct cli *cli = print->cli;
  if (print->output == &cli->output) return cli_finish_output(cli);
  (void)cli_output_flush(print->output);
  return CLI_EXIT_OK;
}

int cli_print_stream(struct cli *cli, struct ArrowArrayStream *stream, struct cli_query *query,
                     struct cli_progress *progress) {
  struct print print = {.cli = cli,
                        .query = query,
                        .output = query->output == NULL ? &cli->output : query->output,
                        .progress = progress};
  int status = CLI_EXIT_OK;
  if (print.output->is_terminal && progress != NULL) {
    print.output->before = clear_progress;
    print.output->before_context = progress;
  }
  if (query->options.format == CLI_FORMAT_ARROW) {
    ap_error error = {0};
    if (ap_ipc_encode(stream, write_arrow, print.output, &error) != AP_OK &&
        print.output->error == 0) {
      status = fail_print(&print, &error);
    }
  } else {
    status = print_rows(&print, stream);
    stream->release(stream);
  }
  int flushed = finish(&print);
  if (progress != NULL) cli_progress_clear(progress);
  print.output->before = NULL;
  return status != CLI_EXIT_OK ? status : flushed;
}

int cli_run_sql(struct cli *cli, struct cli_query *query) {
  ap_query_options options = AP_QUERY_OPTIONS_INIT;
  struct ArrowArrayStream stream = {0};
  struct cli_progress progress;
  ap_error error = {0};
  cli_progress_init(&progress, cli, "running", 1000);
  progress.output = query->output == NULL ? &cli->output : query->output;
  options.parameters = query->parameters;
  options.parameter_count = query->parameter_count;
  options.cancelled = cli_progress_cancelled;
  options.progress = progress.is_on ? cli_progress_show : NULL; /* keeping account costs */
  options.context = &progress;
  query->rows = 0;
  ap_status status = ap_session_query(query->session, query->sql, &options, &stream, &error);
  if (status != AP_OK) {
    cli_progress_clear(&progress);
    return cli_fail_sql(cli, &error, query->sql);
  }
  return cli_print_stream(cli, &stream, query, &progress);
}
