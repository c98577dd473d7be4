/* SPDX-License-Identifier: Apache-2.0
 *
 * See checkpoint.h: reading. Everything but files first, of all parts, because the partition
 * columns may stand in the last one.
 */
#include "ledger/checkpoint.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const checkpoint_columns[] = {
    "add", "remove",         "metaData",           "protocol",
    "txn", "domainMetadata", "checkpointMetadata", "sidecar",
};
static const char *const sidecar_columns[] = {"add", "remove"};

enum {
  CHECKPOINT_COLUMN_COUNT = sizeof(checkpoint_columns) / sizeof(checkpoint_columns[0]),
  SIDECAR_COLUMN_COUNT = sizeof(sidecar_columns) / sizeof(sidecar_columns[0]),
};

/* The rows of one file as lines. */
static ap_status read_file(const struct ap_log_source *source, const char *key, bool is_sidecar,
                           struct ap_buffer *out_lines, ap_error *err) {
  struct ap_text key_text = ap_text_of(key);
  if (ap_text_ends_with(key_text, AP_TEXT(".json"))) {
    return ap_store_get(source->store, key_text, 0, -1, out_lines, err);
  }
  struct ap_buffer path;
  ap_buffer_init(&path, source->env->allocator);
  ap_status status = ap_store_local_path(source->store, key_text, &path, err);
  if (status == AP_OK) status = ap_buffer_check(&path, err);
  if (status == AP_OK) {
    status = source->codec->decode(
        source->codec, path.data, is_sidecar ? sidecar_columns : checkpoint_columns,
        is_sidecar ? SIDECAR_COLUMN_COUNT : CHECKPOINT_COLUMN_COUNT, out_lines, err);
    if (status != AP_OK) status = ap_error_prefix(err, status, "%s", key);
  }
  if (status == AP_OK) status = ap_buffer_check(out_lines, err);
  ap_buffer_deinit(&path);
  return status;
}

/* The files of a checkpoint with their rows. */
struct parts {
  const char **keys;
  struct ap_buffer *lines;
  uint32_t count;
};

static ap_status add_part(const struct ap_log_source *source, struct ap_replay *replay,
                          struct parts *parts, const char *name, bool is_sidecar, ap_error *err) {
  char key[AP_LOG_KEY_MAX];
  struct ap_text key_text;
  AP_TRY(ap_log_key(source->prefix, name, key, &key_text, err));
  parts->keys[parts->count] = ap_arena_copy(&replay->arena, key_text);
  if (!parts->keys[parts->count]) return AP_FAIL_MEMORY(err);
  struct ap_buffer *lines = &parts->lines[parts->count++];
  ap_buffer_init(lines, source->env->allocator);
  return read_file(source, key, is_sidecar, lines, err);
}

static ap_status read_parts(const struct ap_log_source *source,
                            const struct ap_log_checkpoint *checkpoint, struct ap_replay *replay,
                            struct parts *parts, ap_error *err) {
  parts->keys = AP_ARENA_ARRAY(&replay->arena, const char *, checkpoint->part_count);
  parts->lines = AP_ARENA_ARRAY(&replay->arena, struct ap_buffer, checkpoint->part_count);
  if (!parts->keys || !parts->lines) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < checkpoint->part_count; i++) {
    AP_TRY(add_part(source, replay, parts, checkpoint->names[i], false, err));
    const char *key = parts->keys[i];
    AP_TRY(ap_replay_scan(replay, ap_buffer_text(&parts->lines[i]), key, err));
  }
  return AP_OK;
}

static ap_status read_sidecars(const struct ap_log_source *source, struct ap_replay *replay,
                               ap_error *err) {
  struct ap_text folder = AP_TEXT("_sidecars/");
  for (uint32_t i = 0; i < replay->sidecar_count; i++) {
    const char *key = NULL;
    struct ap_buffer lines;
    struct parts one = {.keys = &key, .lines = &lines};
    char *name =
        ap_arena_format(&replay->arena, "%.*s%s", AP_TEXT_ARG(folder), replay->sidecars[i]);
    if (!name) return AP_FAIL_MEMORY(err);
    ap_buffer_init(&lines, source->env->allocator);
    ap_status status = add_part(source, replay, &one, name, true, err);
    if (status == AP_OK) status = ap_replay_files(replay, ap_buffer_text(&lines), key, err);
    ap_buffer_deinit(&lines);
    if (status != AP_OK) return status;
  }
  return AP_OK;
}

static ap_status check_version(const struct ap_log_checkpoint *checkpoint,
                               const struct ap_replay *replay, const char *key, ap_error *err) {
  if (replay->checkpoint_version >= 0 && replay->checkpoint_version != checkpoint->version) {
    return AP_FAIL(err, AP_CORRUPT, "%s: it is the checkpoint of version %" PRId64, key,
                   replay->checkpoint_version);
  }
  if (replay->checkpoint_version < 0 && checkpoint->form == AP_CHECKPOINT_V2) {
    return AP_FAIL(err, AP_CORRUPT, "%s: the action 'checkpointMetadata' is missing", key);
  }
  return AP_OK;
}

ap_status ap_checkpoint_read(const struct ap_log_source *source,
                             const struct ap_log_checkpoint *checkpoint, int64_t add_count,
                             struct ap_replay *replay, ap_error *err) {
  AP_ASSERT(!replay->base && replay->file_count == 0 && checkpoint->part_count > 0);
  struct parts parts = {0};
  ap_replay_begin(replay);
  ap_status status = read_parts(source, checkpoint, replay, &parts, err);
  const char *first = parts.count > 0 ? parts.keys[0] : "";
  if (status == AP_OK) status = check_version(checkpoint, replay, first, err);
  if (status == AP_OK) status = ap_replay_settle(replay, first, err);
  for (uint32_t i = 0; i < parts.count; i++) {
    if (status == AP_OK) {
      status = ap_replay_files(replay, ap_buffer_text(&parts.lines[i]), parts.keys[i], err);
    }
    ap_buffer_deinit(&parts.lines[i]);
  }
  if (status == AP_OK) status = read_sidecars(source, replay, err);
  if (status == AP_OK && add_count >= 0 && add_count != (int64_t)replay->add_count) {
    status = AP_FAIL(err, AP_CORRUPT,
                     "%s holds %u files, but _last_checkpoint says %" PRId64 " (numOfAddFiles)",
                     first, replay->add_count, add_count);
  }
  return status;
}
