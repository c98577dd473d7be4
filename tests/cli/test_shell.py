# SPDX-License-Identifier: Apache-2.0
"""The shell: as a script, and on a terminal (a pseudo-terminal whose screen the tests read)."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import stat
import struct
import termios
import time

import pytest
from cli_program import Program

PATIENCE_SECONDS = 30


class Terminal:
    """A shell on a pseudo-terminal: type, and wait for what must appear."""

    def __init__(self, cli: Program, *arguments: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(cli.folder)
            os.execve(str(cli.path), [str(cli.path), "shell", *arguments], cli.environment)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.seen = ""

    def read(self, seconds: float) -> bool:
        """Take what is there; False at the end."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # the other side is closed
            return False
        self.seen += data.decode("utf-8", "replace")
        return bool(data)

    def expect(self, mark: str) -> str:
        """Wait for a text; what came up to it, which later waits do not look at again."""
        end = time.monotonic() + PATIENCE_SECONDS
        while mark not in self.seen:
            assert self.read(0.1), "it ended before %r: %r" % (mark, self.seen)
            assert time.monotonic() < end, "no %r in %r" % (mark, self.seen)
        before, _, self.seen = self.seen.partition(mark)
        return before + mark

    def type(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def leave(self) -> int:
        """Empty the line and leave; a key typed while the terminal changes hands may be lost."""
        self.type("\x03")
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            self.type("\x04")
            until = time.monotonic() + 0.2
            while time.monotonic() < until:
                if not self.read(0.1):
                    return self.end()
            assert time.monotonic() < end, "it does not end: %r" % self.seen

    def end(self) -> int:
        end = time.monotonic() + PATIENCE_SECONDS
        while self.read(0.1):
            assert time.monotonic() < end, "it does not end: %r" % self.seen
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def terminal(shop: Program):
    opened = Terminal(shop)
    opened.expect("apiary> ")
    yield opened
    assert opened.leave() == 0


# ---------------------------------------------------------------------------------- as a script


def test_a_script_runs_to_its_end(shop: Program) -> None:
    script = (
        ".mode csv\nSELECT count(*) AS n\n-- a comment; with a semicolon\nFROM shop.sales.orders;"
        " SELECT ';' AS s;\n.timer off\nSELECT 'no semicolon' AS last\n"
    )
    assert shop.good("shell", stdin=script) == "n\n3\ns\n;\nlast\nno semicolon\n"


def test_the_first_error_ends_a_script(shop: Program) -> None:
    done = shop.run("shell", "-f", "csv", stdin="SELECT 1 AS a;\nSELECT bad;\nSELECT 2 AS b;\n")
    assert (done.returncode, done.stdout) == (1, "a\n1\n")
    assert "bad" in done.stderr
    done = shop.run("shell", "-f", "csv", stdin=".mode nosuch\nSELECT 2 AS b;\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert "'nosuch' is no mode" in done.stderr
    done = shop.run("shell", stdin="SELECT 'open\n")
    assert done.returncode == 1


def test_dot_commands(shop: Program) -> None:
    (shop.folder / "more.sql").write_text(".mode csv\nSELECT 7 AS seven;\n")
    (shop.folder / "loop.sql").write_text(".read loop.sql\n")
    assert shop.good("shell", stdin=".read more.sql\nSELECT 8 AS x;\n") == "seven\n7\nx\n8\n"
    assert "16 deep" in shop.bad("shell", stdin=".read loop.sql\n")
    assert shop.good("shell", stdin=".tables\n") == "shop.sales.orders\n"
    shop.good(
        "create", 'shop.sales."two words"', "--columns", "a int64 not null, b string", "-p", "b"
    )
    made = shop.good("shell", stdin='USE BOX shop.sales;\n.schema "two words"\n')
    assert made.endswith(
        'CREATE FRAME shop.sales."two words" (\n  a int64 not null,\n  b string\n)'
        " PARTITIONED BY (b);\n"
    )
    shop.good("drop", 'shop.sales."two words"')
    statement = made.partition("\n")[2]
    assert "created frame" in shop.good("shell", stdin=statement)
    assert "did you mean .tables?" in shop.bad("shell", stdin=".table\n")
    assert re.search(r"\ntime \d+\.\d ms\n", shop.good("shell", stdin=".timer on\nSELECT 1;\n"))
    assert ".schema FRAME" in shop.good("shell", stdin=".help\n")
    assert shop.good("shell", stdin=".quit\nSELECT bad;\n") == ""
    assert shop.good("shell", stdin="help\nEXIT;\nSELECT bad;\n").startswith("Statements end")


# -------------------------------------------------------------------------------- on a terminal


def test_statements_take_lines(terminal: Terminal) -> None:
    terminal.type("SELECT 6 *\n")
    terminal.expect("...> ")
    terminal.type("7 AS answer;\n")
    shown = terminal.expect("(1 row)")
    assert "42" in shown
    terminal.expect("apiary> ")


def test_an_error_ends_no_shell(terminal: Terminal) -> None:
    terminal.type("SELECT nothing;\n")
    terminal.expect("apiary: ")
    terminal.expect("apiary> ")
    terminal.type("SELECT 'still ' || 'there';\n")
    terminal.expect("still there")


def test_the_prompt_shows_where_one_is(terminal: Terminal) -> None:
    terminal.type("USE HIVE shop;\n")
    terminal.expect("shop> ")
    terminal.type("USE BOX sales;\n")
    terminal.expect("shop.sales> ")
    terminal.type("SELECT count(*) AS n FROM orders;\n")
    terminal.expect("(1 row)")


def test_completion(terminal: Terminal) -> None:
    terminal.type("SEL\t'done' AS w FROM sh\tsal\tord\tWHERE cust\t= 'bob';\n")
    terminal.expect("(1 row)")  # bob's; without completion it would be no statement
    terminal.expect("apiary> ")
    terminal.type(".ta\t\n")
    terminal.expect("shop.sales.orders")
    terminal.expect("apiary> ")
    terminal.type("SHOW HIVE\t\t")
    listed = terminal.expect("HIVES")
    assert "HIVE" in listed


def test_ctrl_c_empties_the_line(terminal: Terminal) -> None:
    terminal.type("SELECT wrong")
    terminal.expect("wrong")
    terminal.type("\x03")
    terminal.expect("apiary> ")
    terminal.type("SELECT\n")
    terminal.expect("...> ")
    terminal.type("\x03")
    terminal.expect("apiary> ")
    terminal.type("SELECT 'right' || 'ly';\n")
    terminal.expect("rightly")


def test_ctrl_c_ends_a_query_not_the_shell(terminal: Terminal) -> None:
    terminal.type("SELECT count(*) FROM range(100000000000) AS t(i) WHERE hash(i) = 1;\n")
    terminal.expect("running [")  # the bar comes after a second
    terminal.type("\x03")
    terminal.expect("cancelled")
    terminal.expect("apiary> ")
    terminal.type("SELECT 'still ' || 'there';\n")
    terminal.expect("still there")


def test_history_outlives_the_shell(shop: Program) -> None:
    first = Terminal(shop)
    first.expect("apiary> ")
    first.type("SELECT 'one'\n")
    first.expect("...> ")
    first.type("|| 'two' AS w;\n")
    first.expect("onetwo")
    first.expect("apiary> ")
    first.type("SELECT bad;\n")
    first.expect("apiary: ")
    first.expect("apiary> ")
    assert first.leave() == 0
    path = shop.folder / "home" / ".apiary" / "history"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    second = Terminal(shop)
    second.expect("apiary> ")
    second.type("\x10\x10")  # twice the one before
    second.expect("two")
    second.type("\n")
    second.expect("onetwo")
    second.expect("apiary> ")
    second.type("quit\n")
    assert second.end() == 0


def test_wide_rows_fit_the_terminal(terminal: Terminal) -> None:
    columns = ", ".join("repeat('x', 30) AS column%d" % i for i in range(30))
    terminal.type("SELECT %s;\n" % columns)
    shown = terminal.expect("columns shown)")
    lines = [line for line in shown.splitlines() if line.startswith("┌")]
    assert max(len(line) for line in lines) <= 80
    assert "column0 " in shown
    assert "column29" in shown


def test_many_rows_are_cut_in_the_middle(terminal: Terminal) -> None:
    terminal.type("SELECT i FROM range(1000) AS t(i) ORDER BY i;\n")
    shown = terminal.expect("(1,000 rows, 40 shown; --max-rows 0 shows all)")
    assert " 979 " not in shown
    assert " 980 " in shown
