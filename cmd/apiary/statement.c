/* SPDX-License-Identifier: Apache-2.0
 *
 * See statement.h. The rules of PostgreSQL's lexer, which the engine has too: comments nest,
 * backslashes escape in E'' alone.
 */
#include "statement.h"

#include <string.h>
#include <strings.h>

static bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         (unsigned char)c >= 0x80;
}

/* Behind what opens at `at`; size where it is still open. */
static size_t skip_quoted(const char *text, size_t size, size_t at) {
  char quote = text[at];
  bool escapes = quote == '\'' && at > 0 && (text[at - 1] == 'E' || text[at - 1] == 'e') &&
                 (at == 1 || !is_word(text[at - 2]));
  for (++at; at < size; ++at) {
    if (escapes && text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      if (at + 1 >= size || text[at + 1] != quote) return at + 1;
      ++at;
    }
  }
  return size;
}

static size_t skip_line(const char *text, size_t size, size_t at) {
  const char *end = memchr(text + at, '\n', size - at);
  return end == NULL ? size : (size_t)(end - text) + 1;
}

/* *open tells whether the comment is still open at the end. */
static size_t skip_comment(const char *text, size_t size, size_t at, bool *open) {
  size_t depth = 0;
  while (at < size) {
    bool pair = at + 1 < size;
    if (pair && text[at] == '/' && text[at + 1] == '*') {
      ++depth;
      at += 2;
    } else if (pair && text[at] == '*' && text[at + 1] == '/') {
      at += 2;
      if (--depth == 0) return at;
    } else {
      ++at;
    }
  }
  *open = true;
  return size;
}

/* $$ or $tag$: behind its twin. at + 1 where it opens nothing ($1). */
static size_t skip_dollars(const char *text, size_t size, size_t at) {
  size_t end = at + 1;
  if (end < size && text[end] >= '0' && text[end] <= '9') return end;
  while (end < size && is_word(text[end])) ++end;
  if (end >= size || text[end] != '$') return at + 1;
  size_t tag = end + 1 - at;
  for (size_t i = end + 1; i + tag <= size; ++i) {
    if (memcmp(text + i, text + at, tag) == 0) return i + tag;
  }
  return size;
}

/* Behind whatever starts at `at`; *open when that is a comment without its end. */
static size_t skip(const char *text, size_t size, size_t at, bool *open) {
  char next = at + 1 < size ? text[at + 1] : '\0';
  if (text[at] == '\'' || text[at] == '"') return skip_quoted(text, size, at);
  if (text[at] == '-' && next == '-') return skip_line(text, size, at);
  if (text[at] == '/' && next == '*') return skip_comment(text, size, at, open);
  if (text[at] == '$' && (at == 0 || !is_word(text[at - 1]))) return skip_dollars(text, size, at);
  return at + 1;
}

size_t cli_statement_size(const char *text, size_t size) {
  bool open = false;
  for (size_t at = 0; at < size;) {
    if (text[at] == ';') return at + 1;
    at = skip(text, size, at, &open);
  }
  return 0;
}

bool cli_statement_is_blank(const char *text, size_t size) {
  bool open = false;
  for (size_t at = 0; at < size;) {
    bool is_space = strchr(" \t\r\n;", text[at]) != NULL && text[at] != '\0';
    bool is_comment = at + 1 < size && ((text[at] == '-' && text[at + 1] == '-') ||
                                        (text[at] == '/' && text[at + 1] == '*'));
    if (!is_space && !is_comment) return false;
    at = skip(text, size, at, &open);
  }
  return !open;
}

bool cli_statement_is_deed(const char *text, size_t size) {
  static const char *const words[] = {"use", "create", "drop", "alter"};
  bool open = false;
  size_t first = cli_statement_size(text, size);
  while (first > 0 && !cli_statement_is_blank(text + first, size - first)) {
    text += first;
    size -= first;
    first = cli_statement_size(text, size);
  }
  size_t start = 0;
  while (start < size && !is_word(text[start])) start = skip(text, size, start, &open);
  size_t end = start;
  while (end < size && is_word(text[end])) ++end;
  for (size_t i = 0; i < sizeof words / sizeof words[0]; ++i) {
    bool is_it =
        strlen(words[i]) == end - start && strncasecmp(words[i], text + start, end - start) == 0;
    if (is_it) return true;
  }
  return false;
}
