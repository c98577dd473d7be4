/* SPDX-License-Identifier: Apache-2.0
 *
 * Implements apiary/shelf.h but for putting and building (shelf_put.c, shelf_build.c): handles and
 * the requests that are one question and one answer.
 */
#include "shelf/shelf.h"

#include "base/assert.h"
#include "port/machine.h"
#include "port/socket.h"
#include "shelf/server.h"

#include <string.h>

enum { TIMEOUT_MS_USUAL = 30000, COPY_THREADS_USUAL = 2, COPY_THREADS_MAX = 16 };

ap_status ap_shelf_open(const ap_shelf_options *options, ap_shelf **out_shelf, ap_error *err) {
  ap_shelf_options usual = AP_SHELF_OPTIONS_INIT;
  char path[AP_SHELF_SOCKET_BYTES];
  if (options == NULL) options = &usual;
  if (options->struct_size < sizeof usual || options->timeout_ms < 0) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "ap_shelf_options were not initialised");
  }
  AP_TRY(ap_shelf_socket(options->socket, path, err));
  struct ap_machine machine = {0};
  ap_machine_detect(&machine);
  ap_shelf *shelf = ap_allocate_zeroed(ap_allocator_system(), 1, sizeof *shelf);
  if (shelf == NULL) return AP_FAIL_MEMORY(err);
  shelf->copy_threads = options->copy_threads;
  if (shelf->copy_threads == 0) shelf->copy_threads = COPY_THREADS_USUAL;
  if (shelf->copy_threads > machine.cores) shelf->copy_threads = machine.cores;
  if (shelf->copy_threads > COPY_THREADS_MAX) shelf->copy_threads = COPY_THREADS_MAX;
  int64_t timeout_ms = options->timeout_ms == 0 ? TIMEOUT_MS_USUAL : options->timeout_ms;
  ap_status status = ap_shelf_link_open(path, timeout_ms, &shelf->link, err);
  if (status != AP_OK) {
    ap_free(ap_allocator_system(), shelf);
    return status;
  }
  *out_shelf = shelf;
  return AP_OK;
}

void ap_shelf_close(ap_shelf *shelf) {
  if (shelf == NULL) return;
  ap_shelf_link_disconnect(shelf->link);
  ap_shelf_link_release(shelf->link);
  ap_free(ap_allocator_system(), shelf);
}

void ap_shelf_before_fork(ap_shelf *shelf) {
  ap_shelf_link_before_fork(shelf->link);
}

void ap_shelf_after_fork(ap_shelf *shelf, bool is_child) {
  ap_shelf_link_after_fork(shelf->link, is_child);
}

/* A request that writes no memory and whose answer is of interest only as a whole. */
static ap_status ask(ap_shelf *shelf, struct ap_shelf_packet request, struct ap_shelf_answer *out,
                     ap_error *err) {
  return ap_shelf_link_ask(shelf->link, &request, false, 0, out, err);
}

static ap_status ask_plainly(ap_shelf *shelf, struct ap_shelf_packet request, ap_error *err) {
  struct ap_shelf_answer answer = {0};
  AP_TRY(ask(shelf, request, &answer, err));
  ap_shelf_answer_deinit(&answer);
  return AP_OK;
}

/* The request's object, by key or by name. */
static struct ap_shelf_packet about(enum ap_shelf_kind kind, const char *key) {
  struct ap_shelf_packet request = {.kind = kind};
  struct ap_text text = ap_text_of(key);
  if (!ap_shelf_key_parse(text, &request.key)) request.text = text;
  return request;
}

static ap_status check_key(const char *key, ap_error *err) {
  if (key != NULL && key[0] != '\0') return AP_OK;
  return AP_FAIL(err, AP_INVALID_ARGUMENT, "an object of the shelf needs a key or a name");
}

bool ap_shelf_is_connected(ap_shelf *shelf) {
  return ask_plainly(shelf, (struct ap_shelf_packet){.kind = AP_SHELF_STATS}, NULL) == AP_OK;
}

ap_status ap_shelf_get(ap_shelf *shelf, const char *key, const ap_shelf_get_options *options,
                       struct ArrowArrayStream *out_stream, ap_error *err) {
  struct ap_shelf_held *held = NULL;
  ap_shelf_get_options usual = AP_SHELF_GET_OPTIONS_INIT;
  if (options == NULL) options = &usual;
  if (options->struct_size < sizeof usual) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "ap_shelf_get_options were not initialised");
  }
  AP_TRY(check_key(key, err));
  AP_TRY(ap_shelf_link_hold(shelf->link, key, &held, err));
  struct ap_shelf_object_memory object = {.arena = held->arena->readable,
                                          .extents = held->extents,
                                          .extent_count = held->extent_count,
                                          .block = {held->block, held->block_size},
                                          .holder = &held->holder};
  ap_status status = ap_shelf_unpack(&object, options->check_values, out_stream, err);
  held->holder.release(&held->holder);
  return status;
}

ap_status ap_shelf_delete(ap_shelf *shelf, const char *key, ap_error *err) {
  AP_TRY(check_key(key, err));
  return ask_plainly(shelf, about(AP_SHELF_DELETE, key), err);
}

ap_status ap_shelf_delete_all(ap_shelf *shelf, int64_t *out_count, ap_error *err) {
  struct ap_shelf_answer answer = {0};
  struct ap_shelf_packet request = {.kind = AP_SHELF_DELETE, .flags = AP_SHELF_FLAG_ALL};
  AP_TRY(ask(shelf, request, &answer, err));
  if (out_count != NULL) *out_count = answer.packet.a;
  ap_shelf_answer_deinit(&answer);
  return AP_OK;
}

ap_status ap_shelf_pin(ap_shelf *shelf, const char *key, bool pinned, ap_error *err) {
  AP_TRY(check_key(key, err));
  struct ap_shelf_packet request = about(AP_SHELF_PIN, key);
  if (pinned) request.flags = AP_SHELF_FLAG_PINNED;
  return ask_plainly(shelf, request, err);
}

ap_status ap_shelf_list(ap_shelf *shelf, const char *label, char **out_json, ap_error *err) {
  struct ap_buffer json;
  struct ap_shelf_packet request = {.kind = AP_SHELF_LIST, .text = ap_text_of(label)};
  ap_status status = AP_OK;
  ap_buffer_init(&json, ap_allocator_system());
  ap_buffer_append_string(&json, "[");
  do {
    struct ap_shelf_answer answer = {0};
    status = ask(shelf, request, &answer, err);
    if (status != AP_OK) break;
    if (answer.packet.text.size > 0 && json.size > 1) ap_buffer_append_string(&json, ",");
    ap_buffer_append_text(&json, answer.packet.text);
    request.a = answer.packet.b;
    ap_shelf_answer_deinit(&answer);
  } while (request.a != 0);
  ap_buffer_append_string(&json, "]");
  if (status == AP_OK) status = ap_buffer_check(&json, err);
  if (status == AP_OK) {
    *out_json = ap_string_copy(ap_allocator_system(), ap_buffer_text(&json));
    if (*out_json == NULL) status = AP_FAIL_MEMORY(err);
  }
  ap_buffer_deinit(&json);
  return status;
}

ap_status ap_shelf_get_usage(ap_shelf *shelf, ap_shelf_usage *out_usage, ap_error *err) {
  struct ap_shelf_answer answer = {0};
  int64_t numbers[AP_SHELF_STATISTICS] = {0};
  if (out_usage->struct_size < sizeof *out_usage) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "an ap_shelf_usage was not initialised");
  }
  AP_TRY(ask(shelf, (struct ap_shelf_packet){.kind = AP_SHELF_STATS}, &answer, err));
  size_t size = answer.packet.text.size;
  if (size == sizeof numbers) memcpy(numbers, answer.packet.text.data, size);
  ap_shelf_answer_deinit(&answer);
  if (size != sizeof numbers) {
    return AP_FAIL(err, AP_CORRUPT, "the server told %zu bytes of statistics", size);
  }
  out_usage->memory_bytes = numbers[AP_SHELF_STAT_MEMORY];
  out_usage->used_bytes = numbers[AP_SHELF_STAT_USED];
  out_usage->resident_bytes = numbers[AP_SHELF_STAT_RESIDENT];
  out_usage->largest_free_bytes = numbers[AP_SHELF_STAT_LARGEST_FREE];
  out_usage->objects = numbers[AP_SHELF_STAT_OBJECTS];
  out_usage->unsealed = numbers[AP_SHELF_STAT_UNSEALED];
  out_usage->deleted = numbers[AP_SHELF_STAT_DELETED];
  out_usage->connections = numbers[AP_SHELF_STAT_CONNECTIONS];
  out_usage->puts = numbers[AP_SHELF_STAT_PUTS];
  out_usage->gets = numbers[AP_SHELF_STAT_GETS];
  out_usage->deletes = numbers[AP_SHELF_STAT_DELETES];
  out_usage->evictions = numbers[AP_SHELF_STAT_EVICTIONS];
  out_usage->server_process = numbers[AP_SHELF_STAT_PROCESS];
  return AP_OK;
}

ap_status ap_shelf_shutdown(ap_shelf *shelf, ap_error *err) {
  return ask_plainly(shelf, (struct ap_shelf_packet){.kind = AP_SHELF_SHUTDOWN}, err);
}
