/* SPDX-License-Identifier: Apache-2.0
 *
 * Small inputs without the engine: rows that are all at hand, in columns that need no conversion,
 * go straight from Arrow into one Parquet file (cell/parquet.h). Internal to this module.
 */
#ifndef AP_ENGINE_WRITE_SMALL_H
#define AP_ENGINE_WRITE_SMALL_H

#include "engine/source.h"
#include "engine/write.h"

/* Whether ap_write_small takes this source, which has been looked at to its end. Its arrays must
 * have passed ap_array_validate, as all do that come through the API. */
bool ap_write_is_small(const struct ap_cell_target *target, const struct ap_source *source);

/* Write the source's rows as the file at path, which must not exist, and describe it as written's
 * only draft. On failure the file is not there. Nulls are counted, not judged. */
AP_MUST_CHECK ap_status ap_write_small(const struct ap_env *env, uint32_t thread_count,
                                       const struct ap_cell_target *target,
                                       const struct ap_source *source, struct ap_text path,
                                       struct ap_arena *arena, struct ap_written *written,
                                       ap_error *err);

#endif
