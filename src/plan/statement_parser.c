/* SPDX-License-Identifier: Apache-2.0
 *
 * The tokens of one statement, one at a time, and the errors that name their places.
 * Thread: the arena's.
 */
#include "plan/statement_parser.h"

#include "base/assert.h"

bool ap_token_is(const struct ap_token *token, const char *keyword) {
  return token->kind == AP_TOKEN_WORD &&
         ap_text_equal_ignoring_case(token->value, ap_text_of(keyword));
}

bool ap_token_is_symbol(const struct ap_token *token, char symbol) {
  return token->kind == AP_TOKEN_SYMBOL && token->source.data[0] == symbol;
}

bool ap_token_is_name(const struct ap_token *token) {
  return token->kind == AP_TOKEN_WORD || token->kind == AP_TOKEN_QUOTED;
}

const struct ap_token *ap_parser_peek_at(const struct ap_statement_parser *parser, size_t ahead) {
  static const struct ap_token end = {.kind = AP_TOKEN_END};
  size_t index = parser->at + ahead;
  return index < parser->count ? &parser->tokens[index] : &end;
}

const struct ap_token *ap_parser_peek(const struct ap_statement_parser *parser) {
  return ap_parser_peek_at(parser, 0);
}

const struct ap_token *ap_parser_take(struct ap_statement_parser *parser) {
  const struct ap_token *token = ap_parser_peek(parser);
  if (parser->at < parser->count) parser->at++;
  return token;
}

bool ap_parser_take_word(struct ap_statement_parser *parser, const char *keyword) {
  bool found = ap_token_is(ap_parser_peek(parser), keyword);
  if (found) ap_parser_take(parser);
  return found;
}

bool ap_parser_take_symbol(struct ap_statement_parser *parser, char symbol) {
  bool found = ap_token_is_symbol(ap_parser_peek(parser), symbol);
  if (found) ap_parser_take(parser);
  return found;
}

bool ap_parser_done(const struct ap_statement_parser *parser) {
  return parser->at == parser->count;
}

struct ap_text ap_parser_rest(const struct ap_statement_parser *parser) {
  if (ap_parser_done(parser)) return (struct ap_text){0};
  struct ap_text first = parser->tokens[parser->at].source;
  struct ap_text last = parser->tokens[parser->count - 1].source;
  return (struct ap_text){first.data, (size_t)(last.data + last.size - first.data)};
}

ap_status ap_parser_expected(struct ap_statement_parser *parser, const char *what,
                             const char *const *words, size_t word_count) {
  AP_ASSERT(parser->count > 0);
  const struct ap_token *token = ap_parser_peek(parser);
  const struct ap_text last = parser->tokens[parser->count - 1].source;
  bool ended = token->kind == AP_TOKEN_END;
  const char *at = ended ? last.data + last.size : token->source.data;
  unsigned line;
  unsigned column;
  ap_sql_place(parser->sql, (size_t)(at - parser->sql.data), &line, &column);
  ap_status status;
  if (ended) {
    status = AP_FAIL(parser->err, AP_SYNTAX,
                     "line %u, column %u: expected %s, found the end of the statement", line,
                     column, what);
  } else {
    status =
        AP_FAIL(parser->err, AP_SYNTAX, "line %u, column %u: expected %s, found %.*s", line, column,
                what, token->source.size > 80 ? 80 : (int)token->source.size, token->source.data);
  }
  ap_error_position(parser->err, (uint64_t)(at - parser->sql.data));
  const char *nearest = NULL;
  if (token->kind == AP_TOKEN_WORD) nearest = ap_text_nearest(token->value, words, word_count);
  if (nearest) ap_error_hint(parser->err, "did you mean %s?", nearest);
  return status;
}

ap_status ap_parser_take_end(struct ap_statement_parser *parser, const char *expected) {
  return ap_parser_done(parser) ? AP_OK : ap_parser_expected(parser, expected, NULL, 0);
}

ap_status ap_parser_take_part(struct ap_statement_parser *parser, const char *what,
                              struct ap_text *out_part) {
  const struct ap_token *token = ap_parser_peek(parser);
  if (!ap_token_is_name(token)) return ap_parser_expected(parser, what, NULL, 0);
  if (token->value.size == 0)
    return ap_parser_expected(parser, "a name that is not empty", NULL, 0);
  *out_part = ap_parser_take(parser)->value;
  return AP_OK;
}

ap_status ap_parser_take_name(struct ap_statement_parser *parser, uint32_t parts_max,
                              const char *what, struct ap_name *out_name) {
  *out_name = (struct ap_name){.count = 0};
  do {
    if (out_name->count == parts_max) {
      parser->at--; /* the point that is one too many */
      return ap_parser_expected(parser, parts_max == 1 ? "a name of one part" : "no more parts",
                                NULL, 0);
    }
    AP_TRY(ap_parser_take_part(parser, what, &out_name->parts[out_name->count]));
    out_name->count++;
  } while (ap_parser_take_symbol(parser, '.'));
  return AP_OK;
}

size_t ap_parser_items_max(const struct ap_statement_parser *parser) {
  size_t count = 1;
  for (size_t i = parser->at; i < parser->count; i++) {
    if (ap_token_is_symbol(&parser->tokens[i], ',')) count++;
  }
  return count;
}
