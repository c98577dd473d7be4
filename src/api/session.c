/* SPDX-License-Identifier: Apache-2.0
 *
 * The public calls that run SQL.
 */
#include "api/handles.h"
#include "arrow/ipc.h"
#include "base/assert.h"
#include "base/limits.h"
#include "execute/files_found.h"
#include "plan/place.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

ap_status ap_session_open(ap_apiary *apiary, ap_session **out_session, ap_error *err) {
  const struct ap_env *env = ap_env_system();
  struct ap_session *session = ap_allocate_zeroed(env->allocator, 1, sizeof *session);
  if (session == NULL) return AP_FAIL_MEMORY(err);
  session->apiary = apiary;
  session->references = 1;
  ap_status status = env->threads->mutex_create(env->threads, &session->mutex, err);
  if (status == AP_OK) status = ap_sql_session_create(apiary->node, &session->sql, err);
  if (status != AP_OK) {
    env->threads->mutex_destroy(env->threads, session->mutex);
    ap_free(env->allocator, session);
    return status;
  }
  *out_session = session;
  return AP_OK;
}

static void release_session(struct ap_session *session) {
  const struct ap_env *env = ap_env_system();
  env->threads->lock(env->threads, session->mutex);
  AP_ASSERT(session->references > 0);
  bool last = --session->references == 0;
  env->threads->unlock(env->threads, session->mutex);
  if (!last) return;
  AP_ASSERT(session->queries == NULL);
  ap_sql_session_destroy(session->sql);
  env->threads->mutex_destroy(env->threads, session->mutex);
  ap_free(env->allocator, session);
}

/* Streams that are still open keep it. */
void ap_session_close(ap_session *session) {
  if (session != NULL) release_session(session);
}

const char *ap_session_hive(const ap_session *session) {
  return ap_sql_session_hive(session->sql);
}

const char *ap_session_box(const ap_session *session) {
  return ap_sql_session_box(session->sql);
}

bool ap_session_in_transaction(const ap_session *session) {
  return ap_sql_session_in_transaction(session->sql);
}

/* ---- what runs ------------------------------------------------------------------------------- */

static ap_status query_next(struct ap_stream_source *self, struct ArrowArray *out, ap_error *err);

/* A query from its call to the end of its stream: the engine asks the control while rows are
 * fetched, so the control lives as long as the stream. */
struct query_stream {
  struct ap_stream_source source; /* first */
  struct ap_session *session;     /* referenced */
  struct query_stream *next;      /* of the session's; guarded by its mutex */
  atomic_bool interrupted;
  struct ap_run_handle handle;
  struct ap_run_control control;
  bool (*cancelled)(void *context);
  void (*progress)(void *context, double percent);
  void *context;
  struct ArrowArrayStream inner;
  char *sql; /* for the places of errors that come late */
};

static void interrupt_query(struct query_stream *query) {
  atomic_store_explicit(&query->interrupted, true, memory_order_release);
  ap_engine_interrupt(ap_node_engine(query->session->apiary->node), &query->handle);
}

/* Release pairs with the acquire in is_cancelled: the query sees the wish, nothing else is shared.
 * A query that runs asks now and then; a stream whose rows are waited for is told. */
void ap_session_interrupt(ap_session *session) {
  const struct ap_env *env = ap_env_system();
  env->threads->lock(env->threads, session->mutex);
  for (struct query_stream *query = session->queries; query != NULL; query = query->next) {
    interrupt_query(query);
  }
  env->threads->unlock(env->threads, session->mutex);
}

void ap_stream_interrupt(struct ArrowArrayStream *stream) {
  struct ap_stream_source *source =
      stream == NULL || stream->release == NULL ? NULL : ap_stream_source_of(stream);
  if (source != NULL && source->next == query_next) interrupt_query((struct query_stream *)source);
}

static bool is_cancelled(void *opaque) {
  const struct query_stream *query = opaque;
  if (atomic_load_explicit(&query->interrupted, memory_order_acquire)) return true;
  return query->cancelled != NULL && query->cancelled(query->context);
}

static void report_progress(void *opaque, double percent) {
  const struct query_stream *query = opaque;
  query->progress(query->context, percent);
}

/* Where in the text an error lies that a row brought up. */
static void place_error(const struct query_stream *query, ap_error *err) {
  struct ap_text sql = ap_text_of(query->sql);
  struct ap_arena arena;
  size_t offset = 0;
  if (err == NULL || query->sql == NULL) return;
  ap_arena_init(&arena, ap_env_system()->allocator);
  struct ap_text last = ap_sql_last_statement(&arena, sql);
  err->position = 0;
  if (ap_sql_find_place(last, err->message, &offset)) {
    ap_error_position(err, (uint64_t)(last.data - sql.data) + offset);
  }
  ap_arena_deinit(&arena);
}

static ap_status query_schema(struct ap_stream_source *self, struct ArrowSchema *out,
                              ap_error *err) {
  struct query_stream *query = (struct query_stream *)self;
  return ap_stream_schema(&query->inner, out, err);
}

static ap_status query_next(struct ap_stream_source *self, struct ArrowArray *out, ap_error *err) {
  struct query_stream *query = (struct query_stream *)self;
  ap_status status = ap_stream_next(&query->inner, out, err);
  if (status != AP_OK) place_error(query, err);
  return status;
}

static void query_destroy(struct ap_stream_source *self) {
  const struct ap_env *env = ap_env_system();
  struct query_stream *query = (struct query_stream *)self;
  struct ap_session *session = query->session;
  env->threads->lock(env->threads, session->mutex);
  struct query_stream **at = &session->queries;
  while (*at != query) at = &(*at)->next;
  *at = query->next;
  env->threads->unlock(env->threads, session->mutex);
  ap_stream_release(&query->inner);
  ap_free(env->allocator, query->sql);
  ap_free(env->allocator, query);
  release_session(session);
}

static struct query_stream *create_query(struct ap_session *session,
                                         const ap_query_options *options) {
  const struct ap_env *env = ap_env_system();
  struct query_stream *query = ap_allocate_zeroed(env->allocator, 1, sizeof *query);
  if (query == NULL) return NULL;
  query->source = (struct ap_stream_source){
      .schema = query_schema, .next = query_next, .destroy = query_destroy};
  query->session = session;
  query->cancelled = AP_OPTION(options, cancelled, NULL);
  query->progress = AP_OPTION(options, progress, NULL);
  query->context = AP_OPTION(options, context, NULL);
  atomic_init(&query->interrupted, false);
  query->control = (struct ap_run_control){
      .cancelled = is_cancelled,
      .asked_anywhere = true,
      .progress = query->progress == NULL ? NULL : report_progress,
      .context = query,
      .handle = &query->handle,
  };
  int64_t timeout_ms = AP_OPTION(options, timeout_ms, 0);
  if (timeout_ms > 0 && timeout_ms < INT64_MAX / 2000) {
    query->control.deadline_us = ap_clock_monotonic_us(env->clock) + timeout_ms * 1000;
  }
  env->threads->lock(env->threads, session->mutex);
  session->references += 1;
  query->next = session->queries;
  session->queries = query;
  env->threads->unlock(env->threads, session->mutex);
  return query;
}

/* ---- options --------------------------------------------------------------------------------- */

static ap_status copy_values(const ap_query_parameter *given, size_t count, int depth,
                             struct ap_arena *arena, struct ap_parameter **out, ap_error *err) {
  struct ap_parameter *values = AP_ARENA_ARRAY(arena, struct ap_parameter, count + 1);
  if (values == NULL) return AP_FAIL_MEMORY(err);
  for (size_t i = 0; i < count; ++i) {
    ap_value_type type = given[i].type;
    bool has_items =
        type == AP_VALUE_TYPE_LIST || type == AP_VALUE_TYPE_STRUCT || type == AP_VALUE_TYPE_MAP;
    size_t size = given[i].data == NULL ? 0 : given[i].size;
    if ((int)type < AP_VALUE_TYPE_NULL || type > AP_VALUE_TYPE_MAP) {
      return AP_FAIL(err, AP_INVALID_ARGUMENT, "parameter %zu has type %d, which does not exist",
                     i + 1, (int)type);
    }
    values[i] = (struct ap_parameter){
        .kind = (enum ap_parameter_kind)type, /* the two lists are one, see below */
        .name = ap_text_of(given[i].name),
        .i64 = given[i].i64,
        .f64 = given[i].f64,
    };
    if (!has_items) {
      values[i].text = (struct ap_text){given[i].data, size};
      continue;
    }
    if (depth == AP_PARAMETER_DEPTH_MAX || size > AP_PARAMETER_ITEMS_MAX ||
        (type == AP_VALUE_TYPE_MAP && size % 2 != 0)) {
      return AP_FAIL(err, AP_INVALID_ARGUMENT,
                     "a parameter of %zu items, nested in %d others; at most %d items and %d "
                     "levels are allowed, and a map needs pairs",
                     size, depth, AP_PARAMETER_ITEMS_MAX, AP_PARAMETER_DEPTH_MAX);
    }
    struct ap_parameter *items = NULL;
    AP_TRY(copy_values(given[i].data, size, depth + 1, arena, &items, err));
    values[i].items = items;
    values[i].item_count = (uint32_t)size;
  }
  *out = values;
  return AP_OK;
}

static ap_status copy_parameters(const ap_query_options *options, struct ap_arena *arena,
                                 struct ap_parameter **out_parameters, uint32_t *out_count,
                                 ap_error *err) {
  const ap_query_parameter *given = AP_OPTION(options, parameters, NULL);
  size_t count = given == NULL ? 0 : AP_OPTION(options, parameter_count, 0);
  if (count > AP_QUERY_PARAMETERS_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "%zu parameters; at most %d are allowed", count,
                   AP_QUERY_PARAMETERS_MAX);
  }
  *out_count = (uint32_t)count;
  return copy_values(given, count, 0, arena, out_parameters, err);
}

_Static_assert((int)AP_VALUE_TYPE_NULL == (int)AP_PARAMETER_NULL, "parameter kinds");
_Static_assert((int)AP_VALUE_TYPE_TEXT == (int)AP_PARAMETER_TEXT, "parameter kinds");
_Static_assert((int)AP_VALUE_TYPE_DECIMAL == (int)AP_PARAMETER_DECIMAL, "parameter kinds");
_Static_assert((int)AP_VALUE_TYPE_TIMESTAMP_TZ == (int)AP_PARAMETER_TIMESTAMP_TZ,
               "parameter kinds");
_Static_assert((int)AP_VALUE_TYPE_MAP == (int)AP_PARAMETER_MAP, "parameter kinds");

/* ---- queries --------------------------------------------------------------------------------- */

static void print_timing(const struct ap_apiary *apiary, const struct ap_query_timing *timing) {
  if (!apiary->timing) return;
  (void)fprintf(stderr,
                "apiary timing: parse %.2f ms, plan %.2f ms, discover %.2f ms, read %.2f ms, "
                "execute %.2f ms, cells %" PRIu64 " of %" PRIu64 ", %" PRIu64 " from the cache\n",
                (double)timing->parse_us / 1e3, (double)timing->plan_us / 1e3,
                (double)timing->discover_us / 1e3, (double)timing->read_us / 1e3,
                (double)timing->execute_us / 1e3, timing->cells_read, timing->cells_total,
                timing->cells_cached);
}

ap_status ap_session_query(ap_session *session, const char *sql, const ap_query_options *options,
                           struct ArrowArrayStream *out_stream, ap_error *err) {
  if (sql == NULL || out_stream == NULL) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "sql or out_stream is NULL");
  }
  struct ap_allocator *allocator = ap_env_system()->allocator;
  struct ap_query_timing timing = {0};
  struct ap_parameter *parameters = NULL;
  struct ap_arena arena;
  struct ap_sql_request request = {.sql = ap_text_of(sql)};
  struct query_stream *query = create_query(session, options);
  if (query == NULL) return AP_FAIL_MEMORY(err);
  ap_arena_init(&arena, allocator);
  ap_status status = copy_parameters(options, &arena, &parameters, &request.parameter_count, err);
  if (status == AP_OK) {
    request.parameters = parameters;
    request.control = &query->control;
    status = ap_sql_run(session->sql, &request, &timing, &query->inner, err);
  }
  ap_arena_deinit(&arena);
  if (status != AP_OK) {
    query_destroy(&query->source);
    return status;
  }
  query->sql = ap_string_copy(allocator, request.sql); /* without it, places are unknown */
  print_timing(session->apiary, &timing);
  ap_stream_from_source(&query->source, out_stream);
  return AP_OK;
}

/* ---- export ---------------------------------------------------------------------------------- */

static ap_status choose_format(const char *path, const char *format, const char **out_format,
                               ap_error *err) {
  static const char *const words[] = {NULL, "csv", "json", "parquet", "arrow"};
  enum ap_file_format found =
      format != NULL ? ap_format_of_word(ap_text_of(format)) : ap_format_of_path(ap_text_of(path));
  *out_format = words[found];
  if (found != AP_FORMAT_UNKNOWN) return AP_OK;
  ap_status status = AP_FAIL(err, AP_INVALID_ARGUMENT, "'%s' tells no format to export to",
                             format != NULL ? format : path);
  ap_error_hint(err, "the formats are csv, json, parquet and arrow");
  return status;
}

/* Bytes of the file to come, counted rows beside. */
struct arrow_export {
  struct ArrowArrayStream inner;
  int64_t rows;
};

static int export_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
  struct arrow_export *export = stream->private_data;
  return export->inner.get_schema(&export->inner, out);
}

static int export_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
  struct arrow_export *export = stream->private_data;
  int code = export->inner.get_next(&export->inner, out);
  if (code == 0 && out->release != NULL) export->rows += out->length;
  return code;
}

static const char *export_last_error(struct ArrowArrayStream *stream) {
  struct arrow_export *export = stream->private_data;
  return export->inner.get_last_error(&export->inner);
}

static void export_release(struct ArrowArrayStream *stream) {
  struct arrow_export *export = stream->private_data;
  ap_stream_release(&export->inner);
  stream->release = NULL;
}

static ap_status export_arrow(ap_session *session, const char *sql, const char *path,
                              const ap_query_options *options, int64_t *out_rows, ap_error *err) {
  const struct ap_env *env = ap_env_system();
  struct arrow_export export = {.rows = 0};
  struct ap_buffer bytes;
  AP_TRY(ap_session_query(session, sql, options, &export.inner, err));
  struct ArrowArrayStream counted = {.get_schema = export_get_schema,
                                     .get_next = export_get_next,
                                     .get_last_error = export_last_error,
                                     .release = export_release,
                                     .private_data = &export};
  ap_buffer_init(&bytes, env->allocator);
  ap_status status = ap_ipc_write(&counted, AP_IPC_FILE, &bytes, err);
  if (status == AP_OK) {
    status = env->files->create(env->files, path, ap_buffer_text(&bytes), true, err);
  }
  ap_buffer_deinit(&bytes);
  *out_rows = export.rows;
  return status;
}

ap_status ap_export(ap_session *session, const char *sql, const char *path, const char *format,
                    const ap_query_options *options, int64_t *out_rows, ap_error *err) {
  const struct ap_env *env = ap_env_system();
  struct ap_file_info info;
  struct ap_sql_request request = {.sql = ap_text_of(sql)};
  struct ap_parameter *parameters = NULL;
  struct ap_arena arena;
  int64_t rows = 0;
  if (sql == NULL || path == NULL) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "sql or path is NULL");
  }
  AP_TRY(choose_format(path, format, &format, err));
  if (env->files->info(env->files, path, &info, NULL) == AP_OK) {
    ap_status status = AP_FAIL(err, AP_ALREADY_EXISTS, "'%s' is there already", path);
    ap_error_hint(err, "choose another name, or remove it first");
    return status;
  }
  ap_status status = AP_OK;
  if (strcmp(format, "arrow") == 0) {
    status = export_arrow(session, sql, path, options, &rows, err);
  } else {
    struct query_stream *query = create_query(session, options);
    if (query == NULL) return AP_FAIL_MEMORY(err);
    ap_arena_init(&arena, env->allocator);
    status = copy_parameters(options, &arena, &parameters, &request.parameter_count, err);
    request.parameters = parameters;
    request.control = &query->control;
    if (status == AP_OK) status = ap_sql_export(session->sql, &request, path, format, &rows, err);
    ap_arena_deinit(&arena);
    query_destroy(&query->source);
  }
  if (status == AP_OK && out_rows != NULL) *out_rows = rows;
  return status;
}
