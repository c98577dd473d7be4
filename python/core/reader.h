/* SPDX-License-Identifier: Apache-2.0
 *
 * How a column's values are laid out: an Arrow schema, read once, as a tree.
 */
#ifndef AP_PYTHON_READER_H
#define AP_PYTHON_READER_H

#include "core.h"

enum core_kind {
  CORE_NULL,
  CORE_BOOLEAN,
  CORE_INT8,
  CORE_INT16,
  CORE_INT32,
  CORE_INT64,
  CORE_UINT8,
  CORE_UINT16,
  CORE_UINT32,
  CORE_UINT64,
  CORE_FLOAT16,
  CORE_FLOAT32,
  CORE_FLOAT64,
  CORE_DECIMAL, /* width bytes, scale, precision */
  CORE_TEXT,    /* width: bytes of an offset; 0: views */
  CORE_BINARY,  /* the same */
  CORE_FIXED_BINARY,
  CORE_DATE32,
  CORE_DATE64,
  CORE_TIME,      /* width bytes, per_second */
  CORE_TIMESTAMP, /* per_second, zone */
  CORE_DURATION,  /* per_second */
  CORE_MONTHS,
  CORE_DAYS_MILLISECONDS,
  CORE_MONTHS_DAYS_NANOSECONDS,
  CORE_LIST,       /* width: bytes of an offset */
  CORE_LIST_VIEW,  /* the same */
  CORE_FIXED_LIST, /* width: items of a list */
  CORE_STRUCT,
  CORE_MAP,
  CORE_DICTIONARY, /* the indices' kind stands in index_kind */
  CORE_SPARSE_UNION,
  CORE_DENSE_UNION,
};

struct core_reader {
  enum core_kind kind;
  enum core_kind index_kind;
  int width;
  int scale;
  int precision;
  int64_t per_second;
  PyObject *name;                 /* str */
  PyObject *zone;                 /* tzinfo; NULL: none */
  char *zone_name;                /* in words; NULL: none */
  int8_t type_members[128];       /* unions: type id -> member, -1 */
  int64_t count;                  /* of children */
  struct core_reader *children;   /* count of them */
  struct core_reader *dictionary; /* of the values */
};

#endif
