/* SPDX-License-Identifier: Apache-2.0
 *
 * The properties of tables that Delta knows ("delta.*"), what values they take, and which may be
 * set by hand. Others are the user's own and pass. Pure functions.
 */
#ifndef AP_LEDGER_PROPERTIES_H
#define AP_LEDGER_PROPERTIES_H

#include "ledger/ledger.h"

/* AP_INVALID_ARGUMENT: a delta property that nobody knows (the hint lists near ones), a value that
 * is none for it, or one that other statements keep (constraints, the column mapping's ids);
 * AP_UNSUPPORTED: one that asks for what this product does not write. */
AP_MUST_CHECK ap_status ap_property_check(const struct ap_property *property, ap_error *err);
/* The same for taking a property away. */
AP_MUST_CHECK ap_status ap_property_check_unset(struct ap_text name, ap_error *err);

#endif
