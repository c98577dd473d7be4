/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: clients of a real server, in a process of its own, get what was put, without a copy, for as
 * long as they hold it, across threads, forks and the server's death; and what they let go is gone.
 * Method: fixtures that pyarrow wrote are put and got back; their rows are those that it printed.
 */
#include <apiary/shelf.h>

#include "arrow/ipc.h"
#include "port/memory.h"
#include "port/socket.h"
#include "port/threads.h"
#include "testing/arrow_text.h"
#include "testing/check.h"
#include "testing/random.h"
#include "testing/shelf_bed.h"

#include <apiary/apiary.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMORY_BYTES ((int64_t)256 << 20)

static const char *const fixtures[] = {
    "stream.arrows", "file.arrow",        "lz4.arrows",     "kinds.arrows",      "nested.arrows",
    "views.arrows",  "dictionary.arrows", "no_rows.arrows", "no_columns.arrows",
};
enum { FIXTURE_COUNT = sizeof(fixtures) / sizeof(fixtures[0]) };

static void load(const char *name, struct ap_buffer *out) {
  char path[512];
  ap_buffer_init(out, ap_allocator_system());
  (void)snprintf(path, sizeof(path), "%s/tests/data/arrow/%s", AP_SOURCE_DIR, name);
  FILE *file = fopen(path, "rb");
  if (file == NULL) fail_msg("cannot open %s", path);
  char chunk[4096];
  size_t size = 0;
  while ((size = fread(chunk, 1, sizeof(chunk), file)) > 0) ap_buffer_append(out, chunk, size);
  (void)fclose(file);
  assert_false(out->failed);
}

static ap_shelf *open_at(const struct ap_shelf_bed *bed) {
  ap_shelf_options options = AP_SHELF_OPTIONS_INIT;
  ap_shelf *shelf = NULL;
  ap_error err = {0};
  options.socket = bed->socket;
  options.timeout_ms = 60000;
  check_ok(ap_shelf_open(&options, &shelf, &err), &err);
  return shelf;
}

static void put_fixture(ap_shelf *shelf, const char *name, const ap_shelf_put_options *options,
                        char key[AP_SHELF_KEY_SIZE]) {
  struct ap_buffer bytes;
  struct ArrowArrayStream stream = {0};
  ap_error err = {0};
  load(name, &bytes);
  check_ok(ap_ipc_read(ap_buffer_text(&bytes), &stream, &err), &err);
  check_ok(ap_shelf_put(shelf, &stream, options, key, &err), &err);
  assert_null(stream.release);
  ap_buffer_deinit(&bytes);
}

static bool is_fixture(ap_shelf *shelf, const char *name, const char *key) {
  struct ap_buffer expected;
  struct ap_buffer actual;
  struct ArrowArrayStream stream = {0};
  ap_shelf_get_options options = AP_SHELF_GET_OPTIONS_INIT;
  ap_error err = {0};
  char text[128];
  (void)snprintf(text, sizeof(text), "%.*s.txt", (int)strcspn(name, "."), name);
  load(text, &expected);
  options.check_values = true;
  check_ok(ap_shelf_get(shelf, key, &options, &stream, &err), &err);
  ap_buffer_init(&actual, ap_allocator_system());
  check_ok(ap_arrow_append_stream(&actual, &stream, &err), &err);
  bool same = ap_text_equal(ap_buffer_text(&actual), ap_buffer_text(&expected));
  ap_buffer_deinit(&actual);
  ap_buffer_deinit(&expected);
  return same;
}

static ap_shelf_usage usage_of(ap_shelf *shelf) {
  ap_shelf_usage usage = AP_SHELF_USAGE_INIT;
  ap_error err = {0};
  check_ok(ap_shelf_get_usage(shelf, &usage, &err), &err);
  return usage;
}

/* The first batch of an object. */
static void first_batch(ap_shelf *shelf, const char *key, struct ArrowArray *out) {
  struct ArrowArrayStream stream = {0};
  ap_error err = {0};
  check_ok(ap_shelf_get(shelf, key, NULL, &stream, &err), &err);
  check_ok(ap_stream_next(&stream, out, &err), &err);
  assert_non_null(out->release);
  ap_stream_release(&stream);
}

/* One float64 column of rows that count up from `first`, built in place. */
static void build_numbers(ap_shelf *shelf, int64_t rows, double first, ap_shelf_builder **out) {
  struct ArrowSchema schema = {0};
  ap_error err = {0};
  int64_t bytes = 0;
  assert_int_equal(ArrowSchemaInitFromType(&schema, NANOARROW_TYPE_STRUCT), 0);
  assert_int_equal(ArrowSchemaAllocateChildren(&schema, 1), 0);
  assert_int_equal(ArrowSchemaInitFromType(schema.children[0], NANOARROW_TYPE_DOUBLE), 0);
  assert_int_equal(ArrowSchemaSetName(schema.children[0], "x"), 0);
  check_ok(ap_shelf_create(shelf, &schema, rows, NULL, out, &err), &err);
  double *values = ap_shelf_builder_values(*out, 0, &bytes);
  assert_non_null(values);
  assert_int_equal(bytes, rows * 8);
  for (int64_t i = 0; i < rows; i++) values[i] = first + (double)i;
  schema.release(&schema);
}

static void test_what_is_put_is_got(void **state) {
  struct ap_shelf_bed *bed = *state;
  ap_shelf *shelf = open_at(bed);
  ap_shelf *other = open_at(bed);
  ap_error err = {0};
  int64_t count = 0;
  for (size_t i = 0; i < FIXTURE_COUNT; i++) {
    char key[AP_SHELF_KEY_SIZE];
    put_fixture(shelf, fixtures[i], NULL, key);
    if (!is_fixture(other, fixtures[i], key)) fail_msg("%s came back otherwise", fixtures[i]);
  }
  assert_int_equal(usage_of(shelf).objects, FIXTURE_COUNT);
  check_ok(ap_shelf_delete_all(shelf, &count, &err), &err);
  assert_int_equal(count, FIXTURE_COUNT);
  assert_int_equal(usage_of(shelf).used_bytes, 0);
  ap_shelf_close(shelf);
  ap_shelf_close(other);
}

static void test_a_missing_server_is_told_by_its_command(void **state) {
  ap_shelf_options options = AP_SHELF_OPTIONS_INIT;
  ap_shelf *shelf = NULL;
  ap_error err = {0};
  struct ArrowArrayStream stream = {0};
  (void)state;
  options.socket = "@apiary-test-nobody-is-here";
  check_ok(ap_shelf_open(&options, &shelf, &err), &err);
  assert_false(ap_shelf_is_connected(shelf));
  check_status(ap_shelf_get(shelf, "x", NULL, &stream, &err), AP_ABANDONED, &err);
  check_contains(err.hint, "arrowshelf-server");
  ap_shelf_close(shelf);
}

static void test_what_is_held_outlives_its_key(void **state) {
  struct ap_shelf_bed *bed = *state;
  ap_shelf *shelf = open_at(bed);
  ap_shelf_builder *builder = NULL;
  struct ArrowArray batch = {0};
  struct ArrowArray again = {0};
  struct ArrowArrayStream stream = {0};
  ap_error err = {0};
  char key[AP_SHELF_KEY_SIZE];
  build_numbers(shelf, 1000, 5, &builder);
  check_ok(ap_shelf_seal(builder, key, &err), &err);
  ap_shelf_builder_close(builder);
  first_batch(shelf, key, &batch);
  int64_t gets = usage_of(shelf).gets;
  first_batch(shelf, key, &again);
  assert_int_equal(usage_of(shelf).gets, gets); /* held: answered here */
  assert_ptr_equal(again.children[0]->buffers[1], batch.children[0]->buffers[1]);
  again.release(&again);
  check_ok(ap_shelf_delete(shelf, key, &err), &err);
  check_status(ap_shelf_get(shelf, key, NULL, &stream, &err), AP_NOT_FOUND, &err);
  assert_int_equal(usage_of(shelf).deleted, 1);
  assert_true(((const double *)batch.children[0]->buffers[1])[999] == 1004.0);
  batch.release(&batch);
  assert_int_equal(usage_of(shelf).deleted, 0);
  assert_int_equal(usage_of(shelf).used_bytes, 0);
  ap_shelf_close(shelf);
}

static void test_names_lead_where_they_are_said_to(void **state) {
  struct ap_shelf_bed *bed = *state;
  ap_shelf *shelf = open_at(bed);
  ap_shelf_put_options options = AP_SHELF_PUT_OPTIONS_INIT;
  struct ArrowArray batch = {0};
  struct ArrowArrayStream stream = {0};
  ap_error err = {0};
  char key[AP_SHELF_KEY_SIZE];
  char *json = NULL;
  options.name = "prices";
  options.labels = "daily draft";
  put_fixture(shelf, "kinds.arrows", &options, key);
  assert_true(is_fixture(shelf, "kinds.arrows", "prices"));
  struct ap_buffer bytes;
  load("kinds.arrows", &bytes);
  check_ok(ap_ipc_read(ap_buffer_text(&bytes), &stream, &err), &err);
  check_status(ap_shelf_put(shelf, &stream, &options, key, &err), AP_ALREADY_EXISTS, &err);
  ap_buffer_deinit(&bytes);
  first_batch(shelf, "prices", &batch); /* held by its name from here on */
  check_ok(ap_shelf_list(shelf, "daily", &json, &err), &err);
  check_contains(json, "\"prices\"");
  ap_string_free(json);
  check_ok(ap_shelf_delete(shelf, "prices", &err), &err);
  check_status(ap_shelf_get(shelf, "prices", NULL, &stream, &err), AP_NOT_FOUND, &err);
  put_fixture(shelf, "nested.arrows", &options, key);
  assert_true(is_fixture(shelf, "nested.arrows", "prices"));
  batch.release(&batch);
  check_ok(ap_shelf_delete_all(shelf, NULL, &err), &err);
  ap_shelf_close(shelf);
}

static sigjmp_buf fault;

static void jump(int signal) {
  siglongjmp(fault, signal);
}

/* Does writing there end by a signal? */
static bool is_read_only(void *address) {
  struct sigaction caught = {.sa_handler = jump};
  struct sigaction before;
  struct sigaction before_bus;
  volatile bool faulted = true; /* across the jump */
  assert_int_equal(sigaction(SIGSEGV, &caught, &before), 0);
  assert_int_equal(sigaction(SIGBUS, &caught, &before_bus), 0);
  if (sigsetjmp(fault, 1) == 0) {
    *(volatile char *)address = 1;
    faulted = false;
  }
  assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
  assert_int_equal(sigaction(SIGBUS, &before_bus, NULL), 0);
  return faulted;
}

static void test_nobody_writes_what_is_sealed(void **state) {
  struct ap_shelf_bed *bed = *state;
  ap_shelf *shelf = open_at(bed);
  ap_shelf_builder *builder = NULL;
  struct ArrowArray batch = {0};
  ap_error err = {0};
  char key[AP_SHELF_KEY_SIZE];
  build_numbers(shelf, 3000, 1, &builder);
  double *values = ap_shelf_builder_values(builder, 0, NULL);
  check_ok(ap_shelf_seal(builder, key, &err), &err);
  check_status(ap_shelf_seal(builder, key, &err), AP_STATE, &err);
  first_batch(shelf, key, &batch);
  assert_true(is_read_only((void *)(uintptr_t)batch.children[0]->buffers[1]));
  assert_true(is_read_only(values));
  assert_true(values[2999] == 3000.0);
  batch.release(&batch);
  ap_shelf_builder_close(builder);
  check_ok(ap_shelf_delete(shelf, key, &err), &err);
  /* The same room, to be written again. */
  build_numbers(shelf, 3000, 2, &builder);
  assert_ptr_equal(ap_shelf_builder_values(builder, 0, NULL), values);
  assert_int_equal(usage_of(shelf).unsealed, 1);
  ap_shelf_builder_close(builder);
  assert_int_equal(usage_of(shelf).unsealed, 0);
  ap_shelf_close(shelf);
}

static int read_in_child(ap_shelf *shelf, struct ArrowArray *batch, const char *key, int go) {
  char byte = 0;
  struct ArrowArrayStream stream = {0};
  if (read(go, &byte, 1) != 1) return 2;
  const double *values = batch->children[0]->buffers[1];
  for (int64_t i = 0; i < batch->length; i++) {
    if (values[i] != 7.0 + (double)i) return 3;
  }
  if (ap_shelf_get(shelf, key, NULL, &stream, NULL) != AP_NOT_FOUND) return 4;
  ap_shelf_builder *builder = NULL;
  build_numbers(shelf, 10, 0, &builder); /* writes by a mapping of its own */
  ap_shelf_builder_close(builder);
  batch->release(batch);
  return usage_of(shelf).deleted == 0 ? 0 : 5;
}

static void test_a_forked_process_holds_what_its_parent_held(void **state) {
  struct ap_shelf_bed *bed = *state;
  ap_shelf *shelf = open_at(bed);
  ap_shelf_builder *builder = NULL;
  struct ArrowArray batch = {0};
  ap_error err = {0};
  char key[AP_SHELF_KEY_SIZE];
  int go[2];
  int status = 0;
  build_numbers(shelf, 100000, 7, &builder);
  check_ok(ap_shelf_seal(builder, key, &err), &err);
  ap_shelf_builder_close(builder);
  first_batch(shelf, key, &batch);
  assert_int_equal(pipe(go), 0);
  ap_shelf_before_fork(shelf);
  pid_t child = fork();
  ap_shelf_after_fork(shelf, child == 0);
  if (child == 0) _exit(read_in_child(shelf, &batch, key, go[0]));
  /* The parent lets go and writes over all that is free; then the child may look. */
  batch.release(&batch);
  check_ok(ap_shelf_delete(shelf, key, &err), &err);
  assert_int_equal(usage_of(shelf).deleted, 1);
  for (int i = 0; i < 20; i++) {
    build_numbers(shelf, 100000, -1, &builder);
    check_ok(ap_shelf_seal(builder, key, &err), &err);
    ap_shelf_builder_close(builder);
  }
  assert_int_equal(write(go[1], "x", 1), 1);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  check_ok(ap_shelf_delete_all(shelf, NULL, &err), &err);
  (void)close(go[0]);
  (void)close(go[1]);
  ap_shelf_close(shelf);
}

static void test_the_server_may_die(void **state) {
  struct ap_shelf_bed *bed = *state;
  ap_shelf *shelf = open_at(bed);
  ap_shelf_builder *builder = NULL;
  ap_shelf_builder *unsealed = NULL;
  struct ArrowArray batch = {0};
  struct ArrowArrayStream stream = {0};
  ap_error err = {0};
  char key[AP_SHELF_KEY_SIZE];
  build_numbers(shelf, 5000, 3, &builder);
  check_ok(ap_shelf_seal(builder, key, &err), &err);
  ap_shelf_builder_close(builder);
  build_numbers(shelf, 5000, 4, &unsealed);
  first_batch(shelf, key, &batch);
  assert_int_equal(ap_shelf_bed_stop(bed, SIGKILL), 1000 + SIGKILL);
  assert_false(ap_shelf_is_connected(shelf));
  check_status(ap_shelf_get(shelf, "other", NULL, &stream, &err), AP_ABANDONED, &err);
  ap_shelf_bed_restart(bed);
  assert_true(ap_shelf_is_connected(shelf));
  check_status(ap_shelf_get(shelf, key, NULL, &stream, &err), AP_NOT_FOUND, &err);
  check_status(ap_shelf_seal(unsealed, key, &err), AP_ABANDONED, &err);
  ap_shelf_builder_close(unsealed);
  put_fixture(shelf, "kinds.arrows", NULL, key);
  assert_true(is_fixture(shelf, "kinds.arrows", key));
  assert_true(((const double *)batch.children[0]->buffers[1])[4999] == 5002.0);
  batch.release(&batch);
  check_ok(ap_shelf_delete_all(shelf, NULL, &err), &err);
  ap_shelf_close(shelf);
}

/* Stands between one client and the server, and spoils the answer to STATS. Ends with the client's
 * connection, and then closes its own to the server. */
static int relay(const struct ap_shelf_bed *bed, const char *name, int ready) {
  static uint8_t bytes[AP_SHELF_PACKET_BYTES_MAX];
  int listening = -1;
  int lock = -1;
  int client = -1;
  int server = -1;
  struct ap_socket_peer peer;
  bool spoils = false;
  if (ap_socket_listen(name, &listening, &lock, NULL) != AP_OK) return 1;
  if (write(ready, "x", 1) != 1) return 2;
  while (client < 0) {
    if (ap_socket_accept(listening, &client, &peer, NULL) != AP_OK) return 3;
    if (client < 0) (void)usleep(1000);
  }
  if (ap_socket_connect(bed->socket, &server, NULL) != AP_OK) return 4;
  for (;;) {
    bool any = false;
    for (int way = 0; way < 2; way++) {
      int descriptors[AP_SOCKET_DESCRIPTORS_MAX];
      size_t count = 0;
      size_t size = 0;
      enum ap_socket_outcome outcome;
      if (ap_socket_receive(way == 0 ? client : server, bytes, sizeof(bytes), 0, &size, descriptors,
                            &count, &outcome, NULL) != AP_OK) {
        return 5;
      }
      if (outcome == AP_SOCKET_CLOSED) return 0;
      if (outcome != AP_SOCKET_DONE) continue;
      any = true;
      if (way == 0) spoils = bytes[3] == AP_SHELF_STATS;
      if (way == 1 && spoils) memset(bytes, 0xee, size);
      if (ap_socket_send(way == 0 ? server : client, bytes, size, descriptors, count, &outcome,
                         NULL) != AP_OK) {
        return 6;
      }
      for (size_t i = 0; i < count; i++) ap_descriptor_close(descriptors[i]);
    }
    if (!any) (void)usleep(1000);
  }
}

static void test_a_corrupt_answer_costs_nothing_that_is_held(void **state) {
  struct ap_shelf_bed *bed = *state;
  ap_shelf *direct = open_at(bed);
  struct ap_shelf_bed between = *bed;
  struct ArrowArray batch = {0};
  ap_shelf_builder *builder = NULL;
  ap_shelf_usage usage = AP_SHELF_USAGE_INIT;
  ap_error err = {0};
  char key[AP_SHELF_KEY_SIZE];
  char mark = 0;
  int ready[2];
  int status = 0;
  (void)snprintf(between.socket, sizeof(between.socket), "@apiary-relay-%d", (int)getpid());
  assert_int_equal(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) _exit(relay(bed, between.socket, ready[1]));
  assert_int_equal(read(ready[0], &mark, 1), 1);
  ap_shelf *shelf = open_at(&between);
  build_numbers(direct, 5000, 3, &builder);
  check_ok(ap_shelf_seal(builder, key, &err), &err);
  ap_shelf_builder_close(builder);
  first_batch(shelf, key, &batch);
  check_status(ap_shelf_get_usage(shelf, &usage, &err), AP_CORRUPT, &err);
  (void)usleep(100000); /* in which a relay whose client went would have ended */
  check_ok(ap_shelf_delete(direct, key, &err), &err);
  assert_int_equal(usage_of(direct).deleted, 1);
  assert_true(((const double *)batch.children[0]->buffers[1])[4999] == 5002.0);
  batch.release(&batch);
  ap_shelf_close(shelf);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  for (int i = 0; i < 1000 && usage_of(direct).deleted > 0; i++) (void)usleep(1000);
  assert_int_equal(usage_of(direct).deleted, 0);
  (void)close(ready[0]);
  (void)close(ready[1]);
  ap_shelf_close(direct);
}

struct worker {
  ap_shelf *shelf;
  uint64_t seed;
  uint64_t rounds;
};

/* Build, read and delete numbers that tell whether they are whole. */
static void work(void *context) {
  struct worker *worker = context;
  struct ap_seeded_random random;
  ap_error err = {0};
  ap_seeded_random_init(&random, worker->seed);
  for (uint64_t round = 0; round < worker->rounds; round++) {
    ap_shelf_builder *builder = NULL;
    struct ArrowArray batches[3] = {0};
    char key[AP_SHELF_KEY_SIZE];
    int64_t rows = 1 + (int64_t)ap_random_below(&random.base, 20000);
    double first = (double)ap_random_below(&random.base, 1000000);
    build_numbers(worker->shelf, rows, first, &builder);
    check_ok(ap_shelf_seal(builder, key, &err), &err);
    for (int i = 0; i < 3; i++) first_batch(worker->shelf, key, &batches[i]);
    ap_shelf_builder_close(builder);
    if (round % 2 == 0) check_ok(ap_shelf_delete(worker->shelf, key, &err), &err);
    for (int i = 0; i < 3; i++) {
      const double *values = batches[i].children[0]->buffers[1];
      for (int64_t row = 0; row < rows; row++) assert_true(values[row] == first + (double)row);
      batches[i].release(&batches[i]);
    }
    if (round % 2 == 1) check_ok(ap_shelf_delete(worker->shelf, key, &err), &err);
  }
}

static void test_threads_share_a_handle(void **state) {
  struct ap_shelf_bed *bed = *state;
  ap_shelf *shelf = open_at(bed);
  struct ap_threads *threads = ap_threads_system();
  struct ap_thread *started[4] = {0};
  struct worker workers[4];
  uint64_t seed = ap_test_seed("shelf/shelf threads");
  for (uint64_t i = 0; i < 4; i++) {
    workers[i] = (struct worker){shelf, seed + i, ap_test_rounds(60)};
    check_ok(threads->spawn(threads, work, &workers[i], &started[i], NULL), NULL);
  }
  for (int i = 0; i < 4; i++) threads->join(threads, started[i]);
  assert_int_equal(usage_of(shelf).used_bytes, 0);
  assert_int_equal(usage_of(shelf).unsealed, 0);
  ap_shelf_close(shelf);
}

static int start(void **state) {
  static struct ap_shelf_bed bed;
  ap_shelf_bed_start(&bed, "shelf", MEMORY_BYTES);
  *state = &bed;
  return 0;
}

static int stop(void **state) {
  return ap_shelf_bed_stop(*state, SIGTERM);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_is_put_is_got),
      cmocka_unit_test(test_a_missing_server_is_told_by_its_command),
      cmocka_unit_test(test_what_is_held_outlives_its_key),
      cmocka_unit_test(test_names_lead_where_they_are_said_to),
      cmocka_unit_test(test_nobody_writes_what_is_sealed),
      cmocka_unit_test(test_a_forked_process_holds_what_its_parent_held),
      cmocka_unit_test(test_the_server_may_die),
      cmocka_unit_test(test_a_corrupt_answer_costs_nothing_that_is_held),
      cmocka_unit_test(test_threads_share_a_handle),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
