/* SPDX-License-Identifier: Apache-2.0
 *
 * See optimize.h. Groups are rewritten one after the other, so that memory and staging hold no more
 * than one; the commit comes last.
 */
#include "execute/optimize.h"

#include "base/assert.h"
#include "base/json.h"
#include "base/limits.h"
#include "execute/bind.h"
#include "execute/partition_condition.h"
#include "execute/staged.h"
#include "execute/zorder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  FULL_ENOUGH_PERCENT = 75, /* of the target: such a cell stays as it is */
  CONFLICTS_MAX = 10,
};

/* Cells that become one, or, ordered, a whole partition. */
struct group {
  struct ap_cell **cells;
  uint32_t count;
  struct ap_staged staged;
  bool lost; /* somebody else rewrote one of its cells */
};

struct optimize_run {
  struct ap_node *node;
  const struct ap_optimize_request *request;
  struct ap_arena arena;
  struct ap_frame *frame;
  struct ap_snapshot *read;     /* whose cells the groups hold */
  struct ap_snapshot *snapshot; /* on which the commit is tried */
  struct ap_chamber *chamber;
  struct ap_partition_condition condition;
  int64_t target_bytes;
  uint32_t *fields;       /* of order_by */
  struct ap_cell **cells; /* that the condition picks, partition by partition */
  uint32_t cell_count;
  struct group *groups;
  uint32_t group_count;
};

/* ---- what to rewrite ------------------------------------------------------------------------- */

static ap_status find_field(struct optimize_run *run, struct ap_text name, uint32_t *out_field,
                            ap_error *err) {
  const struct ap_snapshot *snapshot = run->snapshot;
  for (uint32_t i = 0; i < snapshot->schema.field_count; ++i) {
    const struct ap_field *field = &snapshot->schema.fields[i];
    if (!ap_text_equal_ignoring_case(field->name, name)) continue;
    for (uint32_t k = 0; k < snapshot->partition_column_count; ++k) {
      if (snapshot->partition_columns[k] != i) continue;
      return AP_FAIL(err, AP_INVALID_ARGUMENT,
                     "ZORDER BY %.*s: the frame is partitioned by that column, so its cells hold "
                     "one value of it each already",
                     AP_TEXT_ARG(name));
    }
    if (field->type.field_count > 0) {
      return AP_FAIL(err, AP_UNSUPPORTED, "ZORDER BY %.*s: a column of a nested type",
                     AP_TEXT_ARG(name));
    }
    *out_field = i;
    return AP_OK;
  }
  ap_status status =
      AP_FAIL(err, AP_NOT_FOUND, "ZORDER BY: there is no column '%.*s'", AP_TEXT_ARG(name));
  ap_error_hint(err, "DESCRIBE shows the frame's columns");
  return status;
}

static ap_status find_fields(struct optimize_run *run, ap_error *err) {
  uint32_t count = run->request->order_by_count;
  if (count > AP_ZORDER_COLUMNS_MAX) {
    return AP_FAIL(err, AP_UNSUPPORTED, "ZORDER BY of %u columns; at most %d are of use", count,
                   (int)AP_ZORDER_COLUMNS_MAX);
  }
  run->fields = AP_ARENA_ARRAY(&run->arena, uint32_t, count + 1);
  if (run->fields == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < count; ++i) {
    AP_TRY(find_field(run, run->request->order_by[i], &run->fields[i], err));
  }
  return AP_OK;
}

static int compare_partitions(const struct ap_cell *a, const struct ap_cell *b) {
  AP_ASSERT(a->partition_count == b->partition_count);
  for (uint32_t i = 0; i < a->partition_count; ++i) {
    const struct ap_partition_value *left = &a->partition_values[i];
    const struct ap_partition_value *right = &b->partition_values[i];
    if (left->is_null != right->is_null) return left->is_null ? 1 : -1;
    int order = left->is_null ? 0 : ap_text_compare(left->text, right->text);
    if (order != 0) return order;
  }
  return 0;
}

/* By partition, and within one the older rows first. */
static int compare_cells(const void *a, const void *b) {
  const struct ap_cell *left = *(struct ap_cell *const *)a;
  const struct ap_cell *right = *(struct ap_cell *const *)b;
  int order = compare_partitions(left, right);
  if (order != 0) return order;
  if (left->modified_ms != right->modified_ms) {
    return left->modified_ms < right->modified_ms ? -1 : 1;
  }
  return ap_text_compare(left->path, right->path);
}

static ap_status pick_cells(struct optimize_run *run, ap_error *err) {
  const struct ap_snapshot *snapshot = run->snapshot;
  struct ap_allocator *allocator = ap_node_env(run->node)->allocator;
  run->cells = AP_ARENA_ARRAY(&run->arena, struct ap_cell *, snapshot->cell_count + 1);
  if (run->cells == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < snapshot->cell_count; ++i) {
    bool matches = false;
    AP_TRY(ap_partition_condition_match(&run->condition, snapshot, snapshot->cells[i], allocator,
                                        &matches, err));
    if (matches) run->cells[run->cell_count++] = snapshot->cells[i];
  }
  if (run->cell_count > 0) {
    qsort(run->cells, run->cell_count, sizeof *run->cells, compare_cells);
  }
  return AP_OK;
}

static bool has_deleted_rows(const struct ap_cell *cell) {
  return cell->deletion_vector.storage_type != 0;
}

static bool is_candidate(const struct optimize_run *run, const struct ap_cell *cell) {
  return run->request->full || run->request->order_by_count > 0 || has_deleted_rows(cell) ||
         cell->size_bytes < run->target_bytes / 100 * FULL_ENOUGH_PERCENT;
}

/* Whether rewriting the cells gathered brings anything. */
static bool is_worth_it(const struct optimize_run *run, const struct group *group) {
  if (group->count > 1) return true;
  if (group->count == 0) return false;
  return run->request->full || run->request->order_by_count > 0 ||
         has_deleted_rows(group->cells[0]);
}

static void close_group(struct optimize_run *run, struct group *group) {
  if (is_worth_it(run, group)) run->groups[run->group_count++] = *group;
  *group = (struct group){.cells = group->cells + group->count};
}

/* Candidates of one partition, as they come, until the target is reached. */
static ap_status make_groups(struct optimize_run *run, ap_error *err) {
  bool ordered = run->request->order_by_count > 0;
  run->groups = AP_ARENA_ARRAY(&run->arena, struct group, run->cell_count + 1);
  struct ap_cell **gathered = AP_ARENA_ARRAY(&run->arena, struct ap_cell *, run->cell_count + 1);
  if (run->groups == NULL || gathered == NULL) return AP_FAIL_MEMORY(err);
  struct group group = {.cells = gathered};
  int64_t bytes = 0;
  for (uint32_t i = 0; i < run->cell_count; ++i) {
    struct ap_cell *cell = run->cells[i];
    if (!is_candidate(run, cell)) continue;
    bool other = group.count > 0 && compare_partitions(group.cells[0], cell) != 0;
    bool fills = !ordered && group.count > 0 && bytes + cell->size_bytes > run->target_bytes;
    if (other || fills) {
      close_group(run, &group);
      bytes = 0;
    }
    group.cells[group.count++] = cell;
    bytes += cell->size_bytes;
  }
  close_group(run, &group);
  return AP_OK;
}

/* ---- rewriting ------------------------------------------------------------------------------- */

/* The rows of the cells that are bound, as queries one after the other. */
static ap_status plan_queries(struct optimize_run *run, struct ap_zorder *out_queries,
                              ap_error *err) {
  struct ap_buffer view;
  struct ap_chamber_usage usage;
  ap_buffer_init(&view, ap_node_env(run->node)->allocator);
  ap_bind_append_name(&view, &run->frame->entry);
  ap_status status = ap_buffer_check(&view, err);
  ap_chamber_get_usage(run->chamber, &usage);
  if (status == AP_OK && run->request->order_by_count > 0) {
    const struct ap_zorder_request request = {.view = ap_buffer_text(&view),
                                              .schema = &run->snapshot->schema,
                                              .fields = run->fields,
                                              .field_count = run->request->order_by_count,
                                              .budget_bytes = usage.budget_bytes,
                                              .allocator = view.allocator,
                                              .control = run->request->control};
    status = ap_zorder_plan(run->chamber, &request, &run->arena, out_queries, err);
  } else if (status == AP_OK) {
    char *all = ap_arena_format(&run->arena, "SELECT * FROM %s", view.data);
    *out_queries = (struct ap_zorder){AP_ARENA_ARRAY(&run->arena, struct ap_text, 1), 1, 1};
    if (all == NULL || out_queries->queries == NULL) {
      status = AP_FAIL_MEMORY(err);
    } else {
      out_queries->queries[0] = ap_text_of(all);
    }
  }
  ap_buffer_deinit(&view);
  return status;
}

/* What a row of the frame takes, on average; 0: the ledger does not tell. */
static int64_t row_bytes(const struct ap_snapshot *snapshot) {
  return snapshot->row_count > 0 ? snapshot->size_bytes / snapshot->row_count + 1 : 0;
}

/* The drafts behind those that the group has. */
static ap_status add_drafts(struct optimize_run *run, struct group *group,
                            const struct ap_staged *more, ap_error *err) {
  struct ap_staged *staged = &group->staged;
  struct ap_cell_draft *all =
      AP_ARENA_ARRAY(&run->arena, struct ap_cell_draft, staged->count + more->count + 1);
  if (all == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < staged->count; ++i) all[i] = staged->drafts[i];
  for (uint32_t i = 0; i < more->count; ++i) all[staged->count + i] = more->drafts[i];
  staged->drafts = all;
  staged->count += more->count;
  return AP_OK;
}

static ap_status write_group(struct optimize_run *run, struct group *group, struct ap_text query,
                             ap_error *err) {
  const struct ap_snapshot *snapshot = run->snapshot;
  const struct ap_frame_entry *entry = &run->frame->entry;
  struct ap_buffer staging;
  ap_buffer_init(&staging, ap_node_env(run->node)->allocator);
  char *name =
      ap_arena_format(&run->arena, "%s.%s.%s", entry->hive.data, entry->box.data, entry->name.data);
  ap_status status = name == NULL ? AP_FAIL_MEMORY(err) : AP_OK;
  if (status == AP_OK) status = ap_store_staging_path(ap_node_store(run->node), &staging, err);
  if (status == AP_OK) status = ap_buffer_check(&staging, err);
  if (status == AP_OK) {
    const struct ap_cell_source source = {.query = query,
                                          .row_bytes = row_bytes(snapshot),
                                          .ordered = true,
                                          .partition = group->cells[0]->partition_values};
    const struct ap_cell_target target = {
        .frame = ap_text_of(name),
        .schema = &snapshot->schema,
        .physical = &snapshot->physical,
        .partition_columns = snapshot->partition_columns,
        .partition_column_count = snapshot->partition_column_count,
        .staging_folder = staging.data,
        .target_bytes = run->target_bytes,
    };
    struct ap_staged staged = {0};
    status = ap_chamber_write_cells(run->chamber, &source, &target, run->request->control,
                                    &run->arena, &staged.drafts, &staged.count, err);
    if (status == AP_OK) status = add_drafts(run, group, &staged, err);
    if (status != AP_OK) ap_staged_discard(run->node, &staged);
  }
  ap_buffer_deinit(&staging);
  return status;
}

static ap_status rewrite_group(struct optimize_run *run, struct group *group, ap_error *err) {
  struct ap_zorder queries = {0};
  const struct ap_bind_request bind = {.frame = run->frame,
                                       .snapshot = run->snapshot,
                                       .view_name = run->frame->entry.name,
                                       .cells = group->cells,
                                       .cell_count = group->count};
  AP_TRY(ap_bind_cells(run->node, run->chamber, &bind, &run->arena, err));
  AP_TRY(plan_queries(run, &queries, err));
  for (uint32_t i = 0; i < queries.query_count; ++i) {
    AP_TRY(write_group(run, group, queries.queries[i], err));
  }
  return ap_staged_upload(run->node, run->frame, &group->staged, &run->arena, err);
}

/* ---- the commit ------------------------------------------------------------------------------ */

static bool same_deletions(const struct ap_cell *a, const struct ap_cell *b) {
  const struct ap_deletion_vector *left = &a->deletion_vector;
  const struct ap_deletion_vector *right = &b->deletion_vector;
  return left->storage_type == right->storage_type && left->offset == right->offset &&
         left->cardinality == right->cardinality &&
         ap_text_equal(left->path_or_inline, right->path_or_inline);
}

static int compare_path(const void *key, const void *item) {
  return ap_text_compare(*(const struct ap_text *)key, (*(struct ap_cell *const *)item)->path);
}

static struct ap_cell *find_cell(const struct ap_snapshot *snapshot, const struct ap_cell *wanted) {
  if (snapshot->cell_count == 0) return NULL;
  struct ap_cell *const *found = bsearch(&wanted->path, snapshot->cells, snapshot->cell_count,
                                         sizeof *snapshot->cells, compare_path);
  return found != NULL && same_deletions(*found, wanted) ? *found : NULL;
}

static int compare_paths(const void *a, const void *b) {
  return ap_text_compare((*(struct ap_cell *const *)a)->path, (*(struct ap_cell *const *)b)->path);
}

/* The cells that go, as cells of the snapshot and in its order; a group that has lost one stays
 * out. */
static ap_status gather_removed(struct optimize_run *run, struct ap_commit *commit, ap_error *err) {
  struct ap_cell **removed = AP_ARENA_ARRAY(&run->arena, struct ap_cell *, run->cell_count + 1);
  if (removed == NULL) return AP_FAIL_MEMORY(err);
  uint32_t count = 0;
  for (uint32_t i = 0; i < run->group_count; ++i) {
    struct group *group = &run->groups[i];
    uint32_t before = count;
    for (uint32_t k = 0; k < group->count && !group->lost; ++k) {
      struct ap_cell *cell = find_cell(run->snapshot, group->cells[k]);
      if (cell == NULL) group->lost = true;
      if (cell != NULL) removed[count++] = cell;
    }
    if (group->lost) count = before;
  }
  if (count > 0) qsort(removed, count, sizeof *removed, compare_paths);
  commit->removed_cells = removed;
  commit->removed_cell_count = count;
  return AP_OK;
}

static ap_status gather_adds(struct optimize_run *run, struct ap_commit *commit, ap_error *err) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < run->group_count; ++i) count += run->groups[i].staged.count;
  struct ap_cell_draft *adds = AP_ARENA_ARRAY(&run->arena, struct ap_cell_draft, count + 1);
  if (adds == NULL) return AP_FAIL_MEMORY(err);
  count = 0;
  for (uint32_t i = 0; i < run->group_count; ++i) {
    const struct group *group = &run->groups[i];
    if (group->lost) continue;
    for (uint32_t k = 0; k < group->staged.count; ++k) adds[count++] = group->staged.drafts[k];
  }
  commit->adds = adds;
  commit->add_count = count;
  return AP_OK;
}

static void count_outcome(const struct ap_commit *commit, struct ap_optimize_outcome *outcome) {
  *outcome = (struct ap_optimize_outcome){0};
  outcome->cells_removed = commit->removed_cell_count;
  outcome->cells_written = commit->add_count;
  for (uint32_t i = 0; i < commit->removed_cell_count; ++i) {
    outcome->bytes_removed += commit->removed_cells[i]->size_bytes;
  }
  for (uint32_t i = 0; i < commit->add_count; ++i) {
    outcome->bytes_written += commit->adds[i].size_bytes;
    outcome->rows_moved += commit->adds[i].row_count;
  }
}

static void member_number(struct ap_json_writer *writer, const char *name, int64_t number) {
  char text[24];
  (void)snprintf(text, sizeof text, "%" PRId64, number);
  ap_json_member_string(writer, name, ap_text_of(text));
}

/* The history in Spark's words. */
static void append_history(const struct optimize_run *run,
                           const struct ap_optimize_outcome *outcome, struct ap_buffer *parameters,
                           struct ap_buffer *metrics) {
  struct ap_json_writer writer;
  struct ap_json_writer inner;
  struct ap_buffer columns;
  ap_buffer_init(&columns, parameters->allocator);
  ap_json_writer_init(&inner, &columns);
  ap_json_begin_array(&inner);
  for (uint32_t i = 0; i < run->request->order_by_count; ++i) {
    ap_json_string(&inner, run->snapshot->schema.fields[run->fields[i]].name);
  }
  ap_json_end_array(&inner);
  ap_json_writer_init(&writer, parameters);
  ap_json_begin_object(&writer);
  ap_json_member_string(&writer, "predicate", run->request->condition);
  ap_json_member_string(&writer, "zOrderBy", ap_buffer_text(&columns));
  ap_json_member_string(&writer, "auto", AP_TEXT("false"));
  ap_json_end_object(&writer);
  parameters->failed |= columns.failed;
  ap_buffer_deinit(&columns);
  ap_json_writer_init(&writer, metrics);
  ap_json_begin_object(&writer);
  member_number(&writer, "numAddedFiles", outcome->cells_written);
  member_number(&writer, "numRemovedFiles", outcome->cells_removed);
  member_number(&writer, "numAddedBytes", outcome->bytes_written);
  member_number(&writer, "numRemovedBytes", outcome->bytes_removed);
  ap_json_end_object(&writer);
}

static ap_status try_commit(struct optimize_run *run, struct ap_optimize_outcome *outcome,
                            ap_error *err) {
  struct ap_buffer parameters;
  struct ap_buffer metrics;
  struct ap_commit_result result = {0};
  struct ap_commit commit = {.kind = AP_COMMIT_REWRITE,
                             .base = run->snapshot,
                             .same_rows = true,
                             .operation = AP_TEXT("OPTIMIZE"),
                             .schema_id = run->snapshot->schema_id};
  AP_TRY(gather_removed(run, &commit, err));
  AP_TRY(gather_adds(run, &commit, err));
  count_outcome(&commit, outcome);
  outcome->version = run->snapshot->version;
  if (commit.removed_cell_count == 0) return AP_OK;
  ap_buffer_init(&parameters, ap_node_env(run->node)->allocator);
  ap_buffer_init(&metrics, ap_node_env(run->node)->allocator);
  append_history(run, outcome, &parameters, &metrics);
  ap_status status = ap_buffer_check(&parameters, err);
  if (status == AP_OK) status = ap_buffer_check(&metrics, err);
  commit.operation_parameters_json = ap_buffer_text(&parameters);
  commit.operation_metrics_json = ap_buffer_text(&metrics);
  if (status == AP_OK) status = ap_ledger_commit(run->frame->ledger, &commit, &result, err);
  if (status == AP_OK) outcome->version = result.version;
  ap_buffer_deinit(&parameters);
  ap_buffer_deinit(&metrics);
  return status == AP_OK ? AP_OK : ap_frame_error(run->frame, status, err);
}

/* After a conflict: on the latest version, without the groups that lost cells. What was written for
 * another schema cannot land at all. */
static ap_status commit_rest(struct optimize_run *run, struct ap_optimize_outcome *outcome,
                             ap_error *err) {
  ap_status status = try_commit(run, outcome, err);
  for (int attempt = 0; status == AP_CONFLICT && attempt < CONFLICTS_MAX; ++attempt) {
    struct ap_snapshot *latest = NULL;
    ap_error local = {0};
    if (ap_frame_latest(run->frame, &latest, &local) != AP_OK) return status;
    bool altered = latest->schema_id != run->snapshot->schema_id ||
                   latest->physical_schema_id != run->snapshot->physical_schema_id;
    ap_snapshot_release(run->snapshot);
    run->snapshot = latest;
    if (altered) return status;
    ap_error_clear(err);
    status = try_commit(run, outcome, err);
  }
  return status;
}

static void discard(struct optimize_run *run, bool all) {
  for (uint32_t i = 0; i < run->group_count; ++i) {
    if (all || run->groups[i].lost) ap_staged_discard(run->node, &run->groups[i].staged);
  }
}

static ap_status prepare(struct optimize_run *run, ap_error *err) {
  const struct ap_optimize_request *request = run->request;
  struct ap_node_facts facts;
  ap_node_get_facts(run->node, &facts);
  run->target_bytes = facts.cell_target_bytes;
  AP_TRY(
      ap_node_find_frame(run->node, request->hive, request->box, request->name, &run->frame, err));
  AP_TRY(ap_frame_latest(run->frame, &run->snapshot, err));
  run->read = ap_snapshot_retain(run->snapshot);
  AP_TRY(ap_bee_acquire(run->node, request->account, AP_WORK_WRITE, request->control, &run->chamber,
                        err));
  AP_TRY(ap_partition_condition_parse(run->chamber, run->frame, "OPTIMIZE .. WHERE",
                                      request->condition, &run->arena, &run->condition, err));
  ap_status status = find_fields(run, err);
  if (status == AP_OK) status = pick_cells(run, err);
  if (status == AP_OK) status = make_groups(run, err);
  return status == AP_OK ? AP_OK : ap_frame_error(run->frame, status, err);
}

ap_status ap_optimize(struct ap_node *node, const struct ap_optimize_request *request,
                      struct ap_optimize_outcome *out_outcome, ap_error *err) {
  struct optimize_run run = {.node = node, .request = request};
  ap_error local = {0};
  if (err == NULL) err = &local;
  ap_arena_init(&run.arena, ap_node_env(node)->allocator);
  ap_status status = prepare(&run, err);
  for (uint32_t i = 0; status == AP_OK && i < run.group_count; ++i) {
    status = rewrite_group(&run, &run.groups[i], err);
  }
  ap_chamber_release(run.chamber);
  if (status == AP_OK) status = commit_rest(&run, out_outcome, err);
  if (status != AP_OUTCOME_UNKNOWN) discard(&run, status != AP_OK);
  ap_snapshot_release(run.snapshot);
  ap_snapshot_release(run.read);
  ap_node_release_frame(node, run.frame);
  ap_arena_deinit(&run.arena);
  return status;
}
