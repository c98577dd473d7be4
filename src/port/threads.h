/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads, locks and conditions behind one table of functions, so that a simulated twin can choose
 * the schedule (testing/sim.h). Failing to make a lock is out of memory; locking cannot fail.
 */
#ifndef AP_PORT_THREADS_H
#define AP_PORT_THREADS_H

#include "base/status.h"

#include <stdbool.h>

struct ap_mutex;
struct ap_condition;
struct ap_thread;

typedef void (*ap_thread_main)(void *context);

struct ap_threads {
  ap_status (*mutex_create)(struct ap_threads *self, struct ap_mutex **out_mutex, ap_error *err);
  void (*mutex_destroy)(struct ap_threads *self, struct ap_mutex *mutex); /* NULL is allowed */
  void (*lock)(struct ap_threads *self, struct ap_mutex *mutex);
  void (*unlock)(struct ap_threads *self, struct ap_mutex *mutex);
  ap_status (*condition_create)(struct ap_threads *self, struct ap_condition **out_condition,
                                ap_error *err);
  void (*condition_destroy)(struct ap_threads *self, struct ap_condition *condition);
  /* Wait with the mutex held; false when timeout_ms passed first. Spurious wake-ups happen. */
  bool (*wait)(struct ap_threads *self, struct ap_condition *condition, struct ap_mutex *mutex,
               int64_t timeout_ms);
  void (*wake_all)(struct ap_threads *self, struct ap_condition *condition);
  ap_status (*spawn)(struct ap_threads *self, ap_thread_main main, void *context,
                     struct ap_thread **out_thread, ap_error *err);
  void (*join)(struct ap_threads *self, struct ap_thread *thread); /* frees it too */
};

/* POSIX threads. */
struct ap_threads *ap_threads_system(void);

#endif
