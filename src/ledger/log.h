/* SPDX-License-Identifier: Apache-2.0
 *
 * The folder _delta_log: names of its files, its listing, and _last_checkpoint.
 *
 * A listing is one pass over the store's keys; it lives in its arena. Multi-part checkpoints count
 * only when all parts are there. Thread: pure functions over the store; a listing belongs to its
 * maker.
 */
#ifndef AP_LEDGER_LOG_H
#define AP_LEDGER_LOG_H

#include "base/limits.h"
#include "store/store.h"

enum { AP_LOG_KEY_MAX = AP_KEY_BYTES_MAX + 1 };

/* One commit's file. */
struct ap_log_commit {
  int64_t version;
  int64_t modified_ms;
  int64_t size_bytes;
};

enum ap_checkpoint_form {
  AP_CHECKPOINT_CLASSIC, /* <v>.checkpoint.parquet */
  AP_CHECKPOINT_PARTS,   /* <v>.checkpoint.<part>.<parts>.parquet */
  AP_CHECKPOINT_V2,      /* <v>.checkpoint.<uuid>.parquet or .json */
};

struct ap_log_checkpoint {
  int64_t version;
  enum ap_checkpoint_form form;
  uint32_t part_count; /* files of this checkpoint */
  int64_t modified_ms; /* of its last file */
  const char **names;  /* NUL-terminated, without the folder */
};

struct ap_log_listing {
  struct ap_log_commit *commits; /* ascending versions */
  uint32_t commit_count;
  struct ap_log_checkpoint *checkpoints; /* complete ones, ascending versions */
  uint32_t checkpoint_count;
};

/* "<prefix>/_delta_log/<name>"; AP_INVALID_ARGUMENT when it is too long for a key. out_key is
 * NUL-terminated and has room for AP_LOG_KEY_MAX bytes. */
AP_MUST_CHECK ap_status ap_log_key(struct ap_text prefix, const char *name, char *out_key,
                                   struct ap_text *out_text, ap_error *err);
AP_MUST_CHECK ap_status ap_log_commit_key(struct ap_text prefix, int64_t version, char *out_key,
                                          struct ap_text *out_text, ap_error *err);

/* What lies in the log, of versions from first_version on (0: all). */
AP_MUST_CHECK ap_status ap_log_list(struct ap_store *store, struct ap_text prefix,
                                    int64_t first_version, struct ap_arena *arena,
                                    struct ap_log_listing *out_listing, ap_error *err);

/* The commit of a version, or NULL. */
const struct ap_log_commit *ap_log_find_commit(const struct ap_log_listing *listing,
                                               int64_t version);
/* The oldest version that can be rebuilt: 0, or the oldest checkpoint; -1: none. */
int64_t ap_log_first_version(const struct ap_log_listing *listing);

struct ap_last_checkpoint {
  int64_t version;   /* -1: there is none, or it cannot be used */
  int64_t add_count; /* numOfAddFiles; -1: not told */
};

/* Only a failing store is an error: the file is a hint. */
AP_MUST_CHECK ap_status ap_log_read_last_checkpoint(struct ap_store *store, struct ap_text prefix,
                                                    struct ap_allocator *allocator,
                                                    struct ap_last_checkpoint *out, ap_error *err);

/* Delete the commits, checkpoints, checksums and compactions that lie before keep_version.
 * Oldest first, so that what stays is always a whole log. */
AP_MUST_CHECK ap_status ap_log_remove_before(struct ap_store *store, struct ap_text prefix,
                                             int64_t keep_version, struct ap_arena *arena,
                                             ap_error *err);

#endif
