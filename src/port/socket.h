/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages between processes of one machine: sockets of packets under a path, with descriptors
 * handed over beside them, and waiting for many. A packet arrives whole or not at all.
 */
#ifndef AP_PORT_SOCKET_H
#define AP_PORT_SOCKET_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AP_SOCKET_DESCRIPTORS_MAX = 4 };

/* Who is at the other end, as the kernel knows. */
struct ap_socket_peer {
  uint32_t user;
  int32_t process;
};

enum ap_socket_outcome {
  AP_SOCKET_DONE,
  AP_SOCKET_WOULD_BLOCK, /* of a socket that does not wait */
  AP_SOCKET_CLOSED,      /* the other end is gone */
};

/* A listening socket that does not wait. "@name" is an abstract name, which nothing in the file
 * system stands for and which goes with the process. A path that a dead process left is taken over;
 * one that is served is AP_ALREADY_EXISTS. *out_lock (-1 for an abstract name) keeps the path ours:
 * close it after the socket. */
AP_MUST_CHECK ap_status ap_socket_listen(const char *path, int *out_socket, int *out_lock,
                                         ap_error *err);
/* Remove the names that ap_socket_listen made. */
void ap_socket_unlisten(const char *path, int socket, int lock);
/* AP_NOT_FOUND: nobody listens there. AP_PERMISSION: whoever listens is neither this user nor root.
 */
AP_MUST_CHECK ap_status ap_socket_connect(const char *path, int *out_socket, ap_error *err);
/* The next who connects, whose socket does not wait; *out_socket -1 when there is none. */
AP_MUST_CHECK ap_status ap_socket_accept(int listening, int *out_socket,
                                         struct ap_socket_peer *out_peer, ap_error *err);
AP_MUST_CHECK ap_status ap_socket_peer_of(int socket, struct ap_socket_peer *out_peer,
                                          ap_error *err);
AP_MUST_CHECK ap_status ap_socket_send(int socket, const void *data, size_t size,
                                       const int *descriptors, size_t descriptor_count,
                                       enum ap_socket_outcome *out_outcome, ap_error *err);
/* One packet of at most `capacity` bytes; a longer one is AP_CORRUPT. The descriptors that came
 * with it are the caller's to close. A socket that waits does so for timeout_ms at most
 * (AP_SOCKET_WOULD_BLOCK then); -1: does not wait. */
AP_MUST_CHECK ap_status ap_socket_receive(int socket, void *data, size_t capacity,
                                          int64_t timeout_ms, size_t *out_size,
                                          int descriptors[AP_SOCKET_DESCRIPTORS_MAX],
                                          size_t *out_descriptor_count,
                                          enum ap_socket_outcome *out_outcome, ap_error *err);

/* The path of this user's socket of a name: $XDG_RUNTIME_DIR/<name>.sock; where there is no such
 * folder of this user's, the abstract @<name>-<uid>. */
AP_MUST_CHECK ap_status ap_socket_default_path(const char *name, char *out, size_t size,
                                               ap_error *err);
uint32_t ap_process_user(void);
int32_t ap_process_id(void);

/* Waiting for many sockets, and for the signals that end a program. */
struct ap_waiter;
AP_MUST_CHECK ap_status ap_waiter_create(bool hears_signals, struct ap_waiter **out, ap_error *err);
void ap_waiter_destroy(struct ap_waiter *waiter); /* NULL is allowed */
AP_MUST_CHECK ap_status ap_waiter_add(struct ap_waiter *waiter, int socket, void *context,
                                      ap_error *err);
/* Wait for a socket that was added to be writable instead of readable, or again readable. Its end
 * is told in either case. */
AP_MUST_CHECK ap_status ap_waiter_turn(struct ap_waiter *waiter, int socket, void *context,
                                       bool writable, ap_error *err);
void ap_waiter_remove(struct ap_waiter *waiter, int socket);
/* Contexts of sockets that have something, at most `max`, after timeout_ms at the latest.
 * *out_ended: SIGTERM or SIGINT came. */
AP_MUST_CHECK ap_status ap_waiter_wait(struct ap_waiter *waiter, int64_t timeout_ms, void **out,
                                       size_t max, size_t *out_count, bool *out_ended,
                                       ap_error *err);

#endif
