# SPDX-License-Identifier: Apache-2.0
"""A full disk is an error that says so; nothing acknowledged is lost, and room makes it work again.

Method: a file system of a few megabytes (or of few files) in a mount name space of its own. A
child process writes until it is refused, with ballast beside it such that each round is refused at
another moment; then every acknowledged row must be there, once, for us and for deltalake, and after
the ballast went the next change must work.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import apiary
import deltalake
import pyarrow as pa
import pytest
from tables import SOAK, seeded

ROUNDS = 60 if SOAK else 12


def table(number: int, rows: int) -> pa.Table:
    noise = [os.urandom(16).hex() for _ in range(rows)]
    return pa.table({"n": pa.array([number] * rows, pa.int64()), "noise": noise})


def numbers(data: pa.Table) -> dict[int, int]:
    """How often each number is there."""
    counted = data.group_by("n").aggregate([("n", "count")]).to_pylist()
    return {row["n"]: row["n_count"] for row in counted}


def fill(ballast: Path, leave_bytes: int, leave_files: int) -> None:
    """Take the room of the file system but for so much of it."""
    ballast.mkdir()
    room = os.statvfs(ballast)
    with open(ballast / "bytes", "wb") as file:
        file.write(b"\0" * max(0, room.f_bavail * room.f_bsize - leave_bytes))
    for number in range(max(0, room.f_favail - 2 - leave_files) if leave_files >= 0 else 0):
        (ballast / str(number)).touch()


def refused(error: apiary.ApiaryError) -> None:
    assert isinstance(error, apiary.StorageError), repr(error)
    assert error.code == "AP_NO_SPACE", repr(error)
    assert error.sqlstate == "53100"
    assert "space" in str(error).lower(), str(error)
    assert error.retryable


def change(ap: apiary.Apiary, kind: str, frame: apiary.Frame, number: int, rows: int) -> None:
    if kind == "create":
        ap.create_frame("h", "b", f"f{number}", {"n": "int64"})
    elif kind == "checkpoint":
        frame.checkpoint()
    elif kind == "overwrite":
        frame.overwrite(table(number, rows))
    else:
        frame.write(table(number, rows))


def work(folder: str, by_files: bool) -> None:
    """The child: rounds of filling, being refused, and going on."""
    draw = seeded("disk full")
    expected: dict[int, int] = {}
    count = struck = 0
    with apiary.Apiary("full", Path(folder, "storage")) as ap:
        words = {"n": "int64", "noise": "string"}
        frame = ap.create_hive("h").create_box("b").create_frame("f", words)
        for _ in range(ROUNDS):
            leave = draw.randint(0, 20) if by_files else draw.randint(0, 400_000)
            ballast = Path(folder, "ballast")
            fill(ballast, 1 << 20 if by_files else leave, leave if by_files else -1)
            for _ in range(40):
                count += 1
                kind = draw.choice(["append", "append", "overwrite", "checkpoint", "create"])
                rows = draw.choice([1, 10, 1000])
                try:
                    change(ap, kind, frame, count, rows)
                except apiary.ApiaryError as error:
                    refused(error)
                    struck += 1
                    break
                if kind == "overwrite":
                    expected = {}
                if kind in ("append", "overwrite"):
                    expected[count] = rows
            for file in ballast.iterdir():
                file.unlink()
            ballast.rmdir()
            assert numbers(frame.read()) == expected
            place = frame.describe()["location"]
            theirs = deltalake.DeltaTable(place).to_pyarrow_table()
            assert numbers(theirs) == expected
            live = set(deltalake.DeltaTable(place).file_uris())
            for cell in Path(place).glob("*.parquet"):  # replaced ones take room for a week
                if str(cell) not in live:
                    cell.unlink()
            # There is room again, so the next change works, on a handle that has seen the error.
            frame.overwrite(table(0, 5))
            expected = {0: 5}
            assert [p.name for p in Path(folder, "storage/_apiary/staging").glob("*/*")] == []
    assert struck > ROUNDS / 2, "the disk was hardly ever full"
    with apiary.Apiary("again", Path(folder, "storage")) as ap:
        assert numbers(ap.read_from_frame("h", "b", "f")) == expected
    print(f"refused {struck} times")


def apart(size: str, command: list[str]) -> list[str]:
    """A command line that runs a command with a small file system at its last argument."""
    mount = f'mount -t tmpfs -o {size} tmpfs "$1" && shift && exec "$@"'
    return ["unshare", "--mount", "--map-root-user", "sh", "-c", mount, "sh", command[-1], *command]


@pytest.mark.parametrize(
    ("size", "by_files"), [("size=6m", False), ("size=32m,nr_inodes=500", True)]
)
def test_a_full_disk_loses_nothing(tmp_path: Path, size: str, by_files: bool) -> None:
    small = tmp_path / "small"
    small.mkdir()
    try:
        tried = subprocess.run(apart(size, ["true", str(small)]), capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if tried.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {tried.stderr.decode()}")
    code = f"import sys, test_disk_full; test_disk_full.work(sys.argv[1], {by_files})"
    done = subprocess.run(
        apart(size, [sys.executable, "-c", code, str(small)]),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
    )
    print(done.stdout)
    assert done.returncode == 0, done.stderr[-3000:]
