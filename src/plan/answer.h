/* SPDX-License-Identifier: Apache-2.0
 *
 * Queries that the ledger alone can answer: count(*), count(c), min(c) and max(c) over one frame,
 * without groups, when its condition is decided for all rows of each cell. Only statistics of own
 * cells are exact enough, and of those only such as cannot be cut or leave values out.
 * Pure; arena memory.
 */
#ifndef AP_PLAN_ANSWER_H
#define AP_PLAN_ANSWER_H

#include "cell/constant.h"
#include "plan/prune.h"

/* Whether the tree is such a query, and the value of each of its columns: of kind VALUE or NULL.
 * result: of its one reference. */
AP_MUST_CHECK ap_status ap_answer_find(struct ap_arena *arena, const struct ap_tree *tree,
                                       const struct ap_prune_frame *frame,
                                       uint64_t physical_schema_id,
                                       const struct ap_prune_result *result, bool *out_found,
                                       struct ap_constant **out_values, uint32_t *out_count,
                                       ap_error *err);

/* SELECT with those values, types and column names. */
void ap_answer_write(struct ap_buffer *out, const struct ap_constant *values,
                     const struct ap_text *names, uint32_t count);

#endif
