/* SPDX-License-Identifier: Apache-2.0
 *
 * SQL expressions that bring a value from one type to another: from a source to what a cell stores,
 * and from a cell to what a frame shows. A plain CAST where that is right; otherwise the value is
 * taken apart and built anew, for names below the top level that differ (column mapping), times
 * (stored as microseconds), and nanoseconds (which must be whole microseconds).
 */
#ifndef AP_ENGINE_CONVERT_H
#define AP_ENGINE_CONVERT_H

#include "arrow/type.h"

struct ap_conversion {
  const struct ap_type *from;
  const struct ap_type *match; /* shape of `to`; its struct fields' names are looked up in from */
  const struct ap_type *to;
  bool times_are_integers;  /* TIME in `from` arrives as a number in its unit */
  struct ap_text complaint; /* what the statement fails with when nanoseconds would be lost */
};

/* True when the value can be taken as it is. */
bool ap_conversion_is_nothing(const struct ap_conversion *conversion);

/* Append the expression that converts the one given. */
void ap_conversion_append(struct ap_buffer *out, const struct ap_conversion *conversion,
                          struct ap_text expression);

/* True when something below the top level of the type may not be null. */
bool ap_type_has_strict_parts(const struct ap_type *type);

/* Append a condition on the unconverted expression: a part that `match` says is never null is. */
void ap_conversion_append_null_check(struct ap_buffer *out, const struct ap_conversion *conversion,
                                     struct ap_text expression);

#endif
