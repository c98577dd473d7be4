/* SPDX-License-Identifier: Apache-2.0
 *
 * A cell: one Parquet file of a frame, as the ledger describes it.
 *
 * Immutable once made and counted, so that snapshots share cells; any thread may hold one. Parsed
 * statistics are made on first use and kept with the cell.
 */
#ifndef AP_CELL_CELL_H
#define AP_CELL_CELL_H

#include "arrow/type.h"
#include "cell/value.h"

#include <stdatomic.h>

struct ap_partition_value {
  struct ap_text text; /* Delta's serialisation: see cell/value.h */
  bool is_null;
};

/* Rows of a cell that are deleted; see the Delta protocol, "Deletion Vectors". */
struct ap_deletion_vector {
  char storage_type; /* 'u', 'p' or 'i'; 0: the cell has none */
  struct ap_text path_or_inline;
  int64_t offset; /* -1: none */
  int64_t size_bytes;
  int64_t cardinality;
};

struct ap_column_statistics {
  struct ap_value min; /* AP_VALUE_NONE: unknown */
  struct ap_value max; /* a bound: the true maximum may be lower, never higher */
  int64_t null_count;  /* -1: unknown */
};

struct ap_cell_statistics {
  uint64_t schema_id;    /* of the schema they were parsed for */
  int64_t row_count;     /* rows in the file; -1: unknown */
  uint32_t column_count; /* top-level fields of that schema */
  struct ap_column_statistics columns[];
};

struct ap_cell {
  struct ap_allocator *allocator;
  atomic_uint reference_count;
  _Atomic(struct ap_cell_statistics *) statistics; /* NULL until first asked for */
  struct ap_text path; /* relative to the frame's folder, URL-decoded, '/'-parted; absolute
                          locations are kept as written and refused by the reader */
  int64_t size_bytes;
  int64_t modified_ms;
  uint32_t partition_count;
  struct ap_partition_value *partition_values; /* in the order of the partition columns */
  struct ap_text statistics_json;              /* empty: none */
  struct ap_text tags_json;                    /* empty: none */
  struct ap_text action_json;                  /* the whole "add" action's value, as read or
                                                  written, for checkpoints: keeps unknown members */
  struct ap_deletion_vector deletion_vector;
  bool own; /* written by this product: the tag AP_CELL_TAG is there, so statistics know NaN and
               the physical schema is the one named by the tag */
  uint64_t physical_schema_id; /* of the tag; 0 when not own */
};

/* add.tags member that marks our cells; its value is the physical schema's id in 16 hex digits. */
#define AP_CELL_TAG "apiary.schema"

/* What a cell is made of; everything is copied. */
struct ap_cell_parts {
  struct ap_text path;
  int64_t size_bytes;
  int64_t modified_ms;
  uint32_t partition_count;
  const struct ap_partition_value *partition_values;
  struct ap_text statistics_json;
  struct ap_text tags_json;
  struct ap_text action_json;
  struct ap_deletion_vector deletion_vector;
};

/* reference_count 1. */
AP_MUST_CHECK ap_status ap_cell_create(struct ap_allocator *allocator,
                                       const struct ap_cell_parts *parts, struct ap_cell **out_cell,
                                       ap_error *err);
struct ap_cell *ap_cell_retain(struct ap_cell *cell);
void ap_cell_release(struct ap_cell *cell); /* NULL is allowed */

/* Identifies a schema's names, types and order (a hash of 64 bits that never changes: it is stored
 * in tags), for caches and tags. Nullability, metadata and the names of lists' and maps' children
 * do not count. */
uint64_t ap_schema_id(const struct ap_schema *schema);

/* The statistics of a cell against a schema whose physical (in-file) names are given, NULL for the
 * schema's own. Kept with the cell when first parsed; parsed into the arena when the cell already
 * keeps those of another schema. Malformed or missing statistics give unknown bounds, never an
 * error: pruning then keeps the cell. Bounds of other writers (cells not `own`) are widened where
 * their conventions lose precision: timestamps by 1 ms (1 minute before 1973, when zones had odd
 * seconds; unknown when a zone is wanted and not named), no upper bound for floats (NaN is greatest
 * here), decimals of more than 15 digits by a double's rounding, and no upper bound from strings
 * that may have been cut.
 * Counts and bounds are those of the file: rows that a deletion vector removes count. So bounds,
 * null_count == 0 and null_count == row_count (only nulls) hold for the rows that are left;
 * row_count and other null counts may be too large. */
AP_MUST_CHECK ap_status ap_cell_statistics_get(struct ap_cell *cell, struct ap_arena *arena,
                                               const struct ap_schema *schema, uint64_t schema_id,
                                               const struct ap_text *physical_names,
                                               const struct ap_cell_statistics **out_statistics,
                                               ap_error *err);

#endif
