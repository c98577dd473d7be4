/* SPDX-License-Identifier: Apache-2.0
 *
 * See import.h. CSV, JSON and Parquet are read by the engine in the chamber that writes the cells;
 * Arrow files come in as a stream, every message checked.
 */
#include "execute/import.h"

#include "arrow/ipc.h"
#include "base/limits.h"
#include "execute/csv_shape.h"
#include "execute/definition.h"
#include "execute/files_found.h"
#include "execute/import_error.h"

#include <string.h>

struct import_run {
  struct ap_node *node;
  const struct ap_import_request *request;
  struct ap_arena arena;
  struct ap_found_files files;
  struct ap_buffer query; /* of the engine; empty for Arrow files */
  char separator;         /* of CSV files; '\0': the engine finds it */
  struct ap_frame *frame; /* NULL: not there yet */
  bool is_made;           /* the frame, by this import */
};

/* ---- the engine's query ---------------------------------------------------------------------- */

/* Types for the columns that an existing frame has, so that a text file is read as what it is to
 * become and not as what a sample of it looks like. */
static ap_status append_column_types(struct import_run *run, ap_error *err) {
  struct ap_snapshot *snapshot = NULL;
  if (run->frame == NULL) return AP_OK;
  AP_TRY(ap_frame_latest(run->frame, &snapshot, err));
  ap_buffer_append_string(&run->query, ", types = {");
  for (uint32_t i = 0; i < snapshot->schema.field_count; ++i) {
    const struct ap_field *field = &snapshot->schema.fields[i];
    struct ap_buffer type;
    ap_buffer_init(&type, ap_node_env(run->node)->allocator);
    ap_type_append_sql(&type, &field->type);
    if (i > 0) ap_buffer_append_string(&run->query, ", ");
    ap_buffer_append_literal(&run->query, field->name);
    ap_buffer_append_string(&run->query, ": ");
    ap_buffer_append_literal(&run->query, ap_buffer_text(&type));
    ap_buffer_deinit(&type);
  }
  ap_buffer_append_string(&run->query, "}");
  ap_snapshot_release(snapshot);
  return AP_OK;
}

/* Without it, the engine may take each line of a ragged file for one field. */
static ap_status append_separator(struct import_run *run, ap_error *err) {
  if (run->request->delimiter.size > 0) {
    if (run->request->delimiter.size == 1) run->separator = run->request->delimiter.data[0];
    ap_buffer_append_string(&run->query, ", delim = ");
    ap_buffer_append_literal(&run->query, run->request->delimiter);
    return AP_OK;
  }
  const struct ap_env *env = ap_node_env(run->node);
  AP_TRY(ap_csv_separator(env->files, env->allocator, run->files.paths, run->files.count,
                          &run->separator, err));
  if (run->separator == '\0') return AP_OK;
  ap_buffer_append_string(&run->query, ", delim = ");
  ap_buffer_append_literal(&run->query, (struct ap_text){&run->separator, 1});
  return AP_OK;
}

/* After a failure: the row of a CSV file that explains it, rather than the engine's words. */
static ap_status explain(struct import_run *run, ap_status status, ap_error *err) {
  const struct ap_env *env = ap_node_env(run->node);
  const struct ap_import_target target = {run->request->hive, run->request->box, run->request->name,
                                          run->is_made};
  bool is_other = ap_status_class(status) != AP_CLASS_USER || status == AP_CANCELLED;
  for (uint32_t i = 0; run->separator != '\0' && !is_other && i < run->files.count; ++i) {
    ap_error found = {0};
    if (ap_csv_check_rows(env->files, env->allocator, run->files.paths[i], run->separator,
                          &found) == AP_SCHEMA_MISMATCH) {
      if (err != NULL) *err = found;
      return AP_SCHEMA_MISMATCH;
    }
  }
  return ap_import_explain(&target, status, err);
}

/* ['a.csv', 'b.csv']: these very files, whatever their names look like. */
static void append_paths(struct import_run *run) {
  struct ap_buffer path;
  ap_buffer_init(&path, ap_node_env(run->node)->allocator);
  for (uint32_t i = 0; i < run->files.count; ++i) {
    ap_buffer_clear(&path);
    ap_engine_append_path(&path, run->files.paths[i]);
    ap_buffer_append_string(&run->query, i > 0 ? ", " : "[");
    ap_buffer_append_literal(&run->query, ap_buffer_text(&path));
  }
  ap_buffer_append_string(&run->query, "]");
  if (path.failed) run->query.failed = true;
  ap_buffer_deinit(&path);
}

/* header = false, names = [..]: the frame's columns. */
static ap_status append_column_names(struct import_run *run, ap_error *err) {
  struct ap_snapshot *snapshot = NULL;
  if (run->frame == NULL) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "a file without a header for a frame to be created");
  }
  AP_TRY(ap_frame_latest(run->frame, &snapshot, err));
  ap_buffer_append_string(&run->query, ", header = false, names = [");
  for (uint32_t i = 0; i < snapshot->schema.field_count; ++i) {
    if (i > 0) ap_buffer_append_string(&run->query, ", ");
    ap_buffer_append_literal(&run->query, snapshot->schema.fields[i].name);
  }
  ap_buffer_append_string(&run->query, "]");
  ap_snapshot_release(snapshot);
  return AP_OK;
}

static ap_status build_query(struct import_run *run, ap_error *err) {
  struct ap_buffer *query = &run->query;
  enum ap_file_format format = run->files.format;
  const char *reader = format == AP_FORMAT_CSV    ? "read_csv"
                       : format == AP_FORMAT_JSON ? "read_json"
                                                  : "read_parquet";
  ap_buffer_append_format(query, "SELECT * FROM %s(", reader);
  append_paths(run);
  ap_buffer_append_string(query, ", union_by_name = true");
  if (format != AP_FORMAT_CSV) {
    ap_buffer_append_string(query, ", hive_partitioning = false)");
    return ap_buffer_check(query, err);
  }
  AP_TRY(append_separator(run, err));
  if (run->request->without_header) AP_TRY(append_column_names(run, err));
  /* Else the engine passes over the rows before the first that fits the most. */
  ap_buffer_append_string(query, ", skip = 0");
  AP_TRY(append_column_types(run, err));
  if (run->request->null_text.size > 0) {
    ap_buffer_append_string(query, ", nullstr = ['', ");
    ap_buffer_append_literal(query, run->request->null_text);
    ap_buffer_append_string(query, "]");
  }
  ap_buffer_append_string(query, ", hive_partitioning = false)");
  return ap_buffer_check(query, err);
}

/* ---- Arrow files ----------------------------------------------------------------------------- */

/* The batches of several files, one after the other. */
struct chain {
  struct ap_allocator *allocator;
  uint32_t count;
  uint32_t next;
  char last_error[AP_ERROR_MESSAGE_MAX];
  struct ArrowArrayStream streams[];
};

static int chain_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
  struct chain *chain = stream->private_data;
  return chain->streams[0].get_schema(&chain->streams[0], out);
}

static int chain_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
  struct chain *chain = stream->private_data;
  *out = (struct ArrowArray){0};
  while (chain->next < chain->count) {
    struct ArrowArrayStream *inner = &chain->streams[chain->next];
    int code = inner->get_next(inner, out);
    if (code != 0) {
      const char *reason = inner->get_last_error(inner);
      struct ap_text text = ap_text_of(reason);
      size_t size = text.size < sizeof chain->last_error ? text.size : sizeof chain->last_error - 1;
      if (size > 0) memcpy(chain->last_error, text.data, size);
      chain->last_error[size] = '\0';
      return code;
    }
    if (out->release != NULL) return 0;
    chain->next += 1;
  }
  return 0;
}

static const char *chain_last_error(struct ArrowArrayStream *stream) {
  struct chain *chain = stream->private_data;
  return chain->last_error[0] == '\0' ? NULL : chain->last_error;
}

static void free_chain(struct chain *chain) {
  for (uint32_t i = 0; i < chain->count; ++i) ap_stream_release(&chain->streams[i]);
  ap_free(chain->allocator, chain);
}

static void chain_release(struct ArrowArrayStream *stream) {
  free_chain(stream->private_data);
  stream->release = NULL;
}

static ap_status stream_file_schema(struct import_run *run, struct ArrowArrayStream *stream,
                                    struct ap_schema *out_schema, ap_error *err) {
  struct ArrowSchema arrow = {0};
  AP_TRY(ap_stream_schema(stream, &arrow, err));
  ap_status status = ap_schema_from_arrow(&run->arena, &arrow, out_schema, err);
  ap_schema_release(&arrow);
  return status;
}

static ap_status open_file(struct import_run *run, const char *path,
                           struct ArrowArrayStream *out_stream, ap_error *err) {
  const struct ap_env *env = ap_node_env(run->node);
  struct ap_buffer bytes;
  ap_buffer_init(&bytes, env->allocator);
  ap_status status = env->files->read(env->files, path, 0, -1, &bytes, err);
  if (status == AP_OK) status = ap_buffer_check(&bytes, err);
  if (status == AP_OK) {
    status = ap_ipc_read(ap_buffer_text(&bytes), out_stream, err);
    if (status != AP_OK) ap_error_prefix(err, status, "Arrow file %s", path);
  }
  ap_buffer_deinit(&bytes);
  return status;
}

static ap_status open_chain(struct import_run *run, struct ArrowArrayStream *out_stream,
                            struct ap_schema *out_schema, ap_error *err) {
  struct ap_allocator *allocator = ap_node_env(run->node)->allocator;
  size_t size = sizeof(struct chain) + run->files.count * sizeof(struct ArrowArrayStream);
  struct chain *chain = ap_allocate_zeroed(allocator, 1, size);
  if (chain == NULL) return AP_FAIL_MEMORY(err);
  chain->allocator = allocator;
  ap_status status = AP_OK;
  for (uint32_t i = 0; status == AP_OK && i < run->files.count; ++i) {
    struct ap_schema schema;
    status = open_file(run, run->files.paths[i].data, &chain->streams[i], err);
    if (status != AP_OK) break;
    chain->count = i + 1;
    status = stream_file_schema(run, &chain->streams[i], &schema, err);
    if (status == AP_OK && i > 0 && !ap_schema_equal(&schema, out_schema)) {
      status = AP_FAIL(err, AP_SCHEMA_MISMATCH, "file %s has other columns than %s",
                       run->files.paths[i].data, run->files.paths[0].data);
    }
    if (i == 0) *out_schema = schema;
  }
  if (status != AP_OK) {
    free_chain(chain);
    return status;
  }
  *out_stream = (struct ArrowArrayStream){.get_schema = chain_get_schema,
                                          .get_next = chain_get_next,
                                          .get_last_error = chain_last_error,
                                          .release = chain_release,
                                          .private_data = chain};
  return AP_OK;
}

/* ---- the frame ------------------------------------------------------------------------------- */

static ap_status infer_by_engine(struct import_run *run, struct ap_schema *out_schema,
                                 ap_error *err) {
  struct ap_chamber *chamber = NULL;
  struct ArrowArrayStream stream = {0};
  struct ap_buffer sql;
  ap_buffer_init(&sql, ap_node_env(run->node)->allocator);
  ap_buffer_append_text(&sql, ap_buffer_text(&run->query));
  ap_buffer_append_string(&sql, " LIMIT 0");
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) {
    status = ap_bee_acquire(run->node, run->request->account, AP_WORK_WRITE, run->request->control,
                            &chamber, err);
  }
  if (status == AP_OK) {
    status = ap_chamber_query(chamber, ap_buffer_text(&sql), NULL, 0, run->request->control,
                              &stream, err);
  }
  if (status == AP_OK) {
    status = stream_file_schema(run, &stream, out_schema, err);
    if (status != AP_OK) ap_error_prefix(err, status, "file %s", run->files.paths[0].data);
  }
  ap_stream_release(&stream);
  ap_buffer_deinit(&sql);
  return status;
}

/* Text without a byte tells no columns. */
static ap_status check_bytes(struct import_run *run, ap_error *err) {
  struct ap_files *files = ap_node_env(run->node)->files;
  for (uint32_t i = 0; i < run->files.count; ++i) {
    struct ap_file_info info = {0};
    AP_TRY(files->info(files, run->files.paths[i].data, &info, err));
    if (info.kind != AP_FILE_REGULAR || info.size_bytes > 0) return AP_OK;
  }
  ap_status status = AP_FAIL(err, AP_INVALID_ARGUMENT, "file %s is empty and tells no columns",
                             run->files.paths[0].data);
  ap_error_hint(err, "create the frame first, with its columns");
  return status;
}

/* Frames have no column of nothing: one with no value in sight is read as text. */
static ap_status settle_types(struct import_run *run, struct ap_schema *schema, ap_error *err) {
  struct ap_field *fields = AP_ARENA_ARRAY(&run->arena, struct ap_field, schema->field_count + 1);
  if (fields == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < schema->field_count; ++i) {
    fields[i] = schema->fields[i];
    fields[i].nullable = true;
    if (fields[i].type.kind == AP_TYPE_NULL) {
      fields[i].type = (struct ap_type){.kind = AP_TYPE_STRING};
    }
  }
  schema->fields = fields;
  return AP_OK;
}

static ap_status create_frame(struct import_run *run, struct ap_schema *schema, ap_error *err) {
  const struct ap_import_request *request = run->request;
  struct ap_catalog *catalog = ap_node_catalog(run->node);
  AP_TRY(settle_types(run, schema, err));
  const struct ap_frame_request frame = {
      .hive = request->hive,
      .box = request->box,
      .name = request->name,
      .schema = schema,
      .partition_by = request->partition_by,
      .partition_by_count = request->partition_by_count,
      .if_absent = true,
  };
  AP_TRY(ap_catalog_create_hive(catalog, request->hive, true, err));
  AP_TRY(ap_catalog_create_box(catalog, request->hive, request->box, true, err));
  AP_TRY(ap_frame_define(run->node, &frame, err));
  run->is_made = true;
  return AP_OK;
}

/* A frame is not made of files that tell no columns. */
static ap_status check_not_empty(struct import_run *run, ap_error *err) {
  struct ap_files *files = ap_node_env(run->node)->files;
  for (uint32_t i = 0; i < run->files.count; ++i) {
    struct ap_file_info info;
    AP_TRY(files->info(files, run->files.paths[i].data, &info, err));
    if (info.size_bytes > 0) return AP_OK;
  }
  ap_status status = AP_FAIL(err, AP_SCHEMA_MISMATCH, "file %s is empty: it tells no columns",
                             run->files.paths[0].data);
  ap_error_hint(err, "create the frame with its columns first, or leave the file out");
  return status;
}

static ap_status check_partitioning(struct import_run *run, ap_error *err) {
  const struct ap_import_request *request = run->request;
  struct ap_snapshot *snapshot = NULL;
  if (request->partition_by_count == 0) return AP_OK;
  AP_TRY(ap_frame_latest(run->frame, &snapshot, err));
  bool same = snapshot->partition_column_count == request->partition_by_count;
  for (uint32_t i = 0; same && i < request->partition_by_count; ++i) {
    const struct ap_field *field = &snapshot->schema.fields[snapshot->partition_columns[i]];
    same = ap_text_equal_ignoring_case(field->name, request->partition_by[i]);
  }
  ap_snapshot_release(snapshot);
  if (same) return AP_OK;
  ap_status status =
      AP_FAIL(err, AP_SCHEMA_MISMATCH,
              "frame %.*s.%.*s.%.*s is there and partitioned otherwise than the "
              "import asks for",
              AP_TEXT_ARG(request->hive), AP_TEXT_ARG(request->box), AP_TEXT_ARG(request->name));
  ap_error_hint(err, "leave the partition columns out: the frame keeps those it has");
  return status;
}

static ap_status find_frame(struct import_run *run, ap_error *err) {
  const struct ap_import_request *request = run->request;
  ap_status status =
      ap_node_find_frame(run->node, request->hive, request->box, request->name, &run->frame, err);
  if (status == AP_NOT_FOUND && request->create) {
    ap_error_clear(err);
    return AP_OK;
  }
  if (status == AP_OK) status = check_partitioning(run, err);
  return status;
}

static ap_status run_import(struct import_run *run, struct ArrowArrayStream *stream,
                            struct ap_write_outcome *out_outcome, ap_error *err) {
  const struct ap_import_request *request = run->request;
  struct ap_schema schema = {0};
  bool is_arrow = false;
  AP_TRY(find_frame(run, err));
  const struct ap_find_request find = {
      .paths = request->paths,
      .path_count = request->path_count,
      .format = request->format,
      .control = request->control,
      .account = request->account,
  };
  AP_TRY(ap_find_files(run->node, &find, &run->arena, &run->files, err));
  is_arrow = run->files.format == AP_FORMAT_ARROW;
  if (is_arrow) {
    AP_TRY(open_chain(run, stream, &schema, err));
  } else {
    if (run->frame == NULL) AP_TRY(check_not_empty(run, err));
    AP_TRY(build_query(run, err));
    if (run->frame == NULL) AP_TRY(check_bytes(run, err));
    if (run->frame == NULL) AP_TRY(infer_by_engine(run, &schema, err));
  }
  if (run->frame == NULL) AP_TRY(create_frame(run, &schema, err));
  const struct ap_write_request write = {
      .hive = request->hive,
      .box = request->box,
      .name = request->name,
      .stream = is_arrow ? stream : NULL,
      .query = ap_buffer_text(&run->query),
      .kind = request->kind,
      .control = request->control,
      .account = request->account,
  };
  return ap_write(run->node, &write, out_outcome, err);
}

ap_status ap_import_files(struct ap_node *node, const struct ap_import_request *request,
                          struct ap_write_outcome *out_outcome, ap_error *err) {
  struct import_run run = {.node = node, .request = request};
  struct ArrowArrayStream stream = {0};
  ap_arena_init(&run.arena, ap_node_env(node)->allocator);
  ap_buffer_init(&run.query, ap_node_env(node)->allocator);
  ap_status status = run_import(&run, &stream, out_outcome, err);
  if (status != AP_OK) status = explain(&run, status, err);
  ap_stream_release(&stream);
  ap_node_release_frame(node, run.frame);
  ap_buffer_deinit(&run.query);
  ap_arena_deinit(&run.arena);
  return status;
}
