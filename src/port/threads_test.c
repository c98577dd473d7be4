/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: locks exclude, conditions wake and time out, join waits: of the system's threads and of the
 * simulated ones alike.
 * Method: one suite over both tables. Several threads pass work through a queue of one place; what
 * comes out is what went in. The simulated half runs under many seeds.
 */
#include "port/threads.h"

#include "port/env.h"
#include "testing/check.h"
#include "testing/random.h"
#include "testing/sim.h"

enum { PRODUCERS = 3, ITEMS = 40, LONG_MS = 60 * 1000 };

struct shared {
  struct ap_threads *threads;
  struct ap_mutex *mutex;
  struct ap_condition *changed;
  int64_t slot; /* 0: empty */
  int64_t sum;
  int received;
  bool inside;
  int64_t counter;
};

static void shared_init(struct shared *shared, struct ap_threads *threads) {
  *shared = (struct shared){.threads = threads};
  check_ok(threads->mutex_create(threads, &shared->mutex, NULL), NULL);
  check_ok(threads->condition_create(threads, &shared->changed, NULL), NULL);
}

static void shared_deinit(struct shared *shared) {
  shared->threads->condition_destroy(shared->threads, shared->changed);
  shared->threads->mutex_destroy(shared->threads, shared->mutex);
}

static void produce(void *context) {
  struct shared *shared = context;
  struct ap_threads *threads = shared->threads;
  for (int64_t i = 1; i <= ITEMS; i++) {
    threads->lock(threads, shared->mutex);
    while (shared->slot != 0) threads->wait(threads, shared->changed, shared->mutex, LONG_MS);
    shared->slot = i;
    threads->wake_all(threads, shared->changed);
    threads->unlock(threads, shared->mutex);
  }
}

static void consume(void *context) {
  struct shared *shared = context;
  struct ap_threads *threads = shared->threads;
  threads->lock(threads, shared->mutex);
  while (shared->received < PRODUCERS * ITEMS) {
    if (shared->slot == 0) {
      threads->wait(threads, shared->changed, shared->mutex, LONG_MS);
      continue;
    }
    shared->sum += shared->slot;
    shared->slot = 0;
    shared->received++;
    threads->wake_all(threads, shared->changed);
  }
  threads->unlock(threads, shared->mutex);
}

static void run_queue(struct ap_threads *threads) {
  struct shared shared;
  shared_init(&shared, threads);
  struct ap_thread *started[PRODUCERS + 1];
  for (int i = 0; i < PRODUCERS; i++) {
    check_ok(threads->spawn(threads, produce, &shared, &started[i], NULL), NULL);
  }
  check_ok(threads->spawn(threads, consume, &shared, &started[PRODUCERS], NULL), NULL);
  for (int i = 0; i <= PRODUCERS; i++) threads->join(threads, started[i]);
  assert_int_equal(shared.received, PRODUCERS * ITEMS);
  assert_int_equal(shared.sum, PRODUCERS * ITEMS * (ITEMS + 1) / 2);
  shared_deinit(&shared);
}

static void count_under_lock(void *context) {
  struct shared *shared = context;
  struct ap_threads *threads = shared->threads;
  for (int i = 0; i < ITEMS; i++) {
    threads->lock(threads, shared->mutex);
    bool was_inside = shared->inside;
    shared->inside = true;
    int64_t before = shared->counter;
    threads->wake_all(threads, shared->changed); /* a place to switch, while inside */
    shared->counter = was_inside ? -1000000 : before + 1;
    shared->inside = false;
    threads->unlock(threads, shared->mutex);
  }
}

static void run_counting(struct ap_threads *threads) {
  struct shared shared;
  shared_init(&shared, threads);
  struct ap_thread *started[PRODUCERS];
  for (int i = 0; i < PRODUCERS; i++) {
    check_ok(threads->spawn(threads, count_under_lock, &shared, &started[i], NULL), NULL);
  }
  for (int i = 0; i < PRODUCERS; i++) threads->join(threads, started[i]);
  assert_int_equal(shared.counter, PRODUCERS * ITEMS);
  shared_deinit(&shared);
}

/* Nobody wakes: only time ends the wait (or nothing at all, for a moment). */
static void run_timeout(const struct ap_env *env, int64_t timeout_ms) {
  struct shared shared;
  shared_init(&shared, env->threads);
  struct ap_threads *threads = env->threads;
  threads->lock(threads, shared.mutex);
  int64_t start = ap_clock_monotonic_us(env->clock);
  while (threads->wait(threads, shared.changed, shared.mutex, timeout_ms)) {
    start = ap_clock_monotonic_us(env->clock);
  }
  assert_true(ap_clock_monotonic_us(env->clock) - start >= timeout_ms * 1000);
  threads->unlock(threads, shared.mutex);
  shared_deinit(&shared);
}

static void test_system_threads(void **state) {
  (void)state;
  const struct ap_env *env = ap_env_system();
  for (int round = 0; round < 20; round++) {
    run_queue(env->threads);
    run_counting(env->threads);
  }
  run_timeout(env, 0);
  run_timeout(env, 5);
  env->threads->mutex_destroy(env->threads, NULL);
  env->threads->condition_destroy(env->threads, NULL);
}

static void test_simulated_threads(void **state) {
  (void)state;
  uint64_t seed = ap_test_seed("simulated threads");
  for (uint64_t round = 0; round < ap_test_rounds(40); round++) {
    struct ap_sim *sim = ap_sim_create(seed + round);
    const struct ap_env *env = ap_sim_env(sim);
    run_queue(env->threads);
    run_counting(env->threads);
    run_timeout(env, 0);
    run_timeout(env, 3600 * 1000); /* an hour that takes no time */
    ap_sim_destroy(sim);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_system_threads),
      cmocka_unit_test(test_simulated_threads),
  };
  return AP_RUN_TESTS(tests);
}
