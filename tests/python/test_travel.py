# SPDX-License-Identifier: Apache-2.0
"""Time travel in every way it is written, wherever a frame is read.

Method: a frame whose versions are known, one row more in each; answers written down here.
"""

from __future__ import annotations

import datetime
from typing import Any

import apiary
import pytest
from apiary import Apiary


@pytest.fixture
def orders(ap: Apiary) -> apiary.Frame:
    """Version 0 is empty; each of the next three adds a row."""
    frame = (
        ap.create_hive("w").create_box("b").create_frame("orders", {"id": "int64", "k": "string"})
    )
    for number, word in enumerate(["x", "y", "x"], 1):
        frame.write({"id": [number], "k": [word]})
    ap.sql("USE w.b")
    return frame


def rows(ap: Apiary, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    return ap.sql(sql, parameters).fetchall() if parameters else ap.sql(sql).fetchall()


@pytest.mark.parametrize(
    "clause",
    [
        "VERSION AS OF {}",
        "version  as of {}",
        "FOR VERSION AS OF {}",
        "FOR SYSTEM_VERSION AS OF {}",
        "AS OF VERSION {}",
        "AT (VERSION => {})",
        "VERSION AS OF '{}'",
        "VERSION AS OF ({})",
        "VERSION AS OF ({} + 1 - 1)",
        "VERSION /* the one */ AS\nOF {} -- that is it\n",
    ],
)
@pytest.mark.parametrize("name", ["orders", "b.orders", "w.b.orders", '"Orders"'])
def test_versions(ap: Apiary, orders: apiary.Frame, clause: str, name: str) -> None:
    for version in range(4):
        ask = f"SELECT count(*) FROM {name} {clause.format(version)} WHERE id > 0"
        assert rows(ap, ask) == [(version,)]


@pytest.mark.parametrize(
    "table",
    [
        "orders VERSION AS OF 2 AS o",
        "orders VERSION AS OF 2 o",
        'orders VERSION AS OF 2 "o"',
        "orders AS o VERSION AS OF 2",
        "orders o VERSION AS OF 2",
        "orders o FOR VERSION AS OF 2",
        "orders o AS OF VERSION 2",
        "orders VERSION AS OF 2 AS o(id, word)",
        "orders AS o(id, word) VERSION AS OF 2",
        "orders AT (VERSION => 2) AS o",
        "orders AT (VERSION => 2) o",
        "orders AT(VERSION=>2)o",
        "orders AT (VERSION => (1 + 1)) AS o(id, word)",
        "orders AS o AT (VERSION => 2)",
    ],
)
def test_aliases_stand_on_either_side(ap: Apiary, orders: apiary.Frame, table: str) -> None:
    assert rows(ap, f"SELECT max(o.id) FROM {table}") == [(2,)]
    assert rows(ap, f"SELECT max(o.id) FROM {table}, orders p WHERE p.id = o.id") == [(2,)]


def test_a_frame_beside_its_pasts(ap: Apiary, orders: apiary.Frame) -> None:
    found = rows(
        ap,
        "SELECT a.id, b.id, c.id FROM orders VERSION AS OF 1 AS a"
        " FULL JOIN orders VERSION AS OF 2 b ON a.id = b.id FULL JOIN orders c ON b.id = c.id"
        " ORDER BY c.id",
    )
    assert found == [(1, 1, 1), (None, 2, 2), (None, None, 3)]
    found = rows(
        ap,
        "WITH old AS (FROM orders VERSION AS OF 1) SELECT (SELECT count(*) FROM old),"
        " (SELECT count(*) FROM orders VERSION AS OF 2 WHERE k = 'y'),"
        " EXISTS (FROM orders VERSION AS OF 0), count(*) FROM orders"
        " WHERE id NOT IN (SELECT id FROM orders VERSION AS OF 1)",
    )
    assert found == [(1, 1, False, 2)]
    found = rows(ap, "FROM orders VERSION AS OF 1 UNION ALL FROM orders VERSION AS OF 2")
    assert sorted(found) == [(1, "x"), (1, "x"), (2, "y")]


def test_words_stay_names(ap: Apiary, orders: apiary.Frame) -> None:
    ap.sql("CREATE FRAME version (version int64, timestamp timestamp, system_time int64)")
    assert rows(ap, "SELECT version AS of FROM version") == []
    assert rows(ap, "SELECT count(version) AS of FROM version AS of") == [(0,)]
    assert rows(ap, "SELECT of.timestamp AS of FROM version of VERSION AS OF 0") == []
    assert rows(ap, "SELECT count(*) FROM version version VERSION AS OF 0") == [(0,)]
    assert rows(ap, "SELECT 'f VERSION AS OF 3', 1 AS \"f VERSION AS OF 3\"") == [
        ("f VERSION AS OF 3", 1)
    ]


@pytest.mark.parametrize(
    "clause", ["TIMESTAMP AS OF", "FOR TIMESTAMP AS OF", "FOR SYSTEM_TIME AS OF", "AS OF TIMESTAMP"]
)
def test_timestamps(ap: Apiary, orders: apiary.Frame, clause: str) -> None:
    def count(moment: str, parameters: Any = None) -> Any:
        return rows(ap, f"SELECT count(*) FROM orders {clause} {moment}", parameters)[0][0]

    assert count("now()") == 3
    assert count("current_timestamp AS now") == 3
    assert count("now() - INTERVAL 0 DAY") == 3
    assert count("(now() - INTERVAL '0 hours')") == 3
    now = datetime.datetime.now(datetime.timezone.utc)
    assert count(f"'{now.isoformat()}'") == 3
    assert count(f"TIMESTAMP '{now.replace(tzinfo=None)}' x") == 3
    assert count("$1", [now]) == 3
    assert count("?", [now.isoformat()]) == 3
    ahead = now.astimezone(datetime.timezone(datetime.timedelta(hours=9)))
    assert count(f"'{ahead.isoformat()}'") == 3
    with pytest.raises(apiary.NotFound, match=r"w\.b\.orders"):
        count("now() - INTERVAL 1 DAY")
    assert count("now() + INTERVAL 1 DAY") == 3
    with pytest.raises(apiary.ApiaryError, match="is not a timestamp"):
        count("'yesterday'")
    with pytest.raises(apiary.ApiaryError, match="null"):
        count("NULL::timestamp")
    with pytest.raises(apiary.ApiaryError, match="subquery"):
        count("(SELECT now())")


def test_parameters(ap: Apiary, orders: apiary.Frame) -> None:
    ask = "SELECT count(*) FROM orders VERSION AS OF $1"
    for version in range(4):
        assert rows(ap, ask, [version]) == [(version,)]
    both = "SELECT max(id), $2 FROM orders VERSION AS OF $1 WHERE id < $2 + $1"
    assert rows(ap, both, [2, 1]) == [(2, 1)]
    assert rows(ap, "SELECT ?, count(*) FROM orders VERSION AS OF ? WHERE id < ?", [9, 3, 3]) == [
        (9, 2)
    ]
    named = "SELECT count(*) FROM orders VERSION AS OF $v WHERE id < $most"
    assert rows(ap, named, {"v": 3, "most": 3}) == [(2,)]
    with pytest.raises(apiary.ApiaryError, match="'two' is no whole number"):
        rows(ap, ask, ["two"])
    with pytest.raises(apiary.ApiaryError, match="has no version 4; there are 0 to 3"):
        rows(ap, ask, [4])
    with pytest.raises(apiary.ApiaryError, match=r"no parameter \$2"):
        rows(ap, ask, [1, 2])


def test_versions_that_are_none(ap: Apiary, orders: apiary.Frame) -> None:
    for version, message in [
        ("4", "w.b.orders.* has no version 4; there are 0 to 3"),
        ("-1", "version -1 is negative"),
        ("(1.5 + 1)", "'2.5' is no whole number"),
        ("'three'", "'three' is no whole number"),
    ]:
        with pytest.raises(apiary.ApiaryError, match=message):
            rows(ap, f"FROM orders VERSION AS OF {version}")
    for wrong in ["FOR VERSION AS OF", "FOR SYSTEM_TIME AS OF WHERE true"]:
        with pytest.raises(apiary.SqlSyntaxError, match=r"line 1, column \d+: expected a"):
            rows(ap, f"FROM orders {wrong}")


def test_errors_point_into_the_users_text(ap: Apiary, orders: apiary.Frame) -> None:
    sql = "SELECT * FROM orders VERSION AS OF 1 AS o WHERE o.id = = 3"
    with pytest.raises(apiary.SqlSyntaxError) as caught:
        rows(ap, sql)
    assert f"(at byte {sql.index('= 3')} of the statement)" in str(caught.value)


# ------------------------------------------------------------------------------------- RESTORE


def test_restore(ap: Apiary, orders: apiary.Frame) -> None:
    second = next(entry["timestamp"] for entry in orders.history() if entry["version"] == 2)
    assert rows(ap, "RESTORE FRAME orders TO VERSION AS OF 1")[0][:4] == (4, 1, 2, 0)
    assert rows(ap, "FROM orders") == [(1, "x")]
    assert rows(ap, f"RESTORE TABLE b.orders TO TIMESTAMP AS OF '{second}'")[0][:4] == (5, 2, 0, 1)
    assert sorted(rows(ap, "FROM orders")) == [(1, "x"), (2, "y")]
    assert rows(ap, "RESTORE orders TO VERSION AS OF 5")[0][:4] == (5, 5, 0, 0), "nothing to do"
    ap.sql("RESTORE orders TO VERSION AS OF 0")
    assert rows(ap, "SELECT count(*) FROM orders") == [(0,)]
    ap.sql("RESTORE orders TO VERSION AS OF 3")
    assert sorted(rows(ap, "FROM orders")) == [(1, "x"), (2, "y"), (3, "x")]
    newest = orders.history()[0]
    assert (newest["version"], newest["operation"]) == (7, "RESTORE")
    for version, count in enumerate([0, 1, 2, 3, 1, 2, 0, 3]):
        assert rows(ap, f"SELECT count(*) FROM orders VERSION AS OF {version}") == [(count,)]


def test_others_read_what_was_restored(ap: Apiary, orders: apiary.Frame) -> None:
    deltalake = pytest.importorskip("deltalake")
    ap.sql("RESTORE orders TO VERSION AS OF 1; RESTORE orders TO VERSION AS OF 2")
    location = dict(rows(ap, "DESCRIBE orders"))["location"]
    table = deltalake.DeltaTable(location)
    assert table.version() == 5
    assert sorted(table.to_pyarrow_table().column("id").to_pylist()) == [1, 2]
    newest = table.history(1)[0]
    assert newest["operation"] == "RESTORE"
    assert newest["operationParameters"]["version"] == "2"
    assert int(newest["operationMetrics"]["numRestoredFiles"]) == 1


def test_a_restore_brings_no_rows_that_rules_forbid(ap: Apiary, orders: apiary.Frame) -> None:
    ap.sql("CREATE FRAME n (id BIGINT, x VARCHAR, s STRUCT(y BIGINT))")
    ap.sql("INSERT INTO n VALUES (1, NULL, {'y': NULL}); DELETE FROM n")
    ap.sql("ALTER FRAME n ALTER COLUMN x SET NOT NULL")
    with pytest.raises(apiary.errors.Unsupported, match="rules of the columns have changed"):
        ap.sql("RESTORE n TO VERSION AS OF 1")
    assert rows(ap, "FROM n") == []
    ap.sql("INSERT INTO n VALUES (2, 'x', NULL); DELETE FROM n; RESTORE n TO VERSION AS OF 4")
    assert rows(ap, "FROM n") == [(2, "x", None)]
    ap.sql("ALTER FRAME n ALTER COLUMN x DROP NOT NULL; DELETE FROM n")
    ap.sql("RESTORE n TO VERSION AS OF 4")
    assert rows(ap, "FROM n") == [(2, "x", None)], "a rule that went holds nothing back"


def test_restores_that_fail(ap: Apiary, orders: apiary.Frame) -> None:
    from pathlib import Path

    location = Path(dict(rows(ap, "DESCRIBE orders"))["location"])
    ap.sql("CREATE VIEW v AS FROM orders; RESTORE orders TO VERSION AS OF 0")
    for cell in location.glob("*.parquet"):
        cell.unlink()
    for statement, message in [
        ("RESTORE orders TO VERSION AS OF 2", "which is no longer there"),
        ("RESTORE orders TO VERSION AS OF 9", "there are 0 to 4"),
        ("RESTORE orders TO TIMESTAMP AS OF 'soon'", "is not a timestamp"),
        ("RESTORE v TO VERSION AS OF 1", "is a view"),
        ("RESTORE nothing TO VERSION AS OF 1", "w.b.nothing does not exist"),
        ("RESTORE orders TO 3", "expected VERSION or TIMESTAMP"),
        ("RESTORE orders", "expected TO"),
    ]:
        with pytest.raises(apiary.ApiaryError) as caught:
            ap.sql(statement)
        assert message in str(caught.value), statement
    assert orders.history()[0]["version"] == 4
    ap.sql("ALTER FRAME orders ADD COLUMN late date")
    with pytest.raises(apiary.Unsupported, match="the columns have changed since version 4"):
        ap.sql("RESTORE orders TO VERSION AS OF 4")
