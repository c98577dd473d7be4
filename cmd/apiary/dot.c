/* SPDX-License-Identifier: Apache-2.0
 *
 * Dot commands: the table of them, their help, and how a line becomes one.
 */
#include "completion.h"
#include "shell.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct shell_dot_command shell_dot_commands[] = {
    {".bail", "on|off", "end a script at its first error", NULL, shell_dot_bail,
     SHELL_TAKES_SWITCH},
    {".cd", "FOLDER", "go to a folder, where files are looked for", NULL, shell_dot_cd,
     SHELL_TAKES_FILE},
    {".databases", "", "list the hives", NULL, shell_dot_hives, SHELL_TAKES_NOTHING},
    {".describe", "FRAME", "show a frame's columns and size", NULL, shell_dot_describe,
     SHELL_TAKES_FRAME},
    {".echo", "on|off", "show what is run", NULL, shell_dot_echo, SHELL_TAKES_SWITCH},
    {".exit", "[STATUS]", "leave", NULL, shell_dot_quit, SHELL_TAKES_NOTHING},
    {".explain", "QUERY", "show how a query would run", NULL, shell_dot_explain,
     SHELL_TAKES_NOTHING},
    {".export", "FRAME|'SQL' FILE", "write rows to a new file",
     "Options: --format csv|json|parquet|arrow; without, the file's name tells.", shell_dot_export,
     SHELL_TAKES_FRAME},
    {".frames", "[PATTERN]", "list frames: of the box or hive in use, or all",
     "PATTERN is as in LIKE: % stands for any text, _ for a character.", shell_dot_frames,
     SHELL_TAKES_NOTHING},
    {".headers", "on|off", "print the names of columns", NULL, shell_dot_headers,
     SHELL_TAKES_SWITCH},
    {".help", "[COMMAND]", "list the commands, or tell more of one", NULL, shell_dot_help,
     SHELL_TAKES_COMMAND},
    {".history", "[N]", "show the last N statements, 50 without N", NULL, shell_dot_history,
     SHELL_TAKES_NOTHING},
    {".hives", "", "list the hives", NULL, shell_dot_hives, SHELL_TAKES_NOTHING},
    {".import", "FRAME FILE...", "load files into a frame, which is made if missing",
     "Options: --format csv|json|parquet|arrow, --overwrite, --no-create, --null TEXT,\n"
     "--partition-by NAMES.",
     shell_dot_import, SHELL_TAKES_FRAME},
    {".maxrows", "[N]", "of larger tables, show the first and last rows; 0: all", NULL,
     shell_dot_maxrows, SHELL_TAKES_NOTHING},
    {".maxwidth", "[N|auto]", "fit tables to N columns; auto: the terminal's, 0: any", NULL,
     shell_dot_maxwidth, SHELL_TAKES_NOTHING},
    {".mode", "[MODE] [FRAME]", "choose how rows are printed",
     "MODE is " CLI_FORMATS ".\n"
     "FRAME is the name in INSERT statements.",
     shell_dot_mode, SHELL_TAKES_MODE},
    {".nullvalue", "[TEXT]", "print nulls as TEXT; without TEXT, as the mode does", NULL,
     shell_dot_nullvalue, SHELL_TAKES_NOTHING},
    {".once", "FILE", "send the next result to a file", NULL, shell_dot_once, SHELL_TAKES_FILE},
    {".open", "FOLDER", "go on with the storage in another folder", NULL, shell_dot_open,
     SHELL_TAKES_FILE},
    {".output", "[FILE]", "send results to a file; without FILE, to the screen again", NULL,
     shell_dot_output, SHELL_TAKES_FILE},
    {".pager", "on|off|COMMAND", "show what the screen does not hold with a pager",
     "On a terminal it is on: $PAGER, else 'less -SRFX'. All rows go through it; leave it\n"
     "early to end the query.",
     shell_dot_pager, SHELL_TAKES_SWITCH},
    {".print", "TEXT", "print a text", NULL, shell_dot_print, SHELL_TAKES_NOTHING},
    {".prompt", "[TEXT]", "set the prompt; %p is the hive and box in use", NULL, shell_dot_prompt,
     SHELL_TAKES_NOTHING},
    {".quit", "[STATUS]", "leave (Ctrl-D does too)", NULL, shell_dot_quit, SHELL_TAKES_NOTHING},
    {".read", "FILE", "run a file of statements and commands", NULL, shell_dot_read,
     SHELL_TAKES_FILE},
    {".schema", "[PATTERN]", "show the statements that make frames",
     "PATTERN is a frame's name, or as in LIKE.", shell_dot_schema, SHELL_TAKES_FRAME},
    {".show", "", "show the settings", NULL, shell_dot_show, SHELL_TAKES_NOTHING},
    {".tables", "[PATTERN]", "list frames, as .frames does", NULL, shell_dot_frames,
     SHELL_TAKES_NOTHING},
    {".timer", "on|off", "tell how long statements take", NULL, shell_dot_timer,
     SHELL_TAKES_SWITCH},
    {".width", "[N...]", "set the widths of a table's columns; 0: by what is in them", NULL,
     shell_dot_width, SHELL_TAKES_NOTHING},
    {.name = NULL},
};

enum { COMMAND_COUNT = sizeof shell_dot_commands / sizeof shell_dot_commands[0] - 1 };

static const struct shell_dot_command *find(const char *name) {
  for (const struct shell_dot_command *c = shell_dot_commands; c->name != NULL; ++c) {
    if (strcasecmp(c->name, name) == 0) return c;
  }
  return NULL;
}

static int fail_unknown(struct shell *shell, const char *name) {
  const char *names[COMMAND_COUNT];
  char hint[64];
  for (size_t i = 0; i < COMMAND_COUNT; ++i) names[i] = shell_dot_commands[i].name;
  const char *nearest = cli_nearest(name, names, COMMAND_COUNT);
  (void)snprintf(hint, sizeof hint, nearest == NULL ? "'.help' lists them" : "did you mean %s?",
                 nearest);
  return cli_fail_text(shell->cli, hint, "there is no command %s", name);
}

int shell_fail_dot(struct shell_dot *dot, const char *name, const char *problem) {
  const struct shell_dot_command *command = find(name);
  char hint[128];
  (void)snprintf(hint, sizeof hint, "%s %s", command->name, command->usage);
  return cli_fail_text(dot->shell->cli, hint, "%s", problem);
}

/* ---- help ------------------------------------------------------------------------------------ */

int shell_dot_help(struct shell_dot *dot) {
  struct cli_text text = {0};
  if (dot->count > 0) {
    struct cli_text name = {0};
    cli_text_append_format(&name, "%s%s", dot->words[0][0] == '.' ? "" : ".", dot->words[0]);
    const struct shell_dot_command *command = find(name.data);
    int status = CLI_EXIT_OK;
    if (command == NULL) {
      status = fail_unknown(dot->shell, name.data);
    } else {
      cli_text_append_format(&text, "%s %s\n  %s\n", command->name, command->usage,
                             command->summary);
      if (command->details != NULL) cli_text_append_format(&text, "%s\n", command->details);
      shell_say(dot->shell, text.data);
    }
    cli_text_deinit(&name);
    cli_text_deinit(&text);
    return status;
  }
  cli_text_append_string(
      &text,
      "Statements end in ';' and may take several lines. Tab completes, Ctrl-C ends a statement,\n"
      "Up recalls, and within a statement goes back to its earlier lines.\n");
  for (const struct shell_dot_command *c = shell_dot_commands; c->name != NULL; ++c) {
    struct cli_text form = {0};
    cli_text_append_format(&form, "%s %s", c->name, c->usage);
    cli_text_append_format(&text, "  %-26s %s\n", form.data, c->summary);
    cli_text_deinit(&form);
  }
  cli_text_append_string(
      &text,
      "USE shop.sales; SHOW FRAMES; DESCRIBE orders; are statements. '.help mode' tells more.\n");
  shell_say_long(dot->shell, text.data);
  cli_text_deinit(&text);
  return CLI_EXIT_OK;
}

/* ---- running --------------------------------------------------------------------------------- */

/* Words parted by blanks; quotes of either kind hold blanks together, and a quote if doubled. False
 * when one is not closed. */
static bool split(const char *text, char ***out_words, size_t *out_count) {
  size_t size = strlen(text);
  char **words = cli_allocate(size / 2 + 1, sizeof *words);
  size_t count = 0;
  bool is_closed = true;
  for (const char *at = text + strspn(text, " \t"); *at != '\0'; at += strspn(at, " \t")) {
    struct cli_text word = {0};
    while (*at != '\0' && *at != ' ' && *at != '\t') {
      char quote = *at == '\'' || *at == '"' ? *at : '\0';
      if (quote == '\0') {
        cli_text_append_char(&word, *at++);
        continue;
      }
      for (++at; *at != '\0' && (*at != quote || at[1] == quote); ++at) {
        if (*at == quote) ++at;
        cli_text_append_char(&word, *at);
      }
      is_closed = *at == quote;
      if (is_closed) ++at;
    }
    words[count++] = word.data == NULL ? cli_copy("", 0) : word.data;
  }
  *out_words = words;
  *out_count = count;
  return is_closed;
}

int shell_run_dot(struct shell *shell, const char *line) {
  size_t size = strcspn(line, " \t\r;");
  char *name = cli_copy(line, size);
  const char *start = line + size + strspn(line + size, " \t");
  size_t end = strlen(start);
  while (end > 0 && strchr(" \t\r;", start[end - 1]) != NULL) --end;
  char *rest = cli_copy(start, end);
  const struct shell_dot_command *command = find(name);
  struct shell_dot dot = {.shell = shell, .rest = rest};
  int status = CLI_EXIT_OK;
  if (command == NULL) {
    status = fail_unknown(shell, name);
  } else if (!split(rest, &dot.words, &dot.count) && command->run != shell_dot_explain &&
             command->run != shell_dot_print) {
    status = shell_fail_dot(&dot, command->name, "a quote without its end");
  } else {
    status = command->run(&dot);
  }
  for (size_t i = 0; i < dot.count; ++i) free(dot.words[i]);
  free(dot.words);
  free(rest);
  free(name);
  return status;
}

/* ---- completion ------------------------------------------------------------------------------ */

static void add(struct cli_candidates *candidates, const char *item, const char *word) {
  if (strncasecmp(item, word, strlen(word)) == 0) {
    cli_candidates_add(candidates, item, strlen(item));
  }
}

static void add_files(struct cli_candidates *candidates, const char *word) {
  const char *slash = strrchr(word, '/');
  size_t folder_size = slash == NULL ? 0 : (size_t)(slash - word) + 1;
  char *folder = cli_copy(word, folder_size);
  DIR *entries = opendir(folder_size == 0 ? "." : folder);
  for (struct dirent *entry = NULL; entries != NULL && (entry = readdir(entries)) != NULL;) {
    bool is_hidden = entry->d_name[0] == '.' && word[folder_size] != '.';
    bool is_odd = strpbrk(entry->d_name, " \t'\"") != NULL;
    if (is_hidden || is_odd || strcmp(entry->d_name, ".") == 0 ||
        strcmp(entry->d_name, "..") == 0) {
      continue;
    }
    struct cli_text item = {0};
    cli_text_append_format(&item, "%s%s%s", folder, entry->d_name,
                           entry->d_type == DT_DIR ? "/" : "");
    if (strncmp(item.data, word, strlen(word)) == 0) {
      cli_candidates_add(candidates, item.data, item.size);
    }
    cli_text_deinit(&item);
  }
  if (entries != NULL) (void)closedir(entries);
  free(folder);
}

static void add_words(struct cli_candidates *candidates, const char *const *words, size_t count,
                      const char *word) {
  for (size_t i = 0; i < count; ++i) add(candidates, words[i], word);
}

size_t shell_complete_dot(struct shell *shell, const char *line,
                          struct cli_candidates *candidates) {
  static const char *const switches[] = {"on", "off"};
  static const char *const modes[] = {"table", "box",      "csv",  "tsv",  "json",   "ndjson",
                                      "jsonl", "markdown", "line", "html", "insert", "arrow"};
  const char *start = line + strspn(line, " \t");
  size_t name_size = strcspn(start, " \t");
  const char *last = line + strlen(line);
  while (last > line && last[-1] != ' ' && last[-1] != '\t') --last;
  if (start[name_size] == '\0') {
    for (size_t i = 0; i < COMMAND_COUNT; ++i) add(candidates, shell_dot_commands[i].name, start);
    return strlen(start);
  }
  char *name = cli_copy(start, name_size);
  const struct shell_dot_command *command = find(name);
  free(name);
  if (command == NULL) return strlen(last);
  bool is_first = start + name_size + strspn(start + name_size, " \t") == last;
  if (command->takes == SHELL_TAKES_SWITCH) add_words(candidates, switches, 2, last);
  if (command->takes == SHELL_TAKES_MODE && is_first) {
    add_words(candidates, modes, sizeof modes / sizeof modes[0], last);
  }
  if (command->takes == SHELL_TAKES_COMMAND) {
    for (size_t i = 0; i < COMMAND_COUNT; ++i) add(candidates, shell_dot_commands[i].name, last);
  }
  bool takes_file =
      command->takes == SHELL_TAKES_FILE || (command->takes == SHELL_TAKES_FRAME && !is_first);
  if (takes_file) add_files(candidates, last);
  if (command->takes == SHELL_TAKES_FRAME && is_first) {
    const struct cli_completion completion = {.names = shell->names,
                                              .apiary = shell->cli->apiary,
                                              .session = shell->cli->session,
                                              .pending = ""};
    return cli_complete_name(&completion, last, candidates);
  }
  return strlen(last);
}
