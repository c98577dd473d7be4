/* SPDX-License-Identifier: Apache-2.0
 *
 * SHOW COLUMNS, PARTITIONS and TBLPROPERTIES of a frame, from its ledger alone.
 * Thread: the session's.
 */
#include "arrow/rows.h"
#include "execute/statement_run.h"

#include <inttypes.h>
#include <stdio.h>

enum { COLUMNS_MAX = AP_PARTITION_COLUMNS_MAX + 3 };

static ap_status show_columns(struct ap_statement_run *run, const struct ap_snapshot *snapshot,
                              struct ArrowArrayStream *out, ap_error *err) {
  const struct ap_rows_column columns[] = {{"col_name", AP_ROWS_TEXT}};
  struct ap_rows rows = {0};
  (void)run;
  ap_status status = ap_rows_init(&rows, columns, 1, err);
  for (uint32_t i = 0; status == AP_OK && i < snapshot->schema.field_count; ++i) {
    ap_rows_text(&rows, snapshot->schema.fields[i].name);
  }
  if (status == AP_OK) status = ap_rows_finish(&rows, out, err);
  ap_rows_deinit(&rows);
  return status;
}

static ap_status show_properties(struct ap_statement_run *run, const struct ap_snapshot *snapshot,
                                 struct ArrowArrayStream *out, ap_error *err) {
  const struct ap_rows_column columns[] = {{"key", AP_ROWS_TEXT}, {"value", AP_ROWS_TEXT}};
  const struct ap_text wanted = run->statement->like;
  struct ap_rows rows = {0};
  ap_status status = ap_rows_init(&rows, columns, 2, err);
  for (uint32_t i = 0; status == AP_OK && i < snapshot->property_count; ++i) {
    const struct ap_property *property = &snapshot->properties[i];
    if (wanted.size > 0 && !ap_text_equal(wanted, property->name)) continue;
    ap_rows_text(&rows, property->name);
    ap_rows_text(&rows, property->value);
  }
  if (status == AP_OK) status = ap_rows_finish(&rows, out, err);
  ap_rows_deinit(&rows);
  return status;
}

/* ---- partitions ------------------------------------------------------------------------------ */

struct partition {
  const struct ap_cell *first; /* whose values all of them have */
  int64_t cells;
  int64_t bytes;
};

static bool has_values_of(const struct ap_cell *a, const struct ap_cell *b) {
  for (uint32_t i = 0; i < a->partition_count; ++i) {
    const struct ap_partition_value *x = &a->partition_values[i];
    const struct ap_partition_value *y = &b->partition_values[i];
    if (x->is_null != y->is_null || !ap_text_equal(x->text, y->text)) return false;
  }
  return true;
}

/* Cells stand in the order of their paths, so those of one partition stand together most often. */
static struct partition *find_partition(struct partition *partitions, uint32_t count,
                                        const struct ap_cell *cell) {
  for (uint32_t i = count; i > 0; --i) {
    if (has_values_of(partitions[i - 1].first, cell)) return &partitions[i - 1];
  }
  return NULL;
}

static ap_status gather(struct ap_statement_run *run, const struct ap_snapshot *snapshot,
                        struct partition **out_partitions, uint32_t *out_count, ap_error *err) {
  struct partition *partitions =
      AP_ARENA_ARRAY(run->arena, struct partition, snapshot->cell_count + 1);
  uint32_t count = 0;
  if (partitions == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < snapshot->cell_count; ++i) {
    const struct ap_cell *cell = snapshot->cells[i];
    struct partition *partition = find_partition(partitions, count, cell);
    if (partition == NULL) {
      partition = &partitions[count++];
      *partition = (struct partition){.first = cell};
    }
    partition->cells += 1;
    partition->bytes += cell->size_bytes;
  }
  *out_partitions = partitions;
  *out_count = count;
  return AP_OK;
}

static void add_partition(struct ap_rows *rows, const struct partition *partition) {
  for (uint32_t i = 0; i < partition->first->partition_count; ++i) {
    const struct ap_partition_value *value = &partition->first->partition_values[i];
    if (value->is_null) {
      ap_rows_null(rows);
    } else {
      ap_rows_text(rows, value->text);
    }
  }
  ap_rows_i64(rows, partition->cells);
  ap_rows_i64(rows, partition->bytes);
}

static ap_status show_partitions(struct ap_statement_run *run, const struct ap_snapshot *snapshot,
                                 struct ArrowArrayStream *out, ap_error *err) {
  struct ap_rows_column columns[COLUMNS_MAX];
  struct partition *partitions = NULL;
  struct ap_rows rows = {0};
  uint32_t count = 0;
  uint32_t column_count = snapshot->partition_column_count;
  if (column_count == 0) {
    ap_status status =
        AP_FAIL(err, AP_INVALID_ARGUMENT, "frame %.*s has no partitions",
                AP_TEXT_ARG(run->statement->name.parts[run->statement->name.count - 1]));
    ap_error_hint(err, "CREATE FRAME f (..) PARTITIONED BY (column)");
    return status;
  }
  for (uint32_t i = 0; i < column_count; ++i) {
    const struct ap_field *field = &snapshot->schema.fields[snapshot->partition_columns[i]];
    columns[i] = (struct ap_rows_column){field->name.data, AP_ROWS_TEXT};
  }
  columns[column_count] = (struct ap_rows_column){"cells", AP_ROWS_I64};
  columns[column_count + 1] = (struct ap_rows_column){"bytes", AP_ROWS_I64};
  AP_TRY(gather(run, snapshot, &partitions, &count, err));
  ap_status status = ap_rows_init(&rows, columns, column_count + 2, err);
  for (uint32_t i = 0; status == AP_OK && i < count; ++i) add_partition(&rows, &partitions[i]);
  if (status == AP_OK) status = ap_rows_finish(&rows, out, err);
  ap_rows_deinit(&rows);
  return status;
}

ap_status ap_run_show_of(struct ap_statement_run *run, struct ArrowArrayStream *out,
                         ap_error *err) {
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  struct ap_frame *frame = NULL;
  struct ap_snapshot *snapshot = NULL;
  AP_TRY(ap_run_frame_name(run, &hive, &box, &name, err));
  AP_TRY(ap_node_find_frame(run->session->node, hive, box, name, &frame, err));
  ap_status status = ap_frame_latest(frame, &snapshot, err);
  if (status == AP_OK && run->statement->kind == AP_STATEMENT_SHOW_COLUMNS) {
    status = show_columns(run, snapshot, out, err);
  } else if (status == AP_OK && run->statement->kind == AP_STATEMENT_SHOW_PARTITIONS) {
    status = show_partitions(run, snapshot, out, err);
  } else if (status == AP_OK) {
    status = show_properties(run, snapshot, out, err);
  }
  ap_snapshot_release(snapshot);
  ap_node_release_frame(run->session->node, frame);
  return status;
}
