/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose turn it is to change a frame, within one process. Statements that write stand in line in
 * order of arrival and run side by side, as if there was no line, until one finds at its commit
 * that another was faster. It keeps its place, and whoever stands behind it waits until it is done.
 * What it guarantees: a statement loses at most to those that ran when it lost first, and to other
 * processes; nobody who came later passes it by. A frame whose writers are not in each other's way
 * makes none wait. One that has not moved for AP_CHANGE_TURN_MS_MAX holds nobody up any longer, so
 * that a writer stuck in something that those behind it hold cannot stop them for good.
 * Thread: safe from any thread; a turn belongs to one. Nothing is called under the lock.
 */
#ifndef AP_EXECUTE_TURNS_H
#define AP_EXECUTE_TURNS_H

#include "engine/engine.h"
#include "port/env.h"

enum { AP_TURN_FRAME_BYTES = 64 };

/* Zeroed: stands in no line. The caller's memory, which stays where it is until it leaves. */
struct ap_turn {
  char frame[AP_TURN_FRAME_BYTES]; /* its id */
  uint32_t losses;                 /* since it came */
  uint64_t number;                 /* of all that ever came; 0: stands in no line */
  bool was_met;                    /* a neighbour has left since it began to run */
  struct ap_turn *next;
};

struct ap_turns {
  const struct ap_env *env;
  struct ap_mutex *mutex;
  struct ap_condition *changed;
  struct ap_turn *first; /* of all frames, in order of arrival; guarded by mutex, as numbers are */
  uint64_t number_last;
};

AP_MUST_CHECK ap_status ap_turns_init(struct ap_turns *turns, const struct ap_env *env,
                                      ap_error *err);
/* Nobody may stand in line. Zeroed ones are allowed. */
void ap_turns_deinit(struct ap_turns *turns);

/* Stand in the frame's line, last; who stands there already keeps its place. */
void ap_turns_enter(struct ap_turns *turns, struct ap_turn *turn, struct ap_text frame);
/* Whether it need not wait for others. */
bool ap_turns_may_run(struct ap_turns *turns, struct ap_turn *turn);
/* Wait until it may run, and begin to. Fails when the control (NULL is allowed) says stop. */
AP_MUST_CHECK ap_status ap_turns_await(struct ap_turns *turns, struct ap_turn *turn,
                                       const struct ap_run_control *control, ap_error *err);
/* Another was faster. Whether it may have been one of this process, behind whom it is of no use to
 * wait any more. */
bool ap_turns_lose(struct ap_turns *turns, struct ap_turn *turn);
/* Done, or given up; who stands in no line may leave too. */
void ap_turns_leave(struct ap_turns *turns, struct ap_turn *turn);

#endif
