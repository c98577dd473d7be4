/* SPDX-License-Identifier: Apache-2.0
 *
 * The server of a shelf: sockets and memory around store.h, in one thread that waits for all.
 *
 * Guarantees: the arena and the socket's abstract name are the kernel's to free, so however this
 * process ends nothing of them stays; clients that are there keep what they have mapped. A client
 * can make it wait for nothing: packets that are no packets end the connection, one answer waits
 * for a slow reader, and events that a slow subscriber does not take are counted and dropped.
 */
#ifndef AP_SHELF_SERVER_H
#define AP_SHELF_SERVER_H

#include "port/env.h"

enum { AP_SHELF_SOCKET_BYTES = 108 };

/* The socket to use: the one asked for, else $ARROWSHELF_SOCKET, else this user's own. */
AP_MUST_CHECK ap_status ap_shelf_socket(const char *asked, char out[AP_SHELF_SOCKET_BYTES],
                                        ap_error *err);

struct ap_shelf_server_settings {
  const char *socket;   /* as ap_shelf_socket gives it */
  int64_t memory_bytes; /* of the arena, rounded down to pages; > 0 */
  int64_t warm_bytes;   /* of it, what is there beforehand and stays when it is free */
  bool evicts;
  void (*ready)(void *context, const char *socket); /* may be NULL */
  void *context;
};

/* Until SIGTERM, SIGINT or a client's SHUTDOWN. Then no new object is begun; those being written
 * may be finished for AP_SHELF_DRAIN_MS. AP_ALREADY_EXISTS: the socket is served. */
AP_MUST_CHECK ap_status ap_shelf_server_run(const struct ap_shelf_server_settings *settings,
                                            const struct ap_env *env, ap_error *err);

#endif
