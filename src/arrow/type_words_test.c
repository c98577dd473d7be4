/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: type words are read as users of Python, Arrow, Spark and SQL write them, refused with the
 * word meant, and read back from what is written.
 * Method: tables of words by hand; random type trees through word and back; every prefix and every
 * damaged byte of long words, which must be refused or make a type that goes round.
 */
#include "arrow/type.h"

#include "base/limits.h"
#include "testing/alloc.h"
#include "testing/check.h"
#include "testing/random.h"

/* As written, and the canonical word. */
static const char *const known_words[][2] = {
    {"int8", "int8"},
    {"TINYINT", "int8"},
    {"SmallInt", "int16"},
    {"int", "int32"},
    {" integer ", "int32"},
    {"bigint", "int64"},
    {"long", "int64"},
    {"utinyint", "uint8"},
    {"uint64", "uint64"},
    {"float", "float64"},
    {"real", "float32"},
    {"double", "float64"},
    {"double precision", "float64"},
    {"halffloat", "float16"},
    {"decimal(10, 2)", "decimal(10,2)"},
    {"numeric(38)", "decimal(38,0)"},
    {"decimal128(5,5)", "decimal(5,5)"},
    {"varchar(20)", "string"},
    {"text", "string"},
    {"utf8", "string"},
    {"bool", "boolean"},
    {"date", "date"},
    {"date32[day]", "date"},
    {"time", "time"},
    {"time64[us]", "time"},
    {"time[ns]", "time[ns]"},
    {"timestamp", "timestamp"},
    {"datetime", "timestamp"},
    {"timestamp[us]", "timestamp"},
    {"timestamp[ns]", "timestamp[ns]"},
    {"timestamp[us, UTC]", "timestamp[us, UTC]"},
    {"timestamp[ms, tz=Europe/Berlin]", "timestamp[ms, UTC]"},
    {"timestamptz", "timestamp[us, UTC]"},
    {"TIMESTAMP WITH TIME ZONE", "timestamp[us, UTC]"},
    {"timestamp without time zone", "timestamp"},
    {"timestamp_ns", "timestamp[ns]"},
    {"bytes", "binary"},
    {"blob", "binary"},
    {"list<int64>", "list<int64>"},
    {"array<string not null>", "list<string not null>"},
    {"int[]", "list<int32>"},
    {"timestamp[]", "list<timestamp>"},
    {"timestamp[ns][]", "list<timestamp[ns]>"},
    {"DECIMAL(4,1)[3][]", "list<list<decimal(4,1)>>"},
    {"struct<a: int64 not null, b: list<string>>", "struct<a: int64 not null, b: list<string>>"},
    {"STRUCT(a INTEGER, \"b \"\"c\" VARCHAR)", "struct<a: int32, \"b \"\"c\": string>"},
    {"struct<>", "struct<>"},
    {"MAP(VARCHAR, BIGINT)", "map<string, int64>"},
    {"map<string not null, int64 not null>", "map<string, int64 not null>"},
    {"null", "null"},
};

static void test_words(void **state) {
  struct ap_arena arena;
  struct ap_buffer word;
  (void)state;
  ap_arena_init(&arena, ap_allocator_system());
  ap_buffer_init(&word, ap_allocator_system());
  for (size_t i = 0; i < sizeof(known_words) / sizeof(known_words[0]); i++) {
    struct ap_type type = {0};
    bool nullable = false;
    ap_error err = {0};
    check_ok(ap_type_parse(&arena, ap_text_of(known_words[i][0]), &type, &nullable, &err), &err);
    assert_true(nullable);
    ap_buffer_clear(&word);
    ap_type_append_word(&word, &type);
    check_text(ap_buffer_text(&word), known_words[i][1]);
  }
  ap_buffer_deinit(&word);
  ap_arena_deinit(&arena);
}

static void test_not_null(void **state) {
  static const char *const words[] = {"int64 not null", "INT64 NOT  NULL", "int64[] not null"};
  struct ap_arena arena;
  (void)state;
  ap_arena_init(&arena, ap_allocator_system());
  for (size_t i = 0; i < 3; i++) {
    struct ap_type type = {0};
    bool nullable = true;
    ap_error err = {0};
    check_ok(ap_type_parse(&arena, ap_text_of(words[i]), &type, &nullable, &err), &err);
    assert_false(nullable);
  }
  ap_arena_deinit(&arena);
}

static void test_refusals(void **state) {
  static const char *const cases[][2] = {
      {"", "empty"},
      {"  ", "a type is expected"},
      {"strng", "did you mean 'string'"},
      {"Integr", "did you mean 'integer'"},
      {"qqqqqq", "'qqqqqq' is no type"},
      {"int64 maybe", "before 'maybe'"},
      {"int64 not", "before 'not'"},
      {"decimal", "lacks precision"},
      {"decimal(39,0)", "at most 38"},
      {"decimal(0,0)", "the precision is 0"},
      {"decimal(5,6)", "at most 5"},
      {"decimal(99999999999999999999,1)", "at most 38"},
      {"decimal(5", "')' is expected"},
      {"timestamp[xs]", "no unit"},
      {"timestamp[us,]", "a time zone"},
      {"time[us, UTC]", "']'"},
      {"list<int64", "closing bracket"},
      {"list<int64)", "closing bracket"},
      {"list", "'<'"},
      {"map<string>", "','"},
      {"struct<a: int64, A: int8>", "two fields"},
      {"struct<1: int64>", "a field name"},
      {"struct<\"a: int64>", "'\"'"},
      {"struct<a: strin>", "did you mean 'string'"},
      {"int64]", "the end"},
      {"\xff", "UTF-8"},
  };
  struct ap_arena arena;
  (void)state;
  ap_arena_init(&arena, ap_allocator_system());
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ap_type type = {0};
    bool nullable = false;
    ap_error err = {0};
    ap_status status = ap_type_parse(&arena, ap_text_of(cases[i][0]), &type, &nullable, &err);
    check_status(status, AP_SCHEMA_MISMATCH, &err);
    check_contains(err.message, cases[i][1]);
  }
  ap_arena_deinit(&arena);
}

static void check_depth(const char *open, const char *close, int count, ap_status expected) {
  struct ap_buffer word;
  struct ap_arena arena;
  struct ap_type type = {0};
  bool nullable = false;
  ap_error err = {0};
  ap_buffer_init(&word, ap_allocator_system());
  ap_arena_init(&arena, ap_allocator_system());
  for (int i = 0; i < count; i++) ap_buffer_append_string(&word, open);
  ap_buffer_append_string(&word, "int8");
  for (int i = 0; i < count; i++) ap_buffer_append_string(&word, close);
  check_status(ap_type_parse(&arena, ap_buffer_text(&word), &type, &nullable, &err), expected,
               &err);
  ap_arena_deinit(&arena);
  ap_buffer_deinit(&word);
}

static void test_depth(void **state) {
  (void)state;
  check_depth("list<", ">", AP_TYPE_DEPTH_MAX - 1, AP_OK);
  check_depth("list<", ">", AP_TYPE_DEPTH_MAX, AP_SCHEMA_MISMATCH);
  check_depth("list<", ">", 100000, AP_SCHEMA_MISMATCH);
  check_depth("", "[]", AP_TYPE_DEPTH_MAX - 1, AP_OK);
  check_depth("", "[]", AP_TYPE_DEPTH_MAX, AP_SCHEMA_MISMATCH);
  check_depth("list<", "[]>[][]", 16, AP_SCHEMA_MISMATCH);
}

static void test_sql(void **state) {
  static const char *const cases[][2] = {
      {"boolean", "BOOLEAN"},
      {"int8", "TINYINT"},
      {"uint16", "USMALLINT"},
      {"float16", "FLOAT"},
      {"float32", "FLOAT"},
      {"float64", "DOUBLE"},
      {"decimal(10,2)", "DECIMAL(10,2)"},
      {"string", "VARCHAR"},
      {"binary", "BLOB"},
      {"timestamp[ns]", "TIMESTAMP"},
      {"timestamptz[]", "TIMESTAMP WITH TIME ZONE[]"},
      {"struct<\"a \"\"b\": int32, c: time>", "STRUCT(\"a \"\"b\" INTEGER, \"c\" TIME)"},
      {"map<string, list<date>>", "MAP(VARCHAR, DATE[])"},
  };
  struct ap_arena arena;
  struct ap_buffer sql;
  (void)state;
  ap_arena_init(&arena, ap_allocator_system());
  ap_buffer_init(&sql, ap_allocator_system());
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ap_type type = {0};
    bool nullable = false;
    ap_error err = {0};
    check_ok(ap_type_parse(&arena, ap_text_of(cases[i][0]), &type, &nullable, &err), &err);
    ap_buffer_clear(&sql);
    ap_type_append_sql(&sql, &type);
    check_text(ap_buffer_text(&sql), cases[i][1]);
  }
  ap_buffer_deinit(&sql);
  ap_arena_deinit(&arena);
}

static struct ap_type random_type(struct ap_arena *arena, struct ap_random *random, int depth);

static struct ap_field random_field(struct ap_arena *arena, struct ap_random *random, int depth,
                                    uint64_t number) {
  static const char *const names[] = {"a",        "B_1", "with space", "quo\"te",
                                      "\xc3\xa4", "not", "1st",        ""};
  struct ap_field field = {.nullable = ap_random_below(random, 2) == 0};
  const char *stem = names[ap_random_below(random, sizeof(names) / sizeof(names[0]))];
  char *name = ap_arena_format(arena, "%s%llu", stem, (unsigned long long)number);
  assert_non_null(name);
  field.name = ap_text_of(name);
  field.type = random_type(arena, random, depth - 1);
  return field;
}

static struct ap_type random_type(struct ap_arena *arena, struct ap_random *random, int depth) {
  uint64_t kinds = depth > 0 ? AP_TYPE_MAP + 1 : AP_TYPE_LIST;
  struct ap_type type = {.kind = (enum ap_type_kind)ap_random_below(random, kinds)};
  uint32_t count = 0;
  switch (type.kind) {
    case AP_TYPE_DECIMAL:
      type.precision = (uint8_t)(1 + ap_random_below(random, 38));
      type.scale = (uint8_t)ap_random_below(random, type.precision + 1u);
      break;
    case AP_TYPE_TIME:
    case AP_TYPE_TIMESTAMP:
    case AP_TYPE_TIMESTAMP_TZ:
      type.unit = (enum ap_time_unit)ap_random_below(random, 4);
      break;
    case AP_TYPE_LIST:
      count = 1;
      break;
    case AP_TYPE_STRUCT:
      count = (uint32_t)ap_random_below(random, 12);
      break;
    case AP_TYPE_MAP:
      count = 2;
      break;
    default:
      break;
  }
  struct ap_field *fields = AP_ARENA_ARRAY(arena, struct ap_field, count);
  assert_non_null(fields);
  for (uint32_t i = 0; i < count; i++) fields[i] = random_field(arena, random, depth, i);
  if (type.kind == AP_TYPE_MAP) fields[0].nullable = false;
  type.field_count = count;
  type.fields = fields;
  return type;
}

static void test_round_trip(void **state) {
  struct ap_seeded_random random;
  (void)state;
  ap_seeded_random_init(&random, ap_test_seed("round_trip"));
  uint64_t rounds = ap_test_rounds(3000);
  for (uint64_t round = 0; round < rounds; round++) {
    struct ap_arena arena;
    struct ap_buffer word;
    struct ap_type back = {0};
    bool nullable = false;
    ap_error err = {0};
    ap_arena_init(&arena, ap_allocator_system());
    ap_buffer_init(&word, ap_allocator_system());
    struct ap_type type = random_type(&arena, &random.base, 4);
    ap_type_append_word(&word, &type);
    check_ok(ap_type_parse(&arena, ap_buffer_text(&word), &back, &nullable, &err), &err);
    if (!ap_type_equal(&type, &back)) fail_msg("not read back: %s", word.data);
    ap_buffer_deinit(&word);
    ap_arena_deinit(&arena);
  }
}

/* Refused, or a type that goes round. */
static void check_any(struct ap_text text) {
  struct ap_arena arena;
  struct ap_type type = {0};
  struct ap_type back = {0};
  struct ap_buffer word;
  bool nullable = false;
  ap_error err = {0};
  ap_arena_init(&arena, ap_allocator_system());
  ap_buffer_init(&word, ap_allocator_system());
  ap_status status = ap_type_parse(&arena, text, &type, &nullable, &err);
  if (status == AP_OK) {
    ap_type_append_word(&word, &type);
    check_ok(ap_type_parse(&arena, ap_buffer_text(&word), &back, &nullable, &err), &err);
    assert_true(ap_type_equal(&type, &back));
  } else {
    check_status(status, AP_SCHEMA_MISMATCH, &err);
  }
  ap_buffer_deinit(&word);
  ap_arena_deinit(&arena);
}

static void test_damaged(void **state) {
  static const char word[] =
      "struct<a: decimal(10,2) not null, \"b \"\"c\": map<string, timestamp[ns, UTC]>, c: "
      "int[3][], "
      "d: timestamp with time zone, e: struct(f time64[us], g list<double precision>)> not null";
  static const char hostile[] = {'\0', '<', '>', '(', ')', '[', ']', '"', ',', ':', ' ', '9', 'x'};
  char text[sizeof(word)];
  (void)state;
  for (size_t size = 0; size < sizeof(word); size++) {
    /* In a block of exactly its size, so that a sanitizer sees any step beyond. */
    char *block = ap_allocate(ap_allocator_system(), size);
    assert_non_null(block);
    memcpy(block, word, size);
    check_any((struct ap_text){block, size});
    ap_free(ap_allocator_system(), block);
  }
  for (size_t at = 0; at + 1 < sizeof(word); at++) {
    for (size_t i = 0; i < sizeof(hostile); i++) {
      memcpy(text, word, sizeof(word));
      text[at] = hostile[i];
      check_any((struct ap_text){text, sizeof(word) - 1});
    }
  }
}

static ap_status parse_in(void *context, struct ap_allocator *allocator, ap_error *err) {
  struct ap_arena arena;
  struct ap_type type = {0};
  bool nullable = false;
  ap_arena_init(&arena, allocator);
  ap_status status = ap_type_parse(&arena, ap_text_of(context), &type, &nullable, err);
  ap_arena_deinit(&arena);
  return status;
}

static void test_out_of_memory(void **state) {
  char word[] = "struct<a: int8, \"b\": map<string, struct<c: date[]>>>";
  (void)state;
  assert_true(ap_sweep_memory(parse_in, word) > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_words),    cmocka_unit_test(test_not_null),
      cmocka_unit_test(test_refusals), cmocka_unit_test(test_depth),
      cmocka_unit_test(test_sql),      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_damaged),  cmocka_unit_test(test_out_of_memory),
  };
  return AP_RUN_TESTS(tests);
}
