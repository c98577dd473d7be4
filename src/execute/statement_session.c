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

enum kind { KIND_CHOICE, KIND_DURATION, KIND_MEMORY, KIND_THREADS, KIND_CACHE };

static const struct option {
  const char *name;
  enum kind kind;
  const char *initial; /* NULL: the node tells */
  const char *choices; /* parted by '|' */
  const char *description;
  bool is_engines;
} options[AP_SESSION_OPTION_COUNT] = {
    {"cell_cache", KIND_CACHE, NULL, "ON|OFF|TRUE|FALSE",
     "whether decoded copies of cells are read", false},
    {"default_null_order", KIND_CHOICE, "NULLS_LAST", "NULLS_LAST|NULLS_FIRST",
     "where nulls stand when ORDER BY does not say it", true},
    {"default_order", KIND_CHOICE, "ASCENDING", "ASCENDING|DESCENDING|ASC|DESC",
     "how ORDER BY sorts when it does not say it", true},
    {"memory_limit", KIND_MEMORY, NULL, NULL,
     "how much memory a statement may use before it spills: '256MiB', '1GB'", false},
    {"statement_timeout", KIND_DURATION, "0", NULL,
     "how long a statement may take: milliseconds, or '30s', '5min'; 0: no limit", false},
    {"threads", KIND_THREADS, NULL, NULL, "how many bees may work at a statement", false},
    {"timezone", KIND_CHOICE, "UTC", "UTC", "the time zone of times that carry none", false},
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

/* "256 MiB", "244.1 MiB" */
static void format_memory(int64_t bytes, char out[AP_SESSION_OPTION_BYTES]) {
  const int64_t mib = AP_MIB;
  int decimals = bytes % mib == 0 ? 0 : 1;
  (void)snprintf(out, AP_SESSION_OPTION_BYTES, "%.*f MiB", decimals, (double)bytes / (double)mib);
}

static const char *value_of(const struct ap_sql_session *session, size_t index,
                            char buffer[AP_SESSION_OPTION_BYTES]) {
  struct ap_engine_bounds bounds;
  if (session->options[index][0] != '\0') return session->options[index];
  if (options[index].initial != NULL) return options[index].initial;
  ap_engine_get_bounds(ap_node_engine(session->node), &bounds);
  switch (options[index].kind) {
    case KIND_MEMORY:
      format_memory(bounds.memory_most_bytes, buffer);
      break;
    case KIND_THREADS:
      (void)snprintf(buffer, AP_SESSION_OPTION_BYTES, "%" PRIu32, bounds.bees);
      break;
    default:
      return ap_node_cache(session->node) != NULL ? "ON" : "OFF";
  }
  return buffer;
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
  if (option->kind == KIND_DURATION) {
    ap_error_hint(err, "give milliseconds, or a text such as '30s' or '5min'; 0: no limit");
  } else {
    ap_error_hint(err, "it can be %s", option->choices);
  }
  return status;
}

static ap_status set_choice(const struct option *option, struct ap_text value,
                            char into[AP_SESSION_OPTION_BYTES], ap_error *err) {
  struct ap_text choice;
  char text[AP_SESSION_OPTION_BYTES];
  if (value.size >= sizeof text) return fail_value(option, value, err);
  memcpy(text, value.data, value.size); /* NULLS FIRST is NULLS_FIRST */
  for (size_t i = 0; i < value.size; ++i) text[i] = (char)(text[i] == ' ' ? '_' : text[i]);
  if (!find_choice(option->choices, (struct ap_text){text, value.size}, &choice)) {
    return fail_value(option, value, err);
  }
  (void)snprintf(into, AP_SESSION_OPTION_BYTES, "%.*s", AP_TEXT_ARG(choice));
  return AP_OK;
}

static ap_status set_memory(struct ap_sql_session *session, const struct option *option,
                            struct ap_text value, char into[AP_SESSION_OPTION_BYTES],
                            ap_error *err) {
  struct ap_engine_bounds bounds;
  char least[AP_SESSION_OPTION_BYTES];
  char most[AP_SESSION_OPTION_BYTES];
  int64_t bytes = 0;
  ap_engine_get_bounds(ap_node_engine(session->node), &bounds);
  bool is_size = ap_text_parse_size(value, &bytes);
  if (is_size && bytes >= bounds.memory_least_bytes && bytes <= bounds.memory_most_bytes) {
    session->account.memory_max_bytes = bytes;
    format_memory(bytes, into);
    return AP_OK;
  }
  format_memory(bounds.memory_least_bytes, least);
  format_memory(bounds.memory_most_bytes, most);
  ap_status status = AP_FAIL(err, AP_INVALID_ARGUMENT, "option %s cannot be '%.*s'", option->name,
                             AP_TEXT_ARG(value));
  ap_error_hint(err,
                "give a size such as '256MiB', from %s to the %s that this node's bees have for a "
                "statement",
                least, most);
  return status;
}

static ap_status set_threads(struct ap_sql_session *session, const struct option *option,
                             struct ap_text value, char into[AP_SESSION_OPTION_BYTES],
                             ap_error *err) {
  struct ap_engine_bounds bounds;
  int64_t threads = 0;
  ap_engine_get_bounds(ap_node_engine(session->node), &bounds);
  if (ap_text_parse_i64(value, &threads) && threads >= 1 && threads <= bounds.bees) {
    session->account.bees_max = (uint32_t)threads;
    (void)snprintf(into, AP_SESSION_OPTION_BYTES, "%" PRId64, threads);
    return AP_OK;
  }
  ap_status status = AP_FAIL(err, AP_INVALID_ARGUMENT, "option %s cannot be '%.*s'", option->name,
                             AP_TEXT_ARG(value));
  ap_error_hint(err, "give a number from 1 to %" PRIu32 ": so many bees has this node",
                bounds.bees);
  return status;
}

static ap_status set_cache(struct ap_sql_session *session, const struct option *option,
                           struct ap_text value, char into[AP_SESSION_OPTION_BYTES],
                           ap_error *err) {
  char word[AP_SESSION_OPTION_BYTES];
  AP_TRY(set_choice(option, value, word, err));
  bool on = strcmp(word, "ON") == 0 || strcmp(word, "TRUE") == 0;
  if (on && ap_node_cache(session->node) == NULL) {
    ap_status status = AP_FAIL(err, AP_INVALID_ARGUMENT,
                               "option %s cannot be on: this node has no cell cache", option->name);
    ap_error_hint(err, "APIARY_CACHE_SIZE says how much disk it may take when an apiary is opened");
    return status;
  }
  session->reads_no_copies = !on;
  (void)snprintf(into, AP_SESSION_OPTION_BYTES, "%s", on ? "ON" : "OFF");
  return AP_OK;
}

static void reset_option(struct ap_sql_session *session, size_t index) {
  session->options[index][0] = '\0';
  if (options[index].kind == KIND_MEMORY) session->account.memory_max_bytes = 0;
  if (options[index].kind == KIND_THREADS) session->account.bees_max = 0;
  if (options[index].kind == KIND_CACHE) session->reads_no_copies = false;
}

static ap_status set_option(struct ap_sql_session *session, size_t index, struct ap_text value,
                            ap_error *err) {
  const struct option *option = &options[index];
  char *into = session->options[index];
  int64_t ms = 0;
  switch (option->kind) {
    case KIND_CHOICE:
      return set_choice(option, value, into, err);
    case KIND_MEMORY:
      return set_memory(session, option, value, into, err);
    case KIND_THREADS:
      return set_threads(session, option, value, into, err);
    case KIND_CACHE:
      return set_cache(session, option, value, into, err);
    case KIND_DURATION:
      break;
  }
  if (!parse_duration(value, &ms)) return fail_value(option, value, err);
  (void)snprintf(into, AP_SESSION_OPTION_BYTES, "%" PRId64, ms);
  return AP_OK;
}

static ap_status answer_value(const struct ap_sql_session *session, size_t index,
                              struct ArrowArrayStream *out, ap_error *err) {
  char buffer[AP_SESSION_OPTION_BYTES];
  return ap_answer_message(out, err, "%s is %s", options[index].name,
                           value_of(session, index, buffer));
}

ap_status ap_run_set(struct ap_statement_run *run, struct ArrowArrayStream *out, ap_error *err) {
  struct ap_text value = run->statement->value;
  size_t index = 0;
  AP_TRY(find_option(run->statement->name.parts[0], &index, err));
  if (ap_text_equal_ignoring_case(value, AP_TEXT("DEFAULT"))) {
    reset_option(run->session, index);
  } else {
    AP_TRY(set_option(run->session, index, value, err));
  }
  return answer_value(run->session, index, out, err);
}

ap_status ap_run_reset(struct ap_statement_run *run, struct ArrowArrayStream *out, ap_error *err) {
  size_t index = 0;
  if (run->statement->name.count == 0) {
    for (size_t i = 0; i < AP_SESSION_OPTION_COUNT; ++i) reset_option(run->session, i);
    return ap_answer_message(out, err, "all options are as they were at first");
  }
  AP_TRY(find_option(run->statement->name.parts[0], &index, err));
  reset_option(run->session, index);
  return answer_value(run->session, index, out, err);
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
    char buffer[AP_SESSION_OPTION_BYTES];
    if (name->count > 0 && i != only) continue;
    ap_rows_text(&rows, ap_text_of(options[i].name));
    ap_rows_text(&rows, ap_text_of(value_of(run->session, i, buffer)));
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
    if (options[i].kind != KIND_DURATION) continue;
    return parse_duration(ap_text_of(session->options[i]), &ms) ? ms : 0;
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
