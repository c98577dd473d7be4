/* SPDX-License-Identifier: Apache-2.0
 *
 * What ALTER FRAME, COMMENT ON and the clauses of CREATE FRAME say, as written: names unquoted,
 * types and expressions as text. Arena memory; texts point into the statement or the arena.
 */
#ifndef AP_PLAN_STATEMENT_ALTER_H
#define AP_PLAN_STATEMENT_ALTER_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum ap_alter_action {
  AP_ALTER_ACTION_ADD_COLUMNS,
  AP_ALTER_ACTION_DROP_COLUMNS,
  AP_ALTER_ACTION_RENAME_COLUMN, /* text: the new name */
  AP_ALTER_ACTION_MOVE_COLUMN,   /* place, after */
  AP_ALTER_ACTION_SET_TYPE,      /* type */
  AP_ALTER_ACTION_SET_NOT_NULL,
  AP_ALTER_ACTION_DROP_NOT_NULL,
  AP_ALTER_ACTION_SET_DEFAULT, /* text: the expression */
  AP_ALTER_ACTION_DROP_DEFAULT,
  AP_ALTER_ACTION_COMMENT_COLUMN,  /* text; empty: none any more */
  AP_ALTER_ACTION_COMMENT_FRAME,   /* text; empty: none any more */
  AP_ALTER_ACTION_ADD_CONSTRAINT,  /* name, text: the condition */
  AP_ALTER_ACTION_DROP_CONSTRAINT, /* name */
  AP_ALTER_ACTION_SET_PROPERTIES,
  AP_ALTER_ACTION_UNSET_PROPERTIES, /* names only */
};

enum ap_alter_place {
  AP_ALTER_PLACE_NONE,
  AP_ALTER_PLACE_FIRST,
  AP_ALTER_PLACE_AFTER,
};

/* One column of an action; the others than ADD and DROP have just one. */
struct ap_alter_item {
  const struct ap_text *path; /* "s.x": two parts */
  uint32_t path_count;
  struct ap_text type;
  struct ap_text comment;
  enum ap_alter_place place;
  struct ap_text after;
};

struct ap_statement_property {
  struct ap_text name;
  struct ap_text value;
};

struct ap_statement_constraint {
  struct ap_text name; /* empty: not given */
  struct ap_text condition;
};

struct ap_statement_alter {
  enum ap_alter_action action;
  const struct ap_alter_item *items;
  uint32_t item_count;
  struct ap_text name;
  struct ap_text text;
  const struct ap_statement_property *properties;
  uint32_t property_count;
  bool forgiving; /* IF EXISTS, IF NOT EXISTS of the column, constraint or property */
  bool if_exists; /* ALTER FRAME IF EXISTS */
};

/* What CREATE FRAME says beside its columns and partitions. */
struct ap_statement_frame {
  const struct ap_statement_constraint *constraints; /* those of columns too */
  uint32_t constraint_count;
  const struct ap_statement_property *properties;
  uint32_t property_count;
  struct ap_text comment;
};

/* SHOW CHANGES */
struct ap_statement_changes {
  int64_t from_version; /* -1: from_time */
  int64_t to_version;   /* -1: to_time; empty: the latest */
  struct ap_text from_time;
  struct ap_text to_time;
};

#endif
