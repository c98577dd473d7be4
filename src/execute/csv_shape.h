/* SPDX-License-Identifier: Apache-2.0
 *
 * The shape of CSV files: which character separates fields, and where a row has another number of
 * them than the first.
 *
 * The engine finds the dialect of a file by trying; of a ragged file it may then believe that every
 * line is one field, or only say that nothing fits. So the separator is found here from the first
 * rows, and after a failure the row that is wrong is looked for. Files are read by pieces; those
 * that are compressed are left to the engine. Any thread.
 */
#ifndef AP_EXECUTE_CSV_SHAPE_H
#define AP_EXECUTE_CSV_SHAPE_H

#include "base/status.h"
#include "base/text.h"
#include "port/files.h"

enum { AP_CSV_FILES_TRIED = 16 };

/* The separator that the first rows agree on, in every one of the files that are looked at (the
 * first AP_CSV_FILES_TRIED); '\0' when there is none, or one cannot tell. */
AP_MUST_CHECK ap_status ap_csv_separator(struct ap_files *files, struct ap_allocator *allocator,
                                         const struct ap_text *paths, uint32_t path_count,
                                         char *out_separator, ap_error *err);

/* AP_SCHEMA_MISMATCH, naming file and line, when a row has more or fewer fields than its file's
 * first; AP_OK when every row agrees. */
AP_MUST_CHECK ap_status ap_csv_check_rows(struct ap_files *files, struct ap_allocator *allocator,
                                          struct ap_text path, char separator, ap_error *err);

#endif
