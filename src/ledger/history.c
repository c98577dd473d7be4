/* SPDX-License-Identifier: Apache-2.0
 *
 * See history.h.
 */
#include "ledger/history.h"

#include "base/assert.h"
#include "cell/value.h"
#include "ledger/features.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct moment {
  int64_t version;
  int64_t timestamp_ms;
  bool has_commit; /* false: only a checkpoint is left of it */
};

struct timeline {
  const struct ap_log_source *source;
  struct ap_arena arena;
  struct moment *moments; /* ascending */
  uint32_t count;
  int64_t in_commit_from; /* the first version with an in-commit timestamp; INT64_MAX: none */
};

static ap_status open_timeline(struct timeline *timeline, const struct ap_log_source *source,
                               const struct ap_snapshot_full *latest, ap_error *err) {
  struct ap_log_listing listing;
  *timeline = (struct timeline){.source = source, .in_commit_from = INT64_MAX};
  ap_arena_init(&timeline->arena, source->env->allocator);
  if (ap_features_in_commit_timestamps(latest->table)) {
    timeline->in_commit_from =
        ap_table_property_i64(latest->table, "delta.inCommitTimestampEnablementVersion", 0);
  }
  AP_TRY(ap_log_list(source->store, source->prefix, 0, &timeline->arena, &listing, err));
  timeline->moments = AP_ARENA_ARRAY(&timeline->arena, struct moment, listing.commit_count + 1);
  if (!timeline->moments) return AP_FAIL_MEMORY(err);
  int64_t first = ap_log_first_version(&listing);
  if (first > 0 && !ap_log_find_commit(&listing, first)) {
    timeline->moments[timeline->count++] =
        (struct moment){first, listing.checkpoints[0].modified_ms, false};
  }
  for (uint32_t i = 0; i < listing.commit_count; i++) {
    const struct ap_log_commit *commit = &listing.commits[i];
    if (commit->version > latest->shown.version) break;
    struct moment moment = {commit->version, commit->modified_ms, true};
    if (timeline->count > 0) {
      int64_t before = timeline->moments[timeline->count - 1].timestamp_ms;
      if (moment.timestamp_ms <= before) moment.timestamp_ms = before + 1;
    }
    timeline->moments[timeline->count++] = moment;
  }
  return AP_OK;
}

static void close_timeline(struct timeline *timeline) {
  ap_arena_deinit(&timeline->arena);
}

/* The commitInfo of a commit, in the arena; NULL when it has none. */
static ap_status read_info(const struct ap_log_source *source, int64_t version,
                           struct ap_arena *arena, const struct ap_json **out_info, ap_error *err) {
  char key[AP_LOG_KEY_MAX];
  struct ap_text key_text;
  struct ap_buffer buffer;
  struct ap_text line;
  size_t offset = 0;
  uint32_t number = 0;
  *out_info = NULL;
  AP_TRY(ap_log_commit_key(source->prefix, version, key, &key_text, err));
  ap_buffer_init(&buffer, source->env->allocator);
  ap_status status = ap_store_get(source->store, key_text, 0, -1, &buffer, err);
  while (status == AP_OK && !*out_info &&
         ap_action_next_line(ap_buffer_text(&buffer), &offset, &number, &line)) {
    if (ap_text_starts_with(line, AP_TEXT("{\"add\":")) ||
        ap_text_starts_with(line, AP_TEXT("{\"remove\":"))) {
      continue;
    }
    const struct ap_json *json = NULL;
    status = ap_json_parse(arena, line, &json, err);
    if (status != AP_OK) {
      status = ap_error_prefix(err, status, "%s line %u", key, number);
      break;
    }
    const struct ap_json *info = ap_json_find(json, "commitInfo");
    if (!ap_json_is_null(info) && info->kind == AP_JSON_OBJECT) *out_info = info;
  }
  ap_buffer_deinit(&buffer);
  return status;
}

static ap_status time_of(const struct timeline *timeline, uint32_t index, int64_t *out_ms,
                         ap_error *err) {
  const struct moment *moment = &timeline->moments[index];
  *out_ms = moment->timestamp_ms;
  if (!moment->has_commit || moment->version < timeline->in_commit_from) return AP_OK;
  struct ap_arena arena;
  const struct ap_json *info = NULL;
  ap_arena_init(&arena, timeline->source->env->allocator);
  ap_status status = read_info(timeline->source, moment->version, &arena, &info, err);
  if (status == AP_OK && !ap_json_get_i64(info, "inCommitTimestamp", *out_ms, out_ms)) {
    status =
        AP_FAIL(err, AP_CORRUPT, "commitInfo.inCommitTimestamp of version %" PRId64 " is no number",
                moment->version);
  }
  ap_arena_deinit(&arena);
  return status;
}

struct shown_time {
  char text[64];
};

/* "2026-01-31 12:00:00.000 UTC" */
static struct shown_time show_time(int64_t ms) {
  struct shown_time shown;
  int64_t days = ms >= 0 ? ms / 86400000 : -((-(ms + 1)) / 86400000) - 1;
  int64_t rest = ms - days * 86400000;
  int64_t year = 0;
  int month = 0;
  int day = 0;
  ap_civil_from_days(days, &year, &month, &day);
  (void)snprintf(shown.text, sizeof shown.text, "%04" PRId64 "-%02d-%02d %02d:%02d:%02d.%03d UTC",
                 year, month, day, (int)(rest / 3600000), (int)(rest / 60000 % 60),
                 (int)(rest / 1000 % 60), (int)(rest % 1000));
  return shown;
}

static ap_status search(const struct timeline *timeline, int64_t timestamp_ms, int64_t *out_version,
                        ap_error *err) {
  struct ap_text prefix = timeline->source->prefix;
  int64_t earliest_ms = 0;
  if (timeline->count == 0) {
    return AP_FAIL(err, AP_NOT_FOUND, "'%.*s' has no log entry left", AP_TEXT_ARG(prefix));
  }
  AP_TRY(time_of(timeline, 0, &earliest_ms, err));
  if (timestamp_ms < earliest_ms) {
    return AP_FAIL(err, AP_NOT_FOUND,
                   "'%.*s' has no version as old as %s; the earliest is version %" PRId64 " of %s",
                   AP_TEXT_ARG(prefix), show_time(timestamp_ms).text, timeline->moments[0].version,
                   show_time(earliest_ms).text);
  }
  uint32_t low = 0; /* not after the time */
  uint32_t high = timeline->count;
  while (high - low > 1) {
    uint32_t middle = low + (high - low) / 2;
    int64_t time_ms = 0;
    AP_TRY(time_of(timeline, middle, &time_ms, err));
    if (time_ms <= timestamp_ms) {
      low = middle;
    } else {
      high = middle;
    }
  }
  *out_version = timeline->moments[low].version;
  return AP_OK;
}

/* Versions before the oldest checkpoint of a cleaned log cannot be rebuilt. */
static void drop_unreadable(struct timeline *timeline, int64_t first_version) {
  uint32_t skip = 0;
  while (skip < timeline->count && timeline->moments[skip].version < first_version) skip++;
  timeline->moments += skip;
  timeline->count -= skip;
}

ap_status ap_history_find_version(const struct ap_log_source *source,
                                  const struct ap_snapshot_full *latest, int64_t timestamp_ms,
                                  int64_t *out_version, ap_error *err) {
  struct timeline timeline;
  struct ap_log_listing listing = {0};
  ap_status status = open_timeline(&timeline, source, latest, err);
  if (status == AP_OK) {
    status = ap_log_list(source->store, source->prefix, 0, &timeline.arena, &listing, err);
  }
  if (status == AP_OK) {
    drop_unreadable(&timeline, ap_log_first_version(&listing));
    status = search(&timeline, timestamp_ms, out_version, err);
  }
  close_timeline(&timeline);
  return status;
}

static ap_status object_text(struct ap_arena *arena, const struct ap_json *info, const char *name,
                             struct ap_text *out_text, ap_error *err) {
  const struct ap_json *value = ap_json_find(info, name);
  *out_text = AP_TEXT("{}");
  if (ap_json_is_null(value) || value->kind != AP_JSON_OBJECT) return AP_OK;
  return ap_action_json_text(arena, value, out_text, err);
}

/* What commitInfo says is free-form: a member of another kind counts as not told. */
static struct ap_text plain_text(const struct ap_json *info, const char *name) {
  struct ap_text text = {"", 0};
  if (!ap_json_get_text(info, name, text, &text)) text = (struct ap_text){"", 0};
  return text;
}

static ap_status visit_moment(const struct timeline *timeline, const struct moment *moment,
                              ap_history_visit visit, void *context, ap_error *err) {
  struct ap_arena arena;
  const struct ap_json *info = NULL;
  struct ap_history_entry entry = {.version = moment->version,
                                   .timestamp_ms = moment->timestamp_ms};
  ap_arena_init(&arena, timeline->source->env->allocator);
  ap_status status = read_info(timeline->source, moment->version, &arena, &info, err);
  if (status == AP_OK && moment->version >= timeline->in_commit_from) {
    int64_t fallback_ms = entry.timestamp_ms;
    if (!ap_json_get_i64(info, "inCommitTimestamp", fallback_ms, &entry.timestamp_ms)) {
      entry.timestamp_ms = fallback_ms;
    }
  }
  if (status == AP_OK) {
    entry.operation = plain_text(info, "operation");
    entry.engine = plain_text(info, "engineInfo");
    entry.user_metadata = plain_text(info, "userMetadata");
    status = object_text(&arena, info, "operationParameters", &entry.parameters_json, err);
  }
  if (status == AP_OK) {
    status = object_text(&arena, info, "operationMetrics", &entry.metrics_json, err);
  }
  if (status == AP_OK) status = visit(context, &entry, err);
  ap_arena_deinit(&arena);
  return status;
}

ap_status ap_history_visit_all(const struct ap_log_source *source,
                               const struct ap_snapshot_full *latest, uint32_t limit,
                               ap_history_visit visit, void *context, ap_error *err) {
  struct timeline timeline;
  uint32_t visited = 0;
  ap_status status = open_timeline(&timeline, source, latest, err);
  for (uint32_t i = timeline.count; status == AP_OK && i > 0; i--) {
    if (limit > 0 && visited == limit) break;
    if (!timeline.moments[i - 1].has_commit) continue;
    status = visit_moment(&timeline, &timeline.moments[i - 1], visit, context, err);
    visited += 1;
  }
  close_timeline(&timeline);
  return status == AP_END ? AP_OK : status;
}
