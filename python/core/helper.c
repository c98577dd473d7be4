/* SPDX-License-Identifier: Apache-2.0
 *
 * Waiting for rows on Python's main thread, where Ctrl-C must be heard: a helper thread waits for
 * the engine, and the main thread looks at signals meanwhile.
 *
 * One helper for an opened apiary, made when first needed; the main thread is the only one that
 * uses it. All other threads do their waiting themselves. Nothing here needs the GIL but the
 * signals' handlers.
 */
#include "core.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define LOOK_INTERVAL_NS 50000000

struct core_helper {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  pthread_t thread;
  bool stopping;
  bool busy; /* work is set and not yet done */
  void (*work)(void *context);
  void *context;
};

static void *helper_main(void *opaque) {
  struct core_helper *helper = opaque;
  pthread_mutex_lock(&helper->mutex);
  while (!helper->stopping) {
    if (!helper->busy) {
      pthread_cond_wait(&helper->changed, &helper->mutex);
      continue;
    }
    pthread_mutex_unlock(&helper->mutex);
    helper->work(helper->context);
    pthread_mutex_lock(&helper->mutex);
    helper->busy = false;
    pthread_cond_broadcast(&helper->changed);
  }
  pthread_mutex_unlock(&helper->mutex);
  return NULL;
}

/* Signals are for the threads that Python knows. */
static bool start_thread(struct core_helper *helper) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool good = pthread_create(&helper->thread, NULL, helper_main, helper) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return good;
}

struct core_helper *core_helper_create(void) {
  struct core_helper *helper = calloc(1, sizeof *helper);
  pthread_condattr_t attributes;
  if (helper == NULL) return NULL;
  pthread_mutex_init(&helper->mutex, NULL);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&helper->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  if (start_thread(helper)) return helper;
  pthread_cond_destroy(&helper->changed);
  pthread_mutex_destroy(&helper->mutex);
  free(helper);
  return NULL;
}

void core_helper_destroy(struct core_helper *helper) {
  if (helper == NULL) return;
  pthread_mutex_lock(&helper->mutex);
  helper->stopping = true;
  pthread_cond_broadcast(&helper->changed);
  pthread_mutex_unlock(&helper->mutex);
  pthread_join(helper->thread, NULL);
  pthread_cond_destroy(&helper->changed);
  pthread_mutex_destroy(&helper->mutex);
  free(helper);
}

/* Wait for the work to be done, but no longer than till the next look at signals. Mutex held. */
static bool wait_a_while(struct core_helper *helper) {
  struct timespec until = {0};
  (void)clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += LOOK_INTERVAL_NS;
  if (until.tv_nsec >= 1000000000) {
    until.tv_nsec -= 1000000000;
    until.tv_sec += 1;
  }
  while (helper->busy) {
    if (pthread_cond_timedwait(&helper->changed, &helper->mutex, &until) == ETIMEDOUT) break;
  }
  return !helper->busy;
}

static void wait_and_look(struct core_helper *helper, struct core_watch *watch,
                          struct ArrowArrayStream *stream) {
  pthread_mutex_lock(&helper->mutex);
  while (!wait_a_while(helper)) {
    pthread_mutex_unlock(&helper->mutex);
    if (core_watch_cancelled(watch)) ap_stream_interrupt(stream);
    pthread_mutex_lock(&helper->mutex);
  }
  pthread_mutex_unlock(&helper->mutex);
}

void core_work(struct core_shared *shared, struct core_watch *watch,
               struct ArrowArrayStream *stream, void (*work)(void *context), void *context) {
  if (watch->hears_signals && shared->helper == NULL) shared->helper = core_helper_create();
  struct core_helper *helper = watch->hears_signals ? shared->helper : NULL;
  bool taken = false;
  if (helper != NULL) {
    pthread_mutex_lock(&helper->mutex);
    if (!helper->busy) { /* else a signal's handler works while the main thread waits */
      helper->work = work;
      helper->context = context;
      helper->busy = taken = true;
      pthread_cond_broadcast(&helper->changed);
    }
    pthread_mutex_unlock(&helper->mutex);
  }
  if (taken) {
    wait_and_look(helper, watch, stream);
  } else {
    work(context);
  }
}
