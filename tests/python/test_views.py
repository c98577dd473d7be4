# SPDX-License-Identifier: Apache-2.0
"""Views, and other names for everything that has one.

Method: small frames; answers written down here, or asked of the query that the view stands for.
"""

from __future__ import annotations

from typing import Any

import apiary
import pytest
from apiary import Apiary


@pytest.fixture
def orders(ap: Apiary) -> apiary.Frame:
    """Version 0 is empty; each of the next three adds a row."""
    box = ap.create_hive("w").create_box("b")
    frame = box.create_frame("orders", {"id": "int64", "k": "string", "amount": "float64"})
    for number, word in enumerate(["x", "y", "x"], 1):
        frame.write({"id": [number], "k": [word], "amount": [number * 1.5]})
    ap.sql("USE w.b")
    return frame


def rows(ap: Apiary, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    return ap.sql(sql, parameters).fetchall() if parameters else ap.sql(sql).fetchall()


# ------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM orders",
        "FROM orders",
        "FROM b.orders -- all\n",
        "SELECT id, k AS word, amount * 2 AS twice FROM w.b.orders WHERE id > 1",
        "SELECT k, sum(amount) AS total, count(*) AS n FROM orders GROUP BY k",
        "WITH old AS (FROM orders VERSION AS OF 1) SELECT o.id FROM orders o ANTI JOIN old"
        " USING (id)",
        "SELECT a.id, b.id FROM orders a JOIN orders VERSION AS OF 2 AS b ON a.id >= b.id",
        "SELECT id FROM orders UNION ALL SELECT 9",
        "SELECT id, row_number() OVER (PARTITION BY k ORDER BY id) AS n FROM orders QUALIFY n = 1",
        "VALUES (1, 'a'), (2, 'b')",
        "SELECT * FROM range(3) AS r(n), orders WHERE n = id",
        "SELECT 1 AS a, 2 AS \"b c\", [1, 2] AS l, {'x': 1} AS s, TIMESTAMP '2026-01-31' AS t",
        "PIVOT orders ON k IN ('x', 'y') USING sum(amount) GROUP BY id",
        "SUMMARIZE orders",
        "(SELECT id FROM orders ORDER BY id DESC LIMIT 1)",
    ],
)
def test_a_view_is_its_query(ap: Apiary, orders: apiary.Frame, query: str) -> None:
    ap.sql(f"CREATE VIEW v AS {query}")
    expected = ap.sql(f"SELECT * FROM ({query}\n) ORDER BY ALL").to_arrow()
    found = ap.sql("SELECT * FROM v ORDER BY ALL").to_arrow()
    assert found.equals(expected)
    ap.sql("USE HIVE w")
    for name in ["b.v", "w.b.v", "B.V", '"w"."b"."v"']:
        assert ap.sql(f"SELECT * FROM {name} ORDER BY ALL").to_arrow().equals(expected)
    assert rows(ap, "SELECT count(*) FROM b.v AS x JOIN b.v AS y ON true") == [
        (expected.num_rows**2,)
    ]


def test_names_in_a_view_are_those_of_its_creation(ap: Apiary, orders: apiary.Frame) -> None:
    ap.sql("CREATE VIEW v AS SELECT count(*) AS n FROM orders")
    ap.sql("CREATE BOX w.other; CREATE FRAME w.other.orders (id int64); USE w.other")
    assert rows(ap, "SELECT n FROM b.v") == [(3,)]
    assert rows(
        ap, "WITH orders AS (SELECT 1) SELECT n, (SELECT count(*) FROM orders) FROM b.v"
    ) == [(3, 1)]
    ap.sql("CREATE VIEW v AS SELECT count(*) AS n FROM orders")
    assert rows(ap, "SELECT a.n, b.n FROM v AS a, b.v AS b") == [(0, 3)]


def test_views_of_views(ap: Apiary, orders: apiary.Frame) -> None:
    ap.sql("CREATE VIEW one AS FROM orders WHERE id > 1")
    ap.sql("CREATE VIEW two (number, word) AS SELECT id, k FROM one")
    ap.sql("CREATE VIEW three AS SELECT a.number FROM two a JOIN one b ON a.number = b.id")
    assert sorted(rows(ap, "FROM three")) == [(2,), (3,)]
    assert rows(ap, "SELECT t.number FROM two t WHERE word = 'y'") == [(2,)]
    assert rows(ap, "SELECT x.a FROM two AS x(a, b) WHERE b = 'y'") == [(2,)]
    assert rows(ap, "SELECT count(*) FROM two TABLESAMPLE 100%") == [(2,)]
    assert rows(ap, "DESCRIBE SELECT * FROM two") == rows(
        ap, "DESCRIBE SELECT id AS number, k AS word FROM orders"
    )
    ap.sql("CREATE OR REPLACE VIEW one AS FROM orders WHERE id > 2")
    assert rows(ap, "FROM three") == [(3,)]


def test_parameters_beside_views(ap: Apiary, orders: apiary.Frame) -> None:
    ap.sql("CREATE VIEW v AS FROM orders")
    assert rows(ap, "SELECT id, ? FROM v WHERE k = ? AND id > ?", [7, "x", 1]) == [(3, 7)]
    assert rows(ap, "SELECT id FROM v WHERE k = $k", {"k": "y"}) == [(2,)]
    assert rows(ap, "SELECT count(*), $2 FROM v, orders VERSION AS OF $1", [2, "a"]) == [(6, "a")]


def test_pruning_goes_into_a_view(
    tmp_path: Any, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APIARY_TIMING", "1")
    with Apiary("one", storage=str(tmp_path)) as ap:
        frame = ap.create_hive("w").create_box("b").create_frame("orders", {"id": "int64"})
        for number in range(1, 4):
            frame.write({"id": [number]})
        ap.sql("USE w.b; CREATE VIEW v AS SELECT id FROM orders WHERE id > 2")
        capfd.readouterr()
        assert rows(ap, "SELECT id FROM v") == [(3,)]
        assert "cells 1 of 3" in capfd.readouterr().err


def test_a_view_in_the_past(ap: Apiary, orders: apiary.Frame) -> None:
    ap.sql("CREATE VIEW one AS FROM orders")
    ap.sql("CREATE VIEW v AS SELECT count(*) AS n, max(x.id) AS most FROM one, orders AS x")
    second = next(entry["timestamp"] for entry in orders.history() if entry["version"] == 2)
    assert rows(ap, "FROM v TIMESTAMP AS OF now()") == [(9, 3)]
    assert rows(ap, f"FROM v TIMESTAMP AS OF '{second}'") == [(4, 2)]
    assert rows(ap, "SELECT n FROM v TIMESTAMP AS OF $1 AS x", [str(second)]) == [(4,)]
    with pytest.raises(apiary.Unsupported, match=r"w\.b\.v is a view, which has no versions"):
        rows(ap, "FROM v VERSION AS OF 1")


# ------------------------------------------------------------------------------------ changing


def test_what_becomes_of_a_view(ap: Apiary, orders: apiary.Frame) -> None:
    ap.sql("CREATE VIEW v AS FROM orders")
    with pytest.raises(apiary.AlreadyExists, match=r"view w\.b\.v exists already"):
        ap.sql("CREATE VIEW v AS SELECT 1")
    ap.sql("CREATE VIEW IF NOT EXISTS v AS SELECT 1")
    assert rows(ap, "SELECT count(*) FROM v") == [(3,)]
    with pytest.raises(apiary.AlreadyExists, match=r"frame w\.b\.orders exists already"):
        ap.sql("CREATE OR REPLACE VIEW orders AS SELECT 1 AS one")
    with pytest.raises(apiary.ApiaryError, match=r"w\.b\.v is a view, not a frame"):
        ap.sql("CREATE FRAME v (a int64)")
    with pytest.raises(apiary.ApiaryError, match="is a view, not a frame"):
        ap.sql("DROP FRAME v")
    with pytest.raises(apiary.ApiaryError, match="is a frame, not a view"):
        ap.sql("DROP VIEW orders")
    ap.sql("CREATE OR REPLACE VIEW v AS SELECT 7 AS seven")
    assert rows(ap, "FROM v") == [(7,)]
    ap.sql("DROP VIEW v")
    ap.sql("DROP VIEW IF EXISTS v")
    with pytest.raises(apiary.NotFound, match=r"view w\.b\.v does not exist"):
        ap.sql("DROP VIEW v")
    with pytest.raises(apiary.NotFound, match=r"w\.b\.v"):
        ap.sql("FROM v")


def test_a_view_outlives_its_frames(ap: Apiary, orders: apiary.Frame) -> None:
    ap.sql("CREATE VIEW v AS FROM orders; CREATE VIEW outer_view AS SELECT id FROM v")
    ap.sql("DROP FRAME orders")
    for name in ["v", "outer_view"]:
        with pytest.raises(apiary.NotFound) as caught:
            ap.sql(f"FROM {name}")
        assert "view w.b.v reads w.b.orders, which does not exist" in str(caught.value)
    ap.sql("CREATE FRAME orders (id int64, k string, amount float64, late date)")
    assert ap.sql("FROM v").to_arrow().column_names == ["id", "k", "amount"]
    ap.sql("DROP FRAME orders; CREATE FRAME orders (id int64)")
    with pytest.raises(apiary.ApiaryError, match='"k"'):
        ap.sql("FROM v")
    assert rows(ap, "SHOW VIEWS") == [("outer_view",), ("v",)]
    ap.sql("DROP BOX w.b CASCADE")
    assert rows(ap, "SHOW VIEWS IN w") == []


def test_a_view_cannot_read_itself(ap: Apiary, orders: apiary.Frame) -> None:
    ap.sql("CREATE VIEW a AS SELECT 1 AS x; CREATE VIEW b AS FROM a; CREATE VIEW c AS FROM b")
    for query in [
        "FROM a",
        "FROM b",
        "SELECT c.x FROM c, orders",
        "SELECT (SELECT x FROM w.b.c) AS x",
    ]:
        with pytest.raises(apiary.ApiaryError, match=r"view w\.b\.a reads itself"):
            ap.sql(f"CREATE OR REPLACE VIEW a AS {query}")
    assert rows(ap, "FROM c") == [(1,)]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("CREATE VIEW v AS SELECT nothing FROM orders", "nothing"),
        ("CREATE VIEW v AS SELECT * FROM nowhere", "nowhere"),
        ("CREATE VIEW v AS SELECT id FROM orders WHERE id = $1", "a view with parameters"),
        ("CREATE VIEW v AS SELECT id FROM orders WHERE id = ?", "a view with parameters"),
        ("CREATE VIEW v (a, b) AS SELECT id FROM orders", "2 names for the 1 columns"),
        ("CREATE VIEW v (a, A) AS SELECT id, k FROM orders", "'A' stands in the view twice"),
        ("CREATE VIEW v AS SELECT id FROM orders WHERE", "syntax error"),
        ("CREATE VIEW v AS DROP FRAME orders", "expected a query behind AS"),
        ("CREATE VIEW v AS PIVOT orders ON k USING sum(amount)", "PIVOT|[Pp]ivot"),
        ("CREATE VIEW nowhere.v AS SELECT 1", "box w.nowhere does not exist"),
        ("CREATE TEMP VIEW v AS SELECT 1", "TEMP"),
        ("CREATE OR REPLACE VIEW IF NOT EXISTS v AS SELECT 1", "exclude each other"),
    ],
)
def test_views_that_cannot_be(
    ap: Apiary, orders: apiary.Frame, statement: str, message: str
) -> None:
    with pytest.raises(apiary.ApiaryError, match=message):
        ap.sql(statement)
    assert rows(ap, "SHOW VIEWS") == []


def test_a_view_is_nothing_to_write(ap: Apiary, orders: apiary.Frame) -> None:
    ap.sql("CREATE VIEW v AS FROM orders")
    with pytest.raises(apiary.ApiaryError, match="is a view, not a frame"):
        ap.write_to_frame("w", "b", "v", {"id": [1]})


def test_telling_of_views(ap: Apiary, orders: apiary.Frame) -> None:
    ap.sql("CREATE VIEW totals (k, total) AS SELECT k, sum(amount) FROM orders GROUP BY k")
    told = dict(rows(ap, "DESCRIBE totals"))
    assert told["schema"] == "k VARCHAR, total DOUBLE"
    assert told["view"] == "SELECT k, sum(amount) FROM orders GROUP BY k"
    assert (told["hive_in_use"], told["box_in_use"]) == ("w", "b")
    [(statement,)] = rows(ap, "SHOW CREATE VIEW totals")
    before = sorted(rows(ap, "FROM totals"))
    ap.sql("DROP VIEW totals")
    ap.sql(statement)
    assert sorted(rows(ap, "FROM totals")) == before
    [(statement,)] = rows(ap, "SHOW CREATE FRAME orders")
    ap.sql("DROP FRAME orders")
    ap.sql(statement)
    assert rows(ap, "SHOW CREATE TABLE orders") == [(statement,)]
    ap.sql("CREATE VIEW other AS SELECT 1 AS a")
    assert rows(ap, "SHOW VIEWS") == [("other",), ("totals",)]
    assert rows(ap, "SHOW VIEWS IN w.b LIKE 't%'") == [("totals",)]
    assert rows(ap, "SHOW FRAMES") == [("orders",)]


# ------------------------------------------------------------------------------------ renaming


def test_other_names(ap: Apiary, orders: apiary.Frame) -> None:
    ap.sql("CREATE VIEW v AS SELECT count(*) AS n FROM orders")
    ap.sql("ALTER FRAME orders RENAME TO sales")
    assert rows(ap, "SELECT count(*) FROM sales") == [(3,)]
    with pytest.raises(apiary.NotFound, match=r"view w\.b\.v reads w\.b\.orders"):
        ap.sql("FROM v")
    ap.sql("RENAME TABLE sales TO orders; ALTER VIEW v RENAME TO counted")
    assert rows(ap, "FROM counted") == [(3,)]
    ap.sql("CREATE BOX w.archive; ALTER TABLE orders RENAME TO archive.old")
    assert rows(ap, "SELECT count(*) FROM archive.old") == [(3,)]
    ap.sql("CREATE HIVE h2; CREATE BOX h2.b2; ALTER FRAME archive.old RENAME TO h2.b2.Old")
    assert rows(ap, "SELECT count(*) FROM h2.b2.old VERSION AS OF 1") == [(1,)]
    assert rows(ap, "SHOW FRAMES IN h2.b2") == [("Old",)]
    ap.sql("ALTER FRAME h2.b2.old RENAME TO w.b.orders; ALTER VIEW counted RENAME TO h2.b2.counted")
    assert rows(ap, "FROM h2.b2.counted") == [(3,)]
    ap.sql("ALTER BOX b RENAME TO c; ALTER HIVE w RENAME TO x")
    assert rows(ap, "SELECT count(*) FROM orders") == [(3,)], "the session goes on using the box"
    assert rows(ap, "SHOW BOXES") == [("archive",), ("c",)]
    ap.sql("ALTER SCHEMA x.c RENAME TO x.d; RENAME DATABASE x TO y")
    assert rows(ap, "SHOW FRAMES IN y.d") == [("orders",)]


def test_names_that_cannot_be(ap: Apiary, orders: apiary.Frame) -> None:
    ap.sql("CREATE VIEW v AS FROM orders; CREATE BOX w.c; CREATE FRAME w.c.orders (a int64)")
    for statement, message in [
        ("ALTER FRAME orders RENAME TO v", "view w.b.v exists already"),
        ("ALTER VIEW v RENAME TO orders", "frame w.b.orders exists already"),
        ("ALTER FRAME orders RENAME TO c.orders", "frame w.c.orders exists already"),
        ("ALTER FRAME orders RENAME TO nowhere.orders", "box w.nowhere does not exist"),
        ("ALTER FRAME v RENAME TO x", "is a view, not a frame"),
        ("ALTER VIEW orders RENAME TO x", "is a frame, not a view"),
        ("ALTER FRAME missing RENAME TO x", "w.b.missing does not exist"),
        ("ALTER BOX b RENAME TO other.b", "a box cannot leave its hive"),
        ("ALTER BOX b RENAME TO c", "box w.c exists already"),
        ("ALTER HIVE w RENAME TO w.x", "expected a name of one part"),
        ('ALTER FRAME orders RENAME TO "a/b"', "a/b"),
        ("ALTER VIEW v RENAME x", "expected TO, found x"),
        ("RENAME FRAME orders x", "expected TO"),
        ("ALTER ODER x", "expected HIVE, BOX, FRAME or VIEW"),
    ]:
        with pytest.raises(apiary.ApiaryError) as caught:
            ap.sql(statement)
        assert message in str(caught.value), statement
    assert rows(ap, "SELECT count(*) FROM v") == [(3,)]


def test_views_survive_a_restart_and_a_checkpoint(tmp_path: Any) -> None:
    with Apiary("one", storage=str(tmp_path)) as first:
        first.sql("CREATE HIVE h; CREATE BOX h.b; USE h.b; CREATE VIEW v AS SELECT 42 AS answer")
        for number in range(120):
            first.sql(
                f"CREATE FRAME f{number} (a int64)" if number % 2 else f"CREATE BOX h.b{number}"
            )
    with Apiary("two", storage=str(tmp_path)) as second:
        assert rows(second, "FROM h.b.v") == [(42,)]
        assert rows(second, "SHOW VIEWS IN h.b") == [("v",)]
