# SPDX-License-Identifier: Apache-2.0
"""The shell: as a script, and on a terminal (a pseudo-terminal whose screen the tests read)."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import random
import re
import select
import signal
import stat
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest
from cli_program import Program

PATIENCE_SECONDS = 30


class Terminal:
    """A shell on a pseudo-terminal: type, and wait for what must appear."""

    def __init__(self, cli: Program, *arguments: str, **variables: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(cli.folder)
            environment = {"PAGER": "", **cli.environment, **variables}
            os.execve(str(cli.path), [str(cli.path), "shell", *arguments], environment)
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
    done = shop.run(
        "shell", "--format", "csv", stdin="SELECT 1 AS a;\nSELECT bad;\nSELECT 2 AS b;\n"
    )
    assert (done.returncode, done.stdout) == (1, "a\n1\n")
    assert "bad" in done.stderr
    done = shop.run("shell", "--format", "csv", stdin=".mode nosuch\nSELECT 2 AS b;\n")
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
    timed = shop.good("shell", stdin=".timer on\nSELECT 1;\n")
    assert re.search(r"\ntime \d+\.\d ms \(user \d+\.\d ms, system \d+\.\d ms\), 1 row\n", timed)
    assert ".schema [PATTERN]" in shop.good("shell", stdin=".help\n")
    assert "choose how rows are printed" in shop.good("shell", stdin=".help mode\n")
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
    terminal.type("SHOW HI\t;\n")
    terminal.expect("(1 row)")


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
    shown = terminal.expect("(1,000 rows, 40 shown; .maxrows 0 shows all)")
    assert " 979 " not in shown
    assert " 980 " in shown


# ------------------------------------------------------------------------ scripts, more of them


def test_statements_from_the_command_line_and_files(shop: Program) -> None:
    (shop.folder / "a.sql").write_text("SELECT 2 AS b;\nSELECT 3 AS c")
    out = shop.good(
        "shell", "--format", "csv", "-c", "SELECT 1 AS a", "-f", "a.sql", "-c", ".print y"
    )
    assert out == "a\n1\nb\n2\nc\n3\ny\n"
    assert shop.good("shell", "--format", "csv", "-f", "-", stdin="SELECT 5 AS e") == "e\n5\n"
    done = shop.run("shell", "-f", "csv")
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot open 'csv'" in done.stderr
    assert "--format" in done.stderr


def test_errors_tell_file_line_and_place(shop: Program) -> None:
    (shop.folder / "bad.sql").write_text(
        "SELECT 1 AS a;\n\n-- two lines on\nSELECT id,\n  custmer\nFROM shop.sales.orders;\n"
    )
    done = shop.run("shell", "--format", "csv", "-f", "bad.sql")
    assert (done.returncode, done.stdout) == (1, "a\n1\n")
    lines = done.stderr.splitlines()
    assert lines[0].startswith("apiary: bad.sql:5: ")
    assert lines[-3:] == ["   2 |   custmer", "         ^", "hint: did you mean 'customer'?"]
    (shop.folder / "outer.sql").write_text(".print in\n.read bad.sql\n.print never\n")
    done = shop.run("shell", "--format", "csv", "-f", "outer.sql")
    assert (done.returncode, done.stdout) == (1, "in\na\n1\n")
    assert "apiary: bad.sql:5: " in done.stderr
    (shop.folder / "dot.sql").write_text("\n.timr on\n")
    done = shop.run("shell", "-f", "dot.sql")
    assert done.stderr == (
        "apiary: dot.sql:2: there is no command .timr\nhint: did you mean .timer?\n"
    )


@pytest.mark.parametrize(
    "statement, place, hint",
    [
        ("SELEC 1", "SELEC", "did you mean SELECT?"),
        ("SELECT * FRM x", "x", ""),
        ("SELECT * FROM shop.sales.ordrs", "shop.sales.ordrs", "did you mean 'orders'?"),
        ("SELECT cont(*) FROM shop.sales.orders", "cont", "did you mean 'count'?"),
        ("SELECT o.amnt FROM shop.sales.orders o", "o.amnt", ""),
        ("SELECT 'é', \"蜂\", nosuch", '"蜂"', ""),
        ("SELECT CAST(customer AS INT) FROM shop.sales.orders", "CAST", ""),
        ("EXPLAIN SELECT nosuch", "nosuch", ""),
        ("SELECT 'open", "'open", ""),
        ("SELECT %s, nosuch" % ", ".join(map(str, range(1000, 1060))), "nosuch", ""),
    ],
)
def test_the_caret_points_at_the_place(
    shop: Program, statement: str, place: str, hint: str
) -> None:
    done = shop.run("sql", statement)
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    at = next(i for i, line in enumerate(lines) if line.strip() == "^")
    column = lines[at].index("^")
    shown = lines[at - 1]
    # A wide character takes two columns.
    position = 0
    while column > 0:
        column -= 2 if shown[position] == "蜂" else 1
        position += 1
    assert shown[position:].startswith(place), done.stderr
    assert (hint in done.stderr) and ("hint:" in done.stderr) == bool(hint)


def test_the_caret_is_right_wherever_the_error_is(shop: Program) -> None:
    seed = int(os.environ.get("AP_TEST_SEED", str(time.time_ns() % 2**32)))
    print("AP_TEST_SEED=%d" % seed)
    draw = random.Random(seed)
    fill = ["1", "'é'", "'a;b'", "2.5", "NULL", "/* x */ 3", "'蜂'", "\n4", "-- c\n5", '"no such"']
    script = [".bail off"]
    lines = 1
    expected = []
    for _ in range(40):
        before = [draw.choice(fill[:-1]) for _ in range(draw.randrange(8))]
        after = [draw.choice(fill[:-1]) for _ in range(draw.randrange(30))]
        statement = "SELECT " + ", ".join([*before, "nosuch", *after])
        expected.append(lines + 1 + statement[: statement.index("nosuch")].count("\n"))
        lines += 1 + statement.count("\n")
        script.append(statement + ";")
    done = shop.run("shell", stdin="\n".join(script) + "\n")
    assert done.returncode == 1
    told = done.stderr.splitlines()
    assert [int(line.split(":")[2]) for line in told if "apiary: stdin:" in line] == expected
    carets = [i for i, line in enumerate(told) if line.strip() == "^"]
    assert len(carets) == 40
    for i in carets:
        wide = told[i - 1][: told[i].index("^")].count("蜂")
        assert told[i - 1][told[i].index("^") - wide :].startswith("nosuch"), told[i - 1 : i + 1]


def test_bail_off_goes_on_and_still_fails(shop: Program) -> None:
    done = shop.run("shell", "--format", "csv", stdin=".bail off\nSELECT bad;\nSELECT 2 AS b;\n")
    assert (done.returncode, done.stdout) == (1, "b\n2\n")
    assert shop.run("shell", stdin=".quit 7\n").returncode == 7


def test_modes(shop: Program) -> None:
    sql = "SELECT 1 AS a, 'x|<y' AS \"b c\", NULL AS n, DATE '2024-01-02' AS d, E'q\\tr' AS t;"
    shown = {
        mode: shop.good("shell", stdin=".mode %s\n%s\n" % (mode, sql))
        for mode in ("csv", "tsv", "jsonl", "line", "html", "insert", "box")
    }
    assert shown["csv"] == "a,b c,n,d,t\n1,x|<y,,2024-01-02,q\tr\n"
    assert shown["tsv"] == "a\tb c\tn\td\tt\n1\tx|<y\t\\N\t2024-01-02\tq\\tr\n"
    assert json.loads(shown["jsonl"]) == {
        "a": 1, "b c": "x|<y", "n": None, "d": "2024-01-02", "t": "q\tr",
    }  # fmt: skip
    assert shown["line"] == "  a = 1\nb c = x|<y\n  n = NULL\n  d = 2024-01-02\n  t = q\\tr\n"
    assert "<td>x|&lt;y</td>" in shown["html"]
    assert shown["insert"] == (
        'INSERT INTO frame (a, "b c", n, d, t) VALUES '
        "(1, 'x|<y', NULL, DATE '2024-01-02', 'q\tr');\n"
    )
    assert shown["box"].startswith("┌")
    assert shop.good("sql", "-f", "tsv", "SELECT 1 AS a, NULL AS b") == "a\tb\n1\t\\N\n"
    assert "did you mean csv?" in shop.bad("shell", stdin=".mode cvs\n")


def test_settings_of_output(shop: Program) -> None:
    out = shop.good(
        "shell",
        stdin=".mode csv\n.nullvalue -\n.headers off\nSELECT NULL, 1;\n.nullvalue\n.headers on\n"
        "SELECT NULL AS a, 1 AS b;\n",
    )
    assert out == "-,1\na,b\n,1\n"
    out = shop.good(
        "shell", stdin=".maxrows 2\n.width 3 0\nSELECT 'abcdef' AS t, i FROM range(9) r(i);\n"
    )
    assert "│ ab… │" in out
    assert "(9 rows, 2 shown; .maxrows 0 shows all)" in out
    wide = "SELECT %s;" % ", ".join("repeat('x', 30) AS column%d" % i for i in range(30))
    out = shop.good("shell", stdin=".maxwidth 60\n%s\n" % wide)
    assert max(len(line) for line in out.splitlines() if line.startswith("┌")) <= 60
    shown = shop.good("shell", stdin=".timer on\n.mode json\n.show\n")
    assert re.search(r"^timer +on$", shown, re.MULTILINE)
    assert re.search(r"^mode +json$", shown, re.MULTILINE)
    assert shop.good("shell", stdin=".echo on\n.mode csv\nSELECT 1 AS a;\n") == (
        ".mode csv\nSELECT 1 AS a;\na\n1\n"
    )


def test_results_go_to_files(shop: Program) -> None:
    shop.good(
        "shell", "--format", "csv",
        stdin=".once one.csv\nSELECT 1 AS a;\n.output two.csv\nSELECT 2 AS b;\n.print end\n"
        "SELECT 3 AS c;\n.output\n",
    )  # fmt: skip
    assert (shop.folder / "one.csv").read_text() == "a\n1\n"
    assert (shop.folder / "two.csv").read_text() == "b\n2\nend\nc\n3\n"
    shop.good("shell", stdin=".mode arrow\n.once rows.arrows\nSELECT 1 AS a;\n")
    assert (shop.folder / "rows.arrows").read_bytes().startswith(b"\xff\xff\xff\xff")
    assert "cannot open" in shop.bad("shell", stdin=".once no/such/folder/x\n")


def test_names_and_files(shop: Program) -> None:
    (shop.folder / "more.csv").write_text("id,customer,amount\n4,eve,1.00\n")
    out = shop.good("shell", stdin="USE shop.sales;\n.import orders more.csv\n.mode csv\n"
                    "SELECT count(*) AS n FROM orders;\n")  # fmt: skip
    assert "imported 1 row into shop.sales.orders" in out
    assert out.endswith("n\n4\n")
    shop.good("shell", stdin="USE shop.sales;\n.export orders out.parquet\n"
              ".export 'SELECT id FROM orders WHERE id > 3' ids.csv\n")  # fmt: skip
    assert (shop.folder / "ids.csv").read_text() == "id\n4\n"
    assert (shop.folder / "out.parquet").exists()
    assert shop.good("shell", stdin=".hives\n.databases\n") == "shop\nshop\n"
    assert shop.good("shell", stdin=".frames or%\n.frames x%\n") == "shop.sales.orders\n"
    assert "customer" in shop.good("shell", stdin="USE shop.sales;\n.describe orders\n")
    assert "CREATE FRAME shop.sales.orders" in shop.good("shell", stdin=".schema\n")
    assert "none is in use" in shop.bad("shell", stdin=".describe orders\n")
    (shop.folder / "x.sql").write_text("CREATE HIVE h;\n.hives\n")
    other = shop.good("shell", stdin=".open other\n.hives\n.cd other\n.read ../x.sql\n")
    assert other == "created hive h\nh\n"


def test_the_init_file(shop: Program) -> None:
    (shop.folder / "init.sql").write_text(".mode csv\n.nosuch\nSELECT 1 AS from_init;\n")
    done = shop.run("shell", "--init", "init.sql", "-c", "SELECT 2 AS a")
    assert (done.returncode, done.stdout) == (0, "from_init\n1\na\n2\n")
    assert "init.sql:2: there is no command .nosuch" in done.stderr
    rc = shop.folder / "home" / ".apiaryrc"
    rc.write_text(".mode csv\nSELECT bad;\n.prompt 'mine> '\n")
    assert shop.good("shell", "-c", "SELECT 2 AS a").startswith("┌")  # not for scripts
    opened = Terminal(shop)
    opened.expect(".apiaryrc:2: ")
    opened.expect("mine> ")
    opened.type("SELECT 3 AS a;\n")
    opened.expect("a\r\n3\r\n")
    assert opened.leave() == 0
    opened = Terminal(shop, "--no-init")
    opened.expect("apiary> ")
    assert opened.leave() == 0


def test_many_rows_stream_in_bounded_memory(shop: Program) -> None:
    """Ten million rows; every mode that streams shows the first ones early."""
    sql = "SELECT i, 'row ' || i AS t FROM range(10000000) r(i);\n"
    for mode in ("table", "csv", "jsonl"):
        process = subprocess.Popen(
            [str(shop.path), "shell", "--format", mode, "-c", sql],
            env=shop.environment,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert b"row 900" in process.stdout.read(64 * 1024)
        for _ in range(100):
            process.stdout.read(1024 * 1024)
        status = Path("/proc/%d/status" % process.pid).read_text()
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        process.stdout.close()  # nobody reads on: it ends, and quietly
        assert process.wait(timeout=60) == 0
        assert peak is not None
        assert int(peak.group(1)) < 400 * 1024


def test_interrupted_scripts_end_with_130(shop: Program) -> None:
    process = subprocess.Popen(
        [str(shop.path), "shell", "-c", ".bail off", "-c",
         "SELECT 'on';SELECT count(*) FROM range(100000000000) AS t(i) WHERE hash(i) = 1;SELECT 2"],
        env=shop.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"cancelled" in told


# ------------------------------------------------------------------------ on a terminal, more


def test_a_recalled_statement_is_one_text(terminal: Terminal) -> None:
    terminal.type("SELECT 'one'\n")
    terminal.expect("...> ")
    terminal.type("|| 'two' AS w;\n")
    terminal.expect("onetwo")
    terminal.expect("apiary> ")
    terminal.type("\x1b[A")  # up: both lines
    terminal.expect("|| 'two' AS w;")
    terminal.type("\x1b[A\x01\x0bSELECT 'three'\n")  # up a line, which is replaced
    terminal.expect("threetwo")


def test_earlier_lines_can_be_edited(terminal: Terminal) -> None:
    terminal.type("SELEC 'four'\n")
    terminal.expect("...> ")
    terminal.type("|| 'five' AS w;")
    terminal.expect("five")
    terminal.type("\x1b[A\x01\x0bSELECT 'four'\n")  # up, where the line is replaced
    terminal.expect("fourfive")


def test_completion_of_columns(shop: Program) -> None:
    shop.good("create", 'shop.sales."two words"', "-c", '"a b" int64, plain string')
    opened = Terminal(shop)
    opened.expect("apiary> ")
    opened.type("USE shop.sales;\n")
    opened.expect("shop.sales> ")
    # Without completion these would be no statements.
    opened.type("SELECT 'done' AS w FROM orders o WHERE o.cust\t= 'bob';\n")
    opened.expect("(1 row)")
    opened.expect("shop.sales> ")
    opened.type("SELECT max( FROM orders;" + "\x02" * 13 + "am\t) AS big\n")  # named behind it
    opened.expect("10.5")
    opened.expect("shop.sales> ")
    opened.type('SELECT count("a\t) AS n FROM "two words";' + "\x15")
    opened.type('SELECT count(*) AS n FROM "two\t;\n')
    opened.expect("(1 row)")
    opened.expect("shop.sales> ")
    opened.type("SELECT date_tru\t'day', now()) IS NOT NULL AS d;\n")
    opened.expect("(1 row)")
    opened.expect("shop.sales> ")
    opened.type(".mode js\t\t")
    listed = opened.expect("jsonl")
    assert "json" in listed
    opened.type("\x15.read ord\t\n")
    opened.expect("orders.csv")
    assert opened.leave() == 0


def test_the_progress_bar_comes_and_goes(terminal: Terminal) -> None:
    terminal.type("SELECT count(*) FROM range(100000000000) AS t(i) WHERE hash(i) = 1;\n")
    shown = terminal.expect("running [")
    assert "cancelled" not in shown
    terminal.expect(" s")  # the time; where the engine knows it, behind a percentage
    terminal.type("\x03")
    terminal.expect("\r\x1b[K")  # it is erased before the error
    terminal.expect("cancelled")
    terminal.expect("apiary> ")


def test_interrupts_at_the_prompt_tell_the_way_out(terminal: Terminal) -> None:
    terminal.type("\x03")
    terminal.expect("^C")
    terminal.expect("apiary> ")
    terminal.type("\x03")
    terminal.expect("(.quit or Ctrl-D leaves)")
    terminal.expect("apiary> ")


def test_long_results_go_through_the_pager(shop: Program) -> None:
    opened = Terminal(shop, PAGER="sed 's/^/paged:/'")
    opened.expect("apiary> ")
    opened.type("SELECT 'short' AS s;\n")
    assert "paged:" not in opened.expect("(1 row)")
    opened.expect("apiary> ")
    opened.type("SELECT i FROM range(1000) AS t(i) ORDER BY i;\n")
    shown = opened.expect("paged:(1,000 rows)")
    assert " 500 " in shown  # all of them
    opened.expect("apiary> ")
    opened.type(".pager head -n 3\n")
    opened.expect("apiary> ")
    # The pager ends early: the query, which would take long, ends with it, and is no failure.
    opened.type("SELECT i FROM range(100000000000) AS t(i);\n")
    opened.expect("int64")
    after = opened.expect("apiary> ")
    assert "apiary: " not in after.replace("apiary> ", "")
    opened.type(".pager off\nSELECT i FROM range(1000) AS t(i);\n")
    opened.expect("(1,000 rows, 40 shown; .maxrows 0 shows all)")
    assert opened.leave() == 0


def test_secrets_stay_out_of_the_history(shop: Program) -> None:
    opened = Terminal(shop)
    opened.expect("apiary> ")
    opened.type("SET s3_secret_access_key = 'hush';\n")
    opened.expect("apiary: ")
    opened.expect("apiary> ")
    opened.type("SELECT 'kept' AS w;\n")
    opened.expect("(1 row)")
    opened.expect("apiary> ")
    opened.type(".history\n")
    shown = opened.expect("apiary> ")
    assert "hush" not in shown.split(".history", 1)[1]
    assert opened.leave() == 0
    kept = (shop.folder / "home" / ".apiary" / "history").read_text()
    assert "kept" in kept
    assert "hush" not in kept


def test_colours_can_be_refused(shop: Program) -> None:
    opened = Terminal(shop, NO_COLOR="1")
    opened.expect("apiary> ")
    opened.type("SELECT bad;\n")
    opened.expect("apiary: ")
    shown = opened.expect("apiary> ")
    assert "\x1b[1;31m" not in shown
    opened.type("SELECT NULL AS n;\n")
    assert "\x1b[2m" not in opened.expect("(1 row)")
    assert opened.leave() == 0
