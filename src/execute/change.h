/* SPDX-License-Identifier: Apache-2.0
 *
 * A statement that changes the rows of one frame, on its way; for the files change*.c only.
 *
 * One primitive for all of DELETE, UPDATE and MERGE: a query finds which rows (cell and place in
 * it) which clause of the statement takes, with the new values, into a table of the chamber; then
 * only the cells touched are written again, without or with other rows in these places. So each
 * expression is evaluated once per row, and everything spills.
 * Thread: the session's.
 */
#ifndef AP_EXECUTE_CHANGE_H
#define AP_EXECUTE_CHANGE_H

#include "execute/choose.h"
#include "execute/staged.h"
#include "execute/statement_run.h"
#include "plan/composition.h"

/* Tables of the chamber while a statement runs. One is named after each list of cells, by whose
 * name the frame is bound once more: ap_file, ap_place: where a cell is in that list. */
/* ap_file, ap_row, ap_clause, ap_v<column>, ... */
#define AP_MATCHES_TABLE "ap_matches"
/* INSERT with parameters: the rows, in the parameters' types */
#define AP_ROWS_TABLE "ap_given"

#define AP_TOUCHED          "touched" /* cells that are written again */
#define AP_MARKED           "marked"  /* cells of which only updated rows are written again */
#define AP_LIST_TABLE(list) "ap_" list
#define AP_LIST_MARK(list)  "\x1f" list

enum ap_change_value_kind {
  AP_VALUE_KEPT,    /* the column stays as it is */
  AP_VALUE_PIECE,   /* an expression of the statement */
  AP_VALUE_SOURCE,  /* MERGE: the source's column of that name */
  AP_VALUE_DEFAULT, /* the column's default */
};

struct ap_change_value {
  enum ap_change_value_kind kind;
  struct ap_text piece;
};

/* One way a row is changed. UPDATE and DELETE have one clause, MERGE those it was given. */
struct ap_change_clause {
  enum ap_merge_when when;
  enum ap_merge_action action;
  struct ap_text condition;
  struct ap_change_value *values; /* by column of the frame; NULL for DELETE and DO NOTHING */
};

struct ap_change_counts {
  int64_t inserted;
  int64_t updated;
  int64_t deleted; /* -1: not known */
  int64_t copied;
};

/* Some of the cells that the query searches. */
struct ap_change_cells {
  struct ap_cell **cells;
  int64_t *files; /* their numbers there */
  uint32_t count;
};

struct ap_change {
  struct ap_statement_run *run;
  struct ap_turn *turn; /* NULL: it waits for none */
  int64_t begin_us;     /* when its turn came */
  struct ap_node *node;
  const struct ap_change_statement *spec;
  struct ap_arena arena; /* of one attempt */
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  struct ap_text alias; /* what the statement calls the frame */
  const char *full_name;
  struct ap_frame *frame;
  struct ap_snapshot *snapshot;      /* what the statement reads */
  const struct ap_cell_rules *rules; /* of the frame's rows; NULL: none */
  struct ap_pinned pin;              /* frame and snapshot once more, for the query */
  struct ap_pins own_pins;
  struct ap_pins *pins; /* own_pins, or the transaction's */
  struct ap_change_clause *clauses;
  uint32_t clause_count;
  bool source_is_plain; /* MERGE: a name, which stands in the query as it is */
  struct ap_composition composition;
  struct ap_query_prepared *prepared;
  const struct ap_choice *target; /* the cells that the query searches */
  struct ap_cell **removed;       /* cells of the snapshot, in its order */
  uint32_t removed_count;
  int64_t *removed_files; /* their numbers among the cells searched; of ap_change_rows only */
  struct ap_change_cells touched; /* of the cells removed: those written again */
  struct ap_change_cells marked;  /* of the cells removed: neither that, nor only taken away */
  uint32_t vector_count;          /* of the cells marked the first: added again, with a vector */
  uint64_t vector_rows;
  struct ap_deleted_rows *vectors;
  struct ap_text vectors_key; /* the object they are in; empty: none */
  struct ap_cell_draft *adds; /* of the commit: what is staged, then the cells with vectors */
  uint32_t add_count;
  bool reads_all;   /* anything that others commit since may change the outcome */
  bool reads_cells; /* the query's conditions say which cells may */
  struct ap_staged staged;
  struct ap_staged feed; /* change files, which feed_lines name */
  struct ap_text feed_lines;
  struct ap_change_counts counts;
  int64_t version; /* where it landed */
};

/* change_text.c */
/* The clauses of the statement, checked against the frame's columns. */
AP_MUST_CHECK ap_status ap_change_plan_clauses(struct ap_change *change, ap_error *err);
/* The query that fills AP_MATCHES_TABLE. */
AP_MUST_CHECK ap_status ap_change_compose_matches(struct ap_change *change, ap_error *err);
/* The query that gives the rows of the cells to be written: of cells touched (mapped: their table
 * says where they are), of rows updated in cells marked (moves), and of rows to insert. */
AP_MUST_CHECK ap_status ap_change_compose_rewrite(const struct ap_change *change, bool mapped,
                                                  bool moves, struct ap_buffer *out, ap_error *err);
bool ap_change_has_action(const struct ap_change *change, enum ap_merge_action action);
/* Index of a column by name; -1 with AP_SCHEMA_MISMATCH and what may have been meant. */
int32_t ap_change_find_column(const struct ap_change *change, struct ap_text name, ap_error *err);
/* The default of a column as an expression; "NULL" when it has none. */
struct ap_text ap_change_default(const struct ap_change *change, uint32_t column);
/* Written by whoever writes the row, not by the statement. */
bool ap_change_is_generated(const struct ap_change *change, uint32_t column);

/* SELECT and all columns of a row that is kept or updated: of ap_a, or of ap_m. */
void ap_change_append_kept(struct ap_buffer *out, const struct ap_change *change);
/* FROM <cells of the list> AS ap_a <join> <what was found> AS ap_m ON <the same row, of a clause
 * with that action> */
void ap_change_append_joined(struct ap_buffer *out, const struct ap_change *change,
                             const char *list, const char *join, enum ap_merge_action action);
/* ap_m.ap_clause IN (..) of the clauses with that action; false when there is none. */
void ap_change_append_in(struct ap_buffer *out, const struct ap_change *change,
                         enum ap_merge_action action);

/* change_feed.c */
/* Write the change files, when the frame keeps a feed; after the cells are planned. */
AP_MUST_CHECK ap_status ap_change_write_feed(struct ap_change *change, ap_error *err);

/* change_cells.c */
/* Find the rows and write the cells anew: DELETE, UPDATE, MERGE. */
AP_MUST_CHECK ap_status ap_change_rows(struct ap_change *change, ap_error *err);
/* Fill the table of a list of cells. */
AP_MUST_CHECK ap_status ap_change_fill_list(struct ap_change *change, const char *table,
                                            const int64_t *files, uint32_t count, ap_error *err);
/* ap_clause IN (..) of the clauses that update or delete, as asked for; false: there are none. */
void ap_change_append_changing(struct ap_buffer *out, const struct ap_change *change, bool updates,
                               bool deletes);
/* All rows go. */
AP_MUST_CHECK ap_status ap_change_remove_all(struct ap_change *change, ap_error *err);

/* change_marks.c */
/* Whether a cell, of whose rows (those not deleted before) so many change, gets a deletion vector
 * rather than be written again. */
bool ap_change_may_mark(const struct ap_change *change, const struct ap_cell *cell, int64_t rows,
                        int64_t changed);
/* Look up which rows those are; the table of AP_MARKED is filled. */
AP_MUST_CHECK ap_status ap_change_find_marks(struct ap_change *change, ap_error *err);
/* Put together what the commit adds; vectors become an object first. */
AP_MUST_CHECK ap_status ap_change_write_marks(struct ap_change *change, ap_error *err);

/* change_insert.c */
/* The rows of INSERT and CREATE FRAME AS: prepare them, write them, and (on failure too) give their
 * chamber back. */
struct ap_change_rows_given {
  struct ap_text query;   /* that gives the rows, without parameters */
  struct ap_schema given; /* its columns */
  int32_t *places;        /* of each column of the frame among them; -1: its default */
};
AP_MUST_CHECK ap_status ap_change_compose_rows(struct ap_change *change, ap_error *err);
AP_MUST_CHECK ap_status ap_change_take_rows(struct ap_change *change,
                                            struct ap_change_rows_given *rows, ap_error *err);
AP_MUST_CHECK ap_status ap_change_write_rows(struct ap_change *change,
                                             struct ap_change_rows_given *rows, ap_error *err);
/* Whether the rows come from the frame itself, as it is now. */
bool ap_change_reads_itself(const struct ap_change *change);
void ap_change_close_rows(struct ap_change *change);
AP_MUST_CHECK ap_status ap_change_insert(struct ap_change *change, ap_error *err);

/* change.c */
/* What the history calls the statement. */
const char *ap_change_operation(const struct ap_change *change);
/* Find the frame and take the snapshot that the statement reads. */
AP_MUST_CHECK ap_status ap_change_open_target(struct ap_change *change, ap_error *err);
/* Whether all rows go, so that nothing needs to be searched for. */
bool ap_change_takes_all(const struct ap_change *change);
/* Run the statement, again where others were faster, and tell of the change that was made. When
 * telling fails after that, so does the statement. */
typedef ap_status (*ap_change_told)(void *context, const struct ap_change *change, ap_error *err);
AP_MUST_CHECK ap_status ap_change_run(struct ap_statement_run *run, ap_change_told told,
                                      void *context, ap_error *err);
/* Start anew from what the statement says; the arena and the composition are made. */
void ap_change_begin_attempt(struct ap_change *change, struct ap_statement_run *run);
/* Free all; status tells whether the cells written may be known to a ledger. */
void ap_change_end_attempt(struct ap_change *change, ap_status status);
/* After an attempt, of how many, that others were faster than: clear the error and wait a little,
 * at random; fails when the statement shall stop. */
AP_MUST_CHECK ap_status ap_change_wait(const struct ap_statement_run *run, uint32_t attempts,
                                       int64_t took_us, ap_error *err);
AP_MUST_CHECK ap_status ap_change_answer(const struct ap_change *change,
                                         struct ArrowArrayStream *out, ap_error *err);
/* Parse, resolve, prune and bind the composed text. */
AP_MUST_CHECK ap_status ap_change_prepare(struct ap_change *change, struct ap_text text,
                                          struct ap_pins *pins, ap_error *err);
/* Say of an error where in the user's text it is; lines_before as ap_composition_place_error. */
ap_status ap_change_explain(const struct ap_change *change, unsigned lines_before, ap_status status,
                            ap_error *err);
const struct ap_parameter *ap_change_parameters(const struct ap_change *change,
                                                uint32_t *out_count);

/* change_piece.c: a piece of the statement, in which the frame is called by its last name. */
enum { AP_CHANGE_PIECE_BYTES_MAX = 1 << 16 }; /* that are looked through */
void ap_change_add_piece(struct ap_change *change, struct ap_text piece);

#endif
