/* SPDX-License-Identifier: Apache-2.0
 *
 * The ids of fields in Parquet files, as the engine's COPY takes them. Tables with column mapping
 * give each field one (delta.columnMapping.id); other tables none.
 */
#include "engine/write.h"

#include "base/status.h"
#include "cell/parquet.h"

/* Whether the field or one below it has an id. */
static bool has_ids(const struct ap_field *field) {
  if (ap_parquet_field_id(field) >= 0) return true;
  for (uint32_t i = 0; i < field->type.field_count; i++) {
    if (has_ids(&field->type.fields[i])) return true;
  }
  return false;
}

/* name: 5, or name: {__duckdb_field_id: 5, child: ..}; nothing for a field without ids. */
static void append_field(struct ap_buffer *out, const struct ap_field *field, bool *first) {
  int64_t id = ap_parquet_field_id(field);
  bool deeper = false;
  for (uint32_t i = 0; i < field->type.field_count; i++) {
    deeper |= has_ids(&field->type.fields[i]);
  }
  if (id < 0 && !deeper) return;
  if (!*first) ap_buffer_append_string(out, ", ");
  *first = false;
  ap_buffer_append_identifier(out, field->name);
  if (!deeper) {
    ap_buffer_append_format(out, ": %lld", (long long)id);
    return;
  }
  bool none = true;
  ap_buffer_append_string(out, ": {");
  if (id >= 0) {
    ap_buffer_append_format(out, "__duckdb_field_id: %lld", (long long)id);
    none = false;
  }
  for (uint32_t i = 0; i < field->type.field_count; i++) {
    append_field(out, &field->type.fields[i], &none);
  }
  ap_buffer_append_string(out, "}");
}

static bool is_in_files(const struct ap_cell_target *target, uint32_t field) {
  if (target->partition_column_count == target->schema->field_count) return true;
  for (uint32_t i = 0; i < target->partition_column_count; i++) {
    if (target->partition_columns[i] == field) return false;
  }
  return true;
}

ap_status ap_write_field_ids(const struct ap_cell_target *target, struct ap_arena *arena,
                             struct ap_text *out_option, ap_error *err) {
  struct ap_buffer text;
  bool first = true;
  *out_option = (struct ap_text){"", 0};
  ap_buffer_init(&text, arena->allocator);
  for (uint32_t i = 0; i < target->physical->field_count; i++) {
    if (!is_in_files(target, i) || !has_ids(&target->physical->fields[i])) continue;
    if (first) ap_buffer_append_string(&text, ", FIELD_IDS {");
    append_field(&text, &target->physical->fields[i], &first);
  }
  if (!first) ap_buffer_append_string(&text, "}");
  ap_status status = ap_buffer_check(&text, err);
  if (status == AP_OK && !first) {
    const char *copy = ap_arena_copy(arena, ap_buffer_text(&text));
    if (!copy) status = AP_FAIL_MEMORY(err);
    *out_option = (struct ap_text){copy, text.size};
  }
  ap_buffer_deinit(&text);
  return status;
}
