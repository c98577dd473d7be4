/* SPDX-License-Identifier: Apache-2.0
 *
 * SHOW COLUMNS | PARTITIONS | TBLPROPERTIES of a frame, and SHOW ALL TABLES. They are none where
 * no name follows, so that options may be called so. Thread: the arena's.
 */
#include "plan/statement_parser.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

static const struct {
  const char *word;
  enum ap_statement_kind kind;
} kinds[] = {
    {"COLUMNS", AP_STATEMENT_SHOW_COLUMNS},
    {"PARTITIONS", AP_STATEMENT_SHOW_PARTITIONS},
    {"TBLPROPERTIES", AP_STATEMENT_SHOW_PROPERTIES},
};

static bool is_all_tables(const struct ap_statement_parser *parser) {
  const struct ap_token *next = ap_parser_peek_at(parser, 1);
  return ap_token_is(ap_parser_peek(parser), "ALL") &&
         (ap_token_is(next, "TABLES") || ap_token_is(next, "FRAMES"));
}

bool ap_statement_is_show_of(const struct ap_statement_parser *parser) {
  if (is_all_tables(parser)) return true;
  for (size_t i = 0; i < COUNT_OF(kinds); i++) {
    if (ap_token_is(ap_parser_peek(parser), kinds[i].word)) {
      return ap_token_is_name(ap_parser_peek_at(parser, 1));
    }
  }
  return false;
}

/* As DuckDB answers it. */
static ap_status take_all_tables(struct ap_statement_parser *parser) {
  struct ap_statement *statement = parser->statement;
  ap_parser_take(parser);
  ap_parser_take(parser);
  statement->kind = AP_STATEMENT_QUERY;
  statement->text = AP_TEXT(
      "SELECT table_catalog AS database, table_schema AS schema, table_name AS name, "
      "list(column_name ORDER BY ordinal_position) AS column_names, "
      "list(data_type ORDER BY ordinal_position) AS column_types, false AS temporary "
      "FROM information_schema.columns GROUP BY ALL ORDER BY ALL");
  return ap_parser_take_end(parser, "the end of the statement");
}

/* COLUMNS IN f | PARTITIONS f | TBLPROPERTIES f [('name')] */
ap_status ap_statement_parse_show_of(struct ap_statement_parser *parser) {
  struct ap_statement *statement = parser->statement;
  if (is_all_tables(parser)) return take_all_tables(parser);
  for (size_t i = 0; i < COUNT_OF(kinds); i++) {
    if (!ap_parser_take_word(parser, kinds[i].word)) continue;
    statement->kind = kinds[i].kind;
    break;
  }
  if (!ap_parser_take_word(parser, "IN")) (void)ap_parser_take_word(parser, "FROM");
  AP_TRY(ap_parser_take_name(parser, 3, "the name of a frame", &statement->name));
  if (statement->kind == AP_STATEMENT_SHOW_PROPERTIES && ap_parser_take_symbol(parser, '(')) {
    AP_TRY(ap_parser_take_string(parser, "the 'name' of a property", &statement->like));
    if (!ap_parser_take_symbol(parser, ')')) return ap_parser_expected(parser, ")", NULL, 0);
  }
  return ap_parser_take_end(parser, "the end of the statement");
}
