/* SPDX-License-Identifier: Apache-2.0
 *
 * The public calls that move rows: write, read, import, and Arrow IPC.
 */
#include "api/handles.h"
#include "arrow/ipc.h"
#include "base/limits.h"
#include "execute/import.h"
#include "plan/condition.h"

#include <inttypes.h>
#include <string.h>

void ap_api_copy_outcome(const struct ap_write_outcome *outcome, double temperature,
                         ap_write_result *out_result) {
  if (out_result == NULL) return;
  size_t size = out_result->struct_size;
  const ap_write_result result = {
      .struct_size = size,
      .version = outcome->version,
      .cells_written = outcome->cells_written,
      .cells_removed = outcome->cells_removed,
      .rows_written = outcome->rows_written,
      .bytes_written = outcome->bytes_written,
      .duration_ms = (double)outcome->duration_us / 1000.0,
      .temperature = temperature,
      .skipped = outcome->skipped,
  };
  memcpy(out_result, &result, size < sizeof result ? size : sizeof result);
}

static ap_status check_mode(ap_write_mode mode, ap_error *err) {
  if (mode == AP_WRITE_APPEND || mode == AP_WRITE_OVERWRITE) return AP_OK;
  return AP_FAIL(err, AP_INVALID_ARGUMENT, "write mode %d does not exist", (int)mode);
}

/* An empty text is not taken for none: that would replace every row, or count no version. */
static ap_status check_write_options(const ap_write_options *options, ap_error *err) {
  const char *replace_where = AP_OPTION(options, replace_where, NULL);
  const char *app_id = AP_OPTION(options, app_id, NULL);
  ap_write_mode mode = AP_OPTION(options, mode, AP_WRITE_APPEND);
  AP_TRY(check_mode(mode, err));
  if (replace_where != NULL && mode != AP_WRITE_OVERWRITE) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "replace_where is for overwriting, not appending");
  }
  if (replace_where != NULL && replace_where[0] == '\0') {
    ap_status status = AP_FAIL(err, AP_INVALID_ARGUMENT, "replace_where is empty");
    ap_error_hint(err, "give a condition, or none to replace every row");
    return status;
  }
  if (app_id != NULL && app_id[0] == '\0') {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "app_id is empty");
  }
  return AP_OK;
}

ap_status ap_frame_write(ap_apiary *apiary, const char *hive, const char *box, const char *frame,
                         struct ArrowArrayStream *stream, const ap_write_options *options,
                         ap_write_result *out_result, ap_error *err) {
  const char *replace_where = AP_OPTION(options, replace_where, NULL);
  ap_write_mode mode = AP_OPTION(options, mode, AP_WRITE_APPEND);
  struct ap_write_outcome outcome = {0};
  ap_status status = ap_api_check_names(hive, box, frame, err);
  if (status == AP_OK && (stream == NULL || stream->release == NULL)) {
    status = AP_FAIL(err, AP_INVALID_ARGUMENT, "stream is NULL or released");
  }
  if (status == AP_OK) status = check_write_options(options, err);
  struct ArrowArrayStream checked = {0};
  if (status == AP_OK) status = ap_stream_validated(stream, &checked, err);
  if (status != AP_OK) {
    ap_stream_release(stream);
    return status;
  }
  const struct ap_write_request request = {
      .hive = ap_text_of(hive),
      .box = ap_text_of(box),
      .name = ap_text_of(frame),
      .stream = &checked,
      .kind = mode == AP_WRITE_OVERWRITE ? AP_COMMIT_OVERWRITE : AP_COMMIT_APPEND,
      .replace_where = ap_text_of(replace_where),
      .app_id = ap_text_of(AP_OPTION(options, app_id, NULL)),
      .app_version = AP_OPTION(options, app_version, 0),
      .user_metadata = ap_text_of(AP_OPTION(options, user_metadata, NULL)),
  };
  status = ap_write(apiary->node, &request, &outcome, err);
  if (status == AP_OK) {
    ap_api_copy_outcome(&outcome, ap_node_temperature(apiary->node), out_result);
  }
  return status;
}

/* ---- reading --------------------------------------------------------------------------------- */

static ap_status append_read(struct ap_buffer *sql, const char *hive, const char *box,
                             const char *frame, const ap_read_options *options, ap_error *err) {
  const char *const *columns = AP_OPTION(options, columns, NULL);
  size_t column_count = columns == NULL ? 0 : AP_OPTION(options, column_count, 0);
  int64_t version = AP_OPTION(options, version, -1);
  const char *timestamp = AP_OPTION(options, timestamp, NULL);
  const char *filter = AP_OPTION(options, filter, NULL);
  if (version >= 0 && timestamp != NULL) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "a version and a timestamp are both given");
  }
  ap_buffer_append_string(sql, "SELECT ");
  for (size_t i = 0; i < column_count; ++i) {
    if (i > 0) ap_buffer_append_string(sql, ", ");
    ap_buffer_append_identifier(sql, ap_text_of(columns[i]));
  }
  ap_buffer_append_string(sql, column_count == 0 ? "* FROM " : " FROM ");
  ap_buffer_append_identifier(sql, ap_text_of(hive));
  ap_buffer_append_string(sql, ".");
  ap_buffer_append_identifier(sql, ap_text_of(box));
  ap_buffer_append_string(sql, ".");
  ap_buffer_append_identifier(sql, ap_text_of(frame));
  if (version >= 0) ap_buffer_append_format(sql, " AT (VERSION => %" PRId64 ")", version);
  if (timestamp != NULL) {
    ap_buffer_append_string(sql, " AT (TIMESTAMP => ");
    ap_buffer_append_literal(sql, ap_text_of(timestamp));
    ap_buffer_append_string(sql, ")");
  }
  if (filter != NULL) {
    ap_buffer_append_string(sql, " WHERE ");
    AP_TRY(ap_condition_append(sql, ap_text_of(filter), err));
  }
  return ap_buffer_check(sql, err);
}

ap_status ap_frame_read(ap_apiary *apiary, const char *hive, const char *box, const char *frame,
                        const ap_read_options *options, struct ArrowArrayStream *out_stream,
                        ap_error *err) {
  AP_TRY(ap_api_check_names(hive, box, frame, err));
  if (out_stream == NULL) return AP_FAIL(err, AP_INVALID_ARGUMENT, "out_stream is NULL");
  struct ap_buffer sql;
  ap_buffer_init(&sql, ap_env_system()->allocator);
  ap_status status = append_read(&sql, hive, box, frame, options, err);
  if (status == AP_OK) {
    const struct ap_query_request request = {.text = ap_buffer_text(&sql),
                                             .body = ap_buffer_text(&sql)};
    status = ap_query(apiary->node, &request, NULL, out_stream, err);
  }
  ap_buffer_deinit(&sql);
  return status;
}

/* ---- files ----------------------------------------------------------------------------------- */

ap_status ap_import(ap_apiary *apiary, const char *hive, const char *box, const char *frame,
                    const char *const *paths, size_t path_count, const ap_import_options *options,
                    ap_write_result *out_result, ap_error *err) {
  AP_TRY(ap_api_check_names(hive, box, frame, err));
  const char *const *partition_by = AP_OPTION(options, partition_by, NULL);
  size_t partition_count = partition_by == NULL ? 0 : AP_OPTION(options, partition_by_count, 0);
  struct ap_text partitions[AP_PARTITION_COLUMNS_MAX];
  struct ap_write_outcome outcome = {0};
  ap_write_mode mode = AP_OPTION(options, mode, AP_WRITE_APPEND);
  AP_TRY(check_mode(mode, err));
  if (paths == NULL && path_count > 0) return AP_FAIL(err, AP_INVALID_ARGUMENT, "paths is NULL");
  if (partition_count > AP_PARTITION_COLUMNS_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "%zu partition columns; at most %d are allowed",
                   partition_count, AP_PARTITION_COLUMNS_MAX);
  }
  for (size_t i = 0; i < partition_count; ++i) partitions[i] = ap_text_of(partition_by[i]);
  const struct ap_run_control control = {
      .cancelled = AP_OPTION(options, cancelled, NULL),
      .asked_anywhere = true,
      .progress = AP_OPTION(options, progress, NULL),
      .context = AP_OPTION(options, context, NULL),
  };
  const struct ap_import_request request = {
      .hive = ap_text_of(hive),
      .box = ap_text_of(box),
      .name = ap_text_of(frame),
      .paths = paths,
      .path_count = path_count,
      .format = ap_text_of(AP_OPTION(options, format, NULL)),
      .partition_by = partitions,
      .partition_by_count = (uint32_t)partition_count,
      .create = AP_OPTION(options, create, true),
      .kind = mode == AP_WRITE_OVERWRITE ? AP_COMMIT_OVERWRITE : AP_COMMIT_APPEND,
      .null_text = ap_text_of(AP_OPTION(options, null_text, NULL)),
      .control = &control,
  };
  ap_status status = ap_import_files(apiary->node, &request, &outcome, err);
  if (status == AP_OK) {
    ap_api_copy_outcome(&outcome, ap_node_temperature(apiary->node), out_result);
  }
  return status;
}

ap_status ap_ipc_decode(const void *data, size_t size, struct ArrowArrayStream *out_stream,
                        ap_error *err) {
  return ap_ipc_read((struct ap_text){data, size}, out_stream, err);
}

ap_status ap_ipc_encode(struct ArrowArrayStream *stream, ap_write_bytes write, void *context,
                        ap_error *err) {
  return ap_ipc_write_to(stream, AP_IPC_STREAM, write, context, err);
}

ap_status ap_stream_get_error(struct ArrowArrayStream *stream, int code, ap_error *err) {
  if (stream == NULL || stream->release == NULL || code == 0) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "there is no stream that failed");
  }
  return ap_stream_error_of(stream, code, "reading an Arrow stream", err);
}
