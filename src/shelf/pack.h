/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrow batches into the memory of an object: extents of buffers that begin at multiples of 64, and
 * the metadata block that tells what lies where (block.h). Slices are cut to what they show, but
 * for at most seven rows in front of it, so that bits need no shifting; of string views only the
 * bytes in use are kept where that saves much; a dictionary that several batches share is laid
 * once.
 *
 * Every batch is checked whole (ap_array_validate) before it is packed. So what is on a shelf is
 * valid unless someone writes past this code.
 *
 * Use: add batches until enough bytes are gathered; make an extent of ap_shelf_packer_extent_bytes;
 * ap_shelf_packer_copy into it; and so on; at the end the block, which needs room of its own.
 * Thread: one at a time; copying may use several.
 */
#ifndef AP_SHELF_PACK_H
#define AP_SHELF_PACK_H

#include "base/text.h"

#include <nanoarrow/nanoarrow.h>

struct ap_shelf_packer;

/* The schema must live as long as the packer. */
AP_MUST_CHECK ap_status ap_shelf_packer_create(const struct ArrowSchema *schema,
                                               struct ap_shelf_packer **out, ap_error *err);
void ap_shelf_packer_destroy(struct ap_shelf_packer *packer); /* NULL is allowed */
/* Plans where the batch goes; takes it on success. */
AP_MUST_CHECK ap_status ap_shelf_packer_add(struct ap_shelf_packer *packer,
                                            struct ArrowArray *batch, ap_error *err);
/* What the batches added since the last copy need; a multiple of 64. */
int64_t ap_shelf_packer_extent_bytes(const struct ap_shelf_packer *packer);
/* Fill the extent, which is the object's next, with up to `threads` threads. is_there: this process
 * wrote to all its pages before; else they are made first, which is faster than one by one. */
AP_MUST_CHECK ap_status ap_shelf_packer_copy(struct ap_shelf_packer *packer, void *memory,
                                             bool is_there, uint32_t threads, ap_error *err);
int64_t ap_shelf_packer_rows(const struct ap_shelf_packer *packer);
int64_t ap_shelf_packer_extents(const struct ap_shelf_packer *packer); /* that were filled */
/* Append the block to out. */
AP_MUST_CHECK ap_status ap_shelf_packer_block(const struct ap_shelf_packer *packer,
                                              struct ap_buffer *out, ap_error *err);

#endif
