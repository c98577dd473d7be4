/* SPDX-License-Identifier: Apache-2.0
 *
 * See staged.h.
 */
#include "execute/staged.h"

#include "base/assert.h"

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
