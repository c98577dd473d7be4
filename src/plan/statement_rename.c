/* SPDX-License-Identifier: Apache-2.0
 *
 * Other names: ALTER HIVE | BOX | FRAME | VIEW a RENAME TO b, and RENAME HIVE | .. a TO b. A frame
 * or view may get the name of another box.
 * Thread: the arena's.
 */
#include "plan/statement_parser.h"

static const char *const object_words[] = {"HIVE",     "BOX",    "FRAME", "VIEW",
                                           "DATABASE", "SCHEMA", "TABLE"};
#define OBJECT_WORD_COUNT (sizeof(object_words) / sizeof(*object_words))

static uint32_t parts_max(enum ap_object object) {
  return object == AP_OBJECT_HIVE ? 1 : object == AP_OBJECT_BOX ? 2 : 3;
}

static const char *what_is(enum ap_object object) {
  return object == AP_OBJECT_HIVE    ? "the name of a hive"
         : object == AP_OBJECT_BOX   ? "the name of a box"
         : object == AP_OBJECT_FRAME ? "the name of a frame"
                                     : "the name of a view";
}

static ap_status take_renaming(struct ap_statement_parser *parser, bool is_alter) {
  static const char *const words[] = {"RENAME"};
  struct ap_statement *statement = parser->statement;
  statement->object = ap_token_object(ap_parser_peek(parser));
  if (statement->object == AP_OBJECT_NONE) {
    return ap_parser_expected(parser, "HIVE, BOX, FRAME or VIEW (DATABASE, SCHEMA, TABLE)",
                              object_words, OBJECT_WORD_COUNT);
  }
  ap_parser_take(parser);
  const char *what = what_is(statement->object);
  ap_parser_take_if_exists(parser);
  AP_TRY(ap_parser_take_name(parser, parts_max(statement->object), what, &statement->name));
  if (is_alter && !ap_parser_take_word(parser, "RENAME")) {
    return ap_parser_expected(parser, "RENAME TO", words, 1);
  }
  if (!ap_parser_take_word(parser, "TO")) return ap_parser_expected(parser, "TO", NULL, 0);
  statement->kind = AP_STATEMENT_RENAME;
  AP_TRY(ap_parser_take_name(parser, parts_max(statement->object), what, &statement->new_name));
  return ap_parser_take_end(parser, "the end of the statement");
}

/* RENAME object [IF EXISTS] a TO b */
ap_status ap_statement_parse_rename(struct ap_statement_parser *parser) {
  ap_parser_take(parser);
  return take_renaming(parser, false);
}

/* object [IF EXISTS] a RENAME TO b */
ap_status ap_statement_parse_alter_name(struct ap_statement_parser *parser) {
  return take_renaming(parser, true);
}
