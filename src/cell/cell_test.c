/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: a cell keeps its own copy of everything, knows whether we wrote it, and lives as long as
 * somebody holds it.
 * Method: parts that are overwritten after creation; hostile tags; lack of memory at every
 * allocation.
 */
#include "cell/cell.h"

#include "testing/alloc.h"
#include "testing/check.h"

static void test_copies_everything(void **state) {
  (void)state;
  char path[] = "region=eu/part-1.parquet";
  char statistics[] = "{\"numRecords\":1}";
  char tags[] = "{\"a\":\"b\"}";
  char action[] = "{\"path\":\"x\"}";
  char vector[] = "ab^-aqEH.-t@S}K{vb[*k^";
  char value[] = "eu";
  struct ap_partition_value values[] = {{ap_text_of(value), false}, {{0}, true}};
  struct ap_cell_parts parts = {
      .path = ap_text_of(path),
      .size_bytes = 100,
      .modified_ms = 200,
      .partition_count = 2,
      .partition_values = values,
      .statistics_json = ap_text_of(statistics),
      .tags_json = ap_text_of(tags),
      .action_json = ap_text_of(action),
      .deletion_vector = {.storage_type = 'u',
                          .path_or_inline = ap_text_of(vector),
                          .offset = 4,
                          .size_bytes = 40,
                          .cardinality = 6},
  };
  struct ap_cell *cell;
  check_ok(ap_cell_create(ap_allocator_system(), &parts, &cell, NULL), NULL);
  path[0] = statistics[0] = tags[0] = action[0] = vector[0] = value[0] = '!';
  values[0].is_null = true;
  check_text(cell->path, "region=eu/part-1.parquet");
  check_text(cell->statistics_json, "{\"numRecords\":1}");
  check_text(cell->tags_json, "{\"a\":\"b\"}");
  check_text(cell->action_json, "{\"path\":\"x\"}");
  check_text(cell->deletion_vector.path_or_inline, "ab^-aqEH.-t@S}K{vb[*k^");
  check_text(cell->partition_values[0].text, "eu");
  assert_int_equal(cell->path.data[cell->path.size], '\0');
  assert_false(cell->partition_values[0].is_null);
  assert_true(cell->partition_values[1].is_null);
  assert_int_equal(cell->partition_count, 2);
  assert_int_equal(cell->size_bytes, 100);
  assert_int_equal(cell->modified_ms, 200);
  assert_int_equal(cell->deletion_vector.cardinality, 6);
  assert_int_equal(cell->deletion_vector.storage_type, 'u');
  assert_false(cell->own);
  ap_cell_release(cell);
}

static void check_tags(const char *tags, bool own, uint64_t physical_schema_id) {
  struct ap_cell_parts parts = {.path = AP_TEXT("p"), .tags_json = ap_text_of(tags)};
  struct ap_cell *cell;
  check_ok(ap_cell_create(ap_allocator_system(), &parts, &cell, NULL), NULL);
  if (cell->own != own) fail_msg("tags '%s': own is %d", tags, cell->own);
  assert_true(cell->physical_schema_id == physical_schema_id);
  ap_cell_release(cell);
}

static void test_tags(void **state) {
  (void)state;
  check_tags("{\"apiary.schema\":\"0123456789abcdef\"}", true, 0x0123456789abcdefu);
  check_tags("{\"x\":\"y\",\"apiary.schema\":\"ffffffffffffffff\"}", true, UINT64_MAX);
  check_tags("", false, 0);
  check_tags("{}", false, 0);
  check_tags("{\"apiary.schema\":\"0123456789ABCDEF\"}", false, 0);
  check_tags("{\"apiary.schema\":\"0123456789abcde\"}", false, 0);
  check_tags("{\"apiary.schema\":\"0123456789abcdef0\"}", false, 0);
  check_tags("{\"apiary.schema\":5}", false, 0);
  check_tags("{\"other\":\"apiary.schema\"}", false, 0);
  check_tags("{\"apiary.schema\":", false, 0);
  check_tags("\"apiary.schema\"", false, 0);
  check_tags("[\"apiary.schema\"]", false, 0);
  check_tags("aaaaaaaaaaaaapiary.schem", false, 0);
}

static void test_counting(void **state) {
  (void)state;
  struct ap_counting_allocator counter;
  ap_counting_allocator_init(&counter);
  struct ap_cell_parts parts = {.path = AP_TEXT("p")};
  struct ap_cell *cell;
  check_ok(ap_cell_create(&counter.base, &parts, &cell, NULL), NULL);
  assert_ptr_equal(ap_cell_retain(cell), cell);
  ap_cell_release(cell);
  check_text(cell->path, "p");
  assert_int_equal(atomic_load(&counter.live_blocks), 1);
  ap_cell_release(cell);
  ap_cell_release(NULL);
  assert_int_equal(atomic_load(&counter.live_blocks), 0);
}

static ap_status create_one(void *context, struct ap_allocator *allocator, ap_error *err) {
  (void)context;
  struct ap_partition_value value = {AP_TEXT("eu"), false};
  struct ap_cell_parts parts = {
      .path = AP_TEXT("p"),
      .partition_count = 1,
      .partition_values = &value,
      .tags_json = AP_TEXT("{\"apiary.schema\":\"0123456789abcdef\"}"),
  };
  struct ap_cell *cell;
  AP_TRY(ap_cell_create(allocator, &parts, &cell, err));
  assert_true(cell->own);
  ap_cell_release(cell);
  return AP_OK;
}

static void test_out_of_memory(void **state) {
  (void)state;
  assert_true(ap_sweep_memory(create_one, NULL) >= 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_copies_everything),
      cmocka_unit_test(test_tags),
      cmocka_unit_test(test_counting),
      cmocka_unit_test(test_out_of_memory),
  };
  return AP_RUN_TESTS(tests);
}
