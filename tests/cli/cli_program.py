# SPDX-License-Identifier: Apache-2.0
"""The program under test, run in a folder of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def find_program() -> Path:
    given = os.environ.get("APIARY_BIN")
    built = [ROOT / "build" / preset / "cmd" / "apiary" / "apiary" for preset in ("dev", "release")]
    for path in [Path(given)] if given else built:
        if path.exists():
            return path
    raise FileNotFoundError("no program apiary: build it (make build), or set APIARY_BIN")


class Program:
    """Runs apiary in a folder, with nothing of the user's environment."""

    def __init__(self, folder: Path) -> None:
        self.path = find_program()
        self.folder = folder
        home = folder / "home"
        home.mkdir()
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("APIARY_", "LC_"))}
        self.environment = dict(
            kept,
            HOME=str(home),
            LANG="C",
            TERM="xterm",
            APIARY_STORAGE=str(folder / "storage"),
            PATH="%s:%s" % (self.path.parent, os.environ["PATH"]),
        )

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            [str(self.path), *arguments],
            cwd=self.folder,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
        )

    def good(self, *arguments: str, stdin: str = "") -> str:
        """What it prints; it must succeed and complain of nothing."""
        done = self.run(*arguments, stdin=stdin)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def bad(self, *arguments: str, status: int = 1, stdin: str = "") -> str:
        """What it complains of; it must end with this status and print no result."""
        done = self.run(*arguments, stdin=stdin)
        assert (done.returncode, done.stdout) == (status, ""), done
        assert done.stderr.startswith("apiary: "), done.stderr
        return done.stderr
