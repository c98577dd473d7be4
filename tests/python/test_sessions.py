# SPDX-License-Identifier: Apache-2.0
"""Many sessions at once: each gets its turn, what it was told is so, and nothing is left behind.

Method: sessions in threads of this process and of others read (aggregates, joins, single rows) and
write (INSERT, UPDATE, DELETE, MERGE, appends through the API) on frames of their own and on shared
ones, for a fixed time. Each keeps in plain Python what it was told is committed: every read must
agree with that meanwhile, and at the end deltalake must read just the sum of it. The only errors
are `Conflict`, after which nothing has changed, and `Busy`. AP_SOAK=1 runs 64 sessions for a
minute.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import os
import pickle
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import apiary
import deltalake
import pyarrow as pa
import pytest
from tables import SOAK, seeded

THREADS = 44 if SOAK else 14  # in this process
OTHERS = [10, 10] if SOAK else [4]  # in each of the others
WARM_UP_S = 15.0 if SOAK else 2.0
RUN_S = 60.0 if SOAK else 4.0
FACTS = 40_000
KEYS = 8
GROWTH_MIB = 96  # what engines keep for the next statement differs by that much


def group_sums() -> list[tuple[int, int]]:
    sums: collections.Counter[int] = collections.Counter()
    for number in range(FACTS):
        sums[number % 10] += number * 3
    return sorted(sums.items())


GROUPS = group_sums()


class Worker:
    """One session: what it does, and what it knows to be committed."""

    def __init__(self, ap: apiary.Apiary, number: int, seed: int) -> None:
        self.ap = ap
        self.number = number
        self.draw = random.Random(seed)
        self.own: dict[int, int] = {}
        self.logged: set[int] = set()
        self.hits: collections.Counter[int] = collections.Counter()
        self.next = 0
        self.done = self.conflicts = self.busy = 0
        self.session: apiary.Session | None = None

    def sql(self, text: str, params: list[Any] | None = None) -> list[tuple[Any, ...]]:
        assert self.session
        rows: list[tuple[Any, ...]] = self.session.sql(text, params).fetchall()
        return rows

    # Each changes what is known after the statement has said that it is done.

    def aggregate(self) -> None:
        total = sum(value for _, value in GROUPS)
        assert self.sql("SELECT count(*), sum(value) FROM facts") == [(FACTS, total)]

    def join(self) -> None:
        text = """SELECT d.id, sum(f.value) FROM facts f JOIN dims d ON f.dim = d.id
                  GROUP BY d.id ORDER BY d.id"""
        assert self.sql(text) == GROUPS

    def point(self) -> None:
        number = self.draw.randrange(FACTS)
        assert self.sql("SELECT value FROM facts WHERE id = ?", [number]) == [(number * 3,)]

    def look(self) -> None:
        rows = self.sql(f"SELECT k, v FROM own_{self.number} ORDER BY k")
        assert rows == sorted(self.own.items())

    def look_at_log(self) -> None:
        rows = self.sql("SELECT n FROM log WHERE session = ?", [self.number])
        assert sorted(n for (n,) in rows) == sorted(self.logged)

    def insert(self) -> None:
        self.sql(f"INSERT INTO own_{self.number} VALUES (?, 1)", [self.next])
        self.own[self.next] = 1
        self.next += 1

    def update(self) -> None:
        self.sql(f"UPDATE own_{self.number} SET v = v + 1 WHERE k % 2 = 0")
        self.own = {k: v + (k % 2 == 0) for k, v in self.own.items()}

    def delete(self) -> None:
        odd = self.draw.randrange(3)
        self.sql(f"DELETE FROM own_{self.number} WHERE k % 3 = ?", [odd])
        self.own = {k: v for k, v in self.own.items() if k % 3 != odd}

    def merge(self) -> None:
        low = max(0, self.next - 3)
        self.sql(
            f"""MERGE INTO own_{self.number} AS t
                USING (SELECT i AS k FROM range({low}, {self.next + 2}) AS r(i)) AS s
                ON t.k = s.k WHEN MATCHED THEN UPDATE SET v = t.v + 10
                WHEN NOT MATCHED THEN INSERT VALUES (s.k, 100)"""
        )
        for k in range(low, self.next + 2):
            self.own[k] = self.own[k] + 10 if k in self.own else 100
        self.next += 2

    def hit(self) -> None:
        key = self.draw.randrange(KEYS)
        self.sql("UPDATE counters SET hits = hits + 1 WHERE key = ?", [key])
        self.hits[key] += 1

    def hit_by_merge(self) -> None:
        key = self.draw.randrange(2 * KEYS)
        self.sql(
            f"""MERGE INTO counters AS t USING (SELECT {key} AS key) AS s ON t.key = s.key
                WHEN MATCHED THEN UPDATE SET hits = t.hits + 1
                WHEN NOT MATCHED THEN INSERT VALUES (s.key, 1)"""
        )
        self.hits[key] += 1

    def log(self) -> None:
        number, self.next = self.next, self.next + 1
        self.sql("INSERT INTO log VALUES (?, ?)", [self.number, number])
        self.logged.add(number)

    def append(self) -> None:
        number, self.next = self.next, self.next + 3
        numbers = list(range(number, number + 3))
        rows = pa.table({"session": [self.number] * 3, "n": numbers})
        self.ap.write_to_frame("h", "b", "log", rows)
        self.logged.update(numbers)

    def forget(self) -> None:
        if not self.logged:
            return
        number = self.draw.choice(sorted(self.logged))
        self.sql("DELETE FROM log WHERE session = ? AND n = ?", [self.number, number])
        self.logged.discard(number)

    def run(self, until: float) -> None:
        reads = [self.aggregate, self.join, self.point, self.point, self.look, self.look_at_log]
        own = [self.insert, self.insert, self.update, self.delete, self.merge]
        shared = [self.hit, self.hit_by_merge, self.log, self.append, self.forget]
        while time.monotonic() < until:
            kinds = self.draw.choices([reads, own, shared], [12, 4, 1])[0]
            try:
                self.draw.choice(kinds)()
                self.done += 1
            except apiary.Conflict:
                self.conflicts += 1
            except apiary.Busy:
                self.busy += 1
                time.sleep(0.05)


def run_workers(ap: apiary.Apiary, workers: list[Worker], seconds: float) -> None:
    """All at once, each in a thread and a session of its own that ends with it."""
    barrier = threading.Barrier(len(workers))
    failures: list[str] = []

    def body(worker: Worker) -> None:
        try:
            with ap.session() as worker.session:
                worker.sql("USE h.b")
                barrier.wait(60)
                worker.run(time.monotonic() + seconds)
        except BaseException as error:
            failures.append(f"session {worker.number}: {type(error).__name__}: {error}")

    threads = [threading.Thread(target=body, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, "\n".join(failures)


def told(worker: Worker) -> dict[str, Any]:
    names = ("number", "own", "logged", "hits", "done", "conflicts", "busy")
    return {name: getattr(worker, name) for name in names}


def other(storage: str, first: int, count: int, seed: int, answer_file: str) -> None:
    """Another process: sessions of its own, once it is told to begin."""
    draw = random.Random(seed)
    with apiary.Apiary("sessions", storage, memory="512MiB") as ap:
        workers = [Worker(ap, first + i, draw.randrange(1 << 32)) for i in range(count)]
        print("ready", flush=True)
        sys.stdin.readline()
        run_workers(ap, workers, RUN_S)
    Path(answer_file).write_bytes(pickle.dumps([told(worker) for worker in workers]))


def start_others(tmp_path: Path, draw: random.Random) -> list[tuple[subprocess.Popen[str], Path]]:
    code = (
        "import sys, test_sessions; a = sys.argv;"
        "test_sessions.other(a[1], int(a[2]), int(a[3]), int(a[4]), a[5])"
    )
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    first, started = THREADS, []
    for count in OTHERS:
        answers = tmp_path / f"answers-{first}"
        words = [tmp_path / "storage", first, count, draw.randrange(1 << 32), answers]
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        started.append((process, answers))
        first += count
    for process, _ in started:
        assert process.stdout and process.stdout.readline() == "ready\n"
    return started


def make_frames(ap: apiary.Apiary) -> None:
    box = ap.create_hive("h").create_box("b")
    facts = box.create_frame("facts", {"id": "int64", "dim": "int64", "value": "int64"})
    for first in range(0, FACTS, FACTS // 4):
        ids = list(range(first, first + FACTS // 4))
        columns = {"id": ids, "dim": [i % 10 for i in ids], "value": [i * 3 for i in ids]}
        facts.write(pa.table(columns))
    box.create_frame("dims", {"id": "int64"}).write({"id": list(range(10))})
    counters = box.create_frame("counters", {"key": "int64", "hits": "int64"})
    counters.write({"key": list(range(KEYS)), "hits": [0] * KEYS})
    box.create_frame("log", {"session": "int64", "n": "int64"})
    for number in range(THREADS + sum(OTHERS)):
        box.create_frame(f"own_{number}", {"k": "int64", "v": "int64"})


def footprint(ap: apiary.Apiary) -> tuple[int, int]:
    """Resident MiB and open files of this process, but for decoded copies, of which there is one
    a frame and engine; nothing may be at work."""
    status = ap.colony_status()
    assert (status["busy_bees"], status["queued"], status["chambers_held"]) == (0, 0, 0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one that lists
            files += "/_apiary/cache/" not in os.readlink(f"/proc/self/fd/{name}")
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20, files


def rows_by_deltalake(ap: apiary.Apiary, name: str) -> list[tuple[Any, ...]]:
    place = ap.hive("h").box("b").frame(name).describe()["location"]
    table = deltalake.DeltaTable(place).to_pyarrow_table()
    return sorted(zip(*(column.to_pylist() for column in table.columns)))


def check(ap: apiary.Apiary, found: list[dict[str, Any]]) -> None:
    """What deltalake reads is what the sessions were told is committed."""
    hits: collections.Counter[int] = collections.Counter(dict.fromkeys(range(KEYS), 0))
    for one in found:
        hits.update(one["hits"])
        assert rows_by_deltalake(ap, f"own_{one['number']}") == sorted(one["own"].items())
    assert rows_by_deltalake(ap, "counters") == sorted(hits.items())
    logged = sorted((one["number"], n) for one in found for n in one["logged"])
    assert rows_by_deltalake(ap, "log") == logged


@pytest.mark.timeout(900 if SOAK else 300)
def test_many_sessions_at_once(tmp_path: Path) -> None:
    draw = seeded("sessions")
    with apiary.Apiary("sessions", tmp_path / "storage", memory="1GiB") as ap:
        make_frames(ap)
        workers = [Worker(ap, i, draw.randrange(1 << 32)) for i in range(THREADS)]
        run_workers(ap, workers, WARM_UP_S)
        before = footprint(ap)
        for worker in workers:
            worker.done = 0
        others = start_others(tmp_path, draw)
        for process, _ in others:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        run_workers(ap, workers, RUN_S)
        found = [told(worker) for worker in workers]
        for process, answers in others:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors[-3000:]
            found += pickle.loads(answers.read_bytes())
        after = footprint(ap)
        check(ap, found)
        while SOAK and ap.colony_status()["chambers_open"] > 1:
            time.sleep(1)  # idle ones are closed in time
    counts = sorted(one["done"] for one in found)
    of_this = sorted(worker.done for worker in workers)
    print(f"{len(found)} sessions, {sum(counts)} statements in {RUN_S:.0f} s")
    print(f"each {counts[0]} to {counts[-1]}, of one process {of_this[0]} to {of_this[-1]}")
    print(f"conflicts {sum(o['conflicts'] for o in found)}, busy {sum(o['busy'] for o in found)}")
    print(f"MiB and open files: {before} before, {after} after")
    assert after[0] - before[0] < GROWTH_MIB
    assert after[1] <= before[1] + 4
    # In a few seconds each does some ten statements, drawn at random: then only none starves.
    assert counts[0] > 0
    if SOAK:
        assert of_this[-1] <= 4 * of_this[0]


def test_writers_of_one_frame_take_turns(tmp_path: Path) -> None:
    """Of statements that are in each other's way, slow ones and quick ones, each gets its turn."""
    quick, slow, goal = 5, 2, 126
    with apiary.Apiary("turns", tmp_path / "storage", bees=2) as ap:
        ap.create_hive("h").create_box("b")
        ap.sql("CREATE FRAME h.b.sums (writer int64, n int64)")
        ap.sql("INSERT INTO h.b.sums SELECT range, 0 FROM range(?)", [quick + slow])
        counts = [0] * (quick + slow)

        def body(number: int) -> None:
            extra = ""
            if number >= quick:  # the sum is 0 and takes a while
                extra = " + (SELECT (sum(a.range * b.range) % 1)::BIGINT FROM range(3000) AS a, "
                extra += "range(3000) AS b)"
            with ap.session() as session:
                while sum(counts) < goal:
                    session.sql(f"UPDATE h.b.sums SET n = n + 1{extra} WHERE writer = ?", [number])
                    counts[number] += 1

        with concurrent.futures.ThreadPoolExecutor(len(counts)) as pool:
            list(pool.map(body, range(len(counts))))
        print(f"statements of each writer: {counts}")
        assert sorted(ap.sql("FROM h.b.sums").fetchall()) == list(enumerate(counts))
    assert max(counts) <= 3 * min(counts)
