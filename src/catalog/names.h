/* SPDX-License-Identifier: Apache-2.0
 *
 * Names: the rules, safe printing, and the folder that a frame gets. Module-internal but for
 * ap_catalog_check_name, which catalog.h declares. Pure functions.
 */
#ifndef AP_CATALOG_NAMES_H
#define AP_CATALOG_NAMES_H

#include "base/limits.h"
#include "catalog/catalog.h"

/* A name fit for a message whatever its bytes are. */
struct ap_catalog_shown {
  char text[AP_NAME_BYTES_MAX + 8];
};
struct ap_catalog_shown ap_catalog_show(struct ap_text name);

/* "warehouse/sales/orders" with bytes outside [A-Za-z0-9._-] as ~20 and long parts cut; with a
 * suffix "-<suffix>" when that is not empty. */
void ap_catalog_location_append(struct ap_buffer *out, struct ap_text hive, struct ap_text box,
                                struct ap_text frame, struct ap_text suffix);

/* Properties: names of 1..AP_PROPERTY_NAME_BYTES_MAX bytes, values up to
 * AP_PROPERTY_VALUE_BYTES_MAX, both UTF-8. AP_INVALID_ARGUMENT says which rule. */
AP_MUST_CHECK ap_status ap_catalog_check_property(struct ap_text name, struct ap_text value,
                                                  ap_error *err);

#endif
