/* SPDX-License-Identifier: Apache-2.0
 *
 * See fold.h.
 * Thread: the arena's.
 */
#include "plan/fold.h"

#include "base/assert.h"

#include <string.h>

enum { FOLDS_MAX = 64 };

#define DAY_MS           ((int64_t)86400 * 1000)
#define NEAR_BOUNDS_DAYS 367 /* about a turn of the day, even the year may turn */

static struct ap_text text_of(const struct ap_json *node, const char *name) {
  struct ap_text text;
  if (!ap_json_get_text(node, name, (struct ap_text){0}, &text)) return (struct ap_text){0};
  return text;
}

static bool is_one_of(struct ap_text name, const char *const *names, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (ap_text_equal_string(name, names[i])) return true;
  }
  return false;
}
#define IS_ONE_OF(name, names) is_one_of(name, names, sizeof(names) / sizeof(*(names)))

/* Give the same answer for the same arguments, in any session. */
static const char *const steady_functions[] = {
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "||",
    "abs",
    "ceil",
    "ceiling",
    "floor",
    "round",
    "trunc",
    "sqrt",
    "pow",
    "power",
    "mod",
    "sign",
    "greatest",
    "least",
    "lower",
    "upper",
    "lcase",
    "ucase",
    "concat",
    "trim",
    "ltrim",
    "rtrim",
    "left",
    "right",
    "substring",
    "substr",
    "replace",
    "reverse",
    "repeat",
    "length",
    "lpad",
    "rpad",
    "chr",
    "ascii",
    "coalesce",
    "nullif",
    "make_date",
    "make_time",
    "make_timestamp",
    "strptime",
    "to_years",
    "to_quarters",
    "to_months",
    "to_weeks",
    "to_days",
    "to_hours",
    "to_minutes",
    "to_seconds",
    "to_milliseconds",
    "to_microseconds",
    "date_trunc",
    "datetrunc",
    "date_part",
    "datepart",
    "year",
    "month",
    "day",
    "quarter",
    "last_day",
    "date_add",
    "epoch_ms",
    "date_diff",
    "datediff",
    "to_decades",
    "to_centuries",
};
static const char *const clock_functions[] = {"now",
                                              "today",
                                              "get_current_timestamp",
                                              "transaction_timestamp",
                                              "current_date",
                                              "current_localtimestamp"};
static const char *const clock_words[] = {"current_date", "current_timestamp", "localtimestamp"};
static const char *const long_units[] = {"day",  "week",  "month",  "quarter",  "year",
                                         "days", "weeks", "months", "quarters", "years"};

struct finder {
  struct ap_arena *arena;
  struct ap_folds *folds;
};

enum steadiness {
  NOT_CONSTANT,
  MOVING,
  PLAIN,  /* a constant, which needs no engine */
  STEADY, /* a function of constants */
};

/* What else is known of what moves. */
struct motion {
  struct ap_text clock; /* the word of the clock, where one is used */
  bool is_shifted;      /* something was added: its days turn at another time than midnight */
  bool is_cut_shifted;  /* and then it was cut to the day */
};

static enum steadiness steadiness_of(const struct ap_json *node, struct motion *motion);

static bool is_plain_call(const struct ap_json *node, struct ap_text *out_name) {
  bool distinct;
  struct ap_text schema = text_of(node, "schema");
  const struct ap_json *orders = ap_json_find(ap_json_find(node, "order_bys"), "orders");
  *out_name = text_of(node, "function_name");
  return text_of(node, "catalog").size == 0 &&
         (schema.size == 0 || ap_text_equal_string(schema, "main")) &&
         ap_json_is_null(ap_json_find(node, "filter")) &&
         ap_json_get_bool(node, "distinct", false, &distinct) && !distinct &&
         !(orders && orders->count > 0);
}

bool ap_fold_is_steady_call(const struct ap_json *node) {
  static const char *const tests[] = {"~~",       "!~~",        "~~*",         "!~~*",
                                      "prefix",   "suffix",     "starts_with", "ends_with",
                                      "contains", "like_escape"};
  struct ap_text name;
  return is_plain_call(node, &name) &&
         (IS_ONE_OF(name, steady_functions) || IS_ONE_OF(name, tests));
}

/* What moves on with the clock and no faster: time plus or minus what is steady, and its day,
 * month or year. */
static bool keeps_moving(struct ap_text name, const struct ap_json *children, uint32_t moving,
                         struct motion *motion) {
  if (children->count != 2) return false;
  bool adds = ap_text_equal_string(name, "+");
  if (adds || ap_text_equal_string(name, "-")) {
    motion->is_shifted = true;
    return adds || moving == 0;
  }
  if (!ap_text_equal_string(name, "date_trunc") && !ap_text_equal_string(name, "datetrunc")) {
    return false;
  }
  struct ap_text unit = text_of(ap_json_find(&children->items[0], "value"), "value");
  return moving == 1 && IS_ONE_OF(unit, long_units) && !motion->is_shifted;
}

static enum steadiness call_steadiness(const struct ap_json *node, struct motion *motion) {
  struct ap_text name;
  const struct ap_json *children = ap_json_find(node, "children");
  if (!is_plain_call(node, &name) || !children || children->kind != AP_JSON_ARRAY) {
    return NOT_CONSTANT;
  }
  if (children->count == 0) return IS_ONE_OF(name, clock_functions) ? MOVING : NOT_CONSTANT;
  if (!IS_ONE_OF(name, steady_functions)) return NOT_CONSTANT;
  uint32_t moving = 0;
  uint32_t moving_count = 0;
  for (uint32_t i = 0; i < children->count; i++) {
    enum steadiness child = steadiness_of(&children->items[i], motion);
    if (child == NOT_CONSTANT) return NOT_CONSTANT;
    if (child != MOVING) continue;
    moving = i;
    moving_count++;
  }
  if (moving_count == 0) return STEADY;
  return moving_count == 1 && keeps_moving(name, children, moving, motion) ? MOVING : NOT_CONSTANT;
}

static enum steadiness cast_steadiness(const struct ap_json *node, struct motion *motion) {
  static const char *const times[] = {"DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"};
  bool tries;
  struct ap_text to = text_of(ap_json_find(node, "cast_type"), "id");
  if (!ap_json_get_bool(node, "try_cast", true, &tries) || tries) return NOT_CONSTANT;
  /* What a user's type is called, nobody knows here. */
  if (ap_text_equal_string(to, "UNBOUND") || ap_text_equal_string(to, "USER")) return NOT_CONSTANT;
  enum steadiness child = steadiness_of(ap_json_find(node, "child"), motion);
  if (child == MOVING && !IS_ONE_OF(to, times)) return NOT_CONSTANT;
  if (ap_text_equal_string(to, "DATE")) motion->is_cut_shifted = motion->is_shifted;
  return child == PLAIN && ap_text_equal_string(to, "INTERVAL") ? STEADY : child;
}

static enum steadiness steadiness_of(const struct ap_json *node, struct motion *motion) {
  struct ap_text class = text_of(node, "class");
  if (ap_text_equal_string(class, "CONSTANT")) return PLAIN;
  if (ap_text_equal_string(class, "CAST")) return cast_steadiness(node, motion);
  if (ap_text_equal_string(class, "FUNCTION")) return call_steadiness(node, motion);
  const struct ap_json *names = ap_json_find(node, "column_names");
  if (!ap_text_equal_string(class, "COLUMN_REF") || !names || names->kind != AP_JSON_ARRAY ||
      names->count != 1 || names->items[0].kind != AP_JSON_STRING ||
      !IS_ONE_OF(names->items[0].text, clock_words)) {
    return NOT_CONSTANT;
  }
  motion->clock = names->items[0].text;
  return MOVING;
}

static bool may_hold_columns(struct ap_text class) {
  return !ap_text_equal_string(class, "SUBQUERY") && !ap_text_equal_string(class, "CONSTANT");
}

/* The greatest constant parts; as deep as the tree nests. */
static void find(struct finder *finder, const struct ap_json *value) {
  if (value->kind == AP_JSON_ARRAY) {
    for (uint32_t i = 0; i < value->count; i++) find(finder, &value->items[i]);
    return;
  }
  struct ap_folds *folds = finder->folds;
  struct ap_text class = text_of(value, "class");
  if (value->kind != AP_JSON_OBJECT || !may_hold_columns(class)) return;
  if (ap_json_find(value, "using_columns")) return; /* a join: its equations have no constants */
  struct motion motion = {.is_shifted = false};
  enum steadiness steadiness = class.size > 0 ? steadiness_of(value, &motion) : NOT_CONSTANT;
  if (steadiness == PLAIN) return;
  if (steadiness != NOT_CONSTANT) {
    if (folds->count == FOLDS_MAX) return;
    folds->items[folds->count++] = (struct ap_fold){.node = value,
                                                    .clock = motion.clock,
                                                    .is_moving = steadiness == MOVING,
                                                    .is_cut_shifted = motion.is_cut_shifted};
    folds->any_moving = folds->any_moving || steadiness == MOVING;
    return;
  }
  for (uint32_t i = 0; i < value->count; i++) find(finder, &value->members[i].value);
}

static bool seen_before(const struct ap_tree *tree, uint32_t reference,
                        const struct ap_json *condition) {
  for (uint32_t i = 0; i < reference; i++) {
    const struct ap_filter *filter = tree->references[i].filters;
    for (; filter; filter = filter->next) {
      if (filter->condition == condition) return true;
    }
  }
  return false;
}

ap_status ap_fold_find(struct ap_arena *arena, const struct ap_tree *tree,
                       struct ap_folds *out_folds, ap_error *err) {
  *out_folds = (struct ap_folds){.items = AP_ARENA_ARRAY(arena, struct ap_fold, FOLDS_MAX)};
  if (!out_folds->items) return AP_FAIL_MEMORY(err);
  struct finder finder = {.arena = arena, .folds = out_folds};
  for (uint32_t i = 0; i < tree->reference_count; i++) {
    const struct ap_filter *filter = tree->references[i].filters;
    for (; filter; filter = filter->next) {
      if (!seen_before(tree, i, filter->condition)) find(&finder, filter->condition);
    }
  }
  return AP_OK;
}

void ap_fold_write(struct ap_buffer *out, const struct ap_folds *folds) {
  ap_buffer_append_string(
      out,
      "{\"error\":false,\"statements\":[{\"node\":{\"type\":\"SELECT_NODE\",\"modifiers\":[],"
      "\"cte_map\":{\"map\":[]},\"select_list\":[");
  for (uint32_t i = 0; i < folds->count; i++) {
    if (i > 0) ap_buffer_append(out, ",", 1);
    ap_tree_write_value(out, folds->items[i].node);
  }
  ap_buffer_append_string(
      out,
      "],\"from_table\":{\"type\":\"EMPTY\",\"alias\":\"\",\"sample\":null,\"query_location\":"
      "18446744073709551615},\"where_clause\":null,\"group_expressions\":[],\"group_sets\":[],"
      "\"aggregate_handling\":\"STANDARD_HANDLING\",\"having\":null,\"sample\":null,\"qualify\":"
      "null},\"named_param_map\":[]}]}");
}

const struct ap_fold *ap_fold_of(const struct ap_folds *folds, const struct ap_json *node) {
  for (uint32_t i = 0; folds && i < folds->count; i++) {
    if (folds->items[i].node == node) return &folds->items[i];
  }
  return NULL;
}

/* Whether, with the drift, the day may turn. */
static bool day_may_turn(int64_t before_ms, int64_t after_ms) {
  int64_t in_day = before_ms % DAY_MS;
  return before_ms < 0 || after_ms < before_ms || in_day < AP_FOLD_DRIFT_MS ||
         in_day + (after_ms - before_ms) + AP_FOLD_DRIFT_MS >= DAY_MS;
}

void ap_fold_bound(struct ap_folds *folds, int64_t before_ms, int64_t after_ms) {
  bool turns = day_may_turn(before_ms, after_ms);
  for (uint32_t i = 0; i < folds->count; i++) {
    struct ap_fold *fold = &folds->items[i];
    struct ap_value *value = &fold->constant.value;
    fold->latest = *value;
    if (!fold->is_moving || fold->constant.kind != AP_CONSTANT_VALUE) continue;
    int64_t slack = turns ? NEAR_BOUNDS_DAYS : fold->is_cut_shifted ? 1 : 0;
    if (value->kind == AP_VALUE_TIMESTAMP || value->kind == AP_VALUE_TIMESTAMP_TZ) {
      slack = slack * DAY_MS * 1000 + AP_FOLD_DRIFT_MS * 1000;
    } else if (value->kind != AP_VALUE_DATE) {
      fold->constant.kind = AP_CONSTANT_UNKNOWN;
      continue;
    }
    if (__builtin_sub_overflow(value->i64, slack, &value->i64) ||
        __builtin_add_overflow(fold->latest.i64, slack, &fold->latest.i64)) {
      fold->constant.kind = AP_CONSTANT_UNKNOWN;
    }
  }
}
