/* SPDX-License-Identifier: Apache-2.0
 *
 * See explain.h. A query that is explained goes the way of any query up to where it would run; then
 * the engine is asked for its plan, or for the profile of a run.
 */
#include "execute/explain.h"

#include "base/assert.h"
#include "base/limits.h"
#include "execute/explanation.h"
#include "execute/report.h"

#include <stdlib.h>
#include <string.h>

/* ---- frames ---------------------------------------------------------------------------------- */

static int compare_partitions(const void *left, const void *right) {
  const struct ap_cell *a = *(struct ap_cell *const *)left;
  const struct ap_cell *b = *(struct ap_cell *const *)right;
  for (uint32_t i = 0; i < a->partition_count && i < b->partition_count; ++i) {
    const struct ap_partition_value *x = &a->partition_values[i];
    const struct ap_partition_value *y = &b->partition_values[i];
    if (x->is_null != y->is_null) return x->is_null ? -1 : 1;
    int order = x->is_null ? 0 : ap_text_compare(x->text, y->text);
    if (order != 0) return order;
  }
  return 0;
}

static ap_status count_partitions(struct ap_arena *arena, struct ap_cell *const *cells,
                                  uint32_t count, uint32_t *out_count, ap_error *err) {
  struct ap_cell **sorted = AP_ARENA_ARRAY(arena, struct ap_cell *, (size_t)count + 1);
  *out_count = 0;
  if (sorted == NULL) return AP_FAIL_MEMORY(err);
  if (count == 0) return AP_OK;
  memcpy(sorted, cells, count * sizeof *sorted);
  qsort(sorted, count, sizeof *sorted, compare_partitions);
  for (uint32_t i = 0; i < count; ++i) {
    *out_count += i == 0 || compare_partitions(&sorted[i - 1], &sorted[i]) != 0;
  }
  return AP_OK;
}

static ap_status describe_frame(struct ap_explanation *explanation, const struct ap_choice *choice,
                                struct ap_explained_frame *out, ap_error *err) {
  const struct ap_snapshot *snapshot = choice->resolved->snapshot;
  const struct ap_resolution *resolution = &explanation->run->resolution;
  *out = (struct ap_explained_frame){.choice = choice, .bytes = snapshot->size_bytes};
  for (uint32_t i = 0; i < explanation->run->tree.reference_count; ++i) {
    out->references += resolution->by_reference[i] == choice->resolved;
  }
  for (uint32_t i = 0; i < choice->cell_count; ++i) {
    const struct ap_cell_statistics *statistics = NULL;
    struct ap_cell *cell = choice->cells[i];
    out->bytes_kept += cell->size_bytes;
    AP_TRY(ap_cell_statistics_get(cell, explanation->arena, &snapshot->schema, snapshot->schema_id,
                                  snapshot->physical_names, &statistics, err));
    if (statistics->row_count < 0) out->rows_kept = -1;
    if (out->rows_kept < 0) continue;
    out->rows_kept += statistics->row_count;
    if (cell->deletion_vector.storage_type != 0) {
      out->rows_kept -= cell->deletion_vector.cardinality;
    }
  }
  if (snapshot->partition_column_count == 0) return AP_OK;
  AP_TRY(count_partitions(explanation->arena, snapshot->cells, snapshot->cell_count,
                          &out->partitions, err));
  return count_partitions(explanation->arena, choice->cells, choice->cell_count,
                          &out->partitions_kept, err);
}

static ap_status describe_frames(struct ap_explanation *explanation, ap_error *err) {
  const struct ap_choices *choices = &explanation->run->choices;
  explanation->frames =
      AP_ARENA_ARRAY(explanation->arena, struct ap_explained_frame, choices->count + 1);
  if (explanation->frames == NULL) return AP_FAIL_MEMORY(err);
  explanation->frame_count = choices->count;
  for (uint32_t i = 0; i < choices->count; ++i) {
    AP_TRY(describe_frame(explanation, &choices->items[i], &explanation->frames[i], err));
  }
  return AP_OK;
}

/* ---- operators ------------------------------------------------------------------------------- */

static double number_of(const struct ap_json *node, const char *name) {
  const struct ap_json *value = ap_json_find(node, name);
  double number;
  if (value == NULL || value->kind != AP_JSON_NUMBER) return -1;
  return ap_text_parse_f64(value->text, &number) ? number : -1;
}

/* "HASH_JOIN " as "hash join", "__estimated_cardinality__" as "estimated cardinality". */
static ap_status plain_words(struct ap_arena *arena, struct ap_text name, struct ap_text *out_name,
                             ap_error *err) {
  while (name.size > 0 && (name.data[0] == '_' || name.data[0] == ' ')) {
    name = (struct ap_text){name.data + 1, name.size - 1};
  }
  while (name.size > 0 && (name.data[name.size - 1] == '_' || name.data[name.size - 1] == ' ')) {
    name.size -= 1;
  }
  char *copy = ap_arena_copy(arena, name);
  if (copy == NULL) return AP_FAIL_MEMORY(err);
  for (size_t i = 0; i < name.size; ++i) {
    if (copy[i] == '_') copy[i] = ' ';
    if (copy[i] >= 'A' && copy[i] <= 'Z') copy[i] = (char)(copy[i] - 'A' + 'a');
  }
  *out_name = (struct ap_text){copy, name.size};
  return AP_OK;
}

static void append_info(struct ap_buffer *out, const struct ap_json *value) {
  if (value->kind == AP_JSON_ARRAY) {
    for (uint32_t i = 0; i < value->count; ++i) {
      if (i > 0) ap_buffer_append_string(out, ", ");
      append_info(out, &value->items[i]);
    }
  } else if (value->kind == AP_JSON_STRING) {
    for (size_t i = 0; i < value->text.size; ++i) {
      char byte = value->text.data[i];
      if (byte == '\n') {
        ap_buffer_append_string(out, ", ");
      } else {
        ap_buffer_append(out, &byte, 1);
      }
    }
  }
}

static ap_status read_info(struct ap_arena *arena, const struct ap_json *info,
                           struct ap_explained_operator *operator, ap_error * err) {
  struct ap_buffer detail;
  ap_status status = AP_OK;
  operator->info = info;
  operator->estimated_rows = - 1;
  ap_buffer_init(&detail, ap_allocator_system());
  for (uint32_t i = 0; status == AP_OK && info != NULL && i < info->count; ++i) {
    const struct ap_json_member *member = &info->members[i];
    struct ap_text name;
    status = plain_words(arena, member->name, &name, err);
    if (status != AP_OK) break;
    if (ap_text_equal_string(name, "estimated cardinality")) {
      double number;
      bool known =
          member->value.kind == AP_JSON_STRING && ap_text_parse_f64(member->value.text, &number);
      operator->estimated_rows = known ? number : - 1;
      continue;
    }
    if (member->value.kind == AP_JSON_STRING && member->value.text.size == 0) continue;
    if (ap_text_equal_string(name, "function")) continue; /* the operator's name says it */
    if (detail.size > 0) ap_buffer_append_string(&detail, "; ");
    ap_buffer_append_text(&detail, name);
    ap_buffer_append_string(&detail, ": ");
    append_info(&detail, &member->value);
  }
  if (status == AP_OK) status = ap_buffer_check(&detail, err);
  if (status == AP_OK) {
    char *copy = ap_arena_copy(arena, ap_buffer_text(&detail));
    operator->detail =(struct ap_text){copy, detail.size};
    if (copy == NULL) status = AP_FAIL_MEMORY(err);
  }
  ap_buffer_deinit(&detail);
  return status;
}

static ap_status read_operators(struct ap_arena *arena, const struct ap_json *nodes,
                                struct ap_explained_operator **out_operators, uint32_t *out_count,
                                ap_error *err);

static ap_status read_operator(struct ap_arena *arena, const struct ap_json *node,
                               struct ap_explained_operator *out, ap_error *err) {
  struct ap_text name;
  if (!ap_json_get_text(node, "name", (struct ap_text){0}, &name)) name = (struct ap_text){0};
  AP_TRY(plain_words(arena, name, &out->name, err));
  const struct ap_json *info = ap_json_find(node, "extra_info");
  AP_TRY(read_info(arena, info != NULL && info->kind == AP_JSON_OBJECT ? info : NULL, out, err));
  out->rows = number_of(node, "rows");
  out->rows_scanned = number_of(node, "rows_scanned");
  out->seconds = number_of(node, "seconds");
  out->peak_memory_bytes = number_of(node, "peak_memory_bytes");
  out->spill_bytes = number_of(node, "spill_bytes");
  return read_operators(arena, ap_json_find(node, "children"), &out->children, &out->child_count,
                        err);
}

/* As deep as JSON may nest. */
static ap_status read_operators(struct ap_arena *arena, const struct ap_json *nodes,
                                struct ap_explained_operator **out_operators, uint32_t *out_count,
                                ap_error *err) {
  bool is_list = nodes != NULL && nodes->kind == AP_JSON_ARRAY;
  *out_count = is_list ? nodes->count : 0;
  *out_operators = AP_ARENA_ARRAY(arena, struct ap_explained_operator, (size_t)*out_count + 1);
  if (*out_operators == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < *out_count; ++i) {
    AP_TRY(read_operator(arena, &nodes->items[i], &(*out_operators)[i], err));
  }
  return AP_OK;
}

/* Ask the engine, and read what it says. */
static ap_status ask_engine(struct ap_query_run *run, struct ap_explanation *explanation,
                            ap_error *err) {
  struct ap_buffer json;
  const struct ap_json *root = NULL;
  ap_buffer_init(&json, ap_node_env(run->node)->allocator);
  int64_t since = ap_clock_monotonic_us(ap_node_env(run->node)->clock);
  struct ap_text text = ap_query_run_text(run);
  if (explanation->analyze) ap_chamber_get_usage(run->chamber, &explanation->granted);
  ap_status status =
      explanation->analyze
          ? ap_chamber_profile(run->chamber, text, run->parameters, run->parameter_count,
                               run->request->control, &json, &explanation->rows, err)
          : ap_chamber_explain(run->chamber, text, run->parameters, run->parameter_count,
                               run->request->control, &json, err);
  explanation->execute_us = ap_clock_monotonic_us(ap_node_env(run->node)->clock) - since;
  if (status != AP_OK) {
    status = ap_query_run_failure(run, status, err);
  } else {
    status = ap_json_parse_nested(explanation->arena, ap_buffer_text(&json), AP_TREE_DEPTH_MAX,
                                  &root, err);
  }
  ap_buffer_deinit(&json);
  if (status != AP_OK) return status;
  if (explanation->analyze) return read_operator(explanation->arena, root, &explanation->root, err);
  return read_operators(explanation->arena, root, &explanation->root.children,
                        &explanation->root.child_count, err);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void member_known(struct ap_json_writer *writer, const char *name, double number) {
  if (number < 0) return;
  ap_json_name(writer, ap_text_of(name));
  if (number < 9e15 && number == (double)(int64_t)number) {
    ap_json_i64(writer, (int64_t)number);
  } else {
    ap_json_f64(writer, number);
  }
}

static void write_frame(struct ap_json_writer *writer, const struct ap_explained_frame *frame) {
  const struct ap_frame_entry *entry = &frame->choice->resolved->frame->entry;
  const struct ap_snapshot *snapshot = frame->choice->resolved->snapshot;
  ap_json_begin_object(writer);
  ap_json_member_string(writer, "hive", entry->hive);
  ap_json_member_string(writer, "box", entry->box);
  ap_json_member_string(writer, "frame", entry->name);
  ap_json_member_i64(writer, "version", snapshot->version);
  ap_json_member_i64(writer, "references", frame->references);
  ap_json_member_bool(writer, "has_condition", frame->choice->had_condition);
  ap_json_member_i64(writer, "cells", snapshot->cell_count);
  ap_json_member_i64(writer, "cells_kept", frame->choice->cell_count);
  ap_json_member_i64(writer, "cells_cached", frame->choice->cells_cached);
  ap_json_member_bool(writer, "from_ledger", frame->choice->from_ledger);
  ap_json_name(writer, AP_TEXT("cells_pruned"));
  ap_json_begin_object(writer);
  ap_json_member_i64(writer, "by_partition", frame->choice->pruned_by_partition);
  ap_json_member_i64(writer, "by_statistics", frame->choice->pruned_by_statistics);
  ap_json_member_i64(writer, "by_keys", frame->choice->pruned_by_keys);
  ap_json_end_object(writer);
  ap_json_name(writer, AP_TEXT("keys_of"));
  ap_json_begin_array(writer);
  for (uint32_t i = 0; i < AP_KEYS_SHOWN && frame->choice->keys_of[i] != NULL; ++i) {
    ap_json_string(writer, frame->choice->keys_of[i]->frame->entry.name);
  }
  ap_json_end_array(writer);
  if (snapshot->partition_column_count > 0) {
    ap_json_member_i64(writer, "partitions", frame->partitions);
    ap_json_member_i64(writer, "partitions_kept", frame->partitions_kept);
  }
  ap_json_member_i64(writer, "bytes", frame->bytes);
  ap_json_member_i64(writer, "bytes_kept", frame->bytes_kept);
  member_known(writer, "rows_kept", (double)frame->rows_kept);
  ap_json_end_object(writer);
}

static void write_operators(struct ap_json_writer *writer,
                            const struct ap_explained_operator *operators, uint32_t count,
                            uint32_t depth) {
  enum { DEPTH_MAX = 56 };
  ap_json_begin_array(writer);
  for (uint32_t i = 0; i < count && depth < DEPTH_MAX; ++i) {
    const struct ap_explained_operator *operator= & operators[i];
    ap_json_begin_object(writer);
    ap_json_member_string(writer, "name", operator->name);
    ap_json_member_string(writer, "detail", operator->detail);
    member_known(writer, "estimated_rows", operator->estimated_rows);
    member_known(writer, "rows", operator->rows);
    member_known(writer, "rows_scanned", operator->rows_scanned);
    member_known(writer, "seconds", operator->seconds);
    if (operator->peak_memory_bytes> 0) {
      member_known(writer, "peak_memory_bytes", operator->peak_memory_bytes);
    }
    if (operator->spill_bytes> 0) member_known(writer, "spill_bytes", operator->spill_bytes);
    ap_json_name(writer, AP_TEXT("children"));
    write_operators(writer, operator->children, operator->child_count, depth + 1);
    ap_json_end_object(writer);
  }
  ap_json_end_array(writer);
}

static void write_phases(struct ap_json_writer *writer, const struct ap_explanation *explanation) {
  const struct ap_query_timing *timing = &explanation->run->timing;
  ap_json_begin_object(writer);
  ap_json_member_i64(writer, "parse", timing->parse_us);
  ap_json_member_i64(writer, "discover", timing->discover_us);
  ap_json_member_i64(writer, "plan", timing->plan_us);
  ap_json_member_i64(writer, "bind", timing->read_us);
  if (explanation->analyze) ap_json_member_i64(writer, "execute", explanation->execute_us);
  ap_json_end_object(writer);
}

static void write_json(struct ap_buffer *out, const struct ap_explanation *explanation) {
  struct ap_json_writer writer;
  ap_json_writer_init(&writer, out);
  ap_json_begin_object(&writer);
  ap_json_member_string(&writer, "kind", ap_text_of(explanation->kind));
  ap_json_member_string(&writer, "reason", ap_text_of(explanation->reason));
  bool has_run = explanation->change != NULL && explanation->change->has_run;
  ap_json_member_bool(&writer, "analyzed", explanation->analyze || has_run);
  ap_json_member_i64(&writer, "bees", explanation->facts.bees);
  ap_json_member_i64(&writer, "memory_budget_bytes", explanation->facts.memory_bytes);
  if (explanation->change != NULL) {
    ap_json_name(&writer, AP_TEXT("change"));
    ap_explained_change_write_json(&writer, explanation->change);
  }
  ap_json_name(&writer, AP_TEXT("frames"));
  ap_json_begin_array(&writer);
  for (uint32_t i = 0; i < explanation->frame_count; ++i) {
    write_frame(&writer, &explanation->frames[i]);
  }
  ap_json_end_array(&writer);
  ap_json_name(&writer, AP_TEXT("operators"));
  write_operators(&writer, explanation->root.children, explanation->root.child_count, 0);
  if (explanation->run != NULL) {
    ap_json_name(&writer, AP_TEXT("phases_us"));
    write_phases(&writer, explanation);
  }
  if (explanation->analyze) {
    ap_json_name(&writer, AP_TEXT("totals"));
    ap_json_begin_object(&writer);
    ap_json_member_i64(&writer, "rows", explanation->rows);
    ap_json_member_i64(&writer, "bees_granted", explanation->granted.bees);
    ap_json_member_i64(&writer, "memory_granted_bytes", explanation->granted.budget_bytes);
    member_known(&writer, "peak_memory_bytes", explanation->root.peak_memory_bytes);
    member_known(&writer, "spill_bytes", explanation->root.spill_bytes);
    ap_json_end_object(&writer);
  }
  ap_json_end_object(&writer);
}

/* ---- the answer ------------------------------------------------------------------------------ */

ap_status ap_explanation_answer(const struct ap_explanation *explanation,
                                enum ap_explain_format format, struct ArrowArrayStream *out_stream,
                                ap_error *err) {
  static const struct ap_rows_column columns[] = {{"plan", AP_ROWS_TEXT}};
  struct ap_rows rows = {0};
  struct ap_buffer text;
  ap_buffer_init(&text, explanation->allocator);
  if (format == AP_EXPLAIN_JSON) {
    write_json(&text, explanation);
  } else {
    ap_explanation_write_text(&text, explanation);
  }
  ap_status status = ap_buffer_check(&text, err);
  if (status == AP_OK) status = ap_rows_init(&rows, columns, 1, err);
  if (status == AP_OK && format == AP_EXPLAIN_JSON) ap_rows_text(&rows, ap_buffer_text(&text));
  struct ap_text rest = ap_buffer_text(&text);
  while (status == AP_OK && format == AP_EXPLAIN_TEXT && rest.size > 0) {
    const char *end = memchr(rest.data, '\n', rest.size);
    size_t size = end != NULL ? (size_t)(end - rest.data) : rest.size;
    ap_rows_text(&rows, (struct ap_text){rest.data, size});
    size_t used = end != NULL ? size + 1 : size;
    rest = (struct ap_text){rest.data + used, rest.size - used};
  }
  if (status == AP_OK) status = ap_rows_finish(&rows, out_stream, err);
  ap_rows_deinit(&rows);
  ap_buffer_deinit(&text);
  return status;
}

/* The engine's own EXPLAIN, over the same cells. */
static ap_status run_engine_format(struct ap_node *node, const struct ap_explain_request *request,
                                   struct ap_query_timing *out_timing,
                                   struct ArrowArrayStream *out_stream, ap_error *err) {
  struct ap_query_request query = request->query;
  const char *head = request->analyze ? "EXPLAIN ANALYZE " : "EXPLAIN ";
  struct ap_buffer text;
  ap_buffer_init(&text, ap_node_env(node)->allocator);
  ap_buffer_append_string(&text, head);
  ap_buffer_append_text(&text, query.body);
  ap_status status = ap_buffer_check(&text, err);
  if (status == AP_OK) {
    query.text = ap_buffer_text(&text);
    query.body = (struct ap_text){text.data + strlen(head), text.size - strlen(head)};
    status = ap_query(node, &query, out_timing, out_stream, err);
  }
  ap_buffer_deinit(&text);
  return status;
}

void ap_explanation_init(struct ap_explanation *explanation, struct ap_node *node,
                         struct ap_arena *arena, bool analyze) {
  *explanation = (struct ap_explanation){
      .arena = arena,
      .allocator = ap_node_env(node)->allocator,
      .analyze = analyze,
      .kind = "local",
      .reason = "the storage root is a folder of this machine, which one node reads",
      .root = {.peak_memory_bytes = -1, .spill_bytes = -1},
  };
  ap_node_get_facts(node, &explanation->facts);
}

ap_status ap_explanation_ask(struct ap_explanation *explanation, struct ap_query_run *run,
                             ap_error *err) {
  explanation->run = run;
  AP_TRY(ask_engine(run, explanation, err));
  if (explanation->analyze) run->timing.execute_us = explanation->execute_us;
  return describe_frames(explanation, err);
}

static ap_status try_explain(struct ap_query_run *run, const struct ap_explain_request *request,
                             struct ArrowArrayStream *out_stream, ap_error *err) {
  struct ap_explanation explanation;
  ap_explanation_init(&explanation, run->node, &run->arena, request->analyze);
  AP_TRY(ap_query_run_prepare(run, err));
  AP_TRY(ap_explanation_ask(&explanation, run, err));
  return ap_explanation_answer(&explanation, request->format, out_stream, err);
}

ap_status ap_query_explain(struct ap_node *node, const struct ap_explain_request *request,
                           struct ap_query_timing *out_timing, struct ArrowArrayStream *out_stream,
                           ap_error *err) {
  AP_ASSERT(request->query.text.data == request->query.body.data);
  if (request->format == AP_EXPLAIN_ENGINE) {
    return run_engine_format(node, request, out_timing, out_stream, err);
  }
  struct ap_query_run run;
  ap_query_run_start(&run, node, &request->query);
  ap_status status = try_explain(&run, request, out_stream, err);
  if (ap_query_run_must_retry(&run, status)) {
    ap_query_run_finish(&run, NULL);
    ap_query_run_start(&run, node, &request->query);
    run.bypasses_cache = true;
    status = try_explain(&run, request, out_stream, err);
  }
  ap_query_run_finish(&run, out_timing);
  return status;
}
