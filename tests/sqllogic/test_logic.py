# SPDX-License-Identifier: Apache-2.0
"""Every *.test file beside this one, on Apiary and on plain DuckDB; and the runner itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from runner import ApiaryEngine, DuckEngine, Failure, Runner

FILES = sorted(Path(__file__).parent.glob("*.test"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_on_apiary(path: Path, tmp_path: Path) -> None:
    engine = ApiaryEngine(tmp_path / "root")
    try:
        assert Runner(engine, path).run() > 0
    finally:
        engine.close()


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_on_duckdb(path: Path) -> None:
    engine = DuckEngine()
    try:
        Runner(engine, path).run()
    finally:
        engine.close()


class Told:
    """An engine that answers what it was told to."""

    name = "told"

    def __init__(self, rows: list[tuple[Any, ...]] | None = None, error: str = "") -> None:
        self.rows, self.error, self.seen = rows or [], error, []

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        self.seen.append(sql)
        if self.error:
            raise ValueError(self.error)
        return self.rows


def outcome(tmp_path: Path, text: str, engine: Told) -> str:
    path = tmp_path / "case.test"
    path.write_text(text, encoding="utf-8")
    try:
        Runner(engine, path).run()
    except Failure as failure:
        return str(failure)
    return "passed"


@pytest.mark.parametrize(
    ("text", "rows", "passes"),
    [
        ("query I\nSELECT 1\n----\n1\n", [(1,)], True),
        ("query I\nSELECT 1\n----\n2\n", [(1,)], False),
        ("query IT\nSELECT\n----\n1\ta\n2\tNULL\n", [(1, "a"), (2, None)], True),
        ("query IT\nSELECT\n----\n1\na\n2\n(empty)\n", [(1, "a"), (2, "")], True),
        ("query I rowsort\nSELECT\n----\n1\n2\n", [(2,), (1,)], True),
        ("query I\nSELECT\n----\n1\n2\n", [(2,), (1,)], False),
        ("query IT valuesort\nSELECT\n----\n1\n2\na\nb\n", [(2, "b"), (1, "a")], True),
        ("query R\nSELECT\n----\n1.500\n", [(1.5,)], True),
        ("query II\nSELECT\n----\n1\n", [(1,)], False),
        ("query I\nS\n----\n2 values hashing to 6ddb4095eb719e2a9f0a3f95677d24e0\n", [], False),
        ("query I\nS\n----\n3 values hashing to f1b0bd6fe7c0b2a5e8db8a8cb5a17ffb\n", [(1,)], False),
        ("statement error\nSELECT\n", [], False),
        ("skipif told\nquery I\nS\n----\n9\n", [(1,)], True),
        ("onlyif other\nquery I\nS\n----\n9\n", [(1,)], True),
        ("halt\n\nquery I\nS\n----\n9\n", [(1,)], True),
        ("nonsense\n", [], False),
    ],
)
def test_runner(tmp_path: Path, text: str, rows: list[tuple[Any, ...]], passes: bool) -> None:
    assert (outcome(tmp_path, text, Told(rows)) == "passed") is passes


def test_runner_hashes(tmp_path: Path) -> None:
    text = "query I\nS\n----\n2 values hashing to 6ddb4095eb719e2a9f0a3f95677d24e0\n"
    assert outcome(tmp_path, text, Told([(1,), (2,)])) == "passed"  # MD5 of "1\n2\n"


def test_runner_errors(tmp_path: Path) -> None:
    told = Told(error="Table t does not exist")
    assert outcome(tmp_path, "statement error\nS\n", told) == "passed"
    assert outcome(tmp_path, "statement error\nS\n----\ndoes not exist\n", told) == "passed"
    assert outcome(tmp_path, "statement error\nS\n----\n/t.*exist/\n", told) == "passed"
    assert "does not say" in outcome(tmp_path, "statement error\nS\n----\nother\n", told)
    assert "does not exist" in outcome(tmp_path, "statement ok\nS\n", told)


def test_runner_loops(tmp_path: Path) -> None:
    told = Told([])
    text = "loop i 0 2\n\nforeach w a b\n\nstatement ok\nS ${i}${w}\n\nendloop\n\nendloop\n"
    assert outcome(tmp_path, text, told) == "passed"
    assert told.seen == ["S 0a", "S 0b", "S 1a", "S 1b"]
