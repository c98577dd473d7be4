/* SPDX-License-Identifier: Apache-2.0
 *
 * See text.h.
 */
#include "text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void end_without_memory(void) {
  static const char message[] = "apiary: out of memory\n";
  ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);
  (void)written;
  _exit(1);
}

void *cli_allocate(size_t count, size_t size) {
  void *memory = calloc(count == 0 ? 1 : count, size == 0 ? 1 : size);
  if (memory == NULL) end_without_memory();
  return memory;
}

void *cli_reallocate(void *memory, size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size) end_without_memory();
  void *grown = realloc(memory, count * size == 0 ? 1 : count * size);
  if (grown == NULL) end_without_memory();
  return grown;
}

char *cli_copy(const char *data, size_t size) {
  char *copy = cli_allocate(size + 1, 1);
  if (size > 0) memcpy(copy, data, size);
  return copy;
}

void cli_text_deinit(struct cli_text *text) {
  free(text->data);
  *text = (struct cli_text){0};
}

void cli_text_clear(struct cli_text *text) {
  text->size = 0;
  if (text->data != NULL) text->data[0] = '\0';
}

const char *cli_text_string(const struct cli_text *text) {
  return text->data == NULL ? "" : text->data;
}

/* Room for size bytes more and the NUL. */
static void reserve(struct cli_text *text, size_t size) {
  if (size > SIZE_MAX / 2 - text->size) end_without_memory();
  size_t wanted = text->size + size + 1;
  if (wanted <= text->capacity) return;
  size_t capacity = text->capacity < 64 ? 64 : text->capacity;
  while (capacity < wanted) capacity *= 2;
  text->data = cli_reallocate(text->data, capacity, 1);
  text->capacity = capacity;
}

void cli_text_append(struct cli_text *text, const char *data, size_t size) {
  reserve(text, size);
  if (size > 0) memcpy(text->data + text->size, data, size);
  text->size += size;
  text->data[text->size] = '\0';
}

void cli_text_append_string(struct cli_text *text, const char *string) {
  cli_text_append(text, string, strlen(string));
}

void cli_text_append_char(struct cli_text *text, char c) {
  cli_text_append(text, &c, 1);
}

void cli_text_append_repeated(struct cli_text *text, const char *string, size_t count) {
  for (size_t i = 0; i < count; ++i) cli_text_append_string(text, string);
}

void cli_text_append_format(struct cli_text *text, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  if (size <= 0) return;
  reserve(text, (size_t)size);
  va_start(arguments, format);
  (void)vsnprintf(text->data + text->size, (size_t)size + 1, format, arguments);
  va_end(arguments);
  text->size += (size_t)size;
}
