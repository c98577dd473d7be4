# SPDX-License-Identifier: Apache-2.0
"""The program arrowshelf-server: beginning, showing, ending, what it leaves, what it refuses."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_program import find_program

PROGRAM = find_program().parents[1] / "arrowshelf-server" / "arrowshelf-server"


class Server:
    """Runs the program with a socket of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = "@apiary-test-%d-%s" % (os.getpid(), folder.name)
        self.environment = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith("ARROWSHELF_") and k != "XDG_RUNTIME_DIR"
        }

    def run(self, *arguments: str, socket: bool = True) -> subprocess.CompletedProcess[str]:
        where = ["--socket", self.socket] if socket else []
        return subprocess.run(
            [str(PROGRAM), *where, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def status(self) -> dict[str, str]:
        done = self.run("--status")
        assert done.returncode == 0, done
        return {line[:14].strip(): line[15:] for line in done.stdout.splitlines()}

    def end(self, by: signal.Signals) -> None:
        """End it and wait until it is gone."""
        process = int(self.status()["process"])
        os.kill(process, by)
        for _ in range(3000):
            if not Path("/proc/%d/fd" % process).exists() or is_zombie(process):
                return
            time.sleep(0.01)
        raise AssertionError("the server did not end")


def is_zombie(process: int) -> bool:
    try:
        return Path("/proc/%d/stat" % process).read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    if made.run("--status").returncode == 0:
        made.end(signal.SIGKILL)


def names_in(*folders: str) -> set[str]:
    return {str(path) for folder in folders for path in Path(folder).glob("*arrowshelf*")}


def test_it_begins_in_the_background_and_ends(server: Server) -> None:
    done = server.run("--memory", "64MiB", "--daemon")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(
        r"arrowshelf-server: ready at %s \(process \d+\)\n" % re.escape(server.socket), done.stdout
    )
    status = server.status()
    assert status["memory"] == "64.0 MiB"
    assert (status["objects"], status["connections"], status["used"]) == ("0", "0", "0 B")
    assert status["resident"] == "4.0 MiB"  # a sixteenth is at hand
    server.end(signal.SIGTERM)
    done = server.run("--status")
    assert done.returncode == 1
    assert "no server of a shelf is at " + server.socket in done.stderr
    assert "arrowshelf-server --daemon" in done.stderr


def test_one_serves_a_socket(server: Server) -> None:
    assert server.run("--memory", "16MB", "--daemon").returncode == 0
    for extra in ([], ["--daemon"]):
        done = server.run("--memory", "16MB", *extra)
        assert done.returncode == 1
        assert "another server serves " + server.socket in done.stderr
        assert "--socket" in done.stderr


def test_a_killed_one_leaves_nothing(server: Server) -> None:
    before = names_in("/tmp", "/dev/shm")
    for _ in range(3):
        assert server.run("--memory", "16MB", "--daemon").returncode == 0
        server.end(signal.SIGKILL)
    assert names_in("/tmp", "/dev/shm") == before
    assert list(server.folder.iterdir()) == []


def test_a_path_is_taken_over(server: Server) -> None:
    server.socket = str(server.folder / "s")
    assert server.run("--memory", "16MB", "--daemon").returncode == 0
    assert (server.folder / "s").stat().st_mode & 0o777 == 0o600
    server.end(signal.SIGKILL)
    assert server.run("--memory", "16MB", "--daemon").returncode == 0
    server.end(signal.SIGTERM)
    assert list(server.folder.iterdir()) == []


def test_the_environment_says_where_and_how_much(server: Server) -> None:
    server.environment["ARROWSHELF_SOCKET"] = server.socket
    server.environment["ARROWSHELF_MEMORY"] = "8MiB"
    assert server.run("--daemon", "--warm", "0", socket=False).returncode == 0
    assert (server.status()["memory"], server.status()["resident"]) == ("8.0 MiB", "0 B")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--memory", "much"], "--memory is no size like 4GB: 'much'"),
        (["--memory", "0"], "--memory is no size like 4GB: '0'"),
        (["--memory", "101%"], "--memory is no size like 4GB: '101%'"),
        (["--warm", "-1"], "--warm is no size like 256MB: '-1'"),
        (["--when-full", "panic"], "--when-full is refuse or evict, not 'panic'"),
        (["start"], "what is 'start'"),
        (["--port", "50051"], "--port"),
    ],
)
def test_what_is_wrong_is_named(server: Server, arguments: list[str], what: str) -> None:
    done = server.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert what in done.stderr
    assert "Try: arrowshelf-server --help" in done.stderr


def test_help_names_every_option(server: Server) -> None:
    done = server.run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for option in "memory warm when-full socket daemon status help".split():
        assert "--%s" % option in done.stdout
    assert all(len(line) <= 100 for line in done.stdout.splitlines())
