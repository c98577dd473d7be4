/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine's file system, by POSIX calls. Interrupted calls are repeated, short writes go on,
 * and the result of close is looked at, because network file systems report there.
 * Thread: any; there is no state.
 */
#include "port/files.h"

#include "base/assert.h"
#include "base/limits.h"
#include "port/system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  READ_CHUNK_MIN = 64 * 1024,
  READ_CHUNK_MAX = 64 * 1024 * 1024,
  LOCK_ATTEMPTS_MAX = 100, /* for a lock file that others keep removing */
};

static ap_status status_of_errno(int number) {
  switch (number) {
    case ENOENT:
    case ENOTDIR:
      return AP_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY:
      return AP_ALREADY_EXISTS;
    case ENOSPC:
    case EDQUOT:
      return AP_NO_SPACE;
    case EACCES:
    case EPERM:
    case EROFS:
      return AP_PERMISSION;
    case ENOMEM:
      return AP_OUT_OF_MEMORY;
    case EOPNOTSUPP:
    case ENOSYS:
    case EXDEV:
    case EMLINK:
      return AP_UNSUPPORTED;
    default:
      return AP_IO;
  }
}

static ap_status fail_system(ap_error *err, int number, const char *what, const char *path) {
  char reason[128];
  if (strerror_r(number, reason, sizeof(reason)) != 0) {
    snprintf(reason, sizeof(reason), "error %d", number);
  }
  ap_status status = AP_FAIL(err, status_of_errno(number), "cannot %s %s: %s", what, path, reason);
  if (status == AP_NO_SPACE) ap_error_hint(err, "free space on that disk, or raise the quota");
  if (status == AP_PERMISSION) ap_error_hint(err, "check who owns it and what its mode allows");
  return status;
}

static int open_file(const char *path, int flags) {
  int descriptor;
  do {
    descriptor = open(path, flags | O_CLOEXEC, 0666);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

/* 0, or the error. On Linux the descriptor is gone even when close was interrupted. */
static int close_file(int descriptor) {
  if (close(descriptor) == 0 || errno == EINTR) return 0;
  return errno;
}

static int sync_descriptor(int descriptor) {
  while (fsync(descriptor) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

static int write_all(int descriptor, struct ap_text data) {
  while (data.size > 0) {
    size_t chunk = data.size < INT_MAX ? data.size : INT_MAX;
    ssize_t count = write(descriptor, data.data, chunk);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    data.data += count;
    data.size -= (size_t)count;
  }
  return 0;
}

static ap_status system_create(struct ap_files *self, const char *path, struct ap_text data,
                               bool sync, ap_error *err) {
  (void)self;
  int descriptor = open_file(path, O_WRONLY | O_CREAT | O_EXCL);
  if (descriptor < 0) return fail_system(err, errno, "create", path);
  const char *what = "write";
  int number = write_all(descriptor, data);
  if (number == 0 && sync) {
    what = "sync";
    number = sync_descriptor(descriptor);
  }
  int close_number = close_file(descriptor);
  if (number == 0 && close_number != 0) {
    what = "close";
    number = close_number;
  }
  if (number == 0) return AP_OK;
  unlink(path);
  return fail_system(err, number, what, path);
}

/* Read up to size bytes (all when negative) into out. The file's size is only a hint: it may grow,
 * and the kernel's own files say 0. */
static ap_status read_descriptor(int descriptor, const char *path, int64_t offset, int64_t size,
                                 struct ap_buffer *out, ap_error *err) {
  struct stat info;
  if (fstat(descriptor, &info) != 0) return fail_system(err, errno, "read", path);
  int64_t expected = info.st_size > offset ? info.st_size - offset : 0;
  if (size >= 0 && size < expected) expected = size;
  int64_t total = 0;
  while (size < 0 || total < size) {
    int64_t chunk = expected > total ? expected - total : READ_CHUNK_MIN;
    if (size < 0 && expected > total) chunk++; /* so that the next read finds the end at once */
    if (size >= 0 && chunk > size - total) chunk = size - total;
    if (chunk > READ_CHUNK_MAX) chunk = READ_CHUNK_MAX;
    if (total + chunk > AP_OBJECT_BYTES_MAX) {
      return AP_FAIL(err, AP_MEMORY_EXCEEDED, "%s is larger than the %lld bytes read at once", path,
                     (long long)AP_OBJECT_BYTES_MAX);
    }
    char *room = ap_buffer_reserve(out, (size_t)chunk);
    if (!room) return AP_FAIL_MEMORY(err);
    ssize_t count = pread(descriptor, room, (size_t)chunk, (off_t)(offset + total));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_system(err, errno, "read", path);
    if (count == 0) break;
    out->size += (size_t)count;
    total += count;
  }
  return AP_OK;
}

static ap_status system_read(struct ap_files *self, const char *path, int64_t offset, int64_t size,
                             struct ap_buffer *out, ap_error *err) {
  (void)self;
  AP_ASSERT(offset >= 0);
  int descriptor = open_file(path, O_RDONLY);
  if (descriptor < 0) return fail_system(err, errno, "open", path);
  size_t size_before = out->size;
  ap_status status = read_descriptor(descriptor, path, offset, size, out, err);
  close_file(descriptor);
  if (status != AP_OK) out->size = size_before;
  if (out->data) out->data[out->size] = '\0';
  return status;
}

static ap_status system_info(struct ap_files *self, const char *path, struct ap_file_info *out_info,
                             ap_error *err) {
  (void)self;
  struct stat info;
  if (stat(path, &info) != 0) return fail_system(err, errno, "look up", path);
  out_info->kind = S_ISREG(info.st_mode)   ? AP_FILE_REGULAR
                   : S_ISDIR(info.st_mode) ? AP_FILE_FOLDER
                                           : AP_FILE_OTHER;
  out_info->size_bytes = info.st_size;
  out_info->modified_ms = (int64_t)info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1000000;
  return AP_OK;
}

static ap_status system_sync_file(struct ap_files *self, const char *path, ap_error *err) {
  (void)self;
  int descriptor = open_file(path, O_RDONLY);
  if (descriptor < 0) return fail_system(err, errno, "open", path);
  int number = sync_descriptor(descriptor);
  int close_number = close_file(descriptor);
  if (number == 0) number = close_number;
  return number == 0 ? AP_OK : fail_system(err, number, "sync", path);
}

/* Some file systems cannot sync folders and say EINVAL; there is no stronger call to make. */
static ap_status system_sync_folder(struct ap_files *self, const char *path, ap_error *err) {
  (void)self;
  int descriptor = open_file(path, O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) return fail_system(err, errno, "open the folder", path);
  int number = sync_descriptor(descriptor);
  close_file(descriptor);
  if (number == 0 || number == EINVAL) return AP_OK;
  return fail_system(err, number, "sync the folder", path);
}

static ap_status system_link(struct ap_files *self, const char *path, const char *new_path,
                             ap_error *err) {
  (void)self;
  if (link(path, new_path) == 0) return AP_OK;
  return fail_system(err, errno, "make the name", new_path);
}

static ap_status system_rename(struct ap_files *self, const char *path, const char *new_path,
                               ap_error *err) {
  (void)self;
  if (rename(path, new_path) == 0) return AP_OK;
  int number = errno;
  ap_status status = fail_system(err, number, "rename", path);
  return ap_error_prefix(err, status, "to %s", new_path);
}

static ap_status system_remove_file(struct ap_files *self, const char *path, ap_error *err) {
  (void)self;
  return unlink(path) == 0 ? AP_OK : fail_system(err, errno, "remove", path);
}

static ap_status system_remove_folder(struct ap_files *self, const char *path, ap_error *err) {
  (void)self;
  return rmdir(path) == 0 ? AP_OK : fail_system(err, errno, "remove the folder", path);
}

/* The bytes of path that name its parent: "/a/b" gives "/a", "a" gives "", "/a" gives "/". Slashes
 * at the end do not count. */
static size_t parent_size(const char *path, size_t size) {
  while (size > 1 && path[size - 1] == '/') size--;
  while (size > 0 && path[size - 1] != '/') size--;
  while (size > 1 && path[size - 1] == '/') size--;
  return size;
}

static ap_status sync_parent(const char *path, size_t size, bool made, ap_error *err) {
  char parent[PATH_MAX];
  size_t parent_bytes = parent_size(path, size);
  snprintf(parent, sizeof(parent), "%.*s", (int)parent_bytes, path);
  if (parent_bytes == 0) snprintf(parent, sizeof(parent), ".");
  ap_status status = system_sync_folder(NULL, parent, err);
  if (status == AP_PERMISSION && !made) {
    ap_error_clear(err); /* a parent we may not read, in which somebody else made the folder */
    status = AP_OK;
  }
  return status;
}

static bool is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* *out_made: this call made it, nobody else before. */
static ap_status make_folder(const char *path, bool *out_made, ap_error *err) {
  *out_made = mkdir(path, 0700) == 0;
  int number = *out_made ? 0 : errno;
  if (number == 0 || (number == EEXIST && is_folder(path))) return AP_OK;
  return fail_system(err, number, "make the folder", path);
}

static ap_status system_make_folder(struct ap_files *self, const char *path, ap_error *err) {
  (void)self;
  bool made;
  return make_folder(path, &made, err);
}

/* Make path[0, size), whose parent exists. Each folder's name is synced before anything is made in
 * it, so whoever finds the last one can rely on all above it. */
static ap_status make_durable_folder(char *path, size_t size, ap_error *err) {
  char saved = path[size];
  bool made = false;
  path[size] = '\0';
  ap_status status = make_folder(path, &made, err);
  path[size] = saved;
  return status == AP_OK ? sync_parent(path, size, made, err) : status;
}

static ap_status system_make_folders(struct ap_files *self, const char *path, ap_error *err) {
  (void)self;
  char copy[PATH_MAX];
  size_t size = strlen(path);
  if (size == 0) return AP_FAIL(err, AP_INVALID_ARGUMENT, "the path of a folder is empty");
  if (size >= sizeof(copy)) return fail_system(err, ENAMETOOLONG, "make the folder", path);
  memcpy(copy, path, size + 1);
  while (size > 1 && copy[size - 1] == '/') copy[--size] = '\0';
  if (is_folder(copy)) return sync_parent(copy, size, false, err);
  for (size_t at = 1; at <= size; at++) {
    if (copy[at] != '/' && at != size) continue;
    if (copy[at - 1] == '/') continue;
    copy[at] = '\0';
    bool there = at != size && is_folder(copy);
    if (at != size) copy[at] = '/';
    if (!there) AP_TRY(make_durable_folder(copy, at, err));
  }
  return AP_OK;
}

static enum ap_file_kind entry_kind(DIR *folder, const struct dirent *entry) {
  if (entry->d_type == DT_REG) return AP_FILE_REGULAR;
  if (entry->d_type == DT_DIR) return AP_FILE_FOLDER;
  if (entry->d_type != DT_UNKNOWN) return AP_FILE_OTHER;
  struct stat info;
  if (fstatat(dirfd(folder), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) return AP_FILE_OTHER;
  if (S_ISREG(info.st_mode)) return AP_FILE_REGULAR;
  return S_ISDIR(info.st_mode) ? AP_FILE_FOLDER : AP_FILE_OTHER;
}

static ap_status system_list(struct ap_files *self, const char *path, ap_file_visit visit,
                             void *context, ap_error *err) {
  (void)self;
  DIR *folder = opendir(path);
  if (!folder) return fail_system(err, errno, "list", path);
  ap_status status = AP_OK;
  while (status == AP_OK) {
    errno = 0;
    const struct dirent *entry = readdir(folder);
    if (!entry) {
      if (errno != 0) status = fail_system(err, errno, "list", path);
      break;
    }
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    status = visit(context, entry->d_name, entry_kind(folder, entry), err);
  }
  closedir(folder);
  return status;
}

/* Whether the open file still has its name: its owner may have removed it before we had the lock,
 * and a lock on a file without a name keeps nobody out. */
static bool is_still_named(int descriptor, const char *path) {
  struct stat open_info;
  struct stat named_info;
  return fstat(descriptor, &open_info) == 0 && stat(path, &named_info) == 0 &&
         open_info.st_ino == named_info.st_ino && open_info.st_dev == named_info.st_dev;
}

/* flock belongs to the open file, so it also parts two opens of one process; the kernel drops it
 * when the process ends. The handle is the descriptor plus one. */
static ap_status system_try_lock(struct ap_files *self, const char *path,
                                 enum ap_file_lock *out_result, void **out_handle, ap_error *err) {
  (void)self;
  for (int attempt = 0; attempt < LOCK_ATTEMPTS_MAX; attempt++) {
    int descriptor = open_file(path, O_RDWR | O_CREAT);
    if (descriptor < 0) return fail_system(err, errno, "open", path);
    int result;
    do {
      result = flock(descriptor, LOCK_EX | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    if (result == 0 && is_still_named(descriptor, path)) {
      *out_result = AP_FILE_LOCK_TAKEN;
      *out_handle = (void *)((intptr_t)descriptor + 1);
      return AP_OK;
    }
    int number = result == 0 ? 0 : errno;
    close_file(descriptor);
    if (number == EWOULDBLOCK) {
      *out_result = AP_FILE_LOCK_HELD_ELSEWHERE;
      *out_handle = NULL;
      return AP_OK;
    }
    if (number != 0) return fail_system(err, number, "lock", path);
  }
  return AP_FAIL(err, AP_BUSY, "cannot lock %s: it is removed again and again", path);
}

/* Unlocked by name, not by close alone: a forked child may hold the same open file. */
static void system_unlock(struct ap_files *self, void *handle) {
  (void)self;
  if (!handle) return;
  int descriptor = (int)((intptr_t)handle - 1);
  flock(descriptor, LOCK_UN);
  close_file(descriptor);
}

const struct ap_files ap_files_system_table = {
    .create = system_create,
    .read = system_read,
    .info = system_info,
    .sync_file = system_sync_file,
    .sync_folder = system_sync_folder,
    .link = system_link,
    .rename = system_rename,
    .remove_file = system_remove_file,
    .remove_folder = system_remove_folder,
    .make_folder = system_make_folder,
    .make_folders = system_make_folders,
    .list = system_list,
    .try_lock = system_try_lock,
    .unlock = system_unlock,
};

struct ap_files *ap_files_system(void) {
  return (struct ap_files *)&ap_files_system_table;
}
