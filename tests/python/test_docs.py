# SPDX-License-Identifier: Apache-2.0
"""The Python examples of the documents run as they stand.

Method: the blocks of one document run in order in one fresh program, in an empty folder that is
also its home. A block behind the comment `<!-- not run -->` is left out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ["README.md", "docs/python.md", "docs/arrowshelf.md", "python/README.md"]


def blocks_of(text: str) -> list[tuple[int, str]]:
    """(line, source) of each python block."""
    found = []
    for match in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if not text[: match.start()].rstrip().endswith("<!-- not run -->"):
            found.append((text.count("\n", 0, match.start(1)) + 1, match.group(1)))
    return found


def test_blocks_are_found() -> None:
    text = "a\n```python\nx = 1\n```\n<!-- not run -->\n```python\ny\n```\n```\nz\n```\n"
    assert blocks_of(text) == [(3, "x = 1\n")]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_examples_run(name: str, tmp_path: Path) -> None:
    document = ROOT / name
    if not document.exists():
        pytest.skip(f"there is no {name}")
    # Every block keeps its line, so that a traceback points into the document.
    lines: list[str] = []
    for line, source in blocks_of(document.read_text(encoding="utf-8")):
        lines += [""] * (line - 1 - len(lines)) + source.splitlines()
    assert lines, f"{name} has no example"
    program = tmp_path / "example.py"
    program.write_text("\n".join(lines) + "\n", encoding="utf-8")
    work = tmp_path / "work"
    work.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("APIARY_")}
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=work,
        env={
            **environment,
            "HOME": str(work),
            "ARROWSHELF_SOCKET": f"@apiary-docs-{os.getpid()}",
            "ARROWSHELF_AUTOSTART": "1",
            "ARROWSHELF_MEMORY": "256MB",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{name}: {done.stderr}"
