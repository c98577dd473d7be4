/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes of what a table is: its columns, their rules, its properties. Each is a pure function
 * from one metaData action (and protocol) to the next, so that it can be done again on a newer
 * version.
 *
 * Column mapping: with delta.columnMapping.mode every new column gets an id and a physical name of
 * its own, which is what makes renaming and dropping possible; both are refused without it. Types
 * become wider only, and only with delta.enableTypeWidening. The protocol grows by what the new
 * metaData makes use of and never shrinks. Expressions are in Spark's SQL (cell/expression.h) and
 * not evaluated here: whether rows fulfil a new rule is for the caller to find out.
 */
#ifndef AP_LEDGER_ALTER_H
#define AP_LEDGER_ALTER_H

#include "ledger/ledger.h"

struct ap_table; /* ledger/table.h */

/* The names from the top level down: {"s", "x"}. Lists go by "element", maps by "key", "value". */
struct ap_column_path {
  const struct ap_text *parts;
  uint32_t count;
};

enum ap_column_place {
  AP_PLACE_LAST,
  AP_PLACE_FIRST,
  AP_PLACE_AFTER,
};

struct ap_alter_column {
  struct ap_column_path path; /* of the column itself */
  struct ap_type type;        /* ADD_COLUMNS */
  struct ap_text comment;     /* ADD_COLUMNS; empty: none */
  enum ap_column_place place; /* ADD_COLUMNS, MOVE_COLUMN */
  struct ap_text after;       /* a column beside it */
};

enum ap_alteration_kind {
  AP_ALTER_ADD_COLUMNS,      /* columns; always nullable, since there are rows without them */
  AP_ALTER_DROP_COLUMNS,     /* columns: path */
  AP_ALTER_RENAME_COLUMN,    /* column; text: the new name */
  AP_ALTER_MOVE_COLUMN,      /* columns[0]: path, place */
  AP_ALTER_SET_TYPE,         /* columns[0]: path, type */
  AP_ALTER_SET_NOT_NULL,     /* column */
  AP_ALTER_DROP_NOT_NULL,    /* column */
  AP_ALTER_SET_DEFAULT,      /* column; text: the expression */
  AP_ALTER_DROP_DEFAULT,     /* column */
  AP_ALTER_SET_GENERATED,    /* column; text: the expression. Of a table that is being made only */
  AP_ALTER_COMMENT_COLUMN,   /* column; text: empty removes it */
  AP_ALTER_COMMENT_TABLE,    /* text: empty removes it */
  AP_ALTER_ADD_CONSTRAINT,   /* name; text: the expression */
  AP_ALTER_DROP_CONSTRAINT,  /* name */
  AP_ALTER_SET_PROPERTIES,   /* properties */
  AP_ALTER_UNSET_PROPERTIES, /* properties: names */
};

struct ap_alteration {
  enum ap_alteration_kind kind;
  struct ap_column_path column;
  const struct ap_alter_column *columns;
  uint32_t column_count;
  struct ap_text name;
  struct ap_text text;
  const struct ap_property *properties;
  uint32_t property_count;
  bool forgiving; /* IF EXISTS, IF NOT EXISTS: what is so already is fine */
  /* The new rule was checked against the rows of a version: the commit must come right behind it,
   * else AP_CONFLICT. */
  bool checks_rows;
  int64_t checked_version;
};

struct ap_alter_result {
  int64_t version;
  bool changed; /* false: everything was so already, and nothing was committed */
};

/* Commit one alteration. Done again on the newest version after every lost race; a concurrent
 * change that leaves it no sense is AP_CONFLICT. Errors of the request name column, constraint or
 * property: AP_NOT_FOUND, AP_ALREADY_EXISTS, AP_INVALID_ARGUMENT, AP_SCHEMA_MISMATCH (a type that
 * is no wider one), AP_UNSUPPORTED (a table feature this product cannot write, or one that must be
 * set first), AP_STATE (something depends on it). */
AP_MUST_CHECK ap_status ap_ledger_alter(struct ap_ledger *ledger,
                                        const struct ap_alteration *alteration,
                                        struct ap_alter_result *out_result, ap_error *err);

/* The pure function behind it. random names physical columns. Empty out texts: no change. Texts are
 * in the arena. */
AP_MUST_CHECK ap_status ap_alter_apply(struct ap_arena *arena, struct ap_random *random,
                                       struct ap_text protocol_json, struct ap_text metadata_json,
                                       const struct ap_alteration *alteration,
                                       struct ap_text *out_protocol_json,
                                       struct ap_text *out_metadata_json, ap_error *err);

/* The actions of a table that is being made: the metaData of its plain columns with the alterations
 * done to it, and column mapping when its properties ask for it. before: the table whose place it
 * takes (NULL: none): columns' ids go on from its own, timestamps in commits stay, the protocol
 * grows from its own and is empty when it stays. */
AP_MUST_CHECK ap_status ap_alter_apply_new(struct ap_arena *arena, struct ap_random *random,
                                           const struct ap_table *before,
                                           struct ap_text metadata_json,
                                           const struct ap_alteration *alterations, uint32_t count,
                                           struct ap_text *out_protocol_json,
                                           struct ap_text *out_metadata_json, ap_error *err);

/* "ADD COLUMNS" and operationParameters' members, for the history. */
const char *ap_alter_operation(const struct ap_alteration *alteration);
void ap_alter_parameters(const struct ap_alteration *alteration, struct ap_json_writer *writer);

#endif
