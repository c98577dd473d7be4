/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a statement ends in text that is still being typed. Pure.
 */
#ifndef CLI_STATEMENT_H
#define CLI_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>

/* The size of the first statement with its semicolon; 0 when it is not complete. Semicolons in
 * quotes, dollar quotes and comments end nothing. */
size_t cli_statement_size(const char *text, size_t size);
/* Nothing but space, comments and semicolons. */
bool cli_statement_is_blank(const char *text, size_t size);
/* Whether the last statement does something rather than gives rows (USE, CREATE, DROP, ALTER), by
 * its first word. */
bool cli_statement_is_deed(const char *text, size_t size);

#endif
