# SPDX-License-Identifier: Apache-2.0
"""Spark with Delta reads our frames and writes into them, and we read what it wrote.

Method: rows made by a seed, compared with themselves after the way through both products; Spark's
filters over our statistics against plain Python over the same rows; tables with features that we
lack must be refused by the feature's name.
"""

from __future__ import annotations

import datetime
import operator
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import apiary
import pyarrow as pa
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "python"))
from tables import COLUMNS, ODD_WORDS, SOAK, UTC, check_equal, rows, seeded, table

ALL = list(COLUMNS)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[apiary.Box]:
    with apiary.Apiary("test", tmp_path / "storage") as ap:
        yield ap.create_hive("h").create_box("b")


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Where Spark's tables lie: below the storage."""
    return tmp_path / "storage" / "lake"


def location(frame: apiary.Frame) -> str:
    return str(frame.describe()["location"])


def by_spark(spark: Any, path: str | Path) -> pa.Table:
    return spark.read.format("delta").load(str(path)).toArrow()


def into(spark: Any, data: pa.Table, path: str | Path) -> None:
    """Append an Arrow table with Spark."""
    schema = spark.read.format("delta").load(str(path)).schema
    made = spark.createDataFrame(data, schema)
    made.write.format("delta").mode("append").save(str(path))


# ----------------------------------------------------------------------------- ours, read by Spark


def test_spark_reads_every_type(spark: Any, box: apiary.Box) -> None:
    draw = seeded("types")
    frame = box.create_frame("f", {name: COLUMNS[name][0] for name in ALL})
    expected: list[dict[str, Any]] = []
    for _ in range(3):
        fresh = rows(draw, ALL, len(expected), 40)
        frame.write(table(fresh, ALL))
        expected += fresh
    check_equal(by_spark(spark, location(frame)), expected, "from the log")
    frame.checkpoint()
    frame.write(table(more := rows(draw, ALL, len(expected), 5), ALL))
    check_equal(by_spark(spark, location(frame)), expected + more, "from a checkpoint")
    types = dict(spark.read.format("delta").load(location(frame)).dtypes)
    assert types["wall"] == "timestamp_ntz"
    assert types["moment"] == "timestamp"
    assert types["huge"] == "decimal(38,10)"


def test_spark_reads_partitions_checkpoints_and_overwrites(spark: Any, box: apiary.Box) -> None:
    frame = box.create_frame("with space", {"id": "int64", "word": "string"}, partition_by=["word"])
    expected: list[dict[str, Any]] = []
    for _ in range(2):
        fresh = [{"id": len(expected) + at, "word": word} for at, word in enumerate(ODD_WORDS)]
        frame.write(pa.Table.from_pylist(fresh))
        expected += fresh
    check_equal(by_spark(spark, location(frame)), expected, "appended")
    for word in ODD_WORDS[1:8]:
        # Spark finds the cells of one partition by its value.
        found = spark.read.format("delta").load(location(frame))
        wanted = [row for row in expected if row["word"] == word]
        check_equal(found.where(found.word == word).toArrow(), wanted, word)
        fresh = [{"id": 1000 + len(expected), "word": word}]
        frame.overwrite(pa.Table.from_pylist(fresh), {"word": word})
        expected = [row for row in expected if row["word"] != word] + fresh
    frame.checkpoint()
    check_equal(by_spark(spark, location(frame)), expected, "replaced")
    frame.overwrite(pa.Table.from_pylist(expected[:3]))
    check_equal(by_spark(spark, location(frame)), expected[:3], "overwritten")
    history = spark.sql(f"DESCRIBE HISTORY delta.`{location(frame)}`").collect()
    assert len(history) == len(frame.history())


SOME: dict[str, list[Any]] = {
    "text": [
        "",
        "a",
        "aé",
        "b" * 40,
        "b" * 31 + "\U0001f41d" * 4,
        "\uffff",
        "\U0010ffff" * 40,
        "zz",
    ],
    "day": [datetime.date(1, 1, 1), datetime.date(1970, 1, 1), datetime.date(9999, 12, 31)],
    "moment": [
        datetime.datetime(2024, 2, 29, 12, 0, 0, 123456, UTC),
        datetime.datetime(2024, 2, 29, 12, 0, 0, 123999, UTC),
        datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
    ],
    "wall": [datetime.datetime(2024, 1, 1, 0, 0, 0, 1), datetime.datetime(1900, 1, 1)],
    "flag": [True, False],
    "price": [Decimal("-99999999.99"), Decimal("0.10"), Decimal("99999999.99")],
    "double": [-1e300, -0.0, 0.0, 0.1, 1e300],
    "medium": [-(2**31), 0, 2**31 - 1],
}
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "<>": operator.ne,
}


def literal(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        kind = "TIMESTAMP" if value.tzinfo else "TIMESTAMP_NTZ"
        return f"{kind} '{value.strftime('%Y-%m-%d %H:%M:%S.%f')}'"
    if isinstance(value, datetime.date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, float):
        return f"CAST('{value!r}' AS DOUBLE)"
    return str(value)


def test_spark_filters_right_by_our_statistics(spark: Any, box: apiary.Box) -> None:
    draw = seeded("filters")
    columns = ["id", *SOME]
    frame = box.create_frame("f", {name: COLUMNS[name][0] for name in columns})
    expected: list[dict[str, Any]] = []
    for cell in range(8):
        fresh = []
        for at in range(draw.randint(1, 3)):
            row = {c: draw.choice([*choices, None]) for c, choices in SOME.items()}
            fresh.append({"id": cell * 10 + at, **row})
        frame.write(table(fresh, columns))
        expected += fresh
    spark.read.format("delta").load(location(frame)).createOrReplaceTempView("f")
    kinds = [(column, name) for column in SOME for name in OPERATORS]
    some = draw.sample(kinds, len(kinds) if SOAK else len(kinds) // 2)
    asked = [(column, name, draw.choice(SOME[column])) for column, name in some]
    for column, name, value in asked:
        test = OPERATORS[name]
        wanted = [r["id"] for r in expected if r[column] is not None and test(r[column], value)]
        where = f"{column} {name} {literal(value)}"
        found = [r[0] for r in spark.sql(f"SELECT id FROM f WHERE {where}").collect()]
        assert sorted(found) == wanted, where
    for column in SOME:
        wanted = [r["id"] for r in expected if r[column] is None]
        found = [r[0] for r in spark.sql(f"SELECT id FROM f WHERE {column} IS NULL").collect()]
        assert sorted(found) == wanted, f"{column} IS NULL"


def test_spark_filters_right_beside_nan(spark: Any, box: apiary.Box) -> None:
    """NaN is greater than every number to Spark, so it must not be left out of a cell's range."""
    frame = box.create_frame("f", {"id": "int64", "x": "float64", "y": "float32"})
    nan = float("nan")
    frame.write(pa.table({"id": [1, 2], "x": [1.0, nan], "y": pa.array([1.0, nan], pa.float32())}))
    frame.write(pa.table({"id": [3], "x": [nan], "y": pa.array([nan], pa.float32())}))
    frame.write(pa.table({"id": [4], "x": [5.0], "y": pa.array([5.0], pa.float32())}))
    spark.read.format("delta").load(location(frame)).createOrReplaceTempView("f")
    for column in ("x", "y"):
        found = spark.sql(f"SELECT id FROM f WHERE {column} > 4 ORDER BY id").collect()
        assert [r[0] for r in found] == [2, 3, 4], column
        found = spark.sql(f"SELECT id FROM f WHERE {column} = 'NaN' ORDER BY id").collect()
        assert [r[0] for r in found] == [2, 3], column
        found = frame.read(f"{column} > 4").to_pylist()
        assert sorted(r["id"] for r in found) == [2, 3, 4], column


# ----------------------------------------------------------------------- Spark writes, and we read


def test_spark_and_we_write_in_turn(spark: Any, box: apiary.Box) -> None:
    draw = seeded("in turn")
    columns = [name for name in ALL if name not in ("many", "pair", "words")]
    frame = box.create_frame("f", {name: COLUMNS[name][0] for name in columns})
    expected: list[dict[str, Any]] = []
    for step in range(6):
        fresh = table(rows(draw, columns, len(expected), 10), columns)
        if step % 2:
            into(spark, fresh, location(frame))
        else:
            frame.write(fresh)
        expected += fresh.to_pylist()
        check_equal(frame.read(), expected, f"apiary, step {step}")
    check_equal(by_spark(spark, location(frame)), expected, "Spark")


def test_deletion_vectors(spark: Any, box: apiary.Box, lake: Path) -> None:
    """Spark deletes rows without rewriting files; we read around them, and append and overwrite."""
    draw = seeded("deletion vectors")
    path = f"delta.`{lake / 't'}`"
    spark.sql(
        f"CREATE TABLE {path} (id BIGINT, part STRING) USING delta PARTITIONED BY (part) "
        "TBLPROPERTIES ('delta.enableDeletionVectors' = true)"
    )
    have = {at: f"p{at % 2}" for at in range(600)}
    spark.sql(f"INSERT INTO {path} SELECT id, concat('p', id % 2) FROM range(600)")
    frame = box.attach_frame("t", "lake/t")
    gone = sorted(draw.sample(range(600), 150))
    for step, keys in enumerate([gone[:1], gone[1:80], gone[80:]]):
        spark.sql(f"DELETE FROM {path} WHERE id IN ({', '.join(map(str, keys))})")
        for key in keys:
            del have[key]
        check_equal(frame.read(), [{"id": k, "part": p} for k, p in have.items()], f"{step}")
        assert frame.describe()["row_count"] == len(have)
    spark.sql(f"UPDATE {path} SET part = 'p0' WHERE id < 10")
    have |= {key: "p0" for key in have if key < 10}
    frame.write({"id": [5000, 5001], "part": ["p0", "p1"]})
    have |= {5000: "p0", 5001: "p1"}
    expected: list[dict[str, Any]] = [{"id": k, "part": p} for k, p in have.items()]
    check_equal(frame.read(), expected, "after our append")
    check_equal(by_spark(spark, lake / "t"), expected, "Spark, after our append")
    spark.sql(f"DELETE FROM {path} WHERE id % 10 = 3")
    have = {key: part for key, part in have.items() if key % 10 != 3}
    frame.checkpoint()
    expected = [{"id": k, "part": p} for k, p in have.items()]
    check_equal(
        frame.read("part = 'p1' AND id > 100"),
        [r for r in expected if r["part"] == "p1" and r["id"] > 100],
        "filtered",
    )
    check_equal(by_spark(spark, lake / "t"), expected, "Spark, from our checkpoint")
    frame.overwrite({"id": [9001], "part": ["p1"]}, {"part": "p1"})
    expected = [r for r in expected if r["part"] != "p1"] + [{"id": 9001, "part": "p1"}]
    check_equal(frame.read(), expected, "after our overwrite")
    check_equal(by_spark(spark, lake / "t"), expected, "Spark, after our overwrite")


@pytest.mark.parametrize("partitioned", [False, True])
def test_deletion_vectors_of_ours(spark: Any, tmp_path: Path, partitioned: bool) -> None:
    """DELETE, UPDATE and MERGE of both, in turn, over vectors in the log and in files."""
    draw = seeded("deletion vectors of ours")
    with apiary.Apiary("test", tmp_path / "storage") as ap:
        ap.create_hive("h").create_box("b")
        ap.sql("USE h.b")
        parts = "PARTITIONED BY (part)" if partitioned else ""
        ap.sql(
            f"CREATE FRAME f (id int64, part string, v int32) {parts} "
            "TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')"
        )
        ap.sql("INSERT INTO f SELECT i, 'p' || i % 2, 0 FROM range(20000) r(i)")
        frame = ap.hive("h").box("b").frame("f")
        path = f"delta.`{location(frame)}`"
        have = {at: (f"p{at % 2}", 0) for at in range(20000)}

        def check(when: str) -> None:
            expected: list[dict[str, Any]] = [
                {"id": key, "part": part, "v": v} for key, (part, v) in have.items()
            ]
            check_equal(by_spark(spark, location(frame)), expected, f"Spark, {when}")
            check_equal(frame.read(), expected, f"apiary, {when}")

        for step, delete in enumerate([ap.sql, spark.sql, ap.sql, spark.sql]):
            name = "f" if delete == ap.sql else path
            gone = sorted(draw.sample(sorted(have), [3, 40, 4000, 300][step]))
            delete(f"DELETE FROM {name} WHERE id IN ({', '.join(map(str, gone))})")
            for key in gone:
                del have[key]
            check(f"deleted, step {step}")
        ap.sql("UPDATE f SET v = v + 1 WHERE id % 90 = 7")
        have |= {key: (part, v + 1) for key, (part, v) in have.items() if key % 90 == 7}
        check("updated here")
        spark.sql(f"UPDATE {path} SET v = v + 5 WHERE id % 100 = 7")
        have |= {key: (part, v + 5) for key, (part, v) in have.items() if key % 100 == 7}
        ap.sql(
            """MERGE INTO f USING (SELECT i AS id FROM range(19900, 20100) r(i)) s ON f.id = s.id
            WHEN MATCHED AND f.v > 0 THEN DELETE WHEN MATCHED THEN UPDATE SET v = 9
            WHEN NOT MATCHED THEN INSERT (id, part, v) VALUES (s.id, 'p0', 10)"""
        )
        for key in range(19900, 20100):
            part, v = have.pop(key, ("p0", -1))
            if v <= 0:
                have[key] = (part, 9 if v == 0 else 10)
        check("merged here")
        spark.sql(f"DELETE FROM {path} WHERE id % 11 = 0")
        have = {key: row for key, row in have.items() if key % 11}
        frame.checkpoint()
        check("from our checkpoint")
        log = Path(location(frame)) / "_delta_log"
        for version in (2, 4, 6, 8):  # ours
            text = (log / f"{version:020}.json").read_text(encoding="utf-8")
            assert "Apiary/" in text and "deletionVector" in text, version
        spark.sql(f"OPTIMIZE {path}")
        check("after Spark's OPTIMIZE")


def test_column_mapping(spark: Any, box: apiary.Box, lake: Path) -> None:
    path = f"delta.`{lake / 't'}`"
    spark.sql(
        f"CREATE TABLE {path} (id BIGINT, old STRING, s STRUCT<x: INT, y: INT>, part STRING) "
        "USING delta PARTITIONED BY (part) TBLPROPERTIES ('delta.columnMapping.mode' = 'name')"
    )
    before = [
        {"id": 1, "old": "a", "s": {"x": 1, "y": 2}, "part": "p"},
        {"id": 2, "old": "b", "s": None, "part": None},
    ]
    into(spark, pa.Table.from_pylist(before), lake / "t")
    frame = box.attach_frame("t", "lake/t")
    check_equal(frame.read(), before, "before")
    spark.sql(f"ALTER TABLE {path} RENAME COLUMN old TO new")
    spark.sql(f"ALTER TABLE {path} RENAME COLUMN part TO `the part`")
    spark.sql(f"ALTER TABLE {path} RENAME COLUMN s.x TO z")
    spark.sql(f"ALTER TABLE {path} ADD COLUMNS (old INT)")
    spark.sql(f"INSERT INTO {path} VALUES (3, 'c', struct(3, 4), 'q', 33)")
    expected = [
        {"id": 1, "new": "a", "s": {"z": 1, "y": 2}, "the part": "p", "old": None},
        {"id": 2, "new": "b", "s": None, "the part": None, "old": None},
        {"id": 3, "new": "c", "s": {"z": 3, "y": 4}, "the part": "q", "old": 33},
    ]
    check_equal(frame.read(), expected, "renamed and added")
    check_equal(frame.read("\"the part\" = 'q' AND new >= 'c'"), expected[2:], "filtered")
    spark.sql(f"ALTER TABLE {path} DROP COLUMN new")
    spark.sql(f"ALTER TABLE {path} ADD COLUMNS (new STRING)")
    for row in expected:
        row["new"] = None
    check_equal(frame.read(), expected, "dropped and added anew")
    check_equal(frame.read(version=1), before, "the past")
    frame.write(pa.Table.from_pylist(expected[2:], schema=frame.schema))
    check_equal(by_spark(spark, lake / "t"), expected + expected[2:], "Spark, after our append")


def test_column_mapping_by_id(spark: Any, box: apiary.Box, lake: Path) -> None:
    path = f"delta.`{lake / 't'}`"
    spark.sql(
        f"CREATE TABLE {path} (id BIGINT, old STRING, part STRING) USING delta "
        "PARTITIONED BY (part) TBLPROPERTIES ('delta.columnMapping.mode' = 'id')"
    )
    spark.sql(f"INSERT INTO {path} VALUES (1, 'a', 'p'), (2, NULL, NULL)")
    spark.sql(f"ALTER TABLE {path} RENAME COLUMN old TO new")
    spark.sql(f"ALTER TABLE {path} ADD COLUMNS (old INT)")
    spark.sql(f"INSERT INTO {path} VALUES (3, 'c', 'q', 33)")
    frame = box.attach_frame("t", "lake/t")
    expected = [
        {"id": 1, "new": "a", "part": "p", "old": None},
        {"id": 2, "new": None, "part": None, "old": None},
        {"id": 3, "new": "c", "part": "q", "old": 33},
    ]
    check_equal(frame.read(), expected)
    spark.sql(f"ALTER TABLE {path} ADD COLUMNS (s STRUCT<x: INT>)")
    with pytest.raises(apiary.Unsupported, match="column mapping of mode 'id' within column 's'"):
        frame.read()


def test_a_widened_column(spark: Any, box: apiary.Box, lake: Path) -> None:
    path = f"delta.`{lake / 't'}`"
    spark.sql(
        f"CREATE TABLE {path} (id BIGINT, n INT) USING delta "
        "TBLPROPERTIES ('delta.enableTypeWidening' = true)"
    )
    spark.sql(f"INSERT INTO {path} VALUES (1, 1)")
    frame = box.attach_frame("t", "lake/t")
    check_equal(frame.read(), [{"id": 1, "n": 1}])
    spark.sql(f"ALTER TABLE {path} ALTER COLUMN n TYPE BIGINT")
    spark.sql(f"INSERT INTO {path} VALUES (2, {2**40})")
    frame.write({"id": [3], "n": [2**41]})
    expected = [{"id": 1, "n": 1}, {"id": 2, "n": 2**40}, {"id": 3, "n": 2**41}]
    check_equal(frame.read(), expected)
    check_equal(by_spark(spark, lake / "t"), expected)


@pytest.mark.parametrize(
    ("features", "columns", "refused"),
    [
        ("'delta.enableChangeDataFeed' = true", "id BIGINT", ""),
        ("'delta.checkpointPolicy' = 'v2'", "id BIGINT", ""),
        ("'delta.enableInCommitTimestamps' = true", "id BIGINT", ""),
        ("'delta.enableRowTracking' = true", "id BIGINT", "rowTracking"),
        ("'delta.appendOnly' = true", "id BIGINT", ""),
        ("'delta.constraints.positive' = 'id > 0'", "id BIGINT", ""),
        ("", "id BIGINT NOT NULL", ""),
    ],
)
def test_features(
    spark: Any, box: apiary.Box, lake: Path, features: str, columns: str, refused: str
) -> None:
    """Every table is read; where we could not keep a writer's promise we refuse to write."""
    path = f"delta.`{lake / 't'}`"
    later = features.startswith("'delta.constraints")
    often = "'delta.checkpointInterval' = 3"
    made = f"TBLPROPERTIES ({often}{', ' + features if features and not later else ''})"
    spark.sql(f"CREATE TABLE {path} ({columns}) USING delta {made}")
    if later:
        spark.sql(f"ALTER TABLE {path} ADD CONSTRAINT positive CHECK (id > 0)")
    for number in range(1, 6):
        spark.sql(f"INSERT INTO {path} VALUES ({number})")
    frame = box.attach_frame("t", "lake/t")
    expected = [{"id": number} for number in range(1, 6)]
    check_equal(frame.read(), expected)
    data = pa.table({"id": [100]}, schema=pa.schema([pa.field("id", pa.int64(), nullable=False)]))
    if refused:
        with pytest.raises(apiary.Unsupported, match=refused):
            frame.write(data)
        check_equal(by_spark(spark, lake / "t"), expected)
        return
    frame.write(data)
    frame.checkpoint()
    frame.write({"id": [101]})
    expected += [{"id": 100}, {"id": 101}]
    check_equal(by_spark(spark, lake / "t"), expected)
    spark.sql(f"INSERT INTO {path} VALUES (102)")
    check_equal(frame.read(), [*expected, {"id": 102}])
    if "appendOnly" in features:
        with pytest.raises(apiary.Unsupported, match="appendOnly"):
            frame.overwrite(data)


def test_a_type_we_lack_is_named(spark: Any, box: apiary.Box, lake: Path) -> None:
    path = f"delta.`{lake / 't'}`"
    spark.sql(f"CREATE TABLE {path} (id BIGINT, v VARIANT) USING delta")
    with pytest.raises(apiary.Unsupported, match="variant"):
        box.attach_frame("t", "lake/t")
    assert box.list_frames() == []
