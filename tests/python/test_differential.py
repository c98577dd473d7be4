# SPDX-License-Identifier: Apache-2.0
"""Random queries give what plain DuckDB gives over the same Parquet files.

Method: frames of every type whose cells differ in their statistics, some partitioned, some written
by another writer in part; queries of every shape over them, answered by us and by DuckDB over
tables made of the files that the Delta log names. Answers are compared with names, types and rows,
as bags, or in order where the query orders them wholly; what one refuses the other must refuse.
Where DuckDB itself answers otherwise when it reads the files, that is what we are held to.
How many cells each query read is counted, so that a test that prunes nothing fails. Every other
time the cell cache is eager, so that all is read from its copies.

AP_TEST_SEED replays the frames and queries of a run, AP_TEST_QUERY one query of it; AP_SOAK=1 asks
ten times as much.
"""

from __future__ import annotations

import math
import os
import random
import re
import secrets
from collections import Counter
from pathlib import Path
from typing import Any

import apiary
import duckdb
import pyarrow as pa
import pytest
from differential.frames import World
from differential.queries import Generator, Query

CHUNKS = 10
SOAK = os.environ.get("AP_SOAK") == "1"  # many more queries, and others each time
DEFAULT_SEED = 20261121
QUERIES = 550 * (10 if SOAK else 1)
FAILURES_SHOWN = 5
PRUNED_SHARE_MIN = 0.2

EXCUSED_SHARE_MAX = 0.02
# Where DuckDB itself differs between its tables and the same rows in files.
ENGINE_SHARE_MAX = 0.001

# What fails on some rows only. Neither of us need meet those rows: we leave out cells, DuckDB
# leaves out blocks of its tables, and both choose which part of a condition to ask first.
ROW_ERRORS = (
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
    duckdb.InvalidInputException,
)
OUR_ROW_ERRORS = re.compile(
    "Could not convert|Could not cast|Casting value|out of range|field format|Overflow"
    "|Invalid byte encountered|Unimplemented type for cast"
)


def plain_value(value: Any) -> Any:
    """NaN equal to itself, and zero without its sign."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value + 0.0
    if isinstance(value, list):
        return tuple(plain_value(item) for item in value)
    if isinstance(value, dict):
        return tuple((name, plain_value(item)) for name, item in value.items())
    return value


def column_values(column: pa.ChunkedArray) -> list[Any]:
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_time64(kind):
        column = column.cast(pa.int64())
    elif pa.types.is_date32(kind):
        column = column.cast(pa.int32())
    return [plain_value(value) for value in column.to_pylist()]


def rows_of(table: pa.Table) -> list[Any]:
    return list(zip(*[column_values(column) for column in table.columns]))


def columns_of(table: pa.Table) -> list[tuple[str, str]]:
    return [(field.name, str(field.type)) for field in table.schema]


class Unlike(Exception):
    """The two answers differ; the text says how."""


def ask_plain(plain: duckdb.DuckDBPyConnection, query: Query) -> pa.Table | duckdb.Error:
    try:
        return plain.execute(query.plain, query.parameters or None).to_arrow_table()
    except duckdb.Error as error:
        return error


def ask_us(world: World, query: Query) -> pa.Table | apiary.ApiaryError:
    try:
        return pa.table(world.apiary.sql(query.ours, query.parameters or None))
    except apiary.ApiaryError as error:
        return error


def compare(
    ours: pa.Table | apiary.ApiaryError, plain: pa.Table | duckdb.Error, ordered: bool
) -> str:
    """What both came to: "answered", "refused", or "excused" when one met a row that the other did
    not."""
    if isinstance(plain, duckdb.Error):
        if isinstance(ours, apiary.ApiaryError):
            return "refused"
        if isinstance(plain, ROW_ERRORS):
            return "excused"
        raise Unlike(f"DuckDB says {plain}; we answer {ours.num_rows} rows")
    if isinstance(ours, apiary.ApiaryError):
        if isinstance(ours, apiary.SqlError) and OUR_ROW_ERRORS.search(str(ours)):
            return "excused"
        raise Unlike(f"we say {ours!r}; DuckDB answers {plain.num_rows} rows")
    if columns_of(ours) != columns_of(plain):
        raise Unlike(f"columns {columns_of(ours)}; DuckDB's {columns_of(plain)}")
    our_rows, plain_rows = rows_of(ours), rows_of(plain)
    if ordered and our_rows == plain_rows:
        return "answered"
    missing = Counter(plain_rows) - Counter(our_rows)
    added = Counter(our_rows) - Counter(plain_rows)
    if ordered or missing or added:
        raise Unlike(
            f"{len(our_rows)} rows; DuckDB's {len(plain_rows)}; missing {list(missing)[:3]},"
            f" not DuckDB's {list(added)[:3]}"
        )
    return "answered"


def check(world: World, query: Query) -> str:
    """Ask both. "engine": DuckDB gives one answer from its tables, and ours from the files."""
    ours = ask_us(world, query)
    try:
        return compare(ours, ask_plain(world.plain, query), query.ordered)
    except Unlike:
        if isinstance(ours, apiary.ApiaryError):
            raise
        if compare(ours, ask_plain(world.files, query), query.ordered) == "answered":
            return "engine"
        raise


def report(seed: int, chunk: int, number: int, query: Query, unlike: Unlike) -> str:
    past = f"\n  plain: {query.plain}" if query.plain != query.ours else ""
    return (
        f"AP_TEST_SEED={seed} AP_TEST_QUERY={number} .venv/bin/python -m pytest"
        f" 'tests/python/test_differential.py::test_answers_are_plain_duckdbs[{chunk}]'\n"
        f"  {query.ours}{past}\n  parameters: {query.parameters}\n  {unlike}"
    )


def cells_read(text: str) -> tuple[int, int]:
    """Of the queries over frames: how many there were, and how many read fewer cells than all."""
    found = re.findall(r"cells (\d+) of (\d+)", text)
    counted = [(int(read), int(total)) for read, total in found if total != "0"]
    return len(counted), sum(read < total for read, total in counted)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_answers_are_plain_duckdbs(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APIARY_TIMING", "1")
    copied = chunk % 2 == 1  # every other time each query reads decoded copies of its cells
    monkeypatch.setenv("APIARY_CELL_CACHE", "eager" if copied else "off")
    seed = int(os.environ.get("AP_TEST_SEED") or (secrets.randbits(32) if SOAK else DEFAULT_SEED))
    only = os.environ.get("AP_TEST_QUERY")
    numbers = [int(only)] if only else range(QUERIES)
    world = World(random.Random(f"{seed}/{chunk}"), tmp_path)
    failures = []
    outcomes: Counter[str] = Counter()
    try:
        for number in numbers:
            rng = random.Random(f"{seed}/{chunk}/{number}")
            query = Generator(rng, world.frames).make()
            try:
                outcomes[check(world, query)] += 1
            except Unlike as unlike:
                failures.append(report(seed, chunk, number, query, unlike))
    finally:
        world.close()
    timing = capfd.readouterr().err
    asked, pruned = cells_read(timing)
    cached = sum(int(count) for count in re.findall(r"(\d+) from the cache", timing))
    shown = "\n\n".join(failures[:FAILURES_SHOWN])
    assert not failures, f"{len(failures)} of {len(numbers)} answers differ:\n\n{shown}"
    print(f"seed {seed}: {dict(outcomes)}, {pruned} of {asked} pruned")
    if only is None:
        assert outcomes["answered"] > 0.8 * QUERIES
        assert outcomes["excused"] < EXCUSED_SHARE_MAX * QUERIES
        assert outcomes["engine"] <= 2 + ENGINE_SHARE_MAX * QUERIES
        assert pruned > PRUNED_SHARE_MIN * asked
        assert (cached > asked) == copied, f"{cached} cells from the cache, {asked} queries"
