/* SPDX-License-Identifier: Apache-2.0
 *
 * INSERT, DELETE, UPDATE and TRUNCATE, and where transactions begin and end. What an expression is
 * is the engine's to say: here it is the text up to the next comma or word of the statement outside
 * of parentheses, brackets and CASE.
 * Thread: the arena's.
 */
#include "plan/statement_change.h"

#include "base/limits.h"
#include "plan/statement_change_parser.h"

#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

/* ---- pieces of text -------------------------------------------------------------------------- */

static bool is_opening(const struct ap_token *token) {
  return token->kind == AP_TOKEN_SYMBOL && strchr("([{", token->source.data[0]) != NULL;
}

static bool is_closing(const struct ap_token *token) {
  return token->kind == AP_TOKEN_SYMBOL && strchr(")]}", token->source.data[0]) != NULL;
}

static bool is_stop(const struct ap_statement_parser *parser, const char *const *stops) {
  const struct ap_token *token = ap_parser_peek(parser);
  for (size_t i = 0; stops[i] != NULL; i++) {
    if (stops[i][0] == ',' ? ap_token_is_symbol(token, ',') : ap_token_is(token, stops[i])) {
      /* IS [NOT] DISTINCT FROM */
      bool distinct = parser->at > 0 && strcmp(stops[i], "FROM") == 0 &&
                      ap_token_is(&parser->tokens[parser->at - 1], "DISTINCT");
      if (!distinct) return true;
    }
  }
  return false;
}

/* A name behind a point is no word of the statement: s.from, s."end". */
static bool is_member(const struct ap_statement_parser *parser) {
  return parser->at > 0 && ap_token_is_symbol(&parser->tokens[parser->at - 1], '.');
}

struct ap_text ap_change_take_until(struct ap_statement_parser *parser, const char *const *stops) {
  size_t first = parser->at;
  size_t depth = 0;
  size_t cases = 0;
  while (!ap_parser_done(parser)) {
    const struct ap_token *token = ap_parser_peek(parser);
    if (depth == 0 &&
        (is_closing(token) || (cases == 0 && !is_member(parser) && is_stop(parser, stops)))) {
      break;
    }
    if (is_opening(token)) depth++;
    if (is_closing(token)) depth--;
    if (ap_token_is(token, "CASE") && !is_member(parser)) cases++;
    if (ap_token_is(token, "END") && !is_member(parser) && cases > 0) cases--;
    ap_parser_take(parser);
  }
  if (parser->at == first) return (struct ap_text){0};
  struct ap_text begin = parser->tokens[first].source;
  struct ap_text end = parser->tokens[parser->at - 1].source;
  return (struct ap_text){begin.data, (size_t)(end.data + end.size - begin.data)};
}

ap_status ap_change_take_expression(struct ap_statement_parser *parser, const char *what,
                                    const char *const *stops, struct ap_text *out_text) {
  *out_text = ap_change_take_until(parser, stops);
  return out_text->size > 0 ? AP_OK : ap_parser_expected(parser, what, NULL, 0);
}

/* (a, b, c) */
ap_status ap_change_take_columns(struct ap_statement_parser *parser,
                                 const struct ap_text **out_columns, uint32_t *out_count) {
  if (!ap_parser_take_symbol(parser, '(')) {
    return ap_parser_expected(parser, "( and the names of columns", NULL, 0);
  }
  struct ap_text *columns =
      AP_ARENA_ARRAY(parser->arena, struct ap_text, ap_parser_items_max(parser));
  if (!columns) return AP_FAIL_MEMORY(parser->err);
  uint32_t count = 0;
  do {
    if (count == AP_COLUMNS_MAX) {
      return AP_FAIL(parser->err, AP_SYNTAX, "a frame has at most %d columns", AP_COLUMNS_MAX);
    }
    AP_TRY(ap_parser_take_part(parser, "the name of a column", &columns[count]));
    count++;
  } while (ap_parser_take_symbol(parser, ','));
  if (!ap_parser_take_symbol(parser, ')')) return ap_parser_expected(parser, ", or )", NULL, 0);
  *out_columns = columns;
  *out_count = count;
  return AP_OK;
}

static bool is_one_of(const struct ap_token *token, const char *const *words) {
  for (size_t i = 0; words[i] != NULL; i++) {
    if (ap_token_is(token, words[i])) return true;
  }
  return false;
}

ap_status ap_change_take_target(struct ap_statement_parser *parser, const char *const *stops) {
  const struct ap_token *token = ap_parser_peek(parser);
  if ((ap_token_is(token, "TABLE") || ap_token_is(token, "FRAME") || ap_token_is(token, "ONLY")) &&
      ap_token_is_name(ap_parser_peek_at(parser, 1)) &&
      !is_one_of(ap_parser_peek_at(parser, 1), stops)) {
    ap_parser_take(parser);
  }
  AP_TRY(ap_parser_take_name(parser, 3, "the name of a frame", &parser->statement->name));
  struct ap_change_statement *change = parser->change;
  if (ap_parser_take_word(parser, "AS")) {
    return ap_parser_take_part(parser, "another name for the frame", &change->alias);
  }
  token = ap_parser_peek(parser);
  if (ap_token_is_name(token) && (token->kind == AP_TOKEN_QUOTED || !is_one_of(token, stops))) {
    change->alias = ap_parser_take(parser)->value;
  }
  return AP_OK;
}

static ap_status refuse_returning(struct ap_statement_parser *parser) {
  if (!ap_token_is(ap_parser_peek(parser), "RETURNING")) return AP_OK;
  ap_status status = AP_FAIL(parser->err, AP_UNSUPPORTED, "%.*s ... RETURNING is not supported",
                             AP_TEXT_ARG(parser->statement->head));
  ap_error_hint(parser->err, "read the rows by a SELECT of their own, within BEGIN and COMMIT");
  return status;
}

/* ---- INSERT ---------------------------------------------------------------------------------- */

/* Where DEFAULT stands as a value. */
static ap_status find_defaults(struct ap_statement_parser *parser, size_t end) {
  struct ap_change_default *defaults = NULL;
  uint32_t count = 0;
  size_t depth = 0;
  uint32_t position = 0;
  for (size_t i = parser->at; i < end; i++) {
    const struct ap_token *token = &parser->tokens[i];
    if (is_closing(token)) depth--;
    if (depth == 1 && ap_token_is_symbol(token, ',')) position++;
    if (depth == 1 && ap_token_is(token, "DEFAULT") && i + 1 < end &&
        (ap_token_is_symbol(&parser->tokens[i - 1], '(') ||
         ap_token_is_symbol(&parser->tokens[i - 1], ',')) &&
        (ap_token_is_symbol(&parser->tokens[i + 1], ')') ||
         ap_token_is_symbol(&parser->tokens[i + 1], ','))) {
      if (!defaults) defaults = AP_ARENA_ARRAY(parser->arena, struct ap_change_default, end - i);
      if (!defaults) return AP_FAIL_MEMORY(parser->err);
      defaults[count++] = (struct ap_change_default){token->source, position};
    }
    if (is_opening(token) && depth++ == 0) position = 0;
  }
  parser->change->defaults = defaults;
  parser->change->default_count = count;
  return AP_OK;
}

/* What is asked for behind the rows, at the top level: it is known, and not offered. */
static ap_status refuse_conflict_clause(struct ap_statement_parser *parser) {
  size_t depth = 0;
  for (size_t i = parser->at; i < parser->count; i++) {
    const struct ap_token *token = &parser->tokens[i];
    if (is_opening(token)) depth++;
    if (is_closing(token) && depth > 0) depth--;
    if (depth > 0) continue;
    if (ap_token_is(token, "RETURNING") && i > parser->at) {
      size_t before = parser->at;
      parser->at = i;
      ap_status status = refuse_returning(parser);
      parser->at = before;
      return status;
    }
    if (!ap_token_is(token, "ON") || i + 1 == parser->count ||
        !ap_token_is(&parser->tokens[i + 1], "CONFLICT")) {
      continue;
    }
    ap_status status = AP_FAIL(parser->err, AP_UNSUPPORTED,
                               "INSERT ... ON CONFLICT is not supported: frames have no keys");
    ap_error_hint(parser->err,
                  "say what to match: MERGE INTO f USING s ON f.id = s.id WHEN MATCHED THEN ... "
                  "WHEN NOT MATCHED THEN INSERT *");
    return status;
  }
  return AP_OK;
}

static ap_status take_rows(struct ap_statement_parser *parser) {
  struct ap_change_statement *change = parser->change;
  if (ap_token_is(ap_parser_peek(parser), "DEFAULT") &&
      ap_token_is(ap_parser_peek_at(parser, 1), "VALUES")) {
    parser->at += 2;
    change->default_values = true;
    return ap_parser_take_end(parser, "the end of the statement");
  }
  const struct ap_token *token = ap_parser_peek(parser);
  if (!ap_token_begins_query(token)) {
    static const char *const words[] = {"VALUES", "SELECT", "DEFAULT", "BY", "WITH", "FROM"};
    return ap_parser_expected(parser, "VALUES, a query or DEFAULT VALUES", words, COUNT_OF(words));
  }
  AP_TRY(refuse_conflict_clause(parser));
  if (ap_token_is(token, "VALUES")) AP_TRY(find_defaults(parser, parser->count));
  change->query = ap_parser_rest(parser);
  parser->at = parser->count;
  return AP_OK;
}

static ap_status take_insert_head(struct ap_statement_parser *parser) {
  static const char *const words[] = {"INTO", "OVERWRITE"};
  if (ap_token_is(ap_parser_peek(parser), "OR")) {
    ap_status status =
        AP_FAIL(parser->err, AP_UNSUPPORTED, "INSERT OR ... is not supported: frames have no keys");
    ap_error_hint(parser->err, "say what to match with MERGE INTO");
    return status;
  }
  parser->change->overwrites = ap_parser_take_word(parser, "OVERWRITE");
  if (!ap_parser_take_word(parser, "INTO") && !parser->change->overwrites) {
    return ap_parser_expected(parser, "INTO", words, COUNT_OF(words));
  }
  return AP_OK;
}

/* INSERT INTO | OVERWRITE f [AS a] [(columns)] [BY NAME | BY POSITION] rows */
ap_status ap_statement_parse_insert(struct ap_statement_parser *parser) {
  static const char *const stops[] = {"VALUES", "SELECT", "FROM",    "WITH",      "BY", "DEFAULT",
                                      "TABLE",  "PIVOT",  "UNPIVOT", "SUMMARIZE", NULL};
  ap_parser_take(parser);
  parser->statement->kind = AP_STATEMENT_INSERT;
  AP_TRY(ap_change_begin(parser));
  struct ap_change_statement *change = parser->change;
  AP_TRY(take_insert_head(parser));
  AP_TRY(ap_change_take_target(parser, stops));
  if (ap_token_is_symbol(ap_parser_peek(parser), '(') &&
      !ap_token_begins_query(ap_parser_peek_at(parser, 1))) {
    AP_TRY(ap_change_take_columns(parser, &change->columns, &change->column_count));
  }
  if (ap_parser_take_word(parser, "BY")) {
    static const char *const words[] = {"NAME", "POSITION"};
    change->by_name = ap_parser_take_word(parser, "NAME");
    if (!change->by_name && !ap_parser_take_word(parser, "POSITION")) {
      return ap_parser_expected(parser, "NAME or POSITION", words, COUNT_OF(words));
    }
    if (change->by_name && change->column_count > 0) {
      return AP_FAIL(
          parser->err, AP_SYNTAX,
          "INSERT BY NAME takes the columns from the query, and here they are listed too");
    }
  }
  return take_rows(parser);
}

/* ---- DELETE, UPDATE, TRUNCATE ---------------------------------------------------------------- */

/* [FROM | USING items] [WHERE condition] */
static ap_status take_from_and_where(struct ap_statement_parser *parser, const char *from) {
  static const char *const stops[] = {"WHERE", "RETURNING", NULL};
  static const char *const ends[] = {"RETURNING", NULL};
  const char *words[] = {from, "WHERE"};
  struct ap_change_statement *change = parser->change;
  if (ap_parser_take_word(parser, from)) {
    AP_TRY(ap_change_take_expression(parser, "what else is read", stops, &change->from));
  }
  if (ap_parser_take_word(parser, "WHERE")) {
    AP_TRY(ap_change_take_expression(parser, "a condition", ends, &change->where));
  }
  AP_TRY(refuse_returning(parser));
  if (ap_parser_done(parser)) return AP_OK;
  return ap_parser_expected(parser, "WHERE or the end of the statement", words, COUNT_OF(words));
}

/* DELETE FROM f [AS a] [USING items] [WHERE condition] */
ap_status ap_statement_parse_delete(struct ap_statement_parser *parser) {
  static const char *const stops[] = {"USING", "WHERE", "RETURNING", NULL};
  static const char *const words[] = {"FROM"};
  ap_parser_take(parser);
  parser->statement->kind = AP_STATEMENT_DELETE;
  AP_TRY(ap_change_begin(parser));
  if (!ap_parser_take_word(parser, "FROM")) return ap_parser_expected(parser, "FROM", words, 1);
  AP_TRY(ap_change_take_target(parser, stops));
  return take_from_and_where(parser, "USING");
}

/* [frame.]column */
static ap_status take_set_column(struct ap_statement_parser *parser, struct ap_change_set *set) {
  struct ap_name name;
  const struct ap_token *first = ap_parser_peek(parser);
  AP_TRY(ap_parser_take_name(parser, 3, "the name of a column", &name));
  set->column = name.parts[name.count - 1];
  set->place = first->source;
  if (name.count == 1) return AP_OK;
  const struct ap_statement *statement = parser->statement;
  struct ap_text called = parser->change->alias.size > 0
                              ? parser->change->alias
                              : statement->name.parts[statement->name.count - 1];
  if (ap_text_equal_ignoring_case(name.parts[name.count - 2], called)) return AP_OK;
  ap_status status =
      AP_FAIL(parser->err, AP_UNSUPPORTED,
              "'%.*s.%.*s' is no column of the frame: a part of a column cannot be set by itself",
              AP_TEXT_ARG(name.parts[name.count - 2]), AP_TEXT_ARG(set->column));
  ap_error_hint(parser->err, "set the whole column: c = struct_pack(a := c.a, b := 1)");
  return status;
}

static ap_status take_set_value(struct ap_statement_parser *parser, const char *const *stops,
                                struct ap_change_set *set) {
  size_t before = parser->at;
  AP_TRY(ap_change_take_expression(parser, "an expression", stops, &set->expression));
  if (parser->at == before + 1 && ap_token_is(&parser->tokens[before], "DEFAULT")) {
    set->expression = (struct ap_text){0};
  }
  return AP_OK;
}

static ap_status take_equals(struct ap_statement_parser *parser) {
  return ap_parser_take_symbol(parser, '=') ? AP_OK : ap_parser_expected(parser, "=", NULL, 0);
}

/* (a, b) = (x, y) */
static ap_status take_row_set(struct ap_statement_parser *parser, struct ap_change_set *sets,
                              uint32_t *inout_count) {
  static const char *const stops[] = {",", NULL};
  uint32_t first = *inout_count;
  ap_parser_take(parser);
  do {
    AP_TRY(take_set_column(parser, &sets[(*inout_count)++]));
  } while (ap_parser_take_symbol(parser, ','));
  if (!ap_parser_take_symbol(parser, ')')) return ap_parser_expected(parser, ", or )", NULL, 0);
  AP_TRY(take_equals(parser));
  (void)ap_parser_take_word(parser, "ROW");
  if (!ap_parser_take_symbol(parser, '(')) return ap_parser_expected(parser, "(", NULL, 0);
  if (ap_token_is(ap_parser_peek(parser), "SELECT")) {
    ap_status status =
        AP_FAIL(parser->err, AP_UNSUPPORTED, "a row of columns cannot be set from a subquery");
    ap_error_hint(parser->err, "give each column its own: a = (SELECT ...), b = (SELECT ...)");
    return status;
  }
  for (uint32_t i = first; i < *inout_count; i++) {
    if (i > first && !ap_parser_take_symbol(parser, ',')) {
      return ap_parser_expected(parser, "as many values as columns", NULL, 0);
    }
    AP_TRY(take_set_value(parser, stops, &sets[i]));
  }
  if (!ap_parser_take_symbol(parser, ')')) {
    return ap_parser_expected(parser, "as many values as columns", NULL, 0);
  }
  return AP_OK;
}

ap_status ap_change_take_sets(struct ap_statement_parser *parser, const char *const *stops,
                              const struct ap_change_set **out_sets, uint32_t *out_count) {
  struct ap_change_set *sets =
      AP_ARENA_ARRAY(parser->arena, struct ap_change_set, ap_parser_items_max(parser) + 1);
  if (!sets) return AP_FAIL_MEMORY(parser->err);
  uint32_t count = 0;
  do {
    if (ap_token_is_symbol(ap_parser_peek(parser), '(')) {
      AP_TRY(take_row_set(parser, sets, &count));
      continue;
    }
    AP_TRY(take_set_column(parser, &sets[count]));
    AP_TRY(take_equals(parser));
    AP_TRY(take_set_value(parser, stops, &sets[count]));
    count++;
  } while (ap_parser_take_symbol(parser, ','));
  *out_sets = sets;
  *out_count = count;
  return AP_OK;
}

/* UPDATE f [AS a] SET column = expression, ... [FROM items] [WHERE condition] */
ap_status ap_statement_parse_update(struct ap_statement_parser *parser) {
  static const char *const names[] = {"SET", NULL};
  static const char *const stops[] = {",", "FROM", "WHERE", "RETURNING", NULL};
  ap_parser_take(parser);
  parser->statement->kind = AP_STATEMENT_UPDATE;
  AP_TRY(ap_change_begin(parser));
  AP_TRY(ap_change_take_target(parser, names));
  if (!ap_parser_take_word(parser, "SET")) return ap_parser_expected(parser, "SET", names, 1);
  AP_TRY(ap_change_take_sets(parser, stops, &parser->change->sets, &parser->change->set_count));
  return take_from_and_where(parser, "FROM");
}

/* TRUNCATE [TABLE] f */
ap_status ap_statement_parse_truncate(struct ap_statement_parser *parser) {
  static const char *const none[] = {NULL};
  ap_parser_take(parser);
  parser->statement->kind = AP_STATEMENT_TRUNCATE;
  AP_TRY(ap_change_begin(parser));
  AP_TRY(ap_change_take_target(parser, none));
  return ap_parser_take_end(parser, "the end of the statement");
}

/* ---- transactions ---------------------------------------------------------------------------- */

static ap_status take_transaction(struct ap_statement_parser *parser, enum ap_statement_kind kind) {
  parser->statement->kind = kind;
  ap_parser_take(parser);
  if (!ap_parser_take_word(parser, "TRANSACTION")) (void)ap_parser_take_word(parser, "WORK");
  return ap_parser_take_end(parser, "TRANSACTION or the end of the statement");
}

ap_status ap_statement_parse_begin(struct ap_statement_parser *parser) {
  return take_transaction(parser, AP_STATEMENT_BEGIN);
}

ap_status ap_statement_parse_commit(struct ap_statement_parser *parser) {
  return take_transaction(parser, AP_STATEMENT_COMMIT);
}

ap_status ap_statement_parse_rollback(struct ap_statement_parser *parser) {
  return take_transaction(parser, AP_STATEMENT_ROLLBACK);
}

/* ---- WITH ------------------------------------------------------------------------------------ */

ap_status ap_change_begin(struct ap_statement_parser *parser) {
  struct ap_change_statement *change = AP_ARENA_NEW(parser->arena, struct ap_change_statement);
  if (!change) return AP_FAIL_MEMORY(parser->err);
  change->with = parser->with;
  parser->change = change;
  parser->statement->change = change;
  return AP_OK;
}
