/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: the faulty store passes everything on, fails exactly where it is told to, and says whether
 * the inner store was asked. And, with the simulated world under a true store: what put and
 * put_if_absent acknowledged survives power loss at every call.
 * Method: each operation with each fault over a folder store in the simulation, then reading back
 * from the inner one; a sweep of power losses over all file calls of a series of writes.
 */
#include "testing/faulty_store.h"

#include "store/local.h"
#include "testing/check.h"
#include "testing/random.h"
#include "testing/sim.h"

#include <stdio.h>

struct fixture {
  struct ap_sim *sim;
  struct ap_store *inner;
  struct ap_faulty_store faulty;
  struct ap_store *store;
  ap_error err;
};

static int set_up(void **state) {
  static struct fixture fixture;
  fixture = (struct fixture){.sim = ap_sim_create(ap_test_seed("faulty store"))};
  check_ok(ap_store_local_open(ap_sim_env(fixture.sim), "/store", AP_DURABLE, &fixture.inner,
                               &fixture.err),
           &fixture.err);
  ap_faulty_store_init(&fixture.faulty, fixture.inner);
  fixture.store = &fixture.faulty.base;
  *state = &fixture;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *fixture = *state;
  ap_store_destroy(fixture->store);
  ap_store_destroy(fixture->inner);
  ap_sim_destroy(fixture->sim);
  return 0;
}

static ap_status get(struct ap_store *store, const char *key, struct ap_buffer *out) {
  ap_buffer_clear(out);
  return ap_store_get(store, ap_text_of(key), 0, -1, out, NULL);
}

static void check_inner(struct fixture *fixture, const char *key, const char *expected) {
  struct ap_buffer buffer;
  ap_buffer_init(&buffer, ap_allocator_system());
  ap_status status = get(fixture->inner, key, &buffer);
  check_status(status, expected ? AP_OK : AP_NOT_FOUND, NULL);
  if (expected) check_text(ap_buffer_text(&buffer), expected);
  ap_buffer_deinit(&buffer);
}

static ap_status count_object(void *context, const struct ap_store_object *object, ap_error *err) {
  (void)object;
  (void)err;
  ++*(int *)context;
  return AP_OK;
}

static void test_everything_is_passed_on(void **state) {
  struct fixture *fixture = *state;
  struct ap_store *store = fixture->store;
  ap_error *err = &fixture->err;
  struct ap_buffer buffer;
  ap_buffer_init(&buffer, ap_allocator_system());
  check_ok(ap_store_put(store, AP_TEXT("a/x"), AP_TEXT("one"), err), err);
  check_ok(ap_store_put_if_absent(store, AP_TEXT("a/y"), AP_TEXT("two"), err), err);
  check_status(ap_store_put_if_absent(store, AP_TEXT("a/y"), AP_TEXT("three"), err),
               AP_ALREADY_EXISTS, err);
  check_ok(get(store, "a/y", &buffer), NULL);
  check_text(ap_buffer_text(&buffer), "two");
  struct ap_store_object object;
  check_ok(ap_store_head(store, AP_TEXT("a/x"), &object, err), err);
  assert_int_equal(object.size_bytes, 3);
  int count = 0;
  check_ok(ap_store_list(store, AP_TEXT("a/"), AP_TEXT(""), count_object, &count, err), err);
  assert_int_equal(count, 2);
  check_ok(ap_store_remove(store, AP_TEXT("a/x"), err), err);
  check_inner(fixture, "a/x", NULL);
  ap_buffer_clear(&buffer);
  check_ok(ap_store_local_path(store, AP_TEXT("a/y"), &buffer, err), err);
  assert_string_equal(buffer.data, "/store/a/y");
  ap_buffer_clear(&buffer);
  check_ok(ap_store_staging_path(store, &buffer, err), err);
  ap_buffer_append_string(&buffer, "/f");
  struct ap_files *files = ap_sim_env(fixture->sim)->files;
  check_ok(files->create(files, buffer.data, AP_TEXT("file"), false, err), err);
  struct ap_store_upload upload = {.path = buffer.data, .key = AP_TEXT("b/f")};
  check_ok(ap_store_put_files(store, &upload, 1, err), err);
  check_inner(fixture, "b/f", "file");
  assert_int_equal(fixture->faulty.calls, 9);
  assert_int_equal(fixture->faulty.faults, 0);
  ap_buffer_deinit(&buffer);
}

static void test_faults_before(void **state) {
  struct fixture *fixture = *state;
  struct ap_text key = AP_TEXT("k");
  ap_faulty_store_arm(&fixture->faulty, AP_STORE_FAULT_BEFORE, AP_STORE_ALL, 2);
  check_ok(ap_store_put(fixture->store, AP_TEXT("first"), AP_TEXT("1"), NULL), NULL);
  check_status(ap_store_put(fixture->store, key, AP_TEXT("1"), &fixture->err), AP_IO, NULL);
  check_contains(fixture->err.message, "put k");
  check_inner(fixture, "k", NULL);
  check_ok(ap_store_put(fixture->store, key, AP_TEXT("2"), NULL), NULL);
  assert_int_equal(fixture->faulty.faults, 1);

  ap_faulty_store_arm(&fixture->faulty, AP_STORE_FAULT_NO_SPACE, AP_STORE_PUT_IF_ABSENT, 1);
  check_ok(ap_store_put(fixture->store, key, AP_TEXT("3"), NULL), NULL);
  check_status(ap_store_put_if_absent(fixture->store, AP_TEXT("l"), AP_TEXT("1"), NULL),
               AP_NO_SPACE, NULL);
  check_inner(fixture, "l", NULL);

  ap_faulty_store_arm(&fixture->faulty, AP_STORE_FAULT_DOWN, AP_STORE_ALL, 1);
  for (int i = 0; i < 3; i++) {
    check_status(ap_store_remove(fixture->store, key, NULL), AP_IO, NULL);
  }
  check_inner(fixture, "k", "3");
}

static void test_lost_replies(void **state) {
  struct fixture *fixture = *state;
  struct ap_store *store = fixture->store;
  struct ap_text key = AP_TEXT("k");
  ap_faulty_store_arm(&fixture->faulty, AP_STORE_FAULT_AFTER, AP_STORE_ALL, 1);
  check_status(ap_store_put_if_absent(store, key, AP_TEXT("1"), NULL), AP_OUTCOME_UNKNOWN, NULL);
  check_inner(fixture, "k", "1");
  /* A refusal is an answer, not a lost one. */
  ap_faulty_store_arm(&fixture->faulty, AP_STORE_FAULT_AFTER, AP_STORE_ALL, 1);
  check_status(ap_store_put_if_absent(store, key, AP_TEXT("2"), NULL), AP_ALREADY_EXISTS, NULL);
  ap_faulty_store_arm(&fixture->faulty, AP_STORE_FAULT_AFTER, AP_STORE_PUT, 1);
  check_status(ap_store_put(store, key, AP_TEXT("2"), NULL), AP_IO, NULL);
  check_inner(fixture, "k", "2");
  struct ap_buffer buffer;
  ap_buffer_init(&buffer, ap_allocator_system());
  ap_buffer_append_string(&buffer, "<");
  ap_faulty_store_arm(&fixture->faulty, AP_STORE_FAULT_AFTER, AP_STORE_GET, 1);
  check_status(ap_store_get(store, key, 0, -1, &buffer, NULL), AP_IO, NULL);
  check_text(ap_buffer_text(&buffer), "<");
  ap_buffer_deinit(&buffer);
}

static void write_as_rival(void *context, enum ap_store_operation operation, struct ap_text key) {
  struct fixture *fixture = context;
  if (operation != AP_STORE_PUT_IF_ABSENT) return;
  check_ok(ap_store_put(fixture->inner, key, AP_TEXT("rival"), NULL), NULL);
}

static void test_a_rival_comes_first(void **state) {
  struct fixture *fixture = *state;
  ap_faulty_store_set_hook(&fixture->faulty, write_as_rival, fixture);
  check_status(ap_store_put_if_absent(fixture->store, AP_TEXT("k"), AP_TEXT("mine"), NULL),
               AP_ALREADY_EXISTS, NULL);
  check_inner(fixture, "k", "rival");
}

enum { WRITES = 4 };

/* Write until something fails; the number of writes that were acknowledged. */
static int write_some(struct ap_sim *sim, bool replace) {
  struct ap_store *store = NULL;
  int acknowledged = 0;
  if (ap_store_local_open(ap_sim_env(sim), "/data/store", AP_DURABLE, &store, NULL) != AP_OK)
    return 0;
  for (int i = 0; i < WRITES; i++) {
    char key[32];
    char data[32];
    int key_size = snprintf(key, sizeof(key), "deep/folder%d/k", replace ? 0 : i);
    int data_size = snprintf(data, sizeof(data), "value %d", i);
    struct ap_text key_text = {key, (size_t)key_size};
    struct ap_text data_text = {data, (size_t)data_size};
    ap_status status = replace ? ap_store_put(store, key_text, data_text, NULL)
                               : ap_store_put_if_absent(store, key_text, data_text, NULL);
    if (status != AP_OK) break;
    acknowledged++;
  }
  ap_store_destroy(store);
  return acknowledged;
}

static void check_survivors(struct ap_sim *sim, int acknowledged, bool replace) {
  struct ap_store *store = NULL;
  ap_error err = {0};
  check_ok(ap_store_local_open(ap_sim_env(sim), "/data/store", AP_DURABLE, &store, &err), &err);
  struct ap_buffer buffer;
  ap_buffer_init(&buffer, ap_allocator_system());
  for (int i = 0; i < WRITES; i++) {
    char key[32];
    char expected[32];
    snprintf(key, sizeof(key), "deep/folder%d/k", replace ? 0 : i);
    snprintf(expected, sizeof(expected), "value %d", i);
    ap_status status = get(store, key, &buffer);
    if (replace) {
      int found = -1;
      if (status == AP_OK) assert_int_equal(sscanf(buffer.data, "value %d", &found), 1);
      /* The last acknowledged, or the one that was under way. */
      assert_in_range(found + 1, acknowledged, acknowledged + 1);
      break;
    }
    if (i < acknowledged) check_ok(status, NULL);
    if (status == AP_OK) check_text(ap_buffer_text(&buffer), expected); /* whole or absent */
  }
  ap_buffer_deinit(&buffer);
  ap_store_destroy(store);
}

static void test_acknowledged_writes_survive_power_loss(void **state) {
  (void)state;
  uint64_t seed = ap_test_seed("power loss");
  for (int kind = 0; kind < 4; kind++) {
    bool replace = kind % 2 == 1;
    enum ap_sim_crash crash = kind < 2 ? AP_SIM_CRASH_FORGETS : AP_SIM_CRASH_GAMBLES;
    int64_t call = 1;
    for (bool struck = true; struck; call++) {
      struct ap_sim *sim = ap_sim_create(seed + (uint64_t)call);
      ap_sim_fail_file_call(sim, call, AP_SIM_FAULT_POWER_LOSS);
      int acknowledged = write_some(sim, replace);
      struck = ap_sim_fault_struck(sim);
      assert_true(struck || acknowledged == WRITES);
      ap_sim_crash(sim, crash);
      check_survivors(sim, acknowledged, replace);
      ap_sim_destroy(sim);
    }
    assert_true(call > 20);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_everything_is_passed_on, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_faults_before, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_lost_replies, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_a_rival_comes_first, set_up, tear_down),
      cmocka_unit_test(test_acknowledged_writes_survive_power_loss),
  };
  return AP_RUN_TESTS(tests);
}
