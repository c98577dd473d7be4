/* SPDX-License-Identifier: Apache-2.0
 *
 * See report.h.
 */
#include "execute/report.h"

#include "base/assert.h"
#include "base/json.h"
#include "base/limits.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BYTES_PER_GB 1e9
#define BYTES_PER_MB 1e6

static void member_f64(struct ap_json_writer *writer, const char *name, double value) {
  ap_json_name(writer, ap_text_of(name));
  ap_json_f64(writer, value);
}

static void member_text(struct ap_json_writer *writer, const char *name, const char *value) {
  ap_json_member_string(writer, name, ap_text_of(value));
}

void ap_append_rfc3339(struct ap_buffer *out, int64_t ms) {
  int64_t days = ms >= 0 ? ms / 86400000 : -((-ms + 86399999) / 86400000);
  int64_t rest = ms - days * 86400000;
  int64_t year = 0;
  int month = 0;
  int day = 0;
  ap_civil_from_days(days, &year, &month, &day);
  AP_ASSERT(rest >= 0 && rest < 86400000);
  ap_buffer_append_format(
      out, "%04" PRId64 "-%02d-%02dT%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%03" PRId64 "Z", year,
      month, day, rest / 3600000, rest / 60000 % 60, rest / 1000 % 60, rest % 1000);
}

/* ---- the node -------------------------------------------------------------------------------- */

/* "cell_cache": null without one. */
static void report_cache(struct ap_json_writer *writer, struct ap_node *node) {
  struct ap_cache_status status;
  ap_json_name(writer, AP_TEXT("cell_cache"));
  if (ap_node_cache(node) == NULL) {
    ap_json_null(writer);
    return;
  }
  ap_cache_get_status(ap_node_cache(node), &status);
  const struct ap_cache_counts *counts = &status.counts;
  ap_json_begin_object(writer);
  ap_json_member_i64(writer, "budget_bytes", counts->budget_bytes);
  ap_json_member_i64(writer, "used_bytes", counts->used_bytes);
  ap_json_member_i64(writer, "files", (int64_t)counts->copy_count);
  ap_json_member_i64(writer, "cells", (int64_t)counts->cell_count);
  ap_json_member_i64(writer, "hits", (int64_t)counts->hits);
  ap_json_member_i64(writer, "misses", (int64_t)counts->misses);
  ap_json_member_i64(writer, "hit_bytes", (int64_t)counts->hit_bytes);
  ap_json_member_i64(writer, "admissions", (int64_t)counts->admissions);
  ap_json_member_i64(writer, "evictions", (int64_t)counts->evictions);
  ap_json_member_i64(writer, "failed_fills", (int64_t)counts->failed_fills);
  ap_json_name(writer, AP_TEXT("filling"));
  ap_json_bool(writer, status.filling || status.pending);
  ap_json_end_object(writer);
}

void ap_report_node(struct ap_node *node, struct ap_buffer *out) {
  struct ap_node_facts facts;
  struct ap_json_writer writer;
  ap_node_get_facts(node, &facts);
  ap_json_writer_init(&writer, out);
  ap_json_begin_object(&writer);
  member_text(&writer, "name", facts.name);
  member_text(&writer, "node_id", facts.id);
  member_text(&writer, "state", "running");
  ap_json_member_i64(&writer, "cores", facts.bees);
  member_f64(&writer, "memory_gb", (double)facts.memory_bytes / BYTES_PER_GB);
  ap_json_member_i64(&writer, "bees", facts.bees);
  member_text(&writer, "storage", facts.storage);
  member_f64(&writer, "memory_per_bee_mb", (double)facts.bee_memory_bytes / BYTES_PER_MB);
  member_f64(&writer, "target_cell_size_mb", (double)facts.cell_target_bytes / BYTES_PER_MB);
  member_text(&writer, "engine", ap_engine_library_version());
  report_cache(&writer, node);
  ap_json_end_object(&writer);
}

void ap_report_bees(struct ap_node *node, struct ap_buffer *out) {
  struct ap_node_facts facts;
  struct ap_engine_status status;
  struct ap_json_writer writer;
  ap_node_get_facts(node, &facts);
  ap_engine_get_status(ap_node_engine(node), &status);
  uint32_t busy = status.bees_busy;
  int64_t used = busy > 0 ? status.memory_used_bytes / busy : 0;
  ap_json_writer_init(&writer, out);
  ap_json_begin_array(&writer);
  for (uint32_t i = 0; i < facts.bees; ++i) {
    bool is_busy = i < busy;
    char id[32];
    (void)snprintf(id, sizeof id, "bee-%u", i);
    ap_json_begin_object(&writer);
    member_text(&writer, "bee_id", id);
    member_text(&writer, "state", is_busy ? "busy" : "idle");
    ap_json_member_i64(&writer, "memory_used", is_busy ? used : 0);
    member_f64(&writer, "memory_used_mb", is_busy ? (double)used / BYTES_PER_MB : 0.0);
    ap_json_member_i64(&writer, "memory_budget", facts.bee_memory_bytes);
    member_f64(&writer, "memory_budget_mb", (double)facts.bee_memory_bytes / BYTES_PER_MB);
    ap_json_end_object(&writer);
  }
  ap_json_end_array(&writer);
}

void ap_report_swarm(struct ap_node *node, struct ap_buffer *out) {
  struct ap_node_facts facts;
  struct ap_engine_status status;
  struct ap_json_writer writer;
  ap_node_get_facts(node, &facts);
  ap_engine_get_status(ap_node_engine(node), &status);
  uint32_t idle = facts.bees - status.bees_busy;
  double memory_gb = (double)facts.memory_bytes / BYTES_PER_GB;
  ap_json_writer_init(&writer, out);
  ap_json_begin_object(&writer);
  ap_json_member_i64(&writer, "alive", 1);
  ap_json_name(&writer, AP_TEXT("nodes"));
  ap_json_begin_array(&writer);
  ap_json_begin_object(&writer);
  member_text(&writer, "node_id", facts.id);
  member_text(&writer, "state", "alive");
  ap_json_member_i64(&writer, "bees", facts.bees);
  ap_json_member_i64(&writer, "idle_bees", idle);
  ap_json_member_i64(&writer, "cores", facts.bees);
  member_f64(&writer, "memory_gb", memory_gb);
  member_f64(&writer, "memory_pressure",
             (double)status.memory_used_bytes / (double)facts.memory_bytes);
  member_f64(&writer, "colony_temperature", status.temperature);
  ap_json_member_i64(&writer, "queued", status.queued);
  ap_json_end_object(&writer);
  ap_json_end_array(&writer);
  ap_json_member_i64(&writer, "total_bees", facts.bees);
  ap_json_member_i64(&writer, "total_idle_bees", idle);
  member_f64(&writer, "total_memory_gb", memory_gb);
  ap_json_end_object(&writer);
}

void ap_report_colony(struct ap_node *node, struct ap_buffer *out) {
  struct ap_engine_status status;
  struct ap_json_writer writer;
  ap_engine_get_status(ap_node_engine(node), &status);
  ap_json_writer_init(&writer, out);
  ap_json_begin_object(&writer);
  member_f64(&writer, "temperature", status.temperature);
  member_text(&writer, "regulation", ap_regulation_word(ap_regulation_of(status.temperature)));
  member_f64(&writer, "setpoint", 0.5);
  ap_json_member_i64(&writer, "busy_bees", status.bees_busy);
  ap_json_member_i64(&writer, "queued", status.queued);
  ap_json_member_i64(&writer, "chambers_open", status.chambers_open);
  ap_json_member_i64(&writer, "chambers_held", status.chambers_busy);
  ap_json_member_i64(&writer, "memory_used", status.memory_used_bytes);
  ap_json_member_i64(&writer, "memory_granted", status.memory_granted_bytes);
  ap_json_member_i64(&writer, "abandoned_tasks", 0);
  ap_json_end_object(&writer);
}

/* ---- a frame --------------------------------------------------------------------------------- */

struct frame_view {
  struct ap_frame *frame;
  struct ap_snapshot *snapshot;
};

static ap_status open_view(struct ap_node *node, struct ap_text hive, struct ap_text box,
                           struct ap_text name, struct frame_view *view, ap_error *err) {
  *view = (struct frame_view){0};
  AP_TRY(ap_node_find_frame(node, hive, box, name, &view->frame, err));
  ap_status status = ap_frame_latest(view->frame, &view->snapshot, err);
  if (status != AP_OK) ap_node_release_frame(node, view->frame);
  return status;
}

static void close_view(struct ap_node *node, struct frame_view *view) {
  ap_snapshot_release(view->snapshot);
  ap_node_release_frame(node, view->frame);
}

static void append_word(struct ap_buffer *word, const struct ap_field *field) {
  ap_buffer_clear(word);
  ap_type_append_word(word, &field->type);
  if (!field->nullable) ap_buffer_append_string(word, " not null");
}

static void write_schema(struct ap_json_writer *writer, struct ap_allocator *allocator,
                         const struct ap_schema *schema) {
  struct ap_buffer word;
  ap_buffer_init(&word, allocator);
  ap_json_begin_object(writer);
  for (uint32_t i = 0; i < schema->field_count; ++i) {
    append_word(&word, &schema->fields[i]);
    ap_json_name(writer, schema->fields[i].name);
    ap_json_string(writer, ap_buffer_text(&word));
  }
  ap_json_end_object(writer);
  ap_buffer_deinit(&word);
}

static void write_partitioning(struct ap_json_writer *writer, const struct ap_snapshot *snapshot) {
  ap_json_begin_array(writer);
  for (uint32_t i = 0; i < snapshot->partition_column_count; ++i) {
    ap_json_string(writer, snapshot->schema.fields[snapshot->partition_columns[i]].name);
  }
  ap_json_end_array(writer);
}

static void write_properties(struct ap_json_writer *writer, const struct ap_snapshot *snapshot) {
  ap_json_begin_object(writer);
  for (uint32_t i = 0; i < snapshot->property_count; ++i) {
    ap_json_name(writer, snapshot->properties[i].name);
    ap_json_string(writer, snapshot->properties[i].value);
  }
  ap_json_end_object(writer);
}

static void write_frame(struct ap_json_writer *writer, struct ap_allocator *allocator,
                        const struct frame_view *view, struct ap_text folder) {
  const struct ap_frame_entry *entry = &view->frame->entry;
  const struct ap_snapshot *snapshot = view->snapshot;
  struct ap_buffer created;
  ap_buffer_init(&created, allocator);
  ap_append_rfc3339(&created, entry->created_ms);
  ap_json_begin_object(writer);
  ap_json_member_string(writer, "hive", entry->hive);
  ap_json_member_string(writer, "box", entry->box);
  ap_json_member_string(writer, "name", entry->name);
  ap_json_member_string(writer, "id", entry->id);
  ap_json_member_string(writer, "location", folder);
  ap_json_name(writer, AP_TEXT("schema"));
  write_schema(writer, allocator, &snapshot->schema);
  ap_json_name(writer, AP_TEXT("partition_by"));
  write_partitioning(writer, snapshot);
  ap_json_member_i64(writer, "max_partitions", AP_PARTITIONS_MAX);
  ap_json_member_string(writer, "created_at", ap_buffer_text(&created));
  ap_json_member_i64(writer, "version", snapshot->version);
  ap_json_member_i64(writer, "cell_count", snapshot->cell_count);
  ap_json_name(writer, AP_TEXT("row_count"));
  if (snapshot->row_count < 0) {
    ap_json_null(writer);
  } else {
    ap_json_i64(writer, snapshot->row_count);
  }
  ap_json_member_i64(writer, "total_bytes", snapshot->size_bytes);
  ap_json_member_string(writer, "description", snapshot->description);
  ap_json_name(writer, AP_TEXT("properties"));
  write_properties(writer, snapshot);
  ap_json_end_object(writer);
  ap_buffer_deinit(&created);
}

ap_status ap_report_frame(struct ap_node *node, struct ap_text hive, struct ap_text box,
                          struct ap_text name, struct ap_buffer *out, ap_error *err) {
  struct frame_view view;
  AP_TRY(open_view(node, hive, box, name, &view, err));
  struct ap_buffer folder;
  ap_buffer_init(&folder, ap_node_env(node)->allocator);
  ap_status status =
      ap_store_local_path(ap_node_store(node), view.frame->entry.location, &folder, err);
  if (status == AP_OK) status = ap_buffer_check(&folder, err);
  if (status == AP_OK) {
    struct ap_json_writer writer;
    ap_json_writer_init(&writer, out);
    write_frame(&writer, ap_node_env(node)->allocator, &view, ap_buffer_text(&folder));
    status = ap_buffer_check(out, err);
  }
  ap_buffer_deinit(&folder);
  close_view(node, &view);
  return status;
}
