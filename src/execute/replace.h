/* SPDX-License-Identifier: Apache-2.0
 *
 * CREATE OR REPLACE FRAME where the frame is there: one commit with another definition and other
 * cells. Name, folder, id and history stay; versions before are read as they were. Nobody sees the
 * frame missing, empty or half filled.
 */
#ifndef AP_EXECUTE_REPLACE_H
#define AP_EXECUTE_REPLACE_H

#include "execute/definition.h"

struct ap_replacement {
  const struct ap_frame_request *request;
  struct ap_frame *frame;
  struct ap_snapshot *base;    /* what is replaced */
  struct ap_snapshot *planned; /* what will be, without cells; see ap_ledger_plan_replacement */
  const struct ap_cell_draft *adds;
  uint32_t add_count;
  bool has_query; /* for the history: AS SELECT */
  bool reads_all; /* the rows come from what is replaced */
};

/* Fill in `planned` (the caller releases it). Memory of errors and names is the arena's. */
AP_MUST_CHECK ap_status ap_replacement_plan(struct ap_replacement *replacement,
                                            struct ap_arena *arena, ap_error *err);
/* AP_CONFLICT: the frame was altered meanwhile (or, with reads_all, changed): plan again. */
AP_MUST_CHECK ap_status ap_replacement_commit(const struct ap_replacement *replacement,
                                              struct ap_arena *arena, int64_t *out_version,
                                              ap_error *err);

/* Without rows, planned again after conflicts; AP_NOT_FOUND when there is no such frame. */
AP_MUST_CHECK ap_status ap_frame_replace(struct ap_node *node,
                                         const struct ap_frame_request *request, ap_error *err);

#endif
