# SPDX-License-Identifier: Apache-2.0
"""INSERT, DELETE, UPDATE, MERGE, TRUNCATE and CREATE FRAME AS against plain DuckDB.

Method: each statement written down here with its answer; then sequences of random statements, the
same text to Apiary and to a DuckDB table, the rows compared after each, every version read again at
the end, and the last one by deltalake too. Each random test prints its seed.
"""

from __future__ import annotations

import math
import os
import random
import threading
from pathlib import Path

import apiary
import duckdb
import pytest
from apiary import Apiary
from deltalake import DeltaTable

COUNTS = ["rows_inserted", "rows_updated", "rows_deleted", "version"]


@pytest.fixture
def t(ap: Apiary) -> apiary.Frame:
    """An empty frame t in use."""
    columns = {"id": "int64", "k": "string", "v": "float64"}
    frame = ap.create_hive("w").create_box("b").create_frame("t", columns)
    ap.sql("USE w.b")
    ap.sql("INSERT INTO t VALUES (1, 'a', 1.5), (2, 'b', 2.5), (3, NULL, NULL)")
    return frame


def rows(ap: Apiary, query: str = "SELECT * FROM t") -> list[tuple[object, ...]]:
    return sorted(ap.sql(query).fetchall(), key=repr)


# ------------------------------------------------------------------------------------- INSERT


def test_an_answer_counts_rows(ap: Apiary, t: apiary.Frame) -> None:
    answer = ap.sql("INSERT INTO t VALUES (4, 'd', 0), (5, 'e', '7.5')")
    assert answer.columns == COUNTS
    assert answer.fetchall() == [(2, 0, 0, 2)]
    assert ap.sql("UPDATE t SET v = 0 WHERE id > 3").fetchall() == [(0, 2, 0, 3)]
    assert ap.sql("DELETE FROM t WHERE id > 3").fetchall() == [(0, 0, 2, 4)]
    assert ap.sql("DELETE FROM t WHERE id > 3").fetchall() == [(0, 0, 0, 4)], "no new version"


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        ("INSERT INTO t (v, id) VALUES (9, 4)", (4, None, 9.0)),
        ("INSERT INTO t (id) VALUES (4)", (4, None, None)),
        ("INSERT INTO t BY NAME SELECT 'x' AS k, 4 AS id", (4, "x", None)),
        ("INSERT INTO t DEFAULT VALUES", (None, None, None)),
        ("INSERT INTO t VALUES (4, DEFAULT, 1)", (4, None, 1.0)),
        ("INSERT INTO w.b.t SELECT id + 3, k, v FROM t WHERE id = 1", (4, "a", 1.5)),
        ("INSERT INTO t FROM (SELECT 4, 'x', 5)", (4, "x", 5.0)),
        ("INSERT INTO t (SELECT 4, 'x', 5)", (4, "x", 5.0)),
        ("INSERT INTO t WITH c AS (SELECT 4 AS a) SELECT a, 'x', a FROM c", (4, "x", 4.0)),
        ("WITH c AS (SELECT 4 AS a) INSERT INTO t SELECT a, 'x', a FROM c", (4, "x", 4.0)),
        (
            "WITH c AS (SELECT 4 AS a) INSERT INTO t WITH d AS (FROM c) SELECT a, 'x', a FROM d",
            (4, "x", 4.0),
        ),
        ("INSERT INTO t VALUES (CASE WHEN true THEN 4 ELSE 5 END, 'a,b', (1))", (4, "a,b", 1.0)),
        ("INSERT INTO t VALUES ('4', 17, '1e3')", (4, "17", 1000.0)),
        ("INSERT INTO t SELECT 170141183460469231731::HUGEINT - 170141183460469231727, 'x', 1",
         (4, "x", 1.0)),
    ],
)  # fmt: skip
def test_insert(ap: Apiary, t: apiary.Frame, statement: str, row: tuple[object, ...]) -> None:
    before = rows(ap)
    assert ap.sql(statement).fetchall() == [(1, 0, 0, 2)]
    assert rows(ap) == sorted([*before, row], key=repr)


def test_insert_overwrite(ap: Apiary, t: apiary.Frame) -> None:
    assert ap.sql("INSERT OVERWRITE t SELECT id, k, 0 FROM t WHERE id < 3").fetchall() == [
        (2, 0, 3, 2)
    ]
    assert rows(ap) == [(1, "a", 0.0), (2, "b", 0.0)]


def test_parameters(ap: Apiary, t: apiary.Frame) -> None:
    ap.sql("INSERT INTO t VALUES (?, ?, ?)", [4, "p", 2.5])
    ap.sql("INSERT INTO t (k, id) SELECT $word, $number", {"word": "q", "number": 5})
    ap.sql("UPDATE t SET k = ?, v = v + ? WHERE id = ?", ["u", 1, 1])
    ap.sql("DELETE FROM t WHERE id = $1 OR k = $2", [3, "b"])
    merge = """MERGE INTO t USING (SELECT ? AS id, ? AS k) s ON s.id = t.id AND t.v < ?
        WHEN MATCHED AND t.v > ? THEN UPDATE SET k = s.k, v = ?
        WHEN NOT MATCHED THEN INSERT (id, k, v) VALUES (s.id, s.k, ?)"""
    ap.sql(merge, [4, "m", 100, 1, 7, 8])
    ap.sql(merge, [6, "n", 100, 1, 7, 8])
    assert rows(ap) == [(1, "u", 2.5), (4, "m", 7.0), (5, "q", None), (6, "n", 8.0)]


# ------------------------------------------------------------------------- DELETE and UPDATE


def test_delete_where_true_only(ap: Apiary, t: apiary.Frame) -> None:
    ap.sql("DELETE FROM t WHERE v > 2")
    assert rows(ap) == [(1, "a", 1.5), (3, None, None)]
    ap.sql("DELETE FROM t AS x USING (VALUES (1), (1)) y(id) WHERE x.id = y.id")
    assert rows(ap) == [(3, None, None)]
    assert ap.sql("DELETE FROM t").fetchall() == [(0, 0, 1, 4)]
    assert rows(ap) == []


def test_truncate(ap: Apiary, t: apiary.Frame) -> None:
    assert ap.sql("TRUNCATE TABLE t").fetchall() == [(0, 0, 3, 2)]
    assert ap.sql("TRUNCATE t").fetchall() == [(0, 0, 0, 2)]
    assert ap.sql("SELECT count(*) FROM t AT (VERSION => 1)").fetchall() == [(3,)]


def test_update_sees_old_values(ap: Apiary, t: apiary.Frame) -> None:
    ap.sql("UPDATE t SET id = id * 10, v = id, k = coalesce(k, 'none')")
    assert rows(ap) == [(10, "a", 1.0), (20, "b", 2.0), (30, "none", 3.0)]
    ap.sql("UPDATE t AS x SET (k, v) = ('z', x.id + 1) WHERE x.k IS NOT DISTINCT FROM 'none'")
    ap.sql("UPDATE t SET v = DEFAULT WHERE id = 10")
    assert rows(ap) == [(10, "a", None), (20, "b", 2.0), (30, "z", 31.0)]


def test_update_from(ap: Apiary, t: apiary.Frame) -> None:
    ap.sql("UPDATE t SET k = s.w FROM (VALUES (1, 'x'), (1, 'x'), (9, 'y')) s(id, w)"
           " WHERE s.id = t.id")  # fmt: skip
    assert rows(ap) == [(1, "x", 1.5), (2, "b", 2.5), (3, None, None)]
    with pytest.raises(apiary.InvalidArgument, match="2 rows of the source match one row"):
        ap.sql("UPDATE t SET k = s.w FROM (VALUES (1, 'x'), (1, 'y')) s(id, w) WHERE s.id = t.id")
    ap.sql("UPDATE t SET v = (SELECT sum(o.v) FROM t AS o WHERE o.id <> t.id) WHERE id < 3")
    assert rows(ap) == [(1, "x", 2.5), (2, "b", 1.5), (3, None, None)]


def test_a_volatile_value_is_drawn_once(ap: Apiary, t: apiary.Frame) -> None:
    ap.sql("INSERT INTO t SELECT range, 'r', NULL FROM range(10, 2000)")
    ap.sql("UPDATE t SET v = random(), k = 'drawn' WHERE id >= 10 AND random() < 0.5")
    drawn, distinct = ap.sql("SELECT count(*), count(DISTINCT v) FROM t WHERE k = 'drawn'")[0]
    assert 700 < drawn < 1300
    assert distinct > drawn - 5
    assert ap.sql("SELECT count(*) FROM t WHERE k = 'r' AND v IS NOT NULL").fetchall() == [(0,)]


@pytest.mark.parametrize("vectors", [False, True])
@pytest.mark.parametrize(
    "condition",
    [
        "g IN (SELECT max(x) FROM (VALUES (1), (3)) v(x))",
        "g = (SELECT max(x) FROM (VALUES (1), (3)) v(x))",
        "g + 0 = 3",
        "g % 3 = 0 AND g > length('')",
        "id IN (SELECT o.id FROM t AS o WHERE o.g = 3)",
        "EXISTS (SELECT 1 FROM t AS o WHERE o.g = 3 AND o.id = t.id)",
    ],
)
def test_conditions_that_only_the_engine_understands(
    ap: Apiary, t: apiary.Frame, condition: str, vectors: bool
) -> None:
    """The engine leaves out partitions by itself, and must not count cells without them."""
    options = f"TBLPROPERTIES ('delta.enableDeletionVectors' = '{str(vectors).lower()}')"
    ap.sql("DROP FRAME t")
    ap.sql(f"CREATE FRAME t (id BIGINT, g INTEGER) PARTITIONED BY (g) {options}")
    plain = duckdb.connect()
    plain.execute("CREATE TABLE t (id BIGINT, g INTEGER)")
    for statement in (
        "INSERT INTO t SELECT i, i % 4 FROM range(400) r(i)",
        "DELETE FROM t WHERE id % 10 = 7",
        f"UPDATE t SET id = id + 1000 WHERE {condition}",
        f"DELETE FROM t WHERE id % 5 = 1 AND {condition}",
    ):
        ap.sql(statement)
        plain.execute(statement)
        for query in ("SELECT * FROM t", f"SELECT * FROM t WHERE {condition}"):
            assert rows(ap, query) == sorted(plain.execute(query).fetchall(), key=repr), statement


def test_partition_columns_change(ap: Apiary, t: apiary.Frame) -> None:
    ap.sql("CREATE FRAME p (day date, region string, x int32) PARTITIONED BY (day, region)")
    ap.sql("""INSERT INTO p SELECT DATE '2026-01-01' + (i % 3)::INTEGER,
              CASE i % 4 WHEN 0 THEN 'NULL' ELSE 'r ' || i % 4 END, i FROM range(40) r(i)""")
    ap.sql("UPDATE p SET region = 'new/one', day = day + 10 WHERE region = 'NULL' AND x < 20")
    expected = duckdb.sql("""SELECT DATE '2026-01-01' + (i % 3)::INTEGER
              + CASE WHEN i % 4 = 0 AND i < 20 THEN 10 ELSE 0 END,
              CASE WHEN i % 4 <> 0 THEN 'r ' || i % 4 WHEN i < 20 THEN 'new/one' ELSE 'NULL' END, i
              FROM range(40) r(i)""").fetchall()
    assert rows(ap, "SELECT * FROM p") == sorted(
        [(d.date() if hasattr(d, "date") else d, r, x) for d, r, x in expected], key=repr
    )
    before = ap.sql("SELECT count(*) FROM p").fetchall()[0][0]
    answer = ap.sql("DELETE FROM p WHERE day = DATE '2026-01-02'").fetchall()[0]
    assert answer[2] > 0
    assert ap.sql("SELECT count(*) FROM p").fetchall() == [(before - answer[2],)]


# --------------------------------------------------------------------------------------- MERGE


def test_merge_with_every_clause(ap: Apiary, t: apiary.Frame) -> None:
    answer = ap.sql("""
        MERGE INTO t AS x USING (VALUES (1, 'm', 0.0), (2, 'n', 1.0), (8, 'o', 2.0), (9, 'p', 3.0))
            AS s(id, k, v) ON x.id = s.id
        WHEN MATCHED AND s.v = 0 THEN DELETE
        WHEN MATCHED THEN UPDATE SET k = s.k, v = CASE WHEN s.v > 0 THEN x.v + s.v ELSE 0 END
        WHEN NOT MATCHED AND s.id = 9 THEN DO NOTHING
        WHEN NOT MATCHED BY TARGET THEN INSERT (id, k) VALUES (s.id, upper(s.k))
        WHEN NOT MATCHED BY SOURCE AND x.id < 0 THEN DELETE
        WHEN NOT MATCHED BY SOURCE THEN UPDATE SET k = 'alone'""")
    assert answer.fetchall() == [(1, 2, 1, 2)]
    assert rows(ap) == [(2, "n", 3.5), (3, "alone", None), (8, "O", None)]


def test_merge_stars_and_names(ap: Apiary, t: apiary.Frame) -> None:
    ap.sql("CREATE FRAME s AS SELECT 5.5::DOUBLE AS v, 'S' AS k, i AS id FROM range(3, 5) r(i)")
    ap.sql("MERGE INTO t USING s ON t.id = s.id"
           " WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *")  # fmt: skip
    expected = [(1, "a", 1.5), (2, "b", 2.5), (3, "S", 5.5), (4, "S", 5.5)]
    assert rows(ap) == expected
    ap.sql("MERGE INTO t USING s AT (VERSION => 1) USING (id) WHEN MATCHED THEN DELETE")
    assert rows(ap) == expected[:2]
    ap.sql("MERGE INTO t USING (SELECT id + 7 AS id FROM s) AS n ON false"
           " WHEN NOT MATCHED THEN INSERT VALUES (n.id, DEFAULT, 1)")  # fmt: skip
    assert rows(ap) == sorted([*expected[:2], (10, None, 1.0), (11, None, 1.0)], key=repr)


def test_merge_refuses_two_rows_for_one(ap: Apiary, t: apiary.Frame) -> None:
    source = "(VALUES (1, 'x'), (1, 'y')) s(id, k)"
    with pytest.raises(apiary.InvalidArgument, match="2 rows of the source match one row"):
        ap.sql(f"MERGE INTO t USING {source} ON t.id = s.id WHEN MATCHED THEN UPDATE SET k = s.k")
    assert ap.sql(
        f"MERGE INTO t USING {source} ON t.id = s.id WHEN MATCHED THEN DELETE"
    ).fetchall() == [(0, 0, 1, 2)]
    ap.sql(f"MERGE INTO t USING {source} ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id, k)"
           " VALUES (s.id, s.k)")  # fmt: skip
    assert rows(ap, "SELECT id, k FROM t") == [(1, "x"), (1, "y"), (2, "b"), (3, None)]


# ------------------------------------------------------------------------------ CREATE FRAME AS


def test_create_frame_as(ap: Apiary, t: apiary.Frame) -> None:
    answer = ap.sql("CREATE TABLE c (n, word) PARTITIONED BY (n) AS SELECT id, k FROM t")
    assert answer.fetchall() == [(3, 0, 0, 1)]
    assert rows(ap, "SELECT * FROM c") == [(1, "a"), (2, "b"), (3, None)]
    with pytest.raises(apiary.AlreadyExists):
        ap.sql("CREATE FRAME c AS SELECT 1 AS x")
    ap.sql("CREATE FRAME IF NOT EXISTS c AS SELECT 1 AS x")
    assert ap.sql("SELECT count(*) FROM c").fetchall() == [(3,)]
    ap.sql("CREATE FRAME d AS SELECT * FROM t WHERE id > $1", [1])
    assert ap.sql("SELECT count(*) FROM d").fetchall() == [(2,)]
    ap.sql("CREATE FRAME e AS SELECT sum(id) AS total, 1.5 AS half FROM t WHERE false")
    assert rows(ap, "SELECT * FROM e") == [(None, 1.5)]


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("CREATE FRAME z AS SELECT error('no') AS x", apiary.SqlError),
        ("CREATE FRAME z AS SELECT 1 AS x, 2 AS x", apiary.ApiaryError),
        ("CREATE FRAME z (a, b) AS SELECT 1 AS x", apiary.SchemaError),
        ("CREATE FRAME z AS SELECT * FROM nowhere", apiary.NotFound),
    ],
)
def test_a_frame_that_fails_is_not_there(
    ap: Apiary, t: apiary.Frame, statement: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        ap.sql(statement)
    with pytest.raises(apiary.NotFound):
        ap.sql("SELECT * FROM z")


# --------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("INSERT INTO t VALUES (1, 2)", "3 columns are expected, the rows have 2"),
        ("INSERT INTO t (id, id) VALUES (1, 2)", "'id' is named twice"),
        ("INSERT INTO t (idd) VALUES (1)", "did you mean 'id'"),
        ("INSERT INTO t VALUES ('abc', 'x', 1)", "column 'id' cannot hold 'abc': it is int64"),
        ("INSERT INTO t VALUES (99999999999999999999, 'x', 1)", "column 'id' cannot hold '9999"),
        ("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "MERGE INTO"),
        ("INSERT INTO t VALUES (1, 'x', 2) RETURNING id", "RETURNING"),
        ("INSERT OR REPLACE INTO t VALUES (1)", "MERGE INTO"),
        ("INSERT t VALUES (1)", "expected INTO"),
        ("UPDATE t SET id = 'abc'", "column 'id' cannot hold 'abc'"),
        ("UPDATE t SET kk = 1", "its columns are: id, k, v"),
        ("UPDATE t SET id = 1, ID = 2", "'id' is set twice"),
        ("UPDATE t SET k.x = 1", "a part of a column"),
        ("UPDATE t SET v =\n nowhere + 1", "LINE 2: nowhere"),
        ("UPDATE t SET v = 1 FROM", "expected what else is read"),
        ("DELETE FROM t\nWHERE id = = 3", "line 2, column 12"),
        ("DELETE t WHERE id = 3", "expected FROM"),
        ("DELETE FROM t WHERE idd = 3", "idd"),
        ("DELETE FROM t WHERE id = 3 RETURNING *", "RETURNING"),
        ("MERGE INTO t USING s ON true WHEN MATCHED THEN INSERT *", "UPDATE, DELETE or DO NOTHING"),
        ("MERGE INTO t USING (SELECT 1 AS a) s ON true WHEN MATCHED AND random() > 0 THEN DELETE",
         "random"),
        ("MERGE INTO t USING (SELECT 1 AS id) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET *",
         "k"),
        ("EXPLAIN DELETE FROM t WHERE nope = 1", "nope"),
    ],
)  # fmt: skip
def test_errors_say_what_and_where(ap: Apiary, t: apiary.Frame, statement: str, words: str) -> None:
    before = rows(ap)
    with pytest.raises(apiary.ApiaryError) as caught:
        ap.sql(statement)
    assert words in str(caught.value), str(caught.value)
    assert "\x1f" not in str(caught.value)
    assert rows(ap) == before
    assert t.history()[0]["version"] == 1


def test_null_violations_change_nothing(ap: Apiary, t: apiary.Frame) -> None:
    ap.sql("CREATE FRAME n (id int64 NOT NULL, v int32)")
    ap.sql("INSERT INTO n VALUES (1, 1), (2, NULL)")
    for statement in [
        "INSERT INTO n (v) VALUES (3)",
        "INSERT INTO n VALUES (NULL, 1)",
        "UPDATE n SET id = v",
        "MERGE INTO n USING (SELECT NULL::BIGINT AS id) s ON false"
        " WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)",
    ]:
        with pytest.raises(apiary.SchemaError, match="column 'id' must not be null"):
            ap.sql(statement)
    assert rows(ap, "SELECT * FROM n") == [(1, 1), (2, None)]
    folder = Path(ap.hive("w").box("b").frame("n").describe()["location"])
    assert len(list(folder.rglob("*.parquet"))) == 1, "what was not committed is gone"


# ------------------------------------------------------------------------------- transactions


def parquet_files(frame: apiary.Frame) -> int:
    return len(list(Path(frame.describe()["location"]).rglob("*.parquet")))


def test_a_transaction_is_one_version(ap: Apiary, t: apiary.Frame) -> None:
    answer = ap.sql("""BEGIN;
        INSERT INTO t VALUES (4, 'd', 4);
        UPDATE t SET v = 9 WHERE id >= 3;
        INSERT INTO t SELECT count(*) + 100, k, v FROM t WHERE id > 2 GROUP BY ALL;
        DELETE FROM t WHERE id = 1;
        COMMIT""")
    assert answer.columns == COUNTS
    assert answer.fetchall() == [(3, 2, 1, 2)]
    expected = [(2, "b", 2.5), (3, None, 9.0), (4, "d", 9.0), (101, "d", 9.0), (101, None, 9.0)]
    assert rows(ap) == sorted(expected, key=repr)
    assert t.history()[0]["version"] == 2
    assert DeltaTable(t.describe()["location"]).to_pyarrow_table().num_rows == 5


def test_a_transaction_sees_itself_and_nobody_else_does(ap: Apiary, t: apiary.Frame) -> None:
    before = rows(ap)
    files = parquet_files(t)
    ap.sql("BEGIN; DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (7, 'x', 1)")
    assert parquet_files(t) > files
    assert [r[0] for r in rows(ap)] == [2, 3, 7]
    assert len(DeltaTable(t.describe()["location"]).to_pyarrow_table()) == 3
    ap.sql("ROLLBACK")
    assert rows(ap) == before
    assert parquet_files(t) == files, "nothing is left"
    assert t.history()[0]["version"] == 1


def test_a_transaction_that_was_overtaken_is_a_conflict(ap: Apiary, t: apiary.Frame) -> None:
    files = parquet_files(t)
    ap.sql("BEGIN; UPDATE t SET v = 0 WHERE id = 1")
    t.write({"id": [50], "k": ["z"], "v": [1.0]})
    with pytest.raises(apiary.Conflict) as caught:
        ap.sql("COMMIT")
    assert caught.value.sqlstate == "40001"
    assert parquet_files(t) == files + 1
    assert ap.sql("SELECT v FROM t WHERE id = 1").fetchall() == [(1.5,)]


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        ("COMMIT", "no transaction is open"),
        ("BEGIN; BEGIN", "open already"),
        ("BEGIN; DELETE FROM t WHERE id = 1; INSERT INTO o VALUES (1)", "cannot change frame o"),
        ("BEGIN; CREATE FRAME z (a int)", "cannot be part of a transaction"),
    ],
)
def test_transactions_refuse(ap: Apiary, t: apiary.Frame, statements: str, words: str) -> None:
    before = rows(ap)
    ap.sql("CREATE FRAME o (a int64)")
    with pytest.raises(apiary.ApiaryError, match=words):
        ap.sql(statements)
    if statements.startswith("BEGIN"):
        ap.sql("ROLLBACK")
    assert rows(ap) == before


def test_a_statement_fails_alone_in_a_transaction(ap: Apiary, t: apiary.Frame) -> None:
    ap.sql("BEGIN; DELETE FROM t WHERE id = 1")
    with pytest.raises(apiary.ApiaryError):
        ap.sql("INSERT INTO t VALUES ('abc', 'x', 1)")
    ap.sql("UPDATE t SET k = 'after' WHERE id = 2; COMMIT")
    assert rows(ap) == [(2, "after", 2.5), (3, None, None)]


# ------------------------------------------------------------------------------------- random


COLUMNS = (
    "id BIGINT, g INTEGER, k VARCHAR, f DOUBLE, d DECIMAL(12,3), ts TIMESTAMP, dt DATE, b BOOLEAN"
)
NAMES = [column.split()[0] for column in COLUMNS.split(", ")]


class Statements:
    """Random statements that Apiary and DuckDB understand alike."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def number(self, most: int = 60) -> int:
        return self.random.randint(0, most)

    def value(self, column: str) -> str:
        n = self.number()
        if self.random.random() < 0.15:
            return "NULL"
        return {
            "id": str(n),
            "g": str(n % 4),
            "k": f"'w{n % 7}'",
            "f": self.random.choice([f"{n}.25", "'NaN'::DOUBLE", "-0.0::DOUBLE", "1e300"]),
            "d": f"{n}.{n:03d}",
            "ts": f"TIMESTAMP '2026-01-01 00:00:00' + INTERVAL {n * 7919} SECOND",
            "dt": f"DATE '2026-01-01' + {n % 9}",
            "b": self.random.choice(["true", "false"]),
        }[column]

    def condition(self, of: str = "t") -> str:
        n = self.number()
        simple = [
            f"{of}.id = {n}",
            f"{of}.id % {n % 5 + 2} = 1",
            f"{of}.g = {n % 4}",
            f"{of}.g IN (1, {n % 4})",
            f"{of}.k = 'w{n % 7}'",
            f"{of}.k IS NULL",
            f"{of}.k LIKE 'w{n % 7}%'",
            f"{of}.f > {n}",
            f"isnan({of}.f)",
            f"{of}.d BETWEEN {n} AND {n + 10}",
            f"{of}.dt < DATE '2026-01-0{n % 9 + 1}'",
            f"{of}.ts IS NOT DISTINCT FROM NULL",
            f"{of}.b",
            f"NOT {of}.b",
            f"{of}.id IN (SELECT o.id FROM t AS o WHERE o.g = {n % 4})",
        ]
        one = self.random.choice(simple)
        if self.random.random() < 0.3:
            one = f"({one} {self.random.choice(['AND', 'OR'])} {self.random.choice(simple)})"
        return one if self.random.random() < 0.9 else f"NOT ({one})"

    def expression(self, column: str, of: str = "t") -> str:
        n = self.number()
        changes = {
            "id": f"{of}.id + {n}",
            "g": f"({of}.g + {n}) % 4",
            "k": f"{of}.k || '{n % 3}'",
            "f": f"{of}.f * {n}",
            "d": f"{of}.d + {n % 100}",
            "ts": f"{of}.ts + INTERVAL {n} MINUTE",
            "dt": f"{of}.dt + {n % 5}",
            "b": f"NOT {of}.b",
        }
        return self.random.choice([changes[column], self.value(column)])

    def sets(self, of: str = "t") -> str:
        columns = self.random.sample(NAMES, self.random.randint(1, 3))
        return ", ".join(f"{c} = {self.expression(c, of)}" for c in columns)

    def insert(self) -> str:
        if self.random.random() < 0.3:
            return (
                "INSERT INTO t SELECT id + 61, g, k, f, d, ts, dt, b FROM t"
                f" WHERE {self.condition()} ORDER BY ALL LIMIT 10"
            )
        columns = NAMES if self.random.random() < 0.5 else self.random.sample(NAMES, 4)
        values = ", ".join(
            "(" + ", ".join(self.value(c) for c in columns) + ")"
            for _ in range(self.number(11) + 1)
        )
        return f"INSERT INTO t ({', '.join(columns)}) VALUES {values}"

    def source(self) -> str:
        picked = self.random.sample(range(60), self.random.randint(1, 25))
        given = ", ".join(f"({i}, {self.value('k')}, {self.value('f')})" for i in picked)
        return f"(VALUES {given}) AS s(id, k, f)"

    def merge(self) -> str:
        """One row of the frame per id first, so that there is one row of the source for each."""
        clauses = []
        if self.random.random() < 0.5:
            clauses.append(f"WHEN MATCHED AND {self.plain()} THEN DELETE")
        if self.random.random() < 0.7:
            clauses.append("WHEN MATCHED THEN UPDATE SET k = s.k, f = s.f")
        if self.random.random() < 0.7:
            clauses.append("WHEN NOT MATCHED THEN INSERT (id, k, g) VALUES (s.id, s.k, s.id % 4)")
        if self.random.random() < 0.3:
            clauses.append(f"WHEN NOT MATCHED BY SOURCE AND {self.plain()} THEN UPDATE SET g = 2")
        if not clauses:
            clauses.append("WHEN NOT MATCHED BY SOURCE AND t.g = 3 THEN DELETE")
        return f"MERGE INTO t USING {self.source()} ON t.id = s.id " + " ".join(clauses)

    def plain(self) -> str:
        return self.random.choice(["t.g = 1", "t.b", "t.f > 20", "t.k IS NOT NULL", "t.id < 30"])

    def update_from(self) -> str:
        return (
            f"UPDATE t SET k = s.k, g = t.g + 1 FROM {self.source()}"
            f" WHERE t.id = s.id AND {self.condition()}"
        )

    def next(self) -> str:
        return self.random.choices(
            [
                self.insert,
                lambda: f"DELETE FROM t WHERE {self.condition()}",
                lambda: f"UPDATE t SET {self.sets()} WHERE {self.condition()}",
                self.merge,
                self.update_from,
                lambda: "DELETE FROM t",
                lambda: "TRUNCATE t",
            ],
            [8, 3, 5, 4, 2, 0.2, 0.2],
        )[0]()


def normal(value: object) -> object:
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, float) and value == 0:
        return 0.0
    return value


def normal_rows(found: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return sorted([tuple(normal(v) for v in row) for row in found], key=repr)


@pytest.mark.parametrize("partitioned", [False, True])
def test_random_statements_against_duckdb(ap: Apiary, partitioned: bool) -> None:
    seed = int(os.environ.get("AP_SEED", random.SystemRandom().randrange(2**32)))
    count = 400 if os.environ.get("AP_SOAK") else 40
    print(f"AP_SEED={seed}")
    statements = Statements(seed)
    ap.create_hive("w").create_box("b")
    ap.sql("USE w.b")
    ap.sql(f"CREATE FRAME t ({COLUMNS})" + (" PARTITIONED BY (g)" if partitioned else ""))
    frame = ap.hive("w").box("b").frame("t")
    plain = duckdb.connect()
    plain.execute(f"CREATE TABLE t ({COLUMNS})")
    states = {0: []}
    for _ in range(count):
        statement = statements.next()
        try:
            answer = ap.sql(statement).fetchall()[0]
        except apiary.SchemaError as error:
            assert partitioned and "partition column 'g' holds nulls" in str(error)
            continue
        plain.execute(statement)
        expected = normal_rows(plain.execute("SELECT * FROM t").fetchall())
        assert normal_rows(ap.sql("SELECT * FROM t").fetchall()) == expected, statement
        states[answer[3]] = expected
    for version, expected in states.items():
        asked = f"SELECT * FROM t AT (VERSION => {version})"
        assert normal_rows(ap.sql(asked).fetchall()) == expected
    table = DeltaTable(frame.describe()["location"])
    assert table.version() == max(states)
    reader = plain.from_arrow(table.to_pyarrow_table())
    seen = reader.select(", ".join(NAMES)).fetchall()
    assert len(seen) == len(states[max(states)])
    assert [r[0] for r in normal_rows(seen)] == [r[0] for r in states[max(states)]]


def test_a_transaction_is_its_threads_own(ap: Apiary, t: apiary.Frame) -> None:
    before = rows(ap)
    ap.sql("BEGIN; INSERT INTO t VALUES (7, 'x', 1)")
    seen: list[object] = []

    def other() -> None:
        seen.append(rows(ap))
        seen.append(ap.sql("INSERT INTO t VALUES (8, 'y', 2)").fetchall())

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [before, [(1, 0, 0, 2)]]
    assert rows(ap) == sorted([*before, (7, "x", 1.0)], key=repr)
    ap.sql("ROLLBACK")
    assert rows(ap) == sorted([*before, (8, "y", 2.0)], key=repr)

    left = threading.Thread(target=lambda: ap.sql("BEGIN; INSERT INTO t VALUES (9, 'z', 3)"))
    left.start()
    left.join()
    assert rows(ap) == sorted([*before, (8, "y", 2.0)], key=repr), "it went with its thread"
    with pytest.raises(apiary.errors.StateError, match="no transaction is open"):
        ap.sql("COMMIT")
