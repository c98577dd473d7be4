/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: the working folder is told by its absolute path, whatever its length, and a removed one is
 * an error.
 * Method: a child process that goes down nested folders, then removes the one it stands in.
 */
#include "port/working_folder.h"

#include "port/files.h"
#include "testing/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The exit status tells what went wrong. */
static int look_around(const char *root) {
  struct ap_buffer path;
  ap_buffer_init(&path, ap_allocator_system());
  if (chdir(root) != 0) return 1;
  ap_buffer_append_string(&path, "<");
  if (ap_working_folder_append(&path, NULL) != AP_OK) return 2;
  if (strcmp(path.data + 1, root) != 0) return 3;
  char name[201];
  memset(name, 'n', sizeof(name) - 1);
  name[sizeof(name) - 1] = '\0';
  for (int i = 0; i < 8; i++) {
    if (mkdir(name, 0700) != 0 || chdir(name) != 0) return 4;
  }
  ap_buffer_clear(&path);
  if (ap_working_folder_append(&path, NULL) != AP_OK) return 5;
  if (path.size != strlen(root) + 8 * sizeof(name)) return 6;
  if (rmdir(path.data) != 0) return 7;
  ap_buffer_clear(&path);
  if (ap_working_folder_append(&path, NULL) != AP_NOT_FOUND || path.size != 0) return 8;
  ap_buffer_deinit(&path);
  return 0;
}

static void test_working_folder(void **state) {
  (void)state;
  char root[] = "/tmp/apiary_working_XXXXXX";
  assert_non_null(mkdtemp(root));
  pid_t child = fork();
  if (child == 0) _exit(look_around(root));
  int result = -1;
  assert_int_equal(waitpid(child, &result, 0), child);
  check_ok(ap_files_remove_tree(ap_files_system(), root, NULL), NULL);
  assert_true(WIFEXITED(result));
  assert_int_equal(WEXITSTATUS(result), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_working_folder),
  };
  return AP_RUN_TESTS(tests);
}
