/* SPDX-License-Identifier: Apache-2.0
 *
 * A text for the engine that is put together from pieces of the user's statement and words of our
 * own. Each piece stands on lines of its own, so that what the engine says about a line of the text
 * can be said about a line of the statement; parameters "?" become "$n", so that they keep their
 * numbers in whatever order the pieces stand.
 * Pure; belongs to one thread.
 */
#ifndef AP_PLAN_COMPOSITION_H
#define AP_PLAN_COMPOSITION_H

#include "base/status.h"
#include "base/text.h"

struct ap_composition_piece {
  size_t at; /* in the text */
  size_t size;
  struct ap_text source;
};

struct ap_composition {
  struct ap_arena *arena;
  struct ap_text statement; /* whose pieces these are: places and parameters are counted in it */
  struct ap_buffer text;
  struct ap_composition_piece *pieces;
  uint32_t piece_count;
  uint32_t piece_room;
  bool failed; /* out of memory */
};

void ap_composition_init(struct ap_composition *composition, struct ap_arena *arena,
                         struct ap_text statement);
void ap_composition_deinit(struct ap_composition *composition); /* idempotent */

/* Words of our own. */
void ap_composition_add(struct ap_composition *composition, const char *words);
void ap_composition_name(struct ap_composition *composition, struct ap_text name); /* quoted */
/* A piece of the statement; it must lie within it. */
void ap_composition_piece(struct ap_composition *composition, struct ap_text piece);
/* AP_OUT_OF_MEMORY when anything of it failed. */
AP_MUST_CHECK ap_status ap_composition_check(const struct ap_composition *composition,
                                             ap_error *err);

/* Turn "LINE n:" and "at byte n" of an engine's message about the text, before which so many lines
 * more stood when it ran, into places of the user's (lines of the statement, a position in it);
 * where the place is none of the user's, it goes, and so do our own names. err may be NULL. */
void ap_composition_place_error(const struct ap_composition *composition, unsigned lines_before,
                                ap_error *err);

#endif
