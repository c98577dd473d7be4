/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be said about files in terms of the table alone. The machine's file system stands in
 * files_system.c. Thread: any.
 */
#include "port/files.h"

struct names {
  struct ap_arena *arena;
  struct name *first;
};

struct name {
  struct name *next;
  char *path;
  enum ap_file_kind kind;
};

struct visit {
  const char *folder;
  struct names *names;
};

static ap_status collect_name(void *context, const char *name, enum ap_file_kind kind,
                              ap_error *err) {
  struct visit *visit = context;
  struct ap_arena *arena = visit->names->arena;
  struct name *entry = AP_ARENA_NEW(arena, struct name);
  if (!entry) return AP_FAIL_MEMORY(err);
  entry->path = ap_arena_format(arena, "%s/%s", visit->folder, name);
  if (!entry->path) return AP_FAIL_MEMORY(err);
  entry->kind = kind;
  entry->next = visit->names->first;
  visit->names->first = entry;
  return AP_OK;
}

/* Others may be removing the same: what is gone is fine. */
static ap_status unless_missing(ap_status status, ap_error *err) {
  if (status != AP_NOT_FOUND) return status;
  ap_error_clear(err);
  return AP_OK;
}

/* The recursion is as deep as the folders, which the length of a path bounds. */
static ap_status remove_folder_tree(struct ap_files *files, const char *path, ap_error *err) {
  struct ap_arena arena;
  ap_arena_init(&arena, ap_allocator_system());
  struct names names = {.arena = &arena};
  struct visit visit = {.folder = path, .names = &names};
  ap_status status = files->list(files, path, collect_name, &visit, err);
  for (struct name *entry = names.first; status == AP_OK && entry; entry = entry->next) {
    if (entry->kind == AP_FILE_FOLDER) {
      status = remove_folder_tree(files, entry->path, err);
    } else {
      status = unless_missing(files->remove_file(files, entry->path, err), err);
    }
  }
  ap_arena_deinit(&arena);
  if (status == AP_OK) status = files->remove_folder(files, path, err);
  return unless_missing(status, err);
}

/* Removing the folder first tells apart, without following a link, what path is: only a true folder
 * with something in it is AP_ALREADY_EXISTS; a file or a link is no folder, hence AP_NOT_FOUND. */
ap_status ap_files_remove_tree(struct ap_files *files, const char *path, ap_error *err) {
  ap_status status = files->remove_folder(files, path, err);
  if (status != AP_ALREADY_EXISTS && status != AP_NOT_FOUND) return status;
  ap_error_clear(err);
  if (status == AP_ALREADY_EXISTS) return remove_folder_tree(files, path, err);
  return unless_missing(files->remove_file(files, path, err), err);
}
