# SPDX-License-Identifier: Apache-2.0
"""The program arrowshelf-server, and starting it when it is not there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from apiary import _core

from arrowshelf.errors import ConnectionError  # noqa: A004

_PATIENCE_SECONDS = 20.0


def program() -> str:
    """The path of arrowshelf-server: beside the extension, else wherever the shell finds it."""
    beside = Path(_core.__file__).with_name("arrowshelf-server")
    found = str(beside) if beside.exists() else shutil.which("arrowshelf-server")
    if found is None:
        raise ConnectionError("there is no arrowshelf-server to start: install it, or set PATH")
    return found


def main() -> None:
    """The command arrowshelf-server: this process becomes the program."""
    try:
        path = program()
    except ConnectionError as error:
        sys.exit(f"arrowshelf-server: {error}")
    os.execv(path, ["arrowshelf-server"] + sys.argv[1:])


def start(socket: str | None, is_there: Callable[[], bool]) -> None:
    """Start the server, apart from this process, and wait until it answers."""
    command = [program()] + (["--socket", socket] if socket is not None else [])
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + _PATIENCE_SECONDS
    while not is_there():
        # One that ended may have found another, which serves now.
        if process.poll() is not None and is_there():
            return
        if time.monotonic() > end:
            raise ConnectionError(f"{command[0]} did not begin to serve")
        time.sleep(0.01)
