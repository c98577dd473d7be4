/* SPDX-License-Identifier: Apache-2.0
 *
 * See features.h. A feature that is listed but not in use asks nothing of a writer; legacy versions
 * stand for the features of the table legacy_features.
 */
#include "ledger/features.h"

#include "ledger/alter_type.h"
#include "ledger/delta_schema.h"

/* In use: some column's metadata or some property has the member; NULL: no such sign. */
struct feature {
  const char *name;
  const char *column_metadata; /* a name that ends in '.' is a prefix */
  const char *property_prefix;
};

static const char *const reader_features[] = {
    "columnMapping", "deletionVectors", "timestampNtz",
    "typeWidening",  "v2Checkpoint",    "vacuumProtocolCheck",
};

/* Nothing to do, or done. */
static const char *const writer_features[] = {
    "allowColumnDefaults", "appendOnly",          "changeDataFeed", "checkConstraints",
    "columnMapping",       "deletionVectors",     "domainMetadata", "generatedColumns",
    "inCommitTimestamp",   "invariants",          "timestampNtz",   "typeWidening",
    "v2Checkpoint",        "vacuumProtocolCheck",
};

/* Fine while not in use. */
static const struct feature idle_features[] = {
    {"identityColumns", "delta.identity.", NULL},
};

enum {
  READER_VERSION_MAX = 3,
  WRITER_VERSION_MAX = 7,
  WRITER_VERSION_FEATURES = 7,
  IDLE_COUNT = sizeof(idle_features) / sizeof(idle_features[0]),
};

/* The first writer version that implies a feature. */
static const struct {
  const char *name;
  int64_t writer_version;
} legacy_features[] = {
    {"invariants", 2},
    {"checkConstraints", 3},
    {"generatedColumns", 4},
    {"identityColumns", 6},
};

static bool is_among(struct ap_text name, const char *const *names, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (ap_text_equal_string(name, names[i])) return true;
  }
  return false;
}

static bool lists(const struct ap_text *features, uint32_t count, const char *name) {
  for (uint32_t i = 0; i < count; i++) {
    if (ap_text_equal_string(features[i], name)) return true;
  }
  return false;
}

static const struct feature *find_idle(struct ap_text name) {
  for (size_t i = 0; i < IDLE_COUNT; i++) {
    if (ap_text_equal_string(name, idle_features[i].name)) return &idle_features[i];
  }
  return NULL;
}

static bool in_use(const struct ap_table *table, const struct feature *feature) {
  if (feature->column_metadata &&
      ap_delta_schema_has_metadata(&table->schema, feature->column_metadata)) {
    return true;
  }
  for (uint32_t i = 0; feature->property_prefix && i < table->property_count; i++) {
    if (ap_text_starts_with(table->properties[i].name, ap_text_of(feature->property_prefix))) {
      return true;
    }
  }
  return false;
}

static ap_status refuse(const char *what, const char *why, struct ap_text feature, ap_error *err) {
  ap_status status = AP_FAIL(err, AP_UNSUPPORTED, "the table cannot be %s: it %s '%.*s'", what, why,
                             AP_TEXT_ARG(feature));
  ap_error_hint(err, "use an engine that supports it, or drop the feature from the table");
  return status;
}

bool ap_features_has_column_mapping(const struct ap_protocol *protocol) {
  if (protocol->reader_version == 2) return true;
  return protocol->reader_version >= 3 &&
         lists(protocol->reader_features, protocol->reader_feature_count, "columnMapping");
}

bool ap_features_in_commit_timestamps(const struct ap_table *table) {
  return lists(table->protocol.writer_features, table->protocol.writer_feature_count,
               "inCommitTimestamp") &&
         ap_table_property_bool(table, "delta.enableInCommitTimestamps", false);
}

bool ap_features_deletion_vectors(const struct ap_table *table) {
  const struct ap_protocol *protocol = &table->protocol;
  return lists(protocol->reader_features, protocol->reader_feature_count, "deletionVectors") &&
         lists(protocol->writer_features, protocol->writer_feature_count, "deletionVectors") &&
         ap_table_property_bool(table, "delta.enableDeletionVectors", false);
}

bool ap_features_append_only(const struct ap_table *table) {
  const struct ap_protocol *protocol = &table->protocol;
  bool supported =
      protocol->writer_version < WRITER_VERSION_FEATURES
          ? protocol->writer_version >= 2
          : lists(protocol->writer_features, protocol->writer_feature_count, "appendOnly");
  return supported && ap_table_property_bool(table, "delta.appendOnly", false);
}

ap_status ap_features_check_read(const struct ap_table *table, ap_error *err) {
  const struct ap_protocol *protocol = &table->protocol;
  if (protocol->reader_version > READER_VERSION_MAX) {
    return AP_FAIL(err, AP_UNSUPPORTED,
                   "the table needs Delta reader version %lld; versions 1 to %d are supported",
                   (long long)protocol->reader_version, (int)READER_VERSION_MAX);
  }
  for (uint32_t i = 0; i < protocol->reader_feature_count; i++) {
    struct ap_text name = protocol->reader_features[i];
    if (is_among(name, reader_features, sizeof(reader_features) / sizeof(reader_features[0]))) {
      continue;
    }
    return refuse("read", "needs the Delta reader feature", name, err);
  }
  return ap_delta_type_changes_check(&table->schema, err);
}

static ap_status check_writer_feature(const struct ap_table *table, struct ap_text name,
                                      ap_error *err) {
  if (is_among(name, writer_features, sizeof(writer_features) / sizeof(writer_features[0]))) {
    return AP_OK;
  }
  const struct feature *idle = find_idle(name);
  if (!idle) return refuse("written", "needs the Delta writer feature", name, err);
  if (in_use(table, idle)) {
    return refuse("written", "makes use of the Delta writer feature", name, err);
  }
  return AP_OK;
}

ap_status ap_features_check_write(const struct ap_table *table, ap_error *err) {
  const struct ap_protocol *protocol = &table->protocol;
  AP_TRY(ap_features_check_read(table, err));
  if (protocol->writer_version > WRITER_VERSION_MAX) {
    return AP_FAIL(err, AP_UNSUPPORTED,
                   "the table needs Delta writer version %lld; versions 1 to %d are supported",
                   (long long)protocol->writer_version, (int)WRITER_VERSION_MAX);
  }
  for (uint32_t i = 0; i < protocol->writer_feature_count; i++) {
    AP_TRY(check_writer_feature(table, protocol->writer_features[i], err));
  }
  size_t legacy_count = sizeof(legacy_features) / sizeof(legacy_features[0]);
  for (size_t i = 0; i < legacy_count; i++) {
    if (protocol->writer_version >= WRITER_VERSION_FEATURES) break;
    if (protocol->writer_version < legacy_features[i].writer_version) continue;
    AP_TRY(check_writer_feature(table, ap_text_of(legacy_features[i].name), err));
  }
  return AP_OK;
}
