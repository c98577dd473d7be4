/* SPDX-License-Identifier: Apache-2.0
 *
 * See answer.h.
 * Thread: the arena's.
 */
#include "plan/answer.h"

#include "base/assert.h"
#include "base/limits.h"
#include "plan/prune_expr.h"

#include <string.h>

enum aggregate { COUNT_ROWS, COUNT_VALUES, MINIMUM, MAXIMUM };

struct column {
  enum aggregate aggregate;
  uint32_t field;
};

struct finder {
  struct ap_arena *arena;
  const struct ap_prune_frame *frame;
  uint64_t physical_schema_id;
  struct ap_prune_scopes scopes;
  struct column *columns;
  struct ap_constant *values;
  uint32_t count;
};

static struct ap_text text_of(const struct ap_json *node, const char *name) {
  struct ap_text text;
  if (!ap_json_get_text(node, name, (struct ap_text){0}, &text)) return (struct ap_text){0};
  return text;
}

static bool is_empty(const struct ap_json *list) {
  return list && list->kind == AP_JSON_ARRAY && list->count == 0;
}

/* SELECT ... FROM frame [WHERE ...] and nothing else. */
static const struct ap_json *plain_select(const struct ap_tree *tree) {
  const struct ap_json *statements = ap_json_find(tree->root, "statements");
  if (!statements || statements->kind != AP_JSON_ARRAY || statements->count != 1) return NULL;
  const struct ap_json *node = ap_json_find(&statements->items[0], "node");
  if (tree->reference_count != 1 || tree->references[0].sampled) return NULL;
  bool is_plain = ap_text_equal_string(text_of(node, "type"), "SELECT_NODE") &&
                  ap_json_find(node, "from_table") == tree->references[0].node &&
                  is_empty(ap_json_find(node, "modifiers")) &&
                  is_empty(ap_json_find(ap_json_find(node, "cte_map"), "map")) &&
                  is_empty(ap_json_find(node, "group_expressions")) &&
                  is_empty(ap_json_find(node, "group_sets")) &&
                  ap_text_equal_string(text_of(node, "aggregate_handling"), "STANDARD_HANDLING") &&
                  ap_json_is_null(ap_json_find(node, "having")) &&
                  ap_json_is_null(ap_json_find(node, "sample")) &&
                  ap_json_is_null(ap_json_find(node, "qualify"));
  return is_plain ? ap_json_find(node, "select_list") : NULL;
}

static bool is_plain_call(const struct ap_json *node) {
  bool distinct;
  bool exported;
  return ap_text_equal_string(text_of(node, "class"), "FUNCTION") &&
         text_of(node, "catalog").size == 0 && text_of(node, "schema").size == 0 &&
         ap_json_is_null(ap_json_find(node, "filter")) &&
         ap_json_get_bool(node, "distinct", true, &distinct) && !distinct &&
         ap_json_get_bool(node, "export_state", true, &exported) && !exported &&
         is_empty(ap_json_find(ap_json_find(node, "order_bys"), "orders"));
}

/* Whose least and greatest value statistics tell to the digit. */
static bool has_exact_bounds(const struct ap_type *type) {
  bool is_integer = type->kind >= AP_TYPE_INT8 && type->kind <= AP_TYPE_UINT64;
  bool is_time = type->kind == AP_TYPE_TIMESTAMP && type->unit == AP_UNIT_MICROSECOND;
  return is_integer || is_time || type->kind == AP_TYPE_DATE || type->kind == AP_TYPE_STRING;
}

static bool read_column(struct finder *finder, const struct ap_json *node, struct column *out) {
  struct ap_text name = text_of(node, "function_name");
  const struct ap_json *children = ap_json_find(node, "children");
  if (!is_plain_call(node) || !children || children->kind != AP_JSON_ARRAY) return false;
  if (ap_text_equal_string(name, "count_star")) {
    *out = (struct column){.aggregate = COUNT_ROWS};
    return children->count == 0;
  }
  bool is_count = ap_text_equal_string(name, "count");
  bool is_min = ap_text_equal_string(name, "min");
  if ((!is_count && !is_min && !ap_text_equal_string(name, "max")) || children->count != 1) {
    return false;
  }
  uint32_t reference;
  out->aggregate = is_count ? COUNT_VALUES : is_min ? MINIMUM : MAXIMUM;
  if (!ap_text_equal_string(text_of(&children->items[0], "class"), "COLUMN_REF") ||
      !ap_prune_scope_resolve(&finder->scopes, ap_json_find(&children->items[0], "column_names"),
                              &reference, &out->field)) {
    return false;
  }
  const struct ap_prune_frame *frame = finder->frame;
  for (uint32_t i = 0; i < frame->partition_column_count; i++) {
    if (frame->partition_columns[i] == out->field) return false;
  }
  return is_count || has_exact_bounds(&frame->schema->fields[out->field].type);
}

/* Texts of fewer characters than statistics keep have not been cut. No statement holds a NUL. */
static bool is_whole(const struct ap_value *value) {
  size_t characters = 0;
  if (value->kind == AP_VALUE_NONE) return false;
  if (value->kind != AP_VALUE_TEXT) return true;
  if (value->text.size > 0 && memchr(value->text.data, 0, value->text.size)) return false;
  for (size_t i = 0; i < value->text.size; i++) {
    characters += ((uint8_t)value->text.data[i] & 0xc0) != 0x80;
  }
  return characters < AP_STATISTICS_TEXT_CHARS;
}

static void add_count(struct ap_constant *total, int64_t count) {
  total->value.decimal += count;
}

/* False: the cell does not tell. */
static bool add_bound(const struct finder *finder, const struct column *column,
                      const struct ap_cell_statistics *statistics, struct ap_constant *total) {
  const struct ap_column_statistics *own = &statistics->columns[column->field];
  const struct ap_value *bound = column->aggregate == MINIMUM ? &own->min : &own->max;
  if (own->null_count < 0) return false;
  if (own->null_count == statistics->row_count) return true;
  if (!is_whole(bound)) return false;
  int order = 0;
  if (total->kind == AP_CONSTANT_VALUE && !ap_value_compare(bound, &total->value, &order)) {
    return false;
  }
  if (total->kind == AP_CONSTANT_NULL || (column->aggregate == MINIMUM ? order < 0 : order > 0)) {
    total->kind = AP_CONSTANT_VALUE;
    total->value = *bound;
    total->type = finder->frame->schema->fields[column->field].type;
  }
  return true;
}

static bool add_cell(const struct finder *finder, const struct ap_cell *cell,
                     const struct ap_cell_statistics *statistics) {
  bool has_deleted = cell->deletion_vector.storage_type != 0;
  if (!cell->own || cell->physical_schema_id != finder->physical_schema_id ||
      statistics->row_count < 0) {
    return false;
  }
  for (uint32_t i = 0; i < finder->count; i++) {
    const struct column *column = &finder->columns[i];
    if (column->aggregate == COUNT_ROWS) {
      int64_t deleted = has_deleted ? cell->deletion_vector.cardinality : 0;
      if (deleted < 0 || deleted > statistics->row_count) return false;
      add_count(&finder->values[i], statistics->row_count - deleted);
      continue;
    }
    if (has_deleted) return false;
    if (column->aggregate != COUNT_VALUES) {
      if (!add_bound(finder, column, statistics, &finder->values[i])) return false;
      continue;
    }
    int64_t nulls = statistics->columns[column->field].null_count;
    if (nulls < 0) return false;
    add_count(&finder->values[i], statistics->row_count - nulls);
  }
  return true;
}

static ap_status add_cells(struct finder *finder, const struct ap_prune_result *result,
                           bool *out_found, ap_error *err) {
  const struct ap_prune_frame *frame = finder->frame;
  *out_found = true;
  for (uint32_t i = 0; *out_found && i < result->kept_count; i++) {
    const struct ap_cell_statistics *statistics = NULL;
    struct ap_cell *cell = frame->cells[result->kept[i]];
    AP_TRY(ap_cell_statistics_get(cell, finder->arena, frame->schema, frame->schema_id,
                                  frame->physical_names, &statistics, err));
    *out_found = add_cell(finder, cell, statistics);
  }
  return AP_OK;
}

ap_status ap_answer_find(struct ap_arena *arena, const struct ap_tree *tree,
                         const struct ap_prune_frame *frame, uint64_t physical_schema_id,
                         const struct ap_prune_result *result, bool *out_found,
                         struct ap_constant **out_values, uint32_t *out_count, ap_error *err) {
  *out_found = false;
  const struct ap_json *list = result->decided && tree->root ? plain_select(tree) : NULL;
  if (!list || list->kind != AP_JSON_ARRAY || list->count == 0) return AP_OK;
  struct finder finder = {.arena = arena,
                          .frame = frame,
                          .physical_schema_id = physical_schema_id,
                          .columns = AP_ARENA_ARRAY(arena, struct column, list->count),
                          .values = AP_ARENA_ARRAY(arena, struct ap_constant, list->count),
                          .count = list->count};
  if (!finder.columns || !finder.values) return AP_FAIL_MEMORY(err);
  const struct ap_prune_frame *frames[] = {frame};
  const struct ap_filter filter = {.from = tree->references[0].node};
  AP_TRY(ap_prune_scope_make(arena, tree, frames, &filter, &finder.scopes, err));
  for (uint32_t i = 0; i < list->count; i++) {
    struct ap_constant *value = &finder.values[i];
    if (!read_column(&finder, &list->items[i], &finder.columns[i])) return AP_OK;
    bool counts = finder.columns[i].aggregate <= COUNT_VALUES;
    value->kind = counts ? AP_CONSTANT_VALUE : AP_CONSTANT_NULL;
    value->type = (struct ap_type){.kind = AP_TYPE_INT64};
    if (counts) {
      value->value = (struct ap_value){.kind = AP_VALUE_INTEGER};
    } else {
      value->type = frame->schema->fields[finder.columns[i].field].type;
    }
  }
  *out_values = finder.values;
  *out_count = finder.count;
  return add_cells(&finder, result, out_found, err);
}

static const char *type_word(enum ap_type_kind kind) {
  static const char *const words[] = {
      [AP_TYPE_INT8] = "TINYINT",       [AP_TYPE_INT16] = "SMALLINT",
      [AP_TYPE_INT32] = "INTEGER",      [AP_TYPE_INT64] = "BIGINT",
      [AP_TYPE_UINT8] = "UTINYINT",     [AP_TYPE_UINT16] = "USMALLINT",
      [AP_TYPE_UINT32] = "UINTEGER",    [AP_TYPE_UINT64] = "UBIGINT",
      [AP_TYPE_DATE] = "DATE",          [AP_TYPE_STRING] = "VARCHAR",
      [AP_TYPE_TIMESTAMP] = "TIMESTAMP"};
  AP_ASSERT((size_t)kind < sizeof(words) / sizeof(*words) && words[kind]);
  return words[kind];
}

static void append_quoted(struct ap_buffer *out, struct ap_text text) {
  ap_buffer_append(out, "'", 1);
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] == '\'') ap_buffer_append(out, "'", 1);
    ap_buffer_append(out, text.data + i, 1);
  }
  ap_buffer_append(out, "'", 1);
}

void ap_answer_write(struct ap_buffer *out, const struct ap_constant *values,
                     const struct ap_text *names, uint32_t count) {
  struct ap_buffer text;
  ap_buffer_init(&text, ap_allocator_system());
  ap_buffer_append_string(out, "SELECT ");
  for (uint32_t i = 0; i < count; i++) {
    ap_buffer_append_string(out, i > 0 ? ", CAST(" : "CAST(");
    ap_buffer_clear(&text);
    if (values[i].kind == AP_CONSTANT_VALUE) ap_value_append_text(&text, &values[i].value);
    if (text.failed) out->failed = true;
    if (values[i].kind == AP_CONSTANT_VALUE) {
      append_quoted(out, ap_buffer_text(&text));
    } else {
      ap_buffer_append_string(out, "NULL");
    }
    ap_buffer_append_format(out, " AS %s) AS ", type_word(values[i].type.kind));
    ap_buffer_append_identifier(out, names[i]);
  }
  ap_buffer_deinit(&text);
}
