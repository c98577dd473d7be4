/* SPDX-License-Identifier: Apache-2.0
 *
 * Making, counting and freeing cells. A cell is one block of memory: the struct, its partition
 * values and the bytes of all its texts; only its parsed statistics (statistics.c) are a block of
 * their own.
 */
#include "cell/cell.h"

#include "base/assert.h"

#include <string.h>

/* Where the bytes of the next text go within the block. */
struct packer {
  char *at;
  char *end;
};

static struct ap_text pack_text(struct packer *packer, struct ap_text text) {
  AP_ASSERT((size_t)(packer->end - packer->at) > text.size);
  char *copy = packer->at;
  if (text.size > 0) memcpy(copy, text.data, text.size);
  copy[text.size] = '\0';
  packer->at += text.size + 1;
  return (struct ap_text){copy, text.size};
}

static bool add_text_size(size_t *total, struct ap_text text) {
  return !__builtin_add_overflow(*total, text.size, total) &&
         !__builtin_add_overflow(*total, 1, total);
}

static bool block_size(const struct ap_cell_parts *parts, size_t *out_size) {
  size_t size;
  if (__builtin_mul_overflow(parts->partition_count, sizeof(struct ap_partition_value), &size) ||
      __builtin_add_overflow(size, sizeof(struct ap_cell), &size)) {
    return false;
  }
  for (uint32_t i = 0; i < parts->partition_count; i++) {
    if (!add_text_size(&size, parts->partition_values[i].text)) return false;
  }
  *out_size = size;
  return add_text_size(out_size, parts->path) && add_text_size(out_size, parts->statistics_json) &&
         add_text_size(out_size, parts->tags_json) && add_text_size(out_size, parts->action_json) &&
         add_text_size(out_size, parts->deletion_vector.path_or_inline);
}

static bool parse_hex_u64(struct ap_text text, uint64_t *out_number) {
  if (text.size != 16) return false;
  uint64_t number = 0;
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    unsigned digit;
    if (c >= '0' && c <= '9') {
      digit = (unsigned)(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = (unsigned)(c - 'a') + 10;
    } else {
      return false;
    }
    number = number << 4 | digit;
  }
  *out_number = number;
  return true;
}

static bool contains(struct ap_text text, struct ap_text part) {
  if (part.size > text.size) return false;
  for (size_t at = 0; at <= text.size - part.size; at++) {
    const char *hit = memchr(text.data + at, part.data[0], text.size - part.size - at + 1);
    if (hit == NULL) return false;
    at = (size_t)(hit - text.data);
    if (memcmp(hit, part.data, part.size) == 0) return true;
  }
  return false;
}

/* Tags that are broken or not ours leave the cell as somebody else's: then less is concluded. */
static ap_status find_tag(struct ap_cell *cell, ap_error *err) {
  if (!contains(cell->tags_json, AP_TEXT(AP_CELL_TAG))) return AP_OK;
  struct ap_arena arena;
  ap_arena_init(&arena, cell->allocator);
  const struct ap_json *tags = NULL;
  struct ap_text tag;
  ap_status status = ap_json_parse(&arena, cell->tags_json, &tags, NULL);
  if (status == AP_OK && ap_json_get_text(tags, AP_CELL_TAG, AP_TEXT(""), &tag)) {
    cell->own = parse_hex_u64(tag, &cell->physical_schema_id);
  }
  ap_arena_deinit(&arena);
  return status == AP_OUT_OF_MEMORY ? AP_FAIL_MEMORY(err) : AP_OK;
}

ap_status ap_cell_create(struct ap_allocator *allocator, const struct ap_cell_parts *parts,
                         struct ap_cell **out_cell, ap_error *err) {
  size_t size;
  if (!block_size(parts, &size)) return AP_FAIL_MEMORY(err);
  struct ap_cell *cell = ap_allocate(allocator, size);
  if (cell == NULL) return AP_FAIL_MEMORY(err);
  memset(cell, 0, sizeof(*cell));
  cell->allocator = allocator;
  atomic_init(&cell->reference_count, 1);
  atomic_init(&cell->statistics, NULL);
  cell->size_bytes = parts->size_bytes;
  cell->modified_ms = parts->modified_ms;
  cell->partition_count = parts->partition_count;
  cell->partition_values = (struct ap_partition_value *)(cell + 1);
  struct packer packer = {(char *)(cell->partition_values + parts->partition_count),
                          (char *)cell + size};
  for (uint32_t i = 0; i < parts->partition_count; i++) {
    cell->partition_values[i].text = pack_text(&packer, parts->partition_values[i].text);
    cell->partition_values[i].is_null = parts->partition_values[i].is_null;
  }
  cell->path = pack_text(&packer, parts->path);
  cell->statistics_json = pack_text(&packer, parts->statistics_json);
  cell->tags_json = pack_text(&packer, parts->tags_json);
  cell->action_json = pack_text(&packer, parts->action_json);
  cell->deletion_vector = parts->deletion_vector;
  cell->deletion_vector.path_or_inline = pack_text(&packer, parts->deletion_vector.path_or_inline);
  AP_ASSERT(packer.at == packer.end);
  ap_status status = find_tag(cell, err);
  if (status != AP_OK) {
    ap_free(allocator, cell);
    return status;
  }
  *out_cell = cell;
  return AP_OK;
}

struct ap_cell *ap_cell_retain(struct ap_cell *cell) {
  /* Relaxed: whoever retains holds a reference already, so the cell cannot go meanwhile. */
  unsigned before = atomic_fetch_add_explicit(&cell->reference_count, 1, memory_order_relaxed);
  AP_ASSERT(before > 0 && before < UINT32_MAX);
  return cell;
}

void ap_cell_release(struct ap_cell *cell) {
  if (cell == NULL) return;
  /* Release: this holder's reads of the cell come before; partner: the acquire of the last one. */
  unsigned before = atomic_fetch_sub_explicit(&cell->reference_count, 1, memory_order_acq_rel);
  AP_ASSERT(before > 0);
  if (before > 1) return;
  /* Relaxed is enough: the count's acquire ordered every publication before this. */
  ap_free(cell->allocator, atomic_load_explicit(&cell->statistics, memory_order_relaxed));
  ap_free(cell->allocator, cell);
}
