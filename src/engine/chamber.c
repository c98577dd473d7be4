/* SPDX-License-Identifier: Apache-2.0
 *
 * Engines and chambers: making and closing them. Lending them is pool.c's.
 *
 * What a holder leaves behind in a chamber is only what speeds up the next one: bound frames and
 * prepared statements.
 */
#include "engine/chamber.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/status.h"

#include <stdio.h>

ap_status ap_engine_create(const struct ap_env *env, const struct ap_engine_options *options,
                           struct ap_engine **out_engine, ap_error *err) {
  AP_ASSERT(options->chambers_max >= 1 && options->chambers_max <= AP_CHAMBERS_MAX);
  AP_ASSERT(options->bees >= 1 && options->memory_bytes > 0);
  struct ap_engine *engine = ap_allocate_zeroed(env->allocator, 1, sizeof(*engine));
  if (!engine) return AP_FAIL_MEMORY(err);
  engine->env = env;
  engine->options = *options;
  ap_codec_init(&engine->codec);
  ap_admission_init(&engine->admission, options->bees, options->chambers_max,
                    options->memory_bytes);
  engine->scratch = ap_string_copy(env->allocator, ap_text_of(options->scratch_folder));
  engine->options.scratch_folder = engine->scratch;
  ap_status status = engine->scratch ? AP_OK : AP_FAIL_MEMORY(err);
  struct ap_threads *threads = env->threads;
  if (status == AP_OK) status = threads->mutex_create(threads, &engine->mutex, err);
  if (status == AP_OK) status = threads->mutex_create(threads, &engine->codec_mutex, err);
  if (status == AP_OK) status = threads->condition_create(threads, &engine->changed, err);
  if (status == AP_OK) status = threads->condition_create(threads, &engine->alarm_changed, err);
  if (status == AP_OK) status = threads->condition_create(threads, &engine->alarm_asked, err);
  if (status != AP_OK) {
    ap_engine_destroy(engine);
    return status;
  }
  *out_engine = engine;
  return AP_OK;
}

void ap_engine_destroy(struct ap_engine *engine) {
  if (!engine) return;
  struct ap_admission_figures figures;
  ap_admission_get_figures(&engine->admission, &figures);
  AP_ASSERT(figures.busy == 0 && figures.parked == 0 && figures.queued == 0);
  struct ap_threads *threads = engine->env->threads;
  ap_engine_stop_alarms(engine);
  for (uint32_t i = 0; i < AP_CHAMBERS_MAX; i++) ap_chamber_close(engine->chambers[i]);
  ap_chamber_close(engine->codec_chamber);
  if (engine->scratch) (void)!ap_files_remove_tree(engine->env->files, engine->scratch, NULL);
  threads->condition_destroy(threads, engine->alarm_asked);
  threads->condition_destroy(threads, engine->alarm_changed);
  threads->condition_destroy(threads, engine->changed);
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
  snprintf(threads, sizeof threads, "%u", chamber->thread_count);
  snprintf(memory, sizeof memory, "%lldB", (long long)chamber->limit_bytes);
  AP_TRY(set_option(config, "autoinstall_known_extensions", "false", err));
  AP_TRY(set_option(config, "autoload_known_extensions", "false", err));
  AP_TRY(set_option(config, "threads", threads, err));
  AP_TRY(set_option(config, "memory_limit", memory, err));
  return set_option(config, "temp_directory", chamber->scratch, err);
}

/* Set by a statement: as an option at the opening the engine shows it, but does not keep to it. */
static ap_status limit_scratch(struct ap_chamber *chamber, ap_error *err) {
  int64_t limit_bytes = chamber->engine->options.scratch_bytes;
  if (limit_bytes == 0) return AP_OK;
  char sql[64];
  snprintf(sql, sizeof sql, "SET max_temp_directory_size = '%lldB'", (long long)limit_bytes);
  return ap_chamber_run(chamber, sql, NULL, err);
}

/* The engine's allocator keeps what was freed for the next who asks; of a small budget less. */
static ap_status limit_retained(struct ap_chamber *chamber, ap_error *err) {
  int64_t bytes = chamber->engine->options.memory_bytes / 64;
  char sql[64];
  if (bytes < AP_MIB) bytes = AP_MIB;
  if (bytes > 128 * AP_MIB) bytes = 128 * AP_MIB; /* the engine's own choice */
  snprintf(sql, sizeof sql, "SET allocator_flush_threshold = '%lldB'", (long long)bytes);
  return ap_chamber_run(chamber, sql, NULL, err);
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
  AP_TRY(limit_scratch(chamber, err));
  AP_TRY(limit_retained(chamber, err));
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

ap_status ap_chamber_open(struct ap_engine *engine, uint32_t thread_count, int64_t limit_bytes,
                          struct ap_chamber **out_chamber, ap_error *err) {
  struct ap_allocator *allocator = engine->env->allocator;
  struct ap_chamber *chamber = ap_allocate_zeroed(allocator, 1, sizeof(*chamber));
  if (!chamber) return AP_FAIL_MEMORY(err);
  chamber->engine = engine;
  chamber->thread_count = thread_count;
  chamber->bees = thread_count;
  chamber->limit_bytes = limit_bytes;
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
  if (chamber->visitors) duckdb_disconnect(&chamber->visitors);
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
