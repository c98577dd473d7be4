/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the engine's statement tree: refused, or read, written with other names, read again
 * with these names; and its conditions tried on a few cells, where whatever they say must keep the
 * cells that are in question and count up.
 */
#include "fuzz/fuzz.h"

#include "base/assert.h"
#include "plan/prune.h"

enum { CELLS = 3 };

static const struct ap_field fields[] = {
    {.name = {"id", 2}, .type = {.kind = AP_TYPE_INT32}, .nullable = true},
    {.name = {"region", 6}, .type = {.kind = AP_TYPE_STRING}, .nullable = true},
    {.name = {"a", 1}, .type = {.kind = AP_TYPE_FLOAT64}, .nullable = true},
    {.name = {"day", 3}, .type = {.kind = AP_TYPE_DATE}, .nullable = true},
};
static const struct ap_schema schema = {4, fields};
static const uint32_t partition_columns[] = {1};

static void make_cells(struct ap_cell *cells[CELLS]) {
  static const char *const statistics[CELLS] = {
      "{\"numRecords\":3,\"minValues\":{\"id\":1,\"a\":0.5,\"day\":\"2024-01-01\"},\"maxValues\":"
      "{\"id\":9,\"a\":1.5,\"day\":\"2024-01-31\"},\"nullCount\":{\"id\":0,\"a\":1,\"day\":0}}",
      "{\"numRecords\":2,\"nullCount\":{\"id\":2,\"a\":0}}",
      "",
  };
  for (int i = 0; i < CELLS; i++) {
    struct ap_partition_value region = {.text = AP_TEXT("eu"), .is_null = i == 1};
    struct ap_cell_parts parts = {
        .path = AP_TEXT("x.parquet"),
        .partition_count = 1,
        .partition_values = &region,
        .statistics_json = ap_text_of(statistics[i]),
    };
    AP_ASSERT(ap_cell_create(ap_allocator_system(), &parts, &cells[i], NULL) == AP_OK);
  }
}

static void try_pruning(struct ap_arena *arena, const struct ap_tree *tree) {
  struct ap_cell *cells[CELLS];
  make_cells(cells);
  const struct ap_prune_frame frame = {.schema = &schema,
                                       .schema_id = 1,
                                       .partition_columns = partition_columns,
                                       .partition_column_count = 1,
                                       .cells = cells,
                                       .cell_count = CELLS};
  uint32_t count = tree->reference_count;
  const struct ap_prune_frame **frames =
      AP_ARENA_ARRAY(arena, const struct ap_prune_frame *, count + 1);
  struct ap_prune_result *results = AP_ARENA_ARRAY(arena, struct ap_prune_result, count + 1);
  bool matches[CELLS];
  AP_ASSERT(frames && results);
  for (uint32_t i = 0; i < count; i++) frames[i] = &frame;
  AP_ASSERT(ap_prune(arena, tree, frames, NULL, results, NULL) == AP_OK);
  for (uint32_t i = 0; i < count; i++) {
    AP_ASSERT(results[i].kept_count + results[i].pruned_by_partition +
                  results[i].pruned_by_statistics ==
              CELLS);
  }
  ap_status status = ap_prune_exact(arena, tree, &frame, matches, NULL);
  AP_ASSERT(status == AP_OK || status == AP_UNSUPPORTED);
  for (int i = 0; i < CELLS; i++) ap_cell_release(cells[i]);
}

static void rename_all(struct ap_arena *arena, const struct ap_tree *tree) {
  struct ap_buffer json;
  struct ap_tree again;
  uint32_t count = tree->reference_count;
  struct ap_reference_rename *renames =
      AP_ARENA_ARRAY(arena, struct ap_reference_rename, count + 1);
  AP_ASSERT(renames);
  for (uint32_t i = 0; i < count; i++) {
    /* A qualified name, so that no WITH clause answers it. */
    renames[i] = (struct ap_reference_rename){
        .catalog = AP_TEXT("h"), .schema = AP_TEXT("b"), .name = AP_TEXT("f \"1\"")};
  }
  ap_buffer_init(&json, ap_allocator_system());
  ap_tree_write_renamed(&json, tree, renames);
  AP_ASSERT(ap_buffer_check(&json, NULL) == AP_OK);
  AP_ASSERT(ap_tree_parse(arena, ap_buffer_text(&json), &again, NULL) == AP_OK);
  AP_ASSERT(again.reference_count == count);
  ap_buffer_deinit(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ap_arena arena;
  struct ap_tree tree;
  ap_error err = {0};
  ap_arena_init(&arena, ap_allocator_system());
  ap_status status = ap_tree_parse(&arena, (struct ap_text){(const char *)data, size}, &tree, &err);
  AP_ASSERT(status == AP_OK || err.message[0] != '\0');
  if (status == AP_OK) {
    try_pruning(&arena, &tree);
    rename_all(&arena, &tree);
  }
  ap_arena_deinit(&arena);
  return 0;
}
