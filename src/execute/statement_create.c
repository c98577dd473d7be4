/* SPDX-License-Identifier: Apache-2.0
 *
 * What CREATE FRAME says beyond names and types: comments, defaults, generated columns, constraints
 * and properties, as alterations of the frame in the making. Thread: the session's.
 */
#include "execute/statement_run.h"

#include "execute/rules.h"
#include "ledger/alter.h"

struct rules_list {
  const struct ap_statement_run *run;
  const struct ap_schema *schema;
  struct ap_alteration *items;
  uint32_t count;
};

static ap_status add_rule(struct rules_list *list, enum ap_alteration_kind kind,
                          const struct ap_text *column, struct ap_text expression,
                          const struct ap_type *type, ap_error *err) {
  struct ap_alteration *item = &list->items[list->count];
  if (expression.size == 0) return AP_OK;
  *item = (struct ap_alteration){.kind = kind, .column = {column, 1}, .text = expression};
  list->count += 1;
  if (kind == AP_ALTER_COMMENT_COLUMN) return AP_OK;
  const struct ap_rule_request request = {
      .expression = expression,
      .schema = list->schema,
      .type = type,
      .no_columns = kind == AP_ALTER_SET_DEFAULT,
      .control = list->run->request->control,
      .account = &list->run->session->account,
  };
  ap_status status =
      ap_rule_check(list->run->session->node, &request, list->run->arena, &item->text, err);
  if (status == AP_OK) return AP_OK;
  return ap_error_prefix(err, status, "column '%.*s'", AP_TEXT_ARG(*column));
}

static ap_status add_constraint(struct rules_list *list,
                                const struct ap_statement_constraint *constraint, uint32_t number,
                                ap_error *err) {
  struct ap_alteration *item = &list->items[list->count];
  struct ap_text name = constraint->name;
  if (name.size == 0) {
    const char *made = ap_arena_format(list->run->arena, "check_%u", number);
    if (made == NULL) return AP_FAIL_MEMORY(err);
    name = ap_text_of(made);
  }
  const struct ap_rule_request request = {.expression = constraint->condition,
                                          .schema = list->schema,
                                          .control = list->run->request->control,
                                          .account = &list->run->session->account};
  *item = (struct ap_alteration){.kind = AP_ALTER_ADD_CONSTRAINT, .name = name};
  list->count += 1;
  ap_status status =
      ap_rule_check(list->run->session->node, &request, list->run->arena, &item->text, err);
  if (status == AP_OK) return AP_OK;
  return ap_error_prefix(err, status, "constraint '%.*s'", AP_TEXT_ARG(name));
}

static ap_status read_properties(const struct ap_statement_run *run,
                                 struct ap_frame_request *request, ap_error *err) {
  const struct ap_statement_frame *frame = run->statement->frame;
  struct ap_property *properties =
      AP_ARENA_ARRAY(run->arena, struct ap_property, frame->property_count + 1);
  if (properties == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < frame->property_count; ++i) {
    properties[i] = (struct ap_property){frame->properties[i].name, frame->properties[i].value};
  }
  request->properties = properties;
  request->property_count = frame->property_count;
  request->description = frame->comment;
  return AP_OK;
}

ap_status ap_run_read_rules(const struct ap_statement_run *run, struct ap_frame_request *request,
                            ap_error *err) {
  const struct ap_statement *statement = run->statement;
  const struct ap_statement_frame *frame = statement->frame;
  if (frame == NULL) return AP_OK;
  struct rules_list list = {.run = run, .schema = request->schema};
  list.items = AP_ARENA_ARRAY(run->arena, struct ap_alteration,
                              3 * statement->column_count + frame->constraint_count + 1);
  if (list.items == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < statement->column_count; ++i) {
    const struct ap_statement_column *column = &statement->columns[i];
    const struct ap_type *type = &request->schema->fields[i].type;
    AP_TRY(add_rule(&list, AP_ALTER_COMMENT_COLUMN, &column->name, column->comment, type, err));
    AP_TRY(add_rule(&list, AP_ALTER_SET_DEFAULT, &column->name, column->default_value, type, err));
    AP_TRY(add_rule(&list, AP_ALTER_SET_GENERATED, &column->name, column->generated, type, err));
  }
  for (uint32_t i = 0; i < frame->constraint_count; ++i) {
    AP_TRY(add_constraint(&list, &frame->constraints[i], i + 1, err));
  }
  request->alterations = list.items;
  request->alteration_count = list.count;
  return read_properties(run, request, err);
}
