/* SPDX-License-Identifier: Apache-2.0
 *
 * A session: what USE set, and the dispatch of statements. Belongs to one thread at a time, but for
 * interrupting.
 */
#ifndef AP_EXECUTE_SESSION_H
#define AP_EXECUTE_SESSION_H

#include "execute/query.h"

struct ap_sql_session;

AP_MUST_CHECK ap_status ap_sql_session_create(struct ap_node *node,
                                              struct ap_sql_session **out_session, ap_error *err);
void ap_sql_session_destroy(struct ap_sql_session *session);           /* NULL is allowed */
const char *ap_sql_session_hive(const struct ap_sql_session *session); /* "": none */
const char *ap_sql_session_box(const struct ap_sql_session *session);
bool ap_sql_session_in_transaction(const struct ap_sql_session *session);
struct ap_node *ap_sql_session_node(struct ap_sql_session *session);

struct ap_sql_request {
  struct ap_text sql;
  const struct ap_parameter *parameters; /* of the last statement */
  uint32_t parameter_count;
  const struct ap_run_control *control;
};

/* Every statement in order; the last one's result goes to out_stream. */
AP_MUST_CHECK ap_status ap_sql_run(struct ap_sql_session *session,
                                   const struct ap_sql_request *request,
                                   struct ap_query_timing *out_timing,
                                   struct ArrowArrayStream *out_stream, ap_error *err);

/* The rows of a single query go to a new file; "parquet", "csv", "json". */
AP_MUST_CHECK ap_status ap_sql_export(struct ap_sql_session *session,
                                      const struct ap_sql_request *request, const char *path,
                                      const char *format, int64_t *out_rows, ap_error *err);

#endif
