/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: vectors that are written are what the reference library reads, and come back from the log
 * and from files; a cell is marked, marked again and read with the rows that are left. Method:
 * random sets of every density against CRoaring; commits in the simulated world.
 */
#include "ledger/deletion_vector.h"

#include "testing/alloc.h"
#include "testing/check.h"
#include "testing/ledger_world.h"
#include "testing/random.h"

#include <roaring/roaring.h>

enum { HEAD_BYTES = 12, KEY_BYTES = 4, ROWS = 300000 };

/* Rows below ROWS: scattered, dense, or in runs. */
static uint64_t make_rows(struct ap_random *random, uint64_t *rows) {
  static const uint64_t odds[] = {2, 10, 1000, 50000};
  uint64_t one_in = odds[ap_random_below(random, 4)];
  bool runs = ap_random_below(random, 2) == 0;
  bool on = false;
  uint64_t count = 0;
  for (uint64_t row = 0; row < ROWS; row++) {
    bool hit = ap_random_below(random, one_in) == 0;
    if (runs && hit) on = !on;
    if (runs ? on : hit) rows[count++] = row;
  }
  return count;
}

static void is_what_the_library_reads(void **state) {
  (void)state;
  static uint64_t rows[ROWS];
  struct ap_seeded_random seeded;
  ap_seeded_random_init(&seeded, ap_test_seed("deletion vectors"));
  struct ap_random *random = &seeded.base;
  for (int round = 0; round < 40; round++) {
    struct ap_buffer bytes;
    struct ap_arena arena;
    const uint64_t *decoded = NULL;
    uint64_t decoded_count = 0;
    ap_error err = {0};
    uint64_t count = make_rows(random, rows);
    if (count == 0) continue;
    ap_arena_init(&arena, ap_allocator_system());
    ap_buffer_init(&bytes, ap_allocator_system());
    ap_deletion_vector_encode(&bytes, rows, count);
    roaring_bitmap_t *bitmap = roaring_bitmap_portable_deserialize_safe(
        bytes.data + HEAD_BYTES + KEY_BYTES, bytes.size - HEAD_BYTES - KEY_BYTES);
    assert_non_null(bitmap);
    assert_int_equal(roaring_bitmap_get_cardinality(bitmap), count);
    for (uint64_t i = 0; i < count; i++) {
      assert_true(roaring_bitmap_contains(bitmap, (uint32_t)rows[i]));
    }
    roaring_bitmap_free(bitmap);
    check_ok(ap_deletion_vector_decode(&arena, ap_buffer_text(&bytes), (int64_t)count, ROWS,
                                       &decoded, &decoded_count, &err),
             &err);
    assert_int_equal(decoded_count, count);
    assert_memory_equal(decoded, rows, count * sizeof(*rows));
    ap_buffer_deinit(&bytes);
    ap_arena_deinit(&arena);
  }
}

static void text_comes_back(void **state) {
  (void)state;
  static const uint64_t rows[] = {3, 4, 7, 11, 18, 29};
  struct ap_buffer bytes;
  struct ap_buffer text;
  struct ap_buffer back;
  ap_buffer_init(&bytes, ap_allocator_system());
  ap_buffer_init(&text, ap_allocator_system());
  ap_buffer_init(&back, ap_allocator_system());
  ap_deletion_vector_encode(&bytes, rows, 6);
  assert_int_equal(bytes.size, 44);
  ap_deletion_vector_z85_append(&text, ap_buffer_text(&bytes));
  assert_int_equal(text.size, 55);
  assert_true(ap_deletion_vector_z85(&back, ap_buffer_text(&text)));
  assert_memory_equal(back.data, bytes.data, bytes.size);
  ap_buffer_deinit(&back);
  ap_buffer_deinit(&text);
  ap_buffer_deinit(&bytes);
}

struct marking {
  struct ap_ledger_world *world;
  struct ap_ledger *ledger;
  struct ap_arena arena;
};

/* Mark rows of the frame's only cell. */
static void mark(struct marking *marking, const uint64_t *rows, uint64_t count) {
  ap_error *err = &marking->world->err;
  struct ap_snapshot *snapshot = NULL;
  struct ap_deletion_vector vector;
  struct ap_cell_draft draft;
  struct ap_text key;
  struct ap_commit_result result;
  const struct ap_deleted_rows set = {rows, count};
  check_ok(ap_ledger_snapshot(marking->ledger, AP_AT_LATEST, 0, &snapshot, err), err);
  assert_int_equal(snapshot->cell_count, 1);
  check_ok(
      ap_ledger_write_deleted_rows(marking->ledger, &set, 1, &marking->arena, &vector, &key, err),
      err);
  check_ok(ap_ledger_mark_cell(snapshot->cells[0], &vector, &marking->arena, &draft, err), err);
  const struct ap_commit commit = {.kind = AP_COMMIT_REWRITE,
                                   .base = snapshot,
                                   .adds = &draft,
                                   .add_count = 1,
                                   .removed_cells = snapshot->cells,
                                   .removed_cell_count = 1,
                                   .operation = AP_TEXT("DELETE"),
                                   .schema_id = snapshot->schema_id};
  check_ok(ap_ledger_commit(marking->ledger, &commit, &result, err), err);
  ap_snapshot_release(snapshot);
}

static void check_left(struct marking *marking, int64_t left, const uint64_t *rows,
                       uint64_t count) {
  ap_error *err = &marking->world->err;
  struct ap_ledger *fresh = ap_ledger_world_open(marking->world);
  struct ap_snapshot *snapshot = NULL;
  const uint64_t *deleted = NULL;
  uint64_t deleted_count = 0;
  check_ok(ap_ledger_snapshot(fresh, AP_AT_LATEST, 0, &snapshot, err), err);
  assert_int_equal(snapshot->cell_count, 1);
  assert_int_equal(snapshot->row_count, left);
  check_contains(snapshot->cells[0]->statistics_json.data, "\"tightBounds\":false");
  check_ok(ap_ledger_deleted_rows(fresh, snapshot->cells[0], &marking->arena, &deleted,
                                  &deleted_count, err),
           err);
  assert_int_equal(deleted_count, count);
  assert_memory_equal(deleted, rows, count * sizeof(*rows));
  ap_snapshot_release(snapshot);
  ap_ledger_close(fresh);
}

static void marks_rows_of_a_cell(void **state) {
  (void)state;
  enum { MANY = 2000 };
  struct marking marking = {.world = ap_ledger_world_create(3)};
  ap_error *err = &marking.world->err;
  const struct ap_property property = {AP_TEXT("delta.enableDeletionVectors"), AP_TEXT("true")};
  const struct ap_world_write write = {.cell_count = 1, .rows_per_cell = 100000};
  struct ap_commit_result result;
  static uint64_t many[MANY];
  for (uint64_t i = 0; i < MANY; i++) many[i] = i * 47;
  ap_arena_init(&marking.arena, ap_allocator_system());
  marking.ledger = ap_ledger_world_open(marking.world);
  check_ok(ap_ledger_world_create_table(marking.world, marking.ledger, false, &property, 1), err);
  check_ok(ap_ledger_world_write(marking.world, marking.ledger, &write, &result, err), err);
  mark(&marking, many, 2); /* in the log */
  check_left(&marking, 99998, many, 2);
  mark(&marking, many, MANY); /* in a file */
  check_left(&marking, 100000 - MANY, many, MANY);
  ap_ledger_close(marking.ledger);
  ap_arena_deinit(&marking.arena);
  ap_ledger_world_destroy(marking.world);
}

static ap_status encode_body(void *context, struct ap_allocator *allocator, ap_error *err) {
  struct ap_buffer bytes;
  ap_buffer_init(&bytes, allocator);
  ap_deletion_vector_encode(&bytes, context, 9);
  ap_status status = ap_buffer_check(&bytes, err);
  ap_buffer_deinit(&bytes);
  return status;
}

static void survives_without_memory(void **state) {
  (void)state;
  uint64_t rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 70000};
  assert_true(ap_sweep_memory(encode_body, rows) >= 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(is_what_the_library_reads),
      cmocka_unit_test(text_comes_back),
      cmocka_unit_test(marks_rows_of_a_cell),
      cmocka_unit_test(survives_without_memory),
  };
  return AP_RUN_TESTS(tests);
}
