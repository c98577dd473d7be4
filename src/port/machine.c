/* SPDX-License-Identifier: Apache-2.0
 *
 * Cores and memory that this process may use. Control groups are read where systemd and container
 * runtimes mount them: version 2 at /sys/fs/cgroup (or unified below it), version 1 in one folder
 * per controller. A limit may stand at any ancestor, so all of them are looked at; a group whose
 * folder is not visible (a container without a group namespace) is that of the mount's root.
 * What cannot be read sets no limit. Thread: any.
 */
#define _GNU_SOURCE /* sched_getaffinity */

#include "port/machine.h"

#include "base/text.h"
#include "port/files.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CPUS_MAX = 8192, NUMBERS_MAX = 2 };

static uint32_t count_cores(void) {
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  uint32_t cores = online > 0 ? (uint32_t)online : 1;
  cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
  if (!set) return cores;
  size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
  if (sched_getaffinity(0, size, set) == 0) {
    int allowed = CPU_COUNT_S(size, set);
    if (allowed > 0 && (uint32_t)allowed < cores) cores = (uint32_t)allowed;
  }
  CPU_FREE(set);
  return cores;
}

static int64_t physical_memory(void) {
  long pages = sysconf(_SC_PHYS_PAGES);
  long page_bytes = sysconf(_SC_PAGESIZE);
  int64_t bytes;
  if (pages <= 0 || page_bytes <= 0 || __builtin_mul_overflow(pages, page_bytes, &bytes)) {
    return INT64_MAX;
  }
  return bytes;
}

static bool read_file(const char *path, struct ap_buffer *out) {
  struct ap_files *files = ap_files_system();
  ap_buffer_clear(out);
  return files->read(files, path, 0, -1, out, NULL) == AP_OK;
}

/* Up to NUMBERS_MAX numbers of a group's file; "max" and what is no number are -1. */
static bool read_numbers(const char *folder, const char *name, struct ap_buffer *buffer,
                         int64_t out_numbers[NUMBERS_MAX]) {
  char path[PATH_MAX];
  int size = snprintf(path, sizeof(path), "%s/%s", folder, name);
  if (size < 0 || (size_t)size >= sizeof(path) || !read_file(path, buffer)) return false;
  struct ap_text text = ap_buffer_text(buffer);
  size_t at = 0;
  for (int i = 0; i < NUMBERS_MAX; i++) {
    while (at < text.size && (text.data[at] == ' ' || text.data[at] == '\n')) at++;
    size_t start = at;
    while (at < text.size && text.data[at] != ' ' && text.data[at] != '\n') at++;
    struct ap_text word = {text.data + start, at - start};
    if (!ap_text_parse_i64(word, &out_numbers[i])) out_numbers[i] = -1;
  }
  return true;
}

static void limit_cores(struct ap_machine *io_machine, int64_t quota, int64_t period) {
  if (quota <= 0 || period <= 0) return;
  int64_t cores = quota / period + (quota % period != 0 ? 1 : 0);
  if (cores < (int64_t)io_machine->cores) io_machine->cores = (uint32_t)cores;
}

static void limit_memory(struct ap_machine *io_machine, int64_t bytes) {
  if (bytes > 0 && bytes < io_machine->memory_bytes) io_machine->memory_bytes = bytes;
}

static void apply_group(const char *folder, struct ap_buffer *buffer,
                        struct ap_machine *io_machine) {
  int64_t numbers[NUMBERS_MAX];
  int64_t period[NUMBERS_MAX];
  if (read_numbers(folder, "cpu.max", buffer, numbers)) {
    limit_cores(io_machine, numbers[0], numbers[1]);
  }
  if (read_numbers(folder, "memory.max", buffer, numbers)) limit_memory(io_machine, numbers[0]);
  if (read_numbers(folder, "memory.high", buffer, numbers)) limit_memory(io_machine, numbers[0]);
  if (read_numbers(folder, "cpu.cfs_quota_us", buffer, numbers) &&
      read_numbers(folder, "cpu.cfs_period_us", buffer, period)) {
    limit_cores(io_machine, numbers[0], period[0]);
  }
  if (read_numbers(folder, "memory.limit_in_bytes", buffer, numbers)) {
    limit_memory(io_machine, numbers[0]);
  }
}

/* The group's folder under the mount and every ancestor, the mount itself included. */
static void apply_group_chain(const char *mount, struct ap_text group,
                              struct ap_machine *io_machine) {
  struct ap_buffer buffer;
  ap_buffer_init(&buffer, ap_allocator_system());
  size_t size = group.size;
  for (;;) {
    while (size > 0 && group.data[size - 1] == '/') size--;
    char folder[PATH_MAX];
    int written = snprintf(folder, sizeof(folder), "%s%.*s", mount, (int)size, group.data);
    if (written > 0 && (size_t)written < sizeof(folder)) apply_group(folder, &buffer, io_machine);
    if (size == 0) break;
    while (size > 0 && group.data[size - 1] != '/') size--;
  }
  ap_buffer_deinit(&buffer);
}

/* One line of /proc/self/cgroup: "id:controllers:/group". */
static void apply_line(const char *root, struct ap_text line, struct ap_machine *io_machine) {
  const char *first = line.size ? memchr(line.data, ':', line.size) : NULL;
  if (!first) return;
  const char *end = line.data + line.size;
  const char *second = memchr(first + 1, ':', (size_t)(end - first - 1));
  if (!second) return;
  struct ap_text controllers = {first + 1, (size_t)(second - first - 1)};
  struct ap_text group = {second + 1, (size_t)(end - second - 1)};
  if (group.size >= PATH_MAX) return;
  char mount[PATH_MAX];
  const char *slash = controllers.size ? "/" : "";
  int size = snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup%s%.*s", root, slash,
                      AP_TEXT_ARG(controllers));
  if (size < 0 || (size_t)size >= sizeof(mount)) return;
  apply_group_chain(mount, group, io_machine);
  if (controllers.size > 0) return;
  size = snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup/unified", root);
  if (size >= 0 && (size_t)size < sizeof(mount)) apply_group_chain(mount, group, io_machine);
}

void ap_machine_apply_control_groups(const char *root, struct ap_machine *io_machine) {
  char path[PATH_MAX];
  int written = snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
  if (written < 0 || (size_t)written >= sizeof(path)) return;
  struct ap_buffer buffer;
  ap_buffer_init(&buffer, ap_allocator_system());
  if (read_file(path, &buffer)) {
    struct ap_text text = ap_buffer_text(&buffer);
    size_t start = 0;
    for (size_t at = 0; at <= text.size; at++) {
      if (at < text.size && text.data[at] != '\n') continue;
      apply_line(root, (struct ap_text){text.data + start, at - start}, io_machine);
      start = at + 1;
    }
  }
  ap_buffer_deinit(&buffer);
}

/* /proc/self/statm: pages of addresses, in memory, of these in files. */
int64_t ap_machine_own_bytes(void) {
  enum { RESIDENT = 1, SHARED = 2, FIELDS = 3 };
  struct ap_buffer buffer;
  int64_t fields[FIELDS] = {0};
  int64_t bytes = 0;
  ap_buffer_init(&buffer, ap_allocator_system());
  bool ok = read_file("/proc/self/statm", &buffer);
  struct ap_text rest = ap_buffer_text(&buffer);
  for (int i = 0; ok && i < FIELDS; i++) {
    size_t size = 0;
    while (size < rest.size && rest.data[size] != ' ') size++;
    ok = ap_text_parse_i64((struct ap_text){rest.data, size}, &fields[i]) && size < rest.size;
    rest = (struct ap_text){rest.data + size + ok, rest.size - size - ok};
  }
  ap_buffer_deinit(&buffer);
  if (!ok || fields[RESIDENT] < fields[SHARED]) return 0;
  if (__builtin_mul_overflow(fields[RESIDENT] - fields[SHARED], sysconf(_SC_PAGESIZE), &bytes)) {
    return 0;
  }
  return bytes;
}

void ap_machine_detect(struct ap_machine *out_machine) {
  out_machine->cores = count_cores();
  out_machine->memory_bytes = physical_memory();
  ap_machine_apply_control_groups("", out_machine);
}
