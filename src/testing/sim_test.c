/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: the simulated world forgets what a power loss forgets and nothing else, fails where it is
 * told to, keeps its own time, and replays from its seed.
 * Method: small scenes with every promise of files.h taken one by one; a hundred seeds of gambling
 * crashes against what may and may not be there afterwards; traces of two runs compared.
 */
#include "testing/sim.h"

#include "testing/check.h"
#include "testing/random.h"

#include <stdio.h>

static struct ap_sim *new_sim(struct ap_files **out_files) {
  struct ap_sim *sim = ap_sim_create(7);
  *out_files = ap_sim_env(sim)->files;
  return sim;
}

static ap_status create(struct ap_files *files, const char *path, const char *data, bool sync) {
  return files->create(files, path, ap_text_of(data), sync, NULL);
}

/* The content of a file, or "(none)". Static memory. */
static const char *content(struct ap_files *files, const char *path) {
  static char text[256];
  struct ap_buffer buffer;
  ap_buffer_init(&buffer, ap_allocator_system());
  ap_status status = files->read(files, path, 0, -1, &buffer, NULL);
  snprintf(text, sizeof(text), "%s", status == AP_OK ? buffer.data : "(none)");
  ap_buffer_deinit(&buffer);
  return text;
}

static void test_a_crash_forgets_what_was_not_synced(void **state) {
  (void)state;
  struct ap_files *files;
  struct ap_sim *sim = new_sim(&files);
  check_ok(files->make_folders(files, "/d/e", NULL), NULL);
  check_ok(create(files, "/d/both", "kept", true), NULL);
  check_ok(create(files, "/d/name only", "lost", false), NULL);
  check_ok(files->sync_folder(files, "/d", NULL), NULL);
  check_ok(create(files, "/d/data only", "kept", true), NULL);
  check_ok(create(files, "/d/e/other folder", "kept", true), NULL);
  check_ok(files->remove_file(files, "/d/both", NULL), NULL);
  assert_string_equal(content(files, "/d/both"), "(none)");
  ap_sim_crash(sim, AP_SIM_CRASH_FORGETS);
  assert_string_equal(content(files, "/d/both"), "kept"); /* its removal was not synced */
  assert_string_equal(content(files, "/d/name only"), "");
  assert_string_equal(content(files, "/d/data only"), "(none)");
  assert_string_equal(content(files, "/d/e/other folder"), "(none)");
  struct ap_file_info info;
  check_ok(files->info(files, "/d/e", &info, NULL), NULL);
  check_ok(files->sync_folder(files, "/d", NULL), NULL); /* brings nothing back */
  ap_sim_crash(sim, AP_SIM_CRASH_FORGETS);
  assert_string_equal(content(files, "/d/both"), "kept");
  assert_string_equal(content(files, "/d/data only"), "(none)");
  ap_sim_destroy(sim);
}

static void test_data_is_kept_under_every_name(void **state) {
  (void)state;
  struct ap_files *files;
  struct ap_sim *sim = new_sim(&files);
  check_ok(create(files, "/a", "one", false), NULL);
  check_ok(files->link(files, "/a", "/b", NULL), NULL);
  check_ok(files->sync_file(files, "/b", NULL), NULL);
  check_ok(create(files, "/old", "old", true), NULL);
  check_ok(files->sync_folder(files, "/", NULL), NULL);
  check_ok(create(files, "/new", "new", true), NULL);
  check_ok(files->rename(files, "/new", "/old", NULL), NULL);
  assert_string_equal(content(files, "/old"), "new");
  ap_sim_crash(sim, AP_SIM_CRASH_FORGETS);
  assert_string_equal(content(files, "/a"), "one");
  assert_string_equal(content(files, "/old"), "old"); /* the rename was not synced */
  assert_string_equal(content(files, "/new"), "(none)");
  ap_sim_destroy(sim);
}

/* After any gamble: the synced file is whole, a rename shows one of the two files whole, the
 * unsynced one is absent or a part of what was written, and later changes imply earlier ones. */
static void test_gambling_crashes_stay_within_the_rules(void **state) {
  (void)state;
  uint64_t seed = ap_test_seed("gambles");
  uint64_t rounds = ap_test_rounds(100);
  int renamed = 0;
  int torn = 0;
  for (uint64_t round = 0; round < rounds; round++) {
    struct ap_sim *sim = ap_sim_create(seed + round);
    struct ap_files *files = ap_sim_env(sim)->files;
    check_ok(create(files, "/synced", "synced", true), NULL);
    check_ok(create(files, "/old", "old", true), NULL);
    check_ok(files->sync_folder(files, "/", NULL), NULL);
    check_ok(create(files, "/new", "new", true), NULL);
    check_ok(files->rename(files, "/new", "/old", NULL), NULL);
    check_ok(create(files, "/loose", "0123456789", false), NULL);
    check_ok(create(files, "/later", "later", true), NULL);
    ap_sim_crash(sim, AP_SIM_CRASH_GAMBLES);
    assert_string_equal(content(files, "/synced"), "synced");
    bool is_renamed = strcmp(content(files, "/old"), "new") == 0;
    if (!is_renamed) assert_string_equal(content(files, "/old"), "old");
    const char *loose = content(files, "/loose");
    bool has_loose = strcmp(loose, "(none)") != 0;
    if (has_loose) assert_int_equal(strncmp(loose, "0123456789", strlen(loose)), 0);
    if (has_loose && strlen(loose) < 10) torn++;
    if (has_loose) assert_true(is_renamed);
    if (strcmp(content(files, "/later"), "(none)") != 0) assert_true(has_loose);
    if (is_renamed) renamed++;
    ap_sim_destroy(sim);
  }
  assert_in_range(renamed, 1, rounds - 1);
  assert_in_range(torn, 1, rounds - 1);
}

static void test_faults(void **state) {
  (void)state;
  struct ap_files *files;
  struct ap_sim *sim = new_sim(&files);
  ap_sim_fail_file_call(sim, 2, AP_SIM_FAULT_IO);
  assert_false(ap_sim_fault_struck(sim));
  check_ok(create(files, "/a", "a", true), NULL);
  check_status(create(files, "/b", "b", true), AP_IO, NULL);
  assert_true(ap_sim_fault_struck(sim));
  assert_string_equal(content(files, "/b"), "(none)");
  check_ok(create(files, "/b", "b", true), NULL);
  ap_sim_fail_file_call(sim, 1, AP_SIM_FAULT_NO_SPACE);
  check_status(create(files, "/c", "c", true), AP_NO_SPACE, NULL);
  ap_sim_fail_file_call(sim, 1, AP_SIM_FAULT_LOST_REPLY);
  check_status(files->link(files, "/a", "/c", NULL), AP_IO, NULL);
  assert_string_equal(content(files, "/c"), "a");
  ap_sim_fail_file_call(sim, 1, AP_SIM_FAULT_LOST_REPLY);
  check_status(files->link(files, "/a", "/c", NULL), AP_ALREADY_EXISTS, NULL);
  ap_sim_fail_file_call(sim, 1, AP_SIM_FAULT_TORN_WRITE);
  check_status(create(files, "/t", "0123456789", true), AP_IO, NULL);
  const char *torn = content(files, "/t");
  assert_int_equal(strncmp(torn, "0123456789", strlen(torn)), 0);
  assert_int_equal(ap_sim_file_calls(sim), 10);
  ap_sim_destroy(sim);
}

static void test_power_loss_ends_everything_until_the_crash(void **state) {
  (void)state;
  struct ap_files *files;
  struct ap_sim *sim = new_sim(&files);
  enum ap_file_lock result = AP_FILE_LOCK_HELD_ELSEWHERE;
  void *handle = NULL;
  void *stale = NULL;
  check_ok(files->try_lock(files, "/lock", &result, &stale, NULL), NULL);
  check_ok(files->sync_folder(files, "/", NULL), NULL);
  ap_sim_fail_file_call(sim, 1, AP_SIM_FAULT_POWER_LOSS);
  check_status(files->sync_folder(files, "/", NULL), AP_IO, NULL);
  check_status(create(files, "/b", "b", true), AP_IO, NULL);
  check_status(files->try_lock(files, "/lock", &result, &handle, NULL), AP_IO, NULL);
  ap_sim_crash(sim, AP_SIM_CRASH_GAMBLES);
  assert_string_equal(content(files, "/b"), "(none)");
  check_ok(files->try_lock(files, "/lock", &result, &handle, NULL), NULL);
  assert_int_equal(result, AP_FILE_LOCK_TAKEN);
  files->unlock(files, stale); /* a lock from before: frees nothing but itself */
  check_ok(files->try_lock(files, "/lock", &result, &stale, NULL), NULL);
  assert_int_equal(result, AP_FILE_LOCK_HELD_ELSEWHERE);
  files->unlock(files, handle);
  ap_sim_destroy(sim);
}

static void test_time_is_the_tests(void **state) {
  (void)state;
  struct ap_sim *sim = ap_sim_create(1);
  struct ap_clock *clock = ap_sim_env(sim)->clock;
  int64_t wall_ms = ap_clock_wall_ms(clock);
  int64_t start_us = ap_clock_monotonic_us(clock);
  assert_true(ap_clock_wall_ms(clock) == wall_ms);
  ap_clock_sleep_ms(clock, 86400000);
  assert_true(ap_clock_wall_ms(clock) == wall_ms + 86400000);
  ap_sim_advance_ms(sim, 5);
  assert_true(ap_clock_monotonic_us(clock) == start_us + INT64_C(86400005) * 1000);
  ap_sim_set_wall_ms(sim, 1000);
  assert_true(ap_clock_wall_ms(clock) == 1000);
  assert_true(ap_clock_monotonic_us(clock) == start_us + INT64_C(86400005) * 1000);
  ap_sim_destroy(sim);
}

struct trace {
  const struct ap_env *env;
  char letters[256];
  size_t count;
};

struct tracer {
  struct trace *trace;
  char letter;
};

static void leave_letters(void *context) {
  struct tracer *tracer = context;
  struct trace *trace = tracer->trace;
  for (int i = 0; i < 20; i++) {
    ap_clock_sleep_ms(trace->env->clock, i % 3);
    trace->letters[trace->count++] = tracer->letter;
  }
}

static void run_trace(uint64_t seed, struct trace *out_trace) {
  struct ap_sim *sim = ap_sim_create(seed);
  const struct ap_env *env = ap_sim_env(sim);
  *out_trace = (struct trace){.env = env};
  struct tracer tracers[4];
  struct ap_thread *threads[4];
  for (int i = 0; i < 4; i++) {
    tracers[i] = (struct tracer){out_trace, (char)('a' + i)};
    check_ok(env->threads->spawn(env->threads, leave_letters, &tracers[i], &threads[i], NULL),
             NULL);
  }
  for (int i = 0; i < 4; i++) env->threads->join(env->threads, threads[i]);
  ap_sim_destroy(sim);
}

static void test_a_seed_replays_a_schedule(void **state) {
  (void)state;
  uint64_t seed = ap_test_seed("replay");
  struct trace first;
  int different = 0;
  run_trace(seed, &first);
  assert_int_equal(first.count, 80);
  for (uint64_t i = 0; i < 10; i++) {
    struct trace again;
    run_trace(seed, &again);
    assert_string_equal(first.letters, again.letters);
    run_trace(seed + 1 + i, &again);
    if (strcmp(first.letters, again.letters) != 0) different++;
  }
  assert_true(different >= 9);
}

/* Two threads that read and write back without a lock: some seed must find the lost update. */
struct lost_update {
  struct ap_clock *clock;
  int value;
};

static void increment(void *context) {
  struct lost_update *shared = context;
  int value = shared->value;
  (void)ap_clock_monotonic_us(shared->clock);
  shared->value = value + 1;
}

static void test_the_schedule_finds_races(void **state) {
  (void)state;
  int lost = 0;
  for (uint64_t seed = 0; seed < 50; seed++) {
    struct ap_sim *sim = ap_sim_create(seed);
    struct ap_threads *threads = ap_sim_env(sim)->threads;
    struct lost_update shared = {.clock = ap_sim_env(sim)->clock};
    struct ap_thread *started[2];
    for (int i = 0; i < 2; i++) {
      check_ok(threads->spawn(threads, increment, &shared, &started[i], NULL), NULL);
    }
    for (int i = 0; i < 2; i++) threads->join(threads, started[i]);
    if (shared.value == 1) lost++;
    ap_sim_destroy(sim);
  }
  assert_in_range(lost, 1, 49);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_crash_forgets_what_was_not_synced),
      cmocka_unit_test(test_data_is_kept_under_every_name),
      cmocka_unit_test(test_gambling_crashes_stay_within_the_rules),
      cmocka_unit_test(test_faults),
      cmocka_unit_test(test_power_loss_ends_everything_until_the_crash),
      cmocka_unit_test(test_time_is_the_tests),
      cmocka_unit_test(test_a_seed_replays_a_schedule),
      cmocka_unit_test(test_the_schedule_finds_races),
  };
  return AP_RUN_TESTS(tests);
}
