/* SPDX-License-Identifier: Apache-2.0
 *
 * Conditions over partition columns alone: they pick whole cells.
 */
#ifndef AP_EXECUTE_PARTITION_CONDITION_H
#define AP_EXECUTE_PARTITION_CONDITION_H

#include "execute/node.h"
#include "plan/tree.h"

/* Zeroed memory is no condition: every cell matches. */
struct ap_partition_condition {
  struct ap_text text;
  struct ap_tree tree;
};

/* Read the text of a condition over the frame's columns. `what` opens messages ("replace_where").
 * The tree is in the arena. An empty text is no condition. */
AP_MUST_CHECK ap_status ap_partition_condition_parse(struct ap_chamber *chamber,
                                                     const struct ap_frame *frame, const char *what,
                                                     struct ap_text text, struct ap_arena *arena,
                                                     struct ap_partition_condition *out_condition,
                                                     ap_error *err);
/* Whether all rows of the cell fulfil it. AP_UNSUPPORTED when the condition speaks of other
 * columns, or of what is not understood. */
AP_MUST_CHECK ap_status ap_partition_condition_match(const struct ap_partition_condition *condition,
                                                     const struct ap_snapshot *snapshot,
                                                     struct ap_cell *cell,
                                                     struct ap_allocator *allocator,
                                                     bool *out_matches, ap_error *err);

#endif
