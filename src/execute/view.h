/* SPDX-License-Identifier: Apache-2.0
 *
 * Views: what the catalog keeps of one, and unfolding them in a statement's tree.
 *
 * A view keeps the text it was created with and what was in use then, which completes the names in
 * it. Its columns are those it had then: columns that its frames get later do not show, and one
 * that is gone is an error. References are looked up whenever it is read.
 */
#ifndef AP_EXECUTE_VIEW_H
#define AP_EXECUTE_VIEW_H

#include "execute/node.h"
#include "plan/tree.h"

struct ap_view_column {
  struct ap_text name;
  struct ap_text source; /* the column of the text that it shows */
  struct ap_text type;   /* the engine's word, when the view was created */
};

struct ap_view_definition {
  struct ap_text sql;
  struct ap_text hive; /* in use when it was created; may be empty */
  struct ap_text box;
  const struct ap_view_column *columns;
  uint32_t column_count;
};

/* To and from the text that the catalog keeps. AP_CORRUPT names the view. */
void ap_view_write(struct ap_buffer *out, const struct ap_view_definition *view);
AP_MUST_CHECK ap_status ap_view_read(struct ap_arena *arena, const struct ap_frame_entry *entry,
                                     struct ap_view_definition *out_view, ap_error *err);

/* The views that are being unfolded, innermost first. */
struct ap_view_chain {
  const struct ap_frame_entry *entry;
  const struct ap_view_chain *outer;
};

/* Put a subquery in the place of each reference to a view, and of those in it; *tree is another one
 * then (is_changed). A view read AS OF a time has all its frames read as of that time. within: the
 * view that is being created; NULL: none. Errors name the view: AP_NOT_FOUND when what it reads is
 * gone, AP_STATE when it reads itself. */
AP_MUST_CHECK ap_status ap_views_unfold(struct ap_node *node, struct ap_chamber *chamber,
                                        struct ap_text hive, struct ap_text box,
                                        const struct ap_view_chain *within, struct ap_arena *arena,
                                        struct ap_tree *tree, ap_error *err);

#endif
