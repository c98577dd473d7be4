/* SPDX-License-Identifier: Apache-2.0
 *
 * See parquet_column.h: the values of a column as Parquet pages ("Data Pages", "Encodings" of
 * apache/parquet-format): PLAIN, or RLE_DICTIONARY when few values repeat; nulls as definition
 * levels; LZ4_RAW.
 */
#include "base/assert.h"
#include "cell/parquet_column.h"
#include "cell/thrift.h"

#include <lz4.h>
#include <string.h>

enum {
  PAGE_ROWS = 20480, /* a multiple of 8, so that packed levels end on bytes */
  PAGE_DATA = 0,
  PAGE_DICTIONARY = 2,
  DICTIONARY_ENTRIES_MAX = 16384,
  DICTIONARY_SLOTS = 32768, /* twice the entries, a power of two */
  DICTIONARY_TRIAL = 2048,  /* values after which more than half distinct ones end the attempt */
};

#define NO_ENTRY UINT32_MAX

struct dictionary {
  uint32_t *slots;   /* entry by hash, NO_ENTRY: free */
  uint32_t *entries; /* index of each entry's first value */
  uint32_t *indices; /* entry of each value */
  uint32_t count;
};

struct encoder {
  struct ap_arena *arena;
  const struct ap_parquet_values *values;
  struct ap_buffer *out;
  struct ap_buffer page;
  struct ap_buffer compressed; /* of one page, used again and again */
  struct dictionary dictionary;
  bool has_dictionary;
  struct ap_parquet_chunk chunk;
};

/* ---- dictionaries ---------------------------------------------------------------------------- */

static struct ap_text value_bytes(const struct ap_parquet_values *values, uint32_t i) {
  if (values->width == 0) return values->texts[i];
  return (struct ap_text){(const char *)values->fixed + (size_t)i * values->width, values->width};
}

/* Eight bytes at a time, multiplied and folded; good enough for a table of one column's values. */
static uint64_t hash_bytes(struct ap_text text) {
  uint64_t hash = text.size * UINT64_C(0x9e3779b97f4a7c15);
  while (text.size > 0) {
    uint64_t word = 0;
    size_t size = text.size < sizeof word ? text.size : sizeof word;
    memcpy(&word, text.data, size);
    hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 32;
    text.data += size;
    text.size -= size;
  }
  return hash;
}

static uint32_t find_entry(struct dictionary *dictionary, const struct ap_parquet_values *values,
                           uint32_t i) {
  struct ap_text value = value_bytes(values, i);
  uint32_t slot = (uint32_t)(hash_bytes(value) & (DICTIONARY_SLOTS - 1));
  while (dictionary->slots[slot] != NO_ENTRY) {
    uint32_t entry = dictionary->slots[slot];
    if (ap_text_equal(value_bytes(values, dictionary->entries[entry]), value)) return entry;
    slot = (slot + 1) & (DICTIONARY_SLOTS - 1);
  }
  if (dictionary->count == DICTIONARY_ENTRIES_MAX) return NO_ENTRY;
  dictionary->slots[slot] = dictionary->count;
  dictionary->entries[dictionary->count] = i;
  return dictionary->count++;
}

/* False when the values repeat too little. Floats and booleans are never worth it. */
static ap_status try_dictionary(struct encoder *encoder, ap_error *err) {
  const struct ap_parquet_values *values = encoder->values;
  struct dictionary *dictionary = &encoder->dictionary;
  encoder->has_dictionary = false;
  if (values->type == AP_PARQUET_BOOLEAN || values->type == AP_PARQUET_FLOAT ||
      values->type == AP_PARQUET_DOUBLE || values->count == 0) {
    return AP_OK;
  }
  dictionary->slots = ap_arena_allocate(encoder->arena, DICTIONARY_SLOTS * sizeof(uint32_t));
  dictionary->entries =
      ap_arena_allocate(encoder->arena, DICTIONARY_ENTRIES_MAX * sizeof(uint32_t));
  dictionary->indices = ap_arena_allocate(encoder->arena, (size_t)values->count * sizeof(uint32_t));
  if (dictionary->slots == NULL || dictionary->entries == NULL || dictionary->indices == NULL) {
    return AP_FAIL_MEMORY(err);
  }
  memset(dictionary->slots, 0xff, DICTIONARY_SLOTS * sizeof(uint32_t));
  for (uint32_t i = 0; i < values->count; ++i) {
    uint32_t entry = find_entry(dictionary, values, i);
    if (entry == NO_ENTRY) return AP_OK;
    dictionary->indices[i] = entry;
    if (i == DICTIONARY_TRIAL && dictionary->count > DICTIONARY_TRIAL / 2) return AP_OK;
  }
  encoder->has_dictionary = (uint64_t)dictionary->count * 2 <= values->count;
  return AP_OK;
}

/* ---- pages ----------------------------------------------------------------------------------- */

static void append_u32(struct ap_buffer *out, uint32_t value) {
  const unsigned char bytes[] = {(unsigned char)value, (unsigned char)(value >> 8),
                                 (unsigned char)(value >> 16), (unsigned char)(value >> 24)};
  ap_buffer_append(out, bytes, sizeof bytes);
}

/* count numbers of `width` bits each, packed low bits first, the last group of 8 filled up. */
static void append_packed(struct ap_buffer *out, const uint32_t *numbers, uint32_t count,
                          uint32_t width) {
  uint32_t groups = (count + 7) / 8;
  ap_varint_append(out, (uint64_t)groups << 1 | 1);
  size_t size = (size_t)groups * width;
  unsigned char *to = (unsigned char *)ap_buffer_reserve(out, size);
  if (to == NULL) return; /* remembered by the buffer */
  unsigned char *end = to + size;
  uint64_t bits = 0;
  uint32_t bit_count = 0;
  for (uint32_t i = 0; i < count; ++i) {
    bits |= (uint64_t)numbers[i] << bit_count;
    bit_count += width;
    while (bit_count >= 8) {
      *to++ = (unsigned char)bits;
      bits >>= 8;
      bit_count -= 8;
    }
  }
  while (to < end) {
    *to++ = (unsigned char)bits;
    bits >>= 8;
  }
  out->size += size;
}

/* Definition levels of rows [first, first + count): 1 where there is a value. Version 1 pages put
 * their size before them. */
static void append_levels(struct encoder *encoder, uint32_t first, uint32_t count) {
  const uint8_t *valid = encoder->values->valid;
  struct ap_buffer *page = &encoder->page;
  size_t at = page->size;
  append_u32(page, 0);
  if (valid == NULL) {
    ap_varint_append(page, (uint64_t)count << 1);
    ap_buffer_append(page, "\x01", 1);
  } else {
    ap_varint_append(page, (uint64_t)((count + 7) / 8) << 1 | 1);
    for (uint32_t i = 0; i < count; i += 8) {
      unsigned char byte = 0;
      for (uint32_t bit = 0; bit < 8 && i + bit < count; ++bit) {
        byte = (unsigned char)(byte | valid[first + i + bit] << bit);
      }
      ap_buffer_append(page, &byte, 1);
    }
  }
  if (page->failed) return;
  uint32_t size = (uint32_t)(page->size - at - sizeof size);
  for (uint32_t i = 0; i < sizeof size; ++i) {
    page->data[at + i] = (char)(unsigned char)(size >> (8 * i));
  }
}

static void append_decimals(struct ap_buffer *out, const uint8_t *values, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    unsigned char bytes[AP_PARQUET_DECIMAL_BYTES]; /* the format wants the high byte first */
    for (uint32_t k = 0; k < sizeof bytes; ++k) {
      bytes[k] = values[(size_t)i * sizeof bytes + sizeof bytes - 1 - k];
    }
    ap_buffer_append(out, bytes, sizeof bytes);
  }
}

static void append_booleans(struct ap_buffer *out, const uint8_t *values, uint32_t count) {
  for (uint32_t i = 0; i < count; i += 8) {
    unsigned char byte = 0;
    for (uint32_t bit = 0; bit < 8 && i + bit < count; ++bit) {
      byte = (unsigned char)(byte | values[i + bit] << bit);
    }
    ap_buffer_append(out, &byte, 1);
  }
}

/* Each text after its size, written in place: this is where the time of wide inputs goes. */
static void append_texts(struct ap_buffer *out, const struct ap_text *texts, uint32_t count) {
  size_t size = 0;
  for (uint32_t i = 0; i < count; ++i) size += sizeof(uint32_t) + texts[i].size;
  char *to = ap_buffer_reserve(out, size);
  if (to == NULL) return; /* remembered by the buffer */
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t length = (uint32_t)texts[i].size;
    for (uint32_t k = 0; k < sizeof length; ++k) to[k] = (char)(unsigned char)(length >> (8 * k));
    to += sizeof length;
    if (length > 0) memcpy(to, texts[i].data, length);
    to += length;
  }
  out->size += size;
}

/* Values [first, first + count) in PLAIN encoding. */
static void append_plain(struct ap_buffer *out, const struct ap_parquet_values *values,
                         uint32_t first, uint32_t count) {
  const uint8_t *fixed = values->fixed + (size_t)first * values->width;
  if (values->type == AP_PARQUET_BOOLEAN) {
    append_booleans(out, fixed, count);
  } else if (values->type == AP_PARQUET_FIXED) {
    append_decimals(out, fixed, count);
  } else if (values->width > 0) {
    ap_buffer_append(out, fixed, (size_t)count * values->width);
  } else {
    append_texts(out, values->texts + first, count);
  }
}

static void write_page_header(struct encoder *encoder, struct ap_buffer *out, int page_type,
                              uint32_t value_count, size_t compressed_size) {
  struct ap_thrift header;
  enum ap_parquet_encoding encoding =
      encoder->has_dictionary ? AP_PARQUET_RLE_DICTIONARY : AP_PARQUET_PLAIN;
  ap_thrift_init(&header, out);
  ap_thrift_i32(&header, 1, page_type);
  ap_thrift_i32(&header, 2, (int32_t)encoder->page.size);
  ap_thrift_i32(&header, 3, (int32_t)compressed_size);
  if (page_type == PAGE_DATA) {
    ap_thrift_struct(&header, 5);
    ap_thrift_i32(&header, 1, (int32_t)value_count);
    ap_thrift_i32(&header, 2, encoding);
    ap_thrift_i32(&header, 3, AP_PARQUET_RLE);
    ap_thrift_i32(&header, 4, AP_PARQUET_RLE);
  } else {
    ap_thrift_struct(&header, 7);
    ap_thrift_i32(&header, 1, (int32_t)value_count);
    ap_thrift_i32(&header, 2, AP_PARQUET_PLAIN);
  }
  ap_thrift_end(&header);
  ap_thrift_end(&header);
}

/* Compress encoder->page and append it with its header. */
static ap_status flush_page(struct encoder *encoder, int page_type, uint32_t value_count,
                            ap_error *err) {
  struct ap_buffer *page = &encoder->page;
  struct ap_buffer *out = encoder->out;
  AP_TRY(ap_buffer_check(page, err));
  if (page->size > LZ4_MAX_INPUT_SIZE) {
    return AP_FAIL(err, AP_UNSUPPORTED, "a Parquet page of %zu bytes", page->size);
  }
  int bound = LZ4_compressBound((int)page->size);
  ap_buffer_clear(&encoder->compressed);
  char *compressed = ap_buffer_reserve(&encoder->compressed, (size_t)bound);
  if (compressed == NULL) return AP_FAIL_MEMORY(err);
  int size = LZ4_compress_default(page->data, compressed, (int)page->size, bound);
  AP_ASSERT(size > 0); /* the bound is large enough */
  size_t before = out->size;
  write_page_header(encoder, out, page_type, value_count, (size_t)size);
  encoder->chunk.total_uncompressed_size += (int64_t)(out->size - before + page->size);
  ap_buffer_append(out, compressed, (size_t)size);
  encoder->chunk.total_size += (int64_t)(out->size - before);
  ap_buffer_clear(page);
  return ap_buffer_check(out, err);
}

static ap_status write_dictionary(struct encoder *encoder, ap_error *err) {
  const struct dictionary *dictionary = &encoder->dictionary;
  encoder->chunk.dictionary_offset = (int64_t)encoder->out->size;
  for (uint32_t i = 0; i < dictionary->count; ++i) {
    append_plain(&encoder->page, encoder->values, dictionary->entries[i], 1);
  }
  return flush_page(encoder, PAGE_DICTIONARY, dictionary->count, err);
}

static uint32_t count_values(const struct ap_parquet_values *values, uint32_t first,
                             uint32_t rows) {
  if (values->valid == NULL) return rows;
  uint32_t count = 0;
  for (uint32_t i = 0; i < rows; ++i) count += values->valid[first + i];
  return count;
}

static uint32_t bits_for(uint32_t count) {
  uint32_t width = 1;
  while (width < 32 && (count - 1) >> width != 0) ++width;
  return width;
}

static ap_status write_data(struct encoder *encoder, ap_error *err) {
  const struct ap_parquet_values *values = encoder->values;
  uint32_t value = 0;
  encoder->chunk.data_offset = (int64_t)encoder->out->size;
  for (uint32_t row = 0; row < values->row_count; row += PAGE_ROWS) {
    uint32_t rows = values->row_count - row < PAGE_ROWS ? values->row_count - row : PAGE_ROWS;
    uint32_t count = count_values(values, row, rows);
    append_levels(encoder, row, rows);
    if (encoder->has_dictionary) {
      uint32_t width = bits_for(encoder->dictionary.count);
      const unsigned char byte = (unsigned char)width;
      ap_buffer_append(&encoder->page, &byte, 1);
      append_packed(&encoder->page, encoder->dictionary.indices + value, count, width);
    } else {
      append_plain(&encoder->page, values, value, count);
    }
    value += count;
    AP_TRY(flush_page(encoder, PAGE_DATA, rows, err));
  }
  AP_ASSERT(value == values->count);
  return AP_OK;
}

ap_status ap_parquet_encode(struct ap_arena *arena, const struct ap_parquet_values *values,
                            struct ap_buffer *out, struct ap_parquet_chunk *out_chunk,
                            ap_error *err) {
  struct encoder encoder = {
      .arena = arena, .values = values, .out = out, .chunk = {.dictionary_offset = -1}};
  ap_buffer_init(&encoder.page, arena->allocator);
  ap_buffer_init(&encoder.compressed, arena->allocator);
  ap_status status = try_dictionary(&encoder, err);
  if (status == AP_OK && encoder.has_dictionary) status = write_dictionary(&encoder, err);
  if (status == AP_OK) status = write_data(&encoder, err);
  ap_buffer_deinit(&encoder.page);
  ap_buffer_deinit(&encoder.compressed);
  *out_chunk = encoder.chunk;
  return status;
}
