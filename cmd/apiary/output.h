/* SPDX-License-Identifier: Apache-2.0
 *
 * Buffered bytes to a file descriptor.
 *
 * The first failure is kept and everything after it is dropped. A reader that went away (| head) is
 * a failure like others here; callers end quietly on it.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "text.h"

struct cli_output {
  int fd;
  int error; /* errno of the first failure */
  bool is_terminal;
  struct cli_text bytes;
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
/* Columns of the terminal; 0 where there is none. */
size_t cli_output_columns(const struct cli_output *output);

#endif
