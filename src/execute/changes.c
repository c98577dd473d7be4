/* SPDX-License-Identifier: Apache-2.0
 *
 * See changes.h. Cells and change files are bound as two views whose partition columns are the
 * frame's and, besides, what is the same for all rows of a file: version and time, and for cells
 * the kind of change.
 */
#include "execute/changes.h"

#include "base/limits.h"
#include "execute/report.h"
#include "execute/resolve.h"
#include "ledger/changes.h"

#include <inttypes.h>

enum { TYPE, VERSION, TIMESTAMP, EXTRA_COUNT };

struct changes_run {
  struct ap_node *node;
  const struct ap_changes_request *request;
  struct ap_arena arena;
  struct ap_frame *frame;
  struct ap_snapshot *end;
  int64_t from;
  struct ap_change_feed feed;
  struct ap_schema schema;   /* the frame's and the extra columns */
  struct ap_schema physical; /* likewise */
  struct ap_cell **cells;    /* made here, of the view that is being bound */
  uint32_t cell_count;
};

/* ---- which versions -------------------------------------------------------------------------- */

/* The first version not before a time. */
static ap_status version_from_time(struct changes_run *run, struct ap_text time, ap_error *err) {
  int64_t ms = 0;
  struct ap_snapshot *found = NULL;
  ap_error missing = {0};
  AP_TRY(ap_parse_timestamp_ms(time, &ms, err));
  ap_status status = ap_ledger_snapshot(run->frame->ledger, AP_AT_TIMESTAMP, ms, &found, &missing);
  if (status == AP_NOT_FOUND) {
    run->from = 0; /* the time lies before the first version */
    return AP_OK;
  }
  if (status != AP_OK) {
    if (err != NULL) *err = missing;
    return status;
  }
  run->from = found->version + (found->timestamp_ms < ms ? 1 : 0);
  ap_snapshot_release(found);
  return AP_OK;
}

static ap_status find_versions(struct changes_run *run, ap_error *err) {
  const struct ap_changes_request *request = run->request;
  enum ap_snapshot_at at = AP_AT_LATEST;
  int64_t value = 0;
  if (request->to_version >= 0) {
    at = AP_AT_VERSION;
    value = request->to_version;
  } else if (request->to_time.size > 0) {
    at = AP_AT_TIMESTAMP;
    AP_TRY(ap_parse_timestamp_ms(request->to_time, &value, err));
  }
  AP_TRY(ap_ledger_snapshot(run->frame->ledger, at, value, &run->end, err));
  run->from = request->from_version;
  if (run->from < 0) AP_TRY(version_from_time(run, request->from_time, err));
  return AP_OK;
}

/* ---- columns --------------------------------------------------------------------------------- */

static ap_status extend(struct changes_run *run, const struct ap_schema *schema,
                        struct ap_schema *out_schema, ap_error *err) {
  static const struct ap_field extra[EXTRA_COUNT] = {
      [TYPE] = {{"_change_type", 12}, {.kind = AP_TYPE_STRING}, true, NULL},
      [VERSION] = {{"_commit_version", 15}, {.kind = AP_TYPE_INT64}, true, NULL},
      [TIMESTAMP] = {{"_commit_timestamp", 17}, {.kind = AP_TYPE_TIMESTAMP_TZ}, true, NULL},
  };
  uint32_t count = schema->field_count;
  struct ap_field *fields = AP_ARENA_ARRAY(&run->arena, struct ap_field, count + EXTRA_COUNT);
  if (fields == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < count; ++i) fields[i] = schema->fields[i];
  for (uint32_t i = 0; i < EXTRA_COUNT; ++i) {
    if (ap_schema_find(schema, extra[i].name) >= 0) {
      return AP_FAIL(err, AP_UNSUPPORTED, "the frame has a column '%.*s' of its own",
                     AP_TEXT_ARG(extra[i].name));
    }
    fields[count + i] = extra[i];
  }
  *out_schema = (struct ap_schema){count + EXTRA_COUNT, fields};
  return AP_OK;
}

/* ---- cells ----------------------------------------------------------------------------------- */

static ap_status text_of_time(struct changes_run *run, int64_t ms, struct ap_text *out_text,
                              ap_error *err) {
  struct ap_buffer text;
  ap_buffer_init(&text, run->arena.allocator);
  ap_append_rfc3339(&text, ms);
  ap_status status = ap_buffer_check(&text, err);
  const char *copy = status == AP_OK ? ap_arena_copy(&run->arena, ap_buffer_text(&text)) : NULL;
  *out_text = (struct ap_text){copy, copy == NULL ? 0 : text.size};
  ap_buffer_deinit(&text);
  return status == AP_OK && copy == NULL ? AP_FAIL_MEMORY(err) : status;
}

/* The cell again, with the values of the extra columns behind its own. */
static ap_status make_cell(struct changes_run *run, const struct ap_changed_cell *change,
                           struct ap_cell **out_cell, ap_error *err) {
  const struct ap_cell *cell = change->cell;
  struct ap_partition_value values[AP_PARTITION_COLUMNS_MAX + EXTRA_COUNT];
  uint32_t count = 0;
  for (; count < cell->partition_count; ++count) values[count] = cell->partition_values[count];
  if (change->kind != AP_CHANGE_TOLD) {
    values[count++] = (struct ap_partition_value){
        .text = change->kind == AP_CHANGE_INSERTED ? AP_TEXT("insert") : AP_TEXT("delete")};
  }
  const char *version = ap_arena_format(&run->arena, "%" PRId64, change->version);
  if (version == NULL) return AP_FAIL_MEMORY(err);
  values[count++] = (struct ap_partition_value){.text = ap_text_of(version)};
  values[count] = (struct ap_partition_value){.is_null = false};
  AP_TRY(text_of_time(run, change->timestamp_ms, &values[count].text, err));
  const struct ap_cell_parts parts = {.path = cell->path,
                                      .size_bytes = cell->size_bytes,
                                      .partition_count = count + 1,
                                      .partition_values = values,
                                      .tags_json = cell->tags_json};
  return ap_cell_create(ap_node_env(run->node)->allocator, &parts, out_cell, err);
}

static void release_cells(struct changes_run *run) {
  for (uint32_t i = 0; i < run->cell_count; ++i) ap_cell_release(run->cells[i]);
  run->cell_count = 0;
}

/* The files of one view: change files, or cells. */
static ap_status gather(struct changes_run *run, bool told, struct ap_frame_binding *binding,
                        ap_error *err) {
  uint32_t count = run->feed.count;
  const uint64_t **rows = AP_ARENA_ARRAY(&run->arena, const uint64_t *, count + 1);
  uint64_t *row_counts = AP_ARENA_ARRAY(&run->arena, uint64_t, count + 1);
  run->cells = AP_ARENA_ARRAY(&run->arena, struct ap_cell *, count + 1);
  if (rows == NULL || row_counts == NULL || run->cells == NULL) return AP_FAIL_MEMORY(err);
  bool hides = false;
  for (uint32_t i = 0; i < count; ++i) {
    const struct ap_changed_cell *change = &run->feed.items[i];
    if ((change->kind == AP_CHANGE_TOLD) != told) continue;
    AP_TRY(make_cell(run, change, &run->cells[run->cell_count], err));
    rows[run->cell_count] = change->hidden_rows;
    row_counts[run->cell_count] = change->hidden_count;
    hides |= change->hidden_count > 0;
    run->cell_count += 1;
  }
  binding->cells = run->cells;
  binding->cell_count = run->cell_count;
  binding->deleted_rows = hides ? rows : NULL;
  binding->deleted_row_counts = row_counts;
  return AP_OK;
}

static ap_status bind(struct changes_run *run, struct ap_chamber *chamber, bool told,
                      struct ap_text folder, struct ap_text view_name, ap_error *err) {
  const struct ap_snapshot *end = run->end;
  uint32_t first = told ? VERSION : TYPE; /* change files hold their type themselves */
  uint32_t count = end->partition_column_count;
  uint32_t *partition_columns = AP_ARENA_ARRAY(&run->arena, uint32_t, (size_t)count + EXTRA_COUNT);
  if (partition_columns == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < count; ++i) partition_columns[i] = end->partition_columns[i];
  for (uint32_t i = first; i < EXTRA_COUNT; ++i) {
    partition_columns[count++] = end->schema.field_count + i;
  }
  struct ap_frame_binding binding = {
      .hive = run->frame->entry.hive,
      .box = run->frame->entry.box,
      .name = view_name,
      .folder = folder,
      .schema = &run->schema,
      .physical = &run->physical,
      .schema_id = ap_schema_id(&run->schema),
      .physical_schema_id = told ? ap_schema_id(&run->physical) : end->physical_schema_id,
      .map_by_id = end->mapping == AP_MAPPING_ID,
      .partition_columns = partition_columns,
      .partition_column_count = count,
  };
  ap_status status = gather(run, told, &binding, err);
  if (status == AP_OK) status = ap_chamber_bind_frame(chamber, &binding, err);
  release_cells(run);
  return status;
}

/* ---- the query ------------------------------------------------------------------------------- */

static void append_view(struct ap_buffer *sql, const struct changes_run *run,
                        struct ap_text view_name) {
  ap_buffer_append_string(sql, "SELECT * FROM ");
  ap_buffer_append_identifier(sql, run->frame->entry.hive);
  ap_buffer_append_string(sql, ".");
  ap_buffer_append_identifier(sql, run->frame->entry.box);
  ap_buffer_append_string(sql, ".");
  ap_buffer_append_identifier(sql, view_name);
}

static ap_status query(struct changes_run *run, struct ap_text folder, struct ArrowArrayStream *out,
                       ap_error *err) {
  /* no frame can be called so */
  const char *cells = ap_arena_format(&run->arena,
                                      "%s\x1f"
                                      "changes",
                                      run->frame->entry.name.data);
  const char *told = ap_arena_format(&run->arena,
                                     "%s\x1f"
                                     "told",
                                     run->frame->entry.name.data);
  struct ap_chamber *chamber = NULL;
  struct ap_buffer sql;
  if (cells == NULL || told == NULL) return AP_FAIL_MEMORY(err);
  AP_TRY(ap_bee_acquire(run->node, run->request->account, AP_WORK_QUERY, run->request->control,
                        &chamber, err));
  ap_buffer_init(&sql, ap_node_env(run->node)->allocator);
  append_view(&sql, run, ap_text_of(cells));
  ap_buffer_append_string(&sql, " UNION ALL ");
  append_view(&sql, run, ap_text_of(told));
  ap_buffer_append_string(&sql, " ORDER BY _commit_version");
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) status = bind(run, chamber, false, folder, ap_text_of(cells), err);
  if (status == AP_OK) status = bind(run, chamber, true, folder, ap_text_of(told), err);
  if (status == AP_OK) {
    status =
        ap_chamber_query(chamber, ap_buffer_text(&sql), NULL, 0, run->request->control, out, err);
  } else {
    ap_chamber_release(chamber);
  }
  ap_buffer_deinit(&sql);
  return status;
}

static ap_status run_changes(struct changes_run *run, struct ArrowArrayStream *out, ap_error *err) {
  struct ap_buffer folder;
  AP_TRY(find_versions(run, err));
  AP_TRY(ap_ledger_changes(run->frame->ledger, run->end, run->from, &run->arena, &run->feed, err));
  AP_TRY(extend(run, &run->end->schema, &run->schema, err));
  AP_TRY(extend(run, &run->end->physical, &run->physical, err));
  ap_buffer_init(&folder, ap_node_env(run->node)->allocator);
  ap_status status =
      ap_store_local_path(ap_node_store(run->node), run->frame->entry.location, &folder, err);
  if (status == AP_OK) status = query(run, ap_buffer_text(&folder), out, err);
  ap_buffer_deinit(&folder);
  return status;
}

ap_status ap_changes(struct ap_node *node, const struct ap_changes_request *request,
                     struct ArrowArrayStream *out, ap_error *err) {
  struct changes_run run = {.node = node, .request = request};
  AP_TRY(ap_node_find_frame(node, request->hive, request->box, request->name, &run.frame, err));
  ap_arena_init(&run.arena, ap_node_env(node)->allocator);
  ap_status status = run_changes(&run, out, err);
  if (status != AP_OK) status = ap_frame_error(run.frame, status, err);
  ap_change_feed_deinit(&run.feed);
  ap_snapshot_release(run.end);
  ap_node_release_frame(node, run.frame);
  ap_arena_deinit(&run.arena);
  return status;
}
