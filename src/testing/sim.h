/* SPDX-License-Identifier: Apache-2.0
 *
 * A simulated world: a whole ap_env that one seed decides.
 *
 *   - Clock: stands still until somebody sleeps, waits with nothing else to run, or the test
 *     advances it.
 *   - Random: seeded.
 *   - Files: in memory, with the promises of the real ones and no more: what was not synced can be
 *     lost at ap_sim_crash. Calls can be made to fail. Symbolic links and ".." do not exist.
 *   - Threads: real ones of which one at a time runs. At every call of locks, conditions, files or
 *     the clock the seed decides who is next, so a seed replays a schedule.
 *
 * Thread: made, crashed and destroyed by the test's own thread, which is the first simulated one;
 * the rest only inside threads spawned through the environment. A schedule in which nobody can ever
 * run again ends the process and says so.
 */
#ifndef AP_TESTING_SIM_H
#define AP_TESTING_SIM_H

#include "port/env.h"

struct ap_sim;

struct ap_sim *ap_sim_create(uint64_t seed);
/* All spawned threads were joined before. NULL is allowed. */
void ap_sim_destroy(struct ap_sim *sim);
/* Lives as long as the simulation. */
const struct ap_env *ap_sim_env(struct ap_sim *sim);

/* Let virtual time pass. */
void ap_sim_advance_ms(struct ap_sim *sim, int64_t duration_ms);
/* Set the wall clock, which may jump; the monotonic one goes on. */
void ap_sim_set_wall_ms(struct ap_sim *sim, int64_t wall_ms);

enum ap_sim_fault {
  AP_SIM_FAULT_NONE,
  AP_SIM_FAULT_IO,         /* nothing happens; AP_IO */
  AP_SIM_FAULT_NO_SPACE,   /* nothing happens; AP_NO_SPACE */
  AP_SIM_FAULT_LOST_REPLY, /* it happens, yet AP_IO is returned */
  AP_SIM_FAULT_TORN_WRITE, /* create leaves a part of the file; other calls as AP_SIM_FAULT_IO */
  AP_SIM_FAULT_POWER_LOSS, /* as TORN_WRITE, and every later call fails until ap_sim_crash */
};

/* Make the n-th call of the file table from now on (1: the next) fail. unlock does not count. */
void ap_sim_fail_file_call(struct ap_sim *sim, int64_t n, enum ap_sim_fault fault);
/* Calls of the file table since the simulation began: for sweeping over all of them. */
int64_t ap_sim_file_calls(const struct ap_sim *sim);
/* Whether the armed fault has struck. */
bool ap_sim_fault_struck(const struct ap_sim *sim);

enum ap_sim_crash {
  AP_SIM_CRASH_FORGETS, /* all that was not synced is gone */
  AP_SIM_CRASH_GAMBLES, /* per folder the first few of its unsynced changes survive, and of
                           unsynced data any part */
};

/* The power goes and comes back: files are as a disk would have kept them, locks are free, armed
 * faults are off. No simulated thread but the test's own may be alive; what held files before is
 * not used any more, except to destroy it. */
void ap_sim_crash(struct ap_sim *sim, enum ap_sim_crash crash);

#endif
