# SPDX-License-Identifier: Apache-2.0
"""Answers batch by batch: the same rows as all at once, little memory, and an end at any time.

Method: streams are compared with pyarrow's own slices of whole answers; nothing sleeps for luck,
signals are sent once the first rows are there.
"""

from __future__ import annotations

import _thread
import functools
import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apiary
import polars
import pyarrow as pa
import pytest
from apiary import Apiary, Frame, Stream
from tables import COLUMNS, plain, rows, seeded, table
from test_refcount import stays

# The first rows are there soon, the next ones never come.
STUCK = "SELECT i FROM range(1000000000000) t(i) WHERE i < 1000000 OR hash(i) % 1000000007 = 3"


@functools.cache
def all_types() -> pa.Table:
    return table(rows(seeded("stream"), list(COLUMNS), 0, 5000), list(COLUMNS))


@pytest.fixture
def wide(ap: Apiary) -> Frame:
    """All types, nulls and nested values; two cells."""
    frame = (
        ap.create_hive("warehouse")
        .create_box("sales")
        .create_frame("wide", {name: word for name, (word, _) in COLUMNS.items()})
    )
    frame.write(all_types().slice(0, 3000))
    frame.write(all_types().slice(3000))
    return frame


def busy(ap: Apiary) -> int:
    """Engines that work or are held by an open stream."""
    return int(ap.colony_status()["chambers_held"])


@pytest.mark.parametrize("size", [None, 7, 2048, 3333, 100_000])
def test_batches_are_the_rows(ap: Apiary, wide: Frame, size: int | None) -> None:
    query = "SELECT * FROM warehouse.sales.wide ORDER BY id" + (" LIMIT 100" if size == 7 else "")
    whole = ap.sql(query).to_arrow()
    stream = ap.sql_stream(query, batch_size=size)
    assert stream.columns == whole.column_names
    assert stream.schema == whole.schema
    assert not stream.closed
    batches = [pa.record_batch(batch) for batch in stream]
    assert stream.closed
    assert next(stream, None) is None
    for batch in batches:
        batch.validate(full=True)
    if size is not None:
        assert {batch.num_rows for batch in batches[:-1]} <= {size}
        assert batches[-1].num_rows == (whole.num_rows - 1) % size + 1
    again = pa.Table.from_batches(batches)
    assert plain(again.to_pylist()) == plain(whole.to_pylist())


def test_joined_arrays_of_every_layout(ap: Apiary) -> None:
    """Nested lists, empty and null ones, fixed sizes, intervals, bits at odd places."""
    query = """
        SELECT i % 3 = 0 AS flag, CASE WHEN i % 5 > 0 THEN [[i], [], NULL, [NULL, i]] END AS lists,
            {'a': (i % 100)::TINYINT, 'b': CASE WHEN i % 2 = 0 THEN {'c': i::VARCHAR} END} AS pair,
            MAP {i: NULL, -i - 1: [i]} AS map, [i, NULL, i]::INTEGER[3] AS three, NULL AS nothing,
            INTERVAL (i) DAY AS days, (i * 1000003)::UBIGINT AS big,
            repeat('x', (i % 17)::INTEGER) AS text,
            i::HUGEINT::DECIMAL(38, 2) AS d
        FROM range(10001) t(i) ORDER BY i
    """
    whole = ap.sql(query).to_arrow()
    for size in (13, 5000):
        reader = pa.RecordBatchReader.from_stream(ap.sql_stream(query, batch_size=size))
        found = reader.read_all()
        found.validate(full=True)
        assert found.equals(whole.combine_chunks()) or found.to_pylist() == whole.to_pylist()


def test_what_cannot_be_joined_passes_as_it_is(ap: Apiary) -> None:
    query = """
        SELECT i, CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END::ENUM('even', 'odd') AS word,
            union_value(n := i) AS one
        FROM range(5000) t(i)
    """
    found = [row for batch in ap.sql_stream(query, batch_size=100) for row in batch]
    assert found == ap.sql(query).fetchall()


def test_rows_are_tuples(ap: Apiary, orders: Frame) -> None:
    query = "SELECT * FROM warehouse.sales.orders WHERE amount > ? ORDER BY 1"
    assert list(ap.sql_stream(query, [80]).rows()) == ap.sql(query, [80]).fetchall()
    assert list(ap.sql_stream(query, [1e9]).rows()) == []
    assert list(ap.sql_stream("USE BOX warehouse.sales").rows()) != []
    assert len(list(ap.sql_stream("SELECT 1; SELECT * FROM orders").rows())) == 3


def test_large_values_make_short_batches(ap: Apiary) -> None:
    query = "SELECT repeat('x', 1000000) AS t FROM range(200)"
    sizes = [len(batch) for batch in ap.sql_stream(query)]
    assert sum(sizes) == 200
    assert max(sizes) <= 17


def test_other_libraries_take_over(ap: Apiary, orders: Frame) -> None:
    query = "SELECT * FROM warehouse.sales.orders ORDER BY order_id"
    expected = ap.sql(query).to_arrow()
    stream = ap.sql_stream(query, batch_size=2)
    assert next(stream)["order_id"] == [1, 2]
    assert stream.reader().read_all().equals(expected.slice(2))
    assert polars.DataFrame(ap.sql_stream(query)).to_arrow().num_rows == 3
    assert pa.table(ap.sql_stream(query)).equals(expected)
    copies = ap.create_frame("warehouse", "sales", "copies", expected.schema)
    copies.write(ap.sql_stream(query))
    assert ap.sql("SELECT * FROM warehouse.sales.copies ORDER BY 1").to_arrow().equals(expected)
    with pytest.raises(apiary.StateError, match="handed to another library"):
        next(stream)
    with pytest.raises(apiary.StateError, match="handed to another library"):
        stream.reader()


def test_the_loop_may_query_and_write(ap: Apiary, orders: Frame) -> None:
    log = ap.create_frame("warehouse", "sales", "log", {"n": "int64"})
    seen = 0
    for batch in ap.sql_stream("SELECT range AS n FROM range(20)", batch_size=4):
        seen += ap.sql("SELECT count(*) FROM warehouse.sales.orders").fetchall()[0][0]
        log.write(batch)
    assert seen == 15
    assert ap.sql("SELECT count(*), sum(n) FROM warehouse.sales.log").fetchall() == [(20, 190)]


def test_an_end_at_any_time_frees_the_engine(ap: Apiary) -> None:
    for number in range(16):
        stream = ap.sql_stream(STUCK)
        for _ in range(number % 3):
            next(stream)
        assert busy(ap) >= 1
        if number % 4 == 0:
            stream.close()
            stream.close()
        elif number % 4 == 1:
            with stream:
                pass
        elif number % 4 == 2:
            reader = stream.reader()
            reader.read_next_batch()
            del reader
        del stream
        gc.collect()
        assert busy(ap) == 0
    with pytest.raises(apiary.StateError, match="the stream is closed"):
        stream = ap.sql_stream("SELECT 1")
        stream.close()
        next(stream)


def error_of(run: Callable[[], Any], kind: type[Exception]) -> str:
    """What fails, failed once more for as long as the engine keeps the row's error to itself."""
    for _ in range(20):
        with pytest.raises(kind) as caught:
            run()
        if "on some row" not in str(caught.value):
            break
    return str(caught.value)


def test_errors_on_the_way(ap: Apiary) -> None:
    query = "SELECT (CASE WHEN i < 900000 THEN '1' ELSE 'x' END)::INTEGER FROM range(1000000) t(i)"

    def loop() -> None:
        stream = ap.sql_stream(query)
        try:
            for _ in stream:
                pass
        finally:
            assert stream.closed

    assert "'x'" in error_of(loop, apiary.SqlError)
    assert "'x'" in error_of(lambda: ap.sql_stream(query).reader().read_all(), OSError)
    with pytest.raises(apiary.SqlError):
        ap.sql_stream("SELECT nothing")
    with pytest.raises(apiary.InvalidArgument):
        ap.sql_stream("SELECT 1", batch_size=0)
    with pytest.raises(apiary.TaskTimeout):
        list(ap.sql_stream(STUCK, timeout=0.3))
    assert busy(ap) == 0


def test_after_shutdown(tmp_path: Path) -> None:
    ap = Apiary("x", tmp_path)
    ap.start()
    stream = ap.sql_stream(STUCK)
    other = ap.sql_stream(STUCK)
    reader = other.reader()
    next(stream)
    reader.read_next_batch()
    ap.shutdown()
    with pytest.raises(apiary.StateError, match="shut down"):
        next(stream)
    with pytest.raises(OSError, match="shut down"):
        reader.read_all()
    with pytest.raises(apiary.StateError):
        ap.sql_stream("SELECT 1")
    del reader, other
    with Apiary("x", tmp_path) as again:
        assert list(again.sql_stream("SELECT 1").rows()) == [(1,)]


def in_another_thread(ap: Apiary, end: Callable[[Stream], Any]) -> type[BaseException] | None:
    """What a reader gets when `end` is called while it waits for rows that never come."""
    stream = ap.sql_stream(STUCK)
    ready = threading.Event()
    found: list[type[BaseException] | None] = []

    def read() -> None:
        try:
            for _ in stream:
                ready.set()
            found.append(None)
        except apiary.ApiaryError as error:
            found.append(type(error))

    thread = threading.Thread(target=read)
    thread.start()
    assert ready.wait(30)
    end(stream)
    thread.join(30)
    assert not thread.is_alive()
    return found[0]


def test_cancelled_from_another_thread(ap: Apiary) -> None:
    assert in_another_thread(ap, lambda _: ap.cancel()) is apiary.Cancelled
    assert in_another_thread(ap, lambda stream: stream.cancel()) is apiary.Cancelled
    # Where closing meets the reader between two batches, its next call finds a closed stream.
    told = in_another_thread(ap, lambda stream: stream.close())
    assert told in (apiary.Cancelled, apiary.StateError)
    assert busy(ap) == 0


def test_one_reader_at_a_time(ap: Apiary) -> None:
    def second(stream: Stream) -> None:
        try:
            while True:
                next(stream)
        except apiary.StateError as error:
            assert "being read" in str(error)
        stream.close()

    assert in_another_thread(ap, second) is apiary.Cancelled


def test_progress_and_its_exceptions(ap: Apiary) -> None:
    seen: list[float] = []
    list(ap.sql_stream("SELECT hash(i) FROM range(10000000) t(i)", progress=seen.append))
    assert seen
    assert all(-1 <= percent <= 100 for percent in seen)

    def fail(_: float) -> None:
        raise LookupError("enough")

    for run in (ap.sql, lambda *a, **k: list(ap.sql_stream(*a, **k))):
        with pytest.raises(LookupError, match="enough"):
            run("SELECT hash(i) FROM range(100000000000) t(i) WHERE i < 0", progress=fail)
    assert busy(ap) == 0


@pytest.mark.parametrize("how", ["sql", "next", "rows", "arrow"])
def test_an_interrupt_is_heard(ap: Apiary, how: str) -> None:
    """Ctrl-C while the main thread waits for rows."""
    assert threading.current_thread() is threading.main_thread()
    timer = threading.Timer(0.6, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        if how == "sql":
            ap.sql(STUCK)
        elif how == "next":
            for _ in ap.sql_stream(STUCK):
                pass
        elif how == "rows":
            for _ in ap.sql_stream(STUCK).rows():
                pass
        else:
            try:
                ap.sql_stream(STUCK).reader().read_all()
            except OSError:
                threading.Event().wait(5)
    timer.join()
    assert busy(ap) == 0
    assert ap.sql("SELECT 42").fetchall() == [(42,)]


def test_interrupts_at_random_moments_are_heard(ap: Apiary) -> None:
    """While a query is parsed, waits for an engine, gives its first rows, waits for the next."""
    random = seeded("interrupts")
    runs: dict[str, Callable[[], Any]] = {
        "sql": lambda: ap.sql(STUCK),
        "next": lambda: list(ap.sql_stream(STUCK)),
        "rows": lambda: list(ap.sql_stream(STUCK).rows()),
    }
    for _ in range(2000 if os.environ.get("AP_SOAK") == "1" else 60):
        delay = random.random() ** 2 * 0.1
        sent: list[float] = []
        ended = threading.Event()

        def send(wait: float, sent: list[float] = sent, ended: threading.Event = ended) -> None:
            while not ended.wait(wait):
                sent.append(wait)
                os.kill(os.getpid(), signal.SIGINT)
                wait = 10  # what was not heard is sent again, so that this fails and does not hang

        thread = threading.Thread(target=send, args=(delay,))
        name = random.choice(list(runs))
        with pytest.raises(KeyboardInterrupt):
            thread.start()
            runs[name]()
        ended.set()
        thread.join()
        assert len(sent) == 1, (name, sent)
    gc.collect()
    assert busy(ap) == 0
    assert ap.sql("SELECT 42").fetchall() == [(42,)]


def test_a_signal_handler_may_query_meanwhile(ap: Apiary) -> None:
    found: list[Any] = []

    def handler(*_: Any) -> None:
        found.append(list(ap.sql_stream("SELECT 42").rows()))
        raise LookupError("heard")

    before = signal.signal(signal.SIGUSR1, handler)
    timer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    try:
        with pytest.raises(LookupError, match="heard"):
            list(ap.sql_stream(STUCK))
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
    assert found == [[(42,)]]


def test_many_rows_in_little_memory(tmp_path: Path) -> None:
    """A hundred million rows, whose values alone are several times what is allowed."""
    count = 100_000_000 if os.environ.get("AP_SOAK") == "1" else 20_000_000
    program = f"""
import resource
from apiary import Apiary
ap = Apiary("x", {str(tmp_path)!r}, memory="256MB")
ap.start()
next(ap.sql_stream("SELECT range AS n, range * 2 AS m FROM range(1000000)"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = 0
for batch in ap.sql_stream("SELECT range AS n, range * 2 AS m FROM range({count})"):
    rows += len(batch)
assert rows == {count}, rows
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert grown < 100_000, grown
ap.shutdown()
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=280)


def test_nothing_is_leaked(ap: Apiary, wide: Frame) -> None:
    query = "SELECT * FROM warehouse.sales.wide"

    def work() -> None:
        for batch in ap.sql_stream(query, batch_size=1500):
            pa.record_batch(batch)
        next(ap.sql_stream(query))
        ap.sql_stream(query).__arrow_c_stream__()
        reader = ap.sql_stream(query, progress=lambda _: None).reader()
        reader.read_next_batch()
        del reader
        with pytest.raises(apiary.SqlError):
            ap.sql_stream("SELECT nothing")
        with pytest.raises(apiary.SqlError):
            list(ap.sql_stream("SELECT 'x'::INTEGER FROM range(3)"))

    for _ in range(8):  # until what is read so often is kept decoded
        work()
    stays(work, 12, 24 << 20)
    assert busy(ap) == 0

    def callback(_: float) -> None:
        pass

    gone = weakref.ref(callback)
    stream = ap.sql_stream(query, progress=callback, batch_size=10)
    del callback
    next(stream)
    assert gone() is not None
    stream.close()
    assert gone() is None


def test_threads_stream_at_once(ap: Apiary) -> None:
    found: list[int] = []

    def work(number: int) -> None:
        for _ in range(5):
            stream = ap.sql_stream(f"SELECT i + {number} AS n FROM range(200000) t(i)")
            found.append(sum(n for (n,) in stream.rows()) - number * 200_000)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert found == [19_999_900_000] * 30


def test_interrupt_main_ends_only_what_the_main_thread_reads(ap: Apiary) -> None:
    ready = threading.Event()
    found: list[int] = []

    def other() -> None:
        ready.wait(30)
        found.append(sum(len(batch) for batch in ap.sql_stream("SELECT 1 FROM range(5000000)")))

    thread = threading.Thread(target=other)
    thread.start()
    stream = ap.sql_stream(STUCK)
    next(stream)
    ready.set()
    threading.Timer(0.3, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        list(stream)
    thread.join(60)
    assert found == [5_000_000]
