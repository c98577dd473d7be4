/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: an error gets the hint that its statement deserves, and no other. Method: errors as the
 * parser and the engine raise them; random tokens as statements, which must leave the message as it
 * is. The seed is printed; AP_TEST_SEED replays it. tests/python/test_spellings.py has the rest.
 */
#include "plan/ways_out.h"

#include "testing/check.h"
#include "testing/random.h"

#include <string.h>

static void hint(const char *sql, ap_status code, const char *message, const char *given,
                 const char *expected) {
  struct ap_arena arena;
  ap_error err = {0};
  (void)AP_FAIL(&err, code, "%s", message);
  ap_error_hint(&err, "%s", given);
  ap_arena_init(&arena, ap_allocator_system());
  ap_ways_out(&arena, ap_text_of(sql), &err);
  ap_ways_out(&arena, ap_text_of(sql), NULL);
  ap_arena_deinit(&arena);
  assert_string_equal(err.message, message);
  if (expected == NULL) {
    assert_string_equal(err.hint, given);
  } else {
    assert_non_null(strstr(err.hint, expected));
  }
}

static void phrases_give_hints(void **state) {
  (void)state;
  hint("SELECT * FROM a LEFT SEMI JOIN b", AP_SYNTAX, "syntax error", "", "SEMI JOIN");
  hint("/* x */ create temp table t (a int)", AP_UNSUPPORTED, "no", "what there is to create: ..",
       "WITH x AS");
  hint("DELETE \"h\".b.t WHERE a = 1", AP_SYNTAX, "expected FROM", "", "DELETE FROM f");
  hint("CREATE TABLE h.b.t LIKE u", AP_SYNTAX, "expected (", "", "LIMIT 0");
  hint("CREATE TABLE t (a int) LOCATION 'x'", AP_SYNTAX, "no", "", "attach_frame");
  hint("SHOW FUNCTIONS", AP_NOT_FOUND, "no option", "SHOW ALL lists the options", "functions");
}

static void functions_give_hints(void **state) {
  (void)state;
  hint("SELECT nvl(a)", AP_QUERY, "Scalar Function with name nvl does not exist!", "did you mean",
       "coalesce");
  hint("SELECT nvl(a)", AP_QUERY, "Scalar Function with name nvlx does not exist!", "did you mean",
       NULL);
  hint("SELECT a <=> b", AP_QUERY,
       "No function matches the given name and argument types '<=>(INTEGER, INTEGER)'", "",
       "IS NOT DISTINCT FROM");
}

static void other_errors_stay(void **state) {
  (void)state;
  hint("SELECT * FROM t", AP_NOT_FOUND, "frame t does not exist", "SHOW FRAMES lists", NULL);
  hint("INSERT OR REPLACE INTO t", AP_UNSUPPORTED, "no keys", "say MERGE INTO", NULL);
  hint("SELECT 'LEFT SEMI JOIN', \"LATERAL VIEW\"", AP_SYNTAX, "syntax error", "", NULL);
  hint("LEFT SEMI JOIN", AP_CONFLICT, "others were faster", "", NULL);
  hint("SELECT 'open", AP_SYNTAX, "a quote does not end", "", NULL);
  hint("", AP_SYNTAX, "no statement", "", NULL);
}

static void random_statements_are_survived(void **state) {
  (void)state;
  static const char *const pieces[] = {"^",   "CREATE ", "TABLE ", "\"a\"", ".",    "LIKE ",
                                       "'x'", "(",       "_ ",     "=",     "\x1f", "é",
                                       "@",   "SHOW ",   "`",      " "};
  struct ap_seeded_random random;
  ap_seeded_random_init(&random, ap_test_seed("random_statements_are_survived"));
  for (uint64_t round = ap_test_rounds(2000); round > 0; --round) {
    struct ap_arena arena;
    ap_error err = {0};
    struct ap_buffer sql;
    ap_buffer_init(&sql, ap_allocator_system());
    for (uint64_t i = ap_random_below(&random.base, 20); i > 0; --i) {
      size_t which = (size_t)ap_random_below(&random.base, sizeof pieces / sizeof *pieces);
      ap_buffer_append_string(&sql, pieces[which]);
    }
    (void)AP_FAIL(&err, AP_SYNTAX, "as it is");
    ap_arena_init(&arena, ap_allocator_system());
    ap_ways_out(&arena, ap_buffer_text(&sql), &err);
    ap_arena_deinit(&arena);
    ap_buffer_deinit(&sql);
    assert_string_equal(err.message, "as it is");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(phrases_give_hints),
      cmocka_unit_test(functions_give_hints),
      cmocka_unit_test(other_errors_stay),
      cmocka_unit_test(random_statements_are_survived),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
