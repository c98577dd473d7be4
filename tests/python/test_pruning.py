# SPDX-License-Identifier: Apache-2.0
"""Each shape of condition reads the cells it must and no others, and answers as DuckDB does.

Method: a frame of one cell for each month of 2024 and a frame of days; the number of cells that a
query read is what APIARY_TIMING tells, the answer is plain DuckDB's over the same rows.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from pathlib import Path

import apiary
import duckdb
import pyarrow as pa
import pytest

MONTHS = 12
ROWS = 200


def month_of_facts(month: int) -> pa.Table:
    """Rows of one month: ids 1000 * month and up, names that begin with the month's letter."""
    first = datetime.datetime(2024, month, 1)
    return pa.table(
        {
            "id": pa.array([1000 * month + i for i in range(ROWS)], pa.int64()),
            "day": pa.array(
                [(first + datetime.timedelta(hours=3 * i)).date() for i in range(ROWS)]
            ),
            "ts": pa.array([first + datetime.timedelta(hours=3 * i) for i in range(ROWS)]),
            "name": pa.array([f"{chr(96 + month)}{i:03}" for i in range(ROWS)]),
            "amount": pa.array([month + i / 1000 for i in range(ROWS)], pa.float64()),
        }
    )


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[apiary.Apiary, duckdb.DuckDBPyConnection]]:
    plain = duckdb.connect()
    folder: Path = tmp_path_factory.mktemp("pruning")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("APIARY_TIMING", "1")
        ap = apiary.Apiary("test", folder / "storage")
        ap.start()
    with ap:
        box = ap.create_hive("h").create_box("b")
        facts = box.create_frame(
            "facts",
            {
                "id": "int64",
                "day": "date",
                "ts": "timestamp",
                "name": "string",
                "amount": "float64",
            },
        )
        months = [month_of_facts(month) for month in range(1, MONTHS + 1)]
        for rows in months:
            facts.write(rows)
        all_rows = pa.concat_tables(months)
        days = sorted(set(all_rows["day"].to_pylist()))
        dim = pa.table(
            {
                "day": pa.array(days, pa.date32()),
                "month": pa.array([day.month for day in days], pa.int32()),
                "label": pa.array([day.strftime("%b %d") for day in days]),
            }
        )
        box.create_frame("dim", {"day": "date", "month": "int32", "label": "string"}).write(dim)
        plain.register("facts_rows", all_rows)
        plain.register("dim_rows", dim)
        plain.execute("CREATE TABLE facts AS FROM facts_rows")
        plain.execute("CREATE TABLE dim AS FROM dim_rows")
        ap.sql("USE h.b")
        yield ap, plain


# Conditions over facts, and how many of its twelve cells they need.
CONDITIONS = [
    ("id = 5100", 1),
    ("id IN (5100, 7100, NULL)", 2),
    ("id + 1 > 12000", 1),
    ("20000 - id < 8000 + 500", 1),
    ("id * 2 BETWEEN 10000 AND 10100", 1),
    ("id::DOUBLE / 1 = 5100", 12),
    ("id::DOUBLE + 0.5 < 1100", 1),
    ("amount * -1 > -2", 1),
    ("name LIKE 'c%'", 1),
    ("name LIKE 'c001'", 1),
    ("name LIKE 'c_01'", 1),
    ("name NOT LIKE 'c%'", 11),
    ("name ILIKE 'C%'", 12),
    ("name ^@ lower('C')", 1),
    ("starts_with(name, 'd')", 1),
    ("left(name, 1) = 'e'", 1),
    ("substr(name, 1, 1) IN ('a', 'f')", 2),
    ("left(name, 1) > 'j'", 2),
    ("day >= DATE '2024-12-02' - INTERVAL 1 DAY", 1),
    ("day + 31 <= DATE '2024-02-20'", 1),
    ("day + INTERVAL 1 MONTH < DATE '2024-03-01'", 1),
    ("day BETWEEN make_date(2024, 3, 1) AND last_day(DATE '2024-04-03')", 2),
    ("ts::DATE = DATE '2024-05-05'", 1),
    ("ts + INTERVAL '36 hours' < TIMESTAMP '2024-02-01'", 1),
    ("date_trunc('month', ts) = DATE '2024-07-01'", 1),
    ("date_trunc('quarter', ts) = DATE '2024-07-01'", 3),
    ("date_trunc('week', day) >= DATE '2024-12-01'", 1),
    ("year(day) = 2023", 0),
    ("extract(year FROM ts) = 2024", 12),
    ("date_part('year', ts) <> 2024", 0),
    ("month(day) = 5", 12),
    ("day >= current_date", 0),
    ("day < current_date - 7", 12),
    ("ts >= now()::TIMESTAMP - INTERVAL 3 DAY", 0),
    ("ts >= date_trunc('year', now()::TIMESTAMP)", 0),
    ("id = 5100 OR name LIKE 'b%'", 2),
    ("(id < 2000) IS NOT TRUE AND day < '2024-03-01'", 1),
]

# Whole queries, and how many cells of all the frames they name they need.
QUERIES = [
    ("SELECT count(*), max(name) FROM (SELECT id AS k, name FROM facts) WHERE k = 5100", 1),
    ("WITH c AS (SELECT day, name FROM facts) SELECT count(*) FROM c WHERE day > '2024-12-01'", 1),
    (
        "SELECT count(*) FROM (SELECT * FROM facts UNION ALL SELECT * FROM facts)"
        " WHERE id BETWEEN 3000 AND 3999",
        1,
    ),
    (
        "SELECT sum(n) FROM (SELECT day, count(*) AS n FROM facts GROUP BY day)"
        " WHERE day = '2024-06-06'",
        1,
    ),
    ("SELECT count(*) FROM (SELECT id FROM facts ORDER BY id LIMIT 50) WHERE id = 5100", 12),
    ("SELECT count(*) FROM facts JOIN dim ON facts.day = dim.day AND facts.id < 1999", 2),
    ("SELECT count(*) FROM dim LEFT JOIN facts ON facts.day = dim.day AND facts.id < 1999", 2),
    ("SELECT count(*) FROM dim LEFT JOIN facts ON facts.day = dim.day WHERE facts.id < 1999", 2),
    ("SELECT count(*) FROM facts LEFT JOIN dim ON facts.day = dim.day AND facts.id < 1999", 13),
    ("SELECT count(*) FROM dim LEFT JOIN facts USING (day) WHERE facts.id IS NULL", 13),
]


# What the ledger answers, reading no cell, and what looks alike and must be read.
ANSWERS = [
    ("SELECT count(*) FROM facts", 0),
    ("SELECT count() AS n, count(name), min(id), max(id) AS m FROM facts AS f", 0),
    ('SELECT min("day"), max(facts.day), min(ts), max(ts), min(name), max(name) FROM facts', 0),
    ("SELECT count(*), max(id) FROM facts WHERE day < '2024-11-01'", 0),
    ("SELECT count(*), max(id), min(name) FROM facts WHERE id < 0", 0),
    ("SELECT count(*), max(id) FROM facts WHERE id < 5100", 5),
    ("SELECT count(*), max(amount) FROM facts", 12),
    ("SELECT count(DISTINCT id) FROM facts", 12),
    ("SELECT count(*) FILTER (id > 5) FROM facts", 12),
    ("SELECT count(*) + 1 FROM facts", 12),
    ("SELECT count(*) FROM facts GROUP BY ALL", 12),
    ("SELECT count(*) FROM facts HAVING count(*) > 10000", 12),
    ("SELECT count(*) FROM facts GROUP BY day LIMIT 0", 12),
    ("SELECT max(id) OVER () FROM facts WHERE id = 1000", 1),
    ("SELECT count(*) FROM facts WHERE (SELECT max(month) FROM dim) > 3", 13),
]


def cells_read(capfd: pytest.CaptureFixture[str]) -> int:
    found = re.findall(r"cells (\d+) of (\d+)", capfd.readouterr().err)
    assert len(found) == 1
    return int(found[0][0])


def check(
    world: tuple[apiary.Apiary, duckdb.DuckDBPyConnection],
    capfd: pytest.CaptureFixture[str],
    sql: str,
    parameters: list[object] | None,
    cells: int,
) -> None:
    ap, plain = world
    ours = pa.table(ap.sql(sql, parameters))
    read = cells_read(capfd)
    expected = plain.execute(sql, parameters).to_arrow_table()
    assert ours.schema.names == expected.schema.names
    assert [str(kind) for kind in ours.schema.types] == [str(k) for k in expected.schema.types]
    assert ours.to_pylist() == expected.to_pylist()
    assert read == cells, f"{sql}: {read} cells"


@pytest.mark.parametrize(("condition", "cells"), CONDITIONS)
def test_a_condition_reads_only_its_cells(
    world: tuple[apiary.Apiary, duckdb.DuckDBPyConnection],
    capfd: pytest.CaptureFixture[str],
    condition: str,
    cells: int,
) -> None:
    sql = f"SELECT count(*) AS n, min(name) AS a, sum(id) AS s FROM facts WHERE {condition}"
    check(world, capfd, sql, None, cells)


@pytest.mark.parametrize(("sql", "cells"), QUERIES)
def test_a_query_reads_only_its_cells(
    world: tuple[apiary.Apiary, duckdb.DuckDBPyConnection],
    capfd: pytest.CaptureFixture[str],
    sql: str,
    cells: int,
) -> None:
    check(world, capfd, sql, None, cells)


@pytest.mark.parametrize(("sql", "cells"), ANSWERS)
def test_the_ledger_answers_what_it_knows(
    world: tuple[apiary.Apiary, duckdb.DuckDBPyConnection],
    capfd: pytest.CaptureFixture[str],
    sql: str,
    cells: int,
) -> None:
    check(world, capfd, sql, None, cells)


@pytest.mark.parametrize(
    ("condition", "values", "cells"),
    [
        ("id = $1", [5100], 1),
        ("name = $1", ["c001"], 1),
        ("name LIKE $1", ["c%"], 12),
        ("day = ?", [datetime.date(2024, 5, 5)], 1),
        ("ts = ?", [datetime.datetime(2024, 5, 5, 3)], 1),
        ("day = ?", [datetime.datetime(2024, 5, 5, 3)], 12),
        ("amount < ? AND id > ?", [3.0, 2000], 1),
    ],
)
def test_parameters_prune(
    world: tuple[apiary.Apiary, duckdb.DuckDBPyConnection],
    capfd: pytest.CaptureFixture[str],
    condition: str,
    values: list[object],
    cells: int,
) -> None:
    check(world, capfd, f"SELECT count(*) AS n FROM facts WHERE {condition}", values, cells)
