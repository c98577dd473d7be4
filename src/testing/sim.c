/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated world, put together, with its clock and its faults. Files stand in sim_files.c, the
 * schedule in sim_threads.c.
 */
#include "testing/sim.h"

#include "base/assert.h"
#include "testing/sim_internal.h"

/* 2026-01-01 00:00:00 UTC: any fixed moment, far from 1970 so that units show. */
static const int64_t WALL_START_US = INT64_C(1767225600) * 1000000;

void *sim_allocate(size_t size) {
  void *pointer = ap_allocate_zeroed(ap_allocator_system(), 1, size);
  AP_ASSERT(pointer);
  return pointer;
}

void *sim_reallocate(void *pointer, size_t size) {
  void *grown = ap_reallocate(ap_allocator_system(), pointer, size);
  AP_ASSERT(grown);
  return grown;
}

void sim_free(void *pointer) {
  ap_free(ap_allocator_system(), pointer);
}

static struct ap_sim *sim_of_clock(struct ap_clock *self) {
  return ((struct sim_clock *)self)->sim;
}

static int64_t sim_wall_ms(struct ap_clock *self) {
  struct ap_sim *sim = sim_of_clock(self);
  sim_yield(sim);
  return (sim->now_us + sim->wall_offset_us) / 1000;
}

static int64_t sim_monotonic_us(struct ap_clock *self) {
  struct ap_sim *sim = sim_of_clock(self);
  sim_yield(sim);
  return sim->now_us;
}

static void sim_sleep_ms(struct ap_clock *self, int64_t duration_ms) {
  struct ap_sim *sim = sim_of_clock(self);
  sim_sleep_until(sim, sim->now_us + (duration_ms > 0 ? duration_ms * 1000 : 0));
}

struct ap_sim *ap_sim_create(uint64_t seed) {
  struct ap_sim *sim = sim_allocate(sizeof(*sim));
  sim->seed = seed;
  ap_seeded_random_init(&sim->random, seed);
  ap_seeded_random_init(&sim->schedule, seed ^ UINT64_C(0x5C4ED01E));
  ap_seeded_random_init(&sim->damage, seed ^ UINT64_C(0xDA3A6E00));
  sim->now_us = 1000000;
  sim->wall_offset_us = WALL_START_US - sim->now_us;
  sim->clock.base = (struct ap_clock){
      .wall_ms = sim_wall_ms, .monotonic_us = sim_monotonic_us, .sleep_ms = sim_sleep_ms};
  sim->clock.sim = sim;
  sim_threads_init(sim);
  sim_files_init(sim);
  sim->env = (struct ap_env){
      .allocator = ap_allocator_system(),
      .clock = &sim->clock.base,
      .random = &sim->random.base,
      .files = &sim->files.base,
      .threads = &sim->threads.base,
  };
  return sim;
}

void ap_sim_destroy(struct ap_sim *sim) {
  if (!sim) return;
  AP_ASSERT(sim_is_alone(sim));
  sim_files_deinit(sim);
  sim_threads_deinit(sim);
  sim_free(sim);
}

const struct ap_env *ap_sim_env(struct ap_sim *sim) {
  return &sim->env;
}

void ap_sim_advance_ms(struct ap_sim *sim, int64_t duration_ms) {
  AP_ASSERT(duration_ms >= 0);
  sim->now_us += duration_ms * 1000;
  sim_yield(sim);
}

void ap_sim_set_wall_ms(struct ap_sim *sim, int64_t wall_ms) {
  sim->wall_offset_us = wall_ms * 1000 - sim->now_us;
}

void ap_sim_fail_file_call(struct ap_sim *sim, int64_t n, enum ap_sim_fault fault) {
  AP_ASSERT(n > 0);
  sim->fail_at = sim->file_calls + n;
  sim->fault = fault;
  sim->fault_struck = false;
}

int64_t ap_sim_file_calls(const struct ap_sim *sim) {
  return sim->file_calls;
}

bool ap_sim_fault_struck(const struct ap_sim *sim) {
  return sim->fault_struck;
}

void ap_sim_crash(struct ap_sim *sim, enum ap_sim_crash crash) {
  AP_ASSERT(sim_is_alone(sim));
  sim_files_crash(sim, crash);
  sim->fail_at = 0;
  sim->fault = AP_SIM_FAULT_NONE;
  sim->power_lost = false;
}
