/* SPDX-License-Identifier: Apache-2.0
 *
 * See arguments.h.
 */
#include "arguments.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_SIZE_MAX = 40, NAMES_MAX = 40 };

static const struct cli_option_spec specs[CLI_OPTION_COUNT] = {
    [CLI_STORAGE] = {"storage", 's', "DIR", "the folder that holds everything (APIARY_STORAGE)"},
    [CLI_NAME] = {"name", 0, "NAME", "the apiary's name, default \"default\" (APIARY_NAME)"},
    [CLI_MEMORY] = {"memory", 0, "SIZE", "memory for all queries, as 4GB (APIARY_MEMORY)"},
    [CLI_VERBOSE] = {"verbose", 'v', NULL, "errors with their SQLSTATE and origin"},
    [CLI_HELP] = {"help", 'h', NULL, "this text; after a command, that command's"},
    [CLI_VERSION] = {"version", 0, NULL, "versions of apiary and of its engine"},
    [CLI_COLUMNS] = {"columns", 'c', "COLUMNS", NULL},
    [CLI_PARTITION_BY] = {"partition-by", 'p', "NAMES", NULL},
    [CLI_DESCRIPTION] = {"description", 0, "TEXT", NULL},
    [CLI_IF_NOT_EXISTS] = {"if-not-exists", 0, NULL, NULL},
    [CLI_IF_EXISTS] = {"if-exists", 0, NULL, NULL},
    [CLI_CASCADE] = {"cascade", 0, NULL, NULL},
    [CLI_FORMAT] = {"format", 'f', "FORMAT", NULL},
    [CLI_OVERWRITE] = {"overwrite", 0, NULL, NULL},
    [CLI_NO_CREATE] = {"no-create", 0, NULL, NULL},
    [CLI_NULL] = {"null", 0, "TEXT", NULL},
    [CLI_FILE] = {"file", 0, "FILE", NULL},
    [CLI_MAX_ROWS] = {"max-rows", 'n', "N", NULL},
    [CLI_NO_HEADER] = {"no-header", 0, NULL, NULL},
    [CLI_PARAM] = {"param", 0, "VALUE", NULL},
    [CLI_LIMIT] = {"limit", 0, "N", NULL},
    [CLI_COMMAND] = {"command", 0, "SQL", NULL},
    [CLI_INIT] = {"init", 0, "FILE", NULL},
    [CLI_NO_INIT] = {"no-init", 0, NULL, NULL},
};

static bool is_global(enum cli_option option) {
  return option <= CLI_VERSION;
}

static bool is_taken(const struct cli_command *command, enum cli_option option) {
  if (is_global(option)) return true;
  for (size_t i = 0; command != NULL && command->options[i].help != NULL; ++i) {
    if (command->options[i].option == option) return true;
  }
  return false;
}

const struct cli_command *cli_command_find(const char *name) {
  for (const struct cli_command *command = cli_commands; command->name != NULL; ++command) {
    if (strcmp(command->name, name) == 0) return command;
  }
  return NULL;
}

/* ---- nearest names --------------------------------------------------------------------------- */

/* Insertions, deletions, substitutions and swaps of neighbours between two short words (optimal
 * string alignment). */
static size_t distance(const char *a, const char *b) {
  size_t rows[3][WORD_SIZE_MAX + 1];
  size_t a_size = strlen(a);
  size_t b_size = strlen(b);
  if (a_size > WORD_SIZE_MAX || b_size > WORD_SIZE_MAX) return SIZE_MAX;
  for (size_t j = 0; j <= b_size; ++j) rows[0][j] = j;
  for (size_t i = 1; i <= a_size; ++i) {
    size_t *now = rows[i % 3];
    const size_t *last = rows[(i + 2) % 3];
    const size_t *before = rows[(i + 1) % 3];
    now[0] = i;
    for (size_t j = 1; j <= b_size; ++j) {
      size_t best = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      if (last[j] + 1 < best) best = last[j] + 1;
      if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped && before[j - 2] + 1 < best) best = before[j - 2] + 1;
      now[j] = best;
    }
  }
  return rows[a_size % 3][b_size];
}

const char *cli_nearest(const char *word, const char *const *names, size_t count) {
  const char *nearest = NULL;
  size_t best = strlen(word) < 4 ? 2 : 3; /* beyond it, nothing is near */
  for (size_t i = 0; i < count; ++i) {
    size_t apart = distance(word, names[i]);
    bool begins = strlen(word) >= 3 && strncmp(word, names[i], strlen(word)) == 0;
    if (begins && apart >= best) apart = best - 1;
    if (apart < best) {
      best = apart;
      nearest = names[i];
    }
  }
  return nearest;
}

/* ---- parsing --------------------------------------------------------------------------------- */

struct parser {
  struct cli_arguments *arguments;
  struct cli_text *problem;
  struct cli_text *hint;
  char **argv;
  int argc;
  int at;
};

static void hint_help(struct parser *parser) {
  const struct cli_command *command = parser->arguments->command;
  if (parser->hint->size > 0) return;
  cli_text_append_format(parser->hint, "'apiary %s%s--help' tells how",
                         command == NULL ? "" : command->name, command == NULL ? "" : " ");
}

/* A command may give letters a meaning of its own. */
static bool find_letter(const struct cli_command *command, char letter,
                        enum cli_option *out_option) {
  for (size_t i = 0; command != NULL && command->options[i].help != NULL; ++i) {
    *out_option = command->options[i].option;
    if (command->options[i].letter == letter) return true;
  }
  for (int i = 0; i < CLI_OPTION_COUNT; ++i) {
    *out_option = (enum cli_option)i;
    if (specs[i].letter == letter) return true;
  }
  return false;
}

/* Find an option by what stands behind its dashes, up to size bytes. */
static bool find_option(struct parser *parser, const char *name, size_t size, bool is_long,
                        enum cli_option *out_option) {
  if (!is_long && find_letter(parser->arguments->command, name[0], out_option)) return true;
  for (int i = 0; is_long && i < CLI_OPTION_COUNT; ++i) {
    if (strlen(specs[i].name) != size || strncmp(specs[i].name, name, size) != 0) continue;
    *out_option = (enum cli_option)i;
    return true;
  }
  cli_text_append_format(parser->problem, "there is no option %s%.*s", is_long ? "--" : "-",
                         is_long ? (int)size : 1, name);
  const char *names[NAMES_MAX];
  size_t count = 0;
  for (int i = 0; i < CLI_OPTION_COUNT; ++i) {
    if (is_taken(parser->arguments->command, (enum cli_option)i)) names[count++] = specs[i].name;
  }
  char *word = cli_copy(name, is_long ? size : 1);
  const char *nearest = is_long ? cli_nearest(word, names, count) : NULL;
  if (nearest != NULL) cli_text_append_format(parser->hint, "did you mean --%s?", nearest);
  free(word);
  hint_help(parser);
  return false;
}

/* Take an option whose value, if any, stands at `value` or is the next word. */
static bool take(struct parser *parser, enum cli_option option, const char *value) {
  struct cli_arguments *arguments = parser->arguments;
  const struct cli_option_spec *spec = &specs[option];
  arguments->given[option] = true;
  if (spec->argument == NULL) {
    if (value == NULL) return true;
    cli_text_append_format(parser->problem, "option --%s takes no value", spec->name);
    hint_help(parser);
    return false;
  }
  if (value == NULL && parser->at < parser->argc) value = parser->argv[parser->at++];
  if (value == NULL) {
    cli_text_append_format(parser->problem, "option --%s needs a value", spec->name);
    hint_help(parser);
    return false;
  }
  arguments->values[option] = value;
  if (option == CLI_COMMAND || option == CLI_FILE) {
    arguments->inputs[arguments->input_count++] = (struct cli_input){option, value};
  }
  if (option == CLI_PARAM) arguments->parameters[arguments->parameter_count++] = value;
  return true;
}

static bool take_long(struct parser *parser, const char *word) {
  enum cli_option option;
  const char *name = word + 2;
  size_t size = strcspn(name, "=");
  if (!find_option(parser, name, size, true, &option)) return false;
  return take(parser, option, name[size] == '=' ? name + size + 1 : NULL);
}

/* -v, -f csv, -fcsv, -vf csv. */
static bool take_short(struct parser *parser, const char *word) {
  for (const char *at = word + 1; *at != '\0'; ++at) {
    enum cli_option option;
    if (!find_option(parser, at, 1, false, &option)) return false;
    if (specs[option].argument != NULL) {
      return take(parser, option, at[1] != '\0' ? at + 1 : NULL);
    }
    if (!take(parser, option, NULL)) return false;
  }
  return true;
}

static bool take_command(struct parser *parser, const char *word) {
  const char *names[NAMES_MAX];
  size_t count = 0;
  parser->arguments->command = cli_command_find(word);
  if (parser->arguments->command != NULL) return true;
  cli_text_append_format(parser->problem, "there is no command '%s'", word);
  for (const struct cli_command *c = cli_commands; c->name != NULL; ++c) names[count++] = c->name;
  const char *nearest = cli_nearest(word, names, count);
  if (nearest != NULL) cli_text_append_format(parser->hint, "did you mean 'apiary %s'?", nearest);
  hint_help(parser);
  return false;
}

/* Options of other commands, and the number of words. */
static bool check(struct parser *parser) {
  const struct cli_arguments *arguments = parser->arguments;
  const struct cli_command *command = arguments->command;
  if (arguments->given[CLI_HELP] || arguments->given[CLI_VERSION]) return true;
  for (int i = 0; i < CLI_OPTION_COUNT; ++i) {
    if (!arguments->given[i] || is_taken(command, (enum cli_option)i)) continue;
    cli_text_append_format(parser->problem, "option --%s is none of '%s'", specs[i].name,
                           command == NULL ? "apiary" : command->name);
    hint_help(parser);
    return false;
  }
  if (command == NULL) return true;
  if (arguments->word_count > command->words_max) {
    cli_text_append_format(parser->problem, "'%s' is one word too many for 'apiary %s'",
                           arguments->words[command->words_max], command->name);
  } else if (arguments->word_count < command->words_min) {
    cli_text_append_format(parser->problem, "'apiary %s' needs more: apiary %s %s", command->name,
                           command->name, command->usage);
  } else {
    return true;
  }
  hint_help(parser);
  return false;
}

bool cli_arguments_parse(struct cli_arguments *arguments, int argc, char **argv,
                         struct cli_text *problem, struct cli_text *hint) {
  struct parser parser = {arguments, problem, hint, argv, argc, 1};
  bool only_words = false;
  *arguments = (struct cli_arguments){0};
  arguments->words = cli_allocate((size_t)argc + 1, sizeof *arguments->words);
  arguments->parameters = cli_allocate((size_t)argc + 1, sizeof *arguments->parameters);
  arguments->inputs = cli_allocate((size_t)argc + 1, sizeof *arguments->inputs);
  while (parser.at < argc) {
    const char *word = argv[parser.at++];
    if (!only_words && strcmp(word, "--") == 0) {
      only_words = true;
    } else if (!only_words && strncmp(word, "--", 2) == 0) {
      if (!take_long(&parser, word)) return false;
    } else if (!only_words && word[0] == '-' && word[1] != '\0') {
      if (!take_short(&parser, word)) return false;
    } else if (arguments->command == NULL) {
      if (!take_command(&parser, word)) return false;
    } else {
      arguments->words[arguments->word_count++] = word;
    }
  }
  return check(&parser);
}

void cli_arguments_deinit(struct cli_arguments *arguments) {
  free(arguments->words);
  free(arguments->parameters);
  free(arguments->inputs);
  *arguments = (struct cli_arguments){0};
}

/* ---- help ------------------------------------------------------------------------------------ */

static void append_option(struct cli_text *text, enum cli_option option, const char *help,
                          char letter) {
  const struct cli_option_spec *spec = &specs[option];
  struct cli_text form = {0};
  if (letter != 0) cli_text_append_format(&form, "-%c, ", letter);
  cli_text_append_format(&form, "--%s", spec->name);
  if (spec->argument != NULL) cli_text_append_format(&form, " %s", spec->argument);
  cli_text_append_format(text, "  %-26s %s\n", cli_text_string(&form), help);
  cli_text_deinit(&form);
}

static void append_globals(struct cli_text *text) {
  cli_text_append_string(text, "\nGlobal options, before or after the command:\n");
  for (int i = 0; is_global((enum cli_option)i); ++i) {
    append_option(text, (enum cli_option)i, specs[i].help, specs[i].letter);
  }
}

void cli_help_append(struct cli_text *text, const struct cli_command *command) {
  cli_text_append_format(text, "apiary %s: %s\n\nUsage:\n  apiary %s %s\n", command->name,
                         command->summary, command->name, command->usage);
  if (command->details != NULL) cli_text_append_format(text, "\n%s\n", command->details);
  if (command->options[0].help != NULL) cli_text_append_string(text, "\nOptions:\n");
  for (size_t i = 0; command->options[i].help != NULL; ++i) {
    const struct cli_option_use *use = &command->options[i];
    enum cli_option taken = use->option;
    char own = specs[use->option].letter;
    /* A letter that means another option here is not this one's. */
    if (own != 0 && find_letter(command, own, &taken) && taken != use->option) own = 0;
    append_option(text, use->option, use->help, use->letter != 0 ? use->letter : own);
  }
  append_globals(text);
  cli_text_append_string(text, "\nExamples:\n");
  for (size_t i = 0; i < 4 && command->examples[i] != NULL; ++i) {
    cli_text_append_format(text, "  %s\n", command->examples[i]);
  }
}

void cli_help_append_program(struct cli_text *text) {
  cli_text_append_string(text,
                         "apiary: a lakehouse for small compute\n\n"
                         "Usage:\n  apiary COMMAND ...\n\nCommands:\n");
  for (const struct cli_command *command = cli_commands; command->name != NULL; ++command) {
    cli_text_append_format(text, "  %-12s %s\n", command->name, command->summary);
  }
  append_globals(text);
  cli_text_append_string(
      text,
      "\nExamples:\n"
      "  apiary import shop.sales.orders orders.csv\n"
      "  apiary sql 'SELECT customer, count(*) FROM shop.sales.orders "
      "GROUP BY customer'\n"
      "  apiary shell\n\n"
      "'apiary COMMAND --help' tells more. Everything lies in --storage, else in "
      "$APIARY_STORAGE,\nelse in ~/.apiary/data/default.\n");
}
