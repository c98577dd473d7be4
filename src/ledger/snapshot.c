/* SPDX-License-Identifier: Apache-2.0
 *
 * See snapshot.h.
 */
#include "ledger/snapshot.h"

#include "base/assert.h"
#include "ledger/features.h"

/* More rows than any Parquet file has: who tells of more tells nothing (and no sum overflows). */
#define CELL_ROWS_MAX ((int64_t)1 << 40)

/* A reference more; relaxed, because the giver holds one. */
static void retain(atomic_uint *count) {
  unsigned before = atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
  AP_ASSERT(before > 0);
}

/* True when it was the last one. acq_rel pairs with the other holders' releases, so that their
 * reads come before the free. */
static bool release(atomic_uint *count) {
  unsigned before = atomic_fetch_sub_explicit(count, 1, memory_order_acq_rel);
  AP_ASSERT(before > 0);
  return before == 1;
}

struct ap_marks *ap_marks_retain(struct ap_marks *marks) {
  if (marks) retain(&marks->reference_count);
  return marks;
}

void ap_marks_release(struct ap_marks *marks) {
  if (!marks || !release(&marks->reference_count)) return;
  ap_arena_deinit(&marks->arena);
  ap_free(marks->allocator, marks);
}

ap_status ap_snapshot_create(struct ap_allocator *allocator, struct ap_table *table,
                             struct ap_marks *marks, struct ap_tombstones *tombstones,
                             uint32_t cell_room, struct ap_snapshot_full **out, ap_error *err) {
  struct ap_snapshot_full *full = ap_allocate_zeroed(allocator, 1, sizeof(*full));
  if (!full) return AP_FAIL_MEMORY(err);
  struct ap_snapshot *shown = &full->shown;
  shown->cells = ap_allocate_zeroed(allocator, cell_room ? cell_room : 1, sizeof(*shown->cells));
  if (!shown->cells) {
    ap_free(allocator, full);
    return AP_FAIL_MEMORY(err);
  }
  full->allocator = allocator;
  atomic_init(&full->reference_count, 1);
  full->table = ap_table_retain(table);
  full->marks = ap_marks_retain(marks);
  full->tombstones = ap_tombstones_retain(tombstones);
  full->log_modified_ms = -1;
  full->log_size_bytes = -1;
  shown->created_ms = table->created_ms;
  shown->table_id = table->id;
  shown->name = table->name;
  shown->description = table->description;
  shown->schema = table->schema;
  shown->physical = table->physical;
  shown->schema_id = table->schema_id;
  shown->physical_schema_id = table->physical_schema_id;
  shown->physical_names = table->physical_names;
  shown->mapping = table->mapping;
  shown->partition_columns = table->partition_columns;
  shown->partition_column_count = table->partition_column_count;
  shown->properties = table->properties;
  shown->property_count = table->property_count;
  *out = full;
  return AP_OK;
}

struct ap_snapshot *ap_snapshot_retain(struct ap_snapshot *snapshot) {
  retain(&ap_snapshot_full_of(snapshot)->reference_count);
  return snapshot;
}

void ap_snapshot_release(struct ap_snapshot *snapshot) {
  if (!snapshot) return;
  struct ap_snapshot_full *full = ap_snapshot_full_of(snapshot);
  if (!release(&full->reference_count)) return;
  for (uint32_t i = 0; i < snapshot->cell_count; i++) ap_cell_release(snapshot->cells[i]);
  ap_free(full->allocator, snapshot->cells);
  ap_tombstones_release(full->tombstones);
  ap_marks_release(full->marks);
  ap_table_release(full->table);
  ap_free(full->allocator, full);
}

struct ap_text ap_snapshot_property(const struct ap_snapshot *snapshot, const char *name) {
  const struct ap_snapshot_full *full = (const struct ap_snapshot_full *)(const void *)snapshot;
  return ap_table_property(full->table, name);
}

bool ap_snapshot_marks_rows(const struct ap_snapshot *snapshot) {
  const struct ap_snapshot_full *full = (const struct ap_snapshot_full *)(const void *)snapshot;
  return ap_features_deletion_vectors(full->table);
}

int64_t ap_snapshot_app_version(const struct ap_snapshot *snapshot, struct ap_text app_id) {
  const struct ap_snapshot_full *full = (const struct ap_snapshot_full *)(const void *)snapshot;
  uint32_t low = 0;
  uint32_t high = full->marks ? full->marks->txn_count : 0;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    const struct ap_txn_action *txn = &full->marks->txns[middle];
    int order = ap_text_compare(txn->app_id, app_id);
    if (order == 0) return txn->version;
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return -1;
}

/* The number behind a leading "numRecords", as nearly all writers put it; -1: look closer. */
static int64_t leading_row_count(struct ap_text statistics) {
  static const struct ap_text start = {"{\"numRecords\":", 14};
  if (!ap_text_starts_with(statistics, start)) return -1;
  size_t end = start.size;
  while (end < statistics.size && statistics.data[end] >= '0' && statistics.data[end] <= '9') {
    end++;
  }
  if (end == statistics.size || (statistics.data[end] != ',' && statistics.data[end] != '}')) {
    return -1;
  }
  int64_t count = -1;
  struct ap_text digits = {statistics.data + start.size, end - start.size};
  return ap_text_parse_i64(digits, &count) ? count : -1;
}

ap_status ap_snapshot_cell_rows(const struct ap_cell *cell, struct ap_allocator *allocator,
                                int64_t *out_rows, ap_error *err) {
  int64_t count = leading_row_count(cell->statistics_json);
  if (count < 0 && cell->statistics_json.size > 0) {
    struct ap_arena arena;
    const struct ap_json *json = NULL;
    ap_arena_init(&arena, allocator);
    ap_status status = ap_json_parse(&arena, cell->statistics_json, &json, NULL);
    if (status != AP_OK || !ap_json_get_i64(json, "numRecords", -1, &count)) count = -1;
    ap_arena_deinit(&arena);
    if (status == AP_OUT_OF_MEMORY) return AP_FAIL_MEMORY(err);
  }
  int64_t deleted = cell->deletion_vector.storage_type ? cell->deletion_vector.cardinality : 0;
  bool told = count >= deleted && count <= CELL_ROWS_MAX;
  *out_rows = told ? count - deleted : -1;
  return AP_OK;
}
