/* SPDX-License-Identifier: Apache-2.0
 *
 * See commit.h. The adds do not depend on the version and are written once; removes and commitInfo
 * are written again for each version that is tried.
 */
#include "ledger/commit.h"

#include "base/assert.h"
#include "ledger/alter.h"
#include "ledger/commit_text.h"
#include "ledger/conflict.h"
#include "ledger/features.h"

#include <inttypes.h>
#include <string.h>

enum {
  BACKOFF_FIRST_MS = 1,
  BACKOFF_MAX_MS = 20,
  CREATE_ATTEMPTS_MAX = 10, /* put-if-absent with an unknown outcome, and no object afterwards */
};

struct attempt {
  const struct ap_log_source *source;
  const struct ap_commit *commit;
  struct ap_snapshot_full *snapshot; /* what we commit on; a reference */
  struct ap_table *prepared_for;     /* the table the commit was checked against; a reference */
  int64_t prepared_version;
  struct ap_buffer adds;
  struct ap_buffer body;
  char txn_id[AP_UUID_TEXT_SIZE];
  uint32_t count;
  bool outcome_unknown;         /* of an earlier attempt, at the version that is tried */
  struct ap_arena arena;        /* of what an alteration makes of the snapshot's table */
  struct ap_text protocol_json; /* empty: stays */
  struct ap_text metadata_json; /* empty: the alteration changes nothing */
  struct ap_commit_totals totals;
};

static ap_status check_commit(const struct ap_commit *commit, ap_error *err) {
  AP_ASSERT(commit->kind != AP_COMMIT_REWRITE || (commit->base && commit->operation.size > 0));
  AP_ASSERT(commit->kind == AP_COMMIT_REWRITE ||
            (commit->removed_cell_count == 0 && !commit->same_rows));
  AP_ASSERT((commit->kind == AP_COMMIT_ALTER) == (commit->alteration != NULL));
  AP_ASSERT(commit->kind != AP_COMMIT_REPLACE || (commit->base && commit->operation.size > 0));
  AP_ASSERT(commit->kind != AP_COMMIT_ALTER || commit->add_count == 0);
  if (!ap_text_is_utf8(commit->app_id) || !ap_text_is_utf8(commit->predicate) ||
      !ap_text_is_utf8(commit->user_metadata) ||
      !ap_text_is_utf8(commit->operation_parameters_json)) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT,
                   "app_id, predicate, user_metadata and operation of a commit must be UTF-8");
  }
  if (commit->app_id.size > 0 && commit->app_version < 0) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "app_version %" PRId64 " is negative",
                   commit->app_version);
  }
  return AP_OK;
}

static bool takes_rows_away(const struct ap_commit *commit) {
  if (commit->kind == AP_COMMIT_OVERWRITE || commit->kind == AP_COMMIT_REPLACE) return true;
  return commit->kind == AP_COMMIT_REWRITE && commit->removed_cell_count > 0 && !commit->same_rows;
}

/* Whether any property or description changed: a rewrite depends on more of them than others. */
static bool is_altered(const struct attempt *attempt) {
  const struct ap_table *before = attempt->prepared_for;
  const struct ap_table *now = attempt->snapshot->table;
  if (before == now) return false;
  if (!ap_table_same_shape(before, now)) return true;
  return attempt->commit->kind == AP_COMMIT_REWRITE &&
         !ap_text_equal(before->metadata_json, now->metadata_json);
}

/* Are the rows that were written those that this snapshot's table takes? */
static ap_status check_shape(const struct attempt *attempt, ap_error *err) {
  const struct ap_snapshot *shown = &attempt->snapshot->shown;
  struct ap_text prefix = attempt->source->prefix;
  if (is_altered(attempt)) {
    ap_status status =
        AP_FAIL(err, AP_CONFLICT,
                "'%.*s' was altered (protocol, schema, partitioning or properties) between version "
                "%" PRId64 ", on which this commit was prepared, and version %" PRId64,
                AP_TEXT_ARG(prefix), attempt->prepared_version, shown->version);
    ap_error_hint(err, "prepare the write again on the latest version");
    return status;
  }
  if (attempt->commit->schema_id != shown->schema_id) {
    ap_status status = AP_FAIL(err, AP_CONFLICT,
                               "the schema of '%.*s' at version %" PRId64
                               " is not the one this commit was prepared for",
                               AP_TEXT_ARG(prefix), shown->version);
    ap_error_hint(err, "prepare the write again on the latest version");
    return status;
  }
  return AP_OK;
}

/* Is this snapshot's table the one that the replacement was made from, and where rows of it were
 * read, are they all? */
static ap_status check_replaced(const struct attempt *attempt, ap_error *err) {
  const struct ap_snapshot *base = attempt->commit->base;
  const struct ap_snapshot *shown = &attempt->snapshot->shown;
  const struct ap_table *before = ap_snapshot_full_of(attempt->commit->base)->table;
  const struct ap_table *now = attempt->snapshot->table;
  bool same = ap_text_equal(before->metadata_json, now->metadata_json) &&
              ap_text_equal(before->protocol_json, now->protocol_json);
  if (same && (!attempt->commit->reads_all || base->version == shown->version)) return AP_OK;
  ap_status status = AP_FAIL(err, AP_CONFLICT,
                             "'%.*s' was %s between version %" PRId64
                             ", which was to be replaced, and version "
                             "%" PRId64,
                             AP_TEXT_ARG(attempt->source->prefix), same ? "changed" : "altered",
                             base->version, shown->version);
  ap_error_hint(err, "run the statement again: it then reads the latest version");
  return status;
}

/* May the commit land on this snapshot? */
static ap_status check_base(const struct attempt *attempt, ap_error *err) {
  const struct ap_snapshot *shown = &attempt->snapshot->shown;
  const struct ap_table *table = attempt->snapshot->table;
  struct ap_text prefix = attempt->source->prefix;
  if (attempt->commit->kind == AP_COMMIT_REPLACE) {
    AP_TRY(check_replaced(attempt, err));
  } else if (attempt->commit->kind != AP_COMMIT_ALTER) {
    AP_TRY(check_shape(attempt, err));
  }
  AP_TRY(ap_features_check_write(table, err));
  if (takes_rows_away(attempt->commit) && ap_features_append_only(table)) {
    return AP_FAIL(err, AP_UNSUPPORTED,
                   "'%.*s' has the property delta.appendOnly: nothing may be overwritten, changed "
                   "or deleted",
                   AP_TEXT_ARG(prefix));
  }
  if (attempt->commit->kind == AP_COMMIT_REWRITE && shown != attempt->commit->base) {
    AP_TRY(ap_conflict_check(attempt->commit, attempt->snapshot, prefix, err));
  }
  if (shown->version >= INT64_MAX - 1) {
    return AP_FAIL(err, AP_CORRUPT, "version %" PRId64 " has no next one", shown->version);
  }
  return AP_OK;
}

/* The actions that an alteration makes of the snapshot's; a table that could not be written any
 * more is refused. */
static ap_status alter(struct attempt *attempt, ap_error *err) {
  const struct ap_alteration *alteration = attempt->commit->alteration;
  const struct ap_table *table = attempt->snapshot->table;
  struct ap_allocator *allocator = attempt->source->env->allocator;
  int64_t version = attempt->snapshot->shown.version;
  if (alteration->checks_rows && alteration->checked_version != version) {
    ap_status status =
        AP_FAIL(err, AP_CONFLICT,
                "rows were checked at version %" PRId64
                ", and '%.*s' is at version "
                "%" PRId64 " now",
                alteration->checked_version, AP_TEXT_ARG(attempt->source->prefix), version);
    ap_error_hint(err, "try again, so that the rows that came since are checked too");
    return status;
  }
  ap_arena_deinit(&attempt->arena);
  ap_arena_init(&attempt->arena, allocator);
  AP_TRY(ap_alter_apply(&attempt->arena, attempt->source->env->random, table->protocol_json,
                        table->metadata_json, alteration, &attempt->protocol_json,
                        &attempt->metadata_json, err));
  if (attempt->metadata_json.size == 0) return AP_OK;
  struct ap_text protocol =
      attempt->protocol_json.size > 0 ? attempt->protocol_json : table->protocol_json;
  struct ap_table *after = NULL;
  AP_TRY(ap_table_create(allocator, protocol, attempt->metadata_json, &after, err));
  ap_status status = ap_features_check_write(after, err);
  ap_table_release(after);
  return status;
}

static ap_status build_body(struct attempt *attempt, ap_error *err) {
  struct ap_snapshot *shown = &attempt->snapshot->shown;
  struct ap_buffer removes;
  int64_t now_ms = ap_clock_wall_ms(attempt->source->env->clock);
  int64_t in_commit_ms = -1;
  if (ap_features_in_commit_timestamps(attempt->snapshot->table)) {
    in_commit_ms = now_ms > shown->timestamp_ms ? now_ms : shown->timestamp_ms + 1;
  }
  ap_buffer_init(&removes, attempt->source->env->allocator);
  ap_status status =
      ap_commit_text_removes(&removes, shown, attempt->commit, now_ms, &attempt->totals, err);
  if (status == AP_OK) {
    ap_buffer_clear(&attempt->body);
    ap_commit_text_info(&attempt->body, shown, attempt->commit, &attempt->totals, attempt->txn_id,
                        now_ms, in_commit_ms);
    ap_commit_text_txn(&attempt->body, attempt->commit, now_ms);
    ap_commit_text_action(&attempt->body, "protocol", attempt->protocol_json);
    ap_commit_text_action(&attempt->body, "metaData", attempt->metadata_json);
    ap_buffer_append_text(&attempt->body, ap_buffer_text(&removes));
    ap_buffer_append_text(&attempt->body, ap_buffer_text(&attempt->adds));
    ap_buffer_append_text(&attempt->body, attempt->commit->action_lines);
    status = ap_buffer_check(&attempt->body, err);
  }
  ap_buffer_deinit(&removes);
  return status;
}

static void back_off(const struct attempt *attempt) {
  int64_t bound_ms = BACKOFF_FIRST_MS + (int64_t)attempt->count;
  if (bound_ms > BACKOFF_MAX_MS) bound_ms = BACKOFF_MAX_MS;
  uint64_t delay = ap_random_below(attempt->source->env->random, (uint64_t)bound_ms + 1);
  if (delay > 0) ap_clock_sleep_ms(attempt->source->env->clock, (int64_t)delay);
}

/* Our commit was found without a reply that said it is durable: make sure before we say so. */
static ap_status settle(const struct attempt *attempt, int64_t version, ap_error *err) {
  char key[AP_LOG_KEY_MAX];
  struct ap_text key_text;
  AP_TRY(ap_log_commit_key(attempt->source->prefix, version, key, &key_text, err));
  if (ap_store_settle(attempt->source->store, key_text, err) == AP_OK) return AP_OK;
  return AP_FAIL(err, AP_OUTCOME_UNKNOWN, "%s is there, but it could not be made durable", key);
}

/* Somebody may have been first, or we ourselves: read what is there. *out_done: our commit is. */
static ap_status rebase(struct attempt *attempt, ap_status put_status, bool *out_done,
                        struct ap_commit_result *result, ap_error *err) {
  struct ap_snapshot_full *next = NULL;
  int64_t own_version = -1;
  ap_status status = ap_load_advance(attempt->source, attempt->snapshot, attempt->txn_id,
                                     &own_version, &next, err);
  if (status != AP_OK) {
    if (!attempt->outcome_unknown) return status;
    return AP_FAIL(err, AP_OUTCOME_UNKNOWN,
                   "the commit of version %" PRId64
                   " was sent, but neither its reply came nor can it be read back",
                   attempt->snapshot->shown.version + 1);
  }
  bool is_news = next != attempt->snapshot;
  ap_snapshot_release(&attempt->snapshot->shown);
  attempt->snapshot = next;
  /* The version that an earlier put was for is somebody else's: that put cannot succeed any more.
   */
  if (is_news) attempt->outcome_unknown = false;
  *out_done = own_version >= 0;
  if (*out_done) {
    result->version = own_version;
    return settle(attempt, own_version, err);
  }
  if (!is_news && put_status == AP_ALREADY_EXISTS) {
    /* it exists and cannot be read: only a log that is being removed looks like this */
    return attempt->count < AP_COMMIT_ATTEMPTS_MAX / 10
               ? AP_OK
               : AP_FAIL(err, AP_CONFLICT, "version %" PRId64 " exists, yet it cannot be read",
                         next->shown.version + 1);
  }
  return AP_OK;
}

/* One put of the next version. *out_put: it succeeded; *out_done: the commit is there, put now or
 * found. */
static ap_status try_once(struct attempt *attempt, bool *out_put, bool *out_done,
                          struct ap_commit_result *result, ap_error *err) {
  char key[AP_LOG_KEY_MAX];
  struct ap_text key_text;
  ap_error local;
  int64_t version = attempt->snapshot->shown.version + 1;
  AP_TRY(build_body(attempt, err));
  AP_TRY(ap_log_commit_key(attempt->source->prefix, version, key, &key_text, err));
  attempt->count += 1;
  ap_error_clear(&local);
  ap_status status = ap_store_put_if_absent(attempt->source->store, key_text,
                                            ap_buffer_text(&attempt->body), &local);
  if (status == AP_OK) {
    *out_put = *out_done = true;
    result->version = version;
    result->removed_count = (uint32_t)attempt->totals.removed_count;
    return AP_OK;
  }
  if (status != AP_ALREADY_EXISTS && status != AP_OUTCOME_UNKNOWN) {
    if (err) *err = local;
    return status;
  }
  if (status == AP_OUTCOME_UNKNOWN) attempt->outcome_unknown = true;
  uint32_t removed_count = (uint32_t)attempt->totals.removed_count;
  AP_TRY(rebase(attempt, status, out_done, result, err));
  if (*out_done) result->removed_count = removed_count;
  return AP_OK;
}

/* Has the application's version been reached, by us or by somebody else, or is all so already? */
static bool is_skipped(const struct attempt *attempt) {
  const struct ap_commit *commit = attempt->commit;
  if (commit->kind == AP_COMMIT_ALTER) return attempt->metadata_json.size == 0;
  return commit->app_id.size > 0 &&
         ap_snapshot_app_version(&attempt->snapshot->shown, commit->app_id) >= commit->app_version;
}

static ap_status run_attempts(struct attempt *attempt, struct ap_commit_result *result,
                              bool *out_put, ap_error *err) {
  bool done = false;
  *out_put = false;
  for (;;) {
    bool alters = attempt->commit->kind == AP_COMMIT_ALTER;
    if (alters) AP_TRY(check_base(attempt, err));
    if (alters) AP_TRY(alter(attempt, err));
    if (is_skipped(attempt)) {
      result->skipped = true;
      result->version = attempt->snapshot->shown.version;
      return AP_OK;
    }
    if (!alters) AP_TRY(check_base(attempt, err));
    if (attempt->count == AP_COMMIT_ATTEMPTS_MAX) {
      return AP_FAIL(err, AP_CONFLICT, "other writers of '%.*s' were first %d times in a row",
                     AP_TEXT_ARG(attempt->source->prefix), (int)AP_COMMIT_ATTEMPTS_MAX);
    }
    AP_TRY(try_once(attempt, out_put, &done, result, err));
    if (done) return AP_OK;
    back_off(attempt);
  }
}

/* The last attempt failed, but an earlier one may yet turn out to have succeeded. */
static ap_status leave_open(ap_status status, ap_error *err) {
  if (status == AP_OUTCOME_UNKNOWN) return status;
  ap_error last = {0};
  if (err != NULL) last = *err;
  return AP_FAIL(err, AP_OUTCOME_UNKNOWN,
                 "a commit was sent whose reply never came, and sending it again failed: %s",
                 last.message);
}

/* The actions that the replacement was planned with. */
static void take_replacement(struct attempt *attempt) {
  const struct ap_table *after = ap_snapshot_full_of(attempt->commit->replacement)->table;
  const struct ap_table *before = ap_snapshot_full_of(attempt->commit->base)->table;
  AP_ASSERT(attempt->commit->kind == AP_COMMIT_REPLACE);
  attempt->metadata_json = after->metadata_json;
  if (!ap_text_equal(before->protocol_json, after->protocol_json)) {
    attempt->protocol_json = after->protocol_json;
  }
}

ap_status ap_commit_run(const struct ap_log_source *source, struct ap_snapshot_full *base,
                        const struct ap_commit *commit, struct ap_commit_result *out_result,
                        struct ap_snapshot_full **out_snapshot, ap_error *err) {
  struct attempt attempt = {.source = source, .commit = commit, .snapshot = base};
  struct ap_allocator *allocator = source->env->allocator;
  bool was_put = false;
  *out_result = (struct ap_commit_result){0};
  *out_snapshot = NULL;
  AP_TRY(check_commit(commit, err));
  (void)ap_snapshot_retain(&base->shown);
  const struct ap_snapshot_full *read = commit->base ? ap_snapshot_full_of(commit->base) : base;
  attempt.prepared_for = ap_table_retain(read->table);
  attempt.prepared_version = read->shown.version;
  ap_buffer_init(&attempt.adds, allocator);
  ap_buffer_init(&attempt.body, allocator);
  ap_arena_init(&attempt.arena, allocator);
  ap_random_uuid(source->env->random, attempt.txn_id);
  const struct ap_snapshot *written_for = &base->shown;
  if (commit->replacement) {
    written_for = commit->replacement;
    take_replacement(&attempt);
  }
  ap_status status = ap_commit_text_adds(&attempt.adds, written_for, commit,
                                         ap_clock_wall_ms(source->env->clock), err);
  if (status == AP_OK) status = run_attempts(&attempt, out_result, &was_put, err);
  if (status != AP_OK && attempt.outcome_unknown) status = leave_open(status, err);
  out_result->attempt_count = attempt.count;
  if (status == AP_OK && !was_put) {
    *out_snapshot = attempt.snapshot;
    attempt.snapshot = NULL;
  } else if (status == AP_OK) {
    /* the commit is there, whatever becomes of reading it */
    ap_status apply =
        ap_load_apply(source, attempt.snapshot, ap_buffer_text(&attempt.body), out_snapshot, NULL);
    if (apply != AP_OK) *out_snapshot = NULL;
  }
  ap_buffer_deinit(&attempt.body);
  ap_buffer_deinit(&attempt.adds);
  ap_arena_deinit(&attempt.arena);
  ap_table_release(attempt.prepared_for);
  if (attempt.snapshot) ap_snapshot_release(&attempt.snapshot->shown);
  return status;
}

static ap_status replay_body(const struct attempt *attempt, int64_t now_ms,
                             struct ap_snapshot_full **out_snapshot, ap_error *err) {
  struct ap_replay replay;
  ap_replay_init(&replay, attempt->source->env->allocator, attempt->snapshot);
  ap_status status =
      ap_replay_commit(&replay, attempt->snapshot->shown.version + 1,
                       ap_buffer_text(&attempt->body), now_ms, "a commit to come", err);
  if (status == AP_OK) status = ap_replay_finish(&replay, now_ms, out_snapshot, err);
  ap_replay_deinit(&replay);
  return status;
}

/* What the table is once it is replaced: the definition's lines, replayed on top of base with all
 * cells removed. */
ap_status ap_commit_plan_replacement(const struct ap_log_source *source,
                                     struct ap_snapshot_full *base,
                                     const struct ap_table_definition *definition,
                                     struct ap_snapshot_full **out_snapshot, ap_error *err) {
  struct ap_commit commit = {
      .kind = AP_COMMIT_REPLACE, .base = &base->shown, .operation = AP_TEXT("REPLACE TABLE")};
  struct attempt attempt = {.source = source, .commit = &commit, .snapshot = base};
  int64_t now_ms = ap_clock_wall_ms(source->env->clock);
  struct ap_buffer lines;
  AP_TRY(check_base(&attempt, err));
  ap_buffer_init(&lines, source->env->allocator);
  ap_buffer_init(&attempt.adds, source->env->allocator);
  ap_buffer_init(&attempt.body, source->env->allocator);
  ap_random_uuid(source->env->random, attempt.txn_id);
  ap_status status = ap_table_append_definition(&lines, definition, base->table,
                                                source->env->random, base->table->id, now_ms, err);
  if (status == AP_OK) {
    commit.action_lines = ap_buffer_text(&lines);
    status = build_body(&attempt, err);
  }
  if (status == AP_OK) status = replay_body(&attempt, now_ms, out_snapshot, err);
  ap_buffer_deinit(&attempt.body);
  ap_buffer_deinit(&attempt.adds);
  ap_buffer_deinit(&lines);
  return status;
}

ap_status ap_commit_preview(const struct ap_log_source *source, const struct ap_commit *commit,
                            struct ap_snapshot_full **out_snapshot, ap_error *err) {
  struct ap_snapshot_full *base = ap_snapshot_full_of(commit->base);
  struct attempt attempt = {.source = source,
                            .commit = commit,
                            .snapshot = base,
                            .prepared_for = base->table,
                            .prepared_version = base->shown.version};
  int64_t now_ms = ap_clock_wall_ms(source->env->clock);
  AP_TRY(check_commit(commit, err));
  AP_TRY(check_base(&attempt, err));
  ap_buffer_init(&attempt.adds, source->env->allocator);
  ap_buffer_init(&attempt.body, source->env->allocator);
  ap_random_uuid(source->env->random, attempt.txn_id);
  ap_status status = ap_commit_text_adds(&attempt.adds, &base->shown, commit, now_ms, err);
  if (status == AP_OK) status = build_body(&attempt, err);
  if (status == AP_OK) status = replay_body(&attempt, now_ms, out_snapshot, err);
  ap_buffer_deinit(&attempt.body);
  ap_buffer_deinit(&attempt.adds);
  return status;
}

/* Creating. */

static ap_status check_nothing_there(const struct ap_log_source *source, ap_error *err) {
  struct ap_arena arena;
  struct ap_log_listing listing;
  ap_arena_init(&arena, source->env->allocator);
  ap_status status = ap_log_list(source->store, source->prefix, 0, &arena, &listing, err);
  if (status == AP_OK && (listing.commit_count > 0 || listing.checkpoint_count > 0)) {
    status = AP_FAIL(err, AP_ALREADY_EXISTS, "there is a table in '%.*s' already",
                     AP_TEXT_ARG(source->prefix));
  }
  ap_arena_deinit(&arena);
  return status;
}

/* Whether version 0 is there and ours. */
static ap_status read_back_first(const struct ap_log_source *source, struct ap_text key,
                                 const char *txn_id, bool *out_there, bool *out_ours,
                                 ap_error *err) {
  struct ap_buffer buffer;
  struct ap_replay replay;
  ap_error local;
  *out_there = *out_ours = false;
  ap_buffer_init(&buffer, source->env->allocator);
  ap_replay_init(&replay, source->env->allocator, NULL);
  ap_replay_begin(&replay);
  ap_error_clear(&local);
  ap_status status = ap_store_get(source->store, key, 0, -1, &buffer, &local);
  if (status == AP_OK) {
    *out_there = true;
    status = ap_replay_scan(&replay, ap_buffer_text(&buffer), "version 0", &local);
    *out_ours = status == AP_OK && strcmp(replay.txn_id, txn_id) == 0;
    if (status == AP_CORRUPT) status = AP_OK; /* not ours, whatever it is */
  } else if (status == AP_NOT_FOUND) {
    status = AP_OK;
  }
  if (status != AP_OK && err) *err = local;
  ap_replay_deinit(&replay);
  ap_buffer_deinit(&buffer);
  return status;
}

static ap_status put_first(const struct ap_log_source *source, struct ap_text lines,
                           const char *txn_id, ap_error *err) {
  char key[AP_LOG_KEY_MAX];
  struct ap_text key_text;
  ap_error local;
  AP_TRY(ap_log_commit_key(source->prefix, 0, key, &key_text, err));
  for (uint32_t i = 0; i < CREATE_ATTEMPTS_MAX; i++) {
    bool there = false;
    bool ours = false;
    ap_error_clear(&local);
    ap_status status = ap_store_put_if_absent(source->store, key_text, lines, &local);
    if (status == AP_OK) return AP_OK;
    if (status != AP_ALREADY_EXISTS && status != AP_OUTCOME_UNKNOWN) {
      if (err) *err = local;
      return status;
    }
    bool unknown = status == AP_OUTCOME_UNKNOWN || i > 0;
    status = read_back_first(source, key_text, txn_id, &there, &ours, err);
    if (status != AP_OK && !unknown) return status;
    if (status != AP_OK) break;
    if (ours && ap_store_settle(source->store, key_text, err) == AP_OK) return AP_OK;
    if (there && !ours) {
      return AP_FAIL(err, AP_ALREADY_EXISTS, "there is a table in '%.*s' already",
                     AP_TEXT_ARG(source->prefix));
    }
  }
  return AP_FAIL(err, AP_OUTCOME_UNKNOWN,
                 "version 0 of '%.*s' was sent, but neither its reply came nor can it be read back",
                 AP_TEXT_ARG(source->prefix));
}

ap_status ap_commit_create(const struct ap_log_source *source,
                           const struct ap_table_definition *definition, ap_error *err) {
  char table_id[AP_UUID_TEXT_SIZE];
  char txn_id[AP_UUID_TEXT_SIZE];
  struct ap_buffer body;
  struct ap_buffer table;
  int64_t now_ms = ap_clock_wall_ms(source->env->clock);
  ap_random_uuid(source->env->random, table_id);
  ap_random_uuid(source->env->random, txn_id);
  ap_buffer_init(&body, source->env->allocator);
  ap_buffer_init(&table, source->env->allocator);
  ap_status status = ap_table_append_definition(&table, definition, NULL, source->env->random,
                                                ap_text_of(table_id), now_ms, err);
  if (status == AP_OK) status = check_nothing_there(source, err);
  if (status == AP_OK) {
    ap_commit_text_create_info(&body, definition, txn_id, now_ms);
    ap_buffer_append_text(&body, ap_buffer_text(&table));
    status = ap_buffer_check(&body, err);
  }
  if (status == AP_OK) status = put_first(source, ap_buffer_text(&body), txn_id, err);
  ap_buffer_deinit(&table);
  ap_buffer_deinit(&body);
  return status;
}
