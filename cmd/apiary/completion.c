/* SPDX-License-Identifier: Apache-2.0
 *
 * See completion.h.
 */
#include "completion.h"

#include "cli.h"
#include "json_read.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const keywords[] = {
    "AND",     "AS",      "ASC",       "BETWEEN",     "BIGINT",  "BOX",       "BOXES",    "BY",
    "CASCADE", "CASE",    "CAST",      "COUNT",       "CREATE",  "CROSS",     "DATABASE", "DATE",
    "DECIMAL", "DESC",    "DESCRIBE",  "DISTINCT",    "DOUBLE",  "DROP",      "ELSE",     "END",
    "EXCEPT",  "EXISTS",  "EXPLAIN",   "FALSE",       "FILTER",  "FRAME",     "FRAMES",   "FROM",
    "FULL",    "GROUP",   "HAVING",    "HIVE",        "HIVES",   "IF",        "ILIKE",    "IN",
    "INNER",   "INTEGER", "INTERSECT", "INTERVAL",    "INTO",    "IS",        "JOIN",     "LEFT",
    "LIKE",    "LIMIT",   "NOT",       "NULL",        "OFFSET",  "ON",        "OR",       "ORDER",
    "OUTER",   "OVER",    "PARTITION", "PARTITIONED", "QUALIFY", "RECURSIVE", "RIGHT",    "SCHEMA",
    "SELECT",  "SHOW",    "SUM",       "TABLE",       "THEN",    "TIMESTAMP", "TRUE",     "UNION",
    "UNNEST",  "USE",     "USING",     "VALUES",      "VARCHAR", "VERSION",   "WHEN",     "WHERE",
    "WINDOW",  "WITH"};

static const char *const dot_commands[] = {".help",   ".mode",   ".quit", ".read",
                                           ".schema", ".tables", ".timer"};

static bool begins(const char *item, const char *prefix, size_t size) {
  return strncasecmp(item, prefix, size) == 0;
}

/* Keywords in the case that was begun with. */
static void add_keywords(const char *word, struct cli_candidates *candidates) {
  size_t size = strlen(word);
  bool is_lower = size > 0 && word[0] >= 'a' && word[0] <= 'z';
  for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; ++i) {
    if (!begins(keywords[i], word, size)) continue;
    char *item = cli_copy(keywords[i], strlen(keywords[i]));
    for (char *at = item; is_lower && *at != '\0'; ++at) {
      if (*at >= 'A' && *at <= 'Z') *at = (char)(*at + ('a' - 'A'));
    }
    cli_candidates_add(candidates, item, strlen(item));
    free(item);
  }
}

/* The names of a level that begin with `prefix`, `before` and `behind` put around them. */
static void add_names(const struct cli_completion *completion, const char *hive, const char *box,
                      const char *before, const char *prefix, struct cli_candidates *candidates) {
  ap_names *names = NULL;
  if (ap_list(completion->apiary, hive, box, &names, NULL) != AP_OK) return;
  for (size_t i = 0; i < ap_names_count(names); ++i) {
    const char *name = ap_names_get(names, i);
    if (!begins(name, prefix, strlen(prefix))) continue;
    const struct cli_name part = {{(char *)(uintptr_t)name}, 1};
    struct cli_text item = {0};
    cli_text_append_string(&item, before);
    cli_name_append(&item, &part);
    if (box == NULL) cli_text_append_char(&item, '.');
    cli_candidates_add(candidates, item.data, item.size);
    cli_text_deinit(&item);
  }
  ap_names_free(names);
}

static void add_columns(const struct cli_completion *completion, char *const *parts,
                        const char *before, const char *prefix, struct cli_candidates *candidates) {
  char *json = NULL;
  struct cli_text name = {0};
  struct cli_json type;
  if (ap_frame_describe(completion->apiary, parts[0], parts[1], parts[2], &json, NULL) != AP_OK) {
    return;
  }
  struct cli_json_walk walk = cli_json_walk_start(cli_json_member(cli_json_of(json), "schema"));
  while (cli_json_walk_next(&walk, &name, &type)) {
    if (begins(cli_text_string(&name), prefix, strlen(prefix))) {
      struct cli_text item = {0};
      const struct cli_name part = {{name.data}, 1};
      cli_text_append_string(&item, before);
      cli_name_append(&item, &part);
      cli_candidates_add(candidates, item.data, item.size);
      cli_text_deinit(&item);
    }
    cli_text_clear(&name);
  }
  cli_text_deinit(&name);
  ap_string_free(json);
}

/* The name with what USE set put before it; false when that is not enough for a frame. */
static bool qualify(const struct cli_completion *completion, const struct cli_name *name,
                    char *parts[3]) {
  size_t missing = 3 - name->count;
  if (missing >= 1 && completion->hive[0] == '\0') return false;
  if (missing >= 2 && completion->box[0] == '\0') return false;
  parts[0] = (char *)(uintptr_t)completion->hive;
  parts[1] = (char *)(uintptr_t)completion->box;
  for (size_t i = 0; i < name->count; ++i) parts[missing + i] = name->parts[i];
  return true;
}

/* Columns of the frames that follow FROM, JOIN and TABLE in the text. */
static void add_columns_of(const struct cli_completion *completion, const char *text,
                           const char *word, struct cli_candidates *candidates) {
  static const char space[] = " \t\r\n(),;";
  bool is_source = false;
  for (const char *at = text + strspn(text, space); *at != '\0'; at += strspn(at, space)) {
    size_t size = strcspn(at, space);
    char *token = cli_copy(at, size);
    struct cli_name name = {0};
    char *parts[3];
    if (is_source && cli_name_parse(token, &name) && qualify(completion, &name, parts)) {
      add_columns(completion, parts, "", word, candidates);
    }
    is_source = strcasecmp(token, "from") == 0 || strcasecmp(token, "join") == 0 ||
                strcasecmp(token, "table") == 0 || strcasecmp(token, "describe") == 0;
    cli_name_deinit(&name);
    free(token);
    at += size;
  }
}

/* Whether a name, and no keyword, comes next: by the word before the one that is completed. */
static bool wants_name(const char *text, const char *word) {
  static const char *const words[] = {"from",  "join",     "hive",   "box",     "frame",
                                      "table", "describe", "schema", "database"};
  size_t end = strlen(text) - strlen(word);
  while (end > 0 && strchr(" \t\r\n", text[end - 1]) != NULL) --end;
  size_t start = end;
  while (start > 0 && strchr(" \t\r\n(),;", text[start - 1]) == NULL) --start;
  for (size_t i = 0; i < sizeof words / sizeof words[0]; ++i) {
    bool is_it = strlen(words[i]) == end - start && begins(text + start, words[i], end - start);
    if (is_it) return true;
  }
  return false;
}

/* "a.b.x": names below what stands before the last dot. */
static void add_qualified(const struct cli_completion *completion, const char *word,
                          struct cli_candidates *candidates) {
  const char *last = strrchr(word, '.');
  char *qualifier = cli_copy(word, (size_t)(last - word));
  char *before = cli_copy(word, (size_t)(last - word) + 1);
  struct cli_name name = {0};
  char *parts[3];
  if (cli_name_parse(qualifier, &name)) {
    if (name.count < 3) {
      add_names(completion, name.parts[0], name.count > 1 ? name.parts[1] : NULL, before, last + 1,
                candidates);
    }
    if (name.count == 1 && completion->hive[0] != '\0') {
      add_names(completion, completion->hive, name.parts[0], before, last + 1, candidates);
    }
    if (qualify(completion, &name, parts)) {
      add_columns(completion, parts, before, last + 1, candidates);
    }
  }
  cli_name_deinit(&name);
  free(before);
  free(qualifier);
}

void cli_complete(const struct cli_completion *completion, const char *line, const char *word,
                  struct cli_candidates *candidates) {
  if (word[0] == '.' && line + strlen(line) - strlen(word) == line) {
    for (size_t i = 0; i < sizeof dot_commands / sizeof dot_commands[0]; ++i) {
      const char *item = dot_commands[i];
      if (begins(item, word, strlen(word))) cli_candidates_add(candidates, item, strlen(item));
    }
    return;
  }
  if (strchr(word, '.') != NULL) {
    add_qualified(completion, word, candidates);
    return;
  }
  struct cli_text whole = {0};
  cli_text_append_format(&whole, "%s %s", completion->statement, line);
  bool is_name = line[0] == '.' || wants_name(cli_text_string(&whole), word);
  if (!is_name) add_keywords(word, candidates);
  add_names(completion, NULL, NULL, "", word, candidates);
  if (completion->hive[0] != '\0') {
    add_names(completion, completion->hive, NULL, "", word, candidates);
  }
  if (completion->box[0] != '\0') {
    add_names(completion, completion->hive, completion->box, "", word, candidates);
  }
  if (!is_name) add_columns_of(completion, cli_text_string(&whole), word, candidates);
  cli_text_deinit(&whole);
}
