/* SPDX-License-Identifier: Apache-2.0
 *
 * See analyze.h.
 */
#include "execute/analyze.h"

#include "base/assert.h"
#include "base/limits.h"
#include "execute/bind.h"

#include <string.h>

enum {
  FACTS_PER_COLUMN = 4, /* least, greatest, nulls, whether there is a NaN */
  CONFLICTS_MAX = 10,
};

struct analyze_run {
  struct ap_node *node;
  const struct ap_analyze_request *request;
  struct ap_arena arena;
  struct ap_frame *frame;
  struct ap_snapshot *snapshot;
  struct ap_chamber *chamber;
  struct ap_cell **cells; /* said again, in the snapshot's order */
  struct ap_cell_draft *drafts;
  uint32_t count;
};

static bool is_partition_column(const struct ap_snapshot *snapshot, uint32_t field) {
  for (uint32_t i = 0; i < snapshot->partition_column_count; ++i) {
    if (snapshot->partition_columns[i] == field) return true;
  }
  return false;
}

static bool has_bounds(const struct ap_type *type) {
  return type->field_count == 0 && type->kind != AP_TYPE_BINARY && type->kind != AP_TYPE_BOOLEAN;
}

static bool is_float(const struct ap_type *type) {
  return type->kind == AP_TYPE_FLOAT32 || type->kind == AP_TYPE_FLOAT64;
}

/* Whether looking at the rows might tell more than the ledger does. */
static ap_status lacks_statistics(struct analyze_run *run, struct ap_cell *cell, bool *out_lacks,
                                  ap_error *err) {
  const struct ap_snapshot *snapshot = run->snapshot;
  const struct ap_cell_statistics *statistics = NULL;
  struct ap_arena scratch;
  *out_lacks = false;
  if (cell->deletion_vector.storage_type != 0) return AP_OK;
  ap_arena_init(&scratch, ap_node_env(run->node)->allocator);
  ap_status status = ap_cell_statistics_get(cell, &scratch, &snapshot->schema, snapshot->schema_id,
                                            snapshot->physical_names, &statistics, err);
  if (status == AP_OK && statistics->row_count < 0) *out_lacks = true;
  for (uint32_t i = 0; status == AP_OK && i < snapshot->schema.field_count; ++i) {
    const struct ap_column_statistics *column = &statistics->columns[i];
    if (i >= AP_STATISTICS_COLUMNS_MAX || is_partition_column(snapshot, i)) continue;
    bool only_nulls = column->null_count >= 0 && column->null_count == statistics->row_count;
    bool bounded = column->min.kind != AP_VALUE_NONE || only_nulls;
    if (has_bounds(&snapshot->schema.fields[i].type) && !bounded) *out_lacks = true;
    if (column->null_count < 0) *out_lacks = true;
  }
  ap_arena_deinit(&scratch);
  return status;
}

static void append_facts(struct ap_buffer *sql, const struct ap_field *field, bool counts) {
  struct ap_buffer name;
  ap_buffer_init(&name, sql->allocator);
  ap_buffer_append_identifier(&name, field->name);
  sql->failed |= name.failed;
  if (!counts) {
    ap_buffer_append_string(sql, ", NULL::VARCHAR, NULL::VARCHAR, NULL::VARCHAR, 'false'");
  } else if (has_bounds(&field->type)) {
    ap_buffer_append_format(sql,
                            ", CAST(min(%s) AS VARCHAR), CAST(max(%s) AS VARCHAR), "
                            "CAST(count(*) - count(%s) AS VARCHAR), ",
                            name.data, name.data, name.data);
    if (is_float(&field->type)) {
      ap_buffer_append_format(sql, "CAST(coalesce(bool_or(isnan(%s)), false) AS VARCHAR)",
                              name.data);
    } else {
      ap_buffer_append_string(sql, "'false'");
    }
  } else {
    ap_buffer_append_format(
        sql, ", NULL::VARCHAR, NULL::VARCHAR, CAST(count(*) - count(%s) AS VARCHAR), 'false'",
        name.data);
  }
  ap_buffer_deinit(&name);
}

static ap_status append_question(struct analyze_run *run, struct ap_buffer *sql, ap_error *err) {
  const struct ap_snapshot *snapshot = run->snapshot;
  ap_buffer_append_string(sql, "SELECT CAST(count(*) AS VARCHAR)");
  for (uint32_t i = 0; i < snapshot->schema.field_count; ++i) {
    append_facts(sql, &snapshot->schema.fields[i], !is_partition_column(snapshot, i));
  }
  ap_buffer_append_string(sql, " FROM ");
  ap_bind_append_name(sql, &run->frame->entry);
  return ap_buffer_check(sql, err);
}

static ap_status write_statistics(struct analyze_run *run, const struct ap_text *answers,
                                  struct ap_cell_draft *draft, ap_error *err) {
  const struct ap_schema *physical = &run->snapshot->physical;
  struct ap_statistics_text *columns =
      AP_ARENA_ARRAY(&run->arena, struct ap_statistics_text, physical->field_count + 1);
  struct ap_buffer json;
  if (columns == NULL) return AP_FAIL_MEMORY(err);
  if (!ap_text_parse_i64(answers[0], &draft->row_count)) {
    return AP_FAIL(err, AP_INTERNAL, "a count of rows is no number");
  }
  for (uint32_t i = 0; i < physical->field_count; ++i) {
    const struct ap_text *facts = &answers[1 + i * FACTS_PER_COLUMN];
    columns[i] = (struct ap_statistics_text){.min = facts[0], .max = facts[1], .null_count = -1};
    if (facts[2].data != NULL) (void)ap_text_parse_i64(facts[2], &columns[i].null_count);
    columns[i].has_nan = ap_text_equal(facts[3], AP_TEXT("true"));
  }
  ap_buffer_init(&json, ap_node_env(run->node)->allocator);
  ap_statistics_append(&json, physical, draft->row_count, columns);
  ap_status status = ap_buffer_check(&json, err);
  if (status == AP_OK) {
    const char *copy = ap_arena_copy(&run->arena, ap_buffer_text(&json));
    draft->statistics_json = (struct ap_text){copy, json.size};
    if (copy == NULL) status = AP_FAIL_MEMORY(err);
  }
  ap_buffer_deinit(&json);
  return status;
}

static ap_status analyze_cell(struct analyze_run *run, struct ap_cell *cell, struct ap_text sql,
                              ap_error *err) {
  const struct ap_snapshot *snapshot = run->snapshot;
  struct ap_cell *const cells[] = {cell};
  const struct ap_bind_request bind = {.frame = run->frame,
                                       .snapshot = snapshot,
                                       .view_name = run->frame->entry.name,
                                       .cells = cells,
                                       .cell_count = 1};
  uint32_t count = 1 + snapshot->schema.field_count * FACTS_PER_COLUMN;
  struct ap_text *answers = AP_ARENA_ARRAY(&run->arena, struct ap_text, count);
  if (answers == NULL) return AP_FAIL_MEMORY(err);
  AP_TRY(ap_bind_cells(run->node, run->chamber, &bind, &run->arena, err));
  ap_status status = ap_chamber_evaluate(run->chamber, sql, NULL, 0, run->request->control,
                                         &run->arena, answers, count, err);
  if (status != AP_OK) return ap_error_prefix(err, status, "cell %.*s", AP_TEXT_ARG(cell->path));
  struct ap_cell_draft draft = {.again = cell,
                                .path = cell->path,
                                .size_bytes = cell->size_bytes,
                                .partition_count = cell->partition_count,
                                .partition_values = cell->partition_values,
                                .deletion_vector = cell->deletion_vector};
  AP_TRY(write_statistics(run, answers, &draft, err));
  if (ap_text_equal(draft.statistics_json, cell->statistics_json)) return AP_OK;
  run->cells[run->count] = cell;
  run->drafts[run->count++] = draft;
  return AP_OK;
}

static ap_status analyze_all(struct analyze_run *run, struct ap_analyze_outcome *outcome,
                             ap_error *err) {
  const struct ap_snapshot *snapshot = run->snapshot;
  struct ap_buffer sql;
  run->cells = AP_ARENA_ARRAY(&run->arena, struct ap_cell *, snapshot->cell_count + 1);
  run->drafts = AP_ARENA_ARRAY(&run->arena, struct ap_cell_draft, snapshot->cell_count + 1);
  run->count = 0;
  if (run->cells == NULL || run->drafts == NULL) return AP_FAIL_MEMORY(err);
  ap_buffer_init(&sql, ap_node_env(run->node)->allocator);
  ap_status status = append_question(run, &sql, err);
  for (uint32_t i = 0; status == AP_OK && i < snapshot->cell_count; ++i) {
    bool lacks = false;
    status = lacks_statistics(run, snapshot->cells[i], &lacks, err);
    if (status != AP_OK || !lacks) continue;
    outcome->cells_read += 1;
    status = analyze_cell(run, snapshot->cells[i], ap_buffer_text(&sql), err);
  }
  ap_buffer_deinit(&sql);
  return status;
}

static ap_status commit(struct analyze_run *run, struct ap_analyze_outcome *outcome,
                        ap_error *err) {
  struct ap_commit_result result = {0};
  outcome->version = run->snapshot->version;
  outcome->cells_updated = run->count;
  if (run->count == 0) return AP_OK;
  const struct ap_commit commit = {.kind = AP_COMMIT_REWRITE,
                                   .base = run->snapshot,
                                   .removed_cells = run->cells,
                                   .removed_cell_count = run->count,
                                   .adds = run->drafts,
                                   .add_count = run->count,
                                   .same_rows = true,
                                   .restates = true,
                                   .operation = AP_TEXT("COMPUTE STATS"),
                                   .schema_id = run->snapshot->schema_id};
  AP_TRY(ap_ledger_commit(run->frame->ledger, &commit, &result, err));
  outcome->version = result.version;
  return AP_OK;
}

/* Look at the latest version; again when somebody rewrote what was looked at. */
static ap_status analyze(struct analyze_run *run, struct ap_analyze_outcome *outcome,
                         ap_error *err) {
  ap_status status = AP_OK;
  for (int attempt = 0; attempt < CONFLICTS_MAX; ++attempt) {
    ap_snapshot_release(run->snapshot);
    run->snapshot = NULL;
    ap_error_clear(err);
    AP_TRY(ap_frame_latest(run->frame, &run->snapshot, err));
    status = analyze_all(run, outcome, err);
    if (status == AP_OK) status = commit(run, outcome, err);
    if (status != AP_CONFLICT) break;
  }
  return status == AP_OK ? AP_OK : ap_frame_error(run->frame, status, err);
}

ap_status ap_analyze(struct ap_node *node, const struct ap_analyze_request *request,
                     struct ap_analyze_outcome *out_outcome, ap_error *err) {
  struct analyze_run run = {.node = node, .request = request};
  ap_error local = {0};
  if (err == NULL) err = &local;
  *out_outcome = (struct ap_analyze_outcome){0};
  ap_arena_init(&run.arena, ap_node_env(node)->allocator);
  ap_status status =
      ap_node_find_frame(node, request->hive, request->box, request->name, &run.frame, err);
  if (status == AP_OK) {
    status =
        ap_bee_acquire(node, request->account, AP_WORK_WRITE, request->control, &run.chamber, err);
  }
  if (status == AP_OK) status = analyze(&run, out_outcome, err);
  ap_chamber_release(run.chamber);
  ap_snapshot_release(run.snapshot);
  ap_node_release_frame(node, run.frame);
  ap_arena_deinit(&run.arena);
  return status;
}
