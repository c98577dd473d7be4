/* SPDX-License-Identifier: Apache-2.0
 *
 * See ledger.h: the ledger itself holds the latest snapshot it knows and hands work on.
 *
 * The mutex guards `latest` and `cleaned_us` alone and is never held during I/O; two threads may
 * read the same commits at once, and the newer snapshot stays.
 */
#include "ledger/ledger.h"

#include "base/assert.h"
#include "ledger/alter.h"
#include "ledger/changes_source.h"
#include "ledger/checkpoint.h"
#include "ledger/commit.h"
#include "ledger/deletion_vector.h"
#include "ledger/features.h"
#include "ledger/history.h"
#include "ledger/load.h"
#include "ledger/vacuum.h"
#include "ledger/verify.h"

#include <inttypes.h>

#define CLEAN_EVERY_US ((int64_t)3600 * 1000 * 1000) /* log clean-up that nobody asked for */

struct ap_ledger {
  struct ap_log_source source;
  char *prefix;
  struct ap_mutex *mutex;
  struct ap_snapshot_full *latest; /* NULL: not read yet, or gone */
  int64_t cleaned_us;              /* -1: never */
};

static void lock(struct ap_ledger *ledger) {
  struct ap_threads *threads = ledger->source.env->threads;
  threads->lock(threads, ledger->mutex);
}

static void unlock(struct ap_ledger *ledger) {
  struct ap_threads *threads = ledger->source.env->threads;
  threads->unlock(threads, ledger->mutex);
}

ap_status ap_ledger_open(const struct ap_env *env, struct ap_store *store, struct ap_codec *codec,
                         struct ap_text prefix, struct ap_ledger **out_ledger, ap_error *err) {
  char key[AP_LOG_KEY_MAX];
  struct ap_text key_text;
  AP_TRY(ap_store_check_key(prefix, err));
  AP_TRY(ap_log_commit_key(prefix, INT64_MAX, key, &key_text, err));
  struct ap_ledger *ledger = ap_allocate_zeroed(env->allocator, 1, sizeof(*ledger));
  if (!ledger) return AP_FAIL_MEMORY(err);
  ledger->source = (struct ap_log_source){.env = env, .store = store, .codec = codec};
  ledger->cleaned_us = -1;
  ledger->prefix = ap_string_copy(env->allocator, prefix);
  ap_status status = AP_OK;
  if (!ledger->prefix) status = AP_FAIL_MEMORY(err);
  if (status == AP_OK) status = env->threads->mutex_create(env->threads, &ledger->mutex, err);
  if (status != AP_OK) {
    ap_ledger_close(ledger);
    return status;
  }
  ledger->source.prefix = (struct ap_text){ledger->prefix, prefix.size};
  *out_ledger = ledger;
  return AP_OK;
}

void ap_ledger_close(struct ap_ledger *ledger) {
  if (!ledger) return;
  const struct ap_env *env = ledger->source.env;
  if (ledger->latest) ap_snapshot_release(&ledger->latest->shown);
  env->threads->mutex_destroy(env->threads, ledger->mutex);
  ap_free(env->allocator, ledger->prefix);
  ap_free(env->allocator, ledger);
}

/* The latest snapshot known, retained; NULL: none. */
static struct ap_snapshot_full *take_known(struct ap_ledger *ledger) {
  lock(ledger);
  struct ap_snapshot_full *known = ledger->latest;
  if (known) (void)ap_snapshot_retain(&known->shown);
  unlock(ledger);
  return known;
}

/* Keep a snapshot when it is newer than what is kept, or when that is `stale`. next NULL: forget
 * the stale one. */
static void publish(struct ap_ledger *ledger, struct ap_snapshot_full *stale,
                    struct ap_snapshot_full *next) {
  struct ap_snapshot_full *dropped = NULL;
  lock(ledger);
  struct ap_snapshot_full *kept = ledger->latest;
  bool newer = next && (!kept || next->shown.version > kept->shown.version);
  if (newer || (stale && kept == stale)) {
    dropped = kept;
    if (next) (void)ap_snapshot_retain(&next->shown);
    ledger->latest = next;
  }
  unlock(ledger);
  if (dropped) ap_snapshot_release(&dropped->shown);
}

/* The latest snapshot: what is known and the commits since, or everything afresh. */
static ap_status refresh(struct ap_ledger *ledger, struct ap_snapshot_full **out_snapshot,
                         ap_error *err) {
  struct ap_snapshot_full *known = take_known(ledger);
  struct ap_snapshot_full *next = NULL;
  int64_t own_version = -1;
  bool same = false;
  ap_status status = AP_OK;
  if (known) status = ap_load_is_current(&ledger->source, known, &same, err);
  if (status == AP_OK && same) {
    status = ap_load_advance(&ledger->source, known, NULL, &own_version, &next, err);
    if (status == AP_OK && next != known) publish(ledger, NULL, next);
  } else if (status == AP_OK) {
    status = ap_load_fresh(&ledger->source, -1, &next, err);
    if (status == AP_OK || status == AP_NOT_FOUND) publish(ledger, known, next);
  }
  if (known) ap_snapshot_release(&known->shown);
  if (status != AP_OK) return status;
  *out_snapshot = next;
  return AP_OK;
}

ap_status ap_ledger_create_table(struct ap_ledger *ledger,
                                 const struct ap_table_definition *definition, ap_error *err) {
  return ap_commit_create(&ledger->source, definition, err);
}

ap_status ap_ledger_snapshot(struct ap_ledger *ledger, enum ap_snapshot_at at, int64_t value,
                             struct ap_snapshot **out_snapshot, ap_error *err) {
  struct ap_snapshot_full *latest = NULL;
  struct ap_snapshot_full *found = NULL;
  int64_t version = value;
  if (at == AP_AT_VERSION && value < 0) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "version %" PRId64 " is negative", value);
  }
  ap_status status = refresh(ledger, &latest, err);
  if (at == AP_AT_VERSION && (status == AP_CORRUPT || status == AP_UNSUPPORTED)) {
    /* What came later is broken, or not for us: the version itself may be well. */
    ap_error_clear(err);
    status = ap_load_fresh(&ledger->source, version, &found, err);
    if (status == AP_OK) *out_snapshot = &found->shown;
    return status;
  }
  if (status != AP_OK) return status;
  if (at == AP_AT_LATEST) version = latest->shown.version;
  if (at == AP_AT_TIMESTAMP) {
    status = ap_history_find_version(&ledger->source, latest, value, &version, err);
  }
  if (status == AP_OK && version == latest->shown.version) {
    found = latest;
    latest = NULL;
  } else if (status == AP_OK) {
    status = ap_load_fresh(&ledger->source, version, &found, err);
  }
  if (latest) ap_snapshot_release(&latest->shown);
  if (status != AP_OK) return status;
  *out_snapshot = &found->shown;
  return AP_OK;
}

/* Whether the log is to be cleaned now; at most once in a while per ledger. */
static bool claim_cleaning(struct ap_ledger *ledger) {
  int64_t now_us = ap_clock_monotonic_us(ledger->source.env->clock);
  lock(ledger);
  bool due = ledger->cleaned_us < 0 || now_us - ledger->cleaned_us >= CLEAN_EVERY_US;
  if (due) ledger->cleaned_us = now_us;
  unlock(ledger);
  return due;
}

/* Every so many versions; nobody waits for it to succeed. */
static void checkpoint_in_passing(struct ap_ledger *ledger, int64_t version,
                                  const struct ap_snapshot_full *snapshot) {
  int64_t interval =
      ap_table_property_i64(snapshot->table, "delta.checkpointInterval", AP_CHECKPOINT_INTERVAL);
  if (interval < 1 || version == 0 || version % interval != 0) return;
  if (ap_checkpoint_write(&ledger->source, snapshot, NULL) != AP_OK) return;
  if (!claim_cleaning(ledger)) return;
  ap_status status = ap_checkpoint_clean_log(&ledger->source, snapshot, NULL);
  (void)status; /* what stays will be cleaned another time */
}

/* The log entry of base is not there any more. Well if base still is the latest version. */
static ap_status find_base_again(struct ap_ledger *ledger, struct ap_snapshot_full *base,
                                 struct ap_snapshot_full **out_snapshot, ap_error *err) {
  struct ap_snapshot_full *latest = NULL;
  AP_TRY(refresh(ledger, &latest, err));
  bool same = latest->shown.version == base->shown.version &&
              ap_text_equal(latest->shown.table_id, base->shown.table_id);
  int64_t version = latest->shown.version;
  ap_snapshot_release(&latest->shown);
  if (same) {
    (void)ap_snapshot_retain(&base->shown);
    *out_snapshot = base;
    return AP_OK;
  }
  ap_status status = AP_FAIL(err, AP_CONFLICT,
                             "version %" PRId64
                             " of '%.*s', which this commit is based on, has been cleaned away "
                             "or replaced; the latest is %" PRId64,
                             base->shown.version, AP_TEXT_ARG(ledger->source.prefix), version);
  ap_error_hint(err, "run the statement again: it then reads the latest version");
  return status;
}

/* The snapshot a rewrite read, and the commits since. Not what the ledger knows: only from commits
 * can one learn what others changed. */
static ap_status follow_base(struct ap_ledger *ledger, struct ap_snapshot_full *base,
                             struct ap_snapshot_full **out_snapshot, ap_error *err) {
  int64_t own_version = -1;
  bool same = false;
  AP_TRY(ap_load_is_current(&ledger->source, base, &same, err));
  if (!same) return find_base_again(ledger, base, out_snapshot, err);
  return ap_load_advance(&ledger->source, base, NULL, &own_version, out_snapshot, err);
}

ap_status ap_ledger_commit(struct ap_ledger *ledger, const struct ap_commit *commit,
                           struct ap_commit_result *out_result, ap_error *err) {
  struct ap_snapshot_full *base = NULL;
  struct ap_snapshot_full *after = NULL;
  if (commit->kind == AP_COMMIT_REWRITE || commit->kind == AP_COMMIT_REPLACE) {
    AP_TRY(follow_base(ledger, ap_snapshot_full_of(commit->base), &base, err));
  } else {
    AP_TRY(refresh(ledger, &base, err));
  }
  ap_status status = ap_commit_run(&ledger->source, base, commit, out_result, &after, err);
  ap_snapshot_release(&base->shown);
  if (after) {
    publish(ledger, NULL, after);
    if (status == AP_OK && !out_result->skipped) {
      checkpoint_in_passing(ledger, out_result->version, after);
    }
    ap_snapshot_release(&after->shown);
  }
  return status;
}

ap_status ap_ledger_alter(struct ap_ledger *ledger, const struct ap_alteration *alteration,
                          struct ap_alter_result *out_result, ap_error *err) {
  const struct ap_commit commit = {.kind = AP_COMMIT_ALTER, .alteration = alteration};
  struct ap_commit_result result;
  AP_TRY(ap_ledger_commit(ledger, &commit, &result, err));
  *out_result = (struct ap_alter_result){.version = result.version, .changed = !result.skipped};
  return AP_OK;
}

ap_status ap_ledger_plan_replacement(struct ap_ledger *ledger, struct ap_snapshot *base,
                                     const struct ap_table_definition *definition,
                                     struct ap_snapshot **out_snapshot, ap_error *err) {
  struct ap_snapshot_full *after = NULL;
  AP_TRY(ap_commit_plan_replacement(&ledger->source, ap_snapshot_full_of(base), definition, &after,
                                    err));
  *out_snapshot = &after->shown;
  return AP_OK;
}

ap_status ap_ledger_preview(struct ap_ledger *ledger, const struct ap_commit *commit,
                            struct ap_snapshot **out_snapshot, ap_error *err) {
  struct ap_snapshot_full *after = NULL;
  AP_ASSERT(commit->kind == AP_COMMIT_REWRITE);
  AP_TRY(ap_commit_preview(&ledger->source, commit, &after, err));
  *out_snapshot = &after->shown;
  return AP_OK;
}

ap_status ap_ledger_checkpoint(struct ap_ledger *ledger, int64_t *out_version, ap_error *err) {
  struct ap_snapshot_full *latest = NULL;
  AP_TRY(refresh(ledger, &latest, err));
  ap_status status = ap_features_check_write(latest->table, err);
  if (status == AP_OK) status = ap_checkpoint_write(&ledger->source, latest, err);
  if (status == AP_OK) status = ap_checkpoint_clean_log(&ledger->source, latest, err);
  if (status == AP_OK) *out_version = latest->shown.version;
  ap_snapshot_release(&latest->shown);
  return status;
}

ap_status ap_ledger_vacuum(struct ap_ledger *ledger, const struct ap_vacuum_options *options,
                           ap_error *err) {
  struct ap_snapshot_full *latest = NULL;
  AP_TRY(refresh(ledger, &latest, err));
  ap_status status = ap_vacuum_run(&ledger->source, latest, options, err);
  ap_snapshot_release(&latest->shown);
  return status;
}

ap_status ap_ledger_verify(struct ap_ledger *ledger, ap_verify_visit visit, void *context,
                           struct ap_snapshot **out_snapshot, ap_error *err) {
  struct ap_snapshot_full *known = NULL;
  struct ap_snapshot_full *found = NULL;
  AP_TRY(refresh(ledger, &known, err));
  ap_status status = ap_verify_run(&ledger->source, known, visit, context, &found, err);
  ap_snapshot_release(&known->shown);
  if (status == AP_OK) *out_snapshot = &found->shown;
  return status;
}

ap_status ap_ledger_history(struct ap_ledger *ledger, uint32_t limit, ap_history_visit visit,
                            void *context, ap_error *err) {
  struct ap_snapshot_full *latest = NULL;
  AP_TRY(refresh(ledger, &latest, err));
  ap_status status = ap_history_visit_all(&ledger->source, latest, limit, visit, context, err);
  ap_snapshot_release(&latest->shown);
  return status;
}

ap_status ap_ledger_deleted_rows(struct ap_ledger *ledger, const struct ap_cell *cell,
                                 struct ap_arena *arena, const uint64_t **out_rows,
                                 uint64_t *out_count, ap_error *err) {
  return ap_deletion_vector_read(ledger->source.store, ledger->source.prefix, cell, arena, out_rows,
                                 out_count, err);
}

ap_status ap_ledger_write_deleted_rows(struct ap_ledger *ledger, const struct ap_deleted_rows *sets,
                                       uint32_t count, struct ap_arena *arena,
                                       struct ap_deletion_vector *out_vectors,
                                       struct ap_text *out_key, ap_error *err) {
  const struct ap_log_source *source = &ledger->source;
  return ap_deletion_vectors_write(source->store, source->env->random, source->prefix, sets, count,
                                   arena, out_vectors, out_key, err);
}

ap_status ap_ledger_mark_cell(struct ap_cell *cell, const struct ap_deletion_vector *vector,
                              struct ap_arena *arena, struct ap_cell_draft *out_draft,
                              ap_error *err) {
  int64_t rows = -1;
  struct ap_text statistics = {"", 0};
  AP_TRY(ap_snapshot_cell_rows(cell, arena->allocator, &rows, err));
  AP_TRY(ap_deletion_vector_statistics(cell, arena, &statistics, err));
  if (rows < 0 || statistics.size == 0) {
    return AP_FAIL(err, AP_UNSUPPORTED, "cell '%.*s' has no statistics that tell its rows",
                   AP_TEXT_ARG(cell->path));
  }
  *out_draft = (struct ap_cell_draft){.again = cell,
                                      .path = cell->path,
                                      .size_bytes = cell->size_bytes,
                                      .row_count = 0,
                                      .partition_count = cell->partition_count,
                                      .partition_values = cell->partition_values,
                                      .statistics_json = statistics,
                                      .deletion_vector = *vector};
  return AP_OK;
}

struct timestamps {
  int64_t from;
  int64_t end;
  int64_t *values;
};

static ap_status keep_timestamp(void *context, const struct ap_history_entry *entry,
                                ap_error *err) {
  struct timestamps *timestamps = context;
  (void)err;
  if (entry->version < timestamps->from) return AP_END;
  if (entry->version <= timestamps->end) {
    timestamps->values[entry->version - timestamps->from] = entry->timestamp_ms;
  }
  return AP_OK;
}

/* The first version must be of a table with a feed; later ones are looked at as they are read. */
static ap_status check_feed(struct ap_ledger *ledger, int64_t version, ap_error *err) {
  struct ap_snapshot *first = NULL;
  AP_TRY(ap_ledger_snapshot(ledger, AP_AT_VERSION, version, &first, err));
  struct ap_text enabled = ap_snapshot_property(first, "delta.enableChangeDataFeed");
  bool has_feed = ap_text_equal_ignoring_case(enabled, AP_TEXT("true"));
  ap_snapshot_release(first);
  if (has_feed) return AP_OK;
  ap_status status =
      AP_FAIL(err, AP_STATE, "version %" PRId64 " was written without a change feed", version);
  ap_error_hint(err,
                "changes are told from the version on that sets 'delta.enableChangeDataFeed' = "
                "'true'");
  return status;
}

ap_status ap_ledger_changes(struct ap_ledger *ledger, struct ap_snapshot *end, int64_t from,
                            struct ap_arena *arena, struct ap_change_feed *out_feed,
                            ap_error *err) {
  *out_feed = (struct ap_change_feed){0};
  if (from < 0 || from > end->version) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT,
                   "version %" PRId64 " does not lie between 0 and version %" PRId64, from,
                   end->version);
  }
  AP_TRY(check_feed(ledger, from, err));
  struct timestamps timestamps = {.from = from, .end = end->version};
  timestamps.values = AP_ARENA_ARRAY(arena, int64_t, (size_t)(end->version - from) + 1);
  if (!timestamps.values) return AP_FAIL_MEMORY(err);
  AP_TRY(ap_ledger_history(ledger, 0, keep_timestamp, &timestamps, err));
  return ap_changes_read(&ledger->source, end, from, timestamps.values, arena, out_feed, err);
}
