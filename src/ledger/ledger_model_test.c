/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: whatever several writers do to one frame, every reader sees what a serial history gives,
 * and a snapshot carried forward equals one made from nothing. Method: random histories of appends,
 * overwrites, transactions, checkpoints, clean-ups and power failures, by ledgers that each cache
 * what they know, against a model of a list of paths per version; then threads of the simulation
 * racing on one frame.
 */
#include "ledger/ledger.h"

#include "testing/check.h"
#include "testing/ledger_world.h"
#include "testing/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { WRITERS = 4, VERSIONS_MAX = 120, PATHS_MAX = 600, CELLS_PER_WRITE = 5, THREADS = 4 };

/* The model: which paths are in the frame at each version. */
struct model {
  char paths[PATHS_MAX][64];
  uint32_t path_count;
  bool present[VERSIONS_MAX][PATHS_MAX];
  int64_t rows[PATHS_MAX];
  int64_t apps[WRITERS];
  int64_t version;
};

struct run {
  struct ap_ledger_world *world;
  struct ap_ledger *writers[WRITERS];
  struct ap_seeded_random random;
  struct model *model;
};

static uint32_t below(struct run *run, uint32_t bound) {
  return (uint32_t)ap_random_below(&run->random.base, bound);
}

static int order_texts(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The model's paths at a version against the snapshot's. */
static void check_snapshot(const struct model *model, const struct ap_snapshot *snapshot) {
  const char *expected[PATHS_MAX];
  size_t count = 0;
  int64_t rows = 0;
  assert_true(snapshot->version <= model->version);
  for (uint32_t i = 0; i < model->path_count; i++) {
    if (!model->present[snapshot->version][i]) continue;
    expected[count++] = model->paths[i];
    rows += model->rows[i];
  }
  qsort(expected, count, sizeof(*expected), order_texts);
  assert_int_equal(snapshot->cell_count, count);
  for (size_t i = 0; i < count; i++) check_text(snapshot->cells[i]->path, expected[i]);
  assert_int_equal(snapshot->row_count, rows);
}

static void check_latest(struct run *run, struct ap_ledger *ledger) {
  struct ap_snapshot *snapshot = NULL;
  char app[16];
  check_ok(ap_ledger_snapshot(ledger, AP_AT_LATEST, 0, &snapshot, &run->world->err),
           &run->world->err);
  assert_int_equal(snapshot->version, run->model->version);
  check_snapshot(run->model, snapshot);
  for (int i = 0; i < WRITERS; i++) {
    (void)snprintf(app, sizeof(app), "app-%d", i);
    assert_int_equal(ap_snapshot_app_version(snapshot, ap_text_of(app)), run->model->apps[i]);
  }
  ap_snapshot_release(snapshot);
}

static void model_write(struct model *model, const struct ap_world_write *write,
                        char (*paths)[64]) {
  bool *before = model->present[model->version];
  bool *after = model->present[++model->version];
  assert_true(model->version < VERSIONS_MAX);
  for (uint32_t i = 0; i < model->path_count; i++) {
    size_t day_size = strlen(write->day);
    bool goes = write->overwrite &&
                (!write->replace_day || (strncmp(model->paths[i], write->day, day_size) == 0 &&
                                         model->paths[i][day_size] == '/'));
    after[i] = before[i] && !goes;
  }
  for (uint32_t i = 0; i < write->cell_count; i++) {
    assert_true(model->path_count < PATHS_MAX);
    memcpy(model->paths[model->path_count], paths[i], sizeof(paths[i]));
    model->rows[model->path_count] = write->rows_per_cell;
    after[model->path_count++] = true;
  }
}

static void random_write(struct run *run, uint32_t writer) {
  static const char *const days[] = {"monday", "tuesday", "a day with ümläuts & %41"};
  char paths[CELLS_PER_WRITE][64];
  char app[16];
  struct ap_commit_result result;
  struct ap_world_write write = {
      .overwrite = below(run, 4) == 0,
      .replace_day = below(run, 2) == 0,
      .day = days[below(run, 3)],
      .cell_count = below(run, CELLS_PER_WRITE),
      .rows_per_cell = below(run, 1000),
      .out_paths = paths,
  };
  write.replace_day = write.replace_day && write.overwrite;
  (void)snprintf(app, sizeof(app), "app-%u", writer);
  if (below(run, 3) == 0) {
    write.app_id = app;
    write.app_version = run->model->apps[writer] + below(run, 3);
    if (write.app_version < 0) write.app_version = 0;
  }
  check_ok(
      ap_ledger_world_write(run->world, run->writers[writer], &write, &result, &run->world->err),
      &run->world->err);
  bool reached = write.app_id && run->model->apps[writer] >= write.app_version;
  assert_int_equal(result.skipped, reached);
  if (reached) return;
  assert_int_equal(result.version, run->model->version + 1);
  model_write(run->model, &write, paths);
  if (write.app_id) run->model->apps[writer] = write.app_version;
}

/* What a handle that followed all along holds, word by word, is what a new one reads. */
static void check_fresh_equals(struct run *run, struct ap_ledger *known) {
  struct ap_ledger *other = ap_ledger_world_open(run->world);
  struct ap_ledger *both[2] = {known, other};
  struct ap_buffer texts[2];
  int64_t now_ms = ap_clock_wall_ms(run->world->env.clock);
  for (int i = 0; i < 2; i++) {
    struct ap_snapshot *snapshot = NULL;
    ap_buffer_init(&texts[i], ap_allocator_system());
    check_ok(ap_ledger_snapshot(both[i], AP_AT_LATEST, 0, &snapshot, &run->world->err),
             &run->world->err);
    ap_ledger_world_describe(snapshot, now_ms, &texts[i]);
    ap_snapshot_release(snapshot);
  }
  assert_string_equal(texts[0].data, texts[1].data);
  ap_buffer_deinit(&texts[0]);
  ap_buffer_deinit(&texts[1]);
  ap_ledger_close(other);
}

static void random_step(struct run *run) {
  uint32_t writer = below(run, WRITERS);
  struct ap_snapshot *snapshot = NULL;
  int64_t version = 0;
  uint32_t kind = below(run, 20);
  ap_sim_advance_ms(run->world->sim, below(run, 5000));
  if (kind < 13) {
    random_write(run, writer);
  } else if (kind < 15) {
    check_latest(run, run->writers[writer]);
  } else if (kind == 15) {
    check_fresh_equals(run, run->writers[writer]);
  } else if (kind == 16) {
    check_ok(ap_ledger_checkpoint(run->writers[writer], &version, &run->world->err),
             &run->world->err);
    assert_int_equal(version, run->model->version);
  } else if (kind == 17) {
    ap_ledger_close(run->writers[writer]);
    run->writers[writer] = ap_ledger_world_open(run->world);
  } else if (kind == 18) {
    version = below(run, (uint32_t)run->model->version + 1);
    ap_status status = ap_ledger_snapshot(run->writers[writer], AP_AT_VERSION, version, &snapshot,
                                          &run->world->err);
    if (status == AP_NOT_FOUND) return; /* cleaned away */
    check_ok(status, &run->world->err);
    assert_int_equal(snapshot->version, version);
    check_snapshot(run->model, snapshot);
    ap_snapshot_release(snapshot);
  } else {
    /* the power fails: every commit was acknowledged, so nothing may be missing */
    ap_sim_crash(run->world->sim, below(run, 2) ? AP_SIM_CRASH_FORGETS : AP_SIM_CRASH_GAMBLES);
    ap_ledger_world_reopen_store(run->world);
  }
}

static void random_histories_follow_the_model(void **state) {
  (void)state;
  uint64_t seed = ap_test_seed("random_histories_follow_the_model");
  uint64_t rounds = ap_test_rounds(60);
  for (uint64_t round = 0; round < rounds; round++) {
    struct run run = {.world = ap_ledger_world_create(seed + round)};
    ap_seeded_random_init(&run.random, seed + round);
    run.model = ap_allocate_zeroed(ap_allocator_system(), 1, sizeof(*run.model));
    for (int i = 0; i < WRITERS; i++) {
      run.writers[i] = ap_ledger_world_open(run.world);
      run.model->apps[i] = -1;
    }
    struct ap_property properties[] = {
        {AP_TEXT("delta.checkpointInterval"), AP_TEXT("7")},
        {AP_TEXT("delta.logRetentionDuration"), AP_TEXT("interval 1 minute")},
        {AP_TEXT("delta.deletedFileRetentionDuration"), AP_TEXT("interval 40 seconds")}};
    check_ok(ap_ledger_world_create_table(run.world, run.writers[0], true, properties,
                                          (uint32_t)below(&run, 4)),
             &run.world->err);
    for (int step = 0; step < 100; step++) random_step(&run);
    for (int i = 0; i < WRITERS; i++) {
      check_latest(&run, run.writers[i]);
      check_fresh_equals(&run, run.writers[i]);
      ap_ledger_close(run.writers[i]);
    }
    ap_free(ap_allocator_system(), run.model);
    ap_ledger_world_destroy(run.world);
  }
}

/* Racing threads. */

struct racer {
  struct ap_ledger_world *world;
  struct ap_ledger *ledger;
  uint32_t number;
  uint32_t writes;
  bool overwrites;
  int64_t versions[64];
  ap_error err;
  ap_status status;
};

static void race(void *context) {
  struct racer *racer = context;
  char path[64];
  char statistics[64];
  for (uint32_t i = 0; i < racer->writes && racer->status == AP_OK; i++) {
    struct ap_commit_result result;
    (void)snprintf(path, sizeof(path), "racer-%u-%u.parquet", racer->number, i);
    (void)snprintf(statistics, sizeof(statistics), "{\"numRecords\":1}");
    struct ap_cell_draft draft = {.path = ap_text_of(path),
                                  .size_bytes = 1,
                                  .row_count = 1,
                                  .statistics_json = ap_text_of(statistics)};
    struct ap_commit commit = {
        .kind = racer->overwrites && i % 3 == 2 ? AP_COMMIT_OVERWRITE : AP_COMMIT_APPEND,
        .adds = &draft,
        .add_count = 1,
        .schema_id = ap_schema_id(&racer->world->schema)};
    racer->status = ap_ledger_commit(racer->ledger, &commit, &result, &racer->err);
    racer->versions[i] = result.version;
  }
}

/* Every version holds exactly the commit of one racer: adds are appended to what was there, or
 * replace all of it. */
static void check_serial(struct ap_ledger_world *world, struct racer *racers, int64_t last) {
  struct ap_ledger *ledger = ap_ledger_world_open(world);
  uint32_t cells = 0;
  for (int64_t version = 1; version <= last; version++) {
    struct ap_snapshot *snapshot = NULL;
    int owners = 0;
    bool overwrote = false;
    for (int i = 0; i < THREADS; i++) {
      for (uint32_t k = 0; k < racers[i].writes; k++) {
        if (racers[i].versions[k] != version) continue;
        owners++;
        overwrote = racers[i].overwrites && k % 3 == 2;
      }
    }
    assert_int_equal(owners, 1);
    cells = overwrote ? 1 : cells + 1;
    check_ok(ap_ledger_snapshot(ledger, AP_AT_VERSION, version, &snapshot, &world->err),
             &world->err);
    assert_int_equal(snapshot->cell_count, cells);
    ap_snapshot_release(snapshot);
  }
  ap_ledger_close(ledger);
}

static void run_race(uint64_t seed, bool overwrites, bool share_ledger) {
  struct ap_ledger_world *world = ap_ledger_world_create(seed);
  const struct ap_env *env = &world->env;
  struct ap_thread *threads[THREADS];
  struct racer racers[THREADS];
  struct ap_ledger *shared = ap_ledger_world_open(world);
  struct ap_property property = {AP_TEXT("delta.checkpointInterval"), AP_TEXT("5")};
  check_ok(ap_ledger_world_create_table(world, shared, false, &property, 1), &world->err);
  for (uint32_t i = 0; i < THREADS; i++) {
    racers[i] = (struct racer){.world = world,
                               .ledger = share_ledger ? shared : ap_ledger_world_open(world),
                               .number = i,
                               .writes = 8,
                               .overwrites = overwrites};
    check_ok(env->threads->spawn(env->threads, race, &racers[i], &threads[i], &world->err),
             &world->err);
  }
  for (int i = 0; i < THREADS; i++) env->threads->join(env->threads, threads[i]);
  for (int i = 0; i < THREADS; i++) check_ok(racers[i].status, &racers[i].err);
  check_serial(world, racers, THREADS * 8);
  for (int i = 0; i < THREADS; i++) {
    if (!share_ledger) ap_ledger_close(racers[i].ledger);
  }
  ap_ledger_close(shared);
  ap_ledger_world_destroy(world);
}

static void races_have_a_serial_order(void **state) {
  (void)state;
  uint64_t seed = ap_test_seed("races_have_a_serial_order");
  uint64_t rounds = ap_test_rounds(40);
  for (uint64_t round = 0; round < rounds; round++) {
    run_race(seed + round, round % 2 == 1, round % 4 >= 2);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_histories_follow_the_model),
      cmocka_unit_test(races_have_a_serial_order),
  };
  return AP_RUN_TESTS(tests);
}
