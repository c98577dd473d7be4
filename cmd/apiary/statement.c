/* SPDX-License-Identifier: Apache-2.0
 *
 * See statement.h. The rules of PostgreSQL's lexer as the engine has them: comments nest, a
 * backslash escapes in E'' alone, a word may hold '$', Unicode's spaces are spaces.
 */
#include "statement.h"

#include <string.h>
#include <strings.h>

struct reader {
  const char *text;
  size_t size;
  size_t at;
};

/* 0 beyond the end, which no token contains. */
static char byte_at(const struct reader *reader, size_t at) {
  return at < reader->size ? reader->text[at] : '\0';
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

/* ---- blanks ---------------------------------------------------------------------------------- */

static size_t blank_size(const struct reader *reader, size_t at) {
  static const char *const wide[] = {"\xC2\xA0", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80",
                                     "\xEF\xBB\xBF"};
  char byte = byte_at(reader, at);
  size_t left = at < reader->size ? reader->size - at : 0;
  if (byte == ' ' || (byte >= '\t' && byte <= '\r')) return 1;
  if ((unsigned char)byte < 0xC2) return 0;
  for (size_t i = 0; i < sizeof wide / sizeof wide[0]; ++i) {
    size_t size = strlen(wide[i]);
    if (left >= size && memcmp(reader->text + at, wide[i], size) == 0) return size;
  }
  bool is_space = left >= 3 && memcmp(reader->text + at, "\xE2\x80", 2) == 0 &&
                  (unsigned char)reader->text[at + 2] >= 0x80 &&
                  (unsigned char)reader->text[at + 2] <= 0x8D;
  return is_space ? 3 : 0;
}

/* False when the comment does not end. */
static bool skip_comment(struct reader *reader) {
  size_t depth = 0;
  do {
    char byte = byte_at(reader, reader->at);
    char next = byte_at(reader, reader->at + 1);
    if (reader->at >= reader->size) return false;
    bool is_pair = (byte == '/' && next == '*') || (byte == '*' && next == '/');
    if (is_pair) depth = byte == '/' ? depth + 1 : depth - 1;
    reader->at += is_pair ? 2 : 1;
  } while (depth > 0);
  return true;
}

/* False when a comment does not end. */
static bool skip_blanks(struct reader *reader) {
  for (;;) {
    size_t blank = blank_size(reader, reader->at);
    char byte = byte_at(reader, reader->at);
    char next = byte_at(reader, reader->at + 1);
    if (blank > 0) {
      reader->at += blank;
    } else if (byte == '-' && next == '-') {
      while (reader->at < reader->size && reader->text[reader->at] != '\n' &&
             reader->text[reader->at] != '\r') {
        ++reader->at;
      }
    } else if (byte == '/' && next == '*') {
      if (!skip_comment(reader)) return false;
    } else {
      return true;
    }
  }
}

/* ---- tokens ---------------------------------------------------------------------------------- */

/* False when the quote is not closed. */
static bool take_quoted(struct reader *reader, char quote, bool escapes) {
  for (; reader->at < reader->size; ++reader->at) {
    char byte = reader->text[reader->at];
    if ((escapes && byte == '\\') || (byte == quote && byte_at(reader, reader->at + 1) == quote)) {
      ++reader->at;
    } else if (byte == quote) {
      ++reader->at;
      return true;
    }
  }
  reader->at = reader->size;
  return false;
}

/* $$text$$ or $tag$text$tag$, else $1 or $name. */
static enum cli_token_kind take_dollar(struct reader *reader, bool *is_open) {
  size_t start = reader->at;
  size_t at = start + 1;
  if (starts_word(byte_at(reader, at))) {
    while (starts_word(byte_at(reader, at)) || is_digit(byte_at(reader, at))) ++at;
  }
  if (byte_at(reader, at) != '$') {
    ++reader->at;
    while (continues_word(byte_at(reader, reader->at))) ++reader->at;
    return CLI_TOKEN_PARAMETER;
  }
  size_t tag = at + 1 - start;
  for (at = start + tag; at + tag <= reader->size; ++at) {
    if (memcmp(reader->text + at, reader->text + start, tag) != 0) continue;
    reader->at = at + tag;
    return CLI_TOKEN_STRING;
  }
  *is_open = true;
  reader->at = reader->size;
  return CLI_TOKEN_STRING;
}

static enum cli_token_kind take(struct reader *reader, bool *is_open) {
  char byte = byte_at(reader, reader->at);
  char next = byte_at(reader, reader->at + 1);
  bool escapes = (byte == 'e' || byte == 'E') && next == '\'';
  if (escapes || byte == '\'' || byte == '"') {
    reader->at += escapes ? 2 : 1;
    *is_open = !take_quoted(reader, byte == '"' ? '"' : '\'', escapes);
    return byte == '"' ? CLI_TOKEN_QUOTED : CLI_TOKEN_STRING;
  }
  if (byte == '$') return take_dollar(reader, is_open);
  if (starts_word(byte)) {
    while (continues_word(byte_at(reader, reader->at)) && blank_size(reader, reader->at) == 0) {
      ++reader->at;
    }
    return CLI_TOKEN_WORD;
  }
  if (is_digit(byte) || (byte == '.' && is_digit(next))) {
    while (continues_word(byte_at(reader, reader->at)) || byte_at(reader, reader->at) == '.') {
      ++reader->at;
    }
    return CLI_TOKEN_NUMBER;
  }
  ++reader->at;
  return byte == '?' ? CLI_TOKEN_PARAMETER : CLI_TOKEN_SYMBOL;
}

struct cli_token cli_token_next(const char *text, size_t size, size_t *at) {
  struct reader reader = {text, size, *at};
  struct cli_token token = {.kind = CLI_TOKEN_END};
  size_t begin = reader.at;
  token.is_open = !skip_blanks(&reader);
  size_t start = token.is_open ? begin : reader.at;
  if (!token.is_open && reader.at < size) token.kind = take(&reader, &token.is_open);
  *at = reader.at;
  token.data = text + start;
  token.size = reader.at - start;
  return token;
}

bool cli_token_is(const struct cli_token *token, const char *word) {
  return token->kind == CLI_TOKEN_WORD && strlen(word) == token->size &&
         strncasecmp(token->data, word, token->size) == 0;
}

/* ---- statements ------------------------------------------------------------------------------ */

size_t cli_statement_size(const char *text, size_t size, size_t *scanned) {
  for (;;) {
    size_t at = *scanned;
    struct cli_token token = cli_token_next(text, size, &at);
    /* What is open is looked at again, with what comes. */
    if (token.is_open || token.kind == CLI_TOKEN_END) return 0;
    *scanned = at;
    if (token.kind == CLI_TOKEN_SYMBOL && token.data[0] == ';') return at;
  }
}

bool cli_statement_is_blank(const char *text, size_t size) {
  size_t at = 0;
  for (;;) {
    struct cli_token token = cli_token_next(text, size, &at);
    if (token.is_open) return false;
    if (token.kind == CLI_TOKEN_END) return true;
    if (token.kind != CLI_TOKEN_SYMBOL || token.data[0] != ';') return false;
  }
}

bool cli_statement_is_deed(const char *text, size_t size) {
  static const char *const words[] = {"use",      "create",  "drop",       "alter",   "rename",
                                      "insert",   "update",  "delete",     "merge",   "set",
                                      "copy",     "reset",   "begin",      "start",   "commit",
                                      "rollback", "prepare", "deallocate", "truncate"};
  struct cli_token first = {.kind = CLI_TOKEN_END};
  size_t at = 0;
  bool is_first = true;
  for (;;) {
    struct cli_token token = cli_token_next(text, size, &at);
    if (token.kind == CLI_TOKEN_END) break;
    bool ends = token.kind == CLI_TOKEN_SYMBOL && token.data[0] == ';';
    if (!ends && is_first) first = token;
    is_first = ends;
  }
  for (size_t i = 0; i < sizeof words / sizeof words[0]; ++i) {
    if (cli_token_is(&first, words[i])) return true;
  }
  return false;
}

static bool holds(const char *text, size_t size, const char *part) {
  size_t wanted = strlen(part);
  for (size_t at = 0; at + wanted <= size; ++at) {
    if (strncasecmp(text + at, part, wanted) == 0) return true;
  }
  return false;
}

/* user:password@host behind "://". */
static bool holds_login(const char *text, size_t size) {
  for (size_t at = 0; at + 3 < size; ++at) {
    if (memcmp(text + at, "://", 3) != 0) continue;
    bool has_colon = false;
    for (size_t i = at + 3; i < size && strchr("/ \t\r\n'\"", text[i]) == NULL; ++i) {
      if (text[i] == '@' && has_colon) return true;
      has_colon = has_colon || text[i] == ':';
    }
  }
  return false;
}

bool cli_statement_is_secret(const char *text, size_t size) {
  static const char *const parts[] = {"secret",     "password",   "passwd",       "credential",
                                      "access_key", "accesskey",  "account_key",  "accountkey",
                                      "api_key",    "apikey",     "private_key",  "session_token",
                                      "auth_token", "passphrase", "bearer_token", "sas_token"};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; ++i) {
    if (holds(text, size, parts[i])) return true;
  }
  return holds_login(text, size);
}
