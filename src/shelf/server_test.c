/* SPDX-License-Identifier: Apache-2.0
 *
 * The shelf's server in a process of its own: what clients can rely on, what hostile or dying ones
 * cannot do, how it ends and begins again.
 */
#include "testing/check.h"
#include "testing/random.h"
#include "testing/shelf_bed.h"

#include "base/json.h"
#include "base/limits.h"
#include "port/env.h"
#include "port/memory.h"
#include "port/socket.h"
#include "shelf/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static const struct ap_shelf_key none = {{0}};

static void open_client(struct ap_shelf_wire_client *client, const struct ap_shelf_bed *bed,
                        enum ap_shelf_role role) {
  assert_true(ap_shelf_wire_open(client, bed->socket, role));
}

static int64_t statistic(struct ap_shelf_wire_client *client, enum ap_shelf_statistic which) {
  int64_t numbers[AP_SHELF_STATISTICS];
  assert_true(ap_shelf_wire_statistics(client, numbers));
  return numbers[which];
}

/* Until the number is what it must become; the connection's deadline is what ends it otherwise. */
static void await_statistic(struct ap_shelf_wire_client *client, enum ap_shelf_statistic which,
                            int64_t at_most) {
  struct ap_clock *clock = ap_clock_system();
  int64_t until = ap_clock_monotonic_us(clock) + 60000000;
  while (statistic(client, which) > at_most) {
    assert_true(ap_clock_monotonic_us(clock) < until);
    ap_clock_sleep_ms(clock, 5);
  }
}

static void test_put_and_get(void **state) {
  static struct ap_shelf_wire_client writer;
  static struct ap_shelf_wire_client reader;
  struct ap_shelf_bed bed = {0};
  struct ap_shelf_key key;
  struct ap_shelf_key found;
  (void)state;
  ap_shelf_bed_start(&bed, "put", 16 * MIB);
  open_client(&writer, &bed, AP_SHELF_WRITER);
  open_client(&reader, &bed, AP_SHELF_READER);
  assert_int_equal(writer.server_process, bed.process);
  check_status(ap_shelf_wire_get(&reader, none, "n", true, &found), AP_NOT_FOUND, NULL);
  check_ok(ap_shelf_wire_put(&writer, 100000, 7, "n", false, &key), NULL);
  check_ok(ap_shelf_wire_get(&reader, none, "n", true, &found), NULL);
  assert_true(ap_shelf_key_equal(found, key));
  assert_int_equal(mprotect(reader.arena, 4096, PROT_READ | PROT_WRITE), -1);
  assert_int_equal(errno, EACCES);
  struct ap_shelf_key other;
  check_status(ap_shelf_wire_put(&reader, 10, 1, "", false, &other), AP_PERMISSION, NULL);
  check_status(ap_shelf_wire_put(&writer, 10, 1, "n", false, &other), AP_ALREADY_EXISTS, NULL);
  check_status(ap_shelf_wire_put(&writer, 17 * MIB, 1, "", false, &other), AP_MEMORY_EXCEEDED,
               NULL);
  /* Deleted, it is gone for all; for its holder the memory stays. */
  uint64_t removals = atomic_load(&reader.counters->removals);
  check_ok(ap_shelf_wire_by_key(&writer, AP_SHELF_DELETE, key), NULL);
  assert_int_equal(atomic_load(&reader.counters->removals), removals + 1);
  check_status(ap_shelf_wire_get(&reader, key, "", true, &found), AP_NOT_FOUND, NULL);
  assert_int_equal(statistic(&writer, AP_SHELF_STAT_DELETED), 1);
  check_ok(ap_shelf_wire_by_key(&reader, AP_SHELF_RELEASE, key), NULL);
  assert_int_equal(statistic(&writer, AP_SHELF_STAT_USED), 0);
  ap_shelf_wire_close(&writer);
  ap_shelf_wire_close(&reader);
  assert_int_equal(ap_shelf_bed_stop(&bed, SIGTERM), 0);
}

static int64_t list(struct ap_shelf_wire_client *client, const char *label, int64_t *out_pages) {
  int64_t count = 0;
  int64_t after = 0;
  *out_pages = 0;
  do {
    struct ap_shelf_packet answer;
    struct ap_shelf_packet request = {.kind = AP_SHELF_LIST, .a = after, .text = ap_text_of(label)};
    const struct ap_json *value = NULL;
    struct ap_arena arena;
    struct ap_buffer text;
    ap_error err = {0};
    assert_true(ap_shelf_wire_call(client, request, &answer));
    ap_arena_init(&arena, ap_allocator_system());
    ap_buffer_init(&text, ap_allocator_system());
    ap_buffer_append_format(&text, "[%.*s]", AP_TEXT_ARG(answer.text));
    check_ok(ap_json_parse(&arena, ap_buffer_text(&text), &value, &err), &err);
    assert_int_equal(value->count, answer.a);
    count += answer.a;
    after = answer.b;
    ap_buffer_deinit(&text);
    ap_arena_deinit(&arena);
    *out_pages += 1;
  } while (after != 0);
  return count;
}

static void test_lists_names_pins_forks(void **state) {
  static struct ap_shelf_wire_client client;
  static struct ap_shelf_wire_client child;
  struct ap_shelf_bed bed = {0};
  struct ap_shelf_key key = none;
  struct ap_shelf_key found;
  struct ap_shelf_packet answer;
  int64_t pages = 0;
  (void)state;
  ap_shelf_bed_start(&bed, "list", 64 * MIB);
  open_client(&client, &bed, AP_SHELF_WRITER);
  for (int i = 0; i < 10000; i++) {
    check_ok(ap_shelf_wire_put(&client, 100, i, "", i % 100 == 0, &key), NULL);
  }
  assert_int_equal(list(&client, "", &pages), 10000);
  assert_true(pages > 1);
  assert_int_equal(statistic(&client, AP_SHELF_STAT_USED), 10000 * 128);
  struct ap_shelf_packet rename = {.kind = AP_SHELF_RENAME,
                                   .flags = AP_SHELF_FLAG_NAME | AP_SHELF_FLAG_LABELS,
                                   .key = key,
                                   .text = {"n\0red blue", 10}};
  assert_true(ap_shelf_wire_call(&client, rename, &answer));
  assert_int_equal(answer.status, AP_OK);
  assert_int_equal(list(&client, "blue", &pages), 1);
  assert_int_equal(list(&client, "green", &pages), 0);
  check_ok(ap_shelf_wire_get(&client, none, "n", true, &found), NULL);
  struct ap_shelf_packet pin = {
      .kind = AP_SHELF_PIN, .flags = AP_SHELF_FLAG_PINNED, .text = AP_TEXT("n")};
  assert_true(ap_shelf_wire_call(&client, pin, &answer));
  assert_int_equal(answer.status, AP_OK);
  /* A second connection takes over what the first holds, which then goes. */
  open_client(&child, &bed, AP_SHELF_READER);
  struct ap_shelf_packet fork_request = {.kind = AP_SHELF_FORK, .key = client.token};
  assert_true(ap_shelf_wire_call(&child, fork_request, &answer));
  assert_int_equal(answer.a, 101);
  ap_shelf_wire_close(&client);
  struct ap_shelf_packet all = {.kind = AP_SHELF_DELETE, .flags = AP_SHELF_FLAG_ALL};
  assert_true(ap_shelf_wire_call(&child, all, &answer));
  assert_int_equal(answer.a, 10000);
  await_statistic(&child, AP_SHELF_STAT_CONNECTIONS, 1);
  assert_int_equal(statistic(&child, AP_SHELF_STAT_DELETED), 101);
  fork_request.key = client.token;
  assert_true(ap_shelf_wire_call(&child, fork_request, &answer));
  assert_int_equal(answer.status, AP_NOT_FOUND);
  ap_shelf_wire_close(&child);
  assert_int_equal(ap_shelf_bed_stop(&bed, SIGTERM), 0);
}

static void test_events(void **state) {
  static struct ap_shelf_wire_client writer;
  static struct ap_shelf_wire_client watcher;
  struct ap_shelf_bed bed = {0};
  struct ap_shelf_packet answer;
  struct ap_shelf_key key;
  (void)state;
  ap_shelf_bed_start(&bed, "events", 16 * MIB);
  open_client(&writer, &bed, AP_SHELF_WRITER);
  open_client(&watcher, &bed, AP_SHELF_SUBSCRIBER);
  struct ap_shelf_packet subscribe = {.kind = AP_SHELF_SUBSCRIBE,
                                      .flags = AP_SHELF_FLAG_SEALED | AP_SHELF_FLAG_DELETED};
  assert_true(ap_shelf_wire_call(&writer, subscribe, &answer));
  assert_int_equal(answer.status, AP_STATE);
  assert_true(ap_shelf_wire_call(&watcher, subscribe, &answer));
  assert_int_equal(answer.status, AP_OK);
  check_ok(ap_shelf_wire_put(&writer, 100, 5, "n", false, &key), NULL);
  assert_true(ap_shelf_wire_receive(&watcher, &answer));
  assert_int_equal(answer.kind, AP_SHELF_EVENT);
  assert_int_equal(answer.flags, AP_SHELF_FLAG_SEALED);
  assert_true(ap_shelf_key_equal(answer.key, key) && answer.a == 100 && answer.c == 5);
  check_text(ap_shelf_text_part(answer.text, 0), "n");
  check_ok(ap_shelf_wire_by_key(&writer, AP_SHELF_DELETE, key), NULL);
  assert_true(ap_shelf_wire_receive(&watcher, &answer));
  assert_int_equal(answer.flags, AP_SHELF_FLAG_DELETED);
  /* One that does not read loses events and is told how many; all others go on. */
  int64_t sealed = 4 * AP_SHELF_EVENTS_MAX;
  for (int64_t i = 0; i < sealed; i++) {
    check_ok(ap_shelf_wire_put(&writer, 1, i, "", false, &key), NULL);
  }
  int64_t heard = 0;
  int64_t lost = 0;
  while (heard + lost < sealed) {
    assert_true(ap_shelf_wire_receive(&watcher, &answer));
    if (answer.flags == AP_SHELF_FLAG_LOST) {
      lost += answer.a;
    } else {
      heard++;
    }
  }
  assert_true(lost > 0 && heard > 0 && heard + lost == sealed);
  ap_shelf_wire_close(&watcher);
  ap_shelf_wire_close(&writer);
  assert_int_equal(ap_shelf_bed_stop(&bed, SIGTERM), 0);
}

/* Bytes that are no packet, packets out of turn, descriptors: the connection ends, nobody else's.
 */
static void test_hostile(void **state) {
  static struct ap_shelf_wire_client good;
  static struct ap_shelf_wire_client bad;
  static uint8_t bytes[4096];
  struct ap_shelf_bed bed = {0};
  struct ap_seeded_random random;
  struct ap_shelf_key key;
  (void)state;
  ap_seeded_random_init(&random, ap_test_seed("hostile"));
  ap_shelf_bed_start(&bed, "hostile", 16 * MIB);
  open_client(&good, &bed, AP_SHELF_WRITER);
  uint64_t rounds = ap_test_rounds(300);
  for (uint64_t i = 0; i < rounds; i++) {
    struct ap_shelf_packet packet = {.kind = AP_SHELF_GET, .text = AP_TEXT("n")};
    enum ap_socket_outcome outcome = AP_SOCKET_CLOSED;
    size_t size = 0;
    ap_error err = {0};
    open_client(&bad, &bed, AP_SHELF_READER);
    if (i % 2 == 0) {
      size = 1 + ap_random_below(&random.base, sizeof bytes);
      random.base.fill(&random.base, bytes, size);
    } else {
      check_ok(ap_shelf_packet_encode(&packet, bytes, &size, &err), &err);
      bytes[ap_random_below(&random.base, 16)] ^= 0x40; /* magic to text size */
    }
    const int extra = 0;
    check_ok(ap_socket_send(bad.socket, bytes, size, &extra, i % 5 == 0, &outcome, &err), &err);
    while (ap_shelf_wire_receive(&bad, &packet)) { /* a refusal at most, then the end */
      assert_int_not_equal(packet.status, AP_OK);
      if (packet.status == AP_NOT_FOUND) break; /* the byte was one that may differ */
    }
    ap_shelf_wire_close(&bad);
  }
  assert_int_equal(ap_socket_connect(bed.socket, &bad.socket, NULL), AP_OK);
  struct ap_shelf_packet early = {.kind = AP_SHELF_STATS}; /* before HELLO */
  assert_true(ap_shelf_wire_send(&bad, &early));
  assert_false(ap_shelf_wire_receive(&bad, &early));
  ap_descriptor_close(bad.socket);
  check_ok(ap_shelf_wire_put(&good, 1000, 1, "", false, &key), NULL);
  ap_shelf_wire_close(&good);
  assert_int_equal(ap_shelf_bed_stop(&bed, SIGTERM), 0);
}

/* Who asks and never reads waits alone: the server stops reading from it. */
static void test_slow_reader(void **state) {
  static struct ap_shelf_wire_client slow;
  static struct ap_shelf_wire_client good;
  struct ap_shelf_bed bed = {0};
  struct ap_shelf_key key;
  struct ap_shelf_packet answer;
  struct ap_shelf_extent wanted[4000];
  int64_t sent = 0;
  (void)state;
  ap_shelf_bed_start(&bed, "slow", 16 * MIB);
  open_client(&slow, &bed, AP_SHELF_WRITER);
  open_client(&good, &bed, AP_SHELF_WRITER);
  for (int i = 0; i < 4000; i++) wanted[i] = (struct ap_shelf_extent){0, 1};
  struct ap_shelf_packet create = {
      .kind = AP_SHELF_CREATE, .extents = wanted, .extent_count = 4000};
  assert_true(ap_shelf_wire_call(&slow, create, &answer)); /* answers of 64 KB each */
  int64_t place = ap_shelf_packet_extent(&answer, 0).offset;
  struct ap_shelf_packet seal = {
      .kind = AP_SHELF_SEAL, .key = answer.key, .a = place, .b = 1, .text = {"n\0", 2}};
  assert_true(ap_shelf_wire_call(&slow, seal, &answer));
  assert_int_equal(fcntl(slow.socket, F_SETFL, O_NONBLOCK), 0);
  struct ap_shelf_packet get = {.kind = AP_SHELF_GET, .text = AP_TEXT("n")};
  while (ap_shelf_wire_send(&slow, &get)) sent++; /* until the socket takes no more */
  assert_true(sent < 100000);
  for (int i = 0; i < 100; i++) {
    check_ok(ap_shelf_wire_put(&good, 1000, i, "", false, &key), NULL);
  }
  for (int64_t i = 0; i < sent; i++) assert_true(ap_shelf_wire_receive(&slow, &answer));
  assert_int_equal(answer.extent_count, 4000);
  ap_shelf_wire_close(&slow);
  ap_shelf_wire_close(&good);
  assert_int_equal(ap_shelf_bed_stop(&bed, SIGTERM), 0);
}

/* A client that is killed leaves neither unsealed objects nor references. */
static void test_dying_client(void **state) {
  static struct ap_shelf_wire_client client;
  static struct ap_shelf_wire_client dying;
  struct ap_shelf_bed bed = {0};
  struct ap_shelf_key key;
  int ends[2];
  char byte = 0;
  (void)state;
  ap_shelf_bed_start(&bed, "dying", 16 * MIB);
  open_client(&client, &bed, AP_SHELF_WRITER);
  check_ok(ap_shelf_wire_put(&client, 5 * MIB, 3, "n", false, &key), NULL);
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    const struct ap_shelf_extent wanted = {0, 7 * MIB};
    struct ap_shelf_packet create = {
        .kind = AP_SHELF_CREATE, .extents = &wanted, .extent_count = 1};
    struct ap_shelf_packet answer;
    bool done = ap_shelf_wire_open(&dying, bed.socket, AP_SHELF_WRITER) &&
                ap_shelf_wire_get(&dying, key, "", true, &key) == AP_OK &&
                ap_shelf_wire_call(&dying, create, &answer) && write(ends[1], "x", 1) == 1;
    while (done) (void)pause();
    _exit(1);
  }
  assert_int_equal(read(ends[0], &byte, 1), 1);
  assert_int_equal(statistic(&client, AP_SHELF_STAT_UNSEALED), 1);
  check_ok(ap_shelf_wire_by_key(&client, AP_SHELF_DELETE, key), NULL);
  assert_int_equal(statistic(&client, AP_SHELF_STAT_USED), 12 * MIB);
  assert_int_equal(kill(child, SIGKILL), 0);
  await_statistic(&client, AP_SHELF_STAT_USED, 0);
  assert_int_equal(statistic(&client, AP_SHELF_STAT_UNSEALED), 0);
  assert_int_equal(waitpid(child, NULL, 0), child);
  /* Free and beyond the warm part, which is none here, memory goes back to the machine. */
  await_statistic(&client, AP_SHELF_STAT_RESIDENT, 0);
  ap_descriptor_close(ends[0]);
  ap_descriptor_close(ends[1]);
  ap_shelf_wire_close(&client);
  assert_int_equal(ap_shelf_bed_stop(&bed, SIGTERM), 0);
}

/* An ending server lets what is begun be finished, takes nothing new, and frees its name at once.
 */
static void test_draining(void **state) {
  static struct ap_shelf_wire_client client;
  static struct ap_shelf_wire_client late;
  struct ap_shelf_bed bed = {0};
  struct ap_shelf_key key;
  struct ap_shelf_packet answer;
  const struct ap_shelf_extent wanted = {0, 1000};
  (void)state;
  ap_shelf_bed_start(&bed, "draining", 16 * MIB);
  struct ap_shelf_server_settings second = {.socket = bed.socket, .memory_bytes = MIB};
  ap_error err = {0};
  check_status(ap_shelf_server_run(&second, ap_env_system(), &err), AP_ALREADY_EXISTS, &err);
  check_contains(err.message, bed.socket);
  check_contains(err.hint, "--socket");
  open_client(&client, &bed, AP_SHELF_WRITER);
  check_ok(ap_shelf_wire_put(&client, 1000, 4, "kept", true, &key), NULL);
  struct ap_shelf_packet create = {.kind = AP_SHELF_CREATE, .extents = &wanted, .extent_count = 1};
  assert_true(ap_shelf_wire_call(&client, create, &answer));
  struct ap_shelf_packet seal = {.kind = AP_SHELF_SEAL,
                                 .key = answer.key,
                                 .a = ap_shelf_packet_extent(&answer, 0).offset,
                                 .b = 1,
                                 .text = {"\0", 1}};
  assert_true(
      ap_shelf_wire_call(&client, (struct ap_shelf_packet){.kind = AP_SHELF_SHUTDOWN}, &answer));
  assert_int_equal(answer.status, AP_OK);
  assert_true(ap_shelf_wire_call(&client, create, &answer));
  assert_int_equal(answer.status, AP_ABANDONED);
  assert_false(ap_shelf_wire_open(&late, bed.socket, AP_SHELF_READER));
  assert_true(ap_shelf_wire_call(&client, seal, &answer));
  assert_int_equal(answer.status, AP_OK);
  int status = 0;
  assert_int_equal(waitpid(bed.process, &status, 0), bed.process);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  assert_int_equal(atomic_load(&client.counters->ended), 1);
  bed.process = 0;
  ap_shelf_bed_restart(&bed);
  open_client(&late, &bed, AP_SHELF_READER);
  assert_int_equal(statistic(&late, AP_SHELF_STAT_OBJECTS), 0);
  /* What was mapped of the first one is still there. */
  assert_false(ap_shelf_wire_receive(&client, &answer));
  assert_true(client.arena[0] == client.arena[0]);
  ap_shelf_wire_close(&client);
  ap_shelf_wire_close(&late);
  assert_int_equal(ap_shelf_bed_stop(&bed, SIGKILL), 1000 + SIGKILL);
  ap_shelf_bed_restart(&bed); /* nothing is in the way */
  assert_int_equal(ap_shelf_bed_stop(&bed, SIGINT), 0);
}

/* Another user's process is not let in. Only root can become another. */
static void test_other_user(void **state) {
  static struct ap_shelf_wire_client client;
  struct ap_shelf_bed bed = {0};
  int status = 0;
  (void)state;
  if (geteuid() != 0) return;
  ap_shelf_bed_start(&bed, "user", 16 * MIB);
  pid_t child = fork();
  if (child == 0) {
    bool other = setuid(65534) == 0;
    /* A server of root is trusted by all, so it is for the server to refuse. */
    bool let_in = ap_shelf_wire_open(&client, bed.socket, AP_SHELF_READER);
    _exit(other && !let_in ? 0 : 1);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  assert_int_equal(ap_shelf_bed_stop(&bed, SIGTERM), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_put_and_get), cmocka_unit_test(test_lists_names_pins_forks),
      cmocka_unit_test(test_events),      cmocka_unit_test(test_hostile),
      cmocka_unit_test(test_slow_reader), cmocka_unit_test(test_dying_client),
      cmocka_unit_test(test_draining),    cmocka_unit_test(test_other_user),
  };
  return AP_RUN_TESTS(tests);
}
