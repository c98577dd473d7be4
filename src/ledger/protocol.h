/* SPDX-License-Identifier: Apache-2.0
 *
 * Upgrades of the protocol: from what a table's metaData makes use of to the least versions and
 * features that say so. Legacy versions are kept where they are enough; from there to table
 * features everything the legacy version implied stays supported. Never a downgrade. Pure
 * functions.
 */
#ifndef AP_LEDGER_PROTOCOL_H
#define AP_LEDGER_PROTOCOL_H

#include "ledger/table.h"

/* The protocol action's value with all that metadata_json needs; empty when protocol_json has it
 * already. protocol_json empty: of a new table. Property delta.feature.<name> = supported asks for
 * that feature. AP_UNSUPPORTED: a feature nobody here can write. Arena memory. */
AP_MUST_CHECK ap_status ap_protocol_upgrade(struct ap_arena *arena, struct ap_text protocol_json,
                                            struct ap_text metadata_json,
                                            struct ap_text *out_protocol_json, ap_error *err);

#endif
