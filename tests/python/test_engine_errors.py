# SPDX-License-Identifier: Apache-2.0
"""Answers are right where the engine, left to itself, reads cells wrongly.

Method: rows of which DuckDB 1.5.5 is known to lose some when it reads them from Parquet with Bloom
filters; what it must answer is written down here, from tables that have none. Cells are our own
ones, from each of our writers, and ones that deltalake wrote with Bloom filters.
"""

from __future__ import annotations

from typing import Any

import apiary
import duckdb
import pyarrow as pa
import pytest
from apiary import Apiary
from deltalake import BloomFilterProperties, ColumnProperties, WriterProperties, write_deltalake

# Column, its type, a value that is stored often, and a condition that is true for it alone.
MISREAD = [
    ("DOUBLE", pa.float64(), -0.0, "v = 0"),
    ("DOUBLE", pa.float64(), 0.0, "v = CAST('-0.0' AS DOUBLE)"),
    ("DOUBLE", pa.float64(), -0.0, "v IN (SELECT CAST(0 AS DOUBLE))"),
    ("REAL", pa.float32(), -0.0, "v = 0"),
    ("BLOB", pa.binary(), b"\xff\x00", "v = '\\xFF\\x00'::BLOB"),
    ("BLOB", pa.binary(), b"\xff\x00", "v IN (SELECT '\\xFF\\x00'::BLOB)"),
]
LEAST = {"DOUBLE": -1.0, "REAL": -1.0, "BLOB": b""}
GREATEST = {"DOUBLE": 9.0, "REAL": 9.0, "BLOB": b"\xff\xff"}


@pytest.fixture
def ap(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Without decoded copies: Parquet is what is read."""
    monkeypatch.setenv("APIARY_CELL_CACHE", "off")
    with Apiary("errors", tmp_path / "root") as started:
        started.create_hive("h").create_box("b")
        started.sql("USE h.b")
        yield started


def rows_of(kind: str, arrow: pa.DataType, value: Any, count: int) -> pa.Table:
    values = [LEAST[kind], value, GREATEST[kind]] * count
    return pa.table({"id": range(3 * count), "v": pa.array(values, arrow)})


@pytest.mark.parametrize("written", ["by statement", "from a table", "by deltalake"])
@pytest.mark.parametrize(("kind", "arrow", "value", "condition"), MISREAD)
def test_bloom_filters(
    ap: apiary.Apiary, kind: str, arrow: pa.DataType, value: Any, condition: str, written: str
) -> None:
    ap.sql(f"CREATE FRAME t (id BIGINT, v {kind})")
    frame = ap.hive("h").box("b").frame("t")
    rows = rows_of(kind, arrow, value, 50)
    if written == "from a table":
        frame.write(rows)
    elif written == "by deltalake":
        bloom = ColumnProperties(bloom_filter_properties=BloomFilterProperties(True))
        write_deltalake(
            frame.describe()["location"],
            rows,
            mode="append",
            writer_properties=WriterProperties(default_column_properties=bloom),
        )
    else:
        frame.write(rows)
        ap.sql("CREATE FRAME u AS SELECT id, v FROM t ORDER BY id")
        ap.sql("INSERT OVERWRITE t SELECT * FROM u")
    assert ap.sql(f"SELECT count(*) FROM t WHERE {condition}").fetchall() == [(50,)]
    ap.sql(f"UPDATE t SET id = -1 WHERE {condition}")
    assert ap.sql("SELECT count(*) FROM t WHERE id = -1").fetchall() == [(50,)]


def test_a_nan_of_other_bits_is_found(ap: apiary.Apiary) -> None:
    """What processors compute for 0/0 has the sign bit set."""
    ap.sql("CREATE FRAME t (id BIGINT, v DOUBLE)")
    strange = pa.array(list(range(3)) * 50, pa.int64())
    bits = pa.array([0x3FF0000000000000, -0x8000000000000, 0x4000000000000000] * 50, pa.int64())
    rows = pa.table({"id": strange, "v": bits.view(pa.float64())})
    ap.hive("h").box("b").frame("t").write(rows)
    ap.sql("INSERT OVERWRITE t SELECT * FROM t ORDER BY id")
    assert ap.sql("SELECT count(*) FROM t WHERE v = 'NaN'::DOUBLE").fetchall() == [(50,)]


@pytest.mark.parametrize("kind", ["TIME", "UBIGINT", "DOUBLE", "DECIMAL(38,10)", "TIMESTAMPTZ"])
@pytest.mark.parametrize("appends", [1, 3])
def test_partition_columns_of_every_kind(ap: apiary.Apiary, kind: str, appends: int) -> None:
    values = {
        "TIME": ["'00:00:00'", "'23:59:59.999999'", "'12:30:00'"],
        "UBIGINT": ["0", "18446744073709551615", "7"],
        "DOUBLE": ["'NaN'", "'-inf'", "1e300"],
        "DECIMAL(38,10)": ["0", "-0.0000000001", "9999999999999999999999999999.9999999999"],
        "TIMESTAMPTZ": [
            "'1969-12-31 23:59:59.5Z'",
            "'2024-02-29 12:00:00.000001Z'",
            "'1600-01-01 00:00:00Z'",
        ],
    }[kind]
    plain = duckdb.connect()
    plain.execute(f"SET TimeZone = 'UTC'; CREATE TABLE t (id INTEGER, p {kind})")
    ap.sql(f"CREATE FRAME t (id INTEGER, p {kind}) PARTITIONED BY (p)")
    for i in range(appends):
        rows = f"INSERT INTO t SELECT n + {100 * i}, {values[i]}::{kind} FROM range(5) AS r(n)"
        ap.sql(rows)
        plain.execute(rows)
    for text in (
        "SELECT id, p::VARCHAR FROM t ORDER BY id",
        f"SELECT count(*) FROM t WHERE p = {values[0]}::{kind}",
        f"SELECT count(*) FROM t WHERE p > {values[0]}::{kind}",
        "SELECT count(*), min(p)::VARCHAR, max(p)::VARCHAR FROM t",
    ):
        assert ap.sql(text).fetchall() == plain.execute(text).fetchall(), text
    for text in (
        f"UPDATE t SET id = -id WHERE p = {values[0]}::{kind}",
        "DELETE FROM t WHERE id = 1",
    ):
        ap.sql(text)
        plain.execute(text)
    text = "SELECT id, p::VARCHAR FROM t ORDER BY ALL"
    assert ap.sql(text).fetchall() == plain.execute(text).fetchall()


ORDERS = ["v", "v DESC", "v NULLS FIRST", "v DESC NULLS FIRST"]
RETYPED = [
    "SELECT u AS v, id FROM t",
    "SELECT k::BIGINT AS v, id FROM t",
    "SELECT CAST(k AS TINYINT) AS v, id FROM t",
    "SELECT TRY_CAST(id AS TINYINT) AS v, id FROM t",
    "SELECT k AS v, id FROM t UNION ALL SELECT id, id FROM t",
    "SELECT v, id FROM w",
]


@pytest.mark.parametrize("query", RETYPED)
def test_the_first_rows_by_a_column_of_another_type(ap: apiary.Apiary, query: str) -> None:
    """A bound of the one type must not be held against values of the other."""
    plain = duckdb.connect()
    ap.sql("CREATE FRAME t (id BIGINT, k INTEGER, u UTINYINT)")
    plain.execute("CREATE TABLE t (id BIGINT, k INTEGER, u UTINYINT)")
    for i in range(12):
        rows = (
            f"INSERT INTO t SELECT n * 12 + {i}, (n * 77 + {i} * 31) % 120, "
            f"CASE WHEN n % 9 > 0 THEN (n * 13 + {i} * 41) % 256 END FROM range(40) AS r(n)"
        )
        ap.sql(rows)
        plain.execute(rows)
    ap.sql("CREATE VIEW w AS SELECT k::SMALLINT AS v, id FROM t")
    plain.execute("CREATE VIEW w AS SELECT k::SMALLINT AS v, id FROM t")
    for order in ORDERS:
        every = plain.execute(f"SELECT * FROM ({query}) ORDER BY {order}, id").fetchall()
        for count, skipped in ((1, 0), (5, 0), (10, 3), (100, 0)):
            text = f"{query} ORDER BY {order}, id LIMIT {count} OFFSET {skipped}"
            assert ap.sql(text).fetchall() == every[skipped : skipped + count], text
        text = f"SELECT * FROM ({query} ORDER BY {order}, id) LIMIT 7"
        assert ap.sql(text).fetchall() == every[:7], text
