/* SPDX-License-Identifier: Apache-2.0
 *
 * Options of the engine that hold for one statement of one session: set when the chamber is got
 * ready, taken back before anybody else can have it.
 * Thread: the chamber's holder.
 */
#include "engine/chamber.h"

/* Every option that a session may set. */
static const char reset[] = "RESET default_order; RESET default_null_order";

ap_status ap_chamber_set_options(struct ap_chamber *chamber, struct ap_text settings,
                                 ap_error *err) {
  if (chamber->has_options) {
    AP_TRY(ap_chamber_run(chamber, reset, NULL, err));
    chamber->has_options = false;
  }
  if (settings.size == 0) return AP_OK;
  struct ap_buffer sql;
  ap_buffer_init(&sql, chamber->engine->env->allocator);
  ap_buffer_append_text(&sql, settings);
  ap_status status = ap_buffer_check(&sql, err);
  chamber->has_options = true;
  if (status == AP_OK) status = ap_chamber_run(chamber, sql.data, NULL, err);
  ap_buffer_deinit(&sql);
  return status;
}

void ap_chamber_forget_options(struct ap_chamber *chamber) {
  if (!chamber->has_options) return;
  chamber->has_options = false;
  if (ap_chamber_run(chamber, reset, NULL, NULL) != AP_OK) chamber->broken = true;
}
