/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: writers of one frame that are in each other's way all get on, however unlucky or slow one
 * is; those of other frames do not wait; nobody waits for ever.
 * Method: rounds without time, in each of which an adversary lets the one win that has won most
 * already; then simulated threads, whose schedule and pace the seed draws, with slow writers among
 * fast ones. Without the line both starve some. Scenes by hand for the rest.
 */
#include "execute/turns.h"

#include "base/limits.h"
#include "testing/check.h"
#include "testing/random.h"
#include "testing/sim.h"

enum { WRITERS = 16, ROUNDS = 4000 };

static const struct ap_text frame = {"frame", 5};

static void enter(struct ap_turns *turns, struct ap_turn *turn) {
  ap_turns_enter(turns, turn, frame);
}

/* ---- an adversary ---------------------------------------------------------------------------- */

struct writer {
  struct ap_turn turn;
  uint32_t wins;
  uint32_t losses_most; /* of one statement */
  bool runs;
};

static void play_round(struct ap_turns *turns, struct writer *writers) {
  struct writer *winner = NULL;
  for (struct writer *writer = writers; writer < writers + WRITERS; writer++) {
    enter(turns, &writer->turn);
    writer->runs = ap_turns_may_run(turns, &writer->turn);
    if (writer->runs && (!winner || writer->wins > winner->wins)) winner = writer;
  }
  assert_non_null(winner);
  for (struct writer *writer = writers; writer < writers + WRITERS; writer++) {
    if (!writer->runs || writer == winner) continue;
    (void)ap_turns_lose(turns, &writer->turn);
    if (writer->turn.losses > writer->losses_most) writer->losses_most = writer->turn.losses;
  }
  ap_turns_leave(turns, &winner->turn);
  winner->wins++;
}

static void test_an_adversary_starves_nobody(void **state) {
  struct ap_turns turns;
  struct writer writers[WRITERS] = {0};
  (void)state;
  check_ok(ap_turns_init(&turns, ap_env_system(), NULL), NULL);
  for (int i = 0; i < ROUNDS; i++) play_round(&turns, writers);
  for (int i = 0; i < WRITERS; i++) {
    assert_in_range(writers[i].wins, ROUNDS / WRITERS - 1, ROUNDS / WRITERS + 1);
    assert_true(writers[i].losses_most <= 1);
    ap_turns_leave(&turns, &writers[i].turn);
  }
  ap_turns_deinit(&turns);
}

/* ---- threads --------------------------------------------------------------------------------- */

struct race {
  const struct ap_env *env;
  struct ap_turns turns;
  int64_t until_us;
  uint64_t version; /* of the frame */
};

struct racer {
  struct race *race;
  int64_t pace_ms; /* of one attempt, at most */
  uint32_t wins;
  uint32_t losses_most;
};

static void attempt(struct racer *racer, struct ap_turn *turn) {
  struct race *race = racer->race;
  const struct ap_env *env = race->env;
  for (;;) {
    enter(&race->turns, turn);
    check_ok(ap_turns_await(&race->turns, turn, NULL, NULL), NULL);
    uint64_t base = race->version;
    int64_t pace_ms = racer->pace_ms;
    ap_clock_sleep_ms(env->clock, 1 + (int64_t)ap_random_below(env->random, (uint64_t)pace_ms));
    if (race->version == base) break;
    (void)ap_turns_lose(&race->turns, turn);
  }
  race->version++;
}

static void run_racer(void *context) {
  struct racer *racer = context;
  struct race *race = racer->race;
  const struct ap_env *env = race->env;
  while (ap_clock_monotonic_us(env->clock) < race->until_us) {
    struct ap_turn turn = {0};
    attempt(racer, &turn);
    if (turn.losses > racer->losses_most) racer->losses_most = turn.losses;
    ap_turns_leave(&race->turns, &turn);
    racer->wins++;
    ap_clock_sleep_ms(env->clock, (int64_t)ap_random_below(env->random, 4));
  }
}

/* One in four takes ten times as long as the others: it loses every race that it runs in. */
static void test_slow_writers_get_on_among_fast_ones(void **state) {
  (void)state;
  struct ap_sim *sim = ap_sim_create(ap_test_seed("turns"));
  const struct ap_env *env = ap_sim_env(sim);
  struct race race = {.env = env};
  struct racer racers[WRITERS];
  struct ap_thread *threads[WRITERS];
  check_ok(ap_turns_init(&race.turns, env, NULL), NULL);
  race.until_us = ap_clock_monotonic_us(env->clock) + 20 * 1000000;
  for (int i = 0; i < WRITERS; i++) {
    racers[i] = (struct racer){.race = &race, .pace_ms = i % 4 == 0 ? 60 : 6};
    check_ok(env->threads->spawn(env->threads, run_racer, &racers[i], &threads[i], NULL), NULL);
  }
  uint32_t least = UINT32_MAX;
  uint32_t most = 0;
  uint64_t sum = 0;
  for (int i = 0; i < WRITERS; i++) {
    env->threads->join(env->threads, threads[i]);
    if (racers[i].wins < least) least = racers[i].wins;
    if (racers[i].wins > most) most = racers[i].wins;
    assert_true(racers[i].losses_most < WRITERS);
    sum += racers[i].wins;
  }
  assert_int_equal(race.version, sum);
  assert_true(least >= 20 && most <= 2 * least);
  ap_turns_deinit(&race.turns);
  ap_sim_destroy(sim);
}

/* ---- scenes ---------------------------------------------------------------------------------- */

static void test_only_losers_make_others_wait(void **state) {
  struct ap_turns turns;
  struct ap_turn a = {0};
  struct ap_turn b = {0};
  struct ap_turn c = {0};
  struct ap_turn elsewhere = {0};
  (void)state;
  check_ok(ap_turns_init(&turns, ap_env_system(), NULL), NULL);
  enter(&turns, &a);
  enter(&turns, &b);
  assert_true(ap_turns_may_run(&turns, &a) && ap_turns_may_run(&turns, &b));
  assert_false(ap_turns_lose(&turns, &a)); /* somebody of another process was faster */
  assert_true(ap_turns_may_run(&turns, &a));
  assert_false(ap_turns_may_run(&turns, &b));
  ap_turns_enter(&turns, &elsewhere, AP_TEXT("another"));
  assert_true(ap_turns_may_run(&turns, &elsewhere));
  enter(&turns, &c);
  assert_false(ap_turns_may_run(&turns, &c));
  enter(&turns, &a); /* keeps its place */
  ap_turns_leave(&turns, &a);
  assert_true(ap_turns_may_run(&turns, &b) && ap_turns_may_run(&turns, &c));
  assert_true(ap_turns_lose(&turns, &b)); /* a has left meanwhile */
  assert_false(ap_turns_may_run(&turns, &c));
  ap_turns_enter(&turns, &b, AP_TEXT("another")); /* the frame was made anew */
  assert_int_equal(b.losses, 0);
  assert_true(ap_turns_may_run(&turns, &b) && ap_turns_may_run(&turns, &c));
  ap_turns_leave(&turns, &b);
  ap_turns_leave(&turns, &c);
  ap_turns_leave(&turns, &c);
  ap_turns_leave(&turns, &elsewhere);
  ap_turns_deinit(&turns);
}

static bool is_cancelled(void *context) {
  return --*(int *)context < 0;
}

static void test_no_wait_is_without_end(void **state) {
  (void)state;
  struct ap_sim *sim = ap_sim_create(ap_test_seed("turns"));
  const struct ap_env *env = ap_sim_env(sim);
  struct ap_turns turns;
  struct ap_turn stuck = {0};
  struct ap_turn other = {0};
  int questions = 3;
  struct ap_run_control control = {.cancelled = is_cancelled, .context = &questions};
  check_ok(ap_turns_init(&turns, env, NULL), NULL);
  enter(&turns, &stuck);
  (void)ap_turns_lose(&turns, &stuck);
  enter(&turns, &other);
  assert_int_equal(ap_turns_await(&turns, &other, &control, NULL), AP_CANCELLED);
  int64_t begin_us = ap_clock_monotonic_us(env->clock);
  control = (struct ap_run_control){.deadline_us = begin_us + 500000};
  assert_int_equal(ap_turns_await(&turns, &other, &control, NULL), AP_TIMEOUT);
  begin_us = ap_clock_monotonic_us(env->clock);
  check_ok(ap_turns_await(&turns, &other, NULL, NULL), NULL);
  int64_t took_ms = (ap_clock_monotonic_us(env->clock) - begin_us) / 1000;
  assert_in_range(took_ms, AP_CHANGE_TURN_MS_MAX, AP_CHANGE_TURN_MS_MAX + 1000);
  ap_turns_leave(&turns, &other);
  ap_turns_leave(&turns, &stuck);
  ap_turns_deinit(&turns);
  ap_sim_destroy(sim);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_an_adversary_starves_nobody),
      cmocka_unit_test(test_slow_writers_get_on_among_fast_ones),
      cmocka_unit_test(test_only_losers_make_others_wait),
      cmocka_unit_test(test_no_wait_is_without_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
