/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: the bytes are those of Thrift's compact protocol. Method: bytes written by hand from its
 * specification: field headers short and long, zigzag numbers, lists short and long, nesting.
 */
#include "cell/thrift.h"

#include "testing/check.h"

static void check_bytes(struct ap_buffer *out, const char *expected, size_t size) {
  assert_int_equal(out->size, size);
  assert_memory_equal(out->data, expected, size);
  ap_buffer_clear(out);
}
#define CHECK_BYTES(out, literal) check_bytes((out), (literal), sizeof(literal) - 1)

static void test_numbers(void **state) {
  (void)state;
  struct ap_buffer out;
  ap_buffer_init(&out, ap_allocator_system());
  ap_varint_append(&out, 0);
  ap_varint_append(&out, 127);
  ap_varint_append(&out, 128);
  ap_varint_append(&out, UINT64_MAX);
  CHECK_BYTES(&out, "\x00\x7f\x80\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
  struct ap_thrift thrift;
  ap_thrift_init(&thrift, &out);
  ap_thrift_i32(&thrift, 1, -1);
  ap_thrift_i32(&thrift, 2, INT32_MIN);
  ap_thrift_i64(&thrift, 3, INT64_MAX);
  ap_thrift_i64(&thrift, 18, INT64_MIN); /* 15 further: short still */
  ap_thrift_i8(&thrift, 34, -2);         /* 16 further: the number itself */
  ap_thrift_end(&thrift);
  CHECK_BYTES(&out,
              "\x15\x01"
              "\x15\xff\xff\xff\xff\x0f"
              "\x16\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"
              "\xf6\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
              "\x03\x44\xfe"
              "\x00");
  ap_buffer_deinit(&out);
}

static void test_structs_lists_and_texts(void **state) {
  (void)state;
  struct ap_buffer out;
  struct ap_thrift thrift;
  ap_buffer_init(&out, ap_allocator_system());
  ap_thrift_init(&thrift, &out);
  ap_thrift_bool(&thrift, 1, true);
  ap_thrift_bool(&thrift, 2, false);
  ap_thrift_binary(&thrift, 4, AP_TEXT("ab"));
  ap_thrift_struct(&thrift, 5);
  ap_thrift_i32(&thrift, 1, 1); /* counts from the inner struct's own start */
  ap_thrift_end(&thrift);
  ap_thrift_list(&thrift, 6, AP_THRIFT_STRUCT, 2);
  ap_thrift_element_struct(&thrift);
  ap_thrift_i32(&thrift, 2, 0);
  ap_thrift_end(&thrift);
  ap_thrift_element_struct(&thrift);
  ap_thrift_end(&thrift);
  ap_thrift_list(&thrift, 7, AP_THRIFT_BINARY, 1);
  ap_thrift_element_binary(&thrift, AP_TEXT(""));
  ap_thrift_end(&thrift);
  CHECK_BYTES(&out,
              "\x11\x12\x28\x02"
              "ab"
              "\x1c\x15\x02\x00"
              "\x19\x2c\x25\x00\x00\x00"
              "\x19\x18\x00"
              "\x00");
  ap_thrift_init(&thrift, &out);
  ap_thrift_list(&thrift, 1, AP_THRIFT_I32, 14);
  for (int32_t i = 0; i < 14; ++i) ap_thrift_element_i32(&thrift, 0);
  ap_thrift_list(&thrift, 2, AP_THRIFT_I32, 15);
  for (int32_t i = 0; i < 15; ++i) ap_thrift_element_i32(&thrift, 0);
  assert_int_equal((unsigned char)out.data[1], 0xe5);
  assert_int_equal((unsigned char)out.data[17], 0xf5);
  assert_int_equal(out.data[18], 15);
  assert_int_equal(out.size, 2 + 14 + 3 + 15);
  ap_buffer_deinit(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_structs_lists_and_texts),
  };
  return AP_RUN_TESTS(tests);
}
