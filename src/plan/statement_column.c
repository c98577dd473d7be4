/* SPDX-License-Identifier: Apache-2.0
 *
 * Columns and what may stand behind them: types, NOT NULL, DEFAULT, GENERATED, CHECK, COMMENT, and
 * lists of properties. Types and expressions are cut out as text: they end where, outside of
 * parentheses, something else begins.
 * Thread: the arena's.
 */
#include "plan/statement_parser.h"

#include "base/limits.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

/* Words that begin a clause behind a column's type or expression. */
static bool begins_clause(const struct ap_statement_parser *parser) {
  static const char *const words[] = {"DEFAULT",    "CHECK",      "COMMENT", "GENERATED",
                                      "CONSTRAINT", "FIRST",      "AFTER",   "PRIMARY",
                                      "UNIQUE",     "REFERENCES", "COLLATE"};
  const struct ap_token *token = ap_parser_peek(parser);
  if (ap_token_is(token, "NOT")) return ap_token_is(ap_parser_peek_at(parser, 1), "NULL");
  for (size_t i = 0; i < COUNT_OF(words); i++) {
    if (ap_token_is(token, words[i])) return true;
  }
  return false;
}

/* How deep a token leaves us in (), [] and, of types, <>. */
static void count_depth(const struct ap_token *token, bool angles, int *depth) {
  static const char opening[] = {'(', '[', '{', '<'};
  static const char closing[] = {')', ']', '}', '>'};
  for (size_t i = 0; i < sizeof(opening) - (angles ? 0 : 1); i++) {
    if (ap_token_is_symbol(token, opening[i])) (*depth)++;
    if (ap_token_is_symbol(token, closing[i])) (*depth)--;
  }
}

static struct ap_text span(const struct ap_token *first, const struct ap_token *last) {
  return (struct ap_text){first->source.data,
                          (size_t)(last->source.data + last->source.size - first->source.data)};
}

/* The text up to a comma, a closing parenthesis or a clause at its own level. */
static ap_status take_text(struct ap_statement_parser *parser, const char *what, bool is_type,
                           struct ap_text *out_text) {
  const struct ap_token *first = ap_parser_peek(parser);
  const struct ap_token *last = NULL;
  int depth = 0;
  while (!ap_parser_done(parser)) {
    const struct ap_token *token = ap_parser_peek(parser);
    bool ends = ap_token_is_symbol(token, ',') || ap_token_is_symbol(token, ')');
    if (depth == 0 && ends) break;
    /* IS NOT NULL is no end of an expression, and NULL is one itself */
    bool behind_is = last && ap_token_is(last, "IS");
    if (depth == 0 && !behind_is && begins_clause(parser)) break;
    if (depth == 0 && is_type && (ap_token_is(token, "NULL") || ap_token_is(token, "NOT"))) break;
    count_depth(token, is_type, &depth);
    if (depth < 0) break;
    last = ap_parser_take(parser);
  }
  if (!last || depth != 0) {
    return ap_parser_expected(parser, depth > 0 ? ", or )" : what, NULL, 0);
  }
  *out_text = span(first, last);
  return AP_OK;
}

ap_status ap_parser_take_type(struct ap_statement_parser *parser, struct ap_text *out_type) {
  if (!ap_token_is_name(ap_parser_peek(parser))) {
    return ap_parser_expected(parser, "a type", NULL, 0);
  }
  return take_text(parser, "a type", true, out_type);
}

ap_status ap_parser_take_expression(struct ap_statement_parser *parser,
                                    struct ap_text *out_expression) {
  return take_text(parser, "an expression", false, out_expression);
}

ap_status ap_parser_take_parenthesised(struct ap_statement_parser *parser, const char *what,
                                       struct ap_text *out_text) {
  if (!ap_parser_take_symbol(parser, '(')) return ap_parser_expected(parser, what, NULL, 0);
  const struct ap_token *first = ap_parser_peek(parser);
  const struct ap_token *last = NULL;
  int depth = 0;
  while (!ap_parser_done(parser)) {
    const struct ap_token *token = ap_parser_peek(parser);
    if (depth == 0 && ap_token_is_symbol(token, ')')) break;
    count_depth(token, false, &depth);
    last = ap_parser_take(parser);
  }
  if (!last) return ap_parser_expected(parser, "an expression", NULL, 0);
  if (!ap_parser_take_symbol(parser, ')')) return ap_parser_expected(parser, ")", NULL, 0);
  *out_text = span(first, last);
  return AP_OK;
}

ap_status ap_parser_take_string(struct ap_statement_parser *parser, const char *what,
                                struct ap_text *out_text) {
  const struct ap_token *token = ap_parser_peek(parser);
  if (token->kind != AP_TOKEN_STRING) return ap_parser_expected(parser, what, NULL, 0);
  *out_text = ap_parser_take(parser)->value;
  return AP_OK;
}

/* ---- constraints ----------------------------------------------------------------------------- */

static ap_status push_constraint(struct ap_statement_parser *parser, struct ap_column_list *list,
                                 struct ap_text name, struct ap_text column) {
  struct ap_statement_constraint *constraint = &list->constraints[list->constraint_count];
  constraint->name = name;
  if (name.size == 0 && column.size > 0) {
    const char *made = ap_arena_format(parser->arena, "%.*s_check", AP_TEXT_ARG(column));
    if (!made) return AP_FAIL_MEMORY(parser->err);
    constraint->name = ap_text_of(made);
  }
  list->constraint_count += 1;
  return ap_parser_take_parenthesised(parser, "( and a condition", &constraint->condition);
}

/* CHECK (..), with a name in front or not; false when nothing of the kind stands here. */
static ap_status take_check(struct ap_statement_parser *parser, struct ap_column_list *list,
                            struct ap_text column, bool *out_taken) {
  struct ap_text name = {NULL, 0};
  *out_taken = false;
  if (ap_parser_take_word(parser, "CONSTRAINT")) {
    AP_TRY(ap_parser_take_part(parser, "the name of a constraint", &name));
    if (!ap_token_is(ap_parser_peek(parser), "CHECK")) {
      return ap_parser_expected(parser, "CHECK (frames have no keys and no other constraints)",
                                NULL, 0);
    }
  }
  if (!ap_parser_take_word(parser, "CHECK")) return AP_OK;
  *out_taken = true;
  return push_constraint(parser, list, name, column);
}

static bool begins_table_constraint(const struct ap_statement_parser *parser) {
  const struct ap_token *token = ap_parser_peek(parser);
  const struct ap_token *next = ap_parser_peek_at(parser, 1);
  if (ap_token_is(token, "PRIMARY") || ap_token_is(token, "FOREIGN")) {
    return ap_token_is(next, "KEY");
  }
  if (ap_token_is(token, "UNIQUE") || ap_token_is(token, "CHECK")) {
    return ap_token_is_symbol(next, '(');
  }
  static const char *const kinds[] = {"CHECK", "PRIMARY", "UNIQUE", "FOREIGN"};
  if (!ap_token_is(token, "CONSTRAINT") || !ap_token_is_name(next)) return false;
  for (size_t i = 0; i < COUNT_OF(kinds); i++) {
    if (ap_token_is(ap_parser_peek_at(parser, 2), kinds[i])) return true;
  }
  return false;
}

static ap_status take_table_constraint(struct ap_statement_parser *parser,
                                       struct ap_column_list *list) {
  bool taken = false;
  AP_TRY(take_check(parser, list, (struct ap_text){NULL, 0}, &taken));
  if (taken) return AP_OK;
  return ap_parser_expected(parser, "a column or a CHECK constraint (frames have no keys)", NULL,
                            0);
}

/* ---- columns --------------------------------------------------------------------------------- */

static ap_status take_not_null(struct ap_statement_parser *parser,
                               struct ap_statement_column *column) {
  static const char *const words[] = {"NULL", "NOT"};
  column->not_null = true;
  if (ap_parser_take_word(parser, "NULL")) return AP_OK;
  return ap_parser_expected(parser, "NULL behind NOT", words, 1);
}

/* GENERATED ALWAYS AS (expression) */
static ap_status take_generated(struct ap_statement_parser *parser,
                                struct ap_statement_column *column) {
  if (!ap_parser_take_word(parser, "ALWAYS") || !ap_parser_take_word(parser, "AS")) {
    return ap_parser_expected(parser, "ALWAYS AS (expression) behind GENERATED", NULL, 0);
  }
  AP_TRY(ap_parser_take_parenthesised(parser, "( and an expression", &column->generated));
  if (!ap_parser_take_word(parser, "STORED")) (void)ap_parser_take_word(parser, "VIRTUAL");
  return AP_OK;
}

/* One clause behind a column's type; *out_taken false: there is none. */
static ap_status take_clause(struct ap_statement_parser *parser, struct ap_column_list *list,
                             struct ap_statement_column *column, bool *out_taken) {
  *out_taken = true;
  if (ap_parser_take_word(parser, "NOT")) return take_not_null(parser, column);
  if (ap_parser_take_word(parser, "NULL")) return AP_OK;
  if (ap_parser_take_word(parser, "DEFAULT")) {
    return ap_parser_take_expression(parser, &column->default_value);
  }
  if (ap_parser_take_word(parser, "GENERATED")) return take_generated(parser, column);
  if (ap_parser_take_word(parser, "COMMENT")) {
    return ap_parser_take_string(parser, "a 'comment'", &column->comment);
  }
  return take_check(parser, list, column->name, out_taken);
}

static ap_status take_column(struct ap_statement_parser *parser, struct ap_column_list *list,
                             struct ap_statement_column *column) {
  *column = (struct ap_statement_column){.not_null = false};
  AP_TRY(ap_parser_take_part(parser, "the name of a column", &column->name));
  AP_TRY(ap_parser_take_type(parser, &column->type));
  bool taken = true;
  while (taken) AP_TRY(take_clause(parser, list, column, &taken));
  return AP_OK;
}

ap_status ap_parser_take_columns(struct ap_statement_parser *parser,
                                 struct ap_column_list *out_list) {
  if (!ap_parser_take_symbol(parser, '(')) {
    return ap_parser_expected(parser, "( and the columns: (name type, ...)", NULL, 0);
  }
  size_t capacity = ap_parser_items_max(parser);
  struct ap_column_list list = {
      .columns = AP_ARENA_ARRAY(parser->arena, struct ap_statement_column, capacity),
      /* a column may have several, each with a parenthesis of its own */
      .constraints =
          AP_ARENA_ARRAY(parser->arena, struct ap_statement_constraint, parser->count + 1),
  };
  if (!list.columns || !list.constraints) return AP_FAIL_MEMORY(parser->err);
  do {
    if (begins_table_constraint(parser)) {
      AP_TRY(take_table_constraint(parser, &list));
      continue;
    }
    if (list.column_count == AP_COLUMNS_MAX) {
      return AP_FAIL(parser->err, AP_SYNTAX, "a frame has at most %d columns", AP_COLUMNS_MAX);
    }
    AP_TRY(take_column(parser, &list, &list.columns[list.column_count]));
    list.column_count += 1;
  } while (ap_parser_take_symbol(parser, ','));
  if (!ap_parser_take_symbol(parser, ')')) {
    return ap_parser_expected(parser, "NOT NULL, DEFAULT, CHECK, GENERATED, COMMENT, , or )", NULL,
                              0);
  }
  if (list.column_count == 0) {
    return AP_FAIL(parser->err, AP_SYNTAX, "a frame needs at least one column");
  }
  *out_list = list;
  return AP_OK;
}

/* ---- properties ------------------------------------------------------------------------------ */

/* 'delta.appendOnly', or the same as bare words with dots. */
static ap_status take_property_name(struct ap_statement_parser *parser, struct ap_text *out_name) {
  const struct ap_token *token = ap_parser_peek(parser);
  if (token->kind == AP_TOKEN_STRING) {
    *out_name = ap_parser_take(parser)->value;
    return AP_OK;
  }
  struct ap_text part;
  const char *name = "";
  do {
    AP_TRY(ap_parser_take_part(parser, "the 'name' of a property", &part));
    name = ap_arena_format(parser->arena, name[0] ? "%s.%.*s" : "%s%.*s", name, AP_TEXT_ARG(part));
    if (!name) return AP_FAIL_MEMORY(parser->err);
  } while (ap_parser_take_symbol(parser, '.'));
  *out_name = ap_text_of(name);
  return AP_OK;
}

static ap_status take_property_value(struct ap_statement_parser *parser,
                                     struct ap_text *out_value) {
  const struct ap_token *token = ap_parser_peek(parser);
  bool plain = token->kind == AP_TOKEN_NUMBER || token->kind == AP_TOKEN_WORD;
  if (!plain && token->kind != AP_TOKEN_STRING) {
    return ap_parser_expected(parser, "the 'value' of a property", NULL, 0);
  }
  ap_parser_take(parser);
  *out_value = token->kind == AP_TOKEN_STRING ? token->value : token->source;
  return AP_OK;
}

ap_status ap_parser_take_properties(struct ap_statement_parser *parser, bool with_values,
                                    const struct ap_statement_property **out_properties,
                                    uint32_t *out_count) {
  if (!ap_parser_take_symbol(parser, '(')) {
    return ap_parser_expected(parser, "( and properties: ('name' = 'value', ...)", NULL, 0);
  }
  struct ap_statement_property *properties =
      AP_ARENA_ARRAY(parser->arena, struct ap_statement_property, ap_parser_items_max(parser));
  if (!properties) return AP_FAIL_MEMORY(parser->err);
  uint32_t count = 0;
  do {
    if (count == AP_PROPERTIES_MAX) {
      return AP_FAIL(parser->err, AP_SYNTAX, "a frame has at most %d properties",
                     AP_PROPERTIES_MAX);
    }
    AP_TRY(take_property_name(parser, &properties[count].name));
    if (with_values && !ap_parser_take_symbol(parser, '=')) {
      return ap_parser_expected(parser, "= and a value", NULL, 0);
    }
    if (with_values) AP_TRY(take_property_value(parser, &properties[count].value));
    count++;
  } while (ap_parser_take_symbol(parser, ','));
  if (!ap_parser_take_symbol(parser, ')')) return ap_parser_expected(parser, ", or )", NULL, 0);
  *out_properties = properties;
  *out_count = count;
  return AP_OK;
}
