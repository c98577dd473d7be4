/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact nearest neighbours over columns of points: a k-d tree that is one block of bytes without a
 * pointer in it, so that it can lie in shared memory and be searched by every process that maps it.
 *
 * Points are float32 or float64 columns as Arrow lays them out. float32 points are kept as such,
 * which halves the index; distances are always computed in float64. Rows with a null, a NaN or an
 * infinite coordinate are not in the tree, and have no neighbours when they are queries.
 * Neighbours come nearest first; at equal distances the lower row comes first, so the answer does
 * not depend on how the tree was built or on the number of threads.
 * Thread: every call may run in any thread; a finished index is only read.
 */
#ifndef APIARY_KNN_H
#define APIARY_KNN_H

#include "status.h"

#include <math.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  AP_KNN_DIMENSIONS_MAX = 16,
  AP_KNN_THREADS_MAX = 64,
  AP_KNN_ALIGNMENT = 64, /* of an index in memory; mappings and Arrow buffers have it */
};

/* One coordinate of every point. */
typedef struct ap_knn_column {
  const void *values;      /* Arrow's data buffer, before the offset is applied */
  const uint8_t *validity; /* Arrow's validity bits, or NULL: no nulls */
  uint64_t offset;         /* rows of both to skip */
  uint32_t width;          /* 4: float32; 8: float64 */
} ap_knn_column;

typedef struct ap_knn_points {
  const ap_knn_column *columns;
  uint32_t dimensions; /* 1 to AP_KNN_DIMENSIONS_MAX columns */
  uint64_t row_count;  /* below 2^32 */
} ap_knn_points;

typedef struct ap_knn_info {
  uint32_t dimensions;
  uint32_t width;       /* 4 when all columns were float32, else 8 */
  uint64_t row_count;   /* of the columns */
  uint64_t point_count; /* of the tree: rows with finite coordinates */
} ap_knn_info;

typedef struct ap_knn_search_options {
  uint64_t struct_size;
  uint64_t k;          /* neighbours of each query, at least 1 */
  uint32_t threads;    /* 0: as many as this process may use cores */
  int32_t self;        /* not 0: query i is row first_row + i of the index; leave that row out */
  uint64_t first_row;  /* see self */
  double distance_max; /* neighbours at most this far; INFINITY for all */
} ap_knn_search_options;

#define AP_KNN_SEARCH_OPTIONS_INIT \
  { sizeof(ap_knn_search_options), 10, 0, 0, 0, (double)INFINITY }

/* How many bytes the index of these points takes. Reads all points once. */
AP_API AP_MUST_CHECK ap_status ap_knn_size(const ap_knn_points *points, uint64_t *out_size_bytes,
                                           ap_error *err);

/* Build the index in memory of exactly ap_knn_size bytes, aligned to AP_KNN_ALIGNMENT. threads: 0
 * for as many as this process may use cores. On failure the memory holds no index. Besides, it
 * takes (dimensions + 1) * 8 bytes a point for as long as it runs. */
AP_API AP_MUST_CHECK ap_status ap_knn_build(const ap_knn_points *points, uint32_t threads,
                                            void *out_memory, uint64_t size_bytes, ap_error *err);

/* What an index holds. AP_CORRUPT: the bytes are none, whoever made them. */
AP_API AP_MUST_CHECK ap_status ap_knn_describe(const void *index, uint64_t size_bytes,
                                               ap_knn_info *out_info, ap_error *err);

/* The nearest points of each query. out_rows and out_distances have queries->row_count * k places;
 * those of query i begin at i * k. Where there are fewer neighbours, the row is -1 and the distance
 * infinite. Any bytes may be given as index: bad ones give AP_CORRUPT or wrong rows below
 * row_count, never another access. */
AP_API AP_MUST_CHECK ap_status ap_knn_search(const void *index, uint64_t size_bytes,
                                             const ap_knn_points *queries,
                                             const ap_knn_search_options *options,
                                             int64_t *out_rows, double *out_distances,
                                             ap_error *err);

#ifdef __cplusplus
}
#endif

#endif
