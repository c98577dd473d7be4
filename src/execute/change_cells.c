/* SPDX-License-Identifier: Apache-2.0
 *
 * See change.h: from the rows that a statement found to the cells that go and come.
 */
#include "execute/change.h"

#include "base/assert.h"
#include "plan/prune.h"

#include <inttypes.h>

/* ---- whole cells ----------------------------------------------------------------------------- */

/* Rows of a cell that are not deleted, by its own account; -1: it does not tell. */
static int64_t rows_of(const struct ap_change *change, struct ap_cell *cell) {
  const struct ap_snapshot *snapshot = change->snapshot;
  const struct ap_cell_statistics *statistics = NULL;
  struct ap_arena scratch;
  ap_arena_init(&scratch, ap_node_env(change->node)->allocator);
  int64_t rows = -1;
  if (ap_cell_statistics_get(cell, &scratch, &snapshot->schema, snapshot->schema_id,
                             snapshot->physical_names, &statistics, NULL) == AP_OK) {
    rows = statistics->row_count;
  }
  ap_arena_deinit(&scratch);
  if (rows < 0 || cell->deletion_vector.storage_type == 0) return rows;
  return rows >= cell->deletion_vector.cardinality ? rows - cell->deletion_vector.cardinality : -1;
}

ap_status ap_change_remove_all(struct ap_change *change, ap_error *err) {
  const struct ap_snapshot *snapshot = change->snapshot;
  change->removed = AP_ARENA_ARRAY(&change->arena, struct ap_cell *, snapshot->cell_count + 1);
  if (change->removed == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < snapshot->cell_count; ++i) change->removed[i] = snapshot->cells[i];
  change->removed_count = snapshot->cell_count;
  change->counts.deleted = snapshot->row_count;
  change->reads_all = true;
  return AP_OK;
}

/* ---- what was found -------------------------------------------------------------------------- */

static ap_status read_numbers(struct ap_change *change, const char *query, int64_t **out_numbers,
                              uint64_t *out_rows, ap_error *err) {
  return ap_chamber_numbers(ap_query_prepared_chamber(change->prepared), query,
                            change->run->request->control, &change->arena, out_numbers, out_rows,
                            err);
}

/* A row that several rows of the source would change each in its own way. */
static ap_status check_once(struct ap_change *change, ap_error *err) {
  int64_t *numbers = NULL;
  uint64_t rows = 0;
  bool is_merge = change->run->statement->kind == AP_STATEMENT_MERGE;
  if (!ap_change_has_action(change, AP_MERGE_UPDATE)) return AP_OK;
  if (!is_merge && change->spec->from.size == 0) return AP_OK;
  AP_TRY(read_numbers(change,
                      "SELECT count(*) FROM temp.main." AP_MATCHES_TABLE
                      " WHERE ap_row IS NOT NULL GROUP BY ap_file, ap_row HAVING count(*) > 1"
                      " LIMIT 1",
                      &numbers, &rows, err));
  if (rows == 0) return AP_OK;
  ap_status status =
      AP_FAIL(err, AP_INVALID_ARGUMENT,
              "%s of frame %s: %" PRId64 " rows of the source match one row of the frame",
              is_merge ? "MERGE" : "UPDATE", change->full_name, numbers[0]);
  ap_error_hint(err,
                "leave one row per match in the source: SELECT ... QUALIFY row_number() OVER "
                "(PARTITION BY key ORDER BY ...) = 1");
  return status;
}

/* Rows by clause; rows that go are counted once however often they were found. */
static ap_status count_rows(struct ap_change *change, ap_error *err) {
  int64_t *numbers = NULL;
  uint64_t rows = 0;
  bool once = change->run->statement->kind == AP_STATEMENT_MERGE &&
              !ap_change_has_action(change, AP_MERGE_UPDATE);
  AP_TRY(read_numbers(change,
                      once ? "SELECT ap_clause, count(*), count(DISTINCT (ap_file, ap_row)) FROM "
                             "temp.main." AP_MATCHES_TABLE " GROUP BY ap_clause"
                           : "SELECT ap_clause, count(*), count(*) FROM "
                             "temp.main." AP_MATCHES_TABLE " GROUP BY ap_clause",
                      &numbers, &rows, err));
  for (uint64_t i = 0; i < rows; ++i) {
    AP_ASSERT(numbers[3 * i] >= 0 && numbers[3 * i] < change->clause_count);
    switch (change->clauses[numbers[3 * i]].action) {
      case AP_MERGE_INSERT:
        change->counts.inserted += numbers[3 * i + 1];
        break;
      case AP_MERGE_UPDATE:
        change->counts.updated += numbers[3 * i + 1];
        break;
      case AP_MERGE_DELETE:
        change->counts.deleted += numbers[3 * i + 2];
        break;
      case AP_MERGE_NOTHING:
        break;
    }
  }
  return AP_OK;
}

void ap_change_append_changing(struct ap_buffer *out, const struct ap_change *change, bool updates,
                               bool deletes) {
  bool any = false;
  for (uint32_t i = 0; i < change->clause_count; ++i) {
    enum ap_merge_action action = change->clauses[i].action;
    if (!(updates && action == AP_MERGE_UPDATE) && !(deletes && action == AP_MERGE_DELETE)) {
      continue;
    }
    ap_buffer_append_format(out, any ? ", %u" : "ap_clause IN (%u", i);
    any = true;
  }
  ap_buffer_append_string(out, any ? ")" : "false");
}

/* The cells in which rows change: ap_file, rows that go, rows that go or change. */
static ap_status find_touched(struct ap_change *change, int64_t **out_numbers, uint64_t *out_count,
                              ap_error *err) {
  struct ap_buffer sql;
  ap_buffer_init(&sql, ap_node_env(change->node)->allocator);
  ap_buffer_append_string(&sql, "SELECT ap_file, count(DISTINCT ap_row) FILTER (WHERE ");
  ap_change_append_changing(&sql, change, false, true);
  ap_buffer_append_string(&sql, "), count(DISTINCT ap_row) FROM temp.main." AP_MATCHES_TABLE
                                " WHERE ap_row IS NOT NULL AND ");
  ap_change_append_changing(&sql, change, true, true);
  ap_buffer_append_string(&sql, " GROUP BY ap_file ORDER BY ap_file ASC");
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) status = read_numbers(change, sql.data, out_numbers, out_count, err);
  ap_buffer_deinit(&sql);
  return status;
}

/* ---- cells written again --------------------------------------------------------------------- */

static ap_status init_cells(struct ap_change *change, uint64_t capacity,
                            struct ap_change_cells *cells, ap_error *err) {
  cells->cells = AP_ARENA_ARRAY(&change->arena, struct ap_cell *, capacity + 1);
  cells->files = AP_ARENA_ARRAY(&change->arena, int64_t, capacity + 1);
  return cells->cells == NULL || cells->files == NULL ? AP_FAIL_MEMORY(err) : AP_OK;
}

static void add_cell(struct ap_change_cells *cells, const struct ap_change *change, int64_t file) {
  cells->files[cells->count] = file;
  cells->cells[cells->count++] = change->target->cells[file];
}

/* Cells of which every row goes are only taken away; where the frame has deletion vectors, so are
 * those of which every row goes or changes, once their changed rows are written elsewhere. */
static void plan_cell(struct ap_change *change, const int64_t *numbers,
                      struct ap_change_cells *emptied) {
  int64_t file = numbers[0];
  AP_ASSERT(file >= 0 && file < change->target->cell_count);
  struct ap_cell *cell = change->target->cells[file];
  bool marks = ap_snapshot_marks_rows(change->snapshot);
  int64_t rows = rows_of(change, cell);
  change->removed_files[change->removed_count] = file;
  change->removed[change->removed_count++] = cell;
  if (rows == numbers[1]) return;
  if (marks && rows == numbers[2]) {
    add_cell(emptied, change, file);
  } else if (marks && ap_change_may_mark(change, cell, rows, numbers[2])) {
    int64_t before = cell->deletion_vector.storage_type ? cell->deletion_vector.cardinality : 0;
    change->vector_rows += (uint64_t)(before + numbers[2]);
    add_cell(&change->marked, change, file);
  } else {
    if (rows > numbers[2]) change->counts.copied += rows - numbers[2];
    add_cell(&change->touched, change, file);
  }
}

static ap_status plan_rewrite(struct ap_change *change, ap_error *err) {
  int64_t *numbers = NULL;
  uint64_t count = 0;
  struct ap_change_cells emptied = {0};
  AP_TRY(find_touched(change, &numbers, &count, err));
  change->removed = AP_ARENA_ARRAY(&change->arena, struct ap_cell *, count + 1);
  change->removed_files = AP_ARENA_ARRAY(&change->arena, int64_t, count + 1);
  if (change->removed == NULL || change->removed_files == NULL) return AP_FAIL_MEMORY(err);
  AP_TRY(init_cells(change, count, &change->touched, err));
  AP_TRY(init_cells(change, count, &change->marked, err));
  AP_TRY(init_cells(change, count, &emptied, err));
  for (uint64_t i = 0; i < count; ++i) plan_cell(change, numbers + 3 * i, &emptied);
  change->vector_count = change->marked.count;
  for (uint32_t i = 0; i < emptied.count; ++i) {
    add_cell(&change->marked, change, emptied.files[i]);
  }
  return AP_OK;
}

ap_status ap_change_fill_list(struct ap_change *change, const char *table, const int64_t *files,
                              uint32_t count, ap_error *err) {
  struct ap_buffer sql;
  ap_buffer_init(&sql, ap_node_env(change->node)->allocator);
  ap_buffer_append_string(&sql, "SELECT unnest([");
  for (uint32_t i = 0; i < count; ++i) {
    ap_buffer_append_format(&sql, i > 0 ? ", %" PRId64 : "%" PRId64, files[i]);
  }
  ap_buffer_append_format(
      &sql, "]::INTEGER[]) AS ap_file, unnest(range(%u)::INTEGER[]) AS ap_place", count);
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) {
    status = ap_chamber_fill(ap_query_prepared_chamber(change->prepared), table,
                             ap_buffer_text(&sql), NULL, 0, change->run->request->control, err);
  }
  ap_buffer_deinit(&sql);
  return status;
}

static ap_status bind_list(struct ap_change *change, const char *mark,
                           const struct ap_change_cells *list, ap_error *err) {
  return ap_query_prepared_bind(change->prepared, change->target->resolved, mark, list->cells,
                                list->count, err);
}

static ap_status write_again(struct ap_change *change, ap_error *err) {
  struct ap_buffer sql;
  const struct ap_change_cells *touched = &change->touched;
  const struct ap_change_cells *marked = &change->marked;
  bool mapped = touched->count > 0 && touched->count < change->target->cell_count;
  bool moves = marked->count > 0 && change->counts.updated > 0;
  if (marked->count > 0) {
    AP_TRY(
        ap_change_fill_list(change, AP_LIST_TABLE(AP_MARKED), marked->files, marked->count, err));
    AP_TRY(ap_change_find_marks(change, err));
  }
  if (touched->count == 0 && change->counts.inserted == 0 && !moves) return AP_OK;
  if (mapped) {
    AP_TRY(ap_change_fill_list(change, AP_LIST_TABLE(AP_TOUCHED), touched->files, touched->count,
                               err));
  }
  if (touched->count > 0) AP_TRY(bind_list(change, AP_LIST_MARK(AP_TOUCHED), touched, err));
  if (moves) AP_TRY(bind_list(change, AP_LIST_MARK(AP_MARKED), marked, err));
  ap_buffer_init(&sql, ap_node_env(change->node)->allocator);
  ap_status status = ap_change_compose_rewrite(change, mapped, moves, &sql, err);
  if (status == AP_OK) {
    const struct ap_cell_source source = {.query = ap_buffer_text(&sql)};
    status = ap_staged_write(change->node, ap_query_prepared_chamber(change->prepared),
                             change->full_name, change->snapshot, &source,
                             change->run->request->control, &change->staged, &change->arena, err);
  }
  ap_buffer_deinit(&sql);
  return status;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void find_target(struct ap_change *change) {
  const struct ap_choices *choices = ap_query_prepared_choices(change->prepared);
  for (uint32_t i = 0; i < choices->count; ++i) {
    const struct ap_resolved *item = choices->items[i].resolved;
    if (item->is_target) {
      change->target = &choices->items[i];
    } else if (!item->is_past && ap_text_equal(item->frame->entry.id, change->frame->entry.id)) {
      change->reads_all = true; /* the frame in another role too: in a subquery, as the source */
    }
  }
  AP_ASSERT(change->target != NULL);
}

static ap_status find_rows(struct ap_change *change, ap_error *err) {
  uint32_t parameter_count = 0;
  const struct ap_parameter *parameters =
      ap_query_prepared_parameters(change->prepared, &parameter_count);
  ap_status status = ap_chamber_fill(ap_query_prepared_chamber(change->prepared), AP_MATCHES_TABLE,
                                     ap_query_prepared_text(change->prepared), parameters,
                                     parameter_count, change->run->request->control, err);
  status = ap_query_prepared_explain(change->prepared, status, err);
  return ap_change_explain(change, 1, status, err);
}

static ap_status change_found(struct ap_change *change, ap_error *err) {
  AP_TRY(find_rows(change, err));
  AP_TRY(check_once(change, err));
  AP_TRY(count_rows(change, err));
  AP_TRY(plan_rewrite(change, err));
  AP_TRY(write_again(change, err));
  return ap_change_write_feed(change, err);
}

ap_status ap_change_rows(struct ap_change *change, ap_error *err) {
  AP_TRY(ap_change_plan_clauses(change, err));
  AP_TRY(ap_change_compose_matches(change, err));
  AP_TRY(ap_change_prepare(change, ap_buffer_text(&change->composition.text), change->pins, err));
  find_target(change);
  /* Whoever inserts a key that a MERGE did not find changes what it would do. */
  if (change->run->statement->kind == AP_STATEMENT_MERGE) change->reads_all = true;
  change->reads_cells = true;
  ap_status status = change_found(change, err);
  struct ap_chamber *chamber = ap_query_prepared_chamber(change->prepared);
  ap_chamber_empty(chamber, AP_MATCHES_TABLE);
  ap_chamber_empty(chamber, AP_LIST_TABLE(AP_TOUCHED));
  ap_chamber_empty(chamber, AP_LIST_TABLE(AP_MARKED));
  ap_query_prepared_release_chamber(change->prepared);
  return status;
}
