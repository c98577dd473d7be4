# SPDX-License-Identifier: Apache-2.0
"""Other engines read our frames, and we read and extend their tables.

Method: rows made by a seed go in; deltalake, Polars and DuckDB read them back, and what they read
is compared with the rows themselves. The other way round deltalake writes, and plain Python keeps
count of what must be there.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import apiary
import deltalake
import duckdb
import polars
import pyarrow as pa
import pytest
from tables import COLUMNS, ODD_WORDS, SOAK, UTC, check_equal, rows, seeded, table

ALL = list(COLUMNS)


def location(frame: apiary.Frame) -> str:
    return str(frame.describe()["location"])


def by_deltalake(frame: apiary.Frame, version: int | None = None) -> pa.Table:
    query = deltalake.QueryBuilder().register(
        "t", deltalake.DeltaTable(location(frame), version=version)
    )
    return pa.table(query.execute("SELECT * FROM t").read_all())


def by_polars(frame: apiary.Frame) -> pa.Table:
    return polars.read_delta(location(frame)).to_arrow()


def by_duckdb(frame: apiary.Frame, columns: list[str]) -> pa.Table:
    """The live cells, as bare Parquet files."""
    files = deltalake.DeltaTable(location(frame)).file_uris()
    names = ", ".join(f'"{name}"' for name in columns)
    with duckdb.connect() as engine:
        engine.execute("SET TimeZone = 'UTC'")
        reader = engine.execute(
            f"SELECT {names} FROM read_parquet($1, hive_partitioning = false)", [files]
        )
        return reader.to_arrow_table()


def check_everywhere(
    frame: apiary.Frame, expected: list[dict[str, Any]], partitions: tuple[str, ...] = ()
) -> None:
    """We and three others read just these rows."""
    assert frame.describe()["row_count"] == len(expected)
    check_equal(frame.read(), expected, "apiary")
    check_equal(by_deltalake(frame), expected, "deltalake")
    check_equal(by_polars(frame), expected, "polars")
    if expected:
        stored = [name for name in expected[0] if name not in partitions]
        bare = [{name: row[name] for name in stored} for row in expected]
        check_equal(by_duckdb(frame, stored), bare, "duckdb")


# ------------------------------------------------------------------------------ ours, read by them


def test_others_read_a_frame_after_1_10_and_150_commits(box: apiary.Box) -> None:
    draw = seeded("commits")
    columns = ["id", "double", "text", "price"]
    frame = box.create_frame("f", {name: COLUMNS[name][0] for name in columns})
    expected: list[dict[str, Any]] = []
    for commit in range(1, 151):
        fresh = rows(draw, columns, len(expected), draw.randint(1, 4))
        frame.write(table(fresh, columns))
        expected += fresh
        if commit in (1, 10, 150):
            check_everywhere(frame, expected)
    assert list(Path(location(frame), "_delta_log").glob("*.checkpoint.parquet"))


def test_others_read_every_type(box: apiary.Box) -> None:
    draw = seeded("types")
    frame = box.create_frame("f", {name: COLUMNS[name][0] for name in ALL})
    expected: list[dict[str, Any]] = []
    for _ in range(3):
        fresh = rows(draw, ALL, len(expected), 300 if SOAK else 60)
        frame.write(table(fresh, ALL))
        expected += fresh
    check_everywhere(frame, expected)
    frame.checkpoint()
    check_everywhere(frame, expected)


def test_others_read_types_that_delta_lacks(box: apiary.Box) -> None:
    """Unsigned numbers, half floats and times are kept as the next type that Delta has."""
    words = {"id": "int64", "a": "uint8", "b": "uint16", "c": "uint32", "d": "uint64"}
    frame = box.create_frame("f", words)
    expected = [
        {"id": 1, "a": 255, "b": 65535, "c": 4294967295, "d": 18446744073709551615},
        {"id": 2, "a": 0, "b": 0, "c": 0, "d": 0},
        {"id": 3, "a": None, "b": None, "c": None, "d": None},
    ]
    types = [pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
    schema = pa.schema(list(zip(words, types)))
    frame.write(pa.Table.from_pylist(expected, schema=schema))
    check_equal(frame.read(), expected)
    assert frame.read().schema.types == types
    check_equal(by_deltalake(frame), expected)
    check_equal(by_polars(frame), expected)


def test_others_read_partitions_with_odd_values(box: apiary.Box) -> None:
    draw = seeded("partitions")
    columns = ["id", "text", "wall"]
    frame = box.create_frame(
        "f",
        {"id": "int64", "word": "string", "text": "string", "wall": "timestamp"},
        partition_by=["word"],
    )
    expected: list[dict[str, Any]] = []
    for _ in range(2):
        fresh = rows(draw, columns, len(expected), 2 * len(ODD_WORDS))
        for at, row in enumerate(fresh):
            row["word"] = ODD_WORDS[at % len(ODD_WORDS)]
        frame.write(
            table(fresh, columns).append_column("word", pa.array([r["word"] for r in fresh]))
        )
        expected += fresh
    check_everywhere(frame, expected, ("word",))
    for word in ODD_WORDS:
        wanted = [row for row in expected if row["word"] == word]
        check_equal(frame.read({"word": word}), wanted, word)
    frame.checkpoint()
    check_everywhere(frame, expected, ("word",))


def test_others_read_partitions_of_every_type(box: apiary.Box) -> None:
    values: dict[str, list[Any]] = {
        "medium": [-(2**31), 0, 2**31 - 1],
        "flag": [True, False],
        "day": [datetime.date(1, 1, 1), datetime.date(2024, 2, 29), datetime.date(9999, 12, 31)],
        "price": [Decimal("-99999999.99"), Decimal("0.00"), Decimal("1.50")],
        "double": [0.1, -1e300, 5e-324, 1e16],
        "wall": [
            datetime.datetime(1969, 12, 31, 23, 59, 59, 999999),
            datetime.datetime(2024, 1, 1),
        ],
        "moment": [datetime.datetime(2024, 2, 29, 12, 30, 0, 123456, UTC)],
    }
    for column, choices in values.items():
        frame = box.create_frame(
            f"by {column}",
            {"id": "int64", column: COLUMNS[column][0]},
            partition_by=[column],
        )
        expected = [{"id": at, column: item} for at, item in enumerate(choices * 2)]
        frame.write(table(expected, ["id", column]))
        check_equal(frame.read(), expected, f"apiary, by {column}")
        check_equal(by_deltalake(frame), expected, f"deltalake, by {column}")
        check_equal(by_polars(frame), expected, f"polars, by {column}")
        for item in choices:
            wanted = [row for row in expected if row[column] == item]
            check_equal(frame.read({column: item}), wanted, f"{column} = {item}")


def test_others_read_what_overwriting_leaves(box: apiary.Box) -> None:
    draw = seeded("overwrite")
    frame = box.create_frame(
        "f", {"id": "int64", "word": "string", "text": "string"}, partition_by=["word"]
    )
    words = ODD_WORDS[:6]
    expected: list[dict[str, Any]] = []
    count = 0
    for step in range(120 if SOAK else 30):
        one = draw.choice(words)
        kind = draw.choice(["append", "append", "replace", "overwrite"])
        fresh = [
            {"id": count + at, "text": draw.choice(["x", None]), "word": draw.choice(words)}
            for at in range(draw.randint(0, 5))
        ]
        count += len(fresh)
        if kind == "replace":
            for row in fresh:
                row["word"] = one
            expected = [row for row in expected if row["word"] != one]
        elif kind == "overwrite":
            expected = []
        schema = pa.schema([("id", pa.int64()), ("word", pa.string()), ("text", pa.string())])
        data = pa.Table.from_pylist(fresh, schema=schema)
        if kind == "append":
            frame.write(data)
        else:
            frame.overwrite(data, {"word": one} if kind == "replace" else None)
        expected = expected + fresh
        if step % 10 == 9:
            check_everywhere(frame, expected, ("word",))
            frame.checkpoint()


def test_others_travel_in_time_as_we_do(box: apiary.Box) -> None:
    frame = box.create_frame("f", {"id": "int64"})
    for at in range(12):
        (frame.overwrite if at == 6 else frame.write)({"id": [at]})
    for version in range(13):
        first = 6 if version > 6 else 0
        expected = [{"id": at} for at in range(first, version)]
        check_equal(frame.read(version=version), expected, f"version {version}")
        check_equal(by_deltalake(frame, version), expected, f"version {version}")


# ------------------------------------------------------------------------------ theirs, read by us


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Where foreign tables lie: below the storage of `ap`."""
    return tmp_path / "storage" / "lake"


def attach(box: apiary.Box, name: str) -> apiary.Frame:
    return box.attach_frame(name, f"lake/{name}")


def by_deltalake_at(table_path: Path) -> pa.Table:
    query = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(str(table_path)))
    return pa.table(query.execute("SELECT * FROM t").read_all())


def extend(frame: apiary.Frame, path: Path, expected: list[dict[str, Any]], data: pa.Table) -> None:
    """Append to a foreign table through us; both see old and new."""
    check_equal(frame.read(), expected, "before our append")
    frame.write(data)
    after = expected + data.to_pylist()
    check_equal(frame.read(), after, "apiary after our append")
    check_equal(by_deltalake_at(path), after, "deltalake after our append")


def test_we_read_and_extend_tables_of_every_type(box: apiary.Box, lake: Path) -> None:
    draw = seeded("foreign types")
    expected: list[dict[str, Any]] = []
    for _ in range(3):
        fresh = rows(draw, ALL, len(expected), 40)
        deltalake.write_deltalake(str(lake / "t"), table(fresh, ALL), mode="append")
        expected += fresh
    frame = attach(box, "t")
    extend(frame, lake / "t", expected, table(rows(draw, ALL, len(expected), 40), ALL))


def test_we_read_and_extend_partitioned_tables(box: apiary.Box, lake: Path) -> None:
    schema = pa.schema([("id", pa.int64()), ("word", pa.string()), ("day", pa.date32())])
    days = [None, datetime.date(2024, 2, 29)]
    expected = [
        {"id": at, "word": word, "day": days[at % 2]} for at, word in enumerate([*ODD_WORDS, None])
    ]
    data = pa.Table.from_pylist(expected, schema=schema)
    deltalake.write_deltalake(str(lake / "t"), data, partition_by=["word", "day"])
    frame = attach(box, "t")
    assert frame.describe()["partition_by"] == ["word", "day"]
    nulls = frame.read("word IS NULL")
    check_equal(nulls, [row for row in expected if row["word"] is None], "IS NULL")
    check_equal(frame.read("day IS NULL"), [row for row in expected if row["day"] is None])
    more = [{"id": 100, "word": "a=b", "day": days[1]}]
    extend(frame, lake / "t", expected, pa.Table.from_pylist(more, schema=schema))


def test_we_read_checkpoints_deletes_updates_merges(box: apiary.Box, lake: Path) -> None:
    draw = seeded("foreign changes")
    path = str(lake / "t")
    schema = pa.schema([("id", pa.int64()), ("n", pa.int64())])
    have = {at: at for at in range(20)}

    def as_table(items: dict[int, int]) -> pa.Table:
        return pa.table([list(items), list(items.values())], schema=schema)

    deltalake.write_deltalake(path, as_table(have))
    frame = attach(box, "t")
    for step in range(60 if SOAK else 24):
        theirs = deltalake.DeltaTable(path)
        key = draw.choice(sorted(have) or [0])
        kind = draw.choice(
            ["append", "delete", "update", "merge", "ours", "optimize", "checkpoint"]
        )
        fresh = {1000 + step * 10 + at: step for at in range(3)}
        if kind == "append":
            deltalake.write_deltalake(path, as_table(fresh), mode="append")
            have |= fresh
        elif kind == "delete":
            theirs.delete(f"id = {key}")
            have.pop(key, None)
        elif kind == "update":
            theirs.update(predicate=f"id >= {key}", updates={"n": "n + 1"})
            have = {k: n + 1 if k >= key else n for k, n in have.items()}
        elif kind == "merge":
            source = as_table({key: -step, 5000 + step: 1})
            merge = theirs.merge(source, "t.id = s.id", source_alias="s", target_alias="t")
            merge.when_matched_update_all().when_not_matched_insert_all().execute()
            have |= {key: -step, 5000 + step: 1}
        elif kind == "ours":
            frame.write(as_table(fresh))
            have |= fresh
        elif kind == "optimize":
            theirs.optimize.compact()
        else:
            theirs.create_checkpoint()
        expected = [{"id": k, "n": n} for k, n in have.items()]
        check_equal(frame.read(), expected, f"step {step}: {kind}")
    with apiary.Apiary("again", lake.parent) as again:
        found = again.read_from_frame(frame.hive, frame.box, frame.name)
        check_equal(found, expected, "opened anew")
    check_equal(by_deltalake_at(lake / "t"), expected, "deltalake")


def test_we_read_tables_whose_schema_changed(box: apiary.Box, lake: Path) -> None:
    path = str(lake / "t")
    deltalake.write_deltalake(path, pa.table({"id": pa.array([1, 2], pa.int64())}))
    frame = attach(box, "t")
    check_equal(frame.read(), [{"id": 1}, {"id": 2}])
    deltalake.write_deltalake(
        path,
        pa.table({"id": pa.array([3], pa.int64()), "more": ["x"]}),
        mode="append",
        schema_mode="merge",
    )
    expected: list[dict[str, Any]] = [
        {"id": 1, "more": None},
        {"id": 2, "more": None},
        {"id": 3, "more": "x"},
    ]
    data = pa.table({"id": pa.array([4], pa.int64()), "more": pa.array(["y"])})
    extend(frame, lake / "t", expected, data)
    check_equal(frame.read("more IS NULL"), expected[:2])
    check_equal(frame.read("more = 'y'"), [{"id": 4, "more": "y"}])


def test_replaced_columns_are_the_new_ones(box: apiary.Box, lake: Path) -> None:
    path = str(lake / "t")
    deltalake.write_deltalake(path, pa.table({"id": pa.array([1, 2], pa.int32()), "x": ["a", "b"]}))
    frame = attach(box, "t")
    assert frame.read().num_rows == 2
    replaced = pa.table({"id": pa.array([2**40], pa.int64()), "y": [1.5]})
    deltalake.write_deltalake(path, replaced, mode="overwrite", schema_mode="overwrite")
    check_equal(frame.read(), replaced)
    check_equal(frame.read(version=0, columns=["id"]), [{"id": 1}, {"id": 2}])
    more = pa.table({"id": pa.array([5], pa.int64()), "y": [2.5]})
    extend(frame, lake / "t", replaced.to_pylist(), more)


# --------------------------------------------------------------------------------------- attaching


def test_only_a_table_below_the_root_is_attached(box: apiary.Box, lake: Path) -> None:
    deltalake.write_deltalake(str(lake / "t"), pa.table({"id": [1]}))
    (lake / "empty").mkdir()
    for folder, kind, words in [
        ("lake/nothing", apiary.NotFound, "lake/nothing"),
        ("lake/empty", apiary.NotFound, "no Delta table"),
        ("lake", apiary.NotFound, "no Delta table"),
        ("../t", apiary.InvalidArgument, "../t"),
        (str(lake / "t"), apiary.InvalidArgument, "lake/t"),
        ("", apiary.InvalidArgument, "key"),
        ("_apiary/catalog", apiary.InvalidArgument, "Apiary's own"),
    ]:
        with pytest.raises(kind, match=words):
            box.attach_frame("t", folder)
    assert box.list_frames() == []
    frame = box.attach_frame("t", "lake/t/")
    assert frame.read().to_pylist() == [{"id": 1}]
    with pytest.raises(apiary.AlreadyExists, match="t exists"):
        box.attach_frame("t", "lake/t")
    with pytest.raises(apiary.AlreadyExists, match="already belongs to"):
        box.attach_frame("other", "lake/t")
    deltalake.write_deltalake(str(lake / "t" / "inner"), pa.table({"id": [2]}))
    with pytest.raises(apiary.StateError, match="lies in"):
        box.attach_frame("inner", "lake/t/inner")
    frame.drop()
    assert box.list_frames() == []
    with pytest.raises(apiary.NotFound):
        box.attach_frame("t", "lake/t")
