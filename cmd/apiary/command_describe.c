/* SPDX-License-Identifier: Apache-2.0
 *
 * describe, history, checkpoint, status: what is known of frames and of the apiary.
 */
#include "cli.h"

#include "json_read.h"
#include "number.h"
#include "width.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* People read a table, programs JSON. */
static int choose_json(const struct cli *cli, bool *out_is_json) {
  const char *format = cli->arguments.values[CLI_FORMAT];
  *out_is_json = format != NULL && strcmp(format, "json") == 0;
  if (format == NULL || *out_is_json || strcmp(format, "table") == 0) return CLI_EXIT_OK;
  return cli_fail_usage(cli, "the formats here are table and json",
                        "'%s' is no format of 'apiary %s'", format, cli->arguments.command->name);
}

/* "name        value", control characters shown. */
static void write_line(struct cli *cli, const char *name, const char *value) {
  struct cli_text line = {0};
  cli_text_append_format(&line, "%-14s", name);
  (void)cli_width_append(&line, value, strlen(value), SIZE_MAX);
  cli_text_append_char(&line, '\n');
  (void)cli_output_write(&cli->output, line.data, line.size);
  cli_text_deinit(&line);
}

static void write_member(struct cli *cli, const char *name, struct cli_json value) {
  struct cli_text text = {0};
  if (cli_json_is_null(value)) {
    cli_text_append_string(&text, "unknown");
  } else {
    cli_json_append(&text, value);
  }
  if (text.size > 0) write_line(cli, name, text.data);
  cli_text_deinit(&text);
}

static void write_count(struct cli *cli, const char *name, struct cli_json value, bool is_size) {
  struct cli_text text = {0};
  int64_t count = cli_json_number(value, -1);
  if (count < 0) {
    cli_text_append_string(&text, "unknown");
  } else if (is_size) {
    cli_append_size(&text, count);
  } else {
    cli_append_grouped(&text, count);
  }
  write_line(cli, name, text.data);
  cli_text_deinit(&text);
}

/* ---- describe -------------------------------------------------------------------------------- */

static bool is_member(struct cli_json array, const char *word) {
  struct cli_json_walk walk = cli_json_walk_start(array);
  struct cli_json item;
  struct cli_text text = {0};
  bool found = false;
  while (!found && cli_json_walk_next(&walk, NULL, &item)) {
    cli_text_clear(&text);
    cli_json_append(&text, item);
    found = strcmp(cli_text_string(&text), word) == 0;
  }
  cli_text_deinit(&text);
  return found;
}

static void write_columns(struct cli *cli, struct cli_json frame) {
  struct cli_json partitions = cli_json_member(frame, "partition_by");
  struct cli_json_walk walk = cli_json_walk_start(cli_json_member(frame, "schema"));
  struct cli_json type;
  struct cli_text name = {0};
  struct cli_text line = {0};
  (void)cli_output_string(&cli->output, "columns\n");
  while (cli_json_walk_next(&walk, &name, &type)) {
    cli_text_append_string(&line, "  ");
    size_t width = cli_width_append(&line, cli_text_string(&name), name.size, SIZE_MAX);
    cli_text_append_repeated(&line, " ", width < 24 ? 24 - width : 1);
    cli_json_append(&line, type);
    if (is_member(partitions, cli_text_string(&name))) {
      cli_text_append_string(&line, "  (partitions)");
    }
    cli_text_append_char(&line, '\n');
    (void)cli_output_write(&cli->output, line.data, line.size);
    cli_text_clear(&line);
    cli_text_clear(&name);
  }
  cli_text_deinit(&line);
  cli_text_deinit(&name);
}

static void write_properties(struct cli *cli, struct cli_json properties) {
  struct cli_json_walk walk = cli_json_walk_start(properties);
  struct cli_text name = {0};
  struct cli_text line = {0};
  struct cli_json value;
  for (bool is_first = true; cli_json_walk_next(&walk, &name, &value); is_first = false) {
    if (is_first) (void)cli_output_string(&cli->output, "properties\n");
    cli_text_append_string(&line, "  ");
    cli_text_append_string(&line, cli_text_string(&name));
    cli_text_append_string(&line, " = ");
    cli_json_append(&line, value);
    write_line(cli, "", cli_text_string(&line));
    cli_text_clear(&line);
    cli_text_clear(&name);
  }
  cli_text_deinit(&line);
  cli_text_deinit(&name);
}

static void write_frame(struct cli *cli, struct cli_json frame) {
  struct cli_text name = {0};
  static const char *const parts[] = {"hive", "box", "name"};
  for (size_t i = 0; i < 3; ++i) {
    if (i > 0) cli_text_append_char(&name, '.');
    cli_json_append(&name, cli_json_member(frame, parts[i]));
  }
  write_line(cli, "frame", cli_text_string(&name));
  cli_text_deinit(&name);
  struct cli_json description = cli_json_member(frame, "description");
  if (!cli_json_is_null(description)) write_member(cli, "description", description);
  write_member(cli, "location", cli_json_member(frame, "location"));
  write_member(cli, "created", cli_json_member(frame, "created_at"));
  write_member(cli, "version", cli_json_member(frame, "version"));
  write_count(cli, "rows", cli_json_member(frame, "row_count"), false);
  write_count(cli, "cells", cli_json_member(frame, "cell_count"), false);
  write_count(cli, "size", cli_json_member(frame, "total_bytes"), true);
  write_columns(cli, frame);
  write_properties(cli, cli_json_member(frame, "properties"));
}

int cli_run_describe(struct cli *cli) {
  struct cli_name name = {0};
  ap_error error = {0};
  char *json = NULL;
  bool is_json = false;
  int status = choose_json(cli, &is_json);
  if (status == CLI_EXIT_OK) status = cli_name_argument(cli, 0, 3, 3, &name);
  if (status == CLI_EXIT_OK) status = cli_open(cli);
  if (status == CLI_EXIT_OK && ap_frame_describe(cli->apiary, name.parts[0], name.parts[1],
                                                 name.parts[2], &json, &error) != AP_OK) {
    status = cli_fail(cli, &error);
  }
  if (json != NULL && is_json) {
    (void)cli_output_string(&cli->output, json);
    (void)cli_output_string(&cli->output, "\n");
  } else if (json != NULL) {
    write_frame(cli, cli_json_of(json));
  }
  ap_string_free(json);
  cli_name_deinit(&name);
  return status;
}

/* ---- history, checkpoint --------------------------------------------------------------------- */

int cli_run_history(struct cli *cli) {
  struct cli_writer_options options;
  struct ArrowArrayStream stream = {0};
  struct cli_name name = {0};
  ap_error error = {0};
  int64_t limit = 0;
  int status = cli_writer_options_of(cli, &options);
  if (status == CLI_EXIT_OK && !cli_count_option(cli, CLI_LIMIT, 0, &limit))
    status = CLI_EXIT_USAGE;
  if (limit > UINT32_MAX) limit = 0;
  if (status == CLI_EXIT_OK) status = cli_name_argument(cli, 0, 3, 3, &name);
  if (status == CLI_EXIT_OK) status = cli_open(cli);
  if (status == CLI_EXIT_OK) {
    ap_status opened = ap_frame_history(cli->apiary, name.parts[0], name.parts[1], name.parts[2],
                                        (uint32_t)limit, &stream, &error);
    struct cli_query query = {.options = options};
    status = opened == AP_OK ? cli_print_stream(cli, &stream, &query, NULL) : cli_fail(cli, &error);
  }
  cli_name_deinit(&name);
  return status;
}

int cli_run_checkpoint(struct cli *cli) {
  struct cli_name name = {0};
  ap_error error = {0};
  int64_t version = 0;
  int status = cli_name_argument(cli, 0, 3, 3, &name);
  if (status == CLI_EXIT_OK) status = cli_open(cli);
  if (status == CLI_EXIT_OK) {
    ap_status written = ap_frame_checkpoint(cli->apiary, name.parts[0], name.parts[1],
                                            name.parts[2], &version, &error);
    if (written == AP_OK) {
      (void)cli_output_format(&cli->output, "checkpoint of %s at version %" PRId64 "\n",
                              cli->arguments.words[0], version);
    } else {
      status = cli_fail(cli, &error);
    }
  }
  cli_name_deinit(&name);
  return status;
}

/* ---- status ---------------------------------------------------------------------------------- */

struct report {
  ap_report report;
  const char *name;
};

static const struct report reports[] = {{AP_REPORT_NODE, "node"},
                                        {AP_REPORT_SWARM, "swarm"},
                                        {AP_REPORT_COLONY, "colony"},
                                        {AP_REPORT_BEES, "bees"}};

enum { REPORT_COUNT = sizeof reports / sizeof reports[0] };

/* A number of units of a million or a thousand million bytes, or any other value as it stands. */
static void write_fact(struct cli *cli, const char *label, struct cli_json value,
                       const char *unit) {
  struct cli_text text = {0};
  struct cli_text padded = {0};
  cli_json_append(&text, value);
  if (!cli_json_is_null(value)) {
    cli_text_append_format(&padded, "%-18s", label);
    if (unit != NULL) {
      double number = strtod(cli_text_string(&text), NULL);
      cli_text_clear(&text);
      cli_text_append_format(&text, "%.1f %s", number, unit);
    }
    write_line(cli, padded.data, cli_text_string(&text));
  }
  cli_text_deinit(&padded);
  cli_text_deinit(&text);
}

static void write_status(struct cli *cli, char *const *texts) {
  static const struct {
    const char *member;
    const char *label;
    const char *unit;
    size_t report;
  } facts[] = {
      {"name", "name", NULL, 0},
      {"storage", "storage", NULL, 0},
      {"state", "state", NULL, 0},
      {"node_id", "node", NULL, 0},
      {"cores", "cores", NULL, 0},
      {"bees", "bees", NULL, 0},
      {"memory_gb", "memory", "GB", 0},
      {"memory_per_bee_mb", "memory per bee", "MB", 0},
      {"target_cell_size_mb", "target cell size", "MB", 0},
      {"alive", "nodes alive", NULL, 1},
      {"temperature", "temperature", NULL, 2},
      {"regulation", "regulation", NULL, 2},
      {"engine", "engine", NULL, 0},
  };
  for (size_t i = 0; i < sizeof facts / sizeof facts[0]; ++i) {
    struct cli_json report = cli_json_of(texts[facts[i].report]);
    write_fact(cli, facts[i].label, cli_json_member(report, facts[i].member), facts[i].unit);
  }
  write_fact(cli, "version", (struct cli_json){ap_version(), strlen(ap_version())}, NULL);
}

static void write_reports(struct cli *cli, char *const *texts) {
  for (size_t i = 0; i < REPORT_COUNT; ++i) {
    (void)cli_output_format(&cli->output, "%s\"%s\": ", i == 0 ? "{" : ",\n ", reports[i].name);
    (void)cli_output_string(&cli->output, texts[i]);
  }
  (void)cli_output_string(&cli->output, "}\n");
}

int cli_run_status(struct cli *cli) {
  char *texts[REPORT_COUNT] = {NULL};
  ap_error error = {0};
  bool is_json = false;
  int status = choose_json(cli, &is_json);
  if (status == CLI_EXIT_OK) status = cli_open(cli);
  for (size_t i = 0; i < REPORT_COUNT && status == CLI_EXIT_OK; ++i) {
    if (ap_get_report(cli->apiary, reports[i].report, &texts[i], &error) != AP_OK) {
      status = cli_fail(cli, &error);
    }
  }
  if (status == CLI_EXIT_OK && is_json) write_reports(cli, texts);
  if (status == CLI_EXIT_OK && !is_json) write_status(cli, texts);
  for (size_t i = 0; i < REPORT_COUNT; ++i) ap_string_free(texts[i]);
  return status;
}
