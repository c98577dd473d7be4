# SPDX-License-Identifier: Apache-2.0
"""Processes that die at any moment lose nothing that they acknowledged and leave nothing by halves.

Method: a process works on a few frames (creates, appends, overwrites, replaces partitions, makes
checkpoints, drops) and tells by a pipe what it begins and what was acknowledged. It is killed at a
random moment. Then every frame must hold what the acknowledged changes come to, or that with the
change it was at as a whole, and deltalake must read the same rows. The next process goes on with
what the dead one left. AP_TEST_SEED replays the choices, though not the moment a change had
reached.
"""

from __future__ import annotations

import json
import multiprocessing
import multiprocessing.forkserver
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import apiary
import deltalake
import pyarrow as pa
import pytest
from tables import SOAK, seeded

KILLS = 50
SERIES = 20 if SOAK else 6
PARTS = ["a", "b c", "d/e=%"]
SCHEMA = pa.schema([("op", pa.int64()), ("n", pa.int64()), ("part", pa.string())])
WORDS = {"op": "int64", "n": "int64", "part": "string"}

Row = tuple[int, int, str]
Model = dict[str, set[Row]]  # frame -> its rows
# What is changed, the frame, a number of its own, how many rows, the partition that is replaced.
Change = tuple[str, str, int, int, str]


def new_rows(change: Change) -> list[Row]:
    kind, _, number, count, part = change
    if kind not in ("append", "overwrite", "replace"):
        return []
    return [(number, n, part if kind == "replace" else PARTS[n % 3]) for n in range(count)]


def after(model: Model, change: Change) -> Model:
    """What a change makes of the frames."""
    kind, frame, _, _, part = change
    made = dict(model)
    if kind == "drop":
        made.pop(frame, None)
        return made
    have = made.get(frame, set())
    if kind == "overwrite":
        have = set()
    elif kind == "replace":
        have = {row for row in have if row[2] != part}
    made[frame] = have | set(new_rows(change))
    return made


def apply(ap: apiary.Apiary, change: Change) -> None:
    kind, name, _, _, part = change
    frame = ap.hive("h").box("b").frame(name)
    data = pa.Table.from_arrays(
        [pa.array(c, f.type) for c, f in zip(zip(*new_rows(change)), SCHEMA)]
        or [pa.array([], f.type) for f in SCHEMA],
        schema=SCHEMA,
    )
    if kind == "create":
        ap.create_frame("h", "b", name, WORDS, partition_by=["part"])
    elif kind == "append":
        frame.write(data)
    elif kind == "overwrite":
        frame.overwrite(data)
    elif kind == "replace":
        frame.overwrite(data, {"part": part})
    elif kind == "checkpoint":
        frame.checkpoint()
    else:
        frame.drop()


def choose(draw: random.Random, frames: list[str], number: int) -> Change:
    kinds = ["append"] * 6 + ["overwrite", "replace", "replace", "checkpoint", "checkpoint"]
    absent = sorted({"f", "g", "it's"} - set(frames))
    if absent and (not frames or draw.random() < 0.2):
        return "create", draw.choice(absent), number, 0, ""
    if draw.random() < 0.03:
        return "drop", draw.choice(frames), number, 0, ""
    frame, kind = draw.choice(frames), draw.choice(kinds)
    return kind, frame, number, draw.randint(1, 5), draw.choice(PARTS)


def work(storage: str, seed: int, number: int, told: Any) -> None:
    """The process that dies. Every line is one write to the pipe, so none is ever torn."""
    draw = random.Random(seed)
    out = told.fileno()
    os.write(out, b'["ready"]\n')
    with apiary.Apiary("killed", storage) as ap:
        ap.create_hive("h").create_box("b")
        while True:
            number += 1
            change = choose(draw, ap.list_frames("h", "b"), number)
            os.write(out, json.dumps(["begin", change]).encode() + b"\n")
            try:
                apply(ap, change)
            except apiary.ApiaryError as error:
                os.write(out, json.dumps(["failed", change, str(error)]).encode() + b"\n")
                raise
            os.write(out, b'["done"]\n')


def server(patch: pytest.MonkeyPatch) -> Any:
    """Makes processes quickly, since it has this module and all that it needs."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with patch.context() as settings:
        settings.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
        multiprocessing.forkserver.ensure_running()
    return context


def run_and_kill(
    context: Any,
    storage: str,
    seed: int,
    number: int,
    changes: int,
    delay: float,
    target: Any = work,
) -> list[list[Any]]:
    """What a process told until it was killed, so many seconds after it began that many changes."""
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(storage, seed, number, sending))
    process.start()
    sending.close()
    told = b""
    try:
        while told.count(b'"begin"') < changes and receiving.poll(60):
            chunk = os.read(receiving.fileno(), 1 << 16)
            told += chunk
            if not chunk:
                break
        process.join(delay)
    finally:
        process.kill()
        process.join()
    while chunk := os.read(receiving.fileno(), 1 << 16):
        told += chunk
    receiving.close()
    assert process.exitcode == -signal.SIGKILL, f"it died by itself after {told[-2000:]!r}"
    return [json.loads(line) for line in told.splitlines()]


def replay(model: Model, told: list[list[Any]]) -> tuple[Model, Model]:
    """What must be there, and what may be there instead if the last change was made."""
    maybe = model
    for line in told:
        assert line[0] != "failed", line
        if line[0] == "begin":
            kind, frame, number, count, part = line[1]
            maybe = after(model, (kind, frame, number, count, part))
        elif line[0] == "done":
            model = maybe
    return model, maybe


def found(ap: apiary.Apiary) -> Model:
    """What is there, as we and deltalake agree."""
    seen: Model = {}
    if "h" not in ap.list_hives() or "b" not in ap.list_boxes("h"):
        return seen
    for name in ap.list_frames("h", "b"):
        ours = ap.read_from_frame("h", "b", name).to_pylist()
        place = ap.get_frame("h", "b", name)["location"]
        theirs = deltalake.DeltaTable(place).to_pyarrow_table().to_pylist()
        rows = [(row["op"], row["n"], row["part"]) for row in ours]
        assert sorted(rows) == sorted((row["op"], row["n"], row["part"]) for row in theirs)
        seen[name] = set(rows)
        assert len(seen[name]) == len(rows), "a row is there twice"
    return seen


@pytest.mark.parametrize("series", range(SERIES))
def test_killed_processes_lose_nothing(
    tmp_path: Path, series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = seeded("kill")
    storage = str(tmp_path / "storage")
    context = server(monkeypatch)
    model: Model = {}
    acknowledged = 0
    lasting = apiary.Apiary("lasting", storage)
    with lasting:
        for kill in range(KILLS):
            changes, delay = draw.choice([0, *range(1, 9)]), draw.uniform(0.0, 0.02)
            seed = draw.getrandbits(32)
            told = run_and_kill(context, storage, seed, kill * 1000, changes, delay)
            acknowledged += sum(1 for line in told if line == ["done"])
            must, may = replay(model, told)
            model = found(lasting)
            assert model in (must, may), f"kill {kill} after {told[-2:]}"
            if kill % 10 == 9:
                with apiary.Apiary("fresh", storage) as fresh:
                    assert found(fresh) == model
    assert acknowledged > KILLS, "they died before they did anything"
    # Whoever writes next sweeps what the dead left half done.
    with apiary.Apiary("sweeper", storage) as ap:
        apply(ap, ("create", "last", 1, 0, ""))
        apply(ap, ("append", "last", 1, 3, ""))
    assert [p.name for p in Path(storage, "_apiary", "staging").glob("*/*")] == []
