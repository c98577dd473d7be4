/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules a frame has for its rows, from its ledger to the engine: CHECK constraints and
 * invariants, defaults, generated columns. Expressions are kept in Spark's SQL and translated here;
 * one that has no sure meaning in the engine makes the frame read-only, with the reason.
 */
#ifndef AP_EXECUTE_RULES_H
#define AP_EXECUTE_RULES_H

#include "execute/bees.h"

/* The rules of a frame's rows; NULL when there are none. Arena memory. AP_UNSUPPORTED names the
 * rule whose expression only other engines understand. */
AP_MUST_CHECK ap_status ap_rules_load(const struct ap_snapshot *snapshot, struct ap_arena *arena,
                                      const struct ap_cell_rules **out_rules, ap_error *err);

/* Check an expression as people write it, with the columns of the schema, and give what is stored.
 * type NULL: a condition. no_columns: it may not name any (defaults). Arena memory.
 * AP_INVALID_ARGUMENT: it is no condition, or gives another type; AP_UNSUPPORTED: not every engine
 * reads it alike; what the engine says of it otherwise. */
struct ap_rule_request {
  struct ap_text expression;
  const struct ap_schema *schema;
  const struct ap_type *type;
  bool no_columns;
  const struct ap_run_control *control; /* may be NULL */
  struct ap_bee_account *account;       /* in whose name; may be NULL */
};
AP_MUST_CHECK ap_status ap_rule_check(struct ap_node *node, const struct ap_rule_request *request,
                                      struct ap_arena *arena, struct ap_text *out_spark,
                                      ap_error *err);

/* The first row of a version of a frame that does not fulfil a condition in the engine's SQL, as
 * text; empty: every row does. Arena memory. */
struct ap_offender_request {
  const struct ap_frame *frame;
  int64_t version;
  struct ap_text condition;
  const struct ap_run_control *control; /* may be NULL */
  struct ap_bee_account *account;       /* in whose name; may be NULL */
};
AP_MUST_CHECK ap_status ap_rule_find_offender(struct ap_node *node,
                                              const struct ap_offender_request *request,
                                              struct ap_arena *arena, struct ap_text *out_row,
                                              ap_error *err);

#endif
