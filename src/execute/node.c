/* SPDX-License-Identifier: Apache-2.0
 *
 * See node.h. Locks: `lock` guards the table of frames and nothing is called under it but list
 * operations; the parts have locks of their own.
 */
#include "execute/node.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/text.h"

#include <string.h>

/* A frame's ledger in the node's table. Kept when nobody uses it, until the table is full. */
struct frame_slot {
  struct ap_frame frame;
  struct ap_arena names;
  uint32_t user_count;
  uint64_t last_use;
  struct frame_slot *next;
};

struct ap_node {
  const struct ap_env *env;
  char *name;
  char *scratch;
  char id[AP_UUID_TEXT_SIZE];
  struct ap_store *store;
  struct ap_catalog *catalog;
  struct ap_engine *engine;
  struct ap_cache *cache; /* NULL: none */
  struct ap_turns turns;
  uint32_t bees;
  int64_t memory_bytes;
  int64_t cache_memory_bytes; /* of it, for making decoded copies */
  int64_t own_bytes; /* of it, what the process held before; 0: the memory was given by the user */
  int64_t scratch_bytes;
  struct ap_mutex *lock;
  struct frame_slot *slots; /* guarded by lock */
  uint32_t slot_count;
  uint64_t use_clock;
};

/* What the process needs beside what the engine counts: metadata, stacks, and texts and results on
 * their way out; see docs/python.md. An eighth of the memory, 48 MiB at least; and what the process
 * holds already of the machine's memory (own_bytes). Never above a quarter, or what leaves as much
 * as that beside what it holds; the engine keeps an eighth in any case. */
static int64_t reserve_bytes(int64_t memory_bytes, int64_t own_bytes) {
  int64_t reserve = memory_bytes / 8;
  if (reserve < 48 * AP_MIB) reserve = 48 * AP_MIB;
  int64_t most = memory_bytes / 4;
  if (most < own_bytes + 24 * AP_MIB) most = own_bytes + 24 * AP_MIB;
  if (most > memory_bytes - memory_bytes / 8) most = memory_bytes - memory_bytes / 8;
  return reserve + own_bytes < most ? reserve + own_bytes : most;
}

static ap_status open_engine(struct ap_node *node, ap_error *err) {
  struct ap_buffer scratch;
  ap_buffer_init(&scratch, node->env->allocator);
  ap_status status = ap_store_local_path(node->store, AP_TEXT("_apiary/scratch"), &scratch, err);
  if (status == AP_OK) {
    ap_buffer_append_format(&scratch, "/%s", node->id);
    status = ap_buffer_check(&scratch, err);
  }
  if (status == AP_OK) {
    node->scratch = ap_string_copy(node->env->allocator, ap_buffer_text(&scratch));
    if (node->scratch == NULL) status = AP_FAIL_MEMORY(err);
  }
  ap_buffer_deinit(&scratch);
  if (status != AP_OK) return status;

  int64_t rest = node->memory_bytes - node->cache_memory_bytes;
  const struct ap_engine_options options = {
      .chambers_max = AP_CHAMBERS_MAX,
      .bees = node->bees,
      .memory_bytes = rest - reserve_bytes(rest, node->own_bytes),
      .scratch_folder = node->scratch,
      .scratch_bytes = node->scratch_bytes,
  };
  return ap_engine_create(node->env, &options, &node->engine, err);
}

int64_t ap_node_memory(int64_t memory_bytes) {
  struct ap_machine machine;
  if (memory_bytes != 0) return memory_bytes;
  ap_machine_detect(&machine);
  return machine.memory_bytes;
}

static void size_node(struct ap_node *node, const struct ap_node_options *options) {
  struct ap_machine machine;
  ap_machine_detect(&machine);
  node->bees = options->bees != 0 ? options->bees : machine.cores;
  node->memory_bytes = options->memory_bytes != 0 ? options->memory_bytes : machine.memory_bytes;
  node->scratch_bytes = options->scratch_bytes;
  if (options->memory_bytes == 0) node->own_bytes = ap_machine_own_bytes();
  AP_ASSERT(node->bees > 0);
  AP_ASSERT(node->memory_bytes > 0);
}

/* A sixteenth of the memory is for making decoded copies. */
static int64_t cache_memory(int64_t memory_bytes) {
  int64_t bytes = memory_bytes / 16;
  if (bytes < 64 * AP_MIB) bytes = 64 * AP_MIB;
  if (bytes > 512 * AP_MIB) bytes = 512 * AP_MIB;
  return bytes < memory_bytes / 2 ? bytes : memory_bytes / 2;
}

static ap_status open_cache(struct ap_node *node, const struct ap_node_options *options,
                            ap_error *err) {
  if (options->cache_bytes == 0) return AP_OK;
  struct ap_buffer folder;
  ap_buffer_init(&folder, node->env->allocator);
  ap_status status = ap_store_local_path(node->store, AP_TEXT("_apiary/cache"), &folder, err);
  const struct ap_cache_options cache = {
      .folder = folder.data,
      .id = node->id,
      .budget_bytes = options->cache_bytes,
      .memory_limit_bytes = node->cache_memory_bytes,
      .bees = node->bees,
      .eager = options->cache_eager,
  };
  if (status == AP_OK) {
    status = ap_cache_create(node->env, node->engine, node->store, &cache, &node->cache, err);
  }
  ap_buffer_deinit(&folder);
  return status;
}

ap_status ap_node_open(const struct ap_env *env, const struct ap_node_options *options,
                       struct ap_node **out_node, ap_error *err) {
  AP_ASSERT(options->root != NULL);
  struct ap_store *store = NULL;
  AP_TRY(ap_store_local_open(env, options->root, options->durability, &store, err));
  return ap_node_open_over(env, options, store, out_node, err);
}

ap_status ap_node_open_over(const struct ap_env *env, const struct ap_node_options *options,
                            struct ap_store *store, struct ap_node **out_node, ap_error *err) {
  struct ap_node *node = ap_allocate_zeroed(env->allocator, 1, sizeof *node);
  if (node == NULL) {
    ap_store_destroy(store);
    return AP_FAIL_MEMORY(err);
  }
  node->env = env;
  node->store = store;
  ap_random_uuid(env->random, node->id);
  size_node(node, options);
  node->name = ap_string_copy(env->allocator, ap_text_of(options->name));
  ap_status status = node->name == NULL ? AP_FAIL_MEMORY(err) : AP_OK;
  if (status == AP_OK) status = env->threads->mutex_create(env->threads, &node->lock, err);
  if (status == AP_OK) status = ap_turns_init(&node->turns, env, err);
  if (status == AP_OK) status = ap_catalog_open(env, node->store, &node->catalog, err);
  if (options->cache_bytes > 0) node->cache_memory_bytes = cache_memory(node->memory_bytes);
  if (status == AP_OK) status = open_engine(node, err);
  if (status == AP_OK) status = open_cache(node, options, err);
  if (status != AP_OK) {
    ap_node_close(node);
    return status;
  }
  *out_node = node;
  return AP_OK;
}

static void free_slot(struct ap_node *node, struct frame_slot *slot) {
  ap_ledger_close(slot->frame.ledger);
  ap_arena_deinit(&slot->names);
  ap_free(node->env->allocator, slot);
}

void ap_node_close(struct ap_node *node) {
  if (node == NULL) return;
  const struct ap_env *env = node->env;
  ap_cache_destroy(node->cache);
  while (node->slots != NULL) {
    struct frame_slot *slot = node->slots;
    AP_ASSERT(slot->user_count == 0);
    node->slots = slot->next;
    free_slot(node, slot);
  }
  ap_catalog_close(node->catalog);
  ap_engine_destroy(node->engine);
  ap_store_destroy(node->store);
  ap_turns_deinit(&node->turns);
  if (node->lock != NULL) env->threads->mutex_destroy(env->threads, node->lock);
  ap_free(env->allocator, node->scratch);
  ap_free(env->allocator, node->name);
  ap_free(env->allocator, node);
}

void ap_node_get_facts(const struct ap_node *node, struct ap_node_facts *out_facts) {
  int64_t bee_memory = node->memory_bytes / node->bees;
  *out_facts = (struct ap_node_facts){
      .name = node->name,
      .id = node->id,
      .storage = node->store->description,
      .bees = node->bees,
      .memory_bytes = node->memory_bytes,
      .bee_memory_bytes = bee_memory,
      .cell_target_bytes = ap_leafcutter_target_bytes(bee_memory),
  };
}

const struct ap_env *ap_node_env(struct ap_node *node) {
  return node->env;
}
struct ap_store *ap_node_store(struct ap_node *node) {
  return node->store;
}
struct ap_catalog *ap_node_catalog(struct ap_node *node) {
  return node->catalog;
}
struct ap_engine *ap_node_engine(struct ap_node *node) {
  return node->engine;
}

struct ap_cache *ap_node_cache(struct ap_node *node) {
  return node->cache;
}

struct ap_turns *ap_node_turns(struct ap_node *node) {
  return &node->turns;
}

double ap_node_temperature(struct ap_node *node) {
  return ap_engine_temperature(node->engine);
}

/* ---- frames in use --------------------------------------------------------------------------- */

static struct frame_slot *find_slot(struct ap_node *node, struct ap_text id) {
  for (struct frame_slot *slot = node->slots; slot != NULL; slot = slot->next) {
    if (ap_text_equal(slot->frame.entry.id, id)) return slot;
  }
  return NULL;
}

/* Take the least recently used slot that nobody uses out of a full table. */
static struct frame_slot *evict_slot(struct ap_node *node) {
  if (node->slot_count <= AP_FRAMES_KEPT_MAX) return NULL;
  struct frame_slot **oldest = NULL;
  for (struct frame_slot **link = &node->slots; *link != NULL; link = &(*link)->next) {
    if ((*link)->user_count > 0) continue;
    if (oldest == NULL || (*link)->last_use < (*oldest)->last_use) oldest = link;
  }
  if (oldest == NULL) return NULL;
  struct frame_slot *slot = *oldest;
  *oldest = slot->next;
  node->slot_count -= 1;
  return slot;
}

static ap_status copy_entry(struct frame_slot *slot, const struct ap_frame_entry *entry,
                            ap_error *err) {
  const struct ap_text from[] = {entry->hive, entry->box, entry->name, entry->id, entry->location};
  struct ap_frame_entry *into = &slot->frame.entry;
  struct ap_text *to[] = {&into->hive, &into->box, &into->name, &into->id, &into->location};
  for (size_t i = 0; i < sizeof from / sizeof from[0]; ++i) {
    char *copy = ap_arena_copy(&slot->names, from[i]);
    if (copy == NULL) return AP_FAIL_MEMORY(err);
    *to[i] = (struct ap_text){copy, from[i].size};
  }
  into->created_ms = entry->created_ms;
  return AP_OK;
}

static ap_status create_slot(struct ap_node *node, const struct ap_frame_entry *entry,
                             struct frame_slot **out_slot, ap_error *err) {
  struct frame_slot *slot = ap_allocate_zeroed(node->env->allocator, 1, sizeof *slot);
  if (slot == NULL) return AP_FAIL_MEMORY(err);
  ap_arena_init(&slot->names, node->env->allocator);
  ap_status status = copy_entry(slot, entry, err);
  if (status == AP_OK) {
    status = ap_node_open_ledger(node, slot->frame.entry.location, &slot->frame.ledger, err);
  }
  if (status != AP_OK) {
    free_slot(node, slot);
    return status;
  }
  *out_slot = slot;
  return AP_OK;
}

/* Use the slot of that frame, or enter `fresh` (which is then taken). */
static struct frame_slot *use_slot(struct ap_node *node, const struct ap_frame_entry *entry,
                                   struct frame_slot *fresh, struct frame_slot **out_evicted) {
  struct ap_threads *threads = node->env->threads;
  *out_evicted = NULL;
  threads->lock(threads, node->lock);
  struct frame_slot *slot = find_slot(node, entry->id);
  /* A renamed frame keeps its id: the slot with the old name serves only those who hold it. */
  bool current = slot != NULL && ap_text_equal(slot->frame.entry.name, entry->name) &&
                 ap_text_equal(slot->frame.entry.box, entry->box) &&
                 ap_text_equal(slot->frame.entry.hive, entry->hive);
  if (slot != NULL && !current && slot->user_count == 0) {
    struct frame_slot **link = &node->slots;
    while (*link != slot) link = &(*link)->next;
    *link = slot->next;
    node->slot_count -= 1;
    *out_evicted = slot;
  }
  if (!current) slot = NULL;
  if (slot == NULL && fresh != NULL) {
    fresh->next = node->slots;
    node->slots = fresh;
    node->slot_count += 1;
    slot = fresh;
  }
  if (slot != NULL) {
    slot->user_count += 1;
    slot->last_use = ++node->use_clock;
    if (*out_evicted == NULL) *out_evicted = evict_slot(node);
  }
  threads->unlock(threads, node->lock);
  return slot;
}

ap_status ap_node_find_frame(struct ap_node *node, struct ap_text hive, struct ap_text box,
                             struct ap_text name, struct ap_frame **out_frame, ap_error *err) {
  struct ap_arena arena;
  ap_arena_init(&arena, node->env->allocator);
  struct ap_frame_entry entry;
  struct frame_slot *evicted = NULL;
  struct frame_slot *slot = NULL;
  ap_status status = ap_catalog_find_frame(node->catalog, hive, box, name, &arena, &entry, err);
  if (status != AP_OK) goto done;
  slot = use_slot(node, &entry, NULL, &evicted);
  if (evicted != NULL) free_slot(node, evicted);
  if (slot == NULL) {
    struct frame_slot *fresh = NULL;
    status = create_slot(node, &entry, &fresh, err);
    if (status != AP_OK) goto done;
    slot = use_slot(node, &entry, fresh, &evicted);
    if (slot != fresh) free_slot(node, fresh);
    if (evicted != NULL) free_slot(node, evicted);
  }
  *out_frame = &slot->frame;
done:
  ap_arena_deinit(&arena);
  return status;
}

void ap_node_release_frame(struct ap_node *node, struct ap_frame *frame) {
  if (frame == NULL) return;
  struct frame_slot *slot = (struct frame_slot *)frame; /* its first member */
  struct ap_threads *threads = node->env->threads;
  threads->lock(threads, node->lock);
  AP_ASSERT(slot->user_count > 0);
  slot->user_count -= 1;
  threads->unlock(threads, node->lock);
}

ap_status ap_frame_error(const struct ap_frame *frame, ap_status status, ap_error *err) {
  return ap_error_prefix(err, status, "frame %s.%s.%s", frame->entry.hive.data,
                         frame->entry.box.data, frame->entry.name.data);
}

ap_status ap_frame_latest(const struct ap_frame *frame, struct ap_snapshot **out_snapshot,
                          ap_error *err) {
  ap_status status = ap_ledger_snapshot(frame->ledger, AP_AT_LATEST, 0, out_snapshot, err);
  return status == AP_OK ? AP_OK : ap_frame_error(frame, status, err);
}

ap_status ap_node_open_ledger(struct ap_node *node, struct ap_text location,
                              struct ap_ledger **out_ledger, ap_error *err) {
  return ap_ledger_open(node->env, node->store, ap_engine_codec(node->engine), location, out_ledger,
                        err);
}
