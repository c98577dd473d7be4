/* SPDX-License-Identifier: Apache-2.0
 *
 * See checkpoint.h: writing, and what may go afterwards.
 *
 * Each row is one action. Only the members of the protocol's checkpoint schema are written; remove
 * rows carry neither statistics nor tags.
 */
#include "ledger/checkpoint.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdio.h>

#define MONTH_MS ((int64_t)30 * 24 * 3600 * 1000)

#define VECTOR_TYPE                                                         \
  "STRUCT(storageType VARCHAR, pathOrInlineDv VARCHAR, \"offset\" INTEGER," \
  " sizeInBytes INTEGER, cardinality BIGINT)"

static const struct ap_codec_column columns[] = {
    {"txn", "STRUCT(appId VARCHAR, \"version\" BIGINT, lastUpdated BIGINT)"},
    {"add",
     "STRUCT(\"path\" VARCHAR, partitionValues MAP(VARCHAR, VARCHAR), size BIGINT,"
     " modificationTime BIGINT, dataChange BOOLEAN, stats VARCHAR, tags MAP(VARCHAR, VARCHAR),"
     " deletionVector " VECTOR_TYPE ", baseRowId BIGINT, defaultRowCommitVersion BIGINT,"
     " clusteringProvider VARCHAR)"},
    {"remove",
     "STRUCT(\"path\" VARCHAR, deletionTimestamp BIGINT, dataChange BOOLEAN,"
     " extendedFileMetadata BOOLEAN, partitionValues MAP(VARCHAR, VARCHAR), size BIGINT,"
     " deletionVector " VECTOR_TYPE ", baseRowId BIGINT, defaultRowCommitVersion BIGINT)"},
    {"metaData",
     "STRUCT(id VARCHAR, \"name\" VARCHAR, description VARCHAR,"
     " \"format\" STRUCT(provider VARCHAR, \"options\" MAP(VARCHAR, VARCHAR)),"
     " schemaString VARCHAR, partitionColumns VARCHAR[], createdTime BIGINT,"
     " \"configuration\" MAP(VARCHAR, VARCHAR))"},
    {"protocol",
     "STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER, readerFeatures VARCHAR[],"
     " writerFeatures VARCHAR[])"},
    {"domainMetadata", "STRUCT(\"domain\" VARCHAR, \"configuration\" VARCHAR, removed BOOLEAN)"},
};

enum { COLUMN_COUNT = sizeof(columns) / sizeof(columns[0]) };

static const char *const add_members[] = {
    "path",      "partitionValues",         "size",           "modificationTime",   "stats", "tags",
    "baseRowId", "defaultRowCommitVersion", "deletionVector", "clusteringProvider",
};
static const char *const remove_members[] = {
    "path",           "deletionTimestamp", "extendedFileMetadata",    "partitionValues", "size",
    "deletionVector", "baseRowId",         "defaultRowCommitVersion",
};

/* {"<name>":<json>} and the end of the line. */
static void append_raw(struct ap_buffer *out, const char *name, struct ap_text json) {
  ap_buffer_append_format(out, "{\"%s\":", name);
  ap_buffer_append_text(out, json);
  ap_buffer_append_string(out, "}\n");
}

/* A file action of which the named members are kept. dataChange is false: a checkpoint only
 * restates. statistics: for an add whose statistics came in another member than stats. */
static ap_status append_file(struct ap_buffer *out, const char *name, struct ap_text json,
                             const char *const *members, size_t member_count,
                             struct ap_text statistics, ap_error *err) {
  struct ap_arena arena;
  struct ap_json_writer writer;
  const struct ap_json *value = NULL;
  ap_arena_init(&arena, out->allocator);
  ap_status status = ap_json_parse(&arena, json, &value, err);
  if (status == AP_OK) {
    ap_json_writer_init(&writer, out);
    ap_json_begin_object(&writer);
    ap_json_name(&writer, ap_text_of(name));
    ap_json_begin_object(&writer);
    for (size_t i = 0; i < member_count; i++) {
      const struct ap_json *member = ap_json_find(value, members[i]);
      if (ap_json_is_null(member)) continue;
      ap_json_name(&writer, ap_text_of(members[i]));
      ap_json_value(&writer, member);
    }
    if (statistics.size > 0 && ap_json_is_null(ap_json_find(value, "stats"))) {
      ap_json_member_string(&writer, "stats", statistics);
    }
    ap_json_member_bool(&writer, "dataChange", false);
    ap_json_end_object(&writer);
    ap_json_end_object(&writer);
    ap_buffer_append_string(out, "\n");
  }
  ap_arena_deinit(&arena);
  return status;
}

static void append_marks(struct ap_buffer *out, const struct ap_marks *marks) {
  for (uint32_t i = 0; marks && i < marks->txn_count; i++) {
    const struct ap_txn_action *txn = &marks->txns[i];
    struct ap_json_writer writer;
    ap_json_writer_init(&writer, out);
    ap_json_begin_object(&writer);
    ap_json_name(&writer, AP_TEXT("txn"));
    ap_json_begin_object(&writer);
    ap_json_member_string(&writer, "appId", txn->app_id);
    ap_json_member_i64(&writer, "version", txn->version);
    if (txn->updated_ms >= 0) ap_json_member_i64(&writer, "lastUpdated", txn->updated_ms);
    ap_json_end_object(&writer);
    ap_json_end_object(&writer);
    ap_buffer_append_string(out, "\n");
  }
  for (uint32_t i = 0; marks && i < marks->domain_count; i++) {
    append_raw(out, "domainMetadata", marks->domains[i].json);
  }
}

/* Every row of the checkpoint, and how many. */
static ap_status append_rows(const struct ap_log_source *source,
                             const struct ap_snapshot_full *snapshot, struct ap_buffer *out,
                             uint64_t *out_count, ap_error *err) {
  const struct ap_snapshot *shown = &snapshot->shown;
  const struct ap_tombstone **tombstones = NULL;
  uint32_t tombstone_count = 0;
  struct ap_arena arena;
  ap_arena_init(&arena, source->env->allocator);
  append_raw(out, "protocol", snapshot->table->protocol_json);
  append_raw(out, "metaData", snapshot->table->metadata_json);
  append_marks(out, snapshot->marks);
  int64_t expired_ms = ap_replay_expired_ms(snapshot->table, ap_clock_wall_ms(source->env->clock));
  ap_status status = ap_tombstones_live(snapshot->tombstones, shown->cells, shown->cell_count,
                                        expired_ms, &arena, &tombstones, &tombstone_count, err);
  for (uint32_t i = 0; status == AP_OK && i < shown->cell_count; i++) {
    status = append_file(out, "add", shown->cells[i]->action_json, add_members,
                         sizeof(add_members) / sizeof(add_members[0]),
                         shown->cells[i]->statistics_json, err);
  }
  for (uint32_t i = 0; status == AP_OK && i < tombstone_count; i++) {
    status = append_file(out, "remove", tombstones[i]->json, remove_members,
                         sizeof(remove_members) / sizeof(remove_members[0]),
                         (struct ap_text){NULL, 0}, err);
  }
  ap_arena_deinit(&arena);
  *out_count = 2 + (uint64_t)shown->cell_count + tombstone_count;
  if (snapshot->marks) *out_count += snapshot->marks->txn_count + snapshot->marks->domain_count;
  return status == AP_OK ? ap_buffer_check(out, err) : status;
}

/* Encode the rows into a staged file and make it the object. */
static ap_status put_rows(const struct ap_log_source *source, struct ap_text lines, int64_t version,
                          struct ap_text key, int64_t *out_size_bytes, ap_error *err) {
  char uuid[AP_UUID_TEXT_SIZE];
  struct ap_buffer path;
  struct ap_file_info info = {0};
  struct ap_store_object object = {0};
  ap_error local;
  ap_buffer_init(&path, source->env->allocator);
  ap_random_uuid(source->env->random, uuid);
  ap_status status = ap_store_staging_path(source->store, &path, err);
  if (status == AP_OK) {
    ap_buffer_append_format(&path, "/checkpoint-%" PRId64 "-%s.parquet", version, uuid);
    status = ap_buffer_check(&path, err);
  }
  if (status == AP_OK) {
    status = source->codec->encode(source->codec, lines, columns, COLUMN_COUNT, path.data, err);
  }
  if (status == AP_OK) {
    status = source->env->files->info(source->env->files, path.data, &info, err);
  }
  if (status == AP_OK) {
    struct ap_store_upload upload = {path.data, key};
    ap_error_clear(&local);
    status = ap_store_put_files(source->store, &upload, 1, &local);
    /* somebody else's checkpoint of this version is as good */
    if (status != AP_OK && status != AP_ALREADY_EXISTS && err) *err = local;
    if (status != AP_OK) {
      (void)source->env->files->remove_file(source->env->files, path.data, NULL);
    }
    if (status == AP_ALREADY_EXISTS) {
      status = ap_store_head(source->store, key, &object, err);
      info.size_bytes = object.size_bytes;
    }
  }
  *out_size_bytes = info.size_bytes;
  ap_buffer_deinit(&path);
  return status;
}

/* Another process may have pointed to a later one meanwhile; never point back. */
static ap_status put_last_checkpoint(const struct ap_log_source *source, int64_t version,
                                     uint64_t row_count, int64_t size_bytes, uint32_t add_count,
                                     ap_error *err) {
  char key[AP_LOG_KEY_MAX];
  struct ap_text key_text;
  struct ap_last_checkpoint last;
  struct ap_buffer json;
  struct ap_json_writer writer;
  AP_TRY(ap_log_key(source->prefix, "_last_checkpoint", key, &key_text, err));
  AP_TRY(ap_log_read_last_checkpoint(source->store, source->prefix, source->env->allocator, &last,
                                     err));
  if (last.version > version) return AP_OK;
  ap_buffer_init(&json, source->env->allocator);
  ap_json_writer_init(&writer, &json);
  ap_json_begin_object(&writer);
  ap_json_member_i64(&writer, "version", version);
  ap_json_member_i64(&writer, "size", (int64_t)row_count);
  ap_json_member_i64(&writer, "sizeInBytes", size_bytes);
  ap_json_member_i64(&writer, "numOfAddFiles", add_count);
  ap_json_end_object(&writer);
  ap_status status = ap_buffer_check(&json, err);
  if (status == AP_OK) status = ap_store_put(source->store, key_text, ap_buffer_text(&json), err);
  ap_buffer_deinit(&json);
  return status;
}

ap_status ap_checkpoint_write(const struct ap_log_source *source,
                              const struct ap_snapshot_full *snapshot, ap_error *err) {
  char name[64];
  char key[AP_LOG_KEY_MAX];
  struct ap_text key_text;
  struct ap_buffer lines;
  uint64_t row_count = 0;
  int64_t size_bytes = 0;
  int64_t version = snapshot->shown.version;
  (void)snprintf(name, sizeof(name), "%020" PRId64 ".checkpoint.parquet", version);
  AP_TRY(ap_log_key(source->prefix, name, key, &key_text, err));
  ap_buffer_init(&lines, source->env->allocator);
  ap_status status = append_rows(source, snapshot, &lines, &row_count, err);
  if (status == AP_OK) {
    status = put_rows(source, ap_buffer_text(&lines), version, key_text, &size_bytes, err);
  }
  ap_buffer_deinit(&lines);
  if (status != AP_OK) return status;
  return put_last_checkpoint(source, version, row_count, size_bytes, snapshot->shown.cell_count,
                             err);
}

/* The newest checkpoint not after the newest commit that is at least as old as the cutoff: every
 * version since then can still be read. NULL: none. */
static const struct ap_log_checkpoint *find_kept(const struct ap_log_listing *listing,
                                                 int64_t cutoff_ms) {
  int64_t cutoff_version = -1;
  const struct ap_log_checkpoint *kept = NULL;
  for (uint32_t i = 0; i < listing->commit_count; i++) {
    if (listing->commits[i].modified_ms <= cutoff_ms) cutoff_version = listing->commits[i].version;
  }
  for (uint32_t i = 0; i < listing->checkpoint_count; i++) {
    if (listing->checkpoints[i].version <= cutoff_version) kept = &listing->checkpoints[i];
  }
  return kept;
}

/* The kept checkpoint is all that will be left of what is removed: it must be readable. */
static ap_status clean_before(const struct ap_log_source *source,
                              const struct ap_log_listing *listing,
                              const struct ap_log_checkpoint *kept, struct ap_arena *arena,
                              ap_error *err) {
  struct ap_replay replay;
  bool anything = (listing->commit_count && listing->commits[0].version < kept->version) ||
                  listing->checkpoints[0].version < kept->version;
  if (!anything) return AP_OK;
  ap_replay_init(&replay, source->env->allocator, NULL);
  ap_status status = ap_checkpoint_read(source, kept, -1, &replay, err);
  ap_replay_deinit(&replay);
  if (status != AP_OK) return status;
  return ap_log_remove_before(source->store, source->prefix, kept->version, arena, err);
}

ap_status ap_checkpoint_clean_log(const struct ap_log_source *source,
                                  const struct ap_snapshot_full *snapshot, ap_error *err) {
  const struct ap_table *table = snapshot->table;
  if (!ap_table_property_bool(table, "delta.enableExpiredLogCleanup", true)) return AP_OK;
  int64_t keep_ms = ap_table_property_duration_ms(table, "delta.logRetentionDuration", MONTH_MS);
  int64_t cutoff_ms = 0;
  if (__builtin_sub_overflow(ap_clock_wall_ms(source->env->clock), keep_ms, &cutoff_ms)) {
    return AP_OK;
  }
  struct ap_arena arena;
  struct ap_log_listing listing;
  ap_arena_init(&arena, source->env->allocator);
  ap_status status = ap_log_list(source->store, source->prefix, 0, &arena, &listing, err);
  if (status == AP_OK) {
    const struct ap_log_checkpoint *kept = find_kept(&listing, cutoff_ms);
    if (kept) status = clean_before(source, &listing, kept, &arena, err);
  }
  ap_arena_deinit(&arena);
  return status;
}
