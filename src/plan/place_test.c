/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: a place is found exactly where the engine's caret points, or not at all. Method: messages
 * as DuckDB 1.5.5 writes them, with the byte expected; random bytes as messages, which must find
 * nothing outside the text. tests/cli compares with the engine itself. The seed is printed;
 * AP_TEST_SEED replays it.
 */
#include "plan/place.h"

#include "testing/check.h"
#include "testing/random.h"

#include <string.h>

static void check_place(const char *sql, const char *message, const char *at) {
  size_t offset = 0;
  struct ap_text text = ap_text_of(sql);
  if (at == NULL) {
    assert_false(ap_sql_find_place(text, message, &offset));
    return;
  }
  assert_true(ap_sql_find_place(text, message, &offset));
  assert_int_equal(offset, strstr(sql, at) - sql);
}

static void carets_point_at_bytes(void **state) {
  (void)state;
  check_place("SELECT nothing", "no\n\nLINE 1: SELECT nothing\n               ^", "nothing");
  check_place("SELECT\n 2, 'é', nothing", "no\n\nLINE 2:  2, 'é', nothing\n                 ^",
              "nothing");
  check_place("SELECT '蜂', no", "no\n\nLINE 1: SELECT '蜂', no\n                     ^", "no");
  check_place("SELECT\tno", "no\n\nLINE 1: SELECT no\n               ^", "no");
  check_place("SELECT\r\nno", "no\n\nLINE 3: no\n        ^", "no");
  /* Twice: the last one is the engine's own. */
  check_place("SELECT no", "x\n\nLINE 1: x\n\nLINE 1: SELECT no\n               ^", "no");
}

static void long_lines_are_cut(void **state) {
  (void)state;
  const char *sql = "SELECT 1234567890, 1234567891, 1234567892, foo, 1234567893, 1234567894";
  check_place(sql,
              "no\n\nLINE 1: ...34567891, 1234567892, foo, 1234567893...\n"
              "                                 ^",
              "foo");
  check_place(sql,
              "no\n\nLINE 1: SELECT 1234567890, 1234567891, 1234567892, foo, 12345...\n"
              "                                                   ^",
              "foo");
  check_place("SELECT aaaa, aaaa, aaaa", "no\n\nLINE 1: ...aaaa...\n           ^", NULL);
}

static void what_is_not_in_the_text_is_not_found(void **state) {
  (void)state;
  check_place("SELECT no", "no", NULL);
  check_place("SELECT no", "no\n\nLINE 1: SELECT other\n               ^", NULL);
  check_place("SELECT no", "no\n\nLINE 2: SELECT no\n               ^", NULL);
  check_place("SELECT no", "no\n\nLINE 1: SELECT no\n", NULL);
  check_place("SELECT no", "no\n\nLINE 1: SELECT no\n  ^", NULL);
  check_place("SELECT no", "no\n\nLINE x: SELECT no\n               ^", NULL);
  check_place("", "no\n\nLINE 1: \n        ^", "");
}

static void random_messages_stay_within(void **state) {
  (void)state;
  static const char *const parts[] = {"\n\nLINE ", "1", "2",  ": ", "\n", " ",        "^",
                                      "...",       "é", "ab", "蜂", "\r", "        ", "SELECT "};
  enum { PARTS = sizeof parts / sizeof parts[0] };
  struct ap_seeded_random seeded;
  ap_seeded_random_init(&seeded, ap_test_seed("random_messages_stay_within"));
  struct ap_random *random = &seeded.base;
  for (int round = 0; round < 20000; round++) {
    char sql[128] = "";
    char message[256] = "";
    for (int i = 0; i < 6; i++) {
      const char *part = parts[ap_random_u64(random) % PARTS];
      memcpy(sql + strlen(sql), part, strlen(part) + 1);
    }
    for (int i = 0; i < 14; i++) {
      const char *part = parts[ap_random_u64(random) % PARTS];
      memcpy(message + strlen(message), part, strlen(part) + 1);
    }
    size_t offset = 0;
    if (ap_sql_find_place(ap_text_of(sql), message, &offset)) {
      assert_true(offset <= strlen(sql));
    }
  }
}

static void the_last_statement_is_found(void **state) {
  (void)state;
  static const struct {
    const char *sql;
    const char *last;
  } cases[] = {{"SELECT 1", "SELECT 1"},
               {"SELECT 1; SELECT\n2 ; -- x\n", "SELECT\n2"},
               {"SELECT ';'; ;;", "SELECT ';'"},
               {"", ""},
               {" -- x", ""}};
  struct ap_arena arena;
  ap_arena_init(&arena, ap_allocator_system());
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct ap_text last = ap_sql_last_statement(&arena, ap_text_of(cases[i].sql));
    assert_true(ap_text_equal_string(last, cases[i].last));
  }
  ap_arena_deinit(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(carets_point_at_bytes),
      cmocka_unit_test(long_lines_are_cut),
      cmocka_unit_test(what_is_not_in_the_text_is_not_found),
      cmocka_unit_test(random_messages_stay_within),
      cmocka_unit_test(the_last_statement_is_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
