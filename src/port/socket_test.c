/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared memory and sockets between real processes.
 */
#include "testing/check.h"

#include "port/memory.h"
#include "port/socket.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BYTES = 1 << 20 };

static void make_path(char *out, size_t size) {
  char folder[] = "/tmp/apiary-socket-XXXXXX";
  assert_non_null(mkdtemp(folder));
  (void)snprintf(out, size, "%s/s", folder);
}

static void remove_path(char *path) {
  *strrchr(path, '/') = '\0';
  assert_int_equal(rmdir(path), 0); /* nothing is left in it */
}

/* Exit status, or the signal that ended it + 1000. */
static int status_of(pid_t child) {
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* In a child: by the system's own handling of faults, not the test program's. */
static _Noreturn void write_to(void *address) {
  (void)signal(SIGSEGV, SIG_DFL);
  *(volatile char *)address = 1;
  _exit(0);
}

static void test_read_only(void **state) {
  ap_error err = {0};
  int writer = -1;
  int reader = -1;
  void *written = NULL;
  void *seen = NULL;
  int64_t size = 0;
  (void)state;
  assert_int_equal(ap_memory_create("test", BYTES, &writer, &err), AP_OK);
  assert_int_equal(ap_memory_open_read_only(writer, &reader, &err), AP_OK);
  assert_int_equal(ap_memory_size(reader, &size, &err), AP_OK);
  assert_int_equal(size, BYTES);
  assert_int_equal(ap_memory_map(writer, BYTES, true, &written, &err), AP_OK);
  assert_int_equal(ap_memory_map(reader, BYTES, false, &seen, &err), AP_OK);
  ap_memory_populate(written, BYTES);
  memset(written, 7, BYTES);
  assert_int_equal(((unsigned char *)seen)[BYTES - 1], 7);
  /* Neither the mapping nor the descriptor lets a reader write, and nobody can shrink it. */
  assert_int_equal(mprotect(seen, BYTES, PROT_READ | PROT_WRITE), -1);
  assert_int_equal(errno, EACCES);
  void *refused = NULL;
  assert_int_equal(ap_memory_map(reader, BYTES, true, &refused, &err), AP_PERMISSION);
  assert_int_equal(ftruncate(writer, 0), -1);
  pid_t child = fork();
  if (child == 0) {
    write_to(seen);
  }
  assert_int_equal(status_of(child), 1000 + SIGSEGV);
  /* A forked process has no writable mapping at all. */
  child = fork();
  if (child == 0) {
    write_to(written);
  }
  assert_int_equal(status_of(child), 1000 + SIGSEGV);
  int64_t page = ap_memory_page_bytes();
  assert_int_equal(ap_memory_protect(written, page, false, &err), AP_OK);
  assert_int_equal(ap_memory_protect(written, page, true, &err), AP_OK);
  *(char *)written = 9;
  ap_memory_discard(writer, page, BYTES - page);
  assert_int_equal(((unsigned char *)seen)[0], 9);
  assert_int_equal(((unsigned char *)seen)[page], 0);
  ap_memory_unmap(written, BYTES);
  ap_memory_unmap(seen, BYTES);
  ap_descriptor_close(writer);
  ap_descriptor_close(reader);
}

static void test_memory_that_may_shrink(void **state) {
  ap_error err = {0};
  int64_t size = 0;
  int ends[2];
  (void)state;
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(ap_memory_size(ends[0], &size, &err), AP_INVALID_ARGUMENT);
  ap_descriptor_close(ends[0]);
  ap_descriptor_close(ends[1]);
  ap_descriptor_close(-1);
}

/* The child connects, sends its number, takes a descriptor and reads what the parent wrote. */
static int run_client(const char *path) {
  ap_error err = {0};
  int socket = -1;
  int descriptors[AP_SOCKET_DESCRIPTORS_MAX];
  size_t count = 0;
  size_t size = 0;
  char text[16];
  void *seen = NULL;
  enum ap_socket_outcome outcome = AP_SOCKET_CLOSED;
  if (ap_socket_connect(path, &socket, &err) != AP_OK) return 2;
  if (ap_socket_send(socket, "hello", 5, NULL, 0, &outcome, &err) != AP_OK) return 3;
  if (ap_socket_receive(socket, text, sizeof text, 10000, &size, descriptors, &count, &outcome,
                        &err) != AP_OK) {
    return 4;
  }
  if (outcome != AP_SOCKET_DONE || size != 4 || count != 1) return 5;
  if (ap_memory_map(descriptors[0], BYTES, false, &seen, &err) != AP_OK) return 6;
  return memcmp(seen, "shared", 6) == 0 ? 0 : 7;
}

static void serve_one(int listening, struct ap_waiter *waiter, int memory) {
  ap_error err = {0};
  void *found[4];
  size_t count = 0;
  size_t size = 0;
  bool ended = true;
  int socket = -1;
  int descriptors[AP_SOCKET_DESCRIPTORS_MAX];
  char text[16];
  struct ap_socket_peer peer = {0};
  enum ap_socket_outcome outcome = AP_SOCKET_CLOSED;
  assert_int_equal(ap_waiter_wait(waiter, 10000, found, 4, &count, &ended, &err), AP_OK);
  assert_int_equal(count, 1);
  assert_false(ended);
  assert_int_equal(ap_socket_accept(listening, &socket, &peer, &err), AP_OK);
  assert_true(socket >= 0);
  assert_int_equal(peer.user, ap_process_user());
  assert_int_not_equal(peer.process, ap_process_id());
  assert_int_equal(
      ap_socket_receive(socket, text, 3, 10000, &size, descriptors, &count, &outcome, &err),
      AP_CORRUPT); /* longer than there is room for */
  assert_int_equal(ap_socket_send(socket, "take", 4, &memory, 1, &outcome, &err), AP_OK);
  assert_int_equal(outcome, AP_SOCKET_DONE);
  assert_int_equal(ap_socket_receive(socket, text, sizeof text, 10000, &size, descriptors, &count,
                                     &outcome, &err),
                   AP_OK);
  assert_int_equal(outcome, AP_SOCKET_CLOSED);
  ap_descriptor_close(socket);
}

static void test_descriptors_travel(void **state) {
  ap_error err = {0};
  char path[108];
  int listening = -1;
  int lock = -1;
  int memory = -1;
  int reader = -1;
  void *written = NULL;
  struct ap_waiter *waiter = NULL;
  (void)state;
  make_path(path, sizeof path);
  assert_int_equal(ap_memory_create("test", BYTES, &memory, &err), AP_OK);
  assert_int_equal(ap_memory_open_read_only(memory, &reader, &err), AP_OK);
  assert_int_equal(ap_memory_map(memory, BYTES, true, &written, &err), AP_OK);
  memcpy(written, "shared", 6);
  assert_int_equal(ap_socket_listen(path, &listening, &lock, &err), AP_OK);
  int second = -1;
  int second_lock = -1;
  assert_int_equal(ap_socket_listen(path, &second, &second_lock, &err), AP_ALREADY_EXISTS);
  assert_int_equal(ap_waiter_create(true, &waiter, &err), AP_OK);
  assert_int_equal(ap_waiter_add(waiter, listening, &listening, &err), AP_OK);
  pid_t child = fork();
  if (child == 0) _exit(run_client(path));
  serve_one(listening, waiter, reader);
  assert_int_equal(status_of(child), 0);

  void *found[1];
  size_t count = 0;
  bool ended = false;
  assert_int_equal(kill(getpid(), SIGTERM), 0);
  assert_int_equal(ap_waiter_wait(waiter, 10000, found, 1, &count, &ended, &err), AP_OK);
  assert_true(ended);
  ap_waiter_remove(waiter, listening);
  ap_waiter_destroy(waiter);
  ap_socket_unlisten(path, listening, lock);
  assert_int_equal(ap_socket_connect(path, &second, &err), AP_NOT_FOUND);
  remove_path(path);
  ap_memory_unmap(written, BYTES);
  ap_descriptor_close(memory);
  ap_descriptor_close(reader);
}

/* What a killed server left is taken over by the next. */
static void test_dead_path(void **state) {
  ap_error err = {0};
  char path[108];
  int listening = -1;
  int lock = -1;
  (void)state;
  make_path(path, sizeof path);
  pid_t child = fork();
  if (child == 0) {
    _exit(ap_socket_listen(path, &listening, &lock, &err) == AP_OK ? 0 : 1);
  }
  assert_int_equal(status_of(child), 0);
  assert_int_equal(ap_socket_connect(path, &listening, &err), AP_NOT_FOUND);
  assert_int_equal(ap_socket_listen(path, &listening, &lock, &err), AP_OK);
  ap_socket_unlisten(path, listening, lock);
  remove_path(path);
}

/* An abstract name: one serves it, and it is free as soon as that one is gone, however it went. */
static void test_abstract_name(void **state) {
  ap_error err = {0};
  char name[64];
  int listening = -1;
  int lock = -1;
  int second = -1;
  int pipe_ends[2];
  char byte = 0;
  (void)state;
  (void)snprintf(name, sizeof name, "@apiary-test-%d", (int)ap_process_id());
  assert_int_equal(ap_socket_connect(name, &second, &err), AP_NOT_FOUND);
  assert_int_equal(pipe(pipe_ends), 0);
  pid_t child = fork();
  if (child == 0) {
    bool heard = ap_socket_listen(name, &listening, &lock, &err) == AP_OK &&
                 write(pipe_ends[1], "x", 1) == 1;
    while (heard) (void)pause();
    _exit(1);
  }
  assert_int_equal(read(pipe_ends[0], &byte, 1), 1);
  assert_int_equal(ap_socket_listen(name, &listening, &lock, &err), AP_ALREADY_EXISTS);
  assert_int_equal(ap_socket_connect(name, &second, &err), AP_OK);
  ap_descriptor_close(second);
  assert_int_equal(kill(child, SIGKILL), 0);
  assert_int_equal(status_of(child), 1000 + SIGKILL);
  assert_int_equal(ap_socket_listen(name, &listening, &lock, &err), AP_OK);
  assert_int_equal(lock, -1);
  ap_socket_unlisten(name, listening, lock);
  assert_int_equal(ap_socket_connect("@", &second, &err), AP_INVALID_ARGUMENT);
  ap_descriptor_close(pipe_ends[0]);
  ap_descriptor_close(pipe_ends[1]);
}

/* A full socket is told when it can take more. */
static void test_waiting_to_write(void **state) {
  ap_error err = {0};
  int ends[2];
  char packet[4096] = "";
  struct ap_waiter *waiter = NULL;
  enum ap_socket_outcome outcome = AP_SOCKET_DONE;
  void *found[1];
  size_t count = 0;
  bool ended = false;
  (void)state;
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
  assert_int_equal(ap_waiter_create(false, &waiter, &err), AP_OK);
  assert_int_equal(ap_waiter_add(waiter, ends[0], ends, &err), AP_OK);
  while (outcome == AP_SOCKET_DONE) {
    assert_int_equal(ap_socket_send(ends[0], packet, sizeof packet, NULL, 0, &outcome, &err),
                     AP_OK);
  }
  assert_int_equal(outcome, AP_SOCKET_WOULD_BLOCK);
  assert_int_equal(ap_waiter_turn(waiter, ends[0], ends, true, &err), AP_OK);
  assert_int_equal(ap_waiter_wait(waiter, 0, found, 1, &count, &ended, &err), AP_OK);
  assert_int_equal(count, 0);
  while (recv(ends[1], packet, sizeof packet, 0) > 0) continue;
  assert_int_equal(ap_waiter_wait(waiter, 10000, found, 1, &count, &ended, &err), AP_OK);
  assert_int_equal(count, 1);
  assert_ptr_equal(found[0], ends);
  assert_int_equal(ap_waiter_turn(waiter, ends[0], ends, false, &err), AP_OK);
  assert_int_equal(ap_waiter_wait(waiter, 0, found, 1, &count, &ended, &err), AP_OK);
  assert_int_equal(count, 0);
  ap_waiter_destroy(waiter);
  ap_descriptor_close(ends[0]);
  ap_descriptor_close(ends[1]);
}

/* Many begin and end at once: never do two serve the path, and nothing is left at the end. */
static int compete(const char *path, const char *mark) {
  for (int round = 0; round < 3000; round++) {
    ap_error err = {0};
    int listening = -1;
    int lock = -1;
    ap_status status = ap_socket_listen(path, &listening, &lock, &err);
    if (status == AP_ALREADY_EXISTS) continue;
    if (status != AP_OK) return 2;
    if (mkdir(mark, 0700) != 0) return 3; /* another is here */
    if (rmdir(mark) != 0) return 4;
    ap_socket_unlisten(path, listening, lock);
  }
  return 0;
}

static void test_one_serves(void **state) {
  char path[108];
  char mark[128];
  pid_t children[4];
  (void)state;
  make_path(path, sizeof path);
  (void)snprintf(mark, sizeof mark, "%s.mark", path);
  for (int i = 0; i < 4; i++) {
    children[i] = fork();
    if (children[i] == 0) _exit(compete(path, mark));
  }
  for (int i = 0; i < 4; i++) assert_int_equal(status_of(children[i]), 0);
  remove_path(path);
}

static void test_paths(void **state) {
  ap_error err = {0};
  char path[108];
  char folder[] = "/tmp/apiary-runtime-XXXXXX";
  char want[64];
  int socket = -1;
  (void)state;
  assert_non_null(mkdtemp(folder));
  (void)snprintf(want, sizeof want, "%s/x.sock", folder);
  assert_int_equal(setenv("XDG_RUNTIME_DIR", folder, 1), 0);
  assert_int_equal(ap_socket_default_path("x", path, sizeof path, &err), AP_OK);
  assert_string_equal(path, want);
  assert_int_equal(ap_socket_default_path("x", path, 5, &err), AP_INVALID_ARGUMENT);
  assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
  (void)snprintf(want, sizeof want, "@x-%u", ap_process_user());
  assert_int_equal(ap_socket_default_path("x", path, sizeof path, &err), AP_OK);
  assert_string_equal(path, want);
  assert_int_equal(rmdir(folder), 0);
  char name[200];
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  assert_int_equal(ap_socket_connect(name, &socket, &err), AP_INVALID_ARGUMENT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_read_only),          cmocka_unit_test(test_memory_that_may_shrink),
      cmocka_unit_test(test_descriptors_travel), cmocka_unit_test(test_dead_path),
      cmocka_unit_test(test_one_serves),         cmocka_unit_test(test_abstract_name),
      cmocka_unit_test(test_waiting_to_write),   cmocka_unit_test(test_paths),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
