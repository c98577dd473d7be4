/* SPDX-License-Identifier: Apache-2.0
 *
 * What the engine says about a file that cannot be imported, in words about the file: the engine
 * shows the query that Apiary wrote, and gives advice on settings that imports do not have.
 */
#ifndef AP_EXECUTE_IMPORT_ERROR_H
#define AP_EXECUTE_IMPORT_ERROR_H

#include "base/status.h"
#include "base/text.h"

struct ap_import_target {
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  bool is_made; /* by this import: its columns were inferred */
};

/* Rewrite *err, which status goes with. The new status. err may be NULL. */
ap_status ap_import_explain(const struct ap_import_target *target, ap_status status, ap_error *err);

#endif
