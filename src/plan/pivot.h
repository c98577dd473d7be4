/* SPDX-License-Identifier: Apache-2.0
 *
 * PIVOT without a list of values, which the engine makes several statements of and gives no tree
 * for: what it reads is found in another text, where SELECT * FROM stands for it. That text has the
 * same tables in the same scopes and is only parsed, never run.
 * Pure; any thread.
 */
#ifndef AP_PLAN_PIVOT_H
#define AP_PLAN_PIVOT_H

#include "base/text.h"

/* Append sql with "PIVOT <tables> ON ..." as "SELECT * FROM <tables>", wherever it is a statement
 * of its own: at the beginning, in parentheses, behind WITH clauses. *out_found: there was one.
 * AP_UNSUPPORTED when tables may be named behind ON, where they would be lost; AP_SYNTAX when a
 * quote or comment does not end. */
AP_MUST_CHECK ap_status ap_pivot_append_tables(struct ap_buffer *out, struct ap_arena *arena,
                                               struct ap_text sql, bool *out_found, ap_error *err);

#endif
