/* SPDX-License-Identifier: Apache-2.0
 *
 * See change.h: the texts of a changing statement's queries. Names of our own begin with a byte
 * that no column's name can hold where a user's names are in reach.
 */
#include "execute/change.h"

#include "base/assert.h"
#include "plan/statement_parser.h"
#include "plan/tokenizer.h"

#include <stdio.h>

#define SOURCE_MARK \
  "\"\x1f"          \
  "source\""
#define CLAUSE_MARK \
  "\"\x1f"          \
  "clause\""

/* ---- columns --------------------------------------------------------------------------------- */

bool ap_change_is_generated(const struct ap_change *change, uint32_t column) {
  return change->rules != NULL && change->rules->generated[column].size > 0;
}

static void hint_columns(const struct ap_schema *schema, struct ap_arena *arena, ap_error *err) {
  struct ap_buffer list;
  ap_buffer_init(&list, arena->allocator);
  for (uint32_t i = 0; i < schema->field_count; ++i) {
    if (i > 0) ap_buffer_append_string(&list, ", ");
    ap_buffer_append_text(&list, schema->fields[i].name);
  }
  if (ap_buffer_check(&list, NULL) == AP_OK) ap_error_hint(err, "its columns are: %s", list.data);
  ap_buffer_deinit(&list);
}

int32_t ap_change_find_column(const struct ap_change *change, struct ap_text name, ap_error *err) {
  const struct ap_schema *schema = &change->snapshot->schema;
  int32_t index = ap_schema_find(schema, name);
  if (index >= 0) return index;
  (void)AP_FAIL(err, AP_SCHEMA_MISMATCH, "frame %s has no column '%.*s'", change->full_name,
                AP_TEXT_ARG(name));
  struct ap_arena arena;
  ap_arena_init(&arena, ap_node_env(change->node)->allocator);
  const char **names = AP_ARENA_ARRAY(&arena, const char *, schema->field_count);
  for (uint32_t i = 0; names != NULL && i < schema->field_count; ++i) {
    names[i] = ap_arena_copy(&arena, schema->fields[i].name);
    if (names[i] == NULL) names = NULL;
  }
  const char *nearest = names == NULL ? NULL : ap_text_nearest(name, names, schema->field_count);
  if (nearest != NULL) {
    ap_error_hint(err, "did you mean '%s'?", nearest);
  } else {
    hint_columns(schema, &arena, err);
  }
  ap_arena_deinit(&arena);
  return -1;
}

struct ap_text ap_change_default(const struct ap_change *change, uint32_t column) {
  bool has_default = change->rules != NULL && change->rules->defaults[column].size > 0;
  return has_default ? change->rules->defaults[column] : AP_TEXT("NULL");
}

/* ---- clauses --------------------------------------------------------------------------------- */

bool ap_change_has_action(const struct ap_change *change, enum ap_merge_action action) {
  for (uint32_t i = 0; i < change->clause_count; ++i) {
    if (change->clauses[i].action == action) return true;
  }
  return false;
}

static ap_status set_value(struct ap_change *change, struct ap_change_clause *clause,
                           uint32_t column, struct ap_text expression, ap_error *err) {
  const struct ap_field *field = &change->snapshot->schema.fields[column];
  bool is_default = expression.size == 0;
  if (ap_change_is_generated(change, column) && !is_default) {
    ap_status status =
        AP_FAIL(err, AP_INVALID_ARGUMENT, "frame %s: column '%.*s' is generated and cannot be set",
                change->full_name, AP_TEXT_ARG(field->name));
    ap_error_hint(err, "set the columns that it is generated from");
    return status;
  }
  clause->values[column] =
      (struct ap_change_value){is_default ? AP_VALUE_DEFAULT : AP_VALUE_PIECE, expression};
  return AP_OK;
}

static ap_status plan_sets(struct ap_change *change, const struct ap_change_set *sets,
                           uint32_t count, bool by_name, struct ap_change_clause *clause,
                           ap_error *err) {
  const struct ap_schema *schema = &change->snapshot->schema;
  if (!by_name && count != schema->field_count) {
    return AP_FAIL(err, AP_SCHEMA_MISMATCH, "INSERT gives %u values, frame %s has %u columns",
                   count, change->full_name, schema->field_count);
  }
  for (uint32_t i = 0; i < count; ++i) {
    int32_t column = by_name ? ap_change_find_column(change, sets[i].column, err) : (int32_t)i;
    if (column < 0) return AP_SCHEMA_MISMATCH;
    if (by_name && clause->values[column].kind != AP_VALUE_KEPT) {
      return AP_FAIL(err, AP_INVALID_ARGUMENT, "column '%.*s' is set twice",
                     AP_TEXT_ARG(schema->fields[column].name));
    }
    AP_TRY(set_value(change, clause, (uint32_t)column, sets[i].expression, err));
  }
  return AP_OK;
}

static ap_status plan_clause(struct ap_change *change, const struct ap_merge_clause *given,
                             struct ap_change_clause *clause, ap_error *err) {
  const struct ap_schema *schema = &change->snapshot->schema;
  bool inserts = given->action == AP_MERGE_INSERT;
  *clause = (struct ap_change_clause){
      .when = given->when, .action = given->action, .condition = given->condition};
  if (!inserts && given->action != AP_MERGE_UPDATE) return AP_OK;
  clause->values = AP_ARENA_ARRAY(&change->arena, struct ap_change_value, schema->field_count);
  if (clause->values == NULL) return AP_FAIL_MEMORY(err);
  if (!given->all_columns) {
    AP_TRY(plan_sets(change, given->sets, given->set_count, !inserts || given->has_columns, clause,
                     err));
  }
  for (uint32_t i = 0; i < schema->field_count; ++i) {
    struct ap_change_value *value = &clause->values[i];
    if (given->all_columns && !ap_change_is_generated(change, i)) {
      value->kind = AP_VALUE_SOURCE;
    } else if (inserts && value->kind == AP_VALUE_KEPT && !ap_change_is_generated(change, i)) {
      value->kind = AP_VALUE_DEFAULT;
    }
  }
  return AP_OK;
}

/* Conditions stand twice in the text, so they must say the same twice. */
static ap_status check_condition(struct ap_change *change, struct ap_text condition,
                                 ap_error *err) {
  static const char *const changing[] = {"random", "uuid",   "gen_random_uuid",
                                         "uuidv4", "uuidv7", "nextval"};
  struct ap_tokenizer tokenizer;
  struct ap_token token;
  ap_tokenizer_init(&tokenizer, &change->arena, condition);
  for (;;) {
    AP_TRY(ap_tokenizer_next(&tokenizer, &token, err));
    if (token.kind == AP_TOKEN_END) return AP_OK;
    for (size_t i = 0; token.kind == AP_TOKEN_WORD && i < sizeof changing / sizeof *changing; ++i) {
      if (!ap_text_equal_ignoring_case(token.value, ap_text_of(changing[i]))) continue;
      ap_status status =
          AP_FAIL(err, AP_UNSUPPORTED, "%s() in the condition of a WHEN clause", changing[i]);
      ap_error_hint(err, "compute it in the source: USING (SELECT *, %s() AS x FROM ...)",
                    changing[i]);
      return status;
    }
  }
}

ap_status ap_change_plan_clauses(struct ap_change *change, ap_error *err) {
  const struct ap_change_statement *spec = change->spec;
  bool is_merge = change->run->statement->kind == AP_STATEMENT_MERGE;
  const struct ap_merge_clause only = {
      .when = AP_MERGE_MATCHED,
      .action =
          change->run->statement->kind == AP_STATEMENT_UPDATE ? AP_MERGE_UPDATE : AP_MERGE_DELETE,
      .sets = spec->sets,
      .set_count = spec->set_count,
  };
  change->clause_count = is_merge ? spec->clause_count : 1;
  change->clauses = AP_ARENA_ARRAY(&change->arena, struct ap_change_clause, change->clause_count);
  if (change->clauses == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < change->clause_count; ++i) {
    AP_TRY(plan_clause(change, is_merge ? &spec->clauses[i] : &only, &change->clauses[i], err));
    if (change->clauses[i].condition.size > 0) {
      AP_TRY(check_condition(change, change->clauses[i].condition, err));
    }
  }
  return AP_OK;
}

static bool is_set_anywhere(const struct ap_change *change, uint32_t column) {
  if (ap_change_is_generated(change, column)) return false;
  for (uint32_t i = 0; i < change->clause_count; ++i) {
    const struct ap_change_clause *clause = &change->clauses[i];
    if (clause->values != NULL && clause->values[column].kind != AP_VALUE_KEPT) return true;
  }
  return false;
}

/* ---- the query that finds the rows ----------------------------------------------------------- */

static struct ap_text source_name(const struct ap_change *change) {
  return change->spec->source_name.size > 0 ? change->spec->source_name : AP_TEXT("ap_source");
}

/* "a"."<column>" */
static void add_member(struct ap_composition *out, struct ap_text table, const char *column) {
  ap_composition_name(out, table);
  ap_composition_add(out, ".\"");
  ap_composition_add(out, column);
  ap_composition_add(out, "\"");
}

static void add_target(struct ap_change *change) {
  struct ap_composition *out = &change->composition;
  const struct ap_frame_entry *entry = &change->frame->entry;
  ap_composition_name(out, entry->hive);
  ap_composition_add(out, ".");
  ap_composition_name(out, entry->box);
  ap_composition_add(out, ".\"");
  struct ap_buffer quoted;
  ap_buffer_init(&quoted, out->text.allocator);
  ap_buffer_append_identifier(&quoted, entry->name);
  struct ap_text name = ap_buffer_text(&quoted);
  if (name.size >= 2) ap_buffer_append(&out->text, name.data + 1, name.size - 2);
  out->failed |= quoted.failed;
  ap_buffer_deinit(&quoted);
  ap_composition_add(out, AP_TARGET_MARK "\" AS ");
  ap_composition_name(out, change->alias);
}

static void add_places(struct ap_change *change) {
  struct ap_composition *out = &change->composition;
  add_member(out, change->alias, AP_PLACE_FILE);
  ap_composition_add(out, " AS ap_file, ");
  add_member(out, change->alias, AP_PLACE_ROW);
  ap_composition_add(out, " AS ap_row");
}

/* The value as it was given; the default's text is no piece of the statement. */
static void add_value(struct ap_change *change, const struct ap_change_clause *clause,
                      uint32_t column) {
  struct ap_composition *out = &change->composition;
  const struct ap_change_value *value = &clause->values[column];
  switch (value->kind) {
    case AP_VALUE_PIECE:
      ap_composition_add(out, "(");
      ap_change_add_piece(change, value->piece);
      ap_composition_add(out, ")");
      break;
    case AP_VALUE_SOURCE:
      ap_composition_name(out, source_name(change));
      ap_composition_add(out, ".");
      ap_composition_name(out, change->snapshot->schema.fields[column].name);
      break;
    case AP_VALUE_DEFAULT:
      ap_composition_add(out, "(");
      ap_buffer_append_text(&out->text, ap_change_default(change, column));
      ap_composition_add(out, "\n)");
      break;
    case AP_VALUE_KEPT:
      ap_composition_add(out, "NULL");
      break;
  }
}

/* UPDATE: each value, converted in a query around the one that computes it. */
static void add_assigned(struct ap_change *change, uint32_t column) {
  struct ap_composition *out = &change->composition;
  char value[24];
  (void)snprintf(value, sizeof value, "ap_e%u", column);
  ap_composition_add(out, ", ");
  ap_engine_append_assignment(&out->text, ap_text_of(change->full_name),
                              &change->snapshot->schema.fields[column], ap_text_of(value));
  ap_buffer_append_format(&out->text, " AS ap_v%u", column);
}

static void add_condition(struct ap_change *change, const char *before, struct ap_text piece) {
  struct ap_composition *out = &change->composition;
  if (piece.size == 0) return;
  ap_composition_add(out, before);
  ap_composition_add(out, " (");
  ap_change_add_piece(change, piece);
  ap_composition_add(out, ")");
}

static void compose_simple(struct ap_change *change) {
  struct ap_composition *out = &change->composition;
  const struct ap_change_clause *clause = &change->clauses[0];
  uint32_t count = change->snapshot->schema.field_count;
  ap_composition_add(out, "SELECT ap_file, ap_row, CAST(0 AS TINYINT) AS ap_clause");
  for (uint32_t i = 0; i < count; ++i) {
    if (is_set_anywhere(change, i)) add_assigned(change, i);
  }
  /* Several rows beside the frame's may meet one of it. */
  ap_composition_add(out,
                     change->spec->from.size > 0 ? " FROM (SELECT DISTINCT " : " FROM (SELECT ");
  add_places(change);
  for (uint32_t i = 0; i < count; ++i) {
    if (!is_set_anywhere(change, i)) continue;
    ap_composition_add(out, ", ");
    add_value(change, clause, i);
    ap_buffer_append_format(&out->text, " AS ap_e%u", i);
  }
  ap_composition_add(out, " FROM ");
  add_target(change);
  if (change->spec->from.size > 0) {
    ap_composition_add(out, ", ");
    ap_composition_piece(out, change->spec->from);
  }
  add_condition(change, " WHERE", change->spec->where);
  ap_composition_add(out, ") AS ap_found");
}

static bool is_name(const struct ap_token *token) {
  return token->kind == AP_TOKEN_WORD || token->kind == AP_TOKEN_QUOTED;
}

static ap_status take_name(struct ap_tokenizer *tokenizer, struct ap_token *token, bool *out_is,
                           ap_error *err) {
  *out_is = *out_is && is_name(token);
  return ap_tokenizer_next(tokenizer, token, err);
}

/* a.b.c [[AS] d], and nothing else. */
static ap_status check_named(struct ap_change *change, struct ap_text from, bool *out_is_named,
                             ap_error *err) {
  struct ap_tokenizer tokenizer;
  struct ap_token token;
  *out_is_named = true;
  ap_tokenizer_init(&tokenizer, &change->arena, from);
  AP_TRY(ap_tokenizer_next(&tokenizer, &token, err));
  AP_TRY(take_name(&tokenizer, &token, out_is_named, err));
  while (*out_is_named && ap_token_is_symbol(&token, '.')) {
    AP_TRY(ap_tokenizer_next(&tokenizer, &token, err));
    AP_TRY(take_name(&tokenizer, &token, out_is_named, err));
  }
  if (ap_token_is(&token, "AS")) AP_TRY(ap_tokenizer_next(&tokenizer, &token, err));
  if (*out_is_named && token.kind != AP_TOKEN_END) {
    AP_TRY(take_name(&tokenizer, &token, out_is_named, err));
  }
  *out_is_named = *out_is_named && token.kind == AP_TOKEN_END;
  return AP_OK;
}

/* Whether the source stands in the query as it is, where the keys of a frame can rule out cells of
 * the target, rather than in a query that marks its rows. Where rows of the target come without
 * one, the mark tells them. */
static ap_status plan_source(struct ap_change *change, ap_error *err) {
  change->source_is_plain = false;
  for (uint32_t i = 0; i < change->clause_count; ++i) {
    if (change->clauses[i].when == AP_MERGE_NOT_MATCHED_BY_SOURCE) return AP_OK;
  }
  if (change->spec->source_name.size == 0) return AP_OK;
  return check_named(change, change->spec->from, &change->source_is_plain, err);
}

/* WHEN <which rows> AND (<condition>) THEN n */
static void add_when(struct ap_change *change, uint32_t index) {
  static const char *const target[] = {" IS NOT NULL", " IS NULL", " IS NOT NULL"};
  static const char *const source[] = {" IS NOT NULL", " IS NOT NULL", " IS NULL"};
  struct ap_composition *out = &change->composition;
  const struct ap_change_clause *clause = &change->clauses[index];
  ap_composition_add(out, " WHEN ");
  add_member(out, change->alias, AP_PLACE_ROW);
  ap_composition_add(out, target[clause->when]);
  if (!change->source_is_plain) {
    ap_composition_add(out, " AND ");
    ap_composition_name(out, source_name(change));
    ap_composition_add(out, "." SOURCE_MARK);
    ap_composition_add(out, source[clause->when]);
  }
  add_condition(change, " AND", clause->condition);
  ap_buffer_append_format(&out->text, " THEN %u", index);
}

static void add_merged_value(struct ap_change *change, uint32_t column) {
  struct ap_composition *out = &change->composition;
  ap_composition_add(out, ", CASE " CLAUSE_MARK);
  for (uint32_t i = 0; i < change->clause_count; ++i) {
    const struct ap_change_clause *clause = &change->clauses[i];
    if (clause->values == NULL || clause->values[column].kind == AP_VALUE_KEPT) continue;
    ap_buffer_append_format(&out->text, " WHEN %u THEN CAST(", i);
    add_value(change, clause, column);
    ap_composition_add(out, " AS ");
    ap_type_append_sql(&out->text, &change->snapshot->schema.fields[column].type);
    ap_composition_add(out, ")");
  }
  ap_buffer_append_format(&out->text, " END AS ap_v%u", column);
}

static const char *join_of(const struct ap_change *change) {
  bool unmatched_source = false;
  bool unmatched_target = false;
  for (uint32_t i = 0; i < change->clause_count; ++i) {
    unmatched_source |= change->clauses[i].when == AP_MERGE_NOT_MATCHED;
    unmatched_target |= change->clauses[i].when == AP_MERGE_NOT_MATCHED_BY_SOURCE;
  }
  if (unmatched_source && unmatched_target) return " FULL JOIN ";
  if (unmatched_source) return " LEFT JOIN ";
  return unmatched_target ? " RIGHT JOIN " : " JOIN ";
}

static void add_on(struct ap_change *change) {
  struct ap_composition *out = &change->composition;
  const struct ap_change_statement *spec = change->spec;
  ap_composition_add(out, " ON ");
  if (spec->where.size > 0) add_condition(change, "", spec->where);
  for (uint32_t i = 0; i < spec->using_count; ++i) {
    if (i > 0) ap_composition_add(out, " AND ");
    ap_composition_name(out, change->alias);
    ap_composition_add(out, ".");
    ap_composition_name(out, spec->using_columns[i]);
    ap_composition_add(out, " = ");
    ap_composition_name(out, source_name(change));
    ap_composition_add(out, ".");
    ap_composition_name(out, spec->using_columns[i]);
  }
}

static void compose_merge(struct ap_change *change) {
  struct ap_composition *out = &change->composition;
  ap_composition_add(
      out, "SELECT * EXCLUDE (" CLAUSE_MARK "), " CLAUSE_MARK " AS ap_clause FROM (SELECT ");
  add_places(change);
  ap_composition_add(out, ", CAST(CASE");
  for (uint32_t i = 0; i < change->clause_count; ++i) add_when(change, i);
  ap_composition_add(out, " ELSE -1 END AS TINYINT) AS " CLAUSE_MARK);
  for (uint32_t i = 0; i < change->snapshot->schema.field_count; ++i) {
    if (is_set_anywhere(change, i)) add_merged_value(change, i);
  }
  if (change->source_is_plain) {
    ap_composition_add(out, " FROM ");
    ap_composition_piece(out, change->spec->from);
  } else {
    ap_composition_add(out, " FROM (SELECT *, true AS " SOURCE_MARK " FROM ");
    ap_composition_piece(out, change->spec->from);
    ap_composition_add(out, ") AS ");
    ap_composition_name(out, source_name(change));
  }
  ap_composition_add(out, join_of(change));
  add_target(change);
  add_on(change);
  ap_composition_add(out, ") AS ap_found WHERE " CLAUSE_MARK " >= 0");
}

ap_status ap_change_compose_matches(struct ap_change *change, ap_error *err) {
  struct ap_composition *out = &change->composition;
  if (change->spec->with.size > 0) ap_composition_piece(out, change->spec->with);
  if (change->run->statement->kind == AP_STATEMENT_MERGE) {
    AP_TRY(plan_source(change, err));
    compose_merge(change);
  } else {
    compose_simple(change);
  }
  return ap_composition_check(out, err);
}

/* ---- the query that gives the rows of new cells ---------------------------------------------- */

/* (ap_m.ap_clause IN (0, 2)) of the clauses that do something; false when none does. */
static void append_in(struct ap_buffer *out, const struct ap_change *change,
                      enum ap_merge_action action, int64_t column) {
  bool any = false;
  for (uint32_t i = 0; i < change->clause_count; ++i) {
    const struct ap_change_clause *clause = &change->clauses[i];
    if (clause->action != action) continue;
    if (column >= 0 && clause->values[column].kind == AP_VALUE_KEPT) continue;
    ap_buffer_append_format(out, any ? ", %u" : "ap_m.ap_clause IN (%u", i);
    any = true;
  }
  ap_buffer_append_string(out, any ? ")" : "false");
}

static void append_kept_column(struct ap_buffer *out, const struct ap_change *change, uint32_t i) {
  const struct ap_field *field = &change->snapshot->schema.fields[i];
  bool is_set = is_set_anywhere(change, i) && ap_change_has_action(change, AP_MERGE_UPDATE);
  if (is_set) {
    ap_buffer_append_string(out, "CASE WHEN ");
    append_in(out, change, AP_MERGE_UPDATE, i);
    ap_buffer_append_format(out, " THEN ap_m.ap_v%u ELSE ", i);
  }
  ap_buffer_append_string(out, "ap_a.");
  ap_buffer_append_identifier(out, field->name);
  if (is_set) ap_buffer_append_string(out, " END");
  ap_buffer_append_string(out, " AS ");
  ap_buffer_append_identifier(out, field->name);
}

void ap_change_append_kept(struct ap_buffer *out, const struct ap_change *change) {
  const char *between = "SELECT ";
  for (uint32_t i = 0; i < change->snapshot->schema.field_count; ++i) {
    if (ap_change_is_generated(change, i)) continue; /* computed anew by who writes */
    ap_buffer_append_string(out, between);
    append_kept_column(out, change, i);
    between = ", ";
  }
}

void ap_change_append_in(struct ap_buffer *out, const struct ap_change *change,
                         enum ap_merge_action action) {
  append_in(out, change, action, -1);
}

/* FROM <cells of the list> AS ap_a */
static void append_from(struct ap_buffer *out, const struct ap_change *change, const char *list) {
  const struct ap_frame_entry *entry = &change->frame->entry;
  ap_buffer_append_string(out, " FROM ");
  ap_buffer_append_identifier(out, entry->hive);
  ap_buffer_append_string(out, ".");
  ap_buffer_append_identifier(out, entry->box);
  ap_buffer_append_string(out, ".");
  ap_buffer_append_identifier(out, entry->name);
  out->size -= out->failed ? 0 : 1; /* within the quotes */
  ap_buffer_append_format(out, AP_LIST_MARK("%s") "\" AS ap_a ", list);
}

/* What was found in the cells of the list, by their places in it. */
static void append_listed(struct ap_buffer *out, const char *list) {
  ap_buffer_append_format(out,
                          "(SELECT ap_place, ap_found.* FROM temp.main." AP_MATCHES_TABLE
                          " AS ap_found JOIN temp.main." AP_LIST_TABLE(
                              "%s") " USING (ap_file)) AS ap_m ON ap_m.ap_place = "
                                    "ap_a.\"" AP_PLACE_FILE "\"",
                          list);
}

void ap_change_append_joined(struct ap_buffer *out, const struct ap_change *change,
                             const char *list, const char *join, enum ap_merge_action action) {
  append_from(out, change, list);
  ap_buffer_append_format(out, "%s ", join);
  append_listed(out, list);
  ap_buffer_append_string(out, " AND ap_m.ap_row = ap_a.\"" AP_PLACE_ROW "\" AND ");
  append_in(out, change, action, -1);
}

static void append_matches(struct ap_buffer *out, bool mapped) {
  if (!mapped) {
    ap_buffer_append_string(out, "temp.main." AP_MATCHES_TABLE
                                 " AS ap_m"
                                 " ON ap_m.ap_file = ap_a.\"" AP_PLACE_FILE "\"");
  } else {
    append_listed(out, AP_TOUCHED);
  }
  ap_buffer_append_string(out, " AND ap_m.ap_row = ap_a.\"" AP_PLACE_ROW "\"");
}

static void append_rewritten(struct ap_buffer *out, const struct ap_change *change, bool mapped) {
  bool updates = ap_change_has_action(change, AP_MERGE_UPDATE);
  ap_change_append_kept(out, change);
  append_from(out, change, AP_TOUCHED);
  ap_buffer_append_string(out, updates ? "LEFT JOIN " : "ANTI JOIN ");
  append_matches(out, mapped);
  if (!updates || !ap_change_has_action(change, AP_MERGE_DELETE)) return;
  ap_buffer_append_string(out, " WHERE ap_m.ap_row IS NULL OR ");
  append_in(out, change, AP_MERGE_UPDATE, -1);
}

static void append_inserted(struct ap_buffer *out, const struct ap_change *change) {
  ap_buffer_append_string(out, "SELECT ");
  const char *between = "";
  for (uint32_t i = 0; i < change->snapshot->schema.field_count; ++i) {
    if (ap_change_is_generated(change, i)) continue;
    ap_buffer_append_format(out, "%sap_m.ap_v%u AS ", between, i);
    between = ", ";
    ap_buffer_append_identifier(out, change->snapshot->schema.fields[i].name);
  }
  ap_buffer_append_string(out, " FROM temp.main." AP_MATCHES_TABLE " AS ap_m WHERE ");
  append_in(out, change, AP_MERGE_INSERT, -1);
}

ap_status ap_change_compose_rewrite(const struct ap_change *change, bool mapped, bool moves,
                                    struct ap_buffer *out, ap_error *err) {
  bool rewrites = change->touched.count > 0;
  bool inserts = change->counts.inserted > 0;
  AP_ASSERT(rewrites || moves || inserts);
  if (rewrites) append_rewritten(out, change, mapped);
  if (rewrites && moves) ap_buffer_append_string(out, " UNION ALL ");
  if (moves) {
    ap_change_append_kept(out, change);
    ap_change_append_joined(out, change, AP_MARKED, "JOIN", AP_MERGE_UPDATE);
  }
  if ((rewrites || moves) && inserts) ap_buffer_append_string(out, " UNION ALL ");
  if (inserts) append_inserted(out, change);
  return ap_buffer_check(out, err);
}
