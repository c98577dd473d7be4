/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: whatever call of the store fails during a write, what was acknowledged is there once, what
 * was refused is not there and leaves no cell behind, and the next write works. Method: a node over
 * a store that fails at every call in turn, in every way, and rivals that write between two calls.
 */
#include "execute/write.h"

#include "execute/definition.h"
#include "execute/session.h"

#include "arrow/rows.h"
#include "arrow/stream.h"
#include "base/limits.h"
#include "testing/check.h"
#include "testing/faulty_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define HIVE AP_TEXT("h")
#define BOX  AP_TEXT("b")

struct bed {
  char folder[64];
  struct ap_store *inner;
  struct ap_faulty_store store;
  struct ap_node *node;
  struct ap_node *rival; /* over the same folder, its store without faults; opened when needed */
  ap_error err;
};

static const struct ap_field fields[] = {
    {.name = {"a", 1}, .type = {.kind = AP_TYPE_INT64}, .nullable = true},
    {.name = {"p", 1}, .type = {.kind = AP_TYPE_INT64}, .nullable = true},
};
static const struct ap_schema schema = {2, fields};

static void create_frame(struct bed *bed, struct ap_node *node, const char *name,
                         bool is_partitioned) {
  const struct ap_text by = AP_TEXT("p");
  const struct ap_frame_request request = {.hive = HIVE,
                                           .box = BOX,
                                           .name = ap_text_of(name),
                                           .schema = &schema,
                                           .partition_by = &by,
                                           .partition_by_count = is_partitioned ? 1 : 0};
  check_ok(ap_frame_define(node, &request, &bed->err), &bed->err);
}

static const struct ap_node_options node_options = {
    .name = "test", .memory_bytes = 256 * AP_MIB, .bees = 2};

static void open_bed(struct bed *bed) {
  memset(bed, 0, sizeof *bed);
  memcpy(bed->folder, "/tmp/ap-execute-XXXXXX", sizeof "/tmp/ap-execute-XXXXXX");
  assert_non_null(mkdtemp(bed->folder));
  check_ok(ap_store_local_open(ap_env_system(), bed->folder, AP_RELAXED, &bed->inner, &bed->err),
           &bed->err);
  ap_faulty_store_init(&bed->store, bed->inner);
  check_ok(
      ap_node_open_over(ap_env_system(), &node_options, &bed->store.base, &bed->node, &bed->err),
      &bed->err);
  struct ap_catalog *catalog = ap_node_catalog(bed->node);
  check_ok(ap_catalog_create_hive(catalog, HIVE, false, &bed->err), &bed->err);
  check_ok(ap_catalog_create_box(catalog, HIVE, BOX, false, &bed->err), &bed->err);
  create_frame(bed, bed->node, "f", false);
  create_frame(bed, bed->node, "g", true);
}

static void open_rival(struct bed *bed) {
  struct ap_node_options options = node_options;
  options.root = bed->folder;
  options.durability = AP_RELAXED;
  check_ok(ap_node_open(ap_env_system(), &options, &bed->rival, &bed->err), &bed->err);
}

static void close_bed(struct bed *bed) {
  ap_node_close(bed->rival);
  ap_node_close(bed->node);
  ap_store_destroy(bed->inner);
  check_ok(ap_files_remove_tree(ap_env_system()->files, bed->folder, &bed->err), &bed->err);
}

/* ---- writing and reading --------------------------------------------------------------------- */

struct write {
  const char *frame;
  int64_t a; /* of the one row */
  int64_t p;
  bool no_rows;
  bool by_engine; /* rows from a query instead of a stream */
  bool overwrite;
  const char *replace_where;
  const char *app_id;
  int64_t app_version;
};

static ap_status write_row(struct ap_node *node, const struct write *write,
                           struct ap_write_outcome *out_outcome, ap_error *err) {
  static const struct ap_rows_column columns[] = {{"a", AP_ROWS_I64}, {"p", AP_ROWS_I64}};
  struct ArrowArrayStream stream = {0};
  char query[96];
  struct ap_rows rows = {0};
  check_ok(ap_rows_init(&rows, columns, 2, err), err);
  if (!write->no_rows) {
    ap_rows_i64(&rows, write->a);
    ap_rows_i64(&rows, write->p);
  }
  check_ok(ap_rows_finish(&rows, &stream, err), err);
  ap_rows_deinit(&rows);
  (void)snprintf(query, sizeof query, "SELECT %" PRId64 "::BIGINT AS a, %" PRId64 "::BIGINT AS p",
                 write->a, write->p);
  if (write->by_engine) ap_stream_release(&stream);
  const struct ap_write_request request = {
      .hive = HIVE,
      .box = BOX,
      .name = ap_text_of(write->frame),
      .stream = write->by_engine ? NULL : &stream,
      .query = write->by_engine ? ap_text_of(query) : (struct ap_text){0},
      .kind = write->overwrite ? AP_COMMIT_OVERWRITE : AP_COMMIT_APPEND,
      .replace_where = ap_text_of(write->replace_where),
      .app_id = ap_text_of(write->app_id),
      .app_version = write->app_version,
  };
  ap_status status = ap_write(node, &request, out_outcome, err);
  assert_null(stream.release); /* taken, whether the write succeeds or not */
  return status;
}

/* The values of a, ascending, as "1,2,2,"; at most 511 bytes. */
static void read_frame(struct bed *bed, struct ap_node *node, const char *frame, char *out_text) {
  struct ap_sql_session *session = NULL;
  struct ArrowArrayStream stream = {0};
  struct ArrowArray array = {0};
  char sql[96];
  (void)snprintf(sql, sizeof sql, "SELECT a FROM h.b.%s ORDER BY a", frame);
  const struct ap_sql_request request = {.sql = ap_text_of(sql)};
  out_text[0] = '\0';
  check_ok(ap_sql_session_create(node, &session, &bed->err), &bed->err);
  check_ok(ap_sql_run(session, &request, NULL, &stream, &bed->err), &bed->err);
  for (;;) {
    check_ok(ap_stream_next(&stream, &array, &bed->err), &bed->err);
    if (array.release == NULL) break;
    const int64_t *values = array.children[0]->buffers[1];
    for (int64_t i = 0; i < array.length; ++i) {
      size_t size = strlen(out_text);
      (void)snprintf(out_text + size, 512 - size, "%" PRId64 ",",
                     values[array.children[0]->offset + i]);
    }
    ap_array_release(&array);
  }
  ap_stream_release(&stream);
  ap_sql_session_destroy(session);
}

static void check_frame(struct bed *bed, struct ap_node *node, const char *frame,
                        const char *expected) {
  char text[512];
  read_frame(bed, node, frame, text);
  assert_string_equal(text, expected);
}

static ap_status count_cell(void *context, const struct ap_store_object *object, ap_error *err) {
  (void)err;
  if (ap_text_ends_with(object->key, AP_TEXT(".parquet"))) ++*(int64_t *)context;
  return AP_OK;
}

static int64_t count_cells(struct bed *bed, const char *prefix) {
  int64_t count = 0;
  check_ok(ap_store_list(bed->inner, ap_text_of(prefix), (struct ap_text){0}, count_cell, &count,
                         &bed->err),
           &bed->err);
  return count;
}

/* ---- faults ---------------------------------------------------------------------------------- */

static bool holds(const char *text, int64_t a) {
  char part[32];
  char padded[520];
  (void)snprintf(part, sizeof part, ",%" PRId64 ",", a);
  (void)snprintf(padded, sizeof padded, ",%s", text);
  char *at = strstr(padded, part);
  if (at == NULL) return false;
  assert_null(strstr(at + 1, part)); /* never twice */
  return true;
}

/* Append with the n-th call failing; false when there was no n-th call. */
static bool append_with_fault(struct bed *bed, enum ap_store_fault fault, int64_t n, int64_t a,
                              bool by_engine) {
  const struct write write = {.frame = "f", .a = a, .by_engine = by_engine};
  struct ap_write_outcome outcome = {0};
  ap_error err = {0};
  char text[512];
  int64_t cells = count_cells(bed, "h/b/f");
  ap_faulty_store_arm(&bed->store, fault, AP_STORE_ALL & ~AP_STORE_REMOVE, n);
  ap_status status = write_row(bed->node, &write, &outcome, &err);
  bool failed = bed->store.faults > 0;
  ap_faulty_store_arm(&bed->store, AP_STORE_FAULT_NONE, AP_STORE_ALL, 0);
  read_frame(bed, bed->node, "f", text);
  bool is_there = holds(text, a);
  if (status == AP_OK) assert_true(is_there);
  if (status != AP_OK && status != AP_OUTCOME_UNKNOWN) {
    assert_false(is_there);
    /* A lost store cannot be cleaned; any other leaves nothing behind. */
    if (fault != AP_STORE_FAULT_DOWN) assert_int_equal(count_cells(bed, "h/b/f"), cells);
    assert_true(err.message[0] != '\0');
  }
  return failed;
}

static void test_appends_survive_every_fault(void **state) {
  static const enum ap_store_fault faults[] = {AP_STORE_FAULT_BEFORE, AP_STORE_FAULT_NO_SPACE,
                                               AP_STORE_FAULT_AFTER, AP_STORE_FAULT_DOWN};
  struct bed bed;
  char first[512];
  char second[512];
  int64_t a = 100;
  (void)state;
  open_bed(&bed);
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; ++i) {
    int64_t n = 1;
    while (append_with_fault(&bed, faults[i], n, ++a, n % 2 == 0)) ++n;
    assert_true(n > 2);
  }
  open_rival(&bed);
  read_frame(&bed, bed.node, "f", first);
  read_frame(&bed, bed.rival, "f", second);
  assert_string_equal(first, second);
  close_bed(&bed);
}

static void test_overwrites_survive_every_fault(void **state) {
  struct bed bed;
  char text[512];
  char expected[64];
  struct ap_write_outcome outcome;
  (void)state;
  open_bed(&bed);
  check_ok(write_row(bed.node, &(struct write){.frame = "g", .a = 1, .p = 1}, &outcome, &bed.err),
           &bed.err);
  check_ok(write_row(bed.node, &(struct write){.frame = "g", .a = 2, .p = 2}, &outcome, &bed.err),
           &bed.err);
  int64_t kept = 2;
  for (int64_t n = 1;; ++n) {
    const struct write write = {
        .frame = "g", .a = 10 + n, .p = 2, .overwrite = true, .replace_where = "p = 2"};
    ap_error err = {0};
    ap_faulty_store_arm(&bed.store, n % 2 == 0 ? AP_STORE_FAULT_AFTER : AP_STORE_FAULT_BEFORE,
                        AP_STORE_ALL & ~AP_STORE_REMOVE, n);
    ap_status status = write_row(bed.node, &write, &outcome, &err);
    bool failed = bed.store.faults > 0;
    ap_faulty_store_arm(&bed.store, AP_STORE_FAULT_NONE, AP_STORE_ALL, 0);
    read_frame(&bed, bed.node, "g", text);
    if (status == AP_OK || (status == AP_OUTCOME_UNKNOWN && holds(text, write.a))) kept = write.a;
    (void)snprintf(expected, sizeof expected, "1,%" PRId64 ",", kept);
    assert_string_equal(text, expected);
    if (!failed) break;
  }
  close_bed(&bed);
}

/* ---- rivals ---------------------------------------------------------------------------------- */

struct intrusion {
  struct bed *bed;
  void (*act)(struct bed *bed);
  const char *part; /* of the key */
  bool done;
};

static void intrude(void *context, enum ap_store_operation operation, struct ap_text key) {
  struct intrusion *intrusion = context;
  char text[256];
  if (operation != AP_STORE_PUT_IF_ABSENT || intrusion->done) return;
  (void)snprintf(text, sizeof text, "%.*s", AP_TEXT_ARG(key));
  if (strstr(text, intrusion->part) == NULL) return;
  intrusion->done = true;
  intrusion->act(intrusion->bed);
}

static void rival_appends(struct bed *bed) {
  struct ap_write_outcome outcome;
  for (int64_t p = 1; p <= 2; ++p) {
    check_ok(write_row(bed->rival, &(struct write){.frame = "g", .a = 50 + p, .p = p}, &outcome,
                       &bed->err),
             &bed->err);
  }
}

static void test_an_overwrite_replaces_what_a_rival_wrote_first(void **state) {
  struct bed bed;
  struct ap_write_outcome outcome;
  (void)state;
  open_bed(&bed);
  open_rival(&bed);
  check_ok(write_row(bed.node, &(struct write){.frame = "g", .a = 1, .p = 1}, &outcome, &bed.err),
           &bed.err);
  struct intrusion intrusion = {&bed, rival_appends, "_delta_log", false};
  ap_faulty_store_set_hook(&bed.store, intrude, &intrusion);
  const struct write write = {
      .frame = "g", .a = 9, .p = 2, .overwrite = true, .replace_where = "p = 2"};
  check_ok(write_row(bed.node, &write, &outcome, &bed.err), &bed.err);
  ap_faulty_store_set_hook(&bed.store, NULL, NULL);
  assert_true(intrusion.done);
  assert_int_equal(outcome.cells_removed, 1);
  check_frame(&bed, bed.rival, "g", "1,9,51,");
  close_bed(&bed);
}

/* Another writer's cell whose partition value is no number: nobody can say whether p = 2. */
static void rival_adds_nonsense(struct bed *bed) {
  struct ap_frame *frame = NULL;
  struct ap_snapshot *snapshot = NULL;
  struct ap_commit_result result;
  struct ap_partition_value value = {.text = AP_TEXT("no number")};
  const struct ap_cell_draft draft = {.path = AP_TEXT("p=no/cell.parquet"),
                                      .size_bytes = 1,
                                      .row_count = 1,
                                      .partition_count = 1,
                                      .partition_values = &value};
  check_ok(ap_node_find_frame(bed->rival, HIVE, BOX, AP_TEXT("g"), &frame, &bed->err), &bed->err);
  check_ok(ap_ledger_snapshot(frame->ledger, AP_AT_LATEST, 0, &snapshot, &bed->err), &bed->err);
  const struct ap_commit commit = {
      .kind = AP_COMMIT_APPEND, .adds = &draft, .add_count = 1, .schema_id = snapshot->schema_id};
  check_ok(ap_ledger_commit(frame->ledger, &commit, &result, &bed->err), &bed->err);
  ap_snapshot_release(snapshot);
  ap_node_release_frame(bed->rival, frame);
}

static void test_a_condition_that_cannot_be_decided_fails_the_write(void **state) {
  struct bed bed;
  struct ap_write_outcome outcome;
  (void)state;
  open_bed(&bed);
  open_rival(&bed);
  struct intrusion intrusion = {&bed, rival_adds_nonsense, "_delta_log", false};
  ap_faulty_store_set_hook(&bed.store, intrude, &intrusion);
  const struct write write = {
      .frame = "g", .a = 9, .p = 2, .overwrite = true, .replace_where = "p = 2"};
  ap_error err = {0};
  ap_status status = write_row(bed.node, &write, &outcome, &err);
  ap_faulty_store_set_hook(&bed.store, NULL, NULL);
  assert_true(intrusion.done);
  assert_int_not_equal(status, AP_OK);
  assert_int_equal(count_cells(&bed, "h/b/g"), 0);
  close_bed(&bed);
}

/* ---- what makes no rows ---------------------------------------------------------------------- */

static void test_an_overwrite_without_rows_empties(void **state) {
  struct bed bed;
  struct ap_write_outcome outcome;
  (void)state;
  open_bed(&bed);
  check_ok(write_row(bed.node, &(struct write){.frame = "f", .a = 1}, &outcome, &bed.err),
           &bed.err);
  int64_t version = outcome.version;
  check_ok(write_row(bed.node, &(struct write){.frame = "f", .no_rows = true}, &outcome, &bed.err),
           &bed.err);
  assert_int_equal(outcome.version, version); /* an append of nothing is no version */
  check_frame(&bed, bed.node, "f", "1,");
  const struct write nothing = {.frame = "f", .no_rows = true, .overwrite = true};
  check_ok(write_row(bed.node, &nothing, &outcome, &bed.err), &bed.err);
  assert_int_equal(outcome.version, version + 1);
  assert_int_equal(outcome.cells_removed, 1);
  check_frame(&bed, bed.node, "f", "");
  close_bed(&bed);
}

static void test_a_version_that_was_written_is_skipped(void **state) {
  struct bed bed;
  struct ap_write_outcome outcome;
  struct write write = {.frame = "f", .a = 1, .app_id = "job", .app_version = 7};
  (void)state;
  open_bed(&bed);
  check_ok(write_row(bed.node, &write, &outcome, &bed.err), &bed.err);
  assert_false(outcome.skipped);
  int64_t version = outcome.version;
  write.a = 2;
  check_ok(write_row(bed.node, &write, &outcome, &bed.err), &bed.err);
  assert_true(outcome.skipped);
  assert_int_equal(outcome.rows_written, 0);
  assert_int_equal(outcome.version, version);
  assert_int_equal(count_cells(&bed, "h/b/f"), 1);
  check_frame(&bed, bed.node, "f", "1,");
  close_bed(&bed);
}

/* ---- dropping -------------------------------------------------------------------------------- */

/* While one drops the hive, the other drops f, makes it anew and adds n. */
static void rival_redefines(struct bed *bed) {
  struct ap_write_outcome outcome;
  const struct ap_drop_request drop = {.hive = HIVE, .box = BOX, .name = AP_TEXT("f")};
  check_ok(ap_drop(bed->rival, &drop, &bed->err), &bed->err);
  create_frame(bed, bed->rival, "f", false);
  create_frame(bed, bed->rival, "n", false);
  check_ok(write_row(bed->rival, &(struct write){.frame = "n", .a = 5}, &outcome, &bed->err),
           &bed->err);
}

static void test_a_drop_removes_the_files_of_what_it_dropped(void **state) {
  struct bed bed;
  struct ap_write_outcome outcome;
  (void)state;
  open_bed(&bed);
  open_rival(&bed);
  check_ok(write_row(bed.node, &(struct write){.frame = "f", .a = 1}, &outcome, &bed.err),
           &bed.err);
  struct intrusion intrusion = {&bed, rival_redefines, "_apiary/catalog", false};
  ap_faulty_store_set_hook(&bed.store, intrude, &intrusion);
  const struct ap_drop_request drop = {.hive = HIVE, .cascade = true};
  check_ok(ap_drop(bed.node, &drop, &bed.err), &bed.err);
  ap_faulty_store_set_hook(&bed.store, NULL, NULL);
  assert_true(intrusion.done);
  assert_int_equal(count_cells(&bed, "h/"), 0); /* those of n as well */
  close_bed(&bed);
}

static void rival_renames(struct bed *bed) {
  check_ok(ap_catalog_rename_frame(ap_node_catalog(bed->rival), HIVE, BOX, AP_TEXT("f"),
                                   AP_TEXT("kept"), &bed->err),
           &bed->err);
}

static void test_a_drop_that_comes_too_late_removes_nothing(void **state) {
  struct bed bed;
  struct ap_write_outcome outcome;
  (void)state;
  open_bed(&bed);
  open_rival(&bed);
  check_ok(write_row(bed.node, &(struct write){.frame = "f", .a = 1}, &outcome, &bed.err),
           &bed.err);
  struct intrusion intrusion = {&bed, rival_renames, "_apiary/catalog", false};
  ap_faulty_store_set_hook(&bed.store, intrude, &intrusion);
  const struct ap_drop_request drop = {
      .hive = HIVE, .box = BOX, .name = AP_TEXT("f"), .if_exists = true};
  check_ok(ap_drop(bed.node, &drop, &bed.err), &bed.err);
  ap_faulty_store_set_hook(&bed.store, NULL, NULL);
  assert_true(intrusion.done);
  check_frame(&bed, bed.node, "kept", "1,");
  close_bed(&bed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_appends_survive_every_fault),
      cmocka_unit_test(test_overwrites_survive_every_fault),
      cmocka_unit_test(test_an_overwrite_replaces_what_a_rival_wrote_first),
      cmocka_unit_test(test_a_condition_that_cannot_be_decided_fails_the_write),
      cmocka_unit_test(test_an_overwrite_without_rows_empties),
      cmocka_unit_test(test_a_version_that_was_written_is_skipped),
      cmocka_unit_test(test_a_drop_removes_the_files_of_what_it_dropped),
      cmocka_unit_test(test_a_drop_that_comes_too_late_removes_nothing),
  };
  return AP_RUN_TESTS(tests);
}
