/* SPDX-License-Identifier: Apache-2.0
 *
 * ap_array_validate: what a hostile or broken producer may hand over is refused before anything
 * reads it.
 *
 * Reads only what lengths and offsets, once checked, allow. Buffers may be misaligned: every read
 * is a copy. Costs one pass over offsets, dictionary indices and text. Safe from any thread.
 */
#include "arrow/stream.h"

#include "arrow/array.h"
#include "arrow/layout.h"
#include "base/limits.h"

#include <string.h>

/* One array under its schema. */
struct node {
  const struct ArrowSchema *schema;
  const struct ArrowArray *array;
  struct ap_layout layout;
  int64_t end; /* offset + length: what buffers must reach */
  const char *column;
  uint32_t depth;
  ap_error *err;
};

static ap_status validate_node(const struct ArrowSchema *schema, const struct ArrowArray *array,
                               const char *column, uint32_t depth, ap_error *err);
static ap_status validate_shape(struct node *node);
static ap_status validate_values(const struct node *node);
static ap_status validate_below(const struct node *node);

ap_status ap_array_validate(const struct ArrowSchema *schema, const struct ArrowArray *array,
                            ap_error *err) {
  struct ap_layout layout = {0};
  AP_TRY(ap_layout_of(schema, &layout, err));
  if (layout.kind != AP_LAYOUT_STRUCT) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "an Arrow batch has format '%s'; a batch is a struct",
                   schema->format);
  }
  return validate_node(schema, array, "", 0, err);
}

static ap_status validate_node(const struct ArrowSchema *schema, const struct ArrowArray *array,
                               const char *column, uint32_t depth, ap_error *err) {
  struct node node = {
      .schema = schema, .array = array, .column = column, .depth = depth, .err = err};
  if (depth > AP_TYPE_DEPTH_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "column '%s' nests deeper than %d", column,
                   AP_TYPE_DEPTH_MAX);
  }
  AP_TRY(ap_layout_of(schema, &node.layout, err));
  AP_TRY(validate_shape(&node));
  AP_TRY(validate_values(&node));
  return validate_below(&node);
}

/* Every refusal: "column 'x': ...". */
#define REFUSE(node, ...) refuse((node), AP_FAIL((node)->err, AP_INVALID_ARGUMENT, __VA_ARGS__))

static ap_status refuse(const struct node *node, ap_status status) {
  if (node->depth == 0) return ap_error_prefix(node->err, status, "an Arrow batch");
  return ap_error_prefix(node->err, status, "column '%s'", node->column);
}

static ap_status check_counts(const struct node *node) {
  const struct ArrowArray *array = node->array;
  const struct ap_layout *layout = &node->layout;
  bool exact = layout->kind != AP_LAYOUT_VIEWS && layout->kind != AP_LAYOUT_NULL;
  /* Old producers give null arrays a buffer; views have any number of data buffers. */
  bool fits = exact ? array->n_buffers == layout->buffer_count
                    : array->n_buffers >= layout->buffer_count && array->n_buffers <= INT32_MAX;
  if (layout->kind == AP_LAYOUT_NULL) fits = fits && array->n_buffers <= 1;
  if (!fits) {
    return REFUSE(node, "the array has %lld buffers, its type %lld", (long long)array->n_buffers,
                  (long long)layout->buffer_count);
  }
  if (array->n_buffers > 0 && array->buffers == NULL) return REFUSE(node, "no buffers are given");
  if (array->n_children != node->schema->n_children) {
    return REFUSE(node, "the array has %lld children, its type %lld", (long long)array->n_children,
                  (long long)node->schema->n_children);
  }
  if (array->n_children > 0 && array->children == NULL) {
    return REFUSE(node, "no children are given");
  }
  if ((array->dictionary != NULL) != (node->schema->dictionary != NULL)) {
    return REFUSE(node, "a dictionary stands in one of array and schema only");
  }
  return AP_OK;
}

/* Buffer `index` must hold `bytes`; NULL goes when nothing is promised. */
static ap_status check_buffer(const struct node *node, int64_t index, int64_t bytes) {
  if (bytes == 0) return AP_OK;
  if (node->array->buffers[index] == NULL) {
    return REFUSE(node, "buffer %lld is missing where %lld bytes are promised", (long long)index,
                  (long long)bytes);
  }
  int64_t size = ap_array_buffer_size(node->array, index);
  if (size >= 0 && size < bytes) {
    return REFUSE(node, "buffer %lld has %lld bytes where %lld are promised", (long long)index,
                  (long long)size, (long long)bytes);
  }
  return AP_OK;
}

/* As check_buffer, for `count` values of `width` bytes. */
static ap_status check_values(const struct node *node, int64_t index, int64_t count,
                              int64_t width) {
  int64_t bytes = 0;
  if (__builtin_mul_overflow(count, width, &bytes)) {
    return REFUSE(node, "%lld values of %lld bytes overflow", (long long)count, (long long)width);
  }
  return check_buffer(node, index, bytes);
}

static int64_t bitmap_bytes(int64_t bits) {
  return bits / 8 + (bits % 8 != 0);
}

static ap_status validate_shape(struct node *node) {
  const struct ArrowArray *array = node->array;
  if (array == NULL || array->release == NULL) return REFUSE(node, "the array was released");
  if (array->length < 0 || array->offset < 0 ||
      __builtin_add_overflow(array->length, array->offset, &node->end)) {
    return REFUSE(node, "length %lld at offset %lld", (long long)array->length,
                  (long long)array->offset);
  }
  if (array->null_count < -1 || array->null_count > array->length) {
    return REFUSE(node, "%lld nulls in %lld rows", (long long)array->null_count,
                  (long long)array->length);
  }
  AP_TRY(check_counts(node));
  if (node->layout.kind == AP_LAYOUT_NULL) return AP_OK;
  const void *validity = array->buffers[0];
  if (validity == NULL && array->null_count > 0) {
    return REFUSE(node, "%lld nulls are counted but no validity is given",
                  (long long)array->null_count);
  }
  return validity == NULL ? AP_OK : check_buffer(node, 0, bitmap_bytes(node->end));
}

/* i counts from the array's first row. */
static bool is_valid(const struct node *node, int64_t i) {
  const uint8_t *bits = node->array->buffers[0];
  int64_t at = node->array->offset + i;
  return bits == NULL || ((bits[at / 8] >> (at % 8)) & 1) != 0;
}

/* An offset, size or index of a buffer that was checked to hold it. */
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

/* Offsets grow from not below zero; the first and last of this array's rows are stored. */
static ap_status check_offsets(const struct node *node, int64_t *out_first, int64_t *out_last) {
  const struct ArrowArray *array = node->array;
  bool large = node->layout.is_large;
  *out_first = 0;
  *out_last = 0;
  /* Of no rows not even the one offset need be there. */
  if (array->length == 0) return AP_OK;
  if (node->end == INT64_MAX) return REFUSE(node, "length and offset overflow");
  AP_TRY(check_values(node, 1, node->end + 1, large ? 8 : 4));
  int64_t previous = load(array->buffers[1], array->offset, large);
  if (previous < 0) return REFUSE(node, "the first offset is %lld", (long long)previous);
  *out_first = previous;
  for (int64_t i = array->offset + 1; i <= node->end; i++) {
    int64_t next = load(array->buffers[1], i, large);
    if (next < previous) {
      return REFUSE(node, "offset %lld of row %lld is below the one before, %lld", (long long)next,
                    (long long)(i - array->offset), (long long)previous);
    }
    previous = next;
  }
  *out_last = previous;
  return AP_OK;
}

/* Eight bytes at a time; most text is ASCII. */
static bool is_ascii(const char *bytes, int64_t size) {
  int64_t i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t word = 0;
    memcpy(&word, bytes + i, sizeof(word));
    if ((word & UINT64_C(0x8080808080808080)) != 0) return false;
  }
  for (; i < size; i++) {
    if (((unsigned char)bytes[i] & 0x80) != 0) return false;
  }
  return true;
}

static ap_status refuse_text(const struct node *node, int64_t row) {
  return REFUSE(node, "the text of row %lld is not valid UTF-8", (long long)row);
}

static ap_status validate_bytes(const struct node *node) {
  int64_t first = 0;
  int64_t last = 0;
  AP_TRY(check_offsets(node, &first, &last));
  AP_TRY(check_buffer(node, 2, last));
  const char *data = node->array->buffers[2];
  if (!node->layout.is_text || last == first || is_ascii(data + first, last - first)) return AP_OK;
  for (int64_t i = 0; i < node->array->length; i++) {
    int64_t at = node->array->offset + i;
    int64_t start = load(node->array->buffers[1], at, node->layout.is_large);
    int64_t end = load(node->array->buffers[1], at + 1, node->layout.is_large);
    struct ap_text text = {data + start, (size_t)(end - start)};
    if (is_valid(node, i) && !ap_text_is_utf8(text)) return refuse_text(node, i);
  }
  return AP_OK;
}

/* One 16-byte view: length; then up to 12 bytes inline, or 4 bytes of prefix, buffer, offset. */
static ap_status validate_view(const struct node *node, int64_t row, int64_t data_count) {
  const struct ArrowArray *array = node->array;
  const char *view = (const char *)array->buffers[1] + (array->offset + row) * 16;
  int64_t size = load(view, 0, false);
  struct ap_text text = {view + 4, (size_t)size};
  if (size < 0)
    return REFUSE(node, "the view of row %lld is %lld long", (long long)row, (long long)size);
  if (size > 12) {
    int64_t buffer = load(view, 2, false);
    int64_t offset = load(view, 3, false);
    if (buffer < 0 || buffer >= data_count || array->buffers[2 + buffer] == NULL) {
      return REFUSE(node, "the view of row %lld points into data buffer %lld of %lld",
                    (long long)row, (long long)buffer, (long long)data_count);
    }
    int64_t available = load(array->buffers[array->n_buffers - 1], buffer, true);
    if (offset < 0 || size > available - offset) {
      return REFUSE(node, "the view of row %lld ends at %lld of %lld bytes", (long long)row,
                    (long long)(offset + size), (long long)available);
    }
    text.data = (const char *)array->buffers[2 + buffer] + offset;
    if (memcmp(text.data, view + 4, 4) != 0) {
      return REFUSE(node, "the view of row %lld has a prefix that its text has not",
                    (long long)row);
    }
  }
  if (!node->layout.is_text || is_ascii(text.data, size)) return AP_OK;
  return ap_text_is_utf8(text) ? AP_OK : refuse_text(node, row);
}

static ap_status validate_views(const struct node *node) {
  const struct ArrowArray *array = node->array;
  int64_t data_count = array->n_buffers - node->layout.buffer_count;
  AP_TRY(check_values(node, 1, node->end, 16));
  AP_TRY(check_values(node, array->n_buffers - 1, data_count, 8));
  for (int64_t i = 0; i < data_count; i++) {
    int64_t size = load(array->buffers[array->n_buffers - 1], i, true);
    if (size < 0)
      return REFUSE(node, "data buffer %lld is %lld long", (long long)i, (long long)size);
    AP_TRY(check_buffer(node, 2 + i, size));
  }
  for (int64_t i = 0; i < array->length; i++) {
    if (is_valid(node, i)) AP_TRY(validate_view(node, i, data_count));
  }
  return AP_OK;
}

/* The elements that this array's rows may reach must be there. */
static ap_status check_child_length(const struct node *node, int64_t index, int64_t needed) {
  const struct ArrowArray *child = node->array->children[index];
  if (child == NULL || child->release == NULL) {
    return REFUSE(node, "child %lld was released", (long long)index);
  }
  if (child->length < needed) {
    return REFUSE(node, "child %lld has %lld rows where %lld are promised", (long long)index,
                  (long long)child->length, (long long)needed);
  }
  return AP_OK;
}

static ap_status validate_list_views(const struct node *node) {
  const struct ArrowArray *array = node->array;
  bool large = node->layout.is_large;
  AP_TRY(check_values(node, 1, node->end, large ? 8 : 4));
  AP_TRY(check_values(node, 2, node->end, large ? 8 : 4));
  AP_TRY(check_child_length(node, 0, 0));
  int64_t available = array->children[0]->length;
  for (int64_t i = 0; i < array->length; i++) {
    int64_t offset = load(array->buffers[1], array->offset + i, large);
    int64_t size = load(array->buffers[2], array->offset + i, large);
    if (offset < 0 || size < 0 || size > available - offset) {
      return REFUSE(node, "the list of row %lld is %lld long at %lld of %lld", (long long)i,
                    (long long)size, (long long)offset, (long long)available);
    }
  }
  return AP_OK;
}

static ap_status validate_struct(const struct node *node) {
  for (int64_t i = 0; i < node->array->n_children; i++) {
    AP_TRY(check_child_length(node, i, node->end));
  }
  if (node->depth > 0 || node->array->null_count == 0 || node->array->buffers[0] == NULL) {
    return AP_OK;
  }
  for (int64_t i = 0; i < node->array->length; i++) {
    if (!is_valid(node, i)) return REFUSE(node, "row %lld as a whole is null", (long long)i);
  }
  return AP_OK;
}

static ap_status validate_values(const struct node *node) {
  int64_t first = 0;
  int64_t last = 0;
  switch (node->layout.kind) {
    case AP_LAYOUT_NULL:
      return AP_OK;
    case AP_LAYOUT_BITS:
      return check_buffer(node, 1, bitmap_bytes(node->end));
    case AP_LAYOUT_FIXED:
      return check_values(node, 1, node->end, node->layout.width_bytes);
    case AP_LAYOUT_BYTES:
      return validate_bytes(node);
    case AP_LAYOUT_VIEWS:
      return validate_views(node);
    case AP_LAYOUT_LIST:
      AP_TRY(check_offsets(node, &first, &last));
      return check_child_length(node, 0, last);
    case AP_LAYOUT_LIST_VIEW:
      return validate_list_views(node);
    case AP_LAYOUT_FIXED_LIST:
      if (__builtin_mul_overflow(node->end, node->layout.list_size, &last)) {
        return REFUSE(node, "%lld lists of %lld overflow", (long long)node->end,
                      (long long)node->layout.list_size);
      }
      return check_child_length(node, 0, last);
    case AP_LAYOUT_STRUCT:
      return validate_struct(node);
  }
  return AP_OK;
}

/* Unsigned 64-bit indices beyond int64 come back negative, which is out of range as well. */
static int64_t load_index(const struct node *node, int64_t row) {
  const char *at = (const char *)node->array->buffers[1] +
                   (node->array->offset + row) * node->layout.width_bytes;
  uint64_t bits = 0;
  memcpy(&bits, at, (size_t)node->layout.width_bytes); /* little-endian, checked when building */
  int64_t unused_bits = 64 - node->layout.width_bytes * 8;
  if (!node->layout.is_signed) return (int64_t)bits;
  return (int64_t)(bits << unused_bits) >> unused_bits;
}

static ap_status validate_indices(const struct node *node) {
  int64_t size = node->array->dictionary->length;
  if (!node->layout.is_integer) {
    return REFUSE(node, "the dictionary's indices have format '%s'", node->schema->format);
  }
  for (int64_t i = 0; i < node->array->length; i++) {
    if (!is_valid(node, i)) continue;
    int64_t index = load_index(node, i);
    if (index >= 0 && index < size) continue;
    return REFUSE(node, "row %lld has index %lld into a dictionary of %lld", (long long)i,
                  (long long)index, (long long)size);
  }
  return AP_OK;
}

static ap_status validate_below(const struct node *node) {
  for (int64_t i = 0; i < node->array->n_children; i++) {
    const struct ArrowSchema *schema = node->schema->children[i];
    const char *column = node->depth == 0 ? ap_layout_name(schema) : node->column;
    AP_TRY(validate_node(schema, node->array->children[i], column, node->depth + 1, node->err));
  }
  if (node->array->dictionary == NULL) return AP_OK;
  AP_TRY(validate_node(node->schema->dictionary, node->array->dictionary, node->column,
                       node->depth + 1, node->err));
  return validate_indices(node);
}
