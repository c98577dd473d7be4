/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may work, with how many bees and with how much memory: the policy of the pool, as a pure
 * state machine. No threads, no locks, no time, no engine: whoever holds the pool's lock asks for
 * the next step of a request, carries it out without the lock, and says how it ended.
 *
 * What it guarantees, after every call:
 *   - What open chambers may use (their limits, and what a chamber costs beside it) never exceeds
 *     memory_bytes; a limit that is being lowered counts in full until that has happened.
 *   - A request that came later is not served before one of another session that waits for the same
 *     and was served longer ago. Requests of one session take turns with those of the others.
 *   - No more than `bees` large works run at once, `express` short ones beside them. A large work
 *     that waits keeps bees from short ones that came later. Result streams whose client is away
 *     hold memory and no bee.
 *   - One chamber is for works that end by themselves, never for streams: with every other chamber
 *     held by open streams, a write goes through still.
 */
#ifndef AP_ENGINE_ADMISSION_H
#define AP_ENGINE_ADMISSION_H

#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

/* Fairness is between sessions. */
struct ap_admission_session {
  uint64_t id;     /* 0: nobody in particular */
  uint64_t served; /* when it was served last, on the pool's count of servings; 0: never */
  bool urgent;     /* others wait for what it does: it is served first */
};

enum ap_work {
  AP_WORK_QUERY,      /* becomes a stream that its client may leave open */
  AP_WORK_WRITE,      /* ends by itself; slowed when the colony is hot */
  AP_WORK_BACKGROUND, /* ends by itself; refused when the colony is hot */
};

enum ap_slot_state {
  AP_SLOT_ABSENT,
  AP_SLOT_OPENING,
  AP_SLOT_IDLE,
  AP_SLOT_BUSY,
  AP_SLOT_PARKED, /* a stream whose client is away */
  AP_SLOT_CLOSING,
  AP_SLOT_STATES,
};

/* A chamber as the policy sees it. */
struct ap_slot {
  enum ap_slot_state state;
  bool visited;  /* somebody besides the holder works on its limit */
  bool stubborn; /* would not give memory back while in this use */
  bool large;    /* has a bee of its own */
  uint32_t bees; /* of a busy one */
  uint64_t session;
  uint64_t turn;        /* that its holder was served in */
  int64_t limit_bytes;  /* what it may use; the larger one while that changes */
  int64_t wanted_bytes; /* while visited: what the limit becomes */
};

struct ap_admission {
  uint32_t bees;
  uint32_t express; /* short works beside the large ones */
  uint32_t chambers_max;
  int64_t memory_bytes;
  int64_t chamber_cost_bytes;
  int64_t floor_bytes; /* the least limit of a chamber */
  int64_t bee_bytes;   /* the limit that one bee brings */
  struct ap_slot slots[AP_CHAMBERS_MAX];
  struct ap_ticket *tickets; /* in order of arrival */
  struct ap_ticket *tickets_last;
  uint32_t waiting_count;
  uint64_t servings;
};

/* A request on its way in: the asker's memory, linked while it is entered. */
struct ap_ticket {
  struct ap_ticket *next;
  struct ap_ticket *previous;
  struct ap_admission_session *session; /* may be NULL */
  enum ap_work work;
  bool large; /* known to need a bee of its own: it has yielded, and keeps the turn it had */
  bool entered;
  uint64_t turn; /* the lowest is served first; set on entering, of a large one before */
  void *waiter;  /* the asker's own */
};

enum ap_step_kind {
  AP_STEP_WAIT,   /* nothing to be had now */
  AP_STEP_TAKE,   /* the slot's chamber is the asker's, busy */
  AP_STEP_OPEN,   /* open a chamber with limit_bytes, then ap_admission_opened */
  AP_STEP_SHRINK, /* lower the slot's limit to limit_bytes, then ap_admission_visited; ask again */
  AP_STEP_GRANT,  /* of a claim: set bees and limit_bytes up, then ap_admission_settle */
  AP_STEP_YIELD,  /* of a claim: no bee is free; release, and enter as a large one */
};

struct ap_step {
  enum ap_step_kind kind;
  uint32_t slot;
  uint32_t bees;
  int64_t limit_bytes;
};

/* memory_bytes: all that chambers may use, what they cost included. */
void ap_admission_init(struct ap_admission *admission, uint32_t bees, uint32_t chambers_max,
                       int64_t memory_bytes);

/* What one work alone may use, with all bees. */
int64_t ap_admission_alone_bytes(const struct ap_admission *admission);

/* Queue up; false: AP_QUEUE_MAX wait already. Left by AP_STEP_TAKE, AP_STEP_OPEN or leave. */
bool ap_admission_enter(struct ap_admission *admission, struct ap_ticket *ticket);
void ap_admission_leave(struct ap_admission *admission, struct ap_ticket *ticket);
struct ap_step ap_admission_next(struct ap_admission *admission, struct ap_ticket *ticket);
/* The request that is to be woken now: the first in turn that need not wait. NULL: none. */
struct ap_ticket *ap_admission_first(const struct ap_admission *admission);

/* What a busy chamber would like, once its work is known. */
struct ap_wish {
  uint32_t bees_max;        /* 0: all */
  int64_t memory_max_bytes; /* 0: what the bees bring */
  bool may_yield;           /* can go back into the queue */
};
struct ap_step ap_admission_claim(struct ap_admission *admission, uint32_t slot,
                                  const struct ap_wish *wish);

void ap_admission_opened(struct ap_admission *admission, uint32_t slot, bool ok);
void ap_admission_visited(struct ap_admission *admission, uint32_t slot, bool ok);
/* Come to see a chamber that is open, as an own step that changes nothing; false: not now. */
bool ap_admission_visit(struct ap_admission *admission, uint32_t slot);
/* A grant is carried out: the slot's limit is this now. */
void ap_admission_settle(struct ap_admission *admission, uint32_t slot, int64_t limit_bytes);
void ap_admission_park(struct ap_admission *admission, uint32_t slot);
void ap_admission_resume(struct ap_admission *admission, uint32_t slot);
/* Busy or parked: idle from here, or with `broken` closing. Not while it is visited. */
void ap_admission_release(struct ap_admission *admission, uint32_t slot, bool broken);
/* An idle one that nobody visits: closing from here. */
void ap_admission_retire(struct ap_admission *admission, uint32_t slot);
void ap_admission_closed(struct ap_admission *admission, uint32_t slot);

struct ap_admission_figures {
  uint32_t open;
  uint32_t busy;   /* chambers that work */
  uint32_t parked; /* chambers held by streams whose client is away */
  uint32_t idle;
  uint32_t bees_busy; /* at most the bees there are */
  uint32_t queued;
  int64_t granted_bytes; /* what open chambers may use, and what they cost */
};
void ap_admission_get_figures(const struct ap_admission *admission,
                              struct ap_admission_figures *out_figures);

/* 0.4 x busy share of bees + 0.4 x used share of memory + 0.2 x min(1, queued / (2 x bees)). */
double ap_admission_temperature(const struct ap_admission *admission, int64_t memory_used_bytes);

enum ap_regulation {
  AP_REGULATION_COLD,  /* below 0.3 */
  AP_REGULATION_IDEAL, /* to 0.7 */
  AP_REGULATION_WARM,  /* to 0.85 */
  AP_REGULATION_HOT,   /* to 0.95 */
  AP_REGULATION_CRITICAL,
};
enum ap_regulation ap_regulation_of(double temperature);
const char *ap_regulation_word(enum ap_regulation regulation);

#endif
