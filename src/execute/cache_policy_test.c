/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: whatever happens to a cache, a query finds each of its cells in exactly one place and no
 * other cell, and the copies stay within the budget.
 * Method: random histories of frames whose cells come, go and get deleted rows, of queries over
 * some of them, fills that succeed, fail or are overtaken, and copies that fail; after each step
 * the policy is held against a model that knows which cells every copy was made of. Then the rules
 * of admission, merging and eviction one by one.
 */
#include "execute/cache_policy.h"
#include "testing/check.h"
#include "testing/random.h"

#include "base/limits.h"

#include <stdio.h>
#include <string.h>

enum { CELLS_MAX = 400, COPIES_MAX = 4096, FRAMES = 3 };

/* A copy in the model: its address is the handle that the policy carries about. */
struct model_copy {
  struct ap_cell *cells[CELLS_MAX];
  uint32_t cell_count;
  int64_t size_bytes;
  bool gone;
};

struct model {
  struct ap_cache_policy *policy;
  struct ap_arena arena;
  struct ap_cell *cells[FRAMES][CELLS_MAX]; /* in the present snapshot */
  uint32_t cell_counts[FRAMES];
  struct model_copy *copies;
  uint32_t copy_count;
  uint32_t path_count;
  int64_t now_us;
  int source; /* something to point to */
};

static void no_source(void *source) {
  ++*(int *)source;
}

static struct ap_native_copy *handle_of(struct model_copy *copy) {
  return (struct ap_native_copy *)(void *)copy;
}

static struct model_copy *copy_of(const struct ap_native_copy *handle) {
  return (struct model_copy *)(uintptr_t)handle;
}

static struct ap_cell *make_cell(struct model *model, int64_t size_bytes) {
  char path[32];
  char vector[16];
  uint32_t number = model->path_count++;
  snprintf(path, sizeof path, "%08x", number * 2654435761u); /* in no order */
  struct ap_cell_parts parts = {.path = ap_text_of(path), .size_bytes = size_bytes};
  parts.deletion_vector.offset = -1;
  if (number % 5 == 0) {
    snprintf(vector, sizeof vector, "v%u", number);
    parts.deletion_vector.storage_type = 'u';
    parts.deletion_vector.path_or_inline = ap_text_of(vector);
  }
  struct ap_cell *cell = NULL;
  check_ok(ap_cell_create(ap_allocator_system(), &parts, &cell, NULL), NULL);
  return cell;
}

static void open_model(struct model *model, int64_t budget_bytes, bool eager) {
  memset(model, 0, sizeof *model);
  const struct ap_cache_policy_options options = {.allocator = ap_allocator_system(),
                                                  .budget_bytes = budget_bytes,
                                                  .eager = eager,
                                                  .release_source = no_source};
  model->copies = ap_allocate_zeroed(ap_allocator_system(), COPIES_MAX, sizeof *model->copies);
  assert_non_null(model->copies);
  model->now_us = 1;
  ap_arena_init(&model->arena, ap_allocator_system());
  check_ok(ap_cache_policy_create(&options, &model->policy, NULL), NULL);
}

static void take_retired(struct model *model) {
  struct ap_native_copy *handle;
  while ((handle = ap_cache_policy_take_retired(model->policy)) != NULL) {
    struct model_copy *copy = copy_of(handle);
    assert_false(copy->gone);
    copy->gone = true;
    for (uint32_t i = 0; i < copy->cell_count; ++i) ap_cell_release(copy->cells[i]);
  }
}

static void close_model(struct model *model) {
  ap_cache_policy_clear(model->policy);
  take_retired(model);
  ap_cache_policy_destroy(model->policy);
  for (int frame = 0; frame < FRAMES; ++frame) {
    for (uint32_t i = 0; i < model->cell_counts[frame]; ++i) {
      ap_cell_release(model->cells[frame][i]);
    }
  }
  for (uint32_t i = 0; i < model->copy_count; ++i) assert_true(model->copies[i].gone);
  ap_free(ap_allocator_system(), model->copies);
  ap_arena_deinit(&model->arena);
}

static void add_cells(struct model *model, int frame, uint32_t count, int64_t size_bytes) {
  for (uint32_t i = 0; i < count && model->cell_counts[frame] < CELLS_MAX; ++i) {
    model->cells[frame][model->cell_counts[frame]++] = make_cell(model, size_bytes);
  }
}

static uint32_t count_of(struct ap_cell *const *cells, uint32_t count, const struct ap_cell *cell) {
  uint32_t found = 0;
  for (uint32_t i = 0; i < count; ++i) found += cells[i] == cell;
  return found;
}

/* Cells that a part reads, by what its copy was made of. */
static void check_part(const struct model *model, int frame, const struct ap_native_part *part,
                       struct ap_cell *const *kept, uint32_t kept_count, uint32_t *seen) {
  const struct model_copy *copy = copy_of(part->copy);
  assert_false(copy->gone);
  const struct ap_cell_range whole = {0, copy->cell_count - 1};
  uint32_t count = part->range_count > 0 ? part->range_count : 1;
  const struct ap_cell_range *ranges = part->range_count > 0 ? part->ranges : &whole;
  assert_true(count <= AP_CACHE_RANGES_MAX);
  for (uint32_t i = 0; i < count; ++i) {
    assert_true(ranges[i].first <= ranges[i].last && ranges[i].last < copy->cell_count);
    if (i > 0) assert_true(ranges[i - 1].last < ranges[i].first);
    for (uint32_t k = ranges[i].first; k <= ranges[i].last; ++k) {
      const struct ap_cell *cell = copy->cells[k];
      /* never a cell that the snapshot does not have */
      assert_int_equal(count_of(model->cells[frame], model->cell_counts[frame], cell), 1);
      for (uint32_t j = 0; j < kept_count; ++j) seen[j] += kept[j] == cell;
    }
  }
}

static struct ap_cache_places look(struct model *model, int frame, struct ap_cell *const *kept,
                                   uint32_t kept_count) {
  char id[16];
  snprintf(id, sizeof id, "f%d", frame);
  const struct ap_cache_look request = {.frame_id = ap_text_of(id),
                                        .schema_id = 7,
                                        .cells = model->cells[frame],
                                        .cell_count = model->cell_counts[frame],
                                        .kept = kept,
                                        .kept_count = kept_count,
                                        .now_us = ++model->now_us};
  struct ap_cache_places places;
  check_ok(ap_cache_policy_look(model->policy, &request, &model->arena, &places, NULL), NULL);
  if (places.entry != NULL && *ap_cache_entry_source(places.entry) == NULL) {
    *ap_cache_entry_source(places.entry) = &model->source;
  }
  uint32_t seen[CELLS_MAX] = {0};
  for (uint32_t i = 0; i < places.part_count; ++i) {
    check_part(model, frame, &places.parts[i], kept, kept_count, seen);
  }
  for (uint32_t j = 0; j < kept_count; ++j) {
    seen[j] += count_of(places.rest, places.rest_count, kept[j]);
    assert_int_equal(seen[j], 1);
  }
  return places;
}

static struct ap_cache_places look_at_all(struct model *model, int frame) {
  return look(model, frame, model->cells[frame], model->cell_counts[frame]);
}

static void end_fill(struct model *model, struct ap_cache_fill *fill, int64_t size_bytes) {
  assert_true(model->copy_count < COPIES_MAX);
  struct model_copy *copy = &model->copies[model->copy_count++];
  copy->cell_count = fill->cell_count;
  copy->size_bytes = size_bytes;
  for (uint32_t i = 0; i < fill->cell_count; ++i) copy->cells[i] = ap_cell_retain(fill->cells[i]);
  assert_true(ap_cache_policy_end_fill(model->policy, fill, handle_of(copy), size_bytes, 1000,
                                       ++model->now_us));
  take_retired(model);
}

/* Make everything that is worth it; how many copies that were. */
static int fill_all(struct model *model) {
  struct ap_cache_fill fill;
  int count = 0;
  while (ap_cache_policy_choose(model->policy, NULL, ++model->now_us, &fill)) {
    for (uint32_t i = 1; i < fill.cell_count; ++i) {
      assert_true(strcmp(fill.cells[i - 1]->path.data, fill.cells[i]->path.data) < 0);
    }
    take_retired(model);
    end_fill(model, &fill, fill.parquet_bytes);
    count += 1;
  }
  return count;
}

static void check_budget(const struct model *model) {
  struct ap_cache_counts counts;
  ap_cache_policy_get_counts(model->policy, &counts);
  int64_t used = 0;
  uint64_t alive = 0;
  for (uint32_t i = 0; i < model->copy_count; ++i) {
    if (model->copies[i].gone) continue;
    used += model->copies[i].size_bytes;
    alive += 1;
  }
  assert_int_equal(counts.used_bytes, used);
  assert_int_equal(counts.copy_count, alive);
  assert_true(counts.used_bytes <= counts.budget_bytes);
}

static uint64_t below(struct ap_seeded_random *random, uint64_t bound) {
  return ap_random_u64(&random->base) % bound;
}

/* ---- random histories ------------------------------------------------------------------------ */

static void change_frame(struct model *model, struct ap_seeded_random *random, int frame) {
  struct ap_cell **cells = model->cells[frame];
  uint32_t *count = &model->cell_counts[frame];
  switch (below(random, 3)) {
    case 0:
      add_cells(model, frame, (uint32_t)below(random, 20) + 1, (int64_t)below(random, 1000) + 1);
      break;
    case 1: /* some go, as by a rewrite */
      for (uint32_t i = 0; i < *count;) {
        if (below(random, 3) > 0) {
          i += 1;
          continue;
        }
        ap_cell_release(cells[i]);
        cells[i] = cells[--*count];
      }
      break;
    default: /* some lose rows: another cell of the same path */
      for (uint32_t i = 0; i < *count; i += 7) {
        struct ap_cell_parts parts = {.path = cells[i]->path, .size_bytes = cells[i]->size_bytes};
        char vector[24];
        snprintf(vector, sizeof vector, "w%lld", (long long)model->now_us);
        parts.deletion_vector = (struct ap_deletion_vector){
            .storage_type = 'u', .path_or_inline = ap_text_of(vector), .offset = -1};
        struct ap_cell *cell = NULL;
        check_ok(ap_cell_create(ap_allocator_system(), &parts, &cell, NULL), NULL);
        ap_cell_release(cells[i]);
        cells[i] = cell;
      }
  }
}

static void query_some(struct model *model, struct ap_seeded_random *random, int frame) {
  struct ap_cell *kept[CELLS_MAX];
  uint32_t count = 0;
  uint64_t share = below(random, 4) + 1;
  for (uint32_t i = 0; i < model->cell_counts[frame]; ++i) {
    if (below(random, share) == 0) kept[count++] = model->cells[frame][i];
  }
  (void)look(model, frame, kept, count);
}

static void step(struct model *model, struct ap_seeded_random *random, struct ap_cache_fill *fill,
                 bool *filling) {
  int frame = (int)below(random, FRAMES);
  char id[16];
  switch (below(random, 12)) {
    case 0:
    case 1:
      change_frame(model, random, frame);
      break;
    case 2:
      model->now_us += (int64_t)below(random, 100) * 1000 * 1000;
      break;
    case 3:
    case 4:
      if (*filling) {
        end_fill(model, fill, fill->parquet_bytes * (int64_t)(below(random, 3) + 1));
        *filling = false;
      } else {
        *filling = ap_cache_policy_choose(model->policy, NULL, model->now_us, fill);
        take_retired(model);
      }
      break;
    case 5:
      if (*filling) {
        assert_true(ap_cache_policy_end_fill(model->policy, fill, NULL, 0, 1000, ++model->now_us));
        *filling = false;
      } else if (model->copy_count > 0) {
        ap_cache_policy_drop(model->policy,
                             handle_of(&model->copies[below(random, model->copy_count)]));
      }
      take_retired(model);
      break;
    case 6:
      if (below(random, 8) > 0) break;
      snprintf(id, sizeof id, "f%d", frame);
      ap_cache_policy_forget(model->policy, ap_text_of(id));
      take_retired(model);
      break;
    default:
      query_some(model, random, frame);
  }
}

static void histories(void **state) {
  (void)state;
  uint64_t seed = ap_test_seed("cache_policy_test");
  for (uint64_t round = 0; round < ap_test_rounds(30); ++round) {
    struct ap_seeded_random random;
    struct model model;
    ap_seeded_random_init(&random, seed + round);
    open_model(&model, 20000 + (int64_t)below(&random, 60000), round % 3 == 0);
    struct ap_cache_fill fill;
    bool filling = false;
    for (int i = 0; i < 600; ++i) {
      step(&model, &random, &fill, &filling);
      check_budget(&model);
    }
    if (filling) end_fill(&model, &fill, 1);
    struct ap_cache_counts counts;
    ap_cache_policy_get_counts(model.policy, &counts);
    assert_true(counts.hits > 0 && counts.admissions > 0 && counts.evictions > 0);
    close_model(&model);
  }
}

/* ---- one by one ------------------------------------------------------------------------------ */

static void second_use_admits(void **state) {
  (void)state;
  struct model model;
  open_model(&model, 100000, false);
  add_cells(&model, 0, 10, 100);
  assert_int_equal(look_at_all(&model, 0).rest_count, 10);
  assert_int_equal(fill_all(&model), 0);
  assert_int_equal(ap_cache_policy_next_us(model.policy), INT64_MAX);
  model.now_us += AP_CACHE_WINDOW_US + 1; /* too long ago to count */
  (void)look_at_all(&model, 0);
  assert_int_equal(fill_all(&model), 0);
  (void)look(&model, 0, model.cells[0], 4);
  assert_int_equal(fill_all(&model), 1);
  struct ap_cache_places places = look_at_all(&model, 0);
  assert_int_equal(places.rest_count, 6);
  assert_int_equal(places.part_count, 1);
  assert_int_equal(places.cached_bytes, 400);
  close_model(&model);
}

static void copies_are_merged(void **state) {
  (void)state;
  struct model model;
  open_model(&model, 10000000, false);
  for (int i = 0; i < 50; ++i) {
    add_cells(&model, 0, 2, 100);
    (void)look_at_all(&model, 0);
    (void)look_at_all(&model, 0);
    model.now_us += (int64_t)5 * 1000 * 1000;
    assert_int_equal(fill_all(&model), 1);
    struct ap_cache_places places = look_at_all(&model, 0);
    assert_int_equal(places.rest_count, 0);
    assert_true(places.part_count <= AP_CACHE_COPIES_MAX);
  }
  struct ap_cache_counts counts;
  ap_cache_policy_get_counts(model.policy, &counts);
  assert_int_equal(counts.cell_count, 100);
  assert_true(counts.admissions <= 100 * 8); /* each cell is copied a few times only */
  close_model(&model);
}

static void used_copies_stay(void **state) {
  (void)state;
  struct model model;
  open_model(&model, 1000, false);
  add_cells(&model, 0, 4, 100);
  add_cells(&model, 1, 4, 100);
  add_cells(&model, 2, 4, 100);
  for (int frame = 0; frame < FRAMES; ++frame) {
    (void)look_at_all(&model, frame);
    (void)look_at_all(&model, frame);
    (void)fill_all(&model);
  }
  assert_int_equal(look_at_all(&model, 2).part_count, 0); /* no room, and the others are in use */
  model.now_us += AP_CACHE_KEEP_US;
  (void)look_at_all(&model, 1);
  (void)look_at_all(&model, 2);
  (void)look_at_all(&model, 2);
  assert_int_equal(fill_all(&model), 1);
  assert_int_equal(look_at_all(&model, 0).part_count, 0); /* the one used least went */
  assert_int_equal(look_at_all(&model, 1).part_count, 1);
  assert_int_equal(look_at_all(&model, 2).part_count, 1);
  close_model(&model);
}

static void what_is_too_large_stays_out(void **state) {
  (void)state;
  struct model model;
  open_model(&model, 1000, false);
  add_cells(&model, 0, 1, 600);
  (void)look_at_all(&model, 0);
  (void)look_at_all(&model, 0);
  assert_int_equal(fill_all(&model), 0);
  /* and what turns out to be */
  add_cells(&model, 1, 1, 400);
  (void)look_at_all(&model, 1);
  (void)look_at_all(&model, 1);
  struct ap_cache_fill fill;
  assert_true(ap_cache_policy_choose(model.policy, NULL, ++model.now_us, &fill));
  end_fill(&model, &fill, 1200);
  check_budget(&model);
  assert_int_equal(look_at_all(&model, 1).part_count, 0);
  close_model(&model);
}

static void failures_are_not_repeated_at_once(void **state) {
  (void)state;
  struct model model;
  open_model(&model, 100000, false);
  add_cells(&model, 0, 4, 100);
  (void)look_at_all(&model, 0);
  (void)look_at_all(&model, 0);
  struct ap_cache_fill fill;
  assert_true(ap_cache_policy_choose(model.policy, NULL, ++model.now_us, &fill));
  assert_true(ap_cache_policy_end_fill(model.policy, &fill, NULL, 0, 1, ++model.now_us));
  (void)look_at_all(&model, 0);
  (void)look_at_all(&model, 0);
  assert_int_equal(fill_all(&model), 0);
  model.now_us += (int64_t)31 * 1000 * 1000;
  assert_int_equal(fill_all(&model), 1);
  close_model(&model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(histories),
      cmocka_unit_test(second_use_admits),
      cmocka_unit_test(copies_are_merged),
      cmocka_unit_test(used_copies_stay),
      cmocka_unit_test(what_is_too_large_stays_out),
      cmocka_unit_test(failures_are_not_repeated_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
