/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements that change the rows of one frame, taken apart: INSERT, DELETE, UPDATE, MERGE,
 * TRUNCATE, CREATE FRAME AS. Expressions and queries stay texts, pieces of the statement as it was
 * written. Pure; arena memory.
 */
#ifndef AP_PLAN_STATEMENT_CHANGE_H
#define AP_PLAN_STATEMENT_CHANGE_H

#include "base/text.h"

/* column = expression; DEFAULT is an empty expression. */
struct ap_change_set {
  struct ap_text column;
  struct ap_text expression;
  struct ap_text place; /* of the column in the statement, for errors */
};

enum ap_merge_when {
  AP_MERGE_MATCHED,
  AP_MERGE_NOT_MATCHED, /* by target: a row of the source without one of the frame */
  AP_MERGE_NOT_MATCHED_BY_SOURCE,
};

enum ap_merge_action {
  AP_MERGE_UPDATE,
  AP_MERGE_DELETE,
  AP_MERGE_INSERT,
  AP_MERGE_NOTHING,
};

struct ap_merge_clause {
  enum ap_merge_when when;
  struct ap_text condition; /* empty: always */
  enum ap_merge_action action;
  bool all_columns;                 /* UPDATE SET *, INSERT *: the source's columns by name */
  const struct ap_change_set *sets; /* UPDATE: what is set; INSERT: columns and their values */
  uint32_t set_count;
  bool has_columns; /* INSERT: the columns are named; else the sets stand for them in order */
};

/* DEFAULT as a value in the VALUES of an INSERT. */
struct ap_change_default {
  struct ap_text place; /* the word */
  uint32_t position;    /* in its row, from 0 */
};

struct ap_change_statement {
  struct ap_text with;  /* "WITH ..." before the verb; empty: none */
  struct ap_text alias; /* of the frame; empty: none */

  const struct ap_text *columns; /* INSERT INTO f (a, b) */
  uint32_t column_count;
  bool by_name;        /* INSERT ... BY NAME */
  bool overwrites;     /* INSERT OVERWRITE */
  bool default_values; /* INSERT ... DEFAULT VALUES */
  struct ap_text query;
  const struct ap_change_default *defaults; /* within query, in its order */
  uint32_t default_count;

  const struct ap_change_set *sets; /* UPDATE */
  uint32_t set_count;
  struct ap_text from;  /* UPDATE ... FROM, DELETE ... USING, MERGE ... USING; empty: none */
  struct ap_text where; /* UPDATE and DELETE; MERGE: ON; empty: none */

  struct ap_text source_name;          /* MERGE: what the source is called; empty: nothing */
  const struct ap_text *using_columns; /* MERGE ... USING (a, b) in place of ON */
  uint32_t using_count;
  const struct ap_merge_clause *clauses;
  uint32_t clause_count;
};

#endif
