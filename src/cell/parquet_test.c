/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: the engine reads from a file just the rows that went in, however they were cut into
 * batches, on however many threads they were written, beyond one row group and at the edges of
 * pages; lack of memory is told and leaves nothing. Method: the rows as text before and after. The
 * bytes themselves are read by other programs in tests/python/test_cells.py.
 */
#include "cell/parquet.h"

#include "arrow/rows.h"
#include "testing/alloc.h"
#include "testing/arrow_text.h"
#include "testing/engine_bed.h"

enum { BATCHES_MAX = 4000, COLUMNS = 4 };

static const struct ap_field fields[COLUMNS] = {
    {.name = {"number", 6}, .type = {.kind = AP_TYPE_INT64}, .nullable = true},
    {.name = {"text", 4}, .type = {.kind = AP_TYPE_STRING}, .nullable = true},
    {.name = {"float", 5}, .type = {.kind = AP_TYPE_FLOAT64}, .nullable = true},
    {.name = {"flag", 4}, .type = {.kind = AP_TYPE_BOOLEAN}, .nullable = true},
};
static const struct ap_schema schema = {COLUMNS, fields};
static const uint32_t order[COLUMNS] = {0, 1, 2, 3};

/* Values that repeat and values that do not, with runs of nulls as long as a page and more. */
static void add_row(struct ap_rows *rows, int64_t i) {
  char text[32];
  int length = snprintf(text, sizeof text, "%s %lld", "name", (long long)(i % 97));
  bool null_run = i >= 20000 && i < 45000;
  if (null_run || i % 11 == 0) {
    ap_rows_null(rows);
  } else {
    ap_rows_i64(rows, i * 7919 - 5);
  }
  if (null_run) {
    ap_rows_null(rows);
  } else {
    ap_rows_text(rows, (struct ap_text){text, i % 13 == 0 ? 0 : (size_t)length});
  }
  ap_rows_f64(rows, (double)i / 8);
  if (i % 5 == 0) {
    ap_rows_null(rows);
  } else {
    ap_rows_bool(rows, i % 3 == 0);
  }
}

static void make_rows(struct ap_rows *rows, int64_t count) {
  static const struct ap_rows_column columns[COLUMNS] = {{"number", AP_ROWS_I64},
                                                         {"text", AP_ROWS_TEXT},
                                                         {"float", AP_ROWS_F64},
                                                         {"flag", AP_ROWS_BOOL}};
  ap_error err = {0};
  check_ok(ap_rows_init(rows, columns, COLUMNS, &err), &err);
  for (int64_t i = 0; i < count; ++i) add_row(rows, i);
  assert_false(rows->failed);
  assert_int_equal(ArrowArrayFinishBuildingDefault(&rows->array, NULL), NANOARROW_OK);
}

/* Slices of the rows, `size` each. */
static uint32_t cut(const struct ap_rows *rows, int64_t size, struct ArrowArray *batches) {
  uint32_t count = 0;
  for (int64_t at = 0; at < rows->array.length; at += size) {
    assert_true(count < BATCHES_MAX);
    int64_t left = rows->array.length - at;
    batches[count] = rows->array;
    batches[count].offset = at;
    batches[count++].length = left < size ? left : size;
  }
  return count;
}

static ap_status write_rows(const struct ap_rows *rows, int64_t batch_size, uint32_t thread_count,
                            struct ap_arena *arena, struct ap_buffer *out,
                            struct ap_statistics_text *statistics, ap_error *err) {
  static struct ArrowArray batches[BATCHES_MAX];
  assert_true(ap_parquet_takes(&schema, &rows->schema, order));
  const struct ap_parquet_rows input = {.physical = &schema,
                                        .arrow_schema = &rows->schema,
                                        .order = order,
                                        .batches = batches,
                                        .batch_count = cut(rows, batch_size, batches),
                                        .threads = ap_env_system()->threads,
                                        .thread_count = thread_count};
  return ap_parquet_write(&input, arena, out, statistics, err);
}

static void read_back(struct bed *bed, struct ap_text file, struct ap_buffer *out_text) {
  const struct ap_env *env = ap_env_system();
  struct ArrowArrayStream stream = {0};
  char path[128];
  char sql[192];
  snprintf(path, sizeof path, "%s/file.parquet", bed->folder);
  snprintf(sql, sizeof sql, "SELECT * FROM read_parquet('%s')", path);
  (void)unlink(path);
  check_ok(env->files->create(env->files, path, file, false, &bed->err), &bed->err);
  check_ok(ap_chamber_query(bed_chamber(bed), ap_text_of(sql), NULL, 0, NULL, &stream, &bed->err),
           &bed->err);
  check_ok(ap_arrow_append_stream(out_text, &stream, &bed->err), &bed->err);
}

static void check_count(struct bed *bed, int64_t count, int64_t batch_size) {
  static const uint32_t threads[] = {1, 2, 4};
  struct ap_rows rows = {0};
  struct ap_buffer expected;
  struct ap_buffer actual;
  struct ap_buffer file;
  ap_buffer_init(&expected, ap_allocator_system());
  ap_buffer_init(&actual, ap_allocator_system());
  ap_buffer_init(&file, ap_allocator_system());
  make_rows(&rows, count);
  assert_true(ap_arrow_append_rows(&expected, &rows.schema, &rows.array));
  for (size_t i = 0; i < sizeof threads / sizeof threads[0]; ++i) {
    struct ap_statistics_text statistics[COLUMNS];
    ap_buffer_clear(&file);
    ap_buffer_clear(&actual);
    check_ok(write_rows(&rows, batch_size, threads[i], &bed->arena, &file, statistics, &bed->err),
             &bed->err);
    read_back(bed, ap_buffer_text(&file), &actual);
    assert_true(ap_text_equal(ap_buffer_text(&actual), ap_buffer_text(&expected)));
    assert_int_equal(statistics[3].null_count, (count + 4) / 5);
    check_text(statistics[2].min, "0.0");
  }
  ap_rows_deinit(&rows);
  ap_buffer_deinit(&expected);
  ap_buffer_deinit(&actual);
  ap_buffer_deinit(&file);
}

static void test_rows_come_back(void **state) {
  struct bed bed;
  (void)state;
  bed_open(&bed);
  check_count(&bed, 1, 1);
  check_count(&bed, 9, 2);
  check_count(&bed, 3001, 1);
  check_count(&bed, 20480, 7000);
  check_count(&bed, 20481, 20480);
  check_count(&bed, AP_PARQUET_GROUP_ROWS, AP_PARQUET_GROUP_ROWS);
  check_count(&bed, AP_PARQUET_GROUP_ROWS + 1, 1000);
  check_count(&bed, 2 * AP_PARQUET_GROUP_ROWS + 4321, 100001);
  bed_close(&bed);
}

static ap_status write_under(void *context, struct ap_allocator *allocator, ap_error *err) {
  struct ap_statistics_text statistics[COLUMNS];
  struct ap_arena arena;
  struct ap_buffer file;
  ap_arena_init(&arena, allocator);
  ap_buffer_init(&file, allocator);
  ap_status status = write_rows(context, 700, 1, &arena, &file, statistics, err);
  ap_buffer_deinit(&file);
  ap_arena_deinit(&arena);
  return status;
}

static void test_lack_of_memory(void **state) {
  struct ap_rows rows = {0};
  (void)state;
  make_rows(&rows, 3000);
  assert_true(ap_sweep_memory(write_under, &rows) > 10);
  ap_rows_deinit(&rows);
}

/* Rows that are null as a whole are not taken, wherever they stand. */
static void test_null_rows_are_refused(void **state) {
  struct ap_rows rows = {0};
  struct ap_arena arena;
  struct ap_buffer file;
  struct ap_statistics_text statistics[COLUMNS];
  ap_error err = {0};
  uint8_t bits = 0xfd;
  (void)state;
  make_rows(&rows, 8);
  ap_arena_init(&arena, ap_allocator_system());
  ap_buffer_init(&file, ap_allocator_system());
  const void *buffers[] = {&bits};
  struct ArrowArray null_row = rows.array;
  null_row.buffers = buffers;
  null_row.null_count = 1;
  struct ap_rows changed = rows;
  changed.array = null_row;
  check_status(write_rows(&changed, 8, 1, &arena, &file, statistics, &err), AP_UNSUPPORTED, &err);
  ap_buffer_deinit(&file);
  ap_arena_deinit(&arena);
  ap_rows_deinit(&rows);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows_come_back),
      cmocka_unit_test(test_lack_of_memory),
      cmocka_unit_test(test_null_rows_are_refused),
  };
  return AP_RUN_TESTS(tests);
}
