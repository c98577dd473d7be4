/* SPDX-License-Identifier: Apache-2.0
 *
 * See output.h.
 */
#include "output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BUFFER_BYTES = 64 * 1024 };

void cli_output_init(struct cli_output *output, int fd) {
  *output = (struct cli_output){.fd = fd, .is_terminal = isatty(fd) == 1};
}

void cli_output_deinit(struct cli_output *output) {
  cli_text_deinit(&output->bytes);
}

static void write_all(struct cli_output *output, const char *data, size_t size) {
  while (size > 0 && output->error == 0) {
    ssize_t written = write(output->fd, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      output->error = errno;
      return;
    }
    data += written;
    size -= (size_t)written;
  }
}

bool cli_output_flush(struct cli_output *output) {
  write_all(output, cli_text_string(&output->bytes), output->bytes.size);
  cli_text_clear(&output->bytes);
  return output->error == 0;
}

bool cli_output_write(struct cli_output *output, const char *data, size_t size) {
  if (output->error != 0) return false;
  cli_text_append(&output->bytes, data, size);
  return output->bytes.size < BUFFER_BYTES || cli_output_flush(output);
}

bool cli_output_string(struct cli_output *output, const char *string) {
  return cli_output_write(output, string, strlen(string));
}

bool cli_output_format(struct cli_output *output, const char *format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (size < 0) return output->error == 0;
  if ((size_t)size < sizeof line) return cli_output_write(output, line, (size_t)size);
  char *whole = cli_allocate((size_t)size + 1, 1);
  va_start(arguments, format);
  (void)vsnprintf(whole, (size_t)size + 1, format, arguments);
  va_end(arguments);
  struct cli_text text = {whole, (size_t)size, (size_t)size + 1};
  bool fine = cli_output_write(output, text.data, text.size);
  cli_text_deinit(&text);
  return fine;
}

size_t cli_output_columns(const struct cli_output *output) {
  struct winsize size = {0};
  if (!output->is_terminal || ioctl(output->fd, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}
