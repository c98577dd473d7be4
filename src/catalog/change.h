/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading and writing the catalog's log. Module-internal.
 *
 * Version n is "_apiary/catalog/<n, 20 digits>.json"; checkpoints are "<n>.checkpoint.json" beside
 * it and "_last" is a hint at the newest. Entries are never removed.
 * Thread: safe from any thread. The lock is held only to exchange the state's pointer, never over
 * I/O.
 */
#ifndef AP_CATALOG_CHANGE_H
#define AP_CATALOG_CHANGE_H

#include "catalog/catalog.h"
#include "catalog/state.h"

struct ap_catalog {
  const struct ap_env *env;
  struct ap_store *store;
  struct ap_mutex *mutex;
  struct ap_catalog_state *state; /* the newest known; NULL before the first read; under mutex */
};

/* The newest state there is; the caller releases it. */
AP_MUST_CHECK ap_status ap_catalog_refresh(struct ap_catalog *catalog,
                                           struct ap_catalog_state **out_state, ap_error *err);

/* What a caller wants changed. */
struct ap_catalog_wish {
  struct ap_catalog_action action;
  bool tolerant; /* CREATE of what exists, DROP of what does not: AP_OK without a change */
  bool cascade;  /* DROP: with what is in it */
  bool replace;  /* CREATE_VIEW: in the place of the view that is there */
  bool is_view;  /* what is dropped, renamed or moved by the name of a frame is to be a view */
  bool is_frame; /* ... is to be a frame */
};

/* Decides whether a wish fits a state. *out_needed: false when there is nothing to do. */
AP_MUST_CHECK ap_status ap_catalog_wish_check(const struct ap_catalog_state *state,
                                              const struct ap_catalog_wish *wish, bool *out_needed,
                                              ap_error *err);

/* Make it so, on the newest version there is. out_before (may be NULL) is the state that the change
 * was made on, to be released by the caller; set on AP_OK only. AP_OUTCOME_UNKNOWN: it may or may
 * not be made. */
AP_MUST_CHECK ap_status ap_catalog_commit(struct ap_catalog *catalog,
                                          const struct ap_catalog_wish *wish,
                                          struct ap_catalog_state **out_before, ap_error *err);

/* AP_STATE: the entry is a view, not a frame, or the other way round. */
ap_status ap_catalog_wrong_kind(const struct ap_catalog_entry *entry, ap_error *err);

/* AP_NOT_FOUND for the first of hive, box and frame (empty ones are not asked for) that the state
 * lacks, with the nearest name as hint; AP_OK when all are there. */
AP_MUST_CHECK ap_status ap_catalog_require(const struct ap_catalog_state *state,
                                           struct ap_text hive, struct ap_text box,
                                           struct ap_text frame, ap_error *err);

/* The same, where a missing frame is called a view. */
AP_MUST_CHECK ap_status ap_catalog_require_kind(const struct ap_catalog_state *state,
                                                struct ap_text hive, struct ap_text box,
                                                struct ap_text frame, bool is_view, ap_error *err);

#endif
