/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose column a name is, by the engine's rules, or nobody's when that is not certain: two items of
 * one name, an item whose columns are unknown beside an unqualified name, USING and NATURAL columns
 * (which stand in two items).
 * Thread: the arena's.
 */
#include "plan/prune_expr.h"

#include <string.h>

enum { ITEMS_INITIAL = 8 };

static struct ap_text text_of(const struct ap_json *node, const char *name) {
  struct ap_text text;
  if (!ap_json_get_text(node, name, (struct ap_text){0}, &text)) return (struct ap_text){0};
  return text;
}

static ap_status push_item(struct ap_arena *arena, struct ap_prune_scope *scope,
                           const struct ap_prune_item *item, ap_error *err) {
  if (scope->count == scope->capacity) {
    uint32_t capacity = scope->capacity ? scope->capacity * 2 : ITEMS_INITIAL;
    struct ap_prune_item *larger = AP_ARENA_ARRAY(arena, struct ap_prune_item, capacity);
    if (!larger) return AP_FAIL_MEMORY(err);
    if (scope->count) memcpy(larger, scope->items, scope->count * sizeof(*larger));
    scope->items = larger;
    scope->capacity = capacity;
  }
  scope->items[scope->count++] = *item;
  return AP_OK;
}

static struct ap_prune_item item_of(const struct ap_tree *tree,
                                    const struct ap_prune_frame *const *frames,
                                    const struct ap_json *node, struct ap_text type) {
  struct ap_prune_item item = {.name = text_of(node, "alias"), .reference = -1};
  item.has_alias = item.name.size > 0;
  if (ap_text_equal_string(type, "BASE_TABLE")) {
    if (!item.has_alias) item.name = text_of(node, "table_name");
    item.schema = text_of(node, "schema_name");
    item.catalog = text_of(node, "catalog_name");
    for (uint32_t i = 0; i < tree->reference_count; i++) {
      const struct ap_reference *reference = &tree->references[i];
      if (reference->node != node) continue;
      item.reference = (int32_t)i;
      if (!reference->renames_columns) item.frame = frames[i];
    }
  } else if (!item.has_alias && ap_text_equal_string(type, "TABLE_FUNCTION")) {
    item.name = text_of(ap_json_find(node, "function"), "function_name");
  } else if (!item.has_alias && ap_text_equal_string(type, "SUBQUERY")) {
    item.name = AP_TEXT("unnamed_subquery");
  }
  return item;
}

/* The recursion is bounded by the tree's nesting. */
static ap_status add_items(struct ap_arena *arena, const struct ap_tree *tree,
                           const struct ap_prune_frame *const *frames, const struct ap_json *node,
                           struct ap_prune_scope *scope, ap_error *err) {
  struct ap_text type = text_of(node, "type");
  if (ap_text_equal_string(type, "EMPTY")) return AP_OK;
  if (!ap_text_equal_string(type, "JOIN")) {
    struct ap_prune_item item = item_of(tree, frames, node, type);
    return push_item(arena, scope, &item, err);
  }
  if (text_of(node, "alias").size > 0) scope->opaque = true;
  AP_TRY(add_items(arena, tree, frames, ap_json_find(node, "left"), scope, err));
  return add_items(arena, tree, frames, ap_json_find(node, "right"), scope, err);
}

ap_status ap_prune_scope_make(struct ap_arena *arena, const struct ap_tree *tree,
                              const struct ap_prune_frame *const *frames,
                              const struct ap_json *select, struct ap_prune_scope *out_scope,
                              ap_error *err) {
  *out_scope = (struct ap_prune_scope){.count = 0};
  return add_items(arena, tree, frames, ap_json_find(select, "from_table"), out_scope, err);
}

/* The field of that name, ASCII case ignored; -1 when there is none or more than one. */
static int64_t find_field(const struct ap_prune_frame *frame, struct ap_text name) {
  int64_t found = -1;
  for (uint32_t i = 0; i < frame->schema->field_count; i++) {
    if (!ap_text_equal_ignoring_case(frame->schema->fields[i].name, name)) continue;
    if (found >= 0) return -1;
    found = i;
  }
  return found;
}

static bool has_field(const struct ap_prune_frame *frame, struct ap_text name) {
  for (uint32_t i = 0; i < frame->schema->field_count; i++) {
    if (ap_text_equal_ignoring_case(frame->schema->fields[i].name, name)) return true;
  }
  return false;
}

static const struct ap_prune_item *only_item_named(const struct ap_prune_scope *scope,
                                                   struct ap_text name) {
  const struct ap_prune_item *found = NULL;
  for (uint32_t i = 0; i < scope->count; i++) {
    if (!ap_text_equal_ignoring_case(scope->items[i].name, name)) continue;
    if (found) return NULL;
    found = &scope->items[i];
  }
  return found;
}

static const struct ap_prune_item *item_of_plain_name(const struct ap_prune_scope *scope,
                                                      struct ap_text name) {
  const struct ap_prune_item *found = NULL;
  for (uint32_t i = 0; i < scope->count; i++) {
    const struct ap_prune_item *item = &scope->items[i];
    if (!item->frame) return NULL;
    if (!has_field(item->frame, name)) continue;
    if (found) return NULL;
    found = item;
  }
  return found;
}

/* schema.table.column and catalog.schema.table.column, as written in FROM. */
static const struct ap_prune_item *item_of_path(const struct ap_prune_scope *scope,
                                                const struct ap_json *names) {
  uint32_t table = names->count - 2;
  const struct ap_prune_item *item = only_item_named(scope, names->items[table].text);
  if (!item || item->has_alias) return NULL;
  if (!ap_text_equal_ignoring_case(item->schema, names->items[table - 1].text)) return NULL;
  if (table == 2 && !ap_text_equal_ignoring_case(item->catalog, names->items[0].text)) return NULL;
  return item;
}

bool ap_prune_scope_resolve(const struct ap_prune_scope *scope, const struct ap_json *names,
                            uint32_t *out_reference, uint32_t *out_field) {
  if (scope->opaque || !names || names->kind != AP_JSON_ARRAY) return false;
  if (names->count < 1 || names->count > 4) return false;
  for (uint32_t i = 0; i < names->count; i++) {
    if (names->items[i].kind != AP_JSON_STRING) return false;
  }
  struct ap_text column = names->items[names->count - 1].text;
  const struct ap_prune_item *item = names->count == 1 ? item_of_plain_name(scope, column)
                                     : names->count == 2
                                         ? only_item_named(scope, names->items[0].text)
                                         : item_of_path(scope, names);
  if (!item || !item->frame || item->reference < 0) return false;
  int64_t field = find_field(item->frame, column);
  if (field < 0) return false;
  *out_reference = (uint32_t)item->reference;
  *out_field = (uint32_t)field;
  return true;
}
