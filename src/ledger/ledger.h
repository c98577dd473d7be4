/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger of one frame: the Delta Lake transaction log (PROTOCOL.md of delta-io/delta), read and
 * written to the letter, so that Spark, delta-rs, Polars, Trino and DuckDB work on the same table.
 *
 * Guarantees: a commit is one put-if-absent of <frame>/_delta_log/<version>.json; it is there whole
 * or not at all; whoever loses rebases. A commit whose reply was lost recognises itself by the id
 * in its commitInfo. Snapshots are immutable and counted. A second snapshot reads only newer
 * commits. Supported: reader 1-3 and writer 1-7 with the features listed in features.h; any other
 * feature is refused by name (AP_UNSUPPORTED). Thread: an ap_ledger is safe from any thread;
 * snapshots are immutable.
 */
#ifndef AP_LEDGER_LEDGER_H
#define AP_LEDGER_LEDGER_H

#include "cell/cell.h"
#include "cell/codec.h"
#include "cell/draft.h"
#include "port/env.h"
#include "store/store.h"

struct ap_ledger;

/* prefix: the frame's folder as a key ("warehouse/sales/orders"). No I/O. env, store and codec
 * outlive the ledger. */
AP_MUST_CHECK ap_status ap_ledger_open(const struct ap_env *env, struct ap_store *store,
                                       struct ap_codec *codec, struct ap_text prefix,
                                       struct ap_ledger **out_ledger, ap_error *err);
void ap_ledger_close(struct ap_ledger *ledger); /* NULL is allowed; snapshots may outlive it */

/* A key and a value of the table's configuration ("delta.appendOnly" = "true"). */
struct ap_property {
  struct ap_text name;
  struct ap_text value;
};

struct ap_alteration; /* ledger/alter.h */

struct ap_table_definition {
  const struct ap_schema *schema;
  const uint32_t *partition_columns; /* indexes of top-level fields */
  uint32_t partition_column_count;
  struct ap_text name;        /* may be empty */
  struct ap_text description; /* may be empty */
  const struct ap_property *properties;
  uint32_t property_count;
  const struct ap_alteration *alterations; /* done to the columns above: comments, defaults,
                                              generated columns, constraints */
  uint32_t alteration_count;
};

/* Commit version 0. AP_ALREADY_EXISTS when the folder holds a ledger. Refused with the reason:
 * no column, duplicate names (case ignored), every column a partition column, partition columns of
 * nested or binary type, properties of Delta that are not known or not supported. */
AP_MUST_CHECK ap_status ap_ledger_create_table(struct ap_ledger *ledger,
                                               const struct ap_table_definition *definition,
                                               ap_error *err);

enum ap_snapshot_at {
  AP_AT_LATEST,
  AP_AT_VERSION,   /* value: the version */
  AP_AT_TIMESTAMP, /* value: milliseconds since 1970; the last commit not after it */
};

enum ap_column_mapping {
  AP_MAPPING_NONE,
  AP_MAPPING_NAME,
  AP_MAPPING_ID,
};

/* A frame at one version. Read-only to all but the ledger. */
struct ap_snapshot {
  int64_t version;
  int64_t timestamp_ms; /* of the commit: inCommitTimestamp when enabled, else the log
                           file's time, made strictly increasing */
  int64_t created_ms;   /* metaData.createdTime; 0: unknown */
  struct ap_text table_id;
  struct ap_text name;
  struct ap_text description;
  struct ap_schema schema;   /* logical: names as users see them, types with our widenings undone
                                (field metadata "apiary.type") */
  struct ap_schema physical; /* same shape; names as in the files, types as stored */
  uint64_t schema_id;        /* of schema */
  uint64_t
      physical_schema_id; /* of physical, without partition columns: compare with cells' tags */
  struct ap_text *physical_names; /* of the top-level fields */
  enum ap_column_mapping mapping;
  uint32_t *partition_columns; /* indexes into schema.fields */
  uint32_t partition_column_count;
  const struct ap_property *properties;
  uint32_t property_count;
  struct ap_cell **cells; /* in order of path */
  uint32_t cell_count;
  int64_t row_count; /* -1: some cell does not say; deleted rows are taken off */
  int64_t size_bytes;
};

AP_MUST_CHECK ap_status ap_ledger_snapshot(struct ap_ledger *ledger, enum ap_snapshot_at at,
                                           int64_t value, struct ap_snapshot **out_snapshot,
                                           ap_error *err);
struct ap_snapshot *ap_snapshot_retain(struct ap_snapshot *snapshot);
void ap_snapshot_release(struct ap_snapshot *snapshot); /* NULL is allowed */
/* The value of a property; empty text when it is not set. */
struct ap_text ap_snapshot_property(const struct ap_snapshot *snapshot, const char *name);
/* Whether rows shall go by deletion vectors (delta.enableDeletionVectors). */
bool ap_snapshot_marks_rows(const struct ap_snapshot *snapshot);
/* The version an application has reached (txn); -1: none. */
int64_t ap_snapshot_app_version(const struct ap_snapshot *snapshot, struct ap_text app_id);

enum ap_commit_kind {
  AP_COMMIT_APPEND,
  AP_COMMIT_OVERWRITE, /* removes what `removes` picks of the version it lands on */
  AP_COMMIT_REWRITE,   /* removes the cells listed, on condition that nobody has changed since what
                          the statement read */
  AP_COMMIT_ALTER,     /* changes what the table is, by `alteration`; no cells */
  AP_COMMIT_REPLACE,   /* another table in its place: removes every cell of the version it lands on;
                          see ap_ledger_plan_replacement */
};

struct ap_commit {
  enum ap_commit_kind kind;
  const struct ap_cell_draft *adds; /* already objects in the store under prefix/path */
  uint32_t add_count;
  /* OVERWRITE: whether a cell goes; NULL: every cell. Called again after each rebase. When it
   * fails, so does the commit. */
  ap_status (*removes)(void *context, const struct ap_snapshot *snapshot, struct ap_cell *cell,
                       bool *out_removes, ap_error *err);
  void *context;            /* of the callbacks */
  struct ap_text predicate; /* for the history (operationParameters.predicate); may be empty */

  /* REWRITE. base: the snapshot the statement read (other kinds may tell it too: then the rules
   * that new rows were checked against are its). The cells that go: cells of base, in its order.
   * They must still be cells, with the same deletion vectors, of the version the commit lands on.
   * Of what other commits brought or took since base and said to change data, nothing may be what
   * the statement might have read: reads_all: anything; else what `reads` tells of a cell (of
   * snapshot: base for one that is gone, the later one for a new one); NULL: it read no more than
   * the cells that go. Then the outcome is as if the statement had run on that version. */
  struct ap_snapshot *base;
  struct ap_cell *const *removed_cells;
  uint32_t removed_cell_count;
  bool reads_all;
  ap_status (*reads)(void *context, const struct ap_snapshot *snapshot, struct ap_cell *cell,
                     bool *out_reads, ap_error *err);
  bool
      same_rows; /* REWRITE: rows only move (OPTIMIZE): dataChange is false, appendOnly allows it */
  bool restates; /* REWRITE: the cells listed stay; adds say them again (ap_cell_draft.again) with
                    other statistics */

  /* For the history: "DELETE", "MERGE", ..; empty (not for REWRITE): "WRITE" and what belongs to
   * it. The two texts are JSON objects of texts, as Spark names their members. */
  struct ap_text operation;
  struct ap_text operation_parameters_json;
  struct ap_text operation_metrics_json;
  struct ap_text action_lines; /* further actions ("cdc", ...), each line with its end */

  uint64_t schema_id;    /* the snapshot's schema the adds were checked against: when the schema
                            has changed meanwhile the commit is a conflict */
  struct ap_text app_id; /* with app_version: exactly-once; empty: none */
  int64_t app_version;
  struct ap_text user_metadata;           /* may be empty */
  const struct ap_alteration *alteration; /* ALTER: see ap_ledger_alter */
  struct ap_snapshot *replacement;        /* REPLACE: as planned on base; the adds are its cells.
                                             Who has altered the table since is a conflict; with
                                             reads_all any commit since is */
};

struct ap_commit_result {
  int64_t version; /* where it landed; when skipped, the latest version */
  bool skipped;    /* app_version was already reached, or the alteration changes nothing: nothing
                      was written */
  uint32_t removed_count;
  uint32_t attempt_count;
};

/* Write a checkpoint now and then (AP_CHECKPOINT_INTERVAL or delta.checkpointInterval); a failing
 * checkpoint never fails the commit. Errors: AP_CONFLICT (schema or protocol changed, too many
 * rebases, or a REWRITE whose ground has moved), AP_UNSUPPORTED (a writer feature, appendOnly and
 * overwrite), store errors. On AP_OUTCOME_UNKNOWN the commit may or may not be there. */
AP_MUST_CHECK ap_status ap_ledger_commit(struct ap_ledger *ledger, const struct ap_commit *commit,
                                         struct ap_commit_result *out_result, ap_error *err);

/* What the frame would be with another definition in its place, one version on: without cells, its
 * id and protocol kept, its timestamps in commits too. Nothing is written. Cells are made for that
 * snapshot and committed with AP_COMMIT_REPLACE. Errors as ap_ledger_create_table; AP_UNSUPPORTED
 * when nothing may be removed (delta.appendOnly). */
AP_MUST_CHECK ap_status ap_ledger_plan_replacement(struct ap_ledger *ledger,
                                                   struct ap_snapshot *base,
                                                   const struct ap_table_definition *definition,
                                                   struct ap_snapshot **out_snapshot,
                                                   ap_error *err);

/* What the frame would be if the commit, a REWRITE, were the version after its base: nothing is
 * written, and nobody else sees it. */
AP_MUST_CHECK ap_status ap_ledger_preview(struct ap_ledger *ledger, const struct ap_commit *commit,
                                          struct ap_snapshot **out_snapshot, ap_error *err);

/* Write a checkpoint of the latest version and remove log entries whose retention has passed
 * (delta.logRetentionDuration, delta.enableExpiredLogCleanup). */
AP_MUST_CHECK ap_status ap_ledger_checkpoint(struct ap_ledger *ledger, int64_t *out_version,
                                             ap_error *err);

/* A file of the frame's folder that no version within the retention needs. */
struct ap_vacuum_file {
  struct ap_text path; /* relative to the folder */
  int64_t size_bytes;
  int64_t modified_ms;
};

struct ap_vacuum_options {
  int64_t retain_ms; /* -1: as the frame's delta.deletedFileRetentionDuration says (a week) */
  bool dry_run;      /* remove nothing */
  /* Told of each file, once it is removed. Another status than AP_OK stops. */
  ap_status (*visit)(void *context, const struct ap_vacuum_file *file, ap_error *err);
  void *context;
};

/* Remove files that neither the latest version nor one that was latest within the retention needs,
 * and that are older than it; see vacuum.h. Versions before that can then not be read any more.
 * AP_INVALID_ARGUMENT when retain_ms is shorter than the property. */
AP_MUST_CHECK ap_status ap_ledger_vacuum(struct ap_ledger *ledger,
                                         const struct ap_vacuum_options *options, ap_error *err);

/* What is wrong with a ledger: a sentence about one of its objects. */
typedef ap_status (*ap_verify_visit)(void *context, struct ap_text object, struct ap_text finding,
                                     ap_error *err);

/* Read the log anew, from its oldest version on commit by commit and from its newest checkpoint,
 * and hold both against what this ledger knows. Findings are visited; an error is only what kept it
 * from looking. *out_snapshot: the latest version as the commits tell it. */
AP_MUST_CHECK ap_status ap_ledger_verify(struct ap_ledger *ledger, ap_verify_visit visit,
                                         void *context, struct ap_snapshot **out_snapshot,
                                         ap_error *err);

struct ap_history_entry {
  int64_t version;
  int64_t timestamp_ms;
  struct ap_text operation;       /* "WRITE", "CREATE TABLE", ...; empty when not told */
  struct ap_text parameters_json; /* objects; "{}" when not told */
  struct ap_text metrics_json;
  struct ap_text engine;
  struct ap_text user_metadata;
};

/* Newest first, at most limit entries (0: all). A status other than AP_OK from visit stops; AP_END
 * stops without error. */
typedef ap_status (*ap_history_visit)(void *context, const struct ap_history_entry *entry,
                                      ap_error *err);
AP_MUST_CHECK ap_status ap_ledger_history(struct ap_ledger *ledger, uint32_t limit,
                                          ap_history_visit visit, void *context, ap_error *err);

/* Deleted rows of a cell, as ascending row numbers; AP_CORRUPT when the vector does not check. */
AP_MUST_CHECK ap_status ap_ledger_deleted_rows(struct ap_ledger *ledger, const struct ap_cell *cell,
                                               struct ap_arena *arena, const uint64_t **out_rows,
                                               uint64_t *out_count, ap_error *err);

/* Rows of a cell that shall be gone: ascending, at least one. */
struct ap_deleted_rows {
  const uint64_t *rows;
  uint64_t count;
};

/* Write the deletion vectors of a commit, all into one object, the small ones into the log. A
 * commit of kind REWRITE then takes the cells away and adds them again (ap_cell_draft.again) with
 * their vectors and statistics. *out_key: the object, to be removed when the commit fails; empty:
 * none. Memory is the arena's. */
AP_MUST_CHECK ap_status ap_ledger_write_deleted_rows(struct ap_ledger *ledger,
                                                     const struct ap_deleted_rows *sets,
                                                     uint32_t count, struct ap_arena *arena,
                                                     struct ap_deletion_vector *out_vectors,
                                                     struct ap_text *out_key, ap_error *err);

/* The add of a cell with more rows gone: a draft for such a commit. AP_UNSUPPORTED: its statistics
 * do not tell its rows, so that it must be written anew. */
AP_MUST_CHECK ap_status ap_ledger_mark_cell(struct ap_cell *cell,
                                            const struct ap_deletion_vector *vector,
                                            struct ap_arena *arena, struct ap_cell_draft *out_draft,
                                            ap_error *err);

#endif
