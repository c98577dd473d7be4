/* SPDX-License-Identifier: Apache-2.0
 *
 * USE, SHOW, DESCRIBE, CREATE and DROP. HIVE, BOX, FRAME and their twins are keywords only where
 * one of these statements expects them, and only when a name follows, so that a frame may be
 * called "box".
 * Thread: the arena's.
 */
#include "plan/statement_parser.h"

#include "base/limits.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

enum object {
  OBJECT_NONE,
  OBJECT_HIVE,
  OBJECT_BOX,
  OBJECT_FRAME,
};

static const struct {
  const char *singular;
  const char *plural;
  enum object object;
} object_words[] = {
    {"HIVE", "HIVES", OBJECT_HIVE},    {"DATABASE", "DATABASES", OBJECT_HIVE},
    {"BOX", "BOXES", OBJECT_BOX},      {"SCHEMA", "SCHEMAS", OBJECT_BOX},
    {"FRAME", "FRAMES", OBJECT_FRAME}, {"TABLE", "TABLES", OBJECT_FRAME},
};

static enum object object_of(const struct ap_token *token, bool plural) {
  for (size_t i = 0; i < COUNT_OF(object_words); i++) {
    if (ap_token_is(token, plural ? object_words[i].plural : object_words[i].singular)) {
      return object_words[i].object;
    }
  }
  return OBJECT_NONE;
}

/* Takes the object's word when a name follows it. */
static enum object take_object(struct ap_statement_parser *parser) {
  enum object object = object_of(ap_parser_peek(parser), false);
  if (object == OBJECT_NONE || !ap_token_is_name(ap_parser_peek_at(parser, 1))) return OBJECT_NONE;
  ap_parser_take(parser);
  return object;
}

static enum ap_scope scope_of(enum object object) {
  return object == OBJECT_HIVE  ? AP_SCOPE_HIVE
         : object == OBJECT_BOX ? AP_SCOPE_BOX
                                : AP_SCOPE_UNSPECIFIED;
}

/* USE [HIVE] h | USE [BOX] [h.]b */
ap_status ap_statement_parse_use(struct ap_statement_parser *parser) {
  struct ap_statement *statement = parser->statement;
  ap_parser_take(parser);
  statement->kind = AP_STATEMENT_USE;
  enum object object = object_of(ap_parser_peek(parser), false);
  if (object == OBJECT_HIVE || object == OBJECT_BOX) object = take_object(parser);
  statement->scope = scope_of(object);
  AP_TRY(ap_parser_take_name(parser, object == OBJECT_HIVE ? 1 : 2, "the name of a hive or box",
                             &statement->name));
  return ap_parser_take_end(parser, "the end of the statement");
}

static ap_status take_like(struct ap_statement_parser *parser) {
  bool word = ap_parser_take_word(parser, "LIKE");
  const struct ap_token *token = ap_parser_peek(parser);
  if (token->kind == AP_TOKEN_STRING) {
    parser->statement->like = ap_parser_take(parser)->value;
  } else if (word) {
    return ap_parser_expected(parser, "a 'pattern'", NULL, 0);
  }
  return AP_OK;
}

/* SHOW HIVES | BOXES [IN h] | FRAMES [IN [h.]b], each [LIKE 'pattern'] */
ap_status ap_statement_parse_show(struct ap_statement_parser *parser) {
  static const enum ap_statement_kind kinds[] = {
      [OBJECT_HIVE] = AP_STATEMENT_SHOW_HIVES,
      [OBJECT_BOX] = AP_STATEMENT_SHOW_BOXES,
      [OBJECT_FRAME] = AP_STATEMENT_SHOW_FRAMES,
  };
  struct ap_statement *statement = parser->statement;
  ap_parser_take(parser);
  enum object object = object_of(ap_parser_peek(parser), true);
  if (object == OBJECT_NONE) {
    const char *plurals[COUNT_OF(object_words)];
    for (size_t i = 0; i < COUNT_OF(object_words); i++) plurals[i] = object_words[i].plural;
    return ap_parser_expected(parser, "HIVES, BOXES or FRAMES (DATABASES, SCHEMAS or TABLES)",
                              plurals, COUNT_OF(plurals));
  }
  ap_parser_take(parser);
  statement->kind = kinds[object];
  if (object != OBJECT_HIVE &&
      (ap_parser_take_word(parser, "IN") || ap_parser_take_word(parser, "FROM"))) {
    enum object in = object_of(ap_parser_peek(parser), false);
    if (in == OBJECT_HIVE || (in == OBJECT_BOX && object == OBJECT_FRAME)) {
      in = ap_token_is_name(ap_parser_peek_at(parser, 1)) &&
                   !ap_token_is(ap_parser_peek_at(parser, 1), "LIKE")
               ? take_object(parser)
               : OBJECT_NONE;
      statement->scope = scope_of(in);
    }
    bool one_part = object == OBJECT_BOX || statement->scope == AP_SCOPE_HIVE;
    AP_TRY(ap_parser_take_name(
        parser, one_part ? 1 : 2,
        object == OBJECT_BOX ? "the name of a hive" : "the name of a hive or box",
        &statement->name));
  }
  AP_TRY(take_like(parser));
  return ap_parser_take_end(
      parser, object == OBJECT_HIVE       ? "LIKE 'pattern' or the end of the statement"
              : statement->name.count > 0 ? "LIKE 'pattern' or the end of the statement"
                                          : "IN, LIKE 'pattern' or the end of the statement");
}

/* DESCRIBE [FRAME] name | DESCRIBE query */
ap_status ap_statement_parse_describe(struct ap_statement_parser *parser) {
  struct ap_statement *statement = parser->statement;
  ap_parser_take(parser);
  const struct ap_token *token = ap_parser_peek(parser);
  if (ap_token_begins_query(token) && !ap_token_is(token, "TABLE")) {
    statement->kind = AP_STATEMENT_DESCRIBE_QUERY;
    statement->body = ap_parser_rest(parser);
    return AP_OK;
  }
  statement->kind = AP_STATEMENT_DESCRIBE;
  if (object_of(token, false) == OBJECT_FRAME) (void)take_object(parser);
  AP_TRY(ap_parser_take_name(parser, 3, "the name of a frame, or a query", &statement->name));
  return ap_parser_take_end(parser, "the end of the statement");
}

/* Objects of the engine that are known but not offered: CREATE VIEW and the like. */
static ap_status take_refused_object(struct ap_statement_parser *parser, bool *out_refused) {
  static const char *const words[] = {
      "VIEW",     "MACRO",        "FUNCTION", "INDEX",     "SEQUENCE",   "TYPE",      "SECRET",
      "TEMP",     "TEMPORARY",    "OR",       "UNIQUE",    "PERSISTENT", "RECURSIVE", "TRIGGER",
      "UNLOGGED", "MATERIALIZED", "EXTERNAL", "EXTENSION", "USER",       "ROLE",
  };
  const struct ap_token *token = ap_parser_peek(parser);
  *out_refused = false;
  for (size_t i = 0; i < COUNT_OF(words); i++) {
    if (!ap_token_is(token, words[i])) continue;
    parser->statement->kind = AP_STATEMENT_REFUSED;
    const char *head =
        ap_arena_format(parser->arena, "%.*s %s", AP_TEXT_ARG(parser->statement->head), words[i]);
    if (!head) return AP_FAIL_MEMORY(parser->err);
    parser->statement->head = ap_text_of(head);
    *out_refused = true;
    return AP_OK;
  }
  return AP_OK;
}

static ap_status take_object_word(struct ap_statement_parser *parser, enum object *out_object) {
  *out_object = object_of(ap_parser_peek(parser), false);
  if (*out_object == OBJECT_NONE) {
    const char *words[COUNT_OF(object_words)];
    for (size_t i = 0; i < COUNT_OF(object_words); i++) words[i] = object_words[i].singular;
    return ap_parser_expected(parser, "HIVE, BOX or FRAME (DATABASE, SCHEMA or TABLE)", words,
                              COUNT_OF(words));
  }
  ap_parser_take(parser);
  return AP_OK;
}

/* One token of a type: how deep it stands in (), [] and <>. */
static void count_depth(const struct ap_token *token, int *depth) {
  static const char opening[] = {'(', '[', '<'};
  static const char closing[] = {')', ']', '>'};
  for (size_t i = 0; i < sizeof(opening); i++) {
    if (ap_token_is_symbol(token, opening[i])) (*depth)++;
    if (ap_token_is_symbol(token, closing[i])) (*depth)--;
  }
}

static bool is_constraint(const struct ap_token *token) {
  static const char *const words[] = {"PRIMARY", "DEFAULT",   "CHECK",      "UNIQUE", "COLLATE",
                                      "COMMENT", "GENERATED", "REFERENCES", "AS",     "CONSTRAINT"};
  for (size_t i = 0; i < COUNT_OF(words); i++) {
    if (ap_token_is(token, words[i])) return true;
  }
  return false;
}

/* The type's text: up to NOT, NULL, a comma or the closing parenthesis at its own level. */
static ap_status take_type(struct ap_statement_parser *parser, struct ap_text *out_type) {
  const struct ap_token *first = ap_parser_peek(parser);
  if (first->kind != AP_TOKEN_WORD && first->kind != AP_TOKEN_QUOTED) {
    return ap_parser_expected(parser, "a type", NULL, 0);
  }
  const struct ap_token *last = NULL;
  int depth = 0;
  for (;;) {
    const struct ap_token *token = ap_parser_peek(parser);
    if (token->kind == AP_TOKEN_END) return ap_parser_expected(parser, ", or )", NULL, 0);
    if (depth == 0 && (ap_token_is(token, "NOT") || ap_token_is(token, "NULL") ||
                       ap_token_is_symbol(token, ',') || ap_token_is_symbol(token, ')'))) {
      break;
    }
    if (depth == 0 && is_constraint(token)) {
      return ap_parser_expected(parser, "NOT NULL, NULL, , or ) (frames have no other constraints)",
                                NULL, 0);
    }
    count_depth(token, &depth);
    if (depth < 0) return ap_parser_expected(parser, "a type", NULL, 0);
    last = ap_parser_take(parser);
  }
  if (last == NULL) return ap_parser_expected(parser, "a type", NULL, 0);
  *out_type = (struct ap_text){
      first->source.data, (size_t)(last->source.data + last->source.size - first->source.data)};
  return AP_OK;
}

static bool begins_table_constraint(const struct ap_statement_parser *parser) {
  const struct ap_token *token = ap_parser_peek(parser);
  const struct ap_token *next = ap_parser_peek_at(parser, 1);
  if (ap_token_is(token, "PRIMARY") || ap_token_is(token, "FOREIGN")) {
    return ap_token_is(next, "KEY");
  }
  if (ap_token_is(token, "UNIQUE") || ap_token_is(token, "CHECK")) {
    return ap_token_is_symbol(next, '(');
  }
  return ap_token_is(token, "CONSTRAINT") && ap_token_is_name(next) &&
         is_constraint(ap_parser_peek_at(parser, 2));
}

static ap_status take_column(struct ap_statement_parser *parser,
                             struct ap_statement_column *out_column) {
  static const char *const null_words[] = {"NULL", "NOT"};
  if (begins_table_constraint(parser)) {
    return ap_parser_expected(parser, "a column (frames have no keys and constraints)", NULL, 0);
  }
  *out_column = (struct ap_statement_column){.not_null = false};
  AP_TRY(ap_parser_take_part(parser, "the name of a column", &out_column->name));
  AP_TRY(take_type(parser, &out_column->type));
  if (ap_parser_take_word(parser, "NOT")) {
    out_column->not_null = true;
    if (!ap_parser_take_word(parser, "NULL")) {
      return ap_parser_expected(parser, "NULL behind NOT", null_words, 1);
    }
  } else {
    (void)ap_parser_take_word(parser, "NULL");
  }
  return AP_OK;
}

static ap_status take_columns(struct ap_statement_parser *parser) {
  if (!ap_parser_take_symbol(parser, '(')) {
    return ap_parser_expected(parser, "( and the columns: (name type, ...)", NULL, 0);
  }
  size_t capacity = ap_parser_items_max(parser);
  struct ap_statement_column *columns =
      AP_ARENA_ARRAY(parser->arena, struct ap_statement_column, capacity);
  if (!columns) return AP_FAIL_MEMORY(parser->err);
  uint32_t count = 0;
  do {
    if (count == AP_COLUMNS_MAX) {
      return AP_FAIL(parser->err, AP_SYNTAX, "a frame has at most %d columns", AP_COLUMNS_MAX);
    }
    AP_TRY(take_column(parser, &columns[count]));
    count++;
  } while (ap_parser_take_symbol(parser, ','));
  if (!ap_parser_take_symbol(parser, ')')) {
    return ap_parser_expected(parser, "NOT NULL, NULL, , or )", NULL, 0);
  }
  parser->statement->columns = columns;
  parser->statement->column_count = count;
  return AP_OK;
}

static ap_status take_partition(struct ap_statement_parser *parser) {
  static const char *const words[] = {"PARTITIONED", "PARTITION"};
  if (ap_parser_done(parser)) return AP_OK;
  if (!ap_parser_take_word(parser, "PARTITIONED") && !ap_parser_take_word(parser, "PARTITION")) {
    return ap_parser_expected(parser, "PARTITIONED BY or the end of the statement", words,
                              COUNT_OF(words));
  }
  if (!ap_parser_take_word(parser, "BY")) return ap_parser_expected(parser, "BY", NULL, 0);
  if (!ap_parser_take_symbol(parser, '(')) {
    return ap_parser_expected(parser, "( and the partition columns", NULL, 0);
  }
  struct ap_text *names =
      AP_ARENA_ARRAY(parser->arena, struct ap_text, ap_parser_items_max(parser));
  if (!names) return AP_FAIL_MEMORY(parser->err);
  uint32_t count = 0;
  do {
    if (count == AP_PARTITION_COLUMNS_MAX) {
      return AP_FAIL(parser->err, AP_SYNTAX, "a frame has at most %d partition columns",
                     AP_PARTITION_COLUMNS_MAX);
    }
    AP_TRY(ap_parser_take_part(parser, "the name of a column", &names[count]));
    count++;
  } while (ap_parser_take_symbol(parser, ','));
  if (!ap_parser_take_symbol(parser, ')')) return ap_parser_expected(parser, ", or )", NULL, 0);
  parser->statement->partition_by = names;
  parser->statement->partition_count = count;
  return AP_OK;
}

static ap_status take_if_not_exists(struct ap_statement_parser *parser) {
  static const char *const words[] = {"EXISTS"};
  if (!ap_token_is(ap_parser_peek(parser), "IF") ||
      !ap_token_is(ap_parser_peek_at(parser, 1), "NOT")) {
    return AP_OK;
  }
  ap_parser_take(parser);
  ap_parser_take(parser);
  if (!ap_parser_take_word(parser, "EXISTS")) {
    return ap_parser_expected(parser, "EXISTS behind IF NOT", words, 1);
  }
  parser->statement->if_not_exists = true;
  return AP_OK;
}

/* CREATE HIVE | BOX | FRAME [IF NOT EXISTS] name [(columns) [PARTITIONED BY (names)]] */
ap_status ap_statement_parse_create(struct ap_statement_parser *parser) {
  static const enum ap_statement_kind kinds[] = {
      [OBJECT_HIVE] = AP_STATEMENT_CREATE_HIVE,
      [OBJECT_BOX] = AP_STATEMENT_CREATE_BOX,
      [OBJECT_FRAME] = AP_STATEMENT_CREATE_FRAME,
  };
  static const char *const what[] = {
      [OBJECT_HIVE] = "the name of a hive",
      [OBJECT_BOX] = "the name of a box",
      [OBJECT_FRAME] = "the name of a frame",
  };
  struct ap_statement *statement = parser->statement;
  ap_parser_take(parser);
  bool refused;
  AP_TRY(take_refused_object(parser, &refused));
  if (refused) return AP_OK;
  enum object object;
  AP_TRY(take_object_word(parser, &object));
  statement->kind = kinds[object];
  AP_TRY(take_if_not_exists(parser));
  AP_TRY(ap_parser_take_name(parser, (uint32_t)object, what[object], &statement->name));
  if (object == OBJECT_FRAME) {
    if (ap_token_is(ap_parser_peek(parser), "AS")) {
      statement->kind = AP_STATEMENT_REFUSED;
      statement->head = AP_TEXT("CREATE TABLE AS");
      return AP_OK;
    }
    AP_TRY(take_columns(parser));
    AP_TRY(take_partition(parser));
  }
  return ap_parser_take_end(parser, "the end of the statement");
}

/* DROP HIVE | BOX | FRAME [IF EXISTS] name [CASCADE | RESTRICT] */
ap_status ap_statement_parse_drop(struct ap_statement_parser *parser) {
  static const enum ap_statement_kind kinds[] = {
      [OBJECT_HIVE] = AP_STATEMENT_DROP_HIVE,
      [OBJECT_BOX] = AP_STATEMENT_DROP_BOX,
      [OBJECT_FRAME] = AP_STATEMENT_DROP_FRAME,
  };
  struct ap_statement *statement = parser->statement;
  ap_parser_take(parser);
  bool refused;
  AP_TRY(take_refused_object(parser, &refused));
  if (refused) return AP_OK;
  enum object object;
  AP_TRY(take_object_word(parser, &object));
  statement->kind = kinds[object];
  if (ap_token_is(ap_parser_peek(parser), "IF") &&
      ap_token_is(ap_parser_peek_at(parser, 1), "EXISTS")) {
    ap_parser_take(parser);
    ap_parser_take(parser);
    statement->if_exists = true;
  }
  AP_TRY(ap_parser_take_name(parser, (uint32_t)object, "a name", &statement->name));
  statement->cascade = ap_parser_take_word(parser, "CASCADE");
  if (!statement->cascade) (void)ap_parser_take_word(parser, "RESTRICT");
  return ap_parser_take_end(parser, "CASCADE, RESTRICT or the end of the statement");
}
