#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure Apiary against its peers, alternating contestants in one run, and print tables.

The peers (deltalake, duckdb) come from the development pins. Absolute figures move with the
machine: the ratios are what counts. Nothing here passes or fails: docs/benchmarks.md says what is
aimed at.

    python bench/run.py [--quick]
        [--only append,commits,query,planning,join,changes,tpch,knn,shelf,start]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import apiary
import deltalake
import duckdb
import pyarrow as pa
from changes import bench_changes
from knn import bench_knn
from planning import time_planning
from tpch import bench_tpch

from shelf import bench_gets, bench_puts, server

ROOT = Path(__file__).resolve().parent.parent


def milliseconds(action: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1e3


def alternate(contestants: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Run every contestant once per round, in turn, after one round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, action in contestants.items():
            spent = milliseconds(action)
            if turn > 0:
                times[name].append(spent)
    return times


def line(*cells: object) -> None:
    """One row of a Markdown table."""
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def head(title: str, *columns: str) -> None:
    """A heading and the head of a Markdown table."""
    print(f"\n### {title}\n")
    line(*columns)
    line(*["---"] * len(columns))


def spread(times: list[float]) -> str:
    """Best / median."""
    return f"{min(times):.2f} / {statistics.median(times):.2f}"


def ratio(times: dict[str, list[float]], name: str, against: str) -> str:
    """How many times faster `name` is than `against`, by medians."""
    return f"{statistics.median(times[against]) / statistics.median(times[name]):.2f}x"


def table_of(rows: int, first: int = 0) -> pa.Table:
    """rows x 3: string, double, string."""
    return pa.table(
        {
            "user": [f"user{i % 1000}" for i in range(first, first + rows)],
            "value": [i * 0.5 for i in range(first, first + rows)],
            "note": [f"some text {i}" for i in range(first, first + rows)],
        }
    )


SCHEMA = {"user": "string", "value": "float64", "note": "string"}


def new_apiary(folder: Path, relaxed: bool = False) -> apiary.Apiary:
    """A started apiary with the box bench.b."""
    ap = apiary.Apiary("bench", storage=str(folder), relaxed=relaxed)
    ap.start()
    ap.create_hive("bench")
    ap.create_box("bench", "b")
    return ap


def bench_append(folder: Path, rounds: int) -> None:
    """Append of 50,000 x 3 to a growing table."""
    data = table_of(50_000)
    durable = new_apiary(folder / "durable")
    relaxed = new_apiary(folder / "relaxed", relaxed=True)
    durable.create_frame("bench", "b", "t", SCHEMA)
    relaxed.create_frame("bench", "b", "t", SCHEMA)
    deltalake.write_deltalake(str(folder / "delta"), data)
    handle = deltalake.DeltaTable(str(folder / "delta"))
    connection = duckdb.connect()
    connection.register("data", data)
    target = folder / "bare"
    target.mkdir()
    counter = iter(range(10**9))

    def delta_synced() -> None:
        deltalake.write_deltalake(handle, data, mode="append")
        os.sync()

    times = alternate(
        {
            "apiary, fsync": lambda: durable.write_to_frame("bench", "b", "t", data),
            "apiary, no fsync": lambda: relaxed.write_to_frame("bench", "b", "t", data),
            "deltalake, no fsync": lambda: deltalake.write_deltalake(handle, data, mode="append"),
            "deltalake, then sync(1)": delta_synced,
            "duckdb COPY, no log, no fsync": lambda: connection.execute(
                f"COPY data TO '{target}/{next(counter)}.parquet' (FORMAT parquet)"
            ),
        },
        rounds,
    )
    head("Append of 50,000 x 3", "contestant", "ms best / median", "M rows/s", "against deltalake")
    for name, spent in times.items():
        against = "deltalake, then sync(1)" if name == "apiary, fsync" else "deltalake, no fsync"
        rate = f"{50_000 / statistics.median(spent) / 1e3:.2f}"
        line(name, spread(spent), rate, ratio(times, name, against))
    durable.shutdown()
    relaxed.shutdown()


def bench_commits(folder: Path, commits: int) -> None:
    """Many small commits, opening and reading afterwards."""
    data = table_of(1000)
    ours = new_apiary(folder / "durable")
    quick = new_apiary(folder / "relaxed", relaxed=True)
    ours.create_frame("bench", "b", "t", SCHEMA)
    quick.create_frame("bench", "b", "t", SCHEMA)
    deltalake.write_deltalake(str(folder / "delta"), data)
    handle = deltalake.DeltaTable(str(folder / "delta"))
    peer_commits = min(commits, 200)
    times: dict[str, list[float]] = {"apiary, fsync": [], "apiary, no fsync": [], "deltalake": []}
    for turn in range(commits):
        times["apiary, fsync"].append(
            milliseconds(lambda: ours.write_to_frame("bench", "b", "t", data))
        )
        times["apiary, no fsync"].append(
            milliseconds(lambda: quick.write_to_frame("bench", "b", "t", data))
        )
        if turn < peer_commits:
            times["deltalake"].append(
                milliseconds(lambda: deltalake.write_deltalake(handle, data, mode="append"))
            )
    head(
        f"{commits} commits of 1,000 rows",
        "contestant",
        "commits/s",
        "against deltalake",
        "last tenth / first tenth",
    )
    rates = {name: len(spent) / sum(spent) * 1e3 for name, spent in times.items()}
    for name, spent in times.items():
        tenth = max(1, len(spent) // 10)
        drift = statistics.mean(spent[-tenth:]) / statistics.mean(spent[:tenth])
        shown = name if name != "deltalake" else f"deltalake, kept handle ({peer_commits} commits)"
        line(
            shown, f"{rates[name]:.0f}", f"{rates[name] / rates['deltalake']:.1f}x", f"{drift:.2f}x"
        )
    ours.shutdown()
    quick.shutdown()
    bench_reopen(folder, commits)


def bench_reopen(folder: Path, commits: int) -> None:
    """Open the frame anew, then read all of it."""
    opening = []
    for _ in range(7):
        with apiary.Apiary("bench", storage=str(folder / "durable")) as ap:
            ap.sql("SELECT 42")  # the engine is up: what is measured is the ledger
            opening.append(milliseconds(lambda ap=ap: ap.get_frame("bench", "b", "t")))
    head("After that", "what", "ms best / median", "ratio")
    line("open the frame (engine running)", spread(opening), "")
    with apiary.Apiary("bench", storage=str(folder / "durable")) as ap:
        location = Path(str(ap.get_frame("bench", "b", "t")["location"]))
        files = sorted(str(path) for path in location.glob("*.parquet"))
        connection = duckdb.connect()
        connection.execute("SET VARIABLE files = $1", [files])
        text = "SELECT count(*), sum(value), count(DISTINCT user) FROM "
        peer = text + "read_parquet(getvariable('files'))"
        mine = text + "bench.b.t"
        times = alternate(
            {
                "apiary": lambda: ap.sql(mine).fetchall(),
                "duckdb over the files": lambda: connection.execute(peer).fetchall(),
            },
            9,
        )
        line(f"read {commits} cells, apiary", spread(times["apiary"]), "")
        line(
            f"read {commits} cells, duckdb",
            spread(times["duckdb over the files"]),
            f"apiary takes {1 / float(ratio(times, 'apiary', 'duckdb over the files')[:-1]):.2f}x",
        )


def bench_query(folder: Path, rounds: int) -> None:
    """The same queries over a frame and over its files: 1,000 small cells, and a few large ones."""
    connection = duckdb.connect()
    with new_apiary(folder / "lake") as ap:
        big = connection.execute(
            "SELECT range AS id, range % 1000 AS k, range * 0.5 AS v, 'text ' || range % 5000 AS s "
            "FROM range(4000000)"
        ).to_arrow_table()
        ap.create_frame("bench", "b", "big", big.schema)
        ap.write_to_frame("bench", "b", "big", big)
        small = connection.execute(
            "SELECT range AS id, range % 1000 AS k, range * 0.5 AS v FROM range(1000000)"
        ).to_arrow_table()
        ap.create_frame("bench", "b", "many", small.schema, partition_by=["k"])
        ap.write_to_frame("bench", "b", "many", small)
        head("Queries over a frame", "query", "apiary ms", "duckdb over the files ms", "more")
        for frame, texts in {
            "big": [
                "SELECT k, sum(v), count(*) FROM {t} GROUP BY k",
                "SELECT s, avg(v) FROM {t} WHERE id % 3 = 0 GROUP BY s ORDER BY 2 DESC LIMIT 10",
            ],
            "many": ["SELECT count(*), sum(v) FROM {t}", "SELECT sum(v) FROM {t} WHERE id < 5000"],
        }.items():
            location = Path(str(ap.get_frame("bench", "b", frame)["location"]))
            files = sorted(str(path) for path in location.rglob("*.parquet"))
            connection.execute("SET VARIABLE files = $1", [files])
            peer = "read_parquet(getvariable('files'), hive_partitioning = true)"
            for text in texts:
                times = alternate(
                    {
                        "apiary": lambda q=text, f=frame: ap.sql(
                            q.format(t=f"bench.b.{f}")
                        ).fetchall(),
                        "duckdb": lambda q=text, p=peer: connection.execute(
                            q.format(t=p)
                        ).fetchall(),
                    },
                    rounds,
                )
                gap = statistics.median(times["apiary"]) - statistics.median(times["duckdb"])
                share = gap / statistics.median(times["duckdb"]) * 100
                line(
                    f"`{text.format(t=frame)}` ({len(files)} cells)",
                    spread(times["apiary"]),
                    spread(times["duckdb"]),
                    f"{gap:+.2f} ms, {share:+.0f}%",
                )


def bench_planning(folder: Path, rounds: int) -> None:
    """A partition-filtered query on 10,000 cells: one cell is read, so the time is planning."""
    with new_apiary(folder / "lake") as ap:
        data = pa.table({"k": list(range(10_000)), "v": [float(i) for i in range(10_000)]})
        ap.create_frame("bench", "b", "wide", {"k": "int64", "v": "float64"}, partition_by=["k"])
        ap.write_to_frame("bench", "b", "wide", data)
        first = milliseconds(lambda: ap.sql("SELECT v FROM bench.b.wide WHERE k = 77").fetchall())
        times = alternate(
            {
                "k = 4711": lambda: ap.sql("SELECT v FROM bench.b.wide WHERE k = 4711").fetchall(),
                "k IN (1, 2, 3)": lambda: ap.sql(
                    "SELECT sum(v) FROM bench.b.wide WHERE k IN (1, 2, 3)"
                ).fetchall(),
            },
            rounds,
        )
    with apiary.Apiary("bench", storage=str(folder / "lake")) as ap:
        ap.sql("SELECT 42")
        cold = milliseconds(lambda: ap.sql("SELECT v FROM bench.b.wide WHERE k = 77").fetchall())
    head("Partition filter on 10,000 cells, whole query", "condition", "ms best / median")
    line("first in the process that wrote", f"{first:.2f}")
    line("first in a new process (reads the ledger)", f"{cold:.2f}")
    for name, spent in times.items():
        line(f"`{name}`", spread(spent))
    head(
        "Conditions on columns of 100,000 cells, whole query",
        "condition",
        "ms best / median",
        "processor",
    )
    for name, (best, median, used) in time_planning(folder / "wide", 100_000, rounds).items():
        line(name, f"{best:.1f} / {median:.1f}", f"{used:.1f}")


def bench_join(folder: Path, rounds: int) -> None:
    """A star join on 1,000 cells clustered by key: the dimension's condition picks 20 keys."""
    connection = duckdb.connect()
    with new_apiary(folder / "lake") as ap:
        facts = connection.execute(
            "SELECT range AS k, range % 97 AS v, 'text ' || range % 500 AS s FROM range(2000000)"
        ).to_arrow_table()
        ap.create_frame("bench", "b", "facts", facts.schema)
        for cell in range(1000):
            ap.write_to_frame("bench", "b", "facts", facts.slice(cell * 2000, 2000))
        dims = connection.execute(
            "SELECT range * 1999 AS k, range % 50 AS grp FROM range(1000)"
        ).to_arrow_table()
        ap.create_frame("bench", "b", "dim", dims.schema)
        ap.write_to_frame("bench", "b", "dim", dims)
        paths = {}
        for frame in ("facts", "dim"):
            location = Path(str(ap.get_frame("bench", "b", frame)["location"]))
            cells = [p for p in location.rglob("*.parquet") if "_delta_log" not in p.parts]
            paths[frame] = sorted(str(path) for path in cells)
            connection.execute(f"SET VARIABLE {frame} = $1", [paths[frame]])
        text = "SELECT count(*), sum(v) FROM {f} f JOIN {d} d ON f.k = d.k WHERE d.grp = 7"
        ours = text.format(f="bench.b.facts", d="bench.b.dim")
        theirs = text.format(
            f="read_parquet(getvariable('facts'))", d="read_parquet(getvariable('dim'))"
        )
        assert ap.sql(ours).fetchall() == connection.execute(theirs).fetchall()
        times = alternate(
            {
                "apiary": lambda: ap.sql(ours).fetchall(),
                "duckdb": lambda: connection.execute(theirs).fetchall(),
            },
            rounds,
        )
        plan = str(ap.sql("EXPLAIN " + ours).fetchall())
    head("Star join on 1,000 cells clustered by key", "contestant", "ms best / median", "more")
    line("apiary", spread(times["apiary"]), ratio(times, "apiary", "duckdb"))
    line("duckdb over the files", spread(times["duckdb"]))
    line(next(part for part in plan.split("'") if "by keys" in part).strip())


def bench_start(folder: Path, rounds: int) -> None:
    """The program from nothing to an answer, and what it holds when idle."""
    program = os.environ.get("APIARY_BIN") or str(ROOT / "build/release/cmd/apiary/apiary")
    if not Path(program).exists():
        program = str(ROOT / "build/dev/cmd/apiary/apiary")
    command = [program, "--storage", str(folder / "lake"), "sql", "SELECT 42"]
    peer = [sys.executable, "-c", "import duckdb; duckdb.sql('SELECT 42').fetchall()"]
    times = alternate(
        {
            "apiary sql 'SELECT 42'": lambda: subprocess.run(
                command, check=True, stdout=subprocess.DEVNULL
            ),
            "python -c 'import duckdb; ...'": lambda: subprocess.run(
                peer, check=True, stdout=subprocess.DEVNULL
            ),
        },
        rounds,
    )
    head("From nothing to an answer", "command", "ms best / median")
    for name, spent in times.items():
        line(f"`{name}`", spread(spent))
    with subprocess.Popen(
        [program, "--storage", str(folder / "lake"), "shell"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as shell:
        assert shell.stdin is not None
        shell.stdin.write(b"SELECT 42;\n")
        shell.stdin.flush()
        time.sleep(1.0)
        status = Path(f"/proc/{shell.pid}/status").read_text()
        resident = next(row for row in status.splitlines() if row.startswith("VmRSS"))
        shell.stdin.close()
    line("idle shell after a query, resident memory", f"{int(resident.split()[1]) / 1024:.1f} MiB")


def bench_neighbours(rounds: int) -> None:
    """Ten neighbours of each of 100,000 points."""
    columns = ("contestant", "build ms best / median", "search ms best / median")
    answers = bench_knn(rounds)
    head("100,000 x 10 nearest neighbours", *columns, "build + search against ours", "recall")
    for answer in answers:
        line(*answer)


def bench_shelf(folder: Path, rounds: int) -> None:
    """ArrowShelf: a large table from process to process, and small ones."""
    with server(folder):
        puts = bench_puts(rounds)
        gets = bench_gets()
    head("A table of 381 MiB put", "contestant", "ms best / median", "against memcpy")
    for answer in puts:
        line(*answer)
    head("Objects got", "what", "us p50", "us p99")
    for answer in gets:
        line(*answer)


BENCHES: dict[str, Callable[[Path, bool], None]] = {
    "append": lambda folder, quick: bench_append(folder, 7 if quick else 25),
    "commits": lambda folder, quick: bench_commits(folder, 100 if quick else 1000),
    "query": lambda folder, quick: bench_query(folder, 5 if quick else 15),
    "planning": lambda folder, quick: bench_planning(folder, 5 if quick else 25),
    "join": lambda folder, quick: bench_join(folder, 3 if quick else 15),
    "changes": lambda folder, quick: bench_changes(folder, 600_000 if quick else 6_000_000),
    "tpch": lambda folder, quick: bench_tpch(folder, "0.1" if quick else "1", 3 if quick else 5),
    "knn": lambda folder, quick: bench_neighbours(1 if quick else 7),
    "shelf": lambda folder, quick: bench_shelf(folder, 3 if quick else 11),
    "start": lambda folder, quick: bench_start(folder, 5 if quick else 25),
}


def main() -> int:
    """Run the chosen benches, each in a folder of its own."""
    parser = argparse.ArgumentParser(description="Measure Apiary against its peers.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--only", default=",".join(BENCHES), help="names, parted by commas")
    arguments = parser.parse_args()
    # What is measured here is the reading of cells; tpch measures both.
    os.environ["APIARY_CELL_CACHE"] = "off"
    print(
        f"apiary {apiary.__version__}, deltalake {deltalake.__version__}, "
        f"duckdb {duckdb.__version__}; {os.cpu_count()} cores"
    )
    for name in arguments.only.split(","):
        folder = Path(tempfile.mkdtemp(prefix=f"apiary-bench-{name}-"))
        try:
            BENCHES[name](folder, arguments.quick)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
