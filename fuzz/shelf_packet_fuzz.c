/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a packet of the shelf, from either end: refused as AP_CORRUPT or AP_UNSUPPORTED, or
 * a packet that encodes to the very same bytes and whose places, once checked, lie in the arena.
 */
#include "fuzz/fuzz.h"

#include "base/assert.h"
#include "shelf/wire.h"

#include <string.h>

enum { ARENA = 1 << 20 };

static void take(const uint8_t *data, size_t size, bool answers) {
  struct ap_shelf_packet packet;
  uint8_t out[AP_SHELF_PACKET_BYTES_MAX];
  size_t out_size = 0;
  ap_error err = {0};
  ap_status status = ap_shelf_packet_decode(data, size, answers, &packet, &err);
  AP_ASSERT(status == AP_OK || status == AP_CORRUPT || status == AP_UNSUPPORTED);
  if (status != AP_OK) return;
  AP_ASSERT(ap_shelf_packet_encode(&packet, out, &out_size, &err) == AP_OK);
  AP_ASSERT(out_size == size && memcmp(out, data, size) == 0);
  if (ap_shelf_packet_check_places(&packet, ARENA, &err) == AP_OK) {
    for (size_t i = 0; i < packet.extent_count; i++) {
      struct ap_shelf_extent extent = ap_shelf_packet_extent(&packet, i);
      AP_ASSERT(extent.offset >= 0 && extent.size > 0 && extent.offset + extent.size <= ARENA);
    }
  }
  (void)ap_shelf_packet_error(&packet, &err);
  status = ap_shelf_name_check(ap_shelf_text_part(packet.text, 0), &err);
  AP_ASSERT(status == AP_OK || status == AP_INVALID_ARGUMENT);
  status = ap_shelf_labels_check(ap_shelf_text_part(packet.text, 1), &err);
  AP_ASSERT(status == AP_OK || status == AP_INVALID_ARGUMENT);
  (void)ap_shelf_labels_have(packet.text, AP_TEXT("a"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  take(data, size, false);
  take(data, size, true);
  return 0;
}
