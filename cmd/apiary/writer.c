/* SPDX-License-Identifier: Apache-2.0
 *
 * See writer.h. The formats of lines: CSV (RFC 4180, lines end in LF), JSON and Markdown.
 */
#include "writer.h"

#include <stdlib.h>
#include <string.h>

static const char *const format_words[] = {"table",    "csv",  "tsv",  "json",   "ndjson",
                                           "markdown", "line", "html", "insert", "arrow"};

bool cli_format_parse(const char *word, enum cli_format *out_format) {
  if (strcmp(word, "box") == 0) word = "table";
  if (strcmp(word, "jsonl") == 0) word = "ndjson";
  for (size_t i = 0; i < sizeof format_words / sizeof format_words[0]; ++i) {
    if (strcmp(word, format_words[i]) != 0) continue;
    *out_format = (enum cli_format)i;
    return true;
  }
  return false;
}

const char *cli_format_word(enum cli_format format) {
  return format_words[format];
}

struct cli_writer *cli_writer_create(const struct cli_writer_options *options,
                                     struct cli_output *output, struct cli_type *type) {
  struct cli_writer *writer = NULL;
  switch (options->format) {
    case CLI_FORMAT_CSV:
      writer = cli_writer_create_csv();
      break;
    case CLI_FORMAT_JSON:
    case CLI_FORMAT_NDJSON:
      writer = cli_writer_create_json(options->format == CLI_FORMAT_NDJSON);
      break;
    case CLI_FORMAT_MARKDOWN:
      writer = cli_writer_create_markdown();
      break;
    case CLI_FORMAT_TSV:
      writer = cli_writer_create_tsv();
      break;
    case CLI_FORMAT_LINE:
      writer = cli_writer_create_line();
      break;
    case CLI_FORMAT_HTML:
      writer = cli_writer_create_html();
      break;
    case CLI_FORMAT_INSERT:
      writer = cli_writer_create_insert();
      break;
    case CLI_FORMAT_PLAIN:
    case CLI_FORMAT_SILENT:
      writer = cli_writer_create_plain();
      break;
    case CLI_FORMAT_TABLE:
    case CLI_FORMAT_ARROW:
      writer = cli_writer_create_table();
      break;
  }
  writer->options = *options;
  writer->output = output;
  writer->type = type;
  return writer;
}

void cli_writer_begin(struct cli_writer *writer) {
  if (writer->type->child_count > 0) writer->class->begin(writer);
}

void cli_writer_batch(struct cli_writer *writer, const struct ArrowArrayView *rows) {
  if (writer->type->child_count == 0) return;
  for (int64_t row = 0; row < rows->length && writer->output->error == 0; ++row) {
    writer->class->row(writer, rows, row);
    ++writer->row_count;
  }
  if (writer->class->pause != NULL) writer->class->pause(writer);
}

void cli_writer_end(struct cli_writer *writer) {
  if (writer->type->child_count > 0) writer->class->end(writer);
}

void cli_writer_destroy(struct cli_writer *writer) {
  if (writer != NULL) writer->class->destroy(writer);
}

/* ---- lines ----------------------------------------------------------------------------------- */

struct line_writer {
  struct cli_writer base;
  struct cli_text line;
  struct cli_text cell;
  struct cli_text *keys; /* JSON: the names as JSON strings, each one once */
  size_t key_count;
  bool lines;
};

static void destroy_lines(struct cli_writer *base) {
  struct line_writer *writer = (struct line_writer *)base;
  for (size_t i = 0; i < writer->key_count; ++i) cli_text_deinit(&writer->keys[i]);
  free(writer->keys);
  cli_text_deinit(&writer->line);
  cli_text_deinit(&writer->cell);
  free(writer);
}

static struct cli_writer *create_lines(const struct cli_writer_class *class, bool lines) {
  struct line_writer *writer = cli_allocate(1, sizeof *writer);
  writer->base.class = class;
  writer->lines = lines;
  return &writer->base;
}

static void flush_line(struct line_writer *writer) {
  (void)cli_output_write(writer->base.output, cli_text_string(&writer->line), writer->line.size);
  cli_text_clear(&writer->line);
}

static void end_nothing(struct cli_writer *base) {
  (void)base;
}

static void begin_nothing(struct cli_writer *base) {
  (void)base;
}

static void row_plain(struct cli_writer *base, const struct ArrowArrayView *rows, int64_t row) {
  struct line_writer *writer = (struct line_writer *)base;
  if (base->options.format == CLI_FORMAT_SILENT) return;
  for (size_t i = 0; i < base->type->child_count; ++i) {
    if (i > 0) cli_text_append_char(&writer->line, ' ');
    cli_value_append(&base->type->children[i], rows->children[i], cli_row_index(rows, row),
                     CLI_PLAIN, &writer->line);
  }
  cli_text_append_char(&writer->line, '\n');
  flush_line(writer);
}

struct cli_writer *cli_writer_create_plain(void) {
  static const struct cli_writer_class class = {begin_nothing, row_plain, NULL, end_nothing,
                                                destroy_lines};
  return create_lines(&class, false);
}

/* ---- CSV ------------------------------------------------------------------------------------- */

static void append_csv(struct cli_text *line, const char *data, size_t size) {
  bool quoted = size == 0 || data[0] == ' ' || data[size - 1] == ' ';
  for (size_t i = 0; i < size && !quoted; ++i) quoted = strchr("\",\n\r", data[i]) && data[i];
  if (!quoted) {
    cli_text_append(line, data, size);
    return;
  }
  cli_text_append_char(line, '"');
  for (size_t i = 0; i < size; ++i) {
    if (data[i] == '"') cli_text_append_char(line, '"');
    cli_text_append_char(line, data[i]);
  }
  cli_text_append_char(line, '"');
}

static void begin_csv(struct cli_writer *base) {
  struct line_writer *writer = (struct line_writer *)base;
  if (base->options.no_header) return;
  for (size_t i = 0; i < base->type->child_count; ++i) {
    const char *name = base->type->children[i].name;
    if (i > 0) cli_text_append_char(&writer->line, ',');
    append_csv(&writer->line, name, strlen(name));
  }
  cli_text_append_char(&writer->line, '\n');
  flush_line(writer);
}

static void row_csv(struct cli_writer *base, const struct ArrowArrayView *rows, int64_t row) {
  struct line_writer *writer = (struct line_writer *)base;
  int64_t at = cli_row_index(rows, row);
  for (size_t i = 0; i < base->type->child_count; ++i) {
    if (i > 0) cli_text_append_char(&writer->line, ',');
    if (cli_value_is_null(&base->type->children[i], rows->children[i], at)) {
      const char *null_text = base->options.null_text == NULL ? "" : base->options.null_text;
      /* An empty line would be no row to most readers. */
      bool is_empty = null_text[0] == '\0' && base->type->child_count == 1;
      cli_text_append_string(&writer->line, is_empty ? "\"\"" : null_text);
      continue;
    }
    cli_text_clear(&writer->cell);
    cli_value_append(&base->type->children[i], rows->children[i], at, CLI_PLAIN, &writer->cell);
    append_csv(&writer->line, cli_text_string(&writer->cell), writer->cell.size);
  }
  cli_text_append_char(&writer->line, '\n');
  flush_line(writer);
}

struct cli_writer *cli_writer_create_csv(void) {
  static const struct cli_writer_class class = {begin_csv, row_csv, NULL, end_nothing,
                                                destroy_lines};
  return create_lines(&class, false);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static bool is_name_taken(const struct cli_type *type, size_t count, const char *name) {
  for (size_t i = 0; i < count; ++i) {
    if (strcmp(type->children[i].name, name) == 0) return true;
  }
  return false;
}

/* Names that an earlier column has get _1, _2 and so on: an object has a name once. */
static void begin_json(struct cli_writer *base) {
  struct line_writer *writer = (struct line_writer *)base;
  struct cli_type *type = base->type;
  writer->keys = cli_allocate(type->child_count, sizeof *writer->keys);
  writer->key_count = type->child_count;
  for (size_t i = 0; i < type->child_count; ++i) {
    struct cli_text name = {0};
    cli_text_append_string(&name, type->children[i].name);
    for (int n = 1; is_name_taken(type, i, cli_text_string(&name)); ++n) {
      cli_text_clear(&name);
      cli_text_append_format(&name, "%s_%d", type->children[i].name, n);
    }
    cli_json_append_string(&writer->keys[i], cli_text_string(&name), name.size);
    free(type->children[i].name);
    type->children[i].name = name.data;
  }
  if (!writer->lines) (void)cli_output_string(base->output, "[");
}

static void row_json(struct cli_writer *base, const struct ArrowArrayView *rows, int64_t row) {
  struct line_writer *writer = (struct line_writer *)base;
  if (!writer->lines) cli_text_append_string(&writer->line, base->row_count > 0 ? ",\n " : "\n ");
  cli_text_append_char(&writer->line, '{');
  for (size_t i = 0; i < base->type->child_count; ++i) {
    if (i > 0) cli_text_append_string(&writer->line, ", ");
    cli_text_append(&writer->line, writer->keys[i].data, writer->keys[i].size);
    cli_text_append_string(&writer->line, ": ");
    cli_value_append(&base->type->children[i], rows->children[i], cli_row_index(rows, row),
                     CLI_JSON, &writer->line);
  }
  cli_text_append_string(&writer->line, writer->lines ? "}\n" : "}");
  flush_line(writer);
}

static void end_json(struct cli_writer *base) {
  struct line_writer *writer = (struct line_writer *)base;
  if (!writer->lines) (void)cli_output_string(base->output, base->row_count > 0 ? "\n]\n" : "]\n");
}

struct cli_writer *cli_writer_create_json(bool lines) {
  static const struct cli_writer_class class = {begin_json, row_json, NULL, end_json,
                                                destroy_lines};
  return create_lines(&class, lines);
}

/* ---- Markdown -------------------------------------------------------------------------------- */

static void append_markdown(struct cli_text *line, const char *data, size_t size) {
  cli_text_append_char(line, ' ');
  for (size_t i = 0; i < size; ++i) {
    if (data[i] == '|' || data[i] == '\\') {
      cli_text_append_char(line, '\\');
      cli_text_append_char(line, data[i]);
    } else if (data[i] == '\n') {
      cli_text_append_string(line, "<br>");
    } else if (data[i] != '\r') {
      cli_text_append_char(line, data[i]);
    }
  }
  cli_text_append_string(line, " |");
}

static void begin_markdown(struct cli_writer *base) {
  struct line_writer *writer = (struct line_writer *)base;
  cli_text_append_char(&writer->line, '|');
  for (size_t i = 0; i < base->type->child_count; ++i) {
    const char *name = base->options.no_header ? "" : base->type->children[i].name;
    append_markdown(&writer->line, name, strlen(name));
  }
  cli_text_append_string(&writer->line, "\n|");
  for (size_t i = 0; i < base->type->child_count; ++i) {
    bool is_number = cli_type_is_number(&base->type->children[i]);
    cli_text_append_string(&writer->line, is_number ? " ---: |" : " --- |");
  }
  cli_text_append_char(&writer->line, '\n');
  flush_line(writer);
}

static void row_markdown(struct cli_writer *base, const struct ArrowArrayView *rows, int64_t row) {
  struct line_writer *writer = (struct line_writer *)base;
  int64_t at = cli_row_index(rows, row);
  cli_text_append_char(&writer->line, '|');
  for (size_t i = 0; i < base->type->child_count; ++i) {
    cli_text_clear(&writer->cell);
    if (cli_value_is_null(&base->type->children[i], rows->children[i], at)) {
      const char *null_text = base->options.null_text;
      cli_text_append_string(&writer->cell, null_text == NULL ? "NULL" : null_text);
    } else {
      cli_value_append(&base->type->children[i], rows->children[i], at, CLI_PLAIN, &writer->cell);
    }
    append_markdown(&writer->line, cli_text_string(&writer->cell), writer->cell.size);
  }
  cli_text_append_char(&writer->line, '\n');
  flush_line(writer);
}

struct cli_writer *cli_writer_create_markdown(void) {
  static const struct cli_writer_class class = {begin_markdown, row_markdown, NULL, end_nothing,
                                                destroy_lines};
  return create_lines(&class, false);
}
