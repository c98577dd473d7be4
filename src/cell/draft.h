/* SPDX-License-Identifier: Apache-2.0
 *
 * Cells in the making: where they are written, how large they get, what they are called, and their
 * statistics in the ledger's form. The engine writes the files; the ledger commits them.
 */
#ifndef AP_CELL_DRAFT_H
#define AP_CELL_DRAFT_H

#include "cell/cell.h"

/* A written file that no ledger knows yet; or, with `again`, a cell that goes and comes back with
 * another deletion vector, or is said again: then path, size and all else are the cell's, but for
 * the statistics when there are some. Arena memory. */
struct ap_cell_draft {
  struct ap_text staged_path; /* absolute */
  struct ap_text path;        /* relative to the frame's folder, not URL-encoded */
  int64_t size_bytes;
  int64_t row_count;
  uint32_t partition_count;
  const struct ap_partition_value *partition_values;
  struct ap_text statistics_json;            /* numRecords, minValues, maxValues, nullCount */
  const struct ap_cell *again;               /* NULL: a new file */
  struct ap_deletion_vector deletion_vector; /* of `again`; storage_type 0: none */
};

/* Leafcutter: the target size of a cell for bees with that much memory: a quarter of it, at least
 * 16 MiB. A cell is cut at the target and never exceeds twice the target. */
int64_t ap_leafcutter_target_bytes(int64_t bee_memory_bytes);

/* Append "region=eu%20west/day=2024-01-01/" for the values; nothing when there are none. Bytes
 * other than [A-Za-z0-9_.-] are %XX-escaped as Hive and Spark do; null and empty are
 * __HIVE_DEFAULT_PARTITION__. Names and values too long for a folder's name are cut and end in a
 * hash: the value is in the ledger, never only in the path. */
void ap_partition_path_append(struct ap_buffer *out, const struct ap_text *names,
                              const struct ap_partition_value *values, uint32_t count);

/* add.path is a URI: escape or unescape a relative path. Unescape fails on a broken %XX. */
void ap_uri_escape_append(struct ap_buffer *out, struct ap_text path);
bool ap_uri_unescape_append(struct ap_buffer *out, struct ap_text uri);

/* One column's statistics as the engine reports them, as texts. */
struct ap_statistics_text {
  struct ap_text min; /* data NULL: none */
  struct ap_text max;
  int64_t null_count; /* -1: unknown */
  bool has_nan;       /* or not surely known: then max is not stated, NaN is greatest. Beware: the
                         engine's own has_nan speaks of a file's last row group only */
};

/* Append {"numRecords":n,"minValues":{..},"maxValues":{..},"nullCount":{..}} for the first
 * AP_STATISTICS_COLUMNS_MAX leaf columns. columns[i] belongs to schema field i (top level; lists
 * and maps only by null count, structs not at all). Integers, decimals and floats are JSON numbers
 * (float columns in the digits of the equal double), times of day microseconds, dates "2024-02-29",
 * timestamps "2024-02-29T12:34:56.123456" and with zone "..Z", booleans true and false. Strings are
 * cut to AP_STATISTICS_TEXT_CHARS characters: the minimum as a prefix, the maximum with the last
 * character raised so that it stays an upper bound, and left out when none can be. Bounds that are
 * not exact for the type, infinite, or outside the years 1..9999 are left out. */
void ap_statistics_append(struct ap_buffer *out, const struct ap_schema *schema, int64_t row_count,
                          const struct ap_statistics_text *columns);

#endif
