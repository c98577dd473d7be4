/* SPDX-License-Identifier: Apache-2.0
 *
 * See cache.h.
 */
#include "execute/cache.h"

#include "base/assert.h"
#include "base/status.h"

#include <inttypes.h>
#include <string.h>

#define LOCK_SUFFIX ".lock"

enum {
  SLICE_US = 20 * 1000,  /* at work before looking whether queries run */
  PAUSE_US = 200 * 1000, /* standing back for them, at most */
  PAUSE_STEP_MS = 5,     /* between two looks meanwhile */
  WAIT_MS = 3600 * 1000, /* for something to do */
};

struct ap_cache {
  const struct ap_env *env;
  struct ap_engine *engine;
  struct ap_store *store;
  struct ap_cache_options options;
  char *folder; /* of all nodes */
  char *id;
  char *place; /* this node's folder */
  char *lock_path;
  void *lock_handle; /* NULL: the folder is not ours yet; guarded by fill_lock */
  struct ap_mutex *lock;
  struct ap_mutex *fill_lock; /* one copy is made at a time; taken before `lock` */
  struct ap_condition *changed;
  struct ap_thread *worker; /* NULL until there is something to do; guarded by lock */
  struct ap_cache_policy *policy;
  uint64_t next_number;
  int64_t work_since_us; /* of the one who fills */
  bool filling;          /* guarded by lock */
  atomic_bool stop;
};

/* What a fill needs to know of a frame. */
struct source {
  struct ap_allocator *allocator;
  struct ap_snapshot *snapshot;
  char *location;
  char *folder;
};

static void release_source(void *context) {
  struct source *source = context;
  ap_snapshot_release(source->snapshot);
  ap_free(source->allocator, source->location);
  ap_free(source->allocator, source->folder);
  ap_free(source->allocator, source);
}

static int64_t now_us(const struct ap_cache *cache) {
  return ap_clock_monotonic_us(cache->env->clock);
}

static void lock(struct ap_cache *cache) {
  cache->env->threads->lock(cache->env->threads, cache->lock);
}

static void unlock(struct ap_cache *cache) {
  cache->env->threads->unlock(cache->env->threads, cache->lock);
}

/* ---- the folder ------------------------------------------------------------------------------ */

static ap_status format_path(struct ap_cache *cache, const char *tail, char **out_path,
                             ap_error *err) {
  struct ap_buffer path;
  ap_buffer_init(&path, cache->env->allocator);
  ap_buffer_append_format(&path, "%s/%s%s", cache->folder, cache->id, tail);
  *out_path = path.failed ? NULL : ap_string_copy(cache->env->allocator, ap_buffer_text(&path));
  ap_buffer_deinit(&path);
  return *out_path != NULL ? AP_OK : AP_FAIL_MEMORY(err);
}

/* Remove what a process left that is no more: its lock can be taken. */
static ap_status sweep_one(void *context, const char *name, enum ap_file_kind kind, ap_error *err) {
  struct ap_cache *cache = context;
  struct ap_files *files = cache->env->files;
  size_t size = strlen(name);
  size_t suffix = sizeof LOCK_SUFFIX - 1;
  if (kind != AP_FILE_REGULAR || size <= suffix) return AP_OK;
  if (strcmp(name + size - suffix, LOCK_SUFFIX) != 0) return AP_OK;
  if (strncmp(name, cache->id, size - suffix) == 0) return AP_OK;
  struct ap_buffer path;
  ap_buffer_init(&path, cache->env->allocator);
  ap_buffer_append_format(&path, "%s/%s", cache->folder, name);
  enum ap_file_lock result = AP_FILE_LOCK_HELD_ELSEWHERE;
  void *handle = NULL;
  ap_status status = ap_buffer_check(&path, err);
  if (status == AP_OK && files->try_lock(files, path.data, &result, &handle, NULL) == AP_OK &&
      result == AP_FILE_LOCK_TAKEN) {
    path.data[path.size - suffix] = '\0';
    status = ap_files_remove_tree(files, path.data, err);
    path.data[path.size - suffix] = LOCK_SUFFIX[0];
    if (status == AP_OK) status = files->remove_file(files, path.data, err);
    files->unlock(files, handle);
  }
  ap_buffer_deinit(&path);
  return status;
}

/* Make the folder this process's. Fill lock held. */
static ap_status need_place(struct ap_cache *cache, ap_error *err) {
  struct ap_files *files = cache->env->files;
  if (cache->lock_handle != NULL) return AP_OK;
  enum ap_file_lock result = AP_FILE_LOCK_HELD_ELSEWHERE;
  AP_TRY(files->make_folders(files, cache->folder, err));
  AP_TRY(files->try_lock(files, cache->lock_path, &result, &cache->lock_handle, err));
  if (result != AP_FILE_LOCK_TAKEN) {
    cache->lock_handle = NULL;
    return AP_FAIL(err, AP_BUSY, "%s is locked", cache->lock_path);
  }
  ap_status status = files->make_folder(files, cache->place, err);
  if (status == AP_OK) {
    (void)!files->list(files, cache->folder, sweep_one, cache, NULL); /* the next one tries again */
    return AP_OK;
  }
  files->unlock(files, cache->lock_handle);
  cache->lock_handle = NULL;
  return status;
}

static void leave_place(struct ap_cache *cache) {
  struct ap_files *files = cache->env->files;
  if (cache->lock_handle == NULL) return;
  (void)!ap_files_remove_tree(files, cache->place, NULL);
  (void)!files->remove_file(files, cache->lock_path, NULL);
  files->unlock(files, cache->lock_handle);
  cache->lock_handle = NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

ap_status ap_cache_create(const struct ap_env *env, struct ap_engine *engine,
                          struct ap_store *store, const struct ap_cache_options *options,
                          struct ap_cache **out_cache, ap_error *err) {
  AP_ASSERT(options->budget_bytes > 0 && options->memory_limit_bytes > 0);
  struct ap_threads *threads = env->threads;
  struct ap_cache *cache = ap_allocate_zeroed(env->allocator, 1, sizeof *cache);
  if (cache == NULL) return AP_FAIL_MEMORY(err);
  cache->env = env;
  cache->engine = engine;
  cache->store = store;
  cache->options = *options;
  atomic_init(&cache->stop, false);
  const struct ap_cache_policy_options policy = {.allocator = env->allocator,
                                                 .budget_bytes = options->budget_bytes,
                                                 .eager = options->eager,
                                                 .release_source = release_source};
  cache->folder = ap_string_copy(env->allocator, ap_text_of(options->folder));
  cache->id = ap_string_copy(env->allocator, ap_text_of(options->id));
  ap_status status = cache->folder && cache->id ? AP_OK : AP_FAIL_MEMORY(err);
  if (status == AP_OK) status = format_path(cache, "", &cache->place, err);
  if (status == AP_OK) status = format_path(cache, LOCK_SUFFIX, &cache->lock_path, err);
  if (status == AP_OK) status = threads->mutex_create(threads, &cache->lock, err);
  if (status == AP_OK) status = threads->mutex_create(threads, &cache->fill_lock, err);
  if (status == AP_OK) status = threads->condition_create(threads, &cache->changed, err);
  if (status == AP_OK) status = ap_cache_policy_create(&policy, &cache->policy, err);
  if (status != AP_OK) {
    ap_cache_destroy(cache);
    return status;
  }
  *out_cache = cache;
  return AP_OK;
}

/* Remove the files of copies that were taken out. */
static void let_go(struct ap_cache *cache) {
  for (;;) {
    lock(cache);
    struct ap_native_copy *copy = ap_cache_policy_take_retired(cache->policy);
    unlock(cache);
    if (copy == NULL) return;
    ap_native_copy_retire(copy);
    ap_native_copy_release(copy);
  }
}

static void stop_worker(struct ap_cache *cache) {
  struct ap_threads *threads = cache->env->threads;
  atomic_store(&cache->stop, true);
  if (cache->worker == NULL) return;
  lock(cache);
  threads->wake_all(threads, cache->changed);
  unlock(cache);
  threads->join(threads, cache->worker);
  cache->worker = NULL;
}

void ap_cache_destroy(struct ap_cache *cache) {
  if (cache == NULL) return;
  struct ap_threads *threads = cache->env->threads;
  if (cache->policy != NULL) {
    stop_worker(cache);
    ap_cache_policy_clear(cache->policy);
    let_go(cache);
    ap_cache_policy_destroy(cache->policy);
  }
  leave_place(cache);
  threads->condition_destroy(threads, cache->changed);
  threads->mutex_destroy(threads, cache->fill_lock);
  threads->mutex_destroy(threads, cache->lock);
  ap_free(cache->env->allocator, cache->lock_path);
  ap_free(cache->env->allocator, cache->place);
  ap_free(cache->env->allocator, cache->id);
  ap_free(cache->env->allocator, cache->folder);
  ap_free(cache->env->allocator, cache);
}

/* ---- filling --------------------------------------------------------------------------------- */

/* Asked by the engine every few milliseconds of work: stand back while queries run, longer when
 * there are more of them than bees. True: stop. */
static bool stand_back(void *context) {
  struct ap_cache *cache = context;
  if (cache->options.eager) return atomic_load(&cache->stop);
  int64_t now = now_us(cache);
  if (now - cache->work_since_us < SLICE_US) return atomic_load(&cache->stop);
  int64_t until_us = now + PAUSE_US;
  while (!atomic_load(&cache->stop)) {
    uint32_t busy = ap_engine_busy_count(cache->engine);
    if (busy == 0 || (busy <= cache->options.bees && now >= until_us)) break;
    ap_clock_sleep_ms(cache->env->clock, PAUSE_STEP_MS);
    now = now_us(cache);
  }
  cache->work_since_us = now;
  return atomic_load(&cache->stop);
}

/* Look up the deleted rows of the cells that have any. */
static ap_status find_deleted_rows(struct ap_cache *cache, const struct source *source,
                                   struct ap_arena *arena, struct ap_frame_binding *binding,
                                   ap_error *err) {
  struct ap_ledger *ledger = NULL;
  const uint64_t **rows = NULL;
  uint64_t *counts = NULL;
  ap_status status = AP_OK;
  for (uint32_t i = 0; i < binding->cell_count && status == AP_OK; ++i) {
    if (binding->cells[i]->deletion_vector.storage_type == 0) continue;
    if (ledger == NULL) {
      rows = AP_ARENA_ARRAY(arena, const uint64_t *, binding->cell_count);
      counts = AP_ARENA_ARRAY(arena, uint64_t, binding->cell_count);
      if (rows == NULL || counts == NULL) return AP_FAIL_MEMORY(err);
      AP_TRY(ap_ledger_open(cache->env, cache->store, ap_engine_codec(cache->engine),
                            ap_text_of(source->location), &ledger, err));
    }
    status = ap_ledger_deleted_rows(ledger, binding->cells[i], arena, &rows[i], &counts[i], err);
  }
  ap_ledger_close(ledger);
  binding->deleted_rows = rows;
  binding->deleted_row_counts = counts;
  return status;
}

static ap_status make_copy(struct ap_cache *cache, const struct ap_cache_fill *fill,
                           const struct source *source, struct ap_native_copy **out_copy,
                           ap_error *err) {
  const struct ap_snapshot *snapshot = source->snapshot;
  struct ap_arena arena;
  ap_arena_init(&arena, cache->env->allocator);
  struct ap_frame_binding binding = {
      .hive = AP_TEXT("_ap"),
      .box = AP_TEXT("main"),
      .name = AP_TEXT("cells"),
      .folder = ap_text_of(source->folder),
      .schema = &snapshot->schema,
      .physical = &snapshot->physical,
      .schema_id = snapshot->schema_id,
      .physical_schema_id = snapshot->physical_schema_id,
      .map_by_id = snapshot->mapping == AP_MAPPING_ID,
      .partition_columns = snapshot->partition_columns,
      .partition_column_count = snapshot->partition_column_count,
      .cells = fill->cells,
      .cell_count = fill->cell_count,
  };
  const struct ap_run_control control = {.cancelled = stand_back, .context = cache};
  uint64_t number = cache->next_number++;
  struct ap_native_request request = {
      .binding = &binding,
      .path = ap_arena_format(&arena, "%s/%" PRIu64 ".db", cache->place, number),
      .number = number,
      .memory_limit_bytes = cache->options.memory_limit_bytes,
      .control = &control,
  };
  ap_status status = request.path != NULL ? need_place(cache, err) : AP_FAIL_MEMORY(err);
  if (status == AP_OK) status = find_deleted_rows(cache, source, &arena, &binding, err);
  if (status == AP_OK) status = ap_native_copy_make(cache->engine, &request, out_copy, err);
  ap_arena_deinit(&arena);
  return status;
}

/* Choose a fill and hold what it needs; false: there is nothing to do. Lock not held. */
static bool begin_fill(struct ap_cache *cache, struct ap_cache_entry *only,
                       struct ap_cache_fill *fill, struct source *out_source) {
  lock(cache);
  bool chosen = ap_cache_policy_choose(cache->policy, only, now_us(cache), fill);
  if (chosen) {
    const struct source *source = *ap_cache_entry_source(fill->entry); /* see look */
    AP_ASSERT(source != NULL);
    *out_source = (struct source){
        .allocator = source->allocator,
        .snapshot = ap_snapshot_retain(source->snapshot),
        .location = ap_string_copy(source->allocator, ap_text_of(source->location)),
        .folder = ap_string_copy(source->allocator, ap_text_of(source->folder)),
    };
    cache->filling = true;
  }
  unlock(cache);
  return chosen;
}

/* Make one copy, if there is one to make. Whether there was. */
static bool fill_one(struct ap_cache *cache, struct ap_cache_entry *only) {
  struct ap_threads *threads = cache->env->threads;
  struct ap_cache_fill fill;
  struct source source;
  threads->lock(threads, cache->fill_lock);
  bool chosen = begin_fill(cache, only, &fill, &source);
  if (chosen) {
    let_go(cache);
    struct ap_native_copy *copy = NULL;
    int64_t began_us = now_us(cache);
    cache->work_since_us = began_us - SLICE_US;
    ap_status status = AP_OUT_OF_MEMORY;
    if (source.location != NULL && source.folder != NULL && !stand_back(cache)) {
      status = make_copy(cache, &fill, &source, &copy, NULL);
    }
    int64_t size_bytes = status == AP_OK ? ap_native_copy_size_bytes(copy) : 0;
    int64_t ended_us = now_us(cache);
    lock(cache);
    cache->filling = false;
    bool taken = ap_cache_policy_end_fill(cache->policy, &fill, status == AP_OK ? copy : NULL,
                                          size_bytes, ended_us - began_us, ended_us);
    unlock(cache);
    if (!taken) ap_native_copy_release(copy);
    ap_snapshot_release(source.snapshot);
    ap_free(source.allocator, source.location);
    ap_free(source.allocator, source.folder);
  }
  threads->unlock(threads, cache->fill_lock);
  let_go(cache);
  return chosen;
}

static void work(void *context) {
  struct ap_cache *cache = context;
  struct ap_threads *threads = cache->env->threads;
  while (!atomic_load(&cache->stop)) {
    if (fill_one(cache, NULL)) continue;
    lock(cache);
    int64_t next_us = ap_cache_policy_next_us(cache->policy);
    int64_t wait_ms = next_us == INT64_MAX ? WAIT_MS : (next_us - now_us(cache)) / 1000 + 1;
    if (wait_ms > 0 && !atomic_load(&cache->stop)) {
      threads->wait(threads, cache->changed, cache->lock, wait_ms);
    }
    unlock(cache);
  }
}

/* Lock held. */
static void wake_worker(struct ap_cache *cache) {
  struct ap_threads *threads = cache->env->threads;
  if (ap_cache_policy_next_us(cache->policy) == INT64_MAX) return;
  if (cache->worker == NULL) {
    ap_status spawned = threads->spawn(threads, work, cache, &cache->worker, NULL);
    if (spawned != AP_OK) cache->worker = NULL; /* the next query tries again */
  }
  threads->wake_all(threads, cache->changed);
}

/* ---- queries --------------------------------------------------------------------------------- */

/* Counting is no change that anybody sees. */
static struct ap_snapshot *retain(const struct ap_snapshot *snapshot) {
  return ap_snapshot_retain((struct ap_snapshot *)(uintptr_t)snapshot);
}

/* Keep what a fill of this frame would need. Lock held. */
static bool keep_source(struct ap_cache *cache, struct ap_cache_entry *entry,
                        const struct ap_cache_request *request) {
  void **place = ap_cache_entry_source(entry);
  struct source *source = *place;
  if (source != NULL) {
    if (source->snapshot->version < request->snapshot->version) {
      ap_snapshot_release(source->snapshot);
      source->snapshot = retain(request->snapshot);
    }
    return true;
  }
  struct ap_allocator *allocator = cache->env->allocator;
  source = ap_allocate_zeroed(allocator, 1, sizeof *source);
  if (source == NULL) return false;
  source->allocator = allocator;
  source->snapshot = retain(request->snapshot);
  source->location = ap_string_copy(allocator, request->frame->location);
  struct ap_buffer folder;
  ap_buffer_init(&folder, allocator);
  if (ap_store_local_path(cache->store, request->frame->location, &folder, NULL) == AP_OK) {
    source->folder = ap_string_copy(allocator, ap_buffer_text(&folder));
  }
  ap_buffer_deinit(&folder);
  if (source->location == NULL || source->folder == NULL) {
    release_source(source);
    return false;
  }
  *place = source;
  return true;
}

/* Of how cells are to be read all that tells frames of one schema apart. */
static uint64_t shape_of(const struct ap_snapshot *snapshot) {
  uint64_t shape = snapshot->physical_schema_id;
  for (uint32_t i = 0; i < snapshot->partition_column_count; ++i) {
    shape = (shape ^ (snapshot->partition_columns[i] + 1)) * UINT64_C(1099511628211);
  }
  return shape;
}

static ap_status look(struct ap_cache *cache, const struct ap_cache_request *request,
                      struct ap_arena *arena, struct ap_cache_places *out_places, ap_error *err) {
  const struct ap_snapshot *snapshot = request->snapshot;
  const struct ap_cache_look looked = {
      .frame_id = request->frame->id,
      .schema_id = snapshot->schema_id,
      .shape_id = shape_of(snapshot),
      .map_by_id = snapshot->mapping == AP_MAPPING_ID,
      .cells = snapshot->cells,
      .cell_count = snapshot->cell_count,
      .kept = request->cells,
      .kept_count = request->cell_count,
      .now_us = now_us(cache),
  };
  lock(cache);
  ap_status status = ap_cache_policy_look(cache->policy, &looked, arena, out_places, err);
  if (status == AP_OK) {
    for (uint32_t i = 0; i < out_places->part_count; ++i) {
      ap_native_copy_retain(out_places->parts[i].copy);
    }
    if (out_places->entry != NULL && !keep_source(cache, out_places->entry, request)) {
      ap_cache_policy_forget(cache->policy, request->frame->id); /* it could not be filled */
      out_places->entry = NULL;
    }
    if (!cache->options.eager) wake_worker(cache);
  }
  unlock(cache);
  return status;
}

ap_status ap_cache_find(struct ap_cache *cache, const struct ap_cache_request *request,
                        struct ap_arena *arena, struct ap_cache_places *out_places, ap_error *err) {
  AP_TRY(look(cache, request, arena, out_places, err));
  bool again = ap_cache_check(cache, out_places);
  if (cache->options.eager && out_places->rest_count > 0 && out_places->entry != NULL) {
    again |= fill_one(cache, out_places->entry);
  }
  if (!again) return AP_OK;
  ap_cache_done(cache, out_places);
  return look(cache, request, arena, out_places, err);
}

void ap_cache_done(struct ap_cache *cache, struct ap_cache_places *places) {
  AP_ASSERT(cache != NULL);
  for (uint32_t i = 0; i < places->part_count; ++i) ap_native_copy_release(places->parts[i].copy);
  *places = (struct ap_cache_places){0};
}

bool ap_cache_check(struct ap_cache *cache, const struct ap_cache_places *places) {
  bool found = false;
  for (uint32_t i = 0; i < places->part_count; ++i) {
    if (!ap_native_copy_is_suspect(places->parts[i].copy)) continue;
    found = true;
    lock(cache);
    ap_cache_policy_drop(cache->policy, places->parts[i].copy);
    unlock(cache);
  }
  if (found) let_go(cache);
  return found;
}

void ap_cache_forget(struct ap_cache *cache, struct ap_text frame_id) {
  if (cache == NULL) return;
  lock(cache);
  ap_cache_policy_forget(cache->policy, frame_id);
  unlock(cache);
  let_go(cache);
}

void ap_cache_get_status(struct ap_cache *cache, struct ap_cache_status *out_status) {
  lock(cache);
  ap_cache_policy_get_counts(cache->policy, &out_status->counts);
  out_status->filling = cache->filling;
  out_status->pending = ap_cache_policy_next_us(cache->policy) != INT64_MAX;
  unlock(cache);
}
