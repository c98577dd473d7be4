/* SPDX-License-Identifier: Apache-2.0
 *
 * See join.h. Rows of a reference are of use only when all filters on it may be true (tree.h), so
 * an equation among the conjuncts of one of them must hold for some row of the other reference; and
 * rows of that one that its own filters drop are of no use there either.
 * Thread: the arena's.
 */
#include "plan/join.h"

#include "base/limits.h"
#include "plan/prune_expr.h"

#include <stdlib.h>

struct finder {
  struct ap_arena *arena;
  const struct ap_tree *tree;
  const struct ap_prune_frame *const *frames;
  struct ap_join_pair *pairs;
  uint32_t count;
  uint32_t reference;             /* whose filters are looked at */
  const struct ap_filter *filter; /* the one that is */
  struct ap_prune_scopes outer;   /* of the filter's own FROM */
  struct ap_prune_scopes through; /* from there down to the reference */
  ap_error *err;
};

static struct ap_text text_of(const struct ap_json *node, const char *name) {
  struct ap_text text;
  if (!ap_json_get_text(node, name, (struct ap_text){0}, &text)) return (struct ap_text){0};
  return text;
}

static bool member_is(const struct ap_json *node, const char *name, const char *wanted) {
  return ap_text_equal_string(text_of(node, name), wanted);
}

static bool is_list(const struct ap_json *list) {
  return list && list->kind == AP_JSON_ARRAY;
}

/* Whose values have one order, for us as for the engine, and are equal only when they are the same.
 */
static bool may_be_key(const struct ap_type *type) {
  bool is_integer = type->kind >= AP_TYPE_INT8 && type->kind <= AP_TYPE_UINT64;
  return is_integer || type->kind == AP_TYPE_DATE || type->kind == AP_TYPE_STRING ||
         type->kind == AP_TYPE_DECIMAL ||
         (type->kind == AP_TYPE_TIMESTAMP && type->unit == AP_UNIT_MICROSECOND);
}

static bool column_of(const struct ap_prune_scopes *scopes, const struct ap_json *node,
                      uint32_t *out_reference, uint32_t *out_field) {
  return member_is(node, "class", "COLUMN_REF") &&
         ap_prune_scope_resolve(scopes, ap_json_find(node, "column_names"), out_reference,
                                out_field);
}

static void add_pair(struct finder *finder, const struct ap_join_pair *pair) {
  const struct ap_type *big = &finder->frames[pair->big]->schema->fields[pair->big_field].type;
  const struct ap_type *small =
      &finder->frames[pair->small]->schema->fields[pair->small_field].type;
  if (finder->count == AP_JOIN_PAIRS_MAX || pair->big == pair->small) return;
  if (finder->tree->references[pair->small].sampled || !may_be_key(big)) return;
  if (!ap_type_equal(big, small)) return;
  finder->pairs[finder->count++] = *pair;
}

/* f.k = d.k, where f is the reference that is looked at. */
static void add_equation(struct finder *finder, const struct ap_json *big,
                         const struct ap_json *small) {
  struct ap_join_pair pair;
  if (column_of(&finder->through, big, &pair.big, &pair.big_field) &&
      pair.big == finder->reference &&
      column_of(&finder->outer, small, &pair.small, &pair.small_field)) {
    add_pair(finder, &pair);
  }
}

/* f.k IN (SELECT d.k FROM d ...): whatever else the SELECT does, it gives values of d.k. */
static ap_status add_subquery(struct finder *finder, const struct ap_json *node) {
  struct ap_join_pair pair;
  const struct ap_json *select = ap_json_find(ap_json_find(node, "subquery"), "node");
  const struct ap_json *list = ap_json_find(select, "select_list");
  if (!member_is(node, "subquery_type", "ANY") ||
      !member_is(node, "comparison_type", "COMPARE_EQUAL") ||
      !member_is(select, "type", "SELECT_NODE") || !is_list(list) || list->count != 1 ||
      !column_of(&finder->through, ap_json_find(node, "child"), &pair.big, &pair.big_field) ||
      pair.big != finder->reference) {
    return AP_OK;
  }
  struct ap_prune_scopes inner;
  const struct ap_filter from = {.from = ap_json_find(select, "from_table")};
  if (!from.from) return AP_OK;
  AP_TRY(
      ap_prune_scope_make(finder->arena, finder->tree, finder->frames, &from, &inner, finder->err));
  if (column_of(&inner, &list->items[0], &pair.small, &pair.small_field)) add_pair(finder, &pair);
  return AP_OK;
}

/* The one column of that name on a side of a join. */
static ap_status side_column(struct finder *finder, const struct ap_filter *filter,
                             const struct ap_json *name, uint32_t *out_reference,
                             uint32_t *out_field, bool *out_found) {
  struct ap_prune_scopes scopes;
  struct ap_json item = *name;
  const struct ap_json names = {.kind = AP_JSON_ARRAY, .items = &item, .count = 1};
  *out_found = false;
  if (!filter->from) return AP_OK;
  AP_TRY(ap_prune_scope_make(finder->arena, finder->tree, finder->frames, filter, &scopes,
                             finder->err));
  *out_found = ap_prune_scope_resolve(&scopes, &names, out_reference, out_field);
  return AP_OK;
}

/* USING (k): the reference stands on one side, its smaller one on the other. */
static ap_status add_using(struct finder *finder, const struct ap_json *join, const char *big_side,
                           const char *small_side) {
  const struct ap_json *names = ap_json_find(join, "using_columns");
  struct ap_filter through = *finder->filter;
  const struct ap_filter outer = {.from = ap_json_find(join, small_side)};
  through.from = ap_json_find(join, big_side);
  for (uint32_t i = 0; i < names->count; i++) {
    struct ap_join_pair pair;
    bool found;
    AP_TRY(side_column(finder, &through, &names->items[i], &pair.big, &pair.big_field, &found));
    if (!found || pair.big != finder->reference) continue;
    AP_TRY(side_column(finder, &outer, &names->items[i], &pair.small, &pair.small_field, &found));
    if (found) add_pair(finder, &pair);
  }
  return AP_OK;
}

/* As deep as conditions nest. */
static ap_status add_conjuncts(struct finder *finder, const struct ap_json *node) {
  const struct ap_json *children = ap_json_find(node, "children");
  if (member_is(node, "type", "CONJUNCTION_AND") && is_list(children)) {
    for (uint32_t i = 0; i < children->count; i++) {
      AP_TRY(add_conjuncts(finder, &children->items[i]));
    }
  } else if (member_is(node, "type", "COMPARE_EQUAL")) {
    add_equation(finder, ap_json_find(node, "left"), ap_json_find(node, "right"));
    add_equation(finder, ap_json_find(node, "right"), ap_json_find(node, "left"));
  } else if (member_is(node, "class", "SUBQUERY")) {
    return add_subquery(finder, node);
  } else if (is_list(ap_json_find(node, "using_columns"))) {
    AP_TRY(add_using(finder, node, "left", "right"));
    return add_using(finder, node, "right", "left");
  }
  return AP_OK;
}

ap_status ap_join_find(struct ap_arena *arena, const struct ap_tree *tree,
                       const struct ap_prune_frame *const *frames, struct ap_join_pair **out_pairs,
                       uint32_t *out_count, ap_error *err) {
  struct finder finder = {.arena = arena, .tree = tree, .frames = frames, .err = err};
  *out_count = 0;
  *out_pairs = NULL;
  if (tree->reference_count < 2) return AP_OK;
  finder.pairs = AP_ARENA_ARRAY(arena, struct ap_join_pair, AP_JOIN_PAIRS_MAX);
  if (!finder.pairs) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < tree->reference_count; i++) {
    const struct ap_filter *filter = tree->references[i].filters;
    finder.reference = i;
    if (!frames[i] || tree->references[i].sampled) continue;
    for (; filter; filter = filter->next) {
      const struct ap_filter outer = {.from = filter->from};
      finder.filter = filter;
      AP_TRY(ap_prune_scope_make(arena, tree, frames, &outer, &finder.outer, err));
      AP_TRY(ap_prune_scope_make(arena, tree, frames, filter, &finder.through, err));
      AP_TRY(add_conjuncts(&finder, filter->condition));
    }
  }
  *out_pairs = finder.pairs;
  *out_count = finder.count;
  return AP_OK;
}

/* ---- what cells hold ------------------------------------------------------------------------- */

static bool column_operand(const struct ap_prune_frame *frame, uint32_t field,
                           struct ap_prune_operand *out) {
  if (!ap_prune_column(&frame->schema->fields[field].type, out)) return false;
  out->field = field;
  out->partition = -1;
  for (uint32_t i = 0; i < frame->partition_column_count; i++) {
    if (frame->partition_columns[i] == field) out->partition = (int32_t)i;
  }
  return true;
}

static ap_status statistics_of(struct ap_arena *arena, const struct ap_prune_frame *frame,
                               uint32_t cell, const struct ap_cell_statistics **out,
                               ap_error *err) {
  return ap_cell_statistics_get(frame->cells[cell], arena, frame->schema, frame->schema_id,
                                frame->physical_names, out, err);
}

/* Keep of the big side's cells those for which the expression may be true. */
static ap_status narrow(struct ap_arena *arena, const struct ap_prune_expr *expr,
                        const struct ap_prune_frame *frame, struct ap_prune_result *result,
                        ap_error *err) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < result->kept_count; i++) {
    const struct ap_cell_statistics *statistics = NULL;
    uint32_t cell = result->kept[i];
    AP_TRY(statistics_of(arena, frame, cell, &statistics, err));
    uint8_t set = ap_prune_evaluate(expr, frame, frame->cells[cell], statistics);
    if (set & AP_PRUNE_TRUE) result->kept[kept++] = cell;
  }
  result->pruned_by_keys += result->kept_count - kept;
  result->kept_count = kept;
  return AP_OK;
}

static void widen(struct ap_value *bound, const struct ap_value *other, int wanted, bool *known) {
  int order;
  if (bound->kind == AP_VALUE_NONE) *bound = *other;
  if (!ap_value_compare(other, bound, &order)) {
    *known = false;
  } else if (order == wanted) {
    *bound = *other;
  }
}

/* The least and the greatest key that the kept cells may hold; false: some cell does not tell. */
static ap_status bounds_of(struct ap_arena *arena, const struct ap_prune_frame *frame,
                           const struct ap_prune_operand *column,
                           const struct ap_prune_result *result, struct ap_value *out_min,
                           struct ap_value *out_max, bool *out_known, ap_error *err) {
  *out_min = *out_max = (struct ap_value){.kind = AP_VALUE_NONE};
  *out_known = true;
  for (uint32_t i = 0; *out_known && i < result->kept_count; i++) {
    const struct ap_cell_statistics *statistics = NULL;
    struct ap_prune_bounds bounds;
    uint32_t cell = result->kept[i];
    AP_TRY(statistics_of(arena, frame, cell, &statistics, err));
    ap_prune_bounds_of(column, frame, frame->cells[cell], statistics, &bounds);
    if (!bounds.may_be_value) continue;
    *out_known = bounds.min.kind != AP_VALUE_NONE && bounds.max.kind != AP_VALUE_NONE;
    if (!*out_known) break;
    widen(out_min, &bounds.min, -1, out_known);
    widen(out_max, &bounds.max, 1, out_known);
  }
  *out_known = *out_known && out_min->kind != AP_VALUE_NONE;
  return AP_OK;
}

ap_status ap_join_narrow_by_bounds(struct ap_arena *arena,
                                   const struct ap_prune_frame *const *frames,
                                   const struct ap_join_pair *pair, struct ap_prune_result *results,
                                   ap_error *err) {
  struct ap_prune_expr sides[2] = {{.kind = AP_PRUNE_COMPARE, .comparison = AP_PRUNE_GREATER_EQUAL},
                                   {.kind = AP_PRUNE_COMPARE, .comparison = AP_PRUNE_LESS_EQUAL}};
  const struct ap_prune_expr *children[] = {&sides[0], &sides[1]};
  const struct ap_prune_expr both = {.kind = AP_PRUNE_AND, .children = children, .count = 2};
  const struct ap_prune_frame *big = frames[pair->big];
  const struct ap_prune_frame *small = frames[pair->small];
  struct ap_prune_operand column;
  bool known = false;
  if (results[pair->big].kept_count < AP_JOIN_CELLS_MIN) return AP_OK;
  if (results[pair->small].kept_count > AP_JOIN_BOUNDS_CELLS_MAX) return AP_OK;
  if (!column_operand(small, pair->small_field, &column)) return AP_OK;
  AP_TRY(bounds_of(arena, small, &column, &results[pair->small], &sides[0].right.value,
                   &sides[1].right.value, &known, err));
  if (!known || !column_operand(big, pair->big_field, &column)) return AP_OK;
  for (int i = 0; i < 2; i++) {
    sides[i].left = column;
    sides[i].right.kind = AP_PRUNE_CONSTANT;
    sides[i].right.type = column.type;
  }
  return narrow(arena, &both, big, &results[pair->big], err);
}

static int compare_keys(const void *left, const void *right) {
  int order = 0;
  (void)ap_value_compare(left, right, &order);
  return order;
}

ap_status ap_join_narrow_by_keys(struct ap_arena *arena, const struct ap_prune_frame *const *frames,
                                 const struct ap_join_pair *pair, const struct ap_constant *keys,
                                 uint32_t key_count, struct ap_prune_result *results,
                                 ap_error *err) {
  const struct ap_prune_frame *big = frames[pair->big];
  struct ap_prune_expr in = {.kind = AP_PRUNE_IN};
  if (!column_operand(big, pair->big_field, &in.left)) return AP_OK;
  in.values = AP_ARENA_ARRAY(arena, struct ap_value, (size_t)key_count + 1);
  if (!in.values) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < key_count; i++) {
    if (keys[i].kind == AP_CONSTANT_NULL) continue;
    int order;
    if (keys[i].kind != AP_CONSTANT_VALUE) return AP_OK;
    if (in.count > 0 && !ap_value_compare(&in.values[0], &keys[i].value, &order)) return AP_OK;
    in.values[in.count++] = keys[i].value;
  }
  if (in.count > 1) qsort(in.values, in.count, sizeof *in.values, compare_keys);
  return narrow(arena, &in, big, &results[pair->big], err);
}

/* ---- whether it pays ------------------------------------------------------------------------- */

/* Rows and bytes of the cells kept; rows -1: some cell does not say. */
static ap_status size_of(struct ap_arena *arena, const struct ap_prune_frame *frame,
                         const struct ap_prune_result *result, int64_t *out_rows,
                         int64_t *out_bytes, ap_error *err) {
  *out_rows = *out_bytes = 0;
  for (uint32_t i = 0; i < result->kept_count; i++) {
    const struct ap_cell_statistics *statistics = NULL;
    AP_TRY(statistics_of(arena, frame, result->kept[i], &statistics, err));
    *out_bytes += frame->cells[result->kept[i]]->size_bytes;
    if (statistics->row_count < 0) *out_rows = -1;
    if (*out_rows >= 0) *out_rows += statistics->row_count;
  }
  return AP_OK;
}

/* Whether the big side's cells are parted by the key: of a few cells, the least key of each is
 * looked for among a few others, which must mostly not have it. */
static ap_status is_parted(struct ap_arena *arena, const struct ap_prune_frame *frame,
                           uint32_t field, const struct ap_prune_result *result, bool *out_parted,
                           ap_error *err) {
  enum { SAMPLES = 24 };
  struct ap_prune_operand column;
  struct ap_prune_bounds bounds[SAMPLES];
  uint32_t count = 0;
  uint32_t known = 0;
  uint32_t met = 0;
  *out_parted = false;
  if (!column_operand(frame, field, &column)) return AP_OK;
  uint32_t step = result->kept_count / SAMPLES + 1;
  for (uint32_t i = 0; i < result->kept_count && count < SAMPLES; i += step) {
    const struct ap_cell_statistics *statistics = NULL;
    uint32_t cell = result->kept[i];
    AP_TRY(statistics_of(arena, frame, cell, &statistics, err));
    ap_prune_bounds_of(&column, frame, frame->cells[cell], statistics, &bounds[count]);
    bool tells = bounds[count].may_be_value && bounds[count].min.kind != AP_VALUE_NONE &&
                 bounds[count].max.kind != AP_VALUE_NONE;
    known += tells;
    count += tells;
  }
  for (uint32_t i = 0; i < known; i++) {
    for (uint32_t k = 0; k < known; k++) {
      int low;
      int high;
      if (i == k || !ap_value_compare(&bounds[k].min, &bounds[i].min, &low) ||
          !ap_value_compare(&bounds[i].min, &bounds[k].max, &high)) {
        continue;
      }
      met += low <= 0 && high <= 0;
    }
  }
  *out_parted = known > 1 && met * 2 <= known * (known - 1);
  return AP_OK;
}

/* Whether an expression speaks of one reference alone, and says the same each time. */
static bool is_steady(const struct ap_prune_scopes *scopes, uint32_t reference,
                      const struct ap_json *node) {
  static const char *const classes[] = {"COMPARISON", "CONJUNCTION", "BETWEEN",  "CAST",
                                        "CASE",       "CONSTANT",    "PARAMETER"};
  static const char *const operators[] = {"OPERATOR_NOT",   "OPERATOR_IS_NULL",
                                          "COMPARE_IN",     "OPERATOR_IS_NOT_NULL",
                                          "COMPARE_NOT_IN", "OPERATOR_COALESCE"};
  bool known = false;
  if (node->kind == AP_JSON_ARRAY) {
    for (uint32_t i = 0; i < node->count; i++) {
      if (!is_steady(scopes, reference, &node->items[i])) return false;
    }
  }
  if (node->kind != AP_JSON_OBJECT) return true;
  struct ap_text class = text_of(node, "class");
  uint32_t owner;
  uint32_t field;
  if (ap_text_equal_string(class, "COLUMN_REF")) {
    return column_of(scopes, node, &owner, &field) && owner == reference;
  }
  if (ap_text_equal_string(class, "FUNCTION")) known = ap_fold_is_steady_call(node);
  for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
    known = known || ap_text_equal_string(class, classes[i]);
  }
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
    known =
        known || (ap_text_equal_string(class, "OPERATOR") && member_is(node, "type", operators[i]));
  }
  if (class.size > 0 && !known) return false;
  for (uint32_t i = 0; i < node->count; i++) {
    if (!is_steady(scopes, reference, &node->members[i].value)) return false;
  }
  return true;
}

static void collect(const struct ap_prune_scopes *scopes, uint32_t reference,
                    const struct ap_json *node, struct ap_join_question *question) {
  const struct ap_json *children = ap_json_find(node, "children");
  if (member_is(node, "type", "CONJUNCTION_AND") && is_list(children)) {
    for (uint32_t i = 0; i < children->count; i++) {
      collect(scopes, reference, &children->items[i], question);
    }
  } else if (question->condition_count < AP_JOIN_CONDITIONS_MAX &&
             text_of(node, "class").size > 0 && is_steady(scopes, reference, node)) {
    question->conditions[question->condition_count++] = node;
  }
}

static ap_status find_conditions(struct ap_arena *arena, const struct ap_tree *tree,
                                 const struct ap_prune_frame *const *frames, uint32_t reference,
                                 struct ap_join_question *question, ap_error *err) {
  question->condition_count = 0;
  question->conditions = AP_ARENA_ARRAY(arena, const struct ap_json *, AP_JOIN_CONDITIONS_MAX);
  if (!question->conditions) return AP_FAIL_MEMORY(err);
  const struct ap_filter *filter = tree->references[reference].filters;
  for (; filter; filter = filter->next) {
    struct ap_prune_scopes scopes;
    if (filter->path || filter->null_extended) continue;
    AP_TRY(ap_prune_scope_make(arena, tree, frames, filter, &scopes, err));
    collect(&scopes, reference, filter->condition, question);
  }
  return AP_OK;
}

ap_status ap_join_pays(struct ap_arena *arena, const struct ap_tree *tree,
                       const struct ap_prune_frame *const *frames, const struct ap_join_pair *pair,
                       const struct ap_prune_result *results, bool *out_pays,
                       struct ap_join_question *out_question, ap_error *err) {
  const struct ap_prune_result *big = &results[pair->big];
  const struct ap_prune_result *small = &results[pair->small];
  int64_t small_rows;
  int64_t small_bytes;
  *out_pays = false;
  if (big->kept_count < AP_JOIN_CELLS_MIN || small->kept_count > AP_JOIN_BOUNDS_CELLS_MAX ||
      small->kept_count >= big->kept_count) {
    return AP_OK;
  }
  AP_TRY(size_of(arena, frames[pair->small], small, &small_rows, &small_bytes, err));
  if (small_rows < 0 || small_rows > AP_JOIN_ROWS_MAX || small_bytes > AP_JOIN_BYTES_MAX) {
    return AP_OK;
  }
  AP_TRY(find_conditions(arena, tree, frames, pair->small, out_question, err));
  bool is_part = small->kept_count < frames[pair->small]->cell_count;
  if (out_question->condition_count == 0 && !is_part && small_rows > AP_JOIN_WHOLE_ROWS_MAX) {
    return AP_OK;
  }
  return is_parted(arena, frames[pair->big], pair->big_field, big, out_pays, err);
}

/* ---- the question ---------------------------------------------------------------------------- */

static void write_conditions(struct ap_buffer *out, const struct ap_tree *tree,
                             const struct ap_join_question *question) {
  if (question->condition_count == 0) {
    ap_buffer_append_string(out, "null");
    return;
  }
  if (question->condition_count == 1) {
    ap_tree_write_named_part(out, tree, question->conditions[0]);
    return;
  }
  ap_buffer_append_string(out,
                          "{\"class\":\"CONJUNCTION\",\"type\":\"CONJUNCTION_AND\",\"alias\":\"\","
                          "\"query_location\":0,\"children\":[");
  for (uint32_t i = 0; i < question->condition_count; i++) {
    if (i > 0) ap_buffer_append_string(out, ",");
    ap_tree_write_named_part(out, tree, question->conditions[i]);
  }
  ap_buffer_append_string(out, "]}");
}

void ap_join_write(struct ap_buffer *out, const struct ap_tree *tree,
                   const struct ap_prune_frame *const *frames, const struct ap_join_pair *pair,
                   const struct ap_join_question *question,
                   const struct ap_reference_rename *renamed) {
  const struct ap_reference *reference = &tree->references[pair->small];
  struct ap_json_writer writer;
  ap_buffer_append_string(
      out,
      "{\"error\":false,\"statements\":[{\"node\":{\"type\":\"SELECT_NODE\",\"modifiers\":["
      "{\"type\":\"DISTINCT_MODIFIER\",\"distinct_on_targets\":[]}],\"cte_map\":{\"map\":[]},"
      "\"select_list\":[{\"class\":\"COLUMN_REF\",\"type\":\"COLUMN_REF\",\"alias\":\"\","
      "\"query_location\":0,\"column_names\":[");
  ap_json_writer_init(&writer, out);
  ap_json_string(&writer, reference->alias.size > 0 ? reference->alias : reference->name);
  ap_buffer_append_string(out, ",");
  ap_json_writer_init(&writer, out);
  ap_json_string(&writer, frames[pair->small]->schema->fields[pair->small_field].name);
  ap_buffer_append_string(out, "]}],\"from_table\":");
  ap_tree_write_part(out, tree, renamed, reference->node);
  ap_buffer_append_string(out, ",\"where_clause\":");
  write_conditions(out, tree, question);
  ap_buffer_append_string(
      out,
      ",\"group_expressions\":[],\"group_sets\":[],\"aggregate_handling\":\"STANDARD_HANDLING\","
      "\"having\":null,\"sample\":null,\"qualify\":null},\"named_param_map\":[]}]}");
}
