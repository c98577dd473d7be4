/* SPDX-License-Identifier: Apache-2.0
 *
 * From the names in a query to frames at versions.
 *
 * hive.box.frame; box.frame within the session's hive; frame within the session's hive and box.
 * Names of the engine's own schemas (information_schema, pg_catalog) and unqualified names that no
 * frame answers are left to the engine.
 */
#ifndef AP_EXECUTE_RESOLVE_H
#define AP_EXECUTE_RESOLVE_H

#include "execute/node.h"
#include "plan/tree.h"

/* Behind a frame's name in a text that Apiary wrote itself: the frame that a statement changes, its
 * view showing the places of its rows (AP_PLACE_FILE, AP_PLACE_ROW). No name holds the mark. */
#define AP_TARGET_MARK \
  "\x1f"               \
  "target"

/* Frames whose latest version is what somebody says: the one a statement changes, and those a
 * transaction has read. */
struct ap_pinned {
  struct ap_frame *frame;
  struct ap_snapshot *snapshot;
};
struct ap_pins {
  struct ap_pinned *items;
  uint32_t count;
  uint32_t room; /* frames that are found are added while there is room; 0: nothing is added */
};
/* The pin of a frame; NULL: none. */
struct ap_pinned *ap_pins_find(const struct ap_pins *pins, struct ap_text frame_id);
/* The frame's latest snapshot, or the one pinned; pinned from now on, when there is room. */
AP_MUST_CHECK ap_status ap_pins_take(struct ap_node *node, struct ap_pins *pins,
                                     struct ap_frame *frame, struct ap_snapshot **out_snapshot,
                                     ap_error *err);
/* Give all frames and snapshots back. */
void ap_pins_clear(struct ap_node *node, struct ap_pins *pins);

/* One frame at one version, however often the query names it. */
struct ap_resolved {
  struct ap_frame *frame;
  struct ap_snapshot *snapshot;
  struct ap_text view_name; /* the frame's name; for the past, with a mark of the version */
  bool is_past;
  bool is_target; /* named with AP_TARGET_MARK */
};

/* Zeroed memory is an empty resolution. Arrays are in the arena; frames and snapshots are held
 * until deinit. */
struct ap_resolution {
  struct ap_resolved **items;
  uint32_t count;
  struct ap_resolved **by_reference; /* NULL where the engine answers */
  ap_error unresolved;  /* why the first name that was left to the engine is no frame */
  struct ap_pins *pins; /* NULL: none; then the mark has no meaning either */
};

/* The hive and box of a reference, completed by what is in use. False: the engine answers it, or
 * something is missing. */
bool ap_resolve_complete(const struct ap_reference *reference, struct ap_text hive,
                         struct ap_text box, struct ap_text *out_hive, struct ap_text *out_box);

AP_MUST_CHECK ap_status ap_resolve(struct ap_node *node, struct ap_chamber *chamber,
                                   const struct ap_tree *tree, struct ap_text hive,
                                   struct ap_text box, struct ap_pins *pins, struct ap_arena *arena,
                                   struct ap_resolution *resolution, ap_error *err);
void ap_resolution_deinit(struct ap_node *node, struct ap_resolution *resolution);

/* References of a statement that has no tree: of PIVOT without values by plan/pivot.h, of others
 * from the engine's list of table names; these carry no conditions, so nothing is pruned. The
 * tree's root is NULL. */
AP_MUST_CHECK ap_status ap_resolve_names_without_tree(struct ap_chamber *chamber,
                                                      struct ap_text sql, struct ap_arena *arena,
                                                      struct ap_tree *out_tree, ap_error *err);

/* Milliseconds since 1970 of "2026-01-31", "2026-01-31 12:00:00[.fff]" or with 'T' and a zone; UTC
 * when no zone is given. AP_INVALID_ARGUMENT names the text. */
AP_MUST_CHECK ap_status ap_parse_timestamp_ms(struct ap_text text, int64_t *out_ms, ap_error *err);

#endif
