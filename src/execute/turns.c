/* SPDX-License-Identifier: Apache-2.0
 *
 * See turns.h. One list serves all frames: it holds only statements that write just now.
 */
#include "execute/turns.h"

#include "base/assert.h"
#include "base/limits.h"

#include <string.h>

enum { POLL_MS = 20 }; /* between two questions whether to stop */

static void lock(struct ap_turns *turns) {
  turns->env->threads->lock(turns->env->threads, turns->mutex);
}

static void unlock(struct ap_turns *turns) {
  turns->env->threads->unlock(turns->env->threads, turns->mutex);
}

ap_status ap_turns_init(struct ap_turns *turns, const struct ap_env *env, ap_error *err) {
  struct ap_threads *threads = env->threads;
  *turns = (struct ap_turns){.env = env};
  AP_TRY(threads->mutex_create(threads, &turns->mutex, err));
  ap_status status = threads->condition_create(threads, &turns->changed, err);
  if (status != AP_OK) ap_turns_deinit(turns);
  return status;
}

void ap_turns_deinit(struct ap_turns *turns) {
  AP_ASSERT(turns->first == NULL);
  if (turns->env == NULL) return;
  struct ap_threads *threads = turns->env->threads;
  if (turns->changed != NULL) threads->condition_destroy(threads, turns->changed);
  if (turns->mutex != NULL) threads->mutex_destroy(threads, turns->mutex);
  *turns = (struct ap_turns){0};
}

/* Ids are UUIDs; of a longer one the beginning would do: turns keep order, not data, right. */
static void name_frame(struct ap_turn *turn, struct ap_text frame) {
  size_t size = frame.size < AP_TURN_FRAME_BYTES ? frame.size : AP_TURN_FRAME_BYTES - 1;
  memcpy(turn->frame, frame.data, size);
  turn->frame[size] = '\0';
}

void ap_turns_enter(struct ap_turns *turns, struct ap_turn *turn, struct ap_text frame) {
  struct ap_turn asked = {0};
  name_frame(&asked, frame);
  if (turn->number != 0 && strcmp(turn->frame, asked.frame) == 0) return;
  ap_turns_leave(turns, turn); /* the name is another frame's now */
  *turn = asked;
  lock(turns);
  struct ap_turn **link = &turns->first;
  while (*link != NULL) link = &(*link)->next;
  turn->number = ++turns->number_last;
  *link = turn;
  unlock(turns);
}

/* The first before it, on the same frame, that others were faster than. NULL: none. */
static const struct ap_turn *find_blocker(const struct ap_turns *turns,
                                          const struct ap_turn *turn) {
  AP_ASSERT(turn->number != 0);
  for (const struct ap_turn *other = turns->first; other != turn; other = other->next) {
    AP_ASSERT(other != NULL && other->number < turn->number);
    if (other->losses > 0 && strcmp(other->frame, turn->frame) == 0) return other;
  }
  return NULL;
}

bool ap_turns_may_run(struct ap_turns *turns, struct ap_turn *turn) {
  lock(turns);
  bool may = find_blocker(turns, turn) == NULL;
  unlock(turns);
  return may;
}

ap_status ap_turns_await(struct ap_turns *turns, struct ap_turn *turn,
                         const struct ap_run_control *control, ap_error *err) {
  struct ap_threads *threads = turns->env->threads;
  struct ap_clock *clock = turns->env->clock;
  const struct ap_turn *blocker = NULL;
  uint64_t watched = 0;
  int64_t until_us = 0;
  ap_status status = AP_OK;
  lock(turns);
  while (status == AP_OK && (blocker = find_blocker(turns, turn)) != NULL) {
    int64_t now_us = ap_clock_monotonic_us(clock);
    if (blocker->number != watched) until_us = now_us + AP_CHANGE_TURN_MS_MAX * INT64_C(1000);
    watched = blocker->number;
    if (now_us >= until_us) break;
    (void)threads->wait(threads, turns->changed, turns->mutex, POLL_MS);
    if (control == NULL) continue;
    unlock(turns);
    status = ap_control_check(clock, control, err);
    lock(turns);
  }
  turn->was_met = false;
  unlock(turns);
  return status;
}

bool ap_turns_lose(struct ap_turns *turns, struct ap_turn *turn) {
  if (turn->number == 0) return false;
  lock(turns);
  bool was_met = turn->was_met;
  turn->losses++;
  turn->was_met = false;
  unlock(turns);
  return was_met;
}

void ap_turns_leave(struct ap_turns *turns, struct ap_turn *turn) {
  if (turn->number == 0) return;
  lock(turns);
  struct ap_turn **link = NULL;
  for (struct ap_turn **at = &turns->first; *at != NULL; at = &(*at)->next) {
    if (*at == turn) link = at;
    if (strcmp((*at)->frame, turn->frame) == 0) (*at)->was_met = true;
  }
  AP_ASSERT(link != NULL);
  *link = turn->next;
  if (turn->losses > 0) turns->env->threads->wake_all(turns->env->threads, turns->changed);
  unlock(turns);
  *turn = (struct ap_turn){0};
}
