/* SPDX-License-Identifier: Apache-2.0
 *
 * SHOW CHANGES. Thread: the arena's.
 */
#include "plan/statement_parser.h"

static ap_status take_version(struct ap_statement_parser *parser, int64_t *out_version) {
  const struct ap_token *token = ap_parser_peek(parser);
  if (token->kind != AP_TOKEN_NUMBER || !ap_text_parse_i64(token->source, out_version) ||
      *out_version < 0) {
    return ap_parser_expected(parser, "a version: a whole number", NULL, 0);
  }
  ap_parser_take(parser);
  return AP_OK;
}

/* VERSION n | TIMESTAMP 't' */
static ap_status take_moment(struct ap_statement_parser *parser, int64_t *out_version,
                             struct ap_text *out_time) {
  static const char *const words[] = {"VERSION", "TIMESTAMP"};
  if (ap_parser_take_word(parser, "VERSION")) return take_version(parser, out_version);
  if (ap_parser_take_word(parser, "TIMESTAMP")) {
    return ap_parser_take_string(parser, "a 'timestamp'", out_time);
  }
  return ap_parser_expected(parser, "VERSION n or TIMESTAMP 't'", words, 2);
}

/* SHOW CHANGES IN f FROM VERSION n | TIMESTAMP 't' [TO VERSION n | TIMESTAMP 't'] */
ap_status ap_statement_parse_changes(struct ap_statement_parser *parser) {
  static const char *const words[] = {"IN", "FOR", "OF"};
  struct ap_statement_changes *changes = AP_ARENA_NEW(parser->arena, struct ap_statement_changes);
  if (!changes) return AP_FAIL_MEMORY(parser->err);
  *changes = (struct ap_statement_changes){.from_version = -1, .to_version = -1};
  parser->statement->kind = AP_STATEMENT_SHOW_CHANGES;
  parser->statement->changes = changes;
  if (!ap_parser_take_word(parser, "IN") && !ap_parser_take_word(parser, "FOR") &&
      !ap_parser_take_word(parser, "OF")) {
    return ap_parser_expected(parser, "IN and the name of a frame", words, 3);
  }
  AP_TRY(ap_parser_take_name(parser, 3, "the name of a frame", &parser->statement->name));
  if (!ap_parser_take_word(parser, "FROM")) {
    return ap_parser_expected(parser, "FROM VERSION n or FROM TIMESTAMP 't'", NULL, 0);
  }
  AP_TRY(take_moment(parser, &changes->from_version, &changes->from_time));
  if (ap_parser_take_word(parser, "TO")) {
    AP_TRY(take_moment(parser, &changes->to_version, &changes->to_time));
  }
  return ap_parser_take_end(parser, "TO or the end of the statement");
}
