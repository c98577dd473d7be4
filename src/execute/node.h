/* SPDX-License-Identifier: Apache-2.0
 *
 * A node: one process's view of a storage root. Owns the store, the catalog, the engine and the
 * ledgers of the frames it has touched, and opens each when it is first needed.
 * Thread: safe from any thread.
 */
#ifndef AP_EXECUTE_NODE_H
#define AP_EXECUTE_NODE_H

#include "catalog/catalog.h"
#include "engine/engine.h"
#include "execute/cache.h"
#include "execute/turns.h"
#include "ledger/ledger.h"
#include "store/local.h"

struct ap_node_options {
  const char *name;
  const char *root;     /* folder */
  int64_t memory_bytes; /* 0: what the machine gives */
  uint32_t bees;        /* 0: every core */
  enum ap_durability durability;
  int64_t cache_bytes;   /* of the cell cache's files; 0: no cache */
  bool cache_eager;      /* cells are copied before they are first read */
  int64_t scratch_bytes; /* of disk that one statement may spill to; 0: 90% of what is free */
};

struct ap_node;

/* The memory of a node that is given so much; 0: what the machine gives. */
int64_t ap_node_memory(int64_t memory_bytes);

/* Makes the folder. env outlives the node. */
AP_MUST_CHECK ap_status ap_node_open(const struct ap_env *env,
                                     const struct ap_node_options *options,
                                     struct ap_node **out_node, ap_error *err);
/* The same over a store that is there already; options->root says nothing then. The store is taken,
 * on failure too, and must have a local path. */
AP_MUST_CHECK ap_status ap_node_open_over(const struct ap_env *env,
                                          const struct ap_node_options *options,
                                          struct ap_store *store, struct ap_node **out_node,
                                          ap_error *err);
/* No session, stream or frame of it may be in use. NULL is allowed. */
void ap_node_close(struct ap_node *node);

struct ap_node_facts {
  const char *name;
  const char *id;
  const char *storage;
  uint32_t bees;
  int64_t memory_bytes; /* of all bees */
  int64_t bee_memory_bytes;
  int64_t cell_target_bytes; /* leafcutter */
};
void ap_node_get_facts(const struct ap_node *node, struct ap_node_facts *out_facts);

const struct ap_env *ap_node_env(struct ap_node *node);
struct ap_store *ap_node_store(struct ap_node *node);
struct ap_catalog *ap_node_catalog(struct ap_node *node);
struct ap_engine *ap_node_engine(struct ap_node *node);
struct ap_cache *ap_node_cache(struct ap_node *node); /* NULL: none */
struct ap_turns *ap_node_turns(struct ap_node *node);

/* Colony temperature of this node: 0.4 x busy share of bees + 0.4 x memory share + 0.2 x queued
 * share, in [0, 1]. */
double ap_node_temperature(struct ap_node *node);

/* A frame in use: its entry in the catalog and its ledger, which the node keeps while anybody uses
 * it and for a while after. */
struct ap_frame {
  struct ap_frame_entry entry; /* texts live as long as the frame is held */
  struct ap_ledger *ledger;
};

/* AP_NOT_FOUND names what is missing. Give it back with ap_node_release_frame. */
AP_MUST_CHECK ap_status ap_node_find_frame(struct ap_node *node, struct ap_text hive,
                                           struct ap_text box, struct ap_text name,
                                           struct ap_frame **out_frame, ap_error *err);
void ap_node_release_frame(struct ap_node *node, struct ap_frame *frame); /* NULL is allowed */
/* Put "frame hive.box.name: " before what the frame's ledger says; gives status back. */
ap_status ap_frame_error(const struct ap_frame *frame, ap_status status, ap_error *err);
/* The frame's latest snapshot; errors name the frame. */
AP_MUST_CHECK ap_status ap_frame_latest(const struct ap_frame *frame,
                                        struct ap_snapshot **out_snapshot, ap_error *err);
/* The ledger at a location that the catalog does not know yet. */
AP_MUST_CHECK ap_status ap_node_open_ledger(struct ap_node *node, struct ap_text location,
                                            struct ap_ledger **out_ledger, ap_error *err);

/* How long a query waits for a chamber. */
#define AP_CHAMBER_WAIT_MS 60000

#endif
