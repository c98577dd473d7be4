/* SPDX-License-Identifier: Apache-2.0
 *
 * Small answers built row by row (SHOW, DESCRIBE, status): a table of text, integer, double and
 * boolean columns that becomes an Arrow stream of one batch. Not a data path.
 */
#ifndef AP_ARROW_ROWS_H
#define AP_ARROW_ROWS_H

#include "base/text.h"

#include <nanoarrow/nanoarrow.h>

enum ap_rows_kind {
  AP_ROWS_TEXT,
  AP_ROWS_I64,
  AP_ROWS_F64,
  AP_ROWS_BOOL,
};

struct ap_rows_column {
  const char *name;
  enum ap_rows_kind kind;
};

struct ap_rows {
  struct ArrowSchema schema;
  struct ArrowArray array;
  uint32_t column_count;
  uint32_t next_column;
  bool failed; /* out of memory; reported by finish */
};

AP_MUST_CHECK ap_status ap_rows_init(struct ap_rows *rows, const struct ap_rows_column *columns,
                                     uint32_t column_count, ap_error *err);
void ap_rows_deinit(struct ap_rows *rows); /* idempotent; accepts zeroed memory */
/* One value for the next column; a row is complete when every column has its value. The kind is
 * asserted. */
void ap_rows_text(struct ap_rows *rows, struct ap_text value);
void ap_rows_i64(struct ap_rows *rows, int64_t value);
void ap_rows_f64(struct ap_rows *rows, double value);
void ap_rows_bool(struct ap_rows *rows, bool value);
void ap_rows_null(struct ap_rows *rows);
/* Moves the rows into a stream of one batch; rows is empty afterwards. */
AP_MUST_CHECK ap_status ap_rows_finish(struct ap_rows *rows, struct ArrowArrayStream *out,
                                       ap_error *err);

#endif
