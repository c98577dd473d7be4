/* SPDX-License-Identifier: Apache-2.0
 *
 * See session.h. Statements that read data go to query.c; those about hives, boxes and frames are
 * answered here from the catalog.
 */
#include "execute/session.h"

#include "base/assert.h"
#include "base/limits.h"
#include "execute/explain.h"
#include "execute/statement_run.h"
#include "execute/transaction.h"
#include "plan/place.h"
#include "plan/ways_out.h"

ap_status ap_sql_session_create(struct ap_node *node, struct ap_sql_session **out_session,
                                ap_error *err) {
  struct ap_sql_session *session =
      ap_allocate_zeroed(ap_node_env(node)->allocator, 1, sizeof *session);
  if (session == NULL) return AP_FAIL_MEMORY(err);
  session->node = node;
  ap_bee_account_init(&session->account, node);
  *out_session = session;
  return AP_OK;
}

void ap_sql_session_destroy(struct ap_sql_session *session) {
  if (session == NULL) return;
  ap_session_abandon_transaction(session);
  ap_session_forget_prepared(session);
  ap_free(ap_node_env(session->node)->allocator, session);
}

const char *ap_sql_session_hive(const struct ap_sql_session *session) {
  return session->hive;
}
const char *ap_sql_session_box(const struct ap_sql_session *session) {
  return session->box;
}
bool ap_sql_session_in_transaction(const struct ap_sql_session *session) {
  return session->transaction != NULL;
}
struct ap_node *ap_sql_session_node(struct ap_sql_session *session) {
  return session->node;
}

/* ---- dispatch -------------------------------------------------------------------------------- */

void ap_run_as_query(const struct ap_statement_run *run, struct ap_query_request *out_query) {
  const struct ap_statement *statement = run->statement;
  bool has_body = statement->kind != AP_STATEMENT_QUERY;
  *out_query = (struct ap_query_request){
      .text = statement->text,
      .body = has_body ? statement->body : statement->text,
      .hive = ap_text_of(run->session->hive),
      .box = ap_text_of(run->session->box),
      .parameters = run->is_last ? run->request->parameters : NULL,
      .parameter_count = run->is_last ? run->request->parameter_count : 0,
      .control = run->request->control,
      .pins = ap_transaction_pins(run->session),
      .engine_options = ap_text_of(run->session->engine_options),
      .account = &run->session->account,
      .reads_no_copies = run->session->reads_no_copies,
  };
}

static ap_status refuse(const struct ap_statement *statement, ap_error *err) {
  static const struct {
    const char *start;
    const char *hint;
  } ways_out[] = {
      {"ALTER",
       "ALTER FRAME changes columns, rules, properties and names; hives, boxes and views can only "
       "be renamed"},
      {"CREATE",
       "what there is to create: CREATE HIVE h, CREATE BOX h.b, CREATE FRAME h.b.f "
       "(column type, ...), CREATE VIEW h.b.v AS query, each with IF NOT EXISTS"},
      {"SET VARIABLE", "PREPARE a statement with $1, or give parameters with the call"},
      {"PRAGMA", "SHOW ALL lists the options that SET changes"},
  };
  ap_status status = AP_FAIL(err, AP_UNSUPPORTED, "%.*s statements are not supported",
                             AP_TEXT_ARG(statement->head));
  for (size_t i = 0; i < sizeof ways_out / sizeof ways_out[0]; ++i) {
    if (ap_text_starts_with(statement->head, ap_text_of(ways_out[i].start))) {
      ap_error_hint(err, "%s", ways_out[i].hint);
      break;
    }
  }
  return status;
}

static ap_status run_explain(struct ap_statement_run *run, struct ArrowArrayStream *out,
                             ap_error *err) {
  struct ap_explain_request request = {.analyze = run->statement->analyze,
                                       .format = run->statement->explain_format};
  if (run->statement->explained != AP_STATEMENT_QUERY) {
    return ap_run_explain_change(run, out, err);
  }
  ap_run_as_query(run, &request.query);
  request.query.text = request.query.body;
  return ap_query_explain(run->session->node, &request, run->timing, out, err);
}

static ap_status run_of_session(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                ap_error *err) {
  switch (run->statement->kind) {
    case AP_STATEMENT_BEGIN:
      return ap_run_begin(run, out, err);
    case AP_STATEMENT_COMMIT:
      return ap_run_commit(run, out, err);
    case AP_STATEMENT_ROLLBACK:
      return ap_run_rollback(run, out, err);
    case AP_STATEMENT_SET:
      return ap_run_set(run, out, err);
    case AP_STATEMENT_RESET:
      return ap_run_reset(run, out, err);
    case AP_STATEMENT_SHOW_OPTION:
      return ap_run_show_option(run, out, err);
    case AP_STATEMENT_PREPARE:
      return ap_run_prepare(run, out, err);
    case AP_STATEMENT_EXECUTE:
      return ap_run_execute(run, out, err);
    case AP_STATEMENT_DEALLOCATE:
      return ap_run_deallocate(run, out, err);
    case AP_STATEMENT_COPY_FROM:
      return ap_run_copy_from(run, out, err);
    case AP_STATEMENT_COPY_TO:
      return ap_run_copy_to(run, out, err);
    default:
      break;
  }
  return refuse(run->statement, err);
}

static ap_status run_show(struct ap_statement_run *run, struct ArrowArrayStream *out,
                          ap_error *err) {
  switch (run->statement->kind) {
    case AP_STATEMENT_SHOW_HIVES:
      return ap_run_show_hives(run, out, err);
    case AP_STATEMENT_SHOW_BOXES:
      return ap_run_show_boxes(run, out, err);
    case AP_STATEMENT_SHOW_FRAMES:
      return ap_run_show_frames(run, out, err);
    case AP_STATEMENT_SHOW_VIEWS:
      return ap_run_show_views(run, out, err);
    case AP_STATEMENT_SHOW_CREATE:
      return ap_run_show_create(run, out, err);
    case AP_STATEMENT_SHOW_COLUMNS:
    case AP_STATEMENT_SHOW_PARTITIONS:
    case AP_STATEMENT_SHOW_PROPERTIES:
      return ap_run_show_of(run, out, err);
    default:
      return ap_run_show_changes(run, out, err);
  }
}

/* What is not a version of the frame that a transaction changes. */
static ap_status check_transaction(const struct ap_statement_run *run, ap_error *err) {
  static const enum ap_statement_kind refused[] = {
      AP_STATEMENT_CREATE_HIVE, AP_STATEMENT_CREATE_BOX,      AP_STATEMENT_CREATE_FRAME,
      AP_STATEMENT_CREATE_VIEW, AP_STATEMENT_CREATE_FRAME_AS, AP_STATEMENT_DROP_HIVE,
      AP_STATEMENT_DROP_BOX,    AP_STATEMENT_DROP_FRAME,      AP_STATEMENT_DROP_VIEW,
      AP_STATEMENT_ALTER_FRAME, AP_STATEMENT_RENAME,          AP_STATEMENT_OPTIMIZE,
      AP_STATEMENT_VACUUM,      AP_STATEMENT_ANALYZE,         AP_STATEMENT_RESTORE,
      AP_STATEMENT_COPY_FROM,
  };
  if (run->session->transaction == NULL) return AP_OK;
  for (size_t i = 0; i < sizeof refused / sizeof *refused; ++i) {
    if (run->statement->kind != refused[i]) continue;
    ap_status status = AP_FAIL(err, AP_STATE, "%.*s cannot be part of a transaction",
                               AP_TEXT_ARG(run->statement->head));
    ap_error_hint(err,
                  "COMMIT or ROLLBACK first; without a transaction (autocommit) each "
                  "statement is a version of its own");
    return status;
  }
  return AP_OK;
}

ap_status ap_run_statement(struct ap_statement_run *run, struct ArrowArrayStream *out,
                           ap_error *err) {
  struct ap_query_request query;
  AP_TRY(check_transaction(run, err));
  switch (run->statement->kind) {
    case AP_STATEMENT_QUERY:
    case AP_STATEMENT_DESCRIBE_QUERY:
      ap_run_as_query(run, &query);
      return ap_query(run->session->node, &query, run->timing, out, err);
    case AP_STATEMENT_EXPLAIN:
      return run_explain(run, out, err);
    case AP_STATEMENT_USE:
      return ap_run_use(run, out, err);
    case AP_STATEMENT_SHOW_HIVES:
    case AP_STATEMENT_SHOW_BOXES:
    case AP_STATEMENT_SHOW_FRAMES:
    case AP_STATEMENT_SHOW_VIEWS:
    case AP_STATEMENT_SHOW_CREATE:
    case AP_STATEMENT_SHOW_CHANGES:
    case AP_STATEMENT_SHOW_COLUMNS:
    case AP_STATEMENT_SHOW_PARTITIONS:
    case AP_STATEMENT_SHOW_PROPERTIES:
      return run_show(run, out, err);
    case AP_STATEMENT_DESCRIBE:
      return ap_run_describe(run, out, err);
    case AP_STATEMENT_CREATE_VIEW:
      return ap_run_create_view(run, out, err);
    case AP_STATEMENT_DROP_VIEW:
      return ap_run_drop_view(run, out, err);
    case AP_STATEMENT_RENAME:
      return ap_run_rename(run, out, err);
    case AP_STATEMENT_CREATE_HIVE:
    case AP_STATEMENT_CREATE_BOX:
    case AP_STATEMENT_CREATE_FRAME:
      return ap_run_create(run, out, err);
    case AP_STATEMENT_ALTER_FRAME:
      return ap_run_alter(run, out, err);
    case AP_STATEMENT_DROP_HIVE:
    case AP_STATEMENT_DROP_BOX:
    case AP_STATEMENT_DROP_FRAME:
      return ap_run_drop(run, out, err);
    case AP_STATEMENT_OPTIMIZE:
      return ap_run_optimize(run, out, err);
    case AP_STATEMENT_VACUUM:
      return ap_run_vacuum(run, out, err);
    case AP_STATEMENT_CHECK:
      return ap_run_check(run, out, err);
    case AP_STATEMENT_ANALYZE:
      return ap_run_analyze(run, out, err);
    case AP_STATEMENT_HISTORY:
      return ap_run_history(run, out, err);
    case AP_STATEMENT_RESTORE:
      return ap_run_restore(run, out, err);
    case AP_STATEMENT_INSERT:
    case AP_STATEMENT_DELETE:
    case AP_STATEMENT_UPDATE:
    case AP_STATEMENT_MERGE:
    case AP_STATEMENT_TRUNCATE:
      return ap_run_change(run, out, err);
    case AP_STATEMENT_CREATE_FRAME_AS:
      return ap_run_create_as(run, out, err);
    default:
      break;
  }
  return run_of_session(run, out, err);
}

/* The request with the session's time-out from now on, when that is the earlier one. */
static void limit_time(struct ap_statement_run *run, struct ap_sql_request *request,
                       struct ap_run_control *control) {
  int64_t timeout_ms = ap_session_timeout_ms(run->session);
  if (timeout_ms == 0) return;
  *control = request->control != NULL ? *request->control : (struct ap_run_control){0};
  const struct ap_env *env = ap_node_env(run->session->node);
  int64_t deadline_us = ap_clock_monotonic_us(env->clock) + timeout_ms * 1000;
  if (control->deadline_us == 0 || deadline_us < control->deadline_us) {
    control->deadline_us = deadline_us;
  }
  request->control = control;
}

/* A statement whose result nobody asked for runs to its end all the same. */
static ap_status drain(struct ArrowArrayStream *stream, ap_error *err) {
  struct ArrowArray array = {0};
  ap_status status = AP_OK;
  do {
    ap_array_release(&array);
    status = ap_stream_next(stream, &array, err);
  } while (status == AP_OK && array.release != NULL);
  ap_stream_release(stream);
  return status;
}

/* A place that is known is one in the body, or in a query's own text; one that the engine draws is
 * looked for. Both become one in the whole text. */
static void place_error(const struct ap_statement *statement, ap_error *err) {
  bool has_body = statement->body.size > 0;
  bool is_query = has_body || statement->kind == AP_STATEMENT_QUERY || statement->change != NULL;
  struct ap_text part = has_body ? statement->body : statement->text;
  size_t offset = 0;
  if (err == NULL) return;
  bool is_known = is_query && err->position > 0 && err->position <= part.size + 1;
  if (is_known) {
    offset = err->position - 1;
  } else {
    is_known = ap_sql_find_place(part, err->message, &offset);
  }
  if (!is_known && ap_sql_find_place(statement->text, err->message, &offset)) {
    part = statement->text;
    is_known = true;
  }
  err->position = 0;
  if (!is_known) return;
  AP_ASSERT(part.data >= statement->text.data);
  ap_error_position(err, statement->offset + (size_t)(part.data - statement->text.data) + offset);
}

static ap_status run_all(struct ap_statement_run *run, const struct ap_statement *statements,
                         uint32_t count, struct ArrowArrayStream *out_stream, ap_error *err) {
  const struct ap_sql_request *whole = run->request;
  for (uint32_t i = 0; i < count; ++i) {
    struct ArrowArrayStream stream = {0};
    struct ap_sql_request request = *whole;
    struct ap_run_control control;
    limit_time(run, &request, &control);
    run->request = &request;
    ap_session_engine_options(run->session, run->session->engine_options,
                              sizeof run->session->engine_options);
    run->statement = &statements[i];
    run->is_last = i + 1 == count;
    ap_status status = ap_run_statement(run, run->is_last ? out_stream : &stream, err);
    if (status == AP_OK && !run->is_last) status = drain(&stream, err);
    run->request = whole;
    if (status != AP_OK) {
      place_error(run->statement, err);
      ap_ways_out(run->arena, run->statement->text, err);
      return status;
    }
  }
  return AP_OK;
}

static ap_status parse(struct ap_sql_session *session, const struct ap_sql_request *request,
                       struct ap_arena *arena, struct ap_statement **out_statements,
                       uint32_t *out_count, ap_error *err) {
  ap_arena_init(arena, ap_node_env(session->node)->allocator);
  if (request->sql.size > (size_t)AP_STATEMENT_BYTES_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "an SQL text of %zu bytes; at most %lld are allowed",
                   request->sql.size, (long long)AP_STATEMENT_BYTES_MAX);
  }
  if (!ap_text_is_utf8(request->sql)) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "the SQL text is not valid UTF-8");
  }
  AP_TRY(ap_statements_parse(arena, request->sql, out_statements, out_count, err));
  if (*out_count == 0) return AP_FAIL(err, AP_SYNTAX, "the SQL text holds no statement");
  if (*out_count > AP_STATEMENTS_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "%u statements in one text; at most %d are allowed",
                   *out_count, AP_STATEMENTS_MAX);
  }
  return AP_OK;
}

ap_status ap_sql_run(struct ap_sql_session *session, const struct ap_sql_request *request,
                     struct ap_query_timing *out_timing, struct ArrowArrayStream *out_stream,
                     ap_error *err) {
  struct ap_arena arena;
  struct ap_statement *statements = NULL;
  uint32_t count = 0;
  ap_status status = parse(session, request, &arena, &statements, &count, err);
  if (status == AP_OK) {
    struct ap_statement_run run = {
        .session = session, .request = request, .arena = &arena, .timing = out_timing};
    status = run_all(&run, statements, count, out_stream, err);
  } else {
    ap_ways_out(&arena, request->sql, err);
  }
  ap_arena_deinit(&arena);
  return status;
}

ap_status ap_sql_export(struct ap_sql_session *session, const struct ap_sql_request *request,
                        const char *path, const char *format, int64_t *out_rows, ap_error *err) {
  struct ap_arena arena;
  struct ap_statement *statements = NULL;
  uint32_t count = 0;
  ap_status status = parse(session, request, &arena, &statements, &count, err);
  if (status == AP_OK && (count != 1 || statements[0].kind != AP_STATEMENT_QUERY)) {
    status =
        AP_FAIL(err, AP_INVALID_ARGUMENT, "an export needs one query, found %u statements", count);
    ap_error_hint(err, "give a single SELECT");
  }
  if (status == AP_OK) {
    struct ap_query_request query;
    const struct ap_statement_run run = {.session = session,
                                         .request = request,
                                         .statement = &statements[0],
                                         .is_last = true,
                                         .arena = &arena};
    ap_run_as_query(&run, &query);
    status = ap_query_export(session->node, &query, path, format, out_rows, err);
  }
  ap_arena_deinit(&arena);
  return status;
}
