/* SPDX-License-Identifier: Apache-2.0
 *
 * The out-of-memory sweep. Stands apart from alloc.c because it needs cmocka, which fuzz targets
 * and benchmarks do not link.
 */
#include "testing/alloc.h"
#include "testing/check.h"

static int64_t run_round(ap_sweep_body body, void *context, int64_t fail_at, bool fail_all_after) {
  struct ap_counting_allocator counter;
  ap_counting_allocator_init(&counter);
  counter.fail_at = fail_at;
  counter.fail_all_after = fail_all_after;
  ap_error err = {0};
  ap_status status = body(context, &counter.base, &err);
  int64_t failures = atomic_load(&counter.failures);
  ap_status expected = failures > 0 ? AP_OUT_OF_MEMORY : AP_OK;
  if (status != expected || atomic_load(&counter.live_blocks) != 0) {
    print_error("with allocation %lld failing%s: %lld blocks are left\n", (long long)fail_at,
                fail_all_after ? " and all after" : "",
                (long long)atomic_load(&counter.live_blocks));
  }
  check_status(status, expected, &err);
  if (status != AP_OK && err.code != AP_OK) assert_int_equal(err.code, status);
  assert_int_equal(atomic_load(&counter.live_blocks), 0);
  return failures;
}

int64_t ap_sweep_memory(ap_sweep_body body, void *context) {
  run_round(body, context, 0, false);
  int64_t fail_at = 1;
  while (run_round(body, context, fail_at, false) > 0) {
    run_round(body, context, fail_at, true);
    fail_at++;
  }
  return fail_at - 1;
}
