/* SPDX-License-Identifier: Apache-2.0
 *
 * sql: statements from the command line, a file or standard input, rows to standard output.
 */
#include "cli.h"

#include "number.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* ---- the text -------------------------------------------------------------------------------- */

/* Read all of a descriptor; Ctrl-C ends it. */
static int read_all(struct cli *cli, int fd, const char *name, struct cli_text *sql) {
  char bytes[16384];
  for (;;) {
    struct pollfd ready[2] = {{fd, POLLIN, 0}, {cli->interrupt.pipe[0], POLLIN, 0}};
    if (poll(ready, 2, -1) < 0 && errno != EINTR) break;
    if (ready[1].revents != 0) return CLI_EXIT_INTERRUPTED;
    if (ready[0].revents == 0) continue;
    ssize_t size = read(fd, bytes, sizeof bytes);
    if (size == 0) return CLI_EXIT_OK;
    if (size < 0 && errno != EINTR) break;
    if (size > 0) cli_text_append(sql, bytes, (size_t)size);
  }
  return cli_fail_text(cli, NULL, "cannot read %s: %s", name, strerror(errno));
}

static int read_file(struct cli *cli, const char *path, struct cli_text *sql) {
  if (strcmp(path, "-") == 0) return read_all(cli, STDIN_FILENO, "standard input", sql);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return cli_fail_text(cli, NULL, "cannot open '%s': %s", path, strerror(errno));
  int status = read_all(cli, fd, path, sql);
  (void)close(fd);
  return status;
}

static int read_sql(struct cli *cli, struct cli_text *sql) {
  const char *file = cli->arguments.values[CLI_FILE];
  bool has_word = cli->arguments.word_count > 0;
  if (has_word == (file != NULL)) {
    return cli_fail_usage(cli, "apiary sql 'SELECT 42', or apiary sql --file query.sql",
                          has_word ? "give a statement or --file, not both" : "which statement?");
  }
  int status = CLI_EXIT_OK;
  if (file != NULL || strcmp(cli->arguments.words[0], "-") == 0) {
    status = read_file(cli, file == NULL ? "-" : file, sql);
  } else {
    cli_text_append_string(sql, cli->arguments.words[0]);
  }
  if (status == CLI_EXIT_OK && sql->data != NULL && strlen(sql->data) != sql->size) {
    status = cli_fail_text(cli, NULL, "the statement holds a zero byte");
  }
  return status;
}

/* ---- parameters ------------------------------------------------------------------------------ */

static bool is_number(const char *text, bool *out_is_integer) {
  const char *at = text + (*text == '-' || *text == '+' ? 1 : 0);
  size_t before = strspn(at, "0123456789");
  at += before;
  size_t behind = 0;
  *out_is_integer = *at == '\0';
  if (*at == '.') {
    behind = strspn(++at, "0123456789");
    at += behind;
  }
  return *at == '\0' && before + behind > 0;
}

/* What a value looks like is what it is: numbers, true, false, NULL; in single quotes, and
 * everything else, it is text. */
static void parse_value(const char *value, ap_query_parameter *parameter) {
  bool is_integer = false;
  size_t size = strlen(value);
  parameter->type = AP_VALUE_TYPE_TEXT;
  parameter->data = value;
  parameter->size = size;
  if (strcasecmp(value, "null") == 0) {
    parameter->type = AP_VALUE_TYPE_NULL;
  } else if (strcasecmp(value, "true") == 0 || strcasecmp(value, "false") == 0) {
    parameter->type = AP_VALUE_TYPE_BOOLEAN;
    parameter->i64 = strcasecmp(value, "true") == 0;
  } else if (size >= 2 && value[0] == '\'' && value[size - 1] == '\'') {
    parameter->data = value + 1;
    parameter->size = size - 2;
  } else if (is_number(value, &is_integer)) {
    char *end = NULL;
    errno = 0;
    parameter->i64 = strtoll(value, &end, 10);
    bool is_small = is_integer && errno == 0;
    parameter->type = is_small ? AP_VALUE_TYPE_INTEGER : AP_VALUE_TYPE_DECIMAL;
  } else if (size > 0 && strspn(value, "+-.0123456789eE") == size) {
    char *end = NULL;
    parameter->f64 = strtod(value, &end);
    if (*end == '\0') parameter->type = AP_VALUE_TYPE_FLOAT;
  }
}

/* NAME=VALUE is for $NAME; the name, cut off, belongs to the caller. NULL: by position. */
static char *cut_name(const char **value) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
  const char *text = *value;
  size_t size = strspn(text, letters);
  if (size == 0 || text[size] != '=' || strchr("0123456789", text[0]) != NULL) return NULL;
  *value = text + size + 1;
  return cli_copy(text, size);
}

struct parameters {
  ap_query_parameter *items;
  char **names;
  size_t count;
};

static void parameters_init(struct parameters *parameters, const struct cli_arguments *arguments) {
  parameters->count = arguments->parameter_count;
  parameters->items = cli_allocate(parameters->count, sizeof *parameters->items);
  parameters->names = cli_allocate(parameters->count, sizeof *parameters->names);
  for (size_t i = 0; i < parameters->count; ++i) {
    const char *value = arguments->parameters[i];
    parameters->names[i] = cut_name(&value);
    parse_value(value, &parameters->items[i]);
    parameters->items[i].name = parameters->names[i];
  }
}

static void parameters_deinit(struct parameters *parameters) {
  for (size_t i = 0; i < parameters->count; ++i) free(parameters->names[i]);
  free(parameters->names);
  free(parameters->items);
  *parameters = (struct parameters){0};
}

/* ---- the command ----------------------------------------------------------------------------- */

int cli_run_sql_command(struct cli *cli) {
  struct cli_writer_options options;
  struct parameters parameters = {0};
  struct cli_text sql = {0};
  ap_session *session = NULL;
  ap_error error = {0};
  int status = cli_writer_options_of(cli, &options);
  if (status == CLI_EXIT_OK) status = read_sql(cli, &sql);
  if (status == CLI_EXIT_OK) status = cli_open(cli);
  if (status == CLI_EXIT_OK && ap_session_open(cli->apiary, &session, &error) != AP_OK) {
    status = cli_fail(cli, &error);
  }
  if (status == CLI_EXIT_OK) {
    parameters_init(&parameters, &cli->arguments);
    struct cli_query query = {.session = session,
                              .sql = cli_text_string(&sql),
                              .parameters = parameters.items,
                              .parameter_count = parameters.count,
                              .options = options};
    status = cli_run_sql(cli, &query);
  }
  parameters_deinit(&parameters);
  ap_session_close(session);
  cli_text_deinit(&sql);
  return status;
}
