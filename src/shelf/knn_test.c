/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: neighbours are exactly those that comparing with every point gives, ties by row, for any
 * number of dimensions, threads and neighbours; damaged indexes are refused or answer rows that
 * exist, and touch nothing else.
 * Method: random points, half of them on a coarse grid so that distances tie, against brute force
 * here; bytes of a sound index cut and flipped, under the sanitizers in their presets.
 */
#include <apiary/knn.h>

#include "base/alloc.h"
#include "testing/check.h"
#include "testing/random.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { ROWS_MAX = 1200, QUERIES_MAX = 150, NEIGHBOURS_MAX = 1300 };

struct cloud {
  ap_knn_column columns[AP_KNN_DIMENSIONS_MAX];
  double wide[AP_KNN_DIMENSIONS_MAX][ROWS_MAX + 8];
  float narrow[AP_KNN_DIMENSIONS_MAX][ROWS_MAX + 8];
  uint8_t validity[AP_KNN_DIMENSIONS_MAX][ROWS_MAX / 8 + 2];
  ap_knn_points points;
};

struct fixture {
  struct ap_seeded_random random;
  struct cloud data;
  struct cloud queries;
  char *memory; /* what ap_allocate gave */
  char *index;  /* in it, aligned */
  uint64_t size;
  int64_t rows[QUERIES_MAX * NEIGHBOURS_MAX];
  double distances[QUERIES_MAX * NEIGHBOURS_MAX];
  ap_error err;
};

static uint32_t draw(struct fixture *fixture, uint32_t below) {
  uint32_t number;
  fixture->random.base.fill(&fixture->random.base, &number, sizeof(number));
  return number % below;
}

static int set_up(void **state) {
  struct fixture *fixture = ap_allocate_zeroed(ap_allocator_system(), 1, sizeof(*fixture));
  if (!fixture) return -1;
  ap_seeded_random_init(&fixture->random, ap_test_seed("knn"));
  *state = fixture;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *fixture = *state;
  ap_free(ap_allocator_system(), fixture->memory);
  ap_free(ap_allocator_system(), fixture);
  return 0;
}

static double draw_coordinate(struct fixture *fixture, bool grid) {
  if (grid) return draw(fixture, 5);
  return draw(fixture, 1 << 20) / 1024.0 - 300;
}

/* row_count rows; with holes, about one value in 30 is null, NaN or infinite. */
static void fill(struct fixture *fixture, struct cloud *cloud, uint32_t dimensions,
                 uint64_t row_count, bool grid, bool holes) {
  for (uint32_t d = 0; d < dimensions; d++) {
    uint64_t offset = draw(fixture, 8);
    bool narrow = draw(fixture, 3) == 0 || (dimensions % 2 == 0);
    bool validity = holes && draw(fixture, 2) == 0;
    memset(cloud->validity[d], 0xff, sizeof(cloud->validity[d]));
    for (uint64_t i = offset; i < offset + row_count; i++) {
      double value = draw_coordinate(fixture, grid);
      if (holes && draw(fixture, 90) == 0) value = draw(fixture, 2) ? NAN : -INFINITY;
      if (validity && draw(fixture, 50) == 0) {
        cloud->validity[d][i / 8] &= (uint8_t) ~(1u << i % 8);
      }
      cloud->wide[d][i] = value;
      cloud->narrow[d][i] = (float)value;
    }
    cloud->columns[d] =
        (ap_knn_column){.values = narrow ? (void *)cloud->narrow[d] : (void *)cloud->wide[d],
                        .validity = validity ? cloud->validity[d] : NULL,
                        .offset = offset,
                        .width = narrow ? 4 : 8};
  }
  cloud->points = (ap_knn_points){cloud->columns, dimensions, row_count};
}

static bool read_point(const struct cloud *cloud, uint64_t row, double *out) {
  for (uint32_t d = 0; d < cloud->points.dimensions; d++) {
    const ap_knn_column *column = &cloud->columns[d];
    uint64_t at = column->offset + row;
    if (column->validity && (column->validity[at / 8] & 1u << at % 8) == 0) return false;
    out[d] = column->width == 4 ? (double)cloud->narrow[d][at] : cloud->wide[d][at];
    if (!isfinite(out[d])) return false;
  }
  return true;
}

struct pair {
  double distance;
  int64_t row;
};

static int compare_pairs(const void *left, const void *right) {
  const struct pair *a = left;
  const struct pair *b = right;
  if (a->distance != b->distance) return a->distance < b->distance ? -1 : 1;
  return a->row < b->row ? -1 : a->row > b->row;
}

/* All neighbours of a query by looking at every point. */
static uint64_t brute(const struct cloud *data, const struct cloud *queries, uint64_t query,
                      int64_t without, double distance_max, struct pair *out) {
  double from[AP_KNN_DIMENSIONS_MAX];
  double to[AP_KNN_DIMENSIONS_MAX];
  uint64_t count = 0;
  if (!read_point(queries, query, from)) return 0;
  for (uint64_t row = 0; row < data->points.row_count; row++) {
    if ((int64_t)row == without || !read_point(data, row, to)) continue;
    double square = 0;
    for (uint32_t d = 0; d < data->points.dimensions; d++) {
      double offset = from[d] - to[d];
      square += offset * offset;
    }
    if (square <= distance_max * distance_max) out[count++] = (struct pair){square, (int64_t)row};
  }
  qsort(out, count, sizeof(*out), compare_pairs);
  return count;
}

static void build(struct fixture *fixture, uint32_t threads) {
  ap_error *err = &fixture->err;
  ap_free(ap_allocator_system(), fixture->memory);
  check_ok(ap_knn_size(&fixture->data.points, &fixture->size, err), err);
  fixture->memory = ap_allocate(ap_allocator_system(), fixture->size + AP_KNN_ALIGNMENT);
  assert_non_null(fixture->memory);
  fixture->index =
      fixture->memory + (AP_KNN_ALIGNMENT - (uintptr_t)fixture->memory % AP_KNN_ALIGNMENT);
  check_ok(ap_knn_build(&fixture->data.points, threads, fixture->index, fixture->size, err), err);
}

static void compare(struct fixture *fixture, const struct cloud *queries,
                    const ap_knn_search_options *options) {
  struct pair expected[ROWS_MAX];
  ap_error *err = &fixture->err;
  check_ok(ap_knn_search(fixture->index, fixture->size, &queries->points, options, fixture->rows,
                         fixture->distances, err),
           err);
  for (uint64_t q = 0; q < queries->points.row_count; q++) {
    int64_t without = options->self ? (int64_t)(options->first_row + q) : -1;
    uint64_t count = brute(&fixture->data, queries, q, without, options->distance_max, expected);
    for (uint64_t i = 0; i < options->k; i++) {
      int64_t row = fixture->rows[q * options->k + i];
      double distance = fixture->distances[q * options->k + i];
      assert_int_equal(row, i < count ? expected[i].row : -1);
      assert_true(distance == (i < count ? sqrt(expected[i].distance) : INFINITY));
    }
  }
}

static void test_random_against_brute_force(void **state) {
  struct fixture *fixture = *state;
  static const uint64_t ks[] = {1, 3, 10, 64, 65, 200, NEIGHBOURS_MAX};
  for (uint64_t round = 0; round < ap_test_rounds(120); round++) {
    uint32_t dimensions = 1 + draw(fixture, AP_KNN_DIMENSIONS_MAX);
    bool grid = draw(fixture, 2) == 0;
    bool holes = draw(fixture, 2) == 0;
    fill(fixture, &fixture->data, dimensions, draw(fixture, ROWS_MAX), grid, holes);
    fill(fixture, &fixture->queries, dimensions, draw(fixture, QUERIES_MAX), grid, holes);
    build(fixture, 1 + draw(fixture, 5));
    ap_knn_search_options options = AP_KNN_SEARCH_OPTIONS_INIT;
    options.k = ks[draw(fixture, 7)];
    options.threads = 1 + draw(fixture, 3);
    if (draw(fixture, 3) == 0) options.distance_max = draw(fixture, 200) / 2.0;
    compare(fixture, &fixture->queries, &options);
  }
}

static void test_queries_that_are_rows_leave_themselves_out(void **state) {
  struct fixture *fixture = *state;
  fill(fixture, &fixture->data, 3, 100, true, true);
  build(fixture, 2);
  ap_knn_search_options options = AP_KNN_SEARCH_OPTIONS_INIT;
  options.self = 1;
  compare(fixture, &fixture->data, &options);
  options.first_row = 1;
  check_status(ap_knn_search(fixture->index, fixture->size, &fixture->data.points, &options,
                             fixture->rows, fixture->distances, &fixture->err),
               AP_INVALID_ARGUMENT, &fixture->err);
  check_contains(fixture->err.message, "no rows of the index");
}

/* A thousand times the same point, no point at all, and coordinates whose squares overflow. */
static void test_edges(void **state) {
  struct fixture *fixture = *state;
  ap_knn_search_options options = AP_KNN_SEARCH_OPTIONS_INIT;
  fill(fixture, &fixture->queries, 2, 20, true, false);
  for (uint64_t rows = 0; rows <= 1000; rows += 500) {
    fill(fixture, &fixture->data, 2, rows, true, false);
    memset(fixture->data.narrow, 0, sizeof(fixture->data.narrow));
    build(fixture, 2);
    compare(fixture, &fixture->queries, &options);
  }
  fill(fixture, &fixture->data, 1, 100, false, false);
  fixture->data.columns[0] = (ap_knn_column){.values = fixture->data.wide[0], .width = 8};
  for (int i = 0; i < 100; i++) fixture->data.wide[0][i] = (i % 2 ? -1e300 : 1e300) * (i + 1);
  build(fixture, 1);
  fill(fixture, &fixture->queries, 1, 20, true, false);
  compare(fixture, &fixture->queries, &options);
}

/* The same bytes however many threads built them. */
static void test_build_is_deterministic(void **state) {
  struct fixture *fixture = *state;
  fill(fixture, &fixture->data, 4, ROWS_MAX - 1, true, true);
  build(fixture, 1);
  uint64_t size = fixture->size;
  char *first = ap_allocate(ap_allocator_system(), size);
  memcpy(first, fixture->index, size);
  build(fixture, 8);
  assert_int_equal(fixture->size, size);
  assert_memory_equal(fixture->index, first, size);
  ap_free(ap_allocator_system(), first);
}

static void test_what_is_refused(void **state) {
  struct fixture *fixture = *state;
  ap_error *err = &fixture->err;
  uint64_t size = 0;
  fill(fixture, &fixture->data, 3, 100, false, false);
  fixture->data.points.dimensions = 17;
  check_status(ap_knn_size(&fixture->data.points, &size, err), AP_INVALID_ARGUMENT, err);
  fixture->data.points.dimensions = 3;
  fixture->data.columns[1].width = 2;
  check_status(ap_knn_size(&fixture->data.points, &size, err), AP_INVALID_ARGUMENT, err);
  check_contains(err->message, "2 bytes");
  fill(fixture, &fixture->data, 3, 100, false, false);
  build(fixture, 1);
  check_status(ap_knn_build(&fixture->data.points, 1, fixture->index, fixture->size - 1, err),
               AP_INVALID_ARGUMENT, err);
  fill(fixture, &fixture->queries, 2, 10, false, false);
  ap_knn_search_options options = AP_KNN_SEARCH_OPTIONS_INIT;
  check_status(ap_knn_search(fixture->index, fixture->size, &fixture->queries.points, &options,
                             fixture->rows, fixture->distances, err),
               AP_INVALID_ARGUMENT, err);
  check_contains(err->message, "the queries have 2 dimensions");
  options.k = 0;
  check_status(ap_knn_search(fixture->index, fixture->size, &fixture->data.points, &options,
                             fixture->rows, fixture->distances, err),
               AP_INVALID_ARGUMENT, err);
}

/* Any bytes flipped: refused, or rows that exist. */
static void test_damaged_indexes(void **state) {
  struct fixture *fixture = *state;
  ap_knn_search_options options = AP_KNN_SEARCH_OPTIONS_INIT;
  ap_knn_info info;
  fill(fixture, &fixture->data, 3, 500, false, false);
  fill(fixture, &fixture->queries, 3, 20, false, false);
  for (uint64_t round = 0; round < ap_test_rounds(500); round++) {
    build(fixture, 1);
    uint64_t range = draw(fixture, 2) ? 64 : fixture->size;
    for (int i = 0; i < 4; i++) {
      fixture->index[draw(fixture, (uint32_t)range)] ^= (char)(1 << draw(fixture, 8));
    }
    ap_status status = ap_knn_search(fixture->index, fixture->size, &fixture->queries.points,
                                     &options, fixture->rows, fixture->distances, NULL);
    assert_true(status == AP_OK || status == AP_CORRUPT || status == AP_INVALID_ARGUMENT);
    if (status != AP_OK) continue;
    check_ok(ap_knn_describe(fixture->index, fixture->size, &info, NULL), NULL);
    for (int i = 0; i < 200; i++) assert_true(fixture->rows[i] < (int64_t)info.row_count);
  }
  build(fixture, 1);
  for (uint64_t size = 0; size < fixture->size; size += 1 + draw(fixture, 100)) {
    check_status(ap_knn_describe(fixture->index, size, &info, &fixture->err), AP_CORRUPT,
                 &fixture->err);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_random_against_brute_force, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_queries_that_are_rows_leave_themselves_out, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(test_edges, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_build_is_deterministic, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_what_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_damaged_indexes, set_up, tear_down),
  };
  return AP_RUN_TESTS(tests);
}
