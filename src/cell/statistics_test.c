/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: statistics say what their writer meant and nothing more, are parsed once, and are safe to
 * ask for from many threads.
 * Method: JSON as we, Spark, delta-rs and careless writers make it, against bounds worked out by
 * hand; broken JSON; two schemas; threads that ask at once; lack of memory at every allocation.
 */
#include "cell/cell.h"

#include "cell/draft.h"
#include "port/env.h"
#include "testing/alloc.h"
#include "testing/check.h"

#include <float.h>
#include <math.h>

static const char own_tags[] = "{\"apiary.schema\":\"0123456789abcdef\"}";

struct fixture {
  struct ap_cell *cell;
  struct ap_arena arena;
  const struct ap_cell_statistics *statistics;
};

static struct ap_field field(const char *name, enum ap_type_kind kind) {
  return (struct ap_field){.name = ap_text_of(name), .type = {.kind = kind}, .nullable = true};
}

static void setup(struct fixture *fixture, const char *json, const struct ap_schema *schema,
                  bool own) {
  struct ap_cell_parts parts = {
      .path = AP_TEXT("p"),
      .statistics_json = ap_text_of(json),
      .tags_json = ap_text_of(own ? own_tags : ""),
  };
  ap_arena_init(&fixture->arena, ap_allocator_system());
  check_ok(ap_cell_create(ap_allocator_system(), &parts, &fixture->cell, NULL), NULL);
  check_ok(ap_cell_statistics_get(fixture->cell, &fixture->arena, schema, ap_schema_id(schema),
                                  NULL, &fixture->statistics, NULL),
           NULL);
  assert_int_equal(fixture->statistics->column_count, schema->field_count);
}

static void teardown(struct fixture *fixture) {
  ap_arena_deinit(&fixture->arena);
  ap_cell_release(fixture->cell);
}

static void check_value(const struct ap_value *value, const char *expected, const char *what) {
  struct ap_buffer out;
  ap_buffer_init(&out, ap_allocator_system());
  if (value->kind != AP_VALUE_NONE) ap_value_append_text(&out, value);
  struct ap_text text = ap_buffer_text(&out);
  bool same = expected == NULL
                  ? value->kind == AP_VALUE_NONE
                  : value->kind != AP_VALUE_NONE && ap_text_equal_string(text, expected);
  if (!same) {
    fail_msg("%s is '%.*s', not '%s'", what, AP_TEXT_ARG(text), expected ? expected : "(unknown)");
  }
  ap_buffer_deinit(&out);
}

/* One column "c" whose JSON bounds are given; NULL: unknown. */
static void check_bounds(struct ap_type type, bool own, const char *json_min, const char *json_max,
                         const char *min, const char *max) {
  struct ap_field only = {.name = AP_TEXT("c"), .type = type, .nullable = true};
  struct ap_schema schema = {1, &only};
  struct ap_buffer json;
  ap_buffer_init(&json, ap_allocator_system());
  ap_buffer_append_format(&json,
                          "{\"numRecords\":10,\"minValues\":{\"c\":%s},\"maxValues\":{\"c\":%s},"
                          "\"nullCount\":{\"c\":4}}",
                          json_min, json_max);
  struct fixture fixture;
  setup(&fixture, json.data, &schema, own);
  check_value(&fixture.statistics->columns[0].min, min, json.data);
  check_value(&fixture.statistics->columns[0].max, max, json.data);
  assert_int_equal(fixture.statistics->columns[0].null_count, 4);
  assert_int_equal(fixture.statistics->row_count, 10);
  teardown(&fixture);
  ap_buffer_deinit(&json);
}

static struct ap_type plain(enum ap_type_kind kind) {
  return (struct ap_type){.kind = kind};
}

static struct ap_type decimal(uint8_t precision, uint8_t scale) {
  return (struct ap_type){.kind = AP_TYPE_DECIMAL, .precision = precision, .scale = scale};
}

static void test_own(void **state) {
  (void)state;
  check_bounds(plain(AP_TYPE_INT64), true, "-9223372036854775808", "9223372036854775807",
               "-9223372036854775808", "9223372036854775807");
  check_bounds(plain(AP_TYPE_UINT64), true, "0", "18446744073709551615", "0",
               "18446744073709551615");
  check_bounds(plain(AP_TYPE_BOOLEAN), true, "false", "true", "false", "true");
  check_bounds(plain(AP_TYPE_FLOAT64), true, "0.1", "142.714", "0.1", "142.714");
  check_bounds(plain(AP_TYPE_FLOAT32), true, "0.10000000149011612", "0.5", "0.10000000149011612",
               "0.5");
  check_bounds(decimal(38, 4), true, "-1.1000", "1234567890123456789012345678901234.5678",
               "-1.1000", "1234567890123456789012345678901234.5678");
  check_bounds(plain(AP_TYPE_DATE), true, "\"2020-01-01\"", "\"2020-12-31\"", "2020-01-01",
               "2020-12-31");
  check_bounds(plain(AP_TYPE_TIMESTAMP), true, "\"2020-01-01T00:00:00.000001\"",
               "\"2020-12-31T00:00:00.000000\"", "2020-01-01 00:00:00.000001",
               "2020-12-31 00:00:00");
  check_bounds(plain(AP_TYPE_TIMESTAMP_TZ), true, "\"1900-01-01T00:00:00.000000Z\"",
               "\"2020-12-31T00:00:00.000000Z\"", "1900-01-01T00:00:00Z", "2020-12-31T00:00:00Z");
  check_bounds(plain(AP_TYPE_TIME), true, "0", "86399999999", "0", "86399999999");
  check_bounds(plain(AP_TYPE_STRING), true, "\"\"", "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"", "",
               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
}

static void test_foreign_exact(void **state) {
  (void)state;
  check_bounds(plain(AP_TYPE_INT32), false, "-5", "7", "-5", "7");
  check_bounds(plain(AP_TYPE_BOOLEAN), false, "\"false\"", "\"true\"", "false", "true");
  check_bounds(plain(AP_TYPE_DATE), false, "\"2020-01-01\"", "\"2020-12-31\"", "2020-01-01",
               "2020-12-31");
  check_bounds(decimal(15, 7), false, "1E-7", "0.3", "0.0000001", "0.3000000");
  check_bounds(decimal(10, 2), false, "\"1.5\"", "2", "1.50", "2.00");
  check_bounds(plain(AP_TYPE_STRING), false, "\"a\"", "\"b\"", "a", "b");
}

static void test_foreign_widened(void **state) {
  (void)state;
  /* Cut to milliseconds. */
  check_bounds(plain(AP_TYPE_TIMESTAMP), false, "\"2020-01-01T00:00:00.123\"",
               "\"2020-01-01T00:00:00.456\"", "2020-01-01 00:00:00.122000",
               "2020-01-01 00:00:00.457000");
  check_bounds(plain(AP_TYPE_TIMESTAMP_TZ), false, "\"2020-01-01T00:00:00.123-08:00\"",
               "\"2020-01-01T00:00:00.456Z\"", NULL, NULL); /* min > max: not to be believed */
  check_bounds(plain(AP_TYPE_TIMESTAMP_TZ), false, "\"2020-01-01T00:00:00.123Z\"",
               "\"2020-01-01T00:00:00.456-08:00\"", "2020-01-01T00:00:00.122000Z",
               "2020-01-01T08:00:00.457000Z");
  /* Offsets with seconds, as local mean times have, are cut to minutes. */
  check_bounds(plain(AP_TYPE_TIMESTAMP_TZ), false, "\"1880-01-01T00:00:00.000-07:52\"",
               "\"1880-01-01T00:00:00.000-07:52\"", "1880-01-01T07:51:00Z", "1880-01-01T07:53:00Z");
  check_bounds(plain(AP_TYPE_TIMESTAMP_TZ), false, "\"2020-01-01 00:00:00\"", "\"2020-01-01\"",
               NULL, NULL); /* of which zone? */
  check_bounds(plain(AP_TYPE_FLOAT64), false, "0.5", "2.5", "0.5", NULL);
  check_bounds(plain(AP_TYPE_FLOAT32), false, "0.1", "2.5", "0.10000000149011612", NULL);
  check_bounds(plain(AP_TYPE_FLOAT64), false, "\"NaN\"", "\"NaN\"", NULL, NULL);
  /* delta-rs brings decimals through a double. */
  check_bounds(decimal(38, 0), false, "12345678901234567000.0", "1.2345678901234568e19",
               "12345678901234561517", "12345678901234573483");
  check_bounds(decimal(18, 2), false, "0.30000000000000004", "0.3", NULL, "0.31");
}

/* A column that was widened from float to double: what was printed as 0.1 lies beyond the double
 * 0.1 on either side. */
static void test_float_widened_to_double(void **state) {
  (void)state;
  struct ap_field only = field("c", AP_TYPE_FLOAT64);
  struct ap_schema schema = {1, &only};
  struct fixture fixture;
  setup(&fixture, "{\"minValues\":{\"c\":-0.1}}", &schema, false);
  assert_true(fixture.statistics->columns[0].min.f64 <= (double)-0.1f);
  assert_true(fixture.statistics->columns[0].min.f64 > -0.1001);
  teardown(&fixture);
  setup(&fixture, "{\"minValues\":{\"c\":1e300}}", &schema, false);
  assert_true(fixture.statistics->columns[0].min.f64 == 1e300);
  teardown(&fixture);
}

static void test_foreign_strings(void **state) {
  (void)state;
#define X31 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
  const struct ap_type text = plain(AP_TYPE_STRING);
  check_bounds(text, false, "\"" X31 "x\"", "\"" X31 "\"", NULL, NULL); /* min > max */
  check_bounds(text, false, "\"" X31 "\"", "\"" X31 "\"", X31, X31);
  check_bounds(text, false, "\"" X31 "x\"", "\"" X31 "x\"", X31 "x", NULL);
  check_bounds(text, false, "\"" X31 "x\"", "\"" X31 "xxx\"", X31 "x", NULL);
  check_bounds(text, false, "\"a\"", "\"" X31 "x\\udbff\\udfff\"", "a", X31 "x\xf4\x8f\xbf\xbf");
  check_bounds(text, false, "\"a\"", "\"" X31 "x\x7f\"", "a", X31 "x\x7f");
#undef X31
  /* 16 characters of two UTF-16 units each may be a cut to 32. */
#define BEES "\xf0\x9f\x90\x9d\xf0\x9f\x90\x9d\xf0\x9f\x90\x9d\xf0\x9f\x90\x9d\xf0\x9f\x90\x9d"
  check_bounds(text, false, "\"a\"", "\"" BEES BEES BEES "\"", "a", BEES BEES BEES);
  check_bounds(text, false, "\"a\"", "\"" BEES BEES BEES "\xf0\x9f\x90\x9d\"", "a", NULL);
#undef BEES
}

static void test_wrong_kinds(void **state) {
  (void)state;
  check_bounds(plain(AP_TYPE_INT32), true, "\"5\"", "true", NULL, NULL);
  check_bounds(plain(AP_TYPE_INT32), true, "null", "[5]", NULL, NULL);
  check_bounds(plain(AP_TYPE_INT32), true, "5.5", "2147483648", NULL, NULL);
  check_bounds(plain(AP_TYPE_STRING), true, "5", "{\"c\":5}", NULL, NULL);
  check_bounds(plain(AP_TYPE_DATE), true, "20200101", "\"2020-02-30\"", NULL, NULL);
  check_bounds(plain(AP_TYPE_BOOLEAN), true, "0", "1", NULL, NULL);
  check_bounds(plain(AP_TYPE_BINARY), true, "\"a\"", "\"b\"", NULL, NULL);
  check_bounds(plain(AP_TYPE_INT32), true, "7", "5", NULL, NULL);
}

static void test_broken(void **state) {
  (void)state;
  static const char *const broken[] = {"",
                                       "{",
                                       "null",
                                       "5",
                                       "[]",
                                       "\"x\"",
                                       "{\"minValues\":5,\"maxValues\":[],\"nullCount\":\"x\"}",
                                       "{\"numRecords\":-1,\"nullCount\":{\"c\":-1}}",
                                       "{\"numRecords\":\"7\"}",
                                       "{\"numRecords\":1.5}",
                                       "{\"numRecords\":99999999999999999999}",
                                       "{\"numRecords\":3,\"nullCount\":{\"c\":1}",
                                       "{\"minValues\":{\"c\":NaN}}"};
  struct ap_field only = field("c", AP_TYPE_FLOAT64);
  struct ap_schema schema = {1, &only};
  for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
    struct fixture fixture;
    setup(&fixture, broken[i], &schema, true);
    assert_int_equal(fixture.statistics->row_count, -1);
    assert_int_equal(fixture.statistics->columns[0].null_count, -1);
    check_value(&fixture.statistics->columns[0].min, NULL, broken[i]);
    check_value(&fixture.statistics->columns[0].max, NULL, broken[i]);
    teardown(&fixture);
  }
  struct fixture fixture;
  setup(&fixture, "{\"numRecords\":3,\"nullCount\":{\"c\":4}}", &schema, true);
  assert_int_equal(fixture.statistics->row_count, 3);
  assert_int_equal(fixture.statistics->columns[0].null_count, -1);
  teardown(&fixture);
}

/* Physical names, another order of members, columns that the file does not have. */
static void test_names(void **state) {
  (void)state;
  struct ap_field fields[] = {field("a", AP_TYPE_INT32), field("b", AP_TYPE_INT32),
                              field("late", AP_TYPE_INT32), field("s", AP_TYPE_STRUCT)};
  struct ap_schema schema = {4, fields};
  struct ap_text names[] = {AP_TEXT("col-1"), AP_TEXT("a"), AP_TEXT("col-3"), AP_TEXT("s")};
  struct ap_cell_parts parts = {
      .path = AP_TEXT("p"),
      .statistics_json = AP_TEXT("{\"maxValues\":{\"a\":4,\"x\":9,\"col-1\":2,\"s\":{\"y\":1}},"
                                 "\"nullCount\":{\"s\":{\"y\":1},\"col-1\":1,\"a\":0},"
                                 "\"minValues\":{\"a\":3,\"col-1\":1},\"numRecords\":5}"),
  };
  struct ap_cell *cell;
  struct ap_arena arena;
  const struct ap_cell_statistics *statistics;
  ap_arena_init(&arena, ap_allocator_system());
  check_ok(ap_cell_create(ap_allocator_system(), &parts, &cell, NULL), NULL);
  check_ok(ap_cell_statistics_get(cell, &arena, &schema, 1, names, &statistics, NULL), NULL);
  check_value(&statistics->columns[0].min, "1", "a.min");
  check_value(&statistics->columns[0].max, "2", "a.max");
  assert_int_equal(statistics->columns[0].null_count, 1);
  check_value(&statistics->columns[1].min, "3", "b.min");
  check_value(&statistics->columns[1].max, "4", "b.max");
  assert_int_equal(statistics->columns[1].null_count, 0);
  check_value(&statistics->columns[2].min, NULL, "late.min");
  assert_int_equal(statistics->columns[2].null_count, -1);
  assert_int_equal(statistics->columns[3].null_count, -1);
  check_value(&statistics->columns[3].max, NULL, "s.max");
  ap_arena_deinit(&arena);
  ap_cell_release(cell);
}

/* What ap_statistics_append writes comes back. */
static void test_round_trip(void **state) {
  (void)state;
  struct ap_field fields[] = {field("t", AP_TYPE_TIMESTAMP_TZ), field("s", AP_TYPE_STRING),
                              field("f", AP_TYPE_FLOAT32), field("h", AP_TYPE_TIME)};
  struct ap_schema schema = {4, fields};
  struct ap_statistics_text columns[] = {
      {AP_TEXT("0900-01-01 00:00:00.000001+00"), AP_TEXT("2020-01-01 00:00:00+00"), 1, false},
      {AP_TEXT("a\"\\\n"), AP_TEXT("\xc3\xbc"), 2, false},
      {AP_TEXT("-0.1"), AP_TEXT("0.1"), 3, false},
      {AP_TEXT("00:00:00.000001"), AP_TEXT("23:59:59"), 0, false}};
  struct ap_buffer json;
  ap_buffer_init(&json, ap_allocator_system());
  ap_statistics_append(&json, &schema, 7, columns);
  struct fixture fixture;
  setup(&fixture, json.data, &schema, true);
  const struct ap_column_statistics *found = fixture.statistics->columns;
  check_value(&found[0].min, "0900-01-01T00:00:00.000001Z", "t.min");
  check_value(&found[0].max, "2020-01-01T00:00:00Z", "t.max");
  check_value(&found[1].min, "a\"\\\n", "s.min");
  check_value(&found[1].max, "\xc3\xbc", "s.max");
  assert_true(found[2].min.f64 == (double)-0.1f && found[2].max.f64 == (double)0.1f);
  check_value(&found[3].min, "1", "h.min");
  check_value(&found[3].max, "86399000000", "h.max");
  assert_int_equal(fixture.statistics->row_count, 7);
  assert_int_equal(found[2].null_count, 3);
  teardown(&fixture);
  ap_buffer_deinit(&json);
}

static void test_kept_once(void **state) {
  (void)state;
  struct ap_field as_integer = field("c", AP_TYPE_INT32);
  struct ap_field as_text = field("c", AP_TYPE_INT64);
  struct ap_schema first = {1, &as_integer};
  struct ap_schema second = {1, &as_text};
  struct fixture fixture;
  setup(&fixture, "{\"minValues\":{\"c\":5}}", &first, true);
  const struct ap_cell_statistics *again;
  const struct ap_cell_statistics *other;
  check_ok(ap_cell_statistics_get(fixture.cell, &fixture.arena, &first, ap_schema_id(&first), NULL,
                                  &again, NULL),
           NULL);
  assert_ptr_equal(again, fixture.statistics);
  assert_int_equal(fixture.arena.total_bytes, 0);
  check_ok(ap_cell_statistics_get(fixture.cell, &fixture.arena, &second, ap_schema_id(&second),
                                  NULL, &other, NULL),
           NULL);
  assert_ptr_not_equal(other, fixture.statistics);
  assert_true(other->schema_id == ap_schema_id(&second));
  check_value(&other->columns[0].min, "5", "c.min");
  assert_true(fixture.arena.total_bytes > 0);
  teardown(&fixture);
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { THREADS = 4, CELLS = 200 };

struct race {
  struct ap_cell *cells[CELLS];
  const struct ap_cell_statistics *seen[THREADS][CELLS];
  atomic_int ready;
  struct ap_schema schema;
};

struct racer {
  struct race *race;
  int index;
};

static void run_racer(void *context) {
  struct racer *racer = context;
  struct race *race = racer->race;
  struct ap_arena arena;
  ap_arena_init(&arena, ap_allocator_system());
  atomic_fetch_add(&race->ready, 1);
  while (atomic_load(&race->ready) < THREADS) {
  }
  for (int i = 0; i < CELLS; i++) {
    struct ap_cell *cell = ap_cell_retain(race->cells[i]);
    ap_status status = ap_cell_statistics_get(cell, &arena, &race->schema, 1, NULL,
                                              &race->seen[racer->index][i], NULL);
    if (status != AP_OK) race->seen[racer->index][i] = NULL;
    ap_cell_release(cell);
  }
  ap_arena_deinit(&arena);
}

static void test_threads(void **state) {
  (void)state;
  static struct race race;
  struct ap_field only = field("c", AP_TYPE_STRING);
  race.schema = (struct ap_schema){1, &only};
  struct ap_cell_parts parts = {
      .path = AP_TEXT("p"),
      .statistics_json = AP_TEXT("{\"minValues\":{\"c\":\"x\"},\"maxValues\":{\"c\":\"y\"}}")};
  for (int i = 0; i < CELLS; i++) {
    check_ok(ap_cell_create(ap_allocator_system(), &parts, &race.cells[i], NULL), NULL);
  }
  struct ap_threads *threads = ap_env_system()->threads;
  struct ap_thread *handles[THREADS];
  struct racer racers[THREADS];
  for (int i = 0; i < THREADS; i++) {
    racers[i] = (struct racer){&race, i};
    check_ok(threads->spawn(threads, run_racer, &racers[i], &handles[i], NULL), NULL);
  }
  for (int i = 0; i < THREADS; i++) threads->join(threads, handles[i]);
  for (int i = 0; i < CELLS; i++) {
    for (int t = 0; t < THREADS; t++) {
      assert_non_null(race.seen[t][i]);
      assert_ptr_equal(race.seen[t][i], race.seen[0][i]); /* all got the one that was published */
    }
    check_value(&race.seen[0][i]->columns[0].max, "y", "c.max");
    ap_cell_release(race.cells[i]);
  }
}

/* ---- lack of memory -------------------------------------------------------------------------- */

static ap_status parse_twice(void *context, struct ap_allocator *allocator, ap_error *err) {
  (void)context;
  struct ap_field only = field("c", AP_TYPE_STRING);
  struct ap_schema schema = {1, &only};
  struct ap_cell_parts parts = {
      .path = AP_TEXT("p"),
      .statistics_json = AP_TEXT("{\"minValues\":{\"c\":\"x\"},\"maxValues\":{\"c\":\"y\"}}")};
  struct ap_cell *cell;
  struct ap_arena arena;
  const struct ap_cell_statistics *statistics;
  AP_TRY(ap_cell_create(allocator, &parts, &cell, err));
  ap_arena_init(&arena, allocator);
  ap_status status = ap_cell_statistics_get(cell, &arena, &schema, 1, NULL, &statistics, err);
  if (status == AP_OK) {
    status = ap_cell_statistics_get(cell, &arena, &schema, 2, NULL, &statistics, err);
  }
  ap_arena_deinit(&arena);
  ap_cell_release(cell);
  return status;
}

static void test_out_of_memory(void **state) {
  (void)state;
  assert_true(ap_sweep_memory(parse_twice, NULL) >= 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_own),
      cmocka_unit_test(test_foreign_exact),
      cmocka_unit_test(test_foreign_widened),
      cmocka_unit_test(test_float_widened_to_double),
      cmocka_unit_test(test_foreign_strings),
      cmocka_unit_test(test_wrong_kinds),
      cmocka_unit_test(test_broken),
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_kept_once),
      cmocka_unit_test(test_threads),
      cmocka_unit_test(test_out_of_memory),
  };
  return AP_RUN_TESTS(tests);
}
