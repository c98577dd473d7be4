# SPDX-License-Identifier: Apache-2.0
"""What the tests of the Python package share: an apiary in a folder of its own."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import apiary
import pytest


def pytest_configure() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so would the tests of it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def fresh_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("STORAGE", "NAME", "MEMORY", "TIMING", "CACHE_SIZE", "SCRATCH_SIZE"):
        monkeypatch.delenv(f"APIARY_{name}", raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))


@pytest.fixture
def ap(tmp_path: Path) -> Iterator[apiary.Apiary]:
    """A started apiary."""
    with apiary.Apiary("test", tmp_path / "storage") as started:
        yield started


@pytest.fixture
def box(ap: apiary.Apiary) -> apiary.Box:
    """A box to make frames in."""
    return ap.create_hive("warehouse").create_box("sales")


@pytest.fixture
def orders(box: apiary.Box) -> apiary.Frame:
    """The frame of the specification's ten lines, with its three rows."""
    frame = box.create_frame(
        "orders", {"order_id": "int64", "customer": "utf8", "amount": "float64"}
    )
    frame.write(
        {
            "order_id": [1, 2, 3],
            "customer": ["alice", "bob", "alice"],
            "amount": [100.0, 250.0, 75.0],
        }
    )
    return frame
