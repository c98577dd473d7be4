# SPDX-License-Identifier: Apache-2.0
"""CREATE OR REPLACE FRAME: another definition and other rows in one commit, the past as it was.

Versions are compared with what deltalake reads in the frame's folder and with the rows given.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import apiary
import pytest
from deltalake import DeltaTable

F = "warehouse.sales.orders"


def folder(ap: apiary.Apiary, tmp_path: Path, frame: str = F) -> Path:
    location = {row["property"]: row["value"] for row in ap.sql(f"DESCRIBE {frame}").to_pylist()}
    return tmp_path / "storage" / str(location["location"]).split("storage/")[-1]


def rows(ap: apiary.Apiary, query: str) -> list[dict[str, Any]]:
    return ap.sql(query).to_pylist()


def delta_rows(path: Path, version: int | None = None) -> list[dict[str, Any]]:
    found = DeltaTable(str(path), version=version).to_pyarrow_table().to_pylist()
    return sorted(found, key=lambda row: tuple(map(repr, row.values())))


def test_columns(ap: apiary.Apiary, orders: apiary.Frame, tmp_path: Path) -> None:
    path = folder(ap, tmp_path)
    before = delta_rows(path)
    table_id = DeltaTable(str(path)).metadata().id
    answer = ap.sql(
        f"CREATE OR REPLACE TABLE {F} (name TEXT NOT NULL COMMENT 'who', day DATE, n INT DEFAULT 7)"
        " PARTITIONED BY (day) COMMENT 'new' TBLPROPERTIES ('owner' = 'me')"
    )
    assert answer.to_pylist() == [{"message": f"replaced frame {F}"}]
    assert rows(ap, f"FROM {F}") == []
    ap.sql(f"INSERT INTO {F} (name, day) VALUES ('a', DATE '2026-01-31')")
    assert rows(ap, f"SELECT name, n FROM {F}") == [{"name": "a", "n": 7}]
    assert rows(ap, f"SELECT * FROM {F} AT (VERSION => 1) ORDER BY order_id") == before
    delta = DeltaTable(str(path))
    assert delta.metadata().id == table_id
    assert delta.metadata().partition_columns == ["day"]
    assert delta.metadata().description == "new"
    assert delta.metadata().configuration == {"owner": "me"}
    assert [row["name"] for row in delta_rows(path)] == ["a"]
    assert delta_rows(path, 1) == before
    assert [entry["operation"] for entry in delta.history()] == [
        "WRITE",
        "CREATE OR REPLACE TABLE",
        "WRITE",
        "CREATE TABLE",
    ]
    assert rows(ap, f"CHECK FRAME {F}")[-1]["severity"] == "ok"
    with pytest.raises(apiary.ApiaryError, match="name"):
        ap.sql(f"INSERT INTO {F} VALUES (NULL, DATE '2026-02-01', 1)")


def test_as_select_of_itself(ap: apiary.Apiary, orders: apiary.Frame, tmp_path: Path) -> None:
    path = folder(ap, tmp_path)
    answer = ap.sql(
        f"CREATE OR REPLACE FRAME {F} PARTITIONED BY (customer) COMMENT 'sums'"
        " TBLPROPERTIES ('delta.columnMapping.mode' = 'name')"
        f" AS SELECT customer, sum(amount) AS total FROM {F} GROUP BY ALL"
    )
    assert answer.to_pylist() == [
        {"rows_inserted": 2, "rows_updated": 0, "rows_deleted": 3, "version": 2}
    ]
    expected = [{"customer": "alice", "total": 175.0}, {"customer": "bob", "total": 250.0}]
    assert rows(ap, f"SELECT customer, total FROM {F} ORDER BY 1") == expected
    assert rows(ap, f"SELECT count(*) AS n FROM {F} AT (VERSION => 1)") == [{"n": 3}]
    commit = (path / "_delta_log" / f"{2:020}.json").read_text().splitlines()
    actions = [next(iter(json.loads(line))) for line in commit]
    assert sorted(set(actions)) == ["add", "commitInfo", "metaData", "protocol", "remove"]
    # Columns' ids go on where they were; an old reader of the plain frame sees the past.
    again = ap.sql(
        f"CREATE OR REPLACE FRAME {F} TBLPROPERTIES ('delta.columnMapping.mode' = 'name')"
        f" AS SELECT 1 AS x"
    ).to_pylist()
    assert again[0]["version"] == 3
    metadata = DeltaTable(str(path)).metadata().configuration
    assert int(metadata["delta.columnMapping.maxColumnId"]) == 3
    ap.sql(f"ALTER FRAME {F} RENAME COLUMN x TO y")
    assert rows(ap, f"FROM {F}") == [{"y": 1}]
    assert rows(ap, f"CHECK FRAME {F}")[-1]["severity"] == "ok"


def test_without_a_frame_and_refusals(
    ap: apiary.Apiary, orders: apiary.Frame, tmp_path: Path
) -> None:
    new = "warehouse.sales.fresh"
    ap.sql(f"CREATE OR REPLACE TABLE {new} AS SELECT 1 AS a")
    assert rows(ap, f"FROM {new}") == [{"a": 1}]
    ap.sql(f"CREATE FRAME IF NOT EXISTS {new} AS SELECT 2 AS b")
    assert rows(ap, f"FROM {new}") == [{"a": 1}]
    told = "warehouse.sales.told"
    ap.sql(f"CREATE FRAME {told} COMMENT 'x' TBLPROPERTIES ('k' = 'v') AS SELECT 1 AS a")
    metadata = DeltaTable(str(folder(ap, tmp_path, told))).metadata()
    assert (metadata.description, metadata.configuration) == ("x", {"k": "v"})
    # A query that fails leaves the frame as it was, and so does a definition that is none.
    for statement in (
        f"CREATE OR REPLACE FRAME {F} AS SELECT 1 / nothing AS x",
        f"CREATE OR REPLACE FRAME {F} AS SELECT CAST(customer AS INT) AS x FROM {F}",
        f"CREATE OR REPLACE FRAME {F} (a INT) PARTITIONED BY (a)",
        f"CREATE OR REPLACE FRAME IF NOT EXISTS {F} (a INT)",
        "CREATE OR REPLACE FRAME nowhere.sales.orders (a INT)",
    ):
        with pytest.raises(apiary.ApiaryError):
            ap.sql(statement)
    ap.sql(f"ALTER FRAME {F} SET TBLPROPERTIES ('delta.appendOnly' = 'true')")
    with pytest.raises(apiary.ApiaryError, match="appendOnly"):
        ap.sql(f"CREATE OR REPLACE FRAME {F} (a INT)")
    assert rows(ap, f"SELECT count(*) AS n FROM {F}") == [{"n": 3}]


def test_after_checkpoint_and_again(
    ap: apiary.Apiary, orders: apiary.Frame, tmp_path: Path
) -> None:
    path = folder(ap, tmp_path)
    for i in range(23):
        ap.sql(f"CREATE OR REPLACE FRAME {F} AS SELECT {i} AS c{i % 3}")
    assert rows(ap, f"FROM {F}") == [{"c1": 22}]
    assert delta_rows(path) == [{"c1": 22}]
    for version in (2, 11, 20):
        i = version - 2
        assert rows(ap, f"FROM {F} AT (VERSION => {version})") == [{f"c{i % 3}": i}]
    assert rows(ap, f"CHECK FRAME {F}")[-1]["severity"] == "ok"


def test_concurrency(ap: apiary.Apiary, orders: apiary.Frame, tmp_path: Path) -> None:
    """Readers see a whole version; appends are before a replacement or after it, none is lost."""
    ap.sql(f"CREATE OR REPLACE FRAME {F} AS SELECT 0 AS n, 0 AS generation")
    problems: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            found = rows(ap, f"SELECT count(*) FILTER (n = 0) AS c FROM {F}")
            assert found == [{"c": 1}], found

    def append(worker: int) -> None:
        for i in range(8):
            ap.sql(f"INSERT INTO {F} VALUES ({worker * 100 + i + 1}, -1)")

    def replace(worker: int) -> None:
        for i in range(6):
            ap.sql(
                f"CREATE OR REPLACE FRAME {F} AS SELECT n, {worker * 10 + i} AS generation FROM {F}"
            )

    def guarded(work: Any, *arguments: int) -> None:
        try:
            work(*arguments)
        except BaseException as error:
            problems.append(error)

    reader = threading.Thread(target=guarded, args=(read,))
    writers = [threading.Thread(target=guarded, args=(append, i)) for i in range(2)]
    writers += [threading.Thread(target=guarded, args=(replace, i)) for i in range(2)]
    for thread in [reader, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert problems == []
    expected = sorted([0] + [w * 100 + i + 1 for w in range(2) for i in range(8)])
    assert [row["n"] for row in rows(ap, f"SELECT n FROM {F} ORDER BY n")] == expected
    assert sorted(row["n"] for row in delta_rows(folder(ap, tmp_path))) == expected
