/* SPDX-License-Identifier: Apache-2.0
 *
 * See width.h.
 */
#include "width.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

void cli_width_set_locale(void) {
  static const char *const names[] = {"", "C.UTF-8", "en_US.UTF-8", "UTF-8"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
    if (setlocale(LC_CTYPE, names[i]) == NULL) continue;
    if (strcmp(nl_langinfo(CODESET), "UTF-8") == 0) return;
  }
}

size_t cli_utf8_decode(const char *data, size_t size, uint32_t *out_character) {
  const uint8_t *bytes = (const uint8_t *)data;
  uint8_t first = bytes[0];
  size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (length == 0 || first > 0xf4 || length > size) return 0;
  uint32_t character = length == 1 ? first : first & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((bytes[i] & 0xc0) != 0x80) return 0;
    character = character << 6 | (bytes[i] & 0x3fu);
  }
  if (length == 3 && (character < 0x800 || (character >= 0xd800 && character < 0xe000))) return 0;
  if (length == 4 && (character < 0x10000 || character > 0x10ffff)) return 0;
  *out_character = character;
  return length;
}

void cli_utf8_append(struct cli_text *text, uint32_t character) {
  char bytes[4];
  size_t size = 1;
  if (character < 0x80) {
    bytes[0] = (char)character;
  } else if (character < 0x800) {
    bytes[0] = (char)(0xc0 | character >> 6);
    size = 2;
  } else if (character < 0x10000) {
    bytes[0] = (char)(0xe0 | character >> 12);
    size = 3;
  } else {
    bytes[0] = (char)(0xf0 | character >> 18);
    size = 4;
  }
  for (size_t i = 1; i < size; ++i) {
    bytes[i] = (char)(0x80 | (character >> 6 * (size - 1 - i) & 0x3f));
  }
  cli_text_append(text, bytes, size);
}

/* One character as it is shown. */
struct shown {
  char bytes[16];
  size_t size;
  size_t columns;
};

/* Gives how many bytes of data it stands for. */
static size_t show(const char *data, size_t size, struct shown *shown) {
  uint32_t character = 0;
  size_t length = cli_utf8_decode(data, size, &character);
  if (length == 0) {
    memcpy(shown->bytes, "\xef\xbf\xbd", 3); /* U+FFFD */
    *shown = (struct shown){{shown->bytes[0], shown->bytes[1], shown->bytes[2]}, 3, 1};
    return 1;
  }
  int columns = character < 0x20 || character == 0x7f ? -1
                : character < 0x7f                    ? 1
                                                      : wcwidth((wchar_t)character);
  if (columns < 0 ||
      (columns == 0 &&
       (character == 0xad || (character >= 0x200b && character < 0x2070 && character != 0x200d)))) {
    const char *form = character < 0x80 ? "\\x%02x" : "\\u{%x}";
    if (character == '\n') form = "\\n";
    if (character == '\t') form = "\\t";
    if (character == '\r') form = "\\r";
    int written = form[1] == 'x'   ? snprintf(shown->bytes, 16, "\\x%02x", (unsigned)character)
                  : form[1] == 'u' ? snprintf(shown->bytes, 16, "\\u{%x}", (unsigned)character)
                                   : snprintf(shown->bytes, 16, "%s", form);
    shown->size = (size_t)written;
    shown->columns = shown->size;
    return length;
  }
  memcpy(shown->bytes, data, length);
  shown->size = length;
  shown->columns = (size_t)columns;
  return length;
}

size_t cli_width_of(const char *data, size_t size) {
  size_t columns = 0;
  for (size_t i = 0; i < size;) {
    if (data[i] >= 0x20 && data[i] < 0x7f) {
      ++columns;
      ++i;
      continue;
    }
    struct shown shown;
    i += show(data + i, size - i, &shown);
    columns += shown.columns;
  }
  return columns;
}

size_t cli_width_append(struct cli_text *text, const char *data, size_t size, size_t columns_max) {
  bool cut = cli_width_of(data, size) > columns_max;
  size_t room = cut && columns_max > 0 ? columns_max - 1 : columns_max;
  size_t columns = 0;
  for (size_t i = 0; i < size;) {
    struct shown shown;
    i += show(data + i, size - i, &shown);
    if (columns + shown.columns > room) break;
    cli_text_append(text, shown.bytes, shown.size);
    columns += shown.columns;
  }
  if (cut && columns_max > 0) {
    cli_text_append_string(text, "…");
    ++columns;
  }
  return columns;
}
