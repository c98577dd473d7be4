/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: exactly the texts of RFC 8259 are read, nothing is lost of them, and hostile ones end in
 * AP_CORRUPT with an offset.
 * Method: tables of texts to accept and to refuse; a document truncated at every byte and with
 * every byte changed; seeded random documents written, read and written again; numbers compared to
 * the digit; an out-of-memory sweep. Inputs are copied to exact heap blocks, so that the address
 * sanitizer sees reading beyond them.
 */
#include "base/json.h"

#include "base/limits.h"
#include "testing/alloc.h"
#include "testing/check.h"
#include "testing/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Parse from a block of exactly that size; the value written again goes to out when given. */
static ap_status parse_exact(struct ap_text text, struct ap_buffer *out, ap_error *err) {
  char *block = ap_allocate(ap_allocator_system(), text.size);
  if (text.size) memcpy(block, text.data, text.size);
  struct ap_arena arena;
  ap_arena_init(&arena, ap_allocator_system());
  const struct ap_json *value = NULL;
  ap_status status = ap_json_parse(&arena, (struct ap_text){block, text.size}, &value, err);
  ap_free(ap_allocator_system(), block);
  if (status == AP_OK && out) {
    struct ap_json_writer writer;
    ap_json_writer_init(&writer, out);
    ap_json_value(&writer, value);
  }
  ap_arena_deinit(&arena);
  return status;
}

static void check_refused(struct ap_text text, size_t offset) {
  ap_error err = {0};
  ap_status status = parse_exact(text, NULL, &err);
  if (status != AP_CORRUPT) fail_msg("accepted: %.*s", AP_TEXT_ARG(text));
  char part[64];
  snprintf(part, sizeof(part), "at byte %zu of %zu", offset, text.size);
  check_contains(err.message, part);
}

static void check_rewritten(struct ap_text text, const char *expected) {
  ap_error err = {0};
  struct ap_buffer out;
  ap_buffer_init(&out, ap_allocator_system());
  check_ok(parse_exact(text, &out, &err), &err);
  check_text(ap_buffer_text(&out), expected);
  ap_buffer_deinit(&out);
}

static void test_what_is_json(void **state) {
  (void)state;
  static const struct {
    struct ap_text text;
    const char *rewritten;
  } cases[] = {
      {{"null", 4}, "null"},
      {{" true\t", 6}, "true"},
      {{"\r\nfalse\n", 8}, "false"},
      {{"0", 1}, "0"},
      {{"-0", 2}, "-0"},
      {{"-0.0e-0", 7}, "-0.0e-0"},
      {{"1E+400", 6}, "1E+400"},
      {{"\"\"", 2}, "\"\""},
      {{"[]", 2}, "[]"},
      {{"{}", 2}, "{}"},
      {{" [ ] ", 5}, "[]"},
      {{" { } ", 5}, "{}"},
      {{"[1,[2,[]],{\"a\":[{}]}]", 21}, "[1,[2,[]],{\"a\":[{}]}]"},
      {{"{ \"a\" : 1 , \"a\" : 2 }", 21}, "{\"a\":1,\"a\":2}"},
      {{"\"\x7F\"", 3}, "\"\x7F\""},
      {{"\"\\u0000\"", 8}, "\"\\u0000\""},
      {{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", 18}, "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
      {{"\"\\u00e9\\u20AC\\ud83d\\uDC1D\"", 26}, "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x90\x9D\""},
      {{"\"\\uFFFF\\u007f\\u0080\\u07ff\\u0800\"", 32},
       "\"\xEF\xBF\xBF\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\""},
      {{"\"\xF4\x8F\xBF\xBF\xEE\x80\x80\"", 9}, "\"\xF4\x8F\xBF\xBF\xEE\x80\x80\""},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    check_rewritten(cases[i].text, cases[i].rewritten);
  }
}

/* The text, and the byte at which it goes wrong. */
static const struct {
  struct ap_text text;
  size_t offset;
} refused[] = {
    {{"", 0}, 0},
    {{"  ", 2}, 2},
    {{"nul", 3}, 0},
    {{"nulL", 4}, 0},
    {{"True", 4}, 0},
    {{"NaN", 3}, 0},
    {{"Infinity", 8}, 0},
    {{"-Infinity", 9}, 1},
    {{"truefalse", 9}, 4},
    {{"1 2", 3}, 2},
    {{"+1", 2}, 0},
    {{"01", 2}, 1},
    {{"-01", 3}, 2},
    {{"-", 1}, 1},
    {{"1.", 2}, 2},
    {{".5", 2}, 0},
    {{"1.e5", 4}, 2},
    {{"1e", 2}, 2},
    {{"1e+", 3}, 3},
    {{"0x10", 4}, 1},
    {{"1\0", 2}, 1},
    {{"\0", 1}, 0},
    {{"[1,]", 4}, 3},
    {{"[,1]", 4}, 1},
    {{"[1,,2]", 6}, 3},
    {{"[1 2]", 5}, 3},
    {{"[1", 2}, 2},
    {{"[", 1}, 1},
    {{"]", 1}, 0},
    {{"[1}", 3}, 2},
    {{"[1]]", 4}, 3},
    {{"{", 1}, 1},
    {{"{\"a\"}", 5}, 4},
    {{"{\"a\":}", 6}, 5},
    {{"{\"a\":1,}", 8}, 7},
    {{"{a:1}", 5}, 1},
    {{"{1:1}", 5}, 1},
    {{"{\"a\":1]", 7}, 6},
    {{"{'a':1}", 7}, 1},
    {{"{\"a\" 1}", 7}, 5},
    {{"[\"a\":1]", 7}, 4},
    {{"'a'", 3}, 0},
    {{"\"", 1}, 1},
    {{"\"a", 2}, 2},
    {{"\"\\\"", 3}, 3},
    {{"\"\\", 2}, 1},
    {{"\"\\x41\"", 6}, 1},
    {{"\"\\u12\"", 6}, 1},
    {{"\"\\u12G4\"", 8}, 1},
    {{"\"\\U0041\"", 8}, 1},
    {{"\"\\ud800\"", 8}, 1},
    {{"\"\\ud800x\"", 9}, 1},
    {{"\"\\ud800\\n\"", 10}, 1},
    {{"\"\\ud800\\u0041\"", 14}, 1},
    {{"\"\\ud800\\ud800\"", 14}, 1},
    {{"\"\\ud800\\udbff\"", 14}, 1},
    {{"\"\\ud800\\ue000\"", 14}, 1},
    {{"\"\\udc00\"", 8}, 1},
    {{"\"\\ud83d\\u\"", 10}, 1},
    {{"\"a\nb\"", 5}, 2},
    {{"\"a\x1F\"", 4}, 2},
    {{"\"a\0b\"", 5}, 2},
    {{"\"\x80\"", 3}, 1},
    {{"\"\xC0\x80\"", 4}, 1},
    {{"\"\xED\xA0\x80\"", 5}, 1},
    {{"\"\xF4\x90\x80\x80\"", 6}, 1},
    {{"\"\xE2\x82\"", 4}, 1},
    {{"\"abcdefgh\xFF\"", 11}, 9},
    {{"\xEF\xBB\xBF[]", 5}, 0},
    {{"[]//", 4}, 2},
    {{"/**/[]", 6}, 0},
    {{"\xC2\xA0[]", 4}, 0},
    {{"[\x0C]", 3}, 1},
    {{"t", 1}, 0},
};

static void test_what_is_not_json(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
    check_refused(refused[i].text, refused[i].offset);
  }
}

static void test_depth_is_limited(void **state) {
  (void)state;
  static char text[200000];
  const size_t most = AP_JSON_DEPTH_MAX;
  memset(text, '[', most);
  memset(text + most, ']', most);
  check_ok(parse_exact((struct ap_text){text, 2 * most}, NULL, NULL), NULL);
  memset(text, '[', most + 1);
  memset(text + most + 1, ']', most + 1);
  check_refused((struct ap_text){text, 2 * most + 2}, most);
  memset(text, '[', sizeof(text));
  check_refused((struct ap_text){text, sizeof(text)}, most);
  for (size_t i = 0; i + 5 <= sizeof(text); i += 5) memcpy(text + i, "{\"\":[", 5);
  check_refused((struct ap_text){text, sizeof(text)}, most / 2 * 5);
}

static void test_numbers_keep_every_digit(void **state) {
  (void)state;
  struct ap_text text = AP_TEXT(
      "{\"d\":-12345678901234567890123456789012345678.0000000000000000000000001,"
      "\"v\":9007199254740993,\"m\":-9223372036854775808,\"big\":9223372036854775808,"
      "\"e\":1e5,\"f\":1.0}");
  check_rewritten(text, text.data);
  struct ap_arena arena;
  ap_arena_init(&arena, ap_allocator_system());
  const struct ap_json *root;
  check_ok(ap_json_parse(&arena, text, &root, NULL), NULL);
  check_text(ap_json_find(root, "d")->text,
             "-12345678901234567890123456789012345678.0000000000000000000000001");
  int64_t number = 0;
  assert_true(ap_json_get_i64(root, "v", 5, &number) && number == 9007199254740993);
  assert_true(ap_json_get_i64(root, "m", 5, &number) && number == INT64_MIN);
  assert_false(ap_json_get_i64(root, "big", 5, &number));
  assert_int_equal(number, 5);
  assert_false(ap_json_get_i64(root, "e", 5, &number));
  assert_false(ap_json_get_i64(root, "f", 5, &number));
  ap_arena_deinit(&arena);
}

static void test_members_are_found_and_typed(void **state) {
  (void)state;
  struct ap_arena arena;
  ap_arena_init(&arena, ap_allocator_system());
  const struct ap_json *root;
  struct ap_text text = AP_TEXT(
      "{\"s\":\"one\",\"n\":null,\"b\":true,\"i\":7,\"s\":\"two\",\"a\":[1,\"x\"],\"\":0,"
      "\"z\\u0000\":1}");
  check_ok(ap_json_parse(&arena, text, &root, NULL), NULL);
  assert_int_equal(root->count, 8);
  check_text(ap_json_find(root, "s")->text, "two"); /* the last of equal names */
  check_text(root->members[0].value.text, "one");
  assert_int_equal(strlen(root->members[0].value.text.data), 3); /* NUL-terminated */
  assert_null(ap_json_find(root, "absent"));
  assert_null(ap_json_find(root, "z"));
  assert_null(ap_json_find(NULL, "s"));
  assert_null(ap_json_find(ap_json_find(root, "a"), "s"));
  assert_non_null(ap_json_find(root, ""));
  assert_true(ap_json_is_null(NULL));
  assert_true(ap_json_is_null(ap_json_find(root, "n")));
  assert_false(ap_json_is_null(root));
  check_text(ap_json_find(root, "a")->items[1].text, "x");

  struct ap_text found;
  bool flag = false;
  int64_t number = 0;
  assert_true(ap_json_get_text(root, "n", AP_TEXT("fallback"), &found));
  check_text(found, "fallback");
  assert_true(ap_json_get_text(root, "s", AP_TEXT(""), &found));
  check_text(found, "two");
  assert_false(ap_json_get_text(root, "i", AP_TEXT("fallback"), &found));
  check_text(found, "fallback");
  assert_true(ap_json_get_bool(root, "b", false, &flag) && flag);
  assert_true(ap_json_get_bool(root, "absent", true, &flag) && flag);
  assert_false(ap_json_get_bool(root, "i", true, &flag));
  assert_true(ap_json_get_i64(root, "i", 0, &number) && number == 7);
  assert_true(ap_json_get_i64(NULL, "i", 3, &number) && number == 3);
  assert_false(ap_json_get_i64(root, "s", 3, &number));
  ap_arena_deinit(&arena);
}

static const char entry[] =
    "{\"add\":{\"path\":\"d=\\u00e9/part-0.parquet\",\"partitionValues\":{\"d\":\"\xC3\xA9\"},"
    "\"size\":-1.5e+10,\"ok\":[true,false,null,{}],\"s\":\"{\\\"n\\\":1}\\ud83d\\udc1d\"}}";

/* No proper prefix of an object is JSON. */
static void test_truncated_at_every_byte(void **state) {
  (void)state;
  for (size_t size = 0; size < sizeof(entry) - 1; size++) {
    ap_error err = {0};
    check_status(parse_exact((struct ap_text){entry, size}, NULL, &err), AP_CORRUPT, &err);
  }
  check_ok(parse_exact((struct ap_text){entry, sizeof(entry) - 1}, NULL, NULL), NULL);
}

static void test_every_byte_changed(void **state) {
  (void)state;
  char text[sizeof(entry)];
  for (size_t at = 0; at < sizeof(entry) - 1; at++) {
    for (int byte = 0; byte < 256; byte++) {
      memcpy(text, entry, sizeof(entry));
      text[at] = (char)byte;
      ap_status status = parse_exact((struct ap_text){text, sizeof(entry) - 1}, NULL, NULL);
      assert_true(status == AP_OK || status == AP_CORRUPT);
    }
  }
}

static void write_random_string(struct ap_json_writer *writer, struct ap_random *random,
                                bool as_name) {
  char bytes[40];
  size_t size = (size_t)ap_random_below(random, sizeof(bytes));
  for (size_t i = 0; i < size; i++) {
    bytes[i] = (char)(ap_random_below(random, 4) == 0 ? ap_random_below(random, 128)
                                                      : 'a' + ap_random_below(random, 26));
  }
  if (size >= 4 && ap_random_below(random, 3) == 0) memcpy(bytes, "\xF0\x9F\x90\x9D", 4);
  if (as_name) {
    ap_json_name(writer, (struct ap_text){bytes, size});
  } else {
    ap_json_string(writer, (struct ap_text){bytes, size});
  }
}

static void write_random(struct ap_json_writer *writer, struct ap_random *random, int depth) {
  switch (ap_random_below(random, depth > 6 ? 5 : 7)) {
    case 0:
      ap_json_null(writer);
      break;
    case 1:
      ap_json_bool(writer, ap_random_below(random, 2) == 0);
      break;
    case 2:
      ap_json_i64(writer, (int64_t)ap_random_u64(random));
      break;
    case 3:
      ap_json_f64(writer, (double)(int64_t)ap_random_u64(random) / 65536.0);
      break;
    case 4:
      write_random_string(writer, random, false);
      break;
    case 5:
      ap_json_begin_array(writer);
      for (uint64_t n = ap_random_below(random, 6); n > 0; n--) {
        write_random(writer, random, depth + 1);
      }
      ap_json_end_array(writer);
      break;
    default:
      ap_json_begin_object(writer);
      for (uint64_t n = ap_random_below(random, 6); n > 0; n--) {
        write_random_string(writer, random, true);
        write_random(writer, random, depth + 1);
      }
      ap_json_end_object(writer);
  }
}

static void test_random_documents_come_back(void **state) {
  (void)state;
  struct ap_seeded_random random;
  ap_seeded_random_init(&random, ap_test_seed("documents"));
  struct ap_buffer first;
  struct ap_buffer second;
  ap_buffer_init(&first, ap_allocator_system());
  ap_buffer_init(&second, ap_allocator_system());
  for (int round = 0; round < 3000; round++) {
    ap_buffer_clear(&first);
    ap_buffer_clear(&second);
    struct ap_json_writer writer;
    ap_json_writer_init(&writer, &first);
    write_random(&writer, &random.base, 0);
    ap_error err = {0};
    check_ok(parse_exact(ap_buffer_text(&first), &second, &err), &err);
    check_text(ap_buffer_text(&second), first.data);
  }
  ap_buffer_deinit(&first);
  ap_buffer_deinit(&second);
}

static void test_writing(void **state) {
  (void)state;
  struct ap_buffer out;
  ap_buffer_init(&out, ap_allocator_system());
  struct ap_json_writer writer;
  ap_json_writer_init(&writer, &out);
  ap_json_begin_object(&writer);
  ap_json_member_string(&writer, "s\"", AP_TEXT("\x01\x1F\"\\\b\f\n\r\t/\x7F"));
  ap_json_member_i64(&writer, "i", INT64_MIN);
  ap_json_member_bool(&writer, "b", false);
  ap_json_name(&writer, AP_TEXT("a"));
  ap_json_begin_array(&writer);
  ap_json_begin_array(&writer);
  ap_json_end_array(&writer);
  ap_json_f64(&writer, 3);
  ap_json_raw(&writer, AP_TEXT("{\"raw\":1}"));
  ap_json_null(&writer);
  ap_json_end_array(&writer);
  ap_json_member_string(&writer, "bad", AP_TEXT("x\xFFy\xE2\x82"));
  ap_json_end_object(&writer);
  assert_string_equal(out.data,
                      "{\"s\\\"\":\"\\u0001\\u001f\\\"\\\\\\b\\f\\n\\r\\t/\x7F\","
                      "\"i\":-9223372036854775808,\"b\":false,"
                      "\"a\":[[],3.0,{\"raw\":1},null],"
                      "\"bad\":\"x\xEF\xBF\xBDy\xEF\xBF\xBD\xEF\xBF\xBD\"}");
  check_ok(parse_exact(ap_buffer_text(&out), NULL, NULL), NULL);
  ap_buffer_deinit(&out);
}

static ap_status read_and_write(void *context, struct ap_allocator *allocator, ap_error *err) {
  (void)context;
  struct ap_arena arena;
  struct ap_buffer out;
  ap_arena_init(&arena, allocator);
  ap_buffer_init(&out, allocator);
  const struct ap_json *root = NULL;
  ap_status status = ap_json_parse(&arena, (struct ap_text){entry, sizeof(entry) - 1}, &root, err);
  if (status == AP_OK) {
    struct ap_json_writer writer;
    ap_json_writer_init(&writer, &out);
    ap_json_value(&writer, root);
    status = ap_buffer_check(&out, err);
  }
  ap_buffer_deinit(&out);
  ap_arena_deinit(&arena);
  return status;
}

static void test_running_out_of_memory(void **state) {
  (void)state;
  assert_true(ap_sweep_memory(read_and_write, NULL) >= 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_is_json),
      cmocka_unit_test(test_what_is_not_json),
      cmocka_unit_test(test_depth_is_limited),
      cmocka_unit_test(test_numbers_keep_every_digit),
      cmocka_unit_test(test_members_are_found_and_typed),
      cmocka_unit_test(test_truncated_at_every_byte),
      cmocka_unit_test(test_every_byte_changed),
      cmocka_unit_test(test_random_documents_come_back),
      cmocka_unit_test(test_writing),
      cmocka_unit_test(test_running_out_of_memory),
  };
  return AP_RUN_TESTS(tests);
}
