/* SPDX-License-Identifier: Apache-2.0
 *
 * Conditions that come as texts and are put into a statement. A text is one condition when it
 * cannot leave the parentheses that are put around it; what stands within them is the engine's to
 * judge. Pure; any thread.
 */
#ifndef AP_PLAN_CONDITION_H
#define AP_PLAN_CONDITION_H

#include "base/status.h"
#include "base/text.h"

/* Append "(condition)". AP_SYNTAX when the text is empty, ends a statement, has a parenthesis too
 * many or too few, or a quote or comment without its end. */
AP_MUST_CHECK ap_status ap_condition_append(struct ap_buffer *out, struct ap_text condition,
                                            ap_error *err);

#endif
