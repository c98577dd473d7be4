/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: whatever fails, and whenever, a commit is there whole or not at all, an acknowledged one is
 * there, the frame opens, and errors are clear.
 * Method: one script of create, appends, an overwrite, rewrites, deletion vectors, a replacement
 * and a checkpoint; every store call of it made to fail in turn in four ways, every file-system
 * call made the moment of a power loss, every allocation made to fail, replies lost while rivals
 * commit.
 */
#include "ledger/ledger.h"

#include "testing/check.h"
#include "testing/ledger_world.h"
#include "testing/random.h"

#include <stdio.h>

enum { STEPS = 11, CELLS = 2, ROWS_PER_CELL = 1000 };

enum step_kind {
  STEP_CREATE,
  STEP_APPEND,
  STEP_OVERWRITE,
  STEP_REWRITE,
  STEP_MARK,
  STEP_REPLACE,
  STEP_CHECKPOINT,
};

static const enum step_kind script[STEPS] = {
    STEP_CREATE, STEP_APPEND,  STEP_APPEND, STEP_OVERWRITE, STEP_APPEND,    STEP_REWRITE,
    STEP_MARK,   STEP_REPLACE, STEP_MARK,   STEP_APPEND,    STEP_CHECKPOINT};

static const struct ap_property properties[] = {
    {AP_TEXT("delta.checkpointInterval"), AP_TEXT("2")},
    {AP_TEXT("delta.enableDeletionVectors"), AP_TEXT("true")},
};

struct outcome {
  ap_status status[STEPS];
  char paths[STEPS][CELLS][64];
};

/* All cells go, new ones come. */
static ap_status rewrite(struct ap_ledger_world *world, struct ap_ledger *ledger,
                         struct ap_world_write *write) {
  struct ap_commit_result result;
  AP_TRY(ap_ledger_snapshot(ledger, AP_AT_LATEST, 0, &write->base, &world->err));
  write->removed = write->base->cells;
  write->removed_count = write->base->cell_count;
  write->reads_all = true;
  ap_status status = ap_ledger_world_write(world, ledger, write, &result, &world->err);
  ap_snapshot_release(write->base);
  return status;
}

static ap_status commit_marks(struct ap_ledger_world *world, struct ap_ledger *ledger,
                              struct ap_snapshot *base, struct ap_arena *arena,
                              struct ap_text *out_key) {
  static const struct ap_cell_draft no_draft;
  uint64_t rows[ROWS_PER_CELL / 5];
  struct ap_deleted_rows sets[2 * CELLS];
  struct ap_deletion_vector vectors[2 * CELLS];
  struct ap_cell_draft drafts[2 * CELLS] = {no_draft};
  struct ap_commit_result result;
  for (uint64_t i = 0; i < ROWS_PER_CELL / 5; i++) rows[i] = 5 * i;
  assert_true(base->cell_count <= 2 * CELLS);
  for (uint32_t i = 0; i < base->cell_count; i++) {
    sets[i] = (struct ap_deleted_rows){rows, ROWS_PER_CELL / 5};
  }
  AP_TRY(ap_ledger_write_deleted_rows(ledger, sets, base->cell_count, arena, vectors, out_key,
                                      &world->err));
  for (uint32_t i = 0; i < base->cell_count; i++) {
    AP_TRY(ap_ledger_mark_cell(base->cells[i], &vectors[i], arena, &drafts[i], &world->err));
  }
  const struct ap_commit commit = {.kind = AP_COMMIT_REWRITE,
                                   .adds = drafts,
                                   .add_count = base->cell_count,
                                   .base = base,
                                   .removed_cells = base->cells,
                                   .removed_cell_count = base->cell_count,
                                   .schema_id = base->schema_id,
                                   .operation = AP_TEXT("DELETE")};
  return ap_ledger_commit(ledger, &commit, &result, &world->err);
}

/* Some rows of every cell go by vectors, which are too large for the log. */
static ap_status mark(struct ap_ledger_world *world, struct ap_ledger *ledger) {
  struct ap_snapshot *base = NULL;
  struct ap_arena arena;
  struct ap_text key = {NULL, 0};
  AP_TRY(ap_ledger_snapshot(ledger, AP_AT_LATEST, 0, &base, &world->err));
  ap_arena_init(&arena, world->env.allocator);
  ap_status status = commit_marks(world, ledger, base, &arena, &key);
  assert_true(status != AP_OK || key.size > 0);
  ap_arena_deinit(&arena);
  ap_snapshot_release(base);
  return status;
}

static ap_status replace_planned(struct ap_ledger_world *world, struct ap_ledger *ledger,
                                 struct ap_snapshot *base, struct ap_snapshot *planned,
                                 char (*paths)[64]) {
  struct ap_cell_draft drafts[CELLS];
  struct ap_commit_result result;
  for (uint32_t i = 0; i < CELLS; i++) {
    (void)snprintf(paths[i], sizeof paths[i], "replaced %u.parquet", world->next_cell++);
    drafts[i] = (struct ap_cell_draft){.path = ap_text_of(paths[i]),
                                       .size_bytes = 1,
                                       .row_count = ROWS_PER_CELL,
                                       .statistics_json = AP_TEXT("{\"numRecords\":1000}")};
  }
  const struct ap_commit commit = {.kind = AP_COMMIT_REPLACE,
                                   .base = base,
                                   .replacement = planned,
                                   .adds = drafts,
                                   .add_count = CELLS,
                                   .operation = AP_TEXT("CREATE OR REPLACE TABLE")};
  return ap_ledger_commit(ledger, &commit, &result, &world->err);
}

/* Another table of the same columns, with cells of its own. */
static ap_status replace(struct ap_ledger_world *world, struct ap_ledger *ledger,
                         char (*paths)[64]) {
  struct ap_snapshot *base = NULL;
  struct ap_snapshot *planned = NULL;
  const struct ap_table_definition definition = {
      .schema = &world->schema, .properties = properties, .property_count = 2};
  AP_TRY(ap_ledger_snapshot(ledger, AP_AT_LATEST, 0, &base, &world->err));
  ap_status status = ap_ledger_plan_replacement(ledger, base, &definition, &planned, &world->err);
  if (status == AP_OK) status = replace_planned(world, ledger, base, planned, paths);
  ap_snapshot_release(planned);
  ap_snapshot_release(base);
  return status;
}

static ap_status run_step(struct ap_ledger_world *world, struct ap_ledger *ledger, int step,
                          struct outcome *outcome) {
  struct ap_commit_result result;
  int64_t version = 0;
  struct ap_world_write write = {.overwrite = script[step] == STEP_OVERWRITE,
                                 .cell_count = CELLS,
                                 .rows_per_cell = ROWS_PER_CELL,
                                 .out_paths = outcome->paths[step]};
  ap_error_clear(&world->err);
  switch (script[step]) {
    case STEP_CREATE:
      return ap_ledger_world_create_table(world, ledger, false, properties, 2);
    case STEP_APPEND:
    case STEP_OVERWRITE:
      return ap_ledger_world_write(world, ledger, &write, &result, &world->err);
    case STEP_REWRITE:
      return rewrite(world, ledger, &write);
    case STEP_MARK:
      return mark(world, ledger);
    case STEP_REPLACE:
      return replace(world, ledger, outcome->paths[step]);
    case STEP_CHECKPOINT:
      break;
  }
  return ap_ledger_checkpoint(ledger, &version, &world->err);
}

/* Run the script to its first failure, or to the end of the step in which the fault struck, so that
 * no later step makes up for it. */
static void run_script(struct ap_ledger_world *world, struct outcome *outcome) {
  struct ap_ledger *ledger = ap_ledger_world_open(world);
  memset(outcome, 0, sizeof(*outcome));
  for (int i = 0; i < STEPS; i++) outcome->status[i] = AP_END;
  for (int i = 0; i < STEPS; i++) {
    outcome->status[i] = run_step(world, ledger, i, outcome);
    if (outcome->status[i] == AP_OK && !ap_sim_fault_struck(world->sim)) continue;
    if (outcome->status[i] == AP_OK) break;
    assert_int_equal(world->err.code, outcome->status[i]);
    assert_true(strlen(world->err.message) > 10);
    break;
  }
  ap_ledger_close(ledger);
}

static bool adds_cells(enum step_kind kind) {
  return kind == STEP_APPEND || kind == STEP_OVERWRITE || kind == STEP_REWRITE ||
         kind == STEP_REPLACE;
}

static uint32_t count_paths(const struct ap_snapshot *snapshot, char (*paths)[64]) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < snapshot->cell_count; i++) {
    for (int k = 0; k < CELLS; k++) {
      count += ap_text_equal_string(snapshot->cells[i]->path, paths[k]) ? 1 : 0;
    }
  }
  return count;
}

/* Cells whose rows are marked; each vector is there to be read. */
static uint32_t count_marked(struct ap_ledger_world *world, struct ap_ledger *ledger,
                             const struct ap_snapshot *snapshot) {
  struct ap_arena arena;
  uint32_t marked = 0;
  ap_arena_init(&arena, ap_allocator_system());
  for (uint32_t i = 0; i < snapshot->cell_count; i++) {
    const uint64_t *rows = NULL;
    uint64_t count = 0;
    if (snapshot->cells[i]->deletion_vector.storage_type == 0) continue;
    check_ok(ap_ledger_deleted_rows(ledger, snapshot->cells[i], &arena, &rows, &count, &world->err),
             &world->err);
    assert_int_equal(count, ROWS_PER_CELL / 5);
    assert_int_equal(rows[count - 1], ROWS_PER_CELL - 5);
    marked += 1;
  }
  ap_arena_deinit(&arena);
  return marked;
}

/* How many cells are there, and have vectors, when these steps are; the one that failed is. */
static void expect_cells(const struct outcome *outcome, int failed, bool failed_is_there,
                         uint32_t *out_cells, uint32_t *out_marked) {
  *out_cells = *out_marked = 0;
  for (int i = 0; i < STEPS; i++) {
    bool there = outcome->status[i] == AP_OK || (i == failed && failed_is_there);
    if (!there) continue;
    if (adds_cells(script[i]) && script[i] != STEP_APPEND) *out_cells = *out_marked = 0;
    if (adds_cells(script[i])) *out_cells += CELLS;
    if (script[i] == STEP_MARK) *out_marked = *out_cells;
  }
}

/* Steps before `failed` are there; the failed one is there whole or not; nothing else is. */
static void check_outcome(struct ap_ledger_world *world, struct outcome *outcome) {
  struct ap_ledger *ledger = ap_ledger_world_open(world);
  struct ap_snapshot *snapshot = NULL;
  ap_status status = ap_ledger_snapshot(ledger, AP_AT_LATEST, 0, &snapshot, &world->err);
  if (status == AP_NOT_FOUND && outcome->status[0] != AP_OK) {
    ap_ledger_close(ledger);
    return;
  }
  check_ok(status, &world->err);
  bool failed_is_there = false;
  int failed = STEPS;
  for (int i = STEPS - 1; i >= 0; i--) {
    if (outcome->status[i] != AP_OK && outcome->status[i] != AP_END) failed = i;
  }
  if (failed < STEPS && adds_cells(script[failed])) {
    uint32_t count = count_paths(snapshot, outcome->paths[failed]);
    assert_true(count == 0 || count == CELLS);
    failed_is_there = count == CELLS;
  }
  uint32_t marked = count_marked(world, ledger, snapshot);
  uint32_t expected = 0;
  uint32_t expected_marked = 0;
  if (failed < STEPS && script[failed] == STEP_MARK) {
    expect_cells(outcome, failed, true, &expected, &expected_marked);
    failed_is_there = marked == expected_marked;
  }
  expect_cells(outcome, failed, failed_is_there, &expected, &expected_marked);
  assert_int_equal(marked, expected_marked);
  assert_int_equal(snapshot->cell_count, expected);
  ap_snapshot_release(snapshot);
  /* and it can be written */
  check_ok(ap_ledger_world_append(world, ledger, &world->err), &world->err);
  ap_ledger_close(ledger);
}

static void every_store_call_may_fail(void **state) {
  (void)state;
  static const enum ap_store_fault faults[] = {AP_STORE_FAULT_BEFORE, AP_STORE_FAULT_NO_SPACE,
                                               AP_STORE_FAULT_AFTER, AP_STORE_FAULT_DOWN};
  int64_t struck = 0;
  for (size_t f = 0; f < sizeof(faults) / sizeof(faults[0]); f++) {
    for (int64_t n = 1;; n++) {
      struct ap_ledger_world *world = ap_ledger_world_create(3);
      struct outcome outcome;
      ap_faulty_store_arm(&world->faulty, faults[f], AP_STORE_ALL, n);
      run_script(world, &outcome);
      bool done = world->faulty.faults == 0;
      struck += done ? 0 : 1;
      ap_faulty_store_arm(&world->faulty, AP_STORE_FAULT_NONE, AP_STORE_ALL, 0);
      check_outcome(world, &outcome);
      for (int i = 0; done && i < STEPS; i++) assert_int_equal(outcome.status[i], AP_OK);
      ap_ledger_world_destroy(world);
      if (done) break;
    }
  }
  assert_true(struck > 100);
}

static void power_may_fail_at_every_file_call(void **state) {
  (void)state;
  static const enum ap_sim_fault faults[] = {AP_SIM_FAULT_POWER_LOSS, AP_SIM_FAULT_LOST_REPLY,
                                             AP_SIM_FAULT_IO, AP_SIM_FAULT_NO_SPACE,
                                             AP_SIM_FAULT_TORN_WRITE};
  for (size_t f = 0; f < sizeof(faults) / sizeof(faults[0]); f++) {
    bool done = false;
    for (int64_t n = 1; !done; n++) {
      for (int gamble = 0; gamble < 2; gamble++) {
        struct ap_ledger_world *world = ap_ledger_world_create((uint64_t)n);
        struct outcome outcome;
        ap_sim_fail_file_call(world->sim, n, faults[f]);
        run_script(world, &outcome);
        done = !ap_sim_fault_struck(world->sim);
        ap_sim_crash(world->sim, gamble ? AP_SIM_CRASH_GAMBLES : AP_SIM_CRASH_FORGETS);
        ap_ledger_world_reopen_store(world);
        check_outcome(world, &outcome);
        ap_ledger_world_destroy(world);
      }
    }
  }
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  bool done = false;
  for (int64_t n = 1; !done; n++) {
    struct ap_ledger_world *world = ap_ledger_world_create(3);
    struct outcome outcome;
    struct ap_ledger *ledger = ap_ledger_world_open(world);
    memset(&outcome, 0, sizeof(outcome));
    for (int i = 0; i < STEPS; i++) outcome.status[i] = AP_END;
    world->memory.allocations = 0;
    world->memory.failures = 0;
    world->memory.fail_at = n;
    for (int i = 0; i < STEPS; i++) {
      outcome.status[i] = run_step(world, ledger, i, &outcome);
      if (outcome.status[i] == AP_OK) continue;
      check_status(outcome.status[i], AP_OUT_OF_MEMORY, &world->err);
      break;
    }
    done = world->memory.failures == 0;
    world->memory.fail_at = 0;
    ap_ledger_close(ledger);
    check_outcome(world, &outcome);
    ap_ledger_world_destroy(world);
  }
}

static ap_status visit_nothing(void *context, const struct ap_history_entry *entry, ap_error *err) {
  (void)context;
  (void)err;
  return entry->version >= 0 ? AP_OK : AP_END;
}

static ap_status read_everything(void *context, struct ap_allocator *allocator, ap_error *err) {
  struct ap_ledger_world *world = context;
  struct ap_env env = world->env;
  struct ap_ledger *ledger = NULL;
  struct ap_snapshot *snapshot = NULL;
  env.allocator = allocator;
  AP_TRY(ap_ledger_open(&env, &world->faulty.base, &world->codec.base, AP_TEXT("hive/frame"),
                        &ledger, err));
  ap_status status = ap_ledger_snapshot(ledger, AP_AT_LATEST, 0, &snapshot, err);
  if (status == AP_OK) {
    ap_snapshot_release(snapshot);
    snapshot = NULL;
    status = ap_ledger_snapshot(ledger, AP_AT_VERSION, 2, &snapshot, err);
  }
  if (status == AP_OK) {
    ap_snapshot_release(snapshot);
    snapshot = NULL;
    status = ap_ledger_snapshot(ledger, AP_AT_TIMESTAMP, INT64_MAX, &snapshot, err);
  }
  if (status == AP_OK) status = ap_ledger_history(ledger, 0, visit_nothing, NULL, err);
  ap_snapshot_release(snapshot);
  ap_ledger_close(ledger);
  return status;
}

static void reading_survives_lack_of_memory(void **state) {
  (void)state;
  struct ap_ledger_world *world = ap_ledger_world_create(3);
  struct outcome outcome;
  run_script(world, &outcome);
  assert_true(ap_sweep_memory(read_everything, world) > 50);
  ap_ledger_world_destroy(world);
}

/* Rivals. */

struct rival {
  struct ap_ledger_world *world;
  struct ap_ledger *ledger;
  int left;         /* how often it is quicker */
  bool busy;        /* its own calls pass through the same store */
  const char *with; /* instead of an append: the file it puts as the next version */
};

static void rival_is_quicker(void *context, enum ap_store_operation operation, struct ap_text key) {
  struct rival *rival = context;
  if (rival->busy || rival->left == 0 || operation != AP_STORE_PUT_IF_ABSENT) return;
  rival->left -= 1;
  rival->busy = true;
  if (rival->with) {
    check_ok(ap_store_put_if_absent(rival->world->local, key, ap_text_of(rival->with),
                                    &rival->world->err),
             &rival->world->err);
  } else {
    check_ok(ap_ledger_world_append(rival->world, rival->ledger, &rival->world->err),
             &rival->world->err);
  }
  rival->busy = false;
}

static void losers_rebase(void **state) {
  (void)state;
  struct ap_ledger_world *world = ap_ledger_world_create(5);
  struct ap_ledger *ledger = ap_ledger_world_open(world);
  struct rival rival = {.world = world, .ledger = ap_ledger_world_open(world), .left = 0};
  struct ap_commit_result result;
  ap_faulty_store_set_hook(&world->faulty, rival_is_quicker, &rival);
  check_ok(ap_ledger_world_create_table(world, ledger, false, NULL, 0), &world->err);
  struct ap_world_write write = {.cell_count = 1, .rows_per_cell = 1};
  rival.left = 3;
  check_ok(ap_ledger_world_write(world, ledger, &write, &result, &world->err), &world->err);
  assert_int_equal(result.attempt_count, 4);
  assert_int_equal(result.version, 4);
  /* an overwrite removes what is there when it lands, the rivals' cells included */
  write.overwrite = true;
  rival.left = 2;
  check_ok(ap_ledger_world_write(world, ledger, &write, &result, &world->err), &world->err);
  assert_int_equal(result.version, 7);
  assert_int_equal(result.removed_count, 6);
  /* a rival that reaches our application's version makes us skip */
  struct ap_world_write once = {.cell_count = 1, .app_id = "app", .app_version = 1};
  rival.with = "{\"txn\":{\"appId\":\"app\",\"version\":5}}\n";
  rival.left = 1;
  check_ok(ap_ledger_world_write(world, ledger, &once, &result, &world->err), &world->err);
  assert_true(result.skipped);
  assert_int_equal(result.version, 8);
  /* a new protocol is a conflict that names both versions */
  rival.with = "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":3}}\n";
  rival.left = 1;
  check_status(ap_ledger_world_write(world, ledger, &write, &result, &world->err), AP_CONFLICT,
               &world->err);
  check_contains(world->err.message, "version 8");
  check_contains(world->err.message, "version 9");
  ap_ledger_close(rival.ledger);
  ap_ledger_close(ledger);
  ap_ledger_world_destroy(world);
}

static void lost_replies_are_recognised(void **state) {
  (void)state;
  struct ap_ledger_world *world = ap_ledger_world_create(5);
  struct ap_ledger *ledger = ap_ledger_world_open(world);
  struct rival rival = {.world = world, .ledger = ap_ledger_world_open(world)};
  struct ap_commit_result result;
  struct ap_snapshot *snapshot = NULL;
  ap_faulty_store_arm(&world->faulty, AP_STORE_FAULT_AFTER, AP_STORE_PUT_IF_ABSENT, 1);
  check_ok(ap_ledger_world_create_table(world, ledger, false, NULL, 0), &world->err);
  struct ap_world_write write = {.cell_count = 1, .rows_per_cell = 1};
  for (int i = 0; i < 5; i++) {
    write.overwrite = i == 3;
    ap_faulty_store_arm(&world->faulty, AP_STORE_FAULT_AFTER, AP_STORE_PUT_IF_ABSENT, 1);
    check_ok(ap_ledger_world_write(world, ledger, &write, &result, &world->err), &world->err);
    assert_int_equal(result.version, i + 1);
    assert_int_equal(result.removed_count, i == 3 ? 3 : 0);
    assert_int_equal(world->faulty.faults, 1);
  }
  /* a lost reply to a commit that a rival had beaten: ours comes after */
  ap_faulty_store_set_hook(&world->faulty, rival_is_quicker, &rival);
  rival.left = 1;
  ap_faulty_store_arm(&world->faulty, AP_STORE_FAULT_AFTER, AP_STORE_PUT_IF_ABSENT, 3);
  check_ok(ap_ledger_world_write(world, ledger, &write, &result, &world->err), &world->err);
  assert_int_equal(result.version, 7);
  check_ok(ap_ledger_snapshot(ledger, AP_AT_LATEST, 0, &snapshot, &world->err), &world->err);
  assert_int_equal(snapshot->version, 7);
  assert_int_equal(snapshot->cell_count, 4);
  ap_snapshot_release(snapshot);
  ap_ledger_close(rival.ledger);
  ap_ledger_close(ledger);
  ap_ledger_world_destroy(world);
}

/* The commit arrives, its reply does not, and then nothing can be read. */
struct silence {
  struct ap_ledger_world *world;
  bool fell;
};

static void fall_silent(void *context, enum ap_store_operation operation, struct ap_text key) {
  struct silence *silence = context;
  (void)key;
  if (operation == AP_STORE_PUT_IF_ABSENT) {
    silence->fell = true;
    ap_faulty_store_arm(&silence->world->faulty, AP_STORE_FAULT_AFTER, AP_STORE_PUT_IF_ABSENT, 1);
  } else if (silence->fell) {
    ap_faulty_store_arm(&silence->world->faulty, AP_STORE_FAULT_DOWN, AP_STORE_ALL, 1);
  }
}

static void an_unreadable_outcome_is_told(void **state) {
  (void)state;
  struct ap_ledger_world *world = ap_ledger_world_create(5);
  struct ap_ledger *ledger = ap_ledger_world_open(world);
  struct ap_snapshot *snapshot = NULL;
  struct silence silence = {.world = world};
  check_ok(ap_ledger_world_create_table(world, ledger, false, NULL, 0), &world->err);
  ap_faulty_store_set_hook(&world->faulty, fall_silent, &silence);
  check_status(ap_ledger_world_append(world, ledger, &world->err), AP_OUTCOME_UNKNOWN, &world->err);
  check_contains(world->err.message, "version 1");
  ap_faulty_store_set_hook(&world->faulty, NULL, NULL);
  ap_faulty_store_arm(&world->faulty, AP_STORE_FAULT_NONE, AP_STORE_ALL, 0);
  check_ok(ap_ledger_snapshot(ledger, AP_AT_LATEST, 0, &snapshot, &world->err), &world->err);
  assert_int_equal(snapshot->version, 1);
  ap_snapshot_release(snapshot);
  ap_ledger_close(ledger);
  ap_ledger_world_destroy(world);
}

/* The first put's reply is lost and its object is on the way still (here: hidden), so that reading
 * finds nothing; the second put fails for good. */
struct delay {
  struct ap_ledger_world *world;
  char key[128];
  uint32_t puts;
};

static void hide_first(void *context, enum ap_store_operation operation, struct ap_text key) {
  struct delay *delay = context;
  struct ap_ledger_world *world = delay->world;
  if (operation == AP_STORE_PUT_IF_ABSENT) {
    (void)snprintf(delay->key, sizeof(delay->key), "%.*s", AP_TEXT_ARG(key));
    delay->puts += 1;
    enum ap_store_fault fault = delay->puts == 1 ? AP_STORE_FAULT_AFTER : AP_STORE_FAULT_NO_SPACE;
    ap_faulty_store_arm(&world->faulty, fault, AP_STORE_PUT_IF_ABSENT, 1);
  } else if (delay->puts == 1) {
    check_ok(ap_store_remove(world->local, ap_text_of(delay->key), &world->err), &world->err);
  }
}

static void a_failure_after_a_lost_reply_leaves_it_open(void **state) {
  (void)state;
  struct ap_ledger_world *world = ap_ledger_world_create(5);
  struct ap_ledger *ledger = ap_ledger_world_open(world);
  struct delay delay = {.world = world};
  check_ok(ap_ledger_world_create_table(world, ledger, false, NULL, 0), &world->err);
  ap_faulty_store_set_hook(&world->faulty, hide_first, &delay);
  check_status(ap_ledger_world_append(world, ledger, &world->err), AP_OUTCOME_UNKNOWN, &world->err);
  assert_int_equal(delay.puts, 2);
  ap_faulty_store_set_hook(&world->faulty, NULL, NULL);
  ap_ledger_close(ledger);
  ap_ledger_world_destroy(world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_store_call_may_fail),
      cmocka_unit_test(power_may_fail_at_every_file_call),
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(reading_survives_lack_of_memory),
      cmocka_unit_test(losers_rebase),
      cmocka_unit_test(lost_replies_are_recognised),
      cmocka_unit_test(an_unreadable_outcome_is_told),
      cmocka_unit_test(a_failure_after_a_lost_reply_leaves_it_open),
  };
  return AP_RUN_TESTS(tests);
}
