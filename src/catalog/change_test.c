/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: whatever fails, a change that was reported made is there after power loss, one that was
 * reported failed is not, and the next change goes through. Broken objects are named. Writers that
 * race lose nothing.
 * Method: a simulated machine; one piece of work in which every file call, every store call and
 * every allocation fails in turn, in each way it can; then power loss, and what is found against
 * what was reported. Races run on simulated schedules and on real threads.
 */
#include "catalog/catalog.h"

#include "base/limits.h"
#include "store/local.h"
#include "testing/alloc.h"
#include "testing/check.h"
#include "testing/faulty_store.h"
#include "testing/random.h"
#include "testing/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct ap_text text(const char *string) {
  return ap_text_of(string);
}

/* ---- the work -------------------------------------------------------------------------------- */

enum step {
  CREATE_A,
  CREATE_A_B,
  ADD_A_B_F,
  CREATE_C,
  RENAME_C_D,
  CREATE_E,
  SET_E,
  DROP_E,
  STEPS,
};

static ap_status do_step(struct ap_catalog *catalog, enum step step, ap_error *err) {
  switch (step) {
    case CREATE_A:
      return ap_catalog_create_hive(catalog, text("a"), false, err);
    case CREATE_A_B:
      return ap_catalog_create_box(catalog, text("a"), text("b"), false, err);
    case ADD_A_B_F:
      return ap_catalog_add_frame(catalog, text("a"), text("b"), text("f"), text("a/b/f"), err);
    case CREATE_C:
      return ap_catalog_create_hive(catalog, text("c"), false, err);
    case RENAME_C_D:
      return ap_catalog_rename_hive(catalog, text("c"), text("d"), err);
    case CREATE_E:
      return ap_catalog_create_hive(catalog, text("e"), false, err);
    case SET_E:
      return ap_catalog_set_property(catalog, text("e"), text(""), text(""), text("k"), text("v"),
                                     err);
    case DROP_E:
      return ap_catalog_drop_hive(catalog, text("e"), true, false, err);
    case STEPS:
      break;
  }
  return AP_INTERNAL;
}

struct world {
  struct ap_sim *sim;
  const struct ap_env *env;
  struct ap_store *store;
  struct ap_catalog *catalog;
  ap_status statuses[STEPS];
  ap_error err;
};

static ap_status open_world(struct world *world) {
  ap_status status =
      ap_store_local_open(world->env, "/data", AP_DURABLE, &world->store, &world->err);
  if (status == AP_OK) {
    status = ap_catalog_open(world->env, world->store, &world->catalog, &world->err);
  }
  return status;
}

static void close_world(struct world *world) {
  ap_catalog_close(world->catalog);
  ap_store_destroy(world->store);
  world->catalog = NULL;
  world->store = NULL;
}

static void world_init(struct world *world, uint64_t seed) {
  *world = (struct world){.sim = ap_sim_create(seed)};
  world->env = ap_sim_env(world->sim);
}

static void world_deinit(struct world *world) {
  close_world(world);
  ap_sim_destroy(world->sim);
}

static void work(struct world *world) {
  for (int i = 0; i < STEPS; i++) {
    world->statuses[i] = do_step(world->catalog, (enum step)i, &world->err);
  }
}

static bool exists(struct world *world, const char *hive, const char *box, const char *frame) {
  struct ap_arena arena;
  struct ap_text value;
  ap_arena_init(&arena, ap_allocator_system());
  ap_status status = ap_catalog_get_property(world->catalog, text(hive), text(box), text(frame),
                                             text("k"), &arena, &value, &world->err);
  ap_arena_deinit(&arena);
  if (status != AP_NOT_FOUND) check_ok(status, &world->err);
  return status == AP_OK;
}

/* What a step reported against what is found. */
static void check_made(const struct world *world, enum step step, bool made) {
  if (world->statuses[step] == AP_OUTCOME_UNKNOWN) return;
  if (made == (world->statuses[step] == AP_OK)) return;
  fail_msg("step %d reported %s and is %s", (int)step, ap_status_name(world->statuses[step]),
           made ? "made" : "not made");
}

static void check_world(struct world *world) {
  bool c = exists(world, "c", "", "");
  bool d = exists(world, "d", "", "");
  bool e = exists(world, "e", "", "");
  check_made(world, CREATE_A, exists(world, "a", "", ""));
  check_made(world, CREATE_A_B, exists(world, "a", "b", ""));
  check_made(world, ADD_A_B_F, exists(world, "a", "b", "f"));
  check_made(world, CREATE_C, c || d);
  check_made(world, RENAME_C_D, d);
  assert_false(c && d);
  if (world->statuses[DROP_E] == AP_OK) {
    assert_false(e);
  } else if (world->statuses[DROP_E] != AP_OUTCOME_UNKNOWN) {
    check_made(world, CREATE_E, e);
  }
  check_ok(ap_catalog_create_hive(world->catalog, text("next"), false, &world->err), &world->err);
  assert_true(exists(world, "next", "", ""));
}

/* ---- failing file calls and power loss ------------------------------------------------------- */

/* True while the fault struck: there is a call of that number. */
static bool file_fault_round(int64_t number, enum ap_sim_fault fault, enum ap_sim_crash crash,
                             uint64_t seed) {
  struct world world;
  world_init(&world, seed);
  check_ok(open_world(&world), &world.err);
  ap_sim_fail_file_call(world.sim, number, fault);
  work(&world);
  bool struck = ap_sim_fault_struck(world.sim);
  close_world(&world);
  ap_sim_crash(world.sim, crash);
  check_ok(open_world(&world), &world.err);
  check_world(&world);
  world_deinit(&world);
  return struck;
}

static void test_file_faults(void **state) {
  (void)state;
  static const enum ap_sim_fault faults[] = {AP_SIM_FAULT_IO, AP_SIM_FAULT_NO_SPACE,
                                             AP_SIM_FAULT_LOST_REPLY, AP_SIM_FAULT_TORN_WRITE,
                                             AP_SIM_FAULT_POWER_LOSS};
  uint64_t seed = ap_test_seed("test_file_faults");
  for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
    int64_t number = 1;
    while (file_fault_round(number, faults[i], AP_SIM_CRASH_FORGETS, seed)) {
      file_fault_round(number, faults[i], AP_SIM_CRASH_GAMBLES, seed + (uint64_t)number);
      number++;
    }
    assert_true(number > 40);
  }
}

/* Also without any fault all that was reported made survives. */
static void test_power_loss_after_success(void **state) {
  (void)state;
  struct world world;
  world_init(&world, 1);
  check_ok(open_world(&world), &world.err);
  work(&world);
  for (int i = 0; i < STEPS; i++) check_status(world.statuses[i], AP_OK, &world.err);
  close_world(&world);
  ap_sim_crash(world.sim, AP_SIM_CRASH_FORGETS);
  check_ok(open_world(&world), &world.err);
  check_world(&world);
  world_deinit(&world);
}

/* ---- failing store calls --------------------------------------------------------------------- */

static bool store_fault_round(int64_t number, enum ap_store_fault fault, bool *out_all_made) {
  struct world world;
  world_init(&world, 1);
  check_ok(open_world(&world), &world.err);
  struct ap_catalog *healthy = world.catalog;
  struct ap_faulty_store faulty;
  ap_faulty_store_init(&faulty, world.store);
  check_ok(ap_catalog_open(world.env, &faulty.base, &world.catalog, &world.err), &world.err);
  ap_faulty_store_arm(&faulty, fault, AP_STORE_ALL, number);
  work(&world);
  bool struck = atomic_load(&faulty.faults) > 0;
  *out_all_made = true;
  for (int i = 0; i < STEPS; i++) *out_all_made = *out_all_made && world.statuses[i] == AP_OK;
  /* The catalog that met the fault goes on with what it kept. */
  ap_faulty_store_arm(&faulty, AP_STORE_FAULT_NONE, AP_STORE_ALL, 0);
  check_world(&world);
  ap_catalog_close(world.catalog);
  world.catalog = healthy;
  assert_true(exists(&world, "next", "", ""));
  world_deinit(&world);
  return struck;
}

static void test_store_faults(void **state) {
  (void)state;
  static const enum ap_store_fault faults[] = {AP_STORE_FAULT_BEFORE, AP_STORE_FAULT_NO_SPACE,
                                               AP_STORE_FAULT_DOWN};
  bool all_made;
  for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
    int64_t number = 1;
    while (store_fault_round(number, faults[i], &all_made)) {
      assert_false(all_made);
      number++;
    }
    assert_true(number > STEPS);
  }
}

/* A change whose reply is lost recognises itself: no step reports anything but success. */
static void test_lost_replies(void **state) {
  (void)state;
  int lost = 0;
  for (int64_t number = 1; number < 200; number++) {
    struct world world;
    world_init(&world, 1);
    check_ok(open_world(&world), &world.err);
    struct ap_faulty_store faulty;
    ap_faulty_store_init(&faulty, world.store);
    struct ap_catalog *healthy = world.catalog;
    check_ok(ap_catalog_open(world.env, &faulty.base, &world.catalog, &world.err), &world.err);
    ap_faulty_store_arm(&faulty, AP_STORE_FAULT_AFTER, AP_STORE_PUT_IF_ABSENT, number);
    work(&world);
    if (atomic_load(&faulty.faults) > 0) lost++;
    for (int i = 0; i < STEPS; i++) check_status(world.statuses[i], AP_OK, &world.err);
    ap_catalog_close(world.catalog);
    world.catalog = healthy;
    check_world(&world);
    world_deinit(&world);
  }
  assert_int_equal(lost, STEPS);
}

/* A store in which the first put_if_absent is still under way when its reply is given up, and the
 * second one meets a full disk. */
struct slow_store {
  struct ap_store base;
  struct ap_store *inner;
  int puts;
  struct ap_buffer key;
  struct ap_buffer data;
};

static ap_status slow_get(struct ap_store *self, struct ap_text key, int64_t offset, int64_t size,
                          struct ap_buffer *out, ap_error *err) {
  return ap_store_get(((struct slow_store *)self)->inner, key, offset, size, out, err);
}

static ap_status slow_list(struct ap_store *self, struct ap_text prefix, struct ap_text start_after,
                           ap_store_visit visit, void *context, ap_error *err) {
  return ap_store_list(((struct slow_store *)self)->inner, prefix, start_after, visit, context,
                       err);
}

static ap_status slow_put_if_absent(struct ap_store *self, struct ap_text key, struct ap_text data,
                                    ap_error *err) {
  struct slow_store *slow = (struct slow_store *)self;
  slow->puts++;
  if (slow->puts > 1) {
    (void)key;
    return AP_NO_SPACE;
  }
  ap_buffer_append_text(&slow->key, key);
  ap_buffer_append_text(&slow->data, data);
  if (err != NULL) *err = (ap_error){.code = AP_OUTCOME_UNKNOWN};
  return AP_OUTCOME_UNKNOWN;
}

static const struct ap_store_vtable slow_vtable = {
    .get = slow_get, .list = slow_list, .put_if_absent = slow_put_if_absent};

/* A definite failure after a lost reply does not make the change a failure. */
static void test_late_put(void **state) {
  (void)state;
  struct world world;
  world_init(&world, 1);
  check_ok(open_world(&world), &world.err);
  struct slow_store slow = {.base = {.vtable = &slow_vtable, .description = "slow"},
                            .inner = world.store};
  ap_buffer_init(&slow.key, ap_allocator_system());
  ap_buffer_init(&slow.data, ap_allocator_system());
  struct ap_catalog *catalog;
  check_ok(ap_catalog_open(world.env, &slow.base, &catalog, &world.err), &world.err);
  check_status(ap_catalog_create_hive(catalog, text("a"), false, &world.err), AP_OUTCOME_UNKNOWN,
               &world.err);
  assert_int_equal(world.err.code, AP_OUTCOME_UNKNOWN);
  check_contains(world.err.hint, "look whether");
  assert_int_equal(slow.puts, 2);
  check_ok(ap_store_put_if_absent(world.store, ap_buffer_text(&slow.key),
                                  ap_buffer_text(&slow.data), &world.err),
           &world.err);
  assert_true(exists(&world, "a", "", ""));
  ap_catalog_close(catalog);
  ap_buffer_deinit(&slow.key);
  ap_buffer_deinit(&slow.data);
  world_deinit(&world);
}

/* ---- rivals ---------------------------------------------------------------------------------- */

struct rival {
  struct ap_catalog *catalog;
  int changes_left;
  int number;
  ap_status status;
  bool same_name;
};

/* Before each put of a version another writer makes that version. */
static void run_rival(void *context, enum ap_store_operation operation, struct ap_text key) {
  (void)key;
  struct rival *rival = context;
  if (operation != AP_STORE_PUT_IF_ABSENT || rival->changes_left == 0) return;
  rival->changes_left--;
  char name[32];
  snprintf(name, sizeof(name), "rival%d", rival->number++);
  const char *hive = rival->same_name ? "mine" : name;
  ap_status status = ap_catalog_create_hive(rival->catalog, text(hive), false, NULL);
  if (status != AP_OK) rival->status = status;
}

static ap_status create_against_rival(struct world *world, int changes, bool same_name,
                                      bool if_absent) {
  world_init(world, 1);
  check_ok(open_world(world), &world->err);
  struct ap_faulty_store watched;
  struct ap_catalog *watched_catalog;
  struct rival rival = {.catalog = world->catalog, .changes_left = changes, .same_name = same_name};
  ap_faulty_store_init(&watched, world->store);
  ap_faulty_store_arm(&watched, AP_STORE_FAULT_NONE, AP_STORE_ALL, 0);
  ap_faulty_store_set_hook(&watched, run_rival, &rival);
  check_ok(ap_catalog_open(world->env, &watched.base, &watched_catalog, &world->err), &world->err);
  ap_status status = ap_catalog_create_hive(watched_catalog, text("mine"), if_absent, &world->err);
  ap_catalog_close(watched_catalog);
  check_ok(rival.status, NULL);
  assert_int_equal(rival.changes_left, 0);
  return status;
}

static void test_rivals(void **state) {
  (void)state;
  struct world world;
  check_ok(create_against_rival(&world, 30, false, false), &world.err);
  assert_true(exists(&world, "mine", "", ""));
  assert_true(exists(&world, "rival29", "", ""));
  world_deinit(&world);
  check_status(create_against_rival(&world, 1, true, false), AP_ALREADY_EXISTS, &world.err);
  check_contains(world.err.message, "hive mine exists already");
  world_deinit(&world);
  check_ok(create_against_rival(&world, 1, true, true), &world.err);
  world_deinit(&world);
}

/* ---- broken objects -------------------------------------------------------------------------- */

#define CHANGE(actions) "{\"format\":1,\"id\":\"x\",\"timestamp_ms\":1,\"actions\":[" actions "]}"

static const struct broken_row {
  const char *bytes;
  ap_status status;
  const char *part;
} broken_rows[] = {
    {"", AP_CORRUPT, "not JSON"},
    {"{", AP_CORRUPT, "not JSON"},
    {"[]", AP_CORRUPT, "not an object"},
    {"{}", AP_CORRUPT, "format"},
    {"{\"format\":2}", AP_UNSUPPORTED, "newer"},
    {"{\"format\":1}", AP_CORRUPT, "actions"},
    {"{\"format\":1,\"actions\":{}}", AP_CORRUPT, "actions"},
    {"{\"format\":1,\"id\":5,\"actions\":[]}", AP_CORRUPT, "id"},
    {CHANGE("5"), AP_CORRUPT, "no object"},
    {CHANGE("{\"op\":\"transmogrify\",\"hive\":\"x\"}"), AP_UNSUPPORTED, "transmogrify"},
    {CHANGE("{\"op\":\"create\"}"), AP_CORRUPT, "empty"},
    {CHANGE("{\"op\":\"create\",\"hive\":\"../x\"}"), AP_CORRUPT, "'/'"},
    {CHANGE("{\"op\":\"create\",\"hive\":\"a\"}"), AP_CORRUPT, "twice"},
    {CHANGE("{\"op\":\"create\",\"hive\":\"x\",\"box\":\"y\"}"), AP_CORRUPT, "lies in"},
    {CHANGE("{\"op\":\"create\",\"hive\":\"a\",\"frame\":\"y\"}"), AP_CORRUPT, "box"},
    {CHANGE("{\"op\":\"create\",\"hive\":\"x\",\"location\":\"l\"}"), AP_CORRUPT, "location"},
    {CHANGE("{\"op\":\"create\",\"hive\":\"a\",\"box\":\"b\",\"frame\":\"g\"}"), AP_CORRUPT, "id"},
    {CHANGE("{\"op\":\"create\",\"hive\":\"a\",\"box\":\"b\",\"frame\":\"g\",\"id\":\"i\","
            "\"location\":\"../../etc\"}"),
     AP_CORRUPT, "etc"},
    {CHANGE("{\"op\":\"create\",\"hive\":\"a\",\"box\":\"b\",\"frame\":\"g\",\"id\":\"i\","
            "\"location\":\"_apiary/catalog\"}"),
     AP_CORRUPT, "own folder"},
    {CHANGE("{\"op\":\"rename\",\"hive\":\"x\",\"new_name\":\"y\"}"), AP_CORRUPT, "not there"},
    {CHANGE("{\"op\":\"rename\",\"hive\":\"a\",\"new_name\":\"a/b\"}"), AP_CORRUPT, "'/'"},
    {CHANGE("{\"op\":\"rename\",\"hive\":\"a\",\"new_name\":\"d\"}"), AP_CORRUPT, "twice"},
    {CHANGE("{\"op\":\"drop\",\"hive\":\"x\"}"), AP_CORRUPT, "not there"},
    {CHANGE("{\"op\":\"set\",\"hive\":\"a\",\"value\":\"v\"}"), AP_CORRUPT, "property"},
};

static void test_broken_changes(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(broken_rows) / sizeof(broken_rows[0]); i++) {
    struct world world;
    world_init(&world, 1);
    check_ok(open_world(&world), &world.err);
    work(&world);
    char key[64];
    snprintf(key, sizeof(key), "_apiary/catalog/%020d.json", (int)STEPS);
    check_ok(ap_store_put(world.store, text(key), text(broken_rows[i].bytes), &world.err),
             &world.err);
    for (int again = 0; again < 2; again++) { /* with a known state, and from the start */
      ap_status status = ap_catalog_create_hive(world.catalog, text("new"), true, &world.err);
      if (status != broken_rows[i].status) {
        fail_msg("'%s': %s", broken_rows[i].bytes, ap_status_name(status));
      }
      check_contains(world.err.message, key);
      check_contains(world.err.message, broken_rows[i].part);
      close_world(&world);
      check_ok(open_world(&world), &world.err);
    }
    world_deinit(&world);
  }
}

/* A checkpoint that cannot be read costs time only. */
static void test_broken_checkpoints(void **state) {
  (void)state;
  static const char *const broken[] = {"", "{", "{\"format\":1,\"version\":63,\"entries\":[5]}",
                                       "{\"format\":1,\"version\":62,\"entries\":[]}",
                                       "{\"format\":9}"};
  const char *key = "_apiary/catalog/00000000000000000063.checkpoint.json";
  struct world world;
  world_init(&world, 1);
  check_ok(open_world(&world), &world.err);
  work(&world);
  for (int i = 0; i < 64; i++) {
    char name[16];
    snprintf(name, sizeof(name), "h%d", i);
    check_ok(ap_catalog_create_hive(world.catalog, text(name), false, &world.err), &world.err);
  }
  for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
    check_ok(ap_store_put(world.store, text(key), text(broken[i]), &world.err), &world.err);
    close_world(&world);
    check_ok(open_world(&world), &world.err);
    assert_true(exists(&world, "h63", "", ""));
    assert_true(exists(&world, "a", "b", "f"));
    assert_false(exists(&world, "e", "", ""));
  }
  world_deinit(&world);
}

/* ---- lack of memory -------------------------------------------------------------------------- */

static ap_status run_in(void *context, struct ap_allocator *allocator, ap_error *err) {
  (void)context;
  struct world world;
  world_init(&world, 1);
  struct ap_env env = *world.env;
  env.allocator = allocator;
  struct ap_store *store;
  check_ok(ap_store_local_open(world.env, "/data", AP_DURABLE, &store, &world.err), &world.err);
  struct ap_catalog *catalog;
  ap_status status = ap_catalog_open(&env, store, &catalog, err);
  for (int i = 0; i < STEPS && status == AP_OK; i++) {
    status = do_step(catalog, (enum step)i, err);
    world.statuses[i] = status;
    for (int later = i + 1; later < STEPS; later++) world.statuses[later] = AP_OUT_OF_MEMORY;
    if (i == STEPS - 1 || status != AP_OK) ap_catalog_close(catalog);
  }
  struct ap_frame_entry *entries;
  uint32_t count;
  struct ap_arena arena;
  ap_arena_init(&arena, allocator);
  if (status == AP_OK) status = ap_catalog_open(&env, store, &catalog, err);
  if (status == AP_OK) {
    status = ap_catalog_list_frames(catalog, text("a"), text("b"), &arena, &entries, &count, err);
    ap_catalog_close(catalog);
  }
  ap_arena_deinit(&arena);
  ap_store_destroy(store);
  ap_sim_destroy(world.sim);
  return status;
}

static void test_out_of_memory(void **state) {
  (void)state;
  assert_true(ap_sweep_memory(run_in, NULL) > 30);
}

/* ---- races ----------------------------------------------------------------------------------- */

enum { THREADS = 8, CREATES = 50 };

struct racer {
  const struct ap_env *env;
  struct ap_store *store;
  struct ap_catalog *catalog; /* NULL: one of its own */
  int index;
  int creates;
  ap_status status;
  ap_error err;
};

static void run_racer(void *context) {
  struct racer *racer = context;
  struct ap_catalog *catalog = racer->catalog;
  if (catalog == NULL) {
    racer->status = ap_catalog_open(racer->env, racer->store, &catalog, &racer->err);
  }
  for (int i = 0; i < racer->creates && racer->status == AP_OK; i++) {
    char name[32];
    char location[48];
    snprintf(name, sizeof(name), "f%d_%d", racer->index, i);
    snprintf(location, sizeof(location), "h/b/%s", name);
    racer->status = ap_catalog_add_frame(catalog, text("h"), text("b"), text(name), text(location),
                                         &racer->err);
  }
  if (racer->catalog == NULL && catalog != NULL) ap_catalog_close(catalog);
}

static void race(const struct ap_env *env, struct ap_store *store, bool shared, int thread_count,
                 int creates) {
  struct ap_catalog *catalog;
  ap_error err;
  check_ok(ap_catalog_open(env, store, &catalog, &err), &err);
  check_ok(ap_catalog_create_hive(catalog, text("h"), false, &err), &err);
  check_ok(ap_catalog_create_box(catalog, text("h"), text("b"), false, &err), &err);
  struct racer racers[THREADS];
  struct ap_thread *threads[THREADS];
  for (int i = 0; i < thread_count; i++) {
    racers[i] = (struct racer){.env = env,
                               .store = store,
                               .catalog = shared ? catalog : NULL,
                               .index = i,
                               .creates = creates};
    check_ok(env->threads->spawn(env->threads, run_racer, &racers[i], &threads[i], &err), &err);
  }
  for (int i = 0; i < thread_count; i++) env->threads->join(env->threads, threads[i]);
  for (int i = 0; i < thread_count; i++) check_ok(racers[i].status, &racers[i].err);
  struct ap_arena arena;
  struct ap_frame_entry *entries;
  uint32_t count;
  ap_arena_init(&arena, ap_allocator_system());
  check_ok(ap_catalog_list_frames(catalog, text("h"), text("b"), &arena, &entries, &count, &err),
           &err);
  assert_int_equal(count, thread_count * creates);
  for (int i = 0; i < thread_count * creates; i++) {
    struct ap_frame_entry entry;
    char name[32];
    snprintf(name, sizeof(name), "f%d_%d", i / creates, i % creates);
    check_ok(ap_catalog_find_frame(catalog, text("h"), text("b"), text(name), &arena, &entry, &err),
             &err);
  }
  /* Each exactly once: as many versions as changes. */
  struct ap_store_object object;
  char key[64];
  snprintf(key, sizeof(key), "_apiary/catalog/%020d.json", thread_count * creates + 1);
  check_ok(ap_store_head(store, text(key), &object, &err), &err);
  snprintf(key, sizeof(key), "_apiary/catalog/%020d.json", thread_count * creates + 2);
  check_status(ap_store_head(store, text(key), &object, &err), AP_NOT_FOUND, &err);
  ap_arena_deinit(&arena);
  ap_catalog_close(catalog);
}

static void race_on_disk(bool shared) {
  char root[] = "/tmp/apiary-catalog-XXXXXX";
  const struct ap_env *env = ap_env_system();
  struct ap_store *store;
  ap_error err;
  assert_non_null(mkdtemp(root));
  check_ok(ap_store_local_open(env, root, AP_RELAXED, &store, &err), &err);
  race(env, store, shared, THREADS, CREATES);
  ap_store_destroy(store);
  check_ok(ap_files_remove_tree(env->files, root, &err), &err);
}

static void test_threads_on_one_catalog(void **state) {
  (void)state;
  race_on_disk(true);
}

static void test_threads_with_their_own_catalogs(void **state) {
  (void)state;
  race_on_disk(false);
}

static void test_schedules(void **state) {
  (void)state;
  uint64_t seed = ap_test_seed("test_schedules");
  for (uint64_t round = 0; round < ap_test_rounds(40); round++) {
    struct world world;
    world_init(&world, seed + round);
    check_ok(ap_store_local_open(world.env, "/data", AP_DURABLE, &world.store, &world.err),
             &world.err);
    race(world.env, world.store, round % 2 == 0, 3, 3);
    world_deinit(&world);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_file_faults),
      cmocka_unit_test(test_power_loss_after_success),
      cmocka_unit_test(test_store_faults),
      cmocka_unit_test(test_lost_replies),
      cmocka_unit_test(test_late_put),
      cmocka_unit_test(test_rivals),
      cmocka_unit_test(test_broken_changes),
      cmocka_unit_test(test_broken_checkpoints),
      cmocka_unit_test(test_out_of_memory),
      cmocka_unit_test(test_threads_on_one_catalog),
      cmocka_unit_test(test_threads_with_their_own_catalogs),
      cmocka_unit_test(test_schedules),
  };
  return AP_RUN_TESTS(tests);
}
