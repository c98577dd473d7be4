/* SPDX-License-Identifier: Apache-2.0
 *
 * ANALYZE: statistics for cells that came without them.
 *
 * Cells that other engines wrote may have none, or fewer than pruning could use. Each such cell is
 * read, and one commit says them again with theirs; rows and files stay as they are. Cells with
 * deleted rows are passed over: OPTIMIZE writes them anew.
 */
#ifndef AP_EXECUTE_ANALYZE_H
#define AP_EXECUTE_ANALYZE_H

#include "execute/bees.h"

struct ap_analyze_request {
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  const struct ap_run_control *control; /* may be NULL */
  struct ap_bee_account *account;       /* in whose name; may be NULL */
};

struct ap_analyze_outcome {
  int64_t version; /* the latest one when there was nothing to do */
  int64_t cells_read;
  int64_t cells_updated;
};

AP_MUST_CHECK ap_status ap_analyze(struct ap_node *node, const struct ap_analyze_request *request,
                                   struct ap_analyze_outcome *out_outcome, ap_error *err);

#endif
