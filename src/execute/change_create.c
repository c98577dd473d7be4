/* SPDX-License-Identifier: Apache-2.0
 *
 * CREATE FRAME ... AS query: the ledger is made and the rows go into it before the
 * frame has its name, so that nobody sees a frame half filled.
 * definition, which must be the query's, and its past.
 */
#include "base/assert.h"
#include "execute/change.h"
#include "execute/definition.h"
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

static ap_status create(struct ap_change *change, ap_error *err) {
  const struct ap_statement *statement = change->run->statement;
  struct creation creation = {.change = change};
  AP_TRY(ap_change_take_rows(change, &creation.rows, err));
  AP_TRY(define_columns(change, &creation.rows.given, err));
  struct ap_frame_request request = {
      .hive = change->hive,
      .box = change->box,
      .name = change->name,
      .schema = &creation.rows.given,
      .partition_by = statement->partition_by,
      .partition_by_count = statement->partition_count,
      .fill = fill,
      .fill_context = &creation,
  };
  change->full_name = ap_arena_format(&change->arena, "%.*s.%.*s.%.*s", AP_TEXT_ARG(change->hive),
                                      AP_TEXT_ARG(change->box), AP_TEXT_ARG(change->name));
  if (change->full_name == NULL) return AP_FAIL_MEMORY(err);
  ap_status status = ap_frame_define(change->node, &request, err);
  if (status == AP_ALREADY_EXISTS && statement->if_not_exists) {
    ap_error_clear(err); /* another creator was first */
    return AP_OK;
  }
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
  if (exists) {
    ap_status status =
        AP_FAIL(err, AP_ALREADY_EXISTS, "frame %.*s.%.*s.%.*s is already there",
                AP_TEXT_ARG(change->hive), AP_TEXT_ARG(change->box), AP_TEXT_ARG(change->name));
    ap_error_hint(err, "fill it with INSERT OVERWRITE, choose another name, or drop it first");
    return status;
  }
  return create(change, err);
}

ap_status ap_run_create_as(struct ap_statement_run *run, struct ArrowArrayStream *out,
                           ap_error *err) {
  struct ap_change change;
  ap_change_begin_attempt(&change, run);
  ap_status status = run_create(&change, err);
  ap_change_close_rows(&change);
  if (status == AP_OK) status = ap_change_answer(&change, out, err);
  ap_change_end_attempt(&change, status);
  return status;
}
