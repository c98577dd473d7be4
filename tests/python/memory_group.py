# SPDX-License-Identifier: Apache-2.0
"""A control group of little memory for a program under test, below the group that we are in.

Version 1 or 2, whichever the machine has. Where no group can be made (no root, a read-only mount),
find_parent tells why, for tests to skip with.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
POLL_S = 0.02


@dataclass
class Outcome:
    returncode: int
    output: str
    peak_bytes: int  # that the kernel counted: caches of files, which it takes back, included
    peak_rss_bytes: int  # of the program's own memory, as polled
    killed: int  # how often the kernel had to kill


def _own(controller: str) -> str:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(",") or (controller == "" and controllers == ""):
            return path.rstrip("/")
    return ""


def find_parent() -> tuple[Path | None, str]:
    """The folder below which groups can be made, or None and the reason."""
    for base in (ROOT / f"memory{_own('memory')}", ROOT / "memory", ROOT / _own("").lstrip("/")):
        if not base.is_dir():
            continue
        probe = base / f"apiary-{uuid.uuid4().hex[:12]}"
        try:
            probe.mkdir()
        except OSError as error:
            reason = f"{base}: {error.strerror}"
            continue
        usable = any((probe / name).exists() for name in ("memory.max", "memory.limit_in_bytes"))
        probe.rmdir()
        if usable:
            return base, ""
        reason = f"{base} has no memory controller for groups below it"
    return None, reason if "reason" in locals() else "no control groups are mounted"


class Group:
    """A group with that limit, swapping none; gone when the block ends."""

    def __init__(self, limit_bytes: int) -> None:
        parent, reason = find_parent()
        if parent is None:
            raise OSError(reason)
        self.folder = parent / f"apiary-{uuid.uuid4().hex[:12]}"
        self.folder.mkdir()
        self.is_v2 = (self.folder / "memory.max").exists()
        if self.is_v2:
            self._write("memory.max", str(limit_bytes))
            self._write("memory.swap.max", "0", may_fail=True)
        else:
            self._write("memory.limit_in_bytes", str(limit_bytes))
            self._write("memory.memsw.limit_in_bytes", str(limit_bytes), may_fail=True)

    def _write(self, name: str, value: str, may_fail: bool = False) -> None:
        try:
            (self.folder / name).write_text(value)
        except OSError:
            if not may_fail:
                raise

    def _number(self, name: str) -> int:
        path = self.folder / name
        return int(path.read_text()) if path.exists() else 0

    def _statistic(self, file: str, name: str) -> int:
        for line in (self.folder / file).read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
        return 0

    def rss_bytes(self) -> int:
        return self._statistic("memory.stat", "anon" if self.is_v2 else "rss")

    def peak_bytes(self) -> int:
        return self._number("memory.peak" if self.is_v2 else "memory.max_usage_in_bytes")

    def killed(self) -> int:
        return self._statistic("memory.events" if self.is_v2 else "memory.oom_control", "oom_kill")

    def run(
        self, command: Sequence[str], timeout_s: float, environment: dict[str, str] | None = None
    ) -> Outcome:
        """The program in the group, on at most two cores; its output is both streams'."""
        cores = sorted(os.sched_getaffinity(0))[:2]

        def enter() -> None:
            self._write("cgroup.procs", str(os.getpid()))
            os.sched_setaffinity(0, cores)

        child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=enter,
            env=None if environment is None else {**os.environ, **environment},
        )
        peak = 0
        over = threading.Event()

        def poll() -> None:
            nonlocal peak
            while not over.wait(POLL_S):
                peak = max(peak, self.rss_bytes())

        watcher = threading.Thread(target=poll)
        watcher.start()
        try:
            output, _ = child.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            child.kill()
            output, _ = child.communicate()
            output += f"\nnot over after {timeout_s} s"
        finally:
            over.set()
            watcher.join()
        return Outcome(child.returncode, output, self.peak_bytes(), peak, self.killed())

    def __enter__(self) -> Group:
        return self

    def __exit__(self, *_: object) -> None:
        for _ in range(250):  # the kernel may take a moment to let go of the last process
            try:
                self.folder.rmdir()
                return
            except OSError:
                time.sleep(POLL_S)
        self.folder.rmdir()
