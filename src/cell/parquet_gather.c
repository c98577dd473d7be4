/* SPDX-License-Identifier: Apache-2.0
 *
 * See parquet_column.h: from Arrow arrays to the values of a column, and their bounds.
 */
#include "base/assert.h"
#include "cell/parquet_column.h"

#include <math.h>
#include <string.h>

enum { DECIMAL_DIGITS_INT32 = 9, DECIMAL_DIGITS_INT64 = 18 };

enum ap_parquet_type ap_parquet_type_of(const struct ap_type *type) {
  switch (type->kind) {
    case AP_TYPE_BOOLEAN:
      return AP_PARQUET_BOOLEAN;
    case AP_TYPE_INT8:
    case AP_TYPE_INT16:
    case AP_TYPE_INT32:
    case AP_TYPE_DATE:
      return AP_PARQUET_INT32;
    case AP_TYPE_FLOAT32:
      return AP_PARQUET_FLOAT;
    case AP_TYPE_FLOAT64:
      return AP_PARQUET_DOUBLE;
    case AP_TYPE_STRING:
    case AP_TYPE_BINARY:
      return AP_PARQUET_BYTE_ARRAY;
    case AP_TYPE_DECIMAL:
      if (type->precision <= DECIMAL_DIGITS_INT32) return AP_PARQUET_INT32;
      return type->precision <= DECIMAL_DIGITS_INT64 ? AP_PARQUET_INT64 : AP_PARQUET_FIXED;
    default:
      return AP_PARQUET_INT64;
  }
}

static uint8_t width_of(enum ap_parquet_type type) {
  switch (type) {
    case AP_PARQUET_BOOLEAN:
      return 1;
    case AP_PARQUET_INT32:
    case AP_PARQUET_FLOAT:
      return 4;
    case AP_PARQUET_INT64:
    case AP_PARQUET_DOUBLE:
      return 8;
    case AP_PARQUET_FIXED:
      return AP_PARQUET_DECIMAL_BYTES;
    case AP_PARQUET_BYTE_ARRAY:
      break;
  }
  return 0;
}

static bool is_valid(const struct ArrowArray *array, int64_t row) {
  const uint8_t *bits = array->buffers[0];
  int64_t at = array->offset + row;
  return bits == NULL || (bits[at / 8] >> (at % 8) & 1) != 0;
}

/* One byte per row; *out_count is the number of rows that hold a value. */
static uint8_t *gather_validity(struct ap_arena *arena, const struct ap_parquet_slice *slices,
                                uint32_t slice_count, uint32_t row_count, uint32_t *out_count) {
  uint8_t *valid = ap_arena_allocate(arena, row_count);
  if (valid == NULL) return NULL;
  uint32_t at = 0;
  *out_count = 0;
  for (uint32_t i = 0; i < slice_count; ++i) {
    for (int64_t row = 0; row < slices[i].length; ++row) {
      valid[at] = is_valid(slices[i].array, slices[i].offset + row);
      *out_count += valid[at++];
    }
  }
  AP_ASSERT(at == row_count);
  return valid;
}

static bool may_have_nulls(const struct ap_parquet_slice *slices, uint32_t slice_count) {
  for (uint32_t i = 0; i < slice_count; ++i) {
    const struct ArrowArray *array = slices[i].array;
    if (array->null_count != 0 && array->buffers[0] != NULL) return true;
  }
  return false;
}

/* ---- values of fixed width ------------------------------------------------------------------- */

/* Bytes of a value in the Arrow array; 0: bits. */
static size_t arrow_width(enum ap_type_kind kind) {
  switch (kind) {
    case AP_TYPE_BOOLEAN:
      return 0;
    case AP_TYPE_INT8:
      return 1;
    case AP_TYPE_INT16:
      return 2;
    case AP_TYPE_INT32:
    case AP_TYPE_DATE:
    case AP_TYPE_FLOAT32:
      return 4;
    case AP_TYPE_DECIMAL:
      return 16;
    default:
      return 8;
  }
}

/* One value at `from`, of the array's width, as `width` bytes of a little-endian number. */
static void copy_value(uint8_t *to, size_t width, const uint8_t *from, size_t from_width) {
  if (from_width >= width) { /* a decimal's low bytes hold it: its precision says so */
    memcpy(to, from, width);
    return;
  }
  AP_ASSERT(width == sizeof(int32_t) && from_width < width);
  int32_t value = (int8_t)from[0];
  if (from_width == sizeof(int16_t)) {
    int16_t number = 0;
    memcpy(&number, from, sizeof number);
    value = number;
  }
  memcpy(to, &value, sizeof value);
}

static uint8_t *copy_slice(uint8_t *to, const struct ap_parquet_values *values,
                           const struct ap_parquet_slice *slice, const uint8_t *valid) {
  const uint8_t *data = slice->array->buffers[1];
  size_t from_width = arrow_width(values->kind);
  size_t width = values->width;
  int64_t first = slice->array->offset + slice->offset;
  if (from_width == width && valid == NULL && slice->length > 0) {
    memcpy(to, data + (size_t)first * width, (size_t)slice->length * width);
    return to + (size_t)slice->length * width;
  }
  for (int64_t row = 0; row < slice->length; ++row) {
    if (valid != NULL && !valid[row]) continue;
    int64_t at = first + row;
    if (from_width == 0) {
      *to = data[at / 8] >> (at % 8) & 1;
    } else {
      copy_value(to, width, data + (size_t)at * from_width, from_width);
    }
    to += width;
  }
  return to;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static bool has_large_offsets(const struct ArrowSchema *schema) {
  return schema->format[0] == 'U' || schema->format[0] == 'Z';
}

static int64_t text_offset(const struct ArrowArray *array, bool large, int64_t at) {
  if (large) return ((const int64_t *)array->buffers[1])[at];
  return ((const int32_t *)array->buffers[1])[at];
}

static struct ap_text *copy_texts(struct ap_text *to, const struct ap_parquet_slice *slice,
                                  bool large, const uint8_t *valid) {
  const char *data = slice->array->buffers[2];
  int64_t first = slice->array->offset + slice->offset;
  for (int64_t row = 0; row < slice->length; ++row) {
    if (valid != NULL && !valid[row]) continue;
    int64_t begin = text_offset(slice->array, large, first + row);
    int64_t end = text_offset(slice->array, large, first + row + 1);
    *to++ = (struct ap_text){data == NULL ? "" : data + begin, (size_t)(end - begin)};
  }
  return to;
}

/* ---- a column -------------------------------------------------------------------------------- */

static ap_status gather_values(struct ap_arena *arena, const struct ArrowSchema *arrow_schema,
                               const struct ap_parquet_slice *slices, uint32_t slice_count,
                               struct ap_parquet_values *values, ap_error *err) {
  bool large = has_large_offsets(arrow_schema);
  const uint8_t *valid = values->valid;
  size_t size = values->width > 0 ? values->width : sizeof *values->texts;
  void *memory = ap_arena_allocate(arena, (size_t)values->count * size + 1);
  if (memory == NULL) return AP_FAIL_MEMORY(err);
  values->fixed = values->width > 0 ? memory : NULL;
  values->texts = values->width > 0 ? NULL : memory;
  uint8_t *fixed_end = values->fixed;
  struct ap_text *texts_end = values->texts;
  for (uint32_t i = 0; i < slice_count; ++i) {
    if (values->width > 0) {
      fixed_end = copy_slice(fixed_end, values, &slices[i], valid);
    } else {
      texts_end = copy_texts(texts_end, &slices[i], large, valid);
    }
    if (valid != NULL) valid += slices[i].length;
  }
  AP_ASSERT(values->width == 0 || fixed_end == values->fixed + (size_t)values->count * size);
  AP_ASSERT(values->width > 0 || texts_end == values->texts + values->count);
  return AP_OK;
}

ap_status ap_parquet_gather(struct ap_arena *arena, const struct ap_field *field,
                            const struct ArrowSchema *arrow_schema,
                            const struct ap_parquet_slice *slices, uint32_t slice_count,
                            uint32_t row_count, struct ap_parquet_values *out_values,
                            ap_error *err) {
  struct ap_parquet_values values = {
      .type = ap_parquet_type_of(&field->type),
      .kind = field->type.kind,
      .scale = field->type.scale,
      .row_count = row_count,
      .count = row_count,
  };
  values.width = width_of(values.type);
  if (may_have_nulls(slices, slice_count)) {
    values.valid = gather_validity(arena, slices, slice_count, row_count, &values.count);
    if (values.valid == NULL) return AP_FAIL_MEMORY(err);
  }
  AP_TRY(gather_values(arena, arrow_schema, slices, slice_count, &values, err));
  *out_values = values;
  return AP_OK;
}

/* ---- bounds ---------------------------------------------------------------------------------- */

static int64_t integer_at(const struct ap_parquet_values *values, uint32_t i) {
  int32_t small = 0;
  int64_t large = 0;
  if (values->width == 1) return values->fixed[i];
  if (values->width == sizeof small) {
    memcpy(&small, values->fixed + (size_t)i * sizeof small, sizeof small);
    return small;
  }
  memcpy(&large, values->fixed + (size_t)i * sizeof large, sizeof large);
  return large;
}

static void measure_integers(const struct ap_parquet_values *values,
                             struct ap_parquet_bounds *bounds) {
  int64_t min = integer_at(values, 0);
  int64_t max = min;
  for (uint32_t i = 1; i < values->count; ++i) {
    int64_t value = integer_at(values, i);
    if (value < min) min = value;
    if (value > max) max = value;
  }
  bounds->min.i64 = min;
  bounds->max.i64 = max;
  bounds->any = true;
}

static double float_at(const struct ap_parquet_values *values, uint32_t i) {
  float small = 0;
  double large = 0;
  if (values->type == AP_PARQUET_FLOAT) {
    memcpy(&small, values->fixed + (size_t)i * sizeof small, sizeof small);
    return small;
  }
  memcpy(&large, values->fixed + (size_t)i * sizeof large, sizeof large);
  return large;
}

static void measure_floats(const struct ap_parquet_values *values,
                           struct ap_parquet_bounds *bounds) {
  for (uint32_t i = 0; i < values->count; ++i) {
    double value = float_at(values, i);
    if (isnan(value)) {
      bounds->has_nan = true;
      continue;
    }
    if (!bounds->any || value < bounds->min.f64) bounds->min.f64 = value;
    if (!bounds->any || value > bounds->max.f64) bounds->max.f64 = value;
    bounds->any = true;
  }
}

static void measure_decimals(const struct ap_parquet_values *values,
                             struct ap_parquet_bounds *bounds) {
  for (uint32_t i = 0; i < values->count; ++i) {
    ap_int128 value;
    memcpy(&value, values->fixed + (size_t)i * sizeof value, sizeof value);
    if (!bounds->any || value < bounds->min.decimal) bounds->min.decimal = value;
    if (!bounds->any || value > bounds->max.decimal) bounds->max.decimal = value;
    bounds->any = true;
  }
}

/* The first eight bytes as a number whose order is that of the bytes; shorter texts are filled with
 * zeros, so that equal numbers decide nothing. */
static uint64_t prefix_of(struct ap_text text) {
  unsigned char bytes[sizeof(uint64_t)] = {0};
  uint64_t prefix = 0;
  if (text.size > 0) memcpy(bytes, text.data, text.size < sizeof bytes ? text.size : sizeof bytes);
  for (size_t i = 0; i < sizeof bytes; ++i) prefix = prefix << 8 | bytes[i];
  return prefix;
}

static void measure_texts(const struct ap_parquet_values *values,
                          struct ap_parquet_bounds *bounds) {
  struct ap_text min = values->texts[0];
  struct ap_text max = min;
  uint64_t min_prefix = prefix_of(min);
  uint64_t max_prefix = min_prefix;
  for (uint32_t i = 1; i < values->count; ++i) {
    struct ap_text text = values->texts[i];
    uint64_t prefix = prefix_of(text);
    if (prefix < min_prefix || (prefix == min_prefix && ap_text_compare(text, min) < 0)) {
      min = text;
      min_prefix = prefix;
    }
    if (prefix > max_prefix || (prefix == max_prefix && ap_text_compare(text, max) > 0)) {
      max = text;
      max_prefix = prefix;
    }
  }
  bounds->min.text = min;
  bounds->max.text = max;
  bounds->any = true;
}

void ap_parquet_measure(const struct ap_parquet_values *values, struct ap_parquet_bounds *bounds) {
  *bounds = (struct ap_parquet_bounds){.null_count = values->row_count - values->count};
  if (values->count == 0) return;
  switch (values->type) {
    case AP_PARQUET_FLOAT:
    case AP_PARQUET_DOUBLE:
      measure_floats(values, bounds);
      break;
    case AP_PARQUET_FIXED:
      measure_decimals(values, bounds);
      break;
    case AP_PARQUET_BYTE_ARRAY:
      measure_texts(values, bounds);
      break;
    case AP_PARQUET_BOOLEAN:
    case AP_PARQUET_INT32:
    case AP_PARQUET_INT64:
      measure_integers(values, bounds);
      break;
  }
}

void ap_parquet_merge(const struct ap_parquet_values *values, const struct ap_parquet_bounds *from,
                      struct ap_parquet_bounds *into) {
  int64_t null_count = into->null_count + from->null_count;
  bool has_nan = into->has_nan || from->has_nan;
  if (!into->any) {
    *into = *from;
  } else if (from->any && values->type == AP_PARQUET_BYTE_ARRAY) {
    if (ap_text_compare(from->min.text, into->min.text) < 0) into->min = from->min;
    if (ap_text_compare(from->max.text, into->max.text) > 0) into->max = from->max;
  } else if (from->any && values->type == AP_PARQUET_FIXED) {
    if (from->min.decimal < into->min.decimal) into->min = from->min;
    if (from->max.decimal > into->max.decimal) into->max = from->max;
  } else if (from->any && (values->type == AP_PARQUET_FLOAT || values->type == AP_PARQUET_DOUBLE)) {
    if (from->min.f64 < into->min.f64) into->min = from->min;
    if (from->max.f64 > into->max.f64) into->max = from->max;
  } else if (from->any) {
    if (from->min.i64 < into->min.i64) into->min = from->min;
    if (from->max.i64 > into->max.i64) into->max = from->max;
  }
  into->null_count = null_count;
  into->has_nan = has_nan;
}
