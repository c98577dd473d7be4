# SPDX-License-Identifier: Apache-2.0
"""Nothing is leaked: no object, no capsule, no Arrow buffer, no file.

Method: each kind of work is done again and again in one process; after a warm-up, memory, Python
objects and open files must stay where they are. Leaks of a few bytes are found by the number of
rounds, large ones by the size of the data.
"""

from __future__ import annotations

import gc
import os
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apiary
import pyarrow as pa
import pytest
from apiary import Apiary, Box, Frame, _core


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def stays(work: Callable[[], Any], rounds: int, allowed_bytes: int) -> None:
    for _ in range(max(3, rounds // 4)):
        work()
    gc.collect()
    before = resident_bytes(), len(gc.get_objects()), open_files()
    for _ in range(rounds):
        work()
    gc.collect()
    after = resident_bytes(), len(gc.get_objects()), open_files()
    assert after[0] - before[0] < allowed_bytes
    assert after[1] - before[1] < 50
    assert after[2] <= before[2] + 2  # what is read often may be kept decoded, in a file


@pytest.fixture
def wide(box: Box) -> Frame:
    frame = box.create_frame("f", {"i": "int64", "t": "string", "l": "list<int64>"})
    rows = 100_000
    frame.write(
        pa.table({"i": range(rows), "t": [f"row {i}" for i in range(rows)], "l": [[1, 2]] * rows})
    )
    return frame


def test_results_go_when_they_are_forgotten(ap: Apiary, wide: Frame) -> None:
    def work() -> None:
        result = ap.sql("SELECT * FROM warehouse.sales.f")
        table = result.to_arrow()
        children = table["l"].chunk(0).flatten()
        del table, result
        assert children[1].as_py() == 2

    stays(work, 60, 24 << 20)


def test_capsules_that_nobody_reads(ap: Apiary, wide: Frame) -> None:
    result = ap.sql("SELECT * FROM warehouse.sales.f")

    def work() -> None:
        result.__arrow_c_stream__()
        result.__arrow_c_schema__()
        reader = pa.RecordBatchReader.from_stream(result)
        reader.read_next_batch()
        del reader

    stays(work, 400, 8 << 20)


def test_errors(ap: Apiary, wide: Frame) -> None:
    bad = pa.table({"i": ["x"], "t": ["x"], "l": [[1]]})

    def work() -> None:
        for call in (
            lambda: ap.sql("SELECT nothing"),
            lambda: ap.sql("SELECT ?, ?", [1, object()]),
            lambda: wide.write(bad),
            lambda: ap.create_frame("warehouse", "sales", "g", {"a": "nope"}),
            lambda: _core.collect(b"no Arrow"),
            lambda: ap.sql("SELECT DATE '20000-01-01'").fetchall(),
        ):
            with pytest.raises(apiary.ApiaryError):
                call()  # type: ignore[no-untyped-call]

    stays(work, 100, 12 << 20)


def test_values(ap: Apiary) -> None:
    result = ap.sql(
        "SELECT i, i::VARCHAR, [i], {'a': i}, MAP {i: i}, DATE '2026-01-01' + i::INTEGER, "
        "TIMESTAMPTZ '2026-01-01', i::DECIMAL(20, 3), TIME '01:02:03', i::VARCHAR::BLOB "
        "FROM range(1000) r(i)"
    )
    stays(lambda: (result.fetchall(), result.to_pylist(), repr(result)), 30, 8 << 20)
    none = sys.getrefcount(None)
    nulls = ap.sql("SELECT NULL FROM range(10000)")
    for _ in range(10):
        nulls.fetchall()
    assert abs(sys.getrefcount(None) - none) < 5000


def test_writing_and_reading(box: Box) -> None:
    frame = box.create_frame("small", {"i": "int64", "t": "string"})
    table = pa.table({"i": range(20_000), "t": ["x" * 50] * 20_000})

    def work() -> None:
        frame.overwrite(table)
        assert frame.read().num_rows == 20_000
        frame.history(limit=5)
        frame.describe()

    stays(work, 25, 32 << 20)


def test_sources_are_released(box: Box) -> None:
    frame = box.create_frame("small", {"i": "int64"})

    class Source:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return pa.table({"i": [1]}).__arrow_c_stream__(requested_schema)

    source = Source()
    gone = weakref.ref(source)
    frame.write(source)
    del source
    assert gone() is None
    buffer = pa.py_buffer(bytearray(8 * 1000))
    array = pa.Array.from_buffers(pa.int64(), 1000, [None, buffer])
    before = sys.getrefcount(buffer)
    allocated = pa.total_allocated_bytes()
    frame.write(pa.table({"i": array}))
    assert sys.getrefcount(buffer) == before
    assert pa.total_allocated_bytes() == allocated


def test_apiaries_go(tmp_path: Path) -> None:
    def work() -> None:
        ap = Apiary("x", tmp_path)
        ap.start()
        ap.sql("SELECT 1").fetchall()
        ap.shutdown()

    stays(work, 20, 24 << 20)
    forgotten = Apiary("x", tmp_path)
    forgotten.start()
    gone = weakref.ref(forgotten)
    del forgotten
    gc.collect()
    assert gone() is None
