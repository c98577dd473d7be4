# SPDX-License-Identifier: Apache-2.0
"""Names, conditions and leftovers: answers must not depend on what ran before in this process."""

from __future__ import annotations

from pathlib import Path

import apiary
import pytest


def make(ap: apiary.Apiary, hive: str, box: str, frame: str, values: list[int]) -> None:
    """A frame with one column `a`; hive and box are made where they are missing."""
    if hive not in ap.list_hives():
        ap.create_hive(hive)
    if box not in ap.list_boxes(hive):
        ap.create_box(hive, box)
    ap.create_frame(hive, box, frame, {"a": "int64"})
    ap.write_to_frame(hive, box, frame, {"a": values})


def numbers(ap: apiary.Apiary, query: str) -> list[int]:
    return sorted(row["a"] for row in ap.sql(query).to_arrow().to_pylist())


def plan(ap: apiary.Apiary, query: str) -> str:
    return str(ap.sql("EXPLAIN (FORMAT ENGINE) " + query).to_arrow().to_pylist())


def test_a_short_name_finds_nothing_that_another_query_bound(ap: apiary.Apiary) -> None:
    make(ap, "h", "main", "t", [1])
    make(ap, "ap", "main", "u", [2])
    assert numbers(ap, "SELECT * FROM h.main.t, ap.main.u AS x(b)") == [1]
    assert numbers(ap, "SELECT * FROM ap.main.u") == [2]
    for query in ("SELECT * FROM h.t", "SELECT * FROM t", "SELECT * FROM u", "SELECT * FROM ap.u"):
        with pytest.raises(apiary.errors.NotFound):
            ap.sql(query).to_arrow()
    ap.sql("USE HIVE h")
    for query in ("SELECT * FROM t", "SELECT t.a FROM h.main.t, t"):
        with pytest.raises(apiary.errors.NotFound, match="no box"):
            ap.sql(query).to_arrow()


def test_a_dropped_frame_is_gone_by_every_spelling(ap: apiary.Apiary) -> None:
    make(ap, "h", "b", "t", [1])
    ap.sql("USE h.b")
    assert numbers(ap, "SELECT * FROM T") == [1]
    ap.drop_frame("h", "b", "t")
    for query in ("SELECT * FROM T", "SELECT * FROM t", "SELECT * FROM B.T"):
        with pytest.raises(apiary.errors.NotFound):
            ap.sql(query).to_arrow()


def test_a_name_that_comes_back_in_another_case_is_read_anew(ap: apiary.Apiary) -> None:
    make(ap, "h", "b", "t", [1])
    assert numbers(ap, "SELECT * FROM h.b.t") == [1]
    ap.rename_frame("h", "b", "t", "T")
    ap.write_to_frame("h", "b", "T", {"a": [2]})
    assert numbers(ap, "SELECT * FROM h.b.t") == [1, 2]
    ap.rename_frame("h", "b", "T", "t")
    assert numbers(ap, "SELECT * FROM h.b.t") == [1, 2]
    ap.drop_frame("h", "b", "t")
    make(ap, "h", "b", "T", [7])
    assert numbers(ap, "SELECT * FROM h.b.t") == [7]


def test_a_box_may_be_called_like_a_hive(ap: apiary.Apiary) -> None:
    make(ap, "sales", "sales", "orders", [1])
    make(ap, "h", "sales", "orders", [2])
    make(ap, "h", "b", "t", [3])
    for use, expected in (("h", 2), ("h.b", 2), ("sales", 1), ("sales.sales", 1)):
        ap.sql(f"USE {use}")
        for query in (
            "SELECT * FROM sales.orders",
            "SELECT sales.orders.a FROM sales.orders",
            "WITH sales AS (SELECT 9 AS z) SELECT orders.a FROM sales, sales.orders",
            "SELECT x.a FROM sales.orders AS x",
        ):
            assert numbers(ap, query) == [expected], (use, query)
        assert "READ_PARQUET" in plan(ap, "SELECT * FROM sales.orders")


@pytest.mark.parametrize(
    "source",
    [
        "query('SELECT * FROM h.b.t')",
        "query_table('h.b.t')",
        "json_execute_serialized_sql(json_serialize_sql('SELECT * FROM h.b.t'))",
    ],
)
def test_tables_that_only_a_text_names_are_refused(ap: apiary.Apiary, source: str) -> None:
    make(ap, "h", "b", "t", [1])
    ap.sql("SELECT * FROM h.b.t").to_arrow()
    with pytest.raises(apiary.errors.Unsupported):
        ap.sql(f"SELECT * FROM {source}").to_arrow()


def test_what_is_wrong_with_a_version_is_said(ap: apiary.Apiary) -> None:
    make(ap, "h", "b", "t", [1])
    for wrong in ("1.5", "'x'", "0 + 0.5"):
        with pytest.raises(apiary.errors.InvalidArgument, match="no whole number"):
            ap.sql(f"SELECT * FROM h.b.t AT (VERSION => {wrong})").to_arrow()
    assert "EMPTY" in plan(ap, "SELECT * FROM h.b.t AT (VERSION => 0)")


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "1 = 1; DROP FRAME h.b.t",
        "a = 1) OR (1 = 1",
        "a = 1 LIMIT 1",
        "a = 1 ORDER BY a",
        "a > 1 GROUP BY a",
        "a = 1 UNION ALL SELECT 99",
        "false -- \r) UNION ALL (SELECT 99",
    ],
)
def test_a_filter_stays_one_condition(ap: apiary.Apiary, condition: str) -> None:
    make(ap, "h", "b", "t", [1, 2])
    with pytest.raises(apiary.errors.SqlError):
        ap.read_from_frame("h", "b", "t", condition)
    with pytest.raises(apiary.errors.ApiaryError):
        ap.overwrite_frame("h", "b", "t", {"a": [5]}, condition)
    assert numbers(ap, "SELECT * FROM h.b.t") == [1, 2]


def test_a_filter_may_end_in_a_comment(ap: apiary.Apiary) -> None:
    make(ap, "h", "b", "t", [1, 2])
    assert ap.read_from_frame("h", "b", "t", "a = 1 -- one").to_pylist() == [{"a": 1}]
    assert ap.read_from_frame("h", "b", "t", "a = 1 OR a = 2").num_rows == 2


@pytest.mark.parametrize("name", ["data[1]", "q?", "s*", "{a,b}", "it's"])
def test_a_file_whose_name_looks_like_a_pattern_is_read_itself(
    ap: apiary.Apiary, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for other in ("data1", "qx", "sx", "a", name):
        (folder / f"{other}.csv").write_text(f"a\n{1 if other == name else 1000}\n")
    ap.import_files("h", "b", "one", [str(folder / f"{name}.csv")])
    assert numbers(ap, "SELECT * FROM h.b.one") == [1]
    ap.import_files("h", "b", "all", [str(folder)])
    assert numbers(ap, "SELECT * FROM h.b.all") == [1, 1000, 1000, 1000, 1000]


@pytest.mark.parametrize("condition", ["", " ", "-- all"])
def test_an_empty_condition_does_not_replace_everything(ap: apiary.Apiary, condition: str) -> None:
    make(ap, "h", "b", "t", [1, 2])
    with pytest.raises(apiary.ApiaryError, match="empty"):
        ap.overwrite_frame("h", "b", "t", {"a": [5]}, condition)
    with pytest.raises(apiary.InvalidArgument, match="app_id"):
        ap.write_to_frame("h", "b", "t", {"a": [5]}, app_id="", app_version=1)
    assert numbers(ap, "SELECT * FROM h.b.t") == [1, 2]
