/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections of the shelf's server: who may connect, packets in and out, and the bounds on what a
 * slow other end may let wait.
 */
#include "shelf/server_inside.h"

#include "base/limits.h"
#include "port/memory.h"
#include "port/socket.h"

#include <string.h>

enum {
  REQUESTS_PER_ROUND = 16, /* of one connection, so that others come to their turn */
  ACCEPTS_PER_ROUND = 64
};

static void add_connection(struct ap_shelf_server *server, int socket) {
  ap_error err = {0};
  struct ap_shelf_connection *connection =
      ap_allocate_zeroed(server->env->allocator, 1, sizeof *connection);
  if (connection == NULL || ap_waiter_add(server->waiter, socket, connection, &err) != AP_OK) {
    ap_free(server->env->allocator, connection);
    ap_descriptor_close(socket);
    return;
  }
  connection->socket = socket;
  connection->after = server->connections;
  if (server->connections != NULL) server->connections->before = connection;
  server->connections = connection;
  server->connection_count++;
}

void ap_shelf_server_accept(struct ap_shelf_server *server) {
  for (int i = 0; i < ACCEPTS_PER_ROUND; i++) {
    struct ap_socket_peer peer = {0};
    ap_error err = {0};
    int socket = -1;
    if (server->connection_count >= AP_SHELF_CONNECTIONS_MAX ||
        ap_socket_accept(server->listening, &socket, &peer, &err) != AP_OK) {
      /* No more descriptors, most likely: those who wait do so until some are free. */
      ap_waiter_remove(server->waiter, server->listening);
      server->accepts = false;
      return;
    }
    if (socket < 0) return;
    if (peer.user == ap_process_user() || peer.user == 0) {
      add_connection(server, socket);
    } else {
      ap_descriptor_close(socket);
    }
  }
}

static void drop_waiting(struct ap_shelf_server *server, struct ap_shelf_connection *connection) {
  while (connection->first_waiting != NULL) {
    struct ap_shelf_waiting *gone = connection->first_waiting;
    connection->first_waiting = gone->next;
    ap_free(server->env->allocator, gone);
  }
  connection->last_waiting = NULL;
  connection->waiting_count = 0;
}

void ap_shelf_connection_destroy(struct ap_shelf_server *server,
                                 struct ap_shelf_connection *connection) {
  if (connection->after != NULL) connection->after->before = connection->before;
  if (connection->before != NULL) {
    connection->before->after = connection->after;
  } else {
    server->connections = connection->after;
  }
  server->connection_count--;
  drop_waiting(server, connection);
  ap_waiter_remove(server->waiter, connection->socket);
  ap_descriptor_close(connection->socket);
  if (connection->client != NULL) ap_shelf_client_destroy(server->store, connection->client);
  ap_free(server->env->allocator, connection);
}

/* ---- sending --------------------------------------------------------------------------------- */

static enum ap_socket_outcome send_bytes(struct ap_shelf_connection *connection,
                                         const uint8_t *bytes, size_t size, const int *descriptors,
                                         size_t descriptor_count) {
  enum ap_socket_outcome outcome = AP_SOCKET_CLOSED;
  ap_error err = {0};
  ap_status status = ap_socket_send(connection->socket, bytes, size, descriptors, descriptor_count,
                                    &outcome, &err);
  return status == AP_OK ? outcome : AP_SOCKET_CLOSED;
}

static void block(struct ap_shelf_server *server, struct ap_shelf_connection *connection,
                  bool blocked) {
  ap_error err = {0};
  if (connection->blocked == blocked) return;
  connection->blocked = blocked;
  if (ap_waiter_turn(server->waiter, connection->socket, connection, blocked, &err) != AP_OK) {
    connection->dead = true;
  }
}

static void let_wait(struct ap_shelf_server *server, struct ap_shelf_connection *connection,
                     const uint8_t *bytes, size_t size) {
  struct ap_shelf_waiting *waiting = ap_allocate(server->env->allocator, sizeof *waiting + size);
  if (waiting == NULL) {
    connection->dead = true;
    return;
  }
  waiting->next = NULL;
  waiting->size = size;
  memcpy(waiting->bytes, bytes, size);
  if (connection->last_waiting != NULL) {
    connection->last_waiting->next = waiting;
  } else {
    connection->first_waiting = waiting;
  }
  connection->last_waiting = waiting;
  connection->waiting_count++;
  block(server, connection, true);
}

void ap_shelf_connection_send(struct ap_shelf_server *server,
                              struct ap_shelf_connection *connection,
                              const struct ap_shelf_packet *packet, const int *descriptors,
                              size_t descriptor_count) {
  size_t size = 0;
  ap_error err = {0};
  enum ap_socket_outcome outcome = AP_SOCKET_WOULD_BLOCK;
  if (connection->dead) return;
  if (ap_shelf_packet_encode(packet, server->answer, &size, &err) != AP_OK) {
    connection->dead = true;
    return;
  }
  if (connection->first_waiting == NULL) {
    outcome = send_bytes(connection, server->answer, size, descriptors, descriptor_count);
  }
  if (outcome == AP_SOCKET_DONE) return;
  if (outcome == AP_SOCKET_CLOSED || descriptor_count > 0) {
    connection->dead = true;
  } else {
    let_wait(server, connection, server->answer, size);
  }
}

/* What waits, as far as the other end takes it. */
static void flush(struct ap_shelf_server *server, struct ap_shelf_connection *connection) {
  while (connection->first_waiting != NULL) {
    struct ap_shelf_waiting *first = connection->first_waiting;
    enum ap_socket_outcome outcome = send_bytes(connection, first->bytes, first->size, NULL, 0);
    if (outcome == AP_SOCKET_WOULD_BLOCK) return;
    if (outcome == AP_SOCKET_CLOSED) {
      connection->dead = true;
      return;
    }
    connection->first_waiting = first->next;
    if (first->next == NULL) connection->last_waiting = NULL;
    connection->waiting_count--;
    ap_free(server->env->allocator, first);
  }
  if (connection->lost > 0) {
    struct ap_shelf_packet lost = {.kind = AP_SHELF_EVENT,
                                   .flags = AP_SHELF_FLAG_LOST,
                                   .a = connection->lost,
                                   .text = {"\0", 1}};
    connection->lost = 0;
    ap_shelf_connection_send(server, connection, &lost, NULL, 0);
  }
  if (connection->first_waiting == NULL) block(server, connection, false);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void send_event(struct ap_shelf_server *server, struct ap_shelf_connection *connection,
                       const struct ap_shelf_packet *event) {
  if (connection->waiting_count >= AP_SHELF_EVENTS_MAX || connection->lost > 0) {
    connection->lost += (int64_t)connection->waiting_count + 1;
    drop_waiting(server, connection);
    return;
  }
  ap_shelf_connection_send(server, connection, event, NULL, 0);
}

void ap_shelf_server_tell(void *context, uint32_t what, const struct ap_shelf_object *object) {
  struct ap_shelf_server *server = context;
  struct ap_shelf_object_info info;
  char text[AP_SHELF_NAME_BYTES_MAX + 1 + AP_SHELF_LABEL_BYTES_MAX];
  ap_shelf_object_show(object, &info);
  if (info.name.size > 0) memcpy(text, info.name.data, info.name.size);
  text[info.name.size] = '\0';
  if (info.labels.size > 0) memcpy(text + info.name.size + 1, info.labels.data, info.labels.size);
  struct ap_shelf_packet event = {.kind = AP_SHELF_EVENT,
                                  .flags = what,
                                  .key = info.key,
                                  .a = info.bytes,
                                  .c = info.rows,
                                  .text = {text, info.name.size + 1 + info.labels.size}};
  for (struct ap_shelf_connection *at = server->connections; at != NULL; at = at->after) {
    bool wants = at->subscribed && !at->dead && (at->events & what) != 0;
    if (wants && at->label[0] != '\0') {
      wants = ap_shelf_labels_have(info.labels, ap_text_of(at->label));
    }
    if (wants) send_event(server, at, &event);
  }
}

/* ---- receiving ------------------------------------------------------------------------------- */

static void take_packet(struct ap_shelf_server *server, struct ap_shelf_connection *connection,
                        size_t size) {
  struct ap_shelf_packet request;
  ap_error err = {0};
  ap_status status = ap_shelf_packet_decode(server->packet, size, false, &request, &err);
  if (status == AP_UNSUPPORTED) {
    request.kind = AP_SHELF_HELLO;
    ap_shelf_request_refuse(server, connection, &request, &err);
  }
  bool fits = status == AP_OK && !connection->subscribed &&
              (connection->greeted || request.kind == AP_SHELF_HELLO);
  if (fits) {
    ap_shelf_request_run(server, connection, &request);
  } else {
    connection->dead = true;
  }
}

void ap_shelf_connection_attend(struct ap_shelf_server *server,
                                struct ap_shelf_connection *connection) {
  if (connection->blocked) flush(server, connection);
  for (int i = 0; i < REQUESTS_PER_ROUND && !connection->blocked && !connection->dead; i++) {
    int descriptors[AP_SOCKET_DESCRIPTORS_MAX];
    size_t descriptor_count = 0;
    size_t size = 0;
    enum ap_socket_outcome outcome = AP_SOCKET_CLOSED;
    ap_error err = {0};
    ap_status status = ap_socket_receive(connection->socket, server->packet, sizeof server->packet,
                                         -1, &size, descriptors, &descriptor_count, &outcome, &err);
    for (size_t j = 0; j < descriptor_count; j++) ap_descriptor_close(descriptors[j]);
    if (status == AP_OK && outcome == AP_SOCKET_WOULD_BLOCK) return;
    if (status != AP_OK || outcome == AP_SOCKET_CLOSED || descriptor_count > 0) {
      connection->dead = true;
      return;
    }
    take_packet(server, connection, size);
  }
}
