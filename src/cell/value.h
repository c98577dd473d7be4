/* SPDX-License-Identifier: Apache-2.0
 *
 * Scalar values as statistics and partition values hold them, their texts and their order.
 *
 * Texts follow the Delta protocol, "Partition Value Serialization": dates "2024-02-29", timestamps
 * "2024-02-29 12:34:56.123456" or ISO 8601 with zone, decimals and numbers in plain digits,
 * booleans "true"/"false", strings as they are. Times of day are stored as integers: microseconds
 * since midnight. Binary and nested types have no values here. Empty text is a null partition value
 * in Delta; here it is the empty string, and no value for any other type.
 * Pure functions; safe from any thread.
 */
#ifndef AP_CELL_VALUE_H
#define AP_CELL_VALUE_H

#include "arrow/type.h"

enum ap_value_kind {
  AP_VALUE_NONE,         /* unknown */
  AP_VALUE_BOOLEAN,      /* i64: 0, 1 */
  AP_VALUE_INTEGER,      /* decimal, scale 0 */
  AP_VALUE_DECIMAL,      /* decimal, scale */
  AP_VALUE_FLOAT,        /* f64 */
  AP_VALUE_DATE,         /* i64: days since 1970 */
  AP_VALUE_TIME,         /* i64: microseconds since midnight */
  AP_VALUE_TIMESTAMP,    /* i64: microseconds since 1970, without zone */
  AP_VALUE_TIMESTAMP_TZ, /* i64: microseconds since 1970 UTC */
  AP_VALUE_TEXT,         /* text, compared by bytes */
};

__extension__ typedef __int128 ap_int128;

struct ap_value {
  enum ap_value_kind kind;
  uint8_t scale;  /* DECIMAL: 0..38 */
  bool is_double; /* FLOAT: surely compared in double precision (a DOUBLE column or constant). False
                     is always safe: then float precision is assumed when it matters */
  union {
    int64_t i64;
    double f64;
    ap_int128 decimal; /* unscaled; INTEGER and DECIMAL */
    struct ap_text text;
  };
};

/* The value of a text for a column of that type. False when the text is not exactly of the form
 * (then nothing may be concluded from it): also numbers beyond the type's range, decimals with more
 * digits than the type keeps, fractions of a second beyond microseconds, "infinity" and " (BC)" of
 * dates. Floats may be NaN and infinite; of FLOAT32 and FLOAT16 columns they are what the text
 * rounds to as a float. A timestamp with zone whose text names none is UTC; one without zone may
 * say "Z". text is borrowed, not copied. */
bool ap_value_parse(struct ap_text text, const struct ap_type *type, struct ap_value *out_value);

/* The Delta text of a value; parses back to an equal one. Asserts that there is a value. */
void ap_value_append_text(struct ap_buffer *out, const struct ap_value *value);

/* Order of two values: sets *out_order to -1, 0 or 1 and returns true; false when the kinds have no
 * exact common order (then nothing may be concluded). INTEGER, DECIMAL compare exactly with each
 * other; FLOAT with FLOAT as doubles; with INTEGER and DECIMAL only when those are small enough to
 * be exact in float precision too: for pruning see ap_value_surely_less. DATE with TIMESTAMP by
 * midnight; neither with TIMESTAMP_TZ. NaN is greater than all and equal to itself, -0.0 equals
 * 0.0. */
bool ap_value_compare(const struct ap_value *a, const struct ap_value *b, int *out_order);

/* True only when a < b whatever rounding the engine applies when it brings both to one type
 * (integers and decimals rounded to double or float, doubles to float). For pruning. */
bool ap_value_surely_less(const struct ap_value *a, const struct ap_value *b);

/* Calendar helpers, proleptic Gregorian with a year 0. Days within about +-10^11. */
int64_t ap_days_from_civil(int64_t year, int month, int day);
void ap_civil_from_days(int64_t days, int64_t *out_year, int *out_month, int *out_day);

#endif
