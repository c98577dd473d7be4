/* SPDX-License-Identifier: Apache-2.0
 *
 * INSERT, DELETE, UPDATE, MERGE and TRUNCATE from the statement to the commit. Whatever fails
 * before the commit leaves nothing that a reader could see, and what was uploaded is removed again.
 * When another writer was first with what the statement has read, it runs again on the new version.
 */
#include "execute/change.h"

#include "arrow/rows.h"
#include "base/limits.h"
#include "execute/rules.h"
#include "execute/transaction.h"

#include <inttypes.h>
#include <stdio.h>

const struct ap_parameter *ap_change_parameters(const struct ap_change *change,
                                                uint32_t *out_count) {
  *out_count = change->run->is_last ? change->run->request->parameter_count : 0;
  return change->run->is_last ? change->run->request->parameters : NULL;
}

ap_status ap_change_explain(const struct ap_change *change, unsigned lines_before, ap_status status,
                            ap_error *err) {
  if (status == AP_OK) return AP_OK;
  if (change->prepared != NULL && ap_query_prepared_text(change->prepared).data !=
                                      ap_buffer_text(&change->composition.text).data) {
    lines_before = UINT32_MAX; /* it was written anew from its tree */
  }
  ap_composition_place_error(&change->composition, lines_before, err);
  return status;
}

ap_status ap_change_prepare(struct ap_change *change, struct ap_text text, struct ap_pins *pins,
                            ap_error *err) {
  const struct ap_sql_session *session = change->run->session;
  struct ap_query_request request = {
      .text = text,
      .body = text,
      .hive = ap_text_of(session->hive),
      .box = ap_text_of(session->box),
      .control = change->run->request->control,
      .pins = pins,
      .engine_options = ap_text_of(session->engine_options),
      .account = &change->run->session->account,
  };
  request.parameters = ap_change_parameters(change, &request.parameter_count);
  ap_status status =
      ap_query_prepare(change->node, &request, change->run->timing, &change->prepared, err);
  return ap_change_explain(change, 0, status, err);
}

/* ---- the history's words --------------------------------------------------------------------- */

static void member_count(struct ap_json_writer *writer, const char *name, int64_t count) {
  char text[24];
  if (count < 0) return;
  (void)snprintf(text, sizeof text, "%" PRId64, count);
  ap_json_member_string(writer, name, ap_text_of(text));
}

static int64_t size_of_removed(const struct ap_change *change) {
  int64_t size = 0;
  for (uint32_t i = 0; i < change->removed_count; ++i) size += change->removed[i]->size_bytes;
  for (uint32_t i = 0; i < change->vector_count; ++i) {
    size -= change->marked.cells[i]->size_bytes; /* these stay */
  }
  return size;
}

static int64_t size_of_added(const struct ap_change *change) {
  int64_t size = 0;
  for (uint32_t i = 0; i < change->staged.count; ++i) size += change->staged.drafts[i].size_bytes;
  return size;
}

static void count_vectors(struct ap_json_writer *writer, const struct ap_change *change,
                          const char *added, const char *updated) {
  int64_t updates = 0;
  for (uint32_t i = 0; i < change->vector_count; ++i) {
    updates += change->marked.cells[i]->deletion_vector.storage_type != 0;
  }
  if (change->vector_count == 0) return;
  member_count(writer, added, change->vector_count - updates);
  member_count(writer, updated, updates);
}

static void append_metrics(struct ap_buffer *out, const struct ap_change *change) {
  const struct ap_change_counts *counts = &change->counts;
  uint32_t removed_count = change->removed_count - change->vector_count;
  struct ap_json_writer writer;
  ap_json_writer_init(&writer, out);
  ap_json_begin_object(&writer);
  switch (change->run->statement->kind) {
    case AP_STATEMENT_MERGE:
      member_count(&writer, "numTargetRowsInserted", counts->inserted);
      member_count(&writer, "numTargetRowsUpdated", counts->updated);
      member_count(&writer, "numTargetRowsDeleted", counts->deleted);
      member_count(&writer, "numTargetRowsCopied", counts->copied);
      member_count(&writer, "numOutputRows", counts->inserted + counts->updated + counts->copied);
      member_count(&writer, "numTargetFilesAdded", change->staged.count);
      member_count(&writer, "numTargetFilesRemoved", removed_count);
      count_vectors(&writer, change, "numTargetDeletionVectorsAdded",
                    "numTargetDeletionVectorsUpdated");
      break;
    case AP_STATEMENT_INSERT:
      member_count(&writer, "numFiles", change->staged.count);
      member_count(&writer, "numOutputRows", counts->inserted);
      member_count(&writer, "numOutputBytes", size_of_added(change));
      break;
    default:
      if (change->run->statement->kind == AP_STATEMENT_UPDATE) {
        member_count(&writer, "numUpdatedRows", counts->updated);
      } else {
        member_count(&writer, "numDeletedRows", counts->deleted);
      }
      member_count(&writer, "numCopiedRows", counts->copied);
      member_count(&writer, "numAddedFiles", change->staged.count);
      member_count(&writer, "numAddedBytes", size_of_added(change));
      count_vectors(&writer, change, "numDeletionVectorsAdded", "numDeletionVectorsUpdated");
      break;
  }
  if (change->run->statement->kind != AP_STATEMENT_MERGE && removed_count > 0) {
    member_count(&writer, "numRemovedFiles", removed_count);
    member_count(&writer, "numRemovedBytes", size_of_removed(change));
  }
  ap_json_end_object(&writer);
}

/* {"predicate":"[\"id = 3\"]"}: a list as text, as Spark writes it. */
static void append_parameters(struct ap_buffer *out, const struct ap_change *change) {
  struct ap_json_writer writer;
  struct ap_json_writer inner;
  struct ap_buffer list;
  ap_buffer_init(&list, out->allocator);
  ap_json_writer_init(&inner, &list);
  ap_json_begin_array(&inner);
  if (change->spec->where.size > 0) ap_json_string(&inner, change->spec->where);
  ap_json_end_array(&inner);
  ap_json_writer_init(&writer, out);
  ap_json_begin_object(&writer);
  ap_json_member_string(&writer, "predicate", ap_buffer_text(&list));
  ap_json_end_object(&writer);
  if (list.failed) out->failed = true;
  ap_buffer_deinit(&list);
}

const char *ap_change_operation(const struct ap_change *change) {
  switch (change->run->statement->kind) {
    case AP_STATEMENT_INSERT:
      return "WRITE";
    case AP_STATEMENT_UPDATE:
      return "UPDATE";
    case AP_STATEMENT_MERGE:
      return "MERGE";
    case AP_STATEMENT_TRUNCATE:
      return "TRUNCATE";
    default:
      break;
  }
  return "DELETE";
}

/* ---- the commit ------------------------------------------------------------------------------ */

static ap_status reads_cell(void *context, const struct ap_snapshot *snapshot, struct ap_cell *cell,
                            bool *out_reads, ap_error *err) {
  const struct ap_change *change = context;
  return ap_query_prepared_reads(change->prepared, snapshot, cell, out_reads, err);
}

static ap_status commit_described(struct ap_change *change, struct ap_text parameters,
                                  struct ap_text metrics, ap_error *err) {
  bool is_insert = change->run->statement->kind == AP_STATEMENT_INSERT;
  bool is_append = is_insert && change->removed_count == 0 && !change->reads_all;
  struct ap_commit commit = {
      .kind = is_append ? AP_COMMIT_APPEND : AP_COMMIT_REWRITE,
      .adds = change->adds,
      .add_count = change->add_count,
      .schema_id = change->snapshot->schema_id,
  };
  struct ap_commit_result result;
  if (!is_append) {
    commit.base = change->snapshot;
    commit.removed_cells = change->removed;
    commit.removed_cell_count = change->removed_count;
    commit.reads_all = change->reads_all;
    commit.reads = change->reads_cells ? reads_cell : NULL;
    commit.context = change;
    commit.operation = ap_text_of(ap_change_operation(change));
    commit.operation_parameters_json = parameters;
    commit.operation_metrics_json = metrics;
    commit.action_lines = change->feed_lines;
  }
  ap_status status = ap_ledger_commit(change->frame->ledger, &commit, &result, err);
  if (status != AP_OK) return ap_frame_error(change->frame, status, err);
  change->version = result.version;
  return AP_OK;
}

static ap_status stage(struct ap_change *change, ap_error *err) {
  if (change->feed.count > 0) {
    ap_status status = AP_FAIL(err, AP_UNSUPPORTED,
                               "frame %s keeps a change data feed: a transaction can insert rows "
                               "and delete whole cells, not change rows",
                               change->full_name);
    ap_error_hint(err, "run the statement by itself");
    return status;
  }
  AP_TRY(ap_staged_upload(change->node, change->frame, &change->staged, &change->arena, err));
  AP_TRY(ap_change_write_marks(change, err));
  change->version = -1; /* COMMIT will tell */
  return ap_transaction_stage(change->run->session->transaction, change, err);
}

static ap_status commit(struct ap_change *change, ap_error *err) {
  struct ap_buffer parameters;
  struct ap_buffer metrics;
  if (change->staged.count == 0 && change->removed_count == 0) return AP_OK; /* nothing changed */
  if (change->run->session->transaction != NULL) return stage(change, err);
  AP_TRY(ap_staged_upload(change->node, change->frame, &change->staged, &change->arena, err));
  AP_TRY(ap_staged_upload(change->node, change->frame, &change->feed, &change->arena, err));
  AP_TRY(ap_change_write_marks(change, err));
  ap_buffer_init(&parameters, ap_node_env(change->node)->allocator);
  ap_buffer_init(&metrics, ap_node_env(change->node)->allocator);
  append_parameters(&parameters, change);
  append_metrics(&metrics, change);
  ap_status status = ap_buffer_check(&parameters, err);
  if (status == AP_OK) status = ap_buffer_check(&metrics, err);
  if (status == AP_OK) {
    status = commit_described(change, ap_buffer_text(&parameters), ap_buffer_text(&metrics), err);
  }
  ap_buffer_deinit(&parameters);
  ap_buffer_deinit(&metrics);
  return status;
}

/* ---- one attempt ----------------------------------------------------------------------------- */

/* The latest, or what the transaction has made of it. */
static ap_status take_snapshot(struct ap_change *change, ap_error *err) {
  struct ap_transaction *transaction = change->run->session->transaction;
  if (transaction == NULL) {
    AP_TRY(ap_frame_latest(change->frame, &change->snapshot, err));
    change->pin = (struct ap_pinned){change->frame, change->snapshot};
    change->own_pins = (struct ap_pins){.items = &change->pin, .count = 1};
    change->pins = &change->own_pins;
    return AP_OK;
  }
  AP_TRY(ap_transaction_check_frame(transaction, change->frame, err));
  change->pins = &transaction->pins;
  return ap_pins_take(change->node, change->pins, change->frame, &change->snapshot, err);
}

/* What a transaction stages is in nobody's way; its COMMIT cannot run again. */
static ap_status await_turn(struct ap_change *change, ap_error *err) {
  struct ap_turns *turns = ap_node_turns(change->node);
  if (change->turn != NULL && change->run->session->transaction == NULL) {
    ap_turns_enter(turns, change->turn, change->frame->entry.id);
    AP_TRY(ap_turns_await(turns, change->turn, change->run->request->control, err));
  }
  change->begin_us = ap_clock_monotonic_us(ap_node_env(change->node)->clock);
  return AP_OK;
}

ap_status ap_change_open_target(struct ap_change *change, ap_error *err) {
  AP_TRY(ap_run_frame_name(change->run, &change->hive, &change->box, &change->name, err));
  AP_TRY(ap_node_find_frame(change->node, change->hive, change->box, change->name, &change->frame,
                            err));
  AP_TRY(await_turn(change, err));
  AP_TRY(take_snapshot(change, err));
  AP_TRY(ap_rules_load(change->snapshot, &change->arena, &change->rules, err));
  change->full_name = ap_frame_full_name(change->frame, &change->arena);
  if (change->full_name == NULL) return AP_FAIL_MEMORY(err);
  change->alias = change->spec->alias.size > 0 ? change->spec->alias : change->frame->entry.name;
  change->version = change->snapshot->version;
  return AP_OK;
}

bool ap_change_takes_all(const struct ap_change *change) {
  bool all = change->spec->where.size == 0 && change->spec->from.size == 0;
  switch (change->run->statement->kind) {
    case AP_STATEMENT_TRUNCATE:
      return true;
    case AP_STATEMENT_DELETE:
      return all && change->snapshot->row_count >= 0;
    default:
      break;
  }
  return false;
}

static ap_status dispatch(struct ap_change *change, ap_error *err) {
  if (change->run->statement->kind == AP_STATEMENT_INSERT) return ap_change_insert(change, err);
  if (ap_change_takes_all(change)) return ap_change_remove_all(change, err);
  return ap_change_rows(change, err);
}

static ap_status attempt(struct ap_change *change, ap_error *err) {
  AP_TRY(ap_change_open_target(change, err));
  AP_TRY(dispatch(change, err));
  return commit(change, err);
}

void ap_change_begin_attempt(struct ap_change *change, struct ap_statement_run *run) {
  *change =
      (struct ap_change){.run = run, .node = run->session->node, .spec = run->statement->change};
  ap_arena_init(&change->arena, ap_node_env(change->node)->allocator);
  ap_composition_init(&change->composition, &change->arena, run->statement->text);
}

/* A commit that may be there needs its cells; one that failed does not. */
void ap_change_end_attempt(struct ap_change *change, ap_status status) {
  if (status != AP_OK && status != AP_OUTCOME_UNKNOWN) {
    ap_staged_discard(change->node, &change->staged);
    ap_staged_discard(change->node, &change->feed);
    if (change->vectors_key.size > 0) {
      (void)!ap_store_remove(ap_node_store(change->node), change->vectors_key, NULL);
    }
  }
  ap_query_prepared_destroy(change->prepared);
  ap_composition_deinit(&change->composition);
  ap_snapshot_release(change->snapshot);
  ap_node_release_frame(change->node, change->frame);
  ap_arena_deinit(&change->arena);
}

/* ---- attempts -------------------------------------------------------------------------------- */

static ap_status check_stop(const struct ap_statement_run *run, ap_error *err) {
  const struct ap_run_control *control = run->request->control;
  struct ap_clock *clock = ap_node_env(run->session->node)->clock;
  return control == NULL ? AP_OK : ap_control_check(clock, control, err);
}

/* Wait for about as long as an attempt takes, longer after each, so that those who are in each
 * other's way part; who has waited often waits less. */
static void back_off(const struct ap_statement_run *run, uint32_t attempts, int64_t took_us) {
  const struct ap_env *env = ap_node_env(run->session->node);
  int64_t bound_ms = took_us / 1000 + 1;
  if (attempts < AP_CHANGE_PATIENCE) bound_ms *= 2;
  if (bound_ms > AP_CHANGE_BACKOFF_MAX_MS) bound_ms = AP_CHANGE_BACKOFF_MAX_MS;
  ap_clock_sleep_ms(env->clock, (int64_t)ap_random_below(env->random, (uint64_t)bound_ms + 1));
}

ap_status ap_change_wait(const struct ap_statement_run *run, uint32_t attempts, int64_t took_us,
                         ap_error *err) {
  AP_TRY(check_stop(run, err));
  ap_error_clear(err);
  back_off(run, attempts, took_us);
  return AP_OK;
}

ap_status ap_change_answer(const struct ap_change *change, struct ArrowArrayStream *out,
                           ap_error *err) {
  static const struct ap_rows_column columns[] = {{"rows_inserted", AP_ROWS_I64},
                                                  {"rows_updated", AP_ROWS_I64},
                                                  {"rows_deleted", AP_ROWS_I64},
                                                  {"version", AP_ROWS_I64}};
  struct ap_rows rows = {0};
  AP_TRY(ap_rows_init(&rows, columns, 4, err));
  ap_rows_i64(&rows, change->counts.inserted);
  ap_rows_i64(&rows, change->counts.updated);
  if (change->counts.deleted < 0) {
    ap_rows_null(&rows);
  } else {
    ap_rows_i64(&rows, change->counts.deleted);
  }
  if (change->version < 0) {
    ap_rows_null(&rows);
  } else {
    ap_rows_i64(&rows, change->version);
  }
  ap_status status = ap_rows_finish(&rows, out, err);
  ap_rows_deinit(&rows);
  return status;
}

/* *out_took_us: of the attempt, from when its turn came. */
static ap_status run_attempt(struct ap_statement_run *run, struct ap_turn *turn,
                             ap_change_told told, void *context, int64_t *out_took_us,
                             ap_error *err) {
  struct ap_clock *clock = ap_node_env(run->session->node)->clock;
  struct ap_change change;
  ap_change_begin_attempt(&change, run);
  change.turn = turn;
  change.begin_us = ap_clock_monotonic_us(clock);
  ap_status status = attempt(&change, err);
  if (status == AP_OK) status = told(context, &change, err);
  *out_took_us = ap_clock_monotonic_us(clock) - change.begin_us;
  ap_change_end_attempt(&change, status);
  return status;
}

ap_status ap_change_run(struct ap_statement_run *run, ap_change_told told, void *context,
                        ap_error *err) {
  struct ap_turns *turns = ap_node_turns(run->session->node);
  struct ap_turn turn = {0};
  ap_status status = AP_OK;
  int64_t took_us = 0;
  ap_error local = {0};
  if (err == NULL) err = &local; /* errors are read here, to place them */
  for (uint32_t attempts = 1;; ++attempts) {
    status = run_attempt(run, &turn, told, context, &took_us, err);
    if (status != AP_CONFLICT || attempts == AP_CHANGE_ATTEMPTS_MAX) break;
    if (ap_turns_lose(turns, &turn)) took_us = 0; /* whom it lost to lines up behind it */
    run->session->account.turn.urgent = true;     /* as others do */
    status = ap_change_wait(run, attempts, took_us, err);
    if (status != AP_OK) break;
  }
  ap_turns_leave(turns, &turn);
  run->session->account.turn.urgent = false;
  return status;
}

static ap_status tell(void *context, const struct ap_change *change, ap_error *err) {
  return ap_change_answer(change, context, err);
}

ap_status ap_run_change(struct ap_statement_run *run, struct ArrowArrayStream *out, ap_error *err) {
  return ap_change_run(run, tell, out, err);
}
