/* SPDX-License-Identifier: Apache-2.0
 *
 * See composition.h.
 */
#include "plan/composition.h"

#include "base/assert.h"
#include "plan/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECES_INITIAL = 8 };

void ap_composition_init(struct ap_composition *composition, struct ap_arena *arena,
                         struct ap_text statement) {
  *composition = (struct ap_composition){.arena = arena, .statement = statement};
  ap_buffer_init(&composition->text, arena->allocator);
}

void ap_composition_deinit(struct ap_composition *composition) {
  ap_buffer_deinit(&composition->text);
}

void ap_composition_add(struct ap_composition *composition, const char *words) {
  ap_buffer_append_string(&composition->text, words);
}

void ap_composition_name(struct ap_composition *composition, struct ap_text name) {
  ap_buffer_append_identifier(&composition->text, name);
}

/* How many "?" stand in the statement before a byte. */
static uint32_t count_parameters(struct ap_composition *composition, const char *end) {
  struct ap_tokenizer tokenizer;
  struct ap_token token;
  uint32_t count = 0;
  ap_tokenizer_init(&tokenizer, composition->arena, composition->statement);
  for (;;) {
    if (ap_tokenizer_next(&tokenizer, &token, NULL) != AP_OK) break;
    if (token.kind == AP_TOKEN_END || token.source.data >= end) break;
    if (token.kind == AP_TOKEN_PARAMETER && token.source.data[0] == '?') count++;
  }
  return count;
}

/* The piece with its "?" numbered. */
static void append_numbered(struct ap_composition *composition, struct ap_text piece) {
  uint32_t number = count_parameters(composition, piece.data);
  struct ap_tokenizer tokenizer;
  struct ap_token token;
  const char *done = piece.data;
  ap_tokenizer_init(&tokenizer, composition->arena, piece);
  while (ap_tokenizer_next(&tokenizer, &token, NULL) == AP_OK && token.kind != AP_TOKEN_END) {
    if (token.kind != AP_TOKEN_PARAMETER || token.source.data[0] != '?') continue;
    number++;
    ap_buffer_append(&composition->text, done, (size_t)(token.source.data - done));
    if (token.source.size == 1) {
      ap_buffer_append_format(&composition->text, "$%u", number);
    } else {
      ap_buffer_append_format(&composition->text, "$%.*s", (int)token.source.size - 1,
                              token.source.data + 1);
    }
    done = token.source.data + token.source.size;
  }
  ap_buffer_append(&composition->text, done, (size_t)(piece.data + piece.size - done));
}

void ap_composition_piece(struct ap_composition *composition, struct ap_text piece) {
  AP_ASSERT(piece.data >= composition->statement.data);
  AP_ASSERT(piece.data + piece.size <= composition->statement.data + composition->statement.size);
  if (composition->piece_count == composition->piece_room) {
    uint32_t room = composition->piece_room ? composition->piece_room * 2 : PIECES_INITIAL;
    struct ap_composition_piece *pieces =
        AP_ARENA_ARRAY(composition->arena, struct ap_composition_piece, room);
    if (!pieces) {
      composition->failed = true;
      return;
    }
    for (uint32_t i = 0; i < composition->piece_count; i++) pieces[i] = composition->pieces[i];
    composition->pieces = pieces;
    composition->piece_room = room;
  }
  ap_composition_add(composition, "\n");
  struct ap_composition_piece *kept = &composition->pieces[composition->piece_count++];
  *kept = (struct ap_composition_piece){.at = composition->text.size, .source = piece};
  if (piece.size > 0 && memchr(piece.data, '?', piece.size)) {
    append_numbered(composition, piece);
  } else {
    ap_buffer_append_text(&composition->text, piece);
  }
  kept->size = composition->text.size - kept->at;
  ap_composition_add(composition, "\n"); /* a comment may close the piece */
}

ap_status ap_composition_check(const struct ap_composition *composition, ap_error *err) {
  if (composition->failed) return AP_FAIL_MEMORY(err);
  return ap_buffer_check(&composition->text, err);
}

/* ---- places ---------------------------------------------------------------------------------- */

static const struct ap_composition_piece *piece_of(const struct ap_composition *composition,
                                                   size_t offset) {
  for (uint32_t i = 0; i < composition->piece_count; i++) {
    const struct ap_composition_piece *piece = &composition->pieces[i];
    if (offset >= piece->at && offset <= piece->at + piece->size) return piece;
  }
  return NULL;
}

/* The first byte of a line, from 1; the text's size when there are fewer. */
static size_t line_start(struct ap_text text, unsigned line) {
  size_t at = 0;
  while (line > 1 && at < text.size) {
    const char *end = memchr(text.data + at, '\n', text.size - at);
    if (!end) return text.size;
    at = (size_t)(end - text.data) + 1;
    line--;
  }
  return line > 1 ? text.size : at;
}

/* The user's line of a line of the text; 0: it is none of the user's. */
static unsigned user_line(const struct ap_composition *composition, unsigned line) {
  struct ap_text text = ap_buffer_text(&composition->text);
  size_t start = line_start(text, line);
  const struct ap_composition_piece *piece = piece_of(composition, start);
  if (!piece || start == text.size) return 0;
  unsigned first = 0;
  unsigned column = 0;
  ap_sql_place(composition->statement, (size_t)(piece->source.data - composition->statement.data),
               &first, &column);
  for (size_t i = piece->at; i < start; i++) first += text.data[i] == '\n' ? 1 : 0;
  return first;
}

/* Put words in place of message[from, to), as far as there is room. */
static void replace(char *message, char *from, char *to, const char *words) {
  char rest[AP_ERROR_MESSAGE_MAX];
  (void)snprintf(rest, sizeof rest, "%s", to);
  size_t room = (size_t)(AP_ERROR_MESSAGE_MAX - (from - message));
  (void)snprintf(from, room, "%s%s", words, rest);
}

static void place_line(const struct ap_composition *composition, unsigned lines_before,
                       ap_error *err) {
  char *found = strstr(err->message, "LINE ");
  if (!found) return;
  char *end = NULL;
  unsigned long line = strtoul(found + 5, &end, 10);
  if (end == found + 5 || *end != ':') return;
  unsigned place = line > lines_before ? user_line(composition, (unsigned)line - lines_before) : 0;
  if (place == 0) {
    while (found > err->message && (found[-1] == '\n' || found[-1] == ' ')) found--;
    *found = '\0';
    return;
  }
  char words[32];
  (void)snprintf(words, sizeof words, "%u", place);
  replace(err->message, found + 5, end, words);
}

static void place_byte(const struct ap_composition *composition, ap_error *err) {
  static const char before[] = " (at byte ";
  static const char after[] = " of the statement)";
  char *found = strstr(err->message, before);
  if (!found) return;
  char *end = NULL;
  unsigned long offset = strtoul(found + sizeof before - 1, &end, 10);
  if (strncmp(end, after, sizeof after - 1) != 0) return;
  end += sizeof after - 1;
  const struct ap_composition_piece *piece = piece_of(composition, offset);
  char words[64] = "";
  if (piece) {
    size_t within = offset - piece->at;
    if (within > piece->source.size) within = piece->source.size;
    unsigned line = 0;
    unsigned column = 0;
    size_t at = (size_t)(piece->source.data - composition->statement.data) + within;
    ap_sql_place(composition->statement, at, &line, &column);
    (void)snprintf(words, sizeof words, " (line %u, column %u)", line, column);
    ap_error_position(err, at);
  }
  replace(err->message, found, end, words);
}

/* Names of our own, which the engine offers among others: they go, quotes and comma too. */
static void hide_own_names(ap_error *err) {
  char *mark;
  while ((mark = strchr(err->message, '\x1f')) != NULL) {
    char *from = mark;
    char *to = mark;
    while (from > err->message && *from != '"' && *from != '\n') from--;
    while (*to != '\0' && *to != '"' && *to != '\n') to++;
    if (*to == '"') to++;
    if (from >= err->message + 2 && strncmp(from - 2, ", ", 2) == 0) {
      from -= 2;
    } else if (strncmp(to, ", ", 2) == 0) {
      to += 2;
    }
    replace(err->message, from, to, "");
  }
}

void ap_composition_place_error(const struct ap_composition *composition, unsigned lines_before,
                                ap_error *err) {
  if (!err || err->code == AP_OK) return;
  err->position = 0; /* it was one in the text */
  place_line(composition, lines_before, err);
  place_byte(composition, err);
  hide_own_names(err);
}
