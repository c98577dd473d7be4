/* SPDX-License-Identifier: Apache-2.0
 *
 * SHOW CREATE: the text that makes a frame or a view again as it is. What CREATE FRAME cannot say,
 * comments of columns within columns, follows as ALTER FRAME; what only other engines can say is
 * told in a comment. Thread: the session's.
 */
#include "cell/expression.h"
#include "execute/report.h"
#include "execute/statement_run.h"
#include "execute/view.h"
#include "ledger/properties.h"

struct showing {
  const struct ap_frame_entry *entry;
  const struct ap_snapshot *snapshot;
  struct ap_buffer *out;
  struct ap_buffer *behind; /* ALTER statements and remarks */
};

static void append_full_name(struct ap_buffer *out, const struct ap_frame_entry *entry) {
  ap_buffer_append_identifier(out, entry->hive);
  ap_buffer_append_string(out, ".");
  ap_buffer_append_identifier(out, entry->box);
  ap_buffer_append_string(out, ".");
  ap_buffer_append_identifier(out, entry->name);
}

/* ---- views ----------------------------------------------------------------------------------- */

/* What was in use gives the query's names their meaning. */
static ap_status append_create_view(struct ap_statement_run *run,
                                    const struct ap_frame_entry *entry, struct ap_buffer *out,
                                    ap_error *err) {
  struct ap_view_definition view;
  AP_TRY(ap_view_read(run->arena, entry, &view, err));
  if (view.hive.size > 0) {
    ap_buffer_append_string(out, view.box.size > 0 ? "USE " : "USE HIVE ");
    ap_buffer_append_identifier(out, view.hive);
    if (view.box.size > 0) {
      ap_buffer_append_string(out, ".");
      ap_buffer_append_identifier(out, view.box);
    }
    ap_buffer_append_string(out, ";\n");
  }
  ap_buffer_append_string(out, "CREATE VIEW ");
  append_full_name(out, entry);
  for (uint32_t i = 0; i < view.column_count; ++i) {
    ap_buffer_append_string(out, i > 0 ? ", " : " (");
    ap_buffer_append_identifier(out, view.columns[i].name);
  }
  ap_buffer_append_string(out, ") AS ");
  ap_buffer_append_text(out, view.sql);
  return ap_buffer_check(out, err);
}

/* ---- frames ---------------------------------------------------------------------------------- */

static struct ap_text member(const struct ap_field *field, const char *name) {
  struct ap_text text = {"", 0};
  if (!ap_json_get_text(field->metadata, name, text, &text)) return (struct ap_text){"", 0};
  return text;
}

/* -- not shown: what name (text); one line, whatever is in it */
static void remark(struct showing *showing, const char *what, struct ap_text name,
                   struct ap_text text) {
  struct ap_buffer *out = showing->behind;
  size_t start;
  ap_buffer_append_string(out, "\n-- not shown, only other engines understand it: ");
  start = out->size;
  ap_buffer_append_format(out, "%s '%.*s' (%.*s)", what, AP_TEXT_ARG(name), AP_TEXT_ARG(text));
  for (size_t i = start; i < out->size; ++i) {
    if (out->data[i] == '\n' || out->data[i] == '\r') out->data[i] = ' ';
  }
}

/* before, the expression in the engine's SQL, after; or a remark. */
static void append_rule(struct showing *showing, const char *what, struct ap_text name,
                        struct ap_text spark, const char *before, const char *after) {
  struct ap_buffer sql;
  ap_buffer_init(&sql, showing->out->allocator);
  if (ap_expression_from_spark(spark, &sql, NULL) == AP_OK &&
      ap_buffer_check(&sql, NULL) == AP_OK) {
    ap_buffer_append_string(showing->out, before);
    ap_buffer_append_text(showing->out, ap_buffer_text(&sql));
    ap_buffer_append_string(showing->out, after);
  } else {
    remark(showing, what, name, spark);
  }
  ap_buffer_deinit(&sql);
}

/* One that stands above is told by its own clause. */
static void append_inner_comments(struct showing *showing, const struct ap_text *path,
                                  const struct ap_type *type) {
  for (uint32_t i = 0; i < type->field_count; ++i) {
    const struct ap_field *field = &type->fields[i];
    const struct ap_text comment = member(field, "comment");
    struct ap_buffer inner;
    ap_buffer_init(&inner, showing->out->allocator);
    ap_buffer_append_text(&inner, *path);
    ap_buffer_append_string(&inner, ".");
    ap_buffer_append_identifier(&inner, field->name);
    const struct ap_text name = ap_buffer_text(&inner);
    if (comment.size > 0) {
      ap_buffer_append_string(showing->behind, ";\nALTER FRAME ");
      append_full_name(showing->behind, showing->entry);
      ap_buffer_append_string(showing->behind, " ALTER COLUMN ");
      ap_buffer_append_text(showing->behind, name);
      ap_buffer_append_string(showing->behind, " COMMENT ");
      ap_buffer_append_literal(showing->behind, comment);
    }
    append_inner_comments(showing, &name, &field->type);
    ap_buffer_deinit(&inner);
  }
}

static void append_column(struct showing *showing, const struct ap_field *field) {
  struct ap_buffer *out = showing->out;
  const struct ap_text value = member(field, "CURRENT_DEFAULT");
  const struct ap_text generated = member(field, "delta.generationExpression");
  const struct ap_text invariant = member(field, "delta.invariants");
  const struct ap_text comment = member(field, "comment");
  ap_buffer_append_identifier(out, field->name);
  ap_buffer_append_string(out, " ");
  ap_type_append_word(out, &field->type);
  if (!field->nullable) ap_buffer_append_string(out, " NOT NULL");
  if (value.size > 0) append_rule(showing, "the default of", field->name, value, " DEFAULT ", "");
  if (generated.size > 0) {
    append_rule(showing, "how is generated", field->name, generated, " GENERATED ALWAYS AS (", ")");
  }
  if (invariant.size > 0) remark(showing, "the invariant of", field->name, invariant);
  if (comment.size > 0) {
    ap_buffer_append_string(out, " COMMENT ");
    ap_buffer_append_literal(out, comment);
  }
  struct ap_buffer path;
  ap_buffer_init(&path, out->allocator);
  ap_buffer_append_identifier(&path, field->name);
  const struct ap_text name = ap_buffer_text(&path);
  append_inner_comments(showing, &name, &field->type);
  ap_buffer_deinit(&path);
}

#define CONSTRAINTS AP_TEXT("delta.constraints.")

static void append_constraint(struct showing *showing, const struct ap_property *property) {
  struct ap_text name = property->name;
  struct ap_buffer before;
  if (!ap_text_starts_with(name, CONSTRAINTS)) return;
  name = (struct ap_text){name.data + CONSTRAINTS.size, name.size - CONSTRAINTS.size};
  ap_buffer_init(&before, showing->out->allocator);
  ap_buffer_append_string(&before, ", CONSTRAINT ");
  ap_buffer_append_identifier(&before, name);
  ap_buffer_append_string(&before, " CHECK (");
  if (ap_buffer_check(&before, NULL) == AP_OK) {
    append_rule(showing, "constraint", name, property->value, before.data, ")");
  }
  ap_buffer_deinit(&before);
}

/* Those that a frame gets by itself are left out. */
static bool is_kept_by_ledger(struct ap_text name) {
  static const char *const kept[] = {"delta.columnMapping.maxColumnId",
                                     "delta.inCommitTimestampEnablementVersion",
                                     "delta.inCommitTimestampEnablementTimestamp"};
  for (size_t i = 0; i < sizeof kept / sizeof *kept; ++i) {
    if (ap_text_equal_string(name, kept[i])) return true;
  }
  return ap_text_starts_with(name, CONSTRAINTS);
}

static void append_properties(struct showing *showing) {
  struct ap_buffer *out = showing->out;
  bool any = false;
  for (uint32_t i = 0; i < showing->snapshot->property_count; ++i) {
    const struct ap_property *property = &showing->snapshot->properties[i];
    if (is_kept_by_ledger(property->name)) continue;
    if (ap_property_check(property, NULL) != AP_OK) {
      remark(showing, "property", property->name, property->value);
      continue;
    }
    ap_buffer_append_string(out, any ? ", " : " TBLPROPERTIES (");
    ap_buffer_append_literal(out, property->name);
    ap_buffer_append_string(out, " = ");
    ap_buffer_append_literal(out, property->value);
    any = true;
  }
  if (any) ap_buffer_append_string(out, ")");
}

static void append_frame(struct showing *showing) {
  const struct ap_snapshot *snapshot = showing->snapshot;
  struct ap_buffer *out = showing->out;
  ap_buffer_append_string(out, "CREATE FRAME ");
  append_full_name(out, showing->entry);
  for (uint32_t i = 0; i < snapshot->schema.field_count; ++i) {
    ap_buffer_append_string(out, i > 0 ? ", " : " (");
    append_column(showing, &snapshot->schema.fields[i]);
  }
  for (uint32_t i = 0; i < snapshot->property_count; ++i) {
    append_constraint(showing, &snapshot->properties[i]);
  }
  ap_buffer_append_string(out, ")");
  for (uint32_t i = 0; i < snapshot->partition_column_count; ++i) {
    ap_buffer_append_string(out, i > 0 ? ", " : " PARTITIONED BY (");
    ap_buffer_append_identifier(out, snapshot->schema.fields[snapshot->partition_columns[i]].name);
  }
  if (snapshot->partition_column_count > 0) ap_buffer_append_string(out, ")");
  if (snapshot->description.size > 0) {
    ap_buffer_append_string(out, " COMMENT ");
    ap_buffer_append_literal(out, snapshot->description);
  }
  append_properties(showing);
}

static ap_status append_create_frame(struct ap_statement_run *run,
                                     const struct ap_frame_entry *entry, struct ap_buffer *out,
                                     ap_error *err) {
  struct ap_frame *frame = NULL;
  struct ap_snapshot *snapshot = NULL;
  struct ap_buffer behind;
  AP_TRY(ap_node_find_frame(run->session->node, entry->hive, entry->box, entry->name, &frame, err));
  ap_buffer_init(&behind, run->arena->allocator);
  ap_status status = ap_frame_latest(frame, &snapshot, err);
  if (status == AP_OK) {
    struct showing showing = {entry, snapshot, out, &behind};
    append_frame(&showing);
    status = ap_buffer_check(&behind, err);
  }
  if (status == AP_OK) {
    ap_buffer_append_text(out, ap_buffer_text(&behind));
    status = ap_buffer_check(out, err);
  }
  ap_buffer_deinit(&behind);
  ap_snapshot_release(snapshot);
  ap_node_release_frame(run->session->node, frame);
  return status;
}

ap_status ap_run_show_create(struct ap_statement_run *run, struct ArrowArrayStream *out,
                             ap_error *err) {
  struct ap_catalog *catalog = ap_node_catalog(run->session->node);
  bool is_view = run->statement->object == AP_OBJECT_VIEW;
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  struct ap_frame_entry entry;
  AP_TRY(ap_run_frame_name(run, &hive, &box, &name, err));
  AP_TRY(is_view ? ap_catalog_find_view(catalog, hive, box, name, run->arena, &entry, err)
                 : ap_catalog_find_frame(catalog, hive, box, name, run->arena, &entry, err));
  struct ap_buffer text;
  ap_buffer_init(&text, run->arena->allocator);
  ap_status status = is_view ? append_create_view(run, &entry, &text, err)
                             : append_create_frame(run, &entry, &text, err);
  if (status == AP_OK) {
    const struct ap_text answer = ap_buffer_text(&text);
    status = ap_answer_names("statement", &answer, 1, (struct ap_text){0}, out, err);
  }
  ap_buffer_deinit(&text);
  return status;
}
