/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: only constants that are the same every time, or move on with the clock, are given to the
 * engine to evaluate; what moves is believed within the clock's drift.
 * Method: the engine's trees of tests/data/trees; bounds computed by hand.
 */
#include "plan/fold.h"

#include "testing/tree_fixture.h"

#include <string.h>

static struct tree_fixtures fixtures;

static int load(void **state) {
  (void)state;
  tree_fixtures_load(&fixtures, AP_SOURCE_DIR);
  return 0;
}

static int unload(void **state) {
  (void)state;
  tree_fixtures_free(&fixtures);
  return 0;
}

static void finds_what_is_constant(void **state) {
  (void)state;
  static const struct {
    const char *sql;
    uint32_t count;
    bool moving;
  } cases[] = {
      {"SELECT * FROM f WHERE id = 5", 0, false},
      {"SELECT * FROM f WHERE id = 2 + 3", 1, false},
      {"SELECT * FROM f WHERE day >= DATE '2024-01-04' - INTERVAL 1 DAY", 1, false},
      {"SELECT * FROM f WHERE day + INTERVAL 1 DAY > TIMESTAMP '2024-01-03 12:00:00'", 1, false},
      {"SELECT * FROM f WHERE day >= current_date - 7", 1, true},
      {"SELECT * FROM f WHERE id = abs(random())", 0, false},
      {"SELECT * FROM f WHERE id + 1 > 30", 0, false},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct ap_arena arena;
    struct ap_tree tree;
    struct ap_folds folds;
    struct ap_buffer json;
    ap_error err = {0};
    ap_arena_init(&arena, ap_allocator_system());
    ap_buffer_init(&json, ap_allocator_system());
    check_ok(ap_tree_parse(&arena, tree_fixture(&fixtures, cases[i].sql), &tree, &err), &err);
    check_ok(ap_fold_find(&arena, &tree, &folds, &err), &err);
    if (folds.count != cases[i].count) fail_msg("%s: %u constants", cases[i].sql, folds.count);
    assert_int_equal(folds.any_moving, cases[i].moving);
    if (folds.count > 0) {
      const struct ap_json *root;
      assert_ptr_equal(ap_fold_of(&folds, folds.items[0].node), &folds.items[0]);
      ap_fold_write(&json, &folds);
      check_ok(ap_buffer_check(&json, &err), &err);
      check_ok(ap_json_parse_nested(&arena, ap_buffer_text(&json), AP_TREE_DEPTH_MAX, &root, &err),
               &err);
      assert_null(ap_fold_of(&folds, root));
    }
    ap_buffer_deinit(&json);
    ap_arena_deinit(&arena);
  }
}

static struct ap_fold moving(enum ap_value_kind kind, int64_t number) {
  struct ap_fold fold = {.is_moving = true, .constant = {.kind = AP_CONSTANT_VALUE}};
  fold.constant.value = (struct ap_value){.kind = kind};
  fold.constant.value.i64 = number;
  return fold;
}

static void bounds_what_moves(void **state) {
  (void)state;
  const int64_t noon = INT64_C(19700) * 86400000 + 43200000;
  const int64_t midnight = INT64_C(19701) * 86400000;
  struct ap_fold items[3];
  struct ap_folds folds = {.items = items, .count = 3, .any_moving = true};
  items[0] = moving(AP_VALUE_DATE, 19700);
  items[1] = moving(AP_VALUE_TIMESTAMP, noon * 1000);
  items[2] = moving(AP_VALUE_TEXT, 0);
  ap_fold_bound(&folds, noon, noon + 5);
  assert_true(items[0].constant.value.i64 == 19700 && items[0].latest.i64 == 19700);
  assert_true(items[1].constant.value.i64 == (noon - AP_FOLD_DRIFT_MS) * 1000);
  assert_true(items[1].latest.i64 == (noon + AP_FOLD_DRIFT_MS) * 1000);
  assert_int_equal(items[2].constant.kind, AP_CONSTANT_UNKNOWN);
  /* About midnight the day may be either, and the month and the year, too. */
  for (int side = -1; side <= 1; side += 2) {
    items[0] = moving(AP_VALUE_DATE, 19700);
    folds.count = 1;
    ap_fold_bound(&folds, midnight + side * 1000, midnight + side * 1000 + 1);
    assert_true(items[0].constant.value.i64 < 19700 - 365 && items[0].latest.i64 > 19700 + 365);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(finds_what_is_constant),
      cmocka_unit_test(bounds_what_moves),
  };
  return cmocka_run_group_tests(tests, load, unload);
}
