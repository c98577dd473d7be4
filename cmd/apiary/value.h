/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of Arrow arrays as text.
 *
 * Every type of the Arrow format has a form. Nested values are JSON in every notation. In JSON,
 * numbers are written with all their digits, NaN and the infinities are null, and what has no JSON
 * form (dates, binary, ...) is a string. Does no I/O; a type may be used by one thread at a time.
 */
#ifndef CLI_VALUE_H
#define CLI_VALUE_H

#include "text.h"

#include <apiary/arrow.h>

#include <nanoarrow/nanoarrow.h>

/* What a schema says, parsed once. */
struct cli_type {
  char *name;
  enum ArrowType kind;
  enum ArrowTimeUnit unit;
  bool has_zone;
  bool nullable;
  int32_t precision;
  int32_t scale;
  int32_t fixed_size;
  size_t child_count;
  struct cli_type *children;
  struct cli_type *dictionary; /* NULL: values stand in the array itself */
  struct cli_text scratch;
};

/* The type of a stream's rows: a struct of its columns. False with a message for a schema that
 * cannot be read. cli_type_deinit accepts a zeroed one. */
bool cli_type_init(struct cli_type *type, const struct ArrowSchema *schema,
                   struct ArrowError *error);
void cli_type_deinit(struct cli_type *type);

/* "int64", "decimal(10,2)", "list<string>". */
void cli_type_append_word(const struct cli_type *type, struct cli_text *text);
/* Whether columns of the type are aligned to the right. */
bool cli_type_is_number(const struct cli_type *type);

enum cli_notation {
  CLI_PLAIN, /* a null is "" */
  CLI_JSON,
};

bool cli_value_is_null(const struct cli_type *type, const struct ArrowArrayView *view,
                       int64_t index);
void cli_value_append(struct cli_type *type, const struct ArrowArrayView *view, int64_t index,
                      enum cli_notation notation, struct cli_text *text);

/* A string in quotes; bytes that are not UTF-8 become U+FFFD. */
void cli_json_append_string(struct cli_text *text, const char *data, size_t size);

/* The view of child i of a struct's row: where it is, and at which index. */
static inline int64_t cli_row_index(const struct ArrowArrayView *rows, int64_t row) {
  return rows->offset + row;
}

#endif
