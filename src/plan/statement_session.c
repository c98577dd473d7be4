/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements about the session: SET, RESET and SHOW of options, PREPARE, EXECUTE, DEALLOCATE; and
 * the history of a frame. Which options there are is not known here.
 * Thread: the arena's.
 */
#include "base/limits.h"
#include "plan/statement_parser.h"

/* SESSION and LOCAL mean the session; GLOBAL there is none of. */
static void take_scope(struct ap_statement_parser *parser) {
  if (!ap_token_is_name(ap_parser_peek_at(parser, 1))) return;
  if (!ap_parser_take_word(parser, "SESSION")) (void)ap_parser_take_word(parser, "LOCAL");
}

static struct ap_text source_between(const struct ap_token *first, const struct ap_token *last) {
  const char *end = last->source.data + last->source.size;
  return (struct ap_text){first->source.data, (size_t)(end - first->source.data)};
}

/* SET [SESSION | LOCAL] option = | TO value */
ap_status ap_statement_parse_set(struct ap_statement_parser *parser) {
  struct ap_statement *statement = parser->statement;
  ap_parser_take(parser);
  statement->kind = AP_STATEMENT_SET;
  if (ap_token_is(ap_parser_peek(parser), "VARIABLE") &&
      ap_token_is_name(ap_parser_peek_at(parser, 1))) {
    statement->kind = AP_STATEMENT_REFUSED;
    statement->head = AP_TEXT("SET VARIABLE");
    return AP_OK;
  }
  take_scope(parser);
  AP_TRY(ap_parser_take_name(parser, 1, "the name of an option", &statement->name));
  if (!ap_parser_take_symbol(parser, '=') && !ap_parser_take_word(parser, "TO")) {
    return ap_parser_expected(parser, "= or TO", NULL, 0);
  }
  if (ap_parser_done(parser)) return ap_parser_expected(parser, "a value", NULL, 0);
  const struct ap_token *first = ap_parser_take(parser);
  const struct ap_token *last = first;
  while (!ap_parser_done(parser)) last = ap_parser_take(parser);
  bool is_text = first == last && first->kind == AP_TOKEN_STRING;
  statement->value = is_text ? first->value : source_between(first, last);
  return AP_OK;
}

/* RESET option | ALL */
ap_status ap_statement_parse_reset(struct ap_statement_parser *parser) {
  struct ap_statement *statement = parser->statement;
  ap_parser_take(parser);
  statement->kind = AP_STATEMENT_RESET;
  take_scope(parser);
  if (!ap_parser_take_word(parser, "ALL")) {
    AP_TRY(ap_parser_take_name(parser, 1, "the name of an option, or ALL", &statement->name));
  }
  return ap_parser_take_end(parser, "the end of the statement");
}

/* option | ALL [LIKE 'p'], behind SHOW */
ap_status ap_statement_parse_show_option(struct ap_statement_parser *parser) {
  struct ap_statement *statement = parser->statement;
  statement->kind = AP_STATEMENT_SHOW_OPTION;
  if (!ap_parser_take_word(parser, "ALL")) {
    AP_TRY(ap_parser_take_name(parser, 1, "the name of an option", &statement->name));
  }
  return ap_parser_take_end(parser, "the end of the statement");
}

/* HISTORY [IN | FROM | OF] [FRAME] name [LIMIT n], behind SHOW or DESCRIBE */
ap_status ap_statement_parse_history(struct ap_statement_parser *parser) {
  struct ap_statement *statement = parser->statement;
  ap_parser_take(parser);
  statement->kind = AP_STATEMENT_HISTORY;
  if (!ap_parser_take_word(parser, "IN") && !ap_parser_take_word(parser, "FROM")) {
    (void)ap_parser_take_word(parser, "OF");
  }
  if (ap_token_object(ap_parser_peek(parser)) == AP_OBJECT_FRAME &&
      ap_token_is_name(ap_parser_peek_at(parser, 1))) {
    ap_parser_take(parser);
  }
  AP_TRY(ap_parser_take_name(parser, 3, "the name of a frame", &statement->name));
  if (ap_parser_take_word(parser, "LIMIT")) {
    const struct ap_token *token = ap_parser_peek(parser);
    if (token->kind != AP_TOKEN_NUMBER || !ap_text_parse_i64(token->source, &statement->limit) ||
        statement->limit < 1) {
      return ap_parser_expected(parser, "a number from 1 on", NULL, 0);
    }
    ap_parser_take(parser);
  }
  return ap_parser_take_end(parser, "LIMIT or the end of the statement");
}

/* RESTORE [FRAME] name TO VERSION | TIMESTAMP AS OF value */
ap_status ap_statement_parse_restore(struct ap_statement_parser *parser) {
  static const char *const words[] = {"VERSION", "TIMESTAMP"};
  struct ap_statement *statement = parser->statement;
  ap_parser_take(parser);
  statement->kind = AP_STATEMENT_RESTORE;
  if (ap_token_object(ap_parser_peek(parser)) == AP_OBJECT_FRAME &&
      !ap_token_is(ap_parser_peek_at(parser, 1), "TO")) {
    ap_parser_take(parser);
  }
  AP_TRY(ap_parser_take_name(parser, 3, "the name of a frame", &statement->name));
  if (!ap_parser_take_word(parser, "TO")) return ap_parser_expected(parser, "TO", NULL, 0);
  statement->is_version = ap_parser_take_word(parser, "VERSION");
  if (!statement->is_version && !ap_parser_take_word(parser, "TIMESTAMP")) {
    return ap_parser_expected(parser, "VERSION or TIMESTAMP", words, 2);
  }
  if (!ap_parser_take_word(parser, "AS")) return ap_parser_expected(parser, "AS OF", NULL, 0);
  if (!ap_parser_take_word(parser, "OF")) return ap_parser_expected(parser, "OF", NULL, 0);
  const struct ap_token *token = ap_parser_peek(parser);
  bool fits =
      token->kind == AP_TOKEN_STRING || (statement->is_version && token->kind == AP_TOKEN_NUMBER);
  if (!fits) {
    return ap_parser_expected(parser, statement->is_version ? "a number" : "a 'timestamp'", NULL,
                              0);
  }
  ap_parser_take(parser);
  statement->value = token->kind == AP_TOKEN_STRING ? token->value : token->source;
  return ap_parser_take_end(parser, "the end of the statement");
}

/* PREPARE name [(types)] AS statement */
ap_status ap_statement_parse_prepare(struct ap_statement_parser *parser) {
  struct ap_statement *statement = parser->statement;
  ap_parser_take(parser);
  statement->kind = AP_STATEMENT_PREPARE;
  AP_TRY(ap_parser_take_name(parser, 1, "a name for the statement", &statement->name));
  if (!ap_parser_take_word(parser, "AS")) return ap_parser_expected(parser, "AS", NULL, 0);
  if (ap_parser_done(parser)) return ap_parser_expected(parser, "a statement", NULL, 0);
  statement->body = ap_parser_rest(parser);
  return AP_OK;
}

/* [name :=] expression, up to a comma or the closing parenthesis. */
static ap_status take_argument(struct ap_statement_parser *parser,
                               struct ap_statement_option *out_argument) {
  *out_argument = (struct ap_statement_option){.name = {0}};
  if (ap_token_is_name(ap_parser_peek(parser)) &&
      ap_token_is_symbol(ap_parser_peek_at(parser, 1), ':') &&
      ap_token_is_symbol(ap_parser_peek_at(parser, 2), '=')) {
    out_argument->name = ap_parser_take(parser)->value;
    ap_parser_take(parser);
    ap_parser_take(parser);
  }
  const struct ap_token *first = ap_parser_peek(parser);
  const struct ap_token *last = NULL;
  size_t depth = 0;
  for (;;) {
    const struct ap_token *token = ap_parser_peek(parser);
    bool closes = ap_token_is_symbol(token, ')') || ap_token_is_symbol(token, ']') ||
                  ap_token_is_symbol(token, '}');
    if (token->kind == AP_TOKEN_END) return ap_parser_expected(parser, ", or )", NULL, 0);
    if (depth == 0 && (closes || ap_token_is_symbol(token, ','))) break;
    if (ap_token_is_symbol(token, '(') || ap_token_is_symbol(token, '[') ||
        ap_token_is_symbol(token, '{')) {
      depth++;
    }
    if (closes) depth--;
    last = ap_parser_take(parser);
  }
  if (!last) return ap_parser_expected(parser, "a value", NULL, 0);
  out_argument->value = source_between(first, last);
  return AP_OK;
}

/* EXECUTE name [(values)] */
ap_status ap_statement_parse_execute(struct ap_statement_parser *parser) {
  struct ap_statement *statement = parser->statement;
  ap_parser_take(parser);
  statement->kind = AP_STATEMENT_EXECUTE;
  AP_TRY(ap_parser_take_name(parser, 1, "the name of a prepared statement", &statement->name));
  if (ap_parser_take_symbol(parser, '(') && !ap_parser_take_symbol(parser, ')')) {
    struct ap_statement_option *arguments =
        AP_ARENA_ARRAY(parser->arena, struct ap_statement_option, ap_parser_items_max(parser));
    if (!arguments) return AP_FAIL_MEMORY(parser->err);
    do {
      if (statement->option_count == AP_QUERY_PARAMETERS_MAX) {
        return AP_FAIL(parser->err, AP_SYNTAX, "a statement has at most %d parameters",
                       AP_QUERY_PARAMETERS_MAX);
      }
      AP_TRY(take_argument(parser, &arguments[statement->option_count]));
      statement->option_count++;
    } while (ap_parser_take_symbol(parser, ','));
    statement->options = arguments;
    if (!ap_parser_take_symbol(parser, ')')) return ap_parser_expected(parser, ", or )", NULL, 0);
  }
  return ap_parser_take_end(parser, "the end of the statement");
}

/* DEALLOCATE [PREPARE] name | ALL */
ap_status ap_statement_parse_deallocate(struct ap_statement_parser *parser) {
  struct ap_statement *statement = parser->statement;
  ap_parser_take(parser);
  statement->kind = AP_STATEMENT_DEALLOCATE;
  if (ap_token_is_name(ap_parser_peek_at(parser, 1))) (void)ap_parser_take_word(parser, "PREPARE");
  if (!ap_parser_take_word(parser, "ALL")) {
    AP_TRY(ap_parser_take_name(parser, 1, "the name of a prepared statement, or ALL",
                               &statement->name));
  }
  return ap_parser_take_end(parser, "the end of the statement");
}
