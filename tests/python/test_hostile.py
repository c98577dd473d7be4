# SPDX-License-Identifier: Apache-2.0
"""Broken and hostile bytes are refused with what and where; nothing crashes, others go on.

Method: a frame beside a sound one; one of its files is replaced by something broken, by hand or by
seeded damage. Whatever is asked of it then either fails with an error that names the place or gives
rows; the process lives, the sound frame answers, and once the file is mended so does the other.
Damage runs in a child process, so that a crash is seen as one.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apiary
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tables import SOAK, seeded

NAMES = [
    "../x", "..", ".", "", "a/b", "/etc", "a\\b", "_delta_log", ".hidden", " x", "x ", "a\nb",
    "a\0b", 'a"b', "x" * 129, "\ud800",
]  # fmt: skip


def location(frame: apiary.Frame) -> Path:
    return Path(frame.describe()["location"])


@pytest.fixture
def sound(box: apiary.Box) -> Iterator[apiary.Frame]:
    """A frame that must not notice anything."""
    frame = box.create_frame("sound", {"id": "int64"})
    frame.write({"id": [1, 2, 3]})
    yield frame
    frame.write({"id": [4]})
    assert sorted(row["id"] for row in frame.read().to_pylist()) == [1, 2, 3, 4]


@pytest.fixture
def victim(box: apiary.Box) -> apiary.Frame:
    frame = box.create_frame("victim", {"id": "int64", "text": "string"})
    for at in range(3):
        frame.write({"id": [at], "text": [f"row {at}"]})
    return frame


def fails(call: Callable[[], Any], *words: str) -> apiary.ApiaryError:
    """An error of ours (no crash, nothing raw of Python) that has these words."""
    with pytest.raises(apiary.ApiaryError) as raised:
        call()
    for word in words:
        assert word in str(raised.value), f"'{word}' is not in: {raised.value}"
    assert not isinstance(raised.value, apiary.InternalError), raised.value
    return raised.value


# ------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize("name", NAMES)
def test_bad_names(ap: apiary.Apiary, box: apiary.Box, name: str, tmp_path: Path) -> None:
    csv = tmp_path / "good.csv"
    csv.write_text("a,b\n1,2\n")
    before = sorted(p for p in tmp_path.rglob("*") if "_apiary" not in p.parts)
    refusals = (apiary.InvalidArgument, UnicodeEncodeError, ValueError)
    for call in (
        lambda: ap.create_hive(name),
        lambda: ap.create_box("warehouse", name),
        lambda: box.create_frame(name, {"id": "int64"}),
        lambda: ap.rename_hive("warehouse", name),
        lambda: ap.import_files("warehouse", "sales", name, csv),
        lambda: ap.import_files(name, "b", "f", csv),
    ):
        with pytest.raises(refusals):
            call()
    with pytest.raises((apiary.ApiaryError, UnicodeEncodeError, ValueError)):
        ap.read_from_frame("warehouse", "sales", name)
    with pytest.raises((apiary.ApiaryError, UnicodeEncodeError, ValueError)):
        ap.drop_frame("warehouse", "sales", name)
    assert sorted(p for p in tmp_path.rglob("*") if "_apiary" not in p.parts) == before
    assert ap.list_frames("warehouse", "sales") == []


# ----------------------------------------------------------------------------------- ledger entries

SCHEMA_TEXT = json.dumps(
    {"type": "struct", "fields": [{"name": "id", "type": "long", "nullable": True, "metadata": {}}]}
)


def entry(**actions: Any) -> bytes:
    return "".join(json.dumps({name: body}) + "\n" for name, body in actions.items()).encode()


def added(path: Any, **more: Any) -> bytes:
    body = {
        "path": path,
        "partitionValues": {},
        "size": 100,
        "modificationTime": 0,
        "dataChange": True,
    }
    return entry(add={**body, **more})


BAD_ENTRIES: dict[str, bytes] = {
    "empty text": b"{",
    "garbage": bytes(range(256)),
    "cut": b'{"add":{"path":"cell-1.parquet","partitionVal',
    "not an object": b"[1, 2, 3]\n",
    "a number for a path": added(5),
    "no path": entry(add={"size": 1}),
    "text for a size": added("x.parquet", size="many"),
    "negative size": added("x.parquet", size=-5),
    "path of null": added(None),
    "deep": b"[" * 100_000 + b"]" * 100_000 + b"\n",
    "deep value": b'{"add":' * 5000 + b"1" + b"}" * 5000,
    "unknown reader": entry(protocol={"minReaderVersion": 99, "minWriterVersion": 99}),
    "unknown feature": entry(
        protocol={
            "minReaderVersion": 3,
            "minWriterVersion": 7,
            "readerFeatures": ["timeTravelToTheFuture"],
            "writerFeatures": ["timeTravelToTheFuture"],
        }
    ),
    "no schema": entry(metaData={"id": "x", "format": {"provider": "parquet"}}),
    "broken schema": entry(
        metaData={
            "id": "x",
            "format": {"provider": "parquet"},
            "schemaString": "{{{",
            "partitionColumns": [],
            "configuration": {},
        }
    ),
    "unknown type": entry(
        metaData={
            "id": "x",
            "format": {"provider": "parquet"},
            "schemaString": SCHEMA_TEXT.replace("long", "quaternion"),
            "partitionColumns": [],
            "configuration": {},
        }
    ),
    "unknown partition column": entry(
        metaData={
            "id": "x",
            "format": {"provider": "parquet"},
            "schemaString": SCHEMA_TEXT,
            "partitionColumns": ["nope"],
            "configuration": {},
        }
    ),
    "bad deletion vector": added(
        "x.parquet",
        deletionVector={"storageType": "z", "pathOrInlineDv": "!!", "sizeInBytes": 3},
    ),
}


@pytest.mark.parametrize("kind", BAD_ENTRIES)
def test_bad_ledger_entries(
    ap: apiary.Apiary, sound: apiary.Frame, victim: apiary.Frame, kind: str
) -> None:
    path = location(victim) / "_delta_log" / f"{4:020}.json"
    path.write_bytes(BAD_ENTRIES[kind])
    for call in (victim.read, lambda: victim.write({"id": [9], "text": ["x"]}), victim.checkpoint):
        error = fails(call)
        assert isinstance(error, (apiary.CorruptError, apiary.Unsupported)), repr(error)
        place = f"{4:020}.json" in str(error) or "victim" in str(error)
        assert place, f"it does not say where: {error}"
    fails(lambda: ap.sql("SELECT * FROM warehouse.sales.victim"))
    assert ap.sql("SELECT count(*) FROM warehouse.sales.sound").fetchall() == [(3,)]
    # The past can be read still, and once the entry is mended all is well.
    assert victim.read(version=3).num_rows == 3
    path.unlink()
    assert victim.read().num_rows == 3
    victim.write({"id": [9], "text": ["x"]})


@pytest.mark.parametrize(
    "outside",
    ["/etc/passwd", "../sound/cell.parquet", "..%2Fsound%2Fx.parquet", "file:///etc/passwd",
     "a/../../../x.parquet", "s3://bucket/x.parquet", "", "%2e%2e/x", "x\0y", "http://h/x"],
)  # fmt: skip
def test_cells_outside_the_frame(
    box: apiary.Box, sound: apiary.Frame, victim: apiary.Frame, outside: str
) -> None:
    """A ledger cannot make us read, or later remove, what is not the frame's."""
    path = location(victim) / "_delta_log" / f"{4:020}.json"
    path.write_bytes(added(outside))
    error = fails(victim.read)
    assert isinstance(error, (apiary.CorruptError, apiary.Unsupported, apiary.StorageError)), error
    fails(lambda: victim.read(columns=["id"]))


def test_a_missing_version_is_noticed(sound: apiary.Frame, victim: apiary.Frame) -> None:
    log = location(victim) / "_delta_log"
    kept = (log / f"{2:020}.json").read_bytes()
    (log / f"{2:020}.json").unlink()
    with apiary.Apiary("fresh", log.parents[3]) as fresh:
        fails(lambda: fresh.read_from_frame("warehouse", "sales", "victim"), "2")
    (log / f"{2:020}.json").write_bytes(kept)
    assert victim.read().num_rows == 3


# ------------------------------------------------------------------------------------- checkpoints


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def test_bad_checkpoints(
    ap: apiary.Apiary, sound: apiary.Frame, victim: apiary.Frame, tmp_path: Path
) -> None:
    """A checkpoint that cannot be used costs time, not rows, as long as the log is there."""
    version = victim.checkpoint()
    victim.write({"id": [3], "text": ["row 3"]})
    log = location(victim) / "_delta_log"
    path = log / f"{version:020}.checkpoint.parquet"
    good = path.read_bytes()
    sound.checkpoint()
    other = next((location(sound) / "_delta_log").glob("*.checkpoint.parquet")).read_bytes()
    bare = tmp_path / "bare.parquet"
    pq.write_table(pa.table({"x": [1]}), bare)
    for what, data in {
        "cut": cut(good),
        "empty": b"",
        "garbage": os.urandom(500),
        "head only": good[:8],
        **{f"damaged {at}": good[:60] + os.urandom(40) + good[100:] for at in range(8)},
        "no checkpoint": bare.read_bytes(),
    }.items():
        path.write_bytes(data)
        with apiary.Apiary("fresh", tmp_path / "storage") as fresh:
            found = fresh.read_from_frame("warehouse", "sales", "victim").to_pylist()
            assert sorted(row["id"] for row in found) == [0, 1, 2, 3], what
            assert fresh.read_from_frame("warehouse", "sales", "sound").num_rows == 3
    # Without the log there is nothing else: then it is an error that names the checkpoint.
    for number in range(version + 1):
        (log / f"{number:020}.json").unlink()
    for what, data in {"cut": cut(good), "empty": b"", "garbage": os.urandom(500)}.items():
        path.write_bytes(data)
        with apiary.Apiary("fresh", tmp_path / "storage") as fresh:
            error = fails(lambda: fresh.read_from_frame("warehouse", "sales", "victim"))
            assert isinstance(error, apiary.CorruptError), (what, error)
            assert "checkpoint" in str(error) or f"{version:020}" in str(error), (what, error)
    path.write_bytes(good)
    with apiary.Apiary("fresh", tmp_path / "storage") as fresh:
        found = fresh.read_from_frame("warehouse", "sales", "victim").to_pylist()
        assert sorted(row["id"] for row in found) == [0, 1, 2, 3]
    assert len(other) > 0


@pytest.mark.parametrize(
    "hint",
    [
        b"",
        b"{",
        b"[]",
        b'{"version":-1}',
        b'{"version":1e99}',
        b'{"version":"x"}',
        b'{"version":999999}',
        bytes(range(256)),
    ],
)
def test_bad_checkpoint_hints(victim: apiary.Frame, hint: bytes) -> None:
    victim.checkpoint()
    root = location(victim).parents[2]
    (location(victim) / "_delta_log" / "_last_checkpoint").write_bytes(hint)
    with apiary.Apiary("fresh", root) as fresh:
        assert fresh.read_from_frame("warehouse", "sales", "victim").num_rows == 3
        fresh.write_to_frame("warehouse", "sales", "victim", {"id": [5], "text": ["x"]})
    assert victim.read().num_rows == 4


# ------------------------------------------------------------------------------------------- cells


def test_bad_cells(ap: apiary.Apiary, sound: apiary.Frame, victim: apiary.Frame) -> None:
    cell = sorted(location(victim).glob("*.parquet"))[0]
    good = cell.read_bytes()
    other = sorted(location(sound).glob("*.parquet"))[0].read_bytes()
    cases = {
        "cut": cut(good),
        "empty": b"",
        "no footer": good[:-8],
        "garbage": os.urandom(len(good)),
        "length lies": good[:-8] + b"\xff\xff\xff\x7fPAR1",
        "other columns": other,
    }
    for what, data in cases.items():
        cell.write_bytes(data)
        error = fails(victim.read)
        assert cell.name in str(error) or "victim" in str(error), (what, error)
        fails(lambda: ap.sql("SELECT max(text) FROM warehouse.sales.victim"))
        assert ap.sql("SELECT count(*) FROM warehouse.sales.sound").fetchall() == [(3,)]
    cell.unlink()
    error = fails(victim.read)
    assert cell.name in str(error), error
    cell.write_bytes(good)
    assert victim.read().num_rows == 3


# ------------------------------------------------------------------------------------ files to load


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a,b\n" + "1,2\n" * 100 + "3\n" + "4,5,6\n", 102),
        ("a,b\n1,2\n3\n", 3),
        ("a,b\n1,2\n3,4,5\n", 3),
        ("a,b\n1,2\n3,4\n5,6,7\n8,9\n", 4),
        ("a,b,c\n" + "1,2,3\n" * 30_000 + "1,2\n", 30_002),
    ],
)
def test_ragged_csv(ap: apiary.Apiary, tmp_path: Path, text: str, line: int) -> None:
    """No row is passed over in silence."""
    path = tmp_path / "ragged.csv"
    path.write_text(text)
    fails(lambda: ap.import_files("h", "b", "f", path), "ragged.csv", f"line {line}:")
    ap.create_hive("h").create_box("b").create_frame("g", {"a": "int64", "b": "int64"})
    fails(lambda: ap.import_files("h", "b", "g", path, create=False), "ragged.csv")
    assert ap.read_from_frame("h", "b", "g").num_rows == 0


def test_csv_that_is_no_text(ap: apiary.Apiary, tmp_path: Path) -> None:
    path = tmp_path / "bytes.csv"
    path.write_bytes(b"a,b\n1,\xff\xfe\xfd\n")
    error = fails(lambda: ap.import_files("h", "b", "f", path), "bytes.csv")
    assert isinstance(error, (apiary.SqlError, apiary.CorruptError, apiary.InvalidArgument)), error


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.json", b'{"a": 1}\n{"a": \n'),
        ("x.json", b"\x00\x01\x02 garbage"),
        ("x.json", b'{"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
        ("x.parquet", b"PAR1 this is none PAR1"),
        ("x.parquet", b""),
        ("x.arrow", b"ARROW1\0\0 and nothing more"),
        ("x.arrow", os.urandom(200)),
        ("x.csv", b""),
        ("x.what", b"1,2,3"),
    ],
)
def test_files_that_cannot_be_loaded(
    ap: apiary.Apiary, tmp_path: Path, name: str, data: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    fails(lambda: ap.import_files("h", "b", "f", path), name)
    if "h" in ap.list_hives() and "b" in ap.list_boxes("h"):
        assert ap.list_frames("h", "b") == []


def test_missing_files_are_named(ap: apiary.Apiary, tmp_path: Path) -> None:
    fails(lambda: ap.import_files("h", "b", "f", tmp_path / "nothing.csv"), "nothing.csv")
    fails(lambda: ap.import_files("h", "b", "f", str(tmp_path / "*.csv")), "*.csv")


# ------------------------------------------------------------------------------------ Arrow streams


def ipc_bytes() -> bytes:
    sink = pa.BufferOutputStream()
    data = pa.table({"id": [1, 2, 3, 4], "text": ["a", None, "ccc", "dd"]})
    with pa.ipc.new_stream(sink, data.schema) as writer:
        writer.write_table(data)
    return bytes(sink.getvalue())


def lying(offsets: list[int], data: bytes) -> pa.Table:
    """Rows with a text whose offsets are changed after pyarrow has looked at them."""
    good = bytearray(4 * len(offsets))
    buffers = [None, pa.py_buffer(good), pa.py_buffer(data)]
    text = pa.Array.from_buffers(pa.string(), len(offsets) - 1, buffers)
    ids = pa.array(range(len(offsets) - 1), pa.int64())
    made = pa.Table.from_arrays([ids, text], names=["id", "text"])
    good[:] = b"".join(at.to_bytes(4, "little", signed=True) for at in offsets)
    return made


@pytest.mark.parametrize(
    ("offsets", "data"),
    [
        ([0, 1 << 30, 1 << 30, 1 << 30, 1 << 30], b"abc"),
        ([0, 3, 1, 2, 3], b"abc"),
        ([-5, 1, 2, 3, 3], b"abc"),
        ([0, 1, 2, 3, 2**31 - 1], b"abc"),
        ([0, 1, 2, 3, 3], b"a\xff\xfe"),
    ],
)
def test_arrow_whose_offsets_lie(victim: apiary.Frame, offsets: list[int], data: bytes) -> None:
    """Also as IPC bytes, which come from further away. What lies beyond the data we cannot see: a
    stream in this process has no sizes; IPC has, and is refused."""
    sound = all(a <= b for a, b in zip(offsets, offsets[1:])) and offsets[0] >= 0
    if not sound or data != b"abc":
        error = fails(lambda: victim.write(lying(offsets, data)), "text")
        assert isinstance(error, (apiary.InvalidArgument, apiary.CorruptError)), error
    good = ipc_bytes()
    at = good.index(b"".join(n.to_bytes(4, "little") for n in (0, 1, 1, 4, 6)))
    wrong = b"".join(n.to_bytes(4, "little", signed=True) for n in offsets)
    changed = good[:at] + wrong + good[at + len(wrong) :]
    if data == b"abc" and changed != good:
        error = fails(lambda: victim.write(changed), "text")
        assert isinstance(error, (apiary.InvalidArgument, apiary.CorruptError)), error
    assert victim.read().num_rows == 3


# ----------------------------------------------------------------------------------- random damage


def damaged(draw: random.Random, data: bytes) -> bytes:
    kind = draw.choice(["flip", "flip", "flip", "cut", "insert", "zero", "repeat"])
    if not data or kind == "cut":
        return data[: draw.randint(0, len(data))]
    at = draw.randrange(len(data))
    if kind == "flip":
        changed = bytearray(data)
        for _ in range(draw.choice([1, 1, 2, 8])):
            changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        return bytes(changed)
    if kind == "insert":
        return data[:at] + bytes(draw.randrange(256) for _ in range(draw.randint(1, 9))) + data[at:]
    if kind == "zero":
        return data[:at] + b"\0" * min(16, len(data) - at) + data[at + 16 :]
    return data[:at] + data[draw.randrange(len(data)) :]


def damage_frames(root: str, seed: int, rounds: int) -> None:
    """The child of the next test: each round damages one file of a copy and asks everything."""
    draw = random.Random(seed)
    storage = Path(root, "storage")
    victim = storage / "warehouse" / "sales" / "victim"
    kept = Path(root, "kept")
    for at in range(rounds):
        files = sorted(p for p in kept.rglob("*") if p.is_file())
        file = draw.choice(files)
        place = victim / file.relative_to(kept)
        place.write_bytes(damaged(draw, file.read_bytes()))
        (Path(root) / "now").write_text(f"round {at}: {file}")
        with apiary.Apiary("child", storage) as ap:
            for call in (
                lambda: ap.read_from_frame("warehouse", "sales", "victim"),
                lambda: ap.frame_history("warehouse", "sales", "victim"),
                lambda: ap.sql("SELECT max(id), min(text) FROM warehouse.sales.victim"),
                lambda: ap.get_frame("warehouse", "sales", "victim"),
            ):
                try:
                    call()
                except apiary.InternalError as error:
                    raise AssertionError(f"round {at}: {file.name}: {error!r}") from error
                except apiary.ApiaryError as error:
                    assert len(str(error)) > 10
            assert ap.read_from_frame("warehouse", "sales", "sound").num_rows == 3
        shutil.rmtree(victim)
        shutil.copytree(kept, victim)


def damage_ipc(seed: int, rounds: int, root: str) -> None:
    draw = random.Random(seed)
    good = ipc_bytes()
    with apiary.Apiary("child", root) as ap:
        frame = (
            ap.create_hive("h").create_box("b").create_frame("f", {"id": "int64", "text": "string"})
        )
        for at in range(rounds):
            try:
                frame.write(damaged(draw, good))
            except apiary.InternalError as error:
                raise AssertionError(f"round {at}: {error!r}") from error
            except apiary.ApiaryError as error:
                assert len(str(error)) > 10
        frame.read()


def in_a_child(body: Callable[..., None], *arguments: Any) -> None:
    process = multiprocessing.get_context("spawn").Process(target=body, args=arguments)
    process.start()
    process.join(280)
    process.kill()
    process.join()
    assert process.exitcode == 0, f"the child ended with {process.exitcode}"


def test_random_damage_to_a_frame(
    sound: apiary.Frame, victim: apiary.Frame, tmp_path: Path
) -> None:
    seed = seeded("damage").getrandbits(31)
    victim.checkpoint()
    victim.write({"id": [3], "text": ["row 3"]})
    shutil.copytree(location(victim), tmp_path / "kept")
    try:
        in_a_child(damage_frames, str(tmp_path), seed, 1000 if SOAK else 60)
    except AssertionError as error:
        raise AssertionError(f"{error}; {(tmp_path / 'now').read_text()}") from error
    shutil.rmtree(location(victim))
    shutil.copytree(tmp_path / "kept", tmp_path / "storage" / "warehouse" / "sales" / "victim")
    assert victim.read().num_rows == 4


def test_random_damage_to_arrow_bytes(tmp_path: Path) -> None:
    seed = seeded("damage").getrandbits(31)
    in_a_child(damage_ipc, seed, 20_000 if SOAK else 500, str(tmp_path / "storage"))
