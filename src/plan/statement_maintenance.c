/* SPDX-License-Identifier: Apache-2.0
 *
 * OPTIMIZE, VACUUM, CHECK and ANALYZE of a frame. Thread: the arena's.
 */
#include "plan/statement_parser.h"

#include "base/limits.h"

#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

/* The verb, FRAME or TABLE when a name follows it, and the frame's name. */
static ap_status take_frame(struct ap_statement_parser *parser, enum ap_statement_kind kind) {
  ap_parser_take(parser);
  parser->statement->kind = kind;
  parser->statement->maintenance = (struct ap_statement_maintenance){.retain_ms = -1};
  const struct ap_token *word = ap_parser_peek(parser);
  if ((ap_token_is(word, "FRAME") || ap_token_is(word, "TABLE")) &&
      ap_token_is_name(ap_parser_peek_at(parser, 1))) {
    ap_parser_take(parser);
  }
  return ap_parser_take_name(parser, 3, "the name of a frame", &parser->statement->name);
}

/* WHERE and all up to ZORDER BY or the end. */
static void take_condition(struct ap_statement_parser *parser) {
  struct ap_text rest = ap_parser_rest(parser);
  const struct ap_token *last = NULL;
  while (!ap_parser_done(parser) && !(ap_token_is(ap_parser_peek(parser), "ZORDER") &&
                                      ap_token_is(ap_parser_peek_at(parser, 1), "BY"))) {
    last = ap_parser_take(parser);
  }
  if (!last) return;
  size_t size = (size_t)(last->source.data + last->source.size - rest.data);
  parser->statement->maintenance.condition = (struct ap_text){rest.data, size};
}

/* (a, b) or a, b */
static ap_status take_order(struct ap_statement_parser *parser) {
  size_t most = ap_parser_items_max(parser);
  struct ap_text *columns = AP_ARENA_ARRAY(parser->arena, struct ap_text, most);
  if (!columns) return AP_FAIL_MEMORY(parser->err);
  bool enclosed = ap_parser_take_symbol(parser, '(');
  uint32_t count = 0;
  do {
    AP_TRY(ap_parser_take_part(parser, "the name of a column", &columns[count]));
    count++;
  } while (ap_parser_take_symbol(parser, ','));
  if (enclosed && !ap_parser_take_symbol(parser, ')')) {
    return ap_parser_expected(parser, ", or )", NULL, 0);
  }
  parser->statement->maintenance.order_by = columns;
  parser->statement->maintenance.order_by_count = count;
  return AP_OK;
}

ap_status ap_statement_parse_optimize(struct ap_statement_parser *parser) {
  static const char *const words[] = {"FULL", "WHERE", "ZORDER"};
  AP_TRY(take_frame(parser, AP_STATEMENT_OPTIMIZE));
  struct ap_statement_maintenance *maintenance = &parser->statement->maintenance;
  maintenance->full = ap_parser_take_word(parser, "FULL");
  if (ap_parser_take_word(parser, "WHERE")) {
    take_condition(parser);
    if (maintenance->condition.size == 0) {
      return ap_parser_expected(parser, "a condition", NULL, 0);
    }
  }
  if (ap_parser_take_word(parser, "ZORDER")) {
    if (!ap_parser_take_word(parser, "BY")) {
      return ap_parser_expected(parser, "BY behind ZORDER", NULL, 0);
    }
    AP_TRY(take_order(parser));
  }
  return ap_parser_done(parser)
             ? AP_OK
             : ap_parser_expected(parser, "FULL, WHERE, ZORDER BY or the end of the statement",
                                  words, COUNT_OF(words));
}

/* RETAIN n MINUTES | HOURS | DAYS; n in digits, with a fraction if need be. */
static ap_status take_retention(struct ap_statement_parser *parser) {
  static const struct {
    const char *word;
    int64_t unit_ms;
  } units[] = {{"MINUTES", 60000}, {"MINUTE", 60000},  {"HOURS", 3600000},
               {"HOUR", 3600000},  {"DAYS", 86400000}, {"DAY", 86400000}};
  const struct ap_token *token = ap_parser_peek(parser);
  int64_t number = 0;
  if (token->kind != AP_TOKEN_NUMBER || !ap_text_parse_i64(token->source, &number) || number < 0) {
    return ap_parser_expected(parser, "a whole number behind RETAIN", NULL, 0);
  }
  ap_parser_take(parser);
  const char *words[COUNT_OF(units)];
  for (size_t i = 0; i < COUNT_OF(units); i++) {
    words[i] = units[i].word;
    if (!ap_parser_take_word(parser, units[i].word)) continue;
    if (__builtin_mul_overflow(number, units[i].unit_ms,
                               &parser->statement->maintenance.retain_ms)) {
      return AP_FAIL(parser->err, AP_SYNTAX, "RETAIN %lld %s is too long", (long long)number,
                     units[i].word);
    }
    return AP_OK;
  }
  return ap_parser_expected(parser, "HOURS, DAYS or MINUTES", words, COUNT_OF(words));
}

ap_status ap_statement_parse_vacuum(struct ap_statement_parser *parser) {
  static const char *const words[] = {"RETAIN", "DRY"};
  AP_TRY(take_frame(parser, AP_STATEMENT_VACUUM));
  if (ap_parser_take_word(parser, "RETAIN")) AP_TRY(take_retention(parser));
  if (ap_parser_take_word(parser, "DRY")) {
    if (!ap_parser_take_word(parser, "RUN")) {
      return ap_parser_expected(parser, "RUN behind DRY", NULL, 0);
    }
    parser->statement->maintenance.dry_run = true;
  }
  return ap_parser_done(parser) ? AP_OK
                                : ap_parser_expected(parser,
                                                     "RETAIN, DRY RUN or the end of the "
                                                     "statement",
                                                     words, COUNT_OF(words));
}

ap_status ap_statement_parse_check(struct ap_statement_parser *parser) {
  static const char *const words[] = {"QUICK"};
  AP_TRY(take_frame(parser, AP_STATEMENT_CHECK));
  parser->statement->maintenance.quick = ap_parser_take_word(parser, "QUICK");
  return ap_parser_done(parser) ? AP_OK
                                : ap_parser_expected(parser, "QUICK or the end of the statement",
                                                     words, COUNT_OF(words));
}

ap_status ap_statement_parse_analyze(struct ap_statement_parser *parser) {
  AP_TRY(take_frame(parser, AP_STATEMENT_ANALYZE));
  /* Spark's words for what ANALYZE does */
  if (ap_parser_take_word(parser, "COMPUTE")) {
    static const char *const words[] = {"STATISTICS"};
    if (!ap_parser_take_word(parser, "STATISTICS")) {
      return ap_parser_expected(parser, "STATISTICS", words, 1);
    }
    if (ap_parser_take_word(parser, "FOR")) {
      (void)ap_parser_take_word(parser, "ALL");
      (void)ap_parser_take_word(parser, "COLUMNS");
    }
  }
  return ap_parser_take_end(parser, "the end of the statement");
}
