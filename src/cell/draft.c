/* SPDX-License-Identifier: Apache-2.0
 *
 * Sizes, paths and statistics of cells in the making.
 * Pure functions over buffers; safe from any thread. No I/O.
 */
#include "cell/draft.h"

#include "base/assert.h"
#include "base/limits.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define BEE_MEMORY_SHARE 4 /* a bee holds a cell decoded, its result and the engine's state */
#define NULL_PARTITION   "__HIVE_DEFAULT_PARTITION__"

/* A folder's name, "name=value", must fit a file system's 255 bytes. */
#define NAME_PART_BYTES_MAX  100
#define VALUE_PART_BYTES_MAX 150
#define HASH_SUFFIX_BYTES    17

#define DATE_MIN_DAYS                                                                             \
  ((int64_t)-719162)                     /* 0001-01-01; earlier and later years have no text that \
                                          */
#define DATE_MAX_DAYS ((int64_t)2932896) /* all readers share; 9999-12-31 */

int64_t ap_leafcutter_target_bytes(int64_t bee_memory_bytes) {
  int64_t target = bee_memory_bytes / BEE_MEMORY_SHARE;
  return target > AP_CELL_BYTES_MIN ? target : AP_CELL_BYTES_MIN;
}

static bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

static void append_escaped_byte(struct ap_buffer *out, char c) {
  static const char hex[] = "0123456789ABCDEF";
  uint8_t byte = (uint8_t)c;
  char escaped[3] = {'%', hex[byte >> 4], hex[byte & 15]};
  ap_buffer_append(out, escaped, sizeof(escaped));
}

static uint64_t hash_text(struct ap_text text) {
  uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a: keeps folders of cut values apart, no more */
  for (size_t i = 0; i < text.size; i++) hash = (hash ^ (uint8_t)text.data[i]) * 0x100000001b3u;
  return hash;
}

/* At most bytes_max bytes: a longer text is cut between characters and told apart by its hash.
 * Readers of the ledger never look at the folder's name for the value. */
static void append_segment_part(struct ap_buffer *out, struct ap_text text, size_t bytes_max) {
  size_t start = out->size;
  size_t cut_size = 0;
  for (size_t i = 0; i < text.size && !out->failed; i++) {
    bool starts_character = ((uint8_t)text.data[i] & 0xc0) != 0x80;
    if (starts_character && out->size - start <= bytes_max - HASH_SUFFIX_BYTES) {
      cut_size = out->size - start;
    }
    if (is_plain(text.data[i])) {
      ap_buffer_append(out, &text.data[i], 1);
    } else {
      append_escaped_byte(out, text.data[i]);
    }
    if (out->size - start > bytes_max) {
      out->size = start + cut_size;
      ap_buffer_append_format(out, "-%016" PRIx64, hash_text(text));
      return;
    }
  }
}

void ap_partition_path_append(struct ap_buffer *out, const struct ap_text *names,
                              const struct ap_partition_value *values, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    append_segment_part(out, names[i], NAME_PART_BYTES_MAX);
    ap_buffer_append_string(out, "=");
    if (values[i].is_null || values[i].text.size == 0) {
      ap_buffer_append_string(out, NULL_PARTITION);
    } else {
      append_segment_part(out, values[i].text, VALUE_PART_BYTES_MAX);
    }
    ap_buffer_append_string(out, "/");
  }
}

/* What RFC 3986 lets stand in a path, '%' excepted. */
static bool is_uri_plain(char c) {
  return is_plain(c) || c == '/' || c == '=' || c == '~';
}

void ap_uri_escape_append(struct ap_buffer *out, struct ap_text path) {
  for (size_t i = 0; i < path.size; i++) {
    if (is_uri_plain(path.data[i])) {
      ap_buffer_append(out, &path.data[i], 1);
    } else {
      append_escaped_byte(out, path.data[i]);
    }
  }
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool ap_uri_unescape_append(struct ap_buffer *out, struct ap_text uri) {
  for (size_t i = 0; i < uri.size; i++) {
    char c = uri.data[i];
    if (c == '%') {
      if (uri.size - i < 3) return false;
      int high = hex_digit(uri.data[i + 1]);
      int low = hex_digit(uri.data[i + 2]);
      if (high < 0 || low < 0) return false;
      c = (char)(uint8_t)(high * 16 + low);
      i += 2;
    }
    ap_buffer_append(out, &c, 1);
  }
  return true;
}

/* The bytes of the first characters_max characters. */
static size_t prefix_size(struct ap_text text, size_t characters_max) {
  size_t size = 0;
  for (size_t i = 0; i < characters_max && size < text.size; i++) {
    size += ap_text_utf8_size((struct ap_text){text.data + size, text.size - size});
  }
  return size;
}

static uint32_t decode_character(const char *data, size_t size) {
  static const uint8_t lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  uint32_t character = (uint8_t)data[0] & lead_bits[size];
  for (size_t i = 1; i < size; i++) character = character << 6 | ((uint8_t)data[i] & 0x3f);
  return character;
}

static size_t encode_character(uint32_t character, char out[4]) {
  size_t size = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
  static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (size_t i = size; i-- > 1; character >>= 6) out[i] = (char)(0x80 | (character & 0x3f));
  out[0] = (char)(leads[size] | character);
  return size;
}

/* The shortest text above all that begin with prefix: its last character that can be raised is, and
 * what follows goes. False when none can. */
static bool raise_prefix(struct ap_text prefix, struct ap_buffer *out) {
  size_t end = prefix.size;
  while (end > 0) {
    size_t start = end - 1;
    while (((uint8_t)prefix.data[start] & 0xc0) == 0x80) start--;
    uint32_t character = decode_character(prefix.data + start, end - start);
    if (character < 0x10ffff) {
      char raised[4];
      character = character == 0xd7ff ? 0xe000 : character + 1; /* surrogates are no characters */
      size_t size = encode_character(character, raised);
      ap_buffer_append(out, prefix.data, start);
      ap_buffer_append(out, raised, size);
      return true;
    }
    end = start;
  }
  return false;
}

static void append_text_bound(struct ap_json_writer *writer, struct ap_text name,
                              struct ap_text text, bool is_max) {
  if (!ap_text_is_utf8(text)) return;
  size_t size = prefix_size(text, AP_STATISTICS_TEXT_CHARS);
  struct ap_text prefix = {text.data, size};
  if (size == text.size || !is_max) {
    ap_json_name(writer, name);
    ap_json_string(writer, prefix);
    return;
  }
  struct ap_buffer raised;
  ap_buffer_init(&raised, writer->out->allocator);
  bool can_raise = raise_prefix(prefix, &raised);
  if (raised.failed) {
    writer->out->failed = true;
  } else if (can_raise) {
    ap_json_name(writer, name);
    ap_json_string(writer, ap_buffer_text(&raised));
  }
  ap_buffer_deinit(&raised);
}

static bool shared_years(const struct ap_value *value) {
  const int64_t day_us = (int64_t)86400 * 1000000;
  if (value->kind == AP_VALUE_DATE) {
    return value->i64 >= DATE_MIN_DAYS && value->i64 <= DATE_MAX_DAYS;
  }
  return value->i64 >= DATE_MIN_DAYS * day_us && value->i64 < (DATE_MAX_DAYS + 1) * day_us;
}

/* Dates and timestamps: ISO 8601 with 'T'; the fraction has three or six digits. */
static void append_moment(struct ap_json_writer *writer, const struct ap_value *value) {
  const int64_t day_us = (int64_t)86400 * 1000000;
  int64_t days = value->i64;
  int64_t rest = 0;
  if (value->kind != AP_VALUE_DATE) {
    rest = (value->i64 % day_us + day_us) % day_us;
    days = (value->i64 - rest) / day_us;
  }
  int64_t year;
  int month;
  int day;
  ap_civil_from_days(days, &year, &month, &day);
  char text[64];
  int size = snprintf(text, sizeof(text), "%04d-%02d-%02d", (int)year, month, day);
  if (value->kind != AP_VALUE_DATE) {
    int seconds = (int)(rest / 1000000);
    size += snprintf(text + size, sizeof(text) - (size_t)size, "T%02d:%02d:%02d.%06d%s",
                     seconds / 3600, seconds / 60 % 60, seconds % 60, (int)(rest % 1000000),
                     value->kind == AP_VALUE_TIMESTAMP_TZ ? "Z" : "");
  }
  AP_ASSERT(size > 0 && (size_t)size < sizeof(text));
  ap_json_string(writer, (struct ap_text){text, (size_t)size});
}

static void append_value(struct ap_json_writer *writer, struct ap_text name,
                         const struct ap_value *value) {
  switch (value->kind) {
    case AP_VALUE_FLOAT:
      if (!isfinite(value->f64)) return;
      break;
    case AP_VALUE_DATE:
    case AP_VALUE_TIMESTAMP:
    case AP_VALUE_TIMESTAMP_TZ:
      if (!shared_years(value)) return;
      ap_json_name(writer, name);
      append_moment(writer, value);
      return;
    case AP_VALUE_NONE:
      return;
    case AP_VALUE_TEXT:
    case AP_VALUE_BOOLEAN:
    case AP_VALUE_INTEGER:
    case AP_VALUE_DECIMAL:
    case AP_VALUE_TIME:
      break;
  }
  struct ap_buffer text;
  ap_buffer_init(&text, writer->out->allocator);
  ap_value_append_text(&text, value);
  if (text.failed) {
    writer->out->failed = true;
  } else {
    ap_json_name(writer, name);
    ap_json_raw(writer, ap_buffer_text(&text));
  }
  ap_buffer_deinit(&text);
}

static void append_bound(struct ap_json_writer *writer, const struct ap_field *field,
                         const struct ap_statistics_text *column, bool is_max) {
  struct ap_text text = is_max ? column->max : column->min;
  const struct ap_type *type = &field->type;
  if (text.data == NULL) return;
  if (type->kind == AP_TYPE_STRING) {
    append_text_bound(writer, field->name, text, is_max);
    return;
  }
  if (type->kind == AP_TYPE_BOOLEAN) { /* the engine reports them as they are stored */
    if (ap_text_equal_string(text, "0")) text = AP_TEXT("false");
    if (ap_text_equal_string(text, "1")) text = AP_TEXT("true");
  }
  struct ap_value value;
  if (!ap_value_parse(text, type, &value)) return;
  if (is_max && value.kind == AP_VALUE_FLOAT && column->has_nan) return;
  append_value(writer, field->name, &value);
}

static uint32_t leaf_count(const struct ap_type *type) {
  if (type->field_count == 0) return 1;
  uint32_t count = 0;
  for (uint32_t i = 0; i < type->field_count; i++) count += leaf_count(&type->fields[i].type);
  return count;
}

/* How many leading fields lie wholly within the first AP_STATISTICS_COLUMNS_MAX leaves. */
static uint32_t covered_fields(const struct ap_schema *schema) {
  uint32_t leaves = 0;
  for (uint32_t i = 0; i < schema->field_count; i++) {
    leaves += leaf_count(&schema->fields[i].type);
    if (leaves > AP_STATISTICS_COLUMNS_MAX) return i;
  }
  return schema->field_count;
}

/* nullCount has an object, not a number, for a struct. */
static void append_null_count(struct ap_json_writer *writer, const struct ap_field *field,
                              const struct ap_statistics_text *column) {
  if (column->null_count < 0 || field->type.kind == AP_TYPE_STRUCT) return;
  ap_json_name(writer, field->name);
  ap_json_i64(writer, column->null_count);
}

void ap_statistics_append(struct ap_buffer *out, const struct ap_schema *schema, int64_t row_count,
                          const struct ap_statistics_text *columns) {
  uint32_t count = covered_fields(schema);
  struct ap_json_writer writer;
  ap_json_writer_init(&writer, out);
  ap_json_begin_object(&writer);
  ap_json_member_i64(&writer, "numRecords", row_count);
  ap_json_name(&writer, AP_TEXT("minValues"));
  ap_json_begin_object(&writer);
  for (uint32_t i = 0; i < count; i++)
    append_bound(&writer, &schema->fields[i], &columns[i], false);
  ap_json_end_object(&writer);
  ap_json_name(&writer, AP_TEXT("maxValues"));
  ap_json_begin_object(&writer);
  for (uint32_t i = 0; i < count; i++) append_bound(&writer, &schema->fields[i], &columns[i], true);
  ap_json_end_object(&writer);
  ap_json_name(&writer, AP_TEXT("nullCount"));
  ap_json_begin_object(&writer);
  for (uint32_t i = 0; i < count; i++) append_null_count(&writer, &schema->fields[i], &columns[i]);
  ap_json_end_object(&writer);
  ap_json_end_object(&writer);
}
