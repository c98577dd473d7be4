/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing rows into a frame: rows -> cells (engine) -> objects (store) -> one commit (ledger). All
 * or nothing: whatever fails before the commit leaves nothing that a reader could see, and what was
 * uploaded is removed again.
 */
#ifndef AP_EXECUTE_WRITE_H
#define AP_EXECUTE_WRITE_H

#include "execute/bees.h"

struct ap_write_request {
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  struct ArrowArrayStream *stream; /* taken, on failure too; NULL: query */
  struct ap_text query;            /* of the engine, over files it reads itself */
  enum ap_commit_kind kind;
  struct ap_text replace_where; /* OVERWRITE: condition over partition columns; empty: all rows */
  struct ap_text app_id;
  int64_t app_version;
  struct ap_text user_metadata;
  const struct ap_run_control *control; /* may be NULL */
  struct ap_bee_account *account;       /* in whose name; may be NULL */
};

struct ap_write_outcome {
  int64_t version;
  int64_t cells_written;
  int64_t cells_removed;
  int64_t rows_written;
  int64_t bytes_written;
  int64_t duration_us;
  bool skipped;
};

AP_MUST_CHECK ap_status ap_write(struct ap_node *node, const struct ap_write_request *request,
                                 struct ap_write_outcome *out_outcome, ap_error *err);

#endif
