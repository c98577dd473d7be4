# SPDX-License-Identifier: Apache-2.0
"""A Spark session with Delta for the interoperation tests, as `make spark-deps` fetched it.

Spark runs in this process's own JVM with two cores and one gigabyte, without its web pages, on
loopback, with its jars by path: it resolves nothing from anywhere. Spark comes as unpacked files
below build/deps/spark rather than as an installed package, so nothing else imports it by accident.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SPARK = Path(__file__).resolve().parents[2] / "build" / "deps" / "spark"
JARS = ("delta/delta-spark.jar", "delta/delta-storage.jar")
SETTINGS = {
    "spark.driver.memory": "1g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.default.parallelism": "2",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # Delta keeps a table's state in that many partitions; its 50 cost seconds for each small table.
    "spark.databricks.delta.snapshotPartitions": "2",
    # A test must see what stands in the log now, not what Spark remembers of it.
    "spark.databricks.delta.stalenessLimit": "0",
}
# Keep the compiler of the JVM from spending more than these short programs run.
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Duser.timezone=UTC"


def start(folder: Path) -> Any:
    """Start Spark with its scratch files, warehouse and metastore below a folder."""
    os.environ["SPARK_HOME"] = str(SPARK / "home")
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    sys.path[:0] = [str(SPARK / "python"), str(SPARK / "python" / "py4j.zip")]
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("apiary-tests")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    places = {
        "spark.jars": ",".join(str(SPARK / jar) for jar in JARS),
        "spark.local.dir": str(folder / "scratch"),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.driver.extraJavaOptions": f"{JAVA_OPTIONS} -Dderby.system.home={folder}",
    }
    for name, value in places.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The one session of the run; starting it takes some seconds."""
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    if not (SPARK / "home").exists():
        pytest.fail(f"no Spark in {SPARK}: run 'make spark-deps'")
    session = start(tmp_path_factory.mktemp("spark"))
    yield session
    session.stop()
