# SPDX-License-Identifier: Apache-2.0
"""ArrowShelf beside copying, pickling, plain shared memory and Ray's object store.

A table of ten float64 columns and 381 MiB is put by one process and got by another. Puts alternate
round by round with a memcpy by two threads into memory that is there already, which is what a put
cannot beat. Gets are timed in the process that gets. Ray takes part where it is installed.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import shared_memory
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

ROWS = 5_000_000
COLUMNS = 10
GETS = 2000
READERS = 8
Line = tuple[str, str, str]


@contextmanager
def server(folder: Path) -> Iterator[None]:
    """A server of our own for as long as the block runs."""
    os.environ["ARROWSHELF_SOCKET"] = str(folder / "shelf.sock")
    program = Path(sys.executable).parent / "arrowshelf-server"
    command = [str(program), "--memory", "3GB", "--warm", "1GB"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    process.stdout.readline()  # it is ready
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def milliseconds(call: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def copy_by_two(targets: list[Any], sources: list[Any]) -> None:
    """Two threads, half of the columns each."""

    def half(first: int) -> None:
        for i in range(first, len(sources), 2):
            np.copyto(targets[i], sources[i])

    threads = [threading.Thread(target=half, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def put_plain(table: pa.Table) -> None:
    """multiprocessing.shared_memory, filled with an Arrow stream, as its documents show."""
    counted = pa.MockOutputStream()
    with pa.ipc.new_stream(counted, table.schema) as writer:
        writer.write_table(table)
    block = shared_memory.SharedMemory(create=True, size=counted.size())
    with (
        pa.FixedSizeBufferWriter(pa.py_buffer(block.buf)) as sink,
        pa.ipc.new_stream(sink, table.schema) as writer,
    ):
        writer.write_table(table)
    del sink, writer
    block.unlink()


def pickled(table: pa.Table) -> None:
    """Through a pipe to another process and its answer, as multiprocessing does it."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.apply(len, (b"",))  # the process is up
        start = time.perf_counter()
        pool.apply(count_rows, (table,))
        PICKLED.append((time.perf_counter() - start) * 1e3)


PICKLED: list[float] = []


def count_rows(table: pa.Table) -> int:
    """What the other process does with it."""
    return int(table.num_rows)


def bench_puts(rounds: int) -> list[Line]:
    """Contestant, ms best / median, share of the memcpy's speed."""
    import arrowshelf

    sources = [np.random.default_rng(i).random(ROWS) for i in range(COLUMNS)]
    targets = [np.ones(ROWS) for _ in range(COLUMNS)]
    table = pa.table({f"c{i}": column for i, column in enumerate(sources)})
    names = ["memcpy, two threads", "arrowshelf put", "shared_memory + Arrow stream"]
    times: dict[str, list[float]] = {name: [] for name in names}
    cold = milliseconds(lambda: arrowshelf.delete(arrowshelf.put(table)))
    for round_number in range(rounds + 1):
        copied = milliseconds(lambda: copy_by_two(targets, sources))
        start = time.perf_counter()
        key = arrowshelf.put(table)
        put = (time.perf_counter() - start) * 1e3
        arrowshelf.delete(key)
        plain = milliseconds(lambda: put_plain(table))
        for name, spent in zip(names, (copied, put, plain), strict=True):
            if round_number > 0:
                times[name].append(spent)
    for _ in range(3):
        pickled(table)
    times["pickle to a process of a pool and back"] = PICKLED
    if importlib.util.find_spec("ray"):
        times["Ray put"] = bench_ray(table, rounds)
    base = statistics.median(times[names[0]])
    lines = [
        (name, f"{min(spent):.0f} / {statistics.median(spent):.0f}",
         f"{base / statistics.median(spent):.2f}x")
        for name, spent in times.items()
    ]  # fmt: skip
    lines.insert(2, ("arrowshelf put, the first one", f"{cold:.0f}", f"{base / cold:.2f}x"))
    return lines


def bench_ray(table: pa.Table, rounds: int) -> list[float]:
    """ray.put, with memory for it given as to us."""
    import ray

    ray.init(num_cpus=2, object_store_memory=2 << 30, include_dashboard=False, log_to_driver=False)
    ray.get(ray.put(table))
    times = [milliseconds(lambda: ray.put(table)) for _ in range(rounds)]
    ray.shutdown()
    return times


def percentiles(times: list[float]) -> tuple[str, str]:
    """p50 and p99, in us."""
    ordered = sorted(times)
    return (
        f"{ordered[len(ordered) // 2] * 1e6:.1f}",
        f"{ordered[len(ordered) * 99 // 100] * 1e6:.1f}",
    )


def timed(calls: list[Callable[[], object]]) -> list[float]:
    """Seconds of each."""
    times = []
    for call in calls:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def read_all(keys: list[str], big: str, out: Any) -> None:
    """In a process that gets: first gets, further ones, the large table; then a rate."""
    import arrowshelf

    shelf = arrowshelf.Shelf()
    shelf.memory_usage()  # connected and mapped
    core = shelf._core
    kept: list[object] = []
    first = timed([lambda key=key: kept.append(core.get(key, False)) for key in keys])
    again = timed([lambda key=key: core.get(key, False) for key in keys])
    arrow = timed([lambda key=key: shelf.get_arrow(key) for key in keys])
    large = timed([lambda: shelf.get_arrow(big) for _ in range(GETS)])
    until = time.perf_counter() + 1
    count = 0
    while time.perf_counter() < until:
        core.get(keys[count % len(keys)], False)
        count += 1
    out.put(([percentiles(one) for one in (first, again, arrow, large)], count))


def bench_gets() -> list[Line]:
    """Contestant, p50 us, p99 us; and how many gets a second eight processes do."""
    import arrowshelf

    keys = [arrowshelf.put({"x": np.arange(8.0) + i}) for i in range(GETS)]
    table = pa.table({f"c{i}": np.random.default_rng(i).random(ROWS) for i in range(COLUMNS)})
    big = arrowshelf.put(table)
    context = multiprocessing.get_context("spawn")
    rates = []
    lines: list[Line] = []
    for readers in (1, READERS):
        out = context.Queue()
        processes = [
            context.Process(target=read_all, args=(keys, big, out)) for _ in range(readers)
        ]
        for process in processes:
            process.start()
        answers = [out.get(timeout=300) for _ in processes]
        for process in processes:
            process.join()
        rates.append(sum(answer[1] for answer in answers))
        if readers == 1:
            names = ("first get of an object", "get of one that is held", "get_arrow, 8 rows",
                     "get_arrow, 381 MiB")  # fmt: skip
            for name, (half, most) in zip(names, answers[0][0], strict=True):
                lines.append((name, half, most))
    lines.append(("gets of held objects a second, 1 and 8 processes", *map(str, rates)))
    built = []
    for _ in range(500):
        start = time.perf_counter()
        builder = arrowshelf.create({"x": "float64"}, rows=1000)
        key = builder.seal()
        built.append(time.perf_counter() - start)
        arrowshelf.delete(key)
    lines.append(("create and seal", *percentiles(built)))
    arrowshelf.delete_all()
    return lines
