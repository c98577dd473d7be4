/* SPDX-License-Identifier: Apache-2.0
 *
 * shell: statements line by line.
 *
 * On a terminal an error ends a statement, not the shell; a script is ended by its first error.
 */
#include "cli.h"
#include "completion.h"
#include "json_read.h"
#include "lines.h"
#include "statement.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_DEPTH_MAX = 16, PATIENCE = 3 };

struct shell {
  struct cli *cli;
  ap_session *session;
  struct cli_lines *lines; /* those of the terminal or standard input */
  struct cli_writer_options options;
  struct cli_text statement; /* typed so far */
  bool is_terminal;
  bool is_timed;
  bool is_over;
  int read_depth;
};

static int run_lines(struct shell *shell, struct cli_lines *lines, bool is_terminal);

static void say(struct shell *shell, const char *text) {
  (void)cli_output_string(&shell->cli->output, text);
  (void)cli_finish_output(shell->cli);
}

/* ---- dot commands ---------------------------------------------------------------------------- */

static int run_help(struct shell *shell, const char *argument) {
  (void)argument;
  say(shell,
      "Statements end in ';' and may take several lines. Tab completes, Ctrl-C ends a statement.\n"
      "  .help            this text\n"
      "  .mode FORMAT     table, csv, json, ndjson or markdown\n"
      "  .quit            leave (Ctrl-D does too)\n"
      "  .read FILE       run a file of statements\n"
      "  .schema FRAME    the statement that makes a frame\n"
      "  .tables          the frames of the box in use, or all\n"
      "  .timer on|off    tell how long statements take\n"
      "USE HIVE shop; USE BOX sales; SHOW FRAMES; DESCRIBE orders; are statements.\n");
  return CLI_EXIT_OK;
}

static int run_quit(struct shell *shell, const char *argument) {
  (void)argument;
  shell->is_over = true;
  return CLI_EXIT_OK;
}

static int run_mode(struct shell *shell, const char *argument) {
  enum cli_format format;
  if (argument[0] == '\0') {
    say(shell, cli_format_word(shell->options.format));
    say(shell, "\n");
    return CLI_EXIT_OK;
  }
  if (!cli_format_parse(argument, &format) || format == CLI_FORMAT_ARROW) {
    return cli_fail_text(shell->cli, "the modes are table, csv, json, ndjson and markdown",
                         "'%s' is no mode", argument);
  }
  shell->options.format = format;
  return CLI_EXIT_OK;
}

static int run_timer(struct shell *shell, const char *argument) {
  bool is_on = strcmp(argument, "on") == 0;
  if (!is_on && strcmp(argument, "off") != 0) {
    return cli_fail_text(shell->cli, ".timer on, or .timer off", "the timer is on or off");
  }
  shell->is_timed = is_on;
  return CLI_EXIT_OK;
}

static int run_read(struct shell *shell, const char *argument) {
  if (shell->read_depth >= READ_DEPTH_MAX) {
    return cli_fail_text(shell->cli, NULL, "files read files more than %d deep", READ_DEPTH_MAX);
  }
  int fd = open(argument, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return cli_fail_text(shell->cli, NULL, "cannot open '%s': %s", argument, strerror(errno));
  }
  const struct cli_lines_options options = {.interrupt = &shell->cli->interrupt, .fd = fd};
  struct cli_lines *lines = cli_lines_create(&options);
  struct cli_text outer = shell->statement;
  shell->statement = (struct cli_text){0};
  ++shell->read_depth;
  int status = run_lines(shell, lines, false);
  --shell->read_depth;
  cli_text_deinit(&shell->statement);
  shell->statement = outer;
  cli_lines_destroy(lines);
  (void)close(fd);
  return status;
}

static void list_frames(struct shell *shell, const char *hive, const char *box) {
  ap_names *names = NULL;
  if (ap_list(shell->cli->apiary, hive, box, &names, NULL) != AP_OK) return;
  for (size_t i = 0; i < ap_names_count(names); ++i) {
    const char *name = ap_names_get(names, i);
    if (hive == NULL) {
      list_frames(shell, name, NULL);
    } else if (box == NULL) {
      list_frames(shell, hive, name);
    } else {
      (void)cli_output_format(&shell->cli->output, "%s.%s.%s\n", hive, box, name);
    }
  }
  ap_names_free(names);
}

static int run_tables(struct shell *shell, const char *argument) {
  const char *hive = ap_session_hive(shell->session);
  const char *box = ap_session_box(shell->session);
  (void)argument;
  list_frames(shell, hive[0] == '\0' ? NULL : hive, box[0] == '\0' ? NULL : box);
  (void)cli_finish_output(shell->cli);
  return CLI_EXIT_OK;
}

static void write_schema(struct shell *shell, const struct cli_name *frame, const char *json) {
  struct cli_json description = cli_json_of(json);
  struct cli_json_walk walk = cli_json_walk_start(cli_json_member(description, "schema"));
  struct cli_text text = {0};
  struct cli_text name = {0};
  struct cli_json value;
  cli_text_append_string(&text, "CREATE FRAME ");
  cli_name_append(&text, frame);
  cli_text_append_string(&text, " (");
  for (bool is_first = true; cli_json_walk_next(&walk, &name, &value); is_first = false) {
    const struct cli_name column = {{name.data}, 1};
    cli_text_append_string(&text, is_first ? "\n  " : ",\n  ");
    cli_name_append(&text, &column);
    cli_text_append_char(&text, ' ');
    cli_json_append(&text, value);
    cli_text_clear(&name);
  }
  cli_text_append_string(&text, "\n)");
  walk = cli_json_walk_start(cli_json_member(description, "partition_by"));
  for (bool is_first = true; cli_json_walk_next(&walk, NULL, &value); is_first = false) {
    cli_text_clear(&name);
    cli_json_append(&name, value);
    const struct cli_name column = {{name.data}, 1};
    cli_text_append_string(&text, is_first ? " PARTITIONED BY (" : ", ");
    cli_name_append(&text, &column);
  }
  cli_text_append_string(&text, walk.at != NULL && name.size > 0 ? ");\n" : ";\n");
  say(shell, cli_text_string(&text));
  cli_text_deinit(&name);
  cli_text_deinit(&text);
}

static int run_schema(struct shell *shell, const char *argument) {
  const char *parts[3] = {ap_session_hive(shell->session), ap_session_box(shell->session), ""};
  struct cli_name name = {0};
  struct cli_name whole = {.count = 3};
  ap_error error = {0};
  char *json = NULL;
  int status = CLI_EXIT_OK;
  if (!cli_name_parse(argument, &name)) {
    return cli_fail_text(shell->cli, ".schema HIVE.BOX.FRAME", "'%s' is no frame's name", argument);
  }
  for (size_t i = 0; i < 3; ++i) {
    size_t missing = 3 - name.count;
    whole.parts[i] = i < missing ? (char *)(uintptr_t)parts[i] : name.parts[i - missing];
  }
  if (ap_frame_describe(shell->cli->apiary, whole.parts[0], whole.parts[1], whole.parts[2], &json,
                        &error) == AP_OK) {
    write_schema(shell, &whole, json);
  } else {
    status = cli_fail(shell->cli, &error);
  }
  ap_string_free(json);
  cli_name_deinit(&name);
  return status;
}

static int run_dot(struct shell *shell, const char *line) {
  static const struct {
    const char *name;
    int (*run)(struct shell *shell, const char *argument);
  } commands[] = {{".help", run_help},     {".mode", run_mode},  {".quit", run_quit},
                  {".exit", run_quit},     {".read", run_read},  {".schema", run_schema},
                  {".tables", run_tables}, {".timer", run_timer}};
  const char *names[sizeof commands / sizeof commands[0]];
  size_t count = sizeof commands / sizeof commands[0];
  size_t size = strcspn(line, " \t");
  char *name = cli_copy(line, size);
  char *argument = cli_copy(line + size, strlen(line + size));
  char *word = argument + strspn(argument, " \t");
  size_t end = strlen(word);
  while (end > 0 && strchr(" \t\r;", word[end - 1]) != NULL) word[--end] = '\0';
  int status = -1;
  for (size_t i = 0; i < count && status < 0; ++i) {
    names[i] = commands[i].name;
    if (strcmp(name, commands[i].name) == 0) status = commands[i].run(shell, word);
  }
  if (status < 0) {
    char hint[64];
    const char *nearest = cli_nearest(name, names, count);
    (void)snprintf(hint, sizeof hint, nearest == NULL ? "'.help' lists them" : "did you mean %s?",
                   nearest);
    status = cli_fail_text(shell->cli, hint, "there is no command %s", name);
  }
  free(argument);
  free(name);
  return status;
}

/* ---- statements ------------------------------------------------------------------------------ */

static int run_statement(struct shell *shell, const char *text, size_t size) {
  struct cli *cli = shell->cli;
  double started_ms = cli_now_ms();
  char *sql = cli_copy(text, size);
  if (shell->is_terminal) shell->options.columns = cli_output_columns(&cli->output);
  int status = cli_run_sql(cli, shell->session, sql, NULL, 0, &shell->options, NULL);
  free(sql);
  if (shell->is_terminal) cli_interrupt_clear(&cli->interrupt);
  if (status == CLI_EXIT_OK && shell->is_timed) {
    (void)cli_output_format(&cli->output, "time %.1f ms\n", cli_now_ms() - started_ms);
    (void)cli_finish_output(cli);
  }
  if (cli->output.error != 0) shell->is_over = true;
  return status;
}

static void forget(struct shell *shell, size_t size) {
  struct cli_text rest = {0};
  cli_text_append(&rest, shell->statement.data + size, shell->statement.size - size);
  cli_text_deinit(&shell->statement);
  shell->statement = rest;
}

/* Run what is complete of what was typed. */
static int run_complete(struct shell *shell, bool is_terminal) {
  struct cli_text *statement = &shell->statement;
  int status = CLI_EXIT_OK;
  size_t size = 0;
  while (!shell->is_over && (is_terminal || status == CLI_EXIT_OK) &&
         (size = cli_statement_size(cli_text_string(statement), statement->size)) > 0) {
    if (!cli_statement_is_blank(statement->data, size)) {
      status = run_statement(shell, statement->data, size);
    }
    forget(shell, size);
  }
  if (cli_statement_is_blank(cli_text_string(statement), statement->size)) {
    cli_text_clear(statement);
  }
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

static int run_line(struct shell *shell, struct cli_lines *lines, const struct cli_text *line,
                    bool is_terminal) {
  const char *text = cli_text_string(line);
  const char *start = text + strspn(text, " \t\r");
  if (strlen(text) != line->size) {
    cli_text_clear(&shell->statement);
    return cli_fail_text(shell->cli, NULL, "the line holds a zero byte");
  }
  const char *command = start[0] == '.' ? start : find_bare_command(start);
  if (shell->statement.size == 0 && command != NULL) {
    cli_lines_remember(lines, start);
    return run_dot(shell, command);
  }
  cli_text_append(&shell->statement, text, line->size);
  if (is_terminal && cli_statement_size(shell->statement.data, shell->statement.size) > 0) {
    cli_lines_remember(lines, shell->statement.data);
  }
  cli_text_append_char(&shell->statement, '\n');
  return run_complete(shell, is_terminal);
}

static void make_prompt(const struct shell *shell, struct cli_text *prompt) {
  const char *hive = ap_session_hive(shell->session);
  const char *box = ap_session_box(shell->session);
  struct cli_text name = {0};
  cli_text_clear(prompt);
  cli_text_append_string(&name, hive[0] == '\0' ? "apiary" : hive);
  if (box[0] != '\0') cli_text_append_format(&name, ".%s", box);
  if (shell->statement.size == 0) {
    cli_text_append_format(prompt, "%s> ", cli_text_string(&name));
  } else {
    cli_text_append_repeated(prompt, " ", name.size > 3 ? name.size - 3 : 0);
    cli_text_append_string(prompt, "...> ");
  }
  cli_text_deinit(&name);
}

static int run_lines(struct shell *shell, struct cli_lines *lines, bool is_terminal) {
  struct cli_text line = {0};
  struct cli_text prompt = {0};
  int status = CLI_EXIT_OK;
  while (!shell->is_over && (is_terminal || status == CLI_EXIT_OK)) {
    if (is_terminal) make_prompt(shell, &prompt);
    enum cli_line got = cli_lines_read(lines, cli_text_string(&prompt), &line);
    if (got == CLI_LINE_READ) {
      status = run_line(shell, lines, &line, is_terminal);
    } else if (got == CLI_LINE_INTERRUPTED && is_terminal) {
      cli_text_clear(&shell->statement);
    } else if (got == CLI_LINE_INTERRUPTED) {
      status = CLI_EXIT_INTERRUPTED;
    } else {
      break;
    }
  }
  bool has_rest = shell->statement.size > 0 && !shell->is_over;
  if (!is_terminal && status == CLI_EXIT_OK && has_rest) {
    status = run_statement(shell, shell->statement.data, shell->statement.size);
  }
  cli_text_deinit(&line);
  cli_text_deinit(&prompt);
  return is_terminal ? CLI_EXIT_OK : status;
}

/* ---- the command ----------------------------------------------------------------------------- */

static void complete(void *context, const char *line, const char *word,
                     struct cli_candidates *candidates) {
  const struct shell *shell = context;
  const struct cli_completion completion = {.apiary = shell->cli->apiary,
                                            .hive = ap_session_hive(shell->session),
                                            .box = ap_session_box(shell->session),
                                            .statement = cli_text_string(&shell->statement)};
  cli_complete(&completion, line, word, candidates);
}

/* ~/.apiary/history; "" without a home. */
static void find_history(struct cli_text *path) {
  const char *home = getenv("HOME");
  if (home == NULL || home[0] == '\0') return;
  cli_text_append_format(path, "%s/.apiary", home);
  if (mkdir(path->data, 0700) != 0 && errno != EEXIST) {
    cli_text_clear(path);
    return;
  }
  cli_text_append_string(path, "/history");
}

static int run_shell(struct shell *shell) {
  struct cli *cli = shell->cli;
  struct cli_text history = {0};
  if (shell->is_terminal) find_history(&history);
  const struct cli_lines_options options = {
      .interrupt = &cli->interrupt,
      .fd = STDIN_FILENO,
      .is_terminal = shell->is_terminal,
      .history_path = history.size == 0 ? NULL : history.data,
      .complete = complete,
      .context = shell,
  };
  int status = CLI_EXIT_OK;
  shell->lines = cli_lines_create(&options);
  if (shell->lines == NULL) {
    status = cli_fail_text(cli, "pipe the statements in instead", "this terminal cannot be used");
  } else {
    if (shell->is_terminal) {
      atomic_store(&cli->interrupt.patience, PATIENCE);
      (void)cli_output_format(&cli->output, "apiary %s. Statements end in ';', .help helps.\n",
                              ap_version());
      (void)cli_finish_output(cli);
    }
    status = run_lines(shell, shell->lines, shell->is_terminal);
  }
  cli_lines_destroy(shell->lines);
  cli_text_deinit(&history);
  cli_text_deinit(&shell->statement);
  return status;
}

int cli_run_shell(struct cli *cli) {
  struct shell shell = {.cli = cli};
  ap_error error = {0};
  shell.is_terminal = isatty(STDIN_FILENO) == 1 && cli->output.is_terminal;
  int status = cli_writer_options_of(cli, &shell.options);
  if (status == CLI_EXIT_OK && shell.options.format == CLI_FORMAT_ARROW) {
    status =
        cli_fail_usage(cli, "'apiary sql -f arrow' writes it", "the shell does not write Arrow");
  }
  if (status == CLI_EXIT_OK) status = cli_open(cli);
  if (status == CLI_EXIT_OK && ap_session_open(cli->apiary, &shell.session, &error) != AP_OK) {
    status = cli_fail(cli, &error);
  }
  if (status == CLI_EXIT_OK) status = run_shell(&shell);
  ap_session_close(shell.session);
  return status;
}
