/* SPDX-License-Identifier: Apache-2.0
 *
 * Building the tree: medians along the widest side of each node's box (J. L. Bentley,
 * "Multidimensional binary search trees used for associative searching", 1975; J. H. Friedman,
 * J. L. Bentley, R. A. Finkel, 1977), found by Hoare's selection. Points move as records of
 * coordinates and row, so that no comparison goes through an index. Points are ordered by
 * coordinate, then row: all keys differ, so many equal points cost no more than others.
 */
#include "shelf/knn_layout.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "port/machine.h"
#include "port/threads.h"

#include <math.h>
#include <string.h>

const char ap_knn_magic[8] = "APKNN\r\n";

struct builder {
  double *records; /* dimensions coordinates and the row, each */
  uint64_t stride;
  uint32_t dimensions;
  uint32_t width;
  uint64_t point_count;
  struct ap_knn_layout layout;
  char *memory;
};

struct part {
  struct builder *builder;
  uint64_t begin; /* leaves */
  uint64_t end;
  uint32_t threads;
};

static uint64_t aligned(uint64_t size) {
  return (size + AP_KNN_ALIGNMENT - 1) / AP_KNN_ALIGNMENT * AP_KNN_ALIGNMENT;
}

void ap_knn_layout_of(uint32_t width, uint32_t dimensions, uint64_t point_count,
                      struct ap_knn_layout *out_layout) {
  AP_ASSERT(dimensions >= 1 && dimensions <= AP_KNN_DIMENSIONS_MAX);
  AP_ASSERT(point_count <= UINT32_MAX);
  uint64_t leaves = (point_count + AP_KNN_BUCKET - 1) / AP_KNN_BUCKET;
  out_layout->leaves = leaves;
  out_layout->nodes = aligned(sizeof(struct ap_knn_head));
  out_layout->rows = aligned(out_layout->nodes + leaves * sizeof(struct ap_knn_node));
  out_layout->values = aligned(out_layout->rows + leaves * AP_KNN_BUCKET * sizeof(uint32_t));
  out_layout->size_bytes =
      aligned(out_layout->values + leaves * AP_KNN_BUCKET * dimensions * (uint64_t)width);
}

ap_status ap_knn_points_check(const ap_knn_points *points, const char *what, ap_error *err) {
  if (!points || points->dimensions < 1 || points->dimensions > AP_KNN_DIMENSIONS_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "%s have %u dimensions, not 1 to %d", what,
                   points ? points->dimensions : 0, AP_KNN_DIMENSIONS_MAX);
  }
  if (points->row_count >= UINT32_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "%s have %llu rows; at most %u are allowed", what,
                   (unsigned long long)points->row_count, UINT32_MAX - 1);
  }
  for (uint32_t d = 0; d < points->dimensions; d++) {
    const ap_knn_column *column = &points->columns[d];
    if (column->width != 4 && column->width != 8) {
      return AP_FAIL(err, AP_INVALID_ARGUMENT,
                     "column %u of %s has values of %u bytes, not 4 (float32) or 8 (float64)", d,
                     what, column->width);
    }
    if (!column->values && points->row_count > 0) {
      return AP_FAIL(err, AP_INVALID_ARGUMENT, "column %u of %s has no values", d, what);
    }
  }
  return AP_OK;
}

bool ap_knn_point_read(const ap_knn_points *points, uint64_t row, double *out_point) {
  for (uint32_t d = 0; d < points->dimensions; d++) {
    const ap_knn_column *column = &points->columns[d];
    uint64_t place = column->offset + row;
    if (column->validity && !(column->validity[place / 8] >> place % 8 & 1)) return false;
    double value = column->width == 8 ? ((const double *)column->values)[place]
                                      : (double)((const float *)column->values)[place];
    if (!isfinite(value)) return false;
    out_point[d] = value;
  }
  return true;
}

uint32_t ap_knn_threads(uint32_t asked) {
  if (asked == 0) {
    struct ap_machine machine;
    ap_machine_detect(&machine);
    asked = machine.cores;
  }
  return asked < AP_KNN_THREADS_MAX ? asked : AP_KNN_THREADS_MAX;
}

static uint32_t width_of(const ap_knn_points *points) {
  for (uint32_t d = 0; d < points->dimensions; d++) {
    if (points->columns[d].width == 8) return 8;
  }
  return 4;
}

static uint64_t count_points(const ap_knn_points *points) {
  double point[AP_KNN_DIMENSIONS_MAX];
  uint64_t count = 0;
  for (uint64_t row = 0; row < points->row_count; row++) {
    count += ap_knn_point_read(points, row, point);
  }
  return count;
}

ap_status ap_knn_size(const ap_knn_points *points, uint64_t *out_size_bytes, ap_error *err) {
  AP_TRY(ap_knn_points_check(points, "the points", err));
  struct ap_knn_layout layout;
  ap_knn_layout_of(width_of(points), points->dimensions, count_points(points), &layout);
  *out_size_bytes = layout.size_bytes;
  return AP_OK;
}

/* Whether one record stands before another along a dimension. */
static bool before(const double *left, const double *right, uint32_t dimension, uint64_t stride) {
  if (left[dimension] != right[dimension]) return left[dimension] < right[dimension];
  return left[stride - 1] < right[stride - 1];
}

static void swap_records(double *left, double *right, uint64_t stride) {
  for (uint64_t i = 0; i < stride; i++) {
    double kept = left[i];
    left[i] = right[i];
    right[i] = kept;
  }
}

static uint64_t draw(uint64_t *state) {
  *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return *state >> 33;
}

/* Put into out_pivot the middle one of three records drawn from [low, high]. */
static void choose_pivot(const double *records, uint64_t stride, uint64_t low, uint64_t high,
                         uint32_t dimension, uint64_t *state, double *out_pivot) {
  const double *drawn[3];
  for (int i = 0; i < 3; i++) drawn[i] = records + (low + draw(state) % (high - low + 1)) * stride;
  bool ab = before(drawn[0], drawn[1], dimension, stride);
  bool bc = before(drawn[1], drawn[2], dimension, stride);
  bool ac = before(drawn[0], drawn[2], dimension, stride);
  const double *middle = ab == bc ? drawn[1] : ab == ac ? drawn[2] : drawn[0];
  memcpy(out_pivot, middle, stride * sizeof(double));
}

/* Move records so that the one that belongs at nth is there, none after it stands before it. */
static void select_nth(double *records, uint64_t stride, uint64_t low, uint64_t high, uint64_t nth,
                       uint32_t dimension) {
  double pivot[AP_KNN_DIMENSIONS_MAX + 1];
  uint64_t state = low * 31 + high;
  AP_ASSERT(low <= nth && nth <= high);
  while (high > low) {
    choose_pivot(records, stride, low, high, dimension, &state, pivot);
    int64_t i = (int64_t)low;
    int64_t j = (int64_t)high;
    while (i <= j) {
      while (before(records + (uint64_t)i * stride, pivot, dimension, stride)) i++;
      while (before(pivot, records + (uint64_t)j * stride, dimension, stride)) j--;
      if (i > j) break;
      if (i != j)
        swap_records(records + (uint64_t)i * stride, records + (uint64_t)j * stride, stride);
      i++;
      j--;
    }
    if ((int64_t)nth <= j) {
      high = (uint64_t)j;
    } else if ((int64_t)nth >= i) {
      low = (uint64_t)i;
    } else {
      return;
    }
  }
}

static void find_box(const struct builder *builder, uint64_t begin, uint64_t end, double *out_low,
                     double *out_high) {
  uint64_t stride = builder->stride;
  for (uint32_t d = 0; d < builder->dimensions; d++) {
    out_low[d] = INFINITY;
    out_high[d] = -INFINITY;
  }
  for (const double *at = builder->records + begin * stride; at < builder->records + end * stride;
       at += stride) {
    for (uint32_t d = 0; d < builder->dimensions; d++) {
      out_low[d] = at[d] < out_low[d] ? at[d] : out_low[d];
      out_high[d] = at[d] > out_high[d] ? at[d] : out_high[d];
    }
  }
}

static uint32_t least_row(const struct builder *builder, uint64_t begin, uint64_t end) {
  double least = (double)UINT32_MAX;
  for (uint64_t i = begin; i < end; i++) {
    double row = builder->records[i * builder->stride + builder->stride - 1];
    if (row < least) least = row;
  }
  return (uint32_t)least;
}

/* Divide the points of leaves [begin, end) at leaf middle. */
static void divide(struct builder *builder, uint64_t begin, uint64_t middle, uint64_t end) {
  double low[AP_KNN_DIMENSIONS_MAX];
  double high[AP_KNN_DIMENSIONS_MAX];
  uint64_t leaves = builder->layout.leaves;
  uint64_t first = ap_knn_leaf_begin(begin, leaves, builder->point_count);
  uint64_t nth = ap_knn_leaf_begin(middle, leaves, builder->point_count);
  uint64_t last = ap_knn_leaf_begin(end, leaves, builder->point_count);
  uint64_t stride = builder->stride;
  find_box(builder, first, last, low, high);
  uint32_t dimension = 0;
  for (uint32_t d = 1; d < builder->dimensions; d++) {
    if (high[d] - low[d] > high[dimension] - low[dimension]) dimension = d;
  }
  select_nth(builder->records, stride, first, last - 1, nth, dimension);
  double left = -INFINITY;
  for (uint64_t i = first; i < nth; i++) {
    double value = builder->records[i * stride + dimension];
    if (value > left) left = value;
  }
  struct ap_knn_node *nodes = (struct ap_knn_node *)(builder->memory + builder->layout.nodes);
  nodes[middle] = (struct ap_knn_node){
      .low = left,
      .high = builder->records[nth * stride + dimension],
      .dimension = dimension,
      .left_row = least_row(builder, first, nth),
      .right_row = least_row(builder, nth, last),
  };
}

static void write_leaf(struct builder *builder, uint64_t leaf) {
  uint64_t first = ap_knn_leaf_begin(leaf, builder->layout.leaves, builder->point_count);
  uint64_t last = ap_knn_leaf_begin(leaf + 1, builder->layout.leaves, builder->point_count);
  uint64_t place = leaf * AP_KNN_BUCKET;
  uint32_t *rows = (uint32_t *)(builder->memory + builder->layout.rows) + place;
  char *values = builder->memory + builder->layout.values;
  AP_ASSERT(first < last && last - first <= AP_KNN_BUCKET);
  for (uint64_t i = 0; i < last - first; i++) {
    const double *record = builder->records + (first + i) * builder->stride;
    rows[i] = (uint32_t)record[builder->stride - 1];
    for (uint32_t d = 0; d < builder->dimensions; d++) {
      uint64_t at = place * builder->dimensions + d * AP_KNN_BUCKET + i;
      if (builder->width == 8) {
        ((double *)values)[at] = record[d];
      } else {
        ((float *)values)[at] = (float)record[d];
      }
    }
  }
}

static void build_part(void *context) {
  const struct part *part = context;
  struct builder *builder = part->builder;
  if (part->end - part->begin == 1) {
    write_leaf(builder, part->begin);
    return;
  }
  uint64_t middle = (part->begin + part->end) / 2;
  divide(builder, part->begin, middle, part->end);
  uint32_t half = part->threads / 2;
  struct part left = {builder, part->begin, middle, half};
  struct part right = {builder, middle, part->end, part->threads - half};
  struct ap_threads *threads = ap_threads_system();
  struct ap_thread *thread = NULL;
  bool apart = half > 0 && part->end - part->begin >= 256 &&
               threads->spawn(threads, build_part, &left, &thread, NULL) == AP_OK;
  if (!apart) build_part(&left);
  build_part(&right);
  if (apart) threads->join(threads, thread);
}

/* The rows with finite coordinates, as records. */
static void gather(struct builder *builder, const ap_knn_points *points) {
  uint64_t count = 0;
  double point[AP_KNN_DIMENSIONS_MAX];
  for (uint64_t row = 0; row < points->row_count && count < builder->point_count; row++) {
    if (!ap_knn_point_read(points, row, point)) continue;
    double *record = builder->records + count++ * builder->stride;
    memcpy(record, point, builder->dimensions * sizeof(double));
    record[builder->stride - 1] = (double)row;
  }
  AP_ASSERT(count == builder->point_count);
}

ap_status ap_knn_build(const ap_knn_points *points, uint32_t threads, void *out_memory,
                       uint64_t size_bytes, ap_error *err) {
  AP_TRY(ap_knn_points_check(points, "the points", err));
  struct builder builder = {.dimensions = points->dimensions,
                            .stride = (uint64_t)points->dimensions + 1,
                            .width = width_of(points),
                            .point_count = count_points(points),
                            .memory = out_memory};
  ap_knn_layout_of(builder.width, builder.dimensions, builder.point_count, &builder.layout);
  if (!out_memory || (uintptr_t)out_memory % AP_KNN_ALIGNMENT != 0 ||
      size_bytes != builder.layout.size_bytes) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT,
                   "the index takes %llu bytes aligned to %d, not %llu at %p",
                   (unsigned long long)builder.layout.size_bytes, AP_KNN_ALIGNMENT,
                   (unsigned long long)size_bytes, out_memory);
  }
  builder.records = ap_allocate_zeroed(ap_allocator_system(), builder.point_count + 1,
                                       builder.stride * sizeof(double));
  if (!builder.records) return AP_FAIL_MEMORY(err);
  memset(out_memory, 0, size_bytes);
  gather(&builder, points);
  struct ap_knn_head head = {.version = AP_KNN_VERSION,
                             .width = builder.width,
                             .dimensions = builder.dimensions,
                             .bucket = AP_KNN_BUCKET,
                             .size_bytes = size_bytes,
                             .row_count = points->row_count,
                             .point_count = builder.point_count};
  memcpy(head.magic, ap_knn_magic, sizeof(head.magic));
  find_box(&builder, 0, builder.point_count, head.low, head.high);
  if (builder.layout.leaves > 0) {
    struct part whole = {&builder, 0, builder.layout.leaves, ap_knn_threads(threads)};
    build_part(&whole);
  }
  memcpy(out_memory, &head, sizeof(head));
  ap_free(ap_allocator_system(), builder.records);
  return AP_OK;
}
