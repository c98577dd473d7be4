/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's trees of tests/data/trees/statements.sql, made by make.py
 * there. A test asks for a tree by the statement's text.
 */
#ifndef AP_TESTING_TREE_FIXTURE_H
#define AP_TESTING_TREE_FIXTURE_H

#include "base/json.h"
#include "base/limits.h"
#include "port/env.h"
#include "testing/check.h"

struct tree_fixtures {
  struct ap_arena arena;
  const struct ap_json *records[256]; /* {"sql": .., "tables": [..] | null, "tree": ".."} */
  size_t count;
};

/* source_dir: AP_SOURCE_DIR. */
static inline void tree_fixtures_load(struct tree_fixtures *fixtures, const char *source_dir) {
  ap_arena_init(&fixtures->arena, ap_allocator_system());
  fixtures->count = 0;
  struct ap_files *files = ap_files_system();
  struct ap_buffer lines;
  const char *path =
      ap_arena_format(&fixtures->arena, "%s/tests/data/trees/trees.jsonl", source_dir);
  ap_error err = {0};
  ap_buffer_init(&lines, ap_allocator_system());
  check_ok(files->read(files, path, 0, AP_STATEMENT_BYTES_MAX, &lines, &err), &err);
  size_t start = 0;
  for (size_t i = 0; i < lines.size; i++) {
    if (lines.data[i] != '\n') continue;
    struct ap_text line = {lines.data + start, i - start};
    assert_true(fixtures->count < 256);
    check_ok(ap_json_parse(&fixtures->arena, line, &fixtures->records[fixtures->count++], &err),
             &err);
    start = i + 1;
  }
  ap_buffer_deinit(&lines);
}

static inline void tree_fixtures_free(struct tree_fixtures *fixtures) {
  ap_arena_deinit(&fixtures->arena);
}

static inline const struct ap_json *tree_fixture_record(const struct tree_fixtures *fixtures,
                                                        const char *sql) {
  for (size_t i = 0; i < fixtures->count; i++) {
    if (ap_text_equal_string(ap_json_find(fixtures->records[i], "sql")->text, sql)) {
      return fixtures->records[i];
    }
  }
  fail_msg("no tree of: %s\nAdd it to tests/data/trees/statements.sql and run make.py there.", sql);
  return NULL;
}

static inline struct ap_text tree_fixture(const struct tree_fixtures *fixtures, const char *sql) {
  return ap_json_find(tree_fixture_record(fixtures, sql), "tree")->text;
}

#endif
