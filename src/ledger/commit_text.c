/* SPDX-License-Identifier: Apache-2.0
 *
 * See commit_text.h. Members of operationParameters and operationMetrics are texts, as Spark writes
 * them.
 */
#include "ledger/commit_text.h"

#include "ledger/alter.h"
#include "ledger/changes.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#ifndef AP_VERSION_TEXT
#error "AP_VERSION_TEXT comes from the build"
#endif

static void member_number_text(struct ap_json_writer *writer, const char *name, uint64_t number) {
  char text[24];
  int size = snprintf(text, sizeof(text), "%" PRIu64, number);
  ap_json_member_string(writer, name, (struct ap_text){text, (size_t)size});
}

static void end_line(struct ap_json_writer *writer) {
  ap_json_end_object(writer);
  ap_json_end_object(writer);
  ap_buffer_append_string(writer->out, "\n");
}

static void begin_line(struct ap_json_writer *writer, struct ap_buffer *out, const char *name) {
  ap_json_writer_init(writer, out);
  ap_json_begin_object(writer);
  ap_json_name(writer, ap_text_of(name));
  ap_json_begin_object(writer);
}

static ap_status check_draft(const struct ap_snapshot *snapshot, const struct ap_cell_draft *draft,
                             ap_error *err) {
  if (draft->again) return AP_OK;
  if (draft->path.size == 0 || !ap_text_is_utf8(draft->path) ||
      ap_action_path_is_absolute(draft->path) || draft->size_bytes < 0) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "cell '%.*s' has no valid relative path and size",
                   AP_TEXT_ARG(draft->path));
  }
  AP_TRY(ap_store_check_key(draft->path, err));
  if (draft->partition_count != snapshot->partition_column_count) {
    return AP_FAIL(err, AP_CONFLICT,
                   "cell '%.*s' has %u partition values, but the table has %u partition columns at "
                   "version %" PRId64,
                   AP_TEXT_ARG(draft->path), draft->partition_count,
                   snapshot->partition_column_count, snapshot->version);
  }
  for (uint32_t i = 0; i < draft->partition_count; i++) {
    const struct ap_partition_value *value = &draft->partition_values[i];
    struct ap_text name = snapshot->schema.fields[snapshot->partition_columns[i]].name;
    if (!value->is_null && value->text.size == 0) {
      return AP_FAIL(err, AP_INVALID_ARGUMENT,
                     "partition column '%.*s' holds an empty text, which Delta reads as null",
                     AP_TEXT_ARG(name));
    }
    if (!value->is_null && !ap_text_is_utf8(value->text)) {
      return AP_FAIL(err, AP_INVALID_ARGUMENT,
                     "partition column '%.*s' holds text that is not UTF-8", AP_TEXT_ARG(name));
    }
  }
  return AP_OK;
}

static void member_deletion_vector(struct ap_json_writer *writer,
                                   const struct ap_deletion_vector *vector) {
  if (vector->storage_type == 0) return;
  ap_json_name(writer, AP_TEXT("deletionVector"));
  ap_json_begin_object(writer);
  ap_json_member_string(writer, "storageType", (struct ap_text){&vector->storage_type, 1});
  ap_json_member_string(writer, "pathOrInlineDv", vector->path_or_inline);
  if (vector->offset >= 0) ap_json_member_i64(writer, "offset", vector->offset);
  ap_json_member_i64(writer, "sizeInBytes", vector->size_bytes);
  ap_json_member_i64(writer, "cardinality", vector->cardinality);
  ap_json_end_object(writer);
}

/* What the cell's own add says, but for the deletion vector and, where the draft has them, the
 * statistics: unknown members stay. */
static ap_status append_again(struct ap_buffer *out, const struct ap_cell_draft *draft,
                              bool same_rows, ap_error *err) {
  struct ap_arena arena;
  struct ap_json_writer writer;
  const struct ap_json *add = NULL;
  ap_arena_init(&arena, out->allocator);
  ap_status status = ap_json_parse(&arena, draft->again->action_json, &add, err);
  if (status == AP_OK) {
    begin_line(&writer, out, "add");
    for (uint32_t i = 0; i < add->count; i++) {
      const struct ap_json_member *member = &add->members[i];
      if (ap_text_equal_string(member->name, "deletionVector") ||
          ap_text_equal_string(member->name, "dataChange") ||
          (draft->statistics_json.size > 0 && ap_text_equal_string(member->name, "stats"))) {
        continue;
      }
      ap_json_name(&writer, member->name);
      ap_json_value(&writer, &member->value);
    }
    ap_json_member_bool(&writer, "dataChange", !same_rows);
    if (draft->statistics_json.size > 0) {
      ap_json_member_string(&writer, "stats", draft->statistics_json);
    }
    member_deletion_vector(&writer, &draft->deletion_vector);
    end_line(&writer);
  }
  ap_arena_deinit(&arena);
  return status;
}

static void member_partition_values(struct ap_json_writer *writer,
                                    const struct ap_snapshot *snapshot,
                                    const struct ap_cell_draft *draft) {
  ap_json_name(writer, AP_TEXT("partitionValues"));
  ap_json_begin_object(writer);
  for (uint32_t i = 0; i < draft->partition_count; i++) {
    ap_json_name(writer, snapshot->physical_names[snapshot->partition_columns[i]]);
    if (draft->partition_values[i].is_null) {
      ap_json_null(writer);
    } else {
      ap_json_string(writer, draft->partition_values[i].text);
    }
  }
  ap_json_end_object(writer);
}

static void append_add(struct ap_buffer *out, struct ap_buffer *scratch,
                       const struct ap_snapshot *snapshot, const struct ap_cell_draft *draft,
                       bool same_rows, int64_t now_ms) {
  struct ap_json_writer writer;
  char tag[17];
  begin_line(&writer, out, "add");
  ap_buffer_clear(scratch);
  ap_uri_escape_append(scratch, draft->path);
  ap_json_member_string(&writer, "path", ap_buffer_text(scratch));
  member_partition_values(&writer, snapshot, draft);
  ap_json_member_i64(&writer, "size", draft->size_bytes);
  ap_json_member_i64(&writer, "modificationTime", now_ms);
  ap_json_member_bool(&writer, "dataChange", !same_rows);
  if (draft->statistics_json.size > 0) {
    ap_json_member_string(&writer, "stats", draft->statistics_json);
  }
  ap_json_name(&writer, AP_TEXT("tags"));
  ap_json_begin_object(&writer);
  (void)snprintf(tag, sizeof(tag), "%016" PRIx64, snapshot->physical_schema_id);
  ap_json_member_string(&writer, AP_CELL_TAG, ap_text_of(tag));
  ap_json_end_object(&writer);
  end_line(&writer);
}

ap_status ap_commit_text_adds(struct ap_buffer *out, const struct ap_snapshot *snapshot,
                              const struct ap_commit *commit, int64_t now_ms, ap_error *err) {
  struct ap_buffer scratch;
  ap_status status = AP_OK;
  ap_buffer_init(&scratch, out->allocator);
  for (uint32_t i = 0; status == AP_OK && i < commit->add_count; i++) {
    const struct ap_cell_draft *draft = &commit->adds[i];
    status = check_draft(snapshot, draft, err);
    if (status == AP_OK && draft->again) {
      status = append_again(out, draft, commit->same_rows, err);
    } else if (status == AP_OK) {
      append_add(out, &scratch, snapshot, draft, commit->same_rows, now_ms);
    }
    if (scratch.failed) status = ap_buffer_check(&scratch, err);
  }
  ap_buffer_deinit(&scratch);
  return status == AP_OK ? ap_buffer_check(out, err) : status;
}

void ap_change_files_append(struct ap_buffer *out, const struct ap_snapshot *snapshot,
                            const struct ap_cell_draft *drafts, uint32_t count) {
  struct ap_buffer scratch;
  struct ap_json_writer writer;
  ap_buffer_init(&scratch, out->allocator);
  for (uint32_t i = 0; i < count; i++) {
    begin_line(&writer, out, "cdc");
    ap_buffer_clear(&scratch);
    ap_uri_escape_append(&scratch, drafts[i].path);
    out->failed |= scratch.failed; /* the next one forgets */
    ap_json_member_string(&writer, "path", ap_buffer_text(&scratch));
    member_partition_values(&writer, snapshot, &drafts[i]);
    ap_json_member_i64(&writer, "size", drafts[i].size_bytes);
    ap_json_member_bool(&writer, "dataChange", false);
    end_line(&writer);
  }
  ap_buffer_deinit(&scratch);
}

/* What the add said of the file is said again, in the add's own words: readers that compare paths
 * as texts find it. */
static ap_status append_remove(struct ap_buffer *out, const struct ap_cell *cell, bool same_rows,
                               int64_t now_ms, ap_error *err) {
  static const char *const kept[] = {
      "path",      "partitionValues",        "size", "tags", "deletionVector",
      "baseRowId", "defaultRowCommitVersion"};
  struct ap_arena arena;
  struct ap_json_writer writer;
  const struct ap_json *add = NULL;
  ap_arena_init(&arena, out->allocator);
  ap_status status = ap_json_parse(&arena, cell->action_json, &add, err);
  if (status == AP_OK) {
    begin_line(&writer, out, "remove");
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
      const struct ap_json *member = ap_json_find(add, kept[i]);
      if (ap_json_is_null(member)) continue;
      ap_json_name(&writer, ap_text_of(kept[i]));
      ap_json_value(&writer, member);
    }
    ap_json_member_i64(&writer, "deletionTimestamp", now_ms);
    ap_json_member_bool(&writer, "dataChange", !same_rows);
    ap_json_member_bool(&writer, "extendedFileMetadata", true);
    end_line(&writer);
  }
  ap_arena_deinit(&arena);
  return status;
}

static ap_status append_listed_removes(struct ap_buffer *out, const struct ap_commit *commit,
                                       int64_t now_ms, struct ap_commit_totals *totals,
                                       ap_error *err) {
  for (uint32_t i = 0; i < commit->removed_cell_count; i++) {
    const struct ap_cell *cell = commit->removed_cells[i];
    AP_TRY(append_remove(out, cell, commit->same_rows, now_ms, err));
    totals->removed_count += 1;
    totals->removed_bytes += (uint64_t)cell->size_bytes;
  }
  return ap_buffer_check(out, err);
}

ap_status ap_commit_text_removes(struct ap_buffer *out, struct ap_snapshot *snapshot,
                                 const struct ap_commit *commit, int64_t now_ms,
                                 struct ap_commit_totals *out_totals, ap_error *err) {
  *out_totals = (struct ap_commit_totals){0};
  bool keeps = commit->kind == AP_COMMIT_APPEND || commit->kind == AP_COMMIT_ALTER;
  if (keeps || commit->restates) return AP_OK;
  if (commit->kind == AP_COMMIT_REWRITE) {
    return append_listed_removes(out, commit, now_ms, out_totals, err);
  }
  for (uint32_t i = 0; i < snapshot->cell_count; i++) {
    struct ap_cell *cell = snapshot->cells[i];
    bool removes = true;
    if (commit->removes) AP_TRY(commit->removes(commit->context, snapshot, cell, &removes, err));
    if (!removes) continue;
    AP_TRY(append_remove(out, cell, false, now_ms, err));
    out_totals->removed_count += 1;
    out_totals->removed_bytes += (uint64_t)cell->size_bytes;
  }
  return ap_buffer_check(out, err);
}

void ap_commit_text_txn(struct ap_buffer *out, const struct ap_commit *commit, int64_t now_ms) {
  struct ap_json_writer writer;
  if (commit->app_id.size == 0) return;
  begin_line(&writer, out, "txn");
  ap_json_member_string(&writer, "appId", commit->app_id);
  ap_json_member_i64(&writer, "version", commit->app_version);
  ap_json_member_i64(&writer, "lastUpdated", now_ms);
  end_line(&writer);
}

void ap_commit_text_action(struct ap_buffer *out, const char *name, struct ap_text json) {
  if (json.size == 0) return;
  ap_buffer_append_format(out, "{\"%s\":", name);
  ap_buffer_append_text(out, json);
  ap_buffer_append_string(out, "}\n");
}

/* A JSON array of names as text: "[\"region\",\"day\"]". */
static void member_partition_by(struct ap_json_writer *writer, const struct ap_schema *schema,
                                const uint32_t *columns, uint32_t count) {
  struct ap_buffer names;
  struct ap_json_writer inner;
  ap_buffer_init(&names, writer->out->allocator);
  ap_json_writer_init(&inner, &names);
  ap_json_begin_array(&inner);
  for (uint32_t i = 0; i < count; i++) ap_json_string(&inner, schema->fields[columns[i]].name);
  ap_json_end_array(&inner);
  ap_json_member_string(writer, "partitionBy", ap_buffer_text(&names));
  if (names.failed) writer->out->failed = true;
  ap_buffer_deinit(&names);
}

static void member_engine(struct ap_json_writer *writer, const char *txn_id) {
  ap_json_member_string(writer, "engineInfo", AP_TEXT("Apiary/" AP_VERSION_TEXT));
  ap_json_member_string(writer, "txnId", ap_text_of(txn_id));
}

static void member_metrics(struct ap_json_writer *writer, const struct ap_commit *commit,
                           const struct ap_commit_totals *totals) {
  uint64_t rows = 0;
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < commit->add_count; i++) {
    if (commit->adds[i].row_count > 0) rows += (uint64_t)commit->adds[i].row_count;
    bytes += (uint64_t)commit->adds[i].size_bytes;
  }
  ap_json_name(writer, AP_TEXT("operationMetrics"));
  if (commit->operation_metrics_json.size > 0) {
    ap_json_raw(writer, commit->operation_metrics_json);
    return;
  }
  ap_json_begin_object(writer);
  if (commit->kind == AP_COMMIT_ALTER) {
    ap_json_end_object(writer);
    return;
  }
  member_number_text(writer, "numFiles", commit->add_count);
  member_number_text(writer, "numOutputRows", rows);
  member_number_text(writer, "numOutputBytes", bytes);
  if (commit->kind == AP_COMMIT_OVERWRITE || commit->kind == AP_COMMIT_REPLACE) {
    member_number_text(writer, "numRemovedFiles", totals->removed_count);
    member_number_text(writer, "numRemovedBytes", totals->removed_bytes);
  }
  ap_json_end_object(writer);
}

/* "operation" and "operationParameters". */
static void member_operation(struct ap_json_writer *writer, const struct ap_snapshot *snapshot,
                             const struct ap_commit *commit) {
  bool is_append = commit->kind == AP_COMMIT_APPEND;
  bool is_write = commit->operation.size == 0;
  struct ap_text operation = is_write ? AP_TEXT("WRITE") : commit->operation;
  if (commit->alteration) operation = ap_text_of(ap_alter_operation(commit->alteration));
  ap_json_member_string(writer, "operation", operation);
  ap_json_name(writer, AP_TEXT("operationParameters"));
  if (commit->operation_parameters_json.size > 0) {
    ap_json_raw(writer, commit->operation_parameters_json);
    return;
  }
  ap_json_begin_object(writer);
  if (commit->alteration) {
    ap_alter_parameters(commit->alteration, writer);
  } else if (is_write) {
    ap_json_member_string(writer, "mode", is_append ? AP_TEXT("Append") : AP_TEXT("Overwrite"));
    member_partition_by(writer, &snapshot->schema, snapshot->partition_columns,
                        snapshot->partition_column_count);
  }
  if (commit->predicate.size) ap_json_member_string(writer, "predicate", commit->predicate);
  ap_json_end_object(writer);
}

void ap_commit_text_info(struct ap_buffer *out, const struct ap_snapshot *snapshot,
                         const struct ap_commit *commit, const struct ap_commit_totals *totals,
                         const char *txn_id, int64_t now_ms, int64_t in_commit_timestamp) {
  struct ap_json_writer writer;
  begin_line(&writer, out, "commitInfo");
  if (in_commit_timestamp >= 0) {
    ap_json_member_i64(&writer, "inCommitTimestamp", in_commit_timestamp);
  }
  ap_json_member_i64(&writer, "timestamp", now_ms);
  member_operation(&writer, snapshot, commit);
  ap_json_member_i64(&writer, "readVersion",
                     commit->base ? commit->base->version : snapshot->version);
  ap_json_member_string(&writer, "isolationLevel", AP_TEXT("Serializable"));
  ap_json_member_bool(&writer, "isBlindAppend", commit->kind == AP_COMMIT_APPEND);
  member_metrics(&writer, commit, totals);
  if (commit->user_metadata.size) {
    ap_json_member_string(&writer, "userMetadata", commit->user_metadata);
  }
  member_engine(&writer, txn_id);
  end_line(&writer);
}

void ap_commit_text_create_info(struct ap_buffer *out, const struct ap_table_definition *definition,
                                const char *txn_id, int64_t now_ms) {
  struct ap_json_writer writer;
  struct ap_buffer properties;
  struct ap_json_writer inner;
  begin_line(&writer, out, "commitInfo");
  for (uint32_t i = 0; i < definition->property_count; i++) {
    const struct ap_property *property = &definition->properties[i];
    if (!ap_text_equal_string(property->name, "delta.enableInCommitTimestamps")) continue;
    if (!ap_text_equal_ignoring_case(property->value, AP_TEXT("true"))) continue;
    ap_json_member_i64(&writer, "inCommitTimestamp", now_ms);
    break;
  }
  ap_json_member_i64(&writer, "timestamp", now_ms);
  ap_json_member_string(&writer, "operation", AP_TEXT("CREATE TABLE"));
  ap_json_name(&writer, AP_TEXT("operationParameters"));
  ap_json_begin_object(&writer);
  member_partition_by(&writer, definition->schema, definition->partition_columns,
                      definition->partition_column_count);
  ap_json_member_string(&writer, "description", definition->description);
  ap_buffer_init(&properties, out->allocator);
  ap_json_writer_init(&inner, &properties);
  ap_json_begin_object(&inner);
  for (uint32_t i = 0; i < definition->property_count; i++) {
    ap_json_name(&inner, definition->properties[i].name);
    ap_json_string(&inner, definition->properties[i].value);
  }
  ap_json_end_object(&inner);
  ap_json_member_string(&writer, "properties", ap_buffer_text(&properties));
  if (properties.failed) out->failed = true;
  ap_buffer_deinit(&properties);
  ap_json_end_object(&writer);
  ap_json_member_string(&writer, "isolationLevel", AP_TEXT("Serializable"));
  ap_json_member_bool(&writer, "isBlindAppend", true);
  ap_json_name(&writer, AP_TEXT("operationMetrics"));
  ap_json_begin_object(&writer);
  ap_json_end_object(&writer);
  member_engine(&writer, txn_id);
  end_line(&writer);
}
