/* SPDX-License-Identifier: Apache-2.0
 *
 * Commits: one put-if-absent of the next version's file, and what to do when somebody else was
 * first or the reply was lost. Thread: safe from any thread; the latest snapshot is kept by the
 * caller.
 */
#ifndef AP_LEDGER_COMMIT_H
#define AP_LEDGER_COMMIT_H

#include "ledger/load.h"

/* Write version 0. AP_ALREADY_EXISTS when there is a log. */
AP_MUST_CHECK ap_status ap_commit_create(const struct ap_log_source *source,
                                         const struct ap_table_definition *definition,
                                         ap_error *err);

/* Commit on top of base, which is the latest snapshot as far as the caller knows (REWRITE: made
 * from commit->base by the commits since, or commit->base itself). *out_snapshot: the snapshot that
 * holds the commit (the latest one when it was skipped), or NULL when the commit is there but could
 * not be read back: the next refresh will. */
AP_MUST_CHECK ap_status ap_commit_run(const struct ap_log_source *source,
                                      struct ap_snapshot_full *base, const struct ap_commit *commit,
                                      struct ap_commit_result *out_result,
                                      struct ap_snapshot_full **out_snapshot, ap_error *err);

/* The snapshot that a table of this definition in the place of base would be, without cells;
 * nothing is written. */
AP_MUST_CHECK ap_status ap_commit_plan_replacement(const struct ap_log_source *source,
                                                   struct ap_snapshot_full *base,
                                                   const struct ap_table_definition *definition,
                                                   struct ap_snapshot_full **out_snapshot,
                                                   ap_error *err);

/* The snapshot that the commit, a REWRITE, would make of its base; nothing is written. */
AP_MUST_CHECK ap_status ap_commit_preview(const struct ap_log_source *source,
                                          const struct ap_commit *commit,
                                          struct ap_snapshot_full **out_snapshot, ap_error *err);

#endif
