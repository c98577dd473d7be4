/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: a schema message that is small but describes without end is refused at once; so is one
 * whose types and children do not fit.
 * Method: FlatBuffers built by hand whose fields share their children, so that every level doubles
 * what a naive walk would visit.
 */
#include "arrow/ipc_schema.h"

#include "testing/check.h"

/* Tables are written parents first, as offsets lead forward; patched once the child is placed. */
static void put_u16(struct ap_buffer *out, uint16_t number) {
  ap_buffer_append(out, &number, sizeof(number));
}

static void put_u32(struct ap_buffer *out, uint32_t number) {
  ap_buffer_append(out, &number, sizeof(number));
}

static void patch(struct ap_buffer *out, size_t at, size_t target) {
  uint32_t distance = (uint32_t)(target - at);
  memcpy(out->data + at, &distance, sizeof(distance));
}

/* A table with one offset field; where the field lies is stored. */
static size_t put_table(struct ap_buffer *out, uint16_t field, size_t *out_field_at) {
  uint16_t vtable_size = (uint16_t)(4 + 2 * (field + 1));
  put_u16(out, vtable_size);
  put_u16(out, 8); /* the table: distance to the vtable, one offset */
  for (uint16_t i = 0; i < field; i++) put_u16(out, 0);
  put_u16(out, 4);
  size_t at = out->size;
  put_u32(out, vtable_size);
  *out_field_at = out->size;
  put_u32(out, 0);
  return at;
}

/* A vector of `count` offsets, all to be patched to one place. */
static size_t put_vector(struct ap_buffer *out, uint32_t count) {
  size_t at = out->size;
  put_u32(out, count);
  for (uint32_t i = 0; i < count; i++) put_u32(out, 0);
  return at;
}

static void patch_vector(struct ap_buffer *out, size_t vector, uint32_t count, size_t target) {
  for (uint32_t i = 0; i < count; i++) patch(out, vector + 4 + 4 * (size_t)i, target);
}

static ap_status read_schema(const struct ap_buffer *bytes, ap_error *err) {
  struct ap_flat flat = {(const uint8_t *)bytes->data, bytes->size};
  struct ap_flat_table root = {0};
  struct ArrowSchema schema = {0};
  struct ap_ipc_dictionary *dictionaries = NULL;
  uint32_t count = 0;
  assert_true(ap_flat_root(&flat, &root));
  ap_status status =
      ap_ipc_schema_read(&root, ap_allocator_system(), &schema, &dictionaries, &count, err);
  if (schema.release != NULL) schema.release(&schema);
  ap_free(ap_allocator_system(), dictionaries);
  return status;
}

enum { TYPE_STRUCT = 13, TYPE_MAP = 17 };

/* Field with a type of no parameters, and children. */
static size_t put_field(struct ap_buffer *out, uint32_t type, size_t *out_children_at) {
  static const uint16_t vtable[9] = {18, 16, 0, 0, 12, 4, 0, 8, 0};
  ap_buffer_append(out, vtable, sizeof(vtable));
  put_u16(out, 0); /* keeps the table aligned */
  size_t at = out->size;
  put_u32(out, sizeof(vtable) + 2);
  size_t type_at = out->size;
  put_u32(out, 0);
  *out_children_at = out->size;
  put_u32(out, 0);
  put_u32(out, type);
  static const uint16_t empty_vtable[2] = {4, 4};
  ap_buffer_append(out, empty_vtable, sizeof(empty_vtable));
  patch(out, type_at, out->size);
  put_u32(out, sizeof(empty_vtable));
  return at;
}

static ap_status read_shared_structs(uint32_t width, int levels, ap_error *err) {
  struct ap_buffer bytes;
  size_t field_at = 0;
  ap_buffer_init(&bytes, ap_allocator_system());
  put_u32(&bytes, 0);
  patch(&bytes, 0, put_table(&bytes, 1, &field_at));
  for (int level = 0; level < levels; level++) {
    size_t vector = put_vector(&bytes, width);
    patch(&bytes, field_at, vector);
    size_t child = put_field(&bytes, TYPE_STRUCT, &field_at);
    patch_vector(&bytes, vector, width, child);
  }
  patch(&bytes, field_at, put_vector(&bytes, 0));
  ap_status status = read_schema(&bytes, err);
  ap_buffer_deinit(&bytes);
  return status;
}

static void test_doubling_structs(void **state) {
  ap_error err = {0};
  (void)state;
  check_ok(read_shared_structs(1, 20, &err), &err); /* the builder builds what is honest */
  check_status(read_shared_structs(2, 30, &err), AP_CORRUPT, &err);
  check_status(read_shared_structs(1, 40, &err), AP_UNSUPPORTED, &err);
  check_contains(err.message, "nests deeper");
}

/* A map without entries is no map, even where no batch follows. */
static void test_type_and_children_must_fit(void **state) {
  struct ap_buffer bytes;
  size_t field_at = 0;
  ap_error err = {0};
  (void)state;
  ap_buffer_init(&bytes, ap_allocator_system());
  put_u32(&bytes, 0);
  patch(&bytes, 0, put_table(&bytes, 1, &field_at));
  size_t vector = put_vector(&bytes, 1);
  patch(&bytes, field_at, vector);
  patch_vector(&bytes, vector, 1, put_field(&bytes, TYPE_MAP, &field_at));
  patch(&bytes, field_at, put_vector(&bytes, 0));
  check_status(read_schema(&bytes, &err), AP_CORRUPT, &err);
  check_contains(err.message, "map");
  ap_buffer_deinit(&bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_doubling_structs),
      cmocka_unit_test(test_type_and_children_must_fit),
  };
  return AP_RUN_TESTS(tests);
}
