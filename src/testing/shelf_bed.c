/* SPDX-License-Identifier: Apache-2.0
 *
 * The server by fork(2); the client by blocking calls with a deadline.
 */
#include "testing/shelf_bed.h"

#include "base/assert.h"
#include "port/env.h"
#include "port/memory.h"
#include "port/socket.h"
#include "shelf/server.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE_MS = 60000 };

static void say_ready(void *context, const char *socket) {
  (void)socket;
  AP_ASSERT(write(*(int *)context, "x", 1) == 1);
}

void ap_shelf_bed_restart(struct ap_shelf_bed *bed) {
  int ends[2];
  char byte = 0;
  AP_ASSERT(bed->process == 0 && pipe(ends) == 0);
  pid_t parent = getpid();
  bed->process = fork();
  AP_ASSERT(bed->process >= 0);
  if (bed->process == 0) {
    struct ap_shelf_server_settings settings = {.socket = bed->socket,
                                                .memory_bytes = bed->memory_bytes,
                                                .warm_bytes = bed->warm_bytes,
                                                .evicts = bed->evicts,
                                                .ready = say_ready,
                                                .context = &ends[1]};
    ap_error err = {0};
    (void)close(ends[0]);
    AP_ASSERT(getppid() == parent);
    ap_status status = ap_shelf_server_run(&settings, ap_env_system(), &err);
    if (status != AP_OK) (void)fprintf(stderr, "the shelf's server: %s\n", err.message);
    _exit(status == AP_OK ? 0 : 1);
  }
  (void)close(ends[1]);
  AP_ASSERT(read(ends[0], &byte, 1) == 1);
  (void)close(ends[0]);
}

void ap_shelf_bed_start(struct ap_shelf_bed *bed, const char *name, int64_t memory_bytes) {
  (void)snprintf(bed->socket, sizeof bed->socket, "@apiary-test-%s-%d", name, (int)getpid());
  bed->memory_bytes = memory_bytes;
  bed->process = 0;
  ap_shelf_bed_restart(bed);
}

int ap_shelf_bed_stop(struct ap_shelf_bed *bed, int signal) {
  int status = 0;
  AP_ASSERT(bed->process > 0 && kill(bed->process, signal) == 0);
  AP_ASSERT(waitpid(bed->process, &status, 0) == bed->process);
  bed->process = 0;
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- the client ------------------------------------------------------------------------------ */

static bool receive(struct ap_shelf_wire_client *client, struct ap_shelf_packet *out,
                    int descriptors[AP_SOCKET_DESCRIPTORS_MAX], size_t *out_count) {
  size_t size = 0;
  enum ap_socket_outcome outcome = AP_SOCKET_CLOSED;
  ap_error err = {0};
  ap_status status = ap_socket_receive(client->socket, client->bytes, sizeof client->bytes,
                                       DEADLINE_MS, &size, descriptors, out_count, &outcome, &err);
  AP_ASSERT(status == AP_OK && outcome != AP_SOCKET_WOULD_BLOCK); /* the server is not stuck */
  if (outcome == AP_SOCKET_CLOSED) return false;
  AP_ASSERT(ap_shelf_packet_decode(client->bytes, size, true, out, &err) == AP_OK);
  return true;
}

bool ap_shelf_wire_receive(struct ap_shelf_wire_client *client, struct ap_shelf_packet *out) {
  int descriptors[AP_SOCKET_DESCRIPTORS_MAX];
  size_t count = 0;
  if (!receive(client, out, descriptors, &count)) return false;
  AP_ASSERT(count == 0);
  return true;
}

bool ap_shelf_wire_send(struct ap_shelf_wire_client *client, struct ap_shelf_packet *request) {
  size_t size = 0;
  enum ap_socket_outcome outcome = AP_SOCKET_CLOSED;
  ap_error err = {0};
  request->sequence = ++client->sequence;
  AP_ASSERT(ap_shelf_packet_encode(request, client->bytes, &size, &err) == AP_OK);
  ap_status status = ap_socket_send(client->socket, client->bytes, size, NULL, 0, &outcome, &err);
  return status == AP_OK && outcome == AP_SOCKET_DONE;
}

bool ap_shelf_wire_call(struct ap_shelf_wire_client *client, struct ap_shelf_packet request,
                        struct ap_shelf_packet *answer) {
  ap_error err = {0};
  if (!ap_shelf_wire_send(client, &request)) return false;
  if (!ap_shelf_wire_receive(client, answer)) return false;
  AP_ASSERT(answer->kind == request.kind && answer->sequence == request.sequence);
  if (answer->status == AP_OK && client->arena_bytes > 0) {
    AP_ASSERT(ap_shelf_packet_check_places(answer, client->arena_bytes, &err) == AP_OK);
  }
  return true;
}

bool ap_shelf_wire_open(struct ap_shelf_wire_client *client, const char *socket,
                        enum ap_shelf_role role) {
  struct ap_shelf_packet hello = {.kind = AP_SHELF_HELLO, .a = role};
  struct ap_shelf_packet answer;
  int descriptors[AP_SOCKET_DESCRIPTORS_MAX];
  size_t count = 0;
  int64_t size = 0;
  void *mapped = NULL;
  ap_error err = {0};
  memset(client, 0, sizeof *client);
  client->socket = -1;
  if (ap_socket_connect(socket, &client->socket, &err) != AP_OK) return false;
  if (!ap_shelf_wire_send(client, &hello) || !receive(client, &answer, descriptors, &count)) {
    ap_shelf_wire_close(client);
    return false;
  }
  AP_ASSERT(answer.kind == AP_SHELF_HELLO && answer.status == AP_OK);
  client->token = answer.key;
  client->arena_bytes = answer.a;
  client->server_process = answer.c;
  AP_ASSERT(count == (role == AP_SHELF_SUBSCRIBER ? 0 : 2));
  if (count == 0) return true;
  AP_ASSERT(ap_memory_size(descriptors[0], &size, &err) == AP_OK && size == answer.a);
  AP_ASSERT(ap_memory_map(descriptors[0], size, role == AP_SHELF_WRITER, &mapped, &err) == AP_OK);
  client->arena = mapped;
  AP_ASSERT(ap_memory_size(descriptors[1], &size, &err) == AP_OK && size == answer.b);
  AP_ASSERT(ap_memory_map(descriptors[1], size, false, &mapped, &err) == AP_OK);
  client->counters = mapped;
  ap_descriptor_close(descriptors[0]);
  ap_descriptor_close(descriptors[1]);
  return true;
}

void ap_shelf_wire_close(struct ap_shelf_wire_client *client) {
  ap_descriptor_close(client->socket);
  ap_memory_unmap(client->arena, client->arena_bytes);
  ap_memory_unmap((void *)(uintptr_t)client->counters, ap_memory_page_bytes());
  client->socket = -1;
  client->arena = NULL;
  client->counters = NULL;
}

static uint8_t pattern_byte(int64_t pattern, int64_t at) {
  return (uint8_t)((uint64_t)(pattern + 1) * UINT64_C(0x9E3779B97F4A7C15) >> 32 ^ (uint64_t)at);
}

ap_status ap_shelf_wire_put(struct ap_shelf_wire_client *client, int64_t size, int64_t pattern,
                            const char *name, bool held, struct ap_shelf_key *out_key) {
  const struct ap_shelf_extent wanted = {0, size};
  struct ap_shelf_packet answer;
  struct ap_buffer text;
  struct ap_shelf_packet create = {
      .kind = AP_SHELF_CREATE, .extents = &wanted, .extent_count = 1, .text = ap_text_of(name)};
  if (!ap_shelf_wire_call(client, create, &answer)) return AP_ABANDONED;
  if (answer.status != AP_OK) return answer.status;
  struct ap_shelf_extent place = ap_shelf_packet_extent(&answer, 0);
  for (int64_t i = 0; i < size; i++) client->arena[place.offset + i] = pattern_byte(pattern, i);
  ap_buffer_init(&text, ap_allocator_system());
  ap_buffer_append_string(&text, name != NULL ? name : "");
  ap_buffer_append(&text, "", 1);
  struct ap_shelf_packet seal = {.kind = AP_SHELF_SEAL,
                                 .flags = held ? AP_SHELF_FLAG_HOLD : 0,
                                 .key = answer.key,
                                 .a = place.offset,
                                 .b = size,
                                 .c = pattern,
                                 .text = ap_buffer_text(&text)};
  *out_key = answer.key;
  bool called = ap_shelf_wire_call(client, seal, &answer);
  ap_buffer_deinit(&text);
  return called ? answer.status : AP_ABANDONED;
}

ap_status ap_shelf_wire_get(struct ap_shelf_wire_client *client, struct ap_shelf_key key,
                            const char *name, bool check, struct ap_shelf_key *out_key) {
  struct ap_shelf_packet answer;
  struct ap_shelf_packet get = {.kind = AP_SHELF_GET, .key = key, .text = ap_text_of(name)};
  if (!ap_shelf_wire_call(client, get, &answer)) return AP_ABANDONED;
  if (answer.status != AP_OK) return answer.status;
  *out_key = answer.key;
  client->place = ap_shelf_packet_extent(&answer, 0);
  client->pattern = answer.c;
  if (check) ap_shelf_wire_check(client, client->place, client->pattern);
  return AP_OK;
}

void ap_shelf_wire_check(const struct ap_shelf_wire_client *client, struct ap_shelf_extent place,
                         int64_t pattern) {
  for (int64_t i = 0; i < place.size; i++) {
    AP_ASSERT(client->arena[place.offset + i] == pattern_byte(pattern, i));
  }
}

ap_status ap_shelf_wire_by_key(struct ap_shelf_wire_client *client, enum ap_shelf_kind kind,
                               struct ap_shelf_key key) {
  struct ap_shelf_packet answer;
  struct ap_shelf_packet request = {.kind = kind, .key = key};
  return ap_shelf_wire_call(client, request, &answer) ? answer.status : AP_ABANDONED;
}

bool ap_shelf_wire_statistics(struct ap_shelf_wire_client *client,
                              int64_t out[AP_SHELF_STATISTICS]) {
  struct ap_shelf_packet answer;
  if (!ap_shelf_wire_call(client, (struct ap_shelf_packet){.kind = AP_SHELF_STATS}, &answer)) {
    return false;
  }
  AP_ASSERT(answer.status == AP_OK && answer.text.size == AP_SHELF_STATISTICS * sizeof *out);
  memcpy(out, answer.text.data, answer.text.size);
  return true;
}
