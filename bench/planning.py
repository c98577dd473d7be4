# SPDX-License-Identifier: Apache-2.0
"""Planning over a hundred thousand cells, of which only the ledger is there."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

import apiary

QUERIES = {
    "a number and a date": "a BETWEEN -50 AND -5 AND e >= DATE '2001-01-01'",
    "a time and a text": "b >= TIMESTAMP '2001-01-01' AND c = 'kez'",
    "the second condition decides": "a >= 0 AND d < -1",
    "one column": "a < -5",
}


def _write_cells(log: Path, count: int) -> None:
    """A commit that adds as many cells like the one that is there; their files never exist."""
    last = sorted(log.glob("*.json"))[-1]
    actions = [json.loads(text) for text in last.read_text().splitlines()]
    like = next(action["add"] for action in actions if "add" in action)
    lines = [json.dumps({"commitInfo": {"timestamp": int(time.time() * 1000)}})]
    for i in range(count):
        low = i * 7919 % count * 1000
        day = f"{2000 + i // 4000 % 25:04d}-{1 + i % 12:02d}-{1 + i % 28:02d}"
        minima = {"a": low, "b": f"{day}T00:00:00", "c": f"key {i:08d}", "d": low * 0.5, "e": day}
        maxima = {
            "a": low + 999,
            "b": f"{day}T23:59:59",
            "c": f"key {i:08d}zz",
            "d": low * 0.5 + 499.5,
            "e": day,
        }
        told = {
            "numRecords": 1000,
            "minValues": minima,
            "maxValues": maxima,
            "nullCount": dict.fromkeys(minima, 0),
        }
        add = like | {"path": f"cell-{i:07d}.parquet", "stats": json.dumps(told)}
        lines.append(json.dumps({"add": add}))
    (log / f"{int(last.stem) + 1:020d}.json").write_text("\n".join(lines) + "\n")


def time_planning(folder: Path, count: int, rounds: int) -> dict[str, tuple[float, float, float]]:
    """Best, median and mean processor time, in ms, of queries that no cell of so many can match."""
    with apiary.Apiary("bench", storage=str(folder)) as ap:
        ap.sql("CREATE HIVE IF NOT EXISTS bench")
        ap.sql("CREATE BOX IF NOT EXISTS bench.b")
        ap.sql("CREATE FRAME bench.b.t (a BIGINT, b TIMESTAMP, c VARCHAR, d DOUBLE, e DATE)")
        ap.sql("INSERT INTO bench.b.t VALUES (1, '2020-01-01', 'x', 1.5, '2020-01-01')")
        _write_cells(Path(str(ap.get_frame("bench", "b", "t")["location"])) / "_delta_log", count)
        times = {}
        for name, condition in QUERIES.items():
            text = f"SELECT d FROM bench.b.t WHERE {condition}"
            assert ap.sql(text).fetchall() == []
            spent = []
            used = time.process_time()
            for _ in range(rounds):
                began = time.perf_counter()
                ap.sql(text).fetchall()
                spent.append((time.perf_counter() - began) * 1e3)
            used = (time.process_time() - used) * 1e3 / rounds
            times[name] = (min(spent), statistics.median(spent), used)
        return times
