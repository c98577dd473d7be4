/* SPDX-License-Identifier: Apache-2.0
 *
 * See view.h. Three things decide how cells are read:
 * - own cells of the present physical schema have the same columns: no union, casts only where
 *   cells store a type wider than the frame shows;
 * - partition values come from folder names where these say them exactly, since that costs nothing
 *   per row, and otherwise from a list by file number;
 * - deleted rows are taken out by an anti-join on file and row number.
 */
#include "engine/view.h"

#include "base/assert.h"
#include "base/status.h"
#include "engine/convert.h"

#include <string.h>

static bool is_partition_column(const struct ap_frame_binding *binding, uint32_t field,
                                uint32_t *out_place) {
  for (uint32_t i = 0; i < binding->partition_column_count; i++) {
    if (binding->partition_columns[i] != field) continue;
    *out_place = i;
    return true;
  }
  return false;
}

static bool must_unite(const struct ap_frame_binding *binding) {
  for (uint32_t i = 0; i < binding->cell_count; i++) {
    const struct ap_cell *cell = binding->cells[i];
    if (!cell->own || cell->physical_schema_id != binding->physical_schema_id) return true;
  }
  return false;
}

static bool is_simple_name(struct ap_text name) {
  for (size_t i = 0; i < name.size; i++) {
    char c = name.data[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!letter && !(c >= '0' && c <= '9')) return false;
  }
  return name.size > 0;
}

/* Texts that the engine takes for null, or that are no value at all. */
static bool is_doubtful_value(const struct ap_partition_value *value) {
  return value->is_null || value->text.size == 0 ||
         ap_text_equal_ignoring_case(value->text, AP_TEXT("null")) ||
         ap_text_equal(value->text, AP_TEXT("__HIVE_DEFAULT_PARTITION__"));
}

/* Take "name=value/" off the front of path; false when it does not say just that. */
static bool take_segment(struct ap_text *path, struct ap_text name, struct ap_text value,
                         struct ap_buffer *scratch) {
  if (!ap_text_starts_with(*path, name)) return false;
  const char *at = path->data + name.size;
  const char *end = path->data + path->size;
  if (at == end || *at != '=') return false;
  at++;
  const char *slash = memchr(at, '/', (size_t)(end - at));
  if (!slash) return false;
  ap_buffer_clear(scratch);
  struct ap_text escaped = {at, (size_t)(slash - at)};
  if (memchr(escaped.data, '=', escaped.size)) return false;
  if (!ap_uri_unescape_append(scratch, escaped)) return false;
  if (scratch->failed || !ap_text_equal(ap_buffer_text(scratch), value)) return false;
  *path = (struct ap_text){slash + 1, (size_t)(end - slash - 1)};
  return true;
}

static bool path_says_partitions(const struct ap_frame_binding *binding, const struct ap_cell *cell,
                                 struct ap_buffer *scratch) {
  struct ap_text rest = cell->path;
  for (uint32_t i = 0; i < binding->partition_column_count; i++) {
    const struct ap_field *field = &binding->physical->fields[binding->partition_columns[i]];
    const struct ap_partition_value *value = &cell->partition_values[i];
    if (is_doubtful_value(value)) return false;
    if (!take_segment(&rest, field->name, value->text, scratch)) return false;
  }
  return !memchr(rest.data, '=', rest.size);
}

static bool partitions_in_paths(const struct ap_frame_binding *binding, struct ap_buffer *scratch) {
  if (binding->partition_column_count == 0) return false;
  if (memchr(binding->folder.data, '=', binding->folder.size)) return false;
  for (uint32_t i = 0; i < binding->partition_column_count; i++) {
    const struct ap_field *field = &binding->physical->fields[binding->partition_columns[i]];
    if (!is_simple_name(field->name)) return false;
    if (field->type.kind == AP_TYPE_BINARY) return false;
  }
  for (uint32_t i = 0; i < binding->cell_count; i++) {
    if (!path_says_partitions(binding, binding->cells[i], scratch)) return false;
  }
  return true;
}

static bool has_members(const struct ap_type *type) {
  if (type->kind == AP_TYPE_STRUCT || type->kind == AP_TYPE_MAP) return true;
  return type->kind == AP_TYPE_LIST && has_members(&type->fields[0].type);
}

static int64_t field_id(const struct ap_field *field) {
  int64_t id = -1;
  if (!ap_json_get_i64(field->metadata, "delta.columnMapping.id", -1, &id)) return -1;
  return id;
}

/* The engine finds top-level columns by id; what lies below it would look up by name. */
static ap_status check_ids(const struct ap_frame_binding *binding, ap_error *err) {
  for (uint32_t i = 0; i < binding->schema->field_count; i++) {
    const struct ap_field *field = &binding->schema->fields[i];
    uint32_t place = 0;
    if (is_partition_column(binding, i, &place)) continue;
    if (field_id(field) < 0 || has_members(&field->type)) {
      return AP_FAIL(err, AP_UNSUPPORTED, "column mapping of mode 'id' %s column '%.*s'",
                     field_id(field) < 0 ? "without an id of" : "within", AP_TEXT_ARG(field->name));
    }
  }
  return AP_OK;
}

/* Whether a column of the files hides one of the engine's own. */
static bool has_column(const struct ap_frame_binding *binding, struct ap_text name) {
  for (uint32_t i = 0; i < binding->physical->field_count; i++) {
    if (ap_text_equal_ignoring_case(binding->physical->fields[i].name, name)) return true;
  }
  return false;
}

ap_status ap_view_plan(const struct ap_frame_binding *binding, uint64_t number,
                       const char *scratch_folder, struct ap_view *out_view, ap_error *err) {
  struct ap_view view = {.binding = binding, .number = number};
  for (uint32_t i = 0; i < binding->cell_count; i++) {
    const struct ap_cell *cell = binding->cells[i];
    AP_ASSERT(cell->partition_count == binding->partition_column_count);
    if (binding->deleted_rows && binding->deleted_row_counts[i] > 0) view.has_deleted_rows = true;
  }
  view.by_id = binding->map_by_id && binding->cell_count > 0;
  if (view.by_id) AP_TRY(check_ids(binding, err));
  struct ap_buffer scratch;
  ap_buffer_init(&scratch, ap_allocator_system());
  view.unite = !view.by_id && must_unite(binding);
  view.partitions_in_paths = !view.by_id && partitions_in_paths(binding, &scratch);
  if (view.unite && strchr(scratch_folder, '=')) view.partitions_in_paths = false;
  ap_buffer_deinit(&scratch);
  view.one_file = binding->cell_count == 1 && !view.unite;
  /* Of one file's columns the engine takes min() and max() from its statistics, and fails when it
   * looks there for one that only the path has. */
  if (view.one_file) view.partitions_in_paths = false;
  view.number_is_taken = has_column(binding, AP_TEXT("file_index"));
  bool counts_rows = view.has_deleted_rows || binding->shows_places;
  /* Files that a condition over such paths rules out, one found in a join included, are taken off
   * the engine's list before it numbers them: the numbers would be of other cells. */
  if (counts_rows) view.partitions_in_paths = false;
  bool counts_files =
      !view.one_file &&
      ((binding->partition_column_count > 0 && !view.partitions_in_paths) || counts_rows);
  bool confused =
      (view.number_is_taken && counts_files && has_column(binding, AP_TEXT("filename"))) ||
      (counts_rows && has_column(binding, AP_TEXT("file_row_number")));
  if (confused && binding->cell_count > 0) {
    return AP_FAIL(err, AP_UNSUPPORTED,
                   "columns called file_index, filename or file_row_number cannot be read together "
                   "with deleted rows or these partitions, nor be there when rows are changed");
  }
  *out_view = view;
  return AP_OK;
}

static void append_name(struct ap_buffer *out, const struct ap_frame_binding *binding) {
  ap_buffer_append_identifier(out, binding->hive);
  ap_buffer_append_string(out, ".");
  ap_buffer_append_identifier(out, binding->box);
  ap_buffer_append_string(out, ".");
  ap_buffer_append_identifier(out, binding->name);
}

/* The place of a row's file in the list handed to read_parquet, from 1. */
static void append_file_number(struct ap_buffer *out, const struct ap_view *view) {
  if (view->one_file) {
    ap_buffer_append_string(out, "1");
  } else if (view->number_is_taken) {
    ap_buffer_append_format(out, "list_position(getvariable('ap_%llu'), filename)",
                            (unsigned long long)view->number);
  } else {
    ap_buffer_append_string(out, "CAST(file_index AS BIGINT) + 1");
  }
}

/* Bloom filters tell the engine that a cell lacks 0.0 when it has -0.0, one NaN when it has
 * another, and bytes whose text is not themselves. Own cells have none where that matters
 * (engine/write); for others the column is handed on through a struct, to which no such filter is
 * applied. */
static bool distrusts_filters(const struct ap_view *view, const struct ap_type *type) {
  return (view->unite || view->by_id) &&
         (type->kind == AP_TYPE_FLOAT32 || type->kind == AP_TYPE_FLOAT64 ||
          type->kind == AP_TYPE_BINARY);
}

/* Of such types the engine looks through a cast, and does so wrongly: plan/tree.h tells of the
 * user's casts, those of views go through a struct. */
static bool is_whole_number(const struct ap_type *type) {
  return type->kind >= AP_TYPE_INT8 && type->kind <= AP_TYPE_UINT64;
}

/* A column of the files as they hold it. */
static void append_stored(struct ap_buffer *out, const struct ap_view *view,
                          const struct ap_field *physical) {
  bool guarded = distrusts_filters(view, &physical->type);
  if (guarded) ap_buffer_append_string(out, "struct_extract(struct_pack(v := ");
  ap_buffer_append_identifier(out, physical->name);
  if (guarded) ap_buffer_append_string(out, "), 'v')");
}

/* A partition column of the cells as the log has it. */
static void append_partition(struct ap_buffer *out, const struct ap_view *view,
                             const struct ap_field *physical, uint32_t place) {
  if (view->partitions_in_paths) {
    ap_buffer_append_identifier(out, physical->name);
    return;
  }
  ap_buffer_append_format(out, "getvariable('ap_%llu_p%u')[", (unsigned long long)view->number,
                          place);
  append_file_number(out, view);
  ap_buffer_append_string(out, "]");
}

static void append_column(struct ap_buffer *out, const struct ap_view *view, uint32_t i) {
  const struct ap_frame_binding *binding = view->binding;
  const struct ap_field *logical = &binding->schema->fields[i];
  const struct ap_field *physical = &binding->physical->fields[i];
  struct ap_conversion conversion = {
      .from = &physical->type, .match = &physical->type, .to = &logical->type};
  bool converts = !ap_conversion_is_nothing(&conversion);
  uint32_t place = 0;
  struct ap_buffer name;
  ap_buffer_init(&name, out->allocator);
  if (is_partition_column(binding, i, &place)) {
    append_partition(&name, view, physical, place);
  } else {
    append_stored(&name, view, physical);
    converts = converts || view->unite || view->by_id;
  }
  bool retyped = is_whole_number(&physical->type) && is_whole_number(&logical->type) &&
                 physical->type.kind != logical->type.kind;
  if (retyped) {
    ap_buffer_append_string(out, "struct_extract(struct_pack(v := ");
    ap_conversion_append(out, &conversion, ap_buffer_text(&name));
    ap_buffer_append_string(out, "), 'v')");
  } else if (converts) {
    ap_conversion_append(out, &conversion, ap_buffer_text(&name));
  } else {
    ap_buffer_append_text(out, ap_buffer_text(&name));
  }
  out->failed |= name.failed;
  ap_buffer_deinit(&name);
  ap_buffer_append_string(out, " AS ");
  ap_buffer_append_identifier(out, logical->name);
}

static void append_hive_types(struct ap_buffer *out, const struct ap_frame_binding *binding) {
  struct ap_buffer type;
  ap_buffer_init(&type, out->allocator);
  ap_buffer_append_string(out, "hive_partitioning = true, hive_types = {");
  for (uint32_t i = 0; i < binding->partition_column_count; i++) {
    uint32_t field = binding->partition_columns[i];
    if (i > 0) ap_buffer_append_string(out, ", ");
    ap_buffer_append_literal(out, binding->physical->fields[field].name);
    ap_buffer_append_string(out, ": ");
    ap_buffer_clear(&type);
    ap_type_append_sql(&type, &binding->physical->fields[field].type);
    ap_buffer_append_literal(out, ap_buffer_text(&type));
  }
  ap_buffer_append_string(out, "}");
  out->failed |= type.failed;
  ap_buffer_deinit(&type);
}

/* Texts without their mark are texts still, unless the frame has bytes for which that is wrong. */
static bool has_binary(const struct ap_type *type) {
  if (type->kind == AP_TYPE_BINARY) return true;
  for (uint32_t i = 0; i < type->field_count; i++) {
    if (has_binary(&type->fields[i].type)) return true;
  }
  return false;
}

/* schema = MAP {id: {name, type, default_value}, ..} */
static void append_ids(struct ap_buffer *out, const struct ap_frame_binding *binding) {
  struct ap_buffer type;
  ap_buffer_init(&type, out->allocator);
  ap_buffer_append_string(out, ", schema = MAP {");
  bool first = true;
  for (uint32_t i = 0; i < binding->physical->field_count; i++) {
    uint32_t place = 0;
    if (is_partition_column(binding, i, &place)) continue;
    ap_buffer_append_format(out, "%s%lld: {'name': ", first ? "" : ", ",
                            (long long)field_id(&binding->schema->fields[i]));
    first = false;
    ap_buffer_append_literal(out, binding->physical->fields[i].name);
    ap_buffer_append_string(out, ", 'type': ");
    ap_buffer_clear(&type);
    ap_type_append_sql(&type, &binding->physical->fields[i].type);
    ap_buffer_append_literal(out, ap_buffer_text(&type));
    ap_buffer_append_string(out, ", 'default_value': NULL}");
  }
  ap_buffer_append_string(out, "}");
  out->failed |= type.failed;
  ap_buffer_deinit(&type);
}

static void append_read(struct ap_buffer *out, const struct ap_view *view) {
  const struct ap_frame_binding *binding = view->binding;
  ap_buffer_append_format(out, "read_parquet(getvariable('ap_%llu'), ",
                          (unsigned long long)view->number);
  if (view->partitions_in_paths) {
    append_hive_types(out, binding);
  } else {
    ap_buffer_append_string(out, "hive_partitioning = false");
  }
  if (view->by_id) append_ids(out, binding);
  if (view->unite) {
    ap_buffer_append_string(out, ", union_by_name = true");
    bool binary = false;
    for (uint32_t i = 0; i < binding->schema->field_count; i++) {
      binary |= has_binary(&binding->schema->fields[i].type);
    }
    if (!binary) ap_buffer_append_string(out, ", binary_as_string = true");
  }
  ap_buffer_append_string(out, ")");
}

/* Which cell and which of its rows; a file that only gives its columns to a union comes first. */
static void append_places(struct ap_buffer *out, const struct ap_view *view) {
  ap_buffer_append_string(out, ", CAST(");
  append_file_number(out, view);
  ap_buffer_append_format(out, " - %d AS INTEGER) AS \"" AP_PLACE_FILE "\"", view->unite ? 2 : 1);
  ap_buffer_append_string(out, ", CAST(file_row_number AS BIGINT) AS \"" AP_PLACE_ROW "\"");
}

static void append_without_cells(struct ap_buffer *out, const struct ap_frame_binding *binding) {
  const struct ap_schema *schema = binding->schema;
  for (uint32_t i = 0; i < schema->field_count; i++) {
    ap_buffer_append_string(out, i > 0 ? ", CAST(NULL AS " : "CAST(NULL AS ");
    ap_type_append_sql(out, &schema->fields[i].type);
    ap_buffer_append_string(out, ") AS ");
    ap_buffer_append_identifier(out, schema->fields[i].name);
  }
  if (binding->shows_places) {
    ap_buffer_append_string(out, ", CAST(NULL AS INTEGER) AS \"" AP_PLACE_FILE
                                 "\", CAST(NULL AS BIGINT) AS \"" AP_PLACE_ROW "\"");
  }
  ap_buffer_append_string(out, " WHERE false");
}

/* Cells' numbers begin at 0; where files are united, one that holds no rows is the first. */
static void append_cell_number(struct ap_buffer *out, const struct ap_view *view,
                               struct ap_text column) {
  ap_buffer_append_string(out, ", CAST(");
  append_file_number(out, view);
  ap_buffer_append_format(out, " - %d AS INTEGER) AS ", view->unite ? 2 : 1);
  ap_buffer_append_identifier(out, column);
}

void ap_view_append_select(struct ap_buffer *out, const struct ap_view *view,
                           struct ap_text number_column) {
  const struct ap_frame_binding *binding = view->binding;
  ap_buffer_append_string(out, "SELECT ");
  if (binding->cell_count == 0) {
    append_without_cells(out, binding);
    return;
  }
  for (uint32_t i = 0; i < binding->schema->field_count; i++) {
    if (i > 0) ap_buffer_append_string(out, ", ");
    append_column(out, view, i);
  }
  if (number_column.size > 0) append_cell_number(out, view, number_column);
  if (binding->shows_places) append_places(out, view);
  ap_buffer_append_string(out, " FROM ");
  append_read(out, view);
  if (!view->has_deleted_rows) return;
  ap_buffer_append_format(out,
                          " WHERE NOT EXISTS (SELECT 1 FROM temp.main.ap_%llu_dv AS ap_dv"
                          " WHERE ap_dv.ap_row = file_row_number AND ap_dv.ap_file = ",
                          (unsigned long long)view->number);
  append_file_number(out, view);
  ap_buffer_append_string(out, ")");
}

void ap_view_append_create(struct ap_buffer *out, const struct ap_view *view) {
  const struct ap_frame_binding *binding = view->binding;
  ap_buffer_append_string(out, "CREATE OR REPLACE VIEW ");
  append_name(out, binding);
  ap_buffer_append_string(out, " AS ");
  for (uint32_t i = 0; i < binding->part_count; i++) {
    if (i > 0) ap_buffer_append_string(out, " UNION ALL ");
    ap_native_append_select(out, &binding->parts[i], binding->schema);
  }
  if (binding->part_count > 0 && binding->cell_count == 0) return;
  if (binding->part_count > 0) ap_buffer_append_string(out, " UNION ALL ");
  ap_view_append_select(out, view, (struct ap_text){0});
}

void ap_view_append_drop(struct ap_buffer *out, const struct ap_bound_frame *frame) {
  struct ap_frame_binding name = {.hive = frame->hive, .box = frame->box, .name = frame->name};
  if (frame->view.size > 0) {
    ap_buffer_append_string(out, "DROP VIEW IF EXISTS ");
    append_name(out, &name);
    ap_buffer_append_string(out, "; ");
  }
  ap_buffer_append_format(out, "DROP TABLE IF EXISTS temp.main.ap_%llu_dv; RESET VARIABLE ap_%llu",
                          (unsigned long long)frame->number, (unsigned long long)frame->number);
}
