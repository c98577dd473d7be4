/* SPDX-License-Identifier: Apache-2.0
 *
 * See travel.h. The tokens are walked once; where a clause begins, its expression is measured, an
 * alias behind it is looked for, and both are written the other way round.
 * Thread: the arena's.
 */
#include "plan/travel.h"

#include "plan/statement_parser.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

/* All tokens of a text. Behind the last stands an END token. */
struct tokens {
  struct ap_token *items;
  size_t count;
};

static const struct ap_token *token_at(const struct tokens *tokens, size_t index) {
  static const struct ap_token end = {.kind = AP_TOKEN_END};
  return index < tokens->count ? &tokens->items[index] : &end;
}

static bool is_any(const struct ap_token *token, const char *const *words, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (ap_token_is(token, words[i])) return true;
  }
  return false;
}

/* Words that are no name without quotes, neither of a frame nor of an alias. */
static bool is_reserved(const struct ap_token *token) {
  static const char *const words[] = {
      "ALL",         "ANALYZE",    "AND",      "ANTI",      "ANY",       "ARRAY",  "AS",
      "ASC",         "ASOF",       "AT",       "BETWEEN",   "BOTH",      "BY",     "CASE",
      "CAST",        "CHECK",      "COLLATE",  "COLUMN",    "CREATE",    "CROSS",  "DEFAULT",
      "DESC",        "DESCRIBE",   "DISTINCT", "DO",        "ELSE",      "END",    "EXCEPT",
      "FALSE",       "FETCH",      "FOR",      "FROM",      "FULL",      "GLOB",   "GROUP",
      "HAVING",      "ILIKE",      "IN",       "INNER",     "INTERSECT", "INTO",   "IS",
      "ISNULL",      "JOIN",       "LAMBDA",   "LATERAL",   "LEADING",   "LEFT",   "LIKE",
      "LIMIT",       "NATURAL",    "NOT",      "NOTNULL",   "NULL",      "OFFSET", "ON",
      "ONLY",        "OR",         "ORDER",    "OUTER",     "OVERLAPS",  "PIVOT",  "PIVOT_LONGER",
      "PIVOT_WIDER", "POSITIONAL", "QUALIFY",  "RETURNING", "RIGHT",     "SELECT", "SEMI",
      "SET",         "SHOW",       "SIMILAR",  "SOME",      "SUMMARIZE", "TABLE",  "TABLESAMPLE",
      "THEN",        "TO",         "TRAILING", "TRUE",      "UNION",     "UNIQUE", "UNPIVOT",
      "USING",       "VALUES",     "WHEN",     "WHERE",     "WINDOW",    "WITH",
  };
  return is_any(token, words, COUNT_OF(words));
}

static bool is_name(const struct ap_token *token) {
  return token->kind == AP_TOKEN_QUOTED || (token->kind == AP_TOKEN_WORD && !is_reserved(token));
}

/* Whether a table reference may end with this token. */
static bool ends_reference(const struct ap_token *token) {
  return is_name(token) || ap_token_is_symbol(token, ')');
}

static bool is_as_of(const struct tokens *tokens, size_t at) {
  return ap_token_is(token_at(tokens, at), "AS") && ap_token_is(token_at(tokens, at + 1), "OF");
}

/* May stand behind VERSION AS OF: nothing that may stand behind a column called so. */
static bool begins_value(const struct ap_token *token) {
  return token->kind == AP_TOKEN_NUMBER || token->kind == AP_TOKEN_STRING ||
         token->kind == AP_TOKEN_PARAMETER || ap_token_is_symbol(token, '(') ||
         ap_token_is_symbol(token, '-') || ap_token_is_symbol(token, '+');
}

/* Words that are no names and begin an expression all the same. */
static bool is_operand_word(const struct ap_token *token) {
  return ap_token_is(token, "CAST") || ap_token_is(token, "NULL");
}

/* May stand behind TIMESTAMP AS OF: any beginning of an expression. */
static bool begins_expression(const struct ap_token *token) {
  return begins_value(token) || is_name(token) || is_operand_word(token);
}

struct clause {
  bool is_version;
  size_t expression; /* token */
};

/* Whether a clause begins with this token, which stands behind a reference. */
static bool find_clause(const struct tokens *tokens, size_t at, struct clause *out_clause) {
  static const char *const versions[] = {"VERSION", "SYSTEM_VERSION"};
  static const char *const times[] = {"TIMESTAMP", "SYSTEM_TIME"};
  bool is_for = ap_token_is(token_at(tokens, at), "FOR");
  size_t unit = is_for ? at + 1 : at;
  size_t known = is_for ? COUNT_OF(versions) : 1; /* SYSTEM_VERSION only behind FOR */
  bool is_behind = !is_for && is_as_of(tokens, at);
  if (is_behind) unit = at + 2;
  const struct ap_token *word = token_at(tokens, unit);
  bool is_version = is_any(word, versions, known);
  if (!is_version && !is_any(word, times, known)) return false;
  if (!is_behind && !is_as_of(tokens, unit + 1)) return false;
  size_t expression = is_behind ? unit + 1 : unit + 3;
  const struct ap_token *first = token_at(tokens, expression);
  /* Behind FOR nothing else can be meant: there what is missing is told. */
  if (!is_for && !(is_version ? begins_value(first) : begins_expression(first))) return false;
  *out_clause = (struct clause){.is_version = is_version, .expression = expression};
  return true;
}

/* Behind the parenthesis that closes the one at `at`. */
static size_t skip_parentheses(const struct tokens *tokens, size_t at) {
  size_t depth = 0;
  do {
    if (ap_token_is_symbol(token_at(tokens, at), '(')) depth++;
    if (ap_token_is_symbol(token_at(tokens, at), ')')) depth--;
    at++;
  } while (depth > 0 && at < tokens->count);
  return at;
}

static bool is_interval_unit(const struct ap_token *token) {
  static const char *const units[] = {
      "YEAR",   "YEARS",   "QUARTER",     "QUARTERS",     "MONTH",       "MONTHS",       "WEEK",
      "WEEKS",  "DAY",     "DAYS",        "HOUR",         "HOURS",       "MINUTE",       "MINUTES",
      "SECOND", "SECONDS", "MILLISECOND", "MILLISECONDS", "MICROSECOND", "MICROSECONDS",
  };
  return is_any(token, units, COUNT_OF(units));
}

/* INTERVAL 1 DAY, INTERVAL '1' DAY, INTERVAL (x) DAYS, INTERVAL '1 day' */
static size_t skip_interval(const struct tokens *tokens, size_t at) {
  at++;
  if (ap_token_is_symbol(token_at(tokens, at), '-')) at++;
  if (at >= tokens->count) return tokens->count;
  at = ap_token_is_symbol(token_at(tokens, at), '(') ? skip_parentheses(tokens, at) : at + 1;
  return is_interval_unit(token_at(tokens, at)) ? at + 1 : at;
}

/* A word and what belongs to it: TIMESTAMP [WITH TIME ZONE] '...', a.b(...), now. */
static size_t skip_word(const struct tokens *tokens, size_t at) {
  if (ap_token_is(token_at(tokens, at), "INTERVAL") &&
      !ap_token_is_symbol(token_at(tokens, at + 1), '.')) {
    return skip_interval(tokens, at);
  }
  at++;
  if (ap_token_is(token_at(tokens, at), "WITH") && ap_token_is(token_at(tokens, at + 1), "TIME") &&
      ap_token_is(token_at(tokens, at + 2), "ZONE")) {
    at += 3;
  }
  if (token_at(tokens, at)->kind == AP_TOKEN_STRING) return at + 1;
  while (ap_token_is_symbol(token_at(tokens, at), '.') && is_name(token_at(tokens, at + 1))) {
    at += 2;
  }
  return ap_token_is_symbol(token_at(tokens, at), '(') ? skip_parentheses(tokens, at) : at;
}

/* Behind an operand; `at` itself when none begins there. */
static size_t skip_operand(const struct tokens *tokens, size_t at) {
  size_t sign = at;
  while (ap_token_is_symbol(token_at(tokens, at), '-') ||
         ap_token_is_symbol(token_at(tokens, at), '+')) {
    at++;
  }
  const struct ap_token *token = token_at(tokens, at);
  if (ap_token_is_symbol(token, '(')) return skip_parentheses(tokens, at);
  if (token->kind == AP_TOKEN_NUMBER || token->kind == AP_TOKEN_STRING ||
      token->kind == AP_TOKEN_PARAMETER) {
    return at + 1;
  }
  if (is_name(token) || is_operand_word(token)) return skip_word(tokens, at);
  return sign;
}

/* ::type[(n)], any number of them. */
static size_t skip_casts(const struct tokens *tokens, size_t at) {
  while (ap_token_is_symbol(token_at(tokens, at), ':') &&
         ap_token_is_symbol(token_at(tokens, at + 1), ':') && is_name(token_at(tokens, at + 2))) {
    at += 3;
    if (ap_token_is_symbol(token_at(tokens, at), '(')) at = skip_parentheses(tokens, at);
  }
  return at;
}

/* Behind the expression: operands parted by operators; an alias is no part of it. */
static size_t skip_expression(const struct tokens *tokens, size_t at) {
  for (;;) {
    size_t end = skip_operand(tokens, at);
    if (end == at) return at;
    at = skip_casts(tokens, end);
    const struct ap_token *token = token_at(tokens, at);
    bool zone = ap_token_is(token, "AT") && ap_token_is(token_at(tokens, at + 1), "TIME") &&
                ap_token_is(token_at(tokens, at + 2), "ZONE");
    bool more = ap_token_is_symbol(token, '-') || ap_token_is_symbol(token, '+') ||
                ap_token_is_symbol(token, '*') || ap_token_is_symbol(token, '/');
    if (zone) {
      at += 3;
    } else if (more) {
      at += 1;
    } else {
      return at;
    }
  }
}

/* Behind [AS] alias [(columns)]; `at` itself when there is no alias. */
static size_t skip_alias(const struct tokens *tokens, size_t at) {
  size_t name = ap_token_is(token_at(tokens, at), "AS") ? at + 1 : at;
  if (!is_name(token_at(tokens, name))) return at;
  bool has_columns = ap_token_is_symbol(token_at(tokens, name + 1), '(');
  return has_columns ? skip_parentheses(tokens, name + 1) : name + 1;
}

/* The text from one token to another, the first included. */
static struct ap_text text_between(const struct tokens *tokens, size_t first, size_t end) {
  if (first == end) return (struct ap_text){0};
  struct ap_text last = tokens->items[end - 1].source;
  const char *begin = tokens->items[first].source.data;
  return (struct ap_text){begin, (size_t)(last.data + last.size - begin)};
}

static ap_status fail_without_value(struct ap_text sql, const struct tokens *tokens, size_t at,
                                    bool is_version, ap_error *err) {
  const struct ap_token *token = token_at(tokens, at);
  size_t offset = token->kind == AP_TOKEN_END ? sql.size : (size_t)(token->source.data - sql.data);
  unsigned line;
  unsigned column;
  ap_sql_place(sql, offset, &line, &column);
  ap_status status = AP_FAIL(err, AP_SYNTAX, "line %u, column %u: expected %s behind AS OF", line,
                             column, is_version ? "a version" : "a timestamp");
  ap_error_hint(err, is_version ? "write f VERSION AS OF 3"
                                : "write f TIMESTAMP AS OF '2026-01-31 12:00:00'");
  return status;
}

struct rewriter {
  struct ap_buffer *out;
  struct ap_text sql;
  const struct tokens *tokens;
  size_t copied; /* bytes of sql that are dealt with */
};

/* Write "alias AT(VERSION=>3)" for the clause that begins at token `at`, and blanks up to its
 * length; *out_next is the token behind it. */
static ap_status write_clause(struct rewriter *rewriter, size_t at, const struct clause *clause,
                              size_t *out_next, ap_error *err) {
  const struct tokens *tokens = rewriter->tokens;
  size_t alias = skip_expression(tokens, clause->expression);
  if (alias == clause->expression) {
    return fail_without_value(rewriter->sql, tokens, alias, clause->is_version, err);
  }
  size_t end = skip_alias(tokens, alias);
  struct ap_text whole = text_between(tokens, at, end);
  struct ap_text expression = text_between(tokens, clause->expression, alias);
  size_t begin = (size_t)(whole.data - rewriter->sql.data);
  ap_buffer_append(rewriter->out, rewriter->sql.data + rewriter->copied, begin - rewriter->copied);
  size_t size_before = rewriter->out->size;
  if (end > alias) {
    ap_buffer_append_text(rewriter->out, text_between(tokens, alias, end));
    ap_buffer_append_string(rewriter->out, " ");
  }
  ap_buffer_append_string(rewriter->out, clause->is_version ? "AT(VERSION=>" : "AT(TIMESTAMP=>");
  /* Not to become one operator with what begins like one. */
  const char first = expression.data[0];
  if (first == '-' || first == '+' || first == '?') ap_buffer_append_string(rewriter->out, " ");
  ap_buffer_append_text(rewriter->out, expression);
  ap_buffer_append_string(rewriter->out, ")");
  while (rewriter->out->size - size_before < whole.size && !rewriter->out->failed) {
    ap_buffer_append_string(rewriter->out, " ");
  }
  rewriter->copied = begin + whole.size;
  *out_next = end;
  return AP_OK;
}

/* Whether a name without alias ends before this token. */
static bool ends_plain_reference(const struct tokens *tokens, size_t at) {
  if (!is_name(token_at(tokens, at - 1))) return false;
  return at == 1 ||
         (!is_name(token_at(tokens, at - 2)) && !ap_token_is(token_at(tokens, at - 2), "AS"));
}

/* AT (VERSION => or AT (TIMESTAMP => */
static bool is_at_clause(const struct tokens *tokens, size_t at) {
  const struct ap_token *unit = token_at(tokens, at + 2);
  return ap_token_is(token_at(tokens, at), "AT") &&
         ap_token_is_symbol(token_at(tokens, at + 1), '(') &&
         (ap_token_is(unit, "VERSION") || ap_token_is(unit, "TIMESTAMP")) &&
         ap_token_is_symbol(token_at(tokens, at + 3), '=') &&
         ap_token_is_symbol(token_at(tokens, at + 4), '>');
}

/* The alias behind AT (..), where the engine does not know it, goes before; false: there is none.
 */
static bool move_alias(struct rewriter *rewriter, size_t at, size_t *out_next) {
  const struct tokens *tokens = rewriter->tokens;
  size_t alias = skip_parentheses(tokens, at + 1);
  size_t end = skip_alias(tokens, alias);
  if (end == alias) return false;
  struct ap_text whole = text_between(tokens, at, end);
  size_t begin = (size_t)(whole.data - rewriter->sql.data);
  ap_buffer_append(rewriter->out, rewriter->sql.data + rewriter->copied, begin - rewriter->copied);
  size_t size_before = rewriter->out->size;
  ap_buffer_append_text(rewriter->out, text_between(tokens, alias, end));
  ap_buffer_append_string(rewriter->out, " ");
  ap_buffer_append_text(rewriter->out, text_between(tokens, at, alias));
  while (rewriter->out->size - size_before < whole.size && !rewriter->out->failed) {
    ap_buffer_append_string(rewriter->out, " ");
  }
  rewriter->copied = begin + whole.size;
  *out_next = end;
  return true;
}

static ap_status rewrite(struct ap_buffer *out, struct ap_text sql, const struct tokens *tokens,
                         bool *out_any, ap_error *err) {
  struct rewriter rewriter = {.out = out, .sql = sql, .tokens = tokens};
  size_t i = 1;
  *out_any = false;
  while (i < tokens->count) {
    struct clause clause;
    if (ends_plain_reference(tokens, i) && is_at_clause(tokens, i)) {
      bool moved = move_alias(&rewriter, i, &i);
      *out_any |= moved;
      if (!moved) i++;
      continue;
    }
    if (!ends_reference(&tokens->items[i - 1]) || !find_clause(tokens, i, &clause)) {
      i++;
      continue;
    }
    AP_TRY(write_clause(&rewriter, i, &clause, &i, err));
    *out_any = true;
  }
  ap_buffer_append(out, sql.data + rewriter.copied, sql.size - rewriter.copied);
  return ap_buffer_check(out, err);
}

static ap_status read_tokens(struct ap_arena *arena, struct ap_text sql, struct tokens *tokens,
                             ap_error *err) {
  struct ap_tokenizer tokenizer;
  size_t capacity = 0;
  ap_tokenizer_init(&tokenizer, arena, sql);
  for (;;) {
    struct ap_token token;
    AP_TRY(ap_tokenizer_next(&tokenizer, &token, err));
    if (token.kind == AP_TOKEN_END) return AP_OK;
    if (tokens->count == capacity) {
      capacity = capacity ? capacity * 2 : 64;
      void *larger = ap_reallocate(arena->allocator, tokens->items, capacity * sizeof(token));
      if (!larger) return AP_FAIL_MEMORY(err);
      tokens->items = larger;
    }
    tokens->items[tokens->count++] = token;
  }
}

static bool is_word_byte(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '_';
}

/* Whether the word OF or AT stands anywhere: most texts are done with that. */
static bool may_travel(struct ap_text sql) {
  for (size_t i = 1; i + 1 < sql.size; i++) {
    const char first = (char)(sql.data[i] | 0x20);
    const char second = (char)(sql.data[i + 1] | 0x20);
    if (!(first == 'o' && second == 'f') && !(first == 'a' && second == 't')) continue;
    bool ends = i + 2 == sql.size || !is_word_byte(sql.data[i + 2]);
    if (ends && !is_word_byte(sql.data[i - 1])) return true;
  }
  return false;
}

ap_status ap_travel_rewrite(struct ap_arena *arena, struct ap_text sql, struct ap_text *out_sql,
                            ap_error *err) {
  *out_sql = sql;
  if (!may_travel(sql)) return AP_OK;
  struct tokens tokens = {0};
  struct ap_buffer out;
  bool any = false;
  ap_buffer_init(&out, arena->allocator);
  ap_status status = read_tokens(arena, sql, &tokens, err);
  if (status == AP_OK) status = rewrite(&out, sql, &tokens, &any, err);
  if (status == AP_OK && any) {
    const char *copy = ap_arena_copy(arena, ap_buffer_text(&out));
    if (!copy) status = AP_FAIL_MEMORY(err);
    if (copy) *out_sql = (struct ap_text){copy, out.size};
  }
  ap_buffer_deinit(&out);
  ap_free(arena->allocator, tokens.items);
  return status;
}
