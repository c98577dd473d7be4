/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: no table reference of a statement is missed, none that a WITH clause answers is taken for a
 * frame, and whether WHERE may prune a reference is right for every kind of join.
 * Method: trees made by the engine beforehand (tests/data/trees); the lists of names are compared
 * with those of the engine's own binder, the rest with tables written here. Renamed trees are read
 * again. Every allocation fails in turn.
 */
#include "plan/tree.h"

#include "testing/alloc.h"
#include "testing/tree_fixture.h"

#include <stdlib.h>

static struct tree_fixtures fixtures;

static int load(void **state) {
  (void)state;
  tree_fixtures_load(&fixtures, AP_SOURCE_DIR);
  return 0;
}

static int unload(void **state) {
  (void)state;
  tree_fixtures_free(&fixtures);
  return 0;
}

static void parse_sql(struct ap_arena *arena, const char *sql, struct ap_tree *out_tree) {
  ap_error err = {0};
  check_ok(ap_tree_parse(arena, tree_fixture(&fixtures, sql), out_tree, &err), &err);
}

/* A part as the engine's binder prints it: quoted when it is no plain word. */
static void append_part(struct ap_buffer *out, struct ap_text part, bool point) {
  if (part.size == 0) return;
  bool plain = true;
  for (size_t i = 0; i < part.size; i++) {
    char byte = part.data[i];
    plain = plain && ((byte >= 'a' && byte <= 'z') || byte == '_' || (byte >= '0' && byte <= '9'));
  }
  if (plain) {
    ap_buffer_append_text(out, part);
  } else {
    ap_buffer_append_identifier(out, part);
  }
  if (point) ap_buffer_append_string(out, ".");
}

static int compare_strings(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The distinct names of a tree's references, sorted, parted by blanks. */
static void names_of(struct ap_arena *arena, const struct ap_tree *tree, struct ap_buffer *out) {
  char **names = AP_ARENA_ARRAY(arena, char *, tree->reference_count + 1);
  for (uint32_t i = 0; i < tree->reference_count; i++) {
    const struct ap_reference *reference = &tree->references[i];
    ap_buffer_clear(out);
    append_part(out, reference->catalog, true);
    append_part(out, reference->schema, true);
    append_part(out, reference->name, false);
    names[i] = ap_arena_copy(arena, ap_buffer_text(out));
  }
  qsort(names, tree->reference_count, sizeof(*names), compare_strings);
  ap_buffer_clear(out);
  for (uint32_t i = 0; i < tree->reference_count; i++) {
    if (i > 0 && strcmp(names[i], names[i - 1]) == 0) continue;
    ap_buffer_append_format(out, "%s ", names[i]);
  }
}

static void finds_the_tables_the_engine_finds(void **state) {
  (void)state;
  struct ap_arena arena;
  struct ap_buffer found;
  struct ap_buffer wanted;
  ap_arena_init(&arena, ap_allocator_system());
  ap_buffer_init(&found, ap_allocator_system());
  ap_buffer_init(&wanted, ap_allocator_system());
  size_t compared = 0;
  for (size_t i = 0; i < fixtures.count; i++) {
    const struct ap_json *tables = ap_json_find(fixtures.records[i], "tables");
    if (tables->kind != AP_JSON_ARRAY) continue;
    const char *sql = ap_json_find(fixtures.records[i], "sql")->text.data;
    struct ap_tree tree;
    if (ap_tree_parse(&arena, tree_fixture(&fixtures, sql), &tree, NULL) != AP_OK) continue;
    names_of(&arena, &tree, &found);
    ap_buffer_clear(&wanted);
    for (uint32_t k = 0; k < tables->count; k++) {
      ap_buffer_append_format(&wanted, "%.*s ", AP_TEXT_ARG(tables->items[k].text));
    }
    if (!ap_text_equal(ap_buffer_text(&found), ap_buffer_text(&wanted))) {
      fail_msg("%s\n  found %s\n  engine %s", sql, found.data ? found.data : "",
               wanted.data ? wanted.data : "");
    }
    compared++;
  }
  assert_true(compared > 70);
  ap_buffer_deinit(&found);
  ap_buffer_deinit(&wanted);
  ap_arena_deinit(&arena);
}

/* Statements that the engine's binder refuses without their tables. */
static void finds_tables_without_the_binder(void **state) {
  static const struct {
    const char *sql;
    const char *names;
  } rows[] = {
      {"FROM t AT (VERSION => 3)", "t "},
      {"WITH RECURSIVE r(k, n) USING KEY (k) AS (SELECT a, 1 FROM s UNION (SELECT k, n + 1 FROM r, "
       "recurring.r AS z)) SELECT * FROM r",
       "s "},
      {"UNPIVOT s1 ON a, b INTO NAME n VALUE v", "s1 "},
      {"SELECT * FROM s1 LEFT JOIN s2 ON s1.a = s2.a AND s1.b > (SELECT 1 FROM s3)", "s1 s2 s3 "},
      {"SELECT COLUMNS(c -> c LIKE 'a%') FROM s1 WHERE a = 1e999", "s1 "},
      {"SELECT * FROM s1 WHERE a = $1", "s1 "},
  };
  (void)state;
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    struct ap_arena arena;
    struct ap_buffer found;
    struct ap_tree tree;
    ap_arena_init(&arena, ap_allocator_system());
    ap_buffer_init(&found, ap_allocator_system());
    parse_sql(&arena, rows[i].sql, &tree);
    names_of(&arena, &tree, &found);
    check_text(ap_buffer_text(&found), rows[i].names);
    ap_buffer_deinit(&found);
    ap_arena_deinit(&arena);
  }
}

static void knows_where_conditions_reach(void **state) {
  /* Per reference, in the order of the walk: u usable, n null-extended, s sampled, r renamed. */
  static const struct {
    const char *sql;
    const char *flags;
  } rows[] = {
      {"SELECT * FROM t", "-"},
      {"SELECT * FROM f WHERE id = 5", "u"},
      {"SELECT * FROM f, g WHERE id = 5", "u u"},
      {"SELECT * FROM f JOIN g USING (id) WHERE id = 5", "u u"},
      {"SELECT * FROM f LEFT JOIN g ON f.id = g.id WHERE f.id = 5 AND g.id = 5", "u un"},
      {"SELECT * FROM f RIGHT JOIN g ON f.id = g.id WHERE f.id = 5 AND g.id = 5", "un u"},
      {"SELECT * FROM f FULL JOIN g ON f.id = g.id WHERE f.id = 5 AND g.id = 5", "un un"},
      {"SELECT * FROM (f LEFT JOIN g ON f.id = g.id) JOIN f AS k ON g.id = k.id WHERE f.id = 5 AND "
       "g.id = 5 AND k.id = 5",
       "u un u"},
      {"SELECT * FROM f SEMI JOIN g ON f.id = g.id WHERE f.id = 5 AND g.id = 5", "u -"},
      {"SELECT * FROM f ANTI JOIN g ON f.id = g.id WHERE f.id = 5 AND g.id = 5", "u -"},
      {"SELECT * FROM f ASOF JOIN g ON f.id >= g.id WHERE f.id = 5 AND g.id = 5", "u -"},
      {"SELECT * FROM f POSITIONAL JOIN g WHERE f.id = 5 AND g.id = 5", "n n"},
      {"SELECT * FROM f TABLESAMPLE 10% WHERE id = 5", "us"},
      {"SELECT * FROM f AS x(k, l) WHERE k = 5", "ur"},
      {"SELECT * FROM s1 PIVOT (sum(b) FOR a IN (1, 2)) WHERE c = 3", "-"},
      {"SELECT * FROM s1 WHERE a = 1 USING SAMPLE 10 ROWS", "-"},
      {"SELECT * FROM f, LATERAL (SELECT * FROM g WHERE g.id = f.id AND g.id = 5) WHERE f.id = 15",
       "u u"},
      {"DESCRIBE s1", "-"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    struct ap_arena arena;
    struct ap_buffer flags;
    struct ap_tree tree;
    ap_arena_init(&arena, ap_allocator_system());
    ap_buffer_init(&flags, ap_allocator_system());
    parse_sql(&arena, rows[i].sql, &tree);
    for (uint32_t k = 0; k < tree.reference_count; k++) {
      const struct ap_reference *reference = &tree.references[k];
      size_t before = flags.size;
      if (k > 0) ap_buffer_append_string(&flags, " ");
      if (reference->has_select) ap_buffer_append_string(&flags, "u");
      if (reference->null_extended) ap_buffer_append_string(&flags, "n");
      if (reference->sampled) ap_buffer_append_string(&flags, "s");
      if (reference->renames_columns) ap_buffer_append_string(&flags, "r");
      if (flags.size == before + (k > 0)) ap_buffer_append_string(&flags, "-");
    }
    if (!ap_text_equal_string(ap_buffer_text(&flags), rows[i].flags)) {
      fail_msg("%s: %s, not %s", rows[i].sql, flags.data, rows[i].flags);
    }
    ap_buffer_deinit(&flags);
    ap_arena_deinit(&arena);
  }
}

static void reads_the_reference(void **state) {
  (void)state;
  struct ap_arena arena;
  struct ap_tree tree;
  ap_arena_init(&arena, ap_allocator_system());
  parse_sql(&arena, "SELECT * FROM h.b.t AS x WHERE x.a > 1", &tree);
  assert_int_equal(tree.reference_count, 1);
  check_text(tree.references[0].catalog, "h");
  check_text(tree.references[0].schema, "b");
  check_text(tree.references[0].name, "t");
  check_text(tree.references[0].alias, "x");
  assert_int_equal(tree.references[0].location, 14);
  assert_int_equal(tree.references[0].at, AP_REFERENCE_LATEST);
  assert_non_null(tree.references[0].select);
  parse_sql(&arena, "SELECT * FROM \"a\"\"b\".\"c d\" WHERE \"c d\".\"x y\" = 1", &tree);
  check_text(tree.references[0].schema, "a\"b");
  check_text(tree.references[0].name, "c d");
  ap_arena_deinit(&arena);
}

static void reads_time_travel(void **state) {
  (void)state;
  struct ap_arena arena;
  struct ap_tree tree;
  ap_error err = {0};
  ap_arena_init(&arena, ap_allocator_system());
  parse_sql(&arena, "SELECT * FROM t AS x AT (VERSION => 12)", &tree);
  assert_int_equal(tree.references[0].at, AP_REFERENCE_VERSION);
  assert_int_equal(tree.references[0].version, 12);
  check_text(tree.references[0].alias, "x");
  parse_sql(&arena, "SELECT * FROM t AT (TIMESTAMP => '2024-02-29 12:00:00')", &tree);
  assert_int_equal(tree.references[0].at, AP_REFERENCE_TIMESTAMP);
  check_text(tree.references[0].timestamp, "2024-02-29 12:00:00");
  parse_sql(&arena, "SELECT * FROM t AT (TIMESTAMP => DATE '2024-02-29')", &tree);
  check_text(tree.references[0].timestamp, "2024-02-29");
  parse_sql(&arena, "SELECT * FROM t AT (VERSION => '3')", &tree);
  assert_int_equal(tree.references[0].version, 3);
  assert_null(tree.references[0].moment);
  static const char *const unsettled[] = {
      "SELECT * FROM t AT (TIMESTAMP => now())",
      "SELECT * FROM t AT (VERSION => 1 + 2)",
      "SELECT * FROM t AT (VERSION => $1)",
  };
  for (size_t i = 0; i < 3; i++) {
    parse_sql(&arena, unsettled[i], &tree);
    assert_non_null(tree.references[0].moment);
    assert_int_equal(tree.references[0].at, i == 0 ? AP_REFERENCE_TIMESTAMP : AP_REFERENCE_VERSION);
    assert_false(ap_tree_has_parameter(&tree, AP_TEXT("1"), false));
    assert_int_equal(ap_tree_has_parameter(&tree, AP_TEXT("1"), true), i == 2);
  }
  check_status(
      ap_tree_parse(&arena, tree_fixture(&fixtures, "SELECT * FROM t AT (VERSION => (SELECT 1))"),
                    &tree, &err),
      AP_UNSUPPORTED, &err);
  check_contains(err.message, "t AT (VERSION => ...): a subquery");
  ap_arena_deinit(&arena);
}

static void passes_errors_on(void **state) {
  (void)state;
  struct ap_arena arena;
  struct ap_tree tree;
  ap_error err = {0};
  ap_arena_init(&arena, ap_allocator_system());
  check_status(ap_tree_parse(&arena, tree_fixture(&fixtures, "SELECT 1 +"), &tree, &err), AP_SYNTAX,
               &err);
  check_contains(err.message, "syntax error at end of input (at byte 10");
  struct ap_text refused = AP_TEXT(
      "{\"error\":true,\"error_type\":\"other\",\"error_message\":\"Only SELECT statements\"}");
  check_status(ap_tree_parse(&arena, refused, &tree, &err), AP_UNSUPPORTED, &err);
  check_contains(err.message, "Only SELECT");
  check_status(ap_tree_parse(&arena, AP_TEXT("{\"error\":false"), &tree, &err), AP_CORRUPT, &err);
  check_status(ap_tree_parse(&arena, AP_TEXT("[]"), &tree, &err), AP_CORRUPT, &err);
  check_status(ap_tree_parse(&arena, AP_TEXT("{\"statements\":[]}"), &tree, &err), AP_CORRUPT,
               &err);
  ap_arena_deinit(&arena);
}

/* As deep as the engine lets expressions nest, and deeper than is read. */
static void survives_deep_trees(void **state) {
  (void)state;
  static const int depths[] = {1000, 100000};
  for (int i = 0; i < 2; i++) {
    struct ap_arena arena;
    struct ap_buffer json;
    struct ap_buffer again;
    struct ap_tree tree;
    ap_arena_init(&arena, ap_allocator_system());
    ap_buffer_init(&json, ap_allocator_system());
    ap_buffer_init(&again, ap_allocator_system());
    ap_buffer_append_string(&json, "{\"error\":false,\"statements\":[");
    for (int k = 0; k < depths[i]; k++) ap_buffer_append_string(&json, "{\"children\":[");
    ap_buffer_append_string(&json, "{\"type\":\"BASE_TABLE\",\"table_name\":\"t\"}");
    for (int k = 0; k < depths[i]; k++) ap_buffer_append_string(&json, "]}");
    ap_buffer_append_string(&json, "]}");
    ap_error err = {0};
    ap_status status = ap_tree_parse(&arena, ap_buffer_text(&json), &tree, &err);
    check_status(status, i == 0 ? AP_OK : AP_CORRUPT, &err);
    if (status == AP_OK) {
      assert_int_equal(tree.reference_count, 1);
      struct ap_reference_rename rename = {0};
      ap_tree_write_renamed(&again, &tree, &rename);
      assert_true(ap_text_equal(ap_buffer_text(&again), ap_buffer_text(&json)));
    } else {
      check_contains(err.message, "2400 levels");
    }
    ap_buffer_deinit(&json);
    ap_buffer_deinit(&again);
    ap_arena_deinit(&arena);
  }
}

static void writes_subqueries_for_tables(void **state) {
  (void)state;
  struct ap_arena arena;
  struct ap_buffer json;
  struct ap_tree tree;
  struct ap_tree again;
  ap_error err = {0};
  ap_arena_init(&arena, ap_allocator_system());
  ap_buffer_init(&json, ap_allocator_system());
  parse_sql(&arena, "SELECT * FROM t AS x AT (VERSION => 12)", &tree);
  struct ap_reference_rename rename = {.subquery = AP_TEXT("{\"node\":{\"type\":\"BASE_TABLE\","
                                                           "\"table_name\":\"inner\"}}")};
  ap_tree_write_renamed(&json, &tree, &rename);
  check_ok(ap_buffer_check(&json, &err), &err);
  check_contains(json.data, "{\"type\":\"SUBQUERY\",\"alias\":\"x\",\"sample\":null,");
  check_ok(ap_tree_parse(&arena, ap_buffer_text(&json), &again, &err), &err);
  assert_int_equal(again.reference_count, 1);
  check_text(again.references[0].name, "inner");
  ap_buffer_clear(&json);
  const struct ap_json *at = ap_json_find(tree.references[0].node, "at_clause");
  rename = (struct ap_reference_rename){.name = AP_TEXT("t"), .at = at};
  ap_tree_write_renamed(&json, &tree, &rename);
  check_ok(ap_tree_parse(&arena, ap_buffer_text(&json), &again, &err), &err);
  assert_int_equal(again.references[0].version, 12);
  assert_true(ap_tree_equal(at, ap_json_find(again.references[0].node, "at_clause")));
  assert_false(ap_tree_equal(at, tree.root));
  ap_buffer_deinit(&json);
  ap_arena_deinit(&arena);
}

static void writes_other_names(void **state) {
  (void)state;
  struct ap_arena arena;
  struct ap_tree tree;
  struct ap_tree again;
  struct ap_buffer json;
  ap_error err = {0};
  ap_arena_init(&arena, ap_allocator_system());
  ap_buffer_init(&json, ap_allocator_system());
  parse_sql(&arena, "SELECT * FROM t AS x AT (VERSION => 12)", &tree);
  struct ap_reference_rename renames[2] = {
      {.catalog = AP_TEXT("h"), .schema = AP_TEXT("b"), .name = AP_TEXT("t \"12\"")},
  };
  ap_tree_write_renamed(&json, &tree, renames);
  check_ok(ap_buffer_check(&json, &err), &err);
  check_ok(ap_tree_parse(&arena, ap_buffer_text(&json), &again, &err), &err);
  assert_int_equal(again.reference_count, 1);
  check_text(again.references[0].catalog, "h");
  check_text(again.references[0].schema, "b");
  check_text(again.references[0].name, "t \"12\"");
  check_text(again.references[0].alias, "x");
  assert_int_equal(again.references[0].at, AP_REFERENCE_LATEST);

  /* Only those with a name; without an alias the old name becomes it. */
  parse_sql(&arena, "SELECT * FROM f, g WHERE f.id = 5 AND g.id = 15", &tree);
  renames[0] = (struct ap_reference_rename){0};
  renames[1] = (struct ap_reference_rename){.schema = AP_TEXT("main"), .name = AP_TEXT("other")};
  ap_buffer_clear(&json);
  ap_tree_write_renamed(&json, &tree, renames);
  check_ok(ap_tree_parse(&arena, ap_buffer_text(&json), &again, &err), &err);
  check_text(again.references[0].name, "f");
  check_text(again.references[0].alias, "");
  check_text(again.references[1].schema, "main");
  check_text(again.references[1].name, "other");
  check_text(again.references[1].alias, "g");
  ap_buffer_deinit(&json);
  ap_arena_deinit(&arena);
}

static void writes_every_tree_as_it_was(void **state) {
  (void)state;
  for (size_t i = 0; i < fixtures.count; i++) {
    struct ap_arena arena;
    struct ap_buffer json;
    struct ap_tree tree;
    ap_arena_init(&arena, ap_allocator_system());
    ap_buffer_init(&json, ap_allocator_system());
    struct ap_text text = ap_json_find(fixtures.records[i], "tree")->text;
    if (ap_tree_parse(&arena, text, &tree, NULL) == AP_OK &&
        !strstr(text.data, ":Infinity")) { /* which is no JSON */
      struct ap_reference_rename renames[16] = {0};
      assert_true(tree.reference_count <= 16);
      ap_tree_write_renamed(&json, &tree, renames);
      assert_true(ap_text_equal(ap_buffer_text(&json), text));
    }
    ap_buffer_deinit(&json);
    ap_arena_deinit(&arena);
  }
}

static ap_status parse_body(void *context, struct ap_allocator *allocator, ap_error *err) {
  struct ap_arena arena;
  struct ap_tree tree;
  ap_arena_init(&arena, allocator);
  ap_status status = ap_tree_parse(&arena, *(struct ap_text *)context, &tree, err);
  ap_arena_deinit(&arena);
  return status;
}

static void survives_without_memory(void **state) {
  (void)state;
  struct ap_text json =
      tree_fixture(&fixtures, "SELECT COLUMNS(c -> c LIKE 'a%') FROM s1 WHERE a = 1e999");
  assert_true(ap_sweep_memory(parse_body, &json) > 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(finds_the_tables_the_engine_finds),
      cmocka_unit_test(finds_tables_without_the_binder),
      cmocka_unit_test(knows_where_conditions_reach),
      cmocka_unit_test(reads_the_reference),
      cmocka_unit_test(reads_time_travel),
      cmocka_unit_test(passes_errors_on),
      cmocka_unit_test(survives_deep_trees),
      cmocka_unit_test(writes_other_names),
      cmocka_unit_test(writes_subqueries_for_tables),
      cmocka_unit_test(writes_every_tree_as_it_was),
      cmocka_unit_test(survives_without_memory),
  };
  return cmocka_run_group_tests(tests, load, unload);
}
