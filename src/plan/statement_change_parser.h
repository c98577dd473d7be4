/* SPDX-License-Identifier: Apache-2.0
 *
 * Parts that the parsers of changing statements share: statement_change.c and statement_merge.c.
 * Not for use outside plan. Thread: the arena's.
 */
#ifndef AP_PLAN_STATEMENT_CHANGE_PARSER_H
#define AP_PLAN_STATEMENT_CHANGE_PARSER_H

#include "plan/statement_change.h"
#include "plan/statement_parser.h"

/* Make parser->change; what stood before the verb (parser->with) becomes its. */
ap_status ap_change_begin(struct ap_statement_parser *parser);

/* stops: words, and "," for a comma; NULL closes the list. The text up to one of them, a closing
 * parenthesis or the end, all outside of parentheses and CASE; empty when there is none. */
struct ap_text ap_change_take_until(struct ap_statement_parser *parser, const char *const *stops);
/* The same, and AP_SYNTAX when it is empty. */
ap_status ap_change_take_expression(struct ap_statement_parser *parser, const char *what,
                                    const char *const *stops, struct ap_text *out_text);
/* [TABLE | FRAME] name [[AS] alias]; a bare word of stops is no alias. */
ap_status ap_change_take_target(struct ap_statement_parser *parser, const char *const *stops);
ap_status ap_change_take_columns(struct ap_statement_parser *parser,
                                 const struct ap_text **out_columns, uint32_t *out_count);
/* column = expression, ... */
ap_status ap_change_take_sets(struct ap_statement_parser *parser, const char *const *stops,
                              const struct ap_change_set **out_sets, uint32_t *out_count);

#endif
