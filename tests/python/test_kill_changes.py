# SPDX-License-Identifier: Apache-2.0
"""Processes that die while they change rows: each statement is there whole or not at all.

Method: as test_kill, with UPDATE, DELETE, MERGE, TRUNCATE, OPTIMIZE, CREATE OR REPLACE, RESTORE
and whole transactions, over frames with and without partitions, deletion vectors and change feed.
After each kill every frame must hold what the acknowledged statements come to, or that with the
one it was at; a model in Python says what that is. deltalake must read the same rows, CHECK FRAME
find nothing wrong, and the change feed tell, version by version, what leads to the rows there.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import apiary
import deltalake
import pytest
from tables import SOAK, seeded
from test_kill import run_and_kill, server

KILLS = 40 if SOAK else 20
SERIES = 16 if SOAK else 2
ROWS = 400
FRAMES = {
    "plain": ("PARTITIONED BY (part)", False, False),
    "marked": ("", True, False),
    "fed": ("", False, True),
    "rich": ("PARTITIONED BY (part)", True, True),
}
KINDS = ["insert", "update", "update", "delete", "merge", "merge", "transaction", "optimize"]
RARE = ["truncate", "overwrite", "replace", "checkpoint"]

Rows = dict[int, tuple[int, int]]  # id -> v, part
Model = dict[str, Rows]
Change = tuple[str, str, int]  # what, frame, a number of its own


def properties(frame: str) -> str:
    place, vectors, feed = FRAMES[frame]
    return (
        f"{place} TBLPROPERTIES ('delta.enableDeletionVectors' = '{str(vectors).lower()}', "
        f"'delta.enableChangeDataFeed' = '{str(feed).lower()}', 'delta.checkpointInterval' = '7')"
    )


def statement(change: Change) -> str:
    kind, frame, n = change
    update = f"UPDATE {frame} SET v = {n}, part = (id + {n}) % 3 WHERE id % 5 = {n % 5}"
    delete = f"DELETE FROM {frame} WHERE id % 7 = {n % 7}"
    merge = (
        f"MERGE INTO {frame} AS t USING (SELECT i AS id FROM range({ROWS}) r(i) "
        f"WHERE i % 3 = {n % 3}) AS s ON t.id = s.id WHEN MATCHED AND t.id % 2 = 0 THEN DELETE "
        f"WHEN MATCHED THEN UPDATE SET v = {n} "
        f"WHEN NOT MATCHED THEN INSERT (id, v, part) VALUES (s.id, {n}, s.id % 3)"
    )
    return {
        "insert": f"INSERT INTO {frame} SELECT {ROWS} + {n} * 10 + i, {n}, i FROM range(3) r(i)",
        "update": update,
        "delete": delete,
        "merge": merge,
        "transaction": f"BEGIN; {update}; {merge}; {delete}; COMMIT",
        "optimize": f"OPTIMIZE {frame}",
        "truncate": f"TRUNCATE {frame}",
        "overwrite": f"INSERT OVERWRITE {frame} SELECT i, {n}, i % 3 FROM range({ROWS}) r(i)",
        "replace": f"CREATE OR REPLACE FRAME {frame} {properties(frame)} "
        f"AS SELECT id, v + 1 AS v, part FROM {frame}",
    }[kind]


def updated(rows: Rows, n: int) -> Rows:
    return {i: (n, (i + n) % 3) if i % 5 == n % 5 else row for i, row in rows.items()}


def deleted(rows: Rows, n: int) -> Rows:
    return {i: row for i, row in rows.items() if i % 7 != n % 7}


def merged(rows: Rows, n: int) -> Rows:
    made = dict(rows)
    for i in range(n % 3, ROWS, 3):
        if i not in rows:
            made[i] = (n, i % 3)
        elif i % 2 == 0:
            del made[i]
        else:
            made[i] = (n, rows[i][1])
    return made


def after(model: Model, change: Change) -> Model:
    kind, frame, n = change
    rows = model.get(frame, {})
    made: Rows = {
        "insert": lambda: {**rows, **{ROWS + n * 10 + i: (n, i) for i in range(3)}},
        "update": lambda: updated(rows, n),
        "delete": lambda: deleted(rows, n),
        "merge": lambda: merged(rows, n),
        "transaction": lambda: deleted(merged(updated(rows, n), n), n),
        "truncate": dict,
        "overwrite": lambda: {i: (n, i % 3) for i in range(ROWS)},
        "replace": lambda: {i: (v + 1, part) for i, (v, part) in rows.items()},
    }.get(kind, lambda: rows)()
    return {**model, frame: made}


def choose(draw: random.Random, number: int) -> Change:
    frame = draw.choice(sorted(FRAMES))
    kind = draw.choice(KINDS if draw.random() < 0.85 else RARE)
    if kind == "transaction" and FRAMES[frame][2]:
        kind = "update"
    return kind, frame, number


def work(storage: str, seed: int, number: int, told: Any) -> None:
    draw = random.Random(seed)
    out = told.fileno()
    os.write(out, b'["ready"]\n')
    with apiary.Apiary("killed", storage) as ap:
        ap.sql("USE h.b")
        while True:
            number += 1
            change = choose(draw, number)
            os.write(out, json.dumps(["begin", change]).encode() + b"\n")
            try:
                if change[0] == "checkpoint":
                    ap.hive("h").box("b").frame(change[1]).checkpoint()
                else:
                    ap.sql(statement(change))
            except apiary.ApiaryError as error:
                os.write(out, json.dumps(["failed", change, str(error)]).encode() + b"\n")
                raise
            os.write(out, b'["done"]\n')


def replay(model: Model, told: list[list[Any]]) -> tuple[Model, Model]:
    maybe = model
    for line in told:
        assert line[0] != "failed", line
        if line[0] == "begin":
            maybe = after(model, tuple(line[1]))
        elif line[0] == "done":
            model = maybe
    return model, maybe


def as_rows(found: list[tuple[Any, ...]]) -> Rows:
    rows = {i: (v, part) for i, v, part in found}
    assert len(rows) == len(found), "a row is there twice"
    return rows


def found(ap: apiary.Apiary) -> Model:
    """What is there, as we and deltalake agree."""
    seen: Model = {}
    for frame in FRAMES:
        seen[frame] = as_rows(ap.sql(f"SELECT id, v, part FROM h.b.{frame}").fetchall())
        place = ap.get_frame("h", "b", frame)["location"]
        query = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(place))
        theirs = query.execute("SELECT id, v, part FROM t").read_all()
        columns = [theirs.column(i) for i in range(3)]
        assert as_rows(list(zip(*[[x.as_py() for x in c] for c in columns]))) == seen[frame]
    return seen


def version_of(ap: apiary.Apiary, frame: str) -> int:
    return int(ap.get_frame("h", "b", frame)["version"])


def check_feed(ap: apiary.Apiary, frame: str, before: Rows, since: int, now: Rows) -> None:
    """The changes told since a version lead from its rows to the rows now."""
    last = version_of(ap, frame)
    if last == since:
        assert before == now
        return
    rows = Counter((i, *row) for i, row in before.items())
    told = ap.sql(f"SHOW CHANGES IN h.b.{frame} FROM VERSION {since + 1} TO VERSION {last}")
    by_version: dict[int, list[dict[str, Any]]] = {}
    for row in told.to_pylist():
        by_version.setdefault(row["_commit_version"], []).append(row)
    for version in sorted(by_version):
        for row in by_version[version]:
            sign = -1 if row["_change_type"] in ("delete", "update_preimage") else 1
            rows[(row["id"], row["v"], row["part"])] += sign
        assert not [row for row, count in rows.items() if count not in (0, 1)], version
    assert {row for row, count in rows.items() if count} == {(i, *row) for i, row in now.items()}


def make_frames(ap: apiary.Apiary) -> Model:
    ap.create_hive("h").create_box("b")
    ap.sql("USE h.b")
    model: Model = {}
    for frame in FRAMES:
        ap.sql(f"CREATE FRAME {frame} (id int64, v int64, part int64) {properties(frame)}")
        model = {**model, frame: {}}
        ap.sql(statement(("overwrite", frame, 1)))
        model = after(model, ("overwrite", frame, 1))
    return model


@pytest.mark.parametrize("series", range(SERIES))
def test_killed_changes_are_whole(
    tmp_path: Path, series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = seeded("kill changes")
    storage = str(tmp_path / "storage")
    context = server(monkeypatch)
    acknowledged = 0
    with apiary.Apiary("lasting", storage) as lasting:
        model = make_frames(lasting)
        for kill in range(KILLS):
            versions = {frame: version_of(lasting, frame) for frame in FRAMES}
            changes, delay = draw.choice([0, *range(1, 7)]), draw.uniform(0.0, 0.06)
            seed = draw.getrandbits(32)
            told = run_and_kill(context, storage, seed, kill * 1000 + 1, changes, delay, work)
            acknowledged += sum(1 for line in told if line == ["done"])
            must, may = replay(model, told)
            now = found(lasting)
            assert now in (must, may), f"kill {kill} after {told[-2:]}"
            for frame, (_, _, feed) in FRAMES.items():
                if feed:
                    check_feed(lasting, frame, model[frame], versions[frame], now[frame])
                if kill % 10 == 9:
                    (row,) = lasting.sql(f"CHECK FRAME h.b.{frame}").to_pylist()
                    assert row["severity"] == "ok", row
            model = now
    assert acknowledged > KILLS, "they died before they did anything"
