/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrow batches as text, over nanoarrow's array views.
 */
#include "testing/arrow_text.h"

#include "arrow/stream.h"

#include <inttypes.h>

/* Damaged batches may promise any number of rows of nothing. */
enum { TEXT_BYTES_MAX = 64 * 1024 * 1024 };

static void append_value(struct ap_buffer *out, const struct ArrowSchema *schema,
                         const struct ArrowArrayView *view, int64_t row);

bool ap_arrow_append_rows(struct ap_buffer *out, const struct ArrowSchema *schema,
                          const struct ArrowArray *array) {
  struct ArrowArrayView view;
  struct ArrowError error = {{0}};
  ArrowArrayViewInitFromType(&view, NANOARROW_TYPE_UNINITIALIZED);
  ArrowErrorCode code = ArrowArrayViewInitFromSchema(&view, schema, &error);
  if (code == NANOARROW_OK) code = ArrowArrayViewSetArray(&view, array, &error);
  if (code == NANOARROW_OK) {
    code = ArrowArrayViewValidate(&view, NANOARROW_VALIDATION_LEVEL_FULL, &error);
  }
  if (code != NANOARROW_OK) ap_buffer_append_string(out, error.message);
  for (int64_t row = 0; code == NANOARROW_OK && row < array->length && out->size < TEXT_BYTES_MAX;
       row++) {
    append_value(out, schema, &view, row);
    ap_buffer_append_string(out, "\n");
  }
  ArrowArrayViewReset(&view);
  return code == NANOARROW_OK;
}

ap_status ap_arrow_append_stream(struct ap_buffer *out, struct ArrowArrayStream *stream,
                                 ap_error *err) {
  struct ArrowSchema schema = {0};
  ap_status status = ap_stream_schema(stream, &schema, err);
  while (status == AP_OK) {
    struct ArrowArray array = {0};
    status = ap_stream_next(stream, &array, err);
    if (status != AP_OK || array.release == NULL) break;
    if (!ap_arrow_append_rows(out, &schema, &array)) {
      status = AP_FAIL(err, AP_INTERNAL, "a broken array: %s", out->data);
    }
    ap_array_release(&array);
  }
  ap_schema_release(&schema);
  ap_stream_release(stream);
  return status;
}

static void append_elements(struct ap_buffer *out, const struct ArrowSchema *schema,
                            const struct ArrowArrayView *view, int64_t row) {
  int64_t at = view->offset + row;
  int64_t start = 0;
  int64_t end = 0;
  switch (view->storage_type) {
    case NANOARROW_TYPE_FIXED_SIZE_LIST:
      start = at * view->layout.child_size_elements;
      end = start + view->layout.child_size_elements;
      break;
    case NANOARROW_TYPE_LIST_VIEW:
      start = ArrowArrayViewListChildOffset(view, at);
      end = start + view->buffer_views[2].data.as_int32[at];
      break;
    case NANOARROW_TYPE_LARGE_LIST_VIEW:
      start = ArrowArrayViewListChildOffset(view, at);
      end = start + view->buffer_views[2].data.as_int64[at];
      break;
    default:
      start = ArrowArrayViewListChildOffset(view, at);
      end = ArrowArrayViewListChildOffset(view, at + 1);
      break;
  }
  ap_buffer_append_string(out, "[");
  for (int64_t i = start; i < end && out->size < TEXT_BYTES_MAX; i++) {
    if (i > start) ap_buffer_append_string(out, ",");
    append_value(out, schema->children[0], view->children[0], i);
  }
  ap_buffer_append_string(out, "]");
}

static void append_fields(struct ap_buffer *out, const struct ArrowSchema *schema,
                          const struct ArrowArrayView *view, int64_t row) {
  ap_buffer_append_string(out, "{");
  for (int64_t i = 0; i < view->n_children; i++) {
    if (i > 0) ap_buffer_append_string(out, ",");
    ap_buffer_append_string(out, schema->children[i]->name);
    ap_buffer_append_string(out, ":");
    append_value(out, schema->children[i], view->children[i], view->offset + row);
  }
  ap_buffer_append_string(out, "}");
}

static void append_bytes(struct ap_buffer *out, const struct ArrowArrayView *view, int64_t row) {
  struct ArrowBufferView bytes = ArrowArrayViewGetBytesUnsafe(view, row);
  ap_buffer_append_string(out, "x'");
  for (int64_t i = 0; i < bytes.size_bytes; i++) {
    ap_buffer_append_format(out, "%02x", bytes.data.as_uint8[i]);
  }
  ap_buffer_append_string(out, "'");
}

static void append_text(struct ap_buffer *out, const struct ArrowArrayView *view, int64_t row) {
  struct ArrowStringView text = ArrowArrayViewGetStringUnsafe(view, row);
  ap_buffer_append_string(out, "'");
  ap_buffer_append(out, text.data, (size_t)text.size_bytes);
  ap_buffer_append_string(out, "'");
}

static void append_decimal(struct ap_buffer *out, const struct ArrowSchema *schema,
                           const struct ArrowArrayView *view, int64_t row) {
  struct ArrowSchemaView schema_view;
  struct ArrowDecimal decimal;
  struct ArrowBuffer digits;
  if (ArrowSchemaViewInit(&schema_view, schema, NULL) != NANOARROW_OK) return;
  ArrowDecimalInit(&decimal, schema_view.decimal_bitwidth, schema_view.decimal_precision,
                   schema_view.decimal_scale);
  ArrowArrayViewGetDecimalUnsafe(view, row, &decimal);
  ArrowBufferInit(&digits);
  if (ArrowDecimalAppendDigitsToBuffer(&decimal, &digits) == NANOARROW_OK) {
    ap_buffer_append(out, digits.data, (size_t)digits.size_bytes);
  }
  ArrowBufferReset(&digits);
}

static void append_value(struct ap_buffer *out, const struct ArrowSchema *schema,
                         const struct ArrowArrayView *view, int64_t row) {
  if (ArrowArrayViewIsNull(view, row)) {
    ap_buffer_append_string(out, "null");
    return;
  }
  if (schema->dictionary != NULL) {
    int64_t index = ArrowArrayViewGetIntUnsafe(view, row);
    append_value(out, schema->dictionary, view->dictionary, index);
    return;
  }
  switch (view->storage_type) {
    case NANOARROW_TYPE_BOOL:
      ap_buffer_append_string(out, ArrowArrayViewGetIntUnsafe(view, row) ? "true" : "false");
      break;
    case NANOARROW_TYPE_UINT64:
      ap_buffer_append_format(out, "%" PRIu64, ArrowArrayViewGetUIntUnsafe(view, row));
      break;
    case NANOARROW_TYPE_HALF_FLOAT:
    case NANOARROW_TYPE_FLOAT:
    case NANOARROW_TYPE_DOUBLE:
      ap_buffer_append_format(out, "%.17g", ArrowArrayViewGetDoubleUnsafe(view, row));
      break;
    case NANOARROW_TYPE_DECIMAL32:
    case NANOARROW_TYPE_DECIMAL64:
    case NANOARROW_TYPE_DECIMAL128:
    case NANOARROW_TYPE_DECIMAL256:
      append_decimal(out, schema, view, row);
      break;
    case NANOARROW_TYPE_STRING:
    case NANOARROW_TYPE_LARGE_STRING:
    case NANOARROW_TYPE_STRING_VIEW:
      append_text(out, view, row);
      break;
    case NANOARROW_TYPE_BINARY:
    case NANOARROW_TYPE_LARGE_BINARY:
    case NANOARROW_TYPE_BINARY_VIEW:
    case NANOARROW_TYPE_FIXED_SIZE_BINARY:
      append_bytes(out, view, row);
      break;
    case NANOARROW_TYPE_LIST:
    case NANOARROW_TYPE_LARGE_LIST:
    case NANOARROW_TYPE_LIST_VIEW:
    case NANOARROW_TYPE_LARGE_LIST_VIEW:
    case NANOARROW_TYPE_FIXED_SIZE_LIST:
    case NANOARROW_TYPE_MAP:
      append_elements(out, schema, view, row);
      break;
    case NANOARROW_TYPE_STRUCT:
      append_fields(out, schema, view, row);
      break;
    default:
      ap_buffer_append_format(out, "%" PRId64, ArrowArrayViewGetIntUnsafe(view, row));
      break;
  }
}
