/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the metadata block of an object on the shelf, over memory of any bytes too: refused,
 * or read to batches that are valid and lie within the object. The input's first two bytes say how
 * many of the next are the memory; the rest is the block.
 */
#include "fuzz/fuzz.h"

#include "arrow/stream.h"
#include "base/assert.h"
#include "shelf/unpack.h"

#include <string.h>

static void nothing(struct ap_shelf_holder *self) {
  (void)self;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  size_t memory_bytes = ((size_t)data[0] | (size_t)data[1] << 8) % (size - 1);
  data += 2;
  size -= 2;
  /* Of exactly this size, so that a sanitizer sees what reads past it. */
  uint8_t *memory = ap_allocate(ap_allocator_system(), memory_bytes);
  struct ap_shelf_holder holder = {nothing, nothing};
  struct ap_shelf_extent extent = {0, (int64_t)memory_bytes};
  struct ap_shelf_object_memory object = {
      .arena = memory,
      .extents = &extent,
      .extent_count = 1,
      .block = {(const char *)data + memory_bytes, size - memory_bytes},
      .holder = &holder,
  };
  struct ArrowArrayStream stream = {0};
  struct ArrowSchema schema = {0};
  ap_error err = {0};
  if (memory == NULL) return 0;
  memcpy(memory, data, memory_bytes);
  ap_status status = ap_shelf_unpack(&object, true, &stream, &err);
  if (status == AP_OK) status = ap_stream_schema(&stream, &schema, &err);
  for (int batches = 0; status == AP_OK && batches < 1000; batches++) {
    struct ArrowArray batch = {0};
    status = ap_stream_next(&stream, &batch, &err);
    if (status != AP_OK || batch.release == NULL) break;
    ap_array_release(&batch);
  }
  AP_ASSERT(status == AP_OK || status == AP_CORRUPT || status == AP_UNSUPPORTED);
  ap_schema_release(&schema);
  ap_stream_release(&stream);
  ap_free(ap_allocator_system(), memory);
  return 0;
}
