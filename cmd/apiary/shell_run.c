/* SPDX-License-Identifier: Apache-2.0
 *
 * The shell's loop: lines become statements and dot commands, and those are run.
 */
#include "pager.h"
#include "shell.h"
#include "statement.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <unistd.h>

#include <stdlib.h>

enum { READ_DEPTH_MAX = 16 };

void shell_say(struct shell *shell, const char *text) {
  (void)cli_output_string(&shell->cli->output, text);
  (void)cli_finish_output(shell->cli);
}

void shell_say_long(struct shell *shell, const char *text) {
  struct cli_pager pager;
  cli_pager_begin(&pager, shell->cli, shell->is_terminal ? cli_text_string(&shell->pager) : "");
  (void)cli_output_string(&shell->cli->output, text);
  cli_pager_end(&pager);
  (void)cli_finish_output(shell->cli);
}

/* ---- statements ------------------------------------------------------------------------------ */

struct stopwatch {
  double real_ms;
  struct rusage usage;
};

static struct stopwatch start_watch(void) {
  struct stopwatch watch = {.real_ms = cli_now_ms()};
  (void)getrusage(RUSAGE_SELF, &watch.usage);
  return watch;
}

static double passed_ms(struct timeval from, struct timeval to) {
  return (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_usec - from.tv_usec) / 1e3;
}

static void tell_time(struct shell *shell, const struct stopwatch *since, int64_t rows) {
  struct stopwatch now = start_watch();
  struct cli_output *output = &shell->cli->output;
  (void)cli_output_format(
      output, "time %.1f ms (user %.1f ms, system %.1f ms), %lld row%s\n",
      now.real_ms - since->real_ms, passed_ms(since->usage.ru_utime, now.usage.ru_utime),
      passed_ms(since->usage.ru_stime, now.usage.ru_stime), (long long)rows, rows == 1 ? "" : "s");
  (void)cli_finish_output(shell->cli);
}

/* What is set, and what the screen is like now. */
static void choose_options(struct shell *shell, bool is_paged, struct cli_writer_options *options) {
  const struct cli *cli = shell->cli;
  bool is_seen = cli->output.is_terminal && shell->file_name.size == 0;
  *options = shell->options;
  options->columns = is_seen ? cli_output_columns(&cli->output) : 0;
  options->color = cli_has_color(is_seen);
  options->all_hint = ".maxrows 0 shows all";
  options->null_text = shell->has_null_text ? cli_text_string(&shell->null_text) : NULL;
  options->name = shell->frame_name.size > 0 ? shell->frame_name.data : NULL;
  options->widths = shell->widths;
  if (shell->width_max >= 0) options->columns = (size_t)shell->width_max;
  if (!shell->has_rows_max && (is_paged || !is_seen)) options->rows_max = 0;
}

static int finish_file(struct shell *shell, int status) {
  struct cli_output *file = &shell->file;
  if (shell->file_name.size == 0) return status;
  if (file->error != 0) {
    status = cli_fail_text(shell->cli, NULL, "cannot write to '%s': %s", shell->file_name.data,
                           strerror(file->error));
    file->error = 0;
  }
  if (shell->is_once) {
    (void)close(file->fd);
    cli_output_deinit(file);
    cli_text_clear(&shell->file_name);
    shell->is_once = false;
  }
  return status;
}

int shell_run_sql(struct shell *shell, const char *sql) {
  struct cli *cli = shell->cli;
  bool has_file = shell->file_name.size > 0;
  bool is_paged = shell->is_terminal && !has_file && shell->pager.size > 0;
  struct cli_query query = {.session = cli->session, .sql = sql};
  struct cli_pager pager = {0};
  struct stopwatch watch = start_watch();
  choose_options(shell, is_paged, &query.options);
  if (query.options.format == CLI_FORMAT_ARROW && !has_file && cli->output.is_terminal) {
    return cli_fail_text(cli, "send it to a file: .once rows.arrow", "Arrow is not for terminals");
  }
  query.output = has_file ? &shell->file : NULL;
  if (is_paged) cli_pager_begin(&pager, cli, shell->pager.data);
  int status = cli_run_sql(cli, &query);
  if (is_paged) cli_pager_end(&pager);
  status = finish_file(shell, status);
  if (shell->is_terminal) cli_interrupt_clear(&cli->interrupt);
  if (status == CLI_EXIT_OK && shell->is_timed) tell_time(shell, &watch, query.rows);
  if (cli_statement_is_deed(sql, strlen(sql))) cli_names_forget(shell->names);
  if (cli->output.error != 0) shell->is_over = true;
  return status;
}

int shell_run_statement(struct shell *shell, const char *text, size_t size) {
  struct cli *cli = shell->cli;
  struct shell_script *script = shell->script;
  size_t at = 0;
  struct cli_token first = cli_token_next(text, size, &at);
  size_t start = (size_t)(first.data - text);
  char *sql = cli_copy(first.data, size - start);
  cli->script = script->name;
  cli->script_line = script->line;
  for (size_t i = 0; i < start; ++i) cli->script_line += text[i] == '\n';
  if (shell->is_echoing) {
    shell_say(shell, sql);
    shell_say(shell, "\n");
  }
  int status = shell_run_sql(shell, sql);
  cli->script = NULL;
  free(sql);
  return status;
}

/* ---- scripts --------------------------------------------------------------------------------- */

/* Whether what comes behind an error is run. */
static bool goes_on(struct shell *shell, int status) {
  if (status == CLI_EXIT_OK || shell->script->is_terminal) return true;
  if (status == CLI_EXIT_INTERRUPTED) return false;
  if (shell->script->goes_on) return true;
  if (!shell->is_bailing) shell->has_failed = true;
  return !shell->is_bailing;
}

static void forget(struct shell_script *script, size_t size) {
  struct cli_text rest = {0};
  for (size_t i = 0; i < size; ++i) script->line += script->text.data[i] == '\n';
  cli_text_append(&rest, script->text.data + size, script->text.size - size);
  cli_text_deinit(&script->text);
  script->text = rest;
  script->scanned = 0;
}

static void clear(struct shell_script *script) {
  cli_text_clear(&script->text);
  script->scanned = 0;
  script->line = script->lines_read + 1;
}

/* Run what is complete of what was read. */
static int run_complete(struct shell *shell) {
  struct shell_script *script = shell->script;
  struct cli_text *text = &script->text;
  int status = CLI_EXIT_OK;
  size_t size = 0;
  while (!shell->is_over && goes_on(shell, status) &&
         (size = cli_statement_size(cli_text_string(text), text->size, &script->scanned)) > 0) {
    if (!cli_statement_is_blank(text->data, size)) {
      status = shell_run_statement(shell, text->data, size);
    }
    forget(script, size);
  }
  if (cli_statement_is_blank(cli_text_string(text), text->size)) clear(script);
  return status;
}

/* The dot command that a line means which people type without the dot; NULL for other lines. */
static const char *find_bare_command(const char *line) {
  static const char *const words[] = {".help", ".quit", ".exit"};
  size_t size = strcspn(line, "; \t\r");
  if (size != 4 || line[size + strspn(line + size, "; \t\r")] != '\0') return NULL;
  for (size_t i = 0; i < sizeof words / sizeof words[0]; ++i) {
    if (strncasecmp(line, words[i] + 1, size) == 0) return words[i];
  }
  return NULL;
}

static void remember(struct shell *shell, const char *text) {
  size_t size = strlen(text);
  while (size > 0 && strchr(" \t\r\n", text[size - 1]) != NULL) --size;
  if (shell->lines == NULL || size == 0 || cli_statement_is_secret(text, size)) return;
  char *copy = cli_copy(text, size);
  cli_lines_remember(shell->lines, copy);
  free(copy);
}

static int run_command(struct shell *shell, const char *line) {
  struct cli *cli = shell->cli;
  cli->script = shell->script->name;
  cli->script_line = shell->script->lines_read;
  if (shell->is_echoing) {
    shell_say(shell, line);
    shell_say(shell, "\n");
  }
  int status = CLI_EXIT_OK;
  if (line[0] == '\\') {
    status = cli_fail_text(cli, "commands begin with a dot: .help lists them",
                           "'%s' is no command of this shell", line);
  } else {
    status = shell_run_dot(shell, line);
  }
  cli->script = NULL;
  return status;
}

static int run_line(struct shell *shell, const struct cli_text *line) {
  struct shell_script *script = shell->script;
  const char *text = cli_text_string(line);
  const char *start = text + strspn(text, " \t\r");
  ++script->lines_read;
  if (strlen(text) != line->size) {
    clear(script);
    return cli_fail_text(shell->cli, NULL, "the line holds a zero byte");
  }
  bool is_fresh = script->text.size == 0;
  const char *command = find_bare_command(start);
  if (start[0] == '.' || start[0] == '\\') command = start;
  if (is_fresh && command != NULL) {
    if (script->is_terminal) remember(shell, start);
    int status = run_command(shell, command);
    script->line = script->lines_read + 1;
    return status;
  }
  cli_text_append(&script->text, text, line->size);
  size_t scanned = script->scanned;
  if (script->is_terminal &&
      cli_statement_size(cli_text_string(&script->text), script->text.size, &scanned) > 0) {
    remember(shell, script->text.data);
  }
  cli_text_append_char(&script->text, '\n');
  return run_complete(shell);
}

void shell_append_prompt(const struct shell *shell, bool goes_on_now, struct cli_text *prompt) {
  const char *hive = ap_session_hive(shell->cli->session);
  const char *box = ap_session_box(shell->cli->session);
  struct cli_text place = {0};
  struct cli_text whole = {0};
  cli_text_append_string(&place, hive[0] == '\0' ? "apiary" : hive);
  if (box[0] != '\0') cli_text_append_format(&place, ".%s", box);
  const char *form = shell->prompt.size == 0 ? "%p> " : shell->prompt.data;
  for (const char *at = form; *at != '\0'; ++at) {
    if (at[0] == '%' && at[1] == 'p') {
      cli_text_append(&whole, place.data, place.size);
      ++at;
    } else {
      cli_text_append_char(&whole, *at);
    }
  }
  if (goes_on_now) {
    cli_text_append_repeated(prompt, " ", whole.size > 5 ? whole.size - 5 : 0);
    cli_text_append_string(prompt, "...> ");
  } else {
    cli_text_append(prompt, cli_text_string(&whole), whole.size);
  }
  cli_text_deinit(&whole);
  cli_text_deinit(&place);
}

/* Ctrl-C at the prompt forgets what was typed; who keeps asking is told the way out. */
static void answer_interrupt(struct shell *shell, bool had_text) {
  bool is_empty = !had_text && shell->script->text.size == 0;
  clear(shell->script);
  shell->interrupts = is_empty ? shell->interrupts + 1 : 0;
  if (shell->interrupts >= 2) shell_say(shell, "(.quit or Ctrl-D leaves)\n");
}

static int read_lines(struct shell *shell, struct cli_lines *lines) {
  struct shell_script *script = shell->script;
  struct cli_text line = {0};
  struct cli_text prompt = {0};
  int status = CLI_EXIT_OK;
  while (!shell->is_over && goes_on(shell, status)) {
    cli_text_clear(&prompt);
    if (script->is_terminal) shell_append_prompt(shell, script->text.size > 0, &prompt);
    enum cli_line got = cli_lines_read(lines, cli_text_string(&prompt), &line);
    if (got == CLI_LINE_INTERRUPTED && script->is_terminal) {
      answer_interrupt(shell, line.size > 0);
      continue;
    }
    shell->interrupts = 0;
    if (got == CLI_LINE_INTERRUPTED) status = CLI_EXIT_INTERRUPTED;
    if (got != CLI_LINE_READ) break;
    status = run_line(shell, &line);
  }
  bool has_rest = script->text.size > 0 && !shell->is_over;
  if (!script->is_terminal && has_rest && goes_on(shell, status)) {
    status = shell_run_statement(shell, script->text.data, script->text.size);
  }
  cli_text_deinit(&line);
  cli_text_deinit(&prompt);
  return status;
}

int shell_run_lines(struct shell *shell, struct cli_lines *lines, struct shell_script *script) {
  struct shell_script *outer = shell->script;
  shell->script = script;
  script->line = 1;
  int status = read_lines(shell, lines);
  if (goes_on(shell, status)) status = CLI_EXIT_OK;
  shell->script = outer;
  cli_text_deinit(&script->text);
  return status;
}

int shell_run_text(struct shell *shell, const char *name, const char *text) {
  struct shell_script script = {.name = name};
  const struct cli_lines_options options = {
      .interrupt = &shell->cli->interrupt, .fd = -1, .text = text};
  struct cli_lines *lines = cli_lines_create(&options);
  int status = shell_run_lines(shell, lines, &script);
  cli_lines_destroy(lines);
  return status;
}

int shell_run_file(struct shell *shell, const char *path, bool goes_on_always) {
  struct cli *cli = shell->cli;
  bool is_input = strcmp(path, "-") == 0;
  struct shell_script script = {.name = is_input ? "stdin" : path, .goes_on = goes_on_always};
  if (shell->read_depth >= READ_DEPTH_MAX) {
    return cli_fail_text(cli, NULL, "files read files more than %d deep", READ_DEPTH_MAX);
  }
  int fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    enum cli_format format;
    const char *hint =
        cli_format_parse(path, &format) ? "--format chooses how rows are printed" : NULL;
    return cli_fail_text(cli, hint, "cannot open '%s': %s", path, strerror(errno));
  }
  const struct cli_lines_options options = {.interrupt = &cli->interrupt, .fd = fd};
  struct cli_lines *lines = cli_lines_create(&options);
  const char *outer = cli->script;
  unsigned outer_line = cli->script_line;
  ++shell->read_depth;
  int status = shell_run_lines(shell, lines, &script);
  --shell->read_depth;
  cli->script = outer;
  cli->script_line = outer_line;
  cli_lines_destroy(lines);
  if (!is_input) (void)close(fd);
  return status;
}
