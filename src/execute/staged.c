/* SPDX-License-Identifier: Apache-2.0
 *
 * See staged.h.
 */
#include "execute/staged.h"

#include "base/assert.h"
#include "execute/rules.h"

const char *ap_frame_full_name(const struct ap_frame *frame, struct ap_arena *arena) {
  const struct ap_frame_entry *entry = &frame->entry;
  return ap_arena_format(arena, "%s.%s.%s", entry->hive.data, entry->box.data, entry->name.data);
}

ap_status ap_staged_write(struct ap_node *node, struct ap_chamber *chamber, const char *frame,
                          const struct ap_snapshot *snapshot, const struct ap_cell_source *source,
                          const struct ap_run_control *control, struct ap_staged *staged,
                          struct ap_arena *arena, ap_error *err) {
  struct ap_node_facts facts;
  struct ap_buffer staging;
  AP_ASSERT(staged->count == 0);
  ap_node_get_facts(node, &facts);
  ap_buffer_init(&staging, ap_node_env(node)->allocator);
  ap_status status = ap_store_staging_path(ap_node_store(node), &staging, err);
  if (status == AP_OK) status = ap_buffer_check(&staging, err);
  const struct ap_cell_rules *rules = NULL;
  if (status == AP_OK) status = ap_rules_load(snapshot, arena, &rules, err);
  if (status == AP_OK) {
    const struct ap_cell_target target = {
        .frame = ap_text_of(frame),
        .schema = &snapshot->schema,
        .physical = &snapshot->physical,
        .partition_columns = snapshot->partition_columns,
        .partition_column_count = snapshot->partition_column_count,
        .staging_folder = staging.data,
        .target_bytes = facts.cell_target_bytes,
        .rules = rules,
    };
    status = ap_chamber_write_cells(chamber, source, &target, control, arena, &staged->drafts,
                                    &staged->count, err);
  }
  ap_buffer_deinit(&staging);
  return status;
}

ap_status ap_staged_upload(struct ap_node *node, const struct ap_frame *frame,
                           struct ap_staged *staged, struct ap_arena *arena, ap_error *err) {
  AP_ASSERT(staged->uploads == NULL);
  struct ap_store_upload *uploads =
      AP_ARENA_ARRAY(arena, struct ap_store_upload, staged->count + 1);
  if (uploads == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < staged->count; ++i) {
    char *key =
        ap_arena_format(arena, "%s/%s", frame->entry.location.data, staged->drafts[i].path.data);
    if (key == NULL) return AP_FAIL_MEMORY(err);
    uploads[i] = (struct ap_store_upload){staged->drafts[i].staged_path.data, ap_text_of(key)};
  }
  staged->uploads = uploads;
  if (staged->count == 0) return AP_OK;
  return ap_store_put_files(ap_node_store(node), uploads, staged->count, err);
}

void ap_staged_discard(struct ap_node *node, struct ap_staged *staged) {
  struct ap_files *files = ap_node_env(node)->files;
  for (uint32_t i = 0; i < staged->count; ++i) {
    if (staged->uploads != NULL) {
      (void)!ap_store_remove(ap_node_store(node), staged->uploads[i].key, NULL);
    }
    (void)!files->remove_file(files, staged->drafts[i].staged_path.data, NULL);
  }
  staged->count = 0;
}

int64_t ap_staged_row_count(const struct ap_staged *staged) {
  int64_t rows = 0;
  for (uint32_t i = 0; i < staged->count; ++i) rows += staged->drafts[i].row_count;
  return rows;
}

int64_t ap_staged_size_bytes(const struct ap_staged *staged) {
  int64_t bytes = 0;
  for (uint32_t i = 0; i < staged->count; ++i) bytes += staged->drafts[i].size_bytes;
  return bytes;
}
