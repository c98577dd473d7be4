# SPDX-License-Identifier: Apache-2.0
"""Run files in the public sqllogictest format.

    python tests/sqllogic/runner.py [--engine apiary|duckdb] FILE...

The format is SQLite's (https://www.sqlite.org/sqllogictest/doc/trunk/about.wiki), with what DuckDB
adds to it: rows on one line with tabs between values, `statement error` with a text or /pattern/,
`statement count N`, loops. Records: statement, query, halt, hash-threshold, real-digits, skipif,
onlyif, loop, foreach, endloop; # begins a comment.

Result types of a query: T text, I integer, R real, one letter a column; any other letter counts as
T. Sort modes: nosort (default), rowsort, valuesort. NULL is written NULL, an empty text (empty),
reals with three digits as in SQLite's files unless the file says `real-digits N`. A result of more
values than hash-threshold may be given as "N values hashing to MD5".

The same file runs on Apiary and, where it says nothing else, on plain DuckDB, so that what is
expected is never only our own answer.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


class Engine(Protocol):
    """What a file is run on."""

    name: str

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of the last statement; any exception is the statement's error."""


class ApiaryEngine:
    """An apiary in a folder of its own, a box in use."""

    name = "apiary"

    def __init__(self, folder: Path) -> None:
        import apiary

        self._apiary = apiary.Apiary("logic", folder)
        self._apiary.start()
        self._apiary.create_hive("logic").create_box("main")
        self._apiary.sql("USE logic.main")

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        return self._apiary.sql(sql).fetchall()

    def close(self) -> None:
        self._apiary.shutdown()


class DuckEngine:
    """Plain DuckDB, in memory."""

    name = "duckdb"

    def __init__(self) -> None:
        import duckdb

        self._plain = duckdb.connect()
        self._plain.execute("SET TimeZone = 'UTC'")

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        done = self._plain.execute(sql)
        return done.fetchall() if done.description else []

    def close(self) -> None:
        self._plain.close()


class Failure(Exception):
    """A record that did not come out as the file says."""


@dataclass
class Record:
    """One record: its first line, its body and what is expected behind `----`."""

    line: int
    words: list[str]
    sql: str = ""
    expected: list[str] | None = None
    conditions: list[tuple[str, str]] = field(default_factory=list)


def records(text: str) -> Iterator[Record]:
    """The records of a file, in order."""
    lines = text.splitlines()
    at = 0
    conditions: list[tuple[str, str]] = []
    while at < len(lines):
        stripped = lines[at].strip()
        if not stripped or stripped.startswith("#"):
            at += 1
            continue
        words = stripped.split()
        if words[0] in ("skipif", "onlyif"):
            conditions.append((words[0], words[1]))
            at += 1
            continue
        record = Record(at + 1, words, conditions=conditions)
        conditions = []
        at += 1
        if words[0] in ("statement", "query"):
            body = []
            while at < len(lines) and lines[at].strip() and lines[at].strip() != "----":
                body.append(lines[at])
                at += 1
            record.sql = "\n".join(body)
            if at < len(lines) and lines[at].strip() == "----":
                at += 1
                record.expected = []
                while at < len(lines) and lines[at].strip():
                    record.expected.append(lines[at])
                    at += 1
        yield record


def shown(value: Any, kind: str, digits: int) -> str:
    """A value as the format writes it."""
    if value is None:
        return "NULL"
    if kind == "I":
        return str(int(value))
    if kind == "R":
        return f"{float(value):.{digits}f}"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return text if text else "(empty)"


class Runner:
    """Runs records on an engine; the first that fails raises Failure with file and line."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self.engine = engine
        self.path = path
        self.threshold = 0
        self.digits = 3
        self.count = 0

    def run(self) -> int:
        """Run the whole file; how many records ran."""
        found = list(records(self.path.read_text(encoding="utf-8")))
        self._run_list(found, {})
        return self.count

    def _run_list(self, found: list[Record], names: dict[str, str]) -> None:
        at = 0
        while at < len(found):
            record = found[at]
            if record.words[0] in ("loop", "foreach"):
                end = self._loop_end(found, at)
                for value in self._loop_values(record):
                    self._run_list(found[at + 1 : end], {**names, record.words[1]: value})
                at = end + 1
                continue
            if record.words[0] == "halt":
                return
            if self._applies(record):
                self._run_record(record, names)
            at += 1

    def _loop_end(self, found: list[Record], start: int) -> int:
        depth = 0
        for at in range(start, len(found)):
            depth += found[at].words[0] in ("loop", "foreach")
            depth -= found[at].words[0] == "endloop"
            if depth == 0:
                return at
        raise self._failure(found[start], "the loop has no endloop")

    def _loop_values(self, record: Record) -> list[str]:
        if record.words[0] == "foreach":
            return record.words[2:]
        return [str(value) for value in range(int(record.words[2]), int(record.words[3]))]

    def _applies(self, record: Record) -> bool:
        for word, engine in record.conditions:
            if (word == "skipif") == (engine == self.engine.name):
                return False
        return True

    def _failure(self, record: Record, what: str) -> Failure:
        return Failure(f"{self.path}:{record.line} on {self.engine.name}: {what}\n{record.sql}")

    def _run_record(self, record: Record, names: dict[str, str]) -> None:
        sql = record.sql
        for name, value in names.items():
            sql = sql.replace("${" + name + "}", value)
        kinds: dict[str, Callable[[Record, str], None]] = {
            "statement": self._statement,
            "query": self._query,
            "hash-threshold": self._set_threshold,
            "real-digits": self._set_digits,
        }
        run = kinds.get(record.words[0])
        if run is None:
            raise self._failure(record, f"no record is called '{record.words[0]}'")
        run(record, sql)
        self.count += 1

    def _set_threshold(self, record: Record, sql: str) -> None:
        self.threshold = int(record.words[1])

    def _set_digits(self, record: Record, sql: str) -> None:
        self.digits = int(record.words[1])

    def _statement(self, record: Record, sql: str) -> None:
        wanted = record.words[1]
        try:
            rows = self.engine.run(sql)
        except Exception as error:  # whatever the engine calls it
            if wanted != "error":
                raise self._failure(record, f"{type(error).__name__}: {error}") from error
            self._check_error(record, str(error))
            return
        if wanted == "error":
            raise self._failure(record, "it should have failed")
        if wanted == "count" and [tuple(map(int, row[:1])) for row in rows] != [
            (int(record.words[2]),)
        ]:
            raise self._failure(record, f"it says {rows}, not {record.words[2]}")

    def _check_error(self, record: Record, message: str) -> None:
        expected = "\n".join(record.expected or []) or " ".join(record.words[2:])
        if not expected:
            return
        pattern = expected[1:-1] if re.fullmatch("/.*/", expected, re.S) else re.escape(expected)
        if not re.search(pattern, message, re.I | re.S):
            raise self._failure(record, f"the error '{message}' does not say '{expected}'")

    def _query(self, record: Record, sql: str) -> None:
        types = record.words[1]
        mode = record.words[2] if len(record.words) > 2 else "nosort"
        try:
            rows = self.engine.run(sql)
        except Exception as error:
            raise self._failure(record, f"{type(error).__name__}: {error}") from error
        if any(len(row) != len(types) for row in rows):
            raise self._failure(record, f"{len(rows[0])} columns where '{types}' is expected")
        made = [
            [shown(value, kind, self.digits) for value, kind in zip(row, types)] for row in rows
        ]
        expected = record.expected or []
        by_row = len(types) > 1 and all("\t" in line for line in expected) and len(expected) > 0
        if mode == "rowsort":
            made.sort()
        values = [value for row in made for value in row]
        if mode == "valuesort":
            values.sort()
        self._compare(record, values, made, expected, by_row and mode != "valuesort", mode)

    def _compare(
        self,
        record: Record,
        values: list[str],
        rows: list[list[str]],
        expected: list[str],
        by_row: bool,
        mode: str,
    ) -> None:
        hashed = re.fullmatch(r"(\d+) values hashing to ([0-9a-f]{32})", " ".join(expected))
        if hashed:
            digest = hashlib.md5("".join(value + "\n" for value in values).encode()).hexdigest()
            found = f"{len(values)} values hashing to {digest}"
            if found != hashed.group(0):
                raise self._failure(record, f"{found} where {hashed.group(0)} is expected")
            return
        have = ["\t".join(row) for row in rows] if by_row else values
        want = sorted(expected) if by_row and mode == "rowsort" else expected
        if by_row and mode == "rowsort":
            have.sort()
        if have != want:
            shown_rows = "\n".join(have)
            raise self._failure(record, f"these are the values found:\n{shown_rows}\n")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Run files in the sqllogictest format.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--engine", choices=("apiary", "duckdb"), default="apiary")
    options = parser.parse_args(arguments)
    failures = 0
    for path in options.files:
        with tempfile.TemporaryDirectory() as folder:
            engine = DuckEngine() if options.engine == "duckdb" else ApiaryEngine(Path(folder))
            try:
                print(f"{path}: {Runner(engine, path).run()} records")
            except Failure as failure:
                failures += 1
                print(failure)
            finally:
                engine.close()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
