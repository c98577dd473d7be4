/* SPDX-License-Identifier: Apache-2.0
 *
 * A compiled WHERE over one cell: what is known of a column is a range of values and whether nulls
 * and values may be there; the answer is a set of answers that has every answer some row may give.
 * Thread: safe from any thread; no allocation.
 */
#include "plan/prune_expr.h"

/* Bounds of kind NONE are unknown. Asked for every cell of a frame, so bounds that stand somewhere
 * are not copied. */
struct range {
  const struct ap_value *min;
  const struct ap_value *max;
  bool may_be_null;
  bool may_be_value;
  struct ap_value made[2]; /* what min and max may point to */
};

/* What is evaluated. */
struct cell_view {
  const struct ap_prune_frame *frame;
  const struct ap_cell *cell; /* NULL: one row of nulls */
  const struct ap_cell_statistics *statistics;
  bool only_truth; /* without TRUE, the other answers do not matter */
};

static const struct ap_value unknown_value = {.kind = AP_VALUE_NONE};

/* a < b for certain, also as the engine rounds. */
static bool surely_less(const struct ap_value *a, const struct ap_value *b) {
  if (a->kind == AP_VALUE_NONE || b->kind == AP_VALUE_NONE) return false;
  if (a->kind == AP_VALUE_FLOAT || b->kind == AP_VALUE_FLOAT) return ap_value_surely_less(a, b);
  int order;
  return ap_value_compare(a, b, &order) && order < 0;
}

static bool surely_equal(const struct ap_value *a, const struct ap_value *b) {
  int order;
  return a->kind != AP_VALUE_NONE && b->kind != AP_VALUE_NONE && ap_value_compare(a, b, &order) &&
         order == 0;
}

static bool surely_not_less(const struct ap_value *a, const struct ap_value *b) {
  return surely_less(b, a) || surely_equal(a, b);
}

bool ap_prune_partition_value(const struct ap_partition_value *partition,
                              const struct ap_type *type, struct ap_value *out_value) {
  /* Other writers mean null by an empty text or by this name. */
  if (partition->text.size == 0 ||
      ap_text_equal_string(partition->text, "__HIVE_DEFAULT_PARTITION__")) {
    return false;
  }
  return ap_value_parse(partition->text, type, out_value);
}

static void partition_range(const struct cell_view *view, const struct ap_prune_operand *operand,
                            struct range *out) {
  const struct ap_cell *cell = view->cell;
  if ((uint32_t)operand->partition >= cell->partition_count) return;
  const struct ap_partition_value *partition = &cell->partition_values[operand->partition];
  const struct ap_type *type = &view->frame->schema->fields[operand->field].type;
  if (partition->is_null) {
    out->may_be_value = false;
  } else if (ap_prune_partition_value(partition, type, &out->made[0])) {
    out->min = out->max = &out->made[0];
    out->may_be_null = false;
  }
}

/* Of bounds that contradict each other statistics have none. */
static void statistics_range(const struct cell_view *view, const struct ap_prune_operand *operand,
                             struct range *out) {
  if (!view->statistics || operand->field >= view->statistics->column_count) return;
  const struct ap_column_statistics *column = &view->statistics->columns[operand->field];
  int64_t rows = view->statistics->row_count;
  out->min = &column->min;
  out->max = &column->max;
  out->may_be_null = column->null_count != 0 && rows != 0;
  out->may_be_value = rows != 0 && (rows < 0 || column->null_count < rows);
}

/* A column that is not taken as it is. */
static void change_range(const struct ap_prune_operand *operand, struct range *out) {
  struct ap_value min = *out->min;
  struct ap_value max = *out->max;
  if (operand->widened) min.is_double = max.is_double = true;
  if (operand->steps && out->may_be_value) {
    ap_prune_steps_apply(operand->steps, &min, &max, &out->may_be_null);
  }
  out->made[0] = min;
  out->made[1] = max;
  out->min = &out->made[0];
  out->max = &out->made[1];
}

static void column_range(const struct cell_view *view, const struct ap_prune_operand *operand,
                         struct range *out) {
  if (!view->cell) {
    out->may_be_value = false;
    return;
  }
  if (operand->partition >= 0) {
    partition_range(view, operand, out);
  } else {
    statistics_range(view, operand, out);
  }
  if (operand->widened || operand->steps) change_range(operand, out);
}

static void find_range(const struct cell_view *view, const struct ap_prune_operand *operand,
                       struct range *out) {
  out->min = out->max = &unknown_value;
  out->may_be_null = out->may_be_value = true;
  switch (operand->kind) {
    case AP_PRUNE_NULL_CONSTANT:
      out->may_be_value = false;
      break;
    case AP_PRUNE_CONSTANT:
      out->min = &operand->value;
      out->max = operand->is_moving ? &operand->latest : &operand->value;
      out->may_be_null = false;
      break;
    case AP_PRUNE_INTERVAL:
      break;
    case AP_PRUNE_COLUMN:
      column_range(view, operand, out);
      break;
  }
}

/* The order of two values of one kind that the engine compares without any rounding: then "surely
 * less" and "less" are the same. False: not such values. */
static bool exact_order(const struct ap_value *a, const struct ap_value *b, int *out_order) {
  if (a->kind != b->kind) return false;
  switch (a->kind) {
    case AP_VALUE_BOOLEAN:
    case AP_VALUE_DATE:
    case AP_VALUE_TIME:
    case AP_VALUE_TIMESTAMP:
    case AP_VALUE_TIMESTAMP_TZ:
      *out_order = (a->i64 > b->i64) - (a->i64 < b->i64);
      return true;
    case AP_VALUE_INTEGER:
      *out_order = (a->decimal > b->decimal) - (a->decimal < b->decimal);
      return true;
    case AP_VALUE_DECIMAL:
      if (a->scale != b->scale) return false;
      *out_order = (a->decimal > b->decimal) - (a->decimal < b->decimal);
      return true;
    case AP_VALUE_FLOAT: /* NaN is not equal to itself */
      if (!a->is_double || !b->is_double || a->f64 != a->f64 || b->f64 != b->f64) return false;
      *out_order = (a->f64 > b->f64) - (a->f64 < b->f64);
      return true;
    case AP_VALUE_TEXT:
      *out_order = ap_text_compare(a->text, b->text);
      return true;
    case AP_VALUE_NONE:
      break;
  }
  return false;
}

static uint8_t distinct_from(const struct range *a, const struct range *b, bool may_equal,
                             bool may_differ) {
  bool both = a->may_be_value && b->may_be_value;
  bool one = (a->may_be_null && b->may_be_value) || (a->may_be_value && b->may_be_null);
  bool none = a->may_be_null && b->may_be_null;
  uint8_t set = 0;
  if (one || (both && may_differ)) set |= AP_PRUNE_TRUE;
  if (none || (both && may_equal)) set |= AP_PRUNE_FALSE;
  return set;
}

static uint8_t truth(bool may_be_true, bool may_be_false) {
  return (uint8_t)((may_be_true ? AP_PRUNE_TRUE : 0) | (may_be_false ? AP_PRUNE_FALSE : 0));
}

static uint8_t compare_values(enum ap_prune_comparison comparison, bool less, bool equal,
                              bool greater) {
  switch (comparison) {
    case AP_PRUNE_EQUAL:
      return truth(equal, less || greater);
    case AP_PRUNE_NOT_EQUAL:
      return truth(less || greater, equal);
    case AP_PRUNE_LESS:
      return truth(less, equal || greater);
    case AP_PRUNE_LESS_EQUAL:
      return truth(less || equal, greater);
    case AP_PRUNE_GREATER:
      return truth(greater, less || equal);
    case AP_PRUNE_GREATER_EQUAL:
      return truth(greater || equal, less);
    case AP_PRUNE_DISTINCT:
    case AP_PRUNE_NOT_DISTINCT:
      break;
  }
  return AP_PRUNE_ANY;
}

static uint8_t swap_truth(uint8_t set) {
  return (uint8_t)((set & AP_PRUNE_TRUE ? AP_PRUNE_FALSE : 0) |
                   (set & AP_PRUNE_FALSE ? AP_PRUNE_TRUE : 0) | (set & AP_PRUNE_NULL));
}

static uint8_t evaluate_compare(const struct ap_prune_expr *expr, const struct cell_view *view) {
  struct range a;
  struct range b;
  int low;
  int high;
  bool less;
  bool greater;
  bool equal;
  find_range(view, &expr->left, &a);
  find_range(view, &expr->right, &b);
  if (exact_order(a.min, b.max, &low) && exact_order(b.min, a.max, &high)) {
    less = low < 0;
    greater = high < 0;
    equal = low <= 0 && high <= 0;
  } else {
    less = !surely_not_less(a.min, b.max);
    greater = !surely_not_less(b.min, a.max);
    equal = !surely_less(a.max, b.min) && !surely_less(b.max, a.min);
  }
  if (expr->comparison == AP_PRUNE_DISTINCT) return distinct_from(&a, &b, equal, less || greater);
  if (expr->comparison == AP_PRUNE_NOT_DISTINCT) {
    return swap_truth(distinct_from(&a, &b, equal, less || greater));
  }
  uint8_t set = 0;
  if ((a.may_be_null && (b.may_be_null || b.may_be_value)) ||
      (b.may_be_null && (a.may_be_null || a.may_be_value))) {
    set |= AP_PRUNE_NULL;
  }
  if (a.may_be_value && b.may_be_value) {
    set |= compare_values(expr->comparison, less, equal, greater);
  }
  return set;
}

/* The first of the ascending values that is not surely below the range. */
static uint32_t first_not_below(const struct ap_prune_expr *expr, const struct ap_value *min) {
  uint32_t low = 0;
  uint32_t high = expr->count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (surely_less(&expr->values[middle], min)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

static uint8_t evaluate_in(const struct ap_prune_expr *expr, const struct cell_view *view) {
  struct range range;
  find_range(view, &expr->left, &range);
  uint8_t set = range.may_be_null ? AP_PRUNE_NULL : 0;
  if (!range.may_be_value) return set;
  uint32_t first = first_not_below(expr, range.min);
  bool may_match = first < expr->count && !surely_less(range.max, &expr->values[first]);
  bool must_match = may_match && surely_equal(range.min, range.max) &&
                    surely_equal(range.min, &expr->values[first]);
  if (may_match) set |= AP_PRUNE_TRUE;
  if (!must_match) set |= expr->has_null ? AP_PRUNE_NULL : AP_PRUNE_FALSE;
  return set;
}

static uint8_t evaluate_prefix(const struct ap_prune_expr *expr, const struct cell_view *view) {
  struct range range;
  find_range(view, &expr->left, &range);
  uint8_t set = range.may_be_null ? AP_PRUNE_NULL : 0;
  if (!range.may_be_value) return set;
  bool has_min = range.min->kind == AP_VALUE_TEXT;
  bool has_max = range.max->kind == AP_VALUE_TEXT;
  bool min_begins = has_min && ap_text_starts_with(range.min->text, expr->prefix);
  bool max_begins = has_max && ap_text_starts_with(range.max->text, expr->prefix);
  bool below = has_max && ap_text_compare(range.max->text, expr->prefix) < 0;
  bool above = has_min && !min_begins && ap_text_compare(range.min->text, expr->prefix) > 0;
  if (!below && !above) set |= AP_PRUNE_TRUE;
  if (!(expr->whole && min_begins && max_begins)) set |= AP_PRUNE_FALSE;
  return set;
}

static uint8_t evaluate(const struct ap_prune_expr *expr, const struct cell_view *view);

static uint8_t both(uint8_t a, uint8_t b) {
  uint8_t set = 0;
  if (a == 0 || b == 0) return 0;
  if ((a | b) & AP_PRUNE_FALSE) set |= AP_PRUNE_FALSE;
  if (a & b & AP_PRUNE_TRUE) set |= AP_PRUNE_TRUE;
  uint8_t not_false = AP_PRUNE_TRUE | AP_PRUNE_NULL;
  if ((a & AP_PRUNE_NULL && b & not_false) || (b & AP_PRUNE_NULL && a & not_false)) {
    set |= AP_PRUNE_NULL;
  }
  return set;
}

/* AND; OR is the same with true and false swapped. Once an AND cannot be true, it stays so. */
static uint8_t evaluate_group(const struct ap_prune_expr *expr, const struct cell_view *view) {
  bool is_or = expr->kind == AP_PRUNE_OR;
  uint8_t set = AP_PRUNE_TRUE;
  for (uint32_t i = 0; i < expr->count; i++) {
    uint8_t child = evaluate(expr->children[i], view);
    set = both(set, is_or ? swap_truth(child) : child);
    if (set == AP_PRUNE_FALSE) break; /* and so it stays */
    if (view->only_truth && !is_or && !(set & AP_PRUNE_TRUE)) break;
  }
  return is_or ? swap_truth(set) : set;
}

static uint8_t evaluate_map(const struct ap_prune_expr *expr, const struct cell_view *view) {
  struct cell_view whole = *view; /* all of the child's answers matter */
  whole.only_truth = false;
  uint8_t child = evaluate(expr->children[0], &whole);
  uint8_t set = 0;
  if (child & AP_PRUNE_TRUE) set |= expr->map[0];
  if (child & AP_PRUNE_FALSE) set |= expr->map[1];
  if (child & AP_PRUNE_NULL) set |= expr->map[2];
  return set;
}

/* As deep as the WHERE nests, which the tree's limit bounds. */
static uint8_t evaluate(const struct ap_prune_expr *expr, const struct cell_view *view) {
  switch (expr->kind) {
    case AP_PRUNE_ANSWER:
      return expr->answer;
    case AP_PRUNE_AND:
    case AP_PRUNE_OR:
      return evaluate_group(expr, view);
    case AP_PRUNE_MAP:
      return evaluate_map(expr, view);
    case AP_PRUNE_COMPARE:
      return evaluate_compare(expr, view);
    case AP_PRUNE_IN:
      return evaluate_in(expr, view);
    case AP_PRUNE_IS_NULL: {
      struct range range;
      find_range(view, &expr->left, &range);
      return truth(range.may_be_null, range.may_be_value);
    }
    case AP_PRUNE_PREFIX:
      return evaluate_prefix(expr, view);
    case AP_PRUNE_UNKNOWN:
      break;
  }
  return AP_PRUNE_ANY;
}

uint8_t ap_prune_evaluate(const struct ap_prune_expr *expr, const struct ap_prune_frame *frame,
                          const struct ap_cell *cell, const struct ap_cell_statistics *statistics) {
  const struct cell_view view = {
      .frame = frame, .cell = cell, .statistics = statistics, .only_truth = true};
  return evaluate(expr, &view);
}

void ap_prune_bounds_of(const struct ap_prune_operand *column, const struct ap_prune_frame *frame,
                        const struct ap_cell *cell, const struct ap_cell_statistics *statistics,
                        struct ap_prune_bounds *out_bounds) {
  const struct cell_view view = {.frame = frame, .cell = cell, .statistics = statistics};
  struct range range;
  find_range(&view, column, &range);
  *out_bounds = (struct ap_prune_bounds){
      .min = *range.min, .max = *range.max, .may_be_value = range.may_be_value};
}

uint8_t ap_prune_evaluate_nulls(const struct ap_prune_expr *expr) {
  const struct cell_view view = {.cell = NULL};
  return evaluate(expr, &view);
}
