/* SPDX-License-Identifier: Apache-2.0
 *
 * IPC's schema message to an Arrow schema. Internal to arrow/.
 */
#ifndef AP_ARROW_IPC_SCHEMA_H
#define AP_ARROW_IPC_SCHEMA_H

#include "arrow/flat.h"

#include <nanoarrow/nanoarrow.h>

/* Which dictionary a field of the schema draws from. */
struct ap_ipc_dictionary {
  int64_t id;
  const struct ArrowSchema *field; /* within the schema; its `dictionary` is the value type */
};

/* `message` is a Schema table. *out is released by the caller; the dictionaries are in *out_list,
 * in the order of the fields, in `allocator`'s memory (NULL when there are none). */
AP_MUST_CHECK ap_status ap_ipc_schema_read(const struct ap_flat_table *message,
                                           struct ap_allocator *allocator, struct ArrowSchema *out,
                                           struct ap_ipc_dictionary **out_list, uint32_t *out_count,
                                           ap_error *err);

#endif
