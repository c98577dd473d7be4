/* SPDX-License-Identifier: Apache-2.0
 *
 * The type system of frames: what a column may be, as one small tree.
 *
 * Every other notation converts from and to this one: type words ("decimal(10,2)"), Arrow schemas
 * (here), Delta's JSON (ledger/delta_schema.h), the engine's SQL types (ap_type_append_sql).
 * Memory: types, fields and names live in the arena of whoever made them and are immutable.
 */
#ifndef AP_ARROW_TYPE_H
#define AP_ARROW_TYPE_H

#include "base/json.h"
#include "base/text.h"

#include <nanoarrow/nanoarrow.h>

enum ap_type_kind {
  AP_TYPE_NULL, /* only in incoming data: a column of nothing but nulls; fits any nullable column */
  AP_TYPE_BOOLEAN,
  AP_TYPE_INT8,
  AP_TYPE_INT16,
  AP_TYPE_INT32,
  AP_TYPE_INT64,
  AP_TYPE_UINT8,
  AP_TYPE_UINT16,
  AP_TYPE_UINT32,
  AP_TYPE_UINT64,
  AP_TYPE_FLOAT16,
  AP_TYPE_FLOAT32,
  AP_TYPE_FLOAT64,
  AP_TYPE_DECIMAL, /* precision 1..38, 0 <= scale <= precision */
  AP_TYPE_STRING,
  AP_TYPE_BINARY,
  AP_TYPE_DATE,         /* days since 1970 */
  AP_TYPE_TIME,         /* microseconds since midnight */
  AP_TYPE_TIMESTAMP,    /* without zone; unit below */
  AP_TYPE_TIMESTAMP_TZ, /* an instant, shown in UTC; unit below */
  AP_TYPE_LIST,         /* fields[0]: the element */
  AP_TYPE_STRUCT,       /* fields */
  AP_TYPE_MAP,          /* fields[0]: key, never null; fields[1]: value */
};

/* Units of incoming timestamps and times; frames keep microseconds. */
enum ap_time_unit {
  AP_UNIT_MICROSECOND = 0,
  AP_UNIT_SECOND,
  AP_UNIT_MILLISECOND,
  AP_UNIT_NANOSECOND,
};

struct ap_field;

struct ap_type {
  enum ap_type_kind kind;
  enum ap_time_unit unit; /* TIME, TIMESTAMP, TIMESTAMP_TZ */
  uint8_t precision;      /* DECIMAL */
  uint8_t scale;          /* DECIMAL */
  uint32_t field_count;
  const struct ap_field *fields;
};

struct ap_field {
  struct ap_text name; /* NUL-terminated UTF-8 */
  struct ap_type type;
  bool nullable;
  const struct ap_json *metadata; /* object or NULL; kept as read from other writers' tables */
};

struct ap_schema {
  uint32_t field_count;
  const struct ap_field *fields;
};

/* The index of the field of that name: exact first, else the only one equal but for ASCII case;
 * -1 when there is none. */
int32_t ap_schema_find(const struct ap_schema *schema, struct ap_text name);

/* Deep equality of kind, parameters, children and nullability; names compared exactly; metadata is
 * not compared. */
bool ap_type_equal(const struct ap_type *a, const struct ap_type *b);
bool ap_schema_equal(const struct ap_schema *a, const struct ap_schema *b);

/* A deep copy, metadata included. */
AP_MUST_CHECK ap_status ap_schema_copy(struct ap_arena *arena, const struct ap_schema *schema,
                                       struct ap_schema *out_copy, ap_error *err);

/* From a type word of the Python and SQL surfaces, case ignored: int8..int64 (tinyint, smallint,
 * int, integer, bigint, long), uint8..uint64, float16/32/64 ("float" is float64 as in Python,
 * "real" float32, "double" float64), decimal(p,s), string/utf8/text/varchar, boolean/bool, date,
 * timestamp/datetime with optional "[us]" and optional zone
 * ("timestamp[us, UTC]", "timestamptz", "timestamp with time zone"), time, binary/bytes/blob,
 * list<T>, T[], struct<name: T, ...>, map<K, V>; a trailing "not null" makes *out_nullable false.
 * Anything else: AP_SCHEMA_MISMATCH naming the word and, where one is near, the word meant. */
AP_MUST_CHECK ap_status ap_type_parse(struct ap_arena *arena, struct ap_text word,
                                      struct ap_type *out_type, bool *out_nullable, ap_error *err);

/* The canonical type word; ap_type_parse reads it back to an equal type. */
void ap_type_append_word(struct ap_buffer *out, const struct ap_type *type);
/* The engine's SQL type: BIGINT, DECIMAL(10,2), STRUCT("a" INTEGER), MAP(VARCHAR, BIGINT), ... */
void ap_type_append_sql(struct ap_buffer *out, const struct ap_type *type);

/* From Arrow. Dictionary-encoded columns become their value type, large and view types their plain
 * twin, fixed-size lists lists, fixed-size binary binary, decimal32..128 decimal. Types that frames
 * have not (interval, union, duration, decimal256 beyond 38 digits): AP_SCHEMA_MISMATCH naming
 * column and type. The top level must be a struct. */
AP_MUST_CHECK ap_status ap_schema_from_arrow(struct ap_arena *arena,
                                             const struct ArrowSchema *arrow_schema,
                                             struct ap_schema *out_schema, ap_error *err);
/* To Arrow, top level a struct; the caller releases *out. STRING and BINARY have 32-bit offsets. */
AP_MUST_CHECK ap_status ap_schema_to_arrow(const struct ap_schema *schema, struct ArrowSchema *out,
                                           ap_error *err);

/* May every value of `from` be stored in `to` without loss? (int8 -> int64, int32 -> double, int64
 * -> decimal(38,0), decimal(10,2) -> decimal(12,2), float -> double, s/ms -> us, null -> any
 * nullable, equal types.) Nanoseconds -> microseconds is allowed here and checked by value when
 * written. */
bool ap_type_widens(const struct ap_type *from, const struct ap_type *to);

#endif
