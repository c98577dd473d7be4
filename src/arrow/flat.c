/* SPDX-License-Identifier: Apache-2.0
 *
 * FlatBuffers, read with every access checked.
 *
 * The format: a table begins with the signed distance to its vtable; the vtable holds its own size,
 * the table's size, and per field the field's offset in the table or 0. Children are at unsigned
 * distances forward. All little-endian, as is every machine this is built for.
 */
#include "arrow/flat.h"

#include "base/assert.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "Arrow memory is read as it lies");

static bool holds(const struct ap_flat *flat, size_t at, size_t bytes) {
  return at <= flat->size && bytes <= flat->size - at;
}

static uint32_t load_u32(const struct ap_flat *flat, size_t at) {
  uint32_t value = 0;
  memcpy(&value, flat->data + at, sizeof(value));
  return value;
}

static uint16_t load_u16(const struct ap_flat *flat, size_t at) {
  uint16_t value = 0;
  memcpy(&value, flat->data + at, sizeof(value));
  return value;
}

static bool open_table(const struct ap_flat *flat, size_t at, struct ap_flat_table *out_table) {
  if (!holds(flat, at, 4)) return false;
  int64_t vtable = (int64_t)at - (int32_t)load_u32(flat, at);
  if (vtable < 0 || !holds(flat, (size_t)vtable, 4)) return false;
  size_t vtable_size = load_u16(flat, (size_t)vtable);
  size_t size = load_u16(flat, (size_t)vtable + 2);
  if (vtable_size < 4 || !holds(flat, (size_t)vtable, vtable_size)) return false;
  if (size < 4 || !holds(flat, at, size)) return false;
  *out_table = (struct ap_flat_table){flat, at, size, (size_t)vtable, vtable_size};
  return true;
}

/* Where an offset stored at `at` leads. */
static bool follow(const struct ap_flat *flat, size_t at, size_t *out_at) {
  if (!holds(flat, at, 4)) return false;
  *out_at = at + load_u32(flat, at);
  return *out_at < flat->size;
}

bool ap_flat_root(const struct ap_flat *flat, struct ap_flat_table *out_table) {
  size_t at = 0;
  return follow(flat, 0, &at) && open_table(flat, at, out_table);
}

/* Where a field of so many bytes lies; 0 when it is absent. */
static bool locate(const struct ap_flat_table *table, uint32_t field, size_t bytes,
                   size_t *out_at) {
  *out_at = 0;
  size_t entry = 4 + 2 * (size_t)field;
  if (table->flat == NULL || entry + 2 > table->vtable_size) return true;
  size_t offset = load_u16(table->flat, table->vtable + entry);
  if (offset == 0) return true;
  if (offset < 4 || offset + bytes > table->size) return false;
  *out_at = table->at + offset;
  return true;
}

/* The bytes of a scalar into *value, which holds the fallback. */
static bool read_scalar(const struct ap_flat_table *table, uint32_t field, void *value,
                        size_t bytes) {
  size_t at = 0;
  if (!locate(table, field, bytes, &at)) return false;
  if (at > 0) memcpy(value, table->flat->data + at, bytes);
  return true;
}

bool ap_flat_u8(const struct ap_flat_table *table, uint32_t field, uint8_t fallback,
                uint8_t *out_value) {
  *out_value = fallback;
  return read_scalar(table, field, out_value, sizeof(*out_value));
}

bool ap_flat_i16(const struct ap_flat_table *table, uint32_t field, int16_t fallback,
                 int16_t *out_value) {
  *out_value = fallback;
  return read_scalar(table, field, out_value, sizeof(*out_value));
}

bool ap_flat_i32(const struct ap_flat_table *table, uint32_t field, int32_t fallback,
                 int32_t *out_value) {
  *out_value = fallback;
  return read_scalar(table, field, out_value, sizeof(*out_value));
}

bool ap_flat_i64(const struct ap_flat_table *table, uint32_t field, int64_t fallback,
                 int64_t *out_value) {
  *out_value = fallback;
  return read_scalar(table, field, out_value, sizeof(*out_value));
}

bool ap_flat_text(const struct ap_flat_table *table, uint32_t field, struct ap_text *out_text) {
  size_t at = 0;
  *out_text = (struct ap_text){NULL, 0};
  if (!locate(table, field, 4, &at)) return false;
  if (at == 0) return true;
  if (!follow(table->flat, at, &at) || !holds(table->flat, at, 4)) return false;
  size_t size = load_u32(table->flat, at);
  if (!holds(table->flat, at + 4, size)) return false;
  *out_text = (struct ap_text){(const char *)table->flat->data + at + 4, size};
  return true;
}

bool ap_flat_child(const struct ap_flat_table *table, uint32_t field,
                   struct ap_flat_table *out_child) {
  size_t at = 0;
  *out_child = (struct ap_flat_table){0};
  if (!locate(table, field, 4, &at)) return false;
  if (at == 0) return true;
  return follow(table->flat, at, &at) && open_table(table->flat, at, out_child);
}

bool ap_flat_children(const struct ap_flat_table *table, uint32_t field, size_t element_bytes,
                      struct ap_flat_vector *out_vector) {
  size_t at = 0;
  *out_vector = (struct ap_flat_vector){0};
  AP_ASSERT(element_bytes > 0);
  if (!locate(table, field, 4, &at)) return false;
  if (at == 0) return true;
  if (!follow(table->flat, at, &at) || !holds(table->flat, at, 4)) return false;
  uint32_t count = load_u32(table->flat, at);
  if (count > (table->flat->size - at - 4) / element_bytes) return false;
  *out_vector = (struct ap_flat_vector){table->flat, at + 4, count};
  return true;
}

bool ap_flat_at(const struct ap_flat_vector *vector, uint32_t index,
                struct ap_flat_table *out_table) {
  size_t at = 0;
  AP_ASSERT(index < vector->count);
  return follow(vector->flat, vector->at + 4 * (size_t)index, &at) &&
         open_table(vector->flat, at, out_table);
}

int64_t ap_flat_i64_at(const struct ap_flat_vector *vector, uint32_t index, size_t element_bytes,
                       size_t byte) {
  int64_t value = 0;
  AP_ASSERT(index < vector->count && byte + sizeof(value) <= element_bytes);
  memcpy(&value, vector->flat->data + vector->at + index * element_bytes + byte, sizeof(value));
  return value;
}

int32_t ap_flat_i32_at(const struct ap_flat_vector *vector, uint32_t index, size_t element_bytes,
                       size_t byte) {
  int32_t value = 0;
  AP_ASSERT(index < vector->count && byte + sizeof(value) <= element_bytes);
  memcpy(&value, vector->flat->data + vector->at + index * element_bytes + byte, sizeof(value));
  return value;
}
