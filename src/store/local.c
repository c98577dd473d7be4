/* SPDX-License-Identifier: Apache-2.0
 *
 * The objects of the local backend: see local.h for what it promises and store.h for the contract.
 *
 * Every write makes a whole, synced file in the instance's staging folder first and then gives it
 * its name in one step (link: fails if the name is taken; rename: replaces), and syncs the folder.
 * Thread: any. Does not: call the system other than through env->files.
 */
#include "store/local.h"

#include "base/assert.h"
#include "port/working_folder.h"
#include "store/local_folder.h"

#include <stdio.h>
#include <string.h>

static struct ap_local *local_of(struct ap_store *store) {
  return (struct ap_local *)store;
}

static ap_status fail_not_found(const struct ap_local *local, struct ap_text key, ap_error *err) {
  return AP_FAIL(err, AP_NOT_FOUND, "there is no object '%.*s' in %s", AP_TEXT_ARG(key),
                 local->description);
}

static ap_status fail_folder(const struct ap_local *local, struct ap_text key, ap_error *err) {
  AP_FAIL(err, AP_UNSUPPORTED, "'%.*s' in %s is the folder of other objects and cannot be one too",
          AP_TEXT_ARG(key), local->description);
  ap_error_hint(err, "choose keys of which none is another one's folder");
  return AP_UNSUPPORTED;
}

/* Report what went wrong with key under another code, keeping the reason. */
static ap_status fail_as(const struct ap_local *local, ap_status code, struct ap_text key,
                         ap_error *err) {
  char reason[AP_ERROR_MESSAGE_MAX] = "";
  if (err != NULL) memcpy(reason, err->message, sizeof(reason));
  return AP_FAIL(err, code, "object '%.*s' in %s: %.*s", AP_TEXT_ARG(key), local->description,
                 AP_ERROR_MESSAGE_MAX / 2, reason);
}

/* A failure of some step, which is about files, as a failure of an operation on key. */
static ap_status fail_step(const struct ap_local *local, ap_status status, struct ap_text key,
                           ap_error *err) {
  /* a temporary file or a folder that is missing or there says nothing about the object */
  if (status == AP_NOT_FOUND || status == AP_ALREADY_EXISTS) {
    return fail_as(local, AP_IO, key, err);
  }
  return ap_error_prefix(err, status, "object '%.*s' in %s", AP_TEXT_ARG(key), local->description);
}

static ap_status check_writable(const struct ap_local *local, struct ap_text key, ap_error *err) {
  if (ap_local_is_staging(key)) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "key '%.*s' lies in %s, which is kept for staging",
                   AP_TEXT_ARG(key), AP_LOCAL_STAGING);
  }
  if (!ap_local_fits(key)) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT,
                   "key '%.*s' has a segment of more than %d bytes, too long for a file name in %s",
                   AP_TEXT_ARG(key), AP_LOCAL_SEGMENT_BYTES_MAX, local->description);
  }
  return AP_OK;
}

/* What lies under key, which must be a plain file. */
static ap_status find_object(const struct ap_local *local, struct ap_text key,
                             const struct ap_local_path *path, struct ap_file_info *out_info,
                             ap_error *err) {
  struct ap_files *files = local->env->files;
  if (ap_local_is_staging(key) || !ap_local_fits(key)) return fail_not_found(local, key, err);
  ap_status status = files->info(files, path->text, out_info, err);
  if (status == AP_NOT_FOUND || (status == AP_OK && out_info->kind != AP_FILE_REGULAR)) {
    return fail_not_found(local, key, err);
  }
  return status == AP_OK ? AP_OK : fail_step(local, status, key, err);
}

static ap_status local_get(struct ap_store *self, struct ap_text key, int64_t offset, int64_t size,
                           struct ap_buffer *out, ap_error *err) {
  struct ap_local *local = local_of(self);
  struct ap_files *files = local->env->files;
  struct ap_local_path path;
  struct ap_file_info info = {0};
  ap_local_path_of(local, key, &path);
  AP_TRY(find_object(local, key, &path, &info, err));
  if (offset >= info.size_bytes) return AP_OK;
  int64_t wanted = size < 0 || size > info.size_bytes - offset ? info.size_bytes - offset : size;
  if (wanted > AP_OBJECT_BYTES_MAX) {
    return AP_FAIL(err, AP_UNSUPPORTED,
                   "object '%.*s' in %s: %lld bytes are too many to read whole", AP_TEXT_ARG(key),
                   local->description, (long long)wanted);
  }
  ap_status status = files->read(files, path.text, offset, size, out, err);
  if (status == AP_NOT_FOUND) return fail_not_found(local, key, err);
  return status == AP_OK ? AP_OK : fail_step(local, status, key, err);
}

static ap_status local_head(struct ap_store *self, struct ap_text key,
                            struct ap_store_object *out_object, ap_error *err) {
  struct ap_local *local = local_of(self);
  struct ap_local_path path;
  struct ap_file_info info = {0};
  ap_local_path_of(local, key, &path);
  AP_TRY(find_object(local, key, &path, &info, err));
  *out_object = (struct ap_store_object){key, info.size_bytes, info.modified_ms};
  return AP_OK;
}

static void remove_quietly(struct ap_local *local, const char *path) {
  struct ap_files *files = local->env->files;
  (void)files->remove_file(files, path, NULL); /* what is left is swept with the staging folder */
}

/* Write a whole, synced file into the staging folder. */
static ap_status write_temporary(struct ap_local *local, struct ap_text data,
                                 struct ap_local_path *out_path, ap_error *err) {
  struct ap_files *files = local->env->files;
  char name[AP_UUID_TEXT_SIZE + 4] = "put-";
  AP_TRY(ap_local_staging_ensure(local, err));
  /* random rather than counted, so that a forked child cannot take the same name */
  ap_random_uuid(local->env->random, name + strlen(name));
  ap_local_staging_path(local, name, out_path);
  return files->create(files, out_path->text, data, local->durability == AP_DURABLE, err);
}

typedef ap_status (*naming)(struct ap_files *self, const char *path, const char *new_path,
                            ap_error *err);

/* Name a file after key in one step. When the folder went missing since it was last seen, make it
 * again, once. */
static ap_status give_name(struct ap_local *local, naming give, const char *path,
                           struct ap_text key, ap_error *err) {
  struct ap_files *files = local->env->files;
  struct ap_local_path named;
  ap_local_path_of(local, key, &named);
  ap_status status = give(files, path, named.text, err);
  if (status != AP_NOT_FOUND) return status;
  ap_local_folders_forget(local);
  AP_TRY(ap_local_folder_ensure(local, ap_local_folder_of(key), err));
  ap_error_clear(err);
  return give(files, path, named.text, err);
}

/* Report that a file could not be named after key. */
static ap_status fail_naming(struct ap_local *local, naming give, ap_status status,
                             struct ap_text key, ap_error *err) {
  struct ap_files *files = local->env->files;
  struct ap_local_path path;
  struct ap_file_info info = {0};
  ap_local_path_of(local, key, &path);
  ap_status found = files->info(files, path.text, &info, NULL);
  if (found == AP_OK && info.kind == AP_FILE_FOLDER) return fail_folder(local, key, err);
  if (status == AP_ALREADY_EXISTS && give == files->link) {
    return AP_FAIL(err, AP_ALREADY_EXISTS, "object '%.*s' in %s exists already", AP_TEXT_ARG(key),
                   local->description);
  }
  /* after an I/O error the name may have been given all the same */
  if (status == AP_IO) return fail_as(local, AP_OUTCOME_UNKNOWN, key, err);
  return fail_step(local, status, key, err);
}

/* The common part of put and put_if_absent. */
static ap_status put_object(struct ap_local *local, naming give, struct ap_text key,
                            struct ap_text data, ap_error *err) {
  struct ap_local_path temporary;
  ap_status status = ap_local_folder_ensure(local, ap_local_folder_of(key), err);
  if (status == AP_OK) status = write_temporary(local, data, &temporary, err);
  if (status != AP_OK) return fail_step(local, status, key, err);

  status = give_name(local, give, temporary.text, key, err);
  bool named = status == AP_OK;
  if (!named) {
    status = fail_naming(local, give, status, key, err);
  } else if (ap_local_folder_sync(local, ap_local_folder_of(key), err) != AP_OK) {
    status = fail_as(local, AP_OUTCOME_UNKNOWN, key, err);
  }
  bool taken = named && give == local->env->files->rename;
  if (!taken) remove_quietly(local, temporary.text);
  return status;
}

static ap_status local_put(struct ap_store *self, struct ap_text key, struct ap_text data,
                           ap_error *err) {
  struct ap_local *local = local_of(self);
  AP_TRY(check_writable(local, key, err));
  return put_object(local, local->env->files->rename, key, data, err);
}

static ap_status local_put_if_absent(struct ap_store *self, struct ap_text key, struct ap_text data,
                                     ap_error *err) {
  struct ap_local *local = local_of(self);
  struct ap_files *files = local->env->files;
  struct ap_local_path path;
  struct ap_file_info info = {0};
  AP_TRY(check_writable(local, key, err));
  /* A look first: who is late learns it without writing and syncing a file in vain. */
  ap_local_path_of(local, key, &path);
  ap_status status = files->info(files, path.text, &info, err);
  if (status == AP_OK) return fail_naming(local, files->link, AP_ALREADY_EXISTS, key, err);
  if (status != AP_NOT_FOUND) return fail_step(local, status, key, err);
  ap_error_clear(err);
  return put_object(local, files->link, key, data, err);
}

static ap_status sync_uploads(struct ap_local *local, const struct ap_store_upload *uploads,
                              size_t count, ap_error *err) {
  struct ap_files *files = local->env->files;
  if (local->durability == AP_RELAXED) return AP_OK;
  for (size_t i = 0; i < count; i++) {
    ap_status status = files->sync_file(files, uploads[i].path, err);
    if (status != AP_OK) return fail_step(local, status, uploads[i].key, err);
  }
  return AP_OK;
}

/* Name all files after their keys; *out_linked: how many were. */
static ap_status link_uploads(struct ap_local *local, const struct ap_store_upload *uploads,
                              size_t count, size_t *out_linked, ap_error *err) {
  struct ap_files *files = local->env->files;
  for (*out_linked = 0; *out_linked < count; *out_linked += 1) {
    const struct ap_store_upload *upload = &uploads[*out_linked];
    ap_status status = give_name(local, files->link, upload->path, upload->key, err);
    if (status != AP_OK) return fail_naming(local, files->link, status, upload->key, err);
  }
  return AP_OK;
}

static ap_status local_put_files(struct ap_store *self, const struct ap_store_upload *uploads,
                                 size_t count, ap_error *err) {
  struct ap_local *local = local_of(self);
  struct ap_store_names folders;
  size_t linked = 0;
  for (size_t i = 0; i < count; i++) AP_TRY(check_writable(local, uploads[i].key, err));
  AP_TRY(sync_uploads(local, uploads, count, err));

  ap_store_names_init(&folders, local->env->allocator);
  ap_status status = AP_OK;
  for (size_t i = 0; i < count && status == AP_OK; i++) {
    status = ap_store_names_add(&folders, ap_local_folder_of(uploads[i].key), err);
  }
  if (status == AP_OK) status = ap_local_folders_ensure(local, &folders, err);
  if (status != AP_OK) {
    status = fail_step(local, status, uploads[0].key, err);
    goto done;
  }
  status = link_uploads(local, uploads, count, &linked, err);
  if (status == AP_OK) {
    status = ap_local_folders_sync(local, &folders, err);
    if (status != AP_OK) status = fail_step(local, status, uploads[0].key, err);
  }
  for (size_t i = 0; i < linked; i++) {
    struct ap_local_path path;
    ap_local_path_of(local, uploads[i].key, &path);
    /* One of the two names goes: the staged one on success, the key on failure. */
    remove_quietly(local, status == AP_OK ? uploads[i].path : path.text);
  }
done:
  ap_store_names_deinit(&folders);
  return status;
}

static ap_status local_remove(struct ap_store *self, struct ap_text key, ap_error *err) {
  struct ap_local *local = local_of(self);
  struct ap_files *files = local->env->files;
  struct ap_local_path path;
  struct ap_file_info info = {0};
  AP_TRY(check_writable(local, key, err));
  ap_local_path_of(local, key, &path);
  ap_status status = files->remove_file(files, path.text, err);
  if (status == AP_OK) return AP_OK;
  bool absent = status == AP_NOT_FOUND;
  if (!absent && files->info(files, path.text, &info, NULL) == AP_OK) {
    absent = info.kind == AP_FILE_FOLDER; /* a folder is no object */
  }
  if (!absent) return fail_step(local, status, key, err);
  ap_error_clear(err);
  return AP_OK;
}

/* Objects are synced before they get their name; it is the name that may not be durable yet. */
static ap_status local_settle(struct ap_store *self, struct ap_text key, ap_error *err) {
  struct ap_local *local = local_of(self);
  struct ap_local_path path;
  struct ap_file_info info = {0};
  ap_local_path_of(local, key, &path);
  AP_TRY(find_object(local, key, &path, &info, err));
  ap_status status = ap_local_folder_sync(local, ap_local_folder_of(key), err);
  return status == AP_OK ? AP_OK : fail_step(local, status, key, err);
}

static ap_status local_local_path(struct ap_store *self, struct ap_text key,
                                  struct ap_buffer *out_path, ap_error *err) {
  struct ap_local_path path;
  ap_local_path_of(local_of(self), key, &path);
  ap_buffer_append_string(out_path, path.text);
  return ap_buffer_check(out_path, err);
}

static ap_status local_staging_path(struct ap_store *self, struct ap_buffer *out_path,
                                    ap_error *err) {
  struct ap_local *local = local_of(self);
  struct ap_local_path path;
  AP_TRY(ap_local_staging_ensure(local, err));
  ap_local_staging_path(local, "", &path);
  ap_buffer_append_string(out_path, path.text);
  return ap_buffer_check(out_path, err);
}

static void local_destroy(struct ap_store *self) {
  struct ap_local *local = local_of(self);
  const struct ap_env *env = local->env;
  ap_local_staging_remove(local);
  ap_store_names_deinit(&local->known);
  env->threads->mutex_destroy(env->threads, local->mutex);
  ap_free(env->allocator, local->description);
  ap_free(env->allocator, local);
}

static const struct ap_store_vtable local_vtable = {
    .get = local_get,
    .put = local_put,
    .put_if_absent = local_put_if_absent,
    .put_files = local_put_files,
    .list = ap_local_list,
    .head = local_head,
    .remove = local_remove,
    .settle = local_settle,
    .local_path = local_local_path,
    .staging_path = local_staging_path,
    .destroy = local_destroy,
};

/* Append root made absolute, without empty and "." segments. ".." stays: behind a symbolic link it
 * leads elsewhere than the text says. */
static ap_status append_absolute(struct ap_buffer *out, const char *root, ap_error *err) {
  size_t start = out->size;
  if (root[0] == '\0') return AP_FAIL(err, AP_INVALID_ARGUMENT, "a store's folder has no name");
  if (root[0] != '/') {
    AP_TRY(ap_working_folder_append(out, err));
    if (ap_text_equal_string((struct ap_text){out->data + start, out->size - start}, "/")) {
      out->size = start;
    }
  }
  for (const char *at = root; *at != '\0';) {
    size_t size = strcspn(at, "/");
    bool skip = size == 0 || (size == 1 && at[0] == '.');
    if (!skip) ap_buffer_append(out, "/", 1);
    if (!skip) ap_buffer_append(out, at, size);
    at += size + (at[size] == '/' ? 1 : 0);
  }
  AP_TRY(ap_buffer_check(out, err));
  if (out->size - start > AP_LOCAL_ROOT_BYTES_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "the path of a store's folder has more than %d bytes",
                   AP_LOCAL_ROOT_BYTES_MAX);
  }
  return AP_OK;
}

static ap_status open_root(struct ap_local *local, ap_error *err) {
  struct ap_files *files = local->env->files;
  struct ap_local_path path;
  struct ap_file_info info = {0};
  ap_local_path_of(local, (struct ap_text){NULL, 0}, &path);
  ap_status status = files->info(files, path.text, &info, err);
  if (status == AP_NOT_FOUND) {
    ap_error_clear(err);
    return files->make_folders(files, path.text, err);
  }
  if (status != AP_OK || info.kind == AP_FILE_FOLDER) return status;
  AP_FAIL(err, AP_CONFIG, "%s is not a folder", path.text);
  ap_error_hint(err, "name a folder as the storage root; it is made if it does not exist");
  return AP_CONFIG;
}

ap_status ap_store_local_open(const struct ap_env *env, const char *root,
                              enum ap_durability durability, struct ap_store **out_store,
                              ap_error *err) {
  AP_ASSERT(env != NULL && root != NULL);
  AP_ASSERT(out_store != NULL);
  struct ap_buffer name;
  struct ap_local *local = ap_allocate_zeroed(env->allocator, 1, sizeof(*local));
  if (local == NULL) return AP_FAIL_MEMORY(err);
  local->base.vtable = &local_vtable;
  local->env = env;
  local->durability = durability;
  ap_store_names_init(&local->known, env->allocator);
  ap_buffer_init(&name, env->allocator);
  ap_buffer_append_string(&name, AP_LOCAL_SCHEME);
  ap_status status = append_absolute(&name, root, err);
  if (status != AP_OK) goto fail;

  size_t scheme_size = strlen(AP_LOCAL_SCHEME);
  local->description = ap_string_copy(env->allocator, ap_buffer_text(&name));
  if (local->description == NULL) {
    status = AP_FAIL_MEMORY(err);
    goto fail;
  }
  local->base.description = local->description;
  local->root = (struct ap_text){local->description + scheme_size, name.size - scheme_size};
  status = open_root(local, err);
  if (status == AP_OK) status = env->threads->mutex_create(env->threads, &local->mutex, err);
  if (status != AP_OK) goto fail;
  ap_buffer_deinit(&name);
  *out_store = &local->base;
  return AP_OK;

fail:
  ap_buffer_deinit(&name);
  ap_store_names_deinit(&local->known);
  ap_free(env->allocator, local->description);
  ap_free(env->allocator, local);
  return status;
}
