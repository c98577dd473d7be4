/* SPDX-License-Identifier: Apache-2.0
 *
 * See changes.h. Commits are read one by one; their lines live in the caller's arena.
 */
#include "ledger/changes.h"

#include "ledger/changes_source.h"
#include "ledger/deletion_vector.h"

#include <inttypes.h>

struct reading {
  const struct ap_log_source *source;
  struct ap_snapshot_full *end;
  struct ap_arena *arena;
  struct ap_change_feed *feed;
  int64_t version;
  int64_t timestamp_ms;
  struct ap_file_action *files[3]; /* of this version: adds, removes, cdc */
  uint32_t counts[3];
};

enum { ADDS, REMOVES, TOLD };

/* A remove need not tell its rows; more than any file has. */
#define UNTOLD_STATISTICS AP_TEXT("{\"numRecords\":4294967296}")

static ap_status make_cell(struct reading *reading, const struct ap_file_action *file,
                           struct ap_cell **out_cell, ap_error *err) {
  const struct ap_table *table = reading->end->table;
  struct ap_partition_value *values = NULL;
  AP_TRY(ap_action_partition_values(reading->arena, file->partition_values, table->partition_names,
                                    table->partition_column_count, &values, err));
  const struct ap_cell_parts parts = {
      .path = file->path,
      .size_bytes = file->size_bytes,
      .partition_count = table->partition_column_count,
      .partition_values = values,
      .statistics_json = file->statistics_json.size > 0 ? file->statistics_json : UNTOLD_STATISTICS,
      .tags_json = file->tags_json,
      .deletion_vector = file->deletion_vector,
  };
  return ap_cell_create(reading->feed->allocator, &parts, out_cell, err);
}

static ap_status push(struct reading *reading, enum ap_change_kind kind, struct ap_cell *cell,
                      const uint64_t *hidden, uint64_t hidden_count, ap_error *err) {
  struct ap_change_feed *feed = reading->feed;
  if (feed->count == feed->room) {
    uint32_t room = feed->room ? feed->room * 2 : 16;
    struct ap_changed_cell *items =
        ap_reallocate(feed->allocator, feed->items, room * sizeof(*items));
    if (!items) {
      ap_cell_release(cell);
      return AP_FAIL_MEMORY(err);
    }
    feed->items = items;
    feed->room = room;
  }
  feed->items[feed->count++] = (struct ap_changed_cell){.kind = kind,
                                                        .version = reading->version,
                                                        .timestamp_ms = reading->timestamp_ms,
                                                        .cell = cell,
                                                        .hidden_rows = hidden,
                                                        .hidden_count = hidden_count};
  return AP_OK;
}

static ap_status deleted_rows(struct reading *reading, const struct ap_cell *cell,
                              struct ap_deleted_rows *out, ap_error *err) {
  return ap_deletion_vector_read(reading->source->store, reading->source->prefix, cell,
                                 reading->arena, &out->rows, &out->count, err);
}

/* All rows of a cell but those that its vector had removed before. */
static ap_status push_whole(struct reading *reading, enum ap_change_kind kind,
                            const struct ap_file_action *file, ap_error *err) {
  struct ap_cell *cell = NULL;
  struct ap_deleted_rows hidden = {NULL, 0};
  AP_TRY(make_cell(reading, file, &cell, err));
  ap_status status = deleted_rows(reading, cell, &hidden, err);
  if (status != AP_OK) {
    ap_cell_release(cell);
    return status;
  }
  return push(reading, kind, cell, hidden.rows, hidden.count, err);
}

/* Of a file of row_count rows, all but those that are in `more` and not in `less`; *out_shown
 * counts these. */
static ap_status hide_others(struct reading *reading, const struct ap_deleted_rows *more,
                             const struct ap_deleted_rows *less, uint64_t row_count,
                             struct ap_deleted_rows *out_hidden, uint64_t *out_shown,
                             ap_error *err) {
  uint64_t *rows = AP_ARENA_ARRAY(reading->arena, uint64_t, row_count + 1);
  if (!rows) return AP_FAIL_MEMORY(err);
  uint64_t in_more = 0;
  uint64_t in_less = 0;
  uint64_t count = 0;
  *out_shown = 0;
  for (uint64_t row = 0; row < row_count; row++) {
    while (in_more < more->count && more->rows[in_more] < row) in_more++;
    while (in_less < less->count && less->rows[in_less] < row) in_less++;
    bool is_more = in_more < more->count && more->rows[in_more] == row;
    bool is_less = in_less < less->count && less->rows[in_less] == row;
    if (is_more && !is_less) {
      *out_shown += 1;
    } else {
      rows[count++] = row;
    }
  }
  *out_hidden = (struct ap_deleted_rows){rows, count};
  return AP_OK;
}

/* The rows that one vector removes and the other does not. */
static ap_status push_difference(struct reading *reading, enum ap_change_kind kind,
                                 const struct ap_file_action *file,
                                 const struct ap_deleted_rows *more,
                                 const struct ap_deleted_rows *less, ap_error *err) {
  struct ap_cell *cell = NULL;
  struct ap_deleted_rows hidden;
  uint64_t shown = 0;
  int64_t left = -1;
  AP_TRY(make_cell(reading, file, &cell, err));
  ap_status status = ap_snapshot_cell_rows(cell, reading->feed->allocator, &left, err);
  if (status == AP_OK && (left < 0 || file->statistics_json.size == 0)) {
    status = AP_FAIL(err, AP_CORRUPT, "cell '%.*s' has a deletion vector and tells no rows",
                     AP_TEXT_ARG(file->path));
  }
  int64_t gone = file->deletion_vector.storage_type ? file->deletion_vector.cardinality : 0;
  if (status == AP_OK) {
    status = hide_others(reading, more, less, (uint64_t)(left + gone), &hidden, &shown, err);
  }
  if (status != AP_OK || shown == 0) {
    ap_cell_release(cell);
    return status;
  }
  return push(reading, kind, cell, hidden.rows, hidden.count, err);
}

/* A cell that came back with another vector. */
static ap_status push_marked(struct reading *reading, const struct ap_file_action *add,
                             const struct ap_file_action *remove, ap_error *err) {
  struct ap_cell *cell = NULL;
  struct ap_deleted_rows now = {NULL, 0};
  struct ap_deleted_rows before = {NULL, 0};
  struct ap_file_action earlier = *remove;
  earlier.statistics_json = add->statistics_json;
  AP_TRY(make_cell(reading, add, &cell, err));
  ap_status status = deleted_rows(reading, cell, &now, err);
  ap_cell_release(cell);
  if (status != AP_OK) return status;
  AP_TRY(make_cell(reading, &earlier, &cell, err));
  status = deleted_rows(reading, cell, &before, err);
  ap_cell_release(cell);
  if (status != AP_OK) return status;
  AP_TRY(push_difference(reading, AP_CHANGE_DELETED, add, &now, &before, err));
  return push_difference(reading, AP_CHANGE_INSERTED, add, &before, &now, err);
}

/* The other half of a file that went and came, when one of them has a vector. */
static struct ap_file_action *find_other(struct reading *reading, const struct ap_file_action *file,
                                         int where) {
  for (uint32_t i = 0; i < reading->counts[where]; i++) {
    struct ap_file_action *other = &reading->files[where][i];
    bool marked = other->deletion_vector.storage_type || file->deletion_vector.storage_type;
    if (marked && ap_text_equal(other->path, file->path)) return other;
  }
  return NULL;
}

static ap_status push_version(struct reading *reading, ap_error *err) {
  for (uint32_t i = 0; i < reading->counts[TOLD]; i++) {
    AP_TRY(push_whole(reading, AP_CHANGE_TOLD, &reading->files[TOLD][i], err));
  }
  if (reading->counts[TOLD] > 0) return AP_OK;
  for (uint32_t i = 0; i < reading->counts[REMOVES]; i++) {
    const struct ap_file_action *file = &reading->files[REMOVES][i];
    const struct ap_file_action *add = find_other(reading, file, ADDS);
    if (add) {
      AP_TRY(push_marked(reading, add, file, err));
    } else {
      AP_TRY(push_whole(reading, AP_CHANGE_DELETED, file, err));
    }
  }
  for (uint32_t i = 0; i < reading->counts[ADDS]; i++) {
    const struct ap_file_action *file = &reading->files[ADDS][i];
    if (find_other(reading, file, REMOVES)) continue;
    AP_TRY(push_whole(reading, AP_CHANGE_INSERTED, file, err));
  }
  return AP_OK;
}

/* ---- commits --------------------------------------------------------------------------------- */

static ap_status not_recorded(const struct reading *reading, ap_error *err) {
  ap_status status = AP_FAIL(err, AP_STATE, "version %" PRId64 " was written without a change feed",
                             reading->version);
  ap_error_hint(err,
                "changes are told from the version on that sets 'delta.enableChangeDataFeed' = "
                "'true'");
  return status;
}

static ap_status take_action(struct reading *reading, const struct ap_action *action,
                             ap_error *err) {
  bool changes = true;
  if (action->kind == AP_ACTION_METADATA) {
    struct ap_text enabled = {"", 0};
    const struct ap_json *configuration = ap_json_find(action->value, "configuration");
    (void)!ap_json_get_text(configuration, "delta.enableChangeDataFeed", enabled, &enabled);
    return ap_text_equal_ignoring_case(enabled, AP_TEXT("true")) ? AP_OK
                                                                 : not_recorded(reading, err);
  }
  int where = action->kind == AP_ACTION_ADD      ? ADDS
              : action->kind == AP_ACTION_REMOVE ? REMOVES
              : action->kind == AP_ACTION_CDC    ? TOLD
                                                 : -1;
  if (where < 0) return AP_OK;
  if (!ap_json_get_bool(action->value, "dataChange", true, &changes)) changes = true;
  if (!changes && where != TOLD) return AP_OK;
  reading->files[where][reading->counts[where]++] = action->file;
  return AP_OK;
}

static ap_status read_lines(struct reading *reading, struct ap_text lines, ap_error *err) {
  struct ap_text line;
  size_t offset = 0;
  uint32_t number = 0;
  while (ap_action_next_line(lines, &offset, &number, &line)) continue;
  for (int i = 0; i < 3; i++) {
    reading->files[i] = AP_ARENA_ARRAY(reading->arena, struct ap_file_action, number + 1);
    reading->counts[i] = 0;
    if (!reading->files[i]) return AP_FAIL_MEMORY(err);
  }
  offset = 0;
  number = 0;
  while (ap_action_next_line(lines, &offset, &number, &line)) {
    struct ap_action action;
    ap_status status = ap_action_decode(reading->arena, line, &action, err);
    if (status == AP_OK) status = take_action(reading, &action, err);
    if (status != AP_OK) {
      return ap_error_prefix(err, status, "version %" PRId64 " line %u", reading->version, number);
    }
  }
  return AP_OK;
}

static ap_status read_version(struct reading *reading, ap_error *err) {
  char key[AP_LOG_KEY_MAX];
  struct ap_text key_text;
  struct ap_text lines = {NULL, 0};
  struct ap_buffer buffer;
  AP_TRY(ap_log_commit_key(reading->source->prefix, reading->version, key, &key_text, err));
  ap_buffer_init(&buffer, reading->feed->allocator);
  ap_status status = ap_store_get(reading->source->store, key_text, 0, -1, &buffer, err);
  if (status == AP_OK) status = ap_buffer_check(&buffer, err);
  if (status == AP_OK) {
    status = ap_action_copy_text(reading->arena, ap_buffer_text(&buffer), &lines, err);
  }
  ap_buffer_deinit(&buffer);
  if (status == AP_NOT_FOUND) {
    status = AP_FAIL(err, AP_NOT_FOUND, "the changes of version %" PRId64 " are not kept any more",
                     reading->version);
  }
  if (status != AP_OK) return status;
  AP_TRY(read_lines(reading, lines, err));
  return push_version(reading, err);
}

ap_status ap_changes_read(const struct ap_log_source *source, struct ap_snapshot *end, int64_t from,
                          const int64_t *timestamps, struct ap_arena *arena,
                          struct ap_change_feed *out_feed, ap_error *err) {
  *out_feed = (struct ap_change_feed){.allocator = source->env->allocator};
  struct reading reading = {
      .source = source, .end = ap_snapshot_full_of(end), .arena = arena, .feed = out_feed};
  ap_status status = AP_OK;
  for (int64_t version = from; status == AP_OK && version <= end->version; version++) {
    reading.version = version;
    reading.timestamp_ms = timestamps[version - from];
    status = read_version(&reading, err);
  }
  if (status != AP_OK) ap_change_feed_deinit(out_feed);
  return status;
}

void ap_change_feed_deinit(struct ap_change_feed *feed) {
  for (uint32_t i = 0; i < feed->count; i++) ap_cell_release(feed->items[i].cell);
  if (feed->allocator) ap_free(feed->allocator, feed->items);
  *feed = (struct ap_change_feed){0};
}
