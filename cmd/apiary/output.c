/* SPDX-License-Identifier: Apache-2.0
 *
 * See output.h.
 */
#include "output.h"

#include "cli.h"
#include "width.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BUFFER_BYTES = 64 * 1024, PAUSE_MS = 100 };

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
  output->held_max = 0;
  if (output->bytes.size > 0 && output->before != NULL) output->before(output->before_context);
  output->flushed_ms = cli_now_ms();
  write_all(output, cli_text_string(&output->bytes), output->bytes.size);
  cli_text_clear(&output->bytes);
  return output->error == 0;
}

/* Count lines of the screen, of which a long line takes several. */
static void count_lines(struct cli_output *output, const char *data, size_t size) {
  while (size > 0 && output->held <= output->held_max) {
    const char *end = memchr(data, '\n', size);
    size_t part = end == NULL ? size : (size_t)(end - data);
    output->line += cli_width_of(data, part);
    if (end == NULL) return;
    bool is_long = output->columns > 0 && output->line > output->columns;
    output->held += is_long ? (output->line + output->columns - 1) / output->columns : 1;
    output->line = 0;
    data = end + 1;
    size -= part + 1;
  }
}

bool cli_output_write(struct cli_output *output, const char *data, size_t size) {
  if (output->error != 0) return false;
  cli_text_append(&output->bytes, data, size);
  if (output->held_max > 0) {
    count_lines(output, data, size);
    if (output->held <= output->held_max && output->bytes.size < BUFFER_BYTES) return true;
    if (output->before != NULL) output->before(output->before_context);
    output->overflow(output->context);
    return cli_output_flush(output);
  }
  return output->bytes.size < BUFFER_BYTES || cli_output_flush(output);
}

bool cli_output_pause(struct cli_output *output) {
  if (output->held_max > 0 || output->bytes.size == 0) return output->error == 0;
  if (cli_now_ms() - output->flushed_ms < PAUSE_MS) return output->error == 0;
  return cli_output_flush(output);
}

bool cli_output_is_left(const struct cli_output *output) {
  struct pollfd ready = {output->fd, 0, 0};
  return output->error == EPIPE || (poll(&ready, 1, 0) == 1 && (ready.revents & POLLERR) != 0);
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

size_t cli_output_lines(const struct cli_output *output) {
  struct winsize size = {0};
  if (!output->is_terminal || ioctl(output->fd, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_row;
}
