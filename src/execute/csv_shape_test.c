/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: separators are found where rows agree and left open where they do not; a ragged row is
 * named by its line, wherever pieces of the file end. Method: written-out cases, then random files
 * whose ragged row is known, long enough for several pieces; the seed is printed.
 */
#include "execute/csv_shape.h"

#include "testing/check.h"
#include "testing/random.h"

#include "port/env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct file {
  char path[64];
};

static struct file write_file(const char *data, size_t size) {
  struct file file = {"/tmp/ap-csv-XXXXXX"};
  int fd = mkstemp(file.path);
  assert_true(fd >= 0);
  assert_true(write(fd, data, size) == (ssize_t)size);
  assert_int_equal(close(fd), 0);
  return file;
}

static void separators_are_found(void **state) {
  static const struct {
    const char *text;
    char separator;
  } cases[] = {{"a,b\n1,2\n", ','},
               {"a;b,c;d\n1;2,5;3\n", ';'},
               {"a\tb\r\n1\t2\r\n", '\t'},
               {"a|b\n1|2", '|'},
               {"one\n1\n2\n", '\0'},
               {"", '\0'},
               {"\"a,b\"\n1\n", '\0'},
               {"\"a\nb\",c\n1,2\n", ','},
               {"a title, with a comma\nx;y;z\n1;2;3\n4;5;6\n", '\0'},
               {"a,b,c\n1,2,3\n4,5,6,7\n8,9,0\n", ','},
               {"\x1f\x8b,,\n,,\n", '\0'}};
  const struct ap_env *env = ap_env_system();
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    struct file file = write_file(cases[i].text, strlen(cases[i].text));
    struct ap_text path = ap_text_of(file.path);
    ap_error err = {0};
    char found = '?';
    assert_int_equal(ap_csv_separator(env->files, env->allocator, &path, 1, &found, &err), AP_OK);
    assert_int_equal(found, cases[i].separator);
    assert_int_equal(unlink(file.path), 0);
  }
}

static void ragged_rows_are_named(void **state) {
  static const struct {
    const char *text;
    const char *message; /* NULL: every row agrees */
  } cases[] = {{"a,b\n1,2\n", NULL},
               {"a,b\n1,2", NULL},
               {"a,b\n\n1,2\n\n", NULL},
               {"a,b\r\n1,2\r\n3\r\n", "line 3: 1 fields where the first row has 2"},
               {"a,b\n1,2\n3,4,5", "line 3: 3 fields where the first row has 2"},
               {"a,b\n\"x\n,\"\"y\",2\n3\n", "line 4: 1 fields where the first row has 2"},
               {"a,b\n\"x\ny\",2,3\n", "line 2: 3 fields where the first row has 2"}};
  const struct ap_env *env = ap_env_system();
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    struct file file = write_file(cases[i].text, strlen(cases[i].text));
    ap_error err = {0};
    ap_status status =
        ap_csv_check_rows(env->files, env->allocator, ap_text_of(file.path), ',', &err);
    assert_int_equal(status, cases[i].message == NULL ? AP_OK : AP_SCHEMA_MISMATCH);
    if (cases[i].message != NULL) assert_non_null(strstr(err.message, cases[i].message));
    assert_int_equal(unlink(file.path), 0);
  }
}

static void ragged_rows_are_found_in_long_files(void **state) {
  const struct ap_env *env = ap_env_system();
  struct ap_seeded_random random;
  (void)state;
  ap_seeded_random_init(&random, ap_test_seed("ragged_rows_are_found_in_long_files"));
  for (int round = 0; round < 8; ++round) {
    struct ap_buffer text;
    char expected[80];
    uint64_t rows = 50000 + ap_random_below(&random.base, 50000);
    uint64_t ragged = 1 + ap_random_below(&random.base, rows - 1);
    ap_buffer_init(&text, env->allocator);
    for (uint64_t i = 0; i < rows; ++i) {
      uint64_t size = ap_random_below(&random.base, 40);
      ap_buffer_append_format(&text, "%llu,\"", (unsigned long long)i);
      for (uint64_t j = 0; j < size; ++j) ap_buffer_append_string(&text, j % 7 == 0 ? "," : "x");
      ap_buffer_append_string(&text, i == ragged ? "\"\n" : "\",z\n");
    }
    struct file file = write_file(text.data, text.size);
    ap_error err = {0};
    assert_int_equal(
        ap_csv_check_rows(env->files, env->allocator, ap_text_of(file.path), ',', &err),
        AP_SCHEMA_MISMATCH);
    (void)snprintf(expected, sizeof expected, "line %llu: 2 fields where the first row has 3",
                   (unsigned long long)ragged + 1);
    assert_non_null(strstr(err.message, expected));
    assert_int_equal(unlink(file.path), 0);
    ap_buffer_deinit(&text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(separators_are_found),
      cmocka_unit_test(ragged_rows_are_named),
      cmocka_unit_test(ragged_rows_are_found_in_long_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
