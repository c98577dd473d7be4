/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of the local backend, shared by its files: local.c (objects), local_folder.c (paths
 * and durable folders), local_list.c (listing) and local_staging.c (the instance's own staging
 * folder).
 * Thread: any; what changes after opening is guarded by the mutex, which is never held while a
 * caller's function runs.
 */
#ifndef AP_STORE_LOCAL_FOLDER_H
#define AP_STORE_LOCAL_FOLDER_H

#include "base/limits.h"
#include "port/env.h"
#include "store/local.h"
#include "store/names.h"
#include "store/store.h"

#define AP_LOCAL_SCHEME  "local://"
#define AP_LOCAL_STAGING "_apiary/staging" /* relative to the root */

struct ap_local {
  struct ap_store base;
  const struct ap_env *env;
  enum ap_durability durability;
  char *description;   /* "local:///data"; owned */
  struct ap_text root; /* "/data", inside description; empty for "/" */
  struct ap_mutex *mutex;
  /* guarded by mutex from here on */
  struct ap_store_names known;        /* folders (as keys) that are there and durable */
  char staging_id[AP_UUID_TEXT_SIZE]; /* empty until first needed, then never changes */
  void *staging_lock;
};

/* An absolute path in the caller's frame, so that no path needs the heap. */
struct ap_local_path {
  char text[AP_LOCAL_ROOT_BYTES_MAX + AP_KEY_BYTES_MAX + 2 * AP_UUID_TEXT_SIZE + 32];
};

/* The root with "/key" behind it; the root itself for the empty key. key within AP_KEY_BYTES_MAX
 * (or a name in the staging folder). */
void ap_local_path_of(const struct ap_local *local, struct ap_text key,
                      struct ap_local_path *out_path);
/* The key's part before its last '/'; empty when it has none. */
struct ap_text ap_local_folder_of(struct ap_text key);
/* Whether key lies in (or is) the staging folder, which is no place for objects. */
bool ap_local_is_staging(struct ap_text key);
/* Whether each segment fits into a file name. */
bool ap_local_fits(struct ap_text key);

/* Make the folders (of keys) and their parents, durable unless relaxed. Each parent is synced once.
 * Folders found there are synced too the first time, since whoever made them may not have come to
 * it yet. AP_UNSUPPORTED when an object is in the way. */
AP_MUST_CHECK ap_status ap_local_folders_ensure(struct ap_local *local,
                                                const struct ap_store_names *folders,
                                                ap_error *err);
/* The same for one folder; costs no system call once the folder is known. */
AP_MUST_CHECK ap_status ap_local_folder_ensure(struct ap_local *local, struct ap_text folder,
                                               ap_error *err);
/* Forget which folders are there, after one was found missing. */
void ap_local_folders_forget(struct ap_local *local);
/* Make the names in these folders durable; nothing when relaxed. */
AP_MUST_CHECK ap_status ap_local_folders_sync(struct ap_local *local,
                                              const struct ap_store_names *folders, ap_error *err);
AP_MUST_CHECK ap_status ap_local_folder_sync(struct ap_local *local, struct ap_text folder,
                                             ap_error *err);

AP_MUST_CHECK ap_status ap_local_list(struct ap_store *self, struct ap_text prefix,
                                      struct ap_text start_after, ap_store_visit visit,
                                      void *context, ap_error *err);

/* Make this instance's staging folder if that has not happened, and sweep those of the dead. */
AP_MUST_CHECK ap_status ap_local_staging_ensure(struct ap_local *local, ap_error *err);
/* The path of the staging folder, which must be there; name behind it when not empty. */
void ap_local_staging_path(const struct ap_local *local, const char *name,
                           struct ap_local_path *out_path);
/* Remove this instance's staging folder, if there is one. */
void ap_local_staging_remove(struct ap_local *local);

#endif
