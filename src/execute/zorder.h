/* SPDX-License-Identifier: Apache-2.0
 *
 * Z-order: an order of rows in which those near to each other in several columns stand near to each
 * other, so that cells cut from it have narrow bounds in all of them.
 *
 * Each column's values are cut into 256 ranges of about as many rows, by quantiles of a sample, and
 * the bits of the ranges' numbers interleaved, most significant first (Morton, "A computer oriented
 * geodetic data base", 1966). One column is simply sorted.
 *
 * What is more than memory holds is not left to the engine to sort, which takes more than its limit
 * for that: it is cut into stretches of the order, by an exact count of the bytes along it, and
 * each stretch is picked out of the whole and sorted by itself.
 */
#ifndef AP_EXECUTE_ZORDER_H
#define AP_EXECUTE_ZORDER_H

#include "execute/node.h"

enum { AP_ZORDER_COLUMNS_MAX = 4 };

struct ap_zorder_request {
  struct ap_text view; /* an SQL name that is bound in the chamber */
  const struct ap_schema *schema;
  const uint32_t *fields; /* of the schema: rows near in these are to be near */
  uint32_t field_count;
  int64_t budget_bytes; /* of the chamber's memory */
  struct ap_allocator *allocator;
  const struct ap_run_control *control;
};

/* Queries whose rows, one after the other, are all of the view's in the order. Each sorts no more
 * than fits into the budget. Arena memory. None: the view has no rows. */
struct ap_zorder {
  struct ap_text *queries;
  uint32_t query_count;
  uint32_t queries_max;
};

AP_MUST_CHECK ap_status ap_zorder_plan(struct ap_chamber *chamber,
                                       const struct ap_zorder_request *request,
                                       struct ap_arena *arena, struct ap_zorder *out_zorder,
                                       ap_error *err);

#endif
