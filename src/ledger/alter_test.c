/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: alterations give the metaData and protocol that Delta wants, keep what nobody here knows,
 * and are done again, or refused, when others commit meanwhile. Method: the pure function on texts
 * by hand; commits of two ledgers of one frame in the simulated world.
 */
#include "ledger/alter.h"

#include "ledger/alter_type.h"
#include "testing/check.h"
#include "testing/ledger_world.h"
#include "testing/random.h"

#define FIELD(name, type, rest) \
  "{\\\"name\\\":\\\"" name "\\\",\\\"type\\\":" type ",\\\"nullable\\\":true" rest "}"
#define TEXT    "\\\"string\\\""
#define LONG    "\\\"long\\\""
#define INTEGER "\\\"integer\\\""
#define PLAIN   ",\\\"metadata\\\":{}"

static const char old_protocol[] = "{\"minReaderVersion\":1,\"minWriterVersion\":2}";
static const char old_metadata[] =
    "{\"id\":\"x\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":\"{"
    "\\\"type\\\":\\\"struct\\\",\\\"fields\\\":["
    FIELD("a", LONG, ",\\\"metadata\\\":{\\\"their.own\\\":[1,2]}")
    "," FIELD("b", TEXT, ",\\\"metadata\\\":{}")
    "," FIELD("s", "{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":["
        FIELD("x", LONG, ",\\\"metadata\\\":{}") "]}", ",\\\"metadata\\\":{}")
    "]}\",\"partitionColumns\":[\"b\"],\"configuration\":{\"k\":\"v\"},\"theirs\":7}";

struct fixture {
  struct ap_arena arena;
  struct ap_random *random;
  struct ap_text protocol;
  struct ap_text metadata;
  ap_error err;
};

static int set_up(void **state) {
  static struct fixture fixture;
  fixture = (struct fixture){.random = ap_random_system()};
  ap_arena_init(&fixture.arena, ap_allocator_system());
  fixture.protocol = ap_text_of(old_protocol);
  fixture.metadata = ap_text_of(old_metadata);
  *state = &fixture;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *fixture = *state;
  ap_arena_deinit(&fixture->arena);
  return 0;
}

/* Apply, and go on from what came of it. */
static ap_status apply(struct fixture *fixture, const struct ap_alteration *alteration) {
  struct ap_text protocol = {NULL, 0};
  struct ap_text metadata = {NULL, 0};
  fixture->err = (ap_error){0};
  ap_status status =
      ap_alter_apply(&fixture->arena, fixture->random, fixture->protocol, fixture->metadata,
                     alteration, &protocol, &metadata, &fixture->err);
  if (status == AP_OK && protocol.size > 0) fixture->protocol = protocol;
  if (status == AP_OK && metadata.size > 0) fixture->metadata = metadata;
  return status;
}

static void has(struct fixture *fixture, const char *part) {
  check_contains(fixture->metadata.data, part);
}

static void lacks(struct fixture *fixture, const char *part) {
  if (strstr(fixture->metadata.data, part)) fail_msg("%s is in %s", part, fixture->metadata.data);
}

static struct ap_alteration set_property(const char *name, const char *value,
                                         struct ap_property *property) {
  *property = (struct ap_property){ap_text_of(name), ap_text_of(value)};
  return (struct ap_alteration){
      .kind = AP_ALTER_SET_PROPERTIES, .properties = property, .property_count = 1};
}

static struct ap_alteration of_column(enum ap_alteration_kind kind, const struct ap_text *name,
                                      const char *text) {
  return (struct ap_alteration){.kind = kind, .column = {name, 1}, .text = ap_text_of(text)};
}

static void keeps_what_it_does_not_know(void **state) {
  struct fixture *fixture = *state;
  const struct ap_text path[] = {AP_TEXT("s"), AP_TEXT("y")};
  const struct ap_alter_column column = {
      .path = {path, 2}, .type = {.kind = AP_TYPE_INT32}, .place = AP_PLACE_FIRST};
  const struct ap_alteration alteration = {
      .kind = AP_ALTER_ADD_COLUMNS, .columns = &column, .column_count = 1};
  check_ok(apply(fixture, &alteration), &fixture->err);
  has(fixture, "\"theirs\":7");
  has(fixture, "\\\"their.own\\\":[1,2]");
  has(fixture, FIELD("y", INTEGER, PLAIN) "," FIELD("x", LONG, PLAIN));
  check_text(fixture->protocol, old_protocol);
  check_status(apply(fixture, &alteration), AP_ALREADY_EXISTS, &fixture->err);
}

static void upgrades_the_protocol_as_needed(void **state) {
  static const struct {
    const char *name;
    const char *value;
    const char *protocol;
  } steps[] = {
      {"delta.appendOnly", "true", "{\"minReaderVersion\":1,\"minWriterVersion\":2}"},
      {"delta.enableChangeDataFeed", "true", "{\"minReaderVersion\":1,\"minWriterVersion\":4}"},
      {"delta.columnMapping.mode", "name", "{\"minReaderVersion\":2,\"minWriterVersion\":5}"},
      {"delta.feature.domainMetadata", "supported",
       "{\"minReaderVersion\":2,\"minWriterVersion\":7,\"writerFeatures\":[\"appendOnly\","
       "\"invariants\",\"checkConstraints\",\"changeDataFeed\",\"generatedColumns\","
       "\"columnMapping\",\"domainMetadata\"]}"},
      {"delta.enableDeletionVectors", "true",
       "{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"columnMapping\","
       "\"deletionVectors\"],\"writerFeatures\":[\"appendOnly\",\"invariants\","
       "\"checkConstraints\",\"changeDataFeed\",\"generatedColumns\",\"columnMapping\","
       "\"domainMetadata\",\"deletionVectors\"]}"},
  };
  struct fixture *fixture = *state;
  for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
    struct ap_property property;
    struct ap_alteration alteration = set_property(steps[i].name, steps[i].value, &property);
    check_ok(apply(fixture, &alteration), &fixture->err);
    check_text(fixture->protocol, steps[i].protocol);
  }
  struct ap_property property;
  struct ap_alteration unknown = set_property("delta.feature.catalogOwned", "supported", &property);
  check_status(apply(fixture, &unknown), AP_UNSUPPORTED, &fixture->err);
}

static void maps_columns(void **state) {
  struct fixture *fixture = *state;
  struct ap_property property;
  struct ap_text name = AP_TEXT("b");
  struct ap_alteration rename = of_column(AP_ALTER_RENAME_COLUMN, &name, "c");
  check_status(apply(fixture, &rename), AP_UNSUPPORTED, &fixture->err);
  struct ap_alteration map = set_property("delta.columnMapping.mode", "name", &property);
  check_ok(apply(fixture, &map), &fixture->err);
  has(fixture,
      "\\\"delta.columnMapping.id\\\":4,\\\"delta.columnMapping.physicalName\\\":"
      "\\\"x\\\"");
  has(fixture, "\"delta.columnMapping.maxColumnId\":\"4\"");
  check_ok(apply(fixture, &rename), &fixture->err);
  has(fixture, "\\\"name\\\":\\\"c\\\"");
  has(fixture, "\\\"delta.columnMapping.physicalName\\\":\\\"b\\\"");
  has(fixture, "\"partitionColumns\":[\"c\"]");
  const struct ap_alter_column added = {.path = {&name, 1}, .type = {.kind = AP_TYPE_STRING}};
  const struct ap_alteration add = {
      .kind = AP_ALTER_ADD_COLUMNS, .columns = &added, .column_count = 1};
  check_ok(apply(fixture, &add), &fixture->err);
  has(fixture, "physicalName\\\":\\\"col-");
  has(fixture, "\"delta.columnMapping.maxColumnId\":\"5\"");
  const struct ap_alteration drop = {
      .kind = AP_ALTER_DROP_COLUMNS, .columns = &added, .column_count = 1};
  check_ok(apply(fixture, &drop), &fixture->err);
  lacks(fixture, "col-");
  has(fixture, "\"delta.columnMapping.maxColumnId\":\"5\"");
}

static void holds_on_to_columns_in_use(void **state) {
  struct fixture *fixture = *state;
  struct ap_property property;
  struct ap_text name = AP_TEXT("a");
  const struct ap_alteration add = {
      .kind = AP_ALTER_ADD_CONSTRAINT, .name = AP_TEXT("Positive"), .text = AP_TEXT("`a` > 0")};
  struct ap_alteration map = set_property("delta.columnMapping.mode", "name", &property);
  struct ap_alteration rename = of_column(AP_ALTER_RENAME_COLUMN, &name, "z");
  const struct ap_alter_column dropped = {.path = {&name, 1}};
  const struct ap_alteration drop = {
      .kind = AP_ALTER_DROP_COLUMNS, .columns = &dropped, .column_count = 1};
  check_ok(apply(fixture, &map), &fixture->err);
  check_ok(apply(fixture, &add), &fixture->err);
  has(fixture, "\"delta.constraints.positive\":\"`a` > 0\"");
  check_status(apply(fixture, &add), AP_ALREADY_EXISTS, &fixture->err);
  check_status(apply(fixture, &rename), AP_STATE, &fixture->err);
  check_contains(fixture->err.message, "constraint 'positive' (`a` > 0)");
  check_status(apply(fixture, &drop), AP_STATE, &fixture->err);
  struct ap_alteration by_hand = set_property("delta.constraints.positive", "true", &property);
  check_status(apply(fixture, &by_hand), AP_INVALID_ARGUMENT, &fixture->err);
  const struct ap_alteration gone = {.kind = AP_ALTER_DROP_CONSTRAINT, .name = AP_TEXT("POSITIVE")};
  check_ok(apply(fixture, &gone), &fixture->err);
  check_ok(apply(fixture, &rename), &fixture->err);
}

static void widens_types(void **state) {
  static const struct {
    const char *from;
    const char *to;
    bool widens;
  } pairs[] = {
      {"byte", "short", true},
      {"short", "long", true},
      {"long", "integer", false},
      {"integer", "integer", false},
      {"float", "double", true},
      {"integer", "double", true},
      {"long", "double", false},
      {"integer", "float", false},
      {"date", "timestamp_ntz", true},
      {"date", "timestamp", false},
      {"byte", "decimal(10,0)", true},
      {"integer", "decimal(11,1)", true},
      {"integer", "decimal(11,2)", false},
      {"long", "decimal(20,0)", true},
      {"long", "decimal(19,0)", false},
      {"decimal(5,2)", "decimal(7,4)", true},
      {"decimal(5,2)", "decimal(6,4)", false},
      {"decimal(5,2)", "decimal(5,1)", false},
      {"string", "binary", false},
      {"timestamp", "timestamp_ntz", false},
  };
  for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
    if (ap_delta_type_widens(ap_text_of(pairs[i].from), ap_text_of(pairs[i].to)) !=
        pairs[i].widens) {
      fail_msg("%s to %s", pairs[i].from, pairs[i].to);
    }
  }
  struct fixture *fixture = *state;
  struct ap_property property;
  struct ap_text name = AP_TEXT("a");
  const struct ap_alter_column column = {
      .path = {&name, 1}, .type = {.kind = AP_TYPE_DECIMAL, .precision = 22, .scale = 2}};
  const struct ap_alteration widen = {
      .kind = AP_ALTER_SET_TYPE, .columns = &column, .column_count = 1};
  check_status(apply(fixture, &widen), AP_UNSUPPORTED, &fixture->err);
  struct ap_alteration allow = set_property("delta.enableTypeWidening", "true", &property);
  check_ok(apply(fixture, &allow), &fixture->err);
  check_ok(apply(fixture, &widen), &fixture->err);
  has(fixture, "\\\"type\\\":\\\"decimal(22,2)\\\"");
  has(fixture,
      "\\\"delta.typeChanges\\\":[{\\\"fromType\\\":\\\"long\\\",\\\"toType\\\":"
      "\\\"decimal(22,2)\\\"}]");
}

/* ---- commits --------------------------------------------------------------------------------- */

struct pair {
  struct ap_ledger_world *world;
  struct ap_ledger *one;
  struct ap_ledger *two;
};

static struct pair open_pair(void) {
  struct pair pair = {.world = ap_ledger_world_create(11)};
  pair.one = ap_ledger_world_open(pair.world);
  pair.two = ap_ledger_world_open(pair.world);
  check_ok(ap_ledger_world_create_table(pair.world, pair.one, false, NULL, 0), &pair.world->err);
  check_ok(ap_ledger_world_append(pair.world, pair.one, &pair.world->err), &pair.world->err);
  return pair;
}

static void close_pair(struct pair *pair) {
  ap_ledger_close(pair->one);
  ap_ledger_close(pair->two);
  ap_ledger_world_destroy(pair->world);
}

static void is_done_again_on_newer_versions(void **state) {
  (void)state;
  struct pair pair = open_pair();
  ap_error *err = &pair.world->err;
  struct ap_text name = AP_TEXT("more");
  const struct ap_alter_column column = {.path = {&name, 1}, .type = {.kind = AP_TYPE_INT64}};
  const struct ap_alteration add = {
      .kind = AP_ALTER_ADD_COLUMNS, .columns = &column, .column_count = 1};
  struct ap_alter_result result;
  struct ap_snapshot *snapshot = NULL;
  check_ok(ap_ledger_snapshot(pair.two, AP_AT_LATEST, 0, &snapshot, err), err);
  uint64_t stale_schema = snapshot->schema_id;
  check_ok(ap_ledger_world_append(pair.world, pair.one, err), err);
  check_ok(ap_ledger_alter(pair.two, &add, &result, err), err);
  assert_true(result.changed);
  assert_int_equal(result.version, 3);
  ap_snapshot_release(snapshot);
  check_ok(ap_ledger_snapshot(pair.one, AP_AT_LATEST, 0, &snapshot, err), err);
  assert_int_equal(snapshot->schema.field_count, 4);
  assert_int_equal(snapshot->cell_count, 2);
  /* who prepared rows for the old columns must look again */
  const struct ap_commit late = {.kind = AP_COMMIT_APPEND, .schema_id = stale_schema};
  struct ap_commit_result commit_result;
  check_status(ap_ledger_commit(pair.one, &late, &commit_result, err), AP_CONFLICT, err);
  ap_snapshot_release(snapshot);
  close_pair(&pair);
}

static void a_checked_rule_needs_the_rows_it_was_checked_on(void **state) {
  (void)state;
  struct pair pair = open_pair();
  ap_error *err = &pair.world->err;
  const struct ap_alteration early = {.kind = AP_ALTER_COMMENT_TABLE,
                                      .text = AP_TEXT("x"),
                                      .checks_rows = true,
                                      .checked_version = 1};
  struct ap_alter_result result;
  check_ok(ap_ledger_world_append(pair.world, pair.one, err), err);
  check_status(ap_ledger_alter(pair.two, &early, &result, err), AP_CONFLICT, err);
  struct ap_alteration now = early;
  now.checked_version = 2;
  check_ok(ap_ledger_alter(pair.two, &now, &result, err), err);
  now.checked_version = 3;
  check_ok(ap_ledger_alter(pair.two, &now, &result, err), err);
  assert_false(result.changed);
  assert_int_equal(result.version, 3);
  close_pair(&pair);
}

static ap_status sweep_body(void *context, struct ap_allocator *allocator, ap_error *err) {
  struct fixture *fixture = context;
  struct ap_property property;
  struct ap_alteration map = set_property("delta.columnMapping.mode", "name", &property);
  struct ap_arena arena;
  struct ap_text protocol;
  struct ap_text metadata;
  ap_arena_init(&arena, allocator);
  ap_status status = ap_alter_apply(&arena, fixture->random, fixture->protocol, fixture->metadata,
                                    &map, &protocol, &metadata, err);
  ap_arena_deinit(&arena);
  return status;
}

static void survives_without_memory(void **state) {
  assert_true(ap_sweep_memory(sweep_body, *state) > 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(keeps_what_it_does_not_know, set_up, tear_down),
      cmocka_unit_test_setup_teardown(upgrades_the_protocol_as_needed, set_up, tear_down),
      cmocka_unit_test_setup_teardown(maps_columns, set_up, tear_down),
      cmocka_unit_test_setup_teardown(holds_on_to_columns_in_use, set_up, tear_down),
      cmocka_unit_test_setup_teardown(widens_types, set_up, tear_down),
      cmocka_unit_test(is_done_again_on_newer_versions),
      cmocka_unit_test(a_checked_rule_needs_the_rows_it_was_checked_on),
      cmocka_unit_test_setup_teardown(survives_without_memory, set_up, tear_down),
  };
  return AP_RUN_TESTS(tests);
}
