/* SPDX-License-Identifier: Apache-2.0
 *
 * What people who come from Spark, Databricks, DuckDB or Postgres write out of habit and Apiary
 * does not take: the hint of its error says how it is done here. Pure; the arena's thread.
 */
#ifndef AP_PLAN_WAYS_OUT_H
#define AP_PLAN_WAYS_OUT_H

#include "base/status.h"
#include "base/text.h"

/* Give an error of a statement (syntax, the engine's, unsupported) the hint for what is known of
 * its text; otherwise it stays as it is. err may be NULL. */
void ap_ways_out(struct ap_arena *arena, struct ap_text statement, ap_error *err);

#endif
