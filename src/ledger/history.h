/* SPDX-License-Identifier: Apache-2.0
 *
 * History: what happened when. Times are those of the whole log, made strictly increasing from its
 * oldest entry on; with in-commit timestamps they are what the commits say.
 * Thread: safe from any thread.
 */
#ifndef AP_LEDGER_HISTORY_H
#define AP_LEDGER_HISTORY_H

#include "ledger/load.h"

/* The last version not after a time; AP_NOT_FOUND naming the earliest when all are. */
AP_MUST_CHECK ap_status ap_history_find_version(const struct ap_log_source *source,
                                                const struct ap_snapshot_full *latest,
                                                int64_t timestamp_ms, int64_t *out_version,
                                                ap_error *err);

/* See ap_ledger_history. */
AP_MUST_CHECK ap_status ap_history_visit_all(const struct ap_log_source *source,
                                             const struct ap_snapshot_full *latest, uint32_t limit,
                                             ap_history_visit visit, void *context, ap_error *err);

#endif
