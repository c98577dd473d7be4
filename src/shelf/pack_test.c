/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: what is packed is read back, whatever form the batches had, with nothing copied on the way
 * back; and whatever bytes stand in a block, reading refuses them or gives arrays that lie within
 * the object. Method: every fixture that pyarrow wrote is sliced at random, packed into memory in
 * groups of random size, and read; the rows must be those that pyarrow printed. Then the block is
 * damaged at random places.
 */
#include "shelf/pack.h"

#include "arrow/ipc.h"
#include "shelf/unpack.h"
#include "testing/arrow_text.h"
#include "testing/check.h"
#include "testing/random.h"

#include <stdio.h>

static const char *const fixtures[] = {
    "stream.arrows", "file.arrow",        "lz4.arrows",     "kinds.arrows",      "nested.arrows",
    "views.arrows",  "dictionary.arrows", "no_rows.arrows", "no_columns.arrows",
};
enum { FIXTURE_COUNT = sizeof(fixtures) / sizeof(fixtures[0]), EXTENTS_MAX = 4096 };
#define ARENA_BYTES ((int64_t)64 << 20)

/* An object in a heap that is no larger than it must be. */
struct world {
  struct ap_shelf_holder holder; /* first */
  long references;
  void *memory;
  uint8_t *arena; /* at a multiple of 64 in it */
  int64_t used;
  struct ap_shelf_extent extents[EXTENTS_MAX];
  size_t extent_count;
  struct ap_buffer block;
};

static void retain(struct ap_shelf_holder *self) {
  ((struct world *)self)->references++;
}

static void release(struct ap_shelf_holder *self) {
  ((struct world *)self)->references--;
}

static void world_init(struct world *world) {
  memset(world, 0, sizeof *world);
  world->holder = (struct ap_shelf_holder){retain, release};
  world->memory = ap_allocate(ap_allocator_system(), (size_t)ARENA_BYTES + 64);
  assert_non_null(world->memory);
  world->arena = (uint8_t *)world->memory + (64 - (uintptr_t)world->memory % 64);
  ap_buffer_init(&world->block, ap_allocator_system());
}

static void world_deinit(struct world *world) {
  assert_int_equal(world->references, 0);
  ap_buffer_deinit(&world->block);
  ap_free(ap_allocator_system(), world->memory);
}

static struct ap_shelf_object_memory memory_of(struct world *world) {
  return (struct ap_shelf_object_memory){.arena = world->arena,
                                         .extents = world->extents,
                                         .extent_count = world->extent_count,
                                         .block = ap_buffer_text(&world->block),
                                         .holder = &world->holder};
}

static void load(const char *name, struct ap_buffer *out) {
  char path[512];
  ap_buffer_init(out, ap_allocator_system());
  (void)snprintf(path, sizeof(path), "%s/tests/data/arrow/%s", AP_SOURCE_DIR, name);
  FILE *file = fopen(path, "rb");
  if (file == NULL) fail_msg("cannot open %s", path);
  char chunk[4096];
  size_t size = 0;
  while ((size = fread(chunk, 1, sizeof(chunk), file)) > 0) ap_buffer_append(out, chunk, size);
  (void)fclose(file);
  assert_false(out->failed);
}

static uint64_t draw(struct ap_seeded_random *random, uint64_t below) {
  return ap_random_below(&random->base, below);
}

static void flush(struct world *world, struct ap_shelf_packer *packer, uint32_t threads) {
  ap_error err = {0};
  int64_t bytes = ap_shelf_packer_extent_bytes(packer);
  assert_true(world->extent_count < EXTENTS_MAX && world->used + bytes <= ARENA_BYTES);
  memset(world->arena + world->used, 0xa5, (size_t)bytes);
  check_ok(ap_shelf_packer_copy(packer, world->arena + world->used, false, threads, &err), &err);
  world->extents[world->extent_count++] = (struct ap_shelf_extent){world->used, bytes};
  world->used += bytes;
}

/* Packs and releases the stream, `group` batches to an extent. */
static void pack(struct world *world, struct ArrowArrayStream *stream, uint64_t group) {
  struct ArrowSchema schema = {0};
  struct ArrowArray batch = {0};
  struct ap_shelf_packer *packer = NULL;
  ap_error err = {0};
  uint64_t count = 0;
  check_ok(ap_stream_schema(stream, &schema, &err), &err);
  check_ok(ap_shelf_packer_create(&schema, &packer, &err), &err);
  for (;;) {
    check_ok(ap_stream_next(stream, &batch, &err), &err);
    if (batch.release == NULL) break;
    check_ok(ap_shelf_packer_add(packer, &batch, &err), &err);
    assert_null(batch.release);
    if (++count % group == 0) flush(world, packer, 1 + (uint32_t)(count % 2));
  }
  flush(world, packer, 2);
  assert_int_equal(ap_shelf_packer_extents(packer), world->extent_count);
  check_ok(ap_shelf_packer_block(packer, &world->block, &err), &err);
  ap_shelf_packer_destroy(packer);
  ap_schema_release(&schema);
  ap_stream_release(stream);
}

static void read_fixture(const char *name, int64_t rows_max, struct ArrowArrayStream *out) {
  struct ap_buffer bytes;
  struct ArrowArrayStream stream = {0};
  ap_error err = {0};
  load(name, &bytes);
  check_ok(ap_ipc_read(ap_buffer_text(&bytes), &stream, &err), &err);
  check_ok(ap_stream_sliced(&stream, rows_max, out, &err), &err);
  ap_buffer_deinit(&bytes);
}

static void check_fixture(const char *name, int64_t rows_max, uint64_t group) {
  static struct world world;
  struct ap_buffer expected;
  struct ap_buffer actual;
  struct ArrowArrayStream stream = {0};
  ap_error err = {0};
  char text[128];
  (void)snprintf(text, sizeof(text), "%.*s.txt", (int)strcspn(name, "."), name);
  load(text, &expected);
  world_init(&world);
  read_fixture(name, rows_max, &stream);
  pack(&world, &stream, group);
  struct ap_shelf_object_memory memory = memory_of(&world);
  check_ok(ap_shelf_unpack(&memory, true, &stream, &err), &err);
  ap_buffer_init(&actual, ap_allocator_system());
  check_ok(ap_arrow_append_stream(&actual, &stream, &err), &err);
  if (!ap_text_equal(ap_buffer_text(&actual), ap_buffer_text(&expected))) {
    fail_msg("%s by %lld rows and %llu batches: read\n%s\nnot\n%s", name, (long long)rows_max,
             (unsigned long long)group, actual.data, expected.data);
  }
  ap_buffer_deinit(&actual);
  ap_buffer_deinit(&expected);
  world_deinit(&world);
}

static void test_every_fixture_comes_back(void **state) {
  (void)state;
  for (size_t i = 0; i < FIXTURE_COUNT; i++) {
    check_fixture(fixtures[i], INT64_MAX, 1);
    for (int64_t rows = 1; rows < 20; rows++)
      check_fixture(fixtures[i], rows, 1 + (uint64_t)rows % 4);
  }
}

static void test_random_slices_come_back(void **state) {
  (void)state;
  struct ap_seeded_random random;
  ap_seeded_random_init(&random, ap_test_seed("shelf/pack slices"));
  for (uint64_t round = ap_test_rounds(60); round > 0; round--) {
    const char *name = fixtures[draw(&random, FIXTURE_COUNT)];
    int64_t rows = 1 + (int64_t)draw(&random, 3000);
    check_fixture(name, rows, 1 + draw(&random, 9));
  }
}

/* Child arrays may be moved out and outlive their batch and the stream. */
static void test_children_hold_the_object(void **state) {
  (void)state;
  static struct world world;
  struct ArrowArrayStream stream = {0};
  struct ArrowArray batch = {0};
  ap_error err = {0};
  world_init(&world);
  read_fixture("kinds.arrows", INT64_MAX, &stream);
  pack(&world, &stream, 1);
  struct ap_shelf_object_memory memory = memory_of(&world);
  check_ok(ap_shelf_unpack(&memory, false, &stream, &err), &err);
  check_ok(ap_stream_next(&stream, &batch, &err), &err);
  struct ArrowArray child = {0};
  for (int64_t i = 0; i < batch.n_children && child.release == NULL; i++) {
    struct ArrowArray *candidate = batch.children[i];
    if (candidate->n_buffers != 2 || candidate->buffers[1] == NULL) continue;
    child = *candidate;
    candidate->release = NULL;
  }
  assert_non_null(child.release);
  ap_stream_release(&stream);
  batch.release(&batch);
  assert_true(world.references > 0);
  const uint8_t *values = child.buffers[1];
  assert_true(values >= world.arena && values < world.arena + world.used);
  child.release(&child);
  world_deinit(&world);
}

static void try_damaged(struct world *world, const char *seed_text) {
  struct ArrowArrayStream stream = {0};
  struct ArrowSchema schema = {0};
  ap_error err = {0};
  struct ap_shelf_object_memory memory = memory_of(world);
  ap_status status = ap_shelf_unpack(&memory, true, &stream, &err);
  if (status == AP_OK) status = ap_stream_schema(&stream, &schema, &err);
  for (int batches = 0; status == AP_OK && batches < 1000; batches++) {
    struct ArrowArray batch = {0};
    status = ap_stream_next(&stream, &batch, &err);
    if (status != AP_OK || batch.release == NULL) break;
    check_ok(ap_array_validate(&schema, &batch, &err), &err);
    batch.release(&batch);
  }
  if (status != AP_OK && status != AP_CORRUPT && status != AP_UNSUPPORTED) {
    fail_msg("%s: %s: %s", seed_text, ap_status_name(status), err.message);
  }
  ap_schema_release(&schema);
  ap_stream_release(&stream);
  assert_int_equal(world->references, 0);
}

static void test_damaged_blocks_are_refused(void **state) {
  (void)state;
  static struct world world;
  struct ap_seeded_random random;
  ap_seeded_random_init(&random, ap_test_seed("shelf/pack damage"));
  for (size_t i = 0; i < FIXTURE_COUNT; i++) {
    struct ArrowArrayStream stream = {0};
    world_init(&world);
    read_fixture(fixtures[i], 7, &stream);
    pack(&world, &stream, 3);
    size_t size = world.block.size;
    char *kept = ap_allocate(ap_allocator_system(), size);
    assert_non_null(kept);
    memcpy(kept, world.block.data, size);
    for (uint64_t round = ap_test_rounds(400); round > 0; round--) {
      for (uint64_t hits = 1 + draw(&random, 3); hits > 0; hits--) {
        size_t at = (size_t)draw(&random, size);
        uint64_t kind = draw(&random, 4);
        if (kind == 0) world.block.data[at] = (char)draw(&random, 256);
        if (kind == 1) world.block.data[at] = (char)(world.block.data[at] ^ 1 << draw(&random, 8));
        if (kind == 2) memset(world.block.data + at / 8 * 8, 0xff, size - at / 8 * 8 < 8 ? 0 : 8);
        if (kind == 3) world.block.size = at;
      }
      try_damaged(&world, fixtures[i]);
      memcpy(world.block.data, kept, size);
      world.block.size = size;
    }
    ap_free(ap_allocator_system(), kept);
    world_deinit(&world);
  }
}

/* A dictionary of several batches is laid once. */
static void test_shared_dictionaries_are_laid_once(void **state) {
  (void)state;
  static struct world once;
  static struct world often;
  struct ArrowArrayStream stream = {0};
  world_init(&once);
  world_init(&often);
  read_fixture("dictionary.arrows", INT64_MAX, &stream);
  pack(&once, &stream, 1);
  read_fixture("dictionary.arrows", 1, &stream);
  pack(&often, &stream, 2);
  assert_true(often.extent_count > 1);
  assert_true(often.used < once.used * 40);
  world_deinit(&once);
  world_deinit(&often);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_fixture_comes_back),
      cmocka_unit_test(test_random_slices_come_back),
      cmocka_unit_test(test_children_hold_the_object),
      cmocka_unit_test(test_damaged_blocks_are_refused),
      cmocka_unit_test(test_shared_dictionaries_are_laid_once),
  };
  return AP_RUN_TESTS(tests);
}
