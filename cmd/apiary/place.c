/* SPDX-License-Identifier: Apache-2.0
 *
 * See place.h.
 */
#include "place.h"

#include "width.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_COLUMNS_MAX = 100, COLUMNS_BEFORE = 60 };

#define GAP "…"

/* The start of the character that many columns before `at`, or of the line. */
static const char *step_back(const char *line, const char *at, size_t columns) {
  while (at > line) {
    const char *before = at - 1;
    while (before > line && ((unsigned char)*before & 0xc0) == 0x80) --before;
    size_t width = cli_width_of(before, (size_t)(at - before));
    if (width > columns) break;
    columns -= width;
    at = before;
  }
  return at;
}

void cli_place_append(struct cli_text *text, const char *sql, size_t offset, bool color,
                      unsigned *out_line) {
  size_t size = strlen(sql);
  if (offset > size) offset = size;
  const char *at = sql + offset;
  /* What is missing at the end is missed behind the last word. */
  if (*at == '\0') {
    while (at > sql && strchr(" \t\r\n;", at[-1]) != NULL) --at;
  }
  const char *line = at;
  while (line > sql && line[-1] != '\n') --line;
  *out_line = 1;
  for (const char *i = sql; i < line; ++i) *out_line += *i == '\n';
  const char *end = line + strcspn(line, "\r\n");
  if (at > end) at = end;
  const char *start = line;
  bool is_long = cli_width_of(line, (size_t)(end - line)) > LINE_COLUMNS_MAX;
  if (is_long && cli_width_of(line, (size_t)(at - line)) > COLUMNS_BEFORE) {
    start = step_back(line, at, COLUMNS_BEFORE);
  }
  size_t margin = text->size;
  bool is_one = strchr(sql, '\n') == NULL || sql[strcspn(sql, "\n") + 1] == '\0';
  if (is_one) {
    cli_text_append_string(text, "  ");
  } else {
    cli_text_append_format(text, "%4u | ", *out_line);
  }
  margin = text->size - margin;
  if (start > line) cli_text_append_string(text, GAP);
  (void)cli_width_append(text, start, (size_t)(end - start), LINE_COLUMNS_MAX);
  cli_text_append_char(text, '\n');
  cli_text_append_repeated(text, " ", margin + (start > line ? 1 : 0));
  cli_text_append_repeated(text, " ", cli_width_of(start, (size_t)(at - start)));
  cli_text_append_string(text, color ? "\033[1;31m^\033[0m\n" : "^\n");
}

/* "line 2, column 7: " at the start. */
static size_t words_size(const char *message) {
  const char *at = message;
  if (strncmp(at, "line ", 5) != 0) return 0;
  at += 5 + strspn(at + 5, "0123456789");
  if (strncmp(at, ", column ", 9) != 0) return 0;
  at += 9 + strspn(at + 9, "0123456789");
  return strncmp(at, ": ", 2) == 0 ? (size_t)(at - message) + 2 : 0;
}

void cli_place_trim(const char **message, size_t *size) {
  const char *text = *message + words_size(*message);
  const char *end = strstr(text, "\n\nLINE ");
  const char *byte = strstr(text, " (at byte ");
  if (end == NULL || (byte != NULL && byte < end)) end = byte;
  *size = end == NULL ? strlen(text) : (size_t)(end - text);
  *message = text;
}
