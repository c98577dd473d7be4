/* SPDX-License-Identifier: Apache-2.0
 *
 * Any UTF-8 as SQL that is being typed: the shell's tokens are the library's, each at its place;
 * what the library refuses for want of an end is open to the shell; and a statement ends at the
 * library's first semicolon.
 */
#include "fuzz/fuzz.h"

#include "base/assert.h"
#include "cmd/apiary/statement.h"
#include "plan/tokenizer.h"

_Static_assert((int)AP_TOKEN_END == (int)CLI_TOKEN_END, "kinds of tokens");
_Static_assert((int)AP_TOKEN_STRING == (int)CLI_TOKEN_STRING, "kinds of tokens");
_Static_assert((int)AP_TOKEN_SYMBOL == (int)CLI_TOKEN_SYMBOL, "kinds of tokens");

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ap_text sql = {(const char *)data, size};
  struct ap_arena arena;
  struct ap_tokenizer tokenizer;
  struct ap_token theirs = {.kind = AP_TOKEN_SYMBOL};
  size_t at = 0;
  size_t end = 0;
  size_t scanned = 0;
  if (size == 0 || !ap_text_is_utf8(sql)) return 0;
  ap_arena_init(&arena, ap_allocator_system());
  ap_tokenizer_init(&tokenizer, &arena, sql);
  bool is_first = true;
  while (theirs.kind != AP_TOKEN_END) {
    ap_status status = ap_tokenizer_next(&tokenizer, &theirs, NULL);
    struct cli_token ours = cli_token_next(sql.data, sql.size, &at);
    AP_ASSERT(ours.is_open == (status == AP_SYNTAX));
    if (ours.is_open) break;
    AP_ASSERT((int)ours.kind == (int)theirs.kind);
    AP_ASSERT(ours.data == theirs.source.data && ours.size == theirs.source.size);
    bool ends = ours.kind == CLI_TOKEN_SYMBOL && ours.data[0] == ';';
    if (ends && is_first) end = at;
    is_first = is_first && !ends;
  }
  AP_ASSERT(cli_statement_size(sql.data, sql.size, &scanned) == end);
  ap_arena_deinit(&arena);
  return 0;
}
