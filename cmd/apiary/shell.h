/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the shell share: its settings, and the running of statements and dot commands.
 *
 * One thread, main's, uses it. On a terminal an error ends a statement, not the shell; a script is
 * ended by its first error, unless .bail is off.
 */
#ifndef CLI_SHELL_H
#define CLI_SHELL_H

#include "cli.h"
#include "lines.h"
#include "names.h"

/* Text that is being read: statements and dot commands, line by line. */
struct shell_script {
  const char *name;     /* for messages; NULL: none, as on the terminal */
  struct cli_text text; /* of a statement that is not complete */
  size_t scanned;       /* of it */
  unsigned line;        /* of the script, where text begins; from 1 */
  unsigned lines_read;
  bool is_terminal;
  bool goes_on; /* after errors, whatever .bail says */
};

struct shell {
  struct cli *cli;
  struct cli_lines *lines; /* of the terminal; NULL: none */
  struct cli_names *names;
  struct shell_script *script; /* the innermost that runs */
  struct cli_writer_options options;
  struct cli_output file;    /* .output, .once */
  struct cli_text file_name; /* empty: standard output */
  bool is_once;
  struct cli_text pager; /* empty: none */
  struct cli_text null_text;
  bool has_null_text;
  struct cli_text frame_name; /* of INSERT */
  struct cli_text prompt;     /* empty: the standard one */
  size_t *widths;
  int64_t width_max; /* of tables; -1: the terminal's, 0: any */
  bool has_rows_max; /* the user has chosen it */
  bool is_terminal;  /* somebody types */
  bool is_timed;
  bool is_echoing;
  bool is_bailing;
  bool is_over;
  bool has_failed; /* a script, and went on */
  int status;      /* of .quit N */
  int read_depth;
  int interrupts; /* at the prompt, one after the other, with nothing typed */
};

/* Run a text, or what the lines give, to the end or the first error. An exit status. */
int shell_run_text(struct shell *shell, const char *name, const char *text);
int shell_run_lines(struct shell *shell, struct cli_lines *lines, struct shell_script *script);
/* "-" is standard input. */
int shell_run_file(struct shell *shell, const char *path, bool goes_on);
/* One statement, its rows to where they are wanted. */
int shell_run_statement(struct shell *shell, const char *text, size_t size);
/* "SELECT ...": the same of a text without its place. */
int shell_run_sql(struct shell *shell, const char *sql);

/* A line that begins with a dot. */
int shell_run_dot(struct shell *shell, const char *line);
/* Add what the last word of a dot command may become; how many bytes of the line it takes. */
size_t shell_complete_dot(struct shell *shell, const char *line, struct cli_candidates *candidates);

/* Open an apiary, NULL for that of the arguments, in place of the one that is open. */
int shell_open(struct shell *shell, const char *storage);
void shell_close(struct shell *shell);

/* A frame's name, "f", "b.f" or "h.b.f", whole. False, with an error told, when it cannot be. */
bool shell_find_name(struct shell *shell, const char *text, size_t parts, struct cli_name *name);

/* Tell something on standard output. */
void shell_say(struct shell *shell, const char *text);
/* The same through the pager. */
void shell_say_long(struct shell *shell, const char *text);
void shell_append_prompt(const struct shell *shell, bool goes_on, struct cli_text *prompt);

/* ---- dot commands ---------------------------------------------------------------------------- */

struct shell_dot {
  struct shell *shell;
  const char *rest; /* what follows the name, without blanks around */
  char **words;     /* of rest, without their quotes */
  size_t count;
};

struct shell_dot_command {
  const char *name;
  const char *usage; /* what follows the name */
  const char *summary;
  const char *details; /* may be NULL */
  int (*run)(struct shell_dot *dot);
  enum {
    SHELL_TAKES_NOTHING,
    SHELL_TAKES_FILE,
    SHELL_TAKES_FRAME,
    SHELL_TAKES_MODE,
    SHELL_TAKES_SWITCH,
    SHELL_TAKES_COMMAND,
  } takes; /* for completion */
};

/* Sorted; ends with a command whose name is NULL. */
extern const struct shell_dot_command shell_dot_commands[];

/* Tell that the words are not what a command takes. */
int shell_fail_dot(struct shell_dot *dot, const char *name, const char *problem);

int shell_dot_help(struct shell_dot *dot);
int shell_dot_bail(struct shell_dot *dot);
int shell_dot_cd(struct shell_dot *dot);
int shell_dot_describe(struct shell_dot *dot);
int shell_dot_echo(struct shell_dot *dot);
int shell_dot_explain(struct shell_dot *dot);
int shell_dot_export(struct shell_dot *dot);
int shell_dot_frames(struct shell_dot *dot);
int shell_dot_headers(struct shell_dot *dot);
int shell_dot_history(struct shell_dot *dot);
int shell_dot_hives(struct shell_dot *dot);
int shell_dot_import(struct shell_dot *dot);
int shell_dot_maxrows(struct shell_dot *dot);
int shell_dot_maxwidth(struct shell_dot *dot);
int shell_dot_mode(struct shell_dot *dot);
int shell_dot_nullvalue(struct shell_dot *dot);
int shell_dot_once(struct shell_dot *dot);
int shell_dot_open(struct shell_dot *dot);
int shell_dot_output(struct shell_dot *dot);
int shell_dot_pager(struct shell_dot *dot);
int shell_dot_print(struct shell_dot *dot);
int shell_dot_prompt(struct shell_dot *dot);
int shell_dot_quit(struct shell_dot *dot);
int shell_dot_read(struct shell_dot *dot);
int shell_dot_schema(struct shell_dot *dot);
int shell_dot_show(struct shell_dot *dot);
int shell_dot_timer(struct shell_dot *dot);
int shell_dot_width(struct shell_dot *dot);

#endif
