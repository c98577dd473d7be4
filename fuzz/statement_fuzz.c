/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as SQL: refused as AP_SYNTAX with a message, or cut into statements whose texts lie in
 * the input one behind the other, and which are the same statements when each is read alone.
 */
#include "fuzz/fuzz.h"

#include "base/assert.h"
#include "plan/statement.h"
#include "plan/travel.h"

static bool lies_in(struct ap_text part, struct ap_text whole) {
  return part.size == 0 ||
         (part.data >= whole.data && part.data + part.size <= whole.data + whole.size);
}

static void check_statement(const struct ap_statement *statement, struct ap_text sql) {
  AP_ASSERT(statement->text.size > 0 && lies_in(statement->text, sql));
  AP_ASSERT(statement->head.size > 0 && lies_in(statement->body, statement->text));
  AP_ASSERT(statement->name.count <= 3);
  for (uint32_t i = 0; i < statement->name.count; i++) {
    AP_ASSERT(statement->name.parts[i].size > 0);
  }
  for (uint32_t i = 0; i < statement->column_count; i++) {
    AP_ASSERT(statement->columns[i].name.size > 0);
    bool is_view = statement->kind == AP_STATEMENT_CREATE_VIEW;
    AP_ASSERT(is_view || statement->columns[i].type.size > 0);
    AP_ASSERT(lies_in(statement->columns[i].type, statement->text));
  }
}

static void check_alone(const struct ap_statement *statement) {
  struct ap_arena arena;
  struct ap_statement *again = NULL;
  uint32_t count = 0;
  ap_arena_init(&arena, ap_allocator_system());
  AP_ASSERT(ap_statements_parse(&arena, statement->text, &again, &count, NULL) == AP_OK);
  AP_ASSERT(count == 1 && again->kind == statement->kind);
  AP_ASSERT(ap_text_equal(again->text, statement->text));
  AP_ASSERT(ap_text_equal(again->head, statement->head));
  AP_ASSERT(again->name.count == statement->name.count);
  ap_arena_deinit(&arena);
}

/* Without time travel, also within what time travel was asked for: it is as long as before, or a
 * little longer where there were no blanks. */
static struct ap_text without_travel(struct ap_arena *arena, struct ap_text sql) {
  struct ap_text rewritten = sql;
  for (;;) {
    struct ap_text next;
    if (ap_travel_rewrite(arena, rewritten, &next, NULL) != AP_OK) return rewritten;
    AP_ASSERT(next.size >= rewritten.size);
    if (next.data == rewritten.data) return rewritten;
    AP_ASSERT(next.size <= rewritten.size + sql.size);
    rewritten = next;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ap_arena arena;
  struct ap_statement *statements = NULL;
  uint32_t count = 0;
  ap_error err = {0};
  struct ap_text sql = {(const char *)data, size};
  ap_arena_init(&arena, ap_allocator_system());
  if (ap_text_is_utf8(sql)) sql = without_travel(&arena, sql);
  ap_status status = ap_statements_parse(&arena, sql, &statements, &count, &err);
  bool is_refused = status == AP_SYNTAX || status == AP_UNSUPPORTED;
  AP_ASSERT(status == AP_OK || (is_refused && err.message[0] != '\0'));
  const char *before = sql.data;
  for (uint32_t i = 0; status == AP_OK && i < count; i++) {
    check_statement(&statements[i], sql);
    AP_ASSERT(statements[i].text.data >= before);
    before = statements[i].text.data + statements[i].text.size;
    check_alone(&statements[i]);
  }
  ap_arena_deinit(&arena);
  return 0;
}
