/* SPDX-License-Identifier: Apache-2.0
 *
 * One query on its way: the insides of query.c, for those files of this module that run queries in
 * another way.
 * Thread: the session's.
 */
#ifndef AP_EXECUTE_QUERY_RUN_H
#define AP_EXECUTE_QUERY_RUN_H

#include "execute/choose.h"
#include "execute/query.h"
#include "execute/resolve.h"
#include "plan/tree.h"

struct ap_query_run {
  struct ap_node *node;
  const struct ap_query_request *request;
  struct ap_query_timing timing;
  struct ap_arena arena;
  struct ap_chamber *chamber;
  struct ap_tree tree;
  struct ap_resolution resolution;
  struct ap_choices choices;
  struct ap_constant *answer; /* what the ledger answers, a value for each column; NULL: nothing */
  uint32_t answer_count;
  struct ap_cache_places *places; /* of the choices, where decoded copies may be */
  uint32_t place_count;
  uint32_t part_count; /* of all places */
  bool bypasses_cache;
  bool *is_bound;                        /* of the choices: bound already, for the keys of a join */
  const char *text;                      /* what runs; NULL: the request's own text */
  const struct ap_parameter *parameters; /* of what runs */
  uint32_t parameter_count;
};

void ap_query_run_start(struct ap_query_run *run, struct ap_node *node,
                        const struct ap_query_request *request);
/* Parse, resolve, choose cells and bind them: the chamber is ready to run ap_query_run_text with
 * the run's parameters. */
AP_MUST_CHECK ap_status ap_query_run_prepare(struct ap_query_run *run, ap_error *err);
/* Bind the cells chosen of one frame, unless they are bound. */
AP_MUST_CHECK ap_status ap_query_run_bind(struct ap_query_run *run, uint32_t choice, ap_error *err);
struct ap_text ap_query_run_text(const struct ap_query_run *run);
/* What to say when the engine refuses the text. */
ap_status ap_query_run_failure(const struct ap_query_run *run, ap_status status, ap_error *err);
/* Whether the failure may be a decoded copy's: run it again, bypassing the cache. */
bool ap_query_run_must_retry(const struct ap_query_run *run, ap_status status);
/* Gives the chamber back, unless it has been taken. out_timing may be NULL. */
void ap_query_run_finish(struct ap_query_run *run, struct ap_query_timing *out_timing);

#endif
