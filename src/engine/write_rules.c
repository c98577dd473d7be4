/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows under rules: what COPY selects from is wrapped, so that defaults fill what is missing,
 * generated columns are computed from the others, and every condition sees the row as users do. A
 * row that violates one fails the statement with the row's text.
 */
#include "engine/write.h"

#include "base/assert.h"
#include "engine/convert.h"

#include <stdio.h>

bool ap_write_has_default(const struct ap_cell_rules *rules, uint32_t field) {
  return rules && (rules->defaults[field].size > 0 || rules->generated[field].size > 0);
}

/* CAST((expression) AS type) */
static void append_typed(struct ap_buffer *out, struct ap_text expression,
                         const struct ap_type *type) {
  ap_buffer_append_string(out, "CAST((");
  ap_buffer_append_text(out, expression);
  ap_buffer_append_string(out, "\n) AS ");
  ap_type_append_sql(out, type);
  ap_buffer_append_string(out, ")");
}

/* A column that came, in the type that the frame shows. */
static void append_given(struct ap_buffer *out, const struct ap_ruled_rows *rows, uint32_t i) {
  const struct ap_field *field = &rows->target->schema->fields[i];
  struct ap_buffer complaint;
  char name[16];
  ap_buffer_init(&complaint, out->allocator);
  ap_write_append_loss(&complaint, rows->target, i);
  const struct ap_conversion conversion = {
      .from = &rows->columns->fields[rows->order[i]].type,
      .match = &field->type,
      .to = &field->type,
      .times_are_integers = !rows->is_query,
      .complaint = ap_buffer_text(&complaint),
  };
  snprintf(name, sizeof name, "c%u", rows->place[i]);
  ap_conversion_append(out, &conversion, ap_text_of(name));
  out->failed |= complaint.failed;
  ap_buffer_deinit(&complaint);
}

void ap_write_append_ruled(struct ap_buffer *out, const struct ap_ruled_rows *rows,
                           struct ap_text from) {
  const struct ap_schema *schema = rows->target->schema;
  const struct ap_cell_rules *rules = rows->target->rules;
  ap_buffer_append_string(out, "(SELECT *");
  for (uint32_t i = 0; i < schema->field_count; i++) {
    if (rows->order[i] != AP_COLUMN_MISSING || rules->generated[i].size == 0) continue;
    ap_buffer_append_string(out, ", ");
    append_typed(out, rules->generated[i], &schema->fields[i].type);
    ap_buffer_append_string(out, " AS ");
    ap_buffer_append_identifier(out, schema->fields[i].name);
  }
  ap_buffer_append_string(out, " FROM (SELECT ");
  bool first = true;
  for (uint32_t i = 0; i < schema->field_count; i++) {
    bool missing = rows->order[i] == AP_COLUMN_MISSING;
    if (missing && rules->generated[i].size > 0) continue;
    if (!first) ap_buffer_append_string(out, ", ");
    first = false;
    if (missing) {
      append_typed(out, rules->defaults[i], &schema->fields[i].type);
    } else {
      append_given(out, rows, i);
    }
    ap_buffer_append_string(out, " AS ");
    ap_buffer_append_identifier(out, schema->fields[i].name);
  }
  ap_buffer_append_text(out, from);
  ap_buffer_append_string(out, ") AS ap_given) AS ap_row");
}

/* THEN error('<mark>frame f: <what> '<name>' (<expression>) is not fulfilled by the row ' || row)
 */
static void append_violation(struct ap_buffer *out, const struct ap_cell_target *target,
                             const char *what, struct ap_text name, struct ap_text expression) {
  struct ap_buffer message;
  ap_buffer_init(&message, out->allocator);
  ap_buffer_append_format(
      &message, AP_CHECK_MARK "frame %.*s: %s '%.*s' (%.*s) is not fulfilled by the row ",
      AP_TEXT_ARG(target->frame), what, AP_TEXT_ARG(name), AP_TEXT_ARG(expression));
  ap_buffer_append_string(out, " THEN error(");
  ap_buffer_append_literal(out, ap_buffer_text(&message));
  ap_buffer_append_string(out, " || left(CAST(ap_row AS VARCHAR), 400))");
  out->failed |= message.failed;
  ap_buffer_deinit(&message);
}

void ap_write_append_checks(struct ap_buffer *out, const struct ap_ruled_rows *rows) {
  const struct ap_schema *schema = rows->target->schema;
  const struct ap_cell_rules *rules = rows->target->rules;
  bool any = false;
  for (uint32_t i = 0; i < schema->field_count; i++) {
    if (rules->generated[i].size == 0 || rows->order[i] == AP_COLUMN_MISSING) continue;
    ap_buffer_append_string(out, any ? " WHEN " : " WHERE CASE WHEN ");
    any = true;
    ap_buffer_append_identifier(out, schema->fields[i].name);
    ap_buffer_append_string(out, " IS DISTINCT FROM ");
    append_typed(out, rules->generated[i], &schema->fields[i].type);
    append_violation(out, rows->target, "generated column", schema->fields[i].name,
                     rules->generated[i]);
  }
  for (uint32_t i = 0; i < rules->check_count; i++) {
    ap_buffer_append_string(out, any ? " WHEN (" : " WHERE CASE WHEN (");
    any = true;
    ap_buffer_append_text(out, rules->checks[i].condition);
    ap_buffer_append_string(out, "\n) IS NOT TRUE");
    append_violation(out, rows->target, rules->checks[i].what, rules->checks[i].name,
                     rules->checks[i].shown);
  }
  if (any) ap_buffer_append_string(out, " ELSE true END");
}
