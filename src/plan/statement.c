/* SPDX-License-Identifier: Apache-2.0
 *
 * Statement heads: tokens are cut into statements at semicolons, then each is read by recursive
 * descent. One table says what becomes of each first word. What is not ours to read is kept as
 * text. Thread: the arena's. Does not check names or types: that is the catalog's and the type
 * parser's.
 */
#include "plan/statement.h"

#include "base/assert.h"
#include "base/limits.h"
#include "plan/statement_parser.h"
#include "plan/travel.h"

enum {
  TOKENS_INITIAL = 64,
  STATEMENTS_INITIAL = 4,
};

static void set_head(struct ap_statement_parser *parser, const char *head) {
  parser->statement->head = ap_text_of(head);
}

/* The word behind WITH's list: the first one behind a closing parenthesis, at the top level, that
 * does not belong to the list (columns, AS, USING KEY). NULL when there is none. */
static const struct ap_token *with_verb(const struct ap_statement_parser *parser) {
  size_t depth = 0;
  for (size_t i = parser->at + 1; i < parser->count; i++) {
    const struct ap_token *token = &parser->tokens[i];
    bool behind = depth == 0 && ap_token_is_symbol(&parser->tokens[i - 1], ')');
    if (ap_token_is_symbol(token, '(')) depth++;
    if (ap_token_is_symbol(token, ')') && depth > 0) depth--;
    if (behind && token->kind == AP_TOKEN_WORD && !ap_token_is(token, "AS") &&
        !ap_token_is(token, "USING")) {
      return token;
    }
  }
  return NULL;
}

static ap_status parse_with(struct ap_statement_parser *parser) {
  static const struct {
    const char *word;
    ap_status (*parse)(struct ap_statement_parser *parser);
  } writing[] = {
      {"INSERT", ap_statement_parse_insert},
      {"DELETE", ap_statement_parse_delete},
      {"UPDATE", ap_statement_parse_update},
      {"MERGE", ap_statement_parse_merge},
  };
  parser->statement->kind = AP_STATEMENT_QUERY;
  const struct ap_token *verb = with_verb(parser);
  for (size_t i = 0; verb && i < sizeof(writing) / sizeof(*writing); i++) {
    if (!ap_token_is(verb, writing[i].word)) continue;
    const char *begin = ap_parser_peek(parser)->source.data;
    parser->with = (struct ap_text){begin, (size_t)(verb->source.data - begin)};
    parser->at = (size_t)(verb - parser->tokens);
    set_head(parser, writing[i].word);
    return writing[i].parse(parser);
  }
  return AP_OK;
}

static ap_status parse_query(struct ap_statement_parser *parser) {
  parser->statement->kind = AP_STATEMENT_QUERY;
  return AP_OK;
}

static ap_status parse_refused(struct ap_statement_parser *parser) {
  parser->statement->kind = AP_STATEMENT_REFUSED;
  return AP_OK;
}

static ap_status parse_engine_set(struct ap_statement_parser *parser) {
  parser->statement->kind = AP_STATEMENT_ENGINE_SET;
  return AP_OK;
}

static ap_status parse_explain(struct ap_statement_parser *parser);

struct head {
  const char *word;
  ap_status (*parse)(struct ap_statement_parser *parser);
};

static const struct head heads[] = {
    {"SELECT", parse_query},
    {"WITH", parse_with},
    {"FROM", parse_query},
    {"VALUES", parse_query},
    {"TABLE", parse_query},
    {"PIVOT", parse_query},
    {"PIVOT_WIDER", parse_query},
    {"PIVOT_LONGER", parse_query},
    {"UNPIVOT", parse_query},
    {"SUMMARIZE", parse_query},
    {"EXPLAIN", parse_explain},
    {"DESCRIBE", ap_statement_parse_describe},
    {"DESC", ap_statement_parse_describe},
    {"USE", ap_statement_parse_use},
    {"SHOW", ap_statement_parse_show},
    {"CREATE", ap_statement_parse_create},
    {"DROP", ap_statement_parse_drop},
    {"SET", ap_statement_parse_set},
    {"RESET", ap_statement_parse_reset},
    {"PRAGMA", parse_engine_set},
    {"INSERT", ap_statement_parse_insert},
    {"DELETE", ap_statement_parse_delete},
    {"UPDATE", ap_statement_parse_update},
    {"MERGE", ap_statement_parse_merge},
    {"REPLACE", parse_refused},
    {"TRUNCATE", ap_statement_parse_truncate},
    {"COPY", ap_statement_parse_copy},
    {"ALTER", ap_statement_parse_alter},
    {"RENAME", ap_statement_parse_rename},
    {"ATTACH", parse_refused},
    {"DETACH", parse_refused},
    {"BEGIN", ap_statement_parse_begin},
    {"START", ap_statement_parse_begin},
    {"COMMIT", ap_statement_parse_commit},
    {"END", ap_statement_parse_commit},
    {"ROLLBACK", ap_statement_parse_rollback},
    {"ABORT", ap_statement_parse_rollback},
    {"PREPARE", ap_statement_parse_prepare},
    {"EXECUTE", ap_statement_parse_execute},
    {"DEALLOCATE", ap_statement_parse_deallocate},
    {"CALL", parse_refused},
    {"CHECKPOINT", parse_refused},
    {"CHECK", ap_statement_parse_check},
    {"FORCE", parse_refused},
    {"EXPORT", parse_refused},
    {"IMPORT", parse_refused},
    {"INSTALL", parse_refused},
    {"LOAD", parse_refused},
    {"VACUUM", ap_statement_parse_vacuum},
    {"ANALYZE", ap_statement_parse_analyze},
    {"COMMENT", ap_statement_parse_comment},
    {"GRANT", parse_refused},
    {"REVOKE", parse_refused},
    {"OPTIMIZE", ap_statement_parse_optimize},
    {"RESTORE", ap_statement_parse_restore},
};

#define HEAD_COUNT (sizeof(heads) / sizeof(*heads))

static const struct head *find_head(const struct ap_token *token) {
  for (size_t i = 0; i < HEAD_COUNT; i++) {
    if (ap_token_is(token, heads[i].word)) return &heads[i];
  }
  return NULL;
}

bool ap_token_begins_query(const struct ap_token *token) {
  const struct head *head = find_head(token);
  return ap_token_is_symbol(token, '(') ||
         (head && (head->parse == parse_query || head->parse == parse_with));
}

/* ANALYZE, FORMAT TEXT, FORMAT JSON, FORMAT ENGINE, parted by commas, up to ')'. */
static ap_status parse_explain_options(struct ap_statement_parser *parser) {
  static const char *const options[] = {"ANALYZE", "FORMAT"};
  static const struct {
    const char *word;
    enum ap_explain_format format;
  } formats[] = {
      {"TEXT", AP_EXPLAIN_TEXT}, {"JSON", AP_EXPLAIN_JSON}, {"ENGINE", AP_EXPLAIN_ENGINE}};
  static const char *const format_words[] = {"TEXT", "JSON", "ENGINE"};
  ap_parser_take(parser);
  do {
    if (ap_parser_take_word(parser, "ANALYZE") || ap_parser_take_word(parser, "ANALYSE")) {
      parser->statement->analyze = true;
      continue;
    }
    if (!ap_parser_take_word(parser, "FORMAT")) {
      return ap_parser_expected(parser, "ANALYZE or FORMAT", options, 2);
    }
    size_t i = 0;
    while (i < 3 && !ap_parser_take_word(parser, formats[i].word)) i++;
    if (i == 3) return ap_parser_expected(parser, "TEXT, JSON or ENGINE", format_words, 3);
    parser->statement->explain_format = formats[i].format;
  } while (ap_token_is_symbol(ap_parser_peek(parser), ',') && ap_parser_take(parser));
  if (!ap_token_is_symbol(ap_parser_peek(parser), ')')) {
    return ap_parser_expected(parser, "')'", NULL, 0);
  }
  ap_parser_take(parser);
  return AP_OK;
}

static bool changes_rows(enum ap_statement_kind kind) {
  return kind == AP_STATEMENT_INSERT || kind == AP_STATEMENT_DELETE ||
         kind == AP_STATEMENT_UPDATE || kind == AP_STATEMENT_MERGE || kind == AP_STATEMENT_TRUNCATE;
}

static bool head_changes_rows(const struct head *head) {
  return head->parse == ap_statement_parse_insert || head->parse == ap_statement_parse_delete ||
         head->parse == ap_statement_parse_update || head->parse == ap_statement_parse_merge ||
         head->parse == ap_statement_parse_truncate;
}

/* EXPLAIN [ANALYZE] [(options)] query, or a statement that changes rows */
static ap_status parse_explain(struct ap_statement_parser *parser) {
  ap_parser_take(parser);
  parser->statement->analyze =
      ap_parser_take_word(parser, "ANALYZE") || ap_parser_take_word(parser, "ANALYSE");
  if (ap_token_is_symbol(ap_parser_peek(parser), '(') &&
      !ap_token_begins_query(ap_parser_peek_at(parser, 1))) {
    AP_TRY(parse_explain_options(parser));
  }
  const struct ap_token *token = ap_parser_peek(parser);
  const struct head *head = find_head(token);
  if (!head && !ap_token_is_symbol(token, '(')) {
    return ap_parser_expected(parser, "a query or a change of rows behind EXPLAIN", NULL, 0);
  }
  parser->statement->body = ap_parser_rest(parser);
  bool is_with = head && head->parse == parse_with;
  if (is_with || (head && head_changes_rows(head))) {
    AP_TRY(head->parse(parser));
    if (changes_rows(parser->statement->kind)) {
      parser->statement->explained = parser->statement->kind;
    } else if (parser->statement->kind != AP_STATEMENT_QUERY) {
      parser->statement->kind = AP_STATEMENT_REFUSED;
      return AP_OK;
    }
  } else if (!ap_token_begins_query(token)) {
    parser->statement->kind = AP_STATEMENT_REFUSED;
    set_head(parser, head->word);
    return AP_OK;
  }
  parser->statement->kind = AP_STATEMENT_EXPLAIN;
  return AP_OK;
}

static ap_status parse_statement(struct ap_statement_parser *parser) {
  const struct ap_token *first = ap_parser_peek(parser);
  AP_ASSERT(parser->count > 0);
  parser->statement->text = ap_parser_rest(parser);
  parser->statement->offset = (size_t)(first->source.data - parser->sql.data);
  if (ap_token_is_symbol(first, '(')) {
    set_head(parser, "SELECT");
    return parse_query(parser);
  }
  const struct head *head = find_head(first);
  if (!head) {
    const char *words[HEAD_COUNT];
    for (size_t i = 0; i < HEAD_COUNT; i++) words[i] = heads[i].word;
    return ap_parser_expected(parser, "a statement (SELECT, SHOW, CREATE, ...)", words, HEAD_COUNT);
  }
  set_head(parser, head->word);
  return head->parse(parser);
}

/* Everything that grows while a text is split; the arrays are the allocator's. */
struct splitter {
  struct ap_arena *arena;
  struct ap_text sql;
  struct ap_token *tokens;
  size_t token_count;
  size_t token_capacity;
  struct ap_statement *statements;
  size_t statement_count;
  size_t statement_capacity;
};

static void *grown(struct splitter *splitter, void *items, size_t count, size_t *capacity,
                   size_t initial, size_t item_size) {
  if (count < *capacity) return items;
  size_t wanted = *capacity ? *capacity * 2 : initial;
  void *larger = ap_reallocate(splitter->arena->allocator, items, wanted * item_size);
  if (larger) *capacity = wanted;
  return larger;
}

static ap_status push_token(struct splitter *splitter, const struct ap_token *token,
                            ap_error *err) {
  struct ap_token *tokens = grown(splitter, splitter->tokens, splitter->token_count,
                                  &splitter->token_capacity, TOKENS_INITIAL, sizeof(*tokens));
  if (!tokens) return AP_FAIL_MEMORY(err);
  splitter->tokens = tokens;
  splitter->tokens[splitter->token_count++] = *token;
  return AP_OK;
}

/* The tokens gathered are one statement. */
static ap_status end_statement(struct splitter *splitter, ap_error *err) {
  if (splitter->token_count == 0) return AP_OK;
  struct ap_statement *statements =
      grown(splitter, splitter->statements, splitter->statement_count,
            &splitter->statement_capacity, STATEMENTS_INITIAL, sizeof(*statements));
  if (!statements) return AP_FAIL_MEMORY(err);
  splitter->statements = statements;
  struct ap_statement *statement = &splitter->statements[splitter->statement_count];
  *statement = (struct ap_statement){.kind = AP_STATEMENT_QUERY};
  struct ap_statement_parser parser = {
      .arena = splitter->arena,
      .sql = splitter->sql,
      .tokens = splitter->tokens,
      .count = splitter->token_count,
      .statement = statement,
      .err = err,
  };
  AP_TRY(parse_statement(&parser));
  splitter->statement_count++;
  splitter->token_count = 0;
  return AP_OK;
}

static ap_status split(struct splitter *splitter, ap_error *err) {
  struct ap_tokenizer tokenizer;
  ap_tokenizer_init(&tokenizer, splitter->arena, splitter->sql);
  for (;;) {
    struct ap_token token;
    AP_TRY(ap_tokenizer_next(&tokenizer, &token, err));
    if (token.kind == AP_TOKEN_END) return end_statement(splitter, err);
    if (ap_token_is_symbol(&token, ';')) {
      AP_TRY(end_statement(splitter, err));
    } else {
      AP_TRY(push_token(splitter, &token, err));
    }
  }
}

ap_status ap_statements_parse(struct ap_arena *arena, struct ap_text sql,
                              struct ap_statement **out_statements, uint32_t *out_count,
                              ap_error *err) {
  if (sql.size > (size_t)AP_STATEMENT_BYTES_MAX) {
    return AP_FAIL(err, AP_SYNTAX, "a statement of %zu bytes is beyond the limit of %lld", sql.size,
                   (long long)AP_STATEMENT_BYTES_MAX);
  }
  if (!ap_text_is_utf8(sql)) return AP_FAIL(err, AP_SYNTAX, "the statement is not UTF-8");
  AP_TRY(ap_travel_rewrite(arena, sql, &sql, err));
  struct splitter splitter = {.arena = arena, .sql = sql};
  ap_status status = split(&splitter, err);
  if (status != AP_OK) goto done;
  struct ap_statement *statements =
      AP_ARENA_ARRAY(arena, struct ap_statement, splitter.statement_count + 1);
  if (!statements) {
    status = AP_FAIL_MEMORY(err);
    goto done;
  }
  for (size_t i = 0; i < splitter.statement_count; i++) statements[i] = splitter.statements[i];
  *out_statements = statements;
  *out_count = (uint32_t)splitter.statement_count;
done:
  ap_free(arena->allocator, splitter.tokens);
  ap_free(arena->allocator, splitter.statements);
  return status;
}
