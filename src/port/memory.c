/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared memory by memfd_create(2) with seals on its size. Thread: any.
 */
#define _GNU_SOURCE /* memfd_create, F_ADD_SEALS, fallocate */

#include "port/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* since Linux 5.14 */
#endif

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* since Linux 6.1 */
#endif

static ap_status fail(ap_error *err, const char *what) {
  int reason = errno;
  ap_status status = AP_IO;
  if (reason == ENOMEM) status = AP_OUT_OF_MEMORY;
  if (reason == EACCES || reason == EPERM) status = AP_PERMISSION;
  return AP_FAIL(err, status, "shared memory: %s: %s", what, strerror(reason));
}

ap_status ap_memory_create(const char *name, int64_t size_bytes, int *out_descriptor,
                           ap_error *err) {
  int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return fail(err, "memfd_create");
  if (ftruncate(descriptor, (off_t)size_bytes) != 0 ||
      fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    ap_status status = fail(err, "setting its size");
    (void)close(descriptor);
    return status;
  }
  *out_descriptor = descriptor;
  return AP_OK;
}

ap_status ap_memory_open_read_only(int descriptor, int *out_descriptor, ap_error *err) {
  char path[64];
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
  int opened = open(path, O_RDONLY | O_CLOEXEC);
  if (opened < 0) return fail(err, "opening it for reading");
  *out_descriptor = opened;
  return AP_OK;
}

ap_status ap_memory_size(int descriptor, int64_t *out_bytes, ap_error *err) {
  struct stat found;
  int seals = fcntl(descriptor, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "shared memory that may shrink was handed over");
  }
  if (fstat(descriptor, &found) != 0) return fail(err, "its size");
  *out_bytes = (int64_t)found.st_size;
  return AP_OK;
}

ap_status ap_memory_map(int descriptor, int64_t size_bytes, bool writable, void **out_address,
                        ap_error *err) {
  int rights = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  void *address = mmap(NULL, (size_t)size_bytes, rights, MAP_SHARED | MAP_NORESERVE, descriptor, 0);
  if (address == MAP_FAILED) return fail(err, "mapping it");
  if (writable && madvise(address, (size_t)size_bytes, MADV_DONTFORK) != 0) {
    ap_status status = fail(err, "keeping it from forked processes");
    (void)munmap(address, (size_t)size_bytes);
    return status;
  }
  (void)madvise(address, (size_t)size_bytes, MADV_HUGEPAGE);
  *out_address = address;
  return AP_OK;
}

void ap_memory_unmap(void *address, int64_t size_bytes) {
  if (address != NULL) (void)munmap(address, (size_t)size_bytes);
}

ap_status ap_memory_protect(void *address, int64_t size_bytes, bool writable, ap_error *err) {
  int rights = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  if (mprotect(address, (size_t)size_bytes, rights) != 0) return fail(err, "protecting it");
  return AP_OK;
}

void ap_memory_populate(void *address, int64_t size_bytes) {
  (void)madvise(address, (size_t)size_bytes, MADV_POPULATE_WRITE);
  (void)madvise(address, (size_t)size_bytes, MADV_COLLAPSE);
}

void ap_memory_discard(int descriptor, int64_t offset, int64_t size_bytes) {
  (void)fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                  (off_t)size_bytes);
}

int64_t ap_memory_resident(int descriptor) {
  struct stat found;
  return fstat(descriptor, &found) == 0 ? (int64_t)found.st_blocks * 512 : 0;
}

int64_t ap_memory_page_bytes(void) {
  return (int64_t)sysconf(_SC_PAGESIZE);
}

void ap_descriptor_close(int descriptor) {
  if (descriptor >= 0) (void)close(descriptor);
}
