/* SPDX-License-Identifier: Apache-2.0
 *
 * Unix sockets of packets (SOCK_SEQPACKET), their peers' credentials, SCM_RIGHTS.
 */
#define _GNU_SOURCE /* struct ucred, accept4, MSG_CMSG_CLOEXEC */

#include "port/socket.h"

#include "base/assert.h"
#include "port/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Servers of one path that may end just while another begins. */
enum {
  LOCK_ATTEMPTS_MAX = 100,
  ATTENTIVE_US = 50 /* that a thread stays awake for an answer */
};

static int64_t now_us(void) {
  return ap_clock_monotonic_us(ap_clock_system());
}

static ap_status fail(ap_error *err, const char *what, const char *path) {
  int reason = errno;
  ap_status status = AP_IO;
  if (reason == ENOENT || reason == ECONNREFUSED) status = AP_NOT_FOUND;
  if (reason == EACCES || reason == EPERM) status = AP_PERMISSION;
  if (reason == EMFILE || reason == ENFILE || reason == EAGAIN) status = AP_BUSY;
  return AP_FAIL(err, status, "%s %s: %s", what, path, strerror(reason));
}

/* '@' stands for the NUL that begins an abstract name. */
static bool is_abstract(const char *path) {
  return path[0] == '@';
}

static ap_status address_of(const char *path, struct sockaddr_un *out, socklen_t *out_size,
                            ap_error *err) {
  size_t length = strlen(path);
  memset(out, 0, sizeof *out);
  out->sun_family = AF_UNIX;
  if (length == 0 || length >= sizeof out->sun_path || strcmp(path, "@") == 0) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "the socket path '%s' must have 1 to %zu bytes", path,
                   sizeof out->sun_path - 1);
  }
  memcpy(out->sun_path, path, length + 1);
  *out_size = sizeof *out;
  if (!is_abstract(path)) return AP_OK;
  out->sun_path[0] = '\0';
  *out_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
  return AP_OK;
}

static int make_socket(int flags) {
  return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
}

/* Does the name still lead to the file that is open? A server that ends removes its own. */
static bool is_at(const char *name, int descriptor) {
  struct stat named;
  struct stat opened;
  return fstat(descriptor, &opened) == 0 && lstat(name, &named) == 0 &&
         named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

/* Whoever has the lock file locked serves the path; it stays when a process dies, the lock not. */
static ap_status take_lock(const char *path, int *out_lock, ap_error *err) {
  char name[sizeof(struct sockaddr_un) + 8];
  (void)snprintf(name, sizeof name, "%s.lock", path);
  for (int attempt = 0; attempt < LOCK_ATTEMPTS_MAX; attempt++) {
    int lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0) return fail(err, "cannot lock", name);
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
      (void)close(lock);
      break;
    }
    if (is_at(name, lock)) {
      *out_lock = lock;
      return AP_OK;
    }
    (void)close(lock);
  }
  return AP_FAIL(err, AP_ALREADY_EXISTS, "another server serves %s", path);
}

ap_status ap_socket_listen(const char *path, int *out_socket, int *out_lock, ap_error *err) {
  struct sockaddr_un address;
  socklen_t size = 0;
  int lock = -1;
  AP_TRY(address_of(path, &address, &size, err));
  if (!is_abstract(path)) {
    AP_TRY(take_lock(path, &lock, err));
    (void)unlink(path);
  }
  int listening = make_socket(SOCK_NONBLOCK);
  mode_t mask = umask(0177);
  bool bound = listening >= 0 && bind(listening, (const struct sockaddr *)&address, size) == 0 &&
               listen(listening, 128) == 0;
  bool taken = !bound && errno == EADDRINUSE;
  (void)umask(mask);
  if (!bound) {
    ap_status status = taken ? AP_FAIL(err, AP_ALREADY_EXISTS, "another server serves %s", path)
                             : fail(err, "cannot listen at", path);
    if (listening >= 0) (void)close(listening);
    if (lock >= 0) (void)close(lock);
    return status;
  }
  *out_socket = listening;
  *out_lock = lock;
  return AP_OK;
}

void ap_socket_unlisten(const char *path, int socket, int lock) {
  char name[sizeof(struct sockaddr_un) + 8];
  (void)snprintf(name, sizeof name, "%s.lock", path);
  if (!is_abstract(path)) {
    (void)unlink(path);
    (void)unlink(name);
  }
  (void)close(socket);
  if (lock >= 0) (void)close(lock);
}

ap_status ap_socket_peer_of(int socket, struct ap_socket_peer *out_peer, ap_error *err) {
  struct ucred found;
  socklen_t size = sizeof found;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &found, &size) != 0) {
    return fail(err, "who is at the other end of", "a socket");
  }
  *out_peer = (struct ap_socket_peer){(uint32_t)found.uid, (int32_t)found.pid};
  return AP_OK;
}

ap_status ap_socket_connect(const char *path, int *out_socket, ap_error *err) {
  struct sockaddr_un address;
  socklen_t size = 0;
  struct ap_socket_peer peer = {0};
  AP_TRY(address_of(path, &address, &size, err));
  int made = make_socket(0);
  if (made < 0) return fail(err, "cannot make a socket for", path);
  if (connect(made, (const struct sockaddr *)&address, size) != 0) {
    ap_status status = fail(err, "cannot connect to", path);
    (void)close(made);
    return status;
  }
  ap_status status = ap_socket_peer_of(made, &peer, err);
  if (status == AP_OK && peer.user != ap_process_user() && peer.user != 0) {
    status = AP_FAIL(err, AP_PERMISSION, "the server at %s is of user %u", path, peer.user);
  }
  if (status != AP_OK) {
    (void)close(made);
    return status;
  }
  *out_socket = made;
  return AP_OK;
}

ap_status ap_socket_accept(int listening, int *out_socket, struct ap_socket_peer *out_peer,
                           ap_error *err) {
  *out_socket = -1;
  int accepted = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (accepted < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)) return AP_OK;
  if (accepted < 0) return fail(err, "cannot accept a connection at", "the socket");
  ap_status status = ap_socket_peer_of(accepted, out_peer, err);
  if (status != AP_OK) {
    (void)close(accepted);
    return status;
  }
  *out_socket = accepted;
  return AP_OK;
}

ap_status ap_socket_send(int socket, const void *data, size_t size, const int *descriptors,
                         size_t descriptor_count, enum ap_socket_outcome *out_outcome,
                         ap_error *err) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int) * AP_SOCKET_DESCRIPTORS_MAX)];
  } control = {{0}};
  struct iovec piece = {(void *)(uintptr_t)data, size};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  AP_ASSERT(descriptor_count <= AP_SOCKET_DESCRIPTORS_MAX);
  if (descriptor_count > 0) {
    size_t bytes = sizeof(int) * descriptor_count;
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(bytes);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(header), descriptors, bytes);
  }
  ssize_t sent = 0;
  do {
    sent = sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  *out_outcome = AP_SOCKET_DONE;
  if (sent >= 0) return AP_OK;
  if (errno == EAGAIN || errno == ENOBUFS) {
    *out_outcome = AP_SOCKET_WOULD_BLOCK;
  } else if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) {
    *out_outcome = AP_SOCKET_CLOSED;
  } else {
    return fail(err, "cannot send on", "a socket");
  }
  return AP_OK;
}

static size_t take_descriptors(struct msghdr *message, int out[AP_SOCKET_DESCRIPTORS_MAX]) {
  size_t count = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
       header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t bytes = header->cmsg_len - CMSG_LEN(0);
    for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
      int descriptor = -1;
      memcpy(&descriptor, CMSG_DATA(header) + at, sizeof descriptor);
      if (count < AP_SOCKET_DESCRIPTORS_MAX) {
        out[count++] = descriptor;
      } else {
        (void)close(descriptor);
      }
    }
  }
  return count;
}

/* False when the time passed with nothing to read. Waking a thread takes many times longer than a
 * short answer, so it sleeps only when none comes at once. */
static bool wait_readable(int socket, int64_t timeout_ms) {
  struct pollfd wish = {socket, POLLIN, 0};
  int found = 0;
  int64_t until_us = now_us() + ATTENTIVE_US;
  while (timeout_ms > 0 && found == 0 && now_us() < until_us) {
    found = poll(&wish, 1, 0);
    if (found == 0) (void)sched_yield();
  }
  if (found > 0) return true;
  do {
    found = poll(&wish, 1, (int)(timeout_ms > 3600000 ? 3600000 : timeout_ms));
  } while (found < 0 && errno == EINTR);
  return found > 0;
}

ap_status ap_socket_receive(int socket, void *data, size_t capacity, int64_t timeout_ms,
                            size_t *out_size, int descriptors[AP_SOCKET_DESCRIPTORS_MAX],
                            size_t *out_descriptor_count, enum ap_socket_outcome *out_outcome,
                            ap_error *err) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int) * AP_SOCKET_DESCRIPTORS_MAX)];
  } control = {{0}};
  struct iovec piece = {data, capacity};
  struct msghdr message = {.msg_iov = &piece,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control};
  *out_size = 0;
  *out_descriptor_count = 0;
  *out_outcome = AP_SOCKET_WOULD_BLOCK;
  if (timeout_ms >= 0 && !wait_readable(socket, timeout_ms)) return AP_OK;
  ssize_t got = 0;
  do {
    got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) return AP_OK;
  if (got < 0 && errno != ECONNRESET) return fail(err, "cannot receive from", "a socket");
  *out_outcome = got <= 0 ? AP_SOCKET_CLOSED : AP_SOCKET_DONE;
  if (got <= 0) return AP_OK;
  *out_descriptor_count = take_descriptors(&message, descriptors);
  *out_size = (size_t)got;
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) return AP_OK;
  for (size_t i = 0; i < *out_descriptor_count; i++) (void)close(descriptors[i]);
  *out_descriptor_count = 0;
  return AP_FAIL(err, AP_CORRUPT, "a message of more than %zu bytes came", capacity);
}

/* ---- where sockets lie, and who we are ------------------------------------------------------- */

uint32_t ap_process_user(void) {
  return (uint32_t)geteuid();
}

int32_t ap_process_id(void) {
  return (int32_t)getpid();
}

ap_status ap_socket_default_path(const char *name, char *out, size_t size, ap_error *err) {
  const char *runtime = getenv("XDG_RUNTIME_DIR");
  struct stat found;
  int length = 0;
  if (runtime != NULL && runtime[0] == '/' && stat(runtime, &found) == 0 &&
      found.st_uid == geteuid()) {
    length = snprintf(out, size, "%s/%s.sock", runtime, name);
  } else {
    length = snprintf(out, size, "@%s-%u", name, ap_process_user());
  }
  if (length > 0 && (size_t)length < size) return AP_OK;
  return AP_FAIL(err, AP_INVALID_ARGUMENT, "the path of the socket %s is too long", name);
}
