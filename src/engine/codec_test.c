/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: checkpoint rows survive the way through Parquet, whoever wrote it.
 * Method: lines in the shape of Delta's actions, encoded and decoded; checkpoints in the shapes of
 * other writers; broken and missing files; every chamber of the pool held meanwhile.
 */
#include "testing/engine_bed.h"

static const struct ap_codec_column columns[] = {
    {"txn", "STRUCT(appId VARCHAR, version BIGINT, lastUpdated BIGINT)"},
    {"add",
     "STRUCT(path VARCHAR, partitionValues MAP(VARCHAR, VARCHAR), size BIGINT, modificationTime "
     "BIGINT, dataChange BOOLEAN, stats VARCHAR, tags MAP(VARCHAR, VARCHAR), deletionVector "
     "STRUCT(storageType VARCHAR, \"offset\" INTEGER, cardinality BIGINT))"},
    {"metaData",
     "STRUCT(id VARCHAR, format STRUCT(provider VARCHAR, options MAP(VARCHAR, "
     "VARCHAR)), schemaString VARCHAR, partitionColumns VARCHAR[], configuration "
     "MAP(VARCHAR, VARCHAR), createdTime BIGINT)"},
    {"protocol",
     "STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER, readerFeatures "
     "VARCHAR[])"},
};
static const char *const names[] = {"txn", "add", "metaData", "protocol", "sidecar"};

static const char lines[] =
    "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2,\"readerFeatures\":null}}\n"
    "{\"metaData\":{\"id\":\"x\",\"format\":{\"provider\":\"parquet\",\"options\":{}},"
    "\"schemaString\":\"{\\\"type\\\":\\\"struct\\\"}\",\"partitionColumns\":[\"p\"],"
    "\"configuration\":{\"delta.appendOnly\":\"true\"},\"createdTime\":1700000000000}}\n"
    "{\"txn\":{\"appId\":\"app \xc3\xa9\",\"version\":9007199254740993,\"lastUpdated\":null}}\n"
    "{\"add\":{\"path\":\"p=a%20b/x.parquet\",\"partitionValues\":{\"p\":null,\"q\":\"a\\\"b\"},"
    "\"size\":123,\"modificationTime\":-1,\"dataChange\":false,\"stats\":"
    "\"{\\\"numRecords\\\":1}\",\"tags\":null,\"deletionVector\":{\"storageType\":\"u\","
    "\"offset\":1,\"cardinality\":2}}}\n"
    "{\"add\":{\"path\":\"y\",\"partitionValues\":{},\"size\":0,\"modificationTime\":0,"
    "\"dataChange\":true,\"stats\":null,\"tags\":{\"k\":\"v\"},\"deletionVector\":null}}\n";

static void lines_come_back(void **state) {
  (void)state;
  struct bed bed;
  bed_open_sized(&bed, 1, 256 * AP_MIB);
  struct ap_codec *codec = ap_engine_codec(bed.engine);
  /* With the only chamber busy, too: the ledger asks while a query holds it. */
  struct ap_chamber *held = NULL;
  for (int i = 0; i < 2; i++) {
    char *path = ap_arena_format(&bed.arena, "%s/[%d]*.parquet", bed.staging, i);
    check_ok(codec->encode(codec, AP_TEXT(lines), columns, 4, path, &bed.err), &bed.err);
    struct ap_buffer out;
    ap_buffer_init(&out, ap_allocator_system());
    check_ok(codec->decode(codec, path, names, 5, &out, &bed.err), &bed.err);
    assert_string_equal(out.data, lines);
    ap_buffer_clear(&out);
    check_ok(codec->decode(codec, path, names, 1, &out, &bed.err), &bed.err);
    check_contains(out.data, "\"appId\":\"app \xc3\xa9\",\"version\":9007199254740993");
    ap_buffer_deinit(&out);
    if (!held) held = bed_chamber(&bed);
  }
  ap_chamber_release(held);
  bed_close(&bed);
}

static void many_lines_come_back(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  struct ap_codec *codec = ap_engine_codec(bed.engine);
  struct ap_buffer in;
  struct ap_buffer out;
  ap_buffer_init(&in, ap_allocator_system());
  ap_buffer_init(&out, ap_allocator_system());
  for (int i = 0; i < 20000; i++) {
    ap_buffer_append_format(
        &in, "{\"txn\":{\"appId\":\"app %d\",\"version\":%d,\"lastUpdated\":1}}\n", i, i);
  }
  char *path = ap_arena_format(&bed.arena, "%s/many.parquet", bed.staging);
  check_ok(codec->encode(codec, ap_buffer_text(&in), columns, 4, path, &bed.err), &bed.err);
  check_ok(codec->decode(codec, path, names, 5, &out, &bed.err), &bed.err);
  assert_true(ap_text_equal(ap_buffer_text(&in), ap_buffer_text(&out)));
  ap_buffer_deinit(&in);
  ap_buffer_deinit(&out);
  bed_close(&bed);
}

/* Spark writes parsed statistics beside the texts; they may hold what JSON cannot. */
static void parsed_statistics_are_left_out(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  char *path = ap_arena_format(&bed.arena, "%s/spark.parquet", bed.staging);
  struct ap_chamber *chamber = bed_chamber(&bed);
  int64_t rows = 0;
  check_ok(ap_chamber_export(chamber,
                             AP_TEXT("SELECT {'path': 'x', 'stats': '{}', 'stats_parsed': "
                                     "{'numRecords': 1, 'maxValues': {'d': 'NaN'::DOUBLE}}} AS "
                                     "\"add\", 1 AS other"),
                             path, "parquet", NULL, &rows, &bed.err),
           &bed.err);
  ap_chamber_release(chamber);
  struct ap_codec *codec = ap_engine_codec(bed.engine);
  struct ap_buffer out;
  ap_buffer_init(&out, ap_allocator_system());
  check_ok(codec->decode(codec, path, names, 5, &out, &bed.err), &bed.err);
  assert_string_equal(out.data, "{\"add\":{\"path\":\"x\",\"stats\":\"{}\"}}\n");
  ap_buffer_deinit(&out);
  bed_close(&bed);
}

static void broken_files_are_corrupt(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  struct ap_codec *codec = ap_engine_codec(bed.engine);
  struct ap_files *files = ap_env_system()->files;
  char *path = ap_arena_format(&bed.arena, "%s/a.parquet", bed.staging);
  struct ap_buffer out;
  ap_buffer_init(&out, ap_allocator_system());
  check_status(codec->decode(codec, path, names, 5, &out, &bed.err), AP_NOT_FOUND, &bed.err);
  check_ok(codec->encode(codec, AP_TEXT(lines), columns, 4, path, &bed.err), &bed.err);
  struct ap_buffer bytes;
  ap_buffer_init(&bytes, ap_allocator_system());
  check_ok(files->read(files, path, 0, -1, &bytes, &bed.err), &bed.err);
  int broken = 0;
  for (size_t i = 0; i < bytes.size; i += 37) {
    char *other = ap_arena_format(&bed.arena, "%s/%zu.parquet", bed.staging, i);
    struct ap_text torn = {bytes.data, i};
    struct ap_buffer flipped;
    ap_buffer_init(&flipped, ap_allocator_system());
    ap_buffer_append(&flipped, bytes.data, bytes.size);
    flipped.data[i] = (char)~flipped.data[i];
    bool tear = (i / 37) % 2 == 0;
    check_ok(files->create(files, other, tear ? torn : ap_buffer_text(&flipped), false, &bed.err),
             &bed.err);
    ap_buffer_clear(&out);
    ap_status status = codec->decode(codec, other, names, 5, &out, &bed.err);
    if (tear) check_status(status, AP_CORRUPT, &bed.err);
    if (status != AP_OK) {
      broken++;
      check_contains(bed.err.message, other);
    }
    ap_buffer_deinit(&flipped);
  }
  assert_true(broken > 0);
  ap_buffer_deinit(&bytes);
  ap_buffer_deinit(&out);
  assert_string_equal(bed_query(&bed, "SELECT 42"), "42\n");
  bed_close(&bed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lines_come_back),
      cmocka_unit_test(many_lines_come_back),
      cmocka_unit_test(parsed_statistics_are_left_out),
      cmocka_unit_test(broken_files_are_corrupt),
  };
  return AP_RUN_TESTS(tests);
}
