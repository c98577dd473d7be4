/* SPDX-License-Identifier: Apache-2.0
 *
 * Randomness that can be replayed. A test that draws takes its seed from ap_test_seed, which prints
 * it; the same seed in the environment variable AP_TEST_SEED gives the same run again.
 * Thread: any; but only one thread at a time gives the same order of draws.
 */
#ifndef AP_TESTING_RANDOM_H
#define AP_TESTING_RANDOM_H

#include "port/random.h"

#include <stdatomic.h>

struct ap_seeded_random {
  struct ap_random base; /* what is handed on */
  _Atomic uint64_t state;
};

void ap_seeded_random_init(struct ap_seeded_random *random, uint64_t seed);

/* AP_TEST_SEED, or a new one; printed with the test's name. */
uint64_t ap_test_seed(const char *test_name);

/* AP_TEST_ROUNDS when it is set; many times the usual number when AP_SOAK is; otherwise usual. */
uint64_t ap_test_rounds(uint64_t usual);

#endif
