/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: a rewrite lands only where its outcome is what the statement would have given there.
 * Method: each rule by itself; then transfers between cells by racing ledgers that read, add up and
 * rewrite: the sum over all cells must be the same at every version. And the words of what it
 * writes, replies lost included.
 */
#include "ledger/conflict.h"

#include "testing/check.h"
#include "testing/ledger_world.h"
#include "testing/random.h"

#include <inttypes.h>
#include <stdio.h>

enum { THREADS = 4, TRANSFERS = 12, ACCOUNTS = 6, BALANCE = 100 };

struct fixture {
  struct ap_ledger_world *world;
  struct ap_ledger *ledger;
  struct ap_ledger *other;
  struct ap_snapshot *base; /* two cells of monday, one of tuesday */
  char paths[3][64];
};

static void write_cells(struct fixture *fixture, const char *day, uint32_t count,
                        char (*out_paths)[64]) {
  struct ap_world_write write = {
      .day = day, .cell_count = count, .rows_per_cell = 10, .out_paths = out_paths};
  struct ap_commit_result result;
  check_ok(
      ap_ledger_world_write(fixture->world, fixture->other, &write, &result, &fixture->world->err),
      &fixture->world->err);
}

static struct ap_snapshot *latest(struct fixture *fixture, struct ap_ledger *ledger) {
  struct ap_snapshot *snapshot = NULL;
  check_ok(ap_ledger_snapshot(ledger, AP_AT_LATEST, 0, &snapshot, &fixture->world->err),
           &fixture->world->err);
  return snapshot;
}

static void open_fixture(struct fixture *fixture, const struct ap_property *property) {
  *fixture = (struct fixture){.world = ap_ledger_world_create(7)};
  fixture->ledger = ap_ledger_world_open(fixture->world);
  fixture->other = ap_ledger_world_open(fixture->world);
  check_ok(ap_ledger_world_create_table(fixture->world, fixture->ledger, true, property,
                                        property ? 1 : 0),
           &fixture->world->err);
  write_cells(fixture, "monday", 2, fixture->paths);
  write_cells(fixture, "tuesday", 1, fixture->paths + 2);
  fixture->base = latest(fixture, fixture->ledger);
  assert_int_equal(fixture->base->cell_count, 3);
}

static void close_fixture(struct fixture *fixture) {
  ap_snapshot_release(fixture->base);
  ap_ledger_close(fixture->other);
  ap_ledger_close(fixture->ledger);
  ap_ledger_world_destroy(fixture->world);
}

/* The cells come by path: monday's first. Rewrite some of them on a snapshot. */
static ap_status rewrite(struct fixture *fixture, struct ap_ledger *ledger,
                         struct ap_world_write write, uint32_t first, uint32_t count) {
  struct ap_commit_result result;
  if (!write.base) write.base = fixture->base;
  write.day = "monday";
  write.removed = write.base->cells + first;
  write.removed_count = count;
  write.rows_per_cell = 10;
  ap_error_clear(&fixture->world->err);
  ap_status status =
      ap_ledger_world_write(fixture->world, ledger, &write, &result, &fixture->world->err);
  if (status == AP_OK) assert_int_equal(result.removed_count, count);
  return status;
}

static void expect_cells(struct fixture *fixture, uint32_t count) {
  struct ap_snapshot *snapshot = latest(fixture, fixture->ledger);
  assert_int_equal(snapshot->cell_count, count);
  ap_snapshot_release(snapshot);
}

static void expect_conflict(struct fixture *fixture, ap_status status, const char *what) {
  check_status(status, AP_CONFLICT, &fixture->world->err);
  check_contains(fixture->world->err.message, what);
}

static const struct ap_world_write one = {.cell_count = 1};

static void an_append_in_between_is_no_matter_unless_it_was_read(void **state) {
  (void)state;
  struct fixture fixture;
  struct ap_world_write monday = {.cell_count = 1, .reads_day = "monday"};
  struct ap_world_write tuesday = {.cell_count = 1, .reads_day = "tuesday"};
  struct ap_world_write all = {.cell_count = 1, .reads_all = true};
  open_fixture(&fixture, NULL);
  write_cells(&fixture, "tuesday", 1, NULL);
  expect_conflict(&fixture, rewrite(&fixture, fixture.ledger, tuesday, 0, 1),
                  "should have read, was added by another commit between versions 2 and 3");
  expect_conflict(&fixture, rewrite(&fixture, fixture.ledger, all, 0, 1), "should have read");
  expect_cells(&fixture, 4);
  check_ok(rewrite(&fixture, fixture.ledger, monday, 0, 1), &fixture.world->err);
  expect_cells(&fixture, 4);
  check_ok(rewrite(&fixture, fixture.ledger, one, 1, 1), &fixture.world->err);
  expect_cells(&fixture, 4);
  close_fixture(&fixture);
}

static void a_cell_goes_once(void **state) {
  (void)state;
  struct fixture fixture;
  open_fixture(&fixture, NULL);
  check_ok(rewrite(&fixture, fixture.other, one, 0, 2), &fixture.world->err);
  expect_conflict(&fixture, rewrite(&fixture, fixture.ledger, one, 1, 2),
                  "which this one rewrites, was removed or changed");
  check_ok(rewrite(&fixture, fixture.ledger, one, 2, 1), &fixture.world->err);
  expect_cells(&fixture, 2);
  close_fixture(&fixture);
}

static void what_was_read_must_not_go(void **state) {
  (void)state;
  struct fixture fixture;
  struct ap_world_write all = {.cell_count = 1, .reads_all = true};
  struct ap_world_write tuesday = {.cell_count = 1, .reads_day = "tuesday"};
  struct ap_world_write none = {.cell_count = 0};
  open_fixture(&fixture, NULL);
  check_ok(rewrite(&fixture, fixture.other, none, 0, 1), &fixture.world->err);
  expect_conflict(&fixture, rewrite(&fixture, fixture.ledger, all, 1, 1),
                  "which this one has read, was removed");
  check_ok(rewrite(&fixture, fixture.ledger, tuesday, 1, 1), &fixture.world->err);
  expect_cells(&fixture, 2);
  close_fixture(&fixture);
}

static void moved_rows_are_no_change(void **state) {
  (void)state;
  struct fixture fixture;
  struct ap_world_write optimize = {.cell_count = 1, .same_rows = true};
  struct ap_world_write all = {.cell_count = 1, .reads_all = true};
  open_fixture(&fixture, NULL);
  /* somebody compacts monday: who read all but rewrites tuesday does not mind */
  check_ok(rewrite(&fixture, fixture.other, optimize, 0, 2), &fixture.world->err);
  expect_conflict(&fixture, rewrite(&fixture, fixture.ledger, all, 1, 1), "rewrites");
  check_ok(rewrite(&fixture, fixture.ledger, all, 2, 1), &fixture.world->err);
  expect_cells(&fixture, 2);
  close_fixture(&fixture);
  /* and compaction minds only that its own cells are there */
  open_fixture(&fixture, NULL);
  write_cells(&fixture, "monday", 1, NULL);
  check_ok(rewrite(&fixture, fixture.other, one, 2, 1), &fixture.world->err);
  check_ok(rewrite(&fixture, fixture.ledger, optimize, 0, 2), &fixture.world->err);
  expect_cells(&fixture, 3);
  expect_conflict(&fixture, rewrite(&fixture, fixture.ledger, optimize, 1, 2), "rewrites");
  close_fixture(&fixture);
}

static void append_only_frames_may_be_compacted(void **state) {
  (void)state;
  static const struct ap_property property = {AP_TEXT("delta.appendOnly"), AP_TEXT("true")};
  struct fixture fixture;
  struct ap_world_write optimize = {.cell_count = 1, .same_rows = true};
  open_fixture(&fixture, &property);
  check_status(rewrite(&fixture, fixture.ledger, one, 0, 1), AP_UNSUPPORTED, &fixture.world->err);
  check_contains(fixture.world->err.message, "delta.appendOnly");
  check_ok(rewrite(&fixture, fixture.ledger, optimize, 0, 1), &fixture.world->err);
  close_fixture(&fixture);
}

static void put_version(struct fixture *fixture, int64_t version, const char *lines) {
  char name[64];
  (void)snprintf(name, sizeof(name), "_delta_log/%020" PRId64 ".json", version);
  ap_ledger_world_put(fixture->world, name, ap_text_of(lines));
}

/* Somebody gives a cell a deletion vector: it is another cell now. */
static void another_deletion_vector_is_a_change(void **state) {
  (void)state;
  struct fixture fixture;
  char lines[2048];
  open_fixture(&fixture, NULL);
  const struct ap_cell *cell = fixture.base->cells[0];
  (void)snprintf(
      lines, sizeof(lines), "{\"remove\":%.*s}\n{\"add\":%.*s,\"deletionVector\":{%s}}}\n",
      AP_TEXT_ARG(cell->action_json), (int)cell->action_json.size - 1, cell->action_json.data,
      "\"storageType\":\"i\",\"pathOrInlineDv\":\"x\",\"sizeInBytes\":1,"
      "\"cardinality\":1");
  put_version(&fixture, 3, lines);
  expect_conflict(&fixture, rewrite(&fixture, fixture.ledger, one, 0, 1), "rewrites");
  check_ok(rewrite(&fixture, fixture.ledger, one, 1, 1), &fixture.world->err);
  close_fixture(&fixture);
}

static void a_changed_property_is_a_conflict(void **state) {
  (void)state;
  struct fixture fixture;
  struct ap_buffer first;
  char lines[4096];
  open_fixture(&fixture, NULL);
  ap_buffer_init(&first, ap_allocator_system());
  ap_ledger_world_get(fixture.world, "_delta_log/00000000000000000000.json", &first);
  const char *metadata = strstr(first.data, "{\"metaData\"");
  assert_non_null(metadata);
  const char *configuration = strstr(metadata, "\"configuration\":{");
  assert_non_null(configuration);
  int before = (int)(configuration - metadata) + (int)strlen("\"configuration\":{");
  (void)snprintf(lines, sizeof(lines), "%.*s\"a\":\"b\"%s", before, metadata, metadata + before);
  *strchr(lines, '\n') = '\0';
  put_version(&fixture, 3, lines);
  ap_buffer_deinit(&first);
  expect_conflict(&fixture, rewrite(&fixture, fixture.ledger, one, 0, 1), "was altered");
  close_fixture(&fixture);
}

static void a_base_whose_log_is_gone_counts_while_it_is_the_latest(void **state) {
  (void)state;
  struct fixture fixture;
  int64_t version = 0;
  open_fixture(&fixture, NULL);
  check_ok(ap_ledger_checkpoint(fixture.ledger, &version, &fixture.world->err),
           &fixture.world->err);
  ap_ledger_world_remove(fixture.world, "_delta_log/00000000000000000002.json");
  check_ok(rewrite(&fixture, fixture.ledger, one, 0, 1), &fixture.world->err);
  expect_conflict(&fixture, rewrite(&fixture, fixture.ledger, one, 1, 1), "cleaned away");
  close_fixture(&fixture);
}

static void lost_replies_are_recognised(void **state) {
  (void)state;
  struct fixture fixture;
  open_fixture(&fixture, NULL);
  ap_faulty_store_arm(&fixture.world->faulty, AP_STORE_FAULT_AFTER, AP_STORE_PUT_IF_ABSENT, 1);
  check_ok(rewrite(&fixture, fixture.ledger, one, 0, 1), &fixture.world->err);
  assert_int_equal(fixture.world->faulty.faults, 1);
  expect_cells(&fixture, 3);
  close_fixture(&fixture);
}

/* ---- the words ------------------------------------------------------------------------------- */

static void a_cell_comes_again_with_a_deletion_vector(void **state) {
  (void)state;
  struct fixture fixture;
  struct ap_commit_result result;
  struct ap_buffer text;
  open_fixture(&fixture, NULL);
  struct ap_cell_draft draft = {
      .again = fixture.base->cells[1],
      .deletion_vector = {.storage_type = 'i',
                          .path_or_inline = AP_TEXT("wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkb"
                                                    "i5=-{L"),
                          .offset = -1,
                          .size_bytes = 40,
                          .cardinality = 6}};
  struct ap_commit commit = {
      .kind = AP_COMMIT_REWRITE,
      .adds = &draft,
      .add_count = 1,
      .schema_id = fixture.base->schema_id,
      .base = fixture.base,
      .removed_cells = &fixture.base->cells[1],
      .removed_cell_count = 1,
      .operation = AP_TEXT("DELETE"),
      .operation_parameters_json = AP_TEXT("{\"predicate\":\"[\\\"(id < 6)\\\"]\"}"),
      .operation_metrics_json = AP_TEXT("{\"numDeletedRows\":\"6\"}"),
      .action_lines = AP_TEXT("{\"cdc\":{\"path\":\"_change_data/x\",\"partitionValues\":{},"
                              "\"size\":1,\"dataChange\":false}}\n"),
  };
  check_ok(ap_ledger_commit(fixture.ledger, &commit, &result, &fixture.world->err),
           &fixture.world->err);
  struct ap_snapshot *snapshot = latest(&fixture, fixture.other);
  assert_int_equal(snapshot->cell_count, 3);
  assert_int_equal(snapshot->row_count, 24);
  assert_int_equal(snapshot->cells[1]->deletion_vector.cardinality, 6);
  check_text(snapshot->cells[1]->statistics_json, "{\"numRecords\":10}");
  assert_int_equal(snapshot->cells[1]->own, true);
  ap_snapshot_release(snapshot);
  ap_buffer_init(&text, ap_allocator_system());
  ap_ledger_world_get(fixture.world, "_delta_log/00000000000000000003.json", &text);
  check_contains(text.data, "\"operation\":\"DELETE\",\"operationParameters\":{\"predicate\":");
  check_contains(text.data, "\"operationMetrics\":{\"numDeletedRows\":\"6\"}");
  check_contains(text.data, "\"readVersion\":2,");
  check_contains(text.data, "\"isBlindAppend\":false");
  check_contains(text.data, "{\"cdc\":{");
  check_contains(text.data, "\"deletionVector\":{\"storageType\":\"i\"");
  ap_buffer_deinit(&text);
  close_fixture(&fixture);
}

/* ---- transfers ------------------------------------------------------------------------------- */

struct teller {
  struct ap_ledger_world *world;
  struct ap_ledger *ledger;
  struct ap_seeded_random random;
  uint32_t number;
  uint32_t conflicts;
  ap_error err;
  ap_status status;
};

static int64_t rows_of(const struct ap_cell *cell) {
  int64_t rows = -1;
  (void)sscanf(cell->statistics_json.data, "{\"numRecords\":%" SCNd64, &rows);
  return rows;
}

/* An account is a cell, its balance the cell's rows: both cells go and come with other counts. */
static ap_status transfer_once(struct teller *teller, uint32_t sequence) {
  struct ap_snapshot *base = NULL;
  struct ap_commit_result result;
  char paths[2][64];
  char statistics[2][64];
  struct ap_cell_draft drafts[2];
  AP_TRY(ap_ledger_snapshot(teller->ledger, AP_AT_LATEST, 0, &base, &teller->err));
  uint32_t first = (uint32_t)ap_random_below(&teller->random.base, base->cell_count - 1);
  int64_t left = rows_of(base->cells[first]);
  int64_t moved = (int64_t)ap_random_below(&teller->random.base, (uint64_t)left + 1);
  const int64_t rows[2] = {left - moved, rows_of(base->cells[first + 1]) + moved};
  for (int i = 0; i < 2; i++) {
    (void)snprintf(paths[i], sizeof(paths[i]), "%08" PRIx64 "-%u-%u-%d.parquet",
                   ap_random_below(&teller->random.base, UINT32_MAX), teller->number, sequence, i);
    (void)snprintf(statistics[i], sizeof(statistics[i]), "{\"numRecords\":%" PRId64 "}", rows[i]);
    drafts[i] = (struct ap_cell_draft){.path = ap_text_of(paths[i]),
                                       .size_bytes = 1,
                                       .row_count = rows[i],
                                       .statistics_json = ap_text_of(statistics[i])};
  }
  const struct ap_commit commit = {.kind = AP_COMMIT_REWRITE,
                                   .adds = drafts,
                                   .add_count = 2,
                                   .schema_id = base->schema_id,
                                   .base = base,
                                   .removed_cells = base->cells + first,
                                   .removed_cell_count = 2,
                                   .operation = AP_TEXT("UPDATE")};
  ap_status status = ap_ledger_commit(teller->ledger, &commit, &result, &teller->err);
  ap_snapshot_release(base);
  return status;
}

static void tell(void *context) {
  struct teller *teller = context;
  for (uint32_t i = 0; i < TRANSFERS && teller->status == AP_OK;) {
    teller->status = transfer_once(teller, i);
    if (teller->status == AP_CONFLICT) {
      teller->status = AP_OK;
      teller->conflicts++;
    } else {
      i++;
    }
  }
}

static uint32_t run_bank(uint64_t seed) {
  struct ap_ledger_world *world = ap_ledger_world_create(seed);
  struct ap_ledger *ledger = ap_ledger_world_open(world);
  struct ap_thread *threads[THREADS];
  struct teller tellers[THREADS];
  struct ap_commit_result result;
  struct ap_snapshot *snapshot = NULL;
  uint32_t conflicts = 0;
  struct ap_property property = {AP_TEXT("delta.checkpointInterval"), AP_TEXT("7")};
  struct ap_world_write accounts = {.cell_count = ACCOUNTS, .rows_per_cell = BALANCE};
  check_ok(ap_ledger_world_create_table(world, ledger, false, &property, 1), &world->err);
  check_ok(ap_ledger_world_write(world, ledger, &accounts, &result, &world->err), &world->err);
  for (uint32_t i = 0; i < THREADS; i++) {
    tellers[i] = (struct teller){
        .world = world, .ledger = seed % 2 ? ledger : ap_ledger_world_open(world), .number = i};
    ap_seeded_random_init(&tellers[i].random, seed * THREADS + i);
    check_ok(
        world->env.threads->spawn(world->env.threads, tell, &tellers[i], &threads[i], &world->err),
        &world->err);
  }
  for (int i = 0; i < THREADS; i++) {
    world->env.threads->join(world->env.threads, threads[i]);
    check_ok(tellers[i].status, &tellers[i].err);
    conflicts += tellers[i].conflicts;
    if (tellers[i].ledger != ledger) ap_ledger_close(tellers[i].ledger);
  }
  for (int64_t version = 1; version <= 1 + THREADS * TRANSFERS; version++) {
    check_ok(ap_ledger_snapshot(ledger, AP_AT_VERSION, version, &snapshot, &world->err),
             &world->err);
    assert_int_equal(snapshot->cell_count, ACCOUNTS);
    assert_int_equal(snapshot->row_count, ACCOUNTS * BALANCE);
    ap_snapshot_release(snapshot);
  }
  ap_ledger_close(ledger);
  ap_ledger_world_destroy(world);
  return conflicts;
}

static void transfers_keep_the_sum(void **state) {
  (void)state;
  uint64_t seed = ap_test_seed("transfers_keep_the_sum");
  uint64_t rounds = ap_test_rounds(20);
  uint32_t conflicts = 0;
  for (uint64_t round = 0; round < rounds; round++) conflicts += run_bank(seed + round);
  assert_true(conflicts > 0); /* else nothing was tested */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_append_in_between_is_no_matter_unless_it_was_read),
      cmocka_unit_test(a_cell_goes_once),
      cmocka_unit_test(what_was_read_must_not_go),
      cmocka_unit_test(moved_rows_are_no_change),
      cmocka_unit_test(append_only_frames_may_be_compacted),
      cmocka_unit_test(another_deletion_vector_is_a_change),
      cmocka_unit_test(a_changed_property_is_a_conflict),
      cmocka_unit_test(a_base_whose_log_is_gone_counts_while_it_is_the_latest),
      cmocka_unit_test(lost_replies_are_recognised),
      cmocka_unit_test(a_cell_comes_again_with_a_deletion_vector),
      cmocka_unit_test(transfers_keep_the_sum),
  };
  return AP_RUN_TESTS(tests);
}
