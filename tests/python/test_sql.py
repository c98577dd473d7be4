# SPDX-License-Identifier: Apache-2.0
"""SQL over frames where the engine's own text or tree is not enough: the past, and PIVOT.

Method: small frames whose versions are known; answers written down here.
"""

from __future__ import annotations

import datetime

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


# ------------------------------------------------------------------------------------ the past


@pytest.mark.parametrize("name", ["orders", "b.orders", "w.b.orders", '"Orders"'])
def test_a_version_of_a_frame(ap: Apiary, orders: apiary.Frame, name: str) -> None:
    for version in range(4):
        rows = ap.sql(f"SELECT count(*) FROM {name} AT (VERSION => {version})").fetchall()
        assert rows == [(version,)]


def test_the_alias_stands_before_or_behind_at(ap: Apiary, orders: apiary.Frame) -> None:
    ask = "SELECT o.id FROM orders AS o AT (VERSION => 1)"
    assert ap.sql(ask).fetchall() == [(1,)]
    assert ap.sql(ask.replace(" AS ", " ")).fetchall() == [(1,)]
    behind = "SELECT o.id FROM orders AT (VERSION => 1) AS o"
    assert ap.sql(behind).fetchall() == [(1,)]
    assert ap.sql(behind.replace(" AS ", " ")).fetchall() == [(1,)]


def test_a_frame_beside_its_own_past(ap: Apiary, orders: apiary.Frame) -> None:
    new = ap.sql(
        "SELECT n.id FROM orders AS n ANTI JOIN orders AS o AT (VERSION => 1) USING (id) ORDER BY 1"
    )
    assert new.fetchall() == [(2,), (3,)]
    both = ap.sql(
        "SELECT a.id, b.id, c.id FROM orders AS a AT (VERSION => 1)"
        " FULL JOIN orders AS b AT (VERSION => 2) ON a.id = b.id"
        " FULL JOIN orders AS c ON b.id = c.id ORDER BY c.id"
    )
    assert both.fetchall() == [(1, 1, 1), (None, 2, 2), (None, None, 3)]
    counts = ap.sql(
        "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM orders AT (VERSION => 2)),"
        " (SELECT count(*) FROM orders AT (VERSION => 2) WHERE k = 'y')"
    )
    assert counts.fetchall() == [(3, 2, 1)]
    past = ap.sql(
        "WITH old AS (SELECT * FROM orders AT (VERSION => 1)) SELECT * FROM old EXCEPT FROM orders"
    )
    assert past.fetchall() == []


def test_conditions_prune_each_version_by_itself(ap: Apiary, orders: apiary.Frame) -> None:
    rows = ap.sql(
        "SELECT n.id, o.id FROM orders n, orders o AT (VERSION => 3) WHERE n.id = 3 AND o.id < 3"
        " ORDER BY ALL"
    )
    assert rows.fetchall() == [(3, 1), (3, 2)]


def test_a_moment_of_a_frame(ap: Apiary, orders: apiary.Frame) -> None:
    history = {row["version"]: row["timestamp"] for row in orders.history()}
    moment = history[2]
    ask = f"SELECT count(*) FROM orders AT (TIMESTAMP => '{moment}')"
    # Versions may share a millisecond; then the latest of them counts.
    last = max(version for version, then in history.items() if then == history[2])
    assert ap.sql(ask).fetchall() == [(last,)]
    typed = f"SELECT count(*) FROM orders o AT (TIMESTAMP => TIMESTAMPTZ '{moment}')"
    assert ap.sql(typed).fetchall() == [(last,)]


def test_a_past_that_is_not_there(ap: Apiary, orders: apiary.Frame) -> None:
    with pytest.raises(apiary.NotFound, match=r"w\.b\.orders.*4"):
        ap.sql("SELECT * FROM orders AT (VERSION => 4)")
    with pytest.raises(apiary.ApiaryError, match=r"w\.b\.orders.*-1"):
        ap.sql("SELECT * FROM orders AT (VERSION => -1)")
    with pytest.raises(apiary.NotFound, match=r"w\.b\.orders"):
        ap.sql("SELECT * FROM orders AT (TIMESTAMP => '2001-01-01')")
    with pytest.raises(apiary.ApiaryError, match="soon"):
        ap.sql("SELECT * FROM orders AT (TIMESTAMP => 'soon')")
    with pytest.raises(apiary.InvalidArgument, match="VERSION"):
        ap.sql("SELECT * FROM orders AT (VERSION => 'one')")
    with pytest.raises(apiary.NotFound):
        ap.sql("SELECT * FROM nothing AT (VERSION => 1)")


# --------------------------------------------------------------------------------------- PIVOT


@pytest.mark.parametrize(
    "ask",
    [
        "PIVOT {} ON k USING count(*)",
        "PIVOT {} AS o ON k USING count(id)",
        "PIVOT (SELECT k FROM {} WHERE id > 0) ON k USING count(*)",
        "PIVOT (SELECT k FROM {}) ON k IN ('x', 'y') USING count(*)",
        "SELECT * FROM (PIVOT {} ON k USING count(id))",
        "WITH p AS (PIVOT {} ON k USING count(id)) SELECT x, y FROM p",
        "WITH o AS (FROM {}) PIVOT o ON k USING count(id)",
        "SELECT * FROM (SELECT k FROM {}) PIVOT (count(*) FOR k IN ('x', 'y'))",
    ],
)
@pytest.mark.parametrize("name", ["orders", "b.orders", 'w.b."ORDERS"'])
def test_pivot(ap: Apiary, orders: apiary.Frame, ask: str, name: str) -> None:
    answer = ap.sql(ask.format(name))
    rows = answer.to_pylist()
    assert sum(row["x"] for row in rows) == 2
    assert sum(row["y"] for row in rows) == 1
    orders.write({"id": [4], "k": ["z"]})  # the values are looked up anew each time
    if "'x'" not in ask and "p AS" not in ask:
        assert ap.sql(ask.format(name)).columns[-3:] == ["x", "y", "z"]


def test_pivot_after_a_query_that_pruned(ap: Apiary, orders: apiary.Frame) -> None:
    assert ap.sql("SELECT k FROM orders WHERE id = 1").fetchall() == [("x",)]
    assert ap.sql("PIVOT orders ON k USING max(id)").fetchall() == [(3, 2)]


def test_pivots_that_cannot_be(ap: Apiary, orders: apiary.Frame) -> None:
    with pytest.raises(apiary.Unsupported, match="IN") as caught:
        ap.sql("PIVOT orders ON k USING sum(id + (SELECT max(id) FROM orders))")
    assert "PIVOT t ON c IN" in caught.value.hint
    with pytest.raises(apiary.Unsupported, match="AT a version"):
        ap.sql("PIVOT orders AT (VERSION => 1) ON k USING sum(id)")
    with pytest.raises(apiary.NotFound, match="nothing"):
        ap.sql("PIVOT nothing ON k USING sum(id)")
    past = ap.sql("PIVOT (FROM orders AT (VERSION => 2)) ON k IN ('x', 'y') USING count(id)")
    assert sum(row["x"] + row["y"] for row in past.to_pylist()) == 2


# ---------------------------------------------------------------- where the engine would be wrong


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("c IS DISTINCT FROM 5 OR c = 7", 30),
        ("c = 7 OR 5 IS DISTINCT FROM c", 30),
        ("NOT (c IS NOT DISTINCT FROM 5 AND c <> 7)", 30),
        ("c IS NOT DISTINCT FROM NULL OR c = 5", 40),
        ("c IS DISTINCT FROM NULL", 10),
    ],
)
def test_nulls_are_compared_right(ap: Apiary, condition: str, count: int) -> None:
    """DuckDB 1.5.5 alone loses the rows of files in which the column is null throughout."""
    frame = ap.create_hive("w").create_box("b").create_frame("t", {"c": "int64", "r": "int64"})
    frame.write({"c": [None] * 20, "r": list(range(20))})
    frame.write({"c": [None] * 10 + [5] * 10, "r": list(range(20))})
    ask = f"SELECT count(*) FROM w.b.t WHERE {condition}"
    assert ap.sql(ask).fetchall() == [(count,)]
    assert ap.sql(f"WITH x AS (FROM w.b.t) {ask.replace('w.b.t', 'x')}").fetchall() == [(count,)]
    assert ap.sql("SELECT count(*) FROM w.b.t WHERE c = 5").fetchall() == [(10,)]


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("date_trunc('month', d) <> DATE '2024-01-15'", 2),
        ("NOT (date_trunc('month', d) = DATE '2024-01-15')", 2),
        ("TRY_CAST(n AS TINYINT) < 100", 1),
        ("TRY_CAST(n AS TINYINT) <> 7", 1),
        ("5 IN (TRY_CAST(n AS TINYINT))", 1),
    ],
)
def test_what_gives_null_compares_to_nothing(ap: Apiary, condition: str, count: int) -> None:
    """DuckDB 1.5.5 alone moves date_trunc() and TRY_CAST to the other side, nulls or not."""
    ap.sql("CREATE HIVE w; CREATE BOX w.b; CREATE FRAME w.b.t (d date, n bigint)")
    days = [datetime.date(2024, 1, 1), None, datetime.date(2024, 2, 3)]
    ap.write_to_frame("w", "b", "t", [{"d": d, "n": n} for d, n in zip(days, [5, -1000, 1000])])
    assert ap.sql(f"SELECT count(*) FROM w.b.t WHERE {condition}").fetchall() == [(count,)]
