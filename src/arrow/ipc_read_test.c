/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: IPC bytes that pyarrow wrote are read to the same values that pyarrow had; damaged bytes
 * give an error that says what and where, never a crash.
 * Method: fixtures of tests/data/arrow with the rows as pyarrow prints them (make_fixtures.py);
 * each cut at every byte and damaged at every byte, by bit flips and by whole hostile bytes, all of
 * it walked to the end afterwards.
 */
#include "arrow/ipc.h"

#include "testing/arrow_text.h"
#include "testing/check.h"
#include "testing/random.h"

#include <stdio.h>

static const char *const fixtures[] = {
    "stream.arrows", "file.arrow",     "lz4.arrows",        "zstd.arrow",
    "kinds.arrows",  "nested.arrows",  "dictionary.arrows", "dictionary_file.arrow",
    "views.arrows",  "no_rows.arrows", "no_columns.arrows", "legacy.arrows",
};
enum { FIXTURE_COUNT = sizeof(fixtures) / sizeof(fixtures[0]) };

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

static void load_text(const char *fixture, struct ap_buffer *out) {
  char name[128];
  size_t stem = strcspn(fixture, ".");
  (void)snprintf(name, sizeof(name), "%.*s.txt", (int)stem, fixture);
  load(name, out);
}

/* Read to the end; the rows as text in *out. */
static ap_status read_all(struct ap_text bytes, struct ap_buffer *out, ap_error *err) {
  struct ArrowArrayStream stream = {0};
  AP_TRY(ap_ipc_read(bytes, &stream, err));
  return ap_arrow_append_stream(out, &stream, err);
}

static void test_fixtures(void **state) {
  (void)state;
  for (size_t i = 0; i < FIXTURE_COUNT; i++) {
    struct ap_buffer bytes;
    struct ap_buffer expected;
    struct ap_buffer actual;
    ap_error err = {0};
    load(fixtures[i], &bytes);
    load_text(fixtures[i], &expected);
    ap_buffer_init(&actual, ap_allocator_system());
    check_ok(read_all(ap_buffer_text(&bytes), &actual, &err), &err);
    if (!ap_text_equal(ap_buffer_text(&actual), ap_buffer_text(&expected))) {
      fail_msg("%s: read\n%s\nnot\n%s", fixtures[i], actual.data, expected.data);
    }
    ap_buffer_deinit(&actual);
    ap_buffer_deinit(&expected);
    ap_buffer_deinit(&bytes);
  }
}

/* Read to the end; batches are looked through, but for those of nothing in millions of rows. */
static ap_status walk_all(struct ap_text bytes, ap_error *err) {
  struct ArrowArrayStream stream = {0};
  struct ArrowSchema schema = {0};
  AP_TRY(ap_ipc_read(bytes, &stream, err));
  ap_status status = ap_stream_schema(&stream, &schema, err);
  while (status == AP_OK) {
    struct ArrowArray array = {0};
    struct ap_buffer text;
    status = ap_stream_next(&stream, &array, err);
    if (status != AP_OK || array.release == NULL) break;
    ap_buffer_init(&text, ap_allocator_system());
    if (array.length < 10000 && !ap_arrow_append_rows(&text, &schema, &array)) {
      fail_msg("nanoarrow finds the batch broken: %s", text.data);
    }
    ap_buffer_deinit(&text);
    array.release(&array);
  }
  ap_schema_release(&schema);
  ap_stream_release(&stream);
  return status;
}

/* The bytes lie in a block of exactly their size, so that a sanitizer sees any step beyond. */
static ap_status read_exactly(const char *data, size_t size) {
  struct ap_allocator *heap = ap_allocator_system();
  ap_error err = {0};
  char *block = ap_allocate(heap, size);
  assert_non_null(block);
  memcpy(block, data, size);
  ap_status status = walk_all((struct ap_text){block, size}, &err);
  ap_free(heap, block);
  if (status == AP_OK) return status;
  assert_int_equal(err.code, status);
  if (status != AP_CORRUPT && status != AP_UNSUPPORTED) {
    fail_msg("%s: %s (%s)", ap_status_name(status), err.message, err.origin);
  }
  return status;
}

static void test_cut_at_every_byte(void **state) {
  (void)state;
  for (size_t i = 0; i < FIXTURE_COUNT; i++) {
    struct ap_buffer bytes;
    bool is_file = strstr(fixtures[i], ".arrows") == NULL;
    uint32_t accepted = 0;
    load(fixtures[i], &bytes);
    for (size_t size = 0; size < bytes.size; size++) {
      accepted += read_exactly(bytes.data, size) == AP_OK;
    }
    /* A stream may end after any message, a file nowhere but at its end. */
    if (is_file) assert_int_equal(accepted, 0);
    assert_true(accepted <= 6);
    ap_buffer_deinit(&bytes);
  }
}

static void test_damaged_at_every_byte(void **state) {
  static const uint8_t hostile[] = {0x00, 0x7f, 0x80, 0xff};
  struct ap_seeded_random random;
  (void)state;
  ap_seeded_random_init(&random, ap_test_seed("damaged_at_every_byte"));
  for (size_t i = 0; i < FIXTURE_COUNT; i++) {
    struct ap_buffer bytes;
    load(fixtures[i], &bytes);
    for (size_t at = 0; at < bytes.size; at++) {
      char before = bytes.data[at];
      bytes.data[at] = (char)(before ^ (1 << ap_random_below(&random.base, 8)));
      (void)read_exactly(bytes.data, bytes.size);
      for (size_t j = 0; j < sizeof(hostile); j++) {
        bytes.data[at] = (char)hostile[j];
        (void)read_exactly(bytes.data, bytes.size);
      }
      bytes.data[at] = before;
    }
    ap_buffer_deinit(&bytes);
  }
}

/* Several bytes at once: numbers that fit together by chance get past the first checks. */
static void test_damaged_at_random(void **state) {
  struct ap_seeded_random random;
  (void)state;
  ap_seeded_random_init(&random, ap_test_seed("damaged_at_random"));
  uint64_t rounds = ap_test_rounds(2000);
  for (uint64_t round = 0; round < rounds; round++) {
    struct ap_buffer bytes;
    load(fixtures[ap_random_below(&random.base, FIXTURE_COUNT)], &bytes);
    uint64_t edits = 1 + ap_random_below(&random.base, 6);
    for (uint64_t edit = 0; edit < edits; edit++) {
      size_t at = (size_t)ap_random_below(&random.base, bytes.size);
      uint64_t number = ap_random_u64(&random.base) >> ap_random_below(&random.base, 64);
      size_t width = (size_t)1 << ap_random_below(&random.base, 4);
      if (width > bytes.size - at) width = bytes.size - at;
      memcpy(bytes.data + at, &number, width);
    }
    (void)read_exactly(bytes.data, bytes.size);
    ap_buffer_deinit(&bytes);
  }
}

static void check_refused(struct ap_text bytes, ap_status expected, const char *part) {
  struct ap_buffer text;
  ap_error err = {0};
  ap_buffer_init(&text, ap_allocator_system());
  check_status(read_all(bytes, &text, &err), expected, &err);
  check_contains(err.message, part);
  ap_buffer_deinit(&text);
}

static void test_messages_say_what_and_where(void **state) {
  struct ap_buffer bytes;
  (void)state;
  check_refused(AP_TEXT(""), AP_CORRUPT, "no Arrow IPC bytes");
  check_refused(AP_TEXT("FEA1 and so on"), AP_UNSUPPORTED, "Feather version 1");
  check_refused(AP_TEXT("ARROW1"), AP_CORRUPT, "no footer");
  check_refused(AP_TEXT("id,name\n1,one\n"), AP_CORRUPT, "message 1");
  load("stream.arrows", &bytes);
  check_refused((struct ap_text){bytes.data, bytes.size - 100}, AP_CORRUPT, "message 3");
  ap_buffer_append_string(&bytes, "more");
  check_refused(ap_buffer_text(&bytes), AP_CORRUPT, "follow the end of the stream");
  ap_buffer_deinit(&bytes);
}

/* A batch outlives the stream it came from, and the bytes that were read. */
static void test_arrays_outlive_the_stream(void **state) {
  struct ap_buffer bytes;
  struct ap_buffer text;
  struct ArrowArrayStream stream = {0};
  struct ArrowSchema schema = {0};
  struct ArrowArray array = {0};
  ap_error err = {0};
  (void)state;
  load("dictionary_file.arrow", &bytes);
  ap_buffer_init(&text, ap_allocator_system());
  check_ok(ap_ipc_read(ap_buffer_text(&bytes), &stream, &err), &err);
  ap_buffer_deinit(&bytes);
  check_ok(ap_stream_schema(&stream, &schema, &err), &err);
  check_ok(ap_stream_next(&stream, &array, &err), &err);
  ap_stream_release(&stream);
  assert_true(ap_arrow_append_rows(&text, &schema, &array));
  check_contains(text.data, "{w:'blue',n:10,l:[]}");
  ap_array_release(&array);
  ap_schema_release(&schema);
  ap_buffer_deinit(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fixtures),
      cmocka_unit_test(test_messages_say_what_and_where),
      cmocka_unit_test(test_arrays_outlive_the_stream),
      cmocka_unit_test(test_cut_at_every_byte),
      cmocka_unit_test(test_damaged_at_every_byte),
      cmocka_unit_test(test_damaged_at_random),
  };
  return AP_RUN_TESTS(tests);
}
