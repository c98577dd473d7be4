/* SPDX-License-Identifier: Apache-2.0
 *
 * Listing a folder tree as the flat, ordered space of keys that it stands for.
 *
 * Guarantees: byte order of whole keys, though names sort differently ("a-b" < "a/b" < "ab": a
 * folder sorts as its name with '/' behind it); only folders that can hold a match are read;
 * memory for the names of one folder per level, and for none that start_after rules out. Objects
 * that come or go meanwhile may or may not be seen; all others are.
 * Thread: any; holds no lock.
 */
#include "store/local_folder.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

struct entry {
  const char *name;
  size_t size;
  bool is_folder;
};

/* One listing. */
struct walk {
  struct ap_local *local;
  struct ap_text prefix;
  struct ap_text start_after;
  ap_store_visit visit;
  void *context;
  size_t key_size;
  char key[AP_KEY_BYTES_MAX + 1]; /* of the folder being read, with its last '/', or of a name */
};

/* One folder of it. */
struct level {
  struct walk *walk;
  struct ap_arena arena;
  struct entry *entries;
  size_t count;
  size_t capacity;
};

static struct ap_text walk_key(const struct walk *walk) {
  return (struct ap_text){walk->key, walk->key_size};
}

static ap_status read_info(struct walk *walk, struct ap_file_info *out_info, ap_error *err) {
  struct ap_files *files = walk->local->env->files;
  struct ap_local_path path;
  ap_local_path_of(walk->local, walk_key(walk), &path);
  return files->info(files, path.text, out_info, err);
}

/* Whether the key (of an object, or a folder's with its '/') still has matches behind it. */
static bool can_match(const struct walk *walk, struct ap_text key, bool is_folder) {
  if (!ap_text_starts_with(key, walk->prefix)) {
    if (!is_folder || !ap_text_starts_with(walk->prefix, key)) return false;
  }
  if (is_folder && ap_text_starts_with(walk->start_after, key)) return true;
  return ap_text_compare(key, walk->start_after) > 0;
}

/* Put name behind the folder's key if the two make a key. */
static bool enter_name(struct walk *walk, struct ap_text name) {
  if (name.size > AP_KEY_BYTES_MAX - walk->key_size) return false;
  memcpy(walk->key + walk->key_size, name.data, name.size);
  walk->key_size += name.size;
  walk->key[walk->key_size] = '\0';
  if (ap_store_check_key(name, NULL) == AP_OK) return true;
  walk->key_size -= name.size;
  return false;
}

static ap_status add_entry(struct level *level, struct ap_text name, bool is_folder,
                           ap_error *err) {
  struct ap_allocator *allocator = level->walk->local->env->allocator;
  if (level->count == level->capacity) {
    size_t capacity = level->capacity == 0 ? 32 : level->capacity * 2;
    AP_ASSERT(capacity < SIZE_MAX / sizeof(struct entry));
    void *grown = ap_reallocate(allocator, level->entries, capacity * sizeof(struct entry));
    if (grown == NULL) return AP_FAIL_MEMORY(err);
    level->entries = grown;
    level->capacity = capacity;
  }
  char *copy = ap_arena_copy(&level->arena, name);
  if (copy == NULL) return AP_FAIL_MEMORY(err);
  level->entries[level->count++] = (struct entry){copy, name.size, is_folder};
  return AP_OK;
}

static ap_status collect_name(void *context, const char *name, enum ap_file_kind kind,
                              ap_error *err) {
  struct level *level = context;
  struct walk *walk = level->walk;
  size_t folder_size = walk->key_size;
  struct ap_text text = ap_text_of(name);
  ap_status status = AP_OK;
  if (!enter_name(walk, text)) return AP_OK; /* no key of ours */

  bool is_folder = kind == AP_FILE_FOLDER;
  if (kind == AP_FILE_OTHER) { /* a symbolic link counts as what it leads to */
    struct ap_file_info info = {0};
    status = read_info(walk, &info, err);
    is_folder = status == AP_OK && info.kind == AP_FILE_FOLDER;
    if (status == AP_OK && info.kind == AP_FILE_OTHER) status = AP_NOT_FOUND;
  }
  if (status == AP_OK) {
    struct ap_text key = walk_key(walk);
    if (is_folder && ap_local_is_staging(key)) goto skip;
    if (is_folder) { /* there is room for the '/' where the NUL stands */
      walk->key[key.size] = '/';
      key.size += 1;
    }
    if (can_match(walk, key, is_folder)) status = add_entry(level, text, is_folder, err);
  } else if (status == AP_NOT_FOUND) {
    ap_error_clear(err);
    status = AP_OK;
  }
skip:
  walk->key_size = folder_size;
  return status;
}

static int byte_at(const struct entry *entry, size_t index) {
  if (index < entry->size) return (unsigned char)entry->name[index];
  return entry->is_folder && index == entry->size ? '/' : -1;
}

static int compare_entries(const void *left, const void *right) {
  const struct entry *a = left, *b = right;
  size_t common = a->size < b->size ? a->size : b->size;
  int order = memcmp(a->name, b->name, common);
  if (order != 0) return order;
  for (size_t i = common;; i++) {
    int byte_a = byte_at(a, i), byte_b = byte_at(b, i);
    if (byte_a != byte_b) return byte_a - byte_b;
    if (byte_a < 0) return 0;
  }
}

static ap_status visit_object(struct walk *walk, ap_error *err) {
  struct ap_file_info info = {0};
  ap_status status = read_info(walk, &info, err);
  if (status == AP_NOT_FOUND) { /* gone since its name was read */
    ap_error_clear(err);
    return AP_OK;
  }
  if (status != AP_OK) return status;
  if (info.kind != AP_FILE_REGULAR) return AP_OK;
  struct ap_store_object object = {walk_key(walk), info.size_bytes, info.modified_ms};
  return walk->visit(walk->context, &object, err);
}

static ap_status walk_folder(struct walk *walk, ap_error *err);

static ap_status visit_entry(struct walk *walk, const struct entry *entry, ap_error *err) {
  size_t folder_size = walk->key_size;
  bool entered = enter_name(walk, (struct ap_text){entry->name, entry->size});
  AP_ASSERT(entered);
  ap_status status = AP_OK;
  if (!entry->is_folder) {
    status = visit_object(walk, err);
  } else if (walk->key_size < AP_KEY_BYTES_MAX) { /* else no key fits behind it */
    walk->key[walk->key_size++] = '/';
    walk->key[walk->key_size] = '\0';
    status = walk_folder(walk, err);
  }
  walk->key_size = folder_size;
  return status;
}

/* walk->key is the folder's, with its last '/'; empty for the root. Recursion is as deep as a key
 * has segments. */
static ap_status walk_folder(struct walk *walk, ap_error *err) {
  struct ap_local *local = walk->local;
  struct ap_files *files = local->env->files;
  struct level level = {.walk = walk};
  struct ap_local_path path;
  struct ap_text folder = {walk->key, walk->key_size > 0 ? walk->key_size - 1 : 0};
  ap_arena_init(&level.arena, local->env->allocator);
  ap_local_path_of(local, folder, &path);

  ap_status status = files->list(files, path.text, collect_name, &level, err);
  if (status == AP_NOT_FOUND) {
    ap_error_clear(err);
    status = AP_OK;
  }
  if (level.count > 1) {
    qsort(level.entries, level.count, sizeof(struct entry), compare_entries);
  }
  for (size_t i = 0; i < level.count && status == AP_OK; i++) {
    status = visit_entry(walk, &level.entries[i], err);
  }
  ap_free(local->env->allocator, level.entries);
  ap_arena_deinit(&level.arena);
  return status;
}

ap_status ap_local_list(struct ap_store *self, struct ap_text prefix, struct ap_text start_after,
                        ap_store_visit visit, void *context, ap_error *err) {
  struct walk walk = {.local = (struct ap_local *)self,
                      .prefix = prefix,
                      .start_after = start_after,
                      .visit = visit,
                      .context = context};
  struct ap_text folder = ap_local_folder_of(prefix);
  AP_ASSERT(prefix.size <= AP_KEY_BYTES_MAX);
  if (ap_local_is_staging(folder) || !ap_local_fits(folder)) return AP_OK;
  if (folder.size > 0) {
    walk.key_size = folder.size + 1; /* its '/' is in the prefix */
    memcpy(walk.key, prefix.data, walk.key_size);
    if (!can_match(&walk, walk_key(&walk), true)) return AP_OK;
  }
  return walk_folder(&walk, err);
}
