/* SPDX-License-Identifier: Apache-2.0
 *
 * The table: a frame of lines, names and types above, numbers to the right.
 *
 * Widths are those of the rows that are kept: with a limit, the first and the last rows up to it;
 * without one, the first 1,000, or those of half a second, after which rows are written as they
 * come. Where the terminal is too narrow, texts are cut first and then columns in the middle are
 * left out; the last line says what is not shown.
 */
#include "writer.h"

#include "cli.h"
#include "number.h"
#include "width.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
  ROWS_KEPT_MAX = 1000,
  KEPT_MS_MAX = 500,   /* without a limit, rows are shown that long after the first one */
  CELL_WIDTH_MIN = 12, /* texts are not cut below it */
  BORDER_WIDTH = 3,    /* " x │" */
};

struct table_row {
  struct cli_text text;
  size_t *ends; /* of each cell in text */
  bool *nulls;
};

struct column {
  size_t width;
  bool is_number;
  bool is_hidden;
  bool is_fixed; /* its width is the user's wish: cells are cut */
  struct cli_text word;
};

struct table_writer {
  struct cli_writer base;
  struct column *columns;
  struct table_row *rows;
  size_t row_count;    /* kept */
  size_t row_capacity; /* allocated */
  size_t head;         /* with a limit: rows kept from the start */
  size_t tail;         /* and a ring of the last */
  size_t hidden;       /* columns */
  bool is_streaming;   /* the head is written, rows go straight out */
  double started_ms;   /* when the first row came */
  struct table_row loose;
  struct cli_text line;
};

static void destroy_row(struct table_row *row) {
  cli_text_deinit(&row->text);
  free(row->ends);
  free(row->nulls);
}

static void destroy(struct cli_writer *base) {
  struct table_writer *table = (struct table_writer *)base;
  for (size_t i = 0; i < table->row_count; ++i) destroy_row(&table->rows[i]);
  for (size_t i = 0; table->columns != NULL && i < base->type->child_count; ++i) {
    cli_text_deinit(&table->columns[i].word);
  }
  destroy_row(&table->loose);
  cli_text_deinit(&table->line);
  free(table->columns);
  free(table->rows);
  free(table);
}

static void begin(struct cli_writer *base) {
  struct table_writer *table = (struct table_writer *)base;
  const struct cli_type *type = base->type;
  table->columns = cli_allocate(type->child_count, sizeof *table->columns);
  for (size_t i = 0; i < type->child_count; ++i) {
    struct column *column = &table->columns[i];
    const char *name = type->children[i].name;
    cli_type_append_word(&type->children[i], &column->word);
    column->is_number = cli_type_is_number(&type->children[i]);
    if (base->options.no_header) continue;
    size_t name_width = cli_width_of(name, strlen(name));
    column->width = cli_width_of(column->word.data, column->word.size);
    if (column->width < name_width) column->width = name_width;
  }
  if (base->options.rows_max > 0) {
    table->tail = (size_t)(base->options.rows_max / 2);
    table->head = (size_t)base->options.rows_max - table->tail;
  }
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void fill(struct table_writer *table, struct table_row *row,
                 const struct ArrowArrayView *rows, int64_t index) {
  struct cli_type *type = table->base.type;
  int64_t at = cli_row_index(rows, index);
  const char *given = table->base.options.null_text;
  const char *null_text = given == NULL ? "NULL" : given;
  size_t null_size = strlen(null_text);
  if (row->ends == NULL) {
    row->ends = cli_allocate(type->child_count, sizeof *row->ends);
    row->nulls = cli_allocate(type->child_count, sizeof *row->nulls);
  }
  cli_text_clear(&row->text);
  for (size_t i = 0; i < type->child_count; ++i) {
    size_t start = row->text.size;
    row->nulls[i] = cli_value_is_null(&type->children[i], rows->children[i], at);
    if (row->nulls[i]) {
      cli_text_append_string(&row->text, null_text);
    } else {
      cli_value_append(&type->children[i], rows->children[i], at, CLI_PLAIN, &row->text);
      if (row->text.size - start == null_size && null_size > 0 &&
          memcmp(row->text.data + start, null_text, null_size) == 0) {
        row->text.size = start; /* the text NULL, told from a null */
        cli_text_append_format(&row->text, "\"%s\"", null_text);
      }
    }
    row->ends[i] = row->text.size;
  }
}

static struct table_row *new_row(struct table_writer *table) {
  if (table->row_count == table->row_capacity) {
    size_t capacity = table->row_capacity == 0 ? 64 : 2 * table->row_capacity;
    table->rows = cli_reallocate(table->rows, capacity, sizeof *table->rows);
    table->row_capacity = capacity;
  }
  struct table_row *row = &table->rows[table->row_count++];
  *row = (struct table_row){0};
  return row;
}

static void measure(struct table_writer *table, const struct table_row *row) {
  size_t start = 0;
  for (size_t i = 0; i < table->base.type->child_count; ++i) {
    size_t width = cli_width_of(cli_text_string(&row->text) + start, row->ends[i] - start);
    if (width > table->columns[i].width) table->columns[i].width = width;
    start = row->ends[i];
  }
}

/* ---- widths ---------------------------------------------------------------------------------- */

static size_t total_width(const struct table_writer *table, size_t cap) {
  size_t total = 1;
  for (size_t i = 0; i < table->base.type->child_count; ++i) {
    const struct column *column = &table->columns[i];
    if (column->is_hidden) continue;
    bool is_cut = !column->is_number && column->width > cap;
    total += (is_cut ? cap : column->width) + BORDER_WIDTH;
  }
  return table->hidden > 0 ? total + 1 + BORDER_WIDTH : total;
}

/* Hide columns from the middle until the rest fits; the first and the last stay. */
static void hide_columns(struct table_writer *table, size_t screen) {
  size_t count = table->base.type->child_count;
  size_t left = count / 2;
  size_t right = left;
  while (right - left + 2 < count && total_width(table, CELL_WIDTH_MIN) > screen) {
    size_t next = left > count - right ? --left : right++;
    table->columns[next].is_hidden = true;
    ++table->hidden;
  }
}

/* The widths that the user has set. */
static void fix(struct table_writer *table) {
  const struct cli_writer_options *options = &table->base.options;
  for (size_t i = 0; i < table->base.type->child_count; ++i) {
    struct column *column = &table->columns[i];
    size_t given = i < options->width_count ? options->widths[i] : 0;
    column->is_fixed = given > 0;
    if (given > 0) column->width = given;
  }
}

static void fit(struct table_writer *table) {
  size_t screen = table->base.options.columns;
  size_t cap = 0;
  fix(table);
  if (screen == 0) return;
  for (size_t i = 0; i < table->base.type->child_count; ++i) {
    if (table->columns[i].width > cap) cap = table->columns[i].width;
  }
  if (total_width(table, cap) <= screen) return;
  if (total_width(table, CELL_WIDTH_MIN) > screen) hide_columns(table, screen);
  if (cap > screen) cap = screen;
  while (cap > CELL_WIDTH_MIN && total_width(table, cap) > screen) --cap;
  for (size_t i = 0; i < table->base.type->child_count; ++i) {
    struct column *column = &table->columns[i];
    if (!column->is_number && column->width > cap) column->width = cap;
  }
}

/* ---- drawing --------------------------------------------------------------------------------- */

static void flush_line(struct table_writer *table) {
  cli_text_append_char(&table->line, '\n');
  (void)cli_output_write(table->base.output, table->line.data, table->line.size);
  cli_text_clear(&table->line);
}

/* Whether the mark of hidden columns stands before column i. */
static bool is_gap(const struct table_writer *table, size_t i) {
  return table->columns[i].is_hidden && (i == 0 || !table->columns[i - 1].is_hidden);
}

static void draw_border(struct table_writer *table, const char *left, const char *middle,
                        const char *right) {
  bool first = true;
  for (size_t i = 0; i < table->base.type->child_count; ++i) {
    bool gap = is_gap(table, i);
    if (table->columns[i].is_hidden && !gap) continue;
    cli_text_append_string(&table->line, first ? left : middle);
    cli_text_append_repeated(&table->line, "─", gap ? 3 : table->columns[i].width + 2);
    first = false;
  }
  cli_text_append_string(&table->line, right);
  flush_line(table);
}

static void draw_cell(struct table_writer *table, size_t i, const char *data, size_t size,
                      bool is_dim) {
  const struct column *column = &table->columns[i];
  size_t width = cli_width_of(data, size);
  /* Rows that are not kept may be wider: they are not cut. */
  bool is_cut = (table->base.options.columns > 0 && !column->is_number) || column->is_fixed;
  size_t room = is_cut ? column->width : width;
  size_t shown = width < room ? width : room;
  size_t padding = shown < column->width ? column->width - shown : 0;
  bool color = is_dim && table->base.options.color;
  cli_text_append_string(&table->line, "│ ");
  if (column->is_number) cli_text_append_repeated(&table->line, " ", padding);
  if (color) cli_text_append_string(&table->line, "\033[2m");
  (void)cli_width_append(&table->line, data, size, room);
  if (color) cli_text_append_string(&table->line, "\033[0m");
  if (!column->is_number) cli_text_append_repeated(&table->line, " ", padding);
  cli_text_append_char(&table->line, ' ');
}

static void draw_row(struct table_writer *table, const struct table_row *row) {
  size_t start = 0;
  for (size_t i = 0; i < table->base.type->child_count; ++i) {
    if (is_gap(table, i)) cli_text_append_string(&table->line, "│ … ");
    if (!table->columns[i].is_hidden) {
      draw_cell(table, i, cli_text_string(&row->text) + start, row->ends[i] - start, row->nulls[i]);
    }
    start = row->ends[i];
  }
  cli_text_append_string(&table->line, "│");
  flush_line(table);
}

static void draw_heads(struct table_writer *table) {
  for (int line = 0; line < 2; ++line) {
    for (size_t i = 0; i < table->base.type->child_count; ++i) {
      const char *name = table->base.type->children[i].name;
      const char *word = cli_text_string(&table->columns[i].word);
      const char *text = line == 0 ? name : word;
      if (is_gap(table, i)) cli_text_append_string(&table->line, "│ … ");
      if (!table->columns[i].is_hidden) draw_cell(table, i, text, strlen(text), line == 1);
    }
    cli_text_append_string(&table->line, "│");
    flush_line(table);
  }
}

static void draw_top(struct table_writer *table) {
  for (size_t i = 0; i < table->row_count; ++i) measure(table, &table->rows[i]);
  fit(table);
  draw_border(table, "┌", "┬", "┐");
  if (table->base.options.no_header) return;
  draw_heads(table);
  draw_border(table, "├", "┼", "┤");
}

static void start_streaming(struct table_writer *table) {
  if (table->is_streaming) return;
  draw_top(table);
  for (size_t i = 0; i < table->row_count; ++i) draw_row(table, &table->rows[i]);
  table->is_streaming = true;
}

static void add_row(struct cli_writer *base, const struct ArrowArrayView *rows, int64_t index) {
  struct table_writer *table = (struct table_writer *)base;
  size_t kept = base->options.rows_max > 0 ? table->head + table->tail : ROWS_KEPT_MAX;
  if (table->row_count < kept && !table->is_streaming) {
    fill(table, new_row(table), rows, index);
    return;
  }
  if (base->options.rows_max > 0) {
    if (table->tail == 0) return;
    size_t at = table->head + (size_t)(base->row_count - (int64_t)table->head) % table->tail;
    fill(table, &table->rows[at], rows, index);
    return;
  }
  start_streaming(table);
  fill(table, &table->loose, rows, index);
  draw_row(table, &table->loose);
}

/* Whoever waits for rows sees the first ones soon. */
static void pause_rows(struct cli_writer *base) {
  struct table_writer *table = (struct table_writer *)base;
  if (table->row_count == 0 || base->options.rows_max > 0) return;
  double now_ms = cli_now_ms();
  if (table->started_ms == 0) table->started_ms = now_ms;
  if (now_ms - table->started_ms > KEPT_MS_MAX) start_streaming(table);
}

static void draw_ellipsis(struct table_writer *table) {
  for (size_t i = 0; i < table->base.type->child_count; ++i) {
    if (is_gap(table, i)) cli_text_append_string(&table->line, "│ … ");
    if (!table->columns[i].is_hidden) draw_cell(table, i, "…", strlen("…"), true);
  }
  cli_text_append_string(&table->line, "│");
  flush_line(table);
}

static void draw_kept(struct table_writer *table) {
  size_t total = (size_t)table->base.row_count;
  bool is_cut = total > table->row_count;
  for (size_t i = 0; i < table->row_count; ++i) {
    size_t at = i;
    if (is_cut && i >= table->head) {
      at = table->head + (total - table->head + (i - table->head)) % table->tail;
    }
    if (is_cut && i == table->head) draw_ellipsis(table);
    draw_row(table, &table->rows[at]);
  }
  if (is_cut && table->tail == 0) draw_ellipsis(table);
}

static void draw_note(struct table_writer *table) {
  int64_t rows = table->base.row_count;
  size_t columns = table->base.type->child_count;
  bool is_cut = !table->is_streaming && (size_t)rows > table->row_count;
  cli_text_append_char(&table->line, '(');
  cli_append_grouped(&table->line, rows);
  cli_text_append_string(&table->line, rows == 1 ? " row" : " rows");
  if (is_cut) {
    cli_text_append_string(&table->line, ", ");
    cli_append_grouped(&table->line, (int64_t)table->row_count);
    cli_text_append_string(&table->line, " shown");
    const char *hint = table->base.options.all_hint;
    if (hint != NULL) cli_text_append_format(&table->line, "; %s", hint);
  }
  if (table->hidden > 0) {
    cli_text_append_format(&table->line, "; %zu of %zu columns shown", columns - table->hidden,
                           columns);
  }
  cli_text_append_char(&table->line, ')');
  flush_line(table);
}

static void end(struct cli_writer *base) {
  struct table_writer *table = (struct table_writer *)base;
  if (!table->is_streaming) {
    draw_top(table);
    draw_kept(table);
  }
  draw_border(table, "└", "┴", "┘");
  if (!base->options.no_header) draw_note(table);
}

struct cli_writer *cli_writer_create_table(void) {
  static const struct cli_writer_class class = {begin, add_row, pause_rows, end, destroy};
  struct table_writer *table = cli_allocate(1, sizeof *table);
  table->base.class = &class;
  return &table->base;
}
