/* SPDX-License-Identifier: Apache-2.0
 *
 * See change.h: INSERT. The rows of a query, or of VALUES, become a query with the frame's columns
 * in their types, which goes to the engine's writer as it is.
 */
#include "execute/change.h"

#include "base/assert.h"

#include <stdio.h>

/* ---- which columns --------------------------------------------------------------------------- */

static ap_status take_place(struct ap_change *change, struct ap_change_rows_given *insert,
                            uint32_t column, uint32_t place, ap_error *err) {
  const struct ap_field *field = &change->snapshot->schema.fields[column];
  if (insert->places[column] >= 0) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "column '%.*s' is named twice",
                   AP_TEXT_ARG(field->name));
  }
  if (ap_change_is_generated(change, column)) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT,
                   "frame %s: column '%.*s' is generated and cannot be set", change->full_name,
                   AP_TEXT_ARG(field->name));
  }
  insert->places[column] = (int32_t)place;
  return AP_OK;
}

static ap_status check_width(const struct ap_change *change, uint32_t expected, uint32_t found,
                             ap_error *err) {
  if (expected == found) return AP_OK;
  ap_status status =
      AP_FAIL(err, AP_SCHEMA_MISMATCH, "INSERT INTO %s: %u columns are expected, the rows have %u",
              change->full_name, expected, found);
  ap_error_hint(err, change->spec->column_count > 0
                         ? "give a value for each column that is named"
                         : "name the columns that the rows have: INSERT INTO f (a, b) ..., or say "
                           "BY NAME");
  return status;
}

/* Columns in the frame's order, but for generated ones. */
static ap_status place_in_order(struct ap_change *change, struct ap_change_rows_given *insert,
                                ap_error *err) {
  const struct ap_schema *schema = &change->snapshot->schema;
  uint32_t place = 0;
  for (uint32_t i = 0; i < schema->field_count; ++i) {
    if (!ap_change_is_generated(change, i)) insert->places[i] = (int32_t)place++;
  }
  return check_width(change, place, insert->given.field_count, err);
}

static ap_status place_columns(struct ap_change *change, struct ap_change_rows_given *insert,
                               ap_error *err) {
  const struct ap_change_statement *spec = change->spec;
  uint32_t count = change->snapshot->schema.field_count;
  insert->places = AP_ARENA_ARRAY(&change->arena, int32_t, count);
  if (insert->places == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < count; ++i) insert->places[i] = -1;
  if (spec->default_values) return AP_OK;
  if (!spec->by_name && spec->column_count == 0) return place_in_order(change, insert, err);
  if (!spec->by_name) {
    AP_TRY(check_width(change, spec->column_count, insert->given.field_count, err));
  }
  for (uint32_t i = 0; i < insert->given.field_count; ++i) {
    struct ap_text name = spec->by_name ? insert->given.fields[i].name : spec->columns[i];
    int32_t column = ap_change_find_column(change, name, err);
    if (column < 0) return AP_SCHEMA_MISMATCH;
    AP_TRY(take_place(change, insert, (uint32_t)column, i, err));
  }
  return AP_OK;
}

/* ---- texts ----------------------------------------------------------------------------------- */

/* The column that DEFAULT at some position of VALUES stands for. */
static int32_t default_column(const struct ap_change *change, uint32_t position) {
  const struct ap_change_statement *spec = change->spec;
  const struct ap_schema *schema = &change->snapshot->schema;
  if (spec->column_count > 0) {
    return position < spec->column_count ? ap_schema_find(schema, spec->columns[position]) : -1;
  }
  for (uint32_t i = 0; i < schema->field_count; ++i) {
    if (ap_change_is_generated(change, i)) continue;
    if (position == 0) return (int32_t)i;
    --position;
  }
  return -1;
}

/* VALUES, each DEFAULT in it replaced. */
static void add_query(struct ap_change *change) {
  const struct ap_change_statement *spec = change->spec;
  struct ap_composition *out = &change->composition;
  const char *done = spec->query.data;
  const char *end = spec->query.data + spec->query.size;
  for (uint32_t i = 0; i < spec->default_count; ++i) {
    const struct ap_change_default *given = &spec->defaults[i];
    struct ap_text expression = AP_TEXT("NULL");
    int32_t column = default_column(change, given->position);
    if (column >= 0) expression = ap_change_default(change, (uint32_t)column);
    ap_composition_piece(out, (struct ap_text){done, (size_t)(given->place.data - done)});
    ap_composition_add(out, "(");
    ap_buffer_append_text(&out->text, expression);
    ap_composition_add(out, "\n)");
    done = given->place.data + given->place.size;
  }
  ap_composition_piece(out, (struct ap_text){done, (size_t)(end - done)});
}

ap_status ap_change_compose_rows(struct ap_change *change, ap_error *err) {
  const struct ap_change_statement *spec = change->spec;
  struct ap_composition *out = &change->composition;
  if (spec->default_values) {
    ap_composition_add(out, "SELECT 1");
    return ap_composition_check(out, err);
  }
  if (spec->with.size > 0) {
    ap_composition_piece(out, spec->with);
    ap_composition_add(out, "SELECT * FROM (");
  }
  add_query(change);
  if (spec->with.size > 0) ap_composition_add(out, ") AS ap_rows");
  return ap_composition_check(out, err);
}

/* Types that look in Arrow like another one of the engine's (UHUGEINT, UUID, ...) are cast, too. */
static void append_value(struct ap_buffer *out, const struct ap_change *change,
                         const struct ap_change_rows_given *insert, uint32_t column) {
  const struct ap_field *field = &change->snapshot->schema.fields[column];
  char name[24];
  if (insert->places[column] < 0) {
    ap_buffer_append_string(out, "CAST((");
    ap_buffer_append_text(out, ap_change_default(change, column));
    ap_buffer_append_string(out, "\n) AS ");
    ap_type_append_sql(out, &field->type);
    ap_buffer_append_string(out, ")");
    return;
  }
  (void)snprintf(name, sizeof name, "c%d", insert->places[column]);
  if (ap_type_equal(&insert->given.fields[insert->places[column]].type, &field->type)) {
    ap_buffer_append_format(out, "CAST(%s AS ", name);
    ap_type_append_sql(out, &field->type);
    ap_buffer_append_string(out, ")");
    return;
  }
  ap_engine_append_assignment(out, ap_text_of(change->full_name), field, ap_text_of(name));
}

static ap_status compose_rows(const struct ap_change *change,
                              const struct ap_change_rows_given *insert, struct ap_buffer *out,
                              ap_error *err) {
  const struct ap_schema *schema = &change->snapshot->schema;
  ap_buffer_append_string(out, "SELECT ");
  bool first = true;
  for (uint32_t i = 0; i < schema->field_count; ++i) {
    if (insert->places[i] < 0 && ap_change_is_generated(change, i)) continue;
    if (!first) ap_buffer_append_string(out, ", ");
    first = false;
    append_value(out, change, insert, i);
    ap_buffer_append_string(out, " AS ");
    ap_buffer_append_identifier(out, schema->fields[i].name);
  }
  ap_buffer_append_string(out, " FROM (\n");
  ap_buffer_append_text(out, insert->query);
  ap_buffer_append_string(out, "\n) AS ap_rows(");
  for (uint32_t i = 0; i < insert->given.field_count; ++i) {
    ap_buffer_append_format(out, i > 0 ? ", c%u" : "c%u", i);
  }
  ap_buffer_append_string(out, ")");
  return ap_buffer_check(out, err);
}

/* ---- the whole ------------------------------------------------------------------------------- */

bool ap_change_reads_itself(const struct ap_change *change) {
  const struct ap_choices *choices = ap_query_prepared_choices(change->prepared);
  for (uint32_t i = 0; i < choices->count; ++i) {
    const struct ap_resolved *item = choices->items[i].resolved;
    if (!item->is_past && ap_text_equal(item->frame->entry.id, change->frame->entry.id)) {
      return true;
    }
  }
  return false;
}

static ap_status write_rows(struct ap_change *change, const struct ap_change_rows_given *insert,
                            ap_error *err) {
  struct ap_buffer sql;
  ap_buffer_init(&sql, ap_node_env(change->node)->allocator);
  ap_status status = compose_rows(change, insert, &sql, err);
  if (status == AP_OK) {
    const struct ap_cell_source source = {.query = ap_buffer_text(&sql)};
    status = ap_staged_write(change->node, ap_query_prepared_chamber(change->prepared),
                             change->full_name, change->snapshot, &source,
                             change->run->request->control, &change->staged, &change->arena, err);
  }
  ap_buffer_deinit(&sql);
  return status;
}

/* Of which type a parameter's column is, is known once it has its value: the rows go into a table
 * first. */
static ap_status take_rows(struct ap_change *change, struct ap_change_rows_given *insert,
                           ap_error *err) {
  struct ap_chamber *chamber = ap_query_prepared_chamber(change->prepared);
  uint32_t count = 0;
  const struct ap_parameter *parameters = ap_query_prepared_parameters(change->prepared, &count);
  ap_status status = AP_OK;
  insert->query = ap_query_prepared_text(change->prepared);
  if (count > 0) {
    status = ap_chamber_fill(chamber, AP_ROWS_TABLE, insert->query, parameters, count,
                             change->run->request->control, err);
    insert->query = AP_TEXT("FROM temp.main." AP_ROWS_TABLE);
  }
  if (status == AP_OK) {
    status = ap_chamber_describe(chamber, insert->query, &change->arena, &insert->given, err);
  }
  status = ap_query_prepared_explain(change->prepared, status, err);
  return ap_change_explain(change, count > 0 ? 1 : 0, status, err);
}

ap_status ap_change_take_rows(struct ap_change *change, struct ap_change_rows_given *insert,
                              ap_error *err) {
  AP_TRY(ap_change_compose_rows(change, err));
  AP_TRY(ap_change_prepare(change, ap_buffer_text(&change->composition.text), change->pins, err));
  return take_rows(change, insert, err);
}

ap_status ap_change_write_rows(struct ap_change *change, struct ap_change_rows_given *insert,
                               ap_error *err) {
  AP_TRY(place_columns(change, insert, err));
  AP_TRY(write_rows(change, insert, err));
  for (uint32_t i = 0; i < change->staged.count; ++i) {
    change->counts.inserted += change->staged.drafts[i].row_count;
  }
  return AP_OK;
}

void ap_change_close_rows(struct ap_change *change) {
  uint32_t parameter_count = 0;
  (void)ap_change_parameters(change, &parameter_count);
  if (change->prepared == NULL) return;
  if (parameter_count > 0) {
    ap_chamber_empty(ap_query_prepared_chamber(change->prepared), AP_ROWS_TABLE);
  }
  ap_query_prepared_release_chamber(change->prepared);
}

ap_status ap_change_insert(struct ap_change *change, ap_error *err) {
  struct ap_change_rows_given insert = {0};
  ap_status status = ap_change_take_rows(change, &insert, err);
  if (status == AP_OK) status = ap_change_write_rows(change, &insert, err);
  ap_change_close_rows(change);
  if (status != AP_OK) return status;
  change->reads_all = ap_change_reads_itself(change);
  return change->spec->overwrites ? ap_change_remove_all(change, err) : AP_OK;
}
