/* SPDX-License-Identifier: Apache-2.0
 *
 * How a frame is read: the plan of its view, the view's text, and what the view looks up.
 *
 * Variables of view <n>: ap_<n>: the files; ap_<n>_p<i>: the i-th partition column's values by
 * file; table temp.ap_<n>_dv: deleted rows. Internal to this module.
 */
#ifndef AP_ENGINE_VIEW_H
#define AP_ENGINE_VIEW_H

#include "engine/chamber.h"

struct ap_view {
  const struct ap_frame_binding *binding;
  uint64_t number;
  bool unite;               /* files may lack columns or hold narrower ones */
  bool by_id;               /* columns are found by field id, not by name */
  bool partitions_in_paths; /* folder names say the partition values */
  bool one_file;            /* one cell, and no other file beside it */
  bool has_deleted_rows;
  bool number_is_taken; /* a column is called file_index */
};

/* Decide how. AP_UNSUPPORTED for what cannot be read rightly. */
AP_MUST_CHECK ap_status ap_view_plan(const struct ap_frame_binding *binding, uint64_t number,
                                     const char *scratch_folder, struct ap_view *out_view,
                                     ap_error *err);

/* SELECT ... of the cells, without the parts. number_column: what the number of each row's cell,
 * from 0, is to be called; empty: it is left out. */
void ap_view_append_select(struct ap_buffer *out, const struct ap_view *view,
                           struct ap_text number_column);
/* CREATE OR REPLACE VIEW ...; the same text as long as only the cells differ,
 * one cell from several apart. */
void ap_view_append_create(struct ap_buffer *out, const struct ap_view *view);
void ap_view_append_drop(struct ap_buffer *out, const struct ap_bound_frame *frame);

/* Hand over files and partition values. */
AP_MUST_CHECK ap_status ap_view_set_variables(struct ap_chamber *chamber,
                                              const struct ap_view *view, ap_error *err);
/* Hand over deleted rows, when there are any. */
AP_MUST_CHECK ap_status ap_view_set_deleted_rows(struct ap_chamber *chamber,
                                                 const struct ap_view *view, ap_error *err);

#endif
