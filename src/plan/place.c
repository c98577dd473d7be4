/* SPDX-License-Identifier: Apache-2.0
 *
 * See place.h. The engine's drawing: "\n\nLINE 2: " and the line, cut to "..." on either side when
 * it is long, tabs as spaces; below it a caret, indented by columns of a terminal.
 */
#include "plan/place.h"

#include "plan/tokenizer.h"

#include <string.h>

#define CUT "..."

struct drawing {
  unsigned line;        /* from 1 */
  struct ap_text shown; /* of the line */
  size_t columns;       /* before the caret, within shown */
};

static bool read_drawing(const char *message, struct drawing *out) {
  static const char mark[] = "\nLINE ";
  const char *at = NULL;
  for (const char *next = strstr(message, mark); next; next = strstr(next + 1, mark)) at = next;
  if (!at) return false;
  const char *start = at + 1;
  out->line = 0;
  for (at += sizeof(mark) - 1; *at >= '0' && *at <= '9' && out->line < 100000000; at++) {
    out->line = out->line * 10 + (unsigned)(*at - '0');
  }
  if (out->line == 0 || at[0] != ':' || at[1] != ' ') return false;
  at += 2;
  size_t margin = (size_t)(at - start);
  const char *end = strchr(at, '\n');
  if (!end) return false;
  out->shown = (struct ap_text){at, (size_t)(end - at)};
  size_t spaces = strspn(end + 1, " ");
  if (end[1 + spaces] != '^' || spaces < margin) return false;
  out->columns = spaces - margin;
  return true;
}

/* The engine counts carriage returns, too. */
static bool is_line_end(char byte) {
  return byte == '\n' || byte == '\r';
}

static bool find_line(struct ap_text sql, unsigned line, struct ap_text *out_line) {
  size_t start = 0;
  for (; line > 1; line--) {
    while (start < sql.size && !is_line_end(sql.data[start])) start++;
    if (start == sql.size) return false;
    start++;
  }
  size_t end = start;
  while (end < sql.size && !is_line_end(sql.data[end])) end++;
  *out_line = (struct ap_text){sql.data + start, end - start};
  return true;
}

static bool is_shown_at(struct ap_text line, size_t at, struct ap_text shown) {
  if (line.size - at < shown.size) return false;
  for (size_t i = 0; i < shown.size; i++) {
    char byte = line.data[at + i];
    if (byte != shown.data[i] && !(byte == '\t' && shown.data[i] == ' ')) return false;
  }
  return true;
}

/* Columns of a character: wide ones are those of East Asia, and pictures. */
static size_t columns_of(struct ap_text text, size_t size) {
  uint32_t character = (unsigned char)text.data[0];
  if (size > 1) {
    character &= 0x7Fu >> size;
    for (size_t i = 1; i < size; i++) {
      character = character << 6 | ((unsigned char)text.data[i] & 0x3Fu);
    }
  }
  if (character >= 0x300 && character < 0x370) return 0; /* combining */
  bool wide =
      (character >= 0x1100 && character < 0x1160) || (character >= 0x2E80 && character < 0xA4D0) ||
      (character >= 0xAC00 && character < 0xD7A4) || (character >= 0xF900 && character < 0xFB00) ||
      (character >= 0xFF00 && character < 0xFF61) ||
      (character >= 0x1F300 && character < 0x1F650) ||
      (character >= 0x1F900 && character < 0x1FA00) ||
      (character >= 0x20000 && character < 0x40000);
  return wide ? 2 : 1;
}

/* The byte of the text at so many columns. */
static size_t byte_at_column(struct ap_text text, size_t columns) {
  size_t at = 0;
  while (at < text.size && columns > 0) {
    struct ap_text rest = {text.data + at, text.size - at};
    size_t size = ap_text_utf8_size(rest);
    size_t wide = size == 0 ? 1 : columns_of(rest, size);
    if (wide > columns) break;
    columns -= wide;
    at += size == 0 ? 1 : size;
  }
  return at;
}

/* Where in the line the shown part begins; what stands for cut text is taken off it and off the
 * columns. */
static bool find_shown(struct ap_text line, struct drawing *drawing, size_t *out_start) {
  struct ap_text *shown = &drawing->shown;
  *out_start = 0;
  if (shown->size == line.size && is_shown_at(line, 0, *shown)) return true;
  bool cut_before = ap_text_starts_with(*shown, AP_TEXT(CUT));
  if (ap_text_ends_with(*shown, AP_TEXT(CUT)) && shown->size > strlen(CUT)) {
    shown->size -= strlen(CUT);
    if (is_shown_at(line, 0, *shown)) return true;
  }
  if (!cut_before || drawing->columns < strlen(CUT) || shown->size <= strlen(CUT)) return false;
  *shown = (struct ap_text){shown->data + strlen(CUT), shown->size - strlen(CUT)};
  drawing->columns -= strlen(CUT);
  size_t found = 0;
  for (size_t at = 1; at + shown->size <= line.size; at++) {
    if (!is_shown_at(line, at, *shown)) continue;
    *out_start = at;
    found++;
  }
  return found == 1;
}

bool ap_sql_find_place(struct ap_text sql, const char *message, size_t *out_offset) {
  struct drawing drawing;
  struct ap_text line;
  size_t start = 0;
  if (!read_drawing(message, &drawing) || !find_line(sql, drawing.line, &line) ||
      !find_shown(line, &drawing, &start)) {
    return false;
  }
  *out_offset =
      (size_t)(line.data - sql.data) + start + byte_at_column(drawing.shown, drawing.columns);
  return true;
}

struct ap_text ap_sql_last_statement(struct ap_arena *arena, struct ap_text sql) {
  struct ap_tokenizer tokenizer;
  struct ap_token token = {.kind = AP_TOKEN_END};
  struct ap_text last = {0};
  bool is_first = true;
  ap_tokenizer_init(&tokenizer, arena, sql);
  while (ap_tokenizer_next(&tokenizer, &token, NULL) == AP_OK && token.kind != AP_TOKEN_END) {
    bool ends = token.kind == AP_TOKEN_SYMBOL && token.source.data[0] == ';';
    if (!ends && is_first) last.data = token.source.data;
    if (!ends) last.size = (size_t)(token.source.data + token.source.size - last.data);
    is_first = ends;
  }
  return last;
}
