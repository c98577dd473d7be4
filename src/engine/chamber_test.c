/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: the pool lends each chamber to one holder, never more than allowed, and gets them back.
 * Method: counting while lending; threads that compete for fewer chambers than there are threads.
 */
#include "testing/engine_bed.h"

#include <stdatomic.h>

static void check_counts(struct bed *bed, uint32_t open, uint32_t busy) {
  struct ap_engine_status status;
  ap_engine_get_status(bed->engine, &status);
  assert_int_equal(status.chambers_open, open);
  assert_int_equal(status.chambers_busy, busy);
  assert_true(status.memory_used_bytes >= 0);
}

static void chambers_open_when_needed_and_are_reused(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  check_counts(&bed, 0, 0);
  struct ap_chamber *first = bed_chamber(&bed);
  check_counts(&bed, 1, 1);
  ap_chamber_release(first);
  assert_ptr_equal(bed_chamber(&bed), first);
  struct ap_chamber *second = bed_chamber(&bed);
  assert_ptr_not_equal(first, second);
  check_counts(&bed, 2, 2);
  struct ap_chamber *third = NULL;
  check_status(ap_chamber_acquire(bed.engine, 20, &third, &bed.err), AP_BUSY, &bed.err);
  check_contains(bed.err.message, "2 chambers work");
  check_contains(bed.err.hint, "try again after");
  ap_chamber_release(second);
  ap_chamber_release(first);
  ap_chamber_release(NULL);
  check_counts(&bed, 2, 0);
  assert_string_equal(ap_engine_library_version(), "v1.5.5");
  bed_close(&bed);
}

/* An interrupt before the statement begins is not lost, and is gone with the holder. */
static void an_interrupt_sticks_until_release(void **state) {
  (void)state;
  struct bed bed;
  bed_open_sized(&bed, 1, 128 * AP_MIB);
  struct ap_chamber *chamber = bed_chamber(&bed);
  ap_chamber_interrupt(chamber);
  check_status(bed_try(&bed, chamber, "SELECT 1", NULL), AP_CANCELLED, &bed.err);
  assert_string_equal(bed_query(&bed, "SELECT 1"), "1\n");
  bed_close(&bed);
}

struct contest {
  struct bed *bed;
  atomic_int holders;
  atomic_int most;
  atomic_int answers;
};

static void compete(void *context) {
  struct contest *contest = context;
  for (int i = 0; i < 20; i++) {
    struct ap_chamber *chamber = NULL;
    ap_error err = {0};
    if (ap_chamber_acquire(contest->bed->engine, 60000, &chamber, &err) != AP_OK) continue;
    int holders = atomic_fetch_add(&contest->holders, 1) + 1;
    int most = atomic_load(&contest->most);
    while (holders > most && !atomic_compare_exchange_weak(&contest->most, &most, holders)) {
    }
    struct ap_buffer json;
    ap_buffer_init(&json, ap_allocator_system());
    if (ap_chamber_parse(chamber, AP_TEXT("SELECT 1"), &json, &err) == AP_OK) {
      atomic_fetch_add(&contest->answers, 1);
    }
    ap_buffer_deinit(&json);
    atomic_fetch_sub(&contest->holders, 1);
    ap_chamber_release(chamber);
  }
}

static void threads_take_turns(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  struct contest contest = {.bed = &bed};
  struct ap_threads *threads = ap_env_system()->threads;
  struct ap_thread *all[6];
  for (int i = 0; i < 6; i++) {
    check_ok(threads->spawn(threads, compete, &contest, &all[i], &bed.err), &bed.err);
  }
  for (int i = 0; i < 6; i++) threads->join(threads, all[i]);
  assert_int_equal(atomic_load(&contest.answers), 120);
  assert_true(atomic_load(&contest.most) <= 2);
  check_counts(&bed, 2, 0);
  bed_close(&bed);
}

static void trees_are_fixed_points(void **state) {
  (void)state;
  static const char *const statements[] = {
      "SELECT 1",
      "SELECT a, count(*) FROM h.b.t WHERE x > 3 AND y IN (1, 2) GROUP BY ALL HAVING count(*) > 1",
      "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) TABLE r",
      "SELECT * EXCLUDE (a) REPLACE (b + 1 AS b), COLUMNS('x.*') FROM t QUALIFY row_number() OVER "
      "(PARTITION BY a ORDER BY b DESC NULLS LAST) = 1",
      "FROM t SELECT list_transform(l, lambda x: x + 1), {'a': 1}, MAP {'k': 2}, [1, 2][1:2]",
      "SELECT * FROM a ASOF JOIN b ON a.x >= b.x LEFT JOIN c TABLESAMPLE 10% USING (y)",
      "(SELECT 1 EXCEPT ALL SELECT 2) INTERSECT SELECT 3 ORDER BY 1 LIMIT 10 OFFSET 2",
      "SELECT $a, $name, $a::DECIMAL(10,2), 'it''s', \"odd \"\"name\"\"\", TIMESTAMP '2020-01-01'",
      "SELECT CASE WHEN a THEN 1 ELSE 2 END, a IS DISTINCT FROM b, x LIKE 'a%' ESCAPE '!' FROM t",
      "SELECT * FROM t AT (VERSION => 3), range(3) AS u(p)",
      "SELECT sum(x) FILTER (y > 1), quantile_cont(x, 0.5) OVER w FROM t WINDOW w AS (ROWS BETWEEN "
      "1 PRECEDING AND CURRENT ROW)",
  };
  struct bed bed;
  bed_open(&bed);
  struct ap_chamber *chamber = bed_chamber(&bed);
  for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
    struct ap_buffer json[2];
    struct ap_buffer sql;
    ap_buffer_init(&json[0], ap_allocator_system());
    ap_buffer_init(&json[1], ap_allocator_system());
    ap_buffer_init(&sql, ap_allocator_system());
    check_ok(ap_chamber_parse(chamber, ap_text_of(statements[i]), &json[0], &bed.err), &bed.err);
    check_contains(json[0].data, "\"error\":false");
    check_ok(ap_chamber_unparse(chamber, ap_buffer_text(&json[0]), &sql, &bed.err), &bed.err);
    check_ok(ap_chamber_parse(chamber, ap_buffer_text(&sql), &json[1], &bed.err), &bed.err);
    check_contains(json[1].data, "\"error\":false");
    struct ap_buffer again;
    ap_buffer_init(&again, ap_allocator_system());
    check_ok(ap_chamber_unparse(chamber, ap_buffer_text(&json[1]), &again, &bed.err), &bed.err);
    assert_string_equal(sql.data, again.data);
    ap_buffer_deinit(&again);
    ap_buffer_deinit(&sql);
    ap_buffer_deinit(&json[0]);
    ap_buffer_deinit(&json[1]);
  }
  struct ap_buffer json;
  ap_buffer_init(&json, ap_allocator_system());
  check_ok(ap_chamber_parse(chamber, AP_TEXT("SELECT FROM WHERE"), &json, &bed.err), &bed.err);
  check_contains(json.data, "\"error\":true");
  check_status(ap_chamber_unparse(chamber, AP_TEXT("{\"not\": \"a tree\"}"), &json, &bed.err),
               AP_SYNTAX, &bed.err);
  ap_buffer_deinit(&json);
  ap_chamber_release(chamber);
  bed_close(&bed);
}

static void table_names_are_told(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  struct ap_chamber *chamber = bed_chamber(&bed);
  struct ap_text *names = NULL;
  uint32_t count = 0;
  check_ok(
      ap_chamber_table_names(
          chamber,
          AP_TEXT("WITH c AS (SELECT 1) FROM (PIVOT h.\"b x\".t ON a IN (1, 2) USING sum(b)), c"),
          &bed.arena, &names, &count, &bed.err),
      &bed.err);
  assert_int_equal(count, 1);
  check_text(names[0], "h.\"b x\".t");
  check_status(
      ap_chamber_table_names(chamber, AP_TEXT("SELECT FROM"), &bed.arena, &names, &count, &bed.err),
      AP_SYNTAX, &bed.err);
  check_ok(
      ap_chamber_table_names(chamber, AP_TEXT("SELECT 1"), &bed.arena, &names, &count, &bed.err),
      &bed.err);
  assert_int_equal(count, 0);
  ap_chamber_release(chamber);
  bed_close(&bed);
}

static void queries_are_exported(void **state) {
  (void)state;
  static const char *const formats[] = {"parquet", "csv", "json"};
  struct bed bed;
  bed_open(&bed);
  for (int i = 0; i < 3; i++) {
    char *path = ap_arena_format(&bed.arena, "%s/it's.%s", bed.staging, formats[i]);
    struct ap_chamber *chamber = bed_chamber(&bed);
    int64_t rows = 0;
    check_ok(ap_chamber_export(chamber, AP_TEXT("SELECT i, 'x' s FROM range(5) t(i) -- end"), path,
                               formats[i], NULL, &rows, &bed.err),
             &bed.err);
    assert_int_equal(rows, 5);
    assert_string_equal(
        bed_query_in(&bed, chamber,
                     ap_arena_format(&bed.arena, "SELECT sum(i)::BIGINT, max(s) FROM '%s/it''s.%s'",
                                     bed.staging, formats[i])),
        "10|x\n");
  }
  struct ap_chamber *chamber = bed_chamber(&bed);
  int64_t rows = 0;
  check_status(
      ap_chamber_export(chamber, AP_TEXT("SELECT 1"), "/tmp/x", "xml", NULL, &rows, &bed.err),
      AP_UNSUPPORTED, &bed.err);
  check_status(ap_chamber_export(chamber, AP_TEXT("SELECT 1"), "/nonexistent/x", "csv", NULL, &rows,
                                 &bed.err),
               AP_IO, &bed.err);
  ap_chamber_release(chamber);
  bed_close(&bed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(chambers_open_when_needed_and_are_reused),
      cmocka_unit_test(an_interrupt_sticks_until_release),
      cmocka_unit_test(threads_take_turns),
      cmocka_unit_test(trees_are_fixed_points),
      cmocka_unit_test(table_names_are_told),
      cmocka_unit_test(queries_are_exported),
  };
  return AP_RUN_TESTS(tests);
}
