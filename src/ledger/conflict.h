/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a rewrite, prepared on one version, may land on a later one: Delta's rules for
 * serialisable writes, held against the two snapshots. What came and went between them is of no
 * account, because the statement's outcome on the later version does not depend on it. Thread:
 * none; reads snapshots.
 */
#ifndef AP_LEDGER_CONFLICT_H
#define AP_LEDGER_CONFLICT_H

#include "ledger/snapshot.h"

/* now: made from commit->base by the commits since, so that cells and tombstones tell whether they
 * changed data. AP_CONFLICT says which cell; errors of commit->reads are passed on. */
AP_MUST_CHECK ap_status ap_conflict_check(const struct ap_commit *commit,
                                          const struct ap_snapshot_full *now, struct ap_text prefix,
                                          ap_error *err);

#endif
