/* SPDX-License-Identifier: Apache-2.0
 *
 * Time. Production code never asks the system: it asks the clock it was given, so that tests decide
 * what time it is (testing/sim.h).
 */
#ifndef AP_PORT_CLOCK_H
#define AP_PORT_CLOCK_H

#include <stdint.h>

struct ap_clock {
  int64_t (*wall_ms)(struct ap_clock *self);      /* milliseconds since 1970 UTC; may jump */
  int64_t (*monotonic_us)(struct ap_clock *self); /* microseconds; never goes back */
  void (*sleep_ms)(struct ap_clock *self, int64_t duration_ms);
};

struct ap_clock *ap_clock_system(void);

static inline int64_t ap_clock_wall_ms(struct ap_clock *clock) {
  return clock->wall_ms(clock);
}
static inline int64_t ap_clock_monotonic_us(struct ap_clock *clock) {
  return clock->monotonic_us(clock);
}
static inline void ap_clock_sleep_ms(struct ap_clock *clock, int64_t duration_ms) {
  clock->sleep_ms(clock, duration_ms);
}

#endif
