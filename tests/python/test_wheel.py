# SPDX-License-Identifier: Apache-2.0
"""The wheel holds all it needs: installed into an empty folder, it runs without the tree.

Method: pip builds it over the library that the tests use, and a Python that knows no other packages
uses it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from apiary import _core

ROOT = Path(__file__).resolve().parents[2]


def library_folder() -> Path:
    """Where the libapiary.so that this process has loaded lies."""
    assert _core.version()
    maps = Path("/proc/self/maps").read_text()
    found = re.search(r"(/\S+)/libapiary\.so", maps)
    assert found is not None
    return Path(found.group(1))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        *[sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"],
        *["--disable-pip-version-check", "-w", str(folder), "-C", f"build-dir={folder / 'build'}"],
        *["-C", f"cmake.define.APIARY_LIBRARY_DIR={library_folder()}", str(ROOT / "python")],
    ]
    subprocess.run(command, check=True)
    (found,) = folder.glob("*.whl")
    return found


def test_what_is_in_it(wheel: Path) -> None:
    assert re.fullmatch(r"apiary-0\.1\.0-cp39-abi3-\w+\.whl", wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for name in (
        "__init__.py",
        "_core.abi3.so",
        "_core.pyi",
        "py.typed",
        "libapiary.so.0",
        "libduckdb.so",
        "arrowshelf-server",
    ):
        assert f"apiary/{name}" in names
    assert "arrowshelf/__init__.py" in names
    assert not [name for name in names if name.endswith((".c", ".h", ".pyc"))]


def test_it_runs_by_itself(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import apiary\n"
        "with apiary.Apiary('x', sys.argv[2]) as ap:\n"
        "    ap.sql('CREATE HIVE h; CREATE BOX h.b; CREATE FRAME h.b.f (v BIGINT)')\n"
        "    print(ap.sql('SELECT 42 AS a, SUM(v) FROM h.b.f').fetchall())\n"
        "maps = open('/proc/self/maps').read().split()\n"
        "print(sorted({word for word in maps if 'libapiary' in word or 'libduckdb' in word}))\n"
    )
    arguments = [str(tmp_path / "site"), str(tmp_path / "data")]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LD_", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    inside = tmp_path / "site" / "apiary"
    expected = [str(inside / "libapiary.so.0"), str(inside / "libduckdb.so")]
    assert done.stdout == f"[(42, None)]\n{expected}\n", done.stderr
