/* SPDX-License-Identifier: Apache-2.0
 *
 * One column of one row group on its way into a Parquet file: gathered from Arrow, measured,
 * encoded as pages. Internal to this module.
 */
#ifndef AP_CELL_PARQUET_COLUMN_H
#define AP_CELL_PARQUET_COLUMN_H

#include "cell/parquet.h"

/* Parquet's physical types. */
enum ap_parquet_type {
  AP_PARQUET_BOOLEAN = 0,
  AP_PARQUET_INT32 = 1,
  AP_PARQUET_INT64 = 2,
  AP_PARQUET_FLOAT = 4,
  AP_PARQUET_DOUBLE = 5,
  AP_PARQUET_BYTE_ARRAY = 6,
  AP_PARQUET_FIXED = 7,
};

enum ap_parquet_encoding {
  AP_PARQUET_PLAIN = 0,
  AP_PARQUET_RLE = 3,
  AP_PARQUET_RLE_DICTIONARY = 8,
};

/* The physical type of a column, and the bytes of a FIXED one. */
enum ap_parquet_type ap_parquet_type_of(const struct ap_type *type);
enum { AP_PARQUET_DECIMAL_BYTES = 16 };

/* A run of rows of one column: rows [offset, offset + length) of an array, its own offset left to
 * the array. */
struct ap_parquet_slice {
  const struct ArrowArray *array;
  int64_t offset;
  int64_t length;
};

/* The values of a row group's column, nulls left out. */
struct ap_parquet_values {
  enum ap_parquet_type type;
  enum ap_type_kind kind;
  uint8_t scale;
  uint8_t width; /* bytes of a value in `fixed`; 0: texts */
  uint32_t row_count;
  uint32_t count;        /* without nulls */
  uint8_t *valid;        /* per row, 0 or 1; NULL: no row is null */
  uint8_t *fixed;        /* count values of width bytes as plain encoding has them; booleans a
                            byte each; FIXED little-endian here, turned when it is written */
  struct ap_text *texts; /* count texts, borrowed from the arrays */
};

/* Gather slices. In the arena. */
AP_MUST_CHECK ap_status ap_parquet_gather(struct ap_arena *arena, const struct ap_field *field,
                                          const struct ArrowSchema *arrow_schema,
                                          const struct ap_parquet_slice *slices,
                                          uint32_t slice_count, uint32_t row_count,
                                          struct ap_parquet_values *out_values, ap_error *err);

/* The bounds of a column; may be widened by several row groups in turn. */
struct ap_parquet_bounds {
  bool any; /* min and max are set */
  bool has_nan;
  int64_t null_count;
  union {
    int64_t i64;
    double f64;
    ap_int128 decimal;
    struct ap_text text;
  } min, max;
};

void ap_parquet_measure(const struct ap_parquet_values *values, struct ap_parquet_bounds *bounds);
void ap_parquet_merge(const struct ap_parquet_values *values, const struct ap_parquet_bounds *from,
                      struct ap_parquet_bounds *into);

/* Where a column's pages came to lie. */
struct ap_parquet_chunk {
  int64_t dictionary_offset; /* -1: no dictionary */
  int64_t data_offset;
  int64_t total_size; /* with page headers, compressed */
  int64_t total_uncompressed_size;
};

/* Append the pages. Scratch memory comes from the arena. */
AP_MUST_CHECK ap_status ap_parquet_encode(struct ap_arena *arena,
                                          const struct ap_parquet_values *values,
                                          struct ap_buffer *out, struct ap_parquet_chunk *out_chunk,
                                          ap_error *err);

#endif
