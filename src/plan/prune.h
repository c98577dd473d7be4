/* SPDX-License-Identifier: Apache-2.0
 *
 * Pruning: which cells a query cannot need.
 *
 * The conditions that rows of a reference must meet (tree.h) are evaluated over each cell's
 * partition values and statistics in sets of possible answers {true, false, null}; a cell goes only
 * when true is impossible. Anything not understood has every answer, so a wrong answer cannot come
 * from here, only more reading.
 * Understood: AND, OR, NOT, =, <>, <, <=, >, >=, IS [NOT] DISTINCT FROM, [NOT] IN, [NOT] BETWEEN,
 * IS [NOT] NULL, LIKE 'prefix%', starts_with, comparisons either way round; constants, parameters
 * and what the engine has made of functions of constants (fold.h); columns, casts of columns that
 * keep the order, and functions that keep it: sums, year, date_trunc, left.
 * Pure: no I/O.
 */
#ifndef AP_PLAN_PRUNE_H
#define AP_PLAN_PRUNE_H

#include "cell/cell.h"
#include "plan/fold.h"
#include "plan/tree.h"

/* What a reference resolved to: the frame at a version, seen without ledger or store. */
struct ap_prune_frame {
  const struct ap_schema *schema;
  uint64_t schema_id;
  const struct ap_text *physical_names; /* of the top-level fields */
  const uint32_t *partition_columns;    /* indexes into schema->fields */
  uint32_t partition_column_count;
  struct ap_cell *const *cells;
  uint32_t cell_count;
};

struct ap_prune_result {
  uint32_t *kept; /* indexes into cells, ascending */
  uint32_t kept_count;
  uint32_t pruned_by_partition; /* cells whose partition values alone ruled them out */
  uint32_t pruned_by_statistics;
  uint32_t pruned_by_keys; /* of a join: see join.h */
  bool had_condition;      /* some part of the WHERE speaks of this frame */
  bool decided; /* each row of the cells kept surely meets all conditions on the reference */
};

/* What is known of the statement beside its text. Parameters by position ($1 is index 0), NONE:
 * unknown. */
struct ap_prune_parameters {
  const struct ap_value *values;
  uint32_t count;
  const struct ap_folds *folds; /* constants the engine has evaluated; NULL: none */
};

/* frames[i] belongs to tree->references[i]; NULL where the reference is no frame (a view, a file, a
 * table of the engine): its columns are unknown, so unqualified names beside it are not used.
 * out_results has one entry per reference (kept NULL for those without a frame). */
AP_MUST_CHECK ap_status ap_prune(struct ap_arena *arena, const struct ap_tree *tree,
                                 const struct ap_prune_frame *const *frames,
                                 const struct ap_prune_parameters *parameters,
                                 struct ap_prune_result *out_results, ap_error *err);

/* Whether a boolean expression over partition columns alone (replaceWhere, partition filters),
 * given as the tree of "SELECT * FROM f WHERE <expression>", is certainly true / certainly not true
 * for each cell. AP_UNSUPPORTED when it speaks of other columns or of what is not understood,
 * naming it. */
AP_MUST_CHECK ap_status ap_prune_exact(struct ap_arena *arena, const struct ap_tree *tree,
                                       const struct ap_prune_frame *frame, bool *out_matches,
                                       ap_error *err);

#endif
