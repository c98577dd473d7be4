/* SPDX-License-Identifier: Apache-2.0
 *
 * Queries: one statement in, a stream of Arrow batches out, nothing materialised between.
 *
 * The stream holds the chamber until the last batch was fetched. The first batches are fetched at
 * once, so that a small result gives the chamber back before its client looks at it; between later
 * batches the stream is parked: it keeps its memory and lends its bee to others.
 * Fetching may take as long as the engine needs for the next batch; meanwhile the alarm heeds the
 * control. Before each batch `cancelled` is asked, and progress told between them.
 */
#include "engine/pool.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/status.h"

#include <string.h>

enum {
  STOP_INTERVAL_US = 10 * 1000,     /* between two questions whether to stop */
  PROGRESS_INTERVAL_US = 50 * 1000, /* between two reports of progress */
  READY_MAX = 8,                    /* batches that are fetched at once */
  READY_US = 2000,                  /* unless they take longer than this */
};

struct query_stream {
  struct ap_stream_source source; /* first */
  struct ap_allocator *allocator;
  struct ap_chamber *chamber; /* NULL: given back */
  duckdb_result result;
  duckdb_arrow_options options;
  struct ArrowSchema schema;
  struct ap_run_control control;
  int64_t asked_us;
  int64_t reported_us;
  bool has_result;
  bool finished; /* nothing more comes: end or error */
  struct ArrowArray ready[READY_MAX];
  uint32_t ready_next;
  uint32_t ready_count;
};

/* Make sure that nothing of the statement runs on: the engine clears up at the next statement. */
static void end_statement(struct query_stream *stream, struct ap_chamber *chamber) {
  if (stream->has_result) {
    if (!stream->finished) duckdb_interrupt(chamber->connection);
    duckdb_destroy_result(&stream->result);
    stream->has_result = false;
    if (!stream->finished && ap_chamber_run(chamber, "SELECT 1", NULL, NULL) != AP_OK) {
      chamber->broken = true;
    }
  }
}

/* Let other threads find the chamber (shown), or find it no more. */
static void show_chamber(struct query_stream *stream, struct ap_chamber *chamber, bool shown) {
  struct ap_engine *engine = chamber->engine;
  struct ap_threads *threads = engine->env->threads;
  if (!stream->control.handle) return;
  threads->lock(threads, engine->mutex);
  stream->control.handle->chamber = shown ? chamber : NULL;
  threads->unlock(threads, engine->mutex);
}

/* Nothing more is wanted of the chamber. */
static void give_back(struct query_stream *stream) {
  struct ap_chamber *chamber = stream->chamber;
  if (!chamber) return;
  stream->chamber = NULL;
  ap_chamber_heed(chamber, NULL);
  show_chamber(stream, chamber, false);
  end_statement(stream, chamber);
  if (stream->options) duckdb_destroy_arrow_options(&stream->options);
  ap_chamber_release(chamber);
}

static void stream_destroy(struct ap_stream_source *source) {
  struct query_stream *stream = (struct query_stream *)source;
  give_back(stream);
  while (stream->ready_next < stream->ready_count) {
    ap_array_release(&stream->ready[stream->ready_next++]);
  }
  ap_schema_release(&stream->schema);
  ap_free(stream->allocator, stream);
}

static ap_status stream_schema(struct ap_stream_source *source, struct ArrowSchema *out_schema,
                               ap_error *err) {
  struct query_stream *stream = (struct query_stream *)source;
  if (ArrowSchemaDeepCopy(&stream->schema, out_schema) != NANOARROW_OK) return AP_FAIL_MEMORY(err);
  return AP_OK;
}

static ap_status check_stop(struct query_stream *stream, ap_error *err) {
  int64_t now_us = ap_clock_monotonic_us(stream->chamber->engine->env->clock);
  bool ask = now_us - stream->asked_us >= STOP_INTERVAL_US;
  if (ask) stream->asked_us = now_us;
  if (stream->control.progress && now_us - stream->reported_us >= PROGRESS_INTERVAL_US) {
    stream->reported_us = now_us;
    ap_chamber_report_progress(stream->chamber, &stream->control);
  }
  return ap_chamber_check_stop(stream->chamber, ask ? &stream->control : NULL, err);
}

static ap_status fetch(struct query_stream *stream, duckdb_data_chunk *out_chunk, ap_error *err) {
  AP_TRY(check_stop(stream, err));
  *out_chunk = duckdb_fetch_chunk(stream->result);
  if (*out_chunk) return AP_OK;
  const char *message = duckdb_result_error(&stream->result);
  if (message && message[0] != '\0') {
    return ap_chamber_fail_result(stream->chamber, &stream->result, err);
  }
  /* An interrupt may end a stream without an error: that is no complete answer. */
  return ap_chamber_check_stop(stream->chamber, NULL, err);
}

/* The next batch from the engine; none, or an error, is the end of the statement. */
static ap_status next_batch(struct query_stream *stream, struct ArrowArray *out_array,
                            ap_error *err) {
  struct ap_chamber *chamber = stream->chamber;
  duckdb_data_chunk chunk = NULL;
  ap_status status = fetch(stream, &chunk, err);
  if (status == AP_OK && chunk) {
    duckdb_error_data error = duckdb_data_chunk_to_arrow(stream->options, chunk, out_array);
    duckdb_destroy_data_chunk(&chunk);
    if (!error) return AP_OK;
    out_array->release = NULL;
    status = ap_chamber_fail_data(chamber, error, err);
  }
  if (status != AP_OK) end_statement(stream, chamber);
  stream->finished = true;
  give_back(stream);
  return status;
}

/* Between two batches nothing is asked: who fetches rows may be gone with what would be asked. */
static void park(struct query_stream *stream) {
  const struct ap_run_control idle = {.deadline_us = stream->control.deadline_us};
  if (!stream->chamber) return;
  ap_chamber_heed(stream->chamber, &idle);
  ap_chamber_park(stream->chamber);
}

static ap_status stream_next(struct ap_stream_source *source, struct ArrowArray *out_array,
                             ap_error *err) {
  struct query_stream *stream = (struct query_stream *)source;
  out_array->release = NULL;
  if (stream->ready_next < stream->ready_count) {
    *out_array = stream->ready[stream->ready_next];
    stream->ready[stream->ready_next++].release = NULL;
    return AP_OK;
  }
  if (stream->finished) return AP_OK;
  ap_chamber_resume(stream->chamber);
  ap_chamber_heed(stream->chamber, &stream->control);
  ap_status status = next_batch(stream, out_array, err);
  park(stream);
  return status;
}

/* What is there already, up to the end of a small result. */
static ap_status fetch_first(struct query_stream *stream, ap_error *err) {
  struct ap_clock *clock = stream->chamber->engine->env->clock;
  int64_t until_us = ap_clock_monotonic_us(clock) + READY_US;
  while (!stream->finished && stream->ready_count < READY_MAX) {
    struct ArrowArray *array = &stream->ready[stream->ready_count];
    AP_TRY(next_batch(stream, array, err));
    if (array->release) stream->ready_count++;
    if (ap_clock_monotonic_us(clock) >= until_us) break;
  }
  park(stream);
  return AP_OK;
}

/* The schema of the result, as the engine will fill it. */
static ap_status describe(struct query_stream *stream, ap_error *err) {
  struct ap_chamber *chamber = stream->chamber;
  struct ap_allocator *allocator = chamber->engine->env->allocator;
  idx_t count = duckdb_column_count(&stream->result);
  duckdb_logical_type *types = ap_allocate_zeroed(allocator, count + 1, sizeof(*types));
  const char **names = ap_allocate_zeroed(allocator, count + 1, sizeof(*names));
  ap_status status = types && names ? AP_OK : AP_FAIL_MEMORY(err);
  if (status == AP_OK) {
    for (idx_t i = 0; i < count; i++) {
      types[i] = duckdb_column_logical_type(&stream->result, i);
      names[i] = duckdb_column_name(&stream->result, i);
    }
    duckdb_error_data error =
        duckdb_to_arrow_schema(stream->options, types, names, count, &stream->schema);
    if (error) {
      stream->schema.release = NULL;
      status = ap_chamber_fail_data(chamber, error, err);
    }
    for (idx_t i = 0; i < count; i++) duckdb_destroy_logical_type(&types[i]);
  }
  ap_free(allocator, types);
  ap_free(allocator, names);
  return status;
}

/* A statement that gives no rows: a schema of no columns. */
static ap_status describe_nothing(struct query_stream *stream, ap_error *err) {
  ArrowSchemaInit(&stream->schema);
  if (ArrowSchemaSetTypeStruct(&stream->schema, 0) != NANOARROW_OK) return AP_FAIL_MEMORY(err);
  stream->finished = true;
  give_back(stream);
  return AP_OK;
}

static ap_status refuse_kind(duckdb_statement_type type, ap_error *err) {
  if (type == DUCKDB_STATEMENT_TYPE_SELECT || type == DUCKDB_STATEMENT_TYPE_EXPLAIN ||
      type == DUCKDB_STATEMENT_TYPE_CALL) {
    return AP_OK;
  }
  return AP_FAIL(err, AP_UNSUPPORTED,
                 "only statements that read can run here (the engine calls this kind %d)",
                 (int)type);
}

/* What PIVOT without a list of values becomes: statements that make types of the values first.
 * Those types stay behind, so the chamber is not used again. */
static ap_status run_preludes(struct ap_chamber *chamber, duckdb_extracted_statements statements,
                              idx_t count, ap_error *err) {
  ap_status status = AP_OK;
  chamber->broken = true;
  for (idx_t i = 0; i + 1 < count && status == AP_OK; i++) {
    duckdb_prepared_statement statement = NULL;
    duckdb_result result = {0};
    if (duckdb_prepare_extracted_statement(chamber->connection, statements, i, &statement) !=
        DuckDBSuccess) {
      status = ap_chamber_fail(chamber, DUCKDB_ERROR_INVALID, duckdb_prepare_error(statement), err);
    } else if (duckdb_prepared_statement_type(statement) != DUCKDB_STATEMENT_TYPE_CREATE) {
      status = AP_FAIL(err, AP_INVALID_ARGUMENT, "%llu statements where one is expected",
                       (unsigned long long)count);
    } else {
      status = ap_chamber_execute(chamber, statement, false, NULL, &result, err);
      if (status == AP_OK) duckdb_destroy_result(&result);
    }
    duckdb_destroy_prepare(&statement);
  }
  return status;
}

static ap_status prepare(struct ap_chamber *chamber, const char *sql,
                         duckdb_prepared_statement *out_statement, ap_error *err) {
  duckdb_extracted_statements statements = NULL;
  duckdb_prepared_statement statement = NULL;
  idx_t count = duckdb_extract_statements(chamber->connection, sql, &statements);
  ap_status status = AP_OK;
  const char *message = count == 0 ? duckdb_extract_statements_error(statements) : NULL;
  if (message) {
    status = ap_chamber_fail(chamber, DUCKDB_ERROR_PARSER, message, err);
  } else if (count == 0) {
    status = AP_FAIL(err, AP_INVALID_ARGUMENT, "the statement is empty");
  } else if (count > 1 && strchr(sql, ';')) {
    status = AP_FAIL(err, AP_INVALID_ARGUMENT, "%llu statements where one is expected",
                     (unsigned long long)count);
  } else if (count > 1) {
    status = run_preludes(chamber, statements, count, err);
  }
  if (status == AP_OK &&
      duckdb_prepare_extracted_statement(chamber->connection, statements, count - 1, &statement) !=
          DuckDBSuccess) {
    status = ap_chamber_fail(chamber, DUCKDB_ERROR_INVALID, duckdb_prepare_error(statement), err);
  }
  if (status == AP_OK) status = refuse_kind(duckdb_prepared_statement_type(statement), err);
  duckdb_destroy_extracted(&statements);
  if (status != AP_OK) {
    duckdb_destroy_prepare(&statement);
    return status;
  }
  *out_statement = statement;
  return AP_OK;
}

/* Prepare, bind, run until the first rows are there. */
static ap_status start(struct query_stream *stream, const char *sql,
                       const struct ap_parameter *parameters, uint32_t parameter_count,
                       ap_error *err) {
  struct ap_chamber *chamber = stream->chamber;
  duckdb_prepared_statement statement = NULL;
  AP_TRY(prepare(chamber, sql, &statement, err));
  ap_status status = ap_parameters_bind(chamber, statement, parameters, parameter_count, err);
  if (status == AP_OK) {
    status = ap_chamber_execute(chamber, statement, true, &stream->control, &stream->result, err);
  }
  duckdb_destroy_prepare(&statement);
  if (status != AP_OK) return status;
  stream->has_result = true;
  stream->options = duckdb_result_get_arrow_options(&stream->result);
  if (duckdb_result_return_type(stream->result) != DUCKDB_RESULT_TYPE_QUERY_RESULT) {
    return describe_nothing(stream, err);
  }
  AP_TRY(describe(stream, err));
  ap_chamber_heed(chamber, &stream->control);
  return fetch_first(stream, err);
}

ap_status ap_chamber_query(struct ap_chamber *chamber, struct ap_text sql,
                           const struct ap_parameter *parameters, uint32_t parameter_count,
                           const struct ap_run_control *control,
                           struct ArrowArrayStream *out_stream, ap_error *err) {
  struct ap_allocator *allocator = chamber->engine->env->allocator;
  struct query_stream *stream = ap_allocate_zeroed(allocator, 1, sizeof(*stream));
  char *text = ap_string_copy(allocator, sql);
  ap_status status = stream && text ? AP_OK : AP_FAIL_MEMORY(err);
  if (status == AP_OK) status = ap_chamber_check_statement(sql, err);
  if (status == AP_OK) {
    stream->source = (struct ap_stream_source){
        .schema = stream_schema, .next = stream_next, .destroy = stream_destroy};
    stream->allocator = allocator;
    stream->chamber = chamber;
    if (control) stream->control = *control;
    show_chamber(stream, chamber, true);
    status = start(stream, text, parameters, parameter_count, err);
    if (status == AP_OK) {
      ap_stream_from_source(&stream->source, out_stream);
    } else {
      stream_destroy(&stream->source);
    }
  } else {
    ap_free(allocator, stream);
    ap_chamber_release(chamber);
  }
  ap_free(allocator, text);
  return status;
}
