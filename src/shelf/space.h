/* SPDX-License-Identifier: Apache-2.0
 *
 * Which parts of the arena are taken. Pure: it knows offsets, never the memory itself, so whatever
 * a client writes there cannot confuse it. What is large lies where it fits best, at the low end of
 * what is free, so that the same pages are used again and again; what is small lies as high as it
 * can, for it would cut up the room of the large.
 *
 * Blocks are multiples of 64 bytes at multiples of 64. Giving back costs the logarithm of the
 * number of free blocks, taking at most 1,024 times that, and giving back never fails. A free block
 * is cold when none of its whole pages has memory behind it as far as is known. Thread: one.
 */
#ifndef AP_SHELF_SPACE_H
#define AP_SHELF_SPACE_H

#include "base/alloc.h"

#include <stdbool.h>
#include <stdint.h>

enum { AP_SHELF_GRAIN = 64 };

struct ap_shelf_space;

/* A taken part. size_bytes is what was asked for; the block may be longer. */
struct ap_shelf_block;

/* bytes: a multiple of page_bytes, which is a power of two. All is free and cold. What has less
 * than small_bytes and no whole pages is small. */
AP_MUST_CHECK ap_status ap_shelf_space_create(struct ap_allocator *allocator, int64_t bytes,
                                              int64_t page_bytes, int64_t small_bytes,
                                              struct ap_shelf_space **out, ap_error *err);
/* Blocks that are still taken go with it. NULL is allowed. */
void ap_shelf_space_destroy(struct ap_shelf_space *space);

/* size_bytes > 0. whole_pages: it begins at a page and shares none. NULL in *out when there is no
 * such room; the only error is AP_OUT_OF_MEMORY. */
AP_MUST_CHECK ap_status ap_shelf_space_take(struct ap_shelf_space *space, int64_t size_bytes,
                                            bool whole_pages, struct ap_shelf_block **out,
                                            ap_error *err);
void ap_shelf_space_give(struct ap_shelf_space *space, struct ap_shelf_block *block);
/* Give back what lies behind the first size_bytes, at least 1 and at most what was asked for. When
 * memory for the bookkeeping lacks, the block keeps its room. */
void ap_shelf_space_shorten(struct ap_shelf_space *space, struct ap_shelf_block *block,
                            int64_t size_bytes);
int64_t ap_shelf_block_offset(const struct ap_shelf_block *block);
int64_t ap_shelf_block_size(const struct ap_shelf_block *block);

int64_t ap_shelf_space_bytes(const struct ap_shelf_space *space);
int64_t ap_shelf_space_used(const struct ap_shelf_space *space);
int64_t ap_shelf_space_largest_free(const struct ap_shelf_space *space);

/* The last free block that is not cold: its whole pages, the last max_bytes of them. They count as
 * cold from now on, for the caller makes them so. False when there is none. */
bool ap_shelf_space_cool(struct ap_shelf_space *space, int64_t max_bytes, int64_t *out_offset,
                         int64_t *out_size);

#endif
