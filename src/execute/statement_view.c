/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements about views: CREATE, DROP, DESCRIBE. A view is created by asking the
 * engine for the columns of its query, through all that any query goes through.
 * Thread: the session's.
 */
#include "arrow/rows.h"
#include "base/assert.h"
#include "execute/report.h"
#include "execute/statement_run.h"
#include "execute/view.h"
#include "plan/tokenizer.h"

/* ---- CREATE ---------------------------------------------------------------------------------- */

/* The text in a row of a column of strings. */
static struct ap_text text_at(const struct ArrowArrayView *column, int64_t row) {
  struct ArrowStringView view = ArrowArrayViewGetStringUnsafe(column, row);
  return (struct ap_text){view.data, (size_t)view.size_bytes};
}

static ap_status keep_text(struct ap_arena *arena, struct ap_text text, struct ap_text *out_text,
                           ap_error *err) {
  const char *copy = ap_arena_copy(arena, text);
  if (copy == NULL) return AP_FAIL_MEMORY(err);
  *out_text = (struct ap_text){copy, text.size};
  return AP_OK;
}

struct columns {
  struct ap_view_column *items;
  uint32_t count;
  uint32_t capacity;
};

/* column_name and column_type are the first two columns of DESCRIBE's answer. */
static ap_status take_batch(struct ap_arena *arena, const struct ArrowSchema *schema,
                            const struct ArrowArray *array, struct columns *columns,
                            ap_error *err) {
  struct ArrowArrayView view;
  if (ArrowArrayViewInitFromSchema(&view, schema, NULL) != NANOARROW_OK) {
    return AP_FAIL_MEMORY(err);
  }
  ap_status status = AP_OK;
  if (ArrowArrayViewSetArray(&view, array, NULL) != NANOARROW_OK || view.n_children < 2) {
    status = AP_FAIL(err, AP_INTERNAL, "DESCRIBE gave no columns");
  }
  for (int64_t row = 0; row < array->length && status == AP_OK; ++row) {
    if (columns->count == columns->capacity) {
      status = AP_FAIL(err, AP_UNSUPPORTED, "a view of more than %u columns", columns->capacity);
      break;
    }
    struct ap_view_column *column = &columns->items[columns->count++];
    status = keep_text(arena, text_at(view.children[0], row), &column->source, err);
    if (status == AP_OK) {
      status = keep_text(arena, text_at(view.children[1], row), &column->type, err);
    }
    column->name = column->source;
  }
  ArrowArrayViewReset(&view);
  return status;
}

static ap_status read_columns(struct ap_arena *arena, struct ArrowArrayStream *stream,
                              struct columns *columns, ap_error *err) {
  struct ArrowSchema schema = {0};
  struct ArrowArray array = {0};
  ap_status status = ap_stream_schema(stream, &schema, err);
  while (status == AP_OK) {
    status = ap_stream_next(stream, &array, err);
    if (status != AP_OK || array.release == NULL) break;
    status = take_batch(arena, &schema, &array, columns, err);
    ap_array_release(&array);
  }
  ap_schema_release(&schema);
  return status;
}

/* The columns of the query, as the engine tells them. */
static ap_status ask_columns(struct ap_statement_run *run, const struct ap_frame_entry *entry,
                             struct columns *columns, ap_error *err) {
  const struct ap_statement *statement = run->statement;
  const struct ap_view_chain within = {.entry = entry};
  struct ArrowArrayStream stream = {0};
  const size_t head = sizeof("DESCRIBE ") - 1;
  struct ap_buffer sql;
  ap_buffer_init(&sql, run->arena->allocator);
  ap_buffer_append_string(&sql, "DESCRIBE SELECT * FROM (");
  ap_buffer_append_text(&sql, statement->body);
  ap_buffer_append_string(&sql, "\n)");
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) {
    const struct ap_query_request query = {
        .text = ap_buffer_text(&sql),
        .body = {sql.data + head, sql.size - head},
        .hive = ap_text_of(run->session->hive),
        .box = ap_text_of(run->session->box),
        .within = &within,
        .control = run->request->control,
        .account = &run->session->account,
    };
    status = ap_query(run->session->node, &query, NULL, &stream, err);
  }
  /* The place of an error is one in the view's text. */
  const uint32_t before = (uint32_t)sizeof("SELECT * FROM (") - 1;
  if (status != AP_OK && err != NULL && err->position > 0) {
    err->position = err->position > before ? err->position - before : 0;
  }
  columns->capacity = AP_COLUMNS_MAX;
  columns->items = AP_ARENA_ARRAY(run->arena, struct ap_view_column, AP_COLUMNS_MAX);
  if (status == AP_OK && columns->items == NULL) status = AP_FAIL_MEMORY(err);
  if (status == AP_OK) status = read_columns(run->arena, &stream, columns, err);
  if (stream.release != NULL) ap_stream_release(&stream);
  ap_buffer_deinit(&sql);
  return status;
}

static ap_status check_names(const struct columns *columns, ap_error *err) {
  for (uint32_t i = 0; i < columns->count; ++i) {
    for (uint32_t k = 0; k < i; ++k) {
      if (!ap_text_equal_ignoring_case(columns->items[i].name, columns->items[k].name)) continue;
      ap_status status = AP_FAIL(err, AP_INVALID_ARGUMENT, "column '%.*s' stands in the view twice",
                                 AP_TEXT_ARG(columns->items[i].name));
      ap_error_hint(err, "name the columns: CREATE VIEW v (a, b) AS ..., or SELECT x AS a");
      return status;
    }
  }
  return AP_OK;
}

/* The names behind the view's own, for the first columns or all. */
static ap_status name_columns(const struct ap_statement *statement, struct columns *columns,
                              ap_error *err) {
  if (statement->column_count > columns->count) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "%u names for the %u columns of the query",
                   statement->column_count, columns->count);
  }
  for (uint32_t i = 0; i < statement->column_count; ++i) {
    columns->items[i].name = statement->columns[i].name;
  }
  return check_names(columns, err);
}

static ap_status add_view(struct ap_statement_run *run, const struct ap_frame_entry *entry,
                          const struct columns *columns, ap_error *err) {
  const struct ap_statement *statement = run->statement;
  const struct ap_view_definition view = {
      .sql = statement->body,
      .hive = ap_text_of(run->session->hive),
      .box = ap_text_of(run->session->box),
      .columns = columns->items,
      .column_count = columns->count,
  };
  struct ap_buffer text;
  ap_buffer_init(&text, run->arena->allocator);
  ap_view_write(&text, &view);
  ap_status status = ap_buffer_check(&text, err);
  if (status == AP_OK) {
    status = ap_catalog_add_view(ap_node_catalog(run->session->node), entry->hive, entry->box,
                                 entry->name, ap_buffer_text(&text), statement->or_replace,
                                 statement->if_not_exists, err);
  }
  ap_buffer_deinit(&text);
  return status;
}

/* Texts of the entry end with a NUL, as those of the catalog do. */
static ap_status name_view(struct ap_statement_run *run, struct ap_frame_entry *out_entry,
                           ap_error *err) {
  *out_entry = (struct ap_frame_entry){0};
  AP_TRY(ap_run_frame_name(run, &out_entry->hive, &out_entry->box, &out_entry->name, err));
  AP_TRY(keep_text(run->arena, out_entry->hive, &out_entry->hive, err));
  AP_TRY(keep_text(run->arena, out_entry->box, &out_entry->box, err));
  return keep_text(run->arena, out_entry->name, &out_entry->name, err);
}

ap_status ap_run_create_view(struct ap_statement_run *run, struct ArrowArrayStream *out,
                             ap_error *err) {
  const struct ap_statement *statement = run->statement;
  struct ap_frame_entry entry;
  struct ap_frame_entry old;
  struct columns columns = {0};
  bool found = false;
  AP_TRY(name_view(run, &entry, err));
  AP_TRY(ap_catalog_look_up(ap_node_catalog(run->session->node), entry.hive, entry.box, entry.name,
                            run->arena, &old, &found, err));
  if (!found || old.view.size == 0 || !statement->if_not_exists) {
    if (ap_text_has_parameter(run->arena, statement->body)) {
      return AP_FAIL(err, AP_UNSUPPORTED, "a view with parameters");
    }
    ap_status status = ask_columns(run, &entry, &columns, err);
    if (status == AP_OK) status = name_columns(statement, &columns, err);
    if (status == AP_OK) status = add_view(run, &entry, &columns, err);
    if (status != AP_OK) return status;
  }
  return ap_answer_message(out, err, "created view %s.%s.%s", entry.hive.data, entry.box.data,
                           entry.name.data);
}

/* ---- DROP ------------------------------------------------------------------------------------ */

ap_status ap_run_drop_view(struct ap_statement_run *run, struct ArrowArrayStream *out,
                           ap_error *err) {
  struct ap_text hive;
  struct ap_text box;
  struct ap_text view;
  AP_TRY(ap_run_frame_name(run, &hive, &box, &view, err));
  AP_TRY(ap_catalog_drop_view(ap_node_catalog(run->session->node), hive, box, view,
                              run->statement->if_exists, err));
  return ap_answer_message(out, err, "dropped %.*s", AP_TEXT_ARG(view));
}

/* ---- DESCRIBE -------------------------------------------------------------------------------- */

static void append_view_columns(struct ap_buffer *out, const struct ap_view_definition *view) {
  for (uint32_t i = 0; i < view->column_count; ++i) {
    if (i > 0) ap_buffer_append_string(out, ", ");
    ap_buffer_append_text(out, view->columns[i].name);
    ap_buffer_append_string(out, " ");
    ap_buffer_append_text(out, view->columns[i].type);
  }
}

static void property(struct ap_rows *rows, const char *name, struct ap_text value) {
  ap_rows_text(rows, ap_text_of(name));
  ap_rows_text(rows, value);
}

ap_status ap_answer_describe_view(struct ap_statement_run *run, const struct ap_frame_entry *entry,
                                  struct ArrowArrayStream *out, ap_error *err) {
  const struct ap_rows_column columns[] = {{"property", AP_ROWS_TEXT}, {"value", AP_ROWS_TEXT}};
  struct ap_view_definition view;
  struct ap_rows rows = {0};
  struct ap_buffer text;
  AP_TRY(ap_view_read(run->arena, entry, &view, err));
  ap_buffer_init(&text, run->arena->allocator);
  append_view_columns(&text, &view);
  ap_status status = ap_buffer_check(&text, err);
  if (status == AP_OK) status = ap_rows_init(&rows, columns, 2, err);
  if (status == AP_OK) {
    property(&rows, "schema", ap_buffer_text(&text));
    property(&rows, "view", view.sql);
    property(&rows, "hive_in_use", view.hive);
    property(&rows, "box_in_use", view.box);
    status = ap_rows_finish(&rows, out, err);
  }
  ap_rows_deinit(&rows);
  ap_buffer_deinit(&text);
  return status;
}
