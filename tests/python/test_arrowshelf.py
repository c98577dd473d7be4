# SPDX-License-Identifier: Apache-2.0
"""ArrowShelf from Python, against a server of its own: what is put comes back equal, whatever type
it has; nothing is copied; processes share it, and what is forgotten is gone.
"""

import concurrent.futures
import decimal
import gc
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import arrowshelf
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from arrowshelf._server import program

MEMORY = 512 << 20


class Server:
    def __init__(self, name):
        self.socket = f"@apiary-test-{name}-{os.getpid()}"
        self.start()

    def start(self):
        command = [program(), "--socket", self.socket, "--memory", str(MEMORY)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with arrowshelf.Shelf(self.socket) as shelf:
            end = time.monotonic() + 30
            while not shelf.is_connected():
                assert self.process.poll() is None and time.monotonic() < end
                time.sleep(0.005)

    def stop(self, sign=signal.SIGTERM):
        self.process.send_signal(sign)
        return self.process.wait(30)


@pytest.fixture(scope="module")
def server():
    server = Server("python")
    before = os.environ.get("ARROWSHELF_SOCKET")
    os.environ["ARROWSHELF_SOCKET"] = server.socket
    arrowshelf.close()
    yield server
    arrowshelf.close()
    if before is None:
        del os.environ["ARROWSHELF_SOCKET"]
    else:
        os.environ["ARROWSHELF_SOCKET"] = before
    assert server.stop() == 0


@pytest.fixture
def shelf(server):
    gc.collect()
    yield arrowshelf
    gc.collect()
    arrowshelf.delete_all()
    assert arrowshelf.memory_usage()["used_bytes"] == 0


def backing_of(address):
    """The line of /proc/self/maps that an address lies in."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        low, high = (int(part, 16) for part in line.split()[0].split("-"))
        if low <= address < high:
            return line
    return ""


def table_of_all_types():
    day = 86_400_000_000
    strings = ["é" * 9, None, "", "x" * 40, "short"]
    return pa.table(
        {
            "null": pa.nulls(5),
            "bool": pa.array([True, None, False, True, None]),
            "i8": pa.array([1, -128, None, 127, 0], pa.int8()),
            "u64": pa.array([1, 2**64 - 1, None, 0, 5], pa.uint64()),
            "half": pa.array(np.array([0.5, 1, 2, 3, 4], np.float16)),
            "f64": pa.array([0.5, None, float("inf"), -0.0, float("nan")]),
            "decimal": pa.array([decimal.Decimal("1.23"), None] * 2 + [None], pa.decimal128(20, 2)),
            "wide": pa.array([decimal.Decimal(10) ** 60, None] * 2 + [None], pa.decimal256(70, 0)),
            "date": pa.array([0, 1, None, -1, 20000], pa.date32()),
            "time": pa.array([0, 1, None, day - 1, 5], pa.time64("us")),
            "stamp": pa.array([0, None, 1, -1, 2], pa.timestamp("ns", "Europe/Berlin")),
            "duration": pa.array([0, None, 1, -1, 2], pa.duration("ms")),
            "interval": pa.array(
                [(1, 2, 3), None, (0, 0, 0)] + [None] * 2, pa.month_day_nano_interval()
            ),
            "text": pa.array(strings),
            "large": pa.array(strings, pa.large_string()),
            "view": pa.array(strings, pa.string_view()),
            "bytes": pa.array([b"\xff", None, b"", b"ab", b"\0" * 20]),
            "bytes_view": pa.array([b"\xff", None, b"", b"ab", b"\0" * 20], pa.binary_view()),
            "fixed": pa.array([b"abc", None, b"def", b"\0\0\0", b"xyz"], pa.binary(3)),
            "dictionary": pa.array(["a", None, "b", "a", "c"]).dictionary_encode(),
            "list": pa.array([[1, None], None, [], [2], [3, 4, 5]]),
            "large_list": pa.array(
                [["x"], None, [], [None], ["y", "z"]], pa.large_list(pa.string())
            ),
            "list_view": pa.array([[1, None], None, [], [2], [3, 4]], pa.list_view(pa.int64())),
            "fixed_list": pa.array(
                [[1, 2], None, [3, None], [5, 6], [7, 8]], pa.list_(pa.int32(), 2)
            ),
            "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}, {}, {"a": 4}]),
            "map": pa.array(
                [[("k", 1)], None, [], [("a", None), ("b", 2)], []],
                pa.map_(pa.string(), pa.int64()),
            ),
        },
        metadata={"made": "by hand"},
    )


def test_every_arrow_type_comes_back(shelf):
    table = table_of_all_types()
    back = shelf.get_arrow(shelf.put(table), validate=True)
    assert back.schema.equals(table.schema, check_metadata=True)
    assert back.to_pylist()[0].keys() == table.to_pylist()[0].keys()
    for name in table.column_names:
        assert back[name].to_pylist().__repr__() == table[name].to_pylist().__repr__(), name
    back.validate(full=True)


def test_random_slices_and_chunks_come_back(shelf):
    seed = int(os.environ.get("AP_TEST_SEED", random.randrange(2**32)))
    print("AP_TEST_SEED=%d" % seed)
    draw = random.Random(seed)
    one = table_of_all_types()
    for _ in range(40):
        pieces = []
        for _ in range(draw.randrange(6)):
            many = pa.concat_tables([one] * draw.randrange(1, 9)).combine_chunks()
            start = draw.randrange(many.num_rows + 1)
            pieces.append(many.slice(start, draw.randrange(many.num_rows - start + 1)))
        table = pa.concat_tables(pieces) if pieces else one.schema.empty_table()
        back = shelf.get_arrow(shelf.put(table), validate=True)
        back.validate(full=True)
        assert back.num_rows == table.num_rows
        assert repr(back.to_pylist()) == repr(table.to_pylist())


def test_nothing_is_copied(shelf):
    key = shelf.put(pa.table({"x": np.arange(100_000.0), "t": ["text"] * 100_000}))
    table = shelf.get_arrow(key)
    again = shelf.get_arrow(key)
    for name in table.column_names:
        for chunk, other in zip(table[name].chunks, again[name].chunks):
            for buffer, same in zip(chunk.buffers(), other.buffers()):
                if buffer is None:
                    continue
                assert buffer.address == same.address
                line = backing_of(buffer.address)
                assert line.split()[1] == "r--s" and "memfd" in line, line
    view = shelf.get_numpy_view(key, "x")
    assert view.ctypes.data == table["x"].chunk(0).buffers()[1].address
    assert not view.flags.writeable and view[-1] == 99_999


def test_pandas_with_its_index(shelf):
    frame = pd.DataFrame(
        {
            "f": [1.5, None, -0.0] * 100,
            "n": [1, -(2**62), 3] * 100,
            "s": ["é", None, "x"] * 100,
            "c": pd.Categorical(["a", "b", "a"] * 100),
            "d": pd.to_datetime(["2024-01-01", None, "2024-02-29"] * 100),
        }
    )
    pd.testing.assert_frame_equal(shelf.get(shelf.put(frame)), frame)
    indexed = frame.set_index("d", append=True)
    pd.testing.assert_frame_equal(shelf.get(shelf.put(indexed)), indexed)
    got = shelf.get(shelf.put(frame))
    got.loc[0, "f"] = 2.0  # a copy, which may be written
    lean = shelf.get(shelf.put(frame[["f", "n"]].fillna(0)), copy=False)
    assert lean["n"].sum() == frame["n"].sum()


@pytest.mark.parametrize("dtype", ["f8", "f2", "i1", "u8", "c16", "bool", "M8[ns]", ">i4", "S5"])
def test_arrays_keep_shape_and_type(shelf, dtype):
    array = np.arange(60).reshape(3, 4, 5).astype(dtype)
    for given in (array, array.T, array[:0]):
        view = shelf.get_numpy_view(shelf.put(given))
        assert view.dtype == given.dtype and view.shape == given.shape
        np.testing.assert_array_equal(view, given)
        got = shelf.get(shelf.put(given))
        assert got.flags.writeable


def test_polars_and_dicts(shelf):
    frame = pl.DataFrame({"a": [1, None, 3], "s": ["x" * 30, None, "y"], "l": [[1], [], None]})
    assert shelf.get_polars(shelf.put(frame)).equals(frame)
    assert shelf.get_polars(shelf.put(frame["s"])).to_series().equals(frame["s"])
    key = shelf.put({"a": [1, 2], "b": np.array([0.5, 1.5])})
    assert shelf.get_arrow(key).to_pydict() == {"a": [1, 2], "b": [0.5, 1.5]}


def test_what_cannot_be_put_is_told(shelf):
    for data in (5, "text", np.array([object()]), {"a": [1], "b": [1, 2]}):
        with pytest.raises(shelf.InvalidDataError):
            shelf.put(data)
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array([1, 2]))
    with pytest.raises(shelf.InvalidDataError, match="run-end"):
        shelf.put(pa.table({"r": runs}))


def test_errors_are_those_that_are_documented(shelf):
    with pytest.raises(KeyError, match="list_keys"):
        shelf.get("nothing")
    shelf.put({"a": [1]}, name="taken")
    with pytest.raises(shelf.NameTakenError):
        shelf.put({"a": [1]}, name="taken")
    with pytest.raises(shelf.ShelfFullError):
        shelf.put(np.zeros(MEMORY // 8 + 1))
    with arrowshelf.Shelf("@apiary-test-nobody") as other:
        assert not other.is_connected()
        with pytest.raises(arrowshelf.ConnectionError, match="arrowshelf-server"):
            other.list_keys()


def test_names_labels_and_pins(shelf):
    key = shelf.put({"a": [1]}, name="one", labels="red daily", pinned=True)
    other = shelf.put({"a": [2]}, labels="blue daily")
    assert shelf.list_keys() == [key, other]
    assert shelf.list_keys("red") == [key] and shelf.list_keys("daily") == [key, other]
    entry = shelf.list_objects("red")[0]
    assert entry["name"] == "one" and entry["pinned"] and entry["rows"] == 1
    shelf.pin("one", False)
    assert not shelf.list_objects("red")[0]["pinned"]
    shelf.delete("one")
    assert shelf.list_keys() == [other]


def test_data_outlives_its_key_and_goes_when_forgotten(shelf):
    key = shelf.put(np.arange(1_000_000.0))
    view = shelf.get_numpy_view(key)
    part = view[10:20]
    shelf.delete(key)
    del view
    gc.collect()
    assert shelf.memory_usage()["deleted"] == 1
    assert part.sum() == sum(range(10, 20))
    del part
    gc.collect()
    assert shelf.memory_usage()["deleted"] == 0


def test_building_in_place(shelf):
    with shelf.create({"x": "float64", "n": "int32"}, 1000, name="built") as builder:
        builder["x"][:] = np.arange(1000)
        builder["n"][:] = 7
        assert shelf.list_keys() == []
        kept = builder["x"]
    assert shelf.get("built")["x"].sum() == 499_500
    assert not kept.flags.writeable and kept[999] == 999
    with pytest.raises(RuntimeError), shelf.create({"x": "int8"}, 10):
        raise RuntimeError
    with pytest.raises(shelf.InvalidDataError):
        shelf.create({"x": "str"}, 10)
    del kept, builder
    gc.collect()
    assert shelf.memory_usage()["unsealed"] == 0


def test_a_reader_cannot_write(shelf):
    key = shelf.put(np.arange(10.0))
    code = (
        "import sys, ctypes, arrowshelf\n"
        "view = arrowshelf.get_numpy_view(sys.argv[1])\n"
        "ctypes.memset(view.ctypes.data, 1, 8)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, key], capture_output=True)
    assert done.returncode == -signal.SIGSEGV
    assert shelf.get(key)[1] == 1.0


def total(key):
    return float(arrowshelf.get_numpy_view(key).sum())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_share_one_copy(shelf, method):
    key = shelf.put(np.arange(100_000.0))
    held = shelf.get_numpy_view(key)
    with multiprocessing.get_context(method).Pool(3) as pool:
        assert pool.map(total, [key] * 6) == [4_999_950_000.0] * 6
    assert held[5] == 5
    del held


def test_a_forked_child_keeps_what_its_parent_drops(shelf):
    view = shelf.get_numpy_view(shelf.put(np.full(100_000, 7.0)))
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(ready, 1)
        os._exit(0 if (view == 7.0).all() and arrowshelf.list_keys() is not None else 1)
    del view
    shelf.delete_all()
    for _ in range(20):
        shelf.put(np.full(100_000, -1.0))
    os.write(go, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(ready)
    os.close(go)


def doubled(frame):
    return frame * 2


def failing(frame):
    raise ValueError(f"{len(frame)} rows")


def test_executor_and_share(shelf):
    frame = pd.DataFrame({"x": np.arange(1000.0)})
    context = multiprocessing.get_context("spawn")
    with arrowshelf.Executor(2, mp_context=context) as executor:
        futures = [executor.submit(doubled, frame) for _ in range(4)]
        for future in concurrent.futures.as_completed(futures):
            pd.testing.assert_frame_equal(future.result(), frame * 2)
        with pytest.raises(ValueError, match="1000 rows"):
            executor.submit(failing, frame).result()
        assert executor.submit(len, "four").result() == 4
        with arrowshelf.share(frame) as shared:
            assert executor.submit(arrowshelf.Shared.get, shared).result().equals(frame)
            assert shelf.list_keys() == [shared.key]
    assert shelf.list_keys() == []
    shared = arrowshelf.share(frame)
    del shared
    gc.collect()
    assert shelf.list_keys() == []


def test_threads_share_a_connection(shelf):
    problems = []

    def work(number):
        try:
            for round_number in range(30):
                value = number * 1000 + round_number
                key = shelf.put(np.full(5000, value))
                view = shelf.get_numpy_view(key)
                shelf.delete(key)
                assert (view == value).all()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems


def test_a_server_that_died_is_found_again():
    server = Server("mortal")
    with arrowshelf.Shelf(server.socket) as shelf:
        key = shelf.put(np.arange(1000.0))
        view = shelf.get_numpy_view(key)
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        assert not shelf.is_connected()
        with pytest.raises(arrowshelf.ConnectionError):
            shelf.put(np.arange(3))
        assert view.sum() == 499_500
        server.start()
        assert shelf.list_keys() == []
        assert shelf.get(shelf.put(np.arange(3))).tolist() == [0, 1, 2]
        assert view.sum() == 499_500
        shelf.shutdown_server()
        assert server.process.wait(30) == 0
        assert not shelf.is_connected()


def test_autostart(monkeypatch):
    socket = f"@apiary-test-autostart-{os.getpid()}"
    monkeypatch.setenv("ARROWSHELF_AUTOSTART", "1")
    with arrowshelf.Shelf(socket) as shelf:
        key = shelf.put({"a": [1, 2]})
        assert shelf.get_arrow(key)["a"].to_pylist() == [1, 2]
        shelf.shutdown_server()
