/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: text is compared, checked, copied, read as numbers and written exactly.
 * Method: tables of edge cases; numbers against the C library, seeded; a slow UTF-8 decoder written
 * here from the definition, over all sequences of up to two bytes and seeded longer ones; memory
 * sweeps.
 */
#include "base/text.h"

#include "testing/alloc.h"
#include "testing/check.h"
#include "testing/random.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void test_comparisons(void **state) {
  (void)state;
  struct ap_text none = {NULL, 0};
  assert_true(ap_text_equal(none, AP_TEXT("")));
  assert_true(ap_text_equal(none, ap_text_of(NULL)));
  assert_false(ap_text_equal(AP_TEXT("a"), AP_TEXT("b")));
  assert_true(ap_text_equal_string(AP_TEXT("abc"), "abc"));
  assert_false(ap_text_equal_string(AP_TEXT("ab\0c"), "ab"));
  assert_true(ap_text_equal_ignoring_case(AP_TEXT("SeLeCt"), AP_TEXT("sElEcT")));
  assert_false(ap_text_equal_ignoring_case(AP_TEXT("\xC3\x84"), AP_TEXT("\xC3\xA4")));
  assert_false(ap_text_equal_ignoring_case(AP_TEXT("@"), AP_TEXT("`")));
  assert_int_equal(ap_text_compare(none, AP_TEXT("")), 0);
  assert_int_equal(ap_text_compare(AP_TEXT("a"), AP_TEXT("ab")), -1);
  assert_int_equal(ap_text_compare(AP_TEXT("\x80"), AP_TEXT("a")), 1);
  assert_int_equal(ap_text_compare(AP_TEXT("b"), AP_TEXT("ab")), 1);
  assert_true(ap_text_starts_with(AP_TEXT("abc"), none));
  assert_true(ap_text_starts_with(AP_TEXT("abc"), AP_TEXT("ab")));
  assert_false(ap_text_starts_with(AP_TEXT("a"), AP_TEXT("ab")));
  assert_true(ap_text_ends_with(none, none));
  assert_true(ap_text_ends_with(AP_TEXT("abc"), AP_TEXT("bc")));
  assert_false(ap_text_ends_with(AP_TEXT("c"), AP_TEXT("bc")));
}

/* From the definition: decode, then refuse what must not be. */
static bool slow_is_utf8(const unsigned char *bytes, size_t size) {
  size_t at = 0;
  while (at < size) {
    uint32_t lead = bytes[at];
    size_t extra = lead < 0x80       ? 0
                   : lead >> 5 == 6  ? 1
                   : lead >> 4 == 14 ? 2
                   : lead >> 3 == 30 ? 3
                                     : 9;
    if (extra == 9 || at + extra >= size) return false;
    uint32_t code = extra == 0 ? lead : lead & (0x3Fu >> extra);
    for (size_t i = 1; i <= extra; i++) {
      if (bytes[at + i] >> 6 != 2) return false;
      code = code << 6 | (bytes[at + i] & 0x3Fu);
    }
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    if (code < least[extra] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
    at += extra + 1;
  }
  return true;
}

static void check_utf8(const unsigned char *bytes, size_t size) {
  bool expected = slow_is_utf8(bytes, size);
  if (ap_text_is_utf8((struct ap_text){(const char *)bytes, size}) == expected) return;
  for (size_t i = 0; i < size; i++) print_error("%02x ", bytes[i]);
  fail_msg("is UTF-8: %d expected", expected);
}

static void test_utf8(void **state) {
  (void)state;
  unsigned char bytes[24];
  for (unsigned a = 0; a < 256; a++) {
    bytes[0] = (unsigned char)a;
    check_utf8(bytes, 1);
    for (unsigned b = 0; b < 256; b++) {
      bytes[1] = (unsigned char)b;
      check_utf8(bytes, 2);
    }
  }
  /* Longer ones out of bytes that matter, with plain text around so that words are crossed. */
  static const unsigned char pool[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0,
                                       0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED,
                                       0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
  struct ap_seeded_random random;
  ap_seeded_random_init(&random, ap_test_seed("utf8"));
  for (int round = 0; round < 300000; round++) {
    size_t size = (size_t)ap_random_below(&random.base, sizeof(bytes)) + 1;
    memset(bytes, 'x', sizeof(bytes));
    size_t start = (size_t)ap_random_below(&random.base, size);
    for (size_t i = start; i < size && i < start + 4; i++) {
      bytes[i] = pool[ap_random_below(&random.base, sizeof(pool))];
    }
    check_utf8(bytes, size);
  }
  assert_int_equal(ap_text_utf8_size((struct ap_text){NULL, 0}), 0);
  assert_int_equal(ap_text_utf8_size(AP_TEXT("\xE2\x82\xACx")), 3);
  assert_int_equal(ap_text_utf8_size(AP_TEXT("\xE2\x82")), 0);
}

static void test_integers(void **state) {
  (void)state;
  static const struct {
    const char *text;
    bool good;
    int64_t value;
  } cases[] = {
      {"0", true, 0},
      {"-0", true, 0},
      {"007", true, 7},
      {"42", true, 42},
      {"-42", true, -42},
      {"9223372036854775807", true, INT64_MAX},
      {"-9223372036854775808", true, INT64_MIN},
      {"9223372036854775808", false, 0},
      {"-9223372036854775809", false, 0},
      {"99999999999999999999999", false, 0},
      {"", false, 0},
      {"-", false, 0},
      {"+1", false, 0},
      {" 1", false, 0},
      {"1 ", false, 0},
      {"1.0", false, 0},
      {"0x1", false, 0},
      {"1e3", false, 0},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    int64_t value = 0;
    assert_int_equal(ap_text_parse_i64(ap_text_of(cases[i].text), &value), cases[i].good);
    if (cases[i].good) assert_true(value == cases[i].value);
  }
}

static uint64_t bits_of(double number) {
  uint64_t bits;
  memcpy(&bits, &number, sizeof(bits));
  return bits;
}

static void check_reads_like_strtod(const char *text) {
  double value = -1;
  double expected = strtod(text, NULL);
  bool good = ap_text_parse_f64(ap_text_of(text), &value);
  if (good == !isinf(expected) && (!good || bits_of(value) == bits_of(expected))) return;
  fail_msg("%s reads as %a, not %a", text, value, expected);
}

static void test_doubles_are_read_like_the_library_does(void **state) {
  (void)state;
  static const char *const good[] = {
      "0",
      "-0",
      "0.0",
      "1",
      "1.",
      ".5",
      "-.5e1",
      "1e5",
      "1E+5",
      "1e-5",
      "123456789012345678901234567890",
      "9007199254740993",
      "9007199254740992.5",
      "9007199254740993.000000000000000000000000000000001",
      "1.7976931348623157e308",
      "1.7976931348623159e308",
      "1e309",
      "-1e999999999999999999999",
      "5e-324",
      "2e-324",
      "2.4703282292062327208e-324",
      "1e-999999999999999999999",
      "0e999999999999999",
      "0.000000000000000000000000000000000000000000000000000000000000000000000000000001",
      "2.2250738585072011e-308",
      "8.5e22",
      "1e22",
      "1e23",
      "00000000000000000000000000012.50",
  };
  for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) check_reads_like_strtod(good[i]);
  static const char *const bad[] = {"",    "-",  ".",  "e5", "1e",  "1e+",   "inf",   "nan", "-inf",
                                    "0x1", "+1", " 1", "1 ", "1,5", "1.2.3", "1e5.0", "--1", "1f"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    double value;
    if (ap_text_parse_f64(ap_text_of(bad[i]), &value)) fail_msg("'%s' was read", bad[i]);
  }

  struct ap_seeded_random random;
  ap_seeded_random_init(&random, ap_test_seed("read doubles"));
  for (int round = 0; round < 100000; round++) {
    char text[128];
    uint64_t bits = ap_random_u64(&random.base);
    double number;
    memcpy(&number, &bits, sizeof(number));
    if (!isfinite(number)) continue;
    snprintf(text, sizeof(text), "%.*e", (int)ap_random_below(&random.base, 40), number);
    check_reads_like_strtod(text);
    snprintf(text, sizeof(text), "%llu.%llue%d", (unsigned long long)(bits >> 40),
             (unsigned long long)ap_random_below(&random.base, 1000000),
             (int)ap_random_below(&random.base, 60) - 30);
    check_reads_like_strtod(text);
  }
}

/* A number between two doubles by a digit a thousand places behind: the longest ties. */
static void test_long_numbers_round_rightly(void **state) {
  (void)state;
  char text[2000];
  for (int zeros = 700; zeros < 1000; zeros += 7) {
    int size = snprintf(text, sizeof(text), "9007199254740993.");
    memset(text + size, '0', (size_t)zeros);
    snprintf(text + size + zeros, sizeof(text) - (size_t)(size + zeros), "1");
    check_reads_like_strtod(text);
    double value = 0;
    assert_true(ap_text_parse_f64(ap_text_of(text), &value));
    assert_true(value == 9007199254740994.0);
  }
  memset(text, '1', sizeof(text) - 1);
  text[sizeof(text) - 1] = '\0';
  check_reads_like_strtod(text);
  text[300] = '\0';
  check_reads_like_strtod(text);
}

static void check_writes(double number, const char *expected) {
  struct ap_buffer buffer;
  ap_buffer_init(&buffer, ap_allocator_system());
  ap_buffer_append_f64(&buffer, number);
  assert_string_equal(buffer.data, expected);
  ap_buffer_deinit(&buffer);
}

static void test_doubles_are_written_short_and_exact(void **state) {
  (void)state;
  check_writes(0.0, "0.0");
  check_writes(-0.0, "-0.0");
  check_writes(5, "5.0");
  check_writes(-1.5, "-1.5");
  check_writes(0.1, "0.1");
  check_writes(0.1 + 0.2, "0.30000000000000004");
  check_writes(100, "100.0");
  check_writes(1e15, "1000000000000000.0");
  check_writes(9007199254740993.0, "9007199254740992.0");
  check_writes(1e16, "10000000000000000.0");
  check_writes(1e17, "1e+17");
  check_writes(1e-5, "0.00001");
  check_writes(1e-7, "1e-07");
  check_writes(1.7976931348623157e308, "1.7976931348623157e+308");

  struct ap_seeded_random random;
  ap_seeded_random_init(&random, ap_test_seed("write doubles"));
  struct ap_buffer buffer;
  ap_buffer_init(&buffer, ap_allocator_system());
  for (int round = 0; round < 100000; round++) {
    uint64_t bits = ap_random_u64(&random.base);
    double number;
    memcpy(&number, &bits, sizeof(number));
    if (round % 2 == 0) number = (double)(int64_t)(bits >> 20) / 1000.0;
    if (!isfinite(number)) continue;
    ap_buffer_clear(&buffer);
    ap_buffer_append_f64(&buffer, number);
    if (bits_of(strtod(buffer.data, NULL)) != bits_of(number)) {
      fail_msg("%a was written as %s", number, buffer.data);
    }
    if (!strpbrk(buffer.data, ".e")) fail_msg("%s looks like an integer", buffer.data);
  }
  ap_buffer_deinit(&buffer);
}

/* A program that uses us may have set a locale whose decimal point is a comma. */
static void test_a_locale_changes_nothing(void **state) {
  (void)state;
  if (!setlocale(LC_NUMERIC, "de_DE.UTF-8") && !setlocale(LC_NUMERIC, "fr_FR.UTF-8")) skip();
  double value = 0;
  assert_true(ap_text_parse_f64(AP_TEXT("1234567890123456789.25e-3"), &value));
  assert_true(value == 1234567890123456.789);
  check_writes(0.1 + 0.2, "0.30000000000000004");
  setlocale(LC_NUMERIC, "C");
}

static void test_sizes(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t bytes; /* -1: none */
  } cases[] = {{"4096", 4096},
               {"1b", 1},
               {"512MiB", 536870912},
               {"512 mb", 512000000},
               {"1.5k", 1536},
               {"2G", INT64_C(2147483648)},
               {"1TB", 1000000000000},
               {"", -1},
               {"MiB", -1},
               {"0", -1},
               {"-1", -1},
               {"50%", -1},
               {"9e9", -1},
               {"99999999TB", -1},
               {"1.2.3K", -1}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    int64_t bytes = -1;
    bool is_size = ap_text_parse_size(ap_text_of(cases[i].text), &bytes);
    if (is_size != (cases[i].bytes >= 0) || bytes != cases[i].bytes) {
      fail_msg("'%s' is read as %lld", cases[i].text, (long long)bytes);
    }
  }
}

static void test_distance(void **state) {
  (void)state;
  assert_int_equal(ap_text_distance(AP_TEXT("amout"), AP_TEXT("amount"), 3), 1);
  assert_int_equal(ap_text_distance(AP_TEXT("kitten"), AP_TEXT("SITTING"), 5), 3);
  assert_int_equal(ap_text_distance(AP_TEXT("kitten"), AP_TEXT("sitting"), 2), 3);
  assert_int_equal(ap_text_distance(AP_TEXT("abc"), AP_TEXT("ABC"), 0), 0);
  assert_int_equal(ap_text_distance(AP_TEXT(""), AP_TEXT("abc"), 5), 3);
  char longer[400];
  memset(longer, 'a', sizeof(longer));
  assert_int_equal(
      ap_text_distance((struct ap_text){longer, 400}, (struct ap_text){longer, 400}, 1), 0);
  assert_int_equal(
      ap_text_distance((struct ap_text){longer, 400}, (struct ap_text){longer, 399}, 1), 2);

  static const char *const columns[] = {"amount", "account", "region"};
  assert_string_equal(ap_text_nearest(AP_TEXT("amout"), columns, 3), "amount");
  assert_string_equal(ap_text_nearest(AP_TEXT("REGION"), columns, 3), "region");
  assert_null(ap_text_nearest(AP_TEXT("xyz"), columns, 3));
  assert_null(ap_text_nearest(AP_TEXT("x"), NULL, 0));
}

static void test_quoting(void **state) {
  (void)state;
  struct ap_buffer buffer;
  ap_buffer_init(&buffer, ap_allocator_system());
  ap_buffer_append_identifier(&buffer, AP_TEXT("a\"b\"\""));
  ap_buffer_append_literal(&buffer, AP_TEXT("it's ''"));
  ap_buffer_append_literal(&buffer, AP_TEXT(""));
  ap_buffer_append_literal(&buffer, AP_TEXT("'"));
  assert_string_equal(buffer.data, "\"a\"\"b\"\"\"\"\"'it''s '''''''''''");
  ap_buffer_deinit(&buffer);
}

static void test_formatting_of_any_length(void **state) {
  (void)state;
  struct ap_arena arena;
  ap_arena_init(&arena, ap_allocator_system());
  struct ap_buffer buffer;
  ap_buffer_init(&buffer, ap_allocator_system());
  for (int width = 0; width < 1000; width += 3) {
    ap_buffer_clear(&buffer);
    ap_buffer_append_format(&buffer, "<%*s>", width, "");
    assert_int_equal(buffer.size, width + 2);
    assert_int_equal(strlen(buffer.data), width + 2);
    assert_string_equal(ap_arena_format(&arena, "<%*s>", width, ""), buffer.data);
  }
  check_text(ap_text_of(ap_arena_copy(&arena, AP_TEXT("copy"))), "copy");
  assert_string_equal(ap_arena_copy_string(&arena, NULL), "");
  char *copy = ap_string_copy(ap_allocator_system(), AP_TEXT("ab\0c"));
  assert_memory_equal(copy, "ab\0c", 5);
  ap_free(ap_allocator_system(), copy);
  ap_buffer_deinit(&buffer);
  ap_buffer_deinit(&buffer);
  ap_arena_deinit(&arena);
}

static ap_status fill_buffer(void *context, struct ap_allocator *allocator, ap_error *err) {
  (void)context;
  struct ap_buffer buffer;
  ap_buffer_init(&buffer, allocator);
  for (int i = 0; i < 2000; i++) {
    ap_buffer_append_format(&buffer, "%d,", i);
    ap_buffer_append_literal(&buffer, AP_TEXT("x'y"));
    ap_buffer_append_f64(&buffer, i / 7.0);
  }
  ap_buffer_append_format(&buffer, "%*s", 10000, "");
  ap_status status = ap_buffer_check(&buffer, err);
  ap_buffer_deinit(&buffer);
  return status;
}

static void test_running_out_of_memory(void **state) {
  (void)state;
  assert_true(ap_sweep_memory(fill_buffer, NULL) > 5);
  struct ap_buffer buffer;
  ap_buffer_init(&buffer, ap_allocator_system());
  ap_buffer_append_string(&buffer, "x");
  assert_null(ap_buffer_reserve(&buffer, SIZE_MAX));
  assert_true(buffer.failed);
  ap_buffer_append_string(&buffer, "y");
  check_text(ap_buffer_text(&buffer), "x");
  check_status(ap_buffer_check(&buffer, NULL), AP_OUT_OF_MEMORY, NULL);
  ap_buffer_clear(&buffer);
  check_ok(ap_buffer_check(&buffer, NULL), NULL);
  ap_buffer_deinit(&buffer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_comparisons),
      cmocka_unit_test(test_utf8),
      cmocka_unit_test(test_integers),
      cmocka_unit_test(test_doubles_are_read_like_the_library_does),
      cmocka_unit_test(test_long_numbers_round_rightly),
      cmocka_unit_test(test_doubles_are_written_short_and_exact),
      cmocka_unit_test(test_a_locale_changes_nothing),
      cmocka_unit_test(test_sizes),
      cmocka_unit_test(test_distance),
      cmocka_unit_test(test_quoting),
      cmocka_unit_test(test_formatting_of_any_length),
      cmocka_unit_test(test_running_out_of_memory),
  };
  return AP_RUN_TESTS(tests);
}
