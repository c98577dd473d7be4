/* SPDX-License-Identifier: Apache-2.0
 *
 * Parquet as the ledger needs it: checkpoints are tables of actions. The engine implements this
 * table of functions (engine/codec.h); tests may bring their own. Rows travel as newline-delimited
 * JSON, so that checkpoint rows and commit lines have one decoder.
 * Thread: safe from any thread.
 */
#ifndef AP_CELL_CODEC_H
#define AP_CELL_CODEC_H

#include "base/text.h"

/* A column of a Parquet file to write: name and the engine's SQL type. */
struct ap_codec_column {
  const char *name;
  const char *sql_type;
};

struct ap_codec {
  /* Append one JSON object per row (a line each) of the Parquet file at path, with those of the
   * named top-level columns that the file has; null columns are left out. AP_CORRUPT when it is no
   * Parquet file, AP_NOT_FOUND when it is missing. */
  ap_status (*decode)(struct ap_codec *self, const char *path, const char *const *columns,
                      uint32_t column_count, struct ap_buffer *out_lines, ap_error *err);
  /* Write lines as a Parquet file at path (a new file, not yet synced). */
  ap_status (*encode)(struct ap_codec *self, struct ap_text lines,
                      const struct ap_codec_column *columns, uint32_t column_count,
                      const char *path, ap_error *err);
};

#endif
