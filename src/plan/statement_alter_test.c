/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: ALTER FRAME, COMMENT ON and the clauses of CREATE FRAME are read as they are written, and
 * what is wrong is named with its place. Method: each statement printed back from what was read.
 */
#include "plan/statement.h"

#include "testing/alloc.h"
#include "testing/check.h"

static const char *const actions[] = {
    "add",           "drop",       "rename",        "move",       "type",
    "not-null",      "nullable",   "default",       "no-default", "comment",
    "comment-frame", "constraint", "no-constraint", "set",        "unset",
};

static void append(struct ap_buffer *out, const char *label, struct ap_text text) {
  if (text.size > 0) ap_buffer_append_format(out, " %s{%.*s}", label, AP_TEXT_ARG(text));
}

static void print_alter(struct ap_buffer *out, const struct ap_statement_alter *alter) {
  ap_buffer_append_string(out, actions[alter->action]);
  if (alter->if_exists) ap_buffer_append_string(out, " if-exists");
  if (alter->forgiving) ap_buffer_append_string(out, " forgiving");
  for (uint32_t i = 0; i < alter->item_count; i++) {
    const struct ap_alter_item *item = &alter->items[i];
    ap_buffer_append_string(out, " (");
    for (uint32_t k = 0; k < item->path_count; k++) {
      ap_buffer_append_format(out, "[%.*s]", AP_TEXT_ARG(item->path[k]));
    }
    append(out, "", item->type);
    append(out, "comment", item->comment);
    if (item->place == AP_ALTER_PLACE_FIRST) ap_buffer_append_string(out, " first");
    append(out, "after", item->after);
    ap_buffer_append_string(out, ")");
  }
  append(out, "name", alter->name);
  append(out, "text", alter->text);
  for (uint32_t i = 0; i < alter->property_count; i++) {
    ap_buffer_append_format(out, " <%.*s=%.*s>", AP_TEXT_ARG(alter->properties[i].name),
                            AP_TEXT_ARG(alter->properties[i].value));
  }
}

static void print_frame(struct ap_buffer *out, const struct ap_statement *statement) {
  for (uint32_t i = 0; i < statement->column_count; i++) {
    const struct ap_statement_column *column = &statement->columns[i];
    ap_buffer_append_format(out, "(%.*s: %.*s%s", AP_TEXT_ARG(column->name),
                            AP_TEXT_ARG(column->type), column->not_null ? " not null" : "");
    append(out, "default", column->default_value);
    append(out, "generated", column->generated);
    append(out, "comment", column->comment);
    ap_buffer_append_string(out, ")");
  }
  for (uint32_t i = 0; i < statement->frame->constraint_count; i++) {
    const struct ap_statement_constraint *constraint = &statement->frame->constraints[i];
    ap_buffer_append_format(out, " check %.*s{%.*s}", AP_TEXT_ARG(constraint->name),
                            AP_TEXT_ARG(constraint->condition));
  }
  for (uint32_t i = 0; i < statement->partition_count; i++) {
    append(out, "by", statement->partition_by[i]);
  }
  append(out, "comment", statement->frame->comment);
  for (uint32_t i = 0; i < statement->frame->property_count; i++) {
    const struct ap_statement_property *property = &statement->frame->properties[i];
    ap_buffer_append_format(out, " <%.*s=%.*s>", AP_TEXT_ARG(property->name),
                            AP_TEXT_ARG(property->value));
  }
}

static const struct row {
  const char *sql;
  const char *printed;
} rows[] = {
    {"ALTER FRAME f ADD COLUMN a int", "add ([a] {int})"},
    {"ALTER TABLE IF EXISTS h.b.f ADD COLUMNS IF NOT EXISTS (a decimal(3, 1) COMMENT 'x' FIRST, "
     "\"s t\".x list<int> NULL AFTER \"y\")",
     "add if-exists forgiving ([a] {decimal(3, 1)} comment{x} first) ([s t][x] {list<int>} "
     "after{y})"},
    {"ALTER FRAME f ADD a int, ADD COLUMN b struct<x: int, y: text>, c int",
     "add ([a] {int}) ([b] {struct<x: int, y: text>}) ([c] {int})"},
    {"ALTER FRAME f DROP COLUMN IF EXISTS a", "drop forgiving ([a])"},
    {"ALTER FRAME f DROP COLUMNS (a, s.x)", "drop ([a]) ([s][x])"},
    {"ALTER FRAME f RENAME COLUMN s.x TO y", "rename ([s][x]) text{y}"},
    {"ALTER FRAME f RENAME a TO b", "rename ([a]) text{b}"},
    {"ALTER FRAME f ALTER COLUMN a TYPE bigint", "type ([a] {bigint})"},
    {"ALTER FRAME f ALTER a SET DATA TYPE decimal(10,2)", "type ([a] {decimal(10,2)})"},
    {"ALTER FRAME f CHANGE COLUMN a SET NOT NULL", "not-null ([a])"},
    {"ALTER FRAME f ALTER COLUMN a DROP NOT NULL", "nullable ([a])"},
    {"ALTER FRAME f ALTER COLUMN a SET DEFAULT (1 + 2) * 3", "default ([a]) text{(1 + 2) * 3}"},
    {"ALTER FRAME f ALTER COLUMN a DROP DEFAULT", "no-default ([a])"},
    {"ALTER FRAME f ALTER COLUMN a COMMENT 'it''s'", "comment ([a]) text{it's}"},
    {"ALTER FRAME f ALTER COLUMN a FIRST", "move ([a] first)"},
    {"ALTER FRAME f ALTER COLUMN a AFTER b", "move ([a] after{b})"},
    {"ALTER FRAME f ADD CONSTRAINT c CHECK (a > 0 AND b IN (1, 2))",
     "constraint name{c} text{a > 0 AND b IN (1, 2)}"},
    {"ALTER FRAME f ADD CHECK (a > 0)", "constraint text{a > 0}"},
    {"ALTER FRAME f DROP CONSTRAINT IF EXISTS c", "no-constraint forgiving name{c}"},
    {"ALTER FRAME f SET TBLPROPERTIES ('a.b' = 'c', delta.appendOnly = true, n = 5)",
     "set <a.b=c> <delta.appendOnly=true> <n=5>"},
    {"ALTER FRAME f UNSET TBLPROPERTIES IF EXISTS ('a', b.c)", "unset forgiving <a=> <b.c=>"},
    {"COMMENT ON FRAME h.b.f IS 'x'", "comment-frame text{x}"},
    {"COMMENT ON TABLE f IS NULL", "comment-frame"},
    {"COMMENT ON COLUMN h.b.f.c IS 'x'", "comment ([c]) text{x}"},
    {"CREATE FRAME f (a int NOT NULL DEFAULT 1 COMMENT 'x', b text DEFAULT NULL, c bigint "
     "GENERATED "
     "ALWAYS AS (a * 2), d int CHECK (d > 0) CONSTRAINT e CHECK (d < 9), CHECK (a <> d), "
     "CONSTRAINT g CHECK (a IS NOT NULL)) COMMENT 'y' PARTITIONED BY (b) WITH (k = 'v')",
     "(a: int not null default{1} comment{x})(b: text default{NULL})(c: bigint generated{a * 2})"
     "(d: int) check d_check{d > 0} check e{d < 9} check {a <> d} check g{a IS NOT NULL} by{b} "
     "comment{y} <k=v>"},
    {"CREATE FRAME f (a int DEFAULT (1 IS NOT NULL) NOT NULL, comment text)",
     "(a: int not null default{(1 IS NOT NULL)})(comment: text)"},
};

static ap_status parse(struct ap_arena *arena, const char *sql, struct ap_statement **out_statement,
                       ap_error *err) {
  uint32_t count = 0;
  ap_status status = ap_statements_parse(arena, ap_text_of(sql), out_statement, &count, err);
  if (status == AP_OK) assert_int_equal(count, 1);
  return status;
}

static void reads_what_is_written(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    struct ap_arena arena;
    struct ap_buffer printed;
    struct ap_statement *statement = NULL;
    ap_error err = {0};
    ap_arena_init(&arena, ap_allocator_system());
    ap_buffer_init(&printed, ap_allocator_system());
    if (parse(&arena, rows[i].sql, &statement, &err) != AP_OK) {
      fail_msg("%s\n  %s", rows[i].sql, err.message);
    }
    if (statement->kind == AP_STATEMENT_ALTER_FRAME) print_alter(&printed, statement->alter);
    if (statement->kind == AP_STATEMENT_CREATE_FRAME) print_frame(&printed, statement);
    if (!ap_text_equal_string(ap_buffer_text(&printed), rows[i].printed)) {
      fail_msg("%s\n  is     %s\n  wanted %s", rows[i].sql, printed.data, rows[i].printed);
    }
    ap_buffer_deinit(&printed);
    ap_arena_deinit(&arena);
  }
}

static void names_what_is_wrong(void **state) {
  static const struct {
    const char *sql;
    const char *message;
    const char *hint;
  } errors[] = {
      {"ALTER FRAME f", "expected ADD, DROP, RENAME", ""},
      {"ALTER FRAME f AD COLUMN a int", "line 1, column 15: expected ADD", ""},
      {"ALTER FRAME f ADD COLUMN a", "expected a type", ""},
      {"ALTER FRAME f ADD COLUMN a int NOT NULL", "no rule yet", "SET NOT NULL"},
      {"ALTER FRAME f ADD COLUMN a int DEFAULT 1", "no rule yet", "SET DEFAULT"},
      {"ALTER FRAME f ADD CONSTRAINT c PRIMARY KEY (a)", "expected CHECK", ""},
      {"ALTER FRAME f ADD CONSTRAINT c CHECK a > 0", "expected ( and a condition", ""},
      {"ALTER FRAME f ADD CHECK (a > 0", "expected )", ""},
      {"ALTER FRAME f ALTER COLUMN a SET", "NOT NULL, DEFAULT or DATA TYPE", ""},
      {"ALTER FRAME f ALTER COLUMN a TIPE int", "TYPE, SET, DROP", "TYPE"},
      {"ALTER FRAME f RENAME COLUMN a", "expected TO", ""},
      {"ALTER FRAME f SET TBLPROPERTIES ('a')", "expected = and a value", ""},
      {"ALTER FRAME f SET TBLPROPERTES ('a' = 'b')", "expected TBLPROPERTIES", "TBLPROPERTIES"},
      {"ALTER FRAME f DROP COLUMN a b", "expected the end of the statement, found b", ""},
      {"COMMENT ON HIVE h IS 'x'", "expected FRAME, TABLE or COLUMN", ""},
      {"COMMENT ON COLUMN c IS 'x'", "expected frame.column", ""},
      {"COMMENT ON FRAME f IS x", "expected a 'comment' or NULL", ""},
      {"SHOW CHANGES f", "expected IN and the name of a frame", ""},
      {"SHOW CHANGES IN f", "expected FROM VERSION n", ""},
      {"SHOW CHANGES IN f FROM VERSION x", "a version: a whole number", ""},
      {"SHOW CHANGES IN f FROM VERSION 1 TO 2", "VERSION n or TIMESTAMP 't'", ""},
      {"CREATE FRAME f (a int GENERATED AS (1))", "expected ALWAYS AS", ""},
      {"CREATE FRAME f (CHECK (1 = 1))", "at least one column", ""},
      {"CREATE FRAME f (a int) TBLPROPERTY ('a' = 'b')", "expected PARTITIONED BY", ""},
  };
  (void)state;
  for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
    struct ap_arena arena;
    struct ap_statement *statement = NULL;
    ap_error err = {0};
    ap_arena_init(&arena, ap_allocator_system());
    if (parse(&arena, errors[i].sql, &statement, &err) != AP_SYNTAX) {
      fail_msg("no syntax error: %s", errors[i].sql);
    }
    check_contains(err.message, errors[i].message);
    check_contains(err.hint, errors[i].hint);
    ap_arena_deinit(&arena);
  }
}

static ap_status parse_body(void *context, struct ap_allocator *allocator, ap_error *err) {
  struct ap_arena arena;
  struct ap_statement *statement = NULL;
  ap_arena_init(&arena, allocator);
  ap_status status = parse(&arena, context, &statement, err);
  ap_arena_deinit(&arena);
  return status;
}

static void survives_without_memory(void **state) {
  (void)state;
  char alter[] = "ALTER FRAME f ADD COLUMNS (a int COMMENT 'x' FIRST, s.x int)";
  char create[] = "CREATE FRAME f (a int CHECK (a > 0), b text) WITH (x.y = 'z')";
  assert_true(ap_sweep_memory(parse_body, alter) >= 2);
  assert_true(ap_sweep_memory(parse_body, create) >= 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_what_is_written),
      cmocka_unit_test(names_what_is_wrong),
      cmocka_unit_test(survives_without_memory),
  };
  return AP_RUN_TESTS(tests);
}
