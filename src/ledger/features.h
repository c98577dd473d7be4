/* SPDX-License-Identifier: Apache-2.0
 *
 * Which tables may be read and written: protocol versions and table features.
 *
 * Read: reader versions 1-3 with columnMapping, deletionVectors, timestampNtz, typeWidening,
 * v2Checkpoint, vacuumProtocolCheck.
 * Written: writer versions 1-7 with these and allowColumnDefaults, appendOnly, changeDataFeed,
 * checkConstraints, domainMetadata (preserved), generatedColumns, inCommitTimestamp, invariants;
 * and identityColumns as long as no column is one. Whoever writes rows keeps the rules they stand
 * for (execute/rules.h). Anything else is refused by name.
 * Thread: none; pure functions.
 */
#ifndef AP_LEDGER_FEATURES_H
#define AP_LEDGER_FEATURES_H

#include "ledger/table.h"

/* AP_UNSUPPORTED naming the version or the feature. */
AP_MUST_CHECK ap_status ap_features_check_read(const struct ap_table *table, ap_error *err);
AP_MUST_CHECK ap_status ap_features_check_write(const struct ap_table *table, ap_error *err);

/* Reader version 2, or 3 with the feature. */
bool ap_features_has_column_mapping(const struct ap_protocol *protocol);
/* The writer feature is listed and the property is set. */
bool ap_features_in_commit_timestamps(const struct ap_table *table);
/* delta.enableDeletionVectors is set and readers and writers must know the feature. */
bool ap_features_deletion_vectors(const struct ap_table *table);
/* delta.appendOnly is set and the protocol supports it. */
bool ap_features_append_only(const struct ap_table *table);

#endif
