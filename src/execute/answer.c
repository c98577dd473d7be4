/* SPDX-License-Identifier: Apache-2.0
 *
 * See report.h: answers as rows.
 */
#include "execute/report.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* SQL LIKE with % and _, ASCII case ignored; no escape character. */
static bool is_like(struct ap_text text, struct ap_text pattern) {
  size_t t = 0;
  size_t p = 0;
  size_t star = SIZE_MAX; /* the pattern position after the last %, and the text it is tried at */
  size_t retry = 0;
  while (t < text.size) {
    if (p < pattern.size && pattern.data[p] == '%') {
      star = ++p;
      retry = t;
    } else if (p < pattern.size &&
               (pattern.data[p] == '_' ||
                ap_text_equal_ignoring_case((struct ap_text){pattern.data + p, 1},
                                            (struct ap_text){text.data + t, 1}))) {
      ++p;
      ++t;
    } else if (star != SIZE_MAX) {
      p = star;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size && pattern.data[p] == '%') ++p;
  return p == pattern.size;
}

ap_status ap_answer_names(const char *column, const struct ap_text *names, uint32_t count,
                          struct ap_text like, struct ArrowArrayStream *out, ap_error *err) {
  const struct ap_rows_column columns[] = {{column, AP_ROWS_TEXT}};
  struct ap_rows rows = {0};
  AP_TRY(ap_rows_init(&rows, columns, 1, err));
  for (uint32_t i = 0; i < count; ++i) {
    if (like.size == 0 || is_like(names[i], like)) ap_rows_text(&rows, names[i]);
  }
  ap_status status = ap_rows_finish(&rows, out, err);
  ap_rows_deinit(&rows);
  return status;
}

ap_status ap_answer_message(struct ArrowArrayStream *out, ap_error *err, const char *format, ...) {
  char message[512];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  const struct ap_text text = ap_text_of(message);
  return ap_answer_names("message", &text, 1, (struct ap_text){0}, out, err);
}

/* ---- DESCRIBE -------------------------------------------------------------------------------- */

static void describe_row(struct ap_rows *rows, const char *property, struct ap_text value) {
  ap_rows_text(rows, ap_text_of(property));
  ap_rows_text(rows, value);
}

static void describe_number(struct ap_rows *rows, const char *property, int64_t number) {
  char text[32];
  (void)snprintf(text, sizeof text, "%" PRId64, number);
  ap_rows_text(rows, ap_text_of(property));
  if (number < 0) {
    ap_rows_null(rows);
  } else {
    ap_rows_text(rows, ap_text_of(text));
  }
}

static void append_columns(struct ap_buffer *out, const struct ap_schema *schema) {
  for (uint32_t i = 0; i < schema->field_count; ++i) {
    if (i > 0) ap_buffer_append_string(out, ", ");
    ap_buffer_append_text(out, schema->fields[i].name);
    ap_buffer_append_string(out, " ");
    ap_type_append_word(out, &schema->fields[i].type);
    if (!schema->fields[i].nullable) ap_buffer_append_string(out, " not null");
  }
}

static ap_status describe_snapshot(const struct ap_snapshot *snapshot, struct ap_text folder,
                                   struct ap_buffer *text, struct ap_rows *rows, ap_error *err) {
  append_columns(text, &snapshot->schema);
  describe_row(rows, "schema", ap_buffer_text(text));
  ap_buffer_clear(text);
  for (uint32_t i = 0; i < snapshot->partition_column_count; ++i) {
    if (i > 0) ap_buffer_append_string(text, ", ");
    ap_buffer_append_text(text, snapshot->schema.fields[snapshot->partition_columns[i]].name);
  }
  describe_row(rows, "partition_by", ap_buffer_text(text));
  describe_number(rows, "cells", snapshot->cell_count);
  describe_number(rows, "total_rows", snapshot->row_count);
  describe_number(rows, "total_bytes", snapshot->size_bytes);
  describe_number(rows, "version", snapshot->version);
  describe_row(rows, "location", folder);
  return ap_buffer_check(text, err);
}

ap_status ap_answer_describe(struct ap_node *node, struct ap_text hive, struct ap_text box,
                             struct ap_text name, struct ArrowArrayStream *out, ap_error *err) {
  const struct ap_rows_column columns[] = {{"property", AP_ROWS_TEXT}, {"value", AP_ROWS_TEXT}};
  struct ap_frame *frame = NULL;
  struct ap_snapshot *snapshot = NULL;
  struct ap_rows rows = {0};
  struct ap_buffer text;
  struct ap_buffer folder;
  ap_buffer_init(&text, ap_node_env(node)->allocator);
  ap_buffer_init(&folder, ap_node_env(node)->allocator);
  ap_status status = ap_node_find_frame(node, hive, box, name, &frame, err);
  if (status == AP_OK) status = ap_frame_latest(frame, &snapshot, err);
  if (status == AP_OK) {
    status = ap_store_local_path(ap_node_store(node), frame->entry.location, &folder, err);
  }
  if (status == AP_OK) status = ap_rows_init(&rows, columns, 2, err);
  if (status == AP_OK) {
    status = describe_snapshot(snapshot, ap_buffer_text(&folder), &text, &rows, err);
  }
  if (status == AP_OK) status = ap_rows_finish(&rows, out, err);
  ap_rows_deinit(&rows);
  ap_buffer_deinit(&text);
  ap_buffer_deinit(&folder);
  ap_snapshot_release(snapshot);
  ap_node_release_frame(node, frame);
  return status;
}

/* ---- history --------------------------------------------------------------------------------- */

struct history_rows {
  struct ap_rows rows;
  struct ap_buffer time;
};

static void text_or_null(struct ap_rows *rows, struct ap_text text) {
  if (text.size == 0) {
    ap_rows_null(rows);
  } else {
    ap_rows_text(rows, text);
  }
}

static ap_status add_entry(void *context, const struct ap_history_entry *entry, ap_error *err) {
  struct history_rows *history = context;
  ap_buffer_clear(&history->time);
  ap_append_rfc3339(&history->time, entry->timestamp_ms);
  AP_TRY(ap_buffer_check(&history->time, err));
  ap_rows_i64(&history->rows, entry->version);
  ap_rows_text(&history->rows, ap_buffer_text(&history->time));
  text_or_null(&history->rows, entry->operation);
  text_or_null(&history->rows, entry->parameters_json);
  text_or_null(&history->rows, entry->metrics_json);
  text_or_null(&history->rows, entry->engine);
  text_or_null(&history->rows, entry->user_metadata);
  return AP_OK;
}

ap_status ap_answer_history(struct ap_node *node, struct ap_text hive, struct ap_text box,
                            struct ap_text name, uint32_t limit, struct ArrowArrayStream *out,
                            ap_error *err) {
  const struct ap_rows_column columns[] = {
      {"version", AP_ROWS_I64},       {"timestamp", AP_ROWS_TEXT}, {"operation", AP_ROWS_TEXT},
      {"parameters", AP_ROWS_TEXT},   {"metrics", AP_ROWS_TEXT},   {"engine", AP_ROWS_TEXT},
      {"user_metadata", AP_ROWS_TEXT}};
  struct history_rows history = {0};
  struct ap_frame *frame = NULL;
  ap_buffer_init(&history.time, ap_node_env(node)->allocator);
  ap_status status = ap_node_find_frame(node, hive, box, name, &frame, err);
  if (status == AP_OK) status = ap_rows_init(&history.rows, columns, 7, err);
  if (status == AP_OK) {
    status = ap_ledger_history(frame->ledger, limit, add_entry, &history, err);
    if (status != AP_OK) ap_frame_error(frame, status, err);
  }
  if (status == AP_OK) status = ap_rows_finish(&history.rows, out, err);
  ap_rows_deinit(&history.rows);
  ap_buffer_deinit(&history.time);
  ap_node_release_frame(node, frame);
  return status;
}
