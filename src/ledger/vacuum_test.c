/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: vacuum removes just what no version within the retention needs, and never more.
 * Method: a ledger in simulation whose clock is moved; files of every kind beside it; what goes is
 * compared with a list written by hand.
 */
#include "ledger/ledger.h"

#include "testing/check.h"
#include "testing/ledger_world.h"

#include <stdio.h>
#include <string.h>

enum { DAY_MS = 24 * 3600 * 1000 };

struct seen {
  char paths[16][64];
  uint32_t count;
};

static ap_status see(void *context, const struct ap_vacuum_file *file, ap_error *err) {
  struct seen *seen = context;
  (void)err;
  assert_true(seen->count < 16);
  (void)snprintf(seen->paths[seen->count++], sizeof seen->paths[0], "%.*s",
                 AP_TEXT_ARG(file->path));
  return AP_OK;
}

static bool has_seen(const struct seen *seen, const char *path) {
  for (uint32_t i = 0; i < seen->count; i++) {
    if (strcmp(seen->paths[i], path) == 0) return true;
  }
  return false;
}

struct fixture {
  struct ap_ledger_world *world;
  struct ap_ledger *ledger;
  ap_error err;
};

static void set_up(struct fixture *fixture) {
  *fixture = (struct fixture){.world = ap_ledger_world_create(11)};
  fixture->ledger = ap_ledger_world_open(fixture->world);
  check_ok(ap_ledger_world_create_table(fixture->world, fixture->ledger, false, NULL, 0),
           &fixture->err);
}

static void tear_down(struct fixture *fixture) {
  ap_ledger_close(fixture->ledger);
  ap_ledger_world_destroy(fixture->world);
}

static ap_status run(struct fixture *fixture, int64_t retain_ms, bool dry_run, struct seen *seen) {
  *seen = (struct seen){0};
  const struct ap_vacuum_options options = {
      .retain_ms = retain_ms, .dry_run = dry_run, .visit = see, .context = seen};
  ap_error_clear(&fixture->err);
  return ap_ledger_vacuum(fixture->ledger, &options, &fixture->err);
}

static void pass_days(struct fixture *fixture, int64_t days) {
  ap_sim_advance_ms(fixture->world->sim, days * DAY_MS);
}

static void write_cells(struct fixture *fixture, bool overwrite, char (*out_paths)[64]) {
  struct ap_commit_result result;
  const struct ap_world_write write = {
      .overwrite = overwrite, .cell_count = 1, .rows_per_cell = 3, .out_paths = out_paths};
  check_ok(ap_ledger_world_write(fixture->world, fixture->ledger, &write, &result, &fixture->err),
           &fixture->err);
  if (out_paths) ap_ledger_world_put(fixture->world, out_paths[0], AP_TEXT("rows"));
}

static void keeps_what_is_needed(void **state) {
  (void)state;
  struct fixture fixture;
  struct seen seen;
  char old_path[1][64];
  char new_path[1][64];
  set_up(&fixture);
  write_cells(&fixture, false, old_path);
  ap_ledger_world_put(fixture.world, "stray.parquet", AP_TEXT("nobody's"));
  ap_ledger_world_put(fixture.world, "_hidden.parquet", AP_TEXT("somebody's"));
  ap_ledger_world_put(fixture.world, "day=1/.crc", AP_TEXT("somebody's"));
  ap_ledger_world_put(fixture.world, "_change_data/cdc.parquet", AP_TEXT("old"));
  pass_days(&fixture, 8);
  write_cells(&fixture, true, new_path);
  ap_ledger_world_put(fixture.world, "young.parquet", AP_TEXT("to be committed"));

  check_ok(run(&fixture, -1, true, &seen), &fixture.err);
  assert_int_equal(seen.count, 2);
  assert_true(has_seen(&seen, "stray.parquet"));
  assert_true(has_seen(&seen, "_change_data/cdc.parquet"));
  assert_true(ap_ledger_world_has(fixture.world, "stray.parquet")); /* a dry run */

  check_ok(run(&fixture, -1, false, &seen), &fixture.err);
  assert_int_equal(seen.count, 2);
  assert_false(ap_ledger_world_has(fixture.world, "stray.parquet"));
  assert_true(ap_ledger_world_has(fixture.world, "_hidden.parquet"));
  assert_true(ap_ledger_world_has(fixture.world, "day=1/.crc"));
  assert_true(ap_ledger_world_has(fixture.world, old_path[0]));

  pass_days(&fixture, 8); /* now the old cell was removed long ago */
  check_ok(run(&fixture, 30 * (int64_t)DAY_MS, false, &seen), &fixture.err);
  assert_int_equal(seen.count, 0);
  check_ok(run(&fixture, -1, false, &seen), &fixture.err);
  assert_int_equal(seen.count, 2);
  assert_true(has_seen(&seen, old_path[0]));
  assert_true(has_seen(&seen, "young.parquet"));
  assert_true(ap_ledger_world_has(fixture.world, new_path[0]));
  tear_down(&fixture);
}

/* The snapshot forgets tombstones that have expired; the commits tell of them still. */
static void longer_retention_reads_commits(void **state) {
  (void)state;
  struct fixture fixture;
  struct seen seen;
  char old_path[1][64];
  set_up(&fixture);
  write_cells(&fixture, false, old_path);
  pass_days(&fixture, 30);
  write_cells(&fixture, true, NULL);
  pass_days(&fixture, 10);
  ap_ledger_close(fixture.ledger);
  fixture.ledger = ap_ledger_world_open(fixture.world);
  check_ok(run(&fixture, 20 * (int64_t)DAY_MS, true, &seen), &fixture.err);
  assert_int_equal(seen.count, 0);
  check_ok(run(&fixture, 7 * (int64_t)DAY_MS, true, &seen), &fixture.err);
  assert_int_equal(seen.count, 1);
  tear_down(&fixture);
}

static void guards_the_retention(void **state) {
  (void)state;
  struct fixture fixture;
  struct seen seen;
  set_up(&fixture);
  check_status(run(&fixture, 3600 * 1000, false, &seen), AP_INVALID_ARGUMENT, &fixture.err);
  assert_non_null(strstr(fixture.err.message, "delta.deletedFileRetentionDuration"));
  tear_down(&fixture);
}

static ap_status note(void *context, struct ap_text object, struct ap_text finding, ap_error *err) {
  struct seen *seen = context;
  (void)object;
  (void)err;
  assert_true(seen->count < 16);
  (void)snprintf(seen->paths[seen->count++], sizeof seen->paths[0], "%.*s", AP_TEXT_ARG(finding));
  return AP_OK;
}

static void verify_tells_of_a_broken_checkpoint(void **state) {
  (void)state;
  struct fixture fixture;
  struct ap_snapshot *snapshot = NULL;
  struct seen seen = {0};
  int64_t version = 0;
  set_up(&fixture);
  write_cells(&fixture, false, NULL);
  check_ok(ap_ledger_checkpoint(fixture.ledger, &version, &fixture.err), &fixture.err);
  write_cells(&fixture, false, NULL);
  check_ok(ap_ledger_verify(fixture.ledger, note, &seen, &snapshot, &fixture.err), &fixture.err);
  assert_int_equal(seen.count, 0);
  assert_int_equal(snapshot->cell_count, 2);
  ap_snapshot_release(snapshot);
  ap_ledger_world_put(fixture.world, "_delta_log/00000000000000000001.checkpoint.parquet",
                      AP_TEXT("broken"));
  check_ok(ap_ledger_verify(fixture.ledger, note, &seen, &snapshot, &fixture.err), &fixture.err);
  assert_int_equal(seen.count, 1);
  assert_int_equal(snapshot->version, 2);
  ap_snapshot_release(snapshot);
  tear_down(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(keeps_what_is_needed),
      cmocka_unit_test(longer_retention_reads_commits),
      cmocka_unit_test(guards_the_retention),
      cmocka_unit_test(verify_tells_of_a_broken_checkpoint),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
