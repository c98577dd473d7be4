/* SPDX-License-Identifier: Apache-2.0
 *
 * Which cells of its frames a query reads, and why not the others.
 */
#ifndef AP_EXECUTE_CHOOSE_H
#define AP_EXECUTE_CHOOSE_H

#include "execute/query.h"
#include "execute/resolve.h"
#include "plan/prune.h"

enum { AP_KEYS_SHOWN = 4 };

/* Of one frame at one version, all references of the statement to it together. */
struct ap_choice {
  const struct ap_resolved *resolved;
  struct ap_cell **cells; /* in the snapshot's order */
  uint32_t cell_count;
  uint32_t pruned_by_partition;
  uint32_t pruned_by_statistics;
  uint32_t pruned_by_keys;                          /* of joins */
  const struct ap_resolved *keys_of[AP_KEYS_SHOWN]; /* whose; NULL behind the last */
  uint32_t cells_cached; /* of the cells, those read from decoded copies; known when bound */
  bool had_condition;
  bool from_ledger; /* the statistics of these cells are the answer: none is read */
};

struct ap_choices {
  struct ap_choice *items; /* one for each of resolution->items */
  uint32_t count;
  const struct ap_prune_frame **frames; /* one for each reference; NULL where there is none */
  struct ap_prune_result *results; /* one for each reference; kept NULL where there is no frame */
  int64_t moving_ms;               /* the wall clock that constants were taken from; 0: none */
};

/* Everything in the arena. The chamber evaluates constants. */
AP_MUST_CHECK ap_status ap_choose_cells(struct ap_node *node, struct ap_chamber *chamber,
                                        const struct ap_query_request *request,
                                        const struct ap_tree *tree,
                                        const struct ap_resolution *resolution,
                                        struct ap_arena *arena, struct ap_choices *out_choices,
                                        ap_error *err);

/* Choose a frame's cells again, once its references' results were narrowed by the keys of a join.
 */
AP_MUST_CHECK ap_status ap_choose_again(const struct ap_tree *tree,
                                        const struct ap_resolution *resolution,
                                        struct ap_arena *arena, struct ap_choices *choices,
                                        struct ap_choice *choice, const struct ap_resolved *keys_of,
                                        ap_error *err);

/* Whether the references to the frame that the statement changes (is_target) might read a cell of
 * this snapshot, which need not be one that the query chose from. */
AP_MUST_CHECK ap_status ap_choose_reads(struct ap_node *node,
                                        const struct ap_query_request *request,
                                        const struct ap_tree *tree,
                                        const struct ap_resolution *resolution,
                                        const struct ap_snapshot *snapshot, struct ap_cell *cell,
                                        bool *out_reads, ap_error *err);

/* Just before the query runs: AP_BUSY when the clock has gone away from what was planned with. */
AP_MUST_CHECK ap_status ap_choices_check_clock(struct ap_node *node,
                                               const struct ap_choices *choices, ap_error *err);

#endif
