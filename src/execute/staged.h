/* SPDX-License-Identifier: Apache-2.0
 *
 * Cells between the engine that wrote them and the ledger that will name them: files in the staging
 * folder, then objects that nobody knows. Whatever fails before a commit lets them go again.
 * Thread: its owner's.
 */
#ifndef AP_EXECUTE_STAGED_H
#define AP_EXECUTE_STAGED_H

#include "execute/node.h"

/* Zeroed memory holds no cells. Drafts are in the arena that they were written with. */
struct ap_staged {
  struct ap_cell_draft *drafts;
  uint32_t count;
  struct ap_store_upload *uploads; /* NULL until they are objects, or might be */
};

/* "hive.box.name"; NULL when out of memory. */
const char *ap_frame_full_name(const struct ap_frame *frame, struct ap_arena *arena);

/* Write the rows of a source as files of the frame of that full name, whose snapshot says how
 * (ap_chamber_write_cells). */
AP_MUST_CHECK ap_status ap_staged_write(struct ap_node *node, struct ap_chamber *chamber,
                                        const char *frame, const struct ap_snapshot *snapshot,
                                        const struct ap_cell_source *source,
                                        const struct ap_run_control *control,
                                        struct ap_staged *staged, struct ap_arena *arena,
                                        ap_error *err);
/* Make every draft a durable object of the frame. Once per staged. */
AP_MUST_CHECK ap_status ap_staged_upload(struct ap_node *node, const struct ap_frame *frame,
                                         struct ap_staged *staged, struct ap_arena *arena,
                                         ap_error *err);
/* Nobody knows the files and objects: let them go. What cannot be removed is garbage, no damage. */
void ap_staged_discard(struct ap_node *node, struct ap_staged *staged);

int64_t ap_staged_row_count(const struct ap_staged *staged);
int64_t ap_staged_size_bytes(const struct ap_staged *staged);

#endif
