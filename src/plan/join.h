/* SPDX-License-Identifier: Apache-2.0
 *
 * Bounds that a join puts on a frame: where rows of one reference are of use only when a column of
 * theirs equals a column of another, smaller one (f.k = d.k in WHERE or ON, USING (k), k IN (SELECT
 * k FROM d ...)), cells without any of the smaller side's keys are not needed.
 *
 * The smaller side's rows are those that meet the conditions on it which speak of it alone and give
 * the same answer each time; leaving out conditions only makes the set of keys greater. Columns of
 * one type only, and none with NaN. So nothing wrong can come from here, only less or more reading.
 * Pure; arena memory.
 */
#ifndef AP_PLAN_JOIN_H
#define AP_PLAN_JOIN_H

#include "cell/constant.h"
#include "plan/prune.h"

struct ap_join_pair {
  uint32_t big; /* references of the tree, and fields of their frames */
  uint32_t big_field;
  uint32_t small;
  uint32_t small_field;
};

/* All pairs of columns that must be equal, either way round. Nothing is said about sizes yet. */
AP_MUST_CHECK ap_status ap_join_find(struct ap_arena *arena, const struct ap_tree *tree,
                                     const struct ap_prune_frame *const *frames,
                                     struct ap_join_pair **out_pairs, uint32_t *out_count,
                                     ap_error *err);

/* Leave out cells of the big side by the bounds that the statistics of the small side's cells give,
 * and count them in its result. */
AP_MUST_CHECK ap_status ap_join_narrow_by_bounds(struct ap_arena *arena,
                                                 const struct ap_prune_frame *const *frames,
                                                 const struct ap_join_pair *pair,
                                                 struct ap_prune_result *results, ap_error *err);

/* Whether it pays to read the keys of the small side first. conditions: those on it, to be written
 * into the question. */
struct ap_join_question {
  const struct ap_json **conditions;
  uint32_t condition_count;
};
AP_MUST_CHECK ap_status ap_join_pays(struct ap_arena *arena, const struct ap_tree *tree,
                                     const struct ap_prune_frame *const *frames,
                                     const struct ap_join_pair *pair,
                                     const struct ap_prune_result *results, bool *out_pays,
                                     struct ap_join_question *out_question, ap_error *err);

/* SELECT DISTINCT key FROM small WHERE conditions, as a tree for json_deserialize_sql; parameters
 * by names (AP_TREE_PARAMETER_PREFIX). renamed: as ap_tree_write_renamed takes it. */
void ap_join_write(struct ap_buffer *out, const struct ap_tree *tree,
                   const struct ap_prune_frame *const *frames, const struct ap_join_pair *pair,
                   const struct ap_join_question *question,
                   const struct ap_reference_rename *renamed);

/* Leave out cells of the big side that hold none of the keys. Keys of kind NULL are none; when one
 * is unknown, nothing is left out. Sorts the keys. */
AP_MUST_CHECK ap_status ap_join_narrow_by_keys(struct ap_arena *arena,
                                               const struct ap_prune_frame *const *frames,
                                               const struct ap_join_pair *pair,
                                               const struct ap_constant *keys, uint32_t key_count,
                                               struct ap_prune_result *results, ap_error *err);

#endif
