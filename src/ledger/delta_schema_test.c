/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: schemas come back from their Delta JSON as they went, other writers' schemas are read to
 * the letter, and malformed ones are refused by name. Method: round trips of random types, the
 * protocol's own example, hand-made errors.
 */
#include "ledger/delta_schema.h"

#include "testing/alloc.h"
#include "testing/check.h"
#include "testing/random.h"

#include <stdio.h>

struct fixture {
  struct ap_arena arena;
  struct ap_schema logical;
  struct ap_schema physical;
  ap_error err;
};

static int set_up(void **state) {
  static struct fixture fixture;
  fixture = (struct fixture){0};
  ap_arena_init(&fixture.arena, ap_allocator_system());
  *state = &fixture;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *fixture = *state;
  ap_arena_deinit(&fixture->arena);
  return 0;
}

static ap_status parse(struct fixture *fixture, const char *json, bool mapped) {
  return ap_delta_schema_parse(&fixture->arena, ap_text_of(json), mapped, &fixture->logical,
                               &fixture->physical, &fixture->err);
}

static struct ap_type random_type(struct ap_arena *arena, struct ap_random *random, int depth) {
  uint64_t kinds = depth > 0 ? AP_TYPE_MAP : AP_TYPE_TIMESTAMP_TZ;
  struct ap_type type = {.kind = (enum ap_type_kind)(1 + ap_random_below(random, kinds))};
  if (type.kind == AP_TYPE_DECIMAL) {
    type.precision = (uint8_t)(1 + ap_random_below(random, 38));
    type.scale = (uint8_t)ap_random_below(random, type.precision + 1u);
  }
  uint32_t count = type.kind == AP_TYPE_LIST     ? 1
                   : type.kind == AP_TYPE_MAP    ? 2
                   : type.kind == AP_TYPE_STRUCT ? (uint32_t)(1 + ap_random_below(random, 3))
                                                 : 0;
  if (count == 0) return type;
  struct ap_field *fields = AP_ARENA_ARRAY(arena, struct ap_field, count);
  for (uint32_t i = 0; i < count; i++) {
    const char *name = type.kind == AP_TYPE_LIST  ? "element"
                       : type.kind == AP_TYPE_MAP ? (i ? "value" : "key")
                                                  : ap_arena_format(arena, "f \"%u\" ü", i);
    fields[i] = (struct ap_field){.name = ap_text_of(name),
                                  .type = random_type(arena, random, depth - 1),
                                  .nullable = ap_random_below(random, 2) == 0};
    if (type.kind == AP_TYPE_MAP && i == 0) fields[i].nullable = false;
  }
  type.fields = fields;
  type.field_count = count;
  return type;
}

static void round_trips(void **state) {
  struct fixture *fixture = *state;
  struct ap_seeded_random random;
  ap_seeded_random_init(&random, ap_test_seed("round_trips"));
  uint64_t rounds = ap_test_rounds(2000);
  for (uint64_t round = 0; round < rounds; round++) {
    struct ap_arena arena;
    struct ap_buffer json;
    struct ap_schema logical;
    struct ap_schema physical;
    ap_arena_init(&arena, ap_allocator_system());
    ap_buffer_init(&json, ap_allocator_system());
    struct ap_field field = {.name = AP_TEXT("c"),
                             .type = random_type(&arena, &random.base, 4),
                             .nullable = round % 2 == 0};
    struct ap_schema schema = {1, &field};
    ap_delta_schema_append(&json, &schema);
    check_ok(ap_delta_schema_parse(&arena, ap_buffer_text(&json), false, &logical, &physical,
                                   &fixture->err),
             &fixture->err);
    if (!ap_schema_equal(&schema, &logical)) fail_msg("%s", json.data);
    /* what others see has no type that Delta lacks */
    for (int kind = AP_TYPE_UINT8; kind <= AP_TYPE_FLOAT16; kind++) {
      assert_false(ap_delta_schema_has_kind(&physical, (enum ap_type_kind)kind));
    }
    assert_false(ap_delta_schema_has_kind(&physical, AP_TYPE_TIME));
    ap_buffer_deinit(&json);
    ap_arena_deinit(&arena);
  }
}

static void reads_the_example_of_the_protocol(void **state) {
  struct fixture *fixture = *state;
  check_ok(
      parse(fixture,
            "{ \"type\" : \"struct\", \"fields\" : [ { \"name\" : \"a\", \"type\" : \"integer\","
            " \"nullable\" : false, \"metadata\" : { } }, { \"name\" : \"b\", \"type\" : {"
            " \"type\" : \"struct\", \"fields\" : [ { \"name\" : \"d\", \"type\" : \"integer\","
            " \"nullable\" : false, \"metadata\" : { } } ] }, \"nullable\" : true, \"metadata\" :"
            " { } }, { \"name\" : \"c\", \"type\" : { \"type\" : \"array\", \"elementType\" :"
            " \"integer\", \"containsNull\" : false }, \"nullable\" : true, \"metadata\" : { } }, {"
            " \"name\" : \"f\", \"type\" : { \"type\" : \"map\", \"keyType\" : \"string\","
            " \"valueType\" : \"string\", \"valueContainsNull\" : true }, \"nullable\" : true,"
            " \"metadata\" : { } } ] }",
            false),
      &fixture->err);
  assert_int_equal(fixture->logical.field_count, 4);
  assert_int_equal(fixture->logical.fields[0].type.kind, AP_TYPE_INT32);
  assert_false(fixture->logical.fields[0].nullable);
  assert_int_equal(fixture->logical.fields[1].type.fields[0].type.kind, AP_TYPE_INT32);
  assert_int_equal(fixture->logical.fields[2].type.kind, AP_TYPE_LIST);
  assert_false(fixture->logical.fields[2].type.fields[0].nullable);
  assert_int_equal(fixture->logical.fields[3].type.kind, AP_TYPE_MAP);
  assert_false(fixture->logical.fields[3].type.fields[0].nullable);
  assert_true(fixture->logical.fields[3].type.fields[1].nullable);
}

static void maps_columns_at_every_depth(void **state) {
  struct fixture *fixture = *state;
  const char *json =
      "{\"type\":\"struct\",\"fields\":[{\"name\":\"e\",\"type\":{\"type\":\"array\","
      "\"elementType\":{\"type\":\"struct\",\"fields\":[{\"name\":\"d\",\"type\":\"integer\","
      "\"nullable\":false,\"metadata\":{\"delta.columnMapping.id\":5,"
      "\"delta.columnMapping.physicalName\":\"col-inner\"}}]},\"containsNull\":true},"
      "\"nullable\":true,\"metadata\":{\"delta.columnMapping.id\":4,"
      "\"delta.columnMapping.physicalName\":\"col-outer\"}}]}";
  check_ok(parse(fixture, json, true), &fixture->err);
  check_text(fixture->logical.fields[0].name, "e");
  check_text(fixture->physical.fields[0].name, "col-outer");
  check_text(fixture->logical.fields[0].type.fields[0].type.fields[0].name, "d");
  check_text(fixture->physical.fields[0].type.fields[0].type.fields[0].name, "col-inner");
  assert_true(ap_delta_schema_has_metadata(&fixture->logical, "delta.columnMapping."));
  assert_false(ap_delta_schema_has_metadata(&fixture->logical, "delta.columnMapping"));
  check_ok(parse(fixture, json, false), &fixture->err);
  check_text(fixture->physical.fields[0].name, "e");
  const char *unmapped =
      "{\"type\":\"struct\",\"fields\":[{\"name\":\"e\",\"type\":\"long\",\"nullable\":true,"
      "\"metadata\":{}}]}";
  check_status(parse(fixture, unmapped, true), AP_CORRUPT, &fixture->err);
  check_contains(fixture->err.message, "'e'");
}

static void remembers_types_delta_lacks(void **state) {
  struct fixture *fixture = *state;
  struct ap_field fields[] = {
      {.name = AP_TEXT("u"), .type = {.kind = AP_TYPE_UINT64}, .nullable = true},
      {.name = AP_TEXT("t"), .type = {.kind = AP_TYPE_TIME}, .nullable = true}};
  struct ap_schema schema = {2, fields};
  struct ap_buffer json;
  ap_buffer_init(&json, ap_allocator_system());
  ap_delta_schema_append(&json, &schema);
  assert_string_equal(json.data,
                      "{\"type\":\"struct\",\"fields\":[{\"name\":\"u\",\"type\":\"decimal(20,0)\","
                      "\"nullable\":true,\"metadata\":{\"apiary.type\":\"uint64\"}},"
                      "{\"name\":\"t\",\"type\":\"long\",\"nullable\":true,"
                      "\"metadata\":{\"apiary.type\":\"time\"}}]}");
  ap_buffer_deinit(&json);
  /* somebody else changed the stored type: our word does not apply any more */
  check_ok(parse(fixture,
                 "{\"type\":\"struct\",\"fields\":[{\"name\":\"u\",\"type\":\"string\","
                 "\"nullable\":true,\"metadata\":{\"apiary.type\":\"uint64\"}}]}",
                 false),
           &fixture->err);
  assert_int_equal(fixture->logical.fields[0].type.kind, AP_TYPE_STRING);
}

static void refuses_by_name(void **state) {
  struct fixture *fixture = *state;
  static const struct {
    const char *type;
    ap_status status;
    const char *part;
  } cases[] = {
      {"\"void\"", AP_UNSUPPORTED, "'void'"},
      {"\"variant\"", AP_UNSUPPORTED, "'variant'"},
      {"\"decimal(39,0)\"", AP_UNSUPPORTED, "'decimal(39,0)'"},
      {"\"decimal(5,6)\"", AP_UNSUPPORTED, "'decimal(5,6)'"},
      {"\"decimal(5,2)x\"", AP_UNSUPPORTED, "'c'"},
      {"{\"type\":\"array\"}", AP_CORRUPT, "'c'"},
      {"{\"type\":\"struct\",\"fields\":7}", AP_CORRUPT, "'c'"},
      {"{\"type\":\"interval\"}", AP_UNSUPPORTED, "'interval'"},
      {"{\"type\":7}", AP_CORRUPT, "'c'"},
      {"7", AP_CORRUPT, "'c'"},
      {"null", AP_CORRUPT, "'c'"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char json[256];
    (void)snprintf(json, sizeof(json),
                   "{\"type\":\"struct\",\"fields\":[{\"name\":\"c\",\"type\":%s,\"nullable\":true,"
                   "\"metadata\":{}}]}",
                   cases[i].type);
    ap_error_clear(&fixture->err);
    check_status(parse(fixture, json, false), cases[i].status, &fixture->err);
    check_contains(fixture->err.message, cases[i].part);
  }
  static const char *const broken[] = {
      "",
      "7",
      "{}",
      "{\"type\":\"struct\"}",
      "{\"type\":\"long\"}",
      "\"long\"",
      "{\"type\":\"struct\",\"fields\":[7]}",
      "{\"type\":\"struct\",\"fields\":[{}]}",
      "{\"type\":\"struct\",\"fields\":[{\"name\":\"\",\"type\":\"long\"}]}",
      "{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":\"long\",\"nullable\":1}]}",
      "{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":\"long\",\"metadata\":1}]}"};
  for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
    ap_status status = parse(fixture, broken[i], false);
    assert_true(status == AP_CORRUPT || status == AP_UNSUPPORTED);
  }
}

static void refuses_bottomless_types(void **state) {
  struct fixture *fixture = *state;
  struct ap_buffer json;
  ap_buffer_init(&json, ap_allocator_system());
  ap_buffer_append_string(&json, "{\"type\":\"struct\",\"fields\":[{\"name\":\"c\",\"type\":");
  for (int i = 0; i < 60; i++) {
    ap_buffer_append_string(&json, "{\"type\":\"array\",\"elementType\":");
  }
  ap_buffer_append_string(&json, "\"long\"");
  for (int i = 0; i < 60; i++) ap_buffer_append_string(&json, "}");
  ap_buffer_append_string(&json, "}]}");
  check_status(parse(fixture, json.data, false), AP_CORRUPT, &fixture->err);
  check_contains(fixture->err.message, "too deep");
  ap_buffer_deinit(&json);
}

static ap_status parse_once(void *context, struct ap_allocator *allocator, ap_error *err) {
  struct ap_arena arena;
  struct ap_schema logical;
  struct ap_schema physical;
  ap_arena_init(&arena, allocator);
  ap_status status =
      ap_delta_schema_parse(&arena, ap_text_of(context), false, &logical, &physical, err);
  ap_arena_deinit(&arena);
  return status;
}

static void survives_lack_of_memory(void **state) {
  (void)state;
  char json[] =
      "{\"type\":\"struct\",\"fields\":[{\"name\":\"c\",\"type\":{\"type\":\"map\",\"keyType\":"
      "\"long\",\"valueType\":{\"type\":\"array\",\"elementType\":\"date\"}}}]}";
  assert_true(ap_sweep_memory(parse_once, json) > 0);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(round_trips),
      TEST(reads_the_example_of_the_protocol),
      TEST(maps_columns_at_every_depth),
      TEST(remembers_types_delta_lacks),
      TEST(refuses_by_name),
      TEST(refuses_bottomless_types),
      TEST(survives_lack_of_memory),
  };
  return AP_RUN_TESTS(tests);
}
