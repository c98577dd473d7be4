/* SPDX-License-Identifier: Apache-2.0
 *
 * Dot commands about what there is, and those that do what commands of the program do.
 */
#include "json_read.h"
#include "number.h"
#include "shell.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { HISTORY_SHOWN = 50 };

/* ---- names ----------------------------------------------------------------------------------- */

bool shell_find_name(struct shell *shell, const char *text, size_t parts, struct cli_name *name) {
  const char *used[2] = {ap_session_hive(shell->cli->session), ap_session_box(shell->cli->session)};
  struct cli_name given = {0};
  if (!cli_name_parse(text, &given) || given.count > parts) {
    (void)cli_fail_text(shell->cli, "write it as HIVE.BOX.FRAME", "'%s' is no frame's name", text);
    cli_name_deinit(&given);
    return false;
  }
  size_t missing = parts - given.count;
  for (size_t i = 0; i < missing; ++i) {
    if (used[i][0] != '\0') continue;
    (void)cli_fail_text(shell->cli, "write HIVE.BOX.FRAME, or say USE HIVE.BOX; first",
                        "'%s' names no %s, and none is in use", text, i == 0 ? "hive" : "box");
    cli_name_deinit(&given);
    return false;
  }
  *name = (struct cli_name){.count = parts};
  for (size_t i = 0; i < parts; ++i) {
    const char *part = i < missing ? used[i] : given.parts[i - missing];
    name->parts[i] = cli_copy(part, strlen(part));
  }
  cli_name_deinit(&given);
  return true;
}

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* As LIKE does, in any case of letters. */
static bool is_like(const char *text, const char *pattern) {
  const char *retry_text = NULL;
  const char *retry_pattern = NULL;
  while (*text != '\0') {
    if (*pattern == '%') {
      retry_pattern = ++pattern;
      retry_text = text;
    } else if (*pattern != '\0' && (*pattern == '_' || lower(*pattern) == lower(*text))) {
      ++pattern;
      ++text;
    } else if (retry_pattern != NULL) {
      pattern = retry_pattern;
      text = ++retry_text;
    } else {
      return false;
    }
  }
  while (*pattern == '%') ++pattern;
  return *pattern == '\0';
}

/* Call `each` for the frames of a box, a hive or all, whose name alone or whole is like pattern
 * (NULL: all). */
struct walk {
  struct shell *shell;
  const char *pattern;
  int (*each)(struct walk *walk, const struct cli_name *name);
  size_t found;
  int status;
};

static void meet_frame(struct walk *walk, const char *hive, const char *box, const char *frame) {
  const struct cli_name name = {
      {(char *)(uintptr_t)hive, (char *)(uintptr_t)box, (char *)(uintptr_t)frame}, 3};
  struct cli_text whole = {0};
  cli_name_append(&whole, &name);
  bool fits =
      walk->pattern == NULL || is_like(frame, walk->pattern) || is_like(whole.data, walk->pattern);
  cli_text_deinit(&whole);
  if (!fits || walk->status != CLI_EXIT_OK) return;
  ++walk->found;
  walk->status = walk->each(walk, &name);
}

static void walk_frames(struct walk *walk, const char *hive, const char *box) {
  ap_names *names = NULL;
  ap_error error = {0};
  if (ap_list(walk->shell->cli->apiary, hive, box, &names, &error) != AP_OK) {
    walk->status = cli_fail(walk->shell->cli, &error);
    return;
  }
  for (size_t i = 0; i < ap_names_count(names) && walk->status == CLI_EXIT_OK; ++i) {
    const char *name = ap_names_get(names, i);
    if (hive == NULL) {
      walk_frames(walk, name, NULL);
    } else if (box == NULL) {
      walk_frames(walk, hive, name);
    } else {
      meet_frame(walk, hive, box, name);
    }
  }
  ap_names_free(names);
}

/* Below what USE set, or, for a pattern with a point, everywhere. */
static void walk_used(struct walk *walk) {
  const char *hive = ap_session_hive(walk->shell->cli->session);
  const char *box = ap_session_box(walk->shell->cli->session);
  bool is_whole = walk->pattern != NULL && strchr(walk->pattern, '.') != NULL;
  if (hive[0] == '\0' || is_whole) hive = box = "";
  walk_frames(walk, hive[0] == '\0' ? NULL : hive, box[0] == '\0' ? NULL : box);
}

static int write_name(struct walk *walk, const struct cli_name *name) {
  struct cli_text text = {0};
  cli_name_append(&text, name);
  cli_text_append_char(&text, '\n');
  (void)cli_output_write(&walk->shell->cli->output, text.data, text.size);
  cli_text_deinit(&text);
  return CLI_EXIT_OK;
}

int shell_dot_frames(struct shell_dot *dot) {
  struct walk walk = {.shell = dot->shell, .each = write_name};
  if (dot->count > 1) return shell_fail_dot(dot, ".frames", "one pattern");
  if (dot->count == 1) walk.pattern = dot->words[0];
  walk_used(&walk);
  int flushed = cli_finish_output(dot->shell->cli);
  return walk.status != CLI_EXIT_OK ? walk.status : flushed;
}

int shell_dot_hives(struct shell_dot *dot) {
  struct cli *cli = dot->shell->cli;
  ap_names *names = NULL;
  ap_error error = {0};
  if (ap_list(cli->apiary, NULL, NULL, &names, &error) != AP_OK) return cli_fail(cli, &error);
  for (size_t i = 0; i < ap_names_count(names); ++i) {
    (void)cli_output_format(&cli->output, "%s\n", ap_names_get(names, i));
  }
  ap_names_free(names);
  return cli_finish_output(cli);
}

/* ---- schema ---------------------------------------------------------------------------------- */

static void append_column(struct cli_text *text, const char *name) {
  const struct cli_name column = {{(char *)(uintptr_t)name}, 1};
  cli_name_append(text, &column);
}

static void append_schema(struct cli_text *text, const struct cli_name *frame, const char *json) {
  struct cli_json description = cli_json_of(json);
  struct cli_json_walk walk = cli_json_walk_start(cli_json_member(description, "schema"));
  struct cli_text name = {0};
  struct cli_json value;
  cli_text_append_string(text, "CREATE FRAME ");
  cli_name_append(text, frame);
  cli_text_append_string(text, " (");
  for (bool is_first = true; cli_json_walk_next(&walk, &name, &value); is_first = false) {
    cli_text_append_string(text, is_first ? "\n  " : ",\n  ");
    append_column(text, name.data);
    cli_text_append_char(text, ' ');
    cli_json_append(text, value);
    cli_text_clear(&name);
  }
  cli_text_append_string(text, "\n)");
  walk = cli_json_walk_start(cli_json_member(description, "partition_by"));
  bool is_first = true;
  for (; cli_json_walk_next(&walk, NULL, &value); is_first = false) {
    cli_text_clear(&name);
    cli_json_append(&name, value);
    cli_text_append_string(text, is_first ? " PARTITIONED BY (" : ", ");
    append_column(text, name.data);
  }
  cli_text_append_string(text, is_first ? ";\n" : ");\n");
  cli_text_deinit(&name);
}

static int write_schema(struct walk *walk, const struct cli_name *name) {
  struct cli *cli = walk->shell->cli;
  struct cli_text text = {0};
  ap_error error = {0};
  char *json = NULL;
  if (ap_frame_describe(cli->apiary, name->parts[0], name->parts[1], name->parts[2], &json,
                        &error) != AP_OK) {
    return cli_fail(cli, &error);
  }
  append_schema(&text, name, json);
  (void)cli_output_write(&cli->output, text.data, text.size);
  cli_text_deinit(&text);
  ap_string_free(json);
  return CLI_EXIT_OK;
}

int shell_dot_schema(struct shell_dot *dot) {
  struct shell *shell = dot->shell;
  struct walk walk = {.shell = shell, .each = write_schema};
  bool is_pattern = strchr(dot->rest, '%') != NULL;
  if (dot->rest[0] != '\0' && !is_pattern) {
    struct cli_name name = {0};
    if (!shell_find_name(shell, dot->rest, 3, &name)) return CLI_EXIT_FAILED;
    walk.status = write_schema(&walk, &name);
    cli_name_deinit(&name);
  } else {
    if (is_pattern) walk.pattern = dot->words[0];
    walk_used(&walk);
  }
  int flushed = cli_finish_output(shell->cli);
  return walk.status != CLI_EXIT_OK ? walk.status : flushed;
}

/* ---- commands of the program ----------------------------------------------------------------- */

/* Run one with the words as its arguments, the first of them a frame's name made whole. */
static int run_command(struct shell_dot *dot, const char *command) {
  struct shell *shell = dot->shell;
  struct cli *cli = shell->cli;
  struct cli_arguments outer = cli->arguments;
  struct cli_text problem = {0};
  struct cli_text hint = {0};
  struct cli_text frame = {0};
  struct cli_name name = {0};
  char **argv = cli_allocate(dot->count + 3, sizeof *argv);
  int status = CLI_EXIT_OK;
  argv[0] = (char *)(uintptr_t) "apiary";
  argv[1] = (char *)(uintptr_t)command;
  for (size_t i = 0; i < dot->count; ++i) argv[i + 2] = dot->words[i];
  bool is_query = strcmp(command, "export") == 0 && dot->count > 0 &&
                  strpbrk(dot->words[0], " \t(") != NULL && dot->rest[0] != '"';
  if (dot->count > 0 && !is_query) {
    /* A quoted name is taken as it was written. */
    char *word = dot->rest[0] == '"' ? cli_copy(dot->rest, strcspn(dot->rest + 1, "\"") + 2)
                                     : cli_copy(dot->words[0], strlen(dot->words[0]));
    if (!shell_find_name(shell, word, 3, &name)) status = CLI_EXIT_FAILED;
    cli_name_append(&frame, &name);
    argv[2] = frame.data;
    free(word);
  }
  if (status == CLI_EXIT_OK &&
      !cli_arguments_parse(&cli->arguments, (int)dot->count + 2, argv, &problem, &hint)) {
    cli_text_clear(&hint);
    cli_text_append_format(&hint, ".help %s tells how", command);
    status = cli_fail_text(cli, hint.data, "%s", cli_text_string(&problem));
  } else if (status == CLI_EXIT_OK) {
    status = cli->arguments.command->run(cli);
    (void)cli_finish_output(cli);
  }
  if (cli->arguments.words != outer.words) cli_arguments_deinit(&cli->arguments);
  cli->arguments = outer;
  cli_names_forget(shell->names);
  cli_interrupt_clear(&cli->interrupt);
  cli_name_deinit(&name);
  cli_text_deinit(&frame);
  cli_text_deinit(&problem);
  cli_text_deinit(&hint);
  free(argv);
  return status == CLI_EXIT_USAGE ? CLI_EXIT_FAILED : status;
}

int shell_dot_describe(struct shell_dot *dot) {
  return run_command(dot, "describe");
}

int shell_dot_import(struct shell_dot *dot) {
  return run_command(dot, "import");
}

int shell_dot_export(struct shell_dot *dot) {
  return run_command(dot, "export");
}

/* ---- the rest -------------------------------------------------------------------------------- */

int shell_dot_explain(struct shell_dot *dot) {
  struct cli_text sql = {0};
  if (dot->rest[0] == '\0') return shell_fail_dot(dot, ".explain", "explain which query?");
  cli_text_append_format(&sql, "EXPLAIN %s", dot->rest);
  int status = shell_run_sql(dot->shell, sql.data);
  cli_text_deinit(&sql);
  return status;
}

int shell_dot_history(struct shell_dot *dot) {
  struct shell *shell = dot->shell;
  struct cli_text text = {0};
  int64_t count = HISTORY_SHOWN;
  if (dot->count > 1 || (dot->count == 1 && !cli_parse_count(dot->words[0], &count))) {
    return shell_fail_dot(dot, ".history", "a number of statements, or none");
  }
  if (shell->lines != NULL) cli_lines_append_history(shell->lines, (size_t)count, &text);
  shell_say_long(shell, cli_text_string(&text));
  cli_text_deinit(&text);
  return CLI_EXIT_OK;
}

int shell_dot_open(struct shell_dot *dot) {
  if (dot->count != 1) return shell_fail_dot(dot, ".open", "which folder?");
  return shell_open(dot->shell, dot->words[0]);
}

int shell_dot_read(struct shell_dot *dot) {
  if (dot->count != 1) return shell_fail_dot(dot, ".read", "which file?");
  return shell_run_file(dot->shell, dot->words[0], false);
}
