/* SPDX-License-Identifier: Apache-2.0
 *
 * The store against a model that only knows what wire.h promises, with an allocator that fails now
 * and then; and its rules one by one.
 */
#include "testing/alloc.h"
#include "testing/check.h"
#include "testing/random.h"

#include "shelf/store.h"

enum { PAGE = 4096, PAGES = 64, CLIENTS = 4, OBJECTS = 24, NAMES = 6 };

enum being { ABSENT, BUILDING, SEALED, DELETED };

struct thing {
  enum being being;
  struct ap_shelf_key key;
  int owner;
  int64_t holds[CLIENTS]; /* since when; 0: not */
  bool pinned;
  int name; /* 0: none */
  int64_t idle_since;
  int64_t number;
  int64_t rows;
  struct ap_shelf_extent extents[8];
  size_t extent_count;
};

struct world {
  struct ap_shelf_store *store;
  struct ap_counting_allocator *allocator;
  struct ap_random *random;
  struct ap_shelf_client *clients[CLIENTS];
  struct thing things[OBJECTS];
  int64_t clock;
  uint64_t keys;
  int64_t told_sealed;
  int64_t evicted;
  bool evicts;
};

static struct ap_shelf_key key_of(uint64_t number) {
  struct ap_shelf_key key = {{0}};
  memcpy(key.bytes, &number, sizeof number);
  return key;
}

static struct ap_text name_of(int name) {
  static const char *const names[NAMES] = {"", "a", "b", "c", "d", "e"};
  return ap_text_of(names[name]);
}

static bool is_held(const struct thing *thing) {
  bool held = false;
  for (int i = 0; i < CLIENTS; i++) held |= thing->holds[i] != 0;
  return held;
}

static bool is_idle(const struct thing *thing) {
  return thing->being == SEALED && !is_held(thing) && !thing->pinned;
}

static struct thing *thing_of(struct world *world, struct ap_shelf_key key) {
  for (int i = 0; i < OBJECTS; i++) {
    struct thing *thing = &world->things[i];
    if (thing->being != ABSENT && ap_shelf_key_equal(thing->key, key)) return thing;
  }
  return NULL;
}

/* What falls idle does so now; what is neither known nor held is no more. */
static void settle(struct world *world, struct thing *thing, bool was_idle) {
  if (thing->being == DELETED && !is_held(thing)) thing->being = ABSENT;
  if (is_idle(thing) && !was_idle) thing->idle_since = ++world->clock;
}

static void told(void *context, uint32_t what, const struct ap_shelf_object *object) {
  struct world *world = context;
  struct ap_shelf_object_info info;
  ap_shelf_object_show(object, &info);
  struct thing *thing = thing_of(world, info.key);
  assert_non_null(thing);
  if (what == AP_SHELF_FLAG_SEALED) world->told_sealed++;
  if (what != AP_SHELF_FLAG_EVICTED) return;
  assert_true(world->evicts && is_idle(thing));
  for (int i = 0; i < OBJECTS; i++) { /* none was idle for longer */
    struct thing *other = &world->things[i];
    assert_true(!is_idle(other) || other->idle_since >= thing->idle_since);
  }
  thing->being = ABSENT;
  world->evicted++;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static uint64_t below(struct world *world, uint64_t bound) {
  return ap_random_below(world->random, bound);
}

static struct thing *any_thing(struct world *world) {
  return &world->things[below(world, OBJECTS)];
}

static void remember_extents(struct thing *thing, const struct ap_shelf_object *object) {
  struct ap_shelf_object_info info;
  ap_shelf_object_show(object, &info);
  assert_true(info.extent_count <= 8);
  thing->extent_count = info.extent_count;
  for (size_t i = 0; i < info.extent_count; i++) {
    thing->extents[i] = ap_shelf_object_extent(object, i);
  }
}

static struct ap_shelf_packet draw_sizes(struct world *world, struct ap_shelf_extent *sizes) {
  size_t count = 1 + below(world, 3);
  for (size_t i = 0; i < count; i++) {
    sizes[i] =
        (struct ap_shelf_extent){0, 1 + (int64_t)below(world, below(world, 2) ? 500 : 30000)};
  }
  return (struct ap_shelf_packet){.extents = sizes, .extent_count = count};
}

static struct thing *named(struct world *world, int name) {
  for (int i = 0; name != 0 && i < OBJECTS; i++) {
    struct thing *thing = &world->things[i];
    if (thing->being == SEALED && thing->name == name) return thing;
  }
  return NULL;
}

static void step_create(struct world *world) {
  struct ap_shelf_extent sizes[3];
  struct ap_shelf_packet packet = draw_sizes(world, sizes);
  struct ap_shelf_wish wish = {&packet, below(world, 4) == 0};
  struct ap_shelf_object *object = NULL;
  ap_error err = {0};
  struct thing *thing = any_thing(world);
  int client = (int)below(world, CLIENTS);
  int name = (int)below(world, NAMES);
  if (thing->being != ABSENT) return;
  struct ap_shelf_key key = key_of(++world->keys);
  ap_status status = ap_shelf_store_create_object(world->store, world->clients[client], key, &wish,
                                                  name_of(name), &object, &err);
  assert_true(status != AP_ALREADY_EXISTS || named(world, name) != NULL);
  assert_true(status == AP_OK || status == AP_ALREADY_EXISTS || status == AP_MEMORY_EXCEEDED ||
              status == AP_OUT_OF_MEMORY);
  if (status != AP_OK) return;
  *thing = (struct thing){.being = BUILDING, .key = key, .owner = client};
  remember_extents(thing, object);
  for (size_t i = 0; i < packet.extent_count; i++) {
    assert_int_equal(thing->extents[i].size, sizes[i].size);
  }
}

static void step_extend(struct world *world) {
  struct ap_shelf_extent sizes[3];
  struct ap_shelf_packet packet = draw_sizes(world, sizes);
  struct ap_shelf_wish wish = {&packet, false};
  struct ap_shelf_object *object = NULL;
  ap_error err = {0};
  struct thing *thing = any_thing(world);
  int client = (int)below(world, CLIENTS);
  if (thing->being == ABSENT || thing->extent_count > 5) return;
  ap_status status =
      ap_shelf_store_extend(world->store, world->clients[client], thing->key, &wish, &object, &err);
  bool own = thing->being == BUILDING && thing->owner == client;
  assert_int_equal(status == AP_NOT_FOUND, !own);
  if (status == AP_OK) remember_extents(thing, object);
}

static void step_seal(struct world *world) {
  ap_error err = {0};
  struct ap_shelf_object *object = NULL;
  struct thing *thing = any_thing(world);
  int client = (int)below(world, CLIENTS);
  int name = below(world, 2) ? (int)below(world, NAMES) : 0;
  if (thing->being != BUILDING) return;
  struct ap_shelf_extent *last = &thing->extents[thing->extent_count - 1];
  struct ap_shelf_seal seal = {.meta_offset = last->offset,
                               .meta_size = 1,
                               .rows = (int64_t)below(world, 1000),
                               .name = name_of(name),
                               .labels = AP_TEXT("l m"),
                               .pinned = below(world, 5) == 0,
                               .held = below(world, 2) == 0};
  if (below(world, 2)) seal.last = (struct ap_shelf_extent){last->offset, (last->size + 1) / 2};
  ap_status status =
      ap_shelf_store_seal(world->store, world->clients[client], thing->key, &seal, &object, &err);
  if (thing->owner != client) assert_int_equal(status, AP_NOT_FOUND);
  if (status == AP_ALREADY_EXISTS) assert_non_null(named(world, name));
  assert_true(status == AP_OK || status == AP_NOT_FOUND || status == AP_ALREADY_EXISTS ||
              status == AP_OUT_OF_MEMORY);
  if (status != AP_OK) return;
  assert_null(named(world, name));
  thing->being = SEALED;
  thing->name = name;
  thing->rows = seal.rows;
  thing->pinned = seal.pinned;
  thing->holds[client] = seal.held ? ++world->clock : 0;
  thing->number = ++world->clock;
  remember_extents(thing, object);
  settle(world, thing, false);
}

static void step_get(struct world *world) {
  ap_error err = {0};
  struct ap_shelf_object *object = NULL;
  struct thing *thing = any_thing(world);
  int client = (int)below(world, CLIENTS);
  int name = (int)below(world, NAMES);
  bool by_name = below(world, 2) == 0;
  if (thing->being == ABSENT && !by_name) return;
  if (by_name) thing = named(world, name);
  struct ap_shelf_key key = by_name ? (struct ap_shelf_key){{0}} : thing->key;
  ap_status status =
      ap_shelf_store_get(world->store, world->clients[client], key, name_of(name), &object, &err);
  bool there = thing != NULL && thing->being == SEALED;
  assert_int_equal(status == AP_NOT_FOUND, !there);
  if (status != AP_OK) return;
  struct ap_shelf_object_info info;
  ap_shelf_object_show(object, &info);
  assert_true(ap_shelf_key_equal(info.key, thing->key));
  assert_int_equal(info.rows, thing->rows);
  if (thing->holds[client] == 0) thing->holds[client] = ++world->clock;
}

static void step_let_go(struct world *world) {
  ap_error err = {0};
  struct ap_shelf_object *object = NULL;
  struct thing *thing = any_thing(world);
  int client = (int)below(world, CLIENTS);
  bool was_idle = is_idle(thing);
  if (thing->being == ABSENT) return;
  switch (below(world, 4)) {
    case 0:
      if (ap_shelf_store_find(world->store, thing->key, AP_TEXT(""), &object, &err) != AP_OK) {
        assert_int_not_equal(thing->being, SEALED);
        return;
      }
      thing->being = DELETED;
      thing->name = 0;
      ap_shelf_store_delete(world->store, object);
      break;
    case 1:
      if (thing->being != BUILDING || thing->owner != client) return;
      check_ok(ap_shelf_store_abandon(world->store, world->clients[client], thing->key, &err),
               &err);
      thing->being = ABSENT;
      return;
    default:
      ap_shelf_store_release(world->store, world->clients[client], thing->key);
      thing->holds[client] = 0;
  }
  settle(world, thing, was_idle);
}

static void step_pin_or_name(struct world *world) {
  ap_error err = {0};
  struct ap_shelf_object *object = NULL;
  struct thing *thing = any_thing(world);
  int name = (int)below(world, NAMES);
  struct ap_text text = name_of(name);
  struct ap_text labels = AP_TEXT("x");
  bool was_idle = is_idle(thing);
  if (thing->being != SEALED) return;
  check_ok(ap_shelf_store_find(world->store, thing->key, AP_TEXT(""), &object, &err), &err);
  if (below(world, 2)) {
    thing->pinned = !thing->pinned;
    ap_shelf_store_pin(world->store, object, thing->pinned);
    settle(world, thing, was_idle);
    return;
  }
  uint64_t removals = ap_shelf_store_removals(world->store);
  ap_status status = ap_shelf_store_rename(world->store, object, &text, &labels, &err);
  struct thing *other = named(world, name);
  assert_int_equal(status == AP_ALREADY_EXISTS, other != NULL && other != thing);
  if (status != AP_OK) return;
  assert_int_equal(ap_shelf_store_removals(world->store), removals + (thing->name != 0));
  thing->name = name;
}

static void make_client(struct world *world, int client) {
  ap_error err = {0};
  int64_t fail_at = world->allocator->fail_at;
  world->allocator->fail_at = 0;
  check_ok(
      ap_shelf_client_create(world->store, key_of(++world->keys), &world->clients[client], &err),
      &err);
  world->allocator->fail_at = fail_at;
}

/* What only this client held falls idle in the order in which it came to hold it. */
static void lose_client(struct world *world, int client) {
  ap_shelf_client_destroy(world->store, world->clients[client]);
  for (int i = 0; i < OBJECTS; i++) {
    struct thing *thing = &world->things[i];
    if (thing->being == BUILDING && thing->owner == client) thing->being = ABSENT;
  }
  for (;;) {
    struct thing *first = NULL;
    for (int i = 0; i < OBJECTS; i++) {
      struct thing *thing = &world->things[i];
      if (thing->being == ABSENT || thing->holds[client] == 0) continue;
      if (first == NULL || thing->holds[client] < first->holds[client]) first = thing;
    }
    if (first == NULL) break;
    bool was_idle = is_idle(first);
    first->holds[client] = 0;
    settle(world, first, was_idle);
  }
  make_client(world, client);
}

/* A forked process: a new connection with all that the other holds. */
static void fork_client(struct world *world, int client) {
  int parent = (client + 1) % CLIENTS;
  int64_t count = 0;
  ap_error err = {0};
  lose_client(world, parent); /* whose token is then the latest */
  struct ap_shelf_key parent_token = key_of(world->keys);
  for (int i = 0; i < OBJECTS; i++) {
    struct ap_shelf_object *object = NULL;
    struct thing *thing = &world->things[i];
    if (thing->being != SEALED || below(world, 2)) continue;
    if (ap_shelf_store_get(world->store, world->clients[parent], thing->key, AP_TEXT(""), &object,
                           &err) == AP_OK) {
      thing->holds[parent] = ++world->clock;
    }
  }
  ap_status status =
      ap_shelf_store_fork(world->store, world->clients[client], parent_token, &count, &err);
  assert_true(status == AP_OK || status == AP_OUT_OF_MEMORY);
  if (status != AP_OK) return;
  for (;;) { /* in the parent's order */
    struct thing *first = NULL;
    for (int i = 0; i < OBJECTS; i++) {
      struct thing *thing = &world->things[i];
      if (thing->being == ABSENT || thing->holds[parent] == 0 || thing->holds[client] != 0)
        continue;
      if (first == NULL || thing->holds[parent] < first->holds[parent]) first = thing;
    }
    if (first == NULL) return;
    first->holds[client] = ++world->clock;
  }
}

/* ---- what must hold after each step ---------------------------------------------------------- */

static void check_room(struct world *world) {
  static uint8_t taken[PAGES * PAGE / 64];
  memset(taken, 0, sizeof taken);
  for (int i = 0; i < OBJECTS; i++) {
    struct thing *thing = &world->things[i];
    if (thing->being == ABSENT) continue;
    for (size_t j = 0; j < thing->extent_count; j++) {
      struct ap_shelf_extent extent = thing->extents[j];
      assert_true(extent.offset % 64 == 0 && extent.offset + extent.size <= PAGES * PAGE);
      for (int64_t at = extent.offset / 64; at < (extent.offset + extent.size + 63) / 64; at++) {
        assert_int_equal(taken[at], 0);
        taken[at] = 1;
      }
    }
  }
}

static void check_world(struct world *world) {
  int64_t numbers[AP_SHELF_STATISTICS];
  int64_t counts[4] = {0};
  ap_shelf_store_statistics(world->store, numbers);
  const struct ap_shelf_object *listed = ap_shelf_store_next(world->store, 0);
  int64_t number = 0;
  for (; listed != NULL; listed = ap_shelf_store_after(world->store, listed)) {
    struct ap_shelf_object_info info;
    ap_shelf_object_show(listed, &info);
    struct thing *thing = thing_of(world, info.key);
    assert_true(thing != NULL && thing->being == SEALED && info.number > number);
    number = info.number;
    int64_t holders = 0;
    for (int i = 0; i < CLIENTS; i++) holders += thing->holds[i] != 0;
    assert_int_equal(info.references, holders);
    assert_int_equal(info.pinned, thing->pinned);
    check_text(info.name, name_of(thing->name).data);
    counts[SEALED]--;
  }
  for (int i = 0; i < OBJECTS; i++) counts[world->things[i].being]++;
  assert_int_equal(counts[SEALED], 0); /* all were listed */
  assert_int_equal(numbers[AP_SHELF_STAT_UNSEALED], counts[BUILDING]);
  assert_int_equal(numbers[AP_SHELF_STAT_DELETED], counts[DELETED]);
  assert_int_equal(numbers[AP_SHELF_STAT_PUTS], world->told_sealed);
  assert_int_equal(numbers[AP_SHELF_STAT_EVICTIONS], world->evicted);
  check_room(world);
}

static void step(struct world *world) {
  world->allocator->fail_at = 0;
  if (below(world, 4) == 0) {
    world->allocator->fail_at =
        atomic_load(&world->allocator->allocations) + 1 + (int64_t)below(world, 4);
  }
  uint64_t dice = below(world, 100);
  if (dice < 25) step_create(world);
  if (dice >= 25 && dice < 30) step_extend(world);
  if (dice >= 30 && dice < 55) step_seal(world);
  if (dice >= 55 && dice < 70) step_get(world);
  if (dice >= 70 && dice < 90) step_let_go(world);
  if (dice >= 90 && dice < 97) step_pin_or_name(world);
  if (dice == 97) lose_client(world, (int)below(world, CLIENTS));
  if (dice == 98) fork_client(world, (int)below(world, CLIENTS));
  check_world(world);
}

static void run_world(struct ap_random *random, bool evicts) {
  struct ap_counting_allocator allocator;
  static struct world world;
  ap_error err = {0};
  ap_counting_allocator_init(&allocator);
  memset(&world, 0, sizeof world);
  world.allocator = &allocator;
  world.random = random;
  world.evicts = evicts;
  const struct ap_shelf_store_options options = {.allocator = &allocator.base,
                                                 .memory_bytes = PAGES * PAGE,
                                                 .page_bytes = PAGE,
                                                 .evicts = evicts,
                                                 .told = told,
                                                 .context = &world};
  check_ok(ap_shelf_store_create(&options, &world.store, &err), &err);
  for (int i = 0; i < CLIENTS; i++) make_client(&world, i);
  for (int i = 0; i < 3000; i++) step(&world);
  allocator.fail_at = 0;
  for (int i = 0; i < CLIENTS; i++) ap_shelf_client_destroy(world.store, world.clients[i]);
  int64_t numbers[AP_SHELF_STATISTICS];
  world.evicts = false;
  (void)ap_shelf_store_delete_all(world.store);
  ap_shelf_store_statistics(world.store, numbers);
  assert_int_equal(numbers[AP_SHELF_STAT_USED], 0);
  assert_int_equal(numbers[AP_SHELF_STAT_LARGEST_FREE], PAGES * PAGE);
  if (evicts) assert_true(world.evicted > 0);
  ap_shelf_store_destroy(world.store);
  assert_int_equal(atomic_load(&allocator.live_blocks), 0);
}

static void test_against_a_model(void **state) {
  struct ap_seeded_random random;
  uint64_t rounds = ap_test_rounds(10);
  (void)state;
  ap_seeded_random_init(&random, ap_test_seed("shelf store"));
  for (uint64_t i = 0; i < rounds; i++) run_world(&random.base, i % 2 == 0);
}

/* ---- rules one by one ------------------------------------------------------------------------ */

struct bed {
  struct ap_shelf_store *store;
  struct ap_shelf_client *client;
};

static ap_status make_bed(struct bed *bed, struct ap_allocator *allocator, bool evicts,
                          ap_error *err) {
  const struct ap_shelf_store_options options = {
      .allocator = allocator, .memory_bytes = 16 * PAGE, .page_bytes = PAGE, .evicts = evicts};
  AP_TRY(ap_shelf_store_create(&options, &bed->store, err));
  ap_status status = ap_shelf_client_create(bed->store, key_of(1), &bed->client, err);
  if (status != AP_OK) ap_shelf_store_destroy(bed->store);
  return status;
}

static void leave_bed(struct bed *bed) {
  ap_shelf_client_destroy(bed->store, bed->client);
  ap_shelf_store_destroy(bed->store);
}

static ap_status put(struct bed *bed, uint64_t number, int64_t size, struct ap_text name,
                     ap_error *err) {
  const struct ap_shelf_extent wanted = {0, size};
  const struct ap_shelf_packet packet = {.extents = &wanted, .extent_count = 1};
  const struct ap_shelf_wish wish = {&packet, false};
  struct ap_shelf_object *object = NULL;
  AP_TRY(ap_shelf_store_create_object(bed->store, bed->client, key_of(number), &wish, name, &object,
                                      err));
  const struct ap_shelf_seal seal = {
      .meta_offset = ap_shelf_object_extent(object, 0).offset, .meta_size = 1, .name = name};
  ap_status status =
      ap_shelf_store_seal(bed->store, bed->client, key_of(number), &seal, &object, err);
  if (status != AP_OK) {
    ap_status abandoned = ap_shelf_store_abandon(bed->store, bed->client, key_of(number), NULL);
    assert_int_equal(abandoned, AP_OK);
  }
  return status;
}

static void test_eviction(void **state) {
  struct bed bed;
  ap_error err = {0};
  struct ap_shelf_object *object = NULL;
  (void)state;
  check_ok(make_bed(&bed, ap_allocator_system(), true, &err), &err);
  for (uint64_t i = 10; i < 14; i++) {
    check_ok(put(&bed, i, 4 * PAGE, AP_TEXT(""), &err), &err);
  }
  check_ok(ap_shelf_store_get(bed.store, bed.client, key_of(10), AP_TEXT(""), &object, &err), &err);
  check_ok(ap_shelf_store_find(bed.store, key_of(11), AP_TEXT(""), &object, &err), &err);
  ap_shelf_store_pin(bed.store, object, true);
  /* 10 is held and 11 pinned: two may go, which is not enough for three; so none goes. */
  check_status(put(&bed, 20, 12 * PAGE, AP_TEXT(""), &err), AP_MEMORY_EXCEEDED, &err);
  check_contains(err.hint, "--memory");
  check_ok(ap_shelf_store_find(bed.store, key_of(12), AP_TEXT(""), &object, &err), &err);
  check_ok(put(&bed, 21, 4 * PAGE, AP_TEXT(""), &err), &err);
  check_status(ap_shelf_store_find(bed.store, key_of(12), AP_TEXT(""), &object, &err), AP_NOT_FOUND,
               &err);
  check_ok(ap_shelf_store_find(bed.store, key_of(13), AP_TEXT(""), &object, &err), &err);
  assert_int_equal(ap_shelf_store_removals(bed.store), 1);
  leave_bed(&bed);
}

static void test_refusals(void **state) {
  struct bed bed;
  struct ap_shelf_object *object = NULL;
  ap_error err = {0};
  (void)state;
  check_ok(make_bed(&bed, ap_allocator_system(), false, &err), &err);
  check_ok(put(&bed, 10, 8 * PAGE, AP_TEXT("n"), &err), &err);
  check_status(put(&bed, 11, 8 * PAGE, AP_TEXT("n"), &err), AP_ALREADY_EXISTS, &err);
  check_contains(err.message, "'n'");
  check_status(put(&bed, 11, 8 * PAGE + 1, AP_TEXT(""), &err), AP_MEMORY_EXCEEDED, &err);
  check_contains(err.hint, "--when-full evict");
  check_status(put(&bed, 11, INT64_MAX, AP_TEXT(""), &err), AP_MEMORY_EXCEEDED, &err);
  check_status(put(&bed, 11, 1, AP_TEXT("a	b"), &err), AP_INVALID_ARGUMENT, &err);
  const struct ap_shelf_extent wanted = {0, 100};
  const struct ap_shelf_packet packet = {.extents = &wanted, .extent_count = 1};
  const struct ap_shelf_wish wish = {&packet, false};
  check_ok(ap_shelf_store_create_object(bed.store, bed.client, key_of(12), &wish, AP_TEXT(""),
                                        &object, &err),
           &err);
  int64_t offset = ap_shelf_object_extent(object, 0).offset;
  struct ap_shelf_seal seal = {.meta_offset = offset, .meta_size = 101};
  check_status(ap_shelf_store_seal(bed.store, bed.client, key_of(12), &seal, &object, &err),
               AP_INVALID_ARGUMENT, &err);
  seal = (struct ap_shelf_seal){
      .meta_offset = offset + 60, .meta_size = 10, .last = {offset, 50}}; /* behind what is kept */
  check_status(ap_shelf_store_seal(bed.store, bed.client, key_of(12), &seal, &object, &err),
               AP_INVALID_ARGUMENT, &err);
  seal.last = (struct ap_shelf_extent){offset + 64, 30};
  check_status(ap_shelf_store_seal(bed.store, bed.client, key_of(12), &seal, &object, &err),
               AP_INVALID_ARGUMENT, &err);
  check_status(ap_shelf_store_find(bed.store, key_of(12), AP_TEXT(""), &object, &err), AP_NOT_FOUND,
               &err);
  leave_bed(&bed);
}

static ap_status use_store(void *context, struct ap_allocator *allocator, ap_error *err) {
  struct bed bed;
  struct ap_shelf_object *object = NULL;
  struct ap_text name = AP_TEXT("m");
  (void)context;
  AP_TRY(make_bed(&bed, allocator, false, err));
  ap_status status = put(&bed, 10, 100, AP_TEXT("n"), err);
  if (status == AP_OK) {
    status = ap_shelf_store_get(bed.store, bed.client, key_of(0), AP_TEXT("n"), &object, err);
  }
  if (status == AP_OK) status = ap_shelf_store_rename(bed.store, object, &name, &name, err);
  leave_bed(&bed);
  return status;
}

static void test_out_of_memory(void **state) {
  (void)state;
  assert_true(ap_sweep_memory(use_store, NULL) >= 12);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_against_a_model),
      cmocka_unit_test(test_eviction),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_out_of_memory),
  };
  return AP_RUN_TESTS(tests);
}
