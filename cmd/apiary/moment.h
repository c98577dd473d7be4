/* SPDX-License-Identifier: Apache-2.0
 *
 * Dates, times, timestamps and intervals as the engine writes them. Pure.
 */
#ifndef CLI_MOMENT_H
#define CLI_MOMENT_H

#include "text.h"

#include <stdint.h>

/* Days since 1970: "2026-01-31", "0045-03-15 (BC)". */
void cli_append_date(struct cli_text *text, int64_t days);
/* Since midnight, in units of which `per_second` make a second: "04:05:06.789". */
void cli_append_time(struct cli_text *text, int64_t value, int64_t per_second);
/* Since 1970, in such units: "2026-01-31 04:05:06.789", with "+00" behind when it has a zone;
 * the largest and the smallest number but one are "infinity" and "-infinity". */
void cli_append_timestamp(struct cli_text *text, int64_t value, int64_t per_second, bool has_zone);
/* "1 year 2 months -3 days 04:05:06". */
void cli_append_interval(struct cli_text *text, int64_t months, int64_t days, int64_t nanoseconds);

#endif
