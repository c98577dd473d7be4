/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing cells: the parts that know each other. Internal to this module.
 */
#ifndef AP_ENGINE_WRITE_H
#define AP_ENGINE_WRITE_H

#include "engine/source.h"

/* Does the source fit the frame? order[i] becomes the source's column for field i (arena memory).
 * AP_SCHEMA_MISMATCH names everything that does not fit, AP_NULL_VIOLATION a column of nothing but
 * nulls where none may be. */
AP_MUST_CHECK ap_status ap_write_check(const struct ap_cell_target *target,
                                       const struct ap_schema *source, struct ap_arena *arena,
                                       uint32_t **out_order, ap_error *err);

/* ", FIELD_IDS {..}" for COPY's options; empty when no field has an id. Arena memory. */
AP_MUST_CHECK ap_status ap_write_field_ids(const struct ap_cell_target *target,
                                           struct ap_arena *arena, struct ap_text *out_option,
                                           ap_error *err);

/* Cells that the engine says it wrote: one draft per row of COPY's answer, statistics included.
 * staged_path is the path the engine wrote to. *inout_nulls (one per field, -1 where nobody counts)
 * grows by the nulls of each column. */
struct ap_written {
  struct ap_cell_draft *drafts;
  uint32_t count;
  uint32_t capacity;
  int64_t row_count;
  int64_t *nulls;
  const struct ap_source *source; /* knows which columns are free of NaN; NULL: nobody knows */
};

AP_MUST_CHECK ap_status ap_written_read(struct ap_chamber *chamber,
                                        const struct ap_cell_target *target, duckdb_result *result,
                                        struct ap_arena *arena, struct ap_written *written,
                                        ap_error *err);

#endif
