/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's statement tree (json_serialize_sql): which tables a query reads, and what its
 * conditions say about them.
 *
 * Scopes are respected: a name that a WITH clause in reach defines is no frame. What the reader
 * does not know it passes over and concludes nothing from. Pure: no I/O; everything in the arena,
 * nothing modified.
 */
#ifndef AP_PLAN_TREE_H
#define AP_PLAN_TREE_H

#include "base/json.h"

enum ap_reference_at {
  AP_REFERENCE_LATEST,
  AP_REFERENCE_VERSION,
  AP_REFERENCE_TIMESTAMP,
};

/* A SELECT in FROM, or in a WITH clause used once, through which a condition reaches further. */
struct ap_tree_step {
  const struct ap_json *item;       /* in the outer FROM: the SUBQUERY, the BASE_TABLE of a CTE */
  const struct ap_json *select;     /* the SELECT_NODE it stands for, or a branch of its UNION */
  const struct ap_json *set;        /* the topmost SET_OPERATION_NODE that it is a branch of */
  const struct ap_tree_step *outer; /* NULL: the item stands in the condition's own FROM */
};

struct ap_cte_use;

/* A condition that rows must meet to be of use: a reference's rows for which it can never be true
 * may be left out. */
struct ap_filter {
  const struct ap_filter *next;
  const struct ap_json *condition; /* or a JOIN with USING: the columns of that name are equal */
  const struct ap_json *from;      /* the FROM item among whose columns its names are */
  const struct ap_tree_step *path; /* from there to the reference, innermost first; NULL: none */
  bool null_extended;              /* rows left out may leave rows of nulls behind: the condition
                                      must not be true of those either */
  const struct ap_cte_use *use;    /* of tree.c; NULL in what it gives */
};

/* One table reference in a FROM clause that no CTE answers. */
struct ap_reference {
  struct ap_text catalog; /* as written, unquoted; empty when not given */
  struct ap_text schema;
  struct ap_text name;
  struct ap_text alias; /* empty: none; then the name is the alias */
  enum ap_reference_at at;
  int64_t version;               /* AT (VERSION => n) */
  struct ap_text timestamp;      /* AT (TIMESTAMP => ...): the constant's text */
  const struct ap_json *moment;  /* AT (... => expression), to be evaluated: version and timestamp
                                    are not known yet; NULL: they are */
  const struct ap_json *settled; /* the expression that was evaluated for them; NULL: none */
  int64_t location;              /* byte offset in the statement; -1: unknown */
  bool renames_columns;          /* FROM t AS x(a, b): column names are not the frame's */
  bool sampled;                  /* TABLESAMPLE */
  bool has_select;               /* stands in the FROM of a SELECT that has a WHERE we may use */
  const struct ap_json *node;    /* the BASE_TABLE */
  const struct ap_json *select;  /* the SELECT_NODE whose FROM it stands in; NULL: none */
  bool null_extended; /* on the nullable side of an outer join: WHERE must not prune it */
  const struct ap_filter *filters; /* all conditions that may prune it */
};

struct ap_tree {
  const struct ap_json *root;
  struct ap_reference *references;
  uint32_t reference_count;
  bool is_changed;           /* no longer that of the user's text: views were unfolded in it */
  bool makes_rows;           /* holds what makes rows of nothing: a table function, or recursion */
  bool is_rewritten_wrongly; /* holds what DuckDB 1.5.5's rewriting of expressions gets wrong for
                                nulls: IS [NOT] DISTINCT FROM; date_trunc() or TRY_CAST in a
                                comparison */
  bool is_limited_wrongly;   /* ORDER BY and LIMIT, and a cast to whole numbers or a set operation:
                                where the first key is such a cast of a column, DuckDB 1.5.5 holds
                                the bound of what is wanted, a value of the one type, against
                                values of the other, and rows are missing */
};

/* json: the answer of json_serialize_sql for one statement. Its error member becomes AP_SYNTAX
 * (with position) or AP_UNSUPPORTED ("Only SELECT statements can be serialized"); then
 * out_tree->root is NULL, while it is set when the tree is there and holds what cannot be done.
 * AP_UNSUPPORTED, too, are functions that read tables which only their arguments name (query). */
AP_MUST_CHECK ap_status ap_tree_parse(struct ap_arena *arena, struct ap_text json,
                                      struct ap_tree *out_tree, ap_error *err);

/* The tree as JSON again, with each reference i for which renamed[i].name is not empty replaced by
 * those three parts (and its AT clause taken out, its alias kept or, when the name changes, set to
 * its old name), for json_deserialize_sql. */
struct ap_reference_rename {
  struct ap_text catalog;
  struct ap_text schema;
  struct ap_text name;
  const struct ap_json *at; /* with a name: the AT clause it gets; NULL: none */
  struct ap_text subquery;  /* JSON: it becomes (subquery) AS <its alias or name>; empty: no */
};
void ap_tree_write_renamed(struct ap_buffer *out, const struct ap_tree *tree,
                           const struct ap_reference_rename *renamed);

/* One node of the tree, likewise. */
void ap_tree_write_part(struct ap_buffer *out, const struct ap_tree *tree,
                        const struct ap_reference_rename *renamed, const struct ap_json *part);

/* A part without table references, parameters by name (AP_TREE_PARAMETER_PREFIX). */
void ap_tree_write_named_part(struct ap_buffer *out, const struct ap_tree *tree,
                              const struct ap_json *part);

/* "SELECT expression" as a tree, for json_deserialize_sql. */
void ap_tree_write_select(struct ap_buffer *out, const struct ap_json *expression);

/* Whether two values are the same, wherever in a text they stood. */
bool ap_tree_equal(const struct ap_json *a, const struct ap_json *b);

/* Whether a value holds subqueries. */
bool ap_tree_has_subquery(const struct ap_json *value);
/* Whether the parameter of that name ("1" for $1 and the first ?) stands in the tree: anywhere, or
 * outside of AT clauses. */
bool ap_tree_has_parameter(const struct ap_tree *tree, struct ap_text name, bool anywhere);

/* Numbers as names of parameters begin with this in a tree that is written with other names: the
 * engine binds names, but no numbers with gaps. */
#define AP_TREE_PARAMETER_PREFIX "ap_"

/* A part of a tree as JSON again. */
void ap_tree_write_value(struct ap_buffer *out, const struct ap_json *value);

#endif
