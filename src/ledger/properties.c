/* SPDX-License-Identifier: Apache-2.0
 *
 * See properties.h. Names are compared with case, as they are stored.
 */
#include "ledger/properties.h"

#include "ledger/duration.h"

enum value_kind {
  VALUE_BOOLEAN,
  VALUE_FALSE, /* only "false": what "true" asks for is not written here */
  VALUE_COUNT, /* a whole number, -1 and up */
  VALUE_DURATION,
  VALUE_TEXT,
  VALUE_MAPPING,
  VALUE_POLICY,
  VALUE_ISOLATION,
  VALUE_KEPT, /* by other statements, or by engines themselves */
};

static const struct known {
  const char *name;
  enum value_kind kind;
} known_properties[] = {
    {"delta.appendOnly", VALUE_BOOLEAN},
    {"delta.autoOptimize", VALUE_BOOLEAN},
    {"delta.autoOptimize.autoCompact", VALUE_TEXT},
    {"delta.autoOptimize.optimizeWrite", VALUE_BOOLEAN},
    {"delta.checkpoint.writeStatsAsJson", VALUE_BOOLEAN},
    {"delta.checkpoint.writeStatsAsStruct", VALUE_BOOLEAN},
    {"delta.checkpointInterval", VALUE_COUNT},
    {"delta.checkpointPolicy", VALUE_POLICY},
    {"delta.checkpointRetentionDuration", VALUE_DURATION},
    {"delta.columnMapping.maxColumnId", VALUE_KEPT},
    {"delta.columnMapping.mode", VALUE_MAPPING},
    {"delta.compatibility.symlinkFormatManifest.enabled", VALUE_FALSE},
    {"delta.dataSkippingNumIndexedCols", VALUE_COUNT},
    {"delta.dataSkippingStatsColumns", VALUE_TEXT},
    {"delta.deletedFileRetentionDuration", VALUE_DURATION},
    {"delta.enableChangeDataFeed", VALUE_BOOLEAN},
    {"delta.enableDeletionVectors", VALUE_BOOLEAN},
    {"delta.enableExpiredLogCleanup", VALUE_BOOLEAN},
    {"delta.enableFullRetentionRollback", VALUE_BOOLEAN},
    {"delta.enableIcebergCompatV1", VALUE_FALSE},
    {"delta.enableIcebergCompatV2", VALUE_FALSE},
    {"delta.enableInCommitTimestamps", VALUE_BOOLEAN},
    {"delta.enableRowTracking", VALUE_FALSE},
    {"delta.enableTypeWidening", VALUE_BOOLEAN},
    {"delta.inCommitTimestampEnablementTimestamp", VALUE_KEPT},
    {"delta.inCommitTimestampEnablementVersion", VALUE_KEPT},
    {"delta.isolationLevel", VALUE_ISOLATION},
    {"delta.logRetentionDuration", VALUE_DURATION},
    {"delta.minReaderVersion", VALUE_KEPT},
    {"delta.minWriterVersion", VALUE_KEPT},
    {"delta.parquet.compression.codec", VALUE_TEXT},
    {"delta.parquet.format.version", VALUE_TEXT},
    {"delta.randomPrefixLength", VALUE_COUNT},
    {"delta.randomizeFilePrefixes", VALUE_FALSE},
    {"delta.sampleRetentionDuration", VALUE_DURATION},
    {"delta.setTransactionRetentionDuration", VALUE_DURATION},
    {"delta.targetFileSize", VALUE_TEXT},
    {"delta.tuneFileSizesForRewrites", VALUE_BOOLEAN},
    {"delta.universalFormat.enabledFormats", VALUE_KEPT},
};

enum { KNOWN_COUNT = sizeof(known_properties) / sizeof(known_properties[0]) };

static const struct known *find_known(struct ap_text name) {
  for (size_t i = 0; i < KNOWN_COUNT; i++) {
    if (ap_text_equal_string(name, known_properties[i].name)) return &known_properties[i];
  }
  return NULL;
}

static ap_status unknown(struct ap_text name, ap_error *err) {
  const char *names[KNOWN_COUNT];
  for (size_t i = 0; i < KNOWN_COUNT; i++) names[i] = known_properties[i].name;
  const char *nearest = ap_text_nearest(name, names, KNOWN_COUNT);
  ap_status status =
      AP_FAIL(err, AP_INVALID_ARGUMENT, "there is no Delta property '%.*s'", AP_TEXT_ARG(name));
  ap_error_hint(err,
                nearest ? "did you mean '%s'?"
                        : "properties of your own have names that do "
                          "not begin with 'delta.'%s",
                nearest ? nearest : "");
  return status;
}

static ap_status kept(struct ap_text name, ap_error *err) {
  ap_status status =
      AP_FAIL(err, AP_INVALID_ARGUMENT, "property '%.*s' is not set by hand", AP_TEXT_ARG(name));
  if (ap_text_starts_with(name, AP_TEXT("delta.constraints."))) {
    ap_error_hint(err, "use ALTER FRAME .. ADD CONSTRAINT and DROP CONSTRAINT");
  } else if (ap_text_starts_with(name, AP_TEXT("delta.min"))) {
    ap_error_hint(err,
                  "versions follow from the features that are used; 'delta.feature.<name>' = "
                  "'supported' asks for one");
  }
  return status;
}

static bool is_boolean(struct ap_text value) {
  return ap_text_equal_ignoring_case(value, AP_TEXT("true")) ||
         ap_text_equal_ignoring_case(value, AP_TEXT("false"));
}

static bool is_among(struct ap_text value, const char *const *words) {
  for (; *words; words++) {
    if (ap_text_equal_ignoring_case(value, ap_text_of(*words))) return true;
  }
  return false;
}

/* NULL: the value is one; else what it should be. */
static const char *wanted_value(const struct known *known, struct ap_text value) {
  static const char *const mappings[] = {"none", "name", "id", NULL};
  static const char *const policies[] = {"classic", "v2", NULL};
  static const char *const levels[] = {"Serializable", "WriteSerializable", NULL};
  int64_t number = 0;
  switch (known->kind) {
    case VALUE_BOOLEAN:
    case VALUE_FALSE:
      return is_boolean(value) ? NULL : "true or false";
    case VALUE_COUNT:
      return ap_text_parse_i64(value, &number) && number >= -1 ? NULL : "a whole number";
    case VALUE_DURATION:
      return ap_duration_parse(value, &number) ? NULL : "a duration such as 'interval 7 days'";
    case VALUE_MAPPING:
      return is_among(value, mappings) ? NULL : "none, name or id";
    case VALUE_POLICY:
      return is_among(value, policies) ? NULL : "classic or v2";
    case VALUE_ISOLATION:
      return is_among(value, levels) ? NULL : "Serializable or WriteSerializable";
    case VALUE_TEXT:
    case VALUE_KEPT:
      break;
  }
  return NULL;
}

static bool is_kept(struct ap_text name, const struct known *known) {
  return ap_text_starts_with(name, AP_TEXT("delta.constraints.")) ||
         (known && known->kind == VALUE_KEPT);
}

ap_status ap_property_check(const struct ap_property *property, ap_error *err) {
  struct ap_text name = property->name;
  if (!ap_text_starts_with(name, AP_TEXT("delta."))) return AP_OK;
  const struct known *known = find_known(name);
  if (is_kept(name, known)) return kept(name, err);
  if (ap_text_starts_with(name, AP_TEXT("delta.feature."))) {
    static const char *const words[] = {"supported", "enabled", NULL};
    if (is_among(property->value, words)) return AP_OK;
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "property '%.*s' is '%.*s'; it must be 'supported'",
                   AP_TEXT_ARG(name), AP_TEXT_ARG(property->value));
  }
  if (!known) return unknown(name, err);
  const char *wanted = wanted_value(known, property->value);
  if (wanted) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "property '%.*s' is '%.*s'; it must be %s",
                   AP_TEXT_ARG(name), AP_TEXT_ARG(property->value), wanted);
  }
  if (known->kind == VALUE_FALSE && ap_text_equal_ignoring_case(property->value, AP_TEXT("true"))) {
    return AP_FAIL(err, AP_UNSUPPORTED, "property '%.*s' asks for what is not supported",
                   AP_TEXT_ARG(name));
  }
  return AP_OK;
}

ap_status ap_property_check_unset(struct ap_text name, ap_error *err) {
  if (!ap_text_starts_with(name, AP_TEXT("delta."))) return AP_OK;
  const struct known *known = find_known(name);
  if (is_kept(name, known)) return kept(name, err);
  return AP_OK;
}
