/* SPDX-License-Identifier: Apache-2.0
 *
 * CREATE FRAME ... AS query: the ledger is made and the rows go into it before the frame has its
 * name, so that nobody sees a frame half filled. With OR REPLACE a frame that is there keeps its
 * ledger and gets definition and rows in one commit of it (replace.h).
 */
#include "base/assert.h"
#include "execute/change.h"
#include "base/limits.h"
#include "execute/replace.h"
#include "execute/rules.h"

/* Columns as the query gives them, or as the statement calls them. */
static ap_status define_columns(struct ap_change *change, struct ap_schema *schema, ap_error *err) {
  const struct ap_change_statement *spec = change->spec;
  if (spec->column_count > 0 && spec->column_count != schema->field_count) {
    return AP_FAIL(err, AP_SCHEMA_MISMATCH, "%u columns are named, the query gives %u",
                   spec->column_count, schema->field_count);
  }
  struct ap_field *fields = AP_ARENA_ARRAY(&change->arena, struct ap_field, schema->field_count);
  if (fields == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < schema->field_count; ++i) {
    struct ap_field *field = &fields[i];
    *field = schema->fields[i];
    if (spec->column_count > 0) field->name = spec->columns[i];
    field->nullable = true;
    if (field->type.kind != AP_TYPE_NULL) continue;
    ap_status status =
        AP_FAIL(err, AP_SCHEMA_MISMATCH, "column '%.*s' of the query is NULL and of no type",
                AP_TEXT_ARG(field->name));
    ap_error_hint(err, "give it one: CAST(NULL AS int64)");
    return status;
  }
  schema->fields = fields;
  return AP_OK;
}

struct creation {
  struct ap_change *change;
  struct ap_change_rows_given rows;
};

static ap_status fill(void *context, struct ap_ledger *ledger, struct ap_text location,
                      ap_error *err) {
  struct creation *creation = context;
  struct ap_change *change = creation->change;
  struct ap_commit_result result = {0};
  AP_ASSERT(change->snapshot == NULL);
  AP_TRY(ap_ledger_snapshot(ledger, AP_AT_LATEST, 0, &change->snapshot, err));
  AP_TRY(ap_rules_load(change->snapshot, &change->arena, &change->rules, err));
  AP_TRY(ap_change_write_rows(change, &creation->rows, err));
  if (change->staged.count == 0) return AP_OK;
  const struct ap_frame frame = {.entry = {.location = location}}; /* it has no name yet */
  AP_TRY(ap_staged_upload(change->node, &frame, &change->staged, &change->arena, err));
  const struct ap_commit commit = {
      .kind = AP_COMMIT_APPEND,
      .adds = change->staged.drafts,
      .add_count = change->staged.count,
      .schema_id = change->snapshot->schema_id,
  };
  AP_TRY(ap_ledger_commit(ledger, &commit, &result, err));
  change->version = result.version;
  return AP_OK;
}

/* The frame as the query and the statement's clauses make it. */
static ap_status describe(struct ap_change *change, struct ap_change_rows_given *rows,
                          struct ap_frame_request *request, ap_error *err) {
  const struct ap_statement *statement = change->run->statement;
  AP_TRY(ap_change_take_rows(change, rows, err));
  AP_TRY(define_columns(change, &rows->given, err));
  *request = (struct ap_frame_request){
      .hive = change->hive,
      .box = change->box,
      .name = change->name,
      .schema = &rows->given,
      .partition_by = statement->partition_by,
      .partition_by_count = statement->partition_count,
  };
  AP_TRY(ap_run_read_rules(change->run, request, err));
  change->full_name = ap_arena_format(&change->arena, "%.*s.%.*s.%.*s", AP_TEXT_ARG(change->hive),
                                      AP_TEXT_ARG(change->box), AP_TEXT_ARG(change->name));
  return change->full_name != NULL ? AP_OK : AP_FAIL_MEMORY(err);
}

static ap_status create(struct ap_change *change, ap_error *err) {
  struct creation creation = {.change = change};
  struct ap_frame_request request;
  AP_TRY(describe(change, &creation.rows, &request, err));
  request.fill = fill;
  request.fill_context = &creation;
  ap_status status = ap_frame_define(change->node, &request, err);
  if (status == AP_ALREADY_EXISTS && change->run->statement->if_not_exists) {
    ap_error_clear(err); /* another creator was first */
    return AP_OK;
  }
  return status;
}

/* The query sees the frame as it is; what it gives is written for what the frame will be. */
static ap_status replace_planned(struct ap_change *change, struct ap_replacement *replacement,
                                 ap_error *err) {
  struct ap_change_rows_given rows = {0};
  struct ap_frame_request request;
  AP_TRY(describe(change, &rows, &request, err));
  replacement->request = &request;
  replacement->reads_all = ap_change_reads_itself(change);
  AP_TRY(ap_replacement_plan(replacement, &change->arena, err));
  change->snapshot = ap_snapshot_retain(replacement->planned);
  AP_TRY(ap_rules_load(change->snapshot, &change->arena, &change->rules, err));
  AP_TRY(ap_change_write_rows(change, &rows, err));
  AP_TRY(ap_staged_upload(change->node, change->frame, &change->staged, &change->arena, err));
  replacement->adds = change->staged.drafts;
  replacement->add_count = change->staged.count;
  AP_TRY(ap_replacement_commit(replacement, &change->arena, &change->version, err));
  bool is_next = change->version == replacement->base->version + 1;
  change->counts.deleted = is_next ? replacement->base->row_count : -1;
  return AP_OK;
}

static ap_status replace(struct ap_change *change, ap_error *err) {
  struct ap_replacement replacement = {.has_query = true};
  ap_status found = ap_node_find_frame(change->node, change->hive, change->box, change->name,
                                       &change->frame, err);
  if (found == AP_NOT_FOUND) {
    return AP_FAIL(err, AP_CONFLICT, "frame %.*s was dropped meanwhile", AP_TEXT_ARG(change->name));
  }
  AP_TRY(found);
  AP_TRY(ap_frame_latest(change->frame, &replacement.base, err));
  replacement.frame = change->frame;
  change->pin = (struct ap_pinned){change->frame, replacement.base};
  change->own_pins = (struct ap_pins){.items = &change->pin, .count = 1};
  change->pins = &change->own_pins;
  ap_status status = replace_planned(change, &replacement, err);
  ap_snapshot_release(replacement.planned);
  ap_snapshot_release(replacement.base);
  return status;
}

/* Whether the frame is there already: then the query need not run. */
static ap_status find_existing(struct ap_change *change, bool *out_found, ap_error *err) {
  struct ap_frame_entry entry;
  ap_error missing = {0};
  ap_status status = ap_catalog_find_frame(ap_node_catalog(change->node), change->hive, change->box,
                                           change->name, &change->arena, &entry, &missing);
  *out_found = status == AP_OK;
  if (status == AP_OK || status == AP_NOT_FOUND) return AP_OK;
  if (err != NULL) *err = missing;
  return status;
}

static ap_status run_create(struct ap_change *change, ap_error *err) {
  const struct ap_statement *statement = change->run->statement;
  bool exists = false;
  AP_TRY(ap_run_frame_name(change->run, &change->hive, &change->box, &change->name, err));
  AP_TRY(find_existing(change, &exists, err));
  if (exists && statement->if_not_exists) return AP_OK;
  if (exists && statement->or_replace) return replace(change, err);
  if (exists) {
    ap_status status =
        AP_FAIL(err, AP_ALREADY_EXISTS, "frame %.*s.%.*s.%.*s is already there",
                AP_TEXT_ARG(change->hive), AP_TEXT_ARG(change->box), AP_TEXT_ARG(change->name));
    ap_error_hint(err, "fill it with INSERT OVERWRITE, choose another name, or drop it first");
    return status;
  }
  return create(change, err);
}

/* Others may alter, create or drop the frame meanwhile. */
static bool is_overtaken(const struct ap_statement *statement, ap_status status) {
  return statement->or_replace && (status == AP_CONFLICT || status == AP_ALREADY_EXISTS);
}

ap_status ap_run_create_as(struct ap_statement_run *run, struct ArrowArrayStream *out,
                           ap_error *err) {
  struct ap_clock *clock = ap_node_env(run->session->node)->clock;
  for (uint32_t attempts = 1;; ++attempts) {
    struct ap_change change;
    int64_t begin_us = ap_clock_monotonic_us(clock);
    ap_change_begin_attempt(&change, run);
    ap_status status = run_create(&change, err);
    ap_change_close_rows(&change);
    if (status == AP_OK) status = ap_change_answer(&change, out, err);
    ap_change_end_attempt(&change, status);
    if (!is_overtaken(run->statement, status) || attempts == AP_CHANGE_ATTEMPTS_MAX) return status;
    AP_TRY(ap_change_wait(run, attempts, ap_clock_monotonic_us(clock) - begin_us, err));
  }
}
