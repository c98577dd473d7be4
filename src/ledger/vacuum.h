/* SPDX-License-Identifier: Apache-2.0
 *
 * Vacuum: files of a frame's folder that no version within the retention needs.
 *
 * A file stays when the latest version has it (a cell, or a cell's deletion vector), when it was
 * removed within the retention, or when it is younger than the retention: somebody may be about to
 * commit it. Names that begin with '_' or '.' are not files of rows and stay, but for
 * _change_data/. Thread: safe from any thread; works on what it lists.
 */
#ifndef AP_LEDGER_VACUUM_H
#define AP_LEDGER_VACUUM_H

#include "ledger/load.h"

/* See ap_ledger_vacuum. */
AP_MUST_CHECK ap_status ap_vacuum_run(const struct ap_log_source *source,
                                      const struct ap_snapshot_full *latest,
                                      const struct ap_vacuum_options *options, ap_error *err);

#endif
