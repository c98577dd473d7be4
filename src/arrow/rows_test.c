/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: rows appended value by value come out as one honest batch.
 * Method: every kind and nulls, through the validating stream, printed.
 */
#include "arrow/rows.h"

#include "arrow/stream.h"
#include "testing/arrow_text.h"
#include "testing/check.h"

static const struct ap_rows_column columns[] = {
    {"name", AP_ROWS_TEXT},
    {"count", AP_ROWS_I64},
    {"share", AP_ROWS_F64},
    {"open", AP_ROWS_BOOL},
};

static void check_rows(struct ap_rows *rows, const char *expected) {
  struct ArrowArrayStream stream = {0};
  struct ArrowArrayStream validated = {0};
  struct ap_buffer text;
  ap_error err = {0};
  ap_buffer_init(&text, ap_allocator_system());
  ap_buffer_append_string(&text, "");
  check_ok(ap_rows_finish(rows, &stream, &err), &err);
  assert_null(rows->array.release);
  check_ok(ap_stream_validated(&stream, &validated, &err), &err);
  check_ok(ap_arrow_append_stream(&text, &validated, &err), &err);
  check_text(ap_buffer_text(&text), expected);
  ap_buffer_deinit(&text);
  ap_rows_deinit(rows); /* idempotent */
}

static void test_values(void **state) {
  struct ap_rows rows;
  ap_error err = {0};
  (void)state;
  check_ok(ap_rows_init(&rows, columns, 4, &err), &err);
  ap_rows_text(&rows, AP_TEXT("sales"));
  ap_rows_i64(&rows, INT64_MIN);
  ap_rows_f64(&rows, 0.25);
  ap_rows_bool(&rows, true);
  for (int i = 0; i < 4; i++) ap_rows_null(&rows);
  ap_rows_text(&rows, (struct ap_text){NULL, 0});
  ap_rows_i64(&rows, INT64_MAX);
  ap_rows_f64(&rows, -1);
  ap_rows_bool(&rows, false);
  check_rows(&rows,
             "{name:'sales',count:-9223372036854775808,share:0.25,open:true}\n"
             "{name:null,count:null,share:null,open:null}\n"
             "{name:'',count:9223372036854775807,share:-1,open:false}\n");
}

static void test_no_rows(void **state) {
  struct ap_rows rows;
  ap_error err = {0};
  (void)state;
  check_ok(ap_rows_init(&rows, columns, 4, &err), &err);
  check_rows(&rows, "");
}

static void test_many_rows(void **state) {
  struct ap_rows rows;
  struct ArrowArrayStream stream = {0};
  struct ArrowArray array = {0};
  ap_error err = {0};
  (void)state;
  check_ok(ap_rows_init(&rows, columns, 2, &err), &err);
  for (int64_t i = 0; i < 100000; i++) {
    ap_rows_text(&rows, AP_TEXT("twelve bytes"));
    ap_rows_i64(&rows, i);
  }
  check_ok(ap_rows_finish(&rows, &stream, &err), &err);
  check_ok(ap_stream_next(&stream, &array, &err), &err);
  assert_int_equal(array.length, 100000);
  array.release(&array);
  ap_stream_release(&stream);
}

static void test_deinit_midway(void **state) {
  struct ap_rows rows = {0};
  ap_error err = {0};
  (void)state;
  ap_rows_deinit(&rows);
  check_ok(ap_rows_init(&rows, columns, 4, &err), &err);
  ap_rows_text(&rows, AP_TEXT("half a row"));
  ap_rows_deinit(&rows);
  ap_rows_deinit(&rows);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values),
      cmocka_unit_test(test_no_rows),
      cmocka_unit_test(test_many_rows),
      cmocka_unit_test(test_deinit_midway),
  };
  return AP_RUN_TESTS(tests);
}
