/* SPDX-License-Identifier: Apache-2.0
 *
 * Pruning, from tree and frames to the cells kept. The partition values are asked first; a cell's
 * statistics are parsed only when those leave it in question.
 * Thread: the arena's. No I/O.
 */
#include "plan/prune.h"

#include "plan/prune_expr.h"

static ap_status keep_all(struct ap_arena *arena, const struct ap_prune_frame *frame,
                          struct ap_prune_result *result, ap_error *err) {
  result->kept = AP_ARENA_ARRAY(arena, uint32_t, (size_t)frame->cell_count + 1);
  if (!result->kept) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < frame->cell_count; i++) result->kept[i] = i;
  result->kept_count = frame->cell_count;
  result->decided = true;
  return AP_OK;
}

/* With many cells, most of the time would go into waiting for their memory. */
static void fetch_ahead(const struct ap_prune_frame *frame, uint32_t index) {
  enum { CELL_AHEAD = 24, STATISTICS_AHEAD = 12, LINE_BYTES = 64, LINES = 6 };
  if (index + CELL_AHEAD >= frame->cell_count) return;
  __builtin_prefetch(frame->cells[index + CELL_AHEAD]);
  const char *statistics = (const char *)atomic_load_explicit(
      &frame->cells[index + STATISTICS_AHEAD]->statistics, memory_order_relaxed);
  for (int line = 0; statistics && line < LINES; line++) {
    __builtin_prefetch(statistics + (ptrdiff_t)line * LINE_BYTES);
  }
}

static ap_status prune_cells(struct ap_arena *arena, const struct ap_prune_expr *expr,
                             const struct ap_prune_frame *frame, bool needs_statistics,
                             struct ap_prune_result *result, ap_error *err) {
  result->kept = AP_ARENA_ARRAY(arena, uint32_t, (size_t)frame->cell_count + 1);
  if (!result->kept) return AP_FAIL_MEMORY(err);
  bool asks_partitions = !needs_statistics || frame->partition_column_count > 0;
  result->decided = true;
  for (uint32_t i = 0; i < frame->cell_count; i++) {
    struct ap_cell *cell = frame->cells[i];
    uint8_t set = AP_PRUNE_ANY;
    fetch_ahead(frame, i);
    if (asks_partitions) set = ap_prune_evaluate(expr, frame, cell, NULL);
    if (!(set & AP_PRUNE_TRUE)) {
      result->pruned_by_partition++;
      continue;
    }
    if (needs_statistics) {
      const struct ap_cell_statistics *statistics = NULL;
      AP_TRY(ap_cell_statistics_get(cell, arena, frame->schema, frame->schema_id,
                                    frame->physical_names, &statistics, err));
      set = ap_prune_evaluate(expr, frame, cell, statistics);
      if (!(set & AP_PRUNE_TRUE)) {
        result->pruned_by_statistics++;
        continue;
      }
    }
    result->decided = result->decided && set == AP_PRUNE_TRUE;
    result->kept[result->kept_count++] = i;
  }
  return AP_OK;
}

struct pruning {
  struct ap_arena *arena;
  const struct ap_tree *tree;
  const struct ap_prune_frame *const *frames;
  const struct ap_prune_parameters *parameters;
  uint32_t reference;
  struct ap_prune_result *result;
  bool needs_statistics;
};

/* One condition as an expression; UNKNOWN when it may not prune after all. */
static ap_status compile_filter(struct pruning *pruning, const struct ap_filter *filter,
                                const struct ap_prune_expr **out_expr, ap_error *err) {
  static const struct ap_prune_expr unknown = {.kind = AP_PRUNE_UNKNOWN};
  struct ap_prune_scopes scopes;
  AP_TRY(ap_prune_scope_make(pruning->arena, pruning->tree, pruning->frames, filter, &scopes, err));
  struct ap_prune_compiler compiler = {
      .arena = pruning->arena,
      .scopes = &scopes,
      .reference = pruning->reference,
      .frame = pruning->frames[pruning->reference],
      .parameters = pruning->parameters,
  };
  *out_expr = ap_prune_compile(&compiler, filter->condition);
  if (compiler.out_of_memory) return AP_FAIL_MEMORY(err);
  if (filter->null_extended && ap_prune_evaluate_nulls(*out_expr) & AP_PRUNE_TRUE) {
    *out_expr = &unknown;
    return AP_OK;
  }
  pruning->result->had_condition = pruning->result->had_condition || compiler.had_condition;
  pruning->needs_statistics = pruning->needs_statistics || compiler.needs_statistics;
  return AP_OK;
}

static ap_status prune_reference(struct pruning *pruning, ap_error *err) {
  const struct ap_prune_frame *frame = pruning->frames[pruning->reference];
  const struct ap_reference *reference = &pruning->tree->references[pruning->reference];
  uint32_t count = 0;
  for (const struct ap_filter *filter = reference->filters; filter; filter = filter->next) count++;
  if (count == 0 || reference->sampled) {
    AP_TRY(keep_all(pruning->arena, frame, pruning->result, err));
    pruning->result->decided = !reference->sampled;
    return AP_OK;
  }
  const struct ap_prune_expr **children =
      AP_ARENA_ARRAY(pruning->arena, const struct ap_prune_expr *, count);
  if (!children) return AP_FAIL_MEMORY(err);
  count = 0;
  for (const struct ap_filter *filter = reference->filters; filter; filter = filter->next) {
    AP_TRY(compile_filter(pruning, filter, &children[count++], err));
  }
  const struct ap_prune_expr all = {.kind = AP_PRUNE_AND, .children = children, .count = count};
  return prune_cells(pruning->arena, &all, frame, pruning->needs_statistics, pruning->result, err);
}

ap_status ap_prune(struct ap_arena *arena, const struct ap_tree *tree,
                   const struct ap_prune_frame *const *frames,
                   const struct ap_prune_parameters *parameters,
                   struct ap_prune_result *out_results, ap_error *err) {
  for (uint32_t i = 0; i < tree->reference_count; i++) {
    out_results[i] = (struct ap_prune_result){.kept = NULL};
    if (!frames[i]) continue;
    struct pruning pruning = {.arena = arena,
                              .tree = tree,
                              .frames = frames,
                              .parameters = parameters,
                              .reference = i,
                              .result = &out_results[i]};
    AP_TRY(prune_reference(&pruning, err));
  }
  return AP_OK;
}

/* Names the partition column whose value in this cell says nothing. */
static ap_status undecided(const struct ap_prune_frame *frame, const struct ap_cell *cell,
                           ap_error *err) {
  for (uint32_t i = 0; i < frame->partition_column_count; i++) {
    const struct ap_field *field = &frame->schema->fields[frame->partition_columns[i]];
    struct ap_value ignored;
    if (i < cell->partition_count &&
        (cell->partition_values[i].is_null ||
         ap_prune_partition_value(&cell->partition_values[i], &field->type, &ignored))) {
      continue;
    }
    struct ap_text value = {0};
    if (i < cell->partition_count) value = cell->partition_values[i].text;
    return AP_FAIL(err, AP_UNSUPPORTED,
                   "the condition cannot be decided for cell %.*s: its value '%.*s' of partition "
                   "column %.*s cannot be read",
                   AP_TEXT_ARG(cell->path), AP_TEXT_ARG(value), AP_TEXT_ARG(field->name));
  }
  return AP_FAIL(err, AP_UNSUPPORTED, "the condition cannot be decided for cell %.*s",
                 AP_TEXT_ARG(cell->path));
}

static ap_status decide(const struct ap_prune_expr *expr, const struct ap_prune_frame *frame,
                        bool *out_matches, ap_error *err) {
  for (uint32_t i = 0; i < frame->cell_count; i++) {
    uint8_t set = ap_prune_evaluate(expr, frame, frame->cells[i], NULL);
    if (set != AP_PRUNE_TRUE && (set & AP_PRUNE_TRUE)) {
      return undecided(frame, frame->cells[i], err);
    }
    out_matches[i] = set == AP_PRUNE_TRUE;
  }
  return AP_OK;
}

ap_status ap_prune_exact(struct ap_arena *arena, const struct ap_tree *tree,
                         const struct ap_prune_frame *frame, bool *out_matches, ap_error *err) {
  if (tree->reference_count != 1 || !tree->references[0].has_select) {
    return AP_FAIL(err, AP_UNSUPPORTED, "the condition must be one expression over the frame");
  }
  const struct ap_prune_frame *frames[] = {frame};
  const struct ap_json *select = tree->references[0].select;
  const struct ap_filter filter = {.from = ap_json_find(select, "from_table")};
  struct ap_prune_scopes scopes;
  AP_TRY(ap_prune_scope_make(arena, tree, frames, &filter, &scopes, err));
  struct ap_prune_compiler compiler = {.arena = arena, .scopes = &scopes, .frame = frame};
  const struct ap_prune_expr *expr =
      ap_prune_compile(&compiler, ap_json_find(select, "where_clause"));
  if (compiler.out_of_memory) return AP_FAIL_MEMORY(err);
  if (compiler.refusal) {
    ap_status status = AP_FAIL(err, AP_UNSUPPORTED,
                               "the condition must be about partition columns alone, but %s is not",
                               compiler.refusal);
    ap_error_hint(err,
                  "use =, <, <=, >, >=, IN, BETWEEN, IS NULL, AND, OR and NOT with partition "
                  "columns and constants");
    return status;
  }
  return decide(expr, frame, out_matches, err);
}
