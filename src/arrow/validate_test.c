/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: ap_array_validate accepts honest arrays and refuses each lie by column and kind, reading no
 * further than the lengths promise.
 * Method: one honest array per layout, as a foreign producer would hand it over (no buffer sizes,
 * buffers in heap blocks of exactly their size for the sanitizer); each test tells one lie.
 */
#include "arrow/stream.h"

#include "testing/check.h"

/* A foreign array of one column under a struct, by hand. */
struct column {
  struct ArrowSchema schema;
  struct ArrowArray root;
  struct ArrowArray array;
  struct ArrowArray child;
  struct ArrowArray dictionary;
  struct ArrowArray *root_children[1];
  struct ArrowArray *children[1];
  const void *root_buffers[1];
  const void *buffers[8];
  const void *child_buffers[3];
  const void *dictionary_buffers[3];
  void *blocks[8];
  size_t block_count;
};

/* Everything belongs to the column; the mark says only that it was not released. */
static void release_nothing(struct ArrowArray *array) {
  array->release = NULL;
}

static const void *block(struct column *column, const void *data, size_t size) {
  void *copy = ap_allocate(ap_allocator_system(), size);
  assert_non_null(copy);
  assert_true(column->block_count < 8);
  if (size > 0) memcpy(copy, data, size);
  column->blocks[column->block_count++] = copy;
  return copy;
}

#define BLOCK(column, array) block((column), (array), sizeof(array))

static void column_init(struct column *column, const char *format, int64_t length,
                        int64_t n_buffers) {
  memset(column, 0, sizeof(*column));
  ArrowSchemaInit(&column->schema);
  assert_int_equal(ArrowSchemaSetTypeStruct(&column->schema, 1), 0);
  assert_int_equal(ArrowSchemaSetFormat(column->schema.children[0], format), 0);
  assert_int_equal(ArrowSchemaSetName(column->schema.children[0], "amount"), 0);
  column->array = (struct ArrowArray){.length = length,
                                      .n_buffers = n_buffers,
                                      .buffers = column->buffers,
                                      .children = column->children,
                                      .release = release_nothing};
  column->root = (struct ArrowArray){.length = length,
                                     .n_buffers = 1,
                                     .buffers = column->root_buffers,
                                     .n_children = 1,
                                     .children = column->root_children,
                                     .release = release_nothing};
  column->root_children[0] = &column->array;
  column->children[0] = &column->child;
}

/* One child of int32 below the column. */
static void column_add_child(struct column *column, int64_t length) {
  static const int32_t numbers[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  struct ArrowSchema *schema = column->schema.children[0];
  assert_int_equal(ArrowSchemaAllocateChildren(schema, 1), 0);
  ArrowSchemaInit(schema->children[0]);
  assert_int_equal(ArrowSchemaSetFormat(schema->children[0], "i"), 0);
  column->array.n_children = 1;
  column->child = (struct ArrowArray){.length = length,
                                      .n_buffers = 2,
                                      .buffers = column->child_buffers,
                                      .release = release_nothing};
  column->child_buffers[1] = block(column, numbers, (size_t)length * sizeof(numbers[0]));
}

static void column_deinit(struct column *column) {
  for (size_t i = 0; i < column->block_count; i++) {
    ap_free(ap_allocator_system(), column->blocks[i]);
  }
  column->schema.release(&column->schema);
}

static void accept(struct column *column) {
  ap_error err = {0};
  check_ok(ap_array_validate(&column->schema, &column->root, &err), &err);
}

static void refuse(struct column *column, const char *part) {
  ap_error err = {0};
  check_status(ap_array_validate(&column->schema, &column->root, &err), AP_INVALID_ARGUMENT, &err);
  check_contains(err.message, part);
}

static void refuse_column(struct column *column, const char *part) {
  ap_error err = {0};
  check_status(ap_array_validate(&column->schema, &column->root, &err), AP_INVALID_ARGUMENT, &err);
  check_contains(err.message, part);
  check_contains(err.message, "'amount'");
}

static void make_ints(struct column *column) {
  static const int32_t numbers[3] = {1, 2, 3};
  static const uint8_t validity[1] = {5};
  column_init(column, "i", 3, 2);
  column->buffers[0] = BLOCK(column, validity);
  column->buffers[1] = BLOCK(column, numbers);
  column->array.null_count = 1;
}

static void test_shapes(void **state) {
  struct column column;
  (void)state;
  make_ints(&column);
  accept(&column);
  column.array.null_count = -1;
  accept(&column);
  column.array.null_count = 4;
  refuse_column(&column, "4 nulls in 3 rows");
  column.array.null_count = -2;
  refuse_column(&column, "-2 nulls");
  column.array.null_count = 1;
  column.buffers[0] = NULL;
  refuse_column(&column, "no validity");
  column.array.null_count = 0;
  accept(&column);
  column.array.length = -1;
  refuse(&column, "-1 rows");
  column.array.length = 2;
  refuse(&column, "2 rows where 3 are promised");
  column.array.length = 3;
  column.array.offset = -1;
  refuse_column(&column, "offset -1");
  column.array.offset = INT64_MAX;
  refuse_column(&column, "offset 9223372036854775807");
  column.array.offset = INT64_MAX - 3;
  refuse_column(&column, "overflow");
  column.array.offset = 0;
  column.array.n_buffers = 3;
  refuse_column(&column, "3 buffers");
  column.array.n_buffers = 2;
  column.array.buffers = NULL;
  refuse_column(&column, "no buffers");
  column.array.buffers = column.buffers;
  const void *numbers = column.buffers[1];
  column.buffers[1] = NULL;
  refuse_column(&column, "buffer 1 is missing");
  column.buffers[1] = numbers;
  column.array.n_children = 1;
  refuse_column(&column, "1 children");
  column.array.n_children = 0;
  column.array.dictionary = &column.dictionary;
  refuse_column(&column, "dictionary");
  column.array.dictionary = NULL;
  column.array.release = NULL;
  refuse(&column, "released");
  column_deinit(&column);
}

static void test_top(void **state) {
  static const uint8_t some[1] = {6};
  static const uint8_t all[1] = {7};
  struct column column;
  (void)state;
  make_ints(&column);
  column.root.null_count = -1;
  column.root_buffers[0] = BLOCK(&column, all);
  accept(&column);
  column.root_buffers[0] = BLOCK(&column, some);
  refuse(&column, "row 0 as a whole is null");
  column.root.length = 1;
  column.root.offset = 1;
  accept(&column);
  column.root.offset = 3;
  refuse(&column, "3 rows where 4 are promised");
  column.root.offset = 0;
  column.root.children = NULL;
  refuse(&column, "no children");
  column_deinit(&column);
}

static void test_offsets(void **state) {
  static const int32_t honest[4] = {0, 3, 3, 6};
  static const int32_t falling[4] = {0, 3, 2, 6};
  static const int32_t negative[4] = {-1, 3, 3, 6};
  static const char text[6] = {'a', 'b', 'c', 'd', 'e', 'f'};
  struct column column;
  (void)state;
  column_init(&column, "u", 3, 3);
  column.buffers[1] = BLOCK(&column, honest);
  column.buffers[2] = BLOCK(&column, text);
  accept(&column);
  column.buffers[1] = BLOCK(&column, falling);
  refuse_column(&column, "offset 2 of row 2 is below the one before, 3");
  column.buffers[1] = BLOCK(&column, negative);
  refuse_column(&column, "the first offset is -1");
  /* Rows before the array's offset are not looked at. */
  column.array.offset = 2;
  column.array.length = 1;
  column.root.length = 1;
  accept(&column);
  column.array.offset = 0;
  column.array.length = 3;
  column.root.length = 3;
  column.buffers[1] = BLOCK(&column, honest);
  const void *data = column.buffers[2];
  column.buffers[2] = NULL;
  refuse_column(&column, "buffer 2 is missing");
  column.buffers[2] = data;
  column.buffers[1] = NULL;
  refuse_column(&column, "buffer 1 is missing");
  column.array.length = 0;
  column.root.length = 0;
  accept(&column); /* of no rows nothing is promised */
  column_deinit(&column);
}

static void test_text(void **state) {
  static const int64_t offsets[4] = {0, 2, 4, 16};
  static const char text[16] =
      "\xc3\xa4\xff\xfe"
      "abcdefghijkl";
  static const uint8_t validity[1] = {5};
  struct column column;
  (void)state;
  column_init(&column, "U", 3, 3);
  column.buffers[1] = BLOCK(&column, offsets);
  column.buffers[2] = BLOCK(&column, text);
  refuse_column(&column, "row 1 is not valid UTF-8");
  column.buffers[0] = BLOCK(&column, validity);
  column.array.null_count = 1;
  accept(&column); /* what lies under a null is nobody's */
  column.array.null_count = 0;
  column.buffers[0] = NULL;
  assert_int_equal(ArrowSchemaSetFormat(column.schema.children[0], "Z"), 0);
  accept(&column); /* bytes may be anything */
  column_deinit(&column);
}

static void test_lists(void **state) {
  static const int32_t honest[4] = {0, 2, 2, 4};
  static const int32_t far[4] = {0, 2, 2, 5};
  struct column column;
  (void)state;
  column_init(&column, "+l", 3, 2);
  column_add_child(&column, 4);
  column.buffers[1] = BLOCK(&column, honest);
  accept(&column);
  column.buffers[1] = BLOCK(&column, far);
  refuse_column(&column, "child 0 has 4 rows where 5 are promised");
  column.buffers[1] = column.blocks[1];
  column.child.release = NULL;
  refuse_column(&column, "child 0 was released");
  column.child.release = release_nothing;
  column.child_buffers[1] = NULL;
  refuse_column(&column, "buffer 1 is missing");
  column_deinit(&column);
}

static void test_list_views(void **state) {
  static const int32_t offsets[3] = {2, 0, 2};
  static const int32_t sizes[3] = {2, 0, 1};
  static const int32_t long_sizes[3] = {2, 0, 3};
  static const int32_t negative_sizes[3] = {2, -1, 1};
  struct column column;
  (void)state;
  column_init(&column, "+vl", 3, 3);
  column_add_child(&column, 4);
  column.buffers[1] = BLOCK(&column, offsets);
  column.buffers[2] = BLOCK(&column, sizes);
  accept(&column);
  column.buffers[2] = BLOCK(&column, long_sizes);
  refuse_column(&column, "the list of row 2 is 3 long at 2 of 4");
  column.buffers[2] = BLOCK(&column, negative_sizes);
  refuse_column(&column, "the list of row 1 is -1 long");
  column_deinit(&column);
}

static void test_fixed_lists(void **state) {
  struct column column;
  (void)state;
  column_init(&column, "+w:2", 3, 1);
  column_add_child(&column, 6);
  accept(&column);
  column.array.offset = 1;
  refuse_column(&column, "child 0 has 6 rows where 8 are promised");
  column.array.offset = INT64_MAX / 2;
  refuse_column(&column, "overflow");
  column_deinit(&column);
}

static void test_dictionaries(void **state) {
  static const int8_t honest[3] = {1, 0, 1};
  static const int8_t far[3] = {1, 0, 2};
  static const int8_t negative[3] = {1, -1, 0};
  static const uint8_t validity[1] = {5};
  static const int32_t numbers[2] = {10, 20};
  struct column column;
  (void)state;
  column_init(&column, "c", 3, 2);
  assert_int_equal(ArrowSchemaAllocateDictionary(column.schema.children[0]), 0);
  ArrowSchemaInit(column.schema.children[0]->dictionary);
  assert_int_equal(ArrowSchemaSetFormat(column.schema.children[0]->dictionary, "i"), 0);
  column.array.dictionary = &column.dictionary;
  column.dictionary = (struct ArrowArray){.length = 2,
                                          .n_buffers = 2,
                                          .buffers = column.dictionary_buffers,
                                          .release = release_nothing};
  column.dictionary_buffers[1] = BLOCK(&column, numbers);
  column.buffers[1] = BLOCK(&column, honest);
  accept(&column);
  column.buffers[1] = BLOCK(&column, far);
  refuse_column(&column, "row 2 has index 2 into a dictionary of 2");
  column.buffers[1] = BLOCK(&column, negative);
  refuse_column(&column, "row 1 has index -1");
  column.buffers[0] = BLOCK(&column, validity);
  column.array.null_count = 1;
  accept(&column); /* the index under a null is nobody's */
  column.dictionary.length = -1;
  refuse_column(&column, "length -1");
  column_deinit(&column);
}

struct view {
  int32_t size;
  char prefix[4];
  int32_t buffer;
  int32_t offset;
};

static void refuse_view(struct column *column, struct view *view, const char *part) {
  struct view views[2] = {{.size = 2, .prefix = "ok"}, *view};
  column->block_count--;
  ap_free(ap_allocator_system(), column->blocks[column->block_count]);
  column->buffers[1] = BLOCK(column, views);
  if (part == NULL) {
    accept(column);
  } else {
    refuse_column(column, part);
  }
}

static void test_views(void **state) {
  static const char data[20] = "twenty bytes of text";
  static const int64_t sizes[1] = {20};
  static const int64_t negative[1] = {-1};
  struct view view = {20, "twen", 0, 0};
  struct column column;
  (void)state;
  column_init(&column, "vu", 2, 4);
  column.buffers[2] = BLOCK(&column, data);
  column.buffers[3] = BLOCK(&column, sizes);
  (void)BLOCK(&column, negative); /* replaced by the views */
  refuse_view(&column, &view, NULL);
  view.size = -1;
  refuse_view(&column, &view, "the view of row 1 is -1 long");
  view.size = 21;
  refuse_view(&column, &view, "ends at 21 of 20 bytes");
  view = (struct view){20, "twen", 1, 0};
  refuse_view(&column, &view, "data buffer 1 of 1");
  view.buffer = -1;
  refuse_view(&column, &view, "data buffer -1 of 1");
  view = (struct view){13, "twen", 0, -1};
  refuse_view(&column, &view, "ends at 12");
  view = (struct view){13, "twex", 0, 0};
  refuse_view(&column, &view, "prefix");
  view = (struct view){2, "\xff\xff", 0, 0};
  refuse_view(&column, &view, "row 1 is not valid UTF-8");
  view = (struct view){20, "twen", 0, 0};
  refuse_view(&column, &view, NULL);
  column.buffers[3] = BLOCK(&column, negative);
  refuse_column(&column, "data buffer 0 is -1 long");
  column.buffers[3] = NULL;
  refuse_column(&column, "buffer 3 is missing");
  column.array.n_buffers = 2;
  refuse_column(&column, "2 buffers");
  column_deinit(&column);
}

static void test_null_columns(void **state) {
  struct column column;
  (void)state;
  column_init(&column, "n", 3, 0);
  column.array.null_count = 3;
  accept(&column);
  column.array.n_buffers = 1; /* as older producers hand them over */
  accept(&column);
  column.array.n_buffers = 2;
  refuse_column(&column, "2 buffers");
  column_deinit(&column);
}

static void test_unsupported(void **state) {
  struct column column;
  ap_error err = {0};
  (void)state;
  column_init(&column, "+us:", 0, 1);
  check_status(ap_array_validate(&column.schema, &column.root, &err), AP_UNSUPPORTED, &err);
  check_contains(err.message, "'amount'");
  column_deinit(&column);
  column_init(&column, "i", 0, 2);
  assert_int_equal(ArrowSchemaSetFormat(&column.schema, "i"), 0);
  refuse(&column, "broken Arrow schema");
  column_deinit(&column);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_shapes),      cmocka_unit_test(test_top),
      cmocka_unit_test(test_offsets),     cmocka_unit_test(test_text),
      cmocka_unit_test(test_lists),       cmocka_unit_test(test_list_views),
      cmocka_unit_test(test_fixed_lists), cmocka_unit_test(test_dictionaries),
      cmocka_unit_test(test_views),       cmocka_unit_test(test_null_columns),
      cmocka_unit_test(test_unsupported),
  };
  return AP_RUN_TESTS(tests);
}
