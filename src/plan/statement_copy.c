/* SPDX-License-Identifier: Apache-2.0
 *
 * COPY frame FROM 'files' | ('a', 'b'), COPY frame | (query) TO 'file', both with options:
 * (FORMAT csv, HEADER, DELIMITER ';'). Which options there are is not known here.
 * Thread: the arena's.
 */
#include "base/limits.h"
#include "plan/statement_parser.h"

/* 'path' | ('path', ..) */
static ap_status take_paths(struct ap_statement_parser *parser, bool several) {
  struct ap_statement *statement = parser->statement;
  bool listed = several && ap_parser_take_symbol(parser, '(');
  struct ap_text *paths =
      AP_ARENA_ARRAY(parser->arena, struct ap_text, ap_parser_items_max(parser));
  if (!paths) return AP_FAIL_MEMORY(parser->err);
  do {
    const struct ap_token *token = ap_parser_peek(parser);
    if (token->kind != AP_TOKEN_STRING || token->value.size == 0) {
      return ap_parser_expected(parser, "a 'path' in quotes", NULL, 0);
    }
    paths[statement->path_count++] = ap_parser_take(parser)->value;
  } while (listed && ap_parser_take_symbol(parser, ','));
  statement->paths = paths;
  if (listed && !ap_parser_take_symbol(parser, ')')) {
    return ap_parser_expected(parser, ", or )", NULL, 0);
  }
  return AP_OK;
}

/* name [value]; a value is one word, number or text. */
static ap_status take_option(struct ap_statement_parser *parser,
                             struct ap_statement_option *out_option) {
  *out_option = (struct ap_statement_option){.name = {0}};
  AP_TRY(ap_parser_take_part(parser, "the name of an option", &out_option->name));
  const struct ap_token *token = ap_parser_peek(parser);
  if (ap_token_is_symbol(token, ',') || ap_token_is_symbol(token, ')')) return AP_OK;
  if (token->kind != AP_TOKEN_STRING && token->kind != AP_TOKEN_WORD &&
      token->kind != AP_TOKEN_NUMBER && token->kind != AP_TOKEN_QUOTED) {
    return ap_parser_expected(parser, "the value of the option", NULL, 0);
  }
  ap_parser_take(parser);
  out_option->has_value = true;
  out_option->value = token->kind == AP_TOKEN_NUMBER ? token->source : token->value;
  return AP_OK;
}

static ap_status take_options(struct ap_statement_parser *parser) {
  static const char *const words[] = {"WITH"};
  struct ap_statement *statement = parser->statement;
  bool with = ap_parser_take_word(parser, "WITH");
  if (!with && ap_parser_done(parser)) return AP_OK;
  if (!ap_parser_take_symbol(parser, '(')) {
    return ap_parser_expected(parser, "( and options, or the end of the statement", words, 1);
  }
  struct ap_statement_option *options =
      AP_ARENA_ARRAY(parser->arena, struct ap_statement_option, ap_parser_items_max(parser));
  if (!options) return AP_FAIL_MEMORY(parser->err);
  do {
    AP_TRY(take_option(parser, &options[statement->option_count]));
    statement->option_count++;
  } while (ap_parser_take_symbol(parser, ','));
  statement->options = options;
  if (!ap_parser_take_symbol(parser, ')')) return ap_parser_expected(parser, ", or )", NULL, 0);
  return ap_parser_take_end(parser, "the end of the statement");
}

/* (query): the text between its parentheses. */
static ap_status take_query(struct ap_statement_parser *parser) {
  ap_parser_take(parser);
  const struct ap_token *first = ap_parser_peek(parser);
  const struct ap_token *last = NULL;
  size_t depth = 1;
  if (!ap_token_begins_query(first)) {
    return ap_parser_expected(parser, "a query behind COPY (", NULL, 0);
  }
  for (;;) {
    const struct ap_token *token = ap_parser_peek(parser);
    if (token->kind == AP_TOKEN_END) return ap_parser_expected(parser, ")", NULL, 0);
    if (ap_token_is_symbol(token, '(')) depth++;
    if (ap_token_is_symbol(token, ')') && --depth == 0) break;
    last = ap_parser_take(parser);
  }
  ap_parser_take(parser);
  const char *end = last->source.data + last->source.size;
  parser->statement->body =
      (struct ap_text){first->source.data, (size_t)(end - first->source.data)};
  return AP_OK;
}

ap_status ap_statement_parse_copy(struct ap_statement_parser *parser) {
  static const char *const words[] = {"FROM", "TO"};
  struct ap_statement *statement = parser->statement;
  ap_parser_take(parser);
  bool is_query = ap_token_is_symbol(ap_parser_peek(parser), '(');
  if (is_query) {
    AP_TRY(take_query(parser));
  } else {
    AP_TRY(ap_parser_take_name(parser, 3, "the name of a frame, or (query)", &statement->name));
  }
  bool is_from = !is_query && ap_parser_take_word(parser, "FROM");
  if (!is_from && !ap_parser_take_word(parser, "TO")) {
    return ap_parser_expected(parser, is_query ? "TO" : "FROM or TO", words, 2);
  }
  statement->kind = is_from ? AP_STATEMENT_COPY_FROM : AP_STATEMENT_COPY_TO;
  AP_TRY(take_paths(parser, is_from));
  return take_options(parser);
}
