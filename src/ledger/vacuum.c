/* SPDX-License-Identifier: Apache-2.0
 *
 * See vacuum.h. The list of what stays is made before the folder is listed, so that a commit in
 * between only adds files that are young.
 */
#include "ledger/vacuum.h"

#include "base/assert.h"
#include "ledger/action.h"
#include "ledger/deletion_vector.h"
#include "ledger/features.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
  WEEK_MS = 7 * 24 * 3600 * 1000,
  TEXTS_INITIAL = 256,
};

/* A growing list in an arena-backed array of the allocator. */
struct paths {
  struct ap_text *items;
  uint32_t count;
  uint32_t room;
};

struct vacuum {
  const struct ap_log_source *source;
  const struct ap_snapshot_full *latest;
  const struct ap_vacuum_options *options;
  struct ap_arena arena;
  int64_t cutoff_ms;
  struct paths kept;
  struct ap_vacuum_file *doomed; /* the allocator's */
  uint32_t doomed_count;
  uint32_t doomed_room;
};

static ap_status keep_copy(struct vacuum *vacuum, struct ap_text path, ap_error *err) {
  struct paths *kept = &vacuum->kept;
  if (kept->count == kept->room) {
    uint32_t room = kept->room ? kept->room * 2 : TEXTS_INITIAL;
    struct ap_text *items =
        ap_reallocate(vacuum->source->env->allocator, kept->items, room * sizeof(*items));
    if (!items) return AP_FAIL_MEMORY(err);
    kept->items = items;
    kept->room = room;
  }
  return ap_action_copy_text(&vacuum->arena, path, &kept->items[kept->count++], err);
}

/* The file itself, and that of its deletion vector. */
static ap_status keep_file(struct vacuum *vacuum, struct ap_text path,
                           const struct ap_deletion_vector *vector, ap_error *err) {
  AP_TRY(keep_copy(vacuum, path, err));
  if (vector->storage_type != 'u') return AP_OK;
  struct ap_buffer file;
  ap_buffer_init(&file, vacuum->source->env->allocator);
  ap_status status = AP_OK;
  if (!ap_deletion_vector_path(&file, vector->path_or_inline)) {
    status = AP_FAIL(err, AP_CORRUPT, "the deletion vector '%.*s' of '%.*s' names no file",
                     AP_TEXT_ARG(vector->path_or_inline), AP_TEXT_ARG(path));
  }
  if (status == AP_OK) status = ap_buffer_check(&file, err);
  if (status == AP_OK) status = keep_copy(vacuum, ap_buffer_text(&file), err);
  ap_buffer_deinit(&file);
  return status;
}

static ap_status keep_tombstones(struct vacuum *vacuum, ap_error *err) {
  const struct ap_tombstones *link = vacuum->latest->tombstones;
  for (; link; link = link->older) {
    for (uint32_t i = 0; i < link->count; i++) {
      const struct ap_tombstone *item = &link->items[i];
      if (item->deleted_ms < vacuum->cutoff_ms) continue;
      AP_TRY(keep_file(vacuum, item->path, &item->deletion_vector, err));
    }
  }
  return AP_OK;
}

/* What one commit removed, whenever it says that was. */
static ap_status keep_removed_of(struct vacuum *vacuum, struct ap_text lines, ap_error *err) {
  size_t offset = 0;
  uint32_t number = 0;
  struct ap_text line;
  struct ap_arena scratch;
  ap_status status = AP_OK;
  ap_arena_init(&scratch, vacuum->source->env->allocator);
  while (status == AP_OK && ap_action_next_line(lines, &offset, &number, &line)) {
    struct ap_action action;
    status = ap_action_decode(&scratch, line, &action, err);
    if (status == AP_OK && action.kind == AP_ACTION_REMOVE) {
      status = keep_file(vacuum, action.file.path, &action.file.deletion_vector, err);
    }
  }
  ap_arena_deinit(&scratch);
  return status;
}

/* Snapshots forget tombstones that are older than the property says. A longer retention finds them
 * in the commits themselves. */
static ap_status keep_forgotten(struct vacuum *vacuum, ap_error *err) {
  struct ap_log_listing listing;
  struct ap_buffer lines;
  const struct ap_log_source *source = vacuum->source;
  ap_buffer_init(&lines, source->env->allocator);
  ap_status status = ap_log_list(source->store, source->prefix, 0, &vacuum->arena, &listing, err);
  for (uint32_t i = 0; status == AP_OK && i < listing.commit_count; i++) {
    char key[AP_LOG_KEY_MAX];
    struct ap_text key_text;
    if (listing.commits[i].modified_ms < vacuum->cutoff_ms) continue;
    ap_buffer_clear(&lines);
    status = ap_log_commit_key(source->prefix, listing.commits[i].version, key, &key_text, err);
    if (status == AP_OK) status = ap_store_get(source->store, key_text, 0, -1, &lines, err);
    if (status == AP_OK) status = keep_removed_of(vacuum, ap_buffer_text(&lines), err);
  }
  ap_buffer_deinit(&lines);
  return status;
}

static int compare_texts(const void *a, const void *b) {
  return ap_text_compare(*(const struct ap_text *)a, *(const struct ap_text *)b);
}

static bool is_kept(const struct vacuum *vacuum, struct ap_text path) {
  return vacuum->kept.count > 0 &&
         bsearch(&path, vacuum->kept.items, vacuum->kept.count, sizeof(path), compare_texts);
}

/* "_name=value" is a folder of a partition column that begins with '_'. */
static bool is_partition_folder(const struct vacuum *vacuum, struct ap_text segment) {
  const struct ap_table *table = vacuum->latest->table;
  for (uint32_t i = 0; i < table->partition_column_count; i++) {
    struct ap_text name = table->partition_names[i];
    if (segment.size > name.size && segment.data[name.size] == '=' &&
        ap_text_starts_with(segment, name)) {
      return true;
    }
  }
  return false;
}

static bool is_hidden(const struct vacuum *vacuum, struct ap_text path) {
  if (ap_text_starts_with(path, AP_TEXT("_change_data/"))) return false;
  size_t start = 0;
  for (size_t i = 0; i <= path.size; i++) {
    if (i < path.size && path.data[i] != '/') continue;
    struct ap_text segment = {path.data + start, i - start};
    bool marked = segment.size > 0 && (segment.data[0] == '_' || segment.data[0] == '.');
    if (marked && !is_partition_folder(vacuum, segment)) return true;
    start = i + 1;
  }
  return false;
}

static ap_status visit_object(void *context, const struct ap_store_object *object, ap_error *err) {
  struct vacuum *vacuum = context;
  size_t folder = vacuum->source->prefix.size + 1;
  AP_ASSERT(object->key.size > folder);
  struct ap_text path = {object->key.data + folder, object->key.size - folder};
  if (object->modified_ms >= vacuum->cutoff_ms || is_hidden(vacuum, path) ||
      is_kept(vacuum, path)) {
    return AP_OK;
  }
  if (vacuum->doomed_count == vacuum->doomed_room) {
    uint32_t room = vacuum->doomed_room ? vacuum->doomed_room * 2 : TEXTS_INITIAL;
    struct ap_vacuum_file *doomed =
        ap_reallocate(vacuum->source->env->allocator, vacuum->doomed, room * sizeof(*doomed));
    if (!doomed) return AP_FAIL_MEMORY(err);
    vacuum->doomed = doomed;
    vacuum->doomed_room = room;
  }
  struct ap_vacuum_file *file = &vacuum->doomed[vacuum->doomed_count++];
  *file =
      (struct ap_vacuum_file){.size_bytes = object->size_bytes, .modified_ms = object->modified_ms};
  return ap_action_copy_text(&vacuum->arena, path, &file->path, err);
}

static ap_status list_doomed(struct vacuum *vacuum, ap_error *err) {
  struct ap_buffer prefix;
  ap_buffer_init(&prefix, vacuum->source->env->allocator);
  ap_buffer_append_text(&prefix, vacuum->source->prefix);
  ap_buffer_append_string(&prefix, "/");
  ap_status status = ap_buffer_check(&prefix, err);
  if (status == AP_OK) {
    status = ap_store_list(vacuum->source->store, ap_buffer_text(&prefix), AP_TEXT(""),
                           visit_object, vacuum, err);
  }
  ap_buffer_deinit(&prefix);
  return status;
}

static ap_status remove_file(struct vacuum *vacuum, const struct ap_vacuum_file *file,
                             ap_error *err) {
  char *key = ap_arena_format(&vacuum->arena, "%.*s/%.*s", AP_TEXT_ARG(vacuum->source->prefix),
                              AP_TEXT_ARG(file->path));
  if (!key) return AP_FAIL_MEMORY(err);
  return ap_store_remove(vacuum->source->store, ap_text_of(key), err);
}

static ap_status run(struct vacuum *vacuum, int64_t property_ms, ap_error *err) {
  const struct ap_snapshot *shown = &vacuum->latest->shown;
  for (uint32_t i = 0; i < shown->cell_count; i++) {
    const struct ap_cell *cell = shown->cells[i];
    AP_TRY(keep_file(vacuum, cell->path, &cell->deletion_vector, err));
  }
  AP_TRY(keep_tombstones(vacuum, err));
  if (vacuum->options->retain_ms > property_ms) AP_TRY(keep_forgotten(vacuum, err));
  if (vacuum->kept.count > 0) {
    qsort(vacuum->kept.items, vacuum->kept.count, sizeof(*vacuum->kept.items), compare_texts);
  }
  AP_TRY(list_doomed(vacuum, err));
  for (uint32_t i = 0; i < vacuum->doomed_count; i++) {
    if (!vacuum->options->dry_run) AP_TRY(remove_file(vacuum, &vacuum->doomed[i], err));
    AP_TRY(vacuum->options->visit(vacuum->options->context, &vacuum->doomed[i], err));
  }
  return AP_OK;
}

/* The guard: nothing goes that the property promises to time travel and to slow readers. */
static ap_status check_retention(int64_t retain_ms, int64_t property_ms, ap_error *err) {
  if (retain_ms < 0 || retain_ms >= property_ms) return AP_OK;
  ap_status status =
      AP_FAIL(err, AP_INVALID_ARGUMENT,
              "a retention of %.1f hours is shorter than the %.1f hours that the frame's property "
              "delta.deletedFileRetentionDuration promises to readers and to time travel",
              (double)retain_ms / 3600000.0, (double)property_ms / 3600000.0);
  ap_error_hint(err,
                "retain longer, or first ALTER FRAME .. SET TBLPROPERTIES "
                "('delta.deletedFileRetentionDuration' = 'interval %" PRId64 " minutes')",
                retain_ms / 60000);
  return status;
}

ap_status ap_vacuum_run(const struct ap_log_source *source, const struct ap_snapshot_full *latest,
                        const struct ap_vacuum_options *options, ap_error *err) {
  AP_ASSERT(options->visit);
  int64_t property_ms =
      ap_table_property_duration_ms(latest->table, "delta.deletedFileRetentionDuration", WEEK_MS);
  AP_TRY(ap_features_check_write(latest->table, err));
  AP_TRY(check_retention(options->retain_ms, property_ms, err));
  struct vacuum vacuum = {.source = source, .latest = latest, .options = options};
  int64_t retain_ms = options->retain_ms < 0 ? property_ms : options->retain_ms;
  if (__builtin_sub_overflow(ap_clock_wall_ms(source->env->clock), retain_ms, &vacuum.cutoff_ms)) {
    return AP_OK; /* older than time itself */
  }
  ap_arena_init(&vacuum.arena, source->env->allocator);
  ap_status status = run(&vacuum, property_ms, err);
  ap_free(source->env->allocator, vacuum.kept.items);
  ap_free(source->env->allocator, vacuum.doomed);
  ap_arena_deinit(&vacuum.arena);
  return status;
}
