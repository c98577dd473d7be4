/* SPDX-License-Identifier: Apache-2.0
 *
 * ALTER FRAME and COMMENT ON: from what was written to one alteration of the ledger. A rule that
 * rows must fulfil is checked against those there are first; rows that come meanwhile make it start
 * again. Thread: the session's.
 */
#include "execute/statement_run.h"

#include "cell/expression.h"
#include "execute/changes.h"
#include "execute/report.h"
#include "execute/rules.h"
#include "ledger/alter.h"

enum { CHECKS_MAX = 16 }; /* of a rule, when rows keep coming */

struct alter_run {
  struct ap_statement_run *run;
  const struct ap_statement_alter *statement;
  struct ap_frame *frame;
  struct ap_snapshot *snapshot;
  struct ap_alteration alteration;
  struct ap_text condition; /* of the engine; what every row must fulfil; empty: no rows matter */
};

static const enum ap_alteration_kind kinds[] = {
    [AP_ALTER_ACTION_ADD_COLUMNS] = AP_ALTER_ADD_COLUMNS,
    [AP_ALTER_ACTION_DROP_COLUMNS] = AP_ALTER_DROP_COLUMNS,
    [AP_ALTER_ACTION_RENAME_COLUMN] = AP_ALTER_RENAME_COLUMN,
    [AP_ALTER_ACTION_MOVE_COLUMN] = AP_ALTER_MOVE_COLUMN,
    [AP_ALTER_ACTION_SET_TYPE] = AP_ALTER_SET_TYPE,
    [AP_ALTER_ACTION_SET_NOT_NULL] = AP_ALTER_SET_NOT_NULL,
    [AP_ALTER_ACTION_DROP_NOT_NULL] = AP_ALTER_DROP_NOT_NULL,
    [AP_ALTER_ACTION_SET_DEFAULT] = AP_ALTER_SET_DEFAULT,
    [AP_ALTER_ACTION_DROP_DEFAULT] = AP_ALTER_DROP_DEFAULT,
    [AP_ALTER_ACTION_COMMENT_COLUMN] = AP_ALTER_COMMENT_COLUMN,
    [AP_ALTER_ACTION_COMMENT_FRAME] = AP_ALTER_COMMENT_TABLE,
    [AP_ALTER_ACTION_ADD_CONSTRAINT] = AP_ALTER_ADD_CONSTRAINT,
    [AP_ALTER_ACTION_DROP_CONSTRAINT] = AP_ALTER_DROP_CONSTRAINT,
    [AP_ALTER_ACTION_SET_PROPERTIES] = AP_ALTER_SET_PROPERTIES,
    [AP_ALTER_ACTION_UNSET_PROPERTIES] = AP_ALTER_UNSET_PROPERTIES,
};

/* ---- from the statement ---------------------------------------------------------------------- */

static ap_status read_column(struct alter_run *alter, const struct ap_alter_item *item,
                             struct ap_alter_column *column, ap_error *err) {
  *column = (struct ap_alter_column){
      .path = {item->path, item->path_count},
      .comment = item->comment,
      .place = item->place == AP_ALTER_PLACE_FIRST   ? AP_PLACE_FIRST
               : item->place == AP_ALTER_PLACE_AFTER ? AP_PLACE_AFTER
                                                     : AP_PLACE_LAST,
      .after = item->after,
  };
  if (item->type.size == 0) return AP_OK;
  bool nullable = true;
  ap_status status = ap_type_parse(alter->run->arena, item->type, &column->type, &nullable, err);
  if (status == AP_OK) return AP_OK;
  return ap_error_prefix(err, status, "column '%.*s'",
                         AP_TEXT_ARG(item->path[item->path_count - 1]));
}

static ap_status read_properties(struct alter_run *alter, ap_error *err) {
  const struct ap_statement_alter *statement = alter->statement;
  struct ap_property *properties =
      AP_ARENA_ARRAY(alter->run->arena, struct ap_property, statement->property_count + 1);
  if (properties == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < statement->property_count; ++i) {
    properties[i] =
        (struct ap_property){statement->properties[i].name, statement->properties[i].value};
  }
  alter->alteration.properties = properties;
  alter->alteration.property_count = statement->property_count;
  return AP_OK;
}

static ap_status read_statement(struct alter_run *alter, ap_error *err) {
  const struct ap_statement_alter *statement = alter->statement;
  struct ap_alter_column *columns =
      AP_ARENA_ARRAY(alter->run->arena, struct ap_alter_column, statement->item_count + 1);
  if (columns == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < statement->item_count; ++i) {
    AP_TRY(read_column(alter, &statement->items[i], &columns[i], err));
  }
  alter->alteration = (struct ap_alteration){
      .kind = kinds[statement->action],
      .columns = columns,
      .column_count = statement->item_count,
      .name = statement->name,
      .text = statement->text,
      .forgiving = statement->forgiving,
  };
  if (statement->item_count > 0) alter->alteration.column = columns[0].path;
  return read_properties(alter, err);
}

/* ---- rules ----------------------------------------------------------------------------------- */

/* A constraint without a name gets the first that is free: check_1, check_2, ... */
static ap_status name_constraint(struct alter_run *alter, ap_error *err) {
  for (int i = 1; alter->alteration.name.size == 0; ++i) {
    char *key = ap_arena_format(alter->run->arena, "delta.constraints.check_%d", i);
    if (key == NULL) return AP_FAIL_MEMORY(err);
    if (ap_snapshot_property(alter->snapshot, key).size > 0) continue;
    alter->alteration.name = ap_text_of(key + sizeof "delta.constraints." - 1);
  }
  return AP_OK;
}

static ap_status to_engine(struct alter_run *alter, struct ap_text spark, struct ap_text *out_sql,
                           ap_error *err) {
  struct ap_buffer sql;
  ap_buffer_init(&sql, alter->run->arena->allocator);
  ap_status status = ap_expression_from_spark(spark, &sql, err);
  if (status == AP_OK) {
    const char *copy = ap_arena_copy(alter->run->arena, ap_buffer_text(&sql));
    *out_sql = (struct ap_text){copy, sql.size};
    if (copy == NULL) status = AP_FAIL_MEMORY(err);
  }
  ap_buffer_deinit(&sql);
  return status;
}

static ap_status prepare_constraint(struct alter_run *alter, ap_error *err) {
  const struct ap_rule_request request = {.expression = alter->statement->text,
                                          .schema = &alter->snapshot->schema,
                                          .control = alter->run->request->control,
                                          .account = &alter->run->session->account};
  AP_TRY(name_constraint(alter, err));
  AP_TRY(ap_rule_check(alter->run->session->node, &request, alter->run->arena,
                       &alter->alteration.text, err));
  return to_engine(alter, alter->alteration.text, &alter->condition, err);
}

static ap_status prepare_default(struct alter_run *alter, ap_error *err) {
  const struct ap_alter_column *column = &alter->alteration.columns[0];
  int32_t index = ap_schema_find(&alter->snapshot->schema, column->path.parts[0]);
  if (index < 0 || column->path.count > 1) return AP_OK; /* the ledger says it better */
  const struct ap_rule_request request = {
      .expression = alter->statement->text,
      .schema = &alter->snapshot->schema,
      .type = &alter->snapshot->schema.fields[index].type,
      .no_columns = true,
      .control = alter->run->request->control,
      .account = &alter->run->session->account,
  };
  return ap_rule_check(alter->run->session->node, &request, alter->run->arena,
                       &alter->alteration.text, err);
}

/* "a"."b" IS NOT NULL, or where it stands in a struct: "a" IS NULL OR .. */
static ap_status prepare_not_null(struct alter_run *alter, ap_error *err) {
  const struct ap_column_path *path = &alter->alteration.column;
  const struct ap_schema *schema = &alter->snapshot->schema;
  struct ap_schema inner;
  struct ap_buffer sql;
  ap_buffer_init(&sql, alter->run->arena->allocator);
  for (uint32_t i = 0; i < path->count; ++i) {
    int32_t index = ap_schema_find(schema, path->parts[i]);
    const struct ap_type *type = index < 0 ? NULL : &schema->fields[index].type;
    if (type == NULL || (i + 1 < path->count && type->kind != AP_TYPE_STRUCT)) {
      ap_buffer_deinit(&sql);
      if (type == NULL) return AP_OK; /* the ledger says it better */
      return AP_FAIL(err, AP_UNSUPPORTED, "parts of lists and maps cannot be made NOT NULL later");
    }
    bool last = i + 1 == path->count;
    for (uint32_t k = 0; k <= i; ++k) {
      if (k > 0) ap_buffer_append_string(&sql, ".");
      ap_buffer_append_identifier(&sql, path->parts[k]);
    }
    ap_buffer_append_string(&sql, last ? " IS NOT NULL" : " IS NULL OR ");
    inner = (struct ap_schema){type->field_count, type->fields};
    schema = &inner;
  }
  ap_status status = ap_buffer_check(&sql, err);
  const char *copy =
      status == AP_OK ? ap_arena_copy(alter->run->arena, ap_buffer_text(&sql)) : NULL;
  alter->condition = (struct ap_text){copy, copy == NULL ? 0 : sql.size};
  ap_buffer_deinit(&sql);
  return status == AP_OK && copy == NULL ? AP_FAIL_MEMORY(err) : status;
}

static ap_status prepare(struct alter_run *alter, ap_error *err) {
  switch (alter->statement->action) {
    case AP_ALTER_ACTION_ADD_CONSTRAINT:
      return prepare_constraint(alter, err);
    case AP_ALTER_ACTION_SET_DEFAULT:
      return prepare_default(alter, err);
    case AP_ALTER_ACTION_SET_NOT_NULL:
      return prepare_not_null(alter, err);
    default:
      return AP_OK;
  }
}

static ap_status check_rows(struct alter_run *alter, ap_error *err) {
  struct ap_text row;
  if (alter->condition.size == 0) return AP_OK;
  alter->alteration.checks_rows = true;
  alter->alteration.checked_version = alter->snapshot->version;
  const struct ap_offender_request request = {.frame = alter->frame,
                                              .version = alter->snapshot->version,
                                              .condition = alter->condition,
                                              .control = alter->run->request->control,
                                              .account = &alter->run->session->account};
  AP_TRY(ap_rule_find_offender(alter->run->session->node, &request, alter->run->arena, &row, err));
  if (row.size == 0) return AP_OK;
  if (alter->statement->action == AP_ALTER_ACTION_SET_NOT_NULL) {
    return AP_FAIL(err, AP_NULL_VIOLATION, "column '%.*s' holds nulls: %.*s",
                   AP_TEXT_ARG(alter->alteration.column.parts[alter->alteration.column.count - 1]),
                   AP_TEXT_ARG(row));
  }
  ap_status status = AP_FAIL(
      err, AP_CHECK_VIOLATION, "constraint '%.*s' (%.*s) is not fulfilled by a row: %.*s",
      AP_TEXT_ARG(alter->alteration.name), AP_TEXT_ARG(alter->statement->text), AP_TEXT_ARG(row));
  ap_error_hint(err, "change or delete such rows first; null is not true either");
  return status;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static ap_status alter_once(struct alter_run *alter, struct ap_alter_result *out_result,
                            ap_error *err) {
  AP_TRY(ap_frame_latest(alter->frame, &alter->snapshot, err));
  alter->condition = (struct ap_text){NULL, 0};
  AP_TRY(read_statement(alter, err));
  AP_TRY(prepare(alter, err));
  AP_TRY(check_rows(alter, err));
  return ap_ledger_alter(alter->frame->ledger, &alter->alteration, out_result, err);
}

ap_status ap_run_alter(struct ap_statement_run *run, struct ArrowArrayStream *out, ap_error *err) {
  struct alter_run alter = {.run = run, .statement = run->statement->alter};
  struct ap_node *node = run->session->node;
  struct ap_alter_result result = {0};
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  AP_TRY(ap_run_frame_name(run, &hive, &box, &name, err));
  ap_status status = ap_node_find_frame(node, hive, box, name, &alter.frame, err);
  if (status == AP_NOT_FOUND && alter.statement->if_exists) {
    ap_error_clear(err);
    return ap_answer_message(out, err, "there is no frame %.*s", AP_TEXT_ARG(name));
  }
  if (status != AP_OK) return status;
  for (int i = 0; i < CHECKS_MAX; ++i) {
    ap_error_clear(err);
    ap_snapshot_release(alter.snapshot);
    alter.snapshot = NULL;
    status = alter_once(&alter, &result, err);
    if (status != AP_CONFLICT || !alter.alteration.checks_rows) break;
  }
  if (status != AP_OK) status = ap_frame_error(alter.frame, status, err);
  if (status == AP_OK) {
    status = ap_answer_message(
        out, err, result.changed ? "altered frame %.*s" : "%.*s is so already", AP_TEXT_ARG(name));
  }
  ap_snapshot_release(alter.snapshot);
  ap_node_release_frame(node, alter.frame);
  return status;
}

ap_status ap_run_show_changes(struct ap_statement_run *run, struct ArrowArrayStream *out,
                              ap_error *err) {
  const struct ap_statement_changes *changes = run->statement->changes;
  struct ap_changes_request request = {.from_version = changes->from_version,
                                       .to_version = changes->to_version,
                                       .from_time = changes->from_time,
                                       .to_time = changes->to_time,
                                       .control = run->request->control,
                                       .account = &run->session->account};
  AP_TRY(ap_run_frame_name(run, &request.hive, &request.box, &request.name, err));
  return ap_changes(run->session->node, &request, out, err);
}
