/* SPDX-License-Identifier: Apache-2.0
 *
 * See transaction.h.
 */
#include "execute/transaction.h"

#include "base/assert.h"
#include "execute/report.h"
#include "ledger/deletion_vector.h"

#include <inttypes.h>
#include <string.h>

struct ap_pins *ap_transaction_pins(const struct ap_sql_session *session) {
  return session->transaction != NULL ? &session->transaction->pins : NULL;
}

/* ---- staging --------------------------------------------------------------------------------- */

static ap_status check_whole(const struct ap_transaction *transaction, ap_error *err) {
  if (!transaction->broken) return AP_OK;
  ap_status status =
      AP_FAIL(err, AP_STATE, "the transaction cannot go on after the failure of its last change");
  ap_error_hint(err, "ROLLBACK, and run it again");
  return status;
}

ap_status ap_transaction_check_frame(const struct ap_transaction *transaction,
                                     const struct ap_frame *frame, ap_error *err) {
  AP_TRY(check_whole(transaction, err));
  if (transaction->frame == NULL || ap_text_equal(transaction->frame->entry.id, frame->entry.id)) {
    return AP_OK;
  }
  ap_status status = AP_FAIL(err, AP_UNSUPPORTED,
                             "the transaction changes frame %s: it cannot change frame %s too",
                             transaction->frame->entry.name.data, frame->entry.name.data);
  ap_error_hint(err,
                "COMMIT first, a transaction is one version of one frame; without one (autocommit) "
                "each statement is a version of its own");
  return status;
}

static ap_status begin_changes(struct ap_transaction *transaction, struct ap_change *change,
                               ap_error *err) {
  const struct ap_frame_entry *entry = &change->frame->entry;
  if (transaction->frame != NULL) return AP_OK;
  transaction->removed =
      AP_ARENA_ARRAY(&transaction->arena, bool, change->snapshot->cell_count + 1);
  if (transaction->removed == NULL) return AP_FAIL_MEMORY(err);
  AP_TRY(ap_node_find_frame(transaction->node, entry->hive, entry->box, entry->name,
                            &transaction->frame, err));
  transaction->base = ap_snapshot_retain(change->snapshot);
  return AP_OK;
}

/* Room for so many more; what grows is copied within the arena. */
static ap_status make_room(struct ap_transaction *transaction, uint32_t more, ap_error *err) {
  uint32_t drafts = transaction->draft_count + more;
  uint32_t keys = transaction->key_count + more;
  uint32_t held = transaction->held_count + more;
  if (drafts <= transaction->draft_room && keys <= transaction->key_room &&
      held <= transaction->held_room) {
    return AP_OK;
  }
  struct ap_cell_draft *new_drafts =
      AP_ARENA_ARRAY(&transaction->arena, struct ap_cell_draft, 2 * (size_t)drafts + 1);
  struct ap_text *new_keys =
      AP_ARENA_ARRAY(&transaction->arena, struct ap_text, 2 * (size_t)keys + 1);
  struct ap_cell **new_held =
      AP_ARENA_ARRAY(&transaction->arena, struct ap_cell *, 2 * (size_t)held + 1);
  if (new_drafts == NULL || new_keys == NULL || new_held == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < transaction->draft_count; ++i) new_drafts[i] = transaction->drafts[i];
  for (uint32_t i = 0; i < transaction->key_count; ++i) new_keys[i] = transaction->keys[i];
  for (uint32_t i = 0; i < transaction->held_count; ++i) new_held[i] = transaction->held[i];
  transaction->held = new_held;
  transaction->held_room = 2 * held;
  transaction->drafts = new_drafts;
  transaction->draft_room = 2 * drafts;
  transaction->keys = new_keys;
  transaction->key_room = 2 * keys;
  return AP_OK;
}

static bool copy_text(struct ap_arena *arena, struct ap_text from, struct ap_text *to) {
  char *copy = ap_arena_copy(arena, from);
  *to = (struct ap_text){copy, copy == NULL ? 0 : from.size};
  return copy != NULL;
}

static bool copy_draft(struct ap_arena *arena, const struct ap_cell_draft *from,
                       struct ap_cell_draft *to) {
  *to = *from;
  struct ap_partition_value *values =
      AP_ARENA_ARRAY(arena, struct ap_partition_value, from->partition_count + 1);
  if (values == NULL || !copy_text(arena, from->path, &to->path) ||
      !copy_text(arena, from->statistics_json, &to->statistics_json) ||
      !copy_text(arena, from->staged_path, &to->staged_path) ||
      !copy_text(arena, from->deletion_vector.path_or_inline,
                 &to->deletion_vector.path_or_inline)) {
    return false;
  }
  for (uint32_t i = 0; i < from->partition_count; ++i) {
    values[i] = from->partition_values[i];
    if (!copy_text(arena, from->partition_values[i].text, &values[i].text)) return false;
  }
  to->partition_values = values;
  return true;
}

/* A cell that goes is one of an earlier statement, which then never was, or one of base. An earlier
 * statement may have given one of base a vector: then it is gone from base already. */
static void remove_cell(struct ap_transaction *transaction, const struct ap_cell *cell) {
  for (uint32_t i = 0; i < transaction->draft_count; ++i) {
    if (!ap_text_equal(transaction->drafts[i].path, cell->path)) continue;
    transaction->drafts[i] = transaction->drafts[--transaction->draft_count];
    return;
  }
  for (uint32_t i = 0; i < transaction->base->cell_count; ++i) {
    if (transaction->base->cells[i] == cell) transaction->removed[i] = true;
  }
}

/* The commit to come. removed_cells is in the arena given. */
static ap_status describe(const struct ap_transaction *transaction, struct ap_arena *arena,
                          struct ap_commit *out_commit, ap_error *err) {
  const struct ap_snapshot *base = transaction->base;
  struct ap_cell **removed = AP_ARENA_ARRAY(arena, struct ap_cell *, base->cell_count + 1);
  if (removed == NULL) return AP_FAIL_MEMORY(err);
  uint32_t count = 0;
  for (uint32_t i = 0; i < base->cell_count; ++i) {
    if (transaction->removed[i]) removed[count++] = base->cells[i];
  }
  *out_commit = (struct ap_commit){
      .kind = AP_COMMIT_REWRITE,
      .adds = transaction->drafts,
      .add_count = transaction->draft_count,
      .schema_id = base->schema_id,
      .base = transaction->base,
      .removed_cells = removed,
      .removed_cell_count = count,
      .reads_all = true,
      .operation = AP_TEXT("TRANSACTION"),
  };
  return AP_OK;
}

static ap_status preview(struct ap_transaction *transaction, ap_error *err) {
  struct ap_commit commit;
  struct ap_snapshot *after = NULL;
  struct ap_arena arena;
  ap_arena_init(&arena, ap_node_env(transaction->node)->allocator);
  ap_status status = describe(transaction, &arena, &commit, err);
  if (status == AP_OK) {
    status = ap_ledger_preview(transaction->frame->ledger, &commit, &after, err);
  }
  if (status == AP_OK) {
    struct ap_pinned *pinned = ap_pins_find(&transaction->pins, transaction->frame->entry.id);
    AP_ASSERT(pinned != NULL);
    ap_snapshot_release(pinned->snapshot);
    pinned->snapshot = after;
  }
  ap_arena_deinit(&arena);
  return status;
}

/* What the statement adds, and its objects, once they are in the transaction's memory. */
static void take_over(struct ap_transaction *transaction, struct ap_change *change,
                      const struct ap_cell_draft *drafts, const struct ap_text *keys,
                      uint32_t key_count) {
  for (uint32_t i = 0; i < change->removed_count; ++i) {
    remove_cell(transaction, change->removed[i]);
  }
  for (uint32_t i = 0; i < change->add_count; ++i) {
    transaction->drafts[transaction->draft_count++] = drafts[i];
  }
  for (uint32_t i = 0; i < change->vector_count; ++i) {
    transaction->held[transaction->held_count++] = ap_cell_retain(change->marked.cells[i]);
  }
  for (uint32_t i = 0; i < key_count; ++i) transaction->keys[transaction->key_count++] = keys[i];
  change->staged.count = 0;
  change->vectors_key = (struct ap_text){NULL, 0};
  transaction->counts.inserted += change->counts.inserted;
  transaction->counts.updated += change->counts.updated;
  transaction->counts.deleted += change->counts.deleted > 0 ? change->counts.deleted : 0;
}

ap_status ap_transaction_stage(struct ap_transaction *transaction, struct ap_change *change,
                               ap_error *err) {
  const struct ap_staged *staged = &change->staged;
  struct ap_arena *arena = &transaction->arena;
  uint32_t key_count = staged->count;
  AP_TRY(begin_changes(transaction, change, err));
  AP_TRY(make_room(transaction, change->add_count + 1, err));
  struct ap_cell_draft *drafts =
      AP_ARENA_ARRAY(arena, struct ap_cell_draft, (size_t)change->add_count + 1);
  struct ap_text *keys = AP_ARENA_ARRAY(arena, struct ap_text, (size_t)staged->count + 1);
  if (drafts == NULL || keys == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < change->add_count; ++i) {
    if (!copy_draft(arena, &change->adds[i], &drafts[i])) return AP_FAIL_MEMORY(err);
  }
  for (uint32_t i = 0; i < staged->count; ++i) {
    if (!copy_text(arena, staged->uploads[i].key, &keys[i])) return AP_FAIL_MEMORY(err);
  }
  if (change->vectors_key.size > 0 && !copy_text(arena, change->vectors_key, &keys[key_count++])) {
    return AP_FAIL_MEMORY(err);
  }
  /* From here on the objects are the transaction's, whatever comes. */
  take_over(transaction, change, drafts, keys, key_count);
  ap_status status = preview(transaction, err);
  transaction->broken = status != AP_OK;
  return status;
}

/* ---- beginning and ending -------------------------------------------------------------------- */

/* Whether the commit speaks of the object; when in doubt it does. */
static bool is_spoken_of(const struct ap_transaction *transaction, struct ap_text key,
                         struct ap_buffer *scratch) {
  for (uint32_t i = 0; i < transaction->draft_count; ++i) {
    const struct ap_cell_draft *draft = &transaction->drafts[i];
    if (ap_text_ends_with(key, draft->path)) return true;
    if (draft->deletion_vector.storage_type != 'u') continue;
    ap_buffer_clear(scratch);
    bool is_path = ap_deletion_vector_path(scratch, draft->deletion_vector.path_or_inline);
    if (!is_path || scratch->failed || ap_text_ends_with(key, ap_buffer_text(scratch))) return true;
  }
  return false;
}

/* Objects that no ledger knows: all of them, or those that a later statement took back. */
static void discard_objects(struct ap_transaction *transaction, bool all) {
  struct ap_buffer scratch;
  ap_buffer_init(&scratch, ap_node_env(transaction->node)->allocator);
  for (uint32_t i = 0; i < transaction->key_count; ++i) {
    if (!all && is_spoken_of(transaction, transaction->keys[i], &scratch)) continue;
    (void)!ap_store_remove(ap_node_store(transaction->node), transaction->keys[i], NULL);
  }
  ap_buffer_deinit(&scratch);
}

static void close_transaction(struct ap_sql_session *session) {
  struct ap_transaction *transaction = session->transaction;
  session->transaction = NULL;
  for (uint32_t i = 0; i < transaction->held_count; ++i) ap_cell_release(transaction->held[i]);
  ap_pins_clear(transaction->node, &transaction->pins);
  ap_snapshot_release(transaction->base);
  ap_node_release_frame(transaction->node, transaction->frame);
  ap_arena_deinit(&transaction->arena);
  ap_free(ap_node_env(session->node)->allocator, transaction);
}

void ap_session_abandon_transaction(struct ap_sql_session *session) {
  if (session->transaction == NULL) return;
  discard_objects(session->transaction, true);
  close_transaction(session);
}

static ap_status need_transaction(const struct ap_sql_session *session, ap_error *err) {
  if (session->transaction != NULL) return AP_OK;
  ap_status status = AP_FAIL(err, AP_STATE, "no transaction is open");
  ap_error_hint(err, "BEGIN opens one");
  return status;
}

ap_status ap_run_begin(struct ap_statement_run *run, struct ArrowArrayStream *out, ap_error *err) {
  struct ap_sql_session *session = run->session;
  struct ap_allocator *allocator = ap_node_env(session->node)->allocator;
  if (session->transaction != NULL) {
    ap_status status = AP_FAIL(err, AP_STATE, "a transaction is open already");
    ap_error_hint(err, "COMMIT or ROLLBACK ends it");
    return status;
  }
  struct ap_transaction *transaction = ap_allocate_zeroed(allocator, 1, sizeof *transaction);
  if (transaction == NULL) return AP_FAIL_MEMORY(err);
  transaction->node = session->node;
  ap_arena_init(&transaction->arena, allocator);
  transaction->pins =
      (struct ap_pins){.items = transaction->pinned, .room = AP_TRANSACTION_FRAMES_MAX};
  session->transaction = transaction;
  return ap_answer_message(out, err, "a transaction is open");
}

static bool has_changes(const struct ap_transaction *transaction) {
  if (transaction->frame == NULL) return false;
  bool any = transaction->draft_count > 0;
  for (uint32_t i = 0; i < transaction->base->cell_count; ++i) {
    any = any || transaction->removed[i];
  }
  return any;
}

static ap_status commit_changes(struct ap_transaction *transaction, int64_t *out_version,
                                ap_error *err) {
  struct ap_commit commit;
  struct ap_commit_result result = {0};
  struct ap_arena arena;
  *out_version = transaction->base != NULL ? transaction->base->version : -1;
  if (!has_changes(transaction)) return AP_OK;
  ap_arena_init(&arena, ap_node_env(transaction->node)->allocator);
  ap_status status = describe(transaction, &arena, &commit, err);
  if (status == AP_OK) {
    status = ap_ledger_commit(transaction->frame->ledger, &commit, &result, err);
    if (status != AP_OK) status = ap_frame_error(transaction->frame, status, err);
  }
  if (status == AP_CONFLICT) ap_error_hint(err, "run the whole transaction again from BEGIN on");
  *out_version = result.version;
  ap_arena_deinit(&arena);
  return status;
}

ap_status ap_run_commit(struct ap_statement_run *run, struct ArrowArrayStream *out, ap_error *err) {
  struct ap_change told = {.version = 0};
  AP_TRY(need_transaction(run->session, err));
  struct ap_transaction *transaction = run->session->transaction;
  ap_status status = check_whole(transaction, err);
  if (status == AP_OK) status = commit_changes(transaction, &told.version, err);
  told.counts = transaction->counts;
  /* A commit that may be there needs its objects. */
  if (status == AP_OK) discard_objects(transaction, false);
  if (status != AP_OK && status != AP_OUTCOME_UNKNOWN) discard_objects(transaction, true);
  close_transaction(run->session);
  return status == AP_OK ? ap_change_answer(&told, out, err) : status;
}

ap_status ap_run_rollback(struct ap_statement_run *run, struct ArrowArrayStream *out,
                          ap_error *err) {
  AP_TRY(need_transaction(run->session, err));
  ap_session_abandon_transaction(run->session);
  return ap_answer_message(out, err, "the transaction is rolled back");
}
