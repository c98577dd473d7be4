# SPDX-License-Identifier: Apache-2.0
"""Rows that go by deletion vectors: DELETE, UPDATE and MERGE with delta.enableDeletionVectors.

Method: random statements, the same text to Apiary and to a DuckDB table, the rows compared after
each, what the change feed tells held against both states, and every version read again at the end;
the log is read as JSON to see that vectors were written and cells were not; deltalake reads the
frames by its own engine. Each random test prints its seed.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apiary
import duckdb
import pytest
from apiary import Apiary
from deltalake import DeltaTable, QueryBuilder
from test_dml import COLUMNS, NAMES, Statements, normal_rows

VECTORS = "'delta.enableDeletionVectors' = 'true'"
FEED = "'delta.enableChangeDataFeed' = 'true'"


@pytest.fixture
def t(ap: Apiary) -> apiary.Frame:
    """A frame of one cell of 1,000 rows, in use."""
    ap.create_hive("w").create_box("b")
    ap.sql("USE w.b")
    ap.sql(f"CREATE FRAME t (id int64, k string, v float64) TBLPROPERTIES ({VECTORS})")
    ap.sql("INSERT INTO t SELECT i, 'w' || i % 7, i FROM range(1000) r(i)")
    return ap.hive("w").box("b").frame("t")


def folder_of(frame: apiary.Frame) -> Path:
    return Path(frame.describe()["location"])


def actions(frame: apiary.Frame, version: int, kind: str) -> list[dict[str, Any]]:
    path = folder_of(frame) / "_delta_log" / f"{version:020}.json"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line[kind] for line in lines if kind in line]


def vectors(frame: apiary.Frame, version: int) -> list[dict[str, Any]]:
    return [a["deletionVector"] for a in actions(frame, version, "add") if a.get("deletionVector")]


def ids(ap: Apiary, tail: str = "") -> list[int]:
    return [row[0] for row in ap.sql(f"SELECT id FROM t {tail} ORDER BY id").fetchall()]


def check_ok(ap: Apiary) -> None:
    (row,) = ap.sql("CHECK FRAME t").to_pylist()
    assert row["severity"] == "ok", row


def by_deltalake(frame: apiary.Frame) -> list[tuple[Any, ...]]:
    table = DeltaTable(str(folder_of(frame)))
    found = QueryBuilder().register("t", table).execute("SELECT * FROM t")
    reader = duckdb.connect().from_arrow(found.read_all())
    names = [f'"{name}"' for name in reader.columns]
    return reader.select(*names).fetchall()


# ---- what is written -----------------------------------------------------------------------------


def test_a_delete_writes_a_vector_and_no_cell(ap: Apiary, t: apiary.Frame) -> None:
    cells = sorted(folder_of(t).rglob("*.parquet"))
    assert ap.sql("DELETE FROM t WHERE id % 10 = 3").fetchall() == [(0, 0, 100, 2)]
    left = [i for i in range(1000) if i % 10 != 3]
    assert ids(ap) == left
    assert sorted(folder_of(t).rglob("*.parquet")) == cells
    (first,) = vectors(t, 2)
    assert first["cardinality"] == 100
    (add,) = actions(t, 2, "add")
    (remove,) = actions(t, 2, "remove")
    assert add["path"] == remove["path"]
    assert "deletionVector" not in remove and add["dataChange"] and remove["dataChange"]
    assert json.loads(add["stats"])["numRecords"] == 1000
    assert json.loads(add["stats"])["tightBounds"] is False
    metrics = actions(t, 2, "commitInfo")[0]["operationMetrics"]
    assert metrics["numDeletionVectorsAdded"] == "1" and metrics["numDeletedRows"] == "100"
    assert metrics["numCopiedRows"] == "0" and "numRemovedFiles" not in metrics

    # rows are known by their places in the file although some are gone
    assert ap.sql("DELETE FROM t WHERE id >= 900 AND id % 2 = 0").fetchall() == [(0, 0, 50, 3)]
    left = [i for i in left if i < 900 or i % 2]
    assert ids(ap) == left
    (second,) = vectors(t, 3)
    assert second["cardinality"] == 150
    assert actions(t, 3, "remove")[0]["deletionVector"] == first
    assert ap.sql("SELECT count(*), min(id), max(id) FROM t").fetchall() == [(850, 0, 999)]
    assert ids(ap, "AT (VERSION => 1)") == list(range(1000))
    assert len(ids(ap, "AT (VERSION => 2)")) == 900
    assert t.describe()["row_count"] == 850
    check_ok(ap)


def test_an_update_writes_only_the_rows_that_change(ap: Apiary, t: apiary.Frame) -> None:
    assert ap.sql("UPDATE t SET k = 'new', v = -v WHERE id >= 990").fetchall() == [(0, 10, 0, 2)]
    assert vectors(t, 2)[0]["cardinality"] == 10
    fresh = [a for a in actions(t, 2, "add") if "deletionVector" not in a]
    assert [json.loads(a["stats"])["numRecords"] for a in fresh] == [10]
    assert ap.sql("SELECT id, v FROM t WHERE k = 'new' ORDER BY id").fetchall() == [
        (i, -float(i)) for i in range(990, 1000)
    ]
    assert ids(ap) == list(range(1000))
    check_ok(ap)


def test_a_cell_mostly_gone_is_written_again(ap: Apiary, t: apiary.Frame) -> None:
    ap.sql("DELETE FROM t WHERE id < 500")
    assert vectors(t, 2)[0]["cardinality"] == 500, "half may go"
    ap.sql("DELETE FROM t WHERE id = 500")
    assert vectors(t, 3) == []
    assert [json.loads(a["stats"])["numRecords"] for a in actions(t, 3, "add")] == [499]
    assert ids(ap) == list(range(501, 1000))


def test_a_cell_of_which_no_row_stays_is_taken_away(ap: Apiary, t: apiary.Frame) -> None:
    ap.sql("DELETE FROM t WHERE id % 3 = 0")
    ap.sql("UPDATE t SET id = id + 10000")
    assert vectors(t, 3) == []
    assert len(actions(t, 3, "add")) == 1 and len(actions(t, 3, "remove")) == 1
    assert ids(ap) == [i + 10000 for i in range(1000) if i % 3]
    ap.sql("DELETE FROM t WHERE id > 10000")
    assert actions(t, 4, "add") == []
    assert ids(ap) == []
    check_ok(ap)


def test_without_the_property_cells_are_written_again(ap: Apiary, t: apiary.Frame) -> None:
    ap.sql("DELETE FROM t WHERE id = 1")
    ap.sql("ALTER FRAME t SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'false')")
    ap.sql("DELETE FROM t WHERE id = 2")
    assert vectors(t, 4) == [] and len(actions(t, 4, "add")) == 1
    assert ids(ap) == [0, *range(3, 1000)]


def test_a_transaction_marks_rows_once(ap: Apiary, t: apiary.Frame) -> None:
    ap.sql("DELETE FROM t WHERE id % 10 = 0")
    with ap.session() as session:
        session.sql("USE w.b")
        session.sql("BEGIN")
        session.sql("DELETE FROM t WHERE id % 10 = 1")
        session.sql("UPDATE t SET id = -id WHERE id % 10 = 2")
        session.sql("DELETE FROM t WHERE id % 10 = 3")
        session.sql("DELETE FROM t WHERE id IN (-12, -22)")
        session.sql("COMMIT")
    expected = sorted(
        -i if i % 10 == 2 else i
        for i in range(1000)
        if i % 10 not in {0, 1, 3} and i not in {12, 22}
    )
    assert ids(ap) == expected
    # the cell that was there lost 400 rows in all, the new one two of 100
    assert sorted(v["cardinality"] for v in vectors(t, 3)) == [2, 400]
    assert len(actions(t, 3, "add")) == 2 and len(actions(t, 3, "remove")) == 1
    named = {Path(a["path"]).name for v in (1, 3) for a in actions(t, v, "add")}
    assert {p.name for p in folder_of(t).rglob("*.parquet") if "_delta_log" not in p.parts} == named
    files = [v for v in (2, 3) for d in vectors(t, v) if d["storageType"] == "u"]
    assert len(list(folder_of(t).rglob("*.bin"))) == len(set(files)), (
        "vectors nobody needs are gone"
    )
    check_ok(ap)
    try:
        found = by_deltalake(t)
    except Exception as error:
        pytest.skip(f"this deltalake reads no deletion vectors: {error}")
    assert sorted(row[0] for row in found) == expected


def test_a_transaction_taken_back_leaves_no_vector(ap: Apiary, t: apiary.Frame) -> None:
    before = sorted(folder_of(t).rglob("*"))
    ap.sql("BEGIN; DELETE FROM t WHERE id % 3 = 0; UPDATE t SET v = 0 WHERE id % 3 = 1")
    assert sorted(folder_of(t).rglob("*")) != before
    ap.sql("ROLLBACK")
    assert sorted(folder_of(t).rglob("*")) == before
    assert ids(ap) == list(range(1000))


def test_a_failure_leaves_no_vector_behind(ap: Apiary, t: apiary.Frame) -> None:
    ap.sql("ALTER FRAME t ADD CONSTRAINT small CHECK (v < 5000)")
    before = sorted(folder_of(t).rglob("*"))
    with pytest.raises(apiary.ApiaryError, match="small"):
        ap.sql("UPDATE t SET v = v + 4900 WHERE id % 3 = 0")
    assert sorted(folder_of(t).rglob("*")) == before
    assert ids(ap) == list(range(1000))


def test_overtaken_statements_run_again_and_leave_nothing(ap: Apiary) -> None:
    seed = int(os.environ.get("AP_SEED", random.SystemRandom().randrange(2**32)))
    print(f"AP_SEED={seed}")
    ap.create_hive("w").create_box("b")
    ap.sql("USE w.b")
    ap.sql(f"CREATE FRAME t (id int64) TBLPROPERTIES ({VECTORS})")
    ap.sql("INSERT INTO t FROM range(40000)")
    keys = random.Random(seed).sample(range(40000), 16000)
    shares = [keys[at : at + 1000] for at in range(0, len(keys), 1000)]

    def delete(share: list[int]) -> int:
        text = f"DELETE FROM w.b.t WHERE id IN ({', '.join(map(str, share))})"
        return int(ap.sql(text)[0][2])

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(delete, shares)) == [1000] * len(shares)
    assert ids(ap) == sorted(set(range(40000)) - set(keys))
    frame = ap.hive("w").box("b").frame("t")
    assert frame.history()[0]["version"] == 1 + len(shares)
    written = [vector for at in range(2, 2 + len(shares)) for vector in vectors(frame, at)]
    in_files = [vector for vector in written if vector["storageType"] == "u"]
    assert len(written) == len(shares) and len(in_files) >= len(shares) - 1
    left = list(folder_of(frame).glob("deletion_vector_*.bin"))
    assert len(left) == len(in_files), "of attempts that were overtaken nothing stays"


# ---- maintenance ---------------------------------------------------------------------------------


def test_optimize_clears_vectors_and_restore_brings_them_back(ap: Apiary, t: apiary.Frame) -> None:
    ap.sql("DELETE FROM t WHERE id % 4 = 0")
    ap.sql("UPDATE t SET k = 'x' WHERE id % 50 = 1")
    ap.sql("OPTIMIZE t")
    left = [i for i in range(1000) if i % 4]
    version = t.history()[0]["version"]
    assert version == 4 and vectors(t, version) == []
    assert len(actions(t, version, "remove")) == 2
    assert ids(ap) == left
    check_ok(ap)
    ap.sql("RESTORE FRAME t TO VERSION AS OF 2")
    assert vectors(t, 5)[0]["cardinality"] == 250
    assert ids(ap) == left
    assert ap.sql("SELECT count(*) FROM t WHERE k = 'x'").fetchall() == [(0,)]
    check_ok(ap)


def test_vacuum_keeps_the_vectors_in_use(tmp_path: Path) -> None:
    gone = random.Random(7).sample(range(30000), 9000)
    with apiary.Apiary("v", tmp_path / "v") as ap:
        ap.create_hive("w").create_box("b")
        ap.sql("USE w.b")
        ap.sql(f"CREATE FRAME t (id int64) TBLPROPERTIES ({VECTORS})")
        ap.sql("INSERT INTO t FROM range(30000)")
        ap.sql(f"DELETE FROM t WHERE id IN ({', '.join(map(str, gone[:5000]))})")
        ap.sql(f"DELETE FROM t WHERE id IN ({', '.join(map(str, gone[5000:]))})")
        frame = ap.hive("w").box("b").frame("t")
        folder = folder_of(frame)
        assert vectors(frame, 2)[0]["storageType"] == vectors(frame, 3)[0]["storageType"] == "u"
    assert len(list(folder.glob("deletion_vector_*.bin"))) == 2
    then = time.time() - 10 * 86400
    for path in folder.iterdir():
        if path.is_file():
            os.utime(path, (then, then))
    for path in (folder / "_delta_log").glob("*.json"):
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for line in lines:
            if "remove" in line:
                line["remove"]["deletionTimestamp"] -= 10 * 86400 * 1000
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with apiary.Apiary("v", tmp_path / "v") as ap:
        ap.sql("USE w.b")
        (listed,) = ap.sql("VACUUM t DRY RUN").to_pylist()
        assert listed["path"].startswith("deletion_vector_")
        ap.sql("VACUUM t")
        assert len(list(folder.glob("deletion_vector_*.bin"))) == 1
        assert ids(ap) == sorted(set(range(30000)) - set(gone))
        check_ok(ap)


def test_deltalake_reads_them(ap: Apiary, t: apiary.Frame) -> None:
    ap.sql("DELETE FROM t WHERE id % 3 = 0 AND id < 900")
    ap.sql("UPDATE t SET v = 0 WHERE id % 100 = 1")
    try:
        found = by_deltalake(t)
    except Exception as error:
        pytest.skip(f"this deltalake reads no deletion vectors: {error}")
    expected = [(i, f"w{i % 7}", 0.0 if i % 100 == 1 else float(i)) for i in range(1000)]
    assert sorted(found) == [row for row in expected if row[0] % 3 or row[0] >= 900]


# ---- random --------------------------------------------------------------------------------------


def check_changes(ap: Apiary, version: int, before: list[Any], after: list[Any]) -> None:
    """What the feed tells of a version turns the one state into the other."""
    told = ap.sql(f"SHOW CHANGES IN t FROM VERSION {version} TO VERSION {version}")
    kind = told.columns.index("_change_type")
    parts: dict[str, list[Any]] = {}
    for row in told.fetchall():
        parts.setdefault(row[kind], []).append(row[: len(NAMES)])
    moved = {name: Counter(map(repr, normal_rows(rows))) for name, rows in parts.items()}
    none: Counter[str] = Counter()
    state = Counter(map(repr, before))
    for name in ("delete", "update_preimage"):
        assert not moved.get(name, none) - state, f"{name} of rows that were not there"
        state -= moved.get(name, none)
    for name in ("insert", "update_postimage"):
        state += moved.get(name, none)
    assert state == Counter(map(repr, after))


@pytest.mark.parametrize("feed", [False, True])
@pytest.mark.parametrize("partitioned", [False, True])
def test_random_statements_against_duckdb(ap: Apiary, partitioned: bool, feed: bool) -> None:
    seed = int(os.environ.get("AP_SEED", random.SystemRandom().randrange(2**32)))
    count = 300 if os.environ.get("AP_SOAK") else 30
    print(f"AP_SEED={seed}")
    statements = Statements(seed)
    ap.create_hive("w").create_box("b")
    ap.sql("USE w.b")
    properties = f"{VECTORS}, {FEED}" if feed else VECTORS
    parts = " PARTITIONED BY (g)" if partitioned else ""
    ap.sql(f"CREATE FRAME t ({COLUMNS}){parts} TBLPROPERTIES ({properties})")
    frame = ap.hive("w").box("b").frame("t")
    plain = duckdb.connect()
    plain.execute(f"CREATE TABLE t ({COLUMNS})")
    states: dict[int, list[Any]] = {0: []}
    latest = marked = 0
    fill = """INSERT INTO t SELECT i, i % 4, 'w' || i % 7, i, i, NULL, NULL, i % 3 = 0
        FROM range(60) r(i)"""
    for step in range(count):
        statement = fill if step % 10 == 0 else statements.next()
        try:
            answer = ap.sql(statement).fetchall()[0]
        except apiary.SchemaError as error:
            assert partitioned and "partition column 'g' holds nulls" in str(error)
            continue
        except apiary.InvalidArgument as error:
            assert "rows of the source match one row" in str(error)
            continue
        plain.execute(statement)
        expected = normal_rows(plain.execute("SELECT * FROM t").fetchall())
        assert normal_rows(ap.sql("SELECT * FROM t").fetchall()) == expected, statement
        assert ap.sql("SELECT count(*) FROM t").fetchall() == [(len(expected),)], statement
        if answer[3] == latest:
            continue
        if feed:
            check_changes(ap, answer[3], states[latest], expected)
        latest = answer[3]
        states[latest] = expected
        marked += len(vectors(frame, latest))
        if step == count // 2:
            frame.checkpoint()
    assert marked > 0, "no statement wrote a vector"
    for version, expected in states.items():
        asked = f"SELECT * FROM t AT (VERSION => {version})"
        assert normal_rows(ap.sql(asked).fetchall()) == expected
    check_ok(ap)
    ap.sql("OPTIMIZE t")
    assert normal_rows(ap.sql("SELECT * FROM t").fetchall()) == states[latest]
    assert not vectors(frame, frame.history()[0]["version"])
    check_ok(ap)


def data_files(frame: apiary.Frame) -> list[Path]:
    found = (p for p in folder_of(frame).rglob("*") if p.is_file())
    return sorted(p for p in found if "_delta_log" not in p.parts)


@pytest.mark.parametrize("marks", [False, True])
@pytest.mark.parametrize("partitioned", [False, True])
def test_random_transactions_against_duckdb(ap: Apiary, partitioned: bool, marks: bool) -> None:
    seed = int(os.environ.get("AP_SEED", random.SystemRandom().randrange(2**32)))
    count = 100 if os.environ.get("AP_SOAK") else 12
    print(f"AP_SEED={seed}")
    draw = random.Random(seed)
    statements = Statements(seed)
    ap.create_hive("w").create_box("b")
    ap.sql("USE w.b")
    parts = " PARTITIONED BY (g)" if partitioned else ""
    properties = VECTORS if marks else VECTORS.replace("true", "false")
    ap.sql(f"CREATE FRAME t ({COLUMNS}){parts} TBLPROPERTIES ({properties})")
    frame = ap.hive("w").box("b").frame("t")
    plain = duckdb.connect()
    plain.execute(f"CREATE TABLE t ({COLUMNS})")
    fill = """INSERT INTO t SELECT i, i % 4, 'w' || i % 7, i, i, NULL, NULL, i % 3 = 0
        FROM range(60) r(i)"""
    states: dict[int, list[Any]] = {0: []}
    for step in range(count):
        before = data_files(frame)
        ap.sql("BEGIN")
        plain.execute("BEGIN")
        for place in range(draw.randint(1, 5)):
            statement = fill if step % 4 == 0 and place == 0 else statements.next()
            try:
                ap.sql(statement)
            except apiary.SchemaError as error:
                assert partitioned and "partition column 'g' holds nulls" in str(error)
                continue
            except apiary.InvalidArgument as error:
                assert "rows of the source match one row" in str(error)
                continue
            plain.execute(statement)
            expected = normal_rows(plain.execute("SELECT * FROM t").fetchall())
            assert normal_rows(ap.sql("SELECT * FROM t").fetchall()) == expected, statement
        if draw.random() < 0.2:
            ap.sql("ROLLBACK")
            plain.execute("ROLLBACK")
            assert data_files(frame) == before
            continue
        version = ap.sql("COMMIT").fetchall()[0][3]
        plain.execute("COMMIT")
        if version is None:
            continue  # no statement of it succeeded
        states[version] = normal_rows(plain.execute("SELECT * FROM t").fetchall())
        assert sorted(states) == list(range(version + 1)), "one version each, or none"
    for version, expected in states.items():
        asked = f"SELECT * FROM t AT (VERSION => {version})"
        assert normal_rows(ap.sql(asked).fetchall()) == expected
    check_ok(ap)
