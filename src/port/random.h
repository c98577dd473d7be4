/* SPDX-License-Identifier: Apache-2.0
 *
 * Randomness: for identifiers and for backing off. Safe from any thread.
 */
#ifndef AP_PORT_RANDOM_H
#define AP_PORT_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct ap_random {
  void (*fill)(struct ap_random *self, void *out_bytes, size_t size);
};

/* The kernel's generator (getrandom). */
struct ap_random *ap_random_system(void);

enum { AP_UUID_TEXT_SIZE = 37 }; /* 36 characters and the NUL */

/* A version 4 UUID in lower case. */
void ap_random_uuid(struct ap_random *random, char out_text[AP_UUID_TEXT_SIZE]);
uint64_t ap_random_u64(struct ap_random *random);
/* Uniform in [0, bound); bound must not be 0. */
uint64_t ap_random_below(struct ap_random *random, uint64_t bound);

#endif
