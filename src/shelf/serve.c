/* SPDX-License-Identifier: Apache-2.0
 *
 * The public face of the server (apiary/shelf_server.h): defaults, and a question about its state.
 */
#include <apiary/shelf_server.h>

#include "base/assert.h"
#include "port/machine.h"
#include "port/memory.h"
#include "port/socket.h"
#include "shelf/server.h"
#include "shelf/wire.h"

#include <string.h>

enum { ASK_MS = 10000, WARM_SHARE = 16 };

static int64_t default_memory(void) {
  struct ap_machine machine;
  ap_machine_detect(&machine);
  return machine.memory_bytes / 2;
}

ap_status ap_shelf_serve(const ap_shelf_server_options *options, ap_error *err) {
  ap_shelf_server_options all = AP_SHELF_SERVER_OPTIONS_INIT;
  char socket[AP_SHELF_SOCKET_BYTES];
  if (options != NULL) {
    size_t known = options->struct_size < sizeof all ? options->struct_size : sizeof all;
    memcpy(&all, options, known);
  }
  if (all.memory_bytes < 0) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "a shelf of %lld bytes", (long long)all.memory_bytes);
  }
  AP_TRY(ap_shelf_socket(all.socket, socket, err));
  struct ap_shelf_server_settings settings = {
      .socket = socket,
      .memory_bytes = all.memory_bytes > 0 ? all.memory_bytes : default_memory(),
      .warm_bytes = all.warm_bytes > 0 ? all.warm_bytes : 0,
      .evicts = all.when_full == AP_SHELF_EVICT,
      .ready = all.ready,
      .context = all.context,
  };
  if (all.warm_bytes == 0) settings.warm_bytes = settings.memory_bytes / WARM_SHARE;
  return ap_shelf_server_run(&settings, ap_env_system(), err);
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* One request and its answer, which shows the bytes. */
static ap_status call(int socket, struct ap_shelf_packet request, uint8_t *bytes,
                      struct ap_shelf_packet *out, ap_error *err) {
  int descriptors[AP_SOCKET_DESCRIPTORS_MAX];
  size_t descriptor_count = 0;
  size_t size = 0;
  enum ap_socket_outcome outcome = AP_SOCKET_CLOSED;
  AP_TRY(ap_shelf_packet_encode(&request, bytes, &size, err));
  AP_TRY(ap_socket_send(socket, bytes, size, NULL, 0, &outcome, err));
  if (outcome == AP_SOCKET_DONE) {
    AP_TRY(ap_socket_receive(socket, bytes, AP_SHELF_PACKET_BYTES_MAX, ASK_MS, &size, descriptors,
                             &descriptor_count, &outcome, err));
    for (size_t i = 0; i < descriptor_count; i++) ap_descriptor_close(descriptors[i]);
  }
  if (outcome == AP_SOCKET_CLOSED) {
    return AP_FAIL(err, AP_ABANDONED, "the server of the shelf closed the connection");
  }
  if (outcome == AP_SOCKET_WOULD_BLOCK) {
    return AP_FAIL(err, AP_TIMEOUT, "the server of the shelf did not answer for %d ms", ASK_MS);
  }
  AP_TRY(ap_shelf_packet_decode(bytes, size, true, out, err));
  AP_TRY(ap_shelf_packet_error(out, err));
  if (out->kind == request.kind) return AP_OK;
  return AP_FAIL(err, AP_CORRUPT, "the server of the shelf answered another question");
}

static void show(const int64_t *numbers, ap_shelf_server_state *out) {
  ap_shelf_server_state all = {.struct_size = out->struct_size,
                               .process = numbers[AP_SHELF_STAT_PROCESS],
                               .memory_bytes = numbers[AP_SHELF_STAT_MEMORY],
                               .used_bytes = numbers[AP_SHELF_STAT_USED],
                               .resident_bytes = numbers[AP_SHELF_STAT_RESIDENT],
                               .largest_free_bytes = numbers[AP_SHELF_STAT_LARGEST_FREE],
                               .objects = numbers[AP_SHELF_STAT_OBJECTS],
                               .unsealed = numbers[AP_SHELF_STAT_UNSEALED],
                               .deleted = numbers[AP_SHELF_STAT_DELETED],
                               .connections = numbers[AP_SHELF_STAT_CONNECTIONS],
                               .puts = numbers[AP_SHELF_STAT_PUTS],
                               .gets = numbers[AP_SHELF_STAT_GETS],
                               .deletes = numbers[AP_SHELF_STAT_DELETES],
                               .evictions = numbers[AP_SHELF_STAT_EVICTIONS]};
  size_t known = out->struct_size < sizeof all ? out->struct_size : sizeof all;
  memcpy(out, &all, known);
}

static ap_status ask(int socket, uint8_t *bytes, ap_shelf_server_state *out, ap_error *err) {
  const struct ap_shelf_packet hello = {.kind = AP_SHELF_HELLO, .a = AP_SHELF_SUBSCRIBER};
  const struct ap_shelf_packet wish = {.kind = AP_SHELF_STATS};
  struct ap_shelf_packet answer;
  int64_t numbers[AP_SHELF_STATISTICS];
  AP_TRY(call(socket, hello, bytes, &answer, err));
  AP_TRY(call(socket, wish, bytes, &answer, err));
  memcpy(numbers, answer.text.data, sizeof numbers); /* the decoder looked at its size */
  show(numbers, out);
  return AP_OK;
}

ap_status ap_shelf_server_ask(const char *asked, ap_shelf_server_state *out_state, ap_error *err) {
  char path[AP_SHELF_SOCKET_BYTES];
  int socket = -1;
  AP_TRY(ap_shelf_socket(asked, path, err));
  ap_status status = ap_socket_connect(path, &socket, err);
  if (status == AP_NOT_FOUND) {
    status = AP_FAIL(err, AP_ABANDONED, "no server of a shelf is at %s", path);
    ap_error_hint(err, "start one: arrowshelf-server, or arrowshelf-server --daemon");
  }
  if (status != AP_OK) return status;
  uint8_t *bytes = ap_allocate(ap_allocator_system(), AP_SHELF_PACKET_BYTES_MAX);
  status = bytes != NULL ? ask(socket, bytes, out_state, err) : AP_FAIL_MEMORY(err);
  ap_free(ap_allocator_system(), bytes);
  ap_descriptor_close(socket);
  return status;
}
