/* SPDX-License-Identifier: Apache-2.0
 *
 * See pivot.h. One pass over the tokens; what is known of each level of parentheses is where its
 * statement begins and whether the tables of a PIVOT are being read.
 */
#include "plan/pivot.h"

#include "plan/tokenizer.h"

enum { LEVELS_MAX = 64, NOT_SKIPPING = -1 };

struct level {
  bool begun;      /* a token stood here */
  bool with;       /* WITH clauses, whose statement is yet to come */
  bool in_tables;  /* between PIVOT and its ON or USING */
  bool joins_bare; /* CROSS, NATURAL, POSITIONAL: the next JOIN has no ON */
  int joins;       /* that still want their ON or USING */
};

struct reader {
  struct ap_buffer *out;
  struct ap_text sql;
  size_t copied; /* bytes of sql that are dealt with */
  struct level levels[LEVELS_MAX];
  int depth;
  int skipping; /* behind ON of a PIVOT of this depth */
  bool found;
};

static bool is_word(const struct ap_token *token, const char *word) {
  return token->kind == AP_TOKEN_WORD &&
         ap_text_equal_ignoring_case(token->value, ap_text_of(word));
}

static bool is_one_of(const struct ap_token *token, const char *const *words, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (is_word(token, words[i])) return true;
  }
  return false;
}

static bool begins_query(const struct ap_token *token) {
  static const char *const words[] = {"SELECT", "FROM", "VALUES", "TABLE", "DESCRIBE", "SUMMARIZE"};
  return is_one_of(token, words, sizeof words / sizeof *words);
}

static bool may_name_tables(const struct ap_token *token) {
  static const char *const words[] = {"PIVOT", "PIVOT_WIDER", "UNPIVOT",   "PIVOT_LONGER",
                                      "UNION", "EXCEPT",      "INTERSECT", "JOIN"};
  return begins_query(token) || is_one_of(token, words, sizeof words / sizeof *words);
}

static bool is_pivot(const struct ap_token *token) {
  return is_word(token, "PIVOT") || is_word(token, "PIVOT_WIDER");
}

static size_t place_of(const struct reader *reader, const struct ap_token *token) {
  return (size_t)(token->source.data - reader->sql.data);
}

static void copy_up_to(struct reader *reader, size_t place) {
  ap_buffer_append(reader->out, reader->sql.data + reader->copied, place - reader->copied);
  reader->copied = place;
}

static ap_status open_level(struct reader *reader, ap_error *err) {
  reader->levels[reader->depth].begun = true;
  if (reader->depth + 1 == LEVELS_MAX) {
    return AP_FAIL(err, AP_UNSUPPORTED, "PIVOT in more than %d levels of parentheses", LEVELS_MAX);
  }
  reader->levels[++reader->depth] = (struct level){0};
  return AP_OK;
}

static void close_level(struct reader *reader, const struct ap_token *token) {
  if (reader->depth == 0) return; /* the engine says what is wrong */
  if (reader->skipping == reader->depth) {
    reader->skipping = NOT_SKIPPING;
    reader->copied = place_of(reader, token);
  }
  reader->depth--;
}

/* Within the tables of a PIVOT: is this the ON or USING behind them? */
static bool ends_tables(struct level *level, const struct ap_token *token) {
  static const char *const bare[] = {"CROSS", "NATURAL", "POSITIONAL"};
  if (is_one_of(token, bare, sizeof bare / sizeof *bare)) level->joins_bare = true;
  if (is_word(token, "JOIN")) {
    level->joins += level->joins_bare ? 0 : 1;
    level->joins_bare = false;
  }
  if (!is_word(token, "ON") && !is_word(token, "USING")) return false;
  if (level->joins == 0) return true;
  level->joins--;
  return false;
}

static void read_word(struct reader *reader, const struct ap_token *token) {
  struct level *level = &reader->levels[reader->depth];
  bool may_begin = !level->begun || level->with;
  if (level->in_tables && ends_tables(level, token)) {
    copy_up_to(reader, place_of(reader, token));
    level->in_tables = false;
    reader->skipping = reader->depth;
  } else if (may_begin && is_pivot(token)) {
    copy_up_to(reader, place_of(reader, token));
    ap_buffer_append_string(reader->out, "SELECT * FROM ");
    reader->copied += token->source.size;
    reader->found = level->in_tables = true;
    level->with = false;
  } else if (!level->begun && is_word(token, "WITH")) {
    level->with = true;
  } else if (begins_query(token)) {
    level->with = false;
  }
  level->begun = true;
}

static ap_status read_token(struct reader *reader, const struct ap_token *token, ap_error *err) {
  bool is_symbol = token->kind == AP_TOKEN_SYMBOL;
  if (is_symbol && token->source.data[0] == '(') return open_level(reader, err);
  if (is_symbol && token->source.data[0] == ')') {
    close_level(reader, token);
  } else if (reader->skipping == NOT_SKIPPING) {
    read_word(reader, token);
  } else if (may_name_tables(token)) {
    ap_status status = AP_FAIL(err, AP_UNSUPPORTED, "%.*s behind ON of a PIVOT without values",
                               AP_TEXT_ARG(token->source));
    ap_error_hint(err, "give PIVOT its values: PIVOT t ON c IN ('a', 'b') USING ...");
    return status;
  }
  return AP_OK;
}

ap_status ap_pivot_append_tables(struct ap_buffer *out, struct ap_arena *arena, struct ap_text sql,
                                 bool *out_found, ap_error *err) {
  struct reader reader = {.out = out, .sql = sql, .skipping = NOT_SKIPPING};
  struct ap_tokenizer tokenizer;
  ap_tokenizer_init(&tokenizer, arena, sql);
  for (;;) {
    struct ap_token token;
    AP_TRY(ap_tokenizer_next(&tokenizer, &token, err));
    if (token.kind == AP_TOKEN_END) break;
    AP_TRY(read_token(&reader, &token, err));
  }
  if (reader.skipping == NOT_SKIPPING) copy_up_to(&reader, sql.size);
  *out_found = reader.found;
  return ap_buffer_check(out, err);
}
