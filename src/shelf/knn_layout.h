/* SPDX-License-Identifier: Apache-2.0
 *
 * How an index of nearest neighbours lies in memory, shared by who builds and who searches it.
 *
 * A complete tree over `leaves` buckets of nearly equal size. The inner node that divides leaves
 * [a, b) does so at m = (a + b) / 2 and is stored as nodes[m], so there is no link to follow and
 * none to check. A bucket has AP_KNN_BUCKET places: its coordinates one dimension after the other,
 * for loops over points, and its rows beside them. What lies where follows from four numbers of the
 * head; a head that says otherwise is refused.
 */
#ifndef AP_SHELF_KNN_LAYOUT_H
#define AP_SHELF_KNN_LAYOUT_H

#include <apiary/knn.h>

#include "base/status.h"

#include <stdbool.h>

enum { AP_KNN_BUCKET = 16, AP_KNN_VERSION = 1 };

struct ap_knn_head {
  char magic[8];
  uint32_t version;
  uint32_t width;
  uint32_t dimensions;
  uint32_t bucket;
  uint64_t size_bytes;
  uint64_t row_count;
  uint64_t point_count;
  double low[AP_KNN_DIMENSIONS_MAX]; /* box of all points */
  double high[AP_KNN_DIMENSIONS_MAX];
};

struct ap_knn_node {
  double low;  /* greatest coordinate on the left */
  double high; /* least coordinate on the right */
  uint32_t dimension;
  uint32_t left_row; /* least row on the left */
  uint32_t right_row;
  uint32_t reserved;
};

struct ap_knn_layout {
  uint64_t leaves;
  uint64_t nodes; /* offsets in bytes */
  uint64_t rows;
  uint64_t values;
  uint64_t size_bytes;
};

extern const char ap_knn_magic[8];

/* width, dimensions and point_count must be in their ranges. */
void ap_knn_layout_of(uint32_t width, uint32_t dimensions, uint64_t point_count,
                      struct ap_knn_layout *out_layout);
/* The first point of a leaf; of leaves: point_count. */
static inline uint64_t ap_knn_leaf_begin(uint64_t leaf, uint64_t leaves, uint64_t point_count) {
  uint64_t rest = point_count % leaves;
  return leaf * (point_count / leaves) + (leaf < rest ? leaf : rest);
}
/* Refuse columns that no call takes. */
ap_status ap_knn_points_check(const ap_knn_points *points, const char *what, ap_error *err);
/* The coordinates of a row; false when one of them is null or not finite. */
bool ap_knn_point_read(const ap_knn_points *points, uint64_t row, double *out_point);
/* threads as asked for, 0 resolved, at most AP_KNN_THREADS_MAX. */
uint32_t ap_knn_threads(uint32_t asked);

#endif
