/* SPDX-License-Identifier: Apache-2.0
 *
 * See rules.h.
 */
#include "execute/rules.h"

#include "arrow/stream.h"
#include "cell/expression.h"
#include "execute/query.h"
#include "ledger/delta_schema.h"

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

ap_status ap_rule_find_offender(struct ap_node *node, const struct ap_offender_request *request,
                                struct ap_arena *arena, struct ap_text *out_row, ap_error *err) {
  const struct ap_frame_entry *entry = &request->frame->entry;
  struct ap_buffer sql;
  struct ArrowArrayStream stream = {0};
  ap_buffer_init(&sql, ap_node_env(node)->allocator);
  ap_buffer_append_string(&sql, "SELECT left(CAST(ap_row AS VARCHAR), 400) FROM (SELECT * FROM ");
  ap_buffer_append_identifier(&sql, entry->hive);
  ap_buffer_append_string(&sql, ".");
  ap_buffer_append_identifier(&sql, entry->box);
  ap_buffer_append_string(&sql, ".");
  ap_buffer_append_identifier(&sql, entry->name);
  ap_buffer_append_format(&sql, " AT (VERSION => %" PRId64 ")) AS ap_row WHERE (",
                          request->version);
  ap_buffer_append_text(&sql, request->condition);
  ap_buffer_append_string(&sql, ") IS NOT TRUE LIMIT 1");
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) {
    const struct ap_query_request query = {.text = ap_buffer_text(&sql),
                                           .body = ap_buffer_text(&sql),
                                           .control = request->control,
                                           .account = request->account};
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
    status = ap_bee_acquire(node, request->account, AP_WORK_WRITE, request->control, &chamber, err);
  }
  if (status == AP_OK) {
    status =
        ap_chamber_query(chamber, ap_buffer_text(&sql), NULL, 0, request->control, &stream, err);
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

/* ---- loading --------------------------------------------------------------------------------- */

#define CONSTRAINTS AP_TEXT("delta.constraints.")

static ap_status translate(struct ap_arena *arena, const char *what, struct ap_text name,
                           struct ap_text spark, struct ap_text *out_sql, ap_error *err) {
  struct ap_buffer sql;
  ap_buffer_init(&sql, arena->allocator);
  ap_status status = ap_expression_from_spark(spark, &sql, err);
  if (status == AP_OK) {
    const char *copy = ap_arena_copy(arena, ap_buffer_text(&sql));
    *out_sql = (struct ap_text){copy, sql.size};
    if (copy == NULL) status = AP_FAIL_MEMORY(err);
  } else {
    status = ap_error_prefix(err, status, "rows cannot be written: %s '%.*s' (%.*s)", what,
                             AP_TEXT_ARG(name), AP_TEXT_ARG(spark));
  }
  ap_buffer_deinit(&sql);
  return status;
}

static struct ap_text member(const struct ap_field *field, const char *name) {
  struct ap_text text = {"", 0};
  if (!ap_json_get_text(field->metadata, name, text, &text)) return (struct ap_text){"", 0};
  return text;
}

/* {"expression": {"expression": "x > 3"}}, as a text */
static ap_status read_invariant(struct ap_arena *arena, const struct ap_field *field,
                                struct ap_text *out_spark, ap_error *err) {
  struct ap_text text = member(field, "delta.invariants");
  const struct ap_json *json = NULL;
  *out_spark = (struct ap_text){"", 0};
  if (text.size == 0) return AP_OK;
  if (ap_json_parse(arena, text, &json, NULL) == AP_OK &&
      ap_json_get_text(ap_json_find(json, "expression"), "expression", *out_spark, out_spark) &&
      out_spark->size > 0) {
    return AP_OK;
  }
  return AP_FAIL(err, AP_UNSUPPORTED,
                 "rows cannot be written: the invariant of column '%.*s' is "
                 "no expression",
                 AP_TEXT_ARG(field->name));
}

struct loading {
  const struct ap_snapshot *snapshot;
  struct ap_arena *arena;
  struct ap_text *defaults;
  struct ap_text *generated;
  struct ap_cell_check *checks;
  uint32_t check_count;
  bool any;
};

static ap_status load_check(struct loading *loading, const char *what, struct ap_text name,
                            struct ap_text spark, ap_error *err) {
  struct ap_cell_check *check = &loading->checks[loading->check_count++];
  *check = (struct ap_cell_check){.what = what, .name = name, .shown = spark};
  loading->any = true;
  return translate(loading->arena, what, name, spark, &check->condition, err);
}

static ap_status load_field(struct loading *loading, uint32_t i, ap_error *err) {
  const struct ap_field *field = &loading->snapshot->schema.fields[i];
  struct ap_text value = member(field, "CURRENT_DEFAULT");
  struct ap_text generated = member(field, "delta.generationExpression");
  struct ap_text invariant = {"", 0};
  if (value.size > 0) {
    AP_TRY(translate(loading->arena, "the default of column", field->name, value,
                     &loading->defaults[i], err));
  }
  if (generated.size > 0) {
    AP_TRY(translate(loading->arena, "generated column", field->name, generated,
                     &loading->generated[i], err));
  }
  const struct ap_schema inner = {field->type.field_count, field->type.fields};
  if (ap_delta_schema_has_metadata(&inner, "delta.invariants")) {
    return AP_FAIL(err, AP_UNSUPPORTED,
                   "rows cannot be written: a part of column '%.*s' has an invariant",
                   AP_TEXT_ARG(field->name));
  }
  AP_TRY(read_invariant(loading->arena, field, &invariant, err));
  if (invariant.size > 0)
    AP_TRY(load_check(loading, "invariant of column", field->name, invariant, err));
  loading->any |= value.size > 0 || generated.size > 0;
  return AP_OK;
}

ap_status ap_rules_load(const struct ap_snapshot *snapshot, struct ap_arena *arena,
                        const struct ap_cell_rules **out_rules, ap_error *err) {
  uint32_t count = snapshot->schema.field_count;
  struct loading loading = {.snapshot = snapshot, .arena = arena};
  loading.defaults = AP_ARENA_ARRAY(arena, struct ap_text, count + 1);
  loading.generated = AP_ARENA_ARRAY(arena, struct ap_text, count + 1);
  loading.checks =
      AP_ARENA_ARRAY(arena, struct ap_cell_check, (size_t)count + snapshot->property_count + 1);
  struct ap_cell_rules *rules = AP_ARENA_NEW(arena, struct ap_cell_rules);
  if (!loading.defaults || !loading.generated || !loading.checks || !rules) {
    return AP_FAIL_MEMORY(err);
  }
  *out_rules = NULL;
  for (uint32_t i = 0; i < count; ++i) AP_TRY(load_field(&loading, i, err));
  for (uint32_t i = 0; i < snapshot->property_count; ++i) {
    struct ap_text name = snapshot->properties[i].name;
    if (!ap_text_starts_with(name, CONSTRAINTS)) continue;
    name = (struct ap_text){name.data + CONSTRAINTS.size, name.size - CONSTRAINTS.size};
    AP_TRY(load_check(&loading, "constraint", name, snapshot->properties[i].value, err));
  }
  if (!loading.any) return AP_OK;
  *rules = (struct ap_cell_rules){.defaults = loading.defaults,
                                  .generated = loading.generated,
                                  .checks = loading.checks,
                                  .check_count = loading.check_count};
  *out_rules = rules;
  return AP_OK;
}
