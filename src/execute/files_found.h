/* SPDX-License-Identifier: Apache-2.0
 *
 * Which files a list of paths means: files as they are, folders by the endings of the format
 * (hidden names and those with a leading underscore are passed over), anything else as a glob.
 */
#ifndef AP_EXECUTE_FILES_FOUND_H
#define AP_EXECUTE_FILES_FOUND_H

#include "execute/bees.h"

enum ap_file_format {
  AP_FORMAT_UNKNOWN,
  AP_FORMAT_CSV,
  AP_FORMAT_JSON,
  AP_FORMAT_PARQUET,
  AP_FORMAT_ARROW,
};

/* By word ("csv") or by the end of a file's name ("a.csv.gz"). */
enum ap_file_format ap_format_of_word(struct ap_text word);
enum ap_file_format ap_format_of_path(struct ap_text path);

struct ap_find_request {
  const char *const *paths;
  size_t path_count;
  struct ap_text format;                /* a word; empty: by the names of the files */
  const struct ap_run_control *control; /* may be NULL */
  struct ap_bee_account *account;       /* in whose name; may be NULL */
};

struct ap_found_files {
  struct ap_text *paths; /* arena */
  uint32_t count;
  enum ap_file_format format;
};

/* Sorted by name within each given path. AP_NOT_FOUND names the path that means no file;
 * AP_INVALID_ARGUMENT when the format is neither given nor told by the names, or is mixed;
 * AP_UNSUPPORTED for folders whose files are not all there is to their rows: Delta tables, and
 * partitions that are named after a column's value. */
AP_MUST_CHECK ap_status ap_find_files(struct ap_node *node, const struct ap_find_request *request,
                                      struct ap_arena *arena, struct ap_found_files *out_files,
                                      ap_error *err);

#endif
