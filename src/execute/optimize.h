/* SPDX-License-Identifier: Apache-2.0
 *
 * OPTIMIZE: the same rows in fewer, fuller cells.
 *
 * Of each partition, cells well below leafcutter's target size and those with deleted rows are put
 * together into cells of about that size; with columns to order by, or `full`, all cells are. One
 * commit that changes no data, so that it goes well beside appends; groups whose cells somebody
 * else rewrote meanwhile are left out.
 */
#ifndef AP_EXECUTE_OPTIMIZE_H
#define AP_EXECUTE_OPTIMIZE_H

#include "execute/bees.h"

struct ap_optimize_request {
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  bool full;
  struct ap_text condition;       /* over partition columns; empty: all partitions */
  const struct ap_text *order_by; /* Z-order */
  uint32_t order_by_count;
  const struct ap_run_control *control; /* may be NULL */
  struct ap_bee_account *account;       /* in whose name; may be NULL */
};

struct ap_optimize_outcome {
  int64_t version; /* the latest one when there was nothing to do */
  int64_t cells_removed;
  int64_t cells_written;
  int64_t bytes_removed;
  int64_t bytes_written;
  int64_t rows_moved;
};

AP_MUST_CHECK ap_status ap_optimize(struct ap_node *node, const struct ap_optimize_request *request,
                                    struct ap_optimize_outcome *out_outcome, ap_error *err);

#endif
