/* SPDX-License-Identifier: Apache-2.0
 *
 * Tombstones: removed files, remembered until VACUUM may delete them, because checkpoints must list
 * them.
 *
 * A chain of immutable, counted links, newest first. A file may occur in several links: the newest
 * counts, and none of a file that is a cell again. Links are merged like the runs of a
 * log-structured tree, so that a chain has few of them however many commits it saw. Safe from any
 * thread.
 */
#ifndef AP_LEDGER_TOMBSTONES_H
#define AP_LEDGER_TOMBSTONES_H

#include "cell/cell.h"

#include <stdatomic.h>

struct ap_tombstone {
  struct ap_text path;
  struct ap_deletion_vector deletion_vector;
  int64_t deleted_ms;
  struct ap_text json; /* the remove action's value */
};

struct ap_tombstones {
  struct ap_allocator *allocator;
  atomic_uint reference_count;
  struct ap_tombstones *older;
  struct ap_arena arena;
  struct ap_tombstone *items; /* oldest first */
  uint32_t count;
  uint32_t room;
};

/* An empty link that the caller fills before sharing it. */
AP_MUST_CHECK ap_status ap_tombstones_create(struct ap_allocator *allocator,
                                             struct ap_tombstones **out, ap_error *err);
/* Everything is copied; *out_kept is the copy, which lives as long as the link. */
AP_MUST_CHECK ap_status ap_tombstones_add(struct ap_tombstones *link,
                                          const struct ap_tombstone *tombstone,
                                          const struct ap_tombstone **out_kept, ap_error *err);
struct ap_tombstones *ap_tombstones_retain(struct ap_tombstones *tombstones); /* NULL is allowed */
void ap_tombstones_release(struct ap_tombstones *tombstones);                 /* NULL is allowed */

/* A chain of link (which may be empty or NULL, and is not added to any more) before older;
 * *out_chain may be NULL and is the caller's. What was deleted before expired_ms may be dropped. */
AP_MUST_CHECK ap_status ap_tombstones_chain(struct ap_allocator *allocator,
                                            struct ap_tombstones *link, struct ap_tombstones *older,
                                            int64_t expired_ms, struct ap_tombstones **out_chain,
                                            ap_error *err);

/* What a checkpoint lists: the newest tombstone per file, in order of files, without those deleted
 * before expired_ms and without files that are cells (given in order of files). The items point
 * into the chain. */
AP_MUST_CHECK ap_status ap_tombstones_live(const struct ap_tombstones *chain,
                                           struct ap_cell *const *cells, uint32_t cell_count,
                                           int64_t expired_ms, struct ap_arena *arena,
                                           const struct ap_tombstone ***out_items,
                                           uint32_t *out_count, ap_error *err);

/* Order of files: by path, then by deletion vector. */
int ap_file_compare(struct ap_text path_a, const struct ap_deletion_vector *a,
                    struct ap_text path_b, const struct ap_deletion_vector *b);

#endif
