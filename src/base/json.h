/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON (RFC 8259), read into an arena and written into a buffer.
 *
 * Guarantees: numbers keep their text to the digit, because statistics of decimal(38) columns and
 * versions beyond 2^53 must survive (the general libraries at hand round or refuse them). Depth and
 * size are limited (limits.h). Invalid UTF-8, lone surrogates, duplicate commas, trailing bytes:
 * AP_CORRUPT with the byte offset.
 */
#ifndef AP_BASE_JSON_H
#define AP_BASE_JSON_H

#include "base/text.h"

enum ap_json_kind {
  AP_JSON_NULL,
  AP_JSON_FALSE,
  AP_JSON_TRUE,
  AP_JSON_NUMBER,
  AP_JSON_STRING,
  AP_JSON_ARRAY,
  AP_JSON_OBJECT,
};

struct ap_json {
  enum ap_json_kind kind;
  uint32_t count;      /* items of an array, members of an object */
  struct ap_text text; /* STRING: unescaped, NUL-terminated; NUMBER: as written */
  union {
    struct ap_json *items;
    struct ap_json_member *members; /* in the order of the text; the last of equal names wins */
  };
};

struct ap_json_member {
  struct ap_text name;
  struct ap_json value;
};

/* Read exactly one value. The result and all text in it live in the arena (input is not kept). */
AP_MUST_CHECK ap_status ap_json_parse(struct ap_arena *arena, struct ap_text input,
                                      const struct ap_json **out_value, ap_error *err);
/* The same with another limit of nesting, for trees that a program made (AP_TREE_DEPTH_MAX). */
AP_MUST_CHECK ap_status ap_json_parse_nested(struct ap_arena *arena, struct ap_text input,
                                             uint32_t depth_max, const struct ap_json **out_value,
                                             ap_error *err);

/* The member of an object; NULL when value is NULL, no object, or has no such member. */
const struct ap_json *ap_json_find(const struct ap_json *value, const char *name);
bool ap_json_is_null(const struct ap_json *value); /* true for NULL (absent) too */

/* Typed access to members. Absent or null: the fallback. Another kind: false, fallback is stored.
 */
bool ap_json_get_text(const struct ap_json *object, const char *name, struct ap_text fallback,
                      struct ap_text *out_value);
bool ap_json_get_i64(const struct ap_json *object, const char *name, int64_t fallback,
                     int64_t *out_value);
bool ap_json_get_bool(const struct ap_json *object, const char *name, bool fallback,
                      bool *out_value);

/* Writing. Commas are placed by the writer; nesting beyond the limit is asserted. */
struct ap_json_writer {
  struct ap_buffer *out;
  uint32_t depth;
  bool need_comma;
};

void ap_json_writer_init(struct ap_json_writer *writer, struct ap_buffer *out);
void ap_json_begin_object(struct ap_json_writer *writer);
void ap_json_end_object(struct ap_json_writer *writer);
void ap_json_begin_array(struct ap_json_writer *writer);
void ap_json_end_array(struct ap_json_writer *writer);
void ap_json_name(struct ap_json_writer *writer, struct ap_text name);
/* Bytes that are not UTF-8 become U+FFFD, so that the output is always JSON; where that would
 * change data the caller checks ap_text_is_utf8 first. */
void ap_json_string(struct ap_json_writer *writer, struct ap_text text);
void ap_json_i64(struct ap_json_writer *writer, int64_t number);
void ap_json_f64(struct ap_json_writer *writer, double number); /* shortest round trip; finite */
void ap_json_bool(struct ap_json_writer *writer, bool value);
void ap_json_null(struct ap_json_writer *writer);
void ap_json_raw(struct ap_json_writer *writer, struct ap_text json); /* already valid JSON */
/* A parsed value, written again; numbers to the digit. */
void ap_json_value(struct ap_json_writer *writer, const struct ap_json *value);
/* name and value in one go, for the common cases. */
void ap_json_member_string(struct ap_json_writer *writer, const char *name, struct ap_text text);
void ap_json_member_i64(struct ap_json_writer *writer, const char *name, int64_t number);
void ap_json_member_bool(struct ap_json_writer *writer, const char *name, bool value);

#endif
