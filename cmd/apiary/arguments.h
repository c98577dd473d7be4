/* SPDX-License-Identifier: Apache-2.0
 *
 * Command lines: one table of options, one of commands (command.h), read by one parser, from which
 * the help is made too.
 */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include "text.h"

enum cli_option {
  CLI_STORAGE, /* the global ones first */
  CLI_NAME,
  CLI_MEMORY,
  CLI_VERBOSE,
  CLI_HELP,
  CLI_VERSION,
  CLI_COLUMNS,
  CLI_PARTITION_BY,
  CLI_DESCRIPTION,
  CLI_IF_NOT_EXISTS,
  CLI_IF_EXISTS,
  CLI_CASCADE,
  CLI_FORMAT,
  CLI_OVERWRITE,
  CLI_NO_CREATE,
  CLI_NULL,
  CLI_FILE,
  CLI_MAX_ROWS,
  CLI_NO_HEADER,
  CLI_PARAM,
  CLI_LIMIT,
  CLI_COMMAND,
  CLI_INIT,
  CLI_NO_INIT,
  CLI_OPTION_COUNT,
};

struct cli_option_spec {
  const char *name;     /* without the dashes */
  char letter;          /* 0: none */
  const char *argument; /* its name in the help; NULL: a flag */
  const char *help;     /* of the global ones; a command says what its own do */
};

struct cli_option_use {
  enum cli_option option;
  const char *help; /* NULL ends a list */
  char letter;      /* in this command; 0: the option's own */
};

struct cli;

struct cli_command {
  const char *name;
  const char *usage; /* what follows the name */
  const char *summary;
  const char *details; /* may be NULL */
  size_t words_min;
  size_t words_max;
  struct cli_option_use options[10];
  const char *examples[4];
  int (*run)(struct cli *cli);
};

/* NULL where there is no such command. */
const struct cli_command *cli_command_find(const char *name);
/* Ends with a command whose name is NULL. */
extern const struct cli_command cli_commands[];

struct cli_input {
  enum cli_option option;
  const char *value;
};

struct cli_arguments {
  const struct cli_command *command; /* NULL: none was given */
  bool given[CLI_OPTION_COUNT];
  const char *values[CLI_OPTION_COUNT]; /* the last one */
  const char **parameters;              /* of every --param */
  size_t parameter_count;
  const char **words;
  size_t word_count;
  struct cli_input *inputs; /* every --command and --file, in their order */
  size_t input_count;
};

/* False when the line is wrong: *problem and *hint say what and the way out. The strings of argv
 * are borrowed. cli_arguments_deinit accepts a zeroed one. */
bool cli_arguments_parse(struct cli_arguments *arguments, int argc, char **argv,
                         struct cli_text *problem, struct cli_text *hint);
void cli_arguments_deinit(struct cli_arguments *arguments);

void cli_help_append(struct cli_text *text, const struct cli_command *command);
/* NULL: the program's. */
void cli_help_append_program(struct cli_text *text);

/* The nearest of count names to a misspelt one; NULL when none is near. */
const char *cli_nearest(const char *word, const char *const *names, size_t count);

#endif
