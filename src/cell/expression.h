/* SPDX-License-Identifier: Apache-2.0
 *
 * SQL expressions kept in a table's metadata (CHECK constraints, defaults, generated columns).
 * Delta keeps them in Spark's SQL; people write them in the engine's. Both directions are
 * translated token by token: quotes, types, and the few words that differ.
 *
 * Only what means the same in both dialects passes: operators and functions of one list. Anything
 * else is AP_UNSUPPORTED by name, since a constraint that two engines read differently guards
 * nothing. Pure functions; no expression is evaluated here.
 */
#ifndef AP_CELL_EXPRESSION_H
#define AP_CELL_EXPRESSION_H

#include "base/text.h"

/* Append the expression in the other dialect. AP_SYNTAX: a quote or comment without its end;
 * AP_UNSUPPORTED names what only one dialect has. */
AP_MUST_CHECK ap_status ap_expression_to_spark(struct ap_text engine_sql, struct ap_buffer *out,
                                               ap_error *err);
AP_MUST_CHECK ap_status ap_expression_from_spark(struct ap_text spark_sql, struct ap_buffer *out,
                                                 ap_error *err);

/* Whether an expression in Spark's SQL may mention a column of that name (case ignored). */
bool ap_expression_mentions(struct ap_text spark_sql, struct ap_text column);

#endif
