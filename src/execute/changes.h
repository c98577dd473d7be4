/* SPDX-License-Identifier: Apache-2.0
 *
 * SHOW CHANGES: the rows that versions of a frame inserted, deleted and updated (Delta's change
 * data feed), with _change_type, _commit_version and _commit_timestamp behind the frame's columns.
 */
#ifndef AP_EXECUTE_CHANGES_H
#define AP_EXECUTE_CHANGES_H

#include "execute/bees.h"

struct ap_changes_request {
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  int64_t from_version; /* -1: by time */
  int64_t to_version;   /* -1: by time, or the latest */
  struct ap_text from_time;
  struct ap_text to_time; /* empty: none */
  const struct ap_run_control *control;
  struct ap_bee_account *account; /* in whose name; may be NULL */
};

/* In the order of versions. The columns are those of the last version. */
AP_MUST_CHECK ap_status ap_changes(struct ap_node *node, const struct ap_changes_request *request,
                                   struct ArrowArrayStream *out, ap_error *err);

#endif
