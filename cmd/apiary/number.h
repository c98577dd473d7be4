/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers as text that reads back as the same number. Pure.
 */
#ifndef CLI_NUMBER_H
#define CLI_NUMBER_H

#include "text.h"

#include <stdint.h>

/* The fewest digits that give the same float again; "42.0", "1e+16", "inf", "-inf", "nan". */
void cli_append_f64(struct cli_text *text, double value);
void cli_append_f32(struct cli_text *text, float value);
/* The bits of an IEEE half. */
void cli_append_f16(struct cli_text *text, uint16_t bits);

void cli_append_u64(struct cli_text *text, uint64_t size, bool is_negative);

/* An integer's digits ("-12345") with `scale` of them behind the point; negative: zeros behind. */
void cli_append_scaled(struct cli_text *text, const char *digits, size_t size, int32_t scale);

/* 1234567 as "1,234,567". */
void cli_append_grouped(struct cli_text *text, int64_t value);
/* Bytes as "812 B", "7.2 MB" (units of ten). */
void cli_append_size(struct cli_text *text, int64_t bytes);
/* Decimal digits alone, no sign; false when it is none or does not fit. */
bool cli_parse_count(const char *string, int64_t *out_count);

#endif
