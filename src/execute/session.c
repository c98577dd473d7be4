/* SPDX-License-Identifier: Apache-2.0
 *
 * See session.h. Statements that read data go to query.c; those about hives, boxes and frames are
 * answered here from the catalog.
 */
#include "execute/session.h"

#include "base/assert.h"
#include "base/limits.h"
#include "execute/definition.h"
#include "execute/report.h"
#include "plan/statement.h"

#include <string.h>

#define AP_WRITING_HINT                                                                  \
  "frames are written by append and overwrite: ap_frame_write in C, write_to_frame and " \
  "overwrite_frame in Python, 'apiary import' in the shell"

struct ap_sql_session {
  struct ap_node *node;
  char hive[AP_NAME_BYTES_MAX + 1];
  char box[AP_NAME_BYTES_MAX + 1];
};

/* One statement on its way. */
struct statement_run {
  struct ap_sql_session *session;
  const struct ap_sql_request *request;
  const struct ap_statement *statement;
  bool is_last;
  struct ap_arena *arena;
  struct ap_query_timing *timing;
};

ap_status ap_sql_session_create(struct ap_node *node, struct ap_sql_session **out_session,
                                ap_error *err) {
  struct ap_sql_session *session =
      ap_allocate_zeroed(ap_node_env(node)->allocator, 1, sizeof *session);
  if (session == NULL) return AP_FAIL_MEMORY(err);
  session->node = node;
  *out_session = session;
  return AP_OK;
}

void ap_sql_session_destroy(struct ap_sql_session *session) {
  if (session != NULL) ap_free(ap_node_env(session->node)->allocator, session);
}

const char *ap_sql_session_hive(const struct ap_sql_session *session) {
  return session->hive;
}
const char *ap_sql_session_box(const struct ap_sql_session *session) {
  return session->box;
}
struct ap_node *ap_sql_session_node(struct ap_sql_session *session) {
  return session->node;
}

/* ---- names ----------------------------------------------------------------------------------- */

static ap_status need_hive(const struct ap_sql_session *session, struct ap_text *out_hive,
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
static ap_status box_name(const struct statement_run *run, struct ap_text *out_hive,
                          struct ap_text *out_box, ap_error *err) {
  const struct ap_name *name = &run->statement->name;
  if (name->count > 2) return too_many_parts(name, "box", err);
  *out_box = name->parts[name->count - 1];
  if (name->count == 2) {
    *out_hive = name->parts[0];
    return AP_OK;
  }
  return need_hive(run->session, out_hive, err);
}

/* [[hive.]box.]frame */
static ap_status frame_name(const struct statement_run *run, struct ap_text *out_hive,
                            struct ap_text *out_box, struct ap_text *out_frame, ap_error *err) {
  const struct ap_name *name = &run->statement->name;
  *out_frame = name->parts[name->count - 1];
  if (name->count == 3) {
    *out_hive = name->parts[0];
    *out_box = name->parts[1];
    return AP_OK;
  }
  AP_TRY(need_hive(run->session, out_hive, err));
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

/* ---- USE ------------------------------------------------------------------------------------- */

static void keep_name(char *into, struct ap_text name) {
  AP_ASSERT(name.size <= AP_NAME_BYTES_MAX); /* the catalog allows no longer one */
  memcpy(into, name.data, name.size);
  into[name.size] = '\0';
}

static ap_status use_hive(struct statement_run *run, struct ap_text hive,
                          struct ArrowArrayStream *out, ap_error *err) {
  struct ap_text found;
  AP_TRY(ap_catalog_find_hive(ap_node_catalog(run->session->node), hive, run->arena, &found, err));
  keep_name(run->session->hive, found);
  run->session->box[0] = '\0';
  return ap_answer_message(out, err, "using hive %s", run->session->hive);
}

static ap_status use_box(struct statement_run *run, struct ap_text hive, struct ap_text box,
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

static ap_status run_use(struct statement_run *run, struct ArrowArrayStream *out, ap_error *err) {
  const struct ap_statement *statement = run->statement;
  struct ap_text hive;
  struct ap_text box;
  if (statement->scope == AP_SCOPE_HIVE) {
    if (statement->name.count != 1) return too_many_parts(&statement->name, "hive", err);
    return use_hive(run, statement->name.parts[0], out, err);
  }
  if (statement->scope == AP_SCOPE_BOX || statement->name.count == 2) {
    AP_TRY(box_name(run, &hive, &box, err));
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

static ap_status show_entries(struct statement_run *run, const struct ap_frame_entry *entries,
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

static ap_status show_boxes(struct statement_run *run, struct ArrowArrayStream *out,
                            ap_error *err) {
  const struct ap_name *name = &run->statement->name;
  struct ap_frame_entry *entries = NULL;
  uint32_t count = 0;
  struct ap_text hive;
  if (name->count > 1) return too_many_parts(name, "hive", err);
  if (name->count == 1) {
    hive = name->parts[0];
  } else {
    AP_TRY(need_hive(run->session, &hive, err));
  }
  AP_TRY(ap_catalog_list_boxes(ap_node_catalog(run->session->node), hive, run->arena, &entries,
                               &count, err));
  return show_entries(run, entries, count, "box", out, err);
}

static ap_status show_frames(struct statement_run *run, struct ArrowArrayStream *out,
                             ap_error *err) {
  struct ap_sql_session *session = run->session;
  struct ap_catalog *catalog = ap_node_catalog(session->node);
  const struct ap_name *name = &run->statement->name;
  struct ap_frame_entry *entries = NULL;
  uint32_t count = 0;
  struct ap_text hive = ap_text_of(session->hive);
  struct ap_text box = ap_text_of(session->box);
  if (name->count > 0) {
    AP_TRY(name->count == 1 && session->hive[0] == '\0' ? AP_OK : box_name(run, &hive, &box, err));
    if (name->count == 1 && session->hive[0] == '\0') {
      hive = name->parts[0]; /* SHOW FRAMES IN hive: all of its boxes */
      box = (struct ap_text){0};
    }
  } else {
    AP_TRY(need_hive(session, &hive, err));
  }
  ap_status status = ap_catalog_list_frames(catalog, hive, box, run->arena, &entries, &count, err);
  if (status == AP_NOT_FOUND && name->count == 1 && session->hive[0] != '\0') {
    status = ap_catalog_list_frames(catalog, name->parts[0], (struct ap_text){0}, run->arena,
                                    &entries, &count, NULL);
    if (status != AP_OK) return AP_NOT_FOUND;
    ap_error_clear(err);
  }
  if (status != AP_OK) return status;
  return show_entries(run, entries, count, "frame", out, err);
}

static ap_status show_hives(struct statement_run *run, struct ArrowArrayStream *out,
                            ap_error *err) {
  struct ap_frame_entry *entries = NULL;
  uint32_t count = 0;
  AP_TRY(ap_catalog_list_hives(ap_node_catalog(run->session->node), run->arena, &entries, &count,
                               err));
  return show_entries(run, entries, count, "hive", out, err);
}

/* ---- CREATE and DROP ------------------------------------------------------------------------- */

static ap_status parse_columns(const struct statement_run *run, struct ap_schema *out_schema,
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

static ap_status create_frame(struct statement_run *run, struct ArrowArrayStream *out,
                              ap_error *err) {
  const struct ap_statement *statement = run->statement;
  struct ap_schema schema;
  struct ap_frame_request request = {
      .schema = &schema,
      .partition_by = statement->partition_by,
      .partition_by_count = statement->partition_count,
      .if_absent = statement->if_not_exists,
  };
  AP_TRY(frame_name(run, &request.hive, &request.box, &request.name, err));
  AP_TRY(parse_columns(run, &schema, err));
  AP_TRY(ap_frame_define(run->session->node, &request, err));
  return ap_answer_message(out, err, "created frame %.*s.%.*s.%.*s", AP_TEXT_ARG(request.hive),
                           AP_TEXT_ARG(request.box), AP_TEXT_ARG(request.name));
}

static ap_status run_create(struct statement_run *run, struct ArrowArrayStream *out,
                            ap_error *err) {
  const struct ap_statement *statement = run->statement;
  struct ap_catalog *catalog = ap_node_catalog(run->session->node);
  struct ap_text hive = statement->name.parts[0];
  struct ap_text box;
  if (statement->kind == AP_STATEMENT_CREATE_FRAME) return create_frame(run, out, err);
  if (statement->kind == AP_STATEMENT_CREATE_BOX) {
    AP_TRY(box_name(run, &hive, &box, err));
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

static ap_status run_drop(struct statement_run *run, struct ArrowArrayStream *out, ap_error *err) {
  const struct ap_statement *statement = run->statement;
  struct ap_drop_request drop = {.cascade = statement->cascade, .if_exists = statement->if_exists};
  if (statement->kind == AP_STATEMENT_DROP_FRAME) {
    AP_TRY(frame_name(run, &drop.hive, &drop.box, &drop.name, err));
  } else if (statement->kind == AP_STATEMENT_DROP_BOX) {
    AP_TRY(box_name(run, &drop.hive, &drop.box, err));
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

/* ---- dispatch -------------------------------------------------------------------------------- */

static void as_query(const struct statement_run *run, struct ap_query_request *out_query) {
  const struct ap_statement *statement = run->statement;
  bool has_body = statement->kind != AP_STATEMENT_QUERY;
  *out_query = (struct ap_query_request){
      .text = statement->text,
      .body = has_body ? statement->body : statement->text,
      .hive = ap_text_of(run->session->hive),
      .box = ap_text_of(run->session->box),
      .parameters = run->is_last ? run->request->parameters : NULL,
      .parameter_count = run->is_last ? run->request->parameter_count : 0,
      .control = run->request->control,
  };
}

static ap_status refuse(const struct ap_statement *statement, ap_error *err) {
  static const struct {
    const char *start;
    const char *hint;
  } ways_out[] = {
      {"ALTER", "a frame's columns stay as they were made; 'apiary rename' changes names"},
      {"CREATE TABLE AS", AP_WRITING_HINT},
      {"CREATE FRAME AS", AP_WRITING_HINT},
      {"CREATE",
       "what there is to create: CREATE HIVE h, CREATE BOX h.b, CREATE FRAME h.b.f "
       "(column type, ...), each with IF NOT EXISTS"},
      {"INSERT", AP_WRITING_HINT},
      {"UPDATE", AP_WRITING_HINT},
      {"DELETE", AP_WRITING_HINT},
      {"MERGE", AP_WRITING_HINT},
      {"TRUNCATE", AP_WRITING_HINT},
      {"COPY",
       "files are read by 'apiary import' and written by 'apiary export', and in Python by "
       "import_files and export"},
  };
  ap_status status = AP_FAIL(err, AP_UNSUPPORTED, "%.*s statements are not supported",
                             AP_TEXT_ARG(statement->head));
  for (size_t i = 0; i < sizeof ways_out / sizeof ways_out[0]; ++i) {
    if (ap_text_starts_with(statement->head, ap_text_of(ways_out[i].start))) {
      ap_error_hint(err, "%s", ways_out[i].hint);
      break;
    }
  }
  return status;
}

static ap_status run_describe(struct statement_run *run, struct ArrowArrayStream *out,
                              ap_error *err) {
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  AP_TRY(frame_name(run, &hive, &box, &name, err));
  return ap_answer_describe(run->session->node, hive, box, name, out, err);
}

static ap_status run_statement(struct statement_run *run, struct ArrowArrayStream *out,
                               ap_error *err) {
  struct ap_query_request query;
  switch (run->statement->kind) {
    case AP_STATEMENT_QUERY:
    case AP_STATEMENT_EXPLAIN:
    case AP_STATEMENT_DESCRIBE_QUERY:
      as_query(run, &query);
      return ap_query(run->session->node, &query, run->timing, out, err);
    case AP_STATEMENT_USE:
      return run_use(run, out, err);
    case AP_STATEMENT_SHOW_HIVES:
      return show_hives(run, out, err);
    case AP_STATEMENT_SHOW_BOXES:
      return show_boxes(run, out, err);
    case AP_STATEMENT_SHOW_FRAMES:
      return show_frames(run, out, err);
    case AP_STATEMENT_DESCRIBE:
      return run_describe(run, out, err);
    case AP_STATEMENT_CREATE_HIVE:
    case AP_STATEMENT_CREATE_BOX:
    case AP_STATEMENT_CREATE_FRAME:
      return run_create(run, out, err);
    case AP_STATEMENT_DROP_HIVE:
    case AP_STATEMENT_DROP_BOX:
    case AP_STATEMENT_DROP_FRAME:
      return run_drop(run, out, err);
    case AP_STATEMENT_ENGINE_SET:
    case AP_STATEMENT_REFUSED:
      break;
  }
  return refuse(run->statement, err);
}

/* A statement whose result nobody asked for runs to its end all the same. */
static ap_status drain(struct ArrowArrayStream *stream, ap_error *err) {
  struct ArrowArray array = {0};
  ap_status status = AP_OK;
  do {
    ap_array_release(&array);
    status = ap_stream_next(stream, &array, err);
  } while (status == AP_OK && array.release != NULL);
  ap_stream_release(stream);
  return status;
}

static ap_status run_all(struct statement_run *run, const struct ap_statement *statements,
                         uint32_t count, struct ArrowArrayStream *out_stream, ap_error *err) {
  for (uint32_t i = 0; i < count; ++i) {
    struct ArrowArrayStream stream = {0};
    run->statement = &statements[i];
    run->is_last = i + 1 == count;
    AP_TRY(run_statement(run, run->is_last ? out_stream : &stream, err));
    if (!run->is_last) AP_TRY(drain(&stream, err));
  }
  return AP_OK;
}

static ap_status parse(struct ap_sql_session *session, const struct ap_sql_request *request,
                       struct ap_arena *arena, struct ap_statement **out_statements,
                       uint32_t *out_count, ap_error *err) {
  ap_arena_init(arena, ap_node_env(session->node)->allocator);
  if (request->sql.size > (size_t)AP_STATEMENT_BYTES_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "an SQL text of %zu bytes; at most %lld are allowed",
                   request->sql.size, (long long)AP_STATEMENT_BYTES_MAX);
  }
  if (!ap_text_is_utf8(request->sql)) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "the SQL text is not valid UTF-8");
  }
  AP_TRY(ap_statements_parse(arena, request->sql, out_statements, out_count, err));
  if (*out_count == 0) return AP_FAIL(err, AP_SYNTAX, "the SQL text holds no statement");
  if (*out_count > AP_STATEMENTS_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "%u statements in one text; at most %d are allowed",
                   *out_count, AP_STATEMENTS_MAX);
  }
  return AP_OK;
}

ap_status ap_sql_run(struct ap_sql_session *session, const struct ap_sql_request *request,
                     struct ap_query_timing *out_timing, struct ArrowArrayStream *out_stream,
                     ap_error *err) {
  struct ap_arena arena;
  struct ap_statement *statements = NULL;
  uint32_t count = 0;
  ap_status status = parse(session, request, &arena, &statements, &count, err);
  if (status == AP_OK) {
    struct statement_run run = {
        .session = session, .request = request, .arena = &arena, .timing = out_timing};
    status = run_all(&run, statements, count, out_stream, err);
  }
  ap_arena_deinit(&arena);
  return status;
}

ap_status ap_sql_export(struct ap_sql_session *session, const struct ap_sql_request *request,
                        const char *path, const char *format, int64_t *out_rows, ap_error *err) {
  struct ap_arena arena;
  struct ap_statement *statements = NULL;
  uint32_t count = 0;
  ap_status status = parse(session, request, &arena, &statements, &count, err);
  if (status == AP_OK && (count != 1 || statements[0].kind != AP_STATEMENT_QUERY)) {
    status =
        AP_FAIL(err, AP_INVALID_ARGUMENT, "an export needs one query, found %u statements", count);
    ap_error_hint(err, "give a single SELECT");
  }
  if (status == AP_OK) {
    struct ap_query_request query;
    const struct statement_run run = {.session = session,
                                      .request = request,
                                      .statement = &statements[0],
                                      .is_last = true,
                                      .arena = &arena};
    as_query(&run, &query);
    status = ap_query_export(session->node, &query, path, format, out_rows, err);
  }
  ap_arena_deinit(&arena);
  return status;
}
