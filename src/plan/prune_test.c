/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: a condition is taken for the right reference's, or for nobody's when that is not certain;
 * the cells kept are the expected ones; partition filters are decided exactly or refused by name;
 * pruning 10,000 cells takes milliseconds.
 * Method: trees made by the engine (tests/data/trees) over two small frames, expected cells written
 * here. The proof that no row is lost is prune_property_test.c.
 *
 * Frame f: id integer, only_f string, region string (partition), day date (partition). Its cells:
 *   0: id 0..9,   region eu,   day 2024-01-01     1: id 10..19, region eu,   day 2024-01-02
 *   2: id 20..29, region us,   day 2024-01-02     3: id 30..39, region null, day 2024-01-03
 * Frame g: id integer, only_g integer. Its cells: 0: id 0..9, only_g 0..4; 1: id 10..19, only_g
 * 5..9.
 */
#include "plan/prune.h"

#include "testing/alloc.h"
#include "testing/tree_fixture.h"

#include <stdio.h>
#include <time.h>

enum { F_CELLS = 4, G_CELLS = 2 };

static struct tree_fixtures fixtures;

static const struct ap_field f_fields[] = {
    {.name = {"id", 2}, .type = {.kind = AP_TYPE_INT32}, .nullable = true},
    {.name = {"only_f", 6}, .type = {.kind = AP_TYPE_STRING}, .nullable = true},
    {.name = {"region", 6}, .type = {.kind = AP_TYPE_STRING}, .nullable = true},
    {.name = {"day", 3}, .type = {.kind = AP_TYPE_DATE}, .nullable = true},
};
static const struct ap_field g_fields[] = {
    {.name = {"id", 2}, .type = {.kind = AP_TYPE_INT32}, .nullable = true},
    {.name = {"only_g", 6}, .type = {.kind = AP_TYPE_INT32}, .nullable = true},
};
static const struct ap_schema f_schema = {4, f_fields};
static const struct ap_schema g_schema = {2, g_fields};
static const uint32_t f_partitions[] = {2, 3};

static struct ap_cell *make_cell(const char *statistics, const char *region, const char *day) {
  struct ap_partition_value values[2] = {
      {.text = ap_text_of(region), .is_null = region == NULL},
      {.text = ap_text_of(day), .is_null = day == NULL},
  };
  struct ap_cell_parts parts = {
      .path = AP_TEXT("part-0.parquet"),
      .partition_count = 2,
      .partition_values = values,
      .statistics_json = ap_text_of(statistics),
  };
  struct ap_cell *cell = NULL;
  ap_error err = {0};
  check_ok(ap_cell_create(ap_allocator_system(), &parts, &cell, &err), &err);
  return cell;
}

static struct ap_cell *f_cells[F_CELLS];
static struct ap_cell *g_cells[G_CELLS];

static int load(void **state) {
  static const struct {
    const char *statistics;
    const char *region;
    const char *day;
  } f_rows[F_CELLS] = {
      {"{\"numRecords\":10,\"minValues\":{\"id\":0,\"only_f\":\"a\"},\"maxValues\":{\"id\":9,"
       "\"only_f\":\"c\"},\"nullCount\":{\"id\":0,\"only_f\":1}}",
       "eu", "2024-01-01"},
      {"{\"numRecords\":10,\"minValues\":{\"id\":10,\"only_f\":\"d\"},\"maxValues\":{\"id\":19,"
       "\"only_f\":\"f\"},\"nullCount\":{\"id\":0,\"only_f\":0}}",
       "eu", "2024-01-02"},
      {"{\"numRecords\":10,\"minValues\":{\"id\":20,\"only_f\":\"g\"},\"maxValues\":{\"id\":29,"
       "\"only_f\":\"k\"},\"nullCount\":{\"id\":0,\"only_f\":0}}",
       "us", "2024-01-02"},
      {"{\"numRecords\":10,\"minValues\":{\"id\":30},\"maxValues\":{\"id\":39},"
       "\"nullCount\":{\"id\":2,\"only_f\":10}}",
       NULL, "2024-01-03"},
  };
  (void)state;
  tree_fixtures_load(&fixtures, AP_SOURCE_DIR);
  for (int i = 0; i < F_CELLS; i++) {
    f_cells[i] = make_cell(f_rows[i].statistics, f_rows[i].region, f_rows[i].day);
  }
  g_cells[0] = make_cell(
      "{\"numRecords\":5,\"minValues\":{\"id\":0,\"only_g\":0},\"maxValues\":{\"id\":9,\"only_g\":"
      "4},\"nullCount\":{\"id\":0,\"only_g\":0}}",
      NULL, NULL);
  g_cells[1] = make_cell(
      "{\"numRecords\":5,\"minValues\":{\"id\":10,\"only_g\":5},\"maxValues\":{\"id\":19,"
      "\"only_g\":9},\"nullCount\":{\"id\":0,\"only_g\":0}}",
      NULL, NULL);
  return 0;
}

static int unload(void **state) {
  (void)state;
  for (int i = 0; i < F_CELLS; i++) ap_cell_release(f_cells[i]);
  for (int i = 0; i < G_CELLS; i++) ap_cell_release(g_cells[i]);
  tree_fixtures_free(&fixtures);
  return 0;
}

static struct ap_prune_frame f_frame(void) {
  return (struct ap_prune_frame){.schema = &f_schema,
                                 .schema_id = 1,
                                 .partition_columns = f_partitions,
                                 .partition_column_count = 2,
                                 .cells = f_cells,
                                 .cell_count = F_CELLS};
}

static struct ap_prune_frame g_frame(void) {
  return (struct ap_prune_frame){
      .schema = &g_schema, .schema_id = 2, .cells = g_cells, .cell_count = G_CELLS};
}

/* The kept cells of each reference, as "02 01"; "-" for none. */
static ap_status prune_sql(struct ap_allocator *allocator, const char *sql,
                           const struct ap_prune_parameters *parameters, struct ap_buffer *out,
                           ap_error *err) {
  struct ap_arena arena;
  struct ap_tree tree;
  struct ap_prune_result results[8];
  const struct ap_prune_frame f = f_frame();
  const struct ap_prune_frame g = g_frame();
  const struct ap_prune_frame *frames[8];
  ap_arena_init(&arena, allocator);
  ap_status status = ap_tree_parse(&arena, tree_fixture(&fixtures, sql), &tree, err);
  if (status != AP_OK) goto done;
  assert_true(tree.reference_count <= 8);
  for (uint32_t i = 0; i < tree.reference_count; i++) {
    frames[i] = ap_text_equal_string(tree.references[i].name, "f") ? &f : &g;
  }
  status = ap_prune(&arena, &tree, frames, parameters, results, err);
  for (uint32_t i = 0; status == AP_OK && i < tree.reference_count; i++) {
    if (i > 0) ap_buffer_append_string(out, " ");
    for (uint32_t k = 0; k < results[i].kept_count; k++) {
      ap_buffer_append_format(out, "%u", results[i].kept[k]);
    }
    if (results[i].kept_count == 0) ap_buffer_append_string(out, "-");
    assert_int_equal(
        results[i].kept_count + results[i].pruned_by_partition + results[i].pruned_by_statistics,
        frames[i]->cell_count);
  }
done:
  ap_arena_deinit(&arena);
  return status;
}

static void check_kept(const char *sql, const struct ap_prune_parameters *parameters,
                       const char *kept) {
  struct ap_buffer out;
  ap_error err = {0};
  ap_buffer_init(&out, ap_allocator_system());
  check_ok(prune_sql(ap_allocator_system(), sql, parameters, &out, &err), &err);
  if (!ap_text_equal_string(ap_buffer_text(&out), kept)) {
    fail_msg("%s\n  keeps %s, not %s", sql, out.data, kept);
  }
  ap_buffer_deinit(&out);
}

static const struct row {
  const char *sql;
  const char *kept;
} rows[] = {
    /* Whose column it is. */
    {"SELECT * FROM f WHERE id = 5", "0"},
    {"SELECT * FROM f WHERE 5 = f.id", "0"},
    {"SELECT * FROM f WHERE ID > 25", "23"},
    {"SELECT * FROM f AS x WHERE f.id = 5", "0123"},
    {"SELECT * FROM f AS x WHERE x.id = 5", "0"},
    {"SELECT * FROM b.f WHERE b.f.id = 5", "0"},
    {"SELECT * FROM h.b.f WHERE h.b.f.id = 5", "0"},
    {"SELECT * FROM h.b.f WHERE b.f.id = 5", "0"},
    {"SELECT * FROM f WHERE b.f.id = 5", "0123"},
    {"SELECT * FROM f WHERE s.id = 5", "0123"},
    {"SELECT * FROM f, g WHERE id = 5", "0123 01"},
    {"SELECT * FROM f, g WHERE f.id = 5 AND g.id = 15", "0 1"},
    {"SELECT * FROM f, g WHERE only_f = 'a' AND only_g = 1", "0 0"},
    {"SELECT * FROM f, (SELECT 1 AS other) q WHERE only_f = 'a'", "0"},
    {"SELECT * FROM f, (SELECT 1 AS other) q WHERE f.only_f = 'a'", "0"},
    {"SELECT * FROM f, (SELECT 1 AS other) f WHERE f.only_f = 'a'", "0123"},
    {"SELECT * FROM f, range(3) WHERE only_f = 'a'", "0123"},
    {"SELECT * FROM f AS x(k, l) WHERE k = 5", "0123"},
    {"SELECT * FROM f AS x(k, l), g WHERE only_g = 1", "0123 01"},
    {"SELECT * FROM f, LATERAL (SELECT * FROM g WHERE g.id = f.id AND g.id = 5) WHERE f.id = 15",
     "1 0"},
    {"SELECT * FROM f WHERE id = 5 AND (SELECT max(id) FROM f WHERE id = 15) > 0", "0 1"},
    {"SELECT * FROM f WHERE id IN (SELECT id FROM g WHERE only_g = 1)", "0123 0"},
    /* Joins. */
    {"SELECT * FROM f JOIN g USING (id) WHERE id = 5", "0123 01"},
    {"SELECT * FROM f JOIN g USING (id) WHERE f.id = 5", "0 01"},
    {"SELECT * FROM f NATURAL JOIN g WHERE id = 5", "0123 01"},
    {"SELECT * FROM f LEFT JOIN g ON f.id = g.id WHERE f.id = 5 AND g.id = 5", "0 0"},
    {"SELECT * FROM f RIGHT JOIN g ON f.id = g.id WHERE f.id = 5 AND g.id = 5", "0 0"},
    {"SELECT * FROM f FULL JOIN g ON f.id = g.id WHERE f.id = 5 AND g.id = 5", "0 0"},
    {"SELECT * FROM (f LEFT JOIN g ON f.id = g.id) JOIN f AS k ON g.id = k.id WHERE f.id = 5 AND "
     "g.id = 5 AND k.id = 5",
     "0 0 0"},
    {"SELECT * FROM f SEMI JOIN g ON f.id = g.id WHERE f.id = 5 AND g.id = 5", "0 01"},
    {"SELECT * FROM f ANTI JOIN g ON f.id = g.id WHERE f.id = 5 AND g.id = 5", "0 01"},
    {"SELECT * FROM f ASOF JOIN g ON f.id >= g.id WHERE f.id = 5 AND g.id = 5", "0 01"},
    {"SELECT * FROM f POSITIONAL JOIN g WHERE f.id = 5 AND g.id = 5", "0123 01"},
    {"SELECT * FROM f TABLESAMPLE 10% WHERE id = 5", "0123"},
    /* Conditions. */
    {"SELECT * FROM f WHERE id = 5 OR lower(only_f) = 'a'", "0123"},
    {"SELECT * FROM f WHERE id = 5 AND lower(only_f) = 'a'", "0"},
    {"SELECT * FROM f WHERE region = 'eu'", "01"},
    {"SELECT * FROM f WHERE region IS NULL", "3"},
    {"SELECT * FROM f WHERE region <> 'eu'", "2"},
    {"SELECT * FROM f WHERE NOT (region = 'eu' OR region IS NULL)", "2"},
    {"SELECT * FROM f WHERE region IS NOT DISTINCT FROM 'eu'", "01"},
    {"SELECT * FROM f WHERE region IN ('eu', NULL)", "01"},
    {"SELECT * FROM f WHERE region NOT IN ('eu', NULL)", "-"},
    {"SELECT * FROM f WHERE region LIKE 'e%' AND id < 10", "0"},
    {"SELECT * FROM f WHERE region COLLATE NOCASE = 'EU'", "0123"},
    {"SELECT * FROM f WHERE (id = 5) IS NOT TRUE", "0123"},
    {"SELECT * FROM f WHERE id::BIGINT = 5 AND id::VARCHAR = '5'", "0"},
    {"SELECT * FROM f WHERE id::BIGINT = 5", "0"},
    {"SELECT * FROM f WHERE id = '5'", "0"},
    {"SELECT * FROM f WHERE id = 'five'", "0123"},
    {"SELECT * FROM f WHERE only_f = 5", "0123"},
    {"SELECT * FROM f WHERE id = NULL", "-"},
    {"SELECT * FROM f WHERE false", "-"},
    {"SELECT * FROM f WHERE id BETWEEN 12 AND 18", "1"},
    {"SELECT * FROM f WHERE id NOT BETWEEN 2 AND 38", "03"},
    {"SELECT * FROM f WHERE region = 'eu' AND day = DATE '2024-01-02'", "1"},
    {"SELECT * FROM f WHERE day BETWEEN '2024-01-02' AND TIMESTAMP '2024-01-02 23:59:59'", "12"},
    {"SELECT * FROM f WHERE day = 'tomorrow'", "0123"},
    {"SELECT * FROM f WHERE region = 'eu' OR day > DATE '2024-01-02'", "013"},
    /* What ON says, and past the nullable side of a join. */
    {"SELECT * FROM f LEFT JOIN g ON f.id = g.id WHERE g.id IS NULL OR g.id = 5", "0123 01"},
    {"SELECT * FROM f LEFT JOIN g ON f.id = g.id AND g.id = 15 AND f.id = 5", "0123 1"},
    {"SELECT * FROM f RIGHT JOIN g ON f.id = g.id AND g.id = 15 AND f.id = 5", "0 01"},
    {"SELECT * FROM f FULL JOIN g ON f.id = g.id AND g.id = 15 AND f.id = 5", "0123 01"},
    {"SELECT * FROM f JOIN g ON f.id = g.id AND only_g = 1 AND only_f = 'a'", "0 0"},
    {"SELECT * FROM f SEMI JOIN g ON f.id = g.id AND g.id = 15 AND f.id = 5", "0 1"},
    {"SELECT * FROM f ANTI JOIN g ON f.id = g.id AND g.id = 15 AND f.id = 5", "0123 1"},
    {"SELECT * FROM (f LEFT JOIN g ON f.id = g.id) JOIN f AS k ON g.id = k.id AND g.id = 5",
     "0123 0 0123"},
    /* Through SELECTs in FROM. */
    {"SELECT * FROM (SELECT id, only_f AS o FROM f) WHERE id = 5", "0"},
    {"SELECT * FROM (SELECT id AS i, only_f AS o FROM f) AS q WHERE q.o = 'a'", "0"},
    {"SELECT * FROM (SELECT * FROM f) WHERE id = 5", "0"},
    {"SELECT * FROM (SELECT * FROM f LIMIT 3) WHERE id = 5", "0123"},
    {"SELECT * FROM (SELECT * FROM f USING SAMPLE 3) WHERE id = 5", "0123"},
    {"SELECT * FROM (SELECT DISTINCT id, region FROM f ORDER BY id) WHERE id = 5", "0"},
    {"SELECT * FROM (SELECT DISTINCT ON (region) id, region FROM f ORDER BY id) WHERE id = 5",
     "0123"},
    {"SELECT * FROM (SELECT id, count(*) AS n FROM f GROUP BY id) WHERE id = 5", "0"},
    {"SELECT * FROM (SELECT id, count(*) FROM f GROUP BY id HAVING count(*) > 1) WHERE id = 5",
     "0"},
    {"SELECT * FROM (SELECT id, region, count(*) AS n FROM f GROUP BY ROLLUP (id, region)) WHERE "
     "id = 5",
     "0123"},
    {"SELECT * FROM (SELECT id, row_number() OVER () AS n FROM f) WHERE id = 5", "0123"},
    {"SELECT * FROM (SELECT id + 1 AS id FROM f) WHERE id = 5", "0123"},
    {"SELECT * FROM (SELECT only_f AS id, id AS k FROM f) WHERE id = 'a'", "0"},
    {"SELECT * FROM (SELECT f.id, g.id FROM f, g) WHERE id = 5", "0123 01"},
    {"SELECT * FROM (SELECT id FROM f) AS q(k) WHERE k = 5", "0123"},
    {"SELECT * FROM (SELECT * FROM f UNION ALL SELECT * FROM f AS x WHERE id > 12) WHERE id < 25",
     "012 12"},
    {"SELECT * FROM (SELECT id FROM f UNION ALL SELECT only_g FROM g) WHERE id < 5", "0 0"},
    {"SELECT * FROM (SELECT id FROM f UNION ALL SELECT only_f FROM f AS x) WHERE id < '5'",
     "0123 0123"},
    {"SELECT * FROM (SELECT id FROM f EXCEPT SELECT id FROM g) WHERE id < 5", "0123 01"},
    {"WITH c AS (SELECT id, region FROM f) SELECT * FROM c WHERE id = 5", "0"},
    {"WITH c AS (SELECT id, region FROM f) SELECT * FROM c WHERE id = 5 AND EXISTS (SELECT 1 FROM "
     "c)",
     "0123"},
    {"WITH c AS (SELECT id, region FROM f), d AS (SELECT id AS i FROM c WHERE region = 'eu') "
     "SELECT * FROM d WHERE i > 5",
     "01"},
    {"WITH c AS (SELECT id FROM f), d AS (SELECT id AS i FROM c) SELECT * FROM d AS x, d AS y "
     "WHERE x.i = 5 AND y.i = 15",
     "0123"},
    {"WITH c(k) AS (SELECT id FROM f) SELECT * FROM c WHERE k = 5", "0123"},
    {"WITH c AS (SELECT id FROM f) SELECT * FROM g LEFT JOIN c ON c.id = g.id WHERE c.id = 5",
     "0 01"},
    {"WITH c AS (SELECT id FROM f) SELECT * FROM g LEFT JOIN c ON c.id = g.id WHERE c.id IS NULL",
     "0123 01"},
    /* Functions of a column. */
    {"SELECT * FROM f WHERE only_f LIKE 'e'", "1"},
    {"SELECT * FROM f WHERE only_f NOT LIKE 'e' AND id = 15", "1"},
    {"SELECT * FROM f WHERE left(only_f, 1) = 'e'", "1"},
    {"SELECT * FROM f WHERE substr(only_f, 1, 1) IN ('b', 'g')", "02"},
    {"SELECT * FROM f WHERE id + 1 > 30", "3"},
    {"SELECT * FROM f WHERE 10 - id > 5", "0"},
    {"SELECT * FROM f WHERE id * -2 < -60", "3"},
    {"SELECT * FROM f WHERE id - 5 BETWEEN 0 AND 3", "0"},
    {"SELECT * FROM f WHERE id::DOUBLE * 0.5 > 16", "3"},
    {"SELECT * FROM f WHERE day + 1 = DATE '2024-01-03'", "12"},
    {"SELECT * FROM f WHERE date_trunc('month', day) = DATE '2024-01-01'", "0123"},
    {"SELECT * FROM f WHERE date_trunc('day', day) = DATE '2024-01-02'", "12"},
    {"SELECT * FROM f WHERE year(day) = 2023", "-"},
    {"SELECT * FROM f WHERE extract(year FROM day) = 2024 AND day > '2024-01-02'", "3"},
    /* Constants that only the engine evaluates, which nobody asks here. */
    {"SELECT * FROM f WHERE day + INTERVAL 1 DAY > TIMESTAMP '2024-01-03 12:00:00'", "0123"},
    {"SELECT * FROM f WHERE day >= DATE '2024-01-04' - INTERVAL 1 DAY", "0123"},
    {"SELECT * FROM f WHERE id = 2 + 3", "0123"},
};

static void keeps_the_right_cells(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    check_kept(rows[i].sql, NULL, rows[i].kept);
  }
}

static void takes_parameters(void **state) {
  (void)state;
  struct ap_value value = {.kind = AP_VALUE_TEXT};
  const struct ap_prune_parameters parameters = {.values = &value, .count = 1};
  value.text = AP_TEXT("us");
  check_kept("SELECT * FROM f WHERE region = $1", &parameters, "2");
  value.text = AP_TEXT("15");
  check_kept("SELECT * FROM f WHERE id = $1", &parameters, "1");
  value = (struct ap_value){.kind = AP_VALUE_INTEGER};
  value.decimal = 15;
  check_kept("SELECT * FROM f WHERE id = ?", &parameters, "1");
  check_kept("SELECT * FROM f WHERE region = $1", &parameters, "0123");
  /* 14.6 may be cast to the column's type, or the column to the parameter's. */
  value = (struct ap_value){.kind = AP_VALUE_FLOAT};
  value.f64 = 14.6;
  check_kept("SELECT * FROM f WHERE id = $1", &parameters, "0123");
  value = (struct ap_value){.kind = AP_VALUE_NONE};
  check_kept("SELECT * FROM f WHERE id = $1", &parameters, "0123");
  check_kept("SELECT * FROM f WHERE id = $1", NULL, "0123");
}

/* A reference that is no frame: nothing is kept for it, and names beside it must be qualified. */
static void knows_not_what_is_no_frame(void **state) {
  (void)state;
  struct ap_arena arena;
  struct ap_tree tree;
  struct ap_prune_result results[2];
  const struct ap_prune_frame f = f_frame();
  const struct ap_prune_frame *frames[] = {&f, NULL};
  ap_error err = {0};
  ap_arena_init(&arena, ap_allocator_system());
  check_ok(
      ap_tree_parse(&arena,
                    tree_fixture(&fixtures, "SELECT * FROM f, g WHERE only_f = 'a' AND only_g = 1"),
                    &tree, &err),
      &err);
  check_ok(ap_prune(&arena, &tree, frames, NULL, results, &err), &err);
  assert_int_equal(results[0].kept_count, F_CELLS);
  assert_false(results[0].had_condition);
  assert_null(results[1].kept);
  ap_arena_deinit(&arena);
}

static void counts_what_pruned(void **state) {
  (void)state;
  struct ap_arena arena;
  struct ap_tree tree;
  struct ap_prune_result result;
  const struct ap_prune_frame f = f_frame();
  const struct ap_prune_frame *frames[] = {&f};
  ap_error err = {0};
  ap_arena_init(&arena, ap_allocator_system());
  struct ap_text json =
      tree_fixture(&fixtures, "SELECT * FROM f WHERE region LIKE 'e%' AND id < 10");
  check_ok(ap_tree_parse(&arena, json, &tree, &err), &err);
  check_ok(ap_prune(&arena, &tree, frames, NULL, &result, &err), &err);
  assert_true(result.had_condition);
  assert_int_equal(result.pruned_by_partition, 2);
  assert_int_equal(result.pruned_by_statistics, 1);
  ap_arena_deinit(&arena);
}

/* "0101": whether each cell matches; otherwise the error. */
static ap_status exact_sql(const char *sql, char out_matches[F_CELLS + 1], ap_error *err) {
  struct ap_arena arena;
  struct ap_tree tree;
  bool matches[F_CELLS];
  const struct ap_prune_frame f = f_frame();
  ap_arena_init(&arena, ap_allocator_system());
  ap_status status = ap_tree_parse(&arena, tree_fixture(&fixtures, sql), &tree, err);
  if (status == AP_OK) status = ap_prune_exact(&arena, &tree, &f, matches, err);
  for (int i = 0; status == AP_OK && i < F_CELLS; i++) out_matches[i] = matches[i] ? '1' : '0';
  out_matches[F_CELLS] = '\0';
  ap_arena_deinit(&arena);
  return status;
}

static void decides_partition_filters(void **state) {
  static const struct row exact[] = {
      {"SELECT * FROM f WHERE region = 'eu'", "1100"},
      {"SELECT * FROM f WHERE region IS NULL", "0001"},
      {"SELECT * FROM f WHERE region <> 'eu'", "0010"},
      {"SELECT * FROM f WHERE NOT (region = 'eu' OR region IS NULL)", "0010"},
      {"SELECT * FROM f WHERE region NOT IN ('eu', NULL)", "0000"},
      {"SELECT * FROM f WHERE region = 'eu' AND day = DATE '2024-01-02'", "0100"},
      {"SELECT * FROM f WHERE region = 'eu' OR day > DATE '2024-01-02'", "1101"},
      {"SELECT * FROM f WHERE day BETWEEN '2024-01-02' AND TIMESTAMP '2024-01-02 23:59:59'",
       "0110"},
      {"SELECT * FROM f WHERE false", "0000"},
  };
  static const struct row refused[] = {
      {"SELECT * FROM f WHERE region = 'eu' AND id = 5", "the column id"},
      {"SELECT * FROM f WHERE lower(region) = 'eu'", "the function lower"},
      {"SELECT * FROM f WHERE region LIKE '%u'", "a pattern"},
      {"SELECT * FROM f WHERE day = 'tomorrow'", "the expression COMPARE_EQUAL"},
      {"SELECT * FROM f WHERE s.id = 5", "the name id"},
      {"SELECT * FROM f WHERE region = $1", "the parameter 1"},
      {"SELECT * FROM f WHERE region = 'eu' AND id IN (SELECT id FROM g)", "one expression"},
  };
  (void)state;
  char matches[F_CELLS + 1];
  for (size_t i = 0; i < sizeof(exact) / sizeof(*exact); i++) {
    ap_error err = {0};
    check_ok(exact_sql(exact[i].sql, matches, &err), &err);
    assert_string_equal(matches, exact[i].kept);
  }
  for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
    ap_error err = {0};
    check_status(exact_sql(refused[i].sql, matches, &err), AP_UNSUPPORTED, &err);
    check_contains(err.message, refused[i].kept);
  }
}

/* What other writers leave in partition values decides nothing, and the error names the column. */
static void distrusts_unreadable_partition_values(void **state) {
  static const char *const texts[] = {"", "__HIVE_DEFAULT_PARTITION__", "yesterday"};
  (void)state;
  for (int i = 0; i < 3; i++) {
    struct ap_cell *before = f_cells[0];
    char matches[F_CELLS + 1];
    ap_error err = {0};
    f_cells[0] = make_cell("{}", "eu", texts[i]);
    check_kept("SELECT * FROM f WHERE region = 'eu' AND day = DATE '2024-01-02'", NULL, "01");
    check_status(
        exact_sql("SELECT * FROM f WHERE region = 'eu' AND day = DATE '2024-01-02'", matches, &err),
        AP_UNSUPPORTED, &err);
    check_contains(err.message, "partition column day");
    ap_cell_release(f_cells[0]);
    f_cells[0] = before;
  }
}

static ap_status prune_body(void *context, struct ap_allocator *allocator, ap_error *err) {
  struct ap_buffer out;
  ap_buffer_init(&out, ap_allocator_system());
  ap_status status = prune_sql(allocator, context, NULL, &out, err);
  ap_buffer_deinit(&out);
  return status;
}

static void survives_without_memory(void **state) {
  (void)state;
  char sql[] = "SELECT * FROM f WHERE region NOT IN ('eu', NULL)";
  char joined[] = "SELECT * FROM f, g WHERE only_f = 'a' AND only_g = 1";
  assert_true(ap_sweep_memory(prune_body, sql) > 1);
  assert_true(ap_sweep_memory(prune_body, joined) > 1);
}

/* 10,000 cells, of which the partition leaves 100 to their statistics. The limit is generous for
 * sanitizers and slow machines; a plain build takes about a millisecond. */
static void prunes_ten_thousand_cells_fast(void **state) {
  enum { MANY = 10000, LIMIT_MS = 100 };
  (void)state;
  struct ap_arena arena;
  struct ap_tree tree;
  struct ap_prune_result result;
  ap_error err = {0};
  struct ap_cell **cells = ap_allocate(ap_allocator_system(), MANY * sizeof(*cells));
  for (int i = 0; i < MANY; i++) {
    char statistics[256];
    (void)snprintf(statistics, sizeof(statistics),
                   "{\"numRecords\":10,\"minValues\":{\"id\":%d,\"only_f\":\"a\"},\"maxValues\":"
                   "{\"id\":%d,\"only_f\":\"z\"},\"nullCount\":{\"id\":0,\"only_f\":0}}",
                   i * 10, i * 10 + 9);
    cells[i] = make_cell(statistics, i % 100 == 0 ? "eu" : "us", "2024-01-01");
  }
  struct ap_prune_frame frame = f_frame();
  frame.cells = cells;
  frame.cell_count = MANY;
  const struct ap_prune_frame *frames[] = {&frame};
  ap_arena_init(&arena, ap_allocator_system());
  struct ap_text json = tree_fixture(&fixtures, "SELECT * FROM f WHERE region = 'eu' AND id = 5");
  struct timespec start;
  struct timespec end;
  (void)clock_gettime(CLOCK_MONOTONIC, &start);
  check_ok(ap_tree_parse(&arena, json, &tree, &err), &err);
  check_ok(ap_prune(&arena, &tree, frames, NULL, &result, &err), &err);
  (void)clock_gettime(CLOCK_MONOTONIC, &end);
  double ms =
      (double)(end.tv_sec - start.tv_sec) * 1e3 + (double)(end.tv_nsec - start.tv_nsec) / 1e6;
  print_message("10,000 cells pruned in %.2f ms\n", ms);
  assert_int_equal(result.kept_count, 1);
  assert_int_equal(result.pruned_by_partition, MANY - 100);
  assert_int_equal(result.pruned_by_statistics, 99);
  assert_true(ms < LIMIT_MS);
  /* Statistics are parsed only of cells that the partition left in question. */
  assert_null(atomic_load(&cells[1]->statistics));
  assert_non_null(atomic_load(&cells[100]->statistics));
  for (int i = 0; i < MANY; i++) ap_cell_release(cells[i]);
  ap_free(ap_allocator_system(), cells);
  ap_arena_deinit(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(keeps_the_right_cells),
      cmocka_unit_test(takes_parameters),
      cmocka_unit_test(knows_not_what_is_no_frame),
      cmocka_unit_test(counts_what_pruned),
      cmocka_unit_test(decides_partition_filters),
      cmocka_unit_test(distrusts_unreadable_partition_values),
      cmocka_unit_test(survives_without_memory),
      cmocka_unit_test(prunes_ten_thousand_cells_fast),
  };
  return cmocka_run_group_tests(tests, load, unload);
}
