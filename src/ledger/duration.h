/* SPDX-License-Identifier: Apache-2.0
 *
 * Durations of table properties: "interval 30 days", "interval 1 week 12 hours".
 */
#ifndef AP_LEDGER_DURATION_H
#define AP_LEDGER_DURATION_H

#include "base/text.h"

/* Milliseconds of a calendar interval; the word "interval" may be missing, case does not matter.
 * False on anything else: months and years, which have no fixed length, negative and overflowing
 * numbers. */
bool ap_duration_parse(struct ap_text text, int64_t *out_ms);

#endif
