/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: the pool's policy keeps its promises: memory is never promised twice, sessions take turns,
 * one alone gets all, streams that nobody reads stop nobody.
 * Method: scenes played by hand; then random works of random sessions, with the promises checked
 * after every step, and nobody left waiting at the end.
 */
#include "testing/check.h"

#include "engine/admission.h"

#include "testing/random.h"

struct scene {
  struct ap_admission pool;
  struct ap_admission_session sessions[8];
};

static void open_scene(struct scene *scene, uint32_t bees, uint32_t chambers, int64_t memory_mib) {
  *scene = (struct scene){0};
  ap_admission_init(&scene->pool, bees, chambers, memory_mib * AP_MIB);
  for (uint32_t i = 0; i < 8; i++) scene->sessions[i].id = i + 1;
}

static int64_t granted(const struct ap_admission *pool) {
  struct ap_admission_figures figures;
  ap_admission_get_figures(pool, &figures);
  assert_true(figures.granted_bytes <= pool->memory_bytes);
  return figures.granted_bytes;
}

/* Carry steps out at once until the ticket has a chamber, or must wait (AP_CHAMBERS_MAX). */
static uint32_t proceed(struct scene *scene, struct ap_ticket *ticket) {
  for (;;) {
    struct ap_step step = ap_admission_next(&scene->pool, ticket);
    granted(&scene->pool);
    if (step.kind == AP_STEP_WAIT) return AP_CHAMBERS_MAX;
    if (step.kind == AP_STEP_TAKE) return step.slot;
    if (step.kind == AP_STEP_OPEN) {
      ap_admission_opened(&scene->pool, step.slot, true);
      return step.slot;
    }
    assert_int_equal(step.kind, AP_STEP_SHRINK);
    ap_admission_visited(&scene->pool, step.slot, true);
  }
}

static uint32_t ask(struct scene *scene, struct ap_ticket *ticket, uint32_t session,
                    enum ap_work work) {
  *ticket = (struct ap_ticket){.session = &scene->sessions[session], .work = work};
  assert_true(ap_admission_enter(&scene->pool, ticket));
  return proceed(scene, ticket);
}

static struct ap_step claim(struct scene *scene, uint32_t slot, const struct ap_wish *wish) {
  for (;;) {
    struct ap_step step = ap_admission_claim(&scene->pool, slot, wish);
    granted(&scene->pool);
    if (step.kind == AP_STEP_GRANT) {
      ap_admission_settle(&scene->pool, slot, step.limit_bytes);
      return step;
    }
    if (step.kind != AP_STEP_SHRINK) return step;
    ap_admission_visited(&scene->pool, step.slot, true);
  }
}

static const struct ap_wish all = {.may_yield = true};

static void one_alone_gets_all_and_two_share(void **state) {
  (void)state;
  struct scene scene;
  struct ap_ticket first;
  struct ap_ticket second;
  open_scene(&scene, 4, 64, 1024);
  uint32_t a = ask(&scene, &first, 0, AP_WORK_QUERY);
  struct ap_step step = claim(&scene, a, &all);
  assert_int_equal(step.bees, 4);
  /* All but what one short work beside it needs, and what the two chambers cost. */
  assert_int_equal(step.limit_bytes, (1024 - 32 - 4 - 4) * AP_MIB);
  uint32_t b = ask(&scene, &second, 1, AP_WORK_QUERY);
  assert_int_not_equal(a, b);
  assert_int_equal(scene.pool.slots[a].limit_bytes, step.limit_bytes); /* nothing is taken yet */
  step = claim(&scene, b, &all);
  assert_int_equal(step.bees, 2);
  assert_int_equal(step.limit_bytes, 2 * scene.pool.bee_bytes);
  assert_int_equal(scene.pool.slots[a].bees, 2);
  assert_true(scene.pool.slots[a].limit_bytes >= 2 * scene.pool.bee_bytes);
  ap_admission_release(&scene.pool, a, false);
  /* What the other left behind is lent again. */
  assert_int_equal(claim(&scene, b, &all).bees, 4);
  assert_int_equal(scene.pool.slots[a].limit_bytes, scene.pool.floor_bytes);
}

static void wishes_bound_the_grant(void **state) {
  (void)state;
  struct scene scene;
  struct ap_ticket ticket;
  open_scene(&scene, 4, 64, 1024);
  uint32_t slot = ask(&scene, &ticket, 0, AP_WORK_QUERY);
  const struct ap_wish wish = {.bees_max = 2, .memory_max_bytes = 100 * AP_MIB};
  struct ap_step step = claim(&scene, slot, &wish);
  assert_int_equal(step.bees, 2);
  assert_int_equal(step.limit_bytes, 100 * AP_MIB);
  assert_int_equal(scene.pool.slots[slot].limit_bytes, 100 * AP_MIB);
}

static void memory_that_is_in_use_stays(void **state) {
  (void)state;
  struct scene scene;
  struct ap_ticket first;
  struct ap_ticket second;
  open_scene(&scene, 2, 64, 512);
  uint32_t a = ask(&scene, &first, 0, AP_WORK_QUERY);
  int64_t limit = claim(&scene, a, &all).limit_bytes;
  uint32_t b = ask(&scene, &second, 1, AP_WORK_QUERY);
  struct ap_step step = ap_admission_claim(&scene.pool, b, &all);
  assert_int_equal(step.kind, AP_STEP_SHRINK);
  assert_int_equal(step.slot, a);
  assert_true(step.limit_bytes >= scene.pool.bee_bytes);
  granted(&scene.pool);
  ap_admission_visited(&scene.pool, a, false);
  step = claim(&scene, b, &all); /* does with the rest */
  assert_int_equal(step.kind, AP_STEP_GRANT);
  assert_int_equal(step.limit_bytes, scene.pool.floor_bytes);
  assert_int_equal(scene.pool.slots[a].limit_bytes, limit);
}

/* With both bees at work a third query gets a chamber to plan in; a large one then queues. */
static void short_works_pass_large_ones_queue(void **state) {
  (void)state;
  struct scene scene;
  struct ap_ticket tickets[4];
  open_scene(&scene, 2, 64, 512);
  uint32_t a = ask(&scene, &tickets[0], 0, AP_WORK_QUERY);
  assert_int_equal(claim(&scene, a, &all).kind, AP_STEP_GRANT);
  uint32_t b = ask(&scene, &tickets[1], 1, AP_WORK_QUERY);
  assert_int_equal(claim(&scene, b, &all).kind, AP_STEP_GRANT);
  uint32_t c = ask(&scene, &tickets[2], 2, AP_WORK_QUERY);
  assert_int_not_equal(c, AP_CHAMBERS_MAX);
  assert_int_equal(claim(&scene, c, &all).kind, AP_STEP_YIELD);
  ap_admission_release(&scene.pool, c, false);
  tickets[2].large = true;
  assert_true(ap_admission_enter(&scene.pool, &tickets[2]));
  assert_int_equal(proceed(&scene, &tickets[2]), AP_CHAMBERS_MAX);
  c = ask(&scene, &tickets[3], 3, AP_WORK_QUERY); /* a short one goes past it */
  assert_int_not_equal(c, AP_CHAMBERS_MAX);
  ap_admission_release(&scene.pool, c, false);
  ap_admission_release(&scene.pool, a, false);
  assert_ptr_equal(ap_admission_first(&scene.pool), &tickets[2]);
  assert_int_not_equal(proceed(&scene, &tickets[2]), AP_CHAMBERS_MAX);
}

static void sessions_take_turns(void **state) {
  (void)state;
  struct scene scene;
  struct ap_ticket held;
  struct ap_ticket greedy[5];
  struct ap_ticket modest;
  struct ap_ticket newcomer;
  open_scene(&scene, 1, 2, 256);
  uint32_t slot = ask(&scene, &held, 0, AP_WORK_WRITE);
  uint32_t other = ask(&scene, &greedy[0], 0, AP_WORK_WRITE);
  assert_int_equal(other, AP_CHAMBERS_MAX);
  ap_admission_leave(&scene.pool, &greedy[0]);
  for (int i = 0; i < 5; i++) ask(&scene, &greedy[i], 1, AP_WORK_WRITE);
  ask(&scene, &modest, 2, AP_WORK_WRITE);
  static const uint32_t expected[] = {1, 2, 1, 3, 1, 1};
  for (int i = 0; i < 6; i++) {
    if (i == 2) ask(&scene, &newcomer, 3, AP_WORK_WRITE);
    ap_admission_release(&scene.pool, slot, false);
    struct ap_ticket *next = ap_admission_first(&scene.pool);
    assert_non_null(next);
    assert_int_equal(next->session - scene.sessions, expected[i]);
    slot = proceed(&scene, next);
    assert_int_not_equal(slot, AP_CHAMBERS_MAX);
  }
}

static void who_holds_others_up_is_served_first(void **state) {
  (void)state;
  struct scene scene;
  struct ap_ticket tickets[4];
  open_scene(&scene, 1, 2, 256);
  uint32_t slot = ask(&scene, &tickets[0], 0, AP_WORK_WRITE);
  for (uint32_t i = 1; i < 4; i++) {
    scene.sessions[i].urgent = i == 3;
    ask(&scene, &tickets[i], i, AP_WORK_WRITE);
  }
  ap_admission_release(&scene.pool, slot, false);
  assert_ptr_equal(ap_admission_first(&scene.pool), &tickets[3]);
}

/* ---- shares ---------------------------------------------------------------------------------- */

enum { LARGE_SESSIONS = 2, SESSIONS = 8, SERVINGS = 2000 };

/* A session that asks again as soon as it is done. */
struct client {
  struct ap_ticket ticket;
  uint32_t slot; /* AP_CHAMBERS_MAX: it waits */
  bool settled;
  uint32_t done;
};

static void go_on(struct scene *scene, struct client *client, bool large) {
  if (client->slot == AP_CHAMBERS_MAX) client->slot = proceed(scene, &client->ticket);
  if (client->slot == AP_CHAMBERS_MAX || client->settled || !large) return;
  const struct ap_wish wish = {.may_yield = !client->ticket.large};
  client->settled = claim(scene, client->slot, &wish).kind == AP_STEP_GRANT;
  if (client->settled) return;
  client->ticket.turn = scene->pool.slots[client->slot].turn;
  client->ticket.large = true;
  ap_admission_release(&scene->pool, client->slot, false);
  assert_true(ap_admission_enter(&scene->pool, &client->ticket));
  client->slot = proceed(scene, &client->ticket);
}

/* Of two sessions with large works and six with short ones each does about as many as another. */
static void sessions_get_equal_shares(void **state) {
  (void)state;
  struct scene scene;
  struct client clients[SESSIONS] = {0};
  struct ap_seeded_random random;
  ap_seeded_random_init(&random, ap_test_seed("sessions_get_equal_shares"));
  open_scene(&scene, 2, 64, 1024);
  for (uint32_t i = 0; i < SESSIONS; i++) {
    clients[i].slot = ask(&scene, &clients[i].ticket, i, AP_WORK_QUERY);
  }
  for (uint32_t served = 0; served < SERVINGS;) {
    for (uint32_t i = 0; i < SESSIONS; i++) go_on(&scene, &clients[i], i < LARGE_SESSIONS);
    uint32_t at = (uint32_t)ap_random_below(&random.base, SESSIONS);
    struct client *client = &clients[at];
    if (client->slot == AP_CHAMBERS_MAX) continue;
    ap_admission_release(&scene.pool, client->slot, false);
    client->done++;
    client->settled = false;
    client->slot = ask(&scene, &client->ticket, at, AP_WORK_QUERY);
    served++;
  }
  uint32_t least = UINT32_MAX;
  uint32_t most = 0;
  for (uint32_t i = 0; i < SESSIONS; i++) {
    if (clients[i].done < least) least = clients[i].done;
    if (clients[i].done > most) most = clients[i].done;
  }
  assert_true(2 * least > most);
}

/* Every chamber that streams may hold is held by one that nobody reads; writes go on. */
static void unread_streams_stop_no_write(void **state) {
  (void)state;
  struct scene scene;
  struct ap_ticket ticket;
  struct ap_admission_figures figures;
  open_scene(&scene, 1, 8, 512);
  uint32_t streams = 0;
  for (;;) {
    uint32_t slot = ask(&scene, &ticket, 0, AP_WORK_QUERY);
    if (slot == AP_CHAMBERS_MAX) break;
    ap_admission_park(&scene.pool, slot);
    streams++;
  }
  ap_admission_leave(&scene.pool, &ticket);
  assert_int_equal(streams, 7);
  for (int i = 0; i < 3; i++) {
    uint32_t slot = ask(&scene, &ticket, 0, AP_WORK_WRITE);
    assert_int_not_equal(slot, AP_CHAMBERS_MAX);
    assert_int_equal(claim(&scene, slot, &(struct ap_wish){0}).kind, AP_STEP_GRANT);
    ap_admission_release(&scene.pool, slot, i == 1);
    if (i == 1) ap_admission_closed(&scene.pool, slot);
  }
  ap_admission_get_figures(&scene.pool, &figures);
  assert_int_equal(figures.parked, 7);
  assert_int_equal(figures.bees_busy, 0);
}

static void the_queue_is_bounded(void **state) {
  (void)state;
  struct scene scene;
  static struct ap_ticket tickets[AP_QUEUE_MAX + 1];
  open_scene(&scene, 1, 1, 64);
  for (uint32_t i = 0; i < AP_QUEUE_MAX; i++) {
    assert_true(ap_admission_enter(&scene.pool, &tickets[i]));
  }
  assert_false(ap_admission_enter(&scene.pool, &tickets[AP_QUEUE_MAX]));
  ap_admission_leave(&scene.pool, &tickets[AP_QUEUE_MAX]); /* not in it: nothing happens */
  for (uint32_t i = 0; i < AP_QUEUE_MAX; i++) ap_admission_leave(&scene.pool, &tickets[i]);
  assert_null(scene.pool.tickets);
}

static void temperature_follows_the_formula(void **state) {
  (void)state;
  struct scene scene;
  struct ap_ticket tickets[12];
  open_scene(&scene, 2, 64, 512);
  assert_true(ap_admission_temperature(&scene.pool, 0) == 0.0);
  for (int i = 0; i < 2; i++) {
    uint32_t slot = ask(&scene, &tickets[i], 0, AP_WORK_WRITE);
    assert_int_equal(claim(&scene, slot, &(struct ap_wish){.bees_max = 1}).bees, 1);
  }
  for (int i = 2; i < 12; i++) ask(&scene, &tickets[i], 1, AP_WORK_WRITE);
  uint32_t queued = scene.pool.waiting_count;
  assert_true(queued >= 4);
  double warm = ap_admission_temperature(&scene.pool, 256 * AP_MIB);
  assert_true(warm > 0.7999 && warm < 0.8001); /* 0.4 + 0.2 + 0.2 */
  double most = ap_admission_temperature(&scene.pool, 5000 * AP_MIB);
  assert_true(most > 0.9999 && most < 1.0001);
  static const struct {
    double temperature;
    const char *word;
  } bands[] = {{0.0, "cold"},  {0.29, "cold"}, {0.3, "ideal"}, {0.7, "ideal"},     {0.71, "warm"},
               {0.85, "warm"}, {0.86, "hot"},  {0.95, "hot"},  {0.951, "critical"}};
  for (size_t i = 0; i < sizeof bands / sizeof bands[0]; i++) {
    assert_string_equal(ap_regulation_word(ap_regulation_of(bands[i].temperature)), bands[i].word);
  }
}

/* ---- random works ---------------------------------------------------------------------------- */

enum { WORKERS = 40, ENDLESS = 1000000 };

struct worker {
  struct ap_ticket ticket;
  struct ap_admission_session session;
  uint32_t slot; /* AP_CHAMBERS_MAX: none */
  uint32_t visit;
  bool opening;
  bool setting;
  uint32_t served;
};

static uint64_t draw(struct ap_seeded_random *random, uint64_t bound) {
  uint64_t value = 0;
  random->base.fill(&random->base, &value, sizeof value);
  return value % bound;
}

static void take_step(struct ap_admission *pool, struct worker *worker,
                      struct ap_seeded_random *random) {
  struct ap_step step = ap_admission_next(pool, &worker->ticket);
  worker->slot = step.kind == AP_STEP_TAKE || step.kind == AP_STEP_OPEN ? step.slot : worker->slot;
  worker->opening = step.kind == AP_STEP_OPEN;
  worker->visit = step.kind == AP_STEP_SHRINK ? step.slot : worker->visit;
  worker->served += step.kind == AP_STEP_TAKE || step.kind == AP_STEP_OPEN;
  (void)random;
}

static void claim_some(struct ap_admission *pool, struct worker *worker,
                       struct ap_seeded_random *random) {
  const struct ap_wish wish = {
      .bees_max = (uint32_t)draw(random, 5),
      .memory_max_bytes = draw(random, 4) ? 0 : (int64_t)draw(random, ENDLESS),
      .may_yield = worker->ticket.work == AP_WORK_QUERY};
  struct ap_step step = ap_admission_claim(pool, worker->slot, &wish);
  if (step.kind == AP_STEP_SHRINK) worker->visit = step.slot;
  worker->setting = step.kind == AP_STEP_GRANT;
  if (step.kind != AP_STEP_YIELD) return;
  ap_admission_release(pool, worker->slot, false);
  worker->slot = AP_CHAMBERS_MAX;
  worker->ticket.large = true;
  assert_true(ap_admission_enter(pool, &worker->ticket));
}

static void use(struct ap_admission *pool, struct worker *worker, struct ap_seeded_random *random,
                bool ending) {
  struct ap_slot *slot = &pool->slots[worker->slot];
  uint64_t choice = ending ? 9 : draw(random, 10);
  if (slot->state == AP_SLOT_PARKED && choice < 5) {
    ap_admission_resume(pool, worker->slot);
  } else if (slot->state == AP_SLOT_BUSY && choice < 4) {
    claim_some(pool, worker, random);
  } else if (slot->state == AP_SLOT_BUSY && choice < 7 && worker->ticket.work == AP_WORK_QUERY) {
    ap_admission_park(pool, worker->slot);
  } else if (choice >= 7 && !slot->visited) {
    bool broken = draw(random, 20) == 0;
    ap_admission_release(pool, worker->slot, broken);
    if (broken) ap_admission_closed(pool, worker->slot);
    worker->slot = AP_CHAMBERS_MAX;
  }
}

/* One thing that this worker may do now. */
static void act(struct ap_admission *pool, struct worker *worker, struct ap_seeded_random *random,
                bool ending) {
  if (worker->visit < AP_CHAMBERS_MAX) {
    ap_admission_visited(pool, worker->visit, draw(random, 4) != 0);
    worker->visit = AP_CHAMBERS_MAX;
  } else if (worker->opening) {
    bool ok = draw(random, 10) != 0;
    ap_admission_opened(pool, worker->slot, ok);
    worker->opening = false;
    if (!ok) worker->slot = AP_CHAMBERS_MAX;
  } else if (worker->setting) {
    worker->setting = false;
    ap_admission_settle(pool, worker->slot, pool->slots[worker->slot].limit_bytes);
  } else if (worker->slot < AP_CHAMBERS_MAX) {
    use(pool, worker, random, ending);
  } else if (worker->ticket.entered) {
    if (!ending && draw(random, 30) == 0) {
      ap_admission_leave(pool, &worker->ticket);
    } else {
      take_step(pool, worker, random);
    }
  } else if (!ending) {
    worker->ticket = (struct ap_ticket){.session = &worker->session,
                                        .work = draw(random, 2) ? AP_WORK_QUERY : AP_WORK_WRITE};
    assert_true(ap_admission_enter(pool, &worker->ticket));
  }
}

static void check_promises(const struct ap_admission *pool) {
  uint32_t large = 0;
  granted(pool);
  for (uint32_t i = 0; i < pool->chambers_max; i++) {
    const struct ap_slot *slot = &pool->slots[i];
    if (slot->state == AP_SLOT_ABSENT) continue;
    assert_true(slot->limit_bytes >= pool->floor_bytes);
    if (slot->state == AP_SLOT_BUSY) large += slot->bees > 1;
    assert_true(slot->bees <= pool->bees);
  }
  assert_true(large <= pool->bees);
}

static void random_works_keep_the_promises(void **state) {
  (void)state;
  struct ap_seeded_random random;
  ap_seeded_random_init(&random, ap_test_seed("random_works_keep_the_promises"));
  uint64_t rounds = ap_test_rounds(30);
  for (uint64_t round = 0; round < rounds; round++) {
    static struct worker workers[WORKERS];
    struct ap_admission pool;
    ap_admission_init(&pool, 1 + (uint32_t)draw(&random, 8), 1 + (uint32_t)draw(&random, 64),
                      (int64_t)(64 + draw(&random, 4000)) * AP_MIB);
    for (uint32_t i = 0; i < WORKERS; i++) {
      workers[i] = (struct worker){.slot = AP_CHAMBERS_MAX, .visit = AP_CHAMBERS_MAX};
      workers[i].session.id = i % 3 == 0 ? 0 : i;
    }
    for (int i = 0; i < 4000; i++) {
      act(&pool, &workers[draw(&random, WORKERS)], &random, false);
      check_promises(&pool);
    }
    for (int i = 0; i < 40; i++) {
      for (uint32_t k = 0; k < WORKERS; k++) act(&pool, &workers[k], &random, true);
      check_promises(&pool);
    }
    for (int i = 0; i < 2000 && pool.waiting_count > 0; i++) {
      for (uint32_t k = 0; k < WORKERS; k++) act(&pool, &workers[k], &random, true);
    }
    assert_int_equal(pool.waiting_count, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_alone_gets_all_and_two_share),
      cmocka_unit_test(wishes_bound_the_grant),
      cmocka_unit_test(memory_that_is_in_use_stays),
      cmocka_unit_test(short_works_pass_large_ones_queue),
      cmocka_unit_test(sessions_take_turns),
      cmocka_unit_test(who_holds_others_up_is_served_first),
      cmocka_unit_test(sessions_get_equal_shares),
      cmocka_unit_test(unread_streams_stop_no_write),
      cmocka_unit_test(the_queue_is_bounded),
      cmocka_unit_test(temperature_follows_the_formula),
      cmocka_unit_test(random_works_keep_the_promises),
  };
  return AP_RUN_TESTS(tests);
}
