# SPDX-License-Identifier: Apache-2.0
"""Errors: the right class, a message that names the thing, and nothing half done.

Method: each error is provoked as a user would provoke it; after a refused write the frame's version
and rows are as before.
"""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import Any

import apiary
import pyarrow as pa
import pytest
from apiary import Apiary, Box, Frame, _core, errors


def test_every_status_has_a_class() -> None:
    for name in set(_core.statuses()) - {"AP_OK", "AP_END"}:
        error = errors.from_status(name, "what", "how", "00000", True, "x.c:1")
        assert isinstance(error, apiary.ApiaryError)
        assert type(error) is not errors.InternalError or name == "AP_INTERNAL"
        assert (error.code, error.sqlstate, error.retryable) == (name, "00000", True)
        assert str(error) == "what; how"


@pytest.mark.parametrize("name", errors.__all__)
def test_every_class_can_be_raised_caught_and_pickled(name: str) -> None:
    kind = getattr(apiary, name)
    error = kind("what", hint="how")
    assert isinstance(error, apiary.ApiaryError)
    assert len(error.sqlstate) == 5
    assert isinstance(error.retryable, bool)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (str(again), again.hint, again.message) == ("what; how", "how", "what")


def test_only_codes_of_the_library_are_mapped() -> None:
    assert set(errors._BY_CODE) == set(_core.statuses()) - {"AP_OK", "AP_END"}


# ------------------------------------------------------------------------------------- state


def test_nothing_works_before_start_and_after_shutdown(tmp_path: Path) -> None:
    ap = Apiary("mine", tmp_path)
    calls: list[Any] = [
        ap.status,
        ap.list_hives,
        lambda: ap.create_hive("h"),
        lambda: ap.sql("SELECT 1"),
        lambda: ap.read_from_frame("h", "b", "f"),
        lambda: ap.write_to_frame("h", "b", "f", {"a": [1]}),
        lambda: ap.export("SELECT 1", tmp_path / "x.csv"),
        ap.interrupt,
    ]
    for _ in range(2):
        for call in calls:
            with pytest.raises(apiary.StateError, match="'mine' is not started; call start"):
                call()
        ap.start()
        ap.shutdown()


def test_the_extension_itself_refuses_what_is_closed(tmp_path: Path) -> None:
    core = _core.Apiary("x", str(tmp_path))
    session = core.session()
    core.close()
    core.close()
    with pytest.raises(apiary.StateError, match="shut down"):
        core.list(None, None)
    with pytest.raises(apiary.StateError, match="shut down"):
        session.query("SELECT 1", (), 0, None)
    session.interrupt()
    assert session.hive == ""
    for kind in (_core.Session, _core.Batches):
        with pytest.raises(TypeError):
            kind()


# -------------------------------------------------------------------------------------- names


def test_what_is_missing_is_named(ap: Apiary, orders: Frame) -> None:
    cases: list[tuple[Any, str]] = [
        (lambda: ap.list_boxes("nowhere"), "nowhere"),
        (lambda: ap.create_box("nowhere", "b"), "nowhere"),
        (lambda: ap.list_frames("warehouse", "nobox"), "nobox"),
        (lambda: ap.get_frame("warehouse", "sales", "order"), "order"),
        (lambda: ap.read_from_frame("warehouse", "sales", "order"), "order"),
        (lambda: ap.write_to_frame("warehouse", "sales", "order", pa.table({"a": [1]})), "order"),
        (lambda: ap.drop_frame("warehouse", "sales", "order"), "order"),
        (lambda: ap.rename_hive("nowhere", "x"), "nowhere"),
        (lambda: ap.sql("SELECT * FROM warehouse.sales.order_"), "order_"),
        (lambda: ap.sql("USE HIVE nowhere"), "nowhere"),
        (lambda: orders.read(version=99), "99"),
    ]
    for call, name in cases:
        with pytest.raises(apiary.NotFound, match=name) as caught:
            call()
        assert caught.value.sqlstate == "42704"
        assert not caught.value.retryable


def test_taken_names(ap: Apiary, orders: Frame, box: Box) -> None:
    box.create_frame("other", {"v": "int64"})
    with pytest.raises(apiary.AlreadyExists, match="other"):
        orders.rename("other")
    with pytest.raises(apiary.AlreadyExists):
        ap.sql("CREATE HIVE warehouse")


@pytest.mark.parametrize("name", ["../x", "", "a/b", "x" * 300])
def test_names_that_cannot_be(ap: Apiary, name: str) -> None:
    with pytest.raises(apiary.InvalidArgument):
        ap.create_hive(name)
    assert ap.list_hives() == []


def test_names_that_are_no_text(ap: Apiary) -> None:
    with pytest.raises(ValueError, match="null"):
        ap.create_hive("a\0b")
    with pytest.raises(TypeError):
        ap.create_hive(7)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        ap.create_frame("h", "b", "f", {7: "int64"})  # type: ignore[dict-item]


def test_a_frame_with_other_columns(box: Box) -> None:
    box.create_frame("f", {"a": "int64", "b": "string"})
    box.create_frame("f", {"a": "bigint", "b": "text"})
    with pytest.raises(apiary.SchemaError, match="b") as caught:
        box.create_frame("f", {"a": "int64", "b": "float64"})
    assert "string" in str(caught.value)
    assert "float64" in str(caught.value)
    with pytest.raises(apiary.SchemaError):
        box.create_frame("f", {"a": "int64", "b": "string"}, partition_by=["b"])


def test_schemas_that_cannot_be(box: Box) -> None:
    with pytest.raises(apiary.SchemaError, match="int46"):
        box.create_frame("f", {"a": "int46"})
    with pytest.raises(apiary.SchemaError, match="at least one column"):
        box.create_frame("f", {})
    with pytest.raises(apiary.SchemaError, match="by a word"):
        box.create_frame("f", {"a": int})
    with pytest.raises(TypeError, match="dict of column to type word"):
        box.create_frame("f", ["a"])
    with pytest.raises(apiary.ApiaryError, match="nope"):
        box.create_frame("f", {"a": "int64"}, partition_by="nope")
    with pytest.raises(apiary.SchemaError, match="d"):
        box.create_frame("f", pa.schema({"d": pa.duration("s")}))
    assert box.list_frames() == []


# ----------------------------------------------------------------------------- schema enforcement


def strict(box: Box) -> Frame:
    frame = box.create_frame(
        "strict", {"id": "int64 not null", "name": "string", "amount": "decimal(6,2)"}
    )
    frame.write({"id": [1], "name": ["a"], "amount": [None]})
    return frame


BAD_ROWS = [
    (pa.table({"id": [2], "name": ["b"]}), ["amount"]),
    (
        pa.table({"id": [2], "name": ["b"], "amount": pa.nulls(1), "extra": [1]}),
        ["extra"],
    ),
    (pa.table({"id": ["2"], "name": ["b"], "amount": pa.nulls(1)}), ["id", "int64", "string"]),
    (pa.table({"id": [2.5], "name": ["b"], "amount": pa.nulls(1)}), ["id", "int64", "float64"]),
    (pa.table({"id": [None, 3], "name": ["b", "c"], "amount": pa.nulls(2)}), ["id", "null"]),
    ([{"id": 2, "name": "b", "amount": 1, "extra": 2}], ["extra"]),
    ([{"id": "two", "name": "b", "amount": None}], ["id", "int64", "string"]),
    ({"id": [2], "name": [7], "amount": [None]}, ["name", "string", "int64"]),
]


@pytest.mark.parametrize(("rows", "words"), BAD_ROWS)
def test_rows_that_do_not_fit_are_refused_whole(box: Box, rows: Any, words: list[str]) -> None:
    frame = strict(box)
    before = frame.describe()
    for write in (frame.write, frame.overwrite):
        with pytest.raises(apiary.SchemaError) as caught:
            write(rows)
        for word in words:
            assert word in str(caught.value)
    assert frame.describe() == before
    assert frame.read().to_pylist() == [{"id": 1, "name": "a", "amount": None}]
    location = Path(before["location"])
    assert len(list(location.rglob("*.parquet"))) == 1


def test_a_null_is_refused_by_its_own_code(box: Box) -> None:
    with pytest.raises(apiary.SchemaError) as caught:
        strict(box).write({"id": [None], "name": ["b"], "amount": [None]})
    assert (caught.value.code, caught.value.sqlstate) == ("AP_NULL_VIOLATION", "23502")


def test_a_null_in_a_partition_column_is_refused(box: Box) -> None:
    frame = box.create_frame("f", {"k": "string", "v": "int64"}, "k")
    with pytest.raises(apiary.ApiaryError, match="k"):
        frame.write({"k": ["a", None], "v": [1, 2]})
    assert frame.describe()["version"] == 0


def test_rows_outside_an_overwrites_condition(box: Box) -> None:
    frame = box.create_frame("f", {"k": "string", "v": "int64"}, "k")
    frame.write({"k": ["a"], "v": [1]})
    with pytest.raises(apiary.ApiaryError):
        frame.overwrite({"k": ["b"], "v": [2]}, where={"k": "a"})
    assert frame.read().to_pylist() == [{"k": "a", "v": 1}]


# -------------------------------------------------------------------------------- SQL and more


def test_sql_errors(ap: Apiary, orders: Frame) -> None:
    with pytest.raises(apiary.SqlSyntaxError) as caught:
        ap.sql("SELEKT 1")
    assert caught.value.sqlstate == "42601"
    with pytest.raises(apiary.SqlError, match="amout"):
        ap.sql("SELECT amout FROM warehouse.sales.orders")
    with pytest.raises(apiary.SqlError, match="abc"):
        ap.sql("SELECT 'abc'::INTEGER")
    with pytest.raises(apiary.ApiaryError):
        ap.sql("")
    with pytest.raises(apiary.ApiaryError):
        ap.sql("SELECT ?")


def test_an_error_in_the_middle_of_an_answer(ap: Apiary, tmp_path: Path) -> None:
    query = (
        "SELECT CASE WHEN i = 900000 THEN error('row ' || i) ELSE i END FROM range(1000000) r(i)"
    )
    with Apiary("one", tmp_path / "one", bees=1) as one:
        with pytest.raises(apiary.SqlError, match="row 900000"):
            one.sql(query)
        assert one.sql("SELECT 1").fetchall() == [(1,)]
    # With several threads the engine may tell of another one's interrupt instead of the row.
    with pytest.raises(apiary.SqlError, match="row"):
        ap.sql(query)
    assert ap.sql("SELECT 1").fetchall() == [(1,)]


def test_a_deadline(ap: Apiary) -> None:
    query = "SELECT COUNT(*) FROM range(100000000000) a(i) WHERE hash(i) % 7 = 3"
    with pytest.raises(apiary.TaskTimeout) as caught:
        ap.sql(query, timeout=0.2)
    assert caught.value.retryable
    with pytest.raises(apiary.InvalidArgument):
        ap.sql("SELECT 1", timeout=0)


def test_memory_that_does_not_suffice(tmp_path: Path) -> None:
    with Apiary("small", tmp_path, memory="128MiB", bees=1) as ap:
        query = "SELECT list(i) FROM range(100000000) r(i)"
        with pytest.raises(apiary.MemoryExceeded) as caught:
            ap.sql(query)
        assert caught.value.retryable
        assert caught.value.sqlstate == "53200"
        assert caught.value.budget is not None
        assert 32 << 20 <= caught.value.budget <= 128 << 20
        assert ap.sql("SELECT 1").fetchall() == [(1,)]


@pytest.mark.parametrize(
    "options",
    [{"storage": "ftp://x/y"}, {"storage": "local://"}, {"memory": 1}, {"memory": "1KiB"}],
)
def test_settings_that_cannot_be(tmp_path: Path, options: dict[str, Any]) -> None:
    ap = Apiary("x", **{"storage": tmp_path, **options})
    with pytest.raises(apiary.ConfigError):
        ap.start()
    assert not ap.running


@pytest.mark.parametrize("options", [{"memory": "lots"}, {"memory": -1}, {"bees": 0}])
def test_arguments_that_cannot_be(options: dict[str, Any]) -> None:
    with pytest.raises(apiary.InvalidArgument):
        Apiary("x", **options)


def test_a_storage_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(apiary.ApiaryError, match="file"):
        Apiary("x", tmp_path / "file").start()


def test_wrong_words(orders: Frame) -> None:
    with pytest.raises(apiary.InvalidArgument, match="'never'"):
        orders.write({"a": [1]}, backpressure="never")
    with pytest.raises(apiary.InvalidArgument):
        orders.read(columns=[])
    with pytest.raises(apiary.InvalidArgument):
        orders.read(version=-1)
    with pytest.raises(TypeError):
        orders.read(filter=7)  # type: ignore[arg-type]
    with pytest.raises(apiary.InvalidArgument):
        orders.history(limit=0)


def test_arrow_data_that_lies_is_refused(box: Box) -> None:
    frame = box.create_frame("f", {"v": "string"})
    offsets = pa.py_buffer(struct.pack("<4i", 0, 5, 2, 7))
    array = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"abcdefgh")])
    with pytest.raises(apiary.InvalidArgument, match="'v'"):
        frame.write(pa.record_batch([array], ["v"]))
    for bytes_ in (b"", b"no Arrow", b"\xff\xff\xff\xff\x10\x00\x00\x00" + bytes(40)):
        with pytest.raises(apiary.ApiaryError):
            frame.write(bytes_)
    assert frame.describe()["version"] == 0


def test_a_corrupt_ledger_is_named(orders: Frame) -> None:
    log = Path(orders.describe()["location"]) / "_delta_log"
    broken = log / "00000000000000000002.json"
    broken.write_text('{"add": {"path": ')
    with Apiary("again", log.parents[0]), pytest.raises(apiary.CorruptError, match=r"0002\.json"):
        orders.read()
