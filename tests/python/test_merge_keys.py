# SPDX-License-Identifier: Apache-2.0
"""MERGE reads only the cells that keys of its source may be in, and is right all the same.

Method: a frame of ten cells parted by key, sources of random keys in every form that a source may
have; the same statement to DuckDB, the rows compared; EXPLAIN tells how many cells are read. And
what others write meanwhile where no cell was read is a conflict.
"""

from __future__ import annotations

import json
import random
from typing import Any

import apiary
import duckdb
import pytest
from tables import SOAK, seeded

SOURCES = {
    "s": "s",
    "w.b.s AS x": "x",
    '"s" x': "x",
    "seen AS s": "s",
    "(SELECT * FROM s WHERE v % 2 = 0) AS x": "x",
    "(VALUES (15, 1), (5000, 2)) AS x(id, v)": "x",
}
CLAUSES = [
    "WHEN MATCHED THEN UPDATE SET v = {s}.v",
    "WHEN MATCHED THEN DELETE",
    "WHEN NOT MATCHED THEN INSERT (id, v) VALUES ({s}.id, {s}.v)",
    "WHEN MATCHED AND {s}.v % 3 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET v = {s}.v + t.v "
    "WHEN NOT MATCHED AND {s}.v > 3 THEN INSERT (id, v) VALUES ({s}.id, -{s}.v)",
    "WHEN NOT MATCHED BY SOURCE AND t.id % 50 = 0 THEN DELETE "
    "WHEN MATCHED THEN UPDATE SET v = {s}.v",
]
CONDITIONS = ["t.id = {s}.id", "t.id = {s}.id AND t.v >= 0", "{s}.id = t.id AND {s}.v < 50"]


def make(ap: apiary.Apiary, draw: random.Random, partitioned: bool) -> duckdb.DuckDBPyConnection:
    plain = duckdb.connect()
    plain.execute("CREATE TABLE t (id BIGINT, v BIGINT, p BIGINT)")
    plain.execute("CREATE TABLE s (id BIGINT, v BIGINT)")
    ap.create_hive("w").create_box("b")
    ap.sql("USE w.b")
    ap.sql(f"CREATE FRAME t (id int64, v int64, p int64) {'PARTITIONED BY (p)' * partitioned}")
    ap.sql("CREATE FRAME s (id int64, v int64)")
    ap.sql("CREATE VIEW seen AS SELECT id, v FROM s")
    plain.execute("CREATE VIEW seen AS SELECT id, v FROM s")
    for cell in range(10):
        fill = f"INSERT INTO t SELECT i, i % 7, 1 FROM range({cell * 100}, {cell * 100 + 100}) r(i)"
        ap.sql(fill)
        plain.execute(fill)
    low = draw.randrange(0, 900)
    keys = draw.sample(range(low, low + 150), 20) + [5000 + draw.randrange(100)]
    rows = ", ".join(f"({key}, {draw.randrange(100)})" for key in keys) + ", (NULL, 1)"
    ap.sql(f"INSERT INTO s VALUES {rows}")
    plain.execute(f"INSERT INTO s VALUES {rows}")
    return plain


def cells_of(ap: apiary.Apiary, statement: str) -> tuple[int, int]:
    plan = json.loads(ap.sql(f"EXPLAIN (FORMAT JSON) {statement}").fetchall()[0][0])
    (frame,) = [f for f in plan["frames"] if f["frame"] == "t"]
    return frame["cells_kept"], frame["cells"]


def state(found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(found, key=repr)


@pytest.mark.parametrize("partitioned", [False, True])
@pytest.mark.parametrize("source", SOURCES)
def test_merges_against_duckdb(ap: apiary.Apiary, source: str, partitioned: bool) -> None:
    draw = seeded("merge keys")
    plain = make(ap, draw, partitioned)
    for _ in range(20 if SOAK else 4):
        clause, condition = draw.choice(CLAUSES), draw.choice(CONDITIONS)
        name = SOURCES[source]
        head = f"MERGE INTO t USING {source} ON {condition.format(s=name)} "
        if partitioned:
            clause = clause.replace("(id, v) VALUES (", "(p, id, v) VALUES (1, ")
        merge = head + clause.format(s=name)
        kept, cells = cells_of(ap, merge)
        if source in ("s", "w.b.s AS x", '"s" x') and "BY SOURCE" not in merge and cells >= 8:
            assert kept < cells, merge
        ap.sql(merge)
        plain.execute(merge.replace("w.b.s", "s"))
        mine, theirs = (state(c.fetchall()) for c in (ap.sql("FROM t"), plain.execute("FROM t")))
        assert mine == theirs, merge


def test_a_frame_merged_with_itself(ap: apiary.Apiary) -> None:
    plain = make(ap, seeded("merge keys"), False)
    merge = "MERGE INTO t USING t AS s ON t.id = s.id + 100 WHEN MATCHED THEN UPDATE SET v = s.id"
    ap.sql(merge)
    plain.execute(merge)
    assert state(ap.sql("FROM t").fetchall()) == state(plain.execute("FROM t").fetchall())


def test_a_key_that_comes_where_nothing_was_read_is_a_conflict(ap: apiary.Apiary) -> None:
    make(ap, seeded("merge keys"), False)
    merge = """MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = -1
        WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.v)"""
    (key,) = ap.sql("SELECT id FROM s WHERE id >= 5000").fetchall()[0]
    kept, cells = cells_of(ap, merge)
    assert kept < cells
    with ap.session() as session:
        session.sql("USE w.b")
        session.sql("BEGIN")
        session.sql(merge)
        ap.sql(f"INSERT INTO t VALUES ({key}, 7, 1)")  # would be matched now
        with pytest.raises(apiary.Conflict):
            session.sql("COMMIT")
    assert ap.sql(f"SELECT v FROM t WHERE id = {key}").fetchall() == [(7,)]
