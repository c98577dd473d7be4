/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: whatever fails while a statement changes rows, the frame is as before or as after it, a
 * reported failure means before, nothing is left over, and the next statement works.
 * Method: a session over a faulty store; for each kind of statement every store call made to fail
 * in turn, in four ways, and allocations made to fail; with and without partitions, deletion
 * vectors and change feed (some of these, drawn by a seed; all with AP_SOAK). After each a node of
 * its own reads what a model in C tells.
 */
#include "execute/session.h"

#include "base/limits.h"
#include "testing/alloc.h"
#include "testing/arrow_text.h"
#include "testing/check.h"
#include "testing/faulty_store.h"
#include "testing/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 600, CALLS_MAX = 300, HEAD_MAX = 512, TEXT_MAX = 1024, MEMORY_POINTS = 12 };

struct model {
  bool alive[ROWS]; /* by id */
  int64_t value[ROWS];
  int64_t part[ROWS];
};

enum kind {
  UPDATE,
  DELETE,
  MERGE,
  TRUNCATE,
  OVERWRITE,
  OPTIMIZE,
  REPLACE,
  RESTORE,
  TRANSACTION,
  KINDS
};

enum { PARTITIONED = 1, VECTORS = 2, FEED = 4, FLAVOURS = 8 };

struct world {
  char folder[64];
  struct ap_env env;
  struct ap_counting_allocator memory;
  struct ap_store *local;
  struct ap_store *other;
  struct ap_faulty_store faulty;
  struct ap_node *node; /* over the faulty store, its memory counted */
  struct ap_sql_session *session;
  struct ap_node *sound_node;
  struct ap_sql_session *sound;
  unsigned flavour;
  struct model model;
  struct model previous; /* at the version before the last change */
  int64_t previous_version;
  int64_t tag;
  ap_error err;
};

static const struct ap_node_options options = {
    .name = "test", .memory_bytes = 256 * AP_MIB, .bees = 1};

static bool is_soak(void) {
  return getenv("AP_SOAK") != NULL;
}

/* ---- statements ------------------------------------------------------------------------------ */

static ap_status run(struct ap_sql_session *session, const char *sql, struct ap_buffer *out,
                     ap_error *err) {
  const struct ap_sql_request request = {.sql = ap_text_of(sql)};
  struct ArrowArrayStream stream;
  struct ap_buffer unwanted;
  AP_TRY(ap_sql_run(session, &request, NULL, &stream, err));
  ap_buffer_init(&unwanted, ap_allocator_system());
  ap_status status = ap_arrow_append_stream(out != NULL ? out : &unwanted, &stream, err);
  ap_buffer_deinit(&unwanted);
  return status;
}

static void run_sound(struct world *world, const char *sql) {
  check_ok(run(world->sound, sql, NULL, &world->err), &world->err);
}

static void append_create(const struct world *world, char *out, const char *head) {
  (void)snprintf(out, HEAD_MAX,
                 "%s%s TBLPROPERTIES ('delta.enableDeletionVectors' = '%s', "
                 "'delta.enableChangeDataFeed' = '%s')",
                 head, world->flavour & PARTITIONED ? " PARTITIONED BY (part)" : "",
                 world->flavour & VECTORS ? "true" : "false",
                 world->flavour & FEED ? "true" : "false");
}

#define UPDATES "UPDATE f SET v = %d, part = (id + %d) %% 2 WHERE id %% 5 = %d"
#define DELETES "DELETE FROM f WHERE id %% 7 = %d"
#define MERGES                                                                           \
  "MERGE INTO f AS t USING (SELECT i AS id FROM range(600) r(i) WHERE i %% 3 = %d) AS s" \
  " ON t.id = s.id WHEN MATCHED AND t.id %% 2 = 0 THEN DELETE"                           \
  " WHEN MATCHED THEN UPDATE SET v = %d"                                                 \
  " WHEN NOT MATCHED THEN INSERT (id, v, part) VALUES (s.id, %d, s.id %% 2)"

static void write_statement(const struct world *world, enum kind kind, char *out) {
  int tag = (int)world->tag;
  char head[HEAD_MAX];
  switch (kind) {
    case UPDATE:
      (void)snprintf(out, TEXT_MAX, UPDATES, tag, tag, tag % 5);
      break;
    case DELETE:
      (void)snprintf(out, TEXT_MAX, DELETES, tag % 7);
      break;
    case MERGE:
      (void)snprintf(out, TEXT_MAX, MERGES, tag % 3, tag, tag);
      break;
    case TRUNCATE:
      (void)snprintf(out, TEXT_MAX, "TRUNCATE f");
      break;
    case OVERWRITE:
      (void)snprintf(out, TEXT_MAX,
                     "INSERT OVERWRITE f SELECT i, %d, i %% 2 FROM range(600) r(i)"
                     " WHERE i %% 4 <> %d",
                     tag, tag % 4);
      break;
    case OPTIMIZE:
      (void)snprintf(out, TEXT_MAX, "OPTIMIZE f");
      break;
    case REPLACE:
      append_create(world, head, "CREATE OR REPLACE FRAME f");
      (void)snprintf(out, TEXT_MAX, "%s AS SELECT id, v + 1 AS v, part FROM f", head);
      break;
    case RESTORE:
      (void)snprintf(out, TEXT_MAX, "RESTORE FRAME f TO VERSION AS OF %" PRId64,
                     world->previous_version);
      break;
    default:
      (void)snprintf(out, TEXT_MAX, "BEGIN; " UPDATES "; " DELETES "; " MERGES "; COMMIT", tag, tag,
                     tag % 5, tag % 7, tag % 3, tag, tag);
      break;
  }
}

/* ---- what they come to ----------------------------------------------------------------------- */

static void model_update(struct model *model, int64_t tag) {
  for (int id = 0; id < ROWS; id++) {
    if (!model->alive[id] || id % 5 != tag % 5) continue;
    model->value[id] = tag;
    model->part[id] = (id + tag) % 2;
  }
}

static void model_delete(struct model *model, int64_t tag) {
  for (int id = 0; id < ROWS; id++) model->alive[id] = model->alive[id] && id % 7 != tag % 7;
}

static void model_merge(struct model *model, int64_t tag) {
  for (int id = 0; id < ROWS; id++) {
    if (id % 3 != tag % 3) continue;
    bool was_there = model->alive[id];
    model->alive[id] = !was_there || id % 2 != 0;
    model->value[id] = tag;
    if (!was_there) model->part[id] = id % 2;
  }
}

static void model_overwrite(struct model *model, int64_t tag) {
  for (int id = 0; id < ROWS; id++) {
    model->alive[id] = id % 4 != tag % 4;
    model->value[id] = tag;
    model->part[id] = id % 2;
  }
}

static void change_model(const struct world *world, enum kind kind, struct model *model) {
  switch (kind) {
    case UPDATE:
      model_update(model, world->tag);
      break;
    case DELETE:
      model_delete(model, world->tag);
      break;
    case MERGE:
      model_merge(model, world->tag);
      break;
    case TRUNCATE:
      memset(model->alive, 0, sizeof model->alive);
      break;
    case OVERWRITE:
      model_overwrite(model, world->tag);
      break;
    case REPLACE:
      for (int id = 0; id < ROWS; id++) model->value[id] += 1;
      break;
    case RESTORE:
      *model = world->previous;
      break;
    case TRANSACTION:
      model_update(model, world->tag);
      model_delete(model, world->tag);
      model_merge(model, world->tag);
      break;
    default:
      break;
  }
}

static bool is_model(const struct model *model, struct ap_text rows) {
  struct ap_buffer expected;
  ap_buffer_init(&expected, ap_allocator_system());
  for (int id = 0; id < ROWS; id++) {
    if (!model->alive[id]) continue;
    ap_buffer_append_format(&expected, "{id:%d,v:%" PRId64 ",part:%" PRId64 "}\n", id,
                            model->value[id], model->part[id]);
  }
  bool equal = ap_text_equal(ap_buffer_text(&expected), rows);
  ap_buffer_deinit(&expected);
  return equal;
}

/* ---- the world ------------------------------------------------------------------------------- */

static void open_session(struct world *world, struct ap_node *node,
                         struct ap_sql_session **out_session) {
  check_ok(ap_sql_session_create(node, out_session, &world->err), &world->err);
  check_ok(run(*out_session, "USE h.b", NULL, &world->err), &world->err);
}

static void open_world(struct world *world) {
  memset(world, 0, sizeof *world);
  strncpy(world->folder, "/tmp/ap-execute-XXXXXX", sizeof world->folder - 1);
  assert_non_null(mkdtemp(world->folder));
  const struct ap_env *env = ap_env_system();
  ap_error *err = &world->err;
  ap_counting_allocator_init(&world->memory);
  world->env = *env;
  world->env.allocator = &world->memory.base;
  check_ok(ap_store_local_open(env, world->folder, AP_RELAXED, &world->local, err), err);
  check_ok(ap_store_local_open(env, world->folder, AP_RELAXED, &world->other, err), err);
  ap_faulty_store_init(&world->faulty, world->local);
  check_ok(ap_node_open_over(env, &options, world->other, &world->sound_node, err), err);
  check_ok(ap_node_open_over(&world->env, &options, &world->faulty.base, &world->node, err), err);
  struct ap_catalog *catalog = ap_node_catalog(world->sound_node);
  check_ok(ap_catalog_create_hive(catalog, AP_TEXT("h"), false, err), err);
  check_ok(ap_catalog_create_box(catalog, AP_TEXT("h"), AP_TEXT("b"), false, err), err);
  open_session(world, world->sound_node, &world->sound);
  open_session(world, world->node, &world->session);
}

static void close_world(struct world *world) {
  ap_sql_session_destroy(world->session);
  ap_sql_session_destroy(world->sound);
  ap_node_close(world->node);
  ap_node_close(world->sound_node);
  ap_store_destroy(world->local);
  assert_int_equal(world->memory.live_blocks, 0);
  check_ok(ap_files_remove_tree(ap_env_system()->files, world->folder, &world->err), &world->err);
}

static int64_t version_now(struct world *world) {
  struct ap_frame *frame = NULL;
  struct ap_snapshot *snapshot = NULL;
  check_ok(ap_node_find_frame(world->sound_node, AP_TEXT("h"), AP_TEXT("b"), AP_TEXT("f"), &frame,
                              &world->err),
           &world->err);
  check_ok(ap_frame_latest(frame, &snapshot, &world->err), &world->err);
  int64_t version = snapshot->version;
  ap_snapshot_release(snapshot);
  ap_node_release_frame(world->sound_node, frame);
  return version;
}

static void make_frame(struct world *world, unsigned flavour) {
  char head[HEAD_MAX];
  world->flavour = flavour;
  append_create(world, head, "CREATE OR REPLACE FRAME f (id int64, v int64, part int64)");
  run_sound(world, head);
  memset(&world->model, 0, sizeof world->model);
  world->previous = world->model;
  world->previous_version = version_now(world);
}

/* All rows, in several cells. */
static void refill(struct world *world) {
  run_sound(world, "INSERT OVERWRITE f SELECT i, -1, i % 2 FROM range(300) r(i)");
  run_sound(world, "INSERT INTO f SELECT i, -1, i % 2 FROM range(300, 600) r(i)");
  for (int id = 0; id < ROWS; id++) {
    world->model.alive[id] = true;
    world->model.value[id] = -1;
    world->model.part[id] = id % 2;
  }
  world->previous = world->model;
  world->previous_version = version_now(world);
}

static void prepare(struct world *world, enum kind kind) {
  int alive = 0;
  for (int id = 0; id < ROWS; id++) alive += world->model.alive[id] ? 1 : 0;
  if (alive < ROWS * 2 / 3 || kind == OPTIMIZE) refill(world);
  /* It learns what others did, so that the statement's calls are as many each time. */
  check_ok(run(world->session, "SELECT count(*) FROM f", NULL, &world->err), &world->err);
}

static ap_status count_object(void *context, const struct ap_store_object *object, ap_error *err) {
  (void)err;
  bool is_log = ap_text_starts_with(object->key, AP_TEXT("h/b/f/_delta_log/"));
  *(int64_t *)context += is_log ? 0 : 1;
  return AP_OK;
}

/* Cells, vectors, change files. */
static int64_t count_objects(struct world *world) {
  int64_t count = 0;
  check_ok(ap_store_list(world->local, AP_TEXT("h/b/f/"), (struct ap_text){0}, count_object, &count,
                         &world->err),
           &world->err);
  return count;
}

/* The model becomes what is there: the old one, or `changed`, where that may be. */
static void check_world(struct world *world, enum kind kind, const struct model *changed,
                        int64_t version_before, bool may_be_old, bool may_be_new) {
  struct ap_buffer rows;
  ap_buffer_init(&rows, ap_allocator_system());
  check_ok(run(world->sound, "SELECT id, v, part FROM f ORDER BY id", &rows, &world->err),
           &world->err);
  bool is_new = is_model(changed, ap_buffer_text(&rows));
  bool is_old = is_model(&world->model, ap_buffer_text(&rows));
  if (!((is_new && may_be_new) || (is_old && may_be_old))) {
    print_error("statement %d, flavour %u, tag %" PRId64 ": %s%s, yet there is:\n%s", (int)kind,
                world->flavour, world->tag, may_be_old ? "it is not made " : "",
                may_be_new ? "it is made" : "", rows.data != NULL ? rows.data : "");
    fail();
  }
  if (is_new && !is_old) {
    world->previous = world->model;
    world->previous_version = version_before;
    world->model = *changed;
  }
  ap_buffer_deinit(&rows);
}

/* ---- faults of the store --------------------------------------------------------------------- */

static ap_status run_statement(struct world *world, enum kind kind) {
  char sql[TEXT_MAX];
  write_statement(world, kind, sql);
  ap_error_clear(&world->err);
  return run(world->session, sql, NULL, &world->err);
}

static void end_transaction(struct world *world) {
  ap_error err = {0};
  if (!ap_sql_session_in_transaction(world->session)) return;
  check_ok(run(world->session, "ROLLBACK", NULL, &err), &err);
}

/* One statement with its n-th store call failing; false when it has fewer calls. */
static bool change_with_fault(struct world *world, enum kind kind, enum ap_store_fault fault,
                              int64_t n) {
  world->tag += 1;
  prepare(world, kind);
  struct model changed = world->model;
  change_model(world, kind, &changed);
  int64_t before = count_objects(world);
  int64_t version = version_now(world);
  ap_faulty_store_arm(&world->faulty, fault, AP_STORE_ALL, n);
  ap_status status = run_statement(world, kind);
  bool struck = world->faulty.faults > 0;
  ap_faulty_store_arm(&world->faulty, AP_STORE_FAULT_NONE, AP_STORE_ALL, 0);
  end_transaction(world);
  bool is_unsure = status == AP_OUTCOME_UNKNOWN;
  if (status != AP_OK) {
    ap_status expected = fault == AP_STORE_FAULT_NO_SPACE ? AP_NO_SPACE : AP_IO;
    if (!is_unsure) check_status(status, expected, &world->err);
    check_contains(world->err.message, "injected fault");
  }
  assert_true(struck || status == AP_OK);
  check_world(world, kind, &changed, version, status != AP_OK, status == AP_OK || is_unsure);
  /* What could not be removed while the store was down is garbage. */
  if (status != AP_OK && !is_unsure && fault != AP_STORE_FAULT_DOWN) {
    assert_int_equal(count_objects(world), before);
    assert_int_equal(version_now(world), version);
  }
  return struck;
}

/* Two ways to fail, drawn, or with AP_SOAK all four. */
static void sweep_store(struct world *world, enum kind kind, struct ap_random *random) {
  static const enum ap_store_fault faults[] = {AP_STORE_FAULT_BEFORE, AP_STORE_FAULT_AFTER,
                                               AP_STORE_FAULT_NO_SPACE, AP_STORE_FAULT_DOWN};
  size_t drawn = (size_t)ap_random_below(random, 2);
  for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++) {
    int64_t n = 1;
    if (!is_soak() && f % 2 != drawn) continue;
    while (change_with_fault(world, kind, faults[f], n)) {
      assert_true(++n < CALLS_MAX);
    }
    assert_true(n > 3);
  }
}

/* ---- lack of memory -------------------------------------------------------------------------- */

static void change_without_memory(struct world *world, enum kind kind, int64_t n) {
  world->tag += 1;
  prepare(world, kind);
  struct model changed = world->model;
  change_model(world, kind, &changed);
  int64_t before = count_objects(world);
  int64_t version = version_now(world);
  world->memory.allocations = 0;
  world->memory.failures = 0;
  world->memory.fail_at = n;
  ap_status status = run_statement(world, kind);
  bool struck = world->memory.failures > 0;
  world->memory.fail_at = 0;
  end_transaction(world);
  assert_true(struck || status == AP_OK);
  bool is_unsure = status == AP_OUTCOME_UNKNOWN;
  if (!is_unsure && status != AP_OK) check_status(status, AP_OUT_OF_MEMORY, &world->err);
  check_world(world, kind, &changed, version, status != AP_OK, status == AP_OK || is_unsure);
  if (status != AP_OK && !is_unsure) assert_int_equal(count_objects(world), before);
}

static int64_t count_allocations(struct world *world, enum kind kind) {
  change_without_memory(world, kind, 0);
  return world->memory.allocations;
}

static void sweep_memory(struct world *world, enum kind kind, struct ap_random *random) {
  int64_t count = count_allocations(world, kind);
  int64_t points = (int64_t)ap_test_rounds(MEMORY_POINTS);
  int64_t stride = count / points + 1;
  assert_true(count > 5);
  for (int64_t n = 1 + (int64_t)ap_random_below(random, (uint64_t)stride); n <= count;
       n += stride) {
    change_without_memory(world, kind, n);
  }
}

/* ---- the tests ------------------------------------------------------------------------------- */

static bool is_offered(enum kind kind, unsigned flavour) {
  return kind != TRANSACTION || (flavour & FEED) == 0;
}

typedef void (*sweep)(struct world *world, enum kind kind, struct ap_random *random);

static void sweep_all(const char *name, sweep body) {
  uint64_t seed = ap_test_seed(name);
  bool all = is_soak();
  struct ap_seeded_random random;
  struct world world;
  ap_seeded_random_init(&random, seed);
  open_world(&world);
  for (int kind = UPDATE; kind < KINDS; kind++) {
    unsigned drawn = (unsigned)ap_random_below(&random.base, FLAVOURS);
    if (!is_offered((enum kind)kind, drawn)) drawn &= ~(unsigned)FEED;
    for (unsigned flavour = 0; flavour < FLAVOURS; flavour++) {
      if (!(all || flavour == drawn) || !is_offered((enum kind)kind, flavour)) continue;
      make_frame(&world, flavour);
      body(&world, (enum kind)kind, &random.base);
    }
  }
  close_world(&world);
}

static void every_store_call_of_a_change_may_fail(void **state) {
  (void)state;
  sweep_all("every_store_call_of_a_change_may_fail", sweep_store);
}

static void memory_may_lack_anywhere_in_a_change(void **state) {
  (void)state;
  sweep_all("memory_may_lack_anywhere_in_a_change", sweep_memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_store_call_of_a_change_may_fail),
      cmocka_unit_test(memory_may_lack_anywhere_in_a_change),
  };
  return AP_RUN_TESTS(tests);
}
