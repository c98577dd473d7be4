/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: what is written as IPC, stream and file, holds the same rows, whatever form the batches
 * had: slices with offsets, dictionaries, views, uncounted nulls. Method: every fixture that
 * pyarrow wrote is read, optionally sliced, written, and read back by our reader and by nanoarrow's
 * own; the rows must be those that pyarrow printed.
 */
#include "arrow/ipc.h"

#include "testing/arrow_text.h"
#include "testing/check.h"

#include <nanoarrow/nanoarrow_ipc.h>
#include <stdio.h>

static const char *const fixtures[] = {
    "stream.arrows", "file.arrow",        "lz4.arrows",     "kinds.arrows",      "nested.arrows",
    "views.arrows",  "dictionary.arrows", "no_rows.arrows", "no_columns.arrows",
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

static void check_same(const char *what, const struct ap_buffer *actual,
                       const struct ap_buffer *expected) {
  if (ap_text_equal(ap_buffer_text(actual), ap_buffer_text(expected))) return;
  fail_msg("%s: read\n%s\nnot\n%s", what, actual->data, expected->data);
}

static void check_read_back(const char *what, const struct ap_buffer *written,
                            const struct ap_buffer *expected) {
  struct ap_buffer actual;
  struct ArrowArrayStream stream = {0};
  ap_error err = {0};
  ap_buffer_init(&actual, ap_allocator_system());
  check_ok(ap_ipc_read(ap_buffer_text(written), &stream, &err), &err);
  check_ok(ap_arrow_append_stream(&actual, &stream, &err), &err);
  check_same(what, &actual, expected);
  ap_buffer_deinit(&actual);
}

/* nanoarrow's reader knows streams; a file holds one after its magic. */
static void check_read_by_nanoarrow(const char *what, struct ap_text written,
                                    const struct ap_buffer *expected) {
  struct ap_buffer actual;
  struct ArrowBuffer input;
  struct ArrowIpcInputStream source;
  struct ArrowArrayStream stream = {0};
  ap_error err = {0};
  ap_buffer_init(&actual, ap_allocator_system());
  ArrowBufferInit(&input);
  assert_int_equal(ArrowBufferAppend(&input, written.data, (int64_t)written.size), 0);
  assert_int_equal(ArrowIpcInputStreamInitBuffer(&source, &input), 0);
  assert_int_equal(ArrowIpcArrayStreamReaderInit(&stream, &source, NULL), 0);
  check_ok(ap_arrow_append_stream(&actual, &stream, &err), &err);
  check_same(what, &actual, expected);
  ap_buffer_deinit(&actual);
}

static void check_fixture(const char *name, int64_t rows_max, enum ap_ipc_format format) {
  struct ap_buffer bytes;
  struct ap_buffer expected;
  struct ap_buffer written;
  struct ArrowArrayStream stream = {0};
  ap_error err = {0};
  char text[128];
  (void)snprintf(text, sizeof(text), "%.*s.txt", (int)strcspn(name, "."), name);
  load(name, &bytes);
  load(text, &expected);
  ap_buffer_init(&written, ap_allocator_system());
  check_ok(ap_ipc_read(ap_buffer_text(&bytes), &stream, &err), &err);
  if (rows_max > 0) {
    struct ArrowArrayStream sliced = {0};
    check_ok(ap_stream_sliced(&stream, rows_max, &sliced, &err), &err);
    stream = sliced;
  }
  check_ok(ap_ipc_write(&stream, format, &written, &err), &err);
  assert_null(stream.release);
  check_read_back(name, &written, &expected);
  struct ap_text messages = ap_buffer_text(&written);
  if (format == AP_IPC_FILE) {
    assert_true(ap_text_starts_with(messages, AP_TEXT("ARROW1\0")));
    assert_true(ap_text_ends_with(messages, AP_TEXT("ARROW1")));
    messages.data += 8;
    messages.size -= 8;
  }
  check_read_by_nanoarrow(name, messages, &expected);
  ap_buffer_deinit(&written);
  ap_buffer_deinit(&expected);
  ap_buffer_deinit(&bytes);
}

static void test_streams(void **state) {
  (void)state;
  for (size_t i = 0; i < FIXTURE_COUNT; i++) check_fixture(fixtures[i], 0, AP_IPC_STREAM);
}

static void test_files(void **state) {
  (void)state;
  for (size_t i = 0; i < FIXTURE_COUNT; i++) check_fixture(fixtures[i], 0, AP_IPC_FILE);
}

static void test_slices(void **state) {
  (void)state;
  for (size_t i = 0; i < FIXTURE_COUNT; i++) {
    for (int64_t rows_max = 1; rows_max <= 4; rows_max++) {
      check_fixture(fixtures[i], rows_max, AP_IPC_STREAM);
    }
  }
}

/* A column that IPC as we write it has no words for is refused by name; the stream is released. */
static void test_refusals(void **state) {
  struct ArrowSchema schema = {0};
  struct ArrowArrayStream stream = {0};
  struct ap_buffer written;
  ap_error err = {0};
  (void)state;
  ArrowSchemaInit(&schema);
  assert_int_equal(ArrowSchemaSetTypeStruct(&schema, 1), 0);
  assert_int_equal(ArrowSchemaSetTypeUnion(schema.children[0], NANOARROW_TYPE_SPARSE_UNION, 0), 0);
  assert_int_equal(ArrowSchemaSetName(schema.children[0], "either"), 0);
  check_ok(ap_stream_empty(&schema, &stream, &err), &err);
  ap_buffer_init(&written, ap_allocator_system());
  check_status(ap_ipc_write(&stream, AP_IPC_STREAM, &written, &err), AP_UNSUPPORTED, &err);
  check_contains(err.message, "'either'");
  assert_null(stream.release);
  ap_buffer_deinit(&written);
}

/* Producers may leave out names and counts. */
static void test_unnamed_and_uncounted(void **state) {
  struct ArrowSchema schema = {0};
  struct ArrowArray array = {0};
  struct ArrowArrayStream stream = {0};
  struct ap_buffer written;
  struct ap_buffer expected;
  ap_error err = {0};
  (void)state;
  ArrowSchemaInit(&schema);
  assert_int_equal(ArrowSchemaSetTypeStruct(&schema, 1), 0);
  assert_int_equal(ArrowSchemaSetType(schema.children[0], NANOARROW_TYPE_INT32), 0);
  assert_int_equal(ArrowArrayInitFromSchema(&array, &schema, NULL), 0);
  assert_int_equal(ArrowArrayStartAppending(&array), 0);
  assert_int_equal(ArrowArrayAppendInt(array.children[0], 7), 0);
  assert_int_equal(ArrowArrayFinishElement(&array), 0);
  assert_int_equal(ArrowArrayAppendNull(array.children[0], 1), 0);
  assert_int_equal(ArrowArrayFinishElement(&array), 0);
  assert_int_equal(ArrowArrayFinishBuildingDefault(&array, NULL), 0);
  array.null_count = -1;
  array.children[0]->null_count = -1;
  check_ok(ap_stream_of_one(&schema, &array, &stream, &err), &err);
  ap_buffer_init(&written, ap_allocator_system());
  ap_buffer_init(&expected, ap_allocator_system());
  ap_buffer_append_string(&expected, "{:7}\n{:null}\n");
  check_ok(ap_ipc_write(&stream, AP_IPC_STREAM, &written, &err), &err);
  check_read_back("unnamed", &written, &expected);
  ap_buffer_deinit(&expected);
  ap_buffer_deinit(&written);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_streams),
      cmocka_unit_test(test_files),
      cmocka_unit_test(test_slices),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_unnamed_and_uncounted),
  };
  return AP_RUN_TESTS(tests);
}
