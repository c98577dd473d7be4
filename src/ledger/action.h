/* SPDX-License-Identifier: Apache-2.0
 *
 * Actions: the lines of commits and the rows of checkpoints, decoded from JSON.
 *
 * Guarantees: outside bytes give AP_CORRUPT naming the member at fault, never a crash; actions and
 * members that are not known are skipped, as the protocol demands. Decoded actions borrow from the
 * line and from the arena. Thread: none; pure functions.
 */
#ifndef AP_LEDGER_ACTION_H
#define AP_LEDGER_ACTION_H

#include "base/json.h"
#include "cell/cell.h"

enum ap_action_kind {
  AP_ACTION_UNKNOWN, /* skipped: unknown names */
  AP_ACTION_ADD,
  AP_ACTION_REMOVE,
  AP_ACTION_METADATA,
  AP_ACTION_PROTOCOL,
  AP_ACTION_TXN,
  AP_ACTION_DOMAIN,
  AP_ACTION_COMMIT_INFO,
  AP_ACTION_CHECKPOINT_METADATA,
  AP_ACTION_SIDECAR,
  AP_ACTION_CDC, /* a file of changed rows; no part of the table */
};

/* add, remove and cdc */
struct ap_file_action {
  struct ap_text path;                    /* decoded */
  int64_t size_bytes;                     /* add: required; remove: -1 when absent */
  int64_t modified_ms;                    /* add: modificationTime; remove: deletionTimestamp */
  const struct ap_json *partition_values; /* object, or NULL */
  struct ap_text statistics_json;         /* add; empty: none */
  struct ap_text tags_json;               /* add; empty: none */
  struct ap_deletion_vector deletion_vector;
};

struct ap_txn_action {
  struct ap_text app_id;
  int64_t version;
  int64_t updated_ms; /* -1: not told */
};

struct ap_domain_action {
  struct ap_text domain;
  bool removed;
};

struct ap_commit_info {
  struct ap_text txn_id;       /* empty: none */
  int64_t in_commit_timestamp; /* -1: none */
};

struct ap_sidecar_action {
  struct ap_text path; /* decoded */
};

struct ap_action {
  enum ap_action_kind kind;
  const struct ap_json *value; /* of the action; an object */
  struct ap_text json;         /* the text of value */
  union {
    struct ap_file_action file;
    struct ap_txn_action txn;
    struct ap_domain_action domain;
    struct ap_commit_info commit_info;
    struct ap_sidecar_action sidecar;
    int64_t checkpoint_version;
  };
};

/* One line. AP_CORRUPT: no JSON object, an action of a wrong shape, a path that leaves the table's
 * folder. */
AP_MUST_CHECK ap_status ap_action_decode(struct ap_arena *arena, struct ap_text line,
                                         struct ap_action *out_action, ap_error *err);

/* The next line of text (without its end), false at the end; *offset starts at 0. Blank lines are
 * skipped; *line_number counts from 1. */
bool ap_action_next_line(struct ap_text text, size_t *offset, uint32_t *line_number,
                         struct ap_text *out_line);

/* The partition values of a file in the order of the names; absent or empty is null.
 * partition_values may be NULL. AP_CORRUPT when one is not text. */
AP_MUST_CHECK ap_status ap_action_partition_values(struct ap_arena *arena,
                                                   const struct ap_json *partition_values,
                                                   const struct ap_text *names, uint32_t count,
                                                   struct ap_partition_value **out_values,
                                                   ap_error *err);

/* A parsed value as JSON text in the arena. */
AP_MUST_CHECK ap_status ap_action_json_text(struct ap_arena *arena, const struct ap_json *value,
                                            struct ap_text *out_text, ap_error *err);

/* A copy of text in the arena. */
AP_MUST_CHECK ap_status ap_action_copy_text(struct ap_arena *arena, struct ap_text text,
                                            struct ap_text *out_text, ap_error *err);

/* Whether a location is absolute ("/data/x", "s3://bucket/x"): kept as written. */
bool ap_action_path_is_absolute(struct ap_text path);

#endif
