/* SPDX-License-Identifier: Apache-2.0
 *
 * Conditions on their way from where they stand to the references that they may prune: past the
 * sides of joins, through SELECTs in FROM, into WITH clauses that are used once. For tree.c only.
 * Pure; arena memory.
 */
#ifndef AP_PLAN_TREE_FILTER_H
#define AP_PLAN_TREE_FILTER_H

#include "plan/tree.h"

/* The uses of a WITH clause, known when all has been walked. */
struct ap_cte_use {
  const struct ap_filter *filters; /* of the last use */
  const struct ap_json *item;
  uint32_t count;
};

/* Filters that reach an item of FROM, on their way to what stands in it. */
struct ap_filter_entry {
  const struct ap_filter *filters;
  const struct ap_json *item; /* NULL: not known yet (a WITH clause) */
  const struct ap_json *set;  /* the topmost set operation on the way; NULL: none */
};

/* What a WHERE or ON says, before the others. */
AP_MUST_CHECK ap_status ap_filter_add(struct ap_arena *arena, const struct ap_json *condition,
                                      const struct ap_json *from, const struct ap_filter **filters,
                                      ap_error *err);
/* All of a list that hold for one side of a join. */
AP_MUST_CHECK ap_status ap_filter_pass_join(struct ap_arena *arena, const struct ap_filter *list,
                                            bool null_extended, const struct ap_filter **out_list,
                                            ap_error *err);
/* All that may be asked of a SELECT's rows before it: none when it limits, samples or numbers. */
AP_MUST_CHECK ap_status ap_filter_enter(struct ap_arena *arena, const struct ap_filter_entry *entry,
                                        const struct ap_json *select,
                                        const struct ap_filter **out_list, ap_error *err);
/* Of a UNION's rows, before its branches: the entry for a branch; no filters when not. */
struct ap_filter_entry ap_filter_enter_union(const struct ap_filter_entry *entry,
                                             const struct ap_json *node);
/* The entry for the body of a WITH clause whose uses are not all known yet. */
AP_MUST_CHECK ap_status ap_filter_await(struct ap_arena *arena, const struct ap_cte_use *use,
                                        struct ap_filter_entry *out_entry, ap_error *err);
/* Put what the uses ask in the place of what was awaited. */
AP_MUST_CHECK ap_status ap_filter_settle(struct ap_arena *arena, const struct ap_filter **list,
                                         ap_error *err);

#endif
