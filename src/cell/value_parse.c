/* SPDX-License-Identifier: Apache-2.0
 *
 * Values from their texts. A text is taken exactly or not at all: what is read here decides which
 * cells are skipped.
 * Pure functions; safe from any thread. No allocation, no locale.
 */
#include "base/assert.h"
#include "cell/value.h"

#include <float.h>
#include <math.h>

#define MICROS_PER_SECOND ((int64_t)1000000)
#define SECONDS_PER_DAY   ((int64_t)86400)
#define MICROS_PER_DAY    (SECONDS_PER_DAY * MICROS_PER_SECOND)
#define YEAR_DIGITS_MAX   6
#define EXPONENT_MAX      100000

/* What is left of a text while it is read. */
struct cursor {
  const char *at;
  const char *end;
};

static bool at_end(const struct cursor *cursor) {
  return cursor->at == cursor->end;
}

static bool take(struct cursor *cursor, char wanted) {
  if (at_end(cursor) || *cursor->at != wanted) return false;
  cursor->at++;
  return true;
}

static bool take_digit(struct cursor *cursor, int *out_digit) {
  if (at_end(cursor) || *cursor->at < '0' || *cursor->at > '9') return false;
  *out_digit = *cursor->at++ - '0';
  return true;
}

static bool take_two_digits(struct cursor *cursor, int max, int *out_number) {
  int tens;
  int ones;
  if (!take_digit(cursor, &tens) || !take_digit(cursor, &ones)) return false;
  *out_number = tens * 10 + ones;
  return *out_number <= max;
}

/* A number as digits without trailing zeros, times a power of ten. */
struct scientific {
  ap_int128 digits;
  int64_t power;
};

static bool multiply_by_ten(ap_int128 *number, int64_t times) {
  if (*number == 0) return true;
  for (int64_t i = 0; i < times; i++) {
    if (__builtin_mul_overflow(*number, (ap_int128)10, number)) return false;
  }
  return true;
}

/* Digits before or after the point; zeros are only counted until another digit follows. */
static bool take_digits(struct cursor *cursor, struct scientific *number, int64_t *zeros,
                        int64_t *out_count) {
  *out_count = 0;
  for (int digit; take_digit(cursor, &digit); (*out_count)++) {
    if (digit == 0) {
      (*zeros)++;
      continue;
    }
    if (!multiply_by_ten(&number->digits, *zeros + 1)) return false;
    if (__builtin_add_overflow(number->digits, (ap_int128)digit, &number->digits)) return false;
    *zeros = 0;
  }
  return true;
}

static bool take_exponent(struct cursor *cursor, int64_t *out_exponent) {
  *out_exponent = 0;
  if (!take(cursor, 'e') && !take(cursor, 'E')) return true;
  bool negative = take(cursor, '-');
  if (!negative) (void)take(cursor, '+');
  int digit;
  if (!take_digit(cursor, &digit)) return false;
  int64_t exponent = digit;
  while (take_digit(cursor, &digit)) {
    exponent = exponent * 10 + digit;
    if (exponent > EXPONENT_MAX) return false;
  }
  *out_exponent = negative ? -exponent : exponent;
  return true;
}

static bool parse_scientific(struct ap_text text, bool fraction_allowed, struct scientific *out) {
  struct cursor cursor = {text.data, text.data + text.size};
  bool negative = take(&cursor, '-');
  int64_t zeros = 0;
  int64_t whole_count;
  int64_t fraction_count = 0;
  int64_t exponent = 0;
  *out = (struct scientific){0, 0};
  if (!take_digits(&cursor, out, &zeros, &whole_count)) return false;
  if (fraction_allowed) {
    bool point = take(&cursor, '.');
    if (point && !take_digits(&cursor, out, &zeros, &fraction_count)) return false;
    if (point && fraction_count == 0) return false;
    if (!take_exponent(&cursor, &exponent)) return false;
  }
  if (whole_count + fraction_count == 0 || !at_end(&cursor)) return false;
  if (negative) out->digits = -out->digits;
  out->power = exponent - fraction_count + zeros;
  return true;
}

static ap_int128 power_of_ten(unsigned exponent) {
  ap_int128 power = 1;
  for (unsigned i = 0; i < exponent; i++) power *= 10;
  return power;
}

static bool parse_decimal(struct ap_text text, const struct ap_type *type,
                          struct ap_value *out_value) {
  AP_ASSERT(type->precision <= 38 && type->scale <= 38);
  struct scientific number;
  if (!parse_scientific(text, true, &number)) return false;
  int64_t shift = number.power + type->scale;
  if (number.digits != 0 && shift < 0) return false; /* more digits than the type keeps */
  if (!multiply_by_ten(&number.digits, shift)) return false;
  ap_int128 limit = power_of_ten(type->precision);
  if (number.digits >= limit || number.digits <= -limit) return false;
  out_value->kind = AP_VALUE_DECIMAL;
  out_value->scale = type->scale;
  out_value->decimal = number.digits;
  return true;
}

static bool parse_integer(struct ap_text text, unsigned bits, bool is_signed,
                          struct ap_value *out_value) {
  struct scientific number;
  if (!parse_scientific(text, false, &number)) return false;
  if (!multiply_by_ten(&number.digits, number.power)) return false;
  ap_int128 span = (ap_int128)1 << (is_signed ? bits - 1 : bits);
  ap_int128 low = is_signed ? -span : 0;
  if (number.digits < low || number.digits >= span) return false;
  out_value->kind = AP_VALUE_INTEGER;
  out_value->decimal = number.digits;
  return true;
}

/* NaN and the infinities as Spark, the engine and others write them. */
static bool parse_special_float(struct ap_text text, double *out_number) {
  bool negative = text.size > 0 && text.data[0] == '-';
  struct ap_text name = text;
  if (negative) {
    name.data++;
    name.size--;
  }
  if (ap_text_equal_ignoring_case(name, AP_TEXT("nan"))) {
    *out_number = NAN;
    return true;
  }
  if (ap_text_equal_ignoring_case(name, AP_TEXT("inf")) ||
      ap_text_equal_ignoring_case(name, AP_TEXT("infinity"))) {
    *out_number = negative ? -INFINITY : INFINITY;
    return true;
  }
  return false;
}

/* The float that a double's text means. False for what lies just between two floats, where the
 * double may hide to which side its text leaned, and for what no float reaches. */
static bool round_to_float(double number, double *out_number) {
  float nearest = (float)number;
  if (isinf(nearest)) return false;
  double gap = number - (double)nearest;
  if (gap != 0) {
    float other = nextafterf(nearest, gap > 0 ? INFINITY : -INFINITY);
    if (isinf(other) || (double)other - number == gap) return false;
  }
  *out_number = (double)nearest;
  return true;
}

static bool parse_float(struct ap_text text, bool is_double, struct ap_value *out_value) {
  double number;
  if (!parse_special_float(text, &number)) {
    if (!ap_text_parse_f64(text, &number)) return false;
    if (!is_double && !round_to_float(number, &number)) return false;
  }
  out_value->kind = AP_VALUE_FLOAT;
  out_value->is_double = is_double;
  out_value->f64 = number;
  return true;
}

static int days_of_month(int64_t year, int month) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : days[month - 1];
}

/* [-]YYYY-MM-DD, up to six digits of year. */
static bool take_date(struct cursor *cursor, int64_t *out_days) {
  bool negative = take(cursor, '-');
  int64_t year = 0;
  int digits = 0;
  for (int digit; digits <= YEAR_DIGITS_MAX && take_digit(cursor, &digit); digits++) {
    year = year * 10 + digit;
  }
  if (digits < 4 || digits > YEAR_DIGITS_MAX) return false;
  if (negative) year = -year;
  int month;
  int day;
  if (!take(cursor, '-') || !take_two_digits(cursor, 12, &month) || month == 0) return false;
  if (!take(cursor, '-') || !take_two_digits(cursor, 31, &day) || day == 0) return false;
  if (day > days_of_month(year, month)) return false;
  *out_days = ap_days_from_civil(year, month, day);
  return true;
}

/* HH:MM:SS[.ffffff], more digits of fraction only when they are zeros. */
static bool take_clock(struct cursor *cursor, int64_t *out_micros) {
  int hours;
  int minutes;
  int seconds;
  if (!take_two_digits(cursor, 23, &hours) || !take(cursor, ':')) return false;
  if (!take_two_digits(cursor, 59, &minutes) || !take(cursor, ':')) return false;
  if (!take_two_digits(cursor, 59, &seconds)) return false;
  int64_t fraction = 0;
  if (take(cursor, '.')) {
    int64_t unit = MICROS_PER_SECOND;
    int digit;
    if (!take_digit(cursor, &digit)) return false;
    do {
      unit /= 10;
      if (unit == 0 && digit != 0) return false;
      fraction += digit * unit;
    } while (take_digit(cursor, &digit));
  }
  *out_micros = ((int64_t)hours * 3600 + minutes * 60 + seconds) * MICROS_PER_SECOND + fraction;
  return true;
}

/* Z, +hh, +hhmm or +hh:mm, or nothing. */
static bool take_zone(struct cursor *cursor, int64_t *out_offset_seconds) {
  *out_offset_seconds = 0;
  if (at_end(cursor) || take(cursor, 'Z')) return true;
  bool negative = take(cursor, '-');
  if (!negative && !take(cursor, '+')) return false;
  int hours;
  int minutes = 0;
  if (!take_two_digits(cursor, 18, &hours)) return false;
  if (!at_end(cursor)) {
    (void)take(cursor, ':');
    if (!take_two_digits(cursor, 59, &minutes)) return false;
  }
  int64_t offset = (int64_t)hours * 3600 + minutes * 60;
  *out_offset_seconds = negative ? -offset : offset;
  return true;
}

static bool parse_date(struct ap_text text, struct ap_value *out_value) {
  struct cursor cursor = {text.data, text.data + text.size};
  out_value->kind = AP_VALUE_DATE;
  return take_date(&cursor, &out_value->i64) && at_end(&cursor);
}

static bool parse_time(struct ap_text text, struct ap_value *out_value) {
  struct cursor cursor = {text.data, text.data + text.size};
  out_value->kind = AP_VALUE_TIME;
  if (ap_text_parse_i64(text, &out_value->i64)) {
    return out_value->i64 >= 0 && out_value->i64 <= MICROS_PER_DAY;
  }
  return take_clock(&cursor, &out_value->i64) && at_end(&cursor);
}

static bool parse_timestamp(struct ap_text text, bool with_zone, struct ap_value *out_value) {
  struct cursor cursor = {text.data, text.data + text.size};
  int64_t days;
  int64_t micros = 0;
  int64_t offset = 0;
  if (!take_date(&cursor, &days)) return false;
  if (!at_end(&cursor)) {
    if (!take(&cursor, 'T') && !take(&cursor, ' ')) return false;
    if (!take_clock(&cursor, &micros)) return false;
    if (!take_zone(&cursor, &offset) || !at_end(&cursor)) return false;
  }
  if (offset != 0 && !with_zone) return false;
  int64_t start;
  micros -= offset * MICROS_PER_SECOND;
  if (__builtin_mul_overflow(days, MICROS_PER_DAY, &start)) return false;
  if (__builtin_add_overflow(start, micros, &out_value->i64)) return false;
  out_value->kind = with_zone ? AP_VALUE_TIMESTAMP_TZ : AP_VALUE_TIMESTAMP;
  return true;
}

static bool parse_boolean(struct ap_text text, struct ap_value *out_value) {
  out_value->kind = AP_VALUE_BOOLEAN;
  out_value->i64 = ap_text_equal_string(text, "true") ? 1 : 0;
  return out_value->i64 == 1 || ap_text_equal_string(text, "false");
}

static bool parse_kind(struct ap_text text, const struct ap_type *type,
                       struct ap_value *out_value) {
  switch (type->kind) {
    case AP_TYPE_BOOLEAN:
      return parse_boolean(text, out_value);
    case AP_TYPE_INT8:
      return parse_integer(text, 8, true, out_value);
    case AP_TYPE_INT16:
      return parse_integer(text, 16, true, out_value);
    case AP_TYPE_INT32:
      return parse_integer(text, 32, true, out_value);
    case AP_TYPE_INT64:
      return parse_integer(text, 64, true, out_value);
    case AP_TYPE_UINT8:
      return parse_integer(text, 8, false, out_value);
    case AP_TYPE_UINT16:
      return parse_integer(text, 16, false, out_value);
    case AP_TYPE_UINT32:
      return parse_integer(text, 32, false, out_value);
    case AP_TYPE_UINT64:
      return parse_integer(text, 64, false, out_value);
    case AP_TYPE_FLOAT16:
    case AP_TYPE_FLOAT32:
      return parse_float(text, false, out_value);
    case AP_TYPE_FLOAT64:
      return parse_float(text, true, out_value);
    case AP_TYPE_DECIMAL:
      return parse_decimal(text, type, out_value);
    case AP_TYPE_DATE:
      return parse_date(text, out_value);
    case AP_TYPE_TIME:
      return parse_time(text, out_value);
    case AP_TYPE_TIMESTAMP:
      return parse_timestamp(text, false, out_value);
    case AP_TYPE_TIMESTAMP_TZ:
      return parse_timestamp(text, true, out_value);
    case AP_TYPE_STRING:
      *out_value = (struct ap_value){.kind = AP_VALUE_TEXT, .text = text};
      return true;
    case AP_TYPE_NULL:
    case AP_TYPE_BINARY:
    case AP_TYPE_LIST:
    case AP_TYPE_STRUCT:
    case AP_TYPE_MAP:
      break;
  }
  return false;
}

bool ap_value_parse(struct ap_text text, const struct ap_type *type, struct ap_value *out_value) {
  *out_value = (struct ap_value){.kind = AP_VALUE_NONE};
  if (text.size == 0 && type->kind != AP_TYPE_STRING) return false;
  if (parse_kind(text, type, out_value)) return true;
  *out_value = (struct ap_value){.kind = AP_VALUE_NONE};
  return false;
}
