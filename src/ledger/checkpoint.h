/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints: the whole state of a table at a version, as Parquet.
 *
 * Read: classic, multi-part and v2 (uuid-named Parquet or JSON, with sidecars). Written: classic,
 * in the form every reader knows; statistics always as JSON text, which keeps what other forms
 * would round. Log clean-up follows a checkpoint. Thread: safe from any thread.
 */
#ifndef AP_LEDGER_CHECKPOINT_H
#define AP_LEDGER_CHECKPOINT_H

#include "ledger/load.h"

/* Replay a checkpoint into an empty replay. add_count: what _last_checkpoint says there are; -1:
 * nothing. AP_CORRUPT: it does not decode, contradicts its name or _last_checkpoint, or lacks
 * protocol or metaData. */
AP_MUST_CHECK ap_status ap_checkpoint_read(const struct ap_log_source *source,
                                           const struct ap_log_checkpoint *checkpoint,
                                           int64_t add_count, struct ap_replay *replay,
                                           ap_error *err);

/* Write the checkpoint of the snapshot's version and point _last_checkpoint at it. Fine when it is
 * there already. */
AP_MUST_CHECK ap_status ap_checkpoint_write(const struct ap_log_source *source,
                                            const struct ap_snapshot_full *snapshot, ap_error *err);

/* Remove the log entries that no kept version needs: older than delta.logRetentionDuration, and
 * before a checkpoint that stays. Nothing when delta.enableExpiredLogCleanup is false. */
AP_MUST_CHECK ap_status ap_checkpoint_clean_log(const struct ap_log_source *source,
                                                const struct ap_snapshot_full *snapshot,
                                                ap_error *err);

#endif
