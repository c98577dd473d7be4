# SPDX-License-Identifier: Apache-2.0
"""Frames of every make, changed and queried at random, hold what tables of plain DuckDB hold.

Method: a world has two frames whose columns, kinds, partition columns and properties (deletion
vectors, change feed, column mapping, type widening) are drawn, and a table of DuckDB for each and
for some of their versions. The same changes go to both: with subqueries on the frame itself, on the
other and on the past in conditions and values, MERGE, transactions, alterations, maintenance,
RESTORE, rows that deltalake appends. After each the frames must hold the same rows, and queries of
many shapes must answer alike, with the cell cache and without. A failure shows the seed
(AP_TEST_SEED) and the last statements. AP_SOAK=1 draws many more worlds.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import deltalake
import pytest
from differential.statements import Statements
from differential.worlds import (
    FOREIGN,
    POOLS,
    UNORDERED,
    WIDER,
    Column,
    Frame,
    World,
)
from tables import seeded

SOAK = os.environ.get("AP_SOAK") == "1"
WORLDS = int(os.environ.get("AP_WORLDS", "300" if SOAK else "4"))
CHANGES = 40 if SOAK else 25  # of one world
QUERIES = 4  # after each
DEFAULT_SEED = 20261124

EXCUSES = "holds nulls|holds empty texts|columns called file_index"


class Sequence:
    """One world and what happens in it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.draw = world.draw
        self.statements = Statements(world)
        self.asked = 0

    def look(self, frame: Frame) -> None:
        self.world.compare(
            f"SELECT * FROM {frame.name}", f"SELECT * FROM {frame.name}", signed=True
        )

    def look_back(self, frame: Frame) -> None:
        version = self.draw.choice(frame.versions)
        self.world.compare(
            f"SELECT * FROM {frame.name} VERSION AS OF {version.number}",
            f"SELECT * FROM {version.table}",
            signed=True,
        )

    def change(self, frame: Frame) -> None:
        ours, plain = self.statements.change(frame)
        self.world.apply(ours, plain, EXCUSES)

    def transaction(self, frame: Frame) -> None:
        self.world.apply("BEGIN", "BEGIN")
        for _ in range(self.draw.randint(1, 4)):
            ours, plain = self.statements.change(frame)
            excuses = EXCUSES + "|keeps a change data feed"
            self.world.apply(ours, plain, excuses)
            self.look(frame)
        end = self.draw.choice(["COMMIT", "COMMIT", "ROLLBACK"])
        self.world.apply(end, end)

    def maintain(self, frame: Frame) -> None:
        name = frame.name
        sortable = [c for c in frame.columns if c.kind not in UNORDERED and not c.is_partition]
        order = ", ".join(c.text for c in self.draw.sample(sortable, min(2, len(sortable))))
        text = self.draw.choice(
            [
                f"OPTIMIZE {name}",
                f"OPTIMIZE {name} FULL",
                f"OPTIMIZE {name} ZORDER BY ({order})",
                f"ANALYZE {name}",
                f"VACUUM {name}",
            ]
        )
        self.world.apply(text, None, EXCUSES)

    def check(self, frame: Frame) -> None:
        self.world.statements.append(f"CHECK FRAME {frame.name}")
        found = self.world.apiary.sql(f"CHECK FRAME {frame.name}").fetchall()
        if [row[0] for row in found] != ["ok"]:
            raise AssertionError(f"CHECK FRAME {frame.name}: {found}")

    def alter(self, frame: Frame) -> None:
        draw = self.draw
        name = frame.name
        free = [c for c in frame.columns[1:] if not c.is_partition]
        what = draw.choice(["add", "drop", "rename", "widen"])
        if what == "add":
            kinds = [k for k in POOLS if k != "TIMESTAMPTZ" or self.world.as_text]
            column = Column(f"n{draw.randrange(100)}", draw.choice(kinds))
            if column.name in [c.name for c in frame.columns]:
                return
            sql = f"ALTER TABLE {name} ADD COLUMN {column.text} {column.kind}"
            if self.world.apply(sql, sql):
                frame.columns.append(column)
        elif what == "drop" and frame.mapping and len(free) > 1:
            column = draw.choice(free)
            sql = f"ALTER TABLE {name} DROP COLUMN {column.text}"
            if self.world.apply(sql, sql):
                frame.columns.remove(column)
        elif what == "rename" and frame.mapping:
            column = draw.choice(frame.columns[1:])
            renamed = draw.choice(["r", "k", "v", "Größe", "x1"]) + str(draw.randrange(9))
            if renamed in [c.name for c in frame.columns]:
                return
            sql = f"ALTER TABLE {name} RENAME COLUMN {column.text} TO {renamed}"
            if self.world.apply(sql, sql):
                column.name = renamed
        elif what == "widen" and frame.has("enableTypeWidening"):
            may = [c for c in frame.columns[1:] if c.kind in WIDER and not c.is_partition]
            if not may:
                return
            column = draw.choice(may)
            kind = draw.choice(WIDER[column.kind])
            sql = f"ALTER TABLE {name} ALTER COLUMN {column.text} TYPE {kind}"
            if self.world.apply(sql, sql):
                column.kind = kind

    def restore(self, frame: Frame) -> None:
        version = self.draw.choice(frame.versions)
        now = [(c.name, c.kind) for c in frame.columns]
        if [(c.name, c.kind) for c in version.columns] != now:
            return

        def plain() -> None:
            self.world.plain.execute(f"DELETE FROM {frame.name}")
            self.world.plain.execute(f"INSERT INTO {frame.name} FROM {version.table}")

        sql = f"RESTORE FRAME {frame.name} TO VERSION AS OF {version.number}"
        self.world.apply(sql, plain)

    def foreign(self, frame: Frame) -> None:
        """Rows that deltalake appends, nulls in partition columns among them, or deletes."""
        if not frame.takes_foreign or not all(c.kind in FOREIGN for c in frame.columns):
            return
        world, draw = self.world, self.draw
        location = world.apiary.get_frame("h", "b", frame.name)["location"]
        if draw.random() < 0.3:
            number = draw.randrange(5)
            world.statements.append(f"deltalake: DELETE FROM {frame.name} WHERE id % 5 = {number}")
            deltalake.DeltaTable(location).delete(f"id % 5 = {number}")
            world.plain.execute(f"DELETE FROM {frame.name} WHERE id % 5 = {number}")
            return
        rows = []
        for _ in range(draw.choice([1, 5, 20])):
            frame.next_id += 1
            values = []
            for column in frame.columns:
                value = world.value(column, typed=True)
                if column.is_partition:  # deltalake cannot write some others
                    value = f"CAST({draw.choice(POOLS[column.kind][:2])} AS {column.kind})"
                    if draw.random() < 0.2:
                        value = f"NULL::{column.kind}"
                        frame.has_null_partitions = True
                values.append(str(frame.next_id) if column.name == "id" else value)
            rows.append("(" + ", ".join(values) + ")")
        names = ", ".join(c.text for c in frame.columns)
        kinds = ", ".join(f"{c.text}::{c.kind} AS {c.text}" for c in frame.columns)
        sql = f"SELECT {kinds} FROM (VALUES {', '.join(rows)}) AS v({names})"
        table = world.plain.execute(sql).fetch_arrow_table()
        world.statements.append(f"deltalake: INSERT INTO {frame.name} {sql}")
        deltalake.write_deltalake(location, table, mode="append")
        world.plain.execute(f"INSERT INTO {frame.name} {sql}")

    def step(self) -> None:
        frame = self.draw.choice(list(self.world.frames.values()))
        makers: list[tuple[float, Any]] = [
            (12, self.change),
            (1, self.transaction),
            (2, self.maintain),
            (2, self.alter),
            (0.5, self.restore),
            (1.5, self.foreign),
            (0.3, self.check),
        ]
        self.draw.choices([m for _, m in makers], [w for w, _ in makers])[0](frame)
        self.look(frame)
        self.world.keep_version(frame)
        if self.draw.random() < 0.3:
            self.look_back(frame)
        for _ in range(QUERIES):
            ours, plain, ordered, parameters = self.statements.query()
            self.world.compare(ours, plain, ordered, parameters=parameters)
            self.asked += 1


@pytest.mark.parametrize("number", range(WORLDS))
def test_worlds(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = seeded("random frames")
    if not SOAK and "AP_TEST_SEED" not in os.environ:
        draw = random.Random(DEFAULT_SEED + number)
    monkeypatch.setenv("APIARY_CELL_CACHE", draw.choice(["eager", "off", "off"]))
    world = World(draw, tmp_path / "root")
    sequence = Sequence(world)
    try:
        for _ in range(CHANGES):
            sequence.step()
    except Exception as error:
        shown = "\n".join(f"{text};" for text in world.statements[:2] + world.statements[2:][-12:])
        after = f"after {len(world.statements)} statements and {sequence.asked} queries"
        raise AssertionError(f"{error}\n{after}; the frames and the last ones:\n{shown}") from error
    finally:
        world.close()
