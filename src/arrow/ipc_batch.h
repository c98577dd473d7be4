/* SPDX-License-Identifier: Apache-2.0
 *
 * IPC's record batches to Arrow arrays, without copying where the bytes allow it. Internal to
 * arrow/.
 */
#ifndef AP_ARROW_IPC_BATCH_H
#define AP_ARROW_IPC_BATCH_H

#include "arrow/array.h"
#include "arrow/flat.h"
#include "arrow/ipc_schema.h"

/* Bytes kept alive by every array that shows them; the count is atomic. */
struct ap_ipc_bytes;

/* Copies; the caller holds one reference. NULL when out of memory. */
struct ap_ipc_bytes *ap_ipc_bytes_create(struct ap_text bytes);
void ap_ipc_bytes_release(struct ap_ipc_bytes *bytes); /* NULL is allowed */
struct ap_text ap_ipc_bytes_text(const struct ap_ipc_bytes *bytes);

/* What a schema's dictionary-encoded field points to: the values that came last. */
struct ap_ipc_values {
  struct ap_ipc_dictionary dictionary;
  struct ap_array_shared *values; /* NULL until they came */
};

struct ap_ipc_batch {
  struct ap_flat_table table; /* of a RecordBatch */
  struct ap_ipc_bytes *bytes;
  struct ap_text body; /* within bytes */
  const struct ap_ipc_values *values;
  uint32_t value_count;
};

/* The columns of a batch under one struct. Sizes are checked against the body; what the buffers say
 * is not (ap_array_validate does that). AP_CORRUPT, AP_UNSUPPORTED. */
AP_MUST_CHECK ap_status ap_ipc_batch_read(const struct ap_ipc_batch *batch,
                                          const struct ArrowSchema *schema, struct ArrowArray *out,
                                          ap_error *err);
/* The one column of a dictionary batch, by the value type. */
AP_MUST_CHECK ap_status ap_ipc_batch_read_values(const struct ap_ipc_batch *batch,
                                                 const struct ArrowSchema *value_schema,
                                                 struct ArrowArray *out, ap_error *err);

#endif
