/* SPDX-License-Identifier: Apache-2.0
 *
 * See completion.h.
 */
#include "completion.h"

#include "cli.h"
#include "json_read.h"
#include "statement.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FRAMES_MAX = 16, DEPTH_MAX = 32 };

static const char *const first_words[] = {"ALTER",    "BEGIN",    "COMMIT", "COPY",      "CREATE",
                                          "DELETE",   "DESCRIBE", "DROP",   "EXPLAIN",   "FROM",
                                          "INSERT",   "MERGE",    "PIVOT",  "RESET",     "ROLLBACK",
                                          "SELECT",   "SET",      "SHOW",   "SUMMARIZE", "TABLE",
                                          "TRUNCATE", "UPDATE",   "USE",    "VALUES",    "WITH"};

static const char *const keywords[] = {
    "ALL",       "ALTER",     "ANALYZE",   "AND",       "ANTI",      "AS",          "ASC",
    "ASOF",      "AT",        "BEGIN",     "BETWEEN",   "BIGINT",    "BOOLEAN",     "BOX",
    "BOXES",     "BY",        "CASCADE",   "CASE",      "CAST",      "COMMIT",      "COPY",
    "CREATE",    "CROSS",     "CURRENT",   "DATE",      "DECIMAL",   "DEFAULT",     "DELETE",
    "DESC",      "DESCRIBE",  "DISTINCT",  "DOUBLE",    "DROP",      "ELSE",        "END",
    "EXCEPT",    "EXCLUDE",   "EXISTS",    "EXPLAIN",   "FALSE",     "FILTER",      "FIRST",
    "FOLLOWING", "FRAME",     "FRAMES",    "FROM",      "FULL",      "GROUP",       "GROUPING",
    "HAVING",    "HIVE",      "HIVES",     "IF",        "ILIKE",     "IN",          "INNER",
    "INSERT",    "INTEGER",   "INTERSECT", "INTERVAL",  "INTO",      "IS",          "JOIN",
    "LAST",      "LATERAL",   "LEFT",      "LIKE",      "LIMIT",     "MATCHED",     "MERGE",
    "NATURAL",   "NOT",       "NULL",      "NULLS",     "OF",        "OFFSET",      "ON",
    "OR",        "ORDER",     "OUTER",     "OVER",      "PARTITION", "PARTITIONED", "PIVOT",
    "PRECEDING", "QUALIFY",   "RANGE",     "RECURSIVE", "REPLACE",   "RIGHT",       "ROLLBACK",
    "ROLLUP",    "ROW",       "ROWS",      "SAMPLE",    "SCHEMA",    "SELECT",      "SEMI",
    "SET",       "SETS",      "SHOW",      "SIMILAR",   "SUMMARIZE", "TABLE",       "TABLESAMPLE",
    "THEN",      "TIMESTAMP", "TRUE",      "TRUNCATE",  "UNBOUNDED", "UNION",       "UNPIVOT",
    "UPDATE",    "USE",       "USING",     "VALUES",    "VARCHAR",   "VERSION",     "WHEN",
    "WHERE",     "WINDOW",    "WITH"};

/* No bare name may be one of these. */
static const char *const reserved[] = {
    "all",       "analyse",    "analyze",   "and",        "any",        "array",    "as",
    "asc",       "asymmetric", "both",      "case",       "cast",       "check",    "collate",
    "column",    "constraint", "create",    "default",    "deferrable", "desc",     "describe",
    "distinct",  "do",         "else",      "end",        "except",     "false",    "fetch",
    "for",       "foreign",    "from",      "group",      "having",     "in",       "initially",
    "intersect", "into",       "lambda",    "lateral",    "leading",    "limit",    "not",
    "null",      "offset",     "on",        "only",       "or",         "order",    "pivot",
    "placing",   "primary",    "qualify",   "references", "returning",  "select",   "show",
    "some",      "summarize",  "symmetric", "table",      "then",       "to",       "trailing",
    "true",      "union",      "unique",    "unpivot",    "using",      "variadic", "when",
    "where",     "window",     "with"};

#define COUNT(words) (sizeof(words) / sizeof((words)[0]))

/* A frame that the statement names. */
struct frame {
  char *parts[3]; /* whole */
  char *alias;    /* NULL: none */
};

/* The word, and what is known of where it stands. */
struct place {
  const struct cli_completion *completion;
  struct cli_candidates *candidates;
  struct cli_text before; /* of the statement, without the word */
  struct cli_text typed;  /* what the last part of the word begins with, unquoted */
  struct cli_text outer;  /* the parts before it, each with its dot, as typed */
  bool is_quoted;         /* the last part begins with a quote */
  struct frame frames[FRAMES_MAX];
  size_t frame_count;
  char clause[16]; /* the keyword whose clause it stands in, lower case */
  char last[16];   /* the token before it, lower case */
  bool is_first;   /* nothing stands before it */
};

/* ---- candidates ------------------------------------------------------------------------------ */

static bool is_one_of(const char *word, const char *const *words, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (strcasecmp(word, words[i]) == 0) return true;
  }
  return false;
}

void cli_completion_append_name(struct cli_text *text, const char *name) {
  const struct cli_name part = {{(char *)(uintptr_t)name}, 1};
  if (is_one_of(name, reserved, COUNT(reserved))) {
    cli_identifier_append(text, name);
  } else {
    cli_name_append(text, &part);
  }
}

static bool matches(const struct place *place, const char *name) {
  return strncasecmp(name, cli_text_string(&place->typed), place->typed.size) == 0;
}

/* A name, quoted where it must be; `behind` follows it. */
static void add_name(struct place *place, const char *name, const char *behind) {
  struct cli_text item = {0};
  if (!matches(place, name)) return;
  cli_text_append_string(&item, cli_text_string(&place->outer));
  if (place->is_quoted) {
    cli_identifier_append(&item, name);
  } else {
    cli_completion_append_name(&item, name);
  }
  cli_text_append_string(&item, behind);
  cli_candidates_add(place->candidates, item.data, item.size);
  cli_text_deinit(&item);
}

/* Keywords in the case that was begun with. */
static void add_keywords(struct place *place, const char *const *words, size_t count) {
  const char *typed = cli_text_string(&place->typed);
  bool is_lower = typed[0] >= 'a' && typed[0] <= 'z';
  if (place->is_quoted || place->outer.size > 0) return;
  for (size_t i = 0; i < count; ++i) {
    if (!matches(place, words[i])) continue;
    char *item = cli_copy(words[i], strlen(words[i]));
    for (char *at = item; is_lower && *at != '\0'; ++at) {
      if (*at >= 'A' && *at <= 'Z') *at = (char)(*at + ('a' - 'A'));
    }
    cli_candidates_add(place->candidates, item, strlen(item));
    free(item);
  }
}

static void add_level(struct place *place, const char *hive, const char *box) {
  const struct cli_completion *completion = place->completion;
  const ap_names *names = cli_names_list(completion->names, completion->apiary, hive, box);
  for (size_t i = 0; names != NULL && i < ap_names_count(names); ++i) {
    add_name(place, ap_names_get(names, i), box == NULL ? "." : "");
  }
}

static void add_columns(struct place *place, char *const parts[3]) {
  const struct cli_completion *completion = place->completion;
  const char *json = cli_names_describe(completion->names, completion->apiary, parts);
  struct cli_text name = {0};
  struct cli_json type;
  if (json == NULL) return;
  struct cli_json_walk walk = cli_json_walk_start(cli_json_member(cli_json_of(json), "schema"));
  while (cli_json_walk_next(&walk, &name, &type)) {
    add_name(place, cli_text_string(&name), "");
    cli_text_clear(&name);
  }
  cli_text_deinit(&name);
}

static void add_functions(struct place *place) {
  const struct cli_completion *completion = place->completion;
  if (place->typed.size < 2 || place->is_quoted) return;
  const struct cli_candidates *functions =
      cli_names_functions(completion->names, completion->session);
  struct cli_text item = {0};
  for (size_t i = 0; i < functions->count; ++i) {
    if (!matches(place, functions->items[i])) continue;
    cli_text_clear(&item);
    cli_text_append_format(&item, "%s(", functions->items[i]);
    cli_candidates_add(place->candidates, item.data, item.size);
  }
  cli_text_deinit(&item);
}

/* ---- the statement --------------------------------------------------------------------------- */

/* A token as a name's part, unquoted. */
static char *part_of(const struct cli_token *token) {
  struct cli_text part = {0};
  if (token->kind != CLI_TOKEN_QUOTED) return cli_copy(token->data, token->size);
  size_t end = token->is_open ? token->size : token->size - 1;
  for (size_t i = 1; i < end; ++i) {
    cli_text_append_char(&part, token->data[i]);
    if (token->data[i] == '"') ++i;
  }
  if (part.data == NULL) return cli_copy("", 0);
  return part.data;
}

/* The parts with what USE set before them. False when that is not enough for a frame. */
static bool qualify(const struct cli_completion *completion, char **parts, size_t count,
                    char *out_parts[3]) {
  const char *used[2] = {ap_session_hive(completion->session), ap_session_box(completion->session)};
  size_t missing = 3 - count;
  for (size_t i = 0; i < missing; ++i) {
    if (used[i][0] == '\0') return false;
  }
  for (size_t i = 0; i < 3; ++i) {
    const char *part = i < missing ? used[i] : parts[i - missing];
    out_parts[i] = cli_copy(part, strlen(part));
  }
  return true;
}

struct tokens {
  const char *text;
  size_t size;
  size_t at;
  struct cli_token now;
};

static void next(struct tokens *tokens) {
  tokens->now = cli_token_next(tokens->text, tokens->size, &tokens->at);
}

static bool is_symbol(const struct tokens *tokens, char symbol) {
  return tokens->now.kind == CLI_TOKEN_SYMBOL && tokens->now.data[0] == symbol;
}

static bool is_name(const struct tokens *tokens) {
  return tokens->now.kind == CLI_TOKEN_WORD || tokens->now.kind == CLI_TOKEN_QUOTED;
}

/* "a.b.c [AS] x" */
static void take_frame(struct place *place, struct tokens *tokens) {
  static const char *const no_alias[] = {
      "on",    "using",   "where", "join",  "left",   "right",  "full",       "inner",
      "cross", "natural", "set",   "group", "order",  "limit",  "values",     "select",
      "at",    "as",      "when",  "union", "having", "window", "tablesample"};
  char *parts[3] = {NULL};
  size_t count = 0;
  while (is_name(tokens) && count < 3) {
    parts[count++] = part_of(&tokens->now);
    next(tokens);
    if (!is_symbol(tokens, '.')) break;
    next(tokens);
  }
  struct frame frame = {0};
  bool is_whole = count > 0 && place->frame_count < FRAMES_MAX &&
                  qualify(place->completion, parts, count, frame.parts);
  if (is_whole) {
    if (cli_token_is(&tokens->now, "as")) next(tokens);
    char *alias = is_name(tokens) ? part_of(&tokens->now) : NULL;
    if (alias != NULL && !is_one_of(alias, no_alias, COUNT(no_alias))) {
      frame.alias = alias;
      next(tokens);
    } else {
      free(alias);
    }
    place->frames[place->frame_count++] = frame;
  }
  for (size_t i = 0; i < count; ++i) free(parts[i]);
}

/* Frames behind FROM, JOIN, INTO, UPDATE and the like, and behind commas in FROM. */
static void find_frames(struct place *place, const char *text) {
  static const char *const words[] = {"from",  "join",     "into",  "update",
                                      "table", "describe", "using", "summarize"};
  struct tokens tokens = {.text = text, .size = strlen(text)};
  bool is_from = false;
  next(&tokens);
  while (tokens.now.kind != CLI_TOKEN_END) {
    bool is_word = tokens.now.kind == CLI_TOKEN_WORD;
    char *word = is_word ? cli_copy(tokens.now.data, tokens.now.size) : NULL;
    bool starts = is_word && is_one_of(word, words, COUNT(words));
    bool goes_on = is_from && is_symbol(&tokens, ',');
    if (is_word) is_from = starts;
    free(word);
    next(&tokens);
    if (starts || goes_on) {
      take_frame(place, &tokens);
      is_from = true;
    }
  }
}

static void keep_word(char into[16], const struct cli_token *token) {
  size_t size = token->size < 15 ? token->size : 15;
  for (size_t i = 0; i < size; ++i) {
    char c = token->data[i];
    into[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
  }
  into[size] = '\0';
}

/* In which clause, at the depth of parentheses where the text ends, the word stands. */
static void find_clause(struct place *place) {
  static const char *const words[] = {
      "select",   "from",   "join",  "where",  "on",     "group",    "order",   "having",
      "set",      "values", "into",  "update", "using",  "limit",    "with",    "describe",
      "use",      "table",  "frame", "hive",   "box",    "show",     "qualify", "as",
      "truncate", "window", "drop",  "alter",  "create", "summarize"};
  struct tokens tokens = {.text = cli_text_string(&place->before), .size = place->before.size};
  char clauses[DEPTH_MAX][16] = {{0}};
  size_t depth = 0;
  place->is_first = true;
  for (next(&tokens); tokens.now.kind != CLI_TOKEN_END; next(&tokens)) {
    place->is_first = false;
    keep_word(place->last, &tokens.now);
    if (is_symbol(&tokens, '(') && depth + 1 < DEPTH_MAX) {
      clauses[++depth][0] = '\0';
    } else if (is_symbol(&tokens, ')') && depth > 0) {
      --depth;
    } else if (is_symbol(&tokens, ';')) {
      clauses[depth][0] = '\0';
      place->is_first = true;
    } else if (tokens.now.kind == CLI_TOKEN_WORD && is_one_of(place->last, words, COUNT(words)) &&
               !(strcmp(place->last, "as") == 0 && clauses[depth][0] != '\0')) {
      memcpy(clauses[depth], place->last, sizeof place->last);
    }
  }
  memcpy(place->clause, clauses[depth], sizeof place->clause);
}

/* ---- what fits ------------------------------------------------------------------------------- */

static bool last_is(const struct place *place, const char *word) {
  return strcmp(place->last, word) == 0;
}

static bool clause_is(const struct place *place, const char *word) {
  return strcmp(place->clause, word) == 0;
}

/* Whether a frame's name comes next. */
static bool wants_frame(const struct place *place) {
  static const char *const before[] = {"from",     "join",      "into",     "update",
                                       "table",    "frame",     "describe", "desc",
                                       "truncate", "summarize", "view"};
  if (is_one_of(place->last, before, COUNT(before))) return true;
  if (last_is(place, "using") && !clause_is(place, "join")) return true;
  return last_is(place, ",") && (clause_is(place, "from") || clause_is(place, "join"));
}

/* Names below what stands before the last dot, columns of the frame or alias that it is. */
static void add_qualified(struct place *place) {
  const struct cli_completion *completion = place->completion;
  const char *hive = ap_session_hive(completion->session);
  struct cli_name name = {0};
  char *outer = cli_copy(place->outer.data, place->outer.size - 1);
  if (cli_name_parse(outer, &name)) {
    char *parts[3] = {NULL};
    for (size_t i = 0; i < place->frame_count && name.count == 1; ++i) {
      const struct frame *frame = &place->frames[i];
      const char *called = frame->alias == NULL ? frame->parts[2] : frame->alias;
      if (strcasecmp(called, name.parts[0]) == 0) add_columns(place, frame->parts);
    }
    if (name.count < 3) add_level(place, name.parts[0], name.count > 1 ? name.parts[1] : NULL);
    if (name.count == 1 && hive[0] != '\0') add_level(place, hive, name.parts[0]);
    if (!wants_frame(place) && qualify(completion, name.parts, name.count, parts)) {
      add_columns(place, parts);
    }
    for (size_t i = 0; i < 3; ++i) free(parts[i]);
  }
  cli_name_deinit(&name);
  free(outer);
}

static void add_frames(struct place *place) {
  const char *hive = ap_session_hive(place->completion->session);
  const char *box = ap_session_box(place->completion->session);
  if (box[0] != '\0') add_level(place, hive, box);
  if (hive[0] != '\0') add_level(place, hive, NULL);
  add_level(place, NULL, NULL);
}

static void add_expression(struct place *place) {
  static const char *const no_columns[] = {"show",  "use",   "create", "drop",
                                           "alter", "limit", "with"};
  bool has_columns = !is_one_of(place->clause, no_columns, COUNT(no_columns));
  for (size_t i = 0; has_columns && i < place->frame_count; ++i) {
    const struct frame *frame = &place->frames[i];
    add_columns(place, frame->parts);
    if (place->frame_count > 1 || frame->alias != NULL) {
      add_name(place, frame->alias == NULL ? frame->parts[2] : frame->alias, ".");
    }
  }
  if (place->typed.size == 0 && place->candidates->count > 0) return;
  add_keywords(place, keywords, COUNT(keywords));
  if (has_columns) add_functions(place);
}

static void add_fitting(struct place *place) {
  static const char *const shown[] = {"HIVES", "BOXES", "FRAMES"};
  static const char *const kinds[] = {"HIVE", "BOX", "FRAME"};
  const char *hive = ap_session_hive(place->completion->session);
  if (place->outer.size > 0) {
    add_qualified(place);
  } else if (place->is_first) {
    add_keywords(place, first_words, COUNT(first_words));
  } else if (last_is(place, "use")) {
    add_keywords(place, kinds, 2);
    add_frames(place);
  } else if (last_is(place, "hive") || last_is(place, "hives")) {
    add_level(place, NULL, NULL);
  } else if (last_is(place, "box")) {
    if (hive[0] != '\0') add_level(place, hive, NULL);
    add_level(place, NULL, NULL);
  } else if (last_is(place, "show")) {
    add_keywords(place, shown, COUNT(shown));
  } else if (last_is(place, "create") || last_is(place, "drop") || last_is(place, "alter")) {
    add_keywords(place, kinds, COUNT(kinds));
    add_keywords(place, keywords, COUNT(keywords));
  } else if (wants_frame(place)) {
    add_frames(place);
  } else {
    add_expression(place);
  }
}

/* ---- the word -------------------------------------------------------------------------------- */

/* Where the dotted name begins that the text ends with. */
static size_t find_word(const char *text) {
  size_t size = strlen(text);
  size_t start = size;
  bool joins = false; /* a part that follows belongs to the name */
  size_t at = 0;
  for (;;) {
    struct cli_token token = cli_token_next(text, size, &at);
    size_t begin = token.data == NULL ? size : (size_t)(token.data - text);
    if (token.kind == CLI_TOKEN_END) return token.is_open || begin > start ? size : start;
    bool is_part = token.kind == CLI_TOKEN_WORD || token.kind == CLI_TOKEN_QUOTED;
    bool is_dot = token.kind == CLI_TOKEN_SYMBOL && token.data[0] == '.';
    if (token.kind == CLI_TOKEN_STRING && token.is_open) return size + 1; /* in a string */
    bool touches = at == size;
    bool is_value = token.kind == CLI_TOKEN_NUMBER || token.kind == CLI_TOKEN_PARAMETER;
    if (touches && is_value) return size + 1;
    if (is_dot && start < size) {
      joins = true;
    } else if (is_part && joins) {
      joins = false;
    } else if (is_part) {
      start = begin;
      joins = false;
    } else {
      start = size;
      joins = false;
    }
    if (touches) return start;
  }
}

static void split_word(struct place *place, const char *word) {
  size_t size = strlen(word);
  size_t last = 0;
  for (size_t at = 0; at < size;) {
    struct cli_token token = cli_token_next(word, size, &at);
    if (token.kind == CLI_TOKEN_SYMBOL) last = at;
  }
  struct cli_token token = {.kind = CLI_TOKEN_WORD, .data = word + last, .size = size - last};
  if (word[last] == '"') {
    size_t at = last;
    token = cli_token_next(word, size, &at);
    place->is_quoted = true;
  }
  char *typed = part_of(&token);
  cli_text_append(&place->outer, word, last);
  cli_text_append_string(&place->typed, typed);
  free(typed);
}

static void place_deinit(struct place *place) {
  for (size_t i = 0; i < place->frame_count; ++i) {
    for (size_t k = 0; k < 3; ++k) free(place->frames[i].parts[k]);
    free(place->frames[i].alias);
  }
  cli_text_deinit(&place->before);
  cli_text_deinit(&place->typed);
  cli_text_deinit(&place->outer);
}

size_t cli_complete(const struct cli_completion *completion, const char *before, const char *behind,
                    struct cli_candidates *candidates) {
  struct place place = {.completion = completion, .candidates = candidates};
  struct cli_text whole = {0};
  cli_text_append_format(&whole, "%s%s", completion->pending, before);
  size_t start = find_word(whole.data);
  size_t size = start > whole.size ? 0 : whole.size - start;
  if (start <= whole.size && size <= strlen(before)) {
    cli_text_append(&place.before, whole.data, start);
    split_word(&place, whole.data + start);
    cli_text_append_string(&whole, behind);
    find_frames(&place, whole.data);
    find_clause(&place);
    add_fitting(&place);
  }
  place_deinit(&place);
  cli_text_deinit(&whole);
  return size;
}

size_t cli_complete_name(const struct cli_completion *completion, const char *before,
                         struct cli_candidates *candidates) {
  struct place place = {.completion = completion, .candidates = candidates};
  size_t start = find_word(before);
  if (start > strlen(before)) return 0;
  split_word(&place, before + start);
  memcpy(place.last, "from", 5);
  if (place.outer.size > 0) {
    add_qualified(&place);
  } else {
    add_frames(&place);
  }
  place_deinit(&place);
  return strlen(before) - start;
}
