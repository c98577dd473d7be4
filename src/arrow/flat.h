/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading FlatBuffers that may lie: every access is checked against the bytes, nothing is assumed
 * about alignment. Internal to arrow/, for Arrow IPC's metadata.
 *
 * Written by hand because tables may be shared by many parents: a verifier that walks every path
 * can be kept busy for ever by a hundred bytes. Functions return false where the bytes lie; what is
 * absent is not a lie and gives the fallback.
 */
#ifndef AP_ARROW_FLAT_H
#define AP_ARROW_FLAT_H

#include "base/text.h"

struct ap_flat {
  const uint8_t *data;
  size_t size;
};

/* A table; `flat` is NULL when it is absent, and every field of it then is absent too. */
struct ap_flat_table {
  const struct ap_flat *flat;
  size_t at;
  size_t size;
  size_t vtable;
  size_t vtable_size;
};

/* A vector of structs, scalars or tables; count 0 when it is absent. */
struct ap_flat_vector {
  const struct ap_flat *flat;
  size_t at; /* of the first element */
  uint32_t count;
};

AP_MUST_CHECK bool ap_flat_root(const struct ap_flat *flat, struct ap_flat_table *out_table);
AP_MUST_CHECK bool ap_flat_u8(const struct ap_flat_table *table, uint32_t field, uint8_t fallback,
                              uint8_t *out_value);
AP_MUST_CHECK bool ap_flat_i16(const struct ap_flat_table *table, uint32_t field, int16_t fallback,
                               int16_t *out_value);
AP_MUST_CHECK bool ap_flat_i32(const struct ap_flat_table *table, uint32_t field, int32_t fallback,
                               int32_t *out_value);
AP_MUST_CHECK bool ap_flat_i64(const struct ap_flat_table *table, uint32_t field, int64_t fallback,
                               int64_t *out_value);
/* Absent: data NULL. */
AP_MUST_CHECK bool ap_flat_text(const struct ap_flat_table *table, uint32_t field,
                                struct ap_text *out_text);
AP_MUST_CHECK bool ap_flat_child(const struct ap_flat_table *table, uint32_t field,
                                 struct ap_flat_table *out_child);
AP_MUST_CHECK bool ap_flat_children(const struct ap_flat_table *table, uint32_t field,
                                    size_t element_bytes, struct ap_flat_vector *out_vector);
/* An element of a vector of tables; index is asserted. */
AP_MUST_CHECK bool ap_flat_at(const struct ap_flat_vector *vector, uint32_t index,
                              struct ap_flat_table *out_table);
/* A 64- or 32-bit integer at a byte of an element of structs or scalars; index is asserted. */
int64_t ap_flat_i64_at(const struct ap_flat_vector *vector, uint32_t index, size_t element_bytes,
                       size_t byte);
int32_t ap_flat_i32_at(const struct ap_flat_vector *vector, uint32_t index, size_t element_bytes,
                       size_t byte);

#endif
