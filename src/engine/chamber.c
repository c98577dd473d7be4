/* SPDX-License-Identifier: Apache-2.0
 *
 * The pool of chambers: opening, lending, taking back, closing.
 *
 * A chamber is opened outside the lock, so that others come and go meanwhile. What a holder leaves
 * behind in a chamber is only what speeds up the next one: bound frames and prepared statements.
 */
#include "engine/chamber.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/status.h"

#include <stdio.h>

ap_status ap_engine_create(const struct ap_env *env, const struct ap_engine_options *options,
                           struct ap_engine **out_engine, ap_error *err) {
  AP_ASSERT(options->chambers_max >= 1 && options->chambers_max <= AP_CHAMBERS_MAX);
  AP_ASSERT(options->threads >= 1 && options->memory_limit_bytes > 0);
  struct ap_engine *engine = ap_allocate_zeroed(env->allocator, 1, sizeof(*engine));
  if (!engine) return AP_FAIL_MEMORY(err);
  engine->env = env;
  engine->options = *options;
  ap_codec_init(&engine->codec);
  engine->scratch = ap_string_copy(env->allocator, ap_text_of(options->scratch_folder));
  engine->options.scratch_folder = engine->scratch;
  ap_status status = engine->scratch ? AP_OK : AP_FAIL_MEMORY(err);
  struct ap_threads *threads = env->threads;
  if (status == AP_OK) status = threads->mutex_create(threads, &engine->mutex, err);
  if (status == AP_OK) status = threads->mutex_create(threads, &engine->codec_mutex, err);
  if (status == AP_OK) status = threads->condition_create(threads, &engine->returned, err);
  if (status == AP_OK) status = threads->condition_create(threads, &engine->alarm_changed, err);
  if (status != AP_OK) {
    ap_engine_destroy(engine);
    return status;
  }
  *out_engine = engine;
  return AP_OK;
}

void ap_engine_destroy(struct ap_engine *engine) {
  if (!engine) return;
  AP_ASSERT(engine->busy_count == 0 && engine->opening_count == 0);
  struct ap_threads *threads = engine->env->threads;
  ap_engine_stop_alarms(engine);
  for (uint32_t i = 0; i < engine->chamber_count; i++) ap_chamber_close(engine->chambers[i]);
  ap_chamber_close(engine->codec_chamber);
  if (engine->scratch) (void)!ap_files_remove_tree(engine->env->files, engine->scratch, NULL);
  threads->condition_destroy(threads, engine->alarm_changed);
  threads->condition_destroy(threads, engine->returned);
  threads->mutex_destroy(threads, engine->codec_mutex);
  threads->mutex_destroy(threads, engine->mutex);
  ap_free(engine->env->allocator, engine->scratch);
  ap_free(engine->env->allocator, engine);
}

struct ap_codec *ap_engine_codec(struct ap_engine *engine) {
  return &engine->codec;
}

const char *ap_engine_library_version(void) {
  return duckdb_library_version();
}

/* An idle chamber, now busy; NULL when there is none. Lock held. The first one is preferred, since
 * its caches are the warmest. */
static struct ap_chamber *take_idle(struct ap_engine *engine) {
  for (uint32_t i = 0; i < engine->chamber_count; i++) {
    struct ap_chamber *chamber = engine->chambers[i];
    if (chamber->busy) continue;
    chamber->busy = true;
    engine->busy_count++;
    return chamber;
  }
  return NULL;
}

/* What an idle chamber keeps in memory, by its own account; the old figure when it cannot tell. */
static int64_t measure(struct ap_chamber *chamber) {
  duckdb_result result = {0};
  ap_status status =
      ap_chamber_run(chamber, "SELECT CAST(sum(memory_usage_bytes) AS BIGINT) FROM duckdb_memory()",
                     &result, NULL);
  if (status != AP_OK) return atomic_load(&chamber->memory_used_bytes);
  int64_t used = atomic_load(&chamber->memory_used_bytes);
  duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
  if (chunk) {
    used = *(const int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
    duckdb_destroy_data_chunk(&chunk);
  }
  duckdb_destroy_result(&result);
  return used;
}

void ap_engine_get_status(struct ap_engine *engine, struct ap_engine_status *out_status) {
  struct ap_threads *threads = engine->env->threads;
  struct ap_chamber *idle[AP_CHAMBERS_MAX];
  uint32_t idle_count = 0;
  threads->lock(threads, engine->mutex);
  out_status->chambers_open = engine->chamber_count;
  out_status->chambers_busy = engine->busy_count;
  struct ap_chamber *taken;
  while ((taken = take_idle(engine)) != NULL) idle[idle_count++] = taken;
  threads->unlock(threads, engine->mutex);
  for (uint32_t i = 0; i < idle_count; i++) {
    atomic_store(&idle[i]->memory_used_bytes, measure(idle[i]));
    ap_chamber_release(idle[i]);
  }
  threads->lock(threads, engine->mutex);
  out_status->memory_used_bytes = 0;
  for (uint32_t i = 0; i < engine->chamber_count; i++) {
    out_status->memory_used_bytes += atomic_load(&engine->chambers[i]->memory_used_bytes);
  }
  threads->unlock(threads, engine->mutex);
}

/* Open one more. The place was reserved in opening_count; lock not held. */
static ap_status open_more(struct ap_engine *engine, struct ap_chamber **out_chamber,
                           ap_error *err) {
  struct ap_threads *threads = engine->env->threads;
  struct ap_chamber *chamber = NULL;
  ap_status status = ap_chamber_open(engine, false, &chamber, err);
  threads->lock(threads, engine->mutex);
  engine->opening_count--;
  if (status == AP_OK) {
    chamber->busy = true;
    engine->chambers[engine->chamber_count++] = chamber;
    engine->busy_count++;
    *out_chamber = chamber;
  }
  threads->wake_all(threads, engine->returned);
  threads->unlock(threads, engine->mutex);
  return status;
}

static void begin_use(struct ap_chamber *chamber) {
  atomic_store(&chamber->interrupted, false);
  atomic_store(&chamber->timed_out, false);
  chamber->use_count++;
}

ap_status ap_chamber_acquire(struct ap_engine *engine, int64_t timeout_ms,
                             struct ap_chamber **out_chamber, ap_error *err) {
  struct ap_threads *threads = engine->env->threads;
  int64_t deadline_us = ap_clock_monotonic_us(engine->env->clock) + timeout_ms * 1000;
  struct ap_chamber *chamber = NULL;
  bool may_open = false;
  threads->lock(threads, engine->mutex);
  for (;;) {
    chamber = take_idle(engine);
    if (chamber) break;
    may_open = engine->chamber_count + engine->opening_count < engine->options.chambers_max;
    if (may_open) {
      engine->opening_count++;
      break;
    }
    int64_t left_ms = (deadline_us - ap_clock_monotonic_us(engine->env->clock) + 999) / 1000;
    if (left_ms <= 0) break;
    threads->wait(threads, engine->returned, engine->mutex, left_ms);
  }
  threads->unlock(threads, engine->mutex);
  if (may_open && !chamber) AP_TRY(open_more(engine, &chamber, err));
  if (!chamber) {
    (void)AP_FAIL(err, AP_BUSY, "all %u chambers are busy, and none came free within %lld ms",
                  engine->options.chambers_max, (long long)timeout_ms);
    ap_error_hint(err, "try again, or close result streams that are no longer read");
    return AP_BUSY;
  }
  begin_use(chamber);
  *out_chamber = chamber;
  return AP_OK;
}

/* Take a chamber out of the pool's list. Lock held. */
static void forget(struct ap_engine *engine, const struct ap_chamber *chamber) {
  for (uint32_t i = 0; i < engine->chamber_count; i++) {
    if (engine->chambers[i] != chamber) continue;
    engine->chambers[i] = engine->chambers[--engine->chamber_count]; /* the order is no promise */
    return;
  }
}

void ap_chamber_release(struct ap_chamber *chamber) {
  if (!chamber) return;
  struct ap_engine *engine = chamber->engine;
  struct ap_threads *threads = engine->env->threads;
  AP_ASSERT(!chamber->source);
  ap_chamber_set_alarm(chamber, 0);
  ap_chamber_detach_retired(chamber);
  ap_chamber_forget_options(chamber);
  if (chamber->spare) {
    if (chamber->broken) {
      engine->codec_chamber = NULL;
      ap_chamber_close(chamber);
    }
    threads->unlock(threads, engine->codec_mutex);
    return;
  }
  threads->lock(threads, engine->mutex);
  AP_ASSERT(chamber->busy && engine->busy_count > 0);
  chamber->busy = false;
  engine->busy_count--;
  bool broken = chamber->broken;
  if (broken) forget(engine, chamber);
  threads->wake_all(threads, engine->returned);
  threads->unlock(threads, engine->mutex);
  if (broken) ap_chamber_close(chamber);
}

ap_status ap_chamber_acquire_for_codec(struct ap_engine *engine, struct ap_chamber **out_chamber,
                                       ap_error *err) {
  ap_error failure = {0};
  ap_status status = ap_chamber_acquire(engine, 0, out_chamber, &failure);
  if (status != AP_OK && status != AP_BUSY && err) *err = failure;
  if (status != AP_BUSY) return status;
  struct ap_threads *threads = engine->env->threads;
  threads->lock(threads, engine->codec_mutex);
  if (!engine->codec_chamber) {
    status = ap_chamber_open(engine, true, &engine->codec_chamber, err);
    if (status != AP_OK) {
      threads->unlock(threads, engine->codec_mutex);
      return status;
    }
  }
  begin_use(engine->codec_chamber);
  *out_chamber = engine->codec_chamber;
  return AP_OK;
}

void ap_chamber_interrupt(struct ap_chamber *chamber) {
  atomic_store(&chamber->interrupted, true);
  duckdb_interrupt(chamber->connection);
}

void ap_engine_interrupt(struct ap_engine *engine, struct ap_run_handle *handle) {
  struct ap_threads *threads = engine->env->threads;
  threads->lock(threads, engine->mutex);
  if (handle->chamber) ap_chamber_interrupt(handle->chamber);
  threads->unlock(threads, engine->mutex);
}

static ap_status set_option(duckdb_config config, const char *name, const char *value,
                            ap_error *err) {
  if (duckdb_set_config(config, name, value) == DuckDBSuccess) return AP_OK;
  return AP_FAIL(err, AP_INTERNAL, "the engine does not know the option %s = %s", name, value);
}

/* Extensions are never fetched: what is needed is built in. A memory limit in bytes is exact. */
static ap_status configure(const struct ap_chamber *chamber, duckdb_config config, ap_error *err) {
  char threads[16];
  char memory[32];
  const struct ap_engine_options *options = &chamber->engine->options;
  snprintf(threads, sizeof threads, "%u", options->threads);
  snprintf(memory, sizeof memory, "%lldB", (long long)options->memory_limit_bytes);
  AP_TRY(set_option(config, "autoinstall_known_extensions", "false", err));
  AP_TRY(set_option(config, "autoload_known_extensions", "false", err));
  AP_TRY(set_option(config, "threads", threads, err));
  AP_TRY(set_option(config, "memory_limit", memory, err));
  return set_option(config, "temp_directory", chamber->scratch, err);
}

/* With more partitions than this in one write some of them get several cells; it stays well below
 * the 1,024 files that a process may usually have open. */
#define PARTITION_FILES_OPEN "512"

static ap_status open_database(struct ap_chamber *chamber, ap_error *err) {
  duckdb_config config = NULL;
  if (duckdb_create_config(&config) != DuckDBSuccess) return AP_FAIL_MEMORY(err);
  char *message = NULL;
  ap_status status = configure(chamber, config, err);
  if (status == AP_OK &&
      duckdb_open_ext(NULL, &chamber->database, config, &message) != DuckDBSuccess) {
    status = ap_chamber_fail(chamber, DUCKDB_ERROR_INVALID, message, err);
    ap_error_prefix(err, status, "opening a chamber");
  }
  if (message) duckdb_free(message);
  duckdb_destroy_config(&config);
  if (status != AP_OK) return status;
  if (duckdb_connect(chamber->database, &chamber->connection) != DuckDBSuccess) {
    return AP_FAIL_MEMORY(err);
  }
  /* No name of a hive or box begins with '_', so that nothing of theirs is ever found here. */
  return ap_chamber_run(chamber,
                        "SET TimeZone = 'UTC';"
                        "SET partitioned_write_max_open_files = " PARTITION_FILES_OPEN
                        ";"
                        "ATTACH ':memory:' AS _ap;"
                        "USE _ap.main;"
                        "DETACH memory;",
                        NULL, err);
}

ap_status ap_chamber_open(struct ap_engine *engine, bool spare, struct ap_chamber **out_chamber,
                          ap_error *err) {
  struct ap_allocator *allocator = engine->env->allocator;
  struct ap_chamber *chamber = ap_allocate_zeroed(allocator, 1, sizeof(*chamber));
  if (!chamber) return AP_FAIL_MEMORY(err);
  chamber->engine = engine;
  chamber->spare = spare;
  atomic_init(&chamber->interrupted, false);
  atomic_init(&chamber->timed_out, false);
  ap_buffer_init(&chamber->known, allocator);
  ap_buffer_init(&chamber->current, allocator);
  struct ap_buffer path;
  ap_buffer_init(&path, allocator);
  struct ap_threads *threads = engine->env->threads;
  threads->lock(threads, engine->mutex);
  uint64_t number = engine->chamber_number_next++;
  threads->unlock(threads, engine->mutex);
  ap_buffer_append_format(&path, "%s/chamber-%llu", engine->scratch, (unsigned long long)number);
  ap_status status = ap_buffer_check(&path, err);
  if (status != AP_OK) goto fail;
  chamber->scratch = ap_string_copy(allocator, ap_buffer_text(&path));
  if (!chamber->scratch) {
    status = AP_FAIL_MEMORY(err);
    goto fail;
  }
  /* The engine makes the chamber's folder when it spills, but none above it. Where none can be made
   * (a root that may only be read), what fits into memory runs all the same. */
  struct ap_files *files = engine->env->files;
  (void)!files->make_folders(files, engine->scratch, NULL);
  status = open_database(chamber, err);
  if (status != AP_OK) goto fail;
  ap_buffer_deinit(&path);
  *out_chamber = chamber;
  return AP_OK;

fail:
  ap_buffer_deinit(&path);
  ap_chamber_close(chamber);
  return status;
}

void ap_chamber_close(struct ap_chamber *chamber) {
  if (!chamber) return;
  struct ap_engine *engine = chamber->engine;
  for (int i = 0; i < AP_PREPARED_COUNT; i++) {
    if (chamber->prepared[i]) duckdb_destroy_prepare(&chamber->prepared[i]);
  }
  ap_chamber_forget_frames(chamber);
  if (chamber->connection) duckdb_disconnect(&chamber->connection);
  if (chamber->database) duckdb_close(&chamber->database);
  ap_chamber_release_attached(chamber);
  if (chamber->scratch) {
    (void)!ap_files_remove_tree(engine->env->files, chamber->scratch, NULL);
  }
  ap_buffer_deinit(&chamber->known);
  ap_buffer_deinit(&chamber->current);
  ap_free(engine->env->allocator, chamber->scratch);
  ap_free(engine->env->allocator, chamber);
}
