/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows that go without their cell being written again, in frames with delta.enableDeletionVectors:
 * the commit adds the cell once more with a vector of all its rows that are gone. Reading pays for
 * them until OPTIMIZE takes them out, so a cell of which more than half would be gone is written
 * again at once.
 */
#include "execute/change.h"

#include "base/assert.h"
#include "base/limits.h"

static int64_t deleted_before(const struct ap_cell *cell) {
  return cell->deletion_vector.storage_type != 0 ? cell->deletion_vector.cardinality : 0;
}

bool ap_change_may_mark(const struct ap_change *change, const struct ap_cell *cell, int64_t rows,
                        int64_t changed) {
  int64_t gone = deleted_before(cell) + changed;
  if (rows <= changed || gone > rows - changed) return false;
  return (uint64_t)gone <= AP_MARKED_ROWS_MAX - change->vector_rows;
}

/* ---- which rows ------------------------------------------------------------------------------ */

/* The rows that go now, ascending, and those gone before: none is both. */
static ap_status merge(struct ap_change *change, struct ap_cell *cell, const int64_t *pairs,
                       uint64_t count, struct ap_deleted_rows *out, ap_error *err) {
  const uint64_t *before = NULL;
  uint64_t before_count = 0;
  if (cell->deletion_vector.storage_type != 0) {
    AP_TRY(ap_ledger_deleted_rows(change->frame->ledger, cell, &change->arena, &before,
                                  &before_count, err));
  }
  uint64_t *rows = AP_ARENA_ARRAY(&change->arena, uint64_t, count + before_count + 1);
  if (rows == NULL) return AP_FAIL_MEMORY(err);
  uint64_t i = 0;
  uint64_t k = 0;
  for (uint64_t at = 0; at < count + before_count; ++at) {
    bool takes_new = i < count && (k == before_count || (uint64_t)pairs[2 * i + 1] < before[k]);
    rows[at] = takes_new ? (uint64_t)pairs[2 * i++ + 1] : before[k++];
    AP_ASSERT(at == 0 || rows[at] > rows[at - 1]);
  }
  *out = (struct ap_deleted_rows){rows, count + before_count};
  return AP_OK;
}

/* The place of a cell among those marked, and a row of it: in this order. */
static ap_status read_pairs(struct ap_change *change, int64_t **out_pairs, uint64_t *out_count,
                            ap_error *err) {
  struct ap_buffer sql;
  ap_buffer_init(&sql, ap_node_env(change->node)->allocator);
  ap_buffer_append_format(
      &sql,
      "SELECT DISTINCT ap_place, ap_row FROM temp.main." AP_MATCHES_TABLE
      " JOIN temp.main." AP_LIST_TABLE(AP_MARKED) " USING (ap_file) WHERE ap_place < %u AND ",
      change->vector_count);
  ap_change_append_changing(&sql, change, true, true);
  ap_buffer_append_string(&sql, " ORDER BY ap_place ASC, ap_row ASC");
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) {
    status = ap_chamber_numbers(ap_query_prepared_chamber(change->prepared), sql.data,
                                change->run->request->control, &change->arena, out_pairs, out_count,
                                err);
  }
  ap_buffer_deinit(&sql);
  return status;
}

ap_status ap_change_find_marks(struct ap_change *change, ap_error *err) {
  int64_t *pairs = NULL;
  uint64_t count = 0;
  if (change->vector_count == 0) return AP_OK;
  AP_TRY(read_pairs(change, &pairs, &count, err));
  change->vectors = AP_ARENA_ARRAY(&change->arena, struct ap_deleted_rows, change->vector_count);
  if (change->vectors == NULL) return AP_FAIL_MEMORY(err);
  uint64_t begin = 0;
  for (uint32_t i = 0; i < change->vector_count; ++i) {
    uint64_t end = begin;
    while (end < count && pairs[2 * end] == i) ++end;
    AP_ASSERT(end > begin);
    AP_TRY(merge(change, change->marked.cells[i], pairs + 2 * begin, end - begin,
                 &change->vectors[i], err));
    begin = end;
  }
  AP_ASSERT(begin == count);
  return AP_OK;
}

/* ---- for the commit -------------------------------------------------------------------------- */

ap_status ap_change_write_marks(struct ap_change *change, ap_error *err) {
  const struct ap_staged *staged = &change->staged;
  uint32_t count = change->vector_count;
  change->adds = staged->drafts;
  change->add_count = staged->count;
  if (count == 0) return AP_OK;
  struct ap_deletion_vector *vectors =
      AP_ARENA_ARRAY(&change->arena, struct ap_deletion_vector, count);
  change->adds = AP_ARENA_ARRAY(&change->arena, struct ap_cell_draft, staged->count + count);
  if (vectors == NULL || change->adds == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < staged->count; ++i) change->adds[i] = staged->drafts[i];
  AP_TRY(ap_ledger_write_deleted_rows(change->frame->ledger, change->vectors, count, &change->arena,
                                      vectors, &change->vectors_key, err));
  for (uint32_t i = 0; i < count; ++i) {
    AP_TRY(ap_ledger_mark_cell(change->marked.cells[i], &vectors[i], &change->arena,
                               &change->adds[change->add_count++], err));
  }
  return AP_OK;
}
