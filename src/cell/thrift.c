/* SPDX-License-Identifier: Apache-2.0
 *
 * See thrift.h.
 */
#include "cell/thrift.h"

#include "base/assert.h"

enum {
  TYPE_TRUE = 1,
  TYPE_FALSE = 2,
  TYPE_I8 = 3,
  TYPE_I64 = 6,
  TYPE_LIST = 9,
};

static void append_byte(struct ap_buffer *out, uint32_t byte) {
  const char text = (char)(unsigned char)byte;
  ap_buffer_append(out, &text, 1);
}

void ap_varint_append(struct ap_buffer *out, uint64_t value) {
  while (value >= 0x80) {
    append_byte(out, (uint32_t)(value & 0x7f) | 0x80);
    value >>= 7;
  }
  append_byte(out, (uint32_t)value);
}

static uint64_t zigzag(int64_t value) {
  return ((uint64_t)value << 1) ^ (uint64_t)(value < 0 ? -1 : 0);
}

static void field_header(struct ap_thrift *thrift, int16_t field, uint32_t type) {
  AP_ASSERT(thrift->depth > 0);
  int16_t *last = &thrift->last_field[thrift->depth - 1];
  AP_ASSERT(field > *last);
  int32_t step = field - *last;
  if (step <= 15) {
    append_byte(thrift->out, (uint32_t)step << 4 | type);
  } else {
    append_byte(thrift->out, type);
    ap_varint_append(thrift->out, zigzag(field));
  }
  *last = field;
}

static void open_struct(struct ap_thrift *thrift) {
  AP_ASSERT(thrift->depth < AP_THRIFT_DEPTH_MAX);
  thrift->last_field[thrift->depth++] = 0;
}

void ap_thrift_init(struct ap_thrift *thrift, struct ap_buffer *out) {
  *thrift = (struct ap_thrift){.out = out};
  open_struct(thrift);
}

void ap_thrift_end(struct ap_thrift *thrift) {
  AP_ASSERT(thrift->depth > 0);
  append_byte(thrift->out, 0);
  thrift->depth -= 1;
}

void ap_thrift_i32(struct ap_thrift *thrift, int16_t field, int32_t value) {
  field_header(thrift, field, AP_THRIFT_I32);
  ap_varint_append(thrift->out, zigzag(value));
}

void ap_thrift_i64(struct ap_thrift *thrift, int16_t field, int64_t value) {
  field_header(thrift, field, TYPE_I64);
  ap_varint_append(thrift->out, zigzag(value));
}

void ap_thrift_i8(struct ap_thrift *thrift, int16_t field, int8_t value) {
  field_header(thrift, field, TYPE_I8);
  append_byte(thrift->out, (unsigned char)value);
}

void ap_thrift_bool(struct ap_thrift *thrift, int16_t field, bool value) {
  field_header(thrift, field, value ? TYPE_TRUE : TYPE_FALSE);
}

void ap_thrift_binary(struct ap_thrift *thrift, int16_t field, struct ap_text value) {
  field_header(thrift, field, AP_THRIFT_BINARY);
  ap_thrift_element_binary(thrift, value);
}

void ap_thrift_struct(struct ap_thrift *thrift, int16_t field) {
  field_header(thrift, field, AP_THRIFT_STRUCT);
  open_struct(thrift);
}

void ap_thrift_list(struct ap_thrift *thrift, int16_t field, enum ap_thrift_type type,
                    uint32_t count) {
  field_header(thrift, field, TYPE_LIST);
  if (count < 15) {
    append_byte(thrift->out, count << 4 | type);
  } else {
    append_byte(thrift->out, 0xf0 | type);
    ap_varint_append(thrift->out, count);
  }
}

void ap_thrift_element_i32(struct ap_thrift *thrift, int32_t value) {
  ap_varint_append(thrift->out, zigzag(value));
}

void ap_thrift_element_binary(struct ap_thrift *thrift, struct ap_text value) {
  ap_varint_append(thrift->out, value.size);
  ap_buffer_append_text(thrift->out, value);
}

void ap_thrift_element_struct(struct ap_thrift *thrift) {
  open_struct(thrift);
}
