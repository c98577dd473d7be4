# SPDX-License-Identifier: Apache-2.0
"""The examples in docstrings run as tests, each in a home folder of its own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def fresh_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("APIARY_STORAGE", "APIARY_NAME", "APIARY_MEMORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
