/* SPDX-License-Identifier: Apache-2.0
 *
 * See check.h. Rows are looked at cell by cell: one SELECT counts those that contradict what the
 * ledger says of the cell, so that a damaged file spoils no other's answer.
 */
#include "execute/check.h"

#include "base/assert.h"
#include "execute/bind.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct check_run {
  struct ap_node *node;
  const struct ap_check_request *request;
  struct ap_check_outcome *outcome;
  struct ap_frame *frame;
  struct ap_snapshot *snapshot;
  struct ap_chamber *chamber;
};

static ap_status tell(void *context, struct ap_text object, struct ap_text finding, ap_error *err) {
  struct check_run *run = context;
  run->outcome->findings += 1;
  return run->request->visit(run->request->context, object, finding, err);
}

static ap_status tell_format(struct check_run *run, const struct ap_cell *cell, ap_error *err,
                             const char *format, ...) AP_PRINTF_LIKE(4, 5);

static ap_status tell_format(struct check_run *run, const struct ap_cell *cell, ap_error *err,
                             const char *format, ...) {
  char finding[1024];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(finding, sizeof finding, format, arguments);
  va_end(arguments);
  return tell(run, cell->path, ap_text_of(finding), err);
}

/* ---- files ----------------------------------------------------------------------------------- */

/* *out_sound: there is something to read. */
static ap_status check_file(struct check_run *run, const struct ap_cell *cell,
                            struct ap_arena *arena, bool *out_sound, ap_error *err) {
  struct ap_store_object object = {0};
  ap_error failure = {0};
  *out_sound = false;
  char *key =
      ap_arena_format(arena, "%s/%.*s", run->frame->entry.location.data, AP_TEXT_ARG(cell->path));
  if (key == NULL) return AP_FAIL_MEMORY(err);
  ap_status status = ap_store_head(ap_node_store(run->node), ap_text_of(key), &object, &failure);
  if (status == AP_NOT_FOUND) return tell_format(run, cell, err, "the file is missing");
  if (status != AP_OK) {
    if (err != NULL) *err = failure;
    return status;
  }
  if (object.size_bytes != cell->size_bytes) {
    return tell_format(run, cell, err, "the file has %" PRId64 " bytes, the ledger says %" PRId64,
                       object.size_bytes, cell->size_bytes);
  }
  *out_sound = true;
  return AP_OK;
}

/* Rows that the cell's deletion vector takes out. */
static ap_status check_deletions(struct check_run *run, const struct ap_cell *cell,
                                 struct ap_arena *arena, uint64_t *out_count, bool *inout_sound,
                                 ap_error *err) {
  const uint64_t *rows = NULL;
  ap_error failure = {0};
  *out_count = 0;
  if (cell->deletion_vector.storage_type == 0) return AP_OK;
  ap_status status =
      ap_ledger_deleted_rows(run->frame->ledger, cell, arena, &rows, out_count, &failure);
  if (status == AP_OK) return AP_OK;
  if (status != AP_CORRUPT && status != AP_NOT_FOUND) {
    if (err != NULL) *err = failure;
    return status;
  }
  *inout_sound = false;
  return tell_format(run, cell, err, "the deletion vector: %s", failure.message);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* What one expression of the SELECT counts. */
struct question {
  const struct ap_field *field; /* NULL: all rows */
  const char *what;             /* of the rows counted */
};

struct questions {
  struct ap_buffer *sql;
  struct question *items;
  uint32_t count;
};

static void append_bound(struct ap_buffer *out, const struct ap_field *field, const char *operator,
                         const struct ap_value * bound) {
  struct ap_buffer text;
  ap_buffer_init(&text, out->allocator);
  ap_value_append_text(&text, bound);
  ap_buffer_append_identifier(out, field->name);
  if (field->type.kind == AP_TYPE_TIME) { /* written as microseconds */
    ap_buffer_append_format(out, " %s TIME '00:00:00' + to_microseconds(", operator);
    ap_buffer_append_text(out, ap_buffer_text(&text));
  } else {
    ap_buffer_append_format(out, " %s CAST(", operator);
    ap_buffer_append_literal(out, ap_buffer_text(&text));
    ap_buffer_append_string(out, " AS ");
    ap_type_append_sql(out, &field->type);
  }
  ap_buffer_append_string(out, ")");
  out->failed |= text.failed;
  ap_buffer_deinit(&text);
}

static void ask_bound(struct questions *questions, const struct ap_field *field,
                      const char *operator, const struct ap_value * bound, const char *what) {
  if (bound->kind == AP_VALUE_NONE) return;
  ap_buffer_append_string(questions->sql, ", CAST(count(*) FILTER (WHERE ");
  append_bound(questions->sql, field, operator, bound);
  ap_buffer_append_string(questions->sql, ") AS VARCHAR)");
  questions->items[questions->count++] = (struct question){field, what};
}

static void ask_column(struct questions *questions, const struct ap_field *field,
                       const struct ap_column_statistics *column) {
  ask_bound(questions, field, "<", &column->min, "lie below the least value the ledger states");
  ask_bound(questions, field, ">", &column->max, "lie above the greatest value the ledger states");
  /* Always asked: it makes the engine read the column. */
  ap_buffer_append_string(questions->sql, ", CAST(count(*) - count(");
  ap_buffer_append_identifier(questions->sql, field->name);
  ap_buffer_append_string(questions->sql, ") AS VARCHAR)");
  questions->items[questions->count++] = (struct question){field, "are null"};
}

/* A count of nulls is a finding where none may be, or where the ledger says another. */
static ap_status judge_nulls(struct check_run *run, const struct ap_cell *cell,
                             const struct ap_field *field,
                             const struct ap_column_statistics *column, int64_t nulls,
                             bool has_deletions, ap_error *err) {
  if (!field->nullable && nulls > 0) {
    AP_TRY(tell_format(run, cell, err, "column '%.*s' must not be null, but %" PRId64 " rows are",
                       AP_TEXT_ARG(field->name), nulls));
  }
  if (column->null_count < 0 || column->null_count == nulls) return AP_OK;
  if (has_deletions && nulls < column->null_count) return AP_OK;
  return tell_format(run, cell, err,
                     "column '%.*s': %" PRId64 " rows are null, the ledger says %" PRId64,
                     AP_TEXT_ARG(field->name), nulls, column->null_count);
}

static ap_status judge(struct check_run *run, const struct ap_cell *cell,
                       const struct ap_cell_statistics *statistics,
                       const struct questions *questions, const struct ap_text *answers,
                       uint64_t deleted, ap_error *err) {
  int64_t rows = 0;
  bool parsed = ap_text_parse_i64(answers[0], &rows);
  AP_ASSERT(parsed);
  run->outcome->rows += rows;
  int64_t stated = statistics->row_count - (int64_t)deleted;
  if (statistics->row_count >= 0 && rows != stated) {
    AP_TRY(tell_format(run, cell, err, "the file has %" PRId64 " rows, the ledger says %" PRId64,
                       rows, stated));
  }
  for (uint32_t i = 1; i < questions->count; ++i) {
    const struct question *question = &questions->items[i];
    int64_t count = 0;
    parsed = ap_text_parse_i64(answers[i], &count);
    AP_ASSERT(parsed);
    uint32_t column = (uint32_t)(question->field - run->snapshot->schema.fields);
    if (question->what[0] == 'a') {
      AP_TRY(judge_nulls(run, cell, question->field, &statistics->columns[column], count,
                         deleted > 0, err));
    } else if (count > 0) {
      AP_TRY(tell_format(run, cell, err, "column '%.*s': %" PRId64 " rows %s",
                         AP_TEXT_ARG(question->field->name), count, question->what));
    }
  }
  return AP_OK;
}

/* Whether a failure to read speaks of the file, or of this query's circumstances. */
static bool is_of_file(ap_status status) {
  return status == AP_CORRUPT || status == AP_QUERY || status == AP_NOT_FOUND ||
         status == AP_SCHEMA_MISMATCH;
}

static ap_status ask(struct check_run *run, struct ap_cell *cell, struct questions *questions,
                     const struct ap_cell_statistics *statistics, uint64_t deleted,
                     struct ap_arena *arena, ap_error *err) {
  const struct ap_snapshot *snapshot = run->snapshot;
  ap_error failure = {0};
  struct ap_cell *const cells[] = {cell};
  const struct ap_bind_request bind = {.frame = run->frame,
                                       .snapshot = snapshot,
                                       .view_name = run->frame->entry.name,
                                       .cells = cells,
                                       .cell_count = 1};
  ap_buffer_append_string(questions->sql, "SELECT CAST(count(*) AS VARCHAR)");
  questions->items[questions->count++] = (struct question){NULL, "rows"};
  for (uint32_t i = 0; i < snapshot->schema.field_count; ++i) {
    ask_column(questions, &snapshot->schema.fields[i], &statistics->columns[i]);
  }
  ap_buffer_append_string(questions->sql, " FROM ");
  ap_bind_append_name(questions->sql, &run->frame->entry);
  AP_TRY(ap_buffer_check(questions->sql, err));
  struct ap_text *answers = AP_ARENA_ARRAY(arena, struct ap_text, questions->count);
  if (answers == NULL) return AP_FAIL_MEMORY(err);
  AP_TRY(ap_bind_cells(run->node, run->chamber, &bind, arena, err));
  ap_status status =
      ap_chamber_evaluate(run->chamber, ap_buffer_text(questions->sql), NULL, 0,
                          run->request->control, arena, answers, questions->count, &failure);
  if (is_of_file(status)) {
    return tell_format(run, cell, err, "the file cannot be read: %s", failure.message);
  }
  if (status != AP_OK) {
    if (err != NULL) *err = failure;
    return status;
  }
  return judge(run, cell, statistics, questions, answers, deleted, err);
}

static ap_status check_rows(struct check_run *run, struct ap_cell *cell, uint64_t deleted,
                            struct ap_arena *arena, ap_error *err) {
  const struct ap_snapshot *snapshot = run->snapshot;
  const struct ap_cell_statistics *statistics = NULL;
  struct ap_buffer sql;
  struct questions questions = {.sql = &sql};
  AP_TRY(ap_cell_statistics_get(cell, arena, &snapshot->schema, snapshot->schema_id,
                                snapshot->physical_names, &statistics, err));
  questions.items =
      AP_ARENA_ARRAY(arena, struct question, 1 + (size_t)snapshot->schema.field_count * 3);
  if (questions.items == NULL) return AP_FAIL_MEMORY(err);
  ap_buffer_init(&sql, ap_node_env(run->node)->allocator);
  ap_status status = ask(run, cell, &questions, statistics, deleted, arena, err);
  ap_buffer_deinit(&sql);
  return status;
}

static ap_status check_cell(struct check_run *run, struct ap_cell *cell, ap_error *err) {
  struct ap_arena arena; /* there may be many cells */
  bool sound = false;
  uint64_t deleted = 0;
  ap_arena_init(&arena, ap_node_env(run->node)->allocator);
  ap_status status = check_file(run, cell, &arena, &sound, err);
  if (status == AP_OK && sound) {
    status = check_deletions(run, cell, &arena, &deleted, &sound, err);
  }
  if (status == AP_OK && sound && !run->request->quick) {
    status = check_rows(run, cell, deleted, &arena, err);
  }
  run->outcome->cells += 1;
  run->outcome->bytes += cell->size_bytes;
  ap_arena_deinit(&arena);
  return status;
}

ap_status ap_check(struct ap_node *node, const struct ap_check_request *request,
                   struct ap_check_outcome *out_outcome, ap_error *err) {
  struct check_run run = {.node = node, .request = request, .outcome = out_outcome};
  *out_outcome = (struct ap_check_outcome){0};
  AP_TRY(ap_node_find_frame(node, request->hive, request->box, request->name, &run.frame, err));
  ap_status status = ap_ledger_verify(run.frame->ledger, tell, &run, &run.snapshot, err);
  if (status == AP_OK && !request->quick) {
    status =
        ap_bee_acquire(node, request->account, AP_WORK_WRITE, request->control, &run.chamber, err);
  }
  for (uint32_t i = 0; status == AP_OK && i < run.snapshot->cell_count; ++i) {
    status = check_cell(&run, run.snapshot->cells[i], err);
  }
  if (status == AP_OK) {
    out_outcome->version = run.snapshot->version;
    if (request->quick) out_outcome->rows = run.snapshot->row_count;
  } else {
    status = ap_frame_error(run.frame, status, err);
  }
  ap_chamber_release(run.chamber);
  ap_snapshot_release(run.snapshot);
  ap_node_release_frame(node, run.frame);
  return status;
}
