/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: of real queries (TPC-H) every table is found and nothing else, and a tree written with
 * other names is the query over these names.
 * Method: the engine parses the 22 texts that come with it; the tables found are compared with a
 * list written by hand and with the engine's own; the renamed tree goes back through the engine.
 */
#include "plan/tree.h"

#include "base/limits.h"
#include "engine/engine.h"
#include "port/env.h"
#include "testing/check.h"

#include <stdlib.h>
#include <unistd.h>

/* Of each query: c(ustomer), l(ineitem), n(ation), o(rders), p(art), P(artsupp), r(egion),
 * s(upplier); each once. */
static const char *const tables_of_query[22] = {
    "l",  "Pnprs", "clo", "lo", "clnors", "l",  "clnos", "clnoprs", "Plnops", "clno", "Pns",
    "lo", "co",    "lp",  "ls", "Pps",    "lp", "clo",   "lp",      "Plnps",  "lnos", "co",
};

static const struct {
  const char *name;
  char letter;
} tables[] = {
    {"customer", 'c'}, {"lineitem", 'l'}, {"nation", 'n'}, {"orders", 'o'},
    {"part", 'p'},     {"partsupp", 'P'}, {"region", 'r'}, {"supplier", 's'},
};

enum { TABLES = sizeof(tables) / sizeof(*tables) };

struct bench {
  char scratch[64];
  struct ap_engine *engine;
  struct ap_chamber *chamber;
};

static int open_engine(void **state) {
  static struct bench bench;
  ap_error err = {0};
  strncpy(bench.scratch, "/tmp/ap-tpch-XXXXXX", sizeof(bench.scratch) - 1);
  if (!mkdtemp(bench.scratch)) return -1;
  const struct ap_engine_options options = {
      .chambers_max = 1, .bees = 1, .memory_bytes = 256 * AP_MIB, .scratch_folder = bench.scratch};
  check_ok(ap_engine_create(ap_env_system(), &options, &bench.engine, &err), &err);
  check_ok(ap_chamber_acquire(bench.engine, 10000, &bench.chamber, &err), &err);
  *state = &bench;
  return 0;
}

static int close_engine(void **state) {
  struct bench *bench = *state;
  ap_error err = {0};
  ap_chamber_release(bench->chamber);
  ap_engine_destroy(bench->engine);
  check_ok(ap_files_remove_tree(ap_env_system()->files, bench->scratch, &err), &err);
  return 0;
}

/* The engine's list says "nation AS n1". */
static bool names_table(struct ap_text name, const char *table) {
  struct ap_text wanted = ap_text_of(table);
  if (!ap_text_starts_with(name, wanted)) return false;
  struct ap_text rest = {name.data + wanted.size, name.size - wanted.size};
  return rest.size == 0 || ap_text_starts_with(rest, AP_TEXT(" AS "));
}

/* The letters of the tables named, in the order of the table above; '?' for any other. */
static void letters_of(const struct ap_text *names, uint32_t count, char out[TABLES + 2]) {
  size_t used = 0;
  for (uint32_t k = 0; k < count; k++) {
    bool known = false;
    for (int i = 0; i < TABLES; i++) known = known || names_table(names[k], tables[i].name);
    if (!known) out[used++] = '?';
    if (!known) break;
  }
  static const char order[] = "Pclnoprs";
  for (const char *letter = order; *letter; letter++) {
    for (int i = 0; i < TABLES; i++) {
      bool found = false;
      for (uint32_t k = 0; k < count; k++) {
        found = found || names_table(names[k], tables[i].name);
      }
      if (found && tables[i].letter == *letter) out[used++] = *letter;
    }
  }
  out[used] = '\0';
}

static void check_query(struct bench *bench, struct ap_arena *arena, struct ap_text sql,
                        const char *wanted) {
  struct ap_buffer json;
  struct ap_buffer renamed_sql;
  struct ap_tree tree;
  ap_error err = {0};
  char letters[TABLES + 2];
  ap_buffer_init(&json, ap_allocator_system());
  ap_buffer_init(&renamed_sql, ap_allocator_system());
  check_ok(ap_chamber_parse(bench->chamber, sql, &json, &err), &err);
  check_ok(ap_tree_parse(arena, ap_buffer_text(&json), &tree, &err), &err);
  struct ap_text *names = AP_ARENA_ARRAY(arena, struct ap_text, tree.reference_count + 1);
  struct ap_reference_rename *renames =
      AP_ARENA_ARRAY(arena, struct ap_reference_rename, tree.reference_count + 1);
  for (uint32_t i = 0; i < tree.reference_count; i++) {
    names[i] = tree.references[i].name;
    renames[i] = (struct ap_reference_rename){
        .catalog = AP_TEXT("h"), .schema = AP_TEXT("b"), .name = AP_TEXT("renamed")};
  }
  letters_of(names, tree.reference_count, letters);
  assert_string_equal(letters, wanted);

  struct ap_text *binder_names = NULL;
  uint32_t binder_count = 0;
  check_ok(ap_chamber_table_names(bench->chamber, sql, arena, &binder_names, &binder_count, &err),
           &err);
  letters_of(binder_names, binder_count, letters);
  assert_string_equal(letters, wanted);

  ap_buffer_clear(&json);
  ap_tree_write_renamed(&json, &tree, renames);
  check_ok(ap_chamber_unparse(bench->chamber, ap_buffer_text(&json), &renamed_sql, &err), &err);
  struct ap_tree again;
  uint32_t count = tree.reference_count;
  ap_buffer_clear(&json);
  check_ok(ap_chamber_parse(bench->chamber, ap_buffer_text(&renamed_sql), &json, &err), &err);
  check_ok(ap_tree_parse(arena, ap_buffer_text(&json), &again, &err), &err);
  assert_int_equal(again.reference_count, count);
  for (uint32_t i = 0; i < count; i++) check_text(again.references[i].name, "renamed");
  ap_buffer_deinit(&json);
  ap_buffer_deinit(&renamed_sql);
}

static void finds_the_tables_of_every_query(void **state) {
  struct ap_files *files = ap_env_system()->files;
  for (int query = 1; query <= 22; query++) {
    struct ap_arena arena;
    struct ap_buffer sql;
    ap_error err = {0};
    ap_arena_init(&arena, ap_allocator_system());
    ap_buffer_init(&sql, ap_allocator_system());
    const char *path =
        ap_arena_format(&arena, AP_SOURCE_DIR "/build/deps/duckdb/tpch-queries/q%02d.sql", query);
    check_ok(files->read(files, path, 0, AP_STATEMENT_BYTES_MAX, &sql, &err), &err);
    check_query(*state, &arena, ap_buffer_text(&sql), tables_of_query[query - 1]);
    ap_buffer_deinit(&sql);
    ap_arena_deinit(&arena);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(finds_the_tables_of_every_query),
  };
  return cmocka_run_group_tests(tests, open_engine, close_engine);
}
