# SPDX-License-Identifier: Apache-2.0
"""Spark and we change tables in turn: columns, rules, types, deletion vectors, the change feed.

Method: what the rows must be is written down; both engines read them, each enforces the rules that
the other made, and both tell the same changes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apiary
import pyarrow as pa
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "python"))
from tables import check_equal

FRAME = "h.b.f"


@pytest.fixture
def ap(tmp_path: Path) -> Iterator[apiary.Apiary]:
    with apiary.Apiary("test", tmp_path / "storage") as started:
        started.create_hive("h").create_box("b")
        yield started


@pytest.fixture
def box(ap: apiary.Apiary) -> apiary.Box:
    return ap.hive("h").box("b")


def table_of(frame: apiary.Frame) -> str:
    return f"delta.`{frame.describe()['location']}`"


def by_spark(spark: Any, frame: apiary.Frame) -> pa.Table:
    return spark.sql(f"SELECT * FROM {table_of(frame)}").toArrow()


def test_columns_changed_here_are_read_and_written_there(
    spark: Any, ap: apiary.Apiary, box: apiary.Box
) -> None:
    frame = box.create_frame(
        "f", {"id": "int32", "word": "string", "s": "struct<x: int32>"}, partition_by=["word"]
    )
    frame.write({"id": [1, 2], "word": ["a", "b"], "s": [{"x": 1}, None]})
    ap.sql(f"ALTER FRAME {FRAME} ADD COLUMN s.y string")
    ap.sql(f"ALTER FRAME {FRAME} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
    ap.sql(f'ALTER FRAME {FRAME} RENAME COLUMN word TO "the word"')
    ap.sql(f"ALTER FRAME {FRAME} RENAME COLUMN s.x TO z")
    ap.sql(f"ALTER FRAME {FRAME} ADD COLUMN gone string")
    ap.sql(f"ALTER FRAME {FRAME} DROP COLUMN gone")
    ap.sql(f"ALTER FRAME {FRAME} SET TBLPROPERTIES ('delta.enableTypeWidening' = 'true')")
    ap.sql(f"ALTER FRAME {FRAME} ALTER COLUMN id TYPE bigint")
    expected = [
        {"id": 1, "the word": "a", "s": {"z": 1, "y": None}},
        {"id": 2, "the word": "b", "s": None},
    ]
    check_equal(by_spark(spark, frame), expected, "Spark")
    spark.sql(f"INSERT INTO {table_of(frame)} VALUES ({2**40}, 'c', struct(3, 'q'))")
    expected.append({"id": 2**40, "the word": "c", "s": {"z": 3, "y": "q"}})
    frame.write(pa.Table.from_pylist([expected[2]], schema=frame.schema))
    expected.append(expected[2])
    check_equal(frame.read(), expected, "apiary")
    check_equal(by_spark(spark, frame), expected, "Spark, in turn")
    spark.sql(f"ALTER TABLE {table_of(frame)} RENAME COLUMN `the word` TO word")
    spark.sql(f"ALTER TABLE {table_of(frame)} DROP COLUMN s")
    plain = [{"id": row["id"], "word": row["the word"]} for row in expected]
    check_equal(frame.read(), plain, "apiary, after Spark's changes")
    history = spark.sql(f"DESCRIBE HISTORY {table_of(frame)}").toArrow()["operation"].to_pylist()
    assert history[-3:] == ["ADD COLUMNS", "WRITE", "CREATE TABLE"]


def test_rules_made_here_hold_there(spark: Any, ap: apiary.Apiary, box: apiary.Box) -> None:
    ap.sql(
        f"""CREATE FRAME {FRAME} (id bigint NOT NULL, "my word" text DEFAULT 'it''s',
        twice bigint GENERATED ALWAYS AS (id * 2), CONSTRAINT small CHECK (id < 10 AND
        "my word" <> 'no'))"""
    )
    frame = box.frame("f")
    table = table_of(frame)
    frame.write({"id": [1]})
    spark.sql(f"INSERT INTO {table} (id) VALUES (2)")
    spark.sql(f"INSERT INTO {table} (id, `my word`) VALUES (3, 'x')")
    expected = [
        {"id": 1, "my word": "it's", "twice": 2},
        {"id": 2, "my word": "it's", "twice": 4},
        {"id": 3, "my word": "x", "twice": 6},
    ]
    check_equal(frame.read(), expected, "apiary")
    check_equal(by_spark(spark, frame), expected, "Spark")
    for values in ("(10, 'x')", "(1, 'no')", "(1, NULL)"):
        with pytest.raises(Exception, match=r"(?i)small"):
            spark.sql(f"INSERT INTO {table} (id, `my word`) VALUES {values}").collect()
    for row in ({"id": [10]}, {"id": [1], "my word": ["no"]}, {"id": [1], "my word": [None]}):
        with pytest.raises(apiary.SchemaError, match="'small'"):
            frame.write(row)
    check_equal(by_spark(spark, frame), expected, "unchanged")


def test_rules_made_there_hold_here(spark: Any, ap: apiary.Apiary, box: apiary.Box) -> None:
    frame = box.create_frame("f", {"id": "int64", "at": "timestamp[us, UTC]"})
    table = table_of(frame)
    spark.sql(
        f"ALTER TABLE {table} ADD CONSTRAINT c CHECK (`id` > 0L AND NOT (id <=> 7) "
        "AND year(at) >= 2000)"
    )
    ap.sql(f"ALTER FRAME {FRAME} DROP CONSTRAINT IF EXISTS missing")
    good = pa.table(
        {
            "id": pa.array([1], pa.int64()),
            "at": pa.array([1_700_000_000_000_000], pa.timestamp("us", "UTC")),
        }
    )
    frame.write(good)
    for bad in (7, 0, None):
        with pytest.raises(apiary.SchemaError, match="'c'"):
            frame.write(good.set_column(0, "id", pa.array([bad], pa.int64())))
    check_equal(by_spark(spark, frame), good.to_pylist(), "Spark")


def test_both_tell_the_same_changes(spark: Any, ap: apiary.Apiary, box: apiary.Box) -> None:
    ap.sql(
        f"""CREATE FRAME {FRAME} (id bigint, word text) TBLPROPERTIES
        ('delta.enableChangeDataFeed' = 'true', 'delta.enableDeletionVectors' = 'true')"""
    )
    frame = box.frame("f")
    table = table_of(frame)
    frame.write({"id": list(range(100)), "word": ["a"] * 100})
    spark.sql(f"DELETE FROM {table} WHERE id % 10 = 3")
    spark.sql(f"UPDATE {table} SET word = 'b' WHERE id = 4")
    spark.sql(f"DELETE FROM {table} WHERE id < 5")
    frame.overwrite({"id": [1], "word": ["z"]})
    theirs = (
        spark.read.format("delta")
        .option("readChangeFeed", "true")
        .option("startingVersion", 1)
        .load(frame.describe()["location"])
        .toArrow()
        .to_pylist()
    )
    ours = ap.sql(f"SHOW CHANGES IN {FRAME} FROM VERSION 1").to_arrow().to_pylist()
    for row in [*ours, *theirs]:
        row["_commit_timestamp"] = int(row["_commit_timestamp"].timestamp())
    assert sorted(ours, key=repr) == sorted(theirs, key=repr)
    assert len(ours) > 100
