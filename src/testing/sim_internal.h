/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the simulation share. Only the thread that holds the baton touches any of it.
 */
#ifndef AP_TESTING_SIM_INTERNAL_H
#define AP_TESTING_SIM_INTERNAL_H

#include "testing/random.h"
#include "testing/sim.h"

struct sim_disk;
struct sim_scheduler;

struct sim_clock {
  struct ap_clock base;
  struct ap_sim *sim;
};

struct sim_files {
  struct ap_files base;
  struct ap_sim *sim;
};

struct sim_threads {
  struct ap_threads base;
  struct ap_sim *sim;
};

struct ap_sim {
  uint64_t seed;
  struct ap_env env;
  struct sim_clock clock;
  struct sim_files files;
  struct sim_threads threads;
  struct ap_seeded_random random;   /* what the product draws */
  struct ap_seeded_random schedule; /* who runs next */
  struct ap_seeded_random damage;   /* what a crash or a torn write leaves, the order of lists */
  int64_t now_us;
  int64_t wall_offset_us;
  int64_t file_calls;
  int64_t fail_at; /* the number of the call that fails; 0: none */
  enum ap_sim_fault fault;
  bool fault_struck;
  bool power_lost;
  struct sim_disk *disk;
  struct sim_scheduler *scheduler;
};

/* Memory of the simulation itself; never NULL. */
void *sim_allocate(size_t size);
void *sim_reallocate(void *pointer, size_t size);
void sim_free(void *pointer);

/* sim_files.c */
void sim_files_init(struct ap_sim *sim);
void sim_files_deinit(struct ap_sim *sim);
void sim_files_crash(struct ap_sim *sim, enum ap_sim_crash crash);

/* sim_threads.c */
void sim_threads_init(struct ap_sim *sim);
void sim_threads_deinit(struct ap_sim *sim);
/* Maybe another thread's turn now; returns when it is the caller's again. */
void sim_yield(struct ap_sim *sim);
void sim_sleep_until(struct ap_sim *sim, int64_t deadline_us);
bool sim_is_alone(const struct ap_sim *sim);

#endif
