/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: whichever call of the store fails, a change of a frame is there whole or not at all, a
 * reported failure means that it is not there, nothing but the reported is lost, no cell is left
 * over, and the next change works.
 * Method: a node over a faulty store; for each kind of change every store call made to fail in
 * turn, in four ways. After each, a node over the sound store must find the rows that a model of
 * the frame holds, before the change or after it, and as many cells as the commits wrote.
 */
#include "execute/definition.h"
#include "execute/query.h"
#include "execute/write.h"

#include "testing/arrow_text.h"
#include "testing/check.h"
#include "testing/faulty_store.h"

#include <stdio.h>
#include <stdlib.h>

enum { TAGS_MAX = 4096, CALLS_MAX = 200 };

/* Rows carry the number of the change that wrote them: alive[part][tag]. */
struct model {
  bool alive[2][TAGS_MAX];
  int64_t cells; /* that commits wrote, replaced ones included */
};

struct world {
  char folder[64];
  struct ap_store *local;
  struct ap_faulty_store faulty;
  struct ap_node *node;  /* over the faulty store */
  struct ap_node *sound; /* over one of its own */
  struct model model;
  int tag;
  ap_error err;
};

enum change { APPEND, OVERWRITE, REPLACE, CHANGES };

static const struct ap_node_options options = {.name = "test", .memory_bytes = 1 << 29, .bees = 1};

static struct ap_text text(const char *string) {
  return ap_text_of(string);
}

static ap_status define(struct ap_node *node, const char *name, ap_error *err) {
  struct ap_field fields[] = {
      {.name = AP_TEXT("tag"), .type = {.kind = AP_TYPE_INT32}, .nullable = true},
      {.name = AP_TEXT("part"), .type = {.kind = AP_TYPE_STRING}, .nullable = true},
  };
  const struct ap_schema schema = {2, fields};
  const struct ap_text partition_by = AP_TEXT("part");
  const struct ap_frame_request request = {.hive = AP_TEXT("h"),
                                           .box = AP_TEXT("b"),
                                           .name = text(name),
                                           .schema = &schema,
                                           .partition_by = &partition_by,
                                           .partition_by_count = 1,
                                           .if_absent = true};
  return ap_frame_define(node, &request, err);
}

static void open_world(struct world *world) {
  memset(world, 0, sizeof *world);
  strncpy(world->folder, "/tmp/ap-execute-XXXXXX", sizeof world->folder - 1);
  assert_non_null(mkdtemp(world->folder));
  const struct ap_env *env = ap_env_system();
  struct ap_store *other = NULL;
  ap_error *err = &world->err;
  check_ok(ap_store_local_open(env, world->folder, AP_RELAXED, &world->local, err), err);
  check_ok(ap_store_local_open(env, world->folder, AP_RELAXED, &other, err), err);
  ap_faulty_store_init(&world->faulty, world->local);
  check_ok(ap_node_open_over(env, &options, &world->faulty.base, &world->node, err), err);
  check_ok(ap_node_open_over(env, &options, other, &world->sound, err), err);
  struct ap_catalog *catalog = ap_node_catalog(world->sound);
  check_ok(ap_catalog_create_hive(catalog, text("h"), false, err), err);
  check_ok(ap_catalog_create_box(catalog, text("h"), text("b"), false, err), err);
  check_ok(define(world->sound, "f", err), err);
}

static void close_world(struct world *world) {
  ap_node_close(world->node);
  ap_node_close(world->sound);
  ap_store_destroy(world->local);
  check_ok(ap_files_remove_tree(ap_env_system()->files, world->folder, &world->err), &world->err);
}

/* ---- changes --------------------------------------------------------------------------------- */

static ap_status make_change(struct world *world, enum change change) {
  char query[160];
  snprintf(query, sizeof query,
           "SELECT %d::INTEGER AS tag, p AS part FROM (VALUES ('a')%s) t(p), range(3)", world->tag,
           change == REPLACE ? "" : ", ('b')");
  const struct ap_write_request request = {
      .hive = AP_TEXT("h"),
      .box = AP_TEXT("b"),
      .name = AP_TEXT("f"),
      .query = text(query),
      .kind = change == APPEND ? AP_COMMIT_APPEND : AP_COMMIT_OVERWRITE,
      .replace_where = change == REPLACE ? AP_TEXT("part = 'a'") : (struct ap_text){0},
  };
  struct ap_write_outcome outcome;
  return ap_write(world->node, &request, &outcome, &world->err);
}

static void change_model(struct model *model, enum change change, int tag) {
  for (int part = 0; part < 2; part++) {
    bool replaced = change == OVERWRITE || (change == REPLACE && part == 0);
    if (replaced) memset(model->alive[part], 0, sizeof model->alive[part]);
    if (change != REPLACE || part == 0) {
      model->alive[part][tag] = true;
      model->cells++;
    }
  }
}

/* ---- what is there --------------------------------------------------------------------------- */

static void append_model(struct ap_buffer *out, const struct model *model) {
  for (int tag = 0; tag < TAGS_MAX; tag++) {
    for (int part = 0; part < 2; part++) {
      if (!model->alive[part][tag]) continue;
      ap_buffer_append_format(out, "{tag:%d,part:'%c',n:3}\n", tag, 'a' + part);
    }
  }
}

static ap_status read_rows(struct ap_node *node, struct ap_buffer *out, ap_error *err) {
  const struct ap_text sql =
      AP_TEXT("SELECT tag, part, count(*) AS n FROM h.b.f GROUP BY tag, part ORDER BY tag, part");
  const struct ap_query_request request = {.text = sql, .body = sql};
  struct ArrowArrayStream stream;
  AP_TRY(ap_query(node, &request, NULL, &stream, err));
  return ap_arrow_append_stream(out, &stream, err);
}

static ap_status count_cell(void *context, const struct ap_store_object *object, ap_error *err) {
  (void)err;
  bool is_cell = ap_text_ends_with(object->key, AP_TEXT(".parquet")) &&
                 !ap_text_starts_with(object->key, AP_TEXT("h/b/f/_delta_log/"));
  *(int64_t *)context += is_cell ? 1 : 0;
  return AP_OK;
}

static bool is_model(const struct model *model, struct ap_text rows) {
  struct ap_buffer expected;
  ap_buffer_init(&expected, ap_allocator_system());
  append_model(&expected, model);
  bool equal = ap_text_equal(ap_buffer_text(&expected), rows);
  ap_buffer_deinit(&expected);
  return equal;
}

/* The world's model becomes what is there: the old one, or `changed` where that may be. */
static void check_world(struct world *world, const struct model *changed, bool may_be_old,
                        bool may_be_new) {
  struct ap_buffer rows;
  ap_buffer_init(&rows, ap_allocator_system());
  check_ok(read_rows(world->sound, &rows, &world->err), &world->err);
  bool is_new = is_model(changed, ap_buffer_text(&rows));
  bool is_old = is_model(&world->model, ap_buffer_text(&rows));
  if (!((is_new && may_be_new) || (is_old && may_be_old))) {
    print_error("%s%s, yet there is:\n%s", may_be_old ? "the change is not made" : "",
                may_be_new ? "the change is made" : "", rows.data);
    fail();
  }
  if (is_new) world->model = *changed;
  ap_buffer_deinit(&rows);
}

static int64_t count_cells(struct world *world) {
  int64_t count = 0;
  check_ok(ap_store_list(world->local, text("h/b/f/"), (struct ap_text){0}, count_cell, &count,
                         &world->err),
           &world->err);
  return count;
}

/* ---- the sweeps ------------------------------------------------------------------------------ */

static const enum ap_store_fault faults[] = {AP_STORE_FAULT_BEFORE, AP_STORE_FAULT_NO_SPACE,
                                             AP_STORE_FAULT_AFTER, AP_STORE_FAULT_DOWN};

/* One change with its n-th store call failing; false when it has fewer calls. */
static bool change_with_fault(struct world *world, enum change change, enum ap_store_fault fault,
                              int64_t n) {
  struct model changed = world->model;
  change_model(&changed, change, ++world->tag);
  assert_true(world->tag < TAGS_MAX);
  ap_error_clear(&world->err);
  ap_faulty_store_arm(&world->faulty, fault, AP_STORE_ALL, n);
  ap_status status = make_change(world, change);
  bool struck = world->faulty.faults > 0;
  ap_faulty_store_arm(&world->faulty, AP_STORE_FAULT_NONE, AP_STORE_ALL, 0);
  bool is_unsure = status == AP_OUTCOME_UNKNOWN;
  if (status != AP_OK) {
    ap_status expected = fault == AP_STORE_FAULT_NO_SPACE ? AP_NO_SPACE : AP_IO;
    assert_true(is_unsure || status == expected);
    check_contains(world->err.message, "injected fault");
  }
  assert_true(struck || status == AP_OK);
  check_world(world, &changed, status != AP_OK, status == AP_OK || is_unsure);
  int64_t left_over = count_cells(world) - world->model.cells;
  if (fault == AP_STORE_FAULT_DOWN || is_unsure) {
    assert_true(left_over >= 0); /* garbage, which no later count is to find */
    world->model.cells += left_over;
  } else {
    assert_int_equal(left_over, 0);
  }
  return struck;
}

static void every_store_call_of_a_write_may_fail(void **state) {
  (void)state;
  struct world world;
  open_world(&world);
  int64_t struck = 0;
  for (int change = APPEND; change < CHANGES; change++) {
    for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++) {
      for (int64_t n = 1; n <= CALLS_MAX; n++) {
        if (!change_with_fault(&world, (enum change)change, faults[f], n)) break;
        assert_true(n < CALLS_MAX);
        struck++;
      }
    }
  }
  assert_true(struck > 40);
  close_world(&world);
}

/* A query answers rightly or says what failed. */
static void every_store_call_of_a_query_may_fail(void **state) {
  (void)state;
  struct world world;
  open_world(&world);
  int64_t struck = 0;
  for (int i = 0; i < 4; i++) {
    assert_false(change_with_fault(&world, APPEND, AP_STORE_FAULT_NONE, 0));
  }
  for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++) {
    for (int64_t n = 1; n <= CALLS_MAX; n++) {
      struct ap_node *node = NULL;
      struct ap_buffer rows;
      ap_buffer_init(&rows, ap_allocator_system());
      ap_error_clear(&world.err);
      check_ok(ap_node_open_over(ap_env_system(), &options, &world.faulty.base, &node, &world.err),
               &world.err);
      ap_faulty_store_arm(&world.faulty, faults[f], AP_STORE_ALL, n);
      ap_status status = read_rows(node, &rows, &world.err);
      bool done = world.faulty.faults == 0;
      ap_faulty_store_arm(&world.faulty, AP_STORE_FAULT_NONE, AP_STORE_ALL, 0);
      if (status == AP_OK) {
        assert_true(is_model(&world.model, ap_buffer_text(&rows)));
      } else {
        assert_false(done);
        check_contains(world.err.message, "injected fault");
        ap_buffer_clear(&rows);
        check_ok(read_rows(node, &rows, &world.err), &world.err);
        assert_true(is_model(&world.model, ap_buffer_text(&rows)));
      }
      ap_buffer_deinit(&rows);
      ap_node_close(node);
      if (done) break;
      struck++;
    }
  }
  assert_true(struck > 8);
  close_world(&world);
}

/* Whether the frame can be found and read, by somebody else. */
static bool is_there(struct world *world, const char *name) {
  struct ap_frame *frame = NULL;
  struct ap_snapshot *snapshot = NULL;
  ap_error err = {0};
  ap_status status =
      ap_node_find_frame(world->sound, text("h"), text("b"), text(name), &frame, &err);
  if (status == AP_NOT_FOUND) return false;
  check_ok(status, &err);
  check_ok(ap_ledger_snapshot(frame->ledger, AP_AT_LATEST, 0, &snapshot, &err), &err);
  ap_snapshot_release(snapshot);
  ap_node_release_frame(world->sound, frame);
  return true;
}

/* Create or drop with the n-th store call failing. */
static bool define_with_fault(struct world *world, bool drop, enum ap_store_fault fault,
                              int64_t n) {
  const struct ap_drop_request request = {
      .hive = AP_TEXT("h"), .box = AP_TEXT("b"), .name = AP_TEXT("g"), .if_exists = true};
  check_ok(
      drop ? define(world->sound, "g", &world->err) : ap_drop(world->sound, &request, &world->err),
      &world->err);
  assert_int_equal(is_there(world, "g"), drop);
  ap_error_clear(&world->err);
  ap_faulty_store_arm(&world->faulty, fault, AP_STORE_ALL, n);
  ap_status status =
      drop ? ap_drop(world->node, &request, &world->err) : define(world->node, "g", &world->err);
  bool struck = world->faulty.faults > 0;
  ap_faulty_store_arm(&world->faulty, AP_STORE_FAULT_NONE, AP_STORE_ALL, 0);
  bool there = is_there(world, "g");
  if (status == AP_OK) {
    assert_int_equal(there, !drop);
  } else {
    assert_true(struck);
    check_contains(world->err.message, "injected fault");
    if (status != AP_OUTCOME_UNKNOWN) assert_int_equal(there, drop);
  }
  return struck;
}

static void every_store_call_of_a_definition_may_fail(void **state) {
  (void)state;
  struct world world;
  open_world(&world);
  int64_t struck = 0;
  for (int drop = 0; drop < 2; drop++) {
    for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++) {
      for (int64_t n = 1; n <= CALLS_MAX; n++) {
        if (!define_with_fault(&world, drop == 1, faults[f], n)) break;
        assert_true(n < CALLS_MAX);
        struck++;
      }
    }
  }
  assert_true(struck > 30);
  assert_false(change_with_fault(&world, APPEND, AP_STORE_FAULT_NONE, 0));
  close_world(&world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_store_call_of_a_write_may_fail),
      cmocka_unit_test(every_store_call_of_a_query_may_fail),
      cmocka_unit_test(every_store_call_of_a_definition_may_fail),
  };
  return AP_RUN_TESTS(tests);
}
