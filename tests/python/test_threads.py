# SPDX-License-Identifier: Apache-2.0
"""Many threads, signals, shutdown under load, and fork.

Method: nothing sleeps for luck; threads meet at barriers, and what each did is counted afterwards.
"""

from __future__ import annotations

import _thread
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apiary
import pyarrow as pa
import pytest
from apiary import Apiary, Box, Frame, _core

THREADS = 8
LONG = "SELECT COUNT(*) FROM range(1000000000000) a(i) WHERE hash(i) % 7 = 3"


def in_threads(work: Callable[[int], Any], count: int = THREADS) -> list[Any]:
    barrier = threading.Barrier(count)

    def run(number: int) -> Any:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_threads_write_and_query_one_apiary(ap: Apiary, box: Box) -> None:
    frame = box.create_frame("f", {"thread": "int64", "n": "int64"})
    rounds = 10

    def work(number: int) -> int:
        seen = 0
        for n in range(rounds):
            frame.write(pa.table({"thread": [number] * 100, "n": [n] * 100}))
            query = "SELECT COUNT(*) FROM warehouse.sales.f WHERE thread = ?"
            ((count,),) = ap.sql(query, [number]).fetchall()
            assert count == (n + 1) * 100
            ((total,),) = ap.sql("SELECT COUNT(*) FROM warehouse.sales.f").fetchall()
            assert total >= seen
            seen = total
        return seen

    in_threads(work)
    assert frame.describe()["row_count"] == THREADS * rounds * 100
    assert [entry["version"] for entry in frame.history()] == list(range(THREADS * rounds, -1, -1))
    assert ap.sql(
        "SELECT COUNT(*), COUNT(DISTINCT (thread, n)) FROM warehouse.sales.f"
    ).fetchall() == [(THREADS * rounds * 100, THREADS * rounds)]


def test_queries_of_several_threads_run_at_once(ap: Apiary) -> None:
    """While one thread's query runs, another's begins and ends."""
    started = threading.Event()
    ended: list[type[BaseException]] = []

    def long() -> None:
        try:
            ap.sql(LONG, progress=lambda _: started.set())
        except apiary.ApiaryError as error:
            ended.append(type(error))

    thread = threading.Thread(target=long)
    thread.start()
    assert started.wait(30)
    assert ap.sql("SELECT 42").fetchall() == [(42,)]
    assert thread.is_alive()
    ap.interrupt()
    thread.join(30)
    assert ended == [apiary.Cancelled]


def test_the_gil_is_free_while_a_query_runs(ap: Apiary) -> None:
    counted = 0
    done = threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            counted += 1

    thread = threading.Thread(target=count)
    thread.start()
    before = counted
    with pytest.raises(apiary.TaskTimeout):
        ap.sql(LONG, timeout=0.5)
    moved = counted - before
    done.set()
    thread.join()
    assert moved > 1000


def test_what_use_set_holds_in_every_thread(ap: Apiary, orders: Frame) -> None:
    ap.sql("USE BOX warehouse.sales")
    counts = in_threads(lambda _: [len(ap.sql("SELECT * FROM orders")) for _ in range(20)])
    assert counts == [[3] * 20] * THREADS


def test_a_session_refuses_a_second_query_at_once(tmp_path: Path) -> None:
    core = _core.Apiary("x", str(tmp_path))
    session = core.session()
    refused: list[Exception] = []

    def second(_: float) -> None:
        if not refused:
            try:
                session.query("SELECT 1", (), 0, None)
            except apiary.StateError as error:
                refused.append(error)
            session.interrupt()

    with pytest.raises(apiary.Cancelled):
        session.query(LONG, (), 60_000, second)
    assert "another query" in str(refused[0])
    assert session.query("SELECT 1", (), 0, None).rows(0, 1) == [(1,)]


def test_backpressure_raises_while_every_bee_works(tmp_path: Path) -> None:
    with Apiary("x", tmp_path, bees=1, memory="256MiB") as ap:
        frame = ap.create_hive("h").create_box("b").create_frame("f", {"v": "int64"})
        refused: list[Exception] = []

        def write(_: float) -> None:
            try:
                frame.write({"v": [1]}, backpressure="error")
            except apiary.Busy as error:
                refused.append(error)
            ap.interrupt()

        with pytest.raises(apiary.Cancelled):
            ap.sql(LONG, progress=write, timeout=60)
        assert "every bee is at work" in str(refused[0])
        assert frame.write({"v": [1]}, backpressure="error")["rows_written"] == 1


def test_shutdown_ends_what_runs(tmp_path: Path) -> None:
    ap = Apiary("x", tmp_path)
    ap.start()
    ready = [threading.Event() for _ in range(2)]

    def work(number: int) -> type[BaseException]:
        try:
            ap.sql(LONG, progress=lambda _: ready[number].set())
        except apiary.ApiaryError as error:
            return type(error)
        raise AssertionError("the query ended by itself")

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(work, number) for number in range(2)]
        assert all(event.wait(30) for event in ready)
        ap.shutdown()
        assert [future.result(30) for future in running] == [apiary.Cancelled] * 2
    with pytest.raises(apiary.StateError):
        ap.sql("SELECT 1")


def test_starting_and_stopping_under_load(tmp_path: Path) -> None:
    ap = Apiary("x", tmp_path)
    ap.start()
    ap.create_hive("h").create_box("b").create_frame("f", {"v": "int64"})
    allowed = (apiary.StateError, apiary.Cancelled)
    stop = threading.Event()

    def work(number: int) -> int:
        written = 0
        if number == 0:
            for _ in range(15):
                ap.sql("SELECT 1") if ap.running else None
                ap.shutdown()
                ap.start()
            stop.set()
        while not stop.is_set():
            try:
                ap.write_to_frame("h", "b", "f", pa.table({"v": [number]}))
                written += 1
                ap.sql("SELECT COUNT(*) FROM h.b.f").fetchall()
            except allowed:
                continue
        return written

    written = sum(in_threads(work, 4))
    assert ap.get_frame("h", "b", "f")["row_count"] == written
    ap.shutdown()


# ----------------------------------------------------------------------------------- signals


def test_ctrl_c_ends_a_query(ap: Apiary) -> None:
    """The signal comes once the query runs; the main thread raises KeyboardInterrupt soon after."""
    started = threading.Event()

    def strike() -> None:
        started.wait(30)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=strike).start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        ap.sql(LONG, progress=lambda _: started.set(), timeout=60)
    assert time.monotonic() - begun < 30
    assert ap.sql("SELECT 1").fetchall() == [(1,)]


def test_ctrl_c_ends_a_program(tmp_path: Path) -> None:
    script = (
        "import apiary, sys\n"
        "with apiary.Apiary('x', sys.argv[1]) as ap:\n"
        f"    ap.sql('{LONG}', progress=lambda _: print('.', flush=True))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == ".\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")


def test_a_signal_handler_that_goes_on(ap: Apiary) -> None:
    seen: list[int] = []
    old = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:
        query = "SELECT COUNT(*) FROM range(200000000) a(i) WHERE hash(i) % 7 = 3"
        ((count,),) = ap.sql(query, progress=lambda _: seen or _thread.interrupt_main()).fetchall()
    finally:
        signal.signal(signal.SIGINT, old)
    assert count > 0


# -------------------------------------------------------------------------------------- fork


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_is_told_to_start_its_own(tmp_path: Path) -> None:
    script = """
import os, sys
import apiary
ap = apiary.Apiary("x", sys.argv[1])
ap.start()
ap.create_hive("h").create_box("b").create_frame("f", {"v": "int64"}).write({"v": [1]})
result = ap.sql("SELECT v FROM h.b.f")
child = os.fork()
if child == 0:
    calls = [lambda: ap.sql("SELECT 1"), ap.status, lambda: ap.write_to_frame("h", "b", "f", b"")]
    for call in calls:
        try:
            call()
        except apiary.StateError as error:
            assert f"process {os.getppid()}" in str(error), error
        else:
            sys.exit("a call of the parent's apiary worked")
    assert result.fetchall() == [(1,)]
    ap.start()
    assert ap.sql("SELECT v FROM h.b.f").fetchall() == [(1,)]
    ap.write_to_frame("h", "b", "f", {"v": [2]})
    ap.shutdown()
    sys.exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert sorted(ap.sql("SELECT v FROM h.b.f")) == [(1,), (2,)]
idle = os.fork()
if idle == 0:
    sys.exit(0)  # what it inherited is left as it is
assert os.waitstatus_to_exitcode(os.waitpid(idle, 0)[1]) == 0
assert len(ap.sql("SELECT v FROM h.b.f")) == 2
ap.shutdown()
print("good")
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, "good\n"), done.stderr


def test_processes_write_one_frame(tmp_path: Path) -> None:
    with Apiary("x", tmp_path) as ap:
        ap.create_hive("h").create_box("b").create_frame("f", {"v": "int64"})
        script = (
            "import apiary, sys\n"
            "with apiary.Apiary('x', sys.argv[1]) as ap:\n"
            "    for _ in range(10):\n"
            "        ap.write_to_frame('h', 'b', 'f', {'v': [int(sys.argv[2])]})\n"
        )
        running = [
            subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(number)])
            for number in range(4)
        ]
        assert [process.wait(120) for process in running] == [0] * 4
        counts = ap.sql("SELECT v, COUNT(*) FROM h.b.f GROUP BY v ORDER BY v").fetchall()
        assert counts == [(number, 10) for number in range(4)]
