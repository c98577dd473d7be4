/* SPDX-License-Identifier: Apache-2.0
 *
 * See cli.h.
 */
#include "cli.h"

#include "number.h"
#include "place.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PROGRESS_INTERVAL_MS = 100, PROGRESS_CELLS = 30, PROGRESS_COLUMNS = 80, TEXT_COLUMNS = 44 };

/* ---- errors ---------------------------------------------------------------------------------- */

bool cli_has_color(bool is_terminal) {
  const char *none = getenv("NO_COLOR");
  const char *terminal = getenv("TERM");
  bool is_refused = none != NULL && none[0] != '\0';
  return is_terminal && !is_refused && terminal != NULL && strcmp(terminal, "dumb") != 0;
}

static void tell_message(const struct cli *cli, unsigned line, const char *message, size_t size) {
  bool color = cli_has_color(cli->errors_are_seen);
  (void)fflush(stdout);
  (void)fprintf(stderr, "%sapiary: %s", color ? "\033[1;31m" : "", color ? "\033[0m" : "");
  if (cli->script != NULL) (void)fprintf(stderr, "%s:%u: ", cli->script, line);
  (void)fprintf(stderr, "%.*s\n", (int)size, message);
}

static void tell_hint(const char *hint) {
  if (hint != NULL && hint[0] != '\0') (void)fprintf(stderr, "hint: %s\n", hint);
}

static void tell(const struct cli *cli, const char *message, const char *hint) {
  tell_message(cli, cli->script_line, message, strlen(message));
  tell_hint(hint);
}

static int finish_error(const struct cli *cli, const ap_error *error) {
  if (cli->arguments.given[CLI_VERBOSE]) {
    (void)fprintf(stderr, "sqlstate: %s (%s, %s)\n", error->sqlstate, ap_status_name(error->code),
                  error->origin);
  }
  return error->code == AP_CANCELLED ? CLI_EXIT_INTERRUPTED : CLI_EXIT_FAILED;
}

int cli_fail(const struct cli *cli, const ap_error *error) {
  tell(cli, error->message[0] != '\0' ? error->message : ap_status_name(error->code), error->hint);
  return finish_error(cli, error);
}

int cli_fail_sql(const struct cli *cli, const ap_error *error, const char *sql) {
  struct cli_text excerpt = {0};
  unsigned line = 0;
  const char *message = error->message;
  size_t size = strlen(message);
  if (error->position == 0 || error->position > strlen(sql) + 1) return cli_fail(cli, error);
  bool color = cli_has_color(cli->errors_are_seen);
  cli_place_append(&excerpt, sql, error->position - 1, color, &line);
  cli_place_trim(&message, &size);
  tell_message(cli, cli->script_line + line - 1, message, size);
  (void)fputs(cli_text_string(&excerpt), stderr);
  tell_hint(error->hint);
  cli_text_deinit(&excerpt);
  return finish_error(cli, error);
}

int cli_fail_usage(const struct cli *cli, const char *hint, const char *format, ...) {
  char message[1024];
  char standard[128];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  if (hint == NULL) {
    const struct cli_command *command = cli->arguments.command;
    (void)snprintf(standard, sizeof standard, "'apiary %s%s--help' tells how",
                   command == NULL ? "" : command->name, command == NULL ? "" : " ");
    hint = standard;
  }
  tell(cli, message, hint);
  return CLI_EXIT_USAGE;
}

int cli_fail_text(const struct cli *cli, const char *hint, const char *format, ...) {
  char message[1024];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  tell(cli, message, hint);
  return CLI_EXIT_FAILED;
}

int cli_finish_output(struct cli *cli) {
  if (cli_output_flush(&cli->output) || cli->output.error == EPIPE) return CLI_EXIT_OK;
  if (cli->output_is_told) return CLI_EXIT_FAILED;
  cli->output_is_told = true;
  return cli_fail_text(cli, NULL, "cannot write to standard output: %s",
                       strerror(cli->output.error));
}

int cli_open(struct cli *cli) {
  const struct cli_arguments *arguments = &cli->arguments;
  ap_open_options options = AP_OPEN_OPTIONS_INIT;
  ap_error error = {0};
  if (cli->apiary != NULL) return CLI_EXIT_OK;
  options.storage = arguments->values[CLI_STORAGE];
  options.name = arguments->values[CLI_NAME];
  const char *memory = arguments->values[CLI_MEMORY];
  if (memory != NULL && ap_parse_size(memory, &options.memory_bytes, &error) != AP_OK) {
    return cli_fail_usage(cli, error.hint, "--memory: %s", error.message);
  }
  if (ap_open(&options, &cli->apiary, &error) != AP_OK) return cli_fail(cli, &error);
  return CLI_EXIT_OK;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* One part; *text moves behind it. NULL when it is none. */
static char *parse_part(const char **text) {
  struct cli_text part = {0};
  const char *at = *text;
  if (*at == '"') {
    for (++at; *at != '\0'; ++at) {
      if (*at == '"' && at[1] != '"') break;
      if (*at == '"') ++at;
      cli_text_append_char(&part, *at);
    }
    if (*at != '"') {
      cli_text_deinit(&part);
      return NULL;
    }
    ++at;
  } else {
    size_t size = strcspn(at, ".\"");
    cli_text_append(&part, at, size);
    at += size;
  }
  if (part.size == 0) {
    cli_text_deinit(&part);
    return NULL;
  }
  *text = at;
  return part.data;
}

bool cli_name_parse(const char *text, struct cli_name *name) {
  *name = (struct cli_name){0};
  for (;;) {
    char *part = name->count < 3 ? parse_part(&text) : NULL;
    if (part == NULL) break;
    name->parts[name->count++] = part;
    if (*text == '\0') return true;
    if (*text++ != '.') break;
  }
  cli_name_deinit(name);
  return false;
}

void cli_name_deinit(struct cli_name *name) {
  for (size_t i = 0; i < name->count; ++i) free(name->parts[i]);
  *name = (struct cli_name){0};
}

int cli_name_argument(const struct cli *cli, size_t index, size_t min, size_t max,
                      struct cli_name *name) {
  static const char *const forms[] = {"HIVE", "HIVE.BOX", "HIVE.BOX.FRAME"};
  const char *word = cli->arguments.words[index];
  char hint[128];
  if (cli_name_parse(word, name) && name->count >= min && name->count <= max) return CLI_EXIT_OK;
  cli_name_deinit(name);
  if (min == max) {
    (void)snprintf(hint, sizeof hint, "write it as %s", forms[min - 1]);
  } else {
    (void)snprintf(hint, sizeof hint, "write it as %s, or up to %s", forms[min - 1],
                   forms[max - 1]);
  }
  return cli_fail_usage(cli, hint, "'%s' is not the name of a %s", word,
                        min == 3   ? "frame"
                        : max == 3 ? "hive, box or frame"
                                   : "hive or box");
}

void cli_identifier_append(struct cli_text *text, const char *identifier) {
  cli_text_append_char(text, '"');
  for (const char *at = identifier; *at != '\0'; ++at) {
    if (*at == '"') cli_text_append_char(text, '"');
    cli_text_append_char(text, *at);
  }
  cli_text_append_char(text, '"');
}

static bool is_plain(const char *part) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
  size_t start = strspn(part, letters);
  return start > 0 && strspn(part + start,
                             "0123456789abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == strlen(part + start);
}

void cli_name_append(struct cli_text *text, const struct cli_name *name) {
  for (size_t i = 0; i < name->count; ++i) {
    if (i > 0) cli_text_append_char(text, '.');
    if (is_plain(name->parts[i])) {
      cli_text_append_string(text, name->parts[i]);
    } else {
      cli_identifier_append(text, name->parts[i]);
    }
  }
}

void cli_list_init(struct cli_list *list, const char *text) {
  size_t size = text == NULL ? 0 : strlen(text);
  *list = (struct cli_list){.copy = cli_copy(text, size)};
  list->items = cli_allocate(size + 1, sizeof *list->items);
  for (char *at = list->copy; *at != '\0';) {
    at += strspn(at, " ,");
    if (*at == '\0') break;
    list->items[list->count++] = at;
    at += strcspn(at, ",");
    char *end = at;
    while (end[-1] == ' ') --end;
    if (*at != '\0') ++at;
    *end = '\0';
  }
}

void cli_list_deinit(struct cli_list *list) {
  free(list->items);
  free(list->copy);
  *list = (struct cli_list){0};
}

bool cli_count_option(const struct cli *cli, enum cli_option option, int64_t otherwise,
                      int64_t *out_count) {
  const char *value = cli->arguments.values[option];
  *out_count = otherwise;
  if (value == NULL || cli_parse_count(value, out_count)) return true;
  (void)cli_fail_usage(cli, NULL, "'%s' is no number of rows", value);
  return false;
}

/* ---- progress -------------------------------------------------------------------------------- */

double cli_now_ms(void) {
  struct timespec now = {0};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

void cli_progress_init(struct cli_progress *progress, struct cli *cli, const char *label,
                       double delay_ms) {
  *progress = (struct cli_progress){.interrupt = &cli->interrupt,
                                    .label = label,
                                    .started_ms = cli_now_ms(),
                                    .delay_ms = delay_ms,
                                    .is_on = cli->errors_are_seen};
}

bool cli_progress_cancelled(void *context) {
  struct cli_progress *progress = context;
  if (cli_interrupt_asked(progress->interrupt)) return true;
  return progress->output != NULL && progress->output->error == 0 &&
         progress->output->fd != STDOUT_FILENO && cli_output_is_left(progress->output);
}

/* "4 s", "3 min", "2 h". */
static void append_duration(struct cli_text *text, double seconds) {
  if (seconds < 10) {
    cli_text_append_format(text, "%.1f s", seconds);
  } else if (seconds < 100) {
    cli_text_append_format(text, "%.0f s", seconds);
  } else if (seconds < 6000) {
    cli_text_append_format(text, "%.0f min", seconds / 60);
  } else {
    cli_text_append_format(text, "%.0f h", seconds / 3600);
  }
}

static void append_progress(struct cli_text *line, const struct cli_progress *progress,
                            double percent, double seconds) {
  const struct cli_output screen = {.fd = STDERR_FILENO, .is_terminal = true};
  size_t columns = cli_output_columns(&screen);
  if (columns == 0) columns = PROGRESS_COLUMNS;
  size_t cells = columns > TEXT_COLUMNS ? columns - TEXT_COLUMNS : 0;
  if (cells > PROGRESS_CELLS) cells = PROGRESS_CELLS;
  bool is_known = percent >= 0 && percent <= 100;
  size_t done = is_known ? (size_t)(percent * (double)cells / 100) : 0;
  cli_text_append_format(line, "\r%s ", progress->label);
  if (cells >= 5) {
    cli_text_append_char(line, '[');
    cli_text_append_repeated(line, "█", done);
    cli_text_append_repeated(line, "·", cells - done);
    cli_text_append_string(line, "] ");
  }
  if (is_known) cli_text_append_format(line, "%3.0f%% ", percent);
  append_duration(line, seconds);
  if (is_known && percent >= 2 && percent < 100) {
    cli_text_append_string(line, ", ");
    append_duration(line, seconds * (100 - percent) / percent);
    cli_text_append_string(line, " left");
  }
  cli_text_append_string(line, "\033[K");
}

void cli_progress_show(void *context, double percent) {
  struct cli_progress *progress = context;
  double now_ms = cli_now_ms();
  if (!progress->is_on || now_ms - progress->started_ms < progress->delay_ms ||
      now_ms - progress->shown_ms < PROGRESS_INTERVAL_MS) {
    return;
  }
  struct cli_text line = {0};
  append_progress(&line, progress, percent, (now_ms - progress->started_ms) / 1e3);
  (void)fputs(line.data, stderr);
  (void)fflush(stderr);
  cli_text_deinit(&line);
  progress->shown_ms = now_ms;
  progress->is_shown = true;
}

void cli_progress_clear(struct cli_progress *progress) {
  progress->is_on = false;
  if (!progress->is_shown) return;
  (void)fputs("\r\033[K", stderr);
  (void)fflush(stderr);
  progress->is_shown = false;
}
