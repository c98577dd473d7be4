/* SPDX-License-Identifier: Apache-2.0
 *
 * Growing text, and memory that is always there: a program that runs out of it says so and ends,
 * which loses nothing, since every write to storage is all or nothing.
 * Pure but for that. Any thread may use its own texts.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed memory for count items of size bytes; never NULL. */
void *cli_allocate(size_t count, size_t size);
/* More room, the old content kept; never NULL. */
void *cli_reallocate(void *memory, size_t count, size_t size);
/* A copy with a NUL behind. */
char *cli_copy(const char *data, size_t size);

/* data is NULL or NUL-terminated. Zeroed is empty. */
struct cli_text {
  char *data;
  size_t size;
  size_t capacity;
};

void cli_text_deinit(struct cli_text *text);
void cli_text_clear(struct cli_text *text);
/* The content as a string, "" when nothing was appended. Valid until the text changes. */
const char *cli_text_string(const struct cli_text *text);
void cli_text_append(struct cli_text *text, const char *data, size_t size);
void cli_text_append_string(struct cli_text *text, const char *string);
void cli_text_append_char(struct cli_text *text, char c);
void cli_text_append_repeated(struct cli_text *text, const char *string, size_t count);
void cli_text_append_format(struct cli_text *text, const char *format, ...)
    __attribute__((__format__(__printf__, 2, 3)));

#endif
