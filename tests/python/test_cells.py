# SPDX-License-Identifier: Apache-2.0
"""The Parquet files we write ourselves, read by three other readers.

Goal: what the direct writer puts into a cell is what pyarrow, DuckDB and Polars read, with right
statistics, whatever the layout of the Arrow input. Method: random tables of every type it takes,
cut into batches and slices; the source data is the oracle.
"""

import datetime
import decimal
import math
import os
import random
from pathlib import Path

import apiary
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

SEED = int(os.environ.get("AP_TEST_SEED", "20261121"))

TYPES = {
    "flag": pa.bool_(),
    "tiny": pa.int8(),
    "small": pa.int16(),
    "number": pa.int32(),
    "large": pa.int64(),
    "single": pa.float32(),
    "double": pa.float64(),
    "dec9": pa.decimal128(9, 2),
    "dec18": pa.decimal128(18, 6),
    "dec38": pa.decimal128(38, 10),
    "text": pa.string(),
    "few": pa.string(),
    "blob": pa.binary(),
    "day": pa.date32(),
    "instant": pa.timestamp("us", tz="UTC"),
    "moment": pa.timestamp("us"),
}
EPOCH = datetime.datetime(1970, 1, 1)


def value_of(rng: random.Random, name: str) -> object:
    """A random value of a column, with the extremes among them."""
    bits = {"tiny": 8, "small": 16, "number": 32, "large": 64}
    if name in bits:
        top = 2 ** (bits[name] - 1)
        return rng.choice([-top, top - 1, 0, rng.randrange(-top, top), rng.randrange(-5, 5)])
    if name in ("single", "double"):
        special = [0.0, -0.0, math.inf, -math.inf, 1.5, -2.25]
        return rng.choice([*special, float(rng.randrange(-1000, 1000)) / 8])
    if name.startswith("dec"):
        digits, scale = TYPES[name].precision, TYPES[name].scale
        unscaled = rng.choice([10**digits - 1, -(10**digits) + 1, rng.randrange(-999, 999)])
        return decimal.Context(prec=60).scaleb(decimal.Decimal(unscaled), -scale)
    if name == "flag":
        return rng.random() < 0.5
    if name == "few":
        return rng.choice(["", "eu", "us", "ünïcödé", "日本"])
    if name == "text":
        return rng.choice(["", "x", "Z" * 300, "\U0001f41d", f"row {rng.randrange(10**6)}"])
    if name == "blob":
        return rng.randbytes(rng.randrange(6))
    if name == "day":
        return datetime.date(1970, 1, 1) + datetime.timedelta(days=rng.randrange(-9999, 40000))
    moment = EPOCH + datetime.timedelta(microseconds=rng.randrange(-(10**15), 4 * 10**15))
    return moment.replace(tzinfo=datetime.timezone.utc) if name == "instant" else moment


def random_table(rng: random.Random, rows: int, nulls: float) -> pa.Table:
    """rows rows of every type; that share of nulls."""
    columns = {
        name: pa.array(
            [None if rng.random() < nulls else value_of(rng, name) for _ in range(rows)], kind
        )
        for name, kind in TYPES.items()
    }
    return pa.table(columns)


def cells_of(ap: apiary.Apiary, frame: str) -> list[Path]:
    """The Parquet files of a frame in box h.b."""
    location = Path(str(ap.get_frame("h", "b", frame)["location"]))
    return sorted(location.rglob("*.parquet"))


@pytest.fixture
def ap(tmp_path: Path):
    """A started apiary with the box h.b."""
    with apiary.Apiary("cells", storage=str(tmp_path / "lake")) as opened:
        opened.create_hive("h")
        opened.create_box("h", "b")
        yield opened


def same(left: pa.Table, right: pa.Table) -> None:
    """Equal columns, NaN equal to itself."""
    assert left.column_names == right.column_names
    for name in left.column_names:
        mine, wanted = left[name].to_pylist(), right[name].to_pylist()
        assert [repr(value) for value in mine] == [repr(value) for value in wanted], name


def check_readers(path: Path, wanted: pa.Table) -> None:
    """Three readers see the rows that were written."""
    same(pq.ParquetFile(path).read(), wanted)
    same(pl.read_parquet(path).to_arrow().cast(wanted.schema), wanted)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    same(connection.sql(f"FROM '{path}'").to_arrow_table().cast(wanted.schema), wanted)


@pytest.mark.parametrize("turn", range(6))
def test_readers_see_what_was_written(ap: apiary.Apiary, turn: int) -> None:
    rng = random.Random(SEED + turn)
    print(f"replay with AP_TEST_SEED={SEED}, turn {turn}")
    rows = [1, 7, 8, 2000, 21000, 40000][turn]
    table = random_table(rng, rows, [0.0, 0.4, 1.0, 0.1, 0.02, 0.5][turn])
    ap.create_frame("h", "b", "t", table.schema)
    written = ap.write_to_frame("h", "b", "t", table)
    assert written["rows_written"] == rows
    (path,) = cells_of(ap, "t")
    assert pq.read_metadata(path).created_by == "Apiary"
    check_readers(path, table)


def test_batches_and_slices(ap: apiary.Apiary) -> None:
    rng = random.Random(SEED)
    whole = random_table(rng, 3000, 0.2)
    batches = []
    at = 0
    while at < whole.num_rows:
        size = rng.choice([1, 3, 64, 500])
        batches += whole.slice(at, size).to_batches()
        at += size
    ap.create_frame("h", "b", "t", whole.schema)
    ap.write_to_frame("h", "b", "t", pa.Table.from_batches(batches))
    (path,) = cells_of(ap, "t")
    check_readers(path, whole)


def test_several_row_groups(ap: apiary.Apiary) -> None:
    rows = 300_000
    table = pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "value": pa.array([math.nan if i == 5 else i / 4 for i in range(rows)]),
            "name": pa.array([f"name {i % 700}" for i in range(rows)]),
        }
    )
    ap.create_frame("h", "b", "t", table.schema)
    ap.write_to_frame("h", "b", "t", table)
    (path,) = cells_of(ap, "t")
    assert pq.read_metadata(path).num_row_groups >= 3
    check_readers(path, table)
    answer = ap.sql("SELECT count(*) FROM h.b.t WHERE value > 1e300").fetchall()
    assert answer == [(1,)], "NaN is greater than any number, and its cell must be read"


def test_bounds_in_the_footer(ap: apiary.Apiary) -> None:
    table = pa.table(
        {
            "number": pa.array([3, None, -7, 12], pa.int32()),
            "text": pa.array(["b", "a", None, "c"]),
            "zero": pa.array([0.0, -0.0, 0.0, None]),
            "nan": pa.array([1.0, math.nan, None, 2.0]),
            "none": pa.array([None] * 4, pa.int64()),
        }
    )
    ap.create_frame("h", "b", "t", table.schema)
    ap.write_to_frame("h", "b", "t", table)
    (path,) = cells_of(ap, "t")
    group = pq.read_metadata(path).row_group(0)
    facts = {group.column(i).path_in_schema: group.column(i).statistics for i in range(5)}
    assert (facts["number"].min, facts["number"].max, facts["number"].null_count) == (-7, 12, 1)
    assert (facts["text"].min, facts["text"].max) == ("a", "c")
    assert (str(facts["zero"].min), str(facts["zero"].max)) == ("-0.0", "0.0")
    assert not facts["nan"].has_min_max
    assert not facts["none"].has_min_max
    assert facts["none"].null_count == 4


def test_text_that_is_not_utf8_is_refused(ap: apiary.Apiary) -> None:
    ap.create_frame("h", "b", "t", {"text": "string"})
    good = pa.array(["ok", "\u00e4"])
    offsets, data = good.buffers()[1], bytearray(good.buffers()[2].to_pybytes())
    data[2] = 0xFF
    bad = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(bytes(data))])
    with pytest.raises(apiary.ApiaryError, match=r"column 'text': .*UTF-8"):
        ap.write_to_frame("h", "b", "t", pa.table({"text": bad}))
    assert ap.sql("SELECT count(*) FROM h.b.t").fetchall() == [(0,)]
    assert cells_of(ap, "t") == []
