/* SPDX-License-Identifier: Apache-2.0
 *
 * See load.h.
 */
#include "ledger/load.h"

#include "base/assert.h"
#include "ledger/checkpoint.h"
#include "ledger/features.h"

#include <inttypes.h>

enum { ATTEMPTS_MAX = 3 }; /* while files vanish between listing and reading */

/* Read one commit and replay it. modified_ms -1: not known yet. */
static ap_status replay_version(const struct ap_log_source *source, struct ap_replay *replay,
                                int64_t version, int64_t modified_ms, ap_error *err) {
  char key[AP_LOG_KEY_MAX];
  struct ap_text key_text;
  struct ap_store_object object = {0};
  struct ap_buffer buffer;
  AP_TRY(ap_log_commit_key(source->prefix, version, key, &key_text, err));
  ap_buffer_init(&buffer, source->env->allocator);
  ap_status status = ap_store_get(source->store, key_text, 0, -1, &buffer, err);
  if (status == AP_OK && modified_ms < 0) {
    status = ap_store_head(source->store, key_text, &object, err);
    modified_ms = object.modified_ms;
  }
  if (status == AP_OK) {
    status = ap_replay_commit(replay, version, ap_buffer_text(&buffer), modified_ms, key, err);
  }
  ap_buffer_deinit(&buffer);
  return status;
}

ap_status ap_load_advance(const struct ap_log_source *source, struct ap_snapshot_full *base,
                          const char *own_id, int64_t *out_own_version,
                          struct ap_snapshot_full **out_snapshot, ap_error *err) {
  struct ap_replay replay;
  ap_error local;
  ap_status status = AP_OK;
  *out_own_version = -1;
  ap_replay_init(&replay, source->env->allocator, base);
  while (replay.version < INT64_MAX - 1) {
    ap_error_clear(&local);
    status = replay_version(source, &replay, replay.version + 1, -1, &local);
    if (status != AP_OK) break;
    if (own_id && ap_text_equal_string(ap_text_of(own_id), replay.txn_id)) {
      *out_own_version = replay.version;
    }
  }
  if (status == AP_NOT_FOUND) {
    status = AP_OK;
  } else if (status != AP_OK && err) {
    *err = local;
  }
  if (status == AP_OK && replay.version == base->shown.version) {
    (void)ap_snapshot_retain(&base->shown);
    *out_snapshot = base;
  } else if (status == AP_OK) {
    status = ap_replay_finish(&replay, ap_clock_wall_ms(source->env->clock), out_snapshot, err);
  }
  ap_replay_deinit(&replay);
  return status;
}

ap_status ap_load_apply(const struct ap_log_source *source, struct ap_snapshot_full *base,
                        struct ap_text lines, struct ap_snapshot_full **out_snapshot,
                        ap_error *err) {
  char key[AP_LOG_KEY_MAX];
  struct ap_text key_text;
  struct ap_store_object object = {0};
  struct ap_replay replay;
  int64_t version = base->shown.version + 1;
  AP_TRY(ap_log_commit_key(source->prefix, version, key, &key_text, err));
  AP_TRY(ap_store_head(source->store, key_text, &object, err));
  ap_replay_init(&replay, source->env->allocator, base);
  ap_status status = ap_replay_commit(&replay, version, lines, object.modified_ms, key, err);
  if (status == AP_OK) {
    status = ap_replay_finish(&replay, ap_clock_wall_ms(source->env->clock), out_snapshot, err);
  }
  ap_replay_deinit(&replay);
  return status;
}

ap_status ap_load_is_current(const struct ap_log_source *source,
                             const struct ap_snapshot_full *snapshot, bool *out_same,
                             ap_error *err) {
  char key[AP_LOG_KEY_MAX];
  struct ap_text key_text;
  struct ap_store_object object = {0};
  ap_error local;
  *out_same = false;
  if (snapshot->log_modified_ms < 0) return AP_OK;
  AP_TRY(ap_log_commit_key(source->prefix, snapshot->shown.version, key, &key_text, err));
  ap_error_clear(&local);
  ap_status status = ap_store_head(source->store, key_text, &object, &local);
  if (status == AP_NOT_FOUND) return AP_OK;
  if (status != AP_OK) {
    if (err) *err = local;
    return status;
  }
  *out_same = object.modified_ms == snapshot->log_modified_ms &&
              object.size_bytes == snapshot->log_size_bytes;
  return AP_OK;
}

/* Loading afresh. */

struct fresh {
  const struct ap_log_source *source;
  struct ap_log_listing listing;
  struct ap_last_checkpoint hint;
  int64_t end;   /* the version to reach */
  bool vanished; /* a file of the listing was not there any more: somebody cleans up */
};

/* Replay the commits after what the replay holds; all of them must be there. */
static ap_status replay_commits(struct fresh *fresh, struct ap_replay *replay, ap_error *err) {
  for (int64_t version = replay->version + 1; version <= fresh->end; version++) {
    char key[AP_LOG_KEY_MAX];
    struct ap_text key_text;
    const struct ap_log_commit *commit = ap_log_find_commit(&fresh->listing, version);
    if (!commit) {
      AP_TRY(ap_log_commit_key(fresh->source->prefix, version, key, &key_text, err));
      return AP_FAIL(err, AP_CORRUPT,
                     "the log has a gap: %s is missing, but version %" PRId64 " is there", key,
                     fresh->end);
    }
    AP_TRY(replay_version(fresh->source, replay, version, commit->modified_ms, err));
  }
  return AP_OK;
}

/* The time of a version that came whole out of a checkpoint. */
static ap_status date_checkpoint(struct fresh *fresh, struct ap_replay *replay,
                                 const struct ap_log_checkpoint *checkpoint, ap_error *err) {
  const struct ap_log_commit *commit = ap_log_find_commit(&fresh->listing, checkpoint->version);
  replay->version = checkpoint->version;
  replay->timestamp_ms = commit ? commit->modified_ms : checkpoint->modified_ms;
  replay->log_modified_ms = commit ? commit->modified_ms : -1;
  replay->log_size_bytes = commit ? commit->size_bytes : -1;
  if (!commit || !ap_features_in_commit_timestamps(replay->table)) return AP_OK;
  char key[AP_LOG_KEY_MAX];
  struct ap_text key_text;
  struct ap_buffer buffer;
  struct ap_replay info;
  AP_TRY(ap_log_commit_key(fresh->source->prefix, checkpoint->version, key, &key_text, err));
  ap_buffer_init(&buffer, replay->allocator);
  ap_replay_init(&info, replay->allocator, NULL);
  ap_replay_begin(&info);
  ap_status status = ap_store_get(fresh->source->store, key_text, 0, -1, &buffer, err);
  if (status == AP_OK) status = ap_replay_scan(&info, ap_buffer_text(&buffer), key, err);
  if (status == AP_OK && info.in_commit_timestamp >= 0) {
    replay->timestamp_ms = info.in_commit_timestamp;
  }
  ap_replay_deinit(&info);
  ap_buffer_deinit(&buffer);
  return status;
}

static ap_status load_from(struct fresh *fresh, const struct ap_log_checkpoint *checkpoint,
                           struct ap_snapshot_full **out_snapshot, ap_error *err) {
  struct ap_replay replay;
  ap_status status = AP_OK;
  ap_replay_init(&replay, fresh->source->env->allocator, NULL);
  if (checkpoint) {
    int64_t add_count = checkpoint->version == fresh->hint.version ? fresh->hint.add_count : -1;
    status = ap_checkpoint_read(fresh->source, checkpoint, add_count, &replay, err);
    if (status == AP_OK) status = date_checkpoint(fresh, &replay, checkpoint, err);
  }
  if (status == AP_OK) status = replay_commits(fresh, &replay, err);
  if (status == AP_OK) {
    status =
        ap_replay_finish(&replay, ap_clock_wall_ms(fresh->source->env->clock), out_snapshot, err);
  }
  ap_replay_deinit(&replay);
  if (status == AP_NOT_FOUND) {
    fresh->vanished = true;
    status = AP_CORRUPT;
    if (err) err->code = status; /* the message names the file */
  }
  return status;
}

/* From the newest checkpoint that serves, else from version 0. AP_END: nothing in the listing leads
 * to the version. Of several broken ways the newest is reported. */
static ap_status load_listed(struct fresh *fresh, struct ap_snapshot_full **out_snapshot,
                             ap_error *err) {
  const struct ap_log_listing *listing = &fresh->listing;
  bool from_zero = listing->commit_count > 0 && listing->commits[0].version == 0;
  bool broken = false;
  ap_error newest;
  ap_error own;
  for (uint32_t i = listing->checkpoint_count + 1; i > 0; i--) {
    const struct ap_log_checkpoint *checkpoint = i > 1 ? &listing->checkpoints[i - 2] : NULL;
    if (checkpoint ? checkpoint->version > fresh->end : !from_zero) continue;
    ap_error_clear(&own);
    ap_status status = load_from(fresh, checkpoint, out_snapshot, &own);
    if (status != AP_CORRUPT) {
      if (status != AP_OK && err) *err = own;
      return status;
    }
    if (!broken) newest = own;
    broken = true;
  }
  if (!broken) return AP_END;
  if (err) *err = newest;
  return AP_CORRUPT;
}

static ap_status fail_missing(const struct fresh *fresh, int64_t version, ap_error *err) {
  int64_t first = ap_log_first_version(&fresh->listing);
  struct ap_text prefix = fresh->source->prefix;
  if (fresh->end < 0) {
    return AP_FAIL(err, AP_NOT_FOUND, "there is no table in '%.*s': it has no _delta_log",
                   AP_TEXT_ARG(prefix));
  }
  if (version >= 0 && first >= 0) {
    return AP_FAIL(err, AP_NOT_FOUND,
                   "'%.*s' has no version %" PRId64 "; there are %" PRId64 " to %" PRId64,
                   AP_TEXT_ARG(prefix), version, first, fresh->end);
  }
  return AP_FAIL(err, AP_CORRUPT,
                 "the log of '%.*s' starts at version %" PRId64 " and has no usable checkpoint",
                 AP_TEXT_ARG(prefix),
                 fresh->listing.commit_count ? fresh->listing.commits[0].version : fresh->end);
}

static int64_t newest_version(const struct ap_log_listing *listing) {
  int64_t newest = -1;
  if (listing->commit_count) newest = listing->commits[listing->commit_count - 1].version;
  if (listing->checkpoint_count) {
    int64_t checkpoint = listing->checkpoints[listing->checkpoint_count - 1].version;
    if (checkpoint > newest) newest = checkpoint;
  }
  return newest;
}

/* List from a version on and load. AP_END as load_listed. */
static ap_status list_and_load(struct fresh *fresh, int64_t first_version, int64_t version,
                               struct ap_arena *arena, struct ap_snapshot_full **out_snapshot,
                               ap_error *err) {
  AP_TRY(ap_log_list(fresh->source->store, fresh->source->prefix, first_version, arena,
                     &fresh->listing, err));
  fresh->end = newest_version(&fresh->listing);
  if (fresh->end < 0) return AP_END;
  if (version > fresh->end) return first_version > 0 ? AP_END : fail_missing(fresh, version, err);
  int64_t newest = fresh->end;
  if (version >= 0) fresh->end = version;
  ap_status status = load_listed(fresh, out_snapshot, err);
  fresh->end = newest;
  return status;
}

static ap_status load_once(struct fresh *fresh, int64_t version, struct ap_arena *arena,
                           struct ap_snapshot_full **out_snapshot, ap_error *err) {
  ap_error hinted;
  ap_status status = AP_END;
  ap_error_clear(&hinted);
  AP_TRY(ap_log_read_last_checkpoint(fresh->source->store, fresh->source->prefix,
                                     fresh->source->env->allocator, &fresh->hint, err));
  if (fresh->hint.version > 0 && (version < 0 || version >= fresh->hint.version)) {
    status = list_and_load(fresh, fresh->hint.version, version, arena, out_snapshot, &hinted);
    if (status != AP_END && status != AP_CORRUPT) {
      if (status != AP_OK && err) *err = hinted;
      return status;
    }
  }
  ap_status before = status;
  status = list_and_load(fresh, 0, version, arena, out_snapshot, err);
  if (status == AP_CORRUPT && before == AP_CORRUPT && err) *err = hinted; /* the newest way */
  return status == AP_END ? fail_missing(fresh, version, err) : status;
}

ap_status ap_load_fresh(const struct ap_log_source *source, int64_t version,
                        struct ap_snapshot_full **out_snapshot, ap_error *err) {
  ap_status status = AP_OK;
  for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    struct fresh fresh = {.source = source};
    struct ap_arena arena;
    ap_arena_init(&arena, source->env->allocator);
    status = load_once(&fresh, version, &arena, out_snapshot, err);
    ap_arena_deinit(&arena);
    if (status != AP_CORRUPT || !fresh.vanished) break;
  }
  return status;
}
