/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects of the shelf. An object is BUILDING while its client fills it, then SEALED, and DELETED
 * when its key is forgotten while somebody holds it. What is sealed, unheld and unpinned is idle
 * and stands in the order in which it fell idle: that is the order of eviction.
 */
#include "shelf/store.h"

#include "base/assert.h"
#include "base/limits.h"
#include "shelf/space.h"
#include "shelf/table.h"

#include <string.h>

enum state { BUILDING, SEALED, DELETED };

/* A ring with a head in it. */
struct ring {
  struct ring *before;
  struct ring *after;
};

struct ap_shelf_object {
  struct ap_shelf_entry by_key;  /* first: an entry is its object */
  struct ap_shelf_entry by_name; /* only with a name */
  struct ring place;             /* among its client's unsealed, or the sealed */
  struct ring idle;              /* among the idle; alone otherwise */
  struct ap_shelf_key key;
  enum state state;
  struct ap_shelf_client *client; /* of a BUILDING one */
  char *name;                     /* NULL: none */
  char *labels;                   /* likewise */
  struct ap_shelf_block **blocks;
  size_t block_count;
  int64_t bytes; /* asked for */
  int64_t room;  /* that its blocks take */
  int64_t number;
  int64_t rows;
  int64_t meta_offset;
  int64_t meta_size;
  int64_t references;
  bool pinned;
};

struct reference {
  struct ap_shelf_entry by_pair; /* first */
  struct ring place;             /* among its client's */
  struct ap_shelf_client *client;
  struct ap_shelf_object *object;
};

struct ap_shelf_client {
  struct ap_shelf_entry by_token; /* first */
  struct ap_shelf_key token;
  struct ring references;
  struct ring unsealed;
};

struct ap_shelf_store {
  struct ap_shelf_store_options options;
  struct ap_allocator *allocator;
  struct ap_shelf_space *space;
  struct ap_shelf_table keys;
  struct ap_shelf_table names;
  struct ap_shelf_table references;
  struct ap_shelf_table tokens;
  struct ring sealed; /* oldest first */
  struct ring idle;   /* idle for longest first */
  int64_t idle_room;
  int64_t number;
  uint64_t removals;
  int64_t counts[AP_SHELF_STATISTICS];
};

#define OF_RING(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
/* Of the entry of a name. */
#define NAMED(entry) \
  ((struct ap_shelf_object *)(void *)((char *)(entry)-offsetof(struct ap_shelf_object, by_name)))

/* ---- rings ----------------------------------------------------------------------------------- */

static void ring_init(struct ring *ring) {
  ring->before = ring;
  ring->after = ring;
}

static bool ring_is_alone(const struct ring *ring) {
  return ring->after == ring;
}

static void ring_remove(struct ring *ring) {
  ring->before->after = ring->after;
  ring->after->before = ring->before;
  ring_init(ring);
}

static void ring_append(struct ring *head, struct ring *ring) {
  ring->before = head->before;
  ring->after = head;
  head->before->after = ring;
  head->before = ring;
}

/* ---- the store and its clients --------------------------------------------------------------- */

ap_status ap_shelf_store_create(const struct ap_shelf_store_options *options,
                                struct ap_shelf_store **out, ap_error *err) {
  struct ap_shelf_store *store = ap_allocate_zeroed(options->allocator, 1, sizeof *store);
  if (store == NULL) return AP_FAIL_MEMORY(err);
  store->options = *options;
  store->allocator = options->allocator;
  ring_init(&store->sealed);
  ring_init(&store->idle);
  ap_status status =
      ap_shelf_space_create(store->allocator, options->memory_bytes, options->page_bytes,
                            options->memory_bytes / 4096, &store->space, err);
  if (status == AP_OK) status = ap_shelf_table_init(&store->keys, store->allocator, err);
  if (status == AP_OK) status = ap_shelf_table_init(&store->names, store->allocator, err);
  if (status == AP_OK) status = ap_shelf_table_init(&store->references, store->allocator, err);
  if (status == AP_OK) status = ap_shelf_table_init(&store->tokens, store->allocator, err);
  if (status != AP_OK) {
    ap_shelf_store_destroy(store);
    return status;
  }
  *out = store;
  return AP_OK;
}

static void drop_object(struct ap_shelf_store *store, struct ap_shelf_object *object);

void ap_shelf_store_destroy(struct ap_shelf_store *store) {
  if (store == NULL) return;
  AP_ASSERT(store->tokens.count == 0 && store->references.count == 0);
  while (!ring_is_alone(&store->sealed)) {
    drop_object(store, OF_RING(store->sealed.after, struct ap_shelf_object, place));
  }
  AP_ASSERT(store->keys.count == 0);
  ap_shelf_table_deinit(&store->keys);
  ap_shelf_table_deinit(&store->names);
  ap_shelf_table_deinit(&store->references);
  ap_shelf_table_deinit(&store->tokens);
  ap_shelf_space_destroy(store->space);
  ap_free(store->allocator, store);
}

static uint64_t hash_key(struct ap_shelf_key key) {
  return ap_shelf_hash(key.bytes, sizeof key.bytes);
}

static struct ap_shelf_client *find_client(const struct ap_shelf_store *store,
                                           struct ap_shelf_key token) {
  struct ap_shelf_entry *entry = ap_shelf_table_find(&store->tokens, hash_key(token));
  while (entry != NULL && !ap_shelf_key_equal(((struct ap_shelf_client *)entry)->token, token)) {
    entry = ap_shelf_entry_next(entry);
  }
  return (struct ap_shelf_client *)entry;
}

ap_status ap_shelf_client_create(struct ap_shelf_store *store, struct ap_shelf_key token,
                                 struct ap_shelf_client **out, ap_error *err) {
  struct ap_shelf_client *client = ap_allocate_zeroed(store->allocator, 1, sizeof *client);
  if (client == NULL) return AP_FAIL_MEMORY(err);
  AP_ASSERT(!ap_shelf_key_is_zero(token) && find_client(store, token) == NULL);
  client->token = token;
  ring_init(&client->references);
  ring_init(&client->unsealed);
  ap_shelf_table_add(&store->tokens, &client->by_token, hash_key(token));
  *out = client;
  return AP_OK;
}

static void drop_reference(struct ap_shelf_store *store, struct reference *reference);

void ap_shelf_client_destroy(struct ap_shelf_store *store, struct ap_shelf_client *client) {
  while (!ring_is_alone(&client->unsealed)) {
    drop_object(store, OF_RING(client->unsealed.after, struct ap_shelf_object, place));
  }
  while (!ring_is_alone(&client->references)) {
    drop_reference(store, OF_RING(client->references.after, struct reference, place));
  }
  ap_shelf_table_remove(&store->tokens, &client->by_token);
  ap_free(store->allocator, client);
}

/* ---- references ------------------------------------------------------------------------------ */

static uint64_t hash_pair(const struct ap_shelf_client *client,
                          const struct ap_shelf_object *object) {
  const uintptr_t pair[2] = {(uintptr_t)client, (uintptr_t)object};
  return ap_shelf_hash(pair, sizeof pair);
}

static struct reference *find_reference(const struct ap_shelf_store *store,
                                        const struct ap_shelf_client *client,
                                        const struct ap_shelf_object *object) {
  struct ap_shelf_entry *entry = ap_shelf_table_find(&store->references, hash_pair(client, object));
  while (entry != NULL) {
    struct reference *found = (struct reference *)entry;
    if (found->client == client && found->object == object) return found;
    entry = ap_shelf_entry_next(entry);
  }
  return NULL;
}

/* Idle objects stand among the idle; this puts one there or takes it away. */
static void settle_idleness(struct ap_shelf_store *store, struct ap_shelf_object *object) {
  bool is_idle = object->state == SEALED && object->references == 0 && !object->pinned;
  if (is_idle == !ring_is_alone(&object->idle)) return;
  if (is_idle) {
    ring_append(&store->idle, &object->idle);
    store->idle_room += object->room;
  } else {
    ring_remove(&object->idle);
    store->idle_room -= object->room;
  }
}

static ap_status hold(struct ap_shelf_store *store, struct ap_shelf_client *client,
                      struct ap_shelf_object *object, ap_error *err) {
  if (find_reference(store, client, object) != NULL) return AP_OK;
  struct reference *reference = ap_allocate_zeroed(store->allocator, 1, sizeof *reference);
  if (reference == NULL) return AP_FAIL_MEMORY(err);
  reference->client = client;
  reference->object = object;
  ring_append(&client->references, &reference->place);
  ap_shelf_table_add(&store->references, &reference->by_pair, hash_pair(client, object));
  object->references++;
  settle_idleness(store, object);
  return AP_OK;
}

static void drop_reference(struct ap_shelf_store *store, struct reference *reference) {
  struct ap_shelf_object *object = reference->object;
  ap_shelf_table_remove(&store->references, &reference->by_pair);
  ring_remove(&reference->place);
  ap_free(store->allocator, reference);
  AP_ASSERT(object->references > 0);
  object->references--;
  settle_idleness(store, object);
  if (object->state == DELETED && object->references == 0) drop_object(store, object);
}

ap_status ap_shelf_store_fork(struct ap_shelf_store *store, struct ap_shelf_client *client,
                              struct ap_shelf_key token, int64_t *out_count, ap_error *err) {
  struct ap_shelf_client *parent = find_client(store, token);
  if (parent == NULL) {
    return AP_FAIL(err, AP_NOT_FOUND, "the connection whose references are to be copied is gone");
  }
  *out_count = 0;
  if (parent == client) return AP_OK;
  /* New ones stand at the end, so that a failure can take exactly these away. */
  struct ring *last_before = client->references.before;
  for (struct ring *at = parent->references.after; at != &parent->references; at = at->after) {
    ap_status status = hold(store, client, OF_RING(at, struct reference, place)->object, err);
    if (status != AP_OK) {
      while (client->references.before != last_before) {
        drop_reference(store, OF_RING(client->references.before, struct reference, place));
      }
      return status;
    }
    *out_count += 1;
  }
  return AP_OK;
}

/* ---- objects --------------------------------------------------------------------------------- */

static struct ap_shelf_object *find_key(const struct ap_shelf_store *store,
                                        struct ap_shelf_key key) {
  struct ap_shelf_entry *entry = ap_shelf_table_find(&store->keys, hash_key(key));
  while (entry != NULL && !ap_shelf_key_equal(((struct ap_shelf_object *)entry)->key, key)) {
    entry = ap_shelf_entry_next(entry);
  }
  return (struct ap_shelf_object *)entry;
}

static struct ap_shelf_object *find_name(const struct ap_shelf_store *store, struct ap_text name) {
  struct ap_shelf_entry *entry =
      ap_shelf_table_find(&store->names, ap_shelf_hash(name.data, name.size));
  while (entry != NULL && !ap_text_equal_string(name, NAMED(entry)->name)) {
    entry = ap_shelf_entry_next(entry);
  }
  return entry != NULL ? NAMED(entry) : NULL;
}

static int64_t *count_of(struct ap_shelf_store *store, const struct ap_shelf_object *object) {
  static const enum ap_shelf_statistic counts[] = {
      [BUILDING] = AP_SHELF_STAT_UNSEALED,
      [SEALED] = AP_SHELF_STAT_OBJECTS,
      [DELETED] = AP_SHELF_STAT_DELETED,
  };
  return &store->counts[counts[object->state]];
}

/* Give the room of blocks from `first` on back. */
static void give_blocks(struct ap_shelf_store *store, struct ap_shelf_object *object,
                        size_t first) {
  int64_t used = ap_shelf_space_used(store->space);
  while (object->block_count > first) {
    struct ap_shelf_block *block = object->blocks[--object->block_count];
    object->bytes -= ap_shelf_block_size(block);
    ap_shelf_space_give(store->space, block);
  }
  object->room -= used - ap_shelf_space_used(store->space);
}

/* Nobody knows nor holds the object any more. */
static void drop_object(struct ap_shelf_store *store, struct ap_shelf_object *object) {
  AP_ASSERT(object->references == 0);
  if (!ring_is_alone(&object->idle)) {
    ring_remove(&object->idle);
    store->idle_room -= object->room;
  }
  ring_remove(&object->place);
  ap_shelf_table_remove(&store->keys, &object->by_key);
  if (object->name != NULL) ap_shelf_table_remove(&store->names, &object->by_name);
  *count_of(store, object) -= 1;
  give_blocks(store, object, 0);
  ap_free(store->allocator, object->blocks);
  ap_free(store->allocator, object->name);
  ap_free(store->allocator, object->labels);
  ap_free(store->allocator, object);
}

static void tell(struct ap_shelf_store *store, uint32_t what,
                 const struct ap_shelf_object *object) {
  if (store->options.told != NULL) store->options.told(store->options.context, what, object);
}

/* A sealed object loses key and name. */
static void forget(struct ap_shelf_store *store, struct ap_shelf_object *object, uint32_t why) {
  AP_ASSERT(object->state == SEALED);
  store->removals++;
  tell(store, why, object);
  store->counts[why == AP_SHELF_FLAG_EVICTED ? AP_SHELF_STAT_EVICTIONS : AP_SHELF_STAT_DELETES]++;
  if (object->references == 0) {
    drop_object(store, object);
    return;
  }
  *count_of(store, object) -= 1;
  object->state = DELETED;
  *count_of(store, object) += 1;
  ring_remove(&object->place);
  settle_idleness(store, object);
  if (object->name == NULL) return;
  ap_shelf_table_remove(&store->names, &object->by_name);
  ap_free(store->allocator, object->name);
  object->name = NULL;
}

static ap_status no_room(struct ap_shelf_store *store, int64_t bytes, ap_error *err) {
  ap_status status =
      AP_FAIL(err, AP_MEMORY_EXCEEDED,
              "no room on the shelf for %lld bytes: %lld of %lld bytes are used, the largest free "
              "extent has %lld",
              (long long)bytes, (long long)ap_shelf_space_used(store->space),
              (long long)ap_shelf_space_bytes(store->space),
              (long long)ap_shelf_space_largest_free(store->space));
  ap_error_hint(err, "delete objects, or start arrowshelf-server with more --memory%s",
                store->options.evicts ? "" : " or with --when-full evict");
  return status;
}

/* One more block of the object, for which idle objects go where that is wanted. */
static ap_status take_block(struct ap_shelf_store *store, struct ap_shelf_object *object,
                            int64_t size, bool whole_pages, ap_error *err) {
  for (;;) {
    struct ap_shelf_block *block = NULL;
    int64_t used = ap_shelf_space_used(store->space);
    AP_TRY(ap_shelf_space_take(store->space, size, whole_pages, &block, err));
    if (block != NULL) {
      object->blocks[object->block_count++] = block;
      object->bytes += size;
      object->room += ap_shelf_space_used(store->space) - used;
      return AP_OK;
    }
    if (!store->options.evicts || ring_is_alone(&store->idle)) return no_room(store, size, err);
    forget(store, OF_RING(store->idle.after, struct ap_shelf_object, idle), AP_SHELF_FLAG_EVICTED);
  }
}

/* Nothing is evicted for what could not fit even then. */
static ap_status check_room(struct ap_shelf_store *store, int64_t bytes, ap_error *err) {
  int64_t room = ap_shelf_space_bytes(store->space) - ap_shelf_space_used(store->space);
  if (store->options.evicts) room += store->idle_room;
  return bytes > room ? no_room(store, bytes, err) : AP_OK;
}

static ap_status take_blocks(struct ap_shelf_store *store, struct ap_shelf_object *object,
                             const struct ap_shelf_wish *wish, ap_error *err) {
  size_t had = object->block_count;
  size_t count = wish->sizes->extent_count;
  int64_t bytes = 0;
  if (count > AP_SHELF_EXTENTS_MAX - had) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "an object of more than %d extents",
                   AP_SHELF_EXTENTS_MAX);
  }
  for (size_t i = 0; i < count; i++) bytes += ap_shelf_packet_extent(wish->sizes, i).size;
  AP_TRY(check_room(store, bytes, err));
  struct ap_shelf_block **blocks = ap_reallocate(store->allocator, object->blocks,
                                                 (had + count) * sizeof(struct ap_shelf_block *));
  if (blocks == NULL) return AP_FAIL_MEMORY(err);
  object->blocks = blocks;
  for (size_t i = 0; i < count; i++) {
    int64_t size = ap_shelf_packet_extent(wish->sizes, i).size;
    ap_status status = take_block(store, object, size, wish->whole_pages, err);
    if (status != AP_OK) {
      give_blocks(store, object, had);
      return status;
    }
  }
  return AP_OK;
}

static ap_status check_name_free(const struct ap_shelf_store *store, struct ap_text name,
                                 const struct ap_shelf_object *self, ap_error *err) {
  const struct ap_shelf_object *found = name.size > 0 ? find_name(store, name) : NULL;
  if (found == NULL || found == self) return AP_OK;
  char key[37];
  ap_shelf_key_text(found->key, key);
  ap_status status = AP_FAIL(err, AP_ALREADY_EXISTS, "the name '%.*s' is that of the object %s",
                             AP_TEXT_ARG(name), key);
  ap_error_hint(err, "delete that object first, or choose another name");
  return status;
}

ap_status ap_shelf_store_create_object(struct ap_shelf_store *store, struct ap_shelf_client *client,
                                       struct ap_shelf_key key, const struct ap_shelf_wish *wish,
                                       struct ap_text name, struct ap_shelf_object **out,
                                       ap_error *err) {
  AP_TRY(ap_shelf_name_check(name, err));
  AP_TRY(check_name_free(store, name, NULL, err));
  if (store->keys.count >= AP_SHELF_OBJECTS_MAX) {
    return AP_FAIL(err, AP_MEMORY_EXCEEDED, "the shelf holds %d objects, its most",
                   AP_SHELF_OBJECTS_MAX);
  }
  struct ap_shelf_object *object = ap_allocate_zeroed(store->allocator, 1, sizeof *object);
  if (object == NULL) return AP_FAIL_MEMORY(err);
  object->key = key;
  object->client = client;
  ring_init(&object->idle);
  ring_init(&object->place);
  ap_status status = take_blocks(store, object, wish, err);
  if (status != AP_OK) {
    ap_free(store->allocator, object->blocks);
    ap_free(store->allocator, object);
    return status;
  }
  AP_ASSERT(!ap_shelf_key_is_zero(key) && find_key(store, key) == NULL);
  ap_shelf_table_add(&store->keys, &object->by_key, hash_key(key));
  ring_append(&client->unsealed, &object->place);
  *count_of(store, object) += 1;
  *out = object;
  return AP_OK;
}

static ap_status find_unsealed(const struct ap_shelf_store *store,
                               const struct ap_shelf_client *client, struct ap_shelf_key key,
                               struct ap_shelf_object **out, ap_error *err) {
  struct ap_shelf_object *found = find_key(store, key);
  if (found != NULL && found->state == BUILDING && found->client == client) {
    *out = found;
    return AP_OK;
  }
  char text[37];
  ap_shelf_key_text(key, text);
  return AP_FAIL(err, AP_NOT_FOUND, "this connection has no unsealed object %s", text);
}

ap_status ap_shelf_store_extend(struct ap_shelf_store *store, struct ap_shelf_client *client,
                                struct ap_shelf_key key, const struct ap_shelf_wish *wish,
                                struct ap_shelf_object **out, ap_error *err) {
  AP_TRY(find_unsealed(store, client, key, out, err));
  return take_blocks(store, *out, wish, err);
}

ap_status ap_shelf_store_abandon(struct ap_shelf_store *store, struct ap_shelf_client *client,
                                 struct ap_shelf_key key, ap_error *err) {
  struct ap_shelf_object *object = NULL;
  AP_TRY(find_unsealed(store, client, key, &object, err));
  drop_object(store, object);
  return AP_OK;
}

/* ---- sealing --------------------------------------------------------------------------------- */

static ap_status check_seal(const struct ap_shelf_object *object, const struct ap_shelf_seal *seal,
                            ap_error *err) {
  const struct ap_shelf_block *last = object->blocks[object->block_count - 1];
  bool found = false;
  if (seal->last.size > 0 && (seal->last.offset != ap_shelf_block_offset(last) ||
                              seal->last.size > ap_shelf_block_size(last))) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "the extent at %lld is not the object's last",
                   (long long)seal->last.offset);
  }
  for (size_t i = 0; i < object->block_count && !found; i++) {
    int64_t offset = ap_shelf_block_offset(object->blocks[i]);
    int64_t size = ap_shelf_block_size(object->blocks[i]);
    if (seal->last.size > 0 && object->blocks[i] == last) size = seal->last.size;
    found = seal->meta_offset >= offset && seal->meta_size <= size &&
            seal->meta_offset - offset <= size - seal->meta_size;
  }
  if (found) return AP_OK;
  return AP_FAIL(err, AP_INVALID_ARGUMENT, "metadata of %lld bytes at %lld is not in the object",
                 (long long)seal->meta_size, (long long)seal->meta_offset);
}

/* A copy, NULL for "". */
static ap_status copy_text(struct ap_shelf_store *store, struct ap_text text, char **out,
                           ap_error *err) {
  *out = text.size > 0 ? ap_string_copy(store->allocator, text) : NULL;
  return text.size > 0 && *out == NULL ? AP_FAIL_MEMORY(err) : AP_OK;
}

static void set_name(struct ap_shelf_store *store, struct ap_shelf_object *object, char *name) {
  if (object->name != NULL) ap_shelf_table_remove(&store->names, &object->by_name);
  ap_free(store->allocator, object->name);
  object->name = name;
  if (name == NULL) return;
  ap_shelf_table_add(&store->names, &object->by_name, ap_shelf_hash(name, strlen(name)));
}

static void make_sealed(struct ap_shelf_store *store, struct ap_shelf_object *object,
                        const struct ap_shelf_seal *seal) {
  *count_of(store, object) -= 1;
  object->state = SEALED;
  *count_of(store, object) += 1;
  object->client = NULL;
  if (seal->last.size > 0) {
    struct ap_shelf_block *last = object->blocks[object->block_count - 1];
    int64_t used = ap_shelf_space_used(store->space);
    object->bytes -= ap_shelf_block_size(last) - seal->last.size;
    ap_shelf_space_shorten(store->space, last, seal->last.size);
    object->room -= used - ap_shelf_space_used(store->space);
  }
  object->number = ++store->number;
  object->rows = seal->rows;
  object->meta_offset = seal->meta_offset;
  object->meta_size = seal->meta_size;
  object->pinned = seal->pinned;
  ring_remove(&object->place);
  ring_append(&store->sealed, &object->place);
  settle_idleness(store, object);
  store->counts[AP_SHELF_STAT_PUTS]++;
}

ap_status ap_shelf_store_seal(struct ap_shelf_store *store, struct ap_shelf_client *client,
                              struct ap_shelf_key key, const struct ap_shelf_seal *seal,
                              struct ap_shelf_object **out, ap_error *err) {
  struct ap_shelf_object *object = NULL;
  char *name = NULL;
  char *labels = NULL;
  AP_TRY(find_unsealed(store, client, key, &object, err));
  AP_TRY(check_seal(object, seal, err));
  AP_TRY(ap_shelf_name_check(seal->name, err));
  AP_TRY(ap_shelf_labels_check(seal->labels, err));
  AP_TRY(check_name_free(store, seal->name, NULL, err));
  ap_status status = copy_text(store, seal->name, &name, err);
  if (status == AP_OK) status = copy_text(store, seal->labels, &labels, err);
  if (status == AP_OK && seal->held) status = hold(store, client, object, err);
  if (status != AP_OK) {
    ap_free(store->allocator, name);
    ap_free(store->allocator, labels);
    return status;
  }
  object->labels = labels;
  set_name(store, object, name);
  make_sealed(store, object, seal);
  tell(store, AP_SHELF_FLAG_SEALED, object);
  *out = object;
  return AP_OK;
}

/* ---- what is sealed -------------------------------------------------------------------------- */

ap_status ap_shelf_store_find(const struct ap_shelf_store *store, struct ap_shelf_key key,
                              struct ap_text name, struct ap_shelf_object **out, ap_error *err) {
  bool by_name = ap_shelf_key_is_zero(key);
  struct ap_shelf_object *found = by_name ? find_name(store, name) : find_key(store, key);
  char text[37];
  if (found != NULL && found->state == SEALED) {
    *out = found;
    return AP_OK;
  }
  ap_shelf_key_text(key, text);
  ap_status status = by_name ? AP_FAIL(err, AP_NOT_FOUND, "no object named '%.*s' is on the shelf",
                                       AP_TEXT_ARG(name))
                             : AP_FAIL(err, AP_NOT_FOUND, "no object %s is on the shelf", text);
  ap_error_hint(err, "it was never sealed, or was deleted or evicted; list_keys() shows all");
  return status;
}

ap_status ap_shelf_store_get(struct ap_shelf_store *store, struct ap_shelf_client *client,
                             struct ap_shelf_key key, struct ap_text name,
                             struct ap_shelf_object **out, ap_error *err) {
  struct ap_shelf_object *found = NULL;
  AP_TRY(ap_shelf_store_find(store, key, name, &found, err));
  AP_TRY(hold(store, client, found, err));
  store->counts[AP_SHELF_STAT_GETS]++;
  *out = found;
  return AP_OK;
}

void ap_shelf_store_release(struct ap_shelf_store *store, struct ap_shelf_client *client,
                            struct ap_shelf_key key) {
  const struct ap_shelf_object *object = find_key(store, key);
  struct reference *reference = object != NULL ? find_reference(store, client, object) : NULL;
  if (reference != NULL) drop_reference(store, reference);
}

void ap_shelf_store_delete(struct ap_shelf_store *store, struct ap_shelf_object *object) {
  forget(store, object, AP_SHELF_FLAG_DELETED);
}

int64_t ap_shelf_store_delete_all(struct ap_shelf_store *store) {
  int64_t count = 0;
  while (!ring_is_alone(&store->sealed)) {
    forget(store, OF_RING(store->sealed.after, struct ap_shelf_object, place),
           AP_SHELF_FLAG_DELETED);
    count++;
  }
  return count;
}

void ap_shelf_store_pin(struct ap_shelf_store *store, struct ap_shelf_object *object, bool pinned) {
  object->pinned = pinned;
  settle_idleness(store, object);
}

ap_status ap_shelf_store_rename(struct ap_shelf_store *store, struct ap_shelf_object *object,
                                const struct ap_text *name, const struct ap_text *labels,
                                ap_error *err) {
  char *new_name = NULL;
  char *new_labels = NULL;
  if (name != NULL) AP_TRY(ap_shelf_name_check(*name, err));
  if (name != NULL) AP_TRY(check_name_free(store, *name, object, err));
  if (labels != NULL) AP_TRY(ap_shelf_labels_check(*labels, err));
  if (name != NULL) AP_TRY(copy_text(store, *name, &new_name, err));
  if (labels != NULL) {
    ap_status status = copy_text(store, *labels, &new_labels, err);
    if (status != AP_OK) {
      ap_free(store->allocator, new_name);
      return status;
    }
    ap_free(store->allocator, object->labels);
    object->labels = new_labels;
  }
  if (name != NULL) {
    if (object->name != NULL) store->removals++;
    set_name(store, object, new_name);
  }
  return AP_OK;
}

/* ---- what is shown --------------------------------------------------------------------------- */

const struct ap_shelf_object *ap_shelf_store_next(const struct ap_shelf_store *store,
                                                  int64_t number) {
  /* Most often the next of one that was just listed: numbers grow along the ring. */
  for (struct ring *at = store->sealed.after; at != &store->sealed; at = at->after) {
    const struct ap_shelf_object *object = OF_RING(at, struct ap_shelf_object, place);
    if (object->number > number) return object;
  }
  return NULL;
}

const struct ap_shelf_object *ap_shelf_store_after(const struct ap_shelf_store *store,
                                                   const struct ap_shelf_object *object) {
  struct ring *after = object->place.after;
  return after == &store->sealed ? NULL : OF_RING(after, struct ap_shelf_object, place);
}

void ap_shelf_object_show(const struct ap_shelf_object *object, struct ap_shelf_object_info *out) {
  *out = (struct ap_shelf_object_info){
      .key = object->key,
      .name = ap_text_of(object->name),
      .labels = ap_text_of(object->labels),
      .number = object->number,
      .bytes = object->bytes,
      .rows = object->rows,
      .meta_offset = object->meta_offset,
      .meta_size = object->meta_size,
      .references = object->references,
      .extent_count = object->block_count,
      .pinned = object->pinned,
  };
}

struct ap_shelf_extent ap_shelf_object_extent(const struct ap_shelf_object *object, size_t index) {
  AP_ASSERT(index < object->block_count);
  const struct ap_shelf_block *block = object->blocks[index];
  return (struct ap_shelf_extent){ap_shelf_block_offset(block), ap_shelf_block_size(block)};
}

void ap_shelf_store_statistics(const struct ap_shelf_store *store,
                               int64_t out[AP_SHELF_STATISTICS]) {
  memcpy(out, store->counts, sizeof store->counts);
  out[AP_SHELF_STAT_MEMORY] = ap_shelf_space_bytes(store->space);
  out[AP_SHELF_STAT_USED] = ap_shelf_space_used(store->space);
  out[AP_SHELF_STAT_LARGEST_FREE] = ap_shelf_space_largest_free(store->space);
}

bool ap_shelf_store_cool(struct ap_shelf_store *store, int64_t max_bytes, int64_t *out_offset,
                         int64_t *out_size) {
  return ap_shelf_space_cool(store->space, max_bytes, out_offset, out_size);
}

uint64_t ap_shelf_store_removals(const struct ap_shelf_store *store) {
  return store->removals;
}
