/* SPDX-License-Identifier: Apache-2.0
 *
 * USE, SHOW, DESCRIBE, CREATE and DROP. HIVE, BOX, FRAME and their twins are keywords only where
 * one of these statements expects them, and only when a name follows, so that a frame may be
 * called "box".
 * Thread: the arena's.
 */
#include "plan/statement_change_parser.h"

#include "base/limits.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

enum object {
  OBJECT_NONE,
  OBJECT_HIVE,
  OBJECT_BOX,
  OBJECT_FRAME,
  OBJECT_VIEW, /* in SHOW VIEWS only */
};

static const struct {
  const char *singular;
  const char *plural;
  enum object object;
} object_words[] = {
    {"HIVE", "HIVES", OBJECT_HIVE},       {"DATABASE", "DATABASES", OBJECT_HIVE},
    {"BOX", "BOXES", OBJECT_BOX},         {"SCHEMA", "SCHEMAS", OBJECT_BOX},
    {"FRAME", "FRAMES", OBJECT_FRAME},    {"TABLE", "TABLES", OBJECT_FRAME},
    {"CATALOG", "CATALOGS", OBJECT_HIVE}, {"", "VIEWS", OBJECT_VIEW},
};

static enum object object_of(const struct ap_token *token, bool plural) {
  for (size_t i = 0; i < COUNT_OF(object_words); i++) {
    if (ap_token_is(token, plural ? object_words[i].plural : object_words[i].singular)) {
      return object_words[i].object;
    }
  }
  return OBJECT_NONE;
}

enum ap_object ap_token_object(const struct ap_token *token) {
  if (ap_token_is(token, "VIEW")) return AP_OBJECT_VIEW;
  enum object object = object_of(token, false);
  return object == OBJECT_HIVE    ? AP_OBJECT_HIVE
         : object == OBJECT_BOX   ? AP_OBJECT_BOX
         : object == OBJECT_FRAME ? AP_OBJECT_FRAME
                                  : AP_OBJECT_NONE;
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

/* HIVS is no option. */
static bool is_near_object(const struct ap_token *token) {
  const char *plurals[COUNT_OF(object_words)];
  for (size_t i = 0; i < COUNT_OF(object_words); i++) plurals[i] = object_words[i].plural;
  return ap_text_nearest(token->value, plurals, COUNT_OF(plurals)) != NULL;
}

/* SHOW HIVES | BOXES [IN h] | FRAMES [IN [h.]b], each [LIKE 'pattern'] */
ap_status ap_statement_parse_show(struct ap_statement_parser *parser) {
  static const enum ap_statement_kind kinds[] = {
      [OBJECT_HIVE] = AP_STATEMENT_SHOW_HIVES,
      [OBJECT_BOX] = AP_STATEMENT_SHOW_BOXES,
      [OBJECT_FRAME] = AP_STATEMENT_SHOW_FRAMES,
      [OBJECT_VIEW] = AP_STATEMENT_SHOW_VIEWS,
  };
  struct ap_statement *statement = parser->statement;
  ap_parser_take(parser);
  if (ap_parser_take_word(parser, "CREATE")) return ap_statement_parse_show_create(parser);
  if (ap_parser_take_word(parser, "CHANGES")) return ap_statement_parse_changes(parser);
  if (ap_statement_is_show_of(parser)) return ap_statement_parse_show_of(parser);
  enum object object = object_of(ap_parser_peek(parser), true);
  const struct ap_token *next = ap_parser_peek_at(parser, 1);
  if (ap_token_is(ap_parser_peek(parser), "HISTORY") && next->kind != AP_TOKEN_END) {
    return ap_statement_parse_history(parser);
  }
  if (object == OBJECT_NONE && ap_token_is_name(ap_parser_peek(parser)) &&
      next->kind == AP_TOKEN_END && !is_near_object(ap_parser_peek(parser))) {
    return ap_statement_parse_show_option(parser);
  }
  if (object == OBJECT_NONE) {
    const char *plurals[COUNT_OF(object_words)];
    for (size_t i = 0; i < COUNT_OF(object_words); i++) plurals[i] = object_words[i].plural;
    return ap_parser_expected(parser,
                              "HIVES, BOXES, FRAMES (DATABASES, SCHEMAS, TABLES), VIEWS or CREATE",
                              plurals, COUNT_OF(plurals));
  }
  ap_parser_take(parser);
  statement->kind = kinds[object];
  if (object != OBJECT_HIVE &&
      (ap_parser_take_word(parser, "IN") || ap_parser_take_word(parser, "FROM"))) {
    enum object in = object_of(ap_parser_peek(parser), false);
    if (in == OBJECT_HIVE || (in == OBJECT_BOX && object != OBJECT_BOX)) {
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

/* The answer tells all there is, whichever of these words asks. */
static void take_more_word(struct ap_statement_parser *parser) {
  static const char *const words[] = {"DETAIL", "EXTENDED", "FORMATTED"};
  if (!ap_token_is_name(ap_parser_peek_at(parser, 1))) return;
  for (size_t i = 0; i < COUNT_OF(words); i++) {
    if (ap_parser_take_word(parser, words[i])) return;
  }
}

/* DESCRIBE [FRAME] [DETAIL | EXTENDED] name | DESCRIBE query */
ap_status ap_statement_parse_describe(struct ap_statement_parser *parser) {
  struct ap_statement *statement = parser->statement;
  ap_parser_take(parser);
  const struct ap_token *behind = ap_parser_peek_at(parser, 1);
  if (ap_token_is(ap_parser_peek(parser), "HISTORY") && ap_token_is_name(behind)) {
    return ap_statement_parse_history(parser);
  }
  const struct ap_token *token = ap_parser_peek(parser);
  if (ap_token_begins_query(token) && !ap_token_is(token, "TABLE")) {
    statement->kind = AP_STATEMENT_DESCRIBE_QUERY;
    statement->body = ap_parser_rest(parser);
    return AP_OK;
  }
  statement->kind = AP_STATEMENT_DESCRIBE;
  if (object_of(token, false) == OBJECT_FRAME) (void)take_object(parser);
  take_more_word(parser);
  AP_TRY(ap_parser_take_name(parser, 3, "the name of a frame, or a query", &statement->name));
  return ap_parser_take_end(parser, "the end of the statement");
}

/* Objects of the engine that are known but not offered: CREATE VIEW and the like. */
static ap_status take_refused_object(struct ap_statement_parser *parser, bool *out_refused) {
  static const char *const words[] = {
      "MACRO",        "FUNCTION", "INDEX",     "SEQUENCE",   "TYPE",      "SECRET",  "TEMP",
      "TEMPORARY",    "OR",       "UNIQUE",    "PERSISTENT", "RECURSIVE", "TRIGGER", "UNLOGGED",
      "MATERIALIZED", "EXTERNAL", "EXTENSION", "USER",       "ROLE",
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

/* Behind PARTITIONED */
static ap_status take_partition(struct ap_statement_parser *parser) {
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

/* Behind USING: Spark's word for what frames are. */
static ap_status take_format(struct ap_statement_parser *parser) {
  struct ap_text format;
  AP_TRY(ap_parser_take_part(parser, "DELTA", &format));
  if (ap_text_equal_ignoring_case(format, AP_TEXT("delta"))) return AP_OK;
  ap_status status =
      AP_FAIL(parser->err, AP_UNSUPPORTED, "a frame in the format %.*s", AP_TEXT_ARG(format));
  ap_error_hint(parser->err, "frames are Delta tables: leave USING out, or say USING DELTA");
  return status;
}

static ap_status take_frame_clause(struct ap_statement_parser *parser,
                                   struct ap_statement_frame *frame) {
  static const char *const words[] = {"PARTITIONED", "PARTITION", "COMMENT", "TBLPROPERTIES",
                                      "WITH"};
  if (ap_parser_take_word(parser, "USING")) return take_format(parser);
  if (ap_parser_take_word(parser, "PARTITIONED") || ap_parser_take_word(parser, "PARTITION")) {
    return take_partition(parser);
  }
  if (ap_parser_take_word(parser, "COMMENT")) {
    return ap_parser_take_string(parser, "a 'comment'", &frame->comment);
  }
  if (ap_parser_take_word(parser, "TBLPROPERTIES") || ap_parser_take_word(parser, "WITH")) {
    return ap_parser_take_properties(parser, true, &frame->properties, &frame->property_count);
  }
  return ap_parser_expected(parser,
                            "PARTITIONED BY, COMMENT, TBLPROPERTIES or the end of the statement",
                            words, COUNT_OF(words));
}

/* (columns) and, in any order, PARTITIONED BY (names), COMMENT 'text', TBLPROPERTIES (..) */
static ap_status take_frame(struct ap_statement_parser *parser) {
  struct ap_statement *statement = parser->statement;
  struct ap_statement_frame *frame = AP_ARENA_NEW(parser->arena, struct ap_statement_frame);
  struct ap_column_list list;
  if (!frame) return AP_FAIL_MEMORY(parser->err);
  AP_TRY(ap_parser_take_columns(parser, &list));
  statement->columns = list.columns;
  statement->column_count = list.column_count;
  frame->constraints = list.constraints;
  frame->constraint_count = list.constraint_count;
  statement->frame = frame;
  while (!ap_parser_done(parser)) AP_TRY(take_frame_clause(parser, frame));
  return AP_OK;
}

/* Whether AS stands outside of all parentheses. */
static bool is_create_as(const struct ap_statement_parser *parser) {
  size_t depth = 0;
  for (size_t i = parser->at; i < parser->count; i++) {
    const struct ap_token *token = &parser->tokens[i];
    if (ap_token_is_symbol(token, '(')) depth++;
    if (ap_token_is_symbol(token, ')') && depth > 0) depth--;
    if (depth == 0 && ap_token_is(token, "AS")) return true;
  }
  return false;
}

/* [(names)] [clauses] AS query */
static ap_status take_frame_as(struct ap_statement_parser *parser) {
  struct ap_statement_frame *frame = AP_ARENA_NEW(parser->arena, struct ap_statement_frame);
  if (!frame) return AP_FAIL_MEMORY(parser->err);
  AP_TRY(ap_change_begin(parser));
  struct ap_change_statement *change = parser->change;
  parser->statement->kind = AP_STATEMENT_CREATE_FRAME_AS;
  parser->statement->frame = frame;
  if (ap_token_is_symbol(ap_parser_peek(parser), '(')) {
    AP_TRY(ap_change_take_columns(parser, &change->columns, &change->column_count));
  }
  while (!ap_parser_take_word(parser, "AS")) AP_TRY(take_frame_clause(parser, frame));
  if (!ap_token_begins_query(ap_parser_peek(parser))) {
    return ap_parser_expected(parser, "a query", NULL, 0);
  }
  change->query = ap_parser_rest(parser);
  parser->at = parser->count;
  return AP_OK;
}

ap_status ap_parser_take_if_not_exists(struct ap_statement_parser *parser) {
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

void ap_parser_take_if_exists(struct ap_statement_parser *parser) {
  if (!ap_token_is(ap_parser_peek(parser), "IF") ||
      !ap_token_is(ap_parser_peek_at(parser, 1), "EXISTS")) {
    return;
  }
  ap_parser_take(parser);
  ap_parser_take(parser);
  parser->statement->if_exists = true;
}

/* OR REPLACE before FRAME: nothing else can be replaced. */
static void take_or_replace_frame(struct ap_statement_parser *parser) {
  if (!ap_token_is(ap_parser_peek(parser), "OR") ||
      !ap_token_is(ap_parser_peek_at(parser, 1), "REPLACE") ||
      object_of(ap_parser_peek_at(parser, 2), false) != OBJECT_FRAME) {
    return;
  }
  ap_parser_take(parser);
  ap_parser_take(parser);
  parser->statement->or_replace = true;
}

/* CREATE HIVE | BOX | [OR REPLACE] FRAME [IF NOT EXISTS] name [(columns) clauses] */
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
  if (ap_statement_is_create_view(parser)) return ap_statement_parse_create_view(parser);
  take_or_replace_frame(parser);
  bool refused;
  AP_TRY(take_refused_object(parser, &refused));
  if (refused) return AP_OK;
  enum object object;
  AP_TRY(take_object_word(parser, &object));
  statement->kind = kinds[object];
  if (!statement->or_replace) AP_TRY(ap_parser_take_if_not_exists(parser));
  AP_TRY(ap_parser_take_name(parser, (uint32_t)object, what[object], &statement->name));
  if (object == OBJECT_FRAME) {
    AP_TRY(is_create_as(parser) ? take_frame_as(parser) : take_frame(parser));
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
  if (ap_parser_take_word(parser, "VIEW")) return ap_statement_parse_drop_view(parser);
  bool refused;
  AP_TRY(take_refused_object(parser, &refused));
  if (refused) return AP_OK;
  enum object object;
  AP_TRY(take_object_word(parser, &object));
  statement->kind = kinds[object];
  ap_parser_take_if_exists(parser);
  AP_TRY(ap_parser_take_name(parser, (uint32_t)object, "a name", &statement->name));
  if (object == OBJECT_FRAME) (void)ap_parser_take_word(parser, "PURGE"); /* so is every drop */
  statement->cascade = ap_parser_take_word(parser, "CASCADE");
  if (!statement->cascade) (void)ap_parser_take_word(parser, "RESTRICT");
  return ap_parser_take_end(parser, "CASCADE, RESTRICT or the end of the statement");
}
