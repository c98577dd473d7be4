/* SPDX-License-Identifier: Apache-2.0
 *
 * Where in a statement an error lies, found again from what the engine shows of it.
 *
 * The engine tells no offset but draws the line and a caret below. Its drawing is believed only
 * where the line is found in the text. Pure.
 */
#ifndef AP_PLAN_PLACE_H
#define AP_PLAN_PLACE_H

#include "base/text.h"

/* The byte of sql that the end of message points to ("LINE 2: ...", a line with a caret); false
 * when it shows none, or one that is not sql's. */
bool ap_sql_find_place(struct ap_text sql, const char *message, size_t *out_offset);

/* The last statement of several, which is the one that a result belongs to. */
struct ap_text ap_sql_last_statement(struct ap_arena *arena, struct ap_text sql);

#endif
