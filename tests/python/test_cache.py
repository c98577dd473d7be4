# SPDX-License-Identifier: Apache-2.0
"""The cell cache never shows: answers are those of the cells, whatever happens to cells and copies.

Method: with an eager cache every query reads decoded copies. Frames of every type are compared bit
by bit with what was written; frames that are appended to, overwritten, dropped, made again, renamed
and looked at in the past are compared with a model; files of the cache are damaged and removed
under a running apiary; processes that use the cache are killed. AP_TEST_SEED replays the choices.
"""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apiary
import deltalake
import pyarrow as pa
import pytest
from tables import COLUMNS, SOAK, rows, seeded, table

DEADLINE_S = 60.0


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[apiary.Apiary]:
    """An apiary whose queries read nothing but copies."""
    monkeypatch.setenv("APIARY_CELL_CACHE", "eager")
    with apiary.Apiary("test", tmp_path / "storage") as started:
        started.create_hive("h").create_box("b")
        yield started


def cache_of(ap: apiary.Apiary) -> dict[str, Any]:
    found: dict[str, Any] = ap.status()["cell_cache"]
    return found


def files_of(storage: Path) -> list[Path]:
    return sorted((storage / "_apiary" / "cache").glob("*/*.db"))


def wait_until(what: Any) -> None:
    ends = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < ends, "it did not come about"
        time.sleep(0.02)


def bits(value: Any) -> Any:
    """A value in which -0.0 is not 0.0 and NaN is itself."""
    if isinstance(value, float):
        return "nan" if value != value else struct.pack("d", value)
    if isinstance(value, list):
        return [bits(item) for item in value]
    if isinstance(value, tuple):
        return tuple(bits(item) for item in value)
    if isinstance(value, dict):
        return {name: bits(item) for name, item in value.items()}
    return value


def test_what_is_read_twice_is_copied_in_the_background(ap: apiary.Apiary, tmp_path: Path) -> None:
    frame = ap.create_hive("h").create_box("b").create_frame("f", {"a": "int64"})
    for i in range(4):
        frame.write({"a": [i, i + 10]})
    ask = "SELECT count(*), sum(a)::BIGINT FROM h.b.f"
    assert ap.sql(ask).fetchall() == [(8, 52)]
    assert cache_of(ap)["filling"] is False
    assert ap.sql(ask).fetchall() == [(8, 52)]
    wait_until(lambda: cache_of(ap)["cells"] == 4)
    before = cache_of(ap)
    assert ap.sql(ask).fetchall() == [(8, 52)]
    after = cache_of(ap)
    assert after["hits"] == before["hits"] + 4
    assert after["misses"] == before["misses"]
    assert after["files"] == len(files_of(tmp_path / "storage")) == 1
    assert 0 < after["used_bytes"] <= after["budget_bytes"]
    ap.shutdown()
    assert list((tmp_path / "storage" / "_apiary" / "cache").iterdir()) == []


@pytest.mark.parametrize(("mode", "size"), [("off", ""), ("on", "0")])
def test_it_can_be_switched_off(
    mode: str, size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APIARY_CELL_CACHE", mode)
    monkeypatch.setenv("APIARY_CACHE_SIZE", size)
    with apiary.Apiary("test", tmp_path / "storage") as ap:
        frame = ap.create_hive("h").create_box("b").create_frame("f", {"a": "int64"})
        frame.write({"a": [1]})
        for _ in range(3):
            assert ap.sql("SELECT a FROM h.b.f").fetchall() == [(1,)]
        assert ap.status()["cell_cache"] is None
        assert files_of(tmp_path / "storage") == []


@pytest.mark.parametrize(
    ("name", "value"), [("APIARY_CELL_CACHE", "perhaps"), ("APIARY_CACHE_SIZE", "much")]
)
def test_settings_that_mean_nothing(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(apiary.ApiaryError, match=f"{name} is '{value}'"):
        apiary.Apiary("test", tmp_path / "storage").start()


def test_every_type_bit_by_bit(
    eager: apiary.Apiary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = seeded("test_every_type_bit_by_bit")
    columns = list(COLUMNS)
    words = {name: word for name, (word, _) in COLUMNS.items()}
    frame = eager.hive("h").box("b").create_frame("f", words)
    for i in range(4):
        frame.write(table(rows(draw, columns, i * 1000, 300), columns))
    flat = eager.hive("h").box("b").create_frame("g", {"id": "int64", "double": "float64"})
    flat.write(table(rows(draw, ["id", "double"], 0, 3000), ["id", "double"]))
    monkeypatch.setenv("APIARY_CELL_CACHE", "off")
    with apiary.Apiary("plain", tmp_path / "storage") as plain:
        for name in ("f", "g"):
            ask = f"SELECT * FROM h.b.{name} ORDER BY id"
            got = eager.sql(ask).to_arrow().to_pylist()
            expected = plain.sql(ask).to_arrow().to_pylist()
            for row, cells in zip(got, expected, strict=True):
                for column, value in row.items():
                    assert bits(value) == bits(cells[column]), f"row {row['id']}, {column}"
    assert cache_of(eager)["cells"] == 5
    signs = {struct.pack("d", row["double"]) for row in got if row["double"] == 0}
    assert len(signs) == 2  # both zeros were there


def test_columns_of_nothing_but_nan(eager: apiary.Apiary) -> None:
    eager.sql("USE h.b; CREATE FRAME n (a DOUBLE, b REAL, s STRUCT(x DOUBLE))")
    query = "SELECT min(a), max(a), min(b), max(b), min(s.x), max(s.x) FROM n"
    for values in ["('nan', 'nan', {'x': 'nan'})", "(NULL, NULL, {'x': NULL})"]:
        eager.sql(f"INSERT INTO n VALUES {values}")
        for _ in range(3):
            assert str(eager.sql(query).fetchall()[0]) == str((float("nan"),) * 6)
    eager.sql("INSERT INTO n VALUES ('-inf', 1, {'x': 'inf'})")
    wanted = (float("-inf"), float("nan"), 1.0, float("nan"), float("inf"), float("nan"))
    assert str(eager.sql(query).fetchall()[0]) == str(wanted)


def test_zeros_of_both_signs_are_not_made_one(eager: apiary.Apiary) -> None:
    """The engine's storage keeps a block of equal values as one value."""
    frame = eager.hive("h").box("b").create_frame("f", {"n": "int64", "x": "float64"})
    values = [-0.0 if n % 2 else 0.0 for n in range(5000)]
    frame.write(pa.table({"n": range(5000), "x": values}))
    for _ in range(2):
        got = eager.sql("SELECT x FROM h.b.f ORDER BY n").to_arrow()["x"].to_pylist()
        assert bits(got) == bits(values)


def test_partitions_and_other_writers(eager: apiary.Apiary, tmp_path: Path) -> None:
    """Partition values that only paths say, columns that only some files have, deleted rows."""
    place = str(tmp_path / "storage" / "lake")
    days = pa.table({"day": ["a b", "c=d/%", None, "a b"], "n": pa.array([1, 2, 3, 4], pa.int32())})
    deltalake.write_deltalake(place, days, partition_by=["day"])
    more = pa.table({"day": ["a b"], "n": pa.array([5], pa.int32()), "s": ["x"]})
    deltalake.write_deltalake(place, more, mode="append", schema_mode="merge")
    eager.attach_frame("h", "b", "t", "lake")
    ask = "SELECT day, n, s FROM h.b.t ORDER BY n"
    rows = [("a b", 1, None), ("c=d/%", 2, None), (None, 3, None), ("a b", 4, None)]
    assert eager.sql(ask).fetchall() == [*rows, ("a b", 5, "x")]
    deltalake.DeltaTable(place).delete("n = 2")
    deltalake.write_deltalake(place, more, mode="append")
    assert eager.sql(ask).fetchall() == [rows[0], *rows[2:], ("a b", 5, "x"), ("a b", 5, "x")]
    assert eager.sql("SELECT count(*) FROM h.b.t WHERE day = 'a b'").fetchall() == [(4,)]
    assert cache_of(eager)["failed_fills"] == 0
    assert cache_of(eager)["hits"] >= 10


class Model:
    """A frame as Python knows it: its rows at each version."""

    def __init__(self) -> None:
        self.versions: dict[int, list[tuple[int, str]]] = {}

    @property
    def rows(self) -> list[tuple[int, str]]:
        return self.versions[max(self.versions)]


def test_changes_show_at_once(eager: apiary.Apiary, tmp_path: Path) -> None:
    rng = seeded("test_changes_show_at_once")
    box = eager.hive("h").box("b")
    words = {"n": "int64", "part": "string"}
    models: dict[str, Model] = {}
    number = 0
    for turn in range(1200 if SOAK else 150):
        name = rng.choice(["f", "g"])
        model = models.get(name)
        if model is None or rng.random() < 0.03:
            if model is not None:
                box.frame(name).drop()
            box.create_frame(name, words, partition_by=["part"] if rng.random() < 0.5 else None)
            model = models[name] = Model()
            model.versions[0] = []
        elif rng.random() < 0.1:  # under another name for a while
            box.frame(name).rename("moved")
            found = eager.sql("SELECT n, part FROM h.b.moved ORDER BY n").fetchall()
            assert found == sorted(model.rows)
            box.frame("moved").rename(name)
        elif rng.random() < 0.6:
            made = [(number + i, rng.choice("xyz")) for i in range(rng.choice([1, 3, 50]))]
            number += len(made)
            values = {"n": [n for n, _ in made], "part": [part for _, part in made]}
            replace = rng.random() < 0.2
            target = box.frame(name)
            done = (target.overwrite if replace else target.write)(values)
            model.versions[done["version"]] = made if replace else model.rows + made
        at = ""
        expected = model.rows
        if rng.random() < 0.3:
            version = rng.choice(list(model.versions))
            at, expected = f" AT (VERSION => {version})", model.versions[version]
        where = rng.choice(["", f" WHERE n > {number // 2}", " WHERE part = 'x'"])
        if "n >" in where:
            expected = [row for row in expected if row[0] > number // 2]
        elif where:
            expected = [row for row in expected if row[1] == "x"]
        got = eager.sql(f"SELECT n, part FROM h.b.{name}{at}{where} ORDER BY n").fetchall()
        assert got == sorted(expected), f"turn {turn}, {name}{at}{where}"
    counts = cache_of(eager)
    assert counts["failed_fills"] == 0
    assert counts["hits"] > counts["misses"]
    assert counts["files"] == len(files_of(tmp_path / "storage"))
    for name in models:
        box.frame(name).drop()
    assert cache_of(eager)["files"] == 0
    assert files_of(tmp_path / "storage") == []


@pytest.mark.parametrize("damage", ["junk", "cut", "gone"])
@pytest.mark.parametrize("known", [False, True])
def test_damaged_files_are_done_without(
    damage: str, known: bool, eager: apiary.Apiary, tmp_path: Path
) -> None:
    """known: the chamber has the file open already."""
    frame = eager.hive("h").box("b").create_frame("f", {"a": "int64", "s": "string"})
    count = 200_000
    frame.write({"a": list(range(count)), "s": [f"text {i * 7919 % count}" for i in range(count)]})
    ask = "SELECT count(*), sum(a)::BIGINT, max(s) FROM h.b.f"
    if known:
        assert eager.sql("SELECT count(*) FROM h.b.f WHERE a = 1").fetchall() == [(1,)]
    else:  # bound, but nothing is read
        assert len(eager.sql("EXPLAIN SELECT a FROM h.b.f")) > 0
    (path,) = files_of(tmp_path / "storage")
    size = path.stat().st_size
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        os.truncate(path, size // 3)
    else:
        with path.open("r+b") as file:
            file.seek(12288)
            file.write(b"\x5a" * (size - 12288))
    expected = [(count, count * (count - 1) // 2, "text 99999")]
    for _ in range(3):
        assert eager.sql(ask).fetchall() == expected
    assert cache_of(eager)["cells"] == 1


def test_readers_and_writers_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer moves one sum about among rows that it replaces and appends; readers, whose reading
    makes copies and merges them, see no other sum."""
    monkeypatch.setenv("APIARY_CACHE_SIZE", "3MB")  # so that copies go, too
    ends = time.monotonic() + (60 if SOAK else 8)
    failures: list[str] = []
    reads = [0]
    with apiary.Apiary("test", tmp_path / "storage", relaxed=True) as ap:
        box = ap.create_hive("h").create_box("b")
        frame = box.create_frame("f", {"n": "int64", "v": "int64"})
        frame.overwrite({"n": [0], "v": [1000]})
        other = box.create_frame("g", {"n": "int64", "v": "int64"})
        for i in range(20):
            other.write({"n": list(range(i * 2000, i * 2000 + 2000)), "v": [1] * 2000})

        def write() -> None:
            rng = random.Random(1)
            try:
                while time.monotonic() < ends and not failures:
                    if rng.random() < 0.2:
                        parts = [rng.randrange(100) for _ in range(9)]
                        parts.append(1000 - sum(parts))
                        frame.overwrite({"n": list(range(10)), "v": parts})
                    else:
                        amount = rng.randrange(100)
                        frame.write({"n": [1, 2], "v": [amount, -amount]})
            except apiary.ApiaryError as error:
                failures.append(repr(error))

        def read() -> None:
            try:
                while time.monotonic() < ends and not failures:
                    rows = ap.sql("SELECT sum(v)::BIGINT FROM h.b.f").fetchall()
                    if rows != [(1000,)]:
                        failures.append(f"{rows}")
                    rows = ap.sql("SELECT sum(v)::BIGINT FROM h.b.g WHERE n >= 100").fetchall()
                    if rows != [(39900,)]:
                        failures.append(f"{rows}")
                    reads[0] += 1
            except apiary.ApiaryError as error:
                failures.append(repr(error))

        threads = [threading.Thread(target=run) for run in (write, read, read)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        counts = cache_of(ap)
    assert not failures
    assert reads[0] > 10
    assert counts["admissions"] > 0, counts
    assert counts["failed_fills"] == 0, counts


CHILD = """
import sys, time, apiary
ap = apiary.Apiary("x", sys.argv[1]); ap.start()
print(ap.sql("SELECT sum(a)::BIGINT FROM h.b.f").fetchall(), flush=True)
sys.stdin.readline()
print(ap.sql("SELECT sum(a)::BIGINT FROM h.b.f").fetchall(), flush=True)
"""


def test_processes_do_not_meet_and_the_dead_leave_nothing(
    eager: apiary.Apiary, tmp_path: Path
) -> None:
    storage = tmp_path / "storage"
    frame = eager.hive("h").box("b").create_frame("f", {"a": "int64"})
    frame.write({"a": [1, 2, 3]})

    def child() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CHILD, str(storage)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    first, second = child(), child()
    assert first.stdout is not None and second.stdout is not None and second.stdin is not None
    assert first.stdout.readline() == "[(6,)]\n"
    assert second.stdout.readline() == "[(6,)]\n"
    assert len(files_of(storage)) == 2
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert eager.sql("SELECT sum(a)::BIGINT FROM h.b.f").fetchall() == [(6,)]  # and sweeps
    assert len(files_of(storage)) == 2
    second.stdin.write("\n")
    second.stdin.flush()
    assert second.stdout.readline() == "[(6,)]\n"
    assert second.wait() == 0
    assert len(files_of(storage)) == 1
    eager.shutdown()
    assert list((storage / "_apiary" / "cache").iterdir()) == []
