/* SPDX-License-Identifier: Apache-2.0
 *
 * See working_folder.h.
 */
#include "port/working_folder.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES_MAX = 4096 };

ap_status ap_working_folder_append(struct ap_buffer *out_path, ap_error *err) {
  char path[PATH_BYTES_MAX];
  if (getcwd(path, sizeof(path)) == NULL || path[0] != '/') {
    ap_status code = errno == ENOENT ? AP_NOT_FOUND : AP_IO;
    return AP_FAIL(err, code, "cannot tell the working folder (error %d)", errno);
  }
  ap_buffer_append_string(out_path, path);
  return ap_buffer_check(out_path, err);
}
