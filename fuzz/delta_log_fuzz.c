/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the first commit of a Delta log: refused with a reason, or a snapshot whose cells
 * are in order and whose paths stay inside of the frame.
 */
#include "fuzz/fuzz.h"

#include "base/assert.h"
#include "ledger/features.h"
#include "ledger/replay.h"

#include <string.h>

static void check_snapshot(const struct ap_snapshot *snapshot) {
  for (uint32_t i = 0; i < snapshot->cell_count; i++) {
    const struct ap_cell *cell = snapshot->cells[i];
    AP_ASSERT(cell->size_bytes >= 0 && cell->path.size > 0);
    AP_ASSERT(cell->partition_count == snapshot->partition_column_count);
    AP_ASSERT(ap_action_path_is_absolute(cell->path) || cell->path.data[0] != '/');
    if (i == 0) continue;
    const struct ap_cell *before = snapshot->cells[i - 1];
    AP_ASSERT(ap_file_compare(before->path, &before->deletion_vector, cell->path,
                              &cell->deletion_vector) < 0);
  }
  AP_ASSERT(snapshot->row_count >= -1);
}

static bool is_refusal(ap_status status, const ap_error *err) {
  return (status == AP_CORRUPT || status == AP_UNSUPPORTED) && err->message[0] != '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ap_replay replay;
  struct ap_snapshot_full *snapshot = NULL;
  ap_error err;
  memset(&err, 0, sizeof(err));
  ap_replay_init(&replay, ap_allocator_system(), NULL);
  ap_status status = ap_replay_commit(&replay, 0, (struct ap_text){(const char *)data, size}, 1,
                                      "00000000000000000000.json", &err);
  AP_ASSERT(status == AP_OK || is_refusal(status, &err));
  if (status == AP_OK) {
    status = ap_replay_finish(&replay, 0, &snapshot, &err);
    AP_ASSERT(status == AP_OK || is_refusal(status, &err));
  }
  if (status == AP_OK) {
    check_snapshot(&snapshot->shown);
    ap_status write = ap_features_check_write(snapshot->table, &err);
    AP_ASSERT(write == AP_OK || is_refusal(write, &err));
    ap_snapshot_release(&snapshot->shown);
  }
  ap_replay_deinit(&replay);
  return 0;
}
