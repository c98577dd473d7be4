/* SPDX-License-Identifier: Apache-2.0
 *
 * Type widening: the changes of types that Delta allows, and what the schema remembers of them
 * (delta.typeChanges). Internal to the ledger.
 */
#ifndef AP_LEDGER_ALTER_TYPE_H
#define AP_LEDGER_ALTER_TYPE_H

#include "ledger/table_edit.h"

/* Give a column the wider type, in lists, maps and structs too. AP_SCHEMA_MISMATCH names the types
 * when the new one is no wider one. */
AP_MUST_CHECK ap_status ap_alter_set_type(struct ap_table_edit *edit,
                                          const struct ap_alter_column *column, ap_error *err);

/* Whether Delta allows a column of one primitive type ("short", "decimal(10,2)") to become another.
 */
bool ap_delta_type_widens(struct ap_text from, struct ap_text to);

/* AP_UNSUPPORTED when a column of the schema underwent a change that is none of these: then its
 * older cells cannot be read rightly. */
AP_MUST_CHECK ap_status ap_delta_type_changes_check(const struct ap_schema *schema, ap_error *err);

#endif
