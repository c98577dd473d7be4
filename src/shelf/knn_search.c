/* SPDX-License-Identifier: Apache-2.0
 *
 * Searching the tree, nearer side first, the farther one only if it may hold a neighbour
 * (Friedman, Bentley, Finkel 1977), with the distance to a node kept as one offset per dimension
 * (S. Arya, D. M. Mount, "Algorithms for fast vector quantization", 1993).
 *
 * Exact to the last bit: a node's distance is summed in the order in which points' distances are,
 * from offsets that are no greater, and rounding is monotonic, so it is never above the computed
 * distance of a point in the node. Compiled without contraction to fused operations for that.
 */
#include "shelf/knn_layout.h"

#include "base/assert.h"
#include "port/threads.h"

#include <math.h>
#include <string.h>

enum { SORTED_MAX = 64 }; /* up to so many neighbours are kept sorted, more as a heap */

struct view {
  struct ap_knn_head head;
  struct ap_knn_layout layout;
  const struct ap_knn_node *nodes;
  const uint32_t *rows;
  const char *values;
};

/* The best neighbours so far, in the caller's places. */
struct best {
  double *distances; /* squared until the end */
  int64_t *rows;
  uint64_t k;
  uint64_t count;
  double worst; /* what a newcomer has to be below, or equal with a lower row */
  int64_t worst_row;
};

struct search {
  const struct view *view;
  double query[AP_KNN_DIMENSIONS_MAX];
  double offsets[AP_KNN_DIMENSIONS_MAX];
  int64_t without; /* a row to leave out, or -1 */
  struct best best;
};

struct batch {
  const struct view *view;
  const ap_knn_points *queries;
  const ap_knn_search_options *options;
  int64_t *rows;
  double *distances;
  uint64_t begin;
  uint64_t end;
  bool corrupt;
};

static ap_status open_view(const void *index, uint64_t size_bytes, struct view *out_view,
                           ap_error *err) {
  struct ap_knn_head *head = &out_view->head;
  if (!index || (uintptr_t)index % AP_KNN_ALIGNMENT != 0) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "an index is aligned to %d bytes, %p is not",
                   AP_KNN_ALIGNMENT, index);
  }
  if (size_bytes < sizeof(*head)) {
    return AP_FAIL(err, AP_CORRUPT, "%llu bytes are no index of neighbours",
                   (unsigned long long)size_bytes);
  }
  memcpy(head, index, sizeof(*head));
  if (memcmp(head->magic, ap_knn_magic, sizeof(head->magic)) != 0) {
    return AP_FAIL(err, AP_CORRUPT, "the bytes are no index of neighbours");
  }
  if (head->version != AP_KNN_VERSION || head->bucket != AP_KNN_BUCKET) {
    return AP_FAIL(err, AP_CORRUPT, "the index of neighbours has version %u, not %d", head->version,
                   AP_KNN_VERSION);
  }
  bool sound = (head->width == 4 || head->width == 8) && head->dimensions >= 1 &&
               head->dimensions <= AP_KNN_DIMENSIONS_MAX && head->row_count < UINT32_MAX &&
               head->point_count <= head->row_count;
  if (sound) {
    ap_knn_layout_of(head->width, head->dimensions, head->point_count, &out_view->layout);
    sound = head->size_bytes == size_bytes && out_view->layout.size_bytes == size_bytes;
  }
  if (!sound) return AP_FAIL(err, AP_CORRUPT, "the index of neighbours contradicts its size");
  out_view->nodes = (const void *)((const char *)index + out_view->layout.nodes);
  out_view->rows = (const void *)((const char *)index + out_view->layout.rows);
  out_view->values = (const char *)index + out_view->layout.values;
  return AP_OK;
}

ap_status ap_knn_describe(const void *index, uint64_t size_bytes, ap_knn_info *out_info,
                          ap_error *err) {
  struct view view;
  AP_TRY(open_view(index, size_bytes, &view, err));
  *out_info = (ap_knn_info){.dimensions = view.head.dimensions,
                            .width = view.head.width,
                            .row_count = view.head.row_count,
                            .point_count = view.head.point_count};
  return AP_OK;
}

static bool closer(double distance, int64_t row, double other, int64_t other_row) {
  return distance < other || (distance == other && row < other_row);
}

static void put(struct best *best, uint64_t place, double distance, int64_t row) {
  best->distances[place] = distance;
  best->rows[place] = row;
}

/* Let (distance, row) sink from the root of a heap of count places, the farthest on top. */
static void sink(struct best *best, uint64_t count, double distance, int64_t row) {
  uint64_t place = 0;
  for (;;) {
    uint64_t child = 2 * place + 1;
    if (child >= count) break;
    if (child + 1 < count && closer(best->distances[child], best->rows[child],
                                    best->distances[child + 1], best->rows[child + 1])) {
      child++;
    }
    if (closer(best->distances[child], best->rows[child], distance, row)) break;
    put(best, place, best->distances[child], best->rows[child]);
    place = child;
  }
  put(best, place, distance, row);
}

static void add_to_heap(struct best *best, double distance, int64_t row) {
  if (best->count == best->k) {
    sink(best, best->k, distance, row);
    return;
  }
  uint64_t place = best->count++;
  while (place > 0) {
    uint64_t parent = (place - 1) / 2;
    if (closer(distance, row, best->distances[parent], best->rows[parent])) break;
    put(best, place, best->distances[parent], best->rows[parent]);
    place = parent;
  }
  put(best, place, distance, row);
}

static void add(struct best *best, double distance, int64_t row) {
  if (best->k > SORTED_MAX) {
    add_to_heap(best, distance, row);
    if (best->count < best->k) return;
    best->worst = best->distances[0];
    best->worst_row = best->rows[0];
    return;
  }
  uint64_t place = best->count < best->k ? best->count++ : best->k - 1;
  while (place > 0 && closer(distance, row, best->distances[place - 1], best->rows[place - 1])) {
    put(best, place, best->distances[place - 1], best->rows[place - 1]);
    place--;
  }
  put(best, place, distance, row);
  if (best->count < best->k) return;
  best->worst = best->distances[best->k - 1];
  best->worst_row = best->rows[best->k - 1];
}

/* Squared distances of a bucket's places. The loops over places have a fixed length: compilers
 * make vector code of them. */
static void measure_wide(const double *values, const double *query, uint32_t dimensions,
                         double *out_squares) {
  for (uint32_t i = 0; i < AP_KNN_BUCKET; i++) {
    double offset = query[0] - values[i];
    out_squares[i] = offset * offset;
  }
  for (uint32_t d = 1; d < dimensions; d++) {
    const double *along = values + d * AP_KNN_BUCKET;
    for (uint32_t i = 0; i < AP_KNN_BUCKET; i++) {
      double offset = query[d] - along[i];
      out_squares[i] += offset * offset;
    }
  }
}

static void measure_narrow(const float *values, const double *query, uint32_t dimensions,
                           double *out_squares) {
  for (uint32_t i = 0; i < AP_KNN_BUCKET; i++) {
    double offset = query[0] - (double)values[i];
    out_squares[i] = offset * offset;
  }
  for (uint32_t d = 1; d < dimensions; d++) {
    const float *along = values + d * AP_KNN_BUCKET;
    for (uint32_t i = 0; i < AP_KNN_BUCKET; i++) {
      double offset = query[d] - (double)along[i];
      out_squares[i] += offset * offset;
    }
  }
}

static void search_leaf(struct search *search, uint64_t leaf) {
  const struct view *view = search->view;
  uint32_t dimensions = view->head.dimensions;
  uint64_t place = leaf * AP_KNN_BUCKET;
  uint64_t points = view->head.point_count;
  uint64_t count = ap_knn_leaf_begin(leaf + 1, view->layout.leaves, points) -
                   ap_knn_leaf_begin(leaf, view->layout.leaves, points);
  double squares[AP_KNN_BUCKET];
  AP_ASSERT(count <= AP_KNN_BUCKET);
  if (view->head.width == 8) {
    measure_wide((const double *)view->values + place * dimensions, search->query, dimensions,
                 squares);
  } else {
    measure_narrow((const float *)view->values + place * dimensions, search->query, dimensions,
                   squares);
  }
  for (uint64_t i = 0; i < count; i++) {
    if (squares[i] > search->best.worst) continue;
    int64_t row = view->rows[place + i];
    if (!closer(squares[i], row, search->best.worst, search->best.worst_row)) continue;
    if (row != search->without) add(&search->best, squares[i], row);
  }
}

static double bound_of(const struct search *search) {
  double bound = search->offsets[0] * search->offsets[0];
  for (uint32_t d = 1; d < search->view->head.dimensions; d++) {
    bound += search->offsets[d] * search->offsets[d];
  }
  return bound;
}

/* At most 28 deep: leaves are below 2^28. */
static void search_leaves(struct search *search, uint64_t begin, uint64_t end) {
  if (end - begin == 1) {
    search_leaf(search, begin);
    return;
  }
  uint64_t middle = (begin + end) / 2;
  const struct ap_knn_node *node = &search->view->nodes[middle];
  uint32_t d = node->dimension < search->view->head.dimensions ? node->dimension : 0;
  double above = search->query[d] - node->low; /* how far beyond the left side */
  double below = node->high - search->query[d];
  bool left = above <= below;
  if (left) {
    search_leaves(search, begin, middle);
  } else {
    search_leaves(search, middle, end);
  }
  double kept = search->offsets[d];
  double offset = left ? below : above;
  search->offsets[d] = offset > kept ? offset : kept;
  double bound = bound_of(search);
  uint32_t row = left ? node->right_row : node->left_row;
  if (closer(bound, row, search->best.worst, search->best.worst_row)) {
    if (left) {
      search_leaves(search, middle, end);
    } else {
      search_leaves(search, begin, middle);
    }
  }
  search->offsets[d] = kept;
}

/* Nearest first, roots drawn, places without a neighbour marked. False: a row that is none. */
static bool finish(struct best *best, uint64_t places, uint64_t row_count) {
  bool sound = true;
  if (best->k > SORTED_MAX) {
    for (uint64_t left = best->count; left > 1; left--) {
      double distance = best->distances[left - 1];
      int64_t row = best->rows[left - 1];
      put(best, left - 1, best->distances[0], best->rows[0]);
      sink(best, left - 1, distance, row);
    }
  }
  for (uint64_t i = 0; i < best->count; i++) {
    best->distances[i] = sqrt(best->distances[i]);
    sound = sound && (uint64_t)best->rows[i] < row_count;
  }
  for (uint64_t i = best->count; i < places; i++) put(best, i, INFINITY, -1);
  return sound;
}

static void search_batch(void *context) {
  struct batch *batch = context;
  const struct view *view = batch->view;
  const ap_knn_search_options *options = batch->options;
  uint64_t points = view->head.point_count;
  struct search search = {.view = view};
  for (uint64_t i = batch->begin; i < batch->end; i++) {
    search.best = (struct best){.distances = batch->distances + i * options->k,
                                .rows = batch->rows + i * options->k,
                                .k = options->k < points ? options->k : points,
                                .worst = options->distance_max * options->distance_max,
                                .worst_row = INT64_MAX};
    search.without = options->self ? (int64_t)(options->first_row + i) : -1;
    if (points > 0 && ap_knn_point_read(batch->queries, i, search.query)) {
      for (uint32_t d = 0; d < view->head.dimensions; d++) {
        double low = view->head.low[d] - search.query[d];
        double high = search.query[d] - view->head.high[d];
        search.offsets[d] = low > 0 ? low : high > 0 ? high : 0;
      }
      search_leaves(&search, 0, view->layout.leaves);
    }
    if (!finish(&search.best, options->k, view->head.row_count)) batch->corrupt = true;
  }
}

static ap_status check_options(const struct view *view, const ap_knn_points *queries,
                               const ap_knn_search_options *options, ap_error *err) {
  if (!options || options->struct_size < sizeof(*options)) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "begin options with AP_KNN_SEARCH_OPTIONS_INIT");
  }
  if (options->k < 1 || options->k > UINT32_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "k is %llu, not 1 to %u",
                   (unsigned long long)options->k, UINT32_MAX);
  }
  if (!(options->distance_max >= 0)) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "distance_max is %g, not 0 or more",
                   options->distance_max);
  }
  if (queries->dimensions != view->head.dimensions) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "the queries have %u dimensions, the index has %u",
                   queries->dimensions, view->head.dimensions);
  }
  if (options->self && (options->first_row > view->head.row_count ||
                        queries->row_count > view->head.row_count - options->first_row)) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT,
                   "queries %llu and on, %llu of them, are no rows of the index, which has %llu",
                   (unsigned long long)options->first_row, (unsigned long long)queries->row_count,
                   (unsigned long long)view->head.row_count);
  }
  return AP_OK;
}

ap_status ap_knn_search(const void *index, uint64_t size_bytes, const ap_knn_points *queries,
                        const ap_knn_search_options *options, int64_t *out_rows,
                        double *out_distances, ap_error *err) {
  struct view view;
  struct batch batches[AP_KNN_THREADS_MAX];
  struct ap_thread *running[AP_KNN_THREADS_MAX] = {NULL};
  AP_TRY(open_view(index, size_bytes, &view, err));
  AP_TRY(ap_knn_points_check(queries, "the queries", err));
  AP_TRY(check_options(&view, queries, options, err));
  uint64_t count = queries->row_count;
  uint64_t parts = ap_knn_threads(options->threads);
  if (parts > count / 64 + 1) parts = count / 64 + 1;
  struct ap_threads *threads = ap_threads_system();
  bool corrupt = false;
  for (uint64_t i = 0; i < parts; i++) {
    batches[i] = (struct batch){&view,
                                queries,
                                options,
                                out_rows,
                                out_distances,
                                ap_knn_leaf_begin(i, parts, count),
                                ap_knn_leaf_begin(i + 1, parts, count),
                                false};
    bool apart = i + 1 < parts &&
                 threads->spawn(threads, search_batch, &batches[i], &running[i], NULL) == AP_OK;
    if (!apart) search_batch(&batches[i]);
  }
  for (uint64_t i = 0; i < parts; i++) {
    if (running[i]) threads->join(threads, running[i]);
    corrupt = corrupt || batches[i].corrupt;
  }
  if (corrupt) return AP_FAIL(err, AP_CORRUPT, "the index of neighbours names rows it has not");
  return AP_OK;
}
