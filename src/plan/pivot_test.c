/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: every table a PIVOT reads stands in the text made of it, and what may hide one is refused.
 * Method: texts beside what must become of them.
 */
#include "testing/check.h"

#include "plan/pivot.h"

static void tables_are_kept(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"PIVOT t ON a USING sum(b)", "SELECT * FROM  t "},
      {"pivot_wider h.b.\"on\" AS x USING sum(b)", "SELECT * FROM  h.b.\"on\" AS x "},
      {"PIVOT (SELECT * FROM t WHERE a > (1)) ON a",
       "SELECT * FROM  (SELECT * FROM t WHERE a > (1)) "},
      {"PIVOT a JOIN b ON a.x = b.x JOIN c USING (y) ON k USING sum(z)",
       "SELECT * FROM  a JOIN b ON a.x = b.x JOIN c USING (y) "},
      {"PIVOT a CROSS JOIN b NATURAL LEFT JOIN c ON k",
       "SELECT * FROM  a CROSS JOIN b NATURAL LEFT JOIN c "},
      {"WITH w AS (SELECT 1), v AS (PIVOT t ON a) PIVOT w ON k",
       "WITH w AS (SELECT 1), v AS (SELECT * FROM  t ) SELECT * FROM  w "},
      {"SELECT * FROM (PIVOT t ON a USING max(')') ORDER BY 1) AS p WHERE p.x = 'PIVOT'",
       "SELECT * FROM (SELECT * FROM  t ) AS p WHERE p.x = 'PIVOT'"},
      {"PIVOT (PIVOT t ON a USING sum(b)) ON c /* ( */ USING sum(d)",
       "SELECT * FROM  (SELECT * FROM  t ) "},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct ap_arena arena;
    struct ap_buffer out;
    bool found = false;
    ap_error err = {0};
    ap_arena_init(&arena, ap_allocator_system());
    ap_buffer_init(&out, ap_allocator_system());
    check_ok(ap_pivot_append_tables(&out, &arena, ap_text_of(cases[i][0]), &found, &err), &err);
    check_text(ap_buffer_text(&out), cases[i][1]);
    assert_true(found);
    ap_buffer_deinit(&out);
    ap_arena_deinit(&arena);
  }
}

static ap_status try_text(const char *sql, bool *out_found, ap_error *err) {
  struct ap_arena arena;
  struct ap_buffer out;
  ap_arena_init(&arena, ap_allocator_system());
  ap_buffer_init(&out, ap_allocator_system());
  ap_status status = ap_pivot_append_tables(&out, &arena, ap_text_of(sql), out_found, err);
  if (status == AP_OK && !*out_found) check_text(ap_buffer_text(&out), sql);
  ap_buffer_deinit(&out);
  ap_arena_deinit(&arena);
  return status;
}

static void other_texts_stay(void **state) {
  (void)state;
  static const char *const texts[] = {
      "SELECT * FROM t PIVOT (sum(a) FOR b IN (1, 2))",
      "FROM (SELECT 1 x) PIVOT (sum(a) FOR b IN (1, 2))",
      "WITH w AS (SELECT 1) SELECT pivot FROM w",
      "SELECT 'PIVOT t ON a'",
      "",
      ")(",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    bool found = true;
    check_ok(try_text(texts[i], &found, NULL), NULL);
    assert_false(found);
  }
}

static void what_may_hide_tables_is_refused(void **state) {
  (void)state;
  static const char *const texts[] = {
      "PIVOT t ON a USING sum(b) UNION ALL SELECT * FROM u",
      "PIVOT t ON a IN (SELECT x FROM u)",
      "SELECT * FROM (PIVOT t ON a USING sum((SELECT 1)))",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    bool found = false;
    ap_error err = {0};
    check_status(try_text(texts[i], &found, &err), AP_UNSUPPORTED, &err);
    check_contains(err.hint, "PIVOT t ON c IN");
  }
  bool found = false;
  ap_error err = {0};
  check_status(try_text("PIVOT t ON 'a", &found, &err), AP_SYNTAX, &err);
  char deep[256];
  memset(deep, '(', sizeof deep);
  deep[sizeof deep - 1] = '\0';
  check_status(try_text(deep, &found, &err), AP_UNSUPPORTED, &err);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tables_are_kept),
      cmocka_unit_test(other_texts_stay),
      cmocka_unit_test(what_may_hide_tables_is_refused),
  };
  return AP_RUN_TESTS(tests);
}
