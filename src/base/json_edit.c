/* SPDX-License-Identifier: Apache-2.0
 *
 * See json_edit.h. Arrays grow by a copy: documents are small and edits few.
 */
#include "base/json_edit.h"

#include "base/assert.h"

#include <inttypes.h>
#include <string.h>

ap_status ap_json_parse_editable(struct ap_arena *arena, struct ap_text input,
                                 struct ap_json **out_value, ap_error *err) {
  const struct ap_json *value = NULL;
  AP_TRY(ap_json_parse(arena, input, &value, err));
  *out_value = (struct ap_json *)(uintptr_t)value; /* the arena's memory, and nobody else's yet */
  return AP_OK;
}

struct ap_json ap_json_of_text(struct ap_text text) {
  return (struct ap_json){.kind = AP_JSON_STRING, .text = text};
}

struct ap_json ap_json_of_bool(bool value) {
  return (struct ap_json){.kind = value ? AP_JSON_TRUE : AP_JSON_FALSE};
}

bool ap_json_of_i64(struct ap_arena *arena, int64_t number, struct ap_json *out_value) {
  const char *text = ap_arena_format(arena, "%" PRId64, number);
  *out_value = (struct ap_json){.kind = AP_JSON_NUMBER, .text = ap_text_of(text)};
  return text != NULL;
}

struct ap_json *ap_json_edit_find(struct ap_json *object, struct ap_text name) {
  if (!object || object->kind != AP_JSON_OBJECT) return NULL;
  for (uint32_t i = object->count; i > 0; i--) {
    if (ap_text_equal(object->members[i - 1].name, name)) return &object->members[i - 1].value;
  }
  return NULL;
}

bool ap_json_edit_set(struct ap_arena *arena, struct ap_json *object, struct ap_text name,
                      struct ap_json value) {
  AP_ASSERT(object->kind == AP_JSON_OBJECT);
  struct ap_json *found = ap_json_edit_find(object, name);
  if (found) {
    *found = value;
    return true;
  }
  struct ap_json_member *members = AP_ARENA_ARRAY(arena, struct ap_json_member, object->count + 1);
  if (!members) return false;
  if (object->count > 0) memcpy(members, object->members, object->count * sizeof(*members));
  members[object->count] = (struct ap_json_member){name, value};
  object->members = members;
  object->count += 1;
  return true;
}

bool ap_json_edit_remove(struct ap_json *object, struct ap_text name) {
  if (!object || object->kind != AP_JSON_OBJECT) return false;
  uint32_t kept = 0;
  for (uint32_t i = 0; i < object->count; i++) {
    if (ap_text_equal(object->members[i].name, name)) continue;
    object->members[kept++] = object->members[i];
  }
  bool removed = kept < object->count;
  object->count = kept;
  return removed;
}

bool ap_json_edit_insert(struct ap_arena *arena, struct ap_json *array, uint32_t index,
                         struct ap_json value) {
  AP_ASSERT(array->kind == AP_JSON_ARRAY && index <= array->count);
  struct ap_json *items = AP_ARENA_ARRAY(arena, struct ap_json, array->count + 1);
  if (!items) return false;
  for (uint32_t i = 0; i < array->count; i++) items[i < index ? i : i + 1] = array->items[i];
  items[index] = value;
  array->items = items;
  array->count += 1;
  return true;
}

void ap_json_edit_take(struct ap_json *array, uint32_t index) {
  AP_ASSERT(array->kind == AP_JSON_ARRAY && index < array->count);
  for (uint32_t i = index + 1; i < array->count; i++) array->items[i - 1] = array->items[i];
  array->count -= 1;
}

void ap_json_edit_move(struct ap_json *array, uint32_t from, uint32_t to) {
  AP_ASSERT(array->kind == AP_JSON_ARRAY && from < array->count && to < array->count);
  struct ap_json moved = array->items[from];
  for (uint32_t i = from; i < to; i++) array->items[i] = array->items[i + 1];
  for (uint32_t i = from; i > to; i--) array->items[i] = array->items[i - 1];
  array->items[to] = moved;
}
