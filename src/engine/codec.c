/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine as the ledger's Parquet codec: checkpoints to lines of JSON and back.
 *
 * Reading leaves out what has no JSON form or says a thing twice: statistics and partition values
 * that another writer parsed into columns of their own, when their texts are there too.
 */
#include "engine/pool.h"

#include "base/assert.h"
#include "base/status.h"
#include "engine/source.h"

#include <string.h>

enum { LINES_BYTES_PER_BATCH = 64 * 1024 * 1024 };

static const char add_column[] = "add";

/* Members of "add" whose content stands in another member as text. */
static bool is_parsed_twin(const char *name, bool has_statistics, bool has_partitions) {
  return (has_statistics && strcmp(name, "stats_parsed") == 0) ||
         (has_partitions && strcmp(name, "partitionValues_parsed") == 0);
}

static bool has_member(duckdb_logical_type type, const char *name) {
  idx_t count = duckdb_struct_type_child_count(type);
  for (idx_t i = 0; i < count; i++) {
    char *child = duckdb_struct_type_child_name(type, i);
    bool found = child && strcmp(child, name) == 0;
    duckdb_free(child);
    if (found) return true;
  }
  return false;
}

/* The "add" column without the parsed twins. */
static void append_add(struct ap_buffer *out, duckdb_logical_type type) {
  bool has_statistics = has_member(type, "stats");
  bool has_partitions = has_member(type, "partitionValues");
  idx_t count = duckdb_struct_type_child_count(type);
  ap_buffer_append_string(out, "struct_pack(");
  bool first = true;
  for (idx_t i = 0; i < count; i++) {
    char *name = duckdb_struct_type_child_name(type, i);
    if (name && !is_parsed_twin(name, has_statistics, has_partitions)) {
      if (!first) ap_buffer_append_string(out, ", ");
      first = false;
      ap_buffer_append_identifier(out, ap_text_of(name));
      ap_buffer_append_string(out, " := struct_extract(\"add\", ");
      ap_buffer_append_literal(out, ap_text_of(name));
      ap_buffer_append_string(out, ")");
    }
    duckdb_free(name);
  }
  ap_buffer_append_string(out, ")");
}

/* CASE WHEN "c" IS NOT NULL THEN '"c":' || to_json("c") END */
static void append_member(struct ap_buffer *out, const char *name, duckdb_logical_type type) {
  struct ap_buffer quoted;
  ap_buffer_init(&quoted, out->allocator);
  ap_buffer_append_identifier(&quoted, ap_text_of(name));
  ap_buffer_append_string(&quoted, ":");
  ap_buffer_append_string(out, ", CASE WHEN ");
  ap_buffer_append_identifier(out, ap_text_of(name));
  ap_buffer_append_string(out, " IS NOT NULL THEN ");
  ap_buffer_append_literal(out, ap_buffer_text(&quoted));
  ap_buffer_append_string(out, " || CAST(to_json(");
  if (strcmp(name, add_column) == 0 && duckdb_get_type_id(type) == DUCKDB_TYPE_STRUCT) {
    append_add(out, type);
  } else {
    ap_buffer_append_identifier(out, ap_text_of(name));
  }
  ap_buffer_append_string(out, ") AS VARCHAR) END");
  out->failed |= quoted.failed;
  ap_buffer_deinit(&quoted);
}

static void append_file(struct ap_buffer *out, const char *path) {
  ap_buffer_append_string(out, " FROM read_parquet(");
  /* A list, and wildcards taken as they are: the path names one file. */
  struct ap_text rest = ap_text_of(path);
  struct ap_buffer escaped;
  ap_buffer_init(&escaped, out->allocator);
  for (size_t i = 0; i < rest.size; i++) {
    char c = rest.data[i];
    bool wild = c == '*' || c == '?' || c == '[';
    ap_buffer_append_format(&escaped, wild ? "[%c]" : "%c", c);
  }
  ap_buffer_append_literal(out, ap_buffer_text(&escaped));
  ap_buffer_append_string(out, ", hive_partitioning = false)");
  out->failed |= escaped.failed;
  ap_buffer_deinit(&escaped);
}

static bool is_wanted(const char *name, const char *const *columns, uint32_t column_count) {
  for (uint32_t i = 0; i < column_count; i++) {
    if (strcmp(columns[i], name) == 0) return true;
  }
  return false;
}

/* SELECT '{' || concat_ws(',', ...) || '}' FROM the file, over the wanted columns that it has. */
static ap_status append_decode(struct ap_chamber *chamber, const char *path,
                               const char *const *columns, uint32_t column_count,
                               struct ap_buffer *out, ap_error *err) {
  struct ap_buffer describe;
  ap_buffer_init(&describe, out->allocator);
  ap_buffer_append_string(&describe, "SELECT *");
  append_file(&describe, path);
  ap_buffer_append_string(&describe, " LIMIT 0");
  duckdb_result result = {0};
  ap_status status = ap_buffer_check(&describe, err);
  if (status == AP_OK) status = ap_chamber_run(chamber, describe.data, &result, err);
  ap_buffer_deinit(&describe);
  if (status != AP_OK) return status;
  ap_buffer_append_string(out, "SELECT concat('{', concat_ws(','");
  idx_t count = duckdb_column_count(&result);
  bool any = false;
  for (idx_t i = 0; i < count; i++) {
    const char *name = duckdb_column_name(&result, i);
    if (!is_wanted(name, columns, column_count)) continue;
    duckdb_logical_type type = duckdb_column_logical_type(&result, i);
    append_member(out, name, type);
    duckdb_destroy_logical_type(&type);
    any = true;
  }
  if (!any) ap_buffer_append_string(out, ", NULL");
  ap_buffer_append_string(out, "), '}')");
  append_file(out, path);
  duckdb_destroy_result(&result);
  return ap_buffer_check(out, err);
}

static void append_lines(duckdb_data_chunk chunk, struct ap_buffer *out) {
  idx_t size = duckdb_data_chunk_get_size(chunk);
  duckdb_string_t *texts = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
  for (idx_t i = 0; i < size; i++) {
    ap_buffer_append(out, duckdb_string_t_data(&texts[i]), duckdb_string_t_length(texts[i]));
    ap_buffer_append_string(out, "\n");
  }
}

static ap_status decode_in(struct ap_chamber *chamber, const char *path, const char *const *columns,
                           uint32_t column_count, struct ap_buffer *out_lines, ap_error *err) {
  struct ap_buffer sql;
  ap_buffer_init(&sql, chamber->engine->env->allocator);
  duckdb_result result = {0};
  ap_status status = append_decode(chamber, path, columns, column_count, &sql, err);
  if (status == AP_OK) status = ap_chamber_run(chamber, sql.data, &result, err);
  ap_buffer_deinit(&sql);
  if (status != AP_OK) return status;
  duckdb_data_chunk chunk;
  while ((chunk = duckdb_fetch_chunk(result)) != NULL) {
    append_lines(chunk, out_lines);
    duckdb_destroy_data_chunk(&chunk);
  }
  duckdb_destroy_result(&result);
  return ap_buffer_check(out_lines, err);
}

static ap_status decode(struct ap_codec *self, const char *path, const char *const *columns,
                        uint32_t column_count, struct ap_buffer *out_lines, ap_error *err) {
  struct ap_engine *engine = (struct ap_engine *)self;
  struct ap_files *files = engine->env->files;
  struct ap_file_info info;
  AP_TRY(files->info(files, path, &info, err));
  struct ap_chamber *chamber = NULL;
  AP_TRY(ap_chamber_acquire_for_codec(engine, &chamber, err));
  ap_status status = decode_in(chamber, path, columns, column_count, out_lines, err);
  ap_chamber_release(chamber);
  /* Whatever the engine stumbled over in a file that is there is the file's fault. */
  if (status == AP_QUERY || status == AP_UNSUPPORTED || status == AP_INTERNAL) {
    status = AP_CORRUPT;
    if (err) {
      ap_error cause = *err;
      (void)AP_FAIL(err, AP_CORRUPT, "%s: %s", path, cause.message);
    }
  } else if (status != AP_OK) {
    ap_error_prefix(err, status, "%s", path);
  }
  return status;
}

/* Lines as Arrow: one column of texts, in batches that stay far from its 2 GiB. */
struct lines_stream {
  struct ap_stream_source source; /* first */
  struct ap_allocator *allocator;
  struct ap_text rest;
};

static ap_status lines_schema(struct ap_stream_source *source, struct ArrowSchema *out_schema,
                              ap_error *err) {
  (void)source;
  ArrowSchemaInit(out_schema);
  if (ArrowSchemaSetTypeStruct(out_schema, 1) != NANOARROW_OK ||
      ArrowSchemaSetType(out_schema->children[0], NANOARROW_TYPE_STRING) != NANOARROW_OK ||
      ArrowSchemaSetName(out_schema->children[0], "line") != NANOARROW_OK) {
    ap_schema_release(out_schema);
    return AP_FAIL_MEMORY(err);
  }
  return AP_OK;
}

/* Take lines off the front; false when out of memory. */
static bool take_lines(struct ap_text *rest, struct ArrowArray *array) {
  size_t taken = 0;
  while (rest->size > 0 && taken < LINES_BYTES_PER_BATCH) {
    const char *end = memchr(rest->data, '\n', rest->size);
    size_t size = end ? (size_t)(end - rest->data) : rest->size;
    struct ArrowStringView line = {rest->data, (int64_t)size};
    if (size > 0 && (ArrowArrayAppendString(array->children[0], line) != NANOARROW_OK ||
                     ArrowArrayFinishElement(array) != NANOARROW_OK)) {
      return false;
    }
    size_t step = end ? size + 1 : size;
    rest->data += step;
    rest->size -= step;
    taken += step;
  }
  return ArrowArrayFinishBuildingDefault(array, NULL) == NANOARROW_OK;
}

static ap_status lines_next(struct ap_stream_source *source, struct ArrowArray *out_array,
                            ap_error *err) {
  struct lines_stream *stream = (struct lines_stream *)source;
  out_array->release = NULL;
  if (stream->rest.size == 0) return AP_OK;
  struct ArrowSchema schema;
  AP_TRY(lines_schema(source, &schema, err));
  bool made = ArrowArrayInitFromSchema(out_array, &schema, NULL) == NANOARROW_OK &&
              ArrowArrayStartAppending(out_array) == NANOARROW_OK &&
              take_lines(&stream->rest, out_array);
  ap_schema_release(&schema);
  if (made) return AP_OK;
  ap_array_release(out_array);
  return AP_FAIL_MEMORY(err);
}

static void lines_destroy(struct ap_stream_source *source) {
  struct lines_stream *stream = (struct lines_stream *)source;
  ap_free(stream->allocator, stream);
}

/* COPY (SELECT r.* FROM (SELECT json_transform(c0, '{"name": "type", ..}') AS r ..)) TO path */
static void append_encode(struct ap_buffer *out, const struct ap_codec_column *columns,
                          uint32_t column_count, const char *path) {
  struct ap_buffer structure;
  ap_buffer_init(&structure, out->allocator);
  struct ap_json_writer writer;
  ap_json_writer_init(&writer, &structure);
  ap_json_begin_object(&writer);
  for (uint32_t i = 0; i < column_count; i++) {
    ap_json_member_string(&writer, columns[i].name, ap_text_of(columns[i].sql_type));
  }
  ap_json_end_object(&writer);
  ap_buffer_append_string(out, "COPY (SELECT r.* FROM (SELECT json_transform(CAST(c0 AS JSON), ");
  ap_buffer_append_literal(out, ap_buffer_text(&structure));
  ap_buffer_append_string(out, ") AS r FROM _ap.main.ap_source)) TO ");
  ap_buffer_append_literal(out, ap_text_of(path));
  ap_buffer_append_string(out, " (FORMAT parquet, COMPRESSION snappy)");
  out->failed |= structure.failed;
  ap_buffer_deinit(&structure);
}

static ap_status encode_in(struct ap_chamber *chamber, struct ap_source *source,
                           struct ap_text lines, const struct ap_codec_column *columns,
                           uint32_t column_count, const char *path, ap_error *err) {
  struct ap_allocator *allocator = chamber->engine->env->allocator;
  struct lines_stream *made = ap_allocate_zeroed(allocator, 1, sizeof *made);
  if (!made) return AP_FAIL_MEMORY(err);
  made->source = (struct ap_stream_source){
      .schema = lines_schema, .next = lines_next, .destroy = lines_destroy};
  made->allocator = allocator;
  made->rest = lines;
  struct ArrowArrayStream stream;
  ap_stream_from_source(&made->source, &stream);
  AP_TRY(ap_source_open(source, allocator, &stream, err));
  uint32_t order = 0;
  AP_TRY(ap_source_arrange(source, &order, 1, err));
  source->slice_rows = 2048;
  AP_TRY(ap_chamber_set_source(chamber, source, err));
  struct ap_buffer sql;
  ap_buffer_init(&sql, allocator);
  append_encode(&sql, columns, column_count, path);
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) status = ap_chamber_run(chamber, sql.data, NULL, err);
  ap_buffer_deinit(&sql);
  return status;
}

static ap_status encode(struct ap_codec *self, struct ap_text lines,
                        const struct ap_codec_column *columns, uint32_t column_count,
                        const char *path, ap_error *err) {
  AP_ASSERT(column_count > 0);
  struct ap_engine *engine = (struct ap_engine *)self;
  struct ap_chamber *chamber = NULL;
  AP_TRY(ap_chamber_acquire_for_codec(engine, &chamber, err));
  struct ap_source source = {0};
  ap_status status = encode_in(chamber, &source, lines, columns, column_count, path, err);
  chamber->source = NULL;
  if (status != AP_OK && source.error.code != AP_OK) {
    status = source.error.code;
    if (err) *err = source.error;
  }
  ap_source_close(&source);
  ap_chamber_release(chamber);
  if (status != AP_OK) {
    ap_error_prefix(err, status, "%s", path);
    struct ap_files *files = engine->env->files;
    (void)!files->remove_file(files, path, NULL);
  }
  return status;
}

void ap_codec_init(struct ap_codec *codec) {
  *codec = (struct ap_codec){.decode = decode, .encode = encode};
}
