/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines of commits, as every Delta reader expects them. Pure functions into a buffer.
 */
#ifndef AP_LEDGER_COMMIT_TEXT_H
#define AP_LEDGER_COMMIT_TEXT_H

#include "ledger/snapshot.h"

struct ap_commit_totals {
  uint64_t removed_count;
  uint64_t removed_bytes;
};

/* {"add":..} for each cell of the commit. AP_INVALID_ARGUMENT: a path or a partition value that
 * Delta cannot hold. */
AP_MUST_CHECK ap_status ap_commit_text_adds(struct ap_buffer *out,
                                            const struct ap_snapshot *snapshot,
                                            const struct ap_commit *commit, int64_t now_ms,
                                            ap_error *err);
/* {"remove":..} for each cell that goes. */
AP_MUST_CHECK ap_status ap_commit_text_removes(struct ap_buffer *out, struct ap_snapshot *snapshot,
                                               const struct ap_commit *commit, int64_t now_ms,
                                               struct ap_commit_totals *out_totals, ap_error *err);
/* {"txn":..}, when the commit has one. */
void ap_commit_text_txn(struct ap_buffer *out, const struct ap_commit *commit, int64_t now_ms);
/* {"<name>":<json>}, when there is json. */
void ap_commit_text_action(struct ap_buffer *out, const char *name, struct ap_text json);
/* {"commitInfo":..}; in_commit_timestamp -1: the table has none. */
void ap_commit_text_info(struct ap_buffer *out, const struct ap_snapshot *snapshot,
                         const struct ap_commit *commit, const struct ap_commit_totals *totals,
                         const char *txn_id, int64_t now_ms, int64_t in_commit_timestamp);
void ap_commit_text_create_info(struct ap_buffer *out, const struct ap_table_definition *definition,
                                const char *txn_id, int64_t now_ms);

#endif
