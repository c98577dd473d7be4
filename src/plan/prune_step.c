/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions of a column that keep its order, or turn it round, all the way: what such a function
 * may give over a cell lies between what it gives for the column's bounds. Computed here just as
 * the engine computes them; where that is not certain, the bound is unknown.
 * Pure.
 */
#include "plan/prune_expr.h"

#include <math.h>
#include <string.h>

#define DAY_US    ((int64_t)86400 * 1000000)
#define EXACT_MAX ((ap_int128)1 << 53) /* as a double */
#define DAYS_MAX  ((int64_t)2000000000)

enum { HUGEINT_DIGITS = 39, DECIMAL_EXACT_SCALE_MAX = 22 };

static int64_t floor_divide(int64_t value, int64_t by) {
  int64_t quotient = value / by;
  return value % by < 0 ? quotient - 1 : quotient;
}

/* ---- applying -------------------------------------------------------------------------------- */

static bool to_days(const struct ap_value *value, int64_t *out_days) {
  if (value->kind == AP_VALUE_DATE) {
    *out_days = value->i64;
  } else if (value->kind == AP_VALUE_TIMESTAMP) {
    *out_days = floor_divide(value->i64, DAY_US);
  } else {
    return false;
  }
  return *out_days >= -DAYS_MAX && *out_days <= DAYS_MAX;
}

static bool to_micros(const struct ap_value *value, int64_t *out_micros) {
  if (value->kind == AP_VALUE_TIMESTAMP || value->kind == AP_VALUE_TIMESTAMP_TZ) {
    *out_micros = value->i64;
    return true;
  }
  return value->kind == AP_VALUE_DATE && !__builtin_mul_overflow(value->i64, DAY_US, out_micros);
}

static void set_timestamp(struct ap_value *value, int64_t micros) {
  bool zoned = value->kind == AP_VALUE_TIMESTAMP_TZ;
  *value = (struct ap_value){.kind = zoned ? AP_VALUE_TIMESTAMP_TZ : AP_VALUE_TIMESTAMP};
  value->i64 = micros;
}

static bool truncate_days(enum ap_prune_unit unit, int64_t *days) {
  int64_t year;
  int month;
  int day;
  ap_civil_from_days(*days, &year, &month, &day);
  switch (unit) {
    case AP_PRUNE_YEAR:
      *days = ap_days_from_civil(year, 1, 1);
      return true;
    case AP_PRUNE_QUARTER:
      *days = ap_days_from_civil(year, (month - 1) / 3 * 3 + 1, 1);
      return true;
    case AP_PRUNE_MONTH:
      *days = ap_days_from_civil(year, month, 1);
      return true;
    case AP_PRUNE_WEEK:
      *days = floor_divide(*days + 3, 7) * 7 - 3; /* day 0 was a Thursday */
      return true;
    case AP_PRUNE_DAY:
      return true;
    default:
      return false;
  }
}

static bool truncate_value(enum ap_prune_unit unit, struct ap_value *value) {
  int64_t days;
  int64_t micros;
  int64_t size = unit == AP_PRUNE_HOUR     ? INT64_C(3600000000)
                 : unit == AP_PRUNE_MINUTE ? INT64_C(60000000)
                                           : INT64_C(1000000);
  if (unit >= AP_PRUNE_HOUR) {
    if (!to_micros(value, &micros)) return false;
    if (__builtin_mul_overflow(floor_divide(micros, size), size, &micros)) return false;
  } else {
    if (!to_days(value, &days) || !truncate_days(unit, &days)) return false;
    if (__builtin_mul_overflow(days, DAY_US, &micros)) return false;
  }
  set_timestamp(value, micros);
  return true;
}

static bool add_interval(const struct ap_prune_step *step, struct ap_value *value) {
  int64_t micros;
  if (step->months != 0) { /* of dates only */
    int64_t days;
    int64_t year;
    int month;
    int day;
    if (value->kind != AP_VALUE_DATE || !to_days(value, &days)) return false;
    ap_civil_from_days(days, &year, &month, &day);
    int64_t months = year * 12 + month - 1 + step->months;
    year = floor_divide(months, 12);
    month = (int)(months - year * 12) + 1;
    int64_t first = ap_days_from_civil(year, month, 1);
    int64_t next =
        month == 12 ? ap_days_from_civil(year + 1, 1, 1) : ap_days_from_civil(year, month + 1, 1);
    value->i64 = first + (day <= next - first ? day : next - first) - 1;
  }
  if (!to_micros(value, &micros)) return false;
  if (__builtin_add_overflow(micros, step->micros, &micros)) return false;
  set_timestamp(value, micros);
  return true;
}

static bool calculate(const struct ap_prune_step *step, struct ap_value *value) {
  if (value->kind == AP_VALUE_FLOAT) {
    double number = value->f64;
    value->f64 = step->kind == AP_PRUNE_STEP_ADD        ? number + step->f64
                 : step->kind == AP_PRUNE_STEP_SUBTRACT ? step->f64 - number
                                                        : number * step->f64;
    return true;
  }
  if (value->kind == AP_VALUE_DATE) {
    return step->kind == AP_PRUNE_STEP_ADD && step->number <= DAYS_MAX &&
           step->number >= -DAYS_MAX &&
           !__builtin_add_overflow(value->i64, (int64_t)step->number, &value->i64);
  }
  if (value->kind != AP_VALUE_INTEGER) return false;
  switch (step->kind) {
    case AP_PRUNE_STEP_ADD:
      return !__builtin_add_overflow(value->decimal, step->number, &value->decimal);
    case AP_PRUNE_STEP_SUBTRACT:
      return !__builtin_sub_overflow(step->number, value->decimal, &value->decimal);
    default:
      return !__builtin_mul_overflow(value->decimal, step->number, &value->decimal);
  }
}

/* The first characters of a text. */
static void cut(struct ap_value *value, ap_int128 characters) {
  size_t size = 0;
  for (; size < value->text.size; size++) {
    bool starts = ((uint8_t)value->text.data[size] & 0xc0) != 0x80;
    if (starts && characters-- == 0) break;
  }
  value->text.size = size;
}

static bool apply_one(const struct ap_prune_step *step, struct ap_value *value) {
  int64_t days;
  int64_t year;
  int month;
  int day;
  switch (step->kind) {
    case AP_PRUNE_STEP_ADD:
    case AP_PRUNE_STEP_SUBTRACT:
    case AP_PRUNE_STEP_MULTIPLY:
      return calculate(step, value);
    case AP_PRUNE_STEP_DOUBLE:
      if (value->kind != AP_VALUE_INTEGER) return false;
      *value = (struct ap_value){
          .kind = AP_VALUE_FLOAT, .is_double = true, .f64 = (double)value->decimal};
      return true;
    case AP_PRUNE_STEP_DATE:
    case AP_PRUNE_STEP_YEAR_OF:
      if (!to_days(value, &days)) return false;
      ap_civil_from_days(days, &year, &month, &day);
      if (step->kind == AP_PRUNE_STEP_DATE) {
        *value = (struct ap_value){.kind = AP_VALUE_DATE};
        value->i64 = days;
      } else {
        *value = (struct ap_value){.kind = AP_VALUE_INTEGER};
        value->decimal = year;
      }
      return true;
    case AP_PRUNE_STEP_INTERVAL:
      return add_interval(step, value);
    case AP_PRUNE_STEP_TRUNCATE:
      return truncate_value(step->unit, value);
    case AP_PRUNE_STEP_CUT:
      if (value->kind != AP_VALUE_TEXT) return false;
      cut(value, step->number);
      return true;
  }
  return false;
}

void ap_prune_steps_apply(const struct ap_prune_step *steps, struct ap_value *min,
                          struct ap_value *max, bool *may_be_null) {
  if (!steps) return;
  ap_prune_steps_apply(steps->inner, min, max, may_be_null); /* a few levels: one per function */
  /* Infinite times have no bounds here, and no year. */
  if (min->kind == AP_VALUE_NONE || max->kind == AP_VALUE_NONE) *may_be_null = true;
  if (min->kind != AP_VALUE_NONE && !apply_one(steps, min)) min->kind = AP_VALUE_NONE;
  if (max->kind != AP_VALUE_NONE && !apply_one(steps, max)) max->kind = AP_VALUE_NONE;
  if (!steps->turns) return;
  /* NaN is the greatest, and stays so when all others turn round. */
  if (min->kind == AP_VALUE_FLOAT && max->kind == AP_VALUE_NONE) min->kind = AP_VALUE_NONE;
  struct ap_value swapped = *min;
  *min = *max;
  *max = swapped;
}

/* ---- understanding --------------------------------------------------------------------------- */

static bool is_integer_type(const struct ap_type *type) {
  return type->kind >= AP_TYPE_INT8 && type->kind <= AP_TYPE_UINT64;
}

static bool is_number(const struct ap_prune_operand *operand) {
  return operand->kind == AP_PRUNE_CONSTANT && !operand->literal && !operand->parameter &&
         !operand->is_moving;
}

static bool is_whole_number(const struct ap_prune_operand *operand) {
  return is_number(operand) && operand->value.kind == AP_VALUE_INTEGER &&
         operand->value.decimal <= INT64_MAX && operand->value.decimal >= INT64_MIN;
}

/* A constant as the double that the engine makes of it, where that takes no rounding of its own. */
static bool as_double(const struct ap_prune_operand *operand, double *out_number) {
  if (!is_number(operand)) return false;
  const struct ap_value *value = &operand->value;
  if (value->kind == AP_VALUE_FLOAT) {
    *out_number = value->f64;
    return value->is_double && isfinite(value->f64);
  }
  bool exact = value->decimal <= EXACT_MAX && value->decimal >= -EXACT_MAX;
  double divisor = 1;
  if (value->kind == AP_VALUE_DECIMAL) {
    exact = exact && value->scale <= DECIMAL_EXACT_SCALE_MAX;
    for (int i = 0; exact && i < value->scale; i++) divisor *= 10;
  } else if (value->kind != AP_VALUE_INTEGER) {
    return false;
  }
  *out_number = (double)value->decimal / divisor;
  return exact;
}

static bool is_text(const struct ap_prune_operand *operand, struct ap_text *out_text) {
  *out_text = operand->value.text;
  return operand->kind == AP_PRUNE_CONSTANT && !operand->parameter &&
         operand->value.kind == AP_VALUE_TEXT;
}

static bool read_unit(struct ap_text text, enum ap_prune_unit *out_unit) {
  static const char *const units[] = {
      [AP_PRUNE_YEAR] = "year",     [AP_PRUNE_QUARTER] = "quarter", [AP_PRUNE_MONTH] = "month",
      [AP_PRUNE_WEEK] = "week",     [AP_PRUNE_DAY] = "day",         [AP_PRUNE_HOUR] = "hour",
      [AP_PRUNE_MINUTE] = "minute", [AP_PRUNE_SECOND] = "second"};
  if (text.size > 1 && text.data[text.size - 1] == 's') text.size--;
  for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
    if (!ap_text_equal_ignoring_case(text, ap_text_of(units[i]))) continue;
    *out_unit = (enum ap_prune_unit)i;
    return true;
  }
  return false;
}

static bool has_days(const struct ap_prune_operand *column) {
  return column->type.kind == AP_TYPE_DATE ||
         (column->type.kind == AP_TYPE_TIMESTAMP && column->type.unit == AP_UNIT_MICROSECOND);
}

static void set_type(struct ap_prune_operand *column, enum ap_type_kind kind) {
  column->type = (struct ap_type){.kind = kind, .unit = AP_UNIT_MICROSECOND};
  column->whole_digits = is_integer_type(&column->type) ? HUGEINT_DIGITS : 0;
}

static bool understand_interval(const struct ap_prune_operand *interval, bool subtract,
                                struct ap_prune_operand *column, struct ap_prune_step *step) {
  int64_t sign = subtract ? -1 : 1;
  bool zoned = column->type.kind == AP_TYPE_TIMESTAMP_TZ;
  if (!has_days(column) && !zoned) return false;
  if (zoned && (interval->months != 0 || interval->days != 0)) return false;
  if (interval->months != 0 && column->type.kind != AP_TYPE_DATE) return false;
  step->kind = AP_PRUNE_STEP_INTERVAL;
  step->months = sign * interval->months;
  if (__builtin_mul_overflow(interval->value.i64, sign, &step->micros)) return false;
  if (__builtin_add_overflow(step->micros, sign * interval->days * DAY_US, &step->micros)) {
    return false;
  }
  if (!zoned) set_type(column, AP_TYPE_TIMESTAMP);
  return true;
}

static bool understand_sum(struct ap_text name, struct ap_prune_operand *operands, uint32_t at,
                           struct ap_prune_step *step) {
  struct ap_prune_operand *column = &operands[at];
  const struct ap_prune_operand *constant = &operands[1 - at];
  bool subtract = ap_text_equal_string(name, "-");
  bool multiply = ap_text_equal_string(name, "*");
  if (constant->kind == AP_PRUNE_INTERVAL) {
    return !multiply && !(subtract && at == 1) &&
           understand_interval(constant, subtract, column, step);
  }
  step->kind = multiply              ? AP_PRUNE_STEP_MULTIPLY
               : subtract && at == 1 ? AP_PRUNE_STEP_SUBTRACT
                                     : AP_PRUNE_STEP_ADD;
  step->turns = step->kind == AP_PRUNE_STEP_SUBTRACT;
  bool negates = subtract && at == 0;
  if (column->type.kind == AP_TYPE_FLOAT64) {
    if (!as_double(constant, &step->f64)) return false;
    if (negates) step->f64 = -step->f64;
    if (multiply && step->f64 == 0) return false; /* infinity times zero */
    if (multiply) step->turns = step->f64 < 0;
    return true;
  }
  if (!is_whole_number(constant)) return false;
  step->number = negates ? -constant->value.decimal : constant->value.decimal;
  if (multiply) step->turns = step->number < 0;
  if (column->type.kind == AP_TYPE_DATE) return step->kind == AP_PRUNE_STEP_ADD;
  /* UBIGINT with a signed number may meet it as a double. */
  if (!is_integer_type(&column->type) || column->type.kind == AP_TYPE_UINT64 ||
      constant->type.kind == AP_TYPE_UINT64) {
    return false;
  }
  set_type(column, AP_TYPE_INT64);
  return true;
}

static bool understand_unit(struct ap_text name, struct ap_prune_operand *operands,
                            struct ap_prune_step *step) {
  struct ap_text unit;
  struct ap_prune_operand *column = &operands[1];
  if (!is_text(&operands[0], &unit) || !has_days(column) || !read_unit(unit, &step->unit)) {
    return false;
  }
  if (ap_text_equal_string(name, "date_trunc") || ap_text_equal_string(name, "datetrunc")) {
    step->kind = AP_PRUNE_STEP_TRUNCATE;
    set_type(column, AP_TYPE_TIMESTAMP);
    return true;
  }
  step->kind = AP_PRUNE_STEP_YEAR_OF;
  set_type(column, AP_TYPE_INT64);
  return step->unit == AP_PRUNE_YEAR &&
         (ap_text_equal_string(name, "date_part") || ap_text_equal_string(name, "datepart"));
}

static bool understand_cut(struct ap_text name, struct ap_prune_operand *operands, uint32_t count,
                           struct ap_prune_step *step) {
  bool is_left = ap_text_equal_string(name, "left");
  bool is_part = ap_text_equal_string(name, "substring") || ap_text_equal_string(name, "substr");
  const struct ap_prune_operand *size = &operands[count - 1];
  if (!(is_left && count == 2) && !(is_part && count == 3)) return false;
  if (is_part && (!is_whole_number(&operands[1]) || operands[1].value.decimal != 1)) return false;
  if (operands[0].type.kind != AP_TYPE_STRING || !is_whole_number(size)) return false;
  step->kind = AP_PRUNE_STEP_CUT;
  step->number = size->value.decimal;
  return step->number >= 0;
}

static bool understand(struct ap_text name, struct ap_prune_operand *operands, uint32_t count,
                       uint32_t at, struct ap_prune_step *step) {
  struct ap_prune_operand *column = &operands[at];
  bool is_sum = ap_text_equal_string(name, "+") || ap_text_equal_string(name, "-") ||
                ap_text_equal_string(name, "*");
  if (is_sum && count == 2) return understand_sum(name, operands, at, step);
  if (ap_text_equal_string(name, "year") && count == 1 && has_days(column)) {
    step->kind = AP_PRUNE_STEP_YEAR_OF;
    set_type(column, AP_TYPE_INT64);
    return true;
  }
  if (count == 2 && at == 1) return understand_unit(name, operands, step);
  return at == 0 && understand_cut(name, operands, count, step);
}

bool ap_prune_step_call(struct ap_arena *arena, struct ap_text name,
                        struct ap_prune_operand *operands, uint32_t count, uint32_t at,
                        bool *out_of_memory) {
  struct ap_prune_step step = {.inner = operands[at].steps};
  if (!understand(name, operands, count, at, &step)) return false;
  struct ap_prune_step *kept = AP_ARENA_NEW(arena, struct ap_prune_step);
  if (!kept) {
    *out_of_memory = true;
    return false;
  }
  *kept = step;
  operands[at].steps = kept;
  return true;
}

bool ap_prune_step_cast(struct ap_arena *arena, struct ap_prune_operand *column,
                        enum ap_type_kind to, bool *out_of_memory) {
  struct ap_prune_step step = {.inner = column->steps};
  if (to == AP_TYPE_DATE && has_days(column)) {
    step.kind = AP_PRUNE_STEP_DATE;
  } else if (to == AP_TYPE_FLOAT64 && is_integer_type(&column->type)) {
    step.kind = AP_PRUNE_STEP_DOUBLE;
  } else {
    return false;
  }
  struct ap_prune_step *kept = AP_ARENA_NEW(arena, struct ap_prune_step);
  if (!kept) {
    *out_of_memory = true;
    return false;
  }
  *kept = step;
  column->steps = kept;
  set_type(column, to);
  return true;
}
