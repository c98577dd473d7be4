/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers about the node and its frames: as JSON for the API, as rows for SHOW and DESCRIBE.
 */
#ifndef AP_EXECUTE_REPORT_H
#define AP_EXECUTE_REPORT_H

#include "arrow/rows.h"
#include "execute/node.h"

void ap_report_node(struct ap_node *node, struct ap_buffer *out);
void ap_report_bees(struct ap_node *node, struct ap_buffer *out);
void ap_report_swarm(struct ap_node *node, struct ap_buffer *out);
void ap_report_colony(struct ap_node *node, struct ap_buffer *out);

/* The JSON of ap_frame_describe (apiary/apiary.h). */
AP_MUST_CHECK ap_status ap_report_frame(struct ap_node *node, struct ap_text hive,
                                        struct ap_text box, struct ap_text name,
                                        struct ap_buffer *out, ap_error *err);

/* Rows property, value: schema, partition_by, cells, total_rows, total_bytes, version, location. */
AP_MUST_CHECK ap_status ap_answer_describe(struct ap_node *node, struct ap_text hive,
                                           struct ap_text box, struct ap_text name,
                                           struct ArrowArrayStream *out, ap_error *err);
AP_MUST_CHECK ap_status ap_answer_history(struct ap_node *node, struct ap_text hive,
                                          struct ap_text box, struct ap_text name, uint32_t limit,
                                          struct ArrowArrayStream *out, ap_error *err);
/* One column of names; like: an SQL pattern, empty for all. */
AP_MUST_CHECK ap_status ap_answer_names(const char *column, const struct ap_text *names,
                                        uint32_t count, struct ap_text like,
                                        struct ArrowArrayStream *out, ap_error *err);
/* One row, column "message". */
AP_MUST_CHECK ap_status ap_answer_message(struct ArrowArrayStream *out, ap_error *err,
                                          const char *format, ...) AP_PRINTF_LIKE(3, 4);

/* RFC 3339 with milliseconds, UTC. */
void ap_append_rfc3339(struct ap_buffer *out, int64_t ms);

#endif
