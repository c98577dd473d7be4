/* SPDX-License-Identifier: Apache-2.0
 *
 * See ways_out.h. Two lists: functions, looked up when the engine says that it lacks one, and
 * phrases, looked for when a statement cannot be parsed or is none of ours.
 */
#include "plan/ways_out.h"

#include "plan/tokenizer.h"

#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

enum { TOKENS_MAX = 2000 };

struct way {
  const char *what;
  const char *hint;
};

static const struct way functions[] = {
    {"explode", "unnest(list): SELECT id, unnest(tags) AS tag FROM f"},
    {"explode_outer", "unnest(CASE WHEN len(list) > 0 THEN list ELSE [NULL] END)"},
    {"posexplode", "SELECT unnest(list) AS x, generate_subscripts(list, 1) - 1 AS pos"},
    {"inline", "unnest(list, recursive := true)"},
    {"stack", "FROM (VALUES (..), (..)) AS t(a, b), or UNPIVOT"},
    {"to_date", "CAST(text AS DATE), or strptime(text, '%Y-%m-%d')::DATE"},
    {"to_timestamp", "CAST(text AS TIMESTAMP), or strptime(text, '%Y-%m-%d %H:%M:%S')"},
    {"date_format", "strftime(time, '%Y-%m-%d')"},
    {"to_char", "strftime(time, '%Y-%m-%d'), or format('{:,.2f}', number)"},
    {"to_number", "CAST(text AS DECIMAL(18,2))"},
    {"add_months", "day + INTERVAL 1 MONTH"},
    {"months_between", "date_diff('month', earlier, later)"},
    {"date_sub", "day - INTERVAL 3 DAY, or day - 3"},
    {"dateadd", "day + INTERVAL 3 DAY"},
    {"date_add", "day + INTERVAL 3 DAY, or day + 3"},
    {"datediff", "date_diff('day', earlier, later), or later - earlier"},
    {"trunc", "date_trunc('month', day)"},
    {"next_day", "day + (7 - dayofweek(day) + n) % 7"},
    {"from_unixtime", "to_timestamp(seconds)"},
    {"unix_timestamp", "epoch(time)::BIGINT, or epoch(now())"},
    {"current_timestamp", "current_timestamp without parentheses, or now()"},
    {"sysdate", "now()"},
    {"getdate", "now()"},
    {"nvl", "coalesce(a, b)"},
    {"isnull", "a IS NULL, or coalesce(a, b)"},
    {"nvl2", "if(a IS NOT NULL, b, c)"},
    {"iff", "if(condition, a, b)"},
    {"decode", "CASE a WHEN 1 THEN 'one' ELSE 'other' END"},
    {"locate", "instr(text, part)"},
    {"charindex", "instr(text, part)"},
    {"substring_index", "split_part(text, ',', 1)"},
    {"initcap", "upper(left(text, 1)) || lower(substr(text, 2))"},
    {"rlike", "regexp_matches(text, pattern)"},
    {"sha2", "sha256(text)"},
    {"collect_list", "list(x)"},
    {"collect_set", "list(DISTINCT x)"},
    {"size", "len(list), or cardinality(map)"},
    {"percentile_approx", "approx_quantile(x, 0.5)"},
    {"percentile", "quantile_cont(x, 0.5)"},
    {"approx_percentile", "approx_quantile(x, 0.5)"},
    {"named_struct", "{'a': 1, 'b': 2}"},
    {"struct", "{'a': 1, 'b': 2}, or row(1, 2)"},
    {"map", "MAP {'a': 1, 'b': 2}"},
    {"map_from_arrays", "map(keys, values)"},
    {"get_json_object", "json_extract_string(text, '$.a')"},
    {"from_json", "from_json(text, '{\"a\":\"INTEGER\"}')"},
    {"sequence", "generate_series(from, to)"},
    {"transform", "list_transform(list, lambda x: x + 1)"},
    {"filter", "list_filter(list, lambda x: x > 1)"},
    {"exists", "list_bool_or(list_transform(list, lambda x: x > 1))"},
    {"monotonically_increasing_id", "row_number() OVER ()"},
    {"input_file_name",
     "the cells of a frame are nobody's business; DESCRIBE f tells their number"},
    {"table_changes", "SHOW CHANGES IN f FROM VERSION 3 TO VERSION 5"},
    {"<=>", "a IS NOT DISTINCT FROM b"},
    {"string", "CAST(x AS STRING)"},
    {"int", "CAST(x AS INT)"},
};

/* Words and symbols that follow each other anywhere; "^" is the statement's begin, "_" any token.
 */
static const struct way phrases[] = {
    {"`", "names are quoted by double quotes: \"a name\""},
    {"LATERAL VIEW", "SELECT id, unnest(tags) AS tag FROM f, or FROM f, LATERAL (SELECT ..) AS t"},
    {"LEFT SEMI JOIN", "SEMI JOIN"},
    {"LEFT ANTI JOIN", "ANTI JOIN"},
    {"* EXCEPT (", "* EXCLUDE (a, b)"},
    {"SELECT TOP", "LIMIT n at the end"},
    {"WITH ROLLUP", "GROUP BY ROLLUP (a, b)"},
    {"WITH CUBE", "GROUP BY CUBE (a, b)"},
    {"MINUS SELECT", "EXCEPT"},
    {"SORT BY", "ORDER BY"},
    {"DISTRIBUTE BY", "ORDER BY; rows are distributed as the engine likes"},
    {"RLIKE", "regexp_matches(text, pattern), or text SIMILAR TO pattern for a whole text"},
    {"REGEXP", "regexp_matches(text, pattern)"},
    {"DIV", "a // b"},
    {"ARRAY (", "[1, 2]"},
    {"^ CREATE TABLE _ LIKE",
     "CREATE FRAME x AS FROM f LIMIT 0; SHOW CREATE FRAME f tells all of it"},
    {"^ CREATE FRAME _ LIKE",
     "CREATE FRAME x AS FROM f LIMIT 0; SHOW CREATE FRAME f tells all of it"},
    {"SHALLOW CLONE", "CREATE FRAME x AS FROM f copies rows"},
    {"DEEP CLONE", "CREATE FRAME x AS FROM f copies rows"},
    {"^ CREATE EXTERNAL",
     "attach_frame(hive, box, name, folder) takes a Delta table in; COPY f FROM "
     "reads files"},
    {"^ CREATE TEMP", "WITH x AS (..) before the statement, or a view: CREATE VIEW"},
    {"^ CREATE TEMPORARY", "WITH x AS (..) before the statement, or a view: CREATE VIEW"},
    {"^ CREATE OR REPLACE TEMP", "WITH x AS (..) before the statement, or CREATE OR REPLACE VIEW"},
    {"^ CREATE OR REPLACE TEMPORARY",
     "WITH x AS (..) before the statement, or CREATE OR REPLACE VIEW"},
    {"^ CREATE GLOBAL", "WITH x AS (..) before the statement, or a view: CREATE VIEW"},
    {"^ CREATE MATERIALIZED", "CREATE OR REPLACE FRAME x AS query, again when it is to be new"},
    {"^ CREATE INDEX",
     "none is needed: OPTIMIZE f ZORDER BY (a, b) lays rows so that cells are "
     "skipped"},
    {"^ CREATE UNIQUE", "frames have no keys; MERGE INTO says what to match"},
    {"^ CREATE SEQUENCE", "row_number() OVER (), or uuid()"},
    {"^ CREATE TYPE", "a STRING and CHECK (word IN ('a', 'b'))"},
    {"^ CREATE FUNCTION", "a view, or the expression itself"},
    {"^ CREATE MACRO", "a view, or the expression itself"},
    {"PRIMARY KEY",
     "frames have no keys: leave it out; NOT NULL and CHECK hold, MERGE INTO says what "
     "to match"},
    {"FOREIGN KEY", "frames have no keys: leave it out"},
    {"REFERENCES _ (", "frames have no keys: leave it out"},
    {"UNIQUE", "frames have no keys: leave it out; MERGE INTO says what to match"},
    {"AS IDENTITY",
     "frames count nothing: row_number() OVER () + max(id) when rows come in, or uuid()"},
    {"AUTO_INCREMENT", "frames count nothing: row_number() OVER () when rows come in, or uuid()"},
    {"LOCATION '",
     "a frame's folder is chosen for it; attach_frame(hive, box, name, folder) takes a "
     "Delta table in"},
    {"CLUSTER BY", "OPTIMIZE f ZORDER BY (a, b), now and then"},
    {"ADD PARTITION", "partitions come with their rows"},
    {"DROP PARTITION", "DELETE FROM f WHERE day = .. takes all cells of it out at once"},
    {"PARTITION ( _ =",
     "give the partition column's value among the others; to replace a "
     "partition: overwrite_frame(.., where=..), or DELETE and INSERT between "
     "BEGIN and COMMIT"},
    {"REPLACE WHERE", "DELETE FROM f WHERE .. and INSERT INTO f .. between BEGIN and COMMIT"},
    {"WITH SCHEMA EVOLUTION", "ALTER FRAME f ADD COLUMN c type first"},
    {"OWNER TO", "there are no owners: the storage's folders say who may do what"},
    {"^ ALTER VIEW _ AS", "CREATE OR REPLACE VIEW v AS query"},
    {"CHANGE COLUMN", "RENAME COLUMN a TO b; ALTER COLUMN a TYPE t; ALTER COLUMN a COMMENT 'x'"},
    {"^ DELETE _ WHERE", "DELETE FROM f WHERE .."},
    {"^ REPLACE", "CREATE OR REPLACE FRAME f AS query"},
    {"^ PRAGMA table_info", "DESCRIBE f, or information_schema.columns"},
    {"^ PRAGMA show_tables", "SHOW FRAMES"},
    {"^ PRAGMA database_list", "SHOW HIVES"},
    {"^ DESCRIBE QUERY", "DESCRIBE SELECT .."},
    {"^ DESCRIBE DATABASE", "SHOW BOXES IN h, or information_schema.schemata"},
    {"^ DESCRIBE SCHEMA", "SHOW FRAMES IN h.b, or information_schema.tables"},
    {"^ DESCRIBE FUNCTION", "https://duckdb.org/docs/stable/sql/functions/overview"},
    {"^ SHOW FUNCTIONS", "https://duckdb.org/docs/stable/sql/functions/overview"},
    {"^ SHOW TABLE EXTENDED", "SHOW FRAMES LIKE 'p%', and DESCRIBE f"},
    {"^ SHOW INDEXES", "there are none, and none are needed: OPTIMIZE f ZORDER BY (a, b)"},
    {"^ SHOW GRANTS", "there are no grants: the storage's folders say who may do what"},
    {"^ SHOW CURRENT", "SELECT current_database(), current_schema()"},
    {"^ GRANT", "there are no grants: the storage's folders say who may do what"},
    {"^ REVOKE", "there are no grants: the storage's folders say who may do what"},
    {"^ SET TIME ZONE", "SET timezone = 'UTC'; values with a zone are converted by AT TIME ZONE"},
    {"^ SET VAR", "PREPARE a statement with $1, or give parameters with the call"},
    {"^ DECLARE", "PREPARE a statement with $1, or give parameters with the call"},
    {"^ EXECUTE IMMEDIATE", "the statement itself, or PREPARE x AS .. and EXECUTE x"},
    {"^ SET spark", "SHOW ALL lists the options there are; memory and bees are the node's"},
    {"^ FSCK", "CHECK FRAME f"},
    {"^ MSCK", "attach_frame(hive, box, name, folder) takes a Delta table in"},
    {"^ REPAIR", "CHECK FRAME f tells what is wrong"},
    {"^ REFRESH", "nothing is to be refreshed: each statement sees the latest version"},
    {"^ CACHE", "cells that are read often are kept decoded by themselves"},
    {"^ UNCACHE", "cells that are read often are kept decoded by themselves"},
    {"^ CLEAR CACHE", "cells that are read often are kept decoded by themselves"},
    {"^ CONVERT TO", "COPY f FROM 'folder' (FORMAT parquet)"},
    {"^ REORG", "OPTIMIZE f writes cells with deleted rows again"},
    {"^ GENERATE", "readers of Delta tables need no manifest"},
    {"^ COPY INTO", "COPY f FROM 'files'"},
    {"TO STDOUT", "COPY (query) TO 'file', or apiary query on the command line"},
    {"FROM STDIN", "COPY f FROM 'file', or apiary import - on the command line"},
    {"^ EXPORT", "COPY f TO 'file.parquet', frame by frame"},
    {"^ LOAD DATA", "COPY f FROM 'file'"},
    {"^ LOAD", "what the engine offers is built in"},
    {"^ INSTALL", "what the engine offers is built in"},
    {"^ ATTACH",
     "attach_frame(hive, box, name, folder) takes a Delta table in; files can be read: FROM "
     "'x.parquet'"},
    {"^ DETACH", "DROP FRAME f, or leave it"},
    {"^ CALL", "SHOW ALL lists options; functions of tables are read: FROM f(..)"},
    {"^ SAVEPOINT", "BEGIN, and COMMIT or ROLLBACK as a whole"},
    {"^ DROP INDEX", "there are none"},
    {"^ UNDROP",
     "a dropped frame's files are gone; RESTORE brings back versions of one that is there"},
    {"EXPLAIN EXTENDED", "EXPLAIN, EXPLAIN ANALYZE, EXPLAIN (FORMAT JSON)"},
    {"EXPLAIN FORMATTED", "EXPLAIN, EXPLAIN ANALYZE, EXPLAIN (FORMAT JSON)"},
    {"^ SHOW USER FUNCTIONS", "https://duckdb.org/docs/stable/sql/functions/overview"},
    {"^ USE NAMESPACE", "USE BOX b"},
    {"BIGINT (", "CAST(x AS BIGINT)"},
    {"INT (", "CAST(x AS INT)"},
    {"VALUES (", "FROM (VALUES (1, 'a'), (2, 'b')) AS t(n, word)"},
    {"@", "f VERSION AS OF 1"},
    {"EXPLAIN COST", "EXPLAIN, EXPLAIN ANALYZE, EXPLAIN (FORMAT JSON)"},
};

/* ---- functions ------------------------------------------------------------------------------- */

/* The name behind "with name " or "argument types '" of the engine's message. */
static struct ap_text missing_function(const char *message) {
  static const char *const marks[] = {"Function with name ", "name and argument types '"};
  for (size_t i = 0; i < COUNT_OF(marks); ++i) {
    const char *start = strstr(message, marks[i]);
    if (start == NULL) continue;
    start += strlen(marks[i]);
    return (struct ap_text){start, strcspn(start, " ('\n")};
  }
  return (struct ap_text){"", 0};
}

static void hint_function(ap_error *err) {
  struct ap_text name = missing_function(err->message);
  for (size_t i = 0; name.size > 0 && i < COUNT_OF(functions); ++i) {
    if (!ap_text_equal_ignoring_case(name, ap_text_of(functions[i].what))) continue;
    ap_error_hint(err, "in Apiary: %s", functions[i].hint);
    return;
  }
}

/* ---- phrases --------------------------------------------------------------------------------- */

struct words {
  struct ap_token *tokens;
  uint32_t count;
};

static ap_status read_words(struct ap_arena *arena, struct ap_text statement,
                            struct words *out_words) {
  struct ap_tokenizer tokenizer;
  *out_words = (struct words){.tokens = AP_ARENA_ARRAY(arena, struct ap_token, TOKENS_MAX)};
  if (out_words->tokens == NULL) return AP_FAIL_MEMORY(NULL);
  ap_tokenizer_init(&tokenizer, arena, statement);
  for (; out_words->count < TOKENS_MAX; ++out_words->count) {
    struct ap_token *token = &out_words->tokens[out_words->count];
    AP_TRY(ap_tokenizer_next(&tokenizer, token, NULL));
    if (token->kind == AP_TOKEN_END) break;
  }
  return AP_OK;
}

static struct ap_text next_word(const char **at) {
  struct ap_text word = {*at, strcspn(*at, " ")};
  *at += word.size;
  while (**at == ' ') *at += 1;
  return word;
}

/* [hive.][box.]name is one word of a phrase. */
static uint32_t skip_name(const struct words *words, uint32_t at) {
  at += 1;
  while (at + 1 < words->count && ap_text_equal(words->tokens[at].source, AP_TEXT("."))) at += 2;
  return at;
}

/* A quote stands for any text in quotes. */
static bool is_word(const struct ap_token *token, struct ap_text word) {
  if (ap_text_equal(word, AP_TEXT("'"))) return token->kind == AP_TOKEN_STRING;
  return (token->kind == AP_TOKEN_WORD || token->kind == AP_TOKEN_SYMBOL) &&
         ap_text_equal_ignoring_case(token->source, word);
}

static bool stands_at(const struct words *words, uint32_t at, const char *phrase) {
  while (*phrase != '\0') {
    struct ap_text word = next_word(&phrase);
    if (at >= words->count) return false;
    if (ap_text_equal(word, AP_TEXT("_"))) {
      at = skip_name(words, at);
      continue;
    }
    if (!is_word(&words->tokens[at], word)) return false;
    at += 1;
  }
  return true;
}

static bool stands_in(const struct words *words, const char *phrase) {
  if (phrase[0] == '^') return stands_at(words, 0, phrase + 2);
  for (uint32_t i = 0; i < words->count; ++i) {
    if (stands_at(words, i, phrase)) return true;
  }
  return false;
}

/* Whoever raised the error said something of this very case. */
static bool knows_better(const ap_error *err) {
  static const char *const general[] = {"what there is to create", "did you mean",
                                        "SHOW ALL lists"};
  for (size_t i = 0; i < COUNT_OF(general); ++i) {
    if (strncmp(err->hint, general[i], strlen(general[i])) == 0) return false;
  }
  return err->hint[0] != '\0';
}

void ap_ways_out(struct ap_arena *arena, struct ap_text statement, ap_error *err) {
  struct words words;
  if (err == NULL) return;
  if (err->code == AP_QUERY) hint_function(err);
  if (err->code != AP_SYNTAX && err->code != AP_UNSUPPORTED && err->code != AP_NOT_FOUND) return;
  if (knows_better(err)) return;
  if (read_words(arena, statement, &words) != AP_OK) return;
  for (size_t i = 0; i < COUNT_OF(phrases); ++i) {
    if (!stands_in(&words, phrases[i].what)) continue;
    ap_error_hint(err, "in Apiary: %s", phrases[i].hint);
    return;
  }
}
