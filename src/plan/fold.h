/* SPDX-License-Identifier: Apache-2.0
 *
 * Constant expressions in the conditions of a query (`DATE '2026-05-01' - INTERVAL 1 DAY`,
 * `current_date - 7`), which the engine shall evaluate itself before cells are chosen, so that
 * nothing it computes is computed otherwise here.
 *
 * Taken are only functions known to give the same answer every time, and the present time in forms
 * that move on with the clock: those are believed within ap_fold's bounds only.
 * Pure; arena memory.
 */
#ifndef AP_PLAN_FOLD_H
#define AP_PLAN_FOLD_H

#include "cell/constant.h"
#include "plan/tree.h"

struct ap_fold {
  const struct ap_json *node;
  struct ap_text clock; /* the word of the clock it uses without brackets (current_date), which
                           might be a column's name; empty: none */
  bool is_moving;       /* speaks of the present time */
  bool is_cut_shifted;  /* the day of a time before or after it */
  struct ap_constant constant; /* filled in by whoever asks the engine */
  struct ap_value latest;      /* of what moves: constant.value is the earliest */
};

struct ap_folds {
  struct ap_fold *items;
  uint32_t count;
  bool any_moving;
};

/* The expressions to evaluate; few or none. */
AP_MUST_CHECK ap_status ap_fold_find(struct ap_arena *arena, const struct ap_tree *tree,
                                     struct ap_folds *out_folds, ap_error *err);
/* The tree, as JSON, of a SELECT of them all. */
void ap_fold_write(struct ap_buffer *out, const struct ap_folds *folds);
/* NULL: not among them. folds may be NULL. */
const struct ap_fold *ap_fold_of(const struct ap_folds *folds, const struct ap_json *node);
/* Whether a FUNCTION node calls what gives the same answer for the same arguments, whatever those
 * are: the functions above, and tests of texts. */
bool ap_fold_is_steady_call(const struct ap_json *node);
/* Give the moving ones their bounds: the engine's clock showed between the two times when they were
 * evaluated, and shows at most AP_FOLD_DRIFT_MS more or less when the query runs. UTC. */
void ap_fold_bound(struct ap_folds *folds, int64_t before_ms, int64_t after_ms);

#define AP_FOLD_DRIFT_MS ((int64_t)60 * 1000)

#endif
