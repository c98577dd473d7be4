/* SPDX-License-Identifier: Apache-2.0
 *
 * Views: CREATE [OR REPLACE] VIEW, DROP VIEW, and SHOW CREATE of views and frames. The query is
 * left to the engine's parser. Thread: the arena's.
 */
#include "base/limits.h"
#include "plan/statement_parser.h"

bool ap_statement_is_create_view(const struct ap_statement_parser *parser) {
  bool or_replace = ap_token_is(ap_parser_peek(parser), "OR") &&
                    ap_token_is(ap_parser_peek_at(parser, 1), "REPLACE");
  return ap_token_is(ap_parser_peek_at(parser, or_replace ? 2 : 0), "VIEW");
}

/* (a, b, ..): names without types. */
static ap_status take_names(struct ap_statement_parser *parser) {
  struct ap_statement_column *columns =
      AP_ARENA_ARRAY(parser->arena, struct ap_statement_column, ap_parser_items_max(parser));
  if (!columns) return AP_FAIL_MEMORY(parser->err);
  uint32_t count = 0;
  do {
    if (count == AP_COLUMNS_MAX) {
      return AP_FAIL(parser->err, AP_SYNTAX, "a view has at most %d columns", AP_COLUMNS_MAX);
    }
    columns[count] = (struct ap_statement_column){.not_null = false};
    AP_TRY(ap_parser_take_part(parser, "the name of a column", &columns[count].name));
    count++;
  } while (ap_parser_take_symbol(parser, ','));
  if (!ap_parser_take_symbol(parser, ')')) return ap_parser_expected(parser, ", or )", NULL, 0);
  parser->statement->columns = columns;
  parser->statement->column_count = count;
  return AP_OK;
}

/* [OR REPLACE] VIEW [IF NOT EXISTS] name [(columns)] AS query */
ap_status ap_statement_parse_create_view(struct ap_statement_parser *parser) {
  struct ap_statement *statement = parser->statement;
  statement->kind = AP_STATEMENT_CREATE_VIEW;
  statement->head = AP_TEXT("CREATE VIEW");
  statement->or_replace = ap_parser_take_word(parser, "OR");
  if (statement->or_replace) ap_parser_take(parser);
  ap_parser_take(parser);
  AP_TRY(ap_parser_take_if_not_exists(parser));
  if (statement->or_replace && statement->if_not_exists) {
    return AP_FAIL(parser->err, AP_SYNTAX, "OR REPLACE and IF NOT EXISTS exclude each other");
  }
  AP_TRY(ap_parser_take_name(parser, 3, "the name of a view", &statement->name));
  if (ap_parser_take_symbol(parser, '(')) AP_TRY(take_names(parser));
  if (!ap_parser_take_word(parser, "AS")) {
    return ap_parser_expected(parser, statement->column_count > 0 ? "AS" : "AS or the columns",
                              NULL, 0);
  }
  if (!ap_token_begins_query(ap_parser_peek(parser))) {
    static const char *const words[] = {"SELECT", "WITH", "FROM", "VALUES"};
    return ap_parser_expected(parser, "a query behind AS", words, 4);
  }
  statement->body = ap_parser_rest(parser);
  return AP_OK;
}

/* [IF EXISTS] name [RESTRICT] */
ap_status ap_statement_parse_drop_view(struct ap_statement_parser *parser) {
  struct ap_statement *statement = parser->statement;
  statement->kind = AP_STATEMENT_DROP_VIEW;
  statement->head = AP_TEXT("DROP VIEW");
  ap_parser_take_if_exists(parser);
  AP_TRY(ap_parser_take_name(parser, 3, "the name of a view", &statement->name));
  if (!ap_parser_take_word(parser, "RESTRICT")) (void)ap_parser_take_word(parser, "CASCADE");
  return ap_parser_take_end(parser, "the end of the statement");
}

/* SHOW CREATE VIEW | FRAME name */
ap_status ap_statement_parse_show_create(struct ap_statement_parser *parser) {
  static const char *const words[] = {"VIEW", "FRAME", "TABLE"};
  struct ap_statement *statement = parser->statement;
  statement->object = ap_token_object(ap_parser_peek(parser));
  if (statement->object != AP_OBJECT_VIEW && statement->object != AP_OBJECT_FRAME) {
    return ap_parser_expected(parser, "VIEW or FRAME (TABLE)", words, 3);
  }
  ap_parser_take(parser);
  statement->kind = AP_STATEMENT_SHOW_CREATE;
  AP_TRY(ap_parser_take_name(parser, 3, "a name", &statement->name));
  return ap_parser_take_end(parser, "the end of the statement");
}
