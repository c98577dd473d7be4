/* SPDX-License-Identifier: Apache-2.0
 *
 * See partition_condition.h.
 */
#include "execute/partition_condition.h"

#include "plan/condition.h"
#include "plan/prune.h"

ap_status ap_partition_condition_parse(struct ap_chamber *chamber, const struct ap_frame *frame,
                                       const char *what, struct ap_text text,
                                       struct ap_arena *arena,
                                       struct ap_partition_condition *out_condition,
                                       ap_error *err) {
  *out_condition = (struct ap_partition_condition){.text = text};
  if (text.size == 0) return AP_OK;
  struct ap_buffer sql;
  struct ap_buffer json;
  ap_buffer_init(&sql, arena->allocator);
  ap_buffer_init(&json, arena->allocator);
  ap_buffer_append_string(&sql, "SELECT * FROM ");
  ap_buffer_append_identifier(&sql, frame->entry.name);
  ap_buffer_append_string(&sql, " WHERE ");
  ap_status status = ap_condition_append(&sql, text, err);
  if (status == AP_OK) status = ap_chamber_parse(chamber, ap_buffer_text(&sql), &json, err);
  if (status == AP_OK) {
    status = ap_tree_parse(arena, ap_buffer_text(&json), &out_condition->tree, err);
  }
  if (status == AP_OK && out_condition->tree.reference_count != 1) {
    status = AP_FAIL(err, AP_UNSUPPORTED, "%s '%.*s' reads another table", what, AP_TEXT_ARG(text));
  }
  if (status != AP_OK) ap_error_prefix(err, status, "%s", what);
  ap_buffer_deinit(&sql);
  ap_buffer_deinit(&json);
  return status;
}

ap_status ap_partition_condition_match(const struct ap_partition_condition *condition,
                                       const struct ap_snapshot *snapshot, struct ap_cell *cell,
                                       struct ap_allocator *allocator, bool *out_matches,
                                       ap_error *err) {
  *out_matches = true;
  if (condition->text.size == 0) return AP_OK;
  struct ap_cell *const cells[] = {cell};
  const struct ap_prune_frame frame = {
      .schema = &snapshot->schema,
      .schema_id = snapshot->schema_id,
      .physical_names = snapshot->physical_names,
      .partition_columns = snapshot->partition_columns,
      .partition_column_count = snapshot->partition_column_count,
      .cells = cells,
      .cell_count = 1,
  };
  struct ap_arena scratch; /* one cell's evaluation; there may be many cells */
  ap_arena_init(&scratch, allocator);
  ap_status status = ap_prune_exact(&scratch, &condition->tree, &frame, out_matches, err);
  ap_arena_deinit(&scratch);
  return status;
}
