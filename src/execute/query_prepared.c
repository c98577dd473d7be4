/* SPDX-License-Identifier: Apache-2.0
 *
 * Queries up to binding, for statements that run more in the chamber than the text: see query.h.
 * Decoded copies of cells are not used here: they do not know their rows' places, and nobody would
 * run the statement again when one fails.
 */
#include "base/assert.h"
#include "execute/bind.h"
#include "execute/query_run.h"

struct ap_query_prepared {
  struct ap_query_run run;
  struct ap_query_request request;
};

ap_status ap_query_prepare(struct ap_node *node, const struct ap_query_request *request,
                           struct ap_query_timing *out_timing,
                           struct ap_query_prepared **out_prepared, ap_error *err) {
  struct ap_query_prepared *prepared =
      ap_allocate_zeroed(ap_node_env(node)->allocator, 1, sizeof *prepared);
  if (prepared == NULL) return AP_FAIL_MEMORY(err);
  prepared->request = *request;
  ap_query_run_start(&prepared->run, node, &prepared->request);
  prepared->run.bypasses_cache = true; /* nobody runs it again when a copy fails */
  ap_status status = ap_query_run_prepare(&prepared->run, err);
  if (status == AP_OK) status = ap_choices_check_clock(node, &prepared->run.choices, err);
  if (out_timing != NULL) *out_timing = prepared->run.timing;
  if (status != AP_OK) {
    ap_query_prepared_destroy(prepared);
    return status;
  }
  *out_prepared = prepared;
  return AP_OK;
}

void ap_query_prepared_destroy(struct ap_query_prepared *prepared) {
  if (prepared == NULL) return;
  struct ap_allocator *allocator = ap_node_env(prepared->run.node)->allocator;
  ap_query_run_finish(&prepared->run, NULL);
  ap_free(allocator, prepared);
}

struct ap_chamber *ap_query_prepared_chamber(struct ap_query_prepared *prepared) {
  return prepared->run.chamber;
}

void ap_query_prepared_release_chamber(struct ap_query_prepared *prepared) {
  ap_chamber_release(prepared->run.chamber);
  prepared->run.chamber = NULL;
}

struct ap_query_run *ap_query_prepared_run(struct ap_query_prepared *prepared) {
  return &prepared->run;
}

struct ap_text ap_query_prepared_text(const struct ap_query_prepared *prepared) {
  return ap_query_run_text(&prepared->run);
}

const struct ap_parameter *ap_query_prepared_parameters(const struct ap_query_prepared *prepared,
                                                        uint32_t *out_count) {
  *out_count = prepared->run.parameter_count;
  return prepared->run.parameters;
}

const struct ap_choices *ap_query_prepared_choices(const struct ap_query_prepared *prepared) {
  return &prepared->run.choices;
}

ap_status ap_query_prepared_bind(struct ap_query_prepared *prepared,
                                 const struct ap_resolved *resolved, const char *mark,
                                 struct ap_cell **cells, uint32_t cell_count, ap_error *err) {
  struct ap_query_run *run = &prepared->run;
  AP_ASSERT(resolved->is_target);
  char *name = ap_arena_format(&run->arena, "%s%s", resolved->frame->entry.name.data, mark);
  if (name == NULL) return AP_FAIL_MEMORY(err);
  const struct ap_bind_request request = {.frame = resolved->frame,
                                          .snapshot = resolved->snapshot,
                                          .view_name = ap_text_of(name),
                                          .cells = cells,
                                          .cell_count = cell_count,
                                          .shows_places = true};
  return ap_bind_cells(run->node, run->chamber, &request, &run->arena, err);
}

ap_status ap_query_prepared_reads(const struct ap_query_prepared *prepared,
                                  const struct ap_snapshot *snapshot, struct ap_cell *cell,
                                  bool *out_reads, ap_error *err) {
  const struct ap_query_run *run = &prepared->run;
  return ap_choose_reads(run->node, &prepared->request, &run->tree, &run->resolution, snapshot,
                         cell, out_reads, err);
}

ap_status ap_query_prepared_explain(const struct ap_query_prepared *prepared, ap_status status,
                                    ap_error *err) {
  return status == AP_OK ? AP_OK : ap_query_run_failure(&prepared->run, status, err);
}
