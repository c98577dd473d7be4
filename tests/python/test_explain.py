# SPDX-License-Identifier: Apache-2.0
"""EXPLAIN says what a query reads and why, EXPLAIN ANALYZE what it did.

Method: the numbers are held against what is counted otherwise: the cells of the Delta log, the rows
of the answer, what APIARY_TIMING says was read.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import apiary
import duckdb
import pyarrow as pa
import pytest


@pytest.fixture
def sales(ap: apiary.Apiary) -> apiary.Apiary:
    """facts: ten cells of 100 ids; regions: one cell for each of three partitions."""
    box = ap.create_hive("h").create_box("b")
    facts = box.create_frame("facts", {"id": "int64", "region": "string"})
    for cell in range(10):
        ids = range(100 * cell, 100 * (cell + 1))
        facts.write({"id": list(ids), "region": [f"r{i % 3}" for i in ids]})
    regions = box.create_frame(
        "regions", {"region": "string", "land": "string"}, partition_by=["land"]
    )
    regions.write({"region": ["r0", "r1", "r2"], "land": ["a", "b", "c"]})
    ap.sql("USE h.b")
    return ap


def explained(ap: apiary.Apiary, query: str, analyze: bool = False, *given: Any) -> dict[str, Any]:
    options = "(ANALYZE, FORMAT JSON)" if analyze else "(FORMAT JSON)"
    table = pa.table(ap.sql(f"EXPLAIN {options} {query}", list(given) or None))
    assert table.schema.names == ["plan"]
    assert table.num_rows == 1
    plan: dict[str, Any] = json.loads(table["plan"][0].as_py())
    return plan


def lines(ap: apiary.Apiary, query: str) -> list[str]:
    table = pa.table(ap.sql(query))
    assert table.schema.names == ["plan"]
    return [str(line) for line in table["plan"].to_pylist()]


def operators(plan: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [found for one in plan for found in [one, *operators(one["children"])]]


JOIN = (
    "SELECT land, count(*) FROM facts JOIN regions USING (region)"
    " WHERE id BETWEEN 150 AND 250 AND land < 'c' GROUP BY land"
)


def test_json_tells_of_frames_operators_and_phases(sales: apiary.Apiary) -> None:
    plan = explained(sales, JOIN)
    assert list(plan) == [
        "kind",
        "reason",
        "analyzed",
        "bees",
        "memory_budget_bytes",
        "frames",
        "operators",
        "phases_us",
    ]
    assert plan["kind"] == "local"
    assert plan["analyzed"] is False
    facts, regions = sorted(plan["frames"], key=lambda frame: str(frame["frame"]))
    assert facts["frame"] == "facts"
    assert facts["version"] == 10
    assert (facts["cells"], facts["cells_kept"]) == (10, 2)
    assert facts["cells_pruned"] == {"by_partition": 0, "by_statistics": 8, "by_keys": 0}
    assert facts["rows_kept"] == 200
    assert 0 < facts["bytes_kept"] < facts["bytes"]
    assert (regions["partitions"], regions["partitions_kept"]) == (3, 2)
    assert regions["cells_pruned"] == {"by_partition": 1, "by_statistics": 0, "by_keys": 0}
    assert any("join" in one["name"] for one in operators(plan["operators"]))
    assert all("rows" not in one for one in operators(plan["operators"]))
    assert list(plan["phases_us"]) == ["parse", "discover", "plan", "bind"]


def test_analyze_counts_what_the_query_did(sales: apiary.Apiary) -> None:
    answer = pa.table(sales.sql(JOIN))
    plan = explained(sales, JOIN, True)
    assert plan["analyzed"] is True
    assert plan["totals"]["rows"] == answer.num_rows == 2
    assert plan["totals"]["peak_memory_bytes"] > 0
    assert plan["totals"]["spill_bytes"] == 0
    found = operators(plan["operators"])
    assert found[0]["rows"] == answer.num_rows
    assert all(one["seconds"] >= 0 for one in found)
    scans = {one["rows"] for one in found if "parquet" in one["name"]}
    assert scans == {101, 2}
    assert plan["phases_us"]["execute"] > 0
    assert any("region" in one["detail"] for one in found)


def test_analyze_tells_what_was_granted_and_what_it_took(sales: apiary.Apiary) -> None:
    sales.sql("SET memory_limit = '100MiB'; SET threads = 1")
    many = (
        "SELECT count(*) FROM (SELECT i % 3000000 AS k, count(*) AS n, min(i) AS m "
        "FROM range(6000000) AS r(i) GROUP BY k)"
    )
    totals = explained(sales, many, True)["totals"]
    assert totals["bees_granted"] == 1
    assert totals["memory_granted_bytes"] == 100 << 20
    assert totals["peak_memory_bytes"] > 50 << 20  # the engine counts what it is about to evict
    assert totals["spill_bytes"] > 0
    lines = [line for (line,) in sales.sql("EXPLAIN ANALYZE " + many).fetchall()]
    assert lines[1].endswith("; granted: 1 bee, 104.9 MB")
    assert "peak memory" in lines[-1] and ", spilled " in lines[-1]
    assert not lines[-1].endswith("spilled 0 bytes")
    plain = [line for (line,) in sales.sql("EXPLAIN " + many).fetchall()]
    assert "granted" not in plain[1]


def test_the_cells_kept_are_those_that_are_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APIARY_TIMING", "1")
    with apiary.Apiary("timed", tmp_path / "timed") as ap:
        frame = ap.create_hive("h").create_box("b").create_frame("f", {"id": "int64"})
        for cell in range(6):
            frame.write({"id": [10 * cell, 10 * cell + 9]})
        query = "SELECT id FROM h.b.f WHERE id > 35"
        plan = explained(ap, query, True)
        capfd.readouterr()
        assert pa.table(ap.sql(query)).num_rows == plan["totals"]["rows"] == 5
    read = re.findall(r"cells (\d+) of (\d+)", capfd.readouterr().err)
    assert read == [(str(plan["frames"][0]["cells_kept"]), str(plan["frames"][0]["cells"]))]


def test_parameters_prune_what_is_explained(sales: apiary.Apiary) -> None:
    for analyze in (False, True):
        plan = explained(sales, "SELECT * FROM facts WHERE id = $1", analyze, 150)
        assert plan["frames"][0]["cells_kept"] == 1


def test_the_past_and_the_present_of_a_frame_are_two(sales: apiary.Apiary) -> None:
    plan = explained(
        sales,
        "SELECT * FROM facts AS n ANTI JOIN facts AS o AT (VERSION => 3) USING (id)"
        " WHERE n.id < 100",
    )
    assert {frame["version"]: frame["cells_kept"] for frame in plan["frames"]} == {10: 1, 3: 3}


def test_what_the_ledger_answers_reads_nothing(sales: apiary.Apiary) -> None:
    plan = explained(sales, "SELECT count(*), max(id) FROM facts", True)
    assert plan["frames"][0]["from_ledger"] is True
    assert plan["frames"][0]["cells_kept"] == 0
    assert plan["totals"]["rows"] == 1
    text = lines(sales, "EXPLAIN SELECT count(*) FROM facts")
    assert "  cells       0 of 10 (answered from the ledger's statistics)" in text


def test_text_is_a_tree(sales: apiary.Apiary) -> None:
    text = lines(sales, "EXPLAIN " + JOIN)
    assert text[0].startswith("local: ")
    assert "frame h.b.facts, version 10" in text
    assert "  cells       2 of 10 (pruned: 8 by statistics)" in text
    assert "  partitions  2 of 3" in text
    assert any("└─ " in line for line in text)
    assert all(len(line) <= 100 for line in text)
    assert any(line.startswith("milliseconds: parse ") for line in text)
    analyzed = lines(sales, "EXPLAIN ANALYZE " + JOIN)
    assert re.match(r"answer: 2 rows, peak memory .+, spilled 0 bytes$", analyzed[-1])
    heads = [line for line in analyzed if line.startswith("operators")]
    assert len(heads) == 1
    assert heads[0].split() == ["operators", "estimated", "rows", "time"]


def test_frames_without_conditions_say_so(sales: apiary.Apiary) -> None:
    assert "  cells       10 of 10 (no condition on it)" in lines(sales, "EXPLAIN FROM facts")
    condition = lines(sales, "EXPLAIN SELECT * FROM facts WHERE id >= 0")
    assert "  cells       10 of 10 (its condition rules out none)" in condition


def test_queries_without_frames_and_pivots_are_explained(sales: apiary.Apiary) -> None:
    assert explained(sales, "SELECT 42", True)["totals"]["rows"] == 1
    pivot = "PIVOT (SELECT id % 2 AS k, region FROM facts) ON region IN ('r0', 'r1') USING count(*)"
    assert explained(sales, pivot)["frames"][0]["cells_kept"] == 10


def test_the_engine_shows_its_own_plan(sales: apiary.Apiary) -> None:
    table = pa.table(sales.sql("EXPLAIN (FORMAT ENGINE) SELECT * FROM facts"))
    assert table.schema.names == ["explain_key", "explain_value"]


def test_what_cannot_run_cannot_be_explained(sales: apiary.Apiary) -> None:
    with pytest.raises(apiary.errors.NotFound, match="nope"):
        sales.sql("EXPLAIN SELECT * FROM h.b.nope")
    with pytest.raises(apiary.SqlError, match="no_column"):
        sales.sql("EXPLAIN ANALYZE SELECT no_column FROM facts")
    with pytest.raises(apiary.SqlError, match="Could not convert"):
        sales.sql("EXPLAIN ANALYZE SELECT region::INTEGER FROM facts")
    with pytest.raises(apiary.errors.SqlSyntaxError, match="TEXT, JSON or ENGINE"):
        sales.sql("EXPLAIN (FORMAT yaml) SELECT 1")
    assert pa.table(sales.sql("SELECT count(*) AS n FROM facts")).to_pylist() == [{"n": 1000}]


def test_a_plan_is_shown_whole(sales: apiary.Apiary) -> None:
    query = " UNION ALL ".join(f"SELECT id, region FROM facts WHERE id > {n}" for n in range(12))
    plan = sales.sql(f"EXPLAIN {query}")
    lines = plan["plan"]
    assert len(lines) > 20
    assert max(map(len, lines)) > 48
    assert [line.rstrip() for line in repr(plan).splitlines()[3:-1]] == [x.rstrip() for x in lines]
    assert repr(plan).endswith(f"({len(lines)} rows)")
    assert plan._repr_html_().count("<td><pre>") == len(lines)
    assert "(30 rows, 20 shown)" in repr(sales.sql("SELECT range AS plan FROM range(30)"))


# ---- statements that change rows -----------------------------------------------------------------


def log_of(ap: apiary.Apiary, frame: str, kind: str) -> list[dict[str, Any]]:
    """The actions of one kind in the newest commit."""
    described = ap.get_frame("h", "b", frame)
    name = f"{described['version']:020}.json"
    text = (Path(described["location"]) / "_delta_log" / name).read_text(encoding="utf-8")
    return [line[kind] for line in map(json.loads, text.splitlines()) if kind in line]


CHANGES = [
    ("UPDATE facts SET region = 'x' WHERE id < 150", "UPDATE", "rewrite cells", 2),
    ("DELETE FROM facts WHERE id BETWEEN 350 AND 360", "DELETE", "rewrite cells", 1),
    ("WITH w AS (SELECT 5 AS k) DELETE FROM facts USING w WHERE id = k", "DELETE", "rewrite", 10),
    ("INSERT INTO facts SELECT id + 5000, 'n' FROM facts WHERE id >= 900", "INSERT", "append", 1),
    ("DELETE FROM facts", "DELETE", "remove all cells", None),
    ("TRUNCATE facts", "TRUNCATE", "remove all cells", None),
]


@pytest.mark.parametrize(("statement", "name", "method", "cells"), CHANGES)
def test_a_change_is_explained_and_not_made(
    sales: apiary.Apiary, statement: str, name: str, method: str, cells: int | None
) -> None:
    before = sales.sql("SELECT * FROM facts ORDER BY id").fetchall()
    version = sales.get_frame("h", "b", "facts")["version"]
    plan = explained(sales, statement)
    assert plan["change"]["statement"] == name and plan["change"]["frame"] == "facts"
    assert plan["change"]["method"].startswith(method) and plan["change"]["reason"]
    assert plan["change"]["version"] == version and not plan["analyzed"]
    assert "rows_updated" not in plan["change"]
    assert [f["cells_kept"] for f in plan["frames"]] == ([] if cells is None else [cells])
    text = lines(sales, f"EXPLAIN {statement}")
    assert f"change: {name} of frame h.b.facts" in text
    assert sales.sql("SELECT * FROM facts ORDER BY id").fetchall() == before
    assert sales.get_frame("h", "b", "facts")["version"] == version


@pytest.mark.parametrize("vectors", [False, True])
@pytest.mark.parametrize(("statement", "name", "method", "cells"), CHANGES)
def test_an_analyzed_change_is_made_and_told(
    sales: apiary.Apiary, statement: str, name: str, method: str, cells: int | None, vectors: bool
) -> None:
    if vectors:
        sales.sql("ALTER FRAME facts SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    plain = duckdb.connect()
    plain.register("given", sales.sql("SELECT id, region FROM facts").to_arrow())
    plain.execute("CREATE TABLE facts AS FROM given")
    told = explained(sales, statement, True)["change"]
    plain.execute(statement)
    order = "SELECT id, region FROM facts ORDER BY id"
    assert sales.sql(order).fetchall() == plain.execute(order).fetchall()
    assert told["version"] == sales.get_frame("h", "b", "facts")["version"]
    adds, removes = log_of(sales, "facts", "add"), log_of(sales, "facts", "remove")
    marked = [a for a in adds if a.get("deletionVector")]
    assert told["cells_marked"] == len(marked)
    assert told["cells_added"] == len(adds) - len(marked)
    assert told["cells_removed"] == len(removes) - len(marked)
    assert told["bytes_added"] == sum(a["size"] for a in adds if a not in marked)
    changed = told["rows_inserted"] + told["rows_updated"] + told["rows_deleted"]
    assert changed > 0 and told["rows_updated"] == (150 if name == "UPDATE" else 0)


def test_a_merge_is_explained(sales: apiary.Apiary) -> None:
    merge = """MERGE INTO facts USING (VALUES (5, 'x'), (5000, 'y')) AS s(id, region)
        ON facts.id = s.id WHEN MATCHED THEN UPDATE SET region = s.region
        WHEN NOT MATCHED THEN INSERT *"""
    text = lines(sales, f"EXPLAIN ANALYZE {merge}")
    assert "  rows        1 inserted, 1 updated, 0 deleted, 99 copied" in text
    assert "  cells       1 removed, 0 marked, 1 added" in [line.split(" (")[0] for line in text]
    assert sales.sql("SELECT region FROM facts WHERE id IN (5, 5000) ORDER BY id").fetchall() == [
        ("x",),
        ("y",),
    ]


def test_changes_that_cannot_be_explained(sales: apiary.Apiary) -> None:
    with pytest.raises(apiary.SqlError, match=r"no_column(.|\n)*LINE 1: no_column"):
        sales.sql("EXPLAIN UPDATE facts SET region = no_column")
    with pytest.raises(apiary.Unsupported, match="FORMAT ENGINE"):
        sales.sql("EXPLAIN (FORMAT ENGINE) DELETE FROM facts WHERE id = 1")
    with pytest.raises(apiary.Unsupported):
        sales.sql("EXPLAIN DROP FRAME facts")
    sales.sql("BEGIN")
    plan = explained(sales, "UPDATE facts SET region = 'z' WHERE id = 1", True)
    assert "version" not in plan["change"] and plan["change"]["rows_updated"] == 1
    sales.sql("ROLLBACK")
    assert sales.sql("SELECT count(*) FROM facts WHERE region = 'z'").fetchall() == [(0,)]
