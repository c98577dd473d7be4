/* SPDX-License-Identifier: Apache-2.0
 *
 * Verifying a log: all ways that lead to the latest version must lead to the same one.
 * Thread: safe from any thread; works on what it reads.
 */
#ifndef AP_LEDGER_VERIFY_H
#define AP_LEDGER_VERIFY_H

#include "ledger/load.h"

/* See ap_ledger_verify. known: what the ledger has; the versions compared are known's. */
AP_MUST_CHECK ap_status ap_verify_run(const struct ap_log_source *source,
                                      struct ap_snapshot_full *known, ap_verify_visit visit,
                                      void *context, struct ap_snapshot_full **out_found,
                                      ap_error *err);

#endif
