# SPDX-License-Identifier: Apache-2.0
"""TPC-H, TPC-DS and the Star Schema Benchmark: tables by a generator, queries, expected answers.

The tables come from the pinned generator tpcgen-cli; the texts of TPC-H and TPC-DS and the answers
that TPC-H publishes for scale 1 from the pinned sources of DuckDB. The star schema is derived from
TPC-H's tables here, and its thirteen queries are written here, after the benchmark's description
(O'Neil, O'Neil, Chen: "Star Schema Benchmark", revision 3).
"""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "build" / "deps" / "duckdb"


def generate(benchmark: str, scale: str, folder: Path) -> Path:
    """Write the Parquet files of a benchmark ("tpch", "tpcds") into a folder; a second call does
    nothing."""
    done = folder / ".complete"
    if not done.exists():
        generator = Path(sys.executable).parent / "tpcgen-cli"
        command = [str(generator), benchmark, "parquet", "-s", scale, "-o", str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        done.touch()
    return folder


def queries(benchmark: str) -> list[tuple[str, str]]:
    """(name, text) in order: "q01" and so on."""
    folder = SOURCES / f"{benchmark}-queries"
    texts = sorted(folder.glob("*.sql"))
    return [("q" + path.stem.lstrip("q"), path.read_text(encoding="utf-8")) for path in texts]


def published_answer(query: str) -> Path:
    """TPC-H's own answer for scale 1, as text parted by bars with a line of names."""
    return SOURCES / "tpch-answers" / "sf1" / f"{query}.csv"


# What the star schema takes from TPC-H: one wide fact table, and a calendar of its own.
STAR_TABLES = {
    "dates": """
        SELECT CAST(strftime(day, '%Y%m%d') AS INTEGER) AS d_datekey, CAST(day AS DATE) AS d_date,
               dayname(day) AS d_dayofweek, monthname(day) AS d_month,
               CAST(year(day) AS INTEGER) AS d_year,
               CAST(year(day) * 100 + month(day) AS INTEGER) AS d_yearmonthnum,
               strftime(day, '%b%Y') AS d_yearmonth,
               CAST(weekofyear(day) AS INTEGER) AS d_weeknuminyear
        FROM generate_series(DATE '1992-01-01', DATE '1998-12-31', INTERVAL 1 DAY) AS days(day)""",
    "customers": """
        SELECT c_custkey, c_name, n_name AS c_nation, r_name AS c_region,
               rpad(n_name, 9, ' ') || (c_custkey % 10) AS c_city, c_mktsegment
        FROM customer JOIN nation ON c_nationkey = n_nationkey
        JOIN region ON n_regionkey = r_regionkey""",
    "suppliers": """
        SELECT s_suppkey, s_name, n_name AS s_nation, r_name AS s_region,
               rpad(n_name, 9, ' ') || (s_suppkey % 10) AS s_city
        FROM supplier JOIN nation ON s_nationkey = n_nationkey
        JOIN region ON n_regionkey = r_regionkey""",
    "parts": """
        SELECT p_partkey, p_name, p_mfgr, 'MFGR#' || substr(p_brand, 7, 2) AS p_category,
               'MFGR#' || substr(p_brand, 7, 2) || lpad(CAST(p_partkey % 40 + 1 AS VARCHAR), 2, '0')
                   AS p_brand1,
               p_type, p_size, p_container
        FROM part""",
    "lineorder": """
        SELECT l_orderkey AS lo_orderkey, l_linenumber AS lo_linenumber, o_custkey AS lo_custkey,
               l_partkey AS lo_partkey, l_suppkey AS lo_suppkey,
               CAST(strftime(o_orderdate, '%Y%m%d') AS INTEGER) AS lo_orderdate,
               o_orderpriority AS lo_orderpriority, l_quantity AS lo_quantity,
               l_extendedprice AS lo_extendedprice, CAST(l_discount * 100 AS INTEGER)
                   AS lo_discount,
               CAST(l_extendedprice * (1 - l_discount) AS DECIMAL(18, 2)) AS lo_revenue,
               CAST(l_extendedprice * 0.6 AS DECIMAL(18, 2)) AS lo_supplycost,
               l_shipmode AS lo_shipmode
        FROM lineitem JOIN orders ON l_orderkey = o_orderkey""",
}

_FLIGHT = """
    SELECT sum(lo_extendedprice * lo_discount) AS revenue
    FROM lineorder JOIN dates ON lo_orderdate = d_datekey
    WHERE {} AND lo_discount BETWEEN {} AND {} AND {}"""
_BRANDS = """
    SELECT sum(lo_revenue) AS revenue, d_year, p_brand1
    FROM lineorder, dates, parts, suppliers
    WHERE lo_orderdate = d_datekey AND lo_partkey = p_partkey AND lo_suppkey = s_suppkey
      AND {} AND s_region = '{}'
    GROUP BY d_year, p_brand1 ORDER BY d_year, p_brand1"""
_PLACES = """
    SELECT {0} AS c, {1} AS s, d_year, sum(lo_revenue) AS revenue
    FROM customers, lineorder, suppliers, dates
    WHERE lo_custkey = c_custkey AND lo_suppkey = s_suppkey AND lo_orderdate = d_datekey AND {2}
    GROUP BY {0}, {1}, d_year ORDER BY d_year ASC, revenue DESC, c, s"""
_PROFIT = """
    SELECT {0}, sum(lo_revenue - lo_supplycost) AS profit
    FROM dates, customers, suppliers, parts, lineorder
    WHERE lo_custkey = c_custkey AND lo_suppkey = s_suppkey AND lo_partkey = p_partkey
      AND lo_orderdate = d_datekey AND {1}
    GROUP BY {0} ORDER BY {0}"""
_CITIES = ("'UNITED KI1'", "'UNITED KI5'")

STAR_QUERIES = [
    ("q1.1", _FLIGHT.format("d_year = 1993", 1, 3, "lo_quantity < 25")),
    ("q1.2", _FLIGHT.format("d_yearmonthnum = 199401", 4, 6, "lo_quantity BETWEEN 26 AND 35")),
    (
        "q1.3",
        _FLIGHT.format(
            "d_weeknuminyear = 6 AND d_year = 1994", 5, 7, "lo_quantity BETWEEN 26 AND 35"
        ),
    ),
    ("q2.1", _BRANDS.format("p_category = 'MFGR#12'", "AMERICA")),
    ("q2.2", _BRANDS.format("p_brand1 BETWEEN 'MFGR#2221' AND 'MFGR#2228'", "ASIA")),
    ("q2.3", _BRANDS.format("p_brand1 = 'MFGR#2239'", "EUROPE")),
    (
        "q3.1",
        _PLACES.format(
            "c_nation",
            "s_nation",
            "c_region = 'ASIA' AND s_region = 'ASIA' AND d_year BETWEEN 1992 AND 1997",
        ),
    ),
    (
        "q3.2",
        _PLACES.format(
            "c_city",
            "s_city",
            "c_nation = 'UNITED STATES' AND s_nation = 'UNITED STATES' "
            "AND d_year BETWEEN 1992 AND 1997",
        ),
    ),
    (
        "q3.3",
        _PLACES.format(
            "c_city",
            "s_city",
            "c_city IN ({0}, {1}) AND s_city IN ({0}, {1}) AND d_year BETWEEN 1992 AND 1997".format(
                *_CITIES
            ),
        ),
    ),
    (
        "q3.4",
        _PLACES.format(
            "c_city",
            "s_city",
            "c_city IN ({0}, {1}) AND s_city IN ({0}, {1}) AND d_yearmonth = 'Dec1997'".format(
                *_CITIES
            ),
        ),
    ),
    (
        "q4.1",
        _PROFIT.format(
            "d_year, c_nation",
            "c_region = 'AMERICA' AND s_region = 'AMERICA' AND p_mfgr IN ('Manufacturer#1', "
            "'Manufacturer#2')",
        ),
    ),
    (
        "q4.2",
        _PROFIT.format(
            "d_year, s_nation, p_category",
            "c_region = 'AMERICA' AND s_region = 'AMERICA' AND d_year IN (1997, 1998) "
            "AND p_mfgr IN ('Manufacturer#1', 'Manufacturer#2')",
        ),
    ),
    (
        "q4.3",
        _PROFIT.format(
            "d_year, s_city, p_brand1",
            "s_nation = 'UNITED STATES' AND d_year IN (1997, 1998) AND p_category = 'MFGR#14'",
        ),
    ),
]


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    """Plain DuckDB with every Parquet file of a folder as a view of its name."""
    plain = duckdb.connect()
    plain.execute("SET TimeZone = 'UTC'")
    for path in sorted(folder.glob("*.parquet")):
        plain.execute(f"CREATE VIEW {path.stem} AS SELECT * FROM '{path}'")
    return plain


def make_star(folder: Path, tpch: Path) -> Path:
    """Write the star schema's tables, derived from TPC-H's; a second call does nothing."""
    done = folder / ".complete"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        plain = connect(tpch)
        for name, text in STAR_TABLES.items():
            plain.execute(f"COPY ({text}) TO '{folder / name}.parquet' (FORMAT parquet)")
        plain.close()
        done.touch()
    return folder


def _same_value(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        # the order of additions is the engine's own, and differs from run to run
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12)
    return left == right


def _sort_key(row: tuple[Any, ...]) -> list[tuple[bool, str]]:
    return [
        (value is None, f"{value:.6g}" if isinstance(value, float) else str(value)) for value in row
    ]


def difference(ours: list[tuple[Any, ...]], plain: list[tuple[Any, ...]]) -> str:
    """Empty when both hold the same rows, whatever the order of ties; else what differs first."""
    if len(ours) != len(plain):
        return f"{len(ours)} rows, {len(plain)} expected"
    pairs = zip(sorted(ours, key=_sort_key), sorted(plain, key=_sort_key))
    for have, want in pairs:
        if not all(_same_value(a, b) for a, b in zip(have, want)):
            return f"{have} where {want} is expected"
    return ""
