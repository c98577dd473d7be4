/* SPDX-License-Identifier: Apache-2.0
 *
 * Native copies: decoded rows of some cells of one frame, in a file of the engine's own storage
 * that every chamber may attach read-only. Reading one costs what the engine's own tables cost, its
 * hot blocks are counted and evicted within the chamber's memory, and all chambers share the file.
 *
 * A copy is immutable and counted. Its rows carry the number of their cell (0.. in the order they
 * were given), so that a snapshot that lacks some of its cells can still use the rest. A retired
 * copy has lost its file; who has attached it goes on reading until its next statement.
 * Thread: copies are safe from any thread.
 */
#ifndef AP_ENGINE_NATIVE_H
#define AP_ENGINE_NATIVE_H

#include "engine/engine.h"

struct ap_native_copy;

/* Cells by their numbers in a copy, both ends included. */
struct ap_cell_range {
  uint32_t first;
  uint32_t last;
};

/* What a binding reads of a copy. */
struct ap_native_part {
  struct ap_native_copy *copy;
  const struct ap_cell_range *ranges; /* ascending, apart; none: every cell of the copy */
  uint32_t range_count;
};

struct ap_native_request {
  const struct ap_frame_binding *binding; /* its cells in the order of their numbers; no parts */
  const char *path;                       /* of the file to make; its folder exists */
  uint64_t number;                        /* names it within chambers: unique in the process */
  int64_t memory_limit_bytes;
  const struct ap_run_control *control; /* may be NULL; asked every few milliseconds */
};

/* Make a copy in an instance of the engine's own, on the caller's thread alone. Nothing is left
 * behind on failure. AP_CANCELLED when the control said so. */
AP_MUST_CHECK ap_status ap_native_copy_make(struct ap_engine *engine,
                                            const struct ap_native_request *request,
                                            struct ap_native_copy **out_copy, ap_error *err);
struct ap_native_copy *ap_native_copy_retain(struct ap_native_copy *copy);
void ap_native_copy_release(struct ap_native_copy *copy); /* NULL is allowed */

uint64_t ap_native_copy_number(const struct ap_native_copy *copy);
int64_t ap_native_copy_size_bytes(const struct ap_native_copy *copy);

/* Remove its file: nobody binds it any more. */
void ap_native_copy_retire(struct ap_native_copy *copy);
/* Whether reading it has failed; then it should be retired. */
bool ap_native_copy_is_suspect(const struct ap_native_copy *copy);
void ap_native_copy_suspect(struct ap_native_copy *copy);

/* Works that run or wait for a bee now. */
uint32_t ap_engine_busy_count(struct ap_engine *engine);

#endif
