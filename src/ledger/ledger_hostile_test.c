/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: logs written by others are read in every form the protocol allows, and logs that are
 * broken, cut, contradictory or hostile give an error that says what and where, and no crash.
 * Method: logs put down by hand beside some written here; checkpoints of all forms with the fake
 * codec; random damage to every kind of file.
 */
#include "ledger/ledger.h"

#include "testing/check.h"
#include "testing/ledger_world.h"
#include "testing/random.h"

#include <inttypes.h>
#include <stdio.h>

#define PROTOCOL "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
#define FIELD(name, type)                                 \
  "{\\\"name\\\":\\\"" name "\\\",\\\"type\\\":\\\"" type \
  "\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}}"
#define SCHEMA                                                              \
  "\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[" FIELD( \
      "id", "long") "," FIELD("p", "string") "]}\""
#define METADATA(partition)                                                                  \
  "{\"metaData\":{\"id\":\"t\",\"format\":{\"provider\":\"parquet\",\"options\":{}}," SCHEMA \
  ",\"partitionColumns\":[" partition "],\"configuration\":{}}}\n"
#define ADD(path, value)                                              \
  "{\"add\":{\"path\":\"" path "\",\"partitionValues\":{\"p\":" value \
  "},\"size\":9,"                                                     \
  "\"modificationTime\":1,\"dataChange\":true}}\n"

struct fixture {
  struct ap_ledger_world *world;
  struct ap_ledger *ledger;
};

static int set_up(void **state) {
  static struct fixture fixture;
  fixture.world = ap_ledger_world_create(11);
  fixture.ledger = ap_ledger_world_open(fixture.world);
  *state = &fixture;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *fixture = *state;
  ap_ledger_close(fixture->ledger);
  ap_ledger_world_destroy(fixture->world);
  return 0;
}

static void put_commit(struct fixture *fixture, int64_t version, const char *lines) {
  char name[64];
  (void)snprintf(name, sizeof(name), "_delta_log/%020" PRId64 ".json", version);
  ap_ledger_world_put(fixture->world, name, ap_text_of(lines));
}

static void remove_commit(struct fixture *fixture, int64_t version) {
  char name[64];
  (void)snprintf(name, sizeof(name), "_delta_log/%020" PRId64 ".json", version);
  ap_ledger_world_remove(fixture->world, name);
}

/* A file of the log, in the fake codec's form when it is Parquet. */
static void put_rows(struct fixture *fixture, const char *name, const char *lines) {
  char path[128];
  struct ap_buffer file;
  ap_buffer_init(&file, ap_allocator_system());
  if (ap_text_ends_with(ap_text_of(name), AP_TEXT(".parquet"))) {
    ap_fake_codec_append_file(&file, ap_text_of(lines));
  } else {
    ap_buffer_append_string(&file, lines);
  }
  (void)snprintf(path, sizeof(path), "_delta_log/%s", name);
  ap_ledger_world_put(fixture->world, path, ap_buffer_text(&file));
  ap_buffer_deinit(&file);
}

/* What a new process sees. */
static ap_status look(struct fixture *fixture, int64_t *out_version, uint32_t *out_cells) {
  struct ap_ledger *ledger = ap_ledger_world_open(fixture->world);
  struct ap_snapshot *snapshot = NULL;
  ap_error_clear(&fixture->world->err);
  ap_status status = ap_ledger_snapshot(ledger, AP_AT_LATEST, 0, &snapshot, &fixture->world->err);
  if (status == AP_OK) {
    *out_version = snapshot->version;
    *out_cells = snapshot->cell_count;
  } else {
    assert_int_equal(fixture->world->err.code, status);
  }
  ap_snapshot_release(snapshot);
  ap_ledger_close(ledger);
  return status;
}

static void check_look(struct fixture *fixture, int64_t version, uint32_t cells) {
  int64_t actual_version = -1;
  uint32_t actual_cells = 0;
  check_ok(look(fixture, &actual_version, &actual_cells), &fixture->world->err);
  assert_int_equal(actual_version, version);
  assert_int_equal(actual_cells, cells);
}

static void check_refused(struct fixture *fixture, ap_status expected, const char *part,
                          const char *another) {
  int64_t version = -1;
  uint32_t cells = 0;
  check_status(look(fixture, &version, &cells), expected, &fixture->world->err);
  check_contains(fixture->world->err.message, part);
  check_contains(fixture->world->err.message, another);
}

static void bad_lines_are_named(void **state) {
  struct fixture *fixture = *state;
  static const struct {
    const char *line;
    ap_status status;
    const char *part;
  } cases[] = {
      {"{\"add\":", AP_CORRUPT, "not JSON"},
      {"[]", AP_CORRUPT, "no JSON object"},
      {"{\"add\":7}", AP_CORRUPT, "'add'"},
      {"{\"add\":{}}", AP_CORRUPT, "add.path is missing"},
      {"{\"add\":{\"path\":7}}", AP_CORRUPT, "add.path"},
      {"{\"add\":{\"path\":\"\",\"size\":1}}", AP_CORRUPT, "empty"},
      {"{\"add\":{\"path\":\"x\"}}", AP_CORRUPT, "add.size"},
      {"{\"add\":{\"path\":\"x\",\"size\":-1}}", AP_CORRUPT, "add.size"},
      {"{\"add\":{\"path\":\"x\",\"size\":99999999999999999999}}", AP_CORRUPT, "add.size"},
      {"{\"add\":{\"path\":\"x\",\"size\":\"1\"}}", AP_CORRUPT, "add.size"},
      {"{\"add\":{\"path\":\"../x\",\"size\":1}}", AP_CORRUPT, "'..'"},
      {"{\"add\":{\"path\":\"a/%2e%2e/x\",\"size\":1}}", AP_CORRUPT, "'..'"},
      {"{\"add\":{\"path\":\"a//x\",\"size\":1}}", AP_CORRUPT, "segment"},
      {"{\"add\":{\"path\":\"a%00x\",\"size\":1}}", AP_CORRUPT, "control byte"},
      {"{\"add\":{\"path\":\"a%zz\",\"size\":1}}", AP_CORRUPT, "escape"},
      {"{\"add\":{\"path\":\"a%ff\",\"size\":1}}", AP_CORRUPT, "UTF-8"},
      {"{\"add\":{\"path\":\"x\",\"size\":1,\"stats\":{}}}", AP_CORRUPT, "add.stats"},
      {"{\"add\":{\"path\":\"x\",\"size\":1,\"tags\":7}}", AP_CORRUPT, "add.tags"},
      {"{\"add\":{\"path\":\"x\",\"size\":1,\"partitionValues\":[]}}", AP_CORRUPT,
       "partitionValues"},
      {"{\"add\":{\"path\":\"x\",\"size\":1,\"partitionValues\":{\"p\":7}}}", AP_CORRUPT, "'p'"},
      {"{\"add\":{\"path\":\"x\",\"size\":1,\"deletionVector\":{\"storageType\":\"z\"}}}",
       AP_CORRUPT, "storageType"},
      {"{\"add\":{\"path\":\"x\",\"size\":1,\"deletionVector\":{\"storageType\":\"u\","
       "\"pathOrInlineDv\":\"a\",\"sizeInBytes\":-4,\"cardinality\":1}}}",
       AP_CORRUPT, "deletionVector"},
      {"{\"remove\":{\"path\":[]}}", AP_CORRUPT, "remove.path"},
      {"{\"txn\":{\"version\":1}}", AP_CORRUPT, "txn.appId"},
      {"{\"txn\":{\"appId\":\"a\"}}", AP_CORRUPT, "txn.version"},
      {"{\"domainMetadata\":{\"configuration\":\"\"}}", AP_CORRUPT, "domainMetadata.domain"},
      {"{\"protocol\":{\"minReaderVersion\":\"1\"}}", AP_CORRUPT, "minReaderVersion"},
      {"{\"protocol\":{\"minReaderVersion\":4,\"minWriterVersion\":7}}", AP_UNSUPPORTED,
       "reader version 4"},
      {"{\"metaData\":{\"id\":\"t\",\"partitionColumns\":[]}}", AP_CORRUPT, "schemaString"},
      {"{\"metaData\":{\"schemaString\":\"{}\"}}", AP_CORRUPT, "schemaString"},
      {"{\"add\":{\"path\":\"x\",\"size\":1},\"remove\":{\"path\":\"x\"}}", AP_CORRUPT,
       "two actions"},
  };
  put_commit(fixture, 0, PROTOCOL METADATA("\"p\""));
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char lines[512];
    (void)snprintf(lines, sizeof(lines), "{\"commitInfo\":{}}\n\n%s\n", cases[i].line);
    put_commit(fixture, 1, lines);
    check_refused(fixture, cases[i].status, cases[i].part, "");
    if (cases[i].status == AP_CORRUPT && !strstr(cases[i].line, "protocol") &&
        !strstr(cases[i].line, "metaData")) {
      check_refused(fixture, AP_CORRUPT, "00000000000000000001.json line 3", "");
    }
  }
  put_commit(fixture, 1, "");
  check_refused(fixture, AP_CORRUPT, "00000000000000000001.json", "is empty");
}

static void others_lines_are_read(void **state) {
  struct fixture *fixture = *state;
  /* files before the table they belong to, unknown actions and members, nulls, no last newline */
  put_commit(
      fixture, 0,
      "{\"somethingNew\":{\"a\":1}}\n{\"cdc\":{\"path\":\"_change_data/x\"}}\r\n"
      "{ \"add\" : {\"path\":\"p=a%2520b/x%20y.parquet\",\"partitionValues\":{\"p\":\"a b\"},"
      "\"size\":5,\"modificationTime\":1,\"dataChange\":true,\"stats\":null,\"tags\":null,"
      "\"deletionVector\":null,\"unknown\":[1,2]} }\n" ADD("z", "null") ADD("y", "\"\"")
          ADD("s3://elsewhere/a%20b", "\"q\"") METADATA(
              "\"p\"") "{\"txn\":{\"appId\":\"a\",\"version\":-5,\"lastUpdated\":null}}"
                       "\n" PROTOCOL);
  struct ap_snapshot *snapshot = NULL;
  check_ok(ap_ledger_snapshot(fixture->ledger, AP_AT_LATEST, 0, &snapshot, &fixture->world->err),
           &fixture->world->err);
  assert_int_equal(snapshot->cell_count, 4);
  assert_int_equal(snapshot->row_count, -1);
  check_text(snapshot->cells[0]->path, "p=a%20b/x y.parquet");
  check_text(snapshot->cells[0]->partition_values[0].text, "a b");
  assert_false(snapshot->cells[0]->own);
  check_text(snapshot->cells[1]->path, "s3://elsewhere/a%20b");
  assert_true(snapshot->cells[2]->partition_values[0].is_null);
  assert_true(snapshot->cells[3]->partition_values[0].is_null);
  assert_int_equal(ap_snapshot_app_version(snapshot, AP_TEXT("a")), -5);
  ap_snapshot_release(snapshot);
  /* an overwrite removes them by the words of their adds */
  struct ap_commit_result result;
  struct ap_commit commit = {.kind = AP_COMMIT_OVERWRITE};
  check_ok(ap_ledger_snapshot(fixture->ledger, AP_AT_LATEST, 0, &snapshot, NULL), NULL);
  commit.schema_id = snapshot->schema_id;
  ap_snapshot_release(snapshot);
  check_ok(ap_ledger_commit(fixture->ledger, &commit, &result, &fixture->world->err),
           &fixture->world->err);
  assert_int_equal(result.removed_count, 4);
  check_look(fixture, 1, 0);
  struct ap_buffer text;
  ap_buffer_init(&text, ap_allocator_system());
  ap_ledger_world_get(fixture->world, "_delta_log/00000000000000000001.json", &text);
  check_contains(text.data, "{\"remove\":{\"path\":\"p=a%2520b/x%20y.parquet\"");
  check_contains(text.data, "{\"remove\":{\"path\":\"s3://elsewhere/a%20b\"");
  ap_buffer_deinit(&text);
}

static void another_partitioning_reads_cells_again(void **state) {
  struct fixture *fixture = *state;
  struct ap_snapshot *snapshot = NULL;
  put_commit(fixture, 0, PROTOCOL METADATA("\"p\"") ADD("x", "\"1\""));
  check_look(fixture, 0, 1);
  check_ok(ap_ledger_snapshot(fixture->ledger, AP_AT_LATEST, 0, &snapshot, NULL), NULL);
  ap_snapshot_release(snapshot);
  put_commit(fixture, 1, METADATA("") ADD("y", "\"2\""));
  put_commit(fixture, 2, ADD("z", "\"3\""));
  check_ok(ap_ledger_snapshot(fixture->ledger, AP_AT_LATEST, 0, &snapshot, NULL), NULL);
  assert_int_equal(snapshot->cell_count, 3);
  for (int i = 0; i < 3; i++) assert_int_equal(snapshot->cells[i]->partition_count, 0);
  ap_snapshot_release(snapshot);
  put_commit(fixture, 3, METADATA("\"p\""));
  check_ok(ap_ledger_snapshot(fixture->ledger, AP_AT_LATEST, 0, &snapshot, NULL), NULL);
  for (int i = 0; i < 3; i++) {
    char value[2] = {(char)('1' + i), '\0'};
    check_text(snapshot->cells[i]->partition_values[0].text, value);
  }
  ap_snapshot_release(snapshot);
}

static void deletion_vectors_make_files_distinct(void **state) {
  struct fixture *fixture = *state;
#define VECTOR                                                                               \
  "\"deletionVector\":{\"storageType\":\"u\",\"pathOrInlineDv\":\"ab^-aqEH.-t@S}K{vb[*k^\"," \
  "\"offset\":4,\"sizeInBytes\":40,\"cardinality\":6}"
  put_commit(fixture, 0, PROTOCOL METADATA("") ADD("x", "null"));
  put_commit(fixture, 1,
             "{\"remove\":{\"path\":\"x\",\"dataChange\":true}}\n{\"add\":{\"path\":\"x\","
             "\"partitionValues\":{},\"size\":9,\"modificationTime\":1,\"dataChange\":true,"
             "\"stats\":\"{\\\"numRecords\\\":10}\"," VECTOR "}}\n");
  struct ap_snapshot *snapshot = NULL;
  check_ok(ap_ledger_snapshot(fixture->ledger, AP_AT_LATEST, 0, &snapshot, NULL), NULL);
  assert_int_equal(snapshot->cell_count, 1);
  assert_int_equal(snapshot->cells[0]->deletion_vector.cardinality, 6);
  assert_int_equal(snapshot->row_count, 4);
  ap_snapshot_release(snapshot);
  /* removing the file without its vector is another file */
  put_commit(fixture, 2, "{\"remove\":{\"path\":\"x\",\"dataChange\":true}}\n");
  check_look(fixture, 2, 1);
  put_commit(fixture, 3, "{\"remove\":{\"path\":\"x\",\"dataChange\":true," VECTOR "}}\n");
  check_look(fixture, 3, 0);
}

static void gaps_are_named(void **state) {
  struct fixture *fixture = *state;
  check_refused(fixture, AP_NOT_FOUND, "hive/frame", "_delta_log");
  put_commit(fixture, 3, ADD("x", "null"));
  check_refused(fixture, AP_CORRUPT, "starts at version 3", "");
  put_commit(fixture, 0, PROTOCOL METADATA(""));
  put_commit(fixture, 1, ADD("x", "null"));
  check_refused(fixture, AP_CORRUPT, "00000000000000000002.json is missing", "version 3");
  put_commit(fixture, 2, ADD("y", "null"));
  check_look(fixture, 3, 2);
  put_commit(fixture, INT64_MAX, ADD("z", "null"));
  check_refused(fixture, AP_CORRUPT, "00000000000000000004.json is missing", "9223372036854775807");
  remove_commit(fixture, INT64_MAX);
  put_rows(fixture, "99999999999999999999.json", "no version has this many digits");
  put_rows(fixture, "00000000000000000004.crc", "checksums are not for us");
  put_rows(fixture, "00000000000000000001.00000000000000000003.compacted.json", "nor are these");
  check_look(fixture, 3, 2);
  put_commit(fixture, 0, PROTOCOL);
  check_refused(fixture, AP_CORRUPT, "00000000000000000000.json", "'metaData' is missing");
}

static void hints_may_be_wrong(void **state) {
  struct fixture *fixture = *state;
  static const char *const hints[] = {"",
                                      "{",
                                      "7",
                                      "{}",
                                      "{\"version\":\"x\"}",
                                      "{\"version\":-3}",
                                      "{\"version\":77}",
                                      "{\"version\":1,\"size\":3}",
                                      "{\"version\":9223372036854775807}",
                                      "{\"version\":2}"};
  put_commit(fixture, 0, PROTOCOL METADATA("") ADD("x", "null"));
  put_commit(fixture, 1, ADD("y", "null"));
  put_commit(fixture, 2, ADD("z", "null"));
  for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
    put_rows(fixture, "_last_checkpoint", hints[i]);
    check_look(fixture, 2, 3);
  }
  put_rows(fixture, "00000000000000000001.checkpoint.parquet",
           PROTOCOL METADATA("") ADD("x", "null") ADD("y", "null"));
  put_rows(fixture, "_last_checkpoint", "{\"version\":1,\"size\":4,\"numOfAddFiles\":2}");
  check_look(fixture, 2, 3);
  /* it says the checkpoint had more: the commits know better */
  put_rows(fixture, "_last_checkpoint", "{\"version\":1,\"size\":4,\"numOfAddFiles\":9}");
  check_look(fixture, 2, 3);
  remove_commit(fixture, 0);
  put_rows(fixture, "_last_checkpoint", "{\"version\":1,\"size\":4,\"numOfAddFiles\":2}");
  check_look(fixture, 2, 3);
  put_rows(fixture, "_last_checkpoint", "{\"version\":1,\"size\":4,\"numOfAddFiles\":9}");
  check_refused(fixture, AP_CORRUPT, "00000000000000000001.checkpoint.parquet", "numOfAddFiles");
}

static void broken_checkpoints_are_made_up_for(void **state) {
  struct fixture *fixture = *state;
  put_commit(fixture, 0, PROTOCOL METADATA("") ADD("x", "null"));
  for (int64_t i = 1; i <= 6; i++) put_commit(fixture, i, ADD("y", "null"));
  put_rows(fixture, "00000000000000000002.checkpoint.parquet",
           PROTOCOL METADATA("") ADD("x", "null") ADD("y", "null"));
  put_rows(fixture, "_last_checkpoint", "{\"version\":4}");
  static const char *const broken[] = {"", PROTOCOL, METADATA(""), "{\"add\":{}}\n", "nonsense\n"};
  for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
    put_rows(fixture, "00000000000000000004.checkpoint.parquet", broken[i]);
    check_look(fixture, 6, 2);
  }
  ap_ledger_world_put(fixture->world, "_delta_log/00000000000000000004.checkpoint.parquet",
                      AP_TEXT("cut"));
  check_look(fixture, 6, 2);
  remove_commit(fixture, 0);
  check_look(fixture, 6, 2);
  remove_commit(fixture, 3);
  check_refused(fixture, AP_CORRUPT, "00000000000000000004.checkpoint.parquet", "");
}

static void multi_part_checkpoints(void **state) {
  struct fixture *fixture = *state;
  put_commit(fixture, 5, ADD("z", "null"));
  put_rows(fixture, "00000000000000000004.checkpoint.0000000001.0000000003.parquet",
           ADD("x", "null"));
  put_rows(fixture, "00000000000000000004.checkpoint.0000000002.0000000003.parquet",
           ADD("y", "null"));
  check_refused(fixture, AP_CORRUPT, "no usable checkpoint", "");
  /* another writer cut the same version in two */
  put_rows(fixture, "00000000000000000004.checkpoint.0000000001.0000000002.parquet",
           ADD("x", "null"));
  put_rows(fixture, "00000000000000000004.checkpoint.0000000003.0000000003.parquet",
           PROTOCOL METADATA("\"p\""));
  check_look(fixture, 5, 3);
  put_rows(fixture, "_last_checkpoint", "{\"version\":4,\"size\":4,\"parts\":3}");
  check_look(fixture, 5, 3);
}

static void v2_checkpoints(void **state) {
  struct fixture *fixture = *state;
#define UUID "80a083e8-7026-4e79-81be-64bd76c43a11"
  put_commit(fixture, 8, ADD("z", "null"));
  put_rows(fixture, "00000000000000000007.checkpoint." UUID ".json",
           "{\"checkpointMetadata\":{\"version\":7,\"tags\":{}}}\n" PROTOCOL METADATA("\"p\"")
           "{\"sidecar\":{\"path\":\"one.parquet\",\"sizeInBytes\":1,\"modificationTime\":1}}\n"
           "{\"sidecar\":{\"path\":\"two.parquet\",\"sizeInBytes\":1,\"modificationTime\":1}}\n");
  put_rows(fixture, "_sidecars/one.parquet", ADD("x", "null") ADD("x1", "\"v\""));
  check_refused(fixture, AP_CORRUPT, "_sidecars/two.parquet", "");
  put_rows(fixture, "_sidecars/two.parquet",
           ADD("y", "null") "{\"remove\":{\"path\":\"gone\",\"deletionTimestamp\":1}}\n");
  check_look(fixture, 8, 4);
  put_rows(fixture, "00000000000000000008.checkpoint." UUID ".parquet",
           "{\"checkpointMetadata\":{\"version\":8}}\n" PROTOCOL METADATA("\"p\"")
               ADD("only", "null"));
  check_look(fixture, 8, 1);
  /* the wrong version's, or none at all: the older one serves */
  put_rows(fixture, "00000000000000000008.checkpoint." UUID ".parquet",
           "{\"checkpointMetadata\":{\"version\":7}}\n" PROTOCOL METADATA("\"p\"")
               ADD("only", "null"));
  check_look(fixture, 8, 4);
  put_rows(fixture, "00000000000000000008.checkpoint." UUID ".parquet",
           PROTOCOL METADATA("\"p\"") ADD("only", "null"));
  check_look(fixture, 8, 4);
  ap_ledger_world_remove(fixture->world,
                         "_delta_log/00000000000000000008.checkpoint." UUID ".parquet");
  put_rows(fixture, "00000000000000000007.checkpoint." UUID ".json",
           "{\"checkpointMetadata\":{\"version\":7,\"tags\":{}}}\n" PROTOCOL METADATA(
               "\"p\"") "{\"sidecar\":{\"path\":\"../../../x.parquet\",\"sizeInBytes\":1}}\n");
  check_refused(fixture, AP_CORRUPT, "sidecar.path", "'..'");
}

static void structured_statistics_are_kept(void **state) {
  struct fixture *fixture = *state;
  put_rows(fixture, "00000000000000000001.checkpoint.parquet",
           PROTOCOL METADATA("")
           "{\"add\":{\"path\":\"x\",\"partitionValues\":{},\"size\":9,\"modificationTime\":1,"
           "\"dataChange\":false,"
           "\"stats_parsed\":{\"numRecords\":12,\"minValues\":{\"id\":3}}}}\n");
  struct ap_snapshot *snapshot = NULL;
  check_ok(ap_ledger_snapshot(fixture->ledger, AP_AT_LATEST, 0, &snapshot, NULL), NULL);
  assert_int_equal(snapshot->row_count, 12);
  ap_snapshot_release(snapshot);
  put_commit(fixture, 2, ADD("y", "null"));
  int64_t version = 0;
  check_ok(ap_ledger_checkpoint(fixture->ledger, &version, &fixture->world->err),
           &fixture->world->err);
  struct ap_buffer text;
  ap_buffer_init(&text, ap_allocator_system());
  ap_ledger_world_get(fixture->world, "_delta_log/00000000000000000002.checkpoint.parquet", &text);
  check_contains(text.data,
                 "\"stats\":\"{\\\"numRecords\\\":12,\\\"minValues\\\":{\\\"id\\\":3}}\"");
  check_contains(text.data, "\"dataChange\":false");
  ap_buffer_deinit(&text);
}

static void a_file_that_came_back_is_no_tombstone(void **state) {
  struct fixture *fixture = *state;
  char remove_lines[256];
  int64_t now_ms = ap_clock_wall_ms(fixture->world->env.clock);
  (void)snprintf(remove_lines, sizeof(remove_lines),
                 "{\"remove\":{\"path\":\"x\",\"deletionTimestamp\":%" PRId64
                 "}}\n{\"remove\":{\"path\":\"y\",\"deletionTimestamp\":%" PRId64 "}}\n",
                 now_ms, now_ms);
  put_commit(fixture, 0, PROTOCOL METADATA("") ADD("x", "null") ADD("y", "null"));
  put_commit(fixture, 1, remove_lines);
  put_commit(fixture, 2, ADD("x", "null"));
  put_commit(fixture, 3, remove_lines);
  put_commit(fixture, 4, ADD("x", "null"));
  check_look(fixture, 4, 1);
  int64_t version = 0;
  check_ok(ap_ledger_checkpoint(fixture->ledger, &version, &fixture->world->err),
           &fixture->world->err);
  struct ap_buffer text;
  ap_buffer_init(&text, ap_allocator_system());
  ap_ledger_world_get(fixture->world, "_delta_log/00000000000000000004.checkpoint.parquet", &text);
  assert_null(strstr(text.data, "{\"remove\":{\"path\":\"x\""));
  const char *removed = strstr(text.data, "{\"remove\":{\"path\":\"y\"");
  assert_non_null(removed);
  assert_null(strstr(removed + 1, "{\"remove\":{\"path\":\"y\""));
  ap_buffer_deinit(&text);
}

static void domains_are_preserved(void **state) {
  struct fixture *fixture = *state;
#define DOMAIN(name, removed)                                                                  \
  "{\"domainMetadata\":{\"domain\":\"" name "\",\"configuration\":\"{}\",\"removed\":" removed \
  "}}\n"
  put_commit(fixture, 0,
             "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":"
             "[\"domainMetadata\"]}}\n" METADATA("") DOMAIN("b", "false") DOMAIN("a", "false"));
  put_commit(fixture, 1, DOMAIN("b", "true") DOMAIN("c", "false"));
  int64_t version = 0;
  check_ok(ap_ledger_checkpoint(fixture->ledger, &version, &fixture->world->err),
           &fixture->world->err);
  struct ap_buffer text;
  ap_buffer_init(&text, ap_allocator_system());
  ap_ledger_world_get(fixture->world, "_delta_log/00000000000000000001.checkpoint.parquet", &text);
  check_contains(text.data, DOMAIN("a", "false"));
  check_contains(text.data, DOMAIN("c", "false"));
  assert_null(strstr(text.data, "\"domain\":\"b\""));
  ap_buffer_deinit(&text);
}

static void features_are_judged_by_use(void **state) {
  struct fixture *fixture = *state;
  static const struct {
    const char *protocol;
    const char *part; /* NULL: may be written */
  } cases[] = {
      {"\"minReaderVersion\":1,\"minWriterVersion\":6", NULL},
      {"\"minReaderVersion\":2,\"minWriterVersion\":5", NULL},
      {"\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"v2Checkpoint\","
       "\"vacuumProtocolCheck\",\"typeWidening\",\"columnMapping\"],\"writerFeatures\":["
       "\"invariants\",\"checkConstraints\",\"generatedColumns\",\"identityColumns\","
       "\"changeDataFeed\",\"typeWidening\",\"allowColumnDefaults\"]",
       NULL},
      {"\"minReaderVersion\":1,\"minWriterVersion\":8", "writer version 8"},
      {"\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[\"clustering\"]",
       "'clustering'"},
      {"\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[\"icebergCompatV1\"]",
       "'icebergCompatV1'"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char lines[1024];
    struct ap_snapshot *snapshot = NULL;
    struct ap_commit_result result;
    (void)snprintf(lines, sizeof(lines), "{\"protocol\":{%s}}\n%s", cases[i].protocol,
                   METADATA(""));
    remove_commit(fixture, 1);
    put_commit(fixture, 0, lines);
    ap_sim_advance_ms(fixture->world->sim, 10);
    check_ok(ap_ledger_snapshot(fixture->ledger, AP_AT_LATEST, 0, &snapshot, &fixture->world->err),
             &fixture->world->err);
    struct ap_commit commit = {.schema_id = snapshot->schema_id};
    ap_status status = ap_ledger_commit(fixture->ledger, &commit, &result, &fixture->world->err);
    ap_snapshot_release(snapshot);
    check_status(status, cases[i].part ? AP_UNSUPPORTED : AP_OK, &fixture->world->err);
    if (cases[i].part) check_contains(fixture->world->err.message, cases[i].part);
  }
}

/* Any byte of any file may be wrong: an error or an answer, never a crash. */
static void random_damage(void **state) {
  struct fixture *fixture = *state;
  static const char *const names[] = {
      "00000000000000000000.json", "00000000000000000001.json", "00000000000000000002.json",
      "00000000000000000002.checkpoint.parquet", "_last_checkpoint"};
  struct ap_seeded_random random;
  struct ap_buffer original[5];
  ap_seeded_random_init(&random, ap_test_seed("random_damage"));
  check_ok(ap_ledger_world_create_table(fixture->world, fixture->ledger, false, NULL, 0), NULL);
  check_ok(ap_ledger_world_append(fixture->world, fixture->ledger, NULL), NULL);
  check_ok(ap_ledger_world_append(fixture->world, fixture->ledger, NULL), NULL);
  int64_t version = 0;
  check_ok(ap_ledger_checkpoint(fixture->ledger, &version, NULL), NULL);
  for (int i = 0; i < 5; i++) {
    char path[64];
    (void)snprintf(path, sizeof(path), "_delta_log/%s", names[i]);
    ap_buffer_init(&original[i], ap_allocator_system());
    ap_ledger_world_get(fixture->world, path, &original[i]);
  }
  uint64_t rounds = ap_test_rounds(2000);
  for (uint64_t round = 0; round < rounds; round++) {
    uint32_t cells = 0;
    for (int i = 0; i < 5; i++) {
      char path[64];
      struct ap_buffer copy;
      (void)snprintf(path, sizeof(path), "_delta_log/%s", names[i]);
      ap_buffer_init(&copy, ap_allocator_system());
      ap_buffer_append_text(&copy, ap_buffer_text(&original[i]));
      uint64_t flips = ap_random_below(&random.base, 3);
      for (uint64_t k = 0; k < flips; k++) {
        copy.data[ap_random_below(&random.base, copy.size)] =
            (char)(k == 0 ? ap_random_below(&random.base, 256)
                          : (uint64_t) "{}[]\",:0-9"[round % 10]);
      }
      if (ap_random_below(&random.base, 8) == 0) {
        copy.size = ap_random_below(&random.base, copy.size);
      }
      ap_ledger_world_put(fixture->world, path, ap_buffer_text(&copy));
      ap_buffer_deinit(&copy);
    }
    ap_status status = look(fixture, &version, &cells);
    assert_true(status == AP_OK || status == AP_CORRUPT || status == AP_UNSUPPORTED);
  }
  for (int i = 0; i < 5; i++) ap_buffer_deinit(&original[i]);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(bad_lines_are_named),
      TEST(others_lines_are_read),
      TEST(another_partitioning_reads_cells_again),
      TEST(deletion_vectors_make_files_distinct),
      TEST(gaps_are_named),
      TEST(hints_may_be_wrong),
      TEST(broken_checkpoints_are_made_up_for),
      TEST(multi_part_checkpoints),
      TEST(v2_checkpoints),
      TEST(structured_statistics_are_kept),
      TEST(a_file_that_came_back_is_no_tombstone),
      TEST(domains_are_preserved),
      TEST(features_are_judged_by_use),
      TEST(random_damage),
  };
  return AP_RUN_TESTS(tests);
}
