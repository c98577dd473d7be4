/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: Arrow schemas become types and types Arrow schemas, as other producers write them.
 * Method: a table of Arrow formats against type words; every flat type and nestings of them to
 * Arrow and back; the schemas of the fixtures that pyarrow wrote; what frames have not, by name.
 */
#include "arrow/type.h"

#include "arrow/ipc.h"
#include "base/limits.h"
#include "testing/alloc.h"
#include "testing/check.h"

#include <stdio.h>

static void make_column(const char *format, struct ArrowSchema *out) {
  ArrowSchemaInit(out);
  assert_int_equal(ArrowSchemaSetTypeStruct(out, 1), 0);
  assert_int_equal(ArrowSchemaSetFormat(out->children[0], format), 0);
  assert_int_equal(ArrowSchemaSetName(out->children[0], "column"), 0);
}

static void test_formats(void **state) {
  static const char *const cases[][2] = {
      {"n", "null"},
      {"b", "boolean"},
      {"c", "int8"},
      {"C", "uint8"},
      {"s", "int16"},
      {"S", "uint16"},
      {"i", "int32"},
      {"I", "uint32"},
      {"l", "int64"},
      {"L", "uint64"},
      {"e", "float16"},
      {"f", "float32"},
      {"g", "float64"},
      {"d:10,2", "decimal(10,2)"},
      {"d:9,3,32", "decimal(9,3)"},
      {"d:18,0,64", "decimal(18,0)"},
      {"d:38,38,128", "decimal(38,38)"},
      {"d:38,2,256", "decimal(38,2)"},
      {"u", "string"},
      {"U", "string"},
      {"vu", "string"},
      {"z", "binary"},
      {"Z", "binary"},
      {"vz", "binary"},
      {"w:16", "binary"},
      {"tdD", "date"},
      {"tdm", "date"},
      {"tts", "time[s]"},
      {"ttm", "time[ms]"},
      {"ttu", "time"},
      {"ttn", "time[ns]"},
      {"tss:", "timestamp[s]"},
      {"tsm:", "timestamp[ms]"},
      {"tsu:", "timestamp"},
      {"tsn:", "timestamp[ns]"},
      {"tsu:UTC", "timestamp[us, UTC]"},
      {"tss:Europe/Berlin", "timestamp[s, UTC]"},
  };
  struct ap_arena arena;
  struct ap_buffer word;
  (void)state;
  ap_arena_init(&arena, ap_allocator_system());
  ap_buffer_init(&word, ap_allocator_system());
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ArrowSchema arrow = {0};
    struct ap_schema schema = {0};
    ap_error err = {0};
    make_column(cases[i][0], &arrow);
    check_ok(ap_schema_from_arrow(&arena, &arrow, &schema, &err), &err);
    arrow.release(&arrow);
    assert_int_equal(schema.field_count, 1);
    assert_true(schema.fields[0].nullable);
    check_text(schema.fields[0].name, "column");
    ap_buffer_clear(&word);
    ap_type_append_word(&word, &schema.fields[0].type);
    check_text(ap_buffer_text(&word), cases[i][1]);
  }
  ap_buffer_deinit(&word);
  ap_arena_deinit(&arena);
}

static void test_refusals(void **state) {
  static const char *const formats[] = {"tiM",        "tiD",   "tin",    "tDs",  "tDu",
                                        "d:39,0,256", "d:5,6", "d:5,-2", "+us:", "+ud:"};
  struct ap_arena arena;
  (void)state;
  ap_arena_init(&arena, ap_allocator_system());
  for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
    struct ArrowSchema arrow = {0};
    struct ap_schema schema = {0};
    ap_error err = {0};
    make_column(formats[i], &arrow);
    check_status(ap_schema_from_arrow(&arena, &arrow, &schema, &err), AP_SCHEMA_MISMATCH, &err);
    check_contains(err.message, "'column'");
    arrow.release(&arrow);
  }
  ap_arena_deinit(&arena);
}

static void test_broken_schemas(void **state) {
  static const char *const formats[] = {"", "x", "d:", "w:0", "+l", "+m", "ts", "tsq:", "i+"};
  struct ap_arena arena;
  struct ap_schema schema = {0};
  struct ArrowSchema arrow = {0};
  ap_error err = {0};
  (void)state;
  ap_arena_init(&arena, ap_allocator_system());
  for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
    make_column(formats[i], &arrow);
    ap_status status = ap_schema_from_arrow(&arena, &arrow, &schema, &err);
    check_status(status, AP_INVALID_ARGUMENT, &err);
    arrow.release(&arrow);
  }
  check_status(ap_schema_from_arrow(&arena, &arrow, &schema, &err), AP_INVALID_ARGUMENT, &err);
  ArrowSchemaInit(&arrow);
  check_status(ap_schema_from_arrow(&arena, &arrow, &schema, &err), AP_INVALID_ARGUMENT, &err);
  assert_int_equal(ArrowSchemaSetFormat(&arrow, "i"), 0);
  check_status(ap_schema_from_arrow(&arena, &arrow, &schema, &err), AP_SCHEMA_MISMATCH, &err);
  arrow.release(&arrow);
  make_column("i", &arrow);
  assert_int_equal(ArrowSchemaSetName(arrow.children[0], "\xff\xfe"), 0);
  check_status(ap_schema_from_arrow(&arena, &arrow, &schema, &err), AP_SCHEMA_MISMATCH, &err);
  arrow.release(&arrow);
  ap_arena_deinit(&arena);
}

/* A list of a list of ... : the limit, not the stack, ends it. */
static void test_depth(void **state) {
  struct ap_arena arena;
  struct ap_schema schema = {0};
  struct ArrowSchema arrow = {0};
  ap_error err = {0};
  (void)state;
  ap_arena_init(&arena, ap_allocator_system());
  make_column("+l", &arrow);
  struct ArrowSchema *at = arrow.children[0];
  for (int i = 0; i < AP_TYPE_DEPTH_MAX + 5; i++) {
    assert_int_equal(ArrowSchemaAllocateChildren(at, 1), 0);
    ArrowSchemaInit(at->children[0]);
    at = at->children[0];
    assert_int_equal(ArrowSchemaSetFormat(at, i == AP_TYPE_DEPTH_MAX + 4 ? "i" : "+l"), 0);
  }
  check_status(ap_schema_from_arrow(&arena, &arrow, &schema, &err), AP_SCHEMA_MISMATCH, &err);
  check_contains(err.message, "nests deeper");
  arrow.release(&arrow);
  ap_arena_deinit(&arena);
}

static const char all_types[] =
    "struct<a: null, b: boolean not null, c: int8, d: int16, e: int32, f: int64, g: uint8, "
    "h: uint16, i: uint32, j: uint64, k: float16, l: float32, m: float64, n: decimal(38,7), "
    "o: string, p: binary, q: date, r: time, s: time[s], t: time[ns], u: timestamp, "
    "v: timestamp[s], w: timestamp[ms], x: timestamp[ns], y: timestamptz, "
    "z: timestamp[ns, UTC], aa: list<list<int8 not null>>, bb: map<string, struct<q: int8>>, "
    "cc: struct<dd: decimal(1,1), ee: struct<>> not null>";

static void test_there_and_back(void **state) {
  struct ap_arena arena;
  struct ap_type type = {0};
  struct ap_schema back = {0};
  struct ArrowSchema arrow = {0};
  bool nullable = false;
  ap_error err = {0};
  (void)state;
  ap_arena_init(&arena, ap_allocator_system());
  check_ok(ap_type_parse(&arena, ap_text_of(all_types), &type, &nullable, &err), &err);
  struct ap_schema schema = {type.field_count, type.fields};
  check_ok(ap_schema_to_arrow(&schema, &arrow, &err), &err);
  check_ok(ap_schema_from_arrow(&arena, &arrow, &back, &err), &err);
  assert_true(ap_schema_equal(&schema, &back));
  /* nanoarrow, strict about maps, finds nothing to say. */
  struct ArrowArrayView view;
  assert_int_equal(ArrowArrayViewInitFromSchema(&view, &arrow, NULL), 0);
  ArrowArrayViewReset(&view);
  arrow.release(&arrow);
  ap_arena_deinit(&arena);
}

static void check_fixture(const char *name, const char *expected) {
  struct ap_arena arena;
  struct ap_buffer bytes;
  struct ap_buffer word;
  struct ArrowArrayStream stream = {0};
  struct ArrowSchema arrow = {0};
  struct ap_schema schema = {0};
  char path[512];
  char chunk[4096];
  ap_error err = {0};
  ap_arena_init(&arena, ap_allocator_system());
  ap_buffer_init(&bytes, ap_allocator_system());
  ap_buffer_init(&word, ap_allocator_system());
  (void)snprintf(path, sizeof(path), "%s/tests/data/arrow/%s", AP_SOURCE_DIR, name);
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  ap_buffer_append(&bytes, chunk, fread(chunk, 1, sizeof(chunk), file));
  (void)fclose(file);
  check_ok(ap_ipc_read(ap_buffer_text(&bytes), &stream, &err), &err);
  check_ok(ap_stream_schema(&stream, &arrow, &err), &err);
  check_ok(ap_schema_from_arrow(&arena, &arrow, &schema, &err), &err);
  struct ap_type root = {
      .kind = AP_TYPE_STRUCT, .field_count = schema.field_count, .fields = schema.fields};
  ap_type_append_word(&word, &root);
  check_text(ap_buffer_text(&word), expected);
  arrow.release(&arrow);
  stream.release(&stream);
  ap_buffer_deinit(&word);
  ap_buffer_deinit(&bytes);
  ap_arena_deinit(&arena);
}

static void test_fixtures(void **state) {
  (void)state;
  check_fixture("stream.arrows",
                "struct<id: int64, name: string, ok: boolean, price: decimal(10,2), "
                "at: timestamp[us, UTC]>");
  check_fixture("nested.arrows",
                "struct<l: list<int32>, s: struct<a: int32, b: string>, m: map<string, int64>, "
                "f: list<int16>, ll: list<list<string>>>");
  check_fixture("dictionary.arrows", "struct<w: string, n: int64, l: list<string>>");
  check_fixture("views.arrows", "struct<v: string, b: binary>");
  check_fixture("kinds.arrows",
                "struct<n: null, i8: int8, u8: uint8, i16: int16, u32: uint32, u64: uint64, "
                "f32: float32, f64: float64, d32: date, t32: time[s], t64: time, "
                "ts: timestamp[ns], bin: binary, fsb: binary, ls: string>");
  check_fixture("no_columns.arrows", "struct<>");
}

static ap_status from_arrow_in(void *context, struct ap_allocator *allocator, ap_error *err) {
  struct ap_arena arena;
  struct ap_schema schema = {0};
  ap_arena_init(&arena, allocator);
  ap_status status = ap_schema_from_arrow(&arena, context, &schema, err);
  ap_arena_deinit(&arena);
  return status;
}

static void test_out_of_memory(void **state) {
  struct ap_arena arena;
  struct ap_type type = {0};
  struct ArrowSchema arrow = {0};
  bool nullable = false;
  ap_error err = {0};
  (void)state;
  ap_arena_init(&arena, ap_allocator_system());
  check_ok(ap_type_parse(&arena, ap_text_of(all_types), &type, &nullable, &err), &err);
  struct ap_schema schema = {type.field_count, type.fields};
  check_ok(ap_schema_to_arrow(&schema, &arrow, &err), &err);
  assert_true(ap_sweep_memory(from_arrow_in, &arrow) > 0);
  arrow.release(&arrow);
  ap_arena_deinit(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_formats),        cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_broken_schemas), cmocka_unit_test(test_depth),
      cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_fixtures),
      cmocka_unit_test(test_out_of_memory),
  };
  return AP_RUN_TESTS(tests);
}
