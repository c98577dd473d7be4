# SPDX-License-Identifier: Apache-2.0
"""Changing rows of a large table: UPDATE of one percent and MERGE of 10,000, beside deltalake.

Both work on Delta tables of the same rows, each on a copy of its own, and the rows are compared
afterwards. deltalake does not sync what it writes, so we take part with and without.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import apiary
import deltalake
import duckdb
import pyarrow as pa

ROUNDS = 3
MERGED = 10_000


def table_of(rows: int) -> pa.Table:
    """rows x 6: a key in order, numbers, texts, a date."""
    made = duckdb.sql(
        "SELECT range AS id, (hash(range) % 1000)::BIGINT AS k, range / 4.0 AS price, "
        "'customer ' || (hash(range) % 50000) AS customer, "
        "DATE '2020-01-01' + (range % 2000)::INTEGER AS day, 'a note of row ' || range AS note "
        f"FROM range({rows})"
    )
    return made.to_arrow_table()


def changes_of(rows: int, turn: int) -> pa.Table:
    """Rows to merge: half of them there already, spread over the table."""
    made = duckdb.sql(
        f"SELECT (CASE WHEN range % 2 = 0 THEN range * {rows // MERGED} + {turn} "
        f"ELSE {rows} + {turn} * {MERGED} + range END)::BIGINT AS id, {turn}::BIGINT AS k, "
        "0.5::DOUBLE AS price, 'merged' AS customer, DATE '2026-01-01' AS day, 'new' AS note "
        f"FROM range({MERGED})"
    )
    return made.to_arrow_table()


def _summary(folder: str) -> tuple[object, ...]:
    rows = duckdb.from_arrow(deltalake.DeltaTable(folder).to_pyarrow_table())
    found = rows.aggregate("count(*), sum(id), sum(k), round(sum(price)), count(DISTINCT customer)")
    return tuple(found.fetchall()[0])


def _timed(actions: dict[str, Callable[[int], object]]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in actions}
    for turn in range(1, ROUNDS + 1):
        for name, action in actions.items():
            began = time.perf_counter()
            action(turn)
            times[name].append((time.perf_counter() - began) * 1e3)
    return times


def _print(title: str, times: dict[str, list[float]]) -> None:
    print(f"\n### {title}\n\n| contestant | ms best / median | against deltalake |\n|---|---|---|")
    base = statistics.median(times["deltalake"])
    for name, spent in times.items():
        middle = statistics.median(spent)
        print(f"| {name} | {min(spent):.0f} / {middle:.0f} | {base / middle:.2f}x |", flush=True)


class _Ours:
    """A frame t of the rows, in an apiary of its own."""

    def __init__(self, folder: Path, relaxed: bool, rows: pa.Table) -> None:
        self.apiary = apiary.Apiary("changes", str(folder), relaxed=relaxed)
        self.apiary.start()
        box = self.apiary.create_hive("bench").create_box("b")
        frame = box.create_frame("t", rows.schema)
        frame.write(rows)
        self.apiary.sql("USE bench.b")
        box.create_frame("changes", rows.schema)
        self.folder = str(frame.describe()["location"])

    def update(self, turn: int) -> None:
        self.apiary.sql(f"UPDATE t SET price = price + 1 WHERE id % 100 = {turn}")

    def merge(self, turn: int) -> None:
        self.apiary.sql(
            "MERGE INTO t USING changes AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET * "
            "WHEN NOT MATCHED THEN INSERT *"
        )

    def offer(self, changes: pa.Table) -> None:
        self.apiary.overwrite_frame("bench", "b", "changes", changes)


def bench_changes(folder: Path, count: int) -> None:
    """UPDATE one percent of the rows, then MERGE 10,000, three rounds each in turn."""
    rows = table_of(count)
    synced = _Ours(folder / "synced", False, rows)
    relaxed = _Ours(folder / "relaxed", True, rows)
    theirs = str(folder / "delta")
    deltalake.write_deltalake(theirs, rows)
    handle = deltalake.DeltaTable(theirs)

    def their_update(turn: int) -> None:
        handle.update(updates={"price": "price + 1"}, predicate=f"id % 100 = {turn}")

    times = _timed(
        {"Apiary": synced.update, "Apiary, relaxed": relaxed.update, "deltalake": their_update}
    )
    _print(f"UPDATE of 1% of {count:,} rows", times)
    assert _summary(synced.folder) == _summary(theirs) == _summary(relaxed.folder)

    def their_merge(turn: int) -> None:
        merger = handle.merge(
            changes_of(count, turn), "t.id = s.id", source_alias="s", target_alias="t"
        )
        merger.when_matched_update_all().when_not_matched_insert_all().execute()

    def our_merge(ours: _Ours, turn: int) -> None:
        ours.offer(changes_of(count, turn))
        ours.merge(turn)

    times = _timed(
        {
            "Apiary": lambda turn: our_merge(synced, turn),
            "Apiary, relaxed": lambda turn: our_merge(relaxed, turn),
            "deltalake": their_merge,
        }
    )
    _print(f"MERGE of {MERGED:,} rows into {count:,}", times)
    assert _summary(synced.folder) == _summary(theirs) == _summary(relaxed.folder)
    synced.apiary.shutdown()
    relaxed.apiary.shutdown()
