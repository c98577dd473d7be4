/* SPDX-License-Identifier: Apache-2.0
 *
 * EXPLAIN of INSERT, UPDATE, DELETE, MERGE and TRUNCATE: the query that finds the rows, as it would
 * run, which cells of which frames it reads and why, and what becomes of the cells in which rows
 * change. ANALYZE makes the change, for good, and tells what it was.
 * Thread: the session's.
 */
#include "execute/change.h"
#include "execute/explanation.h"
#include "execute/query_run.h"

#include "base/assert.h"

#include <inttypes.h>

/* ---- what is to be said ---------------------------------------------------------------------- */

static void describe_method(const struct ap_change *change, struct ap_explained_change *out) {
  if (change->run->statement->kind == AP_STATEMENT_INSERT) {
    out->method = change->spec->overwrites ? "replace all cells" : "append";
    out->reason = change->spec->overwrites ? "INSERT OVERWRITE takes the place of all rows"
                                           : "no cell is written again for new rows";
  } else if (ap_change_takes_all(change)) {
    out->method = "remove all cells";
    out->reason = "every row goes: no cell needs to be read";
  } else if (ap_snapshot_marks_rows(change->snapshot)) {
    out->method = "deletion vectors";
    out->reason =
        "the frame has delta.enableDeletionVectors: of cells in which rows change only "
        "these are written again, unless most of the cell's do";
  } else {
    out->method = "rewrite cells";
    out->reason =
        "cells in which rows change are written again, the others stay; "
        "delta.enableDeletionVectors would spare their other rows";
  }
}

static ap_status copy_text(struct ap_arena *arena, struct ap_text from, struct ap_text *to,
                           ap_error *err) {
  *to = (struct ap_text){ap_arena_copy(arena, from), from.size};
  return to->data != NULL ? AP_OK : AP_FAIL_MEMORY(err);
}

static ap_status describe_change(const struct ap_change *change, struct ap_arena *arena,
                                 struct ap_explained_change *out, ap_error *err) {
  const struct ap_frame_entry *entry = &change->frame->entry;
  *out = (struct ap_explained_change){.version = change->snapshot->version};
  out->statement =
      change->run->statement->kind == AP_STATEMENT_INSERT ? "INSERT" : ap_change_operation(change);
  AP_TRY(copy_text(arena, entry->hive, &out->hive, err));
  AP_TRY(copy_text(arena, entry->box, &out->box, err));
  AP_TRY(copy_text(arena, entry->name, &out->frame, err));
  describe_method(change, out);
  return AP_OK;
}

/* ---- the plan -------------------------------------------------------------------------------- */

static ap_status prepare(struct ap_change *change, ap_error *err) {
  if (change->run->statement->kind == AP_STATEMENT_INSERT) {
    AP_TRY(ap_change_compose_rows(change, err));
  } else {
    AP_TRY(ap_change_plan_clauses(change, err));
    AP_TRY(ap_change_compose_matches(change, err));
  }
  return ap_change_prepare(change, ap_buffer_text(&change->composition.text), change->pins, err);
}

/* The plan lives as long as the change. */
static ap_status plan(struct ap_change *change, struct ap_explanation *explanation,
                      struct ap_explained_change *described, ap_error *err) {
  AP_TRY(ap_change_open_target(change, err));
  AP_TRY(describe_change(change, explanation->arena, described, err));
  if (ap_change_takes_all(change)) return AP_OK;
  AP_TRY(prepare(change, err));
  ap_status status = ap_explanation_ask(explanation, ap_query_prepared_run(change->prepared), err);
  ap_query_prepared_release_chamber(change->prepared);
  return ap_change_explain(change, 0, status, err);
}

/* ---- what was done --------------------------------------------------------------------------- */

static ap_status take_outcome(void *context, const struct ap_change *change, ap_error *err) {
  struct ap_explained_change *out = context;
  (void)err;
  out->has_run = true;
  out->version = change->version;
  out->rows_inserted = change->counts.inserted;
  out->rows_updated = change->counts.updated;
  out->rows_deleted = change->counts.deleted;
  out->rows_copied = change->counts.copied;
  out->cells_removed = change->removed_count - change->vector_count;
  out->cells_marked = change->vector_count;
  out->change_files = change->feed.count;
  out->cells_added = change->add_count - change->vector_count;
  for (uint32_t i = 0; i < out->cells_added; ++i) out->bytes_added += change->adds[i].size_bytes;
  return AP_OK;
}

static ap_status explain(struct ap_statement_run *run, struct ap_arena *arena,
                         struct ArrowArrayStream *out, ap_error *err) {
  struct ap_explained_change described;
  struct ap_explanation explanation;
  struct ap_change change;
  ap_change_begin_attempt(&change, run);
  ap_explanation_init(&explanation, run->session->node, arena, false);
  explanation.change = &described;
  ap_status status = plan(&change, &explanation, &described, err);
  if (status == AP_OK && run->statement->analyze) {
    status = ap_change_run(run, take_outcome, &described, err);
  }
  if (status == AP_OK) {
    status = ap_explanation_answer(&explanation, run->statement->explain_format, out, err);
  }
  ap_change_end_attempt(&change, status);
  return status;
}

ap_status ap_run_explain_change(struct ap_statement_run *run, struct ArrowArrayStream *out,
                                ap_error *err) {
  struct ap_statement explained = *run->statement;
  struct ap_statement_run inner = *run;
  struct ap_arena arena;
  ap_error local = {0};
  AP_ASSERT(explained.explained != AP_STATEMENT_QUERY && explained.change != NULL);
  if (err == NULL) err = &local;
  if (explained.explain_format == AP_EXPLAIN_ENGINE) {
    ap_status status = AP_FAIL(err, AP_UNSUPPORTED,
                               "EXPLAIN (FORMAT ENGINE) of a statement that changes rows: the "
                               "engine runs only its query");
    ap_error_hint(err, "FORMAT TEXT and FORMAT JSON tell its plan");
    return status;
  }
  explained.kind = explained.explained;
  explained.text = explained.body;
  explained.body = (struct ap_text){NULL, 0};
  inner.statement = &explained;
  ap_arena_init(&arena, ap_node_env(run->session->node)->allocator);
  ap_status status = explain(&inner, &arena, out, err);
  ap_arena_deinit(&arena);
  return status;
}

/* ---- words ----------------------------------------------------------------------------------- */

static void append_outcome(struct ap_buffer *out, const struct ap_explained_change *change) {
  ap_buffer_append_format(out, "  rows        %" PRId64 " inserted, %" PRId64 " updated",
                          change->rows_inserted, change->rows_updated);
  if (change->rows_deleted >= 0) {
    ap_buffer_append_format(out, ", %" PRId64 " deleted", change->rows_deleted);
  }
  ap_buffer_append_format(out, ", %" PRId64 " copied\n", change->rows_copied);
  ap_buffer_append_format(out,
                          "  cells       %" PRIu32 " removed, %" PRIu32 " marked, %" PRIu32
                          " added (%" PRId64 " bytes)\n",
                          change->cells_removed, change->cells_marked, change->cells_added,
                          change->bytes_added);
  if (change->change_files > 0) {
    ap_buffer_append_format(out, "  feed        %" PRIu32 " change files\n", change->change_files);
  }
  if (change->version < 0) {
    ap_buffer_append_string(out, "  version     COMMIT will tell\n");
  } else {
    ap_buffer_append_format(out, "  version     %" PRId64 "\n", change->version);
  }
}

void ap_explained_change_write_text(struct ap_buffer *out,
                                    const struct ap_explained_change *change) {
  ap_buffer_append_format(out, "change: %s of frame %.*s.%.*s.%.*s\n", change->statement,
                          AP_TEXT_ARG(change->hive), AP_TEXT_ARG(change->box),
                          AP_TEXT_ARG(change->frame));
  ap_buffer_append_format(out, "  method      %s: %s\n", change->method, change->reason);
  if (change->has_run) append_outcome(out, change);
}

void ap_explained_change_write_json(struct ap_json_writer *writer,
                                    const struct ap_explained_change *change) {
  ap_json_begin_object(writer);
  ap_json_member_string(writer, "statement", ap_text_of(change->statement));
  ap_json_member_string(writer, "hive", change->hive);
  ap_json_member_string(writer, "box", change->box);
  ap_json_member_string(writer, "frame", change->frame);
  ap_json_member_string(writer, "method", ap_text_of(change->method));
  ap_json_member_string(writer, "reason", ap_text_of(change->reason));
  if (change->version >= 0) ap_json_member_i64(writer, "version", change->version);
  if (change->has_run) {
    ap_json_member_i64(writer, "rows_inserted", change->rows_inserted);
    ap_json_member_i64(writer, "rows_updated", change->rows_updated);
    if (change->rows_deleted >= 0) {
      ap_json_member_i64(writer, "rows_deleted", change->rows_deleted);
    }
    ap_json_member_i64(writer, "rows_copied", change->rows_copied);
    ap_json_member_i64(writer, "cells_removed", change->cells_removed);
    ap_json_member_i64(writer, "cells_marked", change->cells_marked);
    ap_json_member_i64(writer, "cells_added", change->cells_added);
    ap_json_member_i64(writer, "bytes_added", change->bytes_added);
    ap_json_member_i64(writer, "change_files", change->change_files);
  }
  ap_json_end_object(writer);
}
