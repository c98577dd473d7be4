# SPDX-License-Identifier: Apache-2.0
"""The Python examples run as they stand, twice over one storage; each checks its own answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize("name", ["pandas_example", "sqlalchemy_example", "ibis_example"])
def test_the_example_runs(name: str, tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("APIARY_")}
    environment["HOME"] = str(tmp_path)
    answers = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / f"{name}.py")],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answers.append(done.stdout)
    assert answers[0] and answers[0] == answers[1]
