/* SPDX-License-Identifier: Apache-2.0
 *
 * See query.h. A query's life: its text is parsed in a chamber; references become frames and
 * snapshots (one per frame and version); WHERE clauses prune cells; each frame is bound as a view
 * over what is left; the user's own text runs. Only views and references to the past need another
 * text: there the tree is written again, with the views unfolded and the names of the versions.
 */
#include "execute/query.h"

#include "base/assert.h"
#include "base/limits.h"
#include "execute/answer_ledger.h"
#include "execute/bind.h"
#include "execute/join_keys.h"
#include "execute/query_run.h"
#include "execute/resolve.h"
#include "execute/travel.h"
#include "plan/tree.h"

#include <string.h>

static int64_t now_us(struct ap_query_run *run) {
  return ap_clock_monotonic_us(ap_node_env(run->node)->clock);
}

/* Add what has passed since *since to *counter, and start anew. */
static void lap(struct ap_query_run *run, int64_t *since, int64_t *counter) {
  int64_t now = now_us(run);
  *counter += now - *since;
  *since = now;
}

/* The tree of the query, or for statements that have none (PIVOT) references without conditions. */
static ap_status parse_query(struct ap_query_run *run, ap_error *err) {
  struct ap_buffer json;
  ap_buffer_init(&json, ap_node_env(run->node)->allocator);
  ap_error tree_error = {0};
  ap_status status = ap_chamber_parse(run->chamber, run->request->body, &json, err);
  if (status == AP_OK) {
    status = ap_tree_parse(&run->arena, ap_buffer_text(&json), &run->tree, &tree_error);
    if (status == AP_UNSUPPORTED && run->tree.root == NULL) {
      status = ap_resolve_names_without_tree(run->chamber, run->request->body, &run->arena,
                                             &run->tree, err);
    } else if (status != AP_OK && err != NULL) {
      *err = tree_error;
    }
  }
  ap_buffer_deinit(&json);
  return status;
}

/* Which of the cells decoded copies hold: the request's cells become the rest. */
static ap_status find_copies(struct ap_query_run *run, struct ap_bind_request *request,
                             ap_error *err) {
  struct ap_cache *cache = ap_node_cache(run->node);
  if (cache == NULL || run->bypasses_cache || request->cell_count == 0 || request->shows_places) {
    return AP_OK; /* copies do not know their rows' places */
  }
  const struct ap_cache_request wanted = {
      .frame = &request->frame->entry,
      .snapshot = request->snapshot,
      .cells = request->cells,
      .cell_count = request->cell_count,
  };
  struct ap_cache_places places;
  AP_TRY(ap_cache_find(cache, &wanted, &run->arena, &places, err));
  if (run->part_count + places.part_count > AP_COPIES_ATTACHED_MAX) {
    ap_cache_done(cache, &places);
    return AP_OK;
  }
  run->places[run->place_count++] = places;
  run->part_count += places.part_count;
  run->timing.cells_cached += request->cell_count - places.rest_count;
  run->timing.bytes_cached += places.cached_bytes;
  request->parts = places.parts;
  request->part_count = places.part_count;
  request->cells = places.rest;
  request->cell_count = places.rest_count;
  return AP_OK;
}

ap_status ap_query_run_bind(struct ap_query_run *run, uint32_t choice_index, ap_error *err) {
  struct ap_choice *choice = &run->choices.items[choice_index];
  if (run->is_bound[choice_index]) return AP_OK;
  run->is_bound[choice_index] = true;
  const struct ap_resolved *resolved = choice->resolved;
  struct ap_bind_request request = {.frame = resolved->frame,
                                    .snapshot = resolved->snapshot,
                                    .view_name = resolved->view_name,
                                    .cells = choice->cells,
                                    .cell_count = choice->cell_count,
                                    .shows_places = resolved->is_target};
  run->timing.cells_total += resolved->snapshot->cell_count;
  run->timing.cells_read += choice->cell_count;
  AP_TRY(find_copies(run, &request, err));
  choice->cells_cached = choice->cell_count - request.cell_count;
  return ap_bind_cells(run->node, run->chamber, &request, &run->arena, err);
}

/* The engine takes box.frame for hive.frame too, and refuses it when there is a hive of that name.
 */
static bool is_ambiguous(struct ap_query_run *run, const struct ap_reference *reference) {
  struct ap_text found;
  if (reference->catalog.size > 0 || reference->schema.size == 0) return false;
  return ap_catalog_find_hive(ap_node_catalog(run->node), reference->schema, &run->arena, &found,
                              NULL) == AP_OK;
}

/* The tree's text within what stands around the body: EXPLAIN before it, nothing most often. */
static ap_status replace_body(struct ap_query_run *run, struct ap_text body, ap_error *err) {
  struct ap_text text = run->request->text;
  struct ap_text old = run->request->body;
  AP_ASSERT(old.data >= text.data && old.data + old.size <= text.data + text.size);
  size_t before = (size_t)(old.data - text.data);
  struct ap_buffer sql;
  ap_buffer_init(&sql, ap_node_env(run->node)->allocator);
  ap_buffer_append(&sql, text.data, before);
  ap_buffer_append_text(&sql, body);
  ap_buffer_append(&sql, old.data + old.size, text.size - before - old.size);
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) {
    run->text = ap_arena_copy(&run->arena, ap_buffer_text(&sql));
    if (run->text == NULL) status = AP_FAIL_MEMORY(err);
  }
  ap_buffer_deinit(&sql);
  return status;
}

/* References to the past get the name of their version's view, and those that the engine would not
 * tell apart their full name; the text is made from the tree. */
static ap_status rename_references(struct ap_query_run *run, ap_error *err) {
  uint32_t count = run->tree.reference_count;
  bool any = false;
  struct ap_reference_rename *renames =
      AP_ARENA_ARRAY(&run->arena, struct ap_reference_rename, count + 1);
  if (renames == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < count; ++i) {
    const struct ap_resolved *resolved = run->resolution.by_reference[i];
    if (resolved == NULL) continue;
    if (!resolved->is_past && !is_ambiguous(run, &run->tree.references[i])) continue;
    renames[i] = (struct ap_reference_rename){.catalog = resolved->frame->entry.hive,
                                              .schema = resolved->frame->entry.box,
                                              .name = resolved->view_name};
    any = true;
  }
  if (!any && !run->tree.is_changed) return AP_OK;
  if (run->tree.root == NULL) {
    ap_status refused = AP_FAIL(err, AP_UNSUPPORTED,
                                "a statement without a tree (PIVOT) that names a box which is "
                                "called like a hive");
    ap_error_hint(err, "write the full name: hive.box.frame");
    return refused;
  }
  struct ap_buffer json;
  struct ap_buffer sql;
  ap_buffer_init(&json, ap_node_env(run->node)->allocator);
  ap_buffer_init(&sql, ap_node_env(run->node)->allocator);
  ap_tree_write_renamed(&json, &run->tree, renames);
  ap_status status = ap_buffer_check(&json, err);
  if (status == AP_OK) {
    status = ap_chamber_unparse(run->chamber, ap_buffer_text(&json), &sql, err);
  }
  if (status == AP_OK) status = replace_body(run, ap_buffer_text(&sql), err);
  if (status == AP_OK && any) {
    status =
        ap_travel_parameters(&run->tree, run->request->parameters, run->request->parameter_count,
                             &run->arena, &run->parameters, &run->parameter_count, err);
  }
  ap_buffer_deinit(&json);
  ap_buffer_deinit(&sql);
  return status;
}

/* Whether a chamber just as it is will do: few bytes are read, none are made of nothing, and nobody
 * has said how many bees or how much memory it shall be. */
static bool is_small(const struct ap_query_run *run) {
  int64_t bytes = 0;
  if (run->tree.root == NULL || run->tree.makes_rows) return false;
  if (ap_bee_account_is_bounded(run->request->account)) return false;
  for (uint32_t i = 0; i < run->tree.reference_count; ++i) {
    if (run->resolution.by_reference[i] == NULL) return false; /* a file, of whatever size */
  }
  for (uint32_t i = 0; i < run->choices.count; ++i) {
    const struct ap_choice *choice = &run->choices.items[i];
    if (choice->cell_count > AP_SMALL_QUERY_CELLS) return false;
    for (uint32_t k = 0; k < choice->cell_count; ++k) bytes += choice->cells[k]->size_bytes;
  }
  return bytes <= AP_SMALL_QUERY_BYTES;
}

ap_status ap_query_run_prepare(struct ap_query_run *run, ap_error *err) {
  int64_t since = now_us(run);
  const struct ap_chamber_request place =
      ap_bee_request(run->request->account, AP_WORK_QUERY, run->request->control);
  AP_TRY(ap_chamber_admit(ap_node_engine(run->node), &place, &run->chamber, err));
  AP_TRY(parse_query(run, err));
  AP_TRY(ap_views_unfold(run->node, run->chamber, run->request->hive, run->request->box,
                         run->request->within, &run->arena, &run->tree, err));
  AP_TRY(ap_travel_settle(run->chamber, &run->tree, run->request->parameters,
                          run->request->parameter_count, &run->arena, err));
  lap(run, &since, &run->timing.parse_us);
  AP_TRY(ap_resolve(run->node, run->chamber, &run->tree, run->request->hive, run->request->box,
                    run->request->pins, &run->arena, &run->resolution, err));
  lap(run, &since, &run->timing.discover_us);
  AP_TRY(ap_choose_cells(run->node, run->chamber, run->request, &run->tree, &run->resolution,
                         &run->arena, &run->choices, err));
  AP_TRY(ap_answer_ledger_find(run, err));
  AP_TRY(rename_references(run, err));
  if (!is_small(run)) AP_TRY(ap_chamber_claim(&run->chamber, &place, err));
  run->places = AP_ARENA_ARRAY(&run->arena, struct ap_cache_places, run->choices.count + 1);
  run->is_bound = AP_ARENA_ARRAY(&run->arena, bool, run->choices.count + 1);
  if (run->places == NULL || run->is_bound == NULL) return AP_FAIL_MEMORY(err);
  AP_TRY(ap_chamber_set_options(run->chamber, run->request->engine_options, err));
  const struct ap_engine_care care = {.keeps_expressions = run->tree.is_rewritten_wrongly,
                                      .sorts_all = run->tree.is_limited_wrongly};
  AP_TRY(ap_chamber_set_care(run->chamber, care, err));
  AP_TRY(ap_join_keys_apply(run, err));
  lap(run, &since, &run->timing.plan_us);
  for (uint32_t i = 0; i < run->choices.count; ++i) AP_TRY(ap_query_run_bind(run, i, err));
  AP_TRY(ap_chamber_use(run->chamber, run->request->hive, run->request->box, err));
  AP_TRY(ap_answer_ledger_write(run, err));
  AP_TRY(ap_choices_check_clock(run->node, &run->choices, err));
  lap(run, &since, &run->timing.read_us);
  return AP_OK;
}

void ap_query_run_start(struct ap_query_run *run, struct ap_node *node,
                        const struct ap_query_request *request) {
  *run = (struct ap_query_run){.node = node,
                               .request = request,
                               .bypasses_cache = request->reads_no_copies,
                               .parameters = request->parameters,
                               .parameter_count = request->parameter_count};
  ap_arena_init(&run->arena, ap_node_env(node)->allocator);
}

void ap_query_run_finish(struct ap_query_run *run, struct ap_query_timing *out_timing) {
  if (out_timing != NULL) *out_timing = run->timing;
  ap_chamber_release(run->chamber);
  for (uint32_t i = 0; i < run->place_count; ++i) {
    ap_cache_done(ap_node_cache(run->node), &run->places[i]);
  }
  ap_resolution_deinit(run->node, &run->resolution);
  ap_arena_deinit(&run->arena);
}

/* A decoded copy may be what failed: such are let go, and Parquet is read. */
bool ap_query_run_must_retry(const struct ap_query_run *run, ap_status status) {
  bool found = false;
  if (status == AP_OK || run->bypasses_cache) return false;
  for (uint32_t i = 0; i < run->place_count; ++i) {
    found |= ap_cache_check(ap_node_cache(run->node), &run->places[i]);
  }
  return found;
}

struct ap_text ap_query_run_text(const struct ap_query_run *run) {
  return run->text != NULL ? ap_text_of(run->text) : run->request->text;
}

/* A name that could be no frame was left to the engine; when the engine does not know it either,
 * what the catalog said is the better answer. */
ap_status ap_query_run_failure(const struct ap_query_run *run, ap_status status, ap_error *err) {
  if (status != AP_QUERY || run->resolution.unresolved.code == AP_OK) return status;
  if (err != NULL) *err = run->resolution.unresolved;
  return run->resolution.unresolved.code;
}

static ap_status try_query(struct ap_query_run *run, struct ArrowArrayStream *out_stream,
                           ap_error *err) {
  AP_TRY(ap_query_run_prepare(run, err));
  int64_t since = now_us(run);
  struct ap_chamber *chamber = run->chamber;
  run->chamber = NULL; /* the stream's from here on, on failure too */
  ap_status status = ap_chamber_query(chamber, ap_query_run_text(run), run->parameters,
                                      run->parameter_count, run->request->control, out_stream, err);
  if (status != AP_OK) status = ap_query_run_failure(run, status, err);
  lap(run, &since, &run->timing.execute_us);
  return status;
}

ap_status ap_query(struct ap_node *node, const struct ap_query_request *request,
                   struct ap_query_timing *out_timing, struct ArrowArrayStream *out_stream,
                   ap_error *err) {
  struct ap_query_run run;
  ap_query_run_start(&run, node, request);
  ap_status status = try_query(&run, out_stream, err);
  if (ap_query_run_must_retry(&run, status)) {
    ap_query_run_finish(&run, NULL);
    ap_query_run_start(&run, node, request);
    run.bypasses_cache = true;
    status = try_query(&run, out_stream, err);
  }
  ap_query_run_finish(&run, out_timing);
  return status;
}
