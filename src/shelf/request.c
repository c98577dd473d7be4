/* SPDX-License-Identifier: Apache-2.0
 *
 * What each request does (wire.h): one function a kind, which fills the answer or says why not.
 */
#include "shelf/server_inside.h"

#include "base/assert.h"
#include "base/json.h"
#include "port/memory.h"
#include "port/socket.h"

#include <string.h>

enum { LIST_BYTES = 96 * 1024 }; /* of one answer, one more entry not counted */

struct call {
  struct ap_shelf_server *server;
  struct ap_shelf_connection *connection;
  const struct ap_shelf_packet *request;
  struct ap_shelf_packet answer;
  int descriptors[2];
  size_t descriptor_count;
};

void ap_shelf_request_refuse(struct ap_shelf_server *server, struct ap_shelf_connection *connection,
                             const struct ap_shelf_packet *request, const ap_error *why) {
  struct ap_buffer *text = &server->text;
  struct ap_shelf_packet answer = {.kind = request->kind,
                                   .flags = AP_SHELF_FLAG_ANSWER,
                                   .status = why->code,
                                   .sequence = request->sequence,
                                   .key = request->key};
  ap_buffer_clear(text);
  ap_buffer_append_string(text, why->message);
  ap_buffer_append(text, "", 1);
  ap_buffer_append_string(text, why->hint);
  answer.text = ap_buffer_text(text);
  if (text->failed || !ap_text_is_utf8(answer.text)) {
    answer.text = (struct ap_text){"\0", 1};
    text->failed = false;
  }
  ap_shelf_connection_send(server, connection, &answer, NULL, 0);
}

static void draw_key(struct ap_shelf_server *server, struct ap_shelf_key *out) {
  struct ap_random *random = server->env->random;
  random->fill(random, out->bytes, sizeof out->bytes);
  out->bytes[6] = (uint8_t)((out->bytes[6] & 0x0f) | 0x40); /* RFC 9562, version 4 */
  out->bytes[8] = (uint8_t)((out->bytes[8] & 0x3f) | 0x80);
}

static ap_status run_hello(struct call *call, ap_error *err) {
  struct ap_shelf_connection *connection = call->connection;
  struct ap_shelf_server *server = call->server;
  enum ap_shelf_role role = (enum ap_shelf_role)call->request->a;
  if (connection->greeted &&
      (role == AP_SHELF_SUBSCRIBER || connection->role == AP_SHELF_SUBSCRIBER)) {
    return AP_FAIL(err, AP_STATE,
                   "a connection does not become a subscriber, nor ceases to be one");
  }
  if (!connection->greeted) {
    draw_key(server, &connection->token);
    AP_TRY(ap_shelf_client_create(server->store, connection->token, &connection->client, err));
    connection->greeted = true;
    connection->role = role;
  }
  if (role == AP_SHELF_WRITER) connection->role = AP_SHELF_WRITER;
  call->answer.key = connection->token;
  call->answer.a = server->memory_bytes;
  call->answer.b = ap_memory_page_bytes();
  call->answer.c = ap_process_id();
  if (role == AP_SHELF_SUBSCRIBER) return AP_OK;
  call->descriptors[0] = role == AP_SHELF_WRITER ? server->arena : server->arena_reader;
  call->descriptors[1] = server->counters_reader;
  call->descriptor_count = 2;
  return AP_OK;
}

static ap_status check_writer(const struct call *call, ap_error *err) {
  if (call->connection->role == AP_SHELF_WRITER) return AP_OK;
  return AP_FAIL(err, AP_PERMISSION, "this connection said HELLO as a reader and may not write");
}

/* The object's extents from `first` on. */
static void show_extents(struct call *call, const struct ap_shelf_object *object, size_t first) {
  struct ap_shelf_object_info info;
  ap_shelf_object_show(object, &info);
  for (size_t i = first; i < info.extent_count; i++) {
    call->server->extents[i - first] = ap_shelf_object_extent(object, i);
  }
  call->answer.extents = call->server->extents;
  call->answer.extent_count = info.extent_count - first;
  call->answer.key = info.key;
}

static ap_status run_create(struct call *call, ap_error *err) {
  struct ap_shelf_server *server = call->server;
  struct ap_shelf_wish wish = {call->request, (call->request->flags & AP_SHELF_FLAG_PAGES) != 0};
  struct ap_shelf_object *object = NULL;
  struct ap_shelf_key key;
  AP_TRY(check_writer(call, err));
  if (server->draining) {
    return AP_FAIL(err, AP_ABANDONED, "the server of the shelf is ending and takes no new objects");
  }
  draw_key(server, &key);
  server->taken++;
  AP_TRY(ap_shelf_store_create_object(server->store, call->connection->client, key, &wish,
                                      call->request->text, &object, err));
  show_extents(call, object, 0);
  return AP_OK;
}

static ap_status run_extend(struct call *call, ap_error *err) {
  struct ap_shelf_wish wish = {call->request, (call->request->flags & AP_SHELF_FLAG_PAGES) != 0};
  struct ap_shelf_object *object = NULL;
  struct ap_shelf_object_info info;
  AP_TRY(check_writer(call, err));
  AP_TRY(ap_shelf_store_extend(call->server->store, call->connection->client, call->request->key,
                               &wish, &object, err));
  ap_shelf_object_show(object, &info);
  show_extents(call, object, info.extent_count - call->request->extent_count);
  return AP_OK;
}

static ap_status run_seal(struct call *call, ap_error *err) {
  const struct ap_shelf_packet *request = call->request;
  struct ap_shelf_object *object = NULL;
  struct ap_shelf_object_info info;
  struct ap_shelf_seal seal = {
      .meta_offset = request->a,
      .meta_size = request->b,
      .rows = request->c,
      .name = ap_shelf_text_part(request->text, 0),
      .labels = ap_shelf_text_part(request->text, 1),
      .pinned = (request->flags & AP_SHELF_FLAG_PINNED) != 0,
      .held = (request->flags & AP_SHELF_FLAG_HOLD) != 0,
  };
  if (request->extent_count == 1) seal.last = ap_shelf_packet_extent(request, 0);
  AP_TRY(check_writer(call, err));
  AP_TRY(ap_shelf_store_seal(call->server->store, call->connection->client, request->key, &seal,
                             &object, err));
  ap_shelf_object_show(object, &info);
  call->answer.key = info.key;
  call->answer.a = info.bytes;
  return AP_OK;
}

static ap_status run_abandon(struct call *call, ap_error *err) {
  AP_TRY(check_writer(call, err));
  call->answer.key = call->request->key;
  return ap_shelf_store_abandon(call->server->store, call->connection->client, call->request->key,
                                err);
}

static ap_status run_get(struct call *call, ap_error *err) {
  struct ap_shelf_object *object = NULL;
  struct ap_shelf_object_info info;
  AP_TRY(ap_shelf_store_get(call->server->store, call->connection->client, call->request->key,
                            call->request->text, &object, err));
  ap_shelf_object_show(object, &info);
  show_extents(call, object, 0);
  call->answer.a = info.meta_offset;
  call->answer.b = info.meta_size;
  call->answer.c = info.rows;
  if (info.pinned) call->answer.flags |= AP_SHELF_FLAG_PINNED;
  return AP_OK;
}

static ap_status run_release(struct call *call, ap_error *err) {
  (void)err;
  ap_shelf_store_release(call->server->store, call->connection->client, call->request->key);
  call->answer.key = call->request->key;
  return AP_OK;
}

/* The object that key or name lead to; its key goes into the answer. */
static ap_status find_object(struct call *call, struct ap_shelf_object **out, ap_error *err) {
  struct ap_shelf_object_info info;
  struct ap_text name = call->request->text;
  AP_TRY(ap_shelf_store_find(call->server->store, call->request->key, name, out, err));
  ap_shelf_object_show(*out, &info);
  call->answer.key = info.key;
  return AP_OK;
}

static ap_status run_delete(struct call *call, ap_error *err) {
  struct ap_shelf_object *object = NULL;
  if ((call->request->flags & AP_SHELF_FLAG_ALL) != 0) {
    call->answer.flags |= AP_SHELF_FLAG_ALL;
    call->answer.a = ap_shelf_store_delete_all(call->server->store);
    return AP_OK;
  }
  AP_TRY(find_object(call, &object, err));
  ap_shelf_store_delete(call->server->store, object);
  return AP_OK;
}

static ap_status run_rename(struct call *call, ap_error *err) {
  struct ap_shelf_object *object = NULL;
  struct ap_text name = ap_shelf_text_part(call->request->text, 0);
  struct ap_text labels = ap_shelf_text_part(call->request->text, 1);
  uint32_t flags = call->request->flags;
  AP_TRY(ap_shelf_store_find(call->server->store, call->request->key, AP_TEXT(""), &object, err));
  call->answer.key = call->request->key;
  return ap_shelf_store_rename(call->server->store, object,
                               (flags & AP_SHELF_FLAG_NAME) != 0 ? &name : NULL,
                               (flags & AP_SHELF_FLAG_LABELS) != 0 ? &labels : NULL, err);
}

static ap_status run_pin(struct call *call, ap_error *err) {
  struct ap_shelf_object *object = NULL;
  AP_TRY(find_object(call, &object, err));
  ap_shelf_store_pin(call->server->store, object,
                     (call->request->flags & AP_SHELF_FLAG_PINNED) != 0);
  return AP_OK;
}

static void list_object(struct ap_json_writer *writer, const struct ap_shelf_object_info *info) {
  char key[37];
  ap_shelf_key_text(info->key, key);
  ap_json_begin_object(writer);
  ap_json_name(writer, AP_TEXT("key"));
  ap_json_string(writer, ap_text_of(key));
  ap_json_name(writer, AP_TEXT("name"));
  ap_json_string(writer, info->name);
  ap_json_name(writer, AP_TEXT("labels"));
  ap_json_string(writer, info->labels);
  ap_json_name(writer, AP_TEXT("bytes"));
  ap_json_i64(writer, info->bytes);
  ap_json_name(writer, AP_TEXT("rows"));
  ap_json_i64(writer, info->rows);
  ap_json_name(writer, AP_TEXT("references"));
  ap_json_i64(writer, info->references);
  ap_json_name(writer, AP_TEXT("pinned"));
  ap_json_bool(writer, info->pinned);
  ap_json_end_object(writer);
}

static ap_status run_list(struct call *call, ap_error *err) {
  struct ap_buffer *text = &call->server->text;
  const struct ap_shelf_store *store = call->server->store;
  struct ap_text label = call->request->text;
  struct ap_json_writer writer;
  ap_buffer_clear(text);
  ap_json_writer_init(&writer, text);
  const struct ap_shelf_object *object = ap_shelf_store_next(store, call->request->a);
  for (; object != NULL; object = ap_shelf_store_after(store, object)) {
    struct ap_shelf_object_info info;
    ap_shelf_object_show(object, &info);
    if (label.size > 0 && !ap_shelf_labels_have(info.labels, label)) continue;
    if (text->size > LIST_BYTES) {
      call->answer.b = info.number - 1;
      break;
    }
    list_object(&writer, &info);
    call->answer.a++;
  }
  call->answer.text = ap_buffer_text(text);
  ap_status status = ap_buffer_check(text, err);
  if (status != AP_OK) text->failed = false;
  return status;
}

static ap_status run_statistics(struct call *call, ap_error *err) {
  struct ap_buffer *text = &call->server->text;
  int64_t numbers[AP_SHELF_STATISTICS];
  ap_shelf_store_statistics(call->server->store, numbers);
  numbers[AP_SHELF_STAT_RESIDENT] = ap_memory_resident(call->server->arena);
  numbers[AP_SHELF_STAT_CONNECTIONS] = call->server->connection_count;
  numbers[AP_SHELF_STAT_PROCESS] = ap_process_id();
  ap_buffer_clear(text);
  ap_buffer_append(text, numbers, sizeof numbers);
  call->answer.text = ap_buffer_text(text);
  ap_status status = ap_buffer_check(text, err);
  if (status != AP_OK) text->failed = false;
  return status;
}

static ap_status run_fork(struct call *call, ap_error *err) {
  return ap_shelf_store_fork(call->server->store, call->connection->client, call->request->key,
                             &call->answer.a, err);
}

static ap_status run_subscribe(struct call *call, ap_error *err) {
  struct ap_shelf_connection *connection = call->connection;
  struct ap_text label = call->request->text;
  if (connection->role != AP_SHELF_SUBSCRIBER) {
    return AP_FAIL(err, AP_STATE, "only a connection that said HELLO as a subscriber gets events");
  }
  AP_TRY(ap_shelf_labels_check(label, err));
  if (label.size > 0) memcpy(connection->label, label.data, label.size);
  connection->label[label.size] = '\0';
  connection->events = call->request->flags;
  connection->subscribed = true;
  return AP_OK;
}

static ap_status run_shutdown(struct call *call, ap_error *err) {
  (void)err;
  ap_shelf_server_drain(call->server);
  return AP_OK;
}

typedef ap_status (*runner)(struct call *call, ap_error *err);

static const runner runners[AP_SHELF_KIND_END] = {
    [AP_SHELF_HELLO] = run_hello,       [AP_SHELF_CREATE] = run_create,
    [AP_SHELF_EXTEND] = run_extend,     [AP_SHELF_SEAL] = run_seal,
    [AP_SHELF_ABANDON] = run_abandon,   [AP_SHELF_GET] = run_get,
    [AP_SHELF_RELEASE] = run_release,   [AP_SHELF_DELETE] = run_delete,
    [AP_SHELF_RENAME] = run_rename,     [AP_SHELF_PIN] = run_pin,
    [AP_SHELF_LIST] = run_list,         [AP_SHELF_STATS] = run_statistics,
    [AP_SHELF_FORK] = run_fork,         [AP_SHELF_SUBSCRIBE] = run_subscribe,
    [AP_SHELF_SHUTDOWN] = run_shutdown,
};

void ap_shelf_request_run(struct ap_shelf_server *server, struct ap_shelf_connection *connection,
                          const struct ap_shelf_packet *request) {
  struct call call = {.server = server, .connection = connection, .request = request};
  ap_error err = {0};
  AP_ASSERT(runners[request->kind] != NULL); /* the decoder takes no other */
  call.answer.kind = request->kind;
  call.answer.flags = AP_SHELF_FLAG_ANSWER;
  call.answer.sequence = request->sequence;
  ap_status status = runners[request->kind](&call, &err);
  /* Release: partner of the clients' acquire; before the answer, so that whoever is told of a
   * removal can rely on all others seeing it. */
  atomic_store_explicit(&server->page->removals, ap_shelf_store_removals(server->store),
                        memory_order_release);
  if ((request->flags & AP_SHELF_FLAG_QUIET) != 0) return;
  if (status != AP_OK) {
    ap_shelf_request_refuse(server, connection, request, &err);
  } else {
    ap_shelf_connection_send(server, connection, &call.answer, call.descriptors,
                             call.descriptor_count);
  }
}
