/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests and answers over one connection, and what is known because of them.
 *
 * An answer that comes too late is passed over by its sequence number, so that a time-out does not
 * cost the connection and with it the references to what is held.
 */
#include "shelf/link.h"

#include "base/assert.h"
#include "port/memory.h"
#include "port/socket.h"

#include <string.h>

enum { ATTEMPTS = 2, STALE_ANSWERS_MAX = 1024, TOUCH_BYTES = 2 * 1024 * 1024 };

struct ap_shelf_link {
  atomic_size_t references;
  struct ap_mutex *mutex; /* guards all below */
  struct ap_mutex *spare_mutex;
  char path[AP_SHELF_LINK_PATH_BYTES];
  int64_t timeout_ms;
  int socket;      /* -1: none */
  int spare;       /* for the child of a fork that is under way; -1: none */
  int32_t process; /* whose the connection is */
  uint32_t sequence;
  uint64_t generation; /* of the connection; its number */
  struct ap_shelf_key token;
  struct ap_shelf_key spare_token;
  struct ap_shelf_arena *arena; /* of the connection */
  struct ap_shelf_table keys;   /* of what is held, of this connection and of earlier ones */
  struct ap_shelf_table names;  /* by which it was got */
  uint8_t out[AP_SHELF_PACKET_BYTES_MAX];
  uint8_t in[AP_SHELF_PACKET_BYTES_MAX];
};

static ap_status connect_now(struct ap_shelf_link *link, ap_error *err);
static ap_status exchange(struct ap_shelf_link *link, int socket,
                          const struct ap_shelf_packet *request, struct ap_shelf_packet *out,
                          int descriptors[AP_SOCKET_DESCRIPTORS_MAX], size_t *out_descriptors,
                          ap_error *err);
static void unguard(struct ap_shelf_arena *arena, struct ap_shelf_extent extent);
static void held_retain(struct ap_shelf_holder *self);
static void held_release(struct ap_shelf_holder *self);

static void lock(struct ap_shelf_link *link) {
  ap_threads_system()->lock(ap_threads_system(), link->mutex);
}

static void unlock(struct ap_shelf_link *link) {
  ap_threads_system()->unlock(ap_threads_system(), link->mutex);
}

static void link_free(struct ap_shelf_link *link) {
  ap_shelf_table_deinit(&link->keys);
  ap_shelf_table_deinit(&link->names);
  ap_threads_system()->mutex_destroy(ap_threads_system(), link->mutex);
  ap_threads_system()->mutex_destroy(ap_threads_system(), link->spare_mutex);
  ap_free(ap_allocator_system(), link);
}

ap_status ap_shelf_link_open(const char *socket, int64_t timeout_ms, struct ap_shelf_link **out,
                             ap_error *err) {
  if (strlen(socket) >= AP_SHELF_LINK_PATH_BYTES) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "the socket path '%s' is longer than %d bytes", socket,
                   AP_SHELF_LINK_PATH_BYTES - 1);
  }
  struct ap_shelf_link *link = ap_allocate_zeroed(ap_allocator_system(), 1, sizeof *link);
  if (link == NULL) return AP_FAIL_MEMORY(err);
  ap_status status = ap_threads_system()->mutex_create(ap_threads_system(), &link->mutex, err);
  if (status != AP_OK) {
    ap_free(ap_allocator_system(), link);
    return status;
  }
  status = ap_shelf_table_init(&link->keys, ap_allocator_system(), err);
  if (status == AP_OK) status = ap_shelf_table_init(&link->names, ap_allocator_system(), err);
  if (status != AP_OK) {
    link_free(link);
    return status;
  }
  atomic_init(&link->references, 1);
  memcpy(link->path, socket, strlen(socket) + 1);
  link->timeout_ms = timeout_ms;
  link->socket = -1;
  link->spare = -1;
  *out = link;
  return AP_OK;
}

void ap_shelf_link_retain(struct ap_shelf_link *link) {
  /* The caller's own reference keeps the count above zero, so no order is needed. */
  atomic_fetch_add_explicit(&link->references, 1, memory_order_relaxed);
}

/* With the lock held, or by the last holder. A server that lives counts what is held by the
 * connection: it is closed with the last array of its arena, not before. */
static void disconnect(struct ap_shelf_link *link) {
  if (link->arena != NULL) {
    AP_ASSERT(link->arena->socket < 0);
    link->arena->socket = link->socket;
  } else {
    ap_descriptor_close(link->socket);
  }
  ap_shelf_arena_release(link->arena);
  link->socket = -1;
  link->arena = NULL;
}

void ap_shelf_link_release(struct ap_shelf_link *link) {
  if (link == NULL) return;
  /* Release and acquire pair with each other: the last holder sees all that others did. */
  if (atomic_fetch_sub_explicit(&link->references, 1, memory_order_acq_rel) > 1) return;
  AP_ASSERT(link->keys.count == 0);
  disconnect(link);
  link_free(link);
}

void ap_shelf_link_disconnect(struct ap_shelf_link *link) {
  lock(link);
  /* What is held is so by the connection; it stays until that is let go. */
  if (link->keys.count == 0) disconnect(link);
  unlock(link);
}

void ap_shelf_arena_release(struct ap_shelf_arena *arena) {
  if (arena == NULL) return;
  if (atomic_fetch_sub_explicit(&arena->references, 1, memory_order_acq_rel) > 1) return;
  ap_descriptor_close(arena->socket);
  ap_memory_unmap(arena->readable, arena->bytes);
  ap_memory_unmap(arena->writable, arena->bytes);
  ap_memory_unmap((void *)(uintptr_t)arena->counters, arena->counter_bytes);
  ap_free(ap_allocator_system(), arena->guarded);
  ap_free(ap_allocator_system(), arena->touched);
  ap_free(ap_allocator_system(), arena);
}

struct ap_shelf_arena *ap_shelf_link_arena(struct ap_shelf_link *link, uint64_t generation) {
  struct ap_shelf_arena *arena = NULL;
  lock(link);
  if (link->socket >= 0 && link->generation == generation) {
    arena = link->arena;
    atomic_fetch_add_explicit(&arena->references, 1, memory_order_relaxed);
  }
  unlock(link);
  return arena;
}

/* ---- the connection -------------------------------------------------------------------------- */

static ap_status map_checked(int descriptor, int64_t bytes, bool writable, void **out,
                             ap_error *err) {
  int64_t size = 0;
  AP_TRY(ap_memory_size(descriptor, &size, err));
  if (size != bytes || bytes <= 0) {
    return AP_FAIL(err, AP_CORRUPT, "the server handed over %lld bytes of memory, not %lld",
                   (long long)size, (long long)bytes);
  }
  return ap_memory_map(descriptor, bytes, writable, out, err);
}

/* Say HELLO in a role and map what comes. */
static ap_status greet(struct ap_shelf_link *link, int socket, enum ap_shelf_role role,
                       struct ap_shelf_arena *arena, ap_error *err) {
  int descriptors[AP_SOCKET_DESCRIPTORS_MAX] = {-1, -1, -1, -1};
  size_t count = 0;
  struct ap_shelf_packet answer = {0};
  struct ap_shelf_packet hello = {.kind = AP_SHELF_HELLO, .a = role};
  ap_status status = exchange(link, socket, &hello, &answer, descriptors, &count, err);
  if (status == AP_OK && count != 2) {
    status = AP_FAIL(err, AP_CORRUPT, "the server handed over %zu descriptors, not 2", count);
  }
  void *address = NULL;
  if (status == AP_OK) {
    status = map_checked(descriptors[0], answer.a, role == AP_SHELF_WRITER, &address, err);
  }
  if (status == AP_OK && role == AP_SHELF_WRITER) {
    arena->writable = address;
    if (answer.a != arena->bytes) status = AP_FAIL(err, AP_CORRUPT, "the server's memory changed");
  } else if (status == AP_OK) {
    arena->readable = address;
    arena->bytes = answer.a;
    link->token = answer.key;
    status = map_checked(descriptors[1], answer.b, false, &address, err);
    if (status == AP_OK) {
      arena->counters = address;
      arena->counter_bytes = answer.b;
    }
    if (status == AP_OK && answer.b < (int64_t)sizeof(struct ap_shelf_counters)) {
      status = AP_FAIL(err, AP_CORRUPT, "the server's counters have no room");
    }
  }
  for (size_t i = 0; i < count; i++) ap_descriptor_close(descriptors[i]);
  return status;
}

static ap_status no_server(struct ap_shelf_link *link, ap_status status, ap_error *err) {
  if (status != AP_NOT_FOUND && status != AP_IO) return status;
  status = AP_FAIL(err, AP_ABANDONED, "no shelf is served at %s", link->path);
  ap_error_hint(err, "start it: arrowshelf-server &");
  return status;
}

static ap_status connect_now(struct ap_shelf_link *link, ap_error *err) {
  int socket = -1;
  if (link->socket >= 0) return AP_OK;
  AP_ASSERT(link->arena == NULL);
  ap_status status = ap_socket_connect(link->path, &socket, err);
  if (status != AP_OK) return no_server(link, status, err);
  struct ap_shelf_arena *arena = ap_allocate_zeroed(ap_allocator_system(), 1, sizeof *arena);
  if (arena == NULL) {
    ap_descriptor_close(socket);
    return AP_FAIL_MEMORY(err);
  }
  atomic_init(&arena->references, 1);
  arena->socket = -1;
  status = greet(link, socket, AP_SHELF_READER, arena, err);
  if (status != AP_OK) {
    ap_shelf_arena_release(arena);
    ap_descriptor_close(socket);
    return status;
  }
  link->socket = socket;
  link->arena = arena;
  link->process = ap_process_id();
  link->generation++;
  return AP_OK;
}

/* One request and its answer. A refusal is an error; so is AP_ABANDONED, when the other end is
 * gone. `out` shows the link's buffer. */
static ap_status exchange(struct ap_shelf_link *link, int socket,
                          const struct ap_shelf_packet *request, struct ap_shelf_packet *out,
                          int descriptors[AP_SOCKET_DESCRIPTORS_MAX], size_t *out_descriptors,
                          ap_error *err) {
  struct ap_shelf_packet sent = *request;
  enum ap_socket_outcome outcome = AP_SOCKET_DONE;
  size_t size = 0;
  sent.sequence = ++link->sequence;
  *out_descriptors = 0;
  AP_TRY(ap_shelf_packet_encode(&sent, link->out, &size, err));
  AP_TRY(ap_socket_send(socket, link->out, size, NULL, 0, &outcome, err));
  for (int stale = 0; outcome == AP_SOCKET_DONE && stale < STALE_ANSWERS_MAX; stale++) {
    AP_TRY(ap_socket_receive(socket, link->in, sizeof link->in, link->timeout_ms, &size,
                             descriptors, out_descriptors, &outcome, err));
    if (outcome != AP_SOCKET_DONE) break;
    AP_TRY(ap_shelf_packet_decode(link->in, size, true, out, err));
    if (out->sequence == sent.sequence) {
      return out->status == AP_OK ? AP_OK : ap_shelf_packet_error(out, err);
    }
    for (size_t i = 0; i < *out_descriptors; i++) ap_descriptor_close(descriptors[i]);
    *out_descriptors = 0;
  }
  if (outcome == AP_SOCKET_WOULD_BLOCK) {
    return AP_FAIL(err, AP_TIMEOUT, "the shelf's server did not answer in %lld ms",
                   (long long)link->timeout_ms);
  }
  link->out[0] = 0; /* tells gone from refused: no packet begins so */
  return AP_FAIL(err, AP_ABANDONED, "the shelf's server at %s went away", link->path);
}

/* ---- forks ----------------------------------------------------------------------------------- */

/* A connection for the child, which holds all that this one does; -1 when none can be had. */
static int open_spare(struct ap_shelf_link *link) {
  int socket = -1;
  int descriptors[AP_SOCKET_DESCRIPTORS_MAX] = {-1, -1, -1, -1};
  size_t count = 0;
  struct ap_shelf_packet answer = {0};
  struct ap_shelf_packet hello = {.kind = AP_SHELF_HELLO, .a = AP_SHELF_READER};
  struct ap_shelf_packet fork = {.kind = AP_SHELF_FORK, .key = link->token};
  if (ap_socket_connect(link->path, &socket, NULL) != AP_OK) return -1;
  ap_status status = exchange(link, socket, &hello, &answer, descriptors, &count, NULL);
  for (size_t i = 0; i < count; i++) ap_descriptor_close(descriptors[i]);
  struct ap_shelf_key token = answer.key;
  if (status == AP_OK) {
    status = exchange(link, socket, &fork, &answer, descriptors, &count, NULL);
  }
  if (status != AP_OK) {
    ap_descriptor_close(socket);
    return -1;
  }
  link->spare_token = token;
  return socket;
}

void ap_shelf_link_before_fork(struct ap_shelf_link *link) {
  struct ap_threads *threads = ap_threads_system();
  lock(link);
  if (link->spare_mutex == NULL) {
    ap_status status = threads->mutex_create(threads, &link->spare_mutex, NULL);
    AP_ASSERT(status == AP_OK);
  }
  if (link->socket >= 0 && link->process == ap_process_id()) link->spare = open_spare(link);
}

/* In the child: the parent's connection is not ours to use, and its writable mapping was not
 * inherited. */
static void adopt(struct ap_shelf_link *link) {
  if (link->spare >= 0) {
    ap_descriptor_close(link->socket);
    link->socket = link->spare;
    link->token = link->spare_token;
  }
  bool is_own = link->spare >= 0;
  link->spare = -1;
  link->process = ap_process_id();
  if (link->arena != NULL) {
    link->arena->writable = NULL;
    link->arena->guarded_count = 0;
    ap_free(ap_allocator_system(), link->arena->touched);
    link->arena->touched = NULL;
  }
  /* Kept open, the parent's at least outlives the parent. */
  if (!is_own) disconnect(link);
}

void ap_shelf_link_after_fork(struct ap_shelf_link *link, bool is_child) {
  if (is_child) {
    adopt(link);
    /* A lock is its thread's, and that one is the parent's: it stays locked and is left behind. */
    link->mutex = link->spare_mutex;
    link->spare_mutex = NULL;
    return;
  }
  ap_descriptor_close(link->spare);
  link->spare = -1;
  unlock(link);
}

/* A process that was forked without a word: its parent, if it lives, still holds what it held. */
static void notice_fork(struct ap_shelf_link *link) {
  if (link->socket < 0 || link->process == ap_process_id()) return;
  link->spare = open_spare(link);
  adopt(link);
}

/* ---- requests -------------------------------------------------------------------------------- */

/* With the lock held: connected, to the connection that is meant, mapped as is needed. */
static ap_status make_ready(struct ap_shelf_link *link, bool writes, uint64_t generation,
                            ap_error *err) {
  notice_fork(link);
  if (generation != 0 && (link->socket < 0 || link->generation != generation)) {
    return AP_FAIL(err, AP_ABANDONED, "the shelf's server went away while an object was written");
  }
  AP_TRY(connect_now(link, err));
  if (!writes || link->arena->writable != NULL) return AP_OK;
  return greet(link, link->socket, AP_SHELF_WRITER, link->arena, err);
}

static ap_status copy_answer(struct ap_shelf_link *link, const struct ap_shelf_packet *packet,
                             struct ap_shelf_answer *out, ap_error *err) {
  struct ap_allocator *heap = ap_allocator_system();
  AP_TRY(ap_shelf_packet_check_places(packet, link->arena->bytes, err));
  struct ap_shelf_answer answer = {.packet = *packet, .generation = link->generation};
  answer.text = ap_string_copy(heap, packet->text);
  answer.extents =
      ap_allocate_zeroed(heap, packet->extent_count + 1, sizeof(struct ap_shelf_extent));
  if (answer.text == NULL || answer.extents == NULL) {
    ap_shelf_answer_deinit(&answer);
    return AP_FAIL_MEMORY(err);
  }
  for (size_t i = 0; i < packet->extent_count; i++) {
    answer.extents[i] = ap_shelf_packet_extent(packet, i);
  }
  answer.packet.text.data = answer.text;
  answer.packet.extents = answer.extents;
  *out = answer;
  return AP_OK;
}

void ap_shelf_answer_deinit(struct ap_shelf_answer *answer) {
  ap_free(ap_allocator_system(), answer->text);
  ap_free(ap_allocator_system(), answer->extents);
  memset(answer, 0, sizeof *answer);
}

/* With the lock held. A connection that turns out to be gone is made once more. */
static ap_status ask_locked(struct ap_shelf_link *link, const struct ap_shelf_packet *request,
                            bool writes, uint64_t generation, struct ap_shelf_answer *out,
                            ap_error *err) {
  ap_status status = AP_OK;
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    int descriptors[AP_SOCKET_DESCRIPTORS_MAX];
    size_t count = 0;
    struct ap_shelf_packet packet = {0};
    status = make_ready(link, writes, generation, err);
    if (status == AP_OK) {
      status = exchange(link, link->socket, request, &packet, descriptors, &count, err);
      for (size_t i = 0; i < count; i++) ap_descriptor_close(descriptors[i]);
    }
    if (status == AP_OK) return copy_answer(link, &packet, out, err);
    bool is_gone = status == AP_CORRUPT || (status == AP_ABANDONED && link->out[0] == 0);
    if (!is_gone || link->socket < 0) return status;
    disconnect(link);
    if (status == AP_CORRUPT || generation != 0) return status;
  }
  return status;
}

ap_status ap_shelf_link_ask(struct ap_shelf_link *link, const struct ap_shelf_packet *request,
                            bool writes, uint64_t generation, struct ap_shelf_answer *out,
                            ap_error *err) {
  memset(out, 0, sizeof *out);
  lock(link);
  ap_status status = ask_locked(link, request, writes, generation, out, err);
  if (status == AP_OK && writes) {
    for (size_t i = 0; i < out->packet.extent_count; i++) unguard(link->arena, out->extents[i]);
  }
  unlock(link);
  return status;
}

/* ---- pages that are read only ---------------------------------------------------------------- */

static struct ap_shelf_extent whole_pages(struct ap_shelf_extent extent) {
  int64_t page = ap_memory_page_bytes();
  AP_ASSERT(extent.offset % page == 0);
  extent.size = (extent.size + page - 1) / page * page;
  return extent;
}

ap_status ap_shelf_link_guard(struct ap_shelf_link *link, struct ap_shelf_arena *arena,
                              struct ap_shelf_extent extent, ap_error *err) {
  extent = whole_pages(extent);
  lock(link);
  size_t bytes = (arena->guarded_count + 1) * sizeof extent;
  struct ap_shelf_extent *grown = ap_reallocate(ap_allocator_system(), arena->guarded, bytes);
  ap_status status = grown == NULL ? AP_FAIL_MEMORY(err) : AP_OK;
  if (grown != NULL) arena->guarded = grown;
  if (status == AP_OK && arena->writable != NULL) {
    status = ap_memory_protect(arena->writable + extent.offset, extent.size, false, err);
  }
  if (status == AP_OK) arena->guarded[arena->guarded_count++] = extent;
  unlock(link);
  return status;
}

/* With the lock held: whatever overlaps the extent may be written again. */
static void unguard(struct ap_shelf_arena *arena, struct ap_shelf_extent extent) {
  for (size_t i = 0; i < arena->guarded_count;) {
    struct ap_shelf_extent guarded = arena->guarded[i];
    bool apart = guarded.offset >= extent.offset + extent.size ||
                 extent.offset >= guarded.offset + guarded.size;
    if (apart) {
      i++;
      continue;
    }
    if (arena->writable != NULL) {
      ap_status status =
          ap_memory_protect(arena->writable + guarded.offset, guarded.size, true, NULL);
      AP_ASSERT(status == AP_OK); /* it only joins what was one mapping */
    }
    arena->guarded[i] = arena->guarded[--arena->guarded_count];
  }
}

void ap_shelf_link_unguard(struct ap_shelf_link *link, struct ap_shelf_arena *arena,
                           struct ap_shelf_extent extent) {
  lock(link);
  unguard(arena, whole_pages(extent));
  unlock(link);
}

bool ap_shelf_link_touch(struct ap_shelf_link *link, struct ap_shelf_arena *arena,
                         struct ap_shelf_extent extent) {
  lock(link);
  if (arena->touched == NULL) {
    size_t parts = (size_t)(arena->bytes / TOUCH_BYTES + 1);
    arena->touched = ap_allocate_zeroed(ap_allocator_system(), parts, 1);
  }
  bool all = arena->touched != NULL;
  for (int64_t at = extent.offset / TOUCH_BYTES;
       arena->touched != NULL && at * TOUCH_BYTES < extent.offset + extent.size; at++) {
    /* What is there in part counts as there: its other pages come one by one, once. */
    all = all && arena->touched[at] != 0;
    arena->touched[at] = 1;
  }
  unlock(link);
  return all;
}

/* ---- objects that are held ------------------------------------------------------------------- */

static void held_free(struct ap_shelf_held *held) {
  ap_shelf_arena_release(held->arena);
  ap_free(ap_allocator_system(), held->extents);
  ap_free(ap_allocator_system(), held->block);
  ap_free(ap_allocator_system(), held);
}

#define KEYED(entry) \
  ((struct ap_shelf_held *)(void *)((char *)(entry)-offsetof(struct ap_shelf_held, by_key)))
#define NAMED(entry) \
  ((struct ap_shelf_held *)(void *)((char *)(entry)-offsetof(struct ap_shelf_held, by_name)))

static uint64_t hash_key(struct ap_shelf_key key) {
  return ap_shelf_hash(key.bytes, sizeof key.bytes);
}

/* With the lock held: what this connection holds under a key or name; NULL: nothing. */
static struct ap_shelf_held *held_by_key(const struct ap_shelf_link *link, uint64_t generation,
                                         struct ap_shelf_key key) {
  struct ap_shelf_entry *entry = ap_shelf_table_find(&link->keys, hash_key(key));
  while (entry != NULL &&
         !(KEYED(entry)->generation == generation && ap_shelf_key_equal(KEYED(entry)->key, key))) {
    entry = ap_shelf_entry_next(entry);
  }
  return entry != NULL ? KEYED(entry) : NULL;
}

static struct ap_shelf_held *held_by_name(const struct ap_shelf_link *link, const char *name) {
  struct ap_shelf_entry *entry =
      ap_shelf_table_find(&link->names, ap_shelf_hash(name, strlen(name)));
  while (entry != NULL && strcmp(NAMED(entry)->name, name) != 0) entry = ap_shelf_entry_next(entry);
  return entry != NULL ? NAMED(entry) : NULL;
}

/* With the lock held. A name leads to one: what had it before has it no more. */
static void set_name(struct ap_shelf_link *link, struct ap_shelf_held *held, const char *name) {
  size_t size = strlen(name);
  struct ap_shelf_held *before = size > 0 ? held_by_name(link, name) : NULL;
  if (before == held) return;
  if (before != NULL) set_name(link, before, "");
  if (held->name[0] != '\0') ap_shelf_table_remove(&link->names, &held->by_name);
  held->name[0] = '\0';
  if (size == 0 || size > AP_SHELF_NAME_BYTES_MAX) return;
  memcpy(held->name, name, size + 1);
  ap_shelf_table_add(&link->names, &held->by_name, ap_shelf_hash(name, size));
}

static void held_retain(struct ap_shelf_holder *self) {
  struct ap_shelf_held *held = (struct ap_shelf_held *)self;
  atomic_fetch_add_explicit(&held->references, 1, memory_order_relaxed);
}

/* With the lock held: let the server know, who need not answer. */
static void send_release(struct ap_shelf_link *link, struct ap_shelf_key key) {
  struct ap_shelf_packet packet = {.kind = AP_SHELF_RELEASE,
                                   .flags = AP_SHELF_FLAG_QUIET,
                                   .sequence = ++link->sequence,
                                   .key = key};
  enum ap_socket_outcome outcome = AP_SOCKET_DONE;
  size_t size = 0;
  if (ap_shelf_packet_encode(&packet, link->out, &size, NULL) != AP_OK) return;
  /* Whom it does not reach holds nothing for us any more. */
  if (ap_socket_send(link->socket, link->out, size, NULL, 0, &outcome, NULL) != AP_OK) return;
}

static void held_release(struct ap_shelf_holder *self) {
  struct ap_shelf_held *held = (struct ap_shelf_held *)self;
  struct ap_shelf_link *link = held->link;
  size_t count = atomic_load_explicit(&held->references, memory_order_relaxed);
  while (count > 1) {
    /* Release pairs with the acquire below: the last holder sees all others' reads done. */
    if (atomic_compare_exchange_weak_explicit(&held->references, &count, count - 1,
                                              memory_order_release, memory_order_relaxed)) {
      return;
    }
  }
  lock(link); /* under which alone a count comes from one to more by way of the list */
  bool is_last = atomic_fetch_sub_explicit(&held->references, 1, memory_order_acq_rel) == 1;
  if (is_last) {
    ap_shelf_table_remove(&link->keys, &held->by_key);
    set_name(link, held, "");
    bool is_ours = link->socket >= 0 && link->generation == held->generation &&
                   link->process == ap_process_id();
    if (is_ours) send_release(link, held->key);
  }
  unlock(link);
  if (!is_last) return;
  held_free(held);
  ap_shelf_link_release(link);
}

static uint64_t removals_of(const struct ap_shelf_link *link) {
  /* Pairs with the server's release: what it forgot is forgotten here too. */
  struct ap_shelf_counters *counters = (void *)(uintptr_t)link->arena->counters;
  return atomic_load_explicit(&counters->removals, memory_order_acquire);
}

/* With the lock held: an object that is held and whose key surely still leads to it. */
static struct ap_shelf_held *find_held(struct ap_shelf_link *link, bool by_key,
                                       struct ap_shelf_key key, const char *name) {
  notice_fork(link);
  if (link->socket < 0) return NULL;
  struct ap_shelf_held *held =
      by_key ? held_by_key(link, link->generation, key) : held_by_name(link, name);
  if (held == NULL || held->generation != link->generation) return NULL;
  struct ap_shelf_counters *counters = (void *)(uintptr_t)link->arena->counters;
  bool ended = atomic_load_explicit(&counters->ended, memory_order_acquire) != 0;
  return !ended && held->removals == removals_of(link) ? held : NULL;
}

/* An object from the answer to GET; takes the answer's extents. */
static ap_status make_held(struct ap_shelf_link *link, struct ap_shelf_answer *answer,
                           struct ap_shelf_held **out, ap_error *err) {
  struct ap_allocator *heap = ap_allocator_system();
  struct ap_shelf_held *held = ap_allocate_zeroed(heap, 1, sizeof *held);
  char *block = ap_allocate(heap, (size_t)answer->packet.b);
  if (held == NULL || block == NULL) {
    ap_free(heap, held);
    ap_free(heap, block);
    return AP_FAIL_MEMORY(err);
  }
  memcpy(block, link->arena->readable + answer->packet.a, (size_t)answer->packet.b);
  held->holder = (struct ap_shelf_holder){held_retain, held_release};
  held->link = link;
  held->arena = link->arena;
  held->key = answer->packet.key;
  held->generation = answer->generation;
  held->extents = answer->extents;
  held->extent_count = answer->packet.extent_count;
  held->block = block;
  held->block_size = (size_t)answer->packet.b;
  answer->extents = NULL;
  atomic_init(&held->references, 0);
  atomic_fetch_add_explicit(&link->arena->references, 1, memory_order_relaxed);
  ap_shelf_link_retain(link);
  ap_shelf_table_add(&link->keys, &held->by_key, hash_key(held->key));
  *out = held;
  return AP_OK;
}

/* With the lock held: ask the server, and keep what it says. */
static ap_status get_held(struct ap_shelf_link *link, bool by_key, struct ap_shelf_key key,
                          const char *name, struct ap_shelf_held **out, ap_error *err) {
  struct ap_shelf_answer answer = {0};
  struct ap_shelf_packet request = {.kind = AP_SHELF_GET, .key = key};
  if (!by_key) request.text = ap_text_of(name);
  AP_TRY(make_ready(link, false, 0, err));
  uint64_t removals = removals_of(link);
  uint64_t generation = link->generation;
  AP_TRY(ask_locked(link, &request, false, 0, &answer, err));
  if (generation != link->generation) removals = 0; /* of another server: ask again next time */
  struct ap_shelf_held *held = held_by_key(link, answer.generation, answer.packet.key);
  ap_status status = AP_OK;
  if (held == NULL) status = make_held(link, &answer, &held, err);
  if (status == AP_OK) {
    held->removals = removals;
    set_name(link, held, by_key ? "" : name);
    *out = held;
  } else {
    send_release(link, answer.packet.key);
  }
  ap_shelf_answer_deinit(&answer);
  return status;
}

ap_status ap_shelf_link_hold(struct ap_shelf_link *link, const char *key,
                             struct ap_shelf_held **out, ap_error *err) {
  struct ap_shelf_key parsed = {{0}};
  ap_status status = AP_OK;
  bool by_key = ap_shelf_key_parse(ap_text_of(key), &parsed);
  lock(link);
  struct ap_shelf_held *held = find_held(link, by_key, parsed, key);
  if (held == NULL) status = get_held(link, by_key, parsed, key, &held, err);
  if (status == AP_OK) {
    atomic_fetch_add_explicit(&held->references, 1, memory_order_relaxed);
    *out = held;
  }
  unlock(link);
  return status;
}
