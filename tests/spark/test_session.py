# SPDX-License-Identifier: Apache-2.0
"""The yardstick itself: Spark starts, and writes and reads a Delta table that others read too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import deltalake
import pyarrow.compute as pc


def test_spark_writes_a_delta_table_that_spark_and_delta_rs_read(
    spark: Any, tmp_path: Path
) -> None:
    table = str(tmp_path / "numbers")
    rows = spark.range(100).selectExpr("id", "id % 3 AS part", "CAST(id AS STRING) AS text")
    rows.write.format("delta").partitionBy("part").save(table)
    rows.where("id < 10").write.format("delta").mode("append").save(table)

    counted = spark.read.format("delta").load(table).groupBy("part").count().orderBy("part")
    assert [tuple(row) for row in counted.collect()] == [(0, 38), (1, 36), (2, 36)]
    read = deltalake.DeltaTable(table).to_pyarrow_table()
    assert read.num_rows == 110
    assert pc.sum(read["id"]).as_py() == sum(range(100)) + sum(range(10))


def test_delta_sql_runs(spark: Any, tmp_path: Path) -> None:
    table = f"delta.`{tmp_path / 'numbers'}`"
    spark.sql(f"CREATE TABLE {table} (id BIGINT, part STRING) USING delta PARTITIONED BY (part)")
    spark.sql(f"INSERT INTO {table} VALUES (1, 'a'), (2, 'b'), (3, 'a')")
    spark.sql(f"DELETE FROM {table} WHERE id = 1")
    assert [tuple(r) for r in spark.sql(f"SELECT * FROM {table} ORDER BY id").collect()] == [
        (2, "b"),
        (3, "a"),
    ]
    assert spark.sql(f"DESCRIBE HISTORY {table}").count() == 3
