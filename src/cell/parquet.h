/* SPDX-License-Identifier: Apache-2.0
 *
 * Small cells, written straight from Arrow batches: one Parquet file in memory (format of
 * apache/parquet-format), flat columns, LZ4_RAW, dictionaries where values repeat, version 1 data
 * pages, statistics in the footer.
 *
 * It exists for appends and small commits, whose cost would otherwise be the engine's start of a
 * statement. Whatever it does not take (nested or foreign layouts, columns that must be converted,
 * partitions, large inputs) the engine writes; both give the same types and statistics.
 */
#ifndef AP_CELL_PARQUET_H
#define AP_CELL_PARQUET_H

#include "cell/draft.h"
#include "port/threads.h"

/* Rows of one Parquet row group, the fewest that are worth a thread, and the most that are taken.
 */
enum {
  AP_PARQUET_GROUP_ROWS = 122880,
  AP_PARQUET_SHARE_ROWS = 16384,
  AP_PARQUET_ROWS_MAX = 4 * AP_PARQUET_GROUP_ROWS,
};

/* Whether every column of the stream's schema is in the layout that the file needs: field i of
 * physical is column order[i]. */
bool ap_parquet_takes(const struct ap_schema *physical, const struct ArrowSchema *arrow_schema,
                      const uint32_t *order);

/* The field's id in files (column mapping's: metadata member delta.columnMapping.id); -1: none. */
int64_t ap_parquet_field_id(const struct ap_field *field);

struct ap_parquet_rows {
  const struct ap_schema *physical;
  const struct ArrowSchema *arrow_schema; /* of the batches */
  const uint32_t *order;
  const struct ArrowArray *batches; /* structs that ap_array_validate has passed (UTF-8 too) */
  uint32_t batch_count;
  struct ap_threads *threads;
  uint32_t thread_count; /* that may work at once, the caller's included; with more than one the
                            arena's allocator must be safe from any thread */
};

/* Append the file's bytes to out. statistics (one per field of physical) get texts in the arena.
 * AP_INVALID_ARGUMENT names a string column whose bytes are not UTF-8. Rows that are null as a
 * whole are not taken: AP_UNSUPPORTED. */
AP_MUST_CHECK ap_status ap_parquet_write(const struct ap_parquet_rows *rows, struct ap_arena *arena,
                                         struct ap_buffer *out,
                                         struct ap_statistics_text *statistics, ap_error *err);

#endif
