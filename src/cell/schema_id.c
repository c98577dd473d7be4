/* SPDX-License-Identifier: Apache-2.0
 *
 * The identifier of a schema. It is stored in the tags of cells, so it never changes for a given
 * schema: the words below are part of the format and independent of the enumeration's numbers.
 * Pure functions; safe from any thread.
 */
#include "base/assert.h"
#include "cell/cell.h"

/* FNV-1a of 64 bits (Fowler, Noll, Vo), closed by the finaliser of MurmurHash3, which spreads the
 * last bytes over all bits. */
#define FNV_OFFSET 0xcbf29ce484222325u
#define FNV_PRIME  0x00000100000001b3u

static uint64_t hash_bytes(uint64_t hash, const char *data, size_t size) {
  for (size_t i = 0; i < size; i++) {
    hash ^= (uint8_t)data[i];
    hash *= FNV_PRIME;
  }
  return hash;
}

static uint64_t hash_number(uint64_t hash, uint64_t number) {
  char bytes[8];
  for (unsigned i = 0; i < 8; i++) bytes[i] = (char)(uint8_t)(number >> (8 * i));
  return hash_bytes(hash, bytes, sizeof(bytes));
}

/* Sized, so that neighbours cannot run into each other. */
static uint64_t hash_text(uint64_t hash, struct ap_text text) {
  return hash_bytes(hash_number(hash, text.size), text.data, text.size);
}

static const char *kind_word(enum ap_type_kind kind) {
  switch (kind) {
    case AP_TYPE_NULL:
      return "null";
    case AP_TYPE_BOOLEAN:
      return "boolean";
    case AP_TYPE_INT8:
      return "int8";
    case AP_TYPE_INT16:
      return "int16";
    case AP_TYPE_INT32:
      return "int32";
    case AP_TYPE_INT64:
      return "int64";
    case AP_TYPE_UINT8:
      return "uint8";
    case AP_TYPE_UINT16:
      return "uint16";
    case AP_TYPE_UINT32:
      return "uint32";
    case AP_TYPE_UINT64:
      return "uint64";
    case AP_TYPE_FLOAT16:
      return "float16";
    case AP_TYPE_FLOAT32:
      return "float32";
    case AP_TYPE_FLOAT64:
      return "float64";
    case AP_TYPE_DECIMAL:
      return "decimal";
    case AP_TYPE_STRING:
      return "string";
    case AP_TYPE_BINARY:
      return "binary";
    case AP_TYPE_DATE:
      return "date";
    case AP_TYPE_TIME:
      return "time";
    case AP_TYPE_TIMESTAMP:
      return "timestamp";
    case AP_TYPE_TIMESTAMP_TZ:
      return "timestamptz";
    case AP_TYPE_LIST:
      return "list";
    case AP_TYPE_STRUCT:
      return "struct";
    case AP_TYPE_MAP:
      return "map";
  }
  AP_ASSERT(!"a type kind without a word");
  return "";
}

static uint64_t hash_type(uint64_t hash, const struct ap_type *type) {
  hash = hash_text(hash, ap_text_of(kind_word(type->kind)));
  if (type->kind == AP_TYPE_DECIMAL) {
    hash = hash_number(hash, type->precision);
    hash = hash_number(hash, type->scale);
  }
  if (type->kind == AP_TYPE_TIME || type->kind == AP_TYPE_TIMESTAMP ||
      type->kind == AP_TYPE_TIMESTAMP_TZ) {
    hash = hash_number(hash, type->unit);
  }
  hash = hash_number(hash, type->field_count);
  for (uint32_t i = 0; i < type->field_count; i++) {
    /* The children of lists and maps have roles, not names. */
    if (type->kind == AP_TYPE_STRUCT) hash = hash_text(hash, type->fields[i].name);
    hash = hash_type(hash, &type->fields[i].type);
  }
  return hash;
}

/* Cells with such columns were once written with Bloom filters that the engine misreads: the ids
 * of today's cells, which have none, are others. */
static bool had_bloom_filter(const struct ap_type *type) {
  return type->kind == AP_TYPE_FLOAT32 || type->kind == AP_TYPE_FLOAT64 ||
         type->kind == AP_TYPE_BINARY;
}

uint64_t ap_schema_id(const struct ap_schema *schema) {
  uint64_t hash = hash_number(FNV_OFFSET, schema->field_count);
  for (uint32_t i = 0; i < schema->field_count; i++) {
    hash = hash_text(hash, schema->fields[i].name);
    hash = hash_type(hash, &schema->fields[i].type);
    if (had_bloom_filter(&schema->fields[i].type)) hash = hash_text(hash, AP_TEXT("unfiltered"));
  }
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdu;
  hash ^= hash >> 33;
  hash *= 0xc4ceb9fe1a85ec53u;
  hash ^= hash >> 33;
  return hash;
}
