/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: whatever power loss, failing calls, a full disk or lack of memory do to a folder store,
 * acknowledged objects are there whole, all others are whole or absent, a definite failure has
 * changed nothing, and the next writer goes on as if nothing had been.
 * Method: simulated files. One fixed piece of work is run again and again; each time the next of
 * its calls (of its allocations) fails, in each way a call can fail, and what is then found is
 * compared with a model of what it may be.
 */
#include "store/local.h"

#include "testing/alloc.h"
#include "testing/check.h"
#include "testing/random.h"
#include "testing/sim.h"
#include "testing/store_conformance.h"

#include <stdio.h>
#include <stdlib.h>

enum step_kind { PUT, PUT_IF_ABSENT, PUT_FILES, REMOVE };

enum { BATCH = 4 };

/* PUT_FILES makes "<key>-0" to "<key>-3", in two folders. */
struct step {
  enum step_kind kind;
  const char *key;
  const char *value; /* NULL: absent afterwards */
};

static const struct step work[] = {
    {PUT, "catalog.json", "v1"},
    {PUT_IF_ABSENT, "hive/box/frame/_delta_log/0.json", "first commit"},
    {PUT_FILES, "hive/box/frame/day=1/cell", "parquet"},
    {PUT_IF_ABSENT, "hive/box/frame/_delta_log/1.json", "second commit"},
    {PUT, "catalog.json", "a longer v2 that replaces v1"},
    {PUT, "hive/box/frame/_delta_log/_last_checkpoint", "1"},
    {PUT_FILES, "hive/box/frame/day=2/cell", "more parquet"},
    {REMOVE, "catalog.json", NULL},
    {PUT_IF_ABSENT, "hive/box/frame/_delta_log/2.json", "third commit"},
    {PUT, "hive/box/frame/_delta_log/_last_checkpoint", "2"},
};

enum { STEPS = sizeof(work) / sizeof(work[0]) };

struct path {
  char text[256];
};

/* A simulated machine with a store, and how far the work got on it. */
struct world {
  struct ap_sim *sim;
  struct ap_env env;
  struct ap_store *store;
  ap_status statuses[STEPS]; /* AP_END: not tried */
  ap_error err;
};

static void world_init(struct world *world, uint64_t seed) {
  *world = (struct world){.sim = ap_sim_create(seed)};
  world->env = *ap_sim_env(world->sim);
  for (int i = 0; i < STEPS; i++) world->statuses[i] = AP_END;
}

static void world_deinit(struct world *world) {
  ap_store_destroy(world->store);
  ap_sim_destroy(world->sim);
}

static ap_status open_world(struct world *world) {
  return ap_store_local_open(&world->env, "/data", AP_DURABLE, &world->store, &world->err);
}

static struct ap_text batch_key(const struct step *step, int index, struct path *out) {
  int size = snprintf(out->text, sizeof(out->text), "%s%s-%d", step->key,
                      index % 2 == 0 ? "" : "/sub", index);
  return (struct ap_text){out->text, (size_t)size};
}

static ap_status put_batch(struct world *world, const struct step *step) {
  struct ap_files *files = world->env.files;
  struct ap_store_upload uploads[BATCH];
  struct path paths[BATCH], keys[BATCH];
  struct ap_buffer staging;
  ap_buffer_init(&staging, ap_allocator_system());
  ap_status status = ap_store_staging_path(world->store, &staging, &world->err);
  for (int i = 0; i < BATCH && status == AP_OK; i++) {
    snprintf(paths[i].text, sizeof(paths[i].text), "%s/%s-%d", staging.data, step->value, i);
    uploads[i] = (struct ap_store_upload){paths[i].text, batch_key(step, i, &keys[i])};
    (void)files->remove_file(files, paths[i].text, NULL); /* of an attempt before */
    status = files->create(files, paths[i].text, ap_text_of(step->value), false, &world->err);
  }
  if (status == AP_OK) status = ap_store_put_files(world->store, uploads, BATCH, &world->err);
  ap_buffer_deinit(&staging);
  return status;
}

static ap_status do_step(struct world *world, const struct step *step) {
  struct ap_text key = ap_text_of(step->key), value = ap_text_of(step->value);
  switch (step->kind) {
    case PUT:
      return ap_store_put(world->store, key, value, &world->err);
    case PUT_IF_ABSENT:
      return ap_store_put_if_absent(world->store, key, value, &world->err);
    case PUT_FILES:
      return put_batch(world, step);
    case REMOVE:
      return ap_store_remove(world->store, key, &world->err);
  }
  return AP_INTERNAL;
}

/* Work until a step fails. */
static ap_status do_work(struct world *world) {
  for (int i = 0; i < STEPS; i++) {
    world->statuses[i] = do_step(world, &work[i]);
    if (world->statuses[i] != AP_OK) return world->statuses[i];
  }
  return AP_OK;
}

static bool step_concerns(const struct step *step, struct ap_text key) {
  struct path path;
  if (step->kind != PUT_FILES) return ap_text_equal_string(key, step->key);
  for (int i = 0; i < BATCH; i++) {
    if (ap_text_equal(key, batch_key(step, i, &path))) return true;
  }
  return false;
}

/* What a key may hold: up to the last acknowledged value and all that came after. */
struct allowed {
  const char *values[STEPS + 1]; /* NULL: absent */
  size_t count;
};

/* lost_removals: a removal that was acknowledged may not have outlived the power. */
static struct allowed allowed_values(const struct world *world, struct ap_text key,
                                     bool lost_removals) {
  struct allowed allowed = {.values = {NULL}, .count = 1};
  for (int i = 0; i < STEPS; i++) {
    if (world->statuses[i] == AP_END || !step_concerns(&work[i], key)) continue;
    bool sure = world->statuses[i] == AP_OK;
    if (sure && !(work[i].kind == REMOVE && lost_removals)) allowed.count = 0;
    allowed.values[allowed.count++] = work[i].value;
  }
  return allowed;
}

static void check_key(struct world *world, struct ap_text key, const struct allowed *allowed) {
  struct ap_buffer bytes;
  bool fits = false;
  ap_buffer_init(&bytes, ap_allocator_system());
  ap_status status = ap_store_get(world->store, key, 0, -1, &bytes, &world->err);
  if (status != AP_NOT_FOUND) check_ok(status, &world->err);
  for (size_t i = 0; i < allowed->count; i++) {
    const char *value = allowed->values[i];
    if (status == AP_NOT_FOUND) fits |= value == NULL;
    if (status == AP_OK && value) fits |= ap_text_equal_string(ap_buffer_text(&bytes), value);
  }
  if (!fits) {
    fail_msg("'%.*s' is '%s', which it cannot be", AP_TEXT_ARG(key),
             status == AP_OK ? bytes.data : "(absent)");
  }
  ap_buffer_deinit(&bytes);
}

struct listing {
  struct world *world;
  bool lost_removals;
};

/* What is listed is what some step wrote. */
static ap_status check_listed(void *context, const struct ap_store_object *object, ap_error *err) {
  const struct listing *listing = context;
  struct allowed allowed = allowed_values(listing->world, object->key, listing->lost_removals);
  (void)err;
  for (size_t i = 0; i < allowed.count; i++) {
    const char *value = allowed.values[i];
    if (value && (int64_t)strlen(value) == object->size_bytes) return AP_OK;
  }
  fail_msg("'%s' with %lld bytes is listed", object->key.data, (long long)object->size_bytes);
  return AP_OK;
}

static void check_world(struct world *world, bool lost_removals) {
  struct listing listing = {world, lost_removals};
  for (int i = 0; i < STEPS; i++) {
    struct path path;
    for (int k = 0; k < BATCH; k++) {
      bool batch = work[i].kind == PUT_FILES;
      struct ap_text key = batch ? batch_key(&work[i], k, &path) : ap_text_of(work[i].key);
      struct allowed allowed = allowed_values(world, key, lost_removals);
      check_key(world, key, &allowed);
      if (!batch) break;
    }
  }
  check_ok(
      ap_store_list(world->store, AP_TEXT(""), AP_TEXT(""), check_listed, &listing, &world->err),
      &world->err);
}

static ap_status count_name(void *context, const char *name, enum ap_file_kind kind,
                            ap_error *err) {
  size_t *count = context;
  (void)name;
  (void)kind;
  (void)err;
  *count += 1;
  return AP_OK;
}

/* A writer after the crash sweeps what the dead one staged, and writes. */
static void check_goes_on(struct world *world) {
  struct ap_files *files = world->env.files;
  size_t names = 0;
  check_ok(ap_store_put(world->store, AP_TEXT("new/after"), AP_TEXT("x"), &world->err),
           &world->err);
  check_ok(files->list(files, "/data/_apiary/staging", count_name, &names, &world->err),
           &world->err);
  assert_int_equal(names, 3); /* its folder, its lock, the sweepers' lock */
  check_ok(ap_store_remove(world->store, AP_TEXT("new/after"), &world->err), &world->err);
}

static int64_t calls_of_work(void) {
  struct world world;
  world_init(&world, 1);
  check_ok(open_world(&world), &world.err);
  check_ok(do_work(&world), &world.err);
  int64_t calls = ap_sim_file_calls(world.sim);
  check_world(&world, false);
  world_deinit(&world);
  return calls;
}

static void crash_at(int64_t call, enum ap_sim_crash crash, uint64_t seed) {
  struct world world;
  world_init(&world, seed + (uint64_t)call);
  ap_sim_fail_file_call(world.sim, call, AP_SIM_FAULT_POWER_LOSS);
  ap_status status = open_world(&world);
  if (status == AP_OK) status = do_work(&world);
  if (status != AP_OK) assert_int_equal(world.err.code, status);
  ap_store_destroy(world.store); /* which can no longer do anything */
  world.store = NULL;
  ap_sim_crash(world.sim, crash);
  check_ok(open_world(&world), &world.err);
  check_world(&world, true);
  check_goes_on(&world);
  check_world(&world, true);
  world_deinit(&world);
}

static void power_loss_at_every_call(void **state) {
  (void)state;
  uint64_t seed = ap_test_seed("power_loss_at_every_call");
  uint64_t gambles = ap_test_rounds(5);
  int64_t calls = calls_of_work();
  for (int64_t call = 1; call <= calls + 1; call++) {
    crash_at(call, AP_SIM_CRASH_FORGETS, seed);
    for (uint64_t i = 0; i < gambles; i++) {
      crash_at(call, AP_SIM_CRASH_GAMBLES, seed + 1000003 * (i + 1));
    }
  }
  print_message("%lld calls\n", (long long)calls);
}

/* A folder that another instance made and could not sync must not make what is put into it
 * perishable. */
static void folders_of_others_are_synced(void **state) {
  (void)state;
  uint64_t seed = ap_test_seed("folders_of_others_are_synced");
  bool struck = true;
  for (int64_t call = 1; struck; call++) {
    struct world world, other;
    world_init(&world, seed);
    check_ok(open_world(&world), &world.err);
    ap_sim_fail_file_call(world.sim, call, AP_SIM_FAULT_IO);
    ap_status first = ap_store_put(world.store, AP_TEXT("a/b/c/x"), AP_TEXT("1"), &world.err);
    struck = ap_sim_fault_struck(world.sim);
    if (!struck) {
      check_ok(first, &world.err);
      world_deinit(&world);
      break;
    }
    other = world;
    check_ok(open_world(&other), &other.err);
    check_ok(ap_store_put_if_absent(other.store, AP_TEXT("a/b/c/y"), AP_TEXT("2"), &other.err),
             &other.err);
    ap_sim_crash(world.sim, AP_SIM_CRASH_FORGETS);
    ap_store_destroy(other.store);
    struct ap_store_object object;
    check_ok(ap_store_head(world.store, AP_TEXT("a/b/c/y"), &object, &world.err), &world.err);
    if (first == AP_OK) {
      check_ok(ap_store_head(world.store, AP_TEXT("a/b/c/x"), &object, &world.err), &world.err);
    }
    world_deinit(&world);
  }
}

/* After a step failed: when that was definite, nothing of it is there. */
static void check_failed_step(struct world *world, int index) {
  ap_status status = world->statuses[index];
  assert_true(status == AP_IO || status == AP_NO_SPACE || status == AP_OUTCOME_UNKNOWN);
  assert_int_equal(world->err.code, status);
  assert_true(world->err.message[0] != '\0');
  bool definite =
      status != AP_OUTCOME_UNKNOWN && work[index].kind != PUT_FILES && work[index].kind != REMOVE;
  if (definite) world->statuses[index] = AP_END; /* as if it had not been tried */
  check_world(world, false);
}

/* Try a failed step again, as a caller would who reads back when the outcome is unknown. */
static void retry_step(struct world *world, int index) {
  const struct step *step = &work[index];
  struct path path;
  bool unknown = world->statuses[index] == AP_OUTCOME_UNKNOWN;
  for (int i = 0; i < BATCH && step->kind == PUT_FILES; i++) {
    check_ok(ap_store_remove(world->store, batch_key(step, i, &path), &world->err), &world->err);
  }
  ap_status status = do_step(world, step);
  if (unknown && step->kind == PUT_IF_ABSENT && status == AP_ALREADY_EXISTS) {
    struct allowed own = {.values = {step->value}, .count = 1};
    check_key(world, ap_text_of(step->key), &own);
    status = AP_OK;
  }
  check_ok(status, &world->err);
  world->statuses[index] = AP_OK;
}

static void fail_at(int64_t call, enum ap_sim_fault fault, uint64_t seed) {
  struct world world;
  world_init(&world, seed + (uint64_t)call);
  ap_sim_fail_file_call(world.sim, call, fault);
  ap_status status = open_world(&world);
  if (status != AP_OK) {
    assert_true(status == AP_IO || status == AP_NO_SPACE);
    check_ok(open_world(&world), &world.err);
  }
  for (int i = 0; i < STEPS; i++) {
    world.statuses[i] = do_step(&world, &work[i]);
    if (world.statuses[i] == AP_OK) continue;
    check_failed_step(&world, i);
    retry_step(&world, i);
  }
  assert_true(ap_sim_fault_struck(world.sim));
  check_world(&world, false);
  ap_sim_crash(world.sim, AP_SIM_CRASH_FORGETS); /* what was acknowledged is durable */
  check_world(&world, true);
  world_deinit(&world);
}

static void every_call_fails_in_every_way(void **state) {
  (void)state;
  static const enum ap_sim_fault faults[] = {AP_SIM_FAULT_IO, AP_SIM_FAULT_NO_SPACE,
                                             AP_SIM_FAULT_LOST_REPLY, AP_SIM_FAULT_TORN_WRITE};
  uint64_t seed = ap_test_seed("every_call_fails_in_every_way");
  int64_t calls = calls_of_work();
  for (int64_t call = 1; call <= calls; call++) {
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) fail_at(call, faults[i], seed);
  }
}

/* Read everything; all that fails is reported, nothing is left out silently. */
static ap_status read_all(struct world *world, size_t *out_listed) {
  struct ap_buffer bytes;
  struct ap_store_object object;
  ap_buffer_init(&bytes, ap_allocator_system());
  ap_buffer_append_string(&bytes, "before");
  *out_listed = 0;
  struct ap_text key = AP_TEXT("hive/box/frame/_delta_log/0.json");
  ap_status status = ap_store_get(world->store, key, 0, -1, &bytes, &world->err);
  check_text(ap_buffer_text(&bytes), status == AP_OK ? "beforefirst commit" : "before");
  if (status == AP_OK) status = ap_store_head(world->store, key, &object, &world->err);
  struct listing listing = {world, false};
  if (status == AP_OK) {
    status = ap_store_list(world->store, AP_TEXT("hive/"), AP_TEXT("hive/a"), check_listed,
                           &listing, &world->err);
  }
  if (status == AP_OK) *out_listed = 1;
  ap_buffer_deinit(&bytes);
  return status;
}

static void failing_reads_are_reported(void **state) {
  (void)state;
  struct world world;
  bool struck = true;
  world_init(&world, ap_test_seed("failing_reads_are_reported"));
  check_ok(open_world(&world), &world.err);
  check_ok(do_work(&world), &world.err);
  for (int64_t call = 1; struck; call++) {
    size_t listed = 0;
    ap_sim_fail_file_call(world.sim, call, AP_SIM_FAULT_IO);
    ap_status status = read_all(&world, &listed);
    struck = ap_sim_fault_struck(world.sim);
    check_status(status, struck ? AP_IO : AP_OK, &world.err);
  }
  world_deinit(&world);
}

static ap_status work_without_memory(void *context, struct ap_allocator *allocator, ap_error *err) {
  const uint64_t *seed = context;
  struct world world;
  size_t listed;
  world_init(&world, *seed);
  world.env.allocator = allocator;
  ap_status status = open_world(&world);
  if (status == AP_OK) status = do_work(&world);
  if (status == AP_OK) status = read_all(&world, &listed);
  if (status != AP_OK) *err = world.err;
  ap_store_destroy(world.store);
  world.store = NULL;
  world.env.allocator = ap_allocator_system();
  check_ok(open_world(&world), &world.err);
  check_world(&world, false);
  world_deinit(&world);
  return status;
}

static void every_allocation_fails(void **state) {
  (void)state;
  uint64_t seed = ap_test_seed("every_allocation_fails");
  int64_t failures = ap_sweep_memory(work_without_memory, &seed);
  assert_true(failures > 10);
  print_message("%lld allocations\n", (long long)failures);
}

static ap_status open_in_world(void *context, struct ap_store **out_store, ap_error *err) {
  struct world *world = context;
  return ap_store_local_open(&world->env, "/data/store", AP_DURABLE, out_store, err);
}

static void conforms_in_simulation(void **state) {
  (void)state;
  struct world world;
  world_init(&world, ap_test_seed("conforms_in_simulation"));
  struct ap_store_conformance suite = {
      .name = "local, simulated",
      .env = &world.env,
      .open = open_in_world,
      .context = &world,
      .threads = true,
      .processes = false,
      .bytes_max = 1u << 20,
      .files_count = 1000,
  };
  ap_store_conformance_run(&suite);
  world_deinit(&world);
}

/* Without fsync the store works all the same and calls none. */
static void relaxed_syncs_nothing(void **state) {
  (void)state;
  struct world world;
  world_init(&world, ap_test_seed("relaxed_syncs_nothing"));
  check_ok(ap_store_local_open(&world.env, "/data", AP_RELAXED, &world.store, &world.err),
           &world.err);
  check_ok(do_work(&world), &world.err);
  assert_true(ap_sim_file_calls(world.sim) < calls_of_work());
  check_world(&world, false);
  ap_sim_crash(world.sim, AP_SIM_CRASH_FORGETS);
  struct ap_store_object object;
  check_status(
      ap_store_head(world.store, AP_TEXT("hive/box/frame/_delta_log/0.json"), &object, &world.err),
      AP_NOT_FOUND, &world.err);
  world_deinit(&world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(power_loss_at_every_call),
      cmocka_unit_test(folders_of_others_are_synced),
      cmocka_unit_test(every_call_fails_in_every_way),
      cmocka_unit_test(failing_reads_are_reported),
      cmocka_unit_test(every_allocation_fails),
      cmocka_unit_test(relaxed_syncs_nothing),
      cmocka_unit_test(conforms_in_simulation),
  };
  return AP_RUN_TESTS(tests);
}
