/* SPDX-License-Identifier: Apache-2.0
 *
 * Files into frames: find the files, infer the columns, create what is missing, write one commit.
 */
#ifndef AP_EXECUTE_IMPORT_H
#define AP_EXECUTE_IMPORT_H

#include "execute/write.h"

struct ap_import_request {
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  const char *const *paths; /* files, folders, globs */
  size_t path_count;
  struct ap_text format; /* "csv", "json", "parquet", "arrow"; empty: by the names of the files */
  const struct ap_text *partition_by;
  uint32_t partition_by_count;
  struct ap_text null_text; /* CSV: means null, as an empty field does; empty: none */
  struct ap_text delimiter; /* CSV: between fields; empty: found */
  bool without_header;      /* CSV: the first row is one of values, in the order of the columns */
  bool create;
  enum ap_commit_kind kind;
  const struct ap_run_control *control;
  struct ap_bee_account *account; /* in whose name; may be NULL */
};

AP_MUST_CHECK ap_status ap_import_files(struct ap_node *node,
                                        const struct ap_import_request *request,
                                        struct ap_write_outcome *out_outcome, ap_error *err);

#endif
