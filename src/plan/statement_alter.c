/* SPDX-License-Identifier: Apache-2.0
 *
 * ALTER FRAME, and COMMENT ON FRAME and COLUMN. One action per statement: each is one commit.
 * Thread: the arena's.
 */
#include "plan/statement_alter.h"

#include "base/limits.h"
#include "plan/statement_parser.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

enum { PATH_PARTS_MAX = 32 };

static ap_status take_exists(struct ap_statement_parser *parser, bool negated, bool *out_taken) {
  static const char *const words[] = {"EXISTS"};
  *out_taken = false;
  if (!ap_token_is(ap_parser_peek(parser), "IF")) return AP_OK;
  const struct ap_token *next = ap_parser_peek_at(parser, 1);
  if (negated ? !ap_token_is(next, "NOT") : !ap_token_is(next, "EXISTS")) return AP_OK;
  ap_parser_take(parser);
  if (negated) ap_parser_take(parser);
  if (!ap_parser_take_word(parser, "EXISTS")) {
    return ap_parser_expected(parser, "EXISTS behind IF NOT", words, 1);
  }
  *out_taken = true;
  return AP_OK;
}

/* a or s.x */
static ap_status take_path(struct ap_statement_parser *parser, struct ap_alter_item *item) {
  struct ap_text parts[PATH_PARTS_MAX];
  uint32_t count = 0;
  do {
    if (count == PATH_PARTS_MAX) return ap_parser_expected(parser, "no more parts", NULL, 0);
    AP_TRY(ap_parser_take_part(parser, "the name of a column", &parts[count]));
    count++;
  } while (ap_parser_take_symbol(parser, '.'));
  struct ap_text *copy = AP_ARENA_ARRAY(parser->arena, struct ap_text, count);
  if (!copy) return AP_FAIL_MEMORY(parser->err);
  for (uint32_t i = 0; i < count; i++) copy[i] = parts[i];
  item->path = copy;
  item->path_count = count;
  return AP_OK;
}

/* FIRST | AFTER column, when one stands here. */
static ap_status take_place(struct ap_statement_parser *parser, struct ap_alter_item *item) {
  if (ap_parser_take_word(parser, "FIRST")) {
    item->place = AP_ALTER_PLACE_FIRST;
  } else if (ap_parser_take_word(parser, "AFTER")) {
    item->place = AP_ALTER_PLACE_AFTER;
    return ap_parser_take_part(parser, "the name of a column behind AFTER", &item->after);
  }
  return AP_OK;
}

static ap_status refuse_rule(struct ap_statement_parser *parser, const char *rule) {
  ap_status status = ap_parser_expected(
      parser, "COMMENT, FIRST, AFTER or the end: a new column has no rule yet", NULL, 0);
  ap_error_hint(parser->err,
                "the rows that are there have nulls in a new column: add it, fill it where needed, "
                "then ALTER COLUMN .. SET %s",
                rule);
  return status;
}

/* path type [NULL] [COMMENT 'text'] [FIRST | AFTER column] */
static ap_status take_new_column(struct ap_statement_parser *parser, struct ap_alter_item *item) {
  AP_TRY(take_path(parser, item));
  AP_TRY(ap_parser_take_type(parser, &item->type));
  for (;;) {
    if (ap_token_is(ap_parser_peek(parser), "NOT")) return refuse_rule(parser, "NOT NULL");
    if (ap_token_is(ap_parser_peek(parser), "DEFAULT")) return refuse_rule(parser, "DEFAULT");
    if (ap_parser_take_word(parser, "NULL")) continue;
    if (!ap_parser_take_word(parser, "COMMENT")) break;
    AP_TRY(ap_parser_take_string(parser, "a 'comment'", &item->comment));
  }
  return take_place(parser, item);
}

/* item | (item, ...) | item, [word COLUMN] item; of `word` ADD or DROP */
static ap_status take_items(struct ap_statement_parser *parser, struct ap_statement_alter *alter,
                            const char *word,
                            ap_status (*take)(struct ap_statement_parser *,
                                              struct ap_alter_item *)) {
  struct ap_alter_item *items =
      AP_ARENA_ARRAY(parser->arena, struct ap_alter_item, ap_parser_items_max(parser));
  if (!items) return AP_FAIL_MEMORY(parser->err);
  bool parenthesised = ap_parser_take_symbol(parser, '(');
  do {
    if (alter->item_count == AP_COLUMNS_MAX) {
      return AP_FAIL(parser->err, AP_SYNTAX, "a frame has at most %d columns", AP_COLUMNS_MAX);
    }
    if (alter->item_count > 0 && !parenthesised && ap_token_is(ap_parser_peek(parser), word) &&
        ap_token_is(ap_parser_peek_at(parser, 1), "COLUMN")) {
      ap_parser_take(parser);
      ap_parser_take(parser);
    }
    AP_TRY(take(parser, &items[alter->item_count]));
    alter->item_count += 1;
  } while (ap_parser_take_symbol(parser, ','));
  if (parenthesised && !ap_parser_take_symbol(parser, ')')) {
    return ap_parser_expected(parser, ", or )", NULL, 0);
  }
  alter->items = items;
  return AP_OK;
}

/* ADD [COLUMN | COLUMNS] ... | ADD [CONSTRAINT name] CHECK (condition) */
static ap_status take_add(struct ap_statement_parser *parser, struct ap_statement_alter *alter) {
  bool constraint = ap_parser_take_word(parser, "CONSTRAINT");
  if (constraint) {
    AP_TRY(take_exists(parser, true, &alter->forgiving));
    AP_TRY(ap_parser_take_part(parser, "the name of a constraint", &alter->name));
  }
  if (constraint || (ap_token_is(ap_parser_peek(parser), "CHECK") &&
                     ap_token_is_symbol(ap_parser_peek_at(parser, 1), '('))) {
    if (!ap_parser_take_word(parser, "CHECK")) {
      return ap_parser_expected(parser, "CHECK (frames have no keys and no other constraints)",
                                NULL, 0);
    }
    alter->action = AP_ALTER_ACTION_ADD_CONSTRAINT;
    return ap_parser_take_parenthesised(parser, "( and a condition", &alter->text);
  }
  alter->action = AP_ALTER_ACTION_ADD_COLUMNS;
  if (!ap_parser_take_word(parser, "COLUMN")) (void)ap_parser_take_word(parser, "COLUMNS");
  AP_TRY(take_exists(parser, true, &alter->forgiving));
  return take_items(parser, alter, "ADD", take_new_column);
}

/* DROP [COLUMN | COLUMNS] [IF EXISTS] .. | DROP CONSTRAINT [IF EXISTS] name */
static ap_status take_drop(struct ap_statement_parser *parser, struct ap_statement_alter *alter) {
  if (ap_parser_take_word(parser, "CONSTRAINT")) {
    alter->action = AP_ALTER_ACTION_DROP_CONSTRAINT;
    AP_TRY(take_exists(parser, false, &alter->forgiving));
    return ap_parser_take_part(parser, "the name of a constraint", &alter->name);
  }
  alter->action = AP_ALTER_ACTION_DROP_COLUMNS;
  if (!ap_parser_take_word(parser, "COLUMN")) (void)ap_parser_take_word(parser, "COLUMNS");
  AP_TRY(take_exists(parser, false, &alter->forgiving));
  return take_items(parser, alter, "DROP", take_path);
}

/* RENAME [COLUMN] a TO b */
static ap_status take_rename(struct ap_statement_parser *parser, struct ap_statement_alter *alter) {
  struct ap_alter_item *item = AP_ARENA_NEW(parser->arena, struct ap_alter_item);
  if (!item) return AP_FAIL_MEMORY(parser->err);
  alter->action = AP_ALTER_ACTION_RENAME_COLUMN;
  (void)ap_parser_take_word(parser, "COLUMN");
  AP_TRY(take_path(parser, item));
  alter->items = item;
  alter->item_count = 1;
  if (!ap_parser_take_word(parser, "TO")) return ap_parser_expected(parser, "TO", NULL, 0);
  return ap_parser_take_part(parser, "the new name of the column", &alter->text);
}

static ap_status take_column_rule(struct ap_statement_parser *parser,
                                  struct ap_statement_alter *alter, bool sets) {
  static const char *const words[] = {"NOT", "DEFAULT", "TYPE", "DATA"};
  if (ap_token_is(ap_parser_peek(parser), "NOT") &&
      ap_token_is(ap_parser_peek_at(parser, 1), "NULL")) {
    ap_parser_take(parser);
    ap_parser_take(parser);
    alter->action = sets ? AP_ALTER_ACTION_SET_NOT_NULL : AP_ALTER_ACTION_DROP_NOT_NULL;
    return AP_OK;
  }
  if (ap_parser_take_word(parser, "DEFAULT")) {
    alter->action = sets ? AP_ALTER_ACTION_SET_DEFAULT : AP_ALTER_ACTION_DROP_DEFAULT;
    return sets ? ap_parser_take_expression(parser, &alter->text) : AP_OK;
  }
  return ap_parser_expected(parser, sets ? "NOT NULL, DEFAULT or DATA TYPE" : "NOT NULL or DEFAULT",
                            words, sets ? COUNT_OF(words) : 2);
}

/* ALTER [COLUMN] c [SET DATA] TYPE t | SET .. | DROP .. | COMMENT 'text' | FIRST | AFTER c */
static ap_status take_alter(struct ap_statement_parser *parser, struct ap_statement_alter *alter) {
  static const char *const words[] = {"TYPE", "SET", "DROP", "COMMENT", "FIRST", "AFTER"};
  struct ap_alter_item *item = AP_ARENA_NEW(parser->arena, struct ap_alter_item);
  if (!item) return AP_FAIL_MEMORY(parser->err);
  (void)ap_parser_take_word(parser, "COLUMN");
  AP_TRY(take_path(parser, item));
  alter->items = item;
  alter->item_count = 1;
  bool sets = ap_parser_take_word(parser, "SET");
  if (sets && ap_parser_take_word(parser, "DATA") && !ap_token_is(ap_parser_peek(parser), "TYPE")) {
    return ap_parser_expected(parser, "TYPE behind SET DATA", NULL, 0);
  }
  if (ap_parser_take_word(parser, "TYPE")) {
    alter->action = AP_ALTER_ACTION_SET_TYPE;
    return ap_parser_take_type(parser, &item->type);
  }
  if (sets) return take_column_rule(parser, alter, true);
  if (ap_parser_take_word(parser, "DROP")) return take_column_rule(parser, alter, false);
  if (ap_parser_take_word(parser, "COMMENT")) {
    alter->action = AP_ALTER_ACTION_COMMENT_COLUMN;
    return ap_parser_take_string(parser, "a 'comment'", &alter->text);
  }
  alter->action = AP_ALTER_ACTION_MOVE_COLUMN;
  AP_TRY(take_place(parser, item));
  if (item->place != AP_ALTER_PLACE_NONE) return AP_OK;
  return ap_parser_expected(parser, "TYPE, SET, DROP, COMMENT, FIRST or AFTER", words,
                            COUNT_OF(words));
}

static bool take_properties_word(struct ap_statement_parser *parser) {
  return ap_parser_take_word(parser, "TBLPROPERTIES") || ap_parser_take_word(parser, "PROPERTIES");
}

static ap_status take_set(struct ap_statement_parser *parser, struct ap_statement_alter *alter,
                          bool sets) {
  static const char *const words[] = {"TBLPROPERTIES", "PROPERTIES"};
  if (!take_properties_word(parser)) {
    return ap_parser_expected(parser, "TBLPROPERTIES", words, COUNT_OF(words));
  }
  alter->action = sets ? AP_ALTER_ACTION_SET_PROPERTIES : AP_ALTER_ACTION_UNSET_PROPERTIES;
  if (!sets) AP_TRY(take_exists(parser, false, &alter->forgiving));
  return ap_parser_take_properties(parser, sets, &alter->properties, &alter->property_count);
}

static ap_status take_action(struct ap_statement_parser *parser, struct ap_statement_alter *alter) {
  static const char *const words[] = {"ADD", "DROP", "RENAME", "ALTER", "SET", "UNSET"};
  if (ap_parser_take_word(parser, "ADD")) return take_add(parser, alter);
  if (ap_parser_take_word(parser, "DROP")) return take_drop(parser, alter);
  if (ap_parser_take_word(parser, "RENAME")) return take_rename(parser, alter);
  if (ap_parser_take_word(parser, "SET")) return take_set(parser, alter, true);
  if (ap_parser_take_word(parser, "UNSET")) return take_set(parser, alter, false);
  if (ap_parser_take_word(parser, "ALTER") || ap_parser_take_word(parser, "CHANGE") ||
      ap_parser_take_word(parser, "MODIFY")) {
    return take_alter(parser, alter);
  }
  return ap_parser_expected(parser, "ADD, DROP, RENAME, ALTER COLUMN, SET or UNSET", words,
                            COUNT_OF(words));
}

/* ALTER FRAME [IF EXISTS] name action; ALTER of anything else, and RENAME TO, is refused. */
ap_status ap_statement_parse_alter(struct ap_statement_parser *parser) {
  struct ap_statement *statement = parser->statement;
  struct ap_statement_alter *alter = AP_ARENA_NEW(parser->arena, struct ap_statement_alter);
  if (!alter) return AP_FAIL_MEMORY(parser->err);
  ap_parser_take(parser);
  const size_t object = parser->at;
  if (!ap_parser_take_word(parser, "FRAME") && !ap_parser_take_word(parser, "TABLE")) {
    return ap_statement_parse_alter_name(parser);
  }
  AP_TRY(take_exists(parser, false, &alter->if_exists));
  AP_TRY(ap_parser_take_name(parser, 3, "the name of a frame", &statement->name));
  if (ap_token_is(ap_parser_peek(parser), "RENAME") &&
      ap_token_is(ap_parser_peek_at(parser, 1), "TO") &&
      !ap_token_is(ap_parser_peek_at(parser, 2), "TO")) {
    parser->at = object;
    return ap_statement_parse_alter_name(parser);
  }
  statement->kind = AP_STATEMENT_ALTER_FRAME;
  statement->alter = alter;
  AP_TRY(take_action(parser, alter));
  return ap_parser_take_end(parser, "the end of the statement");
}

/* [[hive.]box.]frame.column */
static ap_status take_commented_column(struct ap_statement_parser *parser,
                                       struct ap_statement_alter *alter) {
  struct ap_alter_item all = {.path = NULL};
  struct ap_alter_item *item = AP_ARENA_NEW(parser->arena, struct ap_alter_item);
  if (!item) return AP_FAIL_MEMORY(parser->err);
  AP_TRY(take_path(parser, &all));
  if (all.path_count < 2 || all.path_count > 4) {
    return ap_parser_expected(parser, "frame.column before this", NULL, 0);
  }
  struct ap_name *name = &parser->statement->name;
  name->count = all.path_count - 1;
  for (uint32_t i = 0; i < name->count; i++) name->parts[i] = all.path[i];
  item->path = &all.path[name->count];
  item->path_count = 1;
  alter->items = item;
  alter->item_count = 1;
  alter->action = AP_ALTER_ACTION_COMMENT_COLUMN;
  return AP_OK;
}

/* COMMENT ON FRAME f | COLUMN f.c IS 'text' | NULL */
ap_status ap_statement_parse_comment(struct ap_statement_parser *parser) {
  static const char *const words[] = {"FRAME", "TABLE", "COLUMN"};
  struct ap_statement *statement = parser->statement;
  struct ap_statement_alter *alter = AP_ARENA_NEW(parser->arena, struct ap_statement_alter);
  if (!alter) return AP_FAIL_MEMORY(parser->err);
  ap_parser_take(parser);
  statement->kind = AP_STATEMENT_ALTER_FRAME;
  statement->alter = alter;
  if (!ap_parser_take_word(parser, "ON")) return ap_parser_expected(parser, "ON", NULL, 0);
  if (ap_parser_take_word(parser, "COLUMN")) {
    AP_TRY(take_commented_column(parser, alter));
  } else if (ap_parser_take_word(parser, "FRAME") || ap_parser_take_word(parser, "TABLE")) {
    alter->action = AP_ALTER_ACTION_COMMENT_FRAME;
    AP_TRY(ap_parser_take_name(parser, 3, "the name of a frame", &statement->name));
  } else {
    return ap_parser_expected(parser, "FRAME, TABLE or COLUMN", words, COUNT_OF(words));
  }
  if (!ap_parser_take_word(parser, "IS")) return ap_parser_expected(parser, "IS", NULL, 0);
  if (!ap_parser_take_word(parser, "NULL")) {
    AP_TRY(ap_parser_take_string(parser, "a 'comment' or NULL", &alter->text));
  }
  return ap_parser_take_end(parser, "the end of the statement");
}
