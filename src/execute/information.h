/* SPDX-License-Identifier: Apache-2.0
 *
 * information_schema: queries that answer from the catalog and the ledgers what the engine, which
 * knows only what it has bound, would answer wrongly.
 */
#ifndef AP_EXECUTE_INFORMATION_H
#define AP_EXECUTE_INFORMATION_H

#include "execute/node.h"

/* Append a query whose rows are those of information_schema.<name> of one hive (empty: of all) and
 * whose columns have its names. Its text holds the rows. Arena memory is used. AP_UNSUPPORTED when
 * there is no such view. */
AP_MUST_CHECK ap_status ap_information_append(struct ap_node *node, struct ap_text name,
                                              struct ap_text hive, struct ap_arena *arena,
                                              struct ap_buffer *sql, ap_error *err);

#endif
