/* SPDX-License-Identifier: Apache-2.0
 *
 * What a view looks up: its files, partition values and deleted rows, handed over as values and
 * not as text, since there may be ten thousand of them.
 */
#include "engine/view.h"

#include "base/assert.h"
#include "base/status.h"

#include <string.h>

struct value_list {
  duckdb_value *items;
  idx_t count;
  idx_t capacity;
};

static void free_list(struct ap_allocator *allocator, struct value_list *list) {
  for (idx_t i = 0; i < list->count; i++) duckdb_destroy_value(&list->items[i]);
  ap_free(allocator, list->items);
}

/* SET VARIABLE <name> = CAST($1 AS <type>[]) with the list of texts. */
static ap_status set_variable(struct ap_chamber *chamber, const char *sql,
                              const struct value_list *list, ap_error *err) {
  duckdb_logical_type type = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
  duckdb_value value = duckdb_create_list_value(type, list->items, list->count);
  duckdb_destroy_logical_type(&type);
  if (!value) return AP_FAIL_MEMORY(err);
  duckdb_prepared_statement statement = NULL;
  ap_status status = AP_OK;
  duckdb_result result = {0};
  if (duckdb_prepare(chamber->connection, sql, &statement) != DuckDBSuccess) {
    status = ap_chamber_fail(chamber, DUCKDB_ERROR_INVALID, duckdb_prepare_error(statement), err);
  } else if (duckdb_bind_value(statement, 1, value) != DuckDBSuccess) {
    status = AP_FAIL(err, AP_INTERNAL, "the engine does not take a list of values");
  } else if (duckdb_execute_prepared(statement, &result) != DuckDBSuccess) {
    status = ap_chamber_fail_result(chamber, &result, err);
  }
  duckdb_destroy_result(&result);
  duckdb_destroy_prepare(&statement);
  duckdb_destroy_value(&value);
  return status;
}

void ap_engine_append_path(struct ap_buffer *out, struct ap_text path) {
  for (size_t i = 0; i < path.size; i++) {
    char c = path.data[i];
    if (c == '*' || c == '?' || c == '[') {
      ap_buffer_append_format(out, "[%c]", c);
    } else {
      ap_buffer_append(out, &c, 1);
    }
  }
}

static bool has_wildcards(struct ap_text path) {
  return path.size > 0 && (memchr(path.data, '*', path.size) || memchr(path.data, '?', path.size) ||
                           memchr(path.data, '[', path.size));
}

static void append_path(struct ap_buffer *out, const struct ap_frame_binding *binding,
                        const struct ap_cell *cell) {
  if (has_wildcards(binding->folder) || has_wildcards(cell->path)) {
    ap_engine_append_path(out, binding->folder);
    ap_buffer_append_string(out, "/");
    ap_engine_append_path(out, cell->path);
  } else {
    ap_buffer_append_text(out, binding->folder);
    ap_buffer_append_string(out, "/");
    ap_buffer_append_text(out, cell->path);
  }
}

static bool add_text(struct value_list *list, struct ap_text text) {
  AP_ASSERT(list->count < list->capacity);
  duckdb_value value = duckdb_create_varchar_length(text.data ? text.data : "", text.size);
  if (!value) return false;
  list->items[list->count++] = value;
  return true;
}

/* Room for one value per file, the file of the schema included. */
static ap_status make_list(struct ap_chamber *chamber, const struct ap_frame_binding *binding,
                           struct value_list *out_list, ap_error *err) {
  idx_t capacity = (idx_t)binding->cell_count + 1;
  *out_list = (struct value_list){.capacity = capacity};
  out_list->items =
      ap_allocate_zeroed(chamber->engine->env->allocator, capacity, sizeof(*out_list->items));
  if (!out_list->items) return AP_FAIL_MEMORY(err);
  return AP_OK;
}

/* COPY an empty table with the columns of the files; a table must have a column. */
static void append_schema_copy(struct ap_buffer *out, const struct ap_frame_binding *binding,
                               struct ap_text path) {
  ap_buffer_append_string(out, "COPY (SELECT NULL AS ap_nothing");
  for (uint32_t i = 0; i < binding->physical->field_count; i++) {
    bool in_files = true;
    for (uint32_t k = 0; k < binding->partition_column_count; k++) {
      if (binding->partition_columns[k] == i) in_files = false;
    }
    if (!in_files) continue;
    ap_buffer_append_string(out, ", CAST(NULL AS ");
    ap_type_append_sql(out, &binding->physical->fields[i].type);
    ap_buffer_append_string(out, ") AS ");
    ap_buffer_append_identifier(out, binding->physical->fields[i].name);
  }
  ap_buffer_append_string(out, " WHERE false) TO ");
  ap_buffer_append_literal(out, path);
  ap_buffer_append_string(out, " (FORMAT parquet)");
}

static ap_status write_schema_file(struct ap_chamber *chamber,
                                   const struct ap_frame_binding *binding, const char *path,
                                   ap_error *err) {
  struct ap_files *files = chamber->engine->env->files;
  struct ap_file_info info;
  if (files->info(files, path, &info, NULL) == AP_OK) return AP_OK;
  AP_TRY(files->make_folders(files, chamber->scratch, err));
  struct ap_buffer sql;
  ap_buffer_init(&sql, chamber->engine->env->allocator);
  append_schema_copy(&sql, binding, ap_text_of(path));
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) status = ap_chamber_run(chamber, sql.data, NULL, err);
  ap_buffer_deinit(&sql);
  return status;
}

/* Give the schema's file a second name below folders like those of the first cell, so that it has
 * partition values too. */
static ap_status link_schema_file(struct ap_chamber *chamber,
                                  const struct ap_frame_binding *binding, struct ap_buffer *path,
                                  ap_error *err) {
  struct ap_files *files = chamber->engine->env->files;
  struct ap_text cell = binding->cells[0]->path;
  size_t size = cell.size;
  while (size > 0 && cell.data[size - 1] != '/') size--;
  char *original = ap_string_copy(chamber->engine->env->allocator, ap_buffer_text(path));
  if (!original) return AP_FAIL_MEMORY(err);
  path->size -= strlen(".parquet");
  ap_buffer_append_string(path, "/");
  ap_buffer_append(path, cell.data, size);
  ap_status status = ap_buffer_check(path, err);
  if (status == AP_OK) status = files->make_folders(files, path->data, err);
  ap_buffer_append_string(path, "schema.parquet");
  if (status == AP_OK) status = ap_buffer_check(path, err);
  ap_error ignored = {0};
  if (status == AP_OK) {
    status = files->link(files, original, path->data, &ignored);
    if (status == AP_ALREADY_EXISTS) {
      status = AP_OK;
    } else if (status != AP_OK && err) {
      *err = ignored;
    }
  }
  ap_free(chamber->engine->env->allocator, original);
  return status;
}

/* An empty file that has every column, so that a union has them too; made once per schema. */
static ap_status make_schema_file(struct ap_chamber *chamber, const struct ap_view *view,
                                  struct ap_buffer *path, ap_error *err) {
  ap_buffer_append_format(path, "%s/schema-%016llx.parquet", chamber->scratch,
                          (unsigned long long)view->binding->physical_schema_id);
  AP_TRY(ap_buffer_check(path, err));
  AP_TRY(write_schema_file(chamber, view->binding, path->data, err));
  if (!view->partitions_in_paths) return AP_OK;
  return link_schema_file(chamber, view->binding, path, err);
}

static ap_status set_files(struct ap_chamber *chamber, const struct ap_view *view, ap_error *err) {
  const struct ap_frame_binding *binding = view->binding;
  struct ap_allocator *allocator = chamber->engine->env->allocator;
  struct value_list list;
  AP_TRY(make_list(chamber, binding, &list, err));
  struct ap_buffer path;
  ap_buffer_init(&path, allocator);
  ap_status status = AP_OK;
  if (view->unite) {
    status = make_schema_file(chamber, view, &path, err);
    struct ap_buffer escaped;
    ap_buffer_init(&escaped, allocator);
    ap_engine_append_path(&escaped, ap_buffer_text(&path));
    if (status == AP_OK) status = ap_buffer_check(&escaped, err);
    if (status == AP_OK && !add_text(&list, ap_buffer_text(&escaped))) {
      status = AP_FAIL_MEMORY(err);
    }
    ap_buffer_deinit(&escaped);
  }
  for (uint32_t i = 0; i < binding->cell_count && status == AP_OK; i++) {
    ap_buffer_clear(&path);
    append_path(&path, binding, binding->cells[i]);
    status = ap_buffer_check(&path, err);
    if (status == AP_OK && !add_text(&list, ap_buffer_text(&path))) status = AP_FAIL_MEMORY(err);
  }
  struct ap_buffer text;
  ap_buffer_init(&text, allocator);
  ap_buffer_append_format(&text, "SET VARIABLE ap_%llu = $1", (unsigned long long)view->number);
  if (status == AP_OK) status = ap_buffer_check(&text, err);
  if (status == AP_OK) status = set_variable(chamber, text.data, &list, err);
  ap_buffer_deinit(&text);
  ap_buffer_deinit(&path);
  free_list(allocator, &list);
  return status;
}

/* The values of one partition column, by file; cast once here and not per row. */
static ap_status set_partition_values(struct ap_chamber *chamber, const struct ap_view *view,
                                      uint32_t place, ap_error *err) {
  const struct ap_frame_binding *binding = view->binding;
  struct ap_allocator *allocator = chamber->engine->env->allocator;
  struct value_list list;
  AP_TRY(make_list(chamber, binding, &list, err));
  if (view->unite) list.items[list.count++] = duckdb_create_null_value();
  ap_status status = AP_OK;
  for (uint32_t i = 0; i < binding->cell_count && status == AP_OK; i++) {
    const struct ap_partition_value *value = &binding->cells[i]->partition_values[place];
    if (value->is_null || value->text.size == 0) {
      list.items[list.count++] = duckdb_create_null_value();
    } else if (!add_text(&list, value->text)) {
      status = AP_FAIL_MEMORY(err);
    }
  }
  struct ap_buffer sql;
  ap_buffer_init(&sql, allocator);
  ap_buffer_append_format(&sql, "SET VARIABLE ap_%llu_p%u = CAST($1 AS ",
                          (unsigned long long)view->number, place);
  ap_type_append_sql(&sql, &binding->physical->fields[binding->partition_columns[place]].type);
  ap_buffer_append_string(&sql, "[])");
  if (status == AP_OK) status = ap_buffer_check(&sql, err);
  if (status == AP_OK) status = set_variable(chamber, sql.data, &list, err);
  ap_buffer_deinit(&sql);
  free_list(allocator, &list);
  return status;
}

ap_status ap_view_set_variables(struct ap_chamber *chamber, const struct ap_view *view,
                                ap_error *err) {
  const struct ap_frame_binding *binding = view->binding;
  if (binding->cell_count == 0) return AP_OK;
  AP_TRY(set_files(chamber, view, err));
  if (view->partitions_in_paths) return AP_OK;
  for (uint32_t i = 0; i < binding->partition_column_count; i++) {
    AP_TRY(set_partition_values(chamber, view, i, err));
  }
  return AP_OK;
}

static ap_status append_deleted_rows(duckdb_appender appender, const struct ap_view *view) {
  const struct ap_frame_binding *binding = view->binding;
  for (uint32_t i = 0; i < binding->cell_count; i++) {
    int64_t file = (int64_t)i + (view->unite ? 2 : 1);
    for (uint64_t k = 0; k < binding->deleted_row_counts[i]; k++) {
      bool fine =
          duckdb_append_int64(appender, file) == DuckDBSuccess &&
          duckdb_append_int64(appender, (int64_t)binding->deleted_rows[i][k]) == DuckDBSuccess &&
          duckdb_appender_end_row(appender) == DuckDBSuccess;
      if (!fine) return AP_QUERY;
    }
  }
  return duckdb_appender_close(appender) == DuckDBSuccess ? AP_OK : AP_QUERY;
}

ap_status ap_view_set_deleted_rows(struct ap_chamber *chamber, const struct ap_view *view,
                                   ap_error *err) {
  if (!view->has_deleted_rows) return AP_OK;
  struct ap_buffer text;
  ap_buffer_init(&text, chamber->engine->env->allocator);
  ap_buffer_append_format(
      &text,
      "CREATE OR REPLACE TEMP TABLE temp.main.ap_%llu_dv(ap_file BIGINT, ap_row "
      "BIGINT)",
      (unsigned long long)view->number);
  ap_status status = ap_buffer_check(&text, err);
  if (status == AP_OK) status = ap_chamber_run(chamber, text.data, NULL, err);
  ap_buffer_clear(&text);
  ap_buffer_append_format(&text, "ap_%llu_dv", (unsigned long long)view->number);
  if (status == AP_OK) status = ap_buffer_check(&text, err);
  duckdb_appender appender = NULL;
  if (status == AP_OK) {
    bool made = duckdb_appender_create_ext(chamber->connection, "temp", "main", text.data,
                                           &appender) == DuckDBSuccess;
    if (!made || append_deleted_rows(appender, view) != AP_OK) {
      status = ap_chamber_fail_data(chamber, duckdb_appender_error_data(appender), err);
    }
    duckdb_appender_destroy(&appender);
  }
  ap_buffer_deinit(&text);
  return status;
}
