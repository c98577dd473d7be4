/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: cores and memory are what control groups leave of the machine.
 * Method: folders of examples as the kernel and the container runtimes show them, versions 1 and 2;
 * files that are missing or nonsense set no limit. The machine itself only within reason.
 */
#include "port/machine.h"

#include "base/limits.h"
#include "port/files.h"
#include "testing/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
  char root[64];
};

static int set_up(void **state) {
  static struct fixture fixture;
  snprintf(fixture.root, sizeof(fixture.root), "/tmp/apiary_machine_XXXXXX");
  if (!mkdtemp(fixture.root)) return 1;
  *state = &fixture;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *fixture = *state;
  return ap_files_remove_tree(ap_files_system(), fixture->root, NULL) == AP_OK ? 0 : 1;
}

static void put(const struct fixture *fixture, const char *folder, const char *name,
                const char *text) {
  struct ap_files *files = ap_files_system();
  ap_error err = {0};
  char path[512];
  snprintf(path, sizeof(path), "%s/%s", fixture->root, folder);
  check_ok(files->make_folders(files, path, &err), &err);
  snprintf(path, sizeof(path), "%s/%s/%s", fixture->root, folder, name);
  check_ok(files->create(files, path, ap_text_of(text), false, &err), &err);
}

static void check_limits(const struct fixture *fixture, uint32_t cores, int64_t memory_bytes) {
  struct ap_machine machine = {.cores = 64, .memory_bytes = 64 * AP_GIB};
  ap_machine_apply_control_groups(fixture->root, &machine);
  assert_int_equal(machine.cores, cores);
  assert_true(machine.memory_bytes == memory_bytes);
}

static void test_no_control_groups(void **state) {
  check_limits(*state, 64, 64 * AP_GIB);
}

static void test_version_2_in_a_container(void **state) {
  const struct fixture *fixture = *state;
  put(fixture, "proc/self", "cgroup", "0::/\n");
  put(fixture, "sys/fs/cgroup", "cpu.max", "150000 100000\n");
  put(fixture, "sys/fs/cgroup", "memory.max", "2147483648\n");
  put(fixture, "sys/fs/cgroup", "memory.high", "max\n");
  check_limits(fixture, 2, 2 * AP_GIB);
}

static void test_version_2_limits_of_ancestors(void **state) {
  const struct fixture *fixture = *state;
  put(fixture, "proc/self", "cgroup", "0::/a.slice/b.scope\n");
  put(fixture, "sys/fs/cgroup/a.slice/b.scope", "cpu.max", "max 100000\n");
  put(fixture, "sys/fs/cgroup/a.slice/b.scope", "memory.max", "8589934592\n");
  put(fixture, "sys/fs/cgroup/a.slice", "cpu.max", "300000 100000\n");
  put(fixture, "sys/fs/cgroup/a.slice", "memory.max", "4294967296\n");
  put(fixture, "sys/fs/cgroup/a.slice", "memory.high", "1073741824\n");
  check_limits(fixture, 3, 1 * AP_GIB);
}

static void test_version_1(void **state) {
  const struct fixture *fixture = *state;
  put(fixture, "proc/self", "cgroup",
      "12:name=systemd:/x\n4:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc\n");
  put(fixture, "sys/fs/cgroup/cpu,cpuacct/docker/abc", "cpu.cfs_quota_us", "50000\n");
  put(fixture, "sys/fs/cgroup/cpu,cpuacct/docker/abc", "cpu.cfs_period_us", "100000\n");
  put(fixture, "sys/fs/cgroup/cpu,cpuacct", "cpu.cfs_quota_us", "-1\n");
  put(fixture, "sys/fs/cgroup/cpu,cpuacct", "cpu.cfs_period_us", "100000\n");
  put(fixture, "sys/fs/cgroup/memory", "memory.limit_in_bytes", "9223372036854771712\n");
  check_limits(fixture, 1, 64 * AP_GIB);
}

/* The group's own folder is not visible inside the container; the mount's root is the group. */
static void test_version_1_without_a_namespace(void **state) {
  const struct fixture *fixture = *state;
  put(fixture, "proc/self", "cgroup", "3:memory:/docker/unseen\n0::/\n");
  put(fixture, "sys/fs/cgroup/memory", "memory.limit_in_bytes", "536870912\n");
  check_limits(fixture, 64, 512 * AP_MIB);
}

static void test_hybrid(void **state) {
  const struct fixture *fixture = *state;
  put(fixture, "proc/self", "cgroup", "0::/s\n");
  put(fixture, "sys/fs/cgroup/unified/s", "cpu.max", "400000 100000\n");
  check_limits(fixture, 4, 64 * AP_GIB);
}

static void test_nonsense_sets_no_limit(void **state) {
  const struct fixture *fixture = *state;
  put(fixture, "proc/self", "cgroup", "\n:\n0:\n::::\n0::/\nno newline at the end");
  put(fixture, "sys/fs/cgroup", "cpu.max", "-5 0\n");
  put(fixture, "sys/fs/cgroup", "memory.max", "lots of it");
  put(fixture, "sys/fs/cgroup", "memory.high", "");
  check_limits(fixture, 64, 64 * AP_GIB);
}

static void test_this_machine(void **state) {
  (void)state;
  struct ap_machine machine;
  ap_machine_detect(&machine);
  assert_in_range(machine.cores, 1, (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
  int64_t physical = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
  assert_true(machine.memory_bytes > 16 * AP_MIB && machine.memory_bytes <= physical);
}

static void test_own_memory(void **state) {
  (void)state;
  enum { BYTES = 32 * 1024 * 1024 };
  int64_t before = ap_machine_own_bytes();
  assert_true(before > 0);
  char *memory = ap_allocate(ap_allocator_system(), BYTES);
  assert_non_null(memory);
  memset(memory, 7, BYTES);
  int64_t with = ap_machine_own_bytes();
  /* The watchers of the sanitizers keep up to four bytes of their own for each. */
  assert_in_range(with - before, BYTES / 2, 6 * BYTES);
  ap_free(ap_allocator_system(), memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_no_control_groups, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_version_2_in_a_container, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_version_2_limits_of_ancestors, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_version_1, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_version_1_without_a_namespace, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_hybrid, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_nonsense_sets_no_limit, set_up, tear_down),
      cmocka_unit_test(test_this_machine),
      cmocka_unit_test(test_own_memory),
  };
  return AP_RUN_TESTS(tests);
}
