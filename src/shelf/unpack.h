/* SPDX-License-Identifier: Apache-2.0
 *
 * From the memory of an object back to Arrow batches, whose buffers are that memory: nothing is
 * copied. Every array holds the object until it is released, children that were moved out too.
 *
 * What is checked, and when. Always, before anything is handed out: the block (in private memory,
 * so that nobody can change it after the check): its schema, its counts and nesting, and for every
 * buffer that it lies within the object and is as long as the rows need; of text, bytes and lists
 * the first and the last offset. That costs by the number of buffers, not of rows. Asked for: all
 * that ap_array_validate looks at (each offset, view and index, UTF-8), one pass over the rows.
 * Clients do that when they put, so it is for whoever does not trust what else writes to the shelf.
 */
#ifndef AP_SHELF_UNPACK_H
#define AP_SHELF_UNPACK_H

#include "shelf/wire.h"

#include <nanoarrow/nanoarrow.h>

/* What keeps an object's memory there, counted. From any thread. */
struct ap_shelf_holder {
  void (*retain)(struct ap_shelf_holder *self);
  void (*release)(struct ap_shelf_holder *self);
};

/* An object as it lies in memory; all of it stays for as long as the holder is held. */
struct ap_shelf_object_memory {
  const uint8_t *arena;
  const struct ap_shelf_extent *extents; /* checked to lie in the arena */
  size_t extent_count;
  struct ap_text block; /* private */
  struct ap_shelf_holder *holder;
};

/* The stream retains the holder too. It may be used by one thread at a time, its arrays by any. */
AP_MUST_CHECK ap_status ap_shelf_unpack(const struct ap_shelf_object_memory *object,
                                        bool checks_values, struct ArrowArrayStream *out,
                                        ap_error *err);

#endif
