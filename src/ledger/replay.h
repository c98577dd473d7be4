/* SPDX-License-Identifier: Apache-2.0
 *
 * Replay: from a snapshot (or nothing) and later actions to the next snapshot, by the protocol's
 * reconciliation: the newest reference to a file, an application, a domain wins, and the newest
 * protocol and metaData.
 *
 * Actions come in sources (a commit, or all files of a checkpoint) in the order of versions. Of
 * each source first everything but files is scanned, then the table is settled, then its files are
 * read: a file's partition values can only be read once the partition columns are known. Thread:
 * one owner.
 */
#ifndef AP_LEDGER_REPLAY_H
#define AP_LEDGER_REPLAY_H

#include "ledger/snapshot.h"

enum { AP_TXN_ID_MAX = 64 };

struct ap_replay {
  struct ap_allocator *allocator;
  struct ap_snapshot_full *base; /* NULL: from nothing */
  struct ap_table *table;        /* NULL until protocol and metaData are there */
  bool repartitioned;            /* some cells were made for other partition columns */
  struct ap_arena arena;
  struct ap_replay_file *files; /* in the order they came */
  uint32_t file_count;
  uint32_t file_room;
  uint32_t add_count; /* add actions read */
  struct ap_tombstones *removed;
  struct ap_replay_mark *marks; /* newest first */

  /* of the source that is being scanned */
  struct ap_text protocol_json; /* empty: none */
  struct ap_text metadata_json;
  char txn_id[AP_TXN_ID_MAX]; /* commitInfo.txnId; empty: none, or longer than ours are */
  int64_t in_commit_timestamp;
  int64_t checkpoint_version;
  const char **sidecars; /* NULL-terminated list */
  uint32_t sidecar_count;

  /* of the last source */
  int64_t version;
  int64_t timestamp_ms;
  int64_t log_modified_ms;
  int64_t log_size_bytes;
};

void ap_replay_init(struct ap_replay *replay, struct ap_allocator *allocator,
                    struct ap_snapshot_full *base);
void ap_replay_deinit(struct ap_replay *replay); /* idempotent */

/* The parts of a source; name is for messages ("...json"). */
void ap_replay_begin(struct ap_replay *replay);
AP_MUST_CHECK ap_status ap_replay_scan(struct ap_replay *replay, struct ap_text lines,
                                       const char *name, ap_error *err);
AP_MUST_CHECK ap_status ap_replay_settle(struct ap_replay *replay, const char *name, ap_error *err);
AP_MUST_CHECK ap_status ap_replay_files(struct ap_replay *replay, struct ap_text lines,
                                        const char *name, ap_error *err);

/* A whole commit: begin, scan, settle, files, and its place and time. */
AP_MUST_CHECK ap_status ap_replay_commit(struct ap_replay *replay, int64_t version,
                                         struct ap_text lines, int64_t modified_ms,
                                         const char *name, ap_error *err);

/* The snapshot after all of it. now_ms: tombstones that have expired by then may be forgotten.
 * AP_UNSUPPORTED when the table cannot be read; AP_CORRUPT when protocol or metaData never came. */
AP_MUST_CHECK ap_status ap_replay_finish(struct ap_replay *replay, int64_t now_ms,
                                         struct ap_snapshot_full **out_snapshot, ap_error *err);

/* delta.deletedFileRetentionDuration, as the time before which tombstones have expired. */
int64_t ap_replay_expired_ms(const struct ap_table *table, int64_t now_ms);

#endif
