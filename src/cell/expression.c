/* SPDX-License-Identifier: Apache-2.0
 *
 * See expression.h. One lexer for both dialects, told apart by how they quote: the engine has
 * "names" and 'texts' with doubled quotes; Spark has `names`, and both 'texts' and "texts" with
 * backslashes.
 */
#include "cell/expression.h"

#include "base/status.h"

#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

enum token_kind {
  TOKEN_END,
  TOKEN_WORD,
  TOKEN_NAME, /* quoted; value: unquoted */
  TOKEN_TEXT, /* value: unquoted */
  TOKEN_NUMBER,
  TOKEN_SYMBOL,
};

struct token {
  enum token_kind kind;
  struct ap_text source;
  struct ap_text value; /* in the lexer's buffer until the next token of the same lexer */
};

struct lexer {
  struct ap_text sql;
  size_t at;
  bool spark;
  struct ap_buffer value;
};

/* Functions that both know and that answer alike. */
static const char *const functions[] = {
    "abs",        "ceil",       "ceiling",    "floor",        "round",
    "sqrt",       "exp",        "ln",         "power",        "pow",
    "sign",       "mod",        "length",     "char_length",  "upper",
    "lower",      "trim",       "ltrim",      "rtrim",        "replace",
    "reverse",    "coalesce",   "nullif",     "ifnull",       "greatest",
    "least",      "year",       "month",      "day",          "dayofmonth",
    "hour",       "minute",     "second",     "quarter",      "dayofyear",
    "last_day",   "weekofyear", "date_trunc", "contains",     "lpad",
    "rpad",       "uuid",       "now",        "isnan",        "octet_length",
    "bit_length", "concat_ws",  "cast",       "current_date", "current_timestamp",
};

/* Words that may stand before a parenthesis and are no functions. */
static const char *const keywords[] = {
    "and",  "or", "not",     "in",      "between", "case",     "when", "then", "else",
    "like", "is", "decimal", "numeric", "as",      "interval", "end",  "null", "from",
};

/* Names in Spark that are reserved in the engine. */
static const char *const reserved[] = {
    "all",      "analyze",    "any",        "array",   "asc",     "at",        "both",    "check",
    "collate",  "column",     "constraint", "create",  "default", "desc",      "do",      "fetch",
    "for",      "grant",      "group",      "having",  "into",    "lambda",    "lateral", "leading",
    "limit",    "offset",     "on",         "only",    "order",   "pivot",     "placing", "primary",
    "qualify",  "references", "returning",  "show",    "some",    "summarize", "table",   "to",
    "trailing", "union",      "unique",     "unpivot", "using",   "window",    "with",    "where",
};

/* Types of CAST and of literals: the engine's word and Spark's. The first of equals is written. */
static const struct {
  const char *engine;
  const char *spark;
} types[] = {
    {"BOOLEAN", "BOOLEAN"},
    {"BOOL", "BOOLEAN"},
    {"TINYINT", "TINYINT"},
    {"TINYINT", "BYTE"},
    {"SMALLINT", "SMALLINT"},
    {"SMALLINT", "SHORT"},
    {"INTEGER", "INT"},
    {"INTEGER", "INTEGER"},
    {"INT", "INT"},
    {"BIGINT", "BIGINT"},
    {"BIGINT", "LONG"},
    {"LONG", "BIGINT"},
    {"REAL", "FLOAT"},
    {"REAL", "REAL"},
    {"FLOAT", "FLOAT"},
    {"DOUBLE", "DOUBLE"},
    {"DECIMAL", "DECIMAL"},
    {"NUMERIC", "DECIMAL"},
    {"DECIMAL", "DEC"},
    {"DECIMAL", "NUMERIC"},
    {"VARCHAR", "STRING"},
    {"STRING", "STRING"},
    {"TEXT", "STRING"},
    {"DATE", "DATE"},
    {"TIMESTAMP", "TIMESTAMP_NTZ"},
    {"DATETIME", "TIMESTAMP_NTZ"},
    {"TIMESTAMPTZ", "TIMESTAMP"},
    {"TIMESTAMPTZ", "TIMESTAMP_LTZ"},
    {"BLOB", "BINARY"},
    {"BYTEA", "BINARY"},
};

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static char peek(const struct lexer *lexer, size_t ahead) {
  return lexer->at + ahead < lexer->sql.size ? lexer->sql.data[lexer->at + ahead] : '\0';
}

static ap_status endless(const char *what, ap_error *err) {
  return AP_FAIL(err, AP_SYNTAX, "expression: %s without its end", what);
}

static ap_status skip_blank(struct lexer *lexer, ap_error *err) {
  for (;;) {
    char c = peek(lexer, 0);
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      lexer->at++;
    } else if (c == '-' && peek(lexer, 1) == '-') {
      while (lexer->at < lexer->sql.size && peek(lexer, 0) != '\n') lexer->at++;
    } else if (c == '/' && peek(lexer, 1) == '*') {
      lexer->at += 2;
      while (lexer->at < lexer->sql.size && !(peek(lexer, 0) == '*' && peek(lexer, 1) == '/')) {
        lexer->at++;
      }
      if (lexer->at >= lexer->sql.size) return endless("a comment", err);
      lexer->at += 2;
    } else {
      return AP_OK;
    }
  }
}

/* What Spark puts for the character behind a backslash; '%' and '_' keep it, for LIKE. */
static void append_escape(struct ap_buffer *out, char c) {
  static const char from[] = "0bnrtZ";
  static const char to[] = {'\0', '\b', '\n', '\r', '\t', 26};
  const char *found = c != '\0' ? strchr(from, c) : NULL;
  if (found) c = to[found - from];
  if (c == '%' || c == '_') ap_buffer_append_string(out, "\\");
  ap_buffer_append(out, &c, 1);
}

static ap_status take_quoted(struct lexer *lexer, struct token *out_token, ap_error *err) {
  char quote = peek(lexer, 0);
  bool is_name = quote == (lexer->spark ? '`' : '"');
  bool escapes = lexer->spark && !is_name;
  size_t start = lexer->at++;
  ap_buffer_clear(&lexer->value);
  for (;; lexer->at++) {
    if (lexer->at >= lexer->sql.size) return endless(is_name ? "a quoted name" : "a string", err);
    char c = peek(lexer, 0);
    if (c == quote && peek(lexer, 1) == quote) {
      lexer->at++;
    } else if (c == quote) {
      break;
    } else if (escapes && c == '\\' && lexer->at + 1 < lexer->sql.size) {
      lexer->at++;
      append_escape(&lexer->value, peek(lexer, 0));
      continue;
    }
    ap_buffer_append(&lexer->value, &c, 1);
  }
  lexer->at++;
  out_token->kind = is_name ? TOKEN_NAME : TOKEN_TEXT;
  out_token->source = (struct ap_text){lexer->sql.data + start, lexer->at - start};
  out_token->value = ap_buffer_text(&lexer->value);
  return ap_buffer_check(&lexer->value, err);
}

static void take_number(struct lexer *lexer) {
  while (is_digit(peek(lexer, 0)) || peek(lexer, 0) == '.') lexer->at++;
  bool exponent = (peek(lexer, 0) == 'e' || peek(lexer, 0) == 'E') &&
                  (is_digit(peek(lexer, 1)) ||
                   ((peek(lexer, 1) == '-' || peek(lexer, 1) == '+') && is_digit(peek(lexer, 2))));
  if (exponent) {
    lexer->at += 2;
    while (is_digit(peek(lexer, 0))) lexer->at++;
  }
  while (is_letter(peek(lexer, 0))) lexer->at++; /* Spark's suffixes */
}

static ap_status next(struct lexer *lexer, struct token *out_token, ap_error *err) {
  AP_TRY(skip_blank(lexer, err));
  char c = peek(lexer, 0);
  *out_token = (struct token){.kind = TOKEN_END};
  if (lexer->at >= lexer->sql.size) return AP_OK;
  if (c == '\'' || c == '"' || (c == '`' && lexer->spark)) {
    return take_quoted(lexer, out_token, err);
  }
  size_t start = lexer->at;
  if (is_letter(c)) {
    out_token->kind = TOKEN_WORD;
    while (is_letter(peek(lexer, 0)) || is_digit(peek(lexer, 0))) lexer->at++;
  } else if (is_digit(c) || (c == '.' && is_digit(peek(lexer, 1)))) {
    out_token->kind = TOKEN_NUMBER;
    take_number(lexer);
  } else {
    out_token->kind = TOKEN_SYMBOL;
    lexer->at++;
  }
  out_token->source = (struct ap_text){lexer->sql.data + start, lexer->at - start};
  out_token->value = out_token->source;
  return AP_OK;
}

static bool is_word(const struct token *token, const char *word) {
  return token->kind == TOKEN_WORD && ap_text_equal_ignoring_case(token->source, ap_text_of(word));
}

static bool is_symbol(const struct token *token, char symbol) {
  return token->kind == TOKEN_SYMBOL && token->source.data[0] == symbol;
}

static bool is_among(struct ap_text word, const char *const *words, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (ap_text_equal_ignoring_case(word, ap_text_of(words[i]))) return true;
  }
  return false;
}

static ap_status refuse(const char *what, struct ap_text token, ap_error *err) {
  ap_status status = AP_FAIL(err, AP_UNSUPPORTED,
                             "expression: %s '%.*s' is not one that every engine of Delta tables "
                             "reads alike",
                             what, AP_TEXT_ARG(token));
  ap_error_hint(err,
                "use comparisons, arithmetic, AND, OR, NOT, IN, BETWEEN, LIKE, IS NULL, CASE, "
                "CAST and functions such as abs, round, length, lower, coalesce, year");
  return status;
}

/* ---- translating ----------------------------------------------------------------------------- */

struct translation {
  struct lexer lexer;
  struct ap_buffer *out;
  struct token previous; /* its value is not valid any more, its source is */
  uint32_t depth;
};

static void append_text(struct translation *translation, struct ap_text text) {
  struct ap_buffer *out = translation->out;
  if (translation->lexer.spark) {
    ap_buffer_append_literal(out, text);
    return;
  }
  ap_buffer_append_string(out, "'");
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    if (c == '\'' || c == '\\') ap_buffer_append_string(out, "\\");
    ap_buffer_append(out, &c, 1);
  }
  ap_buffer_append_string(out, "'");
}

static void append_name(struct translation *translation, struct ap_text name) {
  struct ap_buffer *out = translation->out;
  if (translation->lexer.spark) {
    ap_buffer_append_identifier(out, name);
    return;
  }
  ap_buffer_append_string(out, "`");
  for (size_t i = 0; i < name.size; i++) {
    ap_buffer_append(out, &name.data[i], 1);
    if (name.data[i] == '`') ap_buffer_append_string(out, "`");
  }
  ap_buffer_append_string(out, "`");
}

static ap_status append_type(struct translation *translation, struct ap_text word, ap_error *err) {
  for (size_t i = 0; i < COUNT_OF(types); i++) {
    bool spark = translation->lexer.spark;
    const char *from = spark ? types[i].spark : types[i].engine;
    if (!ap_text_equal_ignoring_case(word, ap_text_of(from))) continue;
    ap_buffer_append_string(translation->out, spark ? types[i].engine : types[i].spark);
    return AP_OK;
  }
  return refuse("type", word, err);
}

/* The token behind the one just taken, without taking it. */
static struct token following(struct translation *translation) {
  struct lexer ahead = translation->lexer;
  struct token token;
  ap_buffer_init(&ahead.value, translation->lexer.value.allocator);
  if (next(&ahead, &token, NULL) != AP_OK) token = (struct token){.kind = TOKEN_END};
  ap_buffer_deinit(&ahead.value);
  return token;
}

/* current_timestamp and current_date have parentheses in Spark and none in the engine. */
static ap_status append_current(struct translation *translation, struct ap_text word,
                                ap_error *err) {
  struct token after = following(translation);
  ap_buffer_append_text(translation->out, word);
  if (!translation->lexer.spark) ap_buffer_append_string(translation->out, "()");
  if (!is_symbol(&after, '(')) return AP_OK;
  struct token token;
  AP_TRY(next(&translation->lexer, &token, err));
  AP_TRY(next(&translation->lexer, &token, err));
  return is_symbol(&token, ')') ? AP_OK : refuse("argument of function", word, err);
}

static ap_status append_word(struct translation *translation, const struct token *token,
                             ap_error *err) {
  static const char *const literals[] = {"DATE", "TIMESTAMP", "TIMESTAMP_NTZ", "TIMESTAMPTZ"};
  struct token after = following(translation);
  if (is_word(token, "select") || is_word(token, "exists")) {
    return refuse("subquery", token->source, err);
  }
  bool is_literal =
      after.kind == TOKEN_TEXT && is_among(token->source, literals, COUNT_OF(literals));
  bool behind_as = translation->previous.source.size > 0 && is_word(&translation->previous, "as");
  if (is_literal || behind_as) return append_type(translation, token->source, err);
  if (is_word(token, "current_timestamp") || is_word(token, "current_date")) {
    return append_current(translation, token->source, err);
  }
  bool called = is_symbol(&after, '(');
  if (called && !is_among(token->source, keywords, COUNT_OF(keywords)) &&
      !is_among(token->source, functions, COUNT_OF(functions))) {
    return refuse("function", token->source, err);
  }
  if (translation->lexer.spark && is_among(token->source, reserved, COUNT_OF(reserved))) {
    append_name(translation, token->source);
    return AP_OK;
  }
  ap_buffer_append_text(translation->out, token->source);
  return AP_OK;
}

/* 10L, 5S and 1Y are integers in Spark; other suffixes change what a number is. */
static ap_status append_number(struct translation *translation, const struct token *token,
                               ap_error *err) {
  struct ap_text number = token->source;
  char last = number.data[number.size - 1];
  if (translation->lexer.spark && number.size > 1 && strchr("LlSsYy", last)) number.size--;
  for (size_t i = 0; i < number.size; i++) {
    char c = number.data[i];
    if (is_letter(c) && c != 'e' && c != 'E') return refuse("number", token->source, err);
  }
  ap_buffer_append_text(translation->out, number);
  return AP_OK;
}

static ap_status append_symbol(struct translation *translation, const struct token *token,
                               ap_error *err) {
  struct lexer *lexer = &translation->lexer;
  char c = token->source.data[0];
  char after = peek(lexer, 0);
  if (!strchr("(),.+-*/%=<>!|&~", c) || (c == '/' && after == '/') || (c == '*' && after == '*')) {
    return refuse("symbol", token->source, err);
  }
  if (c == '(') translation->depth++;
  if (c == ')' && translation->depth-- == 0) return refuse("symbol", token->source, err);
  if (lexer->spark && c == '<' && after == '=' && peek(lexer, 1) == '>') {
    lexer->at += 2;
    ap_buffer_append_string(translation->out, "IS NOT DISTINCT FROM");
    return AP_OK;
  }
  if (c == '!' && after != '=') {
    if (!lexer->spark) return refuse("symbol", token->source, err);
    ap_buffer_append_string(translation->out, "NOT");
    return AP_OK;
  }
  ap_buffer_append(translation->out, &c, 1);
  bool two = (after == '=' && strchr("<>!=", c)) || (c == '<' && after == '>') ||
             (c == '|' && after == '|');
  if (two) {
    ap_buffer_append(translation->out, &after, 1);
    lexer->at++;
  }
  return AP_OK;
}

static ap_status append_token(struct translation *translation, const struct token *token,
                              ap_error *err) {
  switch (token->kind) {
    case TOKEN_WORD:
      return append_word(translation, token, err);
    case TOKEN_NUMBER:
      return append_number(translation, token, err);
    case TOKEN_SYMBOL:
      return append_symbol(translation, token, err);
    case TOKEN_NAME:
      append_name(translation, token->value);
      return AP_OK;
    case TOKEN_TEXT:
      /* a backslash in a pattern is an escape in one dialect only; raw strings r'..' likewise */
      if (is_word(&translation->previous, "like") &&
          memchr(token->value.data, '\\', token->value.size)) {
        return refuse("pattern", token->source, err);
      }
      append_text(translation, token->value);
      return AP_OK;
    case TOKEN_END:
      break;
  }
  return AP_OK;
}

static ap_status translate(struct ap_text sql, bool from_spark, struct ap_buffer *out,
                           ap_error *err) {
  struct translation translation = {.lexer = {.sql = sql, .spark = from_spark}, .out = out};
  struct token token;
  size_t end = 0;
  ap_status status = AP_OK;
  ap_buffer_init(&translation.lexer.value, out->allocator);
  if (!ap_text_is_utf8(sql)) status = AP_FAIL(err, AP_SYNTAX, "the expression is not UTF-8");
  while (status == AP_OK) {
    status = next(&translation.lexer, &token, err);
    if (status != AP_OK || token.kind == TOKEN_END) break;
    bool apart = end > 0 && token.source.data > sql.data + end;
    bool glued = translation.previous.kind == TOKEN_WORD && token.kind == TOKEN_TEXT;
    if (glued && !apart) {
      status = refuse("string", token.source, err); /* E'..', r'..', X'..' */
      break;
    }
    if (apart) ap_buffer_append_string(out, " ");
    status = append_token(&translation, &token, err);
    translation.previous = token;
    end = translation.lexer.at;
  }
  ap_buffer_deinit(&translation.lexer.value);
  if (status == AP_OK && translation.depth > 0) status = endless("a parenthesis", err);
  if (status == AP_OK && end == 0) status = AP_FAIL(err, AP_SYNTAX, "the expression is empty");
  return status == AP_OK ? ap_buffer_check(out, err) : status;
}

ap_status ap_expression_to_spark(struct ap_text engine_sql, struct ap_buffer *out, ap_error *err) {
  return translate(engine_sql, false, out, err);
}

ap_status ap_expression_from_spark(struct ap_text spark_sql, struct ap_buffer *out, ap_error *err) {
  return translate(spark_sql, true, out, err);
}

bool ap_expression_mentions(struct ap_text spark_sql, struct ap_text column) {
  struct lexer lexer = {.sql = spark_sql, .spark = true};
  struct token token;
  bool found = false;
  ap_buffer_init(&lexer.value, ap_allocator_system());
  for (;;) {
    /* what cannot be read may mention anything */
    if (next(&lexer, &token, NULL) != AP_OK) {
      found = true;
      break;
    }
    if (token.kind == TOKEN_END) break;
    bool is_name = token.kind == TOKEN_WORD || token.kind == TOKEN_NAME;
    if (is_name && ap_text_equal_ignoring_case(token.value, column)) found = true;
  }
  ap_buffer_deinit(&lexer.value);
  return found;
}
