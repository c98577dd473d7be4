/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog's objects as bytes: changes, checkpoints and the hint, both ways. Pure: no I/O.
 * Readers refuse what does not fit (AP_CORRUPT) or what a newer version wrote (AP_UNSUPPORTED).
 * Module-internal.
 */
#ifndef AP_CATALOG_LOG_H
#define AP_CATALOG_LOG_H

#include "catalog/state.h"

/* One version: {"format":1,"id":"<uuid>","timestamp_ms":n,"actions":[{"op":"create",...}]}. */
struct ap_catalog_change {
  struct ap_text id;
  int64_t timestamp_ms;
  uint32_t action_count;
  struct ap_catalog_action *actions;
};

void ap_catalog_change_append(struct ap_buffer *out, const struct ap_catalog_change *change);
/* Texts and actions are in the arena. Names and locations are checked as if a user gave them. */
AP_MUST_CHECK ap_status ap_catalog_change_parse(struct ap_arena *arena, struct ap_text bytes,
                                                struct ap_catalog_change *out_change,
                                                ap_error *err);

/* A whole state: {"format":1,"version":n,"entries":[..]}. */
void ap_catalog_checkpoint_append(struct ap_buffer *out, const struct ap_catalog_state *state);
AP_MUST_CHECK ap_status ap_catalog_checkpoint_parse(struct ap_allocator *allocator,
                                                    struct ap_text bytes,
                                                    struct ap_catalog_state **out_state,
                                                    ap_error *err);

/* {"version":n}; AP_CORRUPT when it is anything else. */
void ap_catalog_hint_append(struct ap_buffer *out, int64_t version);
AP_MUST_CHECK ap_status ap_catalog_hint_parse(struct ap_allocator *allocator, struct ap_text bytes,
                                              int64_t *out_version, ap_error *err);

#endif
