/* SPDX-License-Identifier: Apache-2.0
 *
 * See protocol.h. The features are one table; sets of them are bits of its rows. Features of other
 * engines that a table lists already are kept as they are written.
 */
#include "ledger/protocol.h"

#include "base/json_edit.h"
#include "ledger/delta_schema.h"

enum feature_index {
  FEATURE_APPEND_ONLY,
  FEATURE_INVARIANTS,
  FEATURE_CHECK_CONSTRAINTS,
  FEATURE_CHANGE_DATA_FEED,
  FEATURE_GENERATED_COLUMNS,
  FEATURE_COLUMN_MAPPING,
  FEATURE_IDENTITY_COLUMNS,
  FEATURE_COLUMN_DEFAULTS,
  FEATURE_DELETION_VECTORS,
  FEATURE_DOMAIN_METADATA,
  FEATURE_IN_COMMIT_TIMESTAMP,
  FEATURE_TIMESTAMP_NTZ,
  FEATURE_TYPE_WIDENING,
  FEATURE_V2_CHECKPOINT,
  FEATURE_VACUUM_PROTOCOL_CHECK,
  FEATURE_COUNT,
};

/* legacy versions: the first that imply the feature; 0: only table features do. */
static const struct {
  const char *name;
  int64_t legacy_reader;
  int64_t legacy_writer;
  bool is_reader;
} features[FEATURE_COUNT] = {
    [FEATURE_APPEND_ONLY] = {"appendOnly", 0, 2, false},
    [FEATURE_INVARIANTS] = {"invariants", 0, 2, false},
    [FEATURE_CHECK_CONSTRAINTS] = {"checkConstraints", 0, 3, false},
    [FEATURE_CHANGE_DATA_FEED] = {"changeDataFeed", 0, 4, false},
    [FEATURE_GENERATED_COLUMNS] = {"generatedColumns", 0, 4, false},
    [FEATURE_COLUMN_MAPPING] = {"columnMapping", 2, 5, true},
    [FEATURE_IDENTITY_COLUMNS] = {"identityColumns", 0, 6, false},
    [FEATURE_COLUMN_DEFAULTS] = {"allowColumnDefaults", 0, 0, false},
    [FEATURE_DELETION_VECTORS] = {"deletionVectors", 0, 0, true},
    [FEATURE_DOMAIN_METADATA] = {"domainMetadata", 0, 0, false},
    [FEATURE_IN_COMMIT_TIMESTAMP] = {"inCommitTimestamp", 0, 0, false},
    [FEATURE_TIMESTAMP_NTZ] = {"timestampNtz", 0, 0, true},
    [FEATURE_TYPE_WIDENING] = {"typeWidening", 0, 0, true},
    [FEATURE_V2_CHECKPOINT] = {"v2Checkpoint", 0, 0, true},
    [FEATURE_VACUUM_PROTOCOL_CHECK] = {"vacuumProtocolCheck", 0, 0, true},
};

/* A property that makes use of a feature when it has the value; NULL: any value but "false". */
static const struct {
  const char *property;
  const char *value;
  enum feature_index feature;
} property_uses[] = {
    {"delta.appendOnly", "true", FEATURE_APPEND_ONLY},
    {"delta.enableChangeDataFeed", "true", FEATURE_CHANGE_DATA_FEED},
    {"delta.enableDeletionVectors", "true", FEATURE_DELETION_VECTORS},
    {"delta.enableInCommitTimestamps", "true", FEATURE_IN_COMMIT_TIMESTAMP},
    {"delta.enableTypeWidening", "true", FEATURE_TYPE_WIDENING},
    {"delta.columnMapping.mode", "name", FEATURE_COLUMN_MAPPING},
    {"delta.columnMapping.mode", "id", FEATURE_COLUMN_MAPPING},
    {"delta.checkpointPolicy", "v2", FEATURE_V2_CHECKPOINT},
};

static const struct {
  const char *member;
  enum feature_index feature;
} column_uses[] = {
    {"delta.invariants", FEATURE_INVARIANTS},
    {"delta.generationExpression", FEATURE_GENERATED_COLUMNS},
    {"delta.identity.", FEATURE_IDENTITY_COLUMNS},
    {"CURRENT_DEFAULT", FEATURE_COLUMN_DEFAULTS},
    {"delta.typeChanges", FEATURE_TYPE_WIDENING},
};

enum { READER_FEATURES = 3, WRITER_FEATURES = 7 };

static bool lists(const struct ap_text *names, uint32_t count, const char *name) {
  for (uint32_t i = 0; i < count; i++) {
    if (ap_text_equal_string(names[i], name)) return true;
  }
  return false;
}

static uint32_t bit(size_t feature) {
  return 1u << feature;
}

/* What the metaData makes use of. */
static ap_status needed_features(const struct ap_table *table, uint32_t *out_needed,
                                 ap_error *err) {
  static const struct ap_text asked = {"delta.feature.", 14};
  uint32_t needed = 0;
  for (uint32_t p = 0; p < table->property_count; p++) {
    const struct ap_property *property = &table->properties[p];
    for (size_t i = 0; i < sizeof(property_uses) / sizeof(property_uses[0]); i++) {
      if (!ap_text_equal_string(property->name, property_uses[i].property)) continue;
      struct ap_text value = ap_text_of(property_uses[i].value);
      if (ap_text_equal_ignoring_case(property->value, value)) {
        needed |= bit(property_uses[i].feature);
      }
    }
    if (ap_text_starts_with(property->name, AP_TEXT("delta.constraints."))) {
      needed |= bit(FEATURE_CHECK_CONSTRAINTS);
    }
    if (!ap_text_starts_with(property->name, asked)) continue;
    struct ap_text name = {property->name.data + asked.size, property->name.size - asked.size};
    size_t found = FEATURE_COUNT;
    for (size_t i = 0; i < FEATURE_COUNT; i++) {
      if (ap_text_equal_string(name, features[i].name)) found = i;
    }
    if (found == FEATURE_COUNT) {
      return AP_FAIL(err, AP_UNSUPPORTED, "the table feature '%.*s' is not supported",
                     AP_TEXT_ARG(name));
    }
    needed |= bit(found);
  }
  for (size_t i = 0; i < sizeof(column_uses) / sizeof(column_uses[0]); i++) {
    if (ap_delta_schema_has_metadata(&table->schema, column_uses[i].member)) {
      needed |= bit(column_uses[i].feature);
    }
  }
  if (ap_delta_schema_has_kind(&table->physical, AP_TYPE_TIMESTAMP)) {
    needed |= bit(FEATURE_TIMESTAMP_NTZ);
  }
  *out_needed = needed;
  return AP_OK;
}

/* What the protocol supports, its legacy versions' features included. */
static uint32_t supported_features(const struct ap_protocol *protocol) {
  uint32_t supported = 0;
  for (size_t i = 0; i < FEATURE_COUNT; i++) {
    bool listed =
        lists(protocol->writer_features, protocol->writer_feature_count, features[i].name);
    bool implied = features[i].legacy_writer > 0 && protocol->writer_version < WRITER_FEATURES &&
                   protocol->writer_version >= features[i].legacy_writer;
    bool reader =
        !features[i].is_reader ||
        lists(protocol->reader_features, protocol->reader_feature_count, features[i].name) ||
        (features[i].legacy_reader > 0 && protocol->reader_version < READER_FEATURES &&
         protocol->reader_version >= features[i].legacy_reader);
    if ((listed || implied) && reader) supported |= bit(i);
  }
  return supported;
}

static void write_list(struct ap_json_writer *writer, const char *name, bool readers,
                       const struct ap_text *others, uint32_t other_count, uint32_t set) {
  ap_json_name(writer, ap_text_of(name));
  ap_json_begin_array(writer);
  for (uint32_t i = 0; i < other_count; i++) ap_json_string(writer, others[i]);
  for (size_t i = 0; i < FEATURE_COUNT; i++) {
    if (!(set & bit(i)) || (readers && !features[i].is_reader)) continue;
    if (!lists(others, other_count, features[i].name)) {
      ap_json_string(writer, ap_text_of(features[i].name));
    }
  }
  ap_json_end_array(writer);
}

static void write_protocol(struct ap_json_writer *writer, const struct ap_protocol *old,
                           int64_t reader, int64_t writer_version, uint32_t set) {
  ap_json_begin_object(writer);
  ap_json_member_i64(writer, "minReaderVersion", reader);
  ap_json_member_i64(writer, "minWriterVersion", writer_version);
  if (reader >= READER_FEATURES) {
    write_list(writer, "readerFeatures", true, old->reader_features, old->reader_feature_count,
               set);
  }
  if (writer_version >= WRITER_FEATURES) {
    write_list(writer, "writerFeatures", false, old->writer_features, old->writer_feature_count,
               set);
  }
  ap_json_end_object(writer);
}

/* The least versions for the set, not below the old ones. */
static void choose_versions(const struct ap_protocol *old, uint32_t set, int64_t *out_reader,
                            int64_t *out_writer) {
  int64_t reader = old->reader_version;
  int64_t writer = old->writer_version;
  for (size_t i = 0; i < FEATURE_COUNT; i++) {
    if (!(set & bit(i))) continue;
    int64_t least = features[i].legacy_writer > 0 ? features[i].legacy_writer : WRITER_FEATURES;
    if (writer < least) writer = least;
    if (!features[i].is_reader) continue;
    least = features[i].legacy_reader > 0 ? features[i].legacy_reader : READER_FEATURES;
    if (reader < least) reader = least;
  }
  *out_reader = reader;
  *out_writer = reader >= READER_FEATURES ? WRITER_FEATURES : writer;
}

static ap_status upgrade(struct ap_arena *arena, const struct ap_table *table, bool is_new,
                         struct ap_text *out_protocol_json, ap_error *err) {
  uint32_t needed = 0;
  AP_TRY(needed_features(table, &needed, err));
  uint32_t supported = supported_features(&table->protocol);
  if ((needed & ~supported) == 0 && !is_new) return AP_OK;
  int64_t reader = 0;
  int64_t writer = 0;
  choose_versions(&table->protocol, supported | needed, &reader, &writer);
  struct ap_buffer text;
  struct ap_json_writer json;
  ap_buffer_init(&text, arena->allocator);
  ap_json_writer_init(&json, &text);
  write_protocol(&json, &table->protocol, reader, writer, supported | needed);
  ap_status status = ap_buffer_check(&text, err);
  const char *copy = status == AP_OK ? ap_arena_copy(arena, ap_buffer_text(&text)) : NULL;
  *out_protocol_json = (struct ap_text){copy, copy ? text.size : 0};
  ap_buffer_deinit(&text);
  return status == AP_OK && !copy ? AP_FAIL_MEMORY(err) : status;
}

ap_status ap_protocol_upgrade(struct ap_arena *arena, struct ap_text protocol_json,
                              struct ap_text metadata_json, struct ap_text *out_protocol_json,
                              ap_error *err) {
  bool is_new = protocol_json.size == 0;
  struct ap_table *table = NULL;
  struct ap_text first = AP_TEXT("{\"minReaderVersion\":1,\"minWriterVersion\":2}");
  *out_protocol_json = (struct ap_text){NULL, 0};
  AP_TRY(ap_table_create(arena->allocator, is_new ? first : protocol_json, metadata_json, &table,
                         err));
  ap_status status = upgrade(arena, table, is_new, out_protocol_json, err);
  ap_table_release(table);
  return status;
}
