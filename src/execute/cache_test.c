/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: copies are made and used while sessions read and write and the node is closed, and never
 * show in an answer.
 * Method: threads read frames of a node whose cache makes copies in the background, while another
 * writes to them; every answer is held against what the frame's versions can give. A node is closed
 * while copies are being made. Meant to run under ThreadSanitizer as well.
 */
#include "execute/cache.h"

#include "execute/definition.h"
#include "execute/session.h"
#include "execute/write.h"

#include "arrow/stream.h"
#include "base/limits.h"
#include "testing/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { READERS = 3, WRITES = 12, ROWS = 500 };

struct bed {
  char folder[64];
  struct ap_node *node;
  ap_error err;
};

static const struct ap_field fields[] = {
    {.name = {"a", 1}, .type = {.kind = AP_TYPE_INT64}, .nullable = true},
    {.name = {"s", 1}, .type = {.kind = AP_TYPE_STRING}, .nullable = true},
};
static const struct ap_schema schema = {2, fields};

static void append(struct bed *bed, int64_t first, int64_t count) {
  char query[160];
  (void)snprintf(query, sizeof query,
                 "SELECT i AS a, 'n' || i AS s FROM range(%" PRId64 ", %" PRId64 ") t(i)", first,
                 first + count);
  const struct ap_write_request request = {.hive = AP_TEXT("h"),
                                           .box = AP_TEXT("b"),
                                           .name = AP_TEXT("f"),
                                           .query = ap_text_of(query),
                                           .kind = AP_COMMIT_APPEND};
  struct ap_write_outcome outcome;
  ap_error err = {0};
  check_ok(ap_write(bed->node, &request, &outcome, &err), &err);
}

static void open_bed(struct bed *bed, bool eager) {
  memset(bed, 0, sizeof *bed);
  memcpy(bed->folder, "/tmp/ap-cache-XXXXXX", sizeof "/tmp/ap-cache-XXXXXX");
  assert_non_null(mkdtemp(bed->folder));
  const struct ap_node_options options = {.name = "test",
                                          .root = bed->folder,
                                          .memory_bytes = 512 * AP_MIB,
                                          .bees = 2,
                                          .durability = AP_RELAXED,
                                          .cache_bytes = 64 * AP_MIB,
                                          .cache_eager = eager};
  const struct ap_frame_request frame = {
      .hive = AP_TEXT("h"), .box = AP_TEXT("b"), .name = AP_TEXT("f"), .schema = &schema};
  check_ok(ap_node_open(ap_env_system(), &options, &bed->node, &bed->err), &bed->err);
  struct ap_catalog *catalog = ap_node_catalog(bed->node);
  check_ok(ap_catalog_create_hive(catalog, AP_TEXT("h"), false, &bed->err), &bed->err);
  check_ok(ap_catalog_create_box(catalog, AP_TEXT("h"), AP_TEXT("b"), false, &bed->err), &bed->err);
  check_ok(ap_frame_define(bed->node, &frame, &bed->err), &bed->err);
}

static void close_bed(struct bed *bed) {
  char folder[96];
  struct ap_files *files = ap_env_system()->files;
  ap_node_close(bed->node);
  (void)snprintf(folder, sizeof folder, "%s/_apiary/cache", bed->folder);
  ap_status removed = files->remove_folder(files, folder, &bed->err); /* so it is empty */
  if (removed != AP_NOT_FOUND) check_ok(removed, &bed->err);
  check_ok(ap_files_remove_tree(files, bed->folder, &bed->err), &bed->err);
}

/* The one number that a query answers. */
static int64_t ask(struct bed *bed, const char *sql) {
  struct ap_sql_session *session = NULL;
  struct ArrowArrayStream stream = {0};
  struct ArrowArray array = {0};
  ap_error err = {0};
  const struct ap_sql_request request = {.sql = ap_text_of(sql)};
  check_ok(ap_sql_session_create(bed->node, &session, &err), &err);
  check_ok(ap_sql_run(session, &request, NULL, &stream, &err), &err);
  check_ok(ap_stream_next(&stream, &array, &err), &err);
  assert_int_equal(array.length, 1);
  int64_t number = ((const int64_t *)array.children[0]->buffers[1])[array.children[0]->offset];
  ap_array_release(&array);
  ap_stream_release(&stream);
  ap_sql_session_destroy(session);
  return number;
}

struct reader {
  struct bed *bed;
  atomic_bool *stop;
  uint32_t wrong_count;
};

/* Appends of ROWS rows each, numbers without gaps: count says which version it is, sum that all of
 * it is there. */
static void read_on(void *context) {
  struct reader *reader = context;
  while (!atomic_load(reader->stop)) {
    int64_t answer =
        ask(reader->bed,
            "SELECT CASE WHEN sum(a) = count(*) * (count(*) - 1) / 2 AND min(s) = 'n0' "
            "THEN count(*) ELSE -1 END FROM h.b.f WHERE a >= 0");
    if (answer < ROWS || answer % ROWS != 0) reader->wrong_count += 1;
  }
}

static void readers_and_a_writer(void **state) {
  (void)state;
  struct bed bed;
  struct ap_threads *threads = ap_env_system()->threads;
  struct reader readers[READERS];
  struct ap_thread *handles[READERS];
  atomic_bool stop;
  atomic_init(&stop, false);
  open_bed(&bed, false);
  append(&bed, 0, ROWS);
  for (int i = 0; i < READERS; ++i) {
    readers[i] = (struct reader){.bed = &bed, .stop = &stop};
    check_ok(threads->spawn(threads, read_on, &readers[i], &handles[i], &bed.err), &bed.err);
  }
  struct ap_cache_status status = {0};
  for (int i = 1; i < WRITES; ++i) {
    append(&bed, (int64_t)i * ROWS, ROWS);
    ap_clock_sleep_ms(ap_env_system()->clock, 100);
  }
  for (int i = 0; i < 600 && status.counts.hits == 0; ++i) {
    ap_clock_sleep_ms(ap_env_system()->clock, 50);
    ap_cache_get_status(ap_node_cache(bed.node), &status);
  }
  atomic_store(&stop, true);
  for (int i = 0; i < READERS; ++i) {
    threads->join(threads, handles[i]);
    assert_int_equal(readers[i].wrong_count, 0);
  }
  assert_true(status.counts.hits > 0);
  assert_int_equal(status.counts.failed_fills, 0);
  close_bed(&bed);
}

static void closing_ends_what_is_being_made(void **state) {
  (void)state;
  struct bed bed;
  open_bed(&bed, false);
  append(&bed, 0, 1000000);
  for (int i = 0; i < 2; ++i) assert_int_equal(ask(&bed, "SELECT count(s) FROM h.b.f"), 1000000);
  struct ap_cache_status status = {0};
  for (int i = 0; i < 2000 && !status.filling; ++i) {
    ap_clock_sleep_ms(ap_env_system()->clock, 1);
    ap_cache_get_status(ap_node_cache(bed.node), &status);
    if (status.counts.copy_count > 0) break;
  }
  close_bed(&bed);
}

static void eager_queries_read_copies(void **state) {
  (void)state;
  struct bed bed;
  struct ap_cache_status status;
  open_bed(&bed, true);
  append(&bed, 0, ROWS);
  assert_int_equal(ask(&bed, "SELECT count(*) FROM h.b.f WHERE s <> ''"), ROWS);
  append(&bed, ROWS, ROWS);
  assert_int_equal(ask(&bed, "SELECT count(*) FROM h.b.f WHERE s <> ''"), 2 * ROWS);
  ap_cache_get_status(ap_node_cache(bed.node), &status);
  assert_int_equal(status.counts.cell_count, 2);
  assert_int_equal(status.counts.hits, 1 + 1 + 2);
  const struct ap_drop_request drop = {
      .hive = AP_TEXT("h"), .box = AP_TEXT("b"), .name = AP_TEXT("f")};
  check_ok(ap_drop(bed.node, &drop, &bed.err), &bed.err);
  ap_cache_get_status(ap_node_cache(bed.node), &status);
  assert_int_equal(status.counts.cell_count, 0);
  close_bed(&bed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(readers_and_a_writer),
      cmocka_unit_test(closing_ends_what_is_being_made),
      cmocka_unit_test(eager_queries_read_copies),
  };
  return AP_RUN_TESTS(tests);
}
