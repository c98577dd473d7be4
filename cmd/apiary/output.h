/* SPDX-License-Identifier: Apache-2.0
 *
 * Buffered bytes to a file descriptor.
 *
 * The first failure is kept and everything after it is dropped. A reader that went away (| head) is
 * a failure like others here; callers end quietly on it. Rows may be held back until there are more
 * than the screen takes: then `overflow` may choose another descriptor (a pager's).
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "text.h"

struct cli_output {
  int fd;
  int error; /* errno of the first failure */
  bool is_terminal;
  struct cli_text bytes;
  size_t held_max; /* lines of the screen that are held back; 0: none */
  size_t held;     /* lines so far */
  size_t columns;  /* of the screen, for long lines; 0: any */
  size_t line;     /* columns of the line that is not ended */
  void (*overflow)(void *context);
  void (*before)(void *context); /* what to do before bytes are seen: away with the progress bar */
  void *context;
  void *before_context;
  double flushed_ms;
};

void cli_output_init(struct cli_output *output, int fd);
/* Does not flush. */
void cli_output_deinit(struct cli_output *output);
/* False once something could not be written. */
bool cli_output_write(struct cli_output *output, const char *data, size_t size);
bool cli_output_string(struct cli_output *output, const char *string);
bool cli_output_format(struct cli_output *output, const char *format, ...)
    __attribute__((__format__(__printf__, 2, 3)));
bool cli_output_flush(struct cli_output *output);
/* Between two batches of rows: show what there is, unless it is held back or has just been done. */
bool cli_output_pause(struct cli_output *output);
/* Whether the reader of a pipe went away, without writing to it. */
bool cli_output_is_left(const struct cli_output *output);
/* Columns and lines of the terminal; 0 where there is none. */
size_t cli_output_columns(const struct cli_output *output);
size_t cli_output_lines(const struct cli_output *output);

#endif
