/* SPDX-License-Identifier: Apache-2.0
 *
 * The cell cache of a node: decoded copies of the cells that queries read again and again, in files
 * of this process's own below <root>/_apiary/cache, each attached by any chamber.
 *
 * A thread of its own makes the copies while the node is idle, and a little at a time while it is
 * busy; nothing a query does waits for it, but with `eager`, where the query itself makes them
 * first. Whatever goes wrong here means only that Parquet is read. The folder goes when the node is
 * closed; what a killed process leaves behind, the next one removes.
 * Thread: safe from any thread. Locks: `lock` guards the policy; no I/O under it.
 */
#ifndef AP_EXECUTE_CACHE_H
#define AP_EXECUTE_CACHE_H

#include "catalog/catalog.h"
#include "execute/cache_policy.h"
#include "ledger/ledger.h"

struct ap_cache;

struct ap_cache_options {
  const char *folder; /* absolute; made when first needed */
  const char *id;     /* of the node: a plain name */
  int64_t budget_bytes;
  int64_t memory_limit_bytes; /* for making copies */
  uint32_t bees;
  bool eager;
};

/* env, engine and store outlive the cache. Starts nothing yet. */
AP_MUST_CHECK ap_status ap_cache_create(const struct ap_env *env, struct ap_engine *engine,
                                        struct ap_store *store,
                                        const struct ap_cache_options *options,
                                        struct ap_cache **out_cache, ap_error *err);
/* No query may use it. Ends what is being made. NULL is allowed. */
void ap_cache_destroy(struct ap_cache *cache);

struct ap_cache_request {
  const struct ap_frame_entry *frame;
  const struct ap_snapshot *snapshot;
  struct ap_cell *const *cells; /* what the query reads */
  uint32_t cell_count;
};

/* Where the query finds each of its cells. The places hold their copies until ap_cache_done. */
AP_MUST_CHECK ap_status ap_cache_find(struct ap_cache *cache,
                                      const struct ap_cache_request *request,
                                      struct ap_arena *arena, struct ap_cache_places *out_places,
                                      ap_error *err);
void ap_cache_done(struct ap_cache *cache, struct ap_cache_places *places);
/* Whether a copy among these has turned out to be unreadable; such are let go. */
bool ap_cache_check(struct ap_cache *cache, const struct ap_cache_places *places);

/* Forget a frame that was dropped. */
void ap_cache_forget(struct ap_cache *cache, struct ap_text frame_id);

struct ap_cache_status {
  struct ap_cache_counts counts;
  bool filling;
  bool pending; /* something else waits to be copied */
};
void ap_cache_get_status(struct ap_cache *cache, struct ap_cache_status *out_status);

#endif
