/* SPDX-License-Identifier: Apache-2.0
 *
 * See join_keys.h. The keys are read from the same view, over the same cells of the same version,
 * in the same chamber as the query will read them. Where the engine cannot answer the question, the
 * query goes on without.
 * Thread: the session's.
 */
#include "execute/join_keys.h"

#include "base/assert.h"
#include "base/limits.h"
#include "plan/join.h"

struct joiner {
  struct ap_query_run *run;
  struct ap_join_pair *pairs;
  uint32_t pair_count;
  struct ap_parameter *named; /* NULL: not needed yet */
};

static uint32_t choice_of(const struct ap_query_run *run, uint32_t reference) {
  uint32_t i = 0;
  while (run->choices.items[i].resolved != run->resolution.by_reference[reference]) ++i;
  AP_ASSERT(i < run->choices.count);
  return i;
}

/* After a reference's cells were narrowed. */
static ap_status narrowed(struct ap_query_run *run, const struct ap_join_pair *pair,
                          ap_error *err) {
  struct ap_choice *choice = &run->choices.items[choice_of(run, pair->big)];
  return ap_choose_again(&run->tree, &run->resolution, &run->arena, &run->choices, choice,
                         run->resolution.by_reference[pair->small], err);
}

/* A frame whose view is made already cannot lose cells any more. */
static bool may_narrow(const struct ap_query_run *run, const struct ap_join_pair *pair) {
  return !run->is_bound[choice_of(run, pair->big)] &&
         run->choices.results[pair->big].kept_count >= AP_JOIN_CELLS_MIN;
}

static ap_status apply_bounds(struct joiner *joiner, ap_error *err) {
  struct ap_query_run *run = joiner->run;
  for (uint32_t i = 0; i < joiner->pair_count; ++i) {
    const struct ap_join_pair *pair = &joiner->pairs[i];
    uint32_t before = run->choices.results[pair->big].kept_count;
    if (!may_narrow(run, pair)) continue;
    AP_TRY(ap_join_narrow_by_bounds(&run->arena, run->choices.frames, pair, run->choices.results,
                                    err));
    if (run->choices.results[pair->big].kept_count < before) AP_TRY(narrowed(run, pair, err));
  }
  return AP_OK;
}

/* The request's parameters, those by position with the names that they have in trees. */
static ap_status name_parameters(struct joiner *joiner, ap_error *err) {
  const struct ap_query_request *request = joiner->run->request;
  struct ap_arena *arena = &joiner->run->arena;
  if (joiner->named != NULL) return AP_OK;
  joiner->named = AP_ARENA_ARRAY(arena, struct ap_parameter, request->parameter_count + 1);
  if (joiner->named == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < request->parameter_count; ++i) {
    joiner->named[i] = request->parameters[i];
    if (request->parameters[i].name.size > 0) continue;
    const char *name = ap_arena_format(arena, AP_TREE_PARAMETER_PREFIX "%u", i + 1);
    if (name == NULL) return AP_FAIL_MEMORY(err);
    joiner->named[i].name = ap_text_of(name);
  }
  return AP_OK;
}

static ap_status write_question(struct joiner *joiner, const struct ap_join_pair *pair,
                                const struct ap_join_question *question, struct ap_buffer *json,
                                struct ap_buffer *sql, ap_error *err) {
  struct ap_query_run *run = joiner->run;
  const struct ap_resolved *small = run->resolution.by_reference[pair->small];
  struct ap_reference_rename *renames =
      AP_ARENA_ARRAY(&run->arena, struct ap_reference_rename, run->tree.reference_count + 1);
  if (renames == NULL) return AP_FAIL_MEMORY(err);
  renames[pair->small] = (struct ap_reference_rename){.catalog = small->frame->entry.hive,
                                                      .schema = small->frame->entry.box,
                                                      .name = small->view_name};
  ap_join_write(json, &run->tree, run->choices.frames, pair, question, renames);
  AP_TRY(ap_buffer_check(json, err));
  return ap_chamber_unparse(run->chamber, ap_buffer_text(json), sql, err);
}

static ap_status read_keys(struct joiner *joiner, struct ap_text sql, struct ap_constant **out_keys,
                           uint32_t *out_count, bool *out_more, ap_error *err) {
  struct ap_query_run *run = joiner->run;
  struct ap_run_control control = {0};
  if (run->request->control != NULL) control = *run->request->control;
  control.progress = NULL; /* this is not what is asked for */
  return ap_chamber_values(run->chamber, sql, joiner->named, run->request->parameter_count,
                           run->request->control != NULL ? &control : NULL, &run->arena,
                           AP_JOIN_KEYS_MAX, out_keys, out_count, out_more, err);
}

/* Whether the query itself must end for it. */
static bool is_final(ap_status status) {
  return status == AP_CANCELLED || status == AP_TIMEOUT || status == AP_OUT_OF_MEMORY;
}

static ap_status ask(struct joiner *joiner, const struct ap_join_pair *pair,
                     const struct ap_join_question *question, ap_error *err) {
  struct ap_query_run *run = joiner->run;
  struct ap_buffer json;
  struct ap_buffer sql;
  struct ap_constant *keys = NULL;
  uint32_t count = 0;
  bool more = false;
  ap_error why = {0};
  AP_TRY(name_parameters(joiner, err));
  AP_TRY(ap_query_run_bind(run, choice_of(run, pair->small), err));
  ap_buffer_init(&json, ap_node_env(run->node)->allocator);
  ap_buffer_init(&sql, ap_node_env(run->node)->allocator);
  ap_status status = write_question(joiner, pair, question, &json, &sql, &why);
  if (status == AP_OK) {
    status = read_keys(joiner, ap_buffer_text(&sql), &keys, &count, &more, &why);
  }
  ap_buffer_deinit(&json);
  ap_buffer_deinit(&sql);
  if (status != AP_OK) {
    if (is_final(status) && err != NULL) *err = why;
    return is_final(status) ? status : AP_OK;
  }
  if (more) return AP_OK;
  uint32_t before = run->choices.results[pair->big].kept_count;
  AP_TRY(ap_join_narrow_by_keys(&run->arena, run->choices.frames, pair, keys, count,
                                run->choices.results, err));
  return run->choices.results[pair->big].kept_count < before ? narrowed(run, pair, err) : AP_OK;
}

/* The smallest sides first: what they narrow may be small then, too. */
static void sort_pairs(struct joiner *joiner) {
  const struct ap_prune_result *results = joiner->run->choices.results;
  for (uint32_t i = 1; i < joiner->pair_count; ++i) {
    for (uint32_t k = i; k > 0; --k) {
      struct ap_join_pair *a = &joiner->pairs[k - 1];
      struct ap_join_pair *b = &joiner->pairs[k];
      if (results[a->small].kept_count <= results[b->small].kept_count) break;
      struct ap_join_pair swapped = *a;
      *a = *b;
      *b = swapped;
    }
  }
}

ap_status ap_join_keys_apply(struct ap_query_run *run, ap_error *err) {
  struct joiner joiner = {.run = run};
  if (run->tree.root == NULL || run->tree.reference_count < 2) return AP_OK;
  AP_TRY(ap_join_find(&run->arena, &run->tree, run->choices.frames, &joiner.pairs,
                      &joiner.pair_count, err));
  if (joiner.pair_count == 0) return AP_OK;
  AP_TRY(apply_bounds(&joiner, err));
  sort_pairs(&joiner);
  for (uint32_t i = 0; i < joiner.pair_count; ++i) {
    struct ap_join_question question;
    bool pays = false;
    const struct ap_join_pair *pair = &joiner.pairs[i];
    if (!may_narrow(run, pair) || choice_of(run, pair->big) == choice_of(run, pair->small)) {
      continue; /* of a frame joined with itself both are one view */
    }
    AP_TRY(ap_join_pays(&run->arena, &run->tree, run->choices.frames, pair, run->choices.results,
                        &pays, &question, err));
    if (pays) AP_TRY(ask(&joiner, pair, &question, err));
  }
  return AP_OK;
}
