/* SPDX-License-Identifier: Apache-2.0
 *
 * Statistics of a cell, read from the ledger's JSON.
 *
 * Guarantees: whatever the JSON says, no bound is claimed that its writer may not have meant.
 * Malformed parts are unknown bounds. What differs between writers is decided in widen_foreign.
 * Thread: any; the parsed form is published once with a compare-exchange, the loser frees its own.
 */
#include "base/assert.h"
#include "base/limits.h"
#include "cell/cell.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define FOREIGN_TIMESTAMP_SLACK_US                              \
  ((int64_t)1000) /* Delta's statistics are cut to milliseconds \
                   */
/* Local mean times had seconds in their offset from UTC, which ISO 8601 texts cut off; the last of
 * them ended in 1972. */
#define LOCAL_MEAN_TIME_SLACK_US ((int64_t)60000000)
#define LOCAL_MEAN_TIME_END_US   ((int64_t)94694400000000) /* 1973-01-01 */
#define FOREIGN_DECIMAL_DIGITS   15 /* some writers bring decimals through a double */

/* A member of an object by name, looked for first where the last one was found: statistics mostly
 * come in the order of the schema. */
static const struct ap_json *find_next(const struct ap_json *object, struct ap_text name,
                                       uint32_t *cursor) {
  if (object == NULL || object->kind != AP_JSON_OBJECT) return NULL;
  for (uint32_t tried = 0; tried < object->count; tried++) {
    if (*cursor >= object->count) *cursor = 0;
    const struct ap_json_member *member = &object->members[(*cursor)++];
    if (ap_text_equal(member->name, name)) return &member->value;
  }
  return NULL;
}

/* The value's text when JSON has it in the form that Delta's writers use for the type. */
static bool bound_text(const struct ap_json *json, enum ap_type_kind kind,
                       struct ap_text *out_text) {
  if (json == NULL) return false;
  bool wants_string = kind == AP_TYPE_STRING || kind == AP_TYPE_DATE || kind == AP_TYPE_TIMESTAMP ||
                      kind == AP_TYPE_TIMESTAMP_TZ;
  bool may_be_string = wants_string || kind == AP_TYPE_BOOLEAN || kind == AP_TYPE_DECIMAL;
  switch (json->kind) {
    case AP_JSON_STRING:
      *out_text = json->text;
      return may_be_string;
    case AP_JSON_NUMBER:
      *out_text = json->text;
      return !wants_string && kind != AP_TYPE_BOOLEAN;
    case AP_JSON_TRUE:
      *out_text = AP_TEXT("true");
      return kind == AP_TYPE_BOOLEAN;
    case AP_JSON_FALSE:
      *out_text = AP_TEXT("false");
      return kind == AP_TYPE_BOOLEAN;
    case AP_JSON_NULL:
    case AP_JSON_ARRAY:
    case AP_JSON_OBJECT:
      break;
  }
  return false;
}

/* Whether a timestamp's text says where it is: without zone it may be some session's local time. */
static bool names_zone(struct ap_text text) {
  for (size_t i = 11; i < text.size; i++) {
    char c = text.data[i];
    if (c == 'Z' || c == '+' || c == '-') return true;
  }
  return false;
}

static void widen_timestamp(struct ap_value *value, struct ap_text text, bool is_max) {
  int64_t slack = FOREIGN_TIMESTAMP_SLACK_US;
  if (value->kind == AP_VALUE_TIMESTAMP_TZ) {
    if (!names_zone(text)) {
      value->kind = AP_VALUE_NONE;
      return;
    }
    if (value->i64 < LOCAL_MEAN_TIME_END_US) slack = LOCAL_MEAN_TIME_SLACK_US;
  }
  if (__builtin_add_overflow(value->i64, is_max ? slack : -slack, &value->i64)) {
    value->kind = AP_VALUE_NONE;
  }
}

/* NaN is the greatest float here but others leave it out of maxima. A column that was widened from
 * float to double has minima written in a float's few digits. */
static void widen_float(struct ap_value *value, bool is_max) {
  double number = value->f64;
  if (is_max || isnan(number)) {
    value->kind = AP_VALUE_NONE;
  } else if (fabs(number) < (double)FLT_MAX && (double)(float)number != number) {
    value->f64 = (double)nextafterf((float)number, -INFINITY);
  }
}

static void widen_decimal(struct ap_value *value, const struct ap_type *type, bool is_max) {
  if (type->precision <= FOREIGN_DECIMAL_DIGITS) return;
  ap_int128 magnitude = value->decimal < 0 ? -value->decimal : value->decimal;
  ap_int128 slack = (magnitude >> (DBL_MANT_DIG - 2)) + 1;
  value->decimal += is_max ? slack : -slack;
}

/* A maximum that may have been cut without being raised: Delta's writers cut at 32 characters (of
 * UTF-16 in some versions) and then append U+10FFFF or U+007F. */
static bool may_be_cut(struct ap_text text) {
  if (ap_text_ends_with(text, AP_TEXT("\x7f")) ||
      ap_text_ends_with(text, AP_TEXT("\xf4\x8f\xbf\xbf"))) {
    return false;
  }
  size_t units = 0;
  for (size_t i = 0; i < text.size; i++) {
    uint8_t byte = (uint8_t)text.data[i];
    if ((byte & 0xc0) != 0x80) units++;
    if (byte >= 0xf0) units++;
  }
  return units >= AP_STATISTICS_TEXT_CHARS;
}

static void widen_foreign(struct ap_value *value, struct ap_text text, const struct ap_type *type,
                          bool is_max) {
  switch (value->kind) {
    case AP_VALUE_TIMESTAMP:
    case AP_VALUE_TIMESTAMP_TZ:
      widen_timestamp(value, text, is_max);
      break;
    case AP_VALUE_FLOAT:
      widen_float(value, is_max);
      break;
    case AP_VALUE_DECIMAL:
      widen_decimal(value, type, is_max);
      break;
    case AP_VALUE_TEXT:
      if (is_max && may_be_cut(text)) value->kind = AP_VALUE_NONE;
      break;
    case AP_VALUE_NONE:
    case AP_VALUE_BOOLEAN:
    case AP_VALUE_INTEGER:
    case AP_VALUE_DATE:
    case AP_VALUE_TIME:
      break;
  }
}

static struct ap_value read_bound(const struct ap_json *json, const struct ap_type *type, bool own,
                                  bool is_max) {
  struct ap_value value = {.kind = AP_VALUE_NONE};
  struct ap_text text;
  if (!bound_text(json, type->kind, &text)) return value;
  if (!ap_value_parse(text, type, &value)) return value;
  if (!own) widen_foreign(&value, text, type, is_max);
  return value;
}

static int64_t read_count(const struct ap_json *json, int64_t max) {
  int64_t count;
  if (json == NULL || json->kind != AP_JSON_NUMBER) return -1;
  if (!ap_text_parse_i64(json->text, &count) || count < 0) return -1;
  return max >= 0 && count > max ? -1 : count;
}

static void read_columns(const struct ap_json *root, const struct ap_schema *schema,
                         const struct ap_text *physical_names, bool own,
                         struct ap_cell_statistics *statistics) {
  const struct ap_json *minima = ap_json_find(root, "minValues");
  const struct ap_json *maxima = ap_json_find(root, "maxValues");
  const struct ap_json *nulls = ap_json_find(root, "nullCount");
  uint32_t cursors[3] = {0, 0, 0};
  for (uint32_t i = 0; i < schema->field_count; i++) {
    const struct ap_type *type = &schema->fields[i].type;
    struct ap_text name = physical_names ? physical_names[i] : schema->fields[i].name;
    struct ap_column_statistics *column = &statistics->columns[i];
    column->min = read_bound(find_next(minima, name, &cursors[0]), type, own, false);
    column->max = read_bound(find_next(maxima, name, &cursors[1]), type, own, true);
    column->null_count = read_count(find_next(nulls, name, &cursors[2]), statistics->row_count);
    int order;
    if (ap_value_compare(&column->min, &column->max, &order) && order > 0) {
      column->min.kind = AP_VALUE_NONE; /* one of them lies, and who knows which */
      column->max.kind = AP_VALUE_NONE;
    }
  }
}

static size_t statistics_size(uint32_t column_count) {
  return sizeof(struct ap_cell_statistics) +
         (size_t)column_count * sizeof(struct ap_column_statistics);
}

/* Parse into the scratch arena, texts included. */
static ap_status parse(struct ap_cell *cell, struct ap_arena *scratch,
                       const struct ap_schema *schema, uint64_t schema_id,
                       const struct ap_text *physical_names,
                       struct ap_cell_statistics **out_statistics, ap_error *err) {
  struct ap_cell_statistics *statistics =
      ap_arena_allocate_zeroed(scratch, 1, statistics_size(schema->field_count));
  if (statistics == NULL) return AP_FAIL_MEMORY(err);
  statistics->schema_id = schema_id;
  statistics->column_count = schema->field_count;
  const struct ap_json *root = NULL;
  if (cell->statistics_json.size > 0) {
    ap_status status = ap_json_parse(scratch, cell->statistics_json, &root, NULL);
    if (status == AP_OUT_OF_MEMORY) return AP_FAIL_MEMORY(err);
    if (status != AP_OK) root = NULL;
  }
  statistics->row_count = read_count(ap_json_find(root, "numRecords"), -1);
  read_columns(root, schema, physical_names, cell->own, statistics);
  *out_statistics = statistics;
  return AP_OK;
}

static size_t texts_size(const struct ap_cell_statistics *statistics) {
  size_t size = 0; /* no overflow: all the texts are disjoint parts of one JSON text */
  for (uint32_t i = 0; i < statistics->column_count; i++) {
    const struct ap_column_statistics *column = &statistics->columns[i];
    if (column->min.kind == AP_VALUE_TEXT) size += column->min.text.size;
    if (column->max.kind == AP_VALUE_TEXT) size += column->max.text.size;
  }
  return size;
}

static char *move_text(struct ap_value *value, char *at) {
  if (value->kind != AP_VALUE_TEXT) return at;
  if (value->text.size > 0) memcpy(at, value->text.data, value->text.size);
  value->text.data = at;
  return at + value->text.size;
}

/* The same in one block of that size, which needs nothing else. */
static void move_into(void *block, size_t block_size, const struct ap_cell_statistics *from) {
  struct ap_cell_statistics *to = block;
  size_t head_size = statistics_size(from->column_count);
  memcpy(to, from, head_size);
  char *at = (char *)block + head_size;
  for (uint32_t i = 0; i < to->column_count; i++) {
    at = move_text(&to->columns[i].min, at);
    at = move_text(&to->columns[i].max, at);
  }
  AP_ASSERT(at == (char *)block + block_size);
}

ap_status ap_cell_statistics_get(struct ap_cell *cell, struct ap_arena *arena,
                                 const struct ap_schema *schema, uint64_t schema_id,
                                 const struct ap_text *physical_names,
                                 const struct ap_cell_statistics **out_statistics, ap_error *err) {
  /* Acquire: partner is the release of the exchange below. */
  struct ap_cell_statistics *kept = atomic_load_explicit(&cell->statistics, memory_order_acquire);
  if (kept != NULL && kept->schema_id == schema_id) {
    AP_ASSERT(kept->column_count == schema->field_count);
    *out_statistics = kept;
    return AP_OK;
  }
  struct ap_arena scratch;
  ap_arena_init(&scratch, cell->allocator);
  struct ap_cell_statistics *parsed = NULL;
  ap_status status = parse(cell, &scratch, schema, schema_id, physical_names, &parsed, err);
  if (status != AP_OK) goto done;
  size_t size = statistics_size(parsed->column_count) + texts_size(parsed);
  bool keep = kept == NULL;
  void *block = keep ? ap_allocate(cell->allocator, size) : ap_arena_allocate(arena, size);
  if (block == NULL) {
    status = AP_FAIL_MEMORY(err);
    goto done;
  }
  move_into(block, size, parsed);
  *out_statistics = block;
  /* Release: whoever loads the pointer with acquire sees the whole block. On failure acquire: the
   * winner's block is read. */
  if (keep && !atomic_compare_exchange_strong_explicit(
                  &cell->statistics, &kept, block, memory_order_release, memory_order_acquire)) {
    ap_free(cell->allocator, block);
    ap_arena_deinit(&scratch);
    /* The slot is taken for good now: this returns the winner's, or parses into the arena. */
    return ap_cell_statistics_get(cell, arena, schema, schema_id, physical_names, out_statistics,
                                  err);
  }
done:
  ap_arena_deinit(&scratch);
  return status;
}
