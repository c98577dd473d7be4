/* SPDX-License-Identifier: Apache-2.0
 *
 * See bind.h.
 */
#include "execute/bind.h"

static ap_status find_deleted_rows(const struct ap_bind_request *request, struct ap_arena *arena,
                                   struct ap_frame_binding *binding, ap_error *err) {
  const uint64_t **rows = NULL;
  uint64_t *counts = NULL;
  for (uint32_t i = 0; i < binding->cell_count; ++i) {
    const struct ap_cell *cell = binding->cells[i];
    if (cell->deletion_vector.storage_type == 0) continue;
    if (rows == NULL) {
      rows = AP_ARENA_ARRAY(arena, const uint64_t *, binding->cell_count);
      counts = AP_ARENA_ARRAY(arena, uint64_t, binding->cell_count);
      if (rows == NULL || counts == NULL) return AP_FAIL_MEMORY(err);
    }
    AP_TRY(ap_ledger_deleted_rows(request->frame->ledger, cell, arena, &rows[i], &counts[i], err));
  }
  binding->deleted_rows = rows;
  binding->deleted_row_counts = counts;
  return AP_OK;
}

ap_status ap_bind_cells(struct ap_node *node, struct ap_chamber *chamber,
                        const struct ap_bind_request *request, struct ap_arena *arena,
                        ap_error *err) {
  const struct ap_snapshot *snapshot = request->snapshot;
  const struct ap_frame_entry *entry = &request->frame->entry;
  struct ap_buffer folder;
  ap_buffer_init(&folder, ap_node_env(node)->allocator);
  struct ap_frame_binding binding = {
      .hive = entry->hive,
      .box = entry->box,
      .name = request->view_name,
      .schema = &snapshot->schema,
      .physical = &snapshot->physical,
      .schema_id = snapshot->schema_id,
      .physical_schema_id = snapshot->physical_schema_id,
      .map_by_id = snapshot->mapping == AP_MAPPING_ID,
      .partition_columns = snapshot->partition_columns,
      .partition_column_count = snapshot->partition_column_count,
      .cells = request->cells,
      .cell_count = request->cell_count,
      .parts = request->parts,
      .part_count = request->part_count,
      .shows_places = request->shows_places,
  };
  ap_status status = find_deleted_rows(request, arena, &binding, err);
  if (status == AP_OK) {
    status = ap_store_local_path(ap_node_store(node), entry->location, &folder, err);
  }
  binding.folder = ap_buffer_text(&folder);
  if (status == AP_OK) status = ap_chamber_bind_frame(chamber, &binding, err);
  if (status != AP_OK) status = ap_frame_error(request->frame, status, err);
  ap_buffer_deinit(&folder);
  return status;
}

void ap_bind_append_name(struct ap_buffer *out, const struct ap_frame_entry *entry) {
  ap_buffer_append_identifier(out, entry->hive);
  ap_buffer_append_string(out, ".");
  ap_buffer_append_identifier(out, entry->box);
  ap_buffer_append_string(out, ".");
  ap_buffer_append_identifier(out, entry->name);
}
