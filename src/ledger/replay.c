/* SPDX-License-Identifier: Apache-2.0
 *
 * See replay.h. Files are gathered as they come, sorted by file with the newest last, and merged
 * with the base's sorted cells: a commit of few files costs one copy of the array of pointers.
 */
#include "ledger/replay.h"

#include "base/assert.h"
#include "ledger/features.h"

#include <stdlib.h>
#include <string.h>

#define WEEK_MS ((int64_t)7 * 24 * 3600 * 1000)

enum {
  FILE_ROOM_MIN = 16,
  ARENA_BYTES_MAX = 1 << 20, /* of parsed lines, before they are freed together */
};

/* The newest reference to a file so far. path and deletion vector belong to cell or tombstone. */
struct ap_replay_file {
  struct ap_cell *cell; /* NULL: removed */
  struct ap_text path;
  const struct ap_deletion_vector *deletion_vector;
  uint32_t sequence;
};

struct ap_replay_mark {
  struct ap_replay_mark *older;
  bool is_domain;
  bool removed;        /* domains */
  struct ap_text name; /* app_id or domain */
  struct ap_txn_action txn;
  struct ap_text json; /* domains */
  size_t age;          /* while they are sorted; 0: the newest */
};

void ap_replay_init(struct ap_replay *replay, struct ap_allocator *allocator,
                    struct ap_snapshot_full *base) {
  *replay = (struct ap_replay){.allocator = allocator, .base = base, .version = -1};
  ap_arena_init(&replay->arena, allocator);
  replay->log_modified_ms = -1;
  replay->log_size_bytes = -1;
  if (base) {
    (void)ap_snapshot_retain(&base->shown);
    replay->table = ap_table_retain(base->table);
    replay->version = base->shown.version;
    replay->timestamp_ms = base->shown.timestamp_ms;
  }
}

void ap_replay_deinit(struct ap_replay *replay) {
  for (uint32_t i = 0; i < replay->file_count; i++) ap_cell_release(replay->files[i].cell);
  if (replay->allocator) ap_free(replay->allocator, replay->files);
  ap_tombstones_release(replay->removed);
  ap_table_release(replay->table);
  if (replay->base) ap_snapshot_release(&replay->base->shown);
  ap_arena_deinit(&replay->arena);
  *replay = (struct ap_replay){0};
}

void ap_replay_begin(struct ap_replay *replay) {
  replay->protocol_json = replay->metadata_json = (struct ap_text){NULL, 0};
  replay->txn_id[0] = '\0';
  replay->in_commit_timestamp = -1;
  replay->checkpoint_version = -1;
  replay->sidecars = NULL;
  replay->sidecar_count = 0;
}

static ap_status add_mark(struct ap_replay *replay, const struct ap_replay_mark *mark,
                          ap_error *err) {
  struct ap_replay_mark *kept = AP_ARENA_NEW(&replay->arena, struct ap_replay_mark);
  if (!kept) return AP_FAIL_MEMORY(err);
  *kept = *mark;
  AP_TRY(ap_action_copy_text(&replay->arena, mark->name, &kept->name, err));
  AP_TRY(ap_action_copy_text(&replay->arena, mark->json, &kept->json, err));
  kept->txn.app_id = kept->name;
  kept->older = replay->marks;
  replay->marks = kept;
  return AP_OK;
}

static ap_status add_sidecar(struct ap_replay *replay, struct ap_text path, ap_error *err) {
  static const struct ap_text folder = {"_delta_log/_sidecars/", 21};
  if (ap_text_starts_with(path, folder)) {
    path = (struct ap_text){path.data + folder.size, path.size - folder.size};
  }
  if (memchr(path.data, '/', path.size)) {
    return AP_FAIL(err, AP_UNSUPPORTED, "sidecar '%.*s' lies outside of _delta_log/_sidecars",
                   AP_TEXT_ARG(path));
  }
  const char **names = AP_ARENA_ARRAY(&replay->arena, const char *, replay->sidecar_count + 2);
  const char *copy = ap_arena_copy(&replay->arena, path);
  if (!names || !copy) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < replay->sidecar_count; i++) names[i] = replay->sidecars[i];
  names[replay->sidecar_count++] = copy;
  replay->sidecars = names;
  return AP_OK;
}

static ap_status keep_table_action(struct ap_replay *replay, const struct ap_action *action,
                                   ap_error *err) {
  bool is_protocol = action->kind == AP_ACTION_PROTOCOL;
  struct ap_text *kept = is_protocol ? &replay->protocol_json : &replay->metadata_json;
  if (kept->size > 0 && !ap_text_equal(*kept, action->json)) {
    return AP_FAIL(err, AP_CORRUPT, "a second '%s' in one version",
                   is_protocol ? "protocol" : "metaData");
  }
  return ap_action_copy_text(&replay->arena, action->json, kept, err);
}

static ap_status scan_action(struct ap_replay *replay, const struct ap_action *action,
                             ap_error *err) {
  struct ap_replay_mark mark = {0};
  switch (action->kind) {
    case AP_ACTION_PROTOCOL:
    case AP_ACTION_METADATA:
      return keep_table_action(replay, action, err);
    case AP_ACTION_TXN:
      mark = (struct ap_replay_mark){.name = action->txn.app_id, .txn = action->txn};
      return add_mark(replay, &mark, err);
    case AP_ACTION_DOMAIN:
      mark = (struct ap_replay_mark){.is_domain = true,
                                     .removed = action->domain.removed,
                                     .name = action->domain.domain,
                                     .json = action->json};
      return add_mark(replay, &mark, err);
    case AP_ACTION_COMMIT_INFO:
      replay->in_commit_timestamp = action->commit_info.in_commit_timestamp;
      if (action->commit_info.txn_id.size < AP_TXN_ID_MAX) {
        struct ap_text id = action->commit_info.txn_id;
        if (id.size) memcpy(replay->txn_id, id.data, id.size);
        replay->txn_id[id.size] = '\0';
      }
      return AP_OK;
    case AP_ACTION_CHECKPOINT_METADATA:
      replay->checkpoint_version = action->checkpoint_version;
      return AP_OK;
    case AP_ACTION_SIDECAR:
      return add_sidecar(replay, action->sidecar.path, err);
    case AP_ACTION_ADD:
    case AP_ACTION_REMOVE:
    case AP_ACTION_CDC:
    case AP_ACTION_UNKNOWN:
      break;
  }
  return AP_OK;
}

static ap_status add_file(struct ap_replay *replay, struct ap_cell *cell, struct ap_text path,
                          const struct ap_deletion_vector *deletion_vector, ap_error *err) {
  if (replay->file_count == replay->file_room) {
    uint32_t room = replay->file_room ? replay->file_room * 2 : FILE_ROOM_MIN;
    struct ap_replay_file *files = NULL;
    if (room > replay->file_room) {
      files = ap_reallocate(replay->allocator, replay->files, room * sizeof(*files));
    }
    if (!files) return AP_FAIL_MEMORY(err);
    replay->files = files;
    replay->file_room = room;
  }
  replay->files[replay->file_count] =
      (struct ap_replay_file){cell, path, deletion_vector, replay->file_count};
  replay->file_count += 1;
  return AP_OK;
}

static ap_status make_cell(struct ap_replay *replay, struct ap_arena *arena,
                           const struct ap_file_action *file, struct ap_text json,
                           struct ap_cell **out_cell, ap_error *err) {
  const struct ap_table *table = replay->table;
  struct ap_partition_value *values = NULL;
  AP_TRY(ap_action_partition_values(arena, file->partition_values, table->partition_names,
                                    table->partition_column_count, &values, err));
  struct ap_cell_parts parts = {
      .path = file->path,
      .size_bytes = file->size_bytes,
      .modified_ms = file->modified_ms,
      .partition_count = table->partition_column_count,
      .partition_values = values,
      .statistics_json = file->statistics_json,
      .tags_json = file->tags_json,
      .action_json = json,
      .deletion_vector = file->deletion_vector,
  };
  return ap_cell_create(replay->allocator, &parts, out_cell, err);
}

static ap_status file_action(struct ap_replay *replay, struct ap_arena *arena,
                             const struct ap_action *action, ap_error *err) {
  const struct ap_file_action *file = &action->file;
  if (action->kind == AP_ACTION_ADD) {
    struct ap_cell *cell = NULL;
    replay->add_count += 1;
    AP_TRY(make_cell(replay, arena, file, action->json, &cell, err));
    ap_status status = add_file(replay, cell, cell->path, &cell->deletion_vector, err);
    if (status != AP_OK) ap_cell_release(cell);
    return status;
  }
  if (!replay->removed) {
    AP_TRY(ap_tombstones_create(replay->allocator, &replay->removed, err));
  }
  struct ap_tombstone tombstone = {.path = file->path,
                                   .deletion_vector = file->deletion_vector,
                                   .deleted_ms = file->modified_ms,
                                   .json = action->json};
  /* The list of tombstones moves when it grows; the path does not, and the vector is copied. */
  const struct ap_tombstone *kept = NULL;
  AP_TRY(ap_tombstones_add(replay->removed, &tombstone, &kept, err));
  struct ap_deletion_vector *vector = AP_ARENA_NEW(&replay->arena, struct ap_deletion_vector);
  if (!vector) return AP_FAIL_MEMORY(err);
  *vector = kept->deletion_vector;
  return add_file(replay, NULL, kept->path, vector, err);
}

/* Every line that belongs to the pass: files, or everything else. The first bytes tell for nearly
 * all lines, so that each is parsed once. */
static ap_status read_lines(struct ap_replay *replay, struct ap_text lines, const char *name,
                            bool files, ap_error *err) {
  static const struct ap_text add = {"{\"add\":", 7};
  static const struct ap_text remove = {"{\"remove\":", 10};
  static const struct ap_text commit_info = {"{\"commitInfo\":", 14};
  struct ap_arena arena;
  ap_arena_init(&arena, replay->allocator);
  struct ap_text line;
  size_t offset = 0;
  uint32_t number = 0;
  ap_status status = AP_OK;
  while (status == AP_OK && ap_action_next_line(lines, &offset, &number, &line)) {
    bool is_file = ap_text_starts_with(line, add) || ap_text_starts_with(line, remove);
    if (is_file && !files) continue;
    if (files && ap_text_starts_with(line, commit_info)) continue;
    struct ap_action action;
    status = ap_action_decode(&arena, line, &action, err);
    bool wanted = (action.kind == AP_ACTION_ADD || action.kind == AP_ACTION_REMOVE) == files;
    if (status == AP_OK && wanted) {
      status =
          files ? file_action(replay, &arena, &action, err) : scan_action(replay, &action, err);
    }
    if (status != AP_OK) status = ap_error_prefix(err, status, "%s line %u", name, number);
    if (arena.total_bytes > ARENA_BYTES_MAX) {
      ap_arena_deinit(&arena);
      ap_arena_init(&arena, replay->allocator);
    }
  }
  ap_arena_deinit(&arena);
  return status;
}

ap_status ap_replay_scan(struct ap_replay *replay, struct ap_text lines, const char *name,
                         ap_error *err) {
  return read_lines(replay, lines, name, false, err);
}

ap_status ap_replay_files(struct ap_replay *replay, struct ap_text lines, const char *name,
                          ap_error *err) {
  return read_lines(replay, lines, name, true, err);
}

ap_status ap_replay_settle(struct ap_replay *replay, const char *name, ap_error *err) {
  struct ap_text protocol = replay->protocol_json;
  struct ap_text metadata = replay->metadata_json;
  if (protocol.size == 0 && metadata.size == 0 && replay->table) return AP_OK;
  if (protocol.size == 0 && replay->table) protocol = replay->table->protocol_json;
  if (metadata.size == 0 && replay->table) metadata = replay->table->metadata_json;
  if (protocol.size == 0 || metadata.size == 0) {
    return AP_FAIL(err, AP_CORRUPT, "%s: the action '%s' is missing", name,
                   protocol.size == 0 ? "protocol" : "metaData");
  }
  struct ap_table *table = NULL;
  ap_status status = ap_table_create(replay->allocator, protocol, metadata, &table, err);
  if (status != AP_OK) return ap_error_prefix(err, status, "%s", name);
  if (replay->table && !ap_table_same_partitioning(replay->table, table)) {
    replay->repartitioned = true;
  }
  ap_table_release(replay->table);
  replay->table = table;
  return AP_OK;
}

ap_status ap_replay_commit(struct ap_replay *replay, int64_t version, struct ap_text lines,
                           int64_t modified_ms, const char *name, ap_error *err) {
  AP_ASSERT(version == replay->version + 1);
  if (lines.size == 0) return AP_FAIL(err, AP_CORRUPT, "%s is empty", name);
  ap_replay_begin(replay);
  AP_TRY(ap_replay_scan(replay, lines, name, err));
  AP_TRY(ap_replay_settle(replay, name, err));
  AP_TRY(ap_replay_files(replay, lines, name, err));
  bool in_commit =
      replay->in_commit_timestamp >= 0 && ap_features_in_commit_timestamps(replay->table);
  int64_t timestamp_ms = modified_ms;
  if (replay->version >= 0 && timestamp_ms <= replay->timestamp_ms) {
    timestamp_ms = replay->timestamp_ms + 1;
  }
  replay->timestamp_ms = in_commit ? replay->in_commit_timestamp : timestamp_ms;
  replay->version = version;
  replay->log_modified_ms = modified_ms;
  replay->log_size_bytes = (int64_t)lines.size;
  return AP_OK;
}

/* Finishing. */

static int compare_files(const void *left, const void *right) {
  const struct ap_replay_file *a = left;
  const struct ap_replay_file *b = right;
  int order = ap_file_compare(a->path, a->deletion_vector, b->path, b->deletion_vector);
  if (order != 0) return order;
  return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

/* Sort by file and keep the newest reference of each. */
static void reconcile_files(struct ap_replay *replay) {
  struct ap_replay_file *files = replay->files;
  uint32_t kept = 0;
  if (replay->file_count > 1) {
    qsort(files, replay->file_count, sizeof(*files), compare_files);
  }
  for (uint32_t i = 0; i < replay->file_count; i++) {
    bool is_newest = i + 1 == replay->file_count ||
                     ap_file_compare(files[i].path, files[i].deletion_vector, files[i + 1].path,
                                     files[i + 1].deletion_vector) != 0;
    if (is_newest) {
      files[kept++] = files[i];
    } else {
      ap_cell_release(files[i].cell);
    }
  }
  replay->file_count = kept;
}

/* The first base cell from `low` on that does not come before the file. */
static uint32_t lower_bound(struct ap_cell *const *cells, uint32_t low, uint32_t count,
                            const struct ap_replay_file *file) {
  uint32_t high = count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    const struct ap_cell *cell = cells[middle];
    if (ap_file_compare(cell->path, &cell->deletion_vector, file->path, file->deletion_vector) <
        0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

static ap_status count_cell(struct ap_snapshot_full *full, const struct ap_cell *cell, bool added,
                            ap_error *err) {
  int64_t rows = -1;
  int64_t sign = added ? 1 : -1;
  AP_TRY(ap_snapshot_cell_rows(cell, full->allocator, &rows, err));
  if (rows < 0) {
    full->silent_cell_count = (uint32_t)((int64_t)full->silent_cell_count + sign);
  } else {
    full->known_row_count += sign * rows;
  }
  /* unsigned, so that absurd sizes from outside are absurd sums and no overflow */
  uint64_t size = (uint64_t)cell->size_bytes;
  uint64_t sum = (uint64_t)full->shown.size_bytes;
  full->shown.size_bytes = (int64_t)(added ? sum + size : sum - size);
  return AP_OK;
}

static void append_base_cells(struct ap_snapshot *shown, struct ap_cell *const *cells,
                              uint32_t begin, uint32_t end) {
  for (uint32_t i = begin; i < end; i++)
    shown->cells[shown->cell_count++] = ap_cell_retain(cells[i]);
}

/* full->shown.cells has room for all. Cells of the files move over. */
static ap_status merge_cells(struct ap_replay *replay, struct ap_snapshot_full *full,
                             ap_error *err) {
  struct ap_snapshot *shown = &full->shown;
  struct ap_snapshot_full *base = replay->base;
  struct ap_cell *const *cells = base ? base->shown.cells : NULL;
  uint32_t base_count = base ? base->shown.cell_count : 0;
  uint32_t next = 0;
  if (base) {
    full->known_row_count = base->known_row_count;
    full->silent_cell_count = base->silent_cell_count;
    shown->size_bytes = base->shown.size_bytes;
  }
  for (uint32_t i = 0; i < replay->file_count; i++) {
    struct ap_replay_file *file = &replay->files[i];
    uint32_t place = lower_bound(cells, next, base_count, file);
    append_base_cells(shown, cells, next, place);
    next = place;
    if (place < base_count && ap_file_compare(cells[place]->path, &cells[place]->deletion_vector,
                                              file->path, file->deletion_vector) == 0) {
      AP_TRY(count_cell(full, cells[place], false, err));
      next = place + 1;
    }
    if (!file->cell) continue;
    AP_TRY(count_cell(full, file->cell, true, err));
    shown->cells[shown->cell_count++] = file->cell;
    file->cell = NULL;
  }
  append_base_cells(shown, cells, next, base_count);
  shown->row_count = full->silent_cell_count > 0 ? -1 : full->known_row_count;
  return AP_OK;
}

/* Cells made for other partition columns are made again. */
static ap_status repartition(struct ap_replay *replay, struct ap_snapshot *shown, ap_error *err) {
  for (uint32_t i = 0; i < shown->cell_count; i++) {
    struct ap_arena arena;
    struct ap_action action = {0};
    struct ap_cell *old = shown->cells[i];
    struct ap_cell *cell = NULL;
    struct ap_buffer line;
    ap_buffer_init(&line, replay->allocator);
    ap_buffer_append_string(&line, "{\"add\":");
    ap_buffer_append_text(&line, old->action_json);
    ap_buffer_append_string(&line, "}");
    ap_arena_init(&arena, replay->allocator);
    ap_status status = ap_buffer_check(&line, err);
    if (status == AP_OK) status = ap_action_decode(&arena, ap_buffer_text(&line), &action, err);
    if (status == AP_OK) {
      status = make_cell(replay, &arena, &action.file, old->action_json, &cell, err);
    }
    ap_arena_deinit(&arena);
    ap_buffer_deinit(&line);
    if (status != AP_OK) return status;
    ap_cell_release(old);
    shown->cells[i] = cell;
  }
  return AP_OK;
}

/* By kind and name, the newest first. */
static int compare_marks(const void *left, const void *right) {
  const struct ap_replay_mark *a = left;
  const struct ap_replay_mark *b = right;
  if (a->is_domain != b->is_domain) return a->is_domain ? 1 : -1;
  int order = ap_text_compare(a->name, b->name);
  if (order != 0) return order;
  return a->age < b->age ? -1 : a->age > b->age;
}

/* The replayed marks and the base's, sorted; in the replay's arena. */
static ap_status gather_marks(struct ap_replay *replay, struct ap_replay_mark **out_marks,
                              size_t *out_count, ap_error *err) {
  const struct ap_marks *old = replay->base ? replay->base->marks : NULL;
  size_t room = 1 + (old ? (size_t)old->txn_count + old->domain_count : 0);
  for (const struct ap_replay_mark *mark = replay->marks; mark; mark = mark->older) room++;
  struct ap_replay_mark *marks = AP_ARENA_ARRAY(&replay->arena, struct ap_replay_mark, room);
  if (!marks) return AP_FAIL_MEMORY(err);
  size_t count = 0;
  for (const struct ap_replay_mark *mark = replay->marks; mark; mark = mark->older) {
    marks[count] = *mark;
    marks[count].age = count;
    count++;
  }
  for (uint32_t i = 0; old && i < old->txn_count; i++) {
    marks[count++] =
        (struct ap_replay_mark){.name = old->txns[i].app_id, .txn = old->txns[i], .age = SIZE_MAX};
  }
  for (uint32_t i = 0; old && i < old->domain_count; i++) {
    marks[count++] = (struct ap_replay_mark){.is_domain = true,
                                             .name = old->domains[i].name,
                                             .json = old->domains[i].json,
                                             .age = SIZE_MAX};
  }
  qsort(marks, count, sizeof(*marks), compare_marks);
  *out_marks = marks;
  *out_count = count;
  return AP_OK;
}

static ap_status put_mark(struct ap_marks *marks, const struct ap_replay_mark *mark,
                          ap_error *err) {
  struct ap_text name;
  AP_TRY(ap_action_copy_text(&marks->arena, mark->name, &name, err));
  if (mark->is_domain) {
    struct ap_domain *domain = &marks->domains[marks->domain_count++];
    domain->name = name;
    return ap_action_copy_text(&marks->arena, mark->json, &domain->json, err);
  }
  struct ap_txn_action *txn = &marks->txns[marks->txn_count++];
  *txn = mark->txn;
  txn->app_id = name;
  return AP_OK;
}

static ap_status fill_marks(struct ap_replay *replay, struct ap_marks *marks, ap_error *err) {
  struct ap_replay_mark *sorted = NULL;
  size_t count = 0;
  AP_TRY(gather_marks(replay, &sorted, &count, err));
  marks->txns = AP_ARENA_ARRAY(&marks->arena, struct ap_txn_action, count);
  marks->domains = AP_ARENA_ARRAY(&marks->arena, struct ap_domain, count);
  if (!marks->txns || !marks->domains) return AP_FAIL_MEMORY(err);
  for (size_t i = 0; i < count; i++) {
    bool is_newest = i == 0 || sorted[i].is_domain != sorted[i - 1].is_domain ||
                     !ap_text_equal(sorted[i].name, sorted[i - 1].name);
    if (is_newest && !sorted[i].removed) AP_TRY(put_mark(marks, &sorted[i], err));
  }
  return AP_OK;
}

static ap_status make_marks(struct ap_replay *replay, struct ap_marks **out_marks, ap_error *err) {
  if (!replay->marks) {
    *out_marks = ap_marks_retain(replay->base ? replay->base->marks : NULL);
    return AP_OK;
  }
  struct ap_marks *marks = ap_allocate_zeroed(replay->allocator, 1, sizeof(*marks));
  if (!marks) return AP_FAIL_MEMORY(err);
  marks->allocator = replay->allocator;
  atomic_init(&marks->reference_count, 1);
  ap_arena_init(&marks->arena, replay->allocator);
  ap_status status = fill_marks(replay, marks, err);
  if (status != AP_OK) {
    ap_marks_release(marks);
    return status;
  }
  *out_marks = marks;
  return AP_OK;
}

int64_t ap_replay_expired_ms(const struct ap_table *table, int64_t now_ms) {
  int64_t keep_ms =
      ap_table_property_duration_ms(table, "delta.deletedFileRetentionDuration", WEEK_MS);
  int64_t expired_ms = 0;
  return __builtin_sub_overflow(now_ms, keep_ms, &expired_ms) ? INT64_MIN : expired_ms;
}

ap_status ap_replay_finish(struct ap_replay *replay, int64_t now_ms,
                           struct ap_snapshot_full **out_snapshot, ap_error *err) {
  AP_ASSERT(replay->table);
  struct ap_marks *marks = NULL;
  struct ap_tombstones *tombstones = NULL;
  struct ap_snapshot_full *full = NULL;
  struct ap_snapshot_full *base = replay->base;
  AP_TRY(ap_features_check_read(replay->table, err));
  reconcile_files(replay);
  ap_status status = make_marks(replay, &marks, err);
  if (status == AP_OK) {
    status = ap_tombstones_chain(replay->allocator, replay->removed, base ? base->tombstones : NULL,
                                 ap_replay_expired_ms(replay->table, now_ms), &tombstones, err);
  }
  if (status == AP_OK) {
    uint32_t room = (base ? base->shown.cell_count : 0) + replay->file_count;
    status =
        ap_snapshot_create(replay->allocator, replay->table, marks, tombstones, room, &full, err);
  }
  ap_marks_release(marks);
  ap_tombstones_release(tombstones);
  if (status != AP_OK) return status;

  status = merge_cells(replay, full, err);
  full->shown.version = replay->version;
  full->shown.timestamp_ms = replay->timestamp_ms;
  full->log_modified_ms = replay->log_modified_ms;
  full->log_size_bytes = replay->log_size_bytes;
  if (status == AP_OK && replay->repartitioned) status = repartition(replay, &full->shown, err);
  if (status != AP_OK) {
    ap_snapshot_release(&full->shown);
    return status;
  }
  *out_snapshot = full;
  return AP_OK;
}
