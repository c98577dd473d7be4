# SPDX-License-Identifier: Apache-2.0
"""Processes that write at once: every row once, no error, and some serial order explains the rest.

Method: eight processes start together, each with an apiary of its own on one storage. What they
report (version, what they wrote) is compared with what deltalake reads of every version: the
ledger's own order is the serial order that must explain each of them.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.forkserver
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apiary
import deltalake
import pyarrow as pa
import pytest
from tables import SOAK, seeded

PROCESSES = 8
WRITES = 200 if SOAK else 50
PARTS = ["a", "b", "c"]
SCHEMA = pa.schema([("writer", pa.int64()), ("n", pa.int64()), ("part", pa.string())])
Row = tuple[int, int, str]


def table(rows: list[Row]) -> pa.Table:
    columns = list(zip(*rows)) or [(), (), ()]
    return pa.Table.from_arrays(
        [pa.array(c, f.type) for c, f in zip(columns, SCHEMA)], schema=SCHEMA
    )


def rows_of(data: pa.Table) -> list[Row]:
    return sorted((r["writer"], r["n"], r["part"]) for r in data.to_pylist())


def guarded(
    body: Callable[..., Any], start: Any, answers: Any, number: int, arguments: tuple[Any, ...]
) -> None:
    """Run a body once all are ready; its answer, or its error as text, goes into the queue."""
    try:
        start.wait(120)
        answers.put((number, body(number, *arguments), None))
    except Exception as error:
        answers.put((number, None, f"{type(error).__name__}: {error}"))


def together(patch: pytest.MonkeyPatch, body: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What eight processes answer that do the same at once; no error may reach any of them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with patch.context() as settings:
        settings.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
        multiprocessing.forkserver.ensure_running()
    start, answers = context.Barrier(PROCESSES), context.Queue()
    processes = [
        context.Process(target=guarded, args=(body, start, answers, number, arguments))
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    found: dict[int, Any] = {}
    try:
        for _ in processes:
            number, answer, error = answers.get(timeout=240)
            assert error is None, f"process {number}: {error}"
            found[number] = answer
        for process in processes:
            process.join(60)
            assert process.exitcode == 0
    finally:
        for process in processes:
            process.kill()
            process.join()
    return [found[number] for number in range(PROCESSES)]


@pytest.fixture
def frame(ap: apiary.Apiary) -> apiary.Frame:
    words = {"writer": "int64", "n": "int64", "part": "string"}
    return ap.create_hive("h").create_box("b").create_frame("f", words, partition_by=["part"])


def storage_of(frame: apiary.Frame) -> str:
    return str(Path(frame.describe()["location"]).parents[2])


# ---------------------------------------------------------------------------------------- appends


def append(number: int, storage: str) -> list[int]:
    with apiary.Apiary("writer", storage, bees=1) as ap:
        return [
            int(ap.write_to_frame("h", "b", "f", table([(number, n, PARTS[n % 3])]))["version"])
            for n in range(WRITES)
        ]


def test_every_append_of_eight_processes_is_there_once(
    frame: apiary.Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = together(monkeypatch, append, storage_of(frame))
    assert sorted(v for mine in versions for v in mine) == list(range(1, PROCESSES * WRITES + 1))
    assert all(mine == sorted(mine) for mine in versions), "a process's own order was lost"
    expected = sorted((p, n, PARTS[n % 3]) for p in range(PROCESSES) for n in range(WRITES))
    assert rows_of(frame.read()) == expected
    theirs = deltalake.DeltaTable(frame.describe()["location"])
    assert rows_of(theirs.to_pyarrow_table()) == expected
    assert theirs.version() == PROCESSES * WRITES
    assert len(frame.history()) == PROCESSES * WRITES + 1


# --------------------------------------------------------------------------------- and overwrites

# What a process did: the version it landed on, what kind of write, its rows, the replaced part.
Done = tuple[int, str, list[Row], str]


def mix(number: int, storage: str, seed: int) -> list[Done]:
    draw = random.Random(seed + number)
    done: list[Done] = []
    with apiary.Apiary("writer", storage, bees=1) as ap:
        frame = ap.hive("h").box("b").frame("f")
        for n in range(WRITES // 2):
            kind = draw.choice(["append"] * 5 + ["replace"] * 2 + ["overwrite"])
            part = draw.choice(PARTS)
            rows = [
                (number, n * 10 + k, part if kind == "replace" else draw.choice(PARTS))
                for k in range(draw.randint(1, 3))
            ]
            if kind == "append":
                written = frame.write(table(rows))
            else:
                where = {"part": part} if kind == "replace" else None
                written = frame.overwrite(table(rows), where)
            done.append((int(written["version"]), kind, rows, part))
            if draw.random() < 0.1:
                frame.checkpoint()
    return done


def test_some_serial_order_explains_appends_and_overwrites(
    frame: apiary.Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = seeded("mix").getrandbits(31)
    done = [one for mine in together(monkeypatch, mix, storage_of(frame), seed) for one in mine]
    by_version = {version: one for version, *one in done}
    last = PROCESSES * (WRITES // 2)
    assert sorted(by_version) == list(range(1, last + 1)), "a version is missing or was made twice"
    place = frame.describe()["location"]
    rows: list[Row] = []
    for version in range(1, last + 1):
        kind, fresh, part = by_version[version]
        if kind == "overwrite":
            rows = []
        elif kind == "replace":
            rows = [row for row in rows if row[2] != part]
        rows = sorted([*rows, *fresh])
        if version % 5 == 0 or version == last:
            theirs = deltalake.DeltaTable(place, version=version).to_pyarrow_table()
            assert rows_of(theirs) == rows, f"version {version}, as deltalake reads it"
        assert rows_of(frame.read(version=version)) == rows, f"version {version}: {kind} {part}"
    assert rows_of(frame.read()) == rows


# ------------------------------------------------------------------------------------ definitions


def define(number: int, storage: str) -> list[str]:
    with apiary.Apiary("definer", storage, bees=1) as ap:
        for n in range(6):
            box = ap.create_hive(f"hive {n}").create_box("b")
            made = box.create_frame("f", {"id": "int64", "by": "int64"})
            made.write(pa.table({"id": [n], "by": [number]}))
        return ap.list_hives()


def test_eight_processes_create_the_same_at_once(
    ap: apiary.Apiary, monkeypatch: pytest.MonkeyPatch
) -> None:
    ap.create_hive("before")
    storage = str(ap.status()["storage"]).removeprefix("local://")
    answers = together(monkeypatch, define, storage)
    names = ["before", *(f"hive {n}" for n in range(6))]
    assert all(hives == names for hives in answers)
    assert ap.list_hives() == names
    for n in range(6):
        assert ap.list_frames(f"hive {n}", "b") == ["f"]
        found = ap.read_from_frame(f"hive {n}", "b", "f").to_pylist()
        assert sorted(row["by"] for row in found) == list(range(PROCESSES))


def test_two_apiaries_see_each_others_definitions(ap: apiary.Apiary) -> None:
    storage = str(ap.status()["storage"])
    with apiary.Apiary("other", storage) as other:
        box = ap.create_hive("h").create_box("b")
        mine = box.create_frame("f", {"id": "int64"})
        theirs = other.hive("h").box("b").frame("f")
        theirs.write({"id": [1]})
        assert mine.read().to_pylist() == [{"id": 1}]
        mine.rename("g")
        with pytest.raises(apiary.NotFound, match=r"h\.b\.f does not exist"):
            theirs.read()
        assert other.sql("SELECT id FROM h.b.g").fetchall() == [(1,)]
        other.drop_frame("h", "b", "g")
        with pytest.raises(apiary.NotFound):
            mine.read()
        with pytest.raises(apiary.ApiaryError):
            ap.sql("SELECT * FROM h.b.g")
        # A new frame of an old name is a new one.
        box.create_frame("g", {"word": "string"}).write({"word": ["x"]})
        assert other.sql("SELECT * FROM h.b.g").fetchall() == [("x",)]
        other.drop_hive("h", cascade=True)
        assert ap.list_hives() == []


def rename_back_and_forth(number: int, storage: str) -> int:
    """Half rename, half write; a write lands or is told that the name is gone."""
    landed = 0
    with apiary.Apiary("renamer", storage, bees=1) as ap:
        for n in range(20):
            try:
                if number == 0:
                    ap.rename_frame("h", "b", *(("f", "g") if n % 2 == 0 else ("g", "f")))
                else:
                    ap.write_to_frame("h", "b", "f", table([(number, n, "a")]))
                    landed += 1
            except apiary.NotFound:
                pass
    return landed


def test_renames_lose_no_row(frame: apiary.Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    landed = together(monkeypatch, rename_back_and_forth, storage_of(frame))
    rows = rows_of(frame.read())
    for number, count in enumerate(landed):
        assert len([row for row in rows if row[0] == number]) == count
    assert len(set(rows)) == len(rows)
