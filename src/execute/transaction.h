/* SPDX-License-Identifier: Apache-2.0
 *
 * A transaction of a session: BEGIN, statements, COMMIT. It reads each frame as it was when it
 * first read it, and changes one frame, in one version. Cells that its statements write are objects
 * at once, which no ledger knows until COMMIT; its own statements see them through a snapshot made
 * of the commit to come. Whatever ends it otherwise removes them. Thread: the session's.
 */
#ifndef AP_EXECUTE_TRANSACTION_H
#define AP_EXECUTE_TRANSACTION_H

#include "execute/change.h"

struct ap_transaction {
  struct ap_node *node;
  struct ap_arena arena;
  struct ap_pinned pinned[AP_TRANSACTION_FRAMES_MAX];
  struct ap_pins pins;      /* of all frames read; the changed one's snapshot holds the changes */
  struct ap_frame *frame;   /* the one that is changed; NULL: none yet */
  struct ap_snapshot *base; /* of it, as nobody in the transaction has changed it */
  bool *removed;            /* by cell of base */
  struct ap_cell_draft *drafts;
  uint32_t draft_count;
  uint32_t draft_room;
  struct ap_text *keys; /* of all objects that were made */
  uint32_t key_count;
  uint32_t key_room;
  struct ap_cell **held; /* of its own snapshots: drafts say them again */
  uint32_t held_count;
  uint32_t held_room;
  struct ap_change_counts counts;
  bool broken; /* what is staged is not whole: only ROLLBACK helps */
};

/* What the session's transaction has pinned; NULL when there is none. */
struct ap_pins *ap_transaction_pins(const struct ap_sql_session *session);
/* Take a statement's cells, which are uploaded, over. */
AP_MUST_CHECK ap_status ap_transaction_stage(struct ap_transaction *transaction,
                                             struct ap_change *change, ap_error *err);
/* AP_UNSUPPORTED when the frame is not the one that the transaction changes already. */
AP_MUST_CHECK ap_status ap_transaction_check_frame(const struct ap_transaction *transaction,
                                                   const struct ap_frame *frame, ap_error *err);

#endif
