/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing deletion vectors: sets of rows as roaring bitmaps in the portable form (64 bits), the
 * smallest of array, bitset and runs for each 65,536 rows; framed in one file for a commit, or,
 * when small, as text in the log.
 */
#include "ledger/deletion_vector.h"

#include "base/assert.h"
#include "base/json_edit.h"
#include "port/random.h"

#include <string.h>

enum {
  MAGIC = 1681511377,
  COOKIE_RUNS = 12347,
  COOKIE_NO_RUNS = 12346,
  OFFSETS_FROM = 4,
  ARRAY_VALUES_MAX = 4096,
  BITSET_BYTES = 8192,
  FILE_VERSION = 1,
  INLINE_BYTES_MAX = 128, /* a larger vector goes into a file */
};

static void append_number(struct ap_buffer *out, uint64_t number, int size, bool big) {
  for (int i = 0; i < size; i++) {
    char byte = (char)(number >> 8 * (big ? size - 1 - i : i) & 0xff);
    ap_buffer_append(out, &byte, 1);
  }
}

/* Rows of one container: those that share all but the last 16 bits. */
struct container {
  const uint64_t *rows;
  uint32_t count;
  uint32_t run_count;
  uint32_t size; /* serialised */
  bool is_run;
};

static struct container next_container(const uint64_t *rows, uint64_t left) {
  struct container found = {.rows = rows, .run_count = 1};
  while (found.count < left && rows[found.count] >> 16 == rows[0] >> 16) {
    AP_ASSERT(found.count == 0 || rows[found.count] > rows[found.count - 1]);
    if (found.count > 0 && rows[found.count] != rows[found.count - 1] + 1) found.run_count += 1;
    found.count += 1;
  }
  uint32_t plain = found.count <= ARRAY_VALUES_MAX ? 2 * found.count : (uint32_t)BITSET_BYTES;
  uint32_t runs = 2 + 4 * found.run_count;
  found.is_run = runs < plain;
  found.size = found.is_run ? runs : plain;
  return found;
}

static void append_container(struct ap_buffer *out, const struct container *container) {
  if (container->is_run) {
    append_number(out, container->run_count, 2, false);
    for (uint32_t i = 0; i < container->count;) {
      uint32_t begin = i;
      while (++i < container->count && container->rows[i] == container->rows[i - 1] + 1) continue;
      append_number(out, container->rows[begin] & 0xffff, 2, false);
      append_number(out, i - begin - 1, 2, false);
    }
  } else if (container->count <= ARRAY_VALUES_MAX) {
    for (uint32_t i = 0; i < container->count; i++) {
      append_number(out, container->rows[i] & 0xffff, 2, false);
    }
  } else {
    unsigned char bits[BITSET_BYTES] = {0};
    for (uint32_t i = 0; i < container->count; i++) {
      uint32_t value = (uint32_t)(container->rows[i] & 0xffff);
      bits[value / 8] = (unsigned char)(bits[value / 8] | 1u << value % 8);
    }
    ap_buffer_append(out, bits, sizeof(bits));
  }
}

/* One bitmap of 32 bits; rows share their upper half. */
static void append_bitmap(struct ap_buffer *out, const uint64_t *rows, uint64_t count) {
  struct ap_buffer flags;
  uint32_t containers = 0;
  bool has_runs = false;
  ap_buffer_init(&flags, out->allocator);
  for (uint64_t at = 0; at < count; containers++) {
    struct container container = next_container(rows + at, count - at);
    if (containers % 8 == 0) append_number(&flags, 0, 1, false);
    if (container.is_run && !flags.failed) {
      flags.data[flags.size - 1] = (char)(flags.data[flags.size - 1] | 1 << containers % 8);
    }
    has_runs |= container.is_run;
    at += container.count;
  }
  if (has_runs) {
    append_number(out, COOKIE_RUNS | (uint64_t)(containers - 1) << 16, 4, false);
    ap_buffer_append_text(out, ap_buffer_text(&flags));
  } else {
    append_number(out, COOKIE_NO_RUNS, 4, false);
    append_number(out, containers, 4, false);
  }
  bool has_offsets = !has_runs || containers >= OFFSETS_FROM;
  uint64_t offset = (has_runs ? 4 + flags.size : 8) + (size_t)containers * (has_offsets ? 8 : 4);
  for (uint64_t at = 0; at < count;) {
    struct container container = next_container(rows + at, count - at);
    append_number(out, rows[at] >> 16 & 0xffff, 2, false);
    append_number(out, container.count - 1, 2, false);
    at += container.count;
  }
  for (uint64_t at = 0; has_offsets && at < count;) {
    struct container container = next_container(rows + at, count - at);
    append_number(out, offset, 4, false);
    offset += container.size;
    at += container.count;
  }
  for (uint64_t at = 0; at < count;) {
    struct container container = next_container(rows + at, count - at);
    append_container(out, &container);
    at += container.count;
  }
  out->failed |= flags.failed;
  ap_buffer_deinit(&flags);
}

void ap_deletion_vector_encode(struct ap_buffer *out, const uint64_t *rows, uint64_t count) {
  uint64_t buckets = 0;
  for (uint64_t i = 0; i < count; i++) buckets += i == 0 || rows[i] >> 32 != rows[i - 1] >> 32;
  append_number(out, MAGIC, 4, false);
  append_number(out, buckets, 8, false);
  for (uint64_t i = 0; i < count;) {
    uint64_t begin = i;
    while (i < count && rows[i] >> 32 == rows[begin] >> 32) i++;
    append_number(out, rows[begin] >> 32, 4, false);
    append_bitmap(out, rows + begin, i - begin);
  }
}

void ap_deletion_vector_z85_append(struct ap_buffer *out, struct ap_text bytes) {
  static const char digits[] =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
  for (size_t i = 0; i < bytes.size; i += 4) {
    uint32_t value = 0;
    char text[5];
    for (size_t k = 0; k < 4; k++) {
      unsigned char byte = i + k < bytes.size ? (unsigned char)bytes.data[i + k] : 0;
      value = value << 8 | byte;
    }
    for (int k = 4; k >= 0; k--, value /= 85) text[k] = digits[value % 85];
    ap_buffer_append(out, text, sizeof(text));
  }
}

/* ---- files ----------------------------------------------------------------------------------- */

static int hex_value(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c - 'a' + 10;
}

/* The sixteen bytes of "01234567-89ab-..." */
static void append_uuid_bytes(struct ap_buffer *out, const char *uuid) {
  for (size_t i = 0; uuid[i] != '\0';) {
    if (uuid[i] == '-') {
      i++;
      continue;
    }
    char byte = (char)(hex_value(uuid[i]) << 4 | hex_value(uuid[i + 1]));
    ap_buffer_append(out, &byte, 1);
    i += 2;
  }
}

static ap_status copy(struct ap_arena *arena, struct ap_buffer *text, struct ap_text *out_copy,
                      ap_error *err) {
  AP_TRY(ap_buffer_check(text, err));
  *out_copy = (struct ap_text){ap_arena_copy(arena, ap_buffer_text(text)), text->size};
  return out_copy->data ? AP_OK : AP_FAIL_MEMORY(err);
}

struct writing {
  struct ap_arena *arena;
  struct ap_buffer bytes; /* of one vector */
  struct ap_buffer text;
  struct ap_buffer file;
  struct ap_text file_name; /* as the log names it */
};

static ap_status write_one(struct writing *writing, const struct ap_deleted_rows *rows,
                           struct ap_deletion_vector *out, ap_error *err) {
  ap_buffer_clear(&writing->bytes);
  ap_deletion_vector_encode(&writing->bytes, rows->rows, rows->count);
  AP_TRY(ap_buffer_check(&writing->bytes, err));
  struct ap_text bytes = ap_buffer_text(&writing->bytes);
  *out = (struct ap_deletion_vector){.storage_type = 'i',
                                     .offset = -1,
                                     .size_bytes = (int64_t)bytes.size,
                                     .cardinality = (int64_t)rows->count};
  if (bytes.size <= INLINE_BYTES_MAX) {
    ap_buffer_clear(&writing->text);
    ap_deletion_vector_z85_append(&writing->text, bytes);
    return copy(writing->arena, &writing->text, &out->path_or_inline, err);
  }
  if (writing->file.size == 0) append_number(&writing->file, FILE_VERSION, 1, true);
  out->storage_type = 'u';
  out->path_or_inline = writing->file_name;
  out->offset = (int64_t)writing->file.size;
  append_number(&writing->file, bytes.size, 4, true);
  ap_buffer_append_text(&writing->file, bytes);
  append_number(&writing->file, ap_deletion_vector_checksum(bytes), 4, true);
  return ap_buffer_check(&writing->file, err);
}

static ap_status write_all(struct writing *writing, struct ap_store *store, struct ap_text prefix,
                           const struct ap_deleted_rows *sets, uint32_t count, const char *uuid,
                           struct ap_deletion_vector *out_vectors, struct ap_text *out_key,
                           ap_error *err) {
  append_uuid_bytes(&writing->bytes, uuid);
  AP_TRY(ap_buffer_check(&writing->bytes, err));
  ap_deletion_vector_z85_append(&writing->text, ap_buffer_text(&writing->bytes));
  AP_TRY(copy(writing->arena, &writing->text, &writing->file_name, err));
  for (uint32_t i = 0; i < count; i++) {
    AP_ASSERT(sets[i].count > 0);
    AP_TRY(write_one(writing, &sets[i], &out_vectors[i], err));
  }
  if (writing->file.size == 0) return AP_OK;
  const char *key =
      ap_arena_format(writing->arena, "%.*s/deletion_vector_%s.bin", AP_TEXT_ARG(prefix), uuid);
  if (!key) return AP_FAIL_MEMORY(err);
  *out_key = ap_text_of(key);
  return ap_store_put(store, *out_key, ap_buffer_text(&writing->file), err);
}

ap_status ap_deletion_vectors_write(struct ap_store *store, struct ap_random *random,
                                    struct ap_text prefix, const struct ap_deleted_rows *sets,
                                    uint32_t count, struct ap_arena *arena,
                                    struct ap_deletion_vector *out_vectors, struct ap_text *out_key,
                                    ap_error *err) {
  char uuid[AP_UUID_TEXT_SIZE];
  struct writing writing = {.arena = arena};
  *out_key = (struct ap_text){NULL, 0};
  ap_random_uuid(random, uuid);
  ap_buffer_init(&writing.bytes, arena->allocator);
  ap_buffer_init(&writing.text, arena->allocator);
  ap_buffer_init(&writing.file, arena->allocator);
  ap_status status =
      write_all(&writing, store, prefix, sets, count, uuid, out_vectors, out_key, err);
  ap_buffer_deinit(&writing.file);
  ap_buffer_deinit(&writing.text);
  ap_buffer_deinit(&writing.bytes);
  return status;
}

ap_status ap_deletion_vector_statistics(const struct ap_cell *cell, struct ap_arena *arena,
                                        struct ap_text *out_json, ap_error *err) {
  struct ap_json *statistics = NULL;
  struct ap_buffer text;
  struct ap_json_writer writer;
  *out_json = (struct ap_text){"", 0};
  if (cell->statistics_json.size == 0) return AP_OK;
  ap_status parsed = ap_json_parse_editable(arena, cell->statistics_json, &statistics, NULL);
  if (parsed == AP_OUT_OF_MEMORY) return AP_FAIL_MEMORY(err);
  if (parsed != AP_OK || statistics->kind != AP_JSON_OBJECT) return AP_OK;
  if (!ap_json_edit_set(arena, statistics, AP_TEXT("tightBounds"), ap_json_of_bool(false))) {
    return AP_FAIL_MEMORY(err);
  }
  ap_buffer_init(&text, arena->allocator);
  ap_json_writer_init(&writer, &text);
  ap_json_value(&writer, statistics);
  ap_status status = copy(arena, &text, out_json, err);
  ap_buffer_deinit(&text);
  return status;
}
