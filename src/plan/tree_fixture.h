/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of plan alone: the engine's trees of tests/data/trees/statements.sql, made by make.py
 * there. A test asks for a tree by the statement's text.
 */
#ifndef AP_PLAN_TREE_FIXTURE_H
#define AP_PLAN_TREE_FIXTURE_H

#include "base/json.h"
#include "base/limits.h"
#include "testing/check.h"

#include <stdio.h>

struct tree_fixtures {
  struct ap_arena arena;
  const struct ap_json *records[256]; /* {"sql": .., "tables": [..] | null, "tree": ".."} */
  size_t count;
};

static inline void tree_fixtures_load(struct tree_fixtures *fixtures) {
  ap_arena_init(&fixtures->arena, ap_allocator_system());
  fixtures->count = 0;
  FILE *file = fopen(AP_SOURCE_DIR "/tests/data/trees/trees.jsonl", "r");
  if (!file) fail_msg("cannot open tests/data/trees/trees.jsonl");
  struct ap_buffer line;
  ap_buffer_init(&line, ap_allocator_system());
  for (int byte = getc(file); byte != EOF; byte = getc(file)) {
    char as_char = (char)byte;
    if (byte != '\n') {
      ap_buffer_append(&line, &as_char, 1);
      continue;
    }
    ap_error err = {0};
    assert_true(fixtures->count < 256);
    check_ok(ap_json_parse(&fixtures->arena, ap_buffer_text(&line),
                           &fixtures->records[fixtures->count++], &err),
             &err);
    ap_buffer_clear(&line);
  }
  fclose(file);
  ap_buffer_deinit(&line);
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
