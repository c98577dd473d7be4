/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: cells get the right size, folders that Hive, Spark and the engine read, and statistics
 * whose bounds hold.
 * Method: fixed expectations written by hand; random strings whose cut bounds are checked against
 * the strings themselves; sweeps over lack of memory. That other engines read this form of
 * statistics is shown by the interoperation tests of whole frames.
 */
#include "cell/draft.h"

#include "base/limits.h"
#include "testing/alloc.h"
#include "testing/check.h"
#include "testing/random.h"

#include <stdlib.h>

static struct ap_buffer new_buffer(void) {
  struct ap_buffer buffer;
  ap_buffer_init(&buffer, ap_allocator_system());
  return buffer;
}

static void test_leafcutter(void **state) {
  (void)state;
  assert_true(ap_leafcutter_target_bytes(0) == 16 * AP_MIB);
  assert_true(ap_leafcutter_target_bytes(64 * AP_MIB) == 16 * AP_MIB);
  assert_true(ap_leafcutter_target_bytes(64 * AP_MIB + 8) == 16 * AP_MIB + 2);
  assert_true(ap_leafcutter_target_bytes(4 * AP_GIB) == AP_GIB);
  assert_true(ap_leafcutter_target_bytes(INT64_MAX) == INT64_MAX / 4);
}

static void check_path(const char *name, const char *value, const char *expected) {
  struct ap_text names[] = {ap_text_of(name)};
  struct ap_partition_value values[] = {{.text = ap_text_of(value), .is_null = value == NULL}};
  struct ap_buffer out = new_buffer();
  ap_partition_path_append(&out, names, values, 1);
  check_text(ap_buffer_text(&out), expected);
  ap_buffer_deinit(&out);
}

static void test_partition_paths(void **state) {
  (void)state;
  check_path("region", "eu", "region=eu/");
  check_path("region", "eu west", "region=eu%20west/");
  check_path("region", NULL, "region=__HIVE_DEFAULT_PARTITION__/");
  check_path("region", "", "region=__HIVE_DEFAULT_PARTITION__/");
  check_path("a=b", "c/d", "a%3Db=c%2Fd/");
  check_path("p", "../..", "p=..%2F../");
  check_path("p", "100%", "p=100%25/");
  check_path("p", "\xc3\xbc", "p=%C3%BC/");
  check_path("t", "2024-02-29 12:34:56", "t=2024-02-29%2012%3A34%3A56/");
  check_path("p", "a\nb\\c\"d'e", "p=a%0Ab%5Cc%22d%27e/");
  struct ap_text names[] = {AP_TEXT("region"), AP_TEXT("day")};
  struct ap_partition_value values[] = {{AP_TEXT("eu west"), false},
                                        {AP_TEXT("2024-01-01"), false}};
  struct ap_buffer out = new_buffer();
  ap_partition_path_append(&out, names, values, 2);
  check_text(ap_buffer_text(&out), "region=eu%20west/day=2024-01-01/");
  ap_buffer_clear(&out);
  ap_partition_path_append(&out, names, values, 0);
  assert_int_equal(out.size, 0);
  ap_buffer_deinit(&out);
}

/* Long values that differ anywhere get different folders, and each fits a file system. */
static void test_long_partition_paths(void **state) {
  (void)state;
  char value[2001];
  char name[129];
  memset(value, 'x', sizeof(value) - 1);
  value[2000] = '\0';
  memset(name, ' ', sizeof(name) - 1);
  name[128] = '\0';
  struct ap_text names[] = {ap_text_of(name)};
  struct ap_partition_value values[] = {{.text = ap_text_of(value)}};
  struct ap_buffer first = new_buffer();
  struct ap_buffer second = new_buffer();
  ap_partition_path_append(&first, names, values, 1);
  value[1999] = 'y';
  ap_partition_path_append(&second, names, values, 1);
  assert_true(first.size <= 256 && second.size <= 256); /* with the '/' */
  assert_false(ap_text_equal(ap_buffer_text(&first), ap_buffer_text(&second)));
  ap_buffer_clear(&first);
  for (size_t i = 0; i + 3 < sizeof(value); i += 3) memcpy(value + i, "\xe2\x82\xac", 3);
  value[1998] = '\0';
  values[0].text = ap_text_of(value);
  ap_partition_path_append(&first, names, values, 1);
  assert_true(first.size <= 256);
  ap_buffer_clear(&second);
  assert_true(ap_uri_unescape_append(&second, ap_buffer_text(&first)));
  assert_true(ap_text_is_utf8(ap_buffer_text(&second))); /* cut between characters */
  ap_buffer_deinit(&first);
  ap_buffer_deinit(&second);
}

static void check_uri(const char *path, const char *uri) {
  struct ap_buffer out = new_buffer();
  ap_uri_escape_append(&out, ap_text_of(path));
  check_text(ap_buffer_text(&out), uri);
  ap_buffer_clear(&out);
  assert_true(ap_uri_unescape_append(&out, ap_text_of(uri)));
  check_text(ap_buffer_text(&out), path);
  ap_buffer_deinit(&out);
}

static void test_uris(void **state) {
  (void)state;
  check_uri("part-0001.parquet", "part-0001.parquet");
  check_uri("region=eu%20west/day=1/a.parquet", "region=eu%2520west/day=1/a.parquet");
  check_uri("a b#c?d", "a%20b%23c%3Fd");
  check_uri("\xc3\xbc~", "%C3%BC~");
  struct ap_buffer out = new_buffer();
  static const char *const broken[] = {"%", "%2", "a%2g", "%%20", "%-1", "a%"};
  for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
    if (ap_uri_unescape_append(&out, ap_text_of(broken[i]))) fail_msg("'%s' is read", broken[i]);
  }
  ap_buffer_clear(&out);
  assert_true(ap_uri_unescape_append(&out, AP_TEXT("a+b%2fc%2F")));
  check_text(ap_buffer_text(&out), "a+b/c/");
  ap_buffer_deinit(&out);
  /* Every byte comes back. */
  char bytes[255];
  for (int i = 0; i < 255; i++) bytes[i] = (char)(i + 1);
  struct ap_text all = {bytes, sizeof(bytes)};
  struct ap_buffer escaped = new_buffer();
  out = new_buffer();
  ap_uri_escape_append(&escaped, all);
  assert_true(ap_uri_unescape_append(&out, ap_buffer_text(&escaped)));
  assert_true(ap_text_equal(ap_buffer_text(&out), all));
  ap_buffer_deinit(&escaped);
  ap_buffer_deinit(&out);
}

/* ---- statistics ------------------------------------------------------------------------------ */

static struct ap_field field(const char *name, enum ap_type_kind kind) {
  return (struct ap_field){.name = ap_text_of(name), .type = {.kind = kind}, .nullable = true};
}

static struct ap_statistics_text bounds(const char *min, const char *max) {
  return (struct ap_statistics_text){
      .min = ap_text_of(min), .max = ap_text_of(max), .null_count = 0};
}

static void check_bounds(struct ap_type type, struct ap_statistics_text column,
                         const char *expected) {
  struct ap_field only = {.name = AP_TEXT("c"), .type = type, .nullable = true};
  struct ap_schema schema = {1, &only};
  struct ap_buffer out = new_buffer();
  ap_statistics_append(&out, &schema, 3, &column);
  check_text(ap_buffer_text(&out), expected);
  ap_buffer_deinit(&out);
}

#define BOTH(min, max)                                                        \
  "{\"numRecords\":3,\"minValues\":{\"c\":" min "},\"maxValues\":{\"c\":" max \
  "},"                                                                        \
  "\"nullCount\":{\"c\":0}}"
#define NEITHER "{\"numRecords\":3,\"minValues\":{},\"maxValues\":{},\"nullCount\":{\"c\":0}}"
#define ONLY_MIN(min) \
  "{\"numRecords\":3,\"minValues\":{\"c\":" min "},\"maxValues\":{},\"nullCount\":{\"c\":0}}"

static void test_statistics_of_each_type(void **state) {
  (void)state;
  const struct ap_type decimal = {.kind = AP_TYPE_DECIMAL, .precision = 38, .scale = 4};
  const struct {
    struct ap_type type;
    const char *min;
    const char *max;
    const char *expected;
  } rows[] = {
      {{.kind = AP_TYPE_BOOLEAN}, "false", "true", BOTH("false", "true")},
      {{.kind = AP_TYPE_BOOLEAN}, "0", "1", BOTH("false", "true")},
      {{.kind = AP_TYPE_INT8}, "-128", "5", BOTH("-128", "5")},
      {{.kind = AP_TYPE_INT64},
       "-9223372036854775808",
       "9223372036854775807",
       BOTH("-9223372036854775808", "9223372036854775807")},
      {{.kind = AP_TYPE_UINT64}, "0", "18446744073709551615", BOTH("0", "18446744073709551615")},
      {{.kind = AP_TYPE_FLOAT64}, "0.0", "142.714", BOTH("0.0", "142.714")},
      {{.kind = AP_TYPE_FLOAT64}, "-1e-300", "inf", ONLY_MIN("-1e-300")},
      {{.kind = AP_TYPE_FLOAT64}, "nan", "nan", NEITHER},
      {{.kind = AP_TYPE_FLOAT32}, "0.1", "0.5", BOTH("0.10000000149011612", "0.5")},
      {decimal, "-1.10", "1234567890123456789012345678901234.5678",
       BOTH("-1.1000", "1234567890123456789012345678901234.5678")},
      {{.kind = AP_TYPE_DATE},
       "2020-04-09",
       "2020-04-10",
       BOTH("\"2020-04-09\"", "\"2020-04-10\"")},
      {{.kind = AP_TYPE_DATE}, "-infinity", "10000-01-01", NEITHER},
      {{.kind = AP_TYPE_DATE},
       "0001-01-01",
       "9999-12-31",
       BOTH("\"0001-01-01\"", "\"9999-12-31\"")},
      {{.kind = AP_TYPE_TIMESTAMP},
       "2020-01-01 00:16:39",
       "2020-01-01 00:16:39.5",
       BOTH("\"2020-01-01T00:16:39.000000\"", "\"2020-01-01T00:16:39.500000\"")},
      {{.kind = AP_TYPE_TIMESTAMP},
       "1969-12-31 23:59:59.999999",
       "10000-01-01 00:00:00",
       ONLY_MIN("\"1969-12-31T23:59:59.999999\"")},
      {{.kind = AP_TYPE_TIMESTAMP_TZ},
       "2020-01-01 00:00:00+00",
       "9999-12-31 23:59:59.999999+00",
       BOTH("\"2020-01-01T00:00:00.000000Z\"", "\"9999-12-31T23:59:59.999999Z\"")},
      {{.kind = AP_TYPE_TIMESTAMP_TZ}, "0044-01-01 (BC) 00:16:39.5+00", "infinity", NEITHER},
      {{.kind = AP_TYPE_TIME}, "12:00:00.25", "86399999999", BOTH("43200250000", "86399999999")},
      {{.kind = AP_TYPE_STRING}, "a\"b", "\xc3\xbc", BOTH("\"a\\\"b\"", "\"\xc3\xbc\"")},
      {{.kind = AP_TYPE_STRING}, "", "\xff", ONLY_MIN("\"\"")},
      {{.kind = AP_TYPE_BINARY}, "78", "79", NEITHER},
      {{.kind = AP_TYPE_INT8}, NULL, NULL, NEITHER},
      {{.kind = AP_TYPE_INT8}, "x", "128", NEITHER},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    check_bounds(rows[i].type, bounds(rows[i].min, rows[i].max), rows[i].expected);
  }
  struct ap_statistics_text with_nan = bounds("1.5", "2.5");
  with_nan.has_nan = true;
  check_bounds((struct ap_type){.kind = AP_TYPE_FLOAT64}, with_nan, ONLY_MIN("1.5"));
}

static void test_unknown_null_count(void **state) {
  (void)state;
  struct ap_statistics_text unknown = bounds("1", "2");
  unknown.null_count = -1;
  check_bounds((struct ap_type){.kind = AP_TYPE_INT8}, unknown,
               "{\"numRecords\":3,\"minValues\":{\"c\":1},\"maxValues\":{\"c\":2},"
               "\"nullCount\":{}}");
}

static void test_cut_strings(void **state) {
  (void)state;
  const struct ap_type text = {.kind = AP_TYPE_STRING};
#define X31 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
  check_bounds(text, bounds(X31 "a", X31 "a"), BOTH("\"" X31 "a\"", "\"" X31 "a\""));
  check_bounds(text, bounds(X31 "ab", X31 "ab"), BOTH("\"" X31 "a\"", "\"" X31 "b\""));
  check_bounds(text, bounds(X31 "\x7f!", X31 "\x7f!"),
               BOTH("\"" X31 "\x7f\"", "\"" X31 "\xc2\x80\""));
  /* U+D7FF is followed by U+E000; U+10FFFF by nothing, so the character before it is raised. */
  check_bounds(text, bounds("a", X31 "\xed\x9f\xbf!"), BOTH("\"a\"", "\"" X31 "\xee\x80\x80\""));
  check_bounds(text, bounds("a", X31 "\xf4\x8f\xbf\xbf!"),
               BOTH("\"a\"", "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxy\""));
#undef X31
  char highest[33 * 4 + 1];
  for (size_t i = 0; i < 33; i++) memcpy(highest + 4 * i, "\xf4\x8f\xbf\xbf", 4);
  highest[33 * 4] = '\0';
  check_bounds(text, bounds("a", highest), ONLY_MIN("\"a\""));
}

static size_t random_text(struct ap_random *random, char *out, size_t characters) {
  static const char *const alphabet[] = {"a",
                                         "z",
                                         "~",
                                         "\x7f",
                                         "\xc3\xbf",
                                         "\xdf\xbf",
                                         "\xed\x9f\xbf",
                                         "\xef\xbf\xbf",
                                         "\xf4\x8f\xbf\xbf"};
  size_t size = 0;
  for (size_t i = 0; i < characters; i++) {
    const char *character = alphabet[ap_random_below(random, 9)];
    memcpy(out + size, character, strlen(character));
    size += strlen(character);
  }
  out[size] = '\0';
  return size;
}

/* The stated bounds hold for the string itself, are valid UTF-8 and at most 32 characters long. */
static void test_cut_bounds_hold(void **state) {
  (void)state;
  struct ap_seeded_random random;
  ap_seeded_random_init(&random, ap_test_seed("test_cut_bounds_hold"));
  struct ap_field only = field("c", AP_TYPE_STRING);
  struct ap_schema schema = {1, &only};
  char text[64 * 4 + 1];
  for (uint64_t round = ap_test_rounds(20000); round > 0; round--) {
    size_t size = random_text(&random.base, text, ap_random_below(&random.base, 64));
    struct ap_text whole = {text, size};
    struct ap_statistics_text column = {.min = whole, .max = whole};
    struct ap_buffer out = new_buffer();
    struct ap_arena arena;
    const struct ap_json *json;
    ap_arena_init(&arena, ap_allocator_system());
    ap_statistics_append(&out, &schema, 1, &column);
    check_ok(ap_json_parse(&arena, ap_buffer_text(&out), &json, NULL), NULL);
    const struct ap_json *min = ap_json_find(ap_json_find(json, "minValues"), "c");
    const struct ap_json *max = ap_json_find(ap_json_find(json, "maxValues"), "c");
    assert_non_null(min);
    assert_true(ap_text_compare(min->text, whole) <= 0);
    assert_true(max == NULL || ap_text_compare(max->text, whole) >= 0);
    size_t characters = 0;
    for (size_t at = 0; max != NULL && at < max->text.size; characters++) {
      struct ap_text rest = {max->text.data + at, max->text.size - at};
      assert_true(ap_text_utf8_size(rest) > 0);
      at += ap_text_utf8_size(rest);
    }
    assert_true(characters <= AP_STATISTICS_TEXT_CHARS);
    ap_arena_deinit(&arena);
    ap_buffer_deinit(&out);
  }
}

/* Nested fields count by their leaves, and only whole ones within the first 32 are covered. */
static void test_nested_and_many(void **state) {
  (void)state;
  struct ap_field inner[] = {field("x", AP_TYPE_INT8), field("y", AP_TYPE_INT8)};
  struct ap_field fields[40];
  struct ap_statistics_text columns[40];
  char names[40][4];
  for (size_t i = 0; i < 40; i++) {
    names[i][0] = 'c';
    names[i][1] = (char)('0' + i / 10);
    names[i][2] = (char)('0' + i % 10);
    names[i][3] = '\0';
    fields[i] = field(names[i], AP_TYPE_INT8);
    columns[i] = bounds("1", "2");
  }
  fields[0].type = (struct ap_type){.kind = AP_TYPE_STRUCT, .field_count = 2, .fields = inner};
  fields[1].type = (struct ap_type){.kind = AP_TYPE_LIST, .field_count = 1, .fields = inner};
  columns[0] = columns[1] = (struct ap_statistics_text){.null_count = 2};
  struct ap_schema schema = {40, fields};
  struct ap_buffer out = new_buffer();
  struct ap_arena arena;
  const struct ap_json *json;
  ap_arena_init(&arena, ap_allocator_system());
  ap_statistics_append(&out, &schema, 9, columns);
  check_ok(ap_json_parse(&arena, ap_buffer_text(&out), &json, NULL), NULL);
  const struct ap_json *nulls = ap_json_find(json, "nullCount");
  assert_null(ap_json_find(nulls, "c00")); /* a struct would need an object */
  assert_non_null(ap_json_find(nulls, "c01"));
  assert_non_null(ap_json_find(nulls, "c30"));
  assert_null(ap_json_find(nulls, "c31"));
  assert_int_equal(nulls->count, 30);
  assert_int_equal(ap_json_find(json, "minValues")->count, 29);
  ap_arena_deinit(&arena);
  ap_buffer_deinit(&out);
}

static ap_status append_all(void *context, struct ap_allocator *allocator, ap_error *err) {
  (void)context;
  struct ap_field fields[] = {field("a", AP_TYPE_STRING), field("b", AP_TYPE_INT32)};
  struct ap_statistics_text columns[] = {
      bounds("a", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"), bounds("1", "2")};
  struct ap_schema schema = {2, fields};
  struct ap_text names[] = {AP_TEXT("p")};
  struct ap_partition_value values[] = {
      {AP_TEXT("a very long value with spaces .............."
               "................................................"
               "................................................"
               "................................................"),
       false}};
  struct ap_buffer out;
  ap_buffer_init(&out, allocator);
  ap_statistics_append(&out, &schema, 1, columns);
  ap_partition_path_append(&out, names, values, 1);
  ap_uri_escape_append(&out, AP_TEXT("a b"));
  bool valid = ap_uri_unescape_append(&out, AP_TEXT("a%20b"));
  assert_true(valid);
  ap_status status = ap_buffer_check(&out, err);
  ap_buffer_deinit(&out);
  return status;
}

static void test_out_of_memory(void **state) {
  (void)state;
  assert_true(ap_sweep_memory(append_all, NULL) > 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_leafcutter),
      cmocka_unit_test(test_partition_paths),
      cmocka_unit_test(test_long_partition_paths),
      cmocka_unit_test(test_uris),
      cmocka_unit_test(test_statistics_of_each_type),
      cmocka_unit_test(test_unknown_null_count),
      cmocka_unit_test(test_cut_strings),
      cmocka_unit_test(test_cut_bounds_hold),
      cmocka_unit_test(test_nested_and_many),
      cmocka_unit_test(test_out_of_memory),
  };
  return AP_RUN_TESTS(tests);
}
