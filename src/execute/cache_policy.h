/* SPDX-License-Identifier: Apache-2.0
 *
 * What the cell cache holds, admits and lets go: pure decisions, no I/O, no locks, no clock.
 *
 * Cells are known by what they are (path, size, time, deleted rows), so an entry can never be
 * stale: a cell that changes is another one. A frame's cells lie in a few native copies
 * (engine/native.h); a query reads those of its cells that lie there from the copies and the rest
 * from Parquet. A cell is admitted when it is read again within AP_CACHE_WINDOW_US; the admitted
 * ones of a frame become one more copy, into which smaller copies are merged, so that copies stay
 * few and each row is rewritten a few times only. Least recently used copies go when the budget
 * asks for it, but not for others that are used no more often.
 * Thread: the owner's lock. Copies are pointers here, never looked into.
 */
#ifndef AP_EXECUTE_CACHE_POLICY_H
#define AP_EXECUTE_CACHE_POLICY_H

#include "cell/cell.h"
#include "engine/native.h"

#define AP_CACHE_WINDOW_US ((int64_t)600 * 1000 * 1000)
#define AP_CACHE_KEEP_US   ((int64_t)60 * 1000 * 1000) /* used copies are safe for this long */

struct ap_cache_policy;
struct ap_cache_entry; /* a frame with one schema */

struct ap_cache_policy_options {
  struct ap_allocator *allocator;
  int64_t budget_bytes;
  bool eager; /* admit at the first reading, and let go of what is used as well */
  /* What the owner keeps with an entry goes. */
  void (*release_source)(void *source);
};

AP_MUST_CHECK ap_status ap_cache_policy_create(const struct ap_cache_policy_options *options,
                                               struct ap_cache_policy **out_policy, ap_error *err);
/* Every copy must have been taken out: see ap_cache_policy_clear. NULL is allowed. */
void ap_cache_policy_destroy(struct ap_cache_policy *policy);

struct ap_cache_look {
  struct ap_text frame_id;
  uint64_t schema_id;
  uint64_t shape_id; /* how the cells are read, apart from the schema */
  bool map_by_id;
  struct ap_cell *const *cells; /* of the snapshot */
  uint32_t cell_count;
  struct ap_cell *const *kept; /* what the query reads, in the snapshot's order */
  uint32_t kept_count;
  int64_t now_us;
};

/* Where the kept cells are read; every kept cell is in exactly one place. Arena memory; cells and
 * copies are borrowed. */
struct ap_cache_places {
  struct ap_cache_entry *entry; /* NULL: nothing is known of the frame */
  struct ap_native_part *parts;
  uint32_t part_count;
  struct ap_cell **rest; /* to be read from Parquet, in the given order */
  uint32_t rest_count;
  int64_t cached_bytes; /* of Parquet that need not be read */
};

/* Find the places, and count this as one use of each cell. */
AP_MUST_CHECK ap_status ap_cache_policy_look(struct ap_cache_policy *policy,
                                             const struct ap_cache_look *look,
                                             struct ap_arena *arena,
                                             struct ap_cache_places *out_places, ap_error *err);
/* Where the owner keeps what it needs to fill an entry. */
void **ap_cache_entry_source(struct ap_cache_entry *entry);

/* A copy to be made. Its entry stays until the fill has ended. */
struct ap_cache_fill {
  struct ap_cache_entry *entry;
  struct ap_cell **cells; /* retained, in order of path */
  uint32_t cell_count;
  int64_t parquet_bytes;
};

/* The next copy worth making now; false: none. `only` restricts it to one entry. */
bool ap_cache_policy_choose(struct ap_cache_policy *policy, struct ap_cache_entry *only,
                            int64_t now_us, struct ap_cache_fill *out_fill);
/* Whether there may be something to choose, and from when on; INT64_MAX: not before the next look.
 */
int64_t ap_cache_policy_next_us(const struct ap_cache_policy *policy);
/* The end of a fill: copy NULL: it failed. took_us: how long it was at work. A copy for which there
 * is no memory stays the caller's: false. */
bool ap_cache_policy_end_fill(struct ap_cache_policy *policy, struct ap_cache_fill *fill,
                              struct ap_native_copy *copy, int64_t size_bytes, int64_t took_us,
                              int64_t now_us);

/* Take a copy out; it is among the retired then. Unknown ones are fine. */
void ap_cache_policy_drop(struct ap_cache_policy *policy, const struct ap_native_copy *copy);
/* Forget what belongs to a frame. */
void ap_cache_policy_forget(struct ap_cache_policy *policy, struct ap_text frame_id);
/* Forget everything. No fill may be under way. */
void ap_cache_policy_clear(struct ap_cache_policy *policy);
/* A copy that was taken out since, once; NULL: none. */
struct ap_native_copy *ap_cache_policy_take_retired(struct ap_cache_policy *policy);

struct ap_cache_counts {
  int64_t budget_bytes;
  int64_t used_bytes; /* of files */
  uint64_t copy_count;
  uint64_t cell_count; /* in copies */
  uint64_t hits;       /* cells read from copies */
  uint64_t misses;     /* cells read from Parquet */
  uint64_t hit_bytes;  /* of Parquet not read */
  uint64_t admissions; /* cells copied */
  uint64_t evictions;  /* copies let go to make room, or for their failing */
  uint64_t failed_fills;
};
void ap_cache_policy_get_counts(const struct ap_cache_policy *policy,
                                struct ap_cache_counts *out_counts);

#endif
