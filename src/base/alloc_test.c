/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: memory is aligned, apart, whole, counted down to nothing, and running out of it is
 * reported. Method: arenas filled with seeded sizes whose bytes are checked at the end; sizes that
 * overflow; an out-of-memory sweep.
 */
#include "base/alloc.h"

#include "testing/alloc.h"
#include "testing/check.h"
#include "testing/random.h"

enum { BLOCKS = 2000 };

static void test_sizes_that_overflow_are_refused(void **state) {
  (void)state;
  struct ap_allocator *system = ap_allocator_system();
  assert_null(ap_allocate_zeroed(system, SIZE_MAX / 2, 3));
  struct ap_arena arena;
  ap_arena_init(&arena, system);
  assert_null(ap_arena_allocate_zeroed(&arena, SIZE_MAX / 8, 9));
  assert_null(ap_arena_allocate(&arena, SIZE_MAX - 8));
  assert_int_equal(arena.total_bytes, 0);
  ap_arena_deinit(&arena);
}

static void test_allocate_and_free(void **state) {
  (void)state;
  struct ap_allocator *system = ap_allocator_system();
  void *empty = ap_allocate(system, 0);
  void *other = ap_allocate(system, 0);
  assert_non_null(empty);
  assert_non_null(other);
  assert_ptr_not_equal(empty, other);
  ap_free(system, other);
  empty = ap_reallocate(system, empty, 100);
  assert_non_null(empty);
  assert_null(ap_reallocate(system, empty, 0));
  ap_free(system, NULL);
  unsigned char *zeroed = ap_allocate_zeroed(system, 10, 10);
  for (int i = 0; i < 100; i++) assert_int_equal(zeroed[i], 0);
  ap_free(system, zeroed);
}

static size_t draw_size(struct ap_random *random) {
  switch (ap_random_below(random, 10)) {
    case 0:
      return 0;
    case 1:
      return (size_t)ap_random_below(random, 100000);
    case 2:
      return (size_t)ap_random_below(random, 5000);
    default:
      return (size_t)ap_random_below(random, 200);
  }
}

static void test_arena_blocks_stay_apart(void **state) {
  (void)state;
  struct ap_seeded_random random;
  ap_seeded_random_init(&random, ap_test_seed("arena"));
  struct ap_counting_allocator counter;
  ap_counting_allocator_init(&counter);
  struct ap_arena arena;
  ap_arena_init(&arena, &counter.base);
  static unsigned char *blocks[BLOCKS];
  static size_t sizes[BLOCKS];
  size_t sum = 0;
  for (size_t i = 0; i < BLOCKS; i++) {
    sizes[i] = draw_size(&random.base);
    sum += sizes[i];
    blocks[i] = ap_arena_allocate(&arena, sizes[i]);
    assert_non_null(blocks[i]);
    assert_int_equal((uintptr_t)blocks[i] % 16, 0);
    memset(blocks[i], (int)(i % 251), sizes[i]);
  }
  for (size_t i = 0; i < BLOCKS; i++) {
    for (size_t j = 0; j < sizes[i]; j++) assert_int_equal(blocks[i][j], i % 251);
  }
  assert_true(arena.total_bytes >= sum);
  ap_arena_deinit(&arena);
  assert_int_equal(counter.live_blocks, 0);
  assert_int_equal(arena.total_bytes, 0);
  ap_arena_deinit(&arena); /* again */
}

static void test_zeroed_arenas_may_be_let_go(void **state) {
  (void)state;
  struct ap_arena arena = {0};
  ap_arena_deinit(&arena);
}

static ap_status fill_arena(void *context, struct ap_allocator *allocator, ap_error *err) {
  (void)context;
  struct ap_arena arena;
  ap_arena_init(&arena, allocator);
  ap_status status = AP_OK;
  for (size_t i = 0; i < 100 && status == AP_OK; i++) {
    char *block = AP_ARENA_ARRAY(&arena, char, i * 100);
    if (!block) status = AP_FAIL_MEMORY(err);
  }
  ap_arena_deinit(&arena);
  return status;
}

static void test_running_out_of_memory(void **state) {
  (void)state;
  assert_true(ap_sweep_memory(fill_arena, NULL) > 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sizes_that_overflow_are_refused),
      cmocka_unit_test(test_allocate_and_free),
      cmocka_unit_test(test_arena_blocks_stay_apart),
      cmocka_unit_test(test_zeroed_arenas_may_be_let_go),
      cmocka_unit_test(test_running_out_of_memory),
  };
  return AP_RUN_TESTS(tests);
}
