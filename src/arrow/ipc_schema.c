/* SPDX-License-Identifier: Apache-2.0
 *
 * Decodes the Schema table of Arrow IPC (format/Schema.fbs of Apache Arrow, by field numbers).
 *
 * Every field costs a place in a budget taken from the message's size, so that fields shared by
 * many parents cannot make a small message large. Unions and run-end encoding: AP_UNSUPPORTED.
 */
#include "arrow/ipc_schema.h"

#include "arrow/layout.h"
#include "base/assert.h"
#include "base/limits.h"

#include <stdio.h>
#include <string.h>

/* The numbers of the union Type. */
enum {
  TYPE_NULL = 1,
  TYPE_INT = 2,
  TYPE_FLOATING_POINT = 3,
  TYPE_BINARY = 4,
  TYPE_UTF8 = 5,
  TYPE_BOOL = 6,
  TYPE_DECIMAL = 7,
  TYPE_DATE = 8,
  TYPE_TIME = 9,
  TYPE_TIMESTAMP = 10,
  TYPE_INTERVAL = 11,
  TYPE_LIST = 12,
  TYPE_STRUCT = 13,
  TYPE_UNION = 14,
  TYPE_FIXED_SIZE_BINARY = 15,
  TYPE_FIXED_SIZE_LIST = 16,
  TYPE_MAP = 17,
  TYPE_DURATION = 18,
  TYPE_LARGE_BINARY = 19,
  TYPE_LARGE_UTF8 = 20,
  TYPE_LARGE_LIST = 21,
  TYPE_RUN_END_ENCODED = 22,
  TYPE_BINARY_VIEW = 23,
  TYPE_UTF8_VIEW = 24,
  TYPE_LIST_VIEW = 25,
  TYPE_LARGE_LIST_VIEW = 26,
};

enum { FORMAT_BYTES_MAX = 256 };

struct reader {
  struct ap_allocator *allocator;
  struct ap_ipc_dictionary *dictionaries;
  uint32_t dictionary_count;
  uint32_t dictionary_capacity;
  size_t budget;      /* fields and metadata pairs left */
  size_t text_budget; /* bytes of names and metadata left */
  ap_error *err;
};

static ap_status read_field(struct reader *reader, const struct ap_flat_table *field,
                            struct ArrowSchema *out, uint32_t depth);
static ap_status read_fields(struct reader *reader, const struct ap_flat_vector *fields,
                             struct ArrowSchema *out, uint32_t depth);
static ap_status read_format(struct reader *reader, const char *name,
                             const struct ap_flat_table *field, char *format);
static ap_status read_metadata(struct reader *reader, const struct ap_flat_table *table,
                               uint32_t number, struct ArrowSchema *out);

static ap_status fail_flat(struct reader *reader) {
  return AP_FAIL(reader->err, AP_CORRUPT, "the schema message is damaged");
}

/* Texts may be shared by many fields as well. */
static ap_status spend_text(struct reader *reader, size_t bytes) {
  if (bytes > reader->text_budget) {
    return AP_FAIL(reader->err, AP_CORRUPT, "the schema message holds more text than its size");
  }
  reader->text_budget -= bytes;
  return AP_OK;
}

/* TEXT into C strings: no NUL within. */
static char *copy_name(struct reader *reader, struct ap_text text, ap_status *out_status) {
  *out_status = AP_OK;
  if (!ap_text_is_utf8(text) || (text.size > 0 && memchr(text.data, '\0', text.size) != NULL)) {
    *out_status = AP_FAIL(reader->err, AP_CORRUPT, "the schema message has a broken field name");
    return NULL;
  }
  char *copy = ap_string_copy(reader->allocator, text);
  if (copy == NULL) *out_status = AP_FAIL_MEMORY(reader->err);
  return copy;
}

ap_status ap_ipc_schema_read(const struct ap_flat_table *message, struct ap_allocator *allocator,
                             struct ArrowSchema *out, struct ap_ipc_dictionary **out_list,
                             uint32_t *out_count, ap_error *err) {
  struct reader reader = {.allocator = allocator, .err = err};
  struct ap_flat_vector fields = {0};
  int16_t endianness = 0;
  if (message->flat == NULL || !ap_flat_i16(message, 0, 0, &endianness) ||
      !ap_flat_children(message, 1, 4, &fields)) {
    return fail_flat(&reader);
  }
  if (endianness != 0) {
    return AP_FAIL(err, AP_UNSUPPORTED, "the Arrow IPC bytes are big-endian, which is not read");
  }
  /* A Field takes more than 8 bytes: an honest message never runs out. */
  reader.budget = message->flat->size / 8;
  /* Some writers do share equal texts. */
  reader.text_budget = message->flat->size + (size_t)(64 * AP_MIB);
  struct ArrowSchema made;
  ArrowSchemaInit(&made);
  made.flags = 0;
  ap_status status = AP_OK;
  if (ArrowSchemaSetFormat(&made, "+s") != NANOARROW_OK) status = AP_FAIL_MEMORY(err);
  if (status == AP_OK) status = read_fields(&reader, &fields, &made, 1);
  if (status == AP_OK) status = read_metadata(&reader, message, 2, &made);
  if (status != AP_OK) {
    made.release(&made);
    ap_free(allocator, reader.dictionaries);
    return status;
  }
  *out = made;
  *out_list = reader.dictionaries;
  *out_count = reader.dictionary_count;
  return AP_OK;
}

static ap_status read_fields(struct reader *reader, const struct ap_flat_vector *fields,
                             struct ArrowSchema *out, uint32_t depth) {
  if (fields->count > reader->budget) return fail_flat(reader);
  reader->budget -= fields->count;
  if (ArrowSchemaAllocateChildren(out, fields->count) != NANOARROW_OK) {
    return AP_FAIL_MEMORY(reader->err);
  }
  for (uint32_t i = 0; i < fields->count; i++) {
    struct ap_flat_table field = {0};
    if (!ap_flat_at(fields, i, &field)) return fail_flat(reader);
    AP_TRY(read_field(reader, &field, out->children[i], depth));
  }
  return AP_OK;
}

static ap_status remember_dictionary(struct reader *reader, int64_t id,
                                     const struct ArrowSchema *field) {
  if (reader->dictionary_count == reader->dictionary_capacity) {
    uint32_t capacity = reader->dictionary_capacity * 2 + 8;
    struct ap_ipc_dictionary *grown = ap_reallocate(reader->allocator, reader->dictionaries,
                                                    capacity * sizeof(*reader->dictionaries));
    if (grown == NULL) return AP_FAIL_MEMORY(reader->err);
    reader->dictionaries = grown;
    reader->dictionary_capacity = capacity;
  }
  reader->dictionaries[reader->dictionary_count++] = (struct ap_ipc_dictionary){id, field};
  return AP_OK;
}

static ap_status int_format(struct reader *reader, const struct ap_flat_table *type, char *format) {
  int32_t bits = 0;
  uint8_t is_signed = 0;
  if (!ap_flat_i32(type, 0, 0, &bits) || !ap_flat_u8(type, 1, 0, &is_signed)) {
    return fail_flat(reader);
  }
  const char *letters = is_signed != 0 ? "csil" : "CSIL";
  switch (bits) {
    case 8:
      format[0] = letters[0];
      break;
    case 16:
      format[0] = letters[1];
      break;
    case 32:
      format[0] = letters[2];
      break;
    case 64:
      format[0] = letters[3];
      break;
    default:
      return AP_FAIL(reader->err, AP_CORRUPT, "the schema message has an integer of %d bits", bits);
  }
  format[1] = '\0';
  return AP_OK;
}

/* The index type of a dictionary-encoded field, into *out; the value's schema becomes its
 * dictionary. */
static ap_status read_encoding(struct reader *reader, const struct ap_flat_table *encoding,
                               struct ArrowSchema *out) {
  int64_t id = 0;
  uint8_t ordered = 0;
  struct ap_flat_table index = {0};
  char format[FORMAT_BYTES_MAX] = "i"; /* absent: int32 */
  if (!ap_flat_i64(encoding, 0, 0, &id) || !ap_flat_child(encoding, 1, &index) ||
      !ap_flat_u8(encoding, 2, 0, &ordered)) {
    return fail_flat(reader);
  }
  if (index.flat != NULL) AP_TRY(int_format(reader, &index, format));
  if (ArrowSchemaSetFormat(out, format) != NANOARROW_OK ||
      ArrowSchemaAllocateDictionary(out) != NANOARROW_OK) {
    return AP_FAIL_MEMORY(reader->err);
  }
  ArrowSchemaInit(out->dictionary);
  if (ordered != 0) out->flags |= ARROW_FLAG_DICTIONARY_ORDERED;
  return remember_dictionary(reader, id, out);
}

/* Entries and keys of maps are never null; some writers flag them as if they might be, and some
 * readers refuse that. */
static void settle_map(struct ArrowSchema *map) {
  struct ArrowSchema *entries = map->n_children == 1 ? map->children[0] : NULL;
  if (entries == NULL) return;
  entries->flags &= ~(int64_t)ARROW_FLAG_NULLABLE;
  if (entries->n_children > 0) entries->children[0]->flags &= ~(int64_t)ARROW_FLAG_NULLABLE;
}

/* Type and children must fit each other, whether a batch comes or not. */
static ap_status check_field(struct reader *reader, const char *name,
                             const struct ArrowSchema *value) {
  struct ap_layout layout = {0};
  ap_error found = {0};
  ap_status status = ap_layout_of(value, &layout, &found);
  if (status != AP_INVALID_ARGUMENT) {
    if (status != AP_OK && reader->err != NULL) *reader->err = found;
    return status;
  }
  return AP_FAIL(reader->err, AP_CORRUPT, "the schema message: field '%s': %s", name,
                 found.message);
}

static ap_status read_field_named(struct reader *reader, const char *name,
                                  const struct ap_flat_table *field, struct ArrowSchema *out,
                                  uint32_t depth) {
  uint8_t nullable = 0;
  struct ap_flat_table encoding = {0};
  struct ap_flat_vector children = {0};
  char format[FORMAT_BYTES_MAX] = {0};
  if (!ap_flat_u8(field, 1, 0, &nullable) || !ap_flat_child(field, 4, &encoding) ||
      !ap_flat_children(field, 5, 4, &children)) {
    return fail_flat(reader);
  }
  out->flags = nullable != 0 ? ARROW_FLAG_NULLABLE : 0;
  AP_TRY(read_format(reader, name, field, format));
  if (ArrowSchemaSetName(out, name) != NANOARROW_OK) return AP_FAIL_MEMORY(reader->err);
  AP_TRY(read_metadata(reader, field, 6, out));
  struct ArrowSchema *value = out;
  if (encoding.flat != NULL) {
    AP_TRY(read_encoding(reader, &encoding, out));
    value = out->dictionary;
  } else if (strcmp(format, "+m") == 0) {
    uint8_t sorted = 0;
    struct ap_flat_table type = {0};
    if (!ap_flat_child(field, 3, &type) || !ap_flat_u8(&type, 0, 0, &sorted)) {
      return fail_flat(reader);
    }
    if (sorted != 0) out->flags |= ARROW_FLAG_MAP_KEYS_SORTED;
  }
  if (ArrowSchemaSetFormat(value, format) != NANOARROW_OK) return AP_FAIL_MEMORY(reader->err);
  AP_TRY(read_fields(reader, &children, value, depth + 1));
  if (strcmp(format, "+m") == 0) settle_map(value);
  return check_field(reader, name, value);
}

static ap_status read_field(struct reader *reader, const struct ap_flat_table *field,
                            struct ArrowSchema *out, uint32_t depth) {
  struct ap_text text = {0};
  ap_status status = AP_OK;
  ArrowSchemaInit(out);
  if (depth > AP_TYPE_DEPTH_MAX) {
    return AP_FAIL(reader->err, AP_UNSUPPORTED, "the schema nests deeper than %d",
                   AP_TYPE_DEPTH_MAX);
  }
  if (!ap_flat_text(field, 0, &text)) return fail_flat(reader);
  AP_TRY(spend_text(reader, text.size));
  char *name = copy_name(reader, text, &status);
  if (name == NULL) return status;
  status = read_field_named(reader, name, field, out, depth);
  ap_free(reader->allocator, name);
  return status;
}

static void set_format(char *format, const char *text) {
  size_t size = strlen(text);
  AP_ASSERT(size < FORMAT_BYTES_MAX);
  memcpy(format, text, size + 1);
}

/* A letter by unit: second, millisecond, microsecond, nanosecond. */
static ap_status unit_letter(struct reader *reader, const struct ap_flat_table *type,
                             int16_t fallback, char *out_letter) {
  int16_t unit = 0;
  if (!ap_flat_i16(type, 0, fallback, &unit) || unit < 0 || unit > 3) return fail_flat(reader);
  *out_letter = "smun"[unit];
  return AP_OK;
}

static ap_status timestamp_format(struct reader *reader, const struct ap_flat_table *type,
                                  char *format) {
  char letter = 0;
  struct ap_text zone = {0};
  AP_TRY(unit_letter(reader, type, 0, &letter));
  if (!ap_flat_text(type, 1, &zone)) return fail_flat(reader);
  bool fits = zone.size < FORMAT_BYTES_MAX - 8 && ap_text_is_utf8(zone) &&
              (zone.size == 0 || memchr(zone.data, '\0', zone.size) == NULL);
  if (!fits) return AP_FAIL(reader->err, AP_CORRUPT, "the schema message has a broken time zone");
  (void)snprintf(format, FORMAT_BYTES_MAX, "ts%c:%.*s", letter, AP_TEXT_ARG(zone));
  return AP_OK;
}

static ap_status decimal_format(struct reader *reader, const struct ap_flat_table *type,
                                char *format) {
  int32_t precision = 0;
  int32_t scale = 0;
  int32_t bits = 0;
  if (!ap_flat_i32(type, 0, 0, &precision) || !ap_flat_i32(type, 1, 0, &scale) ||
      !ap_flat_i32(type, 2, 128, &bits)) {
    return fail_flat(reader);
  }
  bool known = bits == 32 || bits == 64 || bits == 128 || bits == 256;
  if (!known || precision < 1 || precision > 76) {
    return AP_FAIL(reader->err, AP_CORRUPT,
                   "the schema message has a decimal of %d digits in %d bits", precision, bits);
  }
  (void)snprintf(format, FORMAT_BYTES_MAX, "d:%d,%d,%d", precision, scale, bits);
  return AP_OK;
}

static ap_status sized_format(struct reader *reader, const struct ap_flat_table *type,
                              const char *prefix, char *format) {
  int32_t size = 0;
  if (!ap_flat_i32(type, 0, 0, &size)) return fail_flat(reader);
  if (size < 0) {
    return AP_FAIL(reader->err, AP_CORRUPT, "the schema message has a fixed size of %d", size);
  }
  (void)snprintf(format, FORMAT_BYTES_MAX, "%s%d", prefix, size);
  return AP_OK;
}

/* One of a few words by a small number; NULL stands for a number that is none. */
static ap_status chosen_format(struct reader *reader, const struct ap_flat_table *type,
                               int16_t fallback, const char *const *choices, int16_t count,
                               char *format) {
  int16_t number = 0;
  if (!ap_flat_i16(type, 0, fallback, &number) || number < 0 || number >= count) {
    return fail_flat(reader);
  }
  set_format(format, choices[number]);
  return AP_OK;
}

/* Formats that need no parameter; NULL for the others. */
static const char *plain_format(uint8_t type) {
  switch (type) {
    case TYPE_NULL:
      return "n";
    case TYPE_BINARY:
      return "z";
    case TYPE_UTF8:
      return "u";
    case TYPE_BOOL:
      return "b";
    case TYPE_LIST:
      return "+l";
    case TYPE_STRUCT:
      return "+s";
    case TYPE_MAP:
      return "+m";
    case TYPE_LARGE_BINARY:
      return "Z";
    case TYPE_LARGE_UTF8:
      return "U";
    case TYPE_LARGE_LIST:
      return "+L";
    case TYPE_BINARY_VIEW:
      return "vz";
    case TYPE_UTF8_VIEW:
      return "vu";
    case TYPE_LIST_VIEW:
      return "+vl";
    case TYPE_LARGE_LIST_VIEW:
      return "+vL";
    default:
      return NULL;
  }
}

static ap_status read_format(struct reader *reader, const char *name,
                             const struct ap_flat_table *field, char *format) {
  static const char *const floats[] = {"e", "f", "g"};
  static const char *const dates[] = {"tdD", "tdm"};
  static const char *const intervals[] = {"tiM", "tiD", "tin"};
  uint8_t number = 0;
  char letter = 0;
  struct ap_flat_table type = {0};
  if (!ap_flat_u8(field, 2, 0, &number) || !ap_flat_child(field, 3, &type)) {
    return fail_flat(reader);
  }
  const char *plain = plain_format(number);
  if (plain != NULL) {
    set_format(format, plain);
    return AP_OK;
  }
  switch (number) {
    case TYPE_INT:
      return int_format(reader, &type, format);
    case TYPE_FLOATING_POINT:
      return chosen_format(reader, &type, 0, floats, 3, format);
    case TYPE_DECIMAL:
      return decimal_format(reader, &type, format);
    case TYPE_DATE:
      return chosen_format(reader, &type, 1, dates, 2, format);
    case TYPE_INTERVAL:
      return chosen_format(reader, &type, 0, intervals, 3, format);
    case TYPE_TIME:
      AP_TRY(unit_letter(reader, &type, 1, &letter));
      (void)snprintf(format, FORMAT_BYTES_MAX, "tt%c", letter);
      return AP_OK;
    case TYPE_DURATION:
      AP_TRY(unit_letter(reader, &type, 1, &letter));
      (void)snprintf(format, FORMAT_BYTES_MAX, "tD%c", letter);
      return AP_OK;
    case TYPE_TIMESTAMP:
      return timestamp_format(reader, &type, format);
    case TYPE_FIXED_SIZE_BINARY:
      return sized_format(reader, &type, "w:", format);
    case TYPE_FIXED_SIZE_LIST:
      return sized_format(reader, &type, "+w:", format);
    case TYPE_UNION:
      return AP_FAIL(reader->err, AP_UNSUPPORTED, "column '%s' is a union; send it plain", name);
    case TYPE_RUN_END_ENCODED:
      return AP_FAIL(reader->err, AP_UNSUPPORTED, "column '%s' is run-end encoded; send it plain",
                     name);
    default:
      return AP_FAIL(reader->err, AP_UNSUPPORTED, "column '%s' has IPC type %d, which is not known",
                     name, number);
  }
}

static struct ArrowStringView view_of(struct ap_text text) {
  return (struct ArrowStringView){text.data == NULL ? "" : text.data, (int64_t)text.size};
}

static ap_status read_metadata(struct reader *reader, const struct ap_flat_table *table,
                               uint32_t number, struct ArrowSchema *out) {
  struct ap_flat_vector pairs = {0};
  struct ArrowBuffer metadata = {0};
  if (!ap_flat_children(table, number, 4, &pairs)) return fail_flat(reader);
  if (pairs.count == 0) return AP_OK;
  if (pairs.count > reader->budget) return fail_flat(reader);
  reader->budget -= pairs.count;
  if (ArrowMetadataBuilderInit(&metadata, NULL) != NANOARROW_OK) {
    return AP_FAIL_MEMORY(reader->err);
  }
  ap_status status = AP_OK;
  for (uint32_t i = 0; status == AP_OK && i < pairs.count; i++) {
    struct ap_flat_table pair = {0};
    struct ap_text key = {0};
    struct ap_text value = {0};
    if (!ap_flat_at(&pairs, i, &pair) || !ap_flat_text(&pair, 0, &key) ||
        !ap_flat_text(&pair, 1, &value)) {
      status = fail_flat(reader);
    } else {
      status = spend_text(reader, key.size + value.size);
    }
    if (status == AP_OK &&
        ArrowMetadataBuilderAppend(&metadata, view_of(key), view_of(value)) != NANOARROW_OK) {
      status = AP_FAIL_MEMORY(reader->err);
    }
  }
  if (status == AP_OK && ArrowSchemaSetMetadata(out, (const char *)metadata.data) != NANOARROW_OK) {
    status = AP_FAIL_MEMORY(reader->err);
  }
  ArrowBufferReset(&metadata);
  return status;
}
