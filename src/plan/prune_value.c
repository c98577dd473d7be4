/* SPDX-License-Identifier: Apache-2.0
 *
 * Constants and columns as the engine compares them: which type a literal takes, which casts keep
 * values and order, and when two types meet without rounding that our own comparison does not know.
 * Whatever is not certain is not understood.
 * Pure.
 */
#include "plan/prune_expr.h"

#include <math.h>

enum { DECIMAL_DIGITS_MAX = 38, HUGEINT_DIGITS = 39 };

#define DOUBLE_EXACT_MAX ((ap_int128)1 << 53)
#define FLOAT_EXACT_MAX  ((ap_int128)1 << 24)

/* What may be compared with each other at all. */
enum family {
  FAMILY_NONE,
  FAMILY_NUMBER,
  FAMILY_BOOLEAN,
  FAMILY_TEXT,
  FAMILY_DAY, /* dates and timestamps without zone */
  FAMILY_INSTANT,
  FAMILY_TIME,
};

static const struct {
  const char *id;
  enum ap_type_kind kind;
} type_ids[] = {
    {"BOOLEAN", AP_TYPE_BOOLEAN},
    {"TINYINT", AP_TYPE_INT8},
    {"SMALLINT", AP_TYPE_INT16},
    {"INTEGER", AP_TYPE_INT32},
    {"BIGINT", AP_TYPE_INT64},
    {"UTINYINT", AP_TYPE_UINT8},
    {"USMALLINT", AP_TYPE_UINT16},
    {"UINTEGER", AP_TYPE_UINT32},
    {"UBIGINT", AP_TYPE_UINT64},
    {"FLOAT", AP_TYPE_FLOAT32},
    {"DOUBLE", AP_TYPE_FLOAT64},
    {"DECIMAL", AP_TYPE_DECIMAL},
    {"VARCHAR", AP_TYPE_STRING},
    {"DATE", AP_TYPE_DATE},
    {"TIME", AP_TYPE_TIME},
    {"TIMESTAMP", AP_TYPE_TIMESTAMP},
    {"TIMESTAMP WITH TIME ZONE", AP_TYPE_TIMESTAMP_TZ},
};

static struct ap_text text_of(const struct ap_json *node, const char *name) {
  struct ap_text text;
  if (!ap_json_get_text(node, name, (struct ap_text){0}, &text)) return (struct ap_text){0};
  return text;
}

static bool read_type(const struct ap_json *node, struct ap_type *out_type) {
  struct ap_text id = text_of(node, "id");
  const struct ap_json *info = ap_json_find(node, "type_info");
  *out_type = (struct ap_type){.kind = AP_TYPE_NULL};
  for (size_t i = 0; i < sizeof(type_ids) / sizeof(*type_ids); i++) {
    if (ap_text_equal_string(id, type_ids[i].id)) out_type->kind = type_ids[i].kind;
  }
  if (out_type->kind == AP_TYPE_NULL) return false;
  if (out_type->kind != AP_TYPE_DECIMAL) return ap_json_is_null(info);
  int64_t width;
  int64_t scale;
  if (!ap_json_get_i64(info, "width", 0, &width) || !ap_json_get_i64(info, "scale", 0, &scale)) {
    return false;
  }
  if (width < 1 || width > DECIMAL_DIGITS_MAX || scale < 0 || scale > width) return false;
  out_type->precision = (uint8_t)width;
  out_type->scale = (uint8_t)scale;
  return true;
}

/* Digits before the point; 0 for what is no exact number. */
static uint8_t whole_digits_of(const struct ap_type *type) {
  switch (type->kind) {
    case AP_TYPE_INT8:
    case AP_TYPE_UINT8:
      return 3;
    case AP_TYPE_INT16:
    case AP_TYPE_UINT16:
      return 5;
    case AP_TYPE_INT32:
    case AP_TYPE_UINT32:
      return 10;
    case AP_TYPE_INT64:
      return 19;
    case AP_TYPE_UINT64:
      return 20;
    case AP_TYPE_DECIMAL:
      return (uint8_t)(type->precision - type->scale);
    default:
      return 0;
  }
}

static bool is_integer(enum ap_type_kind kind) {
  return kind >= AP_TYPE_INT8 && kind <= AP_TYPE_UINT64;
}

static bool is_float(enum ap_type_kind kind) {
  return kind == AP_TYPE_FLOAT32 || kind == AP_TYPE_FLOAT64;
}

static enum family family_of(const struct ap_type *type) {
  if (is_integer(type->kind) || is_float(type->kind) || type->kind == AP_TYPE_DECIMAL) {
    return FAMILY_NUMBER;
  }
  switch (type->kind) {
    case AP_TYPE_BOOLEAN:
      return FAMILY_BOOLEAN;
    case AP_TYPE_STRING:
      return FAMILY_TEXT;
    case AP_TYPE_DATE:
      return FAMILY_DAY;
    case AP_TYPE_TIMESTAMP:
      return type->unit == AP_UNIT_MICROSECOND ? FAMILY_DAY : FAMILY_NONE;
    case AP_TYPE_TIMESTAMP_TZ:
      return type->unit == AP_UNIT_MICROSECOND ? FAMILY_INSTANT : FAMILY_NONE;
    case AP_TYPE_TIME:
      return type->unit == AP_UNIT_MICROSECOND ? FAMILY_TIME : FAMILY_NONE;
    default:
      return FAMILY_NONE;
  }
}

bool ap_prune_column(const struct ap_type *type, struct ap_prune_operand *out_operand) {
  *out_operand = (struct ap_prune_operand){
      .kind = AP_PRUNE_COLUMN, .type = *type, .whole_digits = whole_digits_of(type)};
  return family_of(type) != FAMILY_NONE;
}

static bool parse_i128(struct ap_text text, ap_int128 *out_number) {
  bool negative = text.size > 0 && text.data[0] == '-';
  ap_int128 number = 0;
  size_t first = negative ? 1 : 0;
  if (text.size == first || text.size > 40) return false;
  for (size_t i = first; i < text.size; i++) {
    if (text.data[i] < '0' || text.data[i] > '9') return false;
    if (__builtin_mul_overflow(number, (ap_int128)10, &number)) return false;
    if (__builtin_sub_overflow(number, (ap_int128)(text.data[i] - '0'), &number)) return false;
  }
  if (!negative && __builtin_sub_overflow((ap_int128)0, number, &number)) return false;
  *out_number = number;
  return true;
}

/* A number, or {"upper": hi, "lower": lo} of 64 bits each. */
static bool read_i128(const struct ap_json *value, ap_int128 *out_number) {
  if (!value) return false;
  if (value->kind == AP_JSON_NUMBER) return parse_i128(value->text, out_number);
  const struct ap_json *upper = ap_json_find(value, "upper");
  const struct ap_json *lower = ap_json_find(value, "lower");
  ap_int128 high;
  ap_int128 low;
  if (!upper || upper->kind != AP_JSON_NUMBER || !parse_i128(upper->text, &high)) return false;
  if (!lower || lower->kind != AP_JSON_NUMBER || !parse_i128(lower->text, &low)) return false;
  if (high > INT64_MAX || high < INT64_MIN || low < 0 || low > UINT64_MAX) return false;
  *out_number = high * ((ap_int128)1 << 64) + low;
  return true;
}

static void set_integer(struct ap_prune_operand *operand, ap_int128 number) {
  operand->value = (struct ap_value){.kind = AP_VALUE_INTEGER};
  operand->value.decimal = number;
}

static bool read_double(const struct ap_json *value, struct ap_value *out_value) {
  if (!value || value->kind != AP_JSON_NUMBER) return false;
  *out_value = (struct ap_value){.kind = AP_VALUE_FLOAT, .is_double = true};
  /* What the engine wrote as Infinity: see ap_tree_parse. */
  if (ap_text_equal_string(value->text, "1e999999")) {
    out_value->f64 = INFINITY;
  } else if (ap_text_equal_string(value->text, "-1e999999")) {
    out_value->f64 = -INFINITY;
  } else if (!ap_text_parse_f64(value->text, &out_value->f64)) {
    return false;
  }
  return true;
}

static bool read_number(const struct ap_json *value, struct ap_prune_operand *operand) {
  if (is_float(operand->type.kind)) {
    return operand->type.kind == AP_TYPE_FLOAT64 && read_double(value, &operand->value);
  }
  ap_int128 number;
  if (!read_i128(value, &number)) return false;
  set_integer(operand, number);
  if (operand->type.kind == AP_TYPE_DECIMAL) {
    operand->value.kind = AP_VALUE_DECIMAL;
    operand->value.scale = operand->type.scale;
  }
  return true;
}

static bool constant_of_type(const struct ap_json *value, struct ap_prune_operand *operand) {
  operand->whole_digits = whole_digits_of(&operand->type);
  switch (family_of(&operand->type)) {
    case FAMILY_NUMBER:
      return read_number(value, operand);
    case FAMILY_TEXT:
      if (!value || value->kind != AP_JSON_STRING) return false;
      operand->literal = true;
      operand->value = (struct ap_value){.kind = AP_VALUE_TEXT, .text = value->text};
      return true;
    case FAMILY_BOOLEAN:
      if (!value || (value->kind != AP_JSON_TRUE && value->kind != AP_JSON_FALSE)) return false;
      operand->value = (struct ap_value){.kind = AP_VALUE_BOOLEAN};
      operand->value.i64 = value->kind == AP_JSON_TRUE;
      return true;
    default:
      return false; /* the parser makes no such constants */
  }
}

bool ap_prune_constant(const struct ap_json *value, struct ap_prune_operand *out_operand) {
  *out_operand = (struct ap_prune_operand){.kind = AP_PRUNE_CONSTANT};
  bool is_null;
  if (!ap_json_get_bool(value, "is_null", false, &is_null)) return false;
  if (is_null) {
    out_operand->kind = AP_PRUNE_NULL_CONSTANT;
    return true;
  }
  const struct ap_json *type = ap_json_find(value, "type");
  const struct ap_json *content = ap_json_find(value, "value");
  if (ap_text_equal_string(text_of(type, "id"), "HUGEINT")) {
    ap_int128 number;
    if (!read_i128(content, &number)) return false;
    set_integer(out_operand, number);
    out_operand->type.kind = AP_TYPE_INT64; /* for its family; its digits are its own */
    out_operand->whole_digits = HUGEINT_DIGITS;
    return true;
  }
  return read_type(type, &out_operand->type) && constant_of_type(content, out_operand);
}

bool ap_prune_folded(const struct ap_fold *fold, struct ap_prune_operand *out_operand) {
  const struct ap_constant *constant = &fold->constant;
  *out_operand = (struct ap_prune_operand){.kind = AP_PRUNE_CONSTANT};
  switch (constant->kind) {
    case AP_CONSTANT_NULL:
      out_operand->kind = AP_PRUNE_NULL_CONSTANT;
      return true;
    case AP_CONSTANT_INTERVAL:
      out_operand->kind = AP_PRUNE_INTERVAL;
      out_operand->months = constant->months;
      out_operand->days = constant->days;
      out_operand->value.i64 = constant->micros;
      return true;
    case AP_CONSTANT_UNKNOWN:
      return false;
    case AP_CONSTANT_VALUE:
      break;
  }
  out_operand->value = constant->value;
  out_operand->type = constant->type;
  out_operand->whole_digits = whole_digits_of(&constant->type);
  if (constant->value.kind == AP_VALUE_INTEGER &&
      (constant->value.decimal > INT64_MAX || constant->value.decimal < INT64_MIN)) {
    out_operand->whole_digits = HUGEINT_DIGITS;
  }
  out_operand->is_moving = fold->is_moving;
  out_operand->latest = fold->latest;
  return true;
}

enum ap_type_kind ap_prune_cast_kind(const struct ap_json *cast_type) {
  struct ap_type type;
  return read_type(cast_type, &type) ? type.kind : AP_TYPE_NULL;
}

bool ap_prune_parameter(const struct ap_value *value, struct ap_prune_operand *out_operand) {
  static const enum ap_type_kind kinds[] = {
      [AP_VALUE_NONE] = AP_TYPE_NULL,
      [AP_VALUE_BOOLEAN] = AP_TYPE_BOOLEAN,
      [AP_VALUE_INTEGER] = AP_TYPE_INT64,
      [AP_VALUE_DECIMAL] = AP_TYPE_DECIMAL,
      [AP_VALUE_FLOAT] = AP_TYPE_FLOAT64,
      [AP_VALUE_DATE] = AP_TYPE_DATE,
      [AP_VALUE_TIME] = AP_TYPE_TIME,
      [AP_VALUE_TIMESTAMP] = AP_TYPE_TIMESTAMP,
      [AP_VALUE_TIMESTAMP_TZ] = AP_TYPE_TIMESTAMP_TZ,
      [AP_VALUE_TEXT] = AP_TYPE_STRING,
  };
  *out_operand = (struct ap_prune_operand){.kind = AP_PRUNE_CONSTANT,
                                           .value = *value,
                                           .type = {.kind = kinds[value->kind]},
                                           .parameter = true};
  if (value->kind == AP_VALUE_DECIMAL) {
    out_operand->type.precision = DECIMAL_DIGITS_MAX;
    out_operand->type.scale = value->scale;
  }
  if (value->kind == AP_VALUE_FLOAT) out_operand->value.is_double = true;
  out_operand->literal = value->kind == AP_VALUE_TEXT;
  out_operand->whole_digits = whole_digits_of(&out_operand->type);
  return value->kind != AP_VALUE_NONE;
}

/* A picture: d is a digit, anything else itself. */
static bool fits(struct ap_text text, const char *picture) {
  struct ap_text wanted = ap_text_of(picture);
  if (text.size < wanted.size) return false;
  for (size_t i = 0; i < wanted.size; i++) {
    bool digit = text.data[i] >= '0' && text.data[i] <= '9';
    if (wanted.data[i] == 'd' ? !digit : text.data[i] != wanted.data[i]) return false;
  }
  return true;
}

static struct ap_text behind(struct ap_text text, size_t size) {
  return (struct ap_text){text.data + size, text.size - size};
}

/* HH:MM:SS and up to six digits of a fraction; *out_rest is what stands behind. */
static bool fits_clock(struct ap_text text, struct ap_text *out_rest) {
  if (!fits(text, "dd:dd:dd")) return false;
  text = behind(text, 8);
  if (fits(text, ".d")) {
    text = behind(text, 1);
    for (int i = 0; i < 6 && fits(text, "d"); i++) text = behind(text, 1);
    if (fits(text, "d")) return false;
  }
  *out_rest = text;
  return true;
}

static bool fits_timestamp(struct ap_text text, bool with_zone) {
  if (!fits(text, "dddd-dd-dd") || fits(text, "0000")) return false;
  text = behind(text, 10);
  if (text.size == 0) return true;
  if (text.data[0] != ' ' && text.data[0] != 'T') return false;
  if (!fits_clock(behind(text, 1), &text)) return false;
  if (text.size == 0) return true;
  if (!with_zone) return false;
  if (text.size == 1) return text.data[0] == 'Z';
  return (text.size == 3 && (fits(text, "+dd") || fits(text, "-dd"))) ||
         (text.size == 6 && (fits(text, "+dd:dd") || fits(text, "-dd:dd")));
}

/* Only forms that the engine reads just as we do. */
static bool parse_literal(struct ap_text text, const struct ap_type *type,
                          struct ap_value *out_value) {
  struct ap_text rest;
  switch (type->kind) {
    case AP_TYPE_DATE:
      if (text.size != 10 || !fits_timestamp(text, false)) return false;
      break;
    case AP_TYPE_TIMESTAMP:
    case AP_TYPE_TIMESTAMP_TZ:
      if (!fits_timestamp(text, type->kind == AP_TYPE_TIMESTAMP_TZ)) return false;
      break;
    case AP_TYPE_TIME:
      if (!fits_clock(text, &rest) || rest.size > 0) return false;
      break;
    case AP_TYPE_DECIMAL:
      for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == 'e' || text.data[i] == 'E') return false;
      }
      break;
    case AP_TYPE_BOOLEAN:
      if (ap_text_equal_string(text, "t")) text = AP_TEXT("true");
      if (ap_text_equal_string(text, "f")) text = AP_TEXT("false");
      break;
    default:
      break;
  }
  return ap_value_parse(text, type, out_value);
}

static bool apply_literal(struct ap_prune_operand *operand, const struct ap_type *type) {
  struct ap_value value;
  if (family_of(type) == FAMILY_NONE) return false;
  if (!parse_literal(operand->value.text, type, &value)) return false;
  operand->value = value;
  operand->type = *type;
  operand->whole_digits = whole_digits_of(type);
  operand->literal = false;
  return true;
}

/* May every value of `from` be cast to `to` unchanged and without failing? */
static bool cast_keeps(const struct ap_prune_operand *from, const struct ap_type *to) {
  const struct ap_type *type = &from->type;
  if (type->kind == to->kind && type->kind != AP_TYPE_DECIMAL) return true;
  if (type->kind == AP_TYPE_FLOAT32) return to->kind == AP_TYPE_FLOAT64;
  if (type->kind == AP_TYPE_DATE) return to->kind == AP_TYPE_TIMESTAMP;
  if (!is_integer(type->kind) && type->kind != AP_TYPE_DECIMAL) return false;
  if (to->kind == AP_TYPE_DECIMAL) {
    return to->scale >= type->scale && whole_digits_of(to) >= from->whole_digits;
  }
  return is_integer(type->kind) && is_integer(to->kind) && ap_type_widens(type, to);
}

static bool cast_integer_constant(struct ap_prune_operand *operand, const struct ap_type *to) {
  ap_int128 number = operand->value.decimal;
  if (is_float(to->kind)) {
    ap_int128 max = to->kind == AP_TYPE_FLOAT64 ? DOUBLE_EXACT_MAX : FLOAT_EXACT_MAX;
    if (number > max || number < -max) return false;
    operand->value =
        (struct ap_value){.kind = AP_VALUE_FLOAT, .is_double = to->kind == AP_TYPE_FLOAT64};
    operand->value.f64 = (double)number;
    return true;
  }
  if (to->kind == AP_TYPE_DECIMAL) {
    ap_int128 limit = 1;
    for (int i = 0; i < whole_digits_of(to); i++) limit *= 10;
    return number < limit && number > -limit;
  }
  if (!is_integer(to->kind)) return false;
  bool is_signed = to->kind <= AP_TYPE_INT64;
  int bits = 8 << (is_signed ? to->kind - AP_TYPE_INT8 : to->kind - AP_TYPE_UINT8);
  ap_int128 span = (ap_int128)1 << (is_signed ? bits - 1 : bits);
  return number < span && number >= (is_signed ? -span : 0);
}

bool ap_prune_cast(struct ap_prune_operand *operand, const struct ap_json *cast_type) {
  struct ap_type to;
  if (operand->kind == AP_PRUNE_NULL_CONSTANT) return true;
  if (operand->parameter || !read_type(cast_type, &to)) return false;
  if (operand->literal) return apply_literal(operand, &to);
  if (operand->kind == AP_PRUNE_INTERVAL) return false;
  bool kept = cast_keeps(operand, &to);
  if (!kept && operand->kind == AP_PRUNE_CONSTANT && operand->value.kind == AP_VALUE_INTEGER) {
    kept = cast_integer_constant(operand, &to);
  }
  if (!kept) return false;
  if (operand->type.kind == AP_TYPE_FLOAT32 && to.kind == AP_TYPE_FLOAT64) {
    operand->widened = true;
    operand->value.is_double = true;
  }
  operand->type = to;
  operand->whole_digits = whole_digits_of(&to);
  return true;
}

bool ap_prune_negate(struct ap_prune_operand *operand) {
  if (operand->kind != AP_PRUNE_CONSTANT || operand->parameter || operand->is_moving) return false;
  switch (operand->value.kind) {
    case AP_VALUE_INTEGER:
    case AP_VALUE_DECIMAL:
      return !__builtin_sub_overflow((ap_int128)0, operand->value.decimal, &operand->value.decimal);
    case AP_VALUE_FLOAT:
      operand->value.f64 = -operand->value.f64;
      return true;
    default:
      return false;
  }
}

/* A parameter may be cast to the column's type or meet it in a common one: taken only where both
 * come to the same. */
static bool parameter_fits(const struct ap_prune_operand *parameter,
                           const struct ap_prune_operand *column) {
  if (column->kind != AP_PRUNE_COLUMN) return false;
  enum ap_type_kind to = column->type.kind;
  switch (parameter->value.kind) {
    case AP_VALUE_INTEGER:
      return true;
    case AP_VALUE_DECIMAL:
      return is_float(to) ||
             (to == AP_TYPE_DECIMAL && column->type.scale >= parameter->value.scale);
    case AP_VALUE_FLOAT:
      return to == AP_TYPE_FLOAT64;
    case AP_VALUE_TIMESTAMP:
      return to == AP_TYPE_TIMESTAMP;
    default:
      return true;
  }
}

/* Exact numbers meet in a decimal that holds both, or are rounded in ways we do not follow. */
static bool numbers_meet(const struct ap_prune_operand *operands, uint32_t count,
                         bool has_float_literal) {
  bool any_float = false;
  bool any_exact = false;
  bool any_decimal = false;
  bool any_double = false;
  int whole = 0;
  int scale = 0;
  for (uint32_t i = 0; i < count; i++) {
    const struct ap_prune_operand *operand = &operands[i];
    if (operand->kind == AP_PRUNE_NULL_CONSTANT) continue;
    if (is_float(operand->type.kind)) {
      any_float = true;
      any_double = any_double || operand->type.kind == AP_TYPE_FLOAT64;
      continue;
    }
    any_exact = true;
    any_decimal = any_decimal || operand->type.kind == AP_TYPE_DECIMAL;
    if (operand->whole_digits > whole) whole = operand->whole_digits;
    if (operand->type.scale > scale) scale = operand->type.scale;
  }
  /* '0.1' beside a float and a double is not 0.1 as float. */
  if (has_float_literal && any_double) return false;
  /* In a list with a float even the exact ones may meet as floats. */
  if (any_float && any_exact) return count == 2 || is_float(operands[0].type.kind);
  return !any_decimal || whole + scale <= DECIMAL_DIGITS_MAX;
}

/* What literals and parameters adapt to: a column, else anything with a type of its own. */
static const struct ap_prune_operand *find_model(const struct ap_prune_operand *operands,
                                                 uint32_t count) {
  const struct ap_prune_operand *typed = NULL;
  for (uint32_t i = 0; i < count; i++) {
    if (operands[i].kind == AP_PRUNE_COLUMN) return &operands[i];
    if (operands[i].kind == AP_PRUNE_CONSTANT && !operands[i].literal && !typed) {
      typed = &operands[i];
    }
  }
  return typed;
}

bool ap_prune_unify(struct ap_prune_operand *operands, uint32_t count) {
  static const struct ap_prune_operand text = {.type = {.kind = AP_TYPE_STRING}};
  const struct ap_prune_operand *found = find_model(operands, count);
  const struct ap_prune_operand *model = found ? found : &text;
  enum family family = family_of(&model->type);
  if (family == FAMILY_NONE) return false;
  bool has_float_literal = false;
  for (uint32_t i = 0; i < count; i++) {
    struct ap_prune_operand *operand = &operands[i];
    if (operand->kind == AP_PRUNE_NULL_CONSTANT) continue;
    if (operand->literal) {
      has_float_literal = has_float_literal || model->type.kind == AP_TYPE_FLOAT32;
      if (!apply_literal(operand, &model->type)) return false;
    }
    if (family_of(&operand->type) != family) return false;
    if (operand->parameter && !parameter_fits(operand, model)) return false;
  }
  return family != FAMILY_NUMBER || numbers_meet(operands, count, has_float_literal);
}
