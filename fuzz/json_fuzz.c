/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as JSON: refused as AP_CORRUPT, or read, written, read again and written again with the
 * same outcome. Every member is also asked for by name and type.
 */
#include "fuzz/fuzz.h"

#include "base/assert.h"
#include "base/json.h"

static void ask_for_members(const struct ap_json *value) {
  if (value->kind == AP_JSON_ARRAY) {
    for (uint32_t i = 0; i < value->count; i++) ask_for_members(&value->items[i]);
  }
  if (value->kind != AP_JSON_OBJECT) return;
  for (uint32_t i = 0; i < value->count && i < 16; i++) {
    const char *name = value->members[i].name.data;
    struct ap_text text;
    int64_t number;
    bool flag;
    (void)ap_json_get_text(value, name, AP_TEXT("fallback"), &text);
    (void)ap_json_get_i64(value, name, 0, &number);
    (void)ap_json_get_bool(value, name, false, &flag);
    if (value->members[i].value.kind == AP_JSON_NUMBER) {
      double real;
      (void)ap_text_parse_f64(value->members[i].value.text, &real);
    }
    AP_ASSERT(ap_text_is_utf8(value->members[i].name));
  }
  for (uint32_t i = 0; i < value->count; i++) ask_for_members(&value->members[i].value);
}

/* False when it is no JSON. */
static bool read_and_write(struct ap_text input, struct ap_buffer *out) {
  struct ap_arena arena;
  ap_arena_init(&arena, ap_allocator_system());
  const struct ap_json *value = NULL;
  ap_error err = {0};
  ap_status status = ap_json_parse(&arena, input, &value, &err);
  AP_ASSERT(status == AP_OK || (status == AP_CORRUPT && err.message[0] != '\0'));
  if (status == AP_OK) {
    ask_for_members(value);
    struct ap_json_writer writer;
    ap_json_writer_init(&writer, out);
    ap_json_value(&writer, value);
    AP_ASSERT(writer.depth == 0 && ap_buffer_check(out, NULL) == AP_OK);
  }
  ap_arena_deinit(&arena);
  return status == AP_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ap_buffer first;
  struct ap_buffer second;
  ap_buffer_init(&first, ap_allocator_system());
  ap_buffer_init(&second, ap_allocator_system());
  if (read_and_write((struct ap_text){(const char *)data, size}, &first)) {
    bool again = read_and_write(ap_buffer_text(&first), &second);
    AP_ASSERT(again && ap_text_equal(ap_buffer_text(&first), ap_buffer_text(&second)));
  }
  ap_buffer_deinit(&first);
  ap_buffer_deinit(&second);
  return 0;
}
