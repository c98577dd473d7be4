/* SPDX-License-Identifier: Apache-2.0
 *
 * SET, RESET and SHOW: the options of a session. Those of the engine are set in the chamber that a
 * query gets and taken back before anybody else has it (ap_chamber_set_options).
 * Thread: the session's.
 */
#include "arrow/rows.h"
#include "base/assert.h"
#include "execute/report.h"
#include "execute/statement_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct option {
  const char *name;
  const char *initial;
  const char *choices; /* parted by '|'; NULL: a duration */
  const char *description;
  bool is_engines;
} options[AP_SESSION_OPTION_COUNT] = {
    {"default_null_order", "NULLS_LAST", "NULLS_LAST|NULLS_FIRST",
     "where nulls stand when ORDER BY does not say it", true},
    {"default_order", "ASCENDING", "ASCENDING|DESCENDING|ASC|DESC",
     "how ORDER BY sorts when it does not say it", true},
    {"statement_timeout", "0", NULL,
     "how long a statement may take: milliseconds, or '30s', '5min'; 0: no limit", false},
    {"timezone", "UTC", "UTC", "the time zone of times that carry none", false},
};

static ap_status fail_unknown(struct ap_text name, ap_error *err) {
  const char *names[AP_SESSION_OPTION_COUNT];
  for (size_t i = 0; i < AP_SESSION_OPTION_COUNT; ++i) names[i] = options[i].name;
  const char *nearest = ap_text_nearest(name, names, AP_SESSION_OPTION_COUNT);
  ap_status status = AP_FAIL(err, AP_NOT_FOUND, "there is no option '%.*s'", AP_TEXT_ARG(name));
  if (nearest != NULL) {
    ap_error_hint(err, "did you mean %s?", nearest);
  } else if (ap_text_equal_ignoring_case(name, AP_TEXT("search_path")) ||
             ap_text_equal_ignoring_case(name, AP_TEXT("schema"))) {
    ap_error_hint(err, "say USE hive.box");
  } else {
    ap_error_hint(err, "SHOW ALL lists the options");
  }
  return status;
}

static ap_status find_option(struct ap_text name, size_t *out_index, ap_error *err) {
  for (size_t i = 0; i < AP_SESSION_OPTION_COUNT; ++i) {
    if (!ap_text_equal_ignoring_case(name, ap_text_of(options[i].name))) continue;
    *out_index = i;
    return AP_OK;
  }
  return fail_unknown(name, err);
}

static const char *value_of(const struct ap_sql_session *session, size_t index) {
  return session->options[index][0] != '\0' ? session->options[index] : options[index].initial;
}

/* One of the choices, case ignored, in the spelling of the list. */
static bool find_choice(const char *choices, struct ap_text value, struct ap_text *out_choice) {
  const char *at = choices;
  for (;;) {
    size_t size = strcspn(at, "|");
    *out_choice = (struct ap_text){at, size};
    if (ap_text_equal_ignoring_case(*out_choice, value)) return true;
    if (at[size] == '\0') return false;
    at += size + 1;
  }
}

/* 1500, '1500ms', '30s', '5min', '1h' */
static bool parse_duration(struct ap_text value, int64_t *out_ms) {
  static const struct {
    const char *unit;
    int64_t ms;
  } units[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"", 1}};
  for (size_t i = 0; i < sizeof units / sizeof units[0]; ++i) {
    struct ap_text unit = ap_text_of(units[i].unit);
    if (!ap_text_ends_with(value, unit)) continue;
    struct ap_text digits = {value.data, value.size - unit.size};
    while (digits.size > 0 && digits.data[digits.size - 1] == ' ') digits.size--;
    int64_t number;
    if (!ap_text_parse_i64(digits, &number) || number < 0 || number > INT64_C(1000000000)) continue;
    *out_ms = number * units[i].ms;
    return true;
  }
  return false;
}

static ap_status fail_value(const struct option *option, struct ap_text value, ap_error *err) {
  ap_status status = AP_FAIL(err, AP_INVALID_ARGUMENT, "option %s cannot be '%.*s'", option->name,
                             AP_TEXT_ARG(value));
  if (option->choices == NULL) {
    ap_error_hint(err, "give milliseconds, or a text such as '30s' or '5min'; 0: no limit");
  } else {
    ap_error_hint(err, "it can be %s", option->choices);
  }
  return status;
}

ap_status ap_run_set(struct ap_statement_run *run, struct ArrowArrayStream *out, ap_error *err) {
  struct ap_sql_session *session = run->session;
  struct ap_text value = run->statement->value;
  size_t index = 0;
  AP_TRY(find_option(run->statement->name.parts[0], &index, err));
  const struct option *option = &options[index];
  char *into = session->options[index];
  if (ap_text_equal_ignoring_case(value, AP_TEXT("DEFAULT"))) {
    into[0] = '\0';
  } else if (option->choices == NULL) {
    int64_t ms = 0;
    if (!parse_duration(value, &ms)) return fail_value(option, value, err);
    (void)snprintf(into, AP_SESSION_OPTION_BYTES, "%" PRId64, ms);
  } else {
    struct ap_text choice;
    struct ap_text spaced = value;
    char text[AP_SESSION_OPTION_BYTES];
    if (value.size >= sizeof text) return fail_value(option, value, err);
    memcpy(text, value.data, value.size); /* NULLS FIRST is NULLS_FIRST */
    for (size_t i = 0; i < value.size; ++i) text[i] = (char)(text[i] == ' ' ? '_' : text[i]);
    spaced.data = text;
    if (!find_choice(option->choices, spaced, &choice)) return fail_value(option, value, err);
    (void)snprintf(into, AP_SESSION_OPTION_BYTES, "%.*s", AP_TEXT_ARG(choice));
  }
  return ap_answer_message(out, err, "%s is %s", option->name, value_of(session, index));
}

ap_status ap_run_reset(struct ap_statement_run *run, struct ArrowArrayStream *out, ap_error *err) {
  struct ap_sql_session *session = run->session;
  size_t index = 0;
  if (run->statement->name.count == 0) {
    memset(session->options, 0, sizeof session->options);
    return ap_answer_message(out, err, "all options are as they were at first");
  }
  AP_TRY(find_option(run->statement->name.parts[0], &index, err));
  session->options[index][0] = '\0';
  return ap_answer_message(out, err, "%s is %s", options[index].name, value_of(session, index));
}

ap_status ap_run_show_option(struct ap_statement_run *run, struct ArrowArrayStream *out,
                             ap_error *err) {
  static const struct ap_rows_column columns[] = {
      {"name", AP_ROWS_TEXT}, {"value", AP_ROWS_TEXT}, {"description", AP_ROWS_TEXT}};
  const struct ap_name *name = &run->statement->name;
  size_t only = 0;
  if (name->count > 0) AP_TRY(find_option(name->parts[0], &only, err));
  struct ap_rows rows = {0};
  AP_TRY(ap_rows_init(&rows, columns, 3, err));
  for (size_t i = 0; i < AP_SESSION_OPTION_COUNT; ++i) {
    if (name->count > 0 && i != only) continue;
    ap_rows_text(&rows, ap_text_of(options[i].name));
    ap_rows_text(&rows, ap_text_of(value_of(run->session, i)));
    ap_rows_text(&rows, ap_text_of(options[i].description));
  }
  ap_status status = ap_rows_finish(&rows, out, err);
  ap_rows_deinit(&rows);
  return status;
}

void ap_session_engine_options(const struct ap_sql_session *session, char *out_sql, size_t size) {
  size_t used = 0;
  AP_ASSERT(size > 0);
  out_sql[0] = '\0';
  for (size_t i = 0; i < AP_SESSION_OPTION_COUNT; ++i) {
    if (!options[i].is_engines || session->options[i][0] == '\0') continue;
    int written = snprintf(out_sql + used, size - used, "SET %s = '%s';", options[i].name,
                           session->options[i]);
    AP_ASSERT(written > 0 && (size_t)written < size - used);
    used += (size_t)written;
  }
}

int64_t ap_session_timeout_ms(const struct ap_sql_session *session) {
  for (size_t i = 0; i < AP_SESSION_OPTION_COUNT; ++i) {
    int64_t ms = 0;
    if (strcmp(options[i].name, "statement_timeout") != 0) continue;
    return parse_duration(ap_text_of(value_of(session, i)), &ms) ? ms : 0;
  }
  return 0;
}

ap_status ap_run_history(struct ap_statement_run *run, struct ArrowArrayStream *out,
                         ap_error *err) {
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  int64_t limit = run->statement->limit;
  AP_TRY(ap_run_frame_name(run, &hive, &box, &name, err));
  return ap_answer_history(run->session->node, hive, box, name,
                           limit > UINT32_MAX ? 0 : (uint32_t)limit, out, err);
}
