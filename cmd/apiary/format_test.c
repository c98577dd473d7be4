/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: what is printed is what was meant: numbers read back as themselves with the fewest digits,
 * dates agree with the C library's calendar, text takes the columns it is said to take, statements
 * end where they end, arguments mean what they say. Method: fixed cases with the answers written
 * out, and random ones against the C library; the seed is printed and AP_TEST_SEED replays it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli.h"
#include "json_read.h"
#include "moment.h"
#include "number.h"
#include "statement.h"
#include "value.h"
#include "width.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void check_text(struct cli_text *text, const char *expected) {
  assert_string_equal(cli_text_string(text), expected);
  cli_text_clear(text);
}

static uint64_t next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static uint64_t start_random(void) {
  const char *given = getenv("AP_TEST_SEED");
  uint64_t seed = given == NULL ? (uint64_t)time(NULL) : strtoull(given, NULL, 10);
  print_message("AP_TEST_SEED=%llu\n", (unsigned long long)seed);
  return seed * 2654435761u + 88172645463325252u;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void floats_have_their_shortest_form(void **state) {
  static const struct {
    double value;
    const char *text;
  } cases[] = {{0.0, "0.0"},
               {-0.0, "-0.0"},
               {1.0, "1.0"},
               {0.1, "0.1"},
               {-1.5, "-1.5"},
               {1e15, "1000000000000000.0"},
               {1e16, "1e+16"},
               {1e-4, "0.0001"},
               {1e-5, "1e-05"},
               {5e-324, "5e-324"},
               {1.0 / 3, "0.3333333333333333"},
               {1.7976931348623157e308, "1.7976931348623157e+308"},
               {123456.789, "123456.789"},
               {INFINITY, "inf"},
               {-INFINITY, "-inf"},
               {NAN, "nan"},
               {9007199254740993.0, "9007199254740992.0"}};
  struct cli_text text = {0};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    cli_append_f64(&text, cases[i].value);
    check_text(&text, cases[i].text);
  }
  cli_append_f32(&text, 0.1f);
  check_text(&text, "0.1");
  cli_append_f32(&text, 16777216.0f);
  check_text(&text, "16777216.0");
  cli_append_f32(&text, 1e-45f);
  check_text(&text, "1e-45");
  cli_append_f16(&text, 0x2e66);
  check_text(&text, "0.1");
  cli_append_f16(&text, 0xfbff);
  check_text(&text, "-65500.0"); /* 65504, and no other half is nearer */
  cli_append_f16(&text, 0x7c00);
  check_text(&text, "inf");
  cli_append_f16(&text, 0x0001);
  check_text(&text, "6e-08");
  cli_text_deinit(&text);
}

static size_t count_digits(const char *text) {
  size_t count = 0;
  bool started = false;
  size_t zeros = 0;
  for (; *text != '\0' && *text != 'e'; ++text) {
    if (*text < '0' || *text > '9') continue;
    started = started || *text != '0';
    zeros = *text == '0' ? zeros + 1 : 0;
    count += started ? 1 : 0;
  }
  return count > zeros ? count - zeros : 1;
}

static void random_doubles_read_back(void **state) {
  uint64_t random = start_random();
  struct cli_text text = {0};
  (void)state;
  for (int i = 0; i < 100000; ++i) {
    uint64_t bits = next_random(&random);
    double value = 0;
    char shortest[40];
    memcpy(&value, &bits, sizeof value);
    if (i % 2 == 0) value = (double)(int64_t)(bits >> 40) / 100;
    if (!isfinite(value)) continue;
    cli_append_f64(&text, value);
    assert_true(strtod(text.data, NULL) == value);
    size_t digits = count_digits(text.data);
    if (digits > 1) {
      (void)snprintf(shortest, sizeof shortest, "%.*e", (int)digits - 2, value);
      assert_true(strtod(shortest, NULL) != value);
    }
    cli_text_clear(&text);
  }
  cli_text_deinit(&text);
}

static void decimals_and_sizes(void **state) {
  struct cli_text text = {0};
  int64_t bytes = 0;
  (void)state;
  cli_append_scaled(&text, "-5", 2, 2);
  check_text(&text, "-0.05");
  cli_append_scaled(&text, "12345", 5, 2);
  check_text(&text, "123.45");
  cli_append_scaled(&text, "0", 1, 3);
  check_text(&text, "0.000");
  cli_append_scaled(&text, "12", 2, -2);
  check_text(&text, "1200");
  cli_append_grouped(&text, -1234567);
  check_text(&text, "-1,234,567");
  cli_append_grouped(&text, 999);
  check_text(&text, "999");
  cli_append_size(&text, 999);
  check_text(&text, "999 B");
  cli_append_size(&text, 999999);
  check_text(&text, "1.0 MB");
  cli_append_u64(&text, UINT64_MAX, false);
  check_text(&text, "18446744073709551615");
  assert_true((ap_parse_size("4GB", &bytes, NULL) == AP_OK) && bytes == 4000000000);
  assert_true((ap_parse_size("1.5 gib", &bytes, NULL) == AP_OK) && bytes == 1610612736);
  assert_true((ap_parse_size("100", &bytes, NULL) == AP_OK) && bytes == 100);
  assert_false((ap_parse_size("4 parsecs", &bytes, NULL) == AP_OK));
  assert_false((ap_parse_size("-1", &bytes, NULL) == AP_OK));
  assert_false((ap_parse_size("", &bytes, NULL) == AP_OK));
  assert_false((ap_parse_size("1.2.3", &bytes, NULL) == AP_OK));
  cli_text_deinit(&text);
}

/* ---- moments --------------------------------------------------------------------------------- */

static void dates_agree_with_the_library(void **state) {
  uint64_t random = start_random();
  struct cli_text text = {0};
  (void)state;
  for (int i = 0; i < 20000; ++i) {
    int64_t days = (int64_t)(next_random(&random) % 3652059) - 719162; /* years 1 to 9999 */
    time_t seconds = (time_t)days * 86400;
    struct tm moment;
    char expected[160];
    assert_non_null(gmtime_r(&seconds, &moment));
    (void)snprintf(expected, sizeof expected, "%04d-%02d-%02d", moment.tm_year + 1900,
                   moment.tm_mon + 1, moment.tm_mday);
    cli_append_date(&text, days);
    check_text(&text, expected);
  }
  cli_text_deinit(&text);
}

static void times_at_the_edges(void **state) {
  struct cli_text text = {0};
  (void)state;
  cli_append_date(&text, -719163);
  check_text(&text, "0001-12-31 (BC)");
  cli_append_date(&text, INT32_MAX);
  check_text(&text, "infinity");
  cli_append_timestamp(&text, -1, 1000000, false);
  check_text(&text, "1969-12-31 23:59:59.999999");
  cli_append_timestamp(&text, 1500, 1000, true);
  check_text(&text, "1970-01-01 00:00:01.5+00");
  cli_append_timestamp(&text, 1, 1000000000, false);
  check_text(&text, "1970-01-01 00:00:00.000000001");
  cli_append_timestamp(&text, INT64_MAX, 1000000, true);
  check_text(&text, "infinity");
  cli_append_timestamp(&text, INT64_MIN, 1, false); /* any text, no overflow */
  cli_text_clear(&text);
  cli_append_time(&text, 86399999999, 1000000);
  check_text(&text, "23:59:59.999999");
  cli_append_interval(&text, 14, -3, 3661500000000);
  check_text(&text, "1 year 2 months -3 days 01:01:01.5");
  cli_append_interval(&text, 0, 0, 0);
  check_text(&text, "00:00:00");
  cli_append_interval(&text, 0, 1, -1000000);
  check_text(&text, "1 day -00:00:00.001");
  cli_append_interval(&text, 0, 0, INT64_MIN);
  check_text(&text, "-2562047:47:16.854775808");
  cli_text_deinit(&text);
}

/* ---- text ------------------------------------------------------------------------------------ */

static void widths_are_what_terminals_show(void **state) {
  struct cli_text text = {0};
  (void)state;
  assert_int_equal(cli_width_of("日本", 6), 4);
  assert_int_equal(cli_width_of("e\xcc\x81", 3), 1);
  assert_int_equal(cli_width_of("a\nb", 3), 4);
  assert_int_equal(cli_width_of("\xff", 1), 1);
  assert_int_equal(cli_width_append(&text, "日本語", 9, 4), 3);
  check_text(&text, "日…");
  (void)cli_width_append(&text, "\033[31m", 5, 80);
  check_text(&text, "\\x1b[31m");
  (void)cli_width_append(&text,
                         "a\xe2\x80\xae"
                         "b",
                         5, 80); /* turns the writing direction */
  check_text(&text, "a\\u{202e}b");
  (void)cli_width_append(&text,
                         "a\xff"
                         "b",
                         3, 80);
  check_text(&text,
             "a\xef\xbf\xbd"
             "b");
  cli_json_append_string(&text, "a\"\\\n\x01\xff\xc3\xa9", 8);
  check_text(&text, "\"a\\\"\\\\\\n\\u0001\xef\xbf\xbd\xc3\xa9\"");
  cli_text_deinit(&text);
}

static void json_is_walked(void **state) {
  const char *json = "{\"a\": {\"b\": [1, \"x,]\\u00e9\\ud83d\\ude00\"]}, \"n\" : null, \"k\":-7}";
  struct cli_text text = {0};
  (void)state;
  struct cli_json object = cli_json_of(json);
  struct cli_json list = cli_json_member(cli_json_member(object, "a"), "b");
  struct cli_json_walk walk = cli_json_walk_start(list);
  struct cli_json value;
  assert_true(cli_json_walk_next(&walk, NULL, &value));
  assert_int_equal(cli_json_number(value, 0), 1);
  assert_true(cli_json_walk_next(&walk, NULL, &value));
  cli_json_append(&text, value);
  check_text(&text, "x,]\xc3\xa9\xf0\x9f\x98\x80");
  assert_false(cli_json_walk_next(&walk, NULL, &value));
  assert_true(cli_json_is_null(cli_json_member(object, "n")));
  assert_int_equal(cli_json_number(cli_json_member(object, "k"), 0), -7);
  assert_null(cli_json_member(object, "absent").data);
  /* Cut anywhere, nothing outside is read: each piece lies at the end of its own memory. */
  for (size_t size = 0; size < strlen(json); ++size) {
    char *piece = cli_copy(json, size);
    (void)cli_json_member(cli_json_of(piece), "k");
    free(piece);
  }
  cli_text_deinit(&text);
}

static void statements_end_at_their_semicolons(void **state) {
  static const struct {
    const char *text;
    size_t size;
  } cases[] = {
      {"SELECT 1;", 9},         {"SELECT 1; SELECT 2;", 9}, {"SELECT ';';", 11},
      {"SELECT 'it''s;';", 16}, {"SELECT \";\"", 0},        {"SELECT E'\\';';", 14},
      {"SELECT '\\';", 11},     {"SELECT $$;$$;", 13},      {"SELECT $a$;$$;$a$;", 18},
      {"SELECT $1;", 10},       {"SELECT -- ;\n1;", 14},    {"SELECT /* ; /* ; */ ; */ 1;", 27},
      {"SELECT /* ;", 0},       {"SELECT 'open;", 0},       {"", 0}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    size_t scanned = 0;
    size_t size = cli_statement_size(cases[i].text, strlen(cases[i].text), &scanned);
    assert_int_equal(size, cases[i].size);
  }
  assert_true(cli_statement_is_blank(" -- x\n;/* y */ ", 15));
  assert_false(cli_statement_is_blank(" -- x\n1", 7));
  assert_false(cli_statement_is_blank("/* open", 7));
  assert_true(cli_statement_is_deed("-- x\n use hive h;\n", 18));
  assert_true(cli_statement_is_deed("DROP FRAME f", 12));
  assert_false(cli_statement_is_deed("USE HIVE h; SELECT 1", 20));
  assert_true(cli_statement_is_deed("SELECT ';'; USE HIVE h; -- x\n", 29));
  assert_false(cli_statement_is_deed("SELECT 'use'", 12));
  assert_false(cli_statement_is_deed("users", 5));
}

/* Read line by line, a text is parted as it is when read whole. */
static void statements_end_where_they_do_in_pieces(void **state) {
  static const char *const parts[] = {"'",  "\"",  ";",  "\n",       "--", "/*", "*/",
                                      "$$", "$a$", "E'", "\\",       "a",  " ",  "$",
                                      "1",  "\r",  "é",  "\xc2\xa0", "/",  "*",  "-"};
  uint64_t random = start_random();
  (void)state;
  for (int round = 0; round < 20000; ++round) {
    struct cli_text text = {0};
    for (int i = 0; i < 24; ++i) {
      cli_text_append_string(&text, parts[next_random(&random) % (sizeof parts / sizeof *parts)]);
    }
    cli_text_append_char(&text, '\n');
    size_t whole = 0;
    size_t pieces = 0;
    size_t expected = cli_statement_size(text.data, text.size, &whole);
    size_t found = 0;
    for (size_t end = 1; end <= text.size && found == 0; ++end) {
      if (text.data[end - 1] == '\n') found = cli_statement_size(text.data, end, &pieces);
    }
    if (found != expected) print_message("%s\n", text.data);
    assert_int_equal(found, expected);
    cli_text_deinit(&text);
  }
}

static void secrets_are_seen(void **state) {
  static const char *const secrets[] = {
      "SET s3_secret_access_key = 'x'", "CREATE SECRET s (TYPE s3)", "set PassWord='x'",
      "COPY f TO 'https://me:pw@host/x'", "SET azure_account_key='x'"};
  static const char *const others[] = {"SELECT 1", "SELECT 'a@b', 'x://y'", "SELECT pass FROM t",
                                       "COPY f TO 'https://host/me:x'"};
  (void)state;
  for (size_t i = 0; i < sizeof secrets / sizeof *secrets; ++i) {
    assert_true(cli_statement_is_secret(secrets[i], strlen(secrets[i])));
  }
  for (size_t i = 0; i < sizeof others / sizeof *others; ++i) {
    assert_false(cli_statement_is_secret(others[i], strlen(others[i])));
  }
}

static void names_have_parts(void **state) {
  struct cli_name name = {0};
  struct cli_text text = {0};
  (void)state;
  assert_true(cli_name_parse("a.\"b.c\".d-e", &name));
  assert_int_equal(name.count, 3);
  assert_string_equal(name.parts[1], "b.c");
  cli_name_append(&text, &name);
  check_text(&text, "a.\"b.c\".\"d-e\"");
  cli_name_deinit(&name);
  static const char *const wrong[] = {"", ".", "a.", ".a", "a..b", "a.b.c.d", "\"a", "a\"b\""};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; ++i) {
    assert_false(cli_name_parse(wrong[i], &name));
  }
  struct cli_list list;
  cli_list_init(&list, " a, b c ,,d ");
  assert_int_equal(list.count, 3);
  assert_string_equal(list.items[0], "a");
  assert_string_equal(list.items[1], "b c");
  assert_string_equal(list.items[2], "d");
  cli_list_deinit(&list);
  cli_text_deinit(&text);
}

static void arguments_mean_what_they_say(void **state) {
  static const struct {
    const char *words[6];
    const char *problem; /* NULL: fine */
    const char *hint;
  } cases[] = {
      {{"--storage", "x", "sql", "SELECT 1"}, NULL, NULL},
      {{"sql", "-fcsv", "SELECT 1", "--storage=x"}, NULL, NULL},
      {{"sql", "--", "-1"}, NULL, NULL},
      {{"sqll"}, "there is no command 'sqll'", "did you mean 'apiary sql'?"},
      {{"sql", "--fromat", "csv"}, "there is no option --fromat", "did you mean --format?"},
      {{"sql", "-z"}, "there is no option -z", "'apiary sql --help' tells how"},
      {{"list", "--cascade"},
       "option --cascade is none of 'list'",
       "'apiary list --help' tells how"},
      {{"sql", "--format"}, "option --format needs a value", "'apiary sql --help' tells how"},
      {{"sql", "--no-header=1", "x"},
       "option --no-header takes no value",
       "'apiary sql --help' tells how"},
      {{"list", "a", "b"},
       "'b' is one word too many for 'apiary list'",
       "'apiary list --help' tells how"},
      {{"rename", "a"},
       "'apiary rename' needs more: apiary rename OLD NEW",
       "'apiary rename --help' tells how"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    char *argv[8] = {(char *)(uintptr_t) "apiary"};
    int argc = 1;
    for (; cases[i].words[argc - 1] != NULL; ++argc) {
      argv[argc] = (char *)(uintptr_t)cases[i].words[argc - 1];
    }
    struct cli_arguments arguments;
    struct cli_text problem = {0};
    struct cli_text hint = {0};
    bool fine = cli_arguments_parse(&arguments, argc, argv, &problem, &hint);
    assert_int_equal(fine, cases[i].problem == NULL);
    if (!fine) {
      check_text(&problem, cases[i].problem);
      check_text(&hint, cases[i].hint);
    } else {
      assert_string_equal(arguments.command->name, "sql");
      assert_int_equal(arguments.word_count, 1);
    }
    cli_arguments_deinit(&arguments);
    cli_text_deinit(&problem);
    cli_text_deinit(&hint);
  }
}

/* ---- Arrow types ----------------------------------------------------------------------------- */

#define OK(call) assert_int_equal((call), NANOARROW_OK)

/* Value `index` of an array, in both notations; the array and schema are taken. */
static void check_value(struct ArrowSchema *schema, struct ArrowArray *array, int64_t index,
                        const char *word, const char *plain, const char *json) {
  struct ArrowArrayView view;
  struct ArrowError error;
  struct cli_type type;
  struct cli_text text = {0};
  assert_true(cli_type_init(&type, schema, &error));
  OK(ArrowArrayViewInitFromSchema(&view, schema, &error));
  OK(ArrowArrayViewSetArray(&view, array, &error));
  cli_type_append_word(&type, &text);
  check_text(&text, word);
  cli_value_append(&type, &view, index, CLI_PLAIN, &text);
  check_text(&text, plain);
  cli_value_append(&type, &view, index, CLI_JSON, &text);
  check_text(&text, json);
  assert_int_equal(cli_value_is_null(&type, &view, index), plain[0] == '\0');
  ArrowArrayViewReset(&view);
  cli_type_deinit(&type);
  cli_text_deinit(&text);
  array->release(array);
  schema->release(schema);
}

static void start_array(struct ArrowSchema *schema, struct ArrowArray *array) {
  struct ArrowError error;
  OK(ArrowArrayInitFromSchema(array, schema, &error));
  OK(ArrowArrayStartAppending(array));
}

static void decimals_of_every_width(void **state) {
  static const struct {
    enum ArrowType type;
    int bits;
    int precision;
    const char *digits;
    const char *text;
  } cases[] = {{NANOARROW_TYPE_DECIMAL32, 32, 9, "-12345", "-123.45"},
               {NANOARROW_TYPE_DECIMAL64, 64, 18, "123456789012345678", "1234567890123456.78"},
               {NANOARROW_TYPE_DECIMAL128, 128, 38, "-99999999999999999999999999999999999999",
                "-999999999999999999999999999999999999.99"},
               {NANOARROW_TYPE_DECIMAL256, 256, 76,
                "1234567890123456789012345678901234567890123456789012345678901234567890123456",
                "12345678901234567890123456789012345678901234567890123456789012345678901234.56"}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    struct ArrowSchema schema;
    struct ArrowArray array;
    struct ArrowDecimal decimal;
    char word[40];
    ArrowSchemaInit(&schema);
    OK(ArrowSchemaSetTypeDecimal(&schema, cases[i].type, cases[i].precision, 2));
    start_array(&schema, &array);
    ArrowDecimalInit(&decimal, cases[i].bits, cases[i].precision, 2);
    OK(ArrowDecimalSetDigits(&decimal, ArrowCharView(cases[i].digits)));
    OK(ArrowArrayAppendNull(&array, 1));
    OK(ArrowArrayAppendDecimal(&array, &decimal));
    OK(ArrowArrayFinishBuildingDefault(&array, NULL));
    (void)snprintf(word, sizeof word, "decimal(%d,2)", cases[i].precision);
    check_value(&schema, &array, 1, word, cases[i].text, cases[i].text);
  }
}

static void scalars_that_queries_seldom_give(void **state) {
  static const struct {
    enum ArrowType type;
    enum ArrowTimeUnit unit;
    int64_t value;
    const char *word;
    const char *plain;
    const char *json;
  } cases[] = {
      {NANOARROW_TYPE_TIME32, NANOARROW_TIME_UNIT_SECOND, 3661, "time", "01:01:01", "\"01:01:01\""},
      {NANOARROW_TYPE_TIME64, NANOARROW_TIME_UNIT_NANO, 1, "time", "00:00:00.000000001",
       "\"00:00:00.000000001\""},
      {NANOARROW_TYPE_DURATION, NANOARROW_TIME_UNIT_MILLI, -90061500, "duration[ms]", "-25:01:01.5",
       "\"-25:01:01.5\""},
      {NANOARROW_TYPE_TIMESTAMP, NANOARROW_TIME_UNIT_SECOND, 0, "timestamp[s]",
       "1970-01-01 00:00:00", "\"1970-01-01 00:00:00\""}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    struct ArrowSchema schema;
    struct ArrowArray array;
    ArrowSchemaInit(&schema);
    OK(ArrowSchemaSetTypeDateTime(&schema, cases[i].type, cases[i].unit, NULL));
    start_array(&schema, &array);
    OK(ArrowArrayAppendInt(&array, cases[i].value));
    OK(ArrowArrayFinishBuildingDefault(&array, NULL));
    check_value(&schema, &array, 0, cases[i].word, cases[i].plain, cases[i].json);
  }
  struct ArrowSchema schema;
  struct ArrowArray array;
  OK(ArrowSchemaInitFromType(&schema, NANOARROW_TYPE_DATE64));
  start_array(&schema, &array);
  OK(ArrowArrayAppendInt(&array, -86400000));
  OK(ArrowArrayFinishBuildingDefault(&array, NULL));
  check_value(&schema, &array, 0, "date", "1969-12-31", "\"1969-12-31\"");
  OK(ArrowSchemaInitFromType(&schema, NANOARROW_TYPE_HALF_FLOAT));
  start_array(&schema, &array);
  OK(ArrowArrayAppendDouble(&array, (double)INFINITY));
  OK(ArrowArrayFinishBuildingDefault(&array, NULL));
  check_value(&schema, &array, 0, "float16", "inf", "null");
  OK(ArrowSchemaInitFromType(&schema, NANOARROW_TYPE_BINARY_VIEW));
  start_array(&schema, &array);
  OK(ArrowArrayAppendBytes(&array, (struct ArrowBufferView){{"\x00\xff"}, 2}));
  OK(ArrowArrayFinishBuildingDefault(&array, NULL));
  check_value(&schema, &array, 0, "binary", "\\x00ff", "\"\\\\x00ff\"");
}

/* An offset moves the window of a list of structs, and both levels must respect it. */
static void nested_values_respect_offsets(void **state) {
  struct ArrowSchema schema;
  struct ArrowArray array;
  (void)state;
  ArrowSchemaInit(&schema);
  OK(ArrowSchemaSetType(&schema, NANOARROW_TYPE_LIST));
  OK(ArrowSchemaSetTypeStruct(schema.children[0], 1));
  OK(ArrowSchemaSetType(schema.children[0]->children[0], NANOARROW_TYPE_INT32));
  OK(ArrowSchemaSetName(schema.children[0]->children[0], "x"));
  start_array(&schema, &array);
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j <= i; ++j) {
      OK(ArrowArrayAppendInt(array.children[0]->children[0], 10 * i + j));
      OK(ArrowArrayFinishElement(array.children[0]));
    }
    OK(ArrowArrayFinishElement(&array));
  }
  OK(ArrowArrayFinishBuildingDefault(&array, NULL));
  array.offset = 1;
  array.length = 2;
  check_value(&schema, &array, 0, "list<struct<x: int32>>", "[{\"x\": 10}, {\"x\": 11}]",
              "[{\"x\": 10}, {\"x\": 11}]");
}

static void unions_show_their_member(void **state) {
  struct ArrowSchema schema;
  struct ArrowArray array;
  (void)state;
  ArrowSchemaInit(&schema);
  OK(ArrowSchemaSetTypeUnion(&schema, NANOARROW_TYPE_DENSE_UNION, 2));
  OK(ArrowSchemaSetType(schema.children[0], NANOARROW_TYPE_INT32));
  OK(ArrowSchemaSetName(schema.children[0], "n"));
  OK(ArrowSchemaSetType(schema.children[1], NANOARROW_TYPE_STRING));
  OK(ArrowSchemaSetName(schema.children[1], "s"));
  start_array(&schema, &array);
  OK(ArrowArrayAppendInt(array.children[0], 7));
  OK(ArrowArrayFinishUnionElement(&array, 0));
  OK(ArrowArrayAppendString(array.children[1], ArrowCharView("x")));
  OK(ArrowArrayFinishUnionElement(&array, 1));
  OK(ArrowArrayFinishBuildingDefault(&array, NULL));
  check_value(&schema, &array, 1, "union<n: int32, s: string>", "x", "\"x\"");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(floats_have_their_shortest_form),
      cmocka_unit_test(random_doubles_read_back),
      cmocka_unit_test(decimals_and_sizes),
      cmocka_unit_test(dates_agree_with_the_library),
      cmocka_unit_test(times_at_the_edges),
      cmocka_unit_test(widths_are_what_terminals_show),
      cmocka_unit_test(json_is_walked),
      cmocka_unit_test(statements_end_at_their_semicolons),
      cmocka_unit_test(statements_end_where_they_do_in_pieces),
      cmocka_unit_test(secrets_are_seen),
      cmocka_unit_test(names_have_parts),
      cmocka_unit_test(arguments_mean_what_they_say),
      cmocka_unit_test(decimals_of_every_width),
      cmocka_unit_test(scalars_that_queries_seldom_give),
      cmocka_unit_test(nested_values_respect_offsets),
      cmocka_unit_test(unions_show_their_member),
  };
  cli_width_set_locale();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
