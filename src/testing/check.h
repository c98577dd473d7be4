/* SPDX-License-Identifier: Apache-2.0
 *
 * cmocka with its includes in the right order, and checks that print what an ap_error says.
 */
#ifndef AP_TESTING_CHECK_H
#define AP_TESTING_CHECK_H

/* cmocka wants these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"

#include <string.h>

static inline void ap_check_status_at(ap_status actual, ap_status expected, const ap_error *err,
                                      const char *file, int line) {
  if (actual == expected) return;
  print_error("status is %s, not %s\n", ap_status_name(actual), ap_status_name(expected));
  if (err && err->code != AP_OK) {
    print_error("  %s: %s (%s) %s\n", ap_status_name(err->code), err->message, err->origin,
                err->hint);
  }
  _fail(file, line);
}

static inline void ap_check_contains_at(const char *text, const char *part, const char *file,
                                        int line) {
  if (strstr(text, part)) return;
  print_error("'%s' is not in: %s\n", part, text);
  _fail(file, line);
}

static inline void ap_check_text_at(struct ap_text actual, const char *expected, const char *file,
                                    int line) {
  if (ap_text_equal_string(actual, expected)) return;
  print_error("text is '%.*s', not '%s'\n", AP_TEXT_ARG(actual), expected);
  _fail(file, line);
}

/* The call returns this status; err (a pointer to what the call fills, or NULL) is printed when
 * not.
 */
#define check_status(call, expected, err)                                            \
  do {                                                                               \
    ap_status check_status_actual_ = (call);                                         \
    ap_check_status_at(check_status_actual_, (expected), (err), __FILE__, __LINE__); \
  } while (0)

#define check_ok(call, err) check_status((call), AP_OK, (err))

/* The NUL-terminated text has this part. */
#define check_contains(text, part) ap_check_contains_at((text), (part), __FILE__, __LINE__)

/* An ap_text equals a string. */
#define check_text(actual, expected) ap_check_text_at((actual), (expected), __FILE__, __LINE__)

/* Run an array of CMUnitTest as the whole program. */
#define AP_RUN_TESTS(tests) cmocka_run_group_tests((tests), NULL, NULL)

#endif
