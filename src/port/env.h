/* SPDX-License-Identifier: Apache-2.0
 *
 * The world as a module sees it: memory, time, randomness, files, threads. One struct is made at
 * the top (the system's, or a simulated one in tests) and passed down; it outlives all that holds
 * it.
 */
#ifndef AP_PORT_ENV_H
#define AP_PORT_ENV_H

#include "base/alloc.h"
#include "port/clock.h"
#include "port/files.h"
#include "port/machine.h"
#include "port/random.h"
#include "port/threads.h"

struct ap_env {
  struct ap_allocator *allocator;
  struct ap_clock *clock;
  struct ap_random *random;
  struct ap_files *files;
  struct ap_threads *threads;
};

/* The real world. Static memory. */
const struct ap_env *ap_env_system(void);

#endif
