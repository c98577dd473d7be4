# SPDX-License-Identifier: Apache-2.0
"""The README's tour typed by a test: every command of its console blocks, in one shell."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def program() -> Path:
    """The program under test: $APIARY_BIN, else that of the dev build."""
    return Path(os.environ.get("APIARY_BIN") or ROOT / "build/dev/cmd/apiary/apiary")


def script_of(document: str) -> str:
    """The commands of all console blocks; lines without a prompt belong to the one before."""
    blocks = re.findall(r"^```console\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return "\n".join(line[2:] if line.startswith("$ ") else line for line in lines)


def test_every_command_of_the_tour_runs(tmp_path: Path) -> None:
    script = script_of((ROOT / "README.md").read_text(encoding="utf-8"))
    assert script.count("apiary ") >= 8
    environment = {k: v for k, v in os.environ.items() if not k.startswith("APIARY_")}
    environment["HOME"] = str(tmp_path)
    environment["PATH"] = f"{program().parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "alice" in done.stdout
    assert "175" in done.stdout
    assert (tmp_path / "orders.parquet").stat().st_size > 0
    log = tmp_path / "lake/shop/sales/orders/_delta_log"
    assert len(list(log.glob("*.json"))) == 5  # made, loaded, updated, merged, appended
