/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: every statement is told from its head, names and types come out as written, words of our
 * vocabulary stay usable as names, and errors say where and what was expected.
 * Method: a table of texts with the statement each must give, printed in one line; a table of
 * errors; every allocation fails in turn.
 */
#include "plan/statement.h"

#include "testing/alloc.h"
#include "testing/check.h"

static const char *const kinds[] = {
    [AP_STATEMENT_QUERY] = "query",
    [AP_STATEMENT_EXPLAIN] = "explain",
    [AP_STATEMENT_DESCRIBE_QUERY] = "describe-query",
    [AP_STATEMENT_USE] = "use",
    [AP_STATEMENT_SHOW_HIVES] = "show-hives",
    [AP_STATEMENT_SHOW_BOXES] = "show-boxes",
    [AP_STATEMENT_SHOW_FRAMES] = "show-frames",
    [AP_STATEMENT_SHOW_CHANGES] = "show-changes",
    [AP_STATEMENT_SHOW_COLUMNS] = "show-columns",
    [AP_STATEMENT_SHOW_PARTITIONS] = "show-partitions",
    [AP_STATEMENT_SHOW_PROPERTIES] = "show-properties",
    [AP_STATEMENT_DESCRIBE] = "describe",
    [AP_STATEMENT_CREATE_HIVE] = "create-hive",
    [AP_STATEMENT_CREATE_BOX] = "create-box",
    [AP_STATEMENT_CREATE_FRAME] = "create-frame",
    [AP_STATEMENT_ALTER_FRAME] = "alter-frame",
    [AP_STATEMENT_DROP_HIVE] = "drop-hive",
    [AP_STATEMENT_DROP_BOX] = "drop-box",
    [AP_STATEMENT_DROP_FRAME] = "drop-frame",
    [AP_STATEMENT_OPTIMIZE] = "optimize",
    [AP_STATEMENT_VACUUM] = "vacuum",
    [AP_STATEMENT_CHECK] = "check",
    [AP_STATEMENT_ANALYZE] = "analyze",
    [AP_STATEMENT_SHOW_VIEWS] = "show-views",
    [AP_STATEMENT_SHOW_CREATE] = "show-create",
    [AP_STATEMENT_CREATE_VIEW] = "create-view",
    [AP_STATEMENT_DROP_VIEW] = "drop-view",
    [AP_STATEMENT_RENAME] = "rename",
    [AP_STATEMENT_HISTORY] = "history",
    [AP_STATEMENT_RESTORE] = "restore",
    [AP_STATEMENT_COPY_FROM] = "copy-from",
    [AP_STATEMENT_COPY_TO] = "copy-to",
    [AP_STATEMENT_SET] = "set-option",
    [AP_STATEMENT_RESET] = "reset",
    [AP_STATEMENT_SHOW_OPTION] = "show-option",
    [AP_STATEMENT_PREPARE] = "prepare",
    [AP_STATEMENT_EXECUTE] = "execute",
    [AP_STATEMENT_DEALLOCATE] = "deallocate",
    [AP_STATEMENT_CREATE_FRAME_AS] = "create-frame-as",
    [AP_STATEMENT_INSERT] = "insert",
    [AP_STATEMENT_DELETE] = "delete",
    [AP_STATEMENT_UPDATE] = "update",
    [AP_STATEMENT_MERGE] = "merge",
    [AP_STATEMENT_TRUNCATE] = "truncate",
    [AP_STATEMENT_BEGIN] = "begin",
    [AP_STATEMENT_COMMIT] = "commit",
    [AP_STATEMENT_ROLLBACK] = "rollback",
    [AP_STATEMENT_ENGINE_SET] = "set",
    [AP_STATEMENT_REFUSED] = "refused",
};

/* "kind HEAD [name] flags", what is absent left out. */
static void print_statement(struct ap_buffer *out, const struct ap_statement *statement) {
  ap_buffer_append_format(out, "%s %.*s", kinds[statement->kind], AP_TEXT_ARG(statement->head));
  for (uint32_t i = 0; i < statement->name.count; i++) {
    ap_buffer_append_format(out, "%s[%.*s]", i == 0 ? " " : ".",
                            AP_TEXT_ARG(statement->name.parts[i]));
  }
  for (uint32_t i = 0; i < statement->new_name.count; i++) {
    ap_buffer_append_format(out, "%s[%.*s]", i == 0 ? " to " : ".",
                            AP_TEXT_ARG(statement->new_name.parts[i]));
  }
  if (statement->value.size > 0) {
    ap_buffer_append_format(out, " = {%.*s}", AP_TEXT_ARG(statement->value));
  }
  for (uint32_t i = 0; i < statement->path_count; i++) {
    ap_buffer_append_format(out, " '%.*s'", AP_TEXT_ARG(statement->paths[i]));
  }
  for (uint32_t i = 0; i < statement->option_count; i++) {
    ap_buffer_append_format(out, " %.*s:%.*s", AP_TEXT_ARG(statement->options[i].name),
                            AP_TEXT_ARG(statement->options[i].value));
  }
  if (statement->or_replace) ap_buffer_append_string(out, " or-replace");
  if (statement->scope == AP_SCOPE_HIVE) ap_buffer_append_string(out, " hive");
  if (statement->scope == AP_SCOPE_BOX) ap_buffer_append_string(out, " box");
  if (statement->if_exists) ap_buffer_append_string(out, " if-exists");
  if (statement->if_not_exists) ap_buffer_append_string(out, " if-not-exists");
  if (statement->cascade) ap_buffer_append_string(out, " cascade");
  if (statement->like.size)
    ap_buffer_append_format(out, " like {%.*s}", AP_TEXT_ARG(statement->like));
  for (uint32_t i = 0; i < statement->column_count; i++) {
    const struct ap_statement_column *column = &statement->columns[i];
    ap_buffer_append_format(out, " (%.*s: %.*s%s)", AP_TEXT_ARG(column->name),
                            AP_TEXT_ARG(column->type), column->not_null ? " not null" : "");
  }
  for (uint32_t i = 0; i < statement->partition_count; i++) {
    ap_buffer_append_format(out, " by {%.*s}", AP_TEXT_ARG(statement->partition_by[i]));
  }
  const struct ap_statement_maintenance *maintenance = &statement->maintenance;
  if (maintenance->full) ap_buffer_append_string(out, " full");
  if (maintenance->dry_run) ap_buffer_append_string(out, " dry-run");
  if (maintenance->quick) ap_buffer_append_string(out, " quick");
  if (statement->kind == AP_STATEMENT_VACUUM && maintenance->retain_ms >= 0) {
    ap_buffer_append_format(out, " retain %lld", (long long)maintenance->retain_ms);
  }
  if (maintenance->condition.size) {
    ap_buffer_append_format(out, " where {%.*s}", AP_TEXT_ARG(maintenance->condition));
  }
  for (uint32_t i = 0; i < maintenance->order_by_count; i++) {
    ap_buffer_append_format(out, " zorder {%.*s}", AP_TEXT_ARG(maintenance->order_by[i]));
  }
  if (statement->body.size)
    ap_buffer_append_format(out, " body {%.*s}", AP_TEXT_ARG(statement->body));
}

static const struct row {
  const char *sql;
  const char *printed; /* statements parted by " ; " */
} rows[] = {
    {"", ""},
    {" ; ;; -- nothing\n /* at /* all */ */ ;", ""},
    {"CREATE OR REPLACE VIEW a.b.v (x, \"y z\") AS WITH q AS (SELECT 1) FROM q; SHOW VIEWS IN b",
     "create-view CREATE VIEW [a].[b].[v] or-replace (x: ) (y z: ) body {WITH q AS (SELECT 1) FROM "
     "q} ; show-views SHOW [b]"},
    {"CREATE VIEW IF NOT EXISTS v AS FROM t VERSION AS OF 3",
     "create-view CREATE VIEW [v] if-not-exists body {FROM t AT(VERSION=>3)}"},
    {"SET SESSION a TO 'b c'; SET local = 3; RESET ALL; RESET SESSION a; SHOW ALL; SHOW a",
     "set-option SET [a] = {b c} ; set-option SET [local] = {3} ; reset RESET ; reset RESET [a] ; "
     "show-option SHOW ; show-option SHOW [a]"},
    {"RESTORE FRAME f TO VERSION AS OF 3; RESTORE a.b.f TO TIMESTAMP AS OF '2026-01-31'",
     "restore RESTORE [f] = {3} ; restore RESTORE [a].[b].[f] = {2026-01-31}"},
    {"PREPARE p AS SELECT $1; EXECUTE p(1 + f(2, 3), x := [1, 2]); EXECUTE p; DEALLOCATE ALL; "
     "DEALLOCATE PREPARE p",
     "prepare PREPARE [p] body {SELECT $1} ; execute EXECUTE [p] :1 + f(2, 3) x:[1, 2] ; execute "
     "EXECUTE [p] ; deallocate DEALLOCATE ; deallocate DEALLOCATE [p]"},
    {"COPY a.f FROM ('x', 'y') (FORMAT csv, HEADER, DELIM ';'); COPY (SELECT (1)) TO 'z' WITH (n "
     "1); "
     "COPY f TO 'z'",
     "copy-from COPY [a].[f] 'x' 'y' FORMAT:csv HEADER: DELIM:; ; copy-to COPY 'z' n:1 body "
     "{SELECT (1)} ; copy-to COPY [f] 'z'"},
    {"SHOW HISTORY f LIMIT 3; DESCRIBE HISTORY a.b.f; DESCRIBE history; SHOW HISTORY IN TABLE f",
     "history SHOW [f] ; history DESCRIBE [a].[b].[f] ; describe DESCRIBE [history] ; history SHOW "
     "[f]"},
    {"DROP VIEW IF EXISTS b.v; SHOW CREATE VIEW v; SHOW CREATE TABLE t",
     "drop-view DROP VIEW [b].[v] if-exists ; show-create SHOW [v] ; show-create SHOW [t]"},
    {"ALTER HIVE a RENAME TO b; RENAME BOX a.b TO c; ALTER TABLE t RENAME TO a.b.t; ALTER VIEW v "
     "RENAME TO w",
     "rename ALTER [a] to [b] ; rename RENAME [a].[b] to [c] ; rename ALTER [t] to [a].[b].[t] ; "
     "rename ALTER [v] to [w]"},
    {"ALTER FRAME f RENAME COLUMN a TO b; ALTER FRAME f ADD COLUMN a int",
     "alter-frame ALTER [f] ; alter-frame ALTER [f]"},
    {"SELECT 1", "query SELECT"},
    {"select 1; select 2;", "query SELECT ; query SELECT"},
    {"SELECT ';' AS \";\", $$;$$, $x$;$$;$x$, E'\\';' -- ;\n /* ; */ ; FROM t",
     "query SELECT ; query FROM"},
    {"SELECT 'it''s;' ; VALUES (1)", "query SELECT ; query VALUES"},
    {"SELECT $1, ?, $name ; SELECT a$b$ FROM t", "query SELECT ; query SELECT"},
    {"(SELECT 1) UNION ALL SELECT 2", "query SELECT"},
    {"TABLE t", "query TABLE"},
    {"PIVOT t ON a USING sum(b)", "query PIVOT"},
    {"UNPIVOT t ON a", "query UNPIVOT"},
    {"SUMMARIZE t", "query SUMMARIZE"},
    {"OPTIMIZE a.b.c", "optimize OPTIMIZE [a].[b].[c]"},
    {"optimize frame t full", "optimize OPTIMIZE [t] full"},
    {"OPTIMIZE frame", "optimize OPTIMIZE [frame]"},
    {"OPTIMIZE t WHERE p = 'zorder by' AND (q IN (1, 2)) ZORDER BY (a, \"b c\")",
     "optimize OPTIMIZE [t] where {p = 'zorder by' AND (q IN (1, 2))} zorder {a} zorder {b c}"},
    {"OPTIMIZE t ZORDER BY a, b", "optimize OPTIMIZE [t] zorder {a} zorder {b}"},
    {"VACUUM t", "vacuum VACUUM [t]"},
    {"VACUUM TABLE t RETAIN 168 HOURS DRY RUN", "vacuum VACUUM [t] dry-run retain 604800000"},
    {"VACUUM t RETAIN 2 DAYS", "vacuum VACUUM [t] retain 172800000"},
    {"CHECK FRAME t", "check CHECK [t]"},
    {"check t quick", "check CHECK [t] quick"},
    {"ANALYZE t", "analyze ANALYZE [t]"},
    {"\xEF\xBB\xBFSELECT\xC2\xA0"
     "1",
     "query SELECT"},
    {"WITH a AS (SELECT 1) SELECT * FROM a", "query WITH"},
    {"WITH a AS (SELECT 1), insert AS (SELECT 2) FROM insert", "query WITH"},
    {"WITH a AS (SELECT ')' -- )\n) DELETE FROM t", "delete DELETE [t]"},
    {"WITH a AS (SELECT 1), b(x) AS NOT MATERIALIZED (SELECT 1) INSERT INTO t SELECT * FROM a",
     "insert INSERT [t]"},
    {"WITH RECURSIVE a(k) USING KEY (k) AS (SELECT 1) UPDATE t SET a = 1", "update UPDATE [t]"},
    {"WITH a AS (SELECT 1) MERGE INTO t USING a ON true WHEN MATCHED THEN DELETE",
     "merge MERGE [t]"},
    {"WITH a AS (SELECT 1) (SELECT * FROM a)", "query WITH"},
    {"EXPLAIN SELECT 1", "explain EXPLAIN body {SELECT 1}"},
    {"explain analyze SELECT 1 ;", "explain EXPLAIN body {SELECT 1}"},
    {"EXPLAIN (FORMAT json) SELECT 1", "explain EXPLAIN body {SELECT 1}"},
    {"EXPLAIN (SELECT 1)", "explain EXPLAIN body {(SELECT 1)}"},
    {"EXPLAIN DELETE FROM t", "explain EXPLAIN [t] body {DELETE FROM t}"},
    {"EXPLAIN (FORMAT json) INSERT INTO t VALUES (1)",
     "explain EXPLAIN [t] body {INSERT INTO t VALUES (1)}"},
    {"EXPLAIN WITH a AS (SELECT 1) DELETE FROM t",
     "explain DELETE [t] body {WITH a AS (SELECT 1) DELETE FROM t}"},
    {"EXPLAIN DROP FRAME t", "refused DROP body {DROP FRAME t}"},
    {"SHOW CHANGES IN h.b.f FROM VERSION 3 TO VERSION 5", "show-changes SHOW [h].[b].[f]"},
    {"show changes for f from timestamp '2024-01-01'", "show-changes SHOW [f]"},
    {"DESCRIBE SELECT 1", "describe-query DESCRIBE body {SELECT 1}"},
    {"DESCRIBE (SELECT 1)", "describe-query DESCRIBE body {(SELECT 1)}"},
    {"DESCRIBE t", "describe DESCRIBE [t]"},
    {"DESC frame h.b.\"t\"\"1\"", "describe DESC [h].[b].[t\"1]"},
    {"DESCRIBE TABLE b.t", "describe DESCRIBE [b].[t]"},
    {"DESCRIBE frame", "describe DESCRIBE [frame]"},
    {"DESCRIBE frame.box.hive", "describe DESCRIBE [frame].[box].[hive]"},
    {"USE HIVE h", "use USE [h] hive"},
    {"use database \"H h\"", "use USE [H h] hive"},
    {"USE BOX b", "use USE [b] box"},
    {"USE SCHEMA h.b", "use USE [h].[b] box"},
    {"USE h", "use USE [h]"},
    {"USE h.b", "use USE [h].[b]"},
    {"USE hive", "use USE [hive]"},
    {"USE box.box", "use USE [box].[box]"},
    {"SHOW HIVES", "show-hives SHOW"},
    {"SHOW DATABASES LIKE 'a%'", "show-hives SHOW like {a%}"},
    {"SHOW BOXES", "show-boxes SHOW"},
    {"SHOW SCHEMAS IN h", "show-boxes SHOW [h]"},
    {"SHOW BOXES FROM HIVE h LIKE 'it''s'", "show-boxes SHOW [h] hive like {it's}"},
    {"SHOW FRAMES", "show-frames SHOW"},
    {"SHOW TABLES 'a*'", "show-frames SHOW like {a*}"},
    {"SHOW TABLES IN h.b", "show-frames SHOW [h].[b]"},
    {"SHOW FRAMES IN BOX b", "show-frames SHOW [b] box"},
    {"SHOW FRAMES IN HIVE h", "show-frames SHOW [h] hive"},
    {"SHOW FRAMES FROM box LIKE 'a'", "show-frames SHOW [box] like {a}"},
    {"CREATE HIVE h", "create-hive CREATE [h]"},
    {"CREATE DATABASE IF NOT EXISTS \"a.b\"", "create-hive CREATE [a.b] if-not-exists"},
    {"CREATE BOX h.b", "create-box CREATE [h].[b]"},
    {"CREATE SCHEMA IF NOT EXISTS b", "create-box CREATE [b] if-not-exists"},
    {"CREATE FRAME f (a int)", "create-frame CREATE [f] (a: int)"},
    {"CREATE TABLE IF NOT EXISTS h.b.f (\"a b\" DECIMAL(10, 2) NOT NULL, c timestamp with time "
     "zone "
     "NULL,\n d struct<x: int, y: list<decimal(3,1)>>, e MAP(VARCHAR, INT[]) , f int[] not null) "
     "PARTITIONED BY (c, \"a b\")",
     "create-frame CREATE [h].[b].[f] if-not-exists (a b: DECIMAL(10, 2) not null) "
     "(c: timestamp with time zone) (d: struct<x: int, y: list<decimal(3,1)>>) "
     "(e: MAP(VARCHAR, INT[])) (f: int[] not null) by {c} by {a b}"},
    {"CREATE FRAME box (frame int, hive text) PARTITION BY (hive)",
     "create-frame CREATE [box] (frame: int) (hive: text) by {hive}"},
    {"CREATE FRAME f (s struct<a: int not null>, primary int)",
     "create-frame CREATE [f] (s: struct<a: int not null>) (primary: int)"},
    {"CREATE TABLE f AS SELECT 1", "create-frame-as CREATE [f]"},
    {"CREATE VIEW v AS SELECT 1; CREATE OR REPLACE TABLE t (a int)",
     "create-view CREATE VIEW [v] body {SELECT 1} ; create-frame CREATE [t] or-replace (a: int)"},
    {"CREATE OR REPLACE FRAME h.b.f AS SELECT 1", "create-frame-as CREATE [h].[b].[f] or-replace"},
    {"CREATE OR REPLACE HIVE h", "refused CREATE OR"},
    {"DROP HIVE h CASCADE", "drop-hive DROP [h] cascade"},
    {"DROP DATABASE IF EXISTS h RESTRICT", "drop-hive DROP [h] if-exists"},
    {"DROP BOX IF EXISTS h.b", "drop-box DROP [h].[b] if-exists"},
    {"DROP SCHEMA b", "drop-box DROP [b]"},
    {"DROP TABLE h.b.f", "drop-frame DROP [h].[b].[f]"},
    {"DROP FRAME frame", "drop-frame DROP [frame]"},
    {"DROP VIEW v", "drop-view DROP VIEW [v]"},
    {"SET threads = 4; RESET threads; PRAGMA version",
     "set-option SET [threads] = {4} ; reset RESET [threads] ; set PRAGMA"},
    {"insert into t values (1)", "insert INSERT [t]"},
    {"Delete from t; UPDATE t SET a = 1; TRUNCATE h.b.t",
     "delete DELETE [t] ; update UPDATE [t] ; truncate TRUNCATE [h].[b].[t]"},
    {"CREATE FRAME f (a, b) PARTITIONED BY (a) AS SELECT 1, 2",
     "create-frame-as CREATE [f] by {a}"},
    {"COPY t TO 'f'; ATTACH 'f'; INSTALL x; LOAD x",
     "copy-to COPY [t] 'f' ; refused ATTACH ; refused INSTALL ; refused LOAD"},
    {"BEGIN; START TRANSACTION; COMMIT WORK; END; ROLLBACK; ABORT",
     "begin BEGIN ; begin START ; commit COMMIT ; commit END ; rollback ROLLBACK ; rollback "
     "ABORT"},
};

static void reads_statements(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    struct ap_arena arena;
    struct ap_buffer printed;
    struct ap_statement *statements = NULL;
    uint32_t count = 0;
    ap_error err = {0};
    ap_arena_init(&arena, ap_allocator_system());
    ap_buffer_init(&printed, ap_allocator_system());
    ap_status status =
        ap_statements_parse(&arena, ap_text_of(rows[i].sql), &statements, &count, &err);
    if (status != AP_OK) fail_msg("%s\n  %s", rows[i].sql, err.message);
    for (uint32_t k = 0; k < count; k++) {
      if (k > 0) ap_buffer_append_string(&printed, " ; ");
      print_statement(&printed, &statements[k]);
    }
    if (!ap_text_equal_string(ap_buffer_text(&printed), rows[i].printed)) {
      fail_msg("%s\n  is     %s\n  wanted %s", rows[i].sql, printed.data, rows[i].printed);
    }
    ap_buffer_deinit(&printed);
    ap_arena_deinit(&arena);
  }
}

static void keeps_the_text(void **state) {
  (void)state;
  struct ap_arena arena;
  struct ap_statement *statements = NULL;
  uint32_t count = 0;
  ap_error err = {0};
  ap_arena_init(&arena, ap_allocator_system());
  const char *sql = "  SELECT a /* x */ FROM t -- end\n ;\n USE h ; ";
  check_ok(ap_statements_parse(&arena, ap_text_of(sql), &statements, &count, &err), &err);
  assert_int_equal(count, 2);
  check_text(statements[0].text, "SELECT a /* x */ FROM t");
  assert_ptr_equal(statements[0].text.data, sql + 2);
  check_text(statements[1].text, "USE h");
  ap_arena_deinit(&arena);
}

static void errors_say_where_and_what(void **state) {
  static const struct {
    const char *sql;
    const char *message;
    const char *hint;
  } errors[] = {
      {"SELCT 1", "line 1, column 1: expected a statement", "did you mean SELECT?"},
      {"SELECT 1;\n  CRATE HIVE h", "line 2, column 3: expected a statement", "CREATE"},
      {"42", "line 1, column 1: expected a statement", ""},
      {"SHOW HIVS", "line 1, column 6: expected HIVES, BOXES, FRAMES", "did you mean HIVES?"},
      {"SHOW", "expected HIVES, BOXES, FRAMES (DATABASES, SCHEMAS, TABLES), VIEWS or CREATE, found",
       ""},
      {"SHOW HIVES IN h", "expected LIKE 'pattern' or the end of the statement, found IN", ""},
      {"SHOW BOXES IN h.b", "expected a name of one part", ""},
      {"SHOW FRAMES LIKE b", "expected a 'pattern', found b", ""},
      {"USE", "line 1, column 4: expected the name of a hive or box", ""},
      {"USE h.b.c", "line 1, column 8: expected no more parts", ""},
      {"USE HIVE h.b", "expected a name of one part", ""},
      {"USE h b", "line 1, column 7: expected the end of the statement, found b", ""},
      {"USE ''", "expected the name of a hive or box, found ''", ""},
      {"USE \"\"", "expected a name that is not empty", ""},
      {"DESCRIBE", "expected the name of a frame, or a query", ""},
      {"DESCRIBE a.b.c.d", "expected no more parts", ""},
      {"CREATE FRAM f (a int)", "line 1, column 8: expected HIVE, BOX or FRAME", "FRAME"},
      {"CREATE FRAME f", "expected ( and the columns", ""},
      {"CREATE FRAME f ()", "line 1, column 17: expected the name of a column, found )", ""},
      {"CREATE FRAME f (a)", "line 1, column 18: expected a type, found )", ""},
      {"CREATE FRAME f (a int", "COMMENT, , or ), found the end", ""},
      {"CREATE FRAME f (a int NOT)", "expected NULL behind NOT", ""},
      {"CREATE FRAME f (a int DEFAULT )", "expected an expression, found )", ""},
      {"CREATE FRAME f (a int COLLATE x)", "expected NOT NULL, DEFAULT, CHECK", ""},
      {"CREATE FRAME f (a int, PRIMARY KEY (a))", "frames have no keys", ""},
      {"CREATE FRAME f (a int) PARTITONED BY (a)", "expected PARTITIONED BY", "PARTITIONED"},
      {"CREATE FRAME f (a int) PARTITIONED (a)", "expected BY", ""},
      {"CREATE FRAME f (a int) PARTITIONED BY a", "expected ( and the partition columns", ""},
      {"CREATE FRAME f (a int) PARTITIONED BY (a) x", "or the end of the statement", ""},
      {"CREATE HIVE IF NOT EXIST h", "expected EXISTS behind IF NOT", "EXISTS"},
      {"CREATE HIVE a.b", "expected a name of one part", ""},
      {"DROP FRAME f CASCAD", "expected CASCADE, RESTRICT or the end", ""},
      {"CREATE VIEW v AS DROP HIVE h", "expected a query behind AS, found DROP", ""},
      {"CREATE VIEW v SELECT 1", "expected AS or the columns, found SELECT", ""},
      {"CREATE VIEW v (a b) AS SELECT 1", "expected , or ), found b", ""},
      {"CREATE OR REPLACE VIEW IF NOT EXISTS v AS SELECT 1", "exclude each other", ""},
      {"SHOW CREATE HIVE h", "expected VIEW or FRAME (TABLE), found HIVE", ""},
      {"ALTER VEW v RENAME TO w", "expected HIVE, BOX, FRAME or VIEW", "VIEW"},
      {"ALTER BOX b RENME TO c", "expected RENAME TO, found RENME", "RENAME"},
      {"ALTER HIVE a RENAME TO b.c", "expected a name of one part", ""},
      {"EXPLAIN", "expected a query or a change of rows behind EXPLAIN", ""},
      {"SELECT 'a", "line 1, column 8: a string without its end", ""},
      {"SELECT \"a", "line 1, column 8: a quoted identifier without its end", ""},
      {"SELECT\n\xC3\xA9 E'a\\'", "line 2, column 3: a string without its end", ""},
      {"SELECT $$a$", "a dollar-quoted string without its end", ""},
      {"SELECT 1 /* /* */", "line 1, column 10: a comment without its end", ""},
      {"SELECT \xFF", "not UTF-8", ""},
  };
  (void)state;
  for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
    struct ap_arena arena;
    struct ap_statement *statements = NULL;
    uint32_t count = 0;
    ap_error err = {0};
    ap_arena_init(&arena, ap_allocator_system());
    ap_status status =
        ap_statements_parse(&arena, ap_text_of(errors[i].sql), &statements, &count, &err);
    if (status != AP_SYNTAX) fail_msg("no syntax error: %s", errors[i].sql);
    check_contains(err.message, errors[i].message);
    check_contains(err.hint, errors[i].hint);
    ap_arena_deinit(&arena);
  }
}

static void refuses_what_is_too_large(void **state) {
  (void)state;
  struct ap_arena arena;
  struct ap_buffer sql;
  struct ap_statement *statements = NULL;
  uint32_t count = 0;
  ap_error err = {0};
  ap_arena_init(&arena, ap_allocator_system());
  ap_buffer_init(&sql, ap_allocator_system());
  ap_buffer_append_string(&sql, "CREATE FRAME f (c0 int");
  for (int i = 1; i < 5000; i++) ap_buffer_append_format(&sql, ", c%d int", i);
  ap_buffer_append_string(&sql, ")");
  check_status(ap_statements_parse(&arena, ap_buffer_text(&sql), &statements, &count, &err),
               AP_SYNTAX, &err);
  check_contains(err.message, "at most 4096 columns");
  while (sql.size <= 16 * 1024 * 1024) ap_buffer_append_string(&sql, "                        ");
  check_status(ap_statements_parse(&arena, ap_buffer_text(&sql), &statements, &count, &err),
               AP_SYNTAX, &err);
  check_contains(err.message, "beyond the limit");
  ap_buffer_deinit(&sql);
  ap_arena_deinit(&arena);
}

static ap_status parse_body(void *context, struct ap_allocator *allocator, ap_error *err) {
  struct ap_arena arena;
  struct ap_statement *statements = NULL;
  uint32_t count = 0;
  ap_arena_init(&arena, allocator);
  ap_status status = ap_statements_parse(&arena, ap_text_of(context), &statements, &count, err);
  ap_arena_deinit(&arena);
  return status;
}

static void survives_without_memory(void **state) {
  (void)state;
  char sql[] =
      "SELECT 'a''b', E'\\n'; CREATE FRAME \"f\"\"\" (a int) PARTITIONED BY (a); DROP VIEW v";
  assert_true(ap_sweep_memory(parse_body, sql) > 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_statements),          cmocka_unit_test(keeps_the_text),
      cmocka_unit_test(errors_say_where_and_what), cmocka_unit_test(refuses_what_is_too_large),
      cmocka_unit_test(survives_without_memory),
  };
  return AP_RUN_TESTS(tests);
}
