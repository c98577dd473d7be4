/* SPDX-License-Identifier: Apache-2.0
 *
 * See tree_filter.h. A filter may go through a SELECT when leaving out rows of its output is the
 * same as leaving out the rows they come from: not past LIMIT, DISTINCT ON, samples, windows and
 * several grouping sets. Past GROUP BY it may, since only plain columns are followed, and those are
 * keys there.
 * Thread: the arena's.
 */
#include "plan/tree_filter.h"

enum { SETTLE_DEPTH_MAX = 16, FILTERS_MAX = 64 };

static struct ap_text text_of(const struct ap_json *node, const char *name) {
  struct ap_text text;
  if (!ap_json_get_text(node, name, (struct ap_text){0}, &text)) return (struct ap_text){0};
  return text;
}

static ap_status push(struct ap_arena *arena, const struct ap_filter *model,
                      const struct ap_filter **list, ap_error *err) {
  struct ap_filter *filter = AP_ARENA_NEW(arena, struct ap_filter);
  if (!filter) return AP_FAIL_MEMORY(err);
  *filter = *model;
  filter->next = *list;
  *list = filter;
  return AP_OK;
}

ap_status ap_filter_add(struct ap_arena *arena, const struct ap_json *condition,
                        const struct ap_json *from, const struct ap_filter **filters,
                        ap_error *err) {
  if (ap_json_is_null(condition) || ap_json_is_null(from)) return AP_OK;
  const struct ap_filter model = {.condition = condition, .from = from};
  return push(arena, &model, filters, err);
}

ap_status ap_filter_pass_join(struct ap_arena *arena, const struct ap_filter *list,
                              bool null_extended, const struct ap_filter **out_list,
                              ap_error *err) {
  *out_list = list;
  if (!null_extended) return AP_OK;
  *out_list = NULL;
  for (const struct ap_filter *filter = list; filter; filter = filter->next) {
    struct ap_filter model = *filter;
    model.null_extended = true;
    AP_TRY(push(arena, &model, out_list, err));
  }
  return AP_OK;
}

static bool has_window(const struct ap_json *value) {
  if (value->kind == AP_JSON_ARRAY) {
    for (uint32_t i = 0; i < value->count; i++) {
      if (has_window(&value->items[i])) return true;
    }
  }
  if (value->kind != AP_JSON_OBJECT) return false;
  if (ap_text_equal_string(text_of(value, "class"), "WINDOW")) return true;
  for (uint32_t i = 0; i < value->count; i++) {
    if (has_window(&value->members[i].value)) return true;
  }
  return false;
}

/* Only ORDER BY, and DISTINCT of whole rows. */
static bool has_harmless_modifiers(const struct ap_json *node) {
  const struct ap_json *modifiers = ap_json_find(node, "modifiers");
  if (!modifiers || modifiers->kind != AP_JSON_ARRAY) return false;
  for (uint32_t i = 0; i < modifiers->count; i++) {
    struct ap_text type = text_of(&modifiers->items[i], "type");
    if (ap_text_equal_string(type, "ORDER_MODIFIER")) continue;
    const struct ap_json *targets = ap_json_find(&modifiers->items[i], "distinct_on_targets");
    if (!ap_text_equal_string(type, "DISTINCT_MODIFIER") || !targets ||
        targets->kind != AP_JSON_ARRAY || targets->count > 0) {
      return false;
    }
  }
  return true;
}

static bool is_transparent(const struct ap_json *select) {
  const struct ap_json *sets = ap_json_find(select, "group_sets");
  const struct ap_json *list = ap_json_find(select, "select_list");
  return has_harmless_modifiers(select) && ap_json_is_null(ap_json_find(select, "sample")) &&
         ap_json_is_null(ap_json_find(select, "qualify")) && sets && sets->kind == AP_JSON_ARRAY &&
         sets->count <= 1 && list && list->kind == AP_JSON_ARRAY && !has_window(list);
}

ap_status ap_filter_enter(struct ap_arena *arena, const struct ap_filter_entry *entry,
                          const struct ap_json *select, const struct ap_filter **out_list,
                          ap_error *err) {
  *out_list = NULL;
  if (!entry->filters || !is_transparent(select)) return AP_OK;
  uint32_t count = 0;
  for (const struct ap_filter *filter = entry->filters; filter; filter = filter->next) {
    if (++count > FILTERS_MAX) break;
    struct ap_tree_step *step = AP_ARENA_NEW(arena, struct ap_tree_step);
    if (!step) return AP_FAIL_MEMORY(err);
    *step = (struct ap_tree_step){
        .item = entry->item, .select = select, .set = entry->set, .outer = filter->path};
    struct ap_filter model = *filter;
    model.path = step;
    AP_TRY(push(arena, &model, out_list, err));
  }
  return AP_OK;
}

struct ap_filter_entry ap_filter_enter_union(const struct ap_filter_entry *entry,
                                             const struct ap_json *node) {
  struct ap_filter_entry branch = *entry;
  if (!ap_text_equal_string(text_of(node, "setop_type"), "UNION") ||
      !has_harmless_modifiers(node)) {
    return (struct ap_filter_entry){0};
  }
  if (!branch.set) branch.set = node;
  return branch;
}

ap_status ap_filter_await(struct ap_arena *arena, const struct ap_cte_use *use,
                          struct ap_filter_entry *out_entry, ap_error *err) {
  const struct ap_filter model = {.use = use};
  *out_entry = (struct ap_filter_entry){0};
  return push(arena, &model, &out_entry->filters, err);
}

/* The path within the clause, set behind that to its use. */
static ap_status join_paths(struct ap_arena *arena, const struct ap_tree_step *inner,
                            const struct ap_tree_step *outer, const struct ap_json *item,
                            const struct ap_tree_step **out_path, ap_error *err) {
  const struct ap_tree_step **link = out_path;
  for (const struct ap_tree_step *from = inner; from; from = from->outer) {
    struct ap_tree_step *step = AP_ARENA_NEW(arena, struct ap_tree_step);
    if (!step) return AP_FAIL_MEMORY(err);
    *step = *from;
    if (!from->outer) {
      step->item = item;
      step->outer = outer;
    }
    *link = step;
    link = &step->outer;
  }
  return AP_OK;
}

/* As deep as WITH clauses use each other. */
static ap_status settle(struct ap_arena *arena, const struct ap_filter *filter, int depth,
                        const struct ap_filter **list, ap_error *err) {
  if (!filter->use) return push(arena, filter, list, err);
  if (filter->use->count != 1 || depth == SETTLE_DEPTH_MAX) return AP_OK;
  for (const struct ap_filter *asked = filter->use->filters; asked; asked = asked->next) {
    struct ap_filter model = *asked;
    model.null_extended = asked->null_extended || filter->null_extended;
    AP_TRY(join_paths(arena, filter->path, asked->path, filter->use->item, &model.path, err));
    AP_TRY(settle(arena, &model, depth + 1, list, err));
  }
  return AP_OK;
}

ap_status ap_filter_settle(struct ap_arena *arena, const struct ap_filter **list, ap_error *err) {
  const struct ap_filter *settled = NULL;
  for (const struct ap_filter *filter = *list; filter; filter = filter->next) {
    AP_TRY(settle(arena, filter, 0, &settled, err));
  }
  *list = settled;
  return AP_OK;
}
