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

/* It did not fit into memory, and then not onto the disk either: the limit is of the disk. The
 * engine makes a file before it asks whether the first block of it may be written, and forgets to
 * remove one that stays empty: the chamber is not used again, so that it goes with its folder. */
static ap_status fail_scratch(struct ap_chamber *chamber, const char *message, int size,
                              ap_error *err) {
  int64_t limit_bytes = chamber->engine->options.scratch_bytes;
  chamber->broken = true;
  if (limit_bytes > 0) {
    (void)AP_FAIL(err, AP_NO_SPACE, "the statement spills more than its %lld MiB of scratch: %.*s",
                  (long long)(limit_bytes / AP_MIB), size, message);
  } else {
    (void)AP_FAIL(err, AP_NO_SPACE,
                  "the statement spills more than 90%% of the space that was free below %s: %.*s",
                  chamber->scratch, size, message);
  }
  ap_error_hint(err, "raise APIARY_SCRATCH_SIZE, free space on that disk, or give more memory");
  return AP_NO_SPACE;
}

/* The first paragraph: what went wrong, without the list of settings one might try. */
static ap_status fail_memory(struct ap_chamber *chamber, const char *message, ap_error *err) {
  const char *end = strstr(message, "\n\n");
  int size = end == NULL ? (int)strlen(message) : (int)(end - message);
  if (strstr(message, "max_temp_directory_size") != NULL) {
    const char *advice = strstr(message, "This limit was set by");
    if (advice && advice - message < size) size = (int)(advice - message);
    while (size > 0 && strchr(". \n", message[size - 1]) != NULL) size--;
    return fail_scratch(chamber, message, size, err);
  }
  long long mib = (long long)(chamber->limit_bytes / AP_MIB);
  (void)AP_FAIL(err, AP_MEMORY_EXCEEDED,
                "the statement needs more than its %lld MiB of memory on bee-%u: %.*s", mib,
                chamber->slot % chamber->engine->options.bees, size, message);
  if (chamber->wish.memory_max_bytes > 0) {
    ap_error_hint(err,
                  "ask for less at once, or SET memory_limit higher than the session's %lld "
                  "MiB",
                  (long long)(chamber->wish.memory_max_bytes / AP_MIB));
  } else {
    ap_error_hint(err, "ask for less at once, or give the bees more memory");
  }
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

/* The next "quoted" word from *at on; *at moves behind it. */
static bool next_quoted(const char **at, const char *end, struct ap_text *out_word) {
  const char *start = memchr(*at, '"', (size_t)(end - *at));
  const char *stop = start ? memchr(start + 1, '"', (size_t)(end - start - 1)) : NULL;
  if (!stop) return false;
  *out_word = (struct ap_text){start + 1, (size_t)(stop - start - 1)};
  *at = stop + 1;
  return true;
}

/* Of the names that the engine lists, one that is near the one it does not know. */
static void suggest_candidate(const char *message, const char *list, ap_error *err) {
  enum { CANDIDATES_MAX = 8 };
  char names[CANDIDATES_MAX][64];
  const char *candidates[CANDIDATES_MAX];
  struct ap_text wanted;
  struct ap_text word;
  size_t count = 0;
  const char *line = strchr(message, '\n');
  const char *end = strchr(list, '\n');
  if (!end) end = list + strlen(list);
  /* Of "Table "o" does not have a column named "x"" it is the last. */
  bool found = false;
  for (const char *at = message; line && next_quoted(&at, line, &word); found = true) wanted = word;
  while (found && count < CANDIDATES_MAX && next_quoted(&list, end, &word)) {
    if (word.size >= sizeof(names[0])) continue;
    memcpy(names[count], word.data, word.size);
    names[count][word.size] = '\0';
    candidates[count] = names[count];
    count++;
  }
  const char *nearest = found ? ap_text_nearest(wanted, candidates, count) : NULL;
  if (nearest) ap_error_hint(err, "did you mean '%s'?", nearest);
}

/* What the engine suggests becomes the hint. */
static ap_status fail_query(const char *message, ap_error *err) {
  static const char guess[] = "\nDid you mean \"";
  static const char list[] = "\nCandidate bindings: ";
  const char *guessed = strstr(message, guess);
  const char *end = guessed ? strstr(guessed, "\"?") : NULL;
  const char *listed = strstr(message, list);
  ap_status status = AP_FAIL(err, AP_QUERY, "%s", message);
  if (end && !memchr(guessed + 1, '\n', (size_t)(end - guessed - 1))) {
    const char *name = guessed + sizeof(guess) - 1;
    (void)AP_FAIL(err, AP_QUERY, "%.*s%s", (int)(guessed - message), message, end + 2);
    ap_error_hint(err, "did you mean '%.*s'?", (int)(end - name), name);
  } else if (listed) {
    suggest_candidate(message, listed + sizeof(list) - 1, err);
  }
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
  if (type == DUCKDB_ERROR_IO || type == DUCKDB_ERROR_SERIALIZATION ||
      type == DUCKDB_ERROR_INTERNAL || type == DUCKDB_ERROR_FATAL) {
    ap_chamber_suspect_attached(chamber);
  }
  if (strncmp(message, AP_VALUE_MARK, sizeof AP_VALUE_MARK - 1) == 0) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "%s", message + sizeof AP_VALUE_MARK - 1);
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
  return fail_query(message, err);
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
