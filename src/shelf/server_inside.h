/* SPDX-License-Identifier: Apache-2.0
 *
 * What the server's files share: server.c has the loop and the memory, connection.c what comes and
 * goes on a connection, request.c what each request does.
 */
#ifndef AP_SHELF_SERVER_INSIDE_H
#define AP_SHELF_SERVER_INSIDE_H

#include "shelf/server.h"
#include "shelf/store.h"

struct ap_waiter;

/* A packet that waits to be sent. */
struct ap_shelf_waiting {
  struct ap_shelf_waiting *next;
  size_t size;
  uint8_t bytes[];
};

struct ap_shelf_connection {
  struct ap_shelf_connection *before;
  struct ap_shelf_connection *after;
  int socket;
  bool greeted;    /* said HELLO */
  bool subscribed; /* only takes events */
  bool blocked;    /* something waits; nothing is read until it is sent */
  bool dead;       /* to be removed when the round is over */
  enum ap_shelf_role role;
  uint32_t events;                /* that it subscribed to */
  struct ap_shelf_client *client; /* NULL before HELLO */
  struct ap_shelf_key token;
  struct ap_shelf_waiting *first_waiting;
  struct ap_shelf_waiting *last_waiting;
  size_t waiting_count;
  int64_t lost; /* events */
  char label[AP_SHELF_LABEL_BYTES_MAX + 1];
};

struct ap_shelf_server {
  const struct ap_env *env;
  const struct ap_shelf_server_settings *settings;
  struct ap_waiter *waiter;
  int listening;
  int lock;
  bool accepts;     /* the listening socket is waited for */
  int arena;        /* read-write */
  int arena_reader; /* read-only */
  int counters;
  int counters_reader;
  int64_t memory_bytes;
  void *mapped; /* only while it is warmed up */
  struct ap_shelf_counters *page;
  struct ap_shelf_store *store;
  struct ap_shelf_connection *connections;
  int64_t connection_count;
  bool draining;
  int64_t taken; /* how often room was taken */
  int64_t drain_until_us;
  int64_t tidy_at_us; /* when idle memory is next looked at */
  uint8_t packet[AP_SHELF_PACKET_BYTES_MAX];
  uint8_t answer[AP_SHELF_PACKET_BYTES_MAX];
  struct ap_shelf_extent extents[AP_SHELF_EXTENTS_MAX];
  struct ap_buffer text;
};

/* Begin to end: nobody new is let in, no new object is taken. */
void ap_shelf_server_drain(struct ap_shelf_server *server);
/* Take the connections that wait. */
void ap_shelf_server_accept(struct ap_shelf_server *server);
/* There is something on the connection. */
void ap_shelf_connection_attend(struct ap_shelf_server *server,
                                struct ap_shelf_connection *connection);
/* Send now, or later when the other end is slow. */
void ap_shelf_connection_send(struct ap_shelf_server *server,
                              struct ap_shelf_connection *connection,
                              const struct ap_shelf_packet *packet, const int *descriptors,
                              size_t descriptor_count);
void ap_shelf_connection_destroy(struct ap_shelf_server *server,
                                 struct ap_shelf_connection *connection);
/* Tell the subscribers (an ap_shelf_told). */
void ap_shelf_server_tell(void *context, uint32_t what, const struct ap_shelf_object *object);

/* Do what a request says and answer it. */
void ap_shelf_request_run(struct ap_shelf_server *server, struct ap_shelf_connection *connection,
                          const struct ap_shelf_packet *request);
void ap_shelf_request_refuse(struct ap_shelf_server *server, struct ap_shelf_connection *connection,
                             const struct ap_shelf_packet *request, const ap_error *why);

#endif
