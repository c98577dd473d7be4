/* SPDX-License-Identifier: Apache-2.0
 *
 * Running statements: to their end, with cancelling, deadlines and progress, and with errors in our
 * terms.
 *
 * With callbacks to ask, the holder's thread runs the work task by task and asks between tasks.
 * Otherwise the engine runs it whole. A task may last seconds (one batch through a costly function,
 * a window), so the alarm thread heeds the control meanwhile and interrupts the engine, which looks
 * whenever an operator begins a batch.
 */
#include "engine/pool.h"

#include "base/assert.h"
#include "base/status.h"

enum {
  ASK_INTERVAL_US = 10 * 1000,      /* between two questions whether to stop */
  PROGRESS_INTERVAL_US = 50 * 1000, /* between two reports of progress */
  IDLE_SPIN_US = 500,               /* look for tasks this long before sleeping between looks */
  ALARM_REPEAT_MS = 10,             /* an interrupt that came between two statements is repeated */
  ALARM_ASK_MS = 40,                /* between two questions of the alarm */
  ALARM_LINGER_US = 1000 * 1000,    /* it looks that often for so long after it was needed */
};

ap_status ap_control_check(struct ap_clock *clock, const struct ap_run_control *control,
                           ap_error *err) {
  if (control->cancelled && control->cancelled(control->context)) {
    return AP_FAIL(err, AP_CANCELLED, "the statement was cancelled");
  }
  if (control->deadline_us != 0 && ap_clock_monotonic_us(clock) >= control->deadline_us) {
    return AP_FAIL(err, AP_TIMEOUT, "the statement did not finish before its deadline");
  }
  return AP_OK;
}

ap_status ap_chamber_check_stop(struct ap_chamber *chamber, const struct ap_run_control *control,
                                ap_error *err) {
  if (atomic_load(&chamber->timed_out)) {
    return AP_FAIL(err, AP_TIMEOUT, "the statement did not finish before its deadline");
  }
  if (atomic_load(&chamber->interrupted)) {
    return AP_FAIL(err, AP_CANCELLED, "the statement was cancelled");
  }
  return control ? ap_control_check(chamber->engine->env->clock, control, err) : AP_OK;
}

void ap_chamber_report_progress(struct ap_chamber *chamber, const struct ap_run_control *control) {
  duckdb_query_progress_type progress = duckdb_query_progress(chamber->connection);
  control->progress(control->context, progress.percentage);
}

/* After an interrupt: let the statement come to its end, so that nothing of it runs on. */
static void drain(struct ap_chamber *chamber, duckdb_pending_result pending) {
  duckdb_interrupt(chamber->connection);
  while (!duckdb_pending_execution_is_finished(duckdb_pending_execute_task(pending))) {
  }
}

static ap_status run_tasks(struct ap_chamber *chamber, duckdb_pending_result pending,
                           const struct ap_run_control *control, ap_error *err) {
  struct ap_clock *clock = chamber->engine->env->clock;
  int64_t asked_us = ap_clock_monotonic_us(clock);
  int64_t reported_us = asked_us;
  int64_t worked_us = asked_us;
  for (;;) {
    duckdb_pending_state state = duckdb_pending_execute_task(pending);
    if (duckdb_pending_execution_is_finished(state)) return AP_OK;
    int64_t now_us = ap_clock_monotonic_us(clock);
    if (now_us - asked_us >= ASK_INTERVAL_US) {
      asked_us = now_us;
      ap_status status = ap_chamber_check_stop(chamber, control, err);
      if (status != AP_OK) {
        drain(chamber, pending);
        return status;
      }
    }
    if (control->progress && now_us - reported_us >= PROGRESS_INTERVAL_US) {
      reported_us = now_us;
      ap_chamber_report_progress(chamber, control);
    }
    if (state != DUCKDB_PENDING_NO_TASKS_AVAILABLE) {
      worked_us = now_us;
    } else if (now_us - worked_us > IDLE_SPIN_US) {
      ap_clock_sleep_ms(clock, 1);
    }
  }
}

/* The engine keeps account of progress only while somebody asks: it costs at every task. Printing
 * goes off first, or the settings themselves would draw a bar on a slow machine. */
static ap_status keep_progress(struct ap_chamber *chamber, const struct ap_run_control *control,
                               ap_error *err) {
  bool wanted = control && control->progress;
  if (wanted == chamber->keeps_progress) return AP_OK;
  chamber->keeps_progress = wanted;
  const char *sql = wanted ? "SET enable_progress_bar_print = false; SET progress_bar_time = 0; "
                             "SET enable_progress_bar = true"
                           : "SET enable_progress_bar = false";
  return ap_chamber_run(chamber, sql, NULL, err);
}

ap_status ap_chamber_set_care(struct ap_chamber *chamber, struct ap_engine_care care,
                              ap_error *err) {
  static const char *const settings[2][2] = {
      {"SET disabled_optimizers = ''", "SET disabled_optimizers = 'top_n,row_group_pruner'"},
      {"SET disabled_optimizers = 'expression_rewriter'",
       "SET disabled_optimizers = 'expression_rewriter,top_n,row_group_pruner'"}};
  if (chamber->care.keeps_expressions == care.keeps_expressions &&
      chamber->care.sorts_all == care.sorts_all) {
    return AP_OK;
  }
  AP_TRY(ap_chamber_run(chamber, settings[care.keeps_expressions][care.sorts_all], NULL, err));
  chamber->care = care;
  return AP_OK;
}

ap_status ap_chamber_execute(struct ap_chamber *chamber, duckdb_prepared_statement statement,
                             bool streaming, const struct ap_run_control *control,
                             duckdb_result *out_result, ap_error *err) {
  AP_TRY(keep_progress(chamber, control, err));
  duckdb_pending_result pending = NULL;
  ap_status status = AP_OK;
  duckdb_state made = streaming ? duckdb_pending_prepared_streaming(statement, &pending)
                                : duckdb_pending_prepared(statement, &pending);
  if (made != DuckDBSuccess) {
    status = ap_chamber_fail(chamber, DUCKDB_ERROR_INVALID, duckdb_pending_error(pending), err);
    duckdb_destroy_pending(&pending);
    return status;
  }
  /* The engine has forgotten earlier interrupts just now; ours are remembered. */
  ap_chamber_heed(chamber, control);
  status = ap_chamber_check_stop(chamber, control, err);
  if (status != AP_OK) {
    drain(chamber, pending); /* its tasks wait for threads, or run already */
  } else if (control && (control->cancelled || control->progress)) {
    status = run_tasks(chamber, pending, control, err);
  }
  if (status == AP_OK && duckdb_execute_pending(pending, out_result) != DuckDBSuccess) {
    status = ap_chamber_fail_result(chamber, out_result, err);
    duckdb_destroy_result(out_result);
  }
  ap_chamber_heed(chamber, NULL);
  duckdb_destroy_pending(&pending);
  return status;
}

ap_status ap_chamber_run(struct ap_chamber *chamber, const char *sql, duckdb_result *out_result,
                         ap_error *err) {
  duckdb_result result = {0};
  if (duckdb_query(chamber->connection, sql, &result) != DuckDBSuccess) {
    ap_status status = ap_chamber_fail_result(chamber, &result, err);
    duckdb_destroy_result(&result);
    return status;
  }
  if (out_result) {
    *out_result = result;
  } else {
    duckdb_destroy_result(&result);
  }
  return AP_OK;
}

ap_status ap_chamber_run_controlled(struct ap_chamber *chamber, const char *sql,
                                    const struct ap_run_control *control, duckdb_result *out_result,
                                    ap_error *err) {
  return ap_chamber_run_bound(chamber, sql, NULL, 0, control, out_result, err);
}

ap_status ap_chamber_run_bound(struct ap_chamber *chamber, const char *sql,
                               const struct ap_parameter *parameters, uint32_t parameter_count,
                               const struct ap_run_control *control, duckdb_result *out_result,
                               ap_error *err) {
  duckdb_prepared_statement statement = NULL;
  ap_status status = AP_OK;
  if (duckdb_prepare(chamber->connection, sql, &statement) != DuckDBSuccess) {
    status = ap_chamber_fail(chamber, DUCKDB_ERROR_INVALID, duckdb_prepare_error(statement), err);
  } else {
    status = ap_parameters_bind(chamber, statement, parameters, parameter_count, err);
  }
  if (status == AP_OK) {
    status = ap_chamber_execute(chamber, statement, false, control, out_result, err);
  }
  duckdb_destroy_prepare(&statement);
  return status;
}

/* Ask whether a chamber's statement is still wanted, without the lock: what is asked is not ours.
 * Lock held on entry and exit. */
static void ask_control(struct ap_engine *engine, struct ap_chamber *chamber) {
  struct ap_threads *threads = engine->env->threads;
  const struct ap_run_control *control = chamber->heeded;
  if (!control || atomic_load(&chamber->interrupted)) return;
  chamber->being_asked = true; /* its holder stays until this is over */
  threads->unlock(threads, engine->mutex);
  bool cancelled = control->cancelled(control->context);
  threads->lock(threads, engine->mutex);
  chamber->being_asked = false;
  threads->wake_all(threads, engine->alarm_asked);
  if (cancelled) atomic_store(&chamber->interrupted, true);
}

/* Interrupt whoever is late or not wanted any more; returns how long to wait for the next. Lock
 * held on entry and exit. */
static int64_t ring(struct ap_engine *engine) {
  int64_t now_us = ap_clock_monotonic_us(engine->env->clock);
  int64_t wait_ms = now_us < engine->alarm_asks_until_us ? ALARM_ASK_MS : AP_CHAMBER_IDLE_MS;
  for (uint32_t i = 0; i < engine->admission.chambers_max; i++) {
    struct ap_chamber *chamber = engine->chambers[i];
    if (!chamber || (chamber->alarm_us == 0 && !chamber->heeded)) continue;
    ask_control(engine, chamber);
    int64_t left_ms = chamber->heeded ? ALARM_ASK_MS : wait_ms;
    if (chamber->alarm_us != 0) {
      int64_t late_ms = (chamber->alarm_us - now_us + 999) / 1000;
      if (late_ms < left_ms) left_ms = late_ms;
      if (late_ms <= 0) atomic_store(&chamber->timed_out, true);
    }
    bool unwanted = chamber->heeded && atomic_load(&chamber->interrupted);
    if (unwanted || left_ms <= 0) {
      duckdb_interrupt(chamber->connection);
      left_ms = ALARM_REPEAT_MS;
    }
    if (left_ms < wait_ms) wait_ms = left_ms;
  }
  return wait_ms;
}

static void alarm_main(void *context) {
  struct ap_engine *engine = context;
  struct ap_threads *threads = engine->env->threads;
  threads->lock(threads, engine->mutex);
  while (!engine->alarm_stop) {
    if (ap_pool_trim(engine)) continue;
    engine->alarm_missed = false;
    int64_t wait_ms = ring(engine);
    if (engine->alarm_stop || engine->alarm_missed) continue;
    engine->alarm_next_us = ap_clock_monotonic_us(engine->env->clock) + wait_ms * 1000;
    threads->wait(threads, engine->alarm_changed, engine->mutex, wait_ms);
  }
  threads->unlock(threads, engine->mutex);
}

void ap_engine_need_alarms(struct ap_engine *engine) {
  struct ap_threads *threads = engine->env->threads;
  if (engine->alarm_thread) return;
  ap_status spawned = threads->spawn(threads, alarm_main, engine, &engine->alarm_thread, NULL);
  if (spawned != AP_OK) engine->alarm_thread = NULL;
}

/* Lock held. The alarm thread looks often while statements come, so that few of them wake it. */
static void heed(struct ap_chamber *chamber, const struct ap_run_control *control) {
  struct ap_engine *engine = chamber->engine;
  struct ap_threads *threads = engine->env->threads;
  int64_t now_us = ap_clock_monotonic_us(engine->env->clock);
  int64_t next_us = INT64_MAX;
  chamber->alarm_us = control->deadline_us;
  if (control->cancelled && control->asked_anywhere) chamber->heeded = control;
  if (control->handle && !control->handle->chamber) {
    chamber->heeded_handle = control->handle;
    control->handle->chamber = chamber;
  }
  if (chamber->heeded) {
    engine->alarm_asks_until_us = now_us + ALARM_LINGER_US;
    next_us = now_us + INT64_C(1000) * ALARM_ASK_MS;
  }
  if (chamber->alarm_us != 0 && chamber->alarm_us < next_us) next_us = chamber->alarm_us;
  if (next_us == INT64_MAX) return;
  engine->alarm_missed = true;
  bool asleep = !engine->alarm_thread || next_us < engine->alarm_next_us;
  ap_engine_need_alarms(engine);
  if (asleep) threads->wake_all(threads, engine->alarm_changed);
}

void ap_chamber_heed(struct ap_chamber *chamber, const struct ap_run_control *control) {
  struct ap_engine *engine = chamber->engine;
  struct ap_threads *threads = engine->env->threads;
  threads->lock(threads, engine->mutex);
  while (chamber->being_asked) {
    threads->wait(threads, engine->alarm_asked, engine->mutex, ALARM_ASK_MS);
  }
  if (chamber->heeded_handle) chamber->heeded_handle->chamber = NULL;
  chamber->heeded_handle = NULL;
  chamber->heeded = NULL;
  chamber->alarm_us = 0;
  if (control) heed(chamber, control);
  threads->unlock(threads, engine->mutex);
}

void ap_engine_stop_alarms(struct ap_engine *engine) {
  if (!engine->alarm_thread) return;
  struct ap_threads *threads = engine->env->threads;
  threads->lock(threads, engine->mutex);
  engine->alarm_stop = true;
  threads->wake_all(threads, engine->alarm_changed);
  threads->unlock(threads, engine->mutex);
  threads->join(threads, engine->alarm_thread);
  engine->alarm_thread = NULL;
}
