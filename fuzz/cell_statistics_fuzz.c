/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a cell's statistics, tags, path and texts of values: bounds that are found are in
 * order and read back from their own text; nothing is an error but lack of memory.
 */
#include "fuzz/fuzz.h"

#include "base/assert.h"
#include "cell/draft.h"

static const char *const column_names[] = {
    "null", "b",   "i8", "i16", "i32", "i64", "u8", "u16", "u32",  "u64",    "f16", "f32",
    "f64",  "dec", "s",  "bin", "d",   "t",   "ts", "tz",  "list", "struct", "map"};

enum { COLUMNS = sizeof(column_names) / sizeof(column_names[0]) };

static void make_fields(struct ap_field fields[COLUMNS]) {
  for (int i = 0; i < COLUMNS; i++) {
    fields[i] = (struct ap_field){.name = ap_text_of(column_names[i]),
                                  .type = {.kind = (enum ap_type_kind)i}};
    fields[i].type.precision = 38;
    fields[i].type.scale = 10;
  }
}

static void check_value(const struct ap_value *value, const struct ap_type *type) {
  if (value->kind == AP_VALUE_NONE) return;
  struct ap_buffer text;
  struct ap_value again;
  int order;
  ap_buffer_init(&text, ap_allocator_system());
  ap_value_append_text(&text, value);
  /* A bound that was widened may leave its type's range, but nothing else. */
  if (ap_value_parse(ap_buffer_text(&text), type, &again)) {
    AP_ASSERT(ap_value_compare(value, &again, &order) && order == 0);
    AP_ASSERT(!ap_value_surely_less(value, &again) && !ap_value_surely_less(&again, value));
  } else {
    AP_ASSERT(value->kind != AP_VALUE_TEXT && value->kind != AP_VALUE_BOOLEAN);
  }
  ap_buffer_deinit(&text);
}

static void as_statistics(struct ap_text bytes, bool own) {
  struct ap_field fields[COLUMNS];
  struct ap_schema schema = {COLUMNS, fields};
  struct ap_cell_parts parts = {.path = bytes, .statistics_json = bytes, .tags_json = bytes};
  const struct ap_cell_statistics *statistics;
  struct ap_cell *cell;
  struct ap_arena arena;
  make_fields(fields);
  ap_arena_init(&arena, ap_allocator_system());
  ap_status status = ap_cell_create(ap_allocator_system(), &parts, &cell, NULL);
  AP_ASSERT(status == AP_OK);
  cell->own = own;
  status = ap_cell_statistics_get(cell, &arena, &schema, 1, NULL, &statistics, NULL);
  AP_ASSERT(status == AP_OK && statistics->column_count == COLUMNS);
  AP_ASSERT(statistics->row_count >= -1);
  for (uint32_t i = 0; i < COLUMNS; i++) {
    const struct ap_column_statistics *column = &statistics->columns[i];
    AP_ASSERT(!ap_value_surely_less(&column->max, &column->min));
    AP_ASSERT(column->null_count >= -1);
    AP_ASSERT(statistics->row_count < 0 || column->null_count <= statistics->row_count);
    check_value(&column->min, &fields[i].type);
    check_value(&column->max, &fields[i].type);
  }
  ap_arena_deinit(&arena);
  ap_cell_release(cell);
}

/* The bytes as the value of every type, and as statistics that we write of it. */
static void as_values(struct ap_text bytes) {
  struct ap_field fields[COLUMNS];
  struct ap_statistics_text columns[COLUMNS];
  struct ap_schema schema = {COLUMNS, fields};
  struct ap_value value;
  struct ap_buffer json;
  make_fields(fields);
  for (int i = 0; i < COLUMNS; i++) {
    columns[i] = (struct ap_statistics_text){.min = bytes, .max = bytes, .null_count = 0};
    if (ap_value_parse(bytes, &fields[i].type, &value)) check_value(&value, &fields[i].type);
  }
  ap_buffer_init(&json, ap_allocator_system());
  ap_statistics_append(&json, &schema, 1, columns);
  struct ap_arena arena;
  const struct ap_json *parsed;
  ap_arena_init(&arena, ap_allocator_system());
  ap_status status = ap_json_parse(&arena, ap_buffer_text(&json), &parsed, NULL);
  AP_ASSERT(status == AP_OK);
  ap_arena_deinit(&arena);
  ap_buffer_deinit(&json);
}

static void as_path(struct ap_text bytes) {
  struct ap_buffer escaped;
  struct ap_buffer plain;
  ap_buffer_init(&escaped, ap_allocator_system());
  ap_buffer_init(&plain, ap_allocator_system());
  (void)ap_uri_unescape_append(&plain, bytes);
  ap_buffer_clear(&plain);
  ap_uri_escape_append(&escaped, bytes);
  bool valid = ap_uri_unescape_append(&plain, ap_buffer_text(&escaped));
  AP_ASSERT(valid && ap_text_equal(ap_buffer_text(&plain), bytes));
  ap_buffer_clear(&escaped);
  struct ap_partition_value value = {bytes, false};
  ap_partition_path_append(&escaped, &bytes, &value, 1);
  AP_ASSERT(escaped.size <= 256);
  ap_buffer_deinit(&escaped);
  ap_buffer_deinit(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ap_text bytes = {(const char *)data, size};
  as_statistics(bytes, true);
  as_statistics(bytes, false);
  as_values(bytes);
  as_path(bytes);
  return 0;
}
