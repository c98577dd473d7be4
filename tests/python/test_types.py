# SPDX-License-Identifier: Apache-2.0
"""Every type, through a frame and back, and from Arrow to Python's own values.

Method: what goes in is compared with what comes out, by pyarrow; Python values are compared with
what pyarrow's to_pylist makes of the same arrays.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import apiary
import pyarrow as pa
import pytest
from apiary import Apiary, Box, Result, _core

UTC = datetime.timezone.utc
D = Decimal

TYPES: list[tuple[str, Any, list[Any]]] = [
    ("int8", pa.int8(), [-128, 127, 0]),
    ("int16", pa.int16(), [-32768, 32767]),
    ("int32", pa.int32(), [-(2**31), 2**31 - 1]),
    ("int64", pa.int64(), [-(2**63), 2**63 - 1]),
    ("uint8", pa.uint8(), [0, 255]),
    ("uint16", pa.uint16(), [0, 65535]),
    ("uint32", pa.uint32(), [0, 2**32 - 1]),
    ("uint64", pa.uint64(), [0, 2**64 - 1]),
    ("float16", pa.float16(), [1.5, -2.0, 65504.0]),
    ("float32", pa.float32(), [1.5, float("inf"), -0.0]),
    ("float64", pa.float64(), [0.1, 1e308, float("-inf"), 5e-324]),
    ("decimal(5,2)", pa.decimal128(5, 2), [D("999.99"), D("-0.01")]),
    ("decimal(38,10)", pa.decimal128(38, 10), [D("1234567890123456789012345678.0123456789")]),
    ("string", pa.string(), ["", "it's", "\u00fc\u00df\U0001f41d", "a\x00b", "x" * 10_000]),
    ("boolean", pa.bool_(), [True, False]),
    ("date", pa.date32(), [datetime.date(1, 1, 1), datetime.date(9999, 12, 31)]),
    (
        "timestamp",
        pa.timestamp("us"),
        [datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31, 23, 59, 59, 999_999)],
    ),
    (
        "timestamp[us, UTC]",
        pa.timestamp("us", "UTC"),
        [datetime.datetime(1969, 12, 31, 23, 59, 59, 1, UTC)],
    ),
    ("time", pa.time64("us"), [datetime.time(0), datetime.time(23, 59, 59, 999_999)]),
    ("binary", pa.binary(), [b"", b"\x00\xff", b"y" * 5000]),
    ("list<int32>", pa.list_(pa.int32()), [[], [1, None, 3], None]),
    (
        "struct<a: int64, b: string>",
        pa.struct({"a": pa.int64(), "b": pa.string()}),
        [{"a": 1, "b": "x"}, {"a": None, "b": None}],
    ),
    ("map<string, int64>", pa.map_(pa.string(), pa.int64()), [[("a", 1), ("b", None)], []]),
    (
        "list<struct<a: list<string>, b: map<int32, date>>>",
        pa.list_(pa.struct({"a": pa.list_(pa.string()), "b": pa.map_(pa.int32(), pa.date32())})),
        [[{"a": ["x", None], "b": [(1, datetime.date(2026, 1, 31))]}, None], []],
    ),
]


@pytest.mark.parametrize(("word", "kind", "values"), TYPES, ids=[t[0] for t in TYPES])
def test_a_type_through_a_frame(box: Box, word: str, kind: Any, values: list[Any]) -> None:
    column = pa.array([*values, None], kind)
    frame = box.create_frame("f", {"k": "int64", "v": word})
    frame.write(pa.table({"k": range(len(column)), "v": column}))
    expected = [*column.to_pylist()]
    back = frame.read().sort_by("k")
    assert back.column("v").to_pylist() == expected
    # The engine has no half floats: they are read as the next wider type.
    assert back.schema.field("v").type == (pa.float32() if word == "float16" else kind)
    assert frame.schema.field("v").type == kind
    result = frame._apiary.sql("SELECT v FROM warehouse.sales.f ORDER BY k")
    assert [row[0] for row in result] == expected
    assert result.column("v") == expected
    again = box.create_frame("g", frame.schema if word != "float16" else back.schema)
    assert word == "float16" or again.describe()["schema"] == frame.describe()["schema"]
    again.write(result.to_arrow().append_column("k", pa.array(range(len(column)))))
    assert again.read().sort_by("k").column("v").to_pylist() == expected


@pytest.mark.parametrize(("word", "kind", "values"), TYPES, ids=[t[0] for t in TYPES])
def test_rows_of_python_values_take_the_frames_types(
    box: Box, word: str, kind: Any, values: list[Any]
) -> None:
    frame = box.create_frame("f", {"k": "int64", "v": word})
    frame.write([{"k": k, "v": value} for k, value in enumerate(values)])
    frame.write([{"k": -1, "v": None}])
    back = frame.read().sort_by("k").column("v")
    assert back.to_pylist() == [None, *pa.array(values, kind).to_pylist()]


def test_nan_stays_nan(box: Box) -> None:
    frame = box.create_frame("f", {"v": "float64"})
    frame.write([{"v": float("nan")}, {"v": None}, {"v": 1.0}])
    values = frame.read().column("v").to_pylist()
    assert sum(value != value for value in values if value is not None) == 1
    assert values.count(None) == 1


WIDER = [
    (pa.int8(), "int64", 5, 5),
    (pa.int32(), "float64", 5, 5.0),
    (pa.uint8(), "int16", 255, 255),
    (pa.float32(), "float64", 0.5, 0.5),
    (pa.decimal128(5, 2), "decimal(10,2)", D("1.25"), D("1.25")),
    (pa.timestamp("s"), "timestamp", datetime.datetime(2026, 1, 1), datetime.datetime(2026, 1, 1)),
    (pa.timestamp("ns"), "timestamp", datetime.datetime(2026, 1, 1), datetime.datetime(2026, 1, 1)),
    (
        pa.timestamp("us", "Europe/Berlin"),
        "timestamp[us, UTC]",
        datetime.datetime(2026, 7, 1, tzinfo=UTC),
        datetime.datetime(2026, 7, 1, tzinfo=UTC),
    ),
    (pa.large_string(), "string", "x", "x"),
    (
        pa.string_view(),
        "string",
        "a text of more than twelve bytes",
        "a text of more than twelve bytes",
    ),
    (pa.large_binary(), "binary", b"x", b"x"),
    (pa.dictionary(pa.int8(), pa.string()), "string", "x", "x"),
    (pa.large_list(pa.int64()), "list<int64>", [1], [1]),
    (pa.list_(pa.int64(), 2), "list<int64>", [1, 2], [1, 2]),
    (pa.null(), "int64", None, None),
]


@pytest.mark.parametrize(
    ("kind", "word", "given", "expected"), WIDER, ids=[str(w[0]) for w in WIDER]
)
def test_what_fits_without_loss_is_taken(
    box: Box, kind: Any, word: str, given: Any, expected: Any
) -> None:
    frame = box.create_frame("f", {"v": word})
    frame.write(pa.table({"v": pa.array([given, None], kind)}))
    values = frame.read().column("v").to_pylist()
    assert sorted(values, key=lambda v: v is None) == [expected, None]


# -------------------------------------------------------------------- from Arrow to Python values

ARRAYS: list[Any] = [
    *[pa.array([*values, None], kind) for _, kind, values in TYPES],
    pa.array(["a", None, "c"], pa.large_string()),
    pa.array(["short", None, "a text of more than twelve bytes"], pa.string_view()),
    pa.array([b"short", None, b"more than twelve bytes"], pa.binary_view()),
    pa.array([b"ab", None], pa.binary(2)),
    pa.array([b"ab", None], pa.large_binary()),
    pa.array(["x", "y", None, "x"]).dictionary_encode(),
    pa.array([[1, 2], None], pa.list_(pa.int64(), 2)),
    pa.array([[1, 2], None, []], pa.large_list(pa.int64())),
    pa.array([[1, 2], None, []], pa.list_view(pa.int64())),
    pa.array([0, 86_400_000, None], pa.date64()),
    pa.array([1, None], pa.time32("s")),
    pa.array([1, None], pa.time32("ms")),
    pa.array([1000, None], pa.time64("ns")),
    pa.array([-1, None], pa.timestamp("s")),
    pa.array([-1, None], pa.timestamp("ms", "Asia/Kolkata")),
    pa.array([1, None], pa.timestamp("us", "+02:00")),
    pa.array([-1, None], pa.duration("ms")),
    pa.array([10**18, None], pa.duration("us")),
    pa.array([D("1.5"), D("-2.25"), None], pa.decimal256(60, 2)),
    pa.array([None, None]),
    pa.UnionArray.from_sparse(
        pa.array([0, 1, 0], pa.int8()), [pa.array([1, 2, 3]), pa.array(["a", "b", "c"])]
    ),
    pa.UnionArray.from_dense(
        pa.array([0, 1, 0], pa.int8()),
        pa.array([0, 0, 1], pa.int32()),
        [pa.array([1, 3]), pa.array(["b"])],
    ),
]


@pytest.mark.parametrize("array", ARRAYS, ids=[str(a.type) for a in ARRAYS])
def test_values_are_those_of_pyarrow(array: Any) -> None:
    table = pa.table({"v": array, "w": pa.array(range(len(array)))})
    for part in (table, table.slice(1), pa.concat_tables([table.slice(1), table])):
        result = Result(_core.collect(part))
        assert result.column("v") == part.column("v").to_pylist()
        assert result.to_pylist() == part.to_pylist()
        assert [type(value) for value in result.column("v")] == [
            type(value) for value in part.column("v").to_pylist()
        ]
        assert result.to_arrow() == part


def test_sliced_nested_values() -> None:
    rows = [{"a": [i, None], "b": {"c": str(i)}} for i in range(20)]
    table = pa.table(
        {
            "s": pa.array(rows),
            "m": pa.array([[(str(i), i)] for i in range(20)], pa.map_(pa.string(), pa.int64())),
        }
    )
    for start, count in ((0, 20), (3, 5), (19, 1)):
        part = table.slice(start, count)
        assert Result(_core.collect(part)).to_pylist() == part.to_pylist()
    batch = pa.record_batch([pa.StructArray.from_arrays([table["s"].chunk(0)], ["x"])], ["y"])
    assert Result(_core.collect(batch.slice(2, 3))).to_pylist() == batch.slice(2, 3).to_pylist()


def test_sums_of_integers_are_int(ap: Apiary) -> None:
    ((total,),) = ap.sql("SELECT SUM(i) FROM range(10) r(i)").fetchall()
    assert (type(total), total) == (int, 45)
    ((huge,),) = ap.sql("SELECT -99999999999999999999999999999999999999::HUGEINT").fetchall()
    assert huge == -(10**38 - 1)


def test_engine_types_that_frames_have_not(ap: Apiary) -> None:
    row = ap.sql(
        "SELECT INTERVAL '1 month 2 days 3 seconds' AS i, 'x'::ENUM('x', 'y') AS e, "
        "uuid() AS u, TIMESTAMP_NS '2026-01-01 00:00:00.000001' AS n"
    ).to_pylist()[0]
    assert row["i"] == datetime.timedelta(days=32, seconds=3)
    assert row["e"] == "x"
    assert len(str(row["u"])) == 36
    assert row["n"] == datetime.datetime(2026, 1, 1, 0, 0, 0, 1)


@pytest.mark.parametrize(
    "value",
    [
        "DATE '20000-01-01'",
        "TIMESTAMP '20000-01-01'",
        "DATE 'infinity'",
        "TIMESTAMP_NS '2026-01-01 00:00:00.000000001'",
    ],
)
def test_values_that_python_cannot_hold(ap: Apiary, value: str) -> None:
    result = ap.sql(f"SELECT {value} AS big")
    with pytest.raises(apiary.Unsupported, match="column 'big'"):
        result.fetchall()
    assert result.to_arrow().num_rows == 1
    assert "big" in repr(result)


def test_type_words(ap: Apiary) -> None:
    result = ap.sql(
        "SELECT 1::TINYINT a, 1.5::DECIMAL(5,1) b, [{'x': 1, 'y': MAP {'k': 1.5::FLOAT}}] c, "
        "TIMESTAMPTZ '2026-01-01' d, NULL::BLOB e"
    )
    assert result.types == [
        "int8",
        "decimal(5,1)",
        "list<struct<x: int32, y: map<string, float32>>>",
        "timestamp[us, UTC]",
        "binary",
    ]
