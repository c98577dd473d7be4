/* SPDX-License-Identifier: Apache-2.0
 *
 * Z-order: an order of rows in which those near to each other in several columns stand near to each
 * other, so that cells cut from it have narrow bounds in all of them.
 *
 * Each column's values are cut into 256 ranges of about as many rows, by quantiles of a sample, and
 * the bits of the ranges' numbers interleaved, most significant first (Morton, "A computer oriented
 * geodetic data base", 1966). One column is simply sorted.
 */
#ifndef AP_EXECUTE_ZORDER_H
#define AP_EXECUTE_ZORDER_H

#include "execute/node.h"

enum { AP_ZORDER_COLUMNS_MAX = 4 };

/* Append what stands behind ORDER BY for rows of `view` (an SQL name that is bound in the chamber),
 * whose fields (indexes into the schema) are to be near. */
AP_MUST_CHECK ap_status ap_zorder_append(struct ap_buffer *out, struct ap_chamber *chamber,
                                         struct ap_text view, const struct ap_schema *schema,
                                         const uint32_t *fields, uint32_t field_count,
                                         const struct ap_run_control *control,
                                         struct ap_arena *arena, ap_error *err);

#endif
