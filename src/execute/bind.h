/* SPDX-License-Identifier: Apache-2.0
 *
 * From a frame at a version to a view in a chamber: cells, their deleted rows, where they lie.
 */
#ifndef AP_EXECUTE_BIND_H
#define AP_EXECUTE_BIND_H

#include "execute/node.h"

/* Bind some of a snapshot's cells (in its order) under the frame's hive and box and the given name.
 * The arena's memory is only used during the call. Errors name the frame. */
struct ap_bind_request {
  const struct ap_frame *frame;
  const struct ap_snapshot *snapshot;
  struct ap_text view_name;
  struct ap_cell *const *cells;
  uint32_t cell_count;
  const struct ap_native_part *parts; /* of decoded copies, read besides */
  uint32_t part_count;
  bool shows_places; /* see ap_frame_binding */
};
AP_MUST_CHECK ap_status ap_bind_cells(struct ap_node *node, struct ap_chamber *chamber,
                                      const struct ap_bind_request *request, struct ap_arena *arena,
                                      ap_error *err);

/* Append "hive"."box"."name": what SQL in the chamber calls the view that is bound under the
 * frame's own name. */
void ap_bind_append_name(struct ap_buffer *out, const struct ap_frame_entry *entry);

#endif
