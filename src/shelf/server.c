/* SPDX-License-Identifier: Apache-2.0
 *
 * The server's loop, its memory, and its end.
 */
#include "shelf/server.h"

#include "base/limits.h"
#include "port/memory.h"
#include "port/socket.h"
#include "shelf/server_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  ROUND_MAX = 64,       /* sockets that are attended in one round */
  IDLE_WAIT_MS = 10000, /* of a server with nothing to do */
  RETRY_WAIT_MS = 100,  /* until connections are accepted again that found no descriptor */
  TIDY_AFTER_MS = 2000  /* since room was last taken, until free memory is given back */
};

/* Free memory that is given back in one go, so that no request waits long for it. */
#define TIDY_BYTES (64 * AP_MIB)

ap_status ap_shelf_socket(const char *asked, char out[AP_SHELF_SOCKET_BYTES], ap_error *err) {
  const char *chosen = asked != NULL ? asked : getenv("ARROWSHELF_SOCKET");
  if (chosen == NULL || chosen[0] == '\0') {
    return ap_socket_default_path("arrowshelf", out, AP_SHELF_SOCKET_BYTES, err);
  }
  if (strlen(chosen) >= AP_SHELF_SOCKET_BYTES) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "the socket path '%s' has more than %d bytes", chosen,
                   AP_SHELF_SOCKET_BYTES - 1);
  }
  memcpy(out, chosen, strlen(chosen) + 1);
  return AP_OK;
}

static int64_t now_us(const struct ap_shelf_server *server) {
  return ap_clock_monotonic_us(server->env->clock);
}

static ap_status open_memory(struct ap_shelf_server *server, ap_error *err) {
  const struct ap_shelf_server_settings *settings = server->settings;
  int64_t page = ap_memory_page_bytes();
  void *counters = NULL;
  server->memory_bytes = settings->memory_bytes / page * page;
  if (server->memory_bytes <= 0) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "a shelf of %lld bytes; one page has %lld",
                   (long long)settings->memory_bytes, (long long)page);
  }
  AP_TRY(ap_memory_create("arrowshelf", server->memory_bytes, &server->arena, err));
  AP_TRY(ap_memory_open_read_only(server->arena, &server->arena_reader, err));
  AP_TRY(ap_memory_create("arrowshelf counters", page, &server->counters, err));
  AP_TRY(ap_memory_open_read_only(server->counters, &server->counters_reader, err));
  AP_TRY(ap_memory_map(server->counters, page, true, &counters, err));
  server->page = counters;
  int64_t warm = settings->warm_bytes / page * page;
  if (warm > server->memory_bytes) warm = server->memory_bytes;
  if (warm <= 0) return AP_OK;
  AP_TRY(ap_memory_map(server->arena, server->memory_bytes, true, &server->mapped, err));
  ap_memory_populate(server->mapped, warm);
  ap_memory_unmap(server->mapped, server->memory_bytes);
  server->mapped = NULL;
  return AP_OK;
}

static ap_status open_server(struct ap_shelf_server *server, ap_error *err) {
  const struct ap_shelf_store_options options = {.allocator = server->env->allocator,
                                                 .memory_bytes = server->memory_bytes,
                                                 .page_bytes = ap_memory_page_bytes(),
                                                 .evicts = server->settings->evicts,
                                                 .told = ap_shelf_server_tell,
                                                 .context = server};
  AP_TRY(ap_shelf_store_create(&options, &server->store, err));
  AP_TRY(ap_waiter_create(true, &server->waiter, err));
  AP_TRY(ap_waiter_add(server->waiter, server->listening, server, err));
  server->accepts = true;
  return AP_OK;
}

static void stop_listening(struct ap_shelf_server *server) {
  if (server->listening < 0) return;
  if (server->accepts) ap_waiter_remove(server->waiter, server->listening);
  ap_socket_unlisten(server->settings->socket, server->listening, server->lock);
  server->accepts = false;
  server->listening = -1;
  server->lock = -1;
}

static void close_server(struct ap_shelf_server *server) {
  stop_listening(server);
  while (server->connections != NULL) ap_shelf_connection_destroy(server, server->connections);
  ap_waiter_destroy(server->waiter);
  ap_shelf_store_destroy(server->store);
  ap_memory_unmap(server->page, ap_memory_page_bytes());
  ap_descriptor_close(server->arena);
  ap_descriptor_close(server->arena_reader);
  ap_descriptor_close(server->counters);
  ap_descriptor_close(server->counters_reader);
  ap_buffer_deinit(&server->text);
  ap_free(server->env->allocator, server);
}

/* ---- giving memory back ---------------------------------------------------------------------- */

static bool is_too_warm(struct ap_shelf_server *server, int64_t *out_excess) {
  int64_t numbers[AP_SHELF_STATISTICS];
  ap_shelf_store_statistics(server->store, numbers);
  int64_t free_warm = ap_memory_resident(server->arena) - numbers[AP_SHELF_STAT_USED];
  *out_excess = free_warm - server->settings->warm_bytes;
  return *out_excess > 0;
}

/* Some of what is free and beyond the warm part; false when there was nothing. */
static bool tidy(struct ap_shelf_server *server) {
  int64_t excess = 0;
  int64_t offset = 0;
  int64_t size = 0;
  int64_t page = ap_memory_page_bytes();
  if (!is_too_warm(server, &excess)) return false;
  if (excess > TIDY_BYTES) excess = TIDY_BYTES;
  excess = (excess + page - 1) / page * page;
  if (!ap_shelf_store_cool(server->store, excess, &offset, &size)) return false;
  ap_memory_discard(server->arena, offset, size);
  return true;
}

/* ---- the loop -------------------------------------------------------------------------------- */

void ap_shelf_server_drain(struct ap_shelf_server *server) {
  if (server->draining) return;
  server->draining = true;
  server->drain_until_us = now_us(server) + (int64_t)AP_SHELF_DRAIN_MS * 1000;
  stop_listening(server);
}

/* Nothing is being written and nobody waits for an answer, or it took too long. */
static bool is_drained(struct ap_shelf_server *server) {
  int64_t numbers[AP_SHELF_STATISTICS];
  ap_shelf_store_statistics(server->store, numbers);
  bool busy = numbers[AP_SHELF_STAT_UNSEALED] > 0;
  for (struct ap_shelf_connection *at = server->connections; at != NULL && !busy; at = at->after) {
    busy = at->blocked && !at->subscribed;
  }
  return !busy || now_us(server) >= server->drain_until_us;
}

static int64_t wait_ms(struct ap_shelf_server *server) {
  int64_t until_us = now_us(server) + (int64_t)IDLE_WAIT_MS * 1000;
  if (server->tidy_at_us > 0 && server->tidy_at_us < until_us) until_us = server->tidy_at_us;
  if (server->draining && server->drain_until_us < until_us) until_us = server->drain_until_us;
  int64_t wait = (until_us - now_us(server) + 999) / 1000;
  if (wait < 0) wait = 0;
  bool retries = !server->accepts && !server->draining;
  return retries && wait > RETRY_WAIT_MS ? RETRY_WAIT_MS : wait;
}

static void accept_again(struct ap_shelf_server *server) {
  ap_error err = {0};
  if (server->accepts || server->draining || server->connection_count >= AP_SHELF_CONNECTIONS_MAX) {
    return;
  }
  server->accepts = ap_waiter_add(server->waiter, server->listening, server, &err) == AP_OK;
}

static void bury_the_dead(struct ap_shelf_server *server) {
  struct ap_shelf_connection *at = server->connections;
  while (at != NULL) {
    struct ap_shelf_connection *after = at->after;
    if (at->dead) ap_shelf_connection_destroy(server, at);
    at = after;
  }
}

static ap_status run_round(struct ap_shelf_server *server, ap_error *err) {
  void *found[ROUND_MAX];
  size_t count = 0;
  bool signalled = false;
  AP_TRY(
      ap_waiter_wait(server->waiter, wait_ms(server), found, ROUND_MAX, &count, &signalled, err));
  int64_t taken_before = server->taken;
  for (size_t i = 0; i < count; i++) {
    if (found[i] == server) {
      if (server->accepts) ap_shelf_server_accept(server);
    } else {
      struct ap_shelf_connection *connection = found[i];
      if (!connection->dead) ap_shelf_connection_attend(server, connection);
    }
  }
  bury_the_dead(server);
  accept_again(server);
  if (signalled && server->draining) server->drain_until_us = now_us(server); /* asked twice */
  if (signalled) ap_shelf_server_drain(server);
  bool busy = server->taken != taken_before;
  if (busy || (count > 0 && server->tidy_at_us == 0)) {
    server->tidy_at_us = now_us(server) + (int64_t)TIDY_AFTER_MS * 1000;
  } else if (server->tidy_at_us > 0 && now_us(server) >= server->tidy_at_us && !tidy(server)) {
    server->tidy_at_us = 0;
  }
  return AP_OK;
}

static ap_status serve(struct ap_shelf_server *server, ap_error *err) {
  AP_TRY(open_memory(server, err));
  AP_TRY(open_server(server, err));
  if (server->settings->ready != NULL) {
    server->settings->ready(server->settings->context, server->settings->socket);
  }
  while (!server->draining || !is_drained(server)) AP_TRY(run_round(server, err));
  /* Release: partner of the clients' acquire. */
  atomic_store_explicit(&server->page->ended, 1, memory_order_release);
  return AP_OK;
}

ap_status ap_shelf_server_run(const struct ap_shelf_server_settings *settings,
                              const struct ap_env *env, ap_error *err) {
  struct ap_shelf_server *server = ap_allocate_zeroed(env->allocator, 1, sizeof *server);
  if (server == NULL) return AP_FAIL_MEMORY(err);
  server->settings = settings;
  server->env = env;
  server->arena = server->arena_reader = server->counters = server->counters_reader = -1;
  server->listening = server->lock = -1;
  ap_buffer_init(&server->text, env->allocator);
  ap_status status = ap_socket_listen(settings->socket, &server->listening, &server->lock, err);
  if (status == AP_ALREADY_EXISTS) {
    ap_error_hint(err,
                  "use that one (arrowshelf-server --status shows it), or give another --socket");
  }
  if (status == AP_OK) status = serve(server, err);
  close_server(server);
  return status;
}
