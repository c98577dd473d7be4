/* SPDX-License-Identifier: Apache-2.0
 *
 * The insides of pruning, shared by its files and not for use outside plan: the items of a FROM
 * clause (prune_scope.c), constants and what they may be compared with (prune_value.c), a WHERE as
 * a small expression (prune_expr.c) and its evaluation over a cell in sets of answers
 * (prune_eval.c).
 * Pure; arena memory.
 */
#ifndef AP_PLAN_PRUNE_EXPR_H
#define AP_PLAN_PRUNE_EXPR_H

#include "plan/prune.h"

/* One thing in a FROM clause that has columns. */
struct ap_prune_item {
  struct ap_text name; /* the alias, or the table's name when there is none */
  struct ap_text schema;
  struct ap_text catalog;
  bool has_alias;
  int32_t reference;                  /* -1: not a reference (a subquery, function, CTE) */
  const struct ap_prune_frame *frame; /* NULL: its columns are unknown */
};

struct ap_prune_scope {
  struct ap_prune_item *items;
  uint32_t count;
  uint32_t capacity;
  bool opaque; /* nothing can be said about any name */
};

AP_MUST_CHECK ap_status ap_prune_scope_make(struct ap_arena *arena, const struct ap_tree *tree,
                                            const struct ap_prune_frame *const *frames,
                                            const struct ap_json *select,
                                            struct ap_prune_scope *out_scope, ap_error *err);

/* Which reference's which field the names of a COLUMN_REF mean; false when that is not certain. */
bool ap_prune_scope_resolve(const struct ap_prune_scope *scope, const struct ap_json *names,
                            uint32_t *out_reference, uint32_t *out_field);

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
};

struct ap_prune_operand {
  enum ap_prune_operand_kind kind;
  struct ap_value value; /* CONSTANT */
  struct ap_type type;   /* as which the engine compares it; NULL_CONSTANT: none */
  uint8_t whole_digits;  /* of numbers: digits before the point that the type holds */
  bool literal;          /* a plain 'text', which takes the type of what it meets */
  bool parameter;        /* may be cast to what it meets */
  bool widened;          /* a float column cast to double */
  uint32_t field;        /* COLUMN: index into the schema */
  int32_t partition;     /* COLUMN: index into the partition values; -1: not partitioned by it */
};

/* A CONSTANT node's value, a parameter's value, a column of that type. False: not understood. */
bool ap_prune_constant(const struct ap_json *value, struct ap_prune_operand *out_operand);
bool ap_prune_parameter(const struct ap_value *value, struct ap_prune_operand *out_operand);
bool ap_prune_column(const struct ap_type *type, struct ap_prune_operand *out_operand);
/* Cast in place to a type of the tree; false when order or value might change, or it may fail. */
bool ap_prune_cast(struct ap_prune_operand *operand, const struct ap_json *cast_type);
/* -x in place, for constants. */
bool ap_prune_negate(struct ap_prune_operand *operand);
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
  const struct ap_prune_scope *scope;
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

/* statistics NULL: only partition values are known. */
uint8_t ap_prune_evaluate(const struct ap_prune_expr *expr, const struct ap_prune_frame *frame,
                          const struct ap_cell *cell, const struct ap_cell_statistics *statistics);

/* A partition value of that type; false when nothing may be concluded from its text. */
bool ap_prune_partition_value(const struct ap_partition_value *partition,
                              const struct ap_type *type, struct ap_value *out_value);

#endif
