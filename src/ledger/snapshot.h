/* SPDX-License-Identifier: Apache-2.0
 *
 * Snapshots as the ledger holds them: the public part plus what only commits and checkpoints need
 * (protocol, tombstones, domain metadata, the identity of the last log entry).
 *
 * Immutable and counted. Consecutive snapshots share the table, the cells, the marks and the chain
 * of tombstones, so a new one costs one array of pointers. Safe from any thread.
 */
#ifndef AP_LEDGER_SNAPSHOT_H
#define AP_LEDGER_SNAPSHOT_H

#include "ledger/action.h"
#include "ledger/table.h"
#include "ledger/tombstones.h"

struct ap_domain {
  struct ap_text name;
  struct ap_text json; /* the domainMetadata action's value */
};

/* txn and domainMetadata: few and seldom changed, so copied whole when one changes. */
struct ap_marks {
  struct ap_allocator *allocator;
  atomic_uint reference_count;
  struct ap_arena arena;
  struct ap_txn_action *txns; /* in order of app_id */
  uint32_t txn_count;
  struct ap_domain *domains; /* in order of name */
  uint32_t domain_count;
};

struct ap_marks *ap_marks_retain(struct ap_marks *marks); /* NULL is allowed */
void ap_marks_release(struct ap_marks *marks);            /* NULL is allowed */

struct ap_snapshot_full {
  struct ap_snapshot shown; /* first: ap_snapshot pointers are these */
  struct ap_allocator *allocator;
  atomic_uint reference_count;
  struct ap_table *table;
  struct ap_marks *marks;           /* NULL: none */
  struct ap_tombstones *tombstones; /* NULL: none */
  int64_t known_row_count;          /* of the cells that tell */
  uint32_t silent_cell_count;       /* cells that do not tell */
  /* The last log entry's object, to notice that a log was cleaned away or replaced under us; -1
   * when it was not there to be seen. */
  int64_t log_modified_ms;
  int64_t log_size_bytes;
};

static inline struct ap_snapshot_full *ap_snapshot_full_of(struct ap_snapshot *snapshot) {
  return (struct ap_snapshot_full *)(void *)snapshot;
}

/* A new snapshot of the table with room for cells; takes a reference on what it is given. */
AP_MUST_CHECK ap_status ap_snapshot_create(struct ap_allocator *allocator, struct ap_table *table,
                                           struct ap_marks *marks, struct ap_tombstones *tombstones,
                                           uint32_t cell_room, struct ap_snapshot_full **out,
                                           ap_error *err);

/* Rows of a cell that are not deleted; -1: it does not tell. */
AP_MUST_CHECK ap_status ap_snapshot_cell_rows(const struct ap_cell *cell,
                                              struct ap_allocator *allocator, int64_t *out_rows,
                                              ap_error *err);

#endif
