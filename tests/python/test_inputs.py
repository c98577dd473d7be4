# SPDX-License-Identifier: Apache-2.0
"""Whatever holds rows can be written, and unfit objects are refused by name.

Method: the same rows in every form that users have them in; what is read back must be equal.
"""

from __future__ import annotations

import datetime
import io
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import apiary
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest
from apiary import Apiary, Box, Frame

ROWS = [
    {"order_id": 1, "customer": "alice", "amount": 100.0},
    {"order_id": 2, "customer": None, "amount": 250.0},
    {"order_id": 3, "customer": "\u00fc", "amount": None},
]
TABLE = pa.Table.from_pylist(ROWS)


class OnlyStream:
    """The PyCapsule interface and nothing else."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._inner.__arrow_c_stream__(requested_schema)


class OnlyArray:
    """The same, for one array."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        return self._inner.__arrow_c_array__(requested_schema)


def ipc(kind: Any) -> bytes:
    sink = io.BytesIO()
    with kind(sink, TABLE.schema) as writer:
        writer.write_table(TABLE)
    return sink.getvalue()


def batches() -> Iterator[pa.RecordBatch]:
    for start in range(3):
        yield from TABLE.slice(start, 1).to_batches()


FORMS: dict[str, Any] = {
    "table": lambda: TABLE,
    "chunked table": lambda: pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)]),
    "sliced table": lambda: pa.concat_tables([TABLE, TABLE]).combine_chunks().slice(3, 3),
    "record batch": lambda: TABLE.to_batches()[0],
    "reader": TABLE.to_reader,
    "reader of a generator": lambda: pa.RecordBatchReader.from_batches(TABLE.schema, batches()),
    "dataset scanner": lambda: pa.dataset.dataset(TABLE).scanner().to_reader(),
    "stream capsule": lambda: OnlyStream(TABLE),
    "array capsule": lambda: OnlyArray(TABLE.to_batches()[0]),
    "IPC stream": lambda: ipc(pa.ipc.new_stream),
    "IPC file": lambda: ipc(pa.ipc.new_file),
    "bytearray": lambda: bytearray(ipc(pa.ipc.new_stream)),
    "memoryview": lambda: memoryview(ipc(pa.ipc.new_stream)),
    "buffer": lambda: memoryview(pa.py_buffer(ipc(pa.ipc.new_stream))),
    "pandas": lambda: pd.DataFrame(ROWS),
    "pandas of Arrow": lambda: TABLE.to_pandas(types_mapper=pd.ArrowDtype),
    "pandas with an index": lambda: pd.DataFrame(ROWS, index=[7, 8, 9]),
    "pandas with a named index": lambda: pd.DataFrame(ROWS).set_index("order_id"),
    "polars": lambda: pl.DataFrame(ROWS),
    "polars in chunks": lambda: pl.concat(
        [pl.DataFrame(ROWS[:1]), pl.DataFrame(ROWS[1:])], rechunk=False
    ),
    "list of dicts": lambda: ROWS,
    "tuple of dicts": lambda: tuple(ROWS),
    "sparse dicts": lambda: [{k: v for k, v in row.items() if v is not None} for row in ROWS],
    "generator of dicts": lambda: (row for row in ROWS),
    "generator of batches": batches,
    "list of tables": lambda: [TABLE.slice(0, 2), TABLE.slice(2)],
    "dict of lists": TABLE.to_pydict,
    "dict of arrays": lambda: {name: TABLE[name] for name in TABLE.column_names},
    "other order": lambda: TABLE.select(["amount", "order_id", "customer"]),
    "other case": lambda: TABLE.rename_columns(["ORDER_ID", "Customer", "amount"]),
}


@pytest.fixture
def empty(box: Box) -> Frame:
    return box.create_frame("f", {"order_id": "int64", "customer": "string", "amount": "float64"})


@pytest.mark.parametrize("form", FORMS)
def test_rows_in_every_form(empty: Frame, form: str) -> None:
    done = empty.write(FORMS[form]())
    assert done["rows_written"] == 3
    assert empty.read().sort_by("order_id").to_pylist() == ROWS
    done = empty.overwrite(FORMS[form]())
    assert empty.read().sort_by("order_id").to_pylist() == ROWS


def test_a_result_can_be_written(ap: Apiary, empty: Frame) -> None:
    empty.write(ROWS)
    result = ap.sql("SELECT order_id + 3 AS order_id, customer, amount FROM warehouse.sales.f")
    empty.write(result)
    empty.write(result)
    assert empty.describe()["row_count"] == 9


@pytest.mark.parametrize(
    "nothing",
    [
        [],
        {"order_id": [], "customer": [], "amount": []},
        TABLE.slice(0, 0),
        iter([]),
        pd.DataFrame(ROWS).iloc[:0],
        pl.DataFrame(ROWS).clear(),
        TABLE.schema.empty_table().to_reader(),
    ],
    ids=["list", "dict", "table", "iterator", "pandas", "polars", "reader"],
)
def test_no_rows(empty: Frame, nothing: Any) -> None:
    assert empty.write(nothing)["rows_written"] == 0
    assert empty.read().num_rows == 0


def test_pandas_takes_the_frames_types(box: Box) -> None:
    frame = box.create_frame(
        "f",
        {
            "n": "int32",
            "t": "timestamp",
            "z": "timestamp[us, UTC]",
            "c": "string",
            "d": "date",
            "m": "decimal(10,2)",
            "b": "boolean",
        },
    )
    data = pd.DataFrame(
        {
            "n": [1.0, np.nan],  # integers with a gap are floats in pandas
            "t": pd.to_datetime(["2026-01-31 01:02:03", None]),
            "z": pd.to_datetime(["2026-01-31 01:02:03", None]).tz_localize("Europe/Berlin"),
            "c": pd.Categorical(["x", None]),
            "d": [datetime.date(2026, 1, 31), None],
            "m": [Decimal("1.50"), None],
            "b": pd.array([True, None], dtype="boolean"),
        }
    )
    frame.write(data)
    assert frame.read().to_pylist() == [
        {
            "n": 1,
            "t": datetime.datetime(2026, 1, 31, 1, 2, 3),
            "z": datetime.datetime(2026, 1, 31, 0, 2, 3, tzinfo=datetime.timezone.utc),
            "c": "x",
            "d": datetime.date(2026, 1, 31),
            "m": Decimal("1.50"),
            "b": True,
        },
        dict.fromkeys(data.columns),
    ]
    with pytest.raises(apiary.SchemaError, match="'n'"):
        frame.write(data.assign(n=[1.5, 2.5]))


def test_polars_types(box: Box) -> None:
    frame = box.create_frame("f", {"c": "string", "l": "list<int64>", "t": "time", "s": "string"})
    data = pl.DataFrame(
        {
            "c": pl.Series(["x", None, "x"], dtype=pl.Categorical),
            "l": [[1, 2], None, []],
            "t": [datetime.time(1, 2, 3), None, datetime.time(0)],
            "s": ["a text of more than twelve bytes", "", None],
        }
    )
    frame.write(data)
    frame.write(data.slice(1))
    expected = data.to_dicts()
    assert sorted(frame.read().to_pylist(), key=str) == sorted(expected + expected[1:], key=str)


def test_many_rows_in_many_batches(box: Box) -> None:
    frame = box.create_frame("f", {"i": "int64", "t": "string"})
    rows = 200_000
    frame.write({"i": i, "t": str(i)} for i in range(rows))
    assert frame._apiary.sql(
        "SELECT COUNT(*), COUNT(DISTINCT i), SUM(i), COUNT(*) FILTER (t = i::VARCHAR) "
        "FROM warehouse.sales.f"
    ).fetchall() == [(rows, rows, rows * (rows - 1) // 2, rows)]


def test_an_error_of_the_callers_generator_is_raised_as_it_is(empty: Frame) -> None:
    class Mine(Exception):
        pass

    def broken() -> Iterator[dict[str, Any]]:
        for _ in range(70_000):
            yield ROWS[0]
        raise Mine("in the middle")

    def broken_batches() -> Iterator[pa.RecordBatch]:
        yield from batches()
        raise Mine("at the end")

    for source in (broken(), broken_batches()):
        with pytest.raises(Mine):
            empty.write(source)
    reader = pa.RecordBatchReader.from_batches(TABLE.schema, broken_batches())
    with pytest.raises(apiary.ApiaryError, match="at the end"):
        empty.write(reader)
    assert empty.describe()["version"] == 0


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (7, TypeError, "cannot write int"),
        ("text", TypeError, "cannot write str"),
        ([1, 2], TypeError, "items of type int"),
        (None, TypeError, "cannot write NoneType"),
        ({"order_id": [1], "customer": []}, apiary.SchemaError, "different lengths"),
        ([{"order_id": 1}, {"order_id": "x"}], apiary.SchemaError, "'order_id'"),
        (pl.Series([1]), apiary.ApiaryError, "."),
    ],
)
def test_what_cannot_be_written(empty: Frame, data: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        empty.write(data)
    assert empty.describe()["version"] == 0


def test_a_stream_is_consumed_once(empty: Frame) -> None:
    reader = TABLE.to_reader()
    empty.write(reader)
    with pytest.raises((apiary.ApiaryError, ValueError, pa.ArrowInvalid)):
        empty.write(reader)
        raise ValueError(empty.describe()["version"])
    assert empty.describe()["row_count"] == 3


@pytest.mark.parametrize(
    ("module", "extra", "call"),
    [
        ("pyarrow", "pyarrow", lambda frame, result: result.to_arrow()),
        ("pyarrow", "pyarrow", lambda frame, result: frame.write(ROWS)),
        ("pyarrow", "pyarrow", lambda frame, result: frame.read()),
        ("pandas", "pandas", lambda frame, result: result.to_pandas()),
        ("polars", "polars", lambda frame, result: result.to_polars()),
    ],
)
def test_what_is_not_installed_is_named(
    ap: Apiary, empty: Frame, monkeypatch: pytest.MonkeyPatch, module: str, extra: str, call: Any
) -> None:
    result = ap.sql("SELECT 1")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"apiary\[{extra}\]"):
        call(empty, result)
    assert result.fetchall() == [(1,)]
    empty.write(OnlyStream(TABLE))
    assert ap.sql("SELECT COUNT(*) FROM warehouse.sales.f").fetchall() == [(3,)]
