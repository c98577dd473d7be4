/* SPDX-License-Identifier: Apache-2.0
 *
 * The moments of references to the past that are no plain constants: now() - INTERVAL 1 DAY, $1.
 */
#ifndef AP_EXECUTE_TRAVEL_H
#define AP_EXECUTE_TRAVEL_H

#include "engine/engine.h"
#include "plan/tree.h"

/* Evaluate them in the chamber, so that every reference has its version or timestamp. Errors name
 * the reference. Does nothing when all are known. */
AP_MUST_CHECK ap_status ap_travel_settle(struct ap_chamber *chamber, struct ap_tree *tree,
                                         const struct ap_parameter *parameters,
                                         uint32_t parameter_count, struct ap_arena *arena,
                                         ap_error *err);

/* The parameters that a statement still has once its tree is written again without AT clauses, each
 * by the name it has then. Arena memory. AP_INVALID_ARGUMENT names one that it never had. */
AP_MUST_CHECK ap_status ap_travel_parameters(const struct ap_tree *tree,
                                             const struct ap_parameter *parameters,
                                             uint32_t parameter_count, struct ap_arena *arena,
                                             const struct ap_parameter **out_parameters,
                                             uint32_t *out_count, ap_error *err);

#endif
