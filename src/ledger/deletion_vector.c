/* SPDX-License-Identifier: Apache-2.0
 *
 * See deletion_vector.h. The format: 4 bytes magic, 8 bytes number of buckets, then per bucket 4
 * bytes high half and a 32-bit roaring bitmap in the portable form, little-endian throughout. Files
 * frame it, big-endian, with its size before and its CRC-32 behind. The library that reads bitmaps
 * trusts their inner order, so every row is checked as it comes out.
 */
#include "ledger/deletion_vector.h"

#include "base/assert.h"
#include "ledger/action.h"
#include "ledger/snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <roaring/roaring.h>

enum {
  MAGIC = 1681511377,
  HEADER_BYTES = 12, /* magic and number of buckets */
  FRAME_BYTES = 4,   /* size before, checksum behind */
  FORMAT_VERSION = 1,
  UUID_Z85_CHARS = 20,
  UUID_BYTES = 16,
  /* an empty bitmap: its cookie and the number of containers */
  BITMAP_BYTES_MIN = 8,
};

#define ROWS_MAX ((int64_t)1 << 32) /* deleted rows of one cell; more is refused */

static uint32_t read_u32_little(const char *at) {
  const unsigned char *bytes = (const unsigned char *)at;
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
         (uint32_t)bytes[3] << 24;
}

static uint32_t read_u32_big(const char *at) {
  return __builtin_bswap32(read_u32_little(at));
}

struct collector {
  uint64_t *rows;
  uint64_t count;
  uint64_t room;
  uint64_t high;      /* the bucket's upper half, shifted */
  uint64_t row_bound; /* rows of the file */
  bool ordered;
};

static bool collect_row(uint32_t low, void *context) {
  struct collector *collector = context;
  uint64_t row = collector->high | low;
  bool ascending = collector->count == 0 || row > collector->rows[collector->count - 1];
  if (collector->count == collector->room || row >= collector->row_bound || !ascending) {
    collector->ordered = false;
    return false;
  }
  collector->rows[collector->count++] = row;
  return true;
}

static ap_status decode_buckets(struct ap_text bytes, struct collector *collector, ap_error *err) {
  uint64_t buckets =
      (uint64_t)read_u32_little(bytes.data + 4) | (uint64_t)read_u32_little(bytes.data + 8) << 32;
  size_t offset = HEADER_BYTES;
  for (uint64_t i = 0; i < buckets; i++) {
    if (bytes.size - offset < 4 + BITMAP_BYTES_MIN) {
      return AP_FAIL(err, AP_CORRUPT,
                     "deletion vector: bucket %" PRIu64 " of %" PRIu64 " is cut off", i, buckets);
    }
    uint32_t high = read_u32_little(bytes.data + offset);
    const char *data = bytes.data + offset + 4;
    size_t left = bytes.size - offset - 4;
    size_t size = roaring_bitmap_portable_deserialize_size(data, left);
    roaring_bitmap_t *bitmap =
        size > 0 && size <= left ? roaring_bitmap_portable_deserialize_safe(data, left) : NULL;
    if (!bitmap || high > INT32_MAX) {
      roaring_bitmap_free(bitmap);
      return AP_FAIL(err, AP_CORRUPT, "deletion vector: bucket %" PRIu64 " is no bitmap", i);
    }
    collector->high = (uint64_t)high << 32;
    (void)roaring_iterate(bitmap, collect_row, collector);
    roaring_bitmap_free(bitmap);
    if (!collector->ordered) {
      return AP_FAIL(err, AP_CORRUPT,
                     "deletion vector: bucket %" PRIu64
                     " holds rows out of order, beyond the file's %" PRIu64
                     " rows, or more than the stated %" PRIu64,
                     i, collector->row_bound, collector->room);
    }
    offset += 4 + size;
  }
  if (offset != bytes.size) {
    return AP_FAIL(err, AP_CORRUPT, "deletion vector: %zu bytes follow the last bucket",
                   bytes.size - offset);
  }
  return AP_OK;
}

ap_status ap_deletion_vector_decode(struct ap_arena *arena, struct ap_text bytes,
                                    int64_t cardinality, int64_t row_count,
                                    const uint64_t **out_rows, uint64_t *out_count, ap_error *err) {
  if (bytes.size < HEADER_BYTES || read_u32_little(bytes.data) != MAGIC) {
    return AP_FAIL(err, AP_CORRUPT, "deletion vector: %zu bytes do not begin with the number %d",
                   bytes.size, (int)MAGIC);
  }
  if (cardinality < 0 || row_count < 0 || cardinality > row_count) {
    return AP_FAIL(err, AP_CORRUPT,
                   "deletion vector: %" PRId64 " rows are deleted of a cell that tells of %" PRId64,
                   cardinality, row_count);
  }
  if (cardinality > ROWS_MAX) {
    return AP_FAIL(err, AP_UNSUPPORTED, "deletion vector: more than %" PRId64 " rows", ROWS_MAX);
  }
  struct collector collector = {
      .room = (uint64_t)cardinality, .row_bound = (uint64_t)row_count, .ordered = true};
  collector.rows = AP_ARENA_ARRAY(arena, uint64_t, collector.room ? collector.room : 1);
  if (!collector.rows) return AP_FAIL_MEMORY(err);
  AP_TRY(decode_buckets(bytes, &collector, err));
  if (collector.count != collector.room) {
    return AP_FAIL(err, AP_CORRUPT,
                   "deletion vector: it holds %" PRIu64 " rows, the log says %" PRIu64,
                   collector.count, collector.room);
  }
  *out_rows = collector.rows;
  *out_count = collector.count;
  return AP_OK;
}

/* The value of a Z85 digit; -1: none. */
static int z85_digit(char c) {
  static const char digits[] =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
  const char *found = c == '\0' ? NULL : strchr(digits, c);
  return found ? (int)(found - digits) : -1;
}

bool ap_deletion_vector_z85(struct ap_buffer *out, struct ap_text text) {
  if (text.size % 5 != 0) return false;
  for (size_t i = 0; i < text.size; i += 5) {
    uint64_t value = 0;
    char bytes[4];
    for (size_t k = 0; k < 5; k++) {
      int digit = z85_digit(text.data[i + k]);
      if (digit < 0) return false;
      value = value * 85 + (uint64_t)digit;
    }
    if (value > UINT32_MAX) return false;
    for (int k = 0; k < 4; k++) bytes[k] = (char)(value >> (24 - 8 * k) & 0xff);
    ap_buffer_append(out, bytes, sizeof(bytes));
  }
  return true;
}

bool ap_deletion_vector_path(struct ap_buffer *out, struct ap_text path_or_inline) {
  struct ap_buffer uuid;
  if (path_or_inline.size < UUID_Z85_CHARS) return false;
  struct ap_text random = {path_or_inline.data, path_or_inline.size - UUID_Z85_CHARS};
  struct ap_text encoded = {path_or_inline.data + random.size, UUID_Z85_CHARS};
  ap_buffer_init(&uuid, out->allocator);
  bool valid = ap_deletion_vector_z85(&uuid, encoded);
  if (uuid.failed) out->failed = true;
  if (valid && uuid.size == UUID_BYTES) {
    if (random.size > 0) {
      ap_buffer_append_text(out, random);
      ap_buffer_append_string(out, "/");
    }
    ap_buffer_append_string(out, "deletion_vector_");
    for (size_t i = 0; i < UUID_BYTES; i++) {
      if (i == 4 || i == 6 || i == 8 || i == 10) ap_buffer_append_string(out, "-");
      ap_buffer_append_format(out, "%02x", (unsigned)(unsigned char)uuid.data[i]);
    }
    ap_buffer_append_string(out, ".bin");
  }
  ap_buffer_deinit(&uuid);
  return valid;
}

/* CRC-32 of IEEE 802.3, bit by bit: vectors are small. */
static uint32_t crc32_of(struct ap_text bytes) {
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < bytes.size; i++) {
    crc ^= (unsigned char)bytes.data[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
  }
  return ~crc;
}

/* The framed bytes at an offset of a file, checked. */
static ap_status read_frame(struct ap_store *store, struct ap_text key,
                            const struct ap_deletion_vector *vector, struct ap_buffer *frame,
                            struct ap_text *out_bytes, ap_error *err) {
  int64_t offset = vector->offset < 0 ? 0 : vector->offset;
  int64_t size = vector->size_bytes + 2 * FRAME_BYTES;
  AP_TRY(ap_store_get(store, key, 0, 1, frame, err));
  AP_TRY(ap_buffer_check(frame, err));
  if (frame->size != 1 || frame->data[0] != FORMAT_VERSION) {
    return AP_FAIL(err, AP_CORRUPT, "%.*s is no deletion vector file of version %d",
                   AP_TEXT_ARG(key), (int)FORMAT_VERSION);
  }
  ap_buffer_clear(frame);
  AP_TRY(ap_store_get(store, key, offset, size, frame, err));
  AP_TRY(ap_buffer_check(frame, err));
  if ((int64_t)frame->size != size || read_u32_big(frame->data) != (uint64_t)vector->size_bytes) {
    return AP_FAIL(err, AP_CORRUPT,
                   "%.*s holds no deletion vector of %" PRId64 " bytes at offset %" PRId64,
                   AP_TEXT_ARG(key), vector->size_bytes, offset);
  }
  *out_bytes = (struct ap_text){frame->data + FRAME_BYTES, (size_t)vector->size_bytes};
  uint32_t stated = read_u32_big(frame->data + FRAME_BYTES + vector->size_bytes);
  if (crc32_of(*out_bytes) != stated) {
    return AP_FAIL(err, AP_CORRUPT,
                   "%.*s: the checksum of the deletion vector at offset %" PRId64 " does not match",
                   AP_TEXT_ARG(key), offset);
  }
  return AP_OK;
}

static ap_status vector_key(struct ap_text prefix, const struct ap_deletion_vector *vector,
                            struct ap_buffer *out_key, ap_error *err) {
  ap_buffer_append_text(out_key, prefix);
  ap_buffer_append_string(out_key, "/");
  if (!ap_deletion_vector_path(out_key, vector->path_or_inline)) {
    return AP_FAIL(err, AP_CORRUPT, "deletion vector: '%.*s' names no file",
                   AP_TEXT_ARG(vector->path_or_inline));
  }
  AP_TRY(ap_buffer_check(out_key, err));
  if (ap_store_check_key(ap_buffer_text(out_key), NULL) != AP_OK) {
    return AP_FAIL(err, AP_CORRUPT, "deletion vector: '%.*s' names no file of the table",
                   AP_TEXT_ARG(vector->path_or_inline));
  }
  return AP_OK;
}

static ap_status read_bytes(struct ap_store *store, struct ap_text prefix,
                            const struct ap_deletion_vector *vector, struct ap_buffer *scratch,
                            struct ap_buffer *key, struct ap_text *out_bytes, ap_error *err) {
  if (vector->size_bytes < 0 || vector->size_bytes > AP_OBJECT_BYTES_MAX) {
    return AP_FAIL(err, AP_CORRUPT, "deletion vector: %" PRId64 " bytes are no possible size",
                   vector->size_bytes);
  }
  if (vector->storage_type == 'u') {
    AP_TRY(vector_key(prefix, vector, key, err));
    return read_frame(store, ap_buffer_text(key), vector, scratch, out_bytes, err);
  }
  if (vector->storage_type == 'i') {
    if (!ap_deletion_vector_z85(scratch, vector->path_or_inline)) {
      return AP_FAIL(err, AP_CORRUPT, "deletion vector: the inline text is no Z85");
    }
    AP_TRY(ap_buffer_check(scratch, err));
    /* Z85 works in fours: up to three bytes of padding may follow */
    if ((int64_t)scratch->size < vector->size_bytes ||
        (int64_t)scratch->size - vector->size_bytes > 3) {
      return AP_FAIL(err, AP_CORRUPT,
                     "deletion vector: %zu inline bytes are not the stated %" PRId64, scratch->size,
                     vector->size_bytes);
    }
    *out_bytes = (struct ap_text){scratch->data, (size_t)vector->size_bytes};
    return AP_OK;
  }
  ap_status status = AP_FAIL(err, AP_UNSUPPORTED,
                             "deletion vector '%.*s' has an absolute path; only files of the table "
                             "itself are read",
                             AP_TEXT_ARG(vector->path_or_inline));
  ap_error_hint(err, "rewrite the table's files (OPTIMIZE or PURGE) with the engine that wrote it");
  return status;
}

ap_status ap_deletion_vector_read(struct ap_store *store, struct ap_text prefix,
                                  const struct ap_cell *cell, struct ap_arena *arena,
                                  const uint64_t **out_rows, uint64_t *out_count, ap_error *err) {
  const struct ap_deletion_vector *vector = &cell->deletion_vector;
  struct ap_text bytes = {NULL, 0};
  struct ap_buffer scratch;
  struct ap_buffer key;
  int64_t rows_left = 0;
  *out_rows = NULL;
  *out_count = 0;
  if (vector->storage_type == 0) return AP_OK;
  ap_buffer_init(&scratch, arena->allocator);
  ap_buffer_init(&key, arena->allocator);
  ap_status status = ap_snapshot_cell_rows(cell, arena->allocator, &rows_left, err);
  if (status == AP_OK && rows_left < 0) {
    status = AP_FAIL(err, AP_CORRUPT,
                     "it has a deletion vector, but statistics that do not tell its rows");
  }
  if (status == AP_OK) status = read_bytes(store, prefix, vector, &scratch, &key, &bytes, err);
  if (status == AP_OK) {
    status = ap_deletion_vector_decode(arena, bytes, vector->cardinality,
                                       rows_left + vector->cardinality, out_rows, out_count, err);
  }
  if (status != AP_OK)
    status = ap_error_prefix(err, status, "cell '%.*s'", AP_TEXT_ARG(cell->path));
  ap_buffer_deinit(&key);
  ap_buffer_deinit(&scratch);
  return status;
}
