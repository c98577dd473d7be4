/* SPDX-License-Identifier: Apache-2.0
 *
 * The staging folder of one store instance: "_apiary/staging/<id>/", owned by whoever holds the
 * lock on "_apiary/staging/<id>.lock" beside it.
 *
 * Guarantees: nobody removes a living owner's folder, and what dead owners left is removed by the
 * next instance that writes. Why that is so:
 *   - The owner locks <id>.lock before it makes <id>/; try_lock makes sure that the file it locked
 *     still has its name.
 *   - A sweeper removes only while it holds <id>.lock: first the folder, then the lock file. It
 *     may make <id>.lock anew for a folder found without one; since only one sweeper works at a
 *     time (sweep.lock) and each lists afresh, that is never one which an owner is about to lock.
 * Staging names need not survive power loss, so none of this syncs.
 * Thread: any, under the store's mutex.
 */
#include "store/local_folder.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

enum {
  UUID_CHARS = AP_UUID_TEXT_SIZE - 1,
  LOCK_ATTEMPTS_MAX = 16, /* ids tried; one is lost only to a sweeper in the same microseconds */
};

#define LOCK_SUFFIX ".lock"
#define SWEEP_LOCK  "sweep" LOCK_SUFFIX

/* "<staging>/<name><suffix>" */
static void path_in_staging(const struct ap_local *local, const char *name, const char *suffix,
                            struct ap_local_path *out_path) {
  char key[sizeof(AP_LOCAL_STAGING) + (size_t)2 * AP_UUID_TEXT_SIZE + 16];
  int size = snprintf(key, sizeof(key), "%s/%s%s", AP_LOCAL_STAGING, name, suffix);
  AP_ASSERT(size > 0 && (size_t)size < sizeof(key));
  ap_local_path_of(local, (struct ap_text){key, (size_t)size}, out_path);
}

void ap_local_staging_path(const struct ap_local *local, const char *name,
                           struct ap_local_path *out_path) {
  AP_ASSERT(local->staging_id[0] != '\0');
  char tail[AP_UUID_TEXT_SIZE + 16];
  int size = snprintf(tail, sizeof(tail), "%s%s", name[0] == '\0' ? "" : "/", name);
  AP_ASSERT(size >= 0 && (size_t)size < sizeof(tail));
  path_in_staging(local, local->staging_id, tail, out_path);
}

static bool is_id(struct ap_text text) {
  if (text.size != UUID_CHARS) return false;
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-')) return false;
  }
  return true;
}

static ap_status collect_id(void *context, const char *name, enum ap_file_kind kind,
                            ap_error *err) {
  struct ap_store_names *ids = context;
  (void)kind;
  struct ap_text id = ap_text_of(name);
  if (ap_text_ends_with(id, AP_TEXT(LOCK_SUFFIX))) id.size -= strlen(LOCK_SUFFIX);
  return is_id(id) ? ap_store_names_add(ids, id, err) : AP_OK;
}

/* Remove the folder of an id whose lock the caller holds, then the lock's name. What cannot be
 * removed now is swept later. */
static void remove_id(struct ap_local *local, const char *id) {
  struct ap_files *files = local->env->files;
  struct ap_local_path path;
  path_in_staging(local, id, "", &path);
  if (ap_files_remove_tree(files, path.text, NULL) != AP_OK) return;
  path_in_staging(local, id, LOCK_SUFFIX, &path);
  (void)files->remove_file(files, path.text, NULL);
}

/* Remove the folder of an id whose owner is dead; leave a living one's alone. */
static void sweep_id(struct ap_local *local, const char *id) {
  struct ap_files *files = local->env->files;
  struct ap_local_path path;
  path_in_staging(local, id, LOCK_SUFFIX, &path);
  enum ap_file_lock result = AP_FILE_LOCK_HELD_ELSEWHERE;
  void *handle = NULL;
  if (files->try_lock(files, path.text, &result, &handle, NULL) != AP_OK) return;
  if (result != AP_FILE_LOCK_TAKEN) return;
  remove_id(local, id);
  files->unlock(files, handle);
}

/* Best effort: what cannot be swept now is swept by a later instance. Only lack of memory is
 * reported. */
static ap_status sweep_dead(struct ap_local *local, ap_error *err) {
  struct ap_files *files = local->env->files;
  struct ap_local_path path;
  path_in_staging(local, SWEEP_LOCK, "", &path);
  enum ap_file_lock result = AP_FILE_LOCK_HELD_ELSEWHERE;
  void *handle = NULL;
  if (files->try_lock(files, path.text, &result, &handle, NULL) != AP_OK) return AP_OK;
  if (result != AP_FILE_LOCK_TAKEN) return AP_OK;

  struct ap_store_names ids;
  ap_store_names_init(&ids, local->env->allocator);
  ap_local_path_of(local, AP_TEXT(AP_LOCAL_STAGING), &path);
  ap_status status = files->list(files, path.text, collect_id, &ids, NULL);
  for (size_t i = 0; i < ids.slots_count && status == AP_OK; i++) {
    const char *id = ids.slots[i].data;
    if (id != NULL && strcmp(id, local->staging_id) != 0) sweep_id(local, id);
  }
  ap_store_names_deinit(&ids);
  files->unlock(files, handle);
  return status == AP_OUT_OF_MEMORY ? AP_FAIL_MEMORY(err) : AP_OK;
}

/* Choose an id and lock it. */
static ap_status lock_new_id(struct ap_local *local, void **out_handle, ap_error *err) {
  struct ap_files *files = local->env->files;
  struct ap_local_path path;
  for (int attempt = 0; attempt < LOCK_ATTEMPTS_MAX; attempt++) {
    enum ap_file_lock result = AP_FILE_LOCK_HELD_ELSEWHERE;
    ap_random_uuid(local->env->random, local->staging_id);
    path_in_staging(local, local->staging_id, LOCK_SUFFIX, &path);
    AP_TRY(files->try_lock(files, path.text, &result, out_handle, err));
    if (result == AP_FILE_LOCK_TAKEN) return AP_OK;
  }
  return AP_FAIL(err, AP_BUSY, "cannot lock a staging folder in %s", local->description);
}

/* Refuse file systems on which two keys would be one, or on which nobody can lose a race. */
static ap_status probe_file_system(struct ap_local *local, ap_error *err) {
  struct ap_files *files = local->env->files;
  struct ap_local_path path, other;
  struct ap_file_info info;
  path_in_staging(local, local->staging_id, ".LOCK", &path);
  ap_status status = files->info(files, path.text, &info, err);
  if (status == AP_OK) {
    AP_FAIL(err, AP_UNSUPPORTED, "the file system of %s takes upper and lower case for the same",
            local->description);
    ap_error_hint(err, "use a folder on ext4, xfs, btrfs or zfs");
    return AP_UNSUPPORTED;
  }
  if (status != AP_NOT_FOUND) return status;
  ap_error_clear(err);

  path_in_staging(local, local->staging_id, LOCK_SUFFIX, &path);
  path_in_staging(local, local->staging_id, "/probe", &other);
  status = files->link(files, path.text, other.text, err);
  if (status == AP_OK) return files->remove_file(files, other.text, err);
  if (status == AP_PERMISSION || status == AP_UNSUPPORTED) {
    AP_FAIL(err, AP_UNSUPPORTED,
            "the file system of %s makes no hard links, without which of two racing writers "
            "both could win",
            local->description);
    ap_error_hint(err, "use a folder on ext4, xfs, btrfs or zfs");
    return AP_UNSUPPORTED;
  }
  return status;
}

/* The store's mutex is held. */
static ap_status make_staging(struct ap_local *local, ap_error *err) {
  struct ap_files *files = local->env->files;
  struct ap_local_path path;
  void *handle = NULL;
  ap_local_path_of(local, AP_TEXT("_apiary"), &path);
  AP_TRY(files->make_folder(files, path.text, err));
  ap_local_path_of(local, AP_TEXT(AP_LOCAL_STAGING), &path);
  AP_TRY(files->make_folder(files, path.text, err));
  AP_TRY(lock_new_id(local, &handle, err));
  path_in_staging(local, local->staging_id, "", &path);
  ap_status status = files->make_folder(files, path.text, err);
  if (status == AP_OK) status = probe_file_system(local, err);
  if (status == AP_OK) status = sweep_dead(local, err);
  if (status != AP_OK) goto fail;
  local->staging_lock = handle;
  return AP_OK;

fail:
  remove_id(local, local->staging_id);
  files->unlock(files, handle);
  return status;
}

ap_status ap_local_staging_ensure(struct ap_local *local, ap_error *err) {
  struct ap_threads *threads = local->env->threads;
  ap_status status = AP_OK;
  threads->lock(threads, local->mutex);
  if (local->staging_lock == NULL) {
    status = make_staging(local, err);
    if (status == AP_NOT_FOUND || status == AP_ALREADY_EXISTS) {
      /* not what the caller asked about: its key is neither missing nor there */
      status = AP_FAIL(err, AP_IO, "cannot make the staging folder in %s", local->description);
    }
    if (status != AP_OK) local->staging_id[0] = '\0';
  }
  threads->unlock(threads, local->mutex);
  return status;
}

void ap_local_staging_remove(struct ap_local *local) {
  struct ap_files *files = local->env->files;
  if (local->staging_lock == NULL) return;
  remove_id(local, local->staging_id);
  files->unlock(files, local->staging_lock);
  local->staging_lock = NULL;
  local->staging_id[0] = '\0';
}
