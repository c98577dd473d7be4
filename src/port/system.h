/* SPDX-License-Identifier: Apache-2.0
 *
 * The system's tables as constants, for the constant environment in env.c. Inside port only. They
 * hold no state, so the functions of the public headers may hand them out without const.
 */
#ifndef AP_PORT_SYSTEM_H
#define AP_PORT_SYSTEM_H

#include "port/clock.h"
#include "port/files.h"
#include "port/random.h"
#include "port/threads.h"

extern const struct ap_clock ap_clock_system_table;
extern const struct ap_random ap_random_system_table;
extern const struct ap_files ap_files_system_table;
extern const struct ap_threads ap_threads_system_table;

#endif
