/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8, and how many columns of a terminal text takes.
 *
 * Widths come from the C library's wcwidth, so a UTF-8 locale must be set (cli_width_set_locale).
 */
#ifndef CLI_WIDTH_H
#define CLI_WIDTH_H

#include "text.h"

#include <stdint.h>

/* Choose a UTF-8 locale for characters (numbers stay those of C). At start, before any thread. */
void cli_width_set_locale(void);

/* The size of the character at data, 1 to 4; 0 when it is not UTF-8. size > 0. */
size_t cli_utf8_decode(const char *data, size_t size, uint32_t *out_character);
void cli_utf8_append(struct cli_text *text, uint32_t character);

/* Columns that text takes, as cli_width_append shows it. */
size_t cli_width_of(const char *data, size_t size);

/* Append at most columns_max columns of text, ending in "…" when it was cut. What would move the
 * cursor or steer the terminal is shown as \n, \t, \x1b or \u{200b}. Gives the columns. */
size_t cli_width_append(struct cli_text *text, const char *data, size_t size, size_t columns_max);

#endif
