/* SPDX-License-Identifier: Apache-2.0
 *
 * See import_error.h. What does not look as expected stays as the engine said it, without the lines
 * that show a query which the user did not write.
 */
#include "execute/import_error.h"

#include <stdlib.h>
#include <string.h>

#define ROW_START     "CSV Error on Line: "
#define COLUMN_START  "Error when converting column \""
#define MISSING_START "COLUMN_TYPES error: Columns with names: "
#define MISSING_END   " do not exist in the CSV File"

static struct ap_text line_of(const char *start) {
  return (struct ap_text){start, strcspn(start, "\n")};
}

static bool starts_with(const char *string, const char *prefix) {
  return strncmp(string, prefix, strlen(prefix)) == 0;
}

/* "..\n  file = orders.csv\n..": the name; empty when the message was cut before it. */
static struct ap_text file_of(const char *message) {
  static const char mark[] = "\n  file = ";
  const char *at = strstr(message, mark);
  return at == NULL ? (struct ap_text){0} : line_of(at + sizeof mark - 1);
}

/* The sentence after the row, which may itself have several lines. */
static const char *reason_of(const char *after_number) {
  static const char *const starts[] = {"\n" COLUMN_START,   "\nInvalid unicode", "\nValue with",
                                       "\nExpected Number", "\nMaximum line",    "\nThe CSV"};
  for (size_t i = 0; i < sizeof starts / sizeof starts[0]; ++i) {
    const char *at = strstr(after_number, starts[i]);
    if (at != NULL) return at + 1;
  }
  return NULL;
}

static void hint_for_row(const struct ap_import_target *target, const char *reason, ap_error *err) {
  if (starts_with(reason, "Invalid unicode")) {
    ap_error_hint(err, "files must be UTF-8: convert it first, with iconv for example");
  } else if (starts_with(reason, COLUMN_START) && target->is_made) {
    ap_error_hint(err,
                  "the type was guessed from the first rows: drop frame %.*s.%.*s.%.*s, which was "
                  "made and is empty, create it with the types it needs, or name the text that "
                  "means null, and import again",
                  AP_TEXT_ARG(target->hive), AP_TEXT_ARG(target->box), AP_TEXT_ARG(target->name));
  } else if (starts_with(reason, COLUMN_START)) {
    ap_error_hint(err,
                  "that is the type of the frame's column: correct the row, or name the text "
                  "that means null");
  }
}

/* "CSV Error on Line: 2\nOriginal Line: ..\n<reason>\n<advice, settings>". */
static bool explain_row(const struct ap_import_target *target, ap_status status, ap_error *err) {
  const ap_error said = *err;
  const char *number = said.message + sizeof ROW_START - 1;
  if (!starts_with(said.message, ROW_START)) return false;
  const char *reason = reason_of(number);
  if (reason == NULL) return false;
  struct ap_text file = file_of(reason);
  struct ap_text sentence = line_of(reason);
  struct ap_text column = {0};
  const char *column_end = strstr(reason, "\". ");
  if (starts_with(reason, COLUMN_START) && column_end != NULL) {
    column.data = reason + sizeof COLUMN_START - 1;
    column.size = (size_t)(column_end - column.data);
    sentence = line_of(column_end + 3);
  }
  (void)AP_FAIL(err, status, "%s%.*s%sline %lld%s%.*s: %.*s", file.size > 0 ? "file " : "",
                AP_TEXT_ARG(file), file.size > 0 ? ", " : "", strtoll(number, NULL, 10),
                column.size > 0 ? ", column " : "", AP_TEXT_ARG(column), AP_TEXT_ARG(sentence));
  hint_for_row(target, reason, err);
  return true;
}

static bool explain_missing(const struct ap_import_target *target, ap_error *err) {
  const ap_error said = *err;
  const char *names = said.message + sizeof MISSING_START - 1;
  if (!starts_with(said.message, MISSING_START)) return false;
  const char *end = strstr(names, MISSING_END);
  if (end == NULL) return false;
  (void)AP_FAIL(err, AP_SCHEMA_MISMATCH, "frame %.*s.%.*s.%.*s: the files lack columns of it: %.*s",
                AP_TEXT_ARG(target->hive), AP_TEXT_ARG(target->box), AP_TEXT_ARG(target->name),
                (int)(end - names), names);
  ap_error_hint(err,
                "the first line names the columns, and each of the frame's must be there; "
                "DESCRIBE shows them");
  return true;
}

static void cut_query(char *message) {
  char *at = strstr(message, "\n\nLINE 1: ");
  if (at != NULL) *at = '\0';
  size_t size = strlen(message);
  while (size > 0 && strchr(" \n", message[size - 1]) != NULL) message[--size] = '\0';
}

ap_status ap_import_explain(const struct ap_import_target *target, ap_status status,
                            ap_error *err) {
  if (err == NULL || ap_status_class(status) == AP_CLASS_RETRYABLE) return status;
  if (explain_missing(target, err)) return AP_SCHEMA_MISMATCH;
  if (!explain_row(target, status, err)) cut_query(err->message);
  return status;
}
