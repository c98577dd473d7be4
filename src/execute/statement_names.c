/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements about what there is: USE, SHOW, DESCRIBE, CREATE and DROP of hives, boxes and frames,
 * answered from the catalog and the ledgers. Thread: the session's.
 */
#include "execute/statement_run.h"

#include "base/assert.h"
#include "base/limits.h"
#include "execute/definition.h"
#include "execute/replace.h"
#include "execute/report.h"

#include <string.h>

/* ---- names ----------------------------------------------------------------------------------- */

ap_status ap_run_need_hive(const struct ap_sql_session *session, struct ap_text *out_hive,
                           ap_error *err) {
  if (session->hive[0] == '\0') {
    ap_status status = AP_FAIL(err, AP_NOT_FOUND, "no hive is in use");
    ap_error_hint(err, "say USE HIVE <name> first, or write the hive before the box");
    return status;
  }
  *out_hive = ap_text_of(session->hive);
  return AP_OK;
}

static ap_status too_many_parts(const struct ap_name *name, const char *what, ap_error *err) {
  return AP_FAIL(err, AP_SYNTAX, "a %s has fewer than %u name parts", what, name->count);
}

/* [hive.]box */
ap_status ap_run_box_name(const struct ap_statement_run *run, struct ap_text *out_hive,
                          struct ap_text *out_box, ap_error *err) {
  const struct ap_name *name = &run->statement->name;
  if (name->count > 2) return too_many_parts(name, "box", err);
  *out_box = name->parts[name->count - 1];
  if (name->count == 2) {
    *out_hive = name->parts[0];
    return AP_OK;
  }
  return ap_run_need_hive(run->session, out_hive, err);
}

/* [[hive.]box.]frame */
ap_status ap_run_complete_name(const struct ap_statement_run *run, const struct ap_name *name,
                               struct ap_text *out_hive, struct ap_text *out_box,
                               struct ap_text *out_frame, ap_error *err) {
  *out_frame = name->parts[name->count - 1];
  if (name->count == 3) {
    *out_hive = name->parts[0];
    *out_box = name->parts[1];
    return AP_OK;
  }
  AP_TRY(ap_run_need_hive(run->session, out_hive, err));
  if (name->count == 2) {
    *out_box = name->parts[0];
    return AP_OK;
  }
  if (run->session->box[0] == '\0') {
    ap_status status = AP_FAIL(err, AP_NOT_FOUND, "no box is in use");
    ap_error_hint(err, "say USE BOX <name> first, or write hive.box.frame");
    return status;
  }
  *out_box = ap_text_of(run->session->box);
  return AP_OK;
}

ap_status ap_run_frame_name(const struct ap_statement_run *run, struct ap_text *out_hive,
                            struct ap_text *out_box, struct ap_text *out_frame, ap_error *err) {
  return ap_run_complete_name(run, &run->statement->name, out_hive, out_box, out_frame, err);
}

/* ---- USE ------------------------------------------------------------------------------------- */

static void keep_name(char *into, struct ap_text name) {
  AP_ASSERT(name.size <= AP_NAME_BYTES_MAX); /* the catalog allows no longer one */
  memcpy(into, name.data, name.size);
  into[name.size] = '\0';
}

static ap_status use_hive(struct ap_statement_run *run, struct ap_text hive,
                          struct ArrowArrayStream *out, ap_error *err) {
  struct ap_text found;
  AP_TRY(ap_catalog_find_hive(ap_node_catalog(run->session->node), hive, run->arena, &found, err));
  keep_name(run->session->hive, found);
  run->session->box[0] = '\0';
  return ap_answer_message(out, err, "using hive %s", run->session->hive);
}

static ap_status use_box(struct ap_statement_run *run, struct ap_text hive, struct ap_text box,
                         struct ArrowArrayStream *out, ap_error *err) {
  struct ap_catalog *catalog = ap_node_catalog(run->session->node);
  struct ap_text found_hive;
  struct ap_text found_box;
  AP_TRY(ap_catalog_find_hive(catalog, hive, run->arena, &found_hive, err));
  AP_TRY(ap_catalog_find_box(catalog, hive, box, run->arena, &found_box, err));
  keep_name(run->session->hive, found_hive);
  keep_name(run->session->box, found_box);
  return ap_answer_message(out, err, "using box %s.%s", run->session->hive, run->session->box);
}

ap_status ap_run_use(struct ap_statement_run *run, struct ArrowArrayStream *out, ap_error *err) {
  const struct ap_statement *statement = run->statement;
  struct ap_text hive;
  struct ap_text box;
  if (statement->scope == AP_SCOPE_HIVE) {
    if (statement->name.count != 1) return too_many_parts(&statement->name, "hive", err);
    return use_hive(run, statement->name.parts[0], out, err);
  }
  if (statement->scope == AP_SCOPE_BOX || statement->name.count == 2) {
    AP_TRY(ap_run_box_name(run, &hive, &box, err));
    return use_box(run, hive, box, out, err);
  }
  /* One bare name: a hive, else a box of the hive in use. */
  ap_error missing = {0};
  ap_status status = use_hive(run, statement->name.parts[0], out, &missing);
  if (status == AP_NOT_FOUND && run->session->hive[0] != '\0') {
    status = use_box(run, ap_text_of(run->session->hive), statement->name.parts[0], out, NULL);
    if (status != AP_OK) status = AP_NOT_FOUND;
  }
  if (status != AP_OK && err != NULL) *err = missing;
  return status;
}

/* ---- SHOW ------------------------------------------------------------------------------------ */

static ap_status show_entries(struct ap_statement_run *run, const struct ap_frame_entry *entries,
                              uint32_t count, const char *column, struct ArrowArrayStream *out,
                              ap_error *err) {
  struct ap_text *names = AP_ARENA_ARRAY(run->arena, struct ap_text, count + 1);
  if (names == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < count; ++i) {
    names[i] = column[0] == 'h'   ? entries[i].hive
               : column[0] == 'b' ? entries[i].box
                                  : entries[i].name;
  }
  return ap_answer_names(column, names, count, run->statement->like, out, err);
}

ap_status ap_run_show_boxes(struct ap_statement_run *run, struct ArrowArrayStream *out,
                            ap_error *err) {
  const struct ap_name *name = &run->statement->name;
  struct ap_frame_entry *entries = NULL;
  uint32_t count = 0;
  struct ap_text hive;
  if (name->count > 1) return too_many_parts(name, "hive", err);
  if (name->count == 1) {
    hive = name->parts[0];
  } else {
    AP_TRY(ap_run_need_hive(run->session, &hive, err));
  }
  AP_TRY(ap_catalog_list_boxes(ap_node_catalog(run->session->node), hive, run->arena, &entries,
                               &count, err));
  return show_entries(run, entries, count, "box", out, err);
}

typedef ap_status (*list_function)(struct ap_catalog *catalog, struct ap_text hive,
                                   struct ap_text box, struct ap_arena *arena,
                                   struct ap_frame_entry **out_entries, uint32_t *out_count,
                                   ap_error *err);

static ap_status show_in_boxes(struct ap_statement_run *run, list_function list_all,
                               const char *column, struct ArrowArrayStream *out, ap_error *err) {
  struct ap_sql_session *session = run->session;
  struct ap_catalog *catalog = ap_node_catalog(session->node);
  const struct ap_name *name = &run->statement->name;
  struct ap_frame_entry *entries = NULL;
  uint32_t count = 0;
  struct ap_text hive = ap_text_of(session->hive);
  struct ap_text box = ap_text_of(session->box);
  if (name->count > 0) {
    AP_TRY(name->count == 1 && session->hive[0] == '\0' ? AP_OK
                                                        : ap_run_box_name(run, &hive, &box, err));
    if (name->count == 1 && session->hive[0] == '\0') {
      hive = name->parts[0]; /* SHOW FRAMES IN hive: all of its boxes */
      box = (struct ap_text){0};
    }
  } else {
    AP_TRY(ap_run_need_hive(session, &hive, err));
  }
  ap_status status = list_all(catalog, hive, box, run->arena, &entries, &count, err);
  if (status == AP_NOT_FOUND && name->count == 1 && session->hive[0] != '\0') {
    status =
        list_all(catalog, name->parts[0], (struct ap_text){0}, run->arena, &entries, &count, NULL);
    if (status != AP_OK) return AP_NOT_FOUND;
    ap_error_clear(err);
  }
  if (status != AP_OK) return status;
  return show_entries(run, entries, count, column, out, err);
}

ap_status ap_run_show_frames(struct ap_statement_run *run, struct ArrowArrayStream *out,
                             ap_error *err) {
  return show_in_boxes(run, ap_catalog_list_frames, "frame", out, err);
}

ap_status ap_run_show_views(struct ap_statement_run *run, struct ArrowArrayStream *out,
                            ap_error *err) {
  return show_in_boxes(run, ap_catalog_list_views, "view", out, err);
}

ap_status ap_run_show_hives(struct ap_statement_run *run, struct ArrowArrayStream *out,
                            ap_error *err) {
  struct ap_frame_entry *entries = NULL;
  uint32_t count = 0;
  AP_TRY(ap_catalog_list_hives(ap_node_catalog(run->session->node), run->arena, &entries, &count,
                               err));
  return show_entries(run, entries, count, "hive", out, err);
}

/* ---- CREATE and DROP ------------------------------------------------------------------------- */

static ap_status parse_columns(const struct ap_statement_run *run, struct ap_schema *out_schema,
                               ap_error *err) {
  const struct ap_statement *statement = run->statement;
  struct ap_field *fields =
      AP_ARENA_ARRAY(run->arena, struct ap_field, statement->column_count + 1);
  if (fields == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < statement->column_count; ++i) {
    const struct ap_statement_column *column = &statement->columns[i];
    const char *name = ap_arena_copy(run->arena, column->name);
    if (name == NULL) return AP_FAIL_MEMORY(err);
    fields[i].name = (struct ap_text){name, column->name.size};
    ap_status status =
        ap_type_parse(run->arena, column->type, &fields[i].type, &fields[i].nullable, err);
    if (status != AP_OK) return ap_error_prefix(err, status, "column '%s'", name);
    if (column->not_null) fields[i].nullable = false;
  }
  *out_schema = (struct ap_schema){statement->column_count, fields};
  return AP_OK;
}

/* With OR REPLACE, whichever there is to do: others may create and drop the frame meanwhile. */
static ap_status define_frame(const struct ap_statement_run *run,
                              const struct ap_frame_request *request, bool *out_replaced,
                              ap_error *err) {
  struct ap_node *node = run->session->node;
  for (int i = 0; i < AP_CHANGE_ATTEMPTS_MAX; ++i) {
    ap_error missing = {0};
    ap_error_clear(err);
    ap_status status =
        run->statement->or_replace ? ap_frame_replace(node, request, &missing) : AP_NOT_FOUND;
    *out_replaced = status == AP_OK;
    if (status != AP_OK && status != AP_NOT_FOUND && err != NULL) *err = missing;
    if (status != AP_NOT_FOUND) return status;
    status = ap_frame_define(node, request, err);
    if (status != AP_ALREADY_EXISTS || !run->statement->or_replace) return status;
  }
  return AP_FAIL(err, AP_CONFLICT, "frame %.*s is being created and dropped by others",
                 AP_TEXT_ARG(request->name));
}

static ap_status create_frame(struct ap_statement_run *run, struct ArrowArrayStream *out,
                              ap_error *err) {
  const struct ap_statement *statement = run->statement;
  struct ap_schema schema;
  struct ap_frame_request request = {
      .schema = &schema,
      .partition_by = statement->partition_by,
      .partition_by_count = statement->partition_count,
      .if_absent = statement->if_not_exists,
  };
  AP_TRY(ap_run_frame_name(run, &request.hive, &request.box, &request.name, err));
  AP_TRY(parse_columns(run, &schema, err));
  AP_TRY(ap_run_read_rules(run, &request, err));
  bool replaced = false;
  AP_TRY(define_frame(run, &request, &replaced, err));
  return ap_answer_message(out, err, "%s frame %.*s.%.*s.%.*s", replaced ? "replaced" : "created",
                           AP_TEXT_ARG(request.hive), AP_TEXT_ARG(request.box),
                           AP_TEXT_ARG(request.name));
}

ap_status ap_run_create(struct ap_statement_run *run, struct ArrowArrayStream *out, ap_error *err) {
  const struct ap_statement *statement = run->statement;
  struct ap_catalog *catalog = ap_node_catalog(run->session->node);
  struct ap_text hive = statement->name.parts[0];
  struct ap_text box;
  if (statement->kind == AP_STATEMENT_CREATE_FRAME) return create_frame(run, out, err);
  if (statement->kind == AP_STATEMENT_CREATE_BOX) {
    AP_TRY(ap_run_box_name(run, &hive, &box, err));
    AP_TRY(ap_catalog_create_box(catalog, hive, box, statement->if_not_exists, err));
    return ap_answer_message(out, err, "created box %.*s.%.*s", AP_TEXT_ARG(hive),
                             AP_TEXT_ARG(box));
  }
  if (statement->name.count != 1) return too_many_parts(&statement->name, "hive", err);
  AP_TRY(ap_catalog_create_hive(catalog, hive, statement->if_not_exists, err));
  return ap_answer_message(out, err, "created hive %.*s", AP_TEXT_ARG(hive));
}

/* A session must not go on using what is gone. */
static void leave_dropped(struct ap_sql_session *session, const struct ap_drop_request *drop) {
  if (drop->name.size > 0) return;
  if (!ap_text_equal_ignoring_case(ap_text_of(session->hive), drop->hive)) return;
  if (drop->box.size == 0) {
    session->hive[0] = '\0';
    session->box[0] = '\0';
  } else if (ap_text_equal_ignoring_case(ap_text_of(session->box), drop->box)) {
    session->box[0] = '\0';
  }
}

ap_status ap_run_drop(struct ap_statement_run *run, struct ArrowArrayStream *out, ap_error *err) {
  const struct ap_statement *statement = run->statement;
  struct ap_drop_request drop = {.cascade = statement->cascade, .if_exists = statement->if_exists};
  if (statement->kind == AP_STATEMENT_DROP_FRAME) {
    AP_TRY(ap_run_frame_name(run, &drop.hive, &drop.box, &drop.name, err));
  } else if (statement->kind == AP_STATEMENT_DROP_BOX) {
    AP_TRY(ap_run_box_name(run, &drop.hive, &drop.box, err));
  } else {
    if (statement->name.count != 1) return too_many_parts(&statement->name, "hive", err);
    drop.hive = statement->name.parts[0];
  }
  AP_TRY(ap_drop(run->session->node, &drop, err));
  struct ap_text last = statement->name.parts[statement->name.count - 1];
  ap_status status = ap_answer_message(out, err, "dropped %.*s", AP_TEXT_ARG(last));
  leave_dropped(run->session, &drop);
  return status;
}

/* ---- DESCRIBE ---------------------------------------------------------------------------------
 */

ap_status ap_run_describe(struct ap_statement_run *run, struct ArrowArrayStream *out,
                          ap_error *err) {
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  struct ap_frame_entry entry;
  bool found = false;
  AP_TRY(ap_run_frame_name(run, &hive, &box, &name, err));
  AP_TRY(ap_catalog_look_up(ap_node_catalog(run->session->node), hive, box, name, run->arena,
                            &entry, &found, err));
  if (found && entry.view.size > 0) return ap_answer_describe_view(run, &entry, out, err);
  return ap_answer_describe(run->session->node, hive, box, name, out, err);
}
