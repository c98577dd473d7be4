/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: streams hand over what they hold once, errors whole, and slices that stay alive as long as
 * anyone shows them.
 * Method: sources by hand that fail or count what was released; a batch of all kinds cut at every
 * size and compared row by row; slices released by four threads in any order.
 */
#include "arrow/stream.h"

#include "arrow/ipc.h"
#include "port/threads.h"
#include "testing/arrow_text.h"
#include "testing/check.h"
#include "testing/random.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

static void make_numbers(int64_t rows, struct ArrowSchema *schema, struct ArrowArray *array) {
  ArrowSchemaInit(schema);
  assert_int_equal(ArrowSchemaSetTypeStruct(schema, 2), 0);
  assert_int_equal(ArrowSchemaSetType(schema->children[0], NANOARROW_TYPE_INT64), 0);
  assert_int_equal(ArrowSchemaSetType(schema->children[1], NANOARROW_TYPE_STRING), 0);
  assert_int_equal(ArrowSchemaSetName(schema->children[0], "n"), 0);
  assert_int_equal(ArrowSchemaSetName(schema->children[1], "s"), 0);
  assert_int_equal(ArrowArrayInitFromSchema(array, schema, NULL), 0);
  assert_int_equal(ArrowArrayStartAppending(array), 0);
  for (int64_t i = 0; i < rows; i++) {
    char text[32];
    (void)snprintf(text, sizeof(text), "row %lld", (long long)i);
    assert_int_equal(ArrowArrayAppendInt(array->children[0], i), 0);
    if (i % 3 == 0) {
      assert_int_equal(ArrowArrayAppendNull(array->children[1], 1), 0);
    } else {
      assert_int_equal(ArrowArrayAppendString(array->children[1], ArrowCharView(text)), 0);
    }
    assert_int_equal(ArrowArrayFinishElement(array), 0);
  }
  assert_int_equal(ArrowArrayFinishBuildingDefault(array, NULL), 0);
}

static void make_stream(int64_t rows, struct ArrowArrayStream *out) {
  struct ArrowSchema schema = {0};
  struct ArrowArray array = {0};
  ap_error err = {0};
  make_numbers(rows, &schema, &array);
  check_ok(ap_stream_of_one(&schema, &array, out, &err), &err);
  assert_null(schema.release);
  assert_null(array.release);
}

static void test_release_of_nothing(void **state) {
  struct ArrowArrayStream stream = {0};
  struct ArrowSchema schema = {0};
  struct ArrowArray array = {0};
  (void)state;
  ap_stream_release(NULL);
  ap_schema_release(NULL);
  ap_array_release(NULL);
  ap_stream_release(&stream);
  ap_schema_release(&schema);
  ap_array_release(&array);
}

static void test_empty(void **state) {
  struct ArrowSchema schema = {0};
  struct ArrowArray array = {0};
  struct ArrowArrayStream stream = {0};
  ap_error err = {0};
  (void)state;
  make_numbers(1, &schema, &array);
  array.release(&array);
  check_ok(ap_stream_empty(&schema, &stream, &err), &err);
  check_ok(ap_stream_schema(&stream, &schema, &err), &err);
  assert_string_equal(schema.children[1]->name, "s");
  schema.release(&schema);
  for (int i = 0; i < 2; i++) {
    check_ok(ap_stream_next(&stream, &array, &err), &err);
    assert_null(array.release);
  }
  ap_stream_release(&stream);
  assert_null(stream.release);
}

/* A source that fails as told. */
struct failing {
  struct ap_stream_source source;
  ap_status status;
  int *destroyed;
};

static ap_status failing_schema(struct ap_stream_source *self, struct ArrowSchema *out,
                                ap_error *err) {
  (void)self;
  (void)err;
  ArrowSchemaInit(out);
  return ArrowSchemaSetTypeStruct(out, 0) == 0 ? AP_OK : AP_OUT_OF_MEMORY;
}

static ap_status failing_next(struct ap_stream_source *self, struct ArrowArray *out,
                              ap_error *err) {
  (void)out;
  ap_status status = AP_FAIL(err, ((struct failing *)self)->status, "the cell is torn");
  ap_error_hint(err, "run apiary check");
  return status;
}

static void failing_destroy(struct ap_stream_source *self) {
  ++*((struct failing *)self)->destroyed;
}

static void test_errors_come_whole(void **state) {
  static const struct {
    ap_status status;
    int number;
  } cases[] = {{AP_CORRUPT, EIO},
               {AP_OUT_OF_MEMORY, ENOMEM},
               {AP_CANCELLED, ECANCELED},
               {AP_UNSUPPORTED, ENOTSUP}};
  (void)state;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    int destroyed = 0;
    struct failing failing = {
        {failing_schema, failing_next, failing_destroy, {0}}, cases[i].status, &destroyed};
    struct ArrowArrayStream stream = {0};
    struct ArrowArrayStream sliced = {0};
    struct ArrowArray array = {0};
    ap_error err = {0};
    ap_stream_from_source(&failing.source, &stream);
    /* A foreign consumer sees errno and text. */
    assert_int_equal(stream.get_next(&stream, &array), cases[i].number);
    assert_string_equal(stream.get_last_error(&stream), "the cell is torn");
    /* Ours sees it all, through a stream that stands between too. */
    check_ok(ap_stream_sliced(&stream, 10, &sliced, &err), &err);
    check_status(ap_stream_next(&sliced, &array, &err), cases[i].status, &err);
    assert_string_equal(err.message, "the cell is torn");
    assert_string_equal(err.hint, "run apiary check");
    assert_int_equal(destroyed, 0);
    ap_stream_release(&sliced);
    assert_int_equal(destroyed, 1);
  }
}

/* A foreign producer: an errno and perhaps a text. */
static int foreign_fail_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
  (void)stream;
  out->release = (void (*)(struct ArrowSchema *))(uintptr_t)8; /* rubbish beside an error */
  return EINVAL;
}

static int foreign_fail_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
  (void)stream;
  out->release = (void (*)(struct ArrowArray *))(uintptr_t)8;
  return ENOMEM;
}

static const char *foreign_error(struct ArrowArrayStream *stream) {
  return stream->private_data;
}

static void foreign_release(struct ArrowArrayStream *stream) {
  stream->release = NULL;
}

static void test_foreign_errors(void **state) {
  char text[] = "the frog is gone";
  struct ArrowArrayStream stream = {foreign_fail_schema, foreign_fail_next, foreign_error,
                                    foreign_release, text};
  struct ArrowArrayStream out = {0};
  struct ArrowSchema schema = {0};
  struct ArrowArray array = {0};
  ap_error err = {0};
  (void)state;
  check_status(ap_stream_schema(&stream, &schema, &err), AP_QUERY, &err);
  check_contains(err.message, "the frog is gone");
  assert_null(schema.release);
  check_status(ap_stream_next(&stream, &array, &err), AP_OUT_OF_MEMORY, &err);
  assert_null(array.release);
  check_status(ap_stream_validated(&stream, &out, &err), AP_QUERY, &err);
  assert_non_null(stream.release); /* taken on success only */
  stream.private_data = NULL;
  check_status(ap_stream_schema(&stream, &schema, &err), AP_QUERY, &err);
  check_contains(err.message, "no reason");
  ap_stream_release(&stream);
}

static void test_validated(void **state) {
  struct ArrowSchema schema = {0};
  struct ArrowArray array = {0};
  struct ArrowArrayStream stream = {0};
  struct ArrowArrayStream validated = {0};
  struct ap_buffer text;
  ap_error err = {0};
  (void)state;
  ap_buffer_init(&text, ap_allocator_system());
  make_stream(2, &stream);
  check_ok(ap_stream_validated(&stream, &validated, &err), &err);
  assert_null(stream.release);
  check_ok(ap_arrow_append_stream(&text, &validated, &err), &err);
  check_text(ap_buffer_text(&text), "{n:0,s:null}\n{n:1,s:'row 1'}\n");
  ap_buffer_deinit(&text);
  make_numbers(2, &schema, &array);
  ((int32_t *)(uintptr_t)array.children[1]->buffers[1])[1] = 100;
  check_ok(ap_stream_of_one(&schema, &array, &stream, &err), &err);
  check_ok(ap_stream_validated(&stream, &validated, &err), &err);
  check_status(ap_stream_next(&validated, &array, &err), AP_INVALID_ARGUMENT, &err);
  check_contains(err.message, "'s'");
  assert_null(array.release);
  ap_stream_release(&validated);
}

/* The fixture of nested types as one batch. */
static void read_fixture(const char *name, struct ArrowArrayStream *out) {
  char path[512];
  char chunk[4096];
  ap_error err = {0};
  (void)snprintf(path, sizeof(path), "%s/tests/data/arrow/%s", AP_SOURCE_DIR, name);
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  size_t size = fread(chunk, 1, sizeof(chunk), file);
  (void)fclose(file);
  check_ok(ap_ipc_read((struct ap_text){chunk, size}, out, &err), &err);
}

static void test_slices_hold_the_same_rows(void **state) {
  static const char *const fixtures[] = {"nested.arrows", "dictionary_file.arrow", "views.arrows",
                                         "kinds.arrows", "zstd.arrow"};
  (void)state;
  for (size_t i = 0; i < sizeof(fixtures) / sizeof(fixtures[0]); i++) {
    struct ArrowArrayStream stream = {0};
    struct ap_buffer expected;
    ap_error err = {0};
    ap_buffer_init(&expected, ap_allocator_system());
    read_fixture(fixtures[i], &stream);
    check_ok(ap_arrow_append_stream(&expected, &stream, &err), &err);
    for (int64_t rows_max = 1; rows_max < 12; rows_max++) {
      struct ArrowArrayStream sliced = {0};
      struct ArrowArrayStream again = {0};
      struct ArrowArrayStream validated = {0};
      struct ap_buffer actual;
      ap_buffer_init(&actual, ap_allocator_system());
      read_fixture(fixtures[i], &stream);
      check_ok(ap_stream_sliced(&stream, rows_max, &sliced, &err), &err);
      check_ok(ap_stream_sliced(&sliced, 2, &again, &err), &err); /* slices of slices */
      check_ok(ap_stream_validated(&again, &validated, &err), &err);
      check_ok(ap_arrow_append_stream(&actual, &validated, &err), &err);
      assert_true(ap_text_equal(ap_buffer_text(&actual), ap_buffer_text(&expected)));
      ap_buffer_deinit(&actual);
    }
    ap_buffer_deinit(&expected);
  }
}

static void test_slices_have_their_size(void **state) {
  struct ArrowArrayStream stream = {0};
  struct ArrowArrayStream sliced = {0};
  struct ArrowArray array = {0};
  ap_error err = {0};
  (void)state;
  make_stream(10, &stream);
  check_ok(ap_stream_sliced(&stream, 4, &sliced, &err), &err);
  for (int64_t row = 0; row < 10; row += 4) {
    check_ok(ap_stream_next(&sliced, &array, &err), &err);
    assert_int_equal(array.length, row == 8 ? 2 : 4);
    assert_int_equal(array.offset, 0); /* it is the children's */
    assert_int_equal(array.children[0]->offset, row);
    assert_int_equal(array.children[0]->length, array.length);
    array.release(&array);
  }
  check_ok(ap_stream_next(&sliced, &array, &err), &err);
  assert_null(array.release);
  ap_stream_release(&sliced);
}

/* A child may be taken out of its parent and outlive it. */
static void test_children_move_out(void **state) {
  struct ArrowArrayStream stream = {0};
  struct ArrowArrayStream sliced = {0};
  struct ArrowArray array = {0};
  ap_error err = {0};
  (void)state;
  make_stream(10, &stream);
  check_ok(ap_stream_sliced(&stream, 4, &sliced, &err), &err);
  check_ok(ap_stream_next(&sliced, &array, &err), &err);
  ap_stream_release(&sliced);
  struct ArrowArray child = *array.children[0];
  array.children[0]->release = NULL;
  array.release(&array);
  assert_int_equal(((const int64_t *)child.buffers[1])[child.offset + 3], 3);
  child.release(&child);
}

enum { THREADS = 4, SLICES = 400 };

struct releaser {
  struct ArrowArray *arrays;
  atomic_size_t *next;
  atomic_llong *sum;
};

static void release_slices(void *context) {
  struct releaser *releaser = context;
  for (;;) {
    size_t at = atomic_fetch_add(releaser->next, 1);
    if (at >= SLICES) return;
    struct ArrowArray *array = &releaser->arrays[at];
    const struct ArrowArray *child = array->children[0];
    for (int64_t i = 0; i < child->length; i++) {
      atomic_fetch_add(releaser->sum, ((const int64_t *)child->buffers[1])[child->offset + i]);
    }
    array->release(array);
  }
}

static void test_slices_released_by_threads(void **state) {
  struct ap_threads *threads = ap_threads_system();
  struct ap_seeded_random random;
  struct ArrowArray arrays[SLICES];
  struct ap_thread *handles[THREADS];
  struct ArrowArrayStream stream = {0};
  struct ArrowArrayStream sliced = {0};
  atomic_size_t next = 0;
  atomic_llong sum = 0;
  ap_error err = {0};
  (void)state;
  ap_seeded_random_init(&random, ap_test_seed("slices_released_by_threads"));
  make_stream(SLICES * 5, &stream);
  check_ok(ap_stream_sliced(&stream, 5, &sliced, &err), &err);
  for (size_t i = 0; i < SLICES; i++) check_ok(ap_stream_next(&sliced, &arrays[i], &err), &err);
  ap_stream_release(&sliced);
  for (size_t i = SLICES - 1; i > 0; i--) {
    size_t j = (size_t)ap_random_below(&random.base, i + 1);
    struct ArrowArray swap = arrays[i];
    arrays[i] = arrays[j];
    arrays[j] = swap;
  }
  struct releaser releaser = {arrays, &next, &sum};
  for (int i = 0; i < THREADS; i++) {
    check_ok(threads->spawn(threads, release_slices, &releaser, &handles[i], &err), &err);
  }
  for (int i = 0; i < THREADS; i++) threads->join(threads, handles[i]);
  long long rows = SLICES * 5;
  assert_int_equal(sum, rows * (rows - 1) / 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_release_of_nothing),
      cmocka_unit_test(test_empty),
      cmocka_unit_test(test_errors_come_whole),
      cmocka_unit_test(test_foreign_errors),
      cmocka_unit_test(test_validated),
      cmocka_unit_test(test_slices_hold_the_same_rows),
      cmocka_unit_test(test_slices_have_their_size),
      cmocka_unit_test(test_children_move_out),
      cmocka_unit_test(test_slices_released_by_threads),
  };
  return AP_RUN_TESTS(tests);
}
