/* SPDX-License-Identifier: Apache-2.0
 *
 * The insides of pruning, shared by its files and not for use outside plan: the items of a FROM
 * clause (prune_scope.c), constants and what they may be compared with (prune_value.c), functions
 * of a column that keep its order (prune_step.c), a WHERE as a small expression (prune_expr.c) and
 * its evaluation over a cell in sets of answers (prune_eval.c). Pure; arena memory.
 */
#ifndef AP_PLAN_PRUNE_EXPR_H
#define AP_PLAN_PRUNE_EXPR_H

#include "plan/fold.h"
#include "plan/prune.h"

/* One thing in a FROM clause that has columns. */
struct ap_prune_item {
  struct ap_text name; /* the alias, or the table's name when there is none */
  struct ap_text schema;
  struct ap_text catalog;
  bool has_alias;
  const struct ap_json *node;
  int32_t reference;                  /* -1: not a reference (a subquery, function, CTE) */
  const struct ap_prune_frame *frame; /* NULL: its columns are unknown */
};

struct ap_prune_scope {
  struct ap_prune_item *items;
  uint32_t count;
  uint32_t capacity;
  bool opaque; /* nothing can be said about any name */
};

/* One SELECT of a set operation. */
struct ap_prune_branch {
  const struct ap_json *select;
  struct ap_prune_scope scope;
};

/* Where the names of a filter's condition are looked up, from the outside in. */
struct ap_prune_scopes {
  struct ap_prune_scope from;
  uint32_t step_count;
  struct ap_prune_scope_step {
    const struct ap_tree_step *step;
    struct ap_prune_scope scope;      /* FROM of step->select */
    struct ap_prune_branch *branches; /* all of step->set, the first one names the columns */
    uint32_t branch_count;
  } * steps; /* outermost first */
};

AP_MUST_CHECK ap_status ap_prune_scope_make(struct ap_arena *arena, const struct ap_tree *tree,
                                            const struct ap_prune_frame *const *frames,
                                            const struct ap_filter *filter,
                                            struct ap_prune_scopes *out_scopes, ap_error *err);

/* Which reference's which field the names of a COLUMN_REF mean; false when that is not certain. */
bool ap_prune_scope_resolve(const struct ap_prune_scopes *scopes, const struct ap_json *names,
                            uint32_t *out_reference, uint32_t *out_field);
/* Whether no column of that name is in reach of the condition. */
bool ap_prune_scope_lacks(const struct ap_prune_scopes *scopes, struct ap_text name);

/* The answers that an expression may have over a cell's rows. No bit: the cell has no rows. */
enum {
  AP_PRUNE_TRUE = 1,
  AP_PRUNE_FALSE = 2,
  AP_PRUNE_NULL = 4,
  AP_PRUNE_ANY = 7,
};

enum ap_prune_operand_kind {
  AP_PRUNE_CONSTANT,
  AP_PRUNE_NULL_CONSTANT,
  AP_PRUNE_COLUMN,
  AP_PRUNE_INTERVAL, /* months, days, value.i64 microseconds; meets only times in sums */
};

enum ap_prune_unit {
  AP_PRUNE_YEAR,
  AP_PRUNE_QUARTER,
  AP_PRUNE_MONTH,
  AP_PRUNE_WEEK,
  AP_PRUNE_DAY,
  AP_PRUNE_HOUR,
  AP_PRUNE_MINUTE,
  AP_PRUNE_SECOND,
};

enum ap_prune_step_kind {
  AP_PRUNE_STEP_ADD,      /* value + number (dates: days), or + f64 */
  AP_PRUNE_STEP_SUBTRACT, /* number - value */
  AP_PRUNE_STEP_MULTIPLY,
  AP_PRUNE_STEP_INTERVAL, /* time + months (dates only) + micros */
  AP_PRUNE_STEP_TRUNCATE, /* to the unit */
  AP_PRUNE_STEP_YEAR_OF,
  AP_PRUNE_STEP_DATE,   /* the day of a time */
  AP_PRUNE_STEP_DOUBLE, /* an integer as a double */
  AP_PRUNE_STEP_CUT,    /* the first number characters */
};

/* A function applied to a column, and those applied before it. */
struct ap_prune_step {
  const struct ap_prune_step *inner;
  enum ap_prune_step_kind kind;
  enum ap_prune_unit unit;
  bool turns; /* the order round */
  ap_int128 number;
  double f64;
  int64_t months;
  int64_t micros;
};

struct ap_prune_operand {
  enum ap_prune_operand_kind kind;
  struct ap_value value; /* CONSTANT */
  struct ap_type type;   /* as which the engine compares it; NULL_CONSTANT: none */
  uint8_t whole_digits;  /* of numbers: digits before the point that the type holds */
  bool literal;          /* a plain 'text', which takes the type of what it meets */
  bool parameter;        /* may be cast to what it meets */
  bool widened;          /* a float column cast to double */
  bool is_moving;        /* CONSTANT: anything from value to latest, depending on the clock */
  struct ap_value latest;
  int32_t months; /* INTERVAL */
  int32_t days;
  const struct ap_prune_step *steps; /* COLUMN: what is done to it, the last first; NULL: nothing */
  uint32_t field;                    /* COLUMN: index into the schema */
  int32_t partition; /* COLUMN: index into the partition values; -1: not partitioned by it */
};

/* A CONSTANT node's value, a parameter's value, a column of that type. False: not understood. */
bool ap_prune_constant(const struct ap_json *value, struct ap_prune_operand *out_operand);
bool ap_prune_parameter(const struct ap_value *value, struct ap_prune_operand *out_operand);
bool ap_prune_column(const struct ap_type *type, struct ap_prune_operand *out_operand);
/* Cast in place to a type of the tree; false when order or value might change, or it may fail. */
bool ap_prune_cast(struct ap_prune_operand *operand, const struct ap_json *cast_type);
/* -x in place, for constants. */
bool ap_prune_negate(struct ap_prune_operand *operand);
/* What the engine evaluated. */
bool ap_prune_folded(const struct ap_fold *fold, struct ap_prune_operand *out_operand);

/* prune_step.c: a function of operands[at], a column, and constants becomes a step of the column;
 * false when it does not keep the order or is not known. */
bool ap_prune_step_call(struct ap_arena *arena, struct ap_text name,
                        struct ap_prune_operand *operands, uint32_t count, uint32_t at,
                        bool *out_of_memory);
bool ap_prune_step_cast(struct ap_arena *arena, struct ap_prune_operand *column,
                        enum ap_type_kind to, bool *out_of_memory);
void ap_prune_steps_apply(const struct ap_prune_step *steps, struct ap_value *min,
                          struct ap_value *max, bool *may_be_null);
/* The kind of a cast's target; AP_TYPE_NULL: none of those known here. */
enum ap_type_kind ap_prune_cast_kind(const struct ap_json *cast_type);

/* Whether the operands of one comparison, IN or BETWEEN (the tested one first) are compared by the
 * engine just as ap_value_compare and ap_value_surely_less do it. Gives literals their type. */
bool ap_prune_unify(struct ap_prune_operand *operands, uint32_t count);

enum ap_prune_comparison {
  AP_PRUNE_EQUAL,
  AP_PRUNE_NOT_EQUAL,
  AP_PRUNE_LESS,
  AP_PRUNE_LESS_EQUAL,
  AP_PRUNE_GREATER,
  AP_PRUNE_GREATER_EQUAL,
  AP_PRUNE_DISTINCT,
  AP_PRUNE_NOT_DISTINCT,
};

enum ap_prune_expr_kind {
  AP_PRUNE_UNKNOWN,
  AP_PRUNE_ANSWER,  /* always answer */
  AP_PRUNE_AND,     /* children */
  AP_PRUNE_OR,      /* children */
  AP_PRUNE_MAP,     /* children[0], whose answers become map's: NOT, IS TRUE, IS NULL */
  AP_PRUNE_COMPARE, /* left, right */
  AP_PRUNE_IN,      /* left among values, ascending */
  AP_PRUNE_IS_NULL, /* left */
  AP_PRUNE_PREFIX,  /* left begins with prefix */
};

struct ap_prune_expr {
  enum ap_prune_expr_kind kind;
  enum ap_prune_comparison comparison;
  uint8_t answer;
  uint8_t map[3]; /* for TRUE, FALSE, NULL */
  bool has_null;  /* IN: the list has a null */
  bool whole;     /* PREFIX: nothing else is asked (LIKE 'x%'), so it may also be surely true */
  struct ap_prune_operand left;
  struct ap_prune_operand right;
  struct ap_text prefix;
  struct ap_value *values;
  const struct ap_prune_expr **children;
  uint32_t count; /* children or values */
};

struct ap_prune_compiler {
  struct ap_arena *arena;
  const struct ap_prune_scopes *scopes;
  uint32_t reference; /* the one that is to be pruned */
  const struct ap_prune_frame *frame;
  const struct ap_prune_parameters *parameters; /* NULL: none */
  bool had_condition;                           /* some part speaks of the frame */
  bool needs_statistics;
  bool out_of_memory;
  const char *refusal; /* the first thing not understood; NULL: all is understood */
};

/* Never NULL; what is not understood is UNKNOWN. */
const struct ap_prune_expr *ap_prune_compile(struct ap_prune_compiler *compiler,
                                             const struct ap_json *node);

/* statistics NULL: only partition values are known. Whether TRUE is among the answers, and whether
 * it is the only one, is exact; without TRUE, FALSE and NULL may be incomplete. */
uint8_t ap_prune_evaluate(const struct ap_prune_expr *expr, const struct ap_prune_frame *frame,
                          const struct ap_cell *cell, const struct ap_cell_statistics *statistics);

/* What is known of a column's values in a cell: bounds of kind NONE are unknown. */
struct ap_prune_bounds {
  struct ap_value min;
  struct ap_value max;
  bool may_be_value;
};
void ap_prune_bounds_of(const struct ap_prune_operand *column, const struct ap_prune_frame *frame,
                        const struct ap_cell *cell, const struct ap_cell_statistics *statistics,
                        struct ap_prune_bounds *out_bounds);

/* The answers for a row whose columns are all null. */
uint8_t ap_prune_evaluate_nulls(const struct ap_prune_expr *expr);

/* A partition value of that type; false when nothing may be concluded from its text. */
bool ap_prune_partition_value(const struct ap_partition_value *partition,
                              const struct ap_type *type, struct ap_value *out_value);

#endif
