/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules for names, and what is made of them. Pure functions; safe from any thread.
 */
#include "catalog/names.h"

#include "base/assert.h"
#include "base/limits.h"

#define LOCATION_PART_BYTES_MAX 120 /* a folder's name with a suffix stays below 255 bytes */

struct ap_catalog_shown ap_catalog_show(struct ap_text name) {
  struct ap_catalog_shown shown;
  bool cut = name.size > AP_NAME_BYTES_MAX;
  size_t limit = cut ? AP_NAME_BYTES_MAX : name.size;
  size_t size = 0;
  while (size < limit) {
    struct ap_text rest = {name.data + size, name.size - size};
    size_t step = ap_text_utf8_size(rest);
    bool plain = step > 1 || (step == 1 && (uint8_t)rest.data[0] >= 0x20 && rest.data[0] != 0x7f);
    if (step > 1 && size + step > limit) break;
    if (step == 0) step = 1;
    for (size_t i = 0; i < step; i++) shown.text[size + i] = plain ? rest.data[i] : '?';
    size += step;
  }
  for (int i = 0; cut && i < 3; i++) shown.text[size++] = '.';
  shown.text[size] = '\0';
  return shown;
}

static bool is_reserved(const char *what, struct ap_text name) {
  static const char *const reserved[] = {"system", "temp", "memory", "information_schema",
                                         "pg_catalog"};
  bool is_hive = ap_text_equal_string(ap_text_of(what), "hive");
  if (!is_hive && !ap_text_equal_string(ap_text_of(what), "box")) return false;
  for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
    if (ap_text_equal_ignoring_case(name, ap_text_of(reserved[i]))) return true;
  }
  return is_hive && ap_text_equal_ignoring_case(name, AP_TEXT("main"));
}

static const char *broken_rule(const char *what, struct ap_text name) {
  if (name.size == 0) return "a name must not be empty";
  if (name.size > AP_NAME_BYTES_MAX) return "a name has at most 128 bytes";
  if (!ap_text_is_utf8(name)) return "a name must be UTF-8";
  for (size_t i = 0; i < name.size; i++) {
    char c = name.data[i];
    if ((uint8_t)c < 0x20 || c == 0x7f) return "a name must not have control characters";
    if (c == '/' || c == '\\' || c == '"') return "a name must not have '/', '\\' or '\"'";
  }
  if (name.data[0] == '.' || name.data[0] == '_') {
    return "a name must not begin with '.' or '_'";
  }
  if (name.data[0] == ' ' || name.data[name.size - 1] == ' ') {
    return "a name must not begin or end with a space";
  }
  if (is_reserved(what, name)) return "the engine keeps this name for itself";
  return NULL;
}

ap_status ap_catalog_check_name(const char *what, struct ap_text name, ap_error *err) {
  AP_ASSERT(what != NULL);
  const char *rule = broken_rule(what, name);
  if (rule == NULL) return AP_OK;
  ap_status status = AP_FAIL(err, AP_INVALID_ARGUMENT, "%s name '%s' is not allowed: %s", what,
                             ap_catalog_show(name).text, rule);
  ap_error_hint(err, "letters, digits, '_', '-' and inner spaces are always fine");
  return status;
}

ap_status ap_catalog_check_property(struct ap_text name, struct ap_text value, ap_error *err) {
  const char *rule = NULL;
  if (name.size == 0) {
    rule = "its name is empty";
  } else if (name.size > AP_PROPERTY_NAME_BYTES_MAX) {
    rule = "its name has more than 256 bytes";
  } else if (!ap_text_is_utf8(name) || !ap_text_is_utf8(value)) {
    rule = "name and value must be UTF-8";
  } else if (value.size > AP_PROPERTY_VALUE_BYTES_MAX) {
    rule = "its value has more than 65536 bytes";
  }
  if (rule == NULL) return AP_OK;
  return AP_FAIL(err, AP_INVALID_ARGUMENT, "property '%s' is not allowed: %s",
                 ap_catalog_show(name).text, rule);
}

/* Cut between characters. Two names that are cut alike get the same folder; the second finds it
 * taken and gets a suffix. */
static void append_part(struct ap_buffer *out, struct ap_text name) {
  static const char hex[] = "0123456789ABCDEF";
  size_t start = out->size;
  for (size_t i = 0; i < name.size; i++) {
    char c = name.data[i];
    uint8_t byte = (uint8_t)c;
    bool starts_character = (byte & 0xc0) != 0x80;
    /* The longest escaped character has 12 bytes. */
    if (starts_character && out->size - start > LOCATION_PART_BYTES_MAX - 12) return;
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '.' || c == '_' || c == '-';
    /* Not '%': readers that take a path for a URL would undo it. */
    char escaped[3] = {'~', hex[byte >> 4], hex[byte & 15]};
    ap_buffer_append(out, plain ? &c : escaped, plain ? 1 : 3);
  }
}

void ap_catalog_location_append(struct ap_buffer *out, struct ap_text hive, struct ap_text box,
                                struct ap_text frame, struct ap_text suffix) {
  append_part(out, hive);
  ap_buffer_append_string(out, "/");
  append_part(out, box);
  ap_buffer_append_string(out, "/");
  append_part(out, frame);
  if (suffix.size > 0) {
    ap_buffer_append_string(out, "-");
    ap_buffer_append_text(out, suffix);
  }
}
