/* SPDX-License-Identifier: Apache-2.0
 *
 * See answer_ledger.h.
 */
#include "execute/answer_ledger.h"

#include "base/assert.h"
#include "base/limits.h"
#include "plan/answer.h"

ap_status ap_answer_ledger_find(struct ap_query_run *run, ap_error *err) {
  bool found = false;
  struct ap_choice *choice = &run->choices.items[0];
  bool whole = run->request->text.data == run->request->body.data &&
               run->request->text.size == run->request->body.size;
  /* Few cells are read sooner than names are asked for, and stay bound for the next query. */
  if (!whole || run->choices.count != 1 || run->tree.reference_count != 1 ||
      choice->cell_count < AP_ANSWER_CELLS_MIN) {
    return AP_OK;
  }
  AP_TRY(ap_answer_find(&run->arena, &run->tree, run->choices.frames[0],
                        choice->resolved->snapshot->physical_schema_id, &run->choices.results[0],
                        &found, &run->answer, &run->answer_count, err));
  if (found) {
    choice->from_ledger = true;
    choice->cell_count = 0;
  } else {
    run->answer = NULL;
  }
  return AP_OK;
}

ap_status ap_answer_ledger_write(struct ap_query_run *run, ap_error *err) {
  if (run->answer == NULL) return AP_OK;
  struct ap_text *names = AP_ARENA_ARRAY(&run->arena, struct ap_text, run->answer_count);
  if (names == NULL) return AP_FAIL_MEMORY(err);
  ap_status status = ap_chamber_column_names(run->chamber, ap_query_run_text(run), &run->arena,
                                             names, run->answer_count, err);
  if (status != AP_OK) return ap_query_run_failure(run, status, err);
  struct ap_buffer sql;
  ap_buffer_init(&sql, ap_node_env(run->node)->allocator);
  ap_answer_write(&sql, run->answer, names, run->answer_count);
  status = ap_buffer_check(&sql, err);
  if (status == AP_OK) {
    run->text = ap_arena_copy(&run->arena, ap_buffer_text(&sql));
    run->parameter_count = 0;
    if (run->text == NULL) status = AP_FAIL_MEMORY(err);
  }
  ap_buffer_deinit(&sql);
  return status;
}
