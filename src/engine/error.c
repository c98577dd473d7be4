/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's errors in our terms: what a user reads is the engine's own sentence, with the lines
 * that point into the statement, without its class prefix and its general advice.
 */
#include "engine/chamber.h"

#include "base/status.h"

#include <string.h>

struct prefix_code {
  const char *prefix;
  duckdb_error_type type;
};

/* Errors that arrive without a type still begin with its name. */
static const struct prefix_code prefixes[] = {
    {"Parser Error: ", DUCKDB_ERROR_PARSER},
    {"Syntax Error: ", DUCKDB_ERROR_SYNTAX},
    {"Catalog Error: ", DUCKDB_ERROR_CATALOG},
    {"Binder Error: ", DUCKDB_ERROR_BINDER},
    {"Conversion Error: ", DUCKDB_ERROR_CONVERSION},
    {"Invalid Input Error: ", DUCKDB_ERROR_INVALID_INPUT},
    {"Out of Range Error: ", DUCKDB_ERROR_OUT_OF_RANGE},
    {"Out of Memory Error: ", DUCKDB_ERROR_OUT_OF_MEMORY},
    {"IO Error: ", DUCKDB_ERROR_IO},
    {"INTERRUPT Error: ", DUCKDB_ERROR_INTERRUPT},
    {"Not "
     "implemented Error: ",
     DUCKDB_ERROR_NOT_IMPLEMENTED},
    {"INTERNAL Error: ", DUCKDB_ERROR_INTERNAL},
    {"FATAL Error: ", DUCKDB_ERROR_FATAL},
    {"Permission Error: ", DUCKDB_ERROR_PERMISSION},
    {"Missing Extension Error: ", DUCKDB_ERROR_MISSING_EXTENSION},
    {"Serialization Error: ", DUCKDB_ERROR_SERIALIZATION},
    {"Constraint Error: ", DUCKDB_ERROR_CONSTRAINT},
    {"Error: ", DUCKDB_ERROR_INVALID},
};

/* What the engine says when a statement failed between two pieces of work; the reason follows. */
static const char wrapper[] =
    "Attempting to execute an unsuccessful or closed pending query result\nError: ";

/* Skip the class prefix; learn the type from it when there was none. */
static const char *strip_prefix(const char *message, duckdb_error_type *inout_type) {
  for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
    size_t size = strlen(prefixes[i].prefix);
    if (strncmp(message, prefixes[i].prefix, size) != 0) continue;
    if (*inout_type == DUCKDB_ERROR_INVALID) *inout_type = prefixes[i].type;
    return message + size;
  }
  return message;
}

static ap_status fail_io(const char *message, ap_error *err) {
  if (strstr(message, "No space left") != NULL || strstr(message, "Disk quota exceeded") != NULL ||
      strstr(message, "max_temp_directory_size") != NULL) {
    (void)AP_FAIL(err, AP_NO_SPACE, "%s", message);
    ap_error_hint(err, "free space on the file system that the message names");
    return AP_NO_SPACE;
  }
  if (strstr(message, "Permission denied") != NULL) {
    return AP_FAIL(err, AP_PERMISSION, "%s", message);
  }
  return AP_FAIL(err, AP_IO, "%s", message);
}

static bool speaks_of_broken_parquet(const char *message) {
  static const char *const signs[] = {
      "No magic bytes",       "not a Parquet file",     "too small to be a Parquet file",
      "is corrupt",           "is likely corrupted",    "Corrupted file",
      "corrupt file?",        "Footer length error",    "TProtocolException",
      "Invalid Parquet file", "Malformed Parquet",      "Could not read enough bytes",
      "Out of buffer",        "for bytes outside file", "ecompression failure"};
  for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
    if (strstr(message, signs[i]) != NULL) return true;
  }
  return false;
}

/* The first paragraph: what went wrong, without the list of settings one might try. */
static ap_status fail_memory(const struct ap_chamber *chamber, const char *message, ap_error *err) {
  const char *end = strstr(message, "\n\n");
  int size = end == NULL ? (int)strlen(message) : (int)(end - message);
  (void)AP_FAIL(err, AP_MEMORY_EXCEEDED,
                "the statement needs more than its %lld MiB of memory: %.*s",
                (long long)(chamber->engine->options.memory_limit_bytes / AP_MIB), size, message);
  ap_error_hint(err, "ask for less at once, or give the bees more memory");
  return AP_MEMORY_EXCEEDED;
}

/* A thread that meets an error interrupts the others, and one of those may be heard first: then the
 * engine tells of an interrupt that nobody asked for, and keeps the error to itself. */
static ap_status fail_interrupted(struct ap_chamber *chamber, ap_error *err) {
  if (atomic_load(&chamber->interrupted)) {
    return AP_FAIL(err, AP_CANCELLED, "the statement was cancelled");
  }
  ap_status status = AP_FAIL(err, AP_QUERY, "the statement failed while it ran, on some row");
  ap_error_hint(err, "run it again to be told the row's error");
  return status;
}

ap_status ap_chamber_fail(struct ap_chamber *chamber, duckdb_error_type type, const char *message,
                          ap_error *err) {
  if (message == NULL) message = "the engine gave no reason";
  message = strip_prefix(message, &type);
  if (strncmp(message, wrapper, sizeof wrapper - 1) == 0) {
    type = DUCKDB_ERROR_INVALID;
    message = strip_prefix(message + sizeof wrapper - 1, &type);
  }
  if (atomic_load(&chamber->timed_out)) {
    return AP_FAIL(err, AP_TIMEOUT, "the statement did not finish before its deadline");
  }
  switch (type) {
    case DUCKDB_ERROR_INTERRUPT:
      return fail_interrupted(chamber, err);
    case DUCKDB_ERROR_OUT_OF_MEMORY:
    case DUCKDB_ERROR_OBJECT_SIZE:
      return fail_memory(chamber, message, err);
    case DUCKDB_ERROR_PARSER:
    case DUCKDB_ERROR_SYNTAX:
      return AP_FAIL(err, AP_SYNTAX, "%s", message);
    case DUCKDB_ERROR_FATAL:
    case DUCKDB_ERROR_INTERNAL:
      chamber->broken = true;
      return AP_FAIL(err, AP_INTERNAL, "the engine failed: %s", message);
    case DUCKDB_ERROR_PERMISSION:
      return AP_FAIL(err, AP_PERMISSION, "%s", message);
    case DUCKDB_ERROR_NOT_IMPLEMENTED:
    case DUCKDB_ERROR_MISSING_EXTENSION:
    case DUCKDB_ERROR_AUTOLOAD:
      return AP_FAIL(err, AP_UNSUPPORTED, "%s", message);
    default:
      break;
  }
  if (speaks_of_broken_parquet(message)) return AP_FAIL(err, AP_CORRUPT, "%s", message);
  if (type == DUCKDB_ERROR_IO) return fail_io(message, err);
  return AP_FAIL(err, AP_QUERY, "%s", message);
}

ap_status ap_chamber_fail_result(struct ap_chamber *chamber, duckdb_result *result, ap_error *err) {
  return ap_chamber_fail(chamber, duckdb_result_error_type(result), duckdb_result_error(result),
                         err);
}

ap_status ap_chamber_fail_data(struct ap_chamber *chamber, duckdb_error_data data, ap_error *err) {
  ap_status status = ap_chamber_fail(chamber, duckdb_error_data_error_type(data),
                                     duckdb_error_data_message(data), err);
  duckdb_destroy_error_data(&data);
  return status;
}
