/* SPDX-License-Identifier: Apache-2.0
 *
 * See choose.h.
 */
#include "execute/choose.h"

#include "base/assert.h"

struct chooser {
  struct ap_node *node;
  struct ap_chamber *chamber;
  const struct ap_query_request *request;
  const struct ap_tree *tree;
  const struct ap_resolution *resolution;
  struct ap_arena *arena;
  struct ap_choices *out;
};

static void as_prune_frame(const struct ap_snapshot *snapshot, struct ap_prune_frame *out_frame) {
  *out_frame = (struct ap_prune_frame){
      .schema = &snapshot->schema,
      .schema_id = snapshot->schema_id,
      .physical_names = snapshot->physical_names,
      .partition_columns = snapshot->partition_columns,
      .partition_column_count = snapshot->partition_column_count,
      .cells = snapshot->cells,
      .cell_count = snapshot->cell_count,
  };
}

static struct ap_value parameter_value(const struct ap_parameter *parameter) {
  struct ap_value value = {.kind = AP_VALUE_NONE};
  if (parameter->name.size > 0) return value; /* only positions are looked up */
  switch (parameter->kind) {
    case AP_PARAMETER_INTEGER:
      value = (struct ap_value){.kind = AP_VALUE_INTEGER, .decimal = parameter->i64};
      break;
    case AP_PARAMETER_DATE:
      value = (struct ap_value){.kind = AP_VALUE_DATE, .i64 = parameter->i64};
      break;
    case AP_PARAMETER_FLOAT:
      value = (struct ap_value){.kind = AP_VALUE_FLOAT, .f64 = parameter->f64};
      break;
    case AP_PARAMETER_TIMESTAMP:
      value = (struct ap_value){.kind = AP_VALUE_TIMESTAMP, .i64 = parameter->i64};
      break;
    case AP_PARAMETER_TEXT:
      value = (struct ap_value){.kind = AP_VALUE_TEXT, .text = parameter->text};
      break;
    default:
      break;
  }
  return value;
}

/* Let the engine evaluate what is constant. What it cannot is left: the query will say so. */
static ap_status fold(struct chooser *chooser, struct ap_folds *folds, ap_error *err) {
  AP_TRY(ap_fold_find(chooser->arena, chooser->tree, folds, err));
  if (folds->count == 0) return AP_OK;
  const struct ap_env *env = ap_node_env(chooser->node);
  struct ap_constant *constants = AP_ARENA_ARRAY(chooser->arena, struct ap_constant, folds->count);
  if (constants == NULL) return AP_FAIL_MEMORY(err);
  struct ap_buffer json;
  struct ap_buffer sql;
  ap_buffer_init(&json, env->allocator);
  ap_buffer_init(&sql, env->allocator);
  ap_fold_write(&json, folds);
  ap_status status = ap_buffer_check(&json, err);
  if (status == AP_OK) {
    int64_t before_ms = ap_clock_wall_ms(env->clock);
    status = ap_chamber_unparse(chooser->chamber, ap_buffer_text(&json), &sql, NULL);
    if (status == AP_OK) {
      status =
          ap_chamber_constants(chooser->chamber, ap_buffer_text(&sql), chooser->request->control,
                               chooser->arena, constants, folds->count, NULL);
    }
    for (uint32_t i = 0; status == AP_OK && i < folds->count; ++i) {
      folds->items[i].constant = constants[i];
    }
    if (status != AP_OK) folds->count = 0;
    ap_fold_bound(folds, before_ms, ap_clock_wall_ms(env->clock));
    if (status == AP_OK && folds->any_moving) chooser->out->moving_ms = before_ms;
    status = status == AP_OUT_OF_MEMORY ? AP_FAIL_MEMORY(err) : AP_OK;
  }
  ap_buffer_deinit(&json);
  ap_buffer_deinit(&sql);
  return status;
}

ap_status ap_choices_check_clock(struct ap_node *node, const struct ap_choices *choices,
                                 ap_error *err) {
  if (choices->moving_ms == 0) return AP_OK;
  int64_t passed_ms = ap_clock_wall_ms(ap_node_env(node)->clock) - choices->moving_ms;
  if (passed_ms >= -AP_FOLD_DRIFT_MS / 2 && passed_ms <= AP_FOLD_DRIFT_MS / 2) return AP_OK;
  ap_status status =
      AP_FAIL(err, AP_BUSY, "the clock went on by %lld ms while the query was planned",
              (long long)passed_ms);
  ap_error_hint(err, "run the query again");
  return status;
}

static ap_status prune(struct chooser *chooser, ap_error *err) {
  uint32_t count = chooser->tree->reference_count;
  uint32_t parameter_count = chooser->request->parameter_count;
  struct ap_folds folds;
  const struct ap_prune_frame **frames =
      AP_ARENA_ARRAY(chooser->arena, const struct ap_prune_frame *, count + 1);
  struct ap_value *values = AP_ARENA_ARRAY(chooser->arena, struct ap_value, parameter_count + 1);
  if (frames == NULL || values == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < count; ++i) {
    const struct ap_resolved *resolved = chooser->resolution->by_reference[i];
    if (resolved == NULL) continue;
    struct ap_prune_frame *frame = AP_ARENA_NEW(chooser->arena, struct ap_prune_frame);
    if (frame == NULL) return AP_FAIL_MEMORY(err);
    as_prune_frame(resolved->snapshot, frame);
    frames[i] = frame;
  }
  for (uint32_t i = 0; i < parameter_count; ++i) {
    values[i] = parameter_value(&chooser->request->parameters[i]);
  }
  chooser->out->frames = frames;
  AP_TRY(fold(chooser, &folds, err));
  const struct ap_prune_parameters parameters = {
      .values = values, .count = parameter_count, .folds = &folds};
  return ap_prune(chooser->arena, chooser->tree, frames, &parameters, chooser->out->results, err);
}

/* Which cells any reference to this frame needs. */
static ap_status mark_kept(struct ap_arena *arena, const struct ap_tree *tree,
                           const struct ap_resolution *resolution, const struct ap_choices *choices,
                           const struct ap_resolved *resolved, bool **out_kept, ap_error *err) {
  uint32_t total = resolved->snapshot->cell_count;
  bool *kept = AP_ARENA_ARRAY(arena, bool, total + 1);
  if (kept == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < tree->reference_count; ++i) {
    const struct ap_prune_result *result = &choices->results[i];
    if (resolution->by_reference[i] != resolved) continue;
    for (uint32_t k = 0; k < result->kept_count; ++k) {
      AP_ASSERT(result->kept[k] < total);
      kept[result->kept[k]] = true;
    }
  }
  *out_kept = kept;
  return AP_OK;
}

/* With several references, a cell is left out by its partition when each of them needs no more than
 * that. */
static ap_status keep_cells(struct chooser *chooser, const struct ap_resolved *resolved,
                            struct ap_choice *choice, ap_error *err) {
  uint32_t total = resolved->snapshot->cell_count;
  uint32_t by_partition = total;
  bool *kept = NULL;
  uint32_t count = 0;
  choice->resolved = resolved;
  AP_TRY(mark_kept(chooser->arena, chooser->tree, chooser->resolution, chooser->out, resolved,
                   &kept, err));
  for (uint32_t i = 0; i < total; ++i) count += kept[i] ? 1 : 0;
  choice->cells = AP_ARENA_ARRAY(chooser->arena, struct ap_cell *, count + 1);
  if (choice->cells == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < chooser->tree->reference_count; ++i) {
    const struct ap_prune_result *result = &chooser->out->results[i];
    if (chooser->resolution->by_reference[i] != resolved) continue;
    choice->had_condition = choice->had_condition || result->had_condition;
    if (result->pruned_by_partition < by_partition) by_partition = result->pruned_by_partition;
  }
  for (uint32_t i = 0; i < total; ++i) {
    if (kept[i]) choice->cells[choice->cell_count++] = resolved->snapshot->cells[i];
  }
  uint32_t pruned = total - choice->cell_count;
  choice->pruned_by_partition = by_partition < pruned ? by_partition : pruned;
  choice->pruned_by_statistics = pruned - choice->pruned_by_partition;
  return AP_OK;
}

ap_status ap_choose_again(const struct ap_tree *tree, const struct ap_resolution *resolution,
                          struct ap_arena *arena, struct ap_choices *choices,
                          struct ap_choice *choice, const struct ap_resolved *keys_of,
                          ap_error *err) {
  const struct ap_snapshot *snapshot = choice->resolved->snapshot;
  uint32_t before = choice->cell_count;
  bool *kept = NULL;
  AP_TRY(mark_kept(arena, tree, resolution, choices, choice->resolved, &kept, err));
  choice->cell_count = 0;
  for (uint32_t i = 0; i < snapshot->cell_count; ++i) {
    if (kept[i]) choice->cells[choice->cell_count++] = snapshot->cells[i];
  }
  AP_ASSERT(choice->cell_count <= before);
  choice->pruned_by_keys += before - choice->cell_count;
  for (uint32_t i = 0; i < AP_KEYS_SHOWN && choice->cell_count < before; ++i) {
    if (choice->keys_of[i] == keys_of) break;
    if (choice->keys_of[i] != NULL) continue;
    choice->keys_of[i] = keys_of;
    break;
  }
  return AP_OK;
}

ap_status ap_choose_cells(struct ap_node *node, struct ap_chamber *chamber,
                          const struct ap_query_request *request, const struct ap_tree *tree,
                          const struct ap_resolution *resolution, struct ap_arena *arena,
                          struct ap_choices *out_choices, ap_error *err) {
  struct chooser chooser = {.node = node,
                            .chamber = chamber,
                            .request = request,
                            .tree = tree,
                            .resolution = resolution,
                            .arena = arena,
                            .out = out_choices};
  *out_choices = (struct ap_choices){
      .items = AP_ARENA_ARRAY(arena, struct ap_choice, resolution->count + 1),
      .count = resolution->count,
      .results = AP_ARENA_ARRAY(arena, struct ap_prune_result, tree->reference_count + 1),
  };
  if (out_choices->items == NULL || out_choices->results == NULL) return AP_FAIL_MEMORY(err);
  AP_TRY(prune(&chooser, err));
  for (uint32_t i = 0; i < resolution->count; ++i) {
    AP_TRY(keep_cells(&chooser, resolution->items[i], &out_choices->items[i], err));
  }
  return AP_OK;
}

static ap_status prune_cell(struct ap_arena *arena, const struct ap_query_request *request,
                            const struct ap_tree *tree, const struct ap_resolution *resolution,
                            const struct ap_prune_frame *frame, bool *out_reads, ap_error *err) {
  uint32_t count = tree->reference_count;
  const struct ap_prune_frame **frames =
      AP_ARENA_ARRAY(arena, const struct ap_prune_frame *, count + 1);
  struct ap_prune_result *results = AP_ARENA_ARRAY(arena, struct ap_prune_result, count + 1);
  struct ap_value *values = AP_ARENA_ARRAY(arena, struct ap_value, request->parameter_count + 1);
  if (frames == NULL || results == NULL || values == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < count; ++i) {
    const struct ap_resolved *resolved = resolution->by_reference[i];
    if (resolved != NULL && resolved->is_target) frames[i] = frame;
  }
  for (uint32_t i = 0; i < request->parameter_count; ++i) {
    values[i] = parameter_value(&request->parameters[i]);
  }
  const struct ap_prune_parameters parameters = {.values = values,
                                                 .count = request->parameter_count};
  AP_TRY(ap_prune(arena, tree, frames, &parameters, results, err));
  *out_reads = false;
  for (uint32_t i = 0; i < count; ++i) {
    if (frames[i] != NULL && results[i].kept_count > 0) *out_reads = true;
  }
  return AP_OK;
}

ap_status ap_choose_reads(struct ap_node *node, const struct ap_query_request *request,
                          const struct ap_tree *tree, const struct ap_resolution *resolution,
                          const struct ap_snapshot *snapshot, struct ap_cell *cell, bool *out_reads,
                          ap_error *err) {
  struct ap_cell *const cells[] = {cell};
  struct ap_prune_frame frame;
  struct ap_arena scratch; /* one cell's; there may be many cells */
  ap_arena_init(&scratch, ap_node_env(node)->allocator);
  as_prune_frame(snapshot, &frame);
  frame.cells = cells;
  frame.cell_count = 1;
  ap_status status = prune_cell(&scratch, request, tree, resolution, &frame, out_reads, err);
  ap_arena_deinit(&scratch);
  return status;
}
