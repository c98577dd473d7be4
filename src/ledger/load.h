/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading snapshots: from checkpoints and commits, or from an earlier snapshot and what came after.
 *
 * A broken or missing _last_checkpoint is made up for by a listing, a broken checkpoint by an older
 * one and the commits since; a gap in the versions or a line that does not parse is AP_CORRUPT
 * naming file and line. Thread: safe from any thread; nothing is kept here.
 */
#ifndef AP_LEDGER_LOAD_H
#define AP_LEDGER_LOAD_H

#include "ledger/log.h"
#include "ledger/replay.h"

/* Where a ledger lies and what it is read with. */
struct ap_log_source {
  const struct ap_env *env;
  struct ap_store *store;
  struct ap_codec *codec;
  struct ap_text prefix;
};

/* version -1: the latest. AP_NOT_FOUND: no ledger here, or not that version (the message names the
 * range). */
AP_MUST_CHECK ap_status ap_load_fresh(const struct ap_log_source *source, int64_t version,
                                      struct ap_snapshot_full **out_snapshot, ap_error *err);

/* base with all commits after it, read one by one until a version is missing; base itself,
 * retained, when there are none. *out_own_version: the version whose commitInfo.txnId is own_id,
 * else -1; own_id may be NULL. */
AP_MUST_CHECK ap_status ap_load_advance(const struct ap_log_source *source,
                                        struct ap_snapshot_full *base, const char *own_id,
                                        int64_t *out_own_version,
                                        struct ap_snapshot_full **out_snapshot, ap_error *err);

/* base followed by a commit whose bytes are at hand: what we have just written. */
AP_MUST_CHECK ap_status ap_load_apply(const struct ap_log_source *source,
                                      struct ap_snapshot_full *base, struct ap_text lines,
                                      struct ap_snapshot_full **out_snapshot, ap_error *err);

/* Whether the snapshot's last log entry is still the one it was read from; false: load afresh. */
AP_MUST_CHECK ap_status ap_load_is_current(const struct ap_log_source *source,
                                           const struct ap_snapshot_full *snapshot, bool *out_same,
                                           ap_error *err);

#endif
