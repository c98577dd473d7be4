/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: cells hold exactly what came, with true statistics, or nothing was written.
 * Method: streams of every type written and read back through a bound frame (EXCEPT against the
 * source), every refusal checked for its words and for an empty staging folder.
 */
#include "testing/engine_bed.h"

#define COUNT(array) (uint32_t)(sizeof(array) / sizeof((array)[0]))

/* What was written must equal what the query says, both ways, and in number. */
static void check_same(struct bed *bed, const struct bed_frame *frame, const char *sql) {
  char *both = ap_arena_format(
      &bed->arena,
      "SELECT count(*), (SELECT count(*) FROM (%s)) FROM ((SELECT * FROM w.s.orders EXCEPT ALL "
      "(%s)) UNION ALL ((%s) EXCEPT ALL SELECT * FROM w.s.orders))",
      sql, sql, sql);
  char *answer = bed_ask(bed, frame, both);
  char *rows = bed_ask(bed, frame, "SELECT 0, count(*) FROM w.s.orders");
  assert_string_equal(answer, rows);
}

static void every_type_comes_back(void **state) {
  (void)state;
  static const char *const columns[][2] = {
      {"b", "boolean"},
      {"i8", "int8"},
      {"i16", "int16"},
      {"i32", "int32"},
      {"i64", "int64"},
      {"f", "float32"},
      {"d", "float64"},
      {"de", "decimal(30,4)"},
      {"s", "string"},
      {"bl", "binary"},
      {"dt", "date"},
      {"ts", "timestamp"},
      {"tz", "timestamptz"},
      {"l", "list<int32>"},
      {"st", "struct<a: int32, b: list<string>>"},
      {"m", "map<string, int64>"},
      {"odd \"name\"", "int32"},
  };
  static const char sql[] =
      "SELECT CASE WHEN i % 7 > 0 THEN i % 2 = 0 END b, CASE WHEN i % 7 > 0 THEN (i % "
      "100)::TINYINT "
      "END i8, (i % 1000)::SMALLINT i16, -i::INTEGER i32, (i * 1000000007)::BIGINT i64, "
      "CASE WHEN i % 5 > 0 THEN (i / 3)::FLOAT ELSE 'NaN'::FLOAT END f, CASE WHEN i % 5 = 0 THEN "
      "'-inf'::DOUBLE ELSE i / 7 END d, (i * 1.2345)::DECIMAL(30,4) de, CASE WHEN i % 3 > 0 THEN "
      "'text \xc3\xa9 ' || i END s, ('x' || i)::BLOB bl, DATE '1582-10-01' + i::INT dt, "
      "TIMESTAMP '2020-01-01 00:00:00.000001' + to_seconds(i) ts, "
      "TIMESTAMPTZ '1969-12-31 00:00:00+00' + to_seconds(i) tz, "
      "CASE WHEN i % 4 > 0 THEN range(i % 5)::INTEGER[] END l, "
      "CASE WHEN i % 4 > 0 THEN {'a': i::INTEGER, 'b': ['x', NULL, 'y' || i]} END st, "
      "MAP {'k' || i: i::BIGINT, 'n': NULL} m, i::INTEGER AS \"odd \"\"name\"\"\" "
      "FROM range(70000) t(i)";
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  bed_append(&bed, &frame, sql);
  assert_int_equal(frame.cell_count, 1);
  check_same(&bed, &frame, sql);
  assert_string_equal(bed_ask(&bed, &frame, "SELECT count(*) FROM w.s.orders WHERE isnan(f)"),
                      "14000\n");
  assert_int_equal(bed_count_files(&bed, bed.staging), 0);
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

/* Types that cells store wider than frames show. */
static void widened_types_come_back(void **state) {
  (void)state;
  static const char *const columns[][2] = {{"u8", "uint8"},
                                           {"u16", "uint16"},
                                           {"u32", "uint32"},
                                           {"u64", "uint64"},
                                           {"t", "time"},
                                           {"st", "struct<u: uint8, t: time, l: list<time>>"},
                                           {"m", "map<string, time>"}};
  static const char *const stored[][2] = {{"u8", "int16"},
                                          {"u16", "int32"},
                                          {"u32", "int64"},
                                          {"u64", "decimal(20,0)"},
                                          {"t", "int64"},
                                          {"st", "struct<u: int16, t: int64, l: list<int64>>"},
                                          {"m", "map<string, int64>"}};
  static const char sql[] =
      "SELECT (255 - i % 3)::UTINYINT u8, 65535::USMALLINT u16, 4294967295::UINTEGER u32, "
      "18446744073709551615::UBIGINT u64, TIME '23:59:59.999999' t, CASE WHEN i % 2 = 0 THEN {'u': "
      "200::UTINYINT, 't': TIME '01:02:03.000004', 'l': [TIME '00:00:01', NULL]} END st, "
      "CASE WHEN i % 3 > 0 THEN MAP {'k': TIME '00:00:01', 'n': NULL} END m FROM range(10) t(i)";
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  frame.physical = bed_schema(&bed, stored, COUNT(stored));
  frame.physical_id = ap_schema_id(&frame.physical);
  bed_append(&bed, &frame, sql);
  check_same(&bed, &frame, sql);
  struct ap_cell_source query = {.query = ap_text_of(sql)};
  struct ap_cell_draft *drafts = NULL;
  uint32_t count = 0;
  check_ok(bed_write(&bed, &frame, &query, &drafts, &count), &bed.err);
  ap_cell_release(frame.cells[--frame.cell_count]);
  bed_add_cell(&bed, &frame, drafts[0].staged_path.data, drafts[0].path, 0, NULL, true);
  check_same(&bed, &frame, sql);
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

/* Column order and case of names do not matter; narrower types are stored as the frame's. */
static void columns_are_matched_by_name(void **state) {
  (void)state;
  static const char *const columns[][2] = {{"id", "int64"},
                                           {"amount", "float64"},
                                           {"st", "struct<a: int64, b: string>"},
                                           {"price", "decimal(12,2)"},
                                           {"n", "string"}};
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  bed_append(&bed, &frame,
             "SELECT 'x' AS n, 1.5::DECIMAL(10,2) AS Price, {'B': 'x', 'A': 1::TINYINT} AS ST, "
             "0.5::FLOAT AS AMOUNT, 7::SMALLINT AS Id");
  assert_string_equal(
      bed_ask(&bed, &frame, "SELECT id, amount, st.a, st.b, price::VARCHAR, n FROM w.s.orders"),
      "7|0.5|1|x|1.50|x\n");
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

struct refusal {
  const char *sql;
  ap_status status;
  const char *says;
};

static void check_refusals(struct bed *bed, const struct bed_frame *frame,
                           const struct refusal *refusals, size_t count) {
  for (size_t i = 0; i < count; i++) {
    for (int as_query = 0; as_query < 2; as_query++) {
      if (as_query && refusals[i].status == AP_INVALID_ARGUMENT) break; /* slow, and no different */
      struct ap_cell_draft *drafts = NULL;
      uint32_t draft_count = 0;
      struct ArrowArrayStream stream = {0};
      struct ap_cell_source source = {.query = ap_text_of(refusals[i].sql)};
      if (!as_query) {
        stream = bed_stream(bed, refusals[i].sql);
        source = (struct ap_cell_source){.stream = &stream};
      }
      check_status(bed_write(bed, frame, &source, &drafts, &draft_count), refusals[i].status,
                   &bed->err);
      check_contains(bed->err.message, refusals[i].says);
      assert_null(stream.release);
      assert_int_equal(bed_count_files(bed, bed->staging), 0);
    }
  }
}

static void what_does_not_fit_is_refused(void **state) {
  (void)state;
  static const char *const columns[][2] = {{"id", "int64 not null"}, {"amount", "float64"}};
  static const struct refusal refusals[] = {
      {"SELECT 1::BIGINT id, 'x' amount", AP_SCHEMA_MISMATCH,
       "frame w.s.orders: column 'amount' expects float64, found string"},
      {"SELECT 1::BIGINT id", AP_SCHEMA_MISMATCH, "column 'amount' is missing"},
      {"SELECT 1::BIGINT id, 1.0::DOUBLE amount, 2 more", AP_SCHEMA_MISMATCH,
       "column 'more' is not in the frame"},
      {"SELECT 1::BIGINT id, 1.0::DOUBLE amount, 2::DOUBLE \"AMOUNT\"", AP_SCHEMA_MISMATCH,
       "is there twice"},
      {"SELECT 'a' ID, 'x' amount, 1 x, 2 y, 3 z", AP_SCHEMA_MISMATCH, "column 'z'"},
      {"SELECT CASE WHEN i % 10 > 0 THEN i END id, 1.0::DOUBLE amount FROM range(100) t(i)",
       AP_NULL_VIOLATION, "column 'id' must not be null, but 10 of 100 rows are"},
      {"SELECT 1::UBIGINT id, 1.0::DOUBLE amount", AP_SCHEMA_MISMATCH, "'id' expects"},
      {"SELECT 1::BIGINT id, 1::BIGINT amount", AP_SCHEMA_MISMATCH, "'amount' expects float64"},
  };
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  check_refusals(&bed, &frame, refusals, COUNT(refusals));
  check_contains(bed.err.hint, "id int64 not null");
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

static void nested_nulls_are_refused(void **state) {
  (void)state;
  static const char *const columns[][2] = {{"st", "struct<a: int32, b: list<int32>> not null"}};
  static const struct refusal refusals[] = {
      {"SELECT CASE WHEN i > 0 THEN {'a': 1, 'b': [1]} END st FROM range(3) t(i)",
       AP_NULL_VIOLATION, "column 'st' must not be null"},
      {"SELECT {'a': CASE WHEN i > 0 THEN 1 END, 'b': [1]} st FROM range(3) t(i)",
       AP_NULL_VIOLATION, "column 'st' has a part that must not be null"},
      {"SELECT {'a': 1, 'b': [1, CASE WHEN i > 0 THEN 1 END]} st FROM range(3) t(i)",
       AP_NULL_VIOLATION, "column 'st' has a part that must not be null"},
  };
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  struct ap_field *parts = AP_ARENA_ARRAY(&bed.arena, struct ap_field, 2);
  memcpy(parts, frame.schema.fields[0].type.fields, 2 * sizeof *parts);
  struct ap_field *element = AP_ARENA_NEW(&bed.arena, struct ap_field);
  *element = parts[1].type.fields[0];
  element->nullable = false;
  parts[0].nullable = false;
  parts[1].type.fields = element;
  struct ap_field *top = AP_ARENA_NEW(&bed.arena, struct ap_field);
  *top = frame.schema.fields[0];
  top->type.fields = parts;
  frame.schema.fields = top;
  check_refusals(&bed, &frame, refusals, COUNT(refusals));
  bed_append(&bed, &frame,
             "SELECT {'a': 1, 'b': CASE WHEN i > 0 THEN [1, 2] END} st FROM range(3) t(i)");
  assert_string_equal(bed_ask(&bed, &frame, "SELECT count(*), count(st.b) FROM w.s.orders"),
                      "3|2\n");
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

static void nanoseconds_must_be_whole_microseconds(void **state) {
  (void)state;
  static const char *const columns[][2] = {{"ts", "timestamp"}, {"l", "list<timestamp>"}};
  static const struct refusal refusals[] = {
      {"SELECT TIMESTAMP_NS '2020-01-01 00:00:00.123456789' ts, NULL::TIMESTAMP[] l",
       AP_SCHEMA_MISMATCH, "column 'ts' keeps microseconds"},
      {"SELECT NULL::TIMESTAMP ts, [TIMESTAMP_NS '2020-01-01 00:00:00.123456789'] l",
       AP_SCHEMA_MISMATCH, "column 'l' keeps microseconds"},
  };
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  check_refusals(&bed, &frame, refusals, COUNT(refusals));
  bed_append(&bed, &frame,
             "SELECT TIMESTAMP_NS '2020-01-01 00:00:00.123456' ts, [TIMESTAMP_NS '1969-01-01 "
             "00:00:00.000001', NULL] l");
  assert_string_equal(bed_ask(&bed, &frame, "SELECT ts::VARCHAR, l::VARCHAR FROM w.s.orders"),
                      "2020-01-01 00:00:00.123456|['1969-01-01 00:00:00.000001', NULL]\n");
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

/* Arrow types that the engine does not make itself: a stream built by hand. */
static struct ArrowArrayStream make_stream(const char *format, const void *values, size_t size,
                                           int64_t rows) {
  struct ArrowSchema schema;
  struct ArrowArray array;
  ArrowSchemaInit(&schema);
  assert_int_equal(ArrowSchemaSetTypeStruct(&schema, 1), NANOARROW_OK);
  assert_int_equal(ArrowSchemaSetFormat(schema.children[0], format), NANOARROW_OK);
  assert_int_equal(ArrowSchemaSetName(schema.children[0], "v"), NANOARROW_OK);
  assert_int_equal(ArrowArrayInitFromSchema(&array, &schema, NULL), NANOARROW_OK);
  assert_int_equal(ArrowBufferAppend(ArrowArrayBuffer(array.children[0], 1), values, (int64_t)size),
                   NANOARROW_OK);
  array.children[0]->length = rows;
  array.length = rows;
  assert_int_equal(ArrowArrayFinishBuilding(&array, NANOARROW_VALIDATION_LEVEL_NONE, NULL),
                   NANOARROW_OK);
  struct ArrowArrayStream stream;
  ap_error err = {0};
  check_ok(ap_stream_of_one(&schema, &array, &stream, &err), &err);
  return stream;
}

/* A column of nothing but nulls fits where nulls may be. */
static void columns_of_nulls(void **state) {
  (void)state;
  static const char *const columns[][2] = {{"v", "struct<a: int32>"}};
  static const char *const strict[][2] = {{"v", "int64 not null"}};
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, 1);
  for (int i = 0; i < 2; i++) {
    struct ArrowSchema schema;
    struct ArrowArray array;
    ArrowSchemaInit(&schema);
    assert_int_equal(ArrowSchemaSetTypeStruct(&schema, 1), NANOARROW_OK);
    assert_int_equal(ArrowSchemaSetType(schema.children[0], NANOARROW_TYPE_NA), NANOARROW_OK);
    assert_int_equal(ArrowSchemaSetName(schema.children[0], "v"), NANOARROW_OK);
    assert_int_equal(ArrowArrayInitFromSchema(&array, &schema, NULL), NANOARROW_OK);
    array.children[0]->length = array.children[0]->null_count = array.length = 3;
    struct ArrowArrayStream stream;
    check_ok(ap_stream_of_one(&schema, &array, &stream, &bed.err), &bed.err);
    struct ap_cell_source source = {.stream = &stream};
    struct ap_cell_draft *drafts = NULL;
    uint32_t count = 0;
    if (i == 1) frame.schema = frame.physical = bed_schema(&bed, strict, 1);
    ap_status status = bed_write(&bed, &frame, &source, &drafts, &count);
    if (i == 1) {
      check_status(status, AP_NULL_VIOLATION, &bed.err);
      check_contains(bed.err.message, "nothing but nulls");
      break;
    }
    check_ok(status, &bed.err);
    bed_add_cell(&bed, &frame, drafts[0].staged_path.data, drafts[0].path, 0, NULL, true);
    assert_string_equal(bed_ask(&bed, &frame, "SELECT count(*), count(v.a) FROM w.s.orders"),
                        "3|0\n");
  }
  assert_int_equal(bed_count_files(&bed, bed.staging), 0);
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

static void check_foreign_type(const char *type, const char *stored, const char *format,
                               const void *values, size_t size, int64_t rows, const char *answer) {
  struct bed bed;
  bed_open(&bed);
  const char *const columns[][2] = {{"v", type}};
  const char *const physical[][2] = {{"v", stored}};
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, 1);
  frame.physical = bed_schema(&bed, physical, 1);
  frame.physical_id = ap_schema_id(&frame.physical);
  struct ArrowArrayStream stream = make_stream(format, values, size, rows);
  struct ap_cell_source source = {.stream = &stream};
  struct ap_cell_draft *drafts = NULL;
  uint32_t count = 0;
  ap_status status = bed_write(&bed, &frame, &source, &drafts, &count);
  if (!answer) {
    check_status(status, AP_SCHEMA_MISMATCH, &bed.err);
    check_contains(bed.err.message, "column 'v'");
    assert_int_equal(bed_count_files(&bed, bed.staging), 0);
  } else {
    check_ok(status, &bed.err);
    bed_add_cell(&bed, &frame, drafts[0].staged_path.data, drafts[0].path, 0, NULL, true);
    assert_string_equal(bed_ask(&bed, &frame, "SELECT v::VARCHAR FROM w.s.orders"), answer);
  }
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

static void types_the_engine_would_misread(void **state) {
  (void)state;
  const int64_t nanos[] = {1577836800123456000, -1000};
  const int64_t lossy[] = {1577836800123456789};
  const int32_t seconds[] = {3723};
  const int32_t millis[] = {3723004};
  const int64_t day_nanos[] = {3723004005000};
  const uint16_t halves[] = {0x3e00, 0xc000};
  check_foreign_type("timestamptz", "timestamptz", "tsn:UTC", nanos, sizeof nanos, 2,
                     "2020-01-01 00:00:00.123456+00\n1969-12-31 23:59:59.999999+00\n");
  check_foreign_type("timestamptz", "timestamptz", "tsn:Europe/Berlin", nanos, sizeof nanos, 2,
                     "2020-01-01 00:00:00.123456+00\n1969-12-31 23:59:59.999999+00\n");
  check_foreign_type("timestamptz", "timestamptz", "tsn:UTC", lossy, sizeof lossy, 1, NULL);
  check_foreign_type("timestamp", "timestamp", "tsn:", lossy, sizeof lossy, 1, NULL);
  check_foreign_type("time", "int64", "tts", seconds, sizeof seconds, 1, "01:02:03\n");
  check_foreign_type("time", "int64", "ttm", millis, sizeof millis, 1, "01:02:03.004\n");
  check_foreign_type("time", "int64", "ttn", day_nanos, sizeof day_nanos, 1, "01:02:03.004005\n");
  check_foreign_type("time", "int64", "ttn", lossy, sizeof lossy, 1, NULL);
  check_foreign_type("float32", "float32", "e", halves, sizeof halves, 2, "1.5\n-2.0\n");
  check_foreign_type("float16", "float32", "e", halves, sizeof halves, 2, "1.5\n-2.0\n");
}

static void statistics_are_true(void **state) {
  (void)state;
  static const char *const columns[][2] = {
      {"i", "int64"},          {"d", "float64"},    {"s", "string"},
      {"dt", "date"},          {"ts", "timestamp"}, {"tz", "timestamptz"},
      {"de", "decimal(10,2)"}, {"b", "boolean"},    {"n", "float64"}};
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  struct ArrowArrayStream stream = bed_stream(
      &bed,
      "SELECT CASE WHEN i > 0 THEN i END i, i / 4 d, 'k' || i s, DATE '2020-01-01' + i::INT dt, "
      "TIMESTAMP '2020-01-01' + to_microseconds(i) ts, TIMESTAMPTZ '2020-01-01 00:00:00+00' + "
      "to_microseconds(i) tz, (i - 1.5)::DECIMAL(10,2) de, i > 1 b, CASE WHEN i = 2 THEN "
      "'NaN'::DOUBLE ELSE i::DOUBLE END n FROM range(4) t(i)");
  struct ap_cell_source source = {.stream = &stream};
  struct ap_cell_draft *drafts = NULL;
  uint32_t count = 0;
  check_ok(bed_write(&bed, &frame, &source, &drafts, &count), &bed.err);
  assert_int_equal(count, 1);
  assert_int_equal(drafts[0].row_count, 4);
  struct ap_file_info info;
  struct ap_files *files = ap_env_system()->files;
  check_ok(files->info(files, drafts[0].staged_path.data, &info, &bed.err), &bed.err);
  assert_int_equal(drafts[0].size_bytes, info.size_bytes);
  struct ap_text statistics = drafts[0].statistics_json;
  const char *json = statistics.data ? statistics.data : "";
  const struct ap_json *tree = NULL;
  check_ok(ap_json_parse(&bed.arena, drafts[0].statistics_json, &tree, &bed.err), &bed.err);
  check_contains(json, "\"numRecords\":4");
  check_contains(json, "\"i\":1");
  check_contains(json, "\"i\":3");
  check_contains(json, "\"s\":\"k0\"");
  check_contains(json, "\"dt\":\"2020-01-04\"");
  check_contains(json, "\"de\":-1.50");
  check_contains(json, "2020-01-01T00:00:00");
  const struct ap_json *maxima = ap_json_find(tree, "maxValues");
  const struct ap_json *minima = ap_json_find(tree, "minValues");
  assert_null(ap_json_find(maxima, "n"));
  assert_non_null(ap_json_find(maxima, "d"));
  assert_non_null(ap_json_find(minima, "tz"));
  int64_t nulls = -1;
  assert_true(ap_json_get_i64(ap_json_find(tree, "nullCount"), "i", -1, &nulls));
  assert_int_equal(nulls, 1);
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

static void partitions_are_cut_and_named(void **state) {
  (void)state;
  static const char *const columns[][2] = {{"region", "string"}, {"v", "int64"}, {"day", "date"}};
  static const char sql[] =
      "SELECT CASE i % 3 WHEN 0 THEN 'a b=c/%' WHEN 1 THEN '\xc3\xa9' ELSE 'NULL' END region, i v, "
      "DATE '2020-01-01' + (i % 2)::INT AS day FROM range(1000) t(i)";
  static const struct refusal refusals[] = {
      {"SELECT CASE WHEN i > 2 THEN 'x' END region, i v, DATE '2020-01-01' AS day "
       "FROM range(9) t(i)",
       AP_NULL_VIOLATION, "partition column 'region' holds nulls"},
      {"SELECT CASE WHEN i > 2 THEN 'x' ELSE '' END region, i v, DATE '2020-01-01' AS day "
       "FROM range(9) t(i)",
       AP_NULL_VIOLATION, "partition column 'region' holds empty texts"},
      {"SELECT i::VARCHAR region, i v, DATE '2020-01-01' AS day FROM range(10001) t(i)",
       AP_INVALID_ARGUMENT, "10001 partitions"},
  };
  struct bed bed;
  bed_open_sized(&bed, 2, 2 * AP_GIB); /* each open partition takes its share */
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  frame.partition_columns[0] = 0;
  frame.partition_columns[1] = 2;
  frame.partition_count = 2;
  bed_append(&bed, &frame, sql);
  assert_int_equal(frame.cell_count, 6);
  check_same(&bed, &frame, sql);
  int found = 0;
  for (uint32_t i = 0; i < frame.cell_count; i++) {
    const struct ap_cell *cell = frame.cells[i];
    assert_int_equal(cell->partition_count, 2);
    if (!ap_text_equal(cell->partition_values[0].text, AP_TEXT("a b=c/%"))) continue;
    found++;
    assert_true(ap_text_starts_with(cell->path, AP_TEXT("region=a%20b%3Dc%2F%25/day=2020-01-0")));
  }
  assert_int_equal(found, 2);
  check_refusals(&bed, &frame, refusals, COUNT(refusals));
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

/* All columns partition columns: the files must still have rows to count. */
static void partitions_of_nothing_else(void **state) {
  (void)state;
  static const char *const columns[][2] = {{"a", "int32"}, {"b", "string"}};
  static const char sql[] = "SELECT (i % 2)::INTEGER a, 'x' b FROM range(10) t(i)";
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  frame.partition_columns[1] = 1;
  frame.partition_count = 2;
  bed_append(&bed, &frame, sql);
  check_same(&bed, &frame, sql);
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

/* No cell is larger than twice the target, whether a stream, a query or a partition was cut. */
static void cells_are_cut_at_the_target(void **state) {
  (void)state;
  static const char *const columns[][2] = {{"p", "int32"}, {"h", "int64"}, {"s", "string"}};
  static const char sql[] =
      "SELECT (i % 2)::INTEGER p, hash(i)::DECIMAL(20,0)::HUGEINT % 1000000000000000000 AS h, "
      "md5(i::VARCHAR) || md5((i + 1)::VARCHAR) s FROM range(100000) t(i)";
  struct bed bed;
  bed_open(&bed);
  char *query = ap_arena_format(&bed.arena, "SELECT p, h::BIGINT h, s FROM (%s)", sql);
  for (int way = 0; way < 3; way++) {
    struct bed_frame frame;
    bed_frame_init(&bed, &frame, columns, COUNT(columns));
    frame.target_bytes = AP_MIB;
    frame.partition_count = way == 2 ? 1 : 0;
    struct ArrowArrayStream stream = {0};
    struct ap_cell_source source = {.query = ap_text_of(query)};
    if (way != 1) {
      stream = bed_stream(&bed, query);
      source = (struct ap_cell_source){.stream = &stream};
    }
    struct ap_cell_draft *drafts = NULL;
    uint32_t count = 0;
    check_ok(bed_write(&bed, &frame, &source, &drafts, &count), &bed.err);
    assert_true(count > 3 && count < 30);
    for (uint32_t i = 0; i < count; i++) {
      assert_true(drafts[i].size_bytes <= 2 * frame.target_bytes);
      bed_add_cell(&bed, &frame, drafts[i].staged_path.data, drafts[i].path,
                   drafts[i].partition_count, drafts[i].partition_values, true);
    }
    assert_int_equal(bed_count_files(&bed, bed.staging), 0);
    check_same(&bed, &frame, query);
    bed_frame_deinit(&frame);
    check_ok(ap_files_remove_tree(ap_env_system()->files, frame.folder, &bed.err), &bed.err);
  }
  bed_close(&bed);
}

static void no_rows_give_no_cells(void **state) {
  (void)state;
  static const char *const columns[][2] = {{"id", "int64 not null"}};
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  static const char sql[] = "SELECT 1::BIGINT id WHERE false";
  struct ArrowArrayStream stream = bed_stream(&bed, sql);
  struct ap_cell_source sources[] = {{.stream = &stream}, {.query = ap_text_of(sql)}};
  for (int i = 0; i < 2; i++) {
    struct ap_cell_draft *drafts = NULL;
    uint32_t count = 7;
    check_ok(bed_write(&bed, &frame, &sources[i], &drafts, &count), &bed.err);
    assert_int_equal(count, 0);
    assert_int_equal(bed_count_files(&bed, bed.staging), 0);
  }
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

/* A producer that fails in the middle: its own words, and no file. */
static void failing_streams_leave_nothing(void **state) {
  (void)state;
  static const char *const columns[][2] = {{"i", "int64"}};
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  for (int64_t target = 1000; target <= 128 * AP_MIB; target *= 131072) {
    frame.target_bytes = target;
    struct ArrowArrayStream stream =
        bed_stream(&bed,
                   "SELECT CASE WHEN i = 400000 THEN error('out of honey') ELSE i END i FROM "
                   "range(500000) t(i)");
    struct ap_cell_source source = {.stream = &stream};
    struct ap_cell_draft *drafts = NULL;
    uint32_t count = 0;
    check_status(bed_write(&bed, &frame, &source, &drafts, &count), AP_QUERY, &bed.err);
    check_contains(bed.err.message, "out of honey");
    assert_int_equal(bed_count_files(&bed, bed.staging), 0);
    assert_string_equal(bed_query(&bed, "SELECT 42"), "42\n");
  }
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

/* Order within a small write is the stream's. */
static void rows_keep_their_order(void **state) {
  (void)state;
  static const char *const columns[][2] = {{"i", "int64"}};
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  bed_append(&bed, &frame, "SELECT i FROM range(100000) t(i)");
  char *sql = ap_arena_format(&bed.arena,
                              "SELECT count(*) FILTER (i = file_row_number), count(*) FROM "
                              "read_parquet('%s/%s')",
                              frame.folder, frame.cells[0]->path.data);
  assert_string_equal(bed_query(&bed, sql), "100000|100000\n");
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_type_comes_back),
      cmocka_unit_test(widened_types_come_back),
      cmocka_unit_test(columns_are_matched_by_name),
      cmocka_unit_test(what_does_not_fit_is_refused),
      cmocka_unit_test(nested_nulls_are_refused),
      cmocka_unit_test(nanoseconds_must_be_whole_microseconds),
      cmocka_unit_test(columns_of_nulls),
      cmocka_unit_test(types_the_engine_would_misread),
      cmocka_unit_test(statistics_are_true),
      cmocka_unit_test(partitions_are_cut_and_named),
      cmocka_unit_test(partitions_of_nothing_else),
      cmocka_unit_test(cells_are_cut_at_the_target),
      cmocka_unit_test(no_rows_give_no_cells),
      cmocka_unit_test(failing_streams_leave_nothing),
      cmocka_unit_test(rows_keep_their_order),
  };
  return AP_RUN_TESTS(tests);
}
