/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated schedule. Each simulated thread is a POSIX thread, but only the one that holds the
 * baton runs; the others wait for their turn. Handing the baton over under one POSIX mutex also
 * orders their memory, so the rest of the simulation needs no locks.
 *
 * Whoever gives up its turn looks for all threads that could go on and lets the seed choose. When
 * none could, time jumps to the nearest deadline; when there is no deadline either, it is a
 * deadlock. Now and then a waiter is woken for no reason, as real conditions do.
 */
#include "testing/sim_internal.h"

#include "base/assert.h"

#include <pthread.h>
#include <stdio.h>

enum { SPURIOUS_ONE_IN = 64 };

enum sim_state {
  SIM_READY,
  SIM_LOCKING, /* until mutex has no owner */
  SIM_WAITING, /* until woken or the deadline */
  SIM_SLEEPING,
  SIM_JOINING, /* until target is done */
  SIM_DONE,
};

struct ap_thread {
  struct ap_thread *next;
  pthread_t handle;
  pthread_cond_t turn;
  struct ap_sim *sim;
  uint32_t number;
  enum sim_state state;
  int64_t deadline_us;
  bool woken;
  struct ap_mutex *mutex;
  struct ap_condition *condition;
  struct ap_thread *target;
  ap_thread_main main;
  void *context;
};

struct ap_mutex {
  struct ap_thread *owner;
};

struct ap_condition {
  uint32_t waiters;
};

struct sim_scheduler {
  pthread_mutex_t baton;
  struct ap_thread *running;
  struct ap_thread *threads;
  struct ap_thread first; /* the test's own thread */
  uint32_t spawned;
};

static const char *state_name(enum sim_state state) {
  static const char *const names[] = {"ready",  "locks a mutex", "waits",
                                      "sleeps", "joins",         "is done"};
  return names[state];
}

static bool can_run(const struct ap_sim *sim, const struct ap_thread *thread) {
  switch (thread->state) {
    case SIM_READY:
      return true;
    case SIM_LOCKING:
      return thread->mutex->owner == NULL;
    case SIM_WAITING:
      return thread->woken || sim->now_us >= thread->deadline_us;
    case SIM_SLEEPING:
      return sim->now_us >= thread->deadline_us;
    case SIM_JOINING:
      return thread->target->state == SIM_DONE;
    case SIM_DONE:
      return false;
  }
  return false;
}

static _Noreturn void fail_deadlock(const struct ap_sim *sim) {
  fprintf(stderr, "simulation: deadlock with seed %llu:\n", (unsigned long long)sim->seed);
  for (const struct ap_thread *at = sim->scheduler->threads; at; at = at->next) {
    fprintf(stderr, "  thread %u %s\n", at->number, state_name(at->state));
  }
  ap_assert_failed("some simulated thread can run", __FILE__, __LINE__);
}

/* The nearest deadline, or fail: time cannot help. */
static int64_t nearest_deadline(const struct ap_sim *sim) {
  int64_t nearest = INT64_MAX;
  for (const struct ap_thread *at = sim->scheduler->threads; at; at = at->next) {
    bool timed = at->state == SIM_WAITING || at->state == SIM_SLEEPING;
    if (timed && at->deadline_us < nearest) nearest = at->deadline_us;
  }
  if (nearest == INT64_MAX) fail_deadlock(sim);
  return nearest;
}

static struct ap_thread *choose(struct ap_sim *sim) {
  for (;;) {
    bool spurious = ap_random_below(&sim->schedule.base, SPURIOUS_ONE_IN) == 0;
    struct ap_thread *chosen = NULL;
    uint64_t count = 0;
    for (struct ap_thread *at = sim->scheduler->threads; at; at = at->next) {
      bool eligible = can_run(sim, at) || (spurious && at->state == SIM_WAITING);
      if (!eligible) continue;
      count++;
      if (ap_random_below(&sim->schedule.base, count) == 0) chosen = at;
    }
    if (chosen && chosen->state == SIM_WAITING) {
      if (sim->now_us < chosen->deadline_us) chosen->woken = true;
    }
    if (chosen) return chosen;
    sim->now_us = nearest_deadline(sim);
  }
}

static void await_turn(struct sim_scheduler *scheduler, struct ap_thread *self) {
  while (scheduler->running != self) pthread_cond_wait(&self->turn, &scheduler->baton);
}

/* Let the seed choose who goes on; returns when it is self's turn again. */
static void give_turn(struct ap_sim *sim, struct ap_thread *self) {
  struct sim_scheduler *scheduler = sim->scheduler;
  struct ap_thread *next = choose(sim);
  if (next != self) {
    pthread_mutex_lock(&scheduler->baton);
    scheduler->running = next;
    pthread_cond_signal(&next->turn);
    if (self->state != SIM_DONE) await_turn(scheduler, self);
    pthread_mutex_unlock(&scheduler->baton);
  }
  if (self->state != SIM_DONE) self->state = SIM_READY;
}

void sim_yield(struct ap_sim *sim) {
  if (sim->scheduler->threads->next == NULL) return; /* alone */
  give_turn(sim, sim->scheduler->running);
}

void sim_sleep_until(struct ap_sim *sim, int64_t deadline_us) {
  struct ap_thread *self = sim->scheduler->running;
  self->state = SIM_SLEEPING;
  self->deadline_us = deadline_us;
  give_turn(sim, self);
}

bool sim_is_alone(const struct ap_sim *sim) {
  return sim->scheduler->threads->next == NULL;
}

static struct ap_sim *sim_of(struct ap_threads *self) {
  return ((struct sim_threads *)self)->sim;
}

static ap_status sim_mutex_create(struct ap_threads *self, struct ap_mutex **out_mutex,
                                  ap_error *err) {
  (void)self;
  (void)err;
  *out_mutex = sim_allocate(sizeof(**out_mutex));
  return AP_OK;
}

static void sim_mutex_destroy(struct ap_threads *self, struct ap_mutex *mutex) {
  (void)self;
  if (!mutex) return;
  AP_ASSERT(mutex->owner == NULL);
  sim_free(mutex);
}

static void acquire(struct ap_sim *sim, struct ap_mutex *mutex) {
  struct ap_thread *me = sim->scheduler->running;
  AP_ASSERT(mutex->owner != me);
  while (mutex->owner != NULL) {
    me->state = SIM_LOCKING;
    me->mutex = mutex;
    give_turn(sim, me);
  }
  mutex->owner = me;
}

static void sim_lock(struct ap_threads *self, struct ap_mutex *mutex) {
  struct ap_sim *sim = sim_of(self);
  sim_yield(sim);
  acquire(sim, mutex);
}

static void sim_unlock(struct ap_threads *self, struct ap_mutex *mutex) {
  struct ap_sim *sim = sim_of(self);
  AP_ASSERT(mutex->owner == sim->scheduler->running);
  mutex->owner = NULL;
  sim_yield(sim);
}

static ap_status sim_condition_create(struct ap_threads *self, struct ap_condition **out_condition,
                                      ap_error *err) {
  (void)self;
  (void)err;
  *out_condition = sim_allocate(sizeof(**out_condition));
  return AP_OK;
}

static void sim_condition_destroy(struct ap_threads *self, struct ap_condition *condition) {
  (void)self;
  if (!condition) return;
  AP_ASSERT(condition->waiters == 0);
  sim_free(condition);
}

static bool sim_wait(struct ap_threads *self, struct ap_condition *condition,
                     struct ap_mutex *mutex, int64_t timeout_ms) {
  struct ap_sim *sim = sim_of(self);
  struct ap_thread *me = sim->scheduler->running;
  AP_ASSERT(mutex->owner == me);
  int64_t timeout_us;
  if (timeout_ms < 0) timeout_ms = 0;
  if (__builtin_mul_overflow(timeout_ms, 1000, &timeout_us) ||
      __builtin_add_overflow(sim->now_us, timeout_us, &me->deadline_us)) {
    me->deadline_us = INT64_MAX - 1;
  }
  mutex->owner = NULL;
  condition->waiters++;
  me->condition = condition;
  me->woken = false;
  me->state = SIM_WAITING;
  give_turn(sim, me);
  condition->waiters--;
  bool woken = me->woken;
  acquire(sim, mutex);
  return woken;
}

static void sim_wake_all(struct ap_threads *self, struct ap_condition *condition) {
  struct ap_sim *sim = sim_of(self);
  for (struct ap_thread *at = sim->scheduler->threads; at; at = at->next) {
    if (at->state == SIM_WAITING && at->condition == condition) at->woken = true;
  }
  sim_yield(sim);
}

static void *run_thread(void *argument) {
  struct ap_thread *self = argument;
  struct sim_scheduler *scheduler = self->sim->scheduler;
  pthread_mutex_lock(&scheduler->baton);
  await_turn(scheduler, self);
  pthread_mutex_unlock(&scheduler->baton);
  self->main(self->context);
  self->state = SIM_DONE;
  give_turn(self->sim, self);
  return NULL;
}

static ap_status sim_spawn(struct ap_threads *self, ap_thread_main main, void *context,
                           struct ap_thread **out_thread, ap_error *err) {
  (void)err;
  struct ap_sim *sim = sim_of(self);
  struct ap_thread *thread = sim_allocate(sizeof(*thread));
  thread->sim = sim;
  thread->number = ++sim->scheduler->spawned;
  thread->main = main;
  thread->context = context;
  thread->state = SIM_READY;
  pthread_cond_init(&thread->turn, NULL);
  thread->next = sim->scheduler->threads;
  sim->scheduler->threads = thread;
  int result = pthread_create(&thread->handle, NULL, run_thread, thread);
  AP_ASSERT(result == 0);
  *out_thread = thread;
  sim_yield(sim);
  return AP_OK;
}

static void sim_join(struct ap_threads *self, struct ap_thread *thread) {
  struct ap_sim *sim = sim_of(self);
  struct ap_thread *me = sim->scheduler->running;
  AP_ASSERT(thread != me);
  me->target = thread;
  while (thread->state != SIM_DONE) {
    me->state = SIM_JOINING;
    give_turn(sim, me);
  }
  pthread_join(thread->handle, NULL);
  struct ap_thread **link = &sim->scheduler->threads;
  while (*link != thread) link = &(*link)->next;
  *link = thread->next;
  pthread_cond_destroy(&thread->turn);
  sim_free(thread);
}

void sim_threads_init(struct ap_sim *sim) {
  struct sim_scheduler *scheduler = sim_allocate(sizeof(*scheduler));
  pthread_mutex_init(&scheduler->baton, NULL);
  pthread_cond_init(&scheduler->first.turn, NULL);
  scheduler->first.sim = sim;
  scheduler->first.state = SIM_READY;
  scheduler->threads = &scheduler->first;
  scheduler->running = &scheduler->first;
  sim->scheduler = scheduler;
  sim->threads.sim = sim;
  sim->threads.base = (struct ap_threads){
      .mutex_create = sim_mutex_create,
      .mutex_destroy = sim_mutex_destroy,
      .lock = sim_lock,
      .unlock = sim_unlock,
      .condition_create = sim_condition_create,
      .condition_destroy = sim_condition_destroy,
      .wait = sim_wait,
      .wake_all = sim_wake_all,
      .spawn = sim_spawn,
      .join = sim_join,
  };
}

void sim_threads_deinit(struct ap_sim *sim) {
  struct sim_scheduler *scheduler = sim->scheduler;
  pthread_cond_destroy(&scheduler->first.turn);
  pthread_mutex_destroy(&scheduler->baton);
  sim_free(scheduler);
  sim->scheduler = NULL;
}
