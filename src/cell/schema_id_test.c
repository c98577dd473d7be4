/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: a schema's id never changes, because it is stored in tags, and tells schemas apart.
 * Method: golden numbers, which were also computed by an independent Python program of the same
 * definition; small differences that must and must not count.
 */
#include "cell/cell.h"

#include "testing/check.h"

static struct ap_field field(const char *name, struct ap_type type) {
  return (struct ap_field){.name = ap_text_of(name), .type = type, .nullable = true};
}

static struct ap_type plain(enum ap_type_kind kind) {
  return (struct ap_type){.kind = kind};
}

static uint64_t id_of(const struct ap_field *fields, uint32_t count) {
  struct ap_schema schema = {count, fields};
  return ap_schema_id(&schema);
}

static void check_id(uint64_t actual, uint64_t expected) {
  if (actual != expected) fail_msg("id is 0x%016llx", (unsigned long long)actual);
}

static void test_golden(void **state) {
  (void)state;
  check_id(id_of(NULL, 0), 0x7bd3144f29c0cc9eu);
  struct ap_field orders[] = {
      field("id", plain(AP_TYPE_INT64)), field("name", plain(AP_TYPE_STRING)),
      field("price", (struct ap_type){.kind = AP_TYPE_DECIMAL, .precision = 10, .scale = 2})};
  check_id(id_of(orders, 3), 0xa0866acfe7ad3266u);
  /* Every kind there is, once. */
  struct ap_field all[AP_TYPE_LIST];
  for (int kind = 0; kind < AP_TYPE_LIST; kind++) {
    all[kind] = field("c", plain((enum ap_type_kind)kind));
  }
  all[AP_TYPE_DECIMAL].type.precision = 38;
  check_id(id_of(all, AP_TYPE_LIST), 0x0f52ce633acb53d7u);
  struct ap_field point[] = {field("x", plain(AP_TYPE_FLOAT64)), field("y", plain(AP_TYPE_INT8))};
  struct ap_field nested[] = {
      field("s", (struct ap_type){.kind = AP_TYPE_STRUCT, .field_count = 2, .fields = point}),
      field("l", (struct ap_type){.kind = AP_TYPE_LIST, .field_count = 1, .fields = point}),
      field("m", (struct ap_type){.kind = AP_TYPE_MAP, .field_count = 2, .fields = point}),
      field("t", (struct ap_type){.kind = AP_TYPE_TIMESTAMP, .unit = AP_UNIT_NANOSECOND})};
  check_id(id_of(nested, 4), 0x7c021bfd59c89c5cu);
}

static void test_what_counts(void **state) {
  (void)state;
  struct ap_field base[] = {field("a", plain(AP_TYPE_INT32)), field("b", plain(AP_TYPE_STRING))};
  uint64_t id = id_of(base, 2);
  struct ap_field other[] = {base[0], base[1]};
  other[0].nullable = false;
  other[1].metadata = &(const struct ap_json){.kind = AP_JSON_OBJECT};
  assert_true(id_of(other, 2) == id);
  other[0] = field("A", plain(AP_TYPE_INT32));
  assert_true(id_of(other, 2) != id);
  other[0] = field("a", plain(AP_TYPE_INT64));
  assert_true(id_of(other, 2) != id);
  struct ap_field swapped[] = {base[1], base[0]};
  assert_true(id_of(swapped, 2) != id);
  assert_true(id_of(base, 1) != id);
  /* Names may hold anything, yet cannot run into their neighbours. */
  struct ap_field joined[] = {field("ab", plain(AP_TYPE_INT32)), field("", plain(AP_TYPE_INT32))};
  struct ap_field parted[] = {field("a", plain(AP_TYPE_INT32)), field("b", plain(AP_TYPE_INT32))};
  assert_true(id_of(joined, 2) != id_of(parted, 2));
  struct ap_field narrow =
      field("d", (struct ap_type){.kind = AP_TYPE_DECIMAL, .precision = 10, .scale = 2});
  struct ap_field wide = narrow;
  wide.type.scale = 3;
  assert_true(id_of(&narrow, 1) != id_of(&wide, 1));
}

static void test_names_of_children(void **state) {
  (void)state;
  struct ap_field element = field("element", plain(AP_TYPE_INT8));
  struct ap_field item = field("item", plain(AP_TYPE_INT8));
  struct ap_field with_element =
      field("c", (struct ap_type){.kind = AP_TYPE_LIST, .field_count = 1, .fields = &element});
  struct ap_field with_item = with_element;
  with_item.type.fields = &item;
  assert_true(id_of(&with_element, 1) == id_of(&with_item, 1));
  with_element.type.kind = with_item.type.kind = AP_TYPE_STRUCT;
  assert_true(id_of(&with_element, 1) != id_of(&with_item, 1));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_golden),
      cmocka_unit_test(test_what_counts),
      cmocka_unit_test(test_names_of_children),
  };
  return AP_RUN_TESTS(tests);
}
