/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: identifiers are version 4 UUIDs that do not repeat, and bounded draws are uniform.
 * Method: the form of many UUIDs; counts per value from a seeded generator, within wide bounds; a
 * generator that draws the edges.
 */
#include "port/random.h"

#include "port/env.h"
#include "testing/check.h"
#include "testing/random.h"

#include <stdlib.h>

enum { UUIDS = 2000 };

static int compare_uuids(const void *a, const void *b) {
  return memcmp(a, b, AP_UUID_TEXT_SIZE);
}

static void test_uuids(void **state) {
  (void)state;
  static char uuids[UUIDS][AP_UUID_TEXT_SIZE];
  for (size_t i = 0; i < UUIDS; i++) {
    ap_random_uuid(ap_env_system()->random, uuids[i]);
    assert_int_equal(strlen(uuids[i]), 36);
    assert_int_equal(strspn(uuids[i], "0123456789abcdef-"), 36);
    for (size_t at = 0; at < 36; at++) {
      bool hyphen = at == 8 || at == 13 || at == 18 || at == 23;
      assert_int_equal(uuids[i][at] == '-', hyphen);
    }
    assert_int_equal(uuids[i][14], '4');
    assert_non_null(strchr("89ab", uuids[i][19]));
  }
  qsort(uuids, UUIDS, AP_UUID_TEXT_SIZE, compare_uuids);
  for (size_t i = 1; i < UUIDS; i++) assert_string_not_equal(uuids[i - 1], uuids[i]);
}

static void test_draws_are_uniform(void **state) {
  (void)state;
  struct ap_seeded_random random;
  ap_seeded_random_init(&random, ap_test_seed("uniform"));
  enum { BOUND = 7, DRAWS = 70000 };
  int counts[BOUND] = {0};
  for (int i = 0; i < DRAWS; i++) counts[ap_random_below(&random.base, BOUND)]++;
  for (int i = 0; i < BOUND; i++) assert_in_range(counts[i], 9000, 11000); /* 10 sigma */
  for (int i = 0; i < 100; i++) assert_int_equal(ap_random_below(&random.base, 1), 0);
}

/* Draws these numbers, one after the other. */
struct fixed_random {
  struct ap_random base;
  const uint64_t *numbers;
};

static void fixed_fill(struct ap_random *self, void *out_bytes, size_t size) {
  struct fixed_random *fixed = (struct fixed_random *)self;
  assert_int_equal(size, sizeof(uint64_t));
  memcpy(out_bytes, fixed->numbers++, size);
}

/* 2^64 = 1 (mod 3): one number would be drawn too often, so 0 is drawn again. */
static void test_the_uneven_rest_is_drawn_again(void **state) {
  (void)state;
  const uint64_t numbers[] = {0, 1, UINT64_MAX, 5};
  struct fixed_random fixed = {{fixed_fill}, numbers};
  assert_int_equal(ap_random_below(&fixed.base, 3), 1);
  assert_ptr_equal(fixed.numbers, numbers + 2);
  assert_int_equal(ap_random_below(&fixed.base, 3), 0);
  assert_int_equal(ap_random_below(&fixed.base, UINT64_MAX), 5);
}

static void test_seeds_replay(void **state) {
  (void)state;
  struct ap_seeded_random one;
  struct ap_seeded_random two;
  ap_seeded_random_init(&one, 42);
  ap_seeded_random_init(&two, 42);
  for (int i = 0; i < 100; i++) {
    assert_true(ap_random_u64(&one.base) == ap_random_u64(&two.base));
  }
  ap_seeded_random_init(&two, 43);
  assert_true(ap_random_u64(&one.base) != ap_random_u64(&two.base));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_uuids),
      cmocka_unit_test(test_draws_are_uniform),
      cmocka_unit_test(test_the_uneven_rest_is_drawn_again),
      cmocka_unit_test(test_seeds_replay),
  };
  return AP_RUN_TESTS(tests);
}
