/* SPDX-License-Identifier: Apache-2.0
 *
 * The pool: lending chambers by the policy of admission.h, and setting their threads and memory
 * limits to what it grants.
 *
 * A chamber is opened, closed, measured and set outside the lock, so that others come and go
 * meanwhile. Its limit may be lowered while it works, through a second connection: the engine then
 * evicts and spills, or refuses, and all stays as it was. Threads change between statements only.
 */
#include "engine/pool.h"

#include "base/assert.h"
#include "base/status.h"
#include "port/machine.h"

#include <stdio.h>

enum {
  POLL_MS = 20,                 /* between two questions to one who waits whether to stop */
  VISIT_WAIT_MS = 1000,         /* visits are short; whoever waits for their end is woken */
  MEASURE_INTERVAL_US = 100000, /* figures of memory are this old at most */
  TRIM_INTERVAL_US = 500000,    /* between two times that memory is given back */
};

static int64_t now_us(const struct ap_engine *engine) {
  return ap_clock_monotonic_us(engine->env->clock);
}

static void lock(struct ap_engine *engine) {
  engine->env->threads->lock(engine->env->threads, engine->mutex);
}

static void unlock(struct ap_engine *engine) {
  engine->env->threads->unlock(engine->env->threads, engine->mutex);
}

/* Something has changed: wake whoever's turn it is. Lock held. */
static void wake_next(struct ap_engine *engine) {
  struct ap_threads *threads = engine->env->threads;
  threads->wake_all(threads, engine->changed);
  if (engine->admission.waiting_count == 0) return;
  struct ap_ticket *ticket = ap_admission_first(&engine->admission);
  if (ticket && ticket->waiter) threads->wake_all(threads, ticket->waiter);
}

/* ---- settings -------------------------------------------------------------------------------- */

static bool run_setting(duckdb_connection connection, const char *sql) {
  duckdb_result result = {0};
  bool ok = duckdb_query(connection, sql, &result) == DuckDBSuccess;
  duckdb_destroy_result(&result);
  return ok;
}

/* The connection for visitors; NULL when there is none. */
static duckdb_connection visitors_connection(struct ap_chamber *chamber) {
  if (!chamber->visitors &&
      duckdb_connect(chamber->database, &chamber->visitors) != DuckDBSuccess) {
    chamber->visitors = NULL;
  }
  return chamber->visitors;
}

/* Lower another chamber's limit, as a step said. Lock held on entry and exit, not meanwhile. */
static void shrink(struct ap_engine *engine, const struct ap_step *step) {
  struct ap_chamber *chamber = engine->chambers[step->slot];
  unlock(engine);
  char sql[64];
  snprintf(sql, sizeof sql, "SET memory_limit = '%lldB'", (long long)step->limit_bytes);
  duckdb_connection connection = visitors_connection(chamber);
  bool ok = connection && run_setting(connection, sql);
  lock(engine);
  ap_admission_visited(&engine->admission, step->slot, ok);
  if (ok) chamber->limit_bytes = step->limit_bytes;
  wake_next(engine);
}

/* Threads and limit of a chamber that runs nothing, as granted. */
static bool apply(struct ap_chamber *chamber, uint32_t bees, int64_t limit_bytes) {
  char sql[128] = "";
  int size = 0;
  if (limit_bytes != chamber->limit_bytes) {
    size = snprintf(sql, sizeof sql, "SET memory_limit = '%lldB';", (long long)limit_bytes);
  }
  if (bees != chamber->thread_count) {
    snprintf(sql + size, sizeof sql - (size_t)size, "SET threads = %u", bees);
  }
  if (sql[0] == '\0') return true;
  if (!run_setting(chamber->connection, sql)) return false;
  chamber->thread_count = bees;
  return true;
}

/* ---- figures --------------------------------------------------------------------------------- */

/* What a chamber keeps in memory, by its own account; the old figure when it cannot tell. */
static int64_t measure(struct ap_chamber *chamber) {
  int64_t used = atomic_load(&chamber->memory_used_bytes);
  duckdb_result result = {0};
  duckdb_connection connection = visitors_connection(chamber);
  if (!connection) return used;
  if (duckdb_query(connection,
                   "SELECT CAST(sum(memory_usage_bytes) AS BIGINT) FROM duckdb_memory()",
                   &result) == DuckDBSuccess) {
    duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
    if (chunk) {
      used = *(const int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
      duckdb_destroy_data_chunk(&chunk);
    }
  }
  duckdb_destroy_result(&result);
  return used;
}

static int64_t sum_memory_used(struct ap_engine *engine) {
  int64_t sum = 0;
  for (uint32_t i = 0; i < engine->admission.chambers_max; i++) {
    struct ap_chamber *chamber = engine->chambers[i];
    if (chamber) sum += atomic_load(&chamber->memory_used_bytes);
  }
  return sum;
}

/* Ask every chamber that can be visited, unless that was done a moment ago. Lock held on entry and
 * exit, not meanwhile. */
static void measure_all(struct ap_engine *engine) {
  int64_t now = now_us(engine);
  if (engine->measured_us != 0 && now - engine->measured_us < MEASURE_INTERVAL_US) return;
  engine->measured_us = now;
  for (uint32_t i = 0; i < engine->admission.chambers_max; i++) {
    struct ap_chamber *chamber = engine->chambers[i];
    if (!chamber || !ap_admission_visit(&engine->admission, i)) continue;
    unlock(engine);
    atomic_store(&chamber->memory_used_bytes, measure(chamber));
    lock(engine);
    ap_admission_visited(&engine->admission, i, true);
    wake_next(engine);
  }
}

void ap_engine_get_status(struct ap_engine *engine, struct ap_engine_status *out_status) {
  struct ap_admission_figures figures;
  lock(engine);
  measure_all(engine);
  ap_admission_get_figures(&engine->admission, &figures);
  *out_status = (struct ap_engine_status){
      .chambers_open = figures.open,
      .chambers_busy = figures.busy + figures.parked,
      .bees_busy = figures.bees_busy,
      .queued = figures.queued,
      .memory_used_bytes = sum_memory_used(engine),
      .memory_granted_bytes = figures.granted_bytes,
  };
  out_status->temperature =
      ap_admission_temperature(&engine->admission, out_status->memory_used_bytes);
  unlock(engine);
}

void ap_engine_get_bounds(const struct ap_engine *engine, struct ap_engine_bounds *out_bounds) {
  *out_bounds = (struct ap_engine_bounds){
      .bees = engine->admission.bees,
      .memory_least_bytes = engine->admission.floor_bytes,
      .memory_most_bytes = ap_admission_alone_bytes(&engine->admission),
  };
}

double ap_engine_temperature(struct ap_engine *engine) {
  struct ap_engine_status status;
  ap_engine_get_status(engine, &status);
  return status.temperature;
}

/* ---- temperature at the door ----------------------------------------------------------------- */

/* How long until it may go better: what works take on average, for those that wait. Lock held. */
static int64_t retry_after_ms(const struct ap_engine *engine) {
  int64_t ms =
      engine->mean_hold_us / 1000 * (engine->admission.waiting_count + 1) / engine->admission.bees;
  if (ms < AP_RETRY_AFTER_MS_MIN) return AP_RETRY_AFTER_MS_MIN;
  return ms > AP_RETRY_AFTER_MS_MAX ? AP_RETRY_AFTER_MS_MAX : ms;
}

static ap_status refuse(int64_t retry_ms, double temperature, ap_error *err) {
  (void)AP_FAIL(err, AP_BUSY, "the colony is %s (temperature %.2f) and takes no new work",
                ap_regulation_word(ap_regulation_of(temperature)), temperature);
  ap_error_hint(err, "try again after %lld ms", (long long)retry_ms);
  return AP_BUSY;
}

/* How hot it is, measured anew only when it may be hot. Lock held on entry and exit. */
static double feel(struct ap_engine *engine) {
  double least = ap_admission_temperature(&engine->admission, 0);
  if (ap_regulation_of(least + 0.4) < AP_REGULATION_HOT) return least;
  measure_all(engine);
  return ap_admission_temperature(&engine->admission, sum_memory_used(engine));
}

/* What the temperature asks of a new work: *out_delay_ms before it queues up, or to come again. */
static ap_status regulate(struct ap_engine *engine, const struct ap_chamber_request *request,
                          int64_t *out_delay_ms, ap_error *err) {
  *out_delay_ms = 0;
  if (request->inner) return AP_OK;
  lock(engine);
  double temperature = feel(engine);
  int64_t retry_ms = retry_after_ms(engine);
  unlock(engine);
  enum ap_regulation regulation = ap_regulation_of(temperature);
  if (regulation < AP_REGULATION_HOT) return AP_OK;
  if (regulation == AP_REGULATION_CRITICAL || request->work == AP_WORK_BACKGROUND) {
    return refuse(retry_ms, temperature, err);
  }
  if (request->work == AP_WORK_WRITE) {
    *out_delay_ms = 1 + (int64_t)((temperature - 0.85) * 10 * AP_WRITE_DELAY_MS_MAX);
  }
  return AP_OK;
}

uint64_t ap_engine_new_session(struct ap_engine *engine) {
  lock(engine);
  uint64_t id = ++engine->session_number_last;
  unlock(engine);
  return id;
}

/* ---- waiting --------------------------------------------------------------------------------- */

struct waiting {
  struct ap_engine *engine;
  const struct ap_chamber_request *request;
  struct ap_condition *condition; /* NULL until first needed */
  int64_t until_us;               /* AP_BUSY then */
};

static ap_status need_condition(struct waiting *waiting, ap_error *err) {
  struct ap_threads *threads = waiting->engine->env->threads;
  if (waiting->condition) return AP_OK;
  return threads->condition_create(threads, &waiting->condition, err);
}

/* Wait for a while at most, heeding deadline and cancelling. Lock held on entry and exit. */
static ap_status wait_a_while(struct waiting *waiting, int64_t while_ms, ap_error *err) {
  struct ap_engine *engine = waiting->engine;
  struct ap_threads *threads = engine->env->threads;
  const struct ap_run_control *control = waiting->request->control;
  threads->wait(threads, waiting->condition, engine->mutex, while_ms);
  if (!control) return AP_OK;
  unlock(engine); /* callbacks are not called under it */
  ap_status status = ap_control_check(engine->env->clock, control, err);
  lock(engine);
  return status;
}

static ap_status fail_busy(const struct waiting *waiting, ap_error *err) {
  const struct ap_admission *admission = &waiting->engine->admission;
  struct ap_admission_figures figures;
  ap_admission_get_figures(admission, &figures);
  (void)AP_FAIL(err, AP_BUSY,
                "no bee came free within %lld ms: %u chambers work, %u of %u wait for clients "
                "that have not read their results, %u statements queue",
                (long long)waiting->request->timeout_ms, figures.busy, figures.parked,
                admission->chambers_max, figures.queued);
  ap_error_hint(err, "try again after %lld ms, or close result streams that are no longer read",
                (long long)retry_after_ms(waiting->engine));
  return AP_BUSY;
}

static ap_status fail_full(struct ap_engine *engine, ap_error *err) {
  (void)AP_FAIL(err, AP_BUSY, "%d statements wait for bees already", AP_QUEUE_MAX);
  ap_error_hint(err, "try again after %lld ms", (long long)retry_after_ms(engine));
  return AP_BUSY;
}

/* Steps until the ticket has a chamber or gives up. Lock held on entry and exit. */
static ap_status get_admitted(struct waiting *waiting, struct ap_ticket *ticket,
                              struct ap_step *out_step, ap_error *err) {
  struct ap_engine *engine = waiting->engine;
  ap_status status = AP_OK;
  for (;;) {
    *out_step = ap_admission_next(&engine->admission, ticket);
    if (out_step->kind == AP_STEP_TAKE || out_step->kind == AP_STEP_OPEN) return AP_OK;
    if (out_step->kind == AP_STEP_SHRINK) {
      shrink(engine, out_step);
      continue;
    }
    int64_t left_ms = (waiting->until_us - now_us(engine) + 999) / 1000;
    if (left_ms <= 0) {
      status = fail_busy(waiting, err);
      break;
    }
    status = need_condition(waiting, err);
    if (status != AP_OK) break;
    ticket->waiter = waiting->condition;
    status = wait_a_while(waiting, left_ms < POLL_MS ? left_ms : POLL_MS, err);
    if (status != AP_OK) break;
  }
  return status;
}

static void begin_use(struct ap_chamber *chamber) {
  atomic_store(&chamber->interrupted, false);
  atomic_store(&chamber->timed_out, false);
  chamber->use_count++;
  chamber->taken_us = now_us(chamber->engine);
}

/* Open the chamber of a slot that was reserved. */
static ap_status open_slot(struct ap_engine *engine, const struct ap_step *step,
                           struct ap_chamber **out_chamber, ap_error *err) {
  struct ap_chamber *chamber = NULL;
  ap_status status = ap_chamber_open(engine, 1, step->limit_bytes, &chamber, err);
  lock(engine);
  if (status == AP_OK) {
    chamber->slot = step->slot;
    engine->chambers[step->slot] = chamber;
    *out_chamber = chamber;
  }
  ap_admission_opened(&engine->admission, step->slot, status == AP_OK);
  if (step->slot > 0) ap_engine_need_alarms(engine); /* they close it when nobody needs it */
  wake_next(engine);
  unlock(engine);
  return status;
}

/* yielded: the turn of the chamber that a large work gave back; NULL: it is not known to be one. */
static ap_status admit(struct ap_engine *engine, const struct ap_chamber_request *request,
                       const uint64_t *yielded, struct ap_chamber **out_chamber, ap_error *err) {
  struct ap_ticket ticket = {.session = request->session, .work = request->work};
  if (yielded) {
    ticket.large = true;
    ticket.turn = *yielded;
  }
  struct waiting waiting = {.engine = engine,
                            .request = request,
                            .until_us = now_us(engine) + request->timeout_ms * 1000};
  struct ap_step step = {.kind = AP_STEP_WAIT};
  int64_t delay_ms = 0;
  AP_TRY(regulate(engine, request, &delay_ms, err));
  lock(engine);
  ap_status status = AP_OK;
  if (delay_ms > 0) status = need_condition(&waiting, err);
  if (status == AP_OK && delay_ms > 0) status = wait_a_while(&waiting, delay_ms, err);
  if (status == AP_OK && !ap_admission_enter(&engine->admission, &ticket)) {
    status = fail_full(engine, err);
  }
  if (status == AP_OK) status = get_admitted(&waiting, &ticket, &step, err);
  ap_admission_leave(&engine->admission, &ticket);
  wake_next(engine); /* the next in turn may have been waiting for this one */
  unlock(engine);
  if (waiting.condition) {
    engine->env->threads->condition_destroy(engine->env->threads, waiting.condition);
  }
  if (status != AP_OK) return status;
  *out_chamber = engine->chambers[step.slot];
  if (step.kind == AP_STEP_OPEN) AP_TRY(open_slot(engine, &step, out_chamber, err));
  begin_use(*out_chamber);
  (*out_chamber)->wish = (struct ap_wish){.bees_max = request->bees_max,
                                          .memory_max_bytes = request->memory_max_bytes};
  return AP_OK;
}

ap_status ap_chamber_admit(struct ap_engine *engine, const struct ap_chamber_request *request,
                           struct ap_chamber **out_chamber, ap_error *err) {
  return admit(engine, request, NULL, out_chamber, err);
}

/* ---- claims ---------------------------------------------------------------------------------- */

/* Steps until the chamber is granted its bees, or shall yield. */
static struct ap_step negotiate(struct ap_chamber *chamber, const struct ap_wish *wish) {
  struct ap_engine *engine = chamber->engine;
  struct ap_threads *threads = engine->env->threads;
  struct ap_step step;
  lock(engine);
  for (;;) {
    step = ap_admission_claim(&engine->admission, chamber->slot, wish);
    if (step.kind == AP_STEP_SHRINK) {
      shrink(engine, &step);
    } else if (step.kind == AP_STEP_WAIT) {
      threads->wait(threads, engine->changed, engine->mutex, VISIT_WAIT_MS);
    } else {
      break;
    }
  }
  unlock(engine);
  return step;
}

/* A chamber that cannot be set as granted works on with what it has. */
static void carry_out(struct ap_chamber *chamber, const struct ap_step *step) {
  struct ap_engine *engine = chamber->engine;
  bool ok = apply(chamber, step->bees, step->limit_bytes);
  lock(engine);
  if (ok) chamber->limit_bytes = step->limit_bytes;
  ap_admission_settle(&engine->admission, chamber->slot, chamber->limit_bytes);
  wake_next(engine);
  unlock(engine);
  chamber->bees = step->bees;
}

ap_status ap_chamber_claim(struct ap_chamber **io_chamber, const struct ap_chamber_request *request,
                           ap_error *err) {
  struct ap_chamber *chamber = *io_chamber;
  struct ap_engine *engine = chamber->engine;
  struct ap_wish wish = {.bees_max = request->bees_max,
                         .memory_max_bytes = request->memory_max_bytes,
                         .may_yield = request->work == AP_WORK_QUERY && !request->inner};
  if (chamber->spare) return AP_OK;
  struct ap_step step = negotiate(chamber, &wish);
  if (step.kind == AP_STEP_YIELD) {
    uint64_t turn = engine->admission.slots[chamber->slot].turn; /* its holder's alone */
    *io_chamber = NULL;
    ap_chamber_release(chamber);
    AP_TRY(admit(engine, request, &turn, io_chamber, err));
    chamber = *io_chamber;
    wish.may_yield = false;
    step = negotiate(chamber, &wish);
  }
  carry_out(chamber, &step);
  return AP_OK;
}

ap_status ap_chamber_acquire(struct ap_engine *engine, int64_t timeout_ms,
                             struct ap_chamber **out_chamber, ap_error *err) {
  const struct ap_chamber_request request = {.work = AP_WORK_WRITE, .timeout_ms = timeout_ms};
  AP_TRY(ap_chamber_admit(engine, &request, out_chamber, err));
  return ap_chamber_claim(out_chamber, &request, err);
}

/* ---- giving back ----------------------------------------------------------------------------- */

void ap_chamber_park(struct ap_chamber *chamber) {
  struct ap_engine *engine = chamber->engine;
  if (chamber->spare) return;
  lock(engine);
  ap_admission_park(&engine->admission, chamber->slot);
  wake_next(engine);
  unlock(engine);
}

void ap_chamber_resume(struct ap_chamber *chamber) {
  struct ap_engine *engine = chamber->engine;
  if (chamber->spare) return;
  lock(engine);
  ap_admission_resume(&engine->admission, chamber->slot);
  unlock(engine);
}

/* Close a chamber whose slot is closing. */
void ap_pool_close_slot(struct ap_engine *engine, uint32_t slot) {
  struct ap_chamber *chamber = engine->chambers[slot];
  ap_chamber_close(chamber);
  lock(engine);
  engine->chambers[slot] = NULL;
  ap_admission_closed(&engine->admission, slot);
  wake_next(engine);
  unlock(engine);
}

static void release_spare(struct ap_chamber *chamber) {
  struct ap_engine *engine = chamber->engine;
  if (chamber->broken) {
    engine->codec_chamber = NULL;
    ap_chamber_close(chamber);
  }
  engine->env->threads->unlock(engine->env->threads, engine->codec_mutex);
}

/* A mean that forgets: an eighth of each new figure. Lock held. */
static void note_hold(struct ap_engine *engine, int64_t held_us) {
  engine->mean_hold_us += (held_us - engine->mean_hold_us) / 8;
}

/* Where the process holds nearly all that the engine may use, what the engine has freed and its
 * allocator keeps goes back to the machine, now and then: to set the limit does that. */
static void trim_memory(struct ap_chamber *chamber) {
  struct ap_engine *engine = chamber->engine;
  if (chamber->broken) return;
  if (ap_machine_own_bytes() < engine->options.memory_bytes / 4 * 3) return;
  int64_t now = now_us(engine);
  lock(engine);
  bool due = engine->trimmed_us == 0 || now - engine->trimmed_us >= TRIM_INTERVAL_US;
  if (due) engine->trimmed_us = now;
  int64_t limit_bytes = chamber->limit_bytes;
  bool mine = due && ap_admission_visit(&engine->admission, chamber->slot);
  unlock(engine);
  if (!mine) return;
  char sql[64];
  snprintf(sql, sizeof sql, "SET memory_limit = '%lldB'", (long long)limit_bytes);
  (void)!run_setting(chamber->connection, sql);
  lock(engine);
  ap_admission_visited(&engine->admission, chamber->slot, true);
  wake_next(engine);
  unlock(engine);
}

void ap_chamber_release(struct ap_chamber *chamber) {
  if (!chamber) return;
  struct ap_engine *engine = chamber->engine;
  struct ap_threads *threads = engine->env->threads;
  AP_ASSERT(!chamber->source);
  ap_chamber_heed(chamber, NULL);
  ap_chamber_detach_retired(chamber);
  ap_chamber_forget_options(chamber);
  if (chamber->spare) {
    release_spare(chamber);
    return;
  }
  trim_memory(chamber);
  lock(engine);
  uint32_t index = chamber->slot;
  while (engine->admission.slots[index].visited) {
    threads->wait(threads, engine->changed, engine->mutex, VISIT_WAIT_MS);
  }
  bool broken = chamber->broken;
  chamber->idle_since_us = now_us(engine);
  note_hold(engine, chamber->idle_since_us - chamber->taken_us);
  ap_admission_release(&engine->admission, index, broken);
  if (!broken) wake_next(engine);
  unlock(engine);
  if (broken) ap_pool_close_slot(engine, index);
}

ap_status ap_chamber_acquire_for_codec(struct ap_engine *engine, struct ap_chamber **out_chamber,
                                       ap_error *err) {
  const struct ap_chamber_request request = {.work = AP_WORK_WRITE, .inner = true};
  ap_error failure = {0};
  ap_status status = ap_chamber_admit(engine, &request, out_chamber, &failure);
  if (status != AP_OK && status != AP_BUSY && err) *err = failure;
  if (status != AP_BUSY) return status;
  struct ap_threads *threads = engine->env->threads;
  threads->lock(threads, engine->codec_mutex);
  if (!engine->codec_chamber) {
    status = ap_chamber_open(engine, 1, engine->admission.floor_bytes, &engine->codec_chamber, err);
    if (status != AP_OK) {
      threads->unlock(threads, engine->codec_mutex);
      return status;
    }
    engine->codec_chamber->spare = true;
  }
  begin_use(engine->codec_chamber);
  *out_chamber = engine->codec_chamber;
  return AP_OK;
}

/* Close one chamber that has been idle for long, but not the last one. Lock held on entry and exit,
 * not meanwhile. */
bool ap_pool_trim(struct ap_engine *engine) {
  struct ap_admission_figures figures;
  ap_admission_get_figures(&engine->admission, &figures);
  if (figures.open < 2) return false;
  int64_t before_us = now_us(engine) - AP_CHAMBER_IDLE_MS * 1000;
  for (uint32_t i = engine->admission.chambers_max; i-- > 0;) {
    const struct ap_slot *slot = &engine->admission.slots[i];
    if (slot->state != AP_SLOT_IDLE || slot->visited) continue;
    if (engine->chambers[i]->idle_since_us > before_us) continue;
    ap_admission_retire(&engine->admission, i);
    unlock(engine);
    ap_pool_close_slot(engine, i);
    lock(engine);
    return true;
  }
  return false;
}

void ap_chamber_get_usage(struct ap_chamber *chamber, struct ap_chamber_usage *out_usage) {
  *out_usage = (struct ap_chamber_usage){
      .bees = chamber->bees,
      .budget_bytes = chamber->limit_bytes,
      .memory_used_bytes = measure(chamber),
  };
}
