/* SPDX-License-Identifier: Apache-2.0
 *
 * What this process may use of the machine: cores and memory after affinity masks and control
 * groups (v1 and v2) are taken off.
 */
#ifndef AP_PORT_MACHINE_H
#define AP_PORT_MACHINE_H

#include <stdint.h>

struct ap_machine {
  uint32_t cores;       /* at least 1: min(online, affinity mask, cgroup quota rounded up) */
  int64_t memory_bytes; /* min(physical, cgroup limit); never above physical */
};

/* What this process holds of memory that is in no file; 0 where nobody tells. */
int64_t ap_machine_own_bytes(void);

void ap_machine_detect(struct ap_machine *out_machine);

/* Lower io_machine to what the control groups of this process allow, as they show in proc and sys
 * under root: "" for the machine's own, a folder of examples in tests. */
void ap_machine_apply_control_groups(const char *root, struct ap_machine *io_machine);

#endif
