/* SPDX-License-Identifier: Apache-2.0
 *
 * PREPARE, EXECUTE and DEALLOCATE: statements that a session keeps as text. EXECUTE has the engine
 * compute its values once and writes them into the text as constants, with their types, so that any
 * kind of statement can be prepared and pruning sees the values.
 * Thread: the session's.
 */
#include "base/assert.h"
#include "execute/report.h"
#include "execute/statement_run.h"
#include "plan/tokenizer.h"
#include "plan/tree.h"

#include <inttypes.h>
#include <string.h>

struct ap_prepared {
  struct ap_prepared *next;
  struct ap_text name; /* owned, as is the text */
  struct ap_text sql;
};

static void free_prepared(struct ap_allocator *allocator, struct ap_prepared *prepared) {
  ap_free(allocator, (char *)(uintptr_t)prepared->name.data);
  ap_free(allocator, (char *)(uintptr_t)prepared->sql.data);
  ap_free(allocator, prepared);
}

void ap_session_forget_prepared(struct ap_sql_session *session) {
  while (session->prepared != NULL) {
    struct ap_prepared *prepared = session->prepared;
    session->prepared = prepared->next;
    session->prepared_count -= 1;
    free_prepared(ap_node_env(session->node)->allocator, prepared);
  }
}

static struct ap_prepared **find_link(struct ap_sql_session *session, struct ap_text name) {
  struct ap_prepared **link = &session->prepared;
  while (*link != NULL && !ap_text_equal_ignoring_case((*link)->name, name)) link = &(*link)->next;
  return link;
}

static ap_status fail_unknown(const struct ap_sql_session *session, struct ap_text name,
                              ap_error *err) {
  const char *names[AP_PREPARED_STATEMENTS_MAX];
  size_t count = 0;
  for (const struct ap_prepared *prepared = session->prepared;
       prepared != NULL && count < AP_PREPARED_STATEMENTS_MAX; prepared = prepared->next) {
    names[count++] = prepared->name.data;
  }
  const char *nearest = ap_text_nearest(name, names, count);
  ap_status status = AP_FAIL(err, AP_NOT_FOUND, "no statement '%.*s' is prepared in this session",
                             AP_TEXT_ARG(name));
  if (nearest != NULL) {
    ap_error_hint(err, "did you mean '%s'?", nearest);
  } else {
    ap_error_hint(err, "PREPARE %.*s AS SELECT ...", AP_TEXT_ARG(name));
  }
  return status;
}

/* ---- PREPARE --------------------------------------------------------------------------------- */

/* The engine's parser reads queries once, so that what is wrong is told here. */
static ap_status check_syntax(struct ap_statement_run *run, struct ap_text sql, ap_error *err) {
  struct ap_chamber *chamber = NULL;
  struct ap_tree tree;
  struct ap_buffer json;
  ap_buffer_init(&json, run->arena->allocator);
  ap_status status = ap_bee_admit(run->session->node, &run->session->account, AP_WORK_WRITE,
                                  run->request->control, &chamber, err);
  if (status == AP_OK) status = ap_chamber_parse(chamber, sql, &json, err);
  if (status == AP_OK) {
    ap_error failure = {0};
    status = ap_tree_parse(run->arena, ap_buffer_text(&json), &tree, &failure);
    if (status == AP_UNSUPPORTED) status = AP_OK; /* it has no tree: running it will tell */
    if (status != AP_OK && err != NULL) *err = failure;
  }
  ap_chamber_release(chamber);
  ap_buffer_deinit(&json);
  return status;
}

static ap_status keep(struct ap_sql_session *session, struct ap_text name, struct ap_text sql,
                      ap_error *err) {
  struct ap_allocator *allocator = ap_node_env(session->node)->allocator;
  struct ap_prepared *prepared = ap_allocate_zeroed(allocator, 1, sizeof *prepared);
  if (prepared == NULL) return AP_FAIL_MEMORY(err);
  prepared->name = (struct ap_text){ap_string_copy(allocator, name), name.size};
  prepared->sql = (struct ap_text){ap_string_copy(allocator, sql), sql.size};
  if (prepared->name.data == NULL || prepared->sql.data == NULL) {
    free_prepared(allocator, prepared);
    return AP_FAIL_MEMORY(err);
  }
  struct ap_prepared **link = find_link(session, name);
  if (*link != NULL) { /* the new one takes its place */
    struct ap_prepared *old = *link;
    *link = old->next;
    session->prepared_count -= 1;
    free_prepared(allocator, old);
  }
  prepared->next = session->prepared;
  session->prepared = prepared;
  session->prepared_count += 1;
  return AP_OK;
}

ap_status ap_run_prepare(struct ap_statement_run *run, struct ArrowArrayStream *out,
                         ap_error *err) {
  const struct ap_statement *statement = run->statement;
  struct ap_text name = statement->name.parts[0];
  struct ap_statement *inner = NULL;
  uint32_t count = 0;
  AP_TRY(ap_statements_parse(run->arena, statement->body, &inner, &count, err));
  AP_ASSERT(count == 1);
  if (inner->kind == AP_STATEMENT_PREPARE || inner->kind == AP_STATEMENT_EXECUTE ||
      inner->kind == AP_STATEMENT_DEALLOCATE) {
    return AP_FAIL(err, AP_UNSUPPORTED, "a prepared %.*s", AP_TEXT_ARG(inner->head));
  }
  if (inner->kind == AP_STATEMENT_QUERY) AP_TRY(check_syntax(run, inner->text, err));
  if (run->session->prepared_count >= AP_PREPARED_STATEMENTS_MAX &&
      *find_link(run->session, name) == NULL) {
    ap_status status = AP_FAIL(err, AP_STATE, "%d statements are prepared: no more are allowed",
                               AP_PREPARED_STATEMENTS_MAX);
    ap_error_hint(err, "DEALLOCATE those that are done with");
    return status;
  }
  AP_TRY(keep(run->session, name, inner->text, err));
  return ap_answer_message(out, err, "prepared %.*s", AP_TEXT_ARG(name));
}

/* ---- EXECUTE --------------------------------------------------------------------------------- */

struct value {
  struct ap_text name; /* of $name; empty: by place */
  struct ap_text text; /* data NULL: null */
  struct ap_text type;
  bool used;
};

/* SELECT CAST(x0 AS VARCHAR), typeof(x0), .. FROM (SELECT (first) AS x0, ..) AS v */
static void append_question(struct ap_buffer *sql, const struct ap_statement *statement) {
  for (uint32_t i = 0; i < statement->option_count; ++i) {
    ap_buffer_append_format(sql, "%s CAST(x%u AS VARCHAR), typeof(x%u)", i == 0 ? "SELECT" : ",", i,
                            i);
  }
  ap_buffer_append_string(sql, " FROM (SELECT ");
  for (uint32_t i = 0; i < statement->option_count; ++i) {
    ap_buffer_append_string(sql, i == 0 ? "(" : ", (");
    ap_buffer_append_text(sql, statement->options[i].value);
    ap_buffer_append_format(sql, "\n) AS x%u", i);
  }
  ap_buffer_append_string(sql, ") AS v");
}

/* What a statement before has bound in the chamber must not be seen. */
static ap_status check_constant(struct ap_statement_run *run, struct ap_chamber *chamber,
                                struct ap_text sql, ap_error *err) {
  struct ap_tree tree;
  struct ap_buffer json;
  ap_buffer_init(&json, run->arena->allocator);
  ap_status status = ap_chamber_parse(chamber, sql, &json, err);
  if (status == AP_OK) status = ap_tree_parse(run->arena, ap_buffer_text(&json), &tree, err);
  if (status == AP_OK && tree.reference_count > 0) {
    status = AP_FAIL(err, AP_UNSUPPORTED, "a value that reads %.*s",
                     AP_TEXT_ARG(tree.references[0].name));
    ap_error_hint(err, "values of EXECUTE are constants");
  }
  ap_buffer_deinit(&json);
  return status;
}

/* Those of the request, by the numbers they have in the question. */
static ap_status name_parameters(struct ap_statement_run *run, struct ap_parameter **out_named,
                                 uint32_t *out_count, ap_error *err) {
  uint32_t count = run->is_last ? run->request->parameter_count : 0;
  struct ap_parameter *named = AP_ARENA_ARRAY(run->arena, struct ap_parameter, count + 1);
  if (named == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < count; ++i) {
    named[i] = run->request->parameters[i];
    if (named[i].name.size > 0) continue;
    const char *name = ap_arena_format(run->arena, "%" PRIu32, i + 1);
    if (name == NULL) return AP_FAIL_MEMORY(err);
    named[i].name = ap_text_of(name);
  }
  *out_named = named;
  *out_count = count;
  return AP_OK;
}

static ap_status compute(struct ap_statement_run *run, struct value *values, ap_error *err) {
  const struct ap_statement *statement = run->statement;
  uint32_t count = statement->option_count;
  struct ap_parameter *named = NULL;
  uint32_t named_count = 0;
  struct ap_text *texts = AP_ARENA_ARRAY(run->arena, struct ap_text, 2 * (size_t)count + 1);
  if (texts == NULL) return AP_FAIL_MEMORY(err);
  AP_TRY(name_parameters(run, &named, &named_count, err));
  if (count == 0) return AP_OK;
  struct ap_chamber *chamber = NULL;
  struct ap_buffer sql;
  ap_buffer_init(&sql, run->arena->allocator);
  append_question(&sql, statement);
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) {
    status = ap_bee_acquire(run->session->node, &run->session->account, AP_WORK_WRITE,
                            run->request->control, &chamber, err);
  }
  if (status == AP_OK) status = check_constant(run, chamber, ap_buffer_text(&sql), err);
  if (status == AP_OK) {
    status = ap_chamber_evaluate(chamber, ap_buffer_text(&sql), named, named_count,
                                 run->request->control, run->arena, texts, 2 * count, err);
  }
  ap_chamber_release(chamber);
  ap_buffer_deinit(&sql);
  for (uint32_t i = 0; i < count && status == AP_OK; ++i) {
    values[i] = (struct value){statement->options[i].name, texts[2 * (size_t)i],
                               texts[2 * (size_t)i + 1], false};
  }
  return status;
}

static bool is_plain_number(const struct value *value) {
  static const char *const types[] = {"INTEGER", "BIGINT"};
  for (size_t i = 0; i < 2; ++i) {
    if (ap_text_equal_string(value->type, types[i])) return true;
  }
  return false;
}

/* A constant of the value's type. */
static void append_value(struct ap_buffer *out, const struct value *value) {
  if (value->text.data == NULL) {
    bool untyped = ap_text_equal_string(value->type, "\"NULL\"");
    ap_buffer_append_format(out, untyped ? "NULL" : "CAST(NULL AS %.*s)", AP_TEXT_ARG(value->type));
  } else if (is_plain_number(value)) {
    bool negative = value->text.data[0] == '-';
    ap_buffer_append_format(out, negative ? "(%.*s)" : "%.*s", AP_TEXT_ARG(value->text));
  } else if (ap_text_equal_string(value->type, "VARCHAR")) {
    ap_buffer_append_literal(out, value->text);
  } else {
    ap_buffer_append_string(out, "CAST(");
    ap_buffer_append_literal(out, value->text);
    ap_buffer_append_format(out, " AS %.*s)", AP_TEXT_ARG(value->type));
  }
}

static ap_status find_value(const struct ap_token *token, uint32_t *place, struct value *values,
                            uint32_t count, struct value **out_value, ap_error *err) {
  struct ap_text name = {token->source.data + 1, token->source.size - 1};
  int64_t number = 0;
  *out_value = NULL;
  if (token->source.data[0] == '?' && name.size == 0) {
    number = ++*place;
  } else if (!ap_text_parse_i64(name, &number)) {
    for (uint32_t i = 0; i < count; ++i) {
      if (ap_text_equal_ignoring_case(values[i].name, name)) *out_value = &values[i];
    }
  }
  if (number >= 1 && number <= count && values[number - 1].name.size == 0) {
    *out_value = &values[number - 1];
  }
  if (*out_value != NULL) return AP_OK;
  ap_status status = AP_FAIL(err, AP_INVALID_ARGUMENT, "no value is given for parameter %.*s",
                             AP_TEXT_ARG(token->source));
  ap_error_hint(err, "EXECUTE name(first, second), or EXECUTE name(a := 1, b := 2) for $a and $b");
  return status;
}

/* The statement's text with values where parameters stood. */
static ap_status write_values(struct ap_statement_run *run, struct ap_text sql,
                              struct value *values, struct ap_buffer *out, ap_error *err) {
  uint32_t count = run->statement->option_count;
  struct ap_tokenizer tokenizer;
  struct ap_token token;
  size_t copied = 0;
  uint32_t place = 0;
  ap_tokenizer_init(&tokenizer, run->arena, sql);
  for (;;) {
    AP_TRY(ap_tokenizer_next(&tokenizer, &token, err));
    if (token.kind == AP_TOKEN_END) break;
    if (token.kind != AP_TOKEN_PARAMETER) continue;
    struct value *value = NULL;
    AP_TRY(find_value(&token, &place, values, count, &value, err));
    value->used = true;
    size_t begin = (size_t)(token.source.data - sql.data);
    ap_buffer_append(out, sql.data + copied, begin - copied);
    ap_buffer_append_string(out, " ");
    append_value(out, value);
    ap_buffer_append_string(out, " ");
    copied = begin + token.source.size;
  }
  ap_buffer_append(out, sql.data + copied, sql.size - copied);
  for (uint32_t i = 0; i < count; ++i) {
    if (values[i].used) continue;
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "the prepared statement has no parameter for value %u",
                   i + 1);
  }
  return ap_buffer_check(out, err);
}

static ap_status run_prepared(struct ap_statement_run *run, struct ap_text sql,
                              struct ArrowArrayStream *out, ap_error *err) {
  const struct ap_statement *outer = run->statement;
  const struct ap_sql_request *outer_request = run->request;
  struct ap_sql_request request = *outer_request;
  struct ap_statement *inner = NULL;
  uint32_t count = 0;
  AP_TRY(ap_statements_parse(run->arena, sql, &inner, &count, err));
  if (count != 1) return AP_FAIL(err, AP_INTERNAL, "a prepared statement became %u", count);
  request.parameters = NULL; /* they went into the values */
  request.parameter_count = 0;
  run->statement = inner;
  run->request = &request;
  ap_status status = ap_run_statement(run, out, err);
  run->statement = outer;
  run->request = outer_request;
  if (status != AP_OK && err != NULL) err->position = 0; /* of a text that nobody wrote */
  return status;
}

ap_status ap_run_execute(struct ap_statement_run *run, struct ArrowArrayStream *out,
                         ap_error *err) {
  struct ap_text name = run->statement->name.parts[0];
  const struct ap_prepared *prepared = *find_link(run->session, name);
  if (prepared == NULL) return fail_unknown(run->session, name, err);
  struct value *values =
      AP_ARENA_ARRAY(run->arena, struct value, (size_t)run->statement->option_count + 1);
  if (values == NULL) return AP_FAIL_MEMORY(err);
  AP_TRY(compute(run, values, err));
  struct ap_buffer sql;
  ap_buffer_init(&sql, run->arena->allocator);
  ap_status status = write_values(run, prepared->sql, values, &sql, err);
  if (status == AP_OK) {
    const char *copy = ap_arena_copy(run->arena, ap_buffer_text(&sql));
    status = copy == NULL ? AP_FAIL_MEMORY(err)
                          : run_prepared(run, (struct ap_text){copy, sql.size}, out, err);
  }
  ap_buffer_deinit(&sql);
  return status;
}

/* ---- DEALLOCATE ------------------------------------------------------------------------------ */

ap_status ap_run_deallocate(struct ap_statement_run *run, struct ArrowArrayStream *out,
                            ap_error *err) {
  struct ap_sql_session *session = run->session;
  if (run->statement->name.count == 0) {
    ap_session_forget_prepared(session);
    return ap_answer_message(out, err, "no statement is prepared any more");
  }
  struct ap_text name = run->statement->name.parts[0];
  struct ap_prepared **link = find_link(session, name);
  struct ap_prepared *prepared = *link;
  if (prepared == NULL) return fail_unknown(session, name, err);
  *link = prepared->next;
  session->prepared_count -= 1;
  free_prepared(ap_node_env(session->node)->allocator, prepared);
  return ap_answer_message(out, err, "deallocated %.*s", AP_TEXT_ARG(name));
}
