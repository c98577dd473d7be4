# SPDX-License-Identifier: Apache-2.0
"""OPTIMIZE, VACUUM, CHECK, ANALYZE: the same rows afterwards, for others too; damage is found.

Rows are compared with what deltalake and plain DuckDB read from the same folder.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import apiary
import deltalake
import duckdb
import pyarrow as pa
import pytest

DAY = 86400


def folder_of(ap: apiary.Apiary, name: str = "t") -> Path:
    return Path(ap.get_frame("warehouse", "sales", name)["location"])


def cells_of(ap: apiary.Apiary, name: str = "t") -> list[str]:
    return sorted(deltalake.DeltaTable(str(folder_of(ap, name))).file_uris())


def only(result: apiary.Result) -> dict[str, Any]:
    (row,) = result.to_pylist()
    return row


def make(box: apiary.Box, partitioned: bool = False, commits: int = 8) -> apiary.Frame:
    schema = {"id": "int64", "x": "int64", "y": "int64", "w": "string", "p": "string not null"}
    frame = box.create_frame("t", schema, partition_by=["p"] if partitioned else None)
    for first in range(0, commits * 1000, 1000):
        ids = range(first, first + 1000)
        frame.write(
            pa.table(
                {
                    "id": ids,
                    "x": [i * 7919 % 10007 for i in ids],
                    "y": [i * 104729 % 10009 for i in ids],
                    "w": [None if i % 10 == 0 else f"w{i % 97}" for i in ids],
                    "p": [("a", "b/=c")[i % 2] for i in ids],
                }
            )
        )
    return frame


def everything(ap: apiary.Apiary) -> list[tuple[Any, ...]]:
    ours = ap.sql("SELECT * FROM warehouse.sales.t ORDER BY ALL").fetchall()
    delta = duckdb.from_arrow(deltalake.DeltaTable(str(folder_of(ap))).to_pyarrow_table())
    theirs = delta.project("id, x, y, w, p").order("ALL").fetchall()
    assert ours == theirs
    return ours


# ---- OPTIMIZE ------------------------------------------------------------------------------------


@pytest.mark.parametrize("partitioned", [False, True])
def test_optimize_joins_cells(ap: apiary.Apiary, box: apiary.Box, partitioned: bool) -> None:
    make(box, partitioned)
    before = everything(ap)
    done = only(ap.sql("OPTIMIZE warehouse.sales.t"))
    assert done["cells_removed"] == (16 if partitioned else 8)
    assert done["cells_written"] == (2 if partitioned else 1)
    assert done["rows_moved"] == 8000
    assert everything(ap) == before
    assert len(cells_of(ap)) == done["cells_written"]
    # what is in order already stays as it is
    again = only(ap.sql("OPTIMIZE FRAME warehouse.sales.t"))
    assert (again["version"], again["cells_removed"]) == (done["version"], 0)
    # the past is still there
    past = ap.sql("SELECT count(*) FROM warehouse.sales.t AT (VERSION => 3)")
    assert past.fetchall() == [(3000,)]


def test_optimize_changes_no_data(ap: apiary.Apiary, box: apiary.Box) -> None:
    frame = make(box)
    ap.sql("OPTIMIZE warehouse.sales.t")
    newest = sorted((folder_of(ap) / "_delta_log").glob("*.json"))[-1]
    actions = [json.loads(line) for line in newest.read_text(encoding="utf-8").splitlines()]
    files = [a.get("add") or a.get("remove") for a in actions if "add" in a or "remove" in a]
    assert files and all(file["dataChange"] is False for file in files)
    entry = frame.history(1)[0]
    assert entry["operation"] == "OPTIMIZE"
    assert entry["metrics"]["numRemovedFiles"] == "8"


def test_optimize_one_partition(ap: apiary.Apiary, box: apiary.Box) -> None:
    make(box, partitioned=True)
    before = everything(ap)
    done = only(ap.sql("OPTIMIZE warehouse.sales.t WHERE p = 'a'"))
    assert (done["cells_removed"], done["cells_written"]) == (8, 1)
    assert everything(ap) == before
    with pytest.raises(apiary.ApiaryError, match="id"):
        ap.sql("OPTIMIZE warehouse.sales.t WHERE id > 3")


def cell_bounds(ap: apiary.Apiary) -> list[dict[str, Any]]:
    actions = deltalake.DeltaTable(str(folder_of(ap))).get_add_actions(flatten=True)
    return pa.table(actions).to_pylist()


def test_zorder_narrows_bounds(tmp_path: Path) -> None:
    # bees of 128 MiB: cells of 32 MiB
    with apiary.Apiary("z", tmp_path / "z", memory="256MiB", bees=2) as ap:
        ap.create_hive("warehouse").create_box("sales").create_frame(
            "t", {"id": "int64", "x": "int64", "y": "string", "pad": "string"}
        )
        rows = duckdb.sql(
            "SELECT range AS id, hash(range) % 100000 AS x, "
            "CASE WHEN range % 50 = 0 THEN NULL ELSE 'k' || (hash(range + 1) % 90000) END AS y, "
            "sha256(range::VARCHAR) || sha256('a' || range) || sha256('b' || range) AS pad "
            "FROM range(400000)"
        ).to_arrow_table()
        rows = rows.set_column(1, "x", rows["x"].cast(pa.int64()))
        ap.write_to_frame("warehouse", "sales", "t", rows)
        done = only(ap.sql("OPTIMIZE warehouse.sales.t ZORDER BY (x, y)"))
        assert done["rows_moved"] == 400000 and done["cells_written"] >= 2
        delta = duckdb.from_arrow(deltalake.DeltaTable(str(folder_of(ap))).to_pyarrow_table())
        totals = delta.aggregate("count(*), sum(id), count(y)").fetchall()
        assert totals == [(400000, 400000 * 399999 // 2, 392000)]
        bounds = cell_bounds(ap)
        # the first bit of the order is x's: some cell holds one half of x alone
        assert any(b["max.x"] < 52000 or b["min.x"] > 48000 for b in bounds), bounds
        ap.sql("OPTIMIZE warehouse.sales.t ZORDER BY x")
        ordered = sorted((b["min.x"], b["max.x"]) for b in cell_bounds(ap))
        assert all(left[1] <= right[0] for left, right in zip(ordered, ordered[1:]))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("OPTIMIZE warehouse.sales.t ZORDER BY (p)", "partitioned by that column"),
        ("OPTIMIZE warehouse.sales.t ZORDER BY (nothing)", "no column 'nothing'"),
        ("OPTIMIZE warehouse.sales.t ZORDER (x)", "BY behind ZORDER"),
        ("OPTIMIZE warehouse.sales.t ZORDER BY (x", ", or )"),
        ("OPTIMIZE warehouse.sales.nothing", "nothing"),
        ("OPTIMIZE", "the name of a frame"),
        ("VACUUM warehouse.sales.t RETAIN soon", "a whole number"),
        ("VACUUM warehouse.sales.t RETAIN 3 WEEKS", "HOURS, DAYS or MINUTES"),
        ("VACUUM warehouse.sales.t RETAIN 9223372036854775807 DAYS", "too long"),
        ("VACUUM warehouse.sales.t DRY", "RUN behind DRY"),
        ("VACUUM warehouse.sales.t RETAIN 1 HOURS", "delta.deletedFileRetentionDuration"),
        ("CHECK FRAME warehouse.sales.t SLOWLY", "QUICK"),
        ("ANALYZE warehouse.sales.t ALL", "the end of the statement"),
    ],
)
def test_refusals(ap: apiary.Apiary, box: apiary.Box, text: str, says: str) -> None:
    make(box, partitioned=True, commits=1)
    with pytest.raises(apiary.ApiaryError) as caught:
        ap.sql(text)
    assert says in str(caught.value)


# ---- VACUUM --------------------------------------------------------------------------------------


def age(folder: Path, days: float) -> None:
    """Make every file look that old, but for the log."""
    then = time.time() - days * DAY
    for path in folder.rglob("*"):
        if path.is_file() and "_delta_log" not in path.parts:
            os.utime(path, (then, then))


def rewrite_log(folder: Path, days: float) -> None:
    """Make the removals look that old."""
    for path in (folder / "_delta_log").glob("*.json"):
        actions = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for action in actions:
            if "remove" in action:
                action["remove"]["deletionTimestamp"] -= int(days * DAY * 1000)
        path.write_text("".join(json.dumps(a) + "\n" for a in actions), encoding="utf-8")


def test_vacuum(tmp_path: Path) -> None:
    with apiary.Apiary("v", tmp_path / "v") as ap:
        box = ap.create_hive("warehouse").create_box("sales")
        make(box)
        before = everything(ap)
        ap.sql("OPTIMIZE warehouse.sales.t")
        folder = folder_of(ap)
        # removed just now: everything stays
        assert only(ap.sql("VACUUM warehouse.sales.t"))["files_removed"] == 0
    age(folder, 9)
    (folder / "stray.parquet").write_bytes(b"nobody's")
    (folder / "_hidden.parquet").write_bytes(b"mine")
    (folder / "sub").mkdir()
    (folder / "sub" / "old.parquet").write_bytes(b"old")
    os.utime(folder / "_hidden.parquet", (1, 1))
    os.utime(folder / "sub" / "old.parquet", (1, 1))
    rewrite_log(folder, 8)
    with apiary.Apiary("v", tmp_path / "v") as ap:
        listed = ap.sql("VACUUM warehouse.sales.t DRY RUN").to_pylist()
        assert len(listed) == 9 and "sub/old.parquet" in [row["path"] for row in listed]
        assert len(list(folder.rglob("*.parquet"))) == 12  # nothing gone yet
        # longer than the snapshot remembers: told by the commits
        kept = ap.sql("VACUUM warehouse.sales.t RETAIN 20 DAYS DRY RUN").to_pylist()
        assert [row["path"] for row in kept] == ["sub/old.parquet"]
        done = only(ap.sql("VACUUM warehouse.sales.t RETAIN 7 DAYS"))
        assert done["files_removed"] == 9
        assert done["bytes_removed"] == sum(row["size_bytes"] for row in listed)
        left = {path.name for path in folder.rglob("*.parquet")}
        assert {"stray.parquet", "_hidden.parquet"} < left and len(left) == 3
        assert everything(ap) == before
        with pytest.raises(apiary.ApiaryError):
            ap.sql("SELECT sum(x) FROM warehouse.sales.t AT (VERSION => 3)")
        assert ap.sql("SELECT sum(x) FROM warehouse.sales.t").fetchall()


def test_vacuum_removes_what_deltalake_would(tmp_path: Path) -> None:
    with apiary.Apiary("v", tmp_path / "v") as ap:
        make(ap.create_hive("warehouse").create_box("sales"), partitioned=True)
        folder = folder_of(ap)
        table = deltalake.DeltaTable(str(folder))
        table.delete("x % 5 = 0")
        table.optimize.compact()
    age(folder, 10)
    rewrite_log(folder, 10)
    theirs = deltalake.DeltaTable(str(folder)).vacuum(retention_hours=168, dry_run=True)
    with apiary.Apiary("v", tmp_path / "v") as ap:
        ours = [r["path"] for r in ap.sql("VACUUM warehouse.sales.t DRY RUN").to_pylist()]
        assert len(ours) >= 16
        assert sorted(ours) == sorted(theirs)


# ---- CHECK ---------------------------------------------------------------------------------------


def findings(ap: apiary.Apiary, tail: str = "") -> list[dict[str, Any]]:
    return ap.sql(f"CHECK FRAME warehouse.sales.t {tail}").to_pylist()


def test_check_of_times(ap: apiary.Apiary, box: apiary.Box) -> None:
    ap.sql("CREATE FRAME warehouse.sales.t (id BIGINT, at TIME, part TIME) PARTITIONED BY (part)")
    ap.sql(
        "INSERT INTO warehouse.sales.t VALUES (1, '00:00:00', '12:30:00'), "
        "(2, '23:59:59.999999', '12:30:00'), (3, NULL, '00:00:00')"
    )
    assert [row["severity"] for row in findings(ap)] == ["ok"]


def test_check_of_a_sound_frame(ap: apiary.Apiary, box: apiary.Box) -> None:
    make(box, partitioned=True)
    box.frame("t").checkpoint()
    table = deltalake.DeltaTable(str(folder_of(ap)))
    table.delete("x % 3 = 0")
    for tail in ("", "QUICK"):
        (row,) = findings(ap, tail)
        assert row["severity"] == "ok", row
    assert "5333 rows read" in findings(ap)[0]["finding"]


def edit_add(folder: Path, change: Any) -> None:
    """Change the first add action of version 1."""
    path = folder / "_delta_log" / f"{1:020}.json"
    actions = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    add = next(action["add"] for action in actions if "add" in action)
    statistics = json.loads(add["stats"])
    change(add, statistics)
    add["stats"] = json.dumps(statistics)
    path.write_text("".join(json.dumps(a) + "\n" for a in actions), encoding="utf-8")


def flip_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 3, len(data) // 3 + 64):
        data[at] ^= 0xFF
    path.write_bytes(bytes(data))


def first_cell(folder: Path) -> Path:
    text = (folder / "_delta_log" / f"{1:020}.json").read_text(encoding="utf-8")
    add = next(json.loads(line)["add"] for line in text.splitlines() if '"add"' in line)
    return folder / add["path"]


DAMAGES: dict[str, tuple[Any, str]] = {
    "missing": (lambda f: first_cell(f).unlink(), "missing"),
    "cut": (lambda f: first_cell(f).write_bytes(first_cell(f).read_bytes()[:-9]), "bytes"),
    "flipped": (lambda f: flip_middle(first_cell(f)), ""),
    "rows": (
        lambda f: edit_add(f, lambda add, s: s.update(numRecords=s["numRecords"] + 1)),
        "1000 rows, the ledger says 1001",
    ),
    "least": (
        lambda f: edit_add(f, lambda add, s: s["minValues"].update(id=5)),
        "5 rows lie below",
    ),
    "greatest": (
        lambda f: edit_add(f, lambda add, s: s["maxValues"].update(w="w1")),
        "lie above",
    ),
    "nulls": (
        lambda f: edit_add(f, lambda add, s: s["nullCount"].update(w=7)),
        "100 rows are null, the ledger says 7",
    ),
    "size": (
        lambda f: edit_add(f, lambda add, s: add.update(size=add["size"] - 1)),
        "the ledger says",
    ),
}


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_check_finds_damage(tmp_path: Path, damage: str) -> None:
    with apiary.Apiary("c", tmp_path / "c") as ap:
        make(ap.create_hive("warehouse").create_box("sales"), commits=3)
        folder = folder_of(ap)
    hurt, says = DAMAGES[damage]
    hurt(folder)
    with apiary.Apiary("c", tmp_path / "c") as ap:
        rows = findings(ap)
        assert rows[-1]["severity"] == "summary"
        assert len(rows) == 2, rows
        assert says in rows[0]["finding"], rows
        assert rows[0]["object"] in str(first_cell(folder))


def test_check_finds_a_checkpoint_that_disagrees(tmp_path: Path) -> None:
    with apiary.Apiary("c", tmp_path / "c") as ap:
        frame = make(ap.create_hive("warehouse").create_box("sales"), commits=3)
        frame.checkpoint()
        folder = folder_of(ap)
    path = folder / "_delta_log" / f"{2:020}.json"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if '"add"' not in line), encoding="utf-8")
    with apiary.Apiary("c", tmp_path / "c") as ap:
        rows = findings(ap)
        assert any("by the newest checkpoint, but not by the commits" in r["finding"] for r in rows)
    checkpoint = next((folder / "_delta_log").glob("*.checkpoint.parquet"))
    checkpoint.write_bytes(b"PAR1 and nothing more PAR1")
    with apiary.Apiary("c", tmp_path / "c") as ap:
        assert any("checkpoint" in r["finding"] for r in findings(ap))


# ---- ANALYZE -------------------------------------------------------------------------------------


def test_analyze_brings_statistics(ap: apiary.Apiary, box: apiary.Box, tmp_path: Path) -> None:
    folder = ap_folder = tmp_path / "storage" / "lake"
    rows = pa.table(
        {
            "id": pa.array(range(1000), pa.int64()),
            "f": [float("nan") if i % 100 == 0 else i / 4 for i in range(1000)],
            "w": [None if i % 2 else f"text {i:04}" for i in range(1000)],
        }
    )
    for first in (0, 500):
        deltalake.write_deltalake(str(folder), rows.slice(first, 500), mode="append")
    for path in (ap_folder / "_delta_log").glob("*.json"):
        actions = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for action in actions:
            action.get("add", {}).pop("stats", None)
        path.write_text("".join(json.dumps(a) + "\n" for a in actions), encoding="utf-8")
    ap.attach_frame("warehouse", "sales", "t", "lake")
    assert ap.get_frame("warehouse", "sales", "t")["row_count"] is None
    done = only(ap.sql("ANALYZE warehouse.sales.t"))
    assert (done["cells_read"], done["cells_updated"]) == (2, 2)
    assert ap.get_frame("warehouse", "sales", "t")["row_count"] == 1000
    bounds = sorted(cell_bounds(ap), key=lambda cell: cell["min.id"])
    assert [(b["num_records"], b["min.id"], b["max.id"]) for b in bounds] == [
        (500, 0, 499),
        (500, 500, 999),
    ]
    assert [b["null_count.w"] for b in bounds] == [250, 250]
    assert (bounds[0]["min.w"], bounds[0]["max.w"]) == ("text 0000", "text 0498")
    delta = deltalake.DeltaTable(str(folder)).to_pyarrow_table()
    assert delta.num_rows == 1000
    assert ap.sql("SELECT count(*) FROM warehouse.sales.t WHERE id < 500").fetchall() == [(500,)]
    assert findings(ap)[0]["severity"] == "ok"
    again = only(ap.sql("ANALYZE FRAME warehouse.sales.t"))
    assert again["cells_updated"] == 0 and again["version"] == done["version"]


def test_after_alterations(ap: apiary.Apiary, box: apiary.Box) -> None:
    make(box, partitioned=True, commits=3)
    mapped = "SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')"
    ap.sql(f"ALTER FRAME warehouse.sales.t {mapped}")
    ap.sql("ALTER FRAME warehouse.sales.t RENAME COLUMN x TO renamed")
    ap.sql("ALTER FRAME warehouse.sales.t DROP COLUMN y")
    ap.sql("ALTER FRAME warehouse.sales.t ADD COLUMN extra int")
    ap.write_to_frame(
        "warehouse",
        "sales",
        "t",
        pa.table({"id": [-1], "renamed": [5], "w": ["new"], "p": ["a"], "extra": [7]}).cast(
            pa.schema(
                [
                    ("id", pa.int64()),
                    ("renamed", pa.int64()),
                    ("w", pa.string()),
                    ("p", pa.string()),
                    ("extra", pa.int32()),
                ]
            )
        ),
    )
    text = "SELECT id, renamed, w, p, extra FROM warehouse.sales.t ORDER BY ALL"
    before = ap.sql(text).fetchall()
    assert len(before) == 3001
    done = only(ap.sql("OPTIMIZE warehouse.sales.t ZORDER BY (renamed, extra)"))
    assert (done["cells_written"], done["rows_moved"]) == (2, 3001)
    assert ap.sql(text).fetchall() == before
    assert findings(ap)[0]["severity"] == "ok", findings(ap)
    assert only(ap.sql("ANALYZE warehouse.sales.t"))["cells_updated"] == 0
    assert ap.sql("SELECT count(*) FROM warehouse.sales.t WHERE renamed < 100").fetchall() == [
        (sum(row[1] < 100 for row in before),)
    ]
