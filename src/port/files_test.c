/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: files and folders do what files.h says; the machine's and the simulated ones give the same
 * answers.
 * Method: one suite over both tables, with every status checked; races between threads; and for the
 * machine's alone: links, permissions, writes that stop midway, locks between processes.
 */
#include "port/files.h"

#include "port/env.h"
#include "testing/alloc.h"
#include "testing/check.h"
#include "testing/random.h"
#include "testing/sim.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
  const struct ap_env *env;
  struct ap_files *files;
  struct ap_sim *sim; /* NULL: the machine's */
  char root[64];
  ap_error err;
};

static int set_up_system(void **state) {
  struct fixture *fixture = ap_allocate_zeroed(ap_allocator_system(), 1, sizeof(*fixture));
  fixture->env = ap_env_system();
  fixture->files = fixture->env->files;
  snprintf(fixture->root, sizeof(fixture->root), "/tmp/apiary_files_XXXXXX");
  if (!mkdtemp(fixture->root)) return 1;
  *state = fixture;
  return 0;
}

static int set_up_simulated(void **state) {
  struct fixture *fixture = ap_allocate_zeroed(ap_allocator_system(), 1, sizeof(*fixture));
  fixture->sim = ap_sim_create(ap_test_seed("simulated files"));
  fixture->env = ap_sim_env(fixture->sim);
  fixture->files = fixture->env->files;
  snprintf(fixture->root, sizeof(fixture->root), "/data/of the test");
  *state = fixture;
  return fixture->files->make_folders(fixture->files, fixture->root, NULL) == AP_OK ? 0 : 1;
}

static int tear_down(void **state) {
  struct fixture *fixture = *state;
  ap_status status = ap_files_remove_tree(fixture->files, fixture->root, NULL);
  ap_sim_destroy(fixture->sim);
  ap_free(ap_allocator_system(), fixture);
  return status == AP_OK ? 0 : 1;
}

/* The path of a name below the root; a few live at a time. */
static const char *at(struct fixture *fixture, const char *name) {
  static char paths[4][512];
  static int next;
  next = (next + 1) % 4;
  snprintf(paths[next], sizeof(paths[next]), "%s/%s", fixture->root, name);
  return paths[next];
}

#define CHECK(fixture, expected, operation, ...)                                            \
  check_status((fixture)->files->operation((fixture)->files, __VA_ARGS__, &(fixture)->err), \
               (expected), &(fixture)->err)

static void check_content(struct fixture *fixture, const char *name, const char *expected) {
  struct ap_buffer buffer;
  ap_buffer_init(&buffer, ap_allocator_system());
  CHECK(fixture, AP_OK, read, at(fixture, name), 0, -1, &buffer);
  check_text(ap_buffer_text(&buffer), expected);
  ap_buffer_deinit(&buffer);
}

static void test_create_and_read(void **state) {
  struct fixture *fixture = *state;
  CHECK(fixture, AP_OK, create, at(fixture, "a"), AP_TEXT("hello"), true);
  CHECK(fixture, AP_ALREADY_EXISTS, create, at(fixture, "a"), AP_TEXT("other"), false);
  check_contains(fixture->err.message, at(fixture, "a"));
  check_content(fixture, "a", "hello");
  CHECK(fixture, AP_NOT_FOUND, create, at(fixture, "no/a"), AP_TEXT("x"), false);
  CHECK(fixture, AP_NOT_FOUND, create, at(fixture, "a/b"), AP_TEXT("x"), false);
  CHECK(fixture, AP_OK, create, at(fixture, "empty"), AP_TEXT(""), true);
  check_content(fixture, "empty", "");

  struct ap_buffer buffer;
  ap_buffer_init(&buffer, ap_allocator_system());
  ap_buffer_append_string(&buffer, "<");
  CHECK(fixture, AP_OK, read, at(fixture, "a"), 1, 3, &buffer);
  CHECK(fixture, AP_OK, read, at(fixture, "a"), 4, 100, &buffer);
  CHECK(fixture, AP_OK, read, at(fixture, "a"), 5, -1, &buffer);
  CHECK(fixture, AP_OK, read, at(fixture, "a"), INT64_C(1) << 40, -1, &buffer);
  CHECK(fixture, AP_OK, read, at(fixture, "a"), 0, 0, &buffer);
  CHECK(fixture, AP_OK, read, at(fixture, "a"), 3, INT64_MAX, &buffer);
  check_text(ap_buffer_text(&buffer), "<ellolo");
  CHECK(fixture, AP_NOT_FOUND, read, at(fixture, "b"), 0, -1, &buffer);
  CHECK(fixture, AP_NOT_FOUND, read, at(fixture, "a/b"), 0, -1, &buffer);
  CHECK(fixture, AP_IO, read, fixture->root, 0, -1, &buffer);
  check_text(ap_buffer_text(&buffer), "<ellolo");
  ap_buffer_deinit(&buffer);
}

static void test_large_files(void **state) {
  struct fixture *fixture = *state;
  struct ap_buffer written;
  struct ap_buffer read;
  ap_buffer_init(&written, ap_allocator_system());
  ap_buffer_init(&read, ap_allocator_system());
  for (int i = 0; i < 400000; i++) ap_buffer_append_format(&written, "%d,", i);
  CHECK(fixture, AP_OK, create, at(fixture, "large"), ap_buffer_text(&written), false);
  CHECK(fixture, AP_OK, read, at(fixture, "large"), 0, -1, &read);
  assert_true(ap_text_equal(ap_buffer_text(&read), ap_buffer_text(&written)));
  ap_buffer_clear(&read);
  CHECK(fixture, AP_OK, read, at(fixture, "large"), 1000, 1000000, &read);
  assert_int_equal(read.size, 1000000);
  assert_memory_equal(read.data, written.data + 1000, 1000000);
  ap_buffer_deinit(&written);
  ap_buffer_deinit(&read);
}

static void test_info(void **state) {
  struct fixture *fixture = *state;
  int64_t now_ms = ap_clock_wall_ms(fixture->env->clock);
  CHECK(fixture, AP_OK, create, at(fixture, "a"), AP_TEXT("hello"), false);
  struct ap_file_info info;
  CHECK(fixture, AP_OK, info, at(fixture, "a"), &info);
  assert_int_equal(info.kind, AP_FILE_REGULAR);
  assert_int_equal(info.size_bytes, 5);
  assert_true(info.modified_ms >= now_ms - 2000 && info.modified_ms <= now_ms + 60000);
  CHECK(fixture, AP_OK, info, fixture->root, &info);
  assert_int_equal(info.kind, AP_FILE_FOLDER);
  CHECK(fixture, AP_NOT_FOUND, info, at(fixture, "b"), &info);
  CHECK(fixture, AP_NOT_FOUND, info, at(fixture, "a/b"), &info);
}

static void test_sync(void **state) {
  struct fixture *fixture = *state;
  CHECK(fixture, AP_OK, create, at(fixture, "a"), AP_TEXT("x"), false);
  CHECK(fixture, AP_OK, sync_file, at(fixture, "a"));
  CHECK(fixture, AP_NOT_FOUND, sync_file, at(fixture, "b"));
  CHECK(fixture, AP_OK, sync_folder, fixture->root);
  CHECK(fixture, AP_NOT_FOUND, sync_folder, at(fixture, "a"));
  CHECK(fixture, AP_NOT_FOUND, sync_folder, at(fixture, "b"));
}

static void test_link(void **state) {
  struct fixture *fixture = *state;
  CHECK(fixture, AP_OK, create, at(fixture, "a"), AP_TEXT("one"), false);
  CHECK(fixture, AP_OK, create, at(fixture, "b"), AP_TEXT("two"), false);
  CHECK(fixture, AP_ALREADY_EXISTS, link, at(fixture, "a"), at(fixture, "b"));
  check_contains(fixture->err.message, at(fixture, "b"));
  CHECK(fixture, AP_ALREADY_EXISTS, link, at(fixture, "a"), at(fixture, "a"));
  CHECK(fixture, AP_OK, link, at(fixture, "a"), at(fixture, "c"));
  CHECK(fixture, AP_NOT_FOUND, link, at(fixture, "x"), at(fixture, "d"));
  CHECK(fixture, AP_NOT_FOUND, link, at(fixture, "a"), at(fixture, "x/d"));
  CHECK(fixture, AP_OK, remove_file, at(fixture, "a"));
  check_content(fixture, "c", "one");
  check_content(fixture, "b", "two");
}

static void test_rename(void **state) {
  struct fixture *fixture = *state;
  CHECK(fixture, AP_OK, create, at(fixture, "a"), AP_TEXT("one"), false);
  CHECK(fixture, AP_OK, create, at(fixture, "b"), AP_TEXT("two"), false);
  CHECK(fixture, AP_OK, make_folders, at(fixture, "f/g"));
  CHECK(fixture, AP_OK, rename, at(fixture, "a"), at(fixture, "b"));
  check_content(fixture, "b", "one");
  CHECK(fixture, AP_NOT_FOUND, rename, at(fixture, "a"), at(fixture, "c"));
  CHECK(fixture, AP_OK, rename, at(fixture, "b"), at(fixture, "f/c"));
  check_content(fixture, "f/c", "one");
  CHECK(fixture, AP_NOT_FOUND, rename, at(fixture, "f/c"), at(fixture, "none/c"));
  CHECK(fixture, AP_IO, rename, at(fixture, "f/c"), at(fixture, "f/g"));
  CHECK(fixture, AP_NOT_FOUND, rename, at(fixture, "f/g"), at(fixture, "f/c"));
  CHECK(fixture, AP_IO, rename, at(fixture, "f"), at(fixture, "f/g/h"));
  CHECK(fixture, AP_OK, make_folders, at(fixture, "full/x"));
  CHECK(fixture, AP_ALREADY_EXISTS, rename, at(fixture, "f"), at(fixture, "full"));
  CHECK(fixture, AP_OK, rename, at(fixture, "f"), at(fixture, "full/x"));
  check_content(fixture, "full/x/c", "one");
  /* Two names of one file: both stay. */
  CHECK(fixture, AP_OK, link, at(fixture, "full/x/c"), at(fixture, "second"));
  CHECK(fixture, AP_OK, rename, at(fixture, "second"), at(fixture, "full/x/c"));
  check_content(fixture, "second", "one");
}

static void test_remove(void **state) {
  struct fixture *fixture = *state;
  CHECK(fixture, AP_OK, create, at(fixture, "a"), AP_TEXT("x"), false);
  CHECK(fixture, AP_OK, make_folders, at(fixture, "f"));
  CHECK(fixture, AP_OK, create, at(fixture, "f/b"), AP_TEXT("x"), false);
  CHECK(fixture, AP_NOT_FOUND, remove_folder, at(fixture, "a"));
  CHECK(fixture, AP_ALREADY_EXISTS, remove_folder, at(fixture, "f"));
  CHECK(fixture, AP_IO, remove_file, at(fixture, "f"));
  CHECK(fixture, AP_OK, remove_file, at(fixture, "f/b"));
  CHECK(fixture, AP_NOT_FOUND, remove_file, at(fixture, "f/b"));
  CHECK(fixture, AP_OK, remove_folder, at(fixture, "f"));
  CHECK(fixture, AP_NOT_FOUND, remove_folder, at(fixture, "f"));
  CHECK(fixture, AP_OK, remove_file, at(fixture, "a"));
}

static void test_folders(void **state) {
  struct fixture *fixture = *state;
  struct ap_file_info info;
  CHECK(fixture, AP_OK, make_folders, at(fixture, "a/b//c/"));
  CHECK(fixture, AP_OK, info, at(fixture, "a/b/c"), &info);
  assert_int_equal(info.kind, AP_FILE_FOLDER);
  CHECK(fixture, AP_OK, make_folders, at(fixture, "a/b/c"));
  CHECK(fixture, AP_OK, make_folders, at(fixture, "a/b/c/d"));
  CHECK(fixture, AP_OK, create, at(fixture, "file"), AP_TEXT("x"), false);
  CHECK(fixture, AP_ALREADY_EXISTS, make_folders, at(fixture, "file"));
  CHECK(fixture, AP_ALREADY_EXISTS, make_folders, at(fixture, "file/x"));
  CHECK(fixture, AP_INVALID_ARGUMENT, make_folders, "");
  CHECK(fixture, AP_OK, make_folder, at(fixture, "one"));
  CHECK(fixture, AP_OK, make_folder, at(fixture, "one"));
  CHECK(fixture, AP_NOT_FOUND, make_folder, at(fixture, "two/three"));
  CHECK(fixture, AP_ALREADY_EXISTS, make_folder, at(fixture, "file"));
}

struct seen {
  int files;
  int folders;
  int others;
  int stop_at;
};

static ap_status see(void *context, const char *name, enum ap_file_kind kind, ap_error *err) {
  struct seen *seen = context;
  assert_string_not_equal(name, ".");
  assert_string_not_equal(name, "..");
  if (kind == AP_FILE_REGULAR) seen->files++;
  if (kind == AP_FILE_FOLDER) seen->folders++;
  if (kind == AP_FILE_OTHER) seen->others++;
  if (seen->files + seen->folders + seen->others != seen->stop_at) return AP_OK;
  return AP_FAIL(err, AP_CANCELLED, "enough");
}

static void test_list(void **state) {
  struct fixture *fixture = *state;
  struct seen seen = {0};
  CHECK(fixture, AP_OK, list, fixture->root, see, &seen);
  assert_int_equal(seen.files + seen.folders, 0);
  for (int i = 0; i < 300; i++) {
    char name[32];
    snprintf(name, sizeof(name), "f%d", i);
    CHECK(fixture, AP_OK, create, at(fixture, name), AP_TEXT(""), false);
  }
  CHECK(fixture, AP_OK, make_folders, at(fixture, "d/e"));
  CHECK(fixture, AP_OK, list, fixture->root, see, &seen);
  assert_int_equal(seen.files, 300);
  assert_int_equal(seen.folders, 1);
  seen = (struct seen){.stop_at = 7};
  CHECK(fixture, AP_CANCELLED, list, fixture->root, see, &seen);
  assert_int_equal(seen.files + seen.folders, 7);
  CHECK(fixture, AP_NOT_FOUND, list, at(fixture, "none"), see, &seen);
  CHECK(fixture, AP_NOT_FOUND, list, at(fixture, "f1"), see, &seen);
}

static void test_remove_tree(void **state) {
  struct fixture *fixture = *state;
  struct ap_file_info info;
  CHECK(fixture, AP_OK, make_folders, at(fixture, "t/a/b/c"));
  CHECK(fixture, AP_OK, make_folders, at(fixture, "t/d"));
  CHECK(fixture, AP_OK, create, at(fixture, "t/a/x"), AP_TEXT("x"), false);
  CHECK(fixture, AP_OK, create, at(fixture, "t/a/b/y"), AP_TEXT("x"), false);
  check_ok(ap_files_remove_tree(fixture->files, at(fixture, "t"), &fixture->err), &fixture->err);
  CHECK(fixture, AP_NOT_FOUND, info, at(fixture, "t"), &info);
  check_ok(ap_files_remove_tree(fixture->files, at(fixture, "t"), &fixture->err), &fixture->err);
  CHECK(fixture, AP_OK, create, at(fixture, "file"), AP_TEXT("x"), false);
  check_ok(ap_files_remove_tree(fixture->files, at(fixture, "file"), NULL), NULL);
  CHECK(fixture, AP_NOT_FOUND, info, at(fixture, "file"), &info);
}

static void test_locks(void **state) {
  struct fixture *fixture = *state;
  struct ap_files *files = fixture->files;
  enum ap_file_lock result;
  void *first = NULL;
  void *second = NULL;
  CHECK(fixture, AP_OK, try_lock, at(fixture, "lock"), &result, &first);
  assert_int_equal(result, AP_FILE_LOCK_TAKEN);
  CHECK(fixture, AP_OK, try_lock, at(fixture, "lock"), &result, &second);
  assert_int_equal(result, AP_FILE_LOCK_HELD_ELSEWHERE);
  assert_null(second);
  files->unlock(files, NULL);
  files->unlock(files, first);
  CHECK(fixture, AP_OK, try_lock, at(fixture, "lock"), &result, &second);
  assert_int_equal(result, AP_FILE_LOCK_TAKEN);
  /* The name was taken away: a new file of that name is another lock. */
  CHECK(fixture, AP_OK, remove_file, at(fixture, "lock"));
  CHECK(fixture, AP_OK, try_lock, at(fixture, "lock"), &result, &first);
  assert_int_equal(result, AP_FILE_LOCK_TAKEN);
  files->unlock(files, first);
  files->unlock(files, second);
  CHECK(fixture, AP_NOT_FOUND, try_lock, at(fixture, "none/lock"), &result, &first);
}

enum { RACERS = 4, ROUNDS = 50 };

struct racer {
  struct fixture *fixture;
  int number;
  int links_won;
  int creates_won;
};

static void race(void *context) {
  struct racer *racer = context;
  struct ap_files *files = racer->fixture->files;
  char own[128];
  char shared[128];
  snprintf(own, sizeof(own), "%s/own%d", racer->fixture->root, racer->number);
  if (files->create(files, own, AP_TEXT("x"), false, NULL) != AP_OK) return;
  for (int i = 0; i < ROUNDS; i++) {
    snprintf(shared, sizeof(shared), "%s/shared%d", racer->fixture->root, i);
    if (files->link(files, own, shared, NULL) == AP_OK) racer->links_won++;
    snprintf(shared, sizeof(shared), "%s/created%d", racer->fixture->root, i);
    if (files->create(files, shared, AP_TEXT(""), false, NULL) == AP_OK) racer->creates_won++;
    snprintf(shared, sizeof(shared), "%s/deep%d/a/b", racer->fixture->root, i);
    if (files->make_folders(files, shared, NULL) != AP_OK) racer->links_won += 1000000;
  }
}

static void test_races_have_one_winner(void **state) {
  struct fixture *fixture = *state;
  struct ap_threads *threads = fixture->env->threads;
  struct racer racers[RACERS];
  struct ap_thread *started[RACERS];
  for (int i = 0; i < RACERS; i++) {
    racers[i] = (struct racer){.fixture = fixture, .number = i};
    check_ok(threads->spawn(threads, race, &racers[i], &started[i], NULL), NULL);
  }
  int links_won = 0;
  int creates_won = 0;
  for (int i = 0; i < RACERS; i++) {
    threads->join(threads, started[i]);
    links_won += racers[i].links_won;
    creates_won += racers[i].creates_won;
  }
  assert_int_equal(links_won, ROUNDS);
  assert_int_equal(creates_won, ROUNDS);
}

struct holder {
  struct fixture *fixture;
  _Atomic int *inside;
  int most_inside;
  int turns;
};

/* Whoever has the lock takes its name away before giving it back, as the sweeper of a store does.
 */
static void hold_and_remove(void *context) {
  struct holder *holder = context;
  struct ap_files *files = holder->fixture->files;
  char path[128];
  snprintf(path, sizeof(path), "%s/lock", holder->fixture->root);
  for (int i = 0; i < 20 * ROUNDS; i++) {
    enum ap_file_lock result = AP_FILE_LOCK_HELD_ELSEWHERE;
    void *handle = NULL;
    if (files->try_lock(files, path, &result, &handle, NULL) != AP_OK) continue;
    if (result != AP_FILE_LOCK_TAKEN) continue;
    int inside = atomic_fetch_add(holder->inside, 1) + 1;
    if (inside > holder->most_inside) holder->most_inside = inside;
    struct ap_file_info info;
    for (int look = 0; look < 20; look++) (void)files->info(files, path, &info, NULL); /* a while */
    atomic_fetch_sub(holder->inside, 1);
    holder->turns++;
    (void)files->remove_file(files, path, NULL);
    files->unlock(files, handle);
  }
}

static void test_a_lock_without_its_name_is_none(void **state) {
  struct fixture *fixture = *state;
  struct ap_threads *threads = fixture->env->threads;
  _Atomic int inside = 0;
  struct holder holders[RACERS];
  struct ap_thread *started[RACERS];
  for (int i = 0; i < RACERS; i++) {
    holders[i] = (struct holder){.fixture = fixture, .inside = &inside};
    check_ok(threads->spawn(threads, hold_and_remove, &holders[i], &started[i], NULL), NULL);
  }
  int turns = 0;
  for (int i = 0; i < RACERS; i++) {
    threads->join(threads, started[i]);
    assert_in_range(holders[i].most_inside, 0, 1);
    turns += holders[i].turns;
  }
  assert_true(turns > 0);
}

static ap_status read_file(void *context, struct ap_allocator *allocator, ap_error *err) {
  struct fixture *fixture = context;
  struct ap_buffer buffer;
  ap_buffer_init(&buffer, allocator);
  ap_status status = fixture->files->read(fixture->files, at(fixture, "a"), 0, -1, &buffer, err);
  if (status != AP_OK) assert_int_equal(buffer.size, 0);
  ap_buffer_deinit(&buffer);
  return status;
}

static void test_running_out_of_memory(void **state) {
  struct fixture *fixture = *state;
  CHECK(fixture, AP_OK, create, at(fixture, "a"), AP_TEXT("hello"), false);
  assert_true(ap_sweep_memory(read_file, fixture) > 0);
}

static void test_links_are_not_followed_down(void **state) {
  struct fixture *fixture = *state;
  CHECK(fixture, AP_OK, make_folders, at(fixture, "precious/t"));
  CHECK(fixture, AP_OK, create, at(fixture, "precious/x"), AP_TEXT("keep"), false);
  CHECK(fixture, AP_OK, make_folders, at(fixture, "t"));
  assert_int_equal(symlink(at(fixture, "precious"), at(fixture, "t/link")), 0);
  assert_int_equal(symlink(at(fixture, "precious"), at(fixture, "link")), 0);
  assert_int_equal(symlink("nowhere", at(fixture, "t/dangling")), 0);
  struct seen seen = {0};
  CHECK(fixture, AP_OK, list, at(fixture, "t"), see, &seen);
  assert_int_equal(seen.others, 2);
  struct ap_file_info info;
  CHECK(fixture, AP_OK, info, at(fixture, "link"), &info);
  assert_int_equal(info.kind, AP_FILE_FOLDER);
  check_ok(ap_files_remove_tree(fixture->files, at(fixture, "t"), &fixture->err), &fixture->err);
  check_ok(ap_files_remove_tree(fixture->files, at(fixture, "link"), &fixture->err), &fixture->err);
  check_content(fixture, "precious/x", "keep");
}

static void test_special_files(void **state) {
  struct fixture *fixture = *state;
  struct ap_file_info info;
  CHECK(fixture, AP_OK, info, "/dev/null", &info);
  assert_int_equal(info.kind, AP_FILE_OTHER);
  struct ap_buffer buffer;
  ap_buffer_init(&buffer, ap_allocator_system());
  CHECK(fixture, AP_OK, read, "/proc/self/status", 0, -1, &buffer); /* says its size is 0 */
  assert_true(buffer.size > 100);
  ap_buffer_deinit(&buffer);
  struct stat mode;
  CHECK(fixture, AP_OK, make_folders, at(fixture, "private"));
  assert_int_equal(stat(at(fixture, "private"), &mode), 0);
  assert_int_equal(mode.st_mode & 0777, 0700);
  char longer[700];
  memset(longer, 'n', sizeof(longer) - 1);
  longer[sizeof(longer) - 1] = '\0';
  CHECK(fixture, AP_IO, create, longer, AP_TEXT(""), false);
}

/* A child that may not write files of more than 1,000 bytes: the first write is short, the next one
 * fails, and what was written goes away. */
static void test_a_write_that_stops_midway(void **state) {
  struct fixture *fixture = *state;
  pid_t child = fork();
  if (child == 0) {
    static char data[5000];
    const struct rlimit small = {1000, 1000};
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &small) != 0) _exit(2);
    struct ap_files *files = fixture->files;
    const char *path = at(fixture, "stopped");
    if (files->create(files, path, (struct ap_text){data, 1000}, true, NULL) != AP_OK) _exit(3);
    if (files->remove_file(files, path, NULL) != AP_OK) _exit(4);
    ap_status status = files->create(files, path, (struct ap_text){data, 1001}, true, NULL);
    _exit(status == AP_IO ? 0 : 5);
  }
  int result = -1;
  assert_int_equal(waitpid(child, &result, 0), child);
  assert_int_equal(result, 0);
  struct ap_file_info info;
  CHECK(fixture, AP_NOT_FOUND, info, at(fixture, "stopped"), &info);
}

static void test_errors_of_permission(void **state) {
  struct fixture *fixture = *state;
  CHECK(fixture, AP_OK, make_folders, at(fixture, "closed"));
  assert_int_equal(chmod(at(fixture, "closed"), 0500), 0);
  pid_t child = fork();
  if (child == 0) {
    if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(2);
    struct ap_files *files = fixture->files;
    ap_error err = {0};
    ap_status status = files->create(files, at(fixture, "closed/a"), AP_TEXT("x"), false, &err);
    _exit(status == AP_PERMISSION && err.hint[0] != '\0' ? 0 : 1);
  }
  int result = -1;
  assert_int_equal(waitpid(child, &result, 0), child);
  assert_int_equal(result, 0);
}

/* A child that dies holding a lock leaves it free. Pipes tell who is where, so nobody sleeps. */
static void test_locks_between_processes(void **state) {
  struct fixture *fixture = *state;
  struct ap_files *files = fixture->files;
  int locked[2];
  int die[2];
  assert_int_equal(pipe(locked), 0);
  assert_int_equal(pipe(die), 0);
  pid_t child = fork();
  enum ap_file_lock result = AP_FILE_LOCK_HELD_ELSEWHERE;
  void *handle = NULL;
  char byte = 'x';
  if (child == 0) {
    ap_status status = files->try_lock(files, at(fixture, "lock"), &result, &handle, NULL);
    if (status != AP_OK || result != AP_FILE_LOCK_TAKEN) _exit(1);
    if (write(locked[1], &byte, 1) != 1 || read(die[0], &byte, 1) != 1) _exit(1);
    _exit(0);
  }
  assert_int_equal(read(locked[0], &byte, 1), 1);
  CHECK(fixture, AP_OK, try_lock, at(fixture, "lock"), &result, &handle);
  assert_int_equal(result, AP_FILE_LOCK_HELD_ELSEWHERE);
  assert_int_equal(write(die[1], &byte, 1), 1);
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  CHECK(fixture, AP_OK, try_lock, at(fixture, "lock"), &result, &handle);
  assert_int_equal(result, AP_FILE_LOCK_TAKEN);
  files->unlock(files, handle);
  for (int i = 0; i < 2; i++) {
    close(locked[i]);
    close(die[i]);
  }
}

#define SUITE(set_up)                                                                           \
  cmocka_unit_test_setup_teardown(test_create_and_read, set_up, tear_down),                     \
      cmocka_unit_test_setup_teardown(test_large_files, set_up, tear_down),                     \
      cmocka_unit_test_setup_teardown(test_info, set_up, tear_down),                            \
      cmocka_unit_test_setup_teardown(test_sync, set_up, tear_down),                            \
      cmocka_unit_test_setup_teardown(test_link, set_up, tear_down),                            \
      cmocka_unit_test_setup_teardown(test_rename, set_up, tear_down),                          \
      cmocka_unit_test_setup_teardown(test_remove, set_up, tear_down),                          \
      cmocka_unit_test_setup_teardown(test_folders, set_up, tear_down),                         \
      cmocka_unit_test_setup_teardown(test_list, set_up, tear_down),                            \
      cmocka_unit_test_setup_teardown(test_remove_tree, set_up, tear_down),                     \
      cmocka_unit_test_setup_teardown(test_locks, set_up, tear_down),                           \
      cmocka_unit_test_setup_teardown(test_races_have_one_winner, set_up, tear_down),           \
      cmocka_unit_test_setup_teardown(test_a_lock_without_its_name_is_none, set_up, tear_down), \
      cmocka_unit_test_setup_teardown(test_running_out_of_memory, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      SUITE(set_up_system),
      SUITE(set_up_simulated),
      cmocka_unit_test_setup_teardown(test_links_are_not_followed_down, set_up_system, tear_down),
      cmocka_unit_test_setup_teardown(test_special_files, set_up_system, tear_down),
      cmocka_unit_test_setup_teardown(test_a_write_that_stops_midway, set_up_system, tear_down),
      cmocka_unit_test_setup_teardown(test_errors_of_permission, set_up_system, tear_down),
      cmocka_unit_test_setup_teardown(test_locks_between_processes, set_up_system, tear_down),
  };
  return AP_RUN_TESTS(tests);
}
