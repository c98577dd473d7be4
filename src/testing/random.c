/* SPDX-License-Identifier: Apache-2.0
 *
 * SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): each
 * draw adds a constant to the state, so one atomic addition makes it safe from any thread.
 */
#include "testing/random.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SOAK_FACTOR = 20 };

static uint64_t next_number(struct ap_seeded_random *random) {
  const uint64_t step = UINT64_C(0x9E3779B97F4A7C15);
  /* Relaxed: only the sum matters, nothing is published with it. */
  uint64_t mixed = atomic_fetch_add_explicit(&random->state, step, memory_order_relaxed) + step;
  mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
  return mixed ^ (mixed >> 31);
}

static void seeded_fill(struct ap_random *self, void *out_bytes, size_t size) {
  struct ap_seeded_random *random = (struct ap_seeded_random *)self;
  unsigned char *at = out_bytes;
  while (size > 0) {
    uint64_t number = next_number(random);
    size_t chunk = size < sizeof(number) ? size : sizeof(number);
    memcpy(at, &number, chunk);
    at += chunk;
    size -= chunk;
  }
}

void ap_seeded_random_init(struct ap_seeded_random *random, uint64_t seed) {
  random->base.fill = seeded_fill;
  atomic_init(&random->state, seed);
}

static bool number_from_environment(const char *name, uint64_t *out_number) {
  int64_t number;
  if (!ap_text_parse_i64(ap_text_of(getenv(name)), &number)) return false;
  *out_number = (uint64_t)number;
  return true;
}

uint64_t ap_test_seed(const char *test_name) {
  uint64_t seed;
  if (!number_from_environment("AP_TEST_SEED", &seed)) {
    seed = ap_random_u64(ap_random_system()) >> 1; /* positive as int64_t, to be typed again */
  }
  printf("%s: replay with AP_TEST_SEED=%llu\n", test_name, (unsigned long long)seed);
  fflush(stdout);
  return seed;
}

uint64_t ap_test_rounds(uint64_t usual) {
  uint64_t rounds;
  if (number_from_environment("AP_TEST_ROUNDS", &rounds)) return rounds;
  return getenv("AP_SOAK") ? usual * SOAK_FACTOR : usual;
}
