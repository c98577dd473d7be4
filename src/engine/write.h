/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing cells: the parts that know each other. Internal to this module.
 */
#ifndef AP_ENGINE_WRITE_H
#define AP_ENGINE_WRITE_H

#include "engine/source.h"

/* order[i] of a column that does not come: its default or its generated value is taken. */
#define AP_COLUMN_MISSING UINT32_MAX

/* Does the source fit the frame? order[i] becomes the source's column for field i (arena memory).
 * AP_SCHEMA_MISMATCH names everything that does not fit, AP_NULL_VIOLATION a column of nothing but
 * nulls where none may be. */
AP_MUST_CHECK ap_status ap_write_check(const struct ap_cell_target *target,
                                       const struct ap_schema *source, struct ap_arena *arena,
                                       uint32_t **out_order, ap_error *err);

/* Marks a statement's own failures, so that they are told from the engine's. */
#define AP_CHECK_MARK "apiary check: "

/* Rows that come for a target with rules. */
struct ap_ruled_rows {
  const struct ap_cell_target *target;
  const struct ap_schema *columns; /* of what comes */
  const uint32_t *order;           /* field i is column order[i] of it */
  const uint32_t *place;           /* and is called c<place[i]> in FROM */
  bool is_query;
};
/* Whether a column may be left out. rules may be NULL. */
bool ap_write_has_default(const struct ap_cell_rules *rules, uint32_t field);
/* The rows with all columns of the frame by their names, as a subquery called ap_row; from: " FROM
 * .." that gives the columns c<n>. */
void ap_write_append_ruled(struct ap_buffer *out, const struct ap_ruled_rows *rows,
                           struct ap_text from);
/* " WHERE .." that fails for a row that violates a rule; nothing when there is none. */
void ap_write_append_checks(struct ap_buffer *out, const struct ap_ruled_rows *rows);
/* What a column that would lose nanoseconds fails with. */
void ap_write_append_loss(struct ap_buffer *out, const struct ap_cell_target *target,
                          uint32_t field);

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
