/* SPDX-License-Identifier: Apache-2.0
 *
 * The real world, put together. Thread: constant, so any.
 */
#include "port/env.h"

#include "port/system.h"

static const struct ap_env system_env = {
    .allocator = (struct ap_allocator *)&ap_allocator_system_table,
    .clock = (struct ap_clock *)&ap_clock_system_table,
    .random = (struct ap_random *)&ap_random_system_table,
    .files = (struct ap_files *)&ap_files_system_table,
    .threads = (struct ap_threads *)&ap_threads_system_table,
};

const struct ap_env *ap_env_system(void) {
  return &system_env;
}
