/* SPDX-License-Identifier: Apache-2.0
 *
 * See deletion_vector.h. The portable format: 4 bytes magic, 8 bytes number of buckets, then per
 * bucket 4 bytes upper half and a 32-bit roaring bitmap, little-endian throughout. The native one,
 * which the protocol's own inline example uses: magic, number of buckets and per bucket its size, 4
 * big-endian bytes each; buckets count up from 0. Files frame a vector, big-endian, with its size
 * before and its CRC-32 behind.
 *
 * Bitmaps are read here, after the specification of the format (RoaringFormatSpec): CRoaring's own
 * reader, version 0.9, takes cardinalities of damaged bytes on trust and crashes on them.
 */
#include "ledger/deletion_vector.h"

#include "base/assert.h"
#include "ledger/action.h"
#include "ledger/snapshot.h"

#include <inttypes.h>
#include <string.h>

enum {
  MAGIC = 1681511377,
  MAGIC_NATIVE = 1681511376, /* big-endian */
  FRAME_BYTES = 4,           /* size before, checksum behind */
  FORMAT_VERSION = 1,
  UUID_Z85_CHARS = 20,
  UUID_BYTES = 16,
  /* roaring bitmaps */
  COOKIE_RUNS = 12347,    /* in the lower half; the upper is the number of containers - 1 */
  COOKIE_NO_RUNS = 12346, /* the number of containers follows */
  CONTAINERS_MAX = 65536,
  OFFSETS_FROM = 4, /* containers from which on a bitmap with runs has offsets */
  ARRAY_VALUES_MAX = 4096,
  BITSET_BYTES = 8192,
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

static uint32_t read_u16(const char *at) {
  const unsigned char *bytes = (const unsigned char *)at;
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

/* The bytes still to be read, and where their rows go. */
struct reader {
  const char *at;
  const char *end;
  uint64_t *rows;
  uint64_t count;
  uint64_t room;
  uint64_t row_bound; /* rows of the file */
  uint64_t high;      /* the bucket's upper half, shifted */
};

/* The next size bytes; NULL when there are not as many. */
static const char *take(struct reader *reader, size_t size) {
  if ((size_t)(reader->end - reader->at) < size) return NULL;
  const char *taken = reader->at;
  reader->at += size;
  return taken;
}

/* Rows must ascend, lie within the file and be no more than stated. */
static bool add_row(struct reader *reader, uint64_t row) {
  if (reader->count == reader->room || row >= reader->row_bound) return false;
  if (reader->count > 0 && row <= reader->rows[reader->count - 1]) return false;
  reader->rows[reader->count++] = row;
  return true;
}

static bool read_runs(struct reader *reader, uint64_t base, uint32_t cardinality) {
  const char *head = take(reader, 2);
  uint32_t runs = head ? read_u16(head) : 0;
  const char *pairs = take(reader, (size_t)runs * 4);
  uint32_t total = 0;
  if (!head || !pairs) return false;
  for (uint32_t i = 0; i < runs; i++) {
    uint32_t start = read_u16(pairs + (size_t)i * 4);
    uint32_t more = read_u16(pairs + (size_t)i * 4 + 2);
    if (start + more > UINT16_MAX) return false;
    for (uint32_t k = 0; k <= more; k++) {
      if (!add_row(reader, base | (start + k))) return false;
    }
    total += more + 1;
  }
  return total == cardinality;
}

static bool read_array(struct reader *reader, uint64_t base, uint32_t cardinality) {
  const char *values = take(reader, (size_t)cardinality * 2);
  if (!values) return false;
  for (uint32_t i = 0; i < cardinality; i++) {
    if (!add_row(reader, base | read_u16(values + (size_t)i * 2))) return false;
  }
  return true;
}

static bool read_bitset(struct reader *reader, uint64_t base, uint32_t cardinality) {
  const char *bytes = take(reader, BITSET_BYTES);
  uint32_t total = 0;
  if (!bytes) return false;
  for (uint32_t i = 0; i < BITSET_BYTES; i++) {
    for (unsigned bits = (unsigned char)bytes[i]; bits != 0; bits &= bits - 1) {
      uint32_t value = i * 8 + (uint32_t)__builtin_ctz(bits);
      if (!add_row(reader, base | value)) return false;
      total++;
    }
  }
  return total == cardinality;
}

/* One 32-bit roaring bitmap in the portable form; false when it is none. */
static bool read_bitmap(struct reader *reader) {
  const char *cookie = take(reader, 4);
  if (!cookie) return false;
  bool has_runs = read_u16(cookie) == COOKIE_RUNS;
  uint32_t containers = (read_u32_little(cookie) >> 16) + 1;
  const char *run_flags = NULL;
  if (has_runs) {
    run_flags = take(reader, (containers + 7) / 8);
    if (!run_flags) return false;
  } else {
    const char *count = take(reader, 4);
    if (read_u32_little(cookie) != COOKIE_NO_RUNS || !count) return false;
    containers = read_u32_little(count);
  }
  if (containers > CONTAINERS_MAX) return false;
  const char *heads = take(reader, (size_t)containers * 4);
  if (!heads) return false;
  /* containers lie in order, so their offsets tell nothing new */
  bool has_offsets = !has_runs || containers >= OFFSETS_FROM;
  if (has_offsets && !take(reader, (size_t)containers * 4)) return false;
  for (uint32_t i = 0; i < containers; i++) {
    uint64_t base = reader->high | (uint64_t)read_u16(heads + (size_t)i * 4) << 16;
    uint32_t cardinality = read_u16(heads + (size_t)i * 4 + 2) + 1;
    bool is_run = has_runs && ((unsigned char)run_flags[i / 8] >> i % 8 & 1) != 0;
    bool valid = is_run                            ? read_runs(reader, base, cardinality)
                 : cardinality <= ARRAY_VALUES_MAX ? read_array(reader, base, cardinality)
                                                   : read_bitset(reader, base, cardinality);
    if (!valid) return false;
  }
  return true;
}

static bool read_portable(struct reader *reader) {
  const char *head = take(reader, 8);
  if (!head) return false;
  uint64_t buckets = (uint64_t)read_u32_little(head) | (uint64_t)read_u32_little(head + 4) << 32;
  for (uint64_t i = 0; i < buckets; i++) {
    const char *high = take(reader, 4);
    if (!high || read_u32_little(high) > INT32_MAX) return false;
    reader->high = (uint64_t)read_u32_little(high) << 32;
    if (!read_bitmap(reader)) return false;
  }
  return true;
}

static bool read_native(struct reader *reader) {
  const char *head = take(reader, 4);
  if (!head) return false;
  uint32_t buckets = read_u32_big(head);
  for (uint32_t i = 0; i < buckets; i++) {
    const char *size = take(reader, 4);
    if (!size || i > INT32_MAX) return false;
    const char *start = reader->at;
    reader->high = (uint64_t)i << 32;
    if (!read_bitmap(reader) || (size_t)(reader->at - start) != read_u32_big(size)) return false;
  }
  return true;
}

ap_status ap_deletion_vector_decode(struct ap_arena *arena, struct ap_text bytes,
                                    int64_t cardinality, int64_t row_count,
                                    const uint64_t **out_rows, uint64_t *out_count, ap_error *err) {
  bool portable = bytes.size >= 4 && read_u32_little(bytes.data) == MAGIC;
  bool native = bytes.size >= 4 && read_u32_big(bytes.data) == MAGIC_NATIVE;
  if (!portable && !native) {
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
  struct reader reader = {.at = bytes.data + 4,
                          .end = bytes.data + bytes.size,
                          .room = (uint64_t)cardinality,
                          .row_bound = (uint64_t)row_count};
  reader.rows = AP_ARENA_ARRAY(arena, uint64_t, reader.room ? reader.room : 1);
  if (!reader.rows) return AP_FAIL_MEMORY(err);
  bool valid = portable ? read_portable(&reader) : read_native(&reader);
  if (!valid || reader.at != reader.end || reader.count != reader.room) {
    return AP_FAIL(
        err, AP_CORRUPT,
        "deletion vector: %zu bytes are no set of %" PRIu64 " ascending rows below %" PRIu64
        "; after %" PRIu64 " of them, %zu bytes are left",
        bytes.size, reader.room, reader.row_bound, reader.count, (size_t)(reader.end - reader.at));
  }
  *out_rows = reader.rows;
  *out_count = reader.count;
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

/* Bit by bit: vectors are small. */
uint32_t ap_deletion_vector_checksum(struct ap_text bytes) {
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
  if (ap_deletion_vector_checksum(*out_bytes) != stated) {
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
