/* SPDX-License-Identifier: Apache-2.0
 *
 * See value.h.
 */
#include "value.h"

#include "moment.h"
#include "number.h"
#include "width.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SECONDS_PER_DAY_MS = 86400000 };

/* ---- types ----------------------------------------------------------------------------------- */

static bool init_children(struct cli_type *type, const struct ArrowSchema *schema,
                          struct ArrowError *error) {
  type->children = cli_allocate((size_t)schema->n_children, sizeof *type->children);
  for (int64_t i = 0; i < schema->n_children; ++i) {
    ++type->child_count;
    if (!cli_type_init(&type->children[i], schema->children[i], error)) return false;
  }
  if (schema->dictionary == NULL) return true;
  type->dictionary = cli_allocate(1, sizeof *type->dictionary);
  return cli_type_init(type->dictionary, schema->dictionary, error);
}

bool cli_type_init(struct cli_type *type, const struct ArrowSchema *schema,
                   struct ArrowError *error) {
  struct ArrowSchemaView view = {0};
  *type = (struct cli_type){0};
  if (ArrowSchemaViewInit(&view, schema, error) != NANOARROW_OK) return false;
  const char *name = schema->name == NULL ? "" : schema->name;
  type->name = cli_copy(name, strlen(name));
  /* An extension type is shown as what stores it, a dictionary as what it holds. */
  type->kind = view.type == NANOARROW_TYPE_EXTENSION ? view.storage_type : view.type;
  type->unit = view.time_unit;
  type->has_zone = view.type == NANOARROW_TYPE_TIMESTAMP && view.timezone[0] != '\0';
  type->nullable = (schema->flags & ARROW_FLAG_NULLABLE) != 0;
  type->precision = view.decimal_precision;
  type->scale = view.decimal_scale;
  type->fixed_size = view.fixed_size;
  return init_children(type, schema, error);
}

void cli_type_deinit(struct cli_type *type) {
  for (size_t i = 0; i < type->child_count; ++i) cli_type_deinit(&type->children[i]);
  if (type->dictionary != NULL) cli_type_deinit(type->dictionary);
  free(type->children);
  free(type->dictionary);
  free(type->name);
  cli_text_deinit(&type->scratch);
  *type = (struct cli_type){0};
}

static const char *unit_word(enum ArrowTimeUnit unit) {
  static const char *const words[] = {"s", "ms", "us", "ns"};
  return words[unit];
}

static const char *kind_word(enum ArrowType kind) {
  switch (kind) {
    case NANOARROW_TYPE_NA:
      return "null";
    case NANOARROW_TYPE_BOOL:
      return "boolean";
    case NANOARROW_TYPE_HALF_FLOAT:
      return "float16";
    case NANOARROW_TYPE_FLOAT:
      return "float32";
    case NANOARROW_TYPE_DOUBLE:
      return "float64";
    case NANOARROW_TYPE_STRING:
    case NANOARROW_TYPE_LARGE_STRING:
    case NANOARROW_TYPE_STRING_VIEW:
      return "string";
    case NANOARROW_TYPE_BINARY:
    case NANOARROW_TYPE_LARGE_BINARY:
    case NANOARROW_TYPE_BINARY_VIEW:
    case NANOARROW_TYPE_FIXED_SIZE_BINARY:
      return "binary";
    case NANOARROW_TYPE_DATE32:
    case NANOARROW_TYPE_DATE64:
      return "date";
    case NANOARROW_TYPE_TIME32:
    case NANOARROW_TYPE_TIME64:
      return "time";
    case NANOARROW_TYPE_INTERVAL_MONTHS:
    case NANOARROW_TYPE_INTERVAL_DAY_TIME:
    case NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO:
      return "interval";
    case NANOARROW_TYPE_LIST:
    case NANOARROW_TYPE_LARGE_LIST:
    case NANOARROW_TYPE_LIST_VIEW:
    case NANOARROW_TYPE_LARGE_LIST_VIEW:
    case NANOARROW_TYPE_FIXED_SIZE_LIST:
      return "list";
    case NANOARROW_TYPE_SPARSE_UNION:
    case NANOARROW_TYPE_DENSE_UNION:
      return "union";
    default:
      return ArrowTypeString(kind);
  }
}

static bool is_decimal(enum ArrowType kind) {
  return kind == NANOARROW_TYPE_DECIMAL32 || kind == NANOARROW_TYPE_DECIMAL64 ||
         kind == NANOARROW_TYPE_DECIMAL128 || kind == NANOARROW_TYPE_DECIMAL256;
}

static bool is_list(enum ArrowType kind) {
  return kind == NANOARROW_TYPE_LIST || kind == NANOARROW_TYPE_LARGE_LIST ||
         kind == NANOARROW_TYPE_LIST_VIEW || kind == NANOARROW_TYPE_LARGE_LIST_VIEW ||
         kind == NANOARROW_TYPE_FIXED_SIZE_LIST;
}

static bool is_text(enum ArrowType kind) {
  return kind == NANOARROW_TYPE_STRING || kind == NANOARROW_TYPE_LARGE_STRING ||
         kind == NANOARROW_TYPE_STRING_VIEW;
}

static bool is_binary(enum ArrowType kind) {
  return kind == NANOARROW_TYPE_BINARY || kind == NANOARROW_TYPE_LARGE_BINARY ||
         kind == NANOARROW_TYPE_BINARY_VIEW || kind == NANOARROW_TYPE_FIXED_SIZE_BINARY;
}

static bool is_union(enum ArrowType kind) {
  return kind == NANOARROW_TYPE_SPARSE_UNION || kind == NANOARROW_TYPE_DENSE_UNION;
}

static void append_named_words(const struct cli_type *type, struct cli_text *text) {
  for (size_t i = 0; i < type->child_count; ++i) {
    if (i > 0) cli_text_append_string(text, ", ");
    cli_text_append_format(text, "%s: ", type->children[i].name);
    cli_type_append_word(&type->children[i], text);
  }
}

void cli_type_append_word(const struct cli_type *type, struct cli_text *text) {
  if (type->dictionary != NULL) {
    cli_type_append_word(type->dictionary, text);
    return;
  }
  if (is_decimal(type->kind)) {
    cli_text_append_format(text, "decimal(%d,%d)", type->precision, type->scale);
    return;
  }
  cli_text_append_string(text, kind_word(type->kind));
  if (type->kind == NANOARROW_TYPE_TIMESTAMP && type->has_zone) {
    cli_text_append_format(text, "[%s, UTC]", unit_word(type->unit));
  } else if ((type->kind == NANOARROW_TYPE_TIMESTAMP && type->unit != NANOARROW_TIME_UNIT_MICRO) ||
             type->kind == NANOARROW_TYPE_DURATION) {
    cli_text_append_format(text, "[%s]", unit_word(type->unit));
  } else if (is_list(type->kind) && type->child_count == 1) {
    cli_text_append_char(text, '<');
    cli_type_append_word(&type->children[0], text);
    cli_text_append_char(text, '>');
  } else if (type->kind == NANOARROW_TYPE_STRUCT || is_union(type->kind)) {
    cli_text_append_char(text, '<');
    append_named_words(type, text);
    cli_text_append_char(text, '>');
  } else if (type->kind == NANOARROW_TYPE_MAP && type->child_count == 1 &&
             type->children[0].child_count == 2) {
    cli_text_append_char(text, '<');
    cli_type_append_word(&type->children[0].children[0], text);
    cli_text_append_string(text, ", ");
    cli_type_append_word(&type->children[0].children[1], text);
    cli_text_append_char(text, '>');
  }
}

bool cli_type_is_number(const struct cli_type *type) {
  if (type->dictionary != NULL) return cli_type_is_number(type->dictionary);
  return (type->kind >= NANOARROW_TYPE_UINT8 && type->kind <= NANOARROW_TYPE_DOUBLE) ||
         is_decimal(type->kind);
}

/* ---- values ---------------------------------------------------------------------------------- */

/* The child of a union that holds the value, and the index in it; NULL for a type id out of
 * range. */
static const struct ArrowArrayView *union_member(const struct ArrowArrayView *view, int64_t index,
                                                 int64_t *out_child, int64_t *out_index) {
  *out_child = ArrowArrayViewUnionChildIndex(view, index);
  *out_index = ArrowArrayViewUnionChildOffset(view, index);
  return *out_child >= 0 && *out_child < view->n_children ? view->children[*out_child] : NULL;
}

/* The run that a row of a run-end encoded array is in. */
static int64_t run_of(const struct ArrowArrayView *view, int64_t index) {
  const struct ArrowArrayView *ends = view->children[0];
  int64_t low = 0;
  int64_t high = ends->length;
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    if (ArrowArrayViewGetIntUnsafe(ends, middle) <= view->offset + index) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

bool cli_value_is_null(const struct cli_type *type, const struct ArrowArrayView *view,
                       int64_t index) {
  if (is_union(type->kind)) {
    int64_t child = 0;
    int64_t at = 0;
    const struct ArrowArrayView *member = union_member(view, index, &child, &at);
    return member == NULL || cli_value_is_null(&type->children[child], member, at);
  }
  if (type->kind == NANOARROW_TYPE_RUN_END_ENCODED) {
    return cli_value_is_null(&type->children[1], view->children[1], run_of(view, index));
  }
  if (ArrowArrayViewIsNull(view, index)) return true;
  if (type->dictionary == NULL) return false;
  return cli_value_is_null(type->dictionary, view->dictionary,
                           ArrowArrayViewGetIntUnsafe(view, index));
}

void cli_json_append_string(struct cli_text *text, const char *data, size_t size) {
  static const char escapes[] = "btnvfr"; /* of 8 to 13; JSON has no \v */
  size_t plain = 0;
  cli_text_append_char(text, '"');
  for (size_t i = 0; i < size;) {
    uint8_t byte = (uint8_t)data[i];
    uint32_t character = 0;
    if (byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\') {
      ++i;
      continue;
    }
    size_t length = cli_utf8_decode(data + i, size - i, &character);
    if (length > 1) {
      i += length;
      continue;
    }
    cli_text_append(text, data + plain, i - plain);
    if (length == 0) {
      cli_text_append_string(text, "\xef\xbf\xbd");
    } else if (byte == '"' || byte == '\\') {
      cli_text_append_format(text, "\\%c", byte);
    } else if (byte >= 8 && byte <= 13 && byte != 11) {
      cli_text_append_format(text, "\\%c", escapes[byte - 8]);
    } else {
      cli_text_append_format(text, "\\u%04x", byte);
    }
    plain = ++i;
  }
  cli_text_append(text, data + plain, size - plain);
  cli_text_append_char(text, '"');
}

static void append_hex(struct cli_text *text, struct ArrowStringView bytes,
                       enum cli_notation notation) {
  static const char digits[] = "0123456789abcdef";
  cli_text_append_string(text, notation == CLI_JSON ? "\"\\\\x" : "\\x");
  for (int64_t i = 0; i < bytes.size_bytes; ++i) {
    cli_text_append_char(text, digits[(uint8_t)bytes.data[i] >> 4]);
    cli_text_append_char(text, digits[(uint8_t)bytes.data[i] & 15]);
  }
  if (notation == CLI_JSON) cli_text_append_char(text, '"');
}

static void append_float(const struct ArrowArrayView *view, int64_t index,
                         enum cli_notation notation, struct cli_text *text) {
  double value = ArrowArrayViewGetDoubleUnsafe(view, index);
  if (notation == CLI_JSON && !isfinite(value)) {
    cli_text_append_string(text, "null");
  } else if (view->storage_type == NANOARROW_TYPE_DOUBLE) {
    cli_append_f64(text, value);
  } else if (view->storage_type == NANOARROW_TYPE_FLOAT) {
    cli_append_f32(text, (float)value);
  } else {
    cli_append_f16(text, view->buffer_views[1].data.as_uint16[view->offset + index]);
  }
}

static void append_decimal(struct cli_type *type, const struct ArrowArrayView *view, int64_t index,
                           struct cli_text *text) {
  struct ArrowDecimal decimal;
  struct ArrowBuffer digits;
  int32_t bits = (int32_t)view->layout.element_size_bits[1];
  ArrowDecimalInit(&decimal, bits, type->precision, type->scale);
  ArrowArrayViewGetDecimalUnsafe(view, index, &decimal);
  ArrowBufferInit(&digits);
  if (ArrowDecimalAppendDigitsToBuffer(&decimal, &digits) == NANOARROW_OK) {
    cli_append_scaled(text, (const char *)digits.data, (size_t)digits.size_bytes, type->scale);
  }
  ArrowBufferReset(&digits);
}

static int64_t per_second(enum ArrowTimeUnit unit) {
  static const int64_t counts[] = {1, 1000, 1000000, 1000000000};
  return counts[unit];
}

static void append_interval(struct cli_type *type, const struct ArrowArrayView *view, int64_t index,
                            struct cli_text *text) {
  if (type->kind == NANOARROW_TYPE_DURATION) {
    int64_t value = ArrowArrayViewGetIntUnsafe(view, index);
    int64_t scale = per_second(type->unit);
    /* Times read up to nanoseconds; longer durations in seconds would not fit. */
    bool is_negative = value < 0;
    uint64_t size = is_negative ? 0 - (uint64_t)value : (uint64_t)value;
    if (is_negative) cli_text_append_char(text, '-');
    if (size > INT64_MAX) size = INT64_MAX;
    cli_append_time(text, (int64_t)size, scale);
    return;
  }
  struct ArrowInterval interval;
  ArrowIntervalInit(&interval, type->kind);
  ArrowArrayViewGetIntervalUnsafe(view, index, &interval);
  cli_append_interval(text, interval.months, interval.days,
                      type->kind == NANOARROW_TYPE_INTERVAL_DAY_TIME
                          ? (int64_t)interval.ms * 1000000
                          : interval.ns);
}

/* Times of any kind; false when the type is none. */
static bool append_moment(struct cli_type *type, const struct ArrowArrayView *view, int64_t index,
                          struct cli_text *text) {
  switch (type->kind) {
    case NANOARROW_TYPE_DATE32:
      cli_append_date(text, ArrowArrayViewGetIntUnsafe(view, index));
      return true;
    case NANOARROW_TYPE_DATE64: {
      int64_t ms = ArrowArrayViewGetIntUnsafe(view, index);
      int64_t days = ms / SECONDS_PER_DAY_MS;
      if (ms % SECONDS_PER_DAY_MS < 0) --days;
      cli_append_date(text, days);
      return true;
    }
    case NANOARROW_TYPE_TIME32:
    case NANOARROW_TYPE_TIME64:
      cli_append_time(text, ArrowArrayViewGetIntUnsafe(view, index), per_second(type->unit));
      return true;
    case NANOARROW_TYPE_TIMESTAMP:
      cli_append_timestamp(text, ArrowArrayViewGetIntUnsafe(view, index), per_second(type->unit),
                           type->has_zone);
      return true;
    case NANOARROW_TYPE_DURATION:
    case NANOARROW_TYPE_INTERVAL_MONTHS:
    case NANOARROW_TYPE_INTERVAL_DAY_TIME:
    case NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO:
      append_interval(type, view, index, text);
      return true;
    default:
      return false;
  }
}

static void append_json(struct cli_type *type, const struct ArrowArrayView *view, int64_t index,
                        struct cli_text *text) {
  cli_value_append(type, view, index, CLI_JSON, text);
}

static void append_list(struct cli_type *type, const struct ArrowArrayView *view, int64_t index,
                        struct cli_text *text) {
  int64_t at = view->offset + index;
  int64_t start = 0;
  int64_t length = 0;
  if (type->kind == NANOARROW_TYPE_FIXED_SIZE_LIST) {
    length = type->fixed_size;
    start = at * length;
  } else {
    start = ArrowArrayViewListChildOffset(view, at);
    if (type->kind == NANOARROW_TYPE_LIST_VIEW) {
      length = view->buffer_views[2].data.as_int32[at];
    } else if (type->kind == NANOARROW_TYPE_LARGE_LIST_VIEW) {
      length = view->buffer_views[2].data.as_int64[at];
    } else {
      length = ArrowArrayViewListChildOffset(view, at + 1) - start;
    }
  }
  cli_text_append_char(text, '[');
  for (int64_t i = 0; i < length; ++i) {
    if (i > 0) cli_text_append_string(text, ", ");
    append_json(&type->children[0], view->children[0], start + i, text);
  }
  cli_text_append_char(text, ']');
}

static void append_struct(struct cli_type *type, const struct ArrowArrayView *view, int64_t index,
                          struct cli_text *text) {
  cli_text_append_char(text, '{');
  for (size_t i = 0; i < type->child_count; ++i) {
    if (i > 0) cli_text_append_string(text, ", ");
    cli_json_append_string(text, type->children[i].name, strlen(type->children[i].name));
    cli_text_append_string(text, ": ");
    append_json(&type->children[i], view->children[i], view->offset + index, text);
  }
  cli_text_append_char(text, '}');
}

/* An object; keys that are no text are written as text. */
static void append_map(struct cli_type *type, const struct ArrowArrayView *view, int64_t index,
                       struct cli_text *text) {
  int64_t start = ArrowArrayViewListChildOffset(view, view->offset + index);
  int64_t end = ArrowArrayViewListChildOffset(view, view->offset + index + 1);
  struct cli_type *entry = &type->children[0];
  const struct ArrowArrayView *entries = view->children[0];
  cli_text_append_char(text, '{');
  for (int64_t i = start; i < end; ++i) {
    int64_t at = entries->offset + i;
    if (i > start) cli_text_append_string(text, ", ");
    cli_text_clear(&type->scratch);
    cli_value_append(&entry->children[0], entries->children[0], at, CLI_PLAIN, &type->scratch);
    cli_json_append_string(text, cli_text_string(&type->scratch), type->scratch.size);
    cli_text_append_string(text, ": ");
    append_json(&entry->children[1], entries->children[1], at, text);
  }
  cli_text_append_char(text, '}');
}

/* What holds other values; false when the type does not. */
static bool append_nested(struct cli_type *type, const struct ArrowArrayView *view, int64_t index,
                          enum cli_notation notation, struct cli_text *text) {
  int64_t child = 0;
  int64_t at = 0;
  if (is_list(type->kind)) {
    append_list(type, view, index, text);
  } else if (type->kind == NANOARROW_TYPE_STRUCT) {
    append_struct(type, view, index, text);
  } else if (type->kind == NANOARROW_TYPE_MAP) {
    append_map(type, view, index, text);
  } else if (is_union(type->kind)) {
    const struct ArrowArrayView *member = union_member(view, index, &child, &at);
    cli_value_append(&type->children[child], member, at, notation, text);
  } else if (type->kind == NANOARROW_TYPE_RUN_END_ENCODED) {
    cli_value_append(&type->children[1], view->children[1], run_of(view, index), notation, text);
  } else {
    return false;
  }
  return true;
}

static void append_integer(struct cli_text *text, int64_t value) {
  cli_append_u64(text, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0);
}

static void append_scalar(struct cli_type *type, const struct ArrowArrayView *view, int64_t index,
                          enum cli_notation notation, struct cli_text *text) {
  if (is_text(type->kind)) {
    struct ArrowStringView string = ArrowArrayViewGetStringUnsafe(view, index);
    if (notation == CLI_JSON) {
      cli_json_append_string(text, string.data, (size_t)string.size_bytes);
    } else {
      cli_text_append(text, string.data, (size_t)string.size_bytes);
    }
  } else if (type->kind == NANOARROW_TYPE_BOOL) {
    bool value = ArrowArrayViewGetIntUnsafe(view, index) != 0;
    cli_text_append_string(text, value ? "true" : "false");
  } else if (type->kind == NANOARROW_TYPE_UINT64) {
    cli_append_u64(text, ArrowArrayViewGetUIntUnsafe(view, index), false);
  } else if (type->kind >= NANOARROW_TYPE_UINT8 && type->kind <= NANOARROW_TYPE_INT64) {
    append_integer(text, ArrowArrayViewGetIntUnsafe(view, index));
  } else if (type->kind >= NANOARROW_TYPE_HALF_FLOAT && type->kind <= NANOARROW_TYPE_DOUBLE) {
    append_float(view, index, notation, text);
  } else if (is_decimal(type->kind)) {
    append_decimal(type, view, index, text);
  } else if (is_binary(type->kind)) {
    append_hex(text, ArrowArrayViewGetStringUnsafe(view, index), notation);
  } else {
    if (notation == CLI_JSON) cli_text_append_char(text, '"');
    (void)append_moment(type, view, index, text);
    if (notation == CLI_JSON) cli_text_append_char(text, '"');
  }
}

void cli_value_append(struct cli_type *type, const struct ArrowArrayView *view, int64_t index,
                      enum cli_notation notation, struct cli_text *text) {
  if (cli_value_is_null(type, view, index)) {
    if (notation == CLI_JSON) cli_text_append_string(text, "null");
  } else if (type->dictionary != NULL) {
    cli_value_append(type->dictionary, view->dictionary, ArrowArrayViewGetIntUnsafe(view, index),
                     notation, text);
  } else if (!append_nested(type, view, index, notation, text)) {
    append_scalar(type, view, index, notation, text);
  }
}
