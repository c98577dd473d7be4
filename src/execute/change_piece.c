/* SPDX-License-Identifier: Apache-2.0
 *
 * Pieces of a changing statement that may call its frame by a longer name: in the composed query
 * the frame is called by its last name alone, so hive.box.frame.column becomes frame.column. Left
 * as they are: pieces with subqueries, where another frame of that name may be in reach, and names
 * that may be columns.
 */
#include "execute/change.h"
#include "plan/tokenizer.h"

static bool is_name(const struct ap_token *token) {
  return token->kind == AP_TOKEN_WORD || token->kind == AP_TOKEN_QUOTED;
}

static bool is_dot(const struct ap_token *token) {
  return token->kind == AP_TOKEN_SYMBOL && ap_text_equal(token->source, AP_TEXT("."));
}

static bool is_called(const struct ap_token *token, struct ap_text name) {
  return is_name(token) && ap_text_equal_ignoring_case(token->value, name);
}

/* How many tokens of hive . box . stand before the frame's name and a column; 0: none. */
static uint32_t qualifier(const struct ap_change *change, const struct ap_token *tokens,
                          uint32_t count) {
  const struct ap_frame_entry *entry = &change->frame->entry;
  const struct ap_text parts[] = {entry->hive, entry->box, entry->name};
  for (uint32_t first = 0; first < 2; ++first) {
    uint32_t at = 0;
    bool fits = ap_schema_find(&change->snapshot->schema, parts[first]) < 0;
    for (uint32_t part = first; part < 3 && fits; ++part, at += 2) {
      fits = at + 2 < count && is_called(&tokens[at], parts[part]) && is_dot(&tokens[at + 1]);
    }
    if (fits) return at - 2;
  }
  return 0;
}

static ap_status read_tokens(struct ap_change *change, struct ap_text piece,
                             struct ap_token **out_tokens, uint32_t *out_count, ap_error *err) {
  struct ap_tokenizer tokenizer;
  uint32_t room = (uint32_t)piece.size + 1;
  struct ap_token *tokens = AP_ARENA_ARRAY(&change->arena, struct ap_token, room);
  if (tokens == NULL) return AP_FAIL_MEMORY(err);
  ap_tokenizer_init(&tokenizer, &change->arena, piece);
  for (*out_count = 0; *out_count < room; ++*out_count) {
    AP_TRY(ap_tokenizer_next(&tokenizer, &tokens[*out_count], err));
    if (tokens[*out_count].kind == AP_TOKEN_END) break;
  }
  *out_tokens = tokens;
  return AP_OK;
}

static bool has_query(const struct ap_token *tokens, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    if (tokens[i].kind != AP_TOKEN_WORD) continue;
    if (ap_text_equal_ignoring_case(tokens[i].value, AP_TEXT("FROM"))) return true;
    if (ap_text_equal_ignoring_case(tokens[i].value, AP_TEXT("TABLE"))) return true;
  }
  return false;
}

void ap_change_add_piece(struct ap_change *change, struct ap_text piece) {
  struct ap_composition *out = &change->composition;
  struct ap_token *tokens = NULL;
  uint32_t count = 0;
  const char *done = piece.data;
  const char *end = piece.data + piece.size;
  bool is_plain = change->spec->alias.size == 0 && piece.size < AP_CHANGE_PIECE_BYTES_MAX &&
                  read_tokens(change, piece, &tokens, &count, NULL) == AP_OK &&
                  !has_query(tokens, count);
  for (uint32_t i = 0; is_plain && i < count; ++i) {
    if (i > 0 && is_dot(&tokens[i - 1])) continue;
    uint32_t skipped = qualifier(change, &tokens[i], count - i);
    if (skipped == 0) continue;
    const char *start = tokens[i].source.data;
    if (start > done) ap_composition_piece(out, (struct ap_text){done, (size_t)(start - done)});
    i += skipped;
    done = tokens[i].source.data;
  }
  ap_composition_piece(out, (struct ap_text){done, (size_t)(end - done)});
}
