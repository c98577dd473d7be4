/* SPDX-License-Identifier: Apache-2.0
 *
 * The change data feed over a log's source. Internal to the ledger. Thread: pure functions over the
 * store.
 */
#ifndef AP_LEDGER_CHANGES_SOURCE_H
#define AP_LEDGER_CHANGES_SOURCE_H

#include "ledger/changes.h"
#include "ledger/load.h"

/* See ap_ledger_changes. timestamps: of the versions from..end->version. Whether the first of them
 * is part of a feed is for the caller to know. */
AP_MUST_CHECK ap_status ap_changes_read(const struct ap_log_source *source, struct ap_snapshot *end,
                                        int64_t from, const int64_t *timestamps,
                                        struct ap_arena *arena, struct ap_change_feed *out_feed,
                                        ap_error *err);

#endif
