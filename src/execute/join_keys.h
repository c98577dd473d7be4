/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the small side of a join first, so that the great side's cells without any of its keys
 * are left out: see plan/join.h. For query.c only.
 */
#ifndef AP_EXECUTE_JOIN_KEYS_H
#define AP_EXECUTE_JOIN_KEYS_H

#include "execute/query_run.h"

/* Once cells are chosen and the query has its chamber: narrow the choices by what statistics say
 * of the sides of its joins, and, where it pays, by the keys that a side has. Binds the sides that
 * it reads. */
AP_MUST_CHECK ap_status ap_join_keys_apply(struct ap_query_run *run, ap_error *err);

#endif
