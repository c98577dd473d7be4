/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows appended value by value, by nanoarrow's builder.
 *
 * One thread. Running out of memory is remembered and told by ap_rows_finish.
 */
#include "arrow/rows.h"

#include "arrow/stream.h"
#include "base/assert.h"

#include <string.h>

static enum ArrowType type_of(enum ap_rows_kind kind) {
  switch (kind) {
    case AP_ROWS_TEXT:
      return NANOARROW_TYPE_STRING;
    case AP_ROWS_I64:
      return NANOARROW_TYPE_INT64;
    case AP_ROWS_F64:
      return NANOARROW_TYPE_DOUBLE;
    case AP_ROWS_BOOL:
      return NANOARROW_TYPE_BOOL;
  }
  return NANOARROW_TYPE_UNINITIALIZED;
}

ap_status ap_rows_init(struct ap_rows *rows, const struct ap_rows_column *columns,
                       uint32_t column_count, ap_error *err) {
  memset(rows, 0, sizeof(*rows));
  AP_ASSERT(column_count > 0);
  ArrowSchemaInit(&rows->schema);
  rows->column_count = column_count;
  ArrowErrorCode code = ArrowSchemaSetTypeStruct(&rows->schema, column_count);
  rows->schema.flags = 0;
  for (uint32_t i = 0; code == NANOARROW_OK && i < column_count; i++) {
    code = ArrowSchemaSetType(rows->schema.children[i], type_of(columns[i].kind));
    if (code != NANOARROW_OK) break;
    code = ArrowSchemaSetName(rows->schema.children[i], columns[i].name);
  }
  if (code == NANOARROW_OK) code = ArrowArrayInitFromSchema(&rows->array, &rows->schema, NULL);
  if (code == NANOARROW_OK) code = ArrowArrayStartAppending(&rows->array);
  if (code == NANOARROW_OK) return AP_OK;
  ap_rows_deinit(rows);
  return AP_FAIL_MEMORY(err);
}

void ap_rows_deinit(struct ap_rows *rows) {
  ap_array_release(&rows->array);
  ap_schema_release(&rows->schema);
  memset(rows, 0, sizeof(*rows));
}

/* The column whose turn it is; its kind is asserted unless any will do. */
static struct ArrowArray *turn(struct ap_rows *rows, const char *format) {
  AP_ASSERT(rows->array.release != NULL && rows->next_column < rows->column_count);
  const struct ArrowSchema *schema = rows->schema.children[rows->next_column];
  AP_ASSERT(format == NULL || strcmp(schema->format, format) == 0);
  return rows->array.children[rows->next_column];
}

static void done(struct ap_rows *rows, ArrowErrorCode code) {
  if (code != NANOARROW_OK) rows->failed = true;
  if (++rows->next_column < rows->column_count) return;
  rows->next_column = 0;
  if (!rows->failed && ArrowArrayFinishElement(&rows->array) != NANOARROW_OK) rows->failed = true;
}

void ap_rows_text(struct ap_rows *rows, struct ap_text value) {
  struct ArrowArray *column = turn(rows, "u");
  struct ArrowStringView view = {value.data == NULL ? "" : value.data, (int64_t)value.size};
  done(rows, ArrowArrayAppendString(column, view));
}

void ap_rows_i64(struct ap_rows *rows, int64_t value) {
  done(rows, ArrowArrayAppendInt(turn(rows, "l"), value));
}

void ap_rows_f64(struct ap_rows *rows, double value) {
  done(rows, ArrowArrayAppendDouble(turn(rows, "g"), value));
}

void ap_rows_bool(struct ap_rows *rows, bool value) {
  done(rows, ArrowArrayAppendInt(turn(rows, "b"), value ? 1 : 0));
}

void ap_rows_null(struct ap_rows *rows) {
  done(rows, ArrowArrayAppendNull(turn(rows, NULL), 1));
}

ap_status ap_rows_finish(struct ap_rows *rows, struct ArrowArrayStream *out, ap_error *err) {
  AP_ASSERT(rows->next_column == 0);
  ap_status status = AP_OK;
  if (rows->failed || ArrowArrayFinishBuildingDefault(&rows->array, NULL) != NANOARROW_OK) {
    status = AP_FAIL_MEMORY(err);
  }
  if (status == AP_OK) status = ap_stream_of_one(&rows->schema, &rows->array, out, err);
  ap_rows_deinit(rows);
  return status;
}
