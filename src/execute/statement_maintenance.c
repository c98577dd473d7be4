/* SPDX-License-Identifier: Apache-2.0
 *
 * OPTIMIZE, VACUUM, CHECK and ANALYZE, answered with what they did. Thread: the session's.
 */
#include "execute/statement_run.h"

#include "execute/analyze.h"
#include "execute/check.h"
#include "execute/optimize.h"
#include "execute/report.h"

/* ---- OPTIMIZE -------------------------------------------------------------------------------- */

static ap_status answer_numbers(const struct ap_rows_column *columns, const int64_t *numbers,
                                uint32_t count, struct ArrowArrayStream *out, ap_error *err) {
  struct ap_rows rows = {0};
  AP_TRY(ap_rows_init(&rows, columns, count, err));
  for (uint32_t i = 0; i < count; ++i) ap_rows_i64(&rows, numbers[i]);
  ap_status status = ap_rows_finish(&rows, out, err);
  ap_rows_deinit(&rows);
  return status;
}

ap_status ap_run_optimize(struct ap_statement_run *run, struct ArrowArrayStream *out,
                          ap_error *err) {
  static const struct ap_rows_column columns[] = {
      {"version", AP_ROWS_I64},       {"cells_removed", AP_ROWS_I64},
      {"cells_written", AP_ROWS_I64}, {"bytes_removed", AP_ROWS_I64},
      {"bytes_written", AP_ROWS_I64}, {"rows_moved", AP_ROWS_I64}};
  const struct ap_statement_maintenance *maintenance = &run->statement->maintenance;
  struct ap_optimize_request request = {
      .full = maintenance->full,
      .condition = maintenance->condition,
      .order_by = maintenance->order_by,
      .order_by_count = maintenance->order_by_count,
      .control = run->request->control,
      .account = &run->session->account,
  };
  struct ap_optimize_outcome outcome;
  AP_TRY(ap_run_frame_name(run, &request.hive, &request.box, &request.name, err));
  AP_TRY(ap_optimize(run->session->node, &request, &outcome, err));
  const int64_t numbers[] = {outcome.version,       outcome.cells_removed, outcome.cells_written,
                             outcome.bytes_removed, outcome.bytes_written, outcome.rows_moved};
  return answer_numbers(columns, numbers, 6, out, err);
}

/* ---- VACUUM ---------------------------------------------------------------------------------- */

struct vacuum_answer {
  bool dry_run;
  struct ap_rows rows; /* dry run: a row a file */
  struct ap_buffer time;
  int64_t files;
  int64_t bytes;
};

static ap_status count_file(void *context, const struct ap_vacuum_file *file, ap_error *err) {
  struct vacuum_answer *answer = context;
  answer->files += 1;
  answer->bytes += file->size_bytes;
  if (!answer->dry_run) return AP_OK;
  ap_buffer_clear(&answer->time);
  ap_append_rfc3339(&answer->time, file->modified_ms);
  AP_TRY(ap_buffer_check(&answer->time, err));
  ap_rows_text(&answer->rows, file->path);
  ap_rows_i64(&answer->rows, file->size_bytes);
  ap_rows_text(&answer->rows, ap_buffer_text(&answer->time));
  return AP_OK;
}

static ap_status vacuum(struct ap_statement_run *run, struct vacuum_answer *answer, ap_error *err) {
  struct ap_node *node = run->session->node;
  const struct ap_vacuum_options options = {
      .retain_ms = run->statement->maintenance.retain_ms,
      .dry_run = answer->dry_run,
      .visit = count_file,
      .context = answer,
  };
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  struct ap_frame *frame = NULL;
  AP_TRY(ap_run_frame_name(run, &hive, &box, &name, err));
  AP_TRY(ap_node_find_frame(node, hive, box, name, &frame, err));
  ap_status status = ap_ledger_vacuum(frame->ledger, &options, err);
  if (status != AP_OK) status = ap_frame_error(frame, status, err);
  ap_node_release_frame(node, frame);
  return status;
}

ap_status ap_run_vacuum(struct ap_statement_run *run, struct ArrowArrayStream *out, ap_error *err) {
  static const struct ap_rows_column listed[] = {
      {"path", AP_ROWS_TEXT}, {"size_bytes", AP_ROWS_I64}, {"modified", AP_ROWS_TEXT}};
  static const struct ap_rows_column counted[] = {{"files_removed", AP_ROWS_I64},
                                                  {"bytes_removed", AP_ROWS_I64}};
  struct vacuum_answer answer = {.dry_run = run->statement->maintenance.dry_run};
  ap_buffer_init(&answer.time, run->arena->allocator);
  ap_status status = AP_OK;
  if (answer.dry_run) status = ap_rows_init(&answer.rows, listed, 3, err);
  if (status == AP_OK) status = vacuum(run, &answer, err);
  if (status == AP_OK && answer.dry_run) status = ap_rows_finish(&answer.rows, out, err);
  if (status == AP_OK && !answer.dry_run) {
    const int64_t numbers[] = {answer.files, answer.bytes};
    status = answer_numbers(counted, numbers, 2, out, err);
  }
  ap_rows_deinit(&answer.rows);
  ap_buffer_deinit(&answer.time);
  return status;
}

/* ---- CHECK ----------------------------------------------------------------------------------- */

struct check_answer {
  struct ap_rows rows;
};

static ap_status add_finding(void *context, struct ap_text object, struct ap_text finding,
                             ap_error *err) {
  struct check_answer *answer = context;
  (void)err;
  ap_rows_text(&answer->rows, AP_TEXT("error"));
  ap_rows_text(&answer->rows, object);
  ap_rows_text(&answer->rows, finding);
  return AP_OK;
}

/* The last row sums up, so that a sound frame has an answer too. */
static ap_status add_summary(const struct ap_check_request *request,
                             const struct ap_check_outcome *outcome, struct ap_arena *arena,
                             struct check_answer *answer, ap_error *err) {
  char *name = ap_arena_format(arena, "%.*s.%.*s.%.*s", AP_TEXT_ARG(request->hive),
                               AP_TEXT_ARG(request->box), AP_TEXT_ARG(request->name));
  char *summary = ap_arena_format(
      arena, "version %lld: %lld cells, %lld bytes, %lld rows%s; %lld findings",
      (long long)outcome->version, (long long)outcome->cells, (long long)outcome->bytes,
      (long long)outcome->rows, request->quick ? " by the ledger (not read)" : " read",
      (long long)outcome->findings);
  if (name == NULL || summary == NULL) return AP_FAIL_MEMORY(err);
  ap_rows_text(&answer->rows, outcome->findings == 0 ? AP_TEXT("ok") : AP_TEXT("summary"));
  ap_rows_text(&answer->rows, ap_text_of(name));
  ap_rows_text(&answer->rows, ap_text_of(summary));
  return AP_OK;
}

ap_status ap_run_check(struct ap_statement_run *run, struct ArrowArrayStream *out, ap_error *err) {
  static const struct ap_rows_column columns[] = {
      {"severity", AP_ROWS_TEXT}, {"object", AP_ROWS_TEXT}, {"finding", AP_ROWS_TEXT}};
  struct check_answer answer = {0};
  struct ap_check_request request = {.quick = run->statement->maintenance.quick,
                                     .control = run->request->control,
                                     .account = &run->session->account,
                                     .visit = add_finding,
                                     .context = &answer};
  struct ap_check_outcome outcome;
  AP_TRY(ap_run_frame_name(run, &request.hive, &request.box, &request.name, err));
  ap_status status = ap_rows_init(&answer.rows, columns, 3, err);
  if (status == AP_OK) status = ap_check(run->session->node, &request, &outcome, err);
  if (status == AP_OK) status = add_summary(&request, &outcome, run->arena, &answer, err);
  if (status == AP_OK) status = ap_rows_finish(&answer.rows, out, err);
  ap_rows_deinit(&answer.rows);
  return status;
}

/* ---- ANALYZE --------------------------------------------------------------------------------- */

ap_status ap_run_analyze(struct ap_statement_run *run, struct ArrowArrayStream *out,
                         ap_error *err) {
  static const struct ap_rows_column columns[] = {
      {"version", AP_ROWS_I64}, {"cells_read", AP_ROWS_I64}, {"cells_updated", AP_ROWS_I64}};
  struct ap_analyze_request request = {.control = run->request->control,
                                       .account = &run->session->account};
  struct ap_analyze_outcome outcome;
  AP_TRY(ap_run_frame_name(run, &request.hive, &request.box, &request.name, err));
  AP_TRY(ap_analyze(run->session->node, &request, &outcome, err));
  const int64_t numbers[] = {outcome.version, outcome.cells_read, outcome.cells_updated};
  return answer_numbers(columns, numbers, 3, out, err);
}
