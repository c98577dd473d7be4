/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: expressions reach the other dialect with their meaning, and what has none there is refused
 * by name. Method: pairs by hand, after the manuals of both dialects.
 */
#include "cell/expression.h"

#include "testing/alloc.h"
#include "testing/check.h"

static const struct pair {
  const char *engine;
  const char *spark;
} pairs[] = {
    {"a > 0", "a > 0"},
    {"\"my col\" <> 'it''s'", "`my col` <> 'it\\'s'"},
    {"\"a`b\" = 'c:\\x'", "`a``b` = 'c:\\\\x'"},
    {"a IN (1, 2.5e3) AND NOT b", "a IN (1, 2.5e3) AND NOT b"},
    {"CAST(t AS TIMESTAMP) < TIMESTAMPTZ '2020-01-01'",
     "CAST(t AS TIMESTAMP_NTZ) < TIMESTAMP '2020-01-01'"},
    {"CAST(a AS DECIMAL(10,2)) BETWEEN 0 AND 1", "CAST(a AS DECIMAL(10,2)) BETWEEN 0 AND 1"},
    {"CAST(a AS VARCHAR) LIKE 'x%'", "CAST(a AS STRING) LIKE 'x%'"},
    {"current_timestamp", "current_timestamp()"},
    {"s.x || lower(\"y\") != ''", "s.x || lower(`y`) != ''"},
    {"d >= DATE '2020-01-01'", "d >= DATE '2020-01-01'"},
    {"CASE WHEN a IS NULL THEN 1 ELSE abs(a) END", "CASE WHEN a IS NULL THEN 1 ELSE abs(a) END"},
};

static void translate(const char *sql, bool to_spark, const char *expected) {
  struct ap_buffer out;
  ap_error err = {0};
  ap_buffer_init(&out, ap_allocator_system());
  check_ok(to_spark ? ap_expression_to_spark(ap_text_of(sql), &out, &err)
                    : ap_expression_from_spark(ap_text_of(sql), &out, &err),
           &err);
  check_text(ap_buffer_text(&out), expected);
  ap_buffer_deinit(&out);
}

static void goes_there_and_back(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
    translate(pairs[i].engine, true, pairs[i].spark);
    translate(pairs[i].spark, false, pairs[i].engine);
  }
}

static void reads_what_only_spark_writes(void **state) {
  (void)state;
  translate("a <=> 10L", false, "a IS NOT DISTINCT FROM 10");
  translate("!(a == \"x\\ty\\\"\")", false, "NOT(a == 'x\ty\"')");
  translate("CAST(a AS LONG) /* c */ > 1 -- end", false, "CAST(a AS BIGINT) > 1");
  translate("CAST(at AS DATE) > order", false, "CAST(\"at\" AS DATE) > \"order\"");
  translate("current_date() > d", false, "current_date > d");
}

static void refuses_what_is_not_shared(void **state) {
  static const struct {
    const char *sql;
    bool to_spark;
    ap_status status;
    const char *part;
  } cases[] = {
      {"a // 2 = 1", true, AP_UNSUPPORTED, "'/'"},
      {"a::int > 1", true, AP_UNSUPPORTED, "':'"},
      {"l[1] = 2", true, AP_UNSUPPORTED, "'['"},
      {"regexp_matches(a, 'x')", true, AP_UNSUPPORTED, "'regexp_matches'"},
      {"log(a) > 1", false, AP_UNSUPPORTED, "'log'"},
      {"a > (SELECT 1)", true, AP_UNSUPPORTED, "'SELECT'"},
      {"CAST(a AS HUGEINT) > 1", true, AP_UNSUPPORTED, "'HUGEINT'"},
      {"a = 1.5BD", false, AP_UNSUPPORTED, "'1.5BD'"},
      {"a = E'x'", true, AP_UNSUPPORTED, "'x'"},
      {"a LIKE 'x\\\\_'", false, AP_UNSUPPORTED, "pattern"},
      {"a = $1", true, AP_UNSUPPORTED, "'$'"},
      {"a = 'x", true, AP_SYNTAX, "a string without its end"},
      {"(a = 1", true, AP_SYNTAX, "a parenthesis"},
      {"a = 1)", true, AP_UNSUPPORTED, "')'"},
      {" /* x ", false, AP_SYNTAX, "a comment"},
      {"", true, AP_SYNTAX, "empty"},
      {"a = 1; DROP", true, AP_UNSUPPORTED, "';'"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct ap_buffer out;
    ap_error err = {0};
    ap_buffer_init(&out, ap_allocator_system());
    struct ap_text sql = ap_text_of(cases[i].sql);
    check_status(cases[i].to_spark ? ap_expression_to_spark(sql, &out, &err)
                                   : ap_expression_from_spark(sql, &out, &err),
                 cases[i].status, &err);
    check_contains(err.message, cases[i].part);
    ap_buffer_deinit(&out);
  }
}

static void finds_the_columns_mentioned(void **state) {
  (void)state;
  assert_true(ap_expression_mentions(AP_TEXT("`a b` > 1 AND Total < 2"), AP_TEXT("total")));
  assert_true(ap_expression_mentions(AP_TEXT("`a b` > 1"), AP_TEXT("a b")));
  assert_false(ap_expression_mentions(AP_TEXT("x = 'total' -- total"), AP_TEXT("total")));
  assert_false(ap_expression_mentions(AP_TEXT("totals > 1"), AP_TEXT("total")));
  assert_true(ap_expression_mentions(AP_TEXT("x = 'broken"), AP_TEXT("total")));
}

static ap_status translate_body(void *context, struct ap_allocator *allocator, ap_error *err) {
  struct ap_buffer out;
  ap_buffer_init(&out, allocator);
  ap_status status = ap_expression_to_spark(ap_text_of(context), &out, err);
  ap_buffer_deinit(&out);
  return status;
}

static void survives_without_memory(void **state) {
  (void)state;
  char sql[] = "\"a\" > 1 AND lower(b) = 'x''y' AND CAST(c AS TIMESTAMP) IS NOT NULL";
  assert_true(ap_sweep_memory(translate_body, sql) >= 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(goes_there_and_back),        cmocka_unit_test(reads_what_only_spark_writes),
      cmocka_unit_test(refuses_what_is_not_shared), cmocka_unit_test(finds_the_columns_mentioned),
      cmocka_unit_test(survives_without_memory),
  };
  return AP_RUN_TESTS(tests);
}
