/* SPDX-License-Identifier: Apache-2.0
 *
 * Dot commands that set something.
 */
#include "number.h"
#include "shell.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "on" or "off" into *setting. */
static int set_switch(struct shell_dot *dot, const char *name, bool *setting) {
  bool is_on = dot->count == 1 && strcmp(dot->words[0], "on") == 0;
  if (!is_on && (dot->count != 1 || strcmp(dot->words[0], "off") != 0)) {
    return shell_fail_dot(dot, name, "it is on or off");
  }
  *setting = is_on;
  return CLI_EXIT_OK;
}

int shell_dot_bail(struct shell_dot *dot) {
  return set_switch(dot, ".bail", &dot->shell->is_bailing);
}

int shell_dot_echo(struct shell_dot *dot) {
  return set_switch(dot, ".echo", &dot->shell->is_echoing);
}

int shell_dot_timer(struct shell_dot *dot) {
  return set_switch(dot, ".timer", &dot->shell->is_timed);
}

int shell_dot_headers(struct shell_dot *dot) {
  bool is_on = !dot->shell->options.no_header;
  int status = set_switch(dot, ".headers", &is_on);
  dot->shell->options.no_header = !is_on;
  return status;
}

static const char *word_of(bool is_on) {
  return is_on ? "on" : "off";
}

int shell_dot_mode(struct shell_dot *dot) {
  struct shell *shell = dot->shell;
  enum cli_format format;
  if (dot->count == 0) {
    shell_say(shell, cli_format_word(shell->options.format));
    shell_say(shell, "\n");
    return CLI_EXIT_OK;
  }
  if (!cli_format_parse(dot->words[0], &format)) {
    static const char *const words[] = {"table", "box",      "csv",  "tsv",  "json",   "ndjson",
                                        "jsonl", "markdown", "line", "html", "insert", "arrow"};
    struct cli_text hint = {0};
    const char *nearest = cli_nearest(dot->words[0], words, sizeof words / sizeof words[0]);
    if (nearest != NULL) {
      cli_text_append_format(&hint, "did you mean %s?", nearest);
    } else {
      cli_text_append_string(&hint, "the modes are " CLI_FORMATS);
    }
    int status = cli_fail_text(shell->cli, hint.data, "'%s' is no mode", dot->words[0]);
    cli_text_deinit(&hint);
    return status;
  }
  bool has_name = dot->count == 2 && format == CLI_FORMAT_INSERT;
  if (dot->count > 1 && !has_name) {
    return shell_fail_dot(dot, ".mode", "a frame's name is for the mode insert alone");
  }
  cli_text_clear(&shell->frame_name);
  if (has_name) { /* as it was written, quotes included */
    const char *name = dot->rest + strcspn(dot->rest, " \t");
    cli_text_append_string(&shell->frame_name, name + strspn(name, " \t"));
  }
  shell->options.format = format;
  return CLI_EXIT_OK;
}

int shell_dot_nullvalue(struct shell_dot *dot) {
  struct shell *shell = dot->shell;
  if (dot->count > 1) return shell_fail_dot(dot, ".nullvalue", "one text, in quotes if need be");
  cli_text_clear(&shell->null_text);
  shell->has_null_text = dot->count == 1;
  if (dot->count == 1) cli_text_append_string(&shell->null_text, dot->words[0]);
  return CLI_EXIT_OK;
}

static void say_number(struct shell *shell, int64_t number) {
  (void)cli_output_format(&shell->cli->output, "%lld\n", (long long)number);
  (void)cli_finish_output(shell->cli);
}

int shell_dot_maxrows(struct shell_dot *dot) {
  struct shell *shell = dot->shell;
  int64_t count = 0;
  if (dot->count == 0) {
    say_number(shell, shell->options.rows_max);
    return CLI_EXIT_OK;
  }
  if (dot->count != 1 || !cli_parse_count(dot->words[0], &count) || count > INT_MAX) {
    return shell_fail_dot(dot, ".maxrows", "that is no number of rows");
  }
  shell->options.rows_max = count;
  shell->has_rows_max = true;
  return CLI_EXIT_OK;
}

int shell_dot_maxwidth(struct shell_dot *dot) {
  struct shell *shell = dot->shell;
  int64_t count = 0;
  if (dot->count == 0) {
    if (shell->width_max < 0) {
      shell_say(shell, "auto\n");
    } else {
      say_number(shell, shell->width_max);
    }
    return CLI_EXIT_OK;
  }
  bool is_auto = dot->count == 1 && strcmp(dot->words[0], "auto") == 0;
  if (is_auto) {
    count = -1;
  } else if (dot->count != 1 || !cli_parse_count(dot->words[0], &count) || count > INT_MAX) {
    return shell_fail_dot(dot, ".maxwidth", "that is no number of columns");
  }
  shell->width_max = count;
  return CLI_EXIT_OK;
}

int shell_dot_width(struct shell_dot *dot) {
  struct shell *shell = dot->shell;
  size_t *widths = cli_allocate(dot->count, sizeof *widths);
  for (size_t i = 0; i < dot->count; ++i) {
    int64_t count = 0;
    if (!cli_parse_count(dot->words[i], &count) || count > INT_MAX) {
      free(widths);
      return shell_fail_dot(dot, ".width", "widths are numbers of columns");
    }
    widths[i] = (size_t)count;
  }
  free(shell->widths);
  shell->widths = widths;
  shell->options.width_count = dot->count;
  return CLI_EXIT_OK;
}

int shell_dot_pager(struct shell_dot *dot) {
  struct shell *shell = dot->shell;
  const char *standard = getenv("PAGER");
  if (standard == NULL || standard[0] == '\0') standard = "less -SRFX";
  if (dot->count == 0) {
    shell_say(shell, shell->pager.size == 0 ? "off" : shell->pager.data);
    shell_say(shell, "\n");
    return CLI_EXIT_OK;
  }
  const char *command = dot->rest;
  if (dot->count == 1 && strcmp(command, "on") == 0) command = standard;
  if (dot->count == 1 && strcmp(command, "off") == 0) command = "";
  cli_text_clear(&shell->pager);
  cli_text_append_string(&shell->pager, command);
  return CLI_EXIT_OK;
}

int shell_dot_prompt(struct shell_dot *dot) {
  struct cli_text *prompt = &dot->shell->prompt;
  if (dot->count > 1) return shell_fail_dot(dot, ".prompt", "one text, in quotes if need be");
  cli_text_clear(prompt);
  if (dot->count == 1) cli_text_append_string(prompt, dot->words[0]);
  return CLI_EXIT_OK;
}

int shell_dot_print(struct shell_dot *dot) {
  struct shell *shell = dot->shell;
  struct cli_output *output = shell->file_name.size > 0 ? &shell->file : &shell->cli->output;
  for (size_t i = 0; i < dot->count; ++i) {
    (void)cli_output_string(output, i == 0 ? "" : " ");
    (void)cli_output_string(output, dot->words[i]);
  }
  (void)cli_output_string(output, "\n");
  (void)cli_output_flush(output);
  return CLI_EXIT_OK;
}

int shell_dot_quit(struct shell_dot *dot) {
  int64_t status = 0;
  if (dot->count > 1 ||
      (dot->count == 1 && (!cli_parse_count(dot->words[0], &status) || status > UCHAR_MAX))) {
    return shell_fail_dot(dot, ".quit", "an exit status is a number up to 255");
  }
  dot->shell->status = (int)status;
  dot->shell->is_over = true;
  return CLI_EXIT_OK;
}

/* ---- files ----------------------------------------------------------------------------------- */

static void close_file(struct shell *shell) {
  if (shell->file_name.size == 0) return;
  (void)cli_output_flush(&shell->file);
  (void)close(shell->file.fd);
  cli_output_deinit(&shell->file);
  cli_text_clear(&shell->file_name);
  shell->is_once = false;
}

static int open_file(struct shell_dot *dot, bool is_once) {
  struct shell *shell = dot->shell;
  const char *path = dot->words[0];
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) {
    return cli_fail_text(shell->cli, NULL, "cannot open '%s': %s", path, strerror(errno));
  }
  close_file(shell);
  cli_output_init(&shell->file, fd);
  cli_text_append_string(&shell->file_name, path);
  shell->is_once = is_once;
  return CLI_EXIT_OK;
}

int shell_dot_once(struct shell_dot *dot) {
  if (dot->count != 1) return shell_fail_dot(dot, ".once", "to which file?");
  return open_file(dot, true);
}

int shell_dot_output(struct shell_dot *dot) {
  if (dot->count > 1) return shell_fail_dot(dot, ".output", "to one file");
  if (dot->count == 1) return open_file(dot, false);
  close_file(dot->shell);
  return CLI_EXIT_OK;
}

int shell_dot_cd(struct shell_dot *dot) {
  const char *home = getenv("HOME");
  if (dot->count > 1) return shell_fail_dot(dot, ".cd", "to one folder");
  const char *path = dot->count == 1 ? dot->words[0] : home == NULL ? "/" : home;
  if (chdir(path) == 0) return CLI_EXIT_OK;
  return cli_fail_text(dot->shell->cli, NULL, "cannot go to '%s': %s", path, strerror(errno));
}

/* ---- show ------------------------------------------------------------------------------------ */

static void append_setting(struct cli_text *text, const char *name, const char *value) {
  cli_text_append_format(text, "%-10s %s\n", name, value);
}

static void append_count(struct cli_text *text, const char *name, int64_t count,
                         const char *negative) {
  if (count < 0) {
    append_setting(text, name, negative);
  } else {
    cli_text_append_format(text, "%-10s %lld\n", name, (long long)count);
  }
}

int shell_dot_show(struct shell_dot *dot) {
  const struct shell *shell = dot->shell;
  struct cli_text text = {0};
  append_setting(&text, "bail", word_of(shell->is_bailing));
  append_setting(&text, "echo", word_of(shell->is_echoing));
  append_setting(&text, "headers", word_of(!shell->options.no_header));
  append_count(&text, "maxrows", shell->options.rows_max, "");
  append_count(&text, "maxwidth", shell->width_max, "auto");
  append_setting(&text, "mode", cli_format_word(shell->options.format));
  append_setting(&text, "nullvalue",
                 shell->has_null_text ? cli_text_string(&shell->null_text) : "(the mode's)");
  append_setting(&text, "output",
                 shell->file_name.size == 0 ? "(the screen)" : shell->file_name.data);
  append_setting(&text, "pager", shell->pager.size == 0 ? "off" : shell->pager.data);
  append_setting(&text, "prompt", shell->prompt.size == 0 ? "%p> " : shell->prompt.data);
  append_setting(&text, "timer", word_of(shell->is_timed));
  cli_text_append_format(&text, "%-10s", "width");
  for (size_t i = 0; i < shell->options.width_count; ++i) {
    cli_text_append_format(&text, " %zu", shell->widths[i]);
  }
  cli_text_append_char(&text, '\n');
  shell_say(dot->shell, text.data);
  cli_text_deinit(&text);
  return CLI_EXIT_OK;
}
