/* SPDX-License-Identifier: Apache-2.0
 *
 * SQL text while it is still being typed: its tokens, and where a statement ends.
 *
 * The rules are the library's own (fuzz/splitter_fuzz.c compares them), but nothing is an error:
 * what has no end yet is open. Pure.
 */
#ifndef CLI_STATEMENT_H
#define CLI_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>

enum cli_token_kind {
  CLI_TOKEN_END,
  CLI_TOKEN_WORD,   /* a bare name or keyword */
  CLI_TOKEN_QUOTED, /* "name" */
  CLI_TOKEN_STRING, /* 'text', E'text', $$text$$ */
  CLI_TOKEN_NUMBER,
  CLI_TOKEN_PARAMETER, /* ?, $1, $name */
  CLI_TOKEN_SYMBOL,    /* any other byte */
};

struct cli_token {
  enum cli_token_kind kind;
  const char *data; /* as written, quotes included */
  size_t size;
  bool is_open; /* a quote, or before the end a comment, that is not closed */
};

/* The token at or behind *at, which moves behind it; END for ever at the end. */
struct cli_token cli_token_next(const char *text, size_t size, size_t *at);
/* Whether a token is this word, in any case of letters. */
bool cli_token_is(const struct cli_token *token, const char *word);

/* The size of the first statement with its semicolon; 0 when it is not complete. *scanned, 0 at
 * first, is where to go on when more text comes behind the same. */
size_t cli_statement_size(const char *text, size_t size, size_t *scanned);
/* Nothing but space, comments and semicolons. */
bool cli_statement_is_blank(const char *text, size_t size);
/* Whether the last statement does something rather than gives rows (USE, CREATE, INSERT, ...), by
 * its first word. */
bool cli_statement_is_deed(const char *text, size_t size);
/* Whether the text may hold a password or a key, which no history should keep. */
bool cli_statement_is_secret(const char *text, size_t size);

#endif
