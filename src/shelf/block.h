/* SPDX-License-Identifier: Apache-2.0
 *
 * The metadata block of an object on the shelf: the schema of its batches, and for each batch where
 * its buffers lie. Written by the client that packs, read by every client that gets. Numbers are
 * the machine's own, because both are on it:
 *
 *     head     struct ap_shelf_block_head
 *     schema   one field: i64 flags, children, whether a dictionary follows (0 or 1), bytes of
 *              format, of name, of metadata (-1: none); the three texts, filled up to 8 bytes; the
 *              children's fields; the dictionary's
 *     batches  one node each: i64 length, nulls (-1: not counted), offset (0 to 7), buffers; for
 *              each buffer struct ap_shelf_place; the children's nodes; the dictionary's
 *
 * Buffers are those of the C data interface but for views, whose last, the sizes of the data
 * buffers, is not stored: the places say them. Reading takes any bytes: AP_CORRUPT says what is
 * wrong with them. Thread: any.
 */
#ifndef AP_SHELF_BLOCK_H
#define AP_SHELF_BLOCK_H

#include "base/text.h"

#include <nanoarrow/nanoarrow.h>

enum { AP_SHELF_BLOCK_VERSION = 1 };

struct ap_shelf_block_head {
  uint64_t magic;
  uint32_t version;
  uint32_t reserved;
  int64_t schema_bytes;
  int64_t batches;
  int64_t rows;
};

/* A buffer: bytes [offset, offset + size) of an extent of the object. Absent: extent -1, rest 0. */
struct ap_shelf_place {
  int64_t extent;
  int64_t offset;
  int64_t size;
};

/* Bytes that are read from the front; `left` shrinks. */
struct ap_shelf_bytes {
  const uint8_t *data;
  size_t left;
};

/* False when fewer are left. */
bool ap_shelf_bytes_take(struct ap_shelf_bytes *bytes, void *out, size_t size);

void ap_shelf_block_write_head(struct ap_buffer *out, int64_t schema_bytes, int64_t batches,
                               int64_t rows);
AP_MUST_CHECK ap_status ap_shelf_block_read_head(struct ap_shelf_bytes *bytes,
                                                 struct ap_shelf_block_head *out, ap_error *err);

/* Appends to out, whose failing is for the caller to check. The schema must be one that
 * ap_array_validate takes. */
void ap_shelf_block_write_schema(struct ap_buffer *out, const struct ArrowSchema *schema);
/* A schema that ap_layout_of takes in each of its fields, whose top is a struct. */
AP_MUST_CHECK ap_status ap_shelf_block_read_schema(struct ap_shelf_bytes *bytes,
                                                   struct ArrowSchema *out, ap_error *err);

#endif
