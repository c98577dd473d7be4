/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated disk. Searches are linear: a simulation has few names, and plain is right.
 */
#include "testing/sim_disk.h"

#include "base/assert.h"

#include <string.h>

static void *take(struct sim_disk *disk, size_t count, size_t size) {
  void *memory = ap_arena_allocate_zeroed(&disk->arena, count, size);
  AP_ASSERT(memory);
  return memory;
}

struct sim_disk *sim_disk_create(void) {
  struct sim_disk *disk = sim_allocate(sizeof(*disk));
  ap_arena_init(&disk->arena, ap_allocator_system());
  disk->root = sim_disk_new_node(disk, AP_FILE_FOLDER, 0);
  return disk;
}

void sim_disk_destroy(struct sim_disk *disk) {
  ap_arena_deinit(&disk->arena);
  sim_free(disk);
}

struct sim_node *sim_disk_new_node(struct sim_disk *disk, enum ap_file_kind kind, int64_t now_ms) {
  struct sim_node *node = take(disk, 1, sizeof(*node));
  node->kind = kind;
  node->modified_ms = now_ms;
  node->next = disk->nodes;
  disk->nodes = node;
  return node;
}

void sim_disk_fill(struct sim_disk *disk, struct sim_node *node, struct ap_text data) {
  AP_ASSERT(node->kind == AP_FILE_REGULAR && !node->data);
  node->data = take(disk, data.size + 1, 1);
  if (data.size) memcpy(node->data, data.data, data.size);
  node->size = data.size;
}

static size_t index_of(const struct sim_entries *entries, const char *name) {
  size_t index = 0;
  while (index < entries->count && strcmp(entries->items[index].name, name) != 0) index++;
  return index;
}

static void remove_entry(struct sim_entries *entries, const char *name) {
  size_t index = index_of(entries, name);
  if (index == entries->count) return;
  entries->items[index] = entries->items[--entries->count];
}

static void set_entry(struct sim_disk *disk, struct sim_entries *entries, const char *name,
                      struct sim_node *node) {
  size_t index = index_of(entries, name);
  if (index == entries->capacity) {
    size_t capacity = entries->capacity ? entries->capacity * 2 : 8;
    struct sim_entry *items = take(disk, capacity, sizeof(*items));
    if (entries->count) memcpy(items, entries->items, entries->count * sizeof(*items));
    entries->items = items;
    entries->capacity = capacity;
  }
  if (index == entries->count) entries->count++;
  entries->items[index] = (struct sim_entry){name, node};
}

static void apply(struct sim_disk *disk, struct sim_entries *entries,
                  const struct sim_change *change) {
  if (change->old_name) remove_entry(entries, change->old_name);
  if (change->new_name) set_entry(disk, entries, change->new_name, change->node);
}

struct sim_node *sim_disk_lookup(const struct sim_node *folder, const char *name) {
  size_t index = index_of(&folder->seen, name);
  return index < folder->seen.count ? folder->seen.items[index].node : NULL;
}

ap_status sim_disk_find(struct sim_disk *disk, const char *path, struct sim_place *out_place) {
  *out_place = (struct sim_place){.node = disk->root, .name = ""};
  const char *at = path;
  for (;;) {
    while (*at == '/') at++;
    if (*at == '\0') return AP_OK;
    size_t size = strcspn(at, "/");
    struct ap_text part = {at, size};
    at += size;
    if (ap_text_equal_string(part, ".")) continue;
    if (ap_text_equal_string(part, "..")) return AP_INVALID_ARGUMENT;
    if (!out_place->node || out_place->node->kind != AP_FILE_FOLDER) return AP_NOT_FOUND;
    out_place->folder = out_place->node;
    out_place->name = ap_arena_copy(&disk->arena, part);
    AP_ASSERT(out_place->name);
    out_place->node = sim_disk_lookup(out_place->folder, out_place->name);
  }
}

void sim_disk_change(struct sim_disk *disk, struct sim_node *folder, const char *old_name,
                     const char *new_name, struct sim_node *node) {
  AP_ASSERT(folder->kind == AP_FILE_FOLDER);
  if (folder->change_count == folder->change_capacity) {
    size_t capacity = folder->change_capacity ? folder->change_capacity * 2 : 8;
    struct sim_change *changes = take(disk, capacity, sizeof(*changes));
    if (folder->change_count) {
      memcpy(changes, folder->changes, folder->change_count * sizeof(*changes));
    }
    folder->changes = changes;
    folder->change_capacity = capacity;
  }
  struct sim_change *change = &folder->changes[folder->change_count++];
  *change = (struct sim_change){old_name, new_name, node};
  apply(disk, &folder->seen, change);
}

void sim_disk_persist(struct sim_disk *disk, struct sim_node *folder, size_t count) {
  AP_ASSERT(count <= folder->change_count);
  for (size_t i = 0; i < count; i++) apply(disk, &folder->durable, &folder->changes[i]);
  folder->change_count -= count;
  if (folder->change_count) {
    memmove(folder->changes, folder->changes + count,
            folder->change_count * sizeof(*folder->changes));
  }
}

/* Unsynced bytes: none are left, or any number of them, the rest cut off or read as zeros. */
static void damage_file(struct sim_node *node, enum ap_sim_crash crash, struct ap_random *random) {
  if (node->synced) return;
  size_t kept = 0;
  bool zeros = false;
  if (crash == AP_SIM_CRASH_GAMBLES) {
    kept = (size_t)ap_random_below(random, (uint64_t)node->size + 1);
    zeros = ap_random_below(random, 2) == 0;
  }
  if (zeros) {
    memset(node->data + kept, 0, node->size - kept);
  } else {
    node->size = kept;
  }
  node->synced = true;
}

static void crash_folder(struct sim_disk *disk, struct sim_node *node, enum ap_sim_crash crash,
                         struct ap_random *random) {
  size_t survive = 0;
  if (crash == AP_SIM_CRASH_GAMBLES) {
    survive = (size_t)ap_random_below(random, (uint64_t)node->change_count + 1);
  }
  sim_disk_persist(disk, node, survive);
  node->change_count = 0;
  node->seen.count = 0;
  for (size_t i = 0; i < node->durable.count; i++) {
    set_entry(disk, &node->seen, node->durable.items[i].name, node->durable.items[i].node);
  }
}

void sim_disk_crash(struct sim_disk *disk, enum ap_sim_crash crash, struct ap_random *random) {
  for (struct sim_node *node = disk->nodes; node; node = node->next) {
    node->locked = false;
    if (node->kind == AP_FILE_FOLDER) {
      crash_folder(disk, node, crash, random);
    } else {
      damage_file(node, crash, random);
    }
  }
  disk->crashes++;
}
