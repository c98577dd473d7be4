/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a deletion vector: refused as AP_CORRUPT, or exactly as many ascending rows as were
 * stated. The first two bytes state them; the rest is the vector, also tried as Z85 text.
 */
#include "fuzz/fuzz.h"

#include "base/assert.h"
#include "ledger/deletion_vector.h"

static void decode(struct ap_text bytes, int64_t cardinality) {
  struct ap_arena arena;
  const uint64_t *rows = NULL;
  uint64_t count = 0;
  int64_t row_count = (int64_t)1 << 40;
  ap_arena_init(&arena, ap_allocator_system());
  ap_status status =
      ap_deletion_vector_decode(&arena, bytes, cardinality, row_count, &rows, &count, NULL);
  AP_ASSERT(status == AP_OK || status == AP_CORRUPT);
  if (status == AP_OK) {
    AP_ASSERT(count == (uint64_t)cardinality);
    for (uint64_t i = 1; i < count; i++) AP_ASSERT(rows[i - 1] < rows[i]);
    AP_ASSERT(count == 0 || rows[count - 1] < (uint64_t)row_count);
  }
  ap_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  struct ap_buffer decoded;
  struct ap_text rest = {(const char *)data + 2, size - 2};
  int64_t cardinality = data[0] | data[1] << 8;
  decode(rest, cardinality);
  ap_buffer_init(&decoded, ap_allocator_system());
  if (ap_deletion_vector_z85(&decoded, rest)) decode(ap_buffer_text(&decoded), cardinality);
  ap_buffer_clear(&decoded);
  (void)ap_deletion_vector_path(&decoded, rest);
  ap_buffer_deinit(&decoded);
  return 0;
}
