/* SPDX-License-Identifier: Apache-2.0
 *
 * The arena's parts against a map of its grains, and how much room a long day of putting and
 * deleting wastes.
 */
#include "testing/alloc.h"
#include "testing/check.h"
#include "testing/random.h"

#include "shelf/space.h"

#include <math.h>

enum { PAGE = 4096, GRAINS = 4096, ARENA = GRAINS * AP_SHELF_GRAIN, SMALL = 256, TAKEN_MAX = 200 };

/* What each grain is, by a map that knows nothing of blocks. */
struct model {
  uint8_t taken[GRAINS];
  bool warm[GRAINS]; /* memory may be behind it */
  struct {
    struct ap_shelf_block *block;
    int64_t first;
    int64_t grains;
  } blocks[TAKEN_MAX];
  size_t count;
};

static int64_t largest_gap(const struct model *model) {
  int64_t run = 0;
  int64_t largest = 0;
  for (size_t i = 0; i < GRAINS; i++) {
    run = model->taken[i] ? 0 : run + 1;
    if (run > largest) largest = run;
  }
  return largest * AP_SHELF_GRAIN;
}

static int64_t grains_of(int64_t size, bool pages) {
  int64_t unit = pages ? PAGE : AP_SHELF_GRAIN;
  return (size + unit - 1) / unit * unit / AP_SHELF_GRAIN;
}

/* Where so many grains lie in the smallest gap that has room for them, or -1. */
static int64_t best_fit(const struct model *model, int64_t grains, bool pages) {
  int64_t step = pages ? PAGE / AP_SHELF_GRAIN : 1;
  int64_t best = -1;
  int64_t best_gap = 0;
  for (int64_t first = 0; first < GRAINS;) {
    int64_t end = first;
    while (end < GRAINS && !model->taken[end]) end++;
    int64_t at = (first + step - 1) / step * step;
    if (at + grains <= end && (best < 0 || end - first < best_gap)) {
      best = at;
      best_gap = end - first;
    }
    first = end + 1;
  }
  return best;
}

/* The highest place, or -1. */
static int64_t last_fit(const struct model *model, int64_t grains) {
  int64_t run = 0;
  for (int64_t at = GRAINS - 1; at >= 0; at--) {
    run = model->taken[at] ? 0 : run + 1;
    if (run == grains) return at;
  }
  return -1;
}

static void mark(struct model *model, int64_t first, int64_t count, bool taken) {
  for (int64_t i = first; i < first + count; i++) {
    assert_int_equal(model->taken[i], !taken);
    model->taken[i] = taken;
    model->warm[i] = true;
  }
}

static void take_one(struct model *model, struct ap_shelf_space *space, struct ap_random *random) {
  ap_error err = {0};
  struct ap_shelf_block *block = NULL;
  bool pages = ap_random_below(random, 3) == 0;
  int64_t size =
      1 + (int64_t)ap_random_below(random, ap_random_below(random, 8) == 0 ? 60000 : 900);
  if (model->count == TAKEN_MAX) return;
  check_ok(ap_shelf_space_take(space, size, pages, &block, &err), &err);
  int64_t grains = grains_of(size, pages);
  int64_t fit = !pages && size < SMALL ? last_fit(model, grains) : best_fit(model, grains, pages);
  assert_int_equal(block == NULL, fit < 0);
  if (block == NULL) return;
  int64_t offset = ap_shelf_block_offset(block);
  assert_int_equal(ap_shelf_block_size(block), size);
  assert_int_equal(offset, fit * AP_SHELF_GRAIN);
  mark(model, offset / AP_SHELF_GRAIN, grains, true);
  model->blocks[model->count].block = block;
  model->blocks[model->count].first = offset / AP_SHELF_GRAIN;
  model->blocks[model->count++].grains = grains;
}

static void shorten_one(struct model *model, struct ap_shelf_space *space,
                        struct ap_random *random) {
  if (model->count == 0) return;
  size_t index = ap_random_below(random, model->count);
  struct ap_shelf_block *block = model->blocks[index].block;
  int64_t size = 1 + (int64_t)ap_random_below(random, (uint64_t)ap_shelf_block_size(block));
  int64_t before = ap_shelf_space_used(space);
  ap_shelf_space_shorten(space, block, size);
  assert_int_equal(ap_shelf_block_size(block), size);
  int64_t given = (before - ap_shelf_space_used(space)) / AP_SHELF_GRAIN;
  int64_t kept = model->blocks[index].grains - given;
  assert_true(kept >= grains_of(size, false) && kept <= grains_of(size, true));
  mark(model, model->blocks[index].first + kept, given, false);
  model->blocks[index].grains = kept;
}

static void give_one(struct model *model, struct ap_shelf_space *space, struct ap_random *random) {
  if (model->count == 0) return;
  size_t index = ap_random_below(random, model->count);
  mark(model, model->blocks[index].first, model->blocks[index].grains, false);
  ap_shelf_space_give(space, model->blocks[index].block);
  model->blocks[index] = model->blocks[--model->count];
}

/* What is cooled is free and whole pages; what stays warm and free is all told in the end. */
static void cool_some(struct model *model, struct ap_shelf_space *space, int64_t max_bytes) {
  int64_t offset = 0;
  int64_t size = 0;
  if (!ap_shelf_space_cool(space, max_bytes, &offset, &size)) return;
  assert_true(offset % PAGE == 0 && size % PAGE == 0 && size > 0 && size <= max_bytes);
  for (int64_t i = offset / AP_SHELF_GRAIN; i < (offset + size) / AP_SHELF_GRAIN; i++) {
    assert_int_equal(model->taken[i], 0);
    model->warm[i] = false;
  }
}

static void check_all_cools(struct model *model, struct ap_shelf_space *space) {
  int64_t offset = 0;
  int64_t size = 0;
  for (int i = 0; i < GRAINS; i++) cool_some(model, space, PAGE);
  assert_false(ap_shelf_space_cool(space, ARENA, &offset, &size));
  for (int64_t page = 0; page < ARENA / PAGE; page++) {
    bool taken = false;
    bool warm = false;
    for (int64_t i = 0; i < PAGE / AP_SHELF_GRAIN; i++) {
      taken |= model->taken[page * (PAGE / AP_SHELF_GRAIN) + i] != 0;
      warm |= model->warm[page * (PAGE / AP_SHELF_GRAIN) + i];
    }
    assert_true(taken || !warm);
  }
}

static void test_against_a_map(void **state) {
  struct ap_seeded_random random;
  uint64_t rounds = ap_test_rounds(20);
  (void)state;
  ap_seeded_random_init(&random, ap_test_seed("space"));
  for (uint64_t round = 0; round < rounds; round++) {
    static struct model model;
    struct ap_shelf_space *space = NULL;
    ap_error err = {0};
    memset(&model, 0, sizeof model);
    check_ok(ap_shelf_space_create(ap_allocator_system(), ARENA, PAGE, SMALL, &space, &err), &err);
    for (int step = 0; step < 2000; step++) {
      uint64_t dice = ap_random_below(&random.base, 10);
      if (dice < 5) take_one(&model, space, &random.base);
      if (dice >= 5 && dice < 8) give_one(&model, space, &random.base);
      if (dice == 8) shorten_one(&model, space, &random.base);
      if (dice == 9) cool_some(&model, space, PAGE * 3);
      int64_t used = 0;
      for (size_t i = 0; i < GRAINS; i++) used += model.taken[i] * AP_SHELF_GRAIN;
      assert_int_equal(ap_shelf_space_used(space), used);
      assert_int_equal(ap_shelf_space_largest_free(space), largest_gap(&model));
    }
    while (model.count > 0) give_one(&model, space, &random.base);
    assert_int_equal(ap_shelf_space_largest_free(space), ARENA);
    check_all_cools(&model, space);
    ap_shelf_space_destroy(space);
  }
}

/* ---- a day ----------------------------------------------------------------------------------- */

enum { LIVE_MAX = 20000 };

struct live {
  struct ap_shelf_block *block;
  int64_t size;
};

/* Sizes between 64 bytes and 1/100 of what may live, every order of magnitude as often. */
static int64_t draw_size(struct ap_random *random, int64_t live_bytes) {
  double top = log((double)live_bytes / 100 / 64);
  return (int64_t)(64 * exp(top * (double)ap_random_below(random, 1 << 20) / (1 << 20)));
}

/* The shelf is kept as full as it may be: what is put is refused room never, although only 1.3
 * times the bytes that live are there. */
static void run_day(struct ap_random *random, int64_t live_bytes, uint64_t puts, bool pages) {
  static struct live lives[LIVE_MAX];
  size_t count = 0;
  int64_t live = 0;
  ap_error err = {0};
  struct ap_shelf_space *space = NULL;
  int64_t arena = live_bytes * 13 / 10 / PAGE * PAGE;
  check_ok(ap_shelf_space_create(ap_allocator_system(), arena, PAGE, arena / 4096, &space, &err),
           &err);
  for (uint64_t put = 0; put < puts; put++) {
    bool whole = pages && ap_random_below(random, 4) == 0;
    int64_t size = draw_size(random, live_bytes);
    if (whole) size = grains_of(size, true) * AP_SHELF_GRAIN;
    int64_t bytes = grains_of(size, false) * AP_SHELF_GRAIN;
    while (live + bytes > live_bytes || count == LIVE_MAX) {
      size_t index = ap_random_below(random, count);
      ap_shelf_space_give(space, lives[index].block);
      live -= lives[index].size;
      lives[index] = lives[--count];
    }
    check_ok(ap_shelf_space_take(space, size, whole, &lives[count].block, &err), &err);
    if (lives[count].block == NULL) {
      print_error("put %llu of %lld bytes: %lld live of %lld, largest free %lld\n",
                  (unsigned long long)put, (long long)size, (long long)live, (long long)arena,
                  (long long)ap_shelf_space_largest_free(space));
      fail();
    }
    lives[count++].size = bytes;
    live += bytes;
  }
  ap_shelf_space_destroy(space);
}

static void test_days(void **state) {
  struct ap_seeded_random random;
  uint64_t puts = ap_test_rounds(50000);
  (void)state;
  ap_seeded_random_init(&random, ap_test_seed("day"));
  run_day(&random.base, (int64_t)4 << 30, puts, false);
  run_day(&random.base, (int64_t)4 << 30, puts, true);
  run_day(&random.base, (int64_t)256 << 20, puts, false);
}

static void test_small_ones(void **state) {
  static struct ap_shelf_block *blocks[10000];
  ap_error err = {0};
  struct ap_shelf_space *space = NULL;
  (void)state;
  check_ok(ap_shelf_space_create(ap_allocator_system(), (int64_t)10000 * 1024 / PAGE * PAGE, PAGE,
                                 1 << 20, &space, &err),
           &err);
  for (int i = 0; i < 10000; i++) {
    check_ok(ap_shelf_space_take(space, 1000 + i % 25, false, &blocks[i], &err), &err);
    assert_non_null(blocks[i]);
  }
  assert_int_equal(ap_shelf_space_used(space), 10000 * 1024);
  for (int i = 0; i < 10000; i++) ap_shelf_space_give(space, blocks[(i * 7919) % 10000]);
  assert_int_equal(ap_shelf_space_largest_free(space), ap_shelf_space_bytes(space));
  ap_shelf_space_destroy(space);
}

static ap_status use_space(void *context, struct ap_allocator *allocator, ap_error *err) {
  struct ap_shelf_space *space = NULL;
  struct ap_shelf_block *first = NULL;
  struct ap_shelf_block *second = NULL;
  (void)context;
  AP_TRY(ap_shelf_space_create(allocator, ARENA, PAGE, SMALL, &space, err));
  ap_status status = ap_shelf_space_take(space, 100, false, &first, err);
  if (status == AP_OK) status = ap_shelf_space_take(space, 100, true, &second, err);
  if (status != AP_OK) {
    int64_t used = first != NULL ? 128 : 0; /* what failed took nothing */
    assert_int_equal(ap_shelf_space_used(space), used);
  } else {
    ap_shelf_space_shorten(space, first, 1); /* which may fail to give back, and never says so */
    ap_shelf_space_give(space, first);
    ap_shelf_space_give(space, second);
    assert_int_equal(ap_shelf_space_largest_free(space), ARENA);
    struct ap_shelf_block *all = NULL;
    status = ap_shelf_space_take(space, ARENA, true, &all, err);
    assert_non_null(all);
  }
  ap_shelf_space_destroy(space);
  return status;
}

static ap_status use_space_soundly(void *context, struct ap_allocator *allocator, ap_error *err) {
  struct ap_counting_allocator *counter = (struct ap_counting_allocator *)allocator;
  ap_status status = use_space(context, allocator, err);
  /* Shortening survives without memory: for the sweep it counts as failed like all else. */
  if (status == AP_OK && atomic_load(&counter->failures) > 0) return AP_FAIL_MEMORY(err);
  return status;
}

static void test_out_of_memory(void **state) {
  (void)state;
  assert_true(ap_sweep_memory(use_space_soundly, NULL) >= 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_against_a_map),
      cmocka_unit_test(test_days),
      cmocka_unit_test(test_small_ones),
      cmocka_unit_test(test_out_of_memory),
  };
  return AP_RUN_TESTS(tests);
}
