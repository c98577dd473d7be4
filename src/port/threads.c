/* SPDX-License-Identifier: Apache-2.0
 *
 * POSIX threads. Mutexes check their use: locking twice or unlocking what one does not hold is a
 * programming error and ends the process. Threads are made with all signals blocked, so that
 * signals go to the program's own threads.
 */
#include "port/threads.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "port/system.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

struct ap_mutex {
  pthread_mutex_t handle;
};

struct ap_condition {
  pthread_cond_t handle;
};

struct ap_thread {
  pthread_t handle;
  ap_thread_main main;
  void *context;
};

static const int64_t WAIT_MS_MAX = INT64_C(1000) * 60 * 60 * 24 * 365;

static ap_status system_mutex_create(struct ap_threads *self, struct ap_mutex **out_mutex,
                                     ap_error *err) {
  (void)self;
  struct ap_mutex *mutex = ap_allocate(ap_allocator_system(), sizeof(*mutex));
  if (!mutex) return AP_FAIL_MEMORY(err);
  pthread_mutexattr_t attributes;
  int result = pthread_mutexattr_init(&attributes);
  if (result == 0) {
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    result = pthread_mutex_init(&mutex->handle, &attributes);
    pthread_mutexattr_destroy(&attributes);
  }
  if (result != 0) {
    ap_free(ap_allocator_system(), mutex);
    return AP_FAIL_MEMORY(err);
  }
  *out_mutex = mutex;
  return AP_OK;
}

static void system_mutex_destroy(struct ap_threads *self, struct ap_mutex *mutex) {
  (void)self;
  if (!mutex) return;
  int result = pthread_mutex_destroy(&mutex->handle);
  AP_ASSERT(result == 0);
  ap_free(ap_allocator_system(), mutex);
}

static void system_lock(struct ap_threads *self, struct ap_mutex *mutex) {
  (void)self;
  int result = pthread_mutex_lock(&mutex->handle);
  AP_ASSERT(result == 0);
}

static void system_unlock(struct ap_threads *self, struct ap_mutex *mutex) {
  (void)self;
  int result = pthread_mutex_unlock(&mutex->handle);
  AP_ASSERT(result == 0);
}

static ap_status system_condition_create(struct ap_threads *self,
                                         struct ap_condition **out_condition, ap_error *err) {
  (void)self;
  struct ap_condition *condition = ap_allocate(ap_allocator_system(), sizeof(*condition));
  if (!condition) return AP_FAIL_MEMORY(err);
  pthread_condattr_t attributes;
  int result = pthread_condattr_init(&attributes);
  if (result == 0) {
    result = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (result == 0) result = pthread_cond_init(&condition->handle, &attributes);
    pthread_condattr_destroy(&attributes);
  }
  if (result != 0) {
    ap_free(ap_allocator_system(), condition);
    return AP_FAIL_MEMORY(err);
  }
  *out_condition = condition;
  return AP_OK;
}

static void system_condition_destroy(struct ap_threads *self, struct ap_condition *condition) {
  (void)self;
  if (!condition) return;
  int result = pthread_cond_destroy(&condition->handle);
  AP_ASSERT(result == 0);
  ap_free(ap_allocator_system(), condition);
}

static bool system_wait(struct ap_threads *self, struct ap_condition *condition,
                        struct ap_mutex *mutex, int64_t timeout_ms) {
  (void)self;
  if (timeout_ms < 0) timeout_ms = 0;
  if (timeout_ms > WAIT_MS_MAX) timeout_ms = WAIT_MS_MAX;
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += (time_t)(timeout_ms / 1000);
  until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000;
  }
  int result = pthread_cond_timedwait(&condition->handle, &mutex->handle, &until);
  AP_ASSERT(result == 0 || result == ETIMEDOUT);
  return result == 0;
}

static void system_wake_all(struct ap_threads *self, struct ap_condition *condition) {
  (void)self;
  int result = pthread_cond_broadcast(&condition->handle);
  AP_ASSERT(result == 0);
}

static void *run_thread(void *argument) {
  struct ap_thread *thread = argument;
  thread->main(thread->context);
  return NULL;
}

static ap_status system_spawn(struct ap_threads *self, ap_thread_main main, void *context,
                              struct ap_thread **out_thread, ap_error *err) {
  (void)self;
  struct ap_thread *thread = ap_allocate(ap_allocator_system(), sizeof(*thread));
  if (!thread) return AP_FAIL_MEMORY(err);
  thread->main = main;
  thread->context = context;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int result = pthread_create(&thread->handle, NULL, run_thread, thread);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (result != 0) {
    ap_free(ap_allocator_system(), thread);
    return AP_FAIL(err, AP_OUT_OF_MEMORY, "cannot start a thread (error %d)", result);
  }
  *out_thread = thread;
  return AP_OK;
}

static void system_join(struct ap_threads *self, struct ap_thread *thread) {
  (void)self;
  int result = pthread_join(thread->handle, NULL);
  AP_ASSERT(result == 0);
  ap_free(ap_allocator_system(), thread);
}

const struct ap_threads ap_threads_system_table = {
    .mutex_create = system_mutex_create,
    .mutex_destroy = system_mutex_destroy,
    .lock = system_lock,
    .unlock = system_unlock,
    .condition_create = system_condition_create,
    .condition_destroy = system_condition_destroy,
    .wait = system_wait,
    .wake_all = system_wake_all,
    .spawn = system_spawn,
    .join = system_join,
};

struct ap_threads *ap_threads_system(void) {
  return (struct ap_threads *)&ap_threads_system_table;
}
