/* SPDX-License-Identifier: Apache-2.0
 *
 * See rules.h.
 */
#include "execute/rules.h"

#include "arrow/stream.h"
#include "cell/expression.h"
#include "execute/query.h"

#include <inttypes.h>
#include <string.h>

/* The text in the first column of the first row; empty: no row, or null. */
static ap_status first_text(struct ArrowArrayStream *stream, struct ap_arena *arena,
                            struct ap_text *out_text, ap_error *err) {
  struct ArrowArray batch = {0};
  *out_text = (struct ap_text){"", 0};
  ap_status status = AP_OK;
  do {
    ap_array_release(&batch);
    status = ap_stream_next(stream, &batch, err);
  } while (status == AP_OK && batch.release != NULL && batch.length == 0);
  if (status == AP_OK && batch.release != NULL) {
    const struct ArrowArray *column = batch.children[0];
    const int32_t *offsets = column->buffers[1];
    const char *bytes = column->buffers[2];
    int32_t begin = offsets[column->offset];
    size_t size = (size_t)(offsets[column->offset + 1] - begin);
    const char *copy = ap_arena_copy(arena, (struct ap_text){bytes + begin, size});
    *out_text = (struct ap_text){copy, size};
    if (copy == NULL) status = AP_FAIL_MEMORY(err);
  }
  ap_array_release(&batch);
  return status;
}

ap_status ap_rule_find_offender(struct ap_node *node, const struct ap_frame *frame, int64_t version,
                                struct ap_text condition, struct ap_arena *arena,
                                struct ap_text *out_row, ap_error *err) {
  const struct ap_frame_entry *entry = &frame->entry;
  struct ap_buffer sql;
  struct ArrowArrayStream stream = {0};
  ap_buffer_init(&sql, ap_node_env(node)->allocator);
  ap_buffer_append_string(&sql, "SELECT left(CAST(ap_row AS VARCHAR), 400) FROM ");
  ap_buffer_append_identifier(&sql, entry->hive);
  ap_buffer_append_string(&sql, ".");
  ap_buffer_append_identifier(&sql, entry->box);
  ap_buffer_append_string(&sql, ".");
  ap_buffer_append_identifier(&sql, entry->name);
  ap_buffer_append_format(&sql, " AT (VERSION => %" PRId64 ") AS ap_row WHERE (", version);
  ap_buffer_append_text(&sql, condition);
  ap_buffer_append_string(&sql, ") IS NOT TRUE LIMIT 1");
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) {
    const struct ap_query_request query = {.text = ap_buffer_text(&sql),
                                           .body = ap_buffer_text(&sql)};
    status = ap_query(node, &query, NULL, &stream, err);
  }
  if (status == AP_OK) status = first_text(&stream, arena, out_row, err);
  ap_stream_release(&stream);
  ap_buffer_deinit(&sql);
  return status;
}

/* SELECT typeof(<expression>) FROM (SELECT CAST(NULL AS ..) AS "a", ..), so that the engine binds
 * the expression to the columns and says its type. */
static void append_probe(struct ap_buffer *sql, const struct ap_rule_request *request,
                         struct ap_text expression) {
  ap_buffer_append_string(sql, "SELECT typeof(");
  if (request->type != NULL) ap_buffer_append_string(sql, "CAST((");
  ap_buffer_append_text(sql, expression);
  if (request->type != NULL) {
    ap_buffer_append_string(sql, ") AS ");
    ap_type_append_sql(sql, request->type);
    ap_buffer_append_string(sql, ")");
  }
  ap_buffer_append_string(sql, ") FROM (SELECT 1 AS ap_one");
  for (uint32_t i = 0; !request->no_columns && i < request->schema->field_count; ++i) {
    ap_buffer_append_string(sql, ", CAST(NULL AS ");
    ap_type_append_sql(sql, &request->schema->fields[i].type);
    ap_buffer_append_string(sql, ") AS ");
    ap_buffer_append_identifier(sql, request->schema->fields[i].name);
  }
  ap_buffer_append_string(sql, ") AS ap_row");
}

static ap_status probe(struct ap_node *node, const struct ap_rule_request *request,
                       struct ap_text expression, struct ap_arena *arena, struct ap_text *out_type,
                       ap_error *err) {
  struct ap_buffer sql;
  struct ap_chamber *chamber = NULL;
  struct ArrowArrayStream stream = {0};
  ap_buffer_init(&sql, ap_node_env(node)->allocator);
  append_probe(&sql, request, expression);
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) {
    status = ap_chamber_acquire(ap_node_engine(node), AP_CHAMBER_WAIT_MS, &chamber, err);
  }
  if (status == AP_OK) {
    status = ap_chamber_query(chamber, ap_buffer_text(&sql), NULL, 0, NULL, &stream, err);
  }
  if (status == AP_OK) status = first_text(&stream, arena, out_type, err);
  ap_stream_release(&stream);
  ap_buffer_deinit(&sql);
  return status;
}

static ap_status check(struct ap_node *node, const struct ap_rule_request *request,
                       struct ap_arena *arena, struct ap_buffer *spark, struct ap_buffer *engine,
                       ap_error *err) {
  struct ap_text type = {"", 0};
  AP_TRY(ap_expression_to_spark(request->expression, spark, err));
  AP_TRY(ap_expression_from_spark(ap_buffer_text(spark), engine, err));
  AP_TRY(probe(node, request, ap_buffer_text(engine), arena, &type, err));
  if (request->type != NULL || ap_text_equal(type, AP_TEXT("BOOLEAN"))) return AP_OK;
  return AP_FAIL(err, AP_INVALID_ARGUMENT, "it is of type %.*s, and a condition is true or false",
                 AP_TEXT_ARG(type));
}

ap_status ap_rule_check(struct ap_node *node, const struct ap_rule_request *request,
                        struct ap_arena *arena, struct ap_text *out_spark, ap_error *err) {
  struct ap_buffer spark;
  struct ap_buffer engine;
  ap_buffer_init(&spark, ap_node_env(node)->allocator);
  ap_buffer_init(&engine, ap_node_env(node)->allocator);
  ap_status status = check(node, request, arena, &spark, &engine, err);
  if (status == AP_OK) {
    const char *copy = ap_arena_copy(arena, ap_buffer_text(&spark));
    *out_spark = (struct ap_text){copy, spark.size};
    if (copy == NULL) status = AP_FAIL_MEMORY(err);
  }
  ap_buffer_deinit(&engine);
  ap_buffer_deinit(&spark);
  if (status == AP_OK) return AP_OK;
  return ap_error_prefix(err, status, "expression (%.*s)", AP_TEXT_ARG(request->expression));
}
