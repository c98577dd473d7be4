/* SPDX-License-Identifier: Apache-2.0
 *
 * Files and folders.
 *
 * Paths are NUL-terminated UTF-8. Errors name the path and the system's reason: AP_NOT_FOUND (also
 * when a parent is no folder), AP_ALREADY_EXISTS, AP_NO_SPACE (disk or quota full), AP_PERMISSION,
 * AP_UNSUPPORTED (the file system cannot do it), else AP_IO. Nothing here is
 * durable until the file was synced, and a name is not durable until its folder was synced. Safe
 * from any thread. The simulated twin (testing/sim.h) forgets at a crash what was not synced.
 */
#ifndef AP_PORT_FILES_H
#define AP_PORT_FILES_H

#include "base/text.h"

enum ap_file_kind {
  AP_FILE_REGULAR,
  AP_FILE_FOLDER,
  AP_FILE_OTHER,
};

struct ap_file_info {
  enum ap_file_kind kind;
  int64_t size_bytes;
  int64_t modified_ms; /* wall clock */
};

/* Called for each name in a folder, "." and ".." left out, in no order; a symbolic link is
 * AP_FILE_OTHER. Not AP_OK: stop and return that. */
typedef ap_status (*ap_file_visit)(void *context, const char *name, enum ap_file_kind kind,
                                   ap_error *err);

enum ap_file_lock {
  AP_FILE_LOCK_TAKEN,
  AP_FILE_LOCK_HELD_ELSEWHERE,
};

struct ap_files {
  /* Create a file that must not exist and write all of data; sync: fsync before returning. On
   * failure the half-written file is removed again. */
  ap_status (*create)(struct ap_files *self, const char *path, struct ap_text data, bool sync,
                      ap_error *err);
  /* Append bytes [offset, offset + size) to out; fewer when the file ends before. size < 0: to the
   * end. */
  ap_status (*read)(struct ap_files *self, const char *path, int64_t offset, int64_t size,
                    struct ap_buffer *out, ap_error *err);
  /* Follows symbolic links. */
  ap_status (*info)(struct ap_files *self, const char *path, struct ap_file_info *out_info,
                    ap_error *err);
  ap_status (*sync_file)(struct ap_files *self, const char *path, ap_error *err);
  ap_status (*sync_folder)(struct ap_files *self, const char *path, ap_error *err);
  /* A second name for a file: AP_ALREADY_EXISTS when new_path exists; exactly one of several racing
   * callers wins. */
  ap_status (*link)(struct ap_files *self, const char *path, const char *new_path, ap_error *err);
  /* Replaces new_path when it exists. */
  ap_status (*rename)(struct ap_files *self, const char *path, const char *new_path, ap_error *err);
  ap_status (*remove_file)(struct ap_files *self, const char *path, ap_error *err);
  /* AP_ALREADY_EXISTS when something is in it, AP_NOT_FOUND when it is a file or a link. */
  ap_status (*remove_folder)(struct ap_files *self, const char *path, ap_error *err);
  /* One folder, mode 0700, in an existing one; existing is fine. Not durable until its parent was
   * synced. */
  ap_status (*make_folder)(struct ap_files *self, const char *path, ap_error *err);
  /* The folder and all missing parents, mode 0700 for what it makes; durable when it returns.
   * Existing is fine. */
  ap_status (*make_folders)(struct ap_files *self, const char *path, ap_error *err);
  ap_status (*list)(struct ap_files *self, const char *path, ap_file_visit visit, void *context,
                    ap_error *err);
  /* An advisory lock on a file that is made when missing; held until unlock or the process's end.
   * Two calls exclude each other within one process too, and the file locked is the one that has
   * the name at that time. *out_handle is what unlock takes. */
  ap_status (*try_lock)(struct ap_files *self, const char *path, enum ap_file_lock *out_result,
                        void **out_handle, ap_error *err);
  void (*unlock)(struct ap_files *self, void *handle);
};

/* The machine's file system. */
struct ap_files *ap_files_system(void);

/* A folder and all in it; a missing folder is fine. Links are removed, not followed. */
AP_MUST_CHECK ap_status ap_files_remove_tree(struct ap_files *files, const char *path,
                                             ap_error *err);

#endif
