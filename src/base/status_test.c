/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: an error always carries a whole message, code, SQLSTATE and class, whatever is put into it.
 * Method: every code of the list; messages at and beyond the limit, cut inside UTF-8 characters;
 * arguments that point into the error itself; no error at all.
 */
#include "base/status.h"

#include "base/assert.h"
#include "testing/check.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_every_code_is_described(void **state) {
  (void)state;
#define AP_STATUS_ENTRY(code, number, sqlstate, error_class) \
  assert_string_equal(ap_status_name(code), #code);          \
  assert_string_equal(ap_status_sqlstate(code), sqlstate);   \
  assert_int_equal(ap_status_class(code), error_class);      \
  assert_int_equal(strlen(sqlstate), 5);
  AP_STATUS_LIST(AP_STATUS_ENTRY)
#undef AP_STATUS_ENTRY
  assert_string_equal(ap_status_name((ap_status)9999), "AP_INTERNAL");
  assert_string_equal(ap_status_sqlstate((ap_status)9999), "XX000");
  assert_int_equal(ap_status_class((ap_status)9999), AP_CLASS_FATAL);
}

static void test_fail_fills_the_error(void **state) {
  (void)state;
  ap_error err = {0};
  snprintf(err.hint, sizeof(err.hint), "an old hint");
  ap_status status = AP_FAIL(&err, AP_NOT_FOUND, "frame %s does not exist", "orders");
  assert_int_equal(status, AP_NOT_FOUND);
  assert_int_equal(err.code, AP_NOT_FOUND);
  assert_int_equal(err.error_class, AP_CLASS_USER);
  assert_string_equal(err.sqlstate, "42704");
  assert_string_equal(err.message, "frame orders does not exist");
  assert_string_equal(err.hint, "");
  assert_int_equal(strncmp(err.origin, "status_test.c:", 14), 0);

  ap_error_hint(&err, "did you mean '%s'?", "order");
  assert_string_equal(err.hint, "did you mean 'order'?");
  assert_int_equal(ap_error_prefix(&err, AP_IO, "line %d", 7), AP_NOT_FOUND);
  assert_string_equal(err.message, "line 7: frame orders does not exist");
  ap_error_clear(&err);
  assert_int_equal(err.code, AP_OK);
  assert_string_equal(err.message, "");
}

static void test_no_error_is_allowed(void **state) {
  (void)state;
  assert_int_equal(AP_FAIL(NULL, AP_IO, "nobody %s", "listens"), AP_IO);
  assert_int_equal(ap_error_prefix(NULL, AP_CORRUPT, "prefix"), AP_CORRUPT);
  ap_error_hint(NULL, "hint");
  ap_error_clear(NULL);
}

static void test_prefix_of_an_unfilled_error_takes_the_code(void **state) {
  (void)state;
  ap_error err = {0};
  assert_int_equal(ap_error_prefix(&err, AP_IO, "file x"), AP_IO);
  assert_int_equal(err.code, AP_IO);
  assert_string_equal(err.sqlstate, "58030");
}

static void test_arguments_may_point_into_the_error(void **state) {
  (void)state;
  ap_error err = {0};
  AP_FAIL(&err, AP_IO, "disk is gone");
  AP_FAIL(&err, AP_CORRUPT, "table: %s", err.message);
  assert_string_equal(err.message, "table: disk is gone");
  ap_error_hint(&err, "see '%s'", err.message);
  assert_string_equal(err.hint, "see 'table: disk is gone'");
}

/* Messages of 1 to 4 bytes a character, at every length around the limit: never cut inside one. */
static void test_messages_are_cut_at_whole_characters(void **state) {
  (void)state;
  static const char *const characters[] = {"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x90\x9D"};
  for (size_t kind = 0; kind < 4; kind++) {
    for (size_t shift = 0; shift < 8; shift++) {
      char text[2 * AP_ERROR_MESSAGE_MAX];
      size_t size = 0;
      for (size_t i = 0; i < shift; i++) text[size++] = 'x';
      while (size + 5 < sizeof(text)) {
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s", characters[kind]);
      }
      ap_error err = {0};
      AP_FAIL(&err, AP_IO, "%s", text);
      size_t kept = strlen(err.message);
      assert_in_range(kept, AP_ERROR_MESSAGE_MAX - 4, AP_ERROR_MESSAGE_MAX - 1);
      assert_true(ap_text_is_utf8((struct ap_text){err.message, kept}));
      ap_error_prefix(&err, AP_IO, "%s", text);
      assert_true(ap_text_is_utf8(ap_text_of(err.message)));
      ap_error_hint(&err, "%s", text);
      assert_in_range(strlen(err.hint), AP_ERROR_HINT_MAX - 4, AP_ERROR_HINT_MAX - 1);
      assert_true(ap_text_is_utf8(ap_text_of(err.hint)));
    }
  }
}

static ap_status tries(ap_status status) {
  AP_TRY(status);
  return AP_END;
}

static void test_try_returns_failures_only(void **state) {
  (void)state;
  assert_int_equal(tries(AP_OK), AP_END);
  assert_int_equal(tries(AP_CONFLICT), AP_CONFLICT);
}

static void test_a_broken_assertion_ends_the_process(void **state) {
  (void)state;
  AP_ASSERT(1 + 1 == 2);
  pid_t child = fork();
  if (child == 0) {
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGABRT, SIG_DFL);
    if (!freopen("/dev/null", "w", stderr)) _exit(1);
    AP_ASSERT(child != 0);
    _exit(0);
  }
  int result = 0;
  assert_int_equal(waitpid(child, &result, 0), child);
  assert_true(WIFSIGNALED(result));
  assert_int_equal(WTERMSIG(result), SIGABRT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_code_is_described),
      cmocka_unit_test(test_fail_fills_the_error),
      cmocka_unit_test(test_no_error_is_allowed),
      cmocka_unit_test(test_prefix_of_an_unfilled_error_takes_the_code),
      cmocka_unit_test(test_arguments_may_point_into_the_error),
      cmocka_unit_test(test_messages_are_cut_at_whole_characters),
      cmocka_unit_test(test_try_returns_failures_only),
      cmocka_unit_test(test_a_broken_assertion_ends_the_process),
  };
  return AP_RUN_TESTS(tests);
}
