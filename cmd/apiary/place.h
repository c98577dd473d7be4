/* SPDX-License-Identifier: Apache-2.0
 *
 * Where in a statement an error lies: its line with a caret below. Pure.
 */
#ifndef CLI_PLACE_H
#define CLI_PLACE_H

#include "text.h"

/* Append the line of sql that holds the byte at offset, and a caret below that; long lines are cut
 * around it. *out_line is the line's number, from 1. Statements of several lines get it shown. */
void cli_place_append(struct cli_text *text, const char *sql, size_t offset, bool color,
                      unsigned *out_line);

/* Cut off a message what tells the place in words or shows it. */
void cli_place_trim(const char **message, size_t *size);

#endif
