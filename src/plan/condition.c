/* SPDX-License-Identifier: Apache-2.0
 *
 * See condition.h.
 */
#include "plan/condition.h"

#include "plan/tokenizer.h"

static ap_status fail(struct ap_text condition, const char *what, ap_error *err) {
  ap_status status =
      AP_FAIL(err, AP_SYNTAX, "the condition '%.*s' %s", AP_TEXT_ARG(condition), what);
  ap_error_hint(err, "give what could stand between WHERE and the end of a query: a = 1 AND b > 2");
  return status;
}

static ap_status check(struct ap_text condition, struct ap_arena *arena, ap_error *err) {
  struct ap_tokenizer tokenizer;
  struct ap_token token;
  size_t depth = 0;
  size_t count = 0;
  if (!ap_text_is_utf8(condition)) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "a condition is not UTF-8 text");
  }
  ap_tokenizer_init(&tokenizer, arena, condition);
  for (;; ++count) {
    ap_status status = ap_tokenizer_next(&tokenizer, &token, err);
    if (status != AP_OK) {
      return ap_error_prefix(err, status, "the condition '%.*s'", AP_TEXT_ARG(condition));
    }
    if (token.kind == AP_TOKEN_END) break;
    if (token.kind != AP_TOKEN_SYMBOL) continue;
    char symbol = token.source.data[0];
    if (symbol == ';') return fail(condition, "holds the end of a statement", err);
    if (symbol == '(') depth += 1;
    if (symbol != ')') continue;
    if (depth == 0) return fail(condition, "has a ')' too many", err);
    depth -= 1;
  }
  if (depth > 0) return fail(condition, "has a '(' without its ')'", err);
  return count > 0 ? AP_OK : fail(condition, "is empty", err);
}

ap_status ap_condition_append(struct ap_buffer *out, struct ap_text condition, ap_error *err) {
  struct ap_arena arena;
  ap_arena_init(&arena, out->allocator);
  ap_status status = check(condition, &arena, err);
  ap_arena_deinit(&arena);
  if (status != AP_OK) return status;
  ap_buffer_append_string(out, "(");
  ap_buffer_append_text(out, condition);
  ap_buffer_append_string(out, "\n)"); /* a comment may close the text */
  return ap_buffer_check(out, err);
}
