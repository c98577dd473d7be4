/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's generator, and what is made of random bytes. Thread: any.
 */
#include "port/random.h"

#include "base/assert.h"
#include "port/system.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

/* getrandom can only be interrupted: identifiers that are not random would lose data, so any other
 * failure ends the process. */
static void system_fill(struct ap_random *self, void *out_bytes, size_t size) {
  (void)self;
  unsigned char *at = out_bytes;
  while (size > 0) {
    ssize_t count = getrandom(at, size, 0);
    if (count < 0 && errno == EINTR) continue;
    AP_ASSERT(count > 0);
    at += count;
    size -= (size_t)count;
  }
}

const struct ap_random ap_random_system_table = {.fill = system_fill};

struct ap_random *ap_random_system(void) {
  return (struct ap_random *)&ap_random_system_table;
}

/* RFC 9562, section 5.4. */
void ap_random_uuid(struct ap_random *random, char out_text[AP_UUID_TEXT_SIZE]) {
  static const char hex[] = "0123456789abcdef";
  unsigned char bytes[16];
  random->fill(random, bytes, sizeof(bytes));
  bytes[6] = (unsigned char)((bytes[6] & 0x0F) | 0x40);
  bytes[8] = (unsigned char)((bytes[8] & 0x3F) | 0x80);
  size_t at = 0;
  for (size_t i = 0; i < sizeof(bytes); i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out_text[at++] = '-';
    out_text[at++] = hex[bytes[i] >> 4];
    out_text[at++] = hex[bytes[i] & 15];
  }
  out_text[at++] = '\0';
  AP_ASSERT(at == AP_UUID_TEXT_SIZE);
}

uint64_t ap_random_u64(struct ap_random *random) {
  uint64_t number;
  random->fill(random, &number, sizeof(number));
  return number;
}

/* Numbers below the remainder of 2^64 / bound are drawn again: the rest divides evenly. */
uint64_t ap_random_below(struct ap_random *random, uint64_t bound) {
  AP_ASSERT(bound > 0);
  uint64_t least = (0 - bound) % bound;
  uint64_t number;
  do {
    number = ap_random_u64(random);
  } while (number < least);
  return number % bound;
}
