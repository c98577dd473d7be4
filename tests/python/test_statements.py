# SPDX-License-Identifier: Apache-2.0
"""Statements about the session and about files: options, prepared statements, COPY, history.

Method: small frames; answers written down here, files read back by pyarrow and Python's csv.
"""

from __future__ import annotations

import csv
import datetime
import json
import threading
from pathlib import Path
from typing import Any

import apiary
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apiary import Apiary


@pytest.fixture
def orders(ap: Apiary) -> apiary.Frame:
    """Version 0 is empty; each of the next three adds a row."""
    box = ap.create_hive("w").create_box("b")
    frame = box.create_frame("orders", {"id": "int64", "k": "string", "day": "date"})
    for number, word in enumerate(["x", None, "z"], 1):
        frame.write({"id": [number], "k": [word], "day": [datetime.date(2026, 1, number)]})
    ap.sql("USE w.b")
    return frame


def rows(ap: Apiary, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    return ap.sql(sql, parameters).fetchall() if parameters else ap.sql(sql).fetchall()


# ------------------------------------------------------------------------------------- options


def test_options(ap: Apiary, orders: apiary.Frame) -> None:
    names = [name for name, _, _ in rows(ap, "SHOW ALL")]
    assert names == [
        "cell_cache",
        "default_null_order",
        "default_order",
        "memory_limit",
        "statement_timeout",
        "threads",
        "timezone",
    ]
    up = [(1, "x"), (3, "z"), (2, None)]
    assert rows(ap, "SELECT id, k FROM orders ORDER BY k") == up
    ap.sql("SET default_order = 'DESC'")
    assert rows(ap, "SHOW default_order")[0][1] == "DESC"
    assert rows(ap, "SELECT id, k FROM orders ORDER BY k") == [(3, "z"), (1, "x"), (2, None)]
    ap.sql("SET SESSION default_null_order TO NULLS FIRST")
    assert rows(ap, "SELECT id, k FROM orders ORDER BY k") == [(2, None), (3, "z"), (1, "x")]
    ap.sql("RESET default_order")
    assert rows(ap, "SELECT id, k FROM orders ORDER BY k") == [(2, None), (1, "x"), (3, "z")]
    ap.sql("RESET ALL")
    assert rows(ap, "SELECT id, k FROM orders ORDER BY k") == up
    assert rows(ap, "SET timezone = 'utc'; SHOW TimeZone")[0][1] == "UTC"


def test_options_do_not_leak(tmp_path: Path) -> None:
    """One chamber serves all sessions here."""
    ask = "SELECT x FROM (VALUES (1), (3), (2)) AS v(x) ORDER BY x"
    with Apiary("one", storage=str(tmp_path), bees=1) as ap:
        first = ap._core.session()
        second = ap._core.session()

        def column(session: Any) -> list[int]:
            stream = session.query(ask, (), 0, None)
            return pa.RecordBatchReader.from_stream(stream).read_all().column(0).to_pylist()

        first.query("SET default_order = 'DESC'", (), 0, None)
        for _ in range(3):
            assert column(first) == [3, 2, 1]
            assert column(second) == [1, 2, 3]
        with pytest.raises(apiary.ApiaryError):
            first.query("SELECT nothing", (), 0, None)
        assert column(second) == [1, 2, 3]


def settings(ap: Apiary) -> tuple[str, int]:
    text = "SELECT current_setting('memory_limit'), current_setting('threads')"
    memory, threads = rows(ap, text)[0]
    return memory, int(threads)


def test_memory_and_threads_of_a_session(tmp_path: Path) -> None:
    with Apiary("bounds", storage=str(tmp_path), bees=2, memory="512MiB") as ap:
        whole = rows(ap, "SHOW memory_limit")[0][1]
        assert rows(ap, "SHOW threads")[0][1] == "2"
        assert ap.sql("SET memory_limit = '100MiB'").fetchall() == [("memory_limit is 100 MiB",)]
        ap.sql("SET threads = 1")
        assert [rows(ap, f"SHOW {x}")[0][1] for x in ("memory_limit", "threads")] == [
            "100 MiB",
            "1",
        ]
        assert settings(ap) == ("100.0 MiB", 1)
        # What is too much for it is so for no other session.
        wide = "SELECT len(list(i)) FROM range(10000000) AS r(i)"
        with pytest.raises(apiary.MemoryExceeded, match="100 MiB") as caught:
            rows(ap, wide)
        assert "SET memory_limit higher than the session's 100 MiB" in caught.value.hint
        assert caught.value.bee in {"bee-0", "bee-1"}
        assert caught.value.budget == 100 << 20
        other = ap._core.session()
        pa.RecordBatchReader.from_stream(other.query(wide, (), 0, None)).read_all()
        # It spills: the answer is the same.
        many = "SELECT count(*), sum(n) FROM (SELECT i % 3000000 AS k, count(*) AS n "
        many += "FROM range(6000000) AS r(i) GROUP BY k)"
        assert rows(ap, many) == [(3000000, 6000000)]
        ap.sql("RESET threads")
        assert settings(ap) == ("100.0 MiB", 2)
        ap.sql("SET memory_limit TO DEFAULT")
        assert rows(ap, "SHOW memory_limit")[0][1] == whole
        assert rows(ap, wide) == [(10000000,)]
        ap.sql("SET memory_limit = 128000000; SET threads = 1")
        assert rows(ap, "SHOW memory_limit")[0][1] == "122.1 MiB"
        ap.sql("RESET ALL")
        assert rows(ap, "SHOW threads")[0][1] == "2"
        assert rows(ap, "SHOW memory_limit")[0][1] == whole


def test_bounds_hold_for_every_statement(tmp_path: Path) -> None:
    """Whatever runs in the session's name has its memory, and no more."""
    with Apiary("bounds", storage=str(tmp_path), bees=2, memory="768MiB") as ap:
        ap.create_hive("h").create_box("b")
        ap.sql("USE h.b; CREATE FRAME f (i BIGINT, t STRING); INSERT INTO f VALUES (1, 'a')")
        ap.sql("SET memory_limit = '90MiB'")
        big = "(SELECT len(list(i)) FROM range(20000000) AS r(i))"
        for text in (
            f"SELECT {big}",
            f"EXPLAIN ANALYZE SELECT {big}",
            f"INSERT INTO f SELECT {big}, 'b'",
            f"UPDATE f SET i = {big}",
            f"DELETE FROM f WHERE i = {big}",
            f"CREATE FRAME g AS SELECT {big} AS i",
            f"MERGE INTO f USING (SELECT {big} AS i) AS s ON f.i = s.i WHEN MATCHED THEN DELETE",
            f"COPY (SELECT {big} AS i) TO '{tmp_path / 'x.parquet'}'",
            f"PREPARE p AS SELECT $1; EXECUTE p({big})",
        ):
            with pytest.raises(apiary.MemoryExceeded, match="90 MiB"):
                ap.sql(text).fetchall()
        assert rows(ap, "SELECT * FROM f") == [(1, "a")]
        for text in ("OPTIMIZE f FULL", "ANALYZE f", "CHECK FRAME f", "SHOW CREATE FRAME f"):
            ap.sql(text).fetchall()


def test_cell_cache_of_a_session(tmp_path: Path) -> None:
    with Apiary("none", storage=str(tmp_path), memory="256MiB") as ap:
        assert rows(ap, "SHOW cell_cache")[0][1] == "OFF"
        with pytest.raises(apiary.ApiaryError, match="this node has no cell cache"):
            ap.sql("SET cell_cache = on")
        ap.sql("SET cell_cache = off")


def test_order_of_subqueries_that_change_rows(ap: Apiary, orders: apiary.Frame) -> None:
    ap.sql("SET default_order = 'DESC'")
    ap.sql("DELETE FROM orders WHERE id IN (SELECT id FROM orders ORDER BY id LIMIT 1)")
    ap.sql("RESET ALL")
    assert rows(ap, "SELECT id FROM orders ORDER BY id") == [(1,), (2,)]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SET default_ordr = 'DESC'", "did you mean default_order"),
        ("SET max_memory = '1GB'", "SHOW ALL lists the options"),
        ("SET memory_limit = '1TB'", "that this node's bees have for a statement"),
        ("SET memory_limit = '1KB'", "that this node's bees have for a statement"),
        ("SET memory_limit = '-1'", "give a size such as '256MiB'"),
        ("SET memory_limit = '50%'", "give a size such as '256MiB'"),
        ("SET threads = 0", "so many bees has this node"),
        ("SET threads = 100000", "so many bees has this node"),
        ("SET threads = 'all'", "so many bees has this node"),
        ("SET cell_cache = maybe", "ON|OFF|TRUE|FALSE"),
        ("SET search_path = 'x'", "say USE"),
        ("SET default_order = 'UP'", "ASCENDING|DESCENDING"),
        ("SET timezone = 'Europe/Berlin'", "it can be UTC"),
        ("SET statement_timeout = 'soon'", "'30s'"),
        ("SET statement_timeout = -1", "'30s'"),
        ("SET default_order", "expected = or TO"),
        ("SET VARIABLE x = 1", "SET VARIABLE statements are not supported"),
        ("PRAGMA threads = 4", "PRAGMA statements are not supported"),
        ("RESET nothing", "there is no option 'nothing'"),
        ("SHOW nothing", "there is no option 'nothing'"),
        ("SHOW HIVS", "HIVES"),
    ],
)
def test_options_that_are_none(ap: Apiary, statement: str, message: str) -> None:
    with pytest.raises(apiary.ApiaryError) as caught:
        ap.sql(statement)
    assert message in str(caught.value)


def test_a_statement_times_out(ap: Apiary) -> None:
    ap.sql("SET statement_timeout = 100")
    assert rows(ap, "SHOW statement_timeout")[0][1] == "100"
    with pytest.raises(apiary.ApiaryError, match="deadline"):
        rows(ap, "SELECT count(*) FROM range(100000) a, range(100000) b, range(1000) c")
    ap.sql("SET statement_timeout = '5min'")
    assert rows(ap, "SHOW statement_timeout")[0][1] == "300000"
    assert rows(ap, "RESET statement_timeout; SELECT 1") == [(1,)]


# -------------------------------------------------------------------------- prepared statements


def test_prepared_statements(ap: Apiary, orders: apiary.Frame) -> None:
    ap.sql("PREPARE one AS SELECT id, k FROM orders WHERE id >= $1 AND id < $2 ORDER BY id")
    assert rows(ap, "EXECUTE one(1, 3)") == [(1, "x"), (2, None)]
    assert rows(ap, "EXECUTE ONE(1 + 1, 2 * 2)") == [(2, None), (3, "z")]
    assert rows(ap, "EXECUTE one(?, ?)", [3, 9]) == [(3, "z")]
    ap.sql("PREPARE two AS SELECT ? AS a, ? AS b, $$?$$ AS c, '$1' AS d -- ?")
    assert rows(ap, "EXECUTE two('it''s', NULL)") == [("it's", None, "?", "$1")]
    ap.sql("PREPARE three AS SELECT count(*) FROM orders VERSION AS OF $v WHERE day <= $day")
    assert rows(ap, "EXECUTE three(day := DATE '2026-01-02', v := 3)") == [(2,)]
    assert rows(ap, "EXECUTE three(v := 1, day := '2026-12-31')") == [(1,)]
    ap.sql("PREPARE two AS SELECT 2")
    assert rows(ap, "EXECUTE two") == [(2,)]
    assert rows(ap, "EXECUTE two()") == [(2,)]
    ap.sql("DEALLOCATE one; DEALLOCATE PREPARE two")
    for name in ["one", "two"]:
        with pytest.raises(apiary.NotFound, match=f"no statement '{name}' is prepared"):
            ap.sql(f"EXECUTE {name}")
    ap.sql("DEALLOCATE ALL")
    with pytest.raises(apiary.NotFound, match="no statement 'three' is prepared"):
        ap.sql("DEALLOCATE three")


@pytest.mark.parametrize(
    "value",
    [
        "1::TINYINT",
        "-5",
        "(-9223372036854775808)::BIGINT",
        "170141183460469231731687303715884105727",
        "1.50",
        "1.5e300::DOUBLE",
        "'nan'::DOUBLE",
        "0.1::FLOAT",
        "true",
        "'\\x00\\xFF'::BLOB",
        "DATE '2026-01-31'",
        "TIME '12:30:00.123456'",
        "TIMESTAMP '2026-01-31 12:00:00.5'",
        "TIMESTAMPTZ '2026-01-31 12:00:00+02'",
        "INTERVAL '3 days 2 hours'",
        "[1, NULL, 3]",
        "['a''b', 'c,d', NULL]",
        "{'a': 1, 'b c': 'x'}",
        "MAP {'k': [1, 2]}",
        "NULL::DATE",
        "uuid '0f4a2c8e-0000-4000-8000-000000000001'",
        "'semi;colon -- no comment'",
        "''",
    ],
)
def test_values_keep_their_type(ap: Apiary, value: str) -> None:
    ap.sql("PREPARE v AS SELECT typeof($1), CAST($1 AS VARCHAR), $1 IS NULL")
    assert rows(ap, f"EXECUTE v({value})") == rows(
        ap, f"SELECT typeof({value}), CAST({value} AS VARCHAR), ({value}) IS NULL"
    )


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("EXECUTE p", "no value is given for parameter $1"),
        ("EXECUTE p(1, 2)", "no parameter for value 2"),
        ("EXECUTE p(x := 1)", "no value is given for parameter $1|no parameter"),
        ("EXECUTE p(id)", "id"),
        ("EXECUTE p((SELECT max(id) FROM orders))", "a value that reads orders"),
        ("EXECUTE p(1", "expected , or )"),
        ("EXECUTE p()x", "expected the end of the statement"),
        ("EXECUTE q(1)", "did you mean 'p'?|no statement 'q'"),
        ("PREPARE r AS SELEC 1", "SELECT"),
        ("PREPARE r AS SELECT 1 FROM WHERE", "syntax error"),
        ("PREPARE r AS EXECUTE p(1)", "a prepared EXECUTE"),
        ("PREPARE r AS", "expected a statement"),
        ("PREPARE r SELECT 1", "expected AS"),
    ],
)
def test_prepared_statements_that_fail(
    ap: Apiary, orders: apiary.Frame, statement: str, message: str
) -> None:
    ap.sql("PREPARE p AS SELECT id FROM orders WHERE id = $1")
    with pytest.raises(apiary.ApiaryError) as caught:
        rows(ap, statement)
    assert any(part in str(caught.value) for part in message.split("|")), str(caught.value)
    assert rows(ap, "EXECUTE p(2)") == [(2,)]


def test_parameters_are_the_last_statements(ap: Apiary, orders: apiary.Frame) -> None:
    assert rows(ap, "SELECT 1; SELECT id FROM orders WHERE id = ?", [2]) == [(2,)]
    with pytest.raises(apiary.ApiaryError):
        rows(ap, "SELECT ?; SELECT 1", [2])
    with pytest.raises(apiary.ApiaryError):
        rows(ap, "CREATE FRAME made (a int64); SELECT nothing; CREATE FRAME unmade (a int64)")
    assert rows(ap, "SHOW FRAMES") == [("made",), ("orders",)], "what came before stays done"


# ---------------------------------------------------------------------------------------- COPY


def test_copy_out_and_in(ap: Apiary, orders: apiary.Frame, tmp_path: Path) -> None:
    expected = sorted(rows(ap, "FROM orders"))
    ap.sql("CREATE FRAME again (id int64, k string, day date)")
    for name, options in [
        ("a.parquet", ""),
        ("b.csv", ""),
        ("c.json", ""),
        ("d.data", "(FORMAT csv, HEADER, DELIMITER ';', NULL 'nothing')"),
        ("e.data", "(FORMAT csv, HEADER false, DELIMITER '|')"),
        ("f.data", "WITH (FORMAT PARQUET)"),
    ]:
        path = tmp_path / name
        assert rows(ap, f"COPY orders TO '{path}' {options}") == [(3,)]
        assert rows(ap, f"COPY again FROM '{path}' {options}") == [(3,)]
        assert sorted(rows(ap, "FROM again")) == expected, name
        ap.sql("DROP FRAME again; CREATE FRAME again (id int64, k string, day date)")
    text = (tmp_path / "d.data").read_text()
    assert sorted(csv.reader(text.splitlines(), delimiter=";"))[-1] == ["id", "k", "day"]
    assert ["2", "nothing", "2026-01-02"] in list(csv.reader(text.splitlines(), delimiter=";"))
    assert (tmp_path / "e.data").read_text().count("\n") == 3
    assert len([json.loads(line) for line in (tmp_path / "c.json").read_text().splitlines()]) == 3
    assert sorted(pq.read_table(tmp_path / "a.parquet").column("id").to_pylist()) == [1, 2, 3]
    paths = f"('{tmp_path}/a.parquet', '{tmp_path}/f.data')"
    assert rows(ap, f"COPY again FROM {paths} (FORMAT parquet)") == [(6,)]
    assert ap.sql("SHOW HISTORY again LIMIT 1").fetchall()[0][0] == 1, "one commit"


def test_copy_a_query(ap: Apiary, orders: apiary.Frame, tmp_path: Path) -> None:
    ap.sql("CREATE VIEW v AS SELECT id, k FROM orders WHERE id > 1")
    for name, query, ids in [
        ("a", "SELECT id FROM orders WHERE id IN (1, 3) ORDER BY id DESC", [3, 1]),
        ("b", "WITH x AS (FROM v) SELECT id FROM x ORDER BY id", [2, 3]),
        ("c", "SELECT id FROM orders VERSION AS OF 1 AS o", [1]),
    ]:
        path = tmp_path / f"{name}.parquet"
        ap.sql(f"COPY ({query}) TO '{path}' (COMPRESSION snappy)")
        assert pq.read_table(path).column("id").to_pylist() == ids
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "SNAPPY"
    ap.sql(f"COPY v TO '{tmp_path}/v.csv'")
    assert (tmp_path / "v.csv").read_text().startswith("id,k\n")


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("COPY orders TO '{}/there.csv'", "is there already"),
        ("COPY orders TO '{}/x'", "says no format"),
        ("COPY orders TO '{}/x' (FORMAT xml)", "not csv, parquet or json"),
        ("COPY orders TO '{}/x.parquet' (DELIMITER ';')", "are of CSV files"),
        ("COPY orders TO '{}/x.csv' (HEADR)", "COPY TO has no option HEADR"),
        ("COPY orders TO '{}/x.csv' (HEADER maybe)", "not true or false"),
        ("COPY orders FROM '{}/missing.csv'", "missing.csv"),
        (
            "COPY orders FROM '{}/there.csv' (COMPRESSION gzip)",
            "COPY FROM has no option COMPRESSION",
        ),
        ("COPY nowhere FROM '{}/there.csv'", "nowhere"),
        ("COPY nowhere TO '{}/x.csv'", "nowhere"),
        ("COPY orders FROM STDIN", "expected a 'path' in quotes"),
        ("COPY (DROP FRAME orders) TO 'x'", "expected a query behind COPY ("),
        ("COPY (SELECT 1) FROM 'x'", "expected TO"),
        ("COPY orders INTO 'x'", "expected FROM or TO"),
    ],
)
def test_copies_that_fail(
    ap: Apiary, orders: apiary.Frame, tmp_path: Path, statement: str, message: str
) -> None:
    (tmp_path / "there.csv").write_text("id,k,day\n9,y,2026-01-09\n")
    with pytest.raises(apiary.ApiaryError) as caught:
        ap.sql(statement.format(tmp_path))
    assert message in str(caught.value)
    assert rows(ap, "SELECT count(*) FROM orders") == [(3,)]
    assert not (tmp_path / "x.csv").exists()


# ------------------------------------------------------------------------------------- history


def test_history(ap: Apiary, orders: apiary.Frame) -> None:
    found = ap.sql("DESCRIBE HISTORY orders").to_arrow()
    assert found.column("version").to_pylist() == [3, 2, 1, 0]
    assert found.column("operation").to_pylist()[-1] == "CREATE TABLE"
    for statement in [
        "SHOW HISTORY w.b.orders LIMIT 2",
        "DESCRIBE HISTORY FRAME orders LIMIT 2",
        "SHOW HISTORY IN orders LIMIT 2",
        "SHOW HISTORY FROM b.orders LIMIT 2",
    ]:
        assert [row[0] for row in rows(ap, statement)] == [3, 2]
    ap.sql("CREATE FRAME history (a int64)")
    assert len(rows(ap, "DESCRIBE history")) > 3
    assert len(rows(ap, "DESCRIBE HISTORY history")) == 1
    with pytest.raises(apiary.SqlSyntaxError, match="a number from 1 on"):
        ap.sql("SHOW HISTORY orders LIMIT 0")


@pytest.mark.parametrize("end", [".parquet", ".csv", ".csv.gz", ".json"])
def test_a_copy_that_fails_or_is_cancelled_leaves_nothing(
    ap: apiary.Apiary, tmp_path: Path, end: str
) -> None:
    """Neither a part of the file nor another one beside it; and a whole one is whole."""
    folder = tmp_path / "out"
    folder.mkdir()
    options = "(FORMAT csv)" if end == ".csv.gz" else ""
    path = folder / f"rows{end}"
    failing = (
        "SELECT CASE WHEN i = 3000000 THEN error('row') ELSE i END AS i FROM range(3000001) t(i)"
    )
    with pytest.raises(apiary.ApiaryError, match="row"):
        ap.sql(f"COPY ({failing}) TO '{path}' {options}")
    assert list(folder.iterdir()) == []

    began = threading.Event()

    def cancel() -> None:
        while not list(folder.iterdir()):
            if began.wait(0.01):
                return
        ap.cancel()

    waiting = threading.Thread(target=cancel)
    waiting.start()
    with pytest.raises(apiary.Cancelled):
        ap.sql(f"COPY (SELECT i, hash(i) AS h FROM range(100000000000) t(i)) TO '{path}' {options}")
    began.set()
    waiting.join()
    assert list(folder.iterdir()) == []

    ap.sql(f"COPY (SELECT i FROM range(5000) t(i)) TO '{path}' {options}")
    assert [found.name for found in folder.iterdir()] == [path.name]
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == (end == ".csv.gz")
    with pytest.raises(apiary.AlreadyExists, match="is there already"):
        ap.sql(f"COPY (SELECT 1 AS i) TO '{path}' {options}")
    assert duckdb.sql(f"SELECT sum(i) FROM '{path}'").fetchall() == [(12497500,)]


def test_a_copy_does_not_replace_a_file_made_meanwhile(ap: apiary.Apiary, tmp_path: Path) -> None:
    """The name is taken only when the rows are written, and only if it is free."""
    path = tmp_path / "out.csv"

    def make(_percent: float) -> None:
        path.write_text("mine")

    with pytest.raises(apiary.AlreadyExists, match=r"out\.csv' is there already"):
        ap.sql(f"COPY (SELECT i FROM range(30000000) t(i)) TO '{path}'", progress=make)
    assert path.read_text() == "mine"
    assert [found.name for found in tmp_path.iterdir() if found.name.startswith(".")] == []
