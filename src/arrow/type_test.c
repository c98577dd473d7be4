/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: fields are found, types compared, copied and widened as type.h says.
 * Method: by hand for finding, comparing and copying; widening over every pair of flat types
 * against a table of its own, written out as text.
 */
#include "arrow/type.h"

#include "testing/alloc.h"
#include "testing/check.h"

static struct ap_field field(const char *name, enum ap_type_kind kind) {
  return (struct ap_field){.name = ap_text_of(name), .type = {.kind = kind}, .nullable = true};
}

static void test_find(void **state) {
  struct ap_field fields[] = {field("id", AP_TYPE_INT64), field("Name", AP_TYPE_STRING),
                              field("x", AP_TYPE_INT8), field("X", AP_TYPE_INT8)};
  struct ap_schema schema = {4, fields};
  (void)state;
  assert_int_equal(ap_schema_find(&schema, AP_TEXT("id")), 0);
  assert_int_equal(ap_schema_find(&schema, AP_TEXT("ID")), 0);
  assert_int_equal(ap_schema_find(&schema, AP_TEXT("name")), 1);
  assert_int_equal(ap_schema_find(&schema, AP_TEXT("X")), 3);
  assert_int_equal(ap_schema_find(&schema, AP_TEXT("x")), 2);
  assert_int_equal(ap_schema_find(&schema, AP_TEXT("nam")), -1);
  fields[3].name = AP_TEXT("ID");
  fields[0].name = AP_TEXT("Id");
  assert_int_equal(ap_schema_find(&schema, AP_TEXT("id")), -1); /* two, neither exact */
}

static struct ap_type parse(struct ap_arena *arena, const char *word) {
  struct ap_type type = {0};
  bool nullable = false;
  ap_error err = {0};
  check_ok(ap_type_parse(arena, ap_text_of(word), &type, &nullable, &err), &err);
  return type;
}

static void test_equal(void **state) {
  static const char *const words[] = {
      "int64",
      "decimal(10,2)",
      "decimal(10,3)",
      "decimal(11,2)",
      "timestamp",
      "timestamp[ms]",
      "timestamptz",
      "list<int64>",
      "list<int64 not null>",
      "list<int32>",
      "struct<a: int64>",
      "struct<A: int64>",
      "struct<a: int64, b: int64>",
      "struct<a: int64 not null>",
      "map<string, int64>",
      "map<string, int64 not null>",
  };
  struct ap_arena arena;
  (void)state;
  ap_arena_init(&arena, ap_allocator_system());
  size_t count = sizeof(words) / sizeof(words[0]);
  for (size_t i = 0; i < count; i++) {
    for (size_t j = 0; j < count; j++) {
      struct ap_type a = parse(&arena, words[i]);
      struct ap_type b = parse(&arena, words[j]);
      if (ap_type_equal(&a, &b) != (i == j)) fail_msg("%s and %s", words[i], words[j]);
    }
  }
  /* The element of a list has a role, not a name. */
  struct ap_type a = parse(&arena, "list<int64>");
  struct ap_field element = a.fields[0];
  struct ap_type b = a;
  element.name = AP_TEXT("item");
  b.fields = &element;
  assert_true(ap_type_equal(&a, &b));
  ap_arena_deinit(&arena);
}

/* The types of the table below, in the order of its columns. */
static const char *const flat[] = {
    "null",          "boolean",       "int8",
    "int16",         "int32",         "int64",
    "uint8",         "uint16",        "uint32",
    "uint64",        "float16",       "float32",
    "float64",       "decimal(3,0)",  "decimal(10,0)",
    "decimal(19,0)", "decimal(38,0)", "decimal(12,2)",
    "string",        "binary",        "date",
    "time",          "time[ns]",      "timestamp[s]",
    "timestamp",     "timestamp[ns]", "timestamp[ms, UTC]",
    "timestamptz",
};
enum { FLAT_COUNT = sizeof(flat) / sizeof(flat[0]) };

/* A row per type to widen from, a column per type to widen to: x where no value is lost. */
static const char *const widening[FLAT_COUNT] = {
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxx", /* null */
    ".x..........................", /* boolean */
    "..xxxx....xxxxxxxx..........", /* int8 */
    "...xxx.....xx.xxxx..........", /* int16 */
    "....xx......x.xxxx..........", /* int32 */
    ".....x.........xx...........", /* int64 */
    "...xxxxxxxxxxxxxxx..........", /* uint8 */
    "....xx.xxx.xx.xxxx..........", /* uint16 */
    ".....x..xx..x.xxxx..........", /* uint32 */
    ".........x......x...........", /* uint64 */
    "..........xxx...............", /* float16 */
    "...........xx...............", /* float32 */
    "............x...............", /* float64 */
    ".............xxxxx..........", /* decimal(3,0) */
    "..............xxxx..........", /* decimal(10,0) */
    "...............xx...........", /* decimal(19,0) */
    "................x...........", /* decimal(38,0) */
    ".................x..........", /* decimal(12,2) */
    "..................x.........", /* string */
    "...................x........", /* binary */
    "....................x.......", /* date */
    ".....................x......", /* time */
    ".....................xx.....", /* time[ns] */
    ".......................xx...", /* timestamp[s] */
    "........................x...", /* timestamp */
    "........................xx..", /* timestamp[ns] */
    "..........................xx", /* timestamp[ms, UTC] */
    "...........................x", /* timestamptz */
};

static void test_widens_flat(void **state) {
  struct ap_arena arena;
  (void)state;
  ap_arena_init(&arena, ap_allocator_system());
  for (size_t i = 0; i < FLAT_COUNT; i++) {
    assert_int_equal(strlen(widening[i]), FLAT_COUNT);
    for (size_t j = 0; j < FLAT_COUNT; j++) {
      struct ap_type from = parse(&arena, flat[i]);
      struct ap_type to = parse(&arena, flat[j]);
      if (ap_type_widens(&from, &to) != (widening[i][j] == 'x')) {
        fail_msg("%s to %s", flat[i], flat[j]);
      }
    }
  }
  ap_arena_deinit(&arena);
}

static void test_widens_nested(void **state) {
  static const struct {
    const char *from;
    const char *to;
    bool widens;
  } cases[] = {
      {"list<int8>", "list<int64>", true},
      {"list<int64>", "list<int8>", false},
      {"list<int8>", "list<int8 not null>", false},
      {"list<int8 not null>", "list<int8>", true},
      {"list<null>", "list<string>", true},
      {"list<null not null>", "list<string not null>", false},
      {"list<int8>", "int8", false},
      {"struct<a: int8, b: string>", "struct<a: int16, b: string>", true},
      {"struct<a: int8>", "struct<b: int8>", false},
      {"struct<a: int8>", "struct<a: int8, b: int8>", false},
      {"map<int8, float32>", "map<int64, float64>", true},
      {"map<int8, string>", "map<int8, binary>", false},
      {"decimal(10,2)", "decimal(12,2)", true},
      {"decimal(10,2)", "decimal(12,4)", true},
      {"decimal(10,2)", "decimal(12,5)", false},
      {"decimal(10,2)", "decimal(10,1)", false},
  };
  struct ap_arena arena;
  (void)state;
  ap_arena_init(&arena, ap_allocator_system());
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ap_type from = parse(&arena, cases[i].from);
    struct ap_type to = parse(&arena, cases[i].to);
    if (ap_type_widens(&from, &to) != cases[i].widens) {
      fail_msg("%s to %s", cases[i].from, cases[i].to);
    }
  }
  ap_arena_deinit(&arena);
}

static const char metadata_text[] =
    "{\"id\":12345678901234567890,\"name\":\"ä\",\"list\":[1,true,null,{\"deep\":\"x\"}],"
    "\"none\":{},\"empty\":[]}";

static void make_schema(struct ap_arena *arena, struct ap_schema *out_schema) {
  static const char *const words[] = {"int64", "struct<a: list<string>, b: map<int8, date>>"};
  struct ap_field *fields = AP_ARENA_ARRAY(arena, struct ap_field, 2);
  ap_error err = {0};
  assert_non_null(fields);
  for (size_t i = 0; i < 2; i++) {
    fields[i].name = ap_text_of(i == 0 ? "first" : "second");
    check_ok(ap_type_parse(arena, ap_text_of(words[i]), &fields[i].type, &fields[i].nullable, &err),
             &err);
  }
  check_ok(ap_json_parse(arena, ap_text_of(metadata_text), &fields[1].metadata, &err), &err);
  *out_schema = (struct ap_schema){2, fields};
}

/* The copy stands when the original is gone; a sanitizer sees what still points there. */
static void test_copy(void **state) {
  struct ap_arena original_arena;
  struct ap_arena arena;
  struct ap_arena other_arena;
  struct ap_schema schema = {0};
  struct ap_schema copy = {0};
  struct ap_schema expected = {0};
  struct ap_buffer text;
  struct ap_json_writer writer;
  ap_error err = {0};
  (void)state;
  ap_arena_init(&original_arena, ap_allocator_system());
  ap_arena_init(&arena, ap_allocator_system());
  ap_arena_init(&other_arena, ap_allocator_system());
  make_schema(&original_arena, &schema);
  make_schema(&other_arena, &expected);
  check_ok(ap_schema_copy(&arena, &schema, &copy, &err), &err);
  ap_arena_deinit(&original_arena);
  assert_true(ap_schema_equal(&copy, &expected));
  assert_null(copy.fields[0].metadata);
  ap_buffer_init(&text, ap_allocator_system());
  ap_json_writer_init(&writer, &text);
  ap_json_value(&writer, copy.fields[1].metadata);
  check_text(ap_buffer_text(&text), metadata_text);
  ap_buffer_deinit(&text);
  ap_arena_deinit(&other_arena);
  ap_arena_deinit(&arena);
}

static ap_status copy_in(void *context, struct ap_allocator *allocator, ap_error *err) {
  struct ap_arena arena;
  struct ap_schema copy = {0};
  ap_arena_init(&arena, allocator);
  ap_status status = ap_schema_copy(&arena, context, &copy, err);
  ap_arena_deinit(&arena);
  return status;
}

static void test_copy_out_of_memory(void **state) {
  struct ap_arena arena;
  struct ap_schema schema = {0};
  (void)state;
  ap_arena_init(&arena, ap_allocator_system());
  make_schema(&arena, &schema);
  assert_true(ap_sweep_memory(copy_in, &schema) > 0);
  ap_arena_deinit(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_find),        cmocka_unit_test(test_equal),
      cmocka_unit_test(test_widens_flat), cmocka_unit_test(test_widens_nested),
      cmocka_unit_test(test_copy),        cmocka_unit_test(test_copy_out_of_memory),
  };
  return AP_RUN_TESTS(tests);
}
