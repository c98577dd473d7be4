/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: a query's answer is complete or an error; whatever becomes of it, the pool stays usable.
 * Method: queries with known answers, statements stopped in each way at each stage, and after each
 * a plain query in the same pool.
 */
#include "testing/engine_bed.h"

#include <stdatomic.h>
#include <threads.h>

static void every_type_streams(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  struct ArrowArrayStream stream = bed_stream(
      &bed,
      "SELECT true b, 1::TINYINT i8, 2::SMALLINT i16, 3 i32, 4::BIGINT i64, 5::UTINYINT u8, "
      "6::USMALLINT u16, 7::UINTEGER u32, 8::UBIGINT u64, 1.5::FLOAT f, 2.5::DOUBLE d, "
      "1.25::DECIMAL(10,2) de, 'x' s, 'y'::BLOB bl, DATE '2020-01-02' dt, TIME '01:02:03' t, "
      "TIMESTAMP '2020-01-01' ts, TIMESTAMPTZ '2020-01-01 00:00:00+00' tz, [1] l, {'a': 1} st, "
      "MAP {'k': 1} m");
  static const char *const formats[] = {"b",   "c",   "s",    "i",       "l",          "C",  "S",
                                        "I",   "L",   "f",    "g",       "d:10,2,128", "u",  "z",
                                        "tdD", "ttu", "tsu:", "tsu:UTC", "+l",         "+s", "+m"};
  struct ArrowSchema schema;
  check_ok(ap_stream_schema(&stream, &schema, &bed.err), &bed.err);
  assert_int_equal(schema.n_children, sizeof formats / sizeof formats[0]);
  for (int64_t i = 0; i < schema.n_children; i++) {
    assert_string_equal(schema.children[i]->format, formats[i]);
  }
  struct ArrowArray array;
  check_ok(ap_stream_next(&stream, &array, &bed.err), &bed.err);
  assert_int_equal(array.length, 1);
  check_ok(ap_array_validate(&schema, &array, &bed.err), &bed.err);
  ap_array_release(&array);
  check_ok(ap_stream_next(&stream, &array, &bed.err), &bed.err);
  assert_null(array.release);
  ap_schema_release(&schema);
  ap_stream_release(&stream);
  bed_close(&bed);
}

static void many_rows_stream_in_order(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  struct ArrowArrayStream stream =
      bed_stream(&bed, "SELECT i, 'row ' || i AS s FROM range(1000000) t(i)");
  int64_t rows = 0;
  for (;;) {
    struct ArrowArray array;
    check_ok(ap_stream_next(&stream, &array, &bed.err), &bed.err);
    if (!array.release) break;
    const int64_t *values = array.children[0]->buffers[1];
    for (int64_t i = 0; i < array.length; i++) assert_int_equal(values[i], rows + i);
    rows += array.length;
    ap_array_release(&array);
  }
  assert_int_equal(rows, 1000000);
  ap_stream_release(&stream);
  bed_close(&bed);
}

static void errors_have_codes(void **state) {
  (void)state;
  static const struct {
    const char *sql;
    ap_status status;
    const char *says;
  } cases[] = {
      {"SELECT 1 +", AP_SYNTAX, "syntax error"},
      {"SELECT foo FROM range(3)", AP_QUERY, "LINE 1"},
      {"SELECT * FROM nosuch", AP_QUERY, "nosuch"},
      {"SELECT CAST('x' AS INT)", AP_QUERY, "Could not convert"},
      {"SELECT CAST(CASE WHEN i = 900000 THEN 'x' ELSE '1' END AS INT) FROM range(1000000) t(i)",
       AP_QUERY, "Could not convert"},
      {"SELECT * FROM read_parquet('/nonexistent/x.parquet')", AP_IO, "/nonexistent/x.parquet"},
      {"SELECT 1; SELECT 2", AP_INVALID_ARGUMENT, "2 statements"},
      {"", AP_INVALID_ARGUMENT, "empty"},
      {"  -- nothing", AP_INVALID_ARGUMENT, "empty"},
      {"CREATE TABLE t(a INT)", AP_UNSUPPORTED, "read"},
      {"BEGIN", AP_UNSUPPORTED, "read"},
      {"SET threads = 1", AP_UNSUPPORTED, "read"},
      {"ATTACH '/tmp/x.db'", AP_UNSUPPORTED, "read"},
      {"SELECT $1", AP_INVALID_ARGUMENT, "1 parameters, 0 were given"},
  };
  struct bed bed;
  bed_open(&bed);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    check_status(bed_try(&bed, bed_chamber(&bed), cases[i].sql, NULL), cases[i].status, &bed.err);
    check_contains(bed.err.message, cases[i].says);
    assert_string_equal(bed_query(&bed, "SELECT 42"), "42\n");
  }
  check_status(bed_try(&bed, bed_chamber(&bed), "SELECT '\xff'", NULL), AP_INVALID_ARGUMENT,
               &bed.err);
  bed_close(&bed);
}

static void explain_pivot_and_describe_run(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  check_contains(bed_query(&bed, "EXPLAIN SELECT 42"), "PROJECTION");
  check_contains(bed_query(&bed, "DESCRIBE SELECT 42 AS answer"), "answer|INTEGER");
  const char *pivot = "PIVOT (SELECT 1 a, i b, 'k' || i k FROM range(3) t(i)) ON k USING sum(b)";
  struct ArrowArrayStream stream = bed_stream(&bed, pivot);
  struct ArrowSchema schema;
  check_ok(ap_stream_schema(&stream, &schema, &bed.err), &bed.err);
  assert_int_equal(schema.n_children, 4);
  assert_string_equal(schema.children[3]->name, "k2");
  ap_schema_release(&schema);
  ap_stream_release(&stream);
  bed_close(&bed);
}

static void parameters_of_every_kind(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  const struct ap_parameter parameters[] = {
      {.kind = AP_PARAMETER_NULL},
      {.kind = AP_PARAMETER_BOOLEAN, .i64 = 1},
      {.kind = AP_PARAMETER_INTEGER, .i64 = -5},
      {.kind = AP_PARAMETER_FLOAT, .f64 = 0.5},
      {.kind = AP_PARAMETER_TEXT, .text = AP_TEXT("a'\xc3\xa9;")},
      {.kind = AP_PARAMETER_BINARY, .text = AP_TEXT("\x00\xff")},
      {.kind = AP_PARAMETER_DECIMAL, .text = AP_TEXT("-12345678901234567890123456789012345.678")},
      {.kind = AP_PARAMETER_DATE, .i64 = 19000},
      {.kind = AP_PARAMETER_TIME, .i64 = 3723000001},
      {.kind = AP_PARAMETER_TIMESTAMP, .i64 = 1},
      {.kind = AP_PARAMETER_TIMESTAMP_TZ, .i64 = 1},
  };
  struct ArrowArrayStream stream;
  char *text = NULL;
  check_ok(ap_chamber_query(
               bed_chamber(&bed),
               AP_TEXT("SELECT concat_ws('|', $1 IS NULL, $2, $3, $4, $5, hex($6), $7, $8, $9, "
                       "$10, $11, typeof($7))"),
               parameters, 11, NULL, &stream, &bed.err),
           &bed.err);
  check_ok(bed_read(&bed, &stream, &text), &bed.err);
  assert_string_equal(text,
                      "true|true|-5|0.5|a'\xc3\xa9;|00FF|-12345678901234567890123456789012345.678|"
                      "2022-01-08|01:02:03.000001|1970-01-01 00:00:00.000001|"
                      "1970-01-01 00:00:00.000001+00|DECIMAL(38,3)\n");
  bed_close(&bed);
}

#define INTEGER(value) \
  { .kind = AP_PARAMETER_INTEGER, .i64 = (value) }
#define WORD(value) \
  { .kind = AP_PARAMETER_TEXT, .text = AP_TEXT(value) }
#define ITEMS(kind_word, of) \
  { .kind = AP_PARAMETER_##kind_word, .items = (of), .item_count = sizeof(of) / sizeof((of)[0]) }

static void parameters_that_hold_others(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  const struct ap_parameter none = {.kind = AP_PARAMETER_NULL};
  const struct ap_parameter integers[] = {INTEGER(1), none, INTEGER(3)};
  const struct ap_parameter mixed[] = {
      INTEGER(1), {.kind = AP_PARAMETER_DECIMAL, .text = AP_TEXT("2.25")}, none};
  const struct ap_parameter floats[] = {INTEGER(1), {.kind = AP_PARAMETER_FLOAT, .f64 = 0.5}};
  const struct ap_parameter lists[] = {ITEMS(LIST, integers), none, {.kind = AP_PARAMETER_LIST}};
  const struct ap_parameter pair[] = {
      {.kind = AP_PARAMETER_INTEGER, .i64 = 7, .name = AP_TEXT("a b")},
      {.kind = AP_PARAMETER_LIST, .items = integers, .item_count = 3, .name = AP_TEXT("l")}};
  const struct ap_parameter pairs[] = {ITEMS(STRUCT, pair), none};
  const struct ap_parameter map[] = {WORD("x"), INTEGER(1), WORD("y"), none};
  const struct ap_parameter nulls[] = {none, none};
  const struct ap_parameter parameters[] = {
      ITEMS(LIST, integers),
      ITEMS(LIST, mixed),
      ITEMS(LIST, floats),
      ITEMS(LIST, lists),
      ITEMS(LIST, pairs),
      ITEMS(MAP, map),
      ITEMS(LIST, nulls),
      {.kind = AP_PARAMETER_LIST},
      {.kind = AP_PARAMETER_INTERVAL, .i64 = -INT64_C(90061000001)},
      {.kind = AP_PARAMETER_UUID,
       .text = AP_TEXT("\xf0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a"
                       "\x0b\x0c\x0d\x0e\x0f")},
  };
  struct ArrowArrayStream stream;
  char *text = NULL;
  check_ok(ap_chamber_query(bed_chamber(&bed),
                            AP_TEXT("SELECT concat_ws('|', $1, $2, $3, $4, $5, $6, $7, $8, $9, "
                                    "$10, typeof($2), typeof($5), typeof($6), typeof($10))"),
                            parameters, 10, NULL, &stream, &bed.err),
           &bed.err);
  check_ok(bed_read(&bed, &stream, &text), &bed.err);
  assert_string_equal(
      text,
      "[1, NULL, 3]|[1.00, 2.25, NULL]|[1.0, 0.5]|[[1, NULL, 3], NULL, []]|"
      "[{'a b': 7, 'l': [1, NULL, 3]}, NULL]|{x=1, y=NULL}|[NULL, NULL]|[]|"
      "-1 day -01:01:01.000001|f0010203-0405-0607-0809-0a0b0c0d0e0f|DECIMAL(21,2)[]|"
      "STRUCT(\"a b\" BIGINT, l BIGINT[])[]|MAP(VARCHAR, BIGINT)|UUID\n");
  bed_close(&bed);
}

static void parameters_that_cannot_be(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  const struct ap_parameter words[] = {INTEGER(1), WORD("x")};
  const struct ap_parameter first[] = {
      {.kind = AP_PARAMETER_INTEGER, .i64 = 7, .name = AP_TEXT("a")}};
  const struct ap_parameter second[] = {
      {.kind = AP_PARAMETER_INTEGER, .i64 = 7, .name = AP_TEXT("b")}};
  const struct ap_parameter structs[] = {ITEMS(STRUCT, first), ITEMS(STRUCT, second)};
  const struct ap_parameter text[] = {{.kind = AP_PARAMETER_TEXT, .text = AP_TEXT("\xff")}};
  const struct ap_parameter keys[] = {WORD("x"), INTEGER(1), WORD("x"), INTEGER(2)};
  struct ap_parameter deep[AP_PARAMETER_DEPTH_MAX + 3];
  for (size_t i = 0; i < sizeof deep / sizeof deep[0]; i++) {
    deep[i] = (struct ap_parameter){.kind = AP_PARAMETER_LIST, .items = &deep[i + 1]};
    deep[i].item_count = i + 1 < sizeof deep / sizeof deep[0];
  }
  const struct {
    struct ap_parameter parameter;
    const char *message;
  } cases[] = {
      {ITEMS(LIST, words), "a list of integer and text"},
      {ITEMS(LIST, structs), "members differ"},
      {{.kind = AP_PARAMETER_STRUCT}, "without members"},
      {ITEMS(LIST, text), "not of its kind"},
      {ITEMS(MAP, keys), "parameter 1"},
      {{.kind = AP_PARAMETER_UUID, .text = AP_TEXT("short")}, "not of its kind"},
      {deep[0], "nested in more than"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct ArrowArrayStream stream;
    check_status(ap_chamber_query(bed_chamber(&bed), AP_TEXT("SELECT $1"), &cases[i].parameter, 1,
                                  NULL, &stream, &bed.err),
                 AP_INVALID_ARGUMENT, &bed.err);
    check_contains(bed.err.message, cases[i].message);
  }
  bed_close(&bed);
}

static void named_parameters_and_mismatches(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  struct ap_parameter named[] = {
      {.kind = AP_PARAMETER_INTEGER, .i64 = 2, .name = AP_TEXT("b")},
      {.kind = AP_PARAMETER_INTEGER, .i64 = 1, .name = AP_TEXT("a")},
  };
  struct ArrowArrayStream stream;
  char *text = NULL;
  check_ok(ap_chamber_query(bed_chamber(&bed), AP_TEXT("SELECT $a, $b, $a"), named, 2, NULL,
                            &stream, &bed.err),
           &bed.err);
  check_ok(bed_read(&bed, &stream, &text), &bed.err);
  assert_string_equal(text, "1|2|1\n");
  named[0].name = AP_TEXT("c");
  check_status(ap_chamber_query(bed_chamber(&bed), AP_TEXT("SELECT $a, $b"), named, 2, NULL,
                                &stream, &bed.err),
               AP_INVALID_ARGUMENT, &bed.err);
  check_contains(bed.err.message, "$c");
  check_status(
      ap_chamber_query(bed_chamber(&bed), AP_TEXT("SELECT 1"), named, 2, NULL, &stream, &bed.err),
      AP_INVALID_ARGUMENT, &bed.err);
  check_contains(bed.err.message, "0 parameters, 2 were given");
  static const char *const bad[] = {
      "1e5", "", ".", "--1", "1.2.3", "NaN", "123456789012345678901234567890123456789"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct ap_parameter decimal = {.kind = AP_PARAMETER_DECIMAL, .text = ap_text_of(bad[i])};
    check_status(ap_chamber_query(bed_chamber(&bed), AP_TEXT("SELECT $1"), &decimal, 1, NULL,
                                  &stream, &bed.err),
                 AP_INVALID_ARGUMENT, &bed.err);
  }
  assert_string_equal(bed_query(&bed, "SELECT 42"), "42\n");
  bed_close(&bed);
}

/* Work without end, for all practical purposes, that keeps memory low. */
static const char heavy[] =
    "SELECT sum(hash(a.range, b.range) % 7) FROM range(10000000) a, range(10000000) b";
/* The same, but with rows at once, so that the stream has begun before it is stopped. */
static const char heavy_stream[] =
    "SELECT range FROM range(1000000000000) "
    "WHERE range < 200000 OR hash(range) = 7";

struct asked {
  int count;
  int stop_at;
  int reports;
};

static bool cancelled_at(void *context) {
  struct asked *asked = context;
  return ++asked->count >= asked->stop_at;
}

static void count_report(void *context, double percent) {
  struct asked *asked = context;
  assert_true(percent >= -1.0 && percent <= 100.0);
  asked->reports++;
}

static void cancelled_by_callback(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  for (int at = 1; at < 20; at += 6) {
    struct asked asked = {.stop_at = at};
    struct ap_run_control control = {
        .cancelled = cancelled_at, .progress = count_report, .context = &asked};
    check_status(bed_try(&bed, bed_chamber(&bed), heavy, &control), AP_CANCELLED, &bed.err);
    assert_true(asked.count >= at);
    if (at > 10) assert_true(asked.reports > 0);
    assert_string_equal(bed_query(&bed, "SELECT 42"), "42\n");
  }
  bed_close(&bed);
}

struct elsewhere {
  thrd_t caller;
  atomic_int here;
  atomic_int there;
};

/* Wants the end only when another thread than the query's asks. */
static bool cancelled_elsewhere(void *context) {
  struct elsewhere *asked = context;
  bool here = thrd_equal(thrd_current(), asked->caller) != 0;
  atomic_fetch_add(here ? &asked->here : &asked->there, 1);
  return !here;
}

/* One task of the engine may last as long as the whole statement: nobody asks between tasks then.
 * Run on without being asked, this one would take minutes. */
static void asked_during_a_long_task(void **state) {
  (void)state;
  static const char *const sql =
      "SELECT count(*) FROM range(2000000) t(i)"
      " WHERE regexp_matches(repeat('a', 5000) || i::VARCHAR, '(a*)*b')";
  struct bed bed;
  bed_open(&bed);
  for (int anywhere = 1; anywhere >= 0; anywhere--) {
    struct elsewhere asked = {.caller = thrd_current()};
    struct ap_run_control control = {
        .cancelled = cancelled_elsewhere, .asked_anywhere = anywhere == 1, .context = &asked};
    if (anywhere == 0) {
      control.deadline_us = ap_clock_monotonic_us(ap_env_system()->clock) + 300000;
    }
    struct ArrowArrayStream stream = {.release = NULL};
    ap_status status =
        ap_chamber_query(bed_chamber(&bed), ap_text_of(sql), NULL, 0, &control, &stream, &bed.err);
    assert_int_equal(status, anywhere == 1 ? AP_CANCELLED : AP_TIMEOUT);
    assert_true(anywhere == 1 ? atomic_load(&asked.there) > 0 : atomic_load(&asked.there) == 0);
    assert_null(stream.release);
  }
  bed_close(&bed);
}

static void deadlines_are_kept(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  struct ap_clock *clock = ap_env_system()->clock;
  const char *const texts[] = {heavy, heavy_stream};
  for (int i = 0; i < 4; i++) {
    struct asked asked = {.stop_at = 1 << 30};
    int64_t since_us = ap_clock_monotonic_us(clock);
    struct ap_run_control control = {.deadline_us = since_us + 100000, .context = &asked};
    if (i % 2 == 1) control.cancelled = cancelled_at;
    check_status(bed_try(&bed, bed_chamber(&bed), texts[i / 2], &control), AP_TIMEOUT, &bed.err);
    int64_t took_us = ap_clock_monotonic_us(clock) - since_us;
    assert_true(took_us >= 100000 && took_us < 5000000);
    assert_string_equal(bed_query(&bed, "SELECT 42"), "42\n");
  }
  bed_close(&bed);
}

static void interrupt_before_or_while(void *context) {
  struct ap_chamber *chamber = context;
  ap_chamber_interrupt(chamber);
}

static void interrupted_from_another_thread(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  struct ap_threads *threads = ap_env_system()->threads;
  for (int i = 0; i < 20; i++) {
    struct ap_chamber *chamber = bed_chamber(&bed);
    struct ap_thread *thread = NULL;
    check_ok(threads->spawn(threads, interrupt_before_or_while, chamber, &thread, &bed.err),
             &bed.err);
    check_status(bed_try(&bed, chamber, i % 2 ? heavy : heavy_stream, NULL), AP_CANCELLED,
                 &bed.err);
    threads->join(threads, thread);
    assert_string_equal(bed_query(&bed, "SELECT 42"), "42\n");
  }
  bed_close(&bed);
}

struct reached {
  struct ap_engine *engine;
  struct ap_run_handle handle;
  atomic_bool ended;
};

/* Until it is heard: before the statement has its chamber there is nothing to reach. */
static void interrupt_by_handle(void *context) {
  struct reached *reached = context;
  while (!atomic_load(&reached->ended)) {
    ap_clock_sleep_ms(ap_env_system()->clock, 50);
    ap_engine_interrupt(reached->engine, &reached->handle);
  }
}

/* Before the first rows, and when those are there but the next ones never come. */
static void a_stream_that_is_waited_for_is_reached(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  struct ap_threads *threads = ap_env_system()->threads;
  struct reached reached = {.engine = bed.engine};
  struct ap_run_control control = {.handle = &reached.handle};
  static const char *const texts[] = {
      "SELECT i FROM range(1000000000000) t(i) WHERE hash(i) % 1000000007 = 3",
      "SELECT i FROM range(1000000000000) t(i) WHERE i < 1000000 OR hash(i) % 1000000007 = 3"};
  ap_engine_interrupt(bed.engine, &reached.handle); /* nothing runs: nothing happens */
  for (int i = 0; i < 4; i++) {
    struct ArrowArrayStream stream = {0};
    struct ArrowArray array = {0};
    struct ap_thread *thread = NULL;
    atomic_store(&reached.ended, false);
    check_ok(threads->spawn(threads, interrupt_by_handle, &reached, &thread, &bed.err), &bed.err);
    ap_status status = ap_chamber_query(bed_chamber(&bed), ap_text_of(texts[i % 2]), NULL, 0,
                                        &control, &stream, &bed.err);
    while (status == AP_OK) {
      assert_non_null(reached.handle.chamber);
      status = ap_stream_next(&stream, &array, &bed.err);
      assert_true(status != AP_OK || array.release != NULL);
      ap_array_release(&array);
    }
    check_status(status, AP_CANCELLED, &bed.err);
    atomic_store(&reached.ended, true);
    threads->join(threads, thread);
    ap_stream_release(&stream);
    assert_null(reached.handle.chamber); /* on failure too */
    assert_string_equal(bed_query(&bed, "SELECT 42"), "42\n");
  }
  bed_close(&bed);
}

static void memory_over_the_limit_is_an_error(void **state) {
  (void)state;
  struct bed bed;
  bed_open_sized(&bed, 1, 48 * AP_MIB);
  for (int i = 0; i < 3; i++) {
    check_status(bed_try(&bed, bed_chamber(&bed),
                         "SELECT len(list(repeat('x', 1000) || i)) FROM range(1000000) t(i)", NULL),
                 AP_MEMORY_EXCEEDED, &bed.err);
    check_contains(bed.err.message, "44 MiB"); /* 48, less what a chamber costs */
    assert_string_equal(bed_query(&bed, "SELECT 42"), "42\n");
  }
  bed_close(&bed);
}

static void half_read_streams_are_cancelled(void **state) {
  (void)state;
  struct bed bed;
  bed_open_sized(&bed, 1, 128 * AP_MIB);
  for (int i = 0; i < 10; i++) {
    struct ArrowArrayStream stream = bed_stream(
        &bed, i % 2 ? heavy_stream : "SELECT i, repeat('x', 100) FROM range(10000000) t(i)");
    struct ap_engine_status status;
    ap_engine_get_status(bed.engine, &status);
    assert_int_equal(status.chambers_busy, 1);
    for (int k = 0; k < i % 3; k++) {
      struct ArrowArray array;
      check_ok(ap_stream_next(&stream, &array, &bed.err), &bed.err);
      ap_array_release(&array);
    }
    ap_stream_release(&stream);
    ap_engine_get_status(bed.engine, &status);
    assert_int_equal(status.chambers_busy, 0);
    assert_int_equal(status.chambers_open, 1);
    assert_string_equal(bed_query(&bed, "SELECT 42"), "42\n");
  }
  bed_close(&bed);
}

/* An array must outlive its stream, and the chamber's next statement. */
static void arrays_outlive_their_stream(void **state) {
  (void)state;
  struct bed bed;
  bed_open_sized(&bed, 1, 128 * AP_MIB);
  struct ArrowArrayStream stream = bed_stream(&bed, "SELECT 'a long enough text ' || 1 AS s");
  struct ArrowArray array;
  check_ok(ap_stream_next(&stream, &array, &bed.err), &bed.err);
  ap_stream_release(&stream);
  assert_string_equal(bed_query(&bed, "SELECT 42"), "42\n");
  assert_memory_equal(array.children[0]->buffers[2], "a long enough text 1", 20);
  ap_array_release(&array);
  bed_close(&bed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_type_streams),
      cmocka_unit_test(many_rows_stream_in_order),
      cmocka_unit_test(errors_have_codes),
      cmocka_unit_test(explain_pivot_and_describe_run),
      cmocka_unit_test(parameters_of_every_kind),
      cmocka_unit_test(parameters_that_hold_others),
      cmocka_unit_test(parameters_that_cannot_be),
      cmocka_unit_test(named_parameters_and_mismatches),
      cmocka_unit_test(cancelled_by_callback),
      cmocka_unit_test(asked_during_a_long_task),
      cmocka_unit_test(deadlines_are_kept),
      cmocka_unit_test(interrupted_from_another_thread),
      cmocka_unit_test(a_stream_that_is_waited_for_is_reached),
      cmocka_unit_test(memory_over_the_limit_is_an_error),
      cmocka_unit_test(half_read_streams_are_cancelled),
      cmocka_unit_test(arrays_outlive_their_stream),
  };
  return AP_RUN_TESTS(tests);
}
