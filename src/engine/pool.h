/* SPDX-License-Identifier: Apache-2.0
 *
 * What the pool does for the other files of this module; its public part is in engine.h.
 */
#ifndef AP_ENGINE_POOL_H
#define AP_ENGINE_POOL_H

#include "engine/chamber.h"

/* A stream's chamber between two batches: it gives its bee back and keeps its memory. */
void ap_chamber_park(struct ap_chamber *chamber);
void ap_chamber_resume(struct ap_chamber *chamber);

/* A chamber for a short piece of work of the ledger, which may be asked for by someone who holds a
 * chamber already: when none is free, a spare one outside the pool serves, one caller at a time. */
AP_MUST_CHECK ap_status ap_chamber_acquire_for_codec(struct ap_engine *engine,
                                                     struct ap_chamber **out_chamber,
                                                     ap_error *err);

/* Close one chamber that nobody has used for long; false: there is none. Lock held on entry and
 * exit, not meanwhile. */
bool ap_pool_trim(struct ap_engine *engine);
/* The chamber of a slot that is closing. */
void ap_pool_close_slot(struct ap_engine *engine, uint32_t slot);

#endif
