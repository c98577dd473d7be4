/* SPDX-License-Identifier: Apache-2.0
 *
 * The tokenizer: one function per kind of token. Each starts at the token's first byte and leaves
 * the tokenizer behind its last.
 * Thread: the tokenizer's.
 */
#include "plan/tokenizer.h"

#include <string.h>

void ap_tokenizer_init(struct ap_tokenizer *tokenizer, struct ap_arena *arena, struct ap_text sql) {
  *tokenizer = (struct ap_tokenizer){.arena = arena, .sql = sql};
}

void ap_sql_place(struct ap_text sql, size_t offset, unsigned *out_line, unsigned *out_column) {
  unsigned line = 1;
  unsigned column = 1;
  for (size_t i = 0; i < offset && i < sql.size; i++) {
    unsigned char byte = (unsigned char)sql.data[i];
    if (byte == '\n') {
      line++;
      column = 1;
    } else if ((byte & 0xC0) != 0x80) {
      column++;
    }
  }
  *out_line = line;
  *out_column = column;
}

/* 0 beyond the end, which no token contains. */
static char byte_at(const struct ap_tokenizer *tokenizer, size_t offset) {
  return offset < tokenizer->sql.size ? tokenizer->sql.data[offset] : '\0';
}

static bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

static bool starts_word(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_' ||
         (unsigned char)byte >= 0x80;
}

static bool continues_word(char byte) {
  return starts_word(byte) || is_digit(byte) || byte == '$';
}

static ap_status fail_at(const struct ap_tokenizer *tokenizer, size_t offset, const char *what,
                         ap_error *err) {
  unsigned line;
  unsigned column;
  ap_sql_place(tokenizer->sql, offset, &line, &column);
  (void)AP_FAIL(err, AP_SYNTAX, "line %u, column %u: %s", line, column, what);
  ap_error_position(err, offset);
  return AP_SYNTAX;
}

/* Bytes of the blank at offset, 0 when there is none. The engine takes Unicode's spaces, which
 * come with pasted text, for blanks too. */
static size_t blank_size(const struct ap_tokenizer *tokenizer, size_t offset) {
  static const char *const wide[] = {"\xC2\xA0", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80",
                                     "\xEF\xBB\xBF"};
  char byte = byte_at(tokenizer, offset);
  if (byte == ' ' || (byte >= '\t' && byte <= '\r')) return 1;
  if ((unsigned char)byte < 0xC2) return 0;
  struct ap_text rest = {tokenizer->sql.data + offset, tokenizer->sql.size - offset};
  for (size_t i = 0; i < sizeof(wide) / sizeof(*wide); i++) {
    if (ap_text_starts_with(rest, ap_text_of(wide[i]))) return strlen(wide[i]);
  }
  if (ap_text_starts_with(rest, AP_TEXT("\xE2\x80")) && rest.size >= 3 &&
      (unsigned char)rest.data[2] >= 0x80 && (unsigned char)rest.data[2] <= 0x8D) {
    return 3;
  }
  return 0;
}

static ap_status skip_block_comment(struct ap_tokenizer *tokenizer, ap_error *err) {
  size_t start = tokenizer->at;
  size_t depth = 0;
  do {
    char byte = byte_at(tokenizer, tokenizer->at);
    char next = byte_at(tokenizer, tokenizer->at + 1);
    if (tokenizer->at >= tokenizer->sql.size) {
      return fail_at(tokenizer, start, "a comment without its end: expected */", err);
    }
    if (byte == '/' && next == '*') {
      depth++;
      tokenizer->at += 2;
    } else if (byte == '*' && next == '/') {
      depth--;
      tokenizer->at += 2;
    } else {
      tokenizer->at++;
    }
  } while (depth > 0);
  return AP_OK;
}

/* To the end of the line, which to the engine is a carriage return as well. */
static void skip_line_comment(struct ap_tokenizer *tokenizer) {
  while (tokenizer->at < tokenizer->sql.size) {
    char byte = tokenizer->sql.data[tokenizer->at];
    if (byte == '\n' || byte == '\r') return;
    tokenizer->at++;
  }
}

static ap_status skip_blanks(struct ap_tokenizer *tokenizer, ap_error *err) {
  for (;;) {
    size_t blank = blank_size(tokenizer, tokenizer->at);
    char byte = byte_at(tokenizer, tokenizer->at);
    char next = byte_at(tokenizer, tokenizer->at + 1);
    if (blank > 0) {
      tokenizer->at += blank;
    } else if (byte == '-' && next == '-') {
      skip_line_comment(tokenizer);
    } else if (byte == '/' && next == '*') {
      AP_TRY(skip_block_comment(tokenizer, err));
    } else {
      return AP_OK;
    }
  }
}

/* Quotes doubled inside are one quote of the value. */
static ap_status take_quoted(struct ap_tokenizer *tokenizer, char quote, struct ap_text *out_value,
                             ap_error *err) {
  size_t start = tokenizer->at;
  size_t doubled = 0;
  for (tokenizer->at++;; tokenizer->at++) {
    if (tokenizer->at >= tokenizer->sql.size) {
      return fail_at(tokenizer, start,
                     quote == '"' ? "a quoted identifier without its end: expected \""
                                  : "a string without its end: expected '",
                     err);
    }
    if (byte_at(tokenizer, tokenizer->at) != quote) continue;
    if (byte_at(tokenizer, tokenizer->at + 1) != quote) break;
    tokenizer->at++;
    doubled++;
  }
  const char *from = tokenizer->sql.data + start + 1;
  size_t size = tokenizer->at - start - 1;
  tokenizer->at++;
  *out_value = (struct ap_text){from, size};
  if (doubled == 0) return AP_OK;
  char *copy = ap_arena_allocate(tokenizer->arena, size - doubled + 1);
  if (!copy) return AP_FAIL_MEMORY(err);
  size_t used = 0;
  for (size_t i = 0; i < size; i++) {
    copy[used++] = from[i];
    if (from[i] == quote) i++;
  }
  copy[used] = '\0';
  *out_value = (struct ap_text){copy, used};
  return AP_OK;
}

/* E'...': only its extent and the plain escapes matter here; the engine reads it again. */
static ap_status take_escape_string(struct ap_tokenizer *tokenizer, struct ap_text *out_value,
                                    ap_error *err) {
  size_t start = tokenizer->at;
  size_t end = start + 2;
  for (;; end++) {
    char byte = byte_at(tokenizer, end);
    if (end >= tokenizer->sql.size) {
      return fail_at(tokenizer, start, "a string without its end: expected '", err);
    }
    if (byte == '\\' || (byte == '\'' && byte_at(tokenizer, end + 1) == '\'')) {
      end++;
    } else if (byte == '\'') {
      break;
    }
  }
  char *copy = ap_arena_allocate(tokenizer->arena, end - start);
  if (!copy) return AP_FAIL_MEMORY(err);
  size_t used = 0;
  for (size_t i = start + 2; i < end; i++) {
    char byte = byte_at(tokenizer, i);
    if (byte == '\'') i++;
    if (byte == '\\') {
      byte = byte_at(tokenizer, ++i);
      byte = byte == 'n' ? '\n' : byte == 't' ? '\t' : byte == 'r' ? '\r' : byte;
    }
    copy[used++] = byte;
  }
  *out_value = (struct ap_text){copy, used};
  tokenizer->at = end + 1;
  return AP_OK;
}

/* Bytes of the opening $tag$ at offset; 0 when it is none. */
static size_t dollar_tag_size(const struct ap_tokenizer *tokenizer, size_t offset) {
  size_t at = offset + 1;
  if (starts_word(byte_at(tokenizer, at))) {
    while (starts_word(byte_at(tokenizer, at)) || is_digit(byte_at(tokenizer, at))) at++;
  }
  return byte_at(tokenizer, at) == '$' ? at + 1 - offset : 0;
}

static ap_status take_dollar(struct ap_tokenizer *tokenizer, struct ap_token *token,
                             ap_error *err) {
  size_t start = tokenizer->at;
  size_t tag_size = dollar_tag_size(tokenizer, start);
  if (tag_size == 0) {
    token->kind = AP_TOKEN_PARAMETER;
    tokenizer->at++;
    while (continues_word(byte_at(tokenizer, tokenizer->at))) tokenizer->at++;
    return AP_OK;
  }
  struct ap_text tag = {tokenizer->sql.data + start, tag_size};
  for (size_t at = start + tag_size; at + tag_size <= tokenizer->sql.size; at++) {
    if (memcmp(tokenizer->sql.data + at, tag.data, tag_size) != 0) continue;
    token->kind = AP_TOKEN_STRING;
    token->value = (struct ap_text){tag.data + tag_size, at - start - tag_size};
    tokenizer->at = at + tag_size;
    return AP_OK;
  }
  return fail_at(tokenizer, start, "a dollar-quoted string without its end", err);
}

static void take_number(struct ap_tokenizer *tokenizer) {
  while (continues_word(byte_at(tokenizer, tokenizer->at)) ||
         byte_at(tokenizer, tokenizer->at) == '.') {
    tokenizer->at++;
  }
}

static void take_word(struct ap_tokenizer *tokenizer) {
  while (continues_word(byte_at(tokenizer, tokenizer->at)) &&
         blank_size(tokenizer, tokenizer->at) == 0) {
    tokenizer->at++;
  }
}

static ap_status take_token(struct ap_tokenizer *tokenizer, struct ap_token *token, ap_error *err) {
  char byte = byte_at(tokenizer, tokenizer->at);
  char next = byte_at(tokenizer, tokenizer->at + 1);
  if ((byte == 'e' || byte == 'E') && next == '\'') {
    token->kind = AP_TOKEN_STRING;
    return take_escape_string(tokenizer, &token->value, err);
  }
  if (byte == '\'' || byte == '"') {
    token->kind = byte == '"' ? AP_TOKEN_QUOTED : AP_TOKEN_STRING;
    return take_quoted(tokenizer, byte, &token->value, err);
  }
  if (byte == '$') return take_dollar(tokenizer, token, err);
  if (starts_word(byte)) {
    token->kind = AP_TOKEN_WORD;
    take_word(tokenizer);
  } else if (is_digit(byte) || (byte == '.' && is_digit(next))) {
    token->kind = AP_TOKEN_NUMBER;
    take_number(tokenizer);
  } else {
    token->kind = byte == '?' ? AP_TOKEN_PARAMETER : AP_TOKEN_SYMBOL;
    tokenizer->at++;
  }
  return AP_OK;
}

ap_status ap_tokenizer_next(struct ap_tokenizer *tokenizer, struct ap_token *out_token,
                            ap_error *err) {
  AP_TRY(skip_blanks(tokenizer, err));
  size_t start = tokenizer->at;
  *out_token = (struct ap_token){.kind = AP_TOKEN_END};
  if (start < tokenizer->sql.size) AP_TRY(take_token(tokenizer, out_token, err));
  out_token->source = (struct ap_text){tokenizer->sql.data + start, tokenizer->at - start};
  if (out_token->kind == AP_TOKEN_WORD) out_token->value = out_token->source;
  return AP_OK;
}

bool ap_text_has_parameter(struct ap_arena *arena, struct ap_text sql) {
  struct ap_tokenizer tokenizer;
  struct ap_token token;
  ap_tokenizer_init(&tokenizer, arena, sql);
  do {
    if (ap_tokenizer_next(&tokenizer, &token, NULL) != AP_OK) return false;
    if (token.kind == AP_TOKEN_PARAMETER) return true;
  } while (token.kind != AP_TOKEN_END);
  return false;
}
