/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: a text that is put between parentheses stays there. Method: texts that are one condition,
 * and texts that try to leave, among them those that a reader of quotes and comments may misread.
 */
#include "plan/condition.h"

#include "testing/check.h"

static ap_status append(struct ap_buffer *out, const char *condition, ap_error *err) {
  ap_buffer_clear(out);
  return ap_condition_append(out, ap_text_of(condition), err);
}

static void test_conditions_stand_in_parentheses(void **state) {
  (void)state;
  static const char *const fine[] = {
      "a = 1",       "a = ')'",           "\")\" = 1",     "(a = 1) OR (b = 2)",
      "f(g(1))[2]",  "a = 1 -- ) nobody", "a = /* ) */ 1", "a = $$)$$",
      "a = E'\\')'", "a IN (SELECT 1)",   "a = 'it''s ('",
  };
  struct ap_buffer out;
  struct ap_buffer expected;
  ap_buffer_init(&out, ap_allocator_system());
  ap_buffer_init(&expected, ap_allocator_system());
  for (size_t i = 0; i < sizeof fine / sizeof fine[0]; ++i) {
    ap_error err = {0};
    assert_int_equal(append(&out, fine[i], &err), AP_OK);
    ap_buffer_clear(&expected);
    ap_buffer_append_format(&expected, "(%s\n)", fine[i]);
    assert_string_equal(out.data, expected.data);
  }
  ap_buffer_deinit(&out);
  ap_buffer_deinit(&expected);
}

static void test_nothing_leaves_them(void **state) {
  (void)state;
  static const char *const refused[] = {
      "",
      "  -- nothing",
      "1=1; DROP FRAME f",
      "a = 1) OR (1 = 1",
      "a = 1) UNION ALL SELECT 2 WHERE (1 = 1",
      "(a = 1",
      "a = 1 /* no end",
      "a = 'no end",
      "a = $x$ no end $$",
      "a = 1 -- to the engine this ends\r) OR (1 = 1",
  };
  struct ap_buffer out;
  ap_buffer_init(&out, ap_allocator_system());
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; ++i) {
    ap_error err = {0};
    assert_int_equal(append(&out, refused[i], &err), AP_SYNTAX);
    assert_int_equal(out.size, 0);
  }
  ap_error err = {0};
  assert_int_equal(append(&out, "a = '\xff'", &err), AP_INVALID_ARGUMENT);
  ap_buffer_deinit(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_conditions_stand_in_parentheses),
      cmocka_unit_test(test_nothing_leaves_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
