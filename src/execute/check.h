/* SPDX-License-Identifier: Apache-2.0
 *
 * CHECK FRAME (propolis): read again what is stored, and say what is wrong.
 *
 * The log (all ways to the latest version), that every cell is there and of its size, deletion
 * vectors, and, unless quick, every row: that files can be read, hold as many rows as the ledger
 * says, keep within their statistics, and have no null where none may be. Changes nothing.
 */
#ifndef AP_EXECUTE_CHECK_H
#define AP_EXECUTE_CHECK_H

#include "execute/bees.h"

struct ap_check_request {
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  bool quick;                           /* read no rows */
  const struct ap_run_control *control; /* may be NULL */
  struct ap_bee_account *account;       /* in whose name; may be NULL */
  /* Told of each finding; another status than AP_OK stops. */
  ap_status (*visit)(void *context, struct ap_text object, struct ap_text finding, ap_error *err);
  void *context;
};

struct ap_check_outcome {
  int64_t version;
  int64_t cells;
  int64_t rows; /* read; of a quick check, as the ledger tells (-1: it does not) */
  int64_t bytes;
  int64_t findings;
};

AP_MUST_CHECK ap_status ap_check(struct ap_node *node, const struct ap_check_request *request,
                                 struct ap_check_outcome *out_outcome, ap_error *err);

#endif
