/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: the system's clocks run in their units, the monotonic one never backwards, and sleeping
 * takes as long as asked even when signals arrive.
 * Method: compared with the C library's time and with each other. The shortest real sleep is the
 * only way to see that sleeping sleeps.
 */
#include "port/clock.h"

#include "port/env.h"
#include "testing/check.h"

#include <signal.h>
#include <sys/time.h>
#include <time.h>

static void test_units(void **state) {
  (void)state;
  struct ap_clock *clock = ap_env_system()->clock;
  int64_t before_s = (int64_t)time(NULL);
  int64_t wall_ms = ap_clock_wall_ms(clock);
  int64_t after_s = (int64_t)time(NULL);
  assert_true(wall_ms >= before_s * 1000 - 1000 && wall_ms <= after_s * 1000 + 1000);
  int64_t last = ap_clock_monotonic_us(clock);
  for (int i = 0; i < 10000; i++) {
    int64_t now = ap_clock_monotonic_us(clock);
    assert_true(now >= last);
    last = now;
  }
}

static void on_alarm(int number) {
  (void)number;
}

static void test_sleep_survives_signals(void **state) {
  (void)state;
  struct ap_clock *clock = ap_clock_system();
  struct sigaction action = {.sa_handler = on_alarm};
  struct sigaction old_action;
  sigaction(SIGALRM, &action, &old_action);
  const struct itimerval often = {{0, 1000}, {0, 1000}};
  const struct itimerval never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &often, NULL);
  int64_t start = ap_clock_monotonic_us(clock);
  ap_clock_sleep_ms(clock, 10);
  int64_t slept = ap_clock_monotonic_us(clock) - start;
  setitimer(ITIMER_REAL, &never, NULL);
  sigaction(SIGALRM, &old_action, NULL);
  assert_true(slept >= 10000);
  ap_clock_sleep_ms(clock, 0);
  ap_clock_sleep_ms(clock, -5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_units),
      cmocka_unit_test(test_sleep_survives_signals),
  };
  return AP_RUN_TESTS(tests);
}
