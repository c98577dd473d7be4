/* SPDX-License-Identifier: Apache-2.0
 *
 * See write.h.
 */
#include "execute/write.h"

#include "base/assert.h"
#include "base/limits.h"
#include "execute/partition_condition.h"
#include "execute/staged.h"

#include <inttypes.h>
#include <string.h>

struct write_run {
  struct ap_node *node;
  const struct ap_write_request *request;
  struct ap_arena arena;
  struct ap_frame *frame;
  struct ap_turn turn;
  struct ap_snapshot *snapshot; /* the schema that the rows are checked against */
  struct ap_staged staged;
  struct ap_partition_condition condition; /* replace_where */
};

/* ---- replace_where --------------------------------------------------------------------------- */

static ap_status match_cell(struct write_run *run, const struct ap_snapshot *snapshot,
                            struct ap_cell *cell, bool *out_matches, ap_error *err) {
  return ap_partition_condition_match(&run->condition, snapshot, cell,
                                      ap_node_env(run->node)->allocator, out_matches, err);
}

/* The ledger's callback. */
static ap_status removes_cell(void *context, const struct ap_snapshot *snapshot,
                              struct ap_cell *cell, bool *out_removes, ap_error *err) {
  return match_cell(context, snapshot, cell, out_removes, err);
}

/* Decide the condition once for every cell there is and for every new one, before anything is
 * uploaded. What others commit until then is decided at the commit. */
static ap_status check_condition(struct write_run *run, ap_error *err) {
  if (run->request->replace_where.size == 0) return AP_OK;
  bool matches = false;
  for (uint32_t i = 0; i < run->snapshot->cell_count; ++i) {
    AP_TRY(match_cell(run, run->snapshot, run->snapshot->cells[i], &matches, err));
  }
  for (uint32_t i = 0; i < run->staged.count; ++i) {
    const struct ap_cell_draft *draft = &run->staged.drafts[i];
    const struct ap_cell_parts parts = {
        .path = draft->path,
        .size_bytes = draft->size_bytes,
        .partition_count = draft->partition_count,
        .partition_values = draft->partition_values,
    };
    struct ap_cell *cell = NULL;
    AP_TRY(ap_cell_create(ap_node_env(run->node)->allocator, &parts, &cell, err));
    ap_status status = match_cell(run, run->snapshot, cell, &matches, err);
    ap_cell_release(cell);
    if (status != AP_OK) return status;
    if (!matches) {
      status = AP_FAIL(err, AP_INVALID_ARGUMENT,
                       "a new row of partition %.*s does not fulfil replace_where '%.*s'",
                       AP_TEXT_ARG(draft->path), AP_TEXT_ARG(run->request->replace_where));
      ap_error_hint(err, "write only rows that the condition replaces, or append them");
      return status;
    }
  }
  return AP_OK;
}

/* ---- rows to objects ------------------------------------------------------------------------- */

static ap_status write_cells(struct write_run *run, ap_error *err) {
  struct ap_chamber *chamber = NULL;
  const struct ap_cell_source source = {.stream = run->request->stream,
                                        .query = run->request->query};
  const struct ap_chamber_request place =
      ap_bee_request(run->request->account, AP_WORK_WRITE, run->request->control);
  const char *name = ap_frame_full_name(run->frame, &run->arena);
  if (name == NULL) return AP_FAIL_MEMORY(err);
  AP_TRY(ap_chamber_admit(ap_node_engine(run->node), &place, &chamber, err));
  ap_status status =
      ap_partition_condition_parse(chamber, run->frame, "replace_where",
                                   run->request->replace_where, &run->arena, &run->condition, err);
  if (status == AP_OK) {
    status = ap_staged_write(run->node, chamber, name, run->snapshot, &source,
                             run->request->control, &run->staged, &run->arena, err);
  }
  ap_chamber_release(chamber);
  return status;
}

/* ---- the commit ------------------------------------------------------------------------------ */

static ap_status commit(struct write_run *run, struct ap_commit_result *out_result, ap_error *err) {
  const struct ap_write_request *request = run->request;
  const struct ap_commit change = {
      .kind = request->kind,
      .base = run->snapshot,
      .adds = run->staged.drafts,
      .add_count = run->staged.count,
      .removes = request->replace_where.size > 0 ? removes_cell : NULL,
      .context = run,
      .predicate = request->replace_where,
      .schema_id = run->snapshot->schema_id,
      .app_id = request->app_id,
      .app_version = request->app_version,
      .user_metadata = request->user_metadata,
  };
  ap_status status = ap_ledger_commit(run->frame->ledger, &change, out_result, err);
  return status == AP_OK ? AP_OK : ap_frame_error(run->frame, status, err);
}

static void describe_outcome(const struct write_run *run, const struct ap_commit_result *result,
                             struct ap_write_outcome *out_outcome) {
  *out_outcome = (struct ap_write_outcome){.version = result->version, .skipped = result->skipped};
  if (result->skipped) return;
  out_outcome->cells_removed = result->removed_count;
  out_outcome->cells_written = run->staged.count;
  out_outcome->rows_written = ap_staged_row_count(&run->staged);
  out_outcome->bytes_written = ap_staged_size_bytes(&run->staged);
}

/* An append of no rows changes nothing and makes no version, unless an application counts it. */
static bool is_nothing(const struct write_run *run) {
  return run->request->kind == AP_COMMIT_APPEND && run->staged.count == 0 &&
         run->request->app_id.size == 0;
}

/* Rows that come again and again would pass a statement by that should have read them. */
static ap_status await_turn(struct write_run *run, ap_error *err) {
  struct ap_turns *turns = ap_node_turns(run->node);
  ap_turns_enter(turns, &run->turn, run->frame->entry.id);
  return ap_turns_await(turns, &run->turn, run->request->control, err);
}

static ap_status run_write(struct write_run *run, struct ap_write_outcome *out_outcome,
                           ap_error *err) {
  const struct ap_write_request *request = run->request;
  ap_status status =
      ap_node_find_frame(run->node, request->hive, request->box, request->name, &run->frame, err);
  if (status == AP_OK) status = await_turn(run, err);
  if (status == AP_OK) status = ap_frame_latest(run->frame, &run->snapshot, err);
  if (status != AP_OK) return status;
  AP_TRY(write_cells(run, err));
  AP_TRY(check_condition(run, err));
  struct ap_commit_result result = {.version = run->snapshot->version};
  if (!is_nothing(run)) {
    AP_TRY(ap_staged_upload(run->node, run->frame, &run->staged, &run->arena, err));
    AP_TRY(commit(run, &result, err));
  }
  describe_outcome(run, &result, out_outcome);
  return AP_OK;
}

ap_status ap_write(struct ap_node *node, const struct ap_write_request *request,
                   struct ap_write_outcome *out_outcome, ap_error *err) {
  struct ap_clock *clock = ap_node_env(node)->clock;
  int64_t begin_us = ap_clock_monotonic_us(clock);
  struct write_run run = {.node = node, .request = request};
  ap_arena_init(&run.arena, ap_node_env(node)->allocator);
  ap_error local = {0};
  if (err == NULL) err = &local;
  ap_status status = run_write(&run, out_outcome, err);
  ap_turns_leave(ap_node_turns(node), &run.turn);
  /* A commit that may be there needs its cells; one that was skipped or failed does not. */
  if (status == AP_OK ? out_outcome->skipped : status != AP_OUTCOME_UNKNOWN)
    ap_staged_discard(node, &run.staged);
  if (status == AP_OK) out_outcome->duration_us = ap_clock_monotonic_us(clock) - begin_us;
  ap_stream_release(request->stream); /* where the engine never got to it */
  ap_snapshot_release(run.snapshot);
  ap_node_release_frame(node, run.frame);
  ap_arena_deinit(&run.arena);
  return status;
}
