/* SPDX-License-Identifier: Apache-2.0
 *
 * The type tree itself: finding, comparing, copying, widening.
 *
 * Pure functions over immutable trees; safe from any thread. Notations live in type_words.c and
 * type_arrow.c.
 */
#include "arrow/type.h"

#include "base/assert.h"
#include "base/limits.h"

#include <string.h>

static bool fields_equal(const struct ap_field *a, const struct ap_field *b, uint32_t count,
                         bool named);
static ap_status copy_fields(struct ap_arena *arena, const struct ap_field *fields, uint32_t count,
                             struct ap_field **out_fields, ap_error *err);
static ap_status copy_json(struct ap_arena *arena, const struct ap_json *value,
                           struct ap_json *out_value, ap_error *err);

int32_t ap_schema_find(const struct ap_schema *schema, struct ap_text name) {
  AP_ASSERT(schema->field_count <= INT32_MAX);
  int32_t near = -1;
  uint32_t near_count = 0;
  for (uint32_t i = 0; i < schema->field_count; i++) {
    if (ap_text_equal(schema->fields[i].name, name)) return (int32_t)i;
    if (!ap_text_equal_ignoring_case(schema->fields[i].name, name)) continue;
    near = (int32_t)i;
    near_count++;
  }
  return near_count == 1 ? near : -1;
}

static bool has_unit(enum ap_type_kind kind) {
  return kind == AP_TYPE_TIME || kind == AP_TYPE_TIMESTAMP || kind == AP_TYPE_TIMESTAMP_TZ;
}

bool ap_type_equal(const struct ap_type *a, const struct ap_type *b) {
  if (a->kind != b->kind || a->field_count != b->field_count) return false;
  if (has_unit(a->kind) && a->unit != b->unit) return false;
  if (a->kind == AP_TYPE_DECIMAL && (a->precision != b->precision || a->scale != b->scale)) {
    return false;
  }
  /* The children of lists and maps have roles, not names: writers call them as they like. */
  return fields_equal(a->fields, b->fields, a->field_count, a->kind == AP_TYPE_STRUCT);
}

static bool fields_equal(const struct ap_field *a, const struct ap_field *b, uint32_t count,
                         bool named) {
  for (uint32_t i = 0; i < count; i++) {
    if (a[i].nullable != b[i].nullable) return false;
    if (named && !ap_text_equal(a[i].name, b[i].name)) return false;
    if (!ap_type_equal(&a[i].type, &b[i].type)) return false;
  }
  return true;
}

bool ap_schema_equal(const struct ap_schema *a, const struct ap_schema *b) {
  return a->field_count == b->field_count &&
         fields_equal(a->fields, b->fields, a->field_count, true);
}

ap_status ap_schema_copy(struct ap_arena *arena, const struct ap_schema *schema,
                         struct ap_schema *out_copy, ap_error *err) {
  struct ap_field *fields = NULL;
  AP_TRY(copy_fields(arena, schema->fields, schema->field_count, &fields, err));
  *out_copy = (struct ap_schema){schema->field_count, fields};
  return AP_OK;
}

static ap_status copy_fields(struct ap_arena *arena, const struct ap_field *fields, uint32_t count,
                             struct ap_field **out_fields, ap_error *err) {
  *out_fields = NULL;
  if (count == 0) return AP_OK;
  struct ap_field *copies = AP_ARENA_ARRAY(arena, struct ap_field, count);
  if (copies == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < count; i++) {
    copies[i] = fields[i];
    char *name = ap_arena_copy(arena, fields[i].name);
    if (name == NULL) return AP_FAIL_MEMORY(err);
    copies[i].name.data = name;
    struct ap_field *children = NULL;
    AP_TRY(copy_fields(arena, fields[i].type.fields, fields[i].type.field_count, &children, err));
    copies[i].type.fields = children;
    if (fields[i].metadata == NULL) continue;
    struct ap_json *metadata = AP_ARENA_NEW(arena, struct ap_json);
    if (metadata == NULL) return AP_FAIL_MEMORY(err);
    AP_TRY(copy_json(arena, fields[i].metadata, metadata, err));
    copies[i].metadata = metadata;
  }
  *out_fields = copies;
  return AP_OK;
}

static ap_status copy_text(struct ap_arena *arena, struct ap_text text, struct ap_text *out_text,
                           ap_error *err) {
  char *copy = ap_arena_copy(arena, text);
  if (copy == NULL) return AP_FAIL_MEMORY(err);
  *out_text = (struct ap_text){copy, text.size};
  return AP_OK;
}

static ap_status copy_items(struct ap_arena *arena, const struct ap_json *value,
                            struct ap_json *out_value, ap_error *err) {
  out_value->items = AP_ARENA_ARRAY(arena, struct ap_json, value->count);
  if (out_value->items == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < value->count; i++) {
    AP_TRY(copy_json(arena, &value->items[i], &out_value->items[i], err));
  }
  return AP_OK;
}

static ap_status copy_members(struct ap_arena *arena, const struct ap_json *value,
                              struct ap_json *out_value, ap_error *err) {
  out_value->members = AP_ARENA_ARRAY(arena, struct ap_json_member, value->count);
  if (out_value->members == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < value->count; i++) {
    AP_TRY(copy_text(arena, value->members[i].name, &out_value->members[i].name, err));
    AP_TRY(copy_json(arena, &value->members[i].value, &out_value->members[i].value, err));
  }
  return AP_OK;
}

/* The reader limits the depth of JSON, so the recursion is bounded by AP_JSON_DEPTH_MAX. */
static ap_status copy_json(struct ap_arena *arena, const struct ap_json *value,
                           struct ap_json *out_value, ap_error *err) {
  *out_value = *value;
  switch (value->kind) {
    case AP_JSON_NUMBER:
    case AP_JSON_STRING:
      return copy_text(arena, value->text, &out_value->text, err);
    case AP_JSON_ARRAY:
      return value->count == 0 ? AP_OK : copy_items(arena, value, out_value, err);
    case AP_JSON_OBJECT:
      return value->count == 0 ? AP_OK : copy_members(arena, value, out_value, err);
    case AP_JSON_NULL:
    case AP_JSON_FALSE:
    case AP_JSON_TRUE:
      break;
  }
  return AP_OK;
}

/* Properties of the integer kinds; digits 0 for every other kind. */
struct integer {
  bool is_signed;
  uint8_t bits;
  uint8_t digits; /* decimal digits that hold every value */
};

static struct integer integer_of(enum ap_type_kind kind) {
  switch (kind) {
    case AP_TYPE_INT8:
      return (struct integer){true, 8, 3};
    case AP_TYPE_INT16:
      return (struct integer){true, 16, 5};
    case AP_TYPE_INT32:
      return (struct integer){true, 32, 10};
    case AP_TYPE_INT64:
      return (struct integer){true, 64, 19};
    case AP_TYPE_UINT8:
      return (struct integer){false, 8, 3};
    case AP_TYPE_UINT16:
      return (struct integer){false, 16, 5};
    case AP_TYPE_UINT32:
      return (struct integer){false, 32, 10};
    case AP_TYPE_UINT64:
      return (struct integer){false, 64, 20};
    default:
      return (struct integer){false, 0, 0};
  }
}

/* Bits of the significand: integers up to 2^bits are exact. 0 for kinds that do not float. */
static uint8_t significand_bits(enum ap_type_kind kind) {
  switch (kind) {
    case AP_TYPE_FLOAT16:
      return 11;
    case AP_TYPE_FLOAT32:
      return 24;
    case AP_TYPE_FLOAT64:
      return 53;
    default:
      return 0;
  }
}

static bool integer_widens(struct integer from, const struct ap_type *to) {
  struct integer target = integer_of(to->kind);
  if (target.bits > 0) {
    if (from.is_signed == target.is_signed) return from.bits <= target.bits;
    return target.is_signed && from.bits < target.bits;
  }
  if (to->kind == AP_TYPE_DECIMAL) return to->precision - to->scale >= from.digits;
  uint8_t value_bits = from.is_signed ? (uint8_t)(from.bits - 1) : from.bits;
  return value_bits <= significand_bits(to->kind);
}

static bool fields_widen(const struct ap_type *from, const struct ap_type *to) {
  if (from->field_count != to->field_count) return false;
  for (uint32_t i = 0; i < from->field_count; i++) {
    const struct ap_field *a = &from->fields[i];
    const struct ap_field *b = &to->fields[i];
    if (from->kind == AP_TYPE_STRUCT && !ap_text_equal(a->name, b->name)) return false;
    if (!b->nullable && (a->nullable || a->type.kind == AP_TYPE_NULL)) return false;
    if (!ap_type_widens(&a->type, &b->type)) return false;
  }
  return true;
}

bool ap_type_widens(const struct ap_type *from, const struct ap_type *to) {
  if (from->kind == AP_TYPE_NULL) return true;
  struct integer integer = integer_of(from->kind);
  if (integer.bits > 0) return integer_widens(integer, to);
  uint8_t significand = significand_bits(from->kind);
  if (significand > 0) return significand <= significand_bits(to->kind);
  if (from->kind != to->kind) return false;
  if (from->kind == AP_TYPE_DECIMAL) {
    return from->scale <= to->scale && from->precision - from->scale <= to->precision - to->scale;
  }
  if (has_unit(from->kind)) return from->unit == to->unit || to->unit == AP_UNIT_MICROSECOND;
  return fields_widen(from, to);
}
