# SPDX-License-Identifier: Apache-2.0
"""Parameters: every Python value that SQL has a type for arrives as that value and type.

Method: values go through a query and come back; types are compared with what DuckDB's own Python
package says of the same value.
"""

from __future__ import annotations

import datetime
import enum
import uuid
from decimal import Decimal
from typing import Any

import apiary
import duckdb
import numpy as np
import pandas as pd
import pytest
from apiary import Apiary
from tables import COLUMNS, plain, rows, seeded
from test_refcount import stays


class Colour(enum.Enum):
    RED = "red"
    ONE = 1


class Level(enum.IntEnum):
    HIGH = 5


BERLIN = datetime.timezone(datetime.timedelta(hours=2))
NOON = datetime.datetime(2026, 7, 1, 12, 0, 0, 5)
# (parameter, what comes back, its type)
VALUES: list[tuple[Any, Any, str]] = [
    (None, None, '"NULL"'),
    (True, True, "BOOLEAN"),
    (-(2**63), -(2**63), "BIGINT"),
    (2**63, Decimal(2**63), "DECIMAL(19,0)"),
    (1.5, 1.5, "DOUBLE"),
    ("grün '\"\n", "grün '\"\n", "VARCHAR"),
    (b"\x00\xff", b"\x00\xff", "BLOB"),
    (bytearray(b"ab"), b"ab", "BLOB"),
    (memoryview(b"ab"), b"ab", "BLOB"),
    (Decimal("-1.50"), Decimal("-1.50"), "DECIMAL(3,2)"),
    (datetime.date(1, 1, 1), datetime.date(1, 1, 1), "DATE"),
    (datetime.time(23, 59, 59, 999999), datetime.time(23, 59, 59, 999999), "TIME"),
    (NOON, NOON, "TIMESTAMP"),
    (NOON.replace(tzinfo=BERLIN), NOON.replace(tzinfo=BERLIN), "TIMESTAMP WITH TIME ZONE"),
    (datetime.timedelta(days=-1, seconds=3), datetime.timedelta(days=-1, seconds=3), "INTERVAL"),
    (uuid.UUID(int=2**127 + 5), str(uuid.UUID(int=2**127 + 5)), "UUID"),
    (Colour.RED, "red", "VARCHAR"),
    (Colour.ONE, 1, "BIGINT"),
    (Level.HIGH, 5, "BIGINT"),
    ([1, None, 3], [1, None, 3], "BIGINT[]"),
    ((1.5, 2), [1.5, 2.0], "DOUBLE[]"),
    ([], [], '"NULL"[]'),
    ([[1], [], None], [[1], [], None], "BIGINT[][]"),
    ([Decimal("1.5"), 2], [Decimal("1.5"), Decimal(2)], "DECIMAL(20,1)[]"),
    ([uuid.UUID(int=1)], [str(uuid.UUID(int=1))], "UUID[]"),
    ([Colour.RED, "blue"], ["red", "blue"], "VARCHAR[]"),
    (
        {"a": 1, "b c": {"d": [None, "x"]}},
        {"a": 1, "b c": {"d": [None, "x"]}},
        'STRUCT(a BIGINT, "b c" STRUCT(d VARCHAR[]))',
    ),
    ([{"a": 1}, {"a": None}, None], [{"a": 1}, {"a": None}, None], "STRUCT(a BIGINT)[]"),
    ({1: "one", 2: None}, [(1, "one"), (2, None)], "MAP(BIGINT, VARCHAR)"),
    (np.int8(-3), -3, "BIGINT"),
    (np.uint64(2**64 - 1), Decimal(2**64 - 1), "DECIMAL(20,0)"),
    (np.float32(0.5), 0.5, "DOUBLE"),
    (np.bool_(True), True, "BOOLEAN"),
    (np.str_("x"), "x", "VARCHAR"),
    (np.datetime64("2026-01-31"), datetime.date(2026, 1, 31), "DATE"),
    (np.datetime64("2026-01-31T01:02:03.5", "ns"), datetime.datetime(2026, 1, 31, 1, 2, 3, 500000),
     "TIMESTAMP"),
    (np.timedelta64(90, "m"), datetime.timedelta(minutes=90), "INTERVAL"),
    (np.datetime64("NaT"), None, '"NULL"'),
    (np.array([1, 2]), [1, 2], "BIGINT[]"),
    (np.array([[0.5], [1]]), [[0.5], [1.0]], "DOUBLE[][]"),
    (pd.NaT, None, '"NULL"'),
    (pd.NA, None, '"NULL"'),
    (pd.Timestamp(NOON), NOON, "TIMESTAMP"),
    (pd.Timestamp(NOON, tz="UTC"), NOON.replace(tzinfo=datetime.timezone.utc),
     "TIMESTAMP WITH TIME ZONE"),
    (pd.Timedelta("1h"), datetime.timedelta(hours=1), "INTERVAL"),
    (pd.Series([1, 2]), [1, 2], "BIGINT[]"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected", "kind"), VALUES, ids=range(len(VALUES)))
def test_values(ap: Apiary, value: Any, expected: Any, kind: str) -> None:
    assert ap.sql("SELECT ?, typeof(?)", [value, value]).fetchall() == [(expected, kind)]
    assert ap.sql("SELECT $v", {"v": value}).fetchall() == [(expected,)]
    assert list(ap.sql_stream("SELECT ?", [value]).rows()) == [(expected,)]


def test_random_values_as_duckdb_takes_them(ap: Apiary) -> None:
    draw = seeded("parameters")
    names = [name for name in COLUMNS if name not in ("words", "moment")]
    oracle = duckdb.connect()
    oracle.execute("SET TimeZone = 'UTC'")
    for row in rows(draw, names, 0, 60):
        query = "SELECT " + ", ".join("?" for _ in row)
        found = ap.sql(query, list(row.values())).fetchall()[0]
        expected = oracle.execute(query, list(row.values())).fetchall()[0]
        assert plain(list(found)) == plain(list(expected)), row


def test_lists_in_conditions(ap: Apiary, orders: apiary.Frame) -> None:
    query = "SELECT order_id FROM warehouse.sales.orders WHERE customer IN ? ORDER BY 1"
    assert ap.sql(query, [["alice", "eve"]])["order_id"] == [1, 3]
    query = "SELECT sum(amount) AS s FROM warehouse.sales.orders WHERE order_id = ANY($ids)"
    assert ap.sql(query, {"ids": list(range(2, 9))})["s"] == [325.0]
    query = "SELECT unnest($1) AS a, unnest($2) AS b"
    assert ap.sql(query, [[1, 2], ["x", None]]).fetchall() == [(1, "x"), (2, None)]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, "x"], "a list of integer and text"),
        ([{"a": 1}, {"b": 1}], "members differ"),
        ({1, 2}, "type set"),
        (object(), "type object"),
        ({"a\0": 1}, "zero byte"),
        (Decimal("NaN"), "no decimal"),
        (10**38, "38 digits"),
        (datetime.timedelta.max, "longer than"),
        (datetime.time(1, tzinfo=BERLIN), "zone"),
        (np.datetime64("2026-01-31T01:02:03.123456789"), "nanoseconds"),
        (pd.Timestamp("2026-01-31 01:02:03.123456789"), "nanoseconds"),
        ({"a": [1, object()]}, "type object"),
    ],
)
def test_values_that_cannot_be(ap: Apiary, value: Any, message: str) -> None:
    with pytest.raises(apiary.InvalidArgument, match=message):
        ap.sql("SELECT ?", [value])


def test_too_deep_and_too_many(ap: Apiary) -> None:
    value: Any = 1
    for _ in range(40):
        value = [value]
    with pytest.raises(apiary.InvalidArgument, match="levels"):
        ap.sql("SELECT ?", [value])
    with pytest.raises(apiary.InvalidArgument, match="at most 1024"):
        ap.sql("SELECT 1", [1] * 1025)
    assert len(ap.sql("SELECT unnest(?)", [list(range(100_000))])) == 100_000


def test_nothing_is_leaked(ap: Apiary) -> None:
    values = [{"a": [str(n) * 50 for n in range(200)], "b": {1: b"x" * 1000}}, [None, 2.5]]

    def work() -> None:
        assert len(ap.sql("SELECT ?, ?", values)) == 1
        with pytest.raises(apiary.InvalidArgument):
            ap.sql("SELECT ?", [[values, object()]])

    stays(work, 100, 8 << 20)
