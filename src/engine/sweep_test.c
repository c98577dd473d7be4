/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: running out of memory anywhere in the engine's own part is an error that says so and leaves
 * no block and no file.
 * Method: the sweep of testing/alloc.h over all that an engine does; every allocation fails once.
 */
#include "testing/engine_bed.h"

#include "testing/alloc.h"

#define COUNT(array) (uint32_t)(sizeof(array) / sizeof((array)[0]))

static const char *const columns[][2] = {
    {"p", "string"}, {"v", "int64"}, {"st", "struct<a: int32, t: time>"}};
static const char *const stored[][2] = {
    {"p", "string"}, {"v", "int64"}, {"st", "struct<a: int32, t: int64>"}};
static const char rows[] =
    "SELECT 'x' p, i v, {'a': i::INTEGER, 't': TIME '01:00:00'} st "
    "FROM range(3) t(i)";

struct world {
  struct bed bed; /* of the world in which nothing fails */
  struct bed_frame frame;
  struct ap_env env;
  struct ap_engine *engine;
  struct ap_arena arena;
};

static ap_status open_engine(struct world *world, struct ap_allocator *allocator, ap_error *err) {
  world->env = *ap_env_system();
  world->env.allocator = allocator;
  const struct ap_engine_options options = {.chambers_max = 1,
                                            .bees = 1,
                                            .memory_bytes = 256 * AP_MIB,
                                            .scratch_folder = world->bed.scratch};
  return ap_engine_create(&world->env, &options, &world->engine, err);
}

static ap_status write_cells(struct world *world, ap_error *err) {
  struct ap_chamber *chamber = NULL;
  AP_TRY(ap_chamber_acquire(world->engine, 1000, &chamber, err));
  struct ArrowArrayStream stream = bed_stream(&world->bed, rows);
  const struct ap_cell_source source = {.stream = &stream};
  const struct ap_cell_target target = {.frame = AP_TEXT("w.s.orders"),
                                        .schema = &world->frame.schema,
                                        .physical = &world->frame.physical,
                                        .partition_columns = world->frame.partition_columns,
                                        .partition_column_count = 1,
                                        .staging_folder = world->bed.staging,
                                        .target_bytes = AP_MIB};
  struct ap_cell_draft *drafts = NULL;
  uint32_t count = 0;
  ap_status status =
      ap_chamber_write_cells(chamber, &source, &target, NULL, &world->arena, &drafts, &count, err);
  for (uint32_t i = 0; i < count; i++) unlink(drafts[i].staged_path.data);
  ap_chamber_release(chamber);
  return status;
}

static ap_status bind_and_ask(struct world *world, ap_error *err) {
  struct ap_chamber *chamber = NULL;
  AP_TRY(ap_chamber_acquire(world->engine, 1000, &chamber, err));
  struct ap_frame_binding binding = bed_binding(&world->frame);
  ap_status status = ap_chamber_bind_frame(chamber, &binding, err);
  if (status == AP_OK) status = ap_chamber_use(chamber, binding.hive, binding.box, err);
  if (status != AP_OK) {
    ap_chamber_release(chamber);
    return status;
  }
  struct ArrowArrayStream stream;
  const struct ap_parameter parameter = {.kind = AP_PARAMETER_INTEGER, .i64 = 1};
  AP_TRY(ap_chamber_query(chamber, AP_TEXT("SELECT count(*), max(st.t) FROM orders WHERE v >= $1"),
                          &parameter, 1, NULL, &stream, err));
  struct ArrowArray array = {0};
  status = ap_stream_next(&stream, &array, err);
  ap_array_release(&array);
  ap_stream_release(&stream);
  return status;
}

static ap_status write_bind_ask(void *context, struct ap_allocator *allocator, ap_error *err) {
  struct world *world = context;
  ap_arena_init(&world->arena, allocator);
  world->engine = NULL;
  ap_status status = open_engine(world, allocator, err);
  if (status == AP_OK) status = write_cells(world, err);
  if (status == AP_OK) status = bind_and_ask(world, err);
  ap_engine_destroy(world->engine);
  ap_arena_deinit(&world->arena);
  assert_int_equal(bed_count_files(&world->bed, world->bed.staging), 0);
  return status;
}

static void writing_binding_asking(void **state) {
  (void)state;
  struct world world = {0};
  bed_open(&world.bed);
  bed_frame_init(&world.bed, &world.frame, columns, COUNT(columns));
  world.frame.physical = bed_schema(&world.bed, stored, COUNT(stored));
  world.frame.physical_id = ap_schema_id(&world.frame.physical);
  world.frame.partition_count = 1;
  bed_append(&world.bed, &world.frame, rows);
  world.frame.cells[0]->own = false; /* the union takes more */
  assert_true(ap_sweep_memory(write_bind_ask, &world) > 30);
  bed_frame_deinit(&world.frame);
  bed_close(&world.bed);
}

static ap_status code(void *context, struct ap_allocator *allocator, ap_error *err) {
  static const struct ap_codec_column actions[] = {{"txn", "STRUCT(appId VARCHAR)"}};
  static const char *const names[] = {"txn"};
  struct world *world = context;
  world->engine = NULL;
  AP_TRY(open_engine(world, allocator, err));
  struct ap_codec *codec = ap_engine_codec(world->engine);
  char path[128];
  snprintf(path, sizeof path, "%s/swept.parquet", world->bed.staging);
  struct ap_buffer lines;
  ap_buffer_init(&lines, allocator);
  ap_status status =
      codec->encode(codec, AP_TEXT("{\"txn\":{\"appId\":\"x\"}}\n"), actions, 1, path, err);
  if (status == AP_OK) status = codec->decode(codec, path, names, 1, &lines, err);
  if (status == AP_OK) assert_string_equal(lines.data, "{\"txn\":{\"appId\":\"x\"}}\n");
  unlink(path);
  ap_buffer_deinit(&lines);
  ap_engine_destroy(world->engine);
  return status;
}

static void coding(void **state) {
  (void)state;
  struct world world = {0};
  bed_open(&world.bed);
  assert_true(ap_sweep_memory(code, &world) > 10);
  bed_close(&world.bed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(writing_binding_asking),
      cmocka_unit_test(coding),
  };
  return AP_RUN_TESTS(tests);
}
