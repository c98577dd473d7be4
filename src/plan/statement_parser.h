/* SPDX-License-Identifier: Apache-2.0
 *
 * The parser of one statement's tokens, shared by statement.c (which statement is it) and
 * statement_definition.c (statements about hives, boxes and frames). Not for use outside plan.
 * Thread: the arena's.
 */
#ifndef AP_PLAN_STATEMENT_PARSER_H
#define AP_PLAN_STATEMENT_PARSER_H

#include "plan/statement.h"
#include "plan/tokenizer.h"

struct ap_statement_parser {
  struct ap_arena *arena;
  struct ap_text sql; /* the whole text, for places */
  const struct ap_token *tokens;
  size_t count;
  size_t at;
  struct ap_statement *statement;
  struct ap_text with;                /* "WITH ..." before a verb that changes rows */
  struct ap_change_statement *change; /* statement->change while it is made */
  ap_error *err;
};

bool ap_token_is(const struct ap_token *token, const char *keyword); /* a bare word, case ignored */
bool ap_token_is_symbol(const struct ap_token *token, char symbol);
bool ap_token_is_name(const struct ap_token *token); /* bare or quoted */
bool ap_token_begins_query(const struct ap_token *token);

/* Tokens; behind the last one stands an END token. */
const struct ap_token *ap_parser_peek(const struct ap_statement_parser *parser);
const struct ap_token *ap_parser_peek_at(const struct ap_statement_parser *parser, size_t ahead);
const struct ap_token *ap_parser_take(struct ap_statement_parser *parser);
bool ap_parser_take_word(struct ap_statement_parser *parser, const char *keyword);
bool ap_parser_take_symbol(struct ap_statement_parser *parser, char symbol);
bool ap_parser_done(const struct ap_statement_parser *parser);
/* The text from the next token to the end of the statement. */
struct ap_text ap_parser_rest(const struct ap_statement_parser *parser);

/* AP_SYNTAX: line, column, what was expected and what was found; a hint when one of the words is
 * near. */
ap_status ap_parser_expected(struct ap_statement_parser *parser, const char *what,
                             const char *const *words, size_t word_count);

/* AP_SYNTAX unless the statement ends here. */
ap_status ap_parser_take_end(struct ap_statement_parser *parser, const char *expected);
ap_status ap_parser_take_part(struct ap_statement_parser *parser, const char *what,
                              struct ap_text *out_part);
/* A name of at most parts_max parts. */
ap_status ap_parser_take_name(struct ap_statement_parser *parser, uint32_t parts_max,
                              const char *what, struct ap_name *out_name);
/* Commas from here on, plus one: no list has more items. */
size_t ap_parser_items_max(const struct ap_statement_parser *parser);

/* A column's type, an expression: the text up to what follows at its own level. */
ap_status ap_parser_take_type(struct ap_statement_parser *parser, struct ap_text *out_type);
ap_status ap_parser_take_expression(struct ap_statement_parser *parser,
                                    struct ap_text *out_expression);
/* What stands between ( and ). */
ap_status ap_parser_take_parenthesised(struct ap_statement_parser *parser, const char *what,
                                       struct ap_text *out_text);
ap_status ap_parser_take_string(struct ap_statement_parser *parser, const char *what,
                                struct ap_text *out_text);

struct ap_column_list {
  struct ap_statement_column *columns;
  uint32_t column_count;
  struct ap_statement_constraint *constraints; /* of columns and between them */
  uint32_t constraint_count;
};
/* (column, CHECK (..), ...) */
ap_status ap_parser_take_columns(struct ap_statement_parser *parser,
                                 struct ap_column_list *out_list);
/* ('name' = 'value', ...), or ('name', ...) */
ap_status ap_parser_take_properties(struct ap_statement_parser *parser, bool with_values,
                                    const struct ap_statement_property **out_properties,
                                    uint32_t *out_count);

ap_status ap_statement_parse_describe(struct ap_statement_parser *parser);
ap_status ap_statement_parse_use(struct ap_statement_parser *parser);
ap_status ap_statement_parse_show(struct ap_statement_parser *parser);
ap_status ap_statement_parse_create(struct ap_statement_parser *parser);
ap_status ap_statement_parse_drop(struct ap_statement_parser *parser);
ap_status ap_statement_parse_alter(struct ap_statement_parser *parser);
ap_status ap_statement_parse_comment(struct ap_statement_parser *parser);
/* Behind SHOW CHANGES. */
ap_status ap_statement_parse_changes(struct ap_statement_parser *parser);
/* Behind SHOW: COLUMNS, PARTITIONS or TBLPROPERTIES of a frame, or ALL TABLES. */
bool ap_statement_is_show_of(const struct ap_statement_parser *parser);
AP_MUST_CHECK ap_status ap_statement_parse_show_of(struct ap_statement_parser *parser);

/* statement_maintenance.c */
ap_status ap_statement_parse_optimize(struct ap_statement_parser *parser);
ap_status ap_statement_parse_vacuum(struct ap_statement_parser *parser);
ap_status ap_statement_parse_check(struct ap_statement_parser *parser);
ap_status ap_statement_parse_analyze(struct ap_statement_parser *parser);
/* IF NOT EXISTS, when it stands there. */
ap_status ap_parser_take_if_not_exists(struct ap_statement_parser *parser);
/* IF EXISTS, when it stands there. */
void ap_parser_take_if_exists(struct ap_statement_parser *parser);
/* HIVE, BOX, FRAME, VIEW and their twins; AP_OBJECT_NONE: another token. */
enum ap_object ap_token_object(const struct ap_token *token);

/* statement_view.c; behind CREATE, DROP and SHOW */
bool ap_statement_is_create_view(const struct ap_statement_parser *parser);
ap_status ap_statement_parse_create_view(struct ap_statement_parser *parser);
ap_status ap_statement_parse_drop_view(struct ap_statement_parser *parser);
ap_status ap_statement_parse_show_create(struct ap_statement_parser *parser);

/* statement_session.c */
ap_status ap_statement_parse_set(struct ap_statement_parser *parser);
ap_status ap_statement_parse_reset(struct ap_statement_parser *parser);
ap_status ap_statement_parse_show_option(struct ap_statement_parser *parser);
ap_status ap_statement_parse_history(struct ap_statement_parser *parser);
ap_status ap_statement_parse_restore(struct ap_statement_parser *parser);
ap_status ap_statement_parse_prepare(struct ap_statement_parser *parser);
ap_status ap_statement_parse_execute(struct ap_statement_parser *parser);
ap_status ap_statement_parse_deallocate(struct ap_statement_parser *parser);

/* statement_copy.c */
ap_status ap_statement_parse_copy(struct ap_statement_parser *parser);

/* statement_rename.c */
ap_status ap_statement_parse_rename(struct ap_statement_parser *parser);
ap_status ap_statement_parse_alter_name(struct ap_statement_parser *parser); /* behind ALTER */

/* statement_change.c, statement_merge.c */
ap_status ap_statement_parse_insert(struct ap_statement_parser *parser);
ap_status ap_statement_parse_delete(struct ap_statement_parser *parser);
ap_status ap_statement_parse_update(struct ap_statement_parser *parser);
ap_status ap_statement_parse_truncate(struct ap_statement_parser *parser);
ap_status ap_statement_parse_merge(struct ap_statement_parser *parser);
ap_status ap_statement_parse_begin(struct ap_statement_parser *parser);
ap_status ap_statement_parse_commit(struct ap_statement_parser *parser);
ap_status ap_statement_parse_rollback(struct ap_statement_parser *parser);

#endif
