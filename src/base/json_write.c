/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing JSON into a buffer: compact, commas placed here. Running out of memory is remembered by
 * the buffer. What is written is valid JSON whatever bytes a string holds.
 * Thread: the buffer's.
 */
#include "base/json.h"

#include "base/assert.h"
#include "base/limits.h"

void ap_json_writer_init(struct ap_json_writer *writer, struct ap_buffer *out) {
  AP_ASSERT(out);
  *writer = (struct ap_json_writer){.out = out};
}

static void begin_value(struct ap_json_writer *writer) {
  if (writer->need_comma) ap_buffer_append(writer->out, ",", 1);
  writer->need_comma = true;
}

static void begin_container(struct ap_json_writer *writer, const char *opening) {
  AP_ASSERT(writer->depth < AP_JSON_DEPTH_MAX);
  begin_value(writer);
  ap_buffer_append(writer->out, opening, 1);
  writer->depth++;
  writer->need_comma = false;
}

static void end_container(struct ap_json_writer *writer, const char *closing) {
  AP_ASSERT(writer->depth > 0);
  ap_buffer_append(writer->out, closing, 1);
  writer->depth--;
  writer->need_comma = true;
}

void ap_json_begin_object(struct ap_json_writer *writer) {
  begin_container(writer, "{");
}

void ap_json_end_object(struct ap_json_writer *writer) {
  end_container(writer, "}");
}

void ap_json_begin_array(struct ap_json_writer *writer) {
  begin_container(writer, "[");
}

void ap_json_end_array(struct ap_json_writer *writer) {
  end_container(writer, "]");
}

static void append_escape(struct ap_buffer *out, unsigned char byte) {
  static const char hex[] = "0123456789abcdef";
  char escape[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
  size_t size = 2;
  switch (byte) {
    case '"':
    case '\\':
      escape[1] = (char)byte;
      break;
    case '\b':
      escape[1] = 'b';
      break;
    case '\f':
      escape[1] = 'f';
      break;
    case '\n':
      escape[1] = 'n';
      break;
    case '\r':
      escape[1] = 'r';
      break;
    case '\t':
      escape[1] = 't';
      break;
    default:
      size = 6;
  }
  ap_buffer_append(out, escape, size);
}

static void append_quoted(struct ap_buffer *out, struct ap_text text) {
  ap_buffer_append(out, "\"", 1);
  size_t start = 0; /* of the bytes that may be copied as they are */
  size_t at = 0;
  while (at < text.size) {
    unsigned char byte = (unsigned char)text.data[at];
    if (byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\') {
      at++;
      continue;
    }
    size_t size = ap_text_utf8_size((struct ap_text){text.data + at, text.size - at});
    if (byte >= 0x80 && size > 0) {
      at += size;
      continue;
    }
    if (at > start) ap_buffer_append(out, text.data + start, at - start);
    if (byte >= 0x80) {
      ap_buffer_append(out, "\xEF\xBF\xBD", 3);
    } else {
      append_escape(out, byte);
    }
    start = ++at;
  }
  if (at > start) ap_buffer_append(out, text.data + start, at - start);
  ap_buffer_append(out, "\"", 1);
}

void ap_json_name(struct ap_json_writer *writer, struct ap_text name) {
  AP_ASSERT(writer->depth > 0);
  begin_value(writer);
  append_quoted(writer->out, name);
  ap_buffer_append(writer->out, ":", 1);
  writer->need_comma = false;
}

void ap_json_string(struct ap_json_writer *writer, struct ap_text text) {
  begin_value(writer);
  append_quoted(writer->out, text);
}

void ap_json_i64(struct ap_json_writer *writer, int64_t number) {
  begin_value(writer);
  ap_buffer_append_format(writer->out, "%lld", (long long)number);
}

void ap_json_f64(struct ap_json_writer *writer, double number) {
  begin_value(writer);
  ap_buffer_append_f64(writer->out, number);
}

void ap_json_bool(struct ap_json_writer *writer, bool value) {
  ap_json_raw(writer, value ? AP_TEXT("true") : AP_TEXT("false"));
}

void ap_json_null(struct ap_json_writer *writer) {
  ap_json_raw(writer, AP_TEXT("null"));
}

void ap_json_raw(struct ap_json_writer *writer, struct ap_text json) {
  AP_ASSERT(json.size > 0);
  begin_value(writer);
  ap_buffer_append_text(writer->out, json);
}

/* The recursion is as deep as the value, which the reader bounds. */
void ap_json_value(struct ap_json_writer *writer, const struct ap_json *value) {
  switch (value->kind) {
    case AP_JSON_NULL:
      ap_json_null(writer);
      break;
    case AP_JSON_FALSE:
    case AP_JSON_TRUE:
      ap_json_bool(writer, value->kind == AP_JSON_TRUE);
      break;
    case AP_JSON_NUMBER:
      ap_json_raw(writer, value->text);
      break;
    case AP_JSON_STRING:
      ap_json_string(writer, value->text);
      break;
    case AP_JSON_ARRAY:
      ap_json_begin_array(writer);
      for (uint32_t i = 0; i < value->count; i++) ap_json_value(writer, &value->items[i]);
      ap_json_end_array(writer);
      break;
    case AP_JSON_OBJECT:
      ap_json_begin_object(writer);
      for (uint32_t i = 0; i < value->count; i++) {
        ap_json_name(writer, value->members[i].name);
        ap_json_value(writer, &value->members[i].value);
      }
      ap_json_end_object(writer);
      break;
  }
}

void ap_json_member_string(struct ap_json_writer *writer, const char *name, struct ap_text text) {
  ap_json_name(writer, ap_text_of(name));
  ap_json_string(writer, text);
}

void ap_json_member_i64(struct ap_json_writer *writer, const char *name, int64_t number) {
  ap_json_name(writer, ap_text_of(name));
  ap_json_i64(writer, number);
}

void ap_json_member_bool(struct ap_json_writer *writer, const char *name, bool value) {
  ap_json_name(writer, ap_text_of(name));
  ap_json_bool(writer, value);
}
