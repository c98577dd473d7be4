/* SPDX-License-Identifier: Apache-2.0
 *
 * The change data feed: which files, and which of their rows, tell what each version changed. A
 * version that has change files ("cdc") is told by them alone; otherwise by the cells it brought
 * and took, and where a cell only got another deletion vector, by the rows that differ. Thread:
 * safe from any thread; a feed belongs to its maker.
 */
#ifndef AP_LEDGER_CHANGES_H
#define AP_LEDGER_CHANGES_H

#include "ledger/ledger.h"

enum ap_change_kind {
  AP_CHANGE_INSERTED, /* the rows of a cell came */
  AP_CHANGE_DELETED,  /* they went */
  AP_CHANGE_TOLD,     /* a change file: its column _change_type tells */
};

struct ap_changed_cell {
  enum ap_change_kind kind;
  int64_t version;
  int64_t timestamp_ms;
  struct ap_cell *cell;        /* with the partition values of the feed's snapshot */
  const uint64_t *hidden_rows; /* of the file, ascending: that are no part of the change */
  uint64_t hidden_count;
};

struct ap_change_feed {
  struct ap_allocator *allocator;
  struct ap_changed_cell *items; /* in the order of versions */
  uint32_t count;
  uint32_t room;
};

/* What changed in the versions from..end->version, read with the columns of `end`. AP_STATE when a
 * version was written without delta.enableChangeDataFeed; AP_NOT_FOUND when a version's entry was
 * cleaned away. The arena's memory is the feed's. deinit is idempotent and accepts zeroed memory.
 */
AP_MUST_CHECK ap_status ap_ledger_changes(struct ap_ledger *ledger, struct ap_snapshot *end,
                                          int64_t from, struct ap_arena *arena,
                                          struct ap_change_feed *out_feed, ap_error *err);
void ap_change_feed_deinit(struct ap_change_feed *feed);

/* The lines {"cdc":..} of a commit for change files that are objects of the frame already. */
void ap_change_files_append(struct ap_buffer *out, const struct ap_snapshot *snapshot,
                            const struct ap_cell_draft *drafts, uint32_t count);

#endif
