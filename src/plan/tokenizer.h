/* SPDX-License-Identifier: Apache-2.0
 *
 * SQL text as tokens, by the engine's lexical rules: quoted identifiers, strings, E'' strings,
 * dollar quotes, nested comments, parameters. Symbols are single bytes; no operator needs more
 * here. Pure; a tokenizer belongs to one thread. Does not know keywords: see statement.c.
 */
#ifndef AP_PLAN_TOKENIZER_H
#define AP_PLAN_TOKENIZER_H

#include "base/text.h"

enum ap_token_kind {
  AP_TOKEN_END,
  AP_TOKEN_WORD,      /* bare identifier or keyword */
  AP_TOKEN_QUOTED,    /* "identifier" */
  AP_TOKEN_STRING,    /* 'text', E'text', $$text$$ */
  AP_TOKEN_NUMBER,    /* not checked beyond its extent */
  AP_TOKEN_PARAMETER, /* ?, $1, $name */
  AP_TOKEN_SYMBOL,    /* any other byte */
};

struct ap_token {
  enum ap_token_kind kind;
  struct ap_text source; /* as written, quotes included */
  struct ap_text value;  /* of words, quoted identifiers and strings: unquoted */
};

struct ap_tokenizer {
  struct ap_arena *arena; /* for values that differ from their source */
  struct ap_text sql;
  size_t at;
};

/* sql must be UTF-8 and outlive the tokens. */
void ap_tokenizer_init(struct ap_tokenizer *tokenizer, struct ap_arena *arena, struct ap_text sql);

/* The next token; END for ever at the end. AP_SYNTAX with its place when a quote or comment does
 * not end. */
AP_MUST_CHECK ap_status ap_tokenizer_next(struct ap_tokenizer *tokenizer,
                                          struct ap_token *out_token, ap_error *err);

/* Whether a text has parameters; false when it cannot be read. Arena memory is used. */
bool ap_text_has_parameter(struct ap_arena *arena, struct ap_text sql);

/* Line and column (in characters), both from 1, of a byte of sql. */
void ap_sql_place(struct ap_text sql, size_t offset, unsigned *out_line, unsigned *out_column);

#endif
