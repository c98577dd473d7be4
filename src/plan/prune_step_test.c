/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: what a function of a column gives for any value between two bounds lies between what the
 * steps give for the bounds, and is exactly that for the bounds themselves where they keep order.
 * Method: random bounds and values between them; the functions are computed here by other means
 * (timegm and gmtime_r of the C library, doubles, bytes). Random, with a printed seed.
 */
#include "plan/prune_expr.h"

#include "testing/check.h"
#include "testing/random.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 20000 };

#define DAY_US ((int64_t)86400 * 1000000)

static struct ap_random *dice;
static struct ap_seeded_random seeded;
static struct ap_arena arena;

static int64_t between(int64_t low, int64_t high) {
  return low + (int64_t)ap_random_below(dice, (uint64_t)(high - low) + 1);
}

static struct ap_prune_operand column_of(enum ap_type_kind kind) {
  const struct ap_type type = {.kind = kind};
  struct ap_prune_operand operand;
  assert_true(ap_prune_column(&type, &operand));
  return operand;
}

static struct ap_prune_operand integer(int64_t number) {
  struct ap_prune_operand operand = {.kind = AP_PRUNE_CONSTANT, .type = {.kind = AP_TYPE_INT32}};
  operand.value = (struct ap_value){.kind = AP_VALUE_INTEGER};
  operand.value.decimal = number;
  return operand;
}

static struct ap_prune_operand text(const char *word) {
  struct ap_prune_operand operand = {
      .kind = AP_PRUNE_CONSTANT, .type = {.kind = AP_TYPE_STRING}, .literal = true};
  operand.value = (struct ap_value){.kind = AP_VALUE_TEXT, .text = ap_text_of(word)};
  return operand;
}

static struct ap_value value_of(enum ap_value_kind kind, int64_t number) {
  struct ap_value value = {.kind = kind};
  if (kind == AP_VALUE_INTEGER) {
    value.decimal = number;
  } else {
    value.i64 = number;
  }
  return value;
}

static int64_t number_of(const struct ap_value *value) {
  return value->kind == AP_VALUE_INTEGER ? (int64_t)value->decimal : value->i64;
}

/* By the C library: a timestamp cut to the unit. */
static int64_t truncated(const char *unit, int64_t micros) {
  int64_t seconds = micros / 1000000 - (micros % 1000000 < 0);
  time_t moment = (time_t)seconds;
  struct tm parts;
  (void)gmtime_r(&moment, &parts);
  if (strcmp(unit, "second") != 0) parts.tm_sec = 0;
  if (strcmp(unit, "second") == 0 || strcmp(unit, "minute") == 0) {
    return (int64_t)timegm(&parts) * 1000000;
  }
  parts.tm_min = 0;
  if (strcmp(unit, "hour") == 0) return (int64_t)timegm(&parts) * 1000000;
  parts.tm_hour = 0;
  if (strcmp(unit, "week") == 0) parts.tm_mday -= (parts.tm_wday + 6) % 7;
  bool month = strcmp(unit, "month") == 0;
  bool quarter = strcmp(unit, "quarter") == 0;
  bool year = strcmp(unit, "year") == 0;
  if (month || quarter || year) parts.tm_mday = 1;
  if (quarter) parts.tm_mon -= parts.tm_mon % 3;
  if (year) parts.tm_mon = 0;
  return (int64_t)timegm(&parts) * 1000000;
}

static int64_t year_of(int64_t micros) {
  int64_t seconds = micros / 1000000 - (micros % 1000000 < 0);
  time_t moment = (time_t)seconds;
  struct tm parts;
  (void)gmtime_r(&moment, &parts);
  return parts.tm_year + 1900;
}

/* The steps of a column over the bounds, and what a value between them gives. */
static void check_between(const struct ap_prune_operand *column, enum ap_value_kind kind,
                          int64_t low, int64_t high, enum ap_value_kind result, int64_t image,
                          int64_t image_of_low) {
  struct ap_value min = value_of(kind, low);
  struct ap_value max = value_of(kind, high);
  bool may_be_null = false;
  ap_prune_steps_apply(column->steps, &min, &max, &may_be_null);
  assert_false(may_be_null);
  assert_int_equal(min.kind, result);
  assert_int_equal(max.kind, result);
  assert_true(number_of(&min) <= image && image <= number_of(&max));
  assert_true(number_of(&min) == image_of_low || number_of(&max) == image_of_low);
}

static bool call(const char *name, struct ap_prune_operand *operands, uint32_t count, uint32_t at) {
  bool out_of_memory = false;
  bool understood =
      ap_prune_step_call(&arena, ap_text_of(name), operands, count, at, &out_of_memory);
  assert_false(out_of_memory);
  return understood;
}

static void sums_of_integers(void) {
  int64_t low = between(-100, 100);
  int64_t high = low + between(0, 20);
  int64_t value = between(low, high);
  int64_t number = between(-9, 9);
  struct ap_prune_operand add[] = {column_of(AP_TYPE_INT32), integer(number)};
  assert_true(call("+", add, 2, 0));
  check_between(&add[0], AP_VALUE_INTEGER, low, high, AP_VALUE_INTEGER, value + number,
                low + number);
  struct ap_prune_operand from[] = {integer(number), column_of(AP_TYPE_INT32)};
  assert_true(call("-", from, 2, 1));
  check_between(&from[1], AP_VALUE_INTEGER, low, high, AP_VALUE_INTEGER, number - value,
                number - low);
  /* Two functions, one in the other. */
  struct ap_prune_operand both[] = {from[1], integer(-3)};
  assert_true(call("*", both, 2, 0));
  check_between(&both[0], AP_VALUE_INTEGER, low, high, AP_VALUE_INTEGER, -3 * (number - value),
                -3 * (number - low));
}

static void days_and_times(void) {
  static const char *const units[] = {"year", "quarter", "month",  "week",
                                      "day",  "hour",    "minute", "second"};
  const char *unit = units[between(0, 7)];
  int64_t low = between(-60000 * DAY_US, 60000 * DAY_US);
  int64_t high = low + between(0, 500 * DAY_US);
  int64_t value = between(low, high);
  struct ap_prune_operand cut[] = {text(unit), column_of(AP_TYPE_TIMESTAMP)};
  assert_true(call("date_trunc", cut, 2, 1));
  check_between(&cut[1], AP_VALUE_TIMESTAMP, low, high, AP_VALUE_TIMESTAMP, truncated(unit, value),
                truncated(unit, low));
  struct ap_prune_operand year[] = {column_of(AP_TYPE_TIMESTAMP)};
  assert_true(call("year", year, 1, 0));
  check_between(&year[0], AP_VALUE_TIMESTAMP, low, high, AP_VALUE_INTEGER, year_of(value),
                year_of(low));
  bool out_of_memory = false;
  struct ap_prune_operand day = column_of(AP_TYPE_TIMESTAMP);
  assert_true(ap_prune_step_cast(&arena, &day, AP_TYPE_DATE, &out_of_memory));
  check_between(&day, AP_VALUE_TIMESTAMP, low, high, AP_VALUE_DATE,
                truncated("day", value) / DAY_US, truncated("day", low) / DAY_US);
}

/* The C library normalises, the engine stays in the month: so months are added step by step. */
static int64_t month_later(int64_t days) {
  time_t moment = (time_t)(days * 86400);
  struct tm parts;
  (void)gmtime_r(&moment, &parts);
  int month = (parts.tm_mon + 1) % 12;
  parts.tm_mon++;
  for (;;) {
    struct tm tried = parts;
    int64_t later = (int64_t)timegm(&tried) / 86400;
    if (tried.tm_mon == month) return later;
    parts.tm_mday--;
  }
}

static void intervals(void) {
  int64_t low = between(-30000, 30000);
  int64_t high = low + between(0, 90);
  int64_t value = between(low, high);
  struct ap_prune_operand interval = {.kind = AP_PRUNE_INTERVAL, .months = 1};
  interval.value.i64 = 7;
  struct ap_prune_operand month[] = {column_of(AP_TYPE_DATE), interval};
  assert_true(call("+", month, 2, 0));
  check_between(&month[0], AP_VALUE_DATE, low, high, AP_VALUE_TIMESTAMP,
                month_later(value) * DAY_US + 7, month_later(low) * DAY_US + 7);
  struct ap_prune_operand of_time[] = {column_of(AP_TYPE_TIMESTAMP), interval};
  assert_false(call("+", of_time, 2, 0)); /* two times of the last days may change their order */
}

/* NaN is the greatest float whatever is done to it. */
static void floats_with_nan(void) {
  struct ap_prune_operand operands[] = {column_of(AP_TYPE_FLOAT64), integer(-1)};
  assert_true(call("*", operands, 2, 0));
  struct ap_value min = {.kind = AP_VALUE_FLOAT, .f64 = 5};
  struct ap_value max = {.kind = AP_VALUE_NONE};
  bool may_be_null = false;
  ap_prune_steps_apply(operands[0].steps, &min, &max, &may_be_null);
  assert_int_equal(max.kind, AP_VALUE_NONE);
  min = (struct ap_value){.kind = AP_VALUE_NONE};
  max = (struct ap_value){.kind = AP_VALUE_FLOAT, .f64 = 5};
  ap_prune_steps_apply(operands[0].steps, &min, &max, &may_be_null);
  assert_true(min.kind == AP_VALUE_FLOAT && min.f64 == -5);
  assert_int_equal(max.kind, AP_VALUE_NONE);
}

static void characters(void) {
  struct ap_prune_operand operands[] = {column_of(AP_TYPE_STRING), integer(2)};
  assert_true(call("left", operands, 2, 0));
  struct ap_value min = {.kind = AP_VALUE_TEXT,
                         .text = AP_TEXT("\xc3\xa9"
                                         "a\xc3\xa9")};
  struct ap_value max = {.kind = AP_VALUE_TEXT, .text = AP_TEXT("z")};
  bool may_be_null = false;
  ap_prune_steps_apply(operands[0].steps, &min, &max, &may_be_null);
  assert_true(ap_text_equal_string(min.text,
                                   "\xc3\xa9"
                                   "a"));
  assert_true(ap_text_equal_string(max.text, "z"));
}

static void refuses(void) {
  struct ap_prune_operand negative[] = {column_of(AP_TYPE_STRING), integer(-1)};
  assert_false(call("left", negative, 2, 0));
  struct ap_prune_operand month[] = {column_of(AP_TYPE_DATE)};
  assert_false(call("month", month, 1, 0));
  struct ap_prune_operand zero[] = {column_of(AP_TYPE_FLOAT64), integer(0)};
  assert_false(call("*", zero, 2, 0));
  struct ap_prune_operand zoned[] = {text("day"), column_of(AP_TYPE_TIMESTAMP_TZ)};
  assert_false(call("date_trunc", zoned, 2, 1));
  struct ap_prune_operand wide[] = {column_of(AP_TYPE_UINT64), integer(1)};
  assert_false(call("+", wide, 2, 0));
}

/* An infinite time has no bound here, and no year. */
static void unknown_bounds_may_be_null(void) {
  struct ap_prune_operand year[] = {column_of(AP_TYPE_DATE)};
  assert_true(call("year", year, 1, 0));
  struct ap_value min = value_of(AP_VALUE_DATE, 0);
  struct ap_value max = {.kind = AP_VALUE_NONE};
  bool may_be_null = false;
  ap_prune_steps_apply(year[0].steps, &min, &max, &may_be_null);
  assert_true(may_be_null);
  assert_int_equal((int)min.decimal, 1970);
  assert_int_equal(max.kind, AP_VALUE_NONE);
}

static void steps_enclose_what_functions_give(void **state) {
  (void)state;
  ap_seeded_random_init(&seeded, ap_test_seed("steps_enclose_what_functions_give"));
  dice = &seeded.base;
  uint64_t rounds = ap_test_rounds(ROUNDS);
  for (uint64_t round = 0; round < rounds; round++) {
    ap_arena_init(&arena, ap_allocator_system());
    sums_of_integers();
    days_and_times();
    intervals();
    ap_arena_deinit(&arena);
  }
}

static void knows_the_edges(void **state) {
  (void)state;
  ap_arena_init(&arena, ap_allocator_system());
  floats_with_nan();
  characters();
  refuses();
  unknown_bounds_may_be_null();
  ap_arena_deinit(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(steps_enclose_what_functions_give),
      cmocka_unit_test(knows_the_edges),
  };
  return AP_RUN_TESTS(tests);
}
