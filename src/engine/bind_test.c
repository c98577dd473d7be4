/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: a frame reads as its schema says, whoever wrote its cells.
 * Method: cells of ours and of others (written by the engine's plain COPY in the shapes that other
 * writers leave), bound in every way the reader knows, compared with values known beforehand.
 */
#include "testing/engine_bed.h"

#include <duckdb.h>

#define COUNT(array) (uint32_t)(sizeof(array) / sizeof((array)[0]))

/* A file as another writer leaves it: the rows of a query, uncompressed Parquet. */
static void add_foreign(struct bed *bed, struct bed_frame *frame, const char *path, const char *sql,
                        uint32_t partition_count, const struct ap_partition_value *values) {
  char *from = ap_arena_format(&bed->arena, "%s/foreign.parquet", bed->staging);
  struct ap_chamber *chamber = bed_chamber(bed);
  int64_t rows = 0;
  check_ok(ap_chamber_export(chamber, ap_text_of(sql), from, "parquet", NULL, &rows, &bed->err),
           &bed->err);
  ap_chamber_release(chamber);
  bed_add_cell(bed, frame, from, ap_text_of(path), partition_count, values, false);
}

/* A file whose columns carry field ids, by the engine's library itself. */
static void copy_with_ids(const char *path, const char *sql, const char *ids) {
  duckdb_database database;
  duckdb_connection connection;
  assert_int_equal(duckdb_open(NULL, &database), DuckDBSuccess);
  assert_int_equal(duckdb_connect(database, &connection), DuckDBSuccess);
  char text[512];
  snprintf(text, sizeof text, "COPY (%s) TO '%s' (FORMAT parquet, FIELD_IDS %s)", sql, path, ids);
  assert_int_equal(duckdb_query(connection, text, NULL), DuckDBSuccess);
  duckdb_disconnect(&connection);
  duckdb_close(&database);
}

static const char *const orders[][2] = {{"id", "int64"}, {"name", "string"}, {"price", "float64"}};

static void own_cells_and_rebinding(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, orders, COUNT(orders));
  static const char ask[] = "SELECT count(*), sum(id)::BIGINT, max(name) FROM w.s.orders";
  assert_string_equal(bed_ask(&bed, &frame, ask), "0|NULL|NULL\n");
  bed_append(&bed, &frame,
             "SELECT i id, 'n' || i AS name, i / 2::DOUBLE price FROM range(10) t(i)");
  assert_string_equal(bed_ask(&bed, &frame, ask), "10|45|n9\n");
  assert_string_equal(bed_ask(&bed, &frame, ask), "10|45|n9\n");
  bed_append(&bed, &frame, "SELECT 100::BIGINT id, 'z' AS name, NULL::DOUBLE price");
  assert_string_equal(bed_ask(&bed, &frame, ask), "11|145|z\n");
  /* fewer cells, as pruning leaves */
  struct ap_cell *first = frame.cells[0];
  frame.cells[0] = frame.cells[1];
  frame.cell_count = 1;
  assert_string_equal(bed_ask(&bed, &frame, ask), "1|100|z\n");
  frame.cell_count = 0;
  assert_string_equal(bed_ask(&bed, &frame, ask), "0|NULL|NULL\n");
  assert_string_equal(bed_ask(&bed, &frame, "DESCRIBE w.s.orders"),
                      "id|BIGINT|YES|NULL|NULL|NULL\nname|VARCHAR|YES|NULL|NULL|NULL\n"
                      "price|DOUBLE|YES|NULL|NULL|NULL\n");
  frame.cells[0] = first;
  frame.cell_count = 2;
  assert_string_equal(bed_ask(&bed, &frame, ask), "11|145|z\n");
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

static void names_are_used_and_forgotten(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, orders, COUNT(orders));
  bed_append(&bed, &frame, "SELECT 1::BIGINT id, 'x' AS name, 2::DOUBLE price");
  struct ap_frame_binding binding = bed_binding(&frame);
  static const char *const names[][3] = {
      {"memory", "main", "t"}, {"we\"ird", "b o x", "f.r@v3"}, {"Hive", "select", "from"}};
  for (size_t i = 0; i < COUNT(names); i++) {
    binding.hive = ap_text_of(names[i][0]);
    binding.box = ap_text_of(names[i][1]);
    binding.name = ap_text_of(names[i][2]);
    struct ap_chamber *chamber = bed_chamber(&bed);
    check_ok(ap_chamber_bind_frame(chamber, &binding, &bed.err), &bed.err);
    check_ok(ap_chamber_use(chamber, binding.hive, binding.box, &bed.err), &bed.err);
    struct ap_buffer sql;
    ap_buffer_init(&sql, ap_allocator_system());
    ap_buffer_append_string(&sql, "SELECT id FROM ");
    ap_buffer_append_identifier(&sql, binding.name);
    assert_string_equal(bed_query_in(&bed, chamber, sql.data), "1\n");
    chamber = bed_chamber(&bed);
    check_ok(ap_chamber_forget_frame(chamber, binding.hive, binding.box, binding.name, &bed.err),
             &bed.err);
    check_status(bed_try(&bed, chamber, sql.data, NULL), AP_QUERY, &bed.err);
    chamber = bed_chamber(&bed);
    check_ok(ap_chamber_use(chamber, (struct ap_text){0}, (struct ap_text){0}, &bed.err), &bed.err);
    ap_chamber_release(chamber);
    ap_buffer_deinit(&sql);
  }
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

static void many_frames_are_evicted(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, orders, COUNT(orders));
  bed_append(&bed, &frame, "SELECT 1::BIGINT id, 'x' AS name, 2::DOUBLE price");
  struct ap_frame_binding binding = bed_binding(&frame);
  for (int i = 0; i < AP_BOUND_FRAMES_MAX + 20; i++) {
    char name[16];
    snprintf(name, sizeof name, "f%d", i);
    binding.name = ap_text_of(name);
    struct ap_chamber *chamber = bed_chamber(&bed);
    check_ok(ap_chamber_bind_frame(chamber, &binding, &bed.err), &bed.err);
    ap_chamber_release(chamber);
  }
  char *count = bed_query(&bed,
                          "SELECT count(*) FROM duckdb_views() WHERE database_name = 'w' "
                          "AND NOT internal");
  char expected[16];
  snprintf(expected, sizeof expected, "%d\n", AP_BOUND_FRAMES_MAX);
  assert_string_equal(count, expected);
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

static void foreign_cells_are_united(void **state) {
  (void)state;
  static const char *const columns[][2] = {{"id", "int64"},
                                           {"name", "string"},
                                           {"price", "float64"},
                                           {"st", "struct<a: int64, b: string>"},
                                           {"tz", "timestamptz"}};
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  add_foreign(&bed, &frame, "part-0.parquet", "SELECT 'a' AS name, 1::TINYINT id", 0, NULL);
  add_foreign(&bed, &frame, "deep/part-1.parquet",
              "SELECT 2.5::FLOAT price, 2::BIGINT id, {'a': 5::INTEGER} st, 1 AS dropped, "
              "TIMESTAMPTZ '2020-01-01 00:00:00+00' tz",
              0, NULL);
  bed_append(&bed, &frame,
             "SELECT 3::BIGINT id, 'own' AS name, 9::DOUBLE price, {'a': 1::BIGINT, 'b': 'x'} st, "
             "NULL::TIMESTAMPTZ tz");
  assert_string_equal(
      bed_ask(&bed, &frame,
              "SELECT id, name, price, st.a, st.b, tz::VARCHAR, typeof(id) FROM w.s.orders "
              "ORDER BY id"),
      "1|a|NULL|NULL|NULL|NULL|BIGINT\n2|NULL|2.5|5|NULL|2020-01-01 00:00:00+00|BIGINT\n"
      "3|own|9|1|x|NULL|BIGINT\n");
  /* own cells of an older schema are no different */
  frame.cells[0]->own = true;
  frame.cells[0]->physical_schema_id = 7;
  assert_string_equal(bed_ask(&bed, &frame, "SELECT sum(id)::BIGINT FROM w.s.orders"), "6\n");
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

static void mapped_names_are_rebuilt(void **state) {
  (void)state;
  static const char *const logical[][2] = {{"id", "int64"},
                                           {"st", "struct<a: int32, l: list<struct<x: int32>>>"},
                                           {"m", "map<string, struct<y: int32>>"}};
  static const char *const physical[][2] = {
      {"col-1", "int64"},
      {"col-2", "struct<c1: int32, c2: list<struct<c3: int32>>>"},
      {"col-3", "map<string, struct<c4: int32>>"}};
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, logical, COUNT(logical));
  frame.physical = bed_schema(&bed, physical, COUNT(physical));
  frame.physical_id = ap_schema_id(&frame.physical);
  static const char sql[] =
      "SELECT i id, CASE WHEN i > 0 THEN {'a': i::INT, 'l': CASE WHEN i > 1 THEN [{'x': 1::INT}, "
      "NULL] END} END st, CASE WHEN i > 0 THEN MAP {'k': {'y': 3::INT}, 'n': NULL} END m "
      "FROM range(3) t(i)";
  bed_append(&bed, &frame, sql);
  char *expected = bed_query(
      &bed, ap_arena_format(&bed.arena, "SELECT id, st::VARCHAR, m::VARCHAR FROM (%s)", sql));
  static const char ask[] = "SELECT id, st::VARCHAR, m::VARCHAR FROM w.s.orders ORDER BY id";
  assert_string_equal(bed_ask(&bed, &frame, ask), expected);
  frame.cells[0]->own = false; /* and by union */
  frame.schema = bed_schema(&bed, logical, COUNT(logical));
  assert_string_equal(bed_ask(&bed, &frame, ask), expected);
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

/* Column mapping of mode "id": names in the files mean nothing. */
static void columns_are_found_by_id(void **state) {
  (void)state;
  static const char *const columns[][2] = {
      {"id", "int64"}, {"tags", "list<int32>"}, {"p", "string"}};
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  struct ap_field *fields = AP_ARENA_ARRAY(&bed.arena, struct ap_field, 3);
  memcpy(fields, frame.schema.fields, 3 * sizeof *fields);
  for (int i = 0; i < 3; i++) {
    char *json = ap_arena_format(&bed.arena, "{\"delta.columnMapping.id\":%d}", 7 + i);
    check_ok(ap_json_parse(&bed.arena, ap_text_of(json), &fields[i].metadata, &bed.err), &bed.err);
  }
  frame.schema.fields = frame.physical.fields = fields;
  frame.partition_columns[0] = 2;
  frame.partition_count = 1;
  struct ap_partition_value value = {.text = AP_TEXT("x")};
  char *from = ap_arena_format(&bed.arena, "%s/ids.parquet", bed.staging);
  copy_with_ids(from, "SELECT [1, 2] AS l, 5::INTEGER AS whatever", "{whatever: 7, l: 8}");
  bed_add_cell(&bed, &frame, from, AP_TEXT("a.parquet"), 1, &value, false);
  copy_with_ids(from, "SELECT 6::BIGINT AS id0", "{id0: 7}");
  value.is_null = true;
  bed_add_cell(&bed, &frame, from, AP_TEXT("b.parquet"), 1, &value, false);
  struct ap_frame_binding binding = bed_binding(&frame);
  binding.map_by_id = true;
  struct ap_chamber *chamber = bed_chamber(&bed);
  check_ok(ap_chamber_bind_frame(chamber, &binding, &bed.err), &bed.err);
  assert_string_equal(
      bed_query_in(&bed, chamber, "SELECT id, tags::VARCHAR, p FROM w.s.orders ORDER BY id"),
      "5|[1, 2]|x\n6|NULL|NULL\n");
  fields[0].metadata = NULL;
  binding.schema_id++;
  chamber = bed_chamber(&bed);
  check_status(ap_chamber_bind_frame(chamber, &binding, &bed.err), AP_UNSUPPORTED, &bed.err);
  check_contains(bed.err.message, "mode 'id'");
  ap_chamber_release(chamber);
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

static void partitions_by_path_and_by_list(void **state) {
  (void)state;
  static const char *const columns[][2] = {{"p", "string"}, {"v", "int64"}, {"q", "int32"}};
  struct bed bed;
  bed_open(&bed);
  static const char ask[] = "SELECT p, q, v FROM w.s.orders ORDER BY v";
  for (int way = 0; way < 2; way++) {
    struct bed_frame frame;
    bed_frame_init(&bed, &frame, columns, COUNT(columns));
    frame.partition_columns[1] = 2;
    frame.partition_count = 2;
    bed_append(&bed, &frame,
               "SELECT CASE i WHEN 0 THEN '\xc3\xa9 =%/' ELSE '2020-01-01' END p, i v, "
               "(i + 7)::INTEGER q FROM range(2) t(i)");
    assert_string_equal(bed_ask(&bed, &frame, ask), "\xc3\xa9 =%/|7|0\n2020-01-01|8|1\n");
    struct ap_partition_value values[2] = {{.text = AP_TEXT("f")}, {.text = AP_TEXT("9")}};
    add_foreign(&bed, &frame, "p=f/q=9/x.parquet", "SELECT 2::INTEGER v", 2, values);
    assert_string_equal(bed_ask(&bed, &frame, ask), "\xc3\xa9 =%/|7|0\n2020-01-01|8|1\nf|9|2\n");
    /* now what paths cannot say */
    values[0].is_null = true;
    add_foreign(&bed, &frame, "p=__HIVE_DEFAULT_PARTITION__/q=9/y.parquet", "SELECT 3 v", 2,
                values);
    values[0] = (struct ap_partition_value){.text = AP_TEXT("NULL")};
    values[1] = (struct ap_partition_value){.is_null = true};
    add_foreign(&bed, &frame, "p=NULL/q=__HIVE_DEFAULT_PARTITION__/z.parquet", "SELECT 4 v", 2,
                values);
    values[0] = (struct ap_partition_value){.text = AP_TEXT("elsewhere")};
    values[1] = (struct ap_partition_value){.text = AP_TEXT("-1")};
    add_foreign(&bed, &frame, way ? "no=sense/w.parquet" : "w.parquet", "SELECT 5 v", 2, values);
    assert_string_equal(bed_ask(&bed, &frame, ask),
                        "\xc3\xa9 =%/|7|0\n2020-01-01|8|1\nf|9|2\nNULL|9|3\nNULL|NULL|4\n"
                        "elsewhere|-1|5\n");
    assert_string_equal(bed_ask(&bed, &frame, "SELECT v FROM w.s.orders WHERE p IS NULL"), "3\n");
    assert_string_equal(bed_ask(&bed, &frame, "SELECT v FROM w.s.orders WHERE q > 7 AND p < 'e'"),
                        "1\n");
    bed_frame_deinit(&frame);
    check_ok(ap_files_remove_tree(ap_env_system()->files, frame.folder, &bed.err), &bed.err);
  }
  bed_close(&bed);
}

/* The engine takes these from one file's statistics, which do not know what its path says. */
static void aggregates_of_one_partitioned_cell(void **state) {
  (void)state;
  static const char *const columns[][2] = {{"p", "int32"}, {"v", "int64"}, {"file_index", "date"}};
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  frame.partition_columns[1] = 2;
  frame.partition_count = 2;
  bed_append(&bed, &frame,
             "SELECT 7::INTEGER p, i v, DATE '2020-01-01' AS file_index FROM range(9) t(i)");
  static const char ask[] =
      "SELECT count(*), max(v), min(p), max(p), min(file_index)::VARCHAR FROM w.s.orders";
  assert_string_equal(bed_ask(&bed, &frame, ask), "9|8|7|7|2020-01-01\n");
  assert_string_equal(bed_ask(&bed, &frame, "SELECT max(p) FROM w.s.orders WHERE p > 6 AND v > 1"),
                      "7\n");
  bed_append(&bed, &frame,
             "SELECT 8::INTEGER p, i v, DATE '2020-01-02' AS file_index FROM range(9) t(i)");
  assert_string_equal(bed_ask(&bed, &frame, ask), "18|8|7|8|2020-01-01\n");
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

static void partition_values_of_every_type(void **state) {
  (void)state;
  static const char *const columns[][2] = {
      {"v", "int64"}, {"b", "boolean"},    {"d", "float64"},      {"de", "decimal(10,2)"},
      {"dt", "date"}, {"ts", "timestamp"}, {"tz", "timestamptz"}, {"i", "int8"}};
  static const char sql[] =
      "SELECT 1::BIGINT v, true b, -0.5::DOUBLE d, 1.50::DECIMAL(10,2) de, DATE '2020-02-29' dt, "
      "TIMESTAMP '2020-01-01 01:02:03.000004' ts, TIMESTAMPTZ '2020-01-01 01:02:03+00' tz, "
      "-7::TINYINT i";
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  for (uint32_t i = 0; i < 7; i++) frame.partition_columns[i] = i + 1;
  frame.partition_count = 7;
  bed_append(&bed, &frame, sql);
  char *expected =
      bed_query(&bed, ap_arena_format(&bed.arena, "SELECT x::VARCHAR FROM (%s) AS x", sql));
  static const char ask[] = "SELECT x::VARCHAR FROM w.s.orders AS x";
  assert_string_equal(bed_ask(&bed, &frame, ask), expected);
  frame.cells[0]->own = false;
  frame.physical_id++;
  assert_string_equal(bed_ask(&bed, &frame, ask), expected);
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

static void deleted_rows_are_gone(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  for (int foreign = 0; foreign < 2; foreign++) {
    struct bed_frame frame;
    bed_frame_init(&bed, &frame, orders, COUNT(orders));
    bed_append(&bed, &frame, "SELECT i id, 'a' AS name, 0.5::DOUBLE price FROM range(200000) t(i)");
    bed_append(&bed, &frame,
               "SELECT i + 200000 id, 'b' AS name, 0.5::DOUBLE price FROM range(10) t(i)");
    if (foreign) frame.cells[0]->own = false;
    struct ap_frame_binding binding = bed_binding(&frame);
    const uint64_t first[] = {0, 1, 150000, 199999};
    const uint64_t second[] = {3};
    const uint64_t *rows[] = {first, second};
    const uint64_t counts[] = {4, 1};
    binding.deleted_rows = rows;
    binding.deleted_row_counts = counts;
    struct ap_chamber *chamber = bed_chamber(&bed);
    check_ok(ap_chamber_bind_frame(chamber, &binding, &bed.err), &bed.err);
    assert_string_equal(
        bed_query_in(&bed, chamber,
                     "SELECT count(*), count(*) FILTER (id IN (0, 1, 150000, 199999, 200003)), "
                     "count(*) FILTER (id IN (2, 3, 200000, 200001)) FROM w.s.orders"),
        "200005|0|4\n");
    assert_string_equal(
        bed_query_in(&bed, bed_chamber(&bed),
                     "SELECT id FROM w.s.orders WHERE id BETWEEN 199998 AND 200004 ORDER BY id"),
        "199998\n200000\n200001\n200002\n200004\n");
    bed_frame_deinit(&frame);
    check_ok(ap_files_remove_tree(ap_env_system()->files, frame.folder, &bed.err), &bed.err);
  }
  bed_close(&bed);
}

/* The engine takes partitions that it rules out off its list of files; their rows keep their
 * places. */
static void places_of_partitions_that_the_engine_leaves_out(void **state) {
  (void)state;
  static const char *const columns[][2] = {{"p", "int32"}, {"v", "int64"}};
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  frame.partition_columns[0] = 0;
  frame.partition_count = 1;
  bed_append(&bed, &frame, "SELECT 1::INTEGER p, i v FROM range(3) t(i)");
  bed_append(&bed, &frame, "SELECT 2::INTEGER p, 10 + i v FROM range(3) t(i)");
  bed_append(&bed, &frame, "SELECT 3::INTEGER p, 20 + i v FROM range(3) t(i)");
  static const char where[] = "FROM w.s.orders WHERE p + 0 > 2 ORDER BY 1";
  struct ap_frame_binding binding = bed_binding(&frame);
  const uint64_t first[] = {0};
  const uint64_t third[] = {1, 2};
  const uint64_t *rows[] = {first, NULL, third};
  const uint64_t counts[] = {1, 0, 2};
  binding.deleted_rows = rows;
  binding.deleted_row_counts = counts;
  struct ap_chamber *chamber = bed_chamber(&bed);
  check_ok(ap_chamber_bind_frame(chamber, &binding, &bed.err), &bed.err);
  char *ask = ap_arena_format(&bed.arena, "SELECT v %s", where);
  assert_string_equal(bed_query_in(&bed, chamber, ask), "20\n");
  binding.shows_places = true;
  chamber = bed_chamber(&bed);
  check_ok(ap_chamber_bind_frame(chamber, &binding, &bed.err), &bed.err);
  ask = ap_arena_format(&bed.arena, "SELECT v, \"" AP_PLACE_FILE "\", \"" AP_PLACE_ROW "\" %s",
                        where);
  assert_string_equal(bed_query_in(&bed, chamber, ask), "20|2|0\n");
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

/* Columns with the names of the engine's own. */
static void columns_called_like_the_engines_own(void **state) {
  (void)state;
  static const char *const columns[][2] = {{"file_index", "int64"}, {"p", "string"}};
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  frame.partition_columns[0] = 1;
  frame.partition_count = 1;
  struct ap_partition_value value = {.text = AP_TEXT("x")};
  add_foreign(&bed, &frame, "a.parquet", "SELECT 5::BIGINT file_index", 1, &value);
  value.text = AP_TEXT("y");
  add_foreign(&bed, &frame, "b.parquet", "SELECT 6::BIGINT file_index", 1, &value);
  assert_string_equal(bed_ask(&bed, &frame, "SELECT file_index, p FROM w.s.orders ORDER BY 1"),
                      "5|x\n6|y\n");
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

static void wildcards_in_paths_are_letters(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, orders, COUNT(orders));
  add_foreign(&bed, &frame, "x*y[1]?.parquet", "SELECT 1::BIGINT id", 0, NULL);
  add_foreign(&bed, &frame, "xzy1a.parquet", "SELECT 2::BIGINT id", 0, NULL);
  assert_string_equal(bed_ask(&bed, &frame, "SELECT id FROM w.s.orders ORDER BY id"), "1\n2\n");
  frame.cell_count = 1;
  assert_string_equal(bed_ask(&bed, &frame, "SELECT id FROM w.s.orders ORDER BY id"), "1\n");
  frame.cell_count = 2;
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

static void broken_files_are_named(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  struct ap_files *files = ap_env_system()->files;
  for (int i = 0; i < 4; i++) {
    struct bed_frame frame;
    bed_frame_init(&bed, &frame, orders, COUNT(orders));
    bed_append(&bed, &frame, "SELECT i id, 'a' AS name, 0.5::DOUBLE price FROM range(1000) t(i)");
    char *path = ap_arena_format(&bed.arena, "%s/%s", frame.folder, frame.cells[0]->path.data);
    struct ap_buffer bytes;
    ap_buffer_init(&bytes, ap_allocator_system());
    check_ok(files->read(files, path, 0, -1, &bytes, &bed.err), &bed.err);
    check_ok(files->remove_file(files, path, &bed.err), &bed.err);
    struct ap_text text = ap_buffer_text(&bytes);
    if (i == 0) text = AP_TEXT("no parquet at all, but long enough to be looked at");
    if (i == 1) text.size /= 2;
    if (i == 2) text.size = 0;
    if (i < 3) check_ok(files->create(files, path, text, false, &bed.err), &bed.err);
    struct ap_frame_binding binding = bed_binding(&frame);
    struct ap_chamber *chamber = bed_chamber(&bed);
    ap_status status = ap_chamber_bind_frame(chamber, &binding, &bed.err);
    if (status == AP_OK) {
      status = bed_try(&bed, chamber, "SELECT sum(id), max(name) FROM w.s.orders", NULL);
    } else {
      ap_chamber_release(chamber);
    }
    check_status(status, i < 3 ? AP_CORRUPT : AP_IO, &bed.err);
    check_contains(bed.err.message, frame.cells[0]->path.data);
    assert_string_equal(bed_query(&bed, "SELECT 42"), "42\n");
    ap_buffer_deinit(&bytes);
    bed_frame_deinit(&frame);
    check_ok(ap_files_remove_tree(files, frame.folder, &bed.err), &bed.err);
  }
  bed_close(&bed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(own_cells_and_rebinding),
      cmocka_unit_test(names_are_used_and_forgotten),
      cmocka_unit_test(many_frames_are_evicted),
      cmocka_unit_test(foreign_cells_are_united),
      cmocka_unit_test(mapped_names_are_rebuilt),
      cmocka_unit_test(columns_are_found_by_id),
      cmocka_unit_test(partitions_by_path_and_by_list),
      cmocka_unit_test(aggregates_of_one_partitioned_cell),
      cmocka_unit_test(partition_values_of_every_type),
      cmocka_unit_test(deleted_rows_are_gone),
      cmocka_unit_test(places_of_partitions_that_the_engine_leaves_out),
      cmocka_unit_test(columns_called_like_the_engines_own),
      cmocka_unit_test(wildcards_in_paths_are_letters),
      cmocka_unit_test(broken_files_are_named),
  };
  return AP_RUN_TESTS(tests);
}
