/* SPDX-License-Identifier: Apache-2.0
 *
 * See conflict.h. The cells of both snapshots are in one order, so one pass over both finds what is
 * gone and what is new.
 */
#include "ledger/conflict.h"

#include "base/assert.h"

#include <inttypes.h>

struct check {
  const struct ap_commit *commit;
  const struct ap_snapshot_full *now;
  struct ap_text prefix;
  uint32_t next_removed; /* of commit->removed_cells: the first not yet passed */
};

static int compare_cells(const struct ap_cell *a, const struct ap_cell *b) {
  if (a == b) return 0;
  return ap_file_compare(a->path, &a->deletion_vector, b->path, &b->deletion_vector);
}

/* The "dataChange" of an action; what does not say counts as a change. */
static ap_status changes_data(struct ap_allocator *allocator, struct ap_text action_json,
                              bool *out_changes, ap_error *err) {
  struct ap_arena arena;
  const struct ap_json *action = NULL;
  *out_changes = true;
  ap_arena_init(&arena, allocator);
  ap_status status = ap_json_parse(&arena, action_json, &action, err);
  if (status == AP_OK) (void)ap_json_get_bool(action, "dataChange", true, out_changes);
  ap_arena_deinit(&arena);
  return status;
}

/* The newest tombstone of a file, which is not a cell any more. */
static const struct ap_tombstone *find_tombstone(const struct ap_tombstones *chain,
                                                 const struct ap_cell *cell) {
  for (; chain; chain = chain->older) {
    for (uint32_t i = chain->count; i > 0; i--) {
      const struct ap_tombstone *item = &chain->items[i - 1];
      if (ap_file_compare(item->path, &item->deletion_vector, cell->path, &cell->deletion_vector) ==
          0) {
        return item;
      }
    }
  }
  return NULL;
}

static ap_status fail(const struct check *check, const struct ap_cell *cell, const char *what,
                      ap_error *err) {
  ap_status status =
      AP_FAIL(err, AP_CONFLICT,
              "cell %.*s of '%.*s', %s by another commit between versions %" PRId64 " and %" PRId64,
              AP_TEXT_ARG(cell->path), AP_TEXT_ARG(check->prefix), what,
              check->commit->base->version, check->now->shown.version);
  ap_error_hint(err, "run the statement again: it then reads the latest version");
  return status;
}

static ap_status might_read(const struct check *check, const struct ap_snapshot *snapshot,
                            struct ap_cell *cell, bool *out_reads, ap_error *err) {
  const struct ap_commit *commit = check->commit;
  *out_reads = commit->reads_all;
  if (commit->reads_all || !commit->reads) return AP_OK;
  return commit->reads(commit->context, snapshot, cell, out_reads, err);
}

static ap_status check_gone(struct check *check, struct ap_cell *cell, ap_error *err) {
  const struct ap_commit *commit = check->commit;
  bool reads = false;
  bool changes = true;
  if (check->next_removed < commit->removed_cell_count &&
      commit->removed_cells[check->next_removed] == cell) {
    return fail(check, cell, "which this one rewrites, was removed or changed", err);
  }
  AP_TRY(might_read(check, commit->base, cell, &reads, err));
  if (!reads) return AP_OK;
  const struct ap_tombstone *tombstone = find_tombstone(check->now->tombstones, cell);
  if (tombstone) AP_TRY(changes_data(check->now->allocator, tombstone->json, &changes, err));
  return changes ? fail(check, cell, "which this one has read, was removed", err) : AP_OK;
}

static ap_status check_new(struct check *check, struct ap_cell *cell, ap_error *err) {
  bool reads = false;
  bool changes = true;
  AP_TRY(might_read(check, &check->now->shown, cell, &reads, err));
  if (!reads) return AP_OK;
  AP_TRY(changes_data(check->now->allocator, cell->action_json, &changes, err));
  return changes ? fail(check, cell, "which this one should have read, was added", err) : AP_OK;
}

static void pass(struct check *check, const struct ap_cell *cell) {
  const struct ap_commit *commit = check->commit;
  if (check->next_removed < commit->removed_cell_count &&
      commit->removed_cells[check->next_removed] == cell) {
    check->next_removed += 1;
  }
}

ap_status ap_conflict_check(const struct ap_commit *commit, const struct ap_snapshot_full *now,
                            struct ap_text prefix, ap_error *err) {
  const struct ap_snapshot *base = commit->base;
  const struct ap_snapshot *later = &now->shown;
  struct check check = {.commit = commit, .now = now, .prefix = prefix};
  AP_ASSERT(commit->kind == AP_COMMIT_REWRITE && base->version <= later->version);
  uint32_t i = 0;
  uint32_t k = 0;
  while (i < base->cell_count || k < later->cell_count) {
    int order = i == base->cell_count    ? 1
                : k == later->cell_count ? -1
                                         : compare_cells(base->cells[i], later->cells[k]);
    if (order < 0) AP_TRY(check_gone(&check, base->cells[i], err));
    if (order > 0) AP_TRY(check_new(&check, later->cells[k], err));
    if (order <= 0) pass(&check, base->cells[i++]);
    if (order >= 0) k++;
  }
  AP_ASSERT(check.next_removed == commit->removed_cell_count);
  return AP_OK;
}
