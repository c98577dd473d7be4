/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: texts are read exactly or refused, print back to what they were, and no order is claimed
 * that rounding could undo.
 * Method: decimals against a table made with Python's decimal module, floats against strtod and
 * strtof, the calendar against gmtime_r, orders against long double arithmetic and exhaustive pairs
 * of awkward numbers. Random values come from a printed seed.
 */
#include "cell/value.h"

#include "testing/check.h"
#include "testing/random.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct ap_type type_of(enum ap_type_kind kind) {
  return (struct ap_type){.kind = kind};
}

static bool parse(const char *text, enum ap_type_kind kind, struct ap_value *out_value) {
  struct ap_type type = type_of(kind);
  return ap_value_parse(ap_text_of(text), &type, out_value);
}

static void check_printed(const struct ap_value *value, const char *expected) {
  struct ap_buffer out;
  ap_buffer_init(&out, ap_allocator_system());
  ap_value_append_text(&out, value);
  check_text(ap_buffer_text(&out), expected);
  ap_buffer_deinit(&out);
}

/* ---- decimals and integers ------------------------------------------------------------------- */

static const struct decimal_row {
  const char *text;
  uint8_t precision;
  uint8_t scale;
  const char *unscaled; /* NULL: refused */
} decimal_rows[] = {
    {"0", 10, 2, "0"},
    {"-0", 10, 2, "0"},
    {"0.0", 10, 2, "0"},
    {"1", 10, 2, "100"},
    {"-1", 10, 2, "-100"},
    {"1.10", 10, 2, "110"},
    {"1.100", 10, 2, "110"},
    {"12.345", 10, 2, NULL},
    {"99999999.99", 10, 2, "9999999999"},
    {"-99999999.99", 10, 2, "-9999999999"},
    {"100000000.00", 10, 2, NULL},
    {"99999999.990", 10, 2, "9999999999"},
    {"0.01", 10, 2, "1"},
    {"0.001", 10, 2, NULL},
    {"1e2", 10, 2, "10000"},
    {"1E2", 10, 2, "10000"},
    {"1e-2", 10, 2, "1"},
    {"1e-3", 10, 2, NULL},
    {"12e1", 10, 2, "12000"},
    {"1.5e1", 10, 2, "1500"},
    {"0e99", 10, 2, "0"},
    {"0e-99", 10, 2, "0"},
    {"1e99", 10, 2, NULL},
    {"000012.50", 10, 2, "1250"},
    {"-000.05", 10, 2, "-5"},
    {"1e+7", 10, 2, "1000000000"},
    {"9.999999999e7", 10, 2, "9999999999"},
    {"99999999999999999999999999999999999999", 38, 0, "99999999999999999999999999999999999999"},
    {"99999999999999999999999999999999999999", 38, 8, NULL},
    {"99999999999999999999999999999999999999", 38, 38, NULL},
    {"-99999999999999999999999999999999999999", 38, 0, "-99999999999999999999999999999999999999"},
    {"-99999999999999999999999999999999999999", 38, 8, NULL},
    {"-99999999999999999999999999999999999999", 38, 38, NULL},
    {"100000000000000000000000000000000000000", 38, 0, NULL},
    {"100000000000000000000000000000000000000", 38, 8, NULL},
    {"100000000000000000000000000000000000000", 38, 38, NULL},
    {"0.99999999999999999999999999999999999999", 38, 0, NULL},
    {"0.99999999999999999999999999999999999999", 38, 8, NULL},
    {"0.99999999999999999999999999999999999999", 38, 38, "99999999999999999999999999999999999999"},
    {"1e37", 38, 0, "10000000000000000000000000000000000000"},
    {"1e37", 38, 8, NULL},
    {"1e37", 38, 38, NULL},
    {"1e38", 38, 0, NULL},
    {"1e38", 38, 8, NULL},
    {"1e38", 38, 38, NULL},
    {"123456789012345678901234567890.12345678", 38, 0, NULL},
    {"123456789012345678901234567890.12345678", 38, 8, "12345678901234567890123456789012345678"},
    {"123456789012345678901234567890.12345678", 38, 38, NULL},
    {"-0.181590830166", 24, 20, "-18159083016600000000"},
    {"-909.9e-4", 10, 3, NULL},
    {"-81948.21993", 31, 18, "-81948219930000000000000"},
    {"7865.7975432319", 36, 36, NULL},
    {"1.8625", 32, 28, "18625000000000000000000000000"},
    {"59797114710", 24, 4, "597971147100000"},
    {"50752917.03423667127684268", 32, 28, NULL},
    {"-0.12233", 27, 24, "-122330000000000000000000"},
    {"2", 25, 16, "20000000000000000"},
    {"0.89078666617603137215901", 24, 20, NULL},
    {"3.96", 23, 23, NULL},
    {"117777412154728038528.0841485253", 38, 38, NULL},
    {"-63387500474.39575e7", 37, 12, "-633875004743957500000000000000"},
    {"7.990751", 22, 12, "7990751000000"},
    {"65167.6", 27, 12, "65167600000000000"},
    {"2e7", 14, 10, NULL},
    {"82001826.3304348395", 26, 22, NULL},
    {"-98682.8288072902", 25, 3, NULL},
    {"-0.888718e-5", 10, 7, NULL},
    {"-017598983.478878384837261675136134125e6", 35, 32, NULL},
    {"-672326.8e2", 37, 14, "-6723268000000000000000"},
    {"-5e2", 28, 5, "-50000000"},
    {"811311440242646.2889e-7", 37, 33, NULL},
    {"-40.1", 24, 11, "-4010000000000"},
    {"705.8e-4", 20, 4, NULL},
    {"0.1240234483478245e-8", 35, 2, NULL},
    {"-87371.67868433", 36, 32, NULL},
    {"-020146201.684e6", 20, 8, NULL},
    {"-7045.58530e2", 16, 11, NULL},
    {"483380141.2690604e8", 25, 24, NULL},
    {"-96572492086828890931.002516780", 30, 9, "-96572492086828890931002516780"},
    {"0718.81817", 30, 15, "718818170000000000"},
    {"3776.1740931925", 38, 15, "3776174093192500000"},
    {"-0.7", 36, 36, "-700000000000000000000000000000000000"},
    {"4847771834170471", 19, 6, NULL},
    {"-31912.84", 29, 17, "-3191284000000000000000"},
    {"5377602.0", 34, 32, NULL},
    {"-6515.05561304", 22, 9, "-6515055613040"},
    {"64041042346853.5606883106e1", 37, 37, NULL},
    {"-276.544446", 31, 31, NULL},
};

static void test_decimals(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(decimal_rows) / sizeof(decimal_rows[0]); i++) {
    const struct decimal_row *row = &decimal_rows[i];
    struct ap_type type = {
        .kind = AP_TYPE_DECIMAL, .precision = row->precision, .scale = row->scale};
    struct ap_value value;
    bool read = ap_value_parse(ap_text_of(row->text), &type, &value);
    if (read != (row->unscaled != NULL)) fail_msg("'%s': read is %d", row->text, read);
    if (!read) {
      assert_int_equal(value.kind, AP_VALUE_NONE);
      continue;
    }
    assert_int_equal(value.kind, AP_VALUE_DECIMAL);
    assert_int_equal(value.scale, row->scale);
    struct ap_value unscaled = {.kind = AP_VALUE_INTEGER};
    unscaled.decimal = value.decimal;
    check_printed(&unscaled, row->unscaled);
    /* And through its own text. */
    struct ap_buffer out;
    struct ap_value again;
    ap_buffer_init(&out, ap_allocator_system());
    ap_value_append_text(&out, &value);
    assert_true(ap_value_parse(ap_buffer_text(&out), &type, &again));
    assert_true(again.decimal == value.decimal);
    ap_buffer_deinit(&out);
  }
}

static void test_decimal_texts(void **state) {
  (void)state;
  static const char *const broken[] = {
      "",   "-",   ".",   "1.",  ".e1", "1e",    "1e+", "+1",  " 1",
      "1 ", "1,0", "0x1", "--1", "1-",  "1.2.3", "NaN", "inf", "1e99999999999999999999"};
  struct ap_type type = {.kind = AP_TYPE_DECIMAL, .precision = 38, .scale = 4};
  struct ap_value value;
  for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
    if (ap_value_parse(ap_text_of(broken[i]), &type, &value)) fail_msg("'%s' is read", broken[i]);
  }
  assert_true(ap_value_parse(AP_TEXT("-0.0001"), &type, &value));
  check_printed(&value, "-0.0001");
  assert_true(ap_value_parse(AP_TEXT("12.5"), &type, &value));
  check_printed(&value, "12.5000");
}

static void test_integer_ranges(void **state) {
  (void)state;
  static const struct {
    enum ap_type_kind kind;
    const char *low;
    const char *high;
    const char *below;
    const char *above;
  } rows[] = {
      {AP_TYPE_INT8, "-128", "127", "-129", "128"},
      {AP_TYPE_INT16, "-32768", "32767", "-32769", "32768"},
      {AP_TYPE_INT32, "-2147483648", "2147483647", "-2147483649", "2147483648"},
      {AP_TYPE_INT64, "-9223372036854775808", "9223372036854775807", "-9223372036854775809",
       "9223372036854775808"},
      {AP_TYPE_UINT8, "0", "255", "-1", "256"},
      {AP_TYPE_UINT16, "0", "65535", "-1", "65536"},
      {AP_TYPE_UINT32, "0", "4294967295", "-1", "4294967296"},
      {AP_TYPE_UINT64, "0", "18446744073709551615", "-1", "18446744073709551616"},
  };
  struct ap_value value;
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    assert_true(parse(rows[i].low, rows[i].kind, &value));
    check_printed(&value, rows[i].low);
    assert_true(parse(rows[i].high, rows[i].kind, &value));
    check_printed(&value, rows[i].high);
    assert_false(parse(rows[i].below, rows[i].kind, &value));
    assert_false(parse(rows[i].above, rows[i].kind, &value));
  }
  assert_false(parse("1.0", AP_TYPE_INT32, &value));
  assert_false(parse("1e3", AP_TYPE_INT32, &value));
  assert_false(parse("", AP_TYPE_INT32, &value));
  assert_false(parse("99999999999999999999999999999999999999999999", AP_TYPE_INT64, &value));
  assert_true(parse("0000000000000000000000000000000000000000000007", AP_TYPE_INT8, &value));
  check_printed(&value, "7");
}

/* ---- floats ---------------------------------------------------------------------------------- */

static void check_float_text(const char *text, double as_double, double as_float) {
  struct ap_value value;
  assert_true(parse(text, AP_TYPE_FLOAT64, &value));
  assert_true(value.is_double);
  if (value.f64 != as_double) fail_msg("%s as double is %a, not %a", text, value.f64, as_double);
  if (parse(text, AP_TYPE_FLOAT32, &value)) {
    assert_false(value.is_double);
    if (value.f64 != as_float) fail_msg("%s as float is %a, not %a", text, value.f64, as_float);
  } else if (fabs(as_double) <= (double)FLT_MAX) {
    /* Refused only where the double lies in the middle of two floats. */
    float near = (float)as_double;
    float other = nextafterf(near, (double)near < as_double ? INFINITY : -INFINITY);
    assert_true((double)near - as_double == as_double - (double)other);
  }
}

static void test_floats(void **state) {
  (void)state;
  struct ap_seeded_random random;
  ap_seeded_random_init(&random, ap_test_seed("test_floats"));
  char text[64];
  for (uint64_t round = ap_test_rounds(100000); round > 0; round--) {
    uint64_t bits = ap_random_u64(&random.base);
    double number;
    memcpy(&number, &bits, sizeof(number));
    if (isfinite(number)) {
      snprintf(text, sizeof(text), "%.17g", number);
      check_float_text(text, number, (double)strtof(text, NULL));
    }
    uint32_t half_bits = (uint32_t)bits;
    float single;
    memcpy(&single, &half_bits, sizeof(single));
    if (!isfinite(single)) continue;
    snprintf(text, sizeof(text), "%.9g", (double)single);
    check_float_text(text, strtod(text, NULL), (double)single);
  }
  check_float_text("0.1", 0.1, (double)0.1f);
  check_float_text("1.0E10", 1e10, (double)1e10f);
  check_float_text("-1e-3", -1e-3, (double)-1e-3f);
  struct ap_value value;
  assert_false(parse("16777217", AP_TYPE_FLOAT32, &value)); /* between two floats */
  assert_false(parse("1e39", AP_TYPE_FLOAT32, &value));
  assert_false(parse("1e309", AP_TYPE_FLOAT64, &value));
  assert_false(parse("", AP_TYPE_FLOAT64, &value));
  assert_false(parse("0x10", AP_TYPE_FLOAT64, &value));
  assert_false(parse("1.5f", AP_TYPE_FLOAT64, &value));
}

static void test_special_floats(void **state) {
  (void)state;
  static const char *const infinite[] = {"inf", "Infinity", "INF", "infinity"};
  struct ap_value value;
  for (size_t i = 0; i < 4; i++) {
    assert_true(parse(infinite[i], AP_TYPE_FLOAT32, &value));
    assert_true(isinf(value.f64) && value.f64 > 0);
    check_printed(&value, "Infinity");
  }
  assert_true(parse("-Infinity", AP_TYPE_FLOAT64, &value));
  assert_true(isinf(value.f64) && value.f64 < 0);
  check_printed(&value, "-Infinity");
  assert_true(parse("NaN", AP_TYPE_FLOAT64, &value));
  assert_true(isnan(value.f64));
  check_printed(&value, "NaN");
  assert_true(parse("0.1", AP_TYPE_FLOAT32, &value));
  check_printed(&value, "0.10000000149011612");
}

/* ---- calendar, dates, times ------------------------------------------------------------------ */

/* Every day of some years, then strides over all that time_t's calendar reaches in 64 bits. */
static void test_calendar(void **state) {
  (void)state;
  int64_t step = 1;
  for (int64_t days = -800000; days < 90000000; days += step) {
    if (days > 3000000) step = 9973;
    for (int sign = 1; sign >= -1; sign -= 2) {
      time_t seconds = (time_t)(days * sign) * 86400;
      struct tm expected;
      int64_t year;
      int month;
      int day;
      assert_non_null(gmtime_r(&seconds, &expected));
      ap_civil_from_days(days * sign, &year, &month, &day);
      bool same = year == (int64_t)expected.tm_year + 1900 && month == expected.tm_mon + 1 &&
                  day == expected.tm_mday;
      if (!same)
        fail_msg("day %lld is %lld-%d-%d", (long long)(days * sign), (long long)year, month, day);
      assert_true(ap_days_from_civil(year, month, day) == days * sign);
    }
  }
}

static void check_date(const char *text, int64_t days, const char *printed) {
  struct ap_value value;
  if (!parse(text, AP_TYPE_DATE, &value)) fail_msg("'%s' is refused", text);
  assert_int_equal(value.kind, AP_VALUE_DATE);
  assert_true(value.i64 == days);
  check_printed(&value, printed);
}

static void test_dates(void **state) {
  (void)state;
  check_date("1970-01-01", 0, "1970-01-01");
  check_date("2024-02-29", 19782, "2024-02-29");
  check_date("0001-01-01", -719162, "0001-01-01");
  check_date("0000-12-31", -719163, "0000-12-31");
  check_date("-0044-03-15", -735525, "-0044-03-15");
  check_date("9999-12-31", 2932896, "9999-12-31");
  check_date("10000-01-01", 2932897, "10000-01-01");
  static const char *const refused[] = {"",
                                        "2024",
                                        "2024-2-29",
                                        "2023-02-29",
                                        "1900-02-29",
                                        "2024-04-31",
                                        "2024-13-01",
                                        "2024-00-01",
                                        "2024-01-00",
                                        "2024-01-32",
                                        "infinity",
                                        "-infinity",
                                        "24-01-01",
                                        "2024/01/01",
                                        "2024-01-01 ",
                                        " 2024-01-01",
                                        "+2024-01-01",
                                        "2024-01-01T",
                                        "99999999999999999999999-01-01",
                                        "290309-12-22 (BC)",
                                        "2024-01-01 00:00:00",
                                        "epoch"};
  struct ap_value value;
  for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
    if (parse(refused[i], AP_TYPE_DATE, &value)) fail_msg("'%s' is read", refused[i]);
    assert_int_equal(value.kind, AP_VALUE_NONE);
  }
}

static void check_timestamp(const char *text, enum ap_type_kind kind, int64_t micros,
                            const char *printed) {
  struct ap_value value;
  if (!parse(text, kind, &value)) fail_msg("'%s' is refused", text);
  if (value.i64 != micros) fail_msg("'%s' is %lld", text, (long long)value.i64);
  check_printed(&value, printed);
}

static void test_timestamps(void **state) {
  (void)state;
  const enum ap_type_kind local = AP_TYPE_TIMESTAMP;
  const enum ap_type_kind zoned = AP_TYPE_TIMESTAMP_TZ;
  check_timestamp("1970-01-01 00:00:00", local, 0, "1970-01-01 00:00:00");
  check_timestamp("1969-12-31T23:59:59.999999", local, -1, "1969-12-31 23:59:59.999999");
  check_timestamp("2020-01-01 00:16:39.5", local, 1577837799500000, "2020-01-01 00:16:39.500000");
  check_timestamp("2020-01-01 00:16:39.500000000", local, 1577837799500000,
                  "2020-01-01 00:16:39.500000");
  check_timestamp("2020-01-01", local, 1577836800000000, "2020-01-01 00:00:00");
  check_timestamp("2020-01-01T00:00:00Z", local, 1577836800000000, "2020-01-01 00:00:00");
  check_timestamp("2020-01-01 00:00:00+00", zoned, 1577836800000000, "2020-01-01T00:00:00Z");
  check_timestamp("2020-01-01 00:00:00", zoned, 1577836800000000, "2020-01-01T00:00:00Z");
  check_timestamp("2020-01-01T05:30:00.000001+05:30", zoned, 1577836800000001,
                  "2020-01-01T00:00:00.000001Z");
  check_timestamp("2019-12-31T16:00:00.000-08:00", zoned, 1577836800000000, "2020-01-01T00:00:00Z");
  check_timestamp("2019-12-31T16:00:00-0800", zoned, 1577836800000000, "2020-01-01T00:00:00Z");
  check_timestamp("290000-01-01 00:00:00", local, ap_days_from_civil(290000, 1, 1) * 86400000000,
                  "290000-01-01 00:00:00");
  static const char *const refused[] = {"",
                                        "2020-01-01 00:00",
                                        "2020-01-01 24:00:00",
                                        "2020-01-01 00:60:00",
                                        "infinity",
                                        "2020-01-01 00:00:60",
                                        "2020-01-01 00:00:00.",
                                        "2020-01-01 00:00:00.0000001",
                                        "2020-01-01 ",
                                        "2020-01-01 00:00:00 UTC",
                                        "2020-01-01 00:00:00+1",
                                        "2020-01-01  00:00:00",
                                        "2020-01-01 00:00:00+01:",
                                        "2020-01-01 00:00:00Zz",
                                        "999999-01-01 00:00:00",
                                        "0044-01-01 (BC) 00:16:39.5+00",
                                        "2020-01-01 00:00:00+05:30:15"};
  struct ap_value value;
  for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
    if (parse(refused[i], zoned, &value)) fail_msg("'%s' is read", refused[i]);
    if (parse(refused[i], local, &value)) fail_msg("'%s' is read", refused[i]);
  }
  assert_false(parse("2020-01-01 00:00:00+01:00", local, &value));
}

/* Random instants through their own texts, and against strftime. */
static void test_timestamp_round_trip(void **state) {
  (void)state;
  struct ap_seeded_random random;
  ap_seeded_random_init(&random, ap_test_seed("test_timestamp_round_trip"));
  const int64_t span = (int64_t)9000 * 365 * 86400; /* from 1970 on into year 10970 */
  for (uint64_t round = ap_test_rounds(20000); round > 0; round--) {
    int64_t seconds = (int64_t)ap_random_below(&random.base, (uint64_t)span) - span / 5;
    time_t time = (time_t)seconds;
    struct tm civil;
    assert_non_null(gmtime_r(&time, &civil));
    char text[64];
    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", civil.tm_year + 1900,
             civil.tm_mon + 1, civil.tm_mday, civil.tm_hour, civil.tm_min, civil.tm_sec);
    struct ap_value value;
    if (!parse(text, AP_TYPE_TIMESTAMP_TZ, &value)) fail_msg("'%s' is refused", text);
    assert_true(value.i64 == seconds * 1000000);
    check_printed(&value, text);
  }
}

static void test_times_and_booleans(void **state) {
  (void)state;
  struct ap_value value;
  assert_true(parse("12:00:00.25", AP_TYPE_TIME, &value));
  assert_true(value.i64 == 43200250000);
  check_printed(&value, "43200250000");
  assert_true(parse("43200250000", AP_TYPE_TIME, &value));
  assert_true(value.i64 == 43200250000);
  assert_true(parse("86400000000", AP_TYPE_TIME, &value));
  assert_false(parse("86400000001", AP_TYPE_TIME, &value));
  assert_false(parse("-1", AP_TYPE_TIME, &value));
  assert_false(parse("25:00:00", AP_TYPE_TIME, &value));
  assert_false(parse("12:00", AP_TYPE_TIME, &value));
  assert_true(parse("true", AP_TYPE_BOOLEAN, &value));
  check_printed(&value, "true");
  assert_true(parse("false", AP_TYPE_BOOLEAN, &value));
  check_printed(&value, "false");
  assert_false(parse("TRUE", AP_TYPE_BOOLEAN, &value));
  assert_false(parse("1", AP_TYPE_BOOLEAN, &value));
  assert_true(parse("", AP_TYPE_STRING, &value));
  check_printed(&value, "");
  assert_false(parse("x", AP_TYPE_BINARY, &value));
  assert_false(parse("x", AP_TYPE_LIST, &value));
  assert_false(parse("x", AP_TYPE_NULL, &value));
}

/* ---- order ----------------------------------------------------------------------------------- */

static struct ap_value integer(int64_t number) {
  struct ap_value value = {.kind = AP_VALUE_INTEGER};
  value.decimal = number;
  return value;
}

static struct ap_value decimal(const char *text, uint8_t scale) {
  struct ap_type type = {.kind = AP_TYPE_DECIMAL, .precision = 38, .scale = scale};
  struct ap_value value;
  assert_true(ap_value_parse(ap_text_of(text), &type, &value));
  return value;
}

static struct ap_value real(double number, bool is_double) {
  return (struct ap_value){.kind = AP_VALUE_FLOAT, .is_double = is_double, .f64 = number};
}

static void check_order(struct ap_value a, struct ap_value b, int expected) {
  int order = 9;
  assert_true(ap_value_compare(&a, &b, &order));
  assert_int_equal(order, expected);
  assert_true(ap_value_compare(&b, &a, &order));
  assert_int_equal(order, -expected);
  if (expected >= 0) assert_false(ap_value_surely_less(&a, &b));
  if (expected <= 0) assert_false(ap_value_surely_less(&b, &a));
}

static void check_no_order(struct ap_value a, struct ap_value b) {
  int order;
  assert_false(ap_value_compare(&a, &b, &order));
  assert_false(ap_value_compare(&b, &a, &order));
}

static void test_exact_order(void **state) {
  (void)state;
  check_order(integer(1), integer(2), -1);
  check_order(integer(INT64_MIN), integer(INT64_MAX), -1);
  check_order(integer(1), decimal("1.00", 2), 0);
  check_order(integer(1), decimal("1.01", 2), -1);
  check_order(decimal("0.5", 1), decimal("0.50000000000000000001", 20), -1);
  /* Brought to one scale these overflow 128 bits. */
  const char *great = "99999999999999999999999999999999999999";
  check_order(decimal(great, 0), decimal("0.5", 38), 1);
  check_order(decimal("-99999999999999999999999999999999999999", 0), decimal("0.5", 38), -1);
  check_order(integer(INT64_MAX), decimal("0.9", 37), 1);
  check_order(integer(INT64_MIN), decimal("-0.9", 37), -1);
  check_order(integer(0), decimal("0.0", 38), 0);
}

static void test_float_order(void **state) {
  (void)state;
  check_order(real(NAN, true), real(NAN, false), 0);
  check_order(real(INFINITY, true), real(NAN, true), -1);
  check_order(real(-0.0, true), real(0.0, true), 0);
  check_order(real(-INFINITY, true), real(-1e308, true), -1);
  check_order(integer(16777216), real(16777216.0, false), 0);
  check_order(decimal("0.5", 1), real(0.5, false), 0);
  check_order(decimal("0.25", 2), real(NAN, false), -1);
  check_no_order(decimal("0.1", 1), real(0.1, true));
  check_no_order(integer(16777217), real(16777216.0, false));
  struct ap_value none = {.kind = AP_VALUE_NONE};
  check_no_order(none, none);
  check_no_order(none, integer(1));
  assert_false(ap_value_surely_less(&none, &none));
}

static void test_other_order(void **state) {
  (void)state;
  struct ap_value date;
  struct ap_value noon;
  struct ap_value midnight;
  struct ap_value instant;
  struct ap_value text = {.kind = AP_VALUE_TEXT, .text = AP_TEXT("2020-01-01")};
  struct ap_value longer = {.kind = AP_VALUE_TEXT, .text = AP_TEXT("2020-01-01 ")};
  struct ap_value high = {.kind = AP_VALUE_TEXT, .text = AP_TEXT("\xc3\xbc")};
  assert_true(parse("2020-01-01", AP_TYPE_DATE, &date));
  assert_true(parse("2020-01-01 12:00:00", AP_TYPE_TIMESTAMP, &noon));
  assert_true(parse("2020-01-01 00:00:00", AP_TYPE_TIMESTAMP, &midnight));
  assert_true(parse("2020-01-01 00:00:00", AP_TYPE_TIMESTAMP_TZ, &instant));
  check_order(date, midnight, 0);
  check_order(date, noon, -1);
  check_no_order(date, instant);
  check_no_order(noon, instant);
  check_no_order(date, text);
  check_no_order(date, integer(18262));
  check_no_order(real(1, true), text);
  check_order(text, longer, -1);
  check_order(text, high, -1);
  struct ap_value far = {.kind = AP_VALUE_DATE, .i64 = INT32_MAX};
  check_no_order(far, noon); /* no midnight in 64 bits of microseconds */
}

/* A number in exact form: numerator / 2^shift. */
static long double exact_of(const struct ap_value *value) {
  if (value->kind == AP_VALUE_FLOAT) return (long double)value->f64;
  long double number = (long double)value->decimal;
  for (unsigned i = 0; value->kind == AP_VALUE_DECIMAL && i < value->scale; i++) number /= 10;
  return number;
}

/* What the engine may see after a cast: of the number, within two units of that precision. */
static bool may_not_be_less(const struct ap_value *a, const struct ap_value *b, bool single) {
  long double left = exact_of(a);
  long double right = exact_of(b);
  if (single) return (float)left >= (float)right;
  return (double)left >= (double)right;
}

static void test_surely_less(void **state) {
  (void)state;
  static const double numbers[] = {0.0,
                                   0.1,
                                   -0.1,
                                   0.5,
                                   1.0,
                                   1.0000001,
                                   16777216,
                                   16777217,
                                   1e9 + 1,
                                   1e15,
                                   9007199254740992.0,
                                   9007199254740994.0,
                                   1e18,
                                   1e30,
                                   1e300,
                                   -1e300,
                                   16777218,
                                   -16777217,
                                   3.4e38,
                                   4e38,
                                   0.30000001192092896,
                                   0.3,
                                   INFINITY,
                                   -INFINITY};
  struct ap_value values[200];
  size_t count = 0;
  for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
    values[count++] = real(numbers[i], true);
    values[count++] = real(numbers[i], false);
    values[count++] = real((double)(float)numbers[i], false);
    if (fabs(numbers[i]) < 1e18) values[count++] = integer((int64_t)numbers[i]);
    if (fabs(numbers[i]) < 1e18) values[count++] = integer((int64_t)numbers[i] + 1);
  }
  values[count++] = decimal("0.1", 1);
  values[count++] = decimal("0.3", 20);
  values[count++] = decimal("0.30000000000000000001", 20);
  values[count++] = decimal("16777216.5", 1);
  values[count++] = decimal("9007199254740993", 0);
  values[count++] = decimal("9007199254740993.01", 2);
  values[count++] = decimal("99999999999999999999999999999999999999", 0);
  int found = 0;
  for (size_t i = 0; i < count; i++) {
    for (size_t j = 0; j < count; j++) {
      struct ap_value *a = &values[i];
      struct ap_value *b = &values[j];
      if (!ap_value_surely_less(a, b)) continue;
      found++;
      bool a_float = a->kind == AP_VALUE_FLOAT;
      bool b_float = b->kind == AP_VALUE_FLOAT;
      bool single = (a_float && !a->is_double) || (b_float && !b->is_double);
      assert_true(exact_of(a) <= exact_of(b));
      if (!a_float && !b_float) continue;
      if (may_not_be_less(a, b, false)) fail_msg("pair %zu, %zu as doubles", i, j);
      if (single && may_not_be_less(a, b, true)) fail_msg("pair %zu, %zu as floats", i, j);
    }
  }
  assert_true(found > 1000); /* it does find most orders */
  struct ap_value a = real(1.0, true);
  struct ap_value b = real(nextafter(1.0, 2.0), true);
  assert_true(ap_value_surely_less(&a, &b));
  b.is_double = false;
  assert_false(ap_value_surely_less(&a, &b));
  b = real(NAN, false);
  assert_true(ap_value_surely_less(&a, &b));
  assert_false(ap_value_surely_less(&b, &a));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_decimals),
      cmocka_unit_test(test_decimal_texts),
      cmocka_unit_test(test_integer_ranges),
      cmocka_unit_test(test_floats),
      cmocka_unit_test(test_special_floats),
      cmocka_unit_test(test_calendar),
      cmocka_unit_test(test_dates),
      cmocka_unit_test(test_timestamps),
      cmocka_unit_test(test_timestamp_round_trip),
      cmocka_unit_test(test_times_and_booleans),
      cmocka_unit_test(test_exact_order),
      cmocka_unit_test(test_float_order),
      cmocka_unit_test(test_other_order),
      cmocka_unit_test(test_surely_less),
  };
  return AP_RUN_TESTS(tests);
}
