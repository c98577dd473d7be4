/* SPDX-License-Identifier: Apache-2.0
 *
 * See zorder.h. The ranges are found by a tree of CASE expressions over constants, eight
 * comparisons a value, which the engine runs over whole vectors.
 */
#include "execute/zorder.h"

#include "base/assert.h"

enum {
  BITS = 8,
  BOUNDS = (1 << BITS) - 1,
  SAMPLE_ROWS = 65536,
};

static void append_quantiles(struct ap_buffer *out, const struct ap_schema *schema,
                             const uint32_t *fields, uint32_t field_count) {
  for (uint32_t i = 0; i < field_count; ++i) {
    ap_buffer_append_string(out, i > 0 ? ", quantile_disc(" : "quantile_disc(");
    ap_buffer_append_identifier(out, schema->fields[fields[i]].name);
    ap_buffer_append_string(out, ", [");
    for (int bound = 1; bound <= BOUNDS; ++bound) {
      ap_buffer_append_format(out, bound > 1 ? ", %d / %d.0" : "%d / %d.0", bound, BOUNDS + 1);
    }
    ap_buffer_append_format(out, "]) AS q%u", i);
  }
}

/* One row: the bounds of all columns as texts, one column after the other. */
static void append_question(struct ap_buffer *out, struct ap_text view,
                            const struct ap_schema *schema, const uint32_t *fields,
                            uint32_t field_count) {
  ap_buffer_append_string(out, "SELECT ");
  for (uint32_t i = 0; i < field_count; ++i) {
    for (int bound = 1; bound <= BOUNDS; ++bound) {
      ap_buffer_append_format(
          out, i > 0 || bound > 1 ? ", CAST(q%u[%d] AS VARCHAR)" : "CAST(q%u[%d] AS VARCHAR)", i,
          bound);
    }
  }
  ap_buffer_append_string(out, " FROM (SELECT ");
  append_quantiles(out, schema, fields, field_count);
  ap_buffer_append_string(out, " FROM (SELECT ");
  for (uint32_t i = 0; i < field_count; ++i) {
    if (i > 0) ap_buffer_append_string(out, ", ");
    ap_buffer_append_identifier(out, schema->fields[fields[i]].name);
  }
  ap_buffer_append_string(out, " FROM ");
  ap_buffer_append_text(out, view);
  ap_buffer_append_format(out, " USING SAMPLE reservoir(%d ROWS) REPEATABLE (1)))", SAMPLE_ROWS);
}

/* The number of the range of a value among bounds[low..high): equal bounds leave ranges empty. */
static void append_range(struct ap_buffer *out, const struct ap_field *field,
                         const struct ap_text *bounds, int low, int high) {
  if (low == high) {
    ap_buffer_append_format(out, "%d", low);
    return;
  }
  int middle = low + (high - low) / 2;
  ap_buffer_append_string(out, "CASE WHEN ");
  ap_buffer_append_identifier(out, field->name);
  ap_buffer_append_string(out, " < CAST(");
  ap_buffer_append_literal(out, bounds[middle]);
  ap_buffer_append_string(out, " AS ");
  ap_type_append_sql(out, &field->type);
  ap_buffer_append_string(out, ") THEN ");
  append_range(out, field, bounds, low, middle);
  ap_buffer_append_string(out, " ELSE ");
  append_range(out, field, bounds, middle + 1, high);
  ap_buffer_append_string(out, " END");
}

/* Bits of the column's range number, each at its place among those of the others. */
static void append_spread(struct ap_buffer *out, uint32_t column, uint32_t column_count) {
  for (uint32_t bit = 0; bit < BITS; ++bit) {
    uint32_t place = bit * column_count + (column_count - 1 - column);
    ap_buffer_append_format(out, bit > 0 ? " + " : "");
    ap_buffer_append_format(out, "(((r%u >> %u) & 1) << %u)", column, bit, place);
  }
}

static void append_interleaved(struct ap_buffer *out, const struct ap_schema *schema,
                               const uint32_t *fields, uint32_t field_count,
                               const struct ap_text *bounds) {
  ap_buffer_append_string(out, "(SELECT ");
  for (uint32_t i = 0; i < field_count; ++i) {
    if (i > 0) ap_buffer_append_string(out, " + ");
    append_spread(out, i, field_count);
  }
  ap_buffer_append_string(out, " FROM (SELECT ");
  for (uint32_t i = 0; i < field_count; ++i) {
    const struct ap_field *field = &schema->fields[fields[i]];
    ap_buffer_append_string(out, i > 0 ? ", CAST(CASE WHEN " : "CAST(CASE WHEN ");
    ap_buffer_append_identifier(out, field->name);
    ap_buffer_append_string(out, " IS NULL THEN 0 ELSE ");
    append_range(out, field, &bounds[i * BOUNDS], 0, BOUNDS);
    ap_buffer_append_format(out, " END AS BIGINT) AS r%u", i);
  }
  ap_buffer_append_string(out, "))");
}

static void append_columns(struct ap_buffer *out, const struct ap_schema *schema,
                           const uint32_t *fields, uint32_t field_count) {
  for (uint32_t i = 0; i < field_count; ++i) {
    if (i > 0) ap_buffer_append_string(out, ", ");
    ap_buffer_append_identifier(out, schema->fields[fields[i]].name);
  }
}

ap_status ap_zorder_append(struct ap_buffer *out, struct ap_chamber *chamber, struct ap_text view,
                           const struct ap_schema *schema, const uint32_t *fields,
                           uint32_t field_count, const struct ap_run_control *control,
                           struct ap_arena *arena, ap_error *err) {
  AP_ASSERT(field_count >= 1 && field_count <= AP_ZORDER_COLUMNS_MAX);
  if (field_count == 1) {
    append_columns(out, schema, fields, field_count);
    return ap_buffer_check(out, err);
  }
  struct ap_text *bounds = AP_ARENA_ARRAY(arena, struct ap_text, field_count * BOUNDS);
  if (bounds == NULL) return AP_FAIL_MEMORY(err);
  struct ap_buffer question;
  ap_buffer_init(&question, out->allocator);
  append_question(&question, view, schema, fields, field_count);
  ap_status status = ap_buffer_check(&question, err);
  if (status == AP_OK) {
    status = ap_chamber_evaluate(chamber, ap_buffer_text(&question), NULL, 0, control, arena,
                                 bounds, field_count * BOUNDS, err);
  }
  ap_buffer_deinit(&question);
  if (status != AP_OK) return status;
  bool known = true; /* of a column of nothing but nulls there are no quantiles */
  for (uint32_t i = 0; i < field_count * BOUNDS; ++i) known = known && bounds[i].data != NULL;
  if (known) {
    append_interleaved(out, schema, fields, field_count, bounds);
    ap_buffer_append_string(out, ", ");
  }
  append_columns(out, schema, fields, field_count);
  return ap_buffer_check(out, err);
}
