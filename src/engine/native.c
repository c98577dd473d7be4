/* SPDX-License-Identifier: Apache-2.0
 *
 * See native.h: making copies, and attaching them to chambers.
 *
 * A copy is one database file with one table, main.cells: the frame's columns, and the number of
 * the row's cell. It is checked and closed before anybody else may see it.
 */
#include "engine/native.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/status.h"
#include "engine/view.h"

#include <inttypes.h>
#include <string.h>

/* Files of less are laid out in small blocks. */
#define SMALL_COPY_BYTES (4 * AP_MIB)

struct ap_native_copy {
  const struct ap_env *env;
  atomic_uint reference_count;
  atomic_bool retired;
  atomic_bool suspect;
  uint64_t number;
  int64_t size_bytes;
  char *path;
  char *cell_column; /* what the column of cell numbers is called */
};

struct ap_native_copy *ap_native_copy_retain(struct ap_native_copy *copy) {
  atomic_fetch_add(&copy->reference_count, 1);
  return copy;
}

static void remove_files(const struct ap_env *env, const char *path) {
  struct ap_buffer log;
  ap_buffer_init(&log, env->allocator);
  ap_buffer_append_format(&log, "%s.wal", path);
  (void)!env->files->remove_file(env->files, path, NULL);
  if (!log.failed) (void)!env->files->remove_file(env->files, log.data, NULL);
  ap_buffer_deinit(&log);
}

static void free_copy(struct ap_native_copy *copy) {
  struct ap_allocator *allocator = copy->env->allocator;
  ap_free(allocator, copy->path);
  ap_free(allocator, copy->cell_column);
  ap_free(allocator, copy);
}

void ap_native_copy_release(struct ap_native_copy *copy) {
  if (!copy || atomic_fetch_sub(&copy->reference_count, 1) != 1) return;
  ap_native_copy_retire(copy);
  free_copy(copy);
}

uint64_t ap_native_copy_number(const struct ap_native_copy *copy) {
  return copy->number;
}

int64_t ap_native_copy_size_bytes(const struct ap_native_copy *copy) {
  return copy->size_bytes;
}

void ap_native_copy_retire(struct ap_native_copy *copy) {
  if (atomic_exchange(&copy->retired, true)) return;
  remove_files(copy->env, copy->path);
}

bool ap_native_copy_is_suspect(const struct ap_native_copy *copy) {
  return atomic_load(&copy->suspect);
}

void ap_native_copy_suspect(struct ap_native_copy *copy) {
  atomic_store(&copy->suspect, true);
}

uint32_t ap_engine_busy_count(struct ap_engine *engine) {
  struct ap_threads *threads = engine->env->threads;
  threads->lock(threads, engine->mutex);
  struct ap_admission_figures figures;
  ap_admission_get_figures(&engine->admission, &figures);
  threads->unlock(threads, engine->mutex);
  return figures.busy + figures.queued;
}

/* ---- making ---------------------------------------------------------------------------------- */

/* A name for the column of numbers that no column of the frame has. */
static void append_cell_column(struct ap_buffer *out, const struct ap_schema *schema) {
  bool taken = true;
  ap_buffer_append_string(out, "ap_cell");
  while (taken && !out->failed) {
    taken = false;
    for (uint32_t i = 0; i < schema->field_count; i++) {
      taken |= ap_text_equal_ignoring_case(schema->fields[i].name, ap_buffer_text(out));
    }
    if (taken) ap_buffer_append_string(out, "_");
  }
}

static ap_status create_copy(struct ap_engine *engine, const struct ap_native_request *request,
                             struct ap_native_copy **out_copy, ap_error *err) {
  struct ap_allocator *allocator = engine->env->allocator;
  struct ap_buffer column;
  ap_buffer_init(&column, allocator);
  append_cell_column(&column, request->binding->schema);
  struct ap_native_copy *copy = ap_allocate_zeroed(allocator, 1, sizeof(*copy));
  if (!copy || column.failed) {
    ap_free(allocator, copy);
    ap_buffer_deinit(&column);
    return AP_FAIL_MEMORY(err);
  }
  copy->env = engine->env;
  copy->number = request->number;
  copy->path = ap_string_copy(allocator, ap_text_of(request->path));
  copy->cell_column = ap_string_copy(allocator, ap_buffer_text(&column));
  atomic_init(&copy->reference_count, 1);
  atomic_init(&copy->retired, false);
  atomic_init(&copy->suspect, false);
  ap_buffer_deinit(&column);
  if (!copy->path || !copy->cell_column) {
    free_copy(copy);
    return AP_FAIL_MEMORY(err);
  }
  *out_copy = copy;
  return AP_OK;
}

/* ---- zeros ----------------------------------------------------------------------------------- */
/*
 * To the engine's storage -0.0 and 0.0 are one value where a run, or a whole segment, is kept as
 * one. Runs are switched off for frames with floats; segments of nothing but zeros are looked for
 * afterwards, and where one of them may have had both, there is no copy.
 */

static bool has_floats(const struct ap_type *type) {
  if (type->kind == AP_TYPE_FLOAT32 || type->kind == AP_TYPE_FLOAT64) return true;
  for (uint32_t i = 0; i < type->field_count; i++) {
    if (has_floats(&type->fields[i].type)) return true;
  }
  return false;
}

static bool has_float_columns(const struct ap_schema *schema) {
  for (uint32_t i = 0; i < schema->field_count; i++) {
    if (has_floats(&schema->fields[i].type)) return true;
  }
  return false;
}

/* The one number that a query answers. */
static ap_status ask_number(struct ap_chamber *chamber, const char *sql,
                            const struct ap_run_control *control, int64_t *out_number,
                            ap_error *err) {
  duckdb_result result = {0};
  AP_TRY(ap_chamber_run_controlled(chamber, sql, control, &result, err));
  duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
  ap_status status = AP_OK;
  if (chunk) {
    *out_number = *(const int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
    duckdb_destroy_data_chunk(&chunk);
  } else {
    status = ap_chamber_fail_result(chamber, &result, err);
  }
  duckdb_destroy_result(&result);
  return status;
}

#define ZERO_SEGMENTS                                                                       \
  "SELECT count(*) FROM pragma_storage_info('_ap_copy.main.cells') WHERE compression = "    \
  "'Constant' AND segment_type IN ('FLOAT', 'DOUBLE') AND regexp_matches(stats, '^\\[Min: " \
  "-?0\\.0, Max: -?0\\.0\\]')"

/* AP_UNSUPPORTED when the copy may have lost the sign of a zero: the column has both. */
static ap_status check_zeros(struct ap_chamber *chamber, const struct ap_native_request *request,
                             const struct ap_view *view, ap_error *err) {
  const struct ap_schema *schema = request->binding->schema;
  int64_t count = 0;
  AP_TRY(ask_number(chamber, ZERO_SEGMENTS, NULL, &count, err));
  if (count == 0) return AP_OK;
  AP_TRY(ask_number(chamber, ZERO_SEGMENTS " AND contains(column_path, ',')", NULL, &count, err));
  struct ap_buffer sql;
  ap_buffer_init(&sql, chamber->engine->env->allocator);
  ap_buffer_append_string(&sql, "SELECT 0::BIGINT");
  for (uint32_t i = 0; i < schema->field_count; i++) {
    const struct ap_field *field = &schema->fields[i];
    if (field->type.kind != AP_TYPE_FLOAT32 && field->type.kind != AP_TYPE_FLOAT64) continue;
    ap_buffer_append_string(&sql, " + (count(DISTINCT signbit(");
    ap_buffer_append_identifier(&sql, field->name);
    ap_buffer_append_string(&sql, ")) FILTER (");
    ap_buffer_append_identifier(&sql, field->name);
    ap_buffer_append_string(&sql, " = 0) > 1)::BIGINT");
  }
  ap_buffer_append_string(&sql, " FROM (");
  ap_view_append_select(&sql, view, (struct ap_text){0});
  ap_buffer_append_string(&sql, ")");
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK && count == 0) {
    status = ask_number(chamber, sql.data, request->control, &count, err);
  }
  ap_buffer_deinit(&sql);
  if (status == AP_OK && count > 0) {
    status = AP_FAIL(err, AP_UNSUPPORTED, "a copy would lose the signs of zeros");
  }
  return status;
}

/* AP_UNSUPPORTED when some segment holds no number but NaN: the engine's storage says of it that
 * infinity is the least value, and min() is answered with that. */
static ap_status check_nans(struct ap_chamber *chamber, ap_error *err) {
  int64_t count = 0;
  AP_TRY(ask_number(chamber,
                    "SELECT count(*) FROM pragma_storage_info('_ap_copy.main.cells') WHERE "
                    "segment_type IN ('FLOAT', 'DOUBLE') AND starts_with(stats, '[Min: inf, Max: "
                    "nan]')",
                    NULL, &count, err));
  if (count == 0) return AP_OK;
  return AP_FAIL(err, AP_UNSUPPORTED, "a copy would take NaN for infinity in min()");
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static ap_status open_file(struct ap_chamber *chamber, const struct ap_native_request *request,
                           ap_error *err) {
  int64_t bytes = 0;
  for (uint32_t i = 0; i < request->binding->cell_count; i++) {
    bytes += request->binding->cells[i]->size_bytes;
  }
  struct ap_buffer sql;
  ap_buffer_init(&sql, chamber->engine->env->allocator);
  ap_buffer_append_format(&sql, "SET threads = 1; SET memory_limit = '%" PRId64 "B'; ATTACH ",
                          request->memory_limit_bytes);
  ap_buffer_append_literal(&sql, ap_text_of(request->path));
  ap_buffer_append_format(&sql, " AS _ap_copy (TYPE duckdb, BLOCK_SIZE %d)",
                          bytes < SMALL_COPY_BYTES ? 16384 : 262144);
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) status = ap_chamber_run(chamber, sql.data, NULL, err);
  ap_buffer_deinit(&sql);
  if (status != AP_OK || !has_float_columns(request->binding->schema)) return status;
  return ap_chamber_run(chamber, "SET disabled_compression_methods = 'rle'", NULL, err);
}

static ap_status fill_file(struct ap_chamber *chamber, const struct ap_native_request *request,
                           const struct ap_native_copy *copy, ap_error *err) {
  struct ap_view view;
  AP_TRY(ap_view_plan(request->binding, 0, chamber->scratch, &view, err));
  AP_TRY(ap_view_set_variables(chamber, &view, err));
  AP_TRY(ap_view_set_deleted_rows(chamber, &view, err));
  struct ap_buffer sql;
  ap_buffer_init(&sql, chamber->engine->env->allocator);
  ap_buffer_append_string(&sql, "CREATE TABLE _ap_copy.main.cells AS ");
  ap_view_append_select(&sql, &view, ap_text_of(copy->cell_column));
  duckdb_result result = {0};
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) {
    status = ap_chamber_run_controlled(chamber, sql.data, request->control, &result, err);
  }
  if (status == AP_OK) duckdb_destroy_result(&result);
  ap_buffer_deinit(&sql);
  if (status == AP_OK) status = ap_chamber_run(chamber, "CHECKPOINT _ap_copy", NULL, err);
  if (status == AP_OK && has_float_columns(request->binding->schema)) {
    status = check_nans(chamber, err);
    if (status == AP_OK) status = check_zeros(chamber, request, &view, err);
  }
  return status == AP_OK ? ap_chamber_run(chamber, "DETACH _ap_copy", NULL, err) : status;
}

ap_status ap_native_copy_make(struct ap_engine *engine, const struct ap_native_request *request,
                              struct ap_native_copy **out_copy, ap_error *err) {
  AP_ASSERT(request->binding->cell_count > 0 && request->binding->part_count == 0);
  AP_ASSERT(request->memory_limit_bytes > 0);
  struct ap_native_copy *copy = NULL;
  struct ap_chamber *chamber = NULL;
  struct ap_file_info info;
  AP_TRY(create_copy(engine, request, &copy, err));
  ap_status status = ap_chamber_open(engine, 1, request->memory_limit_bytes, &chamber, err);
  if (status == AP_OK) status = open_file(chamber, request, err);
  if (status == AP_OK) status = fill_file(chamber, request, copy, err);
  ap_chamber_close(chamber);
  if (status == AP_OK) {
    status = engine->env->files->info(engine->env->files, request->path, &info, err);
  }
  if (status != AP_OK) {
    ap_native_copy_release(copy);
    return status;
  }
  copy->size_bytes = info.size_bytes;
  *out_copy = copy;
  return AP_OK;
}

/* ---- attaching ------------------------------------------------------------------------------- */

static void append_database(struct ap_buffer *out, const struct ap_native_copy *copy) {
  ap_buffer_append_format(out, "_ap_n%" PRIu64, copy->number);
}

void ap_native_append_select(struct ap_buffer *out, const struct ap_native_part *part,
                             const struct ap_schema *schema) {
  ap_buffer_append_string(out, "SELECT ");
  for (uint32_t i = 0; i < schema->field_count; i++) {
    if (i > 0) ap_buffer_append_string(out, ", ");
    ap_buffer_append_identifier(out, schema->fields[i].name);
  }
  ap_buffer_append_string(out, " FROM ");
  append_database(out, part->copy);
  ap_buffer_append_string(out, ".main.cells");
  for (uint32_t i = 0; i < part->range_count; i++) {
    ap_buffer_append_string(out, i == 0 ? " WHERE " : " OR ");
    ap_buffer_append_string(out, part->copy->cell_column);
    ap_buffer_append_format(out, " BETWEEN %u AND %u", part->ranges[i].first, part->ranges[i].last);
  }
}

static ap_status detach(struct ap_chamber *chamber, uint32_t place, ap_error *err) {
  struct ap_native_copy *copy = chamber->attached[place].copy;
  struct ap_buffer sql;
  ap_buffer_init(&sql, chamber->engine->env->allocator);
  ap_buffer_append_string(&sql, "DETACH ");
  append_database(&sql, copy);
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) status = ap_chamber_run(chamber, sql.data, NULL, err);
  ap_buffer_deinit(&sql);
  if (status != AP_OK) return status;
  ap_native_copy_release(copy);
  chamber->attached[place] = chamber->attached[--chamber->attached_count];
  return AP_OK;
}

void ap_chamber_detach_retired(struct ap_chamber *chamber) {
  for (uint32_t i = chamber->attached_count; i > 0; i--) {
    if (!atomic_load(&chamber->attached[i - 1].copy->retired)) continue;
    if (detach(chamber, i - 1, NULL) != AP_OK) chamber->broken = true;
  }
}

/* A place for one more; AP_BUSY when this statement needs all of them. */
static ap_status make_place(struct ap_chamber *chamber, ap_error *err) {
  if (chamber->attached_count < AP_COPIES_ATTACHED_MAX) return AP_OK;
  uint32_t oldest = 0;
  for (uint32_t i = 1; i < chamber->attached_count; i++) {
    if (chamber->attached[i].last_use < chamber->attached[oldest].last_use) oldest = i;
  }
  if (chamber->attached[oldest].last_use == chamber->use_count) {
    return AP_FAIL(err, AP_BUSY, "more than %d native copies in one statement",
                   AP_COPIES_ATTACHED_MAX);
  }
  return detach(chamber, oldest, err);
}

static ap_status attach(struct ap_chamber *chamber, struct ap_native_copy *copy, ap_error *err) {
  for (uint32_t i = 0; i < chamber->attached_count; i++) {
    if (chamber->attached[i].copy != copy) continue;
    chamber->attached[i].last_use = chamber->use_count;
    return AP_OK;
  }
  AP_TRY(make_place(chamber, err));
  struct ap_buffer sql;
  ap_buffer_init(&sql, chamber->engine->env->allocator);
  ap_buffer_append_string(&sql, "ATTACH ");
  ap_buffer_append_literal(&sql, ap_text_of(copy->path));
  ap_buffer_append_string(&sql, " AS ");
  append_database(&sql, copy);
  ap_buffer_append_string(&sql, " (READ_ONLY, TYPE duckdb)");
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) status = ap_chamber_run(chamber, sql.data, NULL, err);
  ap_buffer_deinit(&sql);
  if (status != AP_OK) {
    ap_native_copy_suspect(copy);
    return status;
  }
  chamber->attached[chamber->attached_count++] = (struct ap_attached_copy){
      .copy = ap_native_copy_retain(copy), .last_use = chamber->use_count};
  return AP_OK;
}

ap_status ap_chamber_attach_parts(struct ap_chamber *chamber,
                                  const struct ap_frame_binding *binding, ap_error *err) {
  for (uint32_t i = 0; i < binding->part_count; i++) {
    AP_TRY(attach(chamber, binding->parts[i].copy, err));
  }
  return AP_OK;
}

void ap_chamber_release_attached(struct ap_chamber *chamber) {
  for (uint32_t i = 0; i < chamber->attached_count; i++) {
    ap_native_copy_release(chamber->attached[i].copy);
  }
  chamber->attached_count = 0;
}

void ap_chamber_suspect_attached(struct ap_chamber *chamber) {
  for (uint32_t i = 0; i < chamber->attached_count; i++) {
    if (chamber->attached[i].last_use != chamber->use_count) continue;
    ap_native_copy_suspect(chamber->attached[i].copy);
  }
}
