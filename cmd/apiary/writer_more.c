/* SPDX-License-Identifier: Apache-2.0
 *
 * More formats of lines: values between tabs, a value a line, HTML, INSERT statements.
 */
#include "writer.h"

#include "cli.h"
#include "width.h"

#include <stdlib.h>
#include <string.h>

struct more_writer {
  struct cli_writer base;
  struct cli_text line;
  struct cli_text cell;
  struct cli_text head; /* INSERT: what stands before the values */
  size_t name_width;    /* a value a line: of the names */
};

static void destroy(struct cli_writer *base) {
  struct more_writer *writer = (struct more_writer *)base;
  cli_text_deinit(&writer->line);
  cli_text_deinit(&writer->cell);
  cli_text_deinit(&writer->head);
  free(writer);
}

static struct cli_writer *create(const struct cli_writer_class *class) {
  struct more_writer *writer = cli_allocate(1, sizeof *writer);
  writer->base.class = class;
  return &writer->base;
}

static void flush_line(struct more_writer *writer) {
  (void)cli_output_write(writer->base.output, cli_text_string(&writer->line), writer->line.size);
  cli_text_clear(&writer->line);
}

/* The value of column i into cell; false for a null. */
static bool read_cell(struct more_writer *writer, const struct ArrowArrayView *rows, int64_t row,
                      size_t i) {
  struct cli_type *type = &writer->base.type->children[i];
  int64_t at = cli_row_index(rows, row);
  cli_text_clear(&writer->cell);
  if (cli_value_is_null(type, rows->children[i], at)) return false;
  cli_value_append(type, rows->children[i], at, CLI_PLAIN, &writer->cell);
  return true;
}

static void end_nothing(struct cli_writer *base) {
  (void)base;
}

/* ---- TSV ------------------------------------------------------------------------------------- */

/* As COPY of PostgreSQL writes text: \t, \n, \r and \\ within values, \N for a null. */
static void append_tsv(struct cli_text *line, const char *data, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    const char *escape = data[i] == '\t'   ? "\\t"
                         : data[i] == '\n' ? "\\n"
                         : data[i] == '\r' ? "\\r"
                         : data[i] == '\\' ? "\\\\"
                                           : NULL;
    if (escape != NULL) {
      cli_text_append_string(line, escape);
    } else {
      cli_text_append_char(line, data[i]);
    }
  }
}

static void begin_tsv(struct cli_writer *base) {
  struct more_writer *writer = (struct more_writer *)base;
  if (base->options.no_header) return;
  for (size_t i = 0; i < base->type->child_count; ++i) {
    const char *name = base->type->children[i].name;
    if (i > 0) cli_text_append_char(&writer->line, '\t');
    append_tsv(&writer->line, name, strlen(name));
  }
  cli_text_append_char(&writer->line, '\n');
  flush_line(writer);
}

static void row_tsv(struct cli_writer *base, const struct ArrowArrayView *rows, int64_t row) {
  struct more_writer *writer = (struct more_writer *)base;
  const char *null_text = base->options.null_text;
  for (size_t i = 0; i < base->type->child_count; ++i) {
    if (i > 0) cli_text_append_char(&writer->line, '\t');
    if (read_cell(writer, rows, row, i)) {
      append_tsv(&writer->line, cli_text_string(&writer->cell), writer->cell.size);
    } else {
      cli_text_append_string(&writer->line, null_text == NULL ? "\\N" : null_text);
    }
  }
  cli_text_append_char(&writer->line, '\n');
  flush_line(writer);
}

struct cli_writer *cli_writer_create_tsv(void) {
  static const struct cli_writer_class class = {begin_tsv, row_tsv, NULL, end_nothing, destroy};
  return create(&class);
}

/* ---- a value a line -------------------------------------------------------------------------- */

static void begin_line(struct cli_writer *base) {
  struct more_writer *writer = (struct more_writer *)base;
  for (size_t i = 0; i < base->type->child_count; ++i) {
    const char *name = base->type->children[i].name;
    size_t width = cli_width_of(name, strlen(name));
    if (width > writer->name_width) writer->name_width = width;
  }
}

static void row_line(struct cli_writer *base, const struct ArrowArrayView *rows, int64_t row) {
  struct more_writer *writer = (struct more_writer *)base;
  const char *null_text = base->options.null_text;
  if (base->row_count > 0) cli_text_append_char(&writer->line, '\n');
  for (size_t i = 0; i < base->type->child_count; ++i) {
    const char *name = base->type->children[i].name;
    if (!base->options.no_header) {
      size_t width = cli_width_of(name, strlen(name));
      cli_text_append_repeated(&writer->line, " ", writer->name_width - width);
      (void)cli_width_append(&writer->line, name, strlen(name), SIZE_MAX);
      cli_text_append_string(&writer->line, " = ");
    }
    if (read_cell(writer, rows, row, i)) {
      (void)cli_width_append(&writer->line, cli_text_string(&writer->cell), writer->cell.size,
                             SIZE_MAX);
    } else {
      cli_text_append_string(&writer->line, null_text == NULL ? "NULL" : null_text);
    }
    cli_text_append_char(&writer->line, '\n');
  }
  flush_line(writer);
}

struct cli_writer *cli_writer_create_line(void) {
  static const struct cli_writer_class class = {begin_line, row_line, NULL, end_nothing, destroy};
  return create(&class);
}

/* ---- HTML ------------------------------------------------------------------------------------ */

static void append_html(struct cli_text *line, const char *data, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    const char *entity = data[i] == '<'   ? "&lt;"
                         : data[i] == '>' ? "&gt;"
                         : data[i] == '&' ? "&amp;"
                         : data[i] == '"' ? "&quot;"
                                          : NULL;
    if (entity != NULL) {
      cli_text_append_string(line, entity);
    } else {
      cli_text_append_char(line, data[i]);
    }
  }
}

static void begin_html(struct cli_writer *base) {
  struct more_writer *writer = (struct more_writer *)base;
  cli_text_append_string(&writer->line, "<table>\n");
  if (!base->options.no_header) {
    cli_text_append_string(&writer->line, "<tr>");
    for (size_t i = 0; i < base->type->child_count; ++i) {
      const char *name = base->type->children[i].name;
      cli_text_append_string(&writer->line, "<th>");
      append_html(&writer->line, name, strlen(name));
      cli_text_append_string(&writer->line, "</th>");
    }
    cli_text_append_string(&writer->line, "</tr>\n");
  }
  flush_line(writer);
}

static void row_html(struct cli_writer *base, const struct ArrowArrayView *rows, int64_t row) {
  struct more_writer *writer = (struct more_writer *)base;
  const char *null_text = base->options.null_text;
  cli_text_append_string(&writer->line, "<tr>");
  for (size_t i = 0; i < base->type->child_count; ++i) {
    bool is_number = cli_type_is_number(&base->type->children[i]);
    cli_text_append_string(&writer->line, is_number ? "<td align=\"right\">" : "<td>");
    if (!read_cell(writer, rows, row, i)) {
      cli_text_append_string(&writer->cell, null_text == NULL ? "NULL" : null_text);
    }
    append_html(&writer->line, cli_text_string(&writer->cell), writer->cell.size);
    cli_text_append_string(&writer->line, "</td>");
  }
  cli_text_append_string(&writer->line, "</tr>\n");
  flush_line(writer);
}

static void end_html(struct cli_writer *base) {
  (void)cli_output_string(base->output, "</table>\n");
}

struct cli_writer *cli_writer_create_html(void) {
  static const struct cli_writer_class class = {begin_html, row_html, NULL, end_html, destroy};
  return create(&class);
}

/* ---- INSERT ---------------------------------------------------------------------------------- */

static void begin_insert(struct cli_writer *base) {
  struct more_writer *writer = (struct more_writer *)base;
  cli_text_append_string(&writer->head, "INSERT INTO ");
  cli_text_append_string(&writer->head, base->options.name == NULL ? "frame" : base->options.name);
  cli_text_append_string(&writer->head, " (");
  for (size_t i = 0; i < base->type->child_count; ++i) {
    const struct cli_name column = {{base->type->children[i].name}, 1};
    if (i > 0) cli_text_append_string(&writer->head, ", ");
    cli_name_append(&writer->head, &column);
  }
  cli_text_append_string(&writer->head, ") VALUES (");
}

static void append_literal(struct cli_text *line, const char *data, size_t size) {
  cli_text_append_char(line, '\'');
  for (size_t i = 0; i < size; ++i) {
    if (data[i] == '\'') cli_text_append_char(line, '\'');
    cli_text_append_char(line, data[i]);
  }
  cli_text_append_char(line, '\'');
}

/* Values that no plain literal has: they are read from text by a cast. */
static void append_cast(struct more_writer *writer, const struct cli_type *type) {
  struct cli_text word = {0};
  cli_type_append_word(type, &word);
  const char *data = cli_text_string(&writer->cell);
  size_t size = writer->cell.size;
  if (type->kind == NANOARROW_TYPE_DOUBLE || type->kind == NANOARROW_TYPE_FLOAT) {
    append_literal(&writer->line, data, size); /* nan, inf */
    cli_text_append_string(&writer->line, "::DOUBLE");
  } else if (strcmp(word.data, "date") == 0 || strcmp(word.data, "time") == 0) {
    cli_text_append_format(&writer->line, "%s ", word.data[0] == 'd' ? "DATE" : "TIME");
    append_literal(&writer->line, data, size);
  } else if (type->kind == NANOARROW_TYPE_TIMESTAMP) {
    cli_text_append_string(&writer->line, type->has_zone ? "TIMESTAMPTZ " : "TIMESTAMP ");
    append_literal(&writer->line, data, size);
  } else if (strcmp(word.data, "binary") == 0) { /* \x and digits, two a byte */
    cli_text_append_string(&writer->line, "unhex(");
    append_literal(&writer->line, data + 2, size - 2);
    cli_text_append_char(&writer->line, ')');
  } else {
    append_literal(&writer->line, data, size);
  }
  cli_text_deinit(&word);
}

static void row_insert(struct cli_writer *base, const struct ArrowArrayView *rows, int64_t row) {
  struct more_writer *writer = (struct more_writer *)base;
  cli_text_append(&writer->line, writer->head.data, writer->head.size);
  for (size_t i = 0; i < base->type->child_count; ++i) {
    const struct cli_type *type = &base->type->children[i];
    if (i > 0) cli_text_append_string(&writer->line, ", ");
    if (!read_cell(writer, rows, row, i)) {
      cli_text_append_string(&writer->line, "NULL");
      continue;
    }
    const char *digits = cli_text_string(&writer->cell);
    bool is_plain = type->kind == NANOARROW_TYPE_BOOL ||
                    (cli_type_is_number(type) && strchr("0123456789-", digits[0]) != NULL &&
                     strcmp(digits, "-inf") != 0);
    if (is_plain) {
      cli_text_append(&writer->line, digits, writer->cell.size);
    } else {
      append_cast(writer, type);
    }
  }
  cli_text_append_string(&writer->line, ");\n");
  flush_line(writer);
}

struct cli_writer *cli_writer_create_insert(void) {
  static const struct cli_writer_class class = {begin_insert, row_insert, NULL, end_nothing,
                                                destroy};
  return create(&class);
}
