/* SPDX-License-Identifier: Apache-2.0
 *
 * RESTORE: a frame as it was, by one commit that takes out the cells that came since and puts back
 * those that went. Only files that are still there can come back, and only under the columns and
 * constraints that the frame has now. A concurrent change makes it a conflict.
 * Thread: the session's.
 */
#include "arrow/rows.h"
#include "execute/report.h"
#include "execute/resolve.h"
#include "execute/statement_run.h"

#include <inttypes.h>
#include <stdio.h>

struct restore_run {
  struct ap_statement_run *run;
  struct ap_frame *frame;
  struct ap_snapshot *latest;
  struct ap_snapshot *target;
  struct ap_cell **removed;
  struct ap_cell_draft *adds;
  uint32_t removed_count;
  uint32_t add_count;
  int64_t removed_bytes;
  int64_t added_bytes;
};

static ap_status take_snapshots(struct restore_run *restore, ap_error *err) {
  const struct ap_statement *statement = restore->run->statement;
  int64_t value = 0;
  ap_status status = AP_OK;
  AP_TRY(ap_frame_latest(restore->frame, &restore->latest, err));
  if (statement->is_version) {
    if (!ap_text_parse_i64(statement->value, &value)) {
      return AP_FAIL(err, AP_INVALID_ARGUMENT, "'%.*s' is no version",
                     AP_TEXT_ARG(statement->value));
    }
    status =
        ap_ledger_snapshot(restore->frame->ledger, AP_AT_VERSION, value, &restore->target, err);
  } else {
    AP_TRY(ap_parse_timestamp_ms(statement->value, &value, err));
    status =
        ap_ledger_snapshot(restore->frame->ledger, AP_AT_TIMESTAMP, value, &restore->target, err);
  }
  return status == AP_OK ? AP_OK : ap_frame_error(restore->frame, status, err);
}

/* Rules that rows of that time need not have met. */
static bool has_new_constraint(const struct ap_snapshot *latest, const struct ap_snapshot *target) {
  for (uint32_t i = 0; i < latest->property_count; ++i) {
    const struct ap_property *property = &latest->properties[i];
    if (!ap_text_starts_with(property->name, AP_TEXT("delta.constraints."))) continue;
    if (!ap_text_equal(ap_snapshot_property(target, property->name.data), property->value)) {
      return true;
    }
  }
  return false;
}

static bool has_new_text(const struct ap_field *now, const struct ap_field *then,
                         const char *name) {
  struct ap_text text = {0};
  struct ap_text before = {0};
  (void)ap_json_get_text(now->metadata, name, (struct ap_text){0}, &text);
  (void)ap_json_get_text(then->metadata, name, (struct ap_text){0}, &before);
  return text.size > 0 && !ap_text_equal(text, before);
}

/* As has_new_constraint, of what columns themselves demand: columns of one shape, one by one. */
static bool has_new_demand(const struct ap_field *now, const struct ap_field *then,
                           uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    if (!now[i].nullable && then[i].nullable) return true;
    if (has_new_text(&now[i], &then[i], "delta.invariants") ||
        has_new_text(&now[i], &then[i], "delta.generationExpression")) {
      return true;
    }
    /* As deep as the schema, which the ledger bounds. */
    if (has_new_demand(now[i].type.fields, then[i].type.fields, now[i].type.field_count)) {
      return true;
    }
  }
  return false;
}

static ap_status check_shape(const struct restore_run *restore, ap_error *err) {
  const struct ap_snapshot *latest = restore->latest;
  const struct ap_snapshot *target = restore->target;
  bool same = latest->schema_id == target->schema_id && latest->mapping == target->mapping &&
              latest->physical_schema_id == target->physical_schema_id &&
              latest->partition_column_count == target->partition_column_count;
  const char *what = !same ? "columns" : has_new_constraint(latest, target) ? "constraints" : NULL;
  if (what == NULL &&
      has_new_demand(latest->schema.fields, target->schema.fields, latest->schema.field_count)) {
    what = "rules of the columns";
  }
  if (what == NULL) return AP_OK;
  ap_status status = AP_FAIL(err, AP_UNSUPPORTED, "the %s have changed since version %" PRId64,
                             what, target->version);
  ap_error_hint(err, "read its rows: SELECT ... FROM f VERSION AS OF %" PRId64, target->version);
  return ap_frame_error(restore->frame, status, err);
}

static bool same_vector(const struct ap_deletion_vector *a, const struct ap_deletion_vector *b) {
  if (a->storage_type != b->storage_type) return false;
  return a->storage_type == 0 ||
         (ap_text_equal(a->path_or_inline, b->path_or_inline) && a->offset == b->offset);
}

/* VACUUM may have removed the file, or the one that says which of its rows are deleted. */
static ap_status check_there(const struct restore_run *restore, struct ap_cell *cell,
                             ap_error *err) {
  struct ap_store_object object;
  struct ap_buffer key;
  ap_buffer_init(&key, restore->run->arena->allocator);
  ap_buffer_append_text(&key, restore->frame->entry.location);
  ap_buffer_append_string(&key, "/");
  ap_buffer_append_text(&key, cell->path);
  ap_status status = ap_buffer_check(&key, err);
  if (status == AP_OK) {
    status = ap_store_head(ap_node_store(restore->run->session->node), ap_buffer_text(&key),
                           &object, err);
  }
  ap_buffer_deinit(&key);
  if (status == AP_OK && cell->deletion_vector.storage_type != 0) {
    const uint64_t *rows = NULL;
    uint64_t count = 0;
    status = ap_ledger_deleted_rows(restore->frame->ledger, cell, restore->run->arena, &rows,
                                    &count, err);
  }
  if (status != AP_NOT_FOUND) return status;
  status = AP_FAIL(err, AP_NOT_FOUND,
                   "version %" PRId64 " needs the file %.*s, which is no longer there",
                   restore->target->version, AP_TEXT_ARG(cell->path));
  ap_error_hint(err, "VACUUM removes what is older than the retention; choose a later version");
  return ap_frame_error(restore->frame, status, err);
}

static ap_status bring_back(struct restore_run *restore, struct ap_cell *cell, ap_error *err) {
  AP_TRY(check_there(restore, cell, err));
  restore->adds[restore->add_count++] = (struct ap_cell_draft){
      .again = cell,
      .path = cell->path,
      .size_bytes = cell->size_bytes,
      .partition_count = cell->partition_count,
      .partition_values = cell->partition_values,
      .deletion_vector = cell->deletion_vector,
  };
  restore->added_bytes += cell->size_bytes;
  return AP_OK;
}

static void take_out(struct restore_run *restore, struct ap_cell *cell) {
  restore->removed[restore->removed_count++] = cell;
  restore->removed_bytes += cell->size_bytes;
}

/* Both lists are in order of path. */
static ap_status compare(struct restore_run *restore, ap_error *err) {
  const struct ap_snapshot *latest = restore->latest;
  const struct ap_snapshot *target = restore->target;
  uint32_t i = 0;
  uint32_t k = 0;
  restore->removed =
      AP_ARENA_ARRAY(restore->run->arena, struct ap_cell *, (size_t)latest->cell_count + 1);
  restore->adds =
      AP_ARENA_ARRAY(restore->run->arena, struct ap_cell_draft, (size_t)target->cell_count + 1);
  if (restore->removed == NULL || restore->adds == NULL) return AP_FAIL_MEMORY(err);
  while (i < latest->cell_count || k < target->cell_count) {
    struct ap_cell *now = i < latest->cell_count ? latest->cells[i] : NULL;
    struct ap_cell *then = k < target->cell_count ? target->cells[k] : NULL;
    int order = now == NULL ? 1 : then == NULL ? -1 : ap_text_compare(now->path, then->path);
    bool same = order == 0 && same_vector(&now->deletion_vector, &then->deletion_vector);
    if (order <= 0) i += 1;
    if (order >= 0) k += 1;
    if (same) continue;
    if (order <= 0) take_out(restore, now);
    if (order >= 0) AP_TRY(bring_back(restore, then, err));
  }
  return AP_OK;
}

static void write_metrics(const struct restore_run *restore, struct ap_buffer *out) {
  const struct {
    const char *name;
    int64_t value;
  } metrics[] = {
      {"tableSizeAfterRestore", restore->target->size_bytes},
      {"numOfFilesAfterRestore", restore->target->cell_count},
      {"numRemovedFiles", restore->removed_count},
      {"numRestoredFiles", restore->add_count},
      {"removedFilesSize", restore->removed_bytes},
      {"restoredFilesSize", restore->added_bytes},
  };
  struct ap_json_writer writer;
  ap_json_writer_init(&writer, out);
  ap_json_begin_object(&writer);
  for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; ++i) {
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, metrics[i].value);
    ap_json_member_string(&writer, metrics[i].name, ap_text_of(text));
  }
  ap_json_end_object(&writer);
}

static ap_status commit(struct restore_run *restore, int64_t *out_version, ap_error *err) {
  const struct ap_statement *statement = restore->run->statement;
  struct ap_commit_result result = {0};
  struct ap_json_writer writer;
  struct ap_buffer parameters;
  struct ap_buffer metrics;
  *out_version = restore->latest->version;
  if (restore->removed_count == 0 && restore->add_count == 0) return AP_OK;
  ap_buffer_init(&parameters, restore->run->arena->allocator);
  ap_buffer_init(&metrics, restore->run->arena->allocator);
  ap_json_writer_init(&writer, &parameters);
  ap_json_begin_object(&writer);
  ap_json_member_string(&writer, statement->is_version ? "version" : "timestamp", statement->value);
  ap_json_end_object(&writer);
  write_metrics(restore, &metrics);
  ap_status status = ap_buffer_check(&parameters, err);
  if (status == AP_OK) status = ap_buffer_check(&metrics, err);
  if (status == AP_OK) {
    const struct ap_commit change = {
        .kind = AP_COMMIT_REWRITE,
        .base = restore->latest,
        .removed_cells = restore->removed,
        .removed_cell_count = restore->removed_count,
        .adds = restore->adds,
        .add_count = restore->add_count,
        .reads_all = true,
        .operation = AP_TEXT("RESTORE"),
        .operation_parameters_json = ap_buffer_text(&parameters),
        .operation_metrics_json = ap_buffer_text(&metrics),
        .schema_id = restore->latest->schema_id,
    };
    status = ap_ledger_commit(restore->frame->ledger, &change, &result, err);
    if (status != AP_OK) status = ap_frame_error(restore->frame, status, err);
  }
  ap_buffer_deinit(&parameters);
  ap_buffer_deinit(&metrics);
  if (status == AP_OK) *out_version = result.version;
  return status;
}

static ap_status answer(const struct restore_run *restore, int64_t version,
                        struct ArrowArrayStream *out, ap_error *err) {
  static const struct ap_rows_column columns[] = {
      {"version", AP_ROWS_I64},       {"restored_version", AP_ROWS_I64},
      {"cells_removed", AP_ROWS_I64}, {"cells_restored", AP_ROWS_I64},
      {"bytes_removed", AP_ROWS_I64}, {"bytes_restored", AP_ROWS_I64}};
  struct ap_rows rows = {0};
  AP_TRY(ap_rows_init(&rows, columns, 6, err));
  ap_rows_i64(&rows, version);
  ap_rows_i64(&rows, restore->target->version);
  ap_rows_i64(&rows, restore->removed_count);
  ap_rows_i64(&rows, restore->add_count);
  ap_rows_i64(&rows, restore->removed_bytes);
  ap_rows_i64(&rows, restore->added_bytes);
  ap_status status = ap_rows_finish(&rows, out, err);
  ap_rows_deinit(&rows);
  return status;
}

ap_status ap_run_restore(struct ap_statement_run *run, struct ArrowArrayStream *out,
                         ap_error *err) {
  struct restore_run restore = {.run = run};
  struct ap_node *node = run->session->node;
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  int64_t version = 0;
  AP_TRY(ap_run_frame_name(run, &hive, &box, &name, err));
  AP_TRY(ap_node_find_frame(node, hive, box, name, &restore.frame, err));
  ap_status status = take_snapshots(&restore, err);
  if (status == AP_OK) status = check_shape(&restore, err);
  if (status == AP_OK) status = compare(&restore, err);
  if (status == AP_OK) status = commit(&restore, &version, err);
  if (status == AP_OK) status = answer(&restore, version, out, err);
  ap_snapshot_release(restore.latest);
  ap_snapshot_release(restore.target);
  ap_node_release_frame(node, restore.frame);
  return status;
}
