/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as Arrow IPC: refused as AP_CORRUPT or AP_UNSUPPORTED, or read to batches that are
 * valid, can be written, and are read again from what was written, with as many rows.
 */
#include "fuzz/fuzz.h"

#include "arrow/ipc.h"
#include "base/assert.h"

/* Batches of nothing may promise any number of rows; writing those out is not the point. */
enum { ROWS_MAX = 100000 };

/* The rows of all batches; -1 when the bytes are refused, ROWS_MAX when there are that many. */
static int64_t count_rows(struct ap_text input) {
  struct ArrowArrayStream stream = {0};
  struct ArrowSchema schema = {0};
  ap_error err = {0};
  int64_t rows = 0;
  ap_status status = ap_ipc_read(input, &stream, &err);
  if (status == AP_OK) status = ap_stream_schema(&stream, &schema, &err);
  while (status == AP_OK && rows < ROWS_MAX) {
    struct ArrowArray array = {0};
    status = ap_stream_next(&stream, &array, &err);
    if (status != AP_OK || array.release == NULL) break;
    AP_ASSERT(ap_array_validate(&schema, &array, NULL) == AP_OK);
    rows = array.length < ROWS_MAX - rows ? rows + array.length : ROWS_MAX;
    ap_array_release(&array);
  }
  AP_ASSERT(status == AP_OK || status == AP_CORRUPT || status == AP_UNSUPPORTED);
  AP_ASSERT(status == AP_OK || (err.code == status && err.message[0] != '\0'));
  ap_schema_release(&schema);
  ap_stream_release(&stream);
  return status == AP_OK ? rows : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ap_text input = {(const char *)data, size};
  struct ap_buffer written;
  struct ArrowArrayStream stream = {0};
  ap_error err = {0};
  int64_t rows = count_rows(input);
  if (rows < 0 || rows == ROWS_MAX) return 0;
  ap_buffer_init(&written, ap_allocator_system());
  ap_status status = ap_ipc_read(input, &stream, &err);
  AP_ASSERT(status == AP_OK);
  enum ap_ipc_format format = size % 2 == 0 ? AP_IPC_STREAM : AP_IPC_FILE;
  status = ap_ipc_write(&stream, format, &written, &err);
  /* Expanding dictionaries and views may outgrow what one batch holds. */
  AP_ASSERT(status == AP_OK || status == AP_UNSUPPORTED || status == AP_OUT_OF_MEMORY);
  AP_ASSERT(status != AP_OK || count_rows(ap_buffer_text(&written)) == rows);
  ap_buffer_deinit(&written);
  return 0;
}
