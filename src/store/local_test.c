/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: a folder is a store (the conformance suite holds on it), what is peculiar to folders is
 * handled with a clear error or not at all visible, and killing a writer at any moment loses and
 * tears nothing.
 * Method: the machine's file system in a new temporary folder per test; forked writers that
 * acknowledge through a pipe and are killed after a random number of acknowledgements. What power
 * loss and failing disks do is tested on simulated files (local_crash_test.c).
 */
#include "store/local.h"

#include "base/limits.h"
#include "testing/check.h"
#include "testing/random.h"
#include "testing/store_conformance.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLS = 100, BATCH = 3 };

/* A new folder, and a store in it. */
struct fixture {
  char root[64];
  struct ap_store *store;
  struct ap_buffer bytes;
  ap_error err;
};

static void open_store(struct fixture *fixture) {
  check_ok(ap_store_local_open(ap_env_system(), fixture->root, AP_DURABLE, &fixture->store,
                               &fixture->err),
           &fixture->err);
}

static int set_up(void **state) {
  struct fixture *fixture = ap_allocate_zeroed(ap_allocator_system(), 1, sizeof(*fixture));
  assert_non_null(fixture);
  snprintf(fixture->root, sizeof(fixture->root), "/tmp/apiary-store-XXXXXX");
  assert_non_null(mkdtemp(fixture->root));
  ap_buffer_init(&fixture->bytes, ap_allocator_system());
  open_store(fixture);
  *state = fixture;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *fixture = *state;
  ap_store_destroy(fixture->store);
  check_ok(ap_files_remove_tree(ap_files_system(), fixture->root, &fixture->err), &fixture->err);
  ap_buffer_deinit(&fixture->bytes);
  ap_free(ap_allocator_system(), fixture);
  return 0;
}

struct path {
  char text[256];
};

static const char *path_in(const struct fixture *fixture, const char *name, struct path *out) {
  snprintf(out->text, sizeof(out->text), "%s/%s", fixture->root, name);
  return out->text;
}

static void write_file(const char *path, const char *data) {
  struct ap_files *files = ap_files_system();
  check_ok(files->create(files, path, ap_text_of(data), false, NULL), NULL);
}

static void put(struct fixture *fixture, const char *key, const char *data) {
  check_ok(ap_store_put(fixture->store, ap_text_of(key), ap_text_of(data), &fixture->err),
           &fixture->err);
}

static const char *get(struct fixture *fixture, const char *key) {
  ap_buffer_clear(&fixture->bytes);
  check_ok(ap_store_get(fixture->store, ap_text_of(key), 0, -1, &fixture->bytes, &fixture->err),
           &fixture->err);
  return fixture->bytes.data;
}

static ap_status append_key(void *context, const struct ap_store_object *object, ap_error *err) {
  struct ap_buffer *out = context;
  (void)err;
  ap_buffer_append_text(out, object->key);
  ap_buffer_append_string(out, " ");
  return AP_OK;
}

/* All keys, each with a blank behind it. */
static const char *list(struct fixture *fixture, const char *prefix) {
  ap_buffer_clear(&fixture->bytes);
  ap_buffer_append_string(&fixture->bytes, "");
  check_ok(ap_store_list(fixture->store, ap_text_of(prefix), AP_TEXT(""), append_key,
                         &fixture->bytes, &fixture->err),
           &fixture->err);
  return fixture->bytes.size == 0 ? "" : fixture->bytes.data;
}

static ap_status count_name(void *context, const char *name, enum ap_file_kind kind,
                            ap_error *err) {
  size_t *count = context;
  (void)name;
  (void)kind;
  (void)err;
  *count += 1;
  return AP_OK;
}

static size_t count_names(const char *path) {
  struct ap_files *files = ap_files_system();
  size_t count = 0;
  check_ok(files->list(files, path, count_name, &count, NULL), NULL);
  return count;
}

static ap_status open_again(void *context, struct ap_store **out_store, ap_error *err) {
  struct fixture *fixture = context;
  return ap_store_local_open(ap_env_system(), fixture->root, AP_DURABLE, out_store, err);
}

static void conforms(void **state) {
  struct ap_store_conformance suite = {
      .name = "local",
      .env = ap_env_system(),
      .open = open_again,
      .context = *state,
      .threads = true,
      .processes = true,
      .bytes_max = 64u << 20,
      .files_count = 1000,
  };
  ap_store_conformance_run(&suite);
}

static ap_status open_relaxed(void *context, struct ap_store **out_store, ap_error *err) {
  struct fixture *fixture = context;
  return ap_store_local_open(ap_env_system(), fixture->root, AP_RELAXED, out_store, err);
}

static void conforms_when_relaxed(void **state) {
  struct ap_store_conformance suite = {
      .name = "local, relaxed",
      .env = ap_env_system(),
      .open = open_relaxed,
      .context = *state,
      .threads = true,
      .processes = true,
      .bytes_max = 1u << 20,
      .files_count = 1000,
  };
  ap_store_conformance_run(&suite);
}

static void paths_are_absolute(void **state) {
  struct fixture *fixture = *state;
  struct path path;
  struct ap_store *other = NULL;
  char before[512];
  assert_non_null(getcwd(before, sizeof(before)));
  put(fixture, "x", "1");
  assert_int_equal(chdir(fixture->root), 0);
  check_ok(ap_store_local_open(ap_env_system(), "./new//er/./root/", AP_DURABLE, &other, NULL),
           NULL);
  assert_int_equal(chdir(before), 0);
  ap_buffer_clear(&fixture->bytes);
  check_ok(ap_store_local_path(other, AP_TEXT("a/b"), &fixture->bytes, NULL), NULL);
  check_text(ap_buffer_text(&fixture->bytes), path_in(fixture, "new/er/root/a/b", &path));
  assert_string_equal(other->description + strlen("local://"),
                      path_in(fixture, "new/er/root", &path));
  ap_store_destroy(other);

  assert_int_equal(symlink(fixture->root, path_in(fixture, "link", &path)), 0);
  check_ok(ap_store_local_open(ap_env_system(), path.text, AP_DURABLE, &other, NULL), NULL);
  ap_buffer_clear(&fixture->bytes);
  check_ok(ap_store_get(other, AP_TEXT("x"), 0, -1, &fixture->bytes, NULL), NULL);
  check_text(ap_buffer_text(&fixture->bytes), "1");
  ap_store_destroy(other);
}

static void refuses_bad_roots(void **state) {
  struct fixture *fixture = *state;
  struct path path;
  struct ap_store *other = NULL;
  ap_error *err = &fixture->err;
  write_file(path_in(fixture, "file", &path), "");
  check_status(ap_store_local_open(ap_env_system(), path.text, AP_DURABLE, &other, err), AP_CONFIG,
               err);
  check_contains(err->message, "not a folder");
  check_status(ap_store_local_open(ap_env_system(), "", AP_DURABLE, &other, err),
               AP_INVALID_ARGUMENT, err);
  char long_root[AP_LOCAL_ROOT_BYTES_MAX + 3];
  memset(long_root, 'r', sizeof(long_root));
  long_root[0] = '/';
  long_root[sizeof(long_root) - 1] = '\0';
  check_status(ap_store_local_open(ap_env_system(), long_root, AP_DURABLE, &other, err),
               AP_INVALID_ARGUMENT, err);
  path_in(fixture, "file/below", &path);
  assert_int_not_equal(ap_store_local_open(ap_env_system(), path.text, AP_DURABLE, &other, err),
                       AP_OK);
  assert_null(other);
}

static void staging_is_no_place_for_objects(void **state) {
  struct fixture *fixture = *state;
  ap_error *err = &fixture->err;
  static const char *const keys[] = {"_apiary/staging", "_apiary/staging/x", "_apiary/staging/x/y"};
  for (size_t i = 0; i < 3; i++) {
    struct ap_text key = ap_text_of(keys[i]);
    check_status(ap_store_put(fixture->store, key, AP_TEXT("x"), err), AP_INVALID_ARGUMENT, err);
    check_status(ap_store_put_if_absent(fixture->store, key, AP_TEXT("x"), err),
                 AP_INVALID_ARGUMENT, err);
    check_status(ap_store_remove(fixture->store, key, err), AP_INVALID_ARGUMENT, err);
    check_status(ap_store_get(fixture->store, key, 0, -1, &fixture->bytes, err), AP_NOT_FOUND, err);
  }
  put(fixture, "_apiary/stagings/x", "beside it is fine");
  put(fixture, "_apiary/catalog", "");
  assert_string_equal(list(fixture, ""), "_apiary/catalog _apiary/stagings/x ");
  assert_string_equal(list(fixture, "_apiary/staging/"), "");
  assert_string_equal(list(fixture, "_apiary/stagi"), "_apiary/stagings/x ");
}

static void an_object_is_no_folder(void **state) {
  struct fixture *fixture = *state;
  struct ap_store *store = fixture->store;
  ap_error *err = &fixture->err;
  put(fixture, "a/b", "object");
  check_status(ap_store_put(store, AP_TEXT("a/b/c"), AP_TEXT("x"), err), AP_UNSUPPORTED, err);
  check_contains(err->message, "'a/b'");
  check_status(ap_store_put_if_absent(store, AP_TEXT("a/b/c/d"), AP_TEXT("x"), err), AP_UNSUPPORTED,
               err);
  check_status(ap_store_put(store, AP_TEXT("a"), AP_TEXT("x"), err), AP_UNSUPPORTED, err);
  check_contains(err->message, "'a'");
  check_status(ap_store_put_if_absent(store, AP_TEXT("a"), AP_TEXT("x"), err), AP_UNSUPPORTED, err);
  check_ok(ap_store_remove(store, AP_TEXT("a"), err), err);
  assert_string_equal(get(fixture, "a/b"), "object");
  assert_string_equal(list(fixture, ""), "a/b ");
}

static void long_segments_are_refused(void **state) {
  struct fixture *fixture = *state;
  ap_error *err = &fixture->err;
  char key[300] = "folder/";
  memset(key + 7, 'k', AP_LOCAL_SEGMENT_BYTES_MAX);
  put(fixture, key, "fits");
  assert_string_equal(get(fixture, key), "fits");
  key[7 + AP_LOCAL_SEGMENT_BYTES_MAX] = 'k';
  struct ap_text too_long = ap_text_of(key);
  check_status(ap_store_put(fixture->store, too_long, AP_TEXT("x"), err), AP_INVALID_ARGUMENT, err);
  check_status(ap_store_get(fixture->store, too_long, 0, -1, &fixture->bytes, err), AP_NOT_FOUND,
               err);
}

/* What people put into folders by other means is read where it can be and left alone where not. */
static void lives_with_foreign_names(void **state) {
  struct fixture *fixture = *state;
  struct path path, target;
  put(fixture, "t/one.parquet", "1");
  write_file(path_in(fixture, "t/by hand", &path), "2");
  write_file(path_in(fixture, "t/bad\nname", &path), "");
  write_file(path_in(fixture, "t/bad\\name", &path), "");
  write_file(path_in(fixture, "t/latin\xe9", &path), "");
  assert_int_equal(mkfifo(path_in(fixture, "t/fifo", &path), 0600), 0);
  assert_int_equal(mkdir(path_in(fixture, "outside", &path), 0700), 0);
  write_file(path_in(fixture, "outside/linked", &path), "3");
  assert_int_equal(symlink(path_in(fixture, "outside", &target), path_in(fixture, "t/to", &path)),
                   0);
  assert_int_equal(
      symlink(path_in(fixture, "t/one.parquet", &target), path_in(fixture, "t/to.x", &path)), 0);
  assert_int_equal(symlink("nowhere", path_in(fixture, "t/to-nowhere", &path)), 0);
  assert_string_equal(list(fixture, "t/"), "t/by hand t/one.parquet t/to.x t/to/linked ");
  assert_string_equal(get(fixture, "t/to/linked"), "3");
  assert_string_equal(get(fixture, "t/by hand"), "2");
  check_status(ap_store_get(fixture->store, AP_TEXT("t/fifo"), 0, -1, &fixture->bytes, NULL),
               AP_NOT_FOUND, NULL);
  put(fixture, "t/to/linked", "through the link");
  assert_string_equal(get(fixture, "outside/linked"), "through the link");
}

static void folders_removed_meanwhile_are_made_again(void **state) {
  struct fixture *fixture = *state;
  struct path path;
  put(fixture, "hive/box/frame/x", "1");
  check_ok(ap_files_remove_tree(ap_files_system(), path_in(fixture, "hive", &path), NULL), NULL);
  put(fixture, "hive/box/frame/x", "2");
  assert_string_equal(get(fixture, "hive/box/frame/x"), "2");
  check_ok(ap_files_remove_tree(ap_files_system(), path.text, NULL), NULL);
  check_ok(ap_store_put_if_absent(fixture->store, AP_TEXT("hive/box/frame/x"), AP_TEXT("3"),
                                  &fixture->err),
           &fixture->err);
  assert_string_equal(get(fixture, "hive/box/frame/x"), "3");
}

static void errors_name_the_object(void **state) {
  struct fixture *fixture = *state;
  ap_error *err = &fixture->err;
  struct path path;
  check_status(ap_store_get(fixture->store, AP_TEXT("no/such"), 0, -1, &fixture->bytes, err),
               AP_NOT_FOUND, err);
  check_contains(err->message, "'no/such'");
  check_contains(err->message, fixture->root);
  struct ap_store_upload upload = {path_in(fixture, "missing", &path), AP_TEXT("up/x")};
  check_status(ap_store_put_files(fixture->store, &upload, 1, err), AP_IO, err);
  check_contains(err->message, "up/x");
  check_contains(err->message, path.text);
  put(fixture, "x", "1");
  check_status(ap_store_put_if_absent(fixture->store, AP_TEXT("x"), AP_TEXT("2"), err),
               AP_ALREADY_EXISTS, err);
  check_contains(err->message, "'x'");
}

static void a_failed_batch_is_taken_back(void **state) {
  struct fixture *fixture = *state;
  struct path first, second;
  put(fixture, "batch/2", "another's");
  ap_buffer_clear(&fixture->bytes);
  check_ok(ap_store_staging_path(fixture->store, &fixture->bytes, NULL), NULL);
  snprintf(first.text, sizeof(first.text), "%s/1", fixture->bytes.data);
  snprintf(second.text, sizeof(second.text), "%s/2", fixture->bytes.data);
  write_file(first.text, "one");
  write_file(second.text, "two");
  struct ap_store_upload uploads[] = {{first.text, AP_TEXT("batch/1")},
                                      {second.text, AP_TEXT("batch/2")}};
  check_status(ap_store_put_files(fixture->store, uploads, 2, &fixture->err), AP_ALREADY_EXISTS,
               &fixture->err);
  assert_string_equal(list(fixture, "batch/"), "batch/2 ");
  uploads[1].key = AP_TEXT("batch/3"); /* the files are still there for another try */
  check_ok(ap_store_put_files(fixture->store, uploads, 2, &fixture->err), &fixture->err);
  assert_string_equal(get(fixture, "batch/1"), "one");
  assert_string_equal(get(fixture, "batch/3"), "two");
  assert_int_equal(access(first.text, F_OK), -1);
}

/* Fork a process that leaves a file in a staging folder of its own and dies. */
static void die_with_staging(struct fixture *fixture) {
  pid_t child = fork();
  if (child == 0) {
    struct ap_store *store = NULL;
    struct ap_buffer path;
    ap_buffer_init(&path, ap_allocator_system());
    if (open_again(fixture, &store, NULL) != AP_OK) _exit(3);
    if (ap_store_staging_path(store, &path, NULL) != AP_OK) _exit(4);
    ap_buffer_append_string(&path, "/left");
    struct ap_files *files = ap_files_system();
    if (files->create(files, path.data, AP_TEXT("left"), false, NULL) != AP_OK) _exit(5);
    raise(SIGKILL);
  }
  int result = 0;
  assert_int_equal(waitpid(child, &result, 0), child);
  assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL);
}

static void staging_comes_late_and_goes(void **state) {
  struct fixture *fixture = *state;
  struct path staging;
  path_in(fixture, "_apiary/staging", &staging);
  assert_string_equal(list(fixture, ""), "");
  assert_int_equal(count_names(fixture->root), 0); /* reading makes nothing */
  put(fixture, "x", "1");
  assert_int_equal(count_names(staging.text), 3); /* the folder, its lock, the sweepers' lock */
  ap_buffer_clear(&fixture->bytes);
  check_ok(ap_store_staging_path(fixture->store, &fixture->bytes, NULL), NULL);
  assert_int_equal(count_names(fixture->bytes.data), 0); /* and no temporary file is left */
  struct ap_store *other = NULL;
  check_ok(open_again(fixture, &other, NULL), NULL);
  check_ok(ap_store_put(other, AP_TEXT("y"), AP_TEXT("2"), NULL), NULL);
  assert_int_equal(count_names(staging.text), 5);
  ap_store_destroy(other);
  assert_int_equal(count_names(staging.text), 3);
  put(fixture, "x", "still works");
  assert_string_equal(list(fixture, ""), "x y ");
}

static void only_the_dead_are_swept(void **state) {
  struct fixture *fixture = *state;
  struct path staging, own;
  struct ap_store *other = NULL;
  path_in(fixture, "_apiary/staging", &staging);
  ap_buffer_clear(&fixture->bytes);
  check_ok(ap_store_staging_path(fixture->store, &fixture->bytes, NULL), NULL);
  snprintf(own.text, sizeof(own.text), "%s/building", fixture->bytes.data);
  write_file(own.text, "in use");
  die_with_staging(fixture); /* which swept nothing of ours */
  die_with_staging(fixture); /* and this one its dead sister's */
  assert_int_equal(count_names(staging.text), 5);
  check_ok(open_again(fixture, &other, NULL), NULL);
  check_ok(ap_store_put(other, AP_TEXT("y"), AP_TEXT("2"), NULL), NULL);
  assert_int_equal(count_names(staging.text), 5); /* ours, the other's, the sweepers' lock */
  ap_store_destroy(other);
  assert_int_equal(access(own.text, F_OK), 0);
  put(fixture, "x", "1");
}

/* What a writer that will be killed writes, and how it says so: one byte per step done. */
static struct ap_text value_of(int step, struct ap_buffer *out) {
  ap_buffer_clear(out);
  ap_buffer_append_format(out, "%d:", step);
  for (int i = 0; i < step * 7919 % 40000; i++) {
    char byte = (char)('a' + (step + i) % 26);
    ap_buffer_append(out, &byte, 1);
  }
  return ap_buffer_text(out);
}

static struct ap_text key_of(const char *kind, int round, int step, struct path *out) {
  int size = snprintf(out->text, sizeof(out->text), "%d/%s/%03d", round, kind, step);
  return (struct ap_text){out->text, (size_t)size};
}

static ap_status put_batch(struct ap_store *store, int round, int step, struct ap_buffer *value) {
  struct ap_files *files = ap_files_system();
  struct ap_store_upload uploads[BATCH];
  struct path paths[BATCH], keys[BATCH];
  struct ap_buffer staging;
  ap_buffer_init(&staging, ap_allocator_system());
  ap_status status = ap_store_staging_path(store, &staging, NULL);
  for (int i = 0; i < BATCH && status == AP_OK; i++) {
    snprintf(paths[i].text, sizeof(paths[i].text), "%s/%d", staging.data, i);
    uploads[i].path = paths[i].text;
    uploads[i].key = key_of("batch", round, step * BATCH + i, &keys[i]);
    status = files->create(files, paths[i].text, value_of(step, value), false, NULL);
  }
  if (status == AP_OK) status = ap_store_put_files(store, uploads, BATCH, NULL);
  ap_buffer_deinit(&staging);
  return status;
}

static void write_until_killed(struct fixture *fixture, int round, int acknowledge) {
  struct ap_store *store = NULL;
  struct ap_buffer value;
  struct path key;
  ap_buffer_init(&value, ap_allocator_system());
  if (open_again(fixture, &store, NULL) != AP_OK) _exit(3);
  for (int step = 0; step < 250; step++) {
    struct ap_text data = value_of(step, &value);
    if (ap_store_put_if_absent(store, key_of("log", round, step, &key), data, NULL) != AP_OK) {
      _exit(4);
    }
    if (ap_store_put(store, key_of("head", round, 0, &key), data, NULL) != AP_OK) _exit(5);
    if (put_batch(store, round, step, &value) != AP_OK) _exit(6);
    if (write(acknowledge, "", 1) != 1) _exit(7);
  }
  for (;;) pause();
}

/* Steps the writer acknowledged; it is dead afterwards. */
static int kill_after(struct fixture *fixture, int round, struct ap_random *random) {
  int ends[2], result = 0, acknowledged = 0;
  char byte;
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    close(ends[0]);
    write_until_killed(fixture, round, ends[1]);
  }
  close(ends[1]);
  for (uint64_t wanted = ap_random_below(random, 12); wanted > 0; wanted--) {
    if (read(ends[0], &byte, 1) != 1) break;
    acknowledged++;
  }
  struct ap_clock *clock = ap_clock_system();
  int64_t until_us = ap_clock_monotonic_us(clock) + (int64_t)ap_random_below(random, 6000);
  while (ap_clock_monotonic_us(clock) < until_us) { /* some moment within a step or two */
  }
  kill(child, SIGKILL);
  assert_int_equal(waitpid(child, &result, 0), child);
  assert_true(WIFSIGNALED(result));
  while (read(ends[0], &byte, 1) == 1) acknowledged++;
  close(ends[0]);
  return acknowledged;
}

/* The object of that step is there whole, or not at all when it was not acknowledged. */
static bool expect_whole(struct fixture *fixture, struct ap_text key, int step, bool must_be) {
  struct ap_buffer value;
  ap_buffer_clear(&fixture->bytes);
  ap_status status = ap_store_get(fixture->store, key, 0, -1, &fixture->bytes, &fixture->err);
  if (status == AP_NOT_FOUND && !must_be) return false;
  check_ok(status, &fixture->err);
  ap_buffer_init(&value, ap_allocator_system());
  assert_true(ap_text_equal(ap_buffer_text(&fixture->bytes), value_of(step, &value)));
  ap_buffer_deinit(&value);
  return true;
}

static void killing_a_writer_tears_nothing(void **state) {
  struct fixture *fixture = *state;
  struct ap_seeded_random random;
  struct path key;
  int torn_steps = 0;
  ap_seeded_random_init(&random, ap_test_seed("killing_a_writer_tears_nothing"));
  for (int round = 0; round < KILLS; round++) {
    int acknowledged = kill_after(fixture, round, &random.base);
    bool more = false;
    for (int step = 0; step <= acknowledged + 1; step++) {
      bool must_be = step < acknowledged;
      more |= expect_whole(fixture, key_of("log", round, step, &key), step, must_be) && !must_be;
      for (int i = 0; i < BATCH; i++) {
        expect_whole(fixture, key_of("batch", round, step * BATCH + i, &key), step, must_be);
      }
    }
    torn_steps += more;
    ap_buffer_clear(&fixture->bytes);
    ap_status status = ap_store_get(fixture->store, key_of("head", round, 0, &key), 0, -1,
                                    &fixture->bytes, &fixture->err);
    if (acknowledged == 0 && status == AP_NOT_FOUND) continue;
    check_ok(status, &fixture->err);
    int head = (int)strtol(fixture->bytes.data, NULL, 10);
    assert_in_range(head, acknowledged > 0 ? acknowledged - 1 : 0, acknowledged);
    expect_whole(fixture, key_of("head", round, 0, &key), head, true);
  }
  print_message("%d of %d writers were killed within a step\n", torn_steps, KILLS);
  /* the next instance that writes finds only its own and this one's staging */
  struct path staging;
  struct ap_store *other = NULL;
  put(fixture, "x", "");
  check_ok(open_again(fixture, &other, NULL), NULL);
  check_ok(ap_store_put(other, AP_TEXT("y"), AP_TEXT(""), NULL), NULL);
  assert_int_equal(count_names(path_in(fixture, "_apiary/staging", &staging)), 5);
  ap_store_destroy(other);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_FOLDER(conforms),
      IN_FOLDER(conforms_when_relaxed),
      IN_FOLDER(paths_are_absolute),
      IN_FOLDER(refuses_bad_roots),
      IN_FOLDER(staging_is_no_place_for_objects),
      IN_FOLDER(an_object_is_no_folder),
      IN_FOLDER(long_segments_are_refused),
      IN_FOLDER(lives_with_foreign_names),
      IN_FOLDER(folders_removed_meanwhile_are_made_again),
      IN_FOLDER(errors_name_the_object),
      IN_FOLDER(a_failed_batch_is_taken_back),
      IN_FOLDER(staging_comes_late_and_goes),
      IN_FOLDER(only_the_dead_are_swept),
      IN_FOLDER(killing_a_writer_tears_nothing),
  };
  return AP_RUN_TESTS(tests);
}
