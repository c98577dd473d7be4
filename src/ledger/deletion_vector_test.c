/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: deletion vectors of every storage form give the right rows; damaged, lying and hostile ones
 * give AP_CORRUPT.
 * Method: the examples of the protocol's text as fixed points; vectors made with CRoaring from
 * random rows, framed here; then bytes cut, flipped and lied about.
 */
#include "ledger/deletion_vector.h"

#include "testing/check.h"
#include "testing/ledger_world.h"
#include "testing/random.h"

#include <roaring/roaring.h>
#include <stdio.h>

struct fixture {
  struct ap_ledger_world *world;
  struct ap_arena arena;
  struct ap_buffer bytes;
};

static int set_up(void **state) {
  static struct fixture fixture;
  fixture.world = ap_ledger_world_create(1);
  ap_arena_init(&fixture.arena, ap_allocator_system());
  ap_buffer_init(&fixture.bytes, ap_allocator_system());
  *state = &fixture;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *fixture = *state;
  ap_buffer_deinit(&fixture->bytes);
  ap_arena_deinit(&fixture->arena);
  ap_ledger_world_destroy(fixture->world);
  return 0;
}

static void append_number(struct ap_buffer *out, uint64_t number, int size, bool big) {
  for (int i = 0; i < size; i++) {
    char byte = (char)(number >> 8 * (big ? size - 1 - i : i) & 0xff);
    ap_buffer_append(out, &byte, 1);
  }
}

/* The serialised form of ascending rows. */
static void append_vector(struct ap_buffer *out, const uint64_t *rows, size_t count, bool runs) {
  uint64_t buckets = 0;
  for (size_t i = 0; i < count; i++) buckets += i == 0 || rows[i] >> 32 != rows[i - 1] >> 32;
  append_number(out, 1681511377, 4, false);
  append_number(out, buckets, 8, false);
  for (size_t i = 0; i < count;) {
    roaring_bitmap_t *bitmap = roaring_bitmap_create();
    uint64_t high = rows[i] >> 32;
    for (; i < count && rows[i] >> 32 == high; i++) roaring_bitmap_add(bitmap, (uint32_t)rows[i]);
    if (runs) (void)roaring_bitmap_run_optimize(bitmap);
    append_number(out, high, 4, false);
    char *place = ap_buffer_reserve(out, roaring_bitmap_portable_size_in_bytes(bitmap));
    out->size += roaring_bitmap_portable_serialize(bitmap, place);
    roaring_bitmap_free(bitmap);
  }
}

static ap_status decode(struct fixture *fixture, struct ap_text bytes, int64_t cardinality,
                        int64_t row_count, const uint64_t **rows, uint64_t *count) {
  return ap_deletion_vector_decode(&fixture->arena, bytes, cardinality, row_count, rows, count,
                                   &fixture->world->err);
}

static ap_status read_cell(struct fixture *fixture, const struct ap_deletion_vector *vector,
                           const char *statistics, const uint64_t **rows, uint64_t *count) {
  struct ap_cell_parts parts = {.path = AP_TEXT("x.parquet"),
                                .statistics_json = ap_text_of(statistics),
                                .deletion_vector = *vector};
  struct ap_cell *cell = NULL;
  struct ap_ledger *ledger = ap_ledger_world_open(fixture->world);
  ap_error *err = &fixture->world->err;
  check_ok(ap_cell_create(ap_allocator_system(), &parts, &cell, err), err);
  ap_status status = ap_ledger_deleted_rows(ledger, cell, &fixture->arena, rows, count, err);
  ap_cell_release(cell);
  ap_ledger_close(ledger);
  return status;
}

static void reads_the_inline_example(void **state) {
  struct fixture *fixture = *state;
  static const uint64_t expected[] = {3, 4, 7, 11, 18, 29};
  struct ap_deletion_vector vector = {
      .storage_type = 'i',
      .path_or_inline = AP_TEXT("wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L"),
      .offset = -1,
      .size_bytes = 40,
      .cardinality = 6};
  const uint64_t *rows = NULL;
  uint64_t count = 0;
  check_ok(read_cell(fixture, &vector, "{\"numRecords\":30}", &rows, &count), &fixture->world->err);
  assert_int_equal(count, 6);
  assert_memory_equal(rows, expected, sizeof(expected));
  /* the same rows in the portable form, as delta-kernel's tests have them */
  struct ap_deletion_vector portable = vector;
  portable.path_or_inline = AP_TEXT("^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L");
  portable.size_bytes = 44;
  check_ok(read_cell(fixture, &portable, "{\"numRecords\":30}", &rows, &count),
           &fixture->world->err);
  assert_int_equal(count, 6);
  assert_memory_equal(rows, expected, sizeof(expected));
  /* row 29 is beyond a file of 29 rows */
  check_status(read_cell(fixture, &vector, "{\"numRecords\":29}", &rows, &count), AP_CORRUPT, NULL);
  check_status(read_cell(fixture, &vector, "{}", &rows, &count), AP_CORRUPT, NULL);
  vector.cardinality = 5;
  check_status(read_cell(fixture, &vector, "{\"numRecords\":30}", &rows, &count), AP_CORRUPT, NULL);
  vector.cardinality = 7;
  check_status(read_cell(fixture, &vector, "{\"numRecords\":30}", &rows, &count), AP_CORRUPT, NULL);
  vector.storage_type = 'p';
  check_status(read_cell(fixture, &vector, "{\"numRecords\":30}", &rows, &count), AP_UNSUPPORTED,
               NULL);
}

static void finds_the_file_of_the_example(void **state) {
  struct fixture *fixture = *state;
  assert_true(ap_deletion_vector_path(&fixture->bytes, AP_TEXT("ab^-aqEH.-t@S}K{vb[*k^")));
  check_text(ap_buffer_text(&fixture->bytes),
             "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin");
  ap_buffer_clear(&fixture->bytes);
  assert_true(ap_deletion_vector_path(&fixture->bytes, AP_TEXT("^-aqEH.-t@S}K{vb[*k^")));
  check_text(ap_buffer_text(&fixture->bytes),
             "deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin");
  assert_false(ap_deletion_vector_path(&fixture->bytes, AP_TEXT("too short")));
  assert_false(ap_deletion_vector_path(&fixture->bytes, AP_TEXT("~~~~~~~~~~~~~~~~~~~~")));
}

/* Rows in bursts and gaps, so that all kinds of containers come up. */
static size_t random_rows(struct ap_random *random, uint64_t *rows, size_t room) {
  uint64_t row = ap_random_below(random, 100);
  size_t count = 0;
  while (count < room) {
    uint64_t burst = 1 + ap_random_below(random, 6000);
    uint64_t step = 1 + ap_random_below(random, 3);
    for (uint64_t i = 0; i < burst && count < room; i++, row += step) rows[count++] = row;
    static const uint64_t gaps[] = {2, 1000, 70000, (uint64_t)1 << 33};
    row += 1 + ap_random_below(random, gaps[ap_random_below(random, 4)]);
  }
  return count;
}

static void random_vectors_come_back(void **state) {
  struct fixture *fixture = *state;
  struct ap_seeded_random random;
  enum { ROWS_MAX = 20000 };
  uint64_t *rows = AP_ARENA_ARRAY(&fixture->arena, uint64_t, ROWS_MAX);
  ap_seeded_random_init(&random, ap_test_seed("random_vectors_come_back"));
  uint64_t rounds = ap_test_rounds(100);
  for (uint64_t round = 0; round < rounds; round++) {
    struct ap_arena arena;
    const uint64_t *decoded = NULL;
    uint64_t decoded_count = 0;
    size_t count = random_rows(&random.base, rows, 1 + ap_random_below(&random.base, ROWS_MAX));
    ap_buffer_clear(&fixture->bytes);
    append_vector(&fixture->bytes, rows, count, round % 2 == 0);
    ap_arena_init(&arena, ap_allocator_system());
    check_ok(ap_deletion_vector_decode(&arena, ap_buffer_text(&fixture->bytes), (int64_t)count,
                                       (int64_t)rows[count - 1] + 1, &decoded, &decoded_count,
                                       &fixture->world->err),
             &fixture->world->err);
    assert_int_equal(decoded_count, count);
    assert_memory_equal(decoded, rows, count * sizeof(*rows));
    ap_arena_deinit(&arena);
  }
}

static void reads_files_with_several_vectors(void **state) {
  struct fixture *fixture = *state;
  static const uint64_t first[] = {0, 1, 2};
  static const uint64_t second[] = {5, ((uint64_t)1 << 32) + 7};
  struct ap_buffer file;
  struct ap_buffer one;
  int64_t offsets[2];
  int64_t sizes[2];
  ap_buffer_init(&file, ap_allocator_system());
  ap_buffer_append(&file, "\1", 1);
  for (int i = 0; i < 2; i++) {
    ap_buffer_init(&one, ap_allocator_system());
    append_vector(&one, i ? second : first, i ? 2 : 3, false);
    offsets[i] = (int64_t)file.size;
    sizes[i] = (int64_t)one.size;
    append_number(&file, one.size, 4, true);
    ap_buffer_append_text(&file, ap_buffer_text(&one));
    /* CRC-32 written down independently: of the two vectors above */
    uint32_t crc = 0xffffffffu;
    for (size_t k = 0; k < one.size; k++) {
      crc ^= (unsigned char)one.data[k];
      for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    append_number(&file, ~crc, 4, true);
    ap_buffer_deinit(&one);
  }
  const char *name = "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";
  ap_ledger_world_put(fixture->world, name, ap_buffer_text(&file));
  struct ap_deletion_vector vector = {.storage_type = 'u',
                                      .path_or_inline = AP_TEXT("ab^-aqEH.-t@S}K{vb[*k^"),
                                      .offset = offsets[1],
                                      .size_bytes = sizes[1],
                                      .cardinality = 2};
  const uint64_t *rows = NULL;
  uint64_t count = 0;
  const char *statistics = "{\"minValues\":{},\"numRecords\":5000000000}";
  check_ok(read_cell(fixture, &vector, statistics, &rows, &count), &fixture->world->err);
  assert_int_equal(count, 2);
  assert_memory_equal(rows, second, sizeof(second));
  vector.offset = offsets[0];
  check_status(read_cell(fixture, &vector, statistics, &rows, &count), AP_CORRUPT, NULL);
  vector.size_bytes = sizes[0];
  vector.cardinality = 3;
  check_ok(read_cell(fixture, &vector, statistics, &rows, &count), &fixture->world->err);
  file.data[file.size - 20] = (char)(file.data[file.size - 20] ^ 4);
  ap_ledger_world_put(fixture->world, name, ap_buffer_text(&file));
  vector = (struct ap_deletion_vector){.storage_type = 'u',
                                       .path_or_inline = vector.path_or_inline,
                                       .offset = offsets[1],
                                       .size_bytes = sizes[1],
                                       .cardinality = 2};
  check_status(read_cell(fixture, &vector, statistics, &rows, &count), AP_CORRUPT, NULL);
  check_contains(fixture->world->err.message, "checksum");
  ap_ledger_world_remove(fixture->world, name);
  check_status(read_cell(fixture, &vector, statistics, &rows, &count), AP_NOT_FOUND, NULL);
  ap_buffer_deinit(&file);
}

static void hostile_bytes_are_refused(void **state) {
  struct fixture *fixture = *state;
  struct ap_seeded_random random;
  uint64_t rows[3000];
  ap_seeded_random_init(&random, ap_test_seed("hostile_bytes_are_refused"));
  uint64_t rounds = ap_test_rounds(3000);
  for (uint64_t round = 0; round < rounds; round++) {
    struct ap_arena arena;
    const uint64_t *decoded = NULL;
    uint64_t decoded_count = 0;
    size_t count = random_rows(&random.base, rows, 1 + ap_random_below(&random.base, 3000));
    ap_buffer_clear(&fixture->bytes);
    append_vector(&fixture->bytes, rows, count, round % 2 == 0);
    uint64_t flips = ap_random_below(&random.base, 4);
    for (uint64_t i = 0; i < flips; i++) {
      size_t at = ap_random_below(&random.base, i % 2 ? 40 : fixture->bytes.size);
      if (at < fixture->bytes.size) {
        fixture->bytes.data[at] = (char)ap_random_below(&random.base, 256);
      }
    }
    size_t size = flips ? fixture->bytes.size : ap_random_below(&random.base, fixture->bytes.size);
    ap_arena_init(&arena, ap_allocator_system());
    ap_status status = ap_deletion_vector_decode(
        &arena, (struct ap_text){fixture->bytes.data, size}, (int64_t)count,
        (int64_t)rows[count - 1] + 1, &decoded, &decoded_count, &fixture->world->err);
    assert_true(status == AP_OK || status == AP_CORRUPT);
    if (status == AP_OK) assert_int_equal(decoded_count, count);
    if (flips == 0) assert_int_equal(status, AP_CORRUPT);
    ap_arena_deinit(&arena);
  }
}

static void lies_are_refused(void **state) {
  struct fixture *fixture = *state;
  const uint64_t *rows = NULL;
  uint64_t count = 0;
  check_status(decode(fixture, AP_TEXT(""), 0, 0, &rows, &count), AP_CORRUPT, NULL);
  append_number(&fixture->bytes, 1681511377, 4, false);
  append_number(&fixture->bytes, UINT64_MAX, 8, false);
  check_status(decode(fixture, ap_buffer_text(&fixture->bytes), 0, 0, &rows, &count), AP_CORRUPT,
               NULL);
  ap_buffer_clear(&fixture->bytes);
  append_number(&fixture->bytes, 1681511377, 4, false);
  append_number(&fixture->bytes, 0, 8, false);
  check_ok(decode(fixture, ap_buffer_text(&fixture->bytes), 0, 10, &rows, &count), NULL);
  assert_int_equal(count, 0);
  check_status(
      decode(fixture, ap_buffer_text(&fixture->bytes), INT64_MAX, INT64_MAX, &rows, &count),
      AP_UNSUPPORTED, NULL);
  ap_buffer_append(&fixture->bytes, "x", 1);
  check_status(decode(fixture, ap_buffer_text(&fixture->bytes), 0, 10, &rows, &count), AP_CORRUPT,
               NULL);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(reads_the_inline_example),  TEST(finds_the_file_of_the_example),
      TEST(random_vectors_come_back),  TEST(reads_files_with_several_vectors),
      TEST(hostile_bytes_are_refused), TEST(lies_are_refused),
  };
  return AP_RUN_TESTS(tests);
}
