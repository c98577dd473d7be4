/* SPDX-License-Identifier: Apache-2.0
 *
 * EXPLAIN and EXPLAIN ANALYZE: what a query would read and do, or has read and done.
 *
 * The answer is one column "plan": a line of the tree in each row, or one row of JSON whose members
 * docs/sql.md lists. ANALYZE runs the query to its end and throws its rows away.
 */
#ifndef AP_EXECUTE_EXPLAIN_H
#define AP_EXECUTE_EXPLAIN_H

#include "execute/query.h"
#include "plan/statement.h"

struct ap_explain_request {
  struct ap_query_request query; /* text and body: the query that is explained */
  bool analyze;
  enum ap_explain_format format;
};

AP_MUST_CHECK ap_status ap_query_explain(struct ap_node *node,
                                         const struct ap_explain_request *request,
                                         struct ap_query_timing *out_timing,
                                         struct ArrowArrayStream *out_stream, ap_error *err);

#endif
