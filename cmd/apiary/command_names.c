/* SPDX-License-Identifier: Apache-2.0
 *
 * create, attach, drop, rename, list: what is there, and what it is called.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static void say(struct cli *cli, const char *done, const char *what, const struct cli_name *name) {
  struct cli_text text = {0};
  cli_name_append(&text, name);
  (void)cli_output_format(&cli->output, "%s %s %s\n", done, what, cli_text_string(&text));
  cli_text_deinit(&text);
}

static const char *level_word(size_t count) {
  static const char *const words[] = {"hive", "box", "frame"};
  return words[count - 1];
}

/* ---- columns --------------------------------------------------------------------------------- */

/* "order_id int64 not null, tags list<string>": pairs of name and type, in a copy of the text. */
struct columns {
  ap_column *items;
  char *copy;
  size_t count;
};

static void columns_deinit(struct columns *columns) {
  free(columns->items);
  free(columns->copy);
  *columns = (struct columns){0};
}

/* The end of the item that starts at `at`: a comma outside of brackets and quotes, or the end. */
static char *item_end(char *at) {
  int depth = 0;
  bool quoted = false;
  for (; *at != '\0'; ++at) {
    if (*at == '"') quoted = !quoted;
    if (quoted) continue;
    if (*at == '(' || *at == '<' || *at == '[') ++depth;
    if (*at == ')' || *at == '>' || *at == ']') --depth;
    if (*at == ',' && depth <= 0) return at;
  }
  return at;
}

static char *skip_space(char *at) {
  return at + strspn(at, " \t\r\n");
}

/* Cut the name off an item: a word, or anything in double quotes. Gives where the type starts. */
static char *cut_name(char *item, const char **out_name) {
  char *at = item;
  char *to = item;
  *out_name = item;
  if (*at != '"') {
    at += strcspn(at, " \t\r\n:");
    to = at;
  } else {
    for (++at; *at != '\0' && (*at != '"' || at[1] == '"'); ++at) {
      if (*at == '"') ++at;
      *to++ = *at;
    }
    if (*at == '"') ++at;
  }
  if (to == item) return NULL;
  char *type = skip_space(at);
  if (type == at && *type != ':') return NULL;
  if (*type == ':') type = skip_space(type + 1);
  *to = '\0';
  return *type == '\0' ? NULL : type;
}

static int parse_columns(const struct cli *cli, const char *text, struct columns *columns) {
  static const char hint[] = "write them as --columns 'id int64 not null, name string'";
  *columns = (struct columns){.copy = cli_copy(text, strlen(text))};
  columns->items = cli_allocate(strlen(text) + 1, sizeof *columns->items);
  for (char *at = skip_space(columns->copy);;) {
    char *end = item_end(at);
    bool is_last = *end == '\0';
    *end = '\0';
    ap_column *column = &columns->items[columns->count];
    char *shown = cli_copy(at, strlen(at));
    column->type = cut_name(at, &column->name);
    if (column->type == NULL) {
      int status = cli_fail_usage(cli, hint, "'%s' is no column: a name and a type are one", shown);
      free(shown);
      return status;
    }
    free(shown);
    ++columns->count;
    if (is_last) return CLI_EXIT_OK;
    at = skip_space(end + 1);
  }
}

/* ---- create ---------------------------------------------------------------------------------- */

struct creation {
  struct cli *cli;
  const struct cli_name *name;
  const ap_frame_definition *definition;
  const char *folder; /* attach: where the frame's table lies */
  bool if_absent;
  bool was_there;
  bool made_hive;
  bool made_box;
};

/* A parent: there already is as good as made. */
static ap_status make_parents(struct creation *creation, ap_error *error) {
  ap_apiary *apiary = creation->cli->apiary;
  char *const *parts = creation->name->parts;
  ap_status status = ap_hive_create(apiary, parts[0], false, error);
  creation->made_hive = status == AP_OK;
  if (status == AP_ALREADY_EXISTS) status = AP_OK;
  if (status != AP_OK || creation->name->count < 3) return status;
  status = ap_box_create(apiary, parts[0], parts[1], false, error);
  creation->made_box = status == AP_OK;
  return status == AP_ALREADY_EXISTS ? AP_OK : status;
}

/* What this call made goes again, when it is still empty: nothing half-happens. */
static void unmake_parents(const struct creation *creation) {
  ap_apiary *apiary = creation->cli->apiary;
  char *const *parts = creation->name->parts;
  ap_error ignored = {0};
  ap_status status = AP_OK;
  if (creation->made_box) status = ap_box_drop(apiary, parts[0], parts[1], false, true, &ignored);
  if (creation->made_hive && status == AP_OK) {
    status = ap_hive_drop(apiary, parts[0], false, true, &ignored);
  }
  (void)status;
}

static ap_status make_one(const struct creation *creation, bool if_absent, ap_error *error) {
  ap_apiary *apiary = creation->cli->apiary;
  char *const *parts = creation->name->parts;
  if (creation->folder != NULL) {
    return ap_frame_attach(apiary, parts[0], parts[1], parts[2], creation->folder, error);
  }
  switch (creation->name->count) {
    case 1:
      return ap_hive_create(apiary, parts[0], if_absent, error);
    case 2:
      return ap_box_create(apiary, parts[0], parts[1], if_absent, error);
    default:
      return ap_frame_create(apiary, parts[0], parts[1], parts[2], creation->definition, if_absent,
                             error);
  }
}

/* What is there already is told, and a frame's columns are compared. */
static ap_status make(struct creation *creation, ap_error *error) {
  ap_status status = make_one(creation, false, error);
  if (status != AP_ALREADY_EXISTS || !creation->if_absent) return status;
  creation->was_there = true;
  *error = (ap_error){0};
  return make_one(creation, true, error);
}

static int create(struct creation *creation) {
  ap_error error = {0};
  ap_status status = make(creation, &error);
  if (status == AP_NOT_FOUND && creation->name->count > 1) {
    error = (ap_error){0};
    status = make_parents(creation, &error);
    if (status == AP_OK) status = make(creation, &error);
    if (status != AP_OK) unmake_parents(creation);
  }
  if (status != AP_OK) return cli_fail(creation->cli, &error);
  struct cli_name parent = *creation->name;
  for (size_t level = 1; level <= creation->name->count; ++level) {
    parent.count = level;
    bool made = level == creation->name->count || (level == 1 && creation->made_hive) ||
                (level == 2 && creation->made_box);
    const char *done = level < creation->name->count ? "created"
                       : creation->was_there         ? "found"
                       : creation->folder != NULL    ? "attached"
                                                     : "created";
    if (made) say(creation->cli, done, level_word(level), &parent);
  }
  return CLI_EXIT_OK;
}

/* Options that only a frame has. */
static int check_depth(const struct cli *cli, const struct cli_name *name) {
  const struct cli_arguments *arguments = &cli->arguments;
  bool has_columns = arguments->given[CLI_COLUMNS];
  if (name->count == 3 && !has_columns) {
    return cli_fail_usage(cli,
                          "add --columns 'id int64 not null, name string', or let 'apiary "
                          "import' find them in a file",
                          "frame %s needs columns", name->parts[2]);
  }
  bool has_any =
      has_columns || arguments->given[CLI_PARTITION_BY] || arguments->given[CLI_DESCRIPTION];
  if (name->count < 3 && has_any) {
    return cli_fail_usage(cli, "a frame is HIVE.BOX.FRAME", "'%s' names a %s, which has no columns",
                          arguments->words[0], level_word(name->count));
  }
  return CLI_EXIT_OK;
}

int cli_run_create(struct cli *cli) {
  const struct cli_arguments *arguments = &cli->arguments;
  ap_frame_definition definition = AP_FRAME_DEFINITION_INIT;
  struct cli_list partitions = {0};
  struct columns columns = {0};
  struct cli_name name = {0};
  int status = cli_name_argument(cli, 0, 1, 3, &name);
  if (status == CLI_EXIT_OK) status = check_depth(cli, &name);
  if (status == CLI_EXIT_OK && name.count == 3) {
    status = parse_columns(cli, arguments->values[CLI_COLUMNS], &columns);
  }
  if (status == CLI_EXIT_OK) status = cli_open(cli);
  if (status == CLI_EXIT_OK) {
    cli_list_init(&partitions, arguments->values[CLI_PARTITION_BY]);
    definition.columns = columns.items;
    definition.column_count = columns.count;
    definition.partition_by = partitions.items;
    definition.partition_by_count = partitions.count;
    definition.description = arguments->values[CLI_DESCRIPTION];
    struct creation creation = {.cli = cli,
                                .name = &name,
                                .definition = &definition,
                                .if_absent = arguments->given[CLI_IF_NOT_EXISTS]};
    status = create(&creation);
    cli_list_deinit(&partitions);
  }
  columns_deinit(&columns);
  cli_name_deinit(&name);
  return status;
}

int cli_run_attach(struct cli *cli) {
  struct cli_name name = {0};
  int status = cli_name_argument(cli, 0, 3, 3, &name);
  if (status == CLI_EXIT_OK) status = cli_open(cli);
  if (status == CLI_EXIT_OK) {
    struct creation creation = {.cli = cli, .name = &name, .folder = cli->arguments.words[1]};
    status = create(&creation);
  }
  cli_name_deinit(&name);
  return status;
}

/* ---- drop, rename ---------------------------------------------------------------------------- */

static ap_status drop_one(ap_apiary *apiary, const struct cli_name *name, bool cascade,
                          ap_error *error) {
  char *const *parts = name->parts;
  switch (name->count) {
    case 1:
      return ap_hive_drop(apiary, parts[0], cascade, false, error);
    case 2:
      return ap_box_drop(apiary, parts[0], parts[1], cascade, false, error);
    default:
      return ap_frame_drop(apiary, parts[0], parts[1], parts[2], false, error);
  }
}

int cli_run_drop(struct cli *cli) {
  ap_error error = {0};
  struct cli_name name = {0};
  int status = cli_name_argument(cli, 0, 1, 3, &name);
  if (status == CLI_EXIT_OK) status = cli_open(cli);
  if (status == CLI_EXIT_OK) {
    ap_status dropped = drop_one(cli->apiary, &name, cli->arguments.given[CLI_CASCADE], &error);
    if (dropped == AP_OK) {
      say(cli, "dropped", level_word(name.count), &name);
    } else if (dropped == AP_NOT_FOUND && cli->arguments.given[CLI_IF_EXISTS]) {
      say(cli, "there is no", level_word(name.count), &name);
    } else {
      status = cli_fail(cli, &error);
    }
  }
  cli_name_deinit(&name);
  return status;
}

/* The new name alone, or the whole with the same parents. NULL: it would move to other parents. */
static const char *new_name(const struct cli_name *from, const struct cli_name *to) {
  if (to->count == 1) return to->parts[0];
  if (to->count != from->count) return NULL;
  for (size_t i = 0; i + 1 < to->count; ++i) {
    if (strcmp(from->parts[i], to->parts[i]) != 0) return NULL;
  }
  return to->parts[to->count - 1];
}

static int rename_to(struct cli *cli, const struct cli_name *from, const char *name) {
  ap_error error = {0};
  char *const *parts = from->parts;
  ap_status status = AP_OK;
  if (from->count == 1) {
    status = ap_hive_rename(cli->apiary, parts[0], name, &error);
  } else if (from->count == 2) {
    status = ap_box_rename(cli->apiary, parts[0], parts[1], name, &error);
  } else {
    status = ap_frame_rename(cli->apiary, parts[0], parts[1], parts[2], name, &error);
  }
  if (status != AP_OK) return cli_fail(cli, &error);
  (void)cli_output_format(&cli->output, "renamed %s %s to %s\n", level_word(from->count),
                          cli->arguments.words[0], name);
  return CLI_EXIT_OK;
}

int cli_run_rename(struct cli *cli) {
  struct cli_name from = {0};
  struct cli_name to = {0};
  const char *name = NULL;
  int status = cli_name_argument(cli, 0, 1, 3, &from);
  if (status == CLI_EXIT_OK) status = cli_name_argument(cli, 1, 1, 3, &to);
  if (status == CLI_EXIT_OK) {
    name = new_name(&from, &to);
    if (name == NULL) {
      status = cli_fail_usage(
          cli, "a new name keeps the hive and the box: give the last part alone",
          "'%s' cannot become '%s'", cli->arguments.words[0], cli->arguments.words[1]);
    }
  }
  if (status == CLI_EXIT_OK) status = cli_open(cli);
  if (status == CLI_EXIT_OK) status = rename_to(cli, &from, name);
  cli_name_deinit(&from);
  cli_name_deinit(&to);
  return status;
}

/* ---- list ------------------------------------------------------------------------------------ */

int cli_run_list(struct cli *cli) {
  struct cli_name name = {0};
  ap_names *names = NULL;
  ap_error error = {0};
  int status = CLI_EXIT_OK;
  if (cli->arguments.word_count > 0) status = cli_name_argument(cli, 0, 1, 2, &name);
  if (status == CLI_EXIT_OK) status = cli_open(cli);
  if (status == CLI_EXIT_OK &&
      ap_list(cli->apiary, name.parts[0], name.parts[1], &names, &error) != AP_OK) {
    status = cli_fail(cli, &error);
  }
  for (size_t i = 0; names != NULL && i < ap_names_count(names); ++i) {
    (void)cli_output_format(&cli->output, "%s\n", ap_names_get(names, i));
  }
  ap_names_free(names);
  cli_name_deinit(&name);
  return status;
}
