/* SPDX-License-Identifier: Apache-2.0
 *
 * What all commands share: the arguments, the output, the apiary, and how errors are told.
 *
 * One thread, main's, uses it.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "arguments.h"
#include "interrupt.h"
#include "output.h"
#include "writer.h"

#include <apiary/apiary.h>

enum cli_exit {
  CLI_EXIT_OK = 0,
  CLI_EXIT_FAILED = 1,
  CLI_EXIT_USAGE = 2,
  CLI_EXIT_INTERRUPTED = 130,
};

struct cli {
  struct cli_arguments arguments;
  struct cli_interrupt interrupt;
  struct cli_output output; /* standard output */
  bool output_is_told;      /* that it cannot be written to */
  bool errors_are_seen;     /* standard error is a terminal */
  ap_apiary *apiary;        /* NULL until cli_open */
  ap_session *session;      /* the shell's; NULL: a command opens its own */
  const char *script;       /* of what runs: errors name it and the line; NULL: none */
  unsigned script_line;
};

/* Colours: on a terminal that has them, unless NO_COLOR is set. */
bool cli_has_color(bool is_terminal);

/* Open the apiary that the arguments name, once. An exit status. */
int cli_open(struct cli *cli);

/* Tell an error of the library; gives the exit status for it. */
int cli_fail(const struct cli *cli, const ap_error *error);
/* The same of an error in a statement, whose line is shown with a caret at the place. */
int cli_fail_sql(const struct cli *cli, const ap_error *error, const char *sql);
/* Tell what is wrong with the command line, or with what it names. */
int cli_fail_usage(const struct cli *cli, const char *hint, const char *format, ...)
    __attribute__((__format__(__printf__, 3, 4)));
/* Any other failure. hint may be NULL. */
int cli_fail_text(const struct cli *cli, const char *hint, const char *format, ...)
    __attribute__((__format__(__printf__, 3, 4)));

/* Flush standard output. A reader that went away is no failure. */
int cli_finish_output(struct cli *cli);

/* A name of up to three parts, "hive.box.frame"; a part in double quotes may hold dots. */
struct cli_name {
  char *parts[3];
  size_t count;
};

/* False when the text is no such name. cli_name_deinit accepts a zeroed one. */
bool cli_name_parse(const char *text, struct cli_name *name);
void cli_name_deinit(struct cli_name *name);
/* Parse word `index` as a name of min to max parts, else tell. An exit status. */
int cli_name_argument(const struct cli *cli, size_t index, size_t min, size_t max,
                      struct cli_name *name);
/* "a.b.c", parts quoted where a statement needs it. */
void cli_name_append(struct cli_text *text, const struct cli_name *name);
void cli_identifier_append(struct cli_text *text, const char *identifier);

/* The option's number, or `otherwise` without it; false after telling what is wrong. */
bool cli_count_option(const struct cli *cli, enum cli_option option, int64_t otherwise,
                      int64_t *out_count);

/* A list "a, b" of names. */
struct cli_list {
  const char **items;
  char *copy;
  size_t count;
};
void cli_list_init(struct cli_list *list, const char *text);
void cli_list_deinit(struct cli_list *list);

/* Milliseconds of a clock that only goes forward. */
double cli_now_ms(void);

/* A progress bar on standard error, where that is a terminal. */
struct cli_progress {
  struct cli_interrupt *interrupt;
  const struct cli_output *output; /* whose reader, a pager, may go away; NULL: none */
  const char *label;
  double started_ms;
  double shown_ms;
  double delay_ms; /* nothing is shown before */
  bool is_on;
  bool is_shown;
};
void cli_progress_init(struct cli_progress *progress, struct cli *cli, const char *label,
                       double delay_ms);
/* The library's callbacks; context is a struct cli_progress. */
void cli_progress_show(void *context, double percent);
bool cli_progress_cancelled(void *context);
void cli_progress_clear(struct cli_progress *progress);

/* The options --format, --max-rows and --no-header; an exit status. */
int cli_writer_options_of(struct cli *cli, struct cli_writer_options *options);
/* SQL, and where its rows go. */
struct cli_query {
  ap_session *session;
  const char *sql;
  const ap_query_parameter *parameters;
  size_t parameter_count;
  struct cli_writer_options options;
  struct cli_output *output; /* NULL: standard output */
  int64_t rows;              /* set: how many were printed */
};
/* Print the rows of a stream, which is taken. Stops quietly when nobody reads any more. progress
 * may be NULL. An exit status. */
int cli_print_stream(struct cli *cli, struct ArrowArrayStream *stream, struct cli_query *query,
                     struct cli_progress *progress);
/* Run SQL and print its rows. */
int cli_run_sql(struct cli *cli, struct cli_query *query);

/* The commands. */
int cli_run_create(struct cli *cli);
int cli_run_attach(struct cli *cli);
int cli_run_drop(struct cli *cli);
int cli_run_rename(struct cli *cli);
int cli_run_list(struct cli *cli);
int cli_run_import(struct cli *cli);
int cli_run_export(struct cli *cli);
int cli_run_sql_command(struct cli *cli);
int cli_run_describe(struct cli *cli);
int cli_run_history(struct cli *cli);
int cli_run_checkpoint(struct cli *cli);
int cli_run_status(struct cli *cli);
int cli_run_shell(struct cli *cli);
int cli_run_help(struct cli *cli);

#endif
