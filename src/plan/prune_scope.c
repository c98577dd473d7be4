/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose column a name is, by the engine's rules, or nobody's when that is not certain: two items of
 * one name, an item whose columns are unknown beside an unqualified name, USING and NATURAL columns
 * (which stand in two items).
 * Thread: the arena's.
 */
#include "plan/prune_expr.h"

#include <string.h>

enum { ITEMS_INITIAL = 8, BRANCHES_MAX = 32 };

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
  struct ap_prune_item item = {.name = text_of(node, "alias"), .reference = -1, .node = node};
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

/* How many steps a path has. */
static uint32_t path_length(const struct ap_tree_step *path) {
  uint32_t count = 0;
  for (; path; path = path->outer) count++;
  return count;
}

/* The SELECTs of a set operation from left to right; the depth is the tree's. */
static ap_status add_branches(struct ap_arena *arena, const struct ap_tree *tree,
                              const struct ap_prune_frame *const *frames,
                              const struct ap_json *node, struct ap_prune_scope_step *step,
                              ap_error *err) {
  if (!node) return AP_OK;
  if (ap_text_equal_string(text_of(node, "type"), "SET_OPERATION_NODE")) {
    AP_TRY(add_branches(arena, tree, frames, ap_json_find(node, "left"), step, err));
    return add_branches(arena, tree, frames, ap_json_find(node, "right"), step, err);
  }
  if (step->branch_count == BRANCHES_MAX) return AP_OK; /* too many: see go_into_branch */
  struct ap_prune_branch *branch = &step->branches[step->branch_count++];
  branch->select = node;
  return add_items(arena, tree, frames, ap_json_find(node, "from_table"), &branch->scope, err);
}

ap_status ap_prune_scope_make(struct ap_arena *arena, const struct ap_tree *tree,
                              const struct ap_prune_frame *const *frames,
                              const struct ap_filter *filter, struct ap_prune_scopes *out_scopes,
                              ap_error *err) {
  uint32_t count = path_length(filter->path);
  *out_scopes = (struct ap_prune_scopes){.step_count = count};
  out_scopes->steps = AP_ARENA_ARRAY(arena, struct ap_prune_scope_step, (size_t)count + 1);
  if (!out_scopes->steps) return AP_FAIL_MEMORY(err);
  AP_TRY(add_items(arena, tree, frames, filter->from, &out_scopes->from, err));
  for (const struct ap_tree_step *from = filter->path; from; from = from->outer) {
    struct ap_prune_scope_step *step = &out_scopes->steps[--count];
    step->step = from;
    AP_TRY(add_items(arena, tree, frames, ap_json_find(from->select, "from_table"), &step->scope,
                     err));
    if (!from->set) continue;
    step->branches = AP_ARENA_ARRAY(arena, struct ap_prune_branch, BRANCHES_MAX);
    if (!step->branches) return AP_FAIL_MEMORY(err);
    AP_TRY(add_branches(arena, tree, frames, from->set, step, err));
  }
  return AP_OK;
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

/* Whether a SELECT in FROM, or a frame, has a column of that name. */
enum has { HAS_NOT, HAS, MAY_HAVE };

static enum has subquery_has(const struct ap_json *node, struct ap_text name);

static enum has item_has(const struct ap_prune_item *item, struct ap_text name) {
  if (!item->frame) return subquery_has(item->node, name);
  for (uint32_t i = 0; i < item->frame->schema->field_count; i++) {
    if (ap_text_equal_ignoring_case(item->frame->schema->fields[i].name, name)) return HAS;
  }
  return HAS_NOT;
}

/* What an expression of a select list is called; empty: that is not certain. */
static struct ap_text output_name(const struct ap_json *expression) {
  struct ap_text alias = text_of(expression, "alias");
  const struct ap_json *names = ap_json_find(expression, "column_names");
  if (alias.size > 0) return alias;
  if (!ap_text_equal_string(text_of(expression, "class"), "COLUMN_REF") || !names ||
      names->kind != AP_JSON_ARRAY || names->count == 0) {
    return (struct ap_text){0};
  }
  return names->items[names->count - 1].text;
}

static enum has subquery_has(const struct ap_json *node, struct ap_text name) {
  const struct ap_json *select = ap_json_find(ap_json_find(node, "subquery"), "node");
  const struct ap_json *list = ap_json_find(select, "select_list");
  const struct ap_json *renamed = ap_json_find(node, "column_name_alias");
  if (!list || list->kind != AP_JSON_ARRAY || (renamed && renamed->count > 0)) return MAY_HAVE;
  enum has has = HAS_NOT;
  for (uint32_t i = 0; i < list->count; i++) {
    struct ap_text own = output_name(&list->items[i]);
    if (own.size == 0) return MAY_HAVE;
    if (ap_text_equal_ignoring_case(own, name)) has = HAS;
  }
  return has;
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

/* Alone in FROM, an item is meant by each name that it may have. */
static const struct ap_prune_item *item_of_plain_name(const struct ap_prune_scope *scope,
                                                      struct ap_text name) {
  const struct ap_prune_item *found = NULL;
  if (scope->count == 1 && item_has(&scope->items[0], name) != HAS_NOT) return &scope->items[0];
  for (uint32_t i = 0; i < scope->count; i++) {
    const struct ap_prune_item *item = &scope->items[i];
    enum has has = item_has(item, name);
    if (has == MAY_HAVE) return NULL;
    if (has == HAS_NOT) continue;
    if (found) return NULL;
    found = item;
  }
  return found;
}

/* schema.table.column and catalog.schema.table.column, as written in FROM. */
static const struct ap_prune_item *item_of_path(const struct ap_prune_scope *scope,
                                                const struct ap_text *names, uint32_t count) {
  uint32_t table = count - 2;
  const struct ap_prune_item *item = only_item_named(scope, names[table]);
  if (!item || item->has_alias) return NULL;
  if (!ap_text_equal_ignoring_case(item->schema, names[table - 1])) return NULL;
  if (table == 2 && !ap_text_equal_ignoring_case(item->catalog, names[0])) return NULL;
  return item;
}

/* A column's names, as they are looked up. */
struct path {
  struct ap_text names[4];
  uint32_t count;
};

static bool read_path(const struct ap_json *names, struct path *out_path) {
  if (!names || names->kind != AP_JSON_ARRAY || names->count < 1 || names->count > 4) return false;
  out_path->count = names->count;
  for (uint32_t i = 0; i < names->count; i++) {
    if (names->items[i].kind != AP_JSON_STRING) return false;
    out_path->names[i] = names->items[i].text;
  }
  return true;
}

static const struct ap_prune_item *find_item(const struct ap_prune_scope *scope,
                                             const struct path *path) {
  if (scope->opaque) return NULL;
  return path->count == 1   ? item_of_plain_name(scope, path->names[0])
         : path->count == 2 ? only_item_named(scope, path->names[0])
                            : item_of_path(scope, path->names, path->count);
}

/* The frame's column that a path means, when it means a frame's. */
static bool find_column(const struct ap_prune_scope *scope, const struct path *path,
                        const struct ap_prune_item **out_item, uint32_t *out_field) {
  const struct ap_prune_item *item = find_item(scope, path);
  if (!item || !item->frame || item->reference < 0) return false;
  int64_t field = find_field(item->frame, path->names[path->count - 1]);
  if (field < 0) return false;
  *out_item = item;
  *out_field = (uint32_t)field;
  return true;
}

/* A star that stands for all columns of the one thing in FROM, as they are. */
static bool is_plain_star(const struct ap_json *expression) {
  static const char *const lists[] = {"exclude_list", "replace_list", "qualified_exclude_list",
                                      "rename_list"};
  bool columns;
  if (!ap_text_equal_string(text_of(expression, "class"), "STAR")) return false;
  for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
    const struct ap_json *list = ap_json_find(expression, lists[i]);
    if (list && !(list->kind == AP_JSON_ARRAY && list->count == 0)) return false;
  }
  return ap_json_get_bool(expression, "columns", true, &columns) && !columns &&
         ap_json_is_null(ap_json_find(expression, "expr"));
}

static bool is_star_select(const struct ap_json *select) {
  const struct ap_json *list = ap_json_find(select, "select_list");
  return list && list->kind == AP_JSON_ARRAY && list->count == 1 && is_plain_star(&list->items[0]);
}

/* Which expression of a select list gives the output column of that name. False when another might
 * have the name, too. */
static bool find_output(const struct ap_json *select, struct ap_text name, uint32_t *out_position) {
  const struct ap_json *list = ap_json_find(select, "select_list");
  uint32_t found = 0;
  if (!list || list->kind != AP_JSON_ARRAY) return false;
  for (uint32_t i = 0; i < list->count; i++) {
    const struct ap_json *expression = &list->items[i];
    struct ap_text own = output_name(expression);
    if (own.size == 0) {
      /* What the engine calls a function's value has brackets. */
      if (!ap_text_equal_string(text_of(expression, "class"), "FUNCTION") ||
          memchr(name.data, '(', name.size)) {
        return false;
      }
      continue;
    }
    if (!ap_text_equal_ignoring_case(own, name)) continue;
    if (found++ > 0) return false;
    *out_position = i;
  }
  return found == 1;
}

static bool output_path(const struct ap_json *select, uint32_t position, struct path *out_path) {
  const struct ap_json *list = ap_json_find(select, "select_list");
  if (!list || list->kind != AP_JSON_ARRAY || position >= list->count) return false;
  const struct ap_json *expression = &list->items[position];
  return ap_text_equal_string(text_of(expression, "class"), "COLUMN_REF") &&
         read_path(ap_json_find(expression, "column_names"), out_path);
}

/* The column of a frame that a branch gives at a position. */
static bool branch_column(const struct ap_json *select, const struct ap_prune_scope *scope,
                          uint32_t position, struct path *out_path,
                          const struct ap_field **out_field) {
  const struct ap_prune_item *item;
  uint32_t field;
  if (is_star_select(select)) {
    if (scope->opaque || scope->count != 1 || !scope->items[0].frame) return false;
    const struct ap_schema *schema = scope->items[0].frame->schema;
    if (position >= schema->field_count) return false;
    *out_field = &schema->fields[position];
    *out_path = (struct path){.names = {(*out_field)->name}, .count = 1};
    return true;
  }
  if (!output_path(select, position, out_path)) return false;
  if (!find_column(scope, out_path, &item, &field)) return false;
  *out_field = &item->frame->schema->fields[field];
  return true;
}

static bool branch_position(const struct ap_prune_branch *first, struct ap_text name,
                            uint32_t *out_position) {
  if (!is_star_select(first->select)) return find_output(first->select, name, out_position);
  const struct ap_prune_scope *scope = &first->scope;
  if (scope->opaque || scope->count != 1 || !scope->items[0].frame) return false;
  int64_t field = find_field(scope->items[0].frame, name);
  if (field < 0) return false;
  *out_position = (uint32_t)field;
  return true;
}

/* In a set operation the first branch names the columns, the others' go by position. All must be
 * of one type, lest they meet in a third. */
static bool go_into_branch(const struct ap_prune_scope_step *step, struct path *path) {
  uint32_t position = 0;
  struct path ignored;
  const struct ap_field *own;
  if (step->branch_count == 0 || step->branch_count == BRANCHES_MAX) return false;
  if (!branch_position(&step->branches[0], path->names[path->count - 1], &position)) return false;
  if (!branch_column(step->step->select, &step->scope, position, path, &own)) return false;
  for (uint32_t i = 0; i < step->branch_count; i++) {
    const struct ap_prune_branch *branch = &step->branches[i];
    const struct ap_field *other;
    if (!branch_column(branch->select, &branch->scope, position, &ignored, &other) ||
        !ap_type_equal(&own->type, &other->type)) {
      return false;
    }
  }
  return true;
}

/* From a name outside a SELECT to the path inside that it stands for. */
static bool go_through(const struct ap_prune_scope_step *step, struct path *path) {
  struct ap_text name = path->names[path->count - 1];
  uint32_t position = 0;
  if (step->step->set) return go_into_branch(step, path);
  if (is_star_select(step->step->select)) {
    *path = (struct path){.names = {name}, .count = 1};
    return step->scope.count == 1 && !step->scope.opaque;
  }
  return find_output(step->step->select, name, &position) &&
         output_path(step->step->select, position, path);
}

bool ap_prune_scope_resolve(const struct ap_prune_scopes *scopes, const struct ap_json *names,
                            uint32_t *out_reference, uint32_t *out_field) {
  struct path path;
  const struct ap_prune_item *item;
  const struct ap_prune_scope *scope = &scopes->from;
  if (!read_path(names, &path)) return false;
  for (uint32_t i = 0; i < scopes->step_count; i++) {
    item = find_item(scope, &path);
    if (!item || item->node != scopes->steps[i].step->item) return false;
    if (!go_through(&scopes->steps[i], &path)) return false;
    scope = &scopes->steps[i].scope;
  }
  if (!find_column(scope, &path, &item, out_field)) return false;
  *out_reference = (uint32_t)item->reference;
  return true;
}

bool ap_prune_scope_lacks(const struct ap_prune_scopes *scopes, struct ap_text name) {
  for (uint32_t i = 0; i < scopes->from.count; i++) {
    if (item_has(&scopes->from.items[i], name) != HAS_NOT) return false;
  }
  return !scopes->from.opaque;
}
