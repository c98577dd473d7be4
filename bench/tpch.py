# SPDX-License-Identifier: Apache-2.0
"""TPC-H: the 22 queries over frames, with the cell cache off and warm, beside other engines.

Every contestant reads the same rows: we and the engines that read Parquet the very same cells;
DuckDB also its own tables in memory. Rounds alternate query by query, one round is not counted, and
the answers must be equal. DataFusion and Polars take part when they are installed; a query that one
of them refuses is left out of its sum and of those it is compared with.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apiary
import duckdb
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
TABLES = "customer lineitem nation orders part partsupp region supplier".split()
MISSING = float("nan")
WARM_S = 600  # at most, until the cache holds all

Ask = Callable[[str], list[tuple[Any, ...]]]


def queries() -> list[str]:
    """The 22 texts, as DuckDB's sources have them."""
    folder = ROOT / "build/deps/duckdb/tpch-queries"
    return [path.read_text() for path in sorted(folder.glob("q*.sql"))]


def generate(folder: Path, scale: str) -> Path:
    """The eight tables as Parquet."""
    tables = folder / "generated"
    generator = Path(sys.executable).parent / "tpcgen-cli"
    command = [str(generator), "tpch", "parquet", "-s", scale, f"--output-dir={tables}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return tables


@contextmanager
def opened(storage: Path, cache: str) -> Iterator[apiary.Apiary]:
    """An apiary with the cell cache on or off, tpch.sf in use."""
    before = os.environ.get("APIARY_CELL_CACHE")
    os.environ["APIARY_CELL_CACHE"] = cache
    try:
        ap = apiary.Apiary("tpch", str(storage))
        ap.start()
    finally:
        if before is None:
            del os.environ["APIARY_CELL_CACHE"]
        else:
            os.environ["APIARY_CELL_CACHE"] = before
    try:
        if "tpch" in ap.list_hives():
            ap.sql("USE tpch.sf")
        yield ap
    finally:
        ap.shutdown()


def load(storage: Path, generated: Path) -> dict[str, list[str]]:
    """Frames of the tables; each one's cells."""
    cells = {}
    with opened(storage, "off") as ap:
        ap.create_hive("tpch")
        ap.create_box("tpch", "sf")
        for name in TABLES:
            source = generated / f"{name}.parquet"
            ap.create_frame("tpch", "sf", name, pq.read_schema(source))
            ap.write_to_frame("tpch", "sf", name, pq.ParquetFile(source).iter_batches())
            location = Path(str(ap.get_frame("tpch", "sf", name)["location"]))
            cells[name] = sorted(str(path) for path in location.rglob("*.parquet"))
    return cells


def warm(ap: apiary.Apiary, texts: list[str]) -> float:
    """Ask twice, and wait until everything has been copied; how many seconds that took."""
    began = time.monotonic()
    for _ in range(2):
        for text in texts:
            ap.sql(text).fetchall()
    while True:
        status = ap.status()["cell_cache"]
        if status is None:
            raise SystemExit("there is no cell cache: set APIARY_CACHE_SIZE")
        if not status["filling"] or time.monotonic() - began > WARM_S:
            return time.monotonic() - began
        time.sleep(0.2)


def in_duckdb(cells: dict[str, list[str]], native: bool) -> Ask:
    """DuckDB over the cells, or over tables of its own."""
    connection = duckdb.connect()
    for name, paths in cells.items():
        kind = "TABLE" if native else "VIEW"
        files = ", ".join(f"'{path}'" for path in paths)
        connection.execute(f"CREATE {kind} {name} AS SELECT * FROM read_parquet([{files}])")
    return lambda text: connection.execute(text).fetchall()


def in_datafusion(cells: dict[str, list[str]]) -> Ask:
    """DataFusion over the cells."""
    import datafusion

    context = datafusion.SessionContext()
    for name, paths in cells.items():
        context.register_parquet(name, str(Path(paths[0]).parent))
    return lambda text: [
        tuple(row.values()) for row in context.sql(text).to_arrow_table().to_pylist()
    ]


def in_polars(cells: dict[str, list[str]]) -> Ask:
    """Polars over the cells, by its SQL."""
    import polars

    context = polars.SQLContext(
        frames={name: polars.scan_parquet(paths) for name, paths in cells.items()}
    )
    return lambda text: context.execute(text, eager=True).rows()


def same(ours: list[tuple[Any, ...]], theirs: list[tuple[Any, ...]]) -> bool:
    """Equal but for the last digits of sums of floats."""

    def plain(value: Any) -> Any:
        if isinstance(value, float) or type(value).__name__ == "Decimal":
            return f"{float(value):.6g}"
        return str(value).strip().removesuffix(" 00:00:00")

    def rows(answer: list[tuple[Any, ...]]) -> list[list[Any]]:
        return sorted([plain(value) for value in row] for row in answer)

    return rows(ours) == rows(theirs)


def check(contestants: dict[str, Ask], texts: list[str]) -> dict[str, set[int]]:
    """Which queries each contestant answers; ours and DuckDB's must be equal everywhere."""
    answers: dict[str, set[int]] = {name: set() for name in contestants}
    reference = next(name for name in contestants if name.startswith("DuckDB"))
    for number, text in enumerate(texts):
        expected = contestants[reference](text)
        for name, ask in contestants.items():
            optional = name.startswith(("DataFusion", "Polars"))
            try:
                equal = same(ask(text), expected)
            except Exception as error:
                if not optional:
                    raise
                print(f"query {number + 1}: {name} refuses it ({type(error).__name__})")
                continue
            if equal:
                answers[name].add(number)
            elif optional:
                print(f"query {number + 1}: {name} answers otherwise")
            else:
                raise SystemExit(f"query {number + 1}: {name} differs from {reference}")
    return answers


def measure(
    contestants: dict[str, Ask], texts: list[str], answers: dict[str, set[int]], rounds: int
) -> dict[str, list[float]]:
    """Median milliseconds of each query; nan where it is not answered."""
    times: dict[str, list[list[float]]] = {name: [[] for _ in texts] for name in contestants}
    for turn in range(rounds + 1):
        for number, text in enumerate(texts):
            for name, ask in contestants.items():
                if number not in answers[name]:
                    continue
                began = time.perf_counter()
                ask(text)
                if turn > 0:
                    times[name][number].append((time.perf_counter() - began) * 1e3)
    return {
        name: [statistics.median(spent) if spent else MISSING for spent in each]
        for name, each in times.items()
    }


def show(medians: dict[str, list[float]], answers: dict[str, set[int]], against: str) -> None:
    """Sums, each against the same queries of DuckDB's; then every query."""
    print("\n| contestant | queries | sum of medians, ms | against " + against + " |")
    print("|---|---|---|---|")
    for name, each in medians.items():
        mine = sum(each[number] for number in answers[name])
        base = sum(medians[against][number] for number in answers[name])
        print(f"| {name} | {len(answers[name])} | {mine:.0f} | {mine / base:.3f}x |")
    print("\n| query | " + " | ".join(medians) + " |")
    print("|---|" + "---|" * len(medians))
    for number in range(len(next(iter(medians.values())))):
        row = " | ".join(f"{each[number]:.1f}" for each in medians.values())
        print(f"| {number + 1} | {row} |", flush=True)


def bench_tpch(folder: Path, scale: str, rounds: int) -> None:
    """All of it, in a folder."""
    texts = queries()
    generated = generate(folder, scale)
    cells = load(folder / "lake", generated)
    with opened(folder / "lake", "off") as cold, opened(folder / "lake", "on") as cached:
        contestants: dict[str, Ask] = {
            "Apiary, cache off": lambda text: cold.sql(text).fetchall(),
            "Apiary, cache warm": lambda text: cached.sql(text).fetchall(),
            "DuckDB, the same Parquet": in_duckdb(cells, False),
            "DuckDB, own tables": in_duckdb(cells, True),
        }
        for name, make in {"DataFusion": in_datafusion, "Polars": in_polars}.items():
            if importlib.util.find_spec(name.lower()) is not None:
                contestants[f"{name}, the same Parquet"] = make(cells)
        took = warm(cached, texts)
        print(f"\n### TPC-H, scale {scale}\n\nwarm after {took:.1f} s")
        answers = check(contestants, texts)
        medians = measure(contestants, texts, answers, rounds)
        status = cached.status()["cell_cache"]
    show(medians, answers, "DuckDB, the same Parquet")
    print(f"\nthe cache: {status}")
    ratio = sum(medians["Apiary, cache warm"]) / sum(medians["DuckDB, own tables"])
    print(f"warm against DuckDB's own tables: {ratio:.3f}x (aimed at: 1.15x)")
