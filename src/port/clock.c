/* SPDX-License-Identifier: Apache-2.0
 *
 * The system's clocks. Thread: any.
 */
#include "port/clock.h"

#include "base/assert.h"
#include "port/system.h"

#include <errno.h>
#include <time.h>

static struct timespec read_clock(clockid_t id) {
  struct timespec now = {0};
  int result = clock_gettime(id, &now);
  AP_ASSERT(result == 0);
  return now;
}

static int64_t system_wall_ms(struct ap_clock *self) {
  (void)self;
  struct timespec now = read_clock(CLOCK_REALTIME);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_monotonic_us(struct ap_clock *self) {
  (void)self;
  struct timespec now = read_clock(CLOCK_MONOTONIC);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void system_sleep_ms(struct ap_clock *self, int64_t duration_ms) {
  (void)self;
  if (duration_ms <= 0) return;
  struct timespec left = {.tv_sec = (time_t)(duration_ms / 1000),
                          .tv_nsec = (long)(duration_ms % 1000) * 1000000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

const struct ap_clock ap_clock_system_table = {
    .wall_ms = system_wall_ms,
    .monotonic_us = system_monotonic_us,
    .sleep_ms = system_sleep_ms,
};

struct ap_clock *ap_clock_system(void) {
  return (struct ap_clock *)&ap_clock_system_table;
}
