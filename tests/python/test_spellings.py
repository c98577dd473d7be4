# SPDX-License-Identifier: Apache-2.0
"""What people paste from Spark, Databricks, DuckDB and Postgres and Apiary does not take: each
error names the way out. What works stands in tests/sqllogic/spellings.test.
"""

from __future__ import annotations

import apiary
import pytest
from apiary import Apiary

REFUSED = [
    ("CREATE TABLE x (a INT) USING parquet", "USING DELTA"),
    ("CREATE TABLE x (a INT) USING delta CLUSTER BY (a)", "ZORDER BY"),
    ("CREATE TABLE x (a INT) USING delta LOCATION '/tmp/x'", "attach_frame"),
    ("CREATE EXTERNAL TABLE x (a INT)", "attach_frame"),
    ("CREATE TEMP TABLE x (a INT)", "WITH x AS"),
    ("CREATE OR REPLACE TEMP VIEW v AS SELECT 1", "CREATE OR REPLACE VIEW"),
    ("CREATE TABLE x LIKE t", "LIMIT 0"),
    ("CREATE TABLE x SHALLOW CLONE t", "CREATE FRAME x AS FROM f"),
    ("CREATE TABLE x (a INT PRIMARY KEY)", "no keys"),
    ("CREATE TABLE x (a INT, PRIMARY KEY (a))", "no keys"),
    ("CREATE TABLE x (a BIGINT GENERATED ALWAYS AS IDENTITY)", "row_number"),
    ("CREATE TABLE x (a INT REFERENCES t (a))", "no keys"),
    ("CREATE TABLE `x y` (a INT)", "double quotes"),
    ("CREATE INDEX i ON t (a)", "ZORDER BY"),
    ("CREATE SEQUENCE s", "row_number"),
    ("CREATE TYPE mood AS ENUM ('a')", "CHECK"),
    ("CREATE MATERIALIZED VIEW v AS SELECT 1", "CREATE OR REPLACE FRAME"),
    ("INSERT OVERWRITE TABLE t PARTITION (day = DATE '2026-01-01') SELECT 1", "BEGIN and COMMIT"),
    ("INSERT INTO t REPLACE WHERE a = 1 SELECT 2", "BEGIN and COMMIT"),
    ("INSERT OR REPLACE INTO t VALUES (1)", "MERGE INTO"),
    ("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "MERGE INTO"),
    ("INSERT INTO t VALUES (1) RETURNING a", "SELECT"),
    ("DELETE t WHERE a = 1", "DELETE FROM"),
    (
        "MERGE WITH SCHEMA EVOLUTION INTO t USING t s ON t.a = s.a WHEN MATCHED THEN DELETE",
        "ADD COL",
    ),
    ("REPLACE TABLE t AS SELECT 1 AS a", "CREATE OR REPLACE FRAME"),
    ("ALTER TABLE t ADD COLUMN b INT DEFAULT 1", "SET DEFAULT"),
    ("ALTER TABLE t DROP COLUMN b", "columnMapping"),
    ("ALTER TABLE t CHANGE COLUMN a a BIGINT", "ALTER COLUMN a TYPE"),
    ("ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY (a)", "no keys"),
    ("ALTER TABLE t CLUSTER BY (a)", "ZORDER BY"),
    ("ALTER TABLE t ADD PARTITION (day = '2026-01-01')", "come with their rows"),
    ("ALTER TABLE t DROP PARTITION (day = '2026-01-01')", "DELETE FROM"),
    ("ALTER TABLE t OWNER TO me", "no owners"),
    ("ALTER VIEW v AS SELECT 1", "CREATE OR REPLACE VIEW"),
    ("DESCRIBE DATABASE h", "SHOW BOXES"),
    ("DESCRIBE FUNCTION abs", "functions"),
    ("SHOW TABLE EXTENDED LIKE 't'", "SHOW FRAMES"),
    ("SHOW FUNCTIONS", "functions"),
    ("SHOW CURRENT SCHEMA", "current_schema"),
    ("SHOW INDEXES FROM t", "ZORDER"),
    ("SHOW GRANTS ON t", "no grants"),
    ("SET search_path = 'b'", "USE hive.box"),
    ("SET spark.sql.shuffle.partitions = 10", "SHOW ALL"),
    ("SET TIME ZONE 'UTC'", "SET timezone"),
    ("SET VARIABLE x = 1", "PREPARE"),
    ("DECLARE x INT", "PREPARE"),
    ("PRAGMA table_info('t')", "DESCRIBE"),
    ("PRAGMA show_tables", "SHOW FRAMES"),
    ("SELECT * FROM t@v1", "VERSION AS OF"),
    ("SELECT * FROM `t`", "double quotes"),
    ("SELECT a, x FROM t LATERAL VIEW explode(array(1, 2)) e AS x", "unnest"),
    ("SELECT * FROM t LEFT SEMI JOIN t AS u ON t.a = u.a", "SEMI JOIN"),
    ("SELECT * FROM t LEFT ANTI JOIN t AS u ON t.a = u.a", "ANTI JOIN"),
    ("SELECT * EXCEPT (a) FROM t", "EXCLUDE"),
    ("SELECT TOP 1 * FROM t", "LIMIT"),
    ("SELECT a, count(*) FROM t GROUP BY a WITH ROLLUP", "ROLLUP (a, b)"),
    ("SELECT a FROM t MINUS SELECT a FROM t", "EXCEPT"),
    ("SELECT * FROM t SORT BY a", "ORDER BY"),
    ("SELECT 'a' RLIKE 'b'", "regexp_matches"),
    ("SELECT 1 DIV 2", "//"),
    ("SELECT 1 <=> NULL", "IS NOT DISTINCT FROM"),
    ("SELECT array(1, 2)", "[1, 2]"),
    ("SELECT explode([1, 2])", "unnest"),
    ("SELECT to_date('2026-01-01')", "CAST(text AS DATE)"),
    ("SELECT date_format(DATE '2026-01-01', 'yyyy')", "strftime"),
    ("SELECT to_char(DATE '2026-01-01', 'YYYY')", "strftime"),
    ("SELECT add_months(DATE '2026-01-31', 1)", "INTERVAL"),
    ("SELECT months_between(DATE '2026-03-01', DATE '2026-01-01')", "date_diff"),
    ("SELECT date_sub(DATE '2026-01-01', 3)", "INTERVAL"),
    ("SELECT datediff(DATE '2026-01-03', DATE '2026-01-01')", "date_diff"),
    ("SELECT trunc(DATE '2026-01-15', 'MM')", "date_trunc"),
    ("SELECT to_timestamp('2026-01-01', 'yyyy-MM-dd')", "strptime"),
    ("SELECT from_unixtime(0)", "to_timestamp"),
    ("SELECT unix_timestamp()", "epoch"),
    ("SELECT nvl(NULL, 1)", "coalesce"),
    ("SELECT nvl2(NULL, 1, 2)", "if("),
    ("SELECT locate('b', 'abc')", "instr"),
    ("SELECT collect_list(a) FROM t", "list("),
    ("SELECT collect_set(a) FROM t", "DISTINCT"),
    ("SELECT percentile_approx(a, 0.5) FROM t", "approx_quantile"),
    ("SELECT named_struct('a', 1)", "{'a': 1"),
    ("SELECT map('a', 1)", "MAP {"),
    ("SELECT get_json_object('{}', '$.a')", "json_extract_string"),
    ("SELECT monotonically_increasing_id()", "row_number"),
    ("SELECT sequence(1, 3)", "generate_series"),
    ("VACUUM", "name of a frame"),
    ("FSCK REPAIR TABLE t", "CHECK FRAME"),
    ("MSCK REPAIR TABLE t", "attach_frame"),
    ("REFRESH TABLE t", "latest version"),
    ("CACHE TABLE t", "by themselves"),
    ("CONVERT TO DELTA parquet.`/tmp/x`", ""),
    ("REORG TABLE t APPLY (PURGE)", "OPTIMIZE"),
    ("COPY INTO t FROM '/tmp/x'", "COPY f FROM"),
    ("COPY t TO STDOUT", "COPY (query) TO"),
    ("EXPORT DATABASE '/tmp/x'", "COPY f TO"),
    ("LOAD DATA INPATH 'x' INTO TABLE t", "COPY f FROM"),
    ("ATTACH 'x.db'", "attach_frame"),
    ("INSTALL httpfs", "built in"),
    ("SAVEPOINT a", "COMMIT or ROLLBACK"),
    ("EXPLAIN EXTENDED SELECT 1", "EXPLAIN ANALYZE"),
    ("GRANT SELECT ON t TO x", "no grants"),
    ("DROP INDEX i", "none"),
    ("UNDROP TABLE t", "RESTORE"),
    ("EXECUTE IMMEDIATE 'SELECT 1'", "PREPARE"),
]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> object:
    with Apiary("x", tmp_path_factory.mktemp("root")) as ap:
        ap.sql("CREATE HIVE h; CREATE BOX h.b; USE h.b; CREATE FRAME t (a INT, b INT)")
        yield ap


@pytest.mark.parametrize(("statement", "way_out"), REFUSED, ids=[text for text, _ in REFUSED])
def test_refusals_name_the_way_out(box: Apiary, statement: str, way_out: str) -> None:
    with pytest.raises(apiary.ApiaryError) as caught:
        box.sql(statement)
    assert way_out in str(caught.value)
    assert box.sql("SELECT count(*) FROM t").fetchall() == [(0,)]


def test_partitions_are_shown(box: Apiary) -> None:
    box.sql("CREATE FRAME p (n INT, day DATE, kind STRING) PARTITIONED BY (kind, day)")
    assert len(box.sql("SHOW PARTITIONS p")) == 0
    for n, kind in enumerate("abca"):
        box.sql(f"INSERT INTO p VALUES ({n}, DATE '2026-01-01', '{kind}')")
    shown = box.sql("SHOW PARTITIONS IN h.b.p")
    assert shown.columns == ["kind", "day", "cells", "bytes"]
    day = "2026-01-01"
    assert sorted(row[:3] for row in shown) == [("a", day, 2), ("b", day, 1), ("c", day, 1)]
    assert str(sum(shown["bytes"])) == dict(iter(box.sql("DESCRIBE p")))["total_bytes"]
    box.sql("DROP FRAME p")


def test_other_errors_keep_their_hints(box: Apiary) -> None:
    with pytest.raises(apiary.SqlError) as caught:
        box.sql("SELECT absolute(1)")
    assert "in Apiary" not in str(caught.value)
    with pytest.raises(apiary.NotFound, match=r"did you mean|SHOW FRAMES"):
        box.sql("SELECT * FROM tt")
    with pytest.raises(apiary.SqlSyntaxError) as syntax:
        box.sql("SELECT 1 FROM WHERE")
    assert "in Apiary" not in str(syntax.value)


def test_a_subquery_of_a_frame_of_the_same_name_is_its_own(box: Apiary) -> None:
    """Names are shortened in what has no subquery only: there another frame could be meant."""
    box.sql("CREATE BOX h.c; CREATE FRAME h.c.t (a INT, b INT); CREATE FRAME h.c.g (a INT)")
    box.sql("INSERT INTO h.c.t VALUES (1, 1), (2, 2)")
    box.sql("DELETE FROM h.c.t WHERE a IN (SELECT h.c.t.a FROM h.c.t WHERE h.c.t.b = 2)")
    assert box.sql("FROM h.c.t").fetchall() == [(1, 1)]
    box.sql("CREATE FRAME h.c.s (a INT, c STRUCT(s STRUCT(a INT)))")
    box.sql("INSERT INTO h.c.s VALUES (1, {'s': {'a': 5}})")
    box.sql("DELETE FROM h.c.s WHERE c.s.a = 1")  # the column c, not the box
    assert len(box.sql("FROM h.c.s")) == 1
    box.sql("DELETE FROM h.c.s WHERE c.s.a = 5")
    assert len(box.sql("FROM h.c.s")) == 0
    box.sql("DROP BOX h.c CASCADE")
