/* SPDX-License-Identifier: Apache-2.0
 *
 * One statement on its way, and the functions that run each kind: the insides of sessions, for the
 * files of this module only. Each answers with a stream; statements without rows of their own with
 * one row, column "message".
 * Thread: the session's.
 */
#ifndef AP_EXECUTE_STATEMENT_RUN_H
#define AP_EXECUTE_STATEMENT_RUN_H

#include "base/limits.h"
#include "execute/definition.h"
#include "execute/query.h"
#include "execute/session.h"
#include "plan/statement.h"

enum {
  AP_SESSION_OPTION_COUNT = 7,
  AP_SESSION_OPTION_BYTES = 32,     /* of a value, its NUL included */
  AP_PREPARED_STATEMENTS_MAX = 1000 /* of a session */
};

struct ap_prepared;    /* statement_prepare.c */
struct ap_transaction; /* transaction.c */

struct ap_sql_session {
  struct ap_node *node;
  struct ap_bee_account account; /* what its statements may take */
  char hive[AP_NAME_BYTES_MAX + 1];
  char box[AP_NAME_BYTES_MAX + 1];
  char options[AP_SESSION_OPTION_COUNT][AP_SESSION_OPTION_BYTES]; /* empty: as at first */
  char engine_options[4 * AP_SESSION_OPTION_BYTES + 128];         /* as the next query sets them */
  bool reads_no_copies;                                           /* SET cell_cache = off */
  struct ap_prepared *prepared;
  uint32_t prepared_count;
  struct ap_transaction *transaction; /* NULL: each statement by itself */
};

struct ap_statement_run {
  struct ap_sql_session *session;
  const struct ap_sql_request *request;
  const struct ap_statement *statement;
  bool is_last;
  struct ap_arena *arena;
  struct ap_query_timing *timing;
};

/* Names as the session completes them: [hive.]box and [[hive.]box.]frame of the statement. */
AP_MUST_CHECK ap_status ap_run_need_hive(const struct ap_sql_session *session,
                                         struct ap_text *out_hive, ap_error *err);
AP_MUST_CHECK ap_status ap_run_box_name(const struct ap_statement_run *run,
                                        struct ap_text *out_hive, struct ap_text *out_box,
                                        ap_error *err);
AP_MUST_CHECK ap_status ap_run_complete_name(const struct ap_statement_run *run,
                                             const struct ap_name *name, struct ap_text *out_hive,
                                             struct ap_text *out_box, struct ap_text *out_frame,
                                             ap_error *err);
AP_MUST_CHECK ap_status ap_run_frame_name(const struct ap_statement_run *run,
                                          struct ap_text *out_hive, struct ap_text *out_box,
                                          struct ap_text *out_frame, ap_error *err);

/* statement_names.c */
AP_MUST_CHECK ap_status ap_run_use(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                   ap_error *err);
AP_MUST_CHECK ap_status ap_run_show_hives(struct ap_statement_run *run,
                                          struct ArrowArrayStream *out, ap_error *err);
AP_MUST_CHECK ap_status ap_run_show_boxes(struct ap_statement_run *run,
                                          struct ArrowArrayStream *out, ap_error *err);
AP_MUST_CHECK ap_status ap_run_show_frames(struct ap_statement_run *run,
                                           struct ArrowArrayStream *out, ap_error *err);
AP_MUST_CHECK ap_status ap_run_create(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                      ap_error *err);
AP_MUST_CHECK ap_status ap_run_drop(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                    ap_error *err);
/* statement_alter.c */
AP_MUST_CHECK ap_status ap_run_show_changes(struct ap_statement_run *run,
                                            struct ArrowArrayStream *out, ap_error *err);
/* statement_create.c: what CREATE FRAME says beside names and types, into the request. */
AP_MUST_CHECK ap_status ap_run_read_rules(const struct ap_statement_run *run,
                                          struct ap_frame_request *request, ap_error *err);
/* statement_alter.c */
AP_MUST_CHECK ap_status ap_run_alter(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                     ap_error *err);
/* statement_names.c */
AP_MUST_CHECK ap_status ap_run_describe(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                        ap_error *err);

/* statement_maintenance.c */
AP_MUST_CHECK ap_status ap_run_optimize(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                        ap_error *err);
AP_MUST_CHECK ap_status ap_run_vacuum(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                      ap_error *err);
AP_MUST_CHECK ap_status ap_run_check(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                     ap_error *err);
AP_MUST_CHECK ap_status ap_run_analyze(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                       ap_error *err);
AP_MUST_CHECK ap_status ap_run_show_views(struct ap_statement_run *run,
                                          struct ArrowArrayStream *out, ap_error *err);

/* session.c */
AP_MUST_CHECK ap_status ap_run_statement(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                         ap_error *err);
/* The statement's text, what is in use, the options: all but what the caller knows better. */
void ap_run_as_query(const struct ap_statement_run *run, struct ap_query_request *out_query);

/* statement_session.c */
AP_MUST_CHECK ap_status ap_run_set(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                   ap_error *err);
AP_MUST_CHECK ap_status ap_run_reset(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                     ap_error *err);
AP_MUST_CHECK ap_status ap_run_show_option(struct ap_statement_run *run,
                                           struct ArrowArrayStream *out, ap_error *err);
AP_MUST_CHECK ap_status ap_run_history(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                       ap_error *err);
/* SET statements for what the session has set of the engine's options. */
void ap_session_engine_options(const struct ap_sql_session *session, char *out_sql, size_t size);
int64_t ap_session_timeout_ms(const struct ap_sql_session *session); /* 0: none */

/* statement_prepare.c */
AP_MUST_CHECK ap_status ap_run_prepare(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                       ap_error *err);
AP_MUST_CHECK ap_status ap_run_execute(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                       ap_error *err);
AP_MUST_CHECK ap_status ap_run_deallocate(struct ap_statement_run *run,
                                          struct ArrowArrayStream *out, ap_error *err);
void ap_session_forget_prepared(struct ap_sql_session *session);

/* statement_copy.c */
AP_MUST_CHECK ap_status ap_run_copy_from(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                         ap_error *err);
AP_MUST_CHECK ap_status ap_run_copy_to(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                       ap_error *err);

/* statement_restore.c */
AP_MUST_CHECK ap_status ap_run_restore(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                       ap_error *err);

/* statement_view.c */
AP_MUST_CHECK ap_status ap_run_create_view(struct ap_statement_run *run,
                                           struct ArrowArrayStream *out, ap_error *err);
AP_MUST_CHECK ap_status ap_run_drop_view(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                         ap_error *err);
/* statement_show.c */
AP_MUST_CHECK ap_status ap_run_show_of(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                       ap_error *err);
/* statement_show_create.c */
AP_MUST_CHECK ap_status ap_run_show_create(struct ap_statement_run *run,
                                           struct ArrowArrayStream *out, ap_error *err);
/* DESCRIBE of a view. */
AP_MUST_CHECK ap_status ap_answer_describe_view(struct ap_statement_run *run,
                                                const struct ap_frame_entry *entry,
                                                struct ArrowArrayStream *out, ap_error *err);

/* statement_rename.c */
AP_MUST_CHECK ap_status ap_run_rename(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                      ap_error *err);

/* transaction.c */
AP_MUST_CHECK ap_status ap_run_begin(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                     ap_error *err);
AP_MUST_CHECK ap_status ap_run_commit(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                      ap_error *err);
AP_MUST_CHECK ap_status ap_run_rollback(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                        ap_error *err);
void ap_session_abandon_transaction(struct ap_sql_session *session); /* when there is one */

/* change_create.c */
AP_MUST_CHECK ap_status ap_run_create_as(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                         ap_error *err);
/* change_explain.c */
AP_MUST_CHECK ap_status ap_run_explain_change(struct ap_statement_run *run,
                                              struct ArrowArrayStream *out, ap_error *err);
/* change.c: one row of rows_inserted, rows_updated, rows_deleted, version */
AP_MUST_CHECK ap_status ap_run_change(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                      ap_error *err);

#endif
