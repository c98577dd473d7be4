/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies arrays into their plain form, by gathering rows.
 *
 * The input was validated: offsets and indices are trusted here. Not for hot paths. Safe from any
 * thread.
 */
#include "arrow/plain.h"

#include "arrow/array.h"
#include "arrow/layout.h"
#include "base/assert.h"
#include "base/limits.h"

#include <string.h>

/* Elements that the lists of one column and batch may unfold to (2 GiB of row numbers). */
#define ELEMENTS_MAX ((int64_t)256 * 1024 * 1024)

/* Which rows of a node to take: rows[i], -1 for a null, or start + i when rows is NULL. Rows count
 * from the array's own offset. */
struct pick {
  const int64_t *rows;
  int64_t start;
  int64_t count;
};

struct node {
  const struct ArrowSchema *schema;
  const struct ArrowArray *array;
  struct ap_layout layout;
  struct pick pick;
  ap_error *err;
};

static ap_status copy_array(const struct ArrowSchema *schema, const struct ArrowArray *array,
                            struct pick pick, struct ArrowArray *out, ap_error *err);
static ap_status copy_schema(const struct ArrowSchema *schema, struct ArrowSchema *out,
                             uint32_t depth, ap_error *err);

static const char *plain_format(const char *format) {
  static const char *const twins[][2] = {
      {"vu", "u"},
      {"vz", "z"},
      {"+vl", "+l"},
      {"+vL", "+L"},
  };
  for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
    if (strcmp(format, twins[i][0]) == 0) return twins[i][1];
  }
  return format;
}

ap_status ap_schema_plain(const struct ArrowSchema *schema, struct ArrowSchema *out,
                          ap_error *err) {
  struct ArrowSchema made;
  ArrowSchemaInit(&made);
  ap_status status = copy_schema(schema, &made, 0, err);
  if (status != AP_OK) {
    made.release(&made);
    return status;
  }
  *out = made;
  return AP_OK;
}

static ap_status copy_schema(const struct ArrowSchema *schema, struct ArrowSchema *out,
                             uint32_t depth, ap_error *err) {
  struct ap_layout layout = {0};
  AP_TRY(ap_layout_of(schema, &layout, err));
  const struct ArrowSchema *value = schema;
  for (; value->dictionary != NULL && depth <= AP_TYPE_DEPTH_MAX; depth++) {
    value = value->dictionary;
    AP_TRY(ap_layout_of(value, &layout, err));
  }
  if (depth > AP_TYPE_DEPTH_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "column '%s' nests deeper than %d",
                   ap_layout_name(schema), AP_TYPE_DEPTH_MAX);
  }
  if (ArrowSchemaSetFormat(out, plain_format(value->format)) != NANOARROW_OK ||
      ArrowSchemaSetName(out, ap_layout_name(schema)) != NANOARROW_OK ||
      ArrowSchemaSetMetadata(out, schema->metadata) != NANOARROW_OK ||
      ArrowSchemaAllocateChildren(out, value->n_children) != NANOARROW_OK) {
    return AP_FAIL_MEMORY(err);
  }
  out->flags = (schema->flags & ARROW_FLAG_NULLABLE) | (value->flags & ARROW_FLAG_MAP_KEYS_SORTED);
  for (int64_t i = 0; i < value->n_children; i++) {
    ArrowSchemaInit(out->children[i]);
    AP_TRY(copy_schema(value->children[i], out->children[i], depth + 1, err));
  }
  if (layout.is_map) {
    out->children[0]->flags &= ~(int64_t)ARROW_FLAG_NULLABLE;
    out->children[0]->children[0]->flags &= ~(int64_t)ARROW_FLAG_NULLABLE;
  }
  return AP_OK;
}

bool ap_array_is_plain(const struct ArrowSchema *schema, const struct ArrowArray *array) {
  struct ap_layout layout = {0};
  if (ap_layout_of(schema, &layout, NULL) != AP_OK) return false;
  if (array->offset != 0 || array->dictionary != NULL || layout.kind == AP_LAYOUT_VIEWS ||
      layout.kind == AP_LAYOUT_LIST_VIEW || array->n_buffers != layout.buffer_count) {
    return false;
  }
  /* "Uncounted, and no validity" means no nulls, which nanoarrow's views refuse to believe. */
  if (array->null_count < 0 && array->n_buffers > 0 && array->buffers[0] == NULL) return false;
  int64_t expected = layout.kind == AP_LAYOUT_STRUCT ? array->length : -1;
  if (layout.kind == AP_LAYOUT_FIXED_LIST) expected = array->length * layout.list_size;
  for (int64_t i = 0; i < array->n_children; i++) {
    const struct ArrowArray *child = array->children[i];
    if (expected >= 0 && child->length != expected) return false;
    if (!ap_array_is_plain(schema->children[i], child)) return false;
  }
  return true;
}

ap_status ap_array_plain(const struct ArrowSchema *schema, const struct ArrowArray *array,
                         struct ArrowArray *out, ap_error *err) {
  struct pick all = {NULL, 0, array->length};
  return copy_array(schema, array, all, out, err);
}

static bool is_valid(const struct node *node, int64_t row) {
  if (row < 0) return false;
  if (node->layout.kind == AP_LAYOUT_NULL) return false;
  const uint8_t *bits = node->array->buffers[0];
  int64_t at = node->array->offset + row;
  return bits == NULL || ((bits[at / 8] >> (at % 8)) & 1) != 0;
}

/* The i-th row to take, -1 for a null. */
static int64_t row_at(const struct node *node, int64_t i) {
  int64_t row = node->pick.rows == NULL ? node->pick.start + i : node->pick.rows[i];
  return is_valid(node, row) ? row : -1;
}

static ap_status reserve(const struct node *node, struct ArrowBuffer *buffer, int64_t count,
                         int64_t width) {
  int64_t bytes = 0;
  if (__builtin_mul_overflow(count, width, &bytes) ||
      ArrowBufferResize(buffer, bytes, 0) != NANOARROW_OK) {
    return AP_FAIL_MEMORY(node->err);
  }
  if (bytes > 0) memset(buffer->data, 0, (size_t)bytes);
  return AP_OK;
}

static ap_status copy_validity(const struct node *node, struct ArrowArray *out) {
  int64_t count = node->pick.count;
  int64_t nulls = 0;
  for (int64_t i = 0; i < count; i++) nulls += row_at(node, i) < 0;
  out->null_count = nulls;
  if (nulls == 0) return AP_OK;
  struct ArrowBuffer *bits = ap_array_buffer(out, 0);
  AP_TRY(reserve(node, bits, count / 8 + 1, 1));
  for (int64_t i = 0; i < count; i++) {
    if (row_at(node, i) >= 0) bits->data[i / 8] |= (uint8_t)(1u << (i % 8));
  }
  return AP_OK;
}

static ap_status copy_bits(const struct node *node, struct ArrowArray *out) {
  const uint8_t *from = node->array->buffers[1];
  struct ArrowBuffer *bits = ap_array_buffer(out, 1);
  AP_TRY(reserve(node, bits, node->pick.count / 8 + 1, 1));
  for (int64_t i = 0; i < node->pick.count; i++) {
    int64_t row = row_at(node, i);
    if (row < 0) continue;
    int64_t at = node->array->offset + row;
    if (((from[at / 8] >> (at % 8)) & 1) != 0) bits->data[i / 8] |= (uint8_t)(1u << (i % 8));
  }
  return AP_OK;
}

static ap_status copy_fixed(const struct node *node, struct ArrowArray *out) {
  int64_t width = node->layout.width_bytes;
  const char *from = node->array->buffers[1];
  struct ArrowBuffer *values = ap_array_buffer(out, 1);
  AP_TRY(reserve(node, values, node->pick.count, width));
  for (int64_t i = 0; i < node->pick.count; i++) {
    int64_t row = row_at(node, i);
    if (row < 0) continue;
    memcpy(values->data + i * width, from + (node->array->offset + row) * width, (size_t)width);
  }
  return AP_OK;
}

static int64_t load(const void *buffer, int64_t at, bool is_large) {
  int64_t large = 0;
  int32_t small = 0;
  if (is_large) {
    memcpy(&large, (const char *)buffer + at * 8, sizeof(large));
    return large;
  }
  memcpy(&small, (const char *)buffer + at * 4, sizeof(small));
  return small;
}

/* Where a row's bytes or elements begin and how many there are; nothing for nulls. */
static int64_t span_of(const struct node *node, int64_t row, int64_t *out_start) {
  *out_start = 0;
  if (row < 0) return 0;
  bool large = node->layout.is_large;
  int64_t at = node->array->offset + row;
  *out_start = load(node->array->buffers[1], at, large);
  if (node->layout.kind == AP_LAYOUT_LIST_VIEW) return load(node->array->buffers[2], at, large);
  return load(node->array->buffers[1], at + 1, large) - *out_start;
}

static struct ap_text bytes_of(const struct node *node, int64_t row) {
  int64_t start = 0;
  if (row < 0) return (struct ap_text){NULL, 0};
  if (node->layout.kind == AP_LAYOUT_BYTES) {
    int64_t size = span_of(node, row, &start);
    return (struct ap_text){(const char *)node->array->buffers[2] + start, (size_t)size};
  }
  const char *view = (const char *)node->array->buffers[1] + (node->array->offset + row) * 16;
  int64_t size = load(view, 0, false);
  if (size <= 12) return (struct ap_text){view + 4, (size_t)size};
  const char *data = node->array->buffers[2 + load(view, 2, false)];
  return (struct ap_text){data + load(view, 3, false), (size_t)size};
}

/* Append the end of a row to the offsets, 32 or 64 bits wide. */
static ap_status append_offset(const struct node *node, struct ArrowBuffer *offsets, int64_t end) {
  ArrowErrorCode code = NANOARROW_OK;
  if (node->layout.is_large) {
    code = ArrowBufferAppendInt64(offsets, end);
  } else if (end <= INT32_MAX) {
    code = ArrowBufferAppendInt32(offsets, (int32_t)end);
  } else {
    ap_status status = AP_FAIL(node->err, AP_UNSUPPORTED,
                               "column '%s' holds more than its 32-bit offsets reach in one batch",
                               ap_layout_name(node->schema));
    ap_error_hint(node->err, "send smaller batches");
    return status;
  }
  return code == NANOARROW_OK ? AP_OK : AP_FAIL_MEMORY(node->err);
}

static ap_status copy_bytes(const struct node *node, struct ArrowArray *out) {
  struct ArrowBuffer *offsets = ap_array_buffer(out, 1);
  struct ArrowBuffer *data = ap_array_buffer(out, 2);
  AP_TRY(append_offset(node, offsets, 0));
  for (int64_t i = 0; i < node->pick.count; i++) {
    struct ap_text bytes = bytes_of(node, row_at(node, i));
    if (bytes.size > 0 &&
        ArrowBufferAppend(data, bytes.data, (int64_t)bytes.size) != NANOARROW_OK) {
      return AP_FAIL_MEMORY(node->err);
    }
    AP_TRY(append_offset(node, offsets, data->size_bytes));
  }
  return AP_OK;
}

/* Rows of a child, in memory that the caller frees. */
static ap_status make_rows(const struct node *node, int64_t count, int64_t **out_rows) {
  size_t bytes = 0;
  *out_rows = NULL;
  if (__builtin_mul_overflow((size_t)count, sizeof(int64_t), &bytes)) {
    return AP_FAIL_MEMORY(node->err);
  }
  *out_rows = ap_allocate(ap_allocator_system(), bytes);
  return *out_rows == NULL ? AP_FAIL_MEMORY(node->err) : AP_OK;
}

/* Elements of gathered lists: the same ones may be asked for any number of times. */
static ap_status make_elements(const struct node *node, int64_t count, int64_t **out_rows) {
  if (count <= ELEMENTS_MAX) return make_rows(node, count, out_rows);
  *out_rows = NULL;
  ap_status status =
      AP_FAIL(node->err, AP_UNSUPPORTED, "column '%s' unfolds to %lld list elements in one batch",
              ap_layout_name(node->schema), (long long)count);
  ap_error_hint(node->err, "send smaller batches");
  return status;
}

static ap_status copy_child(const struct node *node, int64_t index, struct pick pick,
                            struct ArrowArray *out) {
  return copy_array(node->schema->children[index], node->array->children[index], pick,
                    out->children[index], node->err);
}

/* Neighbouring lists with offsets have neighbouring elements; those of nulls come along. */
static ap_status copy_neighbours(const struct node *node, struct ArrowArray *out) {
  struct ArrowBuffer *offsets = ap_array_buffer(out, 1);
  const void *from = node->array->buffers[1];
  int64_t at = node->array->offset + node->pick.start;
  int64_t count = node->pick.count;
  if (count == 0) {
    AP_TRY(append_offset(node, offsets, 0));
    return copy_child(node, 0, (struct pick){NULL, 0, 0}, out);
  }
  int64_t first = load(from, at, node->layout.is_large);
  int64_t last = first;
  for (int64_t i = 0; i <= count; i++) {
    last = load(from, at + i, node->layout.is_large);
    AP_TRY(append_offset(node, offsets, last - first));
  }
  return copy_child(node, 0, (struct pick){NULL, first, last - first}, out);
}

static ap_status copy_list(const struct node *node, struct ArrowArray *out) {
  struct ArrowBuffer *offsets = ap_array_buffer(out, 1);
  int64_t total = 0;
  int64_t start = 0;
  int64_t *rows = NULL;
  if (node->pick.rows == NULL && node->layout.kind == AP_LAYOUT_LIST) {
    return copy_neighbours(node, out);
  }
  AP_TRY(append_offset(node, offsets, 0));
  for (int64_t i = 0; i < node->pick.count; i++) {
    /* Views may lie upon each other: the sum may outgrow anything. */
    if (__builtin_add_overflow(total, span_of(node, row_at(node, i), &start), &total)) {
      return AP_FAIL_MEMORY(node->err);
    }
    AP_TRY(append_offset(node, offsets, total));
  }
  AP_TRY(make_elements(node, total, &rows));
  int64_t next = 0;
  for (int64_t i = 0; i < node->pick.count; i++) {
    int64_t size = span_of(node, row_at(node, i), &start);
    for (int64_t j = 0; j < size; j++) rows[next++] = start + j;
  }
  AP_ASSERT(next == total);
  ap_status status = copy_child(node, 0, (struct pick){rows, 0, total}, out);
  ap_free(ap_allocator_system(), rows);
  return status;
}

/* As with structs, the elements of a null keep what they have: they need not be nullable. */
static ap_status copy_fixed_list(const struct node *node, struct ArrowArray *out) {
  int64_t size = node->layout.list_size;
  int64_t total = 0;
  int64_t *rows = NULL;
  if (__builtin_mul_overflow(node->pick.count, size, &total)) return AP_FAIL_MEMORY(node->err);
  if (node->pick.rows == NULL) {
    int64_t start = (node->array->offset + node->pick.start) * size; /* validated not to overflow */
    return copy_child(node, 0, (struct pick){NULL, start, total}, out);
  }
  AP_TRY(make_elements(node, total, &rows));
  for (int64_t i = 0; i < node->pick.count; i++) {
    int64_t row = node->pick.rows[i];
    for (int64_t j = 0; j < size; j++) {
      rows[i * size + j] = row < 0 ? -1 : (node->array->offset + row) * size + j;
    }
  }
  ap_status status = copy_child(node, 0, (struct pick){rows, 0, total}, out);
  ap_free(ap_allocator_system(), rows);
  return status;
}

/* A field of a null struct keeps what it has: it need not be nullable. */
static ap_status copy_struct(const struct node *node, struct ArrowArray *out) {
  struct pick pick = {NULL, node->array->offset + node->pick.start, node->pick.count};
  int64_t *rows = NULL;
  if (node->pick.rows != NULL) {
    AP_TRY(make_rows(node, node->pick.count, &rows));
    for (int64_t i = 0; i < node->pick.count; i++) {
      int64_t row = node->pick.rows[i];
      rows[i] = row < 0 ? -1 : node->array->offset + row;
    }
    pick = (struct pick){rows, 0, node->pick.count};
  }
  ap_status status = AP_OK;
  for (int64_t i = 0; status == AP_OK && i < node->array->n_children; i++) {
    status = copy_child(node, i, pick, out);
  }
  ap_free(ap_allocator_system(), rows);
  return status;
}

static int64_t load_index(const struct node *node, int64_t row) {
  int64_t width = node->layout.width_bytes;
  uint64_t bits = 0;
  memcpy(&bits, (const char *)node->array->buffers[1] + (node->array->offset + row) * width,
         (size_t)width);
  int64_t unused_bits = 64 - width * 8;
  if (!node->layout.is_signed) return (int64_t)bits;
  return (int64_t)(bits << unused_bits) >> unused_bits;
}

/* The values behind the indices. */
static ap_status copy_decoded(const struct node *node, struct ArrowArray *out) {
  int64_t *rows = NULL;
  AP_TRY(make_rows(node, node->pick.count, &rows));
  for (int64_t i = 0; i < node->pick.count; i++) {
    int64_t row = row_at(node, i);
    rows[i] = row < 0 ? -1 : load_index(node, row);
  }
  ap_status status = copy_array(node->schema->dictionary, node->array->dictionary,
                                (struct pick){rows, 0, node->pick.count}, out, node->err);
  ap_free(ap_allocator_system(), rows);
  return status;
}

static ap_status copy_parts(const struct node *node, struct ArrowArray *out) {
  if (node->layout.kind == AP_LAYOUT_NULL) {
    out->null_count = node->pick.count;
    return AP_OK;
  }
  AP_TRY(copy_validity(node, out));
  switch (node->layout.kind) {
    case AP_LAYOUT_NULL:
      return AP_OK;
    case AP_LAYOUT_BITS:
      return copy_bits(node, out);
    case AP_LAYOUT_FIXED:
      return copy_fixed(node, out);
    case AP_LAYOUT_BYTES:
    case AP_LAYOUT_VIEWS:
      return copy_bytes(node, out);
    case AP_LAYOUT_LIST:
    case AP_LAYOUT_LIST_VIEW:
      return copy_list(node, out);
    case AP_LAYOUT_FIXED_LIST:
      return copy_fixed_list(node, out);
    case AP_LAYOUT_STRUCT:
      return copy_struct(node, out);
  }
  return AP_OK;
}

static ap_status copy_array(const struct ArrowSchema *schema, const struct ArrowArray *array,
                            struct pick pick, struct ArrowArray *out, ap_error *err) {
  struct node node = {.schema = schema, .array = array, .pick = pick, .err = err};
  AP_TRY(ap_layout_of(schema, &node.layout, err));
  if (schema->dictionary != NULL) return copy_decoded(&node, out);
  int64_t buffer_count = node.layout.buffer_count;
  if (node.layout.kind == AP_LAYOUT_LIST_VIEW) buffer_count = 2;
  AP_TRY(ap_array_init(out, buffer_count, array->n_children, false, err));
  out->length = pick.count;
  ap_status status = copy_parts(&node, out);
  if (status != AP_OK) {
    out->release(out);
    return status;
  }
  ap_array_seal(out);
  return AP_OK;
}
