/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: statements that change rows are taken apart at the right words, whatever stands in
 * parentheses, strings, CASE or IS DISTINCT FROM, and errors say where and what. Method: a table of
 * statements and their parts printed; and what composition.c says of places in a text made of them.
 */
#include "plan/composition.h"
#include "plan/statement.h"

#include "testing/alloc.h"
#include "testing/check.h"

#include <string.h>

static void print_text(struct ap_buffer *out, const char *name, struct ap_text text) {
  if (text.size > 0) ap_buffer_append_format(out, " %s {%.*s}", name, AP_TEXT_ARG(text));
}

static void print_sets(struct ap_buffer *out, const struct ap_change_set *sets, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    ap_buffer_append_format(
        out, " [%.*s = %.*s]", AP_TEXT_ARG(sets[i].column),
        AP_TEXT_ARG(sets[i].expression.size > 0 ? sets[i].expression : AP_TEXT("DEFAULT")));
  }
}

static void print_clause(struct ap_buffer *out, const struct ap_merge_clause *clause) {
  static const char *const whens[] = {"matched", "unmatched", "unmatched-by-source"};
  static const char *const actions[] = {"update", "delete", "insert", "nothing"};
  ap_buffer_append_format(out, " | %s", whens[clause->when]);
  print_text(out, "and", clause->condition);
  ap_buffer_append_format(out, " %s%s", actions[clause->action], clause->all_columns ? " *" : "");
  print_sets(out, clause->sets, clause->set_count);
}

static void print_change(struct ap_buffer *out, const struct ap_statement *statement) {
  const struct ap_change_statement *change = statement->change;
  ap_buffer_append_text(out, statement->name.parts[statement->name.count - 1]);
  print_text(out, "with", change->with);
  print_text(out, "as", change->alias);
  for (uint32_t i = 0; i < change->column_count; i++) {
    print_text(out, "column", change->columns[i]);
  }
  if (change->by_name) ap_buffer_append_string(out, " by-name");
  if (change->overwrites) ap_buffer_append_string(out, " overwrites");
  if (change->default_values) ap_buffer_append_string(out, " defaults");
  print_text(out, "query", change->query);
  for (uint32_t i = 0; i < change->default_count; i++) {
    ap_buffer_append_format(out, " default@%u", change->defaults[i].position);
  }
  print_sets(out, change->sets, change->set_count);
  print_text(out, "from", change->from);
  print_text(out, "called", change->source_name);
  print_text(out, "where", change->where);
  for (uint32_t i = 0; i < change->using_count; i++) {
    print_text(out, "using", change->using_columns[i]);
  }
  for (uint32_t i = 0; i < change->clause_count; i++) print_clause(out, &change->clauses[i]);
}

static const struct {
  const char *sql;
  const char *printed;
} rows[] = {
    {"INSERT INTO t VALUES (1, 'a,b')", "t query {VALUES (1, 'a,b')}"},
    {"INSERT INTO TABLE h.b.t AS x (a, \"b c\") SELECT 1, 2",
     "t as {x} column {a} column {b c} query {SELECT 1, 2}"},
    {"INSERT INTO t BY NAME FROM s", "t by-name query {FROM s}"},
    {"INSERT OVERWRITE t (SELECT 1)", "t overwrites query {(SELECT 1)}"},
    {"INSERT INTO t DEFAULT VALUES", "t defaults"},
    {"INSERT INTO t VALUES (DEFAULT, f(1, 2), DEFAULT), (3, 'DEFAULT', DEFAULT)",
     "t query {VALUES (DEFAULT, f(1, 2), DEFAULT), (3, 'DEFAULT', DEFAULT)} default@0 default@2 "
     "default@2"},
    {"WITH c AS (SELECT 1) INSERT INTO t FROM c", "t with {WITH c AS (SELECT 1) } query {FROM c}"},
    {"DELETE FROM t", "t"},
    {"DELETE FROM t x USING a, b WHERE x.i = a.i AND (SELECT max(w) FROM u WHERE true) > 1",
     "t as {x} from {a, b} where {x.i = a.i AND (SELECT max(w) FROM u WHERE true) > 1}"},
    {"UPDATE t SET a = a IS DISTINCT FROM b, t.b = CASE WHEN x THEN 'FROM' END FROM s WHERE c",
     "t [a = a IS DISTINCT FROM b] [b = CASE WHEN x THEN 'FROM' END] from {s} where {c}"},
    {"UPDATE t SET (a, b) = (1, [2, 3]), c = DEFAULT, d = {'x': 1, 'y': 2}",
     "t [a = 1] [b = [2, 3]] [c = DEFAULT] [d = {'x': 1, 'y': 2}]"},
    {"UPDATE set SET set = s.from WHERE s.end = 3", "set [set = s.from] where {s.end = 3}"},
    {"TRUNCATE TABLE t", "t"},
    {"MERGE INTO t USING (SELECT 1 AS i) AS s(i) ON t.i = s.i AND CASE WHEN a THEN b END "
     "WHEN MATCHED AND CASE WHEN s.x THEN true END THEN UPDATE SET a = 1, b = CASE WHEN a THEN 2 "
     "END WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (a, b) VALUES (s.a, DEFAULT)",
     "t from {(SELECT 1 AS i) AS s(i)} called {s} where {t.i = s.i AND CASE WHEN a THEN b END} | "
     "matched and {CASE WHEN s.x THEN true END} update [a = 1] [b = CASE WHEN a THEN 2 END] | "
     "matched delete | unmatched insert [a = s.a] [b = DEFAULT]"},
    {"MERGE INTO t AS x USING h.b.s AT (VERSION => 3) USING (i, k) WHEN MATCHED THEN UPDATE SET * "
     "WHEN NOT MATCHED BY TARGET THEN INSERT * WHEN NOT MATCHED BY SOURCE AND x.i > 1 THEN DO "
     "NOTHING",
     "t as {x} from {h.b.s AT (VERSION => 3)} called {s} using {i} using {k} | matched update * | "
     "unmatched insert * | unmatched-by-source and {x.i > 1} nothing"},
    {"MERGE INTO t USING s VERSION AS OF 3 ON true WHEN NOT MATCHED THEN INSERT VALUES (1)",
     "t from {s AT(VERSION=>3)} called {s} where {true} | unmatched insert [ = 1]"},
    {"CREATE TABLE t (a, b) AS FROM s", "t column {a} column {b} query {FROM s}"},
};

static void takes_statements_apart(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    struct ap_arena arena;
    struct ap_buffer printed;
    struct ap_statement *statements = NULL;
    uint32_t count = 0;
    ap_error err = {0};
    ap_arena_init(&arena, ap_allocator_system());
    ap_buffer_init(&printed, ap_allocator_system());
    ap_status status =
        ap_statements_parse(&arena, ap_text_of(rows[i].sql), &statements, &count, &err);
    if (status != AP_OK) fail_msg("%s\n  %s", rows[i].sql, err.message);
    assert_int_equal(count, 1);
    print_change(&printed, &statements[0]);
    if (strcmp(printed.data, rows[i].printed) != 0) {
      fail_msg("%s\n  is     %s\n  wanted %s", rows[i].sql, printed.data, rows[i].printed);
    }
    ap_buffer_deinit(&printed);
    ap_arena_deinit(&arena);
  }
}

static void errors_say_where_and_what(void **state) {
  static const struct {
    const char *sql;
    const char *message;
  } errors[] = {
      {"INSERT t VALUES (1)", "line 1, column 8: expected INTO, found t"},
      {"INSERT INTO t", "expected VALUES, a query or DEFAULT VALUES, found the end"},
      {"INSERT INTO t (a,) VALUES (1)", "expected the name of a column, found )"},
      {"INSERT INTO t BY NME SELECT 1", "expected NAME or POSITION, found NME"},
      {"INSERT INTO t (a) BY NAME SELECT 1", "takes the columns from the query"},
      {"DELETE t", "expected FROM"},
      {"DELETE FROM t WERE x", "expected WHERE or the end of the statement, found x"},
      {"DELETE FROM t WHERE", "expected a condition, found the end"},
      {"DELETE FROM t WHERE a) = 1", "expected WHERE or the end of the statement, found )"},
      {"UPDATE t a = 1", "expected SET"},
      {"UPDATE t SET a 1", "expected =, found 1"},
      {"UPDATE t SET a =", "expected an expression, found the end"},
      {"UPDATE t SET (a, b) = (1)", "expected as many values as columns, found )"},
      {"UPDATE t SET (a, b) = 1", "expected (, found 1"},
      {"TRUNCATE", "expected the name of a frame"},
      {"MERGE t USING s ON a", "expected INTO"},
      {"MERGE INTO t ON a", "expected USING and the source"},
      {"MERGE INTO t USING s WHEN MATCHED THEN DELETE", "expected ON and the condition"},
      {"MERGE INTO t USING s ON a", "expected WHEN"},
      {"MERGE INTO t USING s ON a WHEN MATCHD THEN DELETE", "expected MATCHED or NOT MATCHED"},
      {"MERGE INTO t USING s ON a WHEN MATCHED DELETE", "expected AND or THEN, found DELETE"},
      {"MERGE INTO t USING s ON a WHEN MATCHED THEN INSERT *", "UPDATE, DELETE or DO NOTHING"},
      {"MERGE INTO t USING s ON a WHEN NOT MATCHED THEN DELETE", "INSERT or DO NOTHING"},
      {"MERGE INTO t USING s ON a WHEN NOT MATCHED THEN INSERT (a, b) VALUES (1)",
       "names 2 columns and gives 1 values"},
      {"BEGIN now", "expected TRANSACTION or the end of the statement, found now"},
      {"CREATE FRAME t AS 3", "expected a query, found 3"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
    struct ap_arena arena;
    struct ap_statement *statements = NULL;
    uint32_t count = 0;
    ap_error err = {0};
    ap_arena_init(&arena, ap_allocator_system());
    ap_status status =
        ap_statements_parse(&arena, ap_text_of(errors[i].sql), &statements, &count, &err);
    if (status != AP_SYNTAX) fail_msg("no syntax error: %s", errors[i].sql);
    check_contains(err.message, errors[i].message);
    ap_arena_deinit(&arena);
  }
}

static ap_status parse_all(void *context, struct ap_allocator *allocator, ap_error *err) {
  (void)context;
  struct ap_arena arena;
  ap_status status = AP_OK;
  ap_arena_init(&arena, allocator);
  for (size_t i = 0; status == AP_OK && i < sizeof(rows) / sizeof(*rows); i++) {
    struct ap_statement *statements = NULL;
    uint32_t count = 0;
    status = ap_statements_parse(&arena, ap_text_of(rows[i].sql), &statements, &count, err);
  }
  ap_arena_deinit(&arena);
  return status;
}

static void lack_of_memory_is_told(void **state) {
  (void)state;
  assert_true(ap_sweep_memory(parse_all, NULL) > 20);
}

/* ---- composition ----------------------------------------------------------------------------- */

static const char statement[] = "UPDATE t\n SET a = ?,\n b = x +\n y WHERE c = ? AND\n d = $n";

static void compose(struct ap_composition *composition, struct ap_arena *arena) {
  struct ap_text sql = ap_text_of(statement);
  const char *where = strstr(statement, "c = ?");
  const char *sum = strstr(statement, "x +");
  ap_composition_init(composition, arena, sql);
  ap_composition_add(composition, "SELECT (");
  ap_composition_piece(composition, (struct ap_text){where, 17});
  ap_composition_add(composition, ") AND ");
  ap_composition_piece(composition, (struct ap_text){sum, 6});
  ap_composition_add(composition, " FROM ");
  ap_composition_name(composition, AP_TEXT("a\"b"));
  ap_composition_piece(composition, (struct ap_text){strstr(statement, "?"), 1});
}

static void parameters_keep_their_numbers(void **state) {
  (void)state;
  struct ap_arena arena;
  struct ap_composition composition;
  ap_arena_init(&arena, ap_allocator_system());
  compose(&composition, &arena);
  check_ok(ap_composition_check(&composition, NULL), NULL);
  assert_string_equal(composition.text.data,
                      "SELECT (\nc = $2 AND\n d = $n\n) AND \nx +\n y\n FROM \"a\"\"b\"\n$1\n");
  ap_composition_deinit(&composition);
  ap_arena_deinit(&arena);
}

static void places_are_the_statements(void **state) {
  static const struct {
    const char *message;
    unsigned lines_before;
    const char *placed;
  } places[] = {
      {"no column\n\nLINE 2: c = $2 AND\n        ^", 0,
       "no column\n\nLINE 4: c = $2 AND\n        ^"},
      {"no column\n\nLINE 3:  d = $n\n        ^", 0, "no column\n\nLINE 5:  d = $n\n        ^"},
      {"no column\n\nLINE 7: y\n        ^", 1, "no column\n\nLINE 4: y\n        ^"},
      {"no column\n\nLINE 1: SELECT (\n        ^", 0, "no column"},
      {"no column\n\nLINE 9: c\n        ^", 90, "no column"},
      {"syntax error (at byte 29 of the statement)", 0, "syntax error"},
      {"syntax error (at byte 36 of the statement)", 0, "syntax error (line 3, column 7)"},
      {"Candidate bindings: \"a\", \"\x1f"
       "row\", \"b\"",
       0, "Candidate bindings: \"a\", \"b\""},
      {"Candidate bindings: \"\x1f"
       "row\", \"b\"",
       0, "Candidate bindings: \"b\""},
  };
  (void)state;
  struct ap_arena arena;
  struct ap_composition composition;
  ap_arena_init(&arena, ap_allocator_system());
  compose(&composition, &arena);
  for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
    ap_error err = {0};
    (void)AP_FAIL(&err, AP_QUERY, "%s", places[i].message);
    ap_composition_place_error(&composition, places[i].lines_before, &err);
    assert_string_equal(err.message, places[i].placed);
  }
  ap_composition_deinit(&composition);
  ap_arena_deinit(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(takes_statements_apart),    cmocka_unit_test(errors_say_where_and_what),
      cmocka_unit_test(lack_of_memory_is_told),    cmocka_unit_test(parameters_keep_their_numbers),
      cmocka_unit_test(places_are_the_statements),
  };
  return AP_RUN_TESTS(tests);
}
