/* SPDX-License-Identifier: Apache-2.0
 *
 * What COPY .. (RETURN_STATS) answers, as drafts of cells: columns filename, count,
 * file_size_bytes, footer_size_bytes, column_statistics MAP(column -> MAP(name -> text)),
 * partition_keys MAP(column -> text). Its has_nan speaks of a file's last row group only, so files
 * that may have several are asked themselves.
 */
#include "engine/write.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/status.h"

#include <string.h>

enum {
  COLUMN_FILENAME = 0,
  COLUMN_COUNT = 1,
  COLUMN_SIZE = 2,
  COLUMN_STATISTICS = 4,
  COLUMN_PARTITION = 5,
};

/* A file of at most so many rows has one row group: COPY makes none of less than half its
 * ROW_GROUP_SIZE beside another, and that is 2048 at least. */
enum { ONE_GROUP_ROWS_MAX = 1024 };

/* A MAP vector: where each row's entries are, and the entries' keys and values. */
struct map_vector {
  const duckdb_list_entry *entries;
  duckdb_vector keys;
  duckdb_vector values;
};

static struct map_vector open_map(duckdb_vector vector) {
  duckdb_vector pairs = duckdb_list_vector_get_child(vector);
  return (struct map_vector){
      .entries = duckdb_vector_get_data(vector),
      .keys = duckdb_struct_vector_get_child(pairs, 0),
      .values = duckdb_struct_vector_get_child(pairs, 1),
  };
}

static bool is_valid(duckdb_vector vector, idx_t row) {
  uint64_t *validity = duckdb_vector_get_validity(vector);
  return !validity || duckdb_validity_row_is_valid(validity, row);
}

static struct ap_text text_at(duckdb_vector vector, idx_t row) {
  duckdb_string_t *texts = duckdb_vector_get_data(vector);
  return (struct ap_text){duckdb_string_t_data(&texts[row]), duckdb_string_t_length(texts[row])};
}

/* Whether the key is the name in double quotes, with those in it doubled. */
static bool is_quoted_name(struct ap_text key, struct ap_text name) {
  if (key.size < name.size + 2 || key.data[0] != '"') return false;
  size_t at = 1;
  for (size_t i = 0; i < name.size; i++) {
    if (name.data[i] == '"' && key.data[at++] != '"') return false;
    if (at >= key.size || key.data[at++] != name.data[i]) return false;
  }
  return at + 1 == key.size && key.data[at] == '"';
}

/* The field that a key speaks of; -1 for parts of nested ones. */
static int32_t find_column(const struct ap_schema *schema, struct ap_text key) {
  for (uint32_t i = 0; i < schema->field_count; i++) {
    if (is_quoted_name(key, schema->fields[i].name)) return (int32_t)i;
  }
  return -1;
}

static void read_column(const struct map_vector *facts, idx_t row,
                        struct ap_statistics_text *out_column) {
  duckdb_list_entry entry = facts->entries[row];
  for (idx_t i = entry.offset; i < entry.offset + entry.length; i++) {
    if (!is_valid(facts->values, i)) continue;
    struct ap_text name = text_at(facts->keys, i);
    struct ap_text value = text_at(facts->values, i);
    if (ap_text_equal(name, AP_TEXT("min"))) {
      if (ap_text_is_utf8(value)) out_column->min = value;
    } else if (ap_text_equal(name, AP_TEXT("max"))) {
      if (ap_text_is_utf8(value)) out_column->max = value;
    } else if (ap_text_equal(name, AP_TEXT("null_count"))) {
      if (!ap_text_parse_i64(value, &out_column->null_count)) out_column->null_count = -1;
    } else if (ap_text_equal(name, AP_TEXT("has_nan"))) {
      out_column->has_nan = ap_text_equal(value, AP_TEXT("true"));
    }
  }
}

static bool is_float(const struct ap_field *field) {
  return field->type.kind == AP_TYPE_FLOAT32 || field->type.kind == AP_TYPE_FLOAT64;
}

/* Whether a maximum is to be stated that a NaN in an earlier row group would make wrong. */
static bool must_look_for_nans(const struct ap_schema *physical, const struct ap_source *source,
                               const struct ap_statistics_text *columns, int64_t row_count) {
  if (row_count <= ONE_GROUP_ROWS_MAX) return false;
  for (uint32_t i = 0; i < physical->field_count; i++) {
    if (!is_float(&physical->fields[i]) || !columns[i].max.data || columns[i].has_nan) continue;
    if (!source || ap_source_may_have_nan(source, i)) return true;
  }
  return false;
}

/* The file's columns of which some row group has no maximum: so the engine writes groups with NaN
 * in them. Wildcards in the path stand for themselves. */
static ap_status ask_for_nans(struct ap_chamber *chamber, struct ap_text path,
                              duckdb_result *out_result, ap_error *err) {
  struct ap_buffer escaped;
  struct ap_buffer sql;
  ap_buffer_init(&escaped, chamber->engine->env->allocator);
  ap_buffer_init(&sql, chamber->engine->env->allocator);
  for (size_t i = 0; i < path.size; i++) {
    bool wild = memchr("*?[", path.data[i], 3) != NULL;
    ap_buffer_append_format(&escaped, wild ? "[%c]" : "%c", path.data[i]);
  }
  ap_buffer_append_string(&sql, "SELECT DISTINCT path_in_schema FROM parquet_metadata(");
  ap_buffer_append_literal(&sql, ap_buffer_text(&escaped));
  ap_buffer_append_string(&sql, ") WHERE stats_max_value IS NULL AND type IN ('FLOAT', 'DOUBLE')");
  sql.failed |= escaped.failed;
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) status = ap_chamber_run(chamber, sql.data, out_result, err);
  ap_buffer_deinit(&sql);
  ap_buffer_deinit(&escaped);
  return status;
}

static ap_status look_for_nans(struct ap_chamber *chamber, struct ap_text path,
                               const struct ap_schema *physical, struct ap_statistics_text *columns,
                               ap_error *err) {
  duckdb_result result = {0};
  AP_TRY(ask_for_nans(chamber, path, &result, err));
  for (;;) {
    duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
    if (!chunk) break;
    duckdb_vector names = duckdb_data_chunk_get_vector(chunk, 0);
    for (idx_t row = 0; row < duckdb_data_chunk_get_size(chunk); row++) {
      for (uint32_t i = 0; i < physical->field_count; i++) {
        if (ap_text_equal(physical->fields[i].name, text_at(names, row))) columns[i].has_nan = true;
      }
    }
    duckdb_destroy_data_chunk(&chunk);
  }
  const char *message = duckdb_result_error(&result);
  ap_status status =
      message && message[0] != '\0' ? ap_chamber_fail_result(chamber, &result, err) : AP_OK;
  duckdb_destroy_result(&result);
  return status;
}

static ap_status read_statistics(struct ap_chamber *chamber, const struct ap_schema *physical,
                                 duckdb_vector vector, idx_t row, struct ap_arena *arena,
                                 struct ap_written *written, struct ap_cell_draft *draft,
                                 ap_error *err) {
  struct ap_statistics_text *columns =
      AP_ARENA_ARRAY(arena, struct ap_statistics_text, physical->field_count);
  if (!columns) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < physical->field_count; i++) columns[i].null_count = -1;
  struct map_vector map = open_map(vector);
  struct map_vector facts = open_map(map.values);
  duckdb_list_entry entry = map.entries[row];
  for (idx_t i = entry.offset; i < entry.offset + entry.length; i++) {
    int32_t column = find_column(physical, text_at(map.keys, i));
    if (column >= 0) read_column(&facts, i, &columns[column]);
  }
  for (uint32_t i = 0; i < physical->field_count; i++) {
    if (columns[i].null_count > 0) written->nulls[i] += columns[i].null_count;
  }
  if (must_look_for_nans(physical, written->source, columns, draft->row_count)) {
    AP_TRY(look_for_nans(chamber, draft->staged_path, physical, columns, err));
  }
  struct ap_buffer json;
  ap_buffer_init(&json, arena->allocator);
  ap_statistics_append(&json, physical, draft->row_count, columns);
  ap_status status = ap_buffer_check(&json, err);
  char *copy = status == AP_OK ? ap_arena_copy(arena, ap_buffer_text(&json)) : NULL;
  draft->statistics_json = (struct ap_text){copy, json.size};
  ap_buffer_deinit(&json);
  if (status == AP_OK && !copy) return AP_FAIL_MEMORY(err);
  return status;
}

static ap_status fail_partition(const struct ap_cell_target *target, const struct ap_field *field,
                                bool is_null, ap_error *err) {
  (void)AP_FAIL(err, AP_NULL_VIOLATION, "frame %.*s: partition column '%.*s' %s",
                AP_TEXT_ARG(target->frame), AP_TEXT_ARG(field->name),
                is_null ? "holds nulls" : "holds empty texts, which Delta reads as null");
  ap_error_hint(err, "give these rows a value of their own, such as 'unknown'");
  return AP_NULL_VIOLATION;
}

/* The Delta text of a value that the engine wrote in its own. */
static ap_status delta_text(struct ap_text text, const struct ap_type *type, struct ap_arena *arena,
                            struct ap_text *out_text, ap_error *err) {
  struct ap_value value;
  char *copy = NULL;
  if (type->kind != AP_TYPE_STRING && ap_value_parse(text, type, &value)) {
    struct ap_buffer buffer;
    ap_buffer_init(&buffer, arena->allocator);
    ap_value_append_text(&buffer, &value);
    if (!buffer.failed) copy = ap_arena_copy(arena, ap_buffer_text(&buffer));
    out_text->size = buffer.size;
    ap_buffer_deinit(&buffer);
  } else {
    copy = ap_arena_copy(arena, text);
    out_text->size = text.size;
  }
  out_text->data = copy;
  return copy ? AP_OK : AP_FAIL_MEMORY(err);
}

static ap_status read_partition(const struct ap_cell_target *target, duckdb_vector vector,
                                idx_t row, struct ap_arena *arena, struct ap_cell_draft *draft,
                                ap_error *err) {
  uint32_t count = target->partition_column_count;
  draft->partition_count = count;
  if (count == 0) return AP_OK;
  struct ap_partition_value *values = AP_ARENA_ARRAY(arena, struct ap_partition_value, count);
  if (!values) return AP_FAIL_MEMORY(err);
  draft->partition_values = values;
  struct map_vector map = open_map(vector);
  duckdb_list_entry entry = map.entries[row];
  for (uint32_t i = 0; i < count; i++) {
    uint32_t column = target->partition_columns[i];
    const struct ap_field *logical = &target->schema->fields[column];
    struct ap_text name = target->physical->fields[column].name;
    values[i].is_null = true;
    for (idx_t k = entry.offset; k < entry.offset + entry.length; k++) {
      if (!ap_text_equal(text_at(map.keys, k), name) || !is_valid(map.values, k)) continue;
      values[i].is_null = false;
      AP_TRY(delta_text(text_at(map.values, k), &logical->type, arena, &values[i].text, err));
    }
    if (values[i].is_null || values[i].text.size == 0) {
      return fail_partition(target, logical, values[i].is_null, err);
    }
  }
  return AP_OK;
}

static ap_status grow(struct ap_written *written, struct ap_arena *arena, ap_error *err) {
  if (written->count < written->capacity) return AP_OK;
  uint32_t capacity = written->capacity ? written->capacity * 2 : 8;
  struct ap_cell_draft *drafts = AP_ARENA_ARRAY(arena, struct ap_cell_draft, capacity);
  if (!drafts) return AP_FAIL_MEMORY(err);
  if (written->count > 0) {
    memcpy(drafts, written->drafts, written->count * sizeof(*drafts));
  }
  written->drafts = drafts;
  written->capacity = capacity;
  return AP_OK;
}

/* One file. It is in the list before anything about it can fail, so that it can be removed. */
static ap_status read_row(struct ap_chamber *chamber, const struct ap_cell_target *target,
                          duckdb_data_chunk chunk, idx_t row, struct ap_arena *arena,
                          struct ap_written *written, ap_error *err) {
  AP_TRY(grow(written, arena, err));
  struct ap_cell_draft *draft = &written->drafts[written->count];
  struct ap_text path = text_at(duckdb_data_chunk_get_vector(chunk, COLUMN_FILENAME), row);
  const uint64_t *counts =
      duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, COLUMN_COUNT));
  const uint64_t *sizes = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, COLUMN_SIZE));
  char *copy = ap_arena_copy(arena, path);
  if (!copy) return AP_FAIL_MEMORY(err);
  *draft = (struct ap_cell_draft){
      .staged_path = {copy, path.size},
      .size_bytes = (int64_t)sizes[row],
      .row_count = (int64_t)counts[row],
  };
  written->count++;
  written->row_count += draft->row_count;
  AP_TRY(read_statistics(chamber, target->physical,
                         duckdb_data_chunk_get_vector(chunk, COLUMN_STATISTICS), row, arena,
                         written, draft, err));
  return read_partition(target, duckdb_data_chunk_get_vector(chunk, COLUMN_PARTITION), row, arena,
                        draft, err);
}

ap_status ap_written_read(struct ap_chamber *chamber, const struct ap_cell_target *target,
                          duckdb_result *result, struct ap_arena *arena, struct ap_written *written,
                          ap_error *err) {
  AP_ASSERT(duckdb_column_count(result) == COLUMN_PARTITION + 1);
  ap_status status = AP_OK;
  while (status == AP_OK) {
    duckdb_data_chunk chunk = duckdb_fetch_chunk(*result);
    if (!chunk) break;
    idx_t size = duckdb_data_chunk_get_size(chunk);
    for (idx_t row = 0; row < size && status == AP_OK; row++) {
      status = read_row(chamber, target, chunk, row, arena, written, err);
    }
    duckdb_destroy_data_chunk(&chunk);
  }
  const char *message = duckdb_result_error(result);
  if (status == AP_OK && message && message[0] != '\0') {
    status = ap_chamber_fail_result(chamber, result, err);
  }
  return status;
}
