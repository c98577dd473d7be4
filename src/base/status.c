/* SPDX-License-Identifier: Apache-2.0
 *
 * Statuses and errors. Everything is made of AP_STATUS_LIST, so a code cannot lack a name, SQLSTATE
 * or class. Messages are cut at a whole UTF-8 character, never overrun. Nothing allocates.
 * Thread: safe; each error belongs to its caller.
 */
#include "base/status.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *ap_status_name(ap_status status) {
  switch (status) {
#define AP_STATUS_ENTRY(code, number, sqlstate, error_class) \
  case code:                                                 \
    return #code;
    AP_STATUS_LIST(AP_STATUS_ENTRY)
#undef AP_STATUS_ENTRY
  }
  return "AP_INTERNAL";
}

const char *ap_status_sqlstate(ap_status status) {
  switch (status) {
#define AP_STATUS_ENTRY(code, number, sqlstate, error_class) \
  case code:                                                 \
    return sqlstate;
    AP_STATUS_LIST(AP_STATUS_ENTRY)
#undef AP_STATUS_ENTRY
  }
  return "XX000";
}

ap_error_class ap_status_class(ap_status status) {
  switch (status) {
#define AP_STATUS_ENTRY(code, number, sqlstate, error_class) \
  case code:                                                 \
    return error_class;
    AP_STATUS_LIST(AP_STATUS_ENTRY)
#undef AP_STATUS_ENTRY
  }
  return AP_CLASS_FATAL;
}

/* Take a character back whose last bytes were cut off. */
static void cut_partial_character(char *text, size_t size) {
  size_t start = size;
  while (start > 0 && size - start < 4) {
    unsigned char byte = (unsigned char)text[--start];
    if (byte < 0x80) return;
    if (byte >= 0xC0) {
      size_t wanted = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
      if (size - start < wanted) text[start] = '\0';
      return;
    }
  }
}

/* Through a second buffer, because arguments may point into what is being overwritten. capacity is
 * at most AP_ERROR_MESSAGE_MAX. */
static void format_into(char *out_text, size_t capacity, const char *format, va_list arguments) {
  char text[AP_ERROR_MESSAGE_MAX];
  AP_ASSERT(capacity <= sizeof(text));
  int wanted = vsnprintf(text, capacity, format, arguments);
  if (wanted < 0) text[0] = '\0';
  if (wanted >= 0 && (size_t)wanted >= capacity) cut_partial_character(text, capacity - 1);
  memcpy(out_text, text, strlen(text) + 1);
}

static void set_code(ap_error *err, ap_status code, const char *file, int line) {
  const char *slash = file ? strrchr(file, '/') : NULL;
  const char *name = slash ? slash + 1 : file ? file : "";
  err->code = code;
  err->error_class = ap_status_class(code);
  snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", ap_status_sqlstate(code));
  snprintf(err->origin, sizeof(err->origin), "%s:%d", name, line);
}

ap_status ap_error_set(ap_error *err, ap_status code, const char *file, int line,
                       const char *format, ...) {
  AP_ASSERT(code != AP_OK);
  if (!err) return code;
  va_list arguments;
  va_start(arguments, format);
  format_into(err->message, sizeof(err->message), format, arguments);
  va_end(arguments);
  err->hint[0] = '\0';
  err->position = 0;
  set_code(err, code, file, line);
  return code;
}

void ap_error_position(ap_error *err, uint64_t offset) {
  if (err) err->position = offset < UINT32_MAX ? (uint32_t)offset + 1 : 0;
}

void ap_error_hint(ap_error *err, const char *format, ...) {
  if (!err) return;
  va_list arguments;
  va_start(arguments, format);
  format_into(err->hint, sizeof(err->hint), format, arguments);
  va_end(arguments);
}

ap_status ap_error_prefix(ap_error *err, ap_status code, const char *format, ...) {
  if (!err) return code;
  if (err->code == AP_OK && code != AP_OK) set_code(err, code, NULL, 0);
  char prefix[AP_ERROR_MESSAGE_MAX];
  va_list arguments;
  va_start(arguments, format);
  format_into(prefix, sizeof(prefix), format, arguments);
  va_end(arguments);

  char whole[AP_ERROR_MESSAGE_MAX];
  int wanted = snprintf(whole, sizeof(whole), "%s: %s", prefix, err->message);
  if (wanted >= (int)sizeof(whole)) cut_partial_character(whole, sizeof(whole) - 1);
  memcpy(err->message, whole, strlen(whole) + 1);
  return err->code;
}

void ap_error_clear(ap_error *err) {
  if (err) memset(err, 0, sizeof(*err));
}
