/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows in the formats of people and programs.
 *
 * A writer gets the type of the rows, then each row, then the end; it writes to an output as it
 * goes. Only the table keeps rows, a limited number of them.
 */
#ifndef CLI_WRITER_H
#define CLI_WRITER_H

#include "output.h"
#include "value.h"

#include <stdint.h>

enum cli_format {
  CLI_FORMAT_TABLE,
  CLI_FORMAT_CSV,
  CLI_FORMAT_TSV,
  CLI_FORMAT_JSON,
  CLI_FORMAT_NDJSON,
  CLI_FORMAT_MARKDOWN,
  CLI_FORMAT_LINE,
  CLI_FORMAT_HTML,
  CLI_FORMAT_INSERT,
  CLI_FORMAT_ARROW,
  CLI_FORMAT_PLAIN,  /* the values alone: what a statement says it did */
  CLI_FORMAT_SILENT, /* nothing */
};

/* For messages. */
#define CLI_FORMATS "table, csv, tsv, json, ndjson, markdown, line, html, insert and arrow"

/* False when it is the name of no format that users choose. box and jsonl are other names of table
 * and ndjson. */
bool cli_format_parse(const char *word, enum cli_format *out_format);
const char *cli_format_word(enum cli_format format);

struct cli_writer_options {
  enum cli_format format;
  bool no_header;
  int64_t rows_max; /* table: of more rows, only the first and the last are shown; 0: all */
  size_t columns;   /* table: the width to stay within; 0: any */
  bool color;
  const char *null_text; /* NULL: the format's own; not in JSON and INSERT, which have one */
  const char *name;      /* INSERT: of the frame, as it is written; NULL: "frame" */
  const size_t *widths;  /* table: of the first columns; 0: by what is in them */
  size_t width_count;
  const char *all_hint; /* table: how to be shown all rows */
};

struct cli_writer;
struct cli_writer_class {
  void (*begin)(struct cli_writer *writer);
  void (*row)(struct cli_writer *writer, const struct ArrowArrayView *rows, int64_t row);
  void (*pause)(struct cli_writer *writer); /* between batches; NULL: nothing is kept */
  void (*end)(struct cli_writer *writer);
  void (*destroy)(struct cli_writer *writer);
};

struct cli_writer {
  const struct cli_writer_class *class;
  struct cli_output *output;
  struct cli_type *type;
  struct cli_writer_options options;
  int64_t row_count;
};

/* Not for CLI_FORMAT_ARROW, whose bytes the library makes. Output and type must outlive it. */
struct cli_writer *cli_writer_create(const struct cli_writer_options *options,
                                     struct cli_output *output, struct cli_type *type);
void cli_writer_begin(struct cli_writer *writer);
void cli_writer_batch(struct cli_writer *writer, const struct ArrowArrayView *rows);
void cli_writer_end(struct cli_writer *writer);
void cli_writer_destroy(struct cli_writer *writer);

/* The kinds. */
struct cli_writer *cli_writer_create_csv(void);
struct cli_writer *cli_writer_create_json(bool lines);
struct cli_writer *cli_writer_create_markdown(void);
struct cli_writer *cli_writer_create_plain(void);
struct cli_writer *cli_writer_create_tsv(void);
struct cli_writer *cli_writer_create_line(void);
struct cli_writer *cli_writer_create_html(void);
struct cli_writer *cli_writer_create_insert(void);
struct cli_writer *cli_writer_create_table(void);

#endif
