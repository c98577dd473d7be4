/* SPDX-License-Identifier: Apache-2.0
 *
 * Eight clients write, read, hold and delete without rest while one of them after the other, and
 * now and then the server, is killed at some instruction. Nobody may ever see bytes that were not
 * sealed so, or wait for ever; and in the end nothing is left.
 */
#include "testing/check.h"
#include "testing/random.h"
#include "testing/shelf_bed.h"

#include "base/assert.h"
#include "port/clock.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLIENTS = 8, NAMES = 12, HELD = 6, MEMORY = 8 << 20, OBJECT_MAX = 128 * 1024 };

struct held {
  bool is;
  struct ap_shelf_key key;
  struct ap_shelf_extent place;
  int64_t pattern;
};

struct worker {
  struct ap_shelf_wire_client client;
  struct held held[HELD];
  struct ap_seeded_random random;
  int64_t steps;
};

static uint64_t below(struct worker *worker, uint64_t bound) {
  return ap_random_below(&worker->random.base, bound);
}

/* Also after the server died, what is held stays as it was. */
static void check_held(const struct worker *worker) {
  for (int i = 0; i < HELD; i++) {
    const struct held *held = &worker->held[i];
    if (held->is) ap_shelf_wire_check(&worker->client, held->place, held->pattern);
  }
}

static ap_status step_put(struct worker *worker, const char *name) {
  struct ap_shelf_key key = {{0}};
  int64_t size = 1 + (int64_t)below(worker, below(worker, 4) == 0 ? OBJECT_MAX : 2000);
  int64_t pattern = (int64_t)below(worker, 1 << 30);
  ap_status status = ap_shelf_wire_put(&worker->client, size, pattern, name, false, &key);
  if (status == AP_ALREADY_EXISTS && !ap_shelf_key_is_zero(key)) {
    return ap_shelf_wire_by_key(&worker->client, AP_SHELF_ABANDON, key);
  }
  return status;
}

static ap_status step_get(struct worker *worker, const char *name) {
  struct held *held = &worker->held[below(worker, HELD)];
  struct ap_shelf_key key = {{0}};
  if (held->is) {
    ap_shelf_wire_check(&worker->client, held->place, held->pattern);
    held->is = false;
    ap_status status = ap_shelf_wire_by_key(&worker->client, AP_SHELF_RELEASE, held->key);
    /* Another slot may hold the same object, which the server counts once. */
    for (int i = 0; i < HELD; i++) {
      if (ap_shelf_key_equal(worker->held[i].key, held->key)) worker->held[i].is = false;
    }
    if (status != AP_OK) return status;
  }
  ap_status status = ap_shelf_wire_get(&worker->client, key, name, true, &key);
  if (status != AP_OK) return status;
  *held = (struct held){true, key, worker->client.place, worker->client.pattern};
  return AP_OK;
}

static ap_status step_delete(struct worker *worker, const char *name) {
  struct ap_shelf_packet answer;
  struct ap_shelf_packet request = {.kind = AP_SHELF_DELETE, .text = ap_text_of(name)};
  return ap_shelf_wire_call(&worker->client, request, &answer) ? answer.status : AP_ABANDONED;
}

static _Noreturn void work(const char *socket, uint64_t seed, pid_t parent) {
  static struct worker worker;
  ap_seeded_random_init(&worker.random, seed);
  worker.client.socket = -1;
  while (getppid() == parent) {
    if (worker.client.socket < 0 && !ap_shelf_wire_open(&worker.client, socket, AP_SHELF_WRITER)) {
      ap_clock_sleep_ms(ap_clock_system(), 1);
      continue;
    }
    char name[8];
    uint64_t dice = below(&worker, 10);
    (void)snprintf(name, sizeof name, "k%d", (int)below(&worker, NAMES));
    ap_status status = AP_OK;
    if (dice < 4) status = step_put(&worker, name);
    if (dice >= 4 && dice < 8) status = step_get(&worker, name);
    if (dice >= 8) status = step_delete(&worker, name);
    AP_ASSERT(status == AP_OK || status == AP_NOT_FOUND || status == AP_ALREADY_EXISTS ||
              status == AP_MEMORY_EXCEEDED || status == AP_ABANDONED);
    if (status != AP_ABANDONED) continue;
    check_held(&worker);
    memset(worker.held, 0, sizeof worker.held);
    ap_shelf_wire_close(&worker.client);
  }
  _exit(0);
}

static pid_t spawn(const struct ap_shelf_bed *bed, struct ap_random *random) {
  uint64_t seed = ap_random_u64(random);
  pid_t parent = getpid();
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) work(bed->socket, seed, parent);
  return child;
}

/* It was alive until now: no check of its own had ended it. */
static void kill_client(pid_t client) {
  int status = 0;
  assert_int_equal(kill(client, SIGKILL), 0);
  assert_int_equal(waitpid(client, &status, 0), client);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void await_none(struct ap_shelf_wire_client *client, enum ap_shelf_statistic which,
                       int64_t none) {
  struct ap_clock *clock = ap_clock_system();
  int64_t until = ap_clock_monotonic_us(clock) + 60000000;
  int64_t numbers[AP_SHELF_STATISTICS];
  for (;;) {
    assert_true(ap_shelf_wire_statistics(client, numbers));
    if (numbers[which] == none) return;
    assert_true(ap_clock_monotonic_us(clock) < until);
    ap_clock_sleep_ms(clock, 2);
  }
}

/* With all clients gone: no connection, nothing unsealed, nothing held; deleted, nothing at all. */
static void check_nothing_left(const struct ap_shelf_bed *bed) {
  static struct ap_shelf_wire_client client;
  struct ap_shelf_packet answer;
  int64_t numbers[AP_SHELF_STATISTICS];
  assert_true(ap_shelf_wire_open(&client, bed->socket, AP_SHELF_WRITER));
  await_none(&client, AP_SHELF_STAT_CONNECTIONS, 1);
  assert_true(ap_shelf_wire_statistics(&client, numbers));
  assert_int_equal(numbers[AP_SHELF_STAT_UNSEALED], 0);
  assert_int_equal(numbers[AP_SHELF_STAT_DELETED], 0);
  struct ap_shelf_packet all = {.kind = AP_SHELF_DELETE, .flags = AP_SHELF_FLAG_ALL};
  assert_true(ap_shelf_wire_call(&client, all, &answer));
  assert_true(ap_shelf_wire_statistics(&client, numbers));
  assert_int_equal(numbers[AP_SHELF_STAT_USED], 0);
  assert_int_equal(numbers[AP_SHELF_STAT_LARGEST_FREE], MEMORY);
  await_none(&client, AP_SHELF_STAT_RESIDENT, 0);
  ap_shelf_wire_close(&client);
}

static void test_kills(void **state) {
  struct ap_shelf_bed bed = {0};
  struct ap_seeded_random random;
  pid_t clients[CLIENTS];
  uint64_t rounds = ap_test_rounds(30);
  (void)state;
  ap_seeded_random_init(&random, ap_test_seed("kill"));
  bed.evicts = ap_random_below(&random.base, 2) == 0;
  ap_shelf_bed_start(&bed, "kill", MEMORY);
  for (int i = 0; i < CLIENTS; i++) clients[i] = spawn(&bed, &random.base);
  for (uint64_t round = 0; round < rounds; round++) {
    /* The schedule, not the length of the pause, is what differs from round to round. */
    ap_clock_sleep_ms(ap_clock_system(), 1 + (int64_t)ap_random_below(&random.base, 20));
    if (ap_random_below(&random.base, 6) == 0) {
      assert_int_equal(ap_shelf_bed_stop(&bed, SIGKILL), 1000 + SIGKILL);
      ap_shelf_bed_restart(&bed);
    } else {
      size_t victim = ap_random_below(&random.base, CLIENTS);
      kill_client(clients[victim]);
      clients[victim] = spawn(&bed, &random.base);
    }
  }
  for (int i = 0; i < CLIENTS; i++) kill_client(clients[i]);
  check_nothing_left(&bed);
  assert_int_equal(ap_shelf_bed_stop(&bed, SIGTERM), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_kills)};
  return AP_RUN_TESTS(tests);
}
