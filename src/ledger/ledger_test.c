/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: what a ledger promises, on one writer: create, append, overwrite, exactly-once, time
 * travel, checkpoints, clean-up, history, and the words of what it writes. Method: a frame in the
 * simulated world; expectations by hand.
 */
#include "ledger/ledger.h"

#include "testing/check.h"
#include "testing/ledger_world.h"

#include <inttypes.h>
#include <stdio.h>

struct fixture {
  struct ap_ledger_world *world;
  struct ap_ledger *ledger;
  struct ap_buffer text;
};

static int set_up(void **state) {
  static struct fixture fixture;
  fixture.world = ap_ledger_world_create(7);
  fixture.ledger = ap_ledger_world_open(fixture.world);
  ap_buffer_init(&fixture.text, ap_allocator_system());
  *state = &fixture;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *fixture = *state;
  ap_buffer_deinit(&fixture->text);
  ap_ledger_close(fixture->ledger);
  ap_ledger_world_destroy(fixture->world);
  return 0;
}

static void create(struct fixture *fixture, bool partitioned, const struct ap_property *properties,
                   uint32_t property_count) {
  check_ok(ap_ledger_world_create_table(fixture->world, fixture->ledger, partitioned, properties,
                                        property_count),
           &fixture->world->err);
}

static struct ap_snapshot *latest(struct fixture *fixture) {
  struct ap_snapshot *snapshot = NULL;
  check_ok(ap_ledger_snapshot(fixture->ledger, AP_AT_LATEST, 0, &snapshot, &fixture->world->err),
           &fixture->world->err);
  return snapshot;
}

static void append(struct fixture *fixture) {
  check_ok(ap_ledger_world_append(fixture->world, fixture->ledger, &fixture->world->err),
           &fixture->world->err);
}

static void append_many(struct fixture *fixture, int count, int64_t step_ms) {
  for (int i = 0; i < count; i++) {
    ap_sim_advance_ms(fixture->world->sim, step_ms);
    append(fixture);
  }
}

static void check_version(struct fixture *fixture, int64_t version, uint32_t cells) {
  struct ap_snapshot *snapshot = latest(fixture);
  assert_int_equal(snapshot->version, version);
  assert_int_equal(snapshot->cell_count, cells);
  for (uint32_t i = 1; i < cells; i++) {
    assert_true(ap_text_compare(snapshot->cells[i - 1]->path, snapshot->cells[i]->path) < 0);
  }
  ap_snapshot_release(snapshot);
}

/* Another process sees the same as this handle does. */
static void check_fresh_equals(struct fixture *fixture) {
  struct ap_ledger *other = ap_ledger_world_open(fixture->world);
  struct ap_snapshot *fresh = NULL;
  struct ap_snapshot *known = latest(fixture);
  struct ap_buffer a;
  struct ap_buffer b;
  int64_t now_ms = ap_clock_wall_ms(fixture->world->env.clock);
  ap_buffer_init(&a, ap_allocator_system());
  ap_buffer_init(&b, ap_allocator_system());
  check_ok(ap_ledger_snapshot(other, AP_AT_LATEST, 0, &fresh, &fixture->world->err),
           &fixture->world->err);
  ap_ledger_world_describe(known, now_ms, &a);
  ap_ledger_world_describe(fresh, now_ms, &b);
  assert_string_equal(a.data, b.data);
  ap_buffer_deinit(&a);
  ap_buffer_deinit(&b);
  ap_snapshot_release(fresh);
  ap_snapshot_release(known);
  ap_ledger_close(other);
}

static void creates_once(void **state) {
  struct fixture *fixture = *state;
  struct ap_snapshot *snapshot = NULL;
  ap_error *err = &fixture->world->err;
  check_status(ap_ledger_snapshot(fixture->ledger, AP_AT_LATEST, 0, &snapshot, err), AP_NOT_FOUND,
               err);
  check_contains(err->message, "hive/frame");
  struct ap_property property = {AP_TEXT("owner"), AP_TEXT("bees")};
  create(fixture, true, &property, 1);
  check_status(ap_ledger_world_create_table(fixture->world, fixture->ledger, true, &property, 1),
               AP_ALREADY_EXISTS, err);
  snapshot = latest(fixture);
  assert_int_equal(snapshot->version, 0);
  assert_int_equal(snapshot->cell_count, 0);
  assert_int_equal(snapshot->row_count, 0);
  assert_int_equal(snapshot->partition_column_count, 1);
  assert_int_equal(snapshot->partition_columns[0], 2);
  assert_true(ap_schema_equal(&snapshot->schema, &fixture->world->schema));
  assert_int_equal(snapshot->schema_id, ap_schema_id(&fixture->world->schema));
  check_text(snapshot->name, "frame");
  check_text(ap_snapshot_property(snapshot, "owner"), "bees");
  check_text(ap_snapshot_property(snapshot, "nobody"), "");
  assert_int_equal(snapshot->table_id.size, 36);
  ap_snapshot_release(snapshot);
  ap_ledger_world_get(fixture->world, "_delta_log/00000000000000000000.json", &fixture->text);
  check_contains(fixture->text.data, "{\"commitInfo\":{\"timestamp\":");
  check_contains(fixture->text.data, "\"operation\":\"CREATE TABLE\"");
  check_contains(fixture->text.data,
                 "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n");
  check_contains(fixture->text.data, "\"format\":{\"provider\":\"parquet\",\"options\":{}}");
  check_contains(fixture->text.data, "\"partitionColumns\":[\"day\"]");
}

static void refuses_bad_definitions(void **state) {
  struct fixture *fixture = *state;
  ap_error *err = &fixture->world->err;
  struct ap_field fields[3] = {
      {.name = AP_TEXT("a"), .type = {.kind = AP_TYPE_INT64}},
      {.name = AP_TEXT("A"), .type = {.kind = AP_TYPE_BINARY}},
  };
  struct ap_schema schema = {0, fields};
  uint32_t columns[] = {0, 1};
  struct ap_table_definition definition = {.schema = &schema, .partition_columns = columns};
  check_status(ap_ledger_create_table(fixture->ledger, &definition, err), AP_INVALID_ARGUMENT, err);
  schema.field_count = 2;
  check_status(ap_ledger_create_table(fixture->ledger, &definition, err), AP_INVALID_ARGUMENT, err);
  check_contains(err->message, "'A' is there twice");
  fields[1].name = AP_TEXT("b");
  definition.partition_column_count = 2;
  check_status(ap_ledger_create_table(fixture->ledger, &definition, err), AP_INVALID_ARGUMENT, err);
  check_contains(err->message, "'b' cannot be a partition column");
  fields[1].type.kind = AP_TYPE_DATE;
  check_status(ap_ledger_create_table(fixture->ledger, &definition, err), AP_INVALID_ARGUMENT, err);
  check_contains(err->message, "every column is a partition column");
  definition.partition_column_count = 1;
  fields[1].type.kind = AP_TYPE_NULL;
  check_status(ap_ledger_create_table(fixture->ledger, &definition, err), AP_SCHEMA_MISMATCH, err);
  fields[1].type.kind = AP_TYPE_TIMESTAMP;
  check_ok(ap_ledger_create_table(fixture->ledger, &definition, err), err);
  ap_ledger_world_get(fixture->world, "_delta_log/00000000000000000000.json", &fixture->text);
  check_contains(fixture->text.data, "\"minReaderVersion\":3,\"minWriterVersion\":7");
  check_contains(fixture->text.data, "\"readerFeatures\":[\"timestampNtz\"]");
}

static void appends_and_overwrites(void **state) {
  struct fixture *fixture = *state;
  struct ap_commit_result result;
  ap_error *err = &fixture->world->err;
  create(fixture, true, NULL, 0);
  struct ap_world_write write = {.day = "a b/ü%", .cell_count = 3, .rows_per_cell = 5};
  check_ok(ap_ledger_world_write(fixture->world, fixture->ledger, &write, &result, err), err);
  assert_int_equal(result.version, 1);
  assert_int_equal(result.attempt_count, 1);
  write.day = "tuesday";
  check_ok(ap_ledger_world_write(fixture->world, fixture->ledger, &write, &result, err), err);
  check_version(fixture, 2, 6);
  write.overwrite = write.replace_day = true;
  write.cell_count = 1;
  check_ok(ap_ledger_world_write(fixture->world, fixture->ledger, &write, &result, err), err);
  assert_int_equal(result.removed_count, 3);
  check_version(fixture, 3, 4);
  struct ap_snapshot *snapshot = latest(fixture);
  assert_int_equal(snapshot->row_count, 20);
  assert_true(snapshot->cells[0]->own);
  assert_int_equal(snapshot->cells[0]->physical_schema_id, snapshot->physical_schema_id);
  check_text(snapshot->cells[0]->partition_values[0].text, "a b/ü%");
  assert_true(ap_text_starts_with(snapshot->cells[0]->path, AP_TEXT("a b/ü%/cell ")));
  ap_snapshot_release(snapshot);
  check_fresh_equals(fixture);
  ap_ledger_world_get(fixture->world, "_delta_log/00000000000000000003.json", &fixture->text);
  check_contains(fixture->text.data, "\"mode\":\"Overwrite\"");
  check_contains(fixture->text.data, "\"readVersion\":2,\"isolationLevel\":\"Serializable\"");
  check_contains(fixture->text.data, "\"numRemovedFiles\":\"3\"");
  check_contains(fixture->text.data, "{\"remove\":{\"path\":\"tuesday/cell%20");
  check_contains(fixture->text.data, "\"extendedFileMetadata\":true");
  write.replace_day = false;
  check_ok(ap_ledger_world_write(fixture->world, fixture->ledger, &write, &result, err), err);
  assert_int_equal(result.removed_count, 4);
  check_version(fixture, 4, 1);
  check_fresh_equals(fixture);
}

static void refuses_empty_partition_text(void **state) {
  struct fixture *fixture = *state;
  struct ap_commit_result result;
  ap_error *err = &fixture->world->err;
  create(fixture, true, NULL, 0);
  struct ap_world_write write = {.day = "", .cell_count = 1};
  struct ap_partition_value empty = {.text = AP_TEXT("")};
  struct ap_cell_draft draft = {
      .path = AP_TEXT("x.parquet"), .partition_count = 1, .partition_values = &empty};
  struct ap_commit commit = {
      .adds = &draft, .add_count = 1, .schema_id = ap_schema_id(&fixture->world->schema)};
  (void)write;
  check_status(ap_ledger_commit(fixture->ledger, &commit, &result, err), AP_INVALID_ARGUMENT, err);
  check_contains(err->message, "'day'");
  draft.path = AP_TEXT("a/../../x.parquet");
  check_status(ap_ledger_commit(fixture->ledger, &commit, &result, err), AP_INVALID_ARGUMENT, err);
  check_version(fixture, 0, 0);
}

static void applications_write_once(void **state) {
  struct fixture *fixture = *state;
  struct ap_commit_result result;
  ap_error *err = &fixture->world->err;
  create(fixture, false, NULL, 0);
  struct ap_world_write write = {
      .cell_count = 1, .rows_per_cell = 1, .app_id = "stream", .app_version = 7};
  check_ok(ap_ledger_world_write(fixture->world, fixture->ledger, &write, &result, err), err);
  assert_false(result.skipped);
  check_ok(ap_ledger_world_write(fixture->world, fixture->ledger, &write, &result, err), err);
  assert_true(result.skipped);
  assert_int_equal(result.version, 1);
  write.app_version = 3;
  check_ok(ap_ledger_world_write(fixture->world, fixture->ledger, &write, &result, err), err);
  assert_true(result.skipped);
  write.app_version = 8;
  check_ok(ap_ledger_world_write(fixture->world, fixture->ledger, &write, &result, err), err);
  write.app_id = "another";
  check_ok(ap_ledger_world_write(fixture->world, fixture->ledger, &write, &result, err), err);
  check_version(fixture, 3, 3);
  struct ap_snapshot *snapshot = latest(fixture);
  assert_int_equal(ap_snapshot_app_version(snapshot, AP_TEXT("stream")), 8);
  assert_int_equal(ap_snapshot_app_version(snapshot, AP_TEXT("another")), 8);
  assert_int_equal(ap_snapshot_app_version(snapshot, AP_TEXT("nobody")), -1);
  ap_snapshot_release(snapshot);
  check_fresh_equals(fixture);
}

static void travels_in_time(void **state) {
  struct fixture *fixture = *state;
  struct ap_ledger *ledger = fixture->ledger;
  struct ap_snapshot *snapshot = NULL;
  ap_error *err = &fixture->world->err;
  int64_t times[6];
  create(fixture, false, NULL, 0);
  times[0] = ap_clock_wall_ms(fixture->world->env.clock);
  for (int i = 1; i < 6; i++) {
    append_many(fixture, 1, 1000);
    times[i] = ap_clock_wall_ms(fixture->world->env.clock);
  }
  for (int i = 0; i < 6; i++) {
    check_ok(ap_ledger_snapshot(ledger, AP_AT_VERSION, i, &snapshot, err), err);
    assert_int_equal(snapshot->version, i);
    assert_int_equal(snapshot->cell_count, i);
    ap_snapshot_release(snapshot);
    check_ok(ap_ledger_snapshot(ledger, AP_AT_TIMESTAMP, times[i] + 500, &snapshot, err), err);
    assert_int_equal(snapshot->version, i);
    ap_snapshot_release(snapshot);
  }
  check_status(ap_ledger_snapshot(ledger, AP_AT_VERSION, 6, &snapshot, err), AP_NOT_FOUND, err);
  check_contains(err->message, "there are 0 to 5");
  check_status(ap_ledger_snapshot(ledger, AP_AT_TIMESTAMP, times[0] - 500, &snapshot, err),
               AP_NOT_FOUND, err);
  check_contains(err->message, "the earliest is version 0");
  check_status(ap_ledger_snapshot(ledger, AP_AT_VERSION, -3, &snapshot, err), AP_INVALID_ARGUMENT,
               err);
}

static void times_increase_when_the_clock_does_not(void **state) {
  struct fixture *fixture = *state;
  create(fixture, false, NULL, 0);
  int64_t before = 0;
  for (int i = 0; i < 5; i++) {
    ap_sim_set_wall_ms(fixture->world->sim, 1700000000000 - i * 60000);
    append(fixture);
    struct ap_snapshot *snapshot = latest(fixture);
    assert_true(snapshot->timestamp_ms > before);
    before = snapshot->timestamp_ms;
    ap_snapshot_release(snapshot);
  }
}

static void checkpoints_and_cleans(void **state) {
  struct fixture *fixture = *state;
  struct ap_property properties[] = {
      {AP_TEXT("delta.checkpointInterval"), AP_TEXT("10")},
      {AP_TEXT("delta.logRetentionDuration"), AP_TEXT("interval 2 hours")}};
  create(fixture, false, properties, 2);
  append_many(fixture, 35, 60000);
  assert_true(
      ap_ledger_world_has(fixture->world, "_delta_log/00000000000000000030.checkpoint.parquet"));
  ap_ledger_world_get(fixture->world, "_delta_log/_last_checkpoint", &fixture->text);
  check_contains(fixture->text.data, "{\"version\":30,\"size\":32,\"sizeInBytes\":");
  check_contains(fixture->text.data, "\"numOfAddFiles\":30}");
  check_fresh_equals(fixture);
  assert_true(ap_ledger_world_has(fixture->world, "_delta_log/00000000000000000000.json"));
  /* two hours later the first 10 versions are old enough, and checkpoint 20 carries the rest */
  append_many(fixture, 110, 60000);
  assert_false(ap_ledger_world_has(fixture->world, "_delta_log/00000000000000000000.json"));
  struct ap_snapshot *snapshot = NULL;
  ap_error *err = &fixture->world->err;
  int64_t version = 0;
  check_ok(ap_ledger_checkpoint(fixture->ledger, &version, err), err);
  assert_int_equal(version, 145);
  check_fresh_equals(fixture);
  check_status(ap_ledger_snapshot(fixture->ledger, AP_AT_VERSION, 5, &snapshot, err), AP_NOT_FOUND,
               err);
  check_contains(err->message, "there are 20 to 145");
  check_ok(ap_ledger_snapshot(fixture->ledger, AP_AT_VERSION, 20, &snapshot, err), err);
  assert_int_equal(snapshot->cell_count, 20);
  ap_snapshot_release(snapshot);
  check_status(ap_ledger_snapshot(fixture->ledger, AP_AT_TIMESTAMP, 0, &snapshot, err),
               AP_NOT_FOUND, err);
  check_contains(err->message, "the earliest is version 20");
}

static void keeps_what_a_broken_checkpoint_would_lose(void **state) {
  struct fixture *fixture = *state;
  struct ap_property properties[] = {
      {AP_TEXT("delta.checkpointInterval"), AP_TEXT("10")},
      {AP_TEXT("delta.logRetentionDuration"), AP_TEXT("interval 1 hour")}};
  create(fixture, false, properties, 2);
  append_many(fixture, 15, 1000);
  ap_ledger_world_put(fixture->world, "_delta_log/00000000000000000010.checkpoint.parquet",
                      AP_TEXT("not a checkpoint"));
  ap_sim_advance_ms(fixture->world->sim, 24 * 3600 * 1000);
  int64_t version = 0;
  append_many(fixture, 5, 1000);
  check_status(ap_ledger_checkpoint(fixture->ledger, &version, &fixture->world->err), AP_CORRUPT,
               &fixture->world->err);
  assert_true(ap_ledger_world_has(fixture->world, "_delta_log/00000000000000000000.json"));
  check_fresh_equals(fixture);
}

static void a_failing_checkpoint_fails_no_commit(void **state) {
  struct fixture *fixture = *state;
  struct ap_property property = {AP_TEXT("delta.checkpointInterval"), AP_TEXT("2")};
  int64_t version = 0;
  create(fixture, false, &property, 1);
  fixture->world->codec.fail_encode = true;
  append_many(fixture, 4, 1);
  check_version(fixture, 4, 4);
  check_status(ap_ledger_checkpoint(fixture->ledger, &version, &fixture->world->err), AP_IO,
               &fixture->world->err);
}

static void tombstones_expire(void **state) {
  struct fixture *fixture = *state;
  struct ap_commit_result result;
  struct ap_world_write write = {.overwrite = true, .cell_count = 2, .rows_per_cell = 1};
  int64_t version = 0;
  create(fixture, false, NULL, 0);
  for (int i = 0; i < 3; i++) {
    check_ok(ap_ledger_world_write(fixture->world, fixture->ledger, &write, &result, NULL), NULL);
    ap_sim_advance_ms(fixture->world->sim, (int64_t)3 * 24 * 3600 * 1000);
  }
  /* removed at day 3 and day 6; now it is day 9, and a week is kept */
  ap_sim_advance_ms(fixture->world->sim, (int64_t)2 * 24 * 3600 * 1000);
  check_ok(ap_ledger_checkpoint(fixture->ledger, &version, NULL), NULL);
  ap_ledger_world_get(fixture->world, "_delta_log/00000000000000000003.checkpoint.parquet",
                      &fixture->text);
  int removes = 0;
  for (const char *at = fixture->text.data; (at = strstr(at, "{\"remove\":")); at++) removes++;
  assert_int_equal(removes, 2);
  check_fresh_equals(fixture);
}

static ap_status collect(void *context, const struct ap_history_entry *entry, ap_error *err) {
  struct ap_buffer *out = context;
  (void)err;
  ap_buffer_append_format(out, "%" PRId64 " %.*s %.*s;", entry->version,
                          AP_TEXT_ARG(entry->operation), AP_TEXT_ARG(entry->parameters_json));
  return entry->version == 1 ? AP_END : AP_OK;
}

static void tells_history(void **state) {
  struct fixture *fixture = *state;
  ap_error *err = &fixture->world->err;
  create(fixture, false, NULL, 0);
  append_many(fixture, 3, 10);
  check_ok(ap_ledger_history(fixture->ledger, 0, collect, &fixture->text, err), err);
  assert_string_equal(fixture->text.data,
                      "3 WRITE {\"mode\":\"Append\",\"partitionBy\":\"[]\"};"
                      "2 WRITE {\"mode\":\"Append\",\"partitionBy\":\"[]\"};"
                      "1 WRITE {\"mode\":\"Append\",\"partitionBy\":\"[]\"};");
  ap_buffer_clear(&fixture->text);
  check_ok(ap_ledger_history(fixture->ledger, 2, collect, &fixture->text, err), err);
  assert_null(strstr(fixture->text.data, "1 WRITE"));
}

static void respects_append_only_and_features(void **state) {
  struct fixture *fixture = *state;
  struct ap_commit_result result;
  ap_error *err = &fixture->world->err;
  struct ap_property property = {AP_TEXT("delta.appendOnly"), AP_TEXT("true")};
  create(fixture, false, &property, 1);
  append(fixture);
  struct ap_world_write write = {.overwrite = true, .cell_count = 1};
  check_status(ap_ledger_world_write(fixture->world, fixture->ledger, &write, &result, err),
               AP_UNSUPPORTED, err);
  check_contains(err->message, "delta.appendOnly");
  ap_ledger_world_put(
      fixture->world, "_delta_log/00000000000000000002.json",
      AP_TEXT(
          "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":"
          "[\"deletionVectors\"],\"writerFeatures\":[\"deletionVectors\",\"rowTracking\"]}}\n"));
  check_version(fixture, 2, 1);
  check_status(ap_ledger_world_append(fixture->world, fixture->ledger, err), AP_UNSUPPORTED, err);
  check_contains(err->message, "'rowTracking'");
  ap_ledger_world_put(
      fixture->world, "_delta_log/00000000000000000003.json",
      AP_TEXT("{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":"
              "[\"shinyThing\"],\"writerFeatures\":[\"shinyThing\"]}}\n"));
  struct ap_snapshot *snapshot = NULL;
  check_status(ap_ledger_snapshot(fixture->ledger, AP_AT_LATEST, 0, &snapshot, err), AP_UNSUPPORTED,
               err);
  check_contains(err->message, "'shinyThing'");
}

static void in_commit_timestamps(void **state) {
  struct fixture *fixture = *state;
  ap_error *err = &fixture->world->err;
  create(fixture, false, NULL, 0);
  ap_sim_advance_ms(fixture->world->sim, 5000);
  ap_ledger_world_get(fixture->world, "_delta_log/00000000000000000000.json", &fixture->text);
  /* version 1 switches the feature on, with the metaData of version 0 */
  const char *metadata = strstr(fixture->text.data, "{\"metaData\":");
  const char *configuration = strstr(metadata, "\"configuration\":{");
  struct ap_buffer line;
  ap_buffer_init(&line, ap_allocator_system());
  ap_buffer_append_string(
      &line,
      "{\"commitInfo\":{\"inCommitTimestamp\":5000000000000}}\n"
      "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":"
      "[\"inCommitTimestamp\"]}}\n");
  ap_buffer_append(&line, metadata, (size_t)(configuration - metadata));
  ap_buffer_append_string(&line,
                          "\"configuration\":{\"delta.enableInCommitTimestamps\":\"true\","
                          "\"delta.inCommitTimestampEnablementVersion\":\"1\","
                          "\"delta.inCommitTimestampEnablementTimestamp\":\"5000000000000\"");
  ap_buffer_append_string(&line, configuration + strlen("\"configuration\":{"));
  ap_ledger_world_put(fixture->world, "_delta_log/00000000000000000001.json",
                      ap_buffer_text(&line));
  ap_buffer_deinit(&line);
  append(fixture);
  append(fixture);
  struct ap_snapshot *snapshot = latest(fixture);
  assert_int_equal(snapshot->timestamp_ms, 5000000000002);
  ap_snapshot_release(snapshot);
  check_ok(ap_ledger_snapshot(fixture->ledger, AP_AT_TIMESTAMP, 5000000000001, &snapshot, err),
           err);
  assert_int_equal(snapshot->version, 2);
  ap_snapshot_release(snapshot);
  check_ok(ap_ledger_snapshot(fixture->ledger, AP_AT_TIMESTAMP, 4999999999999, &snapshot, err),
           err);
  assert_int_equal(snapshot->version, 0);
  ap_snapshot_release(snapshot);
  int64_t version = 0;
  check_ok(ap_ledger_checkpoint(fixture->ledger, &version, err), err);
  struct ap_ledger *other = ap_ledger_world_open(fixture->world);
  check_ok(ap_ledger_snapshot(other, AP_AT_LATEST, 0, &snapshot, err), err);
  assert_int_equal(snapshot->timestamp_ms, 5000000000002);
  ap_snapshot_release(snapshot);
  ap_ledger_close(other);
}

static void notices_that_the_log_was_replaced(void **state) {
  struct fixture *fixture = *state;
  char name[64];
  create(fixture, false, NULL, 0);
  append_many(fixture, 3, 1000);
  check_version(fixture, 3, 3);
  for (int i = 0; i < 4; i++) {
    (void)snprintf(name, sizeof(name), "_delta_log/%020d.json", i);
    ap_ledger_world_remove(fixture->world, name);
  }
  struct ap_snapshot *snapshot = NULL;
  check_status(ap_ledger_snapshot(fixture->ledger, AP_AT_LATEST, 0, &snapshot, NULL), AP_NOT_FOUND,
               NULL);
  create(fixture, false, NULL, 0);
  append_many(fixture, 1, 1000);
  check_version(fixture, 1, 1);
  check_fresh_equals(fixture);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(creates_once),
      TEST(refuses_bad_definitions),
      TEST(appends_and_overwrites),
      TEST(refuses_empty_partition_text),
      TEST(applications_write_once),
      TEST(travels_in_time),
      TEST(times_increase_when_the_clock_does_not),
      TEST(checkpoints_and_cleans),
      TEST(keeps_what_a_broken_checkpoint_would_lose),
      TEST(a_failing_checkpoint_fails_no_commit),
      TEST(tombstones_expire),
      TEST(tells_history),
      TEST(respects_append_only_and_features),
      TEST(in_commit_timestamps),
      TEST(notices_that_the_log_was_replaced),
  };
  return AP_RUN_TESTS(tests);
}
