/* SPDX-License-Identifier: Apache-2.0
 *
 * Answering a query from the ledger alone: see plan/answer.h. For query.c only.
 */
#ifndef AP_EXECUTE_ANSWER_LEDGER_H
#define AP_EXECUTE_ANSWER_LEDGER_H

#include "execute/query_run.h"

/* Once cells are chosen: whether the ledger knows the answer. Then no cell is to be bound. */
AP_MUST_CHECK ap_status ap_answer_ledger_find(struct ap_query_run *run, ap_error *err);
/* Once the frame is bound without cells: the answer becomes what runs, with the names that the
 * engine gives the query's columns. */
AP_MUST_CHECK ap_status ap_answer_ledger_write(struct ap_query_run *run, ap_error *err);

#endif
