/* SPDX-License-Identifier: Apache-2.0
 *
 * Values: their order, their calendar and their Delta texts. Parsing is in value_parse.c.
 *
 * Guarantees: no order is claimed that the engine might not share. The engine compares INTEGER or
 * DECIMAL with FLOAT after a cast to double or float, which is not always correctly rounded, so
 * such comparisons are made on intervals.
 * Pure functions; safe from any thread.
 */
#include "cell/value.h"

#include "base/assert.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define DAYS_MAX           ((int64_t)100000000000)
#define MICROS_PER_SECOND  ((int64_t)1000000)
#define SECONDS_PER_DAY    ((int64_t)86400)
#define MICROS_PER_DAY     (SECONDS_PER_DAY * MICROS_PER_SECOND)
#define FLOAT_EXACT_MAX    ((ap_int128)1 << FLT_MANT_DIG)
#define DOUBLE_EXACT_MAX   ((ap_int128)1 << DBL_MANT_DIG)
#define FLOAT_EXACT_POWER  10 /* 10^10 is the largest power of ten that a float holds */
#define DOUBLE_EXACT_POWER 22

static int sign_of(ap_int128 number) {
  return (number > 0) - (number < 0);
}

static ap_int128 power_of_ten(unsigned exponent) {
  AP_ASSERT(exponent <= 38);
  ap_int128 power = 1;
  for (unsigned i = 0; i < exponent; i++) power *= 10;
  return power;
}

static bool is_exact_number(const struct ap_value *value) {
  return value->kind == AP_VALUE_INTEGER || value->kind == AP_VALUE_DECIMAL;
}

static unsigned scale_of(const struct ap_value *value) {
  return value->kind == AP_VALUE_DECIMAL ? value->scale : 0;
}

/* Exact at any scales: what overflows when it is brought to the finer scale is beyond every number
 * of that scale. */
static int compare_decimals(const struct ap_value *a, const struct ap_value *b) {
  unsigned scale_a = scale_of(a);
  unsigned scale_b = scale_of(b);
  ap_int128 left = a->decimal;
  ap_int128 right = b->decimal;
  if (scale_a < scale_b) {
    if (__builtin_mul_overflow(left, power_of_ten(scale_b - scale_a), &left)) {
      return sign_of(a->decimal);
    }
  } else if (scale_b < scale_a) {
    if (__builtin_mul_overflow(right, power_of_ten(scale_a - scale_b), &right)) {
      return -sign_of(b->decimal);
    }
  }
  return (left > right) - (left < right);
}

static int compare_doubles(double a, double b) {
  if (isnan(a) || isnan(b)) return (isnan(a) ? 1 : 0) - (isnan(b) ? 1 : 0);
  return (a > b) - (a < b);
}

/* The number as a double when it, and every step of a cast to float, is exact. */
static bool small_exact_double(const struct ap_value *value, double *out_number) {
  unsigned scale = scale_of(value);
  ap_int128 number = value->decimal;
  if (number > FLOAT_EXACT_MAX || number < -FLOAT_EXACT_MAX || scale > FLOAT_EXACT_POWER) {
    return false;
  }
  /* number / 10^scale is a binary fraction only when 5^scale divides number. */
  for (unsigned i = 0; i < scale; i++) {
    if (number % 5 != 0) return false;
    number /= 5;
  }
  *out_number = ldexp((double)number, -(int)scale);
  return true;
}

static bool compare_with_float(const struct ap_value *a, const struct ap_value *b, int *out_order) {
  double left;
  double right;
  if (a->kind == AP_VALUE_FLOAT) {
    left = a->f64;
  } else if (!is_exact_number(a) || !small_exact_double(a, &left)) {
    return false;
  }
  if (b->kind == AP_VALUE_FLOAT) {
    right = b->f64;
  } else if (!is_exact_number(b) || !small_exact_double(b, &right)) {
    return false;
  }
  *out_order = compare_doubles(left, right);
  return true;
}

static bool midnight_of(const struct ap_value *value, int64_t *out_micros) {
  if (value->kind == AP_VALUE_TIMESTAMP) {
    *out_micros = value->i64;
    return true;
  }
  return value->kind == AP_VALUE_DATE &&
         !__builtin_mul_overflow(value->i64, MICROS_PER_DAY, out_micros);
}

bool ap_value_compare(const struct ap_value *a, const struct ap_value *b, int *out_order) {
  if (a->kind == AP_VALUE_NONE || b->kind == AP_VALUE_NONE) return false;
  if (is_exact_number(a) && is_exact_number(b)) {
    *out_order = compare_decimals(a, b);
    return true;
  }
  if (a->kind == AP_VALUE_FLOAT || b->kind == AP_VALUE_FLOAT) {
    return compare_with_float(a, b, out_order);
  }
  int64_t left = a->i64;
  int64_t right = b->i64;
  if (a->kind != b->kind) {
    if (!midnight_of(a, &left) || !midnight_of(b, &right)) return false;
  } else if (a->kind == AP_VALUE_TEXT) {
    int order = ap_text_compare(a->text, b->text);
    *out_order = (order > 0) - (order < 0);
    return true;
  }
  *out_order = (left > right) - (left < right);
  return true;
}

/* Where a number may lie after any cast to that precision. Casts of decimals divide two rounded
 * numbers, ours and the engine's: within four units in the last place. */
static void interval_of(const struct ap_value *value, bool single, double *out_low,
                        double *out_high) {
  unsigned scale = scale_of(value);
  bool is_float = value->kind == AP_VALUE_FLOAT;
  double number = is_float ? value->f64 : (double)value->decimal / (double)power_of_ten(scale);
  bool exact;
  if (is_float) {
    exact = !single || (double)(float)number == number;
  } else {
    ap_int128 exact_max = single ? FLOAT_EXACT_MAX : DOUBLE_EXACT_MAX;
    exact = scale == 0 && value->decimal <= exact_max && value->decimal >= -exact_max;
  }
  *out_low = *out_high = number;
  if (exact) return;
  for (int i = 0; i < 4; i++) {
    if (single) {
      *out_low = (double)nextafterf((float)*out_low, -INFINITY);
      *out_high = (double)nextafterf((float)*out_high, INFINITY);
    } else {
      *out_low = nextafter(*out_low, -INFINITY);
      *out_high = nextafter(*out_high, INFINITY);
    }
  }
}

static bool surely_less_rounded(const struct ap_value *a, const struct ap_value *b) {
  bool a_float = a->kind == AP_VALUE_FLOAT;
  bool b_float = b->kind == AP_VALUE_FLOAT;
  if (!(a_float || is_exact_number(a)) || !(b_float || is_exact_number(b))) return false;
  if (a_float && isnan(a->f64)) return false;
  if (b_float && isnan(b->f64)) return true;
  bool single = (a_float && !a->is_double) || (b_float && !b->is_double);
  double low;
  double high;
  double ignored;
  interval_of(a, single, &ignored, &high);
  interval_of(b, single, &low, &ignored);
  return high < low;
}

bool ap_value_surely_less(const struct ap_value *a, const struct ap_value *b) {
  if (a->kind == AP_VALUE_FLOAT || b->kind == AP_VALUE_FLOAT) return surely_less_rounded(a, b);
  int order;
  if (!ap_value_compare(a, b, &order) || order >= 0) return false;
  /* Numbers of unlike scale may meet as doubles when no decimal type holds both. */
  if (is_exact_number(a) && scale_of(a) != scale_of(b)) return surely_less_rounded(a, b);
  return true;
}

/* Both from Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, so
 * that the leap day is the last of its year; 400 years are an era of 146,097 days. */
int64_t ap_days_from_civil(int64_t year, int month, int day) {
  AP_ASSERT(month >= 1 && month <= 12);
  AP_ASSERT(year >= -DAYS_MAX / 366 && year <= DAYS_MAX / 366);
  if (month <= 2) year--;
  int64_t era = (year >= 0 ? year : year - 399) / 400;
  int64_t year_of_era = year - era * 400;
  int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

void ap_civil_from_days(int64_t days, int64_t *out_year, int *out_month, int *out_day) {
  AP_ASSERT(days >= -DAYS_MAX && days <= DAYS_MAX);
  days += 719468;
  int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  int64_t day_of_era = days - era * 146097;
  int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t month = (5 * day_of_year + 2) / 153;
  *out_day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
  *out_month = (int)(month < 10 ? month + 3 : month - 9);
  *out_year = year_of_era + era * 400 + (*out_month <= 2 ? 1 : 0);
}

static void append_decimal(struct ap_buffer *out, ap_int128 number, unsigned scale) {
  char digits[48];
  size_t at = sizeof(digits);
  __extension__ unsigned __int128 rest = (unsigned __int128)number;
  if (number < 0) rest = -rest;
  for (unsigned written = 0; rest != 0 || written <= scale; written++) {
    if (written == scale && scale > 0) digits[--at] = '.';
    digits[--at] = (char)('0' + (int)(rest % 10));
    rest /= 10;
  }
  if (number < 0) digits[--at] = '-';
  ap_buffer_append(out, digits + at, sizeof(digits) - at);
}

static void append_date(struct ap_buffer *out, int64_t days) {
  int64_t year;
  int month;
  int day;
  ap_civil_from_days(days, &year, &month, &day);
  ap_buffer_append_format(out, "%s%04" PRId64 "-%02d-%02d", year < 0 ? "-" : "",
                          year < 0 ? -year : year, month, day);
}

static void append_timestamp(struct ap_buffer *out, int64_t micros, bool with_zone) {
  int64_t days = micros / MICROS_PER_DAY;
  int64_t rest = micros % MICROS_PER_DAY;
  if (rest < 0) {
    rest += MICROS_PER_DAY;
    days--;
  }
  append_date(out, days);
  int64_t seconds = rest / MICROS_PER_SECOND;
  ap_buffer_append_format(out, "%c%02d:%02d:%02d", with_zone ? 'T' : ' ', (int)(seconds / 3600),
                          (int)(seconds / 60 % 60), (int)(seconds % 60));
  int fraction = (int)(rest % MICROS_PER_SECOND);
  if (fraction != 0) ap_buffer_append_format(out, ".%06d", fraction);
  if (with_zone) ap_buffer_append_string(out, "Z");
}

static void append_float(struct ap_buffer *out, double number) {
  if (isnan(number)) {
    ap_buffer_append_string(out, "NaN");
  } else if (isinf(number)) {
    ap_buffer_append_string(out, number < 0 ? "-Infinity" : "Infinity");
  } else {
    ap_buffer_append_f64(out, number);
  }
}

void ap_value_append_text(struct ap_buffer *out, const struct ap_value *value) {
  AP_ASSERT(value->kind != AP_VALUE_NONE);
  switch (value->kind) {
    case AP_VALUE_BOOLEAN:
      ap_buffer_append_string(out, value->i64 ? "true" : "false");
      break;
    case AP_VALUE_INTEGER:
    case AP_VALUE_DECIMAL:
      append_decimal(out, value->decimal, scale_of(value));
      break;
    case AP_VALUE_FLOAT:
      append_float(out, value->f64);
      break;
    case AP_VALUE_DATE:
      append_date(out, value->i64);
      break;
    case AP_VALUE_TIME:
      ap_buffer_append_format(out, "%" PRId64, value->i64);
      break;
    case AP_VALUE_TIMESTAMP:
    case AP_VALUE_TIMESTAMP_TZ:
      append_timestamp(out, value->i64, value->kind == AP_VALUE_TIMESTAMP_TZ);
      break;
    case AP_VALUE_TEXT:
      ap_buffer_append_text(out, value->text);
      break;
    case AP_VALUE_NONE:
      break;
  }
}
