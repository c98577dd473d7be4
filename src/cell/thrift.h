/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing Thrift's compact protocol, as far as Parquet's metadata needs it ("Thrift Compact
 * protocol encoding" of the Apache Thrift specification). Fields of a struct must come in ascending
 * order. Running out of memory is remembered by the buffer.
 */
#ifndef AP_CELL_THRIFT_H
#define AP_CELL_THRIFT_H

#include "base/text.h"

enum { AP_THRIFT_DEPTH_MAX = 8 };

enum ap_thrift_type {
  AP_THRIFT_I32 = 5,
  AP_THRIFT_BINARY = 8,
  AP_THRIFT_STRUCT = 12,
};

struct ap_thrift {
  struct ap_buffer *out;
  int depth;                               /* of structs that are open */
  int16_t last_field[AP_THRIFT_DEPTH_MAX]; /* of each open struct */
};

/* Opens the outermost struct. */
void ap_thrift_init(struct ap_thrift *thrift, struct ap_buffer *out);
/* Ends the innermost open struct; the last end closes the message. */
void ap_thrift_end(struct ap_thrift *thrift);

void ap_thrift_i32(struct ap_thrift *thrift, int16_t field, int32_t value);
void ap_thrift_i64(struct ap_thrift *thrift, int16_t field, int64_t value);
void ap_thrift_i8(struct ap_thrift *thrift, int16_t field, int8_t value);
void ap_thrift_bool(struct ap_thrift *thrift, int16_t field, bool value);
void ap_thrift_binary(struct ap_thrift *thrift, int16_t field, struct ap_text value);
/* Opens a struct that is a field. */
void ap_thrift_struct(struct ap_thrift *thrift, int16_t field);
/* A list; its `count` elements follow by the calls below. */
void ap_thrift_list(struct ap_thrift *thrift, int16_t field, enum ap_thrift_type type,
                    uint32_t count);
void ap_thrift_element_i32(struct ap_thrift *thrift, int32_t value);
void ap_thrift_element_binary(struct ap_thrift *thrift, struct ap_text value);
void ap_thrift_element_struct(struct ap_thrift *thrift); /* opens it */

/* An unsigned number in base 128, low groups first; Parquet's run lengths use it too. */
void ap_varint_append(struct ap_buffer *out, uint64_t value);

#endif
