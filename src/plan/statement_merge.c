/* SPDX-License-Identifier: Apache-2.0
 *
 * MERGE INTO: the source, the condition, and the clauses in their order.
 * Thread: the arena's.
 */
#include "plan/statement_change_parser.h"

#include "base/limits.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

/* ---- the source ------------------------------------------------------------------------------ */

/* What the source is called: the word behind AS, or the last name at the top level, unless it
 * belongs to a clause about the past. */
static struct ap_text name_source(const struct ap_statement_parser *parser, size_t first,
                                  size_t end) {
  struct ap_text found = {0};
  size_t depth = 0;
  for (size_t i = first; i < end; i++) {
    const struct ap_token *token = &parser->tokens[i];
    if (ap_token_is_symbol(token, '(')) depth++;
    if (ap_token_is_symbol(token, ')')) depth--;
    if (depth > 0 || !ap_token_is_name(token)) continue;
    const struct ap_token *next = i + 1 < end ? &parser->tokens[i + 1] : NULL;
    bool past =
        token->kind == AP_TOKEN_WORD && next &&
        ((ap_token_is(token, "AT") && ap_token_is_symbol(next, '(')) || ap_token_is(token, "OF") ||
         ((ap_token_is(token, "VERSION") || ap_token_is(token, "TIMESTAMP")) &&
          ap_token_is(next, "AS")) ||
         (ap_token_is(token, "AS") && ap_token_is(next, "OF")));
    if (past) return found;
    if (!ap_token_is(token, "AS")) found = token->value;
  }
  return found;
}

static ap_status take_source(struct ap_statement_parser *parser) {
  static const char *const stops[] = {"ON", "USING", "WHEN", NULL};
  static const char *const whens[] = {"WHEN", NULL};
  static const char *const words[] = {"ON", "USING"};
  struct ap_change_statement *change = parser->change;
  size_t first = parser->at;
  AP_TRY(
      ap_change_take_expression(parser, "the source: a frame or a (query)", stops, &change->from));
  change->source_name = name_source(parser, first, parser->at);
  if (ap_parser_take_word(parser, "USING")) {
    return ap_change_take_columns(parser, &change->using_columns, &change->using_count);
  }
  if (!ap_parser_take_word(parser, "ON")) {
    return ap_parser_expected(parser, "ON and the condition", words, COUNT_OF(words));
  }
  return ap_change_take_expression(parser, "a condition", whens, &change->where);
}

/* ---- clauses --------------------------------------------------------------------------------- */

static const char *const clause_stops[] = {",", "WHEN", NULL};

/* MATCHED | NOT MATCHED [BY TARGET | BY SOURCE] */
static ap_status take_when(struct ap_statement_parser *parser, struct ap_merge_clause *clause) {
  static const char *const words[] = {"MATCHED", "NOT"};
  static const char *const sides[] = {"TARGET", "SOURCE"};
  bool negated = ap_parser_take_word(parser, "NOT");
  if (!ap_parser_take_word(parser, "MATCHED")) {
    return ap_parser_expected(parser, "MATCHED or NOT MATCHED", words, COUNT_OF(words));
  }
  clause->when = negated ? AP_MERGE_NOT_MATCHED : AP_MERGE_MATCHED;
  if (!negated || !ap_parser_take_word(parser, "BY")) return AP_OK;
  if (ap_parser_take_word(parser, "SOURCE")) {
    clause->when = AP_MERGE_NOT_MATCHED_BY_SOURCE;
  } else if (!ap_parser_take_word(parser, "TARGET")) {
    return ap_parser_expected(parser, "TARGET or SOURCE", sides, COUNT_OF(sides));
  }
  return AP_OK;
}

/* UPDATE SET * | UPDATE SET column = expression, ... */
static ap_status take_update(struct ap_statement_parser *parser, struct ap_merge_clause *clause) {
  static const char *const words[] = {"SET"};
  clause->action = AP_MERGE_UPDATE;
  if (!ap_parser_take_word(parser, "SET")) return ap_parser_expected(parser, "SET", words, 1);
  if (ap_parser_take_symbol(parser, '*')) {
    clause->all_columns = true;
    return AP_OK;
  }
  return ap_change_take_sets(parser, clause_stops, &clause->sets, &clause->set_count);
}

/* (value, ...) for the columns named, or in order. */
static ap_status take_values(struct ap_statement_parser *parser, const struct ap_text *columns,
                             uint32_t column_count, struct ap_merge_clause *clause) {
  static const char *const stops[] = {",", NULL};
  struct ap_change_set *sets =
      AP_ARENA_ARRAY(parser->arena, struct ap_change_set, ap_parser_items_max(parser) + 1);
  if (!sets) return AP_FAIL_MEMORY(parser->err);
  if (!ap_parser_take_symbol(parser, '(')) {
    return ap_parser_expected(parser, "( and the values", NULL, 0);
  }
  uint32_t count = 0;
  do {
    struct ap_change_set *set = &sets[count];
    size_t before = parser->at;
    AP_TRY(ap_change_take_expression(parser, "a value", stops, &set->expression));
    set->place = parser->tokens[before].source;
    if (parser->at == before + 1 && ap_token_is(&parser->tokens[before], "DEFAULT")) {
      set->expression = (struct ap_text){0};
    }
    if (clause->has_columns && count < column_count) set->column = columns[count];
    count++;
  } while (ap_parser_take_symbol(parser, ','));
  if (!ap_parser_take_symbol(parser, ')')) return ap_parser_expected(parser, ", or )", NULL, 0);
  if (clause->has_columns && count != column_count) {
    return AP_FAIL(parser->err, AP_SYNTAX, "INSERT names %u columns and gives %u values",
                   column_count, count);
  }
  clause->sets = sets;
  clause->set_count = count;
  return AP_OK;
}

/* INSERT * | INSERT [(columns)] VALUES (values) */
static ap_status take_insert(struct ap_statement_parser *parser, struct ap_merge_clause *clause) {
  static const char *const words[] = {"VALUES"};
  const struct ap_text *columns = NULL;
  uint32_t column_count = 0;
  clause->action = AP_MERGE_INSERT;
  if (ap_parser_take_symbol(parser, '*')) {
    clause->all_columns = true;
    return AP_OK;
  }
  if (ap_token_is_symbol(ap_parser_peek(parser), '(')) {
    clause->has_columns = true;
    AP_TRY(ap_change_take_columns(parser, &columns, &column_count));
  }
  if (!ap_parser_take_word(parser, "VALUES")) {
    return ap_parser_expected(parser, "VALUES, ( or *", words, 1);
  }
  return take_values(parser, columns, column_count, clause);
}

static ap_status take_action(struct ap_statement_parser *parser, struct ap_merge_clause *clause) {
  static const char *const words[] = {"UPDATE", "DELETE", "INSERT", "DO"};
  static const char *const nothing[] = {"NOTHING"};
  bool can_insert = clause->when == AP_MERGE_NOT_MATCHED;
  if (ap_parser_take_word(parser, "DO")) {
    clause->action = AP_MERGE_NOTHING;
    if (ap_parser_take_word(parser, "NOTHING")) return AP_OK;
    return ap_parser_expected(parser, "NOTHING", nothing, 1);
  }
  if (can_insert && ap_parser_take_word(parser, "INSERT")) return take_insert(parser, clause);
  if (!can_insert && ap_parser_take_word(parser, "UPDATE")) return take_update(parser, clause);
  if (!can_insert && ap_parser_take_word(parser, "DELETE")) {
    clause->action = AP_MERGE_DELETE;
    return AP_OK;
  }
  return ap_parser_expected(parser,
                            can_insert ? "INSERT or DO NOTHING" : "UPDATE, DELETE or DO NOTHING",
                            words, COUNT_OF(words));
}

static ap_status take_clause(struct ap_statement_parser *parser, struct ap_merge_clause *clause) {
  static const char *const thens[] = {"THEN", NULL};
  static const char *const words[] = {"AND", "THEN"};
  AP_TRY(take_when(parser, clause));
  if (ap_parser_take_word(parser, "AND")) {
    AP_TRY(ap_change_take_expression(parser, "a condition", thens, &clause->condition));
  }
  if (!ap_parser_take_word(parser, "THEN")) {
    return ap_parser_expected(parser, "AND or THEN", words, COUNT_OF(words));
  }
  return take_action(parser, clause);
}

/* MERGE INTO f [AS a] USING source ON condition WHEN ... */
ap_status ap_statement_parse_merge(struct ap_statement_parser *parser) {
  static const char *const stops[] = {"USING", NULL};
  static const char *const into[] = {"INTO"};
  static const char *const when[] = {"WHEN"};
  ap_parser_take(parser);
  parser->statement->kind = AP_STATEMENT_MERGE;
  AP_TRY(ap_change_begin(parser));
  if (!ap_parser_take_word(parser, "INTO")) return ap_parser_expected(parser, "INTO", into, 1);
  AP_TRY(ap_change_take_target(parser, stops));
  if (!ap_parser_take_word(parser, "USING")) {
    return ap_parser_expected(parser, "USING and the source", stops, 1);
  }
  AP_TRY(take_source(parser));
  struct ap_merge_clause *clauses =
      AP_ARENA_ARRAY(parser->arena, struct ap_merge_clause, AP_MERGE_CLAUSES_MAX);
  if (!clauses) return AP_FAIL_MEMORY(parser->err);
  uint32_t count = 0;
  while (ap_parser_take_word(parser, "WHEN")) {
    if (count == AP_MERGE_CLAUSES_MAX) {
      return AP_FAIL(parser->err, AP_SYNTAX, "a MERGE has at most %d WHEN clauses",
                     AP_MERGE_CLAUSES_MAX);
    }
    AP_TRY(take_clause(parser, &clauses[count]));
    count++;
  }
  parser->change->clauses = clauses;
  parser->change->clause_count = count;
  if (count == 0) return ap_parser_expected(parser, "WHEN", when, 1);
  return ap_parser_take_end(parser, "WHEN or the end of the statement");
}
