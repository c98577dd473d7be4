/* SPDX-License-Identifier: Apache-2.0
 *
 * Time travel as other engines write it, turned into the engine's own AT clause before its parser
 * sees the text:
 *   f VERSION AS OF 3, f TIMESTAMP AS OF '2026-01-31', f FOR VERSION | SYSTEM_VERSION AS OF 3,
 *   f FOR TIMESTAMP | SYSTEM_TIME AS OF now() - INTERVAL 1 DAY, f AS OF VERSION 3,
 *   f AS OF TIMESTAMP '2026-01-31'; an alias may stand before or behind, behind AT (..) too.
 *
 * What replaces a clause is as long as the clause, so that places in errors stay those of the
 * user's text; only where a clause and its alias are written without blanks, what follows moves by
 * a byte. Words that could be names are taken for names: a column called version, an alias "of".
 * Pure; any thread.
 */
#ifndef AP_PLAN_TRAVEL_H
#define AP_PLAN_TRAVEL_H

#include "base/text.h"

/* *out_sql is sql itself when it has no such clause, else arena memory. AP_SYNTAX with the place:
 * nothing behind AS OF, a quote or comment that does not end. */
AP_MUST_CHECK ap_status ap_travel_rewrite(struct ap_arena *arena, struct ap_text sql,
                                          struct ap_text *out_sql, ap_error *err);

#endif
