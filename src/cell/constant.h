/* SPDX-License-Identifier: Apache-2.0
 *
 * A constant as the engine evaluated it: a value with the type that it has there, or an interval,
 * or null. Plain data.
 */
#ifndef AP_CELL_CONSTANT_H
#define AP_CELL_CONSTANT_H

#include "cell/value.h"

enum ap_constant_kind {
  AP_CONSTANT_UNKNOWN, /* of a type that has no values here, or infinite */
  AP_CONSTANT_NULL,
  AP_CONSTANT_VALUE,    /* value, type */
  AP_CONSTANT_INTERVAL, /* months, days, micros */
};

struct ap_constant {
  enum ap_constant_kind kind;
  struct ap_value value;
  struct ap_type type; /* a HUGEINT is an INT64 whose value may be greater */
  int32_t months;
  int32_t days;
  int64_t micros;
};

#endif
