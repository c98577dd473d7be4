/* SPDX-License-Identifier: Apache-2.0
 *
 * A WHERE of the engine's tree as a small expression over one reference's columns. What is not in
 * the list of prune.h becomes UNKNOWN, and the first such thing is remembered by name for those who
 * need an exact answer.
 * Thread: the arena's.
 */
#include "plan/prune_expr.h"

#include <stdlib.h>

static const struct ap_prune_expr unknown_expr = {.kind = AP_PRUNE_UNKNOWN};

static const uint8_t map_not[] = {AP_PRUNE_FALSE, AP_PRUNE_TRUE, AP_PRUNE_NULL};
static const uint8_t map_same[] = {AP_PRUNE_TRUE, AP_PRUNE_FALSE, AP_PRUNE_NULL};
static const uint8_t map_is_null[] = {AP_PRUNE_FALSE, AP_PRUNE_FALSE, AP_PRUNE_TRUE};

static struct ap_text text_of(const struct ap_json *node, const char *name) {
  struct ap_text text;
  if (!ap_json_get_text(node, name, (struct ap_text){0}, &text)) return (struct ap_text){0};
  return text;
}

static bool member_is(const struct ap_json *node, const char *name, const char *wanted) {
  return ap_text_equal_string(text_of(node, name), wanted);
}

static const struct ap_prune_expr *refuse(struct ap_prune_compiler *compiler, const char *what,
                                          struct ap_text name) {
  if (!compiler->refusal) {
    compiler->refusal =
        ap_arena_format(compiler->arena, "%s%s%.*s", what, name.size ? " " : "", AP_TEXT_ARG(name));
    if (!compiler->refusal) compiler->out_of_memory = true;
  }
  return &unknown_expr;
}

static const struct ap_prune_expr *refuse_node(struct ap_prune_compiler *compiler,
                                               const struct ap_json *node) {
  struct ap_text function = text_of(node, "function_name");
  if (function.size > 0) return refuse(compiler, "the function", function);
  return refuse(compiler, "the expression", text_of(node, "type"));
}

static struct ap_prune_expr *new_expr(struct ap_prune_compiler *compiler,
                                      enum ap_prune_expr_kind kind) {
  struct ap_prune_expr *expr = AP_ARENA_NEW(compiler->arena, struct ap_prune_expr);
  if (expr) {
    expr->kind = kind;
  } else {
    compiler->out_of_memory = true;
  }
  return expr;
}

static const struct ap_prune_expr *answer(struct ap_prune_compiler *compiler, uint8_t set) {
  struct ap_prune_expr *expr = new_expr(compiler, AP_PRUNE_ANSWER);
  if (!expr) return &unknown_expr;
  expr->answer = set;
  return expr;
}

static const struct ap_prune_expr *map(struct ap_prune_compiler *compiler,
                                       const struct ap_prune_expr *child, const uint8_t *answers) {
  struct ap_prune_expr *expr = new_expr(compiler, AP_PRUNE_MAP);
  const struct ap_prune_expr **children =
      AP_ARENA_ARRAY(compiler->arena, const struct ap_prune_expr *, 1);
  if (!expr || !children) {
    compiler->out_of_memory = true;
    return &unknown_expr;
  }
  children[0] = child;
  expr->children = children;
  expr->count = 1;
  for (int i = 0; i < 3; i++) expr->map[i] = answers[i];
  return expr;
}

/* An AND or OR with room for its children. */
static struct ap_prune_expr *new_group(struct ap_prune_compiler *compiler,
                                       enum ap_prune_expr_kind kind, uint32_t count) {
  struct ap_prune_expr *expr = new_expr(compiler, kind);
  if (!expr) return NULL;
  expr->children = AP_ARENA_ARRAY(compiler->arena, const struct ap_prune_expr *, count);
  expr->count = count;
  if (!expr->children) compiler->out_of_memory = true;
  return expr->children ? expr : NULL;
}

static bool refuse_operand(struct ap_prune_compiler *compiler, const struct ap_json *node) {
  (void)refuse_node(compiler, node);
  return false;
}

/* A column of the reference that is to be pruned, whatever its type. */
static bool column_operand(struct ap_prune_compiler *compiler, const struct ap_json *node,
                           struct ap_prune_operand *out_operand, bool *out_comparable) {
  const struct ap_json *names = ap_json_find(node, "column_names");
  struct ap_text name = {0};
  if (names && names->kind == AP_JSON_ARRAY && names->count > 0) {
    name = names->items[names->count - 1].text;
  }
  uint32_t reference;
  uint32_t field;
  if (!ap_prune_scope_resolve(compiler->scopes, names, &reference, &field) ||
      reference != compiler->reference) {
    (void)refuse(compiler, "the name", name);
    return false;
  }
  const struct ap_prune_frame *frame = compiler->frame;
  *out_comparable = ap_prune_column(&frame->schema->fields[field].type, out_operand);
  out_operand->field = field;
  out_operand->partition = -1;
  for (uint32_t i = 0; i < frame->partition_column_count; i++) {
    if (frame->partition_columns[i] == field) out_operand->partition = (int32_t)i;
  }
  if (out_operand->partition < 0) (void)refuse(compiler, "the column", name);
  return true;
}

static bool parameter_operand(struct ap_prune_compiler *compiler, const struct ap_json *node,
                              struct ap_prune_operand *out_operand) {
  int64_t number;
  const struct ap_prune_parameters *parameters = compiler->parameters;
  if (parameters && ap_text_parse_i64(text_of(node, "identifier"), &number) && number >= 1 &&
      number <= parameters->count &&
      ap_prune_parameter(&parameters->values[number - 1], out_operand)) {
    return true;
  }
  (void)refuse(compiler, "the parameter", text_of(node, "identifier"));
  return false;
}

static bool operand_of(struct ap_prune_compiler *compiler, const struct ap_json *node,
                       struct ap_prune_operand *out_operand);

/* What the engine has evaluated, unless a column has the name of its clock. */
static bool folded_operand(struct ap_prune_compiler *compiler, const struct ap_json *node,
                           struct ap_prune_operand *out_operand) {
  const struct ap_prune_parameters *parameters = compiler->parameters;
  const struct ap_fold *fold = parameters ? ap_fold_of(parameters->folds, node) : NULL;
  if (!fold) return false;
  if (fold->clock.size > 0 && !ap_prune_scope_lacks(compiler->scopes, fold->clock)) return false;
  return ap_prune_folded(fold, out_operand);
}

static bool cast_operand(struct ap_prune_compiler *compiler, const struct ap_json *node,
                         struct ap_prune_operand *out_operand) {
  const struct ap_json *cast_type = ap_json_find(node, "cast_type");
  if (!operand_of(compiler, ap_json_find(node, "child"), out_operand)) return false;
  if (ap_prune_cast(out_operand, cast_type)) return true;
  if (out_operand->kind == AP_PRUNE_COLUMN &&
      ap_prune_step_cast(compiler->arena, out_operand, ap_prune_cast_kind(cast_type),
                         &compiler->out_of_memory)) {
    return true;
  }
  return refuse_operand(compiler, node);
}

/* A function of one column and constants. */
static bool function_operand(struct ap_prune_compiler *compiler, const struct ap_json *node,
                             struct ap_prune_operand *out_operand) {
  enum { ARGUMENTS_MAX = 3 };
  struct ap_prune_operand operands[ARGUMENTS_MAX];
  const struct ap_json *children = ap_json_find(node, "children");
  struct ap_text name = text_of(node, "function_name");
  if (!children || children->kind != AP_JSON_ARRAY || children->count < 1 ||
      children->count > ARGUMENTS_MAX || text_of(node, "catalog").size > 0) {
    return refuse_operand(compiler, node);
  }
  uint32_t columns = 0;
  uint32_t at = 0;
  for (uint32_t i = 0; i < children->count; i++) {
    if (!operand_of(compiler, &children->items[i], &operands[i])) return false;
    if (operands[i].kind != AP_PRUNE_COLUMN) continue;
    columns++;
    at = i;
  }
  bool understood = false;
  if (columns == 0 && children->count == 1 && ap_text_equal_string(name, "-")) {
    understood = ap_prune_negate(&operands[0]);
  } else if (columns == 1) {
    understood = ap_prune_step_call(compiler->arena, name, operands, children->count, at,
                                    &compiler->out_of_memory);
  }
  *out_operand = operands[at];
  return understood || refuse_operand(compiler, node);
}

/* A constant or a column, with casts and functions that keep its order. */
static bool operand_of(struct ap_prune_compiler *compiler, const struct ap_json *node,
                       struct ap_prune_operand *out_operand) {
  struct ap_text class = text_of(node, "class");
  if (folded_operand(compiler, node, out_operand)) return true;
  if (ap_text_equal_string(class, "COLUMN_REF")) {
    bool comparable = false;
    if (!column_operand(compiler, node, out_operand, &comparable)) return false;
    return comparable || refuse_operand(compiler, node);
  }
  if (ap_text_equal_string(class, "PARAMETER")) {
    return parameter_operand(compiler, node, out_operand);
  }
  if (ap_text_equal_string(class, "CAST")) return cast_operand(compiler, node, out_operand);
  if (ap_text_equal_string(class, "FUNCTION")) return function_operand(compiler, node, out_operand);
  if (ap_text_equal_string(class, "CONSTANT") &&
      ap_prune_constant(ap_json_find(node, "value"), out_operand)) {
    return true;
  }
  return refuse_operand(compiler, node);
}

static void note_column(struct ap_prune_compiler *compiler,
                        const struct ap_prune_operand *operand) {
  if (operand->kind != AP_PRUNE_COLUMN) return;
  compiler->had_condition = true;
  if (operand->partition < 0) compiler->needs_statistics = true;
}

static const struct ap_prune_expr *compare(struct ap_prune_compiler *compiler,
                                           enum ap_prune_comparison comparison,
                                           const struct ap_prune_operand *left,
                                           const struct ap_prune_operand *right) {
  struct ap_prune_expr *expr = new_expr(compiler, AP_PRUNE_COMPARE);
  if (!expr) return &unknown_expr;
  expr->comparison = comparison;
  expr->left = *left;
  expr->right = *right;
  note_column(compiler, left);
  note_column(compiler, right);
  return expr;
}

static bool is_boolean_expression(const struct ap_json *node) {
  struct ap_text class = text_of(node, "class");
  if (ap_text_equal_string(class, "CAST") && !ap_json_is_null(ap_json_find(node, "child")) &&
      member_is(ap_json_find(node, "cast_type"), "id", "BOOLEAN")) {
    return is_boolean_expression(ap_json_find(node, "child"));
  }
  return ap_text_equal_string(class, "COMPARISON") || ap_text_equal_string(class, "CONJUNCTION") ||
         ap_text_equal_string(class, "BETWEEN") || member_is(node, "type", "OPERATOR_NOT") ||
         member_is(node, "type", "OPERATOR_IS_NULL") ||
         member_is(node, "type", "OPERATOR_IS_NOT_NULL") || member_is(node, "type", "COMPARE_IN") ||
         member_is(node, "type", "COMPARE_NOT_IN");
}

/* (a > 1) = true, (a > 1) IS NOT FALSE and the like: the constant decides what becomes of each
 * answer. */
static const struct ap_prune_expr *compare_answers(struct ap_prune_compiler *compiler,
                                                   enum ap_prune_comparison comparison,
                                                   const struct ap_json *condition,
                                                   const struct ap_json *constant) {
  struct ap_prune_operand operand;
  if (!operand_of(compiler, constant, &operand)) return &unknown_expr;
  bool is_boolean = operand.kind == AP_PRUNE_CONSTANT && operand.value.kind == AP_VALUE_BOOLEAN;
  if (!is_boolean) return refuse_node(compiler, constant);
  bool distinct = comparison == AP_PRUNE_DISTINCT || comparison == AP_PRUNE_NOT_DISTINCT;
  bool negative = comparison == AP_PRUNE_DISTINCT || comparison == AP_PRUNE_NOT_EQUAL;
  if (!distinct && comparison != AP_PRUNE_EQUAL && comparison != AP_PRUNE_NOT_EQUAL) {
    return refuse_node(compiler, condition);
  }
  bool wanted = operand.value.i64 != 0;
  bool when_true = wanted != negative;
  const uint8_t answers[] = {
      when_true ? AP_PRUNE_TRUE : AP_PRUNE_FALSE,
      when_true ? AP_PRUNE_FALSE : AP_PRUNE_TRUE,
      !distinct  ? AP_PRUNE_NULL
      : negative ? AP_PRUNE_TRUE
                 : AP_PRUNE_FALSE,
  };
  return map(compiler, ap_prune_compile(compiler, condition), answers);
}

static bool comparison_of(struct ap_text type, enum ap_prune_comparison *out_comparison) {
  static const struct {
    const char *type;
    enum ap_prune_comparison comparison;
  } types[] = {
      {"COMPARE_EQUAL", AP_PRUNE_EQUAL},
      {"COMPARE_NOTEQUAL", AP_PRUNE_NOT_EQUAL},
      {"COMPARE_LESSTHAN", AP_PRUNE_LESS},
      {"COMPARE_LESSTHANOREQUALTO", AP_PRUNE_LESS_EQUAL},
      {"COMPARE_GREATERTHAN", AP_PRUNE_GREATER},
      {"COMPARE_GREATERTHANOREQUALTO", AP_PRUNE_GREATER_EQUAL},
      {"COMPARE_DISTINCT_FROM", AP_PRUNE_DISTINCT},
      {"COMPARE_NOT_DISTINCT_FROM", AP_PRUNE_NOT_DISTINCT},
  };
  for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
    if (!ap_text_equal_string(type, types[i].type)) continue;
    *out_comparison = types[i].comparison;
    return true;
  }
  return false;
}

static const struct ap_prune_expr *compile_comparison(struct ap_prune_compiler *compiler,
                                                      const struct ap_json *node) {
  enum ap_prune_comparison comparison;
  const struct ap_json *left = ap_json_find(node, "left");
  const struct ap_json *right = ap_json_find(node, "right");
  if (!comparison_of(text_of(node, "type"), &comparison)) return refuse_node(compiler, node);
  bool left_is_condition = is_boolean_expression(left);
  if (left_is_condition && is_boolean_expression(right)) return refuse_node(compiler, node);
  if (left_is_condition) return compare_answers(compiler, comparison, left, right);
  if (is_boolean_expression(right)) return compare_answers(compiler, comparison, right, left);
  struct ap_prune_operand operands[2];
  if (!operand_of(compiler, left, &operands[0]) || !operand_of(compiler, right, &operands[1])) {
    return &unknown_expr;
  }
  if (!ap_prune_unify(operands, 2)) return refuse_node(compiler, node);
  return compare(compiler, comparison, &operands[0], &operands[1]);
}

static const struct ap_prune_expr *compile_between(struct ap_prune_compiler *compiler,
                                                   const struct ap_json *node) {
  struct ap_prune_operand operands[3];
  if (!operand_of(compiler, ap_json_find(node, "input"), &operands[0]) ||
      !operand_of(compiler, ap_json_find(node, "lower"), &operands[1]) ||
      !operand_of(compiler, ap_json_find(node, "upper"), &operands[2])) {
    return &unknown_expr;
  }
  if (!ap_prune_unify(operands, 3)) return refuse_node(compiler, node);
  struct ap_prune_expr *both = new_group(compiler, AP_PRUNE_AND, 2);
  if (!both) return &unknown_expr;
  both->children[0] = compare(compiler, AP_PRUNE_GREATER_EQUAL, &operands[0], &operands[1]);
  both->children[1] = compare(compiler, AP_PRUNE_LESS_EQUAL, &operands[0], &operands[2]);
  return both;
}

static int order_values(const void *left, const void *right) {
  int order = 0;
  (void)ap_value_compare(left, right, &order);
  return order;
}

/* Whether all values have one exact order among themselves, so that they can be sorted. */
static bool sortable(const struct ap_prune_operand *items, uint32_t count) {
  enum ap_value_kind kind = AP_VALUE_NONE;
  for (uint32_t i = 0; i < count; i++) {
    if (items[i].kind == AP_PRUNE_NULL_CONSTANT) continue;
    if (items[i].kind != AP_PRUNE_CONSTANT || items[i].is_moving) return false;
    enum ap_value_kind own = items[i].value.kind;
    if (own == AP_VALUE_DECIMAL) own = AP_VALUE_INTEGER;
    if (kind != AP_VALUE_NONE && own != kind) return false;
    kind = own;
  }
  return true;
}

static const struct ap_prune_expr *in_values(struct ap_prune_compiler *compiler,
                                             const struct ap_prune_operand *operands,
                                             uint32_t count) {
  struct ap_prune_expr *expr = new_expr(compiler, AP_PRUNE_IN);
  struct ap_value *values = AP_ARENA_ARRAY(compiler->arena, struct ap_value, count);
  if (!expr || !values) {
    compiler->out_of_memory = true;
    return &unknown_expr;
  }
  expr->left = operands[0];
  expr->values = values;
  for (uint32_t i = 1; i < count; i++) {
    if (operands[i].kind == AP_PRUNE_NULL_CONSTANT) {
      expr->has_null = true;
    } else {
      values[expr->count++] = operands[i].value;
    }
  }
  qsort(values, expr->count, sizeof(*values), order_values);
  note_column(compiler, &operands[0]);
  return expr;
}

static const struct ap_prune_expr *compile_in(struct ap_prune_compiler *compiler,
                                              const struct ap_json *node) {
  const struct ap_json *children = ap_json_find(node, "children");
  if (!children || children->kind != AP_JSON_ARRAY || children->count < 2) {
    return refuse_node(compiler, node);
  }
  uint32_t count = children->count;
  struct ap_prune_operand *operands =
      AP_ARENA_ARRAY(compiler->arena, struct ap_prune_operand, count);
  if (!operands) {
    compiler->out_of_memory = true;
    return &unknown_expr;
  }
  for (uint32_t i = 0; i < count; i++) {
    if (!operand_of(compiler, &children->items[i], &operands[i])) return &unknown_expr;
  }
  if (!ap_prune_unify(operands, count)) return refuse_node(compiler, node);
  if (operands[0].kind == AP_PRUNE_COLUMN && sortable(operands + 1, count - 1)) {
    return in_values(compiler, operands, count);
  }
  struct ap_prune_expr *any = new_group(compiler, AP_PRUNE_OR, count - 1);
  if (!any) return &unknown_expr;
  for (uint32_t i = 1; i < count; i++) {
    any->children[i - 1] = compare(compiler, AP_PRUNE_EQUAL, &operands[0], &operands[i]);
  }
  return any;
}

static const struct ap_prune_expr *compile_is_null(struct ap_prune_compiler *compiler,
                                                   const struct ap_json *child) {
  if (is_boolean_expression(child)) {
    return map(compiler, ap_prune_compile(compiler, child), map_is_null);
  }
  /* A column of any type can be asked for null. */
  struct ap_prune_operand operand;
  bool comparable;
  bool understood = member_is(child, "class", "COLUMN_REF")
                        ? column_operand(compiler, child, &operand, &comparable)
                        : operand_of(compiler, child, &operand);
  if (!understood) return &unknown_expr;
  struct ap_prune_expr *expr = new_expr(compiler, AP_PRUNE_IS_NULL);
  if (!expr) return &unknown_expr;
  expr->left = operand;
  note_column(compiler, &operand);
  return expr;
}

static const struct ap_prune_expr *compile_operator(struct ap_prune_compiler *compiler,
                                                    const struct ap_json *node) {
  const struct ap_json *children = ap_json_find(node, "children");
  bool has_child = children && children->kind == AP_JSON_ARRAY && children->count > 0;
  const struct ap_json *child = has_child ? &children->items[0] : NULL;
  struct ap_text type = text_of(node, "type");
  if (child && children->count == 1) {
    if (ap_text_equal_string(type, "OPERATOR_NOT")) {
      return map(compiler, ap_prune_compile(compiler, child), map_not);
    }
    if (ap_text_equal_string(type, "OPERATOR_IS_NULL")) return compile_is_null(compiler, child);
    if (ap_text_equal_string(type, "OPERATOR_IS_NOT_NULL")) {
      return map(compiler, compile_is_null(compiler, child), map_not);
    }
  }
  if (ap_text_equal_string(type, "COMPARE_IN")) return compile_in(compiler, node);
  if (ap_text_equal_string(type, "COMPARE_NOT_IN")) {
    return map(compiler, compile_in(compiler, node), map_not);
  }
  return refuse_node(compiler, node);
}

static const struct ap_prune_expr *compile_conjunction(struct ap_prune_compiler *compiler,
                                                       const struct ap_json *node) {
  const struct ap_json *children = ap_json_find(node, "children");
  bool is_and = member_is(node, "type", "CONJUNCTION_AND");
  if (!children || children->kind != AP_JSON_ARRAY || children->count == 0 ||
      (!is_and && !member_is(node, "type", "CONJUNCTION_OR"))) {
    return refuse_node(compiler, node);
  }
  struct ap_prune_expr *expr =
      new_group(compiler, is_and ? AP_PRUNE_AND : AP_PRUNE_OR, children->count);
  if (!expr) return &unknown_expr;
  for (uint32_t i = 0; i < children->count; i++) {
    expr->children[i] = ap_prune_compile(compiler, &children->items[i]);
  }
  return expr;
}

/* A text that is a constant, and not a parameter's. */
static bool constant_text(struct ap_prune_compiler *compiler, const struct ap_json *node,
                          struct ap_text *out_text) {
  struct ap_prune_operand operand;
  bool understood = folded_operand(compiler, node, &operand) ||
                    (member_is(node, "class", "CONSTANT") &&
                     ap_prune_constant(ap_json_find(node, "value"), &operand));
  if (!understood || operand.kind != AP_PRUNE_CONSTANT || operand.value.kind != AP_VALUE_TEXT) {
    return false;
  }
  *out_text = operand.value.text;
  return true;
}

enum pattern {
  PATTERN_UNKNOWN,
  PATTERN_EQUAL,  /* no wildcard: the text itself */
  PATTERN_PREFIX, /* nothing but one '%' follows */
  PATTERN_MORE,   /* a prefix and more */
};

/* The pattern up to its first wildcard. */
static enum pattern read_pattern(struct ap_prune_compiler *compiler, const struct ap_json *pattern,
                                 const struct ap_json *escape, bool is_like,
                                 struct ap_text *out_prefix) {
  struct ap_text text;
  struct ap_text escape_text = {0};
  if (!constant_text(compiler, pattern, &text)) return PATTERN_UNKNOWN;
  *out_prefix = text;
  if (!is_like) return PATTERN_PREFIX;
  if (escape && (!constant_text(compiler, escape, &escape_text) || escape_text.size != 1)) {
    return PATTERN_UNKNOWN;
  }
  size_t size = 0;
  while (size < text.size && text.data[size] != '%' && text.data[size] != '_' &&
         !(escape && text.data[size] == escape_text.data[0])) {
    size++;
  }
  *out_prefix = (struct ap_text){text.data, size};
  if (size == text.size) return PATTERN_EQUAL;
  bool is_last = size + 1 == text.size && text.data[size] == '%';
  return is_last && !(escape && escape_text.data[0] == '%') ? PATTERN_PREFIX : PATTERN_MORE;
}

/* A text column, or part of one, and what it begins with, or is. */
static const struct ap_prune_expr *compile_prefix(struct ap_prune_compiler *compiler,
                                                  const struct ap_json *node, enum pattern pattern,
                                                  struct ap_text prefix) {
  struct ap_prune_expr *expr = new_expr(compiler, AP_PRUNE_PREFIX);
  if (!expr) return &unknown_expr;
  if (!operand_of(compiler, &ap_json_find(node, "children")->items[0], &expr->left)) {
    return &unknown_expr;
  }
  if (expr->left.kind != AP_PRUNE_COLUMN || expr->left.type.kind != AP_TYPE_STRING) {
    return refuse_node(compiler, node);
  }
  if (pattern == PATTERN_EQUAL) {
    struct ap_prune_operand text = {.kind = AP_PRUNE_CONSTANT, .type = expr->left.type};
    text.value = (struct ap_value){.kind = AP_VALUE_TEXT, .text = prefix};
    return compare(compiler, AP_PRUNE_EQUAL, &expr->left, &text);
  }
  expr->prefix = prefix;
  expr->whole = pattern == PATTERN_PREFIX;
  note_column(compiler, &expr->left);
  if (!expr->whole) (void)refuse(compiler, "a pattern with more than", prefix);
  return expr;
}

static const struct ap_prune_expr *compile_function(struct ap_prune_compiler *compiler,
                                                    const struct ap_json *node) {
  static const struct {
    const char *name;
    bool is_like;
    bool negated;
    uint32_t arguments;
  } functions[] = {
      {"~~", true, false, 2},           {"!~~", true, true, 2},
      {"like_escape", true, false, 3},  {"not_like_escape", true, true, 3},
      {"starts_with", false, false, 2}, {"prefix", false, false, 2},
      {"^@", false, false, 2},
  };
  struct ap_text name = text_of(node, "function_name");
  const struct ap_json *children = ap_json_find(node, "children");
  for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
    if (!ap_text_equal_string(name, functions[i].name)) continue;
    if (!children || children->kind != AP_JSON_ARRAY || children->count != functions[i].arguments) {
      break;
    }
    const struct ap_json *escape = children->count == 3 ? &children->items[2] : NULL;
    struct ap_text prefix;
    enum pattern pattern =
        read_pattern(compiler, &children->items[1], escape, functions[i].is_like, &prefix);
    if (pattern == PATTERN_UNKNOWN) break;
    const struct ap_prune_expr *expr = compile_prefix(compiler, node, pattern, prefix);
    return map(compiler, expr, functions[i].negated ? map_not : map_same);
  }
  return refuse_node(compiler, node);
}

/* A column, constant or parameter that is itself the condition. */
static const struct ap_prune_expr *compile_plain(struct ap_prune_compiler *compiler,
                                                 const struct ap_json *node) {
  struct ap_prune_operand operand;
  if (!operand_of(compiler, node, &operand)) return &unknown_expr;
  if (operand.kind == AP_PRUNE_NULL_CONSTANT) return answer(compiler, AP_PRUNE_NULL);
  if (operand.type.kind != AP_TYPE_BOOLEAN || operand.parameter || operand.is_moving) {
    return refuse_node(compiler, node);
  }
  if (operand.kind == AP_PRUNE_CONSTANT) {
    return answer(compiler, operand.value.i64 ? AP_PRUNE_TRUE : AP_PRUNE_FALSE);
  }
  struct ap_prune_operand is_true = operand;
  is_true.kind = AP_PRUNE_CONSTANT;
  is_true.value = (struct ap_value){.kind = AP_VALUE_BOOLEAN};
  is_true.value.i64 = 1;
  return compare(compiler, AP_PRUNE_EQUAL, &operand, &is_true);
}

const struct ap_prune_expr *ap_prune_compile(struct ap_prune_compiler *compiler,
                                             const struct ap_json *node) {
  struct ap_text class = text_of(node, "class");
  if (ap_text_equal_string(class, "COMPARISON")) return compile_comparison(compiler, node);
  if (ap_text_equal_string(class, "CONJUNCTION")) return compile_conjunction(compiler, node);
  if (ap_text_equal_string(class, "BETWEEN")) return compile_between(compiler, node);
  if (ap_text_equal_string(class, "OPERATOR")) return compile_operator(compiler, node);
  if (ap_text_equal_string(class, "FUNCTION")) return compile_function(compiler, node);
  if (ap_text_equal_string(class, "CAST") && is_boolean_expression(node)) {
    return ap_prune_compile(compiler, ap_json_find(node, "child"));
  }
  if (ap_text_equal_string(class, "COLUMN_REF") || ap_text_equal_string(class, "CONSTANT") ||
      ap_text_equal_string(class, "CAST") || ap_text_equal_string(class, "PARAMETER")) {
    return compile_plain(compiler, node);
  }
  return refuse_node(compiler, node);
}
