/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths of keys, and folders made durably with as few system calls as will do: see local_folder.h.
 */
#include "store/local_folder.h"

#include "base/assert.h"

#include <string.h>

void ap_local_path_of(const struct ap_local *local, struct ap_text key,
                      struct ap_local_path *out_path) {
  size_t root_size = local->root.size;
  AP_ASSERT(root_size + key.size + 2 <= sizeof(out_path->text));
  if (root_size > 0) memcpy(out_path->text, local->root.data, root_size);
  if (key.size > 0 || root_size == 0) out_path->text[root_size++] = '/';
  if (key.size > 0) memcpy(out_path->text + root_size, key.data, key.size);
  out_path->text[root_size + key.size] = '\0';
}

struct ap_text ap_local_folder_of(struct ap_text key) {
  size_t size = key.size;
  while (size > 0 && key.data[size - 1] != '/') size--;
  return (struct ap_text){key.data, size > 0 ? size - 1 : 0};
}

bool ap_local_is_staging(struct ap_text key) {
  struct ap_text staging = AP_TEXT(AP_LOCAL_STAGING);
  if (!ap_text_starts_with(key, staging)) return false;
  return key.size == staging.size || key.data[staging.size] == '/';
}

bool ap_local_fits(struct ap_text key) {
  size_t segment_size = 0;
  for (size_t i = 0; i < key.size; i++) {
    segment_size = key.data[i] == '/' ? 0 : segment_size + 1;
    if (segment_size > AP_LOCAL_SEGMENT_BYTES_MAX) return false;
  }
  return true;
}

static bool is_known(struct ap_local *local, struct ap_text folder) {
  struct ap_threads *threads = local->env->threads;
  if (folder.size == 0) return true; /* the root: made when the store was opened */
  threads->lock(threads, local->mutex);
  bool known = ap_store_names_has(&local->known, folder);
  threads->unlock(threads, local->mutex);
  return known;
}

static ap_status remember(struct ap_local *local, const struct ap_store_names *made,
                          ap_error *err) {
  struct ap_threads *threads = local->env->threads;
  ap_status status = AP_OK;
  threads->lock(threads, local->mutex);
  for (size_t i = 0; i < made->slots_count && status == AP_OK; i++) {
    if (made->slots[i].data == NULL) continue;
    if (local->known.count >= AP_LOCAL_FOLDERS_KNOWN_MAX) ap_store_names_clear(&local->known);
    status = ap_store_names_add(&local->known, made->slots[i], err);
  }
  threads->unlock(threads, local->mutex);
  return status;
}

void ap_local_folders_forget(struct ap_local *local) {
  struct ap_threads *threads = local->env->threads;
  threads->lock(threads, local->mutex);
  ap_store_names_clear(&local->known);
  threads->unlock(threads, local->mutex);
}

static ap_status make_level(struct ap_local *local, struct ap_text level, ap_error *err) {
  struct ap_files *files = local->env->files;
  struct ap_local_path path;
  ap_local_path_of(local, level, &path);
  ap_status status = files->make_folder(files, path.text, err);
  if (status != AP_ALREADY_EXISTS) return status;
  AP_FAIL(err, AP_UNSUPPORTED, "'%.*s' in %s is an object and cannot be a folder too",
          AP_TEXT_ARG(level), local->description);
  ap_error_hint(err, "choose keys of which none is another one's folder");
  return AP_UNSUPPORTED;
}

/* Make folder and its parents, as far as not known, noting what was made and where. */
static ap_status make_levels(struct ap_local *local, struct ap_text folder,
                             struct ap_store_names *made, struct ap_store_names *parents,
                             ap_error *err) {
  if (is_known(local, folder)) return AP_OK;
  for (size_t size = 1; size <= folder.size; size++) {
    if (size < folder.size && folder.data[size] != '/') continue;
    struct ap_text level = {folder.data, size};
    if (ap_store_names_has(made, level) || is_known(local, level)) continue;
    AP_TRY(make_level(local, level, err));
    AP_TRY(ap_store_names_add(made, level, err));
    AP_TRY(ap_store_names_add(parents, ap_local_folder_of(level), err));
  }
  return AP_OK;
}

ap_status ap_local_folders_ensure(struct ap_local *local, const struct ap_store_names *folders,
                                  ap_error *err) {
  struct ap_store_names made, parents;
  ap_store_names_init(&made, local->env->allocator);
  ap_store_names_init(&parents, local->env->allocator);
  ap_status status = AP_OK;
  for (size_t i = 0; i < folders->slots_count && status == AP_OK; i++) {
    if (folders->slots[i].data == NULL) continue;
    status = make_levels(local, folders->slots[i], &made, &parents, err);
  }
  if (status == AP_OK) status = ap_local_folders_sync(local, &parents, err);
  if (status == AP_OK) status = remember(local, &made, err);
  ap_store_names_deinit(&parents);
  ap_store_names_deinit(&made);
  return status;
}

ap_status ap_local_folder_ensure(struct ap_local *local, struct ap_text folder, ap_error *err) {
  if (is_known(local, folder)) return AP_OK;
  struct ap_store_names folders;
  ap_store_names_init(&folders, local->env->allocator);
  ap_status status = ap_store_names_add(&folders, folder, err);
  if (status == AP_OK) status = ap_local_folders_ensure(local, &folders, err);
  ap_store_names_deinit(&folders);
  return status;
}

ap_status ap_local_folders_sync(struct ap_local *local, const struct ap_store_names *folders,
                                ap_error *err) {
  for (size_t i = 0; i < folders->slots_count; i++) {
    if (folders->slots[i].data == NULL) continue;
    AP_TRY(ap_local_folder_sync(local, folders->slots[i], err));
  }
  return AP_OK;
}

ap_status ap_local_folder_sync(struct ap_local *local, struct ap_text folder, ap_error *err) {
  struct ap_files *files = local->env->files;
  struct ap_local_path path;
  if (local->durability == AP_RELAXED) return AP_OK;
  ap_local_path_of(local, folder, &path);
  return files->sync_folder(files, path.text, err);
}
