/* SPDX-License-Identifier: Apache-2.0
 *
 * See admission.h. Every function looks at all slots and, at most, all tickets: there are few.
 */
#include "engine/admission.h"

#include "base/assert.h"

#include <stddef.h>

/* ---- slots ----------------------------------------------------------------------------------- */

static void move(struct ap_slot *slot, enum ap_slot_state to) {
  static const bool allowed[AP_SLOT_STATES][AP_SLOT_STATES] = {
      [AP_SLOT_ABSENT] = {[AP_SLOT_OPENING] = true},
      [AP_SLOT_OPENING] = {[AP_SLOT_BUSY] = true, [AP_SLOT_ABSENT] = true},
      [AP_SLOT_IDLE] = {[AP_SLOT_BUSY] = true, [AP_SLOT_CLOSING] = true},
      [AP_SLOT_BUSY] = {[AP_SLOT_IDLE] = true, [AP_SLOT_PARKED] = true, [AP_SLOT_CLOSING] = true},
      [AP_SLOT_PARKED] = {[AP_SLOT_IDLE] = true, [AP_SLOT_BUSY] = true, [AP_SLOT_CLOSING] = true},
      [AP_SLOT_CLOSING] = {[AP_SLOT_ABSENT] = true},
  };
  AP_ASSERT(allowed[slot->state][to]);
  slot->state = to;
}

static bool is_open(const struct ap_slot *slot) {
  return slot->state != AP_SLOT_ABSENT;
}

static bool works(const struct ap_slot *slot) {
  return slot->state == AP_SLOT_BUSY || slot->state == AP_SLOT_OPENING;
}

static bool is_held(const struct ap_slot *slot) {
  return works(slot) || slot->state == AP_SLOT_PARKED;
}

static int64_t granted(const struct ap_admission *admission) {
  int64_t sum = 0;
  for (uint32_t i = 0; i < admission->chambers_max; i++) {
    if (!is_open(&admission->slots[i])) continue;
    sum += admission->slots[i].limit_bytes + admission->chamber_cost_bytes;
  }
  return sum;
}

static int64_t clamp(int64_t value, int64_t least, int64_t most) {
  if (value > most) value = most;
  return value < least ? least : value;
}

/* The reserve of the express works is set aside before the bees share. */
void ap_admission_init(struct ap_admission *admission, uint32_t bees, uint32_t chambers_max,
                       int64_t memory_bytes) {
  AP_ASSERT(bees > 0 && chambers_max > 0 && chambers_max <= AP_CHAMBERS_MAX && memory_bytes > 0);
  *admission = (struct ap_admission){.bees = bees, .memory_bytes = memory_bytes};
  admission->chamber_cost_bytes = clamp(AP_CHAMBER_COST_BYTES, 0, memory_bytes / 8);
  admission->floor_bytes = clamp(memory_bytes / 8, 1, AP_CHAMBER_FLOOR_BYTES);
  int64_t least = admission->floor_bytes + admission->chamber_cost_bytes;
  admission->chambers_max = (uint32_t)clamp(memory_bytes / least, 1, chambers_max);
  admission->express = admission->chambers_max > 2 ? (bees + 3) / 4 : 0;
  if (admission->express >= admission->chambers_max) admission->express = 1;
  int64_t bee = (memory_bytes - admission->express * least) / bees - admission->chamber_cost_bytes;
  admission->bee_bytes = clamp(bee, admission->floor_bytes, memory_bytes);
}

/* ---- choosing -------------------------------------------------------------------------------- */

/* A session whose own work waits for this request: it must not wait for others to end. */
static bool is_inner(const struct ap_admission *admission, const struct ap_ticket *ticket) {
  if (!ticket->session || ticket->session->id == 0) return false;
  for (uint32_t i = 0; i < admission->chambers_max; i++) {
    const struct ap_slot *slot = &admission->slots[i];
    if (slot->state == AP_SLOT_BUSY && slot->session == ticket->session->id) return true;
  }
  return false;
}

struct census {
  uint32_t open;
  uint32_t working;
  uint32_t short_working; /* of them, those not known to be large */
  uint32_t held;
  bool changing;       /* a chamber or memory comes back soon by itself */
  uint64_t large_turn; /* of the first large work that waits for a bee; UINT64_MAX: none does */
};

/* Chambers that a work may not be the one to take. */
static uint32_t kept(const struct ap_admission *admission, const struct ap_ticket *ticket) {
  return ticket->work == AP_WORK_QUERY && admission->chambers_max > 1 ? 1 : 0;
}

static struct census count(const struct ap_admission *admission) {
  struct census census = {.large_turn = UINT64_MAX};
  for (uint32_t i = 0; i < admission->chambers_max; i++) {
    const struct ap_slot *slot = &admission->slots[i];
    census.open += is_open(slot);
    census.working += works(slot);
    census.short_working += works(slot) && !slot->large;
    census.held += is_held(slot);
    census.changing |= slot->visited || slot->state == AP_SLOT_CLOSING;
  }
  for (const struct ap_ticket *ticket = admission->tickets; ticket; ticket = ticket->next) {
    if (!ticket->large || ticket->turn >= census.large_turn) continue;
    if (census.held >= admission->chambers_max - kept(admission, ticket)) continue;
    census.large_turn = ticket->turn;
  }
  return census;
}

/* The limit below which others may not push a chamber: one that works keeps what one bee brings. */
static int64_t least_limit(const struct ap_admission *admission, const struct ap_slot *slot) {
  return slot->state == AP_SLOT_BUSY ? admission->bee_bytes : admission->floor_bytes;
}

/* Whether memory is taken from a rather than from b: the idle first, then who has most to spare. */
static bool gives_sooner(const struct ap_slot *a, int64_t excess_a, const struct ap_slot *b,
                         int64_t excess_b) {
  bool idle_a = a->state == AP_SLOT_IDLE;
  bool idle_b = b->state == AP_SLOT_IDLE;
  return idle_a != idle_b ? idle_a : excess_a > excess_b;
}

static struct ap_step shrink(const struct ap_admission *admission, uint32_t asker,
                             int64_t missing_bytes) {
  uint32_t chosen = AP_CHAMBERS_MAX;
  int64_t most = 0;
  for (uint32_t i = 0; i < admission->chambers_max; i++) {
    const struct ap_slot *slot = &admission->slots[i];
    bool may =
        slot->state == AP_SLOT_IDLE || slot->state == AP_SLOT_BUSY || slot->state == AP_SLOT_PARKED;
    if (!may || i == asker || slot->visited || slot->stubborn) continue;
    int64_t excess = slot->limit_bytes - least_limit(admission, slot);
    if (excess <= 0) continue;
    if (chosen < AP_CHAMBERS_MAX && !gives_sooner(slot, excess, &admission->slots[chosen], most)) {
      continue;
    }
    chosen = i;
    most = excess;
  }
  if (chosen == AP_CHAMBERS_MAX) return (struct ap_step){.kind = AP_STEP_WAIT};
  const struct ap_slot *slot = &admission->slots[chosen];
  int64_t take = slot->state == AP_SLOT_IDLE || most < missing_bytes ? most : missing_bytes;
  return (struct ap_step){
      .kind = AP_STEP_SHRINK, .slot = chosen, .limit_bytes = slot->limit_bytes - take};
}

static struct ap_step open_another(const struct ap_admission *admission, uint32_t open) {
  struct ap_step step = {.kind = AP_STEP_WAIT};
  if (open >= admission->chambers_max) return step;
  int64_t cost = admission->chamber_cost_bytes;
  int64_t free_bytes = admission->memory_bytes - granted(admission);
  int64_t missing = admission->floor_bytes + cost - free_bytes;
  if (missing > 0) return shrink(admission, AP_CHAMBERS_MAX, missing);
  step.kind = AP_STEP_OPEN;
  step.limit_bytes = clamp(free_bytes - cost, admission->floor_bytes, admission->bee_bytes);
  while (is_open(&admission->slots[step.slot])) step.slot++;
  return step;
}

/* Whether there is a bee: short works have some of their own, and while a large one waits that came
 * before them, only those. */
static bool has_bee(const struct ap_admission *admission, const struct ap_ticket *ticket,
                    const struct census *census) {
  if (ticket->large) return census->working < admission->bees;
  if (census->working >= admission->bees + admission->express) return false;
  return ticket->turn <= census->large_turn || census->short_working < admission->express;
}

/* What would come next for this request if none but large works waited. */
static struct ap_step choose(const struct ap_admission *admission, const struct ap_ticket *ticket,
                             const struct census *census) {
  struct ap_step wait = {.kind = AP_STEP_WAIT};
  if (!has_bee(admission, ticket, census) && !is_inner(admission, ticket)) return wait;
  if (census->held >= admission->chambers_max - kept(admission, ticket)) return wait;
  for (uint32_t i = 0; i < admission->chambers_max; i++) {
    if (admission->slots[i].state != AP_SLOT_IDLE) continue;
    return (struct ap_step){.kind = AP_STEP_TAKE, .slot = i};
  }
  return census->changing ? wait : open_another(admission, census->open);
}

struct ap_ticket *ap_admission_first(const struct ap_admission *admission) {
  struct ap_ticket *first = NULL;
  struct census census = count(admission);
  for (struct ap_ticket *ticket = admission->tickets; ticket; ticket = ticket->next) {
    if (first && ticket->turn >= first->turn) continue;
    if (choose(admission, ticket, &census).kind != AP_STEP_WAIT) first = ticket;
  }
  return first;
}

/* ---- the queue ------------------------------------------------------------------------------- */

bool ap_admission_enter(struct ap_admission *admission, struct ap_ticket *ticket) {
  AP_ASSERT(!ticket->entered);
  if (admission->waiting_count >= AP_QUEUE_MAX) return false;
  uint64_t served = ticket->session ? ticket->session->served : 0;
  if (!ticket->large) ticket->turn = served != 0 ? served : admission->servings;
  if (ticket->session && ticket->session->urgent) ticket->turn = 0;
  ticket->entered = true;
  ticket->next = NULL;
  ticket->previous = admission->tickets_last;
  if (ticket->previous) {
    ticket->previous->next = ticket;
  } else {
    admission->tickets = ticket;
  }
  admission->tickets_last = ticket;
  admission->waiting_count++;
  return true;
}

void ap_admission_leave(struct ap_admission *admission, struct ap_ticket *ticket) {
  if (!ticket->entered) return;
  AP_ASSERT(admission->waiting_count > 0);
  if (ticket->previous) {
    ticket->previous->next = ticket->next;
  } else {
    admission->tickets = ticket->next;
  }
  if (ticket->next) {
    ticket->next->previous = ticket->previous;
  } else {
    admission->tickets_last = ticket->previous;
  }
  ticket->entered = false;
  admission->waiting_count--;
}

static void serve(struct ap_admission *admission, struct ap_ticket *ticket, struct ap_slot *slot) {
  ap_admission_leave(admission, ticket);
  slot->session = ticket->session ? ticket->session->id : 0;
  slot->turn = ticket->turn;
  slot->large = ticket->large;
  slot->bees = 1;
  slot->stubborn = false;
  admission->servings++;
  if (!ticket->session) return;
  ticket->session->served = admission->servings;
  /* What else this session asks for stands behind what others asked for until now. */
  for (struct ap_ticket *other = admission->tickets; other; other = other->next) {
    if (other->session == ticket->session) other->turn = admission->servings;
  }
}

static void begin_visit(struct ap_admission *admission, const struct ap_step *step) {
  struct ap_slot *slot = &admission->slots[step->slot];
  AP_ASSERT(!slot->visited && step->limit_bytes < slot->limit_bytes);
  AP_ASSERT(step->limit_bytes >= admission->floor_bytes);
  slot->visited = true;
  slot->wanted_bytes = step->limit_bytes;
}

struct ap_step ap_admission_next(struct ap_admission *admission, struct ap_ticket *ticket) {
  AP_ASSERT(ticket->entered);
  if (admission->waiting_count > 1 && ap_admission_first(admission) != ticket) {
    return (struct ap_step){.kind = AP_STEP_WAIT};
  }
  struct census census = count(admission);
  struct ap_step step = choose(admission, ticket, &census);
  struct ap_slot *slot = &admission->slots[step.slot];
  switch (step.kind) {
    case AP_STEP_TAKE:
      move(slot, AP_SLOT_BUSY);
      serve(admission, ticket, slot);
      break;
    case AP_STEP_OPEN:
      move(slot, AP_SLOT_OPENING);
      slot->limit_bytes = step.limit_bytes;
      serve(admission, ticket, slot);
      break;
    case AP_STEP_SHRINK:
      begin_visit(admission, &step);
      break;
    default:
      break;
  }
  AP_ASSERT(granted(admission) <= admission->memory_bytes);
  return step;
}

/* ---- claims ---------------------------------------------------------------------------------- */

/* How many bees a busy chamber gets: all that are idle when it is alone; otherwise those that
 * others hold beyond an equal share come back to it. */
static uint32_t share_bees(struct ap_admission *admission, uint32_t asker, uint32_t others,
                           uint32_t bees_max) {
  uint32_t parties = others + 1 + admission->waiting_count;
  uint32_t fair = admission->bees / parties > 0 ? admission->bees / parties : 1;
  uint32_t held = 0;
  for (uint32_t i = 0; i < admission->chambers_max; i++) {
    struct ap_slot *slot = &admission->slots[i];
    if (i == asker || slot->state != AP_SLOT_BUSY) continue;
    if (slot->bees > fair) slot->bees = fair;
    held += slot->bees;
  }
  uint32_t idle = held < admission->bees ? admission->bees - held : 1;
  uint32_t bees = admission->waiting_count > 0 && idle > fair ? fair : idle;
  return bees_max > 0 && bees > bees_max ? bees_max : bees;
}

/* One alone may use what the bees' shares leave over, too. */
int64_t ap_admission_alone_bytes(const struct ap_admission *admission) {
  int64_t least = admission->floor_bytes + admission->chamber_cost_bytes;
  int64_t bytes =
      admission->memory_bytes - admission->express * least - admission->chamber_cost_bytes;
  return bytes < admission->floor_bytes ? admission->floor_bytes : bytes;
}

static int64_t share_bytes(const struct ap_admission *admission, uint32_t bees,
                           int64_t memory_max_bytes) {
  int64_t bytes =
      bees < admission->bees ? bees * admission->bee_bytes : ap_admission_alone_bytes(admission);
  if (memory_max_bytes > 0 && bytes > memory_max_bytes) bytes = memory_max_bytes;
  return bytes < admission->floor_bytes ? admission->floor_bytes : bytes;
}

struct ap_step ap_admission_claim(struct ap_admission *admission, uint32_t asker,
                                  const struct ap_wish *wish) {
  struct ap_slot *slot = &admission->slots[asker];
  AP_ASSERT(slot->state == AP_SLOT_BUSY);
  struct ap_step step = {.kind = AP_STEP_WAIT};
  if (slot->visited) return step; /* its limit is being lowered: soon over */
  uint32_t others = count(admission).working - 1;
  if (wish->may_yield && others >= admission->bees) {
    step.kind = AP_STEP_YIELD;
    return step;
  }
  uint32_t bees = share_bees(admission, asker, others, wish->bees_max);
  int64_t want = share_bytes(admission, bees, wish->memory_max_bytes);
  int64_t free_bytes = admission->memory_bytes - granted(admission) + slot->limit_bytes;
  if (free_bytes < want) {
    step = shrink(admission, asker, want - free_bytes);
    if (step.kind == AP_STEP_SHRINK) {
      begin_visit(admission, &step);
      return step;
    }
  }
  /* What it has beyond its share stays until somebody needs it. */
  int64_t most = want < free_bytes ? want : free_bytes;
  if (wish->memory_max_bytes == 0 && most < slot->limit_bytes) most = slot->limit_bytes;
  slot->bees = bees;
  slot->large = true;
  if (slot->limit_bytes < most) slot->limit_bytes = most;
  slot->visited = true; /* by its holder, who sets it up */
  AP_ASSERT(granted(admission) <= admission->memory_bytes);
  return (struct ap_step){AP_STEP_GRANT, asker, bees, most};
}

/* ---- how steps ended ------------------------------------------------------------------------- */

void ap_admission_opened(struct ap_admission *admission, uint32_t slot, bool ok) {
  move(&admission->slots[slot], ok ? AP_SLOT_BUSY : AP_SLOT_ABSENT);
  if (!ok) admission->slots[slot] = (struct ap_slot){0};
}

bool ap_admission_visit(struct ap_admission *admission, uint32_t index) {
  struct ap_slot *slot = &admission->slots[index];
  bool may =
      slot->state == AP_SLOT_IDLE || slot->state == AP_SLOT_BUSY || slot->state == AP_SLOT_PARKED;
  if (!may || slot->visited) return false;
  slot->visited = true;
  slot->wanted_bytes = slot->limit_bytes;
  return true;
}

void ap_admission_visited(struct ap_admission *admission, uint32_t index, bool ok) {
  struct ap_slot *slot = &admission->slots[index];
  AP_ASSERT(slot->visited);
  slot->visited = false;
  if (!ok) slot->stubborn = true;
  if (!ok || slot->wanted_bytes == slot->limit_bytes) return;
  slot->limit_bytes = slot->wanted_bytes;
  while (slot->bees > 1 && slot->bees * admission->bee_bytes > slot->limit_bytes) slot->bees--;
}

void ap_admission_settle(struct ap_admission *admission, uint32_t slot, int64_t limit_bytes) {
  AP_ASSERT(admission->slots[slot].visited);
  AP_ASSERT(limit_bytes > 0 && limit_bytes <= admission->slots[slot].limit_bytes);
  admission->slots[slot].limit_bytes = limit_bytes;
  admission->slots[slot].visited = false;
}

void ap_admission_park(struct ap_admission *admission, uint32_t slot) {
  move(&admission->slots[slot], AP_SLOT_PARKED);
  admission->slots[slot].bees = 0;
}

void ap_admission_resume(struct ap_admission *admission, uint32_t slot) {
  move(&admission->slots[slot], AP_SLOT_BUSY);
  admission->slots[slot].bees = 1;
}

void ap_admission_release(struct ap_admission *admission, uint32_t index, bool broken) {
  struct ap_slot *slot = &admission->slots[index];
  AP_ASSERT(!slot->visited);
  move(slot, broken ? AP_SLOT_CLOSING : AP_SLOT_IDLE);
  slot->bees = 0;
  slot->session = 0;
  slot->stubborn = false;
}

void ap_admission_retire(struct ap_admission *admission, uint32_t slot) {
  AP_ASSERT(!admission->slots[slot].visited);
  move(&admission->slots[slot], AP_SLOT_CLOSING);
}

void ap_admission_closed(struct ap_admission *admission, uint32_t slot) {
  move(&admission->slots[slot], AP_SLOT_ABSENT);
  admission->slots[slot] = (struct ap_slot){0};
}

/* ---- figures --------------------------------------------------------------------------------- */

void ap_admission_get_figures(const struct ap_admission *admission,
                              struct ap_admission_figures *out_figures) {
  *out_figures = (struct ap_admission_figures){
      .queued = admission->waiting_count,
      .granted_bytes = granted(admission),
  };
  for (uint32_t i = 0; i < admission->chambers_max; i++) {
    const struct ap_slot *slot = &admission->slots[i];
    out_figures->open += is_open(slot);
    out_figures->busy += works(slot);
    out_figures->parked += slot->state == AP_SLOT_PARKED;
    out_figures->idle += slot->state == AP_SLOT_IDLE;
    out_figures->bees_busy += slot->bees;
  }
  if (out_figures->bees_busy > admission->bees) out_figures->bees_busy = admission->bees;
}

static double share(double part, double whole) {
  double value = part / whole;
  return value < 1.0 ? value : 1.0;
}

double ap_admission_temperature(const struct ap_admission *admission, int64_t memory_used_bytes) {
  struct ap_admission_figures figures;
  ap_admission_get_figures(admission, &figures);
  return 0.4 * share(figures.bees_busy, admission->bees) +
         0.4 * share((double)memory_used_bytes, (double)admission->memory_bytes) +
         0.2 * share(figures.queued, 2.0 * admission->bees);
}

enum ap_regulation ap_regulation_of(double temperature) {
  if (temperature < 0.3) return AP_REGULATION_COLD;
  if (temperature <= 0.7) return AP_REGULATION_IDEAL;
  if (temperature <= 0.85) return AP_REGULATION_WARM;
  return temperature <= 0.95 ? AP_REGULATION_HOT : AP_REGULATION_CRITICAL;
}

const char *ap_regulation_word(enum ap_regulation regulation) {
  static const char *const words[] = {"cold", "ideal", "warm", "hot", "critical"};
  return words[regulation];
}
